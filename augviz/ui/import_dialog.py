"""The dialog that takes a pipeline from text: pasted or from a small file, read as data and never run."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from augviz import edits, parse
from augviz.errors import PipelineError
from augviz.model import InputChoice, Pipeline
from augviz.parse import Read
from augviz.ui import state
from augviz.ui.page import escaped

TEXT, FILE, NUMBER = "explore.import.text", "explore.import.file", "explore.import.number"

EXAMPLE = """import albumentationsxl as A

transform = A.Compose([
    A.HorizontalFlip(p=0.5),
    A.Rotate(limit=20),
])"""


@st.dialog("Import a pipeline", width="large", icon=":material/input:")
def open_dialog() -> None:
    """Paste code or choose a file, see what was read of it, and take it."""
    st.caption(
        "Python with an `A.Compose([...])`, of albumentationsxl or albumentations, or JSON: a saved pipeline, or what "
        "`A.to_dict` and `A.save` write. The text is taken apart, and never run."
    )
    file = st.file_uploader("A .py or .json file", ["py", "json"], key=FILE, max_upload_size=1)
    text = st.text_area("Or the code itself", key=TEXT, height=220, placeholder=EXAMPLE, disabled=file is not None)
    try:
        if file is not None:
            found = _read(file.getvalue(), file.name)
        elif text and text.strip():
            found = _read(text.encode("utf-8", "replace"), "")
        else:
            return
        edits.check_count(found.pipeline)
    except PipelineError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    _offer(found)


def _read(data: bytes, name: str) -> Read:
    """The pipeline of a text; of the Compose that was chosen where there are several."""
    found = parse.read_bytes(data, name)
    chosen = st.session_state.get(NUMBER)
    if len(found.composes) < 2 or chosen in (None, found.number) or chosen > len(found.composes):
        return found
    return parse.read_bytes(data, name, number=chosen)


def _offer(found: Read) -> None:
    """What was read, what was not, and the button that takes it."""
    if len(found.composes) > 1:
        labels = [f"line {one.line}{f', {one.label}' if one.label else ''}" for one in found.composes]
        st.session_state[NUMBER] = found.number
        st.selectbox(
            "Which Compose",
            range(1, len(labels) + 1),
            format_func=lambda number: labels[number - 1],
            key=NUMBER,
        )
    count = sum(1 for _ in found.pipeline.leaves())
    lost = [note for note in found.notes if note.lost]
    st.markdown(f"**{count} step{'' if count == 1 else 's'}**" + (", not all of the text" if lost else ""))
    with st.container(height=170 if len(found.notes) > 4 else "content", border=False, gap="xsmall"):
        for note in found.notes:
            mark = ":orange[:material/warning:]" if note.lost else ":gray[:material/info:]"
            st.markdown(f"{mark} :small[{escaped(str(note))}]")
    label = "Replace my pipeline by it" if not lost else "Take what was read"
    if st.button(
        label,
        key="explore.import.take",
        type="primary",
        icon=":material/check:",
        on_click=state.later,
        args=(take, found.pipeline),
    ):
        st.rerun()


def take(pipeline: Pipeline) -> None:
    """Replace the pipeline; one that says nothing of its input is fed as the present one. It can be undone."""
    if pipeline.input == InputChoice():
        pipeline = replace(pipeline, input=state.get().pipeline.input)
    state.edit(pipeline, opened=None)
