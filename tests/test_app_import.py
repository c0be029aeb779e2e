"""The dialog that takes a pipeline from text."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from augviz import export, presets, saved
from augviz.model import Pipeline
from augviz.ui.state import Explore
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"


@pytest.fixture
def app() -> AppTest:
    opened = AppTest.from_file(str(SHELL), default_timeout=60).run()
    return opened.button(key="explore.import").click().run()


def state(app: AppTest) -> Explore:
    found: Explore = app.session_state["explore"]
    return found


def transforms(pipeline: Pipeline) -> list[str]:
    return [step.transform for step in pipeline.leaves()]


def paste(app: AppTest, text: str) -> AppTest:
    app.text_area(key="explore.import.text").set_value(text)
    return again(app)


def again(app: AppTest) -> AppTest:
    """Run with the dialog open: without a browser, it closes unless it is opened in the same run."""
    return app.button(key="explore.import").click().run()


def test_pasted_code_replaces_the_pipeline_and_can_be_undone(app: AppTest) -> None:
    before = state(app).pipeline
    paste(app, export.compose(presets.PRESETS[1].pipeline))
    assert state(app).pipeline == before

    app.button(key="explore.import.take").click().run()
    assert transforms(state(app).pipeline) == transforms(presets.PRESETS[1].pipeline)

    app.button(key="explore.undo").click().run()
    assert state(app).pipeline == before


def test_what_cannot_be_read_is_told_by_its_line_and_the_rest_is_offered(app: AppTest) -> None:
    paste(app, "import albumentationsxl as A\nt = A.Compose([\n  A.NoOp(),\n  make_it(),\n])\n")

    assert any("line 4" in markdown.value for markdown in app.markdown)
    assert app.button(key="explore.import.take").label == "Take what was read"
    app.button(key="explore.import.take").click().run()
    assert transforms(state(app).pipeline) == ["NoOp"]


def test_one_of_several_is_chosen(app: AppTest) -> None:
    paste(app, "import albumentationsxl as A\na = A.Compose([A.NoOp()])\nb = A.Compose([A.HorizontalFlip()])\n")
    app.selectbox(key="explore.import.number").set_value(2)
    again(app)
    app.button(key="explore.import.take").click().run()

    assert transforms(state(app).pipeline) == ["HorizontalFlip"]


def test_a_saved_pipeline_is_taken_with_its_ids(app: AppTest) -> None:
    pipeline = presets.PRESETS[2].pipeline
    paste(app, saved.dumps(pipeline))
    app.button(key="explore.import.take").click().run()

    assert state(app).pipeline == pipeline


@pytest.mark.parametrize("text", ["nonsense", "{]", "import os\nos.system('true')"])
def test_a_text_without_a_pipeline_is_one_sentence(app: AppTest, text: str) -> None:
    before = state(app).pipeline
    paste(app, text)

    assert len(app.error) == 1
    assert not [button for button in app.button if button.key == "explore.import.take"]
    assert state(app).pipeline == before


def test_a_file_is_read_in_place_of_the_text(app: AppTest) -> None:
    code = b"import albumentationsxl as A\nt = A.Compose([A.Transpose()])\n"
    app.file_uploader(key="explore.import.file").upload("train.py", code, "text/x-python")
    again(app)
    app.button(key="explore.import.take").click().run()

    assert transforms(state(app).pipeline) == ["Transpose"]
