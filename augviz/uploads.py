"""The sessions of all visitors with their files: on disk while a session lasts, then removed. Opens none of the files.

Each session has a folder of its own, named by a token that nobody can guess. A file's name on the disk is made here; the
name that the browser gave is only shown. Everything is gone after a restart of the server: each server has one folder,
locked while it runs, and removes at its start those whose lock nobody holds.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from augviz import held_folder
from augviz.arrivals import SPARE_BYTES, UploadError, display_name, in_steps, told
from augviz.errors import ImageError
from augviz.held_folder import OwnFolder
from augviz.once import Once
from augviz.quotas import Quotas
from augviz.settings import get_settings
from augviz.upload_session import ENDED, Session, Stop, Upload

GONE = "This file is not there any more; make it again."
"""Also what who asks for a file of somebody else reads, so that nobody learns whether there is one."""


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
        self._quotas = quotas
        self._clock = clock
        # Guards all below, and that nobody else takes the room that is just being checked. Never held while files are written
        # or removed, nor while work is stopped. Who holds it may take a session's lock, never the other way round.
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._leftovers: list[Path] = []  # folders to be removed again: somebody wrote there while they were removed
        self._own = OwnFolder(root)

    # The server

    def close(self) -> None:
        """Remove everything that this server has received."""
        with self._lock:
            sessions = list(self._sessions.values())
            for session in sessions:
                session.end()
            self._sessions.clear()
            own, self._own = self._own, OwnFolder(self._own.root)
        for session in sessions:
            session.stop_all()
        own.remove()

    def sweep(self) -> None:
        """Remove the files of the sessions that have been gone for longer than the grace time."""
        with self._lock:
            gone = [token for token, session in self._sessions.items() if session.end(self.grace_seconds)]
            sessions = [self._sessions.pop(token) for token in gone]
            leftovers, self._leftovers = self._leftovers, []
        for session in sessions:
            session.stop_all()
        for folder in (*(session.folder for session in sessions), *leftovers):
            self._remove_folder(folder)

    def _remove_folder(self, folder: Path) -> None:
        """Remove a folder now, or at the next sweep what a job that is just ending has put there meanwhile."""
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            with self._lock:
                self._leftovers.append(folder)

    def sweep_root(self) -> None:
        """Remove what servers have left behind that were killed."""
        held_folder.sweep(self._own.root, but=self._own.path)

    def free_bytes(self) -> int:
        """What may be written: free on the disk, without what must stay free."""
        folder = self._own.root
        while not folder.exists():
            folder = folder.parent
        return max(0, shutil.disk_usage(folder).free - SPARE_BYTES)

    def _elsewhere(self) -> int:
        """What is in the cache folder beside this server's files. Called without the lock: it looks at many files."""
        return self._quotas.elsewhere(self._own.path)

    def _check_quotas(self, session: Session, name: str, needed: int, elsewhere: int) -> None:
        """Raises UploadError where there is no room for more. Called with the lock held."""
        if self._quotas != Quotas():
            self._quotas.check(name, needed, session.kept_bytes(), elsewhere + self._kept_bytes())

    def _ahead(self, session: Session, announced: int, elsewhere: int) -> int:
        """How much of a file is set aside before it comes. Called with the lock held."""
        if self._quotas == Quotas():
            return announced
        pending = sum(one.pending_bytes() for one in self._sessions.values() if one.visitor == session.visitor)
        return self._quotas.ahead(announced, pending, elsewhere + self._kept_bytes())

    def _kept_bytes(self) -> int:
        return sum(one.kept_bytes() for one in self._sessions.values())

    # Sessions

    def open_session(self, visitor: str = "") -> str:
        """A new session's token; its addresses answer to this visitor only. Raises UploadError where the disk takes nothing."""
        token = secrets.token_urlsafe(18)
        with self._lock:
            try:
                folder = self._own.made() / secrets.token_hex(8)
            except OSError as error:
                raise UploadError(f"No file can be stored on this server: {error.strerror}.", 507) from error
            self._sessions[token] = Session(folder, visitor, self._clock)
        return token

    def _find(self, token: str) -> Session | None:
        with self._lock:
            return self._sessions.get(token)

    def _known(self, token: str) -> Session:
        """The session. Raises UploadError if it is not there any more. Called with the lock held."""
        if (session := self._sessions.get(token)) is None:
            raise UploadError(ENDED, 403)
        return session

    def is_known(self, token: str) -> bool:
        """Whether the session is there still."""
        return self._find(token) is not None

    def belongs(self, token: str, visitor: str) -> bool:
        """Whether the session is there still, and this visitor's."""
        session = self._find(token)
        return session is not None and session.visitor == visitor

    def visitor_of(self, token: str) -> str:
        """Whose session it is; "" where that is nobody in particular, or it is not there any more."""
        session = self._find(token)
        return session.visitor if session else ""

    def hold(self, token: str) -> None:
        """The visitor is there: keep the session until it is released."""
        if session := self._find(token):
            session.hold(1)

    def release(self, token: str) -> None:
        """The visitor's connection has gone: the grace time begins."""
        if session := self._find(token):
            session.hold(-1)

    def touch_path(self, path: str | os.PathLike[str]) -> None:
        """The session that sent the file was just seen: a picture of it was asked for."""
        with self._lock:
            for session in self._sessions.values():
                if Path(path).parent == session.folder:
                    session.touch()

    def begin_work(self, token: str, stop: Stop, upload_id: str = "") -> None:
        """Have `stop` called when the session ends, or the upload that the work reads is deleted; at once if it has."""
        if session := self._find(token):
            session.begin_work(stop, upload_id)
        else:
            stop()

    def end_work(self, token: str, stop: Stop) -> None:
        """The work has ended by itself."""
        if session := self._find(token):
            session.end_work(stop)

    # Files

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
        with told(self.visitor_of(token)) as done:
            upload = await self._receive(token, display_name(name), length, chunks, spare)
            done(upload.file_bytes)
        return upload

    async def _receive(
        self, token: str, name: str, length: int | None, chunks: AsyncIterator[bytes], spare: int
    ) -> Upload:
        upload_id, announced = secrets.token_hex(16), length or 0
        elsewhere = await asyncio.to_thread(self._elsewhere)
        with self._lock:
            session = self._known(token)
            session.check_count()
            if announced <= self.max_bytes:  # else it is refused for that
                self._check_quotas(session, name, announced, elsewhere)
            try:
                self._own.made()
            except OSError as error:
                raise UploadError(f"{name}: it cannot be stored: {error.strerror}.", 507) from error
            expected = self._ahead(session, announced, elsewhere)
            session.expect(upload_id, expected)

        def set_aside(more: int) -> None:
            with self._lock:
                self._check_quotas(session, name, more, elsewhere)
                session.expect(upload_id, more)

        room = in_steps(chunks, expected, set_aside)
        return await session.receive(upload_id, name, length, room, max_bytes=self.max_bytes, spare=spare)

    def files(self, token: str) -> tuple[Upload, ...]:
        """What a session has sent, in the order of arrival."""
        session = self._find(token)
        return session.files() if session else ()

    def find(self, token: str, upload_id: str) -> Upload:
        """One file of a session. Raises ImageError if it is not there any more, or is somebody else's."""
        for upload in self.files(token):
            if upload.id == upload_id:
                return upload
        raise ImageError("This upload is not there any more; send the file again.")

    def remove(self, token: str, upload_id: str) -> None:
        """Delete one file now, sent, made or being made, and stop what reads it. Nothing happens if it is gone."""
        session = self._find(token)
        if session is None:
            return
        upload, folder, stops = session.forget(upload_id)
        for stop in stops:
            stop()
        if upload is not None:
            upload.delete()
        if folder is not None:
            self._remove_folder(folder)

    def shown(self, text: str) -> str:
        """`text` with the names that files were given by their visitors in place of those on the disk."""
        with self._lock:
            names = [(one.id, one.name) for session in self._sessions.values() for one in session.files()]
        for upload_id, name in names:
            if upload_id in text:
                text = text.replace(upload_id, name)
        return text

    # Files made for a session

    def place(self, token: str, name: str, needed_bytes: int = 0) -> tuple[str, Path]:
        """Id and path of a file that is going to be made; `adopt` keeps it, `remove` gives it up.

        Args:
            name: what the visitor shall call it; the path has its ending.
            needed_bytes: what it can take, which is set aside.

        Raises:
            UploadError: the session is unknown, it or the cache may not keep as much, or the disk takes no folder.
        """
        shown, elsewhere = display_name(name), self._elsewhere()
        with self._lock:
            session = self._known(token)
            self._check_quotas(session, shown, needed_bytes, elsewhere)
            try:
                self._own.made()
                return session.place(shown, needed_bytes)
            except OSError as error:
                raise UploadError(f"{shown}: it cannot be stored: {error.strerror}.", 507) from error

    def stop_with(self, token: str, file_id: str, stop: Stop) -> None:
        """Have `stop` called if the session ends while the file is being made; at once if it has ended already."""
        if session := self._find(token):
            session.stop_with(file_id, stop)
        else:
            stop()

    def adopt(self, token: str, file_id: str, note: str = "") -> Upload:
        """Keep a file whose place was taken and that is whole now; beyond `MAX_MADE`, the oldest goes.

        Raises UploadError if the session has ended, or the file was given up or is not there.
        """
        with self._lock:
            session = self._known(token)
        made, old_folders = session.adopt(file_id, note)
        for folder in old_folders:
            self._remove_folder(folder)
        return made

    def made(self, token: str) -> tuple[Upload, ...]:
        """What has been made for a session, the oldest first."""
        session = self._find(token)
        return session.made() if session else ()

    def find_made(self, token: str, file_id: str) -> Upload:
        """One file made for a session, which was just seen. Raises ImageError if it is not there, or is somebody else's."""
        session = self._find(token)
        found = session.find_made(file_id) if session else None
        if found is None:
            raise ImageError(GONE)
        return found


@Once
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
