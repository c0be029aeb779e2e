"""A story in a real browser: a row of the catalogue is opened, its pictures load, and its step goes into the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browsing import STILL, click, rest
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

TABLE = ".st-key-transforms-table .dvn-scroller"

LOADED = """() => {
  const images = [...document.querySelectorAll('.augviz-example img')];
  return images.length === 3 && images.every(image => image.complete && image.naturalWidth > 100);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("transforms"), base_path="lab") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()


def open_row(page: Page, number: int) -> None:
    """Click on a row of the table, which is drawn on a canvas: rows are 30 px high, below a head of as much."""
    table = page.locator(TABLE).first
    table.wait_for()
    page.wait_for_selector(STILL)
    table.click(position={"x": 120, "y": 30 * number + 45})


def test_a_row_opens_its_transform_which_is_added_to_the_pipeline(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/transforms")
    page.get_by_placeholder("Search everything").fill("MedianBlur")
    page.wait_for_timeout(500)
    open_row(page, 0)
    page.wait_for_url("**/transforms?transform=MedianBlur")
    page.wait_for_function(LOADED)
    expect(page.get_by_text("A window larger than the image raises.")).to_be_visible()

    click(page, "transforms-add")
    rest(page)

    expect(page.get_by_role("cell", name=re.compile(r"\d MedianBlur$"))).to_be_visible()
    assert "transform=" not in page.url


def test_a_link_opens_a_transform_and_back_leads_to_the_table(page: Page, server: LiveServer) -> None:
    missing: list[str] = []

    def look(response: Response) -> None:
        if response.status >= 400 and "/augviz/" in response.url:
            missing.append(response.url)

    page.on("response", look)
    page.goto(f"{server.url}/transforms?transform=Rotate")
    page.wait_for_function(LOADED)
    before = page.locator(".augviz-example img").nth(1).get_attribute("src")
    click(page, "transform-draws")
    page.wait_for_function(
        "before => document.querySelectorAll('.augviz-example img')[1]?.getAttribute('src') !== before", arg=before
    )
    page.wait_for_function(LOADED)
    click(page, "transform-back")
    page.locator(TABLE).first.wait_for()
    page.wait_for_url("**/transforms")

    open_row(page, 1)
    page.wait_for_url("**/transforms?transform=HueSaturationValue")
    page.go_back()
    page.locator(TABLE).first.wait_for()
    assert missing == []
