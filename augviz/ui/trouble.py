"""What could not be done in a widget's callback, which can show nothing: kept in the session for the run that follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from augviz.errors import AugvizError
from augviz.uploads import get_uploads


@contextmanager
def kept_at(place: str) -> Iterator[None]:
    """Keep the sentence of an `AugvizError` at a place of the session, with the names that visitors gave to their files.

    The rest of the block is not done.
    """
    try:
        yield
    except AugvizError as error:
        st.session_state[place] = get_uploads().shown(str(error))


def tell(place: str) -> bool:
    """Show once what is kept there; whether there was something."""
    said = st.session_state.pop(place, "")
    if said:
        st.error(said, icon=":material/error:")
    return bool(said)
