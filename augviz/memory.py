"""What an image, a pipeline and a DataLoader need in memory: arithmetic from bytes. Holds no pixels and measures nothing.

For a page, in this order: make a `Plan` (`ArgumentError` where a value is impossible), then `parts(plan)` is the bar,
`host_bytes`/`device_bytes` the totals, `verdict(plan, host_limit, device_limit)` the sentence, `largest_square`,
`most_workers`, `largest_batch` and `savings` the answers. `chain(draw)` gives one row for each step of a draw, `for_draw` a
plan for its result, `table()` the tutorial's table. All sizes are bytes; limits are bytes too, and None where there is none.

`unit.text(count)` writes bytes, `unit` being `GB` (10^9) or `GIB` (2^30).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from augviz.memory_parts import Part, device_bytes, hold_bytes, host_bytes, parts, stream_bytes
from augviz.memory_plan import (
    BYTES,
    DEVICE_DTYPES,
    DISC_BYTES,
    MAX_BANDS,
    MAX_COUNT,
    MAX_SIDE,
    STARTS,
    TILE_SIDE,
    Plan,
    Source,
    image_bytes,
)
from augviz.model import BYTES_PER_VALUE, DTYPES

if TYPE_CHECKING:
    from augviz.model import Draw, Header, ImageFacts

__all__ = [
    "BYTES", "DEVICE_DTYPES", "GB", "GIB", "MAX_BANDS", "MAX_COUNT", "MAX_SIDE", "STARTS", "TUTORIAL_BANDS",
    "TUTORIAL_DTYPES", "TUTORIAL_GB", "TUTORIAL_NOTE", "TUTORIAL_SIDES", "UNITS", "Cell", "Comparison", "Measured", "Part",
    "Plan", "Row", "Saving", "Source", "Unit", "Verdict", "chain", "compare", "device_bytes", "fits", "for_draw",
    "for_image", "gb", "gib", "hold_bytes", "host_bytes", "image_bytes", "largest_batch", "largest_square", "most_workers",
    "parts", "savings", "stream_bytes", "table", "verdict",
]  # fmt: skip

# Units


def gb(count: int | float) -> float:
    """`count` bytes in GB, 10^9 bytes."""
    return count / 10**9


def gib(count: int | float) -> float:
    """`count` bytes in GiB, 2^30 bytes."""
    return count / 2**30


@dataclass(frozen=True, slots=True)
class Unit:
    """One way to write bytes; texts of two units are never mixed.

    Attributes:
        name: "GB" or "GiB".
        size: bytes of one.
        smaller_name, smaller_size: what is used below a tenth of one.
    """

    name: str
    size: int
    smaller_name: str
    smaller_size: int

    def number(self, count: int | float) -> float:
        """`count` bytes in this unit."""
        return count / self.size

    def text(self, count: int | float) -> str:
        """`count` bytes with one decimal, "12.9 GB"; below a tenth in whole MB or MiB, "63 MB"; tiny ones in bytes, "1,500 B"."""
        if count and abs(count) < self.smaller_size / 10:
            return f"{count:,.0f} B"
        if count and abs(count) < self.size / 10:
            smaller = count / self.smaller_size
            return f"{smaller:.0f} {self.smaller_name}" if abs(smaller) >= 1 else f"{smaller:.2g} {self.smaller_name}"
        return f"{number_text(count / self.size)} {self.name}"


def number_text(value: float) -> str:
    """A number with one decimal, "12.9"; without one where it is large, "12,345"; a power of ten beyond that, "4 × 10^27"."""
    if abs(value) < 9_999.95:
        return f"{value:,.1f}"
    if abs(value) < 999_999.5:
        return f"{value:,.0f}"
    digits, power = f"{value:.2e}".split("e")
    return f"{float(digits):g} × 10^{int(power)}"


GB = Unit("GB", 10**9, "MB", 10**6)
GIB = Unit("GiB", 2**30, "MiB", 2**20)
UNITS: Mapping[str, Unit] = {unit.name: unit for unit in (GB, GIB)}


# Answers


def fits(plan: Plan, host_limit: int | None = None, device_limit: int | None = None) -> bool:
    """Whether both totals are within the limits."""
    return verdict(plan, host_limit, device_limit).fits


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a plan fits, and what is missing where: 0 where it fits or there is no limit."""

    host_bytes: int
    device_bytes: int
    host_missing: int
    device_missing: int

    @property
    def fits(self) -> bool:
        return not self.host_missing and not self.device_missing

    def sentence(self, unit: Unit = GB) -> str:
        """One sentence for the top of a page, "You need 31.0 GB more memory."."""
        missing = [
            f"{unit.text(count)} more {what}"
            for count, what in ((self.host_missing, "memory"), (self.device_missing, "device memory"))
            if count
        ]
        if missing:
            return f"You need {' and '.join(missing)}."
        return f"It fits: {unit.text(self.host_bytes)} of memory, {unit.text(self.device_bytes)} on the device."


