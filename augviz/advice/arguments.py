"""Rules on arguments: what the catalogue finds fault with, and what the installed library does with it.

Some faults raise, end the process or destroy the image: errors. Others the library takes and does something else, or
something useless: warnings. Which is which was tried on albumentationsxl 0.1.2; a test tries it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from augviz import catalog, checks, edits, guards
from augviz.advice import amounts, arriving, shapes
from augviz.advice.case import Case, Fix, Hit, Rule, Severity
from augviz.advice.kernels import zero_sum_share
from augviz.advice.steps import Range, images, limits, number, percent, switched_off
from augviz.model import XY, ImageFacts, ParamKind, Problem, Step, Value
from augviz.units import seconds_text

__all__ = ["RULES", "survives"]

PLAIN_MS_PER_MEGAPIXEL = {31: 33, 33: 1230, 51: 2940}
"""CPU milliseconds per megapixel of Blur by side of its kernel (D44)."""
SECONDS_BY_HOLES = ((200, 0.05), (500, 0.14), (1000, 0.33), (2000, 0.92))
"""CPU seconds at the call by number of holes, on an image of 2048 x 2048 px (D43)."""


# What the library does beyond the bounds and yet survives


def _useless(text: str) -> Callable[[Case, Step, Range], str]:
    return lambda _case, _step, _range: text


def _gamma(case: Case, step: Step, limit: Range) -> str:
    if limit[0] <= 0 or limit[1] > 100_000:
        return ""
    return f"It runs: {limit[0]:g} raises values to the power of {100 / limit[0]:.3g}, {limit[1]:g} to {100 / limit[1]:.3g}."


def _plain_blur(case: Case, step: Step, limit: Range) -> str:
    if limit[0] < 1 or limit[1] > guards.KERNEL_LIMIT:
        return ""
    if limit[1] <= 31:
        return "An even kernel blurs and moves the image by half a pixel; one of 1 px changes nothing."
    known = max(k for k in PLAIN_MS_PER_MEGAPIXEL if k <= limit[1])
    cost = PLAIN_MS_PER_MEGAPIXEL[known]
    here = amounts.megapixels(case, step) * cost / 1000
    total = f": {seconds_text(here)} for this image" if here else ""
    return (
        f"The fast path of libvips ends at 31 px: {PLAIN_MS_PER_MEGAPIXEL[31]} CPU ms per megapixel there, "
        f"{cost} at {known} px{total} (D44)."
    )


def _other_blur(case: Case, step: Step, limit: Range) -> str:
    if (
        limit[0] < (1 if step.transform == "AdvancedBlur" else 3)
        or limit[1] > guards.KERNEL_LIMIT
        or limit[0] % 2 == 0
        or limit[1] % 2 == 0
    ):
        return ""
    if limit[1] < 3:
        return _STILL
    return "It runs, and takes longer with the kernel: AdvancedBlur 540 CPU ms per megapixel at 63 px, MotionBlur 53 at 99."


def _median(case: Case, step: Step, limit: Range) -> str:
    return _STILL if limit[0] == 1 and limit[1] in (1, 3) else ""


def _amplitude(case: Case, step: Step, limit: Range) -> str:
    if limit[0] > 0 and limit[1] <= 1:
        return "It runs: the kernel is wider still, and takes longer."
    return "A value out of 0 to 1 is dropped by libvips, which takes its own default of 0.2, without an error (D52)."


def _crop(case: Case, step: Step, limit: Range) -> str:
    before = arriving.header(case, step)
    if limit[0] < 1 or not before.width:
        return ""
    args = catalog.resolved_args(step)
    return (
        f"The result is {min(args['width'], before.width)} x {min(args['height'], before.height)} px in place of "
        f"{args['width']} x {args['height']}, without an error; boxes and keypoints are then off by up to 47 px (D29)."
    )


def _holes(case: Case, step: Step, limit: Range) -> str:
    most, least = (number(step, name) or 0 for name in ("max_holes", "min_holes"))
    if limit[0] < 1 or limit[1] > guards.HOLE_LIMIT or least > most:
        return ""
    return _slow_holes(int(limit[1]))


def _slow_holes(holes: int) -> str:
    count, seconds = min(SECONDS_BY_HOLES, key=lambda row: abs(row[0] - holes))
    return f"It has {holes} holes: {count} took {seconds:g} CPU s at each call, and more take more each (D43)."


def _size(case: Case, step: Step, limit: Range) -> str:
    return "It gives a side of one pixel, or a wrong size, without an error (D33)." if limit[0] < 1 else _LARGE


def _pad(case: Case, step: Step, limit: Range) -> str:
    return "It runs and pads nothing." if limit[0] < 1 else _LARGE


def _not_negative(text: str) -> Callable[[Case, Step, Range], str]:
    return lambda _case, _step, limit: text if limit[0] >= 0 else ""


def _scale_limit(case: Case, step: Step, limit: Range) -> str:
    return "" if limit[0] <= -1 else _LARGE


_STILL = "It runs: a kernel of 1 px changes nothing."
_TAKES = "It runs: beyond these limits an image is black, white or clipped nearly everywhere."
_TURNS = "It runs: 360 degrees and more are the angles from 0 to 360 again."
_LARGE = "It runs; the limit is that of this editor."

SURVIVES: Mapping[tuple[str, str], Callable[[Case, Step, Range], str]] = {
    ("RandomBrightnessContrast", "brightness_limit"): _useless(_TAKES),
    ("RandomBrightnessContrast", "contrast_limit"): _useless(_TAKES),
    ("HueSaturationValue", "hue_shift_limit"): _useless(_TAKES),
    ("HueSaturationValue", "sat_shift_limit"): _useless(_TAKES),
    ("HueSaturationValue", "val_shift_limit"): _useless(_TAKES),
    ("HEDShift", "h_shift_limit"): _useless(_TAKES),
    ("HEDShift", "e_shift_limit"): _useless(_TAKES),
    ("HEDShift", "d_shift_limit"): _useless(_TAKES),
    ("RandomGamma", "gamma_limit"): _gamma,
    ("Blur", "blur_limit"): _plain_blur,
    ("AdvancedBlur", "blur_limit"): _other_blur,
    ("MotionBlur", "blur_limit"): _other_blur,
    ("MedianBlur", "blur_limit"): _median,
    ("GaussianBlur", "sigma_limit"): lambda _c, _s, r: _LARGE if r[0] >= 0 and r[1] <= 1000 else "",
    ("GaussianBlur", "min_amplitude"): _amplitude,
    ("AdvancedBlur", "sigmaX_limit"): lambda _c, _s, r: _LARGE if r[0] > 0 else "",
    ("AdvancedBlur", "sigmaY_limit"): lambda _c, _s, r: _LARGE if r[0] > 0 else "",
    ("AdvancedBlur", "noise_limit"): lambda _c, s, _r: "" if zero_sum_share(s) or _r[0] < 0 or _r[1] > 1 else _LARGE,
    ("AdvancedBlur", "rotate_limit"): _useless(_TURNS),
    ("Sharpen", "lightness"): _not_negative(_TAKES),
    ("Emboss", "strength"): _not_negative(_TAKES),
    ("GaussNoise", "var_limit"): _not_negative(_TAKES),
    ("GaussNoise", "mean"): _useless(_TAKES),
    ("Rotate", "limit"): _useless(_TURNS),
    ("Affine", "rotate"): _useless(_TURNS),
    ("Affine", "translate_percent"): _useless("It runs: what is moved by a whole side is out of the image."),
    ("Affine", "translate_px"): _useless("It runs: what is moved by a whole side is out of the image."),
    ("Affine", "scale"): lambda _c, _s, r: _LARGE if r[0] > 0 or r[1] < 0 else "",
    ("Affine", "shear"): lambda _c, _s, r: "" if any(r[0] <= a <= r[1] for a in range(-810, 900, 180)) else _LARGE,
    ("ElasticTransform", "alpha"): _useless(_LARGE),
    ("ElasticTransform", "sigma"): _not_negative(_LARGE),
    ("CropOrPad", "height"): lambda _c, _s, r: _LARGE if r[0] >= 1 else "",
    ("CropOrPad", "width"): lambda _c, _s, r: _LARGE if r[0] >= 1 else "",
    ("RandomScale", "scale_limit"): _scale_limit,
    ("RandomCrop", "height"): _crop,
    ("RandomCrop", "width"): _crop,
    ("CoarseDropout", "max_holes"): _holes,
    ("CoarseDropout", "min_holes"): _holes,
    ("ChannelDropout", "fill_value"): _useless("It runs: the fill is cut off at the limits of the format."),
    ("Normalize", "std"): lambda _c, _s, r: _LARGE if r[0] > 0 or r[1] < 0 else "",
    ("PadIfNeeded", "min_height"): _pad,
    ("PadIfNeeded", "min_width"): _pad,
    ("Resize", "height"): _size,
    ("Resize", "width"): _size,
    ("LongestMaxSize", "max_size"): _size,
    ("SmallestMaxSize", "max_size"): _size,
}
"""What the library does with a range or number out of its bounds, without raising; "" where it raises after all."""


def _grid(step: Step, facts: ImageFacts | None) -> str:
    """What GridDropout does with a grid out of bounds: it needs one with a hole of some size at each edge."""
    args = dict(catalog.resolved_args(step))
    if (args["unit_size_min"] is None) != (args["unit_size_max"] is None):
        args |= {"unit_size_min": None, "unit_size_max": None}
    left = checks.grid_fits(args, facts)
    if left is None:
        return _LARGE if facts is not None and 0 < args["ratio"] <= 1 else ""
    count = re.search(r"a grid of (\d+) holes", left.message)
    return _slow_holes(int(count[1])) if count and int(count[1]) <= guards.HOLE_LIMIT else ""


def survives(case: Case, step: Step, problem: Problem, facts: ImageFacts | None = None) -> str:
    """What the library does with an argument at fault and yet gives a sound image; "" where it does not.

    Args:
        facts: the image for which it is at fault.
    """
    if not problem.fix:
        return ""
    name = problem.fix[0][0]
    if step.transform == "GridDropout" and "both be given" not in problem.message:
        return _grid(step, facts)
    if "both be given" in problem.message:
        return "The library ignores one unit size without the other, and takes a tenth of the width."
    if "needs both x and y" in problem.message:
        return "The library fills in 1 for the axis that is missing, without an error (D32)."
    if "from low to high" in problem.message and step.transform not in ("AdvancedBlur", "Sharpen", "Emboss"):
        kind = catalog.transform(step.transform).param(name).kind.value
        return "It draws from the same range either way." if kind in ("range", "xy range") else ""
    row = SURVIVES.get((step.transform, name))
    asked = _asked(step, name)
    return row(case, step, asked) if row is not None and asked is not None else ""


def _asked(step: Step, name: str) -> Range | None:
    """Lowest and highest number that an argument gives, over both axes."""
    param, value = catalog.transform(step.transform).param(name), catalog.resolved_args(step).get(name)
    is_range = param.kind in (*catalog.PAIR_KINDS, ParamKind.XY_RANGE)
    ranges = checks.pairs(param, value) if is_range else ()
    numbers = [n for pair in ranges for n in pair] or _plain_numbers(value)
    return (min(numbers), max(numbers)) if numbers else None


def _plain_numbers(value: Value) -> list[float]:
    parts = (value.x, value.y) if isinstance(value, XY) else value if isinstance(value, tuple) else (value,)
    return [n for n in parts if isinstance(n, int | float) and not isinstance(n, bool)]


# What happens where it does not survive


def _consequence(case: Case, step: Step, problem: Problem, facts: ImageFacts | None) -> str:
    names = dict(problem.fix)
    args = catalog.resolved_args(step)
    if "noise_limit" in names and (share := zero_sum_share(step)):
        high = (limits(step, "noise_limit") or (0, 0))[1]
        return (
            f"With noise_limit up to {high:g}, {percent(share)} of the draws divide by zero, "
            f"which ends the process or makes a float image NaN: {images(case, step, share)} (D1)."
        )
    if "gamma_limit" in names and (limit := limits(step, "gamma_limit")) and limit[0] <= 0:
        share = min(1.0, -limit[0] / (limit[1] - limit[0])) if limit[1] > limit[0] else 1.0
        silently = f"which silently becomes v ** 2.4: {images(case, step, share)} (D12)"
        return f"{percent(share)} of the draws are 0 or below, {silently}."
    if "crop_border" in names and facts is not None:
        return f"{percent(_border_share(step, facts))} of the angles raise (D25)."
    if step.transform == "CoarseDropout" and max(args["max_holes"], args["min_holes"] or 0) > guards.HOLE_LIMIT:
        most = max(args["max_holes"], args["min_holes"] or 0)
        return f"It has up to {most} holes, and releasing a result of more than 2,500 can end the process (D2)."
    defect = {"GridDropout": " (D6)", "PadIfNeeded": " (D4)" if "value" in names else ""}.get(step.transform, "")
    return f"The library raises, at the latest when the step is applied, to {images(case, step)}{defect}."


def _border_share(step: Step, facts: ImageFacts) -> float:
    """Share of Rotate's angles at which crop_border raises."""
    low, high = limits(step, "limit") or (0.0, 0.0)
    args = catalog.resolved_args(step)
    angles = [low + (high - low) * (i + 0.5) / 180 for i in range(180)]
    hit = sum(checks.border_crop_fits({**args, "limit": (a, a)}, facts) is not None for a in angles)
    return max(hit, 0.5) / len(angles)


