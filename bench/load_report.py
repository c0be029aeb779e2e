"""What a load test has found: answers, times, memory and files; the targets, and whether they were met. Asks no server."""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from augviz import workers
from augviz.units import bytes_text

P95_MS = 1500.0
"""Of the quick picture, from the change to the last byte."""

GROWTH_BYTES = 100_000_000
"""Of server and workers together, from the end of the warm-up to the end of the load, both at rest."""

MAX_SENTENCE = 400
BUG = "Something went wrong in augviz itself"
BUSY_STATUSES = (503, 507)
"""That are a refusal: no place, no disk."""

_KINDS = {"quick": "quick picture", "fine": "fine picture", "browser": "first picture in the browser"}


@dataclass(slots=True)
class Found:
    """Counts of many sessions; every method may be called by any thread.

    Attributes:
        times: milliseconds by kind of picture.
        counts: how often things happened.
        refusals: sentences without their numbers, with who read them.
        wrongs: what must not have happened.
        crashes: answers that tell of a crashed worker.
    """

    times: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in _KINDS})
    counts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    wrongs: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, kind: str, milliseconds: float) -> None:
        """A picture has come."""
        with self.lock:
            self.times[kind].append(milliseconds)

    def count(self, what: str) -> None:
        """Something has happened."""
        with self.lock:
            self.counts[what] += 1

    def wrong(self, what: str) -> None:
        """Something has happened that must not."""
        with self.lock:
            self.wrongs[re.sub(r"incident \w+", "incident #", " ".join(what.split()))[:MAX_SENTENCE]] += 1

    def answered(self, role: str, what: str, status: int, body: bytes) -> None:
        """A request was answered: with what was asked for, or with a sentence."""
        self.count(f"{what}: {status}")
        if status == 200:
            return
        text = body.decode("utf-8", "replace")
        with contextlib.suppress(ValueError):
            text = str(json.loads(text)["error"])
        if status >= 500 and status not in BUSY_STATUSES:
            self.wrong(f"{what}: answered {status}: {text}")
        self.said(role, what, text)

    def said(self, role: str, what: str, text: str) -> None:
        """A visitor has read something other than what they asked for."""
        if not is_sentence(text):
            self.wrong(f"{what}: no sentence: {text!r}")
        if BUG in text:
            self.wrong(f"{what}: {text}")
        if "crashed" in text:
            with self.lock:
                self.crashes += 1
            if role != "kill":
                self.wrong(f"a crash hit who did not ask for it ({role}, {what}): {text}")
        with self.lock:
            self.refusals[f"{role}, {what}: {re.sub(r'[0-9a-f]{8,}|[0-9]+', '#', text)}"] += 1

    @contextlib.contextmanager
    def telling(self, whose: str) -> Iterator[None]:
        """Note what ends a session that should have gone on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - told in the report, which fails by it
            self.wrong(f"{whose} was ended by {type(error).__name__}: {error}")

    def begin(self) -> None:
        """Forget the times of the warm-up."""
        with self.lock:
            for values in self.times.values():
                values.clear()


def is_sentence(text: str) -> bool:
    """Whether people can read it: one line, some words, no traceback, no markup of a page."""
    return (
        bool(re.fullmatch(rf"[^\n<>{{}}]{{8,{MAX_SENTENCE}}}", text))
        and "Traceback" not in text
        and 'File "' not in text
    )


# What a server takes


def level(pid: int) -> dict[str, int]:
    """Proportional set size in bytes of a server, of its workers and of its jobs (resident, where there is no such)."""
    found = {"server": 0, "workers": 0, "jobs": 0}
    server = psutil.Process(pid)
    for process in (server, *server.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            kind = "server" if process.pid == pid else "jobs" if is_job(process) else "workers"
            memory = process.memory_full_info()
            found[kind] += int(getattr(memory, "pss", memory.rss))
    return found


def is_job(process: psutil.Process) -> bool:
    """Whether a process does long work: one that gives way to those that make previews."""
    command = process.cmdline()
    return "--nice" in command and int(command[command.index("--nice") + 1]) > workers.NICE


def at_rest(pid: int, seconds: float = 60) -> dict[str, int]:
    """The level once no job runs any more, and workers that crashed have been replaced."""
    end = time.monotonic() + seconds
    while level(pid)["jobs"] and time.monotonic() < end:
        time.sleep(0.5)
    time.sleep(3)
    return level(pid)


def left_behind(folder: Path, seconds: float) -> list[str]:
    """Temporary files that are still there some seconds after all visitors have gone: theirs, and unfinished ones."""
    end = time.monotonic() + seconds
    while found := _temporary(folder):
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    return found


def _temporary(folder: Path) -> list[str]:
    cache = folder / "cache"
    paths = [*(folder / "tmp").rglob("*"), *(cache / "uploads").rglob("*"), *cache.rglob(".*"), *cache.rglob("*.part")]
    return sorted({str(path.relative_to(folder)) for path in paths if path.is_file() and path.name != ".lock"})


def crashes_of(log: Path) -> tuple[int, int]:
    """How many requests crashed a worker by the server's own account, and of how many visitors."""
    crashed = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        told = dict(re.findall(r'"?(\w+)"?[=:] ?"?(\w+)', line))
        if "render_end" in line and told.get("outcome") == "crashed":
            crashed.append(told.get("visitor"))
    return len(crashed), len(set(crashed))


