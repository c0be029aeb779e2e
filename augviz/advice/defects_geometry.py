"""Defects of the installed library in geometry: where pixels go other than the transform's name says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from augviz import edits
from augviz.advice import arriving
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, probability
from augviz.advice.rotations import angles, canvas, fill_share, largest
from augviz.advice.steps import (
    axes,
    each,
    given,
    images,
    in_place,
    limits,
    new_ids,
    number,
    percent,
    span,
)
from augviz.model import XY, Group, Item, Step, Value
from augviz.units import size_text

__all__ = ["RULES", "as_affine", "quarter_turns"]

UNKNOWN_SIZE = (300, 200)
"""Stands for an image that is unknown, in pixels."""

LEAST_FILL = 0.002
"""Share of fill in a crop that is told."""

_MOST_ANGLES = 9


def _size(case: Case, step: Step) -> tuple[int, int]:
    before = arriving.header(case, step)
    return (before.width, before.height) if before.width else UNKNOWN_SIZE


# RandomRotate90


def quarter_turns(case: Case, step: Step) -> Group:
    """What RandomRotate90 is meant to be: 0, 90, 180 or 270 degrees, each a quarter of what it is applied to."""
    ids = new_ids(case)

    def always(transform: str) -> Step:
        return Step(next(ids), transform, p=1.0)

    half = Group(next(ids), "Sequential", (always("HorizontalFlip"), always("VerticalFlip")), 1.0)
    most = Group(next(ids), "Sequential", tuple(map(always, ("Transpose", "HorizontalFlip", "VerticalFlip"))), 1.0)
    members = (always("NoOp"), always("Transpose"), half, most)
    return Group(step.id, "OneOf", members, probability(step))


def _quarter(case: Case, step: Step) -> Iterator[Hit]:
    message = (
        "RandomRotate90 raises an IndexError in a quarter of its draws, and never leaves the image as it is; a OneOf of flips "
        "and Transpose (which turns by 90 degrees here) does what it should (D5)."
    )
    evidence = f"269 of 1,000 seeds raised; here {images(case, step, 0.25)}."
    yield Hit(message, evidence, step.id, in_place(case, "Replace by OneOf", quarter_turns(case, step)))


# Rotate


def as_affine(case: Case, step: Step, *, fit_output: bool) -> Step | None:
    """A Rotate as the Affine that turns the image by the same angles, with the same fills; None where it crops too."""
    limit = limits(step, "limit")
    if limit is None or step.get("crop_border"):
        return None
    kept: Mapping[str, str] = {
        "value": "cval",
        "mask_value": "cval_mask",
        "interpolation": "interpolation",
        "rotate_method": "rotate_method",
        "always_apply": "always_apply",
    }
    args: dict[str, Value] = {new: step.get(old) for old, new in kept.items() if step.get(old) is not None}
    args["rotate"] = (-limit[1] + 0.0, -limit[0] + 0.0)  # + 0.0: never minus zero
    if fit_output:
        args["fit_output"] = True
    return replace(step, transform="Affine", args=tuple(args.items()))


def _direction(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "limit")
    if limit is None or abs(limit[0] + limit[1]) < 1 or "limit" in arriving.troubled(case, step):
        return
    message = (
        "Rotate turns clockwise by positive angles, the other way than Affine's rotate and than albumentations; for those give "
        f"limit {span(-limit[1], -limit[0])} (D23)."
    )
    way = "clockwise" if sum(limit) > 0 else "counter-clockwise"
    evidence = f"With limit {span(*limit)} that is on average {abs(sum(limit)) / 2:.3g} degrees {way}."
    yield Hit(message, evidence, step.id)


def _growth(case: Case, step: Step) -> Iterator[Hit]:
    width, height = _size(case, step)
    if step.get("crop_border") or "limit" in arriving.troubled(case, step):
        return
    wide, high, angle = largest(step, width, height)
    fill = 1 - width * height / (wide * high)
    if fill < 0.01:
        return
    message = "Rotate enlarges the canvas to hold the turned image, where albumentations keeps the size and cuts corners (D24)."
    evidence = (
        f"An image of {size_text(width, height)} px grows up to {size_text(wide, high)} at {angle:.3g} degrees, "
        f"{percent(fill)} of it fill; {images(case, step)}."
    )
    affine = as_affine(case, step, fit_output=False)
    yield Hit(message, evidence, step.id, None if affine is None else in_place(case, "Keep the size by Affine", affine))


def _border(case: Case, step: Step) -> Iterator[Hit]:
    limit = limits(step, "limit")
    if limit is None or not step.get("crop_border") or {"limit", "crop_border"} & arriving.troubled(case, step):
        return
    width, height = _size(case, step)
    shares = {a: fill_share(width, height, a) for a in angles(limit, _MOST_ANGLES)}
    worst = max(shares, key=lambda a: shares[a])
    if shares[worst] < LEAST_FILL:
        return
    grown = size_text(*canvas(width, height, worst))
    message = (
        "Rotate's crop_border cuts at the wrong place, by the coordinates of the canvas before it has grown, so that fill is "
        "left in the crop (D25)."
    )
    evidence = (
        f"At {worst:.3g} degrees an image of {size_text(width, height)} px grows to {grown}, and "
        f"{percent(shares[worst])} of the crop is fill, {percent(sum(shares.values()) / len(shares))} on average."
    )
    yield Hit(message, evidence, step.id, given(case, "Switch crop_border off", step, crop_border=False))


# Transpose


def _is_flip(item: Item, p: float) -> bool:
    flips = ("HorizontalFlip", "VerticalFlip")
    return isinstance(item, Step) and item.enabled and item.transform in flips and probability(item) == p


def _turns_on_purpose(case: Case, step: Step) -> bool:
    """Whether what is around a Transpose makes a turn and a transposition the same, or one of the other."""
    parent, level = edits.parent(case.pipeline, step.id), edits.siblings(case.pipeline, step.id)
    if parent is None:  # with a flip in half of the draws both are equally likely
        return any(_is_flip(item, 0.5) for item in level)
    if parent.group == "Sequential" and probability(step) == 1:
        index = [item.id for item in level].index(step.id)
        return any(_is_flip(item, 1.0) for item in level[index + 1 : index + 2])
    # beside a half turn, a quarter turn is meant
    return any(isinstance(i, Group) and [_is_flip(m, 1.0) for m in i.steps] == [True, True] for i in level)


def _transpose(case: Case, step: Step) -> Iterator[Hit]:
    if _turns_on_purpose(case, step):
        return
    message = (
        "Transpose turns by 90 degrees counter-clockwise here, where it should swap rows and columns; a flip makes it "
        "one (D26)."
    )
    evidence = f"0 1 2 over 3 4 5 becomes 2 5 over 1 4 over 0 3, not 0 3 over 1 4 over 2 5: {images(case, step)}."
    yield Hit(message, evidence, step.id, _transposed(case, step))


def _transposed(case: Case, step: Step) -> Fix:
    ids = new_ids(case)
    turn, flip = Step(next(ids), "Transpose", p=1.0), Step(next(ids), "VerticalFlip", p=1.0)
    both = Group(next(ids), "Sequential", (turn, flip), 1.0)
    return in_place(case, "Add VerticalFlip", Group(step.id, "OneOf", (both,), probability(step)))


# Affine, ElasticTransform


def _shear(case: Case, step: Step) -> Iterator[Hit]:
    value = step.get("shear")
    along, across = axes(step, "shear")
    if (
        value is None
        or isinstance(value, XY)
        or along is None
        or across is None
        or "shear" in arriving.troubled(case, step)
    ):
        return
    if any(along):
        message = "Affine's shear without an axis shears x and y by angles of their own, where it is documented for x only (D32)."
        evidence = f"Each axis is sheared by {span(*along)} degrees of its own."
        fixed = given(case, "Shear x only", step, shear=XY(along, (0, 0)))
        yield Hit(message, evidence, step.id, fixed)


def _elastic(case: Case, step: Step) -> Iterator[Hit]:
    alpha, sigma = number(step, "alpha"), number(step, "sigma")
    if not alpha or not sigma or {"alpha", "sigma"} & arriving.troubled(case, step):
        return
    up_down = 35 * abs(alpha) / sigma
    way = "down" if alpha > 0 else "up"
    message = (
        "ElasticTransform moves almost only up and down, and everything at once by about alpha pixels: its vertical field is in "
        "degrees, and off its centre (D27)."
    )
    evidence = (
        f"With alpha {alpha:g} and sigma {sigma:g}: about {abs(alpha):.3g} px {way}, wobbling by {up_down:.2g} px up and down "
        f"and by {up_down / 200:.2g} px sideways (deviations)."
    )
    yield Hit(message, evidence, step.id)


RULES: tuple[Rule, ...] = (
    Rule(
        "random-rotate90-raises",
        Severity.ERROR,
        "RandomRotate90 raises in a quarter of its draws (D5).",
        each(_quarter, "RandomRotate90"),
    ),
    Rule(
        "crop-border-leaves-fill",
        Severity.WARNING,
        "Rotate's crop_border crops at the wrong place and leaves fill (D25).",
        each(_border, "Rotate"),
    ),
    Rule(
        "elastic-moves-one-way",
        Severity.WARNING,
        "ElasticTransform's vertical field is two hundred times its horizontal one, and off its centre (D27).",
        each(_elastic, "ElasticTransform"),
    ),
    Rule(
        "rotate-enlarges",
        Severity.NOTE,
        "Rotate's canvas grows by a percent or more (D24).",
        each(_growth, "Rotate"),
    ),
    Rule(
        "rotate-clockwise",
        Severity.NOTE,
        "Rotate turns by angles that are not as likely in both directions, and its direction is not Affine's (D23).",
        each(_direction, "Rotate"),
    ),
    Rule(
        "transpose-is-a-turn",
        Severity.NOTE,
        "Transpose is a rotation; told unless a flip makes both equally likely, or a transposition of it (D26).",
        each(_transpose, "Transpose"),
    ),
    Rule(
        "shear-of-both-axes",
        Severity.NOTE,
        "Affine's shear is one range, which shears both axes (D32).",
        each(_shear, "Affine"),
    ),
)
"""The worst first."""
