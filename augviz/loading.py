"""Opens image files, after checks that cost no pixels. Nothing else calls a libvips loader.

Importing this module leaves libvips with only the loaders that are offered: everything is blocked, then those are
unblocked one by one (blocking libvips' own "untrusted" list would still let text matrices in).
"""

from __future__ import annotations

import logging
import math
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

# Read by libvips when it starts, or when it first opens a file. No side may be longer than VIPS_MAX_COORD; VIPS_WARNING,
# whatever its value, turns libvips' warnings on stderr off.
os.environ.setdefault("VIPS_MAX_COORD", "1000000")
os.environ.setdefault("VIPS_WARNING", "0")

import pyvips

from augviz import endings, libvips, tiff_check
from augviz.errors import FileAway, ImageError, is_out_of_memory
from augviz.settings import get_settings
from augviz.units import bytes_text

# Where pyvips was imported earlier, it turns libvips' warnings into log records, which a root handler would print.
logging.getLogger("pyvips").propagate = False

SLIDES = "OpenSlide's slide formats"

OFFERED = {
    "VipsForeignLoadJpeg": "JPEG",
    "VipsForeignLoadPng": "PNG",
    "VipsForeignLoadTiff": "TIFF",
    "VipsForeignLoadWebp": "WebP",
    "VipsForeignLoadNsgif": "GIF",
    "VipsForeignLoadHeif": "HEIF and AVIF",
    "VipsForeignLoadOpenslide": SLIDES,
    "VipsForeignLoadJp2k": "JPEG 2000",
    "VipsForeignLoadJxl": "JPEG XL",
    "VipsForeignLoadMagick": "BMP",
    "VipsForeignLoadMagick7": "BMP",
}
"""libvips' class of each loader that is offered where the build has it, and its name for people."""

_TIFF, _OPENSLIDE, _MAGICK = "VipsForeignLoadTiffFile", "VipsForeignLoadOpenslide", "VipsForeignLoadMagick"
_JPEG = "VipsForeignLoadJpegFile"

MAX_PIXELS_PER_BYTE = 100_000
"""A file that claims more pixels for each of its bytes is refused. Blank images reach about 8,000 (1-bit PNG)."""

_PROBED_PIXELS = 2048 * 2048
"""A tile of a TIFF is read when the file is opened, if it has at most this many pixels."""

SLIDE_SUFFIXES = (".mrxs", ".vms", ".vmu", ".ndpi", ".svslide", ".bif", ".scn", ".czi", ".dcm")
"""Endings of files that, where no other loader takes them, need OpenSlide's. (.svs opens as TIFF as well.)"""

_NAMING = tuple(f"hamamatsu.{key}" for key in ("ImageFile", "MapFile", "OptimisationFile", "MacroImage"))
"""Fields in which a .vms or .vmu names the files that hold its pixels."""

_CONVERTED = {"Photoshop": "in.psd out.png"}
"""Kinds that libvips reads through ImageMagick alone, which it calls untrusted; and what to give `vips copy`."""

_TOO_LONG = "its header is damaged, or it has a side of more than 1000000 pixels."

_NOT_READ = {
    "samples out of range": "TIFF samples of more than 32 bits (64-bit float, complex) or of very many bands",
    "tiled separate planes not supported": "TIFF that keeps each band in tiles of its own",
    "bad labq format": "TIFF in 8-bit CIELAB",
    "unsupported tiff image type": "TIFF of this kind of samples (libvips 8.14: 16-bit float)",
}
"""What libvips says of sound files that it does not read, and what they are."""

_SIGNATURES = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG", "PNG"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (4, b"ftyp", "HEIF and AVIF"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"%PDF", "PDF"),
    (0, b"BM", "BMP"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x08\xf2\xa6\xb6", "libvips"),
    (0, b"\xb6\xa6\xf2\x08", "libvips"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"PK\x03\x04", "ZIP"),
)
"""Where a kind of file has which first bytes; used only to say why a file was not opened."""


