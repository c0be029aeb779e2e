"""Tiles of the augmented image at powers of two of full size: lazy, so that each costs what its own pixels cost.

Level 0 is full size, where a tile's pixels are those of the full-size result; level z shows 2**z full-size pixels as one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyvips

from augviz import catalog, pieces, scale, view
from augviz.engine import Drawn, replay
from augviz.errors import ArgumentError
from augviz.firing import Firing, by_mean
from augviz.grids import Grid, Stage
from augviz.model import BYTES_PER_VALUE, DTYPES, Header, Truth
from augviz.shown import picked, shown_bands, value_range
from augviz.units import bytes_text

TILE_PX = 256

_AS_THEY_ARE = ("uchar", "ushort")  # formats that a screen shows by a fixed rule, see `shown.for_show`

RANGE_PX = 512
"""Longest side of the view from which the range of values is taken that every tile is shown with."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole result at one level, lazy.

    Attributes:
        image: the result's own bands and format; its size is that of `level_sizes`.
        truth, reasons: as a view's.
    """

    image: pyvips.Image
    level: int
    truth: Truth
    reasons: tuple[str, ...]


def levels_for(width: int, height: int) -> int:
    """The highest level: there the whole result fits a tile."""
    return max(0, math.ceil(math.log2(max(width, height) / TILE_PX)))


def level_sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Width and height of the sheet of each level in pixels: those of a view of that scale, side / 2**level rounded."""
    return tuple(
        (max(1, round(width / 2**level)), max(1, round(height / 2**level)))
        for level in range(levels_for(width, height) + 1)
    )


def sheet(base: view.Base, drawn: Drawn, firings: tuple[Firing, ...], level: int, fed: pyvips.Image) -> Sheet:
    """The result of `firings` at a level. Reads no pixels, unless a step averages an image of up to 4 megapixels.

    Args:
        base: the pipeline's input at a size.
        firings: the draw's, or a prefix of them.
        fed: the pipeline's input from its own file, see `pieces.of_whole`; no pixel of it is read.

    Raises:
        ArgumentError: there is no such level.
        StepError: a step cannot be applied.
    """
    shape = firings[-1].after if firings else drawn.draw.source
    highest = levels_for(shape.width, shape.height)
    if not 0 <= level <= highest:
        raise ArgumentError(f"level must lie within 0 and {highest}, got {level}.")
    truth, reasons = truth_at(drawn, firings, level, fed)
    if level == 0 and not too_much(firings):
        return Sheet(full_size(base, drawn, firings, fed), level, truth, reasons)
    return Sheet(view.replayed(base, drawn, firings, 2.0**level), level, truth, reasons)


def truth_at(drawn: Drawn, firings: tuple[Firing, ...], level: int, fed: pyvips.Image) -> tuple[Truth, tuple[str, ...]]:
    """How true tiles of a level are, and why no truer; for `fed` see `sheet`."""
    if level > 0:
        return view.truth_of(drawn, firings, 2.0**level)
    if (firing := too_much(firings)) is None:
        return truth_of_full_size(drawn, firings, fed)
    truth, reasons = view.truth_of(drawn, firings, 1.0)
    before, after = firing.before, firing.after
    larger = max(before.width / after.width, before.height / after.height)
    why = f"{firing.name}: shrinks by {larger:.0f}, so this is worked on a shrunk original instead of on all of it."
    return max(truth, Truth.TO_SCALE, key=lambda t: t.rank), (*reasons, why)


def truth_of_full_size(drawn: Drawn, firings: tuple[Firing, ...], fed: pyvips.Image) -> tuple[Truth, tuple[str, ...]]:
    """How true `full_size` is, and why no truer."""
    truth, reasons = view.truth_of(drawn, firings, 1.0)
    piece = pieces.of_whole(fed, firings)
    if piece is None or pieces.fit(piece, firings[-1].after):
        return truth, reasons
    why = "Values that fall between two may be rounded the other way: the whole would be made in strips of this width."
    return max(truth, Truth.TO_SCALE, key=lambda t: t.rank), (*reasons, why)


def full_size(base: view.Base, drawn: Drawn, firings: tuple[Firing, ...], fed: pyvips.Image) -> pyvips.Image:
    """The full-size result, lazy: any rectangle of it has the pixels that it has in the whole, made at once.

    For `fed` see `sheet`. Where the pieces in which the whole is made would take too much memory, pixels are made in others,
    and those that fall between two may be rounded the other way; `truth_at` says so.
    """
    image = base(drawn.draw.source.width, drawn.draw.source.height)
    for number, firing in enumerate(firings):
        if scale.estimates_mean(firing):
            size = (firing.before.width, firing.before.height)
            grid = Grid(*size, *size)
            mean = view.mean_before(base, drawn, firings[:number], 1.0)
            image = scale.scaled(image, Stage(firing, grid, grid, mean, True))
        else:
            image = replay(firing, image)
    piece = pieces.of_whole(fed, firings)
    if piece is not None and pieces.fit(piece, firings[-1].after):
        return pieces.made_in(image, piece)
    return image


