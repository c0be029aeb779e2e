"""Defects of the installed library in groups, and in what adds up over the steps of a draw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from augviz import edits, guards
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, probability, weight
from augviz.advice.steps import groups, images, in_place, new_ids, number, percent
from augviz.model import Group, Item, Step

__all__ = ["RULES", "repeat_share"]


def _on(group: Group) -> tuple[Item, ...]:
    """The members that are on."""
    return tuple(member for member in group.steps if member.enabled)


def _name(item: Item) -> str:
    return item.group if isinstance(item, Group) else item.transform


# Groups


def _sequential(case: Case) -> Iterator[Hit]:
    """A Sequential whose p was given, where it is no weight in a OneOf or SomeOf."""
    for group in groups(case):
        parent = edits.parent(case.pipeline, group.id)
        if group.group != "Sequential" or group.p is None or probability(group) >= 1:
            continue
        if parent is not None and parent.group in ("OneOf", "SomeOf"):
            continue
        message = f"Sequential ignores its p of {group.p:g}: its steps always run, each with its own p (D51)."
        evidence = f"Its steps see {images(case, group)}, where {1000 * group.p:.0f} were asked for."
        ids = new_ids(case)
        first = Step(next(ids), "NoOp", p=1.0)
        inner = Group(next(ids), "Sequential", (first, *group.steps), 1.0)
        fixed = Group(group.id, "OneOf", (inner,), group.p)
        yield Hit(message, evidence, group.id, in_place(case, "Put it into a OneOf", fixed))


def _forced(case: Case) -> Iterator[Hit]:
    """A Sequential that is chosen runs its first step whatever its p, and the others by theirs."""
    for group in groups(case):
        parent = edits.parent(case.pipeline, group.id)
        if group.group != "Sequential" or parent is None or parent.group == "Sequential":
            continue
        members = _on(group)
        if len(members) < 2 or probability(members[0]) >= 1:
            continue
        first, p = _name(members[0]), probability(members[0])
        message = (
            f"When {parent.group} chooses this Sequential, {first} always runs whatever its p; the steps after it "
            "keep theirs (D51)."
        )
        evidence = f"{first} runs in all of the draws that choose it, not in {percent(p)}."
        noop = Step(next(new_ids(case)), "NoOp", p=1.0)
        fixed = replace(group, steps=(noop, *group.steps))
        yield Hit(message, evidence, group.id, in_place(case, "Put a NoOp first", fixed))


def repeat_share(weights: tuple[float, ...], n: int) -> float:
    """Share of draws of n with replacement, in proportion to weights, in which one is drawn twice or more."""
    total = sum(weights)
    if n < 2 or not total:
        return 0.0
    ways = [1.0] + [0.0] * n  # elementary symmetric polynomials of the shares
    for share in (w / total for w in weights):
        for k in range(n, 0, -1):
            ways[k] += ways[k - 1] * share
    return max(0.0, 1 - math.factorial(n) * ways[n])


def _repeats(case: Case) -> Iterator[Hit]:
    for group in groups(case):
        members = _on(group)
        n = min(group.n or 0, len(members) + 1)  # from there on it is certain
        share = repeat_share(tuple(weight(m) for m in members), n) if group.group == "SomeOf" else 0.0
        if group.replace is False or share < 1e-9:
            continue
        message = "SomeOf can choose the same step twice: two flips undo each other, two blurs add up (D51)."
        evidence = (
            f"Choosing {group.n} of {len(members)}, in {percent(share)} of its draws: {images(case, group, share)}."
        )
        allowed = (group.n or 0) <= sum(weight(m) > 0 for m in members)
        fix = in_place(case, "Set replace to False", replace(group, replace=False)) if allowed else None
        yield Hit(message, evidence, group.id, fix)


# Holes


def _holes_of(case: Case, step: Step) -> int:
    """The most holes that a CoarseDropout chains in one draw, SomeOf's repetitions included."""
    most, group = number(step, "max_holes"), edits.parent(case.pipeline, step.id)
    times = (group.n or 1) if group is not None and group.group == "SomeOf" and group.replace is not False else 1
    return int(most or 0) * times


def _holes(case: Case) -> Iterator[Hit]:
    met = [step for step in case.steps() if step.transform == "CoarseDropout"]
    total = sum(_holes_of(case, step) for step in met)
    alone = max((number(step, "max_holes") or 0 for step in met), default=0)
    if total <= guards.HOLE_LIMIT or alone > guards.HOLE_LIMIT:
        return
    message = (
        f"The steps of one draw can make {total:,} holes, and releasing a result of more than "
        f"{guards.HOLE_LIMIT:,} can end the process (D2)."
    )
    evidence = f"{len(met)} CoarseDropout; 2,500 holes never crashed, 4,000 did in 10 of 12 runs."
    pipeline = case.pipeline
    for step in met:
        most = math.floor((number(step, "max_holes") or 1) * guards.HOLE_LIMIT / total)
        least = number(step, "min_holes")
        fewer = step.with_args(max_holes=max(1, most))
        pipeline = edits.put(
            pipeline, fewer if least is None else fewer.with_args(min_holes=max(1, min(int(least), most)))
        )
    yield Hit(message, evidence, met[0].id, Fix("Fewer holes", pipeline))


RULES: tuple[Rule, ...] = (
    Rule("holes-add-up", Severity.ERROR, "The holes of several steps end the process together (D2).", _holes),
    Rule(
        "sequential-ignores-p",
        Severity.WARNING,
        "A Sequential was given a p below 1, which it ignores (D51).",
        _sequential,
    ),
    Rule(
        "some-of-repeats",
        Severity.WARNING,
        "SomeOf draws with replacement, and can apply a step twice (D51).",
        _repeats,
    ),
    Rule(
        "first-of-sequential-is-forced",
        Severity.NOTE,
        "A Sequential inside another group always runs its first step (D51).",
        _forced,
    ),
)
"""The worst first."""
