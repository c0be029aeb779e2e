"""The one idea: any part of the augmented image at any scale, of one draw made at full size, from the original's pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyvips

from augviz import catalog, scale
from augviz.engine import Drawn
from augviz.firing import Firing
from augviz.grids import Grid, Stage
from augviz.model import BYTES_PER_VALUE, Header, Truth
from augviz.shown import picked, shown_bands, value_range

HELD_BYTES = 64_000_000
"""What a fine view is worked at takes at most this much, so that a worker stays small; 64-bit results are worked less fine."""

PRECISE_HELD_BYTES = 256_000_000
"""The same of a precise view, which people ask for one by one: three bands of floats of 1024 pixels, four times as fine."""

FINE_COST_MS = 250.0
"""CPU milliseconds that a fine view may take, by the catalogue's costs, for being finer than twice the view."""

PRECISE_COST_MS = 2000.0
"""The same of a precise view, for being finer than four times the view."""

MOST_COST_MS = 20_000.0
"""CPU milliseconds beyond which a precise view is worked less than four times as fine: a view has half a minute of two cores."""

COSTLY_MS_PER_MEGAPIXEL = 80.0
"""From here on a fine view of 1024 pixels would not come within half a second of a change, on two cores."""

LEAST_COST_MS_PER_MEGAPIXEL = 25.0
"""What reading, shrinking and encoding take, whatever the steps."""

Base = Callable[[int, int], pyvips.Image]
"""Gives the pipeline's input at exactly (width, height)."""

Hold = Callable[[pyvips.Image], pyvips.Image]
"""Makes an image's pixels and gives them back as an image in memory."""


def held(image: pyvips.Image) -> pyvips.Image:
    """The pixels in memory."""
    return image.copy_memory()


@dataclass(frozen=True, slots=True)
class View:
    """A picture of the whole result.

    Attributes:
        image: width x height as asked, lazy; the result's own bands and format.
        scale: full-size result pixels per view pixel, at least 1.
        truth: how true it is.
        reasons: why it is no truer, one sentence each; empty for exact views.
        value_range: lowest and highest value of the bands that a screen shows, before the last shrink, whose kernel
            overshoots at edges; None for 8 and 16 bit, which need no range to be shown, and where nothing was worked finer.
    """

    image: pyvips.Image
    scale: float
    truth: Truth
    reasons: tuple[str, ...]
    value_range: tuple[float, float] | None


def grids(drawn: Drawn, firings: tuple[Firing, ...], s: float) -> list[Grid]:
    """The grid before each firing, and that after the last one.

    `s` holds for the last grid. Steps that enlarge or shrink things keep the detail equal on both sides: a stage whose
    content is later shrunk to a half is worked at half the resolution. No grid is finer than full size.
    """
    shapes: list[Header] = [drawn.draw.source, *(f.after for f in firings)]
    zooms = [1.0]
    for firing in firings:
        zooms.append(zooms[-1] * scale.magnification(firing))
    return [_grid(shape, max(1.0, s * zoom / zooms[-1])) for shape, zoom in zip(shapes, zooms, strict=True)]


def _grid(shape: Header, s: float) -> Grid:
    return Grid(shape.width, shape.height, max(1, round(shape.width / s)), max(1, round(shape.height / s)))


def supersampling(drawn: Drawn, firings: tuple[Firing, ...], s: float, quality: str, side: int | None = None) -> float:
    """How many times as fine as the view it is worked, before it is shrunk; at least 1.

    "quick" is worked as it is shown. "fine" is worked twice as fine: a little less for costly chains without MedianBlur,
    whose windows are whole pixels; three times with Sharpen, whose clipping happens between the view's pixels. "precise" is
    worked four times as fine. Both are worked finer still as far as their budget of time goes, so that a small view is
    simply worked at full size, and less fine where the pixels would be too many to hold or to make in time.

    Args:
        s: full-size result pixels per view pixel, at least 1.
        quality: one of `model.QUALITIES`.
        side: of the view that the budgets are spent on, in pixels; by default that of scale `s` itself.
    """
    if quality == "quick":
        return 1.0
    known = [catalog.transform(f.name).cost_ms_per_megapixel for f in firings]
    cost = max(LEAST_COST_MS_PER_MEGAPIXEL, sum(ms for ms in known if ms is not None))
    result = firings[-1].after if firings else drawn.draw.source
    shown = _grid(result, s)
    share = 1.0 if side is None else (side / max(shown.width, shown.height)) ** 2
    megapixels = share * max(grid.width * grid.height for grid in grids(drawn, firings, s)) / 1e6
    held_bytes = share * shown.width * shown.height * result.bands * BYTES_PER_VALUE[result.format]
    if quality == "precise":
        least, budget, most, holdable = 4.0, PRECISE_COST_MS, MOST_COST_MS, PRECISE_HELD_BYTES
    else:
        names = {f.name for f in firings}
        least = 3.0 if "Sharpen" in names else 2.0 if cost <= COSTLY_MS_PER_MEGAPIXEL or "MedianBlur" in names else 1.75
        budget, most, holdable = FINE_COST_MS, math.inf, HELD_BYTES
    affordable = math.floor(math.sqrt(budget / (cost * megapixels)))
    ceiling = min(math.sqrt(most / (cost * megapixels)), math.sqrt(holdable / held_bytes))
    return max(1.0, min(max(least, affordable), ceiling))


