"""A real browser under the security headers: every page works without a violation, and nobody sees another's pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from augviz import link
from augviz.model import Pipeline, Step
from augviz.sources import SourceRef
from augviz.visitors import COOKIE, NO_COOKIE
from tests.browsing import RESULT, STILL, click, rest
from tests.live import ROOT, LiveServer, live_server, until
from tests.relaying import Relay, relaying
from tests.samples import rgb

pytestmark = pytest.mark.browser

LISTEN = """
  window.violations = [];
  addEventListener('securitypolicyviolation', e => window.violations.push([e.violatedDirective, e.blockedURI, e.sourceFile]));
"""


STATE = link.encode(SourceRef("sample", "chelsea"), Pipeline((Step("f", "HorizontalFlip", p=1.0),)), 42)

PAGES = {path.stem: path.stem for path in sorted((ROOT / "pages").glob("*.py"))} | {
    "explore": "",
    "inspection": "inspect",
}
"""Their addresses, by file."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("images").resolve()
    for number in range(2):
        rgb(120 + number, 90).write_to_file(str(place / f"{number}.png"))
    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("secure"), AUGVIZ_FOLDERS=str(images)) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 800})
    opened.add_init_script(LISTEN)
    yield opened
    opened.close()


class Watched:
    """A page, and what the browser has complained of on it; a load in the same tab empties `violations`."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look)

    def _look(self, request: Any) -> None:
        if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", request.url):
            self.foreign.append(request.url)

    def violations(self) -> list[Any]:
        """What the policy has stopped, and errors in the console, but for an address that Streamlit 1.67 tries out."""
        odd = [text for text in self.complaints if "status of 404" not in text]
        return [*self.page.evaluate("window.violations"), *odd, *self.foreign]


def test_explore_works_with_an_upload_every_view_and_every_tab(
    context: BrowserContext, server: LiveServer, tmp_path: Path
) -> None:
    rgb(300, 200).write_to_file(str(tmp_path / "mine.png"))
    watched = Watched(context)
    page = watched.page
    page.goto(server.url)
    rest(page)
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.get_by_role("button", name="Choose files").wait_for()
    page.locator(".uploader input[type=file]").set_input_files(tmp_path / "mine.png")
    expect(page.locator(".st-key-explore-image")).to_contain_text("mine.png", timeout=30_000)
    rest(page)
    for view in ("Curtain", "Draws", "Steps", "Compare"):
        page.get_by_role("radio", name=view).or_(page.get_by_role("button", name=view, exact=True)).first.click()
        rest(page)
    for tab in page.locator(".st-key-explore-right [role=tab]").all():
        tab.click()
        page.wait_for_selector(STILL)
    rest(page)

    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    assert watched.violations() == []


def test_inspect_works_with_its_tiles_and_charts(context: BrowserContext, server: LiveServer) -> None:
    watched = Watched(context)
    page = watched.page
    with page.expect_response(lambda reply: "/augviz/tile/" in reply.url and reply.status == 200):
        page.goto(f"{server.url}/inspect")
    page.wait_for_selector(STILL)
    page.locator("img.leaflet-tile-loaded").first.wait_for()

    assert watched.violations() == []


def measure(page: Page, _images: Path) -> None:
    """Measure each step, and see the chart."""
    page.locator(".st-key-measure-question").get_by_text("Per step", exact=True).click()
    page.wait_for_url("**measure.question=**")
    page.wait_for_selector(STILL)
    click(page, "measure-start")
    page.locator(".st-key-measure-chart-steps .main-svg").first.wait_for(timeout=120_000)


def audit(page: Page, images: Path) -> None:
    """Audit the pipeline of a link on the images of a folder, and see a chart."""
    page.goto(page.url.replace("/audit", f"/?s={STATE}"))
    rest(page)
    page.get_by_role("link", name="Audit").click()
    page.wait_for_url("**/audit")
    page.wait_for_selector(STILL)
    field = page.locator(".st-key-audit-folder input")
    field.fill(str(images))
    field.press("Enter")
    page.wait_for_selector(STILL)
    click(page, "audit-start")
    page.locator(".st-key-audit-chart-seconds .main-svg").first.wait_for(timeout=120_000)


def memory(page: Page, _images: Path) -> None:
    page.locator(".js-plotly-plot, [data-testid='stPlotlyChart'] svg").first.wait_for()


def transforms(page: Page, _images: Path) -> None:
    """Open one, and see its example."""
    page.goto(f"{page.url.split('?')[0]}?transform=Rotate")
    page.locator(".augviz-example img").nth(1).wait_for()


USED: dict[str, Callable[[Page, Path], None]] = {
    "audit": audit,
    "measure": measure,
    "memory": memory,
    "transforms": transforms,
}
"""What is done on a page before what the browser complained of is looked at; the tests above use Explore and Inspect."""


@pytest.mark.parametrize("name", PAGES)
def test_every_page_works(context: BrowserContext, server: LiveServer, images: Path, name: str) -> None:
    watched = Watched(context)
    page = watched.page
    page.goto(f"{server.url}/{PAGES[name]}" + f"?s={STATE}" * (name == "measure"))
    page.wait_for_selector(STILL)
    expect(page.locator("[data-testid='stMainBlockContainer']")).not_to_be_empty()
    expect(page.get_by_role("dialog")).to_have_count(0)  # "Page not found"
    if name in USED:
        USED[name](page, images)
        page.wait_for_selector(STILL)
    click(page, "about-open")
    expect(page.get_by_role("dialog")).to_contain_text("Where your data goes")
    page.wait_for_selector(STILL)

    assert watched.violations() == []


def test_a_foreign_script_is_not_run(context: BrowserContext, server: LiveServer) -> None:
    watched = Watched(context)
    watched.page.goto(server.url)
    watched.page.wait_for_selector(STILL)
    watched.page.evaluate(
        """() => { for (const code of ['window.stolen = 1', null]) { const script = document.createElement('script');
        if (code) script.textContent = code; else script.src = 'http://127.0.0.1:9/x.js'; document.body.append(script); } }"""
    )
    watched.page.wait_for_function("() => window.violations.length >= 2")

    assert watched.page.evaluate("window.stolen") is None


def test_another_browser_is_refused_what_this_one_shows(
    browser: Browser, context: BrowserContext, server: LiveServer
) -> None:
    page = Watched(context).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/augviz/picture/" in request.url else None)
    page.goto(server.url)
    rest(page)
    other = browser.new_context()
    other.new_page().goto(server.url)
    mine, theirs = (one.request.get(asked[-1]) for one in (context, other))
    tab = context.new_page()
    tab.goto(server.url)
    rest(tab)
    [mine_now] = [one["value"] for one in context.cookies() if one["name"] == COOKIE]
    replies = mine.status, theirs.status
    other.close()

    assert replies == (200, 404)
    assert tab.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    assert page.evaluate("document.cookie").find(mine_now) == -1


def test_without_cookies_the_page_says_what_it_needs(context: BrowserContext, server: LiveServer) -> None:
    def lose_cookie(route: Any) -> None:
        context.clear_cookies(name=COOKIE)
        route.continue_()

    page = Watched(context).page
    page.route("**/_stcore/host-config", lose_cookie)  # Streamlit asks for it before it opens its socket
    page.goto(server.url)

    expect(page.get_by_test_id("stAlert")).to_contain_text(NO_COOKIE, timeout=60_000)


def test_a_cookie_that_was_lost_comes_again_with_the_page_from_the_cache(
    context: BrowserContext, server: LiveServer
) -> None:
    page = Watched(context).page
    page.goto(server.url)
    rest(page)
    context.clear_cookies()
    page.reload()
    rest(page)

    assert any(one["name"] == COOKIE for one in context.cookies())
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0


def test_tabs_that_are_the_first_of_a_browser_and_open_at_once_all_go_on(
    context: BrowserContext, server: LiveServer
) -> None:
    pages = [Watched(context).page for _ in range(3)]
    with relaying(int(server.url.rsplit(":", 1)[1])) as relay:
        relay.answers.clear()
        for number, page in enumerate(pages):
            page.evaluate("url => { setTimeout(() => { location = url; }); }", f"{relay.url}/?tab={number}")
        until(lambda: len(documents(relay)) == 3)  # none of them has been answered: each will get a cookie of its own
        relay.answers.set()
        for page in pages:
            page.wait_for_url(f"{relay.url}/**")
            rest(page)
        for page in pages:
            click(page, "explore-new_draws")
            rest(page)

        # All had opened their connections after the last of the cookies had come.
        assert COOKIE.encode() not in b"".join(documents(relay))
        assert len([one for one in context.cookies(relay.url) if one["name"] == COOKIE]) == 1
        assert [page.locator(RESULT).count() for page in pages] == [1] * 3, "a tab is refused its own picture"


def documents(relay: Relay) -> list[bytes]:
    """The requests for a tab's page."""
    return [one for one in relay.asked if one.startswith(b"GET /?tab=")]


