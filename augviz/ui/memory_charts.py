"""The charts of Memory: the bar of parts, and bytes against side length.

Axes hold bytes or positions; every figure that is read stands in the unit of the case, so that units are never mixed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from textwrap import wrap

import plotly.graph_objects as go

from augviz import memory, units
from augviz.memory import Plan
from augviz.ui import memory_ticks
from augviz.ui.memory_answers import Case

CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}

PART_COLOURS = {
    "source": "#7f8c99",
    "streaming": "#b08968",
    "result": "#0b84a5",
    "batch": "#4c6ef5",
    "queue": "#e8963a",
    "workers": "#9c6ade",
    "pinned": "#2f9e6e",
    "device_batch": "#94c11f",
    "device_converted": "#c2255c",
    "device_tile": "#f783ac",
}
"""By the part's name; readable on light and dark, and in grey by their order. Others take plotly's own."""

DTYPE_COLOURS = {"uint8": "#2f9e6e", "float16": "#0b84a5", "float32": "#e8963a", "float64": "#c2255c"}
OTHER_COLOUR = "#9c6ade"
LIMIT_COLOUR = "#e03131"
GREY = "#868e96"

SIDES = tuple(round(2 ** (k / 3)) for k in range(8 * 3, 17 * 3 + 1))
"""Three to an octave, from 256 to 131072."""

HOVER_CHARACTERS = 60

FAR = 3
"""A limit so many times what is needed is not drawn: the bar's parts would be too small to be seen."""


def config(name: str) -> dict[str, object]:
    """Plotly's settings of a chart whose picture is downloaded as `name`."""
    return {**CONFIG, "toImageButtonOptions": {"filename": name, "scale": 2}}


# The bar of parts


def bar(case: Case) -> go.Figure:
    """The parts on the host and on the GPU as one bar each, with what there is."""
    rows = {"host": "Memory", "device": "GPU"}
    figure = go.Figure()
    for part in case.parts:
        if not part.bytes:
            continue
        amount = case.unit.text(part.bytes)
        lines = "<br>".join(
            [*wrap(f"{part.formula}.", HOVER_CHARACTERS), *wrap(f"Leaves out: {part.leaves_out}", HOVER_CHARACTERS)]
        )
        figure.add_bar(
            x=[part.bytes],
            y=[rows[part.where]],
            orientation="h",
            name=part.title,
            marker={"color": PART_COLOURS.get(part.name)},
            text=amount,
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"<b>{part.title}</b>: {amount}<br>{lines}<extra></extra>",
        )
    found = case.verdict()
    bars = [(found.host_bytes, case.host)] + ([] if case.device is None else [(found.device_bytes, case.device)])
    most = max(total for total, _ in bars)
    near = [limit for _, limit in bars if limit is not None and limit <= FAR * most]
    high = 1.08 * max([most, *near])
    for row, (_, limit) in enumerate(bars):
        if limit is not None:
            _add_limit(figure, row, limit, high, case.unit.text(limit))
    figure.update_layout(
        barmode="stack",
        bargap=0.5,
        height=100 + 64 * len(bars),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.3, "yanchor": "top", "x": 0, "traceorder": "normal"},
        xaxis={"range": [0, high], **memory_ticks.linear(high, case.unit)},
        yaxis={"categoryarray": list(rows.values()), "categoryorder": "array", "range": [len(bars) - 0.5, -0.65]},
        uniformtext={"minsize": 10, "mode": "hide"},
    )
    return figure


def _add_limit(figure: go.Figure, row: int, limit: int, high: float, text: str) -> None:
    """A line across a bar at what there is; where that is far off to the right, only its figure and an arrow."""
    font = {"color": LIMIT_COLOUR, "size": 12}
    if limit > high:
        figure.add_annotation(
            x=high, y=row, text=f"limit {text} →", showarrow=False, xanchor="right", font=font, yshift=24
        )
        return
    line = {"color": LIMIT_COLOUR, "width": 2, "dash": "dot"}
    figure.add_shape(type="line", x0=limit, x1=limit, y0=row - 0.34, y1=row + 0.34, line=line)
    side = "left" if limit < high / 2 else "right"
    figure.add_annotation(
        x=limit, y=row - 0.32, text=f"limit {text}", showarrow=False, xanchor=side, yanchor="bottom", font=font
    )


def bar_text(case: Case) -> str:
    """The bar for those who cannot see it: its takeaway and its parts."""
    pieces = ", ".join(f"{part.title} {case.unit.text(part.bytes)}" for part in case.parts if part.bytes)
    return f"Where the memory goes: {pieces}"


