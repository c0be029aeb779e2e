"""`make bench`: from a change of a parameter to the picture on the screen, in a real browser; and the processes' memory.

Five steps at 1024 px (HorizontalFlip, RandomBrightnessContrast, HueSaturationValue, HEDShift, GaussianBlur), every value
new, so that nothing comes from a cache. Beside it, what a user would do otherwise: open the whole image, run the library on
it and shrink the result.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyvips
from playwright.sync_api import Page, sync_playwright

from augviz import engine, link, saved, synthetic, view
from augviz.images import open_image, tile_cached
from augviz.sources import SourceRef
from tests import chromium
from tests.live import LiveServer, live_server

STEPS = [
    {"id": "flip", "transform": "HorizontalFlip", "p": 1.0},
    {"id": "light", "transform": "RandomBrightnessContrast", "p": 1.0},
    {"id": "hue", "transform": "HueSaturationValue", "p": 1.0},
    {"id": "stain", "transform": "HEDShift", "p": 1.0},
    {"id": "blur", "transform": "GaussianBlur", "p": 1.0, "args": {"sigma_limit": [1.0, 3.0]}},
]
PIPELINE = json.dumps({"format": 1, "steps": STEPS})
SLIDER = ".st-key-explore-step-light-brightness_limit input[type=range]"
AT_REST = '.viewer[aria-busy="false"][data-quality="fine"]'

_VIEWER = """
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.viewer'));
  const viewer = host.shadowRoot.querySelector('.viewer');
"""

SHOWN_KEY = f"() => {{ {_VIEWER} return viewer.dataset.shownKey; }}"
"""The key of the picture that is on the screen."""

WATCH = (
    f"() => {{ {_VIEWER}"
    + """
  window.times = {};
  document.addEventListener('keydown', () => {
    window.times = { key: viewer.dataset.shownKey, start: performance.now() };
  }, true);
  new MutationObserver(() => {
    const t = window.times, quality = viewer.dataset.quality;
    if (!t.start || viewer.dataset.shownKey === t.key || t[quality] !== undefined) return;
    t[quality] = null;
    requestAnimationFrame(() => { t[quality] = performance.now() - t.start; });
  }).observe(viewer, { attributes: true });
}"""
)
"""Counts from the key press to the first frame that the browser draws with the new picture in it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Repeated values of one thing, in `unit`."""

    name: str
    values: tuple[float, ...]
    unit: str = "ms"

    def text(self) -> str:
        """Median, quartiles and extremes."""
        ordered = sorted(self.values)
        low, middle, high = statistics.quantiles(ordered, n=4) if len(ordered) > 1 else (ordered[0],) * 3
        return (
            f"{self.name:58} {middle:8.0f} {self.unit}   ({low:.0f} to {high:.0f} in the middle half, "
            f"{ordered[0]:.0f} to {ordered[-1]:.0f} in all, {len(ordered)} times)"
        )

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def query_of(path: Path, seed: int) -> str:
    """What opens the image and the pipeline in Explore, after the "?" of the address."""
    return f"s={link.encode(SourceRef('path', path.name), saved.loads(PIPELINE), seed)}"


def opened(page: Page, address: str) -> None:
    """Go to Explore and open the card with the slider."""
    page.goto(address)
    page.locator(".st-key-explore-step-light-open button").click(timeout=120_000)
    page.wait_for_selector(SLIDER, state="attached", timeout=60_000)
    page.wait_for_selector(AT_REST, timeout=120_000)


def changes(page: Page, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the quick and to the fine picture, for `count` presses of an arrow key on a slider."""
    page.evaluate(WATCH)
    quick, fine = [], []
    slider = page.locator(SLIDER).first
    for number in range(count):
        slider.focus()
        page.keyboard.press("ArrowRight" if number % 30 < 15 else "ArrowLeft")
        page.wait_for_function("window.times.fine > 0", timeout=60_000)
        times = page.evaluate("window.times")
        quick.append(times.get("quick") or times["fine"])
        fine.append(times["fine"])
        # Another parameter moves as well, so that no pair of values comes twice.
        if number % 15 == 14:
            page.locator(".st-key-explore-new_draws button").first.click()
            page.wait_for_timeout(200)
        page.wait_for_selector(AT_REST)
    return quick, fine


