"""Any image for a screen: 8 bit, one or three bands, sRGB, by a mapping that is stated. Never changes the geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyvips

from augviz.libvips import NO_METADATA
from augviz.pyramid import field, orientation_of

_COLOUR = ("srgb", "rgb", "rgb16", "scrgb", "b-w", "grey16")
"""Interpretations in which a second or fourth band is alpha; a fourth band of "multiband" is a band like the others."""

_PROFILE_BANDS = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
"""Bands that a colour profile is for, by the name of its colour space."""

LOWEST_TO_HIGHEST = "linear from the lowest to the highest value"
"""The words for how everything but 8 and 16 bit is mapped."""

_ORIENTATIONS = {
    2: "mirrored",
    3: "upside down",
    4: "mirrored and upside down",
    5: "mirrored and turned left",
    6: "turned left",
    7: "mirrored and turned right",
    8: "turned right",
}


def show_changes(image: pyvips.Image, *, pages: int = 1) -> tuple[str, ...]:
    """What `for_show` will change, and what it leaves out, one sentence each; from the header only."""
    found = []
    if orientation_of(image) != 1:
        how = _ORIENTATIONS[orientation_of(image)]
        found.append(
            f"EXIF orientation {orientation_of(image)}: it is stored {how}, and stays so unless upright is chosen."
        )
    if _is_cmyk(image):
        found.append("CMYK is converted to sRGB.")
    elif _has_profile(image):
        found.append("The embedded colour profile is converted to sRGB.")
    if image.format == "ushort":
        found.append("16-bit values are divided by 257.")
    elif image.format != "uchar":
        found.append(
            f"Values of format {image.format} are mapped linearly, from the lowest to the highest, to 0 to 255."
        )
    if _has_alpha(image):
        whole = image.format in ("uchar", "ushort")
        found.append("Alpha is laid over white." if whole else "Alpha is left out.")
    elif image.bands > 3 and not _is_cmyk(image):
        found.append(f"The first 3 of {image.bands} bands are shown.")
    elif image.bands == 2:
        found.append("The first of 2 bands is shown.")
    if pages > 1:
        found.append(f"The first of {pages} pages is shown.")
    return tuple(found)


def for_show(
    image: pyvips.Image, *, low_high: tuple[float, float] | None = None, bands: Sequence[int] | None = None
) -> tuple[pyvips.Image, dict[str, Any]]:
    """The image as a screen can show it, and how its values were mapped.

    8-bit values stay; 16-bit values are divided by 257; all others are mapped linearly from the lowest to the highest.
    CMYK and embedded profiles become sRGB, alpha is laid over white, and of more than three bands the first three are
    shown, or the chosen ones.

    Args:
        image: any image; read once to find the range, unless it is 8 or 16 bit or `low_high` is given.
        low_high: values that become 0 and 255, for any format.
        bands: three bands, from 0, to be shown as red, green and blue; taken as plain values. Ignored where the image has
            not got them.

    Returns:
        a uchar image of 1 or 3 bands, and {"mapping": words, "low": value shown black, "high": value shown white}.
    """
    if image.format in ("complex", "dpcomplex"):
        image = image.abs()
    image = picked(image, bands)
    if low_high is None and image.format in ("uchar", "ushort"):
        if _is_cmyk(image) or _has_profile(image):
            image = _to_srgb(image)
        return _whole_numbers(image)
    colours = shown_bands(image)
    low, high = low_high or value_range(colours)
    words = "linear between two given values" if low_high else LOWEST_TO_HIGHEST
    shown = _as_screen(stretch(colours, low, high))
    return shown, {"mapping": words, "low": low, "high": high}


def picked(image: pyvips.Image, bands: Sequence[int] | None) -> pyvips.Image:
    """Three bands of an image as red, green and blue, without its profile; the image itself where it has not got them."""
    if bands is None or max(bands) >= image.bands:
        return image
    red, *others = (image.extract_band(band) for band in bands)
    colours = red.bandjoin(others).copy(interpretation="srgb" if image.format != "ushort" else "rgb16")
    if colours.get_typeof("icc-profile-data") != 0:
        colours.remove("icc-profile-data")
    return colours


def shown_bands(image: pyvips.Image) -> pyvips.Image:
    """The bands that a screen shows: the first three, or the first of two."""
    return image.extract_band(0, n=3) if image.bands >= 3 else image.extract_band(0)


def value_range(image: pyvips.Image) -> tuple[float, float]:
    """The lowest and the highest finite value over all bands, in one pass; (0, 0) if there is none."""
    stats = image.stats()
    low, high = stats(0, 0)[0], stats(1, 0)[0]
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    largest = 3.4e38 if image.format == "float" else 1.7e308
    finite = image.abs() <= largest  # false for infinities, and for what is not a number
    low = finite.ifthenelse(image, largest).min()
    high = finite.ifthenelse(image, -largest).max()
    return (low, high) if low <= high else (0.0, 0.0)


def has_unreal(image: pyvips.Image) -> bool:
    """Whether an image in memory holds values that are no finite numbers: NaN or infinity."""
    return image.format in ("float", "double") and not math.isfinite(image.stats()(2, 0)[0])  # their sum


def stretch(image: pyvips.Image, low: float, high: float) -> pyvips.Image:
    """`low` to `high` as 0 to 255, uchar, rounded; everything is 0 where they are equal."""
    scale = 255 / (high - low) if high > low else 0.0
    return image.linear(scale, 0.5 - low * scale, uchar=True)


def encode_jpeg(image: pyvips.Image, quality: int = 90) -> bytes:
    """A uchar image of 1 or 3 bands as JPEG, without metadata."""
    data: bytes = image.jpegsave_buffer(Q=quality, **NO_METADATA)
    return data


def encode_png(image: pyvips.Image) -> bytes:
    """A uchar image of 1 to 4 bands as PNG, without metadata; compression 1, which is five times faster than 6."""
    data: bytes = image.pngsave_buffer(compression=1, **NO_METADATA)
    return data


def _whole_numbers(image: pyvips.Image) -> tuple[pyvips.Image, dict[str, Any]]:
    """8 and 16 bit."""
    high = 255 if image.format == "uchar" else 65535
    words = "as it is" if image.format == "uchar" else "16 bit / 257"
    alpha = _has_alpha(image)
    if image.format == "ushort":
        image = image.linear(1 / 257, 0.5, uchar=True)
    if alpha:
        image = image.flatten(background=255)
    return _as_screen(image), {"mapping": words, "low": 0, "high": high}


def _as_screen(image: pyvips.Image) -> pyvips.Image:
    """The first three bands, or the first of two, marked as what a screen shows."""
    image = shown_bands(image)
    return image.copy(interpretation="srgb" if image.bands == 3 else "b-w")


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    """By the embedded profile if it is for such an image, else (CMYK) by libvips' own."""
    if _has_profile(image):
        return image.icc_transform("srgb", embedded=True, depth=8)
    return image.colourspace("srgb")


def _is_cmyk(image: pyvips.Image) -> bool:
    return image.interpretation == "cmyk" and image.bands >= 4 and image.format in ("uchar", "ushort")


def _has_alpha(image: pyvips.Image) -> bool:
    return image.interpretation in _COLOUR and image.bands in (2, 4)


def _has_profile(image: pyvips.Image) -> bool:
    """Whether the image has a colour profile that is made for as many bands as it has."""
    if image.format not in ("uchar", "ushort") or image.get_typeof("icc-profile-data") == 0:
        return False
    space = bytes(field(image, "icc-profile-data")[16:20])
    bands = image.bands - 1 if _has_alpha(image) else image.bands
    return _PROFILE_BANDS.get(space) == bands
