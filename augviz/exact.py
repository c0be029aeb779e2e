"""The exact preview: the full-size result really made, in a file, then shrunk, beside the view that stands for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from augviz import engine, fidelity, scale, view
from augviz.asked import choice_of, drawn_for, explained, finite, pipeline_of, shape_json, source_of, watched
from augviz.context import Context
from augviz.engine import Drawn
from augviz.images import open_image, tile_cached
from augviz.results import write_result
from augviz.shown import encode_jpeg, for_show, shown_bands, value_range

WRITTEN, SHRUNK = 0.9, 0.96
"""How much of the job is done when the full-size result is written, and when it is shrunk."""

JPEG_QUALITY = 95
"""Of pictures that are looked at for differences."""

MOST_AMPLIFIED = 64
"""Differences are shown at most this many times as large: beyond it, rounding to whole levels would be all there is to see."""


def compare(args: dict[str, Any], context: Context) -> tuple[dict[str, Any], bytes]:
    """{path, original, input, pipeline, seed, side, quality, bands, out} -> figures, and three pictures in one blob.

    The preview is made from `path`, the exact result from `original`, which is another file where `path` is a lossy working
    copy. `out` is a .tif that exists while the result is written and shrunk; whatever happens, this process removes it. The
    blob holds JPEGs of the exact result, of the preview, and of how far they differ, `lengths` bytes each.
    """
    started = time.perf_counter()
    exact = _exact(args, context)
    exact_seconds = time.perf_counter() - started
    context.progress(SHRUNK, "making the preview")
    shape, source = source_of(args)
    drawn = drawn_for(shape, args)
    started = time.perf_counter()
    with explained(args, context):
        s = view.fitted_scale(drawn, args["side"])
        seen = view.whole(source, drawn, s, args["quality"], hold=watched(context), bands=args.get("bands"))
        preview = watched(context)(seen.image)
    preview_seconds = time.perf_counter() - started
    context.progress(SHRUNK, "comparing")
    pictures, told = _pictures(exact, preview, args)
    decibels = fidelity.psnr(preview, exact)
    found = {
        "identical": decibels == fidelity.EXACT_DB,
        "decibels": finite(decibels),
        "scale": seen.scale,
        "truth": seen.truth.value,
        "truth_reasons": list(seen.reasons),
        "full": shape_json(drawn.draw.result),
        "width": exact.width,
        "height": exact.height,
        "statistics": _statistics(exact, preview),
        "exact_seconds": exact_seconds,
        "preview_seconds": preview_seconds,
        "lengths": [len(picture) for picture in pictures],
        **told,
    }
    return found, b"".join(pictures)


def _exact(args: Mapping[str, Any], context: Context) -> pyvips.Image:
    """The full-size result, shrunk to the size of the preview, in memory."""
    asked = {**args, "path": args["original"]}
    image = open_image(asked["path"], choice_of(asked))
    drawn = drawn_for(engine.header(image), asked)
    s, out = view.fitted_scale(drawn, args["side"]), Path(args["out"])

    def tell(fraction: float) -> None:
        context.progress(WRITTEN * fraction, "making the full-size result")

    tell(0.0)
    try:
        with explained(asked, context):
            write_result(context.watch(full_size(image, drawn, asked).copy()), out, progress=tell)
            context.progress(WRITTEN, "shrinking it")
            written = open_image(out)
            width, height = (max(1, round(side / s)) for side in (written.width, written.height))
            return context.watch(view.shrunk(written, width, height).copy()).copy_memory()
    finally:
        with contextlib.suppress(OSError):  # Windows keeps what is open; the server removes it with its folder
            out.unlink(missing_ok=True)


def full_size(image: pyvips.Image, drawn: Drawn, args: Mapping[str, Any]) -> pyvips.Image:
    """The full-size result of a draw, lazy, as the library makes it: through a tile cache where turned pixels are shrunk."""
    if not _shrinks_turned(drawn):
        return engine.apply(image, pipeline_of(args), args["seed"]).image
    for firing in drawn.firings:
        image = engine.replay(firing, image)
        if firing.name in scale.TURNING:
            image = tile_cached(image)
    return image


def _shrinks_turned(drawn: Drawn) -> bool:
    turned = False
    for firing in drawn.firings:
        if turned and scale.magnification(firing) < 1:
            return True
        turned = turned or firing.name in scale.TURNING
    return False


def _pictures(
    exact: pyvips.Image, preview: pyvips.Image, args: Mapping[str, Any]
) -> tuple[tuple[bytes, ...], dict[str, Any]]:
    """Both as a screen shows them, mapped alike, and their difference; how they were mapped and it was amplified."""
    exact = _marked_as(exact, preview)
    bands = args.get("bands")
    whole = exact.format in ("uchar", "ushort")
    low_high = None if whole else value_range(shown_bands(exact))
    shown, mapping = for_show(exact, low_high=low_high, bands=bands)
    beside, _ = for_show(preview, low_high=low_high, bands=bands)
    shown, beside = shown.copy_memory(), beside.copy_memory()
    apart, amplified, largest = difference(shown, beside)
    made = tuple(encode_jpeg(picture, JPEG_QUALITY) for picture in (shown, beside, apart))
    told = {"mapping": mapping["mapping"], "low": finite(mapping["low"]), "high": finite(mapping["high"])}
    return made, {**told, "amplification": amplified, "largest": largest}


def _marked_as(image: pyvips.Image, like: pyvips.Image) -> pyvips.Image:
    """`image` with the interpretation and the colour profile of `like`: a temporary file holds pixels only."""
    marked = image.copy(interpretation=like.interpretation)
    if like.get_typeof("icc-profile-data") != 0:
        marked.set_type(pyvips.GValue.blob_type, "icc-profile-data", like.get("icc-profile-data"))
    return marked


def difference(one: pyvips.Image, other: pyvips.Image) -> tuple[pyvips.Image, int, int]:
    """How far two 8-bit pictures are apart, the largest of each pixel's bands; grey, amplified so that it can be seen.

    Returns:
        the picture, how many times it was amplified (a power of two, so that a thousandth of the pixels are white at most),
        and the largest difference in levels.
    """
    gap = (one.cast("short") - other.cast("short")).abs().cast("uchar")
    if gap.bands > 1:
        first, *others = gap.bandsplit()
        gap = first.bandrank(others, index=len(others))
    gap = gap.copy_memory()
    usual = max(1.0, float(np.percentile(gap.numpy(), 99.9)))
    amplified = 1
    while amplified < MOST_AMPLIFIED and 2 * amplified * usual <= 255:
        amplified *= 2
    return (gap * amplified).cast("uchar").copy(interpretation="b-w"), amplified, int(gap.max())


def _statistics(exact: pyvips.Image, preview: pyvips.Image) -> list[dict[str, float | None]]:
    """Mean and standard deviation of each band of both."""
    names = ("exact_mean", "exact_deviation", "preview_mean", "preview_deviation")
    pairs = zip(fidelity.statistics(exact), fidelity.statistics(preview), strict=True)
    return [dict(zip(names, map(finite, (*one, *other)), strict=True)) for one, other in pairs]
