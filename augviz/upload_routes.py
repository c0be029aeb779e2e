"""The route that takes files. Starlette only: no Streamlit, no pixels."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from augviz import incidents, visitors
from augviz.arrivals import UploadError, display_name
from augviz.settings import get_settings
from augviz.units import bytes_text, seconds_text
from augviz.upload_session import ENDED
from augviz.uploads import Uploads, get_uploads

XSRF_COOKIE, XSRF_HEADER = "_streamlit_xsrf", "x-xsrftoken"
"""Where Streamlit puts its token, and where a request repeats it: another site's page can send the first only."""

LINGER_SECONDS = 10.0
"""How long a file is read on that has been refused."""

IDLE, IDLE_LINGER_SECONDS = 408, 1.0
"""Status for a file of which next to nothing comes any more, and how long it is read on: there is mostly nobody left."""

IsGenuine = Callable[[str | None, str | None], bool]
"""Whether a request comes from a page of ours: takes the header and the cookie."""


def routes(
    base_path: str,
    is_genuine: IsGenuine,
    uploads: Callable[[], Uploads] = get_uploads,
    idle_seconds: float | None = None,
    least_bytes: int | None = None,
) -> list[Route]:
    """The route, below Streamlit's `server.baseUrlPath` where that is set.

    `PUT augviz/upload/TOKEN?name=NAME` with the file as its body answers {"id", "name", "file_bytes"}, or {"error"}.

    Args:
        idle_seconds: a file of which less than `least_bytes` comes in this time is not waited for any more; None is the setting.
        least_bytes: None is the setting.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""

    async def take(request: Request) -> Response:
        try:
            if not is_genuine(request.headers.get(XSRF_HEADER), request.cookies.get(XSRF_COOKIE)):
                raise UploadError("This page has no right to send files; reload it.", 403)
            token = request.path_params["token"]
            if not uploads().belongs(token, visitors.asking(request)):
                raise UploadError(ENDED, 403)
            name = request.query_params.get("name", "")
            settings = get_settings()
            seconds = settings.upload_idle_seconds if idle_seconds is None else idle_seconds
            least = settings.upload_least_bytes if least_bytes is None else least_bytes
            chunks = _body(request, display_name(name), seconds, least)
            upload = await uploads().receive(token, name, _length(request), chunks)
        except UploadError as error:
            return _Early({"error": str(error)}, error.status)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:  # noqa: BLE001 - the browser reads a sentence, the log what it was
            return JSONResponse({"error": incidents.record(error, "an upload")}, 500)
        told = {"id": upload.id, "name": upload.name, "file_bytes": upload.file_bytes}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    return [Route(f"{base}/augviz/upload/{{token}}", take, methods=["PUT"])]


class _Early(JSONResponse):
    """An answer to a file that is still on its way: it goes out at once, and the rest is read for a while and dropped.

    Without that the system resets the connection, and the answer with it: a browser would not know why, and a proxy would
    say "502", and take the server for broken.
    """

    def __init__(self, told: object, status: int) -> None:
        # "identity": Streamlit's compression would hold the answer back until all of it is there.
        headers = {"Cache-Control": "no-store", "Connection": "close", "Content-Encoding": "identity"}
        super().__init__(told, status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_LINGER_SECONDS if self.status_code == IDLE else LINGER_SECONDS):
                while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    return int(text) if text and text.isascii() and text.isdecimal() else None


async def _body(request: Request, name: str, idle_seconds: float, least_bytes: int) -> AsyncIterator[bytes]:
    """The chunks as they come. Raises UploadError where less than `least_bytes` comes in `idle_seconds` of waiting.

    A connection that is dead would never say so, and keep a server that is asked to end from ending; one that trickles would
    keep the room that is set aside for its file.
    """
    chunks, loop = request.stream(), asyncio.get_running_loop()
    left, count = idle_seconds, 0  # of the time to wait; the disk's is not counted
    while True:
        began = loop.time()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(chunks, None)
        except TimeoutError:
            came = f"only {bytes_text(count)} of it came in" if count else "nothing of it came for"
            raise UploadError(
                f"{name}: {came} {seconds_text(idle_seconds)}, so it was ended; nothing was kept.", IDLE
            ) from None
        if chunk is None:
            return
        left, count = left - (loop.time() - began), count + len(chunk)
        if count >= least_bytes:
            left, count = idle_seconds, 0
        yield chunk
