"""Measures how soon the first window of a file is there, in this process, which should be a fresh one."""

from __future__ import annotations

import gc
import os
from typing import Any

from augviz import resident
from augviz.context import Context
from augviz.environment import environment
from augviz.errors import ArgumentError
from augviz.images import open_image
from augviz.measure import Seconds, check_repeats, stopwatch, uncached
from augviz.model import InputChoice


def measure(
    path: str | os.PathLike[str], choice: InputChoice, side: int, repeats: int, context: Context
) -> dict[str, Any]:
    """Open a file and read one window at its centre, `repeats` times after a warm-up, without libvips' operation cache.

    Whatever a file needs before it gives a window is done anew each time: headers, and the decoding of a whole JPEG. The
    file lies in the system's cache.

    Args:
        side: of the window in pixels; a smaller image is read whole.
        repeats: from 1 to 100.

    Returns:
        {"wall_seconds": [...], "window": [x, y, width, height], "peak_bytes", "baseline_bytes", "environment"}.

    Raises:
        ArgumentError: side or repeats are out of bounds.
        ImageError, pyvips.Error: the file cannot be read.
        Cancelled: it was given up.
    """
    if side < 1:
        raise ArgumentError(f"side: must be at least 1 pixel, got {side}.")
    check_repeats(repeats)
    baseline = resident.resident_bytes()
    seconds: list[Seconds] = []
    with uncached():
        context.progress(None, "warming up")
        place = _read(path, choice, side, context)
        _forget(context)
        memory = resident.reset_peak()
        for number in range(repeats):
            context.progress(number / repeats, f"window {number + 1} of {repeats}")
            with stopwatch(seconds):
                _read(path, choice, side, context)
            _forget(context)
        peak = resident.peak_from(baseline)
    return {
        "wall_seconds": [one.wall for one in seconds],
        "window": list(place),
        "peak_bytes": peak,
        "baseline_bytes": baseline,
        "environment": {**environment(), "memory": memory},
    }


def _read(path: str | os.PathLike[str], choice: InputChoice, side: int, context: Context) -> tuple[int, int, int, int]:
    """Where the window lies that was read."""
    image = open_image(path, choice)
    width, height = min(side, image.width), min(side, image.height)
    x, y = (image.width - width) // 2, (image.height - height) // 2
    context.watch(image.crop(x, y, width, height), (0.0, 0.0)).copy_memory()
    return x, y, width, height


def _forget(context: Context) -> None:
    """What a run has held is no memory of the next one."""
    context.check()
    context.close()
    gc.collect()
    resident.give_back()
