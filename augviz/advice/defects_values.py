"""Defects of the installed library in colours, blurs and noise: what a step really does with the values it is given."""

from __future__ import annotations

import math
from collections.abc import Iterator

from augviz import catalog
from augviz.advice import arriving
from augviz.advice.case import Case, Hit, Rule, Severity
from augviz.advice.kernels import effective_sigma, motion_still_share, single_tap_share, still_below
from augviz.advice.steps import each, given, images, limits, names, number, percent, span
from augviz.model import Step

__all__ = ["HED_ROWS", "RULES"]

GAMMA_MIDDLE = 0.05
"""How far the geometric middle of gamma_limit may lie from 100, as a share: within it, inverting changes little."""

SIGMA_LOSS = 0.1
"""A blur that acts as this much less than the sigma that was asked for is told."""

STILL_SHARE = 0.2
"""Share of draws that may change nothing before MotionBlur is told of."""

HED_ROWS = {
    "h_shift_limit": (0.65, 0.70, 0.29),
    "e_shift_limit": (0.07, 0.99, 0.11),
    "d_shift_limit": (0.27, 0.57, 0.78),
}
"""How much each stain takes of red, green and blue (Ruifrok and Johnston)."""

UNIT_DEGREES = 360 / 255
"""What HueSaturationValue's unit of hue is, where other libraries count 2 degrees."""

_FLAT_200 = {
    "Blur": "201",
    "GaussianBlur": "up to 202",
    "MotionBlur": "199 to 202",
    "AdvancedBlur": "194 to 203",
    "Sharpen": "0.49 less on average than exact",
    "Emboss": "0.49 less on average than exact",
}
"""What convolutions of 8 bit make of a flat 200, by transform."""


def _gets(case: Case, step: Step, *formats: str) -> bool:
    """Whether a step gets an image of one of these formats in some draw."""
    return bool(arriving.formats(case, step) & set(formats))


# Colours


def _gamma(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "gamma_limit")
    if limit is None or limit[0] <= 0 or "gamma_limit" in arriving.troubled(case, step):
        return
    low, high = limit
    if abs(math.log(math.sqrt(low * high) / 100)) <= math.log(1 + GAMMA_MIDDLE):
        return
    made = [255 * (128 / 255) ** (100 / g) for g in limit]
    meant = [255 * (128 / 255) ** (g / 100) for g in limit]
    message = (
        "RandomGamma raises values to 100 / gamma, not to gamma / 100 as elsewhere: below 100 it darkens. For the other way give "
        f"gamma_limit {span(1e4 / high, 1e4 / low)} (D11)."
    )
    evidence = (
        f"With {span(low, high)} a grey of 128 becomes {span(*made)}; v ** (gamma / 100) would give {span(*meant)}."
    )
    yield Hit(message, evidence, step.id)


def _hue(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "hue_shift_limit")
    if limit is None or "hue_shift_limit" in arriving.troubled(case, step) or not _gets(case, step, "uchar"):
        return
    units = int(max(map(abs, limit)))  # the library cuts the shift to a whole number
    if units:
        message = (
            "HueSaturationValue stops hues at red where they should go on round the circle, and one unit of it is 1.41 degrees, "
            "not 2 (D14)."
        )
        evidence = (
            f"A shift of {units} unit{'s' * (units > 1)} is {units * UNIT_DEGREES:.2g} degrees; "
            f"of all hues, the {percent(units / 255)} that lie so near to red end there."
        )
        yield Hit(message, evidence, step.id)


def _stains(case: Case, step: Step) -> Iterator[Hit]:
    if not _gets(case, step, "uchar") or arriving.troubled(case, step):
        return
    shifts = {name: max(0.0, (limits(step, name) or (0.0, 0.0))[1]) for name in HED_ROWS}
    white = [255 * math.exp(math.log(1e-6) * sum(shifts[n] * row[b] for n, row in HED_ROWS.items())) for b in range(3)]
    message = (
        "HEDShift changes colours that no stain gives even at a shift of 0, and tints a white background; use it on H&E images "
        "only (D16)."
    )
    evidence = (
        "At a shift of 0 a photograph changed by 22.9 levels on average, H&E's pink and purple by none; "
        f"with these limits white goes as far as {', '.join(f'{w:.0f}' for w in white)}."
    )
    yield Hit(message, evidence, step.id)


