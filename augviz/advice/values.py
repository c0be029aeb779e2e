"""Rules about the range of values: statistics and scaling that do not fit what the image holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from augviz import catalog, edits
from augviz.advice import flow
from augviz.advice.case import Case, Fix, Hit, Rule, Severity
from augviz.advice.changes import earlier, inserted_before, new_step, without
from augviz.checks import is_number
from augviz.model import DTYPES, Step, Value

UNIT_LIMIT = 2.0
"""Means and deviations up to this are meant for values from 0 to 1, as everybody publishes them; above, for 0 to 255."""

TOPS = {"uchar": 255, "ushort": 65535}
FLOATS = ("float", "double")


def _numbers(value: Any) -> tuple[float, ...]:
    """The numbers of a statistic; none where it is not made of numbers."""
    found = value if isinstance(value, tuple) else (value,)
    return found if found and all(is_number(n) for n in found) else ()


def statistics(step: Step) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """mean and std of a Normalize, None where they are not numbers, or a std is 0."""
    args = catalog.resolved_args(step)
    mean, std = _numbers(args.get("mean")), _numbers(args.get("std"))
    return (mean, std) if mean and std and all(std) else None


def _are_unit(mean: tuple[float, ...], std: tuple[float, ...]) -> bool:
    return all(abs(n) <= UNIT_LIMIT for n in (*mean, *std))


def _are_levels(mean: tuple[float, ...], std: tuple[float, ...]) -> bool:
    return max(map(abs, std)) > UNIT_LIMIT and (max(map(abs, mean)) > UNIT_LIMIT or not any(mean))


def _scaled(step: Step, factor: float) -> Step:
    """The step with the statistics of its colours scaled; an alpha band's 0 and 1 stay when it is divided."""

    def times(value: Any) -> Value:
        numbers = tuple(round(n * factor, 6) if factor >= 1 or abs(n) > UNIT_LIMIT else n for n in _numbers(value))
        return numbers if isinstance(value, tuple) else numbers[0]

    args = catalog.resolved_args(step)
    return step.with_args(mean=times(args["mean"]), std=times(args["std"]))


def _range(numbers: tuple[tuple[float, ...], tuple[float, ...]], low: float, high: float) -> tuple[float, float]:
    """What Normalize makes of a range of values, in the first band."""
    (mean, *_), (std, *_) = numbers
    return (low - mean) / std, (high - mean) / std


def _span(ends: tuple[float, float]) -> str:
    return f"from {ends[0]:.4g} to {ends[1]:.4g}"


def _normalizes(case: Case) -> Iterator[tuple[Step, tuple[tuple[float, ...], tuple[float, ...]]]]:
    for step in case.steps():
        found = statistics(step) if step.transform == "Normalize" and case.chance(step) > 0 else None
        if found is not None:
            yield step, found


# Normalize


def unit_statistics(case: Case) -> Iterator[Hit]:
    """Normalize does not divide by 255 before it subtracts the mean (D15)."""
    through = flow.of(case)
    for step, numbers in _normalizes(case):
        formats = sorted(through.formats(step.id) & TOPS.keys())
        if not formats or not _are_unit(*numbers) or earlier(case, step, "Normalize"):
            continue
        top = TOPS[formats[-1]]
        when = "gets" if through.formats(step.id) == {formats[-1]} else "gets in some draws"
        message = (
            f"Normalize {when} values from 0 to {top}, but its mean and std are meant for 0 to 1, and it does not "
            f"divide by {top} first (D15): put ToDtype before it, or give mean and std times {top}."
        )
        evidence = (
            f"{DTYPES[formats[-1]]} values then run {_span(_range(numbers, 0, top))} in the first band, "
            f"where {_span(_range(numbers, 0, 1))} is meant."
        )
        yield Hit(message, evidence, step.id, _unit_fix(case, step, formats, through.formats(step.id)))


def _unit_fix(case: Case, step: Step, formats: list[str], all_formats: frozenset[str]) -> Fix | None:
    """ToDtype before it on the top level; elsewhere, and for 16 bit, which it does not convert (D18), the statistics."""
    pipeline = case.pipeline
    if formats == ["uchar"] and edits.parent(pipeline, step.id) is None:
        to_dtype = new_step(pipeline, "ToDtype", dtype="float", scale=True)
        return Fix("Add ToDtype", inserted_before(pipeline, to_dtype, step.id))
    if all_formats != set(formats) or len(formats) != 1:
        return None
    top = TOPS[formats[0]]
    return Fix(f"Multiply mean and std by {top}", edits.put(pipeline, _scaled(step, top)))


