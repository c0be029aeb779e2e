"""How much longer each transform takes on float32 than on uint8: the source of `FLOAT_RATIOS` in `augviz/advice/ratios.py`.

python -m bench.float_cost
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import random
import statistics
import time
from pathlib import Path

import pyvips

from augviz import catalog, engine, fidelity, sources
from augviz.errors import StepError
from augviz.library import LOCK, A, quiet
from augviz.model import Header, ImageFacts, Step

LEFT_OUT = ("Lambda", "Normalize", "RandomRotate90", "ToDtype", "ToTensor")
"""What cannot be constructed, raises in a quarter of the draws, or makes the format itself."""


def _facts(side: int) -> ImageFacts:
    shape = Header(side, side, 3, "uchar", "srgb")
    return ImageFacts("bench", "", shape, 1, 1, ((side, side),), 1, None, True, None, None, 0, "pngload")


def _cpu_ms(image: pyvips.Image, step: Step, seed: int) -> float:
    """CPU milliseconds of all threads for streaming one result to the null device; the call itself is not counted."""
    with LOCK, quiet():
        random.seed(seed)  # the same kernel for both formats
        result = engine.build_step(step, 1)(image=image)["image"]
    started = time.process_time()
    result.rawsave(os.devnull)
    return (time.process_time() - started) * 1000


def measure(name: str, side: int, repeats: int) -> tuple[float, float] | None:
    """Median CPU milliseconds per megapixel on uint8 and on float32, in turns; None where the transform raises.

    Args:
        side: of the square image of photographs, in pixels.
    """
    paths = [Path(sample.path) for sample in sources.samples() if sample.name in ("astronaut", "ihc", "retina")]
    of_bytes = fidelity.mosaic(paths, side)
    of_floats = A.ToDtype("float", True)(image=of_bytes)["image"].copy_memory()
    start = catalog.initial_step(name, "a", _facts(side))
    step = Step("a", name, start.args, 1.0)
    times: tuple[list[float], list[float]] = ([], [])
    try:
        for seed in range(repeats + 1):  # the first is a warm-up
            for image, each in zip((of_bytes, of_floats), times, strict=True):
                each.append(_cpu_ms(image, step, seed))
    except (StepError, pyvips.Error):
        return None
    on_bytes, on_floats = (statistics.median(each[1:]) / (side * side / 1e6) for each in times)
    return on_bytes, on_floats


def main() -> None:
    """Print a row for each transform."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048, help="side of the image, in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    pyvips.cache_set_max(0)
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("albumentationsxl", "pyvips"))
    libvips = ".".join(str(pyvips.version(i)) for i in range(3))
    print(f"CPU ms per megapixel, {options.side} px of photographs; {versions}, libvips {libvips}")
    print(f"{'transform':26} {'uint8':>8} {'float32':>8} {'ratio':>6}")
    for name in catalog.TRANSFORMS:
        if name in LEFT_OUT:
            continue
        side = options.side if (catalog.transform(name).cost_ms_per_megapixel or 0) < 500 else options.side // 4
        found = measure(name, side, options.repeats)
        if found is None:
            print(f"{name:26} raises")
            continue
        print(f"{name:26} {found[0]:8.2f} {found[1]:8.2f} {found[1] / found[0]:6.2f}", flush=True)


if __name__ == "__main__":
    main()
