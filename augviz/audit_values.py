"""The values of an image: exact sums by band, what is not finite, and the share of its background. Worker side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips

BRIGHT_SHARE, DARK_SHARE = 0.86, 0.04
"""Of a format's highest value: 220 and 10 of 255. See `audit_totals.EMPTY_SHARE`."""

LIMITS = {"uchar": 255, "ushort": 65535}
"""The highest value of the formats whose clipping and background are judged."""

_LARGEST = float(np.finfo(np.float32).max)


def figures(image: pyvips.Image) -> dict[str, Any]:
    """The values of an image by band: exact sums for 8 and 16 bit, and for others of what is finite.

    Returns:
        {"bands", "format", "counts", "sums", "squares", "lows", "highs" (lists by band), "unreal" (values that are not
        finite), "at_limits" (shares of all values at the format's lowest and highest; None without limits)}.
    """
    image = image.abs() if image.format in ("complex", "dpcomplex") else image
    found = {"bands": image.bands, "format": image.format}
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
        counts = [pixels] * image.bands
        return _statistics(counts, sums, squares, lows, highs, 0)
    parts = [_finite_statistics(image.extract_band(band)) for band in range(image.bands)]
    counts, sums, squares, lows, highs = (list(column) for column in zip(*parts, strict=True))
    return _statistics(counts, sums, squares, lows, highs, pixels * image.bands - sum(counts))


def _finite_statistics(band: pyvips.Image) -> tuple[int, float, float, float | None, float | None]:
    """Count, sum, sum of squares, lowest and highest of the finite values of one band."""
    real = band.abs() <= _LARGEST  # false for what is not a number
    count = round(real.avg() / 255 * band.width * band.height)
    if not count:
        return 0, 0.0, 0.0, None, None
    _, _, total, squares = real.ifthenelse(band, 0.0).stats().numpy()[1, :4].tolist()
    return count, total, squares, real.ifthenelse(band, _LARGEST).min(), real.ifthenelse(band, -_LARGEST).max()


def _statistics(
    counts: list[int],
    sums: list[float],
    squares: list[float],
    lows: list[float | None],
    highs: list[float | None],
    unreal: int,
) -> dict[str, Any]:
    named = {"counts": counts, "sums": sums, "squares": squares, "lows": lows, "highs": highs}
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
