"""Working copies: tiled pyramids of files that would have to be decoded whole. Where they are, whose they are, their room.

A copy is transparent: a source keeps its name, and only the file that is read changes. Its name is made of the original's
path, size and time of change, so that a copy is never taken for another file's, nor for that of a file written anew. The
copy of an upload lies beside it, so that it goes with its session. Opens no image; `working_copy.py` writes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from augviz import held_folder
from augviz.arrivals import SPARE_BYTES
from augviz.errors import ImageError
from augviz.model import BYTES_PER_VALUE, Header, ImageFacts, InputChoice
from augviz.settings import Settings, get_settings
from augviz.sources import cache_bytes
from augviz.units import bytes_text

KINDS = {
    "lossless": "Lossless: the original's pixels",
    "jpeg": "JPEG, quality 90: smaller, and the pixels differ slightly",
}
"""The kinds of copies and what they are; the first is the default."""

DECODE_SECONDS_PER_MEGAPIXEL = (0.005, 0.02)
"""Until a file that is not readable by regions gives its first window: JPEG, PNG and strip TIFFs of 16384 and 32768 pixels
square took 1.3 to 16 s on two cores."""

NOTE_FORMAT = 1

_PYRAMID_SHARE = 4 / 3
"""All levels of a pyramid, of the first one."""

_JPEG_BYTES_PER_VALUE = 0.4
"""Of a copy at quality 90, all levels included; measured 0.33 on a photograph with much detail."""

_TILES = {"tile": True, "tile_width": 256, "tile_height": 256, "pyramid": True, "bigtiff": True}


@dataclass(frozen=True, slots=True)
class Copy:
    """A working copy that is as new as its original.

    Attributes:
        kind: one of `KINDS`.
    """

    path: Path
    kind: str
    file_bytes: int


def find(original: Path, settings: Settings | None = None) -> Copy | None:
    """The copy of a file as it is now, None if there is none. Copies of what the file was earlier are removed."""
    try:
        status = os.stat(original)
    except (OSError, ValueError):  # opening it will say what is wrong
        return None
    for kind in KINDS:
        path = _place(original, status, kind, settings)
        if path.is_file() and _note(path) == _identity(original, status, kind):
            with contextlib.suppress(OSError):  # it has just been deleted
                return Copy(path, kind, path.stat().st_size)
    _forget_older(original, _stamp(status), settings)
    return None


def path_for(original: Path, choice: InputChoice, settings: Settings | None = None) -> Path:
    """The file to read in place of `original`: its copy where there is one, and no page or level is asked for."""
    if choice.page is not None or choice.level:
        return original
    copy = find(original, settings)
    return copy.path if copy else original


def original_of(path: Path, settings: Settings | None = None) -> Path:
    """The file that `path` is the working copy of; `path` itself where it is none. For names, and for what must be exact.

    A note is believed only where `place` puts copies of the file that it names: one that lies elsewhere is somebody else's.
    """
    settings = settings or get_settings()
    note = _note(path) if path.suffix == ".tif" else None
    original = Path(str((note or {}).get("original", "")))
    if path.parent != _folder(original, settings) or not path.name.startswith(f"{_prefix(original, settings)}."):
        return path
    return original


def exact_path(path: Path, settings: Settings | None = None) -> Path:
    """`path`, or the original where it is a copy whose pixels differ from the original's."""
    original = original_of(path, settings)
    return path if original == path or (_note(path) or {}).get("kind") == "lossless" else original


def place(original: Path, kind: str, settings: Settings | None = None) -> Path:
    """Where the copy of a file as it is now belongs. Raises ImageError if the file is not there."""
    return _place(original, _status(original), kind, settings)


def delete(original: Path, settings: Settings | None = None) -> None:
    """Remove every copy of a file. Nothing happens if there is none."""
    _remove(original, settings)


def is_offered(facts: ImageFacts, choice: InputChoice) -> bool:
    """Whether a copy would help, and can stand for the file: it has one page, and no page or level is chosen.

    Args:
        facts: of the original, with a plain choice.
        choice: what the pipeline is fed.
    """
    return not facts.region_readable and facts.pages == 1 and choice.page is None and not choice.level


def kinds_for(header: Header) -> tuple[str, ...]:
    """The kinds of copies that an image can have: JPEG holds 8 bits, in one band or as RGB."""
    plain = (header.bands, header.interpretation) in ((1, "b-w"), (3, "srgb"))
    return tuple(KINDS) if header.format == "uchar" and plain else ("lossless",)


def save_options(kind: str, pixel_format: str) -> dict[str, Any]:
    """libvips' options of `tiffsave` for a copy, by their names in pyvips."""
    if kind == "jpeg":
        return {**_TILES, "compression": "jpeg", "Q": 90}
    predictor = "float" if pixel_format in ("float", "double") else "horizontal"
    return {**_TILES, "compression": "deflate", "predictor": predictor}


