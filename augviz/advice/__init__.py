"""Advice on a pipeline, for an image where there is one: a table of rules, each a pure function of the case."""

from __future__ import annotations

from itertools import chain

from augviz.advice import (
    chance,
    costs,
    defects,
    fills,
    idle,
    image,
    order,
    redundant,
    repeat,
    shapes,
    targets,
    validation,
    values,
)
from augviz.advice.case import Case, Failure, Finding, Fix, Hit, Rule, Severity

__all__ = ["RULES", "Case", "Failure", "Finding", "Fix", "Hit", "Rule", "Severity", "advise"]

_MODULES = (defects, image, fills, chance, values, order, shapes, redundant, costs, idle, validation, repeat, targets)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        chain.from_iterable(module.RULES for module in _MODULES), key=lambda rule: list(Severity).index(rule.severity)
    )
)
"""Every rule, the worst first."""


def advise(case: Case) -> tuple[Finding, ...]:
    """What every rule finds: errors first, then warnings, then notes, each in the order of the steps.

    That a step cannot be drawn is left out where another finding tells why: the crash would be told twice, and the
    second time with a fix that can remove what is right.
    """
    order = {item.id: number for number, (item, _chance) in enumerate(case.chances())}
    found = [Finding(rule.name, rule.severity, hit) for rule in RULES for hit in rule.find(case)]
    told = {step for finding in found if _tells_why(finding) for step in (finding.hit.step, *finding.hit.also)}
    found = [finding for finding in found if finding.rule != chance.CANNOT_BE_DRAWN or finding.hit.step not in told]
    ranks = list(Severity)
    return tuple(sorted(found, key=lambda f: (ranks.index(f.severity), order.get(f.hit.step or "", -1))))


def _tells_why(finding: Finding) -> bool:
    """Whether a finding can be the reason for a draw that failed: an error, or an argument, of the image and not of a target."""
    if finding.rule == chance.CANNOT_BE_DRAWN or finding.rule in _OF_TARGETS:
        return False
    return finding.severity is Severity.ERROR or finding.rule == "argument-limit"


_OF_TARGETS = frozenset(rule.name for rule in targets.RULES)
