"""Exact previews: the job that makes one, what it found as values and sentences, and its pictures. No pixels here.

The pictures are held by the comparison alone, and that by the page that shows it: with the visitor's session all of it goes.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

from augviz import copies, full_size
from augviz.child import Answer
from augviz.errors import AugvizError
from augviz.jobs import Job, start_job
from augviz.model import Draw, Truth
from augviz.recipes import Recipe
from augviz.settings import get_settings
from augviz.units import seconds_text
from augviz.uploads import Uploads, get_uploads

SIDE = 1024
"""Of the pictures, in pixels: that of Explore's fine picture."""

QUALITIES = ("fine", "precise")
"""Of the preview that is compared."""

PICTURES = ("exact", "preview", "difference")
"""Names of the pictures, in the order in which the worker gives them."""

FUNCTION = "compare_exact"
TEMPORARY = "full-size-result.tif"

SEEN_BELOW_DB, CLOSE_BELOW_DB, UNSEEN_FROM_DB = 34.0, 40.0, 46.0
"""Below the first, differences are seen; below the second at fine edges; from the third on nobody sees them."""


@dataclass(frozen=True, slots=True)
class Band:
    """One band's mean and standard deviation, in the result's own values, of both pictures; None where not finite."""

    exact_mean: float | None
    exact_deviation: float | None
    preview_mean: float | None
    preview_deviation: float | None

    def off_by(self) -> float | None:
        """The larger difference of the two figures, as a share of the exact one; None where it is unknown."""
        pairs = ((self.preview_mean, self.exact_mean), (self.preview_deviation, self.exact_deviation))
        shares = []
        for found, expected in pairs:
            if found is None or expected is None:
                return None
            shares.append(abs(found - expected) / (abs(expected) or 1.0))
        return max(shares)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Comparison:
    """What a job has found. `find` gives it by its id to the visitor whose it is.

    Attributes:
        id: unguessable.
        visitor: who may ask for its pictures.
        key, seed: of the recipe.
        quality: of the preview, one of `QUALITIES`.
        decibels: PSNR of the preview against the shrunk full-size result; None where it has none (`identical`, or no range).
        identical: whether all pixels are the same.
        scale: full-size pixels per pixel of the pictures.
        statistical: names of the steps whose pixels differ by design.
        reasons: why the preview is no truer, in sentences.
        amplification: how many times larger differences are shown; `largest` is the largest, in levels of 255.
        mapping: how values became those of the pictures.
        exact_seconds, preview_seconds: what both took, wall time.
        pictures: JPEGs by their names.
    """

    id: str
    visitor: str
    key: str
    seed: int
    quality: str
    decibels: float | None
    identical: bool
    scale: float
    truth: Truth
    reasons: tuple[str, ...]
    width: int
    height: int
    full_width: int
    full_height: int
    is_8_bit: bool
    amplification: int
    largest: int
    mapping: str
    bands: tuple[Band, ...]
    exact_seconds: float
    preview_seconds: float
    pictures: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comparing:
    """A comparison that is being made. Made by `start`.

    Attributes:
        ended: the comparison once it is there; raises what ended it (Cancelled, StepError, ImageError, ...).
    """

    key: str
    file_id: str
    source: Path
    job: Job = field(repr=False)
    ended: Future[Comparison] = field(repr=False)

    def trouble(self, error: BaseException) -> str:
        """What ended it, as a sentence with the names that the visitor knows."""
        text = str(error).replace(self.file_id, "the full-size result")
        text = get_uploads().shown(text.replace(self.source.name, copies.original_of(self.source).name))
        return text.replace(f"{FUNCTION}:", "The exact preview:")


_kept: WeakValueDictionary[str, Comparison] = WeakValueDictionary()
_lock = threading.Lock()


def find(comparison_id: str, visitor: str = "") -> Comparison | None:
    """A comparison that some page still shows; None if there is none, or it is another visitor's."""
    with _lock:
        found = _kept.get(comparison_id)
    return found if found is not None and found.visitor == visitor else None


