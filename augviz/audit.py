"""What an audit asks for, and what it finds of each draw: plans, seeds, findings. No pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augviz import saved
from augviz.errors import ArgumentError, AugvizError, FileAway, ImageError, OutOfMemory, StepError, WorkerTimeout
from augviz.model import Pipeline
from augviz.sources import IMAGE_SUFFIXES

MAX_SIDE = 1024
"""Pixels: an image none of whose stages is longer is drawn at full size, others are shrunk, unless full size is asked for."""

MAX_DRAWS = 1000
"""Draws of one image."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One image of a plan, or a folder below the plan's that cannot be read, which counts as one image that fails.

    Attributes:
        name: its path below the folder, with slashes; a folder's ends in one.
        file_bytes, modified_ns: the file's size and time of change, so that no finding of another file is believed.
        title: what people call it where its name is the server's own, as an upload's; else "".
        trouble: why the folder cannot be read, in a sentence; "" for an image.
    """

    name: str
    file_bytes: int
    modified_ns: int
    title: str = ""
    trouble: str = ""

    @property
    def stamp(self) -> str:
        return f"{self.file_bytes}-{self.modified_ns}"

    @property
    def was_there(self) -> bool:
        """Whether there was such a file when the audit was planned: a link may lead nowhere."""
        return (self.file_bytes, self.modified_ns) != (0, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an audit does.

    Attributes:
        folder: absolute; every worker must see it under this path.
        images: those that are drawn, by name.
        found: how many images the folder has.
        draws: of each image.
        seed: what the draws' seeds are made from, see `seed_of`.
        max_side: a longest side in pixels that images are shrunk to, None for full size.
    """

    folder: str
    images: tuple[Asked, ...]
    found: int
    pipeline: Pipeline
    draws: int = 1
    seed: int = 0
    max_side: int | None = MAX_SIDE

    def __post_init__(self) -> None:
        if not 1 <= self.draws <= MAX_DRAWS:
            raise ArgumentError(f"An audit makes 1 to {MAX_DRAWS} draws of each image, got {self.draws}.")
        if self.max_side is not None and self.max_side < 16:
            raise ArgumentError(f"Images are shrunk to a side of at least 16 pixels, got {self.max_side}.")

    @property
    def total(self) -> int:
        """How many draws it makes."""
        return len(self.images) * self.draws


def seed_of(seed: int, name: str, draw: int) -> int:
    """The seed of draw `draw` (from 0) of an image: the first 31 bits of SHA-256 of "seed:name:draw".

    It depends on nothing else, so that draws differ from image to image, and stay as they are when others are added.
    """
    text = f"{seed}:{name}:{draw}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.sha256(text).digest()[:4]) >> 1


