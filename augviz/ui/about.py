"""The panel "About this server": versions, limits, how long uploads are kept, and where data goes."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import streamlit as st

from augviz import __version__
from augviz.settings import Settings, get_settings
from augviz.ui import gate
from augviz.ui.page import escaped
from augviz.units import bytes_text, counted, seconds_text
from augviz.upload_session import MAX_FILES

PACKAGES = ("albumentationsxl", "pyvips", "pyvips-binary", "numpy", "streamlit", "plotly", "starlette")


def button() -> None:
    """For the side bar: opens the panel."""
    if st.button("About this server", key="about.open", icon=":material/info:", type="tertiary"):
        _panel()


@st.dialog("About this server", width="medium")
def _panel() -> None:
    settings = get_settings()
    st.markdown("**Where your data goes**")
    for sentence in data_sentences(settings):
        st.markdown(f"- {sentence}")
    st.markdown("**Limits**")
    st.table(limits(settings))
    st.markdown("**Versions**")
    st.caption(", ".join(f"{name} {number}" for name, number in versions().items()))


def data_sentences(settings: Settings) -> list[str]:
    """What happens to images and files, in Markdown."""
    host = urlsplit(settings.imagenette_address).hostname or "the address in the settings"
    sentences = [
        "Images are read and results are made on this server; nothing of them is sent to any other.",
        "Your browser asks this server only: no fonts, scripts, maps or statistics come from elsewhere.",
        f"Uploads and files made for you are kept while the page is open and {seconds_text(settings.upload_grace_seconds)} "
        "afterwards; “Delete now” deletes them at once, and a restart of the server all of them.",
        "A cookie, which is gone when the browser is closed, keeps your pictures and files to you; another visitor who has "
        "their address is refused.",
        "The log names no files and holds nothing of an image.",
        "Findings of an audit, with the names of its files, are kept on this server, so that it can go on, for "
        f"{counted(settings.audit_days, 'day')} after they were used last.",
        f"When somebody asks for the Imagenette data set, the server downloads it from {escaped(host)}.",
    ]
    if settings.trusted_header or settings.sign_in:
        sentences.insert(4, "Only users who have signed in see the pages, the pictures and the files.")
    return sentences


def limits(settings: Settings) -> dict[str, str]:
    """The server's limits, in words."""
    memory, windows = settings.worker_memory_bytes, settings.max_sessions
    least, idle = bytes_text(settings.upload_least_bytes), seconds_text(settings.upload_idle_seconds)
    return {
        "Browser windows": f"{windows} at once; one more waits for a place" if windows else "no limit",
        "Upload": f"{bytes_text(settings.upload_bytes)} a file, {MAX_FILES} files a visitor"
        + (f", {bytes_text(settings.upload_session_bytes)} together" if settings.upload_session_bytes else ""),
        "Upload that stops": f"ended when less than {least} comes in {idle}",
        "Uploads are kept": f"while the page is open, and {seconds_text(settings.upload_grace_seconds)} afterwards",
        "Findings of audits are kept": f"{counted(settings.audit_days, 'day')} after they were used last",
        "Image": f"{settings.pixel_limit / 1e6:,.0f} megapixels",
        "View": f"{seconds_text(settings.view_seconds)} of computing",
        "Job": f"{seconds_text(settings.job_seconds)} of computing, {settings.jobs} at once"
        + (f", {settings.jobs_per_visitor} a visitor" if settings.jobs_per_visitor else ""),
        "Audit": f"stopped after {seconds_text(settings.audit_seconds)}; it can go on later",
        "Render processes": f"{settings.workers}, "
        + (f"{bytes_text(memory)} of memory each" if memory else "no memory limit")
        + (f", {settings.renders_per_visitor} a visitor at once" if settings.renders_per_visitor else ""),
        "Pictures and figures that wait": f"{settings.queue}"
        + (f", {settings.queue_per_visitor} a visitor" if settings.queue_per_visitor else ""),
        "Uploads, results, synthetic images, copies": f"{bytes_text(settings.cache_quota_bytes)} in all",
    }


def versions() -> dict[str, str]:
    """What runs here, by name; packages that are not installed are left out."""
    found = {"augviz": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "Python": platform.python_version()}


def show() -> None:
    """What the side bar says at its end."""
    button()
    gate.sign_out_button()
