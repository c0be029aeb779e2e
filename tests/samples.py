"""Real pixels for tests: crops of the photographs that ship inside scikit-image."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pyvips


def folder() -> Path:
    """Where scikit-image keeps its pictures."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"


def path(name: str = "astronaut.png") -> str:
    return str(folder() / name)


def rgb(width: int = 96, height: int = 80, name: str = "astronaut.png") -> pyvips.Image:
    """uchar sRGB, in memory."""
    image = pyvips.Image.new_from_file(path(name)).extract_band(0, n=3)
    return image.crop((image.width - width) // 2, (image.height - height) // 2, width, height).copy_memory()
