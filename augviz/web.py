"""The routes of pictures and figures. Starlette only: no Streamlit, no pixels; the workers make what is served.

An address holds the key of a recipe, so it always shows the same picture and browsers may keep it. A page says with
`session` and `topic` what an address is for: when the same topic asks for something else, the older request is dropped.
When a browser goes away its request is given up, unless somebody else waits for the same picture. A key answers to its own
visitor only; visitors who ask for the same recipe by keys of their own share its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from augviz import audit_kept, garbage, held_folder, incidents, visitors
from augviz.answers import Answers, Question, Waiter
from augviz.child import Answer
from augviz.errors import ArgumentError, AugvizError, Cancelled, ServerBusy, StepError
from augviz.model import QUALITIES
from augviz.once import Once
from augviz.recipes import Recipe, lookup
from augviz.settings import get_settings
from augviz.uploads import get_uploads, keep_swept
from augviz.workers import get_pool

MIN_SIDE, MAX_SIDE = 64, 2048
"""Sides of pictures in pixels; what is asked beyond is brought inside."""

MAX_BAND = 10_000

MAX_DIGITS = 18
"""Of a number in an address: whoever works with one has it in 64 bits."""

_POLL_SECONDS = 0.05  # how often a browser is looked after while its picture is made
KEEP = "private, max-age=3600, immutable"
_GUARDED = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}

NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#8a8f94" stroke-width="1.5" '
    'stroke-linecap="round"><rect x="3" y="5" width="18" height="14" rx="2"/><path d="M3 5l18 14"/></svg>'
)
"""What an image element shows where its picture cannot be made: browsers draw it whatever the status."""

Handler = Callable[[Request], Awaitable[Response]]


def routes(base_path: str = "", answers: Callable[[], Answers] | None = None) -> list[Route]:
    """The routes, below Streamlit's `server.baseUrlPath` where that is set.

    Args:
        answers: where answers come from; by default the server's own, made with its pool at the first request.
    """
    source = answers or get_answers
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [
        Route(f"{base}/augviz/picture/{{key}}/{{quality}}.jpg", guarded(_picture, source)),
        Route(f"{base}/augviz/report/{{key}}.json", guarded(_report, source)),
        Route(f"{base}/augviz/thumb/{{key}}.jpg", guarded(_thumb, source)),
    ]


@contextlib.asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Start the workers with the server, and end them with it; keep only the uploads of visitors who are there.

    What jobs of an earlier server were writing that was killed is removed.
    """
    pool, settings = get_pool(), get_settings()
    pool.warm()
    for name in ("copies", "synthetic"):
        held_folder.sweep_files(settings.cache_folder / name, settings.job_seconds)
    sweeping = (keep_swept(), audit_kept.keep_swept(), garbage.keep_collected())
    housekeeping = [asyncio.create_task(each) for each in sweeping]
    try:
        yield
    finally:
        for task in housekeeping:
            task.cancel()
        await asyncio.to_thread(get_uploads().close)
        await asyncio.to_thread(pool.close)


@Once
def get_answers() -> Answers:
    """The answers that the whole server shares."""
    return Answers(get_pool())


Bands = tuple[int, ...] | None
"""Three bands to be shown, from 0; None are the first."""


def picture_question(recipe: Recipe, side: int, quality: str, upto: int | None = None, bands: Bands = None) -> Question:
    """The question for a picture: a JPEG of the result, or after `upto` steps (0 is the source)."""
    args = {**recipe.args(), "side": side, "quality": quality, "upto": upto, "bands": bands}
    name, is_quick = ("picture", recipe, side, quality, upto, bands), quality == "quick"
    return Question(name, "picture", args, urgent=is_quick, patient=not is_quick, blames=True)


def report_question(recipe: Recipe) -> Question:
    """The question for the figures of every step."""
    return Question(("report", recipe), "report", recipe.args(), patient=True, blames=True)


def thumb_question(recipe: Recipe, side: int, bands: Bands = None) -> Question:
    """The question for the source for show; equal for every pipeline and seed."""
    args = recipe.args()
    asked = {"path": args["path"], "input": args["input"], "side": side, "bands": bands}
    name = ("original", recipe.path, recipe.stamp, json.dumps(args["input"], sort_keys=True), side, bands)
    return Question(name, "original", asked)


async def _picture(request: Request, answers: Answers) -> Response:
    key, recipe = recipe_of(request)
    quality = request.path_params["quality"]
    if quality not in QUALITIES:
        raise ArgumentError(f"quality must be one of {', '.join(QUALITIES)}, got {quality!r}.")
    side, upto = _side(request, 1024), number_of(request, "upto", None)
    if upto is not None and upto < 0:
        raise ArgumentError(f"upto must be at least 0, got {upto}.")
    return await _jpeg(request, answers, key, picture_question(recipe, side, quality, upto, bands_of(request)))


async def _report(request: Request, answers: Answers) -> Response:
    key, recipe = recipe_of(request)
    return answered_json(key, await awaited(request, answers, report_question(recipe)))


