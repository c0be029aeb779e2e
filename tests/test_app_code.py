"""The tab "Code" of Explore: each form is that of the pipeline and of the draw that are shown, and can be taken away."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from augviz import draw_text, edits, recipes, saved
from augviz.model import Draw, Group, Header, Pipeline, Step
from augviz.ui import details
from augviz.ui.state import Explore, Scene, Shown, first
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"


@pytest.fixture
def app() -> AppTest:
    """A visitor who looks at the code."""
    app = AppTest.from_file(str(SHELL), default_timeout=60).run()
    app.session_state["explore.details"] = "Code"
    return app.run()


def state(app: AppTest) -> Explore:
    found: Explore = app.session_state["explore"]
    return found


def choose(app: AppTest, form: str) -> str:
    """The text that is shown once a form has been chosen."""
    app.segmented_control(key="explore.code").set_value(form).run()

    assert not app.exception
    return str(app.code[0].value)


def file_name(app: AppTest) -> str:
    """What the browser calls the downloaded file."""
    return str(app.get("download_button")[0].proto.url).rsplit("/", 1)[-1]


def test_this_draw_is_the_text_of_the_shown_draw(app: AppTest) -> None:
    app.number_input(key="explore.seed").set_value(12).run()
    text = choose(app, details.DRAW)

    assert "seed = 12\n" in text
    assert 'image = pyvips.Image.new_from_file("astronaut.png")\n' in text
    assert "# Drawn for 512 x 512 pixels, 3 bands, uchar." in text
    short = draw_text.draw(edits.complete(state(app).pipeline), 12, "astronaut.png")
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(short))


def test_this_draw_follows_the_picked_draw_and_the_pipeline(app: AppTest) -> None:
    before = choose(app, details.DRAW)
    app.session_state["explore"] = replace(
        state(app), mode="Draws", picked=2, pipeline=Pipeline((Step("n", "GaussNoise", p=1.0),))
    )
    app.run()
    text = str(app.code[0].value)

    assert "seed = 2\n" in text
    assert '    ("n", A.GaussNoise(p=1.0)),\n' in text
    assert "# GaussNoise: noise sigma" in text
    assert text != before


def test_a_draw_that_cannot_be_made_is_its_sentence_in_place_of_code(app: AppTest) -> None:
    choose(app, details.DRAW)
    pipeline = state(app).pipeline
    big = Step("c", "CenterCrop", (("height", 9000), ("width", 9000)))
    app.session_state["explore"] = replace(state(app), pipeline=replace(pipeline, steps=(*pipeline.steps[:2], big)))
    app.run()

    assert not app.exception
    assert list(app.code) == []
    assert any("CenterCrop" in error.value for error in app.error)


def test_json_is_the_saved_form_without_groups_that_lack_steps(app: AppTest) -> None:
    text = choose(app, details.JSON)
    assert saved.loads(text) == state(app).pipeline

    empty = Group("g", "OneOf")
    app.session_state["explore"] = replace(state(app), pipeline=Pipeline((Step("f", "Flip"), empty)))
    app.run()

    assert saved.loads(app.code[0].value) == Pipeline((Step("f", "Flip"),))
    assert app.code[0].language == "json"


def test_every_form_can_be_downloaded_under_its_name(app: AppTest) -> None:
    endings = {}
    for form in (details.COMPOSE, details.DATASET, details.DRAW, details.JSON):
        choose(app, form)
        endings[form] = file_name(app).rsplit(".", 1)[-1]

    assert endings == {details.COMPOSE: "py", details.DATASET: "py", details.DRAW: "py", details.JSON: "json"}


def test_a_draw_is_named_by_its_seed() -> None:
    shape = Header(8, 8, 3, "uchar")
    recipe = recipes.recipe_of("astronaut.png", seed=41)
    shown = Shown("key", recipe, Draw(41, shape, (), shape, False))

    assert details.code_of(details.DRAW, Scene(first(), None), shown)[0] == "draw_41.py"
    assert details.code_of(details.JSON, Scene(first(), None), shown)[0] == "pipeline.json"
