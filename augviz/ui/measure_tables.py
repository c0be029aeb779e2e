"""The tables of Measure as rows: the figures of one run, the session's runs, two of them beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from augviz import estimates, run_words, runs
from augviz.estimates import Estimate
from augviz.model import DTYPES
from augviz.profiles import Failed, Profile, Repeats, StepTimes, megapixels_text
from augviz.runs import Compared, Outcome, Run
from augviz.ui.page import escaped
from augviz.units import bytes_text, seconds_text, size_text

NONE = "–"


def step_rows(run: Run, times: StepTimes) -> list[dict[str, str]]:
    """Reading and each step: its time and share, and the image after it."""
    shares = runs.shares(times)
    rows = [_step_row(run, 0, "Reading", times.reading_seconds, times.reading_spread, shares)]
    for step in times.steps:
        row = _step_row(run, step.position, f"{step.position} {step.transform}", step.seconds, step.spread, shares)
        skipped = {"Time": "skipped", "± rounds": NONE, "Share": NONE}
        rows.append(row if step.applied else {**row, **skipped})
    total = {"Step": "All", "Time": seconds_text(times.total_seconds), "± rounds": "", "Share": "100 %"}
    return [*rows, {**dict.fromkeys(rows[0], ""), **total}]


def _step_row(
    run: Run, position: int, name: str, seconds: float, spread: float, shares: Mapping[int, float]
) -> dict[str, str]:
    shape = run.shape_after(position)
    sign = "−" if seconds < 0 else ""
    row = {
        "Step": name,
        "Time": f"{sign}{seconds_text(abs(seconds))}",
        "± rounds": seconds_text(spread / 2),
        "Share": run_words.share_text(shares[position]) if position in shares else _without_share(seconds, spread),
    }
    if shape is None:
        return {**row, "Image after it": NONE, "dtype": NONE, "If held": NONE}
    return {
        **row,
        "Image after it": f"{size_text(shape.width, shape.height)} × {shape.bands}",
        "dtype": DTYPES.get(shape.format, shape.format),
        "If held": bytes_text(estimates.image_bytes(shape)),
    }


def _without_share(seconds: float, spread: float) -> str:
    return "saves" if seconds < 0 and abs(seconds) > spread else "about 0"


def way_rows(run: Run) -> list[dict[str, str]]:
    """Each way that was measured or could not be, and the estimate with its error."""
    return [_way_row(run, each) for each in run.outcomes]


def _way_row(run: Run, each: Outcome) -> dict[str, str]:
    value, empty = each.value, dict.fromkeys(("Time", "Range", "Processor", "Speed", "Memory", "Note"), NONE)
    row = {"": each.title, **empty}
    if isinstance(value, Profile):
        increase = value.increase_bytes
        notes = ["unstable"] if value.is_unstable else []
        notes += [f"read by {value.read_by}"] if value.read_by != "libvips" else []
        return {
            **row,
            "Time": seconds_text(value.wall.median),
            "Range": repeats_text(value.wall),
            "Processor": seconds_text(value.cpu.median),
            "Speed": f"{megapixels_text(value.megapixels_per_second)} MP/s",
            "Memory": "unknown"
            if increase is None
            else f"{bytes_text(increase)} over {bytes_text(value.baseline_bytes or 0)}",
            "Note": ", ".join(notes),
        }
    if isinstance(value, Estimate):
        return {**row, "Time": f"~{seconds_text(value.seconds)}", **_estimated(run, value)}
    return {**row, "Note": escaped(value.reason)} if isinstance(value, Failed) else row


def _estimated(run: Run, value: Estimate) -> dict[str, str]:
    measured = run.streaming_seconds
    band = f"{seconds_text(value.seconds_low)} to {seconds_text(value.seconds_high)}"
    error = "" if not measured else f"time {run_words.error_text(value.error_share(measured))}"
    return {
        "Range": band,
        "Memory": f"~{bytes_text(value.stream_bytes)} streamed, ~{bytes_text(value.hold_bytes)} held",
        "Note": error,
    }


def repeats_text(repeats: Repeats) -> str:
    """`1.1 s to 1.3 s, 3 runs`."""
    count = len(repeats.values)
    if count == 1:
        return "1 run"
    return f"{seconds_text(min(repeats.values))} to {seconds_text(max(repeats.values))}, {count} runs"


def run_rows(found: Iterable[tuple[int, Run]], with_environment: bool) -> list[dict[str, str]]:
    """One row for each of the session's runs; with the environment where that is not the same for all."""
    return [
        {
            "": str(number),
            "UTC": run.when[11:19],
            "Measured": runs.QUESTIONS[run.question],
            "Image": f"{escaped(run.image)}, {_extent(run)}",
            "Pipeline": ", ".join(run.steps) or "no step",
            "Seed": str(run.seed),
            "Answer": escaped(run_words.sentence(run)),
            **({"Environment": environment_text(run)} if with_environment else {}),
        }
        for number, run in found
    ]


def _extent(run: Run) -> str:
    """The size of the image, or how many images of a folder there were."""
    if run.files:
        return f"{run.files} image{'s' * (run.files > 1)}"
    return size_text(run.source.width, run.source.height).replace(" × ", "\u00a0×\u00a0")


def environment_text(run: Run) -> str:
    """What a run was measured with, in a few words."""
    found = dict(run.environment)
    parts = [f"{name} {found[name]}" for name in ("albumentationsxl", "libvips") if found.get(name)]
    threads = found.get("threads")
    parts += [f"{threads} thread{'' if threads == 1 else 's'}"] if threads else []
    return ", ".join(parts) or NONE


def compared_rows(found: Iterable[Compared], one: str, other: str) -> list[dict[str, str]]:
    """Two runs beside each other. `one` and `other` name them."""
    return [
        {
            "": each.title,
            one: _amount(each.one, each.unit),
            other: _amount(each.other, each.unit),
            "Ratio": NONE if each.ratio is None else f"× {each.ratio:.3g}",
        }
        for each in found
    ]


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "unknown"
    if unit == "s":
        return f"{'−' if value < 0 else ''}{seconds_text(abs(value))}"
    return bytes_text(value) if unit == "B" else f"{megapixels_text(value)} {unit}"
