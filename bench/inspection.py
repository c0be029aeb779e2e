"""Part of `make bench`: windows at 1:1 out of large pyramids, and a viewport of tiles after a change, by HTTP and in a browser.

RandomBrightnessContrast, Affine, GaussianBlur and Normalize on pyramids of 16384 and 65536 pixels a side, made in a moment of
a few tiles of a photograph: what a window costs depends on its own pixels.
"""

from __future__ import annotations

import argparse
import functools
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pyvips
from playwright.sync_api import sync_playwright

from augviz import link, saved
from augviz.answers import Answers
from augviz.recipes import recipe_of, register
from augviz.sources import SourceRef
from augviz.tile_routes import routes
from augviz.workers import Pool
from bench.latency import Figure
from tests import chromium, samples, shared_tiles
from tests.live import fetch, live_server, serving

SIDES = (16384, 65536)
WINDOW = 512
VIEWPORT = (6, 4)
SCREEN = {"width": 1660, "height": 1180}
"""The browser's window in which Inspect shows so many tiles."""

BROWSER_CONNECTIONS = 6
"""Requests that a browser has under way at once to one host."""


def pipeline(brightness: float = 0.2) -> dict[str, object]:
    """The four steps; `brightness` is the parameter that is changed."""
    args = {"brightness_limit": [brightness, brightness]}
    return {
        "format": 1,
        "steps": [
            {"id": "b", "transform": "RandomBrightnessContrast", "p": 1.0, "args": args},
            {"id": "a", "transform": "Affine", "p": 1.0, "args": {"rotate": [-20, 20], "scale": [0.9, 1.1]}},
            {"id": "g", "transform": "GaussianBlur", "p": 1.0, "args": {"sigma_limit": [1.0, 3.0]}},
            {"id": "n", "transform": "Normalize", "p": 1.0, "args": {"mean": [0.5] * 3, "std": [0.2] * 3}},
        ],
    }


def pyramid(folder: Path, side: int) -> Path:
    """A pyramid whose tiles are sixteen of a photograph, in turn."""
    pixels = pyvips.Image.new_from_file(samples.path()).extract_band(0, n=3).resize(2).numpy()
    parts = [
        np.ascontiguousarray(pixels[y : y + 256, x : x + 256]) for y in range(0, 1024, 256) for x in range(0, 1024, 256)
    ]
    content = functools.partial(lambda level, at: parts[(5 * at[0] + 3 * at[1] + level) % 16])
    return shared_tiles.write(folder / f"photo-{side}.tif", side, content, microns=0.25)


def windows(path: Path, count: int) -> None:
    """Milliseconds of windows at random places and the memory that they take more; run in a process of its own."""
    from augviz import asked, tiles

    args = {"path": str(path), "input": {}, "pipeline": pipeline(), "seed": 3}
    shape, base = asked.source_of(args)
    fed = asked.fed_of(args)
    drawn = asked.drawn_for(shape, args)
    places = random.Random(1)
    milliseconds = []
    process = psutil.Process()
    before = 0
    for number in range(count + 1):
        x, y = (places.randrange(side - WINDOW) for side in (drawn.draw.result.width, drawn.draw.result.height))
        started = time.perf_counter()
        tiles.full_size(base, drawn, drawn.firings, fed).crop(x, y, WINDOW, WINDOW).copy_memory()
        if number == 0:  # the first loads libvips' code
            before = process.memory_info().rss
            continue
        milliseconds.append((time.perf_counter() - started) * 1000)
    more = (process.memory_info().rss - before) / 1e6
    print(Figure(f"{shape.width} px: a {WINDOW} x {WINDOW} window at 1:1, in full", tuple(milliseconds)).text())
    print(f"{shape.width} px: memory after {count} windows at other places: {more:+.0f} MB", flush=True)


def viewports(path: Path, count: int) -> Figure:
    """Milliseconds until all tiles of a viewport have come over HTTP, each time for a new value of a parameter."""
    pool = Pool(render_workers=2, seconds=60)
    answers = Answers(pool)
    side = int(path.stem.rsplit("-", 1)[1])
    first = side // 256 // 2
    milliseconds = []
    with serving(routes(answers=lambda: answers)) as url, ThreadPoolExecutor(BROWSER_CONNECTIONS) as browser:
        for number in range(count + 2):
            key = register(recipe_of(path, pipeline(0.2 + number / 1000), 3))
            addresses = [
                f"{url}/augviz/tile/{key}/0/{first + column}/{first + row}"
                for row in range(VIEWPORT[1])
                for column in range(VIEWPORT[0])
            ]
            started = time.perf_counter()
            replies = list(browser.map(fetch, addresses))
            if number >= 2:  # both workers are awake
                milliseconds.append((time.perf_counter() - started) * 1000)
            assert all(reply.status == 200 for reply in replies)
    pool.close()
    return Figure(f"{side} px: {VIEWPORT[0] * VIEWPORT[1]} tiles after a change, over HTTP", tuple(milliseconds))


