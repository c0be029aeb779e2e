"""The runs of this session: their table, the downloads, and two of them compared."""

from __future__ import annotations

import streamlit as st

from augviz import run_documents, runs
from augviz.errors import ArgumentError
from augviz.runs import Run
from augviz.ui import measure_kept, measure_tables, memory_tables
from augviz.ui.page import escaped
from augviz.units import size_text

ONE, OTHER = "measure.compare.one", "measure.compare.other"
COUNTED = "measure.compare.counted"
"""How many runs there were when the two were chosen."""


def show() -> None:
    """Nothing as long as nothing has been measured."""
    found = measure_kept.kept()
    if not found:
        return
    with st.container(gap="small", key="measure.runs.table"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("Runs of this session", width="content", anchor=False)
            _download("JSON", run_documents.runs_json(found), "application/json")
            _download("CSV", memory_tables.csv_text(run_documents.runs_csv_rows(found)), "text/csv")
        numbered = list(enumerate(found, start=1))
        environments = {measure_tables.environment_text(run) for run in found}
        st.table(
            measure_tables.run_rows(reversed(numbered), len(environments) > 1),
            hide_index=True,
            border="horizontal",
            alt="The runs of this session, the newest first",
        )
        if len(environments) == 1:
            st.caption(f"All with {environments.pop()}.")
        if len(found) > 1:
            _comparison(found)


def _download(name: str, text: str, mime: str) -> None:
    st.download_button(
        name,
        text,
        file_name=f"measured.{name.lower()}",
        mime=mime,
        key=f"measure.download.{name.lower()}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


def _comparison(found: tuple[Run, ...]) -> None:
    """Two chosen runs; after each new one, that and the last before it that answers the same question."""
    if st.session_state.get(COUNTED) != len(found) or ONE not in st.session_state:
        st.session_state[COUNTED] = len(found)
        st.session_state[ONE], st.session_state[OTHER] = pair(found)
    numbers = range(len(found), 0, -1)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        one = st.selectbox("Compare run", numbers, format_func=lambda n: _title(n, found), key=ONE)
        other = st.selectbox("with run", numbers, format_func=lambda n: _title(n, found), key=OTHER)
    if one == other:
        st.caption("Choose two different runs.")
        return
    first, second = found[one - 1], found[other - 1]
    try:
        rows = runs.compare(first, second)
    except ArgumentError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return
    st.table(
        measure_tables.compared_rows(rows, f"Run {one}", f"Run {other}"),
        hide_index=True,
        border="horizontal",
        alt="Figures of two runs beside each other",
    )
    if first.files or second.files:
        if (first.image, first.files) != (second.image, second.files):
            st.caption("The images differ: compare their speed in MP/s.")
    elif first.source != second.source:
        sizes = " and ".join(size_text(run.source.width, run.source.height) for run in (first, second))
        st.caption(f"The images differ ({sizes}): compare their speed rather than their time.")


def pair(found: tuple[Run, ...]) -> tuple[int, int]:
    """The numbers of the two runs to compare first: the last one, and before it one of the same question where there is."""
    last = len(found)
    alike = [number for number in range(1, last) if found[number - 1].question == found[-1].question]
    return (alike[-1] if alike else last - 1), last


def _title(number: int, found: tuple[Run, ...]) -> str:
    run = found[number - 1]
    what = runs.QUESTIONS[run.question].lower()
    return f"{number}: {what}, {run.image}, {', '.join(run.steps) or 'no step'}, seed {run.seed}"
