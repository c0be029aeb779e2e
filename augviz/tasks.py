"""The table of worker functions: JSON values in, JSON values and at most one blob out. The worker side's front door."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyvips

from augviz import auditing, blame, engine, exact, inspecting, measuring, pieces, report, scale, view
from augviz.asked import (
    choice_of,
    drawn_for,
    explained,
    fed_of,
    finite,
    pipeline_of,
    prefix,
    shape_json,
    source_of,
    watched,
)
from augviz.context import Context
from augviz.engine import Drawn
from augviz.errors import ArgumentError, ImageError, StepError
from augviz.facts import facts_json, info_json
from augviz.firing import Firing
from augviz.headers import describe as describe_file
from augviz.images import open_image, tile_cached
from augviz.loading import display_name, reading
from augviz.model import Draw
from augviz.results import write_result
from augviz.shown import LOWEST_TO_HIGHEST, encode_jpeg, encode_png, for_show, has_unreal

# libvips keeps its last operations, results included: the bases are what is asked for again, and they are held already.
pyvips.cache_set_max_mem(32_000_000)

Result = dict[str, Any] | tuple[dict[str, Any], bytes]
Task = Callable[[dict[str, Any], Context], Result]


def describe(args: dict[str, Any], context: Context) -> Result:
    """{path, input} -> {"facts", "info"}: the header of an image file; "info" has the contract's keys."""
    facts = describe_file(args["path"], choice_of(args))
    return {"facts": facts_json(facts), "info": info_json(facts)}


def draw(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seed} -> {"draw"}: what each step draws for the image's full size; reads no pixels."""
    shape = describe_file(args["path"], choice_of(args)).header
    return {"draw": _draw_json(drawn_for(shape, args).draw)}


def draws(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seeds} -> {"facts", "draws", "failures"}: several draws, and where none could be made, why."""
    facts = describe_file(args["path"], choice_of(args))
    made, failures = [], []
    for seed in args["seeds"]:
        context.check()
        try:
            made.append(_draw_json(drawn_for(facts.header, {**args, "seed": seed}).draw))
        except StepError as error:
            failures.append({"seed": seed, "step": error.step_id, "reason": error.reason})
    return {"facts": facts_json(facts), "draws": made, "failures": failures}


def _draw_json(found: Draw) -> dict[str, Any]:
    steps = [
        {
            "id": leaf.id,
            "transform": leaf.transform,
            "applied": leaf.applied,
            "values": dict(leaf.values),
            **shape_json(leaf.after),
            "position": leaf.position,
            "enabled": leaf.enabled,
            "before": shape_json(leaf.before),
            "after": shape_json(leaf.after),
        }
        for leaf in found.leaves
    ]
    return {
        "seed": found.seed,
        "source": shape_json(found.source),
        "steps": steps,
        "result": shape_json(found.result),
        "tensor": found.tensor,
    }


def picture(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seed, side, quality, upto, bands} -> JPEG of the result, or of the image after a step.

    It fits `side`; `bands`, if given, are the three that are shown, from 0.
    """
    started = time.perf_counter()
    shape, source = source_of(args)
    drawn = drawn_for(shape, args)
    firings = prefix(drawn.firings, args.get("upto"))
    seen, shown, mapping = _made(source, drawn, firings, args, context)
    blob = encode_jpeg(shown)
    full = firings[-1].after if firings else shape
    tensor = drawn.draw.tensor and args.get("upto") is None
    meta = {
        "width": shown.width,
        "height": shown.height,
        "scale": seen.scale,
        "truth": seen.truth.value,
        "truth_reasons": list(seen.reasons),
        "mapping": mapping.get("mapping", ""),
        "low": finite(mapping.get("low")),
        "high": finite(mapping.get("high")),
        "unreal": mapping["unreal"],
        "quality": args["quality"],
        "tensor": tensor,
        "full": shape_json(full),
        "wall_ms": round((time.perf_counter() - started) * 1000, 1),
    }
    return meta, blob