def test_a_tab_whose_cookie_another_one_has_replaced_says_what_to_do_and_goes_on(
    context: BrowserContext, server: LiveServer
) -> None:
    page, other = Watched(context).page, Watched(context).page
    page.goto(server.url)
    rest(page)
    context.clear_cookies(name=COOKIE)
    other.goto(server.url)
    rest(other)
    click(page, "explore-new_draws")

    expect(page.locator(".viewer")).to_contain_text("reload the page to make it anew", timeout=30_000)
    rest(page)
    seed = page.get_by_role("spinbutton", name="Seed").input_value()
    page.reload()
    rest(page)
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    assert page.get_by_role("spinbutton", name="Seed").input_value() == seed


def test_behind_a_proxy_the_pages_work_for_who_is_named(browser: Browser, tmp_path: Path) -> None:
    with live_server(tmp_path, AUGVIZ_TRUSTED_HEADER="X-Forwarded-User") as server:
        named = browser.new_context(
            extra_http_headers={"X-Forwarded-User": "ann"}, viewport={"width": 1280, "height": 800}
        )
        page = Watched(named).page
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(server.url)
        rest(page)
        width = page.locator(RESULT).evaluate("i => i.naturalWidth")
        named.close()
        nobody = browser.new_context()
        refused = nobody.new_page()
        reply = refused.goto(server.url)
        text = refused.locator("body").inner_text()
        nobody.close()

    assert width > 0
    assert any("/augviz/feed/" in url for url in sockets)
    assert reply is not None
    assert reply.status == 403
    assert "names nobody" in text
