"""Files that pages hold in the server's memory: Streamlit's uploader sends them there, whoever asks, as many as they like.

Pure ASGI around Streamlit's own route. What its memory holds, the caller says; Starlette only: no Streamlit.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from augviz import events, metrics, visitors
from augviz.units import bytes_text

ADDRESS = "/_stcore/upload_file/"
"""Below the base path; then the session and the file's id, which whoever sends it chooses."""

VISITOR_FILES = 4
"""Files that one visitor's pages hold; a page has one uploader for one file. The oldest goes for a newer one."""

SERVER_FILES = 64
"""Files that all pages hold."""

BODY_SECONDS = 60.0
"""How long a file may take to arrive."""

NOT_YOURS = "This page has no right to send files; reload it."


class Store(Protocol):
    """What holds the files."""

    def token_of(self, session: str) -> str:
        """The visitor's token with which a session's connection was opened; "" for a session that is not connected."""

    def holds(self, session: str, file_id: str) -> bool:
        """Whether the file is there still."""

    def remove(self, session: str, file_id: str) -> None:
        """Give up a file."""

    def forget(self, session: str) -> None:
        """Give up all files of a session."""


@dataclass(slots=True, eq=False)
class _Held:
    """A file that is held, or arrives."""

    visitor: str
    session: str
    file_id: str
    arrives: bool = True


class _RefusedError(Exception):
    """A file is not taken: why, and the status that says so."""

    def __init__(self, sentence: str, status: int) -> None:
        self.status = status
        super().__init__(sentence)


class PageFiles:
    """The middleware. Inside of the guard, which has noted who asks.

    Args:
        base_path: Streamlit's `server.baseUrlPath`.
        store: whose files these are.
        max_bytes: of one file, with what a form adds to it.
        body_seconds: how long it may take to arrive.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: Store,
        max_bytes: int,
        base_path: str = "",
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._store = store
        self._max_bytes = max_bytes
        self._seconds = body_seconds
        base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
        self._path = re.compile(f"{re.escape(base + ADDRESS)}([^/]+)/([^/]+)", re.DOTALL)
        self._files: list[_Held] = []  # the oldest first; the server's loop alone sees it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._path.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] not in ("PUT", "DELETE"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._check_owner(connection, found[1])
            if scope["method"] == "PUT":
                await self._put(connection, _Held(visitors.asking(connection), found[1], found[2]), receive, send)
                return
        except _RefusedError as error:
            response = JSONResponse(
                {"error": str(error)}, error.status, {"Cache-Control": "no-store", "Connection": "close"}
            )
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_owner(self, connection: HTTPConnection, session: str) -> None:
        mine = visitors.token_of(connection.cookies, connection.headers)
        if not mine or mine != self._store.token_of(session):
            raise _RefusedError(NOT_YOURS, 403)

    async def _put(self, connection: HTTPConnection, one: _Held, receive: Receive, send: Send) -> None:
        self._make_room(one, self._length(connection, one))
        self._files.append(one)
        try:
            body = await self._received(one, receive)
            if body is None:
                return
            await self._app(connection.scope, _replayed(body, receive), send)
            if not self._store.token_of(one.session):  # it may have ended in between, and would keep the file for ever
                self._store.forget(one.session)
        finally:
            one.arrives = False

    def _length(self, connection: HTTPConnection, one: _Held) -> int:
        text = connection.headers.get("content-length", "")
        if not (text.isascii() and text.isdecimal()):
            raise _RefusedError("A file must be sent with its size.", 411)
        if len(text) > 12 or int(text) > self._max_bytes:
            raise self._too_large(one)
        return int(text)

    def _make_room(self, one: _Held, length: int) -> None:
        """Give up the visitor's oldest files for one more. Raises _RefusedError where that makes none."""
        self._files = [it for it in self._files if it.arrives or self._store.holds(it.session, it.file_id)]
        own = [it for it in self._files if it.visitor == one.visitor]
        arriving = sum(it.arrives for it in own)
        if arriving >= VISITOR_FILES:
            raise self._refused(f"{arriving} files are being sent already; wait for them.", 429, one, length)
        old = [it for it in own if not it.arrives][: max(0, len(own) - VISITOR_FILES + 1)]
        if len(self._files) - len(old) >= SERVER_FILES:
            raise self._refused("The server holds as many files as it can; paste the text instead.", 503, one, length)
        for it in old:
            self._store.remove(it.session, it.file_id)
            self._files.remove(it)

    async def _received(self, one: _Held, receive: Receive) -> bytes | None:
        """The whole body, so that Streamlit waits for nothing; None where the browser has gone."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                while (message := await receive())["type"] == "http.request":
                    body += message.get("body", b"")
                    if len(body) > self._max_bytes:
                        raise self._too_large(one)
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise self._refused("The file took too long to arrive.", 408, one, len(body)) from None
        return None

    def _too_large(self, one: _Held) -> _RefusedError:
        return self._refused(f"The file is larger than the limit of {bytes_text(self._max_bytes)}.", 413, one)

    def _refused(self, sentence: str, status: int, one: _Held, count: int | None = None) -> _RefusedError:
        metrics.count("refusals", what="page file")
        events.tell("refused", level=logging.WARNING, what="page_file", visitor=one.visitor, status=status, bytes=count)
        return _RefusedError(sentence, status)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was received already, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return messages.pop() if messages else await receive()

    return replaying
