"""What was measured, as a value that is kept: image, pipeline, draw and figures; what each step's share is; two runs compared.

`run_words.py` says it in words, `run_documents.py` as JSON and CSV. Measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from augviz import profiles
from augviz.errors import ArgumentError
from augviz.estimates import Estimate
from augviz.model import Draw, Header
from augviz.profiles import Failed, Profile, StepTime, StepTimes
from augviz.scaling import Throughput

QUESTIONS: Mapping[str, str] = {
    "whole": "Whole",
    "steps": "Per step",
    "ways": "Against the others",
    "what-if": "What if",
    "workers": "Workers",
    "sources": "Sources",
}
"""What can be asked, and what it is called on a screen."""

ESTIMATE, STEPS = "estimate", "steps"
"""Names of the outcomes that are no profile; profiles of one pipeline are named by their way."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one figure: `value` is a Profile, StepTimes, Throughput, Estimate, Failed, or another frozen dataclass."""

    name: str
    title: str
    value: Any


@dataclass(frozen=True, slots=True)
class Run:
    """One series of measurements and all that it depends on.

    Attributes:
        when: the time in UTC, ISO 8601, to the second.
        question: key of `QUESTIONS`.
        image: what the image or the folder of images is called; never a path.
        file: which file was read, in words.
        steps: names of the pipeline's steps that are switched on.
        pipeline: its saved form as JSON text, the input included.
        seed: which draw.
        key: of the recipe that was looked at, by which a page finds its own runs.
        shapes: (position, shape after the step) of the steps, position 0 is what the pipeline is fed.
        outcomes: what was measured, in the order of measuring.
        files: how many images of a folder were read in turn, 0 where it was the one image. `shapes` are of the image that was
            shown, which tells nothing of the sizes of those.
    """

    when: str
    question: str
    image: str
    file: str
    steps: tuple[str, ...]
    pipeline: str
    seed: int
    key: str
    shapes: tuple[tuple[int, Header], ...]
    outcomes: tuple[Outcome, ...] = ()
    files: int = 0

    def __post_init__(self) -> None:
        if self.question not in QUESTIONS:
            raise ArgumentError(f"run: its question must be one of {', '.join(QUESTIONS)}, got {self.question!r}.")
        if not self.shapes or self.shapes[0][0] != 0:
            raise ArgumentError("run: its shapes begin with what the pipeline is fed, at position 0.")

    @property
    def source(self) -> Header:
        return self.shapes[0][1]

    def shape_after(self, position: int) -> Header | None:
        """The image after a step; None where the pipeline has no such step."""
        return dict(self.shapes).get(position)

    def value(self, name: str) -> Any:
        """The outcome of a figure, None where it was not asked for."""
        return next((each.value for each in self.outcomes if each.name == name), None)

    def profile(self, way: str) -> Profile | None:
        """The whole in one way, None where it was not measured."""
        found = self.value(way)
        return found if isinstance(found, Profile) else None

    @property
    def estimate(self) -> Estimate | None:
        found = self.value(ESTIMATE)
        return found if isinstance(found, Estimate) else None

    @property
    def step_times(self) -> StepTimes | None:
        found = self.value(STEPS)
        return found if isinstance(found, StepTimes) else None

    @property
    def throughputs(self) -> tuple[Throughput, ...]:
        return tuple(each.value for each in self.outcomes if isinstance(each.value, Throughput))

    @property
    def streaming_seconds(self) -> float | None:
        """Measured seconds of the whole streamed, by the profile or as the sum of its steps."""
        if (profile := self.profile("stream")) is not None:
            return profile.wall.median
        return None if self.step_times is None else self.step_times.total_seconds

    @property
    def failures(self) -> tuple[Outcome, ...]:
        return tuple(each for each in self.outcomes if isinstance(each.value, Failed))

    @property
    def is_measured(self) -> bool:
        """Whether there is anything but an estimate."""
        return any(not isinstance(each.value, Failed | Estimate) for each in self.outcomes)

    @property
    def environment(self) -> tuple[tuple[str, Any], ...]:
        """(name, value) of versions, processor, threads and memory; empty where nothing was measured."""
        found = (getattr(each.value, "environment", ()) for each in self.outcomes)
        return next((tuple(each) for each in found if each), ())


