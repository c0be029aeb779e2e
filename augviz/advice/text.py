"""Findings as sentences for a text: the terminal, the comments of an exported module."""

from __future__ import annotations

from collections.abc import Iterable

from augviz.advice.case import Case, Finding
from augviz.model import Group, Pipeline, Step


def places(pipeline: Pipeline) -> dict[str, str]:
    """What to call each step and group: `step 2 Rotate`, `OneOf`; positions count the leaves in the order written."""
    names: dict[str, str] = {}
    count = 0

    def walk(items: Iterable[Step | Group]) -> None:
        nonlocal count
        for item in items:
            if isinstance(item, Group):
                names[item.id] = item.group
                walk(item.steps)
            else:
                count += 1
                names[item.id] = f"step {count} {item.transform}"

    walk(pipeline.steps)
    return names


def remarks(case: Case, findings: Iterable[Finding]) -> tuple[str, ...]:
    """One paragraph for each finding: severity, where, what and why, and what shows it."""
    names = places(case.pipeline)
    paragraphs = []
    for finding in findings:
        hit = finding.hit
        where = f", {names[hit.step]}" if hit.step in names else ""
        paragraphs.append(f"{finding.severity.value}{where}: {hit.message} {hit.evidence}".strip())
    return tuple(paragraphs)
