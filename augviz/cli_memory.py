"""`python -m augviz memory`: what loading images for training takes, computed. No pixels, no browser."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from augviz import machine, memory, saved
from augviz.errors import ArgumentError
from augviz.facts import draw_from_json, facts_from_json
from augviz.memory import Plan, Row, Unit
from augviz.model import Pipeline

Work = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Has a worker do a task."""

SHOWN_CHARACTERS = 40
"""How much of a wrong size is repeated in the sentence about it."""


def add_options(command: argparse.ArgumentParser, integer: Callable[[str], int]) -> None:
    """The size and the options of the command; `integer` reads a whole number. Bounds are checked by `Plan`."""
    command.add_argument("size", metavar="WIDTHxHEIGHTxBANDS", nargs="?", help="size of what the pipeline gives")
    command.add_argument(
        "--dtype", metavar="DTYPE", help=f"its type, {', '.join(memory.BYTES)} (default {Plan(1, 1).dtype})"
    )
    command.add_argument("--image", metavar="IMAGE", help="in place of a size: an image file")
    command.add_argument("--pipeline", metavar="PIPELINE", help="with --image: the pipeline whose result is loaded")
    command.add_argument("--seed", metavar="N", type=integer, default=0, help="which draw of the pipeline (default 0)")
    command.add_argument("--batch", metavar="N", type=integer, default=1, help="images in a batch (default 1)")
    command.add_argument("--workers", metavar="N", type=integer, default=0, help="processes that load (default 0)")
    command.add_argument("--prefetch", metavar="N", type=integer, default=2, help="batches asked of each (default 2)")
    command.add_argument("--start", choices=memory.STARTS, default="fork", help="how they are started (default fork)")
    command.add_argument("--threads", metavar="N", type=integer, help="libvips' in each (default: one for each core)")
    command.add_argument("--pinned", action="store_true", help="batches are copied into page-locked memory")
    command.add_argument("--device-dtype", metavar="DTYPE", default="float32", help=", ".join(memory.DEVICE_DTYPES))
    tiled = "the batch stays as it is on the device and is normalised tile by tile"
    command.add_argument("--normalise-on-device", action="store_true", help=tiled)
    command.add_argument("--tile", metavar="PX", type=integer, default=1024, help="side of those tiles (default 1024)")
    command.add_argument("--unit", choices=tuple(memory.UNITS), default="GB", help="of the text, 10^9 or 2^30 bytes")
    command.add_argument("--json", action="store_true", help="print JSON")


def printed(options: argparse.Namespace, read_pipeline: Callable[[str], Pipeline], work: Work) -> str:
    """What the command prints.

    Raises:
        AugvizError: a size, a number or a type is impossible, or the image or the pipeline cannot be read.
    """
    plan, rows = _loaded(options, read_pipeline, work)
    plan = replace(
        plan,
        batch=options.batch,
        workers=options.workers,
        prefetch=options.prefetch,
        start=options.start,
        threads=(os.cpu_count() or 1) if options.threads is None else options.threads,
        pinned=options.pinned,
        device_dtype=options.device_dtype,
        normalise_on_device=options.normalise_on_device,
        device_tile=options.tile,
    )
    return json.dumps(_json(plan), indent=2) if options.json else _text(plan, rows, memory.UNITS[options.unit])


def _loaded(
    options: argparse.Namespace, read_pipeline: Callable[[str], Pipeline], work: Work
) -> tuple[Plan, tuple[Row, ...]]:
    """A plan for what is loaded, and the image after each step where there is a pipeline."""
    if (options.size is None) == (options.image is None):
        raise ArgumentError("memory: either WIDTHxHEIGHTxBANDS or --image must be given.")
    if options.image is None:
        if options.pipeline is not None:
            raise ArgumentError("--pipeline: --image must be given, since a pipeline's result depends on the image.")
        return _of_size(options.size, options.dtype or Plan(1, 1).dtype), ()
    if options.dtype is not None:
        raise ArgumentError("--dtype: must be left out with --image, which tells it.")
    pipeline = Pipeline() if options.pipeline is None else read_pipeline(options.pipeline)
    form = saved.dump(pipeline)
    request = {"path": options.image, "input": form.get("input", {})}
    facts = facts_from_json(work("describe", request)["facts"])
    if options.pipeline is None:
        return memory.for_image(facts), ()
    draw = draw_from_json(work("draw", {**request, "pipeline": form, "seed": options.seed})["draw"])
    return memory.for_draw(facts, draw), memory.chain(draw)


def _of_size(text: str, dtype: str) -> Plan:
    found = re.fullmatch(r"([0-9]{1,15})x([0-9]{1,15})x([0-9]{1,15})", text)
    if found is None:
        shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
        raise ArgumentError(f"memory: the size must be WIDTHxHEIGHTxBANDS, such as 8192x8192x3, got {shown!r}.")
    width, height, bands = map(int, found.groups())
    return Plan(width, height, bands, dtype)


def _json(plan: Plan) -> dict[str, Any]:
    return {
        "image_bytes": plan.image_bytes,
        "host_bytes": memory.host_bytes(plan),
        "device_bytes": memory.device_bytes(plan),
        "parts": {part.name: part.bytes for part in memory.parts(plan)},
    }


def _text(plan: Plan, rows: tuple[Row, ...], unit: Unit) -> str:
    """The steps, the parts with their formulas, the totals, and whether they fit this machine."""
    lines = [
        _line(row.title if row.applied else f"{row.title} (skipped)", row.bytes, unit, _shape(row)) for row in rows
    ]
    lines += [""] if rows else []
    lines.append(
        _line("One image", plan.image_bytes, unit, f"{plan.width} x {plan.height} x {plan.bands} {plan.dtype}")
    )
    for where, total in (("host", memory.host_bytes(plan)), ("device", memory.device_bytes(plan))):
        lines.append("")
        lines += [_line(p.title, p.bytes, unit, p.formula) for p in memory.parts(plan) if p.where == where and p.bytes]
        lines.append(_line(f"Total, {where}", total, unit, ""))
    here = machine.detect()
    verdict = memory.verdict(plan, here.total_bytes)
    return "\n".join([*lines, "", here.sentence(unit.text), verdict.sentence(unit)])


def _line(title: str, count: int, unit: Unit, how: str) -> str:
    return f"{title:26} {unit.text(count):>10}  {how}".rstrip()


def _shape(row: Row) -> str:
    return f"{row.width} x {row.height} x {row.bands} {row.dtype}"
