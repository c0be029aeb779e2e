"""What the header of an image file tells, without reading pixels."""

from __future__ import annotations

import math
import os
import re

import pyvips

from augviz.images import choose
from augviz.loading import check_file, display_name
from augviz.model import Header, ImageFacts, InputChoice
from augviz.pyramid import chosen_factor, count, field, levels_of, orientation_of, paged_levels, stored
from augviz.shown import show_changes

SMALL_PIXELS = 50 * 10**6
"""A file of at most this many pixels counts as readable by regions: all of it is decoded in about a second or less."""

MAX_TILE_PIXELS = 4096 * 4096
"""A file with larger tiles does not count as readable by regions."""

COARSEST_MPP = 25.0
"""A coarser resolution in a TIFF's tags (1016 dots per inch or less) is a print size, not a measurement."""

_MICRONS = {"": 1.0, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "Å": 1e-4}
"""Microns in each unit that OME-XML files use; without a unit it is microns."""


def describe(path: str | os.PathLike[str], choice: InputChoice | None = None) -> ImageFacts:
    """The facts of the image in the file, as `choice` changes it.

    A pyramid is found where the sizes of TIFF pages or SubIFDs are the first one's by powers of two, or where OpenSlide
    names levels; pages that are levels are not counted as pages. A file counts as readable by regions if it is tiled,
    by tiles of at most 4096 x 4096 pixels, or has at most 50 megapixels.

    Raises:
        ImageError: the file cannot be opened, or it has no such page, level or bands.
    """
    choice = choice or InputChoice()
    name = display_name(path)
    status = check_file(path)
    levels = levels_of(path, choice)
    image = stored(path, choice)
    changed = choose(image, choice, name)
    turned = choice.upright and orientation_of(image) >= 5
    pages = max(1, max(1, count(image, "n-pages")) - paged_levels(path))
    tile = _tile(image)
    factor = chosen_factor(path, choice)
    mpp = tuple(
        value * factor if value else None for value in microns_per_pixel(stored(path, InputChoice(choice.page)))
    )
    return ImageFacts(
        name=name,
        path=os.fspath(path),
        header=Header(changed.width, changed.height, changed.bands, changed.format, changed.interpretation),
        orientation=orientation_of(changed),
        levels=len(levels),
        level_sizes=tuple((one.height, one.width) if turned else (one.width, one.height) for one in levels),
        pages=pages,
        tile=(tile[1], tile[0]) if tile and turned else tile,
        region_readable=(tile is not None and tile[0] * tile[1] <= MAX_TILE_PIXELS)
        or image.width * image.height <= SMALL_PIXELS,
        mpp_x=mpp[1] if turned else mpp[0],
        mpp_y=mpp[0] if turned else mpp[1],
        file_bytes=status.st_size,
        loader=str(field(image, "vips-loader")),
        changes=show_changes(changed, pages=1 if choice.page is not None else pages),
    )


def microns_per_pixel(image: pyvips.Image) -> tuple[float | None, float | None]:
    """Microns per pixel in x and y at the image's full size, None where the header has no measurement.

    Looked for in this order: OpenSlide's properties, Aperio's and OME's words in the description, a TIFF's resolution
    if it is finer than 25 microns per pixel.
    """
    slide = tuple(_positive(field(image, f"openslide.mpp-{axis}")) for axis in "xy")
    if slide[0] and slide[1]:
        return slide[0], slide[1]
    description = str(field(image, "image-description") or "")
    aperio = re.search(r"\bMPP\s*=\s*([0-9.eE+-]+)", description)
    if aperio and (value := _positive(aperio.group(1))):
        return value, value
    if pixels := re.search(r"<(?:\w+:)?Pixels\b[^>]*>", description):
        ome = tuple(_ome_size(pixels.group(), axis) for axis in "XY")
        if ome[0] or ome[1]:
            return ome[0], ome[1]
    if field(image, "vips-loader") != "tiffload":
        return None, None
    # libvips gives pixels per millimetre, and 1 where the file has no resolution.
    found = tuple(1000 / res if res > 0 else math.inf for res in (image.xres, image.yres))
    return (found[0], found[1]) if max(found) < COARSEST_MPP else (None, None)


def _ome_size(pixels_tag: str, axis: str) -> float | None:
    """PhysicalSizeX or Y of an OME-XML Pixels element, in microns."""
    size = re.search(rf'\bPhysicalSize{axis}\s*=\s*"([^"]*)"', pixels_tag)
    unit = re.search(rf'\bPhysicalSize{axis}Unit\s*=\s*"([^"]*)"', pixels_tag)
    value = _positive(size.group(1)) if size else None
    factor = _MICRONS.get(unit.group(1) if unit else "")
    return value * factor if value and factor else None


def _positive(text: object) -> float | None:
    """`text` as a number above zero, None if it is none."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _tile(image: pyvips.Image) -> tuple[int, int] | None:
    """Size of the file's tiles in pixels; None where it is not tiled."""
    for width, height in (
        ("tile-width", "tile-height"),
        ("openslide.level[0].tile-width", "openslide.level[0].tile-height"),
    ):
        if count(image, width) and count(image, height):
            return count(image, width), count(image, height)
    return None
