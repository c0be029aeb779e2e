"""Imagenette, the tutorial's data set: where its files are, what they are called, how it is downloaded. Opens no image.

The files lie as in the tutorial: `imagenette2-320/train/n01440764/n01440764_10026.JPEG` below the data folder.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from augviz import downloads
from augviz.context import Context
from augviz.downloads import BadArchive, Limits
from augviz.errors import DownloadError, ImageError
from augviz.settings import Settings, get_settings
from augviz.units import bytes_text

if TYPE_CHECKING:  # `sources` finds images by this module
    from augviz.sources import SourceRef

SPLITS = ("train", "val")

MAX_ENTRIES = 20_000
"""Files and folders that an archive may hold; the published ones hold 13 394 images."""

SPARE = 2
"""An archive, and what it unpacks to, may be so many times as large as the published one: mirrors pack anew."""

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.JPEG")


@dataclass(frozen=True, slots=True)
class Variant:
    """One size in which the data set is published.

    Attributes:
        name: what a `Photo` holds.
        title: what people call it.
        folder: below the data folder; the archive's name is this and `.tgz`.
        archive_bytes: about the size of the published archive. JPEG does not get smaller by packing, so the images
            take about as much.
        md5: of the published archive.
    """

    name: str
    title: str
    folder: str
    archive_bytes: int
    md5: str

    @property
    def archive(self) -> str:
        """File name of the archive."""
        return f"{self.folder}.tgz"


VARIANTS = (
    Variant("320", "320 px", "imagenette2-320", 342_000_000, "3df6f0d01a2c9592104656642f5e78a3"),
    Variant("160", "160 px", "imagenette2-160", 99_000_000, "e793b78cc4c9e9a4ccc0c1155377a412"),
    Variant("full", "Full size", "imagenette2", 1_560_000_000, "fe2fc210e6bb7c5664d602c3cd71e612"),
)
"""The tutorial's first: it is the default."""


@dataclass(frozen=True, slots=True)
class Label:
    """One of the ten classes.

    Attributes:
        wnid: its folder.
        title: its name.
    """

    wnid: str
    title: str

    @property
    def slug(self) -> str:
        """The title as a `Photo` holds it: "english-springer"."""
        return self.title.lower().replace(" ", "-")


LABELS = (
    Label("n01440764", "tench"),
    Label("n02102040", "English springer"),
    Label("n02979186", "cassette player"),
    Label("n03000684", "chain saw"),
    Label("n03028079", "church"),
    Label("n03394916", "French horn"),
    Label("n03417042", "garbage truck"),
    Label("n03425413", "gas pump"),
    Label("n03445777", "golf ball"),
    Label("n03888257", "parachute"),
)
"""In the tutorial's order: the position is the number of the class there."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One image of the data set. `name` is what a `SourceRef` of kind "imagenette" holds."""

    variant: Variant
    split: str
    label: Label
    file: str

    @property
    def name(self) -> str:
        return f"{self.variant.name}/{self.split}/{self.label.slug}/{self.file}"

    @property
    def title(self) -> str:
        """For people: "church n03028079_123"."""
        return f"{self.label.title} {self.file.removesuffix('.JPEG')}"