def level_statistics(case: Case) -> Iterator[Hit]:
    """Statistics of 0 to 255 on values that ToDtype has divided by 255 already."""
    through = flow.of(case)
    if case.source().format != "uchar":
        return  # what a float image holds, nobody knows without reading it
    for step, numbers in _normalizes(case):
        formats = through.formats(step.id)
        if not formats or not formats <= set(FLOATS) or not _are_levels(*numbers):
            continue
        scaling = [other for other in earlier(case, step, "ToDtype") if other.get("dtype") in FLOATS]
        if not scaling or earlier(case, step, "Normalize"):
            continue
        got = _range(numbers, 0, 1)
        message = (
            "Normalize gets values from 0 to 1, since ToDtype has divided them by 255, but its mean and std are meant "
            "for 0 to 255: the image becomes nearly one colour."
        )
        evidence = (
            f"Its values then run {_span(got)} in the first band, {got[1] - got[0]:.3g} wide, where "
            f"{_span(_range(numbers, 0, 255))} is meant."
        )
        fixed = edits.put(case.pipeline, _scaled(step, 1 / 255))
        yield Hit(message, evidence, step.id, Fix("Divide mean and std by 255", fixed))


def normalized_twice(case: Case) -> Iterator[Hit]:
    """A second Normalize standardises what has been standardised."""
    for step, numbers in _normalizes(case):
        before = earlier(case, step, "Normalize")
        first = next((found for other, found in _normalizes(case) if before and other.id == before[0].id), None)
        if first is None:
            continue
        top = 1.0 if _are_unit(*first) else 255.0
        once = _range(first, 0, top)
        message = "Normalize is applied to values that a Normalize before it has made, so they are scaled twice."
        evidence = f"The first band runs {_span(once)} after the first and {_span(_range(numbers, *once))} after this."
        yield Hit(message, evidence, step.id, Fix("Remove this Normalize", without(case.pipeline, step.id)))


# ToDtype


def cut_to_8_bit(case: Case) -> Iterator[Hit]:
    """ToDtype('uchar') after Normalize, or without scaling after ToDtype: only what lies from 0 to 1 or is 0 or 1 stays."""
    for step in case.steps():
        args = catalog.resolved_args(step) if step.transform == "ToDtype" and case.chance(step) > 0 else {}
        if args.get("dtype") != "uchar" or case.source().format not in ("uchar", *FLOATS):
            continue
        makers = earlier(case, step, "Normalize", "ToDtype")
        if not makers:
            continue
        last = makers[-1]
        if last.transform == "Normalize":
            hit = _cut_after_normalize(case, step, last, bool(args.get("scale")))
        elif last.get("dtype") in FLOATS and not args.get("scale"):
            message = "ToDtype makes 8 bit of values from 0 to 1 without scaling them: everything becomes 0 or 1."
            fix = Fix("Set scale", edits.put(case.pipeline, step.with_args(scale=True)))
            hit = Hit(message, "2 of 256 levels are left.", step.id, fix)
        else:
            hit = None
        if hit is not None:
            yield hit


def _cut_after_normalize(case: Case, step: Step, normalize: Step, scale: bool) -> Hit | None:
    found = statistics(normalize)
    if found is None:
        return None
    low, high = _range(found, 0, 1.0 if _are_unit(*found) else 255.0)
    top = 1.0 if scale else 255.0
    kept = max(0.0, min(high, top) - max(low, 0.0)) / (high - low) if high > low else 0.0
    if kept > 0.99:
        return None
    message = (
        f"ToDtype makes 8 bit of what Normalize has made: everything below 0 and above {top:g} is cut off for good."
    )
    evidence = f"Values run {_span((low, high))} in the first band, of which {kept:.0%} lies within 0 and {top:g}."
    return Hit(message, evidence, step.id, Fix("Remove ToDtype", without(case.pipeline, step.id)))


RULES: tuple[Rule, ...] = (
    Rule(
        "float-cut-to-8-bit",
        Severity.ERROR,
        "ToDtype('uchar') after Normalize, or without `scale` after ToDtype('float'): values are cut off silently and "
        "cannot be brought back.",
        cut_to_8_bit,
    ),
    Rule(
        "normalize-unit-statistics",
        Severity.WARNING,
        "Normalize has a mean and std for values from 0 to 1 and gets 8 or 16 bit, which the library does not scale (D15). "
        "A warning, since nothing is lost: the network gets values hundreds of times too large.",
        unit_statistics,
    ),
    Rule(
        "normalize-level-statistics",
        Severity.WARNING,
        "Normalize has a mean and std for values from 0 to 255, and ToDtype has divided the values by 255 already: the image "
        "becomes nearly one colour.",
        level_statistics,
    ),
    Rule(
        "normalize-twice",
        Severity.WARNING,
        "Two Normalize can be applied in one draw: values are scaled twice.",
        normalized_twice,
    ),
)
"""Rules of this module, the worst first."""
