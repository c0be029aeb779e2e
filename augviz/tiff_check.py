"""Whether a TIFF is all there: its directories and pixels must lie within the file. Reads no pixels, uses no libvips.

libvips opens what is left of a file that was cut short, with fewer pages, and tells only when it comes to the missing
tiles. Judged is only what must be there in any TIFF that was written to its end.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

MAX_DIRECTORIES = 2000
"""Directories that are looked at; files with more are judged by these."""

MAX_TABLE_BYTES = 32 << 20
"""Bytes of tables of offsets and counts that are read: some two million tiles, in about 50 ms."""

_BLOCK_VALUES = 1 << 17
_CLASSIC_BYTES = 1 << 32  # larger files with 4-byte offsets are of kinds that stretch TIFF (NDPI, ImageJ)
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
"""Types whose values are whole numbers, as numpy names them."""

_FIRST_PRIVATE_TAG = 32768  # what programs keep for themselves need not be right
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SUBIFDS = 322, 323, 324, 325, 330
_OLD_JPEG, _YCBCR = 6, 6


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where the values of a tag are: `type` and `count` of them at byte `offset` of the file."""

    type: int
    count: int
    offset: int

    @property
    def end(self) -> int:
        return self.offset + self.count * _TYPE_BYTES[self.type]


@dataclass(slots=True)
class _Reader:
    """An open TIFF. Raises _Missing where the file ends before what is read."""

    file: BinaryIO
    size: int
    order: str = "<"
    is_big: bool = False
    table_bytes: int = MAX_TABLE_BYTES
    is_sparse: bool = False

    def read(self, offset: int, count: int, what: str) -> bytes:
        self.require(offset + count, what)
        self.file.seek(offset)
        found = self.file.read(count)
        if len(found) < count:
            raise _Missing(what, offset + count)
        return found

    def require(self, end: int, what: str) -> None:
        if end > self.size:
            raise _Missing(what, end)

    def number(self, entries: dict[int, _Entry], tag: int, default: int) -> int:
        """The first value of a tag."""
        entry = entries.get(tag)
        if entry is None or entry.type not in _WHOLE or entry.count < 1:
            return default
        size = _TYPE_BYTES[entry.type]
        return int(np.frombuffer(self.read(entry.offset, size, "a table"), self.order + _WHOLE[entry.type])[0])

    def numbers(self, entry: _Entry, start: int, count: int, what: str) -> npt.NDArray[np.uint64]:
        """`count` values of a tag from `start` on."""
        size = _TYPE_BYTES[entry.type]
        self.table_bytes -= count * size
        raw = self.read(entry.offset + start * size, count * size, what)
        return np.frombuffer(raw, self.order + _WHOLE[entry.type]).astype(np.uint64)


class _Missing(Exception):
    """The file ends before `what`, which goes to byte `end`."""

    def __init__(self, what: str, end: int) -> None:
        self.what = what
        self.end = end
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a TIFF.

    Attributes:
        gap: what of it lies beyond the end of the file, as the end of a sentence; None where all is there.
        is_sparse: whether strips or tiles were left out on purpose, with the offset and the count 0; they are black.
    """

    gap: str | None = None
    is_sparse: bool = False


def check(path: str | os.PathLike[str]) -> Finding:
    """Whether all that a TIFF points at is there.

    Looked at are the chain of directories and their SubIFDs, the values of every tag that is not private, and each
    strip and tile. A file that is no TIFF, and a classic TIFF of more than 4 GiB, is not judged.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        reader = _Reader(file, os.fstat(file.fileno()).st_size)
        try:
            first = _start(reader)
            if first is not None:
                _check_directories(reader, first)
        except _Missing as gap:
            return Finding(f"{gap.what} ends at byte {gap.end} and the file at byte {reader.size}")
    return Finding(is_sparse=reader.is_sparse)


