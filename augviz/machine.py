"""How much memory this machine has and leaves to this process, and what common machines and GPUs have. Reads no pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

GB = 10**9

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SYSCONF: Callable[[str], int] | None = getattr(os, "sysconf", None)
"""Windows has none."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found out about a machine's memory. Everything is bytes; None is unknown.

    Attributes:
        installed_bytes: what the operating system manages, a little less than what is built in.
        limit_bytes: what a control group (a container, a job of a cluster) allows, where that is less than what is installed.
        available_bytes: what a new process could get now without swapping, within the limit.
        read_from: where the figures come from, in words.
    """

    installed_bytes: int | None = None
    limit_bytes: int | None = None
    available_bytes: int | None = None
    read_from: str = ""

    @property
    def total_bytes(self) -> int | None:
        """What all processes here can use together: the limit where there is one, else what is installed."""
        return self.installed_bytes if self.limit_bytes is None else self.limit_bytes

    def sentence(self, text: Callable[[int], str]) -> str:
        """What was found and where, in a sentence.

        Args:
            text: writes a number of bytes, in the unit that the reader has chosen.
        """
        if self.total_bytes is None:
            return "The memory of this machine is unknown: enter it."
        now = "" if self.available_bytes is None else f", {text(self.available_bytes)} of it available now"
        if self.limit_bytes is None:
            return f"This machine has {text(self.total_bytes)}{now} ({self.read_from})."
        of = "" if self.installed_bytes is None else f" of the machine's {text(self.installed_bytes)}"
        return f"A control group allows {text(self.limit_bytes)}{of}{now} ({self.read_from})."


def detect(proc: Path = PROC, cgroups: Path = CGROUPS, sysconf: Callable[[str], int] | None = SYSCONF) -> Machine:
    """The memory of the machine that this process runs on, with the limits of its control groups.

    Args:
        proc: where Linux tells about processes.
        cgroups: where the file systems of control groups are mounted, version 2, version 1 or both.
        sysconf: asked where `proc` tells nothing (macOS); None where there is none (Windows).
    """
    found = _meminfo(proc / "meminfo")
    if "MemTotal" not in found:
        return _by_sysconf(sysconf)
    installed, available = found["MemTotal"], found.get("MemAvailable")
    limits = [limit for limit in _limits(proc, cgroups) if limit.bytes < installed]
    if not limits:
        return Machine(installed, None, available, "/proc/meminfo")
    tightest = min(limits, key=lambda limit: limit.bytes)
    rooms = [limit.bytes - limit.used_bytes for limit in limits] + ([] if available is None else [available])
    return Machine(installed, tightest.bytes, max(0, min(rooms)), f"/proc/meminfo and {tightest.file}")


@dataclass(frozen=True, slots=True)
class _Limit:
    """The limit of one control group and what its processes use of it, without what can be dropped at once."""

    bytes: int
    used_bytes: int
    file: str


@dataclass(frozen=True, slots=True)
class _Files:
    """How one version of control groups names its files."""

    limit: str
    usage: str
    droppable: str


_V2 = _Files("memory.max", "memory.current", "inactive_file")
_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _limits(proc: Path, cgroups: Path) -> list[_Limit]:
    """Every limit that holds for this process: its group's and those of the groups around it."""
    found = []
    for line in _text(proc / "self" / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if "memory" in controllers.split(","):
            found += _limits_along(cgroups / "memory", group, _V1)
        elif number == "0" and not controllers:
            found += _limits_along(cgroups, group, _V2)
    return found


def _limits_along(root: Path, group: str, files: _Files) -> list[_Limit]:
    """The limits from a group up to the root. Inside a container the root is the container's own group."""
    parts = [part for part in PurePosixPath(group).parts if part != "/"]
    if ".." in parts:  # a group outside what this process can see
        parts = []
    folders = [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return [limit for folder in folders if (limit := _limit_of(folder, files)) is not None]


def _limit_of(folder: Path, files: _Files) -> _Limit | None:
    limit = _number(_text(folder / files.limit))
    if limit is None:  # no such group, or "max"
        return None
    usage = _number(_text(folder / files.usage)) or 0
    stat = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
    droppable = _number(stat.get(files.droppable, "")) or 0
    return _Limit(limit, max(0, usage - droppable), files.limit)


def _meminfo(path: Path) -> Mapping[str, int]:
    """The rows of /proc/meminfo in bytes."""
    found = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdecimal():
            found[name] = int(words[0]) * 1024
    return found


def _by_sysconf(sysconf: Callable[[str], int] | None) -> Machine:
    try:
        total = sysconf("SC_PHYS_PAGES") * sysconf("SC_PAGE_SIZE") if sysconf else 0
    except (OSError, ValueError):  # a name that this system does not know
        total = 0
    return Machine(total, None, None, "the system's page count") if total > 0 else Machine()


def _text(path: Path) -> str:
    """What a file of the system holds, "" where there is none that can be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):  # ValueError: a name with a zero byte in it
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None


@dataclass(frozen=True, slots=True)
class Preset:
    """A common machine or GPU.

    Attributes:
        id: names it in addresses; never changes.
        name: what to call it, without its memory, which is written in the reader's unit.
        memory_bytes: N x 10^9 for the "N GB" that it is sold with. Systems and drivers report up to a tenth more or less,
            and need some of it themselves.
        source: where the figure stands; no figure itself, as the page writes it in the reader's unit.
    """

    id: str
    name: str
    memory_bytes: int
    source: str


def _sold_as(name: str, *gigabytes: int) -> tuple[Preset, ...]:
    source = "as such machines are sold"
    return tuple(Preset(f"{name.lower()}-{n}", name, n * GB, source) for n in gigabytes)


MACHINES: tuple[Preset, ...] = (
    *_sold_as("Laptop", 8, 16, 32),
    *_sold_as("Workstation", 64, 128, 256),
    *_sold_as("Server", 512, 1024),
)
"""Common machines by what they are sold with."""

GPUS: tuple[Preset, ...] = (
    Preset("t4", "NVIDIA T4", 16 * GB, "NVIDIA T4 data sheet, GDDR6"),
    Preset("v100-16", "NVIDIA V100", 16 * GB, "NVIDIA V100 data sheet, HBM2"),
    Preset("rtx-4080", "NVIDIA GeForce RTX 4080", 16 * GB, "NVIDIA GeForce RTX 4080 specifications, GDDR6X"),
    Preset("l4", "NVIDIA L4", 24 * GB, "NVIDIA L4 data sheet"),
    Preset("a10", "NVIDIA A10", 24 * GB, "NVIDIA A10 data sheet, GDDR6"),
    Preset("rtx-3090", "NVIDIA GeForce RTX 3090", 24 * GB, "NVIDIA GeForce RTX 3090 specifications, GDDR6X"),
    Preset("rtx-4090", "NVIDIA GeForce RTX 4090", 24 * GB, "NVIDIA GeForce RTX 4090 specifications, GDDR6X"),
    Preset("v100-32", "NVIDIA V100", 32 * GB, "NVIDIA V100 data sheet, HBM2"),
    Preset("a100-40", "NVIDIA A100", 40 * GB, "NVIDIA A100 data sheet, HBM2"),
    Preset("l40s", "NVIDIA L40S", 48 * GB, "NVIDIA L40S data sheet, GDDR6"),
    Preset("a100-80", "NVIDIA A100", 80 * GB, "NVIDIA A100 data sheet, HBM2e"),
    Preset("h100", "NVIDIA H100", 80 * GB, "NVIDIA H100 data sheet"),
    Preset("h200", "NVIDIA H200", 141 * GB, "NVIDIA H200 data sheet, HBM3e"),
    Preset("mi300x", "AMD Instinct MI300X", 192 * GB, "AMD Instinct MI300X data sheet, HBM3"),
)
"""GPUs by the memory that their makers state."""
