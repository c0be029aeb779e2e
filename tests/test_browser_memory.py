"""The page Memory in a real browser: its charts are drawn, an input changes the sentence, the numbers can be taken away."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import STILL
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

LINK = "memory?machine=own&ram=24000000000&w=16384&h=16384&dtype=float32&workers=4"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("memory")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    """A visitor who has opened a link."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(f"{server.url}/{LINK}")
    opened.wait_for_selector(STILL)
    yield opened
    context.close()


def test_the_charts_are_drawn(page: Page) -> None:
    for name in ("parts", "size", "grid"):
        expect(page.locator(f".st-key-memory-chart-{name} .main-svg").first).to_be_attached()
    bars = page.locator(".st-key-memory-chart-parts .trace.bars path")

    expect(bars.first).to_be_attached()
    assert bars.count() >= 5
    expect(page.locator(".st-key-memory-chart-size")).to_contain_text("Memory: 24.0 GB")


def test_an_input_changes_the_sentence_and_the_address(page: Page) -> None:
    sentence = page.get_by_role("heading", level=2)
    expect(sentence).to_contain_text("Does not fit: ")
    expect(sentence).to_contain_text("of 24.0 GB. You need")

    width = page.locator(".st-key-memory-width input")
    width.fill("2048")
    width.press("Enter")

    expect(sentence).to_contain_text("Fits: ")
    page.wait_for_url("**w=2048**")
    page.reload()
    expect(page.locator(".st-key-memory-width input")).to_have_value("2048")


def test_the_other_unit_is_everywhere(page: Page) -> None:
    page.locator(".st-key-memory-unit").get_by_text("GiB").click()

    expect(page.get_by_role("heading", level=2)).to_contain_text("of 22.4 GiB")
    new = page.locator(".st-key-memory-chart-size:not([data-stale='true'])")  # the old one stays while the new is made
    expect(new).to_contain_text("Memory: 22.4 GiB")


def test_the_numbers_are_taken_away(page: Page) -> None:
    with page.expect_download() as download:
        page.locator(".st-key-memory-csv-parts button").click()
    with open(download.value.path(), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert download.value.suggested_filename == "memory-parts.csv"
    assert [row["Bytes"] for row in rows if row["Part"] == "Limit"] == ["24000000000", "16000000000"]
