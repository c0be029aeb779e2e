"""`python -m augviz advise`: what the rules find in a pipeline, as text or JSON. No pixels, no browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from augviz import calibration, saved
from augviz.advice import Case, Failure, Finding, Severity, advise
from augviz.advice.text import places
from augviz.facts import draw_from_json, facts_from_json
from augviz.model import Pipeline

DRAWS = 8
"""Draws that are looked at, from the seed on."""

NOTHING = "Nothing to advise."

Work = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Has a worker do a task."""


def case_of(pipeline: Pipeline, image: str | None, seed: int, work: Work, **said: Any) -> Case:
    """The case of a pipeline, with some draws for the image where one is given.

    Args:
        said: what the user tells of its use: `stride`, `validation`, `targets`.

    Raises:
        AugvizError: the image cannot be read.
    """
    costs = calibration.stored()
    bare = Case(pipeline, costs=costs.get("uchar", {}), float_costs=costs.get("float", {}), **said)
    if image is None:
        return bare
    form = saved.dump(pipeline)
    request = {"path": image, "input": form.get("input", {}), "pipeline": form, "seed": seed}
    answer = work("draws", {**request, "seeds": list(range(seed, seed + DRAWS))})
    draws = [draw_from_json(draw) for draw in answer["draws"]]
    return replace(
        bare,
        facts=facts_from_json(answer["facts"]),
        draw=draws[0] if draws else None,
        draws=tuple(draws[1:]),
        failures=tuple(Failure(**failure) for failure in answer["failures"]),
    )


def printed(case: Case, as_json: bool) -> tuple[str, bool]:
    """What the command prints, and whether there is an error among it."""
    findings = advise(case)
    text = json.dumps([_json(f) for f in findings], indent=2, allow_nan=False) if as_json else _text(case, findings)
    return text, any(finding.severity is Severity.ERROR for finding in findings)


def _json(finding: Finding) -> dict[str, Any]:
    hit = finding.hit
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "step": hit.step,
        "message": hit.message,
        "evidence": hit.evidence,
        "fix": None if hit.fix is None else {"label": hit.fix.label, "pipeline": saved.dump(hit.fix.pipeline)},
    }


def _text(case: Case, findings: tuple[Finding, ...]) -> str:
    """A paragraph for each finding: severity and rule, where, what and why, what shows it, and what mends it."""
    names = places(case.pipeline)
    paragraphs = []
    for finding in findings:
        hit = finding.hit
        lines = [f"{finding.severity.value}: {names.get(hit.step or '', 'the pipeline')} ({finding.rule})", hit.message]
        lines += [hit.evidence] if hit.evidence else []
        lines += [f"Fix: {hit.fix.label}."] if hit.fix else []
        paragraphs.append("\n    ".join(lines))
    return "\n\n".join(paragraphs) if paragraphs else NOTHING
