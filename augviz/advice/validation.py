"""The rule about what is random in a pipeline for validation."""

from __future__ import annotations

from collections.abc import Iterator

from augviz import catalog, edits
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, probability, weight
from augviz.advice.changes import live_members, name_of, without
from augviz.advice.steps import axes, limits, percent
from augviz.model import Group, Item, ParamKind, Step

_FIXED = (
    "HorizontalFlip",
    "VerticalFlip",
    "Transpose",
    "CenterCrop",
    "Crop",
    "CropOrPad",
    "PadIfNeeded",
    "Resize",
    "Normalize",
    "ToDtype",
    "ToTensor",
    "NoOp",
)
"""Transforms that draw nothing but whether they are applied."""

_ALWAYS_RANDOM = (
    "Flip",
    "RandomRotate90",
    "RandomCrop",
    "GaussNoise",
    "ElasticTransform",
    "CoarseDropout",
    "ChannelDropout",
)
"""Transforms that draw something whatever their arguments are."""

_RANGES = (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE)


def draws_something(step: Step) -> bool:
    """Whether a step draws anything when it is applied."""
    if step.transform in _FIXED or step.transform in _ALWAYS_RANDOM:
        return step.transform in _ALWAYS_RANDOM
    args = catalog.resolved_args(step)
    if step.transform in ("LongestMaxSize", "SmallestMaxSize"):
        return isinstance(args["max_size"], tuple) and len(set(args["max_size"])) > 1
    if step.transform == "GridDropout":
        return bool(args["random_offset"]) or bool(args["unit_size_min"] and args["unit_size_max"])
    given = ("scale", "translate_percent", "translate_px", "rotate", "shear")
    if step.transform == "Affine" and all(args[name] is None for name in given):
        return True
    params = catalog.transform(step.transform).params
    ranges = [limits(step, p.name) for p in params if p.kind in _RANGES]
    ranges += [axis for p in params if p.kind is ParamKind.XY_RANGE for axis in axes(step, p.name)]
    kernels = step.transform in ("MotionBlur", "AdvancedBlur")  # a line, and noise, whatever the ranges are
    return kernels or any(found is not None and found[0] != found[1] for found in ranges)


def _is_random(item: Item, forced: bool = False) -> bool:
    """Whether an item can do something else from one draw to the next."""
    if isinstance(item, Step):
        chance = 1.0 if forced else probability(item)
        return chance > 0 and (chance < 1 or draws_something(item))
    members = live_members(item)
    if item.group == "Sequential":
        return any(_is_random(member, forced and number == 0) for number, member in enumerate(members))
    if item.group == "OneOrOther" and weight(item) in (0.0, 1.0) and members:
        return _is_random(members[0 if weight(item) else -1], True)
    chance = 1.0 if forced else weight(item)
    possible = [member for member in members if weight(member) > 0]
    return chance > 0 and (chance < 1 or len(possible) > 1 or any(_is_random(member, True) for member in possible))


def random_in_validation(case: Case) -> Iterator[Hit]:
    """A validation score that changes from run to run, though the network has not."""
    if not case.validation:
        return
    for item in case.pipeline.steps:
        if not item.enabled or not _is_random(item):
            continue
        name = name_of(item)
        message = (
            f"{name} is random, and a validation pipeline should give the same every time: scores would differ by luck."
        )
        yield Hit(message, _drawn(case, item), item.id, _settled(case, item))


def _drawn(case: Case, item: Item) -> str:
    """How often it is applied in the draws at hand."""
    chance = case.chance(item)
    draws = case.all_draws()
    if isinstance(item, Group):
        count = len(live_members(item))
        return (
            f"It is reached by {percent(chance)} of the images and draws what its {count} step{'s' * (count > 1)} do."
        )
    if not draws:
        values = ", with values drawn for each" if draws_something(item) else ""
        return f"It is applied to {percent(chance)} of the images{values}."
    each = [leaf for draw in draws for leaf in draw.leaves if leaf.id == item.id]
    applied = [leaf for leaf in each if leaf.applied]
    kinds = len({str(sorted(leaf.values.items())) for leaf in applied})
    values = f", with {kinds} different sets of values" if kinds > 1 else ""
    return f"In {len(each)} draws for this image it was applied {len(applied)} times{values}."


def _settled(case: Case, item: Item) -> Fix:
    """CenterCrop in place of RandomCrop; anything else goes."""
    if isinstance(item, Step) and item.transform == "RandomCrop":
        args = catalog.resolved_args(item)
        size = {"height": args["height"], "width": args["width"]}
        seen = case.seen(item)
        if seen is not None:  # CenterCrop raises where RandomCrop gives less (D29)
            size = {"height": min(size["height"], seen.header.height), "width": min(size["width"], seen.header.width)}
        centre = Step(item.id, "CenterCrop", tuple(size.items()))
        return Fix("Crop the centre", edits.put(case.pipeline, centre))
    return Fix(f"Remove {name_of(item)}", without(case.pipeline, item.id))


RULES: tuple[Rule, ...] = (
    Rule(
        "random-in-validation",
        Severity.WARNING,
        "Something is random in a pipeline that is used for validation (`--validation`).",
        random_in_validation,
    ),
)
"""Rules of this module, the worst first."""
