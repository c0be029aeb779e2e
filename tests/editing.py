"""Explore with steps to edit, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from augviz import edits, sources
from augviz.model import Group, Pipeline, Step, Value
from augviz.ui.state import Explore
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"


def opened(*items: Step | Group, image: str = "astronaut") -> AppTest:
    """Explore with these steps, the first of them open."""
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    app.session_state["explore"] = Explore(sources.SourceRef("sample", image), Pipeline(items), opened=items[0].id)
    return app.run()


def argument(app: AppTest, name: str) -> Value:
    step = edits.find(app.session_state["explore"].pipeline, "s1")
    assert isinstance(step, Step)
    value: Value = step.get(name)
    return value
