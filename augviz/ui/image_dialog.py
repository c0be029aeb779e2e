"""The dialog that changes the image: samples, synthetic images, and files below the allowed folders."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import streamlit as st

from augviz import jobs, sources
from augviz.errors import AugvizError, ImageError
from augviz.model import InputChoice
from augviz.settings import get_settings
from augviz.sources import Sample, SourceRef, SyntheticImage
from augviz.ui import desk, folder_tab, imagenette_tab, page, progress, state, trouble, upload_tab
from augviz.ui.progress import Ending
from augviz.units import bytes_text, size_text

JOB = "explore.job"
ENDED = "explore.job_ended"
SYNTHETIC = "explore.synthetic_part"
TROUBLE = "explore.image_trouble"
SENT = "explore.upload_sent"


@st.dialog("Change image", width="large", icon=":material/image:")
def open_dialog() -> None:
    """One tab for each place where images come from; choosing one closes the dialog."""
    samples, upload, imagenette, synthetic, folder = st.tabs(
        ["Samples", "Upload", "Imagenette", "Synthetic", "Folder"], key="explore.image_tabs", on_change="rerun"
    )
    with page.boundary():
        if samples.open:
            with samples:
                _samples()
        if upload.open:
            with upload:
                _upload()
        if imagenette.open:
            with imagenette:
                imagenette_tab.show(choose_button, thumb)
        if synthetic.open:
            with synthetic:
                _synthetic()
        if folder.open:
            with folder:
                folder_tab.show(choose_button, thumb)


def choose(source: SourceRef) -> None:
    """Look at another image; the steps stay as they are. Raises ImageError if the image cannot be opened.

    A page, level or number of bands that the pipeline is fed stays too, unless this image does not have it.
    """
    desk.facts_of(source, InputChoice())
    pipeline = state.get().pipeline
    try:
        desk.facts_of(source, pipeline.input)
    except ImageError:
        state.edit(replace(pipeline, input=InputChoice()), source=source, bands=None)
    else:
        state.change(source=source, bands=None)


def choose_sample() -> None:
    """Look at what a visitor finds first: the way back from an image that cannot be looked at."""
    choose(SourceRef("sample", state.FIRST_SAMPLE))


def choose_button(label: str, source: SourceRef, key: str, **options: Any) -> None:
    """A button that looks at `source`; an image that cannot be opened keeps the dialog open, with the reason."""
    is_clicked = st.button(label, key=key, on_click=_try, args=(source,), **options)
    if is_clicked and not trouble.tell(TROUBLE):
        st.rerun()


def _try(source: SourceRef) -> None:
    _is_taken(source)


def _is_taken(source: SourceRef) -> bool:
    """Look at another image, or remember why not for the run that follows; whether it is looked at."""
    st.session_state.pop(TROUBLE, None)
    try:
        choose(source)
    except AugvizError as error:
        st.session_state[TROUBLE] = str(error)
        return False
    return True


# Samples


def _samples() -> None:
    st.caption("Photographs that come with scikit-image.")
    with st.container(height=470, border=False), st.grid(4, gap="small"):
        for sample in sources.samples():
            _sample(sample)


def _sample(sample: Sample) -> None:
    source = SourceRef("sample", sample.name)
    with st.container(gap="xsmall", border=True):
        st.html(thumb(source, f"{sample.title}, small", 150, 110))
        choose_button(sample.name.replace("_", " "), source, f"explore.sample.{sample.name}", width="stretch")
        st.caption(f"{sample.title}: {sample.good_for}")


def thumb(source: SourceRef, text: str, width: int, height: int) -> str:
    """An image element of a source; an empty one where it cannot be found."""
    try:
        address = desk.thumb_address(source, InputChoice())
    except AugvizError:
        return "<span></span>"
    style = f"width:100%;height:{height}px;object-fit:cover;border-radius:4px;display:block"
    return f'<img loading="lazy" alt="{escape(text)}" src="{escape(address)}" style="{style}">'


# Uploads


def _upload() -> None:
    upload_tab.show(_sent, _upload_card)
    if not trouble.tell(TROUBLE) and st.session_state.pop(SENT, False):
        st.rerun()


def _sent(source: SourceRef) -> None:
    """Look at the file that has arrived; one that cannot be opened is not kept."""
    if _is_taken(source):
        st.session_state[SENT] = True
    else:
        upload_tab.forget(source)


def _upload_card(source: SourceRef, title: str, key: str) -> None:
    st.html(thumb(source, f"{title}, small", 150, 110))
    choose_button("Choose", source, key, width="stretch")


# Synthetic images


@st.fragment(key=SYNTHETIC)
@page.boundary()
def _synthetic() -> None:
    st.caption(
        "Large images with structure at every scale, made on this machine as tiled pyramids and kept in the cache folder: "
        f"{bytes_text(sources.cache_bytes())} of {bytes_text(get_settings().cache_quota_bytes)} are used."
    )
    running = progress.job_at(JOB)
    if running is not None:
        progress.follow(JOB, ENDING)
    elif ended := st.session_state.get(ENDED):
        st.info(f"{ended[1]}: cancelled, nothing was kept.")
    with page.boundary(), st.grid(3, gap="small"):
        for image in sources.synthetic_images():
            _synthetic_card(image, running is not None)


def _synthetic_card(image: SyntheticImage, busy: bool) -> None:
    source = SourceRef("synthetic", image.name)
    with st.container(border=True, gap="xsmall"):
        if image.made:
            st.html(thumb(source, f"{image.title}, small", 200, 90))
        st.markdown(f"**{image.kind.capitalize()} {size_text(image.side, image.side)}**")
        on_disk = (
            f"{bytes_text(image.file_bytes)} on disk"
            if image.made
            else f"takes ~{bytes_text(image.file_bytes)} on disk"
        )
        st.caption(on_disk)
        if image.made:
            choose_button("Choose", source, f"explore.synthetic.{image.name}", width="stretch")
        elif st.button("Make", key=f"explore.synthetic.{image.name}", disabled=busy, width="stretch"):
            _make(image)
            st.rerun(scope="fragment")


def _make(image: SyntheticImage) -> None:
    """Start the job that makes an image. Raises ImageError where there is no room, WorkerError where too much runs."""
    sources.check_room(image.kind, image.side)
    args = {"kind": image.kind, "side": image.side, "out": str(image.path)}
    progress.start(JOB, image.name, "make_synthetic", args)
    st.session_state.pop(ENDED, None)


def _cancel(job: jobs.Job) -> None:
    progress.cancel(job)
    st.session_state[ENDED] = st.session_state.pop(JOB, None)
    _settle()


def _settle() -> None:
    """Let another be made. In a callback: only there a fragment can be named."""
    st.rerun(SYNTHETIC)


ENDING = Ending("explore.job", done=lambda name: choose(SourceRef("synthetic", name)), close=_settle, cancel=_cancel)
"""Once the image is made, it is looked at."""
