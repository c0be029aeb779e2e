"""One draw of an audit, measured in one pass: values before and after, clipping, empty crops, time and memory. Worker side.

Each step's result is made in memory once, and everything that is told of it comes from that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyvips

from augviz import catalog, engine, images, resident, scale, view
from augviz.asked import choice_of, explained, pipeline_of, watched
from augviz.audit_values import background_share, figures
from augviz.context import Context
from augviz.engine import Drawn
from augviz.errors import OutOfMemory
from augviz.firing import Firing, words
from augviz.grids import Grid, Stage
from augviz.loading import reading
from augviz.model import BYTES_PER_VALUE, DTYPES, Draw, Header

CAN_CLIP = frozenset({"Colour", "Blur and sharpen", "Noise", "Format"})
"""Families whose steps compute values, and can drive them to a limit. Others move pixels, or fill with a colour."""

HELD_BYTES = 256_000_000
"""A larger stage, met at full size only, stays lazy: it is made anew for each figure, strip by strip, in little memory."""


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
        before = figures(source, shape)
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

    def stages(self, count: int) -> list[Grid]:
        """All stages at the scale at which those after `count` firings fit, what is shrunk later coarser; none at full size."""
        if self.max_side is None or self.is_exact:
            return []
        zooms = [1.0]
        for firing in self.drawn.firings:
            zooms.append(zooms[-1] * scale.magnification(firing))
        left = list(zip(self.shapes, zooms, strict=True))[count:]
        needed = [_longest(shape) / self.max_side * zooms[-1] / zoom for shape, zoom in left]
        return view.grids(self.drawn, self.drawn.firings, max(1.0, *needed))

    def first(
        self, stages: Sequence[Grid], source: pyvips.Image, before: Mapping[str, Any]
    ) -> tuple[pyvips.Image, Mapping[str, Any]]:
        """What goes into the first firing, and its figures; `source` where that fits."""
        if not stages or (stages[0].width, stages[0].height) == (source.width, source.height):
            return source, before
        image = _held(self.base(stages[0].width, stages[0].height), self.context)
        return image, figures(image, self.shapes[0])

    def step(self, image: pyvips.Image, number: int, stages: Sequence[Grid]) -> pyvips.Image:
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

    def finest(self, made: pyvips.Image, count: int) -> pyvips.Image:
        """The image after `count` firings as fine as it fits by itself, whatever comes before and after it."""
        if self.max_side is None or self.is_exact:
            return made
        shape = self.shapes[count]
        s = max(1.0, _longest(shape) / self.max_side)
        if round(shape.width / s) <= made.width and round(shape.height / s) <= made.height:
            return made
        return self.replayed(count, s)

    def replayed(self, count: int, s: float) -> pyvips.Image:
        """The image after `count` firings at scale `s`, anew from the file."""
        return _held(view.replayed(self.base, self.drawn, self.drawn.firings[:count], s), self.context)


def _walk(
    chain: _Chain, source: pyvips.Image, before: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], Mapping[str, Any] | None, Mapping[str, Any]]:
    """What each firing did, the values that the first Normalize was given, and those of the result.

    A crop of a large image is shrunk with all of it on the way to the crop; what follows works it as fine as it fits.
    """
    firings = chain.drawn.firings
    stages = chain.stages(0)
    image, last = chain.first(stages, source, before)
    steps: list[dict[str, Any]] = []
    into_normalize, told = None, before
    lazy_seconds = _lazy_seconds(image)
    for number, firing in enumerate(firings):
        chain.context.check()
        chain.context.at_step(firing.step.id, firing.name, firing.position)
        if firing.name == "Normalize" and into_normalize is None:
            into_normalize = told
        started = time.perf_counter()
        made = chain.step(image, number, stages)
        seconds = time.perf_counter() - started
        after = firing.after
        found = last if made is image else figures(made, after)
        if _bytes(made) > HELD_BYTES:  # made by the figures, together with all lazy steps before it
            until_now = time.perf_counter() - started
            seconds, lazy_seconds = until_now - lazy_seconds, until_now
        clipped = _clipped(firing, last, found)
        is_crop = firing.name in catalog.CROPS
        if stages and is_crop:
            stages = chain.stages(number + 1)
            if (stages[number + 1].width, stages[number + 1].height) != (made.width, made.height):
                made = chain.replayed(number + 1, stages[number + 1].s)
                found, lazy_seconds = figures(made, after), _lazy_seconds(made)
        is_told = is_crop or number == len(firings) - 1 or firings[number + 1].name == "Normalize"
        shown = chain.finest(made, number + 1) if is_told else made
        told = found if shown is made else figures(shown, after)
        steps.append(_step_json(firing, seconds, told, clipped, background_share(shown) if is_crop else None))
        image, last = made, found
    return steps, into_normalize, told


def _step_json(
    firing: Firing, seconds: float, after: Mapping[str, Any], clipped: float | None, background: float | None
) -> dict[str, Any]:
    lows = [low for low in after["lows"] if low is not None]
    highs = [high for high in after["highs"] if high is not None]
    return {
        "position": firing.position,
        "id": firing.step.id,
        "transform": firing.name,
        "low": min(lows, default=None),
        "high": max(highs, default=None),
        "clipped": clipped,
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


def _lazy_seconds(image: pyvips.Image) -> float:
    """What making the pixels takes each time; nothing where they are in memory."""
    if _bytes(image) <= HELD_BYTES:
        return 0.0
    started = time.perf_counter()
    figures(image)
    return time.perf_counter() - started


def _longest(shape: Header) -> int:
    return max(shape.width, shape.height)


def _bytes(image: pyvips.Image) -> int:
    return int(image.width * image.height * image.bands * BYTES_PER_VALUE[image.format])


def _held(image: pyvips.Image, context: Context) -> pyvips.Image:
    """The pixels in memory, or the lazy image where they are too many. A base that `images` holds is in memory already."""
    return watched(context)(image) if _bytes(image) <= HELD_BYTES else image
