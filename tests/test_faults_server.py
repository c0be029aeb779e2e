"""What befalls a running server: it is stopped, its cache is removed, its workers are killed, its visitors are cut off."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import pyvips
from playwright.sync_api import Browser, Page, expect
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from augviz import link, synthetic
from augviz.model import Pipeline, Step
from augviz.sources import SourceRef
from bench.load_report import BUG, is_sentence
from bench.visitor import Visitor, visit
from tests.browsing import RESULT, click, rest
from tests.folders import below
from tests.live import LiveServer, live_server, until
from tests.samples import rgb
from tests.test_faults import killed, unfinished

SIDE = 8192


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image whose full-size result takes a while."""
    folder = tmp_path_factory.mktemp("images")
    synthetic.make("tissue", SIDE, folder / "large.tif")
    pyvips.Image.new_from_file(str(folder / "large.tif")).jpegsave(str(folder / "large.jpg"))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[LiveServer]:
    """The server that all but those tests share which end it."""
    with live_server(tmp_path_factory.mktemp("server"), AUGVIZ_FOLDERS=str(images)) as running:
        yield running


def cache_of(server: LiveServer) -> Path:
    return server.log.parent / "cache"


def uploader(visitor: Visitor) -> str:
    """Where the visitor's files are sent."""
    visitor.act("explore.change_image", trigger_value=True)
    visitor.act("explore.image_tabs", string_value="Upload")
    return str(visitor.parts["augviz_uploader"]["address"])


def send(visitor: Visitor, name: str, content: bytes) -> str:
    """Send a file as the page does and look at it; returns its id."""
    status, body = visitor.ask("PUT", f"{uploader(visitor)}?name={name}", content)
    assert status == 200, body
    sent = str(json.loads(body)["id"])
    visitor.tell("augviz_uploader", "done", {"id": sent, "alone": True, "left": 0})
    return sent


def make(visitor: Visitor) -> None:
    """Have the full-size result of what is shown made."""
    visitor.act("explore.details", string_value="Save")
    visitor.act("explore.save.make", trigger_value=True)


def copy(visitor: Visitor) -> None:
    """Have a working copy of the image made."""
    visitor.act("explore.copy.offer", bool_value=True)
    visitor.act("explore.copy.start", trigger_value=True)


def new_draws(visitor: Visitor) -> int:
    """Look at other draws; the status of their picture."""
    visitor.act("explore.new_draws", trigger_value=True)
    answer = visitor.answer("quick", 512)
    assert answer is not None
    return answer[0]


def half_sent(visitor: Visitor, address: str) -> socket.socket:
    """The connection of an upload of which a quarter has come."""
    host, token = urlsplit(visitor.url), generate_xsrf_token_string()
    head = [f"PUT {address}?name=half.tif HTTP/1.1", f"Host: {host.netloc}", "Content-Length: 20000000"]
    head += [f"Cookie: {visitor.cookies}; _streamlit_xsrf={token}", f"X-Xsrftoken: {token}", "", ""]
    connection = socket.create_connection((host.hostname or "", host.port or 0), timeout=60)
    connection.sendall("\r\n".join(head).encode() + b"x" * 5_000_000)
    return connection


def check_said(visitor: Visitor, server: LiveServer) -> None:
    """Whatever the page has said was a sentence, and nothing was a bug."""
    assert visitor.failed == []
    assert [text for text in visitor.said if not is_sentence(text) or BUG in text] == []
    assert "Traceback" not in server.log.read_text(errors="replace")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["asked to end", "killed"])
