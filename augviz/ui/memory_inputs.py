"""What a visitor of Memory has entered: one frozen value in the session. Each of its fields is a row of one table, from
which the widgets, the address and the checks of both are made."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import streamlit as st

from augviz import memory
from augviz.errors import ArgumentError
from augviz.machine import GB, GPUS, MACHINES, Preset

KEY = "memory"

TYPED, IMAGE, PIPELINE = "typed", "image", "pipeline"
HERE, NOW, OWN, NONE = "here", "now", "own", "none"
"""Limits that are no preset: this machine, what it has free, a figure of one's own; no GPU at all."""

TILED = "uint8"
"""The tensor that is normalised on the GPU, tile by tile."""

MAX_MEMORY = 10**15
MAX_TEXT = 16
"""Characters of a number in an address."""

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Row:
    """One input.

    Attributes:
        name: the field of `Inputs`; the widget's key is `memory.<name>`.
        parameter: its name in the address.
        default: what a visitor finds.
        label, help: on the screen.
        choices: every text that is allowed; empty for numbers and switches.
        low, high: bounds of a number.
        step: what a number's buttons add.
    """

    name: str
    parameter: str
    default: Value
    label: str
    help: str
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    step: int = 1

    @property
    def key(self) -> str:
        """The widget's place in the session."""
        return f"{KEY}.{self.name}"

    def check(self, value: Any) -> Value:
        """The value, if it is one of this input's. Raises ArgumentError that says what is allowed."""
        if isinstance(self.default, bool):
            if isinstance(value, bool):
                return value
            raise ArgumentError(f"{self.parameter} must be 0 or 1")
        if self.choices:
            if isinstance(value, str) and value in self.choices:
                return value
            raise ArgumentError(f"{self.parameter} must be one of {', '.join(self.choices)}")
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return value
        raise ArgumentError(f"{self.parameter} must be a whole number from {self.low:,} to {self.high:,}")

    def parse(self, text: str) -> Value:
        """The value that an address writes as `text`. Raises ArgumentError."""
        if isinstance(self.default, bool):
            return self.check({"0": False, "1": True}.get(text))
        if self.choices:
            return self.check(text)
        is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_TEXT
        return self.check(int(text) if is_number else None)

    def text(self, value: Value) -> str:
        """How an address writes the value."""
        return str(int(value)) if isinstance(value, bool) else str(value)


def _row(parameter: str, default: Value, label: str, help_text: str, **more: Any) -> Any:
    """What makes a field of `Inputs` a row of the table."""
    return field(default=default, metadata={"row": (parameter, default, label, help_text, more)})