def _unscaled(case: Case, step: Step) -> Iterator[Hit]:
    args = catalog.resolved_args(step)
    if args.get("scale") is False and args.get("dtype") in ("float", "double") and _gets(case, step, "uchar"):
        message = "ToDtype divides by 255 although scale is False (D18)."
        evidence = "A grey of 200 becomes 0.784, where scale=False asks for 200."
        yield Hit(message, evidence, step.id, given(case, "Set scale", step, scale=True))


# Blurs


def _amplitude(step: Step) -> float:
    """The amplitude that acts: libvips takes its own 0.2 for what is out of its range (D52)."""
    given_amplitude = number(step, "min_amplitude")
    return given_amplitude if given_amplitude is not None and 0 < given_amplitude <= 1 else 0.2


def _is_still(step: Step) -> bool:
    """Whether a GaussianBlur's kernel has one tap, whatever it draws."""
    limit = limits(step, "sigma_limit") if step.transform == "GaussianBlur" else None
    return limit is not None and effective_sigma(limit[1], _amplitude(step)) == 0


def _gaussian_still(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "sigma_limit")
    if limit is None or limit[1] == 0 or "sigma_limit" in arriving.troubled(case, step) or not _is_still(step):
        return
    least = still_below(_amplitude(step))
    where = f"below a sigma of {least:.3g}" if math.isfinite(least) else "by a min_amplitude of 1"
    message = f"GaussianBlur changes nothing: its kernel is cut to one tap {where} (D19)."
    evidence = f"With sigma_limit {span(*limit)} the result is the input, byte for byte, in {images(case, step)}."
    yield Hit(
        message, evidence, step.id, given(case, "Set sigma_limit", step, sigma_limit=(0.5, 3.0), min_amplitude=0.01)
    )


def _gaussian_cut(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "sigma_limit")
    if limit is None or {"sigma_limit", "min_amplitude"} & arriving.troubled(case, step):
        return
    (low, high), amplitude = limit, _amplitude(step)
    acts = effective_sigma(high, amplitude)
    if acts == 0 or acts >= (1 - SIGMA_LOSS) * high:
        return
    least = still_below(amplitude)
    still = (min(least, high) - low) / (high - low) if low < least and high > low else 0.0
    message = (
        f"GaussianBlur cuts its kernel off where it falls below {amplitude:g}, so it blurs less than sigma says (D19)."
    )
    evidence = f"A sigma of {high:g} acts as {acts:.3g}" + (
        f"; {percent(still)} of the draws change nothing." if still else "."
    )
    yield Hit(message, evidence, step.id, given(case, "Set min_amplitude", step, min_amplitude=0.01))


def _advanced(case: Case, step: Step) -> Iterator[Hit]:
    x, y = limits(step, "sigmaX_limit"), limits(step, "sigmaY_limit")
    if (
        x is None
        or y is None
        or {"sigmaX_limit", "sigmaY_limit", "blur_limit", "beta_limit"} & arriving.troubled(case, step)
    ):
        return
    share = single_tap_share(step)
    if share < 0.01:
        return
    message = "AdvancedBlur rounds its kernel to 1/255, and where only the centre is left it changes nothing (D9)."
    evidence = f"With sigmas of {span(*x)} and {span(*y)}, {percent(share)} of its draws: {images(case, step, share)}."
    at_least = {"sigmaX_limit": (max(1.0, x[0]), max(1.0, x[1])), "sigmaY_limit": (max(1.0, y[0]), max(1.0, y[1]))}
    yield Hit(message, evidence, step.id, given(case, "Raise the sigmas to 1", step, **at_least))


def _motion(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "blur_limit")
    if limit is None or step.get("allow_shifted", True) is not False or "blur_limit" in arriving.troubled(case, step):
        return
    low, high = int(limit[0]), int(limit[1])
    share = motion_still_share(low, high)
    if share >= STILL_SHARE:
        message = "MotionBlur with allow_shifted=False shortens short lines to a point, which changes nothing (D50)."
        evidence = f"With kernels of {span(low, high)} px, {percent(share)} of its draws: {images(case, step, share)}."
        yield Hit(message, evidence, step.id, given(case, "Use kernels from 7 px", step, blur_limit=(7, max(7, high))))