def _allow_offered_loaders() -> tuple[str, ...]:
    """Blocks every loader, unblocks the offered ones; the names for people of those that this build has."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    present = []
    for class_name, name in OFFERED.items():
        if pyvips.type_from_name(class_name) != 0:
            pyvips.operation_block_set(class_name, False)
            present.append(name)
    return tuple(present)


PRESENT = _allow_offered_loaders()
"""Names for people of the loaders that can be used in this process."""


def display_name(path: str | os.PathLike[str]) -> str:
    """What an error calls the file: its name without folders, on one line."""
    name = Path(path).name or str(path)
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _is_utf8(path: str | os.PathLike[str]) -> bool:
    """Whether libvips, which takes no other names, can be told the path."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_file(path: str | os.PathLike[str]) -> os.stat_result:
    """The file's status. Raises ImageError unless it is a readable file with something in it."""
    name = display_name(path)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise FileAway(f"{name}: there is no such file.") from None
    except OSError as error:
        raise FileAway(f"{name}: the file cannot be opened: {error.strerror}.") from error
    except ValueError as error:
        raise ImageError(f"{name}: the file cannot be opened: its name is not valid.") from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{name}: this is a folder, not an image.")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{name}: this is not a regular file.")
    if status.st_size == 0:
        raise ImageError(f"{name}: the file is empty.")
    if not os.access(path, os.R_OK):
        raise FileAway(f"{name}: the file cannot be opened: permission denied.")
    if not _is_utf8(path):
        raise ImageError(f"{name}: a file whose name or folder is not UTF-8 cannot be opened; rename it.")
    if name.endswith("]"):
        # libvips takes what stands in brackets at the end of a name for options of the loader.
        raise ImageError(f"{name}: a file whose name ends with a bracket cannot be opened; rename it.")
    return status


def load(
    path: str | os.PathLike[str], options: Iterable[tuple[str, Any]] = (), *, access: str = "random"
) -> pyvips.Image:
    """The image as `pyvips.Image.new_from_file(path, **options)` gives it, after the header has passed the limits.

    A file that is cut short raises here if its header or its end tells, else when its pixels are read, where libvips
    would fill in grey (`fail_on`). A file that was rewritten is read again. What a TIFF loader reads is read as TIFF
    also where OpenSlide is there (Aperio's `.svs`), so that it has the same bands with and without it.

    Args:
        path: an image file.
        options: of libvips' loader, `("page", 1)`.
        access: "random", or "sequential" for one pass from top to bottom.

    Raises:
        ImageError: the file is missing, not an image of an offered kind, damaged, or larger than the limits.
    """
    status = check_file(path)
    name = display_name(path)
    if name.lower().endswith(".mrxs") and SLIDES not in PRESENT:
        raise ImageError(f"{name}: {_needs(SLIDES)}")  # the file is a JPEG of the overview, the slide lies beside it
    loader = _loader_for(path)
    if loader is None:
        raise ImageError(f"{name}: {_why_unknown(path)}")
    found = _found(os.fspath(path), status.st_mtime_ns, status.st_size)
    if found.gap is not None:
        raise ImageError(f"{name}: the file is damaged, cut short or still being written: {found.gap}.")
    given = tuple(options)
    fail_on = "truncated"
    fresh = libvips.fresh(os.fspath(path), (status.st_mtime_ns, status.st_size))
    with reading(path):
        if loader == _TIFF and not found.is_sparse:
            fail_on = _tiff_fail_on(os.fspath(path), status.st_mtime_ns, status.st_size, given)
        elif loader == _JPEG:
            fail_on = _jpeg_fail_on(os.fspath(path), status.st_mtime_ns, status.st_size)
        image = pyvips.Operation.call(loader, os.fspath(path), access=access, fail_on=fail_on, **fresh, **dict(given))
    if loader == _TIFF:
        image = libvips.with_tile_size(image, path, given)
    if loader.startswith(_OPENSLIDE):
        _check_beside(name, image)
    _check_limits(name, image, math.inf if loader.startswith(_OPENSLIDE) else status.st_size)
    return image