def images_of(folder: Path, may: Callable[[Path], bool] = lambda path: True) -> tuple[Asked, ...]:
    """Every image below a folder, by name. What counts is the ending, as in a folder's listing; hidden names do not.

    Links to files are followed, links to folders are not. A folder in it that cannot be read is among them, with why.

    Args:
        may: whether a folder, or what a link leads to, may be looked at; others are left out.

    Raises:
        ImageError: there is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: there is no such folder.")
    found = []

    def note(error: OSError) -> None:
        place = Path(error.filename)
        if place == folder:
            raise ImageError(f"{folder}: the folder cannot be read: {error.strerror}.") from error
        name = f"{place.relative_to(folder).as_posix()}/"
        found.append(Asked(name, 0, 0, trouble=f"{name}: the folder cannot be read: {error.strerror}."))

    for place, folders, files in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".") and may(Path(place, name))]
        for name in files:
            path = Path(place, name)
            is_image = not name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES
            # Not `resolve`, which raises for a link to itself before Python 3.13.
            if is_image and (not path.is_symlink() or may(Path(os.path.realpath(path)))):
                found.append(_asked(path, folder))
    return tuple(sorted(found, key=lambda one: one.name.split("/")))


def _asked(path: Path, folder: Path) -> Asked:
    try:
        status = path.stat()
    except OSError:  # a dangling link, or gone since: the worker says so in a sentence
        return Asked(path.relative_to(folder).as_posix(), 0, 0)
    return Asked(path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)


def plan(
    folder: str | os.PathLike[str],
    pipeline: Pipeline,
    *,
    draws: int = 1,
    limit: int | None = None,
    seed: int = 0,
    max_side: int | None = MAX_SIDE,
) -> Plan:
    """The plan for a folder.

    Args:
        limit: how many images are drawn at most, evenly spread over the sorted names, so that every class is met. Folders
            that cannot be read are told beside them.

    Raises:
        ImageError: there is no such folder, or no image in it.
        ArgumentError: a number is out of its range.
    """
    place = Path(folder).absolute()
    found = images_of(place)
    if not found:
        raise ImageError(f"{folder}: there is no image in this folder.")
    return plan_of(place, found, pipeline, draws=draws, limit=limit, seed=seed, max_side=max_side)


def plan_of(
    folder: Path,
    found: Sequence[Asked],
    pipeline: Pipeline,
    *,
    draws: int = 1,
    limit: int | None = None,
    seed: int = 0,
    max_side: int | None = MAX_SIDE,
) -> Plan:
    """The plan for some files below a folder. Arguments and errors as for `plan`."""
    if limit is not None and limit < 1:
        raise ArgumentError(f"An audit draws at least 1 image, got a limit of {limit}.")
    images = [one for one in found if not one.trouble]
    kept = len(images) if limit is None else min(limit, len(images))
    chosen = {images[number * len(images) // kept] for number in range(kept)}
    asked = tuple(one for one in found if one.trouble or one in chosen)
    return Plan(str(folder), asked, len(found), pipeline, draws, seed, max_side)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a draw could not be made.

    Attributes:
        message: one sentence.
        step, transform, position: the step at fault; "" and None where it is the file.
        is_passing: the same draw might not fail in a later run, which makes it again: a time limit, which depends on what
            else the machine does, a file that is away, or a bug of augviz.
    """

    message: str
    step: str = ""
    transform: str = ""
    position: int | None = None
    is_passing: bool = False


def failure_of(error: AugvizError) -> Failure:
    """What is remembered of an error. A time-out passes, also where it is told as a step's, whose cause it is then.

    So does a lack of memory, since another limit or another machine may do, and a file that is away.
    """
    is_passing = isinstance(error, WorkerTimeout | OutOfMemory | FileAway) or isinstance(error.__cause__, WorkerTimeout)
    if isinstance(error, StepError):
        return Failure(str(error), error.step_id, error.transform, error.position, is_passing)
    return Failure(str(error), is_passing=is_passing)


@dataclass(frozen=True, slots=True)
class Finding:
    """One draw of one image.

    Attributes:
        image, stamp: which file, as in `Asked`.
        draw: from 0.
        seed: of this draw; with it Explore and the command line make the same draw again.
        failure: why it could not be made; None where it could.
        seen: what was measured, as `auditing.audit` gives it; None after a failure.
    """

    image: str
    stamp: str
    draw: int
    seed: int
    failure: Failure | None
    seen: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        failed = None
        if self.failure is not None:
            failed = {key: getattr(self.failure, key) for key in Failure.__dataclass_fields__}
        return {
            "image": self.image,
            "stamp": self.stamp,
            "draw": self.draw,
            "seed": self.seed,
            "failure": failed,
            "seen": self.seen,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """The inverse of `to_json`. Raises KeyError or TypeError for anything else."""
        failed = None if data["failure"] is None else Failure(**data["failure"])
        return cls(data["image"], data["stamp"], data["draw"], data["seed"], failed, data["seen"])


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker call makes: draw `draw` of an image."""

    image: Asked
    draw: int


def tasks(plan: Plan) -> Iterator[Task]:
    """All that a plan asks for, image by image."""
    return (Task(image, draw) for image in plan.images for draw in range(plan.draws))


def job_json(plan: Plan) -> dict[str, Any]:
    """What a worker has to know of a plan beside its task."""
    form = saved.dump(plan.pipeline)
    return {"folder": plan.folder, "pipeline": form, "seed": plan.seed, "max_side": plan.max_side}


Tell = Callable[[int, int], None]
"""Told how many draws are done, and of how many."""
