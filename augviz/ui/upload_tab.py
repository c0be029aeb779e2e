"""The visitor's own files: the component that sends them, and the list of those that are here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from augviz.sources import SourceRef
from augviz.ui import desk, gate
from augviz.ui.page import escaped
from augviz.units import bytes_text, seconds_text
from augviz.upload_session import MAX_FILES, Upload
from augviz.uploads import get_uploads

KEY = "explore.uploader"
TOKEN = "explore.upload_token"

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "augviz_uploader",
    html=(_HERE / "uploader.html").read_text(encoding="utf-8"),
    css=(_HERE / "uploader.css").read_text(encoding="utf-8"),
    js=(_HERE / "uploader.js").read_text(encoding="utf-8"),
)


def token() -> str:
    """This visitor's session among the uploads, made at the first use."""
    known = st.session_state.get(TOKEN)
    if known is None or not get_uploads().is_known(known):
        known = st.session_state[TOKEN] = get_uploads().open_session(gate.visitor())
        renew()
    return str(known)


def renew() -> None:
    """Keep what this visitor has sent for as long as the browser is connected. Costs nothing where nothing was sent."""
    known = st.session_state.get(TOKEN)
    if known is not None:
        _hold(known)


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda held: get_uploads().release(held))
def _hold(held: str) -> str:
    # Streamlit releases it when the browser's connection goes, also when that comes back a moment later: then the next
    # run holds it again, within the grace time.
    get_uploads().hold(held)
    return held


def show(on_sent: Callable[[SourceRef], None], card: Callable[[SourceRef, str, str], None]) -> None:
    """The place to drop files, how long they are kept, and the files.

    Args:
        on_sent: called in the component's callback when a single file has arrived: it is what the visitor wants to see.
        card: shows a file's picture and the button that chooses it; takes its reference, its title and a key.
    """
    uploads, mine = get_uploads(), token()

    def sent() -> None:
        told = st.session_state[KEY].get("done")
        if told and told.get("alone"):
            on_sent(reference(mine, str(told.get("id", ""))))

    _component(
        key=KEY,
        data={
            "address": f"{desk.base_address()}upload/{mine}",
            "limit_bytes": uploads.max_bytes,
            "limit_text": f"Up to {bytes_text(uploads.max_bytes)} each, {MAX_FILES} files.",
        },
        on_done_change=sent,
    )
    st.caption(
        "Files stay on this server while this page is open and "
        f"{seconds_text(uploads.grace_seconds)} afterwards; a restart of the server removes them. Nobody else can see them."
    )
    files = uploads.files(mine)
    if files:
        with st.grid(4, gap="small"):
            for upload in files:
                _file(upload, mine, card)


def _file(upload: Upload, mine: str, card: Callable[[SourceRef, str, str], None]) -> None:
    with st.container(border=True, gap="xsmall"):
        card(reference(mine, upload.id), upload.name, f"explore.upload.{upload.id}")
        st.caption(f"{escaped(upload.name)}, {bytes_text(upload.file_bytes)}")
        st.button(
            "Delete now",
            key=f"explore.upload.{upload.id}.delete",
            icon=":material/delete:",
            type="tertiary",
            on_click=get_uploads().remove,
            args=(mine, upload.id),
        )


def forget(source: SourceRef) -> None:
    """Delete the upload that a reference names."""
    mine, _, upload_id = source.name.partition("/")
    get_uploads().remove(mine, upload_id)


def reference(mine: str, upload_id: str) -> SourceRef:
    """How the state names an upload."""
    return SourceRef("upload", f"{mine}/{upload_id}")
