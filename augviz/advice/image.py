"""Rules on what the pipeline is fed: formats and bands that steps break on, and (by `access`) the file that is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from augviz import catalog, edits
from augviz.advice import access, arriving, values
from augviz.advice.case import Case, Fix, Hit, Rule, Severity
from augviz.advice.steps import (
    each,
    given,
    limits,
    names,
    on_top,
    percent,
    span,
    switched_off,
    with_input,
)
from augviz.model import DTYPES, Step

__all__ = ["ALPHA_TOO", "FLOATS", "RULES", "TOPS", "culprit", "to_8_bit"]

TOPS = {"ushort": 65535, "short": 32767, "uint": 2**32 - 1, "int": 2**31 - 1}
FLOATS = ("float", "double")


# Formats


def to_8_bit(case: Case, step: Step) -> Fix | None:
    """The fix that feeds the pipeline 8 bit, or does without a step that would raise then; None where it is fed 8 bit."""
    if case.facts is None or case.facts.header.format == "uchar" or case.pipeline.input.as_8_bit:
        return None
    eight = replace(case.facts, header=replace(case.before(step), format="uchar"))
    if catalog.problems(step, eight) and not catalog.problems(step, case.seen(step)):
        return switched_off(case, step)
    return with_input(case, "Convert to 8 bit", as_8_bit=True)


def culprit(case: Case, step: Step, *transforms: str) -> Step | None:
    """The first step of these transforms above another, both on the top level."""
    for item in case.pipeline.steps:
        if item.id == step.id:
            return None
        if isinstance(item, Step) and item.enabled and item.transform in transforms:
            return item if on_top(case, step) else None
    return None


def _before(case: Case, step: Step, maker: Step | None) -> Fix | None:
    """The fix that moves a step before what makes floats; where the file itself holds them, 8 bit."""
    if maker is None or case.source().format in FLOATS:
        return to_8_bit(case, step)
    return Fix(f"Move before {maker.transform}", edits.move_before(case.pipeline, step.id, maker.id))


def _wide(case: Case, step: Step) -> Iterator[Hit]:
    """What steps that are made for 8 bit do to wider whole numbers."""
    wide = sorted(arriving.formats(case, step) & set(catalog.WIDER_INTEGERS))
    if not wide:
        return
    dtype, top, name, fix = DTYPES[wide[0]], TOPS[wide[0]], step.transform, to_8_bit(case, step)
    defect = catalog.EIGHT_BIT_ONLY[name]
    ends = "the colours come out wrong" if name == "HEDShift" else "nearly every pixel ends at a limit"
    message = f"{name} takes {dtype} for 8 bit: {ends} ({defect})."
    evidence = (
        f"It asks for values up to {1 if name == 'RandomBrightnessContrast' else 255} and gets some up to {top:,}."
    )
    yield Hit(message, evidence, step.id, fix)


def _kept(case: Case, step: Step) -> Iterator[Hit]:
    """ToDtype gives 16 bit back as it is (D18)."""
    wide = sorted(arriving.formats(case, step) & set(catalog.WIDER_INTEGERS))
    if wide:
        dtype, top = DTYPES[wide[0]], TOPS[wide[0]]
        message = f"ToDtype leaves {dtype} as it is, without an error; it takes 8 bit and float only (D18)."
        evidence = f"What follows gets values up to {top:,} where {step.get('dtype')} is asked for."
        yield Hit(message, evidence, step.id, to_8_bit(case, step))


def _floats(case: Case, step: Step) -> Iterator[Hit]:
    """What steps that are made for 8 bit do to floats."""
    defect = catalog.EIGHT_BIT_ONLY.get(step.transform)
    if defect is None or not arriving.formats(case, step) & set(FLOATS):
        return
    maker = culprit(case, step, "Normalize", "ToDtype")
    if step.transform != "RandomBrightnessContrast":
        message = f"{step.transform} makes an 8-bit image of float values, black where they run from 0 to 1 ({defect})."
        evidence = "Values from 0 to 1 become 0 or 1 of 255 levels."
    elif maker := culprit(case, step, "Normalize"):
        message = f"{step.transform} cuts what Normalize has made off at 0 and 1 ({defect})."
        evidence = "What lies below the mean, about half of an image, becomes 0 throughout."
    else:
        return
    yield Hit(message, evidence, step.id, _before(case, step, maker))


def _noise(case: Case, step: Step) -> Iterator[Hit]:
    """GaussNoise is in 8-bit levels, whatever the format (D10)."""
    formats, variance = arriving.formats(case, step), limits(step, "var_limit")
    if variance is None or variance[1] <= 0 or "var_limit" in arriving.troubled(case, step):
        return
    most = 2 * variance[1] ** 0.5
    wide = sorted(formats & set(catalog.WIDER_INTEGERS))
    if wide:
        message = f"GaussNoise counts in 8-bit levels: in {DTYPES[wide[0]]} its noise cannot be seen (D10)."
        evidence = f"Its deviation is at most {most:.3g} of {TOPS[wide[0]]:,} levels, {percent(most / TOPS[wide[0]])}."
        yield Hit(message, evidence, step.id, to_8_bit(case, step))
    elif formats & set(FLOATS) and most >= 1:
        message = "GaussNoise counts in 8-bit levels: on float values from 0 to 1 nothing but noise is left (D10)."
        evidence = f"Its deviation reaches {most:.3g}, where the image's values have a range of 1."
        yield Hit(message, evidence, step.id, _before(case, step, culprit(case, step, "Normalize", "ToDtype")))


def _dropped_to_float(case: Case, step: Step) -> Iterator[Hit]:
    wide = sorted(arriving.formats(case, step) & set(catalog.WIDER_INTEGERS))
    if wide and "" not in arriving.troubled(case, step):
        message = (
            f"ChannelDropout makes float of {DTYPES[wide[0]]}, so that the format differs from draw to draw (D20)."
        )
        evidence = (
            f"Applied in {percent(case.chance(step))} of the draws: these are float32, the others {DTYPES[wide[0]]}."
        )
        yield Hit(message, evidence, step.id, to_8_bit(case, step))


# Bands


def _bands(case: Case, step: Step) -> Iterator[Hit]:
    """A step that makes more or fewer bands without a word."""
    # What changes none in 8 bit never does.
    made = min(arriving.formats(case, step), key=lambda one: (one != "uchar", one))
    changes = {count: arriving.made_bands(step, count, made) for count in arriving.bands(case, step)}
    changed = {before: after for before, after in changes.items() if before != after}
    if not changed or case.chance(step) <= 0 or "" in arriving.troubled(case, step):
        return
    before, after = next(iter(changed.items()))
    evidence = f"{percent(case.chance(step))} of the results have {after} bands in place of {before}."
    if before > after:
        fix = with_input(case, f"Read {after} bands", bands=after) if case.source().bands == before else None
        if is_ink(case):
            fix = with_input(case, "Convert to RGB", as_8_bit=True, bands=None)
        yield Hit(f"{step.transform} keeps {after} of {before} bands (D13).", evidence, step.id, fix)
        return
    is_noise = step.transform == "GaussNoise"
    fix = given(case, "Set per_channel", step, per_channel=False) if is_noise else switched_off(case, step)
    yield Hit(
        f"{step.transform} makes 3 bands of a grey image ({'D10' if is_noise else 'D14'}).", evidence, step.id, fix
    )


ALPHA_TOO = {
    "Blur", "GaussianBlur", "MedianBlur", "MotionBlur", "AdvancedBlur", "Sharpen", "Emboss", "RandomGamma",
    "CoarseDropout", "GridDropout", "GaussNoise", "Normalize",
}  # fmt: skip
"""Transforms that do to an alpha band what they do to colours."""


_FLAT_128 = {"Blur": (128, 129), "GaussianBlur": (126, 130), "MotionBlur": (128, 129), "AdvancedBlur": (126, 129)}
"""What whole numbers in their kernels make of a flat 128, in levels (D49)."""


def _alpha_of_128(case: Case, step: Step) -> str:
    """What a step makes of an alpha of 128 where all is flat, in words."""
    is_float = not arriving.formats(case, step) & {"uchar"}
    if step.transform in _FLAT_128:
        return "about 128" if is_float else span(*_FLAT_128[step.transform])
    if step.transform in ("CoarseDropout", "GridDropout"):
        fill = catalog.resolved_args(step)["fill_value"]
        return f"{fill[-1] if isinstance(fill, tuple) else fill} in a hole"
    if step.transform == "Sharpen" and (alpha := limits(step, "alpha")) and (lightness := limits(step, "lightness")):
        made = [128 * (1 - a * (1 - light)) for a in alpha for light in lightness]
        return span(min(made), max(made))
    if step.transform == "RandomGamma" and (gamma := limits(step, "gamma_limit")) and gamma[0] > 0:
        return span(*(255 * (128 / 255) ** (100 / g) for g in gamma))
    if step.transform == "GaussNoise" and (variance := limits(step, "var_limit")) and variance[0] >= 0:
        return f"128 with a deviation of {span(*(2 * v**0.5 for v in variance))}"  # D10
    if step.transform == "Normalize" and (found := values.statistics(step)) is not None:
        (*_, mean), (*_, std) = found
        return f"{((128 / 255 if is_float else 128) - mean) / std:.3g}"
    return "another at its edges"


def _alpha(case: Case) -> Iterator[Hit]:
    """Steps that work on an alpha band as on a colour (D22), told once."""
    source = case.facts.header if case.facts is not None else case.source()
    bands = source.bands - 1
    if (source.bands, source.interpretation) not in _WITH_ALPHA or case.pipeline.input.bands == bands:
        return
    met = [s for s in case.steps() if s.transform in ALPHA_TOO and source.bands in arriving.bands(case, s)]
    if met:
        message = f"The alpha band is worked on as if it were a colour by {names(met)} (D22)."
        made = ", ".join(dict.fromkeys(f"{_alpha_of_128(case, step)} by {step.transform}" for step in met))
        evidence = f"It is band {source.bands} of {source.bands}; an alpha of 128 all over becomes {made}."
        yield Hit(message, evidence, met[0].id, with_input(case, f"Read {bands} band{'s' * (bands > 1)}", bands=bands))


_WITH_ALPHA = {(n, i) for n, spaces in ((4, ("srgb", "rgb", "rgb16", "scrgb")), (2, ("b-w", "grey16"))) for i in spaces}


def is_ink(case: Case) -> bool:
    """Whether the pipeline is fed the four inks of a CMYK file."""
    choice = case.pipeline.input
    return case.facts is not None and case.facts.header.interpretation == "cmyk" and not choice.as_8_bit


def _ink(case: Case) -> Iterator[Hit]:
    """A CMYK file holds inks, where every step and all statistics mean light."""
    if not is_ink(case) or not any(step.transform not in _OF_ANY_BANDS for step in case.steps()):
        return
    message = (
        "The image is CMYK: its four bands are inks, where white is 0; colour steps and statistics are meant for light."
    )
    evidence = "White paper is 0, 0, 0, 0 in it, and 255, 255, 255 as RGB."
    yield Hit(message, evidence, None, with_input(case, "Convert to RGB", as_8_bit=True, bands=None))


_OF_ANY_BANDS = frozenset(
    name for name, spec in catalog.TRANSFORMS.items() if spec.family in ("Geometry", "Crop and pad", "Resize")
) | {"NoOp", "ToTensor", "ToDtype"}
"""Steps to which it is all the same what a band means."""

RULES: tuple[Rule, ...] = (
    Rule(
        "cmyk",
        Severity.WARNING,
        "The image is CMYK, and is fed as four bands of ink.",
        _ink,
    ),
    Rule(
        "wide-integers",
        Severity.ERROR,
        "RandomBrightnessContrast, HueSaturationValue, HEDShift, Sharpen or Emboss gets 16 bit and takes it for 8 bit, so that "
        "nearly every pixel ends at a limit (D13, D14, D16, D17).",
        each(_wide, *catalog.EIGHT_BIT_ONLY),
    ),
    Rule(
        "float-values",
        Severity.ERROR,
        "A step that is made for 8 bit gets float: it gives a black image, or cuts off what Normalize has made (D13, D14, D16, "
        "D17).",
        each(_floats, *catalog.EIGHT_BIT_ONLY),
    ),
    Rule(
        "noise-in-other-units",
        Severity.WARNING,
        "GaussNoise counts in 8-bit levels, which cannot be seen in 16 bit and drown floats from 0 to 1 (D10).",
        each(_noise, "GaussNoise"),
    ),
    Rule(
        "wide-integers-kept",
        Severity.WARNING,
        "ToDtype leaves 16 bit as it is, without an error (D18).",
        each(_kept, "ToDtype"),
    ),
    Rule(
        "wide-integers-to-float",
        Severity.WARNING,
        "ChannelDropout makes float of 16 bit in the draws that apply it (D20).",
        each(_dropped_to_float, "ChannelDropout"),
    ),
    Rule(
        "bands-change",
        Severity.WARNING,
        "A step drops the alpha band, or makes three bands of a grey image, without a word (D10, D13, D14).",
        each(_bands),
    ),
    Rule(
        "alpha-as-colour",
        Severity.WARNING,
        "Steps work on an alpha band as if it were a colour (D22).",
        _alpha,
    ),
    *access.RULES,
)
"""Rules on the image that is fed, the worst first."""
