"""How much of a file that is decoded whole is in memory at a time: all of a small one, what is read of a large one.

Arithmetic; holds no pixels. Above a size libvips decodes into a temporary file, and of that only the pages that are read count
for the process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from augviz import catalog
from augviz.memory_parts import WRITTEN_LINES
from augviz.memory_plan import DISC_BYTES
from augviz.model import BYTES_PER_VALUE, Draw, DrawnLeaf, Header

Box = tuple[float, float]
"""Width and height, in pixels, of what is needed of an image."""

DECODING_LINES = 900
DECODING_LINES_BY_LOADER: Mapping[str, int] = {"jpegload": 1150, "pngload": 750}
"""So many lines libvips holds while it decodes a file into a temporary one; fitted to measurements (`make estimates`)."""

DECODING_BYTES = 3_500_000
"""What decoding takes beside lines."""


def is_in_a_file(source: Header) -> bool:
    """Whether libvips decodes an image of that size, if its file cannot be read by regions, into a temporary file."""
    return _bytes(source) > DISC_BYTES


def resident_bytes(draw: Draw, by_mean: frozenset[int] = frozenset()) -> int:
    """Bytes of the decoded source that are in memory once the result has been made.

    Of a temporary file, whole lines: the system maps what lies around a place that is read, too, and lines of 300 kB were
    there after 1.5 kB of each had been read.

    Args:
        draw: of a file that is decoded whole.
        by_mean: positions of the steps that read all that they are given, to know its mean.
    """
    source = draw.source
    whole = _bytes(source)
    if not is_in_a_file(source):
        return whole
    return min(whole, math.ceil(needed(draw, by_mean)[1]) * _line(source))


def decoding_bytes(source: Header, result: Header, loader: str) -> int:
    """Bytes that libvips holds beside an image that it decodes into a temporary file; 0 where it does not.

    The lines of decoding, whose memory the steps use again, and those of the result that wait to be written.
    """
    if not is_in_a_file(source):
        return 0
    lines = min(source.height, DECODING_LINES_BY_LOADER.get(loader, DECODING_LINES))
    return DECODING_BYTES + lines * _line(source) + min(result.height, WRITTEN_LINES) * _line(result)


def needed(draw: Draw, by_mean: frozenset[int] = frozenset()) -> Box:
    """Width and height of the part of the source that has to be read, in pixels: after a crop, only what is in it.

    A step back, a turn needs the upright box around what is needed of its result, and a step in `by_mean` all.
    """
    box: Box = draw.result.width, draw.result.height
    for leaf in reversed(draw.leaves):
        if not leaf.applied:
            continue
        before, after = leaf.before, leaf.after
        is_all = box[0] >= after.width and box[1] >= after.height and leaf.transform not in catalog.CROPS
        box = (before.width, before.height) if is_all or leaf.position in by_mean else _before(leaf, box)
        box = min(box[0], before.width), min(box[1], before.height)
    return min(box[0], draw.source.width), min(box[1], draw.source.height)


def _before(leaf: DrawnLeaf, box: Box) -> Box:
    """What a step needs of its input for a part of its result."""
    each: list[Mapping[str, Any]] = leaf.values.get("each", [leaf.values])
    for values in reversed(each):
        if leaf.transform == "Transpose" or (leaf.transform == "RandomRotate90" and values.get("factor") != 1):
            box = box[1], box[0]
        elif leaf.transform == "Rotate":
            angle = math.radians(values["angle"])
            box = _around(box, (math.cos(angle), math.sin(angle)), (math.sin(angle), math.cos(angle)))
        elif leaf.transform == "Affine":
            (a, b, *_), (c, d, *_) = values["matrix"][:2]
            size = abs(a * d - b * c)
            box = _around(box, (d / size, b / size), (c / size, a / size)) if size else (math.inf, math.inf)
        elif leaf.transform in catalog.RESIZES:
            box = box[0] * leaf.before.width / leaf.after.width, box[1] * leaf.before.height / leaf.after.height
    return box


def _around(box: Box, across: Box, down: Box) -> Box:
    """The upright box around a box after a linear map, whatever the signs of its rows."""
    width, height = (abs(row[0]) * box[0] + abs(row[1]) * box[1] for row in (across, down))
    return width, height


def _bytes(shape: Header) -> int:
    return shape.height * _line(shape)


def _line(shape: Header) -> int:
    return shape.width * shape.bands * BYTES_PER_VALUE[shape.format]
