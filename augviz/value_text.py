"""How the values of arguments are written for people: numbers, ranges, choices. Never read back."""

from __future__ import annotations

from typing import Any

from augviz import checks
from augviz.model import XY


def number_text(value: Any) -> str:
    """A number as people write it: no trailing zeros, a true minus sign."""
    return (f"{value:.6g}" if isinstance(value, float) else str(value)).replace("-", "−")


def value_text(value: Any) -> str:
    """An argument in a few characters: `±90`, `0.8 … 1.2`, `bilinear`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, XY):
        return f"x {value_text(value.x)}, y {value_text(value.y)}"
    if isinstance(value, tuple | list):
        if len(value) == 2 and all(map(checks.is_number, value)):
            low, high = value
            if low == high:
                return number_text(low)
            return f"±{number_text(high)}" if low == -high else f"{number_text(low)} … {number_text(high)}"
        return ", ".join(value_text(v) for v in value)
    return str(value)
