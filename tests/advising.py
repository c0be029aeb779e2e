"""Pipelines and cases for the tests of advice: short to write, drawn by the real library."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from augviz import edits, engine, saved
from augviz.advice import RULES, Case, Failure, Finding, Hit
from augviz.errors import StepError
from augviz.model import Group, ImageFacts, InputChoice, Item, Pipeline, Step, Value

DRAWS = 3


def step(transform: str, p: float | None = None, **args: Value) -> Step:
    """A step that `pipeline` gives an id."""
    return Step("", transform, tuple(args.items()), p)


def group(name: str, *members: Item, p: float | None = None, n: int | None = None, **more: Any) -> Group:
    """A group that `pipeline` gives ids."""
    return Group("", name, members, p, n, **more)


def pipeline(*items: Item, **choice: Any) -> Pipeline:
    """The pipeline of these items, with the ids s1, s2 ... in the order written, parents first."""
    count = 0

    def numbered(item: Item) -> Item:
        nonlocal count
        count += 1
        named = replace(item, id=f"s{count}")
        return replace(named, steps=tuple(map(numbered, named.steps))) if isinstance(named, Group) else named

    made = Pipeline(tuple(map(numbered, items)))
    return replace(made, input=replace(made.input, **choice))


def drawn(chosen: Pipeline, image: ImageFacts | None = None, **more: Any) -> Case:
    """The case of a pipeline, with a few draws where there is an image, as `advise --image` makes it."""
    if image is None:
        return Case(chosen, **more)
    draws, failures = [], []
    for seed in range(DRAWS):
        try:
            draws.append(engine.draw(image.header, edits.complete(chosen), seed).draw)
        except StepError as error:
            failures.append(Failure(seed, error.step_id, error.reason))
    first = draws[0] if draws else None
    return Case(chosen, image, first, tuple(draws[1:]), failures=tuple(failures), **more)


def fed(facts: ImageFacts, choice: InputChoice) -> ImageFacts:
    """The facts of an image of which a pipeline is fed that."""
    header = facts.header if choice.bands is None else replace(facts.header, bands=choice.bands)
    return replace(facts, header=replace(header, format="uchar") if choice.as_8_bit else header)


def again(case: Case, fixed: Pipeline) -> Case:
    """The same case for another pipeline, drawn anew."""
    facts = None if case.facts is None else fed(case.facts, fixed.input)
    fresh = drawn(fixed, facts)
    return replace(case, pipeline=fixed, facts=facts, draw=fresh.draw, draws=fresh.draws, failures=fresh.failures)


def hits(rule: str, case: Case) -> tuple[Hit, ...]:
    """What one rule finds."""
    [row] = [row for row in RULES if row.name == rule]
    return tuple(row.find(case))


def names(findings: Iterable[Finding]) -> list[tuple[str, str | None]]:
    """Rule and step of each finding."""
    return [(finding.rule, finding.hit.step) for finding in findings]


def is_loadable(fixed: Pipeline) -> bool:
    """Whether a pipeline is what its saved form gives back."""
    return saved.loads(saved.dumps(fixed)) == fixed


@dataclass(frozen=True)
class Example:
    """A case of a rule; made when it is used, since making it draws."""

    about: str
    make: Callable[[], Case]


def example(about: str, *items: Item, image: ImageFacts | None = None, **more: Any) -> Example:
    """An example of these items."""
    return Example(about, lambda: drawn(pipeline(*items), image, **more))