def variant_named(name: str) -> Variant:
    """The variant of this name. Raises ImageError if there is none."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise ImageError(f"Imagenette comes in {', '.join(variant.name for variant in VARIANTS)}, got {name[:80]!r}.")


def photo(name: str) -> Photo:
    """The image with this name: "320/val/church/n03028079_123.JPEG". Raises ImageError for everything else."""
    parts = name.split("/")
    if len(parts) == 4:
        variant = next((variant for variant in VARIANTS if variant.name == parts[0]), None)
        label = next((label for label in LABELS if label.slug == parts[2]), None)
        if variant and label and parts[1] in SPLITS and _FILE.fullmatch(parts[3]):
            return Photo(variant, parts[1], label, parts[3])
    raise ImageError(
        f"An image of Imagenette is named by size, split, class and file, such as 320/val/church/n03028079_123.JPEG, "
        f"got {name[:80]!r}."
    )


def path_of(name: str, settings: Settings | None = None) -> Path:
    """The file of an image, absolute and without symbolic links. Raises ImageError if it is not there."""
    found = photo(name)
    root = (settings or get_settings()).data_folder / found.variant.folder
    try:
        path = (root / found.split / found.label.wnid / found.file).resolve()
        is_there = path.is_relative_to(root.resolve()) and path.is_file()
    except (OSError, RuntimeError):  # a loop of links
        is_there = False
    if not is_there:
        raise ImageError(f"{found.file}: there is no such image in {found.variant.folder}/{found.split}.")
    return path


def present(settings: Settings | None = None) -> tuple[Variant, ...]:
    """The variants that are in the data folder, the default first."""
    folder = (settings or get_settings()).data_folder
    return tuple(variant for variant in VARIANTS if any(map(Path.is_dir, _class_folders(folder / variant.folder))))


def _class_folders(folder: Path) -> list[Path]:
    """The folders of the classes, of both splits, in a variant's folder."""
    return [folder / split / label.wnid for split in SPLITS for label in LABELS]


def photos(variant: Variant, split: str, label: Label, settings: Settings | None = None) -> tuple[Photo, ...]:
    """The images of a class, by the numbers in their names. Reads the folder's listing only; none without a folder."""
    folder = (settings or get_settings()).data_folder / variant.folder / split / label.wnid
    try:
        names = [name for name in os.listdir(folder) if _FILE.fullmatch(name)]
    except OSError:
        return ()
    return tuple(Photo(variant, split, label, name) for name in sorted(names, key=_by_number))


def _by_number(name: str) -> tuple[tuple[str, int, str], ...]:
    """So that _2 comes before _10."""
    return tuple((text, int(number or 0), number) for text, number in re.findall(r"(\D*)(\d*)", name))


def neighbour(ref: SourceRef, step: int, settings: Settings | None = None) -> SourceRef | None:
    """The image `step` further in its class and split, -1 is the one before; None beyond either end.

    Raises:
        ImageError: `ref` does not name an image of Imagenette, or one that is not there any more.
    """
    here = photo(ref.name)
    others = photos(here.variant, here.split, here.label, settings)
    if here not in others:
        path_of(ref.name, settings)  # says that it is missing
        return None
    index = others.index(here) + step
    return replace(ref, name=others[index].name) if 0 <= index < len(others) else None


def random_photo(found: Sequence[Sequence[Photo]], rng: random.Random | None = None) -> Photo | None:
    """Any image of those listed by class, each as likely as any other; None if there is none."""
    every = [one for of_class in found for one in of_class]
    return (rng or random.Random()).choice(every) if every else None


def address_of(variant: Variant, settings: Settings | None = None) -> str:
    """Where a variant is downloaded from: the setting's address with the variant's file name."""
    settings = settings or get_settings()
    if variant == _named(settings.imagenette_address):
        return settings.imagenette_address
    parts = urlsplit(settings.imagenette_address)
    return urlunsplit(parts._replace(path=f"{parts.path.rpartition('/')[0]}/{variant.archive}"))


def md5_of(variant: Variant, settings: Settings | None = None) -> str:
    """The checksum to expect: the setting's for the variant that the setting's address is of, else the published one."""
    settings = settings or get_settings()
    is_set = settings.imagenette_md5 and variant == _named(settings.imagenette_address)
    return settings.imagenette_md5 if is_set else variant.md5


def _named(address: str) -> Variant:
    """The variant that an address is of; the default where its file name is none that we know."""
    name = urlsplit(address).path.rpartition("/")[2]
    return next((variant for variant in VARIANTS if variant.archive == name), VARIANTS[0])


def needed_bytes(variant: Variant, settings: Settings | None = None) -> int:
    """Disk that a download still takes, about: what is missing of the archive, and the images beside it."""
    folder = (settings or get_settings()).data_folder
    here = max(begun_bytes(variant, settings), _size(folder / variant.archive))
    return max(0, variant.archive_bytes - here) + variant.archive_bytes


