"""Measures a pipeline at full size in this process, which should be a fresh one: time, processor time and peak memory.

Lazy steps cost nothing until their pixels are made, so every figure makes them all: into the null device, row by row, as
libvips writes a file, or into one array, as a training loader holds it. libvips' operation cache is off meanwhile.
"""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyvips

from augviz import engine, resident
from augviz.context import Context
from augviz.engine import Applied
from augviz.environment import environment
from augviz.errors import ArgumentError
from augviz.firing import Firing, header
from augviz.images import open_image
from augviz.libvips import save_raw
from augviz.model import Header, InputChoice, Pipeline

WAYS = ("stream", "hold")
"""The pixels written row by row and dropped, or held in one array."""

MAX_REPEATS = 100

WARM_UP_SECONDS = 5.0
"""A warm-up is the whole work where that takes at most about so long, else a strip of it."""

STRIP_LINES = 256

ROUNDS_SECONDS = 300.0
"""No further round over the steps is begun after so long."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a draw of a pipeline on an image file."""

    path: str
    choice: InputChoice
    pipeline: Pipeline
    seed: int

    def open(self) -> pyvips.Image:
        """The image that the pipeline is fed, opened anew."""
        return open_image(self.path, self.choice)


@dataclass(frozen=True, slots=True)
class Seconds:
    """What one run took: by the clock, and of the processor in all threads."""

    wall: float
    cpu: float


def check_repeats(repeats: int) -> int:
    """`repeats`, if so many are possible. Raises ArgumentError."""
    if isinstance(repeats, bool) or not isinstance(repeats, int) or not 1 <= repeats <= MAX_REPEATS:
        raise ArgumentError(f"repeats: must lie within 1 and {MAX_REPEATS}, got {repeats}.")
    return repeats


@contextlib.contextmanager
def uncached() -> Iterator[None]:
    """Without libvips' operation cache, in which a repeat would find its result ready."""
    kept = pyvips.cache_get_max()
    pyvips.cache_set_max(0)
    try:
        yield
    finally:
        pyvips.cache_set_max(kept)


@contextlib.contextmanager
def stopwatch(seconds: list[Seconds]) -> Iterator[None]:
    """Appends what the block took. Garbage is collected before and after it, and is no part of its time."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    seconds.append(Seconds(wall, cpu))
    gc.collect()


def stream(image: pyvips.Image) -> None:
    """Make all pixels from top to bottom and drop them. Raises pyvips.Error."""
    with open(os.devnull, "wb", buffering=0) as null:
        save_raw(image, null.fileno())


def strip(image: pyvips.Image, lines: int = STRIP_LINES) -> pyvips.Image:
    """Some full lines in the middle of `image`."""
    lines = min(lines, image.height)
    return image.crop(0, (image.height - lines) // 2, image.width, lines)


# The whole


def measure(subject: Subject, way: str, repeats: int, context: Context) -> dict[str, Any]:
    """Run the whole pipeline `repeats` times after a warm-up, the file opened anew and the draw made each time.

    Returns:
        {"way", "wall_seconds": [...], "cpu_seconds": [...] of all threads, "megapixels" of what the pipeline is fed,
        "peak_bytes", "baseline_bytes": what the process has had at most during the timed runs, and had before the file was
        opened (None where the system does not tell), "environment"}.

    Raises:
        ArgumentError: there is no such way, or repeats are not within 1 and 100.
        StepError, ImageError, pyvips.Error: the pixels cannot be made.
        Cancelled: it was given up.
    """
    if way not in WAYS:
        raise ArgumentError(f"way: must be one of {', '.join(WAYS)}, got {way!r}.")
    check_repeats(repeats)
    baseline = resident.resident_bytes()
    seconds: list[Seconds] = []
    engine.draw(header(subject.open()), subject.pipeline, subject.seed)  # refuses before a step that reads all is built
    with uncached():
        _warm_up(subject, way, context)
        resident.give_back()
        memory = resident.reset_peak()
        for number in range(repeats):
            context.progress(number / repeats, f"run {number + 1} of {repeats}")
            with stopwatch(seconds):
                _force(_applied(subject), way, context, (number / repeats, (number + 1) / repeats))
            context.close()  # what it watched holds caches, which would count as memory of the next run
            gc.collect()
            resident.give_back()
        peak = resident.peak_from(baseline)
    return {
        "way": way,
        **figures(seconds, header(subject.open())),
        "peak_bytes": peak,
        "baseline_bytes": baseline,
        "environment": {**environment(), "memory": memory},
    }


def figures(seconds: list[Seconds], source: Header) -> dict[str, Any]:
    """The timed runs as JSON values."""
    return {
        "wall_seconds": [one.wall for one in seconds],
        "cpu_seconds": [one.cpu for one in seconds],
        "megapixels": source.width * source.height / 1e6,
    }


def _applied(subject: Subject) -> Applied:
    return engine.apply(subject.open(), subject.pipeline, subject.seed)


def _force(applied: Applied, way: str, context: Context, within: tuple[float, float]) -> None:
    watched = context.watch(applied.image.copy(), within)
    if way == "hold":
        replace(applied, image=watched).array()
    else:
        stream(watched)


def _warm_up(subject: Subject, way: str, context: Context) -> None:
    """Code loaded, threads started, the file in the system's cache: what a first run pays for, and others do not."""
    context.progress(None, "warming up")
    applied = _applied(subject)
    part = strip(applied.image)
    lines, height = part.height, applied.image.height
    began = time.perf_counter()
    _force(replace(applied, image=part), way, context, (0.0, 0.0))
    if lines < height and (time.perf_counter() - began) * height / lines <= WARM_UP_SECONDS:
        _force(_applied(subject), way, context, (0.0, 0.0))
    del applied, part
    context.close()
    gc.collect()


