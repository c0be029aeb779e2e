"""What a page is about, in one line: the image, the steps and the draw that Explore shows, and the ways to change them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from augviz.ui import state
from augviz.ui.page import escaped
from augviz.ui.state import Scene

EXPLORE = Path(__file__).resolve().parents[2] / "pages" / "explore.py"


def show(seen: Scene, name: str) -> None:
    """The line.

    Args:
        name: the page's, which its keys begin with: `inspect.seed`.
    """
    now = seen.state
    steps = [leaf.transform for leaf in now.pipeline.leaves() if leaf.enabled]
    seed = f"{name}.seed"
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"{name}.toolbar"):
        st.markdown(f"**{escaped(seen.name)}** :gray[after] {escaped(', '.join(steps) or 'no step')}", width="stretch")
        st.caption("Seed", width="content")
        st.session_state[seed] = now.shown_seed
        st.number_input(
            "Seed",
            0,
            2**31 - 1,
            value=None,
            step=1,
            key=seed,
            on_change=partial(_set_seed, seed),
            label_visibility="collapsed",
            width=160,
        )
        st.button("New draw", icon=":material/casino:", key=f"{name}.new_draw", on_click=state.later, args=(_new_draw,))
        st.page_link(EXPLORE, label="Change the pipeline", icon=":material/tune:")


def _set_seed(key: str) -> None:
    seed = st.session_state[key]
    if seed is not None:
        state.change(seed=int(seed), picked=0)


def _new_draw() -> None:
    state.change(seed=state.get().shown_seed + 1, picked=0)
