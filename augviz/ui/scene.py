"""What Explore shows at the moment: the state, the facts of its image, the recipe and its draw."""

from __future__ import annotations

import time

import streamlit as st

from augviz import edits
from augviz.errors import AugvizError, StepError
from augviz.ui import desk, feed, gate, state, upload_tab, viewer
from augviz.ui.state import Scene, Shown

HEAD_START_SECONDS = 0.1
"""The browser needs 0.1 to 0.2 s to render a run of the page, in which no picture can appear. With this pause the quick
picture is on the screen 0.15 s after a key press instead of 0.3 s, and the rest of the page 0.34 s after it."""

ANNOUNCED = "explore.announced"


def current() -> tuple[Scene, AugvizError | None]:
    """The state and the facts of its image; the error where it cannot be opened."""
    state.settle()
    upload_tab.renew()
    now = state.get()
    try:
        return Scene(now, desk.facts_of(now.source, now.pipeline.input)), None
    except AugvizError as error:
        return Scene(now, None), error


def shown(scene: Scene) -> Shown:
    """The recipe and its draw. Where a step cannot be drawn, its sentence stands in the picture's place."""
    now, pipeline = scene.state, edits.complete(scene.state.pipeline)
    recipe = desk.recipe(now.source, pipeline, now.shown_seed)
    key = desk.key_of(now.source, pipeline, now.shown_seed)
    try:
        return Shown(key, recipe, desk.draw_of(recipe))
    except StepError as error:
        good = edits.before_leaf(pipeline, error.position or 1)
        good_key = desk.key_of(now.source, good, now.shown_seed)
        return Shown(key, recipe, desk.draw_of(desk.recipe(now.source, good, now.shown_seed)), good_key, error)
    except AugvizError as error:
        return Shown(key, recipe, None, "", error)


def announce() -> None:
    """Tell the picture what to show, and give it a head start before the page runs. Nothing happens if it knows already."""
    scene, trouble = current()
    if trouble is not None:
        return
    data = viewer.data_of(scene, shown(scene))
    if st.session_state.get(ANNOUNCED) == data["version"]:
        return
    st.session_state[ANNOUNCED] = data["version"]
    if feed.publish(desk.session_id(), data, gate.visitor()):
        time.sleep(HEAD_START_SECONDS)
