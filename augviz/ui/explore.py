"""The page Explore: the image and the pipeline on the left, the picture on the right, the figures below it.

The page is a fragment with three fragments in it. Streamlit runs fragments one after the other and skips to the latest, so
no change starts a second run beside the first; and a change of one argument runs the picture, the open card and the figures
only (`refresh`): each element that runs again costs the browser about two milliseconds.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from augviz import edits
from augviz.model import MAX_DRAWS
from augviz.ui import address, details, editor, held, image_card, page, refresh, scene, state, viewer
from augviz.ui.state import Scene

EDITOR_PX = 344
MEASURE = str(Path(__file__).resolve().parents[2] / "pages" / "measure.py")
LEAVING = "explore.leaving"

# A style sheet of the page: Streamlit's wide layout leaves 80 px on each side, and containers have fixed
# heights only: the workbench fills the window, and its cards and figures scroll inside it, so that the picture never leaves it.
# In a narrow window the picture comes first, and the cards below it.
# Rows that do not wrap would get scroll bars for a pixel or two of shadow.
# A number that is cleared comes back: no button for it, the room is for digits.
# Buttons that show an icon only keep their label for screen readers.
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.25rem; padding-right: 1.25rem; max-width: none; }
.st-key-explore-left > :last-child { flex-basis: calc(100vh - 168px) !important; min-height: 260px; }
.st-key-explore-right { min-height: max(560px, calc(100vh - 68px)); }
.st-key-explore-right > :last-child { flex: 1 1 0; min-height: 150px; overflow: auto; }
.st-key-explore-toolbar, .st-key-explore-left [data-testid="stHorizontalBlock"] { overflow: visible; }
.st-key-explore-image [data-testid="stCaptionContainer"] p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
[data-testid="stNumberInputClearButton"] { display: none; }
.st-key-explore-editor { padding-right: 6px; height: auto !important; }
[class*="st-key-explore-step-"][class*="-open"] :is(button, button > div) { justify-content: flex-start; width: 100%; }
[class*="st-key-explore-card-"] { padding: 0.25rem 0.6rem 0.4rem !important; }
:is([class*="st-key-explore-step-"][class*="-menu"], .st-key-explore-header) button div[aria-hidden="true"],
:is(.st-key-explore-undo, .st-key-explore-redo, .st-key-explore-new_draws) kbd { display: none; }
:is([class*="st-key-explore-step-"][class*="-menu"], .st-key-explore-header, .st-key-explore-undo, .st-key-explore-redo,
  .st-key-explore-import, .st-key-explore-new_draws) button [data-testid="stMarkdownContainer"] { position: absolute; width: 1px;
  height: 1px; overflow: hidden; clip-path: inset(50%); }
.st-key-explore-drawn table { width: 100%; border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.st-key-explore-drawn :is(th, td) { text-align: left; vertical-align: top; padding: 4px 14px 4px 0; font-weight: normal;
  border-bottom: 1px solid rgba(128, 128, 128, 0.25); }
@media (max-width: 1000px) {
  .st-key-explore-desk { flex-direction: column; }
  .st-key-explore-desk > * { width: 100% !important; max-width: 100% !important; min-width: 0 !important; }
  .st-key-explore-desk > :last-child { order: -1; }
  .st-key-explore-toolbar { flex-wrap: wrap !important; }
  .st-key-explore-left > :last-child { flex-basis: auto !important; }
  .st-key-explore-right { min-height: 0; }
  .st-key-explore-right > :last-child { flex: none; }
}
.st-key-explore-drawn thead th, .st-key-explore-drawn tr.idle { opacity: 0.65; }
</style>
"""


def show() -> None:
    """The whole page."""
    st.html(STYLE)
    with page.boundary():
        address.read()
    if "explore.visited" not in st.session_state:
        with st.spinner("Starting: the first picture after a start takes a few seconds"):
            scene.current()
        st.session_state["explore.visited"] = True
    _page()


