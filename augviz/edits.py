"""What can be done to a pipeline in the editor: pure functions from one pipeline to the next. No Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from augviz import catalog
from augviz.errors import PipelineError
from augviz.model import Group, ImageFacts, Item, Pipeline, Step

MAX_ITEMS = 200
"""Steps and groups that a page shows the cards of; a browser needs about a second for so many."""

LAST = ("ToDtype", "Normalize", "ToTensor")
"""What a pipeline ends with, in this order: values as a model takes them."""


class GoneError(PipelineError):
    """A click was for a step that an earlier click has removed."""


def items(pipeline: Pipeline) -> Iterator[Item]:
    """Every step and group, parents before their members."""

    def walk(level: tuple[Item, ...]) -> Iterator[Item]:
        for item in level:
            yield item
            if isinstance(item, Group):
                yield from walk(item.steps)

    return walk(pipeline.steps)


def check_count(pipeline: Pipeline) -> None:
    """Raises PipelineError where a pipeline has more steps and groups than can be shown."""
    count = sum(1 for _ in items(pipeline))
    if count > MAX_ITEMS:
        raise PipelineError(
            f"The pipeline has {count} steps and groups; at most {MAX_ITEMS} are shown here, the command line takes more."
        )


def find(pipeline: Pipeline, item_id: str) -> Item:
    """The step or group called `item_id`. Raises GoneError if there is none."""
    for item in items(pipeline):
        if item.id == item_id:
            return item
    raise GoneError(f"The pipeline has no step {item_id!r}.")


def parent(pipeline: Pipeline, item_id: str) -> Group | None:
    """The group that holds `item_id`, None at the top level."""
    for item in items(pipeline):
        if isinstance(item, Group) and any(member.id == item_id for member in item.steps):
            return item
    return None


def siblings(pipeline: Pipeline, item_id: str) -> tuple[Item, ...]:
    """The items of the level on which `item_id` stands, itself included."""
    group = parent(pipeline, item_id)
    return group.steps if group else pipeline.steps


def highest_number(*pipelines: Pipeline) -> int:
    """The highest number among the ids of pipelines, 0 where none has one."""
    ids = (item.id for pipeline in pipelines for item in items(pipeline))
    return max((int(m.group(1)) for item_id in ids if (m := re.fullmatch(r"s(\d+)", item_id))), default=0)


def free_id(pipeline: Pipeline, taken: int = 0) -> str:
    """An id that no item has, above `taken` and every number in use: a new step never gets a removed one's random stream."""
    return f"s{max(taken, highest_number(pipeline)) + 1}"


def new_step(pipeline: Pipeline, transform: str, facts: ImageFacts | None = None, taken: int = 0) -> Step:
    """A step as the editor begins with it: the library's defaults, and what these need to work on the image."""
    return catalog.initial_step(transform, free_id(pipeline, taken), facts)


def new_group(pipeline: Pipeline, group: str, taken: int = 0) -> Group:
    """An empty group; the editor shows what it still needs."""
    return Group(free_id(pipeline, taken), group, n=1 if catalog.group(group).has_n else None)


def is_complete(group: Group) -> bool:
    """Whether a group has as many steps as it needs."""
    spec = catalog.group(group.group)
    return spec.min_steps <= len(group.steps) <= (len(group.steps) if spec.max_steps is None else spec.max_steps)


def complete(pipeline: Pipeline) -> Pipeline:
    """The pipeline without the groups that still lack steps: what is drawn, shown and exported meanwhile."""

    def walk(level: tuple[Item, ...]) -> tuple[Item, ...]:
        walked = (replace(item, steps=walk(item.steps)) if isinstance(item, Group) else item for item in level)
        return tuple(item for item in walked if not isinstance(item, Group) or is_complete(item))

    return replace(pipeline, steps=walk(pipeline.steps))


def before_leaf(pipeline: Pipeline, position: int) -> Pipeline:
    """The top-level items before the one that holds the leaf at `position`, counted from 1."""
    kept: list[Item] = []
    count = 0
    for item in pipeline.steps:
        count += sum(1 for _ in Pipeline((item,)).leaves())
        if count >= position:
            break
        kept.append(item)
    return replace(pipeline, steps=tuple(kept))


def _at_level(pipeline: Pipeline, item_id: str, change: Callable[[tuple[Item, ...]], tuple[Item, ...]]) -> Pipeline:
    """The pipeline with `change` done to the level on which `item_id` stands."""

    def walk(level: tuple[Item, ...]) -> tuple[Item, ...]:
        if any(item.id == item_id for item in level):
            return change(level)
        return tuple(replace(item, steps=walk(item.steps)) if isinstance(item, Group) else item for item in level)

    find(pipeline, item_id)
    return replace(pipeline, steps=walk(pipeline.steps))


