"""A story in a real browser: the figures of the full size follow a change at once, and become surer when it is at rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browsing import click, rest
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

STRIP = ".viewer .strip"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("estimates"), base_path="lab") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(server.url)
    rest(opened)
    yield opened
    context.close()


def full_size(page: Page) -> tuple[str, str]:
    """The figure of the full-size time, and its help."""
    fact = page.locator(f"{STRIP} .fact", has_text="full size").first
    return fact.inner_text(), fact.get_attribute("title") or ""


def expect_from(page: Page, origin: str) -> None:
    expect(page.locator(STRIP)).to_have_attribute("data-from", origin, timeout=120_000)


def turn_more(page: Page) -> None:
    """Move the slider of the rotation by one, and wait until the strip follows."""
    before = page.locator(STRIP).get_attribute("data-key")
    page.locator(".st-key-explore-step-rotate-limit input[type=range]").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(STRIP)).not_to_have_attribute("data-key", before or "", timeout=30_000)


def test_a_change_shows_costs_at_once_and_windows_when_it_is_at_rest(page: Page) -> None:
    expect_from(page, "windows")
    first, key = full_size(page), page.locator(STRIP).get_attribute("data-key")
    asked: list[str] = []

    def listen(request: Request) -> None:
        if "/estimate/" in request.url:
            asked.append(request.url)

    page.on("request", listen)
    page.route("**/augviz/estimate/**", lambda route: route.abort())
    click(page, "explore-step-rotate-open")
    turn_more(page)
    expect_from(page, "costs")
    unreachable = re.compile("No windows could be made for a better one: the server cannot be reached")
    expect(page.locator(f"{STRIP} .fact", has_text="full size").first).to_have_attribute(
        "title", unreachable, timeout=30_000
    )
    costs = full_size(page)
    page.unroute("**/augviz/estimate/**")
    turn_more(page)
    expect_from(page, "windows")
    windows = full_size(page)

    assert "From 1 window of the full-size result" in first[1]
    assert "From costs of the catalogue" in costs[1]
    assert "really made" in windows[1]
    for text, _ in (first, costs, windows):
        assert re.search(r"~[\d.]+ m?s, [\d.]+ (m?s )?to [\d.]+ m?s \(est\.\)", text)
    assert len(set(asked)) == 2

    # Undo brings the first windows back, without asking for them.
    before = len(asked)
    for _ in range(2):
        held = page.locator(STRIP).get_attribute("data-key")
        click(page, "explore-undo")
        expect(page.locator(STRIP)).not_to_have_attribute("data-key", held or "", timeout=30_000)
    expect_from(page, "windows")

    assert page.locator(STRIP).get_attribute("data-key") == key
    assert full_size(page) == first
    assert not any(f"/{key}.json" in url for url in asked[before:])


def test_the_way_to_the_page_that_measures_keeps_the_pipeline(page: Page) -> None:
    click(page, "explore-step-rotate-open")
    turn_more(page)
    rest(page)
    key = page.locator(STRIP).get_attribute("data-key")
    link = page.locator(f"{STRIP} a")
    expect(link).to_have_attribute("href", "/lab/measure")
    link.click()
    page.wait_for_url(re.compile("/lab/measure"))
    page.get_by_role("link", name="Explore").first.click()
    expect(page.locator(".viewer")).to_have_attribute("data-shown-key", key or "", timeout=60_000)