# The report


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a load test ends with.

    Attributes:
        warm, end, gone: levels after the warm-up, at the end, and after all sessions have gone.
        left: temporary files after all sessions have gone.
        outlived: processes that were there after the server.
        crashed: requests that crashed a worker, by the server's log, and visitors.
        shares: of the machine's processor time, by kind of process.
    """

    found: Found
    warm: Mapping[str, int]
    end: Mapping[str, int]
    gone: Mapping[str, int]
    left: tuple[str, ...]
    outlived: int
    crashed: tuple[int, int]
    log_has_traceback: bool
    shares: Mapping[str, float]

    @property
    def growth_bytes(self) -> int:
        """By how much server and workers have grown."""
        return sum(self.end.values()) - sum(self.warm.values())

    def targets(self, killers: int) -> dict[str, bool]:
        """Each target and whether it was met."""
        quick, wrongs = self.found.times["quick"], sum(self.found.wrongs.values())
        return {
            f"no error that is not a sentence, no crash of another's request ({wrongs} wrong)": not wrongs,
            f"95 % of quick pictures within {P95_MS / 1000:.1f} s ({quantile(quick, 95) / 1000:.2f} s)": bool(quick)
            and quantile(quick, 95) <= P95_MS,
            f"memory within {bytes_text(GROWTH_BYTES)} of that after the warm-up ({_signed(self.growth_bytes)})": (
                self.growth_bytes <= GROWTH_BYTES
            ),
            f"no temporary file left ({len(self.left)} left)": not self.left,
            f"no process outlives the server ({self.outlived} did)": not self.outlived,
            f"every worker crash is of a visitor who asked for it ({self.crashed[0]} of {self.crashed[1]} visitors)": (
                self.crashed[1] <= killers
            ),
            "no traceback in the server's log": not self.log_has_traceback,
        }


def quantile(values: list[float], percent: int) -> float:
    """A percentile, between the two values that are nearest; NaN where there are too few."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else float("nan")


def report(outcome: Outcome, killers: int) -> bool:
    """Print the tables; whether every target was met."""
    found = outcome.found
    print("\n| change to | count | p50 | p95 | p99 | longest |\n|---|---|---|---|---|---|")
    for kind, title in _KINDS.items():
        values = found.times[kind]
        cells = [f"{quantile(values, percent):.0f} ms" for percent in (50, 95, 99)]
        print(f"| {title} | {len(values)} | {' | '.join(cells)} | {max(values, default=0):.0f} ms |")
    print("\n| memory (PSS) | server | workers | jobs | all |\n|---|---|---|---|---|")
    for name, levels in (("warm", outcome.warm), ("end", outcome.end), ("all gone", outcome.gone)):
        print(
            f"| {name} | {' | '.join(bytes_text(each) for each in levels.values())} | {bytes_text(sum(levels.values()))} |"
        )
    print("\n| processor | " + " | ".join(outcome.shares) + " |\n|" + "---|" * (len(outcome.shares) + 1))
    print("| share | " + " | ".join(f"{share:.0%}" for share in outcome.shares.values()) + " |")
    for title, counter in (("happened", found.counts), ("read", found.refusals), ("WRONG", found.wrongs)):
        print(f"\n| times | {title} |\n|---|---|")
        for what, number in sorted(counter.items(), key=lambda item: (-item[1], item[0])):
            print(f"| {number} | {what} |")
    print(f"\nCrashes told to visitors: {found.crashes}.")
    for path in outcome.left[:20]:
        print(f"left: {path}")
    print("\n| target | met |\n|---|---|")
    targets = outcome.targets(killers)
    for name, met in targets.items():
        print(f"| {name} | {'yes' if met else 'NO'} |")
    return all(targets.values())


def _signed(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{bytes_text(abs(size))}"
