"""`make estimates`: what `estimate` predicts beside what `profile` measures, at full size, pipeline by pipeline.

Every figure comes from a fresh process. Memory is over the process after its imports; an estimate counts as near if it is
within a tenth or 20 MB of what was measured, whichever is more.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augviz import estimates, fidelity, presets, profiles, saved, synthetic
from augviz.errors import AugvizError
from augviz.estimates import Estimate
from augviz.images import open_image
from augviz.jobs import start_job
from augviz.model import Header, Pipeline, Step
from augviz.profiles import Profile

SEED = 1
JOB_SECONDS = 900.0
TOLERANCE_SHARE, TOLERANCE_BYTES = 0.10, 20_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One pipeline on one image; `held` is None where the result was left out as too large."""

    estimate: Estimate
    streamed: Profile
    held: Profile | None

    @property
    def time_error(self) -> float:
        return self.estimate.error_share(self.streamed.wall.median)

    @property
    def is_in_band(self) -> bool:
        return self.estimate.seconds_low <= self.streamed.wall.median <= self.estimate.seconds_high

    def memory(self) -> Iterator[tuple[str, int, int]]:
        """(way, estimated, measured) in bytes."""
        for way, estimated, profile in (
            ("stream", self.estimate.stream_bytes, self.streamed),
            ("hold", self.estimate.hold_bytes, self.held),
        ):
            if profile is not None and profile.increase_bytes is not None:
                yield way, estimated, profile.increase_bytes


def is_near(estimated: int, measured: int) -> bool:
    """Whether an estimate of memory is as near as promised."""
    return abs(estimated - measured) <= max(TOLERANCE_SHARE * measured, TOLERANCE_BYTES)


def work(function: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Have a fresh process do it. Raises AugvizError."""
    return (
        start_job(function, request, seconds=JOB_SECONDS, memory_bytes=0, threads=profiles.THREADS, nice=0)
        .result()
        .value
    )


def measured(path: Path, pipeline: Pipeline, repeats: int, most_bytes: int) -> Cell:
    """Estimate first, then measure. Raises AugvizError."""
    request = {"path": str(path), "input": {}, "pipeline": saved.dump(pipeline), "seed": SEED}
    estimate = estimates.estimate_from_json(work("estimate", request))
    streamed = profiles.profile_from_json(work("measure", {**request, "way": "stream", "repeats": repeats}))
    held = None
    if estimate.hold_bytes <= most_bytes:
        held = profiles.profile_from_json(work("measure", {**request, "way": "hold", "repeats": 1}))
    return Cell(estimate, streamed, held)


WHOLE: Mapping[str, Mapping[str, Any]] = {
    "png": {"compression": 1},
    "jpg": {},
    "strips.tif": {"compression": "deflate"},
}
"""Endings of files that are decoded whole, with libvips' options of writing them."""

PYRAMID = "tif"


def source(folder: Path, side: int, ending: str = PYRAMID) -> Path:
    """A synthetic pyramid, or its pixels in a file that is decoded whole, made once."""
    path = folder / f"tissue_{side}.{PYRAMID}"
    if not path.exists():
        synthetic.make("tissue", side, path)
    if ending == PYRAMID:
        return path
    whole = folder / f"tissue_{side}.{ending}"
    if not whole.exists():
        open_image(str(path)).write_to_file(str(whole), **WHOLE[ending])
    return whole


def pipelines(count: int, side: int) -> Iterator[tuple[str, Pipeline]]:
    """The presets, then parts of the image and generated pipelines, with what to call them."""
    for preset in presets.PRESETS:
        yield preset.name, preset.pipeline
    for part in (512, side // 4, side // 2):
        yield f"CenterCrop {part}", Pipeline((Step("crop", "CenterCrop", (("height", part), ("width", part)), 1.0),))
    yield from fidelity.generated(count, Header(side, side, 3, "uchar", "srgb"), SEED)


def row(label: str, cell: Cell) -> str:
    """One line of the table."""
    found, wall = cell.estimate, cell.streamed.wall
    time = f"{wall.median:7.2f} s {found.seconds:7.2f} s {cell.time_error:+5.0%}"
    cells = [time + (" " if cell.is_in_band else "!")]
    for way, estimated, peak in cell.memory():
        near = " " if is_near(estimated, peak) else "!"
        cells.append(f"{way} {peak / 1e6:6.0f} MB {estimated / 1e6:6.0f} MB {estimated / max(peak, 1) - 1:+5.0%}{near}")
    return f"{label[:44]:44} | " + " | ".join(cells) + ("  unstable" if cell.streamed.is_unstable else "")


def summary(cells: list[Cell]) -> str:
    """The last lines."""
    errors = [abs(cell.time_error) for cell in cells]
    memory = [(estimated, peak) for cell in cells for _, estimated, peak in cell.memory()]
    shares = [abs(estimated / max(peak, 1) - 1) for estimated, peak in memory]
    near = sum(is_near(*each) for each in memory)
    return (
        f"time: median error {statistics.median(errors):.0%}, {sum(cell.is_in_band for cell in cells)} of {len(cells)} in "
        f"the band\nmemory: median error {statistics.median(shares):.0%}, {near} of {len(memory)} within 10 % or 20 MB"
    )


def main() -> None:
    """Measure presets and generated pipelines at each size, and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[8192, 16384])
    parser.add_argument(
        "--files", nargs="+", default=[PYRAMID, "png"], choices=[PYRAMID, *WHOLE], help="kinds of files"
    )
    parser.add_argument("--pipelines", type=int, default=10, help="generated pipelines of 3 to 5 steps")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--most-gb", type=float, default=8.0, help="results that need more are not held")
    parser.add_argument("--folder", type=Path, help="where the images are kept; else they are removed afterwards")
    options = parser.parse_args()
    print(
        f"measured, estimated, error; ! is outside; {os.cpu_count()} cores, {profiles.THREADS} threads, load {load()}"
    )
    every: list[Cell] = []
    with tempfile.TemporaryDirectory() as temporary:
        for side, ending in itertools.product(options.sides, options.files):
            path = source(options.folder or Path(temporary), side, ending)
            cells: list[Cell] = []
            for label, pipeline in pipelines(options.pipelines, side):
                try:
                    cells.append(measured(path, pipeline, options.repeats, int(options.most_gb * 1e9)))
                except AugvizError as error:
                    print(f"{label[:44]:44} | {error}", flush=True)
                    continue
                print(row(f"{side} {ending} {label}", cells[-1]), flush=True)
            print(summary(cells), flush=True)
            every += cells
    print(f"all:\n{summary(every)}\nload {load()}")


def load() -> str:
    """How many processes wanted a core, over the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
