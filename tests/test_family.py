"""A process and those that it has started, seen together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from augviz import family

pytestmark = pytest.mark.skipif(not family.is_known(), reason="proportional set sizes are Linux' own")

BYTES = 40_000_000

CHILD = f"""
import mmap, os, subprocess, sys
descriptor = os.memfd_create({family.SEGMENT!r})
os.ftruncate(descriptor, {BYTES})
shared = mmap.mmap(descriptor, {BYTES})
os.posix_fallocate(descriptor, 0, {BYTES})
held = b"1" * {BYTES}
sleeper = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)"], pass_fds=[descriptor])
print(sleeper.pid, flush=True)
sys.stdin.readline()
sleeper.kill()
"""


@pytest.fixture(scope="module")
def parent() -> Iterator[tuple[int, int]]:
    """A process with a child: both have a segment open that nobody has touched, and the process holds as much of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        yield process.pid, max(map(int, lines))
        process.stdin.write("\n")
        process.stdin.flush()


def test_a_segment_counts_whole_and_once_and_by_pss_alone_not_at_all(parent: tuple[int, int]) -> None:
    found = family.share(parent[0])

    assert 2 * BYTES < found.total < 3 * BYTES
    assert BYTES < found.pss < 2 * BYTES


def test_members_are_a_process_and_all_that_it_has_started(parent: tuple[int, int]) -> None:
    assert family.members(parent[0]) == list(parent)
    assert parent[0] in family.members(os.getpid())


def test_processes_go_on_after_they_were_held_still(parent: tuple[int, int]) -> None:
    one = psutil.Process(parent[0])

    with family.stopped([*parent, os.getpid()]):
        assert one.status() == psutil.STATUS_STOPPED
    assert one.status() != psutil.STATUS_STOPPED


def test_the_processor_s_seconds_are_those_of_the_system(parent: tuple[int, int]) -> None:
    times = psutil.Process(parent[0]).cpu_times()

    assert family.cpu_seconds(parent[0]) == pytest.approx(times.user + times.system, abs=0.05)


def test_a_process_that_has_ended_has_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert family.cpu_seconds(process.pid) is None
    assert family.share(process.pid) == family.Share(0, 0)
    assert family.members(process.pid) == [process.pid]


def test_a_system_that_tells_nothing_is_known_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family, "PROC", tmp_path)

    assert not family.is_known()
    assert family.cpu_seconds(os.getpid()) is None
