"""The charts of Measure: what each step costs, and the ways beside each other. Readable on light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from augviz import estimates, memory, run_words, runs
from augviz.model import DTYPES
from augviz.profiles import Profile, StepTimes
from augviz.runs import Outcome, Run
from augviz.ui import memory_ticks
from augviz.ui.memory_charts import GREY
from augviz.units import bytes_text, seconds_text

BAR, MOST, SAVING, UNSURE, ESTIMATED = "#0b84a5", "#e8963a", "#2f9e6e", "#adb5bd", "#9c6ade"
"""A figure, the greatest one, one below zero, one that is no more than the rounds differ by, and what was estimated."""

MARK_SHARE = 0.02
"""About half of an estimate's mark, as a share of the longest bar."""

ROW_PX, AROUND_PX = 38, 76
TEXT_ROOM = 1.35
"""The axis is so much longer than the longest bar: the figures stand at the bars' ends."""


def steps(run: Run, times: StepTimes) -> go.Figure:
    """Time that each step adds, and the image after it, in the pipeline's order."""
    labels = ["Reading", *(f"{step.position} {step.transform}" for step in times.steps)]
    seconds = [times.reading_seconds, *(step.seconds for step in times.steps)]
    spreads = [times.reading_spread, *(step.spread for step in times.steps)]
    shares, most = runs.shares(times), runs.slowest(times)
    slowest = None if most is None else 0 if most[0] is None else most[0].position
    texts = [_part_text(times.reading_seconds, shares.get(0), is_sure=True)]
    colours = [MOST if slowest == 0 else BAR]
    for step in times.steps:
        sure = not step.is_about_nothing
        texts.append(_part_text(step.seconds, shares.get(step.position), is_sure=sure) if step.applied else "skipped")
        colours.append(
            MOST if step.position == slowest else UNSURE if not sure else SAVING if step.seconds < 0 else BAR
        )
    figure = _panels(("Time it adds", "Image after it, if held"), (0.6, 0.4))
    _bars(figure, 1, labels, seconds, texts, colours, [spread / 2 for spread in spreads])
    _seconds_axis(figure, 1, seconds, spreads)
    shapes = [run.source, *(run.shape_after(step.position) for step in times.steps)]
    counts = [0 if shape is None else estimates.image_bytes(shape) for shape in shapes]
    kinds = [
        "" if shape is None else f"{bytes_text(count)} {DTYPES.get(shape.format, shape.format)}"
        for shape, count in zip(shapes, counts, strict=True)
    ]
    _bars(figure, 2, labels, counts, kinds, [GREY] * len(counts))
    _bytes_axis(figure, 2, max(counts))
    return _finished(figure, len(labels))


def _part_text(seconds: float, share: float | None, *, is_sure: bool) -> str:
    if share is None:
        return f"saves {seconds_text(-seconds)}" if seconds < 0 and is_sure else "about 0"
    return f"{seconds_text(seconds)} · {run_words.share_text(share)}"


def steps_text(times: StepTimes) -> str:
    """The chart of steps for those who cannot see it."""
    parts = [f"reading {seconds_text(times.reading_seconds)}"]
    for step in times.steps:
        time = f"{'saves ' if step.seconds < 0 else ''}{seconds_text(abs(step.seconds))}" if step.applied else "skipped"
        parts.append(f"{step.transform} {time}")
    return f"Time that each step adds: {', '.join(parts)}"


def ways(run: Run) -> go.Figure:
    """Time and peak memory of each way that was asked for, with the estimate on it; what could not be measured says so."""
    asked = [each for each in run.outcomes if each.name != runs.ESTIMATE]
    labels = [each.title for each in asked]
    found = [each.value if isinstance(each.value, Profile) else None for each in asked]
    seconds = [0.0 if one is None else one.wall.median for one in found]
    texts = ["not measured" if one is None else seconds_text(one.wall.median) for one in found]
    low = [0.0 if one is None else one.wall.median - min(one.wall.values) for one in found]
    high = [0.0 if one is None else max(one.wall.values) - one.wall.median for one in found]
    figure = _panels(("Time", "Peak memory over the process"), (0.5, 0.5))
    estimate = run.estimate
    ends = [value + more for value, more in zip(seconds, high, strict=True)]
    if estimate is not None:
        ends = [
            max(end, estimate.seconds_high) if each.name == "stream" else end
            for each, end in zip(asked, ends, strict=True)
        ]
    _bars(figure, 1, labels, seconds, texts, [BAR] * len(labels), high, low, ends)
    counts = [(one.increase_bytes if one is not None else None) for one in found]
    known = [
        "not measured" if one is None else "unknown" if count is None else bytes_text(count)
        for one, count in zip(found, counts, strict=True)
    ]
    marked = {} if estimate is None else {"stream": estimate.stream_bytes, "hold": estimate.hold_bytes}
    room = MARK_SHARE * max([*(count or 0 for count in counts), *marked.values(), 0])
    reach = [
        max(count or 0, marked[each.name] + room if each.name in marked else 0)
        for each, count in zip(asked, counts, strict=True)
    ]
    _bars(figure, 2, labels, [count or 0 for count in counts], known, [BAR] * len(labels), ends=reach)
    estimated = _add_estimate(figure, run, asked)
    _seconds_axis(figure, 1, [*seconds, *estimated[0]], [2 * one for one in high] + [0.0] * len(estimated[0]))
    _bytes_axis(figure, 2, max([*(count or 0 for count in counts), *estimated[1], 1]))
    return _finished(figure, len(labels), bool(run.estimate))


