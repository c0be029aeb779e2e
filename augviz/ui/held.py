"""What widgets hold: the page puts values into them, and hears of those that the visitor has changed.

Streamlit 1.67 sends the values of all widgets with every click, as the browser shows them at that moment. A click that
comes before the browser has shown what an undo or new draws have put into a widget brings the old value along, and
Streamlit takes it for a change: the undo would be undone. The picture tells, by its feed, which version of the state the
browser has shown (`feed.seen`), so that such a report is known and left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from augviz import edits
from augviz.ui import desk, feed, gate, state

KEY = "explore.held"


@dataclass(frozen=True, slots=True)
class _Held:
    """A widget's value, and the values that the page has replaced, each with the version of the state that did it."""

    value: Any
    replaced: tuple[tuple[Any, int], ...] = ()


def put(key: str, value: Any) -> None:
    """Put a value into the widget called `key`; to be done right before the widget is made."""
    held = _all()
    old = held.get(key)
    if old is None:
        held[key] = _Held(value)
    elif old.value != value:
        held[key] = _Held(value, (*_unseen(old), (old.value, state.get().version)))
    st.session_state[key] = value


def heard(key: str, take: Callable[..., None], *args: Any) -> Callable[[], None]:
    """The widget's `on_change`: calls `take(*args)` unless the browser only repeats what the page has replaced."""

    def on_change() -> None:
        held, reported = _all(), st.session_state[key]
        old = held.get(key)
        if old is not None:
            unseen = _unseen(old)
            if any(reported == value for value, _ in unseen):
                return
            held[key] = _Held(reported, unseen)
        with contextlib.suppress(edits.GoneError):  # the browser had not shown yet that the step has gone
            take(*args)

    return on_change


def _all() -> dict[str, _Held]:
    if KEY not in st.session_state:
        st.session_state[KEY] = {}
    held: dict[str, _Held] = st.session_state[KEY]
    return held


def _unseen(held: _Held) -> tuple[tuple[Any, int], ...]:
    """What was replaced by a version that the browser has not shown yet; nothing where there is no feed to tell."""
    seen = feed.seen(desk.session_id(), gate.visitor())
    return () if seen is None else tuple((value, version) for value, version in held.replaced if version > seen)
