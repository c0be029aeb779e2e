"""The routes of Inspect: tiles, the values of a pixel, and the files of the viewer library. No pixels here.

Leaflet comes from the package XStatic-Leaflet and is served from here, so that a browser asks no other host.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from augviz.answers import Answers, Question
from augviz.errors import ArgumentError
from augviz.recipes import Recipe
from augviz.web import (
    KEEP,
    Bands,
    UnknownKeyError,
    answered_json,
    awaited,
    bands_of,
    get_answers,
    guarded,
    json_text,
    number_of,
    recipe_of,
)

TILE_DIGITS = 9
"""Of a level, column or row: more than any image has tiles."""

LEAFLET_FILES = {"leaflet.js": "text/javascript", "leaflet.css": "text/css"}


def routes(base_path: str = "", answers: Callable[[], Answers] | None = None) -> list[Route]:
    """The routes, below Streamlit's `server.baseUrlPath` where that is set. Arguments as for `web.routes`."""
    source = answers or get_answers
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [
        Route(f"{base}/augviz/tile/{{key}}/{{level}}/{{column}}/{{row}}", guarded(_tile, source)),
        Route(f"{base}/augviz/probe/{{key}}.json", guarded(_probe, source)),
        Route(f"{base}/augviz/leaflet/{{name}}", guarded(_leaflet, source)),
    ]


def tile_question(recipe: Recipe, level: int, column: int, row: int, bands: Bands = None) -> Question:
    """The question for a tile of the result."""
    args = {**recipe.args(), "level": level, "column": column, "row": row, "bands": bands}
    return Question(("tile", recipe, level, column, row, bands), "tile", args, blames=True)


def inspect_question(recipe: Recipe) -> Question:
    """The question for what a viewer of tiles has to know."""
    return Question(("inspect", recipe), "inspect", recipe.args(), lane="desk")


def probe_question(recipe: Recipe, x: int, y: int) -> Question:
    """The question for the values of a pixel of the result."""
    return Question(("probe", recipe, x, y), "probe", {**recipe.args(), "x": x, "y": y}, blames=True)


def window_question(recipe: Recipe, x: int, y: int, width: int, height: int) -> Question:
    """The question for the figures of a window of the result."""
    args = {**recipe.args(), "x": x, "y": y, "width": width, "height": height}
    return Question(("window", recipe, x, y, width, height), "window", args, blames=True)


async def _tile(request: Request, answers: Answers) -> Response:
    key, recipe = recipe_of(request)
    level, column, row = (_whole(request.path_params[name]) for name in ("level", "column", "row"))
    answer = await awaited(request, answers, tile_question(recipe, level, column, row, bands_of(request)))
    headers = {"Cache-Control": KEEP, "X-Augviz-Key": key, "X-Augviz-Meta": json_text(answer.value)}
    return Response(answer.blob, media_type="image/png" if level == 0 else "image/jpeg", headers=headers)


def _whole(text: str) -> int:
    """A number of a tile's address. Not Starlette's ":int": that raises ValueError for what is longer than Python converts."""
    if not (text.isascii() and text.isdecimal() and len(text) <= TILE_DIGITS):
        raise UnknownKeyError("There is no such tile.")
    return int(text)


async def _probe(request: Request, answers: Answers) -> Response:
    key, recipe = recipe_of(request)
    x, y = number_of(request, "x", None), number_of(request, "y", None)
    if x is None or y is None:
        raise ArgumentError("x and y must be given.")
    return answered_json(key, await awaited(request, answers, probe_question(recipe, x, y)))


async def _leaflet(request: Request, answers: Answers) -> Response:
    name = request.path_params["name"]
    if name not in LEAFLET_FILES:
        raise UnknownKeyError("There is no such file.")
    return FileResponse(leaflet_folder() / name, media_type=LEAFLET_FILES[name], headers={"Cache-Control": KEEP})


@lru_cache(maxsize=1)
def leaflet_folder() -> Path:
    """Where XStatic-Leaflet keeps its files; nothing of it is imported."""
    spec = importlib.util.find_spec("xstatic.pkg.leaflet")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"