def _ids(presets: tuple[Preset, ...]) -> tuple[str, ...]:
    return tuple(preset.id for preset in presets)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that can be entered. The metadata of a field is its row of the table."""

    source: str = _row(
        "source",
        TYPED,
        "What is loaded",
        "Numbers of your own, the image that Explore shows, or what its pipeline makes of it.",
        choices=(TYPED, IMAGE, PIPELINE),
    )
    width: int = _row("w", 16384, "Width", "Pixels across.", low=1, high=memory.MAX_SIDE, step=1024)
    height: int = _row("h", 16384, "Height", "Pixels down.", low=1, high=memory.MAX_SIDE, step=1024)
    bands: int = _row("bands", 3, "Bands", "Channels: 3 for RGB.", low=1, high=memory.MAX_BANDS)
    dtype: str = _row(
        "dtype",
        "float32",
        "dtype",
        "Of the pipeline's result, as the batch holds it. Normalize makes float32.",
        choices=tuple(name for name in memory.BYTES if not name.startswith("complex")),
    )
    batch: int = _row("batch", 1, "Batch size", "Images in a batch.", low=1, high=memory.MAX_COUNT)
    workers: int = _row(
        "workers", 4, "Workers", "The DataLoader's num_workers; 0 loads in the process itself.", high=memory.MAX_COUNT
    )
    prefetch: int = _row(
        "prefetch",
        2,
        "Prefetch factor",
        "The DataLoader's prefetch_factor: batches that each worker is ahead. Without workers it has no effect.",
        low=1,
        high=memory.MAX_COUNT,
    )
    pinned: bool = _row("pinned", False, "Pinned memory", "The DataLoader's pin_memory: batches in page-locked memory.")
    persistent: bool = _row(
        "persistent", False, "Persistent", "The DataLoader's persistent_workers: they stay between epochs."
    )
    start: str = _row(
        "start",
        "fork",
        "Workers by",
        "How the operating system starts a worker: fork on Linux; spawn on macOS and Windows, where each imports all again.",
        choices=memory.STARTS,
    )
    threads: int = _row(
        "threads",
        2,
        "libvips threads",
        "VIPS_CONCURRENCY of each process that loads; as many as there are cores where it is not set.",
        low=1,
        high=memory.MAX_COUNT,
    )
    gpu: str = _row(
        "gpu",
        "t4",
        "GPU",
        "What the batch is copied to.",
        choices=(*_ids(GPUS), OWN, NONE),
    )
    gpu_bytes: int = _row("gpumem", 16 * GB, "Its memory", "Of the GPU.", low=1, high=MAX_MEMORY)
    tensor: str = _row(
        "tensor",
        "float32",
        "Tensor on the GPU",
        "What the model gets. uint8: the batch stays as small as it was loaded, and is normalised on the GPU tile by tile, "
        "so the pipeline leaves Normalize out.",
        choices=memory.DEVICE_DTYPES,
    )
    tiles: str = _row(
        "tiles",
        "float16",
        "Tiles as",
        "What a tile is converted to when it is normalised.",
        choices=tuple(name for name in memory.DEVICE_DTYPES if name != TILED),
    )
    tile: int = _row("tile", 1024, "Tile side", "Pixels.", low=1, high=memory.MAX_SIDE, step=256)
    machine: str = _row(
        "machine",
        HERE,
        "Memory",
        "Of the machine that trains. “This machine” is the one that augviz runs on.",
        choices=(HERE, NOW, *_ids(MACHINES), OWN),
    )
    machine_bytes: int = _row("ram", 32 * GB, "Its size", "Of the memory.", low=1, high=MAX_MEMORY)
    unit: str = _row(
        "unit",
        memory.GB.name,
        "Unit",
        "Decimal or binary: every figure of the page follows.",
        choices=tuple(memory.UNITS),
    )
    lines: str = _row(
        "lines",
        "image",
        "Lines",
        "What the chart shows for each side and dtype: the pixels of one image, or all that the host holds.",
        choices=("image", "all"),
    )


def _table() -> dict[str, Row]:
    rows = {}
    for each in fields(Inputs):
        parameter, default, label, help_text, more = each.metadata["row"]
        rows[each.name] = Row(each.name, parameter, default, label, help_text, **more)
    return rows


ROWS = _table()
"""By name of the field."""


def get() -> Inputs:
    """What the visitor has entered so far."""
    entered: Inputs = st.session_state.setdefault(KEY, Inputs())
    return entered


def change(**values: Value) -> None:
    """Replace some fields, in one assignment."""
    st.session_state[KEY] = replace(get(), **values)  # type: ignore[arg-type]


def put(name: str, value: Any = None) -> Row:
    """Let the widget of a field show its value, or another one. To be called right before the widget is made."""
    row = ROWS[name]
    shown = getattr(get(), name) if value is None else value
    if st.session_state.get(row.key) != shown:
        st.session_state[row.key] = shown
    return row


def take(name: str) -> None:
    """A widget's `on_change`. What its bounds do not allow, a cleared number for one, changes nothing."""
    row = ROWS[name]
    try:
        change(**{name: row.check(st.session_state[row.key])})
    except ArgumentError:
        return


def take_memory(name: str) -> None:
    """The `on_change` of a size of memory, which is entered in the unit of the page."""
    entered = st.session_state[ROWS[name].key]
    if isinstance(entered, int | float) and 0 < entered < float("inf"):
        count = round(entered * memory.UNITS[get().unit].size)
        change(**{name: min(max(count, 1), MAX_MEMORY)})
