"""What the pages ask of the workers and the table of recipes. The answers are shared with the routes, which keep them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from augviz import calibration, copies, estimates, imagenette, profiles, recipes, saved, sources, web
from augviz.answers import Question
from augviz.errors import ImageError
from augviz.estimates import Estimate
from augviz.facts import draw_from_json, facts_from_json
from augviz.model import Draw, ImageFacts, InputChoice, Pipeline
from augviz.recipes import Recipe
from augviz.sources import SourceRef
from augviz.ui import gate
from augviz.uploads import get_uploads


def recipe(source: SourceRef, pipeline: Pipeline, seed: int) -> Recipe:
    """What a picture is made from, read through a working copy where there is one. Raises ImageError if there is no image."""
    path = copies.path_for(sources.resolve(source), pipeline.input)
    return recipes.recipe_of(path, saved.dump(pipeline), seed)


def key_of(source: SourceRef, pipeline: Pipeline, seed: int) -> str:
    """The key of a recipe, remembered by the server so that this visitor can ask for its picture."""
    return recipes.register(recipe(source, pipeline, seed), gate.visitor())


def facts_of(source: SourceRef, choice: InputChoice) -> ImageFacts:
    """What the header of the original tells; with a working copy, windows are read by themselves.

    Raises ImageError where it cannot be opened.
    """
    path = sources.resolve(source)
    asked = recipes.recipe_of(path, saved.dump(Pipeline((), choice)), 0)
    args = {name: value for name, value in asked.args().items() if name in ("path", "input")}
    facts = facts_from_json(_ask(Question(("facts", asked), "describe", args, lane="desk"))["facts"])
    if copies.path_for(path, choice) != path:
        facts = replace(facts, region_readable=True)
    if source.kind == "upload":
        return replace(facts, name=sources.upload_of(source).name)
    return replace(facts, name=imagenette.photo(source.name).title) if source.kind == "imagenette" else facts


def draw_of(asked: Recipe) -> Draw:
    """What each step draws for the full-size image. Raises StepError where a step cannot be built or drawn."""
    return draw_from_json(_ask(Question(("draw", asked), "draw", asked.args(), lane="desk"))["draw"])


def draws_of(asked: Recipe, seeds: tuple[int, ...]) -> tuple[Draw, ...]:
    """The draws of a recipe with other seeds; those that cannot be made are left out."""
    args = {**asked.args(), "seeds": list(seeds)}
    found = _ask(Question(("draws", asked, seeds), "draws", args, lane="desk"))
    return tuple(draw_from_json(draw) for draw in found["draws"])


def report_of(asked: Recipe) -> Mapping[str, Any]:
    """What each step did to the pixels at preview scale: seconds, value ranges, histograms. Makes pixels."""
    return _ask(web.report_question(asked))


def _ask(question: Question) -> dict[str, Any]:
    try:
        return web.get_answers().call(question, visitor=gate.visitor()).value
    except ImageError as error:
        read = Path(str(question.args.get("path", "")))
        text = str(error).replace(read.name, copies.original_of(read).name) if read.name else str(error)
        raise ImageError(get_uploads().shown(text)) from error


def estimate_of(source: SourceRef, draw: Draw, facts: ImageFacts, choice: InputChoice) -> Estimate:
    """What a draw takes at full size, by costs and sizes alone, in a background job; read as `recipe` reads it.

    Args:
        facts: of the original, as `facts_of` gives them.
    """
    path = sources.resolve(source)
    if copies.path_for(path, choice) != path:
        facts = replace(facts, tile=(estimates.TILE_HEIGHT, estimates.TILE_HEIGHT), loader="tiffload")
    return estimates.by_costs(draw, facts, measured_costs(), profiles.THREADS)


def measured_costs() -> Mapping[str, Mapping[str, float]]:
    """CPU milliseconds per megapixel by format and transform, as measured on this machine; empty if they were not."""
    try:
        status = calibration.place().stat()
    except OSError:
        return {}
    return _costs(str(calibration.place()), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _costs(_path: str, _modified_ns: int, _size: int) -> Mapping[str, Mapping[str, float]]:
    """What the file of costs holds; it is read again when it has been written anew."""
    return calibration.stored()


def base_address() -> str:
    """Where augviz' own routes begin, as the browser sees it."""
    prefix = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{prefix}/augviz/" if prefix else "/augviz/"


def page_address(url_path: str) -> str:
    """Where a page of augviz is, as the browser sees it."""
    return base_address().removesuffix("augviz/") + url_path


def picture_address(source: SourceRef, pipeline: Pipeline, seed: int, side: int) -> str:
    """Address of a quick picture, `side` pixels on its longer side."""
    return f"{base_address()}picture/{key_of(source, pipeline, seed)}/quick.jpg?side={side}"


def session_id() -> str:
    """Names this visitor to the routes, so that only their own newer requests replace older ones."""
    if "session" not in st.session_state:
        st.session_state["session"] = secrets.token_urlsafe(9)
    return str(st.session_state["session"])


def thumb_address(
    source: SourceRef, choice: InputChoice, side: int = 256, bands: tuple[int, int, int] | None = None
) -> str:
    """Address of a small picture of the source itself; of three of its bands where they are given, from 1."""
    chosen = f"&bands={','.join(map(str, bands))}" if bands else ""
    return f"{base_address()}thumb/{key_of(source, Pipeline((), choice), 0)}.jpg?side={side}{chosen}"
