"""One image in several forms, read by the same pipeline: what is compared, what it takes, and what came of it in words.

Because a lossy form has other pixels, only times are compared. Makes no pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from augviz import forms
from augviz.errors import ImageError
from augviz.forms import FORMS, Form
from augviz.model import Header, InputChoice, Pipeline
from augviz.profiles import Failed, Profile, Repeats
from augviz.settings import get_settings
from augviz.units import bytes_text, seconds_text
from augviz.uploads import Uploads

WINDOW_PX = 512
"""Sides of the window that is read at the centre."""

OWN = "own"
"""The name of the file as it is, among the forms."""

DECODED_ON_DISK_BYTES = 100 * 2**20
"""A larger image that is not tiled is decoded by libvips into a temporary file (its own default)."""

STARTING_SECONDS = 1.5
"""What each fresh process takes before it measures."""

_KINDS = {
    "jpegload": "JPEG",
    "pngload": "PNG",
    "webpload": "WebP",
    "gifload": "GIF",
    "heifload": "HEIF",
    "openslideload": "slide",
    "jp2kload": "JPEG 2000",
    "jxlload": "JPEG XL",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared.

    Attributes:
        path: the original, not a working copy of it.
        name: what the image is called.
        kind: what file it is, in words: "JPEG", "tiled TIFF".
        loader: libvips' name of what reads it.
        stored: of the chosen page and level, not turned and with all bands.
        pipeline: with what it is fed.
        seconds: about how long the pipeline takes on the whole image.
        repeats: of every figure, after a warm-up.
    """

    path: str
    name: str
    kind: str
    loader: str
    stored: Header
    pipeline: Pipeline
    seed: int
    seconds: float
    repeats: int

    @property
    def form_choice(self) -> InputChoice:
        """How a form of it is read: page and level are chosen already."""
        choice = self.pipeline.input
        return InputChoice(upright=choice.upright, bands=choice.bands, as_8_bit=choice.as_8_bit)

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that can hold it."""
        return tuple(form for form in FORMS if not forms.reason_against(form, self.stored))


@dataclass(frozen=True, slots=True)
class Written:
    """A form that was written. `options` are those of the original's loader, which choose page and level."""

    file_bytes: int
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """How soon the first window is there: `place` is its x, y, width and height in pixels."""

    seconds: Repeats
    place: tuple[int, int, int, int]
    peak_bytes: int | None
    baseline_bytes: int | None

    @property
    def increase_bytes(self) -> int | None:
        """Peak memory over the baseline."""
        if self.peak_bytes is None or self.baseline_bytes is None:
            return None
        return max(0, self.peak_bytes - self.baseline_bytes)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one form.

    Attributes:
        name: `OWN` or that of a form.
        file_bytes: None where it was not written.
        read_bytes: of its pixels in memory.
        command: what makes such a file in a shell; "" for the file as it is.
    """

    name: str
    title: str
    file_bytes: int | None
    read_bytes: int
    whole: Profile | Failed
    window: Window | Failed
    command: str

    @property
    def bytes_per_second(self) -> float | None:
        """Of pixels in memory, read and worked by the whole pipeline; None where that was not measured."""
        if isinstance(self.whole, Failed) or self.whole.wall.median <= 0:
            return None
        return self.read_bytes / self.whole.wall.median


def kind_of(loader: str, is_tiled: bool) -> str:
    """What a file is called, by what reads it."""
    if loader.startswith("tiffload"):
        return "tiled TIFF" if is_tiled else "strip TIFF"
    return _KINDS.get(loader, "file")


# Before the start


def needed_bytes(subject: Subject) -> int:
    """Bytes of the disk that are needed at most: of the largest form, and of what is decoded into a temporary file."""
    decoded = forms.image_bytes(subject.stored)
    files = [forms.file_bytes(form, subject.stored) for form in subject.forms]
    return max(files, default=0) + (decoded if decoded > DECODED_ON_DISK_BYTES else 0)


def expected_seconds(subject: Subject) -> float:
    """About how long everything takes."""
    runs = subject.repeats + 1  # with the warm-up
    size = forms.relative_size(subject.stored)
    total = runs * (subject.seconds + FORMS[0].read_seconds * size) + 2 * STARTING_SECONDS
    for form in subject.forms:
        window = 0.0 if form.name == "pyramid" else form.read_seconds * size
        total += form.write_seconds * size + runs * (subject.seconds + window) + 3 * STARTING_SECONDS
    return total


def check(subject: Subject, uploads: Uploads) -> None:
    """Raises ImageError where the disk has no room for the forms, or one process would take longer than is allowed."""
    limit = get_settings().job_seconds
    size = forms.relative_size(subject.stored)
    runs = (subject.repeats + 1) * subject.seconds
    longest = max([runs, *(form.write_seconds * size for form in subject.forms)])
    if longest > limit:
        raise ImageError(
            f"{subject.name}: one of these measurements takes about {seconds_text(longest)}, and a job is ended after "
            f"{seconds_text(limit)}; take fewer repeats or a smaller image."
        )
    needed, quota, free = needed_bytes(subject), get_settings().cache_quota_bytes, uploads.free_bytes()
    if needed > quota:
        raise ImageError(
            f"{subject.name}: a form of it takes up to {bytes_text(needed)} of the disk, but files of at most "
            f"{bytes_text(quota)} are written here."
        )
    if needed > free:
        raise ImageError(
            f"{subject.name}: a form of it takes up to {bytes_text(needed)} of the disk, where {bytes_text(free)} are free."
        )


# What came of it


def rows(subject: Subject, outcomes: Mapping[str, Any], own_bytes: int | None) -> tuple[Row, ...]:
    """The file as it is, then every form, also those that cannot hold the image.

    Args:
        outcomes: of the series' figures, by their names; what is missing was not measured.
        own_bytes: of the file as it is.
    """
    read = forms.image_bytes(subject.stored)
    missing = Failed("It was not measured.")
    found = [
        Row(
            OWN,
            f"This {subject.kind}",
            own_bytes,
            read,
            outcomes.get(f"{OWN}.whole", missing),
            outcomes.get(f"{OWN}.window", missing),
            "",
        )
    ]
    for form in FORMS:
        made = outcomes.get(f"{form.name}.write", missing)
        if reason := forms.reason_against(form, subject.stored):
            made = Failed(reason)
        is_there = isinstance(made, Written)
        command = "" if reason else command_line(subject, form, made.options if is_there else ())
        found.append(
            Row(
                form.name,
                form.title,
                made.file_bytes if is_there else None,
                read,
                outcomes.get(f"{form.name}.whole", missing) if is_there else made,
                outcomes.get(f"{form.name}.window", missing) if is_there else made,
                command,
            )
        )
    return tuple(found)


def command_line(subject: Subject, form: Form, options: Iterable[tuple[str, Any]] = ()) -> str:
    """What makes the form of the original in a shell."""
    return forms.command_line(subject.name, form, subject.stored.format, subject.loader, options)


ALIKE = 2.0
"""A window that is there within so many times what the pyramid takes is called as quick."""


def sentences(found: tuple[Row, ...]) -> tuple[str, ...]:
    """What the figures say: of the first window, of the whole, and what to do. Fewer where something is missing."""
    by_name = {row.name: row for row in found}
    own, pyramid = by_name[OWN], by_name["pyramid"]
    told: list[str] = []
    if isinstance(own.window, Window) and isinstance(pyramid.window, Window):
        told.append(_of_windows(own, own.window, pyramid.window))
    measured = [(row, row.whole) for row in found if isinstance(row.whole, Profile)]
    if len(measured) > 1:
        told.append(_of_wholes(measured))
    return tuple(told)


def _of_windows(own: Row, mine: Window, tiled: Window) -> str:
    what = _named(own)
    before, after = (seconds_text(one.seconds.median) for one in (mine, tiled))
    if mine.seconds.median <= ALIKE * tiled.seconds.median:
        return (
            f"The first window of {what} is there after {before}, of a tiled pyramid after {after}: no need to convert."
        )
    return (
        f"Reading {what} costs {before} before the first window is there; a tiled pyramid gives it in {after}: "
        "convert it once with the command below."
    )


def _of_wholes(measured: list[tuple[Row, Profile]]) -> str:
    slow, slowest = max(measured, key=lambda pair: pair[1].wall.median)
    quick, quickest = min(measured, key=lambda pair: pair[1].wall.median)
    if max(quickest.wall.values) >= min(slowest.wall.values):
        return f"The whole pipeline takes about {seconds_text(quickest.wall.median)} from every form: repeats differ as much."
    return (
        f"The whole pipeline is quickest from {_named(quick)} ({seconds_text(quickest.wall.median)}) and slowest from "
        f"{_named(slow)} ({seconds_text(slowest.wall.median)})."
    )


def _named(row: Row) -> str:
    """A row within a sentence: "this JPEG", "PNG", "the tiled pyramid"."""
    if row.name == OWN:
        return f"{row.title[0].lower()}{row.title[1:]}"
    return row.title if row.name in ("jpeg", "png") else f"the {row.title[0].lower()}{row.title[1:]}"


def size_text(subject: Subject) -> str:
    """What everything takes, before the start."""
    return (
        f"about {seconds_text(expected_seconds(subject))} (est.) and up to {bytes_text(needed_bytes(subject))} of the disk "
        "at a time"
    )
