"""Two servers that share a cache folder and a secret, behind the proxy of `deploy/`: one of them ends in the middle of work."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from augviz import held_folder, link
from augviz.model import Pipeline, Step
from augviz.sources import SourceRef
from tests.browsing import RESULT, click, rest, shown_keys
from tests.folders import below
from tests.live import ROOT, LiveServer, live_server, until
from tests.proxying import MISSING, Proxy, composed, launch, proxying
from tests.samples import rgb

pytest.importorskip("yaml")  # reads compose.yaml; Dask brings it

proxied = pytest.mark.skipif(bool(MISSING), reason=f"there is no {MISSING} on this machine")
TURN = Pipeline((Step("r", "Rotate", (("limit", (20, 40)),), p=1.0), Step("b", "GaussianBlur", p=1.0)))

SESSION = """
import asyncio, sys
from pathlib import Path
from augviz.uploads import Uploads
async def parts():
    yield b"all of it"
uploads = Uploads(Path(sys.argv[1]), max_bytes=100, grace_seconds=100)
uploads.sweep_root()
token = uploads.open_session()
uploads.hold(token)
asyncio.run(uploads.receive(token, "a.tif", None, parts(), spare=0))
print("there", flush=True)
for line in sys.stdin:
    uploads.sweep_root()
    uploads.sweep()
    print(len(uploads.files(token)), uploads.files(token)[0].path.read_text(), flush=True)
"""
"""A server's uploads in a process of its own, which sweeps whenever it is told to."""

MAKING = """
import sys
from pathlib import Path
from augviz import held_folder
lost = 0
for _ in range(int(sys.argv[2])):
    folder, held = held_folder.make(Path(sys.argv[1]))
    lost += not (folder / ".lock").exists()
    held.close()
print(lost)
"""
"""Makes folders one after the other, and counts those that somebody removed while they were held."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Two servers, the cache that they share, and the proxy before them."""

    servers: tuple[LiveServer, LiveServer]
    cache: Path
    proxy: Proxy

    def serving(self) -> LiveServer:
        """The server that the only visitor's sockets are open to; the proxy keeps a single idle connection to the other."""

        def count(server: LiveServer) -> int:
            return sum(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process(server.pid).net_connections())

        first, second = sorted(self.servers, key=count)
        assert count(first) < count(second)
        return second

    def folder_of(self, server: LiveServer) -> Path | None:
        """Where a server keeps the uploads of its sessions; None for one that has ended, or has had no session yet."""
        with contextlib.suppress(FileNotFoundError):
            for open_file in Path(f"/proc/{server.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # just closed
                    path = Path(os.readlink(open_file))
                    if path.name == ".lock" and path.is_relative_to(self.cache):
                        return path.parent
        return None

    def other(self, server: LiveServer) -> LiveServer:
        return self.servers[1 - self.servers.index(server)]


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    env = {**composed()["services"]["augviz"]["environment"], "AUGVIZ_CACHE_FOLDER": str(tmp_path / "shared")}
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        live_server(tmp_path / "one", **env) as one,
        live_server(tmp_path / "other", **env) as other,
        proxying(tmp_path / "nginx", *(int(server.url.rsplit(":", 1)[1]) for server in (one, other))) as proxy,
    ):
        yield Replicas((one, other), tmp_path / "shared", proxy)


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = launch(playwright)
    yield launched
    launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def open_upload(page: Page) -> None:
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.get_by_role("button", name="Choose files").wait_for()


def stored(cache: Path) -> list[Path]:
    return below(cache / "uploads")


