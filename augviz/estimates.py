"""What a pipeline will take at full size, in time and memory, before it is run: arithmetic, and the value that holds it.

`windows.py` measures what goes in here. Holds no pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from augviz import catalog, decoded, memory
from augviz.advice.ratios import FLOAT_RATIOS
from augviz.errors import ArgumentError
from augviz.model import BYTES_PER_VALUE, DTYPES, Draw, DrawnLeaf, Header, ImageFacts

UNKNOWN_COST = 10.0
"""Processor milliseconds per megapixel of a step that nobody has measured."""

READING_COST = 6.5
READING_COSTS: Mapping[str, float] = {"pngload": 9.0, "webpload": 23.0, "ppmload": 2.0, "vipsload": 1.5, "rawload": 1.5}
"""Processor milliseconds per megapixel of 8-bit RGB, by what reads the file; JPEG and TIFF where a loader is not named."""

STARTING_SECONDS = 0.02
"""What opening a file, building the steps and starting threads takes whatever the size."""

Costs = Mapping[str, Mapping[str, float]]
"""Measured processor milliseconds per megapixel of RGB by format ("uchar", "float") and transform; empty is not measured."""

FLOAT_COSTS: Mapping[str, float] = {
    "RandomBrightnessContrast": 23.0,
    "HueSaturationValue": 39.0,
    "RandomGamma": 39.0,
    "Blur": 21.0,
    "GaussianBlur": 40.0,
    "MotionBlur": 6.8,
    "AdvancedBlur": 6.6,
}
"""Processor milliseconds per megapixel on float32 of what is much slower there, by `python -m bench.float_cost` as
`FLOAT_RATIOS` are: the catalogue's costs times those ratios would be up to three times too much."""

BY_TABLE = frozenset({"RandomGamma"})
"""Steps that look 16-bit values up as they do 8-bit ones, where others work them as slowly as floats."""

BANDS_SHARE = 0.7
"""The share of a cost that grows with the bands: one band takes about half of what three take, and four a fifth more."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the arithmetic predicts for streaming, and for holding the result.

    Attributes:
        seconds: by the clock, of streaming the whole.
        seconds_low, seconds_high: the band in which a measured time is expected.
        stream_bytes, hold_bytes: the most that the process takes over what it has after its imports.
        by_costs: the seconds that the costs per megapixel alone tell.
        measured_costs: whether those were measured on this machine, and are not the catalogue's.
        window_count: how many windows the seconds are from; 0 are from costs.
    """

    seconds: float
    seconds_low: float
    seconds_high: float
    stream_bytes: int
    hold_bytes: int
    by_costs: float | None = None
    measured_costs: bool = False
    window_count: int = 0

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
        if leaf.applied and leaf.transform in catalog.CROPS:
            share = min(1.0, share * pixels(leaf.after) / max(1, pixels(leaf.before)))
        shares.append(share)
    return tuple(reversed(shares))


def pixels(shape: Header) -> int:
    """How many there are."""
    return shape.width * shape.height


def cpu_seconds(draw: Draw, costs: Costs | None = None, reading: float = 0.0) -> float:
    """Processor seconds of streaming, by the cost of each applied step per megapixel of its input.

    Args:
        costs: measured on this machine; the catalogue's stand in for what is missing.
        reading: processor seconds of reading what is needed of the file.
    """
    total = 0.0
    for leaf, share in zip(draw.leaves, needed(draw), strict=False):
        if leaf.applied:
            times = int(leaf.values.get("times", 1))
            total += times * step_cost(leaf, costs) * share * pixels(leaf.before)
    return reading + total / 1e9


def step_cost(leaf: DrawnLeaf, costs: Costs | None = None) -> float:
    """Processor milliseconds per megapixel of a leaf's input, by its format and bands.

    Costs are of RGB in 8 bit and in float32; other formats of more than 8 bit are worked like floats. Where only 8 bit was
    measured, what float takes more was measured on another machine.
    """
    name, known = leaf.transform, costs or {}
    cost = known.get("uchar", {}).get(name, catalog.transform(name).cost_ms_per_megapixel)
    if _is_wide(leaf):
        on_floats = known.get("float", {}).get(name)
        if on_floats is None and name not in known.get("uchar", {}):
            on_floats = FLOAT_COSTS.get(name)
        if on_floats is not None:
            cost = on_floats
        elif cost is not None:
            cost *= FLOAT_RATIOS.get(name, 1.0)
    if cost is None:
        cost = UNKNOWN_COST
    return cost * (1 - BANDS_SHARE + BANDS_SHARE * leaf.before.bands / 3)


