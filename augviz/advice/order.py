"""Rules about the order of steps: uint8 until the end, then Normalize, then ToTensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from augviz import catalog, edits
from augviz.advice import amounts, flow
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, probability
from augviz.advice.changes import CONVERSIONS, earlier, live_steps, new_step, together, top_level_of, within, without
from augviz.checks import is_number
from augviz.model import Group, Item, Pipeline, Step, Value
from augviz.units import seconds_text

_CROPS = catalog.CROPS - {"CropOrPad"}
_FREE = (*CONVERSIONS, "NoOp", *_CROPS)
"""What costs nothing more on float32: conversions themselves, and crops, which only leave pixels out."""

_FILLS = {**catalog.FILLS, "PadIfNeeded": "value"}


# Normalize and ToDtype


def _makes_float(step: Step) -> bool:
    return step.transform == "Normalize" or (step.transform == "ToDtype" and step.get("dtype") != "uchar")


def _early(case: Case) -> tuple[list[Step], list[Step]]:
    """The conversions to float that pixel steps follow, and these pixel steps.

    A ToDtype("uchar") that follows tells that the float part is meant: kernels are more exact on float (D49).
    """
    steps = [step for step in case.steps() if case.chance(step) > 0]
    through = flow.of(case)
    early: list[Step] = []
    late: dict[int, Step] = {}
    for number, conversion in enumerate(steps):
        if not _makes_float(conversion) or "uchar" not in through.formats(conversion.id):
            continue
        after: dict[int, Step] = {}
        for index, other in enumerate(steps[number + 1 :], start=number + 1):
            if other.transform == "ToDtype" and not _makes_float(other):
                after = {}
                break
            is_idiom = _pads_with_the_mean(case, other)
            if other.transform not in _FREE and together(case, conversion, other) and not is_idiom:
                after[index] = other
        if after:
            early.append(conversion)
            late |= after
    return early, [late[index] for index in sorted(late)]


def _fill_for_normalized(case: Case, step: Step) -> tuple[Value, ...]:
    """The numbers with which a step is told to fill what Normalize has made; none where it is not told, or gets others."""
    name = _FILLS.get(step.transform)
    value = step.get(name) if name else None
    if value is None or not earlier(case, step, "Normalize"):
        return ()
    return value if isinstance(value, tuple) else (value,)


def _pads_with_the_mean(case: Case, step: Step) -> bool:
    """Whether a step pads what Normalize has made with 0, which is the mean there."""
    return step.transform == "PadIfNeeded" and {*_fill_for_normalized(case, step)} == {0}


def normalize_last(case: Case) -> Iterator[Hit]:
    """float32 takes four times the memory and, by the transform, up to tens of times the time of uint8."""
    early, late = _early(case)
    if not early:
        return
    names = " and ".join(dict.fromkeys(step.transform for step in early))
    makes = "makes" if len({step.transform for step in early}) == 1 else "make"
    followers = ", ".join(dict.fromkeys(step.transform for step in late))
    message = f"{names} {makes} float32 of uint8 before {followers}: keep uint8 until the end, and put {names} last."
    yield Hit(message, _cost_of_float(case, late), early[0].id, _last(case, early, late))


def _cost_of_float(case: Case, late: list[Step]) -> str:
    """What the steps take on float32 and on uint8, the one with the greatest difference by itself."""
    known = [(step, ratio) for step in late if (ratio := amounts.float_ratio(case, step.transform)) is not None]
    extra = [
        (seconds * ratio - seconds, seconds, ratio, step)
        for step, ratio in known
        if ratio > 1 and (seconds := amounts.cpu_seconds(case, step)) is not None
    ]
    header = amounts.before(case, late[0])
    small, large = amounts.byte_texts(header if header.width else None)
    size = amounts.size_of_input(case, late[0])
    held = f"{size} take {large} instead of {small}."
    if not extra:
        return f"As float32, {held}"
    _, seconds, ratio, step = max(extra, key=lambda each: each[0])
    text = (
        f"{step.transform} takes {ratio:.2g} times as long on float32 as on uint8 (measured): "
        f"{seconds_text(seconds * ratio)} instead of {seconds_text(seconds)} of CPU time for "
        f"{amounts.size_of_input(case, step)}"
    )
    if len(extra) > 1:
        total = sum(each[1] for each in extra)
        text += f"; all {len(extra)} steps {seconds_text(total + sum(each[0] for each in extra))} instead of "
        text += seconds_text(total)
    return f"{text}. {held[:1].upper()}{held[1:]}"


def _last(case: Case, early: list[Step], late: list[Step]) -> Fix | None:
    """The conversions behind the last pixel step and the crops after it, in their order.

    None where one stands in a group or after ToTensor, or where a fill that is meant for normalised values would be for bytes.
    """
    pipeline = case.pipeline
    top = [item.id for item in pipeline.steps]
    last = max(top.index(top_level_of(pipeline, step.id).id) for step in late)
    tensors = [
        top.index(item.id) for item in pipeline.steps if any(s.transform == "ToTensor" for s in live_steps(item))
    ]
    if any(step.id not in top for step in early) or (tensors and min(tensors) < last):
        return None
    moved_over = [step for item in pipeline.steps[: last + 1] for step in live_steps(item)]
    if any(_fill_for_normalized(case, step) for step in moved_over):
        return None
    while last + 1 < len(top) and _is_crop(pipeline.steps[last + 1]):
        last += 1
    # Every conversion between moves along, or a Normalize would come before its ToDtype.
    first = top.index(early[0].id)
    moved = [
        item
        for item in pipeline.steps[first:last]
        if isinstance(item, Step) and item.enabled and item.transform in ("ToDtype", "Normalize")
    ]
    for item in moved:
        pipeline = edits.move(pipeline, item.id, last - [other.id for other in pipeline.steps].index(item.id))
    for step in late:
        pipeline = edits.put(pipeline, _filled_for_bytes(step))
    names = " and ".join(dict.fromkeys(step.transform for step in moved))
    return Fix(f"Put {names} last", pipeline)


def _is_crop(item: Item) -> bool:
    return not item.enabled or (isinstance(item, Step) and item.transform in _CROPS)


def _filled_for_bytes(step: Step) -> Step:
    """The step with a fill from 0 to 1 as it is from 0 to 255."""
    name = _FILLS.get(step.transform)
    value = step.get(name) if name else None
    numbers = value if isinstance(value, tuple) else (value,)
    if name is None or not all(is_number(n) and 0 <= n <= 1 for n in numbers) or not any(numbers):
        return step

    def level(n: Any) -> Value:
        return round(n * 255)

    return step.with_args(**{name: tuple(map(level, value)) if isinstance(value, tuple) else level(value)})


# ToTensor


def _tensors(case: Case) -> list[Step]:
    return [step for step in case.steps() if step.transform == "ToTensor" and case.chance(step) > 0]


def _followers(case: Case, tensor: Step) -> list[Step]:
    """The steps that can get what a ToTensor has made."""
    steps = [step for step in case.steps() if case.chance(step) > 0]
    index = next(number for number, step in enumerate(steps) if step.id == tensor.id)
    later = [step for step in steps[index + 1 :] if together(case, tensor, step)]
    earlier = [step for step in steps[:index] if _can_follow(case.pipeline, tensor, step)]
    return later + earlier


def _can_follow(pipeline: Pipeline, tensor: Step, step: Step) -> bool:
    """Whether a step written before a ToTensor can come after it: SomeOf applies its members in any order."""
    return any(
        isinstance(item, Group)
        and item.group == "SomeOf"
        and (item.n or 1) > 1
        and {tensor.id, step.id} <= {inner.id for inner in within(item)}
        for item in edits.items(pipeline)
    )


def _tensor_at_end(pipeline: Pipeline) -> Pipeline:
    for leaf in [leaf for leaf in pipeline.leaves() if leaf.transform == "ToTensor"]:
        pipeline = without(pipeline, leaf.id)
    return edits.insert(pipeline, new_step(pipeline, "ToTensor"))


def tensor_not_last(case: Case) -> Iterator[Hit]:
    """Nothing can follow ToTensor: its result is no image any more (D55)."""
    for tensor in _tensors(case):
        followers = _followers(case, tensor)
        if not followers:
            continue
        names = ", ".join(dict.fromkeys(step.transform for step in followers))
        message = f"ToTensor is not last: {names} would get a tensor, which has no width, and raise (D55)."
        chance = case.chance(tensor)
        share = "every draw" if chance >= 1 else f"up to {chance:.0%} of the draws"
        evidence = f"{len(followers)} of {sum(1 for _ in case.steps())} steps can come after it, in {share}."
        fix = Fix("Put ToTensor last", _tensor_at_end(case.pipeline))
        yield Hit(message, evidence, tensor.id, fix, tuple(step.id for step in followers))
        return


def tensor_missing(case: Case) -> Iterator[Hit]:
    """Without ToTensor a pipeline gives a pyvips image, which a DataLoader can neither stack nor send to its process."""
    steps = list(case.steps())
    tensors = _tensors(case)
    if not steps or any(_is_certain(case, tensor) for tensor in tensors):
        return
    fix = Fix("Add ToTensor", _tensor_at_end(case.pipeline))
    if tensors:
        message = (
            "ToTensor is not always applied: the other results are pyvips images, which a DataLoader cannot stack."
        )
        chance = max(case.chance(tensor) for tensor in tensors)
        yield Hit(message, f"It is applied in {chance:.0%} of the draws.", tensors[-1].id, fix)
        return
    message = (
        "ToTensor is missing: the result is a pyvips image, which a DataLoader can neither stack nor pickle (D55)."
    )
    header = amounts.result_header(case)
    small, large = amounts.byte_texts(header)
    is_bytes = flow.of(case).result and all(shape.format == "uchar" for shape in flow.of(case).result)
    what = "the result" if header is not None else "a megapixel of RGB"
    evidence = f"As a tensor {what} takes {small if is_bytes else large}. The exported Dataset makes one by itself."
    yield Hit(message, evidence, None, fix)


def _is_certain(case: Case, tensor: Step) -> bool:
    return case.chance(tensor) >= 1 and probability(tensor) >= 1


RULES: tuple[Rule, ...] = (
    Rule(
        "to-tensor-not-last",
        Severity.ERROR,
        "A step can come after ToTensor, whose result is no image any more: the library raises (D55).",
        tensor_not_last,
    ),
    Rule(
        "normalize-last",
        Severity.WARNING,
        "Normalize or ToDtype makes float32 of uint8 before steps that work on pixels; these then take longer, as measured "
        "for each transform, and four times the memory. Spared where ToDtype('uchar') follows, for a float part that is "
        "meant, and for a PadIfNeeded that fills with 0, the mean of what Normalize has made.",
        normalize_last,
    ),
    Rule(
        "to-tensor-missing",
        Severity.NOTE,
        "No ToTensor, or not in every draw: a DataLoader cannot stack pyvips images. A note, since a Dataset can convert by "
        "itself, as the exported one does.",
        tensor_missing,
    ),
)
"""Rules of this module, the worst first."""
