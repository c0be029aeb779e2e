"""What every page has in common: texts that are no markup, and the place where a user reads what could not be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from augviz import incidents
from augviz.errors import AugvizError


@contextmanager
def boundary() -> Iterator[None]:
    """Show an `AugvizError` as its sentence. Anything else is a bug, of which the server tells by `failed`.

    Every fragment has its own, as a decorator below `st.fragment`: Streamlit runs a fragment again without the page.
    """
    try:
        yield
    except AugvizError as error:
        st.error(str(error), icon=":material/error:")


def failed(error: Exception) -> bool:
    """Show a bug as one sentence with the id under which the log tells of it; returns whether that has been done."""
    st.error(incidents.record(error, "a page"), icon=":material/error:")
    return True


def escaped(text: str) -> str:
    """Markdown's signs as they are: argument names have underscores, ranges can look like links."""
    for sign in "\\_*[]$`~":
        text = text.replace(sign, f"\\{sign}")
    return text