def _loader_for(path: str | os.PathLike[str]) -> str | None:
    """libvips' class of the loader for a file, None where there is none."""
    found = pyvips.vips_lib.vips_foreign_find_load(os.fsencode(path))
    if found == pyvips.ffi.NULL:
        pyvips.vips_lib.vips_error_clear()
        return None
    loader: str = pyvips.ffi.string(found).decode()
    if not loader.startswith(tuple(OFFERED)):
        return None  # libvips names a loader that is blocked, too
    if loader.startswith(_MAGICK) and _kind(path) != "BMP":
        return None  # ImageMagick goes by the first bytes as well: of its many readers no other is reached
    if loader.startswith(_OPENSLIDE) and Path(path).suffix.lower() not in SLIDE_SUFFIXES and _kind(path) == "TIFF":
        return _TIFF
    return loader


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns libvips' errors into ImageError while the header or the pixels of `path` are read, or into MemoryError."""
    try:
        yield
    except pyvips.Error as error:
        _check_memory(error)
        raise ImageError(f"{display_name(path)}: {_reason(error, path)}") from error


def read_problem(error: pyvips.Error, path: str | os.PathLike[str]) -> ImageError | None:
    """The ImageError for an error that a loader raised while a pipeline's pixels were made, None if another made it.

    Raises MemoryError where memory ran out, which says nothing of a file, whoever noticed it.
    """
    _check_memory(error)
    marks = ("VipsJpeg:", "vipspng:", "tiff2vips:", "jpegload:", "pngload:", "tiffload:", "webp", "gifload:", "heif")
    if any(mark in error.detail for mark in (*marks, "openslide", "jp2k", "jxlload")):
        return ImageError(f"{display_name(path)}: {_reason(error, path)}")
    return None


def _check_memory(error: pyvips.Error) -> None:
    if is_out_of_memory(error.detail):
        raise MemoryError(error.detail) from error


@lru_cache(maxsize=256)
def _found(path: str, _modified: int, _size: int) -> tiff_check.Finding:
    """Whether all of the file is there. Its time and size are part of the cache's key: a pyramid is opened often."""
    try:
        found = tiff_check.check(path)
        return found if found.gap is not None else replace(found, gap=endings.missing(path))
    except OSError as error:
        return tiff_check.Finding(f"it cannot be read, {error.strerror}")


@lru_cache(maxsize=256)
def _jpeg_fail_on(path: str, modified: int, size: int) -> str:
    """The `fail_on` with which damage inside a JPEG is an error and a sound file opens.

    libvips only warns where data end before their picture does, and fills in grey. Bytes between the parts of a header are
    warned of too, and harm nothing: they are told from damage by reading the first row.
    """
    fresh = libvips.fresh(path, (modified, size))
    try:
        image = pyvips.Operation.call(_JPEG, path, access="sequential", shrink=8, fail_on="warning", **fresh)
        image.crop(0, 0, image.width, 1).avg()
    except pyvips.Error as error:
        if "extraneous bytes" in error.detail:
            return "truncated"
    return "warning"


@lru_cache(maxsize=256)
def _tiff_fail_on(path: str, modified: int, size: int, options: tuple[tuple[str, Any], ...]) -> str:
    """The `fail_on` with which a damaged part of a TIFF is an error and a sound file opens.

    libvips 8.18: a strip that cannot be decoded counts as an error, but a tile as a warning, and is black otherwise. Odd
    words in a header are warnings too, and common: they are told from damage by reading one tile.

    Raises:
        pyvips.Error: the tile is of a kind that libvips does not read, which it tells only now.
    """
    try:
        fresh = libvips.fresh(path, (modified, size))
        image = pyvips.Operation.call(_TIFF, path, fail_on="warning", **fresh, **dict(options))
        image = libvips.with_tile_size(image, path, options)
        if image.get_typeof("tile-width") == 0 or image.get("tile-width") * image.get("tile-height") > _PROBED_PIXELS:
            return "error"
        image.crop(0, 0, 1, 1).avg()
    except pyvips.Error as error:
        if any(words in error.detail for words in _NOT_READ):
            raise
        return "warning" if "tiff2vips:" in error.detail else "error"
    return "warning"


