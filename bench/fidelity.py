"""`make fidelity`: how true previews are, on real photographs, as a table in decibels."""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
from pathlib import Path

import pyvips

from augviz import engine, fidelity, sources
from augviz.fidelity import Likeness, Row
from augviz.model import QUALITIES, Pipeline, Step

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
    """One line for each label, the scales beside each other."""
    cells = "  |".join(f" {'  '.join(map(_decibels, (r.naive, r.quick, r.fine, r.precise)))}" for r in rows)
    print(f"{rows[0].label[:70]:70} |{cells}", flush=True)


def _print_likeness(found: list[Likeness]) -> None:
    cells = "  |".join(f" {'statistics off by':>12}  {r.fine:5.1%}  {r.precise:5.1%}" for r in found)
    print(f"{found[0].label[:70]:70} |{cells}", flush=True)


def _summary(name: str, rows: list[Row], limits: dict[str, float]) -> None:
    """The least and the median of each quality at the largest scale, and who falls below its limit."""
    print(f"\n{name}, s = {SCALES[-1]:g}")
    at = [row for row in rows if row.s == SCALES[-1]]
    for quality in QUALITIES:
        values = [row.of(quality) for row in at]
        line = f"  {quality:8} least {min(values):.1f} dB, median {statistics.median(values):.1f} dB"
        if quality in limits:
            below = [row.label for row in at if row.of(quality) < limits[quality]]
            line += f"; below {limits[quality]:g} dB: {', '.join(below) or 'none'}"
        print(line)


def _worst(rows: list[Row], count: int = 5) -> None:
    """The rows that come last in the finer qualities."""
    at = [row for row in rows if row.s == SCALES[-1]]
    for quality in QUALITIES[1:]:
        last = sorted(at, key=lambda row: row.of(quality))[:count]
        print(f"worst {quality}: {'; '.join(f'{row.label[:60]} {row.of(quality):.1f} dB' for row in last)}")


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
        f"PSNR in dB against the shrunk full-size result, of views worked as finely as one of {fidelity.VIEW_SIDE} px; "
        f"{options.side} px of photographs; {versions}, libvips {'.'.join(str(pyvips.version(i)) for i in range(3))}"
    )
    heads = "  |".join(f" s={s:<4g} naive  quick  fine precise" for s in SCALES)
    print(f"{'':70} |{heads}")
    alone: list[Row] = []
    unlike: list[Likeness] = []
    for label, step in fidelity.cases(engine.header(image)):
        pipeline = Pipeline((Step(step.id, step.transform, step.args, 1.0),))
        rows = fidelity.measure(image, pipeline, options.seed, SCALES, label)
        _print(rows)
        if step.transform in fidelity.deterministic():
            alone += rows
        else:
            unlike += fidelity.likeness(image, pipeline, options.seed, SCALES, label)
            _print_likeness(unlike[-len(SCALES) :])
    print()
    chains: list[Row] = []
    for label, pipeline in fidelity.generated(options.pipelines, engine.header(image), options.seed):
        rows = fidelity.measure(image, pipeline, options.seed, SCALES, label)
        _print(rows)
        chains += rows
    _summary("deterministic transforms", alone, fidelity.LEAST_DB)
    _worst(alone)
    _summary("generated pipelines", chains, dict.fromkeys(("fine", "precise"), fidelity.LIMIT_DB))
    _worst(chains)
    off = max(max(row.fine, row.precise) for row in unlike)
    print(
        f"\nnoise and elastic: mean and standard deviation off by at most {off:.1%} ({fidelity.MOST_DEVIATION:.0%} allowed)"
    )


if __name__ == "__main__":
    main()
