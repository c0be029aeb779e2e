"""Who gets a place on a server that has only so many: a browser window that is connected has one until it goes."""

from __future__ import annotations

import logging
import secrets
import threading

import streamlit as st

from augviz import events, metrics
from augviz.settings import get_settings
from augviz.ui import page

ADMITTED = "admission.admitted"
SESSION = "admission.session"
RETRY_SECONDS = 5

_lock = threading.Lock()
_connected: set[str] = set()


@st.cache_resource(scope="session", show_spinner=False, on_release=_connected.discard)
def _place(session: str) -> str:
    # Streamlit releases it when the connection goes; one that comes back takes its place again at the next run.
    return session


def passes() -> bool:
    """Whether this window has a place, as it keeps once it has one; if not, the page says so and tries again by itself."""
    most = get_settings().max_sessions
    if not most:
        return True
    session = st.session_state.setdefault(SESSION, secrets.token_hex(8))
    known = st.session_state.get(ADMITTED)
    if not take(session, most, again=bool(known)):
        if known is None:
            st.session_state[ADMITTED] = False  # counted and logged once, not at every try
            metrics.count("refusals", what="session")
            events.tell("refused", level=logging.WARNING, what="session", sessions=most)
        _full(most)
        return False
    st.session_state[ADMITTED] = True
    _place(session)
    return True


def take(session: str, most: int, *, again: bool = False) -> bool:
    """Take a place for a session, or find that it has one; False where all are taken.

    Args:
        again: it had one before its connection broke: it gets one in any case, or its work would be lost.
    """
    with _lock:
        if session not in _connected and len(_connected) >= most and not again:
            return False
        _connected.add(session)
        return True


@st.fragment(run_every=RETRY_SECONDS)
@page.boundary()
def _full(most: int) -> None:
    with _lock:
        taken = len(_connected)
    if taken < most:
        st.rerun()
    st.title("augviz")
    windows = "1 window is" if taken == 1 else f"{taken} windows are"
    st.info(
        f"The server is full: {windows} connected, which is as many as it takes. This page tries again every "
        f"{RETRY_SECONDS} seconds and opens by itself when there is a place.",
        icon=":material/hourglass:",
    )
