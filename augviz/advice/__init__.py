"""Advice on a pipeline, for an image where there is one: a table of rules, each a pure function of the case."""

from __future__ import annotations

from augviz.advice.case import Case, Finding, Fix, Hit, Rule, Severity

__all__ = ["RULES", "Case", "Finding", "Fix", "Hit", "Rule", "Severity", "advise"]

RULES: tuple[Rule, ...] = ()
"""Every rule, the worst first."""


def advise(case: Case) -> tuple[Finding, ...]:
    """What every rule finds: errors first, then warnings, then notes, each in the order of the steps."""
    order = {item.id: number for number, (item, _chance) in enumerate(case.chances())}
    found = [Finding(rule.name, rule.severity, hit) for rule in RULES for hit in rule.find(case)]
    ranks = list(Severity)
    return tuple(sorted(found, key=lambda f: (ranks.index(f.severity), order.get(f.hit.step or "", -1))))