def tile_size(path: str | os.PathLike[str], page: int = 0, subifd: int | None = None) -> tuple[int, int] | None:
    """Width and height of a TIFF's tiles in pixels; None where they are strips, or there is no such page.

    Args:
        path: of the file.
        page: number of the directory in the chain, from 0.
        subifd: number of the directory below it, from 0; None is the page itself.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        reader = _Reader(file, os.fstat(file.fileno()).st_size)
        try:
            offset = _start(reader) or 0
            for _ in range(page):
                offset = _directory(reader, offset, "a directory")[1] if offset else 0
            if offset and subifd is not None:
                below = _subifds(reader, _directory(reader, offset, "a directory")[0])
                offset = below[subifd] if subifd < len(below) else 0
            entries = _directory(reader, offset, "a directory")[0] if offset else {}
            tile = reader.number(entries, _TILE_WIDTH, 0), reader.number(entries, _TILE_HEIGHT, 0)
        except _Missing:
            return None
    return tile if min(tile) > 0 else None


def _start(reader: _Reader) -> int | None:
    """Sets the byte order and the width of offsets; the offset of the first directory, None if this is not judged."""
    reader.file.seek(0)
    head = reader.file.read(4)
    if head not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    reader.order = "<" if head[:1] == b"I" else ">"
    reader.is_big = b"+" in head
    if reader.is_big:
        return int(struct.unpack(reader.order + "Q", reader.read(8, 8, "the header"))[0])
    if reader.size >= _CLASSIC_BYTES:
        return None
    return int(struct.unpack(reader.order + "I", reader.read(4, 4, "the header"))[0])


def _check_directories(reader: _Reader, first: int) -> None:
    """Goes through the chain of directories and what hangs from it, each once."""
    waiting = [(first, "the first directory")]
    seen: set[int] = set()
    while waiting and len(seen) < MAX_DIRECTORIES and reader.table_bytes > 0:
        offset, what = waiting.pop()
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        entries, following = _directory(reader, offset, what)
        for tag, entry in entries.items():
            if tag < _FIRST_PRIVATE_TAG:
                reader.require(entry.end, f"tag {tag} of {what}")
        waiting.append((following, f"directory {len(seen) + 1}"))
        waiting += [(one, f"a directory below {what}") for one in _subifds(reader, entries)]
        for offsets, counts, kind in ((_TILES, _TILE_BYTES, "tile"), (_STRIPS, _STRIP_BYTES, "strip")):
            _check_pixels(reader, entries, (offsets, counts), f"a {kind} of {what}")


def _directory(reader: _Reader, offset: int, what: str) -> tuple[dict[int, _Entry], int]:
    """The entries of a directory by tag, and the offset of the next one, 0 where there is none."""
    counter, pointer, entry_bytes = ("Q", "Q", 20) if reader.is_big else ("H", "I", 12)
    counter_bytes, pointer_bytes = struct.calcsize(counter), struct.calcsize(pointer)
    raw = reader.read(offset, counter_bytes, what)
    count = int(struct.unpack(reader.order + counter, raw)[0])
    table = offset + counter_bytes
    reader.table_bytes -= count * entry_bytes
    raw = reader.read(table, count * entry_bytes, what) if reader.table_bytes > 0 else b""
    entries: dict[int, _Entry] = {}
    for number in range(len(raw) // entry_bytes):
        at = number * entry_bytes
        tag, kind, values = struct.unpack_from(f"{reader.order}HH{pointer}", raw, at)
        if kind not in _TYPE_BYTES:
            continue
        here = 4 + pointer_bytes
        is_inside = values * _TYPE_BYTES[kind] <= pointer_bytes
        inside, outside = table + at + here, struct.unpack_from(reader.order + pointer, raw, at + here)[0]
        entries.setdefault(tag, _Entry(kind, values, inside if is_inside else outside))
    end = table + count * entry_bytes
    if end + pointer_bytes > reader.size:
        return entries, 0
    return entries, int(struct.unpack(reader.order + pointer, reader.read(end, pointer_bytes, what))[0])


def _subifds(reader: _Reader, entries: dict[int, _Entry]) -> list[int]:
    entry = entries.get(_SUBIFDS)
    if entry is None or entry.type not in _WHOLE:
        return []
    return [int(n) for n in reader.numbers(entry, 0, min(entry.count, MAX_DIRECTORIES), "a table of directories")]


_MORE = 2**62
"""Stands for anything larger: more than any file has, and still a number of 64 bits."""


def _check_pixels(reader: _Reader, entries: dict[int, _Entry], tags: tuple[int, int], what: str) -> None:
    """Raises _Missing unless each strip or tile ends within the file. One that was left out has the offset 0."""
    offsets, counts = entries.get(tags[0]), entries.get(tags[1])
    if offsets is None or offsets.type not in _WHOLE:
        return
    if counts is not None and (counts.type not in _WHOLE or counts.count < offsets.count):
        counts = None
    plain = _plain_bytes(reader, entries, tags[0] == _TILES)
    for start in range(0, offsets.count, _BLOCK_VALUES):
        if reader.table_bytes <= 0:
            return
        count = min(_BLOCK_VALUES, offsets.count - start)
        begin = reader.numbers(offsets, start, count, what)
        length = np.ones(count, np.uint64) if counts is None else reader.numbers(counts, start, count, what)
        reader.is_sparse |= counts is not None and bool(((begin == 0) & (length == 0)).any())
        if plain is not None:
            full, last, per_plane = plain
            is_last = np.arange(start + 1, start + count + 1) % per_plane == 0
            length = np.minimum(length, np.where(is_last, last, full).astype(np.uint64))
        room = reader.size - np.minimum(begin, reader.size)
        beyond = (begin > 0) & ((room == 0) | (length > room))
        if beyond.any():
            number = int(np.flatnonzero(beyond)[0])
            raise _Missing(what, int(begin[number]) + int(length[number]))


def _plain_bytes(reader: _Reader, entries: dict[int, _Entry], is_tiled: bool) -> tuple[int, int, int] | None:
    """What a strip or tile needs whatever its count says, since some writers pad the count of the last strip.

    Returns:
        bytes of each, bytes of the last of a plane, and how many a plane has; None where the count must be believed.
    """
    compression = reader.number(entries, _COMPRESSION, 1)
    if compression == _OLD_JPEG:
        return 1, 1, 1  # its counts are often wrong, and libtiff does not go by them
    if compression != 1:
        return None
    width, height = reader.number(entries, _WIDTH, 0), reader.number(entries, _HEIGHT, 0)
    if width < 1 or height < 1 or reader.number(entries, _PHOTOMETRIC, 1) == _YCBCR:
        return 1, 1, 1  # colours stored for several pixels at once: fewer bytes than width x height tell
    samples = 1 if reader.number(entries, _PLANAR, 1) == 2 else reader.number(entries, _SAMPLES, 1)
    bits = samples * reader.number(entries, _BITS, 1)
    if is_tiled:
        one = (reader.number(entries, _TILE_WIDTH, 1) * bits + 7) // 8 * reader.number(entries, _TILE_HEIGHT, 1)
        return min(one, _MORE), min(one, _MORE), 1
    rows = max(1, min(reader.number(entries, _ROWS, height), height))
    row_bytes = (width * bits + 7) // 8
    strips = (height + rows - 1) // rows
    last = (height - (strips - 1) * rows) * row_bytes
    return min(rows * row_bytes, _MORE), min(last, _MORE), min(strips, _MORE)