READY = """() => {
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
  const seen = host && host.shadowRoot.querySelector('.inspector');
  return seen && seen.getAttribute('aria-busy') === 'false' && seen.dataset.key && seen.dataset.shownKey === seen.dataset.key;
}"""

WATCH = """() => {
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
  const seen = host.shadowRoot.querySelector('.inspector');
  window.times = {};
  document.addEventListener('click', () => { window.times = { key: seen.dataset.shownKey, start: performance.now() }; }, true);
  new MutationObserver(() => {
    const t = window.times, { key, shownKey } = seen.dataset;
    if (!t.start || t.asked || !shownKey || shownKey !== key || key === t.key) return;
    t.asked = true;
    requestAnimationFrame(() => { t.shown = performance.now() - t.start; });
  }).observe(seen, { attributes: true });
}"""
"""Counts from the click to the first frame with all tiles of the new draw in it."""

CORNER = """([width, height]) => {
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
  const box = host.shadowRoot.querySelector('.map.main').getBoundingClientRect();
  const middle = (side, shown) => Math.floor(side / 512) * 256 + Math.floor(shown / 2);
  return [middle(width, box.width), middle(height, box.height)];
}"""
"""The place whose view begins with whole tiles."""

IN_VIEW = """() => {
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
  const map = host.shadowRoot.querySelector('.map.main'), box = map.getBoundingClientRect();
  return [...map.querySelectorAll('img.leaflet-tile-loaded')].filter(tile => {
    const own = tile.getBoundingClientRect();
    return own.right > box.left + 1 && own.left < box.right - 1 && own.bottom > box.top + 1 && own.top < box.bottom - 1;
  }).length;
}"""


def on_screen(path: Path, count: int) -> Figure:
    """Milliseconds in a real browser from a click on New draw, Inspect's way to new values, until all tiles in view are shown."""
    side = int(path.stem.rsplit("-", 1)[1])
    milliseconds = []
    with (
        tempfile.TemporaryDirectory() as folder,
        live_server(Path(folder), AUGVIZ_FOLDERS=str(path.parent)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=list(chromium.FLAGS))
        page = browser.new_page(viewport=SCREEN, bypass_csp=True)  # type: ignore[arg-type]
        page.set_default_timeout(120_000)
        state = link.encode(SourceRef("path", path.name), saved.load(pipeline()), 0)
        page.goto(f"{server.url}/inspect?s={state}")
        page.wait_for_function(READY)
        viewer = page.locator(".inspector")
        for name, place in zip("xy", page.evaluate(CORNER, [side, side]), strict=True):
            viewer.locator(f".goto [name={name}]").fill(str(place))
        viewer.get_by_role("button", name="Go", exact=True).click()
        page.wait_for_function(READY)
        tiles = page.evaluate(IN_VIEW)
        page.evaluate(WATCH)
        for number in range(count + 2):
            page.locator(".st-key-inspect-new_draw button").click()
            page.wait_for_function("window.times.shown > 0")
            if number >= 2:  # both workers are awake
                milliseconds.append(page.evaluate("window.times.shown"))
        browser.close()
    return Figure(f"{side} px: {tiles} tiles after a change, on the screen", tuple(milliseconds))


def main() -> None:
    """Measure both pyramids."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--viewports", type=int, default=15)
    parser.add_argument("--of", type=Path, help="measure the windows of this file only, in this process")
    options = parser.parse_args()
    if options.of:
        windows(options.of, options.windows)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = [pyramid(Path(folder), side) for side in SIDES]
        for path in paths:
            command = [sys.executable, "-m", "bench.inspection", "--of", str(path), "--windows", str(options.windows)]
            subprocess.run(command, check=True)
        for path in paths:
            print(viewports(path, options.viewports).text(), flush=True)
        for path in paths:
            print(on_screen(path, options.viewports).text(), flush=True)
    versions = ".".join(str(pyvips.version(part)) for part in range(3))
    print(f"libvips {versions}, {psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
