"""Cross-field rules of the transforms' arguments: what the library would raise for, or silently do something else for.

A check gets the full arguments (the library's defaults filled in) and the facts of the image if they are known. It
holds for the installed version, albumentationsxl 0.1.2; the numbers D1 to D55 are its measured defects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from augviz.model import DTYPES, XY, ImageFacts, ParamKind, ParamSpec, Problem, Value

Args = Mapping[str, Any]

MAX_HOLES = 500
"""Holes of a dropout; the time grows faster than their number (D43), thousands end the process (D2)."""

PAIR_KINDS = (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE)

_SCALAR_LOW: Mapping[str, float] = {
    "blur_limit": 3,
    "sigmaX_limit": 0.0,
    "sigmaY_limit": 0.0,
    "beta_limit": 0.0,
    "noise_limit": 0.0,
    "sigma_limit": 0,
    "var_limit": 0,
    "alpha": 0.0,
    "lightness": 0.0,
    "strength": 0.0,
}
"""The other end of the range that the library makes of a single number; without an entry it is minus the number."""


def is_number(value: object) -> bool:
    """Whether `value` is an int or a float; a bool is neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def pair(param: ParamSpec, value: Any) -> tuple[Any, Any] | None:
    """The (low, high) that the library draws from for `value` of a range parameter.

    A single number v is (-v, v), or (low, v) in order where the library has a fixed low end, or (v, v) for Affine.
    None if `value` is no range: not given, of another length, or an `XY`.
    """
    if isinstance(value, tuple):
        return (value[0], value[1]) if len(value) == 2 and all(map(is_number, value)) else None
    if not is_number(value):
        return None
    if param.kind is ParamKind.XY_RANGE or param.name == "rotate":
        return value, value
    low = _SCALAR_LOW.get(param.name)
    if low is None:
        return -value, value
    return (low, value) if low < value else (value, low)


def pairs(param: ParamSpec, value: Any) -> tuple[tuple[Any, Any], ...]:
    """The ranges that `value` holds: none, one, or one for each axis that an `XY` gives."""
    parts = (value.x, value.y) if isinstance(value, XY) else (value,)
    found = (pair(param, part) for part in parts)
    return tuple(p for p in found if p is not None)


# Affine


