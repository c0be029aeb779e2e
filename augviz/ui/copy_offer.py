"""The offer to make a working copy of an image that is slow to read: what it costs, the job, and the copy that is there."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from augviz import copies, jobs, sources
from augviz.copies import Copy
from augviz.model import Header, ImageFacts, InputChoice
from augviz.ui import desk, page, progress, refresh, trouble, upload_tab
from augviz.ui.progress import Ending
from augviz.ui.state import Scene
from augviz.units import bytes_text, seconds_text
from augviz.uploads import get_uploads

JOB = "explore.copy.job"
KIND = "explore.copy.kind"
OFFER = "explore.copy.offer"
TROUBLE = "explore.copy.trouble"

IN_MEMORY_BYTES = 100 * 2**20
"""libvips decodes into memory up to this size, into a temporary file above (its own default)."""


def show(scene: Scene) -> None:
    """Below the image's card: the job that runs, the copy that is there, or the offer; mostly nothing at all."""
    with page.boundary():
        running = progress.job_at(JOB) is not None
        if running:
            progress.follow(JOB, ENDING)
        if scene.facts is None:
            return
        path, choice = sources.resolve(scene.state.source), scene.state.pipeline.input
        if (copy := copies.find(path)) is not None:
            _copy(copy, path, is_read=copies.path_for(path, choice) == copy.path)
        elif not running and not scene.facts.region_readable:
            raw = desk.facts_of(scene.state.source, InputChoice())
            if copies.is_offered(raw, choice):
                _offer(raw, path)


def _copy(copy: Copy, path: Path, *, is_read: bool) -> None:
    kind = "lossless" if copy.kind == "lossless" else "JPEG"
    size = bytes_text(copy.file_bytes)
    text = f"Read through a {kind} working copy ({size})" if is_read else f"A {kind} working copy ({size}) is not read"
    if not is_read:
        text += ": a page or level is chosen."
    elif copy.kind == "jpeg":
        text += ": its pixels differ slightly from the original's."
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="explore.copy"):
        st.caption(text, width="stretch")
        st.button(
            "Delete the copy",
            key="explore.copy.delete",
            icon=":material/delete:",
            type="tertiary",
            on_click=copies.delete,
            args=(path,),
        )


def _offer(facts: ImageFacts, path: Path) -> None:
    with st.container(gap="xsmall", key="explore.copy"):
        st.caption(f"{cost(facts)} A tiled working copy makes this as fast as on a pyramid.")
        trouble.tell(TROUBLE)
        popover = st.popover("Make a working copy", icon=":material/grid_on:", key=OFFER, on_change="rerun")
        if popover.open:
            with popover:
                _choice(facts, path)


def cost(facts: ImageFacts) -> str:
    """What the first window of a file costs that is not readable by regions, in a sentence."""
    low, high = (seconds_text(float(f"{seconds:.1g}")) for seconds in copies.decode_seconds(facts.header))
    takes = facts.uncompressed_bytes
    where = "a temporary file of" if takes > IN_MEMORY_BYTES else "memory of"
    return (
        "The first window or picture at full size decodes the whole file: "
        f"about {low} to {high}, and {where} {bytes_text(takes)}."
    )


def _choice(facts: ImageFacts, path: Path) -> None:
    header, kinds = facts.header, copies.kinds_for(facts.header)
    kind = kinds[0]
    if len(kinds) > 1:
        kind = st.radio("Kind of copy", kinds, format_func=copies.KINDS.__getitem__, key=KIND)
    else:
        st.markdown(copies.KINDS[kind])
    st.caption(
        f"{_size(header, kind)}; {bytes_text(copies.free_bytes(path))} are free on the disk. The original stays."
    )
    st.button("Start", key="explore.copy.start", type="primary", on_click=_start, args=(path, facts.name, header, kind))
    st.caption("The same by libvips' own command line tool:")
    command = copies.command_line(facts.name, kind, header.format, facts.loader)
    st.code(command, language="bash", wrap_lines=True)


def _size(header: Header, kind: str) -> str:
    words = "It takes about" if kind == "jpeg" else "It takes at most"
    return f"{words} {bytes_text(copies.estimated_bytes(header, kind))}"


def _start(path: Path, name: str, header: Header, kind: str) -> None:
    """Start the job, or remember why not for the run that follows."""
    with trouble.kept_at(TROUBLE):
        copies.check_room(path, header, kind)
        args = {"path": str(path), "kind": kind, "out": str(copies.place(path, kind))}
        _stop_with_visitor(progress.start(JOB, name, "make_working_copy", args), path)


def _stop_with_visitor(job: jobs.Job, path: Path) -> None:
    """End the job when the visitor has gone or deletes the upload: a copy that is not finished serves nobody."""
    uploads, token = get_uploads(), upload_tab.token()
    is_theirs = any(upload.path == path for upload in uploads.files(token))
    uploads.begin_work(token, job.cancel, path.name if is_theirs else "")
    job.future.add_done_callback(lambda _ended: uploads.end_work(token, job.cancel))


ENDING = Ending("explore.copy", done=lambda _name: None, close=refresh.whole_page)
"""Once the copy is made, the page runs again and reads it."""
