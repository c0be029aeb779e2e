"""Whether a file of another kind than TIFF is all there, told by how its kind ends. Reads no pixels, uses no libvips.

Judged is only what is certain: bytes after the end are common (phones append films to JPEGs) and are no fault.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_TAIL_BYTES = 64 << 10
_BLOCK_BYTES = 4 << 20
_MAX_SEARCHED_BYTES = 512 << 20
_MAX_GIF_BYTES = 64 << 20
_MAX_PARTS = 100_000
"""Chunks, segments, blocks and boxes that are stepped over; a file with more is not judged."""

_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers of JPEG that stand without a length
_SCAN = 0xDA


def missing(path: str | os.PathLike[str]) -> str | None:
    """What is missing at the end of a file, as the end of a sentence; None if nothing is.

    Judged are PNG, JPEG, GIF, WebP, HEIF, AVIF and JPEG 2000.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return _of_png(file, size)
        if head[:3] == b"\xff\xd8\xff":
            return _of_jpeg(file, size)
        if head[:3] == b"GIF":
            return _of_gif(file, size)
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            return _beyond("the image", 8 + struct.unpack("<I", head[4:8])[0], size)
        if head[4:8] == b"ftyp":
            return _of_boxes(file, size)
        if head[4:8] == b"jP  " or head[:4] == b"\xff\x4f\xff\x51":
            return _of_jpeg_2000(file, size, is_boxed=head[:1] == b"\0")
    return None


def _beyond(what: str, end: int, size: int) -> str | None:
    return f"{what} ends at byte {end} and the file at byte {size}" if end > size else None


def _of_png(file: BinaryIO, size: int) -> str | None:
    """A PNG ends with the chunk IEND."""
    file.seek(max(0, size - _TAIL_BYTES))
    if b"IEND" in file.read():
        return None
    at = 8
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return "its last chunk is missing"
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND" or not kind.isalpha():
            return None
        at += 12 + length
        if at > size:
            return f"a chunk of it ends at byte {at} and the file at byte {size}"
    return None


def _of_jpeg(file: BinaryIO, size: int) -> str | None:
    """A JPEG ends with the marker FF D9, which stands nowhere in its coded pixels."""
    at = 2
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            return "its pixels are missing"
        if head[0] != 0xFF:
            return None
        if head[1] == 0xFF or head[1] in _STANDALONE:
            at += 1 if head[1] == 0xFF else 2
            continue
        at += 2 + struct.unpack(">H", head[2:])[0]
        if at > size:
            return f"a part of its header ends at byte {at} and the file at byte {size}"
        if head[1] == _SCAN:
            return None if _has_end(file, at, size) else "the mark of its end is missing"
    return None


def _has_end(file: BinaryIO, start: int, size: int) -> bool:
    """Whether FF D9 stands after `start`; it is looked for near the end first."""
    file.seek(max(start, size - _TAIL_BYTES))
    if b"\xff\xd9" in file.read() or size - start > _MAX_SEARCHED_BYTES:
        return True
    file.seek(start)
    before = b""
    while block := file.read(_BLOCK_BYTES):
        if b"\xff\xd9" in before + block:
            return True
        before = block[-1:]
    return False


def _of_boxes(file: BinaryIO, size: int) -> str | None:
    """HEIF and AVIF are boxes one after the other, each with its length; a last one may go to the end of the file."""
    at = 0
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return None
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length < 8:
            return None
        at += length
        if at > size:
            return _beyond("a part of it", at, size)
    return None


def _of_jpeg_2000(file: BinaryIO, size: int, is_boxed: bool) -> str | None:
    """JPEG 2000 is boxes, or the codestream alone, and that ends with a mark that nothing within it can look like.

    libvips 8.14 does not always tell that a tile could not be decoded.
    """
    if is_boxed:
        file.seek(0)
        if b"\0\0\0\0jp2c" not in file.read(_TAIL_BYTES):  # its length is told, so that it need not go to the end
            return _of_boxes(file, size)
    file.seek(max(0, size - _TAIL_BYTES))
    return None if b"\xff\xd9" in file.read() else "its end mark is missing"


def _of_gif(file: BinaryIO, size: int) -> str | None:
    """A GIF is blocks of sub-blocks; the byte that ends it is left out by some writers, the end of a block by none."""
    if size > _MAX_GIF_BYTES:
        return None
    file.seek(0)
    raw = file.read()
    if len(raw) < 13:
        return "its header is incomplete"
    at = 13 + _palette_bytes(raw[10])
    while at < len(raw) and raw[at] in (0x21, 0x2C):  # an extension or a frame
        is_frame = raw[at] == 0x2C
        what = "a frame" if is_frame else "a block"
        at += 2
        if is_frame:
            if at + 8 > len(raw):
                return f"{what} of it is incomplete"
            at += 9 + _palette_bytes(raw[at + 7])
        while at < len(raw) and raw[at] != 0:
            at += 1 + raw[at]
        if at >= len(raw):
            return f"{what} of it is incomplete"
        at += 1
    return None if at <= len(raw) else "its colours are incomplete"


def _palette_bytes(flags: int) -> int:
    """Bytes of the table of colours that follows a GIF's header or that of a frame."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
