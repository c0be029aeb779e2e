"""The page Memory: what is entered on the left; on the right whether it fits, where the memory goes, and what else would fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from augviz import machine, memory
from augviz.errors import AugvizError
from augviz.ui import (
    address,
    memory_address,
    memory_answers,
    memory_charts,
    memory_controls,
    memory_grid,
    memory_inputs,
    memory_tables,
    page,
    scene,
)
from augviz.ui.memory_answers import Case
from augviz.ui.memory_inputs import IMAGE, TYPED, Inputs
from augviz.ui.page import escaped

INPUTS_PX = 296
MEASURE = Path(__file__).resolve().parents[2] / "pages" / "measure.py"

MEASURED = "memory.measured"
"""Where a profile puts what it has measured, in the session: the key of its recipe and a `memory.Measured`."""

# Streamlit's wide layout leaves 80 px on each side, which the charts can use. The inputs stay in sight, beside the chart that
# they change; a row that does not wrap would scroll by itself, and hold them.
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.25rem; padding-right: 1.25rem; max-width: 1500px; }
.st-key-memory-body { overflow: visible; }
[data-testid="stLayoutWrapper"]:has(> .st-key-memory-left) { position: sticky; top: 3rem; align-self: flex-start; }
.st-key-memory-left { max-height: calc(100vh - 3.5rem); overflow-y: auto; padding-right: 6px; }
@media (max-width: 1000px) {
  .st-key-memory-body { flex-direction: column; }
  .st-key-memory-body > * { position: static !important; width: 100% !important; max-width: 100% !important; }
  .st-key-memory-left { width: 100% !important; max-height: none; }
}
</style>
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is loaded where it comes from Explore.

    Attributes:
        plan: None where the numbers that were entered stand.
        rows: the image after each step.
        title: what it is, for the screen.
        key: of the recipe, "" where there is none.
        trouble: why there is no plan.
    """

    plan: memory.Plan | None = None
    rows: tuple[memory.Row, ...] = ()
    title: str = ""
    key: str = ""
    trouble: AugvizError | None = None


def show() -> None:
    """The whole page."""
    st.html(STYLE)
    with page.boundary():
        memory_address.read()
    _page()


@st.fragment(key="memory.page")
@page.boundary()
def _page() -> None:
    entered, here = memory_inputs.get(), machine.detect()
    with st.spinner("Reading what Explore shows") if entered.source != TYPED else nullcontext():
        loaded = loaded_of(entered)
    case = memory_answers.case_of(entered, here, loaded.plan)
    with st.container(horizontal=True, gap="medium", wrap=False, key="memory.body"):
        with st.container(width=INPUTS_PX, key="memory.left", gap="small"):
            memory_controls.show(case, here, loaded.plan, loaded.title)
        with st.container(key="memory.right", gap="small"):
            _answer(case, loaded)
            _steps(case, loaded)
            _charts(case, entered)
            _numbers(case, loaded)
            _tutorial(case)
    memory_address.write()


def loaded_of(entered: Inputs) -> Loaded:
    """The image that Explore shows, or its pipeline's result; what cannot be loaded is told, the numbers entered stand."""
    if entered.source == TYPED:
        return Loaded()
    now, trouble = scene.current()
    if trouble is not None or now.facts is None:
        return Loaded(trouble=trouble)
    try:
        if entered.source == IMAGE:
            return Loaded(memory.for_image(now.facts), title=now.name)
        shown = scene.shown(now)
        if shown.failed is not None or shown.draw is None:
            return Loaded(trouble=shown.failed)
        rows = memory.chain(shown.draw)
        return Loaded(
            memory.for_draw(now.facts, shown.draw),
            rows,
            f"{now.name} after the pipeline, seed {now.state.shown_seed}; other draws may be larger.",
            shown.key,
        )
    except AugvizError as error:
        return Loaded(trouble=error)


