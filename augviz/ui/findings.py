"""What is worth saying about an item of the pipeline on its card: why it cannot work, or will not do what it seems to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from augviz import catalog, edits
from augviz.model import DTYPES, Draw, DrawnLeaf, Group, ImageFacts, Item, Pipeline, Problem, Step

STATISTICS_LIMIT = 2.0
"""Means and deviations up to this are meant for values from 0 to 1, as everybody publishes them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about an item, and the pipeline in which it would be mended, if one is known.

    Attributes:
        fix_label: what the button does, in a few words.
    """

    message: str
    fixed: Pipeline | None = None
    fix_label: str = "Fix"


def of(item: Item, pipeline: Pipeline, facts: ImageFacts | None, draw: Draw | None) -> tuple[Finding, ...]:
    """What is to be said about an item; nothing about one that is switched off.

    Args:
        draw: the draw that is shown, for what each step gets from the one before; None where there is none.
    """
    if not item.enabled:
        return ()
    if isinstance(item, Group):
        return _of_group(item)
    leaf = leaf_of(item, draw)
    seen = facts_before(item, pipeline, facts, draw)
    found = [_of_problem(problem, item, pipeline, seen) for problem in catalog.problems(item, seen)]
    found += [*_of_format(item, pipeline, facts, leaf), *_of_fill(item, pipeline, leaf, seen)]
    return (*found, *_of_alpha(item, leaf), *_of_normalize(item, pipeline, leaf))


def _of_problem(problem: Problem, step: Step, pipeline: Pipeline, seen: ImageFacts | None) -> Finding:
    """A problem, and the step mended as a whole; what no argument can mend is mended by doing without the step."""
    if problem.fix:
        return Finding(problem.message, edits.put(pipeline, catalog.mended(step, seen)))
    return Finding(problem.message, edits.put(pipeline, replace(step, enabled=False)), "Switch off")


def _of_group(group: Group) -> tuple[Finding, ...]:
    if edits.is_complete(group):
        return ()
    spec, count = catalog.group(group.group), len(group.steps)
    least = f"exactly {spec.min_steps} steps" if spec.max_steps else f"at least {spec.min_steps} step"
    return (Finding(f"{group.group} needs {least}, it has {count}; until then it is left out."),)


def leaf_of(step: Step, draw: Draw | None) -> DrawnLeaf | None:
    """What a step drew, None where there is no draw of it."""
    return next((leaf for leaf in draw.leaves if leaf.id == step.id), None) if draw else None


def facts_before(step: Step, pipeline: Pipeline, facts: ImageFacts | None, draw: Draw | None) -> ImageFacts | None:
    """The facts of the image as a step gets it: of the shape that the steps before it made."""
    if facts is None or draw is None:
        return facts
    leaf = leaf_of(step, draw)
    if leaf is not None:
        return replace(facts, header=leaf.before)
    # A step that cannot be drawn gets what the steps before it, which the draw is of, have made.
    stuck = any(item.id == step.id for item in edits.items(edits.complete(pipeline)))
    return replace(facts, header=draw.result) if stuck else facts


def _of_format(step: Step, pipeline: Pipeline, facts: ImageFacts | None, leaf: DrawnLeaf | None) -> tuple[Finding, ...]:
    """What steps that are made for 8 bit do to other formats."""
    defect = catalog.EIGHT_BIT_ONLY.get(step.transform)
    if defect is None or leaf is None:
        return ()
    before = leaf.before.format
    if before in catalog.WIDER_INTEGERS:
        message = f"{step.transform} takes {DTYPES[before]} for 8 bit: nearly every pixel ends at a limit ({defect})."
        if facts is None or facts.header.format == "uchar" or pipeline.input.as_8_bit:
            return (Finding(message),)
        return (Finding(message, replace(pipeline, input=replace(pipeline.input, as_8_bit=True)), "Convert to 8 bit"),)
    culprit = _made_float(step, pipeline)
    if before not in ("float", "double"):
        return ()
    if step.transform != "RandomBrightnessContrast":
        message = f"{step.transform} makes an 8-bit image of float values, black where they run from 0 to 1 ({defect})."
    elif culprit is not None and culprit.transform == "Normalize":
        message = f"{step.transform} cuts what Normalize has made off at 0 and 1 ({defect})."
    else:
        return ()
    if culprit is None:
        return (Finding(message),)
    fixed = edits.move_before(pipeline, step.id, culprit.id)
    return (Finding(message, fixed, f"Move before {culprit.transform}"),)


def _of_fill(step: Step, pipeline: Pipeline, leaf: DrawnLeaf | None, seen: ImageFacts | None) -> tuple[Finding, ...]:
    """What is outside the image is filled with 255 in every format, unless the fill is given (D21)."""
    argument = catalog.FILLS.get(step.transform)
    if leaf is None or seen is None or leaf.before.format in ("uchar", "char"):
        return ()
    if argument is None or step.get(argument) is not None:
        return ()
    how = "nearly black in 16 bit" if leaf.before.format in catalog.WIDER_INTEGERS else "far too bright from 0 to 1"
    message = f"{step.transform} fills with 255 whatever the format, {how}: give {argument} (D21)."
    filled = step.with_args(**{argument: catalog.white(seen)})
    return (Finding(message, edits.put(pipeline, filled), f"Set {argument}"),)


def _of_alpha(step: Step, leaf: DrawnLeaf | None) -> tuple[Finding, ...]:
    """A step that leaves an alpha band behind without a word (D13)."""
    if step.transform != "RandomBrightnessContrast" or leaf is None or leaf.before.bands <= leaf.after.bands:
        return ()
    return (Finding(f"{step.transform} keeps {leaf.after.bands} of {leaf.before.bands} bands (D13)."),)


def _made_float(step: Step, pipeline: Pipeline) -> Step | None:
    """The first Normalize or ToDtype above a step, both on the top level."""
    for item in pipeline.steps:
        if item.id == step.id:
            return None
        if isinstance(item, Step) and item.enabled and item.transform in ("Normalize", "ToDtype"):
            return item if any(other.id == step.id for other in pipeline.steps) else None
    return None


def _of_normalize(step: Step, pipeline: Pipeline, leaf: DrawnLeaf | None) -> tuple[Finding, ...]:
    """albumentationsxl 0.1.2 does not divide by 255 before it subtracts the mean (D15)."""
    if step.transform != "Normalize" or leaf is None or leaf.before.format not in ("uchar", "ushort"):
        return ()
    args: Mapping[str, object] = catalog.resolved_args(step)
    mean = args.get("mean")
    numbers = mean if isinstance(mean, tuple) else (mean,)
    if not all(isinstance(n, int | float) and abs(n) <= STATISTICS_LIMIT for n in numbers):
        return ()
    top = 255 if leaf.before.format == "uchar" else 65535
    message = (
        f"Normalize gets values from 0 to {top}, but its mean and std are meant for 0 to 1: put ToDtype before it."
    )
    if top != 255 or edits.parent(pipeline, step.id) is not None:
        return (Finding(message),)
    to_dtype = edits.new_step(pipeline, "ToDtype")
    index = [item.id for item in pipeline.steps].index(step.id)
    steps = (*pipeline.steps[:index], to_dtype, *pipeline.steps[index:])
    return (Finding(message, replace(pipeline, steps=steps), "Add ToDtype"),)
