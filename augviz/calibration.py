"""What each transform costs on this machine: where the measured costs are kept, whether they still hold, and the job.

Reads and writes a file in the cache folder; `costs.py` measures.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from augviz import __version__, catalog
from augviz.jobs import Job, start_job
from augviz.settings import Settings, get_settings

FORMAT = 1
FORMATS = ("uchar", "float")
"""The formats that are measured, RGB each; the first is the one whose costs are shown."""

THREADS = 2
"""libvips' threads of the job, so that previews stay quick beside it."""

FUNCTION = "calibrate"
_PACKAGES = ("albumentationsxl", "pyvips", "pyvips-binary")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one transform on one format, in milliseconds per input megapixel.

    Attributes:
        cpu_ms: CPU time of all threads, the median of the repeats.
        cpu_low_ms, cpu_high_ms: the least and the greatest of them; each repeat is another draw.
        wall_ms: time by the clock with `THREADS` threads, the median.
        repeats: how often it was measured.
    """

    cpu_ms: float
    cpu_low_ms: float
    cpu_high_ms: float
    wall_ms: float
    repeats: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """The costs as they were measured on this machine.

    Attributes:
        made_on: the day, "2026-11-25".
        libvips: its version, as the measuring process had it.
        costs: by transform and format; what cannot work on a format is missing.
    """

    made_on: str
    libvips: str
    cpu_count: int
    costs: Mapping[str, Mapping[str, Cost]]

    def cost(self, transform: str, pixel_format: str = FORMATS[0]) -> Cost | None:
        """Of a transform on RGB of a format; None where it was not measured."""
        return self.costs.get(transform, {}).get(pixel_format)

    def about(self) -> str:
        """When and with what it was measured, in a sentence."""
        cores = "1 core" if self.cpu_count == 1 else f"{self.cpu_count} cores"
        library = importlib.metadata.version("albumentationsxl")
        return f"Costs measured on this machine ({cores}) on {self.made_on}, albumentationsxl {library}, libvips {self.libvips}."


def place(settings: Settings | None = None) -> Path:
    """Where the costs are kept."""
    return (settings or get_settings()).cache_folder / "calibration.json"


def identity() -> dict[str, Any]:
    """What must be as it was for measured costs to hold: the machine and the versions."""
    versions: dict[str, str | None] = {"augviz": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # a system's libvips comes without pyvips-binary
            versions[package] = None
    return {"format": FORMAT, "versions": versions, "machine": platform.node(), "cpu_count": os.cpu_count() or 1}


def load(settings: Settings | None = None) -> Calibration | None:
    """The stored costs; None where there are none, or they are of other versions, of another machine, or unreadable."""
    try:
        found = json.loads(place(settings).read_text(encoding="utf-8"))
        if {name: found[name] for name in identity()} != identity():
            return None
        costs = {
            name: {pixel_format: _cost(values) for pixel_format, values in formats.items() if pixel_format in FORMATS}
            for name, formats in found["costs"].items()
            if name in catalog.TRANSFORMS
        }
        return Calibration(str(found["made_on"]), str(found["libvips"]), int(found["cpu_count"]), costs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # cut off, or edited by hand: measured anew
        return None


def _cost(values: Mapping[str, Any]) -> Cost:
    cost = Cost(**values)
    for number in (cost.cpu_ms, cost.cpu_low_ms, cost.cpu_high_ms, cost.wall_ms):
        if isinstance(number, bool) or not math.isfinite(number) or number < 0:
            raise ValueError("a cost is a number of milliseconds")
    return cost


def stored(settings: Settings | None = None) -> Mapping[str, Mapping[str, float]]:
    """CPU milliseconds per megapixel of RGB by format and transform, as measured on this machine; empty if they were not."""
    found = load(settings)
    if found is None:
        return {}
    return {
        pixel_format: {
            name: cost.cpu_ms for name in found.costs if (cost := found.cost(name, pixel_format)) is not None
        }
        for pixel_format in FORMATS
    }


def save(out: Path, libvips: str, made_on: str, costs: Mapping[str, Mapping[str, Cost]]) -> None:
    """Write the costs, whole or not at all. Raises OSError."""
    values = {name: {form: asdict(cost) for form, cost in each.items()} for name, each in costs.items()}
    text = json.dumps({**identity(), "libvips": libvips, "made_on": made_on, "costs": values}, indent=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{secrets.token_hex(8)}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


_lock = threading.Lock()
_jobs: list[Job] = []


def running() -> Job | None:
    """The job that measures now, whoever started it."""
    with _lock:
        return next((job for job in _jobs if job.state == "running"), None)


def start(visitor: str = "") -> Job:
    """Measure in a job, which keeps the costs when it is done. One at a time: two would disturb each other's figures.

    Args:
        visitor: who asks for it; "" is nobody in particular.

    Raises WorkerError where too many jobs are running.
    """
    with _lock:
        if (job := next((job for job in _jobs if job.state == "running"), None)) is not None:
            return job
        settings = get_settings()
        job = start_job(
            FUNCTION,
            {"out": str(place())},
            seconds=settings.job_seconds,
            memory_bytes=settings.job_memory_bytes,
            threads=THREADS,
            visitor=visitor,
        )
        _jobs[:] = [job]
        return job
