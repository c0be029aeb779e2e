"""The rule on fills: what is outside the image is 255 in every format, and what white is there instead."""

from __future__ import annotations

from collections.abc import Iterator

from augviz import catalog, edits
from augviz.advice import arriving, values
from augviz.advice.case import Case, Fix, Hit, Rule, Severity
from augviz.advice.changes import earlier, live_steps
from augviz.advice.image import FLOATS, TOPS, culprit, to_8_bit
from augviz.advice.steps import each, given, in_place, limits, new_ids, number, percent
from augviz.model import Group, Step, Value

__all__ = ["RULES", "padded", "white_after", "white_in"]


def _shows(case: Case, step: Step) -> bool:
    """Whether a step can show what is outside the image."""
    if step.transform == "Rotate":
        return (limits(step, "limit") or (0, 1)) != (0, 0)
    if step.transform == "Affine":
        return bool(catalog.resolved_args(step)["mode"] == "background")
    if step.transform == "CropOrPad":
        height, width = number(step, "height") or 0, number(step, "width") or 0
        return any(width > shape.width[0] or height > shape.height[0] for shape in arriving.shapes(case, step))
    return True


def _fill(case: Case, step: Step) -> Iterator[Hit]:
    """What is outside the image is filled with 255 in every format, unless the fill is given (D21)."""
    wrong = sorted(arriving.formats(case, step) - {"uchar", "char"})
    argument = catalog.FILLS.get(step.transform)
    if not wrong or not _shows(case, step) or (argument is not None and step.get(argument) is not None):
        return
    normalizes = earlier(case, step, "Normalize")
    if normalizes and wrong[0] in FLOATS:
        if set(white_after(case, normalizes[-1]) or ()) != {255.0}:
            yield _normalized(case, step, normalizes[-1])
        return
    is_wide = wrong[0] in catalog.WIDER_INTEGERS
    how = "nearly black in 16 bit" if is_wide else "far too bright from 0 to 1"
    share = f"255 of {TOPS[wrong[0]]:,}, {percent(255 / TOPS[wrong[0]])} of white" if is_wide else "255 times white"
    evidence = f"The fill is {share}."
    fill = white_in(wrong[0])
    if argument is None:
        message = f"CropOrPad fills with 255 whatever the format, {how}; its fill cannot be chosen (D21)."
        yield Hit(message, evidence, step.id, padded(case, step, fill) or to_8_bit(case, step))
        return
    message = f"{step.transform} fills with 255 whatever the format, {how}: give {argument} (D21)."
    yield Hit(message, evidence, step.id, given(case, f"Set {argument}", step, **{argument: fill}))


def white_in(format: str) -> float:
    """White in a libvips format."""
    return 1.0 if format in FLOATS else TOPS.get(format, 255)


# After Normalize


def white_after(case: Case, normalize: Step) -> tuple[float, ...] | None:
    """What white is in each band of what a Normalize makes; None where its statistics are no numbers."""
    found = values.statistics(normalize)
    if found is None:
        return None
    formats = arriving.formats(case, normalize)
    top = max((255.0 if name == "uchar" else TOPS.get(name, 1.0) for name in formats), default=1.0)
    mean, std = found
    bands = max(len(mean), len(std))
    each_mean, each_std = (part * bands if len(part) == 1 else part for part in (mean, std))
    return tuple(round((top - m) / s, 4) for m, s in zip(each_mean, each_std, strict=False))


def _normalized(case: Case, step: Step, normalize: Step) -> Hit:
    """A fill of 255 among values that Normalize has made."""
    argument, white = catalog.FILLS.get(step.transform), white_after(case, normalize)
    choice = "; its fill cannot be chosen" if argument is None else f", or give {argument}"
    message = (
        f"{step.transform} fills with 255 whatever the format, which is not white in what Normalize has made: put it "
        f"before Normalize{choice} (D21)."
    )
    evidence = "The fill is 255."
    if white is not None:
        shown = ", ".join(f"{w:.4g}" for w in dict.fromkeys(white))
        evidence = f"White is {shown} after Normalize, and the fill is 255."
    return Hit(message, evidence, step.id, _moved(case, step) or _white(case, step, normalize, white))


def _moved(case: Case, step: Step) -> Fix | None:
    """The step before all that makes floats of 8 bit; None where a size would then be made of another."""
    maker = culprit(case, step, "Normalize", "ToDtype")
    if maker is None or arriving.formats(case, maker) != {"uchar"}:
        return None
    ids = [item.id for item in case.pipeline.steps]
    between = case.pipeline.steps[ids.index(maker.id) : ids.index(step.id)]
    if any(catalog.transform(other.transform).changes_size for item in between for other in live_steps(item)):
        return None
    return Fix(f"Move before {maker.transform}", edits.move_before(case.pipeline, step.id, maker.id))


def _white(case: Case, step: Step, normalize: Step, white: tuple[float, ...] | None) -> Fix | None:
    """The step filled with what white is then; None where it is not the same in every draw."""
    if white is None or case.chance(normalize) < 1 or len(earlier(case, step, "Normalize")) > 1:
        return None
    fill: Value = white if len(white) > 1 else white[0]
    argument = catalog.FILLS.get(step.transform)
    return padded(case, step, fill) if argument is None else given(case, f"Set {argument}", step, **{argument: fill})


def padded(case: Case, step: Step, fill: Value) -> Fix | None:
    """CropOrPad as what it does in two steps, the first of which can be told its fill; only where always the same."""
    height, width = step.get("height"), step.get("width")
    if case.chance(step) < 1 or step.get("direction", "centre") != "centre" or not (height and width):
        return None
    ids = new_ids(case)
    pad = Step(next(ids), "PadIfNeeded", (("min_height", height), ("min_width", width), ("value", fill)))
    crop = Step(next(ids), "CenterCrop", (("height", height), ("width", width)))
    return in_place(case, "Pad, then crop", Group(step.id, "Sequential", (pad, crop), 1.0))


RULES: tuple[Rule, ...] = (
    Rule(
        "fill-of-255",
        Severity.WARNING,
        "What is outside the image is filled with 255 in every format unless the fill is given: nearly black in 16 bit, far too "
        "bright in float, and another value than white after Normalize (D21).",
        each(_fill, *catalog.FILLS, "CropOrPad"),
    ),
)
"""Rules of this module, the worst first."""
