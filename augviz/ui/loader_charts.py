"""The charts and tables of a DataLoader's throughput: images per second and memory against workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from augviz.memory import GB, Comparison
from augviz.scaling import Throughput
from augviz.ui import memory_ticks
from augviz.ui.memory_charts import GREY
from augviz.units import bytes_text

COLOURS = ("#0b84a5", "#e8963a", "#2f9e6e", "#9c6ade", "#c2255c", "#4c6ef5")
"""One for each number of threads, in the order of the lines."""

HEIGHT_PX = 340


def lines(points: Sequence[Throughput]) -> list[tuple[Throughput, ...]]:
    """The points of each number of threads, fewest first, in the order of their workers."""
    ordered = sorted(points, key=lambda point: point.workers)
    return [tuple(p for p in ordered if p.threads == threads) for threads in sorted({p.threads for p in ordered})]


def threads_text(threads: int) -> str:
    return f"{threads} thread{'' if threads == 1 else 's'} each"


def chart(points: Sequence[Throughput], computed: Mapping[tuple[int, int], Comparison]) -> go.Figure:
    """Images per second with the ideal, and memory in total with what is computed, against workers.

    Args:
        computed: memory by (workers, threads), where it is known.
    """
    figure = make_subplots(
        rows=1, cols=2, horizontal_spacing=0.1, subplot_titles=("Images per second", "Memory in total")
    )
    for number, line in enumerate(lines(points)):
        colour = COLOURS[number % len(COLOURS)]
        _add_rates(figure, line, colour)
        _add_ideal(figure, line, colour)
        _add_memory(figure, line, computed, colour)
    workers = sorted({point.workers for point in points})
    figure.update_xaxes(title="workers", tickvals=workers, range=[workers[0] - 0.3, workers[-1] + 0.3])
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    high = max(
        [1, *(p.peak_bytes or 0 for p in points), *(one.computed for one in computed.values())],
    )
    figure.update_yaxes(range=[0, 1.08 * high], **memory_ticks.linear(high, GB), row=1, col=2)
    figure.update_annotations(font={"size": 13})
    figure.update_layout(
        height=HEIGHT_PX,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        legend={"orientation": "h", "y": -0.28, "yanchor": "top", "x": 0},
        hovermode="closest",
        dragmode=False,
    )
    return figure


def _add_rates(figure: go.Figure, line: Sequence[Throughput], colour: str) -> None:
    rates = [point.images_per_second for point in line]
    figure.add_scatter(
        x=[point.workers for point in line],
        y=rates,
        mode="lines+markers",
        name=threads_text(line[0].threads),
        line={"color": colour, "width": 2},
        error_y={
            "type": "data",
            "array": [max(point.rates) - rate for point, rate in zip(line, rates, strict=True)],
            "arrayminus": [rate - min(point.rates) for point, rate in zip(line, rates, strict=True)],
            "color": GREY,
        },
        customdata=[rate_text(point.images_per_second) for point in line],
        hovertemplate="%{x} workers: %{customdata} images/s<extra></extra>",
        row=1,
        col=1,
    )


def _add_ideal(figure: go.Figure, line: Sequence[Throughput], colour: str) -> None:
    """What so many workers would deliver if each delivered what the first does."""
    several = [point for point in line if point.workers > 0]
    if len(several) < 2:
        return
    first, last = several[0], several[-1]
    figure.add_scatter(
        x=[first.workers, last.workers],
        y=[first.images_per_second, first.images_per_second / first.workers * last.workers],
        mode="lines",
        name=f"ideal, {threads_text(line[0].threads)}",
        line={"color": colour, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        row=1,
        col=1,
    )


def _add_memory(
    figure: go.Figure, line: Sequence[Throughput], computed: Mapping[tuple[int, int], Comparison], colour: str
) -> None:
    measured = [(point.workers, point.peak_bytes) for point in line if point.peak_bytes is not None]
    figure.add_scatter(
        x=[workers for workers, _ in measured],
        y=[count for _, count in measured],
        mode="lines+markers",
        name=f"measured, {threads_text(line[0].threads)}",
        showlegend=False,
        line={"color": colour, "width": 2},
        customdata=[bytes_text(count) for _, count in measured],
        hovertemplate="%{x} workers: %{customdata} measured<extra></extra>",
        row=1,
        col=2,
    )
    known = [(p.workers, computed[p.workers, p.threads].computed) for p in line if (p.workers, p.threads) in computed]
    if known:
        figure.add_scatter(
            x=[workers for workers, _ in known],
            y=[count for _, count in known],
            mode="lines",
            name=f"computed, {threads_text(line[0].threads)}",
            line={"color": colour, "width": 1, "dash": "dash"},
            customdata=[bytes_text(count) for _, count in known],
            hovertemplate="%{x} workers: %{customdata} computed<extra></extra>",
            row=1,
            col=2,
        )


def chart_text(points: Sequence[Throughput]) -> str:
    """The chart for those who cannot see it."""
    parts = []
    for line in lines(points):
        each = ", ".join(
            f"{point.workers} workers {rate_text(point.images_per_second)} images per second"
            + ("" if point.peak_bytes is None else f" and {bytes_text(point.peak_bytes)}")
            for point in line
        )
        parts.append(f"{threads_text(line[0].threads)}: {each}")
    return f"Images per second and memory in total against workers; {'; '.join(parts)}"


def rate_text(rate: float) -> str:
    """Images or megapixels per second: three digits, and no decimals from 100 on."""
    return f"{rate:,.0f}" if rate >= 99.95 else f"{rate:.3g}"


def rows(points: Sequence[Throughput], computed: Mapping[tuple[int, int], Comparison]) -> list[dict[str, str]]:
    """One row for each measured number of workers and threads."""
    found = []
    for line in lines(points):
        several = [point for point in line if point.workers > 0]
        alone = several[0].images_per_second / several[0].workers if several else None
        found += [_row(point, alone, computed.get((point.workers, point.threads))) for point in line]
    return found


def _row(point: Throughput, alone: float | None, plan: Comparison | None) -> dict[str, str]:
    spread = f"{rate_text(min(point.rates))} to {rate_text(max(point.rates))}"
    ideal = "–"
    if alone and point.workers:
        ideal = f"{100 * point.images_per_second / (alone * point.workers):.0f} %"
    cpu = point.cpu_seconds_per_image
    return {
        "Workers": str(point.workers),
        "Threads each": str(point.threads),
        "Images/s": f"{rate_text(point.images_per_second)} ({spread})",
        "MP/s of the source": rate_text(point.megapixels_per_second),
        "Of ideal": ideal,
        "CPU per image": "unknown" if cpu is None else f"{1000 * cpu:.3g} ms",
        "Memory in total": "unknown" if point.peak_bytes is None else bytes_text(point.peak_bytes),
        "By PSS alone": "unknown" if point.pss_bytes is None else bytes_text(point.pss_bytes),
        "Computed": "–" if plan is None else _computed_text(plan),
    }


def _computed_text(plan: Comparison) -> str:
    error = plan.error_percent
    return bytes_text(plan.computed) + ("" if error is None else f" ({error:+.0f} %)")


def csv_rows(points: Sequence[Throughput], computed: Mapping[tuple[int, int], Comparison]) -> list[dict[str, object]]:
    """The same in plain numbers, with every span."""
    return [
        {
            "workers": point.workers,
            "threads": point.threads,
            "batch": point.batch,
            "images_per_second": point.images_per_second,
            "spans": " ".join(f"{rate:.6g}" for rate in point.rates),
            "megapixels_per_second": point.megapixels_per_second,
            "cpu_seconds_per_image": point.cpu_seconds_per_image,
            "memory_bytes": point.peak_bytes,
            "pss_bytes": point.pss_bytes,
            "computed_bytes": computed[key].computed if (key := (point.workers, point.threads)) in computed else None,
            "by_torch": point.by_torch,
            "batches": point.batches,
            "batches_listed": point.listed,
        }
        for line in lines(points)
        for point in line
    ]
