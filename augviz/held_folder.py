"""Folders and unfinished files of this process among those of others: locked while it lives, so that others can clear up."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_LOCK = ".lock"


class OwnFolder:
    """A folder of this process below `root`: made and held when it is first asked for, and again where it was removed.

    It is not safe for threads by itself.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path: Path | None = None
        self._held: IO[str] | None = None

    def made(self) -> Path:
        """The folder, which is there now. Raises OSError."""
        if self.path is None:
            self.path, self._held = make(self.root)
        elif not is_there(self.path):
            self.let_go()
            self._held = hold(self.path)
        return self.path

    def let_go(self) -> None:
        """Hold it no longer, as when the process ends."""
        if self._held is not None:
            self._held.close()

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self.let_go()
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)


def make(root: Path) -> tuple[Path, IO[str]]:
    """A new folder below `root` that nobody can guess, and the open file that holds it. Raises OSError."""
    folder = root / secrets.token_hex(8)
    folder.mkdir(parents=True, mode=0o700)
    return folder, _locked(folder / _LOCK)


def hold(folder: Path) -> IO[str]:
    """Make a folder of `make` again that somebody has removed; the open file that holds it. Raises OSError."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    return _locked(folder / _LOCK)


def is_there(folder: Path) -> bool:
    """Whether a folder of `make` has not been removed by anybody."""
    return (folder / _LOCK).exists()


def sweep(root: Path, but: Path | None = None) -> None:
    """Remove the folders below `root` whose process has ended."""
    for folder in root.glob("*/"):
        if folder != but and _is_abandoned(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[None]:
    """An empty file that is held while the block runs: whatever its age, nobody takes it for left behind.

    Raises OSError; FileExistsError where there is one already.
    """
    while True:
        with open(path, "x", encoding="ascii") as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
                if not _is_at(file, path):  # somebody has cleared it away before it was held
                    continue
                yield
                return
        yield
        return


@contextlib.contextmanager
def held_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to read and to add to, made where there is none, that is held while the block runs.

    Raises OSError; BlockingIOError where somebody else holds it, as far as the system has such locks.
    """
    while True:
        with open(path, "a+b") as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _is_at(file, path):  # somebody has cleared it away before it was held
                    continue
            yield file
            return


def swept(what: str, sweep: Callable[[], None]) -> None:
    """Sweep `what`; what goes wrong is logged, so that it is tried again instead of never."""
    try:
        sweep()
    except Exception:
        logging.getLogger("augviz").exception("%s could not be swept", what)


def sweep_unused(folder: Path, seconds: float) -> None:
    """Remove the files of a folder that nobody holds and that were changed last longer ago than this."""
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):  # it has just been removed, or is somebody else's
            if time.time() - path.stat().st_mtime > seconds:
                _remove_abandoned(path, seconds)


def sweep_files(folder: Path, seconds: float) -> None:
    """Remove the unfinished files of a folder, `.NAME.tif`, whose process has ended, which could not remove them itself.

    Args:
        seconds: how old they must be where the system has no such locks.
    """
    for path in folder.glob(".*.tif"):  # as `results.written_whole` names them
        with contextlib.suppress(OSError):  # it has just been finished or removed, or is somebody else's
            _remove_abandoned(path, seconds)


def _remove_abandoned(path: Path, seconds: float) -> None:
    if sys.platform == "win32":
        if time.time() - path.stat().st_mtime > seconds:
            path.unlink()
        return
    import fcntl

    with open(path, "rb") as file, contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(file, path):  # it has not just been given its name
            path.unlink()


def _is_at(file: IO[str] | IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(path: Path) -> IO[str]:
    """A file that is open and, where the system has that, locked until it is closed or the process ends."""
    if sys.platform == "win32":  # it removes no file that is open
        return open(path, "w", encoding="ascii")  # held while the server runs
    import fcntl

    # Locked before it has its name: another process that sweeps would take a file without a lock for one left behind.
    new = path.with_name(f"{path.name}.new")
    file = open(new, "w", encoding="ascii")  # noqa: SIM115 - held while the server runs
    fcntl.flock(file, fcntl.LOCK_EX)
    new.rename(path)
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
