"""Images for pipelines: the faithful image of a file, its levels, and the file shrunk to a size.

Faithful means what `pyvips.Image.new_from_file(path)` gives: its bands, its format, its orientation as stored. Anything
else is an `InputChoice`. What a screen needs on top of that is in `shown.py`.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from threading import Lock
from typing import Any

import pyvips

from augviz.errors import ArgumentError, ImageError
from augviz.loading import check_file, display_name, load, reading
from augviz.model import BYTES_PER_VALUE, InputChoice
from augviz.pyramid import Level, clear_levels, field, levels_of, orientation_of, stored

HELD_BYTES = 48 * 10**6
"""Bases of at most this many bytes are held in memory."""

CACHE_BYTES = 64 * 10**6
CACHE_ENTRIES = 4

_JPEG_SHRINKS = (8, 4, 2)
"""What libvips' JPEG loader can shrink by while it decodes."""

_PLAIN = InputChoice()
_bases: OrderedDict[tuple[Any, ...], pyvips.Image] = OrderedDict()
_bases_lock = Lock()


def open_image(path: str | os.PathLike[str], choice: InputChoice = _PLAIN, *, access: str = "random") -> pyvips.Image:
    """The image that pipelines are fed.

    With a plain choice it is what `pyvips.Image.new_from_file(path)` gives. Otherwise, in this order: the page and the
    level are chosen, `autorot()` turns it upright, `colourspace("srgb")` ("b-w" below three bands) makes it 8 bit, and
    `extract_band(0, n=bands)` keeps the first bands.

    Args:
        path: an image file; nothing of it but the header is read.
        choice: what to change.
        access: "random", or "sequential" for one pass from top to bottom.

    Raises:
        ImageError: the file cannot be opened or has no such page, level or bands. A file that is cut short raises
            pyvips.Error when its pixels are read; `loading.read_problem` says whether it was the file.
    """
    image = stored(path, choice, access=access)
    if access == "sequential" and choice.upright and orientation_of(image) != 1:
        image = stored(path, choice)  # a sequential image cannot be turned
    return choose(image, choice, display_name(path))


def choose(image: pyvips.Image, choice: InputChoice, name: str = "image") -> pyvips.Image:
    """Applies what `choice` says of orientation, 8 bit and bands, in this order, to a page and level already chosen."""
    if choice.upright:
        image = image.autorot()
    return _choose_colour(image, choice, name)


def level(path: str | os.PathLike[str], index: int, choice: InputChoice = _PLAIN) -> pyvips.Image:
    """Level `index` of the pyramid below the chosen level, changed as `choice` says; 0 is `open_image` itself."""
    levels = levels_of(path, choice)
    if not 0 <= index < len(levels):
        raise ImageError(f"{display_name(path)}: there is no level {index}; there are {len(levels)}, the first is 0.")
    image = load(path, levels[index].options)
    return choose(_oriented_as(image, orientation_of(stored(path, choice))), choice, display_name(path))


def base(
    path: str | os.PathLike[str], choice: InputChoice = _PLAIN, width: int = 1024, height: int = 1024
) -> pyvips.Image:
    """The faithful image shrunk to exactly width x height, bands, format and colours as they are.

    Shrunk by libvips' `resize` with lanczos3, by its own factor for each axis, from the smallest level of the file (of
    its pyramid, or of JPEG's shrink-on-load) that is at least twice as large, else from full size. Results of up to 48
    MB are held in memory, and the latest four are kept.

    Args:
        path: an image file.
        choice: what to change; `width` and `height` are those of the changed image, turned upright if it is.
        width, height: of the result in pixels, at most those of the image.

    Raises:
        ImageError: the file cannot be opened, or is cut short.
        ArgumentError: the size is not within 1 and the image's.
    """
    status = check_file(path)
    key = (os.fspath(path), status.st_mtime_ns, status.st_size, choice, width, height)
    with _bases_lock:
        if key in _bases:
            _bases.move_to_end(key)
            return _bases[key]
    full = open_image(path, choice)
    if not (1 <= width <= full.width and 1 <= height <= full.height):
        raise ArgumentError(
            f"{display_name(path)}: a base lies within 1 x 1 and {full.width} x {full.height} pixels, "
            f"got {width} x {height}."
        )
    is_held = width * height * full.bands * BYTES_PER_VALUE[full.format] <= HELD_BYTES
    is_full = (width, height) == (full.width, full.height)
    image = full if is_full else _shrunk(path, choice, width, height, "sequential" if is_held else "random")
    if is_held:
        with reading(path):
            image = image.copy_memory()
        _remember(key, image)
    return image


