"""The page Audit: which images, how many draws, and what came of them, while it runs and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from augviz import audit, audit_jobs, audit_kept, batches, edits
from augviz.audit import Asked, Plan
from augviz.audit_jobs import AuditJob
from augviz.errors import AugvizError
from augviz.model import Group, Item, Pipeline
from augviz.settings import get_settings
from augviz.ui import audit_answer, audit_chosen, gate, page, state, upload_tab
from augviz.ui.audit_chosen import Chosen
from augviz.ui.page import escaped
from augviz.units import seconds_text
from augviz.uploads import get_uploads

JOB = "audit.job"
"""Where the visitor's audit is, in the session."""
TROUBLE = "audit.trouble"
GO = "audit.go"
"""Whether Explore is to be opened: a callback cannot leave the page."""

EXPLORE = Path(__file__).resolve().parents[2] / "pages" / "explore.py"
POLL_SECONDS = 1.0
CANCEL_WAIT_SECONDS = 2.0
FIRST_LIMIT = 200
SIZES = {f"Shrunk to {audit.MAX_SIDE} px": audit.MAX_SIDE, "Full size": None}


def show() -> None:
    """The whole page."""
    state.settle()
    if st.session_state.pop(GO, False):
        st.switch_page(EXPLORE)
    upload_tab.renew()
    pipeline = edits.complete(state.get().pipeline)
    st.subheader("Audit")
    st.caption(
        f"Draws the pipeline of Explore over a set of images: {escaped(_summary(pipeline))}. Every image gets seeds of its own."
    )
    job, chosen = _known()
    busy = job is not None and job.state == "running"
    wanted: Chosen | None = None
    try:
        wanted = audit_chosen.choose()
    except AugvizError as error:
        st.error(escaped(str(error)), icon=":material/error:")
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
    """The session's audit, else the visitor's newest: a page that is loaded anew begins another session."""
    if JOB not in st.session_state and (newest := audit_jobs.newest_of(gate.visitor())) is not None:
        chosen, is_running = audit_chosen.of(newest.plan), newest.state == "running"
        is_theirs = chosen.kind == "upload"  # that goes with its files, which are the other session's
        if is_running and not is_theirs:
            _keep(newest)
        if is_running or not is_theirs:
            st.session_state[JOB] = (newest, chosen)
    known: tuple[AuditJob | None, Chosen | None] = st.session_state.get(JOB, (None, None))
    return known


def _keep(job: AuditJob) -> None:
    """From now on this session's end ends the audit, and no other's."""
    uploads, before = get_uploads(), job.session
    job.session = upload_tab.token()
    if before != job.session:
        uploads.begin_work(job.session, job.cancel)
        uploads.end_work(before, job.cancel)


def _summary(pipeline: Pipeline) -> str:
    return " → ".join(_name(item) for item in batches.enabled(pipeline.steps)) or "no steps"


def _name(item: Item) -> str:
    return f"{item.group}({', '.join(map(_name, item.steps))})" if isinstance(item, Group) else item.transform


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
        st.selectbox(
            "Size",
            list(SIZES),
            key="audit.size",
            width=190,
            help="What is longer is shrunk, as for a preview; draws are those of the full size all the same.",
        )
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
        records, address = audit_kept.place(plan), get_settings().scheduler
        if wanted.kind == "upload":  # they are on this machine only, and the findings go when the files go
            address = ""
            records = wanted.folder / f"{plan.images[0].name}.{records.name}"
        if anew:
            audit_jobs.forget(records)
        job = audit_jobs.start(
            plan,
            records,
            address,
            lambda job: get_uploads().end_work(job.session, job.cancel),
            visitor=gate.visitor(),
        )
        _keep(job)
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
    known = f", {job.known} of them known from before" if job.known else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="audit.progress"):
        st.progress(done / total, text=f"{done} of {total} draws{known}{left}")
        st.button("Cancel", key="audit.cancel", icon=":material/close:", on_click=_cancel, args=(job,))
    if done:
        audit_answer.show(_legible(job.report))


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
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(escaped(_about(job.plan, chosen)))
        audit_answer.downloads(job)

    def again(title: str, seed: int) -> None:
        _take(job, chosen, (title, seed))

    report = _legible(job.report)
    audit_answer.show(report, again)
    _worst(job, chosen, report)


def _legible(value: Any) -> Any:
    """A report with names that a browser can be told: those of files may not be UTF-8."""
    if isinstance(value, dict):
        return {key: _legible(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_legible(one) for one in value]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _about(plan: Plan, chosen: Chosen) -> str:
    """What the answer is about: the controls above it may say something else by now."""
    whose = "Files that you have sent" if chosen.kind == "upload" else plan.folder
    draws = "1 draw" if plan.draws == 1 else f"{plan.draws} draws"
    size = "at full size" if plan.max_side is None else f"shrunk to {plan.max_side} px where longer"
    return f"{whose}, {draws} of each image, seed {plan.seed}, {size}: {_summary(plan.pipeline)}."


def _worst(job: AuditJob, chosen: Chosen, report: Mapping[str, Any]) -> None:
    """A draw to look at in Explore: the failed ones, and the worst of the others."""
    cases = audit_answer.cases(report)
    if not cases:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        label = st.selectbox("Look at a failed draw, or one of the worst", list(cases), key="audit.case")
        st.button(
            "Open in Explore",
            key="audit.open",
            icon=":material/photo_library:",
            on_click=_take,
            args=(job, chosen, cases[label]),
        )


def _take(job: AuditJob, chosen: Chosen, case: tuple[str, int]) -> None:
    """Have Explore show a draw: its image, its pipeline, its seed."""
    title, seed = case
    if title.endswith("/"):
        st.session_state[TROUBLE] = f"{title}: this is a folder that could not be read; there is no image to show."
        return
    named = _names(job.plan.images)
    state.edit(job.plan.pipeline, source=chosen.source(named.get(title, title)), seed=seed, picked=0)
    st.session_state[GO] = True


def _names(images: Sequence[Asked]) -> dict[str, str]:
    return {image.title: image.name for image in images if image.title}