def _bytes(image: pyvips.Image) -> int:
    return int(image.width * image.height * image.bands * BYTES_PER_VALUE[image.format])


def default_scale(source: Header, max_side: int) -> float:
    """The scale at which the source fits `max_side` pixels, never below 1."""
    return max(1.0, max(source.width, source.height) / max_side)


def replayed(base: Base, drawn: Drawn, firings: tuple[Firing, ...], s: float, *, is_final: bool = True) -> pyvips.Image:
    """The result of `firings` worked at scale `s` throughout, on its own grid; `is_final` if it is not shrunk later."""
    stages = grids(drawn, firings, s)
    image = base(stages[0].width, stages[0].height)
    for number, firing in enumerate(firings):
        mean = mean_before(base, drawn, firings[:number], s)
        image = scale.scaled(image, Stage(firing, stages[number], stages[number + 1], mean, is_final))
    return image


def mean_before(base: Base, drawn: Drawn, firings: tuple[Firing, ...], s: float) -> Callable[[], float]:
    """The mean of what goes into a step, from a view of at most 512 pixels: what the library would average in full."""

    def mean() -> float:
        shape = firings[-1].after if firings else drawn.draw.source
        return float(replayed(base, drawn, firings, max(s, default_scale(shape, 512))).avg())

    return mean


def whole(
    base: Base,
    drawn: Drawn,
    s: float,
    quality: str,
    firings: tuple[Firing, ...] | None = None,
    hold: Hold = held,
    bands: Sequence[int] | None = None,
    finer: float | None = None,
) -> View:
    """The whole result, max(1, round(side / s)) pixels a side.

    What is worked finer than the view is made in memory before it is shrunk: a shrink asks for thin strips, and a chain
    that is worked strip by strip takes three times as long.

    Args:
        base: the pipeline's input.
        s: full-size result pixels per view pixel, at least 1.
        quality: "quick", "fine" or "precise"; see `supersampling`.
        firings: a prefix of the draw's firings, for the picture after some step; all of them by default.
        hold: how pixels are made.
        bands: those that will be shown, for `value_range`; see `shown.for_show`.
        finer: how many times as fine as the view it is worked, in place of what `quality` says.
    """
    firings = drawn.firings if firings is None else firings
    working = max(1.0, s / (finer or supersampling(drawn, firings, s, quality)))
    image = replayed(base, drawn, firings, working, is_final=working == s)
    shape = firings[-1].after if firings else drawn.draw.source
    target = _grid(shape, s)
    most_bytes = 2 * (PRECISE_HELD_BYTES if quality == "precise" else HELD_BYTES)
    if (image.width, image.height) != (target.width, target.height) and _bytes(image) <= most_bytes:
        image = hold(image)
        known = value_range(shown_bands(picked(image, bands))) if image.format not in ("uchar", "ushort") else None
    else:
        known = None
    shown = shrunk(image, target.width, target.height)
    truth, reasons = truth_of(drawn, firings, s)
    return View(shown, s, truth, reasons, known)


def shrunk(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """`image` at exactly width x height, by lanczos3. An image that holds turned pixels belongs behind a tile cache first."""
    if (image.width, image.height) == (width, height):
        return image
    return image.resize(width / image.width, vscale=height / image.height, kernel="lanczos3")


def truth_of(drawn: Drawn, firings: tuple[Firing, ...], s: float) -> tuple[Truth, tuple[str, ...]]:
    """The least true of what was applied at scale `s`, and why."""
    worst, reasons = (Truth.EXACT if s <= 1 else Truth.TO_SCALE), []
    for firing in firings:
        truth = catalog.transform(firing.name).truth
        if s > 1 and (defect := scale.saturates(firing)):
            reasons.append(
                f"{firing.name}: takes {firing.before.format} values for 8 bit, so most pixels saturate ({defect})."
            )
            worst = max(worst, Truth.NOT_TO_SCALE, key=lambda t: t.rank)
        elif s > 1 and truth in (Truth.STATISTICAL, Truth.NOT_TO_SCALE):
            reasons.append(f"{firing.name}: same statistics as at full size, not the same pixels.")
            worst = max(worst, truth, key=lambda t: t.rank)
        elif scale.estimates_mean(firing):
            reasons.append(f"{firing.name}: the mean of its whole input is estimated from a small view.")
            worst = max(worst, Truth.TO_SCALE, key=lambda t: t.rank)
    return worst, tuple(reasons)


def fitted_scale(drawn: Drawn, max_side: int, firings: tuple[Firing, ...] | None = None) -> float:
    """The scale at which the result (or the image after some step) fits `max_side` pixels, never below 1."""
    firings = drawn.firings if firings is None else firings
    shape = firings[-1].after if firings else drawn.draw.source
    return max(1.0, math.ceil(max(shape.width, shape.height) * 1000 / max_side) / 1000)