def command_line(name: str, kind: str, pixel_format: str, loader: str) -> str:
    """What makes the same file in a shell, with libvips' own command line tool; a damaged file is an error there, too.

    Args:
        name: what the original is called.
        loader: libvips' name of it: a strip of a TIFF that cannot be decoded is an error, not a cut file.
    """
    out = f"{Path(name).stem}-copy.tif"
    fail_on = "error" if loader.startswith("tiffload") else "truncated"
    words = ["vips", "tiffsave", shlex.quote(f"{name}[fail_on={fail_on}]"), shlex.quote(out)]
    for option, value in save_options(kind, pixel_format).items():
        words.append(f"--{option.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return " ".join(words)


def decode_seconds(header: Header) -> tuple[float, float]:
    """Estimate: fewest and most seconds until the whole file is decoded."""
    megapixels = header.width * header.height / 1e6
    low, high = DECODE_SECONDS_PER_MEGAPIXEL
    return low * megapixels, high * megapixels


def estimated_bytes(header: Header, kind: str) -> int:
    """Size on disk to expect of a copy in bytes: for a lossless one the most that it can take."""
    values = header.width * header.height * header.bands
    per_value = _JPEG_BYTES_PER_VALUE if kind == "jpeg" else BYTES_PER_VALUE[header.format] * _PYRAMID_SHARE
    return round(values * per_value) + 100_000  # tables and metadata


def free_bytes(original: Path, settings: Settings | None = None) -> int:
    """What is free on the disk where the copy of a file belongs, in bytes."""
    folder = _folder(original, settings or get_settings())
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_room(original: Path, header: Header, kind: str, settings: Settings | None = None) -> None:
    """Raises ImageError unless the cache's quota and the disk have room for a copy.

    Copies of files that are gone or were written anew, and what ended jobs have left behind, are removed first.
    """
    settings = settings or get_settings()
    sweep(settings)
    needed, used = estimated_bytes(header, kind), cache_bytes(settings)
    spare = SPARE_BYTES if _is_upload(original, settings) else 0
    if used + needed > settings.cache_quota_bytes:
        raise ImageError(
            f"{original.name}: a working copy takes up to {bytes_text(needed)}, but of the cache's quota of "
            f"{bytes_text(settings.cache_quota_bytes)}, {bytes_text(used)} are used."
        )
    free = max(0, free_bytes(original, settings) - spare)
    if needed > free:
        raise ImageError(
            f"{original.name}: a working copy takes up to {bytes_text(needed)}, but {bytes_text(free)} are free on the disk."
        )


def sweep(settings: Settings | None = None) -> None:
    """Remove copies in the cache whose original is gone or was written anew, and files that were never finished."""
    settings = settings or get_settings()
    folder, oldest = settings.cache_folder / "copies", time.time() - settings.job_seconds
    held_folder.sweep_files(folder, settings.job_seconds)
    for path in sorted(path for path in folder.glob("*") if not path.match(".*.tif")):  # a note before its copy
        with contextlib.suppress(OSError):  # it has just been finished or removed, or is somebody else's
            unfinished = path.name.startswith(".") or not path.with_suffix(".tif").exists()
            if path.stat().st_mtime < oldest if unfinished else not _is_fresh(path.with_suffix(".tif")):
                path.unlink()


def write_note(copy: Path, original: Path, kind: str) -> None:
    """Say beside a copy whose it is; to be done before the copy takes its place. Raises OSError."""
    text = json.dumps(_identity(original, _status(original), kind), indent=1)
    # Not by the process' id, which a process in another container has as well.
    part = copy.with_name(f".{copy.stem}.{secrets.token_hex(8)}.json")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, copy.with_suffix(".json"))
    finally:
        part.unlink(missing_ok=True)


def _is_fresh(copy: Path) -> bool:
    """Whether the original that the note beside a copy names is as it was."""
    note = _note(copy) or {}
    original = Path(str(note.get("original", "")))
    try:
        return note == _identity(original, os.stat(original), str(note.get("kind")))
    except (OSError, ValueError):
        return False


def _note(copy: Path) -> Mapping[str, Any] | None:
    """What the note beside a copy says, None where there is none to be read."""
    try:
        found = json.loads(copy.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _identity(original: Path, status: os.stat_result, kind: str) -> dict[str, Any]:
    """The note of a copy."""
    return {
        "format": NOTE_FORMAT,
        "original": str(original.absolute()),
        "file_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "kind": kind,
    }


def _status(original: Path) -> os.stat_result:
    try:
        return os.stat(original)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise ImageError(f"{original.name}: no working copy can be made: {reason}.") from error


@lru_cache(maxsize=1024)
def _forget_older(original: Path, stamp: str, settings: Settings | None) -> None:
    """Remove the copies of a file as it was before, once: every run of a page asks for the copy."""
    _remove(original, settings, but=stamp)


def _remove(original: Path, settings: Settings | None, but: str = "") -> None:
    """Remove the copies of a file and their notes, except those with the stamp `but`: a job may be writing them."""
    folder, prefix = _folder(original, settings or get_settings()), _prefix(original, settings or get_settings())
    for path in folder.glob(f"{prefix}.*"):
        if path.suffix in (".tif", ".json") and not (but and path.name.startswith(f"{prefix}.{but}.")):
            with contextlib.suppress(
                OSError
            ):  # Windows removes no file that is open; it is never taken for a fresh one
                path.unlink(missing_ok=True)


def _place(original: Path, status: os.stat_result, kind: str, settings: Settings | None) -> Path:
    settings = settings or get_settings()
    return _folder(original, settings) / f"{_prefix(original, settings)}.{_stamp(status)}.{kind}.tif"


def _folder(original: Path, settings: Settings) -> Path:
    return original.parent if _is_upload(original, settings) else settings.cache_folder / "copies"


def _prefix(original: Path, settings: Settings) -> str:
    """What the names of all copies of a file begin with: an upload's begin with its id, so that they are removed with it."""
    if _is_upload(original, settings):
        return original.name
    return hashlib.sha256(os.fsencode(original.absolute())).hexdigest()[:32]


def _is_upload(original: Path, settings: Settings) -> bool:
    return original.is_relative_to(settings.cache_folder / "uploads")


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"
