"""A folder of real files for the tests of audits: good ones, a cut one, a grey one, and what is no image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from augviz.settings import get_settings
from tests import samples

PIPELINE = {
    "format": 1,
    "steps": [
        {"id": "flip", "transform": "HorizontalFlip"},
        {"id": "stain", "transform": "HEDShift", "p": 1.0},
        {"id": "crop", "transform": "RandomCrop", "args": {"height": 48, "width": 48}, "p": 1.0},
    ],
}
"""Fails for images that have not three bands."""

FAILING = {"b/cut.jpg", "b/grey.png"}


def make(folder: Path, good: int = 6) -> Path:
    """`good` photographs in two folders, `FAILING`, a hidden one and a text."""
    for place in ("a", "b"):
        (folder / place).mkdir(parents=True)
    for number in range(good):
        image = samples.rgb(90 + number, 70, name="chelsea.png" if number % 2 else "astronaut.png")
        image.jpegsave(str(folder / "ab"[number % 2] / f"{number:03d}.jpg"))
    samples.rgb(300, 300).jpegsave(str(folder / "b/cut.jpg"))
    (folder / "b/cut.jpg").write_bytes((folder / "b/cut.jpg").read_bytes()[:5000])
    samples.rgb().extract_band(0).pngsave(str(folder / "b/grey.png"))
    (folder / "b/.hidden.png").write_bytes((folder / "b/grey.png").read_bytes())
    (folder / "notes.txt").write_text("no image")
    return folder


def allowed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For a fixture: such a folder below the only one that the settings allow, with a cache of its own."""
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(place))
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(place / "cache"))
    get_settings.cache_clear()
    yield make(place / "data", good=4)
    get_settings.cache_clear()