def _made(
    source: view.Base, drawn: Drawn, firings: tuple[Firing, ...], args: Mapping[str, Any], context: Context
) -> tuple[view.View, pyvips.Image, dict[str, Any]]:
    """The view that fits `side`, its pixels as a screen shows them, and how their values were mapped."""
    s = view.fitted_scale(drawn, args["side"], firings)
    with explained(args, context):
        seen = view.whole(source, drawn, s, args["quality"], firings, watched(context), args.get("bands"))
        pixels = watched(context)(seen.image)
    shown, mapping = for_show(pixels, low_high=seen.value_range, bands=args.get("bands"))
    if seen.value_range is not None:
        mapping["mapping"] = LOWEST_TO_HIGHEST
    mapping["unreal"] = has_unreal(pixels)
    return seen, shown, mapping


def contact_sheet(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seeds | seed, count, side, quality, name} -> PNG of the original and draws with their values.

    `seeds` names the draws, or `count` of them are made from `seed` on. What may be left out: `side` (384), `quality`
    ("fine") and `name`, what to call the image (its file's name). A draw that fails has its sentence for a picture.
    """
    from augviz import contact_sheet as sheets  # only this task needs it, and Pillow with it

    seeds = sheets.checked_seeds(args.get("seeds"), args.get("seed", 0), args.get("count"))
    side = sheets.checked_side(args.get("side", sheets.SIDE))
    name = args.get("name") or display_name(args["path"])
    shape, source = source_of(args)

    def cell(seed: int) -> sheets.Cell:
        asked = {**args, "seed": seed, "side": side, "quality": args.get("quality", "fine")}
        drawn = drawn_for(shape, asked)
        seen, shown, mapping = _made(source, drawn, drawn.firings, asked, context)
        return sheets.draw_cell(drawn.draw, seen.truth.value, shown.copy_memory(), mapping)

    s = view.default_scale(shape, side)
    with reading(args["path"]):
        shown, mapping = for_show(source(max(1, round(shape.width / s)), max(1, round(shape.height / s))))
        cells = [sheets.original_cell(shape, shown.copy_memory(), mapping)]
    for number, seed in enumerate(seeds):
        context.check()
        context.progress(number / len(seeds), f"seed {seed}")
        try:
            cells.append(cell(seed))
        except (StepError, ImageError) as error:
            cells.append(sheets.failed_cell(seed, str(error).replace(display_name(args["path"]), name)))
    made = sheets.sheet(name, sheets.summary(pipeline_of(args)), cells, side)
    told = [{"seed": c.seed, "error": c.error, **asdict(place)} for c, place in zip(cells, made.places, strict=True)]
    meta = {"width": made.image.width, "height": made.image.height, "columns": made.columns, "cells": told}
    return meta, encode_png(made.image)


def original(args: dict[str, Any], context: Context) -> Result:
    """{path, input, side, bands} -> JPEG of the source, fit to `side`."""
    shape, source = source_of(args)
    s = view.default_scale(shape, args["side"])
    pixels = source(max(1, round(shape.width / s)), max(1, round(shape.height / s)))
    with reading(args["path"]):  # a base that is too large to be held is still to be read
        shown, mapping = for_show(pixels, bands=args.get("bands"))
        blob = encode_jpeg(shown)
    meta = {"width": shown.width, "height": shown.height, "scale": s, "mapping": mapping.get("mapping", "")}
    return meta, blob


def steps_report(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seed} -> what each step did to the pixels and how long it took, at preview scale."""
    shape, source = source_of(args)
    with explained(args, context):
        return report.report(source, drawn_for(shape, args), context)


def preview_file(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seed, side, quality, out} -> the view at `side` of the source's longer side, in a file."""
    shape, source = source_of(args)
    drawn = drawn_for(shape, args)
    with explained(args, context):
        s = view.default_scale(shape, args["side"])
        seen = view.whole(source, drawn, s, args["quality"], hold=watched(context))
        written = write_result(context.watch(seen.image.copy()), args["out"], drawn.draw.tensor)
    return {**written, "truth": seen.truth.value, "truth_reasons": list(seen.reasons), "scale": seen.scale}


def apply_file(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seed, window, side, out} -> the full-size result, a window of it, or it shrunk, in a file."""
    image = open_image(args["path"], choice_of(args))
    source = engine.header(image)
    drawn = engine.draw(source, pipeline_of(args), args["seed"])  # refuses before a step reads its whole input
    applied = engine.apply(image, pipeline_of(args), args["seed"])
    result = applied.image
    piece = pieces.of_whole(fed_of(args), drawn.firings)
    if piece is not None and (args.get("window") or piece != pieces.of(result)):  # a working copy has other pieces
        result = pieces.made_in(result, piece)
    if args.get("window"):
        result = _window(result, *args["window"])
    if args.get("side"):
        s = view.default_scale(source, args["side"])
        if any(leaf.applied and leaf.transform in scale.TURNING for leaf in applied.draw.leaves):
            result = tile_cached(result)
        result = view.shrunk(result, max(1, round(result.width / s)), max(1, round(result.height / s)))
    context.progress(0.0, "writing")

    def tell(fraction: float) -> None:
        context.progress(fraction, "writing")

    with explained(args, context):
        return write_result(context.watch(result.copy()), args["out"], applied.tensor, tell)


def _window(image: pyvips.Image, x: int, y: int, width: int, height: int) -> pyvips.Image:
    if width < 1 or height < 1 or x < 0 or y < 0 or x + width > image.width or y + height > image.height:
        raise ArgumentError(
            f"The window {x},{y},{width},{height} must lie inside the result, {image.width} x {image.height} pixels."
        )
    return image.crop(x, y, width, height)


def find_guilty(args: dict[str, Any], context: Context) -> Result:
    """{path, input, pipeline, seed, after} -> raises StepError naming the step that fails, crashes or takes longest.

    `after` is "time-out" where the slowest step is wanted; after a crash that does not happen again, nobody is named.
    """
    image = open_image(args["path"], choice_of(args))
    slowest = blame.blame(image, pipeline_of(args), args["seed"], context)
    if slowest is not None and args.get("after") == "time-out":
        raise slowest.error("it takes longer than the time limit.")
    return {}


def make_synthetic(args: dict[str, Any], context: Context) -> Result:
    """{kind, side, out} -> a synthetic image as a tiled pyramid."""

    def tell(fraction: float) -> None:
        context.check()
        context.progress(fraction, "making the image")

    from augviz import synthetic  # only this job needs it

    synthetic.make(args["kind"], args["side"], args["out"], tell)
    return {"out": args["out"]}


def make_working_copy(args: dict[str, Any], context: Context) -> Result:
    """{path, kind, out} -> {"out"}: the working copy of an image, which is read in its place."""
    from augviz import working_copy  # only this job needs it

    working_copy.make(args["path"], args["kind"], args["out"], context)
    return {"out": args["out"]}


def download_imagenette(args: dict[str, Any], context: Context) -> Result:
    """{variant, folder, address, md5} -> {"folder"}: Imagenette in the data folder, downloaded, verified and unpacked."""
    from augviz import imagenette  # only this job needs it

    variant = imagenette.variant_named(args["variant"])
    folder = imagenette.download(variant, Path(args["folder"]), args["address"], args["md5"], context)
    return {"folder": str(folder)}


def calibrate(args: dict[str, Any], context: Context) -> Result:
    """{out, names} -> {"measured"}: what transforms cost per megapixel on this machine, kept in a file; all without `names`."""
    from augviz import costs  # only this job needs it

    names = tuple(args["names"]) if args.get("names") else None
    return {"measured": costs.calibrate(Path(args["out"]), context, names)}


TASKS: dict[str, Task] = {
    "describe": describe,
    "draw": draw,
    "draws": draws,
    "picture": picture,
    "contact_sheet": contact_sheet,
    "original": original,
    "tile": inspecting.tile,
    "inspect": inspecting.inspect,
    "probe": inspecting.probe,
    "window": inspecting.window,
    "report": steps_report,
    "preview_file": preview_file,
    "apply_file": apply_file,
    "compare_exact": exact.compare,
    "blame": find_guilty,
    "make_synthetic": make_synthetic,
    "make_working_copy": make_working_copy,
    "download_imagenette": download_imagenette,
    "calibrate": calibrate,
    "measure": measuring.measure,
    "measure_steps": measuring.measure_steps,
    "measure_in_memory": measuring.measure_in_memory,
    "measure_throughput": measuring.measure_throughput,
    "estimate": measuring.estimate,
    "audit": auditing.audit,
    "measure_window": measuring.measure_window,
    "write_form": measuring.write_form,
}
"""Worker functions by the name that the server side calls them."""
