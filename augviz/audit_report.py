"""An audit's sums as one JSON document, as sentences, and its findings as CSV. No pixels.

Everything but what is under `cost` is the same for each run of a plan, wherever it runs and in whatever order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from augviz.audit import Finding, Plan
from augviz.audit_again import UNNAMED, Names, message
from augviz.audit_sums import Moments, Spread, Worst
from augviz.audit_totals import StepTotals, Totals
from augviz.settings import Settings, get_settings
from augviz.units import bytes_text, counted, seconds_text

FORMAT = 1


def document(
    plan: Plan, totals: Totals, pipeline_file: str = UNNAMED, settings: Settings | None = None
) -> dict[str, Any]:
    """The whole report in JSON types; of a part of the plan while it runs.

    Args:
        pipeline_file: what commands that make a draw again call the pipeline; "-" has none.
    """
    titles = {image.name: image.title for image in plan.images if image.title}
    names = Names(plan, pipeline_file, settings or get_settings(), titles)
    return {
        "format": FORMAT,
        "folder": None if titles else plan.folder,  # that of uploads is the server's own
        "seed": plan.seed,
        "max_side": plan.max_side,
        **_counts(plan, totals),
        **_failures_json(totals, names),
        "batchable": is_batchable(totals),
        "shapes": [
            {"shape": list(shape), "dtype": dtype, "draws": n} for (dtype, shape), (n, _) in totals.shapes.items()
        ],
        "shapes_not_listed": totals.shapes.others,
        "before": totals.before.to_json(),
        "into_normalize": totals.into_normalize.to_json(),
        "after": totals.after.to_json(),
        "unreal": totals.unreal,
        "steps": [_step_json(position, step) for position, step in sorted(totals.steps.items())],
        "most_clipped": _listed(totals.most_clipped, names),
        "emptiest_crops": _listed(totals.emptiest, names),
        "cost": _cost_json(totals, names),
    }


def _counts(plan: Plan, totals: Totals) -> dict[str, Any]:
    measured = len(totals.measured)
    return {
        "images": {
            "found": plan.found,
            "asked": len(plan.images),
            "seen": totals.images,
            "measured": measured,
            "failed": len(totals.failed_images),
        },
        "draws": {"asked": plan.total, "done": totals.done, "failed": totals.failed, "at_full_size": totals.exact},
        "share_seen": measured / plan.found,
    }


def _failures_json(totals: Totals, names: Names) -> dict[str, Any]:
    return {
        "failures": [names.failure(one) for _, (_, one) in totals.failures.items()],
        "failures_not_listed": totals.failures.others,
        "failed_at": [
            {"position": position or None, "step": step or None, "transform": transform or None, "draws": count}
            for (position, step, transform), count in sorted(totals.failed_at.items())
        ],
    }


def _cost_json(totals: Totals, names: Names) -> dict[str, Any]:
    steps = sorted(totals.steps.items())
    return {
        "seconds": totals.seconds.to_json(),
        "read_seconds": totals.read_seconds.to_json(),
        "peak_bytes": totals.peak_bytes.to_json(),
        "steps": [{"position": position, "seconds": step.seconds.to_json()} for position, step in steps],
        "slowest": _listed(totals.slowest, names),
        "largest": _listed(totals.largest, names),
    }


def _listed(worst: Worst, names: Names) -> list[dict[str, Any]]:
    return [names.place(value, place) for value, place in worst.items()]


def is_batchable(totals: Totals) -> bool | None:
    """Whether all results have one shape and dtype, as stacking them needs; None where there is no result yet."""
    kinds = len(totals.shapes.items())
    return kinds == 1 if kinds else None


def _step_json(position: int, step: StepTotals) -> dict[str, Any]:
    values = step.values
    return {
        "position": position,
        "id": step.id,
        "transform": step.transform,
        "applied": step.applied,
        "low": values.low if values.count else None,
        "high": values.high if values.count else None,
        "clipped": _shares(step.clipped),
        "clipping_draws": step.clipping,
        "background": _shares(step.background),
        "near_empty_crops": step.near_empty,
    }


def _shares(spread: Spread) -> dict[str, Any] | None:
    """Mean and most of shares; None where none could be told."""
    return {"judged": spread.count, "mean": spread.mean, "most": spread.high} if spread.count else None


# For people


def text(report: Mapping[str, Any]) -> str:
    """The report as lines for a terminal: what failed first."""
    images, draws = report["images"], report["draws"]
    lines = [
        f"{images['seen']} of {counted(images['found'], 'image')}, {images['measured']} in the numbers "
        f"({report['share_seen']:.0%} of all), {counted(draws['done'], 'draw')}, {draws['at_full_size']} at full size"
    ]
    if draws["done"] < draws["asked"]:
        lines.append(f"not finished: {draws['done']} of {draws['asked']} draws are done")
    lines += _failure_lines(report)
    lines += _shape_lines(report)
    for key, name in (("before", "before"), ("into_normalize", "into Normalize"), ("after", "after")):
        lines += [line for one in report[key] for line in _moment_lines(name, one)]
    if report["unreal"]:
        lines.append(f"values that are no numbers in {counted(report['unreal'], 'result')}")
    lines += ["", *(line for step in report["steps"] for line in _step_lines(step)), ""]
    lines += _cost_lines(report["cost"])
    return "\n".join(lines)


def _failure_lines(report: Mapping[str, Any]) -> list[str]:
    failed = report["draws"]["failed"]
    if not failed:
        return ["no draw failed"]
    lines = [f"{counted(failed, 'draw')} of {counted(report['images']['failed'], 'image')} failed:"]
    lines += [f"  {one['draws']:6} at {step_name(one)}" for one in report["failed_at"]]
    for one in report["failures"][:20]:
        lines.append(f"  {_printable(one['image'])}, draw {one['draw']}: {_printable(one['error'])}")
        lines += [f"    {one['command']}"] if one["command"] else []
    more = failed - min(20, len(report["failures"]))
    return [*lines, f"  and {more} more"] if more else lines


def step_name(one: Mapping[str, Any]) -> str:
    """Where draws failed: the step, the group, or the file."""
    if one["transform"] is None:
        return "the file"
    return f"step {one['position']}, {one['transform']}" if one["position"] else f"{one['transform']} {one['step']}"


def _shape_lines(report: Mapping[str, Any]) -> list[str]:
    if report["batchable"] is None:
        return []
    shapes = report["shapes"]
    said = ", ".join(f"{' x '.join(map(str, one['shape']))} {one['dtype']} ({one['draws']})" for one in shapes[:4])
    more = len(shapes) - 4
    tail = f" and {more}{' or more' * bool(report['shapes_not_listed'])} others" if more > 0 else ""
    verdict = (
        "all results have one shape and can be batched"
        if report["batchable"]
        else "results differ, and cannot be stacked"
    )
    return [f"{verdict}: {said}{tail}"]


def _moment_lines(name: str, one: Mapping[str, Any]) -> list[str]:
    title = f"{name}, {one['bands']} x {one['format']} ({one['images']})"
    mean, std, low, high = (_numbers(one[key]) for key in ("mean", "std", "low", "high"))
    return [f"{title}: mean {mean}, std {std}, from {low} to {high}"]


def _numbers(values: Iterable[float | None]) -> str:
    return "[" + ", ".join("unknown" if value is None else f"{value:.5g}" for value in values) + "]"


def _step_lines(step: Mapping[str, Any]) -> list[str]:
    parts = [f"applied {counted(step['applied'], 'time')}"]
    if step["low"] is not None:
        parts.append(f"values {step['low']:.5g} to {step['high']:.5g}")
    if step["clipped"] is not None:
        share = step["clipped"]
        many = counted(step["clipping_draws"], "draw")
        parts.append(f"clipped {share['mean']:.2%} of values (most {share['most']:.1%}, {many} over 1 %)")
    if step["background"] is not None:
        parts.append(f"{step['near_empty_crops']} of {counted(step['background']['judged'], 'crop')} near-empty")
    return [f"{step['position']:2}. {step['transform']:24} {', '.join(parts)}"]


def _cost_lines(cost: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, key, say in (("time", "seconds", seconds_text), ("memory", "peak_bytes", bytes_text)):
        one = cost[key]
        if one["count"]:
            numbers = f"median {say(one['median'])}, 90 % below {say(one['p90'])}, 99 % below {say(one['p99'])}"
            lines.append(f"{name} per draw: {numbers}, most {say(one['most'])}")
    return lines


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


# One line for each draw

COLUMNS = (
    *("image", "draw", "seed", "error", "step", "transform", "exact", "shape", "dtype", "mean_before", "std_before"),
    *("mean_after", "std_after", "low", "high", "clipped", "background", "seconds", "peak_bytes"),
)
"""Of the CSV file. Lists are written with spaces between; `clipped` and `background` are the most of all steps."""


def write_csv(
    findings: Iterable[Finding], file: TextIO, titles: Mapping[str, str] | None = None, *, goes_on: bool = False
) -> None:
    """The findings as CSV, in the order given, without holding them.

    Args:
        titles: those of images that have one.
        goes_on: whether the table has begun already, so that its first line is not written.
    """
    rows = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    if not goes_on:
        rows.writeheader()
    for finding in findings:
        rows.writerow(_row(finding, (titles or {}).get(finding.image)))


def _row(finding: Finding, title: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"image": _safe(title or finding.image), "draw": finding.draw, "seed": finding.seed}
    if finding.failure is not None:
        step, transform = finding.failure.step, finding.failure.transform
        return row | {"error": _safe(message(finding, title)), "step": _safe(step), "transform": transform}
    seen = finding.seen or {}
    clipped = [step["clipped"] for step in seen["steps"] if step["clipped"] is not None]
    background = [step["background"] for step in seen["steps"] if step["background"] is not None]
    lows = [low for low in seen["after"]["lows"] if low is not None]
    highs = [high for high in seen["after"]["highs"] if high is not None]
    for name in ("before", "after"):
        row |= _moments_of(name, seen[name])
    return row | {
        "exact": seen["exact"],
        "shape": " ".join(map(str, seen["shape"])),
        "dtype": seen["dtype"],
        "low": min(lows, default=""),
        "high": max(highs, default=""),
        "clipped": max(clipped, default=""),
        "background": max(background, default=""),
        "seconds": seen["seconds"],
        "peak_bytes": "" if seen["peak_bytes"] is None else seen["peak_bytes"],
    }


def _moments_of(name: str, figures: Mapping[str, Any]) -> dict[str, str]:
    moments = Moments()
    moments.add(figures)
    [one] = moments.to_json()
    return {f"{key}_{name}": " ".join("" if v is None else f"{v:.9g}" for v in one[key]) for key in ("mean", "std")}


def _safe(text: str) -> str:
    """A spreadsheet takes what begins with these for a formula, and a name, or a sentence about one, is nobody's formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
