"""Tells a visitor's picture what to show next, over a WebSocket of its own, and hears what the browser has shown.

Streamlit brings the same data with the page a little later (the browser renders the run first, 0.1 s and more), so a feed
that cannot be opened costs time and nothing else. No Streamlit here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Mapping
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

MAX_LISTENERS = 8
"""Pictures of one visitor; a page has one, a reconnecting browser two for a moment."""

_Listener = tuple[asyncio.AbstractEventLoop, "asyncio.Queue[str]"]
_listeners: dict[str, list[_Listener]] = {}
_seen: dict[str, int] = {}
_lock = threading.Lock()  # pages are threads, sockets live in the server's loop


def routes(base_path: str = "") -> list[WebSocketRoute]:
    """The route, below Streamlit's `server.baseUrlPath` where that is set. The session's name is unguessable."""
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [WebSocketRoute(f"{base}/augviz/feed/{{session}}", _listen)]


def publish(session: str, data: Mapping[str, Any]) -> bool:
    """Send `data` to the pictures of a session; whether anybody listens."""
    text = json.dumps(data)
    with _lock:
        listeners = list(_listeners.get(session, ()))
    for loop, queue in listeners:
        with contextlib.suppress(RuntimeError):  # the server has been stopped
            loop.call_soon_threadsafe(queue.put_nowait, text)
    return bool(listeners)


def seen(session: str) -> int | None:
    """The last version of the state that the browser has shown with the page; None where it has not told."""
    return _seen.get(session)


def _hear(session: str, text: str | None) -> None:
    """Take a message of the browser: `{"seen": version}`. Anything else is not ours."""
    with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
        version = int(json.loads(text or "")["seen"])
        with _lock:
            if session in _listeners:
                _seen[session] = max(version, _seen.get(session, version))


async def _listen(socket: WebSocket) -> None:
    session = socket.path_params["session"]
    listener: _Listener = (asyncio.get_running_loop(), asyncio.Queue())
    with _lock:
        mine = _listeners.setdefault(session, [])
        mine.append(listener)
        del mine[:-MAX_LISTENERS]
    sending = None
    try:
        await socket.accept()
        sending = asyncio.ensure_future(_send(socket, listener[1]))
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            _hear(session, message.get("text"))
    finally:
        if sending is not None:
            sending.cancel()
        with _lock:
            left = [other for other in _listeners.get(session, ()) if other is not listener]
            if left:
                _listeners[session] = left
            else:
                _listeners.pop(session, None)
                _seen.pop(session, None)


async def _send(socket: WebSocket, queue: asyncio.Queue[str]) -> None:
    with contextlib.suppress(WebSocketDisconnect):  # `_listen` notices as well
        while True:
            await socket.send_text(await queue.get())
