"""A contact sheet: the original and several draws in a grid on one picture, each with what it drew. The layout only."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
import pyvips
from PIL import Image, ImageDraw, ImageFont

from augviz import batches
from augviz.draw_text import leaf_text
from augviz.errors import ArgumentError
from augviz.model import MAX_DRAWS, Draw, Group, Header, Item, Pipeline
from augviz.shown import LOWEST_TO_HIGHEST

SIDES = (64, 768)
"""Smallest and largest longer side of a picture, in pixels."""

SIDE = 384

MARGIN = 16
"""White around and between the cells, in pixels."""

_LABEL_GAP = 6
_TEXT_PX, _TITLE_PX = 12, 17
_MAX_LINES = 14
"""Lines of a label before they are wrapped; what is beyond is told by its number."""

_MAX_CHARACTERS = 240
"""Of one line of a label."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture with its label.

    Attributes:
        title: the first line below the picture, in bold.
        lines: what is told below it.
        picture: uchar, 1 or 3 bands; None where it could not be made.
        seed: of the draw, None for the original.
        error: why there is no picture; it stands in its place.
    """

    title: str
    lines: tuple[str, ...]
    picture: pyvips.Image | None
    seed: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cell's picture lies on the sheet, in pixels; width and height are 0 where it has none."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole picture, uchar sRGB, and the places of the pictures in the order of the cells."""

    image: pyvips.Image
    places: tuple[Place, ...]
    columns: int


def checked_seeds(seeds: Sequence[int] | None, seed: int, count: int | None) -> tuple[int, ...]:
    """The seeds themselves, or `count` of them from `seed` on. Raises ArgumentError unless they are 1 to `MAX_DRAWS`."""
    number = len(seeds) if seeds is not None else 1 if count is None else count
    if not 1 <= number <= MAX_DRAWS:
        raise ArgumentError(f"A contact sheet shows 1 to {MAX_DRAWS} draws, got {number}.")
    return tuple(seeds) if seeds is not None else tuple(range(seed, seed + number))


def checked_side(side: int) -> int:
    """`side` itself. Raises ArgumentError outside `SIDES`."""
    low, high = SIDES
    if not low <= side <= high:
        raise ArgumentError(f"The pictures of a contact sheet must be {low} to {high} pixels wide or high, got {side}.")
    return side


def summary(pipeline: Pipeline) -> str:
    """The enabled items in a line: `Rotate → OneOf(Blur, Flip) → ToTensor`."""
    return " → ".join(_name(item) for item in batches.enabled(pipeline.steps)) or "no steps"


def _name(item: Item) -> str:
    return f"{item.group}({', '.join(map(_name, item.steps))})" if isinstance(item, Group) else item.transform


def original_cell(shape: Header, picture: pyvips.Image, mapping: Mapping[str, Any]) -> Cell:
    """The image itself. `mapping` is what `for_show` tells of the picture."""
    return Cell("original", (_shape_text(shape), *_mapping_text(mapping)), picture)


def draw_cell(draw: Draw, truth: str, picture: pyvips.Image, mapping: Mapping[str, Any]) -> Cell:
    """A draw: its seed and how true the picture is, what each step drew, and the shape of the full-size result."""
    lines = (*label(draw), _shape_text(draw.result), *_mapping_text(mapping))
    return Cell(f"seed {draw.seed}, {truth}", lines, picture, draw.seed)


def failed_cell(seed: int, sentence: str) -> Cell:
    """A draw that could not be made."""
    return Cell(f"seed {seed}", (), None, seed, sentence)


def _shape_text(shape: Header) -> str:
    return f"{shape.width} x {shape.height} pixels, {shape.bands} band{'s' * (shape.bands != 1)}, {shape.format}"


def _mapping_text(mapping: Mapping[str, Any]) -> tuple[str, ...]:
    """How values were mapped, in a line; none for 8 bit as it is."""
    if mapping["mapping"] == LOWEST_TO_HIGHEST:
        return (f"values from {mapping['low']:.4g} to {mapping['high']:.4g} are shown as 0 to 255",)
    return () if mapping["mapping"] == "as it is" else (f"shown: {mapping['mapping']}",)


def label(draw: Draw) -> tuple[str, ...]:
    """What each step drew, a line for each that was applied, and one that names those that were skipped."""
    lines = [f"{leaf.position} {leaf_text(leaf, max_length=_MAX_CHARACTERS)}" for leaf in draw.leaves if leaf.applied]
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"and {len(lines) - _MAX_LINES} more steps"]
    skipped = [f"{leaf.position} {leaf.transform}" for leaf in draw.leaves if leaf.enabled and not leaf.applied]
    if skipped:
        lines.append(textwrap.shorten(f"skipped: {', '.join(skipped)}", _MAX_CHARACTERS, placeholder=" ..."))
    return tuple(lines)


