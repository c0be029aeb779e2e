"""Writes a result of a pipeline to a file, in one pass and without holding it: .npy, .tif and .png."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyvips

from augviz import held_folder
from augviz.context import on_eval
from augviz.errors import ArgumentError, ImageError
from augviz.libvips import NO_METADATA, feed_raw, save_raw
from augviz.model import BYTES_PER_VALUE, DTYPES
from augviz.shown import LOWEST_TO_HIGHEST, stretch, value_range
from augviz.units import bytes_text

Progress = Callable[[float], None]
"""Called with the fraction done, 0 to 1, on the thread that computes. What it raises ends the work and is raised."""

SUFFIXES = (".npy", ".tif", ".png")

_DISK_WORDS = tuple(map(os.strerror, (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS)))
"""What the system says of a disk or a quota that takes no more; libvips quotes it."""

_BIG_TIFF_BYTES = 3_500_000_000
"""Larger images are written as BigTIFF; the limit of TIFF is 4 GiB with its tables."""

_TRANSPOSE_BYTES = 8_000_000
"""A tensor is taken apart into bands in blocks of about this size."""

_PLAIN = ("srgb", "rgb", "rgb16", "scrgb", "b-w", "grey16", "multiband")
"""Interpretations that the TIFF writer stores as they are; others could be converted."""


def write_result(
    image: pyvips.Image, out_path: str | os.PathLike[str], tensor: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Writes the pixels of `image` to `out_path`; the file appears when it is complete.

    Args:
        image: the result, evaluated from top to bottom, once (twice for a .png that needs its range).
        out_path: ends in .npy: exactly `image.numpy()`, so (height, width) for one band, else (height, width, bands);
            .tif: (height, width, bands) in 256-pixel tiles without compression, double as float; .png: 8 bit, uchar as
            it is, ushort divided by 257, other formats linearly from the lowest to the highest value.
        tensor: whether the .npy is (bands, height, width), one band included; nothing else changes.
        progress: see `Progress`.

    Returns:
        for .png {"mapping": words, "low": value that became 0, "high": value that became 255}, else {}.

    Raises:
        ArgumentError: the ending is none of these, or the format cannot hold the image.
        ImageError: the folder is missing or not writable, or the disk is full.
        pyvips.Error: the pixels could not be made.
    """
    path = Path(out_path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ArgumentError(f"{path.name}: the ending of a result must be one of {', '.join(SUFFIXES)}.")
    mapping: dict[str, Any] = {}
    with written_whole(path) as part:
        if suffix == ".npy":
            _check_room(image, path)
            with following(image, progress):
                _write_npy(image, part, tensor)
        elif suffix == ".tif":
            _check_room(image, path)
            with following(image, progress):
                _write_tif(image, part)
        else:
            image, mapping = _eight_bit(image, path.name)
            with following(image, progress):
                image.pngsave(str(part), compression=1, **NO_METADATA)
    return mapping


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` at the end, and is removed after an error."""
    if not path.parent.is_dir():
        raise ImageError(f"{path.name}: there is no folder {path.parent}.")
    if path.is_dir():
        raise ImageError(f"{path.name}: this is a folder.")
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        try:
            with held_folder.new_file(part):
                yield part
                os.replace(part, path)
        except OSError as error:
            raise ImageError(f"{path.name}: it cannot be written: {error.strerror or error}.") from error
        except pyvips.Error as error:
            if (problem := write_problem(error, path)) is not None:
                raise problem from error
            raise
    finally:
        part.unlink(missing_ok=True)


def write_problem(error: pyvips.Error, path: Path) -> ImageError | None:
    """The ImageError for an error of libvips that the disk has raised while `path` was written, None if another made it."""
    said = re.findall(r"system error: (.+)", error.detail)
    reason = next((words for words in said if words in _DISK_WORDS), None)
    if reason is not None:
        return ImageError(f"{path.name}: it cannot be written: {reason[0].lower()}{reason[1:]}.")
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < 10_000_000:
            return ImageError(f"{path.name}: it cannot be written: the disk is full.")
    return None


@contextmanager
def following(image: pyvips.Image, progress: Progress | None) -> Iterator[None]:
    """Reports the evaluation of `image` to `progress`; what `progress` raises ends the evaluation and is raised."""
    if progress is None:
        yield
        return
    raised: list[BaseException] = []
    active = True

    def report(seen: pyvips.Image, state: Any) -> None:
        if raised or not active:
            return
        try:
            progress(min(1.0, state.npels / state.tpels) if state.tpels else 0.0)
        except BaseException as error:  # noqa: BLE001  libvips swallows it; kept, and raised below
            raised.append(error)
            seen.set_kill(True)

    image.set_progress(True)
    on_eval(image, report)  # it cannot be disconnected: `active` ends its effect
    try:
        yield
    except pyvips.Error:
        if raised:
            raise raised[0] from None
        raise
    finally:
        active = False
        image.set_progress(False)
        image.set_kill(False)  # the flag would end the next evaluation too
    if raised:
        raise raised[0]
    progress(1.0)


def _check_room(image: pyvips.Image, path: Path) -> None:
    needed = image.width * image.height * image.bands * BYTES_PER_VALUE[image.format]
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise ImageError(
            f"{path.name}: it cannot be written: the result takes {bytes_text(needed)}, "
            f"{bytes_text(free)} are free on the disk."
        )


def _write_npy(image: pyvips.Image, part: Path, tensor: bool) -> None:
    """numpy's header, then the pixels as libvips makes them, from top to bottom."""
    shape: tuple[int, ...] = (image.height, image.width)
    if tensor:
        shape = (image.bands, *shape)
    elif image.bands > 1:
        shape = (*shape, image.bands)
    descr = np.lib.format.dtype_to_descr(np.dtype(DTYPES[image.format]))
    with part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        file.flush()
        if tensor and image.bands > 1:
            planes = _Planes(file, image)
            try:
                feed_raw(image, planes.write)
            except pyvips.Error:
                if planes.error is not None:
                    raise planes.error from None
                raise
            planes.flush()
        else:
            save_raw(image, file.fileno())


class _Planes:
    """Takes interleaved pixels in pieces of any size and writes each band to its own place in the file."""

    def __init__(self, file: BinaryIO, image: pyvips.Image) -> None:
        self._file = file
        self._start = file.tell()
        self._value = np.dtype((np.void, BYTES_PER_VALUE[image.format]))
        self._bands = image.bands
        self._plane_bytes = image.width * image.height * self._value.itemsize
        self._pending = bytearray()
        self._written = 0
        self.error: OSError | None = None

    def write(self, piece: Any) -> int:
        """Called by libvips; a number below the piece's length tells it that writing failed."""
        self._pending += piece
        if len(self._pending) >= _TRANSPOSE_BYTES:
            try:
                self.flush()
            except OSError as error:  # libvips swallows what a callback raises
                self.error = error
                return -1
        return len(piece)

    def flush(self) -> None:
        """Writes the whole pixels that are pending."""
        pixel = self._value.itemsize * self._bands
        whole = len(self._pending) // pixel * pixel
        values = np.frombuffer(bytes(self._pending[:whole]), self._value).reshape(-1, self._bands)
        for band in range(self._bands):
            self._file.seek(self._start + band * self._plane_bytes + self._written)
            self._file.write(np.ascontiguousarray(values[:, band]).tobytes())
        self._file.flush()
        self._written += len(values) * self._value.itemsize
        del self._pending[:whole]


def _write_tif(image: pyvips.Image, part: Path) -> None:
    size = image.width * image.height * image.bands * BYTES_PER_VALUE[image.format]
    if image.format == "double":
        # libvips 8.18 writes TIFFs of doubles that it cannot read back ("samples out of range").
        image = image.cast("float")
    if image.interpretation not in _PLAIN:
        image = image.copy(interpretation="multiband")
    options = {"tile": True, "tile_width": 256, "tile_height": 256, "bigtiff": size > _BIG_TIFF_BYTES}
    image.tiffsave(str(part), **options, **NO_METADATA)


def _eight_bit(image: pyvips.Image, name: str) -> tuple[pyvips.Image, dict[str, Any]]:
    """The image as a .png holds it, and the mapping."""
    if image.bands > 4:
        raise ArgumentError(f"{name}: a .png holds 1 to 4 bands, the result has {image.bands}; write .tif or .npy.")
    if image.format in ("complex", "dpcomplex"):
        raise ArgumentError(f"{name}: a .png holds no complex values; write .tif or .npy.")
    mapping: dict[str, Any]
    if image.format == "uchar":
        mapping = {"mapping": "as it is", "low": 0, "high": 255}
    elif image.format == "ushort":
        image = image.linear(1 / 257, 0.5, uchar=True)
        mapping = {"mapping": "16 bit / 257", "low": 0, "high": 65535}
    else:
        low, high = value_range(image)
        image = stretch(image, low, high)
        mapping = {"mapping": LOWEST_TO_HIGHEST, "low": low, "high": high}
    # So that the PNG writer stores the bands as they are.
    return image.copy(interpretation="srgb" if image.bands >= 3 else "b-w"), mapping
