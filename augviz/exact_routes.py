"""The route of the pictures of exact previews. Starlette only: no Streamlit, no pixels."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from augviz import exact_preview, visitors
from augviz.answers import Answers
from augviz.web import UnknownKeyError, get_answers, guarded

_GONE = "This comparison is not there any more; make it again."
"""Also what who asks for somebody else's reads."""


def routes(base_path: str = "", answers: Callable[[], Answers] | None = None) -> list[Route]:
    """`GET augviz/exact/ID/NAME.jpg`: a picture of a comparison that its visitor's page still shows."""
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [Route(f"{base}/augviz/exact/{{comparison}}/{{name}}.jpg", guarded(_picture, answers or get_answers))]


async def _picture(request: Request, _answers: Answers) -> Response:
    found = exact_preview.find(request.path_params["comparison"], visitors.asking(request))
    picture = found.pictures.get(request.path_params["name"]) if found else None
    if picture is None:
        raise UnknownKeyError(_GONE)
    return Response(picture, headers={"Cache-Control": "private, no-store"}, media_type="image/jpeg")
