"""How a DataLoader's speed grows with its workers, as the server holds it: figures, and where adding workers stops to help.

`stops_scaling` reads what was measured for several numbers of workers. Its rule:

    A number of workers is enough if it delivers at least 90 % of what the fastest one measured does, and the next larger one
    that was measured adds, for each worker more, less than 15 % of what one worker alone delivers. The smallest such number
    is where it stops scaling. Where the largest number is the first that would do and the step to it added more than that,
    it is still scaling.

Loading without workers is no candidate: training waits for every image then, however quick it comes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from augviz import memory
from augviz.errors import ArgumentError
from augviz.memory import Comparison, Plan
from augviz.model import Draw, ImageFacts
from augviz.profiles import UNSTABLE_SHARE

NEAR_SHARE = 0.90
"""Of the fastest: what is as good."""

WORTH_SHARE = 0.15
"""Of what one worker delivers alone: what another one must add to be worth it."""

MAX_WORKERS = 64
MAX_BATCH = 1024
MAX_THREADS = 64
SECONDS_LIMITS = (0.5, 120.0)
SECONDS = 6.0
"""For the timed spans of a figure; starting the workers and looking at memory come on top."""

PREFETCH = 2
"""Batches that each worker is ahead, the DataLoader's default and what is measured."""

START = "spawn"
"""How workers are started: libvips works in threads, which a forked process would not have."""

ORDINALS = (
    "a first",
    "a second",
    "a third",
    "a fourth",
    "a fifth",
    "a sixth",
    "a seventh",
    "an eighth",
    "a ninth",
    "a tenth",
)


