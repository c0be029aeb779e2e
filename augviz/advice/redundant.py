"""Rules about steps of which one would do: two turns, two flips, two resizes, two blurs of a kind."""

from __future__ import annotations

import math
from collections.abc import Iterator

from augviz import catalog, edits
from augviz.advice import amounts, flow
from augviz.advice.case import Case, Fix, Hit, Rule, Severity
from augviz.advice.changes import together, without
from augviz.advice.steps import limits
from augviz.model import XY, Pipeline, Step, Value

_AFFINE_ARGS = ("scale", "translate_percent", "translate_px", "rotate", "shear")

_AFFINE_DEFAULTS: dict[str, Value] = {
    "scale": XY((0.9, 1.1), (0.9, 1.1)),
    "translate_percent": XY((-0.1, 0.1), (-0.1, 0.1)),
    "shear": XY((-10.0, 10.0), (-10.0, 10.0)),
}
"""What Affine does where none of its five ranges is given, the rotation left out."""

_BLURS = ("Blur", "GaussianBlur", "MedianBlur", "MotionBlur", "AdvancedBlur")
_MIRRORS = ("HorizontalFlip", "VerticalFlip")
_QUARTER = 90.0
_QUARTER_TURNS = ("Transpose", "RandomRotate90")


def _of(case: Case, *transforms: str) -> list[Step]:
    return [step for step in case.steps() if step.transform in transforms and case.chance(step) > 0]


def _saved(case: Case, step: Step) -> str:
    """What doing without a step saves, on average."""
    chance = case.chance(step)
    often = "" if chance >= 1 else f", in {chance:.0%} of the draws"
    return f"Without it {amounts.cpu_text(case, step)} are saved{often}"


# Turns


def affine_and_rotate(case: Case) -> Iterator[Hit]:
    """Rotate is a subset of Affine: applied together they resample the image twice."""
    for rotate in _of(case, "Rotate"):
        affine = next((step for step in _of(case, "Affine") if together(case, step, rotate)), None)
        if affine is None:
            continue
        message = (
            "Rotate is a subset of Affine, and both can be applied in one draw: the image is then resampled and blurred "
            "twice. Affine can rotate as well; it keeps the canvas, where Rotate grows it."
        )
        limit = limits(rotate, "limit") or (0.0, 0.0)
        turned = edits.put(case.pipeline, _turning(affine, limit))
        both = case.chance(rotate) * case.chance(affine)
        evidence = f"{_saved(case, rotate)}; both are applied to about {both:.0%} of the images."
        yield Hit(message, evidence, rotate.id, Fix("Let Affine rotate", without(turned, rotate.id)))


def _turning(affine: Step, limit: tuple[float, float]) -> Step:
    """The Affine that also turns by what Rotate did; they count angles in opposite directions (D23)."""
    args = catalog.resolved_args(affine)
    given = {} if any(args[name] is not None for name in _AFFINE_ARGS) else _AFFINE_DEFAULTS
    return affine.with_args(**given, rotate=(-limit[1], -limit[0]))


def quarter_turns_and_rotate(case: Case) -> Iterator[Hit]:
    """Where Rotate already reaches a quarter turn, one Rotate of any angle gives all that both give."""
    for quarters in _of(case, "RandomRotate90"):
        rotate = next((step for step in _of(case, "Rotate") if together(case, step, quarters)), None)
        limit = limits(rotate, "limit") if rotate is not None else None
        if rotate is None or limit is None or limit[1] - limit[0] < _QUARTER:
            continue
        message = (
            "RandomRotate90 and a Rotate by 90 degrees and more are both there: one Rotate by any angle gives the same "
            "headings."
        )
        evidence = (
            f"Rotate covers {limit[1] - limit[0]:g} degrees by itself. {_saved(case, quarters)}, and RandomRotate90 raises in "
            "a quarter of its draws (D5)."
        )
        whole = edits.put(case.pipeline, rotate.with_args(limit=(-180, 180)))
        yield Hit(message, evidence, quarters.id, Fix("Rotate by any angle only", without(whole, quarters.id)))


