"""The charts of Measure that set two figures of a few things beside each other: two panels of bars with one list of names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from augviz.profiles import Repeats
from augviz.units import bytes_text, seconds_text

BAR, OTHER, GREY = "#0b84a5", "#e8963a", "#868e96"
"""A bar, one that is set against it, and the whiskers; readable on light and dark."""

ROW_PX, AROUND_PX = 36, 76
TEXT_ROOM = 1.4
"""The axis is so much longer than the longest bar: the figures stand at the bars' ends."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        values: of each name, in seconds or bytes; None where there is none.
        spans: least and greatest of each, None where there is one value only.
        unit: "s" or "B".
    """

    title: str
    values: tuple[float | None, ...]
    spans: tuple[tuple[float, float] | None, ...]
    unit: str = "s"


def of_repeats(title: str, found: Sequence[Repeats | None]) -> Panel:
    """A panel of medians, with whiskers from the least to the greatest repeat."""
    return Panel(
        title,
        tuple(None if one is None else one.median for one in found),
        tuple(None if one is None or len(one.values) < 2 else (min(one.values), max(one.values)) for one in found),
    )


def of_bytes(title: str, found: Sequence[int | None]) -> Panel:
    """A panel of bytes."""
    return Panel(title, tuple(found), (None,) * len(found), "B")


def chart(names: Sequence[str], panels: tuple[Panel, Panel], colours: Sequence[str]) -> go.Figure:
    """Both panels; a bar that is missing says so."""
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.05, subplot_titles=[panel.title for panel in panels]
    )
    for column, panel in enumerate(panels, start=1):
        _add(figure, column, names, panel, colours)
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    figure.update_layout(
        height=AROUND_PX + ROW_PX * len(names),
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        bargap=0.4,
        showlegend=False,
        dragmode=False,
    )
    figure.update_annotations(xanchor="left", font={"size": 13})
    for number, annotation in enumerate(figure.layout.annotations):
        annotation.x = figure.layout[f"xaxis{number + 1 if number else ''}"].domain[0]
    return figure


def text(what: str, names: Sequence[str], panels: tuple[Panel, Panel]) -> str:
    """The chart for those who cannot see it."""
    parts = [f"{name} {' and '.join(_amount(panel, number) for panel in panels)}" for number, name in enumerate(names)]
    return f"{what}: {', '.join(parts)}"


def _add(figure: go.Figure, column: int, names: Sequence[str], panel: Panel, colours: Sequence[str]) -> None:
    values = [value or 0.0 for value in panel.values]
    ends = [span[1] if span else value for value, span in zip(values, panel.spans, strict=True)]
    more = [end - value for value, end in zip(values, ends, strict=True)]
    less = [value - span[0] if span else 0.0 for value, span in zip(values, panel.spans, strict=True)]
    texts = [_amount(panel, number) for number in range(len(names))]
    figure.add_bar(
        x=values,
        y=list(names),
        orientation="h",
        marker={"color": list(colours)},
        error_x={"type": "data", "array": more, "arrayminus": less, "color": GREY} if any(more + less) else None,
        customdata=texts,
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        row=1,
        col=column,
    )
    figure.add_scatter(
        x=ends,
        y=list(names),
        mode="text",
        text=[f" {one}" for one in texts],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
        row=1,
        col=column,
    )
    high = max([*ends, 1e-6])
    figure.update_xaxes(range=[0, high * TEXT_ROOM], **_ticks(high, panel.unit), row=1, col=column)


def _ticks(high: float, unit: str) -> dict[str, list[Any]]:
    """A few round numbers from 0 to `high`, written as everywhere."""
    step = 10.0 ** math.floor(math.log10(high))
    step = next(each for each in (step / 5, step / 2, step, 2 * step, 5 * step) if high / each <= 4)
    values = [number * step for number in range(int(high / step) + 1)]
    return {"tickvals": values, "ticktext": ["0" if value == 0 else _written(value, unit) for value in values]}


def _amount(panel: Panel, number: int) -> str:
    value = panel.values[number]
    return "not measured" if value is None else _written(value, panel.unit)


def _written(value: float, unit: str) -> str:
    return seconds_text(value) if unit == "s" else bytes_text(value)
