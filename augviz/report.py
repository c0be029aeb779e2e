"""What each step did to the pixels and how long it took, at preview scale: measured by forcing every step's pixels."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyvips

from augviz import scale, view
from augviz.context import Context
from augviz.engine import Drawn
from augviz.firing import words
from augviz.grids import Stage
from augviz.model import Header

REPORT_PX = 1024
"""Longest side, in view pixels, of the largest image of the chain."""

BINS = 256


def report(base: view.Base, drawn: Drawn, context: Context) -> dict[str, Any]:
    """Work the chain step by step, each result copied to memory.

    Returns:
        {"steps": [one for each firing: position, id, transform, seconds, width, height, bands, format of the full-size
        image after it, low, high of its values in the view], "total_seconds", "scale", "histogram", "clipped"}.
    """
    shapes: list[Header] = [drawn.draw.source, *(f.after for f in drawn.firings)]
    s = max(1.0, max(max(shape.width, shape.height) for shape in shapes) / REPORT_PX)
    stages = view.grids(drawn, drawn.firings, s)
    image = base(stages[0].width, stages[0].height).copy_memory()
    before = image
    steps = []
    for number, firing in enumerate(drawn.firings):
        context.check()
        context.at_step(firing.step.id, firing.name, firing.position)
        mean = view.mean_before(base, drawn, drawn.firings[:number], s)
        stage = Stage(firing, stages[number], stages[number + 1], mean, is_final=True)
        started = time.perf_counter()
        image = _forced(scale.scaled(image, stage), stage)
        seconds = time.perf_counter() - started
        low, high = _range(image)
        steps.append(
            {
                "position": firing.position,
                "id": firing.step.id,
                "transform": firing.name,
                "seconds": seconds,
                "width": firing.after.width,
                "height": firing.after.height,
                "bands": firing.after.bands,
                "format": firing.after.format,
                "low": low,
                "high": high,
            }
        )
    return {
        "steps": steps,
        "total_seconds": sum(step["seconds"] for step in steps),
        "scale": s,
        "histogram": {"before": histogram(before), "after": histogram(image)},
        "clipped": {"before": clipped(before), "after": clipped(image)},
    }


def _forced(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        raise stage.firing.error(words(error)) from error


def _range(image: pyvips.Image) -> tuple[float | None, float | None]:
    """Least and greatest value; None where there is none that is finite."""
    array = image.numpy()
    finite = array if array.dtype.kind != "f" else array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (None, None)


def histogram(image: pyvips.Image) -> dict[str, Any]:
    """Counts per band in 256 equal bins: {"low", "high", "counts": [[...] for each band]}.

    The bins span 0 to 256 for 8 bit, and the image's own range for everything else.
    """
    array = image.numpy().reshape(-1, image.bands)
    low, high = (0.0, 256.0) if image.format == "uchar" else _range(image)
    if low is None or high is None:
        return {"low": None, "high": None, "counts": []}
    edges = (low, high if high > low else low + 1)
    counts = [np.histogram(array[:, band], bins=BINS, range=edges)[0].tolist() for band in range(image.bands)]
    return {"low": low, "high": high, "counts": counts}


_LIMITS = {"uchar": (0, 255), "ushort": (0, 65535)}


def clipped(image: pyvips.Image) -> dict[str, float] | None:
    """Share of the values at the lowest and at the highest that the format can hold; None for formats without an end."""
    if image.format not in _LIMITS:
        return None
    low, high = _LIMITS[image.format]
    array = image.numpy()
    return {"low": float((array == low).mean()), "high": float((array == high).mean())}
