"""A visitor's job as a part of a page shows it: how far it is, the button that cancels it, and how it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from augviz import jobs
from augviz.errors import AugvizError
from augviz.settings import get_settings
from augviz.ui import gate, page
from augviz.ui.page import escaped
from augviz.uploads import get_uploads

POLL_SECONDS = 0.5
CANCEL_WAIT_SECONDS = 2.0
THREADS = 2
"""libvips' threads of a job, so that previews stay quick beside it."""


def start(place: str, name: str, function: str, args: Mapping[str, Any]) -> jobs.Job:
    """Start a job of this visitor within the settings' limits, and keep it at a place of the session.

    Args:
        name: what the bar calls it.
        function: the worker function.

    Raises:
        WorkerError: too many jobs are running.
    """
    settings = get_settings()
    job = jobs.start_job(
        function,
        args,
        seconds=settings.job_seconds,
        memory_bytes=settings.job_memory_bytes,
        threads=THREADS,
        visitor=gate.visitor(),
    )
    st.session_state[place] = (job.id, name)
    return job


def job_at(place: str) -> tuple[jobs.Job, str] | None:
    """The job whose id and name are kept at `place` in the session; None once it has been seen to end."""
    job_id, name = st.session_state.get(place, ("", ""))
    job = jobs.find_job(job_id)
    return (job, name) if job is not None else None


def cancel(job: jobs.Job) -> None:
    """End a job, in a callback: the run that follows finds it ended."""
    job.cancel()
    job.wait(CANCEL_WAIT_SECONDS)


def show(job: jobs.Job, name: str, key: str, cancel: Callable[[jobs.Job], None] = cancel) -> None:
    """The bar of a running job, and its button, called `key`."""
    fraction, stage = job.progress
    percent = f", {fraction:.0%}" if fraction is not None else ""
    st.progress(fraction or 0.0, text=f"{escaped(name)}: {stage or 'starting'}{percent}")
    st.button("Cancel", key=key, icon=":material/close:", on_click=cancel, args=(job,))


@dataclass(frozen=True, slots=True)
class Ending:
    """What a part of a page does with its job.

    Attributes:
        keys: what the keys of its buttons begin with, `KEYS.cancel` and `KEYS.close`.
        done: is called with the job's name once it is done, before the page runs again.
        close: runs again what shows the job, once it is forgotten. A callback.
        cancel: ends the job. A callback.
    """

    keys: str
    done: Callable[[str], None]
    close: Callable[[], None]
    cancel: Callable[[jobs.Job], None] = cancel


@st.fragment(run_every=POLL_SECONDS)
@page.boundary()
def follow(place: str, ending: Ending) -> None:
    """How far the job at `place` is. Done, it is forgotten, and the page runs again; else it stays until it is closed."""
    found = job_at(place)
    if found is None:
        return
    job, name = found
    if job.state == "running":
        show(job, name, f"{ending.keys}.cancel", ending.cancel)
        return
    if job.state == "done":
        del st.session_state[place]
        ending.done(name)
        st.rerun()
    if job.state == "cancelled":
        st.info(f"{escaped(name)}: cancelled, nothing was kept.")
    elif isinstance(job.error, AugvizError):
        st.error(get_uploads().shown(str(job.error)), icon=":material/error:")
    else:
        job.result()
    st.button("Close", key=f"{ending.keys}.close", on_click=_close, args=(place, ending))


def _close(place: str, ending: Ending) -> None:
    """Forget the job that has ended, so that another can be started."""
    st.session_state.pop(place, None)
    ending.close()