# Bytes against side length


def size_rows(case: Case, of_all: bool) -> list[dict[str, object]]:
    """Bytes of each side and dtype: of one image, or of all that the host holds with images of that size."""
    plan = case.plan
    return [
        {"Side": side, **{dtype: _bytes(plan, side, dtype, of_all) for dtype in _dtypes(plan)}} for side in _sides(plan)
    ]


def size(case: Case, of_all: bool) -> go.Figure:
    """Bytes against side length, a line for each dtype, with the limits and the plan as it is."""
    unit, plan = case.unit, case.plan
    sides = _sides(plan)
    figure = go.Figure()
    for dtype in _dtypes(plan):
        counts = [_bytes(plan, side, dtype, of_all) for side in sides]
        figure.add_scatter(
            x=sides,
            y=counts,
            mode="lines",
            name=dtype,
            line={"color": DTYPE_COLOURS.get(dtype, OTHER_COLOUR), "width": 2 if dtype != plan.dtype else 3},
            customdata=[unit.text(count) for count in counts],
            hovertemplate=f"%{{x}} × %{{x}} × {plan.bands}, {dtype}: %{{customdata}}<extra></extra>",
        )
    side = _side(plan)
    count = _bytes(plan, side, plan.dtype, of_all)
    here = f"{units.size_text(plan.width, plan.height)} × {plan.bands}, {plan.dtype}: {unit.text(count)}"
    figure.add_scatter(
        x=[side],
        y=[count],
        mode="markers",
        name="as entered",
        marker={"size": 12, "color": DTYPE_COLOURS.get(plan.dtype, OTHER_COLOUR), "line": {"width": 2, "color": GREY}},
        hovertemplate=f"As entered: {here}<extra></extra>",
    )
    limits = _limits(case, of_all)
    for name, limit in limits:
        figure.add_hline(y=limit, line={"color": LIMIT_COLOUR, "width": 1.5, "dash": "dot"})
        is_highest = limit == max(each for _, each in limits)
        figure.add_annotation(
            text=f"{name}: {unit.text(limit)}",
            x=0,
            xref="paper",
            xanchor="left",
            y=math.log10(limit),  # a logarithmic axis places annotations, unlike lines, by the logarithm
            yanchor="bottom" if is_highest else "top",
            showarrow=False,
            font={"color": LIMIT_COLOUR, "size": 12},
        )
    low = _bytes(plan, sides[0], "uint8", of_all)
    high = _bytes(plan, sides[-1], "float64", of_all)
    figure.update_layout(
        height=360,
        margin={"l": 8, "r": 28, "t": 10, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"type": "log", "title": "side of a square image, px", **memory_ticks.sides(sides[0], sides[-1])},
        yaxis={"type": "log", **memory_ticks.log(low, high, unit)},
        hovermode="closest",
    )
    return figure


def size_text(case: Case, of_all: bool) -> str:
    """The chart for those who cannot see it."""
    plan = case.plan
    side = _side(plan)
    what = "All that the host holds" if of_all else "Bytes of one image"
    limits = ", ".join(f"{name.lower()} {case.unit.text(limit)}" for name, limit in _limits(case, of_all)) or "unknown"
    count = case.unit.text(_bytes(plan, side, plan.dtype, of_all))
    return f"{what} against side length for each dtype; as entered {count}, limits: {limits}"


def _sides(plan: Plan) -> list[int]:
    """Where the lines have points: all of the chart, and what is entered."""
    return sorted({*SIDES, _side(plan)})


def _side(plan: Plan) -> int:
    """Side of the square with as many pixels as the plan's image."""
    return round(math.sqrt(plan.width * plan.height))


def _dtypes(plan: Plan) -> tuple[str, ...]:
    names = memory.TUTORIAL_DTYPES
    return names if plan.dtype in names else (*names, plan.dtype)


def _bytes(plan: Plan, side: int, dtype: str, of_all: bool) -> int:
    side = min(max(side, 1), memory.MAX_SIDE)
    if not of_all:
        return memory.image_bytes(side, side, plan.bands, dtype)
    file = replace(plan.source, width=side, height=side) if plan.source else None
    return memory.host_bytes(replace(plan, width=side, height=side, dtype=dtype, source=file))


def _limits(case: Case, of_all: bool) -> list[tuple[str, int]]:
    found = [] if case.host is None else [("Memory", case.host)]
    if case.device is not None and not of_all:
        found.append(("GPU", case.device))
    return found