def shapes_of(draw: Draw) -> tuple[tuple[int, Header], ...]:
    """`Run.shapes` of a draw."""
    return ((0, draw.source), *((leaf.position, leaf.after) for leaf in draw.leaves))


# Shares


def shares(times: StepTimes) -> Mapping[int, float]:
    """The share of the time of the steps by position, 0 is reading, in [0, 1] and 1 together.

    A step that takes less than nothing saves what others take, and has no share.
    """
    costs = {0: times.reading_seconds, **{step.position: step.seconds for step in times.steps if step.applied}}
    positive = {position: seconds for position, seconds in costs.items() if seconds > 0}
    total = sum(positive.values())
    return {position: seconds / total for position, seconds in positive.items()}


def slowest(times: StepTimes) -> tuple[StepTime | None, float] | None:
    """The step that takes most, None for reading, and its share; None altogether where nothing takes any time."""
    found = shares(times)
    if not found:
        return None
    position = max(found, key=lambda one: found[one])
    return next((step for step in times.steps if step.position == position), None), found[position]


# Two runs


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of two runs. `unit` is "s", "B", "MP/s" or "images/s"; a figure is None where the system does not tell it."""

    title: str
    unit: str
    one: float | None
    other: float | None

    @property
    def ratio(self) -> float | None:
        """`other` as a multiple of `one`; None where that says nothing."""
        if self.one is None or self.other is None or self.one <= 0 or self.other < 0:
            return None
        return self.other / self.one


def different(one: Run, other: Run) -> tuple[str, ...]:
    """The names of what differs between the environments of two runs.

    How the peak of memory was found is compared only where both tell it: times do not depend on it. The threads of two runs of
    workers are part of what was asked, and of their figures' titles.
    """
    first, second = dict(one.environment), dict(other.environment)
    names = profiles.differing(first, second)
    if one.throughputs and other.throughputs:
        names = tuple(name for name in names if name != "threads")
    return tuple(name for name in names if name != "memory" or (name in first and name in second))


def compare(one: Run, other: Run) -> tuple[Compared, ...]:
    """The figures that both runs have, in the order of the first.

    Raises ArgumentError where they were measured in different environments, which compares machines and not pipelines, and
    where there is nothing to compare.
    """
    if names := different(one, other):
        raise ArgumentError(f"These were measured in different environments ({', '.join(names)}); measure both again.")
    first, second = measures(one), measures(other)
    found = tuple(
        Compared(title, unit, value, second[title, unit])
        for (title, unit), value in first.items()
        if (title, unit) in second
    )
    if not found:
        raise ArgumentError("These have no figure in common: measure the same of both.")
    return found


def measures(run: Run) -> dict[tuple[str, str], float | None]:
    """What was measured by title and unit; medians of repeats. Profiles go by their way, whatever a run calls them."""
    found: dict[tuple[str, str], float | None] = {}
    for each in run.outcomes:
        value = each.value
        if isinstance(value, Profile):
            title = profiles.TITLES[value.way]
            found[f"{title}, time", "s"] = value.wall.median
            found[f"{title}, processor", "s"] = value.cpu.median
            found[f"{title}, speed", "MP/s"] = value.megapixels_per_second
            found[f"{title}, memory", "B"] = value.increase_bytes
        elif isinstance(value, StepTimes):
            found["All steps", "s"] = value.total_seconds
            found["Reading", "s"] = value.reading_seconds
            for step in value.steps:
                if step.applied:
                    found[f"{step.transform} ({step.id})", "s"] = step.seconds
        elif isinstance(value, Throughput):
            title = loading_text(value)
            found[f"{title}, speed", "images/s"] = value.images_per_second
            found[f"{title}, speed", "MP/s"] = value.megapixels_per_second
            found[f"{title}, memory", "B"] = value.peak_bytes
    return found


def loading_text(value: Throughput) -> str:
    """`2 workers, 1 thread`; the threads are those of each."""
    workers = f"{value.workers} worker{'s' * (value.workers > 1)}" if value.workers else "Without workers"
    return f"{workers}, {value.threads} thread{'s' * (value.threads > 1)}"
