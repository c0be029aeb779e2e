"""`make memory`: what `augviz.memory` computes against real DataLoaders in fresh processes, cell by cell.

Measured is what the process and its workers have in memory together (`augviz.family`), over the process after its imports:
their proportional set size with shared segments counted whole. What PSS alone says stands beside it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyvips

from augviz import family, memory
from augviz.family import Share
from augviz.memory import GB, Plan

ROOT = Path(__file__).parent.parent
SAMPLE_SECONDS = 0.02
TOLERANCE_SHARE, TOLERANCE_BYTES = 0.10, 20_000_000
MOST_BYTES = 15 * 10**9
"""No run is started that is computed to need more."""

SHARE_OF_AVAILABLE = 0.8


def is_within(computed: int, measured: float) -> bool:
    """Whether a figure is as near as promised: a tenth of what was measured, or 20 MB."""
    return abs(computed - measured) <= max(TOLERANCE_SHARE * measured, TOLERANCE_BYTES)


# Runs


def source(folder: Path, side: int) -> Path:
    """A tiled TIFF of noise, `side` pixels square, made once."""
    path = folder / f"noise_{side}.tif"
    if not path.exists():
        band = pyvips.Image.gaussnoise(side, side, mean=128, sigma=40, seed=side).cast("uchar")
        image = band.bandjoin([band.rot90(), band.rot180()]).copy(interpretation="srgb")
        image.tiffsave(str(path), tile=True, tile_width=256, tile_height=256)
    return path


def run(plan: Plan, path: Path, by_chance: bool = False) -> Share:
    """Load by `plan` in a fresh process and watch it from outside; the most that it took over its baseline.

    Args:
        by_chance: leave it to chance when workers end a batch; else they do so at once.
    """
    spec = {
        "path": str(path),
        "dtype": plan.dtype,
        "batch": plan.batch,
        "workers": plan.workers,
        "prefetch": plan.prefetch,
        "batches": plan.workers * (plan.prefetch + 2) or 3,
        "by_chance": by_chance,
        "start": plan.start,
    }
    command = [sys.executable, "-m", "bench.loading", json.dumps(spec)]
    environment = {**os.environ, "VIPS_CONCURRENCY": str(plan.threads)}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the process could not be started")
            time.sleep(0.3)
            base = family.share(process.pid)
            said: list[str] = []
            answers = process.stdout
            listener = threading.Thread(target=lambda: said.append(answers.readline().strip()))
            listener.start()
            process.stdin.write("load\n")
            process.stdin.flush()
            total, pss = base.total, base.total
            while listener.is_alive():
                started = time.perf_counter()
                now = family.share(process.pid)
                total, pss = max(total, now.total), max(pss, now.pss)
                time.sleep(
                    max(SAMPLE_SECONDS, time.perf_counter() - started)
                )  # reading gigabytes of pages takes a while
        except BaseException:
            process.kill()  # its workers end by themselves when it is gone
            raise
    if said != ["done"]:
        raise RuntimeError(f"the process ended with status {process.returncode}")
    return Share(total - base.total, pss - base.total)


def why_not(plan: Plan) -> str:
    """Why a run is left out; empty if it can be made."""
    needed = memory.host_bytes(plan)
    if needed > MOST_BYTES:
        return f"left out, it needs {GB.text(needed)} and the limit is {GB.text(MOST_BYTES)}"
    free = min(psutil.virtual_memory().available, psutil.disk_usage("/dev/shm").free if plan.workers else sys.maxsize)
    if needed > SHARE_OF_AVAILABLE * free:
        return f"left out, it needs {GB.text(needed)} and {GB.text(free)} are free"
    return ""


def plans(options: argparse.Namespace) -> Iterator[Plan]:
    """The cells of the table."""
    for side, dtype in itertools.product(options.sides, options.dtypes):
        for workers, batch in itertools.product(options.workers, options.batches):
            yield Plan(side, side, 3, dtype, batch, workers, start=options.start, threads=options.threads)


def main() -> None:
    """Measure every cell and print computed, measured, and how far they are apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[2048, 4096, 8192])
    parser.add_argument("--dtypes", nargs="+", default=["uint8", "float32"], choices=("uint8", "float32"))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--start", default="fork", choices=("fork", "spawn"), help="how workers are started")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="threads of libvips in each process")
    parser.add_argument("--by-chance", action="store_true", help="leave it to chance when workers end a batch")
    options = parser.parse_args()
    print(
        f"{'side':>5} {'dtype':8} {'workers':>7} {'batch':>5}  {'computed':>9}  {'measured (spread)':>26}  error  PSS alone"
    )
    near = far = left_out = 0
    with tempfile.TemporaryDirectory() as folder:
        for plan in plans(options):
            cell = f"{plan.width:5} {plan.dtype:8} {plan.workers:7} {plan.batch:5}"
            if reason := why_not(plan):
                left_out += 1
                print(f"{cell}  {reason}", flush=True)
                continue
            peaks = [run(plan, source(Path(folder), plan.width), options.by_chance) for _ in range(options.repeats)]
            totals = [peak.total for peak in peaks]
            computed, measured = memory.host_bytes(plan), statistics.median(totals)
            good = is_within(computed, measured)
            near, far = near + good, far + (not good)
            spread = f"({min(totals) / 1e6:.0f} to {max(totals) / 1e6:.0f})"
            print(
                f"{cell}  {computed / 1e6:6.0f} MB  {measured / 1e6:6.0f} MB {spread:>16}  "
                f"{100 * (computed - measured) / measured:+4.0f} %  {statistics.median(p.pss for p in peaks) / 1e6:.0f} MB"
                f"{'' if good else '  TOO FAR'}",
                flush=True,
            )
    print(
        f"{near} of {near + far} cells are within 10 % or 20 MB of what was measured; {left_out} left out. "
        f"Median of {options.repeats} runs each."
    )


if __name__ == "__main__":
    main()
