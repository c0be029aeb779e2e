"""Explore's figures of the full size: the same arithmetic everywhere, and windows where they were made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from augviz import calibration, estimates, profiles, recipes
from augviz.calibration import Cost
from augviz.estimates import Estimate
from augviz.estimating import get_estimating
from augviz.facts import draw_from_json, facts_from_json
from augviz.model import Pipeline, Step
from augviz.recipes import Recipe
from augviz.ui import explore, figures
from augviz.units import bytes_text
from augviz.workers import get_pool
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"
BLUR = Step("b", "Blur", (), 1.0)
FLIP = Step("f", "HorizontalFlip", (), 1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uploads: None) -> Iterator[Path]:
    """Costs and files of visitors are in a folder of the test."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    get_estimating.cache_clear()
    yield tmp_path
    get_estimating.cache_clear()


@pytest.fixture
def app() -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60).run()
    assert not app.exception
    return app


def show(app: AppTest, *steps: Step) -> None:
    """Look at another pipeline."""
    now = app.session_state["explore"]
    app.session_state["explore"] = replace(now, pipeline=Pipeline(steps), version=now.version + 1)
    app.run()
    assert not app.exception


def data(app: AppTest) -> dict[str, Any]:
    """What the picture was told."""
    found: list[dict[str, Any]] = [json.loads(component.proto.json) for component in app.get("bidi_component")]
    return next(each for each in found if "draws" in each)


def told(app: AppTest) -> dict[str, str]:
    found: dict[str, str] = data(app)["costs"]
    return found


def recipe(app: AppTest) -> Recipe:
    found = recipes.lookup(data(app)["key"])
    assert found is not None
    return found


def by_costs(app: AppTest) -> Estimate:
    """What the arithmetic gives for the recipe that is shown, composed here."""
    args = recipe(app).args()
    facts = facts_from_json(get_pool().call("describe", args, lane="desk").value["facts"])
    draw = draw_from_json(get_pool().call("draw", args, lane="desk").value["draw"])
    return estimates.by_costs(draw, facts, calibration.stored(), profiles.THREADS)


def store(**milliseconds: float) -> None:
    """Costs of this machine on 8 bit, made by hand."""
    made = {name: {"uchar": Cost(each, each, each, each, 7)} for name, each in milliseconds.items()}
    calibration.save(calibration.place(), "8.18.7", "2026-11-25", made)


def test_the_strip_and_the_tab_save_tell_the_arithmetic_of_estimates(app: AppTest) -> None:
    app.session_state["explore.details"] = "Save"
    show(app, BLUR, FLIP)
    expected = by_costs(app)

    assert told(app)["time"] == figures.time_text(expected)
    assert told(app)["from"] == "costs"
    assert told(app)["time"].endswith("(est.)")
    assert f"hold ~{bytes_text(expected.hold_bytes)}" in told(app)["memory"]
    assert "From costs of the catalogue" in told(app)["time_help"]
    assert any(figures.time_text(expected) in c.value.replace("\\", "") for c in app.caption)


def test_costs_that_were_measured_here_change_the_figure_and_its_help(app: AppTest) -> None:
    show(app, BLUR)
    before = told(app)
    store(Blur=50_000.0)
    app.run()

    assert told(app)["time"] == figures.time_text(by_costs(app)) != before["time"]
    assert by_costs(app).seconds > 5
    assert "From costs measured on this machine" in told(app)["time_help"]


def test_windows_take_the_place_of_costs_and_are_there_again_after_undo(app: AppTest) -> None:
    show(app, BLUR)
    found = get_estimating().ask(data(app)["key"], recipe(app), "me").future.result(60)
    app.run()
    assert isinstance(found, Estimate)
    refined = told(app)
    show(app, FLIP)
    changed = told(app)
    show(app, BLUR)

    assert refined == {**figures.from_windows(found), "result": refined["result"]}
    assert refined["time_help"].startswith("From ")
    assert "really made" in refined["time_help"]
    assert changed["from"] == "costs"
    assert told(app) == refined


def test_a_step_that_is_added_never_makes_the_figure_smaller(app: AppTest) -> None:
    show(app, BLUR)
    one = by_costs(app).seconds
    show(app, BLUR, FLIP)

    assert by_costs(app).seconds > one


def test_the_link_goes_to_the_page_that_measures_with_the_pipeline(app: AppTest) -> None:
    show(app, BLUR)

    assert data(app)["measure"] == "/measure"
    app.session_state[explore.LEAVING] = True
    app.run()
    assert not app.exception
    assert explore.LEAVING not in app.session_state
    assert not [each for each in app.get("bidi_component") if "draws" in json.loads(each.proto.json)]
    assert app.session_state["explore"].pipeline == Pipeline((BLUR,))
