"""The values of an image: exact sums by band, what is not finite, and the share of its background. Worker side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvips

from augviz.model import Header

BRIGHT_SHARE, DARK_SHARE = 0.86, 0.04
"""Of a format's highest value: 220 and 10 of 255. See `audit_totals.EMPTY_SHARE`."""

LIMITS = {"uchar": 255, "ushort": 65535}
"""The highest value of the formats whose clipping and background are judged."""

_LARGEST = float(np.finfo(np.float32).max)

_NEAR = 1e-4
"""Values whose variance is less than this share of their mean's square are summed again as differences from that mean."""

_Sums = tuple[list[float], list[float]]
"""Sums of values, and of their squares, by band."""


def figures(image: pyvips.Image, full: Header | None = None) -> dict[str, Any]:
    """The values of an image by band: exact sums for 8 and 16 bit, and for others of what is finite.

    Args:
        full: the image at full size that a shrunk one stands for.

    Returns:
        {"bands", "format", "pixels" (at full size), "measured" (pixels), "counts", "shifts", "sums", "squares", "lows",
        "highs" (lists by band: "sums" and "squares" of the values' differences from "shifts"), "unreal" (values that are not
        finite), "at_limits" (shares of all values at the format's lowest and highest; None without limits)}.
    """
    image = image.abs() if image.format in ("complex", "dpcomplex") else image
    measured = image.width * image.height
    found = {"bands": image.bands, "format": image.format, "measured": measured}
    found["pixels"] = full.width * full.height if full else measured
    return found | (_by_histogram(image) if image.format in LIMITS else _by_statistics(image))


def _by_histogram(image: pyvips.Image) -> dict[str, Any]:
    histogram = image.hist_find().numpy().reshape(-1, image.bands).astype(np.uint64)
    levels = np.arange(len(histogram), dtype=np.uint64)
    counts = [int(count) for count in histogram.sum(axis=0)]
    occurring = [np.flatnonzero(histogram[:, band]) for band in range(image.bands)]
    highest = LIMITS[image.format]
    at_highest = histogram[highest].sum() if len(histogram) > highest else 0
    return {
        "counts": counts,
        "shifts": [0] * image.bands,
        "sums": [int(value) for value in levels @ histogram],
        "squares": [int(value) for value in (levels * levels) @ histogram],
        "lows": [int(levels_of[0]) for levels_of in occurring],
        "highs": [int(levels_of[-1]) for levels_of in occurring],
        "unreal": 0,
        "at_limits": [float(histogram[0].sum()) / sum(counts), float(at_highest) / sum(counts)],
    }


def _by_statistics(image: pyvips.Image) -> dict[str, Any]:
    pixels = image.width * image.height
    table = image.stats().numpy()[1:] if image.bands > 0 else np.zeros((0, 4))
    if np.isfinite(table[:, :4]).all():
        lows, highs, sums, squares = (table[:, column].tolist() for column in range(4))
        shifts = [_shift(pixels, *both) for both in zip(sums, squares, strict=True)]
        if any(shifts):
            sums, squares = _sums(_less(image, shifts))
        return _statistics([pixels] * image.bands, shifts, sums, squares, lows, highs, 0)
    parts = [_finite_statistics(image.extract_band(band)) for band in range(image.bands)]
    counts, shifts, sums, squares, lows, highs = (list(column) for column in zip(*parts, strict=True))
    return _statistics(counts, shifts, sums, squares, lows, highs, pixels * image.bands - sum(counts))


def _shift(count: int, total: float, squares: float) -> float:
    """What values are summed as differences from: their mean where their squares are nearly all of it, else 0.

    The sum of such squares is rounded to more than the values' own variance.
    """
    mean = total / count
    return mean if squares / count - mean * mean < _NEAR * mean * mean else 0.0


def _less(image: pyvips.Image, shifts: Sequence[float]) -> pyvips.Image:
    """The differences from a value for each band, in double precision."""
    return image.cast("double") - list(shifts)


def _sums(image: pyvips.Image) -> _Sums:
    table = image.stats().numpy()[1:]
    return table[:, 2].tolist(), table[:, 3].tolist()


def _finite_statistics(band: pyvips.Image) -> tuple[int, float, float, float, float | None, float | None]:
    """Count, shift, sums of differences from it and of their squares, lowest and highest of the finite values of one band."""
    real = band.abs() <= _LARGEST  # false for what is not a number
    count = round(real.avg() / 255 * band.width * band.height)
    if not count:
        return 0, 0.0, 0.0, 0.0, None, None
    [total], [squares] = _sums(real.ifthenelse(band, 0.0))
    shift = _shift(count, total, squares)
    if shift:
        [total], [squares] = _sums(real.ifthenelse(_less(band, [shift]), 0.0))
    lowest, highest = real.ifthenelse(band, _LARGEST).min(), real.ifthenelse(band, -_LARGEST).max()
    return count, shift, total, squares, lowest, highest


def _statistics(
    counts: list[int],
    shifts: list[float],
    sums: list[float],
    squares: list[float],
    lows: list[float | None],
    highs: list[float | None],
    unreal: int,
) -> dict[str, Any]:
    named = {"counts": counts, "shifts": shifts, "sums": sums, "squares": squares, "lows": lows, "highs": highs}
    return {**named, "unreal": unreal, "at_limits": None}


def background_share(image: pyvips.Image) -> float | None:
    """Share of an image's pixels that are background, as `audit_totals.EMPTY_SHARE` says; None where it is not 8 or 16 bit."""
    highest = LIMITS.get(image.format)
    if highest is None:
        return None
    shown = image.extract_band(0, n=3) if image.bands >= 3 else image.extract_band(0)
    bright, dark = shown >= BRIGHT_SHARE * highest, shown <= DARK_SHARE * highest
    if shown.bands > 1:
        bright, dark = bright.bandand(), dark.bandand()
    return float((bright | dark).avg() / 255)
