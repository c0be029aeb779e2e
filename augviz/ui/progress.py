"""How far a visitor's job is, and the button that cancels it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from augviz import jobs
from augviz.ui.page import escaped


def job_at(place: str) -> tuple[jobs.Job, str] | None:
    """The job whose id and name are kept at `place` in the session; None once it has been seen to end."""
    job_id, name = st.session_state.get(place, ("", ""))
    job = jobs.find_job(job_id)
    return (job, name) if job is not None else None


def show(job: jobs.Job, name: str, key: str, cancel: Callable[[jobs.Job], None]) -> None:
    """The bar of a running job, and its button, called `key`."""
    fraction, stage = job.progress
    percent = f", {fraction:.0%}" if fraction is not None else ""
    st.progress(fraction or 0.0, text=f"{escaped(name)}: {stage or 'starting'}{percent}")
    st.button("Cancel", key=key, icon=":material/close:", on_click=cancel, args=(job,))
