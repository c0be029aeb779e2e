"""Files that visitors of the load test send: some that are images, some that are damaged, and some made to do harm."""

from __future__ import annotations

import random
from pathlib import Path

from augviz import synthetic
from tests.kinds import KINDS, png
from tests.test_mutated import flipped

VALID = ("whole.tif", "baseline.jpg")
"""Those that are looked at after they have been sent; what becomes of the others is said by the app."""


def files(folder: Path, seed: int) -> dict[str, bytes]:
    """Contents by name, the damaged ones damaged in the same way for each seed."""
    whole = folder / "whole.tif"
    if not whole.exists():
        synthetic.make("tissue", 1024, whole)
    jpeg, rng = KINDS["baseline.jpg"].make(folder).read_bytes(), random.Random(seed)
    return {
        "whole.tif": whole.read_bytes(),
        "baseline.jpg": jpeg,
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.tif": whole.read_bytes()[: whole.stat().st_size // 2],
        "text.tif": b"This is no image at all.\n" * 200,
        "huge.png": png(2**31 - 1, 2**31 - 1, 8, 2, b"\0" * 1000),
        "bomb.png": png(60_000, 60_000, 8, 2, b"\0" * 1_000_000),
        "mutated.jpg": flipped(jpeg, rng),
        "mutated-again.jpg": flipped(jpeg, rng),
        "empty.png": b"",
        "../../name.tif": b"II*\0" + b"\xff" * 64,
    }
