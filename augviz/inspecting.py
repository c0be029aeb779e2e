"""The worker functions of Inspect: tiles, one pixel before and after each step, a window's figures. See `tasks`."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

import pyvips

from augviz import probing, saved, tiles
from augviz.asked import choice_of, drawn_for, explained, fed_of, finite, pipeline_of, shape_json, source_of, watched
from augviz.context import Context
from augviz.engine import Drawn
from augviz.headers import describe
from augviz.loading import check_file
from augviz.shown import encode_jpeg, encode_png, for_show
from augviz.tiles import Sheet

_KEPT = 4
"""Lazy images, and ranges, that are kept: a viewport asks for many tiles of one."""

_TILES_OF_ONE = 32
"""Tiles after which a lazy image is made anew: it holds pixels of all that it was asked for, more the wider it is."""

_Kept = TypeVar("_Kept")
_SHEETS: OrderedDict[Hashable, tuple[Sheet, Iterator[int]]] = OrderedDict()
_RANGES: OrderedDict[Hashable, tuple[float, float] | None] = OrderedDict()


def tile(args: dict[str, Any], context: Context) -> dict[str, Any] | tuple[dict[str, Any], bytes]:
    """{path, input, pipeline, seed, level, column, row, bands} -> a tile: PNG at level 0, whose pixels are exact, else JPEG.

    Tiles of one result are all shown with the same range of values.
    """
    shape, source = source_of(args)
    drawn, key = drawn_for(shape, args), _key(args)
    bands = tuple(args["bands"]) if args.get("bands") else None
    with explained(args, context):
        sheet = _sheet(
            (key, args["level"]), lambda: tiles.sheet(source, drawn, drawn.firings, args["level"], fed_of(args))
        )
        pixels = watched(context)(tiles.tile(sheet, args["column"], args["row"]))
        values = _kept(_RANGES, (key, bands), lambda: tiles.shown_range(source, drawn, drawn.firings, bands))
    shown, mapping = for_show(pixels, low_high=values, bands=bands)
    blob = encode_png(shown) if sheet.level == 0 else encode_jpeg(shown)
    meta = {
        "width": shown.width,
        "height": shown.height,
        "level": sheet.level,
        "truth": sheet.truth.value,
        "low": finite(mapping.get("low")),
        "high": finite(mapping.get("high")),
    }
    return meta, blob


def inspect(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed} -> what a viewer of tiles has to know; reads no pixels.

    Returns:
        {"width", "height", "bands", "format" (of the result), "sizes" (of each level, from full size on, [width, height]),
        "mpp" (microns per pixel, None where unknown), "shift" (where the original's top left corner lies in the result, so
        that what is in the result's middle lies on what it was made of), "resized" (result pixels for each of the original,
        across and down), "notes" (sentences to be said before tiles are paid for), "mapping" (how values are shown), "full",
        "reduced" (how true tiles are at full size and below: {"truth", "reasons"}), "source": {"width", "height", ...,
        "sizes"}}.
    """
    facts = describe(args["path"], choice_of(args))
    shape, _ = source_of(args)
    drawn, fed = drawn_for(shape, args), fed_of(args)
    result = drawn.draw.result
    return {
        **shape_json(result),
        "sizes": [list(size) for size in tiles.level_sizes(result.width, result.height)],
        "mpp": tiles.microns_per_pixel(drawn, facts.mpp_x),
        "shift": list(probing.shift(drawn)),
        "resized": list(tiles.resized(drawn)),
        "notes": list(tiles.said_before(drawn)),
        "mapping": tiles.mapping_words(result),
        "full": _truth(drawn, 0, fed),
        "reduced": _truth(drawn, 1, fed),
        "source": {
            **shape_json(shape),
            "sizes": [list(size) for size in tiles.level_sizes(shape.width, shape.height)],
        },
    }


def _truth(drawn: Drawn, level: int, fed: pyvips.Image) -> dict[str, Any]:
    truth, reasons = tiles.truth_at(drawn, drawn.firings, level, fed)
    return {"truth": truth.value, "reasons": list(reasons)}


def probe(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed, x, y} -> {"steps", "reasons"}: the result's pixel before and after each step.

    "reasons" say why they are no truer, as a tile's do; there are none where they are exact.
    """
    shape, source = source_of(args)
    drawn, fed = drawn_for(shape, args), fed_of(args)
    with explained(args, context):
        steps = probing.probe(source, drawn, args["x"], args["y"], fed)
        return {"steps": steps, "reasons": list(tiles.truth_of_full_size(drawn, drawn.firings, fed)[1])}


def window(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed, x, y, width, height} -> figures of a window at full size, before and after."""
    shape, source = source_of(args)
    rectangle = (args["x"], args["y"], args["width"], args["height"])
    with explained(args, context):
        return probing.window(source, drawn_for(shape, args), rectangle, fed_of(args), watched(context))


def _key(args: Mapping[str, Any]) -> Hashable:
    status = check_file(args["path"])
    pipeline = saved.canonical(pipeline_of(args))
    return args["path"], status.st_mtime_ns, status.st_size, choice_of(args), pipeline, args["seed"]


def _sheet(key: Hashable, make: Callable[[], Sheet]) -> Sheet:
    sheet, asked = _kept(_SHEETS, key, lambda: (make(), itertools.count(1)))
    if next(asked) >= _TILES_OF_ONE:
        del _SHEETS[key]
    return sheet


def _kept(place: OrderedDict[Hashable, _Kept], key: Hashable, make: Callable[[], _Kept]) -> _Kept:
    if key not in place:
        place[key] = make()
        while len(place) > _KEPT:
            place.popitem(last=False)
    place.move_to_end(key)
    return place[key]