def one_translation(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """Affine raises if both translations are given (D32)."""
    if args["translate_px"] is None or args["translate_percent"] is None:
        return None
    return Problem(
        "only one of translate_px and translate_percent may be given, got both.", (("translate_percent", None),)
    )


def both_axes(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """Affine moves or shears the axis that was not given by 1 (D32)."""
    for name in ("translate_px", "shear"):
        value = args[name]
        if isinstance(value, XY) and (value.x is None) != (value.y is None):
            missing, unit = ("y", "px") if value.y is None else ("x", "degree")
            unit = "px" if name == "translate_px" else "degree"
            whole = XY(0 if value.x is None else value.x, 0 if value.y is None else value.y)
            return Problem(
                f"{name} needs both x and y: the library takes 1 {unit} for a missing {missing}.", ((name, whole),)
            )
    return None


def equal_scales(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """Affine with keep_ratio raises unless both axes have the same range of scales."""
    scale = args["scale"]
    if not args["keep_ratio"] or not isinstance(scale, XY) or scale.x == scale.y:
        return None
    return Problem("keep_ratio needs the same range of scale for x and y.", (("scale", XY(scale.x, scale.x)),))


# Blur


def beta_around_one(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """AdvancedBlur raises unless 1 lies strictly inside beta_limit."""
    beta = args["beta_limit"]
    low, high = beta if isinstance(beta, tuple) and len(beta) == 2 else (0.0, beta)
    if low < 1 < high:
        return None
    fix = (low if low < 1 else 0.5, high if high > 1 else 8.0)
    return Problem(f"beta_limit must have 1 strictly inside, got {low} to {high}.", (("beta_limit", fix),))


# Crop and pad


def crop_order(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """Crop raises for an empty rectangle."""
    for axis in ("x", "y"):
        low, high = args[f"{axis}_min"], args[f"{axis}_max"]
        if low >= high:
            return Problem(
                f"{axis}_min must be below {axis}_max, got {low} and {high}.", ((f"{axis}_min", max(0, high - 1)),)
            )
    return None


def one_way_to_pad(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """PadIfNeeded raises unless exactly one of the minimum and the divisor is given for each axis."""
    for axis in ("height", "width"):
        minimum, divisor = args[f"min_{axis}"], args[f"pad_{axis}_divisor"]
        if (minimum is None) == (divisor is None):
            got = "neither" if minimum is None else "both"
            fix: tuple[str, Value] = (f"min_{axis}", 1024 if minimum is None else None)
            return Problem(f"exactly one of min_{axis} and pad_{axis}_divisor must be given, got {got}.", (fix,))
    return None


def fill_given(args: Args, facts: ImageFacts | None) -> Problem | None:
    """PadIfNeeded raises without a fill, whatever the border mode, even if nothing has to be padded (D4)."""
    if args["value"] is not None:
        return None
    return Problem("value must be given, the library's default raises.", (("value", white(facts)),))


# Colour, noise


def three_bands(args: Args, facts: ImageFacts | None) -> Problem | None:
    """HEDShift and ChannelDropout raise unless the image has exactly 3 bands."""
    if facts is None or facts.header.bands == 3:
        return None
    return Problem(f"works on images of 3 bands only, the image has {facts.header.bands}.")


def one_or_three_bands(args: Args, facts: ImageFacts | None) -> Problem | None:
    """HueSaturationValue raises unless the image has 1 or 3 bands."""
    if facts is None or facts.header.bands in (1, 3):
        return None
    return Problem(f"works on images of 1 or 3 bands only, the image has {facts.header.bands}.")


def at_least_three_bands(args: Args, facts: ImageFacts | None) -> Problem | None:
    """RandomBrightnessContrast asks an 8-bit image for its second and third band (D13)."""
    if facts is None or facts.header.bands >= 3 or facts.header.format != "uchar":
        return None
    return Problem(f"needs at least 3 bands in an 8-bit image, the image has {facts.header.bands}.")


def no_sign(args: Args, facts: ImageFacts | None) -> Problem | None:
    """RandomBrightnessContrast knows no highest value for formats with a sign (D13)."""
    if facts is None or facts.header.format not in ("char", "short", "int"):
        return None
    return Problem(f"works on unsigned and float values only, the image has {DTYPES[facts.header.format]}.")


def band_left(args: Args, facts: ImageFacts | None) -> Problem | None:
    """ChannelDropout raises if it could drop every band."""
    drop = args["channel_drop_range"]
    if not isinstance(drop, tuple):
        return Problem(f"channel_drop_range must be a pair, got {drop}.", (("channel_drop_range", (1, 1)),))
    return None


def noise_bands(args: Args, facts: ImageFacts | None) -> Problem | None:
    """GaussNoise makes 3 bands of noise per channel, which only 1 and 3 bands can take (D10)."""
    if facts is None or not args["per_channel"] or facts.header.bands in (1, 3):
        return None
    message = f"per_channel works on images of 1 or 3 bands only, the image has {facts.header.bands}."
    return Problem(message, (("per_channel", False),))


def elastic_fill(args: Args, facts: ImageFacts | None) -> Problem | None:
    """ElasticTransform fills with three numbers by default, which only 1 and 3 bands can take."""
    if facts is None or args["value"] is not None or facts.header.bands in (1, 3):
        return None
    message = f"value must be given for an image of {facts.header.bands} bands, the library's default has 3 numbers."
    return Problem(message, (("value", white(facts)),))


def only_three_or_one_fill(args: Args, facts: ImageFacts | None) -> Problem | None:
    """CropOrPad fills with three numbers, always, which only 1 and 3 bands can take (D21)."""
    if facts is None or facts.header.bands in (1, 3):
        return None
    return Problem(f"works on images of 1 or 3 bands only (its fill is fixed), the image has {facts.header.bands}.")


def lengths(*names: str) -> Any:
    """A check that each of the named colours has one number, or one for each band."""

    def check(args: Args, facts: ImageFacts | None) -> Problem | None:
        for name in names:
            value = args.get(name)
            if not isinstance(value, tuple) or facts is None or len(value) in (1, facts.header.bands):
                continue
            bands = facts.header.bands
            fixed = (*value[:bands], *value[-1:] * (bands - len(value)))
            allowed = "1 number" if bands == 1 else f"1 or {bands} numbers"
            message = (
                f"{name} must have {allowed} (the image has {bands} band{'' if bands == 1 else 's'}), got {len(value)}."
            )
            return Problem(message, ((name, fixed),) if value else ())
        return None

    return check


def white(facts: ImageFacts | None) -> float | int:
    """White in the image's own units: 255 for 8 bit and for an unknown image, 65535 for 16 bit, 1.0 for float."""
    if facts is None:
        return 255
    return {"ushort": 65535, "short": 32767, "float": 1.0, "double": 1.0}.get(facts.header.format, 255)


# Dropout


def at_least(low: str, high: str) -> Any:
    """A check that `low` is not above `high`; None is the other's value."""

    def check(args: Args, _facts: ImageFacts | None) -> Problem | None:
        small, large = args[low], args[high]
        if small is None or large is None or small <= large:
            return None
        return Problem(f"{low} must not be above {high}, got {small} and {large}.", ((low, large),))

    return check


def sizes_of_one_type(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """CoarseDropout raises unless its sizes are all pixels or all fractions (D54)."""
    given = {
        name: args[name] for name in ("max_height", "max_width", "min_height", "min_width") if args[name] is not None
    }
    if len({type(v) for v in given.values()}) <= 1:
        return None
    kept = type(args["max_height"])
    mended = {n: 8 if kept is int else 0.05 for n, v in given.items() if type(v) is not kept}
    words = ", ".join(f"{n} {v}" for n, v in given.items())
    return Problem(f"sizes must be all pixels (ints) or all fractions (floats), got {words}.", tuple(mended.items()))


def hole_of_a_pixel(args: Args, facts: ImageFacts | None) -> Problem | None:
    """CoarseDropout raises for a fraction that is less than a pixel (D54)."""
    if facts is None:
        return None
    for axis, side in (("height", facts.header.height), ("width", facts.header.width)):
        name = f"min_{axis}" if args[f"min_{axis}"] is not None else f"max_{axis}"
        value = args[name]
        if isinstance(value, float) and 0 < value < 1 and int(side * value) < 1:
            least = math.ceil(1000 / side) / 1000
            fix = ((name, least),) if least < 1 else ()
            return Problem(f"{name} must be at least one pixel ({least} of {side} px), got {value}.", fix)
    return None


def _grid_units(args: Args, width: int, height: int) -> list[tuple[int, int]]:
    """The (width, height) that a grid cell can have; the library's own upper limit is off by one (D6)."""
    low, high = args["unit_size_min"], args["unit_size_max"]
    if low and high:
        return [(unit, unit) for unit in range(low, high + 2)]
    x = max(2, width // 10) if args["holes_number_x"] is None else width // args["holes_number_x"]
    y = max(min(x, height), 2) if args["holes_number_y"] is None else height // args["holes_number_y"]
    return [(x, y)]


def _grid_error(args: Args, width: int, height: int) -> str:
    """Why GridDropout would raise or draw too many holes on an image of this size; "" if it would not."""
    for name, side in (("holes_number_x", width), ("holes_number_y", height)):
        if args[name] is not None and not 1 <= args[name] <= side // 2:
            return f"{name} must lie within 1 and {side // 2} (half the side), got {args[name]}."
    if args["unit_size_min"] and args["unit_size_max"]:  # noqa: SIM102
        if not 2 <= args["unit_size_min"] <= args["unit_size_max"] <= min(width, height):
            return (
                f"unit sizes must be in order within 2 and {min(width, height)}, "
                f"got {args['unit_size_min']} and {args['unit_size_max']}."
            )
    for unit in _grid_units(args, width, height):
        for axis, side, u in zip("xy", (width, height), unit, strict=True):
            hole = min(max(int(u * args["ratio"]), 1), u - 1)
            shift = u - hole if args["random_offset"] else min(max(0, args[f"shift_{axis}"] or 0), u - hole)
            if shift >= side % u:
                what = "random_offset can put" if args["random_offset"] else "the grid puts"
                return (
                    f"{what} a hole of no size at the far edge in {axis} (unit {u} px, image {side} px), which raises."
                )
    for unit in _grid_units(args, width, height):
        count = math.prod(side // u + 1 for side, u in zip((width, height), unit, strict=True))
        if count > MAX_HOLES:
            return f"a grid of {count} holes is more than {MAX_HOLES}; use larger units."
    return ""


def _mended_numbers(args: Args, width: int, height: int) -> Iterable[dict[str, Value]]:
    """Numbers of holes that might work, nearest to what was asked first."""

    def near(name: str, side: int) -> list[int]:
        wanted = args[name] or 10
        return sorted(range(2, min(20, side // 2) + 1), key=lambda n: (abs(n - wanted), n))

    for y in near("holes_number_y", height):
        for x in near("holes_number_x", width):
            yield {"holes_number_x": x, "holes_number_y": y}


def grid_fits(args: Args, facts: ImageFacts | None) -> Problem | None:
    """GridDropout raises for most sizes (D6), and is slow or fatal for many holes (D2, D43)."""
    if facts is None:
        return None
    width, height = facts.header.width, facts.header.height
    message = _grid_error(args, width, height)
    if not message:
        return None
    plain: dict[str, Value] = {
        "unit_size_min": None,
        "unit_size_max": None,
        "shift_x": 0,
        "shift_y": 0,
        "random_offset": False,
    }
    for numbers in _mended_numbers(args, width, height):
        mended = {**args, **plain, **numbers}
        if not _grid_error(mended, width, height):
            return Problem(message, tuple((k, v) for k, v in mended.items() if args.get(k) != v))
    return Problem(message)


def both_units(args: Args, _facts: ImageFacts | None) -> Problem | None:
    """GridDropout ignores one unit size without the other."""
    low, high = args["unit_size_min"], args["unit_size_max"]
    if (low is None) == (high is None):
        return None
    both = low if high is None else high
    return Problem(
        "unit_size_min and unit_size_max must both be given; one alone is ignored.",
        (("unit_size_min", both), ("unit_size_max", both)),
    )


# Rotate


def rotated_crop(width: int, height: int, degrees: float) -> tuple[int, int]:
    """Right and bottom of the rectangle that Rotate(crop_border=True) cuts out, as the library computes it (D25)."""
    angle = math.radians(degrees)
    long, short = max(width, height), min(width, height)
    sin, cos = abs(math.sin(angle)), abs(math.cos(angle))
    if short <= 2 * sin * cos * long or abs(sin - cos) < 1e-10:
        half = 0.5 * short
        w, h = (half / sin, half / cos) if width >= height else (half / cos, half / sin)
    else:
        cos_2a = cos * cos - sin * sin
        w, h = (width * cos - height * sin) / cos_2a, (height * cos - width * sin) / cos_2a
    return min(width, int(width / 2 + w / 2)), min(height, int(height / 2 + h / 2))


def border_crop_fits(args: Args, facts: ImageFacts | None) -> Problem | None:
    """Rotate(crop_border=True) crops by the old canvas; near 90 degrees that lies outside the new one (D25)."""
    if facts is None or not args["crop_border"]:
        return None
    limit = args["limit"]
    low, high = limit if isinstance(limit, tuple) else (-abs(limit), abs(limit))
    width, height = facts.header.width, facts.header.height
    steps = max(1, math.ceil(4 * (high - low)))
    for degrees in (low + (high - low) * i / steps for i in range(steps + 1)):
        sin, cos = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
        right, bottom = rotated_crop(width, height, degrees)
        if right > round(width * cos + height * sin) or bottom > round(width * sin + height * cos):
            message = f"crop_border raises at {degrees:.3g} degrees on an image of {width} x {height} px."
            return Problem(message, (("crop_border", False),))
    return None
