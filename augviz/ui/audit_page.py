"""The page Audit: which images, how many draws, and what came of them, while it runs and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from augviz import audit, audit_jobs, audit_run, batches, edits, imagenette
from augviz.audit import Asked, Plan
from augviz.audit_jobs import AuditJob
from augviz.errors import AugvizError, ImageError
from augviz.model import Group, Item, Pipeline
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import audit_answer, page, state, upload_tab
from augviz.ui.page import escaped
from augviz.units import seconds_text
from augviz.uploads import get_uploads

FOLDER, IMAGENETTE, UPLOADS = "Folder", "Imagenette", "Uploads"
JOB = "audit.job"
"""Where the visitor's audit is, in the session."""
TROUBLE = "audit.trouble"
POLL_SECONDS = 1.0
CANCEL_WAIT_SECONDS = 2.0
FIRST_LIMIT = 200
SIZES = {f"Shrunk to {audit.MAX_SIDE} px": audit.MAX_SIDE, "Full size": None}


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
        images = audit.images_of(self.folder, _may) if self.images is None else self.images
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


def show() -> None:
    """The whole page."""
    state.settle()
    upload_tab.renew()
    pipeline = edits.complete(state.get().pipeline)
    st.subheader("Audit")
    st.caption(
        f"Draws the pipeline of Explore over a set of images: {escaped(_summary(pipeline))}. Every image gets seeds of its own."
    )
    job, chosen = _known()
    busy = job is not None and job.state == "running"
    try:
        wanted = _choose()
    except AugvizError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        wanted = None
    _controls(wanted, pipeline, busy)
    if trouble := st.session_state.pop(TROUBLE, ""):
        st.error(escaped(trouble), icon=":material/error:")
    if job is not None and chosen is not None:
        if busy:
            _running()
        else:
            _ended(job, chosen)
    else:
        st.info(
            "Nothing has been audited yet. Failures, means and deviations, clipping, empty crops and costs stand here then."
        )


def _known() -> tuple[AuditJob | None, Chosen | None]:
    known: tuple[AuditJob | None, Chosen | None] = st.session_state.get(JOB, (None, None))
    return known


def _summary(pipeline: Pipeline) -> str:
    return " → ".join(_name(item) for item in batches.enabled(pipeline.steps)) or "no steps"


def _name(item: Item) -> str:
    return f"{item.group}({', '.join(map(_name, item.steps))})" if isinstance(item, Group) else item.transform


# What is audited


def _choose() -> Chosen | None:
    """The data set that is entered, None where there is none of the kind. Raises ImageError for a folder that may not be."""
    kinds = [FOLDER, *([IMAGENETTE] if imagenette.present() else []), *([UPLOADS] if _uploaded() else [])]
    kind = st.segmented_control(
        "Images", kinds, default=FOLDER, required=True, key="audit.kind", help="Send files on Explore to audit uploads."
    )
    if kind == UPLOADS:
        images = _uploaded()
        st.caption(f"{len(images)} files that you have sent.")
        return Chosen("upload", get_uploads().files(upload_tab.token())[0].path.parent, images)
    if kind == IMAGENETTE:
        with st.container(horizontal=True):
            variant = st.selectbox(
                "Size", imagenette.present(), format_func=lambda one: one.title, key="audit.variant", width=160
            )
            split = st.segmented_control("Split", imagenette.SPLITS, default="train", required=True, key="audit.split")
        return Chosen("imagenette", get_settings().data_folder / variant.folder / split)
    allowed = get_settings().folders
    text = st.text_input(
        "Folder",
        value=str(allowed[0]),
        key="audit.folder",
        help="All images below it are found. Allowed are: " + ", ".join(map(str, allowed)),
    )
    return Chosen("path", _allowed(text.strip()))


def _allowed(text: str) -> Path:
    """The folder of this name below the allowed ones. Raises ImageError, the same whether one outside exists or not."""
    settings = get_settings()
    try:
        found = [(folder / text).resolve() for folder in settings.folders]
    except (OSError, ValueError, RuntimeError) as error:
        raise ImageError("This path is not valid.") from error
    inside = [path for path in found if _may(path) and any(map(path.is_relative_to, _roots()))]
    if not inside:
        raise ImageError(f"{text}: this folder is not below those that the settings allow.")
    return next((path for path in inside if path.is_dir()), inside[0])


def _roots() -> list[Path]:
    return [folder.resolve() for folder in get_settings().folders]


def _may(path: Path) -> bool:
    """Whether a path without links lies below an allowed folder or the data folder, and not where uploads are kept."""
    settings = get_settings()
    private = [settings.cache_folder.resolve() / name for name in ("uploads", "copies")]
    return any(map(path.is_relative_to, (*_roots(), settings.data_folder.resolve()))) and not any(
        map(path.is_relative_to, private)
    )


