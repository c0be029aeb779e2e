"""Rules about what is drawn: steps that are never applied, groups that cannot choose, draws that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from augviz import catalog, edits
from augviz.advice import amounts
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, weight
from augviz.advice.changes import live_members, name_of, without
from augviz.advice.steps import percent
from augviz.model import Group

CANNOT_BE_DRAWN = "cannot-be-drawn"
"""The rule that says less than any other that names the same step as an error."""

# Never applied


def never_applied(case: Case) -> Iterator[Hit]:
    """A step or group whose p is 0."""
    reached = {item.id: chance for item, chance in case.chances()}
    for item, chance in case.chances():
        group = edits.parent(case.pipeline, item.id)
        if chance > 0 or (group is not None and not reached.get(group.id, 0.0)):
            continue
        if group is not None and group.group in ("OneOf", "SomeOf") and not any(map(weight, live_members(group))):
            continue  # the group itself cannot choose, which is another rule's
        name = name_of(item)
        if group is not None and group.group == "OneOrOther":
            message = f"{name} is never applied: OneOrOther has p={weight(group):g}, the probability of its first step."
        else:
            message = f"{name} has p={item.p if item.p is not None else 0:g} and is never applied."
        evidence = f"0 of {amounts.EPOCH_IMAGES:,} images get it."
        yield Hit(message, evidence, item.id, Fix(f"Remove {name}", without(case.pipeline, item.id)))


# Groups


def nothing_to_choose(case: Case) -> Iterator[Hit]:
    """OneOf and SomeOf divide by the sum of their members' p (D51)."""
    for group in _groups(case, "OneOf", "SomeOf"):
        members = live_members(group)
        if not members or any(map(weight, members)):
            continue
        message = f"All steps of {group.group} have p=0: it divides by their sum, so it cannot even be built (D51)."
        fixed = case.pipeline
        for member in members:
            fixed = edits.put(fixed, replace(edits.find(fixed, member.id), p=None))
        evidence = f"The p of its {len(members)} {'step adds' if len(members) == 1 else 'steps add'} up to 0."
        yield Hit(message, evidence, group.id, Fix("Give them the library's p", fixed))


def too_many_to_choose(case: Case) -> Iterator[Hit]:
    """SomeOf without replacement raises for more steps than it has, or than have a p above 0."""
    for group in _groups(case, "SomeOf"):
        possible = sum(1 for member in live_members(group) if weight(member) > 0)
        if group.replace is not False or not possible or (group.n or 0) <= possible:
            continue
        message = (
            f"SomeOf is to apply {group.n} different steps and has {possible} that can be chosen: it raises (D51)."
        )
        evidence = f"It raises in {percent(case.chance(group))} of the draws."
        fixed = edits.put(case.pipeline, replace(group, n=possible))
        yield Hit(message, evidence, group.id, Fix(f"Set n to {possible}", fixed))


def incomplete(case: Case) -> Iterator[Hit]:
    """A group that lacks steps, or has too many, is left out until it has as many as it needs."""
    for group in _groups(case):
        if edits.is_complete(group):
            continue
        spec, count = catalog.group(group.group), len(group.steps)
        least = f"exactly {spec.min_steps} steps" if spec.max_steps else f"at least {spec.min_steps} step"
        message = f"{group.group} needs {least}, it has {count}; until then it is left out."
        fixed = edits.remove(case.pipeline, group.id)
        around = edits.parent(case.pipeline, group.id)
        if around is not None and not edits.is_complete(_changed(around, group)):
            fixed = edits.remove(case.pipeline, around.id)
        label = f"Remove {group.group}"
        if spec.max_steps and count > spec.max_steps:
            label = f"Keep the first {spec.max_steps}"
            fixed = edits.put(case.pipeline, replace(group, steps=group.steps[: spec.max_steps]))
        yield Hit(message, f"It has {count} of {spec.min_steps}.", group.id, Fix(label, fixed))


def _changed(around: Group, gone: Group) -> Group:
    return replace(around, steps=tuple(member for member in around.steps if member.id != gone.id))


def _groups(case: Case, *names: str) -> Iterator[Group]:
    for item, _chance in case.chances():
        if isinstance(item, Group) and (not names or item.group in names):
            yield item


# Draws that fail


def cannot_be_drawn(case: Case) -> Iterator[Hit]:
    """A step that made draws for this image impossible."""
    items = {item.id: item for item in edits.items(case.pipeline) if item.enabled}
    total = len(case.failures) + len(case.all_draws())
    for step_id in dict.fromkeys(failure.step for failure in case.failures):
        if step_id not in items:
            continue
        failed = [failure for failure in case.failures if failure.step == step_id]
        name = name_of(items[step_id])
        seeds = ", ".join(str(failure.seed) for failure in failed[:4])
        message = f"{name} cannot be drawn for this image: {failed[0].reason.rstrip('.')}."
        evidence = f"{len(failed)} of {total} draws failed at it (seed {seeds}{' ...' if len(failed) > 4 else ''})."
        yield Hit(message, evidence, step_id, Fix(f"Remove {name}", without(case.pipeline, step_id)))


RULES: tuple[Rule, ...] = (
    Rule(
        CANNOT_BE_DRAWN,
        Severity.ERROR,
        "A step has raised when draws for this image were made, and no other finding tells why. Only where draws were asked "
        "for: `advise --image`.",
        cannot_be_drawn,
    ),
    Rule(
        "nothing-to-choose",
        Severity.ERROR,
        "A OneOf or SomeOf whose steps all have p=0: the library divides by their sum when it is built (D51).",
        nothing_to_choose,
    ),
    Rule(
        "too-many-to-choose",
        Severity.ERROR,
        "A SomeOf without replacement that is to apply more steps than it can choose from: the library raises (D51).",
        too_many_to_choose,
    ),
    Rule(
        "group-incomplete",
        Severity.WARNING,
        "A group that lacks steps is left out, in the editor as in what is exported.",
        incomplete,
    ),
    Rule(
        "never-applied",
        Severity.WARNING,
        "A step or group has p=0, or is the side of a OneOrOther that is never chosen. ToTensor is spared: it is applied "
        "whatever its p is.",
        never_applied,
    ),
)
"""Rules of this module, the worst first."""
