"""What was measured of a pipeline at full size, as the server holds it: figures, their median and spread, and failures.

`start` has a fresh process measure one figure, `outcome` is what came of it. Makes no pixels.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from augviz import machine
from augviz.child import CannotStart
from augviz.errors import ArgumentError, AugvizError, Cancelled, is_out_of_memory
from augviz.estimates import Estimate, estimate_from_json
from augviz.jobs import NICE, Job, start_job
from augviz.settings import get_settings
from augviz.units import bytes_text

UNSTABLE_SHARE = 0.25
"""Repeats that differ by more than this share of their median are called unstable."""

THREADS = max(1, min(2, os.cpu_count() or 1))
"""libvips' threads of a job, so that previews stay quick beside it; `calibration` measures with two."""

TASKS: Mapping[str, str] = {
    "stream": "measure",
    "hold": "measure",
    "memory": "measure_in_memory",
    "albumentations": "measure_in_memory",
}
"""The worker function for each way."""

TITLES: Mapping[str, str] = {
    "stream": "Streamed to a file",
    "hold": "Held as an array",
    "memory": "In memory with numpy and OpenCV",
    "albumentations": "In memory with albumentations",
}
"""What to call each way on a screen."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Timed values of one thing, in seconds, warm-up not among them."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or any(not math.isfinite(value) for value in self.values):
            raise ArgumentError("repeats: at least one finite number of seconds is needed.")

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """The greatest less the least."""
        return max(self.values) - min(self.values)

    @property
    def is_unstable(self) -> bool:
        """Whether the spread is more than a quarter of the median: something else was busy. Never so for one value."""
        return self.spread > UNSTABLE_SHARE * abs(self.median)


@dataclass(frozen=True, slots=True)
class Profile:
    """One measured figure: a pipeline's draw on an image, done in one way.

    Attributes:
        way: key of `TITLES`.
        wall, cpu: seconds by the clock, and of the processor in all threads, of each repeat.
        megapixels: of what the pipeline is fed.
        peak_bytes: the most that the process had in memory during the repeats, None where the system does not tell.
        baseline_bytes: what it had before it opened the file.
        environment: (name, value) of versions, processor, threads, memory.
        read_by: what read the file, where that is not always libvips.
    """

    way: str
    wall: Repeats
    cpu: Repeats
    megapixels: float
    peak_bytes: int | None
    baseline_bytes: int | None
    environment: tuple[tuple[str, Any], ...]
    read_by: str = "libvips"

    @property
    def is_unstable(self) -> bool:
        return self.wall.is_unstable

    @property
    def megapixels_per_second(self) -> float:
        """Of the source, at the median."""
        return self.megapixels / self.wall.median if self.wall.median > 0 else math.inf

    @property
    def increase_bytes(self) -> int | None:
        """Peak memory over the baseline."""
        if self.peak_bytes is None or self.baseline_bytes is None:
            return None
        return max(0, self.peak_bytes - self.baseline_bytes)


@dataclass(frozen=True, slots=True)
class StepTime:
    """What one step adds to the whole, in seconds: the median of the rounds and their spread.

    Less than zero where it saves later work, and 0 where it is not applied.
    """

    id: str
    transform: str
    position: int
    applied: bool
    seconds: float
    spread: float

    @property
    def is_about_nothing(self) -> bool:
        """Whether its time is no more than the differences between the rounds."""
        return abs(self.seconds) <= self.spread


@dataclass(frozen=True, slots=True)
class StepTimes:
    """What reading the file takes and each step adds. `rounds` is how often everything was timed."""

    steps: tuple[StepTime, ...]
    reading_seconds: float
    reading_spread: float
    rounds: int
    environment: tuple[tuple[str, Any], ...]

    @property
    def total_seconds(self) -> float:
        return self.reading_seconds + sum(step.seconds for step in self.steps)

    @property
    def is_unstable(self) -> bool:
        """Whether reading or a step differs from round to round by more than a quarter of the whole."""
        spreads = (self.reading_spread, *(step.spread for step in self.steps))
        return max(spreads) > UNSTABLE_SHARE * abs(self.total_seconds)


@dataclass(frozen=True, slots=True)
class Failed:
    """A figure that there is not, and why, in a sentence. `cancelled`: somebody wanted it so."""

    reason: str
    cancelled: bool = False


def profile_from_json(value: Mapping[str, Any]) -> Profile:
    """The answer of a worker that measured the whole. Raises ArgumentError where it is not one."""
    try:
        peak, baseline = value["peak_bytes"], value["baseline_bytes"]
        found = Profile(
            str(value["way"]),
            Repeats(tuple(float(one) for one in value["wall_seconds"])),
            Repeats(tuple(float(one) for one in value["cpu_seconds"])),
            float(value["megapixels"]),
            None if peak is None else int(peak),
            None if baseline is None else int(baseline),
            tuple(value["environment"].items()),
            str(value.get("read_by", "libvips")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArgumentError(f"profile: this is no measurement ({type(error).__name__}: {error}).") from error
    if found.way not in TITLES or len(found.wall.values) != len(found.cpu.values):
        raise ArgumentError("profile: this is no measurement, its way or its repeats do not fit.")
    return found


def steps_from_json(value: Mapping[str, Any]) -> StepTimes:
    """The answer of a worker that measured the steps. Raises ArgumentError where it is not one."""
    try:
        return StepTimes(
            tuple(StepTime(**step) for step in value["steps"]),
            float(value["reading_seconds"]),
            float(value["reading_spread"]),
            int(value["rounds"]),
            tuple(value["environment"].items()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArgumentError(f"steps: this is no measurement ({type(error).__name__}: {error}).") from error


def different(one: Profile, other: Profile) -> tuple[str, ...]:
    """The names of what differs between the environments of two profiles."""
    return differing(dict(one.environment), dict(other.environment))


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what differs between two environments; what only one of them tells differs."""
    return tuple(name for name in sorted(first.keys() | second.keys()) if first.get(name) != second.get(name))


