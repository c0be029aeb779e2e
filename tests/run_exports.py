"""Runs exported texts in this process: `python -m tests.run_exports REQUESTS`, a JSON list of requests.

A request is {"text", "ids", "seed", "image", "out"}: the text is executed, each item of its transform is called with its
own stream, and what comes out is written to `out`.npy, or the words of what was raised to `out`.txt. It shares nothing
with the engine but the import of the library.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

import augviz.library  # noqa: F401  (lets albumentationsxl import where PyTorch is missing)

_gaussnoise = pyvips.Image.gaussnoise


def _seeded_noise(width: int, height: int, **options: Any) -> pyvips.Image:
    return _gaussnoise(width, height, seed=random.getrandbits(31), **options)


def run(request: dict[str, Any]) -> np.ndarray:
    """The result of one request."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(request["text"], "exported", "exec"), names)
    image = pyvips.Image.new_from_file(request["image"])
    for id, item in zip(request["ids"], names["transform"].transforms, strict=True):
        random.seed(f"{request['seed']}:{id}")
        image = item(image=image)["image"]
    return np.asarray(image.numpy() if hasattr(image, "numpy") else image)


def main() -> None:
    """Run every request of the file."""
    pyvips.Image.gaussnoise = staticmethod(_seeded_noise)
    for request in json.loads(Path(sys.argv[1]).read_text()):
        try:
            np.save(f"{request['out']}.npy", run(request))
        except Exception as error:
            Path(f"{request['out']}.txt").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
