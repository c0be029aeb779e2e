"""Estimates what a pipeline takes at full size from a few windows of its result, really made. The worker side of `estimates`.

Meant for a fresh process: what the windows take of memory is nearly what the whole takes, since libvips needs as much for a
few hundred lines as for all.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyvips

from augviz import calibration, engine, estimates, resident
from augviz.context import Context
from augviz.environment import environment, threads
from augviz.firing import Firing, by_mean, header
from augviz.headers import describe
from augviz.images import open_image
from augviz.measure import Seconds, Subject, stopwatch, stream, uncached

SECONDS = 1.5
"""What all windows may take together, about, if nothing else is busy."""

COUNT = 4
ACROSS = (0.5, 0.0, 1.0, 0.5)
"""Where the windows lie between left and right, if they are narrower than the image."""

PROBE_COLUMNS = 1024
LINES = 256
LEAST_COLUMNS = 512

LEAST_SHARE = 0.5
"""However much dearer windows are, the inside costs at least this share of them: times are never so exact."""

LEAST_PARALLEL = 0.4
"""The share of the threads that work at once at least: a whole run gets more of a busy machine than a short window."""

FIRST_LINES = 32
"""Four times as many are read first of a file that is decoded whole."""

MEMORY_LINES = 640
MEMORY_SECONDS = 1.5
"""So long the strip may take, about, that is made for its memory."""


@dataclass(frozen=True, slots=True)
class Made:
    """Some windows of an image, timed, and what they tell of the whole image.

    Attributes:
        cpu: seconds of the processor.
        wall: seconds by the clock, if the machine stays as busy as it was.
        parallel: how many threads really worked at once, in the window where most did.
        spread: greatest less least of the windows' processor time, as a share of their mean.
        count: how many there were.
        is_whole: whether the image was made whole instead, which tells as much as any number of windows.
    """

    cpu: float
    wall: float
    parallel: float
    spread: float
    count: int
    is_whole: bool = False


def estimate(subject: Subject, context: Context) -> dict[str, Any]:
    """Estimate time and memory. Raises as `measure.measure`.

    Returns:
        the fields of `estimates.Estimate`, "windows": those of `estimates.Windows`, and "environment".
    """
    baseline = resident.resident_bytes()
    facts = describe(subject.path, subject.choice)
    source = facts.header
    drawn = engine.draw(source, subject.pipeline, subject.seed, at_step=context.at_step)
    costs = calibration.stored()
    arithmetic = estimates.by_costs(drawn.draw, facts, costs, threads())
    cpu = estimates.cpu_seconds(drawn.draw, costs, estimates.reading_seconds(drawn.draw, facts) if facts.tile else 0.0)
    with uncached(), _by_maximum(drawn.firings) as by_mean_steps:
        image, decoding, held_bytes = subject.open(), Seconds(0.0, 0.0), 0
        if facts.tile is None:
            image, decoding, held_bytes = _stand_in(subject, context)
        opened = subject.open if facts.tile else lambda: image
        measured = _memory(_replayed(image, drawn.firings), arithmetic, baseline, context)
        building: list[Seconds] = []
        with stopwatch(building):
            engine.draw(header(subject.open()), subject.pipeline, subject.seed)
            _replayed(image, drawn.firings)
        made = [_windows(lambda: _replayed(opened(), drawn.firings), SECONDS, context)]
        for number in by_mean_steps:
            made.append(_windows(lambda: _replayed(opened(), drawn.firings[:number]), SECONDS / 4, context))  # noqa: B023
    found = estimates.Windows(
        cpu=sum(one.cpu for one in made),
        wall=sum(one.wall for one in made),
        parallel=made[0].parallel,
        spread=made[0].spread,
        count=made[0].count,
        before=building[0].cpu + decoding.cpu,
    )
    seconds, low, high = estimates.combined(found, cpu if arithmetic.measured_costs else None, threads())
    streaming = arithmetic.stream_bytes
    if measured is not None:
        if facts.tile is None:
            reading_all = frozenset(firing.position for firing in drawn.firings if by_mean(firing.transform))
            measured = estimates.decoded_bytes(drawn.draw, facts, max(0, measured - held_bytes), reading_all)
        streaming = measured + estimates.holes_bytes(drawn.draw)
    return {
        "seconds": seconds,
        "seconds_low": low,
        "seconds_high": high,
        "stream_bytes": streaming,
        "hold_bytes": streaming + estimates.image_bytes(drawn.draw.result),
        "by_costs": arithmetic.seconds,
        "measured_costs": arithmetic.measured_costs,
        "window_count": 1 if made[0].is_whole else found.count,
        "windows": asdict(found),
        "environment": environment(),
    }


@contextmanager
def _by_maximum(firings: tuple[Firing, ...]) -> Iterator[tuple[int, ...]]:
    """Keep steps that read their whole input while they are built, to know its mean, from doing so.

    Gives how many steps come before each of them; that reading is timed by itself.
    """
    numbers = tuple(number for number, firing in enumerate(firings) if by_mean(firing.transform))
    for number in numbers:
        firings[number].transform.brightness_by_max = True
    try:
        yield numbers
    finally:
        for number in numbers:
            firings[number].transform.brightness_by_max = False


def _replayed(image: pyvips.Image, firings: tuple[Firing, ...]) -> pyvips.Image:
    for firing in firings:
        image = engine.replay(firing, image)
    return image


def _stand_in(subject: Subject, context: Context) -> tuple[pyvips.Image, Seconds, int]:
    """For a file that is decoded whole before anything else: its first lines, repeated.

    With it what decoding all takes, and the bytes that the lines themselves take.
    """
    context.progress(None, "reading a part of the file")
    shape = header(subject.open())
    choice = replace(subject.choice, upright=False)  # from top to bottom it cannot be turned
    lines, seconds = FIRST_LINES, [Seconds(0.0, 0.0)]
    while True:
        image = open_image(subject.path, choice, access="sequential")
        height, lines = image.height, min(image.height, lines * 4)
        with stopwatch(seconds):
            part = context.watch(image.crop(0, 0, image.width, lines), (0.0, 0.0)).copy_memory()
        context.close()
        if seconds[-1].cpu >= SECONDS / 4 or lines == height:
            break
    del image
    gc.collect()
    resident.give_back()  # what decoding took would count for the steps
    share = height / lines
    across, down = -(-shape.width // part.width), -(-shape.height // part.height)
    whole = part.replicate(across, down).crop(0, 0, shape.width, shape.height)
    return whole, Seconds(seconds[-1].wall * share, seconds[-1].cpu * share), estimates.image_bytes(header(part))


def _windows(made_anew: Callable[[], pyvips.Image], budget: float, context: Context) -> Made:
    """Time some windows, as large as there is time for, at different heights.

    A small image is made whole, and each time anew: what was made before keeps tiles of the file.
    """
    context.progress(None, "making some windows")
    image = made_anew()
    area = image.width * image.height
    lines, columns = min(LINES, image.height), min(PROBE_COLUMNS, image.width)
    seconds: list[Seconds] = []
    for _ in range(2):  # the first one pays for starting threads
        _make(image, (0.5, 0.5), columns, lines, seconds, context)
    # By processor time, which tells what the work is however busy the machine is.
    each = max(seconds[1].cpu / threads(), 1e-6) / (columns * lines)
    if each * area <= budget:
        for _ in range(2 if each * area <= budget / 4 else 1):
            _make(made_anew(), (0.0, 0.0), image.width, image.height, seconds, context)
        return _told(seconds[2:], [], area, area)
    allowed = budget / COUNT / each / 1.5  # pixels in a window; half a window is made beside it
    lines = min(2 * LINES, image.height)
    columns = max(min(image.width, LEAST_COLUMNS), min(image.width, int(allowed / lines)))
    lines = max(lines, min(image.height // COUNT, int(allowed / columns) // (2 * LINES) * 2 * LINES))
    is_full = columns == image.width
    whole: list[Seconds] = []
    halves: list[Seconds] = []
    began = time.perf_counter()
    for number in range(COUNT):
        place = (ACROSS[number], (number * 2 + 1) / 2 / COUNT)
        _make(image, place, columns, lines, whole, context)
        _make(image, place, columns if is_full else columns // 2, lines // 2, halves, context)
        if time.perf_counter() - began > 3 * budget:
            break
    return _told(whole, halves, area, columns * lines, (columns if is_full else columns // 2) * (lines // 2))


def _told(whole: list[Seconds], halves: list[Seconds], area: int, pixels: int, half_pixels: int = 1) -> Made:
    """What windows of so many pixels tell of an image of `area` pixels.

    A window costs more per pixel than the whole, as its edges cut through tiles of the file and through kernels: by a share
    that halves with twice its size. So the whole costs twice what windows cost less what those of half the size cost, each
    per pixel. With rotations at 16384 pixels, single windows are 10 to 40 % too dear, and this is within 2 %.
    """
    cpu = sum(one.cpu for one in whole) / len(whole) / pixels
    parallel = max(one.cpu / max(one.wall, 1e-9) for one in whole)
    wall = sum(one.wall for one in whole) / len(whole) / pixels
    spread = (max(one.cpu for one in whole) - min(one.cpu for one in whole)) / max(cpu * pixels, 1e-9)
    inside = cpu
    if halves:
        half = sum(one.cpu for one in halves) / len(halves) / half_pixels
        inside = min(cpu, max(2 * cpu - half, cpu * LEAST_SHARE))
    busy = min(max(parallel, LEAST_PARALLEL * threads()), threads())
    return Made(inside * area, wall * area, busy, spread, len(whole) if halves else COUNT, is_whole=not halves)


def _make(
    image: pyvips.Image,
    place: tuple[float, float],
    columns: int,
    lines: int,
    seconds: list[Seconds],
    context: Context,
) -> None:
    """Make one window; `place` is where it lies between left and right, top and bottom, from 0 to 1."""
    x = int(place[0] * (image.width - columns)) // LINES * LINES
    y = int(place[1] * (image.height - lines)) // LINES * LINES
    window = context.watch(image.crop(x, y, columns, lines), (0.0, 0.0))
    with stopwatch(seconds):
        stream(window)
    context.close()


def _memory(image: pyvips.Image, by_costs: estimates.Estimate, baseline: int | None, context: Context) -> int | None:
    """What streaming takes, from a strip, before anything else has used memory. None where the system does not tell.

    The strip has the full width where there is time for it, else as much as there is: what the rest of the width takes is
    arithmetic, and what a step holds of the whole image (the field of an ElasticTransform) is there all the same.
    """
    if baseline is None:
        return None
    context.progress(None, "making a strip")
    lines = min(MEMORY_LINES, image.height)
    seconds = by_costs.seconds * lines / image.height
    columns = min(image.width, max(LEAST_COLUMNS, round(image.width * min(1.0, MEMORY_SECONDS / max(seconds, 1e-9)))))
    resident.reset_peak()
    x, y = (image.width - columns) // 2, (image.height - lines) // 2
    stream(context.watch(image.crop(x, y, columns, lines), (0.0, 0.0)))
    peak = resident.peak_bytes()
    context.close()
    gc.collect()
    if peak is None:
        return None
    rest, shape = 0, header(image)
    if columns < image.width:
        narrow = replace(shape, width=columns)
        rest = estimates.streaming_bytes(shape, shape, LINES) - estimates.streaming_bytes(narrow, narrow, LINES)
    return max(0, peak - baseline) + rest
