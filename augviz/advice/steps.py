"""How rules read a step: the ranges that it draws from, what is wrong with its arguments, how often it runs, its fixes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from augviz import catalog, edits
from augviz.advice.case import Case, Fix, Hit
from augviz.model import XY, Group, InputChoice, Item, Step

Range = tuple[float, float]

MADE_FOR = 1000
"""Images that shares of draws are told for."""


def limits(step: Step, name: str) -> Range | None:
    """The (low, high) that the library draws an argument from; None where it is no range."""
    found = catalog.pair(catalog.transform(step.transform).param(name), catalog.resolved_args(step).get(name))
    return (min(found), max(found)) if found and all(map(math.isfinite, found)) else None


def axes(step: Step, name: str) -> tuple[Range | None, Range | None]:
    """The ranges of an argument for x and y; one range for both is taken twice, None is an axis that was not given."""
    value = catalog.resolved_args(step).get(name)
    param = catalog.transform(step.transform).param(name)
    both = (value.x, value.y) if isinstance(value, XY) else (value, value)
    x, y = (catalog.pair(param, v) for v in both)
    return x, y


def number(step: Step, name: str) -> float | None:
    """An argument that is one number; None for anything else."""
    value = catalog.resolved_args(step).get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def images(case: Case, item: Item, share: float = 1.0) -> str:
    """How many of a thousand images meet what happens in `share` of the draws that apply a step or group, in words."""
    count = MADE_FOR * case.chance(item) * share
    if count > 999.4:
        return "every one of 1,000 images"
    text = f"{count:.0f}" if count >= 0.95 else f"{count:.1g}" if count >= 0.05 else "fewer than 0.1"
    return f"about {text} of 1,000 images"


def percent(share: float) -> str:
    """A share as a percentage of two digits."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def span(low: float, high: float, digits: int = 3) -> str:
    """A range in words, one number where its ends are written alike."""
    ends = f"{low:.{digits}g}", f"{high:.{digits}g}"
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def names(steps: Iterable[Step]) -> str:
    """The transforms of steps, each once, in their order."""
    return ", ".join(dict.fromkeys(step.transform for step in steps))


def given(case: Case, label: str, step: Step, **args: Any) -> Fix:
    """The fix that gives a step other arguments."""
    return Fix(label, edits.put(case.pipeline, step.with_args(**args)))


def in_place(case: Case, label: str, item: Item) -> Fix:
    """The fix that puts another item in the place of the one with its id."""
    return Fix(label, edits.put(case.pipeline, item))


def switched_off(case: Case, step: Step) -> Fix:
    """The fix that does without a step."""
    return Fix("Switch off", edits.put(case.pipeline, replace(step, enabled=False)))


def with_input(case: Case, label: str, **choice: Any) -> Fix:
    """The fix that feeds the pipeline something else, by fields of `InputChoice`."""
    fed: InputChoice = replace(case.pipeline.input, **choice)
    return Fix(label, replace(case.pipeline, input=fed))


def new_ids(case: Case) -> Iterator[str]:
    """Ids that no item of the pipeline has."""
    number = int(edits.free_id(case.pipeline)[1:])
    while True:
        yield f"s{number}"
        number += 1


def on_top(case: Case, step: Step) -> bool:
    """Whether a step stands in no group."""
    return any(item.id == step.id for item in case.pipeline.steps)


def groups(case: Case) -> Iterator[Group]:
    """Every group that is on and has as many steps as it needs."""
    for item, _chance in case.chances():
        if isinstance(item, Group) and edits.is_complete(item):
            yield item


StepFind = Callable[[Case, Step], Iterable[Hit]]


def each(find: StepFind, *transforms: str) -> Callable[[Case], Iterable[Hit]]:
    """A rule's `find` that looks at every step that is on, of these transforms where any are named."""

    def find_all(case: Case) -> Iterator[Hit]:
        for step in case.steps():
            if not transforms or step.transform in transforms:
                yield from find(case, step)

    return find_all