# Flips


def flips(case: Case) -> Iterator[Hit]:
    """Flip mirrors left and right, top and bottom or both; one more flip undoes it in some draws and adds nothing."""
    for step in _of(case, *_MIRRORS):
        flip = next((other for other in _of(case, "Flip") if together(case, other, step)), None)
        if flip is None or _makes_a_transposition(case, step):
            continue
        share = case.chance(step) * case.chance(flip) / 3
        message = (
            f"Flip mirrors along both axes already: {step.transform} adds no new image, and undoes Flip in some draws."
        )
        evidence = f"It turns {share:.1%} of the images back to what they were. {_saved(case, step)}."
        yield Hit(message, evidence, step.id, Fix(f"Remove {step.transform}", without(case.pipeline, step.id)))
    for transform in (*_MIRRORS, "Flip"):
        for step, other in _twice(case, transform):
            if _makes_a_transposition(case, step):
                continue
            share = case.chance(step) * case.chance(other) / (3 if transform == "Flip" else 1)
            message = f"{transform} is there twice: the second adds no new image, and undoes the first in some draws."
            evidence = f"{share:.1%} of the images are turned and turned back. {_saved(case, step)}."
            yield Hit(message, evidence, step.id, Fix("Remove the second", without(case.pipeline, step.id)))


def _makes_a_transposition(case: Case, step: Step) -> bool:
    """Whether a flip stands in a Sequential with a quarter turn, which it makes a transposition of (D26)."""
    group = edits.parent(case.pipeline, step.id)
    if group is None or group.group != "Sequential":
        return False
    return any(isinstance(member, Step) and member.transform in _QUARTER_TURNS for member in group.steps)


def _twice(case: Case, transform: str) -> Iterator[tuple[Step, Step]]:
    """Each step that has an earlier one of the same transform in the same draw, and the earlier one."""
    steps = _of(case, transform)
    for number, step in enumerate(steps):
        earlier = next((other for other in steps[:number] if together(case, other, step)), None)
        if earlier is not None:
            yield step, earlier


# Resizes


def resizes(case: Case) -> Iterator[Hit]:
    """Two resizes with no crop between, of which the second gives the same sizes by itself: the image is resampled twice.

    Spared where the first shrinks and the second enlarges again, which is done to lose detail.
    """
    steps = list(case.steps())
    for number, step in enumerate(steps):
        if step.transform not in catalog.RESIZES or case.chance(step) <= 0:
            continue
        first = _resize_before(case, steps[:number], step)
        if first is None or _degrades(case, first, step):
            continue
        fixed = without(case.pipeline, first.id)
        if not _has_same_sizes(case, fixed):
            continue
        message = (
            f"{first.transform} and {step.transform} both resize, with no crop between them: the image is resampled "
            f"twice, where the second, {step.transform}, gives the same size by itself."
        )
        yield Hit(message, f"{_saved(case, first)}.", first.id, Fix(f"Remove the first, {first.transform}", fixed))
        return


def _resize_before(case: Case, steps: list[Step], step: Step) -> Step | None:
    for other in reversed(steps):
        if catalog.transform(other.transform).family == "Crop and pad":
            return None
        if other.transform in catalog.RESIZES and together(case, other, step):
            return other
    return None


def _degrades(case: Case, first: Step, second: Step) -> bool:
    """Whether the first always shrinks and the second always enlarges again."""
    before = flow.through(case.pipeline, flow.known_source(case)).reaching(first.id)
    small = flow.after(first, before)
    return _is_smaller(small, before) and _is_smaller(small, flow.after(second, small))


def _is_smaller(small: flow.Shapes, large: flow.Shapes) -> bool:
    most = max((shape.width[1] * shape.height[1] for shape in small), default=0)
    return most < min((shape.width[0] * shape.height[0] for shape in large), default=0)


