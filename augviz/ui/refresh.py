"""Which parts of Explore run again after a change that was made inside one of its parts. For widgets' callbacks only."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

PAGE, PICTURE, CONTROLS, DETAILS = "explore.page", "explore.picture", "explore.controls", "explore.details_part"
"""Keys of the page's fragments."""


def whole_page() -> NoReturn:
    """Run the whole page again, not only the part in which the widget stands."""
    st.rerun(PAGE)


def picture_and_controls() -> NoReturn:
    """Run only what shows the arguments of the open step: the picture, the step's controls, the figures."""
    st.rerun([PICTURE, CONTROLS, DETAILS])
