"""The page Explore: the image and the pipeline on the left, the picture on the right, the figures below it."""

from __future__ import annotations

import streamlit as st

from augviz.errors import AugvizError
from augviz.ui import desk, details, editor, edits, image_card, page, state, viewer
from augviz.ui.state import Scene

EDITOR_PX = 344

# The one style sheet outside a component. Streamlit's wide layout leaves 80 px on each side, and containers have fixed
# heights only: the workbench uses the window's whole width, and its cards scroll in the height that the window has.
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.25rem; padding-right: 1.25rem; max-width: none; }
.st-key-explore-editor { height: calc(100vh - 206px) !important; min-height: 260px; padding-right: 6px; }
[class*="st-key-explore-card-"] { padding: 0.35rem 0.6rem 0.5rem !important; }
.st-key-explore-left { flex: 0 0 auto; }
</style>
"""


def show() -> None:
    """The whole page, from the state in the session."""
    st.html(STYLE)
    scene, trouble = _scene()
    key = recipe = draw = None
    if scene.facts is not None:
        recipe = desk.recipe(scene.state.source, edits.complete(scene.state.pipeline), scene.state.shown_seed)
        key = desk.key_of(scene.state.source, edits.complete(scene.state.pipeline), scene.state.shown_seed)
        try:
            draw = desk.draw_of(recipe)
        except AugvizError:
            draw = None  # the picture's route gives the same sentence, and it is shown in the picture's place
    with st.container(horizontal=True, gap="medium", wrap=False):
        with st.container(width=EDITOR_PX, key="explore.left", gap="xsmall"):
            image_card.show(scene)
            editor.show(scene, draw)
        with st.container(key="explore.right", gap="xsmall"):
            if trouble is not None or key is None or recipe is None:
                with page.boundary():
                    raise trouble or AugvizError("There is no image.")
                return
            _toolbar(scene)
            viewer.show(scene, key, draw, on_pick=_picked, on_open=_opened)
            details.show(scene, key, recipe, draw)


def _scene() -> tuple[Scene, AugvizError | None]:
    """The state and the facts of its image; the error where it cannot be opened."""
    now = state.get()
    try:
        return Scene(now, desk.facts_of(now.source, now.pipeline.input)), None
    except AugvizError as error:
        return Scene(now, None), error


def _toolbar(scene: Scene) -> None:
    """The seed, new draws, how the picture is looked at, and how many draws."""
    now = scene.state
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False, key="explore.toolbar"):
        st.caption("Seed", width="content")
        st.session_state["explore.seed"] = now.seed
        st.number_input(
            "Seed",
            0,
            2**31 - 1,
            step=1,
            key="explore.seed",
            on_change=_set_seed,
            label_visibility="collapsed",
            width=120,
        )
        st.button(
            "",
            icon=":material/casino:",
            key="explore.new_draws",
            help="New draws",
            on_click=_new_draws,
            shortcut="Alt+N",
        )
        st.space("stretch")
        if now.mode == "Draws":
            st.session_state["explore.draws"] = now.draws
            st.number_input(
                "Draws",
                1,
                state.MAX_DRAWS,
                step=1,
                key="explore.draws",
                on_change=_set_draws,
                label_visibility="collapsed",
                width=105,
            )
        st.session_state["explore.mode"] = now.mode
        st.segmented_control(
            "View",
            state.MODES,
            key="explore.mode",
            required=True,
            label_visibility="collapsed",
            on_change=_set_mode,
        )


def _set_seed() -> None:
    seed = st.session_state["explore.seed"]
    if seed is not None:
        state.change(seed=int(seed), picked=0)


def _new_draws() -> None:
    """The next draws that have not been looked at."""
    now = state.get()
    state.change(seed=now.seed + (now.draws if now.mode == "Draws" else now.picked + 1), picked=0)


def _set_draws() -> None:
    count = st.session_state["explore.draws"]
    if count is not None:
        state.change(draws=int(count), picked=min(state.get().picked, int(count) - 1))


def _set_mode() -> None:
    """Look at the draw in another way. The one picked among the draws is then the one that is looked at."""
    now, mode = state.get(), st.session_state["explore.mode"]
    state.change(mode=mode, seed=now.shown_seed, picked=0)


def _picked() -> None:
    picked = st.session_state[viewer.KEY].get("picked")
    if picked is not None:
        state.change(picked=int(picked))


def _opened() -> None:
    opened = st.session_state[viewer.KEY].get("opened")
    if opened is not None and any(item.id == opened for item in edits.items(state.get().pipeline)):
        state.change(opened=opened)