_SHRINKS_AT_MOST = 8
"""A tile after a step that shrinks more would read more than 4 megapixels of the original."""


def too_much(firings: tuple[Firing, ...]) -> Firing | None:
    """The step after which a tile would have to read too many pixels, if there is one."""
    for firing in firings:
        if firing.name in catalog.RESIZES:
            area = firing.before.width * firing.before.height / (firing.after.width * firing.after.height)
            if area > _SHRINKS_AT_MOST**2:
                return firing
    return None


def tile(found: Sheet, column: int, row: int) -> pyvips.Image:
    """One tile of a sheet, `TILE_PX` pixels a side or what is left of it at the right and the bottom; lazy.

    Raises ArgumentError outside the sheet.
    """
    image = found.image
    columns, rows = math.ceil(image.width / TILE_PX), math.ceil(image.height / TILE_PX)
    if not (0 <= column < columns and 0 <= row < rows):
        raise ArgumentError(
            f"The tile {column},{row} must lie within 0,0 and {columns - 1},{rows - 1} at level {found.level}."
        )
    left, top = column * TILE_PX, row * TILE_PX
    return image.crop(left, top, min(TILE_PX, image.width - left), min(TILE_PX, image.height - top))


def shown_range(
    base: view.Base, drawn: Drawn, firings: tuple[Firing, ...], bands: tuple[int, ...] | None
) -> tuple[float, float] | None:
    """The values that become black and white in every tile, from a small view; None for 8 and 16 bit, which need none."""
    shape = firings[-1].after if firings else drawn.draw.source
    if shape.format in _AS_THEY_ARE:
        return None
    small = view.replayed(base, drawn, firings, view.default_scale(shape, RANGE_PX))
    return value_range(shown_bands(picked(small, bands)))


def said_before(drawn: Drawn) -> tuple[str, ...]:
    """What is to be said before tiles are paid for: steps that are slow at every tile, or not lazy."""
    said = []
    for firing in drawn.firings:
        cost = catalog.transform(firing.name).cost_ms_per_megapixel or 0.0
        if cost > view.COSTLY_MS_PER_MEGAPIXEL:
            said.append(f"{firing.name} is slow: about {cost * TILE_PX**2 / 1e6:.0f} ms for each tile.")
        if by_mean(firing.transform):
            size = f"{firing.before.width} x {firing.before.height} pixels"
            how = (
                "tiles are made with an estimate of their mean"
                if scale.estimates_mean(firing)
                else "once for all tiles"
            )
            said.append(f"{firing.name} is not lazy: it averages all of its input, {size}; {how}.")
    result = drawn.draw.result
    if drawn.draw.tensor:
        held = result.width * result.height * result.bands * BYTES_PER_VALUE[result.format]
        said.append(
            f"ToTensor is not lazy: it would hold the whole result, {bytes_text(held)}; tiles show what goes into it."
        )
    return tuple(said)


def mapping_words(shape: Header) -> str:
    """How values become what a screen shows, "" where they are shown as they are."""
    if shape.format == "uchar":
        return ""
    if shape.format == "ushort":
        return "uint16 values are shown divided by 257."
    dtype = DTYPES.get(shape.format, shape.format)
    return f"{dtype} values are shown from the lowest, black, to the highest of an overview, white."


def resized(drawn: Drawn) -> tuple[float, float]:
    """Result pixels for each pixel of the source, across and down, by the steps that resize."""
    across = down = 1.0
    for firing in drawn.firings:
        if firing.name in catalog.RESIZES:
            across *= firing.after.width / firing.before.width
            down *= firing.after.height / firing.before.height
    return across, down


def microns_per_pixel(drawn: Drawn, source: float | None) -> float | None:
    """Of the result, across; None where the source's are unknown or a step makes them differ by direction."""
    if source is None:
        return None
    larger = 1.0
    for firing in drawn.firings:
        if firing.name == "Affine":
            linear = firing.params["matrix"].params[:2, :2]
            across, down = np.linalg.norm(linear, axis=0)
            if not math.isclose(across, down, rel_tol=1e-3) or abs(linear[:, 0] @ linear[:, 1]) > 1e-3 * across * down:
                return None
            larger *= float(across)
        elif firing.name in catalog.RESIZES:
            before, after = firing.before, firing.after
            across, down = after.width / before.width, after.height / before.height
            if not math.isclose(across, down, rel_tol=1e-2):
                return None
            larger *= across
    return source / larger if larger > 0 else None
