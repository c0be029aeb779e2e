"""Files that arrive in chunks from a browser: written as they come, or refused in a sentence."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from augviz import events, metrics
from augviz.errors import AugvizError
from augviz.units import bytes_text

SPARE_BYTES = 200_000_000
"""What an upload leaves free on the disk."""

STEP_BYTES = 16_000_000
"""What is set aside at a time for a file that arrives without its size."""

_MAX_NAME = 120
_WRITE_BYTES = 1 << 20  # collected before a thread writes them: the server's loop never waits for the disk


class UploadError(AugvizError, ValueError):
    """A file was not taken.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


async def write_chunks(
    part: Path, name: str, length: int | None, chunks: AsyncIterator[bytes], *, max_bytes: int, spare: int
) -> int:
    """Write the chunks to `part`; returns how many bytes came.

    Args:
        name: what to call the file.
        length: bytes that were announced, None if they were not.
        max_bytes: of one file.
        spare: bytes that stay free on the disk.

    Raises:
        UploadError: the file is empty or too large, the disk has no room, or fewer or more bytes came than were announced.
    """
    _check_size(name, length or 0, max_bytes)
    _check_room(name, part.parent, length or 0, spare)
    count, waiting = 0, bytearray()
    with open(part, "wb") as file:
        async for chunk in chunks:
            count += len(chunk)
            _check_size(name, count, max_bytes)
            if length is not None and count > length:
                raise UploadError(f"{name}: more bytes came than were announced.", 400)
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                full, waiting = waiting, bytearray()
                await asyncio.to_thread(file.write, full)
                _check_room(name, part.parent, max(0, (length or 0) - count), spare)  # others send as well
        await asyncio.to_thread(file.write, waiting)
    if length is not None and count < length:
        raise UploadError(f"{name}: the connection broke after {bytes_text(count)} of {bytes_text(length)}.", 400)
    if not count:
        raise UploadError(f"{name}: the file is empty.", 400)
    return count


async def in_steps(
    chunks: AsyncIterator[bytes], expected: int, set_aside: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """The chunks as long as there is room for them.

    Args:
        expected: bytes that are set aside already.
        set_aside: is called with how many bytes more are needed; raises UploadError where there is no room.
    """
    count = 0
    async for chunk in chunks:
        count += len(chunk)
        if count - expected >= STEP_BYTES:
            set_aside(count - expected)
            expected = count
        yield chunk
    if count > expected:
        set_aside(count - expected)


@contextmanager
def told(visitor: str) -> Iterator[Callable[[int], None]]:
    """Tell the log and the metrics how an upload ends; `done` is to be called with its bytes once they are there.

    Args:
        visitor: who sends it.
    """
    began, outcome, count = time.monotonic(), "broken", 0

    def done(file_bytes: int) -> None:
        nonlocal outcome, count
        outcome, count = "done", file_bytes
        metrics.count("upload_bytes", count)

    try:
        yield done
    except UploadError as error:
        if error.status in (413, 507):
            outcome = "refused"
            metrics.count("refusals", what="upload")
        raise
    finally:
        metrics.count("uploads", outcome=outcome)
        level, seconds = logging.WARNING if outcome == "refused" else logging.INFO, time.monotonic() - began
        events.tell("upload_end", level=level, outcome=outcome, visitor=visitor, bytes=count, seconds=seconds)


def _check_size(name: str, count: int, max_bytes: int) -> None:
    if count > max_bytes:
        raise UploadError(f"{name}: the file is larger than the limit of {bytes_text(max_bytes)}.", 413)


def _check_room(name: str, folder: Path, needed: int, spare: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + spare > free:
        raise UploadError(
            f"{name}: it takes {bytes_text(needed)}, but {bytes_text(max(0, free - spare))} are free for uploads.", 507
        )


def display_name(name: str) -> str:
    """What a file is called on the screen: the last part of the name, in one line of at most 120 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = " ".join("".join(c if c.isprintable() else " " for c in last).split())
    return plain[-_MAX_NAME:] or "upload"