def put(pipeline: Pipeline, changed: Item) -> Pipeline:
    """The pipeline with the item of the same id replaced by `changed`."""
    return _at_level(
        pipeline, changed.id, lambda level: tuple(changed if item.id == changed.id else item for item in level)
    )


def remove(pipeline: Pipeline, item_id: str) -> Pipeline:
    """The pipeline without the item (and, for a group, without its members)."""
    return _at_level(pipeline, item_id, lambda level: tuple(item for item in level if item.id != item_id))


def insert(pipeline: Pipeline, item: Item, group_id: str | None = None) -> Pipeline:
    """The pipeline with `item` at the end of the top level, or of a group."""
    if group_id is None:
        return replace(pipeline, steps=(*pipeline.steps, item))
    group = find(pipeline, group_id)
    if not isinstance(group, Group):
        raise PipelineError(f"{group_id!r} is a step, not a group.")
    return put(pipeline, replace(group, steps=(*group.steps, item)))


def add(pipeline: Pipeline, item: Item, group_id: str | None = None) -> Pipeline:
    """The pipeline with `item` where it belongs at the top level, or at the end of a group.

    Steps that make a tensor end a pipeline, in the order of `LAST`: what changes pixels comes before them.
    """
    widened = insert(pipeline, item, group_id)
    if group_id is not None:
        return widened
    behind = 0
    for other in reversed(pipeline.steps):
        if _last_place(other) <= _last_place(item):
            break
        behind += 1
    return move(widened, item.id, -behind)


def _last_place(item: Item) -> int:
    """The place in `LAST`, -1 for what changes pixels, and for groups."""
    return LAST.index(item.transform) if isinstance(item, Step) and item.transform in LAST else -1


def move(pipeline: Pipeline, item_id: str, offset: int) -> Pipeline:
    """The pipeline with the item `offset` places later (earlier if negative) on its level; it stops at the ends."""

    def shift(level: tuple[Item, ...]) -> tuple[Item, ...]:
        index = [item.id for item in level].index(item_id)
        rest = [item for item in level if item.id != item_id]
        rest.insert(max(0, min(len(rest), index + offset)), level[index])
        return tuple(rest)

    return _at_level(pipeline, item_id, shift)


def move_before(pipeline: Pipeline, item_id: str, other_id: str) -> Pipeline:
    """The pipeline with a top-level item right before another one."""
    rest = [item for item in pipeline.steps if item.id != item_id]
    rest.insert([item.id for item in rest].index(other_id), find(pipeline, item_id))
    return replace(pipeline, steps=tuple(rest))


def move_into(pipeline: Pipeline, item_id: str, group_id: str) -> Pipeline:
    """The pipeline with the item as the last member of a group."""
    return insert(remove(pipeline, item_id), find(pipeline, item_id), group_id)


def move_out(pipeline: Pipeline, item_id: str) -> Pipeline:
    """The pipeline with the item right behind the group that held it."""
    group = parent(pipeline, item_id)
    if group is None:
        return pipeline
    item = find(pipeline, item_id)
    return _insert_after(remove(pipeline, item_id), group.id, item)


def duplicate(pipeline: Pipeline, item_id: str, taken: int = 0) -> Pipeline:
    """The pipeline with a copy of the item right behind it; the copy and its members get ids of their own."""
    next_number = int(free_id(pipeline, taken)[1:])

    def renamed(item: Item) -> Item:
        nonlocal next_number
        copy = replace(item, id=f"s{next_number}")
        next_number += 1
        return replace(copy, steps=tuple(renamed(m) for m in copy.steps)) if isinstance(copy, Group) else copy

    return _insert_after(pipeline, item_id, renamed(find(pipeline, item_id)))


def reset(pipeline: Pipeline, item_id: str, facts: ImageFacts | None = None) -> Pipeline:
    """The pipeline with the item's arguments and probability as when it was added; its members stay."""
    item = find(pipeline, item_id)
    if isinstance(item, Group):
        return put(pipeline, replace(item, p=None, n=1 if catalog.group(item.group).has_n else None, replace=None))
    fresh = catalog.initial_step(item.transform, item.id, facts)
    return put(pipeline, replace(fresh, enabled=item.enabled))


def _insert_after(pipeline: Pipeline, item_id: str, new: Item) -> Pipeline:
    def widen(level: tuple[Item, ...]) -> tuple[Item, ...]:
        index = [item.id for item in level].index(item_id)
        return (*level[: index + 1], new, *level[index + 1 :])

    return _at_level(pipeline, item_id, widen)
