"""The answer of Measure, workers: where adding workers stops to help, the chart, the table, and the settings to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from augviz import loader_figures, scaling
from augviz.memory import Comparison, Plan
from augviz.scaling import Loading, Throughput
from augviz.ui import loader_charts, memory_charts, memory_tables
from augviz.ui.page import escaped
from augviz.ui.state import Shown


@dataclass(frozen=True, slots=True)
class Subject:
    """What is loaded, and in which batches: what results must have in common to stand in one chart.

    Attributes:
        key: of the recipe.
        batch: images in a batch.
        folder: whose images are loaded, "" for repeats of the image.
        files: how many.
    """

    key: str
    batch: int
    folder: str = ""
    files: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it, of all numbers of threads that were asked for. `reasons` are sentences by figure's title."""

    subject: Subject
    points: tuple[Throughput, ...]
    plans: Mapping[tuple[int, int], Plan]
    reasons: tuple[tuple[str, str], ...] = ()
    is_cancelled: bool = False

    @property
    def computed(self) -> dict[tuple[int, int], Comparison]:
        """Memory computed beside measured, by (workers, threads)."""
        keys = {(point.workers, point.threads): point for point in self.points}
        return {key: scaling.compared(self.plans[key], keys[key]) for key in keys if key in self.plans}


def show(result: Result, shown: Shown) -> None:
    """Everything that came of it; `shown` is what the page shows now."""
    if result.is_cancelled:
        st.info("Cancelled; what was measured before is shown.", icon=":material/cancel:")
    for title, reason in result.reasons:
        st.error(f"{escaped(title)} could not be measured. {escaped(reason)}", icon=":material/error:")
    points = result.points
    if not points:
        return
    for sentence in sentences(points):
        st.markdown(f"**{escaped(sentence)}**")
    if result.subject.key != shown.key:
        st.caption("Another image, pipeline or seed is shown now.")
    computed = result.computed
    st.plotly_chart(
        loader_charts.chart(points, computed),
        key="measure.workers.chart",
        config=memory_charts.config("measure-workers"),
        alt=loader_charts.chart_text(points),
    )
    st.table(
        loader_charts.rows(points, computed),
        hide_index=True,
        border="horizontal",
        alt="Images per second and memory for each number of workers",
    )
    for note in notes(result):
        st.caption(escaped(note))
    _code(result)
    st.download_button(
        "CSV",
        memory_tables.csv_text(loader_charts.csv_rows(points, computed)),
        file_name="measure-workers.csv",
        mime="text/csv",
        key="measure.workers.csv",
        icon=":material/download:",
    )


def sentences(points: tuple[Throughput, ...]) -> list[str]:
    """Where it stops scaling, for each number of threads; the number is named where there are several."""
    lines = loader_charts.lines(points)
    found = []
    for line in lines:
        scale = scaling.stops_scaling(line)
        text = scale.sentence if scale else "Measure more workers to see where it stops scaling."
        prefix = f"With {loader_charts.threads_text(line[0].threads)}: " if len(lines) > 1 else ""
        found.append(f"{prefix}{text}")
    return found


def notes(result: Result) -> list[str]:
    """How it was measured, and what is to be known of the figures."""
    points = result.points
    what = (
        f"{result.subject.files} files of {result.subject.folder}" if result.subject.folder else "Repeats of the image"
    )
    by = (
        "by PyTorch's DataLoader"
        if all(point.by_torch for point in points)
        else "without PyTorch: worker processes of our own do what a DataLoader's do"
    )
    found = [
        f"{what} in batches of {result.subject.batch}, {by}. Medians of spans of whole rounds over the workers, with the "
        "slowest and the fastest; what was made before the first batch was asked for is not counted."
    ]
    if any(point.peak_bytes is not None for point in points):
        found.append(
            "Memory: all processes over what the training's process has before it loads, while the queue is full; batches "
            "in shared memory count whole, which PSS alone leaves out where nobody has read them. Computed is the worst "
            "moment, as on the page Memory, with PyTorch in every worker."
        )
    if any(point.listed for point in points):
        batches, listed = sum(point.batches for point in points), sum(point.listed for point in points)
        found.append(
            f"{listed} of {batches} batches held results that differ in size or type and were not stacked: a list of "
            "tensors came instead, as by collate_fn=list."
        )
    if any(point.is_unstable for point in points):
        found.append(
            "Spans differ by more than a quarter: something else was busy, or draws differ much. More seconds or a quiet "
            "machine make it surer."
        )
    return found


def _code(result: Result) -> None:
    best = scaling.recommended(result.points)
    if best is None:
        return
    st.markdown(
        f"**To take**: {best.workers} worker{'s' * (best.workers > 1)} with {loader_charts.threads_text(best.threads)}, "
        f"{loader_charts.rate_text(best.images_per_second)} images per second"
    )
    listed = any(point.listed for point in result.points)
    st.code(loader_figures.loader_code(Loading(best.workers, best.batch, best.threads), listed), language="python")
