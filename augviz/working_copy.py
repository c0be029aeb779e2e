"""Writes working copies: a file's pixels as stored, as a tiled pyramid, in one pass from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path

import pyvips

from augviz import copies, libvips
from augviz.context import Context
from augviz.errors import ImageError
from augviz.loading import check_file, display_name, load, read_problem, reading
from augviz.model import Header
from augviz.pyramid import orientation_of
from augviz.results import write_problem, written_whole

WRITING = "writing the working copy"


def make(path: str | os.PathLike[str], kind: str, out_path: str | os.PathLike[str], context: Context) -> None:
    """Writes the working copy of a file: 256-pixel tiles, levels down to one tile, as `copies.save_options` says.

    The pixels are those that are stored, not turned upright; orientation and colour profile are kept. They are streamed,
    except where the decoder itself needs all of them: progressive JPEG and interlaced PNG. The copy appears when it is
    complete, with a note beside it; missing folders are made.

    Args:
        path: the original, of one page.
        kind: one of `copies.KINDS`.
        out_path: where to write: `copies.place(path, kind)`.
        context: hears how far it is; a request that is given up leaves no file.

    Raises:
        ImageError: the original cannot be read, is cut short or was changed meanwhile; it cannot have a copy of this kind;
            there is no room for it, or it cannot be written.
        Cancelled: the request was given up.
    """
    original, out = Path(path), Path(out_path)
    before = check_file(original)
    image = load(original, access="sequential")
    header = _header(image)
    if kind not in copies.kinds_for(header):
        allowed = ", ".join(copies.kinds_for(header))
        raise ImageError(f"{display_name(path)}: the kind of its working copy must be {allowed}, got {kind}.")
    copies.check_room(original, header, kind)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{out.name}: its folder cannot be made: {error.strerror}.") from error
    with written_whole(out) as part:
        context.progress(0.0, WRITING)
        _save(image, original, part, out, copies.save_options(kind, header.format), context)
        _check_same(image, original, part)
        after = check_file(original)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ImageError(f"{display_name(path)}: the file was changed while its working copy was made.")
        context.check()
        copies.write_note(out, original, kind)


def _save(
    image: pyvips.Image, original: Path, part: Path, out: Path, options: dict[str, object], context: Context
) -> None:
    watched = context.watch(image.copy())
    try:
        libvips.save_pyramid(watched, part, **options)
    except pyvips.Error as error:
        context.check()
        if (problem := write_problem(error, out) or read_problem(error, original)) is not None:
            raise problem from error
        raise
    context.check()


def _check_same(image: pyvips.Image, original: Path, part: Path) -> None:
    """Raises ImageError where a TIFF cannot say what the original's header says, such as its interpretation."""
    with reading(part):
        copy = load(part)
    if (_header(copy), orientation_of(copy)) != (_header(image), orientation_of(image)):
        raise ImageError(
            f"{original.name}: no faithful copy can be made of it: {_words(image)} would become {_words(copy)}."
        )


def _words(image: pyvips.Image) -> str:
    return f"{image.bands} bands {image.format} {image.interpretation}, orientation {orientation_of(image)},"


def _header(image: pyvips.Image) -> Header:
    return Header(image.width, image.height, image.bands, image.format, image.interpretation)