def test_a_server_that_ends_in_the_middle_leaves_nothing_that_is_taken_for_whole(
    tmp_path: Path, images: Path, ending: signal.Signals
) -> None:
    cache = {"AUGVIZ_CACHE_FOLDER": str(tmp_path / "shared"), "AUGVIZ_FOLDERS": str(images)}
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with live_server(tmp_path / "first", **cache) as server, visit(server.url, "") as visitor:
        whole = rgb(300, 200).write_to_buffer(".png")
        send(visitor, "whole.png", whole)
        visitor.act("explore.change_image", trigger_value=True)
        visitor.act("explore.image_tabs", string_value="Synthetic")
        names = [name for name in visitor.widgets if name.startswith("explore.synthetic.")]
        largest = max(names, key=lambda name: int(name.rsplit("-", 1)[1]))
        visitor.act(largest, trigger_value=True)
        until(lambda: list((tmp_path / "shared" / "synthetic").glob(".*.tif")))
        with half_sent(visitor, str(visitor.parts["augviz_uploader"]["address"])):
            until(lambda: [path for path in below(tmp_path / "shared" / "uploads") if path.suffix == ".part"])
            processes = psutil.Process(server.pid).children(recursive=True)
            assert len(processes) >= 3
            os.kill(server.pid, ending)
        server.process.wait(60)  # one that was asked to end lets uploads under way end first: this one has broken off

        assert psutil.wait_procs(processes, timeout=15)[1] == []

    with live_server(tmp_path / "second", **cache) as server:
        until(lambda: below(tmp_path / "shared") == [])
        with visit(server.url, "") as visitor:
            assert new_draws(visitor) == 200
            visitor.act("explore.change_image", trigger_value=True)
            visitor.act("explore.image_tabs", string_value="Synthetic")
            assert largest in visitor.widgets
            check_said(visitor, server)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["asked to end", "killed"])
def test_a_server_that_ends_while_results_and_copies_are_written_leaves_none_that_is_taken_for_whole(
    tmp_path: Path, images: Path, ending: signal.Signals
) -> None:
    shared = tmp_path / "shared"
    cache = {"AUGVIZ_CACHE_FOLDER": str(shared), "AUGVIZ_FOLDERS": str(images)}
    address = f"s={link.encode(SourceRef('path', 'large.jpg'), Pipeline((Step('f', 'HorizontalFlip', p=1.0),)), 1)}"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with (
        live_server(tmp_path / "first", **cache) as server,
        visit(server.url, "") as sending,
        visit(server.url, address) as looking,
    ):
        send(sending, "sent.jpg", (images / "large.jpg").read_bytes())
        make(sending)
        copy(sending)
        copy(looking)
        until(lambda: len(unfinished(shared / "uploads")) == 2 and len(unfinished(shared / "copies")) == 1)
        processes = psutil.Process(server.pid).children(recursive=True)
        os.kill(server.pid, ending)
        server.process.wait(60)

        assert psutil.wait_procs(processes, timeout=15)[1] == []
        if ending == signal.SIGTERM:
            assert below(shared / "uploads") == []
            assert "Traceback" not in server.log.read_text(errors="replace")
        assert not [path for path in below(shared) if path.suffix in (".tif", ".npy", ".json") and path.name[0] != "."]

    with live_server(tmp_path / "second", **cache) as server:
        until(lambda: below(shared) == [])
        with visit(server.url, address) as visitor:
            assert visitor.data["name"] == "large.jpg"
            assert "explore.copy.offer" in visitor.widgets
            assert new_draws(visitor) == 200
            make(visitor)
            until(lambda: _has_made(visitor), 120)
            check_said(visitor, server)


def test_a_server_that_is_asked_to_end_waits_for_no_upload_of_which_nothing_comes(tmp_path: Path, images: Path) -> None:
    with (
        live_server(tmp_path, AUGVIZ_FOLDERS=str(images), AUGVIZ_UPLOAD_IDLE_SECONDS="2 s") as server,
        visit(server.url, "") as visitor,
        half_sent(visitor, uploader(visitor)) as connection,
    ):
        until(lambda: [path for path in below(cache_of(server)) if path.suffix == ".part"])
        processes = psutil.Process(server.pid).children(recursive=True)
        os.kill(server.pid, signal.SIGTERM)
        with connection.makefile("rb") as answer:
            told = answer.read()
        server.process.wait(60)

        assert told.startswith(b"HTTP/1.1 408 ")
        assert b"half.tif: nothing of it came for 2 s, so it was ended; nothing was kept." in told
        assert psutil.wait_procs(processes, timeout=15)[1] == []
        assert below(cache_of(server)) == []
        assert "Traceback" not in server.log.read_text(errors="replace")


