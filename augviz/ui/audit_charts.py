"""The charts of Audit: how times and memory of draws are distributed. Readable on light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import plotly.graph_objects as go

from augviz.ui.memory_charts import GREY
from augviz.units import counted

COLOUR = "#0b84a5"


def histogram(one: Mapping[str, Any], title: str, say: Callable[[float], str]) -> go.Figure:
    """Counts of draws on a logarithmic axis."""
    known = [(low, high, count) for low, high, count in one["bins"] if high > 0]
    figure = go.Figure(
        go.Bar(
            x=[(low * high) ** 0.5 for low, high, _ in known],
            width=[high - low for low, high, _ in known],
            y=[count for _, _, count in known],
            marker={"color": COLOUR},
            customdata=[f"{say(low)} to {say(high)}: {counted(count, 'draw')}" for low, high, count in known],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    without = one["count"] - sum(count for _, _, count in known)
    title += f", but for {without} that took none" if without else ""
    figure.update_layout(title=title, height=260, margin={"l": 40, "r": 10, "t": 40, "b": 40}, yaxis_title="draws")
    if known:
        values = ticks(known[0][0], known[-1][1])
        figure.update_xaxes(type="log", tickvals=values, ticktext=[say(value) for value in values])
    if known and one["median"] > 0:
        figure.add_vline(one["median"], line={"color": GREY, "dash": "dot"})
        figure.add_annotation(
            x=math.log10(one["median"]), y=1, yref="paper", text="median", showarrow=False, yanchor="bottom"
        )
    return figure


def ticks(low: float, high: float) -> list[float]:
    """Round numbers of a logarithmic axis, at most some ten; both ends where there are not two."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) <= 4 else (1,)
    values = [float(f"{factor}e{power}") for power in decades for factor in factors]
    inside = [value for value in values if low <= value <= high]
    return inside if len(inside) > 1 else [low, high]
