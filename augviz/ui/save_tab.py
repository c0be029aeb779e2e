"""The tab "Save" of Explore: the shown draw at full size as a file, and a contact sheet of draws."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from augviz import estimates, full_size
from augviz.errors import AugvizError, Cancelled
from augviz.estimates import Estimate
from augviz.full_size import Form, Making
from augviz.jobs import Job
from augviz.model import MAX_DRAWS
from augviz.ui import desk, figures, page, progress, trouble, upload_tab, viewer
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.units import bytes_text
from augviz.upload_session import Upload
from augviz.uploads import get_uploads

FORM = "explore.save.form"
DRAWS = "explore.save.draws"
MAKING = "explore.save.making"
CANCELLED = "explore.save.cancelled"
TROUBLE = "explore.save.trouble"


def show(scene: Scene, shown: Shown) -> None:
    """Both ways, side by side."""
    whole, sheet = st.columns([3, 2], gap="medium")
    with whole, st.container(gap="xsmall"), page.boundary():
        _full_size(scene, shown)
    with sheet, st.container(gap="xsmall"), page.boundary():
        _contact_sheet(scene, shown)


# The full-size result


def _full_size(scene: Scene, shown: Shown) -> None:
    st.markdown("**Full-size result**")
    making = _running()
    if shown.draw is None or shown.failed is not None:
        st.caption("No result: a step cannot be drawn for this image.")
    else:
        _offer(scene, shown, busy=making is not None)
    if making is not None:
        _progress()
    if said := st.session_state.get(CANCELLED):
        st.info(escaped(said))
    if said := st.session_state.get(TROUBLE):
        st.error(escaped(said), icon=":material/error:")
    for made in reversed(get_uploads().made(upload_tab.token())):
        _made(made, shown)


def _offer(scene: Scene, shown: Shown, *, busy: bool) -> None:
    """The formats, what the file would take, and the button that makes it."""
    draw = shown.draw
    assert draw is not None
    forms = {form.title: form for form in full_size.forms(draw.result)}
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        title = st.segmented_control(
            "Format", list(forms), key=FORM, default=full_size.TIFF.title, required=True, label_visibility="collapsed"
        )
        form = forms.get(title or "", full_size.TIFF)
        st.button(
            f"Make {escaped(full_size.file_name(scene.name, shown.recipe.seed, form))}",
            key="explore.save.make",
            icon=":material/save:",
            disabled=busy,
            on_click=_make,
            args=(scene.name, shown, form),
        )
    windows = viewer.windows_of(shown)
    estimate = windows if isinstance(windows, Estimate) else viewer.estimate_of(scene, draw)
    time = escaped(figures.time_text(estimate))
    needed, free = full_size.file_bytes(draw.result, form), get_uploads().free_bytes()
    st.caption(
        f"{form.about} {viewer.result_text(draw)}, {bytes_text(estimates.image_bytes(draw.result))}, {time}; "
        f"up to {bytes_text(needed)} on the disk, where {bytes_text(free)} are free."
    )


def _make(name: str, shown: Shown, form: Form) -> None:
    """Start the job for what was shown when the button was clicked; one at a time for each visitor."""
    for said in (CANCELLED, TROUBLE):
        st.session_state.pop(said, None)
    if _running() is not None or shown.draw is None:
        return
    with trouble.kept_at(TROUBLE):
        st.session_state[MAKING] = full_size.start(shown.recipe, shown.key, shown.draw, form, name, upload_tab.token())


def _running() -> Making | None:
    """This visitor's job. One that has ended is forgotten, with what ended it kept to be said."""
    making: Making | None = st.session_state.get(MAKING)
    if making is None or not making.ended.done():
        return making
    del st.session_state[MAKING]
    error = making.ended.exception()
    if isinstance(error, Cancelled):
        st.session_state[CANCELLED] = f"{making.name}: cancelled, nothing was kept."
    elif isinstance(error, AugvizError):
        st.session_state[TROUBLE] = making.trouble(error)
    elif error is not None:
        raise error
    return None


@st.fragment(run_every=progress.POLL_SECONDS)
@page.boundary()
def _progress() -> None:
    """How far the job is; when it has ended, the page runs again to say so."""
    making: Making | None = st.session_state.get(MAKING)
    if making is None:
        return
    if making.ended.done():
        st.rerun()
    progress.show(making.job, making.name, "explore.save.cancel", Job.cancel)


def _made(made: Upload, shown: Shown) -> None:
    """A file that is here: its link, the recipe that it holds, whatever is shown by now, and its end."""
    address = f"{desk.base_address()}file/{quote(upload_tab.token())}/{quote(made.id)}"
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.link_button(escaped(made.name), address, key=f"explore.save.link.{made.id}", icon=":material/download:")
            st.button(
                "Delete now",
                key=f"explore.save.delete.{made.id}",
                icon=":material/delete:",
                type="tertiary",
                on_click=get_uploads().remove,
                args=(upload_tab.token(), made.id),
            )
        is_shown = f"recipe {shown.key}" in made.note
        st.caption(f"{made.note}, {bytes_text(made.file_bytes)}{'' if is_shown else '; another recipe is shown now'}")


# The contact sheet


def _contact_sheet(scene: Scene, shown: Shown) -> None:
    st.markdown("**Contact sheet**")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        count = st.number_input(
            "Draws of the contact sheet",
            1,
            MAX_DRAWS,
            value=scene.state.draws,
            step=1,
            key=DRAWS,
            label_visibility="collapsed",
            width=110,
        )
        st.link_button(
            "Download the contact sheet",
            f"{desk.base_address()}sheet/{shown.key}.png?count={count}",
            key="explore.save.sheet",
            icon=":material/grid_view:",
        )
    first, last = shown.recipe.seed, shown.recipe.seed + count - 1
    draws = f"draw of seed {first}" if count == 1 else f"{count} draws of seeds {first} to {last}"
    st.caption(
        f"The original and the {draws}, each with what was drawn, on one PNG. It is made when the link is opened, which "
        "takes a few seconds."
    )
