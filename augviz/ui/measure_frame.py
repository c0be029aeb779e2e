"""What the questions of Measure have in common: what surrounds controls, bar and answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from augviz.ui import page, series_bar
from augviz.ui.page import escaped


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        result, trouble: where in the session are its last answer, and why it could not ask.
    """

    result: str
    trouble: str

    def show(
        self, about: str, take_over: Callable[[], None], ask: Callable[[bool], None], answer: Callable[[Any], None]
    ) -> None:
        """What it is about, its controls, the bar while something runs, and the last answer.

        Args:
            take_over: keeps what its series has brought, once that has ended.
            ask: shows the controls; is told whether anything of the visitor's is being measured.
            answer: shows the last answer.
        """
        was_running = series_bar.running() is not None
        with page.boundary():
            take_over()
            st.caption(about)
            ask(was_running)
            if (trouble := st.session_state.get(self.trouble)) is not None:
                st.error(escaped(trouble), icon=":material/error:")
        if was_running:
            series_bar.show()
        with page.boundary():
            if (result := st.session_state.get(self.result)) is not None:
                answer(result)
