"""Rules on the file that is read: what a window of it costs, and which steps read it out of order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from augviz import catalog, copies
from augviz.advice import arriving
from augviz.advice.case import Case, Hit, Rule, Severity
from augviz.advice.steps import Range, axes, limits, names, number
from augviz.model import ImageFacts, Step
from augviz.units import bytes_text, seconds_text

__all__ = ["RULES"]

IN_MEMORY_BYTES = 100 * 2**20
"""libvips decodes into memory up to this size, into a temporary file above (its own default)."""

SLOW_SECONDS = 1.0
"""A file that is decoded whole in less is quick enough."""

HELD_ROWS = 150
"""Rows that a step may reach back in a file that is read once from top to bottom: 157 worked, 261 did not."""


def _is_slow(case: Case) -> bool:
    """Whether the file has to be decoded whole before a window of it can be read, and that takes its time."""
    facts = case.facts
    return facts is not None and not facts.region_readable and copies.decode_seconds(facts.header)[1] >= SLOW_SECONDS


def _held(facts: ImageFacts) -> str:
    where = "a temporary file of" if facts.uncompressed_bytes > IN_MEMORY_BYTES else "memory of"
    return f"{where} {bytes_text(facts.uncompressed_bytes)}"


def _slow(case: Case) -> Iterator[Hit]:
    facts = case.facts
    if facts is None or not _is_slow(case):
        return
    low, high = (seconds_text(float(f"{seconds:.1g}")) for seconds in copies.decode_seconds(facts.header))
    command = copies.command_line(facts.name, copies.kinds_for(facts.header)[0], facts.header.format, facts.loader)
    message = (
        "The file cannot be read by regions, so the first crop or window of it decodes all of it; "
        f"make a tiled working copy once, by `{command}`."
    )
    evidence = (
        f"Its {bytes_text(facts.file_bytes)} take about {low} to {high}, "
        f"and {_held(facts)}; a window of a tiled copy takes about 0.02 s."
    )
    yield Hit(message, evidence)


# Steps that read out of order


def _steepest(limit: Range | None) -> float:
    """The greatest |sin| of the angles in a range of degrees."""
    if limit is None:
        return 0.0
    if any(limit[0] <= angle <= limit[1] for angle in (-270, -90, 90, 270)):
        return 1.0
    return max(abs(math.sin(math.radians(angle))) for angle in limit)


def _slope(step: Step) -> float:
    """Rows of the input that one row of the result crosses, per pixel of width, at the steepest that can be drawn."""
    if step.transform == "Rotate":
        return _steepest(limits(step, "limit"))
    args = catalog.resolved_args(step)
    if all(args[name] is None for name in ("scale", "translate_percent", "translate_px", "rotate", "shear")):
        return _steepest((-15, 15))  # the library's own ranges, where none is given
    return max(_steepest(limits(step, "rotate")), _steepest(axes(step, "shear")[1]))


def _crosses(case: Case, step: Step) -> bool:
    return (arriving.header(case, step).width or 1000) * _slope(step) > HELD_ROWS


def _displaces(case: Case, step: Step) -> bool:
    alpha, sigma = number(step, "alpha") or 0.0, number(step, "sigma") or 0.0
    return abs(alpha) * (1 + 3 * 35 / max(sigma, 1.0)) > HELD_ROWS  # its field's mean and three deviations (D27)


def _always(_case: Case, _step: Step) -> bool:
    return True


def _mirrors(case: Case, step: Step) -> bool:
    """Whether a border above or below is made of rows of the image."""
    args = catalog.resolved_args(step)
    if args["border_mode"] not in ("mirror", "repeat"):
        return False
    least = args["min_height"]
    return least is None or any(least > shape.height[0] for shape in arriving.shapes(case, step))


OUT_OF_ORDER: Mapping[str, Callable[[Case, Step], bool]] = {
    "VerticalFlip": _always,
    "Flip": _always,
    "Transpose": _always,
    "RandomRotate90": _always,
    "Rotate": _crosses,
    "Affine": _crosses,
    "ElasticTransform": _displaces,
    "RandomBrightnessContrast": lambda _, step: step.get("brightness_by_max", True) is False,
    "PadIfNeeded": _mirrors,
}
"""Transforms that need rows of the file which have gone by, and when."""


def _sequential(case: Case) -> Iterator[Hit]:
    facts = case.facts
    if facts is None or not _is_slow(case):
        return
    met = [step for step in case.steps() if (asks := OUT_OF_ORDER.get(step.transform)) and asks(case, step)]
    if met:
        needs = "needs" if len({step.transform for step in met}) == 1 else "need"
        message = (
            f'{names(met)} {needs} random access: with access="sequential", which would save memory on this file, '
            'reading ends with "out of order read".'
        )
        yield Hit(message, f"Random access decodes the whole file into {_held(facts)}.", met[0].id)


RULES: tuple[Rule, ...] = (
    Rule(
        "slow-file",
        Severity.WARNING,
        "The file is not readable by regions and takes a second or more to decode: each process that crops it decodes all of "
        "it first.",
        _slow,
    ),
    Rule(
        "sequential-access",
        Severity.NOTE,
        'Steps that need random access, on a file that one would rather open with access="sequential".',
        _sequential,
    ),
)
