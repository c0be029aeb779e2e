"""One draw of an audit, measured in one pass: values before and after, clipping, empty crops, time and memory. Worker side.

Each step's result is made in memory once, and everything that is told of it comes from that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from augviz import catalog, engine, images, resident, scale, view
from augviz.asked import choice_of, explained, pipeline_of, watched
from augviz.context import Context
from augviz.engine import Drawn
from augviz.errors import OutOfMemory
from augviz.firing import Firing, words
from augviz.grids import Stage
from augviz.loading import reading
from augviz.model import BYTES_PER_VALUE, DTYPES, Draw, Header

CROPS = frozenset({"RandomCrop", "CenterCrop", "Crop", "CropOrPad"})
"""What may cut a part without content out of an image."""

CAN_CLIP = frozenset({"Colour", "Blur and sharpen", "Noise", "Format"})
"""Families whose steps compute values, and can drive them to a limit. Others move pixels, or fill with a colour."""

BRIGHT_SHARE, DARK_SHARE = 0.86, 0.04
"""Of a format's highest value: 220 and 10 of 255. See `audit_totals.EMPTY_SHARE`."""

LIMITS = {"uchar": 255, "ushort": 65535}
"""The highest value of the formats whose clipping and background are judged."""

HELD_BYTES = 256_000_000
"""A larger stage, met at full size only, stays lazy: it is made anew for each figure, strip by strip, in little memory."""

_LARGEST = float(np.finfo(np.float32).max)


def audit(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed, max_side} -> {"seen"}: what is measured of one draw.

    `max_side` is a side in pixels that every stage is shrunk to where one is longer, None for full size throughout. libvips'
    cache is off, so that nothing made for an earlier draw is taken again.
    """
    kept = pyvips.voperation.cache_get_max()
    pyvips.cache_set_max(0)
    images.clear_caches()
    try:
        return {"seen": _seen(args, context)}
    except MemoryError as error:
        raise OutOfMemory("The worker ran out of memory.") from error
    finally:
        pyvips.cache_set_max(kept)


def _seen(args: dict[str, Any], context: Context) -> dict[str, Any]:
    path, choice, max_side = args["path"], choice_of(args), args["max_side"]
    resident.give_back()
    is_known = resident.reset_peak() == resident.RESET
    at_start = resident.resident_bytes()
    started = time.perf_counter()
    shape = engine.header(images.open_image(path, choice))

    def base(width: int, height: int) -> pyvips.Image:
        return images.base(path, choice, width, height)

    s = view.default_scale(shape, max_side) if max_side else 1.0
    with reading(path):
        source = _held(base(max(1, round(shape.width / s)), max(1, round(shape.height / s))), context)
        read_seconds = time.perf_counter() - started
        before = figures(source)
    drawn = engine.draw(shape, pipeline_of(args), args["seed"], at_step=context.at_step)
    chain = _Chain(base, drawn, max_side, context)
    with explained(args, context):
        steps, into_normalize, result = _walk(chain, source, before)
    peak = resident.peak_bytes() if is_known else None
    return {
        "exact": chain.is_exact and s == 1,
        "shape": list(result_shape(drawn.draw)),
        "dtype": DTYPES[drawn.draw.result.format],
        "before": before,
        "into_normalize": into_normalize,
        "after": result,
        "steps": steps,
        "read_seconds": read_seconds,
        "seconds": read_seconds + sum(step["seconds"] for step in steps),
        "peak_bytes": None if peak is None or at_start is None else max(0, peak - at_start),
    }


def result_shape(draw: Draw) -> tuple[int, ...]:
    """Shape of what the pipeline returns at full size: (height, width[, bands]), a tensor's (bands, height, width)."""
    result = draw.result
    if draw.tensor:
        return result.bands, result.height, result.width
    return (result.height, result.width) if result.bands == 1 else (result.height, result.width, result.bands)