def _rounding(case: Case) -> Iterator[Hit]:
    """Told once: 8-bit kernels work in whole numbers."""
    met = [step for step in case.steps() if step.transform in _FLAT_200 and _gets(case, step, "uchar")]
    met = [step for step in met if not _is_still(step)]
    if not met:
        return
    blurs = [step for step in met if step.transform not in ("Sharpen", "Emboss")]
    others = [step for step in met if step.transform in ("Sharpen", "Emboss")]
    off = [f"{names(blurs)} off by some levels of 255 (D49)"] if blurs else []
    off += [f"{names(others)} rounded down (D17)"] if others else []
    message = f"Kernels work in whole numbers on 8 bit, also where all is flat: {' and '.join(off)}."
    shown = "; ".join(f"{name} {_FLAT_200[name]}" for name in dict.fromkeys(step.transform for step in met))
    yield Hit(message, f"What a flat 200 becomes: {shown}.", met[0].id)


# Noise


def _noise(case: Case, step: Step) -> Iterator[Hit]:
    variance, mean = limits(step, "var_limit"), number(step, "mean") or 0.0
    if variance is None or "var_limit" in arriving.troubled(case, step) or not _gets(case, step, "uchar"):
        return
    low, high = (math.sqrt(max(0.0, v)) for v in variance)
    if not high and not mean:
        return
    asked = [f"var_limit {span(variance[0] / 4, variance[1] / 4)}"] if high else []
    asked += [f"mean {mean / 2:g}"] if mean else []
    got = [f"Its deviation is {span(2 * low, 2 * high)} levels, where {span(low, high)} was asked for"] if high else []
    got += [f"{'the' if high else 'The'} mean moves by {2 * mean:g} in place of {mean:g}"] if mean else []
    message = (
        "GaussNoise adds its noise twice, so that deviation and mean are doubled; for what the arguments say give "
        f"{' and '.join(asked)} (D10)."
    )
    yield Hit(message, f"{', and '.join(got)}.", step.id)


def _prints(case: Case, step: Step) -> Iterator[Hit]:
    if step.transform == "Emboss":
        yield Hit(
            "Emboss prints its kernel to stdout each time it is applied (D46).",
            f"Prints for {images(case, step)}.",
            step.id,
        )
    else:
        yield Hit(
            "ElasticTransform prints to stdout when it is built (D46).",
            f"1 time in each worker process; the step is applied to {images(case, step)}.",
            step.id,
        )


RULES: tuple[Rule, ...] = (
    Rule(
        "gaussian-blur-does-nothing",
        Severity.WARNING,
        "sigma_limit is so small, or min_amplitude so large, that the kernel is cut to one tap (D19).",
        each(_gaussian_still, "GaussianBlur"),
    ),
    Rule(
        "advanced-blur-does-nothing",
        Severity.WARNING,
        "The sigmas are so small that some of the kernels are rounded to a single tap (D9).",
        each(_advanced, "AdvancedBlur"),
    ),
    Rule(
        "motion-blur-does-nothing",
        Severity.WARNING,
        "allow_shifted=False with kernels below 7 px changes nothing in a fifth of the draws or more (D50).",
        each(_motion, "MotionBlur"),
    ),
    Rule(
        "scale-is-ignored",
        Severity.WARNING,
        "ToDtype with scale=False divides 8 bit by 255 all the same (D18).",
        each(_unscaled, "ToDtype"),
    ),
    Rule(
        "gaussian-blur-cut-off",
        Severity.NOTE,
        "min_amplitude cuts so much of the kernel off that the blur is a tenth weaker than sigma says, or more (D19).",
        each(_gaussian_cut, "GaussianBlur"),
    ),
    Rule(
        "gamma-is-inverted",
        Severity.NOTE,
        "RandomGamma's exponent is 100 / gamma; told unless the range is about the same when it is inverted (D11).",
        each(_gamma, "RandomGamma"),
    ),
    Rule(
        "hue-is-clipped",
        Severity.NOTE,
        "HueSaturationValue shifts hues by a unit or more, and stops them at red (D14).",
        each(_hue, "HueSaturationValue"),
    ),
    Rule(
        "stains-of-colours-without",
        Severity.NOTE,
        "HEDShift changes what is not stained, and tints white (D16).",
        each(_stains, "HEDShift"),
    ),
    Rule(
        "noise-is-doubled",
        Severity.NOTE,
        "GaussNoise adds its noise twice (D10).",
        each(_noise, "GaussNoise"),
    ),
    Rule(
        "rounding-of-8-bit",
        Severity.NOTE,
        "Blurs and sharpening on 8 bit work in whole numbers (D49, D17); told once for a pipeline.",
        _rounding,
    ),
    Rule(
        "prints",
        Severity.NOTE,
        "Emboss prints at each call, ElasticTransform when it is built (D46).",
        each(_prints, "Emboss", "ElasticTransform"),
    ),
)
"""The worst first."""
