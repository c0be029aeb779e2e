"""Measures a draw's steps with whole images in memory, by numpy and OpenCV or by albumentations. Runs in a fresh process."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from augviz import engine, resident
from augviz.context import Context
from augviz.environment import environment, threads
from augviz.equivalents import EQUIVALENTS, Array, checked
from augviz.errors import ArgumentError, AugvizError
from augviz.firing import Firing, header
from augviz.loading import reading
from augviz.measure import Seconds, Subject, check_repeats, figures, stopwatch
from augviz.model import DTYPES, Header

WAY, WAY_ALBUMENTATIONS = "memory", "albumentations"
LIBVIPS, OPENCV = "libvips", "OpenCV"

Work = tuple[str, Callable[[Array], Array]]
"""A step's name, and what it does to an array."""

_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}


def measure_in_memory(subject: Subject, repeats: int, context: Context, way: str = WAY) -> dict[str, Any]:
    """Read the whole file and do every step on the whole array, `repeats` times after a warm-up.

    Args:
        way: "memory" for numpy and OpenCV, "albumentations" for that library.

    Returns:
        as `measure.measure` does, and "read_by": "OpenCV", or "libvips" where OpenCV does not give the same image.

    Raises:
        ArgumentError: a step has no equivalent, or it cannot be done; the sentence names it. albumentations is not installed.
        StepError, ImageError, pyvips.Error: as `measure.measure`.
        Cancelled: it was given up.
    """
    check_repeats(repeats)
    prepare = works_of(way)  # what it imports is no part of what an image takes
    baseline = resident.resident_bytes()
    source = header(subject.open())
    firings = engine.draw(source, subject.pipeline, subject.seed, at_step=context.at_step).firings
    steps = prepare(firings)
    cv2.setNumThreads(threads())
    seconds: list[Seconds] = []
    read_by, memory = OPENCV, ""
    for number in range(repeats + 1):  # the first is the warm-up
        if number == 1:
            gc.collect()
            seconds.clear()
            resident.give_back()
            memory = resident.reset_peak()
        name = f"run {number} of {repeats}" if number else "warming up"
        span = (max(0, number - 1) / repeats, number / repeats)
        with stopwatch(seconds):
            context.progress(span[0], f"{name}, reading")
            array, read_by = read(subject, source)
            array = worked(array, steps, context, span, name)
            del array
    return {
        "way": way,
        **figures(seconds, source),
        "peak_bytes": resident.peak_from(baseline),
        "baseline_bytes": baseline,
        "read_by": read_by,
        "environment": {**environment(), "memory": memory},
    }


def works_of(way: str) -> Callable[[tuple[Firing, ...]], tuple[Work, ...]]:
    """What makes steps out of a draw for a way; it raises ArgumentError where a step has no equivalent, naming all such steps.

    Raises ArgumentError where there is no such way, or albumentations is not installed.
    """
    if way == WAY:
        return by_opencv
    if way != WAY_ALBUMENTATIONS:
        raise ArgumentError(f"way: must be one of {WAY}, {WAY_ALBUMENTATIONS}, got {way!r}.")
    try:
        from augviz import counterparts
    except ImportError as error:
        raise ArgumentError(
            "With albumentations this is not possible: it is not installed (pip install albumentations)."
        ) from error
    return counterparts.works


def by_opencv(firings: tuple[Firing, ...]) -> tuple[Work, ...]:
    """What each step does to an array. Raises ArgumentError where a step has no equivalent, naming all that have none."""
    check_possible(firings)
    return tuple((firing.name, functools.partial(_done, firing)) for firing in firings)


def _done(firing: Firing, array: Array) -> Array:
    try:
        return checked(EQUIVALENTS[firing.name](array, firing), firing)
    except AugvizError as error:
        raise ArgumentError(f"In memory this is not possible: {error}") from error
    except (cv2.error, KeyError, ValueError) as error:
        said = f"there is no {error} in OpenCV" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ArgumentError(f"In memory this is not possible: {firing.name}: {said}") from error


def check_possible(firings: tuple[Firing, ...]) -> None:
    """Raises ArgumentError where a step has no equivalent, naming all that have none."""
    names = [f"{firing.name} (step {firing.position})" for firing in firings if firing.name not in EQUIVALENTS]
    if names:
        raise ArgumentError(
            f"In memory this is not possible: numpy and OpenCV have no equivalent of {', '.join(names)}."
        )


def read(subject: Subject, shape: Header) -> tuple[Array, str]:
    """The whole image, (height, width, bands), and what read it.

    OpenCV does where it gives what the pipeline is fed; it turns images upright and drops bands unless it is kept from that.
    """
    array = _by_opencv(subject.path, shape) if subject.choice.is_plain else None
    if array is not None:
        return array, OPENCV
    with reading(subject.path):
        array = subject.open().numpy()
    return (array[:, :, None] if array.ndim == 2 else array), LIBVIPS


def _by_opencv(path: str, shape: Header) -> Array | None:
    try:
        found = cv2.imread(path, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # more pixels than it allows
        return None
    if found is None:
        return None
    array: Array = found[:, :, None] if found.ndim == 2 else found
    if array.shape != (shape.height, shape.width, shape.bands) or array.dtype != np.dtype(DTYPES[shape.format]):
        return None
    return cv2.cvtColor(array, _TO_RGB[shape.bands], dst=array) if shape.bands in _TO_RGB else array


def worked(
    array: Array,
    steps: tuple[Work, ...],
    context: Context | None = None,
    span: tuple[float, float] = (0.0, 1.0),
    name: str = "",
) -> Array:
    """Do the steps one after the other; raises ArgumentError where one cannot be done."""
    context = context or Context()
    for number, (step, work) in enumerate(steps, start=1):
        context.check()
        context.progress(span[0] + (span[1] - span[0]) * number / (len(steps) + 1), f"{name}, {step}")
        array = work(array)
    return array
