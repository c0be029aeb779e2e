"""Links that restore the state of Explore, and addresses that do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz import link
from augviz.model import InputChoice, Pipeline, Step
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import address
from augviz.ui.state import Explore, first
from tests.live import ROOT
from tests.samples import rgb

SHELL = ROOT / "augviz" / "ui" / "shell.py"
BLUR = Pipeline((Step("s1", "GaussianBlur", (("sigma_limit", (1.0, 2.0)),), p=1.0),))


def visit(text: str | None = None) -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    if text is not None:
        app.query_params[address.PARAMETER] = text
    return app.run()


def state(app: AppTest) -> Explore:
    found: Explore = app.session_state["explore"]
    return found


def shown(app: AppTest) -> str:
    found = app.query_params[address.PARAMETER]
    return found if isinstance(found, str) else found[0]


def sentences(app: AppTest) -> list[str]:
    return [warning.value for warning in app.warning]


def test_a_link_restores_image_pipeline_and_seed() -> None:
    app = visit(link.encode(SourceRef("sample", "ihc"), BLUR, 42))

    assert (state(app).source, state(app).pipeline, state(app).seed) == (SourceRef("sample", "ihc"), BLUR, 42)
    assert sentences(app) == []
    assert app.number_input(key="explore.seed").value == 42


def test_the_address_follows_every_change_and_opens_the_same_state() -> None:
    app = visit()
    assert address.PARAMETER not in app.query_params

    app.button(key="explore.new_draws").click().run()
    app.toggle(key="explore.step.rotate.enabled").set_value(False).run()
    again = visit(shown(app))

    assert state(again).pipeline == state(app).pipeline
    assert state(again).seed == state(app).seed == 1


def test_a_link_can_be_undone() -> None:
    app = visit()
    before = state(app).pipeline
    app.query_params[address.PARAMETER] = link.encode(SourceRef("sample", "ihc"), BLUR, 1)
    app.run()
    assert state(app).pipeline == BLUR

    app.button(key="explore.undo").click().run()
    assert state(app).pipeline == before


def test_back_goes_to_the_state_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SETTLE_SECONDS", 0)
    app = visit()
    app.button(key="explore.new_draws").click().run()
    first = shown(app)
    app.button(key="explore.new_draws").click().run()
    assert state(app).seed == 2

    app.query_params[address.PARAMETER] = first
    app.run()
    assert state(app).seed == 1
    assert shown(app) == first


def test_back_to_the_plain_address_goes_to_what_a_visitor_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SETTLE_SECONDS", 0)
    app = visit()
    app.button(key="explore.new_draws").click().run()
    app.toggle(key="explore.step.rotate.enabled").set_value(False).run()

    del app.query_params[address.PARAMETER]
    app.run()

    assert (state(app).source, state(app).pipeline, state(app).seed) == (first().source, first().pipeline, 0)
    assert address.PARAMETER not in app.query_params


def test_an_address_that_the_browser_repeats_undoes_nothing() -> None:
    app = visit()
    app.button(key="explore.new_draws").click().run()
    first = shown(app)
    app.button(key="explore.new_draws").click().run()
    app.query_params[address.PARAMETER] = first  # sent before the browser had shown the second
    app.run()

    assert state(app).seed == 2


def test_a_bad_address_is_one_sentence_and_the_default() -> None:
    app = visit("nonsense!")

    assert sentences(app) == ["The address is damaged: its state cannot be read."]
    assert state(app).source.name == "astronaut"
    app.button(key="explore.new_draws").click().run()
    assert sentences(app) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def test_a_file_of_an_allowed_folder_is_restored_by_its_place(folder: Path) -> None:
    (folder / "a").mkdir()
    rgb(64, 48).write_to_file(str(folder / "a" / "b.png"))
    app = visit(link.encode(SourceRef("path", "a/b.png"), BLUR, 0))

    assert state(app).source == SourceRef("path", "a/b.png")
    assert any("b.png" in markdown.value for markdown in app.markdown)


@pytest.mark.parametrize("name", ["/etc/hosts", "../x.png", "missing.png"])
def test_what_cannot_be_restored_is_said_and_the_rest_is(folder: Path, name: str) -> None:
    app = visit(link.encode(SourceRef("path", name), BLUR, 3))

    assert state(app).source.name == "astronaut"
    assert (state(app).pipeline, state(app).seed) == (BLUR, 3)
    assert sentences(app)[0].startswith("The link's image cannot be opened, this is another one.")


def test_a_link_with_an_upload_comes_without_its_image() -> None:
    app = visit(link.encode(SourceRef("upload", "a/b"), BLUR, 3))

    assert (state(app).source.name, state(app).pipeline) == ("astronaut", BLUR)
    assert sentences(app) == [
        "The address was made with an upload, which only its visitor can open, while the session in which it was sent lasts; "
        "this is another image."
    ]


def test_an_input_that_the_image_does_not_have_is_said() -> None:
    app = visit(link.encode(SourceRef("sample", "ihc"), Pipeline(BLUR.steps, InputChoice(page=7)), 0))

    assert state(app).pipeline == BLUR
    assert "no page 7" in sentences(app)[0]


def test_another_image_by_a_link_shows_its_first_bands() -> None:
    app = visit()
    app.session_state["explore"] = replace(state(app), bands=(7, 5, 3))
    app.query_params[address.PARAMETER] = link.encode(SourceRef("sample", "ihc"), BLUR, 1)
    app.run()

    assert state(app).bands is None


def test_an_opened_link_that_the_browser_repeats_undoes_nothing() -> None:
    opened = link.encode(SourceRef("sample", "ihc"), BLUR, 5)
    app = visit(opened)
    app.button(key="explore.new_draws").click().run()
    app.query_params[address.PARAMETER] = opened
    app.run()

    assert state(app).seed == 6
