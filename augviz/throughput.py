"""Measures how many images a second a DataLoader delivers, in this process, which should be a fresh one.

First the workers start and what they have made ahead is taken; then timed spans, in which this process does nothing but wait
for batches, as fast as they come; last a few batches with pauses in which the queue fills, while memory is looked at, since
looking holds the workers still.
"""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from augviz import family
from augviz.context import Context
from augviz.environment import environment
from augviz.errors import ArgumentError
from augviz.library import HAS_TORCH
from augviz.loaded import Batch, Images
from augviz.loaders import PREFETCH, Loader

SPANS = 5
"""The time that is to be spent is divided into so many spans, each of whole rounds over the workers."""

MIN_SPANS = 2
"""However long a round takes, there are so many, for a spread."""

MEMORY_SHARE = 0.5
"""Of the time of the spans, what is spent on memory at most; one full queue is always waited for."""

_LOOK_SECONDS = 0.02
_CANCEL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Span:
    """So many images in so many seconds."""

    images: int
    seconds: float


@dataclass(slots=True)
class _Counts:
    """What came in the timed spans."""

    images: int = 0
    megapixels: float = 0.0
    batches: int = 0
    listed: int = 0

    def add(self, batch: Batch) -> None:
        self.images += batch.count
        self.megapixels += batch.megapixels
        self.batches += 1
        self.listed += not batch.stacked


def measure(images: Images, batch: int, workers: int, seconds: float, context: Context) -> dict[str, Any]:
    """Load for about `seconds` and say how fast that was.

    Args:
        batch: images in a batch.
        workers: processes that load; 0 loads in this one.
        seconds: for the timed spans together. Starting, warming up and looking at memory come on top, and a round over the
            workers that takes longer is waited for.

    Returns:
        {"workers", "batch", "by_torch", "spans": [[images, seconds], ...], "images", "megapixels" of what the pipeline was
        fed, "batches", "listed": batches that could not be stacked, all in the timed spans; "cpu_seconds" in them, of this
        process and its workers; "peak_bytes", "pss_bytes" over "baseline_bytes", which this process had before it loaded;
        "environment"}. What the system does not tell is None.

    Raises:
        ArgumentError: there is no such number of workers, images or seconds.
        AugvizError: an image, a step or a worker failed.
        Cancelled: it was given up.
    """
    if workers < 0 or batch < 1 or seconds <= 0:
        raise ArgumentError(f"A batch of {batch} by {workers} workers in {seconds:g} s cannot be measured.")
    context.check()
    context.progress(None, "starting")
    baseline = family.share(os.getpid()).total if family.is_known() else None
    loader = Loader(images, batch, workers)
    try:
        with _ended_when_given_up(loader, context):
            _warm_up(loader, max(workers, 1), context)
            cpu = _cpu_seconds(loader)
            spans, counts = _timed(loader, max(workers, 1), seconds, context)
            after = _cpu_seconds(loader)
            peak = _peak(loader, seconds * MEMORY_SHARE, context) if baseline is not None else None
    finally:
        loader.end()
    return {
        "workers": workers,
        "batch": batch,
        "by_torch": HAS_TORCH,
        "spans": [[span.images, span.seconds] for span in spans],
        "images": counts.images,
        "megapixels": counts.megapixels,
        "batches": counts.batches,
        "listed": counts.listed,
        "cpu_seconds": None if cpu is None or after is None else after - cpu,
        "peak_bytes": None if peak is None or baseline is None else peak.total - baseline,
        "pss_bytes": None if peak is None or baseline is None else peak.pss - baseline,
        "baseline_bytes": baseline,
        "environment": {**environment(), "torch": importlib.metadata.version("torch") if HAS_TORCH else None},
    }


@contextmanager
def _ended_when_given_up(loader: Loader, context: Context) -> Iterator[None]:
    """End the workers as soon as it is given up: waiting for a batch can take long. Whatever then fails is `Cancelled`."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(_CANCEL_SECONDS):
            if context.cancelled():
                loader.processes.end()
                return

    threading.Thread(target=look, daemon=True, name="augviz-cancel").start()
    try:
        yield
    except Exception:
        context.check()
        raise
    finally:
        done.set()


def _warm_up(loader: Loader, makers: int, context: Context) -> None:
    """Until every worker has started and nothing is left of what they had made before the first was asked for."""
    for number in range(makers * (1 + PREFETCH)):
        context.check()
        context.progress(None, "warming up" if number else "starting the workers")
        loader.next()


def _timed(loader: Loader, makers: int, seconds: float, context: Context) -> tuple[Sequence[Span], _Counts]:
    """Whole rounds over the workers, which deliver in turn, span by span."""
    counts, spans = _Counts(), list[Span]()
    began = time.perf_counter()
    while len(spans) < SPANS and (len(spans) < MIN_SPANS or time.perf_counter() - began < seconds):
        start, images = time.perf_counter(), counts.images
        while True:
            for _ in range(makers):
                context.check()
                counts.add(loader.next())
            now = time.perf_counter()
            context.progress(min(0.9, 0.9 * (now - began) / seconds), "loading")
            if now - start >= seconds / SPANS:
                break
        spans.append(Span(counts.images - images, now - start))
    return spans, counts


def _cpu_seconds(loader: Loader) -> float | None:
    """Of this process and the workers, until now."""
    found = [family.cpu_seconds(process.pid) for process in loader.processes.started if process.pid is not None]
    known = [each for each in found if each is not None]
    return time.process_time() + sum(known) if len(known) == len(loader.processes.started) else None


def _peak(loader: Loader, seconds: float, context: Context) -> family.Share:
    """The most that all have in memory while the loop is slower than the workers, so that the queue is full."""
    done, looks = threading.Event(), list[family.Share]()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            looks.append(family.share(os.getpid()))

    watcher = threading.Thread(target=look, daemon=True, name="augviz-memory")
    watcher.start()
    end = time.monotonic() + seconds
    try:
        while True:
            context.progress(0.95, "looking at memory")
            batch = loader.next()
            batch.touch()
            _wait_full(loader, context)
            if time.monotonic() > end:
                break
    finally:
        done.set()
        watcher.join()
    looks.append(family.share(os.getpid()))
    del batch
    return family.Share(max(look.total for look in looks), max(look.pss for look in looks))


def _wait_full(loader: Loader, context: Context) -> None:
    """Until all that the workers have been asked for is made, and for a look at it."""
    while loader.made < loader.taken + loader.ahead:
        context.check()
        if (ended := loader.processes.ended()) is not None:
            raise ended
        time.sleep(_LOOK_SECONDS / 2)
    time.sleep(2 * _LOOK_SECONDS)
