"""The route that takes files. Starlette only: no Streamlit, no pixels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from augviz import incidents, visitors
from augviz.arrivals import UploadError
from augviz.uploads import ENDED, Uploads, get_uploads

XSRF_COOKIE, XSRF_HEADER = "_streamlit_xsrf", "x-xsrftoken"
"""Where Streamlit puts its token, and where a request repeats it: another site's page can send the first only."""

IsGenuine = Callable[[str | None, str | None], bool]
"""Whether a request comes from a page of ours: takes the header and the cookie."""


def routes(base_path: str, is_genuine: IsGenuine, uploads: Callable[[], Uploads] = get_uploads) -> list[Route]:
    """The route, below Streamlit's `server.baseUrlPath` where that is set.

    `PUT augviz/upload/TOKEN?name=NAME` with the file as its body answers {"id", "name", "file_bytes"}, or {"error"}.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""

    async def take(request: Request) -> Response:
        try:
            if not is_genuine(request.headers.get(XSRF_HEADER), request.cookies.get(XSRF_COOKIE)):
                raise UploadError("This page has no right to send files; reload it.", 403)
            token = request.path_params["token"]
            if not uploads().belongs(token, visitors.asking(request)):
                raise UploadError(ENDED, 403)
            upload = await uploads().receive(
                token, request.query_params.get("name", ""), _length(request), _body(request)
            )
        except UploadError as error:
            # What is still on its way is not read: the connection cannot be used again.
            return JSONResponse(
                {"error": str(error)}, error.status, {"Cache-Control": "no-store", "Connection": "close"}
            )
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:  # noqa: BLE001 - the browser reads a sentence, the log what it was
            return JSONResponse({"error": incidents.record(error, "an upload")}, 500)
        told = {"id": upload.id, "name": upload.name, "file_bytes": upload.file_bytes}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    return [Route(f"{base}/augviz/upload/{{token}}", take, methods=["PUT"])]


def _length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    return int(text) if text and text.isdigit() else None


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk
