"""Whose costs the table shows, and the button that measures them on this machine."""

from __future__ import annotations

import streamlit as st

from augviz import calibration
from augviz.calibration import Calibration
from augviz.ui import gate, page, progress, trouble
from augviz.ui.page import escaped

JOB = "transforms.calibration.job"
TROUBLE = "transforms.calibration.trouble"
NAME = "Costs on this machine"


def is_running() -> bool:
    """Whether this visitor has costs measured just now: nothing else should be measured beside it."""
    return progress.job_at(JOB) is not None


def show(costs: Calibration | None) -> None:
    """The date and versions of the stored costs with the button to measure; while it is done, its progress."""
    if is_running():
        _progress()
        return
    whose = costs.about() if costs else "Costs are the catalogue's, of another machine."
    busy = calibration.running() is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(whose + (" They are just being measured by another visitor." if busy else ""), width="content")
        st.button(
            "Measure again" if costs else "Measure on this machine",
            key="transforms.calibration.start",
            icon=":material/timer:",
            type="tertiary",
            disabled=busy,
            help="Makes the pixels of every transform a few times, in the background: about a minute.",
            on_click=_start,
        )
    if said := st.session_state.pop(TROUBLE, ""):
        st.error(escaped(said), icon=":material/error:")


def _start() -> None:
    """Start the job, or remember why not for the run that follows."""
    with trouble.kept_at(TROUBLE):
        st.session_state[JOB] = (calibration.start(gate.visitor()).id, NAME)


@st.fragment(run_every=progress.POLL_SECONDS)
@page.boundary()
def _progress() -> None:
    """How far the job is. When it is done the page runs again, with the new costs."""
    found = progress.job_at(JOB)
    if found is None:
        return
    job, name = found
    if job.state == "running":
        progress.show(job, name, "transforms.calibration.cancel")  # what was stored before stays
        return
    if job.state == "failed":
        with trouble.kept_at(TROUBLE):
            job.result()
    st.session_state.pop(JOB, None)
    st.rerun()
