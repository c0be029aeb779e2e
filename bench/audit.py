"""`make audit`: how long an audit of many small images takes, how it grows with their number, and whether memory stays flat.

The images are crops of the built-in samples, as large as Imagenette's and JPEG like them, written to a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyvips

from augviz import audit, audit_run, presets, sources
from augviz.audit_totals import Totals

WIDTH, HEIGHT, QUALITY = 400, 320, 87
"""Most images of imagenette2-320 are about so large, and take about 25 kB."""

COUNTS = (1000, 2500, 10_000)


def write_images(folder: Path, count: int) -> None:
    """`count` crops in ten folders, mirrored and shifted at random, so that no two are equal."""
    rng = random.Random(1)
    photographs = [pyvips.Image.new_from_file(str(sample.path)) for sample in sources.samples()]
    large = [photo.extract_band(0, n=3).copy_memory() for photo in photographs if photo.bands >= 3]
    large = [photo for photo in large if photo.width >= WIDTH + 8 and photo.height >= HEIGHT + 8] or large
    for number in range(count):
        photo = rng.choice(large)
        width, height = min(WIDTH, photo.width), min(HEIGHT, photo.height)
        x, y = rng.randint(0, photo.width - width), rng.randint(0, photo.height - height)
        place = folder / f"class{number % 10}"
        place.mkdir(exist_ok=True)
        part = photo.crop(x, y, width, height)
        part = part.fliphor() if rng.random() < 0.5 else part
        part.jpegsave(str(place / f"{number:06d}.jpg"), Q=QUALITY)


@dataclass(frozen=True, slots=True)
class Run:
    """One audit.

    Attributes:
        seconds, cpu_seconds: by the clock, and of all cores in this process and its workers without their start.
        early_bytes, late_bytes: resident memory of this process and its workers, after the first tenth and at the end.
    """

    images: int
    seconds: float
    cpu_seconds: float
    failed: int
    early_bytes: int
    late_bytes: int


def measure(folder: Path, count: int) -> Run:
    """Audit `count` images of the folder, with the tutorial's pipeline, one draw each."""
    plan = audit.plan(folder, presets.FIRST.pipeline, limit=count)
    totals, sizes, cpu = Totals(), list[int](), list[float]()

    def tell(done: int, total: int) -> None:
        if done in (total // 10, total):
            sizes.append(_resident_bytes())
            cpu.append(_cpu_seconds())

    with tempfile.TemporaryDirectory() as kept, audit_run.local(plan) as runner:
        started = time.perf_counter()
        audit_run.run(plan, runner, Path(kept) / "f.jsonl", totals, tell=tell, stop=threading.Event())
        seconds = time.perf_counter() - started
    return Run(count, seconds, (cpu[-1] - cpu[0]) / 0.9, totals.failed, sizes[0], sizes[-1])


def _resident_bytes() -> int:
    me = psutil.Process()
    return sum(process.memory_info().rss for process in (me, *me.children(recursive=True)))


def _cpu_seconds() -> float:
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="how many images, one audit each")
    counts = parser.parse_args(arguments).counts
    with tempfile.TemporaryDirectory() as place:
        write_images(Path(place), max(counts))
        print(
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {WIDTH} x {HEIGHT} JPEG, tutorial pipeline, 1 draw\n"
        )
        print("| images | time | per image | CPU per image | failed | memory after a tenth | memory at the end |")
        print("|---|---|---|---|---|---|---|")
        for count in counts:
            one = measure(Path(place), count)
            each, cpu = one.seconds / count * 1000, one.cpu_seconds / count * 1000
            times = f"{one.seconds:.1f} s | {each:.1f} ms | {cpu:.1f} ms"
            memory = f"{one.early_bytes / 1e6:.0f} MB | {one.late_bytes / 1e6:.0f} MB"
            print(f"| {count} | {times} | {one.failed} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
