"""A visitor's runs: taking over what a series has brought, and keeping it for the session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from augviz import memory
from augviz.profiles import Failed
from augviz.runs import Outcome, Run
from augviz.series import Series
from augviz.ui import memory_page, series_bar
from augviz.uploads import get_uploads

RUNS = "measure.runs"
LAST = "measure.last"

MAX_KEPT = 200
"""The oldest runs go first."""

OWN = ("whole", "steps", "ways")
"""The questions whose series are taken over here."""


def kept() -> tuple[Run, ...]:
    """The session's runs, the oldest first."""
    found: tuple[Run, ...] = st.session_state.get(RUNS, ())
    return found


def keep(run: Run) -> None:
    """Add a run to the session's; the table and the downloads have it from then on."""
    st.session_state[RUNS] = (*kept(), run)[-MAX_KEPT:]


def last(question: str) -> Run | None:
    """What came of a question when it was asked last, cancelled or not."""
    found: Run | None = st.session_state.get(LAST, {}).get(question)
    return found


def take_over() -> None:
    """Keep what a series of ours that has ended has brought, whatever page was looked at meanwhile."""
    for question in OWN:
        if (begun := series_bar.ended(question)) is not None:
            _take(replace(begun.asked, outcomes=outcomes_of(begun.series)))


def _take(run: Run) -> None:
    st.session_state[LAST] = {**st.session_state.get(LAST, {}), run.question: run}
    if run.is_measured:
        keep(run)
        _tell_memory(run)


def outcomes_of(series: Series) -> tuple[Outcome, ...]:
    """What came of the figures of a series, in their order; names of uploads instead of their files."""
    found = series.outcomes
    return tuple(
        Outcome(figure.name, figure.title, readable(found[figure.name]))
        for figure in series.figures
        if figure.name in found
    )


def readable(value: Any) -> Any:
    """An outcome; a reason with the names that the visitor knows."""
    return replace(value, reason=get_uploads().shown(value.reason)) if isinstance(value, Failed) else value


def _tell_memory(run: Run) -> None:
    """Where the page Memory shows this recipe, what was measured stands beside what it computes."""
    stream, hold = run.profile("stream"), run.profile("hold")
    if stream is not None or hold is not None:
        increases = [None if profile is None else profile.increase_bytes for profile in (stream, hold)]
        st.session_state[memory_page.MEASURED] = (run.key, memory.Measured(*increases))
