"""What differs between the libvips releases that augviz works with, 8.14 to 8.18, in one place; nothing else asks for a release.

8.14 is Debian 12's. Beside what is here it lacks `mks2013` and `mks2021`, and rounds a little differently.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any

import pyvips

from augviz import tiff_check
from augviz.system_libvips import OLDEST, too_old

NO_METADATA: dict[str, Any] = {"strip": True}
"""Options of a saver that write pixels only. (`keep="none"` came with 8.15, where `strip` means the same.)"""

_REMEMBERED = 1000
"""Paths whose stamps are known: more than libvips' operation cache can hold images of."""

_stamps: OrderedDict[str, tuple[int, int]] = OrderedDict()
_stamps_lock = threading.Lock()

if not pyvips.at_least_libvips(*OLDEST):
    raise ImportError(too_old((pyvips.version(0), pyvips.version(1))))


def fresh(path: str, stamp: tuple[int, int]) -> dict[str, Any]:
    """Options of a loader with which a file that was rewritten is read again, not taken from libvips' operation cache.

    `revalidate` came with 8.15. Before it, the cache is emptied when a path comes with another stamp than the last time.

    Args:
        path: of the file.
        stamp: the time of its last change in nanoseconds, and its size.
    """
    if _has_revalidate():
        return {"revalidate": True}
    with _stamps_lock:
        last = _stamps.pop(path, stamp)
        _stamps[path] = stamp
        while len(_stamps) > _REMEMBERED:
            _stamps.popitem(last=False)
        if last != stamp:
            kept = pyvips.voperation.cache_get_max()
            pyvips.cache_set_max(0)
            pyvips.cache_set_max(kept)
    return {}


def with_tile_size(
    image: pyvips.Image, path: str | os.PathLike[str], options: Iterable[tuple[str, Any]]
) -> pyvips.Image:
    """A TIFF's image with its tile size in the header, "tile-width" and "tile-height", as newer releases put it there.

    Args:
        image: of the page or SubIFD that `options` name.
        path: of the file.
        options: of the loader, `("page", 1)`.
    """
    if _notes_tiles():
        return image
    chosen = dict(options)
    tile = tiff_check.tile_size(path, chosen.get("page", 0), chosen.get("subifd"))
    if tile is None:
        return image
    noted = image.copy()
    for name, value in zip(("tile-width", "tile-height"), tile, strict=True):
        noted.set_type(pyvips.GValue.gint_type, name, value)
    return noted


def save_pyramid(image: pyvips.Image, path: str | os.PathLike[str], **options: Any) -> None:
    """`image.tiffsave(path, pyramid=True, **options)`, which may fail or be killed.

    Before 8.14.2 that ends the process (https://github.com/libvips/libvips/issues/3411). There the pixels go to a plain
    file beside `path` first, which takes more room and time, and the pyramid is made of that.
    """
    if pyvips.at_least_libvips(8, 15) or (pyvips.version(1) == 14 and pyvips.version(2) >= 2):
        image.tiffsave(os.fspath(path), **{**options, "pyramid": True})
        return
    plain = f"{os.fspath(path)}.plain.tif"
    try:
        image.tiffsave(plain, **{**options, "compression": "deflate", "pyramid": False})
        pyvips.Operation.call("tiffload", plain).tiffsave(os.fspath(path), **{**options, "pyramid": True})
    finally:
        with suppress(FileNotFoundError):
            os.remove(plain)


def save_raw(image: pyvips.Image, descriptor: int) -> None:
    """Writes the pixels of `image`, from top to bottom, to a file descriptor. Raises pyvips.Error."""
    if _has_operation("rawsave_target"):  # 8.16
        image.rawsave_target(pyvips.Target.new_to_descriptor(descriptor))
    else:
        image.rawsave_fd(descriptor)


def feed_raw(image: pyvips.Image, write: Callable[[Any], int]) -> None:
    """Gives the pixels of `image`, from top to bottom, to `write`.

    Args:
        image: evaluated once.
        write: called with one piece of bytes after the other, of any size, on a thread that libvips or this function
            makes; a number below the piece's length ends the evaluation.

    Raises:
        pyvips.Error: the pixels could not be made, or `write` ended it.
    """
    if _has_operation("rawsave_target"):  # 8.16
        target = pyvips.TargetCustom()
        target.on_write(write)
        image.rawsave_target(target)
        return
    reading, writing = os.pipe()

    def pass_on() -> None:
        with open(reading, "rb", buffering=0) as pipe:
            while (piece := pipe.read(1 << 20)) and write(piece) == len(piece):
                pass  # once the pipe is closed, libvips' next write to it fails

    thread = threading.Thread(target=pass_on, name="augviz-raw")
    thread.start()
    try:
        image.rawsave_fd(writing)
    finally:
        os.close(writing)
        thread.join()


@cache
def _has_operation(name: str) -> bool:
    return bool(pyvips.type_find("VipsOperation", name) != 0)


@cache
def _notes_tiles() -> bool:
    data = pyvips.Image.black(16, 16).tiffsave_buffer(tile=True, tile_width=16, tile_height=16)
    return bool(pyvips.Operation.call("tiffload_buffer", data).get_typeof("tile-width") != 0)


@cache
def _has_revalidate() -> bool:
    return "revalidate" in pyvips.voperation.Introspect.get("pngload").optional_input
