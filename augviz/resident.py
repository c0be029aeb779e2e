"""How much memory this process takes: what it has now, and the most that it has had. Knows no pixels."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path

PROC = Path("/proc/self")
"""Where Linux tells about this process."""

RESET = "VmHWM of /proc/self/status, reset before the first timed run"
SINCE_START = "VmHWM of /proc/self/status, since the process began"
BY_RUSAGE = "ru_maxrss of getrusage, since the process began, which may include its parent's"
UNKNOWN = "unknown: this system tells it neither in /proc nor by getrusage"


def resident_bytes(proc: Path = PROC) -> int | None:
    """What the process has in memory now; where only its peak is known, that; None where nothing is."""
    found = _status(proc).get("VmRSS")
    return found if found is not None else _by_rusage()


def peak_bytes(proc: Path = PROC) -> int | None:
    """The most that the process has had in memory since it began, or since `reset_peak`; None where it is not known."""
    found = _status(proc).get("VmHWM")
    return found if found is not None else _by_rusage()


def peak_from(baseline: int | None) -> int | None:
    """`peak_bytes`, and never below a baseline in bytes, though a process that gives memory back may fall below it."""
    peak = peak_bytes()
    return peak if peak is None or baseline is None else max(peak, baseline)


def reset_peak(proc: Path = PROC) -> str:
    """Begin a new peak where the system can; returns in words what `peak_bytes` gives from now on."""
    if "VmHWM" not in _status(proc):
        return UNKNOWN if _by_rusage() is None else BY_RUSAGE
    try:
        (proc / "clear_refs").write_text("5")  # resets the high-water mark and nothing else, since Linux 4.0
    except OSError:
        return SINCE_START
    return RESET


def give_back() -> None:
    """Have the allocator return to the system what it keeps of freed memory, where it can: glibc keeps a lot of it."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # macOS, musl, Windows
        ctypes.CDLL(None).malloc_trim(0)


def _status(proc: Path) -> dict[str, int]:
    """The sizes of /proc/self/status in bytes, by name."""
    try:
        lines = (proc / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    rows = (line.split() for line in lines)
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}


def _by_rusage() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
