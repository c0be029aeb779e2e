"""Writes the golden files of `test_export.py` anew: `python -m tests.golden_files`. Read the difference before you commit it."""

from __future__ import annotations

from augviz.export import compose, dataset
from augviz.presets import PRESETS
from tests.test_export import GOLDEN, slug


def main() -> None:
    """Write one file for each preset and form."""
    GOLDEN.mkdir(exist_ok=True)
    for preset in PRESETS:
        for form in (compose, dataset):
            (GOLDEN / f"{slug(preset)}_{form.__name__}.txt").write_text(form(preset.pipeline))


if __name__ == "__main__":
    main()
