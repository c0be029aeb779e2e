"""A folder of this process among those of others: locked while the process lives, and removed by the next one."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import IO

_LOCK = ".lock"


def make(root: Path) -> tuple[Path, IO[str]]:
    """A new folder below `root` that nobody can guess, and the open file that holds it. Raises OSError."""
    folder = root / secrets.token_hex(8)
    folder.mkdir(parents=True, mode=0o700)
    return folder, _locked(folder / _LOCK)


def sweep(root: Path, but: Path | None = None) -> None:
    """Remove the folders below `root` whose process has ended."""
    for folder in root.glob("*/"):
        if folder != but and _is_abandoned(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _locked(path: Path) -> IO[str]:
    """A file that is open and, where the system has that, locked until it is closed or the process ends."""
    file = open(path, "w", encoding="ascii")  # noqa: SIM115 - held while the server runs
    if sys.platform != "win32":  # Windows removes no file that is open
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _is_abandoned(path: Path) -> bool:
    """Whether no process holds the lock."""
    try:
        if sys.platform == "win32":
            path.unlink()
            return True
        import fcntl

        with open(path, encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return _is_old(path.parent)
    except OSError:
        return False
    return True


def _is_old(folder: Path) -> bool:
    """Whether a folder was made more than a minute ago: a server that is just starting has no lock yet."""
    with contextlib.suppress(OSError):
        return time.time() - folder.stat().st_mtime > 60
    return False
