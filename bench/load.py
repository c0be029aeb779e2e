"""`make load`: many visitors at once for some minutes, with uploads, jobs, hostile files and draws that end a worker.

The sessions are real ones without browsers (`bench.visitor`), since browsers run on the visitors' machines, and one in a real
browser among them. They edit every three seconds, and some do something else in between. The exit status tells whether all
targets were met. It ends by itself, ends its server by its process id, and asks nothing of any other machine.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from augviz import synthetic
from bench.beside_a_job import OPEN, processor_seconds
from bench.latency import AT_REST, SHOWN_KEY, SLIDER, WATCH, opened
from bench.load_report import Found, Outcome, at_rest, crashes_of, left_behind, report
from bench.load_session import EVERY_SECONDS, ROLES, Session, query_of, session_of
from bench.visitor import visit
from tests import chromium
from tests.live import LiveServer, live_server

GRACE_SECONDS = 4
"""How long the server keeps files of visitors who have gone: short, to see that they do go."""

GONE_SECONDS = 60.0
WARM_SECONDS = 90.0
WARM_SHARE = 0.3
"""The warm-up takes the former, or this share of a short test."""


@contextlib.contextmanager
def sessions(server: LiveServer, path: Path, count: int, found: Found) -> Iterator[list[Session]]:
    """Visitors who have opened the page, and the card of the parameter that they will change."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(count):
            role = ROLES[number % len(ROLES)]
            visitor = stack.enter_context(visit(server.url, query_of(path, role, number)))
            visitor.act(OPEN, trigger_value=True)
            made.append(session_of(role, visitor, found, number))
        yield made


@contextlib.contextmanager
def browser_page(server: LiveServer, path: Path, found: Found) -> Iterator[Page]:
    """The same in a real browser; what its console tells of is noted as wrong."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=list(chromium.FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: found.wrong(f"the browser's console: {error}"))
        opened(page, f"{server.url}/?{query_of(path, 'edit', 1000)}")
        page.evaluate(WATCH)
        yield page
        browser.close()


def browse(page: Page, found: Found, until: float) -> None:
    """Edit in the browser until a monotonic time, from the key press to the picture on the screen."""
    slider, turn = page.locator(SLIDER).first, 0
    with found.telling("the session in the browser"):
        while time.monotonic() < until:
            due = time.monotonic() + EVERY_SECONDS
            if turn % 15 == 0:  # so that no pair of draw and value comes twice
                new_draw(page)
            slider.focus()
            page.keyboard.press("ArrowRight" if turn % 30 < 15 else "ArrowLeft")
            found.took("browser", shown(page))
            page.wait_for_selector(AT_REST, timeout=60_000)
            page.wait_for_timeout(max(0.0, due - time.monotonic()) * 1000)
            turn += 1


def new_draw(page: Page) -> None:
    """Have another draw made, and wait until its picture is there and the page is at rest."""
    before = page.evaluate(SHOWN_KEY)
    page.locator(".st-key-explore-new_draws button").first.click()
    end = time.monotonic() + 60
    while page.evaluate(SHOWN_KEY) == before:
        if time.monotonic() > end:
            raise TimeoutError("no other draw has come within a minute")
        page.wait_for_timeout(50)
    page.wait_for_selector(AT_REST, timeout=60_000)


def shown(page: Page) -> float:
    """Milliseconds until the next picture was on the screen. The page's own rules let nobody wait for an expression there."""
    end = time.monotonic() + 60
    while True:
        times = page.evaluate("window.times")
        if (found := times.get("quick") or times.get("fine")) is not None:
            return float(found)
        if time.monotonic() > end:
            raise TimeoutError("no picture has come within a minute")
        page.wait_for_timeout(20)


def lived(everybody: list[Session], page: Page | None, found: Found, seconds: float) -> None:
    """Have everybody take part at once; returns when the last one has finished what they were doing."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(len(everybody)) as threads:
        living = [threads.submit(session.live, until) for session in everybody]
        if page is not None:
            browse(page, found, until)
        for one in living:
            one.result()


def loaded(folder: Path, path: Path, options: argparse.Namespace) -> tuple[Outcome, int]:
    """The whole test, and how many sessions end workers."""
    found, seconds = Found(), options.minutes * 60
    has_browser = options.browser == "yes"
    settings = {"AUGVIZ_GUARD": "0", "AUGVIZ_UPLOAD_GRACE_SECONDS": str(GRACE_SECONDS), "AUGVIZ_LOG_FORMAT": "json"}
    (folder / "tmp").mkdir()
    with live_server(folder, AUGVIZ_FOLDERS=str(path.parent), TMPDIR=str(folder / "tmp"), **settings) as server:
        with (
            sessions(server, path, options.sessions - has_browser, found) as everybody,
            contextlib.ExitStack() as stack,
        ):
            page = stack.enter_context(browser_page(server, path, found)) if has_browser else None
            print("warming up ...", flush=True)
            lived(everybody, page, found, min(WARM_SECONDS, WARM_SHARE * seconds))
            warm = at_rest(server.pid)
            found.begin()
            print("loading ...", flush=True)
            before, started = processor_seconds(server), time.monotonic()
            lived(everybody, page, found, seconds)
            machine = (time.monotonic() - started) * (psutil.cpu_count() or 1)
            shares = {kind: (s - before.get(kind, 0.0)) / machine for kind, s in processor_seconds(server).items()}
            end = at_rest(server.pid)
        left, gone = left_behind(folder, GONE_SECONDS), at_rest(server.pid)
        processes = psutil.Process(server.pid).children(recursive=True)
    _, outlived = psutil.wait_procs(processes, timeout=15)
    left += [str(one.relative_to(folder)) for one in (folder / "cache" / "uploads").rglob("*")]
    crashed, log = crashes_of(server.log), server.log.read_text(encoding="utf-8", errors="replace")
    if options.log:
        options.log.write_text(log, encoding="utf-8")
    killers = sum(session.role == "kill" for session in everybody)
    has_traceback = "Traceback" in log or "incident" in log
    return Outcome(found, warm, end, gone, tuple(left), len(outlived), crashed, has_traceback, shares), killers


def main(arguments: list[str] | None = None) -> int:
    """Load a server of its own; 0 where all targets were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20, help="sessions in all, the browser among them")
    parser.add_argument("--minutes", type=float, default=10, help="of the load, after the warm-up")
    parser.add_argument("--side", type=int, default=4096, help="side of the synthetic image, in px")
    parser.add_argument("--browser", choices=("yes", "no"), default="yes", help="whether one session is a real browser")
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench"), help="where the image is kept")
    parser.add_argument("--log", type=Path, help="where the server's log shall be written")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    path = (options.folder / f"tissue-{options.side}.tif").resolve()
    if not path.exists():
        synthetic.make("tissue", options.side, path)
    load = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        outcome, killers = loaded(Path(folder), path, options)
    print(f"{options.sessions} sessions for {options.minutes:g} min, a change every {EVERY_SECONDS:g} s, {path.stem}")
    is_met = report(outcome, killers)
    print(f"\nload before {load:.1f}, after {psutil.getloadavg()[0]:.1f}, {psutil.cpu_count()} cores")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
