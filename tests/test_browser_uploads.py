"""Stories in a real browser: files that a visitor brings along."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import RESULT, click, rest
from tests.folders import below
from tests.live import LiveServer, live_server, until
from tests.relaying import relaying
from tests.samples import rgb

pytestmark = pytest.mark.browser

GRACE_SECONDS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    settings = {"AUGVIZ_UPLOAD_GRACE_SECONDS": str(GRACE_SECONDS), "AUGVIZ_UPLOAD_BYTES": "600 MB"}
    with live_server(tmp_path_factory.mktemp("uploads"), **settings) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    # So that a test can drop the page's connections, as a train in a tunnel does.
    opened.add_init_script(
        "window.sockets = []; const Real = WebSocket;"
        "window.WebSocket = class extends Real { constructor(...all) { super(...all); window.sockets.push(this); } };"
    )
    opened.goto(server.url)
    rest(opened)
    yield opened
    context.close()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of zeros."""
    path = tmp_path / "large.tif"
    with open(path, "wb") as file:
        file.truncate(20_000_000)
    return path


@contextlib.contextmanager
def visiting(browser: Browser, url: str) -> Iterator[Page]:
    """Explore at an address, in a browser of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(url)
    rest(page)
    yield page
    context.close()


def port_of(server: LiveServer) -> int:
    return int(server.url.rsplit(":", 1)[1])


def open_upload(page: Page) -> None:
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.get_by_role("button", name="Choose files").wait_for()


def send(page: Page, *files: Path | dict[str, object]) -> None:
    page.locator(".uploader input[type=file]").set_input_files(list(files))  # type: ignore[arg-type]


def stored(server: LiveServer) -> list[Path]:
    """The files that the server keeps for its visitors."""
    return below(server.log.parent / "cache" / "uploads")


def test_a_file_is_sent_and_looked_at_at_once(page: Page, server: LiveServer, tmp_path: Path) -> None:
    rgb(300, 200).write_to_file(str(tmp_path / "my slide.tif"), tile=True)
    open_upload(page)
    send(page, tmp_path / "my slide.tif")
    expect(page.locator(".st-key-explore-image")).to_contain_text("my slide.tif")
    rest(page)

    assert (page.locator(RESULT).get_attribute("alt") or "").startswith("my slide.tif after")
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0

    open_upload(page)
    page.get_by_role("button", name="Delete now").click()
    expect(page.get_by_role("button", name="Delete now")).to_have_count(0)

    assert stored(server) == []


def test_several_files_are_dropped_and_wait_for_a_choice(page: Page, tmp_path: Path) -> None:
    open_upload(page)
    data = page.evaluate_handle(
        """() => { const transfer = new DataTransfer();
        for (const name of ['a.png', 'b.png']) transfer.items.add(new File([new Uint8Array(10)], name)); return transfer; }"""
    )
    page.locator(".uploader .drop").dispatch_event("drop", {"dataTransfer": data})

    expect(page.get_by_role("button", name="Delete now")).to_have_count(2)
    page.get_by_role("button", name="Choose", exact=True).first.click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("a.png: this is not an image of a kind that is opened")


def test_what_cannot_be_opened_says_so_and_is_not_kept(page: Page, server: LiveServer) -> None:
    before = stored(server)
    open_upload(page)
    send(page, {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"just some text"})

    expect(page.get_by_test_id("stAlert")).to_contain_text("notes.jpg: this is not an image of a kind that is opened")
    until(lambda: set(stored(server)) <= set(before))


def test_a_file_over_the_limit_is_refused_by_name(page: Page, tmp_path: Path) -> None:
    big = tmp_path / "huge.tif"
    with open(big, "wb") as file:
        file.truncate(601_000_000)
    open_upload(page)
    send(page, big)

    expect(page.get_by_role("alert")).to_contain_text("huge.tif: the file is larger than the limit of 600 MB")


def test_half_a_gigabyte_costs_the_server_no_memory_and_a_cancel_leaves_nothing(
    page: Page, server: LiveServer, tmp_path: Path
) -> None:
    big = tmp_path / "big.tif"
    with open(big, "wb") as file:
        file.truncate(500_000_000)
    process = psutil.Process(server.pid)
    before, peak, others = process.memory_info().rss, 0, stored(server)
    open_upload(page)
    send(page, big)

    def arrived() -> bool:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        return page.get_by_test_id("stAlert").count() > 0

    until(arrived)

    # Half a gigabyte of zeros is no image.
    expect(page.get_by_test_id("stAlert")).to_contain_text("big.tif: this is not an image")
    assert peak - before < 50_000_000

    page.route("**/augviz/upload/**", lambda route: None)  # the server never answers
    send(page, big)
    page.get_by_role("button", name="Cancel big.tif").click()
    expect(page.get_by_role("alert").last).to_contain_text("Cancelled; nothing was kept.")
    assert set(stored(server)) <= set(others)


def test_a_file_of_which_nothing_arrives_any_more_ends_with_a_sentence(
    browser: Browser, tmp_path: Path, large: Path
) -> None:
    with (
        live_server(tmp_path, AUGVIZ_UPLOAD_IDLE_SECONDS="2 s") as server,
        relaying(port_of(server)) as relay,
        visiting(browser, relay.url) as page,
    ):
        open_upload(page)
        relay.swallows = True
        send(page, large)

        expect(page.get_by_role("alert")).to_contain_text(
            # Some of it can have been on its way already.
            re.compile(
                r"large\.tif: (nothing of it came for|only .* of it came in) 2 s, so it was ended; nothing was kept\."
            ),
            timeout=30_000,
        )
        assert stored(server) == []


def test_a_visitor_whose_server_dies_under_an_upload_reads_so_and_keeps_the_rest(
    browser: Browser, tmp_path: Path, large: Path
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with (
        live_server(tmp_path / "first") as first,
        live_server(tmp_path / "second") as second,
        relaying(port_of(first)) as relay,
        visiting(browser, relay.url) as page,
    ):
        click(page, "explore-new_draws")
        rest(page)
        seed, alt = page.get_by_role("spinbutton", name="Seed").input_value(), page.locator(RESULT).get_attribute("alt")
        open_upload(page)
        relay.swallows = True
        send(page, large)
        until(lambda: stored(first))
        relay.target, relay.swallows = port_of(second), False
        with page.expect_websocket(lambda socket: "/augviz/feed/" in socket.url):  # the page has found the other server
            first.process.kill()
            first.process.wait()
        notice = page.locator(".augviz-notice")

        # Which of them depends on whether the browser has tried the other server by itself.
        expect(notice).to_have_text(
            re.compile(
                r"^large\.tif(: the connection broke; nothing was kept, so send it again"
                r"|: the dialog was closed before all of it was sent; nothing was kept"
                r"| was not kept: This session has ended; reload the page)\.Dismiss$"
            ),
            timeout=30_000,
        )
        expect(page.get_by_role("dialog")).to_have_count(0)
        rest(page)
        assert page.get_by_role("spinbutton", name="Seed").input_value() == seed
        assert page.locator(RESULT).get_attribute("alt") == alt
        notice.get_by_role("button", name="Dismiss").click()
        expect(notice).to_have_count(0)

        open_upload(page)
        send(page, large)
        expect(page.get_by_test_id("stAlert")).to_contain_text("large.tif: this is not an image")


def test_who_closes_the_dialog_under_an_upload_reads_what_became_of_it(page: Page, large: Path) -> None:
    open_upload(page)
    page.route("**/augviz/upload/**", lambda route: None)  # the server never answers
    send(page, large)
    page.get_by_role("button", name="Cancel large.tif").wait_for()
    page.keyboard.press("Escape")

    expect(page.locator(".augviz-notice")).to_contain_text(
        "large.tif: the dialog was closed before all of it was sent; nothing was kept."
    )


def test_files_outlive_a_dropped_connection_and_go_with_their_visitor(
    browser: Browser, page: Page, server: LiveServer, tmp_path: Path
) -> None:
    rgb(300, 200).write_to_file(str(tmp_path / "kept.png"))
    open_upload(page)
    send(page, tmp_path / "kept.png")
    expect(page.locator(".st-key-explore-image")).to_contain_text("kept.png")
    rest(page)
    assert len(stored(server)) == 1

    page.evaluate("() => window.sockets.forEach(socket => socket.close())")
    page.wait_for_function("() => window.sockets.some(socket => socket.readyState === WebSocket.OPEN)")
    click(page, "explore-new_draws")
    rest(page)
    page.wait_for_timeout(2000 * GRACE_SECONDS)  # longer than the grace time, with the visitor there
    click(page, "explore-new_draws")
    rest(page)

    assert len(stored(server)) == 1
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0

    page.close()
    until(lambda: stored(server) == [])
