"""Runs for the tests: figures as they could have been measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from augviz.estimates import Estimate
from augviz.model import Header
from augviz.profiles import TITLES, Failed, Profile, Repeats, StepTime, StepTimes
from augviz.runs import ESTIMATE, STEPS, Outcome, Run
from augviz.scaling import Throughput

MB = 10**6
ENVIRONMENT: tuple[tuple[str, Any], ...] = (("libvips", "8.18.7"), ("albumentationsxl", "0.1.2"), ("threads", 2))
SOURCE = Header(4000, 3000, 3, "uchar", "srgb")
FLOAT = Header(4000, 3000, 3, "float", "srgb")


def profile(way: str = "stream", *seconds: float, increase: int | None = 48 * MB, **fields: Any) -> Profile:
    values = seconds or (1.0, 1.1, 1.2)
    peak = None if increase is None else 100 * MB + increase
    made = Profile(
        way, Repeats(values), Repeats(tuple(2 * one for one in values)), 12.0, peak, 100 * MB, ENVIRONMENT, "libvips"
    )
    return replace(made, **fields)


def step(position: int, transform: str, seconds: float, spread: float = 0.02, applied: bool = True) -> StepTime:
    return StepTime(f"s{position}", transform, position, applied, seconds, spread)


def times(*steps: StepTime, reading: float = 0.2) -> StepTimes:
    found = steps or (step(1, "Rotate", 0.09), step(2, "HEDShift", 0.71), step(3, "Normalize", 0.0, applied=False))
    return StepTimes(found, reading, 0.01, 3, ENVIRONMENT)


def estimate(seconds: float = 1.0, stream: int = 50 * MB, hold: int = 200 * MB) -> Estimate:
    return Estimate(seconds, seconds / 1.3, seconds * 1.3, stream, hold)


def throughput(workers: int, *rates: float, **fields: Any) -> Throughput:
    made = Throughput(workers, 4, 1, False, rates, 2.0, 0.1, 9, 1, 300 * MB, 200 * MB, ENVIRONMENT)
    return replace(made, **fields)


def run(question: str = "whole", *values: Any, **fields: Any) -> Run:
    """A run with these outcomes; without any, those of its question."""
    if not values:
        values = {
            "steps": (estimate(), times()),
            "workers": (throughput(1, 100.0), throughput(2, 180.0, 190.0, 200.0), throughput(3, 196.0)),
            "ways": (estimate(), profile(), profile("hold", 0.9, 0.9, 0.9, increase=1200 * MB), profile("memory", 2.2)),
        }.get(question, (estimate(), profile(), profile("hold", 1.3, 1.3, 1.3, increase=1200 * MB)))
    made = Run(
        when="2026-03-01T12:00:00+00:00",
        question=question,
        image="slide.tif",
        file="the original file",
        steps=("Rotate", "HEDShift", "Normalize"),
        pipeline='{"format": 1, "steps": [{"transform": "Rotate"}]}',
        seed=7,
        key="key",
        shapes=((0, SOURCE), (1, SOURCE), (2, SOURCE), (3, FLOAT)),
        outcomes=tuple(outcome(value) for value in values),
    )
    return replace(made, **fields)


def outcome(value: Any) -> Outcome:
    if isinstance(value, Outcome):
        return value
    if isinstance(value, Profile):
        return Outcome(value.way, TITLES[value.way], value)
    if isinstance(value, StepTimes):
        return Outcome(STEPS, "Each step", value)
    if isinstance(value, Throughput):
        return Outcome(f"{value.workers}", f"Loading by {value.workers}", value)
    return Outcome(ESTIMATE, "Estimate", value) if isinstance(value, Estimate) else failed("memory", str(value))


def failed(name: str, reason: str, cancelled: bool = False) -> Outcome:
    return Outcome(name, TITLES.get(name, name), Failed(reason, cancelled))


def elsewhere(found: Run, **values: Any) -> Run:
    """The same run as if it had been measured in another environment."""

    def moved(value: Any) -> Any:
        known = getattr(value, "environment", None)
        return value if known is None else replace(value, environment=tuple({**dict(known), **values}.items()))

    return replace(found, outcomes=tuple(replace(each, value=moved(each.value)) for each in found.outcomes))
