"""Where images come from: built-in samples, synthetic images, uploads, files below the allowed folders. Opens none."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from augviz import held_folder, imagenette
from augviz.errors import ImageError
from augviz.quotas import bytes_below
from augviz.settings import Settings, get_settings
from augviz.units import bytes_text
from augviz.upload_session import Upload
from augviz.uploads import get_uploads

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".btf", ".webp", ".gif", ".heic", ".heif", ".avif"),
    *(".svs", ".ndpi", ".scn", ".mrxs", ".vms", ".bif", ".jp2", ".jxl"),
)
"""Endings of the files that a folder's listing shows; what is in a file decides whether it opens."""

SYNTHETIC_KINDS = {
    "tissue": "Tissue, stained with haematoxylin and eosin",
    "aerial": "Farmland from the air",
}
"""The kinds of synthetic images, and their titles."""

SYNTHETIC_SIDES = (4096, 16384, 32768)
"""Sides in pixels that are offered; others can be made."""

SIDE_LIMITS = (64, 65536)
"""Smallest and largest side of a synthetic image in pixels."""

SYNTHETIC_VERSION = 1
"""Goes into the names of cached files; raised whenever a kind's pixels change."""

_BYTES_PER_PIXEL = {"tissue": 0.33, "aerial": 0.35}
"""Of the files that `synthetic.make` writes, all levels included; measured at 4096 and 16384, within 15 %."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that comes with scikit-image.

    Attributes:
        name: of the file without its ending; what a `SourceRef` holds.
        title: what it shows.
        good_for: what to look at with it, one phrase.
        path: the file.
    """

    name: str
    title: str
    good_for: str
    path: Path


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """A synthetic image that is made, or can be.

    Attributes:
        kind: one of `SYNTHETIC_KINDS`.
        side: width and height in pixels.
        path: where it is, once made.
        file_bytes: its size if it is made, else the size to expect.
        made: whether the file is there.
    """

    kind: str
    side: int
    path: Path
    file_bytes: int
    made: bool

    @property
    def name(self) -> str:
        """What a `SourceRef` holds: "tissue-4096"."""
        return f"{self.kind}-{self.side}"

    @property
    def title(self) -> str:
        return f"{SYNTHETIC_KINDS[self.kind]}, {self.side} × {self.side}"


KINDS = ("sample", "imagenette", "synthetic", "path", "upload")
"""Where images come from."""


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Names an image without being a path that the server must trust.

    Attributes:
        kind: one of `KINDS`.
        name: of the sample ("astronaut"), of the synthetic image ("tissue-4096"), a path below an allowed folder, the
            token of a session and the id of its upload, with a slash between them, or what `imagenette.Photo` says.
    """

    kind: str
    name: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not isinstance(self.name, str) or not self.name:
            raise ImageError(f"An image is named by a name and a kind of {', '.join(KINDS)}, got {self.kind!r}.")

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "name": self.name}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SourceRef:
        """The inverse of `to_json`. Raises ImageError for anything else."""
        if not isinstance(values, Mapping) or set(values) != {"kind", "name"}:
            raise ImageError("An image is named by the keys kind and name.")
        return cls(values["kind"], values["name"])


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a folder's listing. `path` is what a `SourceRef` of kind "path" holds; folders have 0 `file_bytes`."""

    name: str
    path: str
    is_folder: bool
    file_bytes: int = 0


