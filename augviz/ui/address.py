"""The state of Explore and Inspect in the address: read when a link is opened or Back is pressed, written after a change."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import streamlit as st

from augviz import edits, link
from augviz.errors import AugvizError
from augviz.link import Link
from augviz.model import InputChoice
from augviz.ui import desk, state

PARAMETER = "s"
KEY = "explore.address"
COPY_KEY = "explore.copy_link"

SETTLE_SECONDS = 1.5
"""A browser repeats an older address of ours for a moment after a newer one was written; later it means Back."""

MAX_REMEMBERED = 300

UPLOAD_GONE = (
    "The address was made with an upload, which only its visitor can open, while the session in which it was sent lasts; "
    "this is another image."
)

_HERE = Path(__file__).parent
_copy = st.components.v2.component(
    "augviz_copy_link",
    html=(_HERE / "copy_link.html").read_text(encoding="utf-8"),
    css=(_HERE / "copy_link.css").read_text(encoding="utf-8"),
    js=(_HERE / "copy_link.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class _Address:
    """What this session knows of its address.

    Attributes:
        text: what was written or read last.
        written_at: when it was written last, by the monotonic clock.
        ours: what was written or read, the newest last.
        trouble: what a link asked for and could not be restored, in sentences, at the state's `version`.
        page: where the address was read last, "" for a page whose address says nothing of the state.
    """

    text: str = ""
    written_at: float = 0.0
    ours: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    version: int = field(default=-1)
    page: str = "explore"


def _known() -> _Address:
    known: _Address = st.session_state.get(KEY, _Address())
    return known


def read(page: str = "explore") -> None:
    """Take the state that the address asks for, if it is not what was written or read last.

    The plain address is what a visitor came to, and the way from another page, which changes nothing.
    """
    text, known = st.query_params.get(PARAMETER, ""), _known()
    if known.page != page:
        known = st.session_state[KEY] = replace(known, page=page)
        if not text:
            return
    if text == known.text:
        return
    is_ours = not text or text in known.ours
    if is_ours and time.monotonic() - known.written_at < SETTLE_SECONDS:
        return
    try:
        trouble = _take(link.decode(text), is_ours) if text else _take_first()
    except link.LinkError as error:
        trouble = (str(error),)
    ours = (*known.ours, text)[-MAX_REMEMBERED:]
    st.session_state[KEY] = replace(known, text=text, ours=ours, trouble=trouble, version=state.get().version)


def leave() -> None:
    """Another page is looked at: its address says nothing of Explore's state."""
    st.session_state[KEY] = replace(_known(), page="")


def _take_first() -> tuple[str, ...]:
    """Make the state what a visitor finds at the plain address."""
    first = state.first()
    state.edit(first.pipeline, source=first.source, seed=first.seed, picked=0, opened=None, bands=None)
    return ()


def _take(wanted: Link, is_ours: bool) -> tuple[str, ...]:
    """Make the state that of a link; returns what could not be restored."""
    source, pipeline, trouble = wanted.source, wanted.pipeline, []
    if source is None:
        if not is_ours:
            trouble.append(UPLOAD_GONE)
        source = state.get().source
    else:
        try:
            desk.facts_of(source, InputChoice())
        except AugvizError as error:
            trouble.append(f"The link's image cannot be opened, this is another one. {error}")
            source = state.get().source
    try:
        desk.facts_of(source, pipeline.input)
    except AugvizError as error:
        trouble.append(f"The image is fed to the pipeline as it is. {error}")
        pipeline = replace(pipeline, input=InputChoice())
    bands = state.get().bands if source == state.get().source else None
    state.edit(pipeline, source=source, seed=wanted.seed, picked=0, opened=None, bands=bands)
    return tuple(trouble)


def write() -> None:
    """Put the state into the address. A visitor who has changed nothing keeps the plain one."""
    now, known = state.get(), _known()
    if now.version == 0:
        return
    text, shown = _text_of(now), st.query_params.get(PARAMETER, "")
    if len(text) > link.MAX_TEXT or text == shown or (not shown and text == _text_of(state.first())):
        return
    st.query_params[PARAMETER] = text
    ours = (*known.ours, text)[-MAX_REMEMBERED:]
    st.session_state[KEY] = replace(known, text=text, written_at=time.monotonic(), ours=ours)


def _text_of(now: state.Explore) -> str:
    return link.encode(now.source, edits.complete(now.pipeline), now.shown_seed)


def show_trouble() -> None:
    """Say what a link could not restore, until something is changed."""
    known = _known()
    if known.version == state.get().version:
        for sentence in known.trouble:
            st.warning(sentence, icon=":material/link_off:")


def copy_button() -> None:
    """The button that copies the page's address."""
    is_upload = state.get().source.kind == "upload"
    note = "Copied, without the image: an upload stays with its visitor" if is_upload else "Link copied"
    copy_link(COPY_KEY, note, "Copy a link to this image, pipeline and seed")


def copy_link(key: str, note: str, title: str) -> None:
    """A button that copies the page's address. `note` is said when it is done, `title` when it is pointed at."""
    _copy(key=key, data={"note": note, "title": title}, height="content", width="content")