def sheet(name: str, description: str, cells: Sequence[Cell], side: int) -> Sheet:
    """The cells in a grid as square as can be, below a header. A picture lies at the top left of its cell, unchanged.

    Args:
        name, description: the header's lines, the first in bold.
        side: width of the cells in pixels; no picture may be wider or higher.
    """
    columns = math.ceil(math.sqrt(len(cells)))
    width = columns * (side + MARGIN) + MARGIN
    header = [_text([name], width - 2 * MARGIN, _TITLE_PX, bold=True), _text([description], width - 2 * MARGIN)]
    seen = [_text([cell.error or "no picture"], side) if cell.picture is None else cell.picture for cell in cells]
    labels = [[_text([c.title], side, bold=True), *([_text(c.lines, side)] if c.lines else [])] for c in cells]
    pieces: list[tuple[pyvips.Image, int, int]] = []
    y = _stacked(header, MARGIN, MARGIN, pieces) + MARGIN
    places = []
    for first in range(0, len(cells), columns):
        row = range(first, min(first + columns, len(cells)))
        below = y + max(seen[i].height for i in row) + _LABEL_GAP
        bottom = below
        for i in row:
            x = MARGIN + (i - first) * (side + MARGIN)
            pieces.append((_rgb(seen[i]), x, y))
            size = (0, 0) if cells[i].picture is None else (seen[i].width, seen[i].height)
            places.append(Place(x, y, *size))
            bottom = max(bottom, _stacked(labels[i], x, below, pieces))
        y = bottom + MARGIN
    return Sheet(_laid(pieces, width, y), tuple(places), columns)


def _stacked(texts: Iterable[pyvips.Image], x: int, y: int, pieces: list[tuple[pyvips.Image, int, int]]) -> int:
    """Add texts to `pieces`, one below the other; the y below the last."""
    for text in texts:
        pieces.append((text, x, y))
        y += text.height + _LABEL_GAP
    return y


def _laid(pieces: Iterable[tuple[pyvips.Image, int, int]], width: int, height: int) -> pyvips.Image:
    """The pieces on white, in memory."""
    image = _rgb((pyvips.Image.black(width, height) + 255).cast("uchar"))
    for piece, x, y in pieces:
        image = image.insert(piece, x, y)
    return image.copy_memory()


def _rgb(image: pyvips.Image) -> pyvips.Image:
    bands = image.bandjoin([image, image]) if image.bands == 1 else image
    return bands.copy(interpretation="srgb")


# Text


def _text(lines: Iterable[str], width: int, px: int = _TEXT_PX, *, bold: bool = False) -> pyvips.Image:
    """Lines as a picture, dark on white, wrapped to `width` pixels and cut to it."""
    printable = ["".join(c if c.isprintable() else "�" for c in line).strip() or "-" for line in lines]
    drawn = _by_pango(printable, width, px, bold) if _has_fonts() else _by_pillow(printable, width, px)
    image = _rgb(drawn.linear(-225 / 255, 255, uchar=True))
    return image.crop(0, 0, width, image.height) if image.width > width else image


def _by_pango(lines: Sequence[str], width: int, px: int, bold: bool) -> pyvips.Image:
    """Coverage of the text by the system's fonts, 0 to 255."""
    markup = escape("\n".join(lines))
    return pyvips.Image.text(
        f"<b>{markup}</b>" if bold else markup, font=f"sans {px}", dpi=72, width=width, wrap="word-char"
    )


@lru_cache(maxsize=1)
def _has_fonts() -> bool:
    """Whether the system has fonts. Without any, Pango draws the same box for each character, as wide for i as for W."""
    wide, narrow = (pyvips.Image.text(letter * 4, font="sans 24", dpi=72).width for letter in "Wi")
    return bool(narrow < 0.8 * wide)


def _by_pillow(lines: Sequence[str], width: int, px: int) -> pyvips.Image:
    """The same by the font that comes with Pillow, which knows ASCII only: for containers without any font."""
    font = ImageFont.load_default(px)
    plain = ["".join(c if c.isascii() else _ASCII.get(c, "?") for c in line) for line in lines]
    wrapped = [part for line in plain for part in _wrapped(line, width, font)]
    pitch = math.ceil(px * 1.3)
    canvas = Image.new("L", (width, pitch * len(wrapped)))
    pen = ImageDraw.Draw(canvas)
    for number, line in enumerate(wrapped):
        pen.text((0, number * pitch), line, fill=255, font=font)
    return pyvips.Image.new_from_array(np.asarray(canvas)).copy(interpretation="b-w")


_ASCII = {"→": ">", "×": "x", "−": "-", "…": "...", "·": "-"}


def _wrapped(line: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """`line` in parts of at most `width` pixels; words are cut only where one alone is wider."""
    characters = max(1, len(line))
    while characters > 1:
        parts = textwrap.wrap(line, characters) or [" "]
        if max(font.getlength(part) for part in parts) <= width:
            return parts
        characters -= max(1, characters // 20)
    return textwrap.wrap(line, 1) or [" "]