def verdict(plan: Plan, host_limit: int | None = None, device_limit: int | None = None) -> Verdict:
    """Compare the totals with the limits, in bytes."""
    host, device = host_bytes(plan), device_bytes(plan)
    return Verdict(host, device, _over(host, host_limit), _over(device, device_limit))


def _over(count: int, limit: int | None) -> int:
    return max(count - limit, 0) if limit is not None else 0


def largest_square(plan: Plan, host_limit: int | None = None, device_limit: int | None = None) -> int | None:
    """The longest side of a square result (and source) that fits; None where not even one pixel does."""

    def square(side: int) -> Plan:
        file = replace(plan.source, width=side, height=side) if plan.source else None
        return replace(plan, width=side, height=side, source=file)

    def is_possible(side: int) -> bool:
        return fits(square(side), host_limit, device_limit)

    # A larger image can take less, where libvips decodes it into a file and not into memory.
    to_disc = 1
    if plan.source and not plan.source.region_readable:
        to_disc = min(math.isqrt(DISC_BYTES // plan.source.pixel_bytes) + 1, MAX_SIDE)
    above = _largest(to_disc, MAX_SIDE, is_possible)
    return above if above is not None or to_disc == 1 else _largest(1, to_disc - 1, is_possible)


def most_workers(plan: Plan, host_limit: int | None = None, device_limit: int | None = None) -> int | None:
    """The most workers that fit; 0 loads in the process itself, None does not fit without workers either."""
    return _largest(0, MAX_COUNT, lambda count: fits(replace(plan, workers=count), host_limit, device_limit))


def largest_batch(plan: Plan, host_limit: int | None = None, device_limit: int | None = None) -> int | None:
    """The largest batch that fits; None where not even one image does."""
    return _largest(1, MAX_COUNT, lambda count: fits(replace(plan, batch=count), host_limit, device_limit))


def _largest(low: int, high: int, is_possible: Callable[[int], bool]) -> int | None:
    """The largest number from `low` to `high` that is possible, where every smaller one is possible too."""
    if not is_possible(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_possible(middle) else (low, middle - 1)
    return low


@dataclass(frozen=True, slots=True)
class Saving:
    """What doing something otherwise saves.

    Attributes:
        name: "uint8", "normalise" or "stream".
        title: what is done otherwise.
        host_bytes, device_bytes: saved; may be negative.
        changed: the plan that saves it; None for "stream".
    """

    name: str
    title: str
    host_bytes: int
    device_bytes: int
    changed: Plan | None = None

    def sentence(self, unit: Unit = GB) -> str:
        saved = f"{unit.text(self.host_bytes)} of memory"
        if self.device_bytes:
            saved += f" and {unit.text(self.device_bytes)} on the device"
        return f"{self.title} saves {saved}."


def savings(plan: Plan) -> tuple[Saving, ...]:
    """What uint8 instead of float32, normalising on the device, and streaming instead of holding save."""
    as_float = replace(plan, dtype="float32", normalise_on_device=False)
    as_uint8 = replace(plan, dtype="uint8", normalise_on_device=False)
    there = replace(plan, dtype="uint8", normalise_on_device=True)

    def saving(name: str, title: str, before: Plan, after: Plan) -> Saving:
        host = host_bytes(before) - host_bytes(after)
        return Saving(name, title, host, device_bytes(before) - device_bytes(after), after)

    return (
        saving("uint8", "uint8 instead of float32", as_float, as_uint8),
        saving("normalise", "Normalising on the GPU, tile by tile", as_float, there),
        Saving("stream", "Streaming one image instead of holding it", hold_bytes(plan) - stream_bytes(plan), 0),
    )


# Measured beside computed


@dataclass(frozen=True, slots=True)
class Measured:
    """What a profile has measured for one image, in bytes over the process after its imports; None is not measured."""

    stream_bytes: int | None = None
    hold_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure, computed and measured. `error_percent` is how far the computed one is above the measured one."""

    title: str
    computed: int
    measured: int | None

    @property
    def error_percent(self) -> float | None:
        return None if not self.measured else 100 * (self.computed - self.measured) / self.measured


def compare(plan: Plan, measured: Measured | None = None) -> tuple[Comparison, ...]:
    """Streaming and holding one image, computed and, where a profile has it, measured."""
    found = measured or Measured()
    return (
        Comparison("Streaming one image", stream_bytes(plan), found.stream_bytes),
        Comparison("Holding one result", hold_bytes(plan), found.hold_bytes),
    )


# Pipelines and images


@dataclass(frozen=True, slots=True)
class Row:
    """The image after one step of a draw; the first row is what the pipeline was fed.

    Attributes:
        title: the transform's name, or "Source".
        applied: whether the step was applied in this draw; else the image is as before.
        bytes: of the image, if it were held.
    """

    title: str
    applied: bool
    width: int
    height: int
    bands: int
    dtype: str
    bytes: int


def chain(draw: Draw) -> tuple[Row, ...]:
    """Dimensions, dtype and bytes of the source and after each step that is switched on."""
    rows = [_row("Source", True, draw.source)]
    rows += [_row(leaf.transform, leaf.applied, leaf.after) for leaf in draw.leaves if leaf.enabled]
    return tuple(rows)


def _row(title: str, applied: bool, shape: Header) -> Row:
    dtype = DTYPES[shape.format]
    count = image_bytes(shape.width, shape.height, shape.bands, dtype)
    return Row(title, applied, shape.width, shape.height, shape.bands, dtype, count)


def for_image(facts: ImageFacts) -> Plan:
    """A plan that loads an image as it is."""
    return _loaded(facts, facts.header)


def for_draw(facts: ImageFacts, draw: Draw) -> Plan:
    """A plan that loads the result of a draw."""
    return _loaded(facts, draw.result)


def _loaded(facts: ImageFacts, result: Header) -> Plan:
    header = facts.header
    pixel = header.bands * BYTES_PER_VALUE[header.format]
    tile = facts.tile[1] if facts.tile else TILE_SIDE
    source = Source(header.width, header.height, pixel, facts.region_readable, tile)
    return Plan(result.width, result.height, result.bands, DTYPES[result.format], source=source)


# The tutorial's table

TUTORIAL_SIDES = (8192, 16384, 32768, 65536)
TUTORIAL_DTYPES = ("uint8", "float16", "float32", "float64")
TUTORIAL_BANDS = 3
TUTORIAL_GB: Mapping[int, tuple[float, ...]] = {
    8192: (0.2, 0.4, 0.8, 1.6),
    16384: (0.8, 1.6, 3.2, 6.4),
    32768: (3.2, 6.4, 12.8, 25.6),
    65536: (12.8, 25.6, 51.2, 102.4),
}
"""The tutorial's figures in GB, by side, in the order of `TUTORIAL_DTYPES`."""

TUTORIAL_NOTE = (
    "Computed from the bytes. In GB, ten of the sixteen cells are the tutorial's; the six largest differ from its 12.8, "
    "25.6, 51.2 and 102.4, which are rounded cells times four."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table. `tutorial_gb` is the tutorial's figure, `differs` whether it is another to one decimal."""

    side: int
    dtype: str
    bytes: int
    tutorial_gb: float

    @property
    def differs(self) -> bool:
        return round(gb(self.bytes), 1) != self.tutorial_gb


def table() -> tuple[tuple[Cell, ...], ...]:
    """One row for each side, one cell for each dtype."""
    return tuple(
        tuple(
            Cell(side, dtype, image_bytes(side, side, TUTORIAL_BANDS, dtype), figure)
            for dtype, figure in zip(TUTORIAL_DTYPES, TUTORIAL_GB[side], strict=True)
        )
        for side in TUTORIAL_SIDES
    )
