"""What a rotation does to the canvas, by arithmetic: how far it grows, and what of a crop is fill."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from augviz.advice.steps import Range, limits
from augviz.checks import rotated_crop
from augviz.model import Step

ANGLES = 91
"""Angles of a range that are looked at."""

POINTS = 40
"""Points along each side of a crop that are looked at."""


def angles(limit: Range, count: int = ANGLES) -> Iterator[float]:
    """Degrees from one end of a range to the other."""
    low, high = limit
    return (low + (high - low) * i / (count - 1) for i in range(count))


def canvas(width: int, height: int, degrees: float) -> tuple[int, int]:
    """(width, height) of the canvas that holds a rotated image (D24)."""
    sin, cos = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    return round(width * cos + height * sin), round(width * sin + height * cos)


def largest(step: Step, width: int, height: int) -> tuple[int, int, float]:
    """(width, height) of the largest canvas that a Rotate can make of an image, and the angle."""
    limit = limits(step, "limit") or (0.0, 0.0)
    made = ((*canvas(width, height, a), a) for a in angles(limit, 2 * ANGLES - 1))
    return max(made, key=lambda found: found[0] * found[1])


def crop_of(width: int, height: int, degrees: float) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) that Rotate(crop_border=True) cuts out of the grown canvas: those of the old one (D25)."""
    right, bottom = rotated_crop(width, height, degrees)
    return max(0, width - right), max(0, height - bottom), right, bottom


@lru_cache(maxsize=1024)
def fill_share(width: int, height: int, degrees: float) -> float:
    """Share of what Rotate(crop_border=True) cuts out that the rotated image does not cover."""
    left, top, right, bottom = crop_of(width, height, degrees)
    wide, high = canvas(width, height, degrees)
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    outside = 0
    for row in range(POINTS):
        y = top + (bottom - top) * (row + 0.5) / POINTS - high / 2
        for column in range(POINTS):
            x = left + (right - left) * (column + 0.5) / POINTS - wide / 2
            outside += abs(cos * x + sin * y) > width / 2 or abs(cos * y - sin * x) > height / 2
    return outside / POINTS**2
