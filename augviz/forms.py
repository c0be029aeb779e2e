"""The forms in which one image can lie on a disk to be compared: what each holds and takes, and the command that makes it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augviz import copies
from augviz.errors import ArgumentError
from augviz.model import BYTES_PER_VALUE, Header

TILE_PX = 256
"""Sides of the tiles of `copies.save_options`."""

MAX_JPEG_SIDE = 65_500
"""Of libjpeg-turbo; the format itself ends at 65,535."""

_PLAIN = ("b-w", "srgb", "rgb", "rgb16", "grey16", "multiband")
"""Interpretations whose bands PNG holds as they are."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Attributes:
        name: of the table's row; also goes into the names of files.
        suffix: ending of its files.
        saver: libvips' operation that writes it.
        about: what is special about it, in a few words.
        bytes_per_byte: the most that a file takes, of the pixels in memory.
        write_seconds: about how long writing takes per megapixel of three bands of 8 bit, on two cores.
        read_seconds: about how long decoding takes, likewise.
    """

    name: str
    title: str
    suffix: str
    saver: str
    about: str
    bytes_per_byte: float
    write_seconds: float
    read_seconds: float


FORMS: tuple[Form, ...] = (
    Form("jpeg", "JPEG", ".jpg", "jpegsave", "quality 90", 1.0, 0.02, 0.01),
    Form("png", "PNG", ".png", "pngsave", "lossless", 1.01, 0.08, 0.012),
    Form("strips", "Strip TIFF", ".tif", "tiffsave", "deflate, lossless", 1.02, 0.05, 0.012),
    Form(
        "pyramid",
        "Tiled pyramid",
        ".tif",
        "tiffsave",
        "TIFF, deflate, lossless, tiles of 256 pixels",
        1.36,
        0.07,
        0.012,
    ),
)
"""Every form. Strips are compressed as the pyramid's tiles are, so that only the order of the pixels differs."""


def form_named(name: str) -> Form:
    """The form called `name`. Raises ArgumentError if there is none."""
    for form in FORMS:
        if form.name == name:
            return form
    raise ArgumentError(f"form: must be one of {', '.join(form.name for form in FORMS)}, got {name!r}.")


def reason_against(form: Form, header: Header) -> str:
    """Why a form cannot hold an image, in a sentence; "" where nothing is known against it."""
    bits = f"{8 * BYTES_PER_VALUE[header.format]} bit"
    if form.name == "jpeg":
        if header.format != "uchar":
            return f"JPEG holds values of 8 bit without a sign; this image has {header.format} of {bits}."
        if (header.bands, header.interpretation) not in ((1, "b-w"), (3, "srgb")):
            return f"JPEG is written of 1 grey band or 3 bands as RGB; this image has {_bands(header)}."
        if max(header.width, header.height) > MAX_JPEG_SIDE:
            return (
                f"JPEG holds at most {MAX_JPEG_SIDE:,} pixels a side; this image has {header.width} x {header.height}."
            )
    if form.name == "png":
        if header.format not in ("uchar", "ushort"):
            return f"PNG holds values of 8 or 16 bit without a sign; this image has {header.format} of {bits}."
        if header.bands > 4 or header.interpretation not in _PLAIN:
            return f"PNG holds 1 to 4 bands, grey or RGB with or without alpha; this image has {_bands(header)}."
    return ""


def _bands(header: Header) -> str:
    return f"{header.bands} {'band' if header.bands == 1 else 'bands'} ({header.interpretation})"


def save_options(form: Form, pixel_format: str) -> dict[str, Any]:
    """libvips' options of the form's saver, by their names in pyvips."""
    if form.name == "jpeg":
        return {"Q": 90}
    if form.name == "png":
        return {"compression": 6}
    lossless = copies.save_options("lossless", pixel_format)
    if form.name == "pyramid":
        return lossless
    return {"bigtiff": True, **{name: lossless[name] for name in ("compression", "predictor")}}


def command_line(name: str, form: Form, pixel_format: str, loader: str, options: Iterable[tuple[str, Any]] = ()) -> str:
    """What makes the same file in a shell, with libvips' own command line tool; a damaged file is an error there, too.

    Args:
        name: what the original is called.
        loader: libvips' name of it: a strip of a TIFF that cannot be decoded is an error, not a cut file.
        options: of that loader, which choose the page or the level.
    """
    fail_on = "error" if loader.startswith("tiffload") else "truncated"
    given = ",".join(f"{key}={value}" for key, value in (("fail_on", fail_on), *options))
    out = f"{Path(name).stem}-{form.name}{form.suffix}"
    words = ["vips", form.saver, shlex.quote(f"{_path(name)}[{given}]"), shlex.quote(_path(out))]
    for option, value in save_options(form, pixel_format).items():
        words.append(f"--{option.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return " ".join(words)


def _path(name: str) -> str:
    """A name that is no option, even if it begins like one."""
    return f"./{name}" if name.startswith("-") else name


def image_bytes(header: Header) -> int:
    """Of the pixels in memory."""
    return header.width * header.height * header.bands * BYTES_PER_VALUE[header.format]


def file_bytes(form: Form, header: Header) -> int:
    """Bytes that a file of the form takes at most, about: noise cannot be compressed, and tiles are stored whole."""
    whole = header
    if form.name == "pyramid":
        width, height = (math.ceil(side / TILE_PX) * TILE_PX for side in (header.width, header.height))
        whole = replace(header, width=width, height=height)
    return round(image_bytes(whole) * form.bytes_per_byte) + 100_000  # tables and metadata


def relative_size(header: Header) -> float:
    """Megapixels of three bands of 8 bit with as many bytes: what costs per megapixel are multiplied with."""
    return image_bytes(header) / 3e6