def _check_beside(name: str, image: pyvips.Image) -> None:
    """Raises ImageError where a slide names files outside its folder: an upload must not show what others have."""
    for field in image.get_fields():
        if field.startswith(_NAMING) and any(separator in str(image.get(field)) for separator in "/\\"):
            raise ImageError(f"{name}: the slide names files that are not in its own folder.")


def _check_limits(name: str, image: pyvips.Image, file_bytes: float) -> None:
    """Raises ImageError unless the image is within the limits. `file_bytes` is infinite where others lie beside the file."""
    pixels = image.width * image.height
    longest = os.environ["VIPS_MAX_COORD"]
    if longest.isdigit() and max(image.width, image.height) > int(longest):  # libvips 8.14 does not know it
        raise ImageError(f"{name}: {_TOO_LONG}")
    limit = get_settings().pixel_limit
    if pixels > limit:
        raise ImageError(
            f"{name}: the image has {image.width} x {image.height} pixels, more than the limit of {limit:.3g}."
        )
    if pixels > file_bytes * MAX_PIXELS_PER_BYTE:
        raise ImageError(
            f"{name}: the file claims {image.width} x {image.height} pixels in {bytes_text(int(file_bytes))}, "
            f"more than {MAX_PIXELS_PER_BYTE} pixels for each byte."
        )


def _why_unknown(path: str | os.PathLike[str]) -> str:
    """Why no loader takes the file, from its first bytes."""
    kind = _kind(path)
    if kind in PRESENT:
        return f"the file begins like {kind} but is damaged or cut short."
    if kind is not None and kind in OFFERED.values():
        return _needs(kind)
    if kind is None and Path(path).suffix.lower() in SLIDE_SUFFIXES and SLIDES not in PRESENT:
        return _needs(SLIDES)
    if kind in _CONVERTED:
        return (
            f"{kind} files are not opened, since libvips reads them only by ways not made for files of strangers; "
            f"convert it elsewhere, for example with `vips copy {_CONVERTED[kind]}`."
        )
    opened = ", ".join(PRESENT)
    if kind is not None:
        return f"{kind} files are not opened; these are: {opened}."
    return f"this is not an image of a kind that is opened: {opened}."


def _kind(path: str | os.PathLike[str]) -> str | None:
    """What kind of file it is by its first bytes, None where they tell nothing."""
    with open(path, "rb") as file:
        head = file.read(1000)
    kind = next((kind for offset, mark, kind in _SIGNATURES if head[offset : offset + len(mark)] == mark), None)
    return "SVG" if kind is None and b"<svg" in head.lower() else kind


def _needs(kind: str) -> str:
    """Which loader is missing for files of a kind, and how to get it."""
    loader = next(class_name for class_name, name in OFFERED.items() if name == kind).removeprefix("VipsForeignLoad")
    return (
        f"{kind} cannot be read, because this build of libvips has no {loader} loader; "
        "take the system's libvips in place of the pyvips-binary wheel, see the README."
    )


def _reason(error: pyvips.Error, path: str | os.PathLike[str]) -> str:
    """libvips' words on the file as the end of a sentence, without its path."""
    lines = [line.strip() for line in error.detail.replace(os.fspath(path), "the file").splitlines()]
    lines = [line for line in lines if line and not line.startswith("unable to call")]
    if not lines:
        return _TOO_LONG
    words = [line.split(": ", 1)[-1].rstrip(".: ") for line in lines]
    for theirs, ours in _NOT_READ.items():
        if theirs in words:
            return f"libvips does not read {ours}; convert it elsewhere."
    # What a decoder only warned of is written before what it failed of.
    failed = [one for one in words if not one.startswith(("Corrupt JPEG data", "Warning", "bad seek", "load error"))]
    return f"the file is damaged, cut short or not supported: {(failed or words)[0]}."
