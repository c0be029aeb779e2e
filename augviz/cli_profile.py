"""`python -m augviz profile` and `estimate`: time and memory at full size, as text or JSON. Workers make the pixels."""

from __future__ import annotations

import json
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
    environment = dict(whole.environment)
    rows = [
        (profiles.TITLES[whole.way], _repeats_text(whole.wall)),
        ("processor time", _repeats_text(whole.cpu)),
        ("speed", f"{whole.megapixels_per_second:.3g} MP/s of {whole.megapixels:.3g} MP"),
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