def visited(address: str, page: Page) -> float:
    """Milliseconds from asking for the page to the first picture, on a server that has answered before."""
    started = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".viewer:is([data-quality=quick], [data-quality=fine])", timeout=120_000)
    return (time.perf_counter() - started) * 1000


def memory(server: LiveServer) -> tuple[float, list[float]]:
    """Peak resident megabytes of the server process and of its workers."""

    def peak(pid: int) -> float:
        status = Path(f"/proc/{pid}/status")
        if not status.exists():
            return psutil.Process(pid).memory_info().rss / 1e6  # no high-water mark on this system
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    children = psutil.Process(server.pid).children()
    return peak(server.pid), [peak(child.pid) for child in children if "augviz.worker" in " ".join(child.cmdline())]


def first_view(path: Path) -> float:
    """Milliseconds to the first quick view of a file by a fresh core: header, draw, base, pixels."""
    from augviz.context import Context
    from augviz.images import clear_caches
    from augviz.tasks import TASKS

    clear_caches()
    args = {
        "path": str(path),
        "input": {},
        "pipeline": json.loads(PIPELINE),
        "seed": 0,
        "side": 512,
        "quality": "quick",
    }
    started = time.perf_counter()
    TASKS["picture"](args, Context())
    return (time.perf_counter() - started) * 1000


def otherwise(path: Path) -> float:
    """Milliseconds of the plain way: the library on the whole image, its result shrunk."""
    started = time.perf_counter()
    image = engine.apply(open_image(path), saved.loads(PIPELINE), 0).image
    view.shrunk(tile_cached(image), 1024, 1024).copy_memory()
    return (time.perf_counter() - started) * 1000


def measured(path: Path, count: int) -> tuple[Figure, Figure]:
    """The figures for one image, printed as they come."""
    name = path.stem
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        live_server(Path(folder), AUGVIZ_FOLDERS=str(path.parent)) as server,
    ):
        address = f"{server.url}/?{query_of(path, 0)}"
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=list(chromium.FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        opened(page, address)
        changes(page, 5)  # warm-up
        quick, fine = changes(page, count)
        figures = (
            Figure(f"{name}: change to quick view (512 px)", tuple(quick)),
            Figure(f"{name}: change to fine view (1024 px)", tuple(fine)),
        )
        again = Figure(f"{name}: page asked for to first picture", tuple(visited(address, page) for _ in range(5)))
        server_mb, workers_mb = memory(server)
        browser.close()
    for figure in (
        *figures,
        again,
        Figure(f"{name}: first view of the file, core only", tuple(first_view(path) for _ in range(5))),
    ):
        print(figure.text(), flush=True)
    print(
        f"{name}: peak memory: server {server_mb:.0f} MB, workers {', '.join(f'{mb:.0f}' for mb in workers_mb)} MB",
        flush=True,
    )
    return figures


def main() -> None:
    """Measure a small and a large image and print how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[2048, 32768], help="sides of the synthetic images, in px"
    )
    parser.add_argument("--changes", type=int, default=30, help="changes of a parameter for each image")
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench"), help="where the images are kept")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for side in options.sides:
        path = (options.folder / f"tissue-{side}.tif").resolve()
        if not path.exists():
            print(f"making {path.name} ...", flush=True)
            synthetic.make("tissue", side, path)
        results[side] = measured(path, options.changes)
    small, large = min(options.sides), max(options.sides)
    for number, quality in enumerate(("quick", "fine")):
        ratio = results[large][number].median / results[small][number].median
        print(f"{quality}: {large} px takes {ratio:.2f} times as long as {small} px")
    path = (options.folder / f"tissue-{small}.tif").resolve()
    print(
        Figure(
            f"the whole of {small} px, shrunk afterwards (the plain way)",
            tuple(otherwise(path) for _ in range(5 if small <= 4096 else 1)),
        ).text()
    )
    print(f"libvips {'.'.join(str(pyvips.version(i)) for i in range(3))}, {psutil.cpu_count()} cores")


if __name__ == "__main__":
    main()