@dataclass(frozen=True, slots=True)
class Loading:
    """How images are loaded while that is measured.

    Attributes:
        workers: processes, 0 loads in the process of the training itself.
        batch: images in a batch.
        threads: of libvips in each process, VIPS_CONCURRENCY.
        seconds: for the timed spans together.
    """

    workers: int
    batch: int = 4
    threads: int = 1
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        low, high = SECONDS_LIMITS
        rows = (
            ("workers", 0, MAX_WORKERS),
            ("batch", 1, MAX_BATCH),
            ("threads", 1, MAX_THREADS),
            ("seconds", low, high),
        )
        for name, min_value, max_value in rows:
            if not min_value <= getattr(self, name) <= max_value:
                raise ArgumentError(
                    f"{name}: must lie within {min_value:g} and {max_value:g}, got {getattr(self, name):g}."
                )


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was measured for one number of workers.

    Attributes:
        workers, batch, threads: as in `Loading`.
        by_torch: whether it was PyTorch's DataLoader, else processes of our own that do the same.
        rates: images per second of each timed span, warm-up not among them.
        megapixels_per_image: of what the pipeline was fed, on average.
        cpu_seconds_per_image: of the processor, all processes together; None where the system does not tell.
        batches, listed: in the timed spans, and how many of them could not be stacked since their results differed.
        peak_bytes: the most that all processes had in memory over the baseline, shared segments whole, while the queue was
            full; None where the system does not tell.
        pss_bytes: the same by proportional set size alone, which leaves out pages that nobody has touched.
        environment: (name, value) of versions, processor, threads, memory.
    """

    workers: int
    batch: int
    threads: int
    by_torch: bool
    rates: tuple[float, ...]
    megapixels_per_image: float
    cpu_seconds_per_image: float | None
    batches: int
    listed: int
    peak_bytes: int | None
    pss_bytes: int | None
    environment: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not self.rates or any(not (math.isfinite(rate) and rate > 0) for rate in self.rates):
            raise ArgumentError("throughput: at least one rate above 0 is needed.")

    @property
    def images_per_second(self) -> float:
        """The median of the spans."""
        return statistics.median(self.rates)

    @property
    def megapixels_per_second(self) -> float:
        """Of the sources, at the median."""
        return self.images_per_second * self.megapixels_per_image

    @property
    def spread(self) -> float:
        """The fastest span less the slowest, in images per second."""
        return max(self.rates) - min(self.rates)

    @property
    def is_unstable(self) -> bool:
        """Whether the spans differ by more than a quarter of their median: something else was busy, or draws differ much."""
        return self.spread > UNSTABLE_SHARE * self.images_per_second


@dataclass(frozen=True, slots=True)
class Scaling:
    """Where adding workers stops to help.

    Attributes:
        workers: the number that is enough; the largest measured where it is `still_scaling`.
        still_scaling: whether more workers than were measured would probably deliver more.
        sentence: in words, with what the next worker adds.
    """

    workers: int
    still_scaling: bool
    sentence: str


def throughput_from_json(value: Mapping[str, Any]) -> Throughput:
    """The answer of a worker that measured. Raises ArgumentError where it is not one."""
    try:
        spans = [(float(images), float(seconds)) for images, seconds in value["spans"]]
        images, cpu = int(value["images"]), value["cpu_seconds"]
        environment = value["environment"]
        return Throughput(
            int(value["workers"]),
            int(value["batch"]),
            int(environment["threads"]),
            bool(value["by_torch"]),
            tuple(images / seconds for images, seconds in spans),
            float(value["megapixels"]) / images,
            None if cpu is None else float(cpu) / images,
            int(value["batches"]),
            int(value["listed"]),
            None if value["peak_bytes"] is None else int(value["peak_bytes"]),
            None if value["pss_bytes"] is None else int(value["pss_bytes"]),
            tuple(environment.items()),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ArgumentError(f"throughput: this is no measurement ({type(error).__name__}: {error}).") from error


# The rule


def stops_scaling(points: Iterable[Throughput]) -> Scaling | None:
    """Where adding workers stops to help, by the rule above; None unless two numbers of at least one worker were measured.

    Raises:
        ArgumentError: a number of workers was measured twice.
    """
    found = sorted((point for point in points if point.workers > 0), key=lambda point: point.workers)
    if len({point.workers for point in found}) < len(found):
        raise ArgumentError("Where it stops scaling is told from one measurement for each number of workers.")
    if len(found) < 2:
        return None
    alone = found[0].images_per_second / found[0].workers
    best = max(point.images_per_second for point in found)

    def adds(index: int) -> float:
        """What the step from one number to the next adds for each worker more, as a share of what one alone delivers."""
        before, after = found[index], found[index + 1]
        more = after.images_per_second - before.images_per_second
        return more / (after.workers - before.workers) / alone

    last = len(found) - 1
    for index, point in enumerate(found[:-1]):
        if point.images_per_second >= NEAR_SHARE * best and adds(index) < WORTH_SHARE:
            return Scaling(
                point.workers, False, f"Stops scaling at {_workers(point)}: {_step(point, found[index + 1])}."
            )
    before, largest = found[-2], found[-1]
    if adds(last - 1) < WORTH_SHARE:
        return Scaling(largest.workers, False, f"Stops scaling at {_workers(largest)}: {_step(before, largest)} only.")
    return Scaling(
        largest.workers,
        True,
        f"Still scaling at {_workers(largest)}, the most that were measured: {_step(before, largest)}.",
    )


def _workers(point: Throughput) -> str:
    return f"{point.workers} worker{'' if point.workers == 1 else 's'}"


def _step(before: Throughput, after: Throughput) -> str:
    """What the workers between two numbers add: "a third one adds 3 %"."""
    share = 100 * (after.images_per_second / before.images_per_second - 1)
    size = f"{abs(share):.0f} %" if abs(share) >= 0.5 else "nothing"
    verb = "loses" if share <= -0.5 else "adds"
    if after.workers == before.workers + 1:
        who = ORDINALS[after.workers - 1] if after.workers <= len(ORDINALS) else f"worker {after.workers}"
        return f"{who}{'' if who.startswith('worker') else ' one'} {verb} {size}"
    return f"going from {before.workers} to {after.workers} {verb} {size}"


def recommended(points: Iterable[Throughput]) -> Throughput | None:
    """The workers and threads to load with; None where nothing was measured with workers.

    For each number of threads, the point at which workers stop to help (the fastest one, where only one was measured); of
    these, the one with the fewest threads in all processes together that delivers at least 90 % of what the fastest does.
    """
    found = [point for point in points if point.workers > 0]
    candidates = []
    for threads in sorted({point.threads for point in found}):
        same = [point for point in found if point.threads == threads]
        scaling = stops_scaling(same)
        candidates += [point for point in same if scaling is None or point.workers == scaling.workers]
    if not candidates:
        return None
    best = max(point.images_per_second for point in candidates)
    good = [point for point in candidates if point.images_per_second >= NEAR_SHARE * best]
    return min(good, key=lambda point: (point.workers * point.threads, point.workers))


# Memory


def plan_of(facts: ImageFacts, draw: Draw, loading: Loading) -> Plan:
    """What is computed for such a loader; compare with `Throughput.peak_bytes`."""
    one = memory.for_draw(facts, draw)
    return replace(
        one, workers=loading.workers, batch=loading.batch, threads=loading.threads, prefetch=PREFETCH, start=START
    )


def compared(plan: Plan, measured: Throughput) -> Comparison:
    """Memory in total, computed and measured."""
    return Comparison("Memory in total", memory.host_bytes(plan), measured.peak_bytes)