def begun_bytes(variant: Variant, settings: Settings | None = None) -> int:
    """What is there of a download that broke off."""
    return _size(_part((settings or get_settings()).data_folder, variant))


def free_bytes(folder: Path) -> int:
    """What is free on the disk that `folder` is on, or would be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_room(variant: Variant, settings: Settings | None = None) -> None:
    """Raises DownloadError unless the disk has room for a download, as far as the published sizes tell."""
    settings = settings or get_settings()
    _check_free(variant, settings.data_folder, needed_bytes(variant, settings))


def download(variant: Variant, folder: Path, address: str, md5: str, context: Context) -> Path:
    """Download a variant's archive, or go on with what is there of it, verify it, and unpack it into `folder`.

    The variant's folder appears when it is complete. An archive that lies in `folder` already, as the tutorial leaves
    it, is used if it has the checksum, and is kept; the one that is downloaded is removed once it is unpacked. After a
    failure nothing is left but the part that has come, to go on from; not even that if its content is wrong.

    Args:
        folder: the data folder; made where it is missing.
        md5: the checksum of the archive.

    Returns:
        the variant's folder.

    Raises:
        DownloadError: the server, the disk or the archive is not as it must be, or the folder is there already.
        Cancelled: the request has been given up.
    """
    target = folder / variant.folder
    if target.exists():
        raise DownloadError(f"{variant.folder}: this folder is there already; move it away to download it anew.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder.name}: the folder cannot be made: {error.strerror}.") from error
    with downloads.exclusive(_part(folder, variant)) as part:
        if not _unpack_kept(variant, folder, md5, context):
            _complete(variant, folder, part, address, context)
            found = downloads.checksum(part, context)
            if found != md5:
                part.truncate(0)
                raise DownloadError(
                    f"{variant.archive}: its checksum is {found} and not {md5}, so nothing of it was kept."
                )
            try:
                _unpack(variant, part, folder, context)
            except BadArchive:
                part.truncate(0)
                raise
        part.truncate(0)
    return target


def _unpack_kept(variant: Variant, folder: Path, md5: str, context: Context) -> bool:
    """Unpack the archive that lies in the data folder already; False if there is none with the checksum."""
    try:
        with open(folder / variant.archive, "rb") as archive:
            if downloads.checksum(archive, context) != md5:
                return False
            _unpack(variant, archive, folder, context)
            return True
    except OSError:  # none, or none that can be read
        return False


def _complete(variant: Variant, folder: Path, part: BinaryIO, address: str, context: Context) -> None:
    """Download what is missing of the archive, if the disk has room for it and for what it unpacks to."""

    def check(total: int | None, here: int) -> None:
        whole = total or variant.archive_bytes
        _check_free(variant, folder, max(0, whole - here) + whole)

    context.progress(None, "asking the server")
    downloads.download(address, part, context, max_bytes=SPARE * variant.archive_bytes, check_room=check)


def _unpack(variant: Variant, archive: BinaryIO, folder: Path, context: Context) -> None:
    """Unpack into a hidden folder; what is complete takes its place by one renaming."""
    limits = Limits(MAX_ENTRIES, SPARE * variant.archive_bytes)
    with downloads.temporary_folder(folder / f".{variant.folder}.unpacking") as work:
        downloads.unpack(archive, variant.archive, work, limits, context)
        for of_class in _class_folders(work / variant.folder):
            if not any(of_class.glob("*.JPEG")):
                raise BadArchive(
                    f"{variant.archive}: it holds no images {of_class.relative_to(work).as_posix()}/*.JPEG."
                )
        context.check()
        os.rename(work / variant.folder, folder / variant.folder)


def _check_free(variant: Variant, folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if needed > free:
        raise DownloadError(
            f"{variant.folder}: it takes about {bytes_text(needed)} until it is unpacked, but {bytes_text(free)} are free "
            "on the disk."
        )


def _part(folder: Path, variant: Variant) -> Path:
    """What has come of a download."""
    return folder / f"{variant.archive}.part"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
