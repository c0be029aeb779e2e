"""What requests to the worker have in common: the image, the pipeline and the draw they ask for, and how failures are told."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyvips

from augviz import blame, copies, engine, saved, view
from augviz.context import Context
from augviz.engine import Drawn
from augviz.errors import ImageError
from augviz.firing import Firing, words
from augviz.headers import describe
from augviz.images import base, open_image
from augviz.loading import read_problem
from augviz.model import Header, InputChoice, Pipeline
from augviz.recorder import guarded

_DRAWS: OrderedDict[tuple[object, ...], Drawn] = OrderedDict()
_DRAWS_KEPT = 64


def pipeline_of(args: Mapping[str, Any]) -> Pipeline:
    return saved.load(args["pipeline"])


def choice_of(args: Mapping[str, Any]) -> InputChoice:
    """`input` where it is given, else the pipeline's own; what is neither is the faithful image."""
    choice = args.get("input") or args.get("pipeline", {}).get("input") or {}
    return saved.load({"format": 1, "input": choice, "steps": []}).input


def drawn_for(shape: Header, args: Mapping[str, Any]) -> Drawn:
    """The draw of a request; the last few are kept, since a picture, its finer version and its report share one."""
    pipeline = pipeline_of(args)
    key = (shape, saved.canonical(pipeline), args["seed"], guarded())
    if key not in _DRAWS:
        _DRAWS[key] = engine.draw(shape, pipeline, args["seed"])
        while len(_DRAWS) > _DRAWS_KEPT:
            _DRAWS.popitem(last=False)
    _DRAWS.move_to_end(key)
    return _DRAWS[key]


def source_of(args: Mapping[str, Any]) -> tuple[Header, view.Base]:
    path, choice = args["path"], choice_of(args)
    return describe(path, choice).header, lambda width, height: base(path, choice, width, height)


def fed_of(args: Mapping[str, Any]) -> pyvips.Image:
    """What the pipeline is fed, from the file that the visitor has chosen, also where a working copy of it is read."""
    return open_image(copies.original_of(Path(args["path"])), choice_of(args))


def prefix(firings: tuple[Firing, ...], upto: int | None) -> tuple[Firing, ...]:
    """The firings up to and with the leaf at position `upto`; all for None, none for 0."""
    if upto is None:
        return firings
    last = max((number for number, f in enumerate(firings, start=1) if f.position <= upto), default=0)
    return firings[:last]


def shape_json(shape: Header) -> dict[str, Any]:
    return {"width": shape.width, "height": shape.height, "bands": shape.bands, "format": shape.format}


def finite(value: float | None) -> float | None:
    """JSON has no NaN: an unknown limit is None."""
    return None if value is None or value != value or value in (float("inf"), float("-inf")) else float(value)


def watched(context: Context) -> view.Hold:
    """Makes pixels that are given up when the request is."""
    return lambda image: context.watch(image.copy()).copy_memory()


@contextlib.contextmanager
def explained(args: Mapping[str, Any], context: Context) -> Iterator[None]:
    """Turn a failure of libvips while pixels are made into the file's or a step's: lazy pipelines do not say which."""
    try:
        yield
    except pyvips.Error as error:
        context.check()
        if (problem := read_problem(error, args["path"])) is not None:
            raise problem from error
        blame.blame(open_image(args["path"], choice_of(args)), pipeline_of(args), args["seed"], context)
        raise ImageError(f"The pixels could not be made: {words(error)}") from error