def _add_estimate(figure: go.Figure, run: Run, asked: Sequence[Outcome]) -> tuple[list[float], list[int]]:
    """Mark what was estimated; returns the seconds and bytes that the axes must reach."""
    estimate = run.estimate
    titles = {each.name: each.title for each in asked}
    if estimate is None:
        return [], []
    if "stream" in titles:
        figure.add_scatter(
            x=[estimate.seconds],
            y=[titles["stream"]],
            mode="markers",
            name="Estimate",
            marker=_mark(),
            error_x={
                "type": "data",
                "array": [estimate.seconds_high - estimate.seconds],
                "arrayminus": [estimate.seconds - estimate.seconds_low],
                "color": ESTIMATED,
            },
            hovertemplate=f"Estimate: {seconds_text(estimate.seconds)}<extra></extra>",
            row=1,
            col=1,
        )
    counts = {"stream": estimate.stream_bytes, "hold": estimate.hold_bytes}
    ways_known = [way for way in counts if way in titles]
    figure.add_scatter(
        x=[counts[way] for way in ways_known],
        y=[titles[way] for way in ways_known],
        mode="markers",
        name="Estimate",
        showlegend="stream" not in titles,
        marker=_mark(),
        hovertemplate=[f"Estimate: {bytes_text(counts[way])}<extra></extra>" for way in ways_known],
        row=1,
        col=2,
    )
    return [estimate.seconds_high] if "stream" in titles else [], [counts[way] for way in ways_known]


def _mark() -> dict[str, object]:
    return {"symbol": "diamond", "size": 11, "color": ESTIMATED, "line": {"width": 1, "color": "#ffffff"}}


def ways_text(run: Run) -> str:
    """The chart of ways for those who cannot see it."""
    parts = []
    for each in run.outcomes:
        if isinstance(each.value, Profile):
            increase = each.value.increase_bytes
            memory_text = "unknown memory" if increase is None else bytes_text(increase)
            parts.append(f"{each.title} {seconds_text(each.value.wall.median)} and {memory_text}")
        elif each.name != runs.ESTIMATE:
            parts.append(f"{each.title} not measured")
    return f"Time and peak memory of each way: {', '.join(parts)}"


# What they have in common


def _panels(titles: tuple[str, str], widths: tuple[float, float]) -> go.Figure:
    return make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=list(widths), horizontal_spacing=0.04, subplot_titles=titles
    )


def _bars(
    figure: go.Figure,
    column: int,
    labels: Sequence[str],
    values: Sequence[float],
    texts: Sequence[str],
    colours: Sequence[str],
    more: Sequence[float] | None = None,
    less: Sequence[float] | None = None,
    ends: Sequence[float] | None = None,
) -> None:
    """A bar for each label with its figure at its end, at that of its error bar, or at `ends`."""
    whiskers = {} if more is None else {"type": "data", "array": more, "arrayminus": less or more, "color": GREY}
    figure.add_bar(
        x=values,
        y=labels,
        orientation="h",
        marker={"color": colours},
        error_x=whiskers if any(more or ()) else None,
        customdata=texts,
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        showlegend=False,
        row=1,
        col=column,
    )
    figure.add_scatter(
        x=ends or [max(0, value + end) for value, end in zip(values, more or [0] * len(values), strict=True)],
        y=labels,
        mode="text",
        text=[f" {text}" for text in texts],
        textposition="middle right",
        textfont={"size": 12},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
        row=1,
        col=column,
    )


def _seconds_axis(figure: go.Figure, column: int, seconds: Sequence[float], spreads: Sequence[float]) -> None:
    ends = [value + spread / 2 for value, spread in zip(seconds, spreads, strict=True)]
    starts = [min(0.0, value - spread / 2) for value, spread in zip(seconds, spreads, strict=True)]
    high, low = max([*ends, 1e-6]), min([*starts, 0.0])
    low = max(low, -high)
    ticks = _seconds_ticks(low, high)
    figure.update_xaxes(
        range=[low * 1.05, high * TEXT_ROOM], zeroline=True, zerolinecolor=GREY, **ticks, row=1, col=column
    )


def _seconds_ticks(low: float, high: float) -> dict[str, list[Any]]:
    """About five round numbers of seconds, written as everywhere."""
    step = 10.0 ** _exponent(high)
    step = next(each for each in (step / 5, step / 2, step, 2 * step) if high / each <= 5)
    values = [number * step for number in range(-int(-low / step), int(high / step) + 1)]
    return {
        "tickvals": values,
        "ticktext": ["0" if value == 0 else ("−" if value < 0 else "") + seconds_text(abs(value)) for value in values],
    }


def _exponent(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def _bytes_axis(figure: go.Figure, column: int, high: float) -> None:
    ticks = memory_ticks.linear(high, memory.GB)
    figure.update_xaxes(range=[0, high * TEXT_ROOM], **ticks, row=1, col=column)


def _finished(figure: go.Figure, rows: int, has_legend: bool = False) -> go.Figure:
    figure.update_yaxes(autorange="reversed", ticksuffix="  ", tickfont={"size": 12})
    figure.update_xaxes(tickfont={"size": 11})
    figure.update_layout(
        height=AROUND_PX + ROW_PX * rows,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        bargap=0.4,
        showlegend=has_legend,
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        dragmode=False,
    )
    figure.update_annotations(xanchor="left", font={"size": 13})
    for number, annotation in enumerate(figure.layout.annotations):
        annotation.x = figure.layout[f"xaxis{number + 1 if number else ''}"].domain[0]
    return figure
