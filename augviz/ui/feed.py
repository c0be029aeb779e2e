"""Tells a visitor's picture what to show next, over a WebSocket of its own, and hears what the browser has shown.

Streamlit brings the same data with the page a little later (the browser renders the run first, 0.1 s and more), so a feed
that cannot be opened costs time and nothing else. Who only knows the name of another visitor's session hears nothing. No
Streamlit here.
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

from augviz import visitors

MAX_LISTENERS = 8
"""Pictures of one visitor; a page has one, a reconnecting browser two for a moment."""

_Listener = tuple[asyncio.AbstractEventLoop, "asyncio.Queue[str]"]
_Name = tuple[str, str]  # visitor and session
_listeners: dict[_Name, list[_Listener]] = {}
_seen: dict[_Name, int] = {}
_lock = threading.Lock()  # pages are threads, sockets live in the server's loop


def routes(base_path: str = "") -> list[WebSocketRoute]:
    """The route, below Streamlit's `server.baseUrlPath` where that is set. The session's name is unguessable.

    Which sites' pages may open it, the guard has looked at.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [WebSocketRoute(f"{base}/augviz/feed/{{session}}", _listen)]


def publish(session: str, data: Mapping[str, Any], visitor: str = "") -> bool:
    """Send `data` to the pictures of a visitor's session; whether anybody listens."""
    text = json.dumps(data)
    with _lock:
        listeners = list(_listeners.get((visitor, session), ()))
    for loop, queue in listeners:
        with contextlib.suppress(RuntimeError):  # the server has been stopped
            loop.call_soon_threadsafe(queue.put_nowait, text)
    return bool(listeners)


def seen(session: str, visitor: str = "") -> int | None:
    """The last version of the state that the browser has shown with the page; None where it has not told."""
    return _seen.get((visitor, session))


def _hear(name: _Name, text: str | None) -> None:
    """Take a message of the browser: `{"seen": version}`. Anything else is not ours."""
    with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
        version = int(json.loads(text or "")["seen"])
        with _lock:
            if name in _listeners:
                _seen[name] = max(version, _seen.get(name, version))


async def _listen(socket: WebSocket) -> None:
    name = (visitors.asking(socket), socket.path_params["session"])
    listener: _Listener = (asyncio.get_running_loop(), asyncio.Queue())
    with _lock:
        mine = _listeners.setdefault(name, [])
        mine.append(listener)
        del mine[:-MAX_LISTENERS]
    sending = None
    try:
        await socket.accept()
        sending = asyncio.ensure_future(_send(socket, listener[1]))
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            _hear(name, message.get("text"))
    finally:
        if sending is not None:
            sending.cancel()
        with _lock:
            left = [other for other in _listeners.get(name, ()) if other is not listener]
            if left:
                _listeners[name] = left
            else:
                _listeners.pop(name, None)
                _seen.pop(name, None)


async def _send(socket: WebSocket, queue: asyncio.Queue[str]) -> None:
    with contextlib.suppress(WebSocketDisconnect):  # `_listen` notices as well
        while True:
            await socket.send_text(await queue.get())
