"""Files of visitors, sent by them or made for them: on disk while their session lasts, then removed. Opens none of them.

Each session has a folder of its own, named by a token that nobody can guess. A file's name on the disk is made here; the
name that the browser gave is only shown. Everything is gone after a restart of the server: each server has one folder,
locked while it runs, and removes at its start those whose lock nobody holds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO

from augviz import events, held_folder, metrics
from augviz.arrivals import SPARE_BYTES, UploadError, display_name, write_chunks
from augviz.errors import ImageError
from augviz.quotas import STEP_BYTES, Quotas, bytes_below, file_bytes
from augviz.settings import get_settings

MAX_FILES = 100
"""Files that one session may keep."""

MAX_MADE = 4
"""Files made for one session that are kept; the oldest goes for a newer one."""

ENDED = "This session has ended; reload the page."
GONE = "This file is not there any more; make it again."
"""Also what who asks for a file of somebody else reads, so that nobody learns whether there is one."""


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


@dataclass(slots=True)
class _Place:
    """Where a file is being made. The folder is its own, since who makes it may leave an unfinished file beside it."""

    name: str
    path: Path
    expected_bytes: int = 0
    stop: Callable[[], None] | None = None


@dataclass(slots=True)
class _Session:
    """A visitor's files. It is alive while `holders` or `receiving` is above zero, and for a grace time afterwards.

    Attributes:
        visitor: who alone may send files to it and fetch those made for it.
        arriving: bytes that are set aside for what is being received, by id.
        works: what stops other work that is done for the visitor, with the id of the upload that it reads ("" for none).
    """

    folder: Path
    seen: float
    visitor: str = ""
    holders: int = 0
    receiving: int = 0
    files: dict[str, Upload] = field(default_factory=dict)
    places: dict[str, _Place] = field(default_factory=dict)
    made: dict[str, Upload] = field(default_factory=dict)
    arriving: dict[str, int] = field(default_factory=dict)
    works: dict[Callable[[], None], str] = field(default_factory=dict)


class Uploads:
    """What this server has received, by session.

    Args:
        root: the folder that all servers share; each makes one of its own in it.
        max_bytes: of one file.
        grace_seconds: how long files are kept after their session was seen last.
        quotas: what a session and all of them may keep.
        clock: seconds; only differences count.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int,
        grace_seconds: float,
        quotas: Quotas = Quotas(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_bytes = max_bytes
        self.grace_seconds = grace_seconds
        self._root = root
        self._quotas = quotas
        self._clock = clock
        self._lock = threading.Lock()  # guards all below; never held while files are written or removed
        self._sessions: dict[str, _Session] = {}
        self._leftovers: list[Path] = []  # folders to be removed again: somebody wrote there while they were removed
        self._folder: Path | None = None
        self._held: IO[str] | None = None

    # The server

    def close(self) -> None:
        """Remove everything that this server has received."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
            folder, held, self._folder, self._held = self._folder, self._held, None, None
        _stop_all(sessions)
        if held is not None:
            held.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the files of the sessions that have been gone for longer than the grace time."""
        now = self._clock()
        with self._lock:
            gone = [token for token, one in self._sessions.items() if self._has_gone(one, now)]
            sessions = [self._sessions.pop(token) for token in gone]
            leftovers, self._leftovers = self._leftovers, []
        _stop_all(sessions)
        for folder in (*(one.folder for one in sessions), *leftovers):
            self._remove_folder(folder)

    def _remove_folder(self, folder: Path) -> None:
        """Remove a folder now, or at the next sweep what a job that is just ending has put there meanwhile."""
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            with self._lock:
                self._leftovers.append(folder)

    def _has_gone(self, session: _Session, now: float) -> bool:
        return not session.holders and not session.receiving and now - session.seen > self.grace_seconds

    def sweep_root(self) -> None:
        """Remove what servers have left behind that were killed."""
        held_folder.sweep(self._root, but=self._folder)

    def _own_folder(self) -> Path:
        """This server's folder, made and locked at the first use. Called with the lock held."""
        if self._folder is None:
            self._folder, self._held = held_folder.make(self._root)
        elif not held_folder.is_there(self._folder):  # somebody has removed it; what was sent is gone
            if self._held is not None:
                self._held.close()
            self._held = held_folder.hold(self._folder)
        return self._folder

    # Sessions

    def open_session(self, visitor: str = "") -> str:
        """A new session's token; its addresses answer to this visitor only. Raises UploadError where the disk takes nothing."""
        token = secrets.token_urlsafe(18)
        with self._lock:
            try:
                folder = self._own_folder() / secrets.token_hex(8)
            except OSError as error:
                raise UploadError(f"No file can be stored on this server: {error.strerror}.", 507) from error
            self._sessions[token] = _Session(folder, self._clock(), visitor)
        return token

    def belongs(self, token: str, visitor: str) -> bool:
        """Whether the session is there still, and this visitor's."""
        with self._lock:
            session = self._sessions.get(token)
            return session is not None and session.visitor == visitor

    def visitor_of(self, token: str) -> str:
        """Whose session it is; "" where that is nobody in particular, or it is not there any more."""
        with self._lock:
            session = self._sessions.get(token)
            return session.visitor if session else ""

    def hold(self, token: str) -> None:
        """The visitor is there: keep the session until it is released."""
        self._change_holders(token, 1)

    def release(self, token: str) -> None:
        """The visitor's connection has gone: the grace time begins."""
        self._change_holders(token, -1)

    def _change_holders(self, token: str, by: int) -> None:
        with self._lock:
            if (session := self._sessions.get(token)) is not None:
                session.holders = max(0, session.holders + by)
                session.seen = self._clock()

    def is_known(self, token: str) -> bool:
        """Whether the session is there still."""
        with self._lock:
            return token in self._sessions

    def touch_path(self, path: str | os.PathLike[str]) -> None:
        """The session that sent the file was just seen: a picture of it was asked for."""
        with self._lock:
            for session in self._sessions.values():
                if Path(path).parent == session.folder:
                    session.seen = self._clock()

    def files(self, token: str) -> tuple[Upload, ...]:
        """What a session has sent, in the order of arrival."""
        with self._lock:
            session = self._sessions.get(token)
            return tuple(session.files.values()) if session else ()

    def find(self, token: str, upload_id: str) -> Upload:
        """One file of a session. Raises ImageError if it is not there any more, or is somebody else's."""
        for upload in self.files(token):
            if upload.id == upload_id:
                return upload
        raise ImageError("This upload is not there any more; send the file again.")

    def remove(self, token: str, upload_id: str) -> None:
        """Delete one file now, sent, made or being made, and stop what reads it. Nothing happens if it is gone."""
        upload = folder = None
        stops: list[Callable[[], None]] = []
        with self._lock:
            if (session := self._sessions.get(token)) is not None:
                stops = [stop for stop, reads in session.works.items() if reads == upload_id]
                for stop in stops:
                    del session.works[stop]
                upload = session.files.pop(upload_id, None)
                made = session.made.pop(upload_id, None) or session.places.pop(upload_id, None)
                if made is not None:
                    folder = made.path.parent
        for stop in stops:
            stop()
        if upload is not None:
            # The names of its working copies begin with its id; those of unfinished ones with a dot before it.
            beside = upload.path.parent
            for path in (upload.path, *beside.glob(f"{upload_id}.*"), *beside.glob(f".{upload_id}.*")):
                path.unlink(missing_ok=True)
        if folder is not None:
            self._remove_folder(folder)

    def shown(self, text: str) -> str:
        """`text` with the names that files were given by their visitors in place of those on the disk."""
        with self._lock:
            names = [(one.id, one.name) for session in self._sessions.values() for one in session.files.values()]
        for upload_id, name in names:
            if upload_id in text:
                text = text.replace(upload_id, name)
        return text

    # Files made for a session

    def free_bytes(self) -> int:
        """What may be written: free on the disk, without what must stay free."""
        folder = self._root
        while not folder.exists():
            folder = folder.parent
        return max(0, shutil.disk_usage(folder).free - SPARE_BYTES)

    def place(self, token: str, name: str, needed_bytes: int = 0) -> tuple[str, Path]:
        """Id and path of a file that is going to be made; `adopt` keeps it, `remove` gives it up.

        Args:
            name: what the visitor shall call it; the path has its ending.
            needed_bytes: what it can take, which is set aside.

        Raises:
            UploadError: the session is unknown, it or the cache may not keep as much, or the disk takes no folder.
        """
        shown, elsewhere = display_name(name), self._elsewhere()
        file_id = secrets.token_hex(16) + Path(shown).suffix
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                raise UploadError(ENDED, 403)
            self._check_quotas(session, shown, needed_bytes, elsewhere)
            path = session.folder / secrets.token_hex(8) / file_id
            try:
                self._own_folder()
                path.parent.mkdir(mode=0o700, parents=True)
            except OSError as error:
                raise UploadError(f"{shown}: it cannot be stored: {error.strerror}.", 507) from error
            session.places[file_id] = _Place(shown, path, needed_bytes)
            session.seen = self._clock()
        return file_id, path

    def stop_with(self, token: str, file_id: str, stop: Callable[[], None]) -> None:
        """Have `stop` called if the session ends while the file is being made; at once if it has ended already."""
        with self._lock:
            session = self._sessions.get(token)
            place = session.places.get(file_id) if session else None
            if place is not None:
                place.stop = stop
                return
            if session is not None:  # adopted or given up: nothing is being made any more
                return
        stop()

    def begin_work(self, token: str, stop: Callable[[], None], upload_id: str = "") -> None:
        """Have `stop` called when the session ends, or the upload that the work reads is deleted; at once if it has."""
        with self._lock:
            session = self._sessions.get(token)
            if session is not None and (not upload_id or upload_id in session.files):
                session.works[stop] = upload_id
                return
        stop()

    def end_work(self, token: str, stop: Callable[[], None]) -> None:
        """The work has ended by itself."""
        with self._lock:
            if (session := self._sessions.get(token)) is not None:
                session.works.pop(stop, None)

    def adopt(self, token: str, file_id: str, note: str = "") -> Upload:
        """Keep a file whose place was taken and that is whole now; beyond `MAX_MADE`, the oldest goes.

        Raises UploadError if the session has ended, or the file was given up or is not there.
        """
        old: list[Upload] = []
        with self._lock:
            session = self._sessions.get(token)
            place = session.places.get(file_id) if session else None
            if session is None or place is None:
                raise UploadError(ENDED, 403)
            try:
                made = Upload(file_id, place.name, place.path, place.path.stat().st_size, note)
            except OSError as error:
                raise UploadError(f"{place.name}: it cannot be read: {error.strerror}.", 507) from error
            session.made[file_id] = made
            del session.places[file_id]
            session.seen = self._clock()
            while len(session.made) > MAX_MADE:
                old.append(session.made.pop(next(iter(session.made))))
        for one in old:
            self._remove_folder(one.path.parent)
        return made

    def made(self, token: str) -> tuple[Upload, ...]:
        """What has been made for a session, the oldest first."""
        with self._lock:
            session = self._sessions.get(token)
            return tuple(session.made.values()) if session else ()

    def find_made(self, token: str, file_id: str) -> Upload:
        """One file made for a session, which was just seen. Raises ImageError if it is not there, or is somebody else's."""
        with self._lock:
            session = self._sessions.get(token)
            found = session.made.get(file_id) if session else None
            if session is None or found is None:
                raise ImageError(GONE)
            session.seen = self._clock()
            return found

    # Receiving

    async def receive(
        self, token: str, name: str, length: int | None, chunks: AsyncIterator[bytes], spare: int = SPARE_BYTES
    ) -> Upload:
        """Write a file that arrives in chunks. Whatever breaks, nothing of it is left.

        Args:
            name: what the browser calls it.
            length: bytes that were announced, None if they were not.
            spare: what stays free on the disk.

        Raises:
            UploadError: the session is unknown, has too many files or keeps too much, the file is empty or too large, cache
                or disk have no room, or fewer or more bytes came than were announced.
        """
        began, outcome, count, visitor = time.monotonic(), "broken", 0, self.visitor_of(token)
        try:
            upload = await self._receive(token, name, length, chunks, spare)
            outcome, count = "done", upload.file_bytes
            metrics.count("upload_bytes", count)
            return upload
        except UploadError as error:
            outcome = "refused" if error.status in (413, 507) else "broken"
            if outcome == "refused":
                metrics.count("refusals", what="upload")
            raise
        finally:
            metrics.count("uploads", outcome=outcome)
            level, seconds = logging.WARNING if outcome == "refused" else logging.INFO, time.monotonic() - began
            events.tell("upload_end", level=level, outcome=outcome, visitor=visitor, bytes=count, seconds=seconds)

    async def _receive(
        self, token: str, name: str, length: int | None, chunks: AsyncIterator[bytes], spare: int
    ) -> Upload:
        upload_id, shown = secrets.token_hex(16), display_name(name)
        elsewhere = await asyncio.to_thread(self._elsewhere)
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                raise UploadError(ENDED, 403)
            if len(session.files) + session.receiving >= MAX_FILES:
                raise UploadError(f"{MAX_FILES} files have been sent, which is the limit; delete one first.", 413)
            if length is None or length <= self.max_bytes:  # else it is refused for that
                self._check_quotas(session, shown, length or 0, elsewhere)
            session.arriving[upload_id] = length or 0
            session.receiving += 1
        part = session.folder / f"{upload_id}.part"
        try:
            with self._lock:
                if self._sessions.get(token) is session:
                    self._own_folder()
            session.folder.mkdir(mode=0o700, exist_ok=True)
            room = self._within_quotas(session, upload_id, shown, chunks, elsewhere)
            count = await write_chunks(part, shown, length, room, max_bytes=self.max_bytes, spare=spare)
            upload = Upload(upload_id, shown, session.folder / upload_id, count)
            with self._lock:
                if self._sessions.get(token) is not session:
                    raise UploadError(ENDED, 403)
                part.rename(upload.path)
                session.files[upload_id] = upload
                return upload
        except OSError as error:
            raise UploadError(f"{shown}: it cannot be stored: {error.strerror}.", 507) from error
        finally:
            with self._lock:
                session.receiving -= 1
                del session.arriving[upload_id]
                session.seen = self._clock()
            part.unlink(missing_ok=True)

    async def _within_quotas(
        self, session: _Session, upload_id: str, name: str, chunks: AsyncIterator[bytes], elsewhere: int
    ) -> AsyncIterator[bytes]:
        """The chunks as long as there is room for them: what was not announced is set aside step by step."""
        count = 0

        def set_aside() -> None:
            with self._lock:
                more = count - session.arriving[upload_id]
                if more > 0:
                    self._check_quotas(session, name, more, elsewhere)
                    session.arriving[upload_id] += more

        async for chunk in chunks:
            count += len(chunk)
            if count - session.arriving[upload_id] >= STEP_BYTES:
                set_aside()
            yield chunk
        set_aside()

    def _elsewhere(self) -> int:
        """What is in the cache folder beside this server's files. Called without the lock: it looks at many files."""
        return self._quotas.elsewhere(self._folder)

    def _check_quotas(self, session: _Session, name: str, needed: int, elsewhere: int) -> None:
        """Raises UploadError where there is no room for more. Called with the lock held."""
        if self._quotas != Quotas():
            everything = elsewhere + sum(_kept_bytes(one) for one in self._sessions.values())
            self._quotas.check(name, needed, _kept_bytes(session), everything)


def _kept_bytes(session: _Session) -> int:
    """What a session keeps: its files, working copies of them, and what is set aside for those that are not whole yet."""
    files = sum(one.file_bytes for one in (*session.files.values(), *session.made.values()))
    places = sum(max(one.expected_bytes, bytes_below(one.path.parent)) for one in session.places.values())
    # The names of working copies have a dot after the upload's id; those of uploads that are not whole end in .part.
    copies = sum(file_bytes(path) for path in session.folder.glob("*.*") if path.suffix != ".part")
    return files + places + copies + sum(session.arriving.values())


def _stop_all(sessions: Iterable[_Session]) -> None:
    """End what is done for sessions that have ended. Called without the lock: who is stopped may take it."""
    for session in sessions:
        for place in session.places.values():
            if place.stop is not None:
                place.stop()
        for stop in session.works:
            stop()


@lru_cache(maxsize=1)
def get_uploads() -> Uploads:
    """The uploads of this server."""
    settings = get_settings()
    return Uploads(
        settings.cache_folder / "uploads",
        max_bytes=settings.upload_bytes,
        grace_seconds=settings.upload_grace_seconds,
        quotas=Quotas(settings.upload_session_bytes, settings.cache_quota_bytes, settings.cache_folder),
    )


async def keep_swept() -> None:
    """Sweep until cancelled."""
    uploads = get_uploads()
    await asyncio.to_thread(held_folder.swept, "uploads", uploads.sweep_root)
    while True:
        await asyncio.sleep(max(1.0, min(30.0, uploads.grace_seconds / 4)))
        await asyncio.to_thread(held_folder.swept, "uploads", uploads.sweep)