# Its steps


def measure_steps(subject: Subject, rounds: int, context: Context) -> dict[str, Any]:
    """What each step adds, by streaming the pipeline cut off after 0, 1, 2 ... steps, in rounds over all of them.

    A round's differences add up to its whole, and what slows the machine for a while meets neighbours alike. A step that
    saves later work costs less than nothing: after a crop the rest of the file need not be read.

    Returns:
        {"steps": [one for each step of the pipeline: id, transform, position, applied, "seconds": the median of the rounds,
        0 where the step is not applied in this draw, "spread": their greatest minus their least], "reading_seconds",
        "reading_spread": of the file alone, "rounds": how many there were, "megapixels", "environment"}.

    Raises:
        As `measure`.
    """
    check_repeats(rounds)
    source = header(subject.open())
    drawn = engine.draw(source, subject.pipeline, subject.seed, at_step=context.at_step)
    with uncached():
        expected = _expected(subject, drawn.firings, context)
        began = time.monotonic()
        times: list[list[float]] = []
        while len(times) < rounds and (not times or time.monotonic() - began < ROUNDS_SECONDS):
            times.append(_round(subject, drawn.firings, (len(times), rounds), expected, context))
    added: dict[int, list[float]] = {}
    for each in times:
        of_round: dict[int, float] = {}
        for firing, before, after in zip(drawn.firings, each, each[1:], strict=False):
            of_round[firing.position] = of_round.get(firing.position, 0.0) + after - before
        for position, seconds in of_round.items():
            added.setdefault(position, []).append(seconds)
    reading = [each[0] for each in times]
    return {
        "steps": [
            {
                "id": leaf.id,
                "transform": leaf.transform,
                "position": leaf.position,
                "applied": leaf.applied,
                "seconds": statistics.median(added.get(leaf.position, [0.0])),
                "spread": _spread(added.get(leaf.position, [0.0])),
            }
            for leaf in drawn.draw.leaves
        ],
        "reading_seconds": statistics.median(reading),
        "reading_spread": _spread(reading),
        "rounds": len(times),
        "megapixels": source.width * source.height / 1e6,
        "environment": environment(),
    }


def _spread(values: list[float]) -> float:
    return max(values) - min(values)


def _expected(subject: Subject, firings: tuple[Firing, ...], context: Context) -> list[float]:
    """About how long each cut-off pipeline takes, from a strip of it; the warm-up."""
    found: list[float] = []
    for count in range(len(firings) + 1):
        if count and firings[count - 1].name == "ToTensor":
            found.append(0.0)
            continue
        context.progress(None, f"warming up, {_upto(firings, count)}")
        began = time.perf_counter()
        result = _prefix(subject, firings[:count])
        part = strip(result)
        stream(context.watch(part.copy(), (0.0, 0.0)))
        found.append((time.perf_counter() - began) * result.height / part.height)
        context.close()
    return found


def _round(
    subject: Subject,
    firings: tuple[Firing, ...],
    number: tuple[int, int],
    expected: list[float],
    context: Context,
) -> list[float]:
    """The seconds of each cut-off pipeline, once."""
    index, rounds = number
    seconds: list[Seconds] = []
    done, total = 0.0, sum(expected) or 1.0
    for count in range(len(firings) + 1):
        if count and firings[count - 1].name == "ToTensor":  # a view of the array, no pixels of its own
            seconds.append(seconds[-1])
            continue
        within = ((index + done / total) / rounds, (index + (done + expected[count]) / total) / rounds)
        context.progress(within[0], f"round {index + 1} of {rounds}, {_upto(firings, count)}")
        if count:
            context.at_step(firings[count - 1].step.id, firings[count - 1].name, firings[count - 1].position)
        with stopwatch(seconds):
            stream(context.watch(_prefix(subject, firings[:count]).copy(), within))
        context.close()
        done += expected[count]
    return [one.wall for one in seconds]


def _upto(firings: tuple[Firing, ...], count: int) -> str:
    return f"up to {firings[count - 1].name}" if count else "reading alone"


def _prefix(subject: Subject, firings: tuple[Firing, ...]) -> pyvips.Image:
    image = subject.open()
    for firing in firings:
        image = engine.replay(firing, image)
    return image
