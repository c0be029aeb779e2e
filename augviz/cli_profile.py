"""`python -m augviz profile` and `estimate`: time and memory at full size, as text or JSON. Workers make the pixels."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from augviz import estimates, profiles
from augviz.errors import ArgumentError
from augviz.units import bytes_text, seconds_text

STEP_KEYS = ("id", "transform", "seconds")
"""What `profile --json` prints of each step."""

ESTIMATE_KEYS = ("seconds", "seconds_low", "seconds_high", "stream_bytes", "hold_bytes")
"""What `estimate --json` prints."""

Work = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Has a worker do a task."""


class Outlook:
    """How far a measurement in several parts is, and how long it has taken and will take, as a line for a terminal.

    Args:
        parts: how many there will be.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(self, parts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._part = 0
        self._began = clock()
        self._timed_from: float | None = None
        self._ends: tuple[float, float] | None = None  # a fraction, and when all will be done by that

    def begin_part(self) -> None:
        """The next part begins: what was told of the one before says nothing of it."""
        self._part += 1
        self._timed_from = self._ends = None

    def text(self, fraction: float | None, stage: str) -> str:
        """The line, such as "part 1 of 2: run 2 of 3, 41%, 12 s so far, about 9 s left in this part".

        The time that is left is reckoned from when a fraction is told first, which leaves start and warm-up out; between two
        fractions it only grows less.
        """
        now = self._clock()
        told = [stage or "starting"]
        if fraction is not None:
            told.append(f"{fraction:.0%}")
        told.append(f"{_whole(now - self._began)} so far")
        left = self._left(now, fraction)
        if left is not None:
            told.append(f"about {_whole(left)} left in this part")
        return f"part {self._part} of {self._parts}: {', '.join(told)}"

    def _left(self, now: float, fraction: float | None) -> float | None:
        if fraction is None:
            return None
        if self._timed_from is None:
            self._timed_from = now
        if self._ends is None or self._ends[0] != fraction:
            left = profiles.remaining_seconds(now - self._timed_from, fraction)
            self._ends = None if left is None else (fraction, now + left)
        return None if self._ends is None else max(0.0, self._ends[1] - now)


def _whole(seconds: float) -> str:
    """Whole seconds, since a line that is written ten times a second must not flicker; minutes from two on."""
    return f"{seconds:.0f} s" if seconds < 119.5 else f"{int(seconds // 60)} min {int(seconds % 60):02} s"


def check_repeats(repeats: int) -> None:
    """Raises ArgumentError where so many repeats are not possible."""
    if not 1 <= repeats <= 100:
        raise ArgumentError(f"argument --repeats: must lie within 1 and 100, got {repeats}")


def profile(request: Mapping[str, Any], repeats: int, way: str, work: Work, as_json: bool) -> str:
    """Measure the whole and the steps, in a process each, and what to print of it. Raises AugvizError."""
    whole = work("measure", {**request, "way": way, "repeats": repeats})
    steps = work("measure_steps", {**request, "rounds": repeats})
    if as_json:
        keys = ("wall_seconds", "cpu_seconds", "megapixels", "peak_bytes", "baseline_bytes")
        found = {key: whole[key] for key in keys}
        found["steps"] = [{key: step[key] for key in STEP_KEYS} for step in steps["steps"]]
        found["environment"] = whole["environment"]
        return json.dumps(found, indent=2, allow_nan=False)
    return _profile_text(profiles.profile_from_json(whole), profiles.steps_from_json(steps))


def estimate(request: Mapping[str, Any], work: Work, as_json: bool) -> str:
    """What the whole would take, and what to print of it. Raises AugvizError."""
    found = estimates.estimate_from_json(work("estimate", request))
    if as_json:
        return json.dumps({key: getattr(found, key) for key in ESTIMATE_KEYS}, indent=2, allow_nan=False)
    band = f"{seconds_text(found.seconds_low)} to {seconds_text(found.seconds_high)}"
    return "\n".join(
        (
            f"time       about {seconds_text(found.seconds)} ({band})",
            f"streaming  about {bytes_text(found.stream_bytes)} of memory over the process",
            f"holding    about {bytes_text(found.hold_bytes)}",
            "Estimated from a few windows, not measured.",
        )
    )


def _profile_text(whole: profiles.Profile, steps: profiles.StepTimes) -> str:
    environment, text = dict(whole.environment), profiles.megapixels_text
    rows = [
        (profiles.TITLES[whole.way], _repeats_text(whole.wall)),
        ("processor time", _repeats_text(whole.cpu)),
        ("speed", f"{text(whole.megapixels_per_second)} MP/s of {text(whole.megapixels)} MP"),
        ("peak memory", _memory_text(whole, environment)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}}  {text}" for name, text in rows]
    if whole.is_unstable:
        lines.append("unstable: the repeats differ by more than a quarter of their median; something else is busy")
    lines += ["", _step_line("reading", steps.reading_seconds, steps.reading_spread)]
    for step in steps.steps:
        name = f"{step.position:2}. {step.transform}"
        lines.append(_step_line(name, step.seconds, step.spread) if step.applied else f"{name:28}  skipped")
    said = ", ".join(f"{name} {environment[name]}" for name in ("albumentationsxl", "libvips") if name in environment)
    processor = environment.get("processor") or "unknown processor"
    return "\n".join([*lines, "", f"{said}, {processor}, {environment.get('threads')} libvips threads"])


def _step_line(name: str, seconds: float, spread: float) -> str:
    about = " (about 0)" if abs(seconds) <= spread else ""
    return f"{name:28}  {_signed(seconds):>8}  ± {seconds_text(spread / 2)}{about}"


def _signed(seconds: float) -> str:
    return f"-{seconds_text(-seconds)}" if seconds < 0 else seconds_text(seconds)


def _repeats_text(repeats: profiles.Repeats) -> str:
    count = len(repeats.values)
    if count == 1:
        return f"{seconds_text(repeats.median)} (1 run)"
    low, high = min(repeats.values), max(repeats.values)
    return f"{seconds_text(repeats.median)} (median of {count}, {seconds_text(low)} to {seconds_text(high)})"


def _memory_text(whole: profiles.Profile, environment: Mapping[str, Any]) -> str:
    increase = whole.increase_bytes
    if increase is None or whole.baseline_bytes is None:
        return str(environment.get("memory", "unknown"))
    return f"{bytes_text(increase)} over the {bytes_text(whole.baseline_bytes)} of the process"
