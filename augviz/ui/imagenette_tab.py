"""Imagenette in the dialog that changes the image: its photographs by split and class, or the button that downloads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import streamlit as st

from augviz import imagenette, jobs
from augviz.errors import AugvizError
from augviz.imagenette import LABELS, SPLITS, Photo, Variant
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import gate, page, progress, state, trouble
from augviz.units import bytes_text

PART = "explore.imagenette"
TROUBLE = "explore.imagenette.trouble"
PAGE_SIZE = 24

ChooseButton = Callable[..., None]
"""Shows a button that looks at an image: takes its label, the `SourceRef`, a key, and what `st.button` takes."""

Thumb = Callable[[SourceRef, str, int, int], str]
"""Makes the HTML of a small picture: takes the `SourceRef`, what it shows, width and height in pixels."""

_downloads: dict[str, tuple[str, Variant]] = {}
"""By data folder, the id of the last download's job and what it downloads. All visitors share the data set, so they share
its download: each sees how far it is and may cancel it."""


@st.fragment(key=PART)
@page.boundary()
def show(choose_button: ChooseButton, thumb: Thumb) -> None:
    """The tab: what is in the data folder, and what is not with the button that downloads it."""
    here = imagenette.present()
    job = _job()
    if job is not None and job[0].state == "running":
        _progress()
    elif job is not None and job[1] not in here:
        _tell(*job)
    if here:
        _browse(here, choose_button, thumb)
    missing = [variant for variant in imagenette.VARIANTS if variant not in here]
    if missing and (job is None or job[0].state != "running"):
        with st.expander("Download another size", key="explore.imagenette.more") if here else st.container():
            _offer(missing, bool(here))


def neighbours(source: SourceRef, choose_button: ChooseButton, key: str) -> None:
    """Two buttons, for the images before and after this one in its class; nothing for what is not of Imagenette.

    Raises:
        ImageError: the image is not there any more.
    """
    if source.kind != "imagenette":
        return
    for name, step, icon in (("previous", -1, "chevron_left"), ("next", 1, "chevron_right")):
        other = imagenette.neighbour(source, step)
        options = {"icon": f":material/{icon}:", "help": f"The {name} image of the class", "disabled": other is None}
        choose_button(name.capitalize(), other or source, f"{key}.{name}", **options)


# Browsing


def _browse(here: tuple[Variant, ...], choose_button: ChooseButton, thumb: Thumb) -> None:
    """Choose size, split and class, then an image; everything begins at the image that is looked at."""
    current = _current(here)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        variant = current.variant if current else here[0]
        if len(here) > 1:
            variant = _size(here, variant, "explore.imagenette.size")
        split = st.segmented_control(
            "Split",
            SPLITS,
            default=current.split if current else SPLITS[0],
            required=True,
            key="explore.imagenette.split",
        )
        found = {label.slug: imagenette.photos(variant, split, label) for label in LABELS}
        any_photo = imagenette.random_photo(tuple(found.values()))
        if any_photo is not None:
            source = _source(any_photo)
            choose_button("Random image", source, "explore.imagenette.random", icon=":material/shuffle:")
        if current:
            neighbours(_source(current), choose_button, "explore.imagenette.here")
    titles = {label.slug: f"{label.title} :gray[{len(found[label.slug])}]" for label in LABELS}
    slug = st.pills(
        "Class",
        list(titles),
        default=current.label.slug if current else LABELS[0].slug,
        required=True,
        format_func=titles.__getitem__,
        key="explore.imagenette.class",
        label_visibility="collapsed",
    )
    _pages(f"{variant.name}.{split}.{slug}", found[slug], current, choose_button, thumb)


def _size(offered: Sequence[Variant], default: Variant, key: str) -> Variant:
    """A choice among variants. By name: Streamlit takes a dataclass for a list of defaults."""
    titles = {variant.name: variant.title for variant in offered}
    name = st.segmented_control(
        "Size", list(titles), default=default.name, required=True, format_func=titles.__getitem__, key=key
    )
    return imagenette.variant_named(name)


def _current(here: tuple[Variant, ...]) -> Photo | None:
    """The image that is looked at, if it is one of Imagenette that can be shown."""
    source = state.get().source
    if source.kind != "imagenette":
        return None
    try:
        imagenette.path_of(source.name)
    except AugvizError:  # gone: the page says so
        return None
    current = imagenette.photo(source.name)
    return current if current.variant in here else None


def _pages(
    name: str, photos: tuple[Photo, ...], current: Photo | None, choose_button: ChooseButton, thumb: Thumb
) -> None:
    """A class, page by page. The browser asks for a picture when it comes into sight."""
    if not photos:
        st.caption("There are no images of this class here.")
        return
    count = -(-len(photos) // PAGE_SIZE)
    first = photos.index(current) // PAGE_SIZE + 1 if current in photos else 1
    number = 1
    if count > 1:
        number = min(count, st.pagination(count, default=first, key=f"explore.imagenette.page.{name}"))
    with st.container(height=380, border=False), st.grid(6, min_column_width=120, gap="small"):
        for one in photos[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]:
            with st.container(gap="xsmall"):
                st.html(thumb(_source(one), f"{one.title}, small", 150, 100))
                choose_button(
                    f":small[{page.escaped(one.file.removesuffix('.JPEG'))}]",
                    _source(one),
                    f"explore.imagenette.choose.{one.name}",
                    type="primary" if one == current else "tertiary",
                    width="stretch",
                )


def _source(one: Photo) -> SourceRef:
    return SourceRef("imagenette", one.name)


# Downloading


def _offer(missing: list[Variant], some_here: bool) -> None:
    """What a download takes, before it is asked for. Nothing is asked of the server yet."""
    settings = get_settings()
    if not some_here:
        st.markdown("Imagenette is the tutorial's data set: some 13,000 photographs of ten things. It is not here yet.")
    variant = _size(missing, missing[0], "explore.imagenette.download.size")
    host = urlsplit(imagenette.address_of(variant)).netloc.rpartition("@")[2]
    st.caption(
        f"About {bytes_text(variant.archive_bytes)} from {page.escaped(host)}, and as much again once it is unpacked: "
        f"{bytes_text(imagenette.needed_bytes(variant))} of the {bytes_text(imagenette.free_bytes(settings.data_folder))} "
        f"that are free on the disk. It is kept in {page.escaped(str(settings.data_folder))}."
    )
    if begun := imagenette.begun_bytes(variant):
        st.caption(f"{bytes_text(begun)} of it are here; the download goes on from there.")
    label = f"Download about {bytes_text(variant.archive_bytes)}"
    key = "explore.imagenette.download"
    st.button(label, icon=":material/download:", key=key, on_click=_begin, args=(variant,))
    trouble.tell(TROUBLE)


def _begin(variant: Variant) -> None:
    """Start the download, or remember why not for the run that follows."""
    with trouble.kept_at(TROUBLE):
        start(variant)


def start(variant: Variant) -> jobs.Job:
    """The job that downloads a variant, begun unless one is running.

    Raises:
        DownloadError: the disk has no room.
        WorkerError: too many jobs are running.
    """
    settings = get_settings()
    running = _job()
    if running is not None and running[0].state == "running":
        return running[0]
    imagenette.check_room(variant)
    args = {
        "variant": variant.name,
        "folder": str(settings.data_folder),
        "address": imagenette.address_of(variant),
        "md5": imagenette.md5_of(variant),
    }
    job = jobs.start_job(
        "download_imagenette",
        args,
        seconds=settings.job_seconds,
        memory_bytes=settings.job_memory_bytes,
        visitor=gate.visitor(),
    )
    _downloads[args["folder"]] = (job.id, variant)
    return job


def _job() -> tuple[jobs.Job, Variant] | None:
    """The last download into the data folder, None if there was none."""
    job_id, variant = _downloads.get(str(get_settings().data_folder), ("", imagenette.VARIANTS[0]))
    job = jobs.find_job(job_id)
    return (job, variant) if job is not None else None


@st.fragment(run_every=progress.POLL_SECONDS)
@page.boundary()
def _progress() -> None:
    """How far the download is, and how it ended."""
    found = _job()
    if found is None:
        return
    job, variant = found
    if job.state == "running":
        fraction, stage = job.progress
        st.progress(fraction or 0.0, text=f"Imagenette {variant.title}: {stage or 'starting'}")
        st.button("Cancel", key="explore.imagenette.cancel", icon=":material/close:", on_click=_cancel, args=(job,))
        return
    _tell(job, variant)
    label = "Browse the images" if job.state == "done" else "Go on"
    st.button(label, key="explore.imagenette.ended", on_click=_again)


def _tell(job: jobs.Job, variant: Variant) -> None:
    """Say how a download ended. A bug is raised."""
    if job.state == "cancelled":
        st.info(f"Imagenette {variant.title}: cancelled; what has come is kept, to go on from there.")
    elif isinstance(job.error, AugvizError):
        st.error(str(job.error), icon=":material/error:")
    else:
        job.result()
        st.success(f"Imagenette {variant.title} is here.")


def _cancel(job: jobs.Job) -> None:
    progress.cancel(job)
    _again()


def _again() -> None:
    """Show the whole tab anew. In a callback: only there a fragment can be named."""
    st.rerun(PART)
