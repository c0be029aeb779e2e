"""Runs texts of single draws in this process: `python -m tests.run_draws REQUESTS`, a JSON list of {"text", "out"}.

Each text is executed as it is and its `result` written to `out`.npy, or the words of what was raised to `out`.txt. It
shares nothing with the engine but the import of the library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

import augviz.library  # noqa: F401  (lets albumentationsxl import where PyTorch is missing)


def run(text: str) -> np.ndarray:
    """The result of one text."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "draw", "exec"), names)
    result = names["result"]
    return np.asarray(result.numpy() if hasattr(result, "numpy") else result)


def main() -> None:
    """Run every request of the file; none inherits the noise of the one before."""
    for request in json.loads(Path(sys.argv[1]).read_text()):
        try:
            np.save(f"{request['out']}.npy", run(request["text"]))
        except Exception as error:
            Path(f"{request['out']}.txt").write_text(f"{type(error).__name__}: {error}")
        if "gaussnoise" in vars(pyvips.Image):
            del pyvips.Image.gaussnoise


if __name__ == "__main__":
    main()
