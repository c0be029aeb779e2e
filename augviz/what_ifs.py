"""What could be otherwise in a pipeline: one item less, two items the other way round, conversions to float first or last.

Items of the top level, groups as a whole. Ids stay, and with them the draws of all other items. Knows no pixels; that a
variant can be drawn is known once it is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from augviz import catalog, edits
from augviz.errors import PipelineError
from augviz.model import Group, Item, Pipeline, Step
from augviz.profiles import Failed, Profile, Repeats, StepTimes
from augviz.units import seconds_text


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One variant of a pipeline.

    Attributes:
        name: tells it from the others: "without s3", "s3 before s2", "s3 first", "s3 last".
        label: what is otherwise, in words.
        item_id: the item that is removed or moved.
        is_removal: whether the item is missing, not moved.
        pipeline: the whole of it, with what is switched off.
    """

    name: str
    label: str
    item_id: str
    is_removal: bool
    pipeline: Pipeline


def variants(pipeline: Pipeline) -> tuple[WhatIf, ...]:
    """What could be otherwise, each different in what is applied: conversions first, then removals, then moves.

    Items that are switched off, and groups that lack steps, are none that could be missed, and stay behind the item that
    they stand behind. Variants whose arguments the catalogue knows to be wrong, or where ToTensor is followed by
    anything, are left out.
    """
    found: list[WhatIf] = []
    seen = {applied(pipeline)}
    for one in (*_conversions(pipeline), *_removals(pipeline), *_moves(pipeline)):
        told = applied(one.pipeline)
        if told not in seen and is_sound(one.pipeline):
            seen.add(told)
            found.append(one)
    return tuple(found)


def most_telling(found: tuple[WhatIf, ...], seconds: Mapping[str, float] | None = None) -> WhatIf | None:
    """The one to begin with: a conversion to float last, if it is not; else the slowest item removed; else the first.

    Args:
        seconds: what each item of the top level takes, by id, where that was measured.
    """
    last = next((one for one in found if one.name.endswith(" last")), None)
    if last is not None:
        return last
    removals = [one for one in found if one.is_removal and one.item_id in (seconds or {})]
    if seconds and removals:
        return max(removals, key=lambda one: seconds[one.item_id])
    return found[0] if found else None


def seconds_by_item(pipeline: Pipeline, times: StepTimes) -> dict[str, float]:
    """What each item of the top level takes, by id; a group takes what its steps take."""
    by_step = {step.id: step.seconds for step in times.steps}
    return {item.id: sum(by_step.get(leaf.id, 0.0) for leaf in Pipeline((item,)).leaves()) for item in pipeline.steps}


def applied(pipeline: Pipeline) -> tuple[Item, ...]:
    """The items of the top level that take part: switched on, and with the steps that they need."""
    return tuple(item for item in edits.complete(pipeline).steps if _takes_part(item))


def is_sound(pipeline: Pipeline) -> bool:
    """Whether nothing is known against drawing it, whatever the image."""
    items = applied(pipeline)
    if any(_makes_tensor(item) for item in items[:-1]):
        return False
    try:
        return not any(catalog.problems(leaf) for leaf in Pipeline(items).leaves() if leaf.enabled)
    except PipelineError:
        return False


# The variants


def _conversions(pipeline: Pipeline) -> Iterator[WhatIf]:
    """Each conversion to float last, and first; last is before what comes later still, as Normalize is before ToTensor."""
    for item in applied(pipeline):
        if isinstance(item, Step) and _makes_float(item):
            name = _named(pipeline, item.id)
            last = edits.add(edits.remove(pipeline, item.id), edits.find(pipeline, item.id))
            yield WhatIf(f"{item.id} last", f"{name} last", item.id, False, last)
            first = edits.move(pipeline, item.id, -len(pipeline.steps))
            yield WhatIf(f"{item.id} first", f"{name} first", item.id, False, first)


def _removals(pipeline: Pipeline) -> Iterator[WhatIf]:
    for item in applied(pipeline):
        label = f"Without {_named(pipeline, item.id)}"
        yield WhatIf(f"without {item.id}", label, item.id, True, edits.remove(pipeline, item.id))


