"""Fixes that give every result one size: by the last step that makes one, else by a crop or pad before the conversions."""

from __future__ import annotations

from dataclasses import replace

from augviz import catalog, edits
from augviz.advice import flow
from augviz.advice.case import Case, probability
from augviz.advice.changes import end_of_bytes, inserted, live_steps, new_step
from augviz.advice.fills import white_after, white_in
from augviz.advice.flow import Shapes
from augviz.model import Item, Pipeline, Step, Value

__all__ = ["VERBS", "can_resize", "sized", "sizers"]

_EXACT = ("Resize", "CropOrPad")

VERBS = {"CropOrPad": "Crop or pad", "CenterCrop": "Crop", "RandomCrop": "Crop"}
"""What a fix does, by the transform that it changes or adds."""


def sized(case: Case, width: int, height: int) -> tuple[Pipeline, str] | None:
    """The pipeline whose results all have that size, and what gives it; None behind a ToTensor."""
    pipeline = case.pipeline
    sizing = [number for number, item in enumerate(pipeline.steps) if sizers(item)]
    last = pipeline.steps[sizing[-1]] if sizing else None
    if isinstance(last, Step) and probability(last) >= 1:
        changed = edits.put(pipeline, _with_size(last, width, height))
        if flow.certain_size(replace(case, pipeline=changed)) == (width, height):
            return changed, last.transform
    index = max(end_of_bytes(pipeline), sizing[-1] + 1 if sizing else 0)
    if any(step.transform == "ToTensor" for item in pipeline.steps[:index] for step in live_steps(item)):
        return None
    made = flow.through(replace(pipeline, steps=pipeline.steps[:index]), flow.known_source(case)).result
    can_pad = case.source().bands in (1, 3) and all(shape.format == "uchar" for shape in made)
    if can_pad:
        return inserted(pipeline, new_step(pipeline, "CropOrPad", width=width, height=height), index), "CropOrPad"
    fill = _fill(case, pipeline.steps[:index], made)
    if fill is None:
        return inserted(pipeline, new_step(pipeline, "Resize", width=width, height=height), index), "Resize"
    is_known = bool(case.source().width)
    verbs = []
    if not is_known or any(s.width[1] > width or s.height[1] > height for s in made):
        pipeline = inserted(pipeline, new_step(pipeline, "CenterCrop", width=width, height=height), index)
        verbs.append("crop")
    if not is_known or any(s.width[0] < width or s.height[0] < height for s in made):
        sides: dict[str, Value] = {"min_width": width, "min_height": height}
        pad = new_step(pipeline, "PadIfNeeded", **sides, value=fill, mask_value=0)
        pipeline = inserted(pipeline, pad, index)
        verbs.insert(0, "pad")
    return pipeline, " and ".join(verbs).capitalize()


def _with_size(step: Step, width: int, height: int) -> Step:
    """The step with that size in place of its own, where it has one; a crop only smaller, so that it still fits."""
    args = catalog.resolved_args(step)
    if step.transform in _EXACT:
        return step.with_args(width=width, height=height)
    if step.transform in ("CenterCrop", "RandomCrop") and width <= args["width"] and height <= args["height"]:
        return step.with_args(width=width, height=height)
    if step.transform == "Crop":
        left, top = args["x_min"], args["y_min"]
        if left + width <= args["x_max"] and top + height <= args["y_max"]:
            return step.with_args(x_max=left + width, y_max=top + height)
    return step


def _fill(case: Case, items: tuple[Item, ...], made: Shapes) -> Value:
    """White in what these items make; None where formats differ, or a Normalize is not always applied."""
    formats = {shape.format for shape in made}
    normalizes = [step for item in items for step in live_steps(item) if step.transform == "Normalize"]
    if len(formats) != 1:
        return None
    if not normalizes:
        return white_in(formats.pop())
    if len(normalizes) > 1 or case.chance(normalizes[0]) < 1:
        return None
    white = white_after(case, normalizes[0])
    return white[0] if white is not None and len(set(white)) == 1 else white


def sizers(item: Item) -> list[str]:
    """The transforms of an item that can change the size."""
    return [step.transform for step in live_steps(item) if can_resize(step)]


def can_resize(step: Step) -> bool:
    still = step.transform == "Affine" and not step.get("fit_output")
    return catalog.transform(step.transform).changes_size and not still
