"""Part of `make bench`: how quick pictures are while people edit and a full-size measurement runs beside them.

Five sessions of the app without a browser (`bench.visitor`) and one in a real browser, each with a draw of its own, change a
parameter about every 1.5 s, so that no two ask for the same picture. Five browsers would take more of the processor than the
server does, which visitors' browsers do not. Phases without and with the job take turns, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from augviz import jobs, profiles, saved, synthetic
from bench.latency import AT_REST, PIPELINE, SLIDER, WATCH, opened, query_of
from bench.visitor import Visitor, visit
from tests import chromium
from tests.live import LiveServer, live_server

EVERY_SECONDS = 1.5
SETTLE_SECONDS = 0.03
"""What the viewer waits after the quick picture before it asks for the fine one."""

JOB_REPEATS = 100
"""More than any phase lasts: the job is cancelled when its phase ends."""

OPEN = "explore.step.light.open"
BRIGHTNESS = "explore.step.light.brightness_limit"


@dataclass(slots=True)
class Phase:
    """What one phase has measured.

    Attributes:
        quick, fine: milliseconds from each change to the first picture, and to the final one where it came before the next
            change, in the sessions without a browser.
        browser: milliseconds to the first picture on the real browser's screen.
        shares: of the machine's processor time, by kind of process.
    """

    has_job: bool
    quick: list[float] = field(default_factory=list)
    fine: list[float] = field(default_factory=list)
    browser: list[float] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)


def text(name: str, values: list[float]) -> str:
    """Median, the 95th percentile, the middle half and the extremes."""
    if len(values) < 2:
        return f"{name:52} measured {len(values)} times"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (
        f"{name:52} median {middle:5.0f} ms, p95 {p95(values):5.0f} ms   ({low:.0f} to {high:.0f} in the middle half, "
        f"{min(values):.0f} to {max(values):.0f} in all, {len(values)} times)"
    )


def p95(values: list[float]) -> float:
    """The 95th percentile, between the two values that are nearest."""
    return statistics.quantiles(values, n=100, method="inclusive")[94]


def edit(visitor: Visitor, phase: Phase, count: int, rhythm: random.Random) -> None:
    """Change a parameter `count` times, 1.5 s apart, and ask for what the page asks for."""
    time.sleep(rhythm.uniform(0, EVERY_SECONDS))
    for _ in range(count):
        due = time.monotonic() + EVERY_SECONDS * rhythm.uniform(0.8, 1.2)
        started = time.perf_counter()
        visitor.run(BRIGHTNESS, double_array_value=[-rhythm.uniform(0.1, 0.4), rhythm.uniform(0.1, 0.4)])
        visitor.told()
        assert visitor.picture("quick", 512), "the picture has not come"
        phase.quick.append((time.perf_counter() - started) * 1000)
        visitor.until_run()
        time.sleep(SETTLE_SECONDS)
        if visitor.picture("fine", 1024, until=due):
            phase.fine.append((time.perf_counter() - started) * 1000)
        time.sleep(max(0.0, due - time.monotonic()))


def browse(page: Page, phase: Phase, count: int, key: str) -> None:
    """The same in the real browser, from the key press to the picture on the screen; it waits until the page is at rest."""
    slider = page.locator(SLIDER).first
    page.locator(".st-key-explore-new_draws button").first.click()  # so that no pair of draw and value comes twice
    page.wait_for_timeout(500)
    page.wait_for_selector(AT_REST, timeout=60_000)
    for _ in range(count):
        due = time.monotonic() + EVERY_SECONDS
        slider.focus()
        page.keyboard.press(key)
        page.wait_for_function("window.times.quick > 0 || window.times.fine > 0", timeout=60_000)
        times = page.evaluate("window.times")
        phase.browser.append(times.get("quick") or times["fine"])
        page.wait_for_selector(AT_REST, timeout=60_000)
        page.wait_for_timeout(max(0.0, due - time.monotonic()) * 1000)


@contextlib.contextmanager
def job(path: Path, phase: Phase) -> Iterator[None]:
    """In the phases that have one, the measurement of the same pipeline at full size, started as the app does."""
    if not phase.has_job:
        yield
        return
    request = {"path": str(path), "input": {}, "pipeline": saved.dump(saved.loads(PIPELINE)), "seed": 1}
    running = profiles.start(request, "stream", JOB_REPEATS)
    try:
        while running.state == "running" and not running.progress[1]:
            time.sleep(0.1)
        yield
        assert running.state == "running", f"the job has ended: {profiles.outcome(running)}"
    finally:
        running.cancel()
        time.sleep(jobs.CANCEL_SECONDS)


def processor_seconds(server: LiveServer) -> dict[str, float]:
    """Processor time so far of the server, its workers, those of them that have ended, the job, the browser and this process."""
    own = psutil.Process()
    found = {"sessions": _seconds(own)}
    for process in own.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            kind = "server" if process.pid == server.pid else "browser"
            if "augviz.worker" in " ".join(process.cmdline()):
                kind = "workers" if process.ppid() == server.pid else "job"
            found[kind] = found.get(kind, 0.0) + _seconds(process)
            if process.pid == server.pid:
                times = process.cpu_times()
                found["ended"] = float(times.children_user + times.children_system)
    return found


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def phase_of(
    has_job: bool, server: LiveServer, path: Path, visitors: list[Visitor], page: Page, count: int, turn: int
) -> Phase:
    """Have everybody edit at once."""
    phase = Phase(has_job)
    with job(path, phase), ThreadPoolExecutor(len(visitors)) as threads:
        before, started = processor_seconds(server), time.monotonic()
        rhythms = [random.Random(f"{turn} {number}") for number in range(len(visitors))]
        editing = [
            threads.submit(edit, visitor, phase, count, rhythm)
            for visitor, rhythm in zip(visitors, rhythms, strict=True)
        ]
        browse(page, phase, count, "ArrowLeft" if turn % 2 else "ArrowRight")
        for session in editing:
            session.result()
        machine_seconds = (time.monotonic() - started) * (psutil.cpu_count() or 1)
        after = processor_seconds(server)
    phase.shares = {kind: (used - before.get(kind, 0.0)) / machine_seconds for kind, used in after.items()}
    return phase


def measured(server: LiveServer, path: Path, options: argparse.Namespace) -> list[Phase]:
    """Phases without and with the job, in turn, after a warm-up."""
    with contextlib.ExitStack() as stack:
        visitors = []
        for number in range(options.sessions):
            visitor = stack.enter_context(visit(server.url, query_of(path, number + 1)))
            visitor.run(OPEN, trigger_value=True)
            visitor.until_run()
            visitors.append(visitor)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=list(chromium.FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        opened(page, f"{server.url}/?{query_of(path, 0)}")
        page.evaluate(WATCH)
        phase_of(False, server, path, visitors, page, 4, -1)
        found = []
        for turn in range(2 * options.turns):
            found.append(phase_of(turn % 2 == 1, server, path, visitors, page, options.changes, turn))
        browser.close()
    return found


def main() -> None:
    """Measure, and print both kinds of phases and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32768, help="side of the synthetic image, in px")
    parser.add_argument("--sessions", type=int, default=5, help="sessions without a browser")
    parser.add_argument("--changes", type=int, default=15, help="changes in each session and phase")
    parser.add_argument("--turns", type=int, default=2, help="phases of each kind")
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench"), help="where the image is kept")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = (options.folder / f"tissue-{options.side}.tif").resolve()
    if not path.exists():
        print(f"making {path.name} ...", flush=True)
        synthetic.make("tissue", options.side, path)
    load = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, live_server(Path(folder), AUGVIZ_FOLDERS=str(path.parent)) as server:
        phases = measured(server, path, options)
    print(f"{path.stem}: {options.sessions} sessions and a browser, a change every {EVERY_SECONDS} s in each")
    both = [[phase for phase in phases if phase.has_job is has_job] for has_job in (False, True)]
    for name, of_kind in zip(("no job", "a measuring job"), both, strict=True):
        print(text(f"{name}: change to quick picture", [value for phase in of_kind for value in phase.quick]))
        print(text(f"{name}: change to fine picture", [value for phase in of_kind for value in phase.fine]))
        print(text(f"{name}: change to quick picture in the browser", [v for phase in of_kind for v in phase.browser]))
        for phase in of_kind:
            shares = ", ".join(f"{kind} {share:.0%}" for kind, share in sorted(phase.shares.items()))
            print(f"    processor: {shares}; median {statistics.median(phase.quick):.0f} ms")
    alone, beside = ([value for phase in of_kind for value in phase.quick] for of_kind in both)
    print(
        f"with the job the quick picture takes {statistics.median(beside) / statistics.median(alone):.2f} times as long at "
        f"the median and {p95(beside) / p95(alone):.2f} times at the 95th percentile"
    )
    print(f"load before {load:.1f}, after {psutil.getloadavg()[0]:.1f}, {psutil.cpu_count()} cores")


if __name__ == "__main__":
    main()
