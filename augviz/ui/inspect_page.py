"""The page Inspect: the result of Explore's pipeline as a map of tiles, with the values behind a pixel and a window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from augviz import web
from augviz.errors import AugvizError
from augviz.model import DTYPES, Pipeline
from augviz.tile_routes import inspect_question, window_question
from augviz.ui import address, desk, details, exact_preview, gate, page, scene, subject_bar
from augviz.ui.page import boundary, escaped
from augviz.ui.state import Scene, Shown
from augviz.value_text import number_text

KEY = "inspect.viewer"
WINDOW = "inspect.window"

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "augviz_inspector",
    html=(_HERE / "inspector.html").read_text(encoding="utf-8"),
    css=(_HERE / "inspector.css").read_text(encoding="utf-8"),
    js=(_HERE / "inspector.js").read_text(encoding="utf-8"),
)


# The viewer wants the window's width; a number that is cleared comes back, so that the room is for digits.
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.25rem; padding-right: 1.25rem; padding-top: 3rem; max-width: none; }
.st-key-inspect-toolbar [data-testid="stNumberInputClearButton"] { display: none; }
</style>
"""


def show() -> None:
    """The whole page."""
    st.html(STYLE)
    with page.boundary():
        address.read("inspect")
    _page()


@st.fragment
@boundary()
def _page() -> None:
    now, trouble = scene.current()
    address.show_trouble()
    if trouble is not None:
        raise trouble
    shown = scene.shown(now)
    subject_bar.show(now, "inspect")
    _component(key=KEY, data=data_of(now, shown), on_window_change=_window_asked, height="content")
    _window(shown)
    exact_preview.show(now, shown)
    address.write()
    with st.container(key="inspect.key"):
        st.caption(f"Recipe {shown.key}")


def data_of(seen: Scene, shown: Shown) -> dict[str, Any]:
    """What the viewer has to know. Where there is no result, `trouble` says why and there is no key."""
    now = seen.state
    image = desk.key_of(now.source, Pipeline((), now.pipeline.input), 0)
    known: dict[str, Any] = {
        "key": "",
        "trouble": "",
        "image": image,
        "source_key": image,
        "name": seen.name,
        "base": desk.base_address(),
        "session": desk.session_id(),
        "bands": ",".join(map(str, now.bands or ())),
        "measured": _measured(shown),
    }
    if shown.failed is not None or shown.draw is None:
        return {**known, "trouble": str(shown.failed or "There is no result.")}
    try:
        told = web.get_answers().call(inspect_question(shown.recipe), visitor=gate.visitor()).value
    except AugvizError as error:
        return {**known, "trouble": str(error)}
    return {**told, **known, "key": shown.key}


# A window


def _window_asked() -> None:
    asked = st.session_state[KEY].get("window")
    if asked:
        st.session_state[WINDOW] = dict(asked)


def _measured(shown: Shown) -> int | None:
    """When the window was asked for whose figures are below, in milliseconds of the browser's clock."""
    asked = st.session_state.get(WINDOW)
    return int(asked["at"]) if asked and asked.get("key") == shown.key else None


def _window(shown: Shown) -> None:
    """Figures of the window that was asked for last, as long as it belongs to what is shown."""
    asked = st.session_state.get(WINDOW)
    if not asked or asked.get("key") != shown.key:
        return
    x, y, width, height = (int(asked[name]) for name in ("x", "y", "width", "height"))
    with st.container(border=True, key="inspect.window"):
        with st.spinner("Making the window at full size"):
            try:
                question = window_question(shown.recipe, x, y, width, height)
                found = web.get_answers().call(question, visitor=gate.visitor()).value
            except AugvizError as error:
                st.error(str(error), icon=":material/error:")
                return
        parts = st.columns(2)
        with parts[0]:
            if found["before"] is None:
                st.caption("The window holds no pixel of the original, only what steps have filled in.")
            else:
                _figures("Original", found["before"])
        with parts[1]:
            _figures("Result", found["after"])
        if found["reasons"]:
            st.caption(escaped(f"The result is {found['truth']} here. {' '.join(found['reasons'])}"))


def _figures(title: str, figures: Mapping[str, Any]) -> None:
    dtype = DTYPES.get(figures["format"], figures["format"])
    st.markdown(
        f"**{title}**, {dtype}, {figures['width']} × {figures['height']} pixels from {figures['x']}, {figures['y']}"
    )
    st.dataframe([band_row(number, band) for number, band in enumerate(figures["bands"], start=1)], hide_index=True)
    details.chart(title, figures["histogram"], figures["format"], f"inspect.histogram.{title}")


def band_row(number: int, band: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the table: a band's lowest, highest, mean and standard deviation in the data's own units."""
    names = {"low": "Lowest", "high": "Highest", "mean": "Mean", "deviation": "Standard deviation"}
    return {"Band": number, **{title: number_text(band[name]) for name, title in names.items()}}