@proxied
@pytest.mark.browser
def test_a_visitor_stays_with_one_server_and_the_other_goes_on_where_it_ends(
    context: BrowserContext, replicas: Replicas
) -> None:
    page = context.new_page()
    page.goto(f"{replicas.proxy.url}/?s={link.encode(SourceRef('sample', 'chelsea'), TURN, 42)}")
    rest(page)
    for _ in range(3):
        click(page, "explore-new_draws")
        rest(page)
    before, address, alt = shown_keys(page), page.url, page.locator(RESULT).get_attribute("alt")
    seed = page.get_by_role("spinbutton", name="Seed")
    serving = replicas.serving()
    # Streamlit connects again by itself, to the server that is left: the page goes on without being loaded again.
    with page.expect_websocket(lambda socket: "/augviz/feed/" in socket.url):
        serving.process.kill()
        serving.process.wait()
    again, seen = rest(page), page.url
    value = int(seed.input_value())
    click(page, "explore-new_draws")
    rest(page)
    later = int(seed.input_value())
    page.goto(address)
    loaded = rest(page)

    assert (again, seen) == (before, address)
    assert later == value + 1
    assert loaded == before
    assert page.locator(RESULT).get_attribute("alt") == alt
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0


@proxied
@pytest.mark.browser
def test_an_upload_ends_with_its_server_and_the_page_says_so(
    context: BrowserContext, replicas: Replicas, tmp_path: Path
) -> None:
    rgb(300, 200).write_to_file(str(tmp_path / "mine.png"))
    page = context.new_page()
    page.goto(replicas.proxy.url)
    rest(page)
    open_upload(page)
    page.locator(".uploader input[type=file]").set_input_files(tmp_path / "mine.png")
    expect(page.locator(".st-key-explore-image")).to_contain_text("mine.png")
    rest(page)
    click(page, "explore-new_draws")
    rest(page)
    seed = page.get_by_role("spinbutton", name="Seed").input_value()
    serving = replicas.serving()
    with page.expect_websocket(lambda socket: "/augviz/feed/" in socket.url):
        serving.process.kill()
        serving.process.wait()
    rest(page)

    expect(page.get_by_text("The address was made with an upload")).to_be_visible()
    assert (page.locator(RESULT).get_attribute("alt") or "").startswith("astronaut.png after")
    assert page.get_by_role("spinbutton", name="Seed").input_value() == seed


@proxied
@pytest.mark.browser
def test_a_file_that_was_on_its_way_is_nobody_s_and_goes_when_a_server_starts(
    context: BrowserContext, replicas: Replicas, tmp_path: Path
) -> None:
    with open(tmp_path / "big.tif", "wb") as file:
        file.truncate(2_000_000_000)
    page = context.new_page()
    page.goto(replicas.proxy.url)
    rest(page)
    open_upload(page)
    serving = replicas.serving()
    page.locator(".uploader input[type=file]").set_input_files(tmp_path / "big.tif")
    until(lambda: any(path.stat().st_size for path in stored(replicas.cache)))
    with page.expect_websocket(lambda socket: "/augviz/feed/" in socket.url):
        serving.process.kill()
        serving.process.wait()
    left = stored(replicas.cache)
    rest(page)
    open_upload(page)

    assert [path.suffix for path in left] == [".part"]
    expect(page.get_by_role("button", name="Delete now")).to_have_count(0)
    with live_server(tmp_path / "one", AUGVIZ_CACHE_FOLDER=str(replicas.cache)):
        until(lambda: stored(replicas.cache) == [])
        assert replicas.folder_of(replicas.other(serving)).is_dir()  # type: ignore[union-attr]


def test_servers_that_sweep_one_folder_keep_each_other_s_sessions(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SESSION, str(tmp_path)]
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(2):
            server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            stack.enter_context(server)
            stack.callback(server.kill)
            servers.append(server)
            assert server.stdout is not None
            assert server.stdout.readline() == "there\n"
        for server in servers * 3:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write("sweep\n")
            server.stdin.flush()

            assert server.stdout.readline() == "1 all of it\n"
            assert len(list(tmp_path.iterdir())) == 2
        servers[0].kill()
        servers[0].wait()
        servers[1].stdin.write("sweep\n")  # type: ignore[union-attr]
        servers[1].stdin.flush()  # type: ignore[union-attr]

        assert servers[1].stdout.readline() == "1 all of it\n"  # type: ignore[union-attr]
        assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_just_being_made_is_not_swept(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKING, str(tmp_path), "3000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as making:
        while making.poll() is None:
            held_folder.sweep(tmp_path)
        assert making.stdout is not None

        assert making.stdout.read() == "0\n"