def _has_same_sizes(case: Case, fixed: Pipeline) -> bool:
    """Whether another pipeline gives results of the same sizes, also of any image where its size is unknown."""
    source = case.source()
    sources = [source] if source.width else [flow.nominal(source, side) for side in flow.NOMINAL_SIDES]
    return all(flow.through(fixed, each).result == flow.through(case.pipeline, each).result for each in sources)


# Blurs


def blurs(case: Case) -> Iterator[Hit]:
    """Two blurs of a kind act as one that is a little stronger."""
    for transform in _BLURS:
        for step, other in _twice(case, transform):
            message = (
                f"{transform} is there twice: two blurs of a kind act as one that is a little stronger{_how(step)}."
            )
            evidence = f"{_strength(step, other)}{_saved(case, step)}."
            fixed = edits.put(case.pipeline, _merged(other, step))
            yield Hit(message, evidence, step.id, Fix(_blur_label(other, step), _remove(fixed, step)))


def _how(step: Step) -> str:
    return "" if step.transform == "GaussianBlur" else ", and how much stronger cannot be told: leave out the second"


def _blur_label(first: Step, second: Step) -> str:
    """What the fix does: one GaussianBlur as strong as both, of the others the first as it is."""
    sigma = _sigma(first, second) if first.transform == "GaussianBlur" else None
    return f"Remove the second {first.transform}" if sigma is None else f"One, sigma_limit {sigma[0]:g} to {sigma[1]:g}"


def _remove(pipeline: Pipeline, step: Step) -> Pipeline:
    return without(pipeline, step.id)


def _sigma(step: Step, other: Step) -> tuple[float, float] | None:
    one, two = limits(step, "sigma_limit"), limits(other, "sigma_limit")
    if one is None or two is None:
        return None
    return round(math.hypot(one[0], two[0]), 2), round(math.hypot(one[1], two[1]), 2)


def _strength(step: Step, other: Step) -> str:
    if step.transform != "GaussianBlur" or (sigma := _sigma(step, other)) is None:
        return ""
    highest = [(limits(s, "sigma_limit") or (0, 0))[1] for s in (other, step)]
    return f"Sigmas of up to {highest[0]:g} and {highest[1]:g} px act as one of up to {sigma[1]:g} px. "


def _merged(kept: Step, gone: Step) -> Step:
    """The first blur as strong as both, where arithmetic tells how strong that is: variances of Gaussians add up."""
    sigma = _sigma(kept, gone) if kept.transform == "GaussianBlur" else None
    return kept if sigma is None else kept.with_args(sigma_limit=sigma)


RULES: tuple[Rule, ...] = (
    Rule(
        "affine-and-rotate",
        Severity.WARNING,
        "Affine and Rotate can be applied in one draw: Rotate is a subset of Affine, so the image is resampled twice.",
        affine_and_rotate,
    ),
    Rule(
        "quarter-turns-and-rotate",
        Severity.WARNING,
        "RandomRotate90 with a Rotate that spans 90 degrees and more: one Rotate by any angle gives the same headings. Spared "
        "where Rotate only tilts.",
        quarter_turns_and_rotate,
    ),
    Rule(
        "redundant-flips",
        Severity.WARNING,
        "Flip with HorizontalFlip or VerticalFlip, or the same flip twice: no new image, and some are turned back. Horizontal "
        "and VerticalFlip together are spared, as is a flip that makes a transposition of a Transpose.",
        flips,
    ),
    Rule(
        "two-resizes",
        Severity.WARNING,
        "Two resizes can be applied in one draw with no crop between them, and results have the same size without the first: "
        "the image is resampled twice. Spared where the first shrinks and the second enlarges, to lose detail.",
        resizes,
    ),
    Rule(
        "two-blurs",
        Severity.WARNING,
        "The same blur twice in one draw: one that is a little stronger does the same for half the time. Different kinds of "
        "blur are spared.",
        blurs,
    ),
)
"""Rules of this module, the worst first."""
