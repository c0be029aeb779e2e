"""What one pixel of the result was before and after each step, and what a window's values are. Worker side.

Where a pixel comes from is asked of the library itself: images that hold their own coordinates go through the steps that
move pixels, and what arrives at the pixel says where it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from augviz import catalog, report, tiles, view
from augviz.engine import Drawn, replay
from augviz.errors import ArgumentError
from augviz.firing import Firing
from augviz.model import DTYPES, Header

MOVING_FAMILIES = ("Geometry", "Crop and pad", "Resize")
WINDOW_PIXELS = 4_200_000
"""A window that is measured has at most so many pixels, so that it is made in a second or two."""

_INSIDE = 16384.0
"""What the image that tells inside from outside is filled with: no fill is that."""

_FUZZ = 0.02
"""Coordinates that have been through interpolation in 32-bit floats are right to so many pixels, up to sides of 200,000."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pixel of the result was before the steps that are still to come; in full-size pixels of that image."""

    x: float
    y: float


def moves(firing: Firing) -> bool:
    """Whether a step can put pixels elsewhere."""
    return catalog.transform(firing.name).family in MOVING_FAMILIES


def places(drawn: Drawn, x: int, y: int) -> list[Place | None]:
    """Where the result's pixel (x, y) was: in the source, then after each firing, the last one being (x, y) itself.

    None where it comes from outside the image, that is, from a fill. Mirrored and continued borders come from inside.
    """
    shapes: list[Header] = [drawn.draw.source, *(f.after for f in drawn.firings)]
    return [origins(shape, drawn.firings[number:], [(x, y)])[0] for number, shape in enumerate(shapes)]


def origins(shape: Header, firings: Sequence[Firing], points: Sequence[tuple[int, int]]) -> list[Place | None]:
    """Where pixels after `firings` were in an image of that shape before them; None as in `places`."""
    moving = [firing for firing in firings if moves(firing)]
    if not moving:
        return [Place(float(x), float(y)) for x, y in points]
    xyz = pyvips.Image.xyz(shape.width, shape.height)
    inside = _moved(pyvips.Image.black(shape.width, shape.height) + _INSIDE, moving)
    across, down = (_moved(xyz.extract_band(axis), moving) for axis in (0, 1))
    return [
        Place(_value(across, x, y), _value(down, x, y))
        if math.isclose(_value(inside, x, y), _INSIDE, rel_tol=1e-4)
        else None
        for x, y in points
    ]


def _moved(image: pyvips.Image, firings: Sequence[Firing]) -> pyvips.Image:
    """One-band values after the steps; on the way they have as many bands as the image there, for fills of as many.

    They are no colours: where libvips takes a band for alpha, it multiplies the others by it.
    """
    image = image.cast("float")
    for firing in firings:
        bands = firing.before.bands
        first = image.extract_band(0)
        image = first.bandjoin([first] * (bands - 1)) if bands > 1 else first
        image = replay(firing, image.copy(interpretation="multiband"))
    return image.extract_band(0)


def _value(image: pyvips.Image, x: int, y: int) -> float:
    return float(image.crop(x, y, 1, 1).numpy().ravel()[0])