@st.fragment(key=refresh.PAGE)
@page.boundary()
def _page() -> None:
    if st.session_state.pop(LEAVING, False):
        address.leave()  # who comes back before that page has run has changed nothing
        st.switch_page(MEASURE)
    now, trouble = scene.current()
    shown = scene.shown(now) if now.facts is not None else None
    scene.announce()
    with st.container(horizontal=True, gap="medium", wrap=False, key="explore.desk"):
        left = st.container(width=EDITOR_PX, key="explore.left", gap="xsmall")
        with st.container(key="explore.right", gap="xsmall"):
            toolbar, picture, below = st.container(), st.container(), st.container()
    # The picture is told first: the browser asks for it while it still makes the rest of the page.
    if shown is not None:
        with picture:
            _picture()
    with left:
        image_card.show(now)
        editor.show(now, shown.draw if shown else None)
    with toolbar:
        _toolbar(now)
    with below, page.boundary():
        address.show_trouble()
        if trouble is not None:
            raise trouble
        _details()


@st.fragment(key=refresh.PICTURE)
@page.boundary()
def _picture() -> None:
    now, _ = scene.current()
    if now.facts is not None:
        viewer.show(now, scene.shown(now), on_pick=_picked, on_open=_opened, on_mode=_curtain, on_measure=_measure)


@st.fragment(key=refresh.DETAILS)
@page.boundary()
def _details() -> None:
    now, _ = scene.current()
    if now.facts is not None:
        details.show(now, scene.shown(now))
    address.write()


def _toolbar(seen: Scene) -> None:
    """The seed, new draws, how the picture is looked at, and how many draws."""
    now = seen.state
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False, key="explore.toolbar"):
        st.caption("Seed", width="content")
        held.put("explore.seed", now.seed)
        st.number_input(
            "Seed",
            0,
            2**31 - 1,
            value=None,
            step=1,
            key="explore.seed",
            on_change=held.heard("explore.seed", _set_seed),
            label_visibility="collapsed",
            width=148,
        )
        st.button(
            "New draws",
            icon=":material/casino:",
            key="explore.new_draws",
            help="New draws (Alt+N)",
            on_click=state.later,
            args=(_new_draws,),
            shortcut="Alt+N",
        )
        address.copy_button()
        st.space("stretch")
        if now.mode == "Draws":
            st.caption("Draws", width="content")
            held.put("explore.draws", now.draws)
            st.number_input(
                "Draws",
                1,
                MAX_DRAWS,
                value=None,
                step=1,
                key="explore.draws",
                on_change=held.heard("explore.draws", _set_draws),
                label_visibility="collapsed",
                width=68,
            )
        held.put("explore.mode", now.mode)
        st.segmented_control(
            "View",
            state.MODES,
            key="explore.mode",
            required=True,
            label_visibility="collapsed",
            on_change=held.heard("explore.mode", _set_mode),
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
    _look(st.session_state["explore.mode"])


def _look(mode: str) -> None:
    """Look at the draw in another way. The one picked among the draws is then the one that is looked at."""
    state.change(mode=mode, seed=state.get().shown_seed, picked=0)


def _curtain() -> None:
    mode = st.session_state[viewer.KEY].get("mode")
    if mode in state.MODES:
        _look(mode)
        refresh.whole_page()


def _measure() -> None:
    """Go to the page that measures, with what is looked at here; the run after this callback does."""
    if st.session_state[viewer.KEY].get("measure"):
        st.session_state[LEAVING] = True
        refresh.whole_page()


def _picked() -> None:
    picked = st.session_state[viewer.KEY].get("picked")
    if picked is not None:
        state.change(picked=int(picked))
        refresh.whole_page()


def _opened() -> None:
    opened = st.session_state[viewer.KEY].get("opened")
    if opened is not None and any(item.id == opened for item in edits.items(state.get().pipeline)):
        state.change(opened=opened)
        refresh.whole_page()