def _moves(pipeline: Pipeline) -> Iterator[WhatIf]:
    """Each item before the one that it follows: one up for it, one down for the other."""
    items = applied(pipeline)
    for before, after in itertools.pairwise(items):
        label = f"{_named(pipeline, after.id)} before {_named(pipeline, before.id)}"
        moved = edits.move_before(pipeline, after.id, before.id)
        yield WhatIf(f"{after.id} before {before.id}", label, after.id, False, moved)


def _takes_part(item: Item) -> bool:
    if isinstance(item, Group):
        return item.enabled and any(_takes_part(member) for member in item.steps)
    return item.enabled


def _makes_tensor(item: Item) -> bool:
    return any(leaf.transform == "ToTensor" and leaf.enabled for leaf in Pipeline((item,)).leaves())


def _makes_float(step: Step) -> bool:
    """Whether a step's result is of float values whatever it gets."""
    return step.transform in ("Normalize", "ToTensor") or (
        step.transform == "ToDtype" and step.get("dtype") in ("float", "double")
    )


def _named(pipeline: Pipeline, item_id: str) -> str:
    """An item by what it is, and its place among all of the top level."""
    place = [item.id for item in pipeline.steps].index(item_id) + 1
    item = pipeline.steps[place - 1]
    if isinstance(item, Step):
        return f"{item.transform} (step {place})"
    inside = ", ".join(dict.fromkeys(leaf.transform for leaf in Pipeline((item,)).leaves()))
    return f"{item.group} of {inside} (step {place})"


# What came of it


@dataclass(frozen=True, slots=True)
class Difference:
    """A pipeline as it is and a variant of it, each measured more than once, in turn.

    Attributes:
        before: as it is; `after`: the variant. Both with the repeats of all their processes.
    """

    before: Profile
    after: Profile

    @property
    def seconds(self) -> float:
        """What the variant takes more, by the medians; less than zero where it is quicker."""
        return self.after.wall.median - self.before.wall.median

    @property
    def share(self) -> float:
        """The same as a share of what it takes as it is."""
        return self.seconds / self.before.wall.median if self.before.wall.median > 0 else 0.0

    @property
    def spread(self) -> float:
        """How far the repeats of either lie apart, in seconds, the farther ones."""
        return max(self.before.wall.spread, self.after.wall.spread)

    @property
    def is_about_nothing(self) -> bool:
        """Whether the difference is no more than that."""
        return abs(self.seconds) <= self.spread

    @property
    def bytes(self) -> int | None:
        """What the variant takes more of memory, None where that is not known."""
        before, after = self.before.increase_bytes, self.after.increase_bytes
        return None if before is None or after is None else after - before


def merged(outcomes: Sequence[Profile | Failed]) -> Profile | Failed:
    """One profile with the repeats of several of the same thing, and the most memory of any; the first failure if any is.

    Args:
        outcomes: at least one.
    """
    found: list[Profile] = []
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            return outcome
        found.append(outcome)
    most = max(found, key=lambda one: one.increase_bytes or 0)
    return replace(
        most,
        wall=Repeats(tuple(value for one in found for value in one.wall.values)),
        cpu=Repeats(tuple(value for one in found for value in one.cpu.values)),
    )


def sentence(what_if: WhatIf, difference: Difference) -> str:
    """What the variant gains or costs, with the spread; that there is no difference where it lies within that."""
    before, after = (seconds_text(one.wall.median) for one in (difference.before, difference.after))
    spread = f"spread {seconds_text(difference.spread)}"
    if difference.is_about_nothing:
        return f"{what_if.label}: no difference beyond the spread, {after} where it is {before} now ({spread})."
    word, sign = ("less", "−") if difference.seconds < 0 else ("more", "+")
    share = f"{sign}{abs(difference.share) * 100:.0f} %"
    return (
        f"{what_if.label}: {seconds_text(abs(difference.seconds))} {word} ({share}), {after} where it is {before} now "
        f"({spread})."
    )