def _uploaded() -> tuple[Asked, ...]:
    """This visitor's files, each under a title of its own."""
    titles: dict[str, int] = {}
    images = []
    for upload in get_uploads().files(upload_tab.token()):
        number = titles[upload.name] = titles.get(upload.name, 0) + 1
        title = upload.name if number == 1 else f"{upload.name} ({number})"
        try:
            status = upload.path.stat()
        except OSError:  # it has just been removed
            continue
        images.append(Asked(upload.path.name, status.st_size, status.st_mtime_ns, title))
    return tuple(images)


def _controls(wanted: Chosen | None, pipeline: Pipeline, busy: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            "At most",
            0,
            None,
            FIRST_LIMIT,
            key="audit.limit",
            width=130,
            help="Images, evenly spread over their names; 0 is all.",
        )
        st.number_input("Draws of each", 1, audit.MAX_DRAWS, 1, key="audit.draws", width=130)
        st.number_input("Seed", 0, 2**31 - 1, 0, key="audit.seed", width=130)
        st.segmented_control("Size", list(SIZES), default=next(iter(SIZES)), required=True, key="audit.size")
        st.button(
            "Audit",
            key="audit.start",
            icon=":material/fact_check:",
            type="primary",
            disabled=busy or wanted is None,
            on_click=_start,
            args=(wanted, pipeline, False),
            help="Goes on where the same audit was cancelled; what is known of files that have not changed is not made again.",
        )
        st.button(
            "From scratch",
            key="audit.anew",
            icon=":material/restart_alt:",
            disabled=busy or wanted is None,
            on_click=_start,
            args=(wanted, pipeline, True),
            help="Forgets what is known of this audit, and makes all its draws.",
        )


def _start(wanted: Chosen, pipeline: Pipeline, anew: bool) -> None:
    """Start the audit, or remember why not for the run that follows."""
    entered = st.session_state
    try:
        plan = wanted.plan(
            pipeline,
            entered["audit.limit"] or None,
            entered["audit.draws"],
            entered["audit.seed"],
            SIZES[entered["audit.size"]],
        )
        records = audit_run.default_records(plan)
        if wanted.kind == "upload":  # it goes when the files go
            records = wanted.folder / f"{plan.images[0].name}.{records.name}"
        if anew:
            audit_jobs.forget(records)
        uploads, token = get_uploads(), upload_tab.token()
        job = audit_jobs.start(plan, records, get_settings().scheduler, lambda job: uploads.end_work(token, job.cancel))
        uploads.begin_work(token, job.cancel)
    except AugvizError as error:
        st.session_state[TROUBLE] = str(error)
    else:
        st.session_state[JOB] = (job, wanted)


# What came of it


@st.fragment(run_every=POLL_SECONDS)
@page.boundary()
def _running() -> None:
    """How far it is, with what there is so far; the page runs again when it has ended."""
    job, _ = _known()
    if job is None or job.state != "running":
        st.rerun()
    done, total = job.progress
    left = "" if job.seconds_left is None else f", about {seconds_text(job.seconds_left)} to go"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="audit.progress"):
        st.progress(done / total, text=f"{done} of {total} draws{left}")
        st.button("Cancel", key="audit.cancel", icon=":material/close:", on_click=_cancel, args=(job,))
    if done:
        audit_answer.show(job.report)


def _cancel(job: AuditJob) -> None:
    job.cancel()
    job.wait(CANCEL_WAIT_SECONDS)


def _ended(job: AuditJob, chosen: Chosen) -> None:
    if job.state == "failed":
        if not isinstance(job.error, AugvizError) and job.error is not None:
            raise job.error
        st.error(escaped(str(job.error)), icon=":material/error:")
    if job.progress[0] == 0:
        return
    if job.state == "cancelled":
        st.warning(
            "The audit was cancelled. What was found stands below, and Audit goes on from there.",
            icon=":material/pause:",
        )
    audit_answer.show(job.report)
    _open(job, chosen)
    audit_answer.downloads(job.plan, job.report, job.records)


def _open(job: AuditJob, chosen: Chosen) -> None:
    """A draw to look at in Explore, the failed and the worst first."""
    cases = audit_answer.cases(job.report)
    if not cases:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        label = st.selectbox("A failed draw, or one of the worst", list(cases), key="audit.case")
        st.button(
            "Open in Explore",
            key="audit.open",
            icon=":material/photo_library:",
            on_click=_take,
            args=(job, chosen, cases[label]),
        )
    if st.session_state.pop("audit.go", False):
        st.switch_page(Path(__file__).resolve().parents[2] / "pages" / "explore.py")


def _take(job: AuditJob, chosen: Chosen, case: tuple[str, int]) -> None:
    """Have Explore show a draw: its image, its pipeline, its seed."""
    title, seed = case
    named = _names(job.plan.images)
    state.edit(job.plan.pipeline, source=chosen.source(named.get(title, title)), seed=seed, picked=0)
    st.session_state["audit.go"] = True


def _names(images: Sequence[Asked]) -> dict[str, str]:
    return {image.title: image.name for image in images if image.title}
