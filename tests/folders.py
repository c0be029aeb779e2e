"""The files on a disk that a server changes meanwhile."""

from __future__ import annotations

import os
from pathlib import Path


def below(folder: Path) -> list[Path]:
    """The files in a folder, but for the locks of those who use it."""
    # Not by rglob, which fails where a folder goes while it is looked at.
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names if name != ".lock"]