def answered_json(key: str, answer: Answer) -> Response:
    """An answer's value, which the browser may keep."""
    headers = {"Cache-Control": KEEP, "X-Augviz-Key": key}
    return Response(json_text(answer.value), media_type="application/json", headers=headers)


async def _thumb(request: Request, answers: Answers) -> Response:
    key, recipe = recipe_of(request)
    return await _jpeg(request, answers, key, thumb_question(recipe, _side(request, 256), bands_of(request)))


async def _jpeg(request: Request, answers: Answers, key: str, question: Question) -> Response:
    answer = await awaited(request, answers, question)
    headers = {"Cache-Control": KEEP, "X-Augviz-Key": key, "X-Augviz-Meta": json_text(answer.value)}
    return Response(answer.blob, media_type="image/jpeg", headers=headers)


async def awaited(request: Request, answers: Answers, question: Question) -> Answer:
    """Wait for the answer as long as the browser does. Raises what the computation raises, Cancelled if it has gone."""
    query, visitor = request.query_params, visitors.asking(request)
    session = f"{visitor}/{query['session']}" if query.get("session") else ""
    waiter = answers.ask(question, session=session, topic=query.get("topic", ""), visitor=visitor)
    done = _event_of(waiter)
    try:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _POLL_SECONDS)
            if not done.is_set() and await request.is_disconnected():
                break
    finally:
        if not waiter.future.done():
            answers.leave(waiter)
    return waiter.future.result()


def _event_of(waiter: Waiter) -> asyncio.Event:
    """An event of this loop that is set when the future is done, whichever thread settles it."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(_future: object) -> None:
        with contextlib.suppress(RuntimeError):  # the server has been stopped: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    waiter.future.add_done_callback(tell)
    return done


def guarded(handler: Callable[[Request, Answers], Awaitable[Response]], answers: Callable[[], Answers]) -> Handler:
    """The boundary of the routes: an error of the family becomes a sentence, anything else is logged as a bug."""

    async def endpoint(request: Request) -> Response:
        try:
            response = await handler(request, answers())
        except UnknownKeyError as error:
            response = _refusal(request, 404, {"error": str(error)})
        except Cancelled as error:
            response = _refusal(request, 409, {"error": str(error), "class": "Cancelled"})
        except ServerBusy as error:
            response = _refusal(request, 503, _told(error))
            response.headers["Retry-After"] = str(retry_seconds(error.ahead))
        except AugvizError as error:
            response = _refusal(request, 422, _told(error))
        except Exception as error:  # noqa: BLE001 - the browser reads a sentence, the log what it was
            said = incidents.record(error, f"the route {handler.__name__.strip('_')}")
            response = _refusal(request, 500, {"error": said})
        response.headers.update(_GUARDED)
        return response

    return endpoint


def retry_seconds(ahead: int) -> int:
    """After how long it is worth asking again where so many requests are before; 1 to 10 seconds."""
    return min(10, 1 + ahead // 10)


class UnknownKeyError(Exception):
    """The address stands for nothing, or not any more."""


def recipe_of(request: Request) -> tuple[str, Recipe]:
    key = request.path_params["key"]
    recipe = lookup(key, visitors.asking(request))
    if recipe is None:
        raise UnknownKeyError("This picture is not known any more; reload the page to make it anew.")
    get_uploads().touch_path(recipe.path)
    return key, recipe


def _side(request: Request, default: int) -> int:
    return min(MAX_SIDE, max(MIN_SIDE, number_of(request, "side", default) or 0))


def bands_of(request: Request) -> Bands:
    """The bands to be shown, from 1 in the address: "4,3,2"."""
    text = request.query_params.get("bands")
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) <= 5 and 1 <= int(part) <= MAX_BAND for part in parts):
        raise ArgumentError(f"bands must be three numbers from 1 to {MAX_BAND}, such as 4,3,2, got {text[:40]!r}.")
    return tuple(int(part) - 1 for part in parts)


def number_of(request: Request, name: str, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        if len(text) > MAX_DIGITS:
            raise ValueError
        return int(text)
    except ValueError:
        raise ArgumentError(f"{name} must be a whole number, got {text[:40]!r}.") from None


def _told(error: AugvizError) -> dict[str, Any]:
    told: dict[str, Any] = {"error": get_uploads().shown(str(error)), "class": type(error).__name__}
    if isinstance(error, StepError):
        told |= {"step_id": error.step_id, "transform": error.transform, "position": error.position}
    return told


def _refusal(request: Request, status: int, told: Mapping[str, Any]) -> Response:
    """The sentence; for an image element, which cannot show one, a crossed-out frame with the same status."""
    headers = {"Cache-Control": "no-store"}
    if "image/" in request.headers.get("accept", ""):
        return Response(NO_PICTURE, status, headers, media_type="image/svg+xml")
    return JSONResponse(told, status, headers)


def json_text(value: Any) -> str:
    """Compact ASCII JSON that browsers read: a number that is not finite becomes null, which means unknown."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
