"""Full-size results as files for a visitor: the formats, what a file takes, and the job that makes it. No pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from augviz import copies
from augviz.arrivals import display_name
from augviz.child import Answer
from augviz.errors import AugvizError, ImageError
from augviz.jobs import Job, start_job
from augviz.model import BYTES_PER_VALUE, Draw, Header
from augviz.recipes import Recipe
from augviz.settings import get_settings
from augviz.sources import IMAGE_SUFFIXES
from augviz.units import bytes_text
from augviz.upload_session import Upload
from augviz.uploads import Uploads, get_uploads

THREADS = 2
"""libvips' threads of a job, so that previews stay quick beside it."""

TILE_PX, TILE_ENTRY_BYTES = 256, 16
"""Sides of a TIFF's tiles, which are stored whole, and what each takes in the file's tables."""

HEADER_BYTES = 4096
"""More than the header of any of the files takes."""

FUNCTION = "apply_file"


@dataclass(frozen=True, slots=True)
class Form:
    """A format that results are written in.

    Attributes:
        suffix: ending of its files, by which the worker knows it.
        about: what becomes of the values, in a sentence.
    """

    title: str
    suffix: str
    about: str


TIFF = Form("TIFF", ".tif", "Tiled, not compressed, exact values (float64 as float32).")
NPY = Form("NumPy", ".npy", "Exactly the array or tensor that a training script gets.")
PNG = Form("PNG", ".png", "8 bit: uint8 as it is, uint16 divided by 257, others stretched from lowest to highest.")


@dataclass(frozen=True, slots=True)
class Making:
    """A file that is being made. Made by `start`.

    Attributes:
        name: what the visitor shall call it.
        source: the image that is read.
        ended: the file once it can be downloaded; raises what ended it (Cancelled, StepError, ImageError, ...).
    """

    name: str
    file_id: str
    source: Path
    job: Job = field(repr=False)
    ended: Future[Upload] = field(repr=False)

    def trouble(self, error: BaseException) -> str:
        """What ended it, as a sentence with the names that the visitor knows."""
        text = str(error).replace(self.file_id, self.name)
        text = get_uploads().shown(text.replace(self.source.name, copies.original_of(self.source).name))
        return text.replace(f"{FUNCTION}:", f"{self.name}:")


def forms(result: Header) -> tuple[Form, ...]:
    """The formats that can hold a result."""
    is_real = result.format not in ("complex", "dpcomplex")
    return (TIFF, NPY, PNG) if is_real and 1 <= result.bands <= 4 else (TIFF, NPY)


def file_bytes(result: Header, form: Form) -> int:
    """Bytes that the file takes at most; a PNG mostly takes less."""
    if form == TIFF:
        value = 4 if result.format == "double" else BYTES_PER_VALUE[result.format]
        tiles = math.ceil(result.width / TILE_PX) * math.ceil(result.height / TILE_PX)
        return tiles * (TILE_PX * TILE_PX * result.bands * value + TILE_ENTRY_BYTES) + HEADER_BYTES
    value = 1 if form == PNG else BYTES_PER_VALUE[result.format]
    return result.width * result.height * result.bands * value + HEADER_BYTES


def file_name(image_name: str, seed: int, form: Form) -> str:
    """What the file is called: the image's name with the seed, `ihc_seed7.tif`."""
    name = display_name(image_name)
    stem = Path(name).stem if Path(name).suffix.lower() in IMAGE_SUFFIXES else name
    return display_name(f"{stem}_seed{seed}{form.suffix}")


def check_room(name: str, needed: int, uploads: Uploads | None = None) -> None:
    """Raises ImageError where a result is larger than the cache folder may be, or the disk has no room for it."""
    limit = get_settings().cache_quota_bytes
    if needed > limit:
        raise ImageError(
            f"{name}: it takes up to {bytes_text(needed)}, but results of at most {bytes_text(limit)} are written here."
        )
    free = (uploads or get_uploads()).free_bytes()
    if needed > free:
        raise ImageError(
            f"{name}: it takes up to {bytes_text(needed)}, but {bytes_text(free)} are free for it on the disk."
        )


def start(
    recipe: Recipe, key: str, draw: Draw, form: Form, image_name: str, token: str, uploads: Uploads | None = None
) -> Making:
    """Start the job that makes the full-size result of a recipe, as a file of a visitor's session.

    It is made from the original where a working copy differs from it, and kept when it is whole, whether or not a page
    asks. If the job fails or is cancelled, or the session ends, nothing of it is left.

    Args:
        key: the recipe's key, which the file's note names.
        draw: the recipe's draw, for the size of the result.
        image_name: what the image is called.
        token: the session.

    Raises:
        ImageError: there is no room for it.
        UploadError: the session has ended.
        WorkerError: too many jobs are running.
    """
    kept = uploads or get_uploads()
    name = file_name(image_name, recipe.seed, form)
    needed = file_bytes(draw.result, form)
    check_room(name, needed, kept)
    file_id, path = kept.place(token, name, needed)
    settings, source = get_settings(), copies.exact_path(Path(recipe.path))
    try:
        job = start_job(
            FUNCTION,
            {**recipe.args(), "path": str(source), "window": None, "side": None, "out": str(path)},
            seconds=settings.job_seconds,
            memory_bytes=settings.job_memory_bytes,
            threads=THREADS,
            visitor=kept.visitor_of(token),
        )
    except AugvizError:
        kept.remove(token, file_id)
        raise
    making = Making(name, file_id, source, job, Future())
    kept.stop_with(token, file_id, job.cancel)

    def end(future: Future[Answer]) -> None:
        try:
            upload = kept.adopt(token, file_id, note_of(recipe.seed, key, future.result().value))
        except BaseException as error:  # noqa: BLE001 - raised where the file is asked for
            kept.remove(token, file_id)
            making.ended.set_exception(error)
        else:
            making.ended.set_result(upload)

    job.future.add_done_callback(end)
    return making


def note_of(seed: int, key: str, written: Mapping[str, Any]) -> str:
    """Which recipe a file holds, and which of its values became 0 and 255 where they were mapped."""
    note = f"seed {seed}, recipe {key}"
    if written.get("mapping", "as it is") == "as it is":
        return note
    low, high = (f"{written[end]:.6g}".replace("-", "−") for end in ("low", "high"))
    return f"{note}, values from {low} to {high} as 0 to 255"
