"""The page Transforms without a browser: the catalogue to be searched, and each transform in full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from augviz import calibration, catalog, works
from augviz.calibration import Cost
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import calibrate, gate, transform_page, transforms
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"
PAGE = "../../pages/transforms.py"
EXPLORE = "../../pages/explore.py"
FLIP = Cost(cpu_ms=2.5, cpu_low_ms=2.0, cpu_high_ms=4.0, wall_ms=1.5, repeats=7)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Costs are kept in a folder of the test."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


@pytest.fixture
def app() -> AppTest:
    """A visitor of Transforms."""
    return AppTest.from_file(str(SHELL), default_timeout=60).run().switch_page(PAGE).run()


def opened(app: AppTest, name: str) -> AppTest:
    """The visitor with the address of a transform."""
    app.query_params["transform"] = name
    app.run()
    assert not app.exception
    return app


def pictures(app: AppTest) -> list[tuple[str, str]]:
    """Alternative text and address of each picture of the example."""
    bodies: list[Any] = [element.proto.body for element in app.get("html")]
    return [pair for body in bodies for pair in re.findall(r'<img alt="([^"]*)" src="([^"]*)"', body)]


def looks_at(app: AppTest, sample: str) -> None:
    """Choose another image in Explore."""
    app.session_state["explore"] = replace(app.session_state["explore"], source=SourceRef("sample", sample))


def text(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


# The table


def test_the_table_has_a_row_for_every_transform(app: AppTest) -> None:
    assert not app.exception
    assert list(app.dataframe[0].value["Transform"]) == list(catalog.TRANSFORMS)


def test_words_and_families_narrow_the_table(app: AppTest) -> None:
    app.text_input(key="transforms.words").set_value("divides by zero").run()

    assert list(app.dataframe[0].value["Transform"]) == ["AdvancedBlur"]


@pytest.mark.parametrize(
    ("words", "name"),
    [("d3", "Lambda"), ("mask_interpolation", "Affine"), ("statistical", "ElasticTransform"), ("lanczos3", "Resize")],
)
def test_everything_that_is_known_can_be_searched(words: str, name: str) -> None:
    assert [spec.name for spec in transforms.matching(words, None)].count(name) == 1


def test_an_outcome_can_be_searched() -> None:
    found = {spec.name for spec in transforms.matching("uint16 hardly any effect", None)}

    assert found == {"GaussNoise"}


def test_the_search_survives_a_visit_to_another_page(app: AppTest) -> None:
    app.text_input(key="transforms.words").set_value("divides by zero").run()
    app.switch_page(EXPLORE).run()
    app.switch_page(PAGE).run()

    assert list(app.dataframe[0].value["Transform"]) == ["AdvancedBlur"]


def test_nothing_found_is_said(app: AppTest) -> None:
    app.text_input(key="transforms.words").set_value("no such thing").run()

    assert any(caption.value.startswith("Nothing fits") for caption in app.caption)


@pytest.mark.parametrize("name", list(catalog.TRANSFORMS))
def test_every_row_can_be_told_in_full(name: str) -> None:
    spec = catalog.TRANSFORMS[name]
    told = [row["Parameter"] for row in map(transform_page.param_row, spec.params)]

    assert transforms.row(spec)["Transform"] == name
    assert told == [f"`{p.name}`" for p in spec.params]


def test_outcomes_are_the_survey_s() -> None:
    row = transforms.row(catalog.TRANSFORMS["HEDShift"])
    survey = works.stored().surveys["HEDShift"]

    assert {name: row[name] for name in transforms.KINDS} == {
        name: survey.inputs[kind].word() for name, kind in transforms.KINDS.items()
    }
    assert row["Targets"] == "mask, keypoints"
    assert transforms.row(catalog.TRANSFORMS["Rotate"])["Targets"] == "mask"


# The costs


def test_the_table_says_whose_costs_it_shows(app: AppTest) -> None:
    assert "ms/MP" in app.dataframe[0].value
    assert "Costs are the catalogue's, of another machine." in text(app)

    calibration.save(calibration.place(), "8.18.7", "2026-11-25", {"HorizontalFlip": {"uchar": FLIP}})
    app.run()
    shown = app.dataframe[0].value.set_index("Transform")["ms/MP here"]

    assert shown["HorizontalFlip"] == 2.5
    assert shown.drop("HorizontalFlip").isna().all()  # nothing of another machine among them
    assert "Costs measured on this machine" in text(app)
    assert "on 2026-11-25" in text(app)


def test_measuring_shows_its_progress_and_can_be_cancelled(app: AppTest) -> None:
    app.session_state[gate.KEY] = "me"
    app.button(key="transforms.calibration.start").click().run()
    job = calibration.running()

    assert not app.exception
    assert job is not None
    assert job.visitor == "me"
    assert [button.key for button in app.button if "calibration" in str(button.key)] == [
        "transforms.calibration.cancel"
    ]

    app.button(key="transforms.calibration.cancel").click().run()
    job.wait(20)
    app.run()

    assert not app.exception
    assert job.state == "cancelled"
    assert calibrate.JOB not in app.session_state
    assert not app.button(key="transforms.calibration.start").disabled
    assert calibration.stored() == {}


def test_the_cost_is_told_for_the_present_image(app: AppTest) -> None:
    opened(app, "HorizontalFlip")
    assert "0.94 ms" not in text(app)
    assert "measured on another machine" in text(app)

    calibration.save(calibration.place(), "8.18.7", "2026-11-25", {"HorizontalFlip": {"uchar": FLIP}})
    app.run()

    assert "astronaut.png (0.262 MP): 0.7 ms of CPU time, by 2.5 ms per megapixel (2 to 4 in 7 draws)" in text(app)


# One transform


@pytest.mark.parametrize("name", list(catalog.TRANSFORMS))
def test_every_transform_opens_with_its_defects(app: AppTest, name: str) -> None:
    opened(app, name)
    told = text(app)

    assert [subheader.value for subheader in app.subheader] == [name]
    for caveat in catalog.TRANSFORMS[name].caveats:
        assert not caveat.defect or f"[{caveat.defect}]" in told
    assert len(app.table) == (name != "Lambda") + bool(catalog.TRANSFORMS[name].params)


def test_the_example_is_the_present_image_before_and_after_two_draws(app: AppTest) -> None:
    looks_at(app, "coffee")
    shown = pictures(opened(app, "Rotate"))

    assert [alt.split()[0] for alt, _ in shown] == ["coffee.png,", "coffee.png", "coffee.png"]
    assert all("after Rotate" in alt for alt, _ in shown[1:])
    assert len({address for _, address in shown}) == 3
    assert "Seed 1" in str(app.get("html")[-1].proto.body)


def test_other_draws_are_other_pictures(app: AppTest) -> None:
    before = pictures(opened(app, "Rotate"))
    app.button(key="transform.draws").click().run()
    after = pictures(app)

    assert after[0] == before[0]
    assert not {address for _, address in after[1:]} & {address for _, address in before[1:]}


def test_there_are_no_other_draws_of_what_draws_nothing(app: AppTest) -> None:
    assert opened(app, "HorizontalFlip").button(key="transform.draws").disabled


def test_an_image_on_which_the_step_breaks_says_why_and_offers_the_sample(app: AppTest) -> None:
    looks_at(app, "camera")
    opened(app, "HEDShift")

    assert pictures(app) == []
    assert [warning.value for warning in app.warning] == [
        "No example on camera.png. HEDShift: works on images of 3 bands only, the image has 1."
    ]

    app.button(key="transform.sample").click().run()

    assert [alt.split(",")[0].split(" ")[0] for alt, _ in pictures(app)] == ["astronaut.png"] * 3
    assert "On the sample astronaut.png" in text(app)

    app.button(key="transform.own").click().run()

    assert app.warning


def test_a_draw_that_raises_has_its_sentence_in_the_picture_s_place(app: AppTest) -> None:
    opened(app, "RandomRotate90")
    for _ in range(20):
        body = str(app.get("html")[-1].proto.body) if app.get("html") else ""
        if 'role="note"' in body:
            break
        app.button(key="transform.draws").click().run()

    assert "list index out of range" in body
    assert len(pictures(app)) == 2


def test_an_image_that_cannot_be_opened_is_said_and_the_sample_offered(app: AppTest) -> None:
    looks_at(app, "no_such_sample")
    opened(app, "Rotate")

    assert "no_such_sample" in app.warning[0].value.replace("\\", "")
    app.button(key="transform.sample").click().run()
    assert len(pictures(app)) == 3


def test_an_unknown_transform_in_the_address_is_one_sentence_above_the_table(app: AppTest) -> None:
    opened(app, "rotat")

    assert [error.value for error in app.error] == ["There is no transform 'rotat'; did you mean Rotate?"]
    assert len(app.dataframe[0].value) == len(catalog.TRANSFORMS)


def test_a_group_in_the_address_is_opened_below_the_table(app: AppTest) -> None:
    opened(app, "OneOf")
    groups = {
        name: e.proto.expanded for e in app.expander for name in catalog.GROUPS if e.label.startswith(f"**{name}**")
    }

    assert not app.error
    assert "OneOf is a group" in app.info[0].value
    assert groups == {name: name == "OneOf" for name in catalog.GROUPS}


def test_what_the_library_s_own_defaults_do_is_said_where_they_fail(app: AppTest) -> None:
    assert "With the library's own defaults: Ends the process (SIGFPE)." in text(opened(app, "AdvancedBlur"))
    assert "With the library's own defaults: Leaves the image as it is." in text(opened(app, "GaussianBlur"))
    assert "own defaults" not in text(opened(app, "Rotate"))


def test_what_cannot_be_used_has_no_example_and_cannot_be_added(app: AppTest) -> None:
    opened(app, "Lambda")

    assert "D3" in app.error[0].value
    assert pictures(app) == []
    assert [key for button in app.button if (key := button.key or "").startswith("transform.")] == ["transform.back"]


def test_back_leads_to_the_table(app: AppTest) -> None:
    opened(app, "Rotate").button(key="transform.back").click().run()

    assert "transform" not in app.query_params
    assert len(app.dataframe[0].value) == len(catalog.TRANSFORMS)


def test_add_to_pipeline_leads_to_explore_with_the_step_before_normalize(app: AppTest) -> None:
    opened(app, "MedianBlur").button(key="transforms.add").click().run()
    pipeline = app.session_state["explore"].pipeline
    names = [step.transform for step in pipeline.leaves()]

    assert not app.exception
    assert names == ["RandomBrightnessContrast", "Rotate", "MedianBlur", "Normalize", "ToTensor"]
    assert [number.key for number in app.number_input].count("explore.seed") == 1
    assert "transform" not in app.query_params
