"""The section "Exact preview" of Inspect: what is offered, made, shown and cancelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz import exact_preview
from augviz.exact_preview import Comparing, Comparison
from augviz.model import Pipeline, Step
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import exact_preview as section
from tests.live import ROOT
from tests.samples import rgb

SHELL = ROOT / "augviz" / "ui" / "shell.py"
PAGE = str(ROOT / "pages" / "inspection.py")
BLUR = Step("m", "Blur", (("blur_limit", (9, 9)),), p=1.0)
NOISE = Step("n", "GaussNoise", p=1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uploads: None) -> Path:
    """Files of visitors go to a folder of the test, which is also the one that images are opened from."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    return tmp_path


@pytest.fixture
def app(cache: Path) -> AppTest:
    """A visitor who inspects a blurred photograph of 2048 pixels."""
    rgb(512, 512).resize(4, kernel="cubic").tiffsave(str(cache / "photo.tif"), tile=True)
    app = AppTest.from_file(str(SHELL), default_timeout=300).run()
    look_at(app, cache, BLUR)
    return app


def look_at(app: AppTest, folder: Path, *steps: Step) -> None:
    now = replace(app.session_state["explore"], pipeline=Pipeline(steps))
    app.session_state["explore"] = replace(now, source=SourceRef("path", str(folder / "photo.tif")))
    app.switch_page(PAGE).run()
    assert not app.exception


def make(app: AppTest) -> Comparison:
    """Click the button and wait for the job."""
    app.button(key="inspect.exact.make").click().run()
    assert not app.exception
    comparing: Comparing = app.session_state[section.COMPARING]
    assert comparing.ended.exception(300) is None
    app.run()
    assert not app.exception
    found: Comparison = app.session_state[section.FOUND]
    return found


def texts(app: AppTest) -> str:
    return "\n".join([*(c.value for c in app.caption), *(m.value for m in app.markdown)])


def pages_html(app: AppTest) -> str:
    return "\n".join(html.proto.body for html in app.get("html"))


def test_the_section_says_what_is_made_and_what_it_takes(app: AppTest) -> None:
    assert "Makes the result at full size, 2048 × 2048 × 3 uint8" in texts(app)
    assert "removed again. Takes up to 12.6 MB" in texts(app)
    assert not app.button(key="inspect.exact.make").disabled
    assert app.segmented_control(key=section.QUALITY).value == "fine"


def test_both_pictures_their_difference_and_their_distance_are_shown(app: AppTest, cache: Path) -> None:
    found = make(app)
    shown = pages_html(app)

    assert app.metric[0].value == exact_preview.decibels_text(found)
    assert exact_preview.verdict(found) in texts(app)
    for name in exact_preview.PICTURES:
        assert f"/augviz/exact/{found.id}/{name}.jpg" in shown
    assert exact_preview.difference_text(found) in shown
    assert "Preview, fine, 1/2" in shown
    assert list((cache / "cache" / "uploads").rglob("*.tif")) == []


def test_the_precise_preview_can_be_compared(app: AppTest) -> None:
    app.segmented_control(key=section.QUALITY).set_value("precise").run()
    found = make(app)

    assert found.quality == "precise"
    assert "Preview, precise, 1/2" in pages_html(app)


def test_noise_has_a_table_of_means_and_standard_deviations(app: AppTest, cache: Path) -> None:
    look_at(app, cache, NOISE)
    make(app)

    assert "its pixels differ by design" in texts(app)
    assert list(app.dataframe[0].value["Band"]) == [1, 2, 3]


def test_a_cancelled_job_says_so_and_keeps_nothing(app: AppTest, cache: Path) -> None:
    app.button(key="inspect.exact.make").click().run()
    assert app.button(key="inspect.exact.make").disabled
    comparing: Comparing = app.session_state[section.COMPARING]
    app.button(key="inspect.exact.cancel").click().run()
    comparing.ended.exception(60)
    app.run()

    assert any("cancelled, nothing was kept" in info.value for info in app.info)
    assert section.FOUND not in app.session_state
    assert not app.button(key="inspect.exact.make").disabled
    assert list((cache / "cache" / "uploads").rglob("*.tif")) == []


def test_a_comparison_is_not_shown_beside_another_draw(app: AppTest, cache: Path) -> None:
    found = make(app)
    look_at(app, cache, BLUR, NOISE)

    assert found.id not in pages_html(app)
    assert "was of another draw or pipeline" in texts(app)


def test_a_result_that_does_not_fit_is_refused_in_a_sentence(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1 kB")
    get_settings.cache_clear()
    app.button(key="inspect.exact.make").click().run()

    assert not app.exception
    assert any("The full-size result: it takes up to" in error.value for error in app.error)
