"""A process and those that it has started, seen together: what they have in memory, and what they have computed.

Memory is proportional set size, PSS, summed: a page that several share counts once. Of batches in shared memory it counts
only pages that some process has touched, which a batch that waits in a queue is not; they take memory all the same, so that
such segments are counted whole, once. Linux alone tells this; elsewhere it is unknown.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

SEGMENT = "augviz-batch"
"""What our own batches in shared memory are called."""

_SEGMENTS = ("/dev/shm/torch_", f"/memfd:{SEGMENT}")
"""How the names of segments begin that hold batches: PyTorch's and ours."""


_STILL = "TtZX"
"""States, as `stat` has them, in which a process does nothing: stopped, traced, ended."""

_STOP_SECONDS = 0.5
"""A process that waits for a disk cannot be stopped before; it does nothing meanwhile, either."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a family has in memory, in bytes: PSS with shared segments counted whole, and PSS alone."""

    total: int
    pss: int


def is_known() -> bool:
    """Whether this system tells proportional set sizes."""
    return (PROC / "self" / "smaps_rollup").exists()


def share(pid: int) -> Share:
    """What a process and all that it has started have now.

    They are held still meanwhile, so that what one has given to another is not counted twice; this process itself is not.
    """
    pids = members(pid)
    with stopped(pids):
        sizes = [_proportional(each) for each in pids]
        segments: dict[int, int] = {}
        for each in pids:
            segments |= _segments(each)
    pss, touched = sum(size for size, _ in sizes), sum(part for _, part in sizes)
    return Share(pss - touched + sum(segments.values()), pss)


def members(pid: int) -> list[int]:
    """A process and all that it has started and that is still there, itself first."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:  # grows meanwhile
        found += children.get(each, [])
    return found


def cpu_seconds(pid: int) -> float | None:
    """The processor's seconds that a process has had in all its threads; None where that is not told, or it has ended."""
    fields = _stat(pid)
    if not fields:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Hold processes still, so that what they have at one moment can be read one after the other."""
    others = [pid for pid in pids if pid != os.getpid()]
    try:
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        end = time.monotonic() + _STOP_SECONDS
        for pid in others:
            while not _is_still(pid) and time.monotonic() < end:
                time.sleep(0.001)
        yield
    finally:
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _is_still(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[0] in _STILL


def _stat(pid: int) -> list[str]:
    """The fields of a process's `stat` after its name, which may hold anything; none for one that has ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 1 :].split()


def _proportional(pid: int) -> tuple[int, int]:
    """(PSS, the part of it that is shared memory) in bytes; zeros for a process that has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return sizes["Pss:"], sizes["Pss_Shmem:"]


def _segments(pid: int) -> dict[int, int]:
    """Bytes of the shared segments that a process has open, by inode."""
    found = {}
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(link).startswith(_SEGMENTS):
                    status = link.stat()
                    found[status.st_ino] = status.st_blocks * 512
    return found
