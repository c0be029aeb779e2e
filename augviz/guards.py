"""What is refused before the library begins to draw, because drawing it alone can end the process or never end."""

from __future__ import annotations

import math
from typing import Any

from augviz import catalog
from augviz.model import Step

HOLE_LIMIT = 2500
"""Holes that one draw may chain. libvips releases them recursively: 2500 never crashed, 3000 sometimes did (D2)."""

DRAWN_HOLES_LIMIT = 100 * HOLE_LIMIT
"""Holes that are drawn to see how many there are: a second's work. Most draws of a larger range would be refused anyway."""

KERNEL_LIMIT = 1001
"""Side in pixels of a kernel. The library holds its values as Python's numbers: 3001 takes 19 s, 100001 all memory."""


def holes_reason(count: int) -> str:
    """Why so many holes are refused."""
    return (
        f"this draw has {count} holes, and releasing more than {HOLE_LIMIT} of them can end the process (D2); "
        "use fewer or larger holes."
    )


def argument_reason(step: Step) -> str:
    """Why no draw of a step can be trusted, whatever the image; "" where one can."""
    args = catalog.resolved_args(step)
    kernel = _highest(args.get("blur_limit"))
    if kernel > KERNEL_LIMIT:
        return (
            f"blur_limit asks for kernels of up to {kernel:g} x {kernel:g} values, which can take all memory; "
            f"keep it at {KERNEL_LIMIT} or below."
        )
    if step.transform == "CoarseDropout":
        most = _highest(args.get("max_holes"))
        least = most if args.get("min_holes") is None else _highest(args["min_holes"])
        if least > HOLE_LIMIT or most > DRAWN_HOLES_LIMIT:
            return holes_reason(int(most))
    return ""


def size_reason(step: Step, width: int, height: int) -> str:
    """Why no draw of a step can be trusted on an image of this size; "" where one can."""
    if step.transform != "GridDropout":
        return ""
    args = catalog.resolved_args(step)
    counts = [_holes(width, height, *unit) for unit in _units(args, width, height)]
    return holes_reason(max(counts)) if min(counts) > HOLE_LIMIT or max(counts) > DRAWN_HOLES_LIMIT else ""


def _holes(width: int, height: int, unit_x: float, unit_y: float) -> int:
    return math.prod(side // max(1, int(unit)) + 1 for side, unit in ((width, unit_x), (height, unit_y)))


def _units(args: dict[str, Any], width: int, height: int) -> list[tuple[float, float]]:
    """The smallest and the largest cell of a grid of holes, as the library works them out (its upper limit is off by one)."""
    low, high = args["unit_size_min"], args["unit_size_max"]
    if low and high:
        return [(low, low), (high + 1, high + 1)]
    x = max(2, width // 10) if not args["holes_number_x"] else width // args["holes_number_x"]
    y = max(min(x, height), 2) if not args["holes_number_y"] else height // args["holes_number_y"]
    return [(x, y)]


def _highest(value: Any) -> float:
    """The number, or the higher one of a pair; 0 for anything else: the library says what is wrong with it."""
    numbers = value if isinstance(value, tuple) else (value,)
    return max((n for n in numbers if isinstance(n, int | float) and not isinstance(n, bool) and n == n), default=0)
