"""What a pipeline will take at full size, in time and memory, before it is run: arithmetic, and the value that holds it.

`windows.py` measures what goes in here. Holds no pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from augviz import catalog, memory
from augviz.errors import ArgumentError
from augviz.model import BYTES_PER_VALUE, DTYPES, Draw, DrawnLeaf, Header

CROPS = frozenset({"Crop", "CenterCrop", "RandomCrop", "CropOrPad"})
"""Steps that need no more of their input than they give."""

UNKNOWN_COST = 10.0
"""Processor milliseconds per megapixel of a step that nobody has measured."""

READING_COST = 6.0
"""Processor milliseconds per megapixel of 8-bit RGB in JPEG tiles, where reading was not timed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the arithmetic predicts for streaming, and for holding the result.

    Attributes:
        seconds: by the clock, of streaming the whole.
        seconds_low, seconds_high: the band in which a measured time is expected.
        stream_bytes, hold_bytes: the most that the process takes over what it has after its imports.
        by_costs: the seconds that the costs per megapixel alone tell.
        measured_costs: whether those were measured on this machine, and are not the catalogue's.
    """

    seconds: float
    seconds_low: float
    seconds_high: float
    stream_bytes: int
    hold_bytes: int
    by_costs: float | None = None
    measured_costs: bool = False

    def __post_init__(self) -> None:
        numbers = (self.seconds_low, self.seconds, self.seconds_high, self.stream_bytes, self.hold_bytes)
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise ArgumentError("estimate: seconds and bytes are finite and not below 0.")
        if not self.seconds_low <= self.seconds <= self.seconds_high:
            raise ArgumentError("estimate: the seconds lie within their band.")

    def error_share(self, measured_seconds: float) -> float:
        """How far the estimate is above what was measured, as a share of that."""
        return self.seconds / measured_seconds - 1


def estimate_from_json(value: Mapping[str, Any]) -> Estimate:
    """The answer of the worker. Raises ArgumentError where it is none."""
    try:
        return Estimate(**{name: value[name] for name in Estimate.__dataclass_fields__ if name in value})
    except TypeError as error:
        raise ArgumentError(f"estimate: this is no estimate ({error}).") from error


# Time by costs


def needed(draw: Draw) -> tuple[float, ...]:
    """The share of the image before each leaf that has to be made, from 0 to 1, and last that of the result, 1.

    libvips makes only the pixels that are asked for: before a crop, only those in it.
    """
    shares = [1.0]
    for leaf in reversed(draw.leaves):
        share = shares[-1]
        if leaf.applied and leaf.transform in CROPS:
            share = min(1.0, share * pixels(leaf.after) / max(1, pixels(leaf.before)))
        shares.append(share)
    return tuple(reversed(shares))


def pixels(shape: Header) -> int:
    """How many there are."""
    return shape.width * shape.height


def cpu_seconds(draw: Draw, costs: Mapping[str, float] | None, reading_cost: float = READING_COST) -> float:
    """Processor seconds of streaming, by the cost of each applied step per megapixel of its input.

    Args:
        costs: measured milliseconds per megapixel by transform; what is missing has the catalogue's.
        reading_cost: of the file, in milliseconds per megapixel.
    """
    shares = needed(draw)
    total = reading_cost * shares[0] * pixels(draw.source)
    for leaf, share in zip(draw.leaves, shares, strict=False):
        if leaf.applied:
            times = int(leaf.values.get("times", 1))
            total += times * step_cost(leaf, costs) * share * pixels(leaf.before)
    return total / 1e9


def step_cost(leaf: DrawnLeaf, costs: Mapping[str, float] | None) -> float:
    """Processor milliseconds per megapixel of a leaf's input."""
    if costs is not None and leaf.transform in costs:
        return costs[leaf.transform]
    cost = catalog.transform(leaf.transform).cost_ms_per_megapixel
    return UNKNOWN_COST if cost is None else cost


@dataclass(frozen=True, slots=True)
class Windows:
    """What a few windows tell of the whole.

    Attributes:
        cpu: seconds of the processor.
        wall: seconds by the clock, if the machine stays as busy as it was.
        parallel: how many threads worked at once where most did.
        spread: greatest less least of the windows' processor time, as a share of their mean.
        count: how many windows there were.
        before: seconds before the first pixel: the steps are built, and a file that is not tiled is decoded whole.
    """

    cpu: float
    wall: float
    parallel: float
    spread: float
    count: int = 4
    before: float = 0.0


def combined(windows: Windows, cpu_by_costs: float | None, threads: int) -> tuple[float, float, float]:
    """(seconds, low, high): processor time over the threads that work at once.

    Windows know this image, this draw and these arguments, and decide where there are enough of them; of slow steps there is
    time for one or two only, and then costs measured on this machine have the same weight. The band reaches from all
    threads at work all the time to the machine as busy as it was, and is wider where the windows differ.

    Args:
        cpu_by_costs: processor seconds by measured costs, None where nothing was measured.
    """
    cpu, factor = windows.cpu, BAND + windows.spread / 2
    if cpu_by_costs and windows.count < ENOUGH:
        cpu = math.sqrt(cpu * cpu_by_costs)
        factor *= max(cpu / windows.cpu, windows.cpu / cpu)
    seconds = cpu / windows.parallel
    low = min(seconds, cpu / threads) / factor
    high = max(seconds * factor, windows.wall)
    return windows.before + seconds, windows.before / BAND + low, windows.before * BAND + high


ENOUGH = 3
"""So many windows are better than costs."""

BAND = 1.3
"""How many times more or less a measured time may be where the windows agree; `make estimates` measures it."""


# Memory


TILE_HEIGHT = 256
"""Lines of a row of tiles, of a file that has none."""


def streaming_bytes(source: Header, result: Header, tile_height: int | None) -> int:
    """What streaming takes by arithmetic alone: the file's tiles, libvips' threads, and the lines that wait to be written.

    Args:
        tile_height: lines of a row of tiles; None for a file that is decoded whole.
    """
    pixel = source.bands * BYTES_PER_VALUE[source.format]
    file = memory.Source(source.width, source.height, pixel, tile_height is not None, tile_height or TILE_HEIGHT)
    plan = memory.Plan(result.width, result.height, result.bands, DTYPES[result.format], source=file)
    return memory.stream_bytes(plan)


HOLE_BYTES = 450_000
"""What each hole of a dropout holds while the whole is streamed; fitted to measurements (`make estimates`)."""


def holes_bytes(draw: Draw) -> int:
    """What the holes of dropouts take: each is an image of its own to libvips, and a strip meets few of them."""
    holes = (
        len(leaf.values.get("holes", ())) * share if leaf.applied else 0
        for leaf, share in zip(draw.leaves, needed(draw), strict=False)
    )
    return round(HOLE_BYTES * sum(holes))


def image_bytes(shape: Header) -> int:
    """Bytes of an image in a plain array."""
    return shape.width * shape.height * shape.bands * BYTES_PER_VALUE[shape.format]