# The rules


def _mended(case: Case, step: Step) -> Fix:
    """The step mended by other arguments; done without where none do."""
    gamma = limits(step, "gamma_limit") if step.transform == "RandomGamma" else None
    if gamma is not None and gamma[0] <= 0:  # what the bounds leave, from 1 percent, is black
        return Fix("Fix", edits.put(case.pipeline, step.without_args("gamma_limit")))
    mended = arriving.mended(case, step)
    return switched_off(case, step) if mended is None else Fix("Fix", edits.put(case.pipeline, mended))


def _found(case: Case, *, fatal: bool) -> Iterator[Hit]:
    for step in case.steps():
        for problem, facts in arriving.problems(case, step):
            harmless = survives(case, step, problem, facts)
            if fatal != bool(harmless) and not _is_told(case, step):
                fix = _mended(case, step) if problem.fix else switched_off(case, step)
                evidence = (
                    f"{harmless} Applied to {images(case, step)}."
                    if harmless
                    else _consequence(case, step, problem, facts)
                )
                yield Hit(problem.message, evidence, step.id, fix)


def _is_told(case: Case, step: Step) -> bool:
    """Whether the rule on sizes tells of a RandomCrop that is larger than the image."""
    return step.transform == "RandomCrop" and any(
        hit.step == step.id and hit.message.startswith("RandomCrop asks") for hit in shapes.size_varies(case)
    )


def _fatal(case: Case) -> Iterator[Hit]:
    return _found(case, fatal=True)


def _strange(case: Case) -> Iterator[Hit]:
    return _found(case, fatal=False)


RULES: tuple[Rule, ...] = (
    Rule(
        "argument-problem",
        Severity.ERROR,
        "Arguments that raise, end the process or destroy the image: out of the library's bounds, at odds with each "
        "other, or with the image (D1, D2, D3, D4, D6, D12, D20, D25, D54).",
        _fatal,
    ),
    Rule(
        "argument-limit",
        Severity.WARNING,
        "Arguments that the library takes without an error and does something else with, something slow or something "
        "useless (D29, D32, D33, D43, D44, D52).",
        _strange,
    ),
)
