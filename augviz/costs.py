"""Measures what each transform costs per megapixel, by making its pixels. The worker side of `calibration`.

The image is in memory and the result is dropped as it is made, so that reading and writing files do not count; nor does
building the step, which takes a millisecond or so whatever the size.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import pyvips

from augviz import calibration, catalog, engine, sources
from augviz.calibration import FORMATS, Cost
from augviz.context import Context
from augviz.errors import StepError
from augviz.fidelity import facts_of
from augviz.model import Pipeline, Step

REPEATS = 7
LEAST_REPEATS = 3
CASE_SECONDS = 0.6
"""A transform is not measured again after so long, once it has its least repeats."""

SECONDS = 45.0
"""Nothing is measured again after so long in all, so that a busy machine gives few repeats rather than none."""

SIDES = ((30.0, 2048), (400.0, 1024), (float("inf"), 512))
"""(cost in ms per megapixel by the catalogue, side in px): the cheaper a step, the larger an image shows its cost."""


@dataclass(slots=True)
class _Case:
    """A transform on a format, and the milliseconds per megapixel that were measured: (CPU, wall)."""

    name: str
    pixel_format: str
    image: pyvips.Image
    step: Step
    measured: list[tuple[float, float]] = field(default_factory=list)
    spent: float = 0.0

    def cost(self) -> Cost:
        cpu = [one for one, _ in self.measured]
        wall = [one for _, one in self.measured]
        return Cost(
            cpu_ms=round(statistics.median(cpu), 3),
            cpu_low_ms=round(min(cpu), 3),
            cpu_high_ms=round(max(cpu), 3),
            wall_ms=round(statistics.median(wall), 3),
            repeats=len(cpu),
        )


def photograph(side: int, pixel_format: str) -> pyvips.Image:
    """A square of a photograph, repeated: RGB in memory, 8 bit or float from 0 to 1."""
    path = next(sample.path for sample in sources.samples() if sample.name == "astronaut")
    image = pyvips.Image.new_from_file(str(path))
    times = -(-side // min(image.width, image.height))
    square = image.replicate(times, times).crop(0, 0, side, side)
    if pixel_format == "float":
        square = (square / 255).cast("float").copy(interpretation="scrgb")
    return square.copy_memory()


def measure(
    context: Context, *, names: tuple[str, ...] | None = None, sides: tuple[tuple[float, int], ...] = SIDES
) -> dict[str, dict[str, Cost]]:
    """The cost of every transform on each format, or of `names`; what raises on a format is left out.

    Each round measures all of them once, with another draw, so that a moment in which the machine is busy meets one repeat
    of many transforms rather than all repeats of one. Raises Cancelled.
    """
    kept = pyvips.cache_get_max()
    pyvips.cache_set_max(0)  # or libvips would remember results
    try:
        cases = _working(_cases(names or tuple(catalog.TRANSFORMS), sides), context)
        _rounds(cases, context)
    finally:
        pyvips.cache_set_max(kept)
    costs: dict[str, dict[str, Cost]] = {}
    for case in cases:
        if case.measured:
            costs.setdefault(case.name, {})[case.pixel_format] = case.cost()
    return costs


def _cases(names: tuple[str, ...], sides: tuple[tuple[float, int], ...]) -> list[_Case]:
    images: dict[tuple[int, str], pyvips.Image] = {}
    cases = []
    for name in names:
        spec = catalog.transform(name)
        if spec.unusable:
            continue
        side = next(side for cost, side in sides if (spec.cost_ms_per_megapixel or 0) <= cost)
        for pixel_format in FORMATS:
            key = (side, pixel_format)
            if key not in images:
                images[key] = photograph(*key)
            facts = facts_of(engine.header(images[key]))
            step = catalog.initial_step(name, "0", facts)
            cases.append(_Case(name, pixel_format, images[key], Step(step.id, name, step.args, p=1.0)))
    return cases


def _working(cases: list[_Case], context: Context) -> list[_Case]:
    """Those that do not raise in all draws, each tried: what a first time costs beside the pixels is not counted."""
    context.progress(None, "trying every transform")
    found = []
    for case in cases:
        for seed in range(LEAST_REPEATS):
            context.check()
            with contextlib.suppress(StepError, pyvips.Error):
                _make(case, seed, share=0.05)
                found.append(case)
                break
    return found


def _rounds(cases: list[_Case], context: Context) -> None:
    began, done = time.monotonic(), 0
    for number in range(REPEATS):
        for case in cases:
            context.check()
            context.progress(done / (REPEATS * len(cases)), f"measuring {case.name}")
            done += 1
            late = number >= 1 and time.monotonic() - began > SECONDS
            if late or (number >= LEAST_REPEATS and case.spent > CASE_SECONDS):
                continue
            try:
                cpu, wall, megapixels = _make(case, seed=number)
            except (StepError, pyvips.Error):  # RandomRotate90 raises in some of its draws (D5)
                continue
            case.spent += wall
            case.measured.append((cpu * 1000 / megapixels, wall * 1000 / megapixels))


def _make(case: _Case, seed: int, share: float = 1.0) -> tuple[float, float, float]:
    """CPU and wall seconds of making one draw's pixels, and the input's megapixels.

    Args:
        share: how much of the result is made, from the top.
    """
    applied = engine.apply(case.image, Pipeline((case.step,)), seed)
    result = applied.image
    if share < 1:
        result = result.crop(0, 0, result.width, max(1, int(result.height * share)))
    cpu, wall = time.process_time(), time.perf_counter()
    if applied.tensor:
        result.numpy()  # the transposition is a view of it
    else:
        result.rawsave(os.devnull)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu, wall, case.image.width * case.image.height / 1e6


def calibrate(out: Path, context: Context, names: tuple[str, ...] | None = None) -> int:
    """Measure, and keep the costs in the file `out`; returns how many transforms were measured."""
    costs = measure(context, names=names)
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    calibration.save(out, libvips, datetime.date.today().isoformat(), costs)
    return len(costs)
