"""In which pieces libvips makes the whole of an image, and images of which any window is made in them. Worker side.

libvips' resamplers add up positions from the left edge of what is asked for, so that a value that falls between two can be
rounded either way. A window has the pixels of the whole only where it is made in the pieces in which the whole would be: in
strips of full width, or in squares where an operation or the file's own tiles ask for that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from typing import Any

import pyvips

from augviz import catalog, scale, system_libvips
from augviz.engine import replay
from augviz.firing import Firing, by_mean
from augviz.model import BYTES_PER_VALUE, Header

ROWS_HELD = 256
"""Rows that are kept of strips, above those that are being made: those of a viewer's tile."""

_SQUARES_HELD = 64
_BYTES = 48_000_000
"""What strips that are kept may take."""


def resamples(transform: str, before: Header, after: Header) -> bool:
    """Whether a step makes values at positions between pixels."""
    if transform in catalog.RESIZES:
        return (before.width, before.height) != (after.width, after.height)
    return transform in scale.TURNING


def of_whole(fed: pyvips.Image, firings: Iterable[Firing]) -> tuple[int, int] | None:
    """Width and height of the pieces in which the result of `firings` is made whole, as libvips says.

    None where no step resamples, so that it does not matter. Reads no pixels.

    Args:
        fed: what the pipeline is fed, from its own file: a working copy is stored in other pieces.

    Raises:
        StepError: a step cannot be applied.
    """
    firings = tuple(firings)
    if not any(resamples(firing.name, firing.before, firing.after) for firing in firings):
        return None
    image = fed
    for firing in firings:
        if not by_mean(firing.transform):  # it would read all of its input, and changes each pixel by itself
            image = replay(firing, image)
    return of(image)


def of(image: pyvips.Image) -> tuple[int, int]:
    """Width and height of the pieces in which libvips makes all of an image."""
    width, height, rows = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    pointer = int(pyvips.ffi.cast("uintptr_t", image.pointer))
    _get_tile_size()(pointer, ctypes.byref(width), ctypes.byref(height), ctypes.byref(rows))
    return width.value, height.value


def fit(piece: tuple[int, int], shape: Header) -> bool:
    """Whether as many pieces as are kept, of a result of that shape, take little memory."""
    width, height = piece
    return _held(piece, shape.width) * width * height * shape.bands * BYTES_PER_VALUE[shape.format] <= _BYTES


def made_in(image: pyvips.Image, piece: tuple[int, int]) -> pyvips.Image:
    """The same image, lazy, of which whatever is asked for is made in such pieces; the last ones are kept."""
    width, height = piece
    return image.tilecache(
        tile_width=width,
        tile_height=height,
        max_tiles=_held(piece, image.width),
        access="random",
        threaded=True,
    )


def _held(piece: tuple[int, int], across: int) -> int:
    width, height = piece
    return ROWS_HELD // height + 2 if width >= across else _SQUARES_HELD


@cache
def _get_tile_size() -> Callable[..., Any]:
    """libvips' function that says it, which pyvips does not offer, of the library that pyvips has loaded."""
    function = ctypes.CDLL(_library()).vips_get_tile_size
    function.argtypes = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_int)] * 3]
    function.restype = None
    return function


def _library() -> str:
    try:
        wheel = files("pyvips-binary") or ()
    except PackageNotFoundError:
        return system_libvips.name()
    found = [file for file in wheel if file.name.startswith("libvips") and ".libs/" in file.as_posix()]
    return str(found[0].locate())
