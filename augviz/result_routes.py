"""The routes of files to keep: contact sheets and audits' tables, made on request, and full-size results.

Starlette only: no Streamlit, no pixels.
People follow these links, so that what goes wrong is a page of one sentence for them, and JSON for everybody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from augviz import audit_jobs, audit_table, copies, incidents, visitors
from augviz.answers import Answers, Question
from augviz.errors import ArgumentError, AugvizError, Cancelled, ImageError, ServerBusy
from augviz.model import MAX_DRAWS
from augviz.recipes import Recipe, lookup
from augviz.uploads import GONE, Uploads, get_uploads
from augviz.web import awaited, get_answers

SHEET_NAME = "contact-sheet.png"
TABLE_NAME = "audit.csv"

_HEADERS = {
    "Cache-Control": "private, no-store",  # deleted means deleted, in the browser too
    # Streamlit's middleware compresses what has no encoding: gigabytes, to hardly less, and without their length.
    "Content-Encoding": "identity",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _NotThereError(Exception):
    """The address stands for nothing, or not any more."""


def routes(
    base_path: str = "", answers: Callable[[], Answers] | None = None, uploads: Callable[[], Uploads] = get_uploads
) -> list[Route]:
    """The routes, below Streamlit's `server.baseUrlPath` where that is set.

    `GET augviz/sheet/KEY.png?count=4` answers the contact sheet of a recipe's draws, from its seed on;
    `GET augviz/file/TOKEN/ID` a file that was made for a session, or the part of it that `Range` names;
    `GET augviz/audit/ID.csv` a line for each draw of an audit.

    Args:
        answers: where contact sheets come from; by default the server's own.
        uploads: whose sessions' files are served.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    source = answers or get_answers

    async def sheet(request: Request) -> Response:
        return await _sheet(request, source(), uploads())

    async def file(request: Request) -> Response:
        return _file(request, uploads())

    return [
        Route(f"{base}/augviz/sheet/{{key}}.png", _guarded(sheet, uploads)),
        Route(f"{base}/augviz/file/{{token}}/{{file_id}}", _guarded(file, uploads)),
        Route(f"{base}/augviz/audit/{{job_id}}.csv", _guarded(_table, uploads)),
    ]


def sheet_question(recipe: Recipe, count: int, name: str) -> Question:
    """The question for a contact sheet: a PNG of the original and `count` draws from the recipe's seed on."""
    return Question(("sheet", recipe, count, name), "contact_sheet", {**recipe.args(), "count": count, "name": name})


async def _sheet(request: Request, answers: Answers, uploads: Uploads) -> Response:
    key, count = request.path_params["key"], _count(request)
    recipe = lookup(key, visitors.asking(request))
    if recipe is None:
        raise _NotThereError("This contact sheet is not known any more; reload the page to make it anew.")
    uploads.touch_path(recipe.path)
    read = Path(recipe.path)
    name = uploads.shown(copies.original_of(read).name)
    try:
        answer = await awaited(request, answers, sheet_question(recipe, count, name))
    except ImageError as error:
        raise ImageError(str(error).replace(read.name, name)) from error
    headers = {**_HEADERS, "X-Augviz-Key": key, "Content-Disposition": f'attachment; filename="{SHEET_NAME}"'}
    return Response(answer.blob, media_type="image/png", headers=headers)


def _count(request: Request) -> int:
    text = request.query_params.get("count", "4")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_DRAWS):
        raise ArgumentError(f"count must be a whole number from 1 to {MAX_DRAWS}, got {text[:40]!r}.")
    return int(text)


def _file(request: Request, uploads: Uploads) -> Response:
    token = request.path_params["token"]
    try:
        if not uploads.belongs(token, visitors.asking(request)):
            raise _NotThereError(GONE)
        made = uploads.find_made(token, request.path_params["file_id"])
    except ImageError as error:
        raise _NotThereError(str(error)) from error
    try:
        status = made.path.stat()
    except OSError as error:
        raise _NotThereError(GONE) from error
    return FileResponse(made.path, filename=made.name, headers=_HEADERS, stat_result=status)


async def _table(request: Request) -> Response:
    job = audit_jobs.find(request.path_params["job_id"], visitors.asking(request))
    if job is None:
        raise _NotThereError("This audit is not known any more; audit once more to have its table.")
    pieces = audit_table.pieces(job.plan, job.records, job.visitor)
    first = await anext(pieces)  # what is wrong at once is a sentence

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{TABLE_NAME}"'}
    return StreamingResponse(body(), media_type="text/csv", headers=headers)


def _guarded(
    handler: Callable[[Request], Awaitable[Response]], uploads: Callable[[], Uploads]
) -> Callable[[Request], Awaitable[Response]]:
    """The boundary of the routes: an error of the family becomes a sentence, anything else is logged as a bug."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except _NotThereError as error:
            return _refusal(request, 404, str(error))
        except Cancelled as error:
            return _refusal(request, 409, str(error))
        except AugvizError as error:
            status = 503 if isinstance(error, ServerBusy) else 422
            return _refusal(request, status, uploads().shown(str(error)))
        except Exception as error:  # noqa: BLE001 - the browser reads a sentence, the log what it was
            return _refusal(request, 500, incidents.record(error, "a route of files"))

    return endpoint


def _refusal(request: Request, status: int, sentence: str) -> Response:
    headers = {**_HEADERS, "Cache-Control": "no-store"}
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse(sentence, status, headers)
    return JSONResponse({"error": sentence}, status, headers)
