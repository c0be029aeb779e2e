"""The tab "Save" of Explore: full-size results as files, and contact sheets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pyvips
from streamlit.testing.v1 import AppTest

from augviz import edits, engine, images
from augviz.full_size import Making
from augviz.model import InputChoice, Pipeline, Step
from augviz.settings import get_settings
from augviz.ui import save_tab, upload_tab
from augviz.ui.state import Explore
from augviz.upload_session import Upload
from augviz.uploads import get_uploads
from tests import samples
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uploads: None) -> Path:
    """Files of visitors go to a folder of the test."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture
def app() -> AppTest:
    """A visitor who looks at the tab."""
    app = AppTest.from_file(str(SHELL), default_timeout=60).run()
    app.session_state["explore.details"] = "Save"
    return app.run()


def state(app: AppTest) -> Explore:
    found: Explore = app.session_state["explore"]
    return found


def show(app: AppTest, *steps: Step) -> None:
    """Look at another pipeline."""
    app.session_state["explore"] = replace(state(app), pipeline=Pipeline(steps))
    app.run()
    assert not app.exception


def links(app: AppTest) -> dict[str, str]:
    """Addresses of the links, by their labels."""
    found: list[Any] = [link.proto for link in app.get("link_button")]
    return {link.label: link.url for link in found}


def formats(app: AppTest) -> list[str]:
    return list(app.segmented_control(key=save_tab.FORM).options)


def make(app: AppTest) -> None:
    """Click the button and wait for the job."""
    app.button(key="explore.save.make").click().run()
    assert not app.exception
    making: Making = app.session_state[save_tab.MAKING]
    making.ended.exception(60)
    app.run()
    assert not app.exception


def made(app: AppTest) -> tuple[Upload, ...]:
    return get_uploads().made(app.session_state[upload_tab.TOKEN])


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


def test_the_tab_says_what_a_file_takes(app: AppTest) -> None:
    show(app)

    assert formats(app) == ["TIFF", "NumPy", "PNG"]
    assert app.button(key="explore.save.make").label == "Make astronaut\\_seed0.tif"
    assert "512 × 512 × 3 uint8, 786 kB" in captions(app)
    assert "up to 791 kB on the disk" in captions(app)


def test_a_file_is_made_linked_and_deleted(app: AppTest, cache: Path) -> None:
    app.number_input(key="explore.seed").set_value(5).run()
    make(app)
    [file] = made(app)
    token = app.session_state[upload_tab.TOKEN]
    source = images.open_image(samples.path(), InputChoice())
    expected = engine.apply(source, edits.complete(state(app).pipeline), 5).image

    assert links(app)["astronaut\\_seed5.tif"] == f"/augviz/file/{token}/{file.id}"
    assert (pyvips.Image.new_from_file(str(file.path)) - expected).abs().max() == 0

    app.button(key=f"explore.save.delete.{file.id}").click().run()

    assert "astronaut\\_seed5.tif" not in links(app)
    assert list((cache / "uploads").rglob("*.tif")) == []


def test_a_file_tells_its_recipe_after_the_pipeline_has_changed(app: AppTest) -> None:
    make(app)
    [file] = made(app)
    assert f"{file.note}, " in captions(app)
    assert "another recipe" not in captions(app)

    show(app, Step("f", "HorizontalFlip", p=1.0))

    assert made(app) == (file,)
    assert f"{file.note}, " in captions(app)
    assert "another recipe is shown now" in captions(app)


def test_another_format_is_another_file(app: AppTest) -> None:
    app.segmented_control(key=save_tab.FORM).set_value("NumPy").run()
    make(app)
    app.segmented_control(key=save_tab.FORM).set_value("PNG").run()
    make(app)

    assert [file.name for file in made(app)] == ["astronaut_seed0.npy", "astronaut_seed0.png"]
    assert "as 0 to 255" in captions(app)  # the first pipeline normalizes


def test_a_cancelled_job_says_so_and_keeps_nothing(app: AppTest) -> None:
    app.button(key="explore.save.make").click().run()
    assert app.button(key="explore.save.make").disabled
    making: Making = app.session_state[save_tab.MAKING]
    app.button(key="explore.save.cancel").click().run()
    making.ended.exception(60)
    app.run()

    assert any("cancelled, nothing was kept" in info.value for info in app.info)
    assert made(app) == ()
    assert not app.button(key="explore.save.make").disabled


def test_a_result_larger_than_the_limit_is_refused(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1 kB")
    get_settings.cache_clear()
    app.button(key="explore.save.make").click().run()

    assert not app.exception
    assert any("results of at most 1 kB are written here" in error.value for error in app.error)
    assert made(app) == ()


def test_what_cannot_be_drawn_cannot_be_saved(app: AppTest) -> None:
    show(app, Step("c", "CenterCrop", (("height", 9000), ("width", 9000))))

    assert "No result" in captions(app)
    assert not [button for button in app.button if button.key == "explore.save.make"]


def test_the_contact_sheet_begins_with_the_shown_seed(app: AppTest) -> None:
    app.number_input(key="explore.seed").set_value(5).run()
    app.number_input(key=save_tab.DRAWS).set_value(3).run()
    key = next(caption.value for caption in app.caption if caption.value.startswith("Recipe ")).split()[1]

    assert "seeds 5 to 7" in captions(app)
    assert links(app)["Download the contact sheet"] == f"/augviz/sheet/{key}.png?count=3"