@dataclass(frozen=True, slots=True)
class _Chain:
    """One draw, and how it is worked: as the library does it, or at a scale at which no stage is longer than asked for."""

    base: view.Base
    drawn: Drawn
    max_side: int | None
    context: Context

    @property
    def shapes(self) -> list[Header]:
        return [self.drawn.draw.source, *(firing.after for firing in self.drawn.firings)]

    @property
    def is_exact(self) -> bool:
        return self.max_side is None or all(_longest(shape) <= self.max_side for shape in self.shapes)

    @property
    def scale(self) -> float:
        """The result's scale, at which all stages fit: a stage that is shrunk later may be worked coarser."""
        assert self.max_side is not None
        zooms = [1.0]
        for firing in self.drawn.firings:
            zooms.append(zooms[-1] * scale.magnification(firing))
        needed = (_longest(one) / self.max_side * zooms[-1] / z for one, z in zip(self.shapes, zooms, strict=True))
        return max(1.0, *needed)

    def step(self, image: pyvips.Image, number: int, stages: Sequence[Any]) -> pyvips.Image:
        """The image after a firing, made in memory."""
        firing = self.drawn.firings[number]
        if self.is_exact:
            made = engine.replay(firing, image)
            made = images.tile_cached(made) if _bytes(made) > HELD_BYTES and firing.name in scale.TURNING else made
        else:
            mean = view.mean_before(self.base, self.drawn, self.drawn.firings[:number], stages[-1].s)
            made = scale.scaled(image, Stage(firing, stages[number], stages[number + 1], mean, is_final=True))
        if made is image:
            return image
        try:
            return _held(made, self.context)
        except pyvips.Error as error:
            raise firing.error(words(error)) from error

    def finer(self, count: int, worked_at: float) -> pyvips.Image | None:
        """The image after `count` firings where it may be larger than it was worked; None where it may not.

        A small crop of a large image is shrunk with all of it on the way through the steps; for itself it need not be.
        """
        if self.is_exact or self.max_side is None:
            return None
        firings = self.drawn.firings[:count]
        fitted = max(1.0, _longest(self.shapes[count]) / self.max_side)
        if fitted >= worked_at * (1 - 1e-9):
            return None
        return _held(view.replayed(self.base, self.drawn, firings, fitted), self.context)


def _walk(
    chain: _Chain, source: pyvips.Image, before: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any] | None, dict[str, Any]]:
    """What each firing did, the values that the first Normalize was given, and those of the result."""
    firings = chain.drawn.firings
    stages = [] if chain.is_exact else view.grids(chain.drawn, firings, chain.scale)
    image, last = source, dict(before)
    if stages and (stages[0].width, stages[0].height) != (source.width, source.height):
        image = _held(chain.base(stages[0].width, stages[0].height), chain.context)
        last = figures(image)
    steps: list[dict[str, Any]] = []
    into_normalize = None
    lazy_seconds = _seconds_of(figures, image) if _bytes(image) > HELD_BYTES else 0.0
    for number, firing in enumerate(firings):
        chain.context.check()
        chain.context.at_step(firing.step.id, firing.name, firing.position)
        if firing.name == "Normalize" and into_normalize is None:
            into_normalize = last
        started = time.perf_counter()
        made = chain.step(image, number, stages)
        seconds = time.perf_counter() - started
        found = last if made is image else figures(made)
        if _bytes(made) > HELD_BYTES:  # made by the figures, together with all lazy steps before it
            until_now = time.perf_counter() - started
            seconds, lazy_seconds = until_now - lazy_seconds, until_now
        finer = None
        if stages and (firing.name in CROPS or number == len(firings) - 1):
            finer = chain.finer(number + 1, stages[number + 1].s)
        background = None
        if firing.name in CROPS:
            background = background_share(made if finer is None else finer)
        steps.append(_step_json(firing, seconds, last, found, background))
        image, last = made, found
        if finer is not None and number == len(firings) - 1:
            last = figures(finer)
    return steps, into_normalize, last


def _step_json(
    firing: Firing, seconds: float, before: Mapping[str, Any], after: Mapping[str, Any], background: float | None
) -> dict[str, Any]:
    lows = [low for low in after["lows"] if low is not None]
    highs = [high for high in after["highs"] if high is not None]
    return {
        "position": firing.position,
        "id": firing.step.id,
        "transform": firing.name,
        "low": min(lows, default=None),
        "high": max(highs, default=None),
        "clipped": _clipped(firing, before, after),
        "background": background,
        "seconds": seconds,
    }


def _clipped(firing: Firing, before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Share of the values that a step drove to the format's lowest or highest, beyond those that were there before.

    None where it cannot be told: the step does not compute values, or the format has no limits or has changed.
    """
    is_judged = catalog.transform(firing.name).family in CAN_CLIP
    if not is_judged or after["at_limits"] is None or before["format"] != after["format"]:
        return None
    more = (max(0.0, now - was) for was, now in zip(before["at_limits"], after["at_limits"], strict=True))
    return float(sum(more))


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


def _seconds_of(make: Callable[[pyvips.Image], object], image: pyvips.Image) -> float:
    started = time.perf_counter()
    make(image)
    return time.perf_counter() - started


def _longest(shape: Header) -> int:
    return max(shape.width, shape.height)


def _bytes(image: pyvips.Image) -> int:
    return int(image.width * image.height * image.bands * BYTES_PER_VALUE[image.format])


def _held(image: pyvips.Image, context: Context) -> pyvips.Image:
    """The pixels in memory, or the lazy image where they are too many. A base that `images` holds is in memory already."""
    return watched(context)(image) if _bytes(image) <= HELD_BYTES else image
