"""The pages and pyramid levels of an image file, found in its headers."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pyvips

from augviz.errors import ImageError
from augviz.loading import check_file, display_name, load
from augviz.model import InputChoice

MAX_LEVEL_PAGES = 32
"""Pyramid levels are looked for among this many pages; opening a page costs about 0.5 ms."""

MAX_PAGES_WITH_LEVELS = 1000
"""Levels are looked for among the pages of files with at most this many: opening a page steps over all of them."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a file's pyramid, as stored (not turned upright).

    Attributes:
        width, height: in pixels.
        factor: full-size pixels per pixel of this level; 1 for the first.
        options: of libvips' loader, to open it.
        paged: whether it is a page of the file.
    """

    width: int
    height: int
    factor: float
    options: tuple[tuple[str, int], ...] = ()
    paged: bool = False


def levels_of(path: str | os.PathLike[str], choice: InputChoice) -> tuple[Level, ...]:
    """The levels from the chosen one downwards; factors are relative to it. Raises ImageError as `stored` does."""
    levels = _pages_levels(path, choice.page)
    start = choice.level or 0
    if not 0 <= start < len(levels):
        raise ImageError(
            f"{display_name(path)}: there is no level {start}; the file has {_some(len(levels), 'level')}, "
            "and the first is level 0."
        )
    return tuple(replace(level, factor=level.factor / levels[start].factor) for level in levels[start:])


def paged_levels(path: str | os.PathLike[str]) -> int:
    """How many of the file's pages are smaller levels of its first page."""
    return sum(level.paged for level in _pages_levels(path, None))


def chosen_factor(path: str | os.PathLike[str], choice: InputChoice) -> float:
    """Full-size pixels of the chosen page per pixel of the chosen level."""
    return _pages_levels(path, choice.page)[choice.level or 0].factor


def stored(path: str | os.PathLike[str], choice: InputChoice, *, access: str = "random") -> pyvips.Image:
    """The page and level that `choice` names, nothing else changed. Raises ImageError if the file has no such one."""
    if choice.page is None and not choice.level:
        return load(path, access=access)
    return load(path, levels_of(path, choice)[0].options, access=access)


def field(image: pyvips.Image, name: str) -> Any:
    """A metadata field, None where the image has none of that name."""
    return image.get(name) if image.get_typeof(name) != 0 else None


def count(image: pyvips.Image, name: str) -> int:
    """A metadata field that counts something, 0 where it is missing or not a count."""
    try:
        return max(0, int(field(image, name) or 0))
    except (TypeError, ValueError):
        return 0


def orientation_of(image: pyvips.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where the file has none or an invalid one."""
    value = count(image, "orientation")
    return value if 1 <= value <= 8 else 1


def clear_levels() -> None:
    """Forgets which levels files have."""
    _levels.cache_clear()


def _pages_levels(path: str | os.PathLike[str], page: int | None) -> tuple[Level, ...]:
    status = check_file(path)
    return _levels(os.fspath(path), status.st_mtime_ns, status.st_size, page)


@lru_cache(maxsize=64)
def _levels(path: str, _modified: int, _size: int, page: int | None) -> tuple[Level, ...]:
    """All levels of a page. The time and size of the file are part of the cache's key."""
    first = load(path)
    pages = max(1, count(first, "n-pages"))
    options: tuple[tuple[str, int], ...] = ()
    if page is not None:
        if not 0 <= page < pages:
            raise ImageError(
                f"{display_name(path)}: there is no page {page}; the file has {_some(pages, 'page')}, "
                "and the first is page 0."
            )
        if page > 0:
            options = (("page", page),)
            first = load(path, options)
    found = [Level(first.width, first.height, 1.0, options)]
    if field(first, "vips-loader") == "openslideload":
        candidates = [((*options, ("level", i)), False) for i in range(1, count(first, "openslide.level-count"))]
    elif field(first, "vips-loader") not in ("tiffload", "jp2kload"):
        candidates = []
    elif count(first, "n-subifds"):
        candidates = [
            ((*options, ("subifd", i)), False) for i in range(min(count(first, "n-subifds"), MAX_LEVEL_PAGES))
        ]
    elif not options and pages <= MAX_PAGES_WITH_LEVELS:
        candidates = [((("page", i),), True) for i in range(1, min(pages, MAX_LEVEL_PAGES))]
    else:
        candidates = []
    for candidate, paged in candidates:
        try:
            image = load(path, candidate)
        except ImageError:  # a page of a kind that is not read is no level, and the others are none the worse
            continue
        factor = _shrunk_by(first, image)
        if factor is not None and factor > found[-1].factor:
            found.append(Level(image.width, image.height, factor, candidate, paged))
    return tuple(found)


def _shrunk_by(full: pyvips.Image, image: pyvips.Image) -> float | None:
    """The power of two by which `image` is smaller than `full`, None if it is no level of it.

    Sizes of levels are rounded, by some writers at each halving: up to two pixels off are allowed. Slides hold a
    thumbnail among the levels, which is not tiled.
    """
    same = (full.bands, full.format, full.get_typeof("tile-width")) == (
        image.bands,
        image.format,
        image.get_typeof("tile-width"),
    )
    if not same or image.width >= full.width:
        return None
    factor = 2.0
    while full.width / factor - image.width >= 2:
        factor *= 2
    if abs(full.width / factor - image.width) < 2 and abs(full.height / factor - image.height) < 2:
        return factor
    return None


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