_SAMPLES = (
    ("astronaut.png", "Astronaut, portrait", "skin tones, a face at known angles"),
    ("ihc.png", "Colon tissue, immunohistochemistry", "stain augmentation: HED, hue and saturation"),
    ("retina.jpg", "Retina, fundus photograph", "round content on black, rotation and its fill"),
    ("coffee.png", "Cup of coffee", "strong colours and smooth shading"),
    ("chelsea.png", "Cat", "fine fur: blur, sharpening, resizing"),
    ("rocket.jpg", "Rocket launch", "night scene: brightness, contrast and gamma"),
    ("hubble_deep_field.jpg", "Deep field of galaxies", "tiny details that dropout and noise can hide"),
    ("motorcycle_left.png", "Motorcycle in a garage", "many edges and sizes in one picture"),
    ("camera.png", "Cameraman, one band", "transforms that need three bands say so here"),
    ("moon.png", "Surface of the Moon, one band", "low contrast"),
    ("brick.png", "Brick wall, one band", "a regular pattern: shear, rotation, elastic"),
    ("coins.png", "Coins, one band", "round objects: scaling by x and y"),
)


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    """The samples whose files exist, astronaut first. Finds scikit-image without importing it."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        return ()
    folder = Path(spec.origin).parent / "data"
    found = (Sample(Path(file).stem, title, good_for, folder / file) for file, title, good_for in _SAMPLES)
    return tuple(sample for sample in found if sample.path.is_file())


def synthetic_images(settings: Settings | None = None) -> tuple[SyntheticImage, ...]:
    """Every synthetic image that is offered, made or not."""
    return tuple(synthetic_image(kind, side, settings) for kind in SYNTHETIC_KINDS for side in SYNTHETIC_SIDES)


def synthetic_image(kind: str, side: int, settings: Settings | None = None) -> SyntheticImage:
    """The synthetic image of a kind and side. Raises ImageError for an unknown kind or a side outside `SIDE_LIMITS`."""
    if kind not in SYNTHETIC_KINDS:
        raise ImageError(f"There is no synthetic image of kind {kind!r}; the kinds are {', '.join(SYNTHETIC_KINDS)}.")
    if not SIDE_LIMITS[0] <= side <= SIDE_LIMITS[1]:
        low, high = SIDE_LIMITS
        raise ImageError(f"The side of a synthetic image must lie within {low} and {high} pixels, got {side}.")
    folder = (settings or get_settings()).cache_folder / "synthetic"
    path = folder / f"{kind}-{side}-v{SYNTHETIC_VERSION}.tif"
    made = path.is_file()
    return SyntheticImage(kind, side, path, path.stat().st_size if made else estimated_bytes(kind, side), made)


def estimated_bytes(kind: str, side: int) -> int:
    """Size on disk to expect of a synthetic image, in bytes."""
    return round(_BYTES_PER_PIXEL[kind] * side * side)


def check_room(kind: str, side: int, settings: Settings | None = None) -> None:
    """Raises ImageError unless the cache's quota and the disk have room for another synthetic image.

    What jobs that were ended have left behind is removed first.
    """
    settings = settings or get_settings()
    held_folder.sweep_files(settings.cache_folder / "synthetic", settings.job_seconds)
    needed = estimated_bytes(kind, side)
    used = cache_bytes(settings)
    if used + needed > settings.cache_quota_bytes:
        raise ImageError(
            f"{kind}-{side}: it takes about {bytes_text(needed)}, but of the cache's quota of "
            f"{bytes_text(settings.cache_quota_bytes)}, {bytes_text(used)} are used."
        )
    folder = settings.cache_folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ImageError(
            f"{kind}-{side}: it takes about {bytes_text(needed)}, but {bytes_text(free)} are free on the disk."
        )


def cache_bytes(settings: Settings | None = None) -> int:
    """What the files in the cache folder take together: synthetic images, working copies, uploads, what visitors had made."""
    return bytes_below((settings or get_settings()).cache_folder)


def resolve(ref: SourceRef, settings: Settings | None = None) -> Path:
    """The file that `ref` names, absolute and without symbolic links.

    Raises:
        ImageError: there is no such sample, the synthetic image is not made yet, or the path is outside the allowed
            folders or missing.
    """
    if ref.kind == "sample":
        for sample in samples():
            if sample.name == ref.name:
                return sample.path
        raise ImageError(f"There is no sample {ref.name!r}; there are {', '.join(s.name for s in samples())}.")
    if ref.kind == "synthetic":
        return _synthetic_path(ref.name, settings)
    if ref.kind == "upload":
        return upload_of(ref).path
    if ref.kind == "imagenette":
        return imagenette.path_of(ref.name, settings)
    path = _allowed(ref.name, settings or get_settings())
    if not path.is_file():
        raise ImageError(f"{path.name}: there is no such file.")
    return path


def upload_of(ref: SourceRef) -> Upload:
    """The upload that `ref` names. Raises ImageError if it is not there any more."""
    token, _, upload_id = ref.name.partition("/")
    return get_uploads().find(token, upload_id)


def list_folder(path: str = "", settings: Settings | None = None) -> tuple[Entry, ...]:
    """Folders and images in a folder, folders first, by name; the allowed folders themselves for "".

    Hidden names, and links to what is outside the allowed folders, are left out.

    Raises:
        ImageError: the folder is outside the allowed folders, missing, or cannot be read.
    """
    settings = settings or get_settings()
    if not path:
        return tuple(Entry(folder.name or str(folder), str(folder), True) for folder in settings.folders)
    folder = _allowed(path, settings)
    if not folder.is_dir():
        raise ImageError(f"{folder.name}: there is no such folder.")
    try:
        names = sorted(os.listdir(folder), key=str.casefold)
    except OSError as error:
        raise ImageError(f"{folder.name}: the folder cannot be read: {error.strerror}.") from error
    entries = [_entry(folder / name, settings) for name in names if not name.startswith(".")]
    return tuple(sorted((entry for entry in entries if entry), key=lambda entry: not entry.is_folder))


def _entry(path: Path, settings: Settings) -> Entry | None:
    """A line of the listing; None if the path is neither a folder nor an image below the allowed folders."""
    try:
        if not _is_inside(path.resolve(), settings):
            return None
        if path.is_dir():
            return Entry(path.name, str(path), True)
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
            return Entry(path.name, str(path), False, path.stat().st_size)
    except (OSError, RuntimeError):  # a loop of links, or a file that went away meanwhile: nothing to list
        return None
    return None


def _synthetic_path(name: str, settings: Settings | None) -> Path:
    match = re.fullmatch(r"([a-z]+)-(\d{1,6})", name)
    if not match:
        raise ImageError(f"A synthetic image is named by its kind and side, such as tissue-4096, got {name!r}.")
    image = synthetic_image(match.group(1), int(match.group(2)), settings)
    if not image.made:
        raise ImageError(f"{image.name}: this synthetic image has not been made yet.")
    return image.path


def _allowed(path: str, settings: Settings) -> Path:
    """`path` without symbolic links; relative ones start from the first allowed folder that has them.

    Whether a path outside exists is not told: the error is the same.
    """
    try:
        candidates = [(folder / path).resolve() for folder in settings.folders]
        inside = [candidate for candidate in candidates if _is_inside(candidate, settings)]
        found = next((candidate for candidate in inside if candidate.exists()), None)
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null character, a loop of links
        raise ImageError("This path is not valid.") from error
    if not inside:
        raise ImageError(f"{Path(path).name or path}: this path is not below the folders that the settings allow.")
    return found or inside[0]


def _is_inside(path: Path, settings: Settings) -> bool:
    """Whether a path lies below an allowed folder, and not where uploads and what was made of them are kept."""
    cache = settings.cache_folder.resolve()
    if any(path.is_relative_to(cache / private) for private in ("uploads", "copies")):
        return False
    return any(path.is_relative_to(folder.resolve()) for folder in settings.folders)
