"""The page Measure in a real browser: steps are measured and told, a slow one is cancelled, and the figures are taken away."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from augviz import link, saved, synthetic
from augviz.sources import SourceRef
from tests.browsing import STILL
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

TIMEOUT_MS = 120_000
FLIP = {"id": "f", "transform": "HorizontalFlip", "p": 1.0}
STAIN = {"id": "h", "transform": "HEDShift", "p": 1.0}
SLOW = {"id": "e", "transform": "ElasticTransform", "p": 1.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("images")
    for side in (1024, 4096):
        synthetic.make("tissue", side, folder / f"tissue-{side}.tif")
    with live_server(tmp_path_factory.mktemp("server"), AUGVIZ_FOLDERS=str(folder)) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    context.close()


def visit(page: Page, server: LiveServer, side: int, *steps: dict[str, Any]) -> None:
    """Open an image and its steps on Measure by a link."""
    pipeline = saved.load({"format": 1, "steps": list(steps)})
    page.goto(f"{server.url}/measure?s={link.encode(SourceRef('path', f'tissue-{side}.tif'), pipeline, 3)}")
    page.wait_for_selector(".st-key-measure-start button:enabled")
    page.wait_for_selector(STILL)


def choose(page: Page, question: str) -> None:
    page.locator(".st-key-measure-question").get_by_text(question, exact=True).click()
    page.wait_for_url("**measure.question=**")
    page.wait_for_selector(STILL)


def taken(page: Page, name: str) -> Path:
    with page.expect_download() as download:
        page.locator(f".st-key-measure-download-{name} button").click()

    assert download.value.suggested_filename == f"measured.{name}"
    return Path(download.value.path())


def test_steps_are_measured_told_and_taken_away(page: Page, server: LiveServer) -> None:
    visit(page, server, 1024, FLIP, STAIN)
    expect(page.locator(".st-key-measure-toolbar")).to_contain_text("tissue-1024.tif after HorizontalFlip, HEDShift")
    choose(page, "Per step")
    page.locator(".st-key-measure-start button").click()

    expect(page.get_by_role("heading", level=2)).to_contain_text("of the time", timeout=TIMEOUT_MS)
    chart = page.locator(".st-key-measure-chart-steps")
    expect(chart.locator(".main-svg").first).to_be_attached(timeout=TIMEOUT_MS)
    expect(chart).to_contain_text("2 HEDShift")
    table = page.get_by_role("table", name="Time, share and image after each step")
    expect(table).to_contain_text("1024 × 1024 × 3")

    [run] = json.loads(taken(page, "json").read_text())["runs"]
    assert (run["question"], run["seed"], run["image"]["width"]) == ("steps", 3, 1024)
    assert [step["transform"] for step in run["figures"][1]["steps"]] == ["HorizontalFlip", "HEDShift"]
    with open(taken(page, "csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["", "0 reading", "1 HorizontalFlip", "2 HEDShift"]
    assert all(row["env_libvips"] for row in rows)

    page.reload()
    page.wait_for_selector(".st-key-measure-start button:enabled")
    expect(page.get_by_role("radio", name="Per step")).to_be_checked(timeout=TIMEOUT_MS)
    expect(page.locator(".st-key-measure-toolbar")).to_contain_text("tissue-1024.tif after HorizontalFlip, HEDShift")


def test_a_page_that_is_loaded_anew_while_something_is_measured_brings_the_answer(
    page: Page, server: LiveServer
) -> None:
    visit(page, server, 1024, FLIP, STAIN)
    page.locator(".st-key-measure-start button").click()
    expect(page.locator(".st-key-measure-progress")).to_contain_text("Streamed to a file", timeout=TIMEOUT_MS)

    page.reload()

    expect(page.locator(".st-key-measure-answer")).to_contain_text("Held as an array", timeout=TIMEOUT_MS)
    expect(page.locator(".st-key-measure-progress")).to_have_count(0)
    [run] = json.loads(taken(page, "json").read_text())["runs"]
    assert [figure["name"] for figure in run["figures"]] == ["estimate", "stream", "hold"]

    page.reload()

    expect(page.locator(".st-key-measure-answer")).to_contain_text("Held as an array", timeout=TIMEOUT_MS)


def test_what_is_slow_is_cancelled_at_once(page: Page, server: LiveServer) -> None:
    visit(page, server, 4096, SLOW)
    page.locator(".st-key-measure-start button").click()
    expect(page.locator(".st-key-measure-progress")).to_contain_text("Estimate")
    expect(page.locator(".st-key-measure-progress")).to_contain_text("Streamed to a file", timeout=TIMEOUT_MS)

    page.locator(".st-key-measure-cancel button").click()
    expect(page.locator(".st-key-measure-progress")).to_have_count(0, timeout=5000)

    expect(page.locator(".st-key-measure-answer")).to_contain_text("Streamed to a file: It was cancelled.")
    expect(page.locator(".st-key-measure-start button")).to_be_enabled()
