"""The file of an audit's findings: one line of JSON for each, written as they come, and read again to go on. No pixels.

The first line says which audit it is. A last line that was cut off, by a kill or a full disk, is dropped, never read.
Errors do not name the file: visitors read them too, and who has named one knows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from augviz import __version__, held_folder, saved, system_libvips
from augviz.audit import Finding, Plan
from augviz.errors import ImageError

VERSION = 2
"""Changes with what a finding holds."""

_MADE_BY = ("albumentationsxl", "pyvips", "pyvips-binary")
"""Packages whose version decides what a finding is."""


def title(plan: Plan) -> dict[str, Any]:
    """What the findings of a file have in common. Images, draws and their number may differ: a later run may ask for more."""
    return {
        "augviz-audit": VERSION,
        "folder": plan.folder,
        "pipeline": json.loads(saved.canonical(plan.pipeline)),
        "seed": plan.seed,
        "max_side": plan.max_side,
        "versions": {"augviz": __version__, **{name: _version(name) for name in _MADE_BY}, **_system_libvips()},
    }


def key_of(plan: Plan) -> str:
    """A name for the file of a plan: equal for plans whose findings can lie in one file."""
    return hashlib.sha256(json.dumps(title(plan), sort_keys=True).encode()).hexdigest()[:24]


def _system_libvips() -> dict[str, str]:
    """The release of the system's libvips where no wheel brings one."""
    if _version("pyvips-binary") is not None:
        return {}
    return {"libvips": str(system_libvips.version())}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


Write = Callable[[Iterable[Finding]], None]


@contextmanager
def opened(path: Path, plan: Plan, take: Callable[[Finding], None]) -> Iterator[tuple[set[tuple[str, int]], Write]]:
    """Continue the file of a plan, or begin it.

    Args:
        take: is given each finding that is there already and that the plan asks for, in the order of the file.

    Yields:
        (image, draw) of those, and what writes more. Findings of files that have changed since are asked for again, and
        failures that need not come again.

    Raises:
        ImageError: the file holds another audit or none, it is being written already, or it cannot be read or written.
    """
    if path.exists() and not path.is_file():  # a device may be read without an end
        raise ImageError("Findings can only be kept in a regular file.")
    try:
        with held_folder.held_file(path) as file:
            os.utime(path)  # used now, though perhaps nothing is added
            known = _read_known(file, plan, take)
            if file.tell() == 0:
                file.write(_line(title(plan)))
                file.flush()

            def write(findings: Iterable[Finding]) -> None:
                file.write(b"".join(_line(finding.to_json()) for finding in findings))
                file.flush()

            yield known, write
    except BlockingIOError as error:
        raise ImageError(_IN_USE) from error
    except OSError as error:
        raise ImageError(f"The file of findings cannot be read or written: {error.strerror}.") from error


def remove(path: Path) -> None:
    """Remove a file of findings, where there is one. Raises ImageError while an audit writes to it, in any process."""
    if not path.exists():
        return
    try:
        with held_folder.held_file(path):
            if sys.platform != "win32":  # it removes no file that is open
                path.unlink()
        if sys.platform == "win32":
            path.unlink()
    except BlockingIOError as error:
        raise ImageError(_IN_USE) from error
    except OSError as error:
        raise ImageError(f"The file of findings cannot be removed: {error.strerror}.") from error


_IN_USE = "Another audit is writing to this file of findings; wait until it has ended."


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _read_known(file: Any, plan: Plan, take: Callable[[Finding], None]) -> set[tuple[str, int]]:
    """Read what is there, cut off what is no whole line, and leave the file at its end."""
    file.seek(0)
    first = file.readline()
    if first and not _is_title(first, plan):
        raise ImageError("The file of findings holds something else than this audit; name another one, or remove it.")
    stamps = {image.name: image.stamp for image in plan.images}
    known: set[tuple[str, int]] = set()
    end = file.tell() if first.endswith(b"\n") else 0
    for line in file if end else ():
        if not line.endswith(b"\n"):
            break
        end += len(line)
        finding = _finding(line)
        if finding is None or finding.draw >= plan.draws or stamps.get(finding.image) != finding.stamp:
            continue
        if finding.failure is not None and finding.failure.is_passing:
            continue
        if (finding.image, finding.draw) not in known:
            known.add((finding.image, finding.draw))
            take(finding)
    file.truncate(end)
    file.seek(0, os.SEEK_END)
    return known


def _is_title(line: bytes, plan: Plan) -> bool:
    """Whether the first line is this audit's, or was cut off while it was written."""
    whole = _line(title(plan))
    return line == whole or (not line.endswith(b"\n") and whole.startswith(line))


def _finding(line: bytes) -> Finding | None:
    """The finding of a line, None where it is none: then it is made again."""
    try:
        return Finding.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError):
        return None


def findings_of(path: Path, plan: Plan) -> Iterator[Finding]:
    """What a finished run of a plan has in its file, in the plan's order, whatever the order in which it came.

    Of a draw that was made again the last finding counts. Only the lines' places are held, in 8 bytes each.

    Raises:
        ImageError: the file is not there any more, or cannot be read.
    """
    try:
        yield from _findings_of(path, plan)
    except OSError as error:
        raise ImageError(f"The findings cannot be read: {error.strerror}.") from error


def _findings_of(path: Path, plan: Plan) -> Iterator[Finding]:
    places = array("q", bytes(8 * plan.total))  # by draw, in the plan's order; 0 is none, where the title stands
    numbers = {image.name: number for number, image in enumerate(plan.images)}
    with open(path, "rb") as file:
        place = len(file.readline())
        for line in file:
            finding = _finding(line) if line.endswith(b"\n") else None
            number = None if finding is None or finding.draw >= plan.draws else numbers.get(finding.image)
            if finding is not None and number is not None and plan.images[number].stamp == finding.stamp:
                places[number * plan.draws + finding.draw] = place
            place += len(line)
        for found in places:
            if found:
                file.seek(found)
                yield Finding.from_json(json.loads(file.readline()))
