"""Runs as documents: JSON with every repeat, and one CSV row for each figure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from augviz import estimates
from augviz.estimates import Estimate
from augviz.model import DTYPES, Header
from augviz.profiles import Failed, Profile, StepTimes
from augviz.runs import Outcome, Run
from augviz.scaling import Throughput

FORMAT = 1
"""Of the JSON document; raised whenever its keys change their meaning."""


def runs_json(runs: Iterable[Run]) -> str:
    """The runs as a JSON document, with every repeat."""
    return json.dumps({"format": FORMAT, "runs": [_run_json(run) for run in runs]}, indent=2, allow_nan=False)


def _run_json(run: Run) -> dict[str, Any]:
    source = run.source
    size = {
        "width": source.width,
        "height": source.height,
        "bands": source.bands,
        "dtype": DTYPES.get(source.format, source.format),
    }
    return {
        "when": run.when,
        "question": run.question,
        "image": {"name": run.image, "read": run.file, **({"files": run.files} if run.files else size)},
        "pipeline": json.loads(run.pipeline),
        "seed": run.seed,
        "figures": [{"name": each.name, "title": each.title, **_value_json(run, each.value)} for each in run.outcomes],
        "environment": dict(run.environment),
    }


def _value_json(run: Run, value: Any) -> dict[str, Any]:
    if isinstance(value, Profile):
        return {
            "kind": "profile",
            "way": value.way,
            "wall_seconds": list(value.wall.values),
            "cpu_seconds": list(value.cpu.values),
            "unstable": value.is_unstable,
            "megapixels": value.megapixels,
            "peak_bytes": value.peak_bytes,
            "baseline_bytes": value.baseline_bytes,
            "read_by": value.read_by,
        }
    if isinstance(value, StepTimes):
        steps = [{**asdict(step), **_shape_json(run.shape_after(step.position))} for step in value.steps]
        return {
            "kind": "steps",
            "rounds": value.rounds,
            "reading_seconds": value.reading_seconds,
            "reading_spread": value.reading_spread,
            "steps": steps,
        }
    if isinstance(value, Throughput):
        return {
            "kind": "throughput",
            "workers": value.workers,
            "batch": value.batch,
            "threads": value.threads,
            "by_torch": value.by_torch,
            "rates": list(value.rates),
            "unstable": value.is_unstable,
            "megapixels_per_image": value.megapixels_per_image,
            "cpu_seconds_per_image": value.cpu_seconds_per_image,
            "batches": value.batches,
            "listed": value.listed,
            "peak_bytes": value.peak_bytes,
            "pss_bytes": value.pss_bytes,
        }
    kind = {Estimate: "estimate", Failed: "failed"}.get(type(value), type(value).__name__)
    return {"kind": kind, **{name: one for name, one in asdict(value).items() if name != "environment"}}


def _shape_json(shape: Header | None) -> dict[str, Any]:
    if shape is None:
        return {}
    return {
        "width": shape.width,
        "height": shape.height,
        "bands": shape.bands,
        "dtype": DTYPES.get(shape.format, shape.format),
        "bytes": estimates.image_bytes(shape),
    }


CSV_NAMES = (
    *("when", "question", "image", "width", "height", "bands", "pipeline", "seed", "figure", "step", "repeats"),
    *(
        "seconds",
        "seconds_low",
        "seconds_high",
        "cpu_seconds",
        "mp_per_second",
        "memory_bytes",
        "baseline_bytes",
        "unstable",
    ),
    *("workers", "threads", "batch", "images_per_second"),
    "reason",
)
"""Columns of every CSV, before those of the environment. Seconds are medians; low and high the least and greatest repeat, or
the band of an estimate. The size is empty for the images of a folder, and images per second are the median of the spans."""


def runs_csv_rows(runs: Iterable[Run]) -> list[dict[str, object]]:
    """One row for each figure, and for each step of a run per step; what a figure has not got is None."""
    runs = tuple(runs)
    names = tuple(dict.fromkeys(name for run in runs for name, _ in run.environment))
    rows: list[dict[str, object]] = []
    for run in runs:
        source, environment = run.source, dict(run.environment)
        about = {
            "when": run.when,
            "question": run.question,
            "image": run.image,
            "width": None if run.files else source.width,
            "height": None if run.files else source.height,
            "bands": None if run.files else source.bands,
            "pipeline": ", ".join(run.steps),
            "seed": run.seed,
        }
        for each in run.outcomes:
            for values in _csv_values(each):
                row = {**dict.fromkeys(CSV_NAMES), **about, "figure": each.title, **values}
                rows.append({**row, **{f"env_{name}": environment.get(name) for name in names}})
    return rows


def _csv_values(each: Outcome) -> list[dict[str, object]]:
    value = each.value
    if isinstance(value, Profile):
        return [
            {
                "repeats": len(value.wall.values),
                "seconds": value.wall.median,
                "seconds_low": min(value.wall.values),
                "seconds_high": max(value.wall.values),
                "cpu_seconds": value.cpu.median,
                "mp_per_second": value.megapixels_per_second,
                "memory_bytes": value.increase_bytes,
                "baseline_bytes": value.baseline_bytes,
                "unstable": value.is_unstable,
            }
        ]
    if isinstance(value, StepTimes):
        steps = [(f"{step.position} {step.transform}", step.seconds) for step in value.steps if step.applied]
        parts = [("0 reading", value.reading_seconds), *steps]
        return [{"repeats": value.rounds, "step": name, "seconds": seconds} for name, seconds in parts]
    if isinstance(value, Throughput):
        return [
            {
                "repeats": len(value.rates),
                "mp_per_second": value.megapixels_per_second,
                "memory_bytes": value.peak_bytes,
                "unstable": value.is_unstable,
                "workers": value.workers,
                "threads": value.threads,
                "batch": value.batch,
                "images_per_second": value.images_per_second,
            }
        ]
    if isinstance(value, Estimate):
        return [
            {
                "seconds": value.seconds,
                "seconds_low": value.seconds_low,
                "seconds_high": value.seconds_high,
                "memory_bytes": value.stream_bytes,
            }
        ]
    return [{"reason": value.reason}] if isinstance(value, Failed) else [{}]
