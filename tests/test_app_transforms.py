"""The page Transforms without a browser: a view of the catalogue, complete and searchable."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from augviz import catalog
from augviz.ui import transforms
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"
PAGE = "../../pages/transforms.py"


@pytest.fixture
def app() -> AppTest:
    """A visitor of Transforms."""
    return AppTest.from_file(str(SHELL), default_timeout=60).run().switch_page(PAGE).run()


def test_the_table_has_a_row_for_every_transform(app: AppTest) -> None:
    assert not app.exception
    assert list(app.dataframe[0].value["Transform"]) == list(catalog.TRANSFORMS)


def test_words_and_families_narrow_the_table(app: AppTest) -> None:
    app.text_input(key="transforms.words").set_value("divides by zero").run()

    assert list(app.dataframe[0].value["Transform"]) == ["AdvancedBlur"]


def test_a_defect_is_found_by_its_number() -> None:
    assert [spec.name for spec in transforms.matching("d3", None)].count("Lambda") == 1


def test_the_search_survives_a_visit_to_another_page(app: AppTest) -> None:
    app.text_input(key="transforms.words").set_value("divides by zero").run()
    app.switch_page("../../pages/explore.py").run()
    app.switch_page(PAGE).run()

    assert list(app.dataframe[0].value["Transform"]) == ["AdvancedBlur"]


def test_nothing_found_is_said(app: AppTest) -> None:
    app.text_input(key="transforms.words").set_value("no such thing").run()

    assert any(caption.value.startswith("Nothing fits") for caption in app.caption)


@pytest.mark.parametrize("name", list(catalog.TRANSFORMS))
def test_every_row_can_be_told_in_full(name: str) -> None:
    spec = catalog.TRANSFORMS[name]

    assert transforms.row(spec)["Transform"] == name
    assert [row["Parameter"] for row in map(transforms.param_row, spec.params)] == [f"`{p.name}`" for p in spec.params]
