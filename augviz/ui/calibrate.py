"""Whose costs the table shows, and the button that measures them on this machine."""

from __future__ import annotations

import streamlit as st

from augviz import calibration, jobs
from augviz.calibration import Calibration
from augviz.errors import AugvizError
from augviz.ui import gate, page, progress
from augviz.ui.page import escaped

JOB = "transforms.calibration.job"
TROUBLE = "transforms.calibration.trouble"
POLL_SECONDS = 0.5
CANCEL_WAIT_SECONDS = 2.0
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
    if trouble := st.session_state.pop(TROUBLE, ""):
        st.error(escaped(trouble), icon=":material/error:")


def _start() -> None:
    """Start the job, or remember why not for the run that follows."""
    try:
        job = calibration.start(gate.visitor())
    except AugvizError as error:
        st.session_state[TROUBLE] = str(error)
    else:
        st.session_state[JOB] = (job.id, NAME)


@st.fragment(run_every=POLL_SECONDS)
@page.boundary()
def _progress() -> None:
    """How far the job is. When it is done the page runs again, with the new costs."""
    found = progress.job_at(JOB)
    if found is None:
        return
    job, name = found
    if job.state == "running":
        progress.show(job, name, "transforms.calibration.cancel", _cancel)
        return
    if job.state == "failed" and not isinstance(job.error, AugvizError):
        job.result()
    if job.state == "failed":
        st.session_state[TROUBLE] = str(job.error)
    st.session_state.pop(JOB, None)
    st.rerun()


def _cancel(job: jobs.Job) -> None:
    """What was stored before stays."""
    job.cancel()
    job.wait(CANCEL_WAIT_SECONDS)
