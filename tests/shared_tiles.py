"""Pyramids of any size in a second and a few megabytes: tiles of equal content are stored once in the file.

An ordinary tiled TIFF of pages, each half as large as the one before; only its tables of tile places are large.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

TILE = 256

At = tuple[int, int]
"""Column and row of a tile."""

_SHORT, _LONG, _RATIONAL = 3, 4, 5


def flat(
    path: Path, side: int, details: Mapping[At, np.ndarray], colour: tuple[int, int, int] = (200, 210, 220)
) -> Path:
    """A square of one colour with details.

    Args:
        side: width and height in pixels.
        details: full-size tiles that are something else, (256, 256, 3) uint8; shown in every level, shrunk by averages.
    """
    plain = np.full((TILE, TILE, 3), colour, np.uint8)
    tiles = dict(details)
    levels: list[dict[At, np.ndarray]] = []
    for _ in range(levels_of(side)):
        levels.append(tiles)
        tiles = _halved(tiles, plain)
    return write(path, side, lambda level, at: levels[level].get(at, plain))


def levels_of(side: int) -> int:
    """How many pages the pyramid has: the last one fits a tile."""
    count = 1
    while -(-side // 2 ** (count - 1)) > TILE:
        count += 1
    return count


def write(path: Path, side: int, content: Callable[[int, At], np.ndarray], microns: float | None = None) -> Path:
    """A square pyramid whose tiles are what `content(level, (column, row))` gives, (256, 256, 3) uint8.

    Arrays that are the same object are stored once.
    """
    stored: dict[int, tuple[np.ndarray, int, int]] = {}
    with open(path, "wb") as file:
        file.write(b"II*\0\0\0\0\0")
        link = 4  # where the place of the next directory is written
        for level in range(levels_of(side)):
            size = -(-side // 2**level)
            count = -(-size // TILE)
            places, lengths = [], []
            for row in range(count):
                for column in range(count):
                    place, length = _stored(file, content(level, (column, row)), stored)
                    places.append(place)
                    lengths.append(length)
            link = _directory(file, link, size, places, lengths, microns)
    return path


def _stored(file: BinaryIO, pixels: np.ndarray, stored: dict[int, tuple[np.ndarray, int, int]]) -> tuple[int, int]:
    if id(pixels) not in stored:
        packed = zlib.compress(pixels.tobytes(), 1)
        stored[id(pixels)] = (pixels, file.seek(0, 2), len(packed))  # held, so that no other gets its id
        file.write(packed)
    return stored[id(pixels)][1:]


def _directory(
    file: BinaryIO, link: int, size: int, places: list[int], lengths: list[int], microns: float | None
) -> int:
    """Write one page's table and link it to the one before; returns where the link to the next one belongs."""
    per_cm = round((1e4 / microns if microns else 28.35) * 1000)
    entries: list[tuple[int, int, tuple[int, ...]]] = [
        (254, _LONG, (0,)),
        (256, _LONG, (size,)),
        (257, _LONG, (size,)),
        (258, _SHORT, (8, 8, 8)),
        (259, _SHORT, (8,)),  # deflate
        (262, _SHORT, (2,)),  # RGB
        (277, _SHORT, (3,)),
        (282, _RATIONAL, (per_cm, 1000)),
        (283, _RATIONAL, (per_cm, 1000)),
        (284, _SHORT, (1,)),
        (296, _SHORT, (3,)),  # centimetres
        (322, _LONG, (TILE,)),
        (323, _LONG, (TILE,)),
        (324, _LONG, tuple(places)),
        (325, _LONG, tuple(lengths)),
    ]
    table = []
    for tag, kind, values in entries:
        packed = struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values)
        count = len(values) // 2 if kind == _RATIONAL else len(values)
        if len(packed) > 4:
            place = _even(file)
            file.write(packed)
            packed = struct.pack("<I", place)
        table.append(struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0"))
    start = _even(file)
    file.write(struct.pack("<H", len(table)) + b"".join(table) + b"\0\0\0\0")
    file.seek(link)
    file.write(struct.pack("<I", start))
    return start + 2 + 12 * len(table)


def _even(file: BinaryIO) -> int:
    """The end of the file, at an even place."""
    end = file.seek(0, 2)
    if end % 2:
        file.write(b"\0")
    return end + end % 2


def _halved(tiles: Mapping[At, np.ndarray], plain: np.ndarray) -> dict[At, np.ndarray]:
    """The next level's tiles, where they are not plain."""
    made = {}
    for column, row in {(column // 2, row // 2) for column, row in tiles}:
        rows = [
            np.hstack([tiles.get((2 * column + dx, 2 * row + dy), plain) for dx in (0, 1)]).astype(np.uint16)
            for dy in (0, 1)
        ]
        four = np.vstack(rows)
        made[column, row] = ((four[::2, ::2] + four[1::2, ::2] + four[::2, 1::2] + four[1::2, 1::2] + 2) // 4).astype(
            np.uint8
        )
    return made
