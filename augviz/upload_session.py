"""A visitor's session: the files that were sent or made for it, those that are on their way, and what works for it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from augviz.arrivals import UploadError, write_chunks
from augviz.quotas import bytes_below, file_bytes

MAX_FILES = 100
"""Files that one session may keep."""

MAX_MADE = 4
"""Files made for one session that are kept; the oldest goes for a newer one."""

ENDED = "This session has ended; reload the page."

Stop = Callable[[], None]
"""Ends work that is done for a visitor. Called without any lock: it may ask for one."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was received whole, or made whole for a visitor.

    Attributes:
        id: its name on the disk, which nobody can guess.
        name: what the browser called it, or shall call it; for showing only.
        path: the file.
        note: of a file that was made: what it shows, in a sentence.
    """

    id: str
    name: str
    path: Path
    file_bytes: int
    note: str = ""

    def delete(self) -> None:
        """Remove the file that was sent, with its working copies."""
        # The names of its working copies begin with its id; those of unfinished ones with a dot before it.
        beside = self.path.parent
        for path in (self.path, *beside.glob(f"{self.id}.*"), *beside.glob(f".{self.id}.*")):
            path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Place:
    """Where a file is being made. The folder is its own, since who makes it may leave an unfinished file beside it."""

    name: str
    path: Path
    expected_bytes: int = 0
    stop: Stop | None = None


class Session:
    """A visitor's files, safe for threads. It is there while somebody holds it or a file arrives, and for a grace time after.

    Args:
        folder: where its files are; made when the first one comes.
        visitor: who alone may send files to it and fetch those made for it.
        clock: seconds; only differences count.
    """

    def __init__(self, folder: Path, visitor: str, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.visitor = visitor
        self._clock = clock
        self._lock = threading.Lock()  # guards all below; never held while files are written or removed
        self._seen = clock()
        self._has_ended = False
        self._holders = 0
        self._files: dict[str, Upload] = {}
        self._arriving: dict[str, int] = {}  # bytes that are set aside for what is being received, by id
        self._places: dict[str, _Place] = {}
        self._made: dict[str, Upload] = {}
        self._works: dict[Stop, str] = {}  # what stops them, and the id of the upload that each reads ("" for none)

    # Its life

    def hold(self, by: int) -> None:
        """One connection of the visitor more, or less; the grace time begins when the last has gone."""
        with self._lock:
            self._holders = max(0, self._holders + by)
            self._seen = self._clock()

    def touch(self) -> None:
        """It was just seen."""
        with self._lock:
            self._seen = self._clock()

    def end(self, grace_seconds: float | None = None) -> bool:
        """Take no more files, if it has been gone for longer than this, None is at once; whether it has ended."""
        with self._lock:
            is_there = self._holders or self._arriving
            if grace_seconds is None or (not is_there and self._clock() - self._seen > grace_seconds):
                self._has_ended = True
            return self._has_ended

    def stop_all(self) -> None:
        """Stop all that works for it, once it has ended."""
        with self._lock:
            stops = [place.stop for place in self._places.values() if place.stop is not None] + list(self._works)
        for stop in stops:
            stop()

    def kept_bytes(self) -> int:
        """What it keeps: its files, working copies of them, and what is set aside for those that are not whole yet."""
        with self._lock:
            files = sum(one.file_bytes for one in (*self._files.values(), *self._made.values()))
            places = sum(max(one.expected_bytes, bytes_below(one.path.parent)) for one in self._places.values())
            # Names of working copies have a dot after the upload's id; those of uploads that are not whole end in .part.
            copies = sum(file_bytes(path) for path in self.folder.glob("*.*") if path.suffix != ".part")
            return files + places + copies + sum(self._arriving.values())

    def pending_bytes(self) -> int:
        """What is set aside for files that arrive and has not come yet, but for the last megabyte of each."""
        with self._lock:
            parts = ((self.folder / f"{one}.part", expected) for one, expected in self._arriving.items())
            return sum(max(0, expected - file_bytes(part)) for part, expected in parts)

    # Files sent to it

    def files(self) -> tuple[Upload, ...]:
        """What was sent, in the order of arrival."""
        with self._lock:
            return tuple(self._files.values())

    def forget(self, file_id: str) -> tuple[Upload | None, Path | None, list[Stop]]:
        """Strike one file out, sent, made or being made.

        Returns:
            The upload to be deleted, the folder of a file made to be removed, and what stops the works that read the file.
        """
        with self._lock:
            stops = [stop for stop, reads in self._works.items() if reads == file_id]
            for stop in stops:
                del self._works[stop]
            made = self._made.pop(file_id, None) or self._places.pop(file_id, None)
            return self._files.pop(file_id, None), made.path.parent if made else None, stops

    def check_count(self) -> None:
        """Raises UploadError where it has, or is being sent, as many files as it may keep."""
        with self._lock:
            if len(self._files) + len(self._arriving) >= MAX_FILES:
                raise UploadError(f"{MAX_FILES} files have been sent, which is the limit; delete one first.", 413)

    def expect(self, upload_id: str, more_bytes: int) -> None:
        """Set room aside, or more of it, for a file that arrives, until `receive` has ended."""
        with self._lock:
            self._arriving[upload_id] = self._arriving.get(upload_id, 0) + more_bytes

    async def receive(
        self, upload_id: str, name: str, length: int | None, chunks: AsyncIterator[bytes], *, max_bytes: int, spare: int
    ) -> Upload:
        """Write a file that is expected. Whatever breaks, nothing of it is left.

        Raises:
            UploadError: it has ended meanwhile, or as `arrivals.write_chunks` raises.
        """
        part, path = self.folder / f"{upload_id}.part", self.folder / upload_id
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            count = await write_chunks(part, name, length, chunks, max_bytes=max_bytes, spare=spare)
            upload = Upload(upload_id, name, path, count)
            with self._lock:
                if self._has_ended:
                    raise UploadError(ENDED, 403)
                part.rename(path)
                self._files[upload_id] = upload
                return upload
        except OSError as error:
            raise UploadError(f"{name}: it cannot be stored: {error.strerror}.", 507) from error
        finally:
            with self._lock:
                del self._arriving[upload_id]
                self._seen = self._clock()
            part.unlink(missing_ok=True)

    # Files made for it

    def place(self, name: str, needed_bytes: int) -> tuple[str, Path]:
        """Id and path, in a new folder, of a file that is going to be made.

        Args:
            name: what the visitor shall call it; the path has its ending.
            needed_bytes: what it can take, which is set aside.

        Raises:
            OSError: the disk takes no folder.
        """
        file_id = secrets.token_hex(16) + Path(name).suffix
        path = self.folder / secrets.token_hex(8) / file_id
        with self._lock:
            path.parent.mkdir(mode=0o700, parents=True)
            self._places[file_id] = _Place(name, path, needed_bytes)
            self._seen = self._clock()
        return file_id, path

    def stop_with(self, file_id: str, stop: Stop) -> None:
        """Have `stop` called if it ends while the file is being made; at once if it has ended already."""
        with self._lock:
            if not self._has_ended:
                if (place := self._places.get(file_id)) is not None:  # else nothing is being made any more
                    place.stop = stop
                return
        stop()

    def adopt(self, file_id: str, note: str) -> tuple[Upload, list[Path]]:
        """Keep a file that is whole now; the folders of older ones, which go for it, are to be removed.

        Raises UploadError if the session has ended, or the file was given up or is not there.
        """
        with self._lock:
            place = self._places.get(file_id)
            if self._has_ended or place is None:
                raise UploadError(ENDED, 403)
            try:
                made = Upload(file_id, place.name, place.path, place.path.stat().st_size, note)
            except OSError as error:
                raise UploadError(f"{place.name}: it cannot be read: {error.strerror}.", 507) from error
            self._made[file_id] = made
            del self._places[file_id]
            self._seen = self._clock()
            old = [self._made.pop(one) for one in list(self._made)[:-MAX_MADE]]
        return made, [one.path.parent for one in old]

    def made(self) -> tuple[Upload, ...]:
        """What has been made for it, the oldest first."""
        with self._lock:
            return tuple(self._made.values())

    def find_made(self, file_id: str) -> Upload | None:
        """One file made for it, which was just seen; None if it is not there."""
        with self._lock:
            found = self._made.get(file_id)
            if found is not None:
                self._seen = self._clock()
            return found

    # Work done for it

    def begin_work(self, stop: Stop, upload_id: str = "") -> None:
        """Have `stop` called when it ends, or the upload that the work reads is deleted; at once if it has."""
        with self._lock:
            if not self._has_ended and (not upload_id or upload_id in self._files):
                self._works[stop] = upload_id
                return
        stop()

    def end_work(self, stop: Stop) -> None:
        """The work has ended by itself."""
        with self._lock:
            self._works.pop(stop, None)
