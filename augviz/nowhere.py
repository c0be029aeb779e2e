"""What is answered below our addresses where there is no route: Streamlit would answer with its page. Starlette only."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

NO_ADDRESS = "There is nothing at this address."


def routes(base_path: str, others: Sequence[BaseRoute]) -> list[Route]:
    """The route that comes after the others of ours, below Streamlit's `server.baseUrlPath` where that is set.

    It answers 404, and 405 where one of the others has the address but not the method.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [Route(f"{base}/augviz/{{path:path}}", _Nowhere(others), name="nowhere")]


class _Nowhere:
    """An ASGI app and no function: Starlette would let a function answer GET and HEAD only."""

    def __init__(self, others: Sequence[BaseRoute]) -> None:
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = {method for one in self._others for method in _methods(one, scope)}
        await _answer(Request(scope), sorted(methods))(scope, receive, send)


def _methods(route: BaseRoute, scope: Scope) -> set[str]:
    """What a route that has the address takes; nothing for one that has not."""
    return set(getattr(route, "methods", None) or ()) if route.matches(scope)[0] is not Match.NONE else set()


def _answer(request: Request, methods: Sequence[str]) -> Response:
    sentence = f"This address takes {' and '.join(methods)} only." if methods else NO_ADDRESS
    headers = {"Cache-Control": "no-store", **({"Allow": ", ".join(methods)} if methods else {})}
    status = 405 if methods else 404
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse(sentence, status, headers)
    return JSONResponse({"error": sentence}, status, headers)
