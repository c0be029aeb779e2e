"""Which images are audited: a folder below those that the settings allow, Imagenette, or what the visitor has sent."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from augviz import audit, imagenette
from augviz.audit import Asked, Plan
from augviz.errors import ImageError
from augviz.model import Pipeline
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import upload_tab
from augviz.units import counted
from augviz.uploads import get_uploads

FOLDER, IMAGENETTE, UPLOADS = "Folder", "Imagenette", "Uploads"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files of a data set.

    Attributes:
        kind: as for a `SourceRef`.
        folder: that all of them are below.
        images: None are all images below the folder.
    """

    kind: str
    folder: Path
    images: tuple[Asked, ...] | None = None

    def plan(self, pipeline: Pipeline, limit: int | None, draws: int, seed: int, max_side: int | None) -> Plan:
        """What is audited of it. Raises AugvizError."""
        images = audit.images_of(self.folder, may_open) if self.images is None else self.images
        if not images:
            raise ImageError(f"{self.folder}: there is no image in this folder.")
        return audit.plan_of(self.folder, images, pipeline, draws=draws, limit=limit, seed=seed, max_side=max_side)

    def source(self, image: str) -> SourceRef:
        """One of its images, as Explore opens it."""
        if self.kind == "upload":
            return SourceRef("upload", f"{upload_tab.token()}/{image}")
        if self.kind == "imagenette":
            variant = next(one for one in imagenette.VARIANTS if one.folder == self.folder.parent.name)
            wnid, _, file = image.partition("/")
            slug = next(label.slug for label in imagenette.LABELS if label.wnid == wnid)
            return SourceRef("imagenette", f"{variant.name}/{self.folder.name}/{slug}/{file}")
        return SourceRef("path", str(self.folder / image))


def of(plan: Plan) -> Chosen:
    """What a plan was made of."""
    folder = Path(plan.folder)
    if any(image.title for image in plan.images):
        return Chosen("upload", folder, plan.images)
    variants = [get_settings().data_folder / variant.folder for variant in imagenette.VARIANTS]
    return Chosen("imagenette" if folder.parent in variants else "path", folder)


def choose() -> Chosen:
    """The data set that is entered. Raises ImageError for a folder that may not be."""
    kinds = [FOLDER, *([IMAGENETTE] if imagenette.present() else []), *([UPLOADS] if _uploaded() else [])]
    with st.container(horizontal=True, vertical_alignment="top"):
        kind = st.segmented_control(
            "Images",
            kinds,
            default=FOLDER,
            required=True,
            key="audit.kind",
            width="content",
            help="Send files on Explore to audit uploads.",
        )
        return _entered(str(kind))


def _entered(kind: str) -> Chosen:
    """The data set of this kind that is entered beside it. Raises ImageError for a folder that may not be."""
    if kind == UPLOADS:
        images = _uploaded()
        st.caption(f"{counted(len(images), 'file')} that you have sent.")
        return Chosen("upload", get_uploads().files(upload_tab.token())[0].path.parent, images)
    if kind == IMAGENETTE:
        variant = st.selectbox(
            "Variant", imagenette.present(), format_func=lambda one: one.title, key="audit.variant", width=160
        )
        split = st.segmented_control(
            "Split", imagenette.SPLITS, default="train", required=True, key="audit.split", width="content"
        )
        return Chosen("imagenette", get_settings().data_folder / variant.folder / split)
    allowed = get_settings().folders
    text = st.text_input(
        "Below the folder",
        value=str(allowed[0]),
        key="audit.folder",
        help="All images below it are found. Allowed are: " + ", ".join(map(str, allowed)),
    )
    return Chosen("path", allowed_folder(text.strip()))


def allowed_folder(text: str) -> Path:
    """The folder of this name below the allowed ones. Raises ImageError, the same whether one outside exists or not."""
    settings = get_settings()
    try:
        found = [(folder / text).resolve() for folder in settings.folders]
    except (OSError, ValueError, RuntimeError) as error:
        raise ImageError("This path is not valid.") from error
    inside = [path for path in found if may_open(path) and any(map(path.is_relative_to, _roots()))]
    if not inside:
        raise ImageError(f"{text}: this folder is not below those that the settings allow.")
    return next((path for path in inside if path.is_dir()), inside[0])


def _roots() -> list[Path]:
    return [folder.resolve() for folder in get_settings().folders]


def may_open(path: Path) -> bool:
    """Whether a path without links lies below an allowed folder or the data folder, and not where uploads are kept."""
    settings = get_settings()
    private = [settings.cache_folder.resolve() / name for name in ("uploads", "copies")]
    return any(map(path.is_relative_to, (*_roots(), settings.data_folder.resolve()))) and not any(
        map(path.is_relative_to, private)
    )


def _uploaded() -> tuple[Asked, ...]:
    """This visitor's files, each under a title of its own."""
    titles: set[str] = set()
    images = []
    for upload in get_uploads().files(upload_tab.token()):
        numbered = (f"{upload.name} ({number})" for number in itertools.count(2))
        title = next(one for one in itertools.chain((upload.name,), numbered) if one not in titles)
        titles.add(title)
        try:
            status = upload.path.stat()
        except OSError:  # it has just been removed
            continue
        images.append(Asked(upload.path.name, status.st_size, status.st_mtime_ns, title))
    return tuple(images)
