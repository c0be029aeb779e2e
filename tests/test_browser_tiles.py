"""In a real browser: tiles that went out of view are given up, and the next ones do not wait for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request

from augviz import link, saved
from augviz.sources import SourceRef
from tests import shared_tiles
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

TIMEOUT_MS = 60_000
TILE = re.compile(r"/augviz/tile/\w+/(\d+)/(\d+)/(\d+)")

SLOW = {"transform": "MedianBlur", "p": 1.0, "args": {"blur_limit": [31, 31]}}
"""Takes about a second for a tile at full size, and next to nothing where a whole image is shown small."""

READY = """() => {
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
  const seen = host && host.shadowRoot.querySelector('.inspector');
  return seen && seen.getAttribute('aria-busy') === 'false' && seen.dataset.key && seen.dataset.shownKey === seen.dataset.key;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("images")
    shared_tiles.flat(folder / "flat.tif", 20_000, {})
    with live_server(tmp_path_factory.mktemp("server"), AUGVIZ_FOLDERS=str(folder)) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    context.close()


def place(request: Request) -> tuple[int, ...] | None:
    """Level, column and row of a request for a tile."""
    found = TILE.search(request.url)
    return tuple(map(int, found.groups())) if found else None


def go(page: Page, x: int, y: int) -> None:
    form = page.locator(".inspector .goto")
    form.locator("[name=x]").fill(str(x))
    form.locator("[name=y]").fill(str(y))
    form.get_by_role("button", name="Go").click()


def test_tiles_that_went_out_of_view_are_given_up(page: Page, server: LiveServer) -> None:
    pipeline = saved.load({"format": 1, "steps": [SLOW] * 4})
    asked: list[tuple[int, ...]] = []
    failed: dict[tuple[int, ...], str] = {}
    came: list[tuple[int, ...]] = []
    page.goto(f"{server.url}/inspect?s={link.encode(SourceRef('path', 'flat.tif'), pipeline, 0)}")
    page.wait_for_function(READY)
    page.on("request", lambda request: (at := place(request)) and asked.append(at))
    page.on("requestfailed", lambda request: (at := place(request)) and failed.update({at: request.failure}))
    page.on("requestfinished", lambda request: (at := place(request)) and came.append(at))

    go(page, 2_000, 2_000)
    while len([at for at in asked if at[0] == 0]) < 12:
        page.wait_for_timeout(20)
    passed = [at for at in asked if at[0] == 0]
    before = set(came)
    go(page, 18_000, 18_000)
    page.wait_for_function(READY)

    left = [at for at in passed if at not in before]
    seen = [at for at in came if at[0] == 0 and at not in passed]
    assert len(left) >= 10, "too few were under way for this to prove anything"
    assert all(failed.get(at) == "net::ERR_ABORTED" for at in left if at not in came)
    assert len([at for at in left if at in came]) <= 2, "only what was being made when the view moved may still come"
    assert len(seen) >= 10
