"""Which step did it: forces a pipeline's full-size pixels step by step, in a process that may die of it."""

from __future__ import annotations

import gc
import time

import pyvips

from augviz import engine
from augviz.context import Context
from augviz.errors import ImageError
from augviz.firing import Firing, words
from augviz.model import Pipeline

WINDOW_PX = 256
"""Side of the window that is forced of each step's result, in its middle."""


def blame(image: pyvips.Image, pipeline: Pipeline, seed: int, context: Context) -> Firing | None:
    """Force a window of the image after each step, and release it, telling `context` the step beforehand.

    Whoever asked learns the guilty step either from the error that is raised or returned, or, where the process ends,
    from the last step that was told.

    Returns:
        The slowest step's firing; None where nothing was applied.

    Raises:
        StepError: a step cannot be drawn, or its pixels cannot be made.
    """
    kept = pyvips.voperation.cache_get_max()
    pyvips.cache_set_max(0)  # a cached result would be released later, by some other step's work
    try:
        return _slowest(image, pipeline, seed, context)
    finally:
        pyvips.cache_set_max(kept)


def _slowest(image: pyvips.Image, pipeline: Pipeline, seed: int, context: Context) -> Firing | None:
    firings = engine.draw(engine.header(image), pipeline, seed, at_step=context.at_step).firings
    slowest: tuple[float, Firing] | None = None
    _force(image, ())  # opening and decoding the file is no step's time
    started = time.perf_counter()
    _force(image, ())
    before = time.perf_counter() - started
    for count, firing in enumerate(firings, start=1):
        context.at_step(firing.step.id, firing.name, firing.position)
        started = time.perf_counter()
        _force(image, firings[:count])
        seconds = time.perf_counter() - started
        gc.collect()  # releases the step's images now, and not in the middle of another step; no part of its time
        if slowest is None or seconds - before > slowest[0]:
            slowest = (seconds - before, firing)
        before = seconds
    return slowest[1] if slowest else None


def _force(image: pyvips.Image, firings: tuple[Firing, ...]) -> None:
    result = image
    for firing in firings:
        result = engine.replay(firing, result)
    width, height = min(WINDOW_PX, result.width), min(WINDOW_PX, result.height)
    window = result.crop((result.width - width) // 2, (result.height - height) // 2, width, height)
    try:
        window.copy_memory()
    except pyvips.Error as error:
        if not firings:
            raise ImageError(f"The pixels could not be read: {words(error)}") from error
        raise firings[-1].error(words(error)) from error