def _answer(case: Case, loaded: Loaded) -> None:
    """The sentence, the bar and the answers."""
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        with st.container(gap="xsmall", key="memory.answer"):
            fits = case.verdict().fits and case.host is not None
            sign = ":material/check_circle:" if fits else ":material/info:"
            st.header(f"{sign} {memory_answers.headline(case)}", anchor=False, help=memory_answers.HOW)
        row = memory_inputs.put("unit")
        st.segmented_control(
            row.label,
            row.choices,
            key=row.key,
            required=True,
            on_change=memory_inputs.take,
            args=("unit",),
            help=row.help,
            label_visibility="collapsed",
            width="content",
        )
        address.copy_link("memory.copy_link", memory_controls.copied(), "Copy a link to these numbers")
    memory_address.show_trouble()
    if loaded.trouble is not None:
        st.warning(f"{escaped(str(loaded.trouble))} The numbers that were entered last stand.", icon=":material/image:")
    _chart("parts", memory_charts.bar(case), memory_charts.bar_text(case))
    with st.grid(3, min_column_width=170, gap="xsmall"):
        for answer in memory_answers.answers(case):
            st.metric(
                answer.label,
                answer.value,
                answer.note or None,
                delta_color="off",
                delta_arrow="off",
                help=answer.help,
                border=True,
                height="stretch",
            )


def _steps(case: Case, loaded: Loaded) -> None:
    if not loaded.rows:
        return
    st.subheader("After each step of the pipeline", anchor=False)
    st.table(
        memory_tables.chain_rows(loaded.rows, case.unit),
        hide_index=True,
        border="horizontal",
        alt="Dimensions, dtype and bytes of the image after each step",
    )
    st.caption(
        "What each would take if it were held. Streamed, only the result is: as the tensor that the batch is made of."
    )


def _charts(case: Case, entered: Inputs) -> None:
    of_all = entered.lines == "all"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Bytes against side length", width="content", anchor=False, help=memory_answers.HOW_SIZES)
        row = memory_inputs.put("lines")
        names = {"image": "One image", "all": "All that the host holds"}
        st.segmented_control(
            row.label,
            row.choices,
            format_func=names.__getitem__,
            key=row.key,
            required=True,
            on_change=memory_inputs.take,
            args=("lines",),
            help=row.help,
            label_visibility="collapsed",
        )
        _download("size", memory_charts.size_rows(case, of_all))
    _chart("size", memory_charts.size(case, of_all), memory_charts.size_text(case, of_all))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(
            "Which batches and workers fit",
            width="content",
            anchor=False,
            help=memory_answers.HOW_GRID,
        )
        _download("grid", memory_grid.rows(case))
    st.caption(memory_controls.legend(case))
    _chart("grid", memory_grid.chart(case), memory_grid.text(case))


def _numbers(case: Case, loaded: Loaded) -> None:
    rows = memory_tables.part_rows(case)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("The numbers", width="content", anchor=False)
        _download("parts", rows)
    st.table(
        memory_tables.part_table(case),
        hide_index=True,
        border="horizontal",
        alt="Every part with its bytes, its formula and what it leaves out",
    )
    key, measured = st.session_state.get(MEASURED, ("", None))
    if not measured or key != loaded.key:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(
                "All of it is computed. What Measure finds for this pipeline stands here beside it.", width="content"
            )
            st.page_link(MEASURE, label="Measure it", icon=":material/timer:")
        return
    st.table(
        memory_tables.measured_rows(memory.compare(case.plan, measured), case.unit),
        hide_index=True,
        border="horizontal",
        alt="Computed and measured memory with the error",
    )


def _tutorial(case: Case) -> None:
    st.subheader(f"The tutorial's table, in {case.unit.name}", anchor=False)
    st.table(
        memory_tables.tutorial_rows(case.unit),
        hide_index=True,
        border="horizontal",
        alt="Bytes of square images of three bands by side and dtype",
    )
    st.caption(memory_tables.tutorial_note(case.unit))


def _chart(name: str, figure: go.Figure, text: str) -> None:
    st.plotly_chart(figure, key=f"memory.chart.{name}", config=memory_charts.config(f"memory-{name}"), alt=text)


def _download(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    st.download_button(
        "CSV",
        memory_tables.csv_text(rows),
        file_name=f"memory-{name}.csv",
        mime="text/csv",
        key=f"memory.csv.{name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