def test_a_page_goes_on_after_the_cache_folder_was_removed_under_it(server: LiveServer) -> None:
    content = rgb(300, 200).write_to_buffer(".png")
    with visit(server.url, "") as visitor:
        send(visitor, "before.png", content)
        assert new_draws(visitor) == 200

        shutil.rmtree(cache_of(server))
        visitor.act("explore.new_draws", trigger_value=True)
        answer = visitor.answer("quick", 512)
        assert answer is not None
        assert answer[0] == 200 or is_sentence(json.loads(answer[1])["error"])
        check_said(visitor, server)

        send(visitor, "after.png", content)
        assert visitor.data["name"] == "after.png"
        assert new_draws(visitor) == 200
        make(visitor)
        until(lambda: _has_made(visitor))
        check_said(visitor, server)


def _has_made(visitor: Visitor) -> bool:
    visitor.run()
    visitor.until_quiet()
    return any("/augviz/file/" in address for address in visitor.links.values())


def test_every_worker_killed_at_once_costs_a_sentence_at_most(server: LiveServer) -> None:
    with visit(server.url, "") as visitor:
        assert new_draws(visitor) == 200
        for child in psutil.Process(server.pid).children(recursive=True):
            killed(child.pid)

        assert new_draws(visitor) == 200
        check_said(visitor, server)


def test_a_job_that_is_killed_is_told_on_its_page_and_can_be_started_again(server: LiveServer, images: Path) -> None:
    content = (images / "large.tif").read_bytes()
    with visit(server.url, "") as visitor:
        send(visitor, "large.tif", content)
        before = {child.pid for child in psutil.Process(server.pid).children(recursive=True)}
        make(visitor)
        until(lambda: unfinished(cache_of(server)))
        [job] = {child.pid for child in psutil.Process(server.pid).children(recursive=True)} - before
        killed(job)
        until(lambda: not unfinished(cache_of(server)))
        visitor.run()
        visitor.until_quiet()

        assert any("crashed (killed)" in text for text in visitor.said)
        check_said(visitor, server)
        make(visitor)
        until(lambda: _has_made(visitor), 120)


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.add_init_script(
        "window.sockets = []; const Real = WebSocket;"
        "window.WebSocket = class extends Real { constructor(...all) { super(...all); window.sockets.push(this); } };"
    )
    opened.goto(server.url)
    rest(opened)
    yield opened
    context.close()


@pytest.mark.browser
def test_a_browser_that_was_cut_off_for_a_while_finds_everything_again(
    page: Page, server: LiveServer, tmp_path: Path
) -> None:
    rgb(300, 200).write_to_file(str(tmp_path / "mine.png"))
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.locator(".uploader input[type=file]").set_input_files(tmp_path / "mine.png")
    expect(page.locator(".st-key-explore-image")).to_contain_text("mine.png")
    click(page, "explore-new_draws")
    rest(page)
    seed = page.get_by_role("spinbutton", name="Seed").input_value()

    page.context.set_offline(True)
    page.evaluate("() => window.sockets.forEach(socket => socket.close())")
    until(lambda: page.evaluate("() => window.sockets.every(socket => socket.readyState === WebSocket.CLOSED)"))
    expect(page.locator(".st-key-explore-new_draws button").first).to_be_disabled()  # nobody would hear of it
    page.context.set_offline(False)
    until(lambda: page.evaluate("() => window.sockets.some(socket => socket.readyState === WebSocket.OPEN)"))

    expect(page.locator(".st-key-explore-image")).to_contain_text("mine.png")
    rest(page)
    click(page, "explore-new_draws")
    rest(page)
    assert int(page.get_by_role("spinbutton", name="Seed").input_value()) > int(seed)
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    assert (page.locator(RESULT).get_attribute("alt") or "").startswith("mine.png after")
    assert "Traceback" not in server.log.read_text(errors="replace")
