"""The section "Exact preview" of Inspect: the full-size result really made and shrunk, beside the preview, and their distance."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from augviz import exact_preview, full_size
from augviz.errors import AugvizError, Cancelled
from augviz.exact_preview import PICTURES, Comparing, Comparison
from augviz.model import Draw, Truth
from augviz.ui import desk, figures, gate, page, progress, trouble, upload_tab, viewer
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.units import bytes_text, size_text
from augviz.uploads import get_uploads
from augviz.value_text import number_text

QUALITY = "inspect.exact.quality"
COMPARING = "inspect.exact.comparing"
FOUND = "inspect.exact.found"
CANCELLED = "inspect.exact.cancelled"
TROUBLE = "inspect.exact.trouble"


def show(scene: Scene, shown: Shown) -> None:
    """The button that starts the job, its progress, and what it has found."""
    with st.container(border=True, gap="small", key="inspect.exact"), page.boundary():
        comparing = _running()
        if shown.draw is None or shown.failed is not None:
            st.markdown("**Exact preview**")
            st.caption("No result: a step cannot be drawn for this image.")
            return
        _offer(scene, shown, shown.draw, busy=comparing is not None)
        if comparing is not None:
            _progress()
            if comparing.key != shown.key:
                st.caption("What is being made is of another draw or pipeline than that shown now.")
        if said := st.session_state.get(CANCELLED):
            st.info(said)
        if said := st.session_state.get(TROUBLE):
            st.error(escaped(said), icon=":material/error:")
        found: Comparison | None = st.session_state.get(FOUND)
        if found is not None and found.key == shown.key:
            _found(found, scene.name)
        elif found is not None:
            st.caption("The last comparison was of another draw or pipeline; make the exact result of this one.")


def _offer(scene: Scene, shown: Shown, draw: Draw, *, busy: bool) -> None:
    """What is made, what that takes, and the button."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown("**Exact preview**", width="stretch")
        st.caption("Compare with the preview in quality", width="content")
        quality = st.segmented_control(
            "Quality of the preview",
            exact_preview.QUALITIES,
            format_func=str.capitalize,
            key=QUALITY,
            default=exact_preview.QUALITIES[0],
            required=True,
            label_visibility="collapsed",
            width="content",
        )
        st.button(
            "Make the exact result",
            key="inspect.exact.make",
            icon=":material/verified:",
            disabled=busy,
            on_click=_make,
            args=(scene, shown, quality or exact_preview.QUALITIES[0]),
        )
    time = figures.time_text(viewer.estimate_of(scene, draw))
    needed, free = full_size.file_bytes(draw.result, full_size.TIFF), get_uploads().free_bytes()
    st.caption(
        f"Makes the result at full size, {viewer.result_text(draw)}, in {escaped(time)} and what writing it takes; it is "
        f"shrunk to the preview's size and removed again. Takes up to {bytes_text(needed)} of the {bytes_text(free)} that "
        "are free on the disk."
    )


def _make(scene: Scene, shown: Shown, quality: str) -> None:
    """Start the job for what was shown when the button was clicked; one at a time for each visitor."""
    for said in (CANCELLED, TROUBLE, FOUND):
        st.session_state.pop(said, None)
    if _running() is not None or shown.draw is None:
        return
    bands = scene.state.bands
    with trouble.kept_at(TROUBLE):
        st.session_state[COMPARING] = exact_preview.start(
            shown.recipe,
            shown.key,
            shown.draw,
            upload_tab.token(),
            quality=quality,
            bands=tuple(band - 1 for band in bands) if bands else None,
            visitor=gate.visitor(),
        )


def _running() -> Comparing | None:
    """This visitor's job. One that has ended is forgotten, with what came of it kept to be shown."""
    comparing: Comparing | None = st.session_state.get(COMPARING)
    if comparing is None or not comparing.ended.done():
        return comparing
    del st.session_state[COMPARING]
    error = comparing.ended.exception()
    if isinstance(error, Cancelled):
        st.session_state[CANCELLED] = "The exact preview was cancelled, nothing was kept."
    elif isinstance(error, AugvizError):
        st.session_state[TROUBLE] = comparing.trouble(error)
    elif error is not None:
        raise error
    else:
        st.session_state[FOUND] = comparing.ended.result()
    return None


@st.fragment(run_every=progress.POLL_SECONDS)
@page.boundary()
def _progress() -> None:
    """How far the job is; when it has ended, the page runs again to show what it has found."""
    comparing: Comparing | None = st.session_state.get(COMPARING)
    if comparing is None:
        return
    if comparing.ended.done():
        st.rerun()
    fraction, stage = comparing.job.progress
    percent = f", {fraction:.0%}" if fraction is not None else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.progress(fraction or 0.0, text=f"{(stage or 'starting').capitalize()}{percent}")
        st.button("Cancel", key="inspect.exact.cancel", icon=":material/close:", on_click=comparing.job.cancel)


# What was found


def _found(found: Comparison, name: str) -> None:
    """The figure and what it means, the three pictures, and the statistics where pixels say little."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.metric("Fidelity (PSNR)", exact_preview.decibels_text(found), width="content")
        with st.container(gap="xxsmall"):
            st.markdown(f"{exact_preview.verdict(found)} {exact_preview.statistics_text(found)}")
            st.caption(escaped(" ".join((*found.reasons, exact_preview.times_text(found)))))
    st.html(_pictures_html(found, name))
    if found.truth is Truth.STATISTICAL:
        st.dataframe([_band_row(number, band) for number, band in enumerate(found.bands, start=1)], hide_index=True)


_CAPTION = "font-size:0.875rem;opacity:0.8;padding-bottom:4px"
_PICTURE = "display:block;max-width:100%;max-height:70vh;border-radius:4px;outline:1px solid rgba(128,128,128,0.25)"
_GRID = "display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:16px;align-items:end"


def _pictures_html(found: Comparison, name: str) -> str:
    """The three pictures beside each other, all of one size; each is a link to itself at its own size."""
    at = f"1/{found.scale:.3g}" if found.scale > 1 else "full size"
    full = size_text(found.full_width, found.full_height)
    titles = {
        "exact": f"Exact result, {full} shrunk to {size_text(found.width, found.height)}",
        "preview": f"Preview, {found.quality}, {at}",
        "difference": exact_preview.difference_text(found),
    }
    figures_html = []
    for picture in PICTURES:
        address = escape(f"{desk.base_address()}exact/{found.id}/{picture}.jpg")
        alt = escape(f"{name}: {titles[picture]}")
        figures_html.append(
            f'<figure style="margin:0;min-width:0"><figcaption style="{_CAPTION}">{escape(titles[picture])}</figcaption>'
            f'<a href="{address}" target="_blank" rel="noopener"><img src="{address}" alt="{alt}" style="{_PICTURE}"></a>'
            "</figure>"
        )
    return f'<div style="{_GRID}">{"".join(figures_html)}</div>'


def _band_row(number: int, band: exact_preview.Band) -> dict[str, Any]:
    """One row of the table, in the result's own values."""
    off = band.off_by()
    return {
        "Band": number,
        "Mean, exact": _figure(band.exact_mean),
        "Mean, preview": _figure(band.preview_mean),
        "Standard deviation, exact": _figure(band.exact_deviation),
        "Standard deviation, preview": _figure(band.preview_deviation),
        "Off by": "unknown" if off is None else f"{off:.1%}",
    }


def _figure(value: float | None) -> str:
    return "unknown" if value is None else number_text(value)
