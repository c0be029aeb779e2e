"""What a run of Measure says: the sentence, the chart that answers the question, the table, and what is to be known."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from augviz import run_words
from augviz.profiles import Profile, megapixels_text
from augviz.runs import Run
from augviz.ui import measure_charts, measure_tables, memory_charts
from augviz.ui.page import escaped
from augviz.units import bytes_text, seconds_text


def show(run: Run) -> None:
    """The whole answer. What could not be measured has its reason in its place, the others stand."""
    with st.container(gap="small", key="measure.answer"):
        if run.is_measured:
            st.header(escaped(run_words.sentence(run)), anchor=False)
        for sentence in run_words.failure_text(run):
            st.warning(escaped(sentence), icon=":material/error:")
        if not run.is_measured:
            return
        times = run.step_times
        if times is not None:
            _chart("steps", measure_charts.steps(run, times), measure_charts.steps_text(times))
            _table(measure_tables.step_rows(run, times), "Time, share and image after each step")
        else:
            if run.question == "whole":
                _metrics(run)
            _chart("ways", measure_charts.ways(run), measure_charts.ways_text(run))
            _table(measure_tables.way_rows(run), "Time, memory and repeats of each way, with the estimate")
        if remarks := run_words.remarks(run):
            st.markdown("\n".join(f"- {escaped(remark)}" for remark in remarks))
        st.caption(_how(run))


def _metrics(run: Run) -> None:
    profile = run.profile("stream") or run.profile("hold")
    if profile is None:
        return
    with st.grid(4, min_column_width=150, gap="xsmall"):
        for label, value, note in _figures(profile):
            st.metric(label, value, note, delta_color="off", delta_arrow="off", border=True, height="stretch")


def _figures(profile: Profile) -> tuple[tuple[str, str, str | None], ...]:
    wall, increase = profile.wall, profile.increase_bytes
    what = "streamed" if profile.way == "stream" else "held"
    runs = f"median of {len(wall.values)}" if len(wall.values) > 1 else "one run"
    spread = f"{runs} ± {seconds_text(wall.spread / 2)}{', unstable' if profile.is_unstable else ''}"
    at_once = profile.cpu.median / wall.median if wall.median > 0 else 0.0
    return (
        (f"Wall time, {what}", seconds_text(wall.median), spread if len(wall.values) > 1 else runs),
        ("Processor time", seconds_text(profile.cpu.median), f"{at_once:.2g} processors at once"),
        (
            "Speed",
            f"{megapixels_text(profile.megapixels_per_second)} MP/s",
            f"of {megapixels_text(profile.megapixels)} MP",
        ),
        (
            "Peak memory over the process",
            "unknown" if increase is None else bytes_text(increase),
            None if increase is None else f"over {bytes_text(profile.baseline_bytes or 0)}",
        ),
    )


def _how(run: Run) -> str:
    """What was measured and where, below the figures."""
    name = escaped(run.image)
    draw = f"Seed {run.seed}, {name}, {run.file} was read. Measured at {run.when[11:19]} UTC"
    found = dict(run.environment)
    processor = f", {escaped(str(found['processor']))}" if found.get("processor") else ""
    rounds = ""
    if run.step_times is not None:
        rounds = (
            " Each step's time is what it adds to the pipeline up to it, the median of "
            f"{run.step_times.rounds} rounds; shares are of all that takes time. Grey bars are no longer than the rounds differ."
        )
    return f"{draw} with {measure_tables.environment_text(run)}{processor}.{rounds}"


def _table(rows: list[dict[str, str]], alt: str) -> None:
    st.table(rows, hide_index=True, border="horizontal", alt=alt)


def _chart(name: str, figure: go.Figure, text: str) -> None:
    st.plotly_chart(figure, key=f"measure.chart.{name}", config=memory_charts.config(f"measure-{name}"), alt=text)