def _is_wide(leaf: DrawnLeaf) -> bool:
    """Whether a leaf works its input as slowly as float32."""
    if BYTES_PER_VALUE[leaf.before.format] == 1:
        return False
    return leaf.before.format != "ushort" or leaf.transform not in BY_TABLE


def is_measured(leaf: DrawnLeaf, costs: Costs | None) -> bool:
    """Whether the cost of a leaf was measured on this machine, be it on another format."""
    return any(leaf.transform in each for each in (costs or {}).values())


def unknown(draw: Draw, costs: Costs | None = None) -> tuple[str, ...]:
    """The applied transforms whose cost nobody has measured, and which count with `UNKNOWN_COST`."""
    names = (
        leaf.transform
        for leaf in draw.leaves
        if leaf.applied
        and not is_measured(leaf, costs)
        and catalog.transform(leaf.transform).cost_ms_per_megapixel is None
    )
    return tuple(dict.fromkeys(names))


def read(draw: Draw, facts: ImageFacts) -> tuple[int, int]:
    """Width and height of what is read of the file: all of it, or the tiles that the needed part touches."""
    width, height = draw.source.width, draw.source.height
    share = needed(draw)[0]
    if facts.tile is None or share == 1:
        return width, height
    side = math.sqrt(share)
    return min(width, math.ceil(side * width) + facts.tile[0]), min(height, math.ceil(side * height) + facts.tile[1])


def reading_seconds(draw: Draw, facts: ImageFacts) -> float:
    """Processor seconds of reading what is needed of the file."""
    width, height = read(draw, facts)
    size = draw.source.bands * BYTES_PER_VALUE[draw.source.format] / 3
    return READING_COSTS.get(facts.loader, READING_COST) * size * width * height / 1e9


def by_costs(draw: Draw, facts: ImageFacts, costs: Costs | None = None, threads: int = 2) -> Estimate:
    """What arithmetic alone predicts, before a pixel is made.

    Args:
        facts: of the file that is read, as the pipeline is fed it.
        costs: measured on this machine; the catalogue's stand in for what is missing.
        threads: of libvips, that work at once.
    """
    reading = reading_seconds(draw, facts)
    before = reading if facts.tile is None else 0.0  # decoded whole, by one thread, before anything else
    working = cpu_seconds(draw, costs, reading - before) / threads
    applied = [leaf for leaf in draw.leaves if leaf.applied]
    is_all_measured = bool(costs) and all(is_measured(leaf, costs) for leaf in applied)
    factor = MEASURED_BAND if is_all_measured else CATALOGUE_BAND
    seconds = STARTING_SECONDS + before + working
    streaming = stream_bytes(draw, facts)
    return Estimate(
        seconds=seconds,
        seconds_low=seconds / factor,
        seconds_high=seconds * factor,
        stream_bytes=streaming,
        hold_bytes=streaming + image_bytes(draw.result),
        by_costs=seconds,
        measured_costs=is_all_measured,
    )


MEASURED_BAND, CATALOGUE_BAND = 1.7, 2.2
"""How many times more or less a measured time may be than costs of this machine tell, and than the catalogue's."""


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


def stream_bytes(draw: Draw, facts: ImageFacts) -> int:
    """What streaming a draw of a file takes, by arithmetic alone, the holes of dropouts included."""
    width, height = read(draw, facts)
    if facts.tile is None:
        working = streaming_bytes(draw.source, draw.result, None) - image_bytes(draw.source)
        return decoded_bytes(draw, facts, working) + holes_bytes(draw)
    part = replace(draw.source, width=width, height=height)
    return streaming_bytes(part, draw.result, facts.tile[1]) + holes_bytes(draw)


def decoded_bytes(draw: Draw, facts: ImageFacts, working: int, by_mean: frozenset[int] = frozenset()) -> int:
    """What streaming takes of a file that is decoded whole.

    Args:
        working: bytes that streaming takes once all is decoded.
        by_mean: positions of the steps that read all that they are given.
    """
    least = decoded.decoding_bytes(draw.source, draw.result, facts.loader)
    return decoded.resident_bytes(draw, by_mean) + max(working, least)


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
