"""Ticks of Memory's charts: axes hold bytes, ticks stand at round numbers of the unit that the reader has chosen."""

from __future__ import annotations

import math
from typing import Any

from augviz import memory
from augviz.memory import Unit


def short(count: float, unit: Unit) -> str:
    """A number of bytes as a tick or a cell writes it: `12.9`, `1,024`; without the unit's name."""
    value = unit.number(count)
    if value >= 10_000:
        return memory.number_text(value)
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"


def _plain(count: int, unit: Unit) -> str:
    """A round number of bytes with the name of its unit: `1 GB`, `100 MB`."""
    if count < unit.size:
        return f"{_round(count / unit.smaller_size)} {unit.smaller_name}"
    return f"{_round(count / unit.size)} {unit.name}"


def _round(value: float) -> str:
    """A round number in full, or as a power of ten."""
    return f"{value:,.10g}" if value < 10**9 else memory.number_text(value)


def linear(high: float, unit: Unit) -> dict[str, list[Any]]:
    """About six round numbers of the unit from 0 to `high` bytes; parts of it where `high` is small."""
    size = unit.size if high >= unit.size / 2 else unit.smaller_size
    step = 10 ** math.floor(math.log10(max(high / size, 1e-3)))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if high / size / s <= 7)
    values = [k * step for k in range(int(high / size / step) + 1)]
    name = unit.name if size == unit.size else unit.smaller_name
    return {"tickvals": [v * size for v in values], "ticktext": [f"{_round(v)} {name}" for v in values]}


def log(low: int, high: int, unit: Unit) -> dict[str, list[Any]]:
    """Powers of ten, or of sixteen for a binary unit, around what is shown."""
    base = 10 if unit is memory.GB else 16
    counts = []
    count = unit.smaller_size // base**2 if unit is memory.GB else unit.smaller_size // base
    while count <= high * base:
        if count * base >= low:
            counts.append(count)
        count *= base
    return {"tickvals": counts, "ticktext": [_plain(count, unit) for count in counts]}


def sides(low: int, high: int) -> dict[str, list[Any]]:
    """Powers of two from `low` to `high` pixels."""
    values = [2**k for k in range(25) if low <= 2**k <= high]
    return {"tickvals": values, "ticktext": [str(value) for value in values]}