def shift(drawn: Drawn) -> tuple[int, int]:
    """Where the source's top left corner lies in the result, if the source is laid so that the middles agree.

    It is laid as large as the steps that resize make it. What is in the result's middle then lies on the pixel that it was
    made of; where that is a fill, or a resize would read too much to tell, middle lies on middle.
    """
    result, source = drawn.draw.result, drawn.draw.source
    larger, higher = tiles.resized(drawn)
    # Both middle ones of an even number, so that a flip leaves the middle where it is.
    across = sorted({(result.width - 1) // 2, result.width // 2})
    down = sorted({(result.height - 1) // 2, result.height // 2})
    points = [] if tiles.too_much(drawn.firings) else [(x, y) for x in across for y in down]
    found = [place for place in origins(source, drawn.firings, points) if place]
    x, y = source.width / 2, source.height / 2
    if found:
        x, y = (sum(values) / len(found) + 0.5 for values in zip(*((p.x, p.y) for p in found), strict=True))
    return round(result.width / 2 - x * larger), round(result.height / 2 - y * higher)


def probe(base: view.Base, drawn: Drawn, x: int, y: int, fed: pyvips.Image) -> list[dict[str, Any]]:
    """The pixel before and after each step; for `fed` see `tiles.sheet`.

    Returns:
        one for the source and each firing: {"position" (0 for the source), "transform", "dtype" (numpy's name), "x", "y"
        (full-size pixels of that image, None where the pixel is a fill's), "values" (of all bands, in the data's own units,
        what is no finite real number as text; None for a fill's)}.

    Raises:
        ArgumentError: (x, y) is not in the result.
    """
    result = drawn.draw.result
    if not (0 <= x < result.width and 0 <= y < result.height):
        raise ArgumentError(f"The point {x},{y} must lie inside the result, {result.width} x {result.height} pixels.")
    rows = []
    for number, place in enumerate(places(drawn, x, y)):
        firing = drawn.firings[number - 1] if number else None
        shape = firing.after if firing else drawn.draw.source
        row: dict[str, Any] = {
            "position": firing.position if firing else 0,
            "transform": firing.name if firing else "Original",
            "dtype": DTYPES.get(shape.format, shape.format),
            "x": None,
            "y": None,
            "values": None,
        }
        if place is not None:
            column = min(shape.width - 1, max(0, round(place.x)))
            line = min(shape.height - 1, max(0, round(place.y)))
            image = tiles.full_size(base, drawn, drawn.firings[:number], fed)
            row |= {"x": column, "y": line, "values": _pixel(image, column, line)}
        rows.append(row)
    return rows


def _pixel(image: pyvips.Image, x: int, y: int) -> list[float | int | str]:
    values = image.crop(x, y, 1, 1).numpy().ravel().tolist()
    return [str(v) if isinstance(v, complex) or not math.isfinite(v) else v for v in values]


def window(
    base: view.Base,
    drawn: Drawn,
    rectangle: tuple[int, int, int, int],
    fed: pyvips.Image,
    hold: view.Hold = view.held,
) -> dict[str, Any]:
    """Statistics of a window of the result at full size, and of the part of the source that it comes from.

    Args:
        rectangle: the window's left, top, width and height in pixels of the result.
        fed: see `tiles.sheet`.

    Returns:
        {"after": figures, "before": figures or None where the window is all fill, "truth", "reasons": how true the former
        are, and why no truer}; figures are {"x", "y", "width",
        "height", "format", "bands": [{"low", "high", "mean", "deviation"}], "histogram"} (see `report.histogram`).

    Raises:
        ArgumentError: the window is not inside the result, or larger than `WINDOW_PIXELS`.
    """
    result, (x, y, width, height) = drawn.draw.result, rectangle
    if width < 1 or height < 1 or x < 0 or y < 0 or x + width > result.width or y + height > result.height:
        raise ArgumentError(
            f"The window {x},{y},{width},{height} must lie inside the result, {result.width} x {result.height} pixels."
        )
    if width * height > WINDOW_PIXELS:
        raise ArgumentError(
            f"The window has {width} x {height} pixels; at most {WINDOW_PIXELS / 1e6:.1f} million are measured, zoom in."
        )
    sheet = tiles.sheet(base, drawn, drawn.firings, 0, fed)
    found: dict[str, Any] = {"after": _figures(sheet.image, rectangle, hold), "before": None}
    of_source = _source_rectangle(drawn, x, y, width, height)
    if of_source is not None:
        source = base(drawn.draw.source.width, drawn.draw.source.height)
        found["before"] = _figures(source, of_source, hold)
    return {**found, "truth": sheet.truth.value, "reasons": list(sheet.reasons)}


def _source_rectangle(drawn: Drawn, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int] | None:
    """What holds the places in the source that a grid of the window's pixels come from, at most `WINDOW_PIXELS` large."""
    across = sorted({x + round((width - 1) * share / 4) for share in range(5)})
    down = sorted({y + round((height - 1) * share / 4) for share in range(5)})
    source = drawn.draw.source
    grid = [(column, line) for column in across for line in down]
    inside = [origin for origin in origins(source, drawn.firings, grid) if origin is not None]
    if not inside:
        return None
    left = max(0, math.floor(min(p.x for p in inside) + _FUZZ))
    top = max(0, math.floor(min(p.y for p in inside) + _FUZZ))
    right = min(source.width, math.ceil(max(p.x for p in inside) - _FUZZ) + 1)
    bottom = min(source.height, math.ceil(max(p.y for p in inside) - _FUZZ) + 1)
    wide, high = max(1, right - left), max(1, bottom - top)
    if wide * high > WINDOW_PIXELS:  # its middle
        share = (WINDOW_PIXELS / (wide * high)) ** 0.5
        less_wide, less_high = max(1, int(wide * share)), max(1, int(high * share))
        left, top = left + (wide - less_wide) // 2, top + (high - less_high) // 2
        wide, high = less_wide, less_high
    return left, top, wide, high


def _figures(image: pyvips.Image, rectangle: tuple[int, int, int, int], hold: view.Hold) -> dict[str, Any]:
    x, y, width, height = rectangle
    part = hold(image.crop(x, y, width, height))
    if part.format in ("complex", "dpcomplex"):
        part = part.abs()
    values = part.numpy().reshape(-1, part.bands)
    bands = []
    for band in range(part.bands):
        column = values[:, band]
        finite = column[np.isfinite(column)] if column.dtype.kind == "f" else column
        known = finite.size > 0
        bands.append(
            {
                "low": float(finite.min()) if known else None,
                "high": float(finite.max()) if known else None,
                "mean": float(finite.mean(dtype="float64")) if known else None,
                "deviation": float(finite.std(dtype="float64")) if known else None,
            }
        )
    figures = {"x": x, "y": y, "width": width, "height": height, "format": part.format, "bands": bands}
    return {**figures, "histogram": report.histogram(part)}
