"""The tab "Advice" of Explore: every finding with what shows it, fixes that can be undone, and remarks in the code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz import calibration
from augviz.model import Group, Pipeline, Step
from augviz.settings import get_settings
from augviz.ui import advised, desk
from augviz.ui.page import escaped
from augviz.ui.state import Explore, first
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"


def visit(*steps: Step | Group, tab: str = "Advice") -> AppTest:
    """A visitor who looks at a tab; with the tutorial's pipeline where no steps are given."""
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    if steps:
        app.session_state["explore"] = replace(first(), pipeline=Pipeline(steps))
    app.run()
    app.session_state["explore.details"] = tab
    app.run()
    assert not app.exception
    return app


def names(app: AppTest) -> list[str]:
    state: Explore = app.session_state["explore"]
    return [step.transform for step in state.pipeline.leaves()]


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


def test_the_tutorial_is_told_of_its_values_and_its_canvas_with_the_sizes_of_several_draws() -> None:
    text = said(visit())

    assert "2 warnings" in text
    assert "**Step 2 Rotate**" in text
    assert f"{advised.DRAWS} draws for this image gave" in text
    assert escaped("-2.118 to 1111") in text


@pytest.mark.parametrize(("label", "added"), [("Add ToDtype", "ToDtype"), ("Crop or pad to 512 x 512", "CropOrPad")])
def test_a_fix_of_the_list_is_an_edit_that_can_be_undone(label: str, added: str) -> None:
    app = visit()
    before = names(app)
    fix = next(b for b in app.button if b.label == label and str(b.key).startswith("explore.advice.fix."))
    fix.click().run()
    assert added in names(app)
    assert "1 warning," in said(app)

    app.button(key="explore.undo").click().run()
    assert names(app) == before


def test_what_the_pipeline_is_used_for_is_taken_into_account() -> None:
    app = visit(Step("c", "RandomCrop", (("height", 100), ("width", 100)), p=1.0), Step("t", "ToTensor"))
    assert "multiple" not in said(app)

    app.number_input(key=advised.STRIDE).set_value(32).run()
    assert "multiple" in said(app)

    app.toggle(key=advised.VALIDATION).set_value(True).run()
    assert "validation" in said(app)


def test_a_step_that_cannot_be_drawn_is_an_error_of_the_list() -> None:
    app = visit(Step("c", "CenterCrop", (("height", 9000), ("width", 9000)), p=1.0))

    assert "height must lie within 1 and 512 px, got 9000" in said(app)
    assert ":red[:material/error: **Step 1 CenterCrop**]" in said(app)


def test_a_pipeline_without_faults_is_told_so() -> None:
    assert "Nothing to advise" in said(visit(Step("f", "HorizontalFlip"), Step("t", "ToTensor")))


def test_notes_wait_until_a_card_is_opened() -> None:
    app = visit(Step("r", "Rotate", p=1.0), Step("c", "CropOrPad", (("height", 64), ("width", 64))), tab="Drawn values")
    assert "A.save raises" not in said(app)

    app.button(key="explore.step.r.open").click().run()
    assert "A.save raises" in said(app)


def test_the_code_carries_the_findings_as_comments() -> None:
    text = str(visit(tab="Code").code[0].value)

    assert "# Advice:\n# - warning, step 2 Rotate: " in text
    assert "# - warning, step 3 Normalize: " in text


def test_costs_that_were_measured_here_take_the_place_of_the_catalogues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    get_settings.cache_clear()
    try:
        assert desk.measured_costs() == {}
        cost = calibration.Cost(cpu_ms=777.0, cpu_low_ms=700.0, cpu_high_ms=800.0, wall_ms=400.0, repeats=3)
        calibration.save(calibration.place(), "8.18.7", "2026-11-25", {"MedianBlur": {"uchar": cost}})
        assert desk.measured_costs()["uchar"] == {"MedianBlur": 777.0}
    finally:
        get_settings.cache_clear()
