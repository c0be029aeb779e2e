"""A visitor's series of measurements: starting it, how far it is, the button that cancels it, and its end with the visitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from augviz import begun
from augviz.begun import Begun
from augviz.errors import AugvizError
from augviz.series import Figure, Series
from augviz.ui import gate, page, upload_tab
from augviz.ui.page import escaped
from augviz.units import seconds_text

BEGUN = "measure.begun"
"""The visitor's one series whose outcome this session has not taken yet, in the session."""

TAKEN = "measure.taken"
"""The number of the last series whose outcome it has taken."""

BESIDE = (
    "Something else is being measured on this server at the same time, by another visitor: all of it takes longer "
    "than it would alone."
)

POLL_SECONDS = 0.5
CANCEL_WAIT_SECONDS = 2.0


def start(asker: str, figures: Sequence[Figure], asked: Any, *, reads: str = "", is_tied: bool = False) -> Series:
    """Measure these for this visitor, one series at a time; it is cancelled when the visitor has gone.

    Args:
        asker: which part of the page asks, to find its outcome again.
        asked: what that part needs beside the outcomes to make its answer.
        reads: id of the visitor's upload that it reads; deleting that ends the series.
        is_tied: whether it uses other files of this session.

    Raises:
        AugvizError: another one of this visitor's is running, or there is nothing to measure.
    """
    if running() is not None:
        raise AugvizError("Something is being measured already; wait for it or cancel it.")
    made = begun.begin(asker, figures, asked, gate.visitor(), upload_tab.token(), reads, is_tied)
    st.session_state[BEGUN] = made
    return made.series


def ended(asker: str) -> Begun | None:
    """What a part of the page has asked and has ended since, whatever was looked at meanwhile; told once."""
    mine = _mine()
    if mine is None or mine.asker != asker or mine.series.is_running:
        return None
    del st.session_state[BEGUN]
    st.session_state[TAKEN] = mine.number
    return mine


def running() -> Series | None:
    """The visitor's one that runs, whichever part of the page asked for it, also before the page was loaded anew."""
    mine = _mine()
    return mine.series if mine is not None and mine.series.is_running else None


def is_beside_another() -> bool:
    """Whether a series of somebody else runs on this server, too: two that run at once measure each other."""
    return begun.is_beside(_mine())


def _mine() -> Begun | None:
    """This session's, or what its visitor has begun since in another: the page was loaded anew, or is open twice."""
    mine: Begun | None = st.session_state.get(BEGUN)
    if mine is not None and mine.series.is_running:
        return mine
    newest = begun.newest(gate.visitor())
    if mine is None and newest is not None and newest.number > st.session_state.get(TAKEN, 0):
        mine = st.session_state[BEGUN] = newest
        if mine.series.is_running and not mine.is_tied:
            mine.watch(upload_tab.token())
    return mine


@st.fragment(run_every=POLL_SECONDS)
@page.boundary()
def show() -> None:
    """The bar of the series that runs, with what is done, elapsed and remaining time, and Cancel; the page runs at its end."""
    series = running()
    if series is None:
        st.rerun()
    progress = series.progress
    which = f"{progress.number} of {progress.count}: " if progress.count > 1 else ""
    stage = f", {progress.stage}" if progress.stage else ""
    elapsed = f"{progress.elapsed:.0f} s" if progress.elapsed < 120 else seconds_text(progress.elapsed)
    left = "" if progress.remaining is None else f", about {seconds_text(progress.remaining)} to go"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="measure.progress"):
        st.progress(
            progress.fraction,
            text=f"{which}{escaped(progress.title)}{escaped(stage)} · {elapsed}{left}",
        )
        st.button("Cancel", key="measure.cancel", icon=":material/close:", on_click=_cancel, args=(series,))
    if is_beside_another():
        st.caption(BESIDE)


def _cancel(series: Series) -> None:
    series.cancel()
    series.wait(CANCEL_WAIT_SECONDS)
