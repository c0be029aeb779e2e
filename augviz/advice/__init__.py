"""Advice on a pipeline, for an image where there is one: a table of rules, each a pure function of the case."""

from __future__ import annotations

from itertools import chain

from augviz.advice import (
    chance,
    costs,
    defects,
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

_MODULES = (defects, image, chance, values, order, shapes, redundant, costs, idle, validation, repeat, targets)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        chain.from_iterable(module.RULES for module in _MODULES), key=lambda rule: list(Severity).index(rule.severity)
    )
)
"""Every rule, the worst first."""


def advise(case: Case) -> tuple[Finding, ...]:
    """What every rule finds: errors first, then warnings, then notes, each in the order of the steps."""
    order = {item.id: number for number, (item, _chance) in enumerate(case.chances())}
    found = [Finding(rule.name, rule.severity, hit) for rule in RULES for hit in rule.find(case)]
    ranks = list(Severity)
    return tuple(sorted(found, key=lambda f: (ranks.index(f.severity), order.get(f.hit.step or "", -1))))