def megapixels_text(megapixels: float) -> str:
    """Megapixels, or as many a second, in three significant digits, and never as a power of ten."""
    return f"{megapixels:.0f}" if megapixels >= 100 else f"{Decimal(f'{megapixels:.3g}'):f}"


def remaining_seconds(elapsed: float, fraction: float | None) -> float | None:
    """How long a job goes on that is at `fraction` after `elapsed` seconds; None as long as that cannot be told."""
    if fraction is None or fraction < 0.02:
        return None
    return elapsed * (1 - min(fraction, 1.0)) / fraction


def start(request: Mapping[str, Any], way: str, repeats: int) -> Job:
    """Have a fresh process measure one way, at low priority and within the settings' limits of time and memory.

    Args:
        request: {path, input, pipeline, seed}.
        way: key of `TITLES`.
        repeats: from 1 to 100, after a warm-up.

    Raises:
        ArgumentError: there is no such way.
        WorkerError: too many jobs are running.
    """
    if way not in TASKS:
        raise ArgumentError(f"way: must be one of {', '.join(TASKS)}, got {way!r}.")
    return _job(TASKS[way], {**request, "way": way, "repeats": repeats})


def start_steps(request: Mapping[str, Any], rounds: int) -> Job:
    """Have a fresh process measure the steps; as `start`."""
    return _job("measure_steps", {**request, "rounds": rounds})


def start_estimate(request: Mapping[str, Any]) -> Job:
    """Have a fresh process estimate the whole from a few windows; as `start`."""
    return _job("estimate", request)


def check_room(needed_bytes: int) -> None:
    """Raises ArgumentError where what a measurement holds is more than what is allowed, or available on this machine.

    A process that takes more than there is would be ended by the system, and perhaps others before it.

    Args:
        needed_bytes: what it needs at least.
    """
    allowed, available = get_settings().job_memory_bytes, machine.detect().available_bytes
    if allowed and needed_bytes > allowed:
        raise ArgumentError(f"It holds {bytes_text(needed_bytes)} at once, and a job is allowed {bytes_text(allowed)}.")
    if available is not None and needed_bytes > available:
        raise ArgumentError(
            f"It holds {bytes_text(needed_bytes)} at once, and this machine has {bytes_text(available)} of memory available."
        )


def _job(function: str, request: Mapping[str, Any]) -> Job:
    settings = get_settings()
    return start_job(
        function,
        request,
        seconds=settings.job_seconds,
        memory_bytes=settings.job_memory_bytes,
        threads=THREADS,
        nice=NICE,
    )


def outcome(job: Job) -> Profile | StepTimes | Estimate | Failed | None:
    """What came of a job of `start`, `start_steps` or `start_estimate`; None while it runs."""
    if job.state == "running":
        return None
    error = job.error
    if error is None:
        value = job.result().value
        if job.function == "estimate":
            return estimate_from_json(value)
        return steps_from_json(value) if job.function == "measure_steps" else profile_from_json(value)
    if isinstance(error, Cancelled):
        return Failed("It was cancelled.", cancelled=True)
    if isinstance(error, AugvizError):
        return Failed(reason_text(str(error), job.function))
    if isinstance(error, CannotStart) and get_settings().job_memory_bytes:
        return Failed(reason_text("The process could not start: out of memory", job.function))
    raise error


def reason_text(text: str, function: str) -> str:
    """Why there is no figure, as a sentence without the worker function's name, with the limit where memory ran out."""
    said = text.removeprefix(f"{function}: ")
    said = f"It {said}" if said.startswith("took ") else f"{said[:1].upper()}{said[1:]}" if said != text else said
    allowed = get_settings().job_memory_bytes
    if allowed and is_out_of_memory(said):
        said = f"{closed(said)} A job is allowed {bytes_text(allowed)} of memory"
    return closed(said)


def closed(text: str) -> str:
    """With a full stop, where it has no end of its own."""
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."
