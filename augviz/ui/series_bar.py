"""A visitor's series of measurements: starting it, how far it is, the button that cancels it, and its end with the visitor."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from weakref import WeakSet

import streamlit as st

from augviz.errors import AugvizError
from augviz.series import Figure, Series
from augviz.ui import gate, page, upload_tab
from augviz.ui.page import escaped
from augviz.units import seconds_text
from augviz.uploads import get_uploads

SERIES = "measure.series"
"""Where the visitor's one series is, in the session: (what asked for it, the series)."""

BESIDE = (
    "Something else is being measured on this server at the same time, by another visitor: all of it takes longer "
    "than it would alone."
)

_all: WeakSet[Series] = WeakSet()
_lock = threading.Lock()

POLL_SECONDS = 0.5
CANCEL_WAIT_SECONDS = 2.0


def start(asker: str, figures: Sequence[Figure], reads: str = "") -> None:
    """Measure these for this visitor, one series at a time; it is cancelled when the visitor has gone.

    Args:
        asker: which part of the page asks, to find its outcome again.
        reads: id of the visitor's upload that it reads; deleting that ends the series.

    Raises:
        AugvizError: another one of this visitor's is running, or there is nothing to measure.
    """
    if running() is not None:
        raise AugvizError("Something is being measured already; wait for it or cancel it.")
    uploads, token = get_uploads(), upload_tab.token()
    made = Series(figures, lambda series: uploads.end_work(token, series.cancel), gate.visitor())
    with _lock:
        _all.add(made)
    st.session_state[SERIES] = (asker, made)
    uploads.begin_work(token, made.cancel, reads)
    if not made.is_running:  # it has ended before its work was begun
        uploads.end_work(token, made.cancel)


def of(asker: str) -> Series | None:
    """This visitor's series that a part of the page has asked for last, running or ended; None if there is none."""
    whose, series = st.session_state.get(SERIES, ("", None))
    return series if whose == asker else None


def running() -> Series | None:
    """The visitor's one that runs, whichever part of the page asked for it, also before the page was loaded anew."""
    _, series = st.session_state.get(SERIES, ("", None))
    if series is not None and series.is_running:
        return series
    me = gate.visitor()
    with _lock:
        return next((one for one in _all if me and one.visitor == me and one.is_running), None)


def is_beside_another() -> bool:
    """Whether a series of somebody else runs on this server, too: two that run at once measure each other."""
    mine = running()
    with _lock:
        return any(series is not mine and series.is_running for series in _all)


def forget() -> None:
    """Forget a series that has ended, once its outcomes are kept elsewhere."""
    st.session_state.pop(SERIES, None)


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