def start(
    recipe: Recipe,
    key: str,
    draw: Draw,
    token: str,
    *,
    quality: str = "fine",
    bands: tuple[int, ...] | None = None,
    visitor: str = "",
    uploads: Uploads | None = None,
) -> Comparing:
    """Start the job that makes the full-size result of a recipe and compares the preview with it.

    The result is written to a place of the visitor's session, which is removed when the job ends, however it ends, and with
    the session, whichever comes first. It is made from the original where a working copy differs from it.

    Args:
        key: the recipe's key.
        draw: the recipe's draw, for the size of the result.
        token: the session of the visitor's files.
        quality: of the preview.
        bands: the three that are shown, from 0.
        visitor: who may ask for the pictures.

    Raises:
        ImageError: there is no room for the result.
        UploadError: the session has ended.
        WorkerError: too many jobs are running.
    """
    kept, settings = uploads or get_uploads(), get_settings()
    needed = full_size.file_bytes(draw.result, full_size.TIFF)
    full_size.check_room("The full-size result", needed, kept)
    file_id, path = kept.place(token, TEMPORARY, needed)
    source = copies.exact_path(Path(recipe.path))
    asked = {"original": str(source), "side": SIDE, "quality": quality, "bands": bands, "out": str(path)}
    try:
        job = start_job(
            FUNCTION,
            {**recipe.args(), **asked},
            seconds=settings.job_seconds,
            memory_bytes=settings.job_memory_bytes,
            threads=full_size.THREADS,
            visitor=visitor or kept.visitor_of(token),
        )
    except AugvizError:
        kept.remove(token, file_id)
        raise
    comparing = Comparing(key, file_id, source, job, Future())
    kept.stop_with(token, file_id, job.cancel)

    def end(future: Future[Answer]) -> None:
        kept.remove(token, file_id)
        try:
            made = comparison_of(future.result(), key, recipe.seed, quality, visitor)
        except BaseException as error:  # noqa: BLE001 - raised where the comparison is asked for
            comparing.ended.set_exception(error)
        else:
            comparing.ended.set_result(made)

    job.future.add_done_callback(end)
    return comparing


def comparison_of(answer: Answer, key: str, seed: int, quality: str, visitor: str = "") -> Comparison:
    """A worker's answer as a value, which `find` knows from now on."""
    told = answer.value
    ends = list(itertools.accumulate(told["lengths"]))
    parts = [answer.blob[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]
    made = Comparison(
        id=secrets.token_urlsafe(18),
        visitor=visitor,
        key=key,
        seed=seed,
        quality=quality,
        decibels=told["decibels"],
        identical=told["identical"],
        scale=told["scale"],
        truth=Truth(told["truth"]),
        reasons=tuple(told["truth_reasons"]),
        width=told["width"],
        height=told["height"],
        full_width=told["full"]["width"],
        full_height=told["full"]["height"],
        is_8_bit=told["full"]["format"] == "uchar",
        amplification=told["amplification"],
        largest=told["largest"],
        mapping=told["mapping"],
        bands=tuple(Band(**band) for band in told["statistics"]),
        exact_seconds=told["exact_seconds"],
        preview_seconds=told["preview_seconds"],
        pictures=dict(zip(PICTURES, parts, strict=True)),
    )
    with _lock:
        _kept[made.id] = made
    return made


# In words


def decibels_text(found: Comparison) -> str:
    """`46.2 dB`, or what stands for it."""
    if found.identical:
        return "identical"
    return "unknown" if found.decibels is None else f"{found.decibels:.1f} dB"


def verdict(found: Comparison) -> str:
    """What the figure means, in a sentence or two."""
    if found.identical:
        return "The preview is the exact result: every pixel is the same."
    if found.decibels is None:
        return "The exact result has no range of values, so that no distance from it can be told."
    text = f"The preview is {decibels_text(found)} from the exact result: "
    if found.truth is Truth.STATISTICAL:
        return f"{text}its pixels differ by design, as noise does; compare the means and standard deviations instead."
    if found.truth is Truth.NOT_TO_SCALE:
        return f"{text}it cannot be shown to scale."
    return f"{text}its pixels are off by {_off(found)}, {_seen(found.decibels)}."


def _off(found: Comparison) -> str:
    """The root mean square of the differences, in words."""
    share = 10 ** (-(found.decibels or 0.0) / 20)
    return (
        f"{255 * share:.2g} of 255 levels (root mean square)" if found.is_8_bit else f"{100 * share:.2g} % of its range"
    )


def _seen(decibels: float) -> str:
    if decibels >= UNSEEN_FROM_DB:
        return "which nobody sees"
    if decibels >= CLOSE_BELOW_DB:
        return "which is hardly seen, even side by side"
    if decibels >= SEEN_BELOW_DB:
        return "which is seen at fine edges only, side by side"
    return "which is seen at edges and in fine texture"


def statistics_text(found: Comparison) -> str:
    """How near means and standard deviations are, in a sentence."""
    shares = [band.off_by() for band in found.bands]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares) or not known:
        return "Some values are no finite numbers, so that means cannot be compared."
    return f"Means and standard deviations of the bands agree within {max(known):.1%}."


def difference_text(found: Comparison) -> str:
    """What the picture of the difference shows."""
    if found.largest == 0:
        return "Difference: none at all"
    return f"Difference, {found.amplification} times amplified; at most {found.largest} of 255 levels"


def times_text(found: Comparison) -> str:
    """What both took."""
    return (
        f"The exact result took {seconds_text(found.exact_seconds)}, the preview {seconds_text(found.preview_seconds)}."
    )
