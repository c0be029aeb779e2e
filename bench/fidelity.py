"""`make fidelity`: how true previews are, on real photographs, as a table in decibels."""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
from pathlib import Path

import pyvips

from augviz import engine, fidelity, sources
from augviz.fidelity import Row
from augviz.model import Pipeline, Step

SCALES = (4.0, 16.0)
NAMES = ("astronaut", "ihc", "coffee", "retina", "hubble_deep_field", "chelsea", "rocket")


def photographs() -> list[Path]:
    """The built-in samples that are photographs in colour, of at least 512 pixels a side."""
    found = [Path(sample.path) for sample in sources.samples() if sample.name in NAMES]
    sizes = {path: pyvips.Image.new_from_file(str(path)) for path in found}
    return [path for path, image in sizes.items() if min(image.width, image.height) >= 512 and image.bands >= 3]


def _decibels(value: float | None) -> str:
    return "  -  " if value is None else "exact" if value == fidelity.EXACT_DB else f"{value:5.1f}"


def _print(rows: list[Row]) -> None:
    by_label: dict[str, list[Row]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    for label, each in by_label.items():
        cells = "  |".join(f" {_decibels(r.naive)}  {_decibels(r.quick)}  {_decibels(r.fine)}" for r in each)
        print(f"{label[:78]:78} |{cells}", flush=True)


def main() -> None:
    """Measure every transform, then generated pipelines, and print where a label would claim too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096, help="side of the mosaic of photographs, in pixels")
    parser.add_argument("--pipelines", type=int, default=50, help="generated pipelines of 3 to 5 steps")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    image = fidelity.mosaic(photographs(), options.side)
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("albumentationsxl", "pyvips", "numpy"))
    print(
        f"PSNR in dB against the shrunk full-size result; {options.side} px of photographs; {versions}, "
        f"libvips {'.'.join(str(pyvips.version(i)) for i in range(3))}"
    )
    heads = "  |".join(f" s={s:<4g} naive quick fine" for s in SCALES)
    print(f"{'':78} |{heads}")
    alone: list[Row] = []
    for label, step in fidelity.cases(engine.header(image)):
        pipeline = Pipeline((Step(step.id, step.transform, step.args, 1.0),))
        rows = fidelity.measure(image, pipeline, options.seed, SCALES, label)
        _print(rows)
        if step.transform in fidelity.deterministic():
            alone += rows
    print()
    chains: list[Row] = []
    for label, pipeline in fidelity.generated(options.pipelines, engine.header(image), options.seed):
        rows = fidelity.measure(image, pipeline, options.seed, SCALES, label)
        _print(rows)
        chains += rows
    for name, rows in (("deterministic transforms", alone), ("generated pipelines", chains)):
        at_16 = [row for row in rows if row.s == SCALES[-1]]
        below = [row.label for row in at_16 if row.fine < fidelity.LIMIT_DB]
        print(
            f"\n{name}, s = {SCALES[-1]:g}, fine: least {min(r.fine for r in at_16):.1f} dB, "
            f"median {statistics.median(r.fine for r in at_16):.1f} dB; quick: median "
            f"{statistics.median(r.quick for r in at_16):.1f} dB; below {fidelity.LIMIT_DB:g} dB: {', '.join(below) or 'none'}"
        )


if __name__ == "__main__":
    main()
