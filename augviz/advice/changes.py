"""What fixes are made of: small changes of a pipeline, each of which leaves every group with as many steps as it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from augviz import catalog, edits
from augviz.advice.case import Case, weight
from augviz.model import Group, ImageFacts, Item, Pipeline, Step, Value

CONVERSIONS = ("ToDtype", "Normalize", "ToTensor")
"""What belongs at the end of a pipeline, in this order."""


def new_step(pipeline: Pipeline, transform: str, **args: Value) -> Step:
    """A step with an id of its own, applied always; arguments that are not given are the editor's first."""
    step = edits.new_step(pipeline, transform)
    p = 1.0 if catalog.transform(transform).default_p != 1.0 else None
    return replace(step, p=p).with_args(**args)


def inserted(pipeline: Pipeline, item: Item, index: int) -> Pipeline:
    """The pipeline with a new item at `index` of its top level."""
    widened = edits.insert(pipeline, item)
    return edits.move(widened, item.id, index - len(pipeline.steps))


def inserted_before(pipeline: Pipeline, item: Item, other_id: str) -> Pipeline:
    """The pipeline with a new item right before another, on its level."""
    group = edits.parent(pipeline, other_id)
    level = edits.siblings(pipeline, other_id)
    index = [sibling.id for sibling in level].index(other_id)
    widened = edits.insert(pipeline, item, group.id if group else None)
    return edits.move(widened, item.id, index - len(level))


def without(pipeline: Pipeline, item_id: str) -> Pipeline:
    """The pipeline without an item. The other member of a OneOrOther takes its place; a group left empty goes too."""
    group = edits.parent(pipeline, item_id)
    pipeline = edits.remove(pipeline, item_id)
    if group is None:
        return pipeline
    left = edits.find(pipeline, group.id)
    assert isinstance(left, Group)
    if not left.steps:
        return without(pipeline, left.id)
    if left.group == "OneOrOther" and len(left.steps) == 1:
        first = group.steps[0].id == item_id
        survivor = replace(left.steps[0], p=1 - weight(left) if first else weight(left))
        return edits.remove(inserted_before(pipeline, survivor, left.id), left.id)
    if left.n is not None and left.replace is False and left.n > len(left.steps):
        return edits.put(pipeline, replace(left, n=len(left.steps)))
    return pipeline


def name_of(item: Item) -> str:
    """The name of a step's transform, or of a group."""
    return item.group if isinstance(item, Group) else item.transform


def live_members(group: Group) -> list[Item]:
    """The members of a group that are on."""
    return [member for member in group.steps if member.enabled]


def top_level_of(pipeline: Pipeline, item_id: str) -> Item:
    """The top-level item that is, or holds, the item of that id."""
    return next(item for item in pipeline.steps if any(inner.id == item_id for inner in within(item)))


def within(item: Item) -> Iterator[Item]:
    """An item and everything in it, parents first."""
    yield item
    if isinstance(item, Group):
        for member in item.steps:
            yield from within(member)


def live_steps(item: Item) -> Iterator[Step]:
    """The steps of an item that are on, as are the groups around them."""
    if not item.enabled:
        return
    if isinstance(item, Step):
        yield item
        return
    for member in item.steps:
        yield from live_steps(member)


def end_of_bytes(pipeline: Pipeline) -> int:
    """The index on the top level before the conversions that end the pipeline."""
    index = len(pipeline.steps)
    while index and _is_conversion(pipeline.steps[index - 1]):
        index -= 1
    return index


def _is_conversion(item: Item) -> bool:
    return not item.enabled or (isinstance(item, Step) and item.transform in CONVERSIONS)


def together(case: Case, first: Step, second: Step) -> bool:
    """Whether two steps can both be applied in one draw: OneOf and OneOrOther apply one of their members only."""
    for item in edits.items(case.pipeline):
        if not isinstance(item, Group):
            continue
        places = [
            [any(inner.id == step.id for inner in within(member)) for member in item.steps] for step in (first, second)
        ]
        if not (any(places[0]) and any(places[1])) or places[0] == places[1]:
            continue
        if item.group in ("OneOf", "OneOrOther") or (item.group == "SomeOf" and item.n == 1):
            return False
    return case.chance(first) > 0 and case.chance(second) > 0


def earlier(case: Case, step: Step, *transforms: str) -> list[Step]:
    """The steps before one that can be applied in the same draw, of these transforms."""
    before = takewhile(lambda other: other.id != step.id, case.steps())
    return [other for other in before if other.transform in transforms and together(case, other, step)]


def fits(step: Step, facts: ImageFacts | None) -> bool:
    """Whether the catalogue has nothing against a step for an image."""
    return not catalog.problems(step, facts)
