"""What a step can get, over every draw: sizes, formats and bands, and what the catalogue has against each.

Nothing here depends on the draw that is looked at, so that findings stay when it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from augviz import catalog, edits
from augviz.advice import flow
from augviz.advice.case import Case
from augviz.model import Header, ImageFacts, Problem, Step

__all__ = ["bands", "formats", "header", "mended", "problems", "shapes", "troubled"]


def shapes(case: Case, step: Step) -> tuple[flow.Shape, ...]:
    """The shapes that a step can get, the largest first; none where the image is unknown or the step is never reached."""
    if not case.source().width:
        return ()
    found = flow.of(case).reaching(step.id)
    return tuple(sorted(found, key=lambda s: (s.width[1] * s.height[1], s.width, s.height, s.format), reverse=True))


def formats(case: Case, step: Step) -> frozenset[str]:
    """The formats that a step can get; the source's where it is never reached."""
    return flow.of(case).formats(step.id) or frozenset({case.source().format})


def header(case: Case, step: Step) -> Header:
    """The largest shape that a step can get; 0 x 0 px where the image is unknown."""
    source = case.source()
    found = shapes(case, step)
    if not found:
        return replace(source, format=min(formats(case, step)))
    return replace(source, width=found[0].width[1], height=found[0].height[1], format=found[0].format)


# Bands


def bands(case: Case, step: Step) -> tuple[int, ...]:
    """The numbers of bands that a step can get, those of the source first."""
    made = [case.source().bands]
    for other in case.steps():
        if other.id == step.id:
            break
        chance = case.chance(other)
        after = [made_bands(other, count, one) for count in made for one in sorted(formats(case, other))]
        # Without repeats, or they would double at every step.
        made = list(dict.fromkeys(after if chance >= 1 else made + after if chance > 0 else made))
    return tuple(made)


def made_bands(step: Step, before: int, pixel_format: str) -> int:
    """How many bands a step makes of an image of a format, if it is applied and does not raise."""
    if step.transform == "RandomBrightnessContrast":
        return min(before, 3) if pixel_format == "uchar" else before  # D13
    if before == 1 and step.transform == "HueSaturationValue":
        return 3  # D14
    if before == 1 and step.transform == "GaussNoise" and step.get("per_channel", True):
        return 3  # D10
    return before


# What the catalogue has against it


def problems(case: Case, step: Step) -> tuple[tuple[Problem, ImageFacts | None], ...]:
    """What is wrong with a step's arguments for the shapes that it can get, each once, with a shape for which it is."""
    found: dict[object, tuple[Problem, ImageFacts | None]] = {}
    for problem, facts in _problems(case, step):
        found.setdefault(problem.fix[0][0] if problem.fix else problem.message.split(",")[0], (problem, facts))
    return tuple(found.values())


def _problems(case: Case, step: Step) -> Iterator[tuple[Problem, ImageFacts | None]]:
    facts, arriving = case.facts, shapes(case, step)
    if facts is None or not arriving:
        yield from ((problem, None) for problem in catalog.problems(step))
        return
    for count in bands(case, step):
        for shape in arriving:
            high = _facts(facts, shape, count, 1)
            if shape.is_exact:
                yield from ((problem, high) for problem in catalog.problems(step, high))
            elif step.transform == "GridDropout":  # sizes between may well do
                yield from ((problem, None) for problem in catalog.problems(step))
            else:
                small = {_about(problem) for problem in catalog.problems(step, _facts(facts, shape, count, 0))}
                yield from ((p, high) for p in catalog.problems(step, high) if _about(p) in small)


def _about(problem: Problem) -> tuple[str, ...]:
    return tuple(name for name, _ in problem.fix)


def _facts(facts: ImageFacts, shape: flow.Shape, count: int, end: int) -> ImageFacts:
    """The facts of the image as a shape, at the low (0) or the high end (1) of its spans."""
    made = Header(shape.width[end], shape.height[end], count, shape.format, facts.header.interpretation)
    return replace(facts, header=made)


def mended(case: Case, step: Step) -> Step | None:
    """The step with arguments that the catalogue has nothing against, for every shape; None where there are none."""
    for _ in range(3):
        changed = replace(case, pipeline=edits.put(case.pipeline, step))
        found = problems(changed, step)
        if not found:
            return step
        for _problem, facts in found:
            step = catalog.mended(step, facts)
    return None


def troubled(case: Case, step: Step) -> frozenset[str]:
    """The arguments that the catalogue finds fault with; "" for what no argument mends. Other rules are silent on them."""
    return frozenset(name for problem, _ in problems(case, step) for name in (_about(problem) or ("",)))