def tile_cached(image: pyvips.Image, tile: int = 512) -> pyvips.Image:
    """The same pixels through a cache of two rows of tiles, `tile` pixels square.

    Needed between a rotation, an affine or an elastic transform and anything that shrinks: a shrink asks for rows of
    one pixel, and each would compute its rotated bounding box again (16384 pixels square: 62 s without, 5 to 8 s with).
    """
    return image.tilecache(
        tile_width=tile,
        tile_height=tile,
        max_tiles=int(2 * (image.width / tile + 2)),
        access="random",
        threaded=True,
    )


def clear_caches() -> None:
    """Forgets the bases and levels that are held."""
    with _bases_lock:
        _bases.clear()
    clear_levels()


def _choose_colour(image: pyvips.Image, choice: InputChoice, name: str) -> pyvips.Image:
    if choice.as_8_bit:
        with reading(name):
            image = image.colourspace("srgb" if image.bands >= 3 else "b-w")
    if choice.bands is not None:
        if not 1 <= choice.bands <= image.bands:
            raise ImageError(f"{name}: bands must lie within 1 and {image.bands}, got {choice.bands}.")
        image = image.extract_band(0, n=choice.bands)
    return image


def _shrunk(path: str | os.PathLike[str], choice: InputChoice, width: int, height: int, access: str) -> pyvips.Image:
    """`base` without its cache, memory and checks; lazy, and for one pass only if `access` is "sequential"."""
    levels = levels_of(path, choice)
    orientation = orientation_of(stored(path, choice)) if choice.upright else 1
    if orientation >= 5:
        width, height = height, width
    source = _source_level(path, levels, width, height)
    with reading(path):
        image = load(path, source.options, access=access)
        image = _choose_colour(image, choice, display_name(path))
        columns, wide = _whole_sizes(levels[0].width / source.factor, width)
        rows, high = _whole_sizes(levels[0].height / source.factor, height)
        image = _with_size(image, columns, rows)
        image = image.resize(wide / columns, vscale=high / rows, kernel="lanczos3").crop(0, 0, width, height)
        if orientation != 1:
            # Turned last, because a sequential image cannot be.
            image = image.copy_memory() if access == "sequential" else image
            image = _oriented_as(image, orientation).autorot()
        return image


def _source_level(path: str | os.PathLike[str], levels: tuple[Level, ...], width: int, height: int) -> Level:
    """The smallest level that is at least twice width x height, else the full size."""
    large = [one for one in levels if one.width >= 2 * width and one.height >= 2 * height]
    if len(levels) == 1 and large and field(load(path, levels[0].options), "vips-loader") == "jpegload":
        full = levels[0]
        for shrink in _JPEG_SHRINKS:
            one = Level(math.ceil(full.width / shrink), math.ceil(full.height / shrink), shrink, (("shrink", shrink),))
            if one.width >= 2 * width and one.height >= 2 * height:
                return one
    return large[-1] if large else levels[0]


def _whole_sizes(exact: float, size: int) -> tuple[int, int]:
    """Whole numbers of pixels before and after a shrink whose ratio is that of `exact` to `size`, as nearly as possible.

    A level seldom has the exact size: halving drops the last odd column, JPEG's shrink-on-load adds one. Stretching that
    away would shift the image by up to half a pixel of the result (22 to 31 dB instead of more than 40 on smooth waves).
    So a few columns more are made on both sides, and cropped.
    """
    best, least = (max(1, round(exact)), size), math.inf
    for more in range(65):
        before = exact / size * (size + more)
        error = abs(before - round(before))
        if error < least - 1e-9 and round(before) >= 1:
            best, least = (round(before), size + more), error
        if least <= 0.02:
            break
    return best


def _with_size(image: pyvips.Image, columns: int, rows: int) -> pyvips.Image:
    """The image cropped, or continued by its last column and row, to columns x rows."""
    if columns > image.width or rows > image.height:
        image = image.embed(0, 0, max(columns, image.width), max(rows, image.height), extend="copy")
    return image.crop(0, 0, columns, rows) if (columns, rows) != (image.width, image.height) else image


def _oriented_as(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """The same pixels, marked with an EXIF orientation: smaller levels often lack the mark."""
    marked = image.copy()
    marked.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return marked


def _bytes(image: pyvips.Image) -> int:
    """What the pixels of `image` take in memory."""
    return int(image.width * image.height * image.bands * BYTES_PER_VALUE[image.format])


def _remember(key: tuple[Any, ...], image: pyvips.Image) -> None:
    with _bases_lock:
        _bases[key] = image
        while len(_bases) > CACHE_ENTRIES or sum(_bytes(i) for i in _bases.values()) > CACHE_BYTES:
            _bases.popitem(last=False)
