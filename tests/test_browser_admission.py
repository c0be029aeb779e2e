"""A server that has no room: a window too many waits on a page of its own, a picture too many is asked for again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browsing import RESULT
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

BUSY = "The server is busy: 12 requests are before yours."
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("full"), AUGVIZ_MAX_SESSIONS="1") as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


class Crowd:
    """Answers as a busy server does until `gone`, in the server's place."""

    def __init__(self) -> None:
        self.gone = False

    def __call__(self, route: Route) -> None:
        if self.gone:
            route.continue_()
        else:
            headers = {"Retry-After": "1", "Content-Type": "application/json"}
            route.fulfill(status=503, headers=headers, body=json.dumps({"error": BUSY, "class": "ServerBusy"}))


def test_one_window_too_many_waits_and_comes_in_when_another_goes(
    browser: Browser, page: Page, server: LiveServer
) -> None:
    first = browser.new_context()
    opened = first.new_page()
    opened.goto(server.url)
    expect(opened.locator(RESULT)).to_be_visible(timeout=WAIT_MS)
    page.goto(server.url)
    expect(page.get_by_text("The server is full: 1 window is connected")).to_be_visible(timeout=WAIT_MS)

    assert page.locator(".viewer").count() == 0

    first.close()
    expect(page.locator(RESULT)).to_be_visible(timeout=WAIT_MS)


def test_the_viewer_says_how_many_are_before_and_shows_the_picture_when_there_is_room(
    page: Page, server: LiveServer
) -> None:
    crowd = Crowd()
    page.route(re.compile("/augviz/picture/"), crowd)
    page.goto(server.url)
    expect(page.locator(".viewer .strip")).to_contain_text(BUSY, timeout=WAIT_MS)

    crowd.gone = True
    expect(page.locator(RESULT)).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".viewer .strip")).not_to_contain_text("busy", timeout=WAIT_MS)


def test_the_tiles_of_inspect_come_when_there_is_room(page: Page, server: LiveServer) -> None:
    crowd = Crowd()
    page.route(re.compile("/augviz/tile/"), crowd)
    page.goto(f"{server.url}/inspect")
    warning = page.locator(".inspector .warning")
    expect(warning).to_contain_text(BUSY, timeout=WAIT_MS)

    crowd.gone = True
    expect(warning).to_be_hidden(timeout=WAIT_MS)
    expect(page.locator(".inspector img.leaflet-tile-loaded").first).to_be_visible(timeout=WAIT_MS)
