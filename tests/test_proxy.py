"""The app behind the proxy of `deploy/`: nginx with TLS and a base path, the settings of compose.yaml, a real browser."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from augviz import link
from augviz.model import Pipeline, Step
from augviz.sources import SourceRef
from augviz.visitors import COOKIE
from tests.browsing import RESULT, STILL, click, rest
from tests.folders import below
from tests.live import ROOT, LiveServer, live_server, until
from tests.proxying import HOST, MISSING, Proxy, composed, launch, proxying

pytest.importorskip("yaml")  # reads compose.yaml; Dask brings it
pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(MISSING), reason=f"there is no {MISSING} on this machine")]

BASE_PATH = "team/augviz"
FLIP = Pipeline((Step("f", "HorizontalFlip", p=1.0),))
BIG_SIDE = 10_000
BIG_BYTES = 3 * BIG_SIDE**2

LISTEN = """
  window.violations = [];
  addEventListener('securitypolicyviolation', e => window.violations.push([e.violatedDirective, e.blockedURI, e.sourceFile]));
"""
MINE = {"X-Augviz-Visitor": "0" * 32}
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    **MINE,
}


@dataclass(frozen=True, slots=True)
class Hosted:
    """The app and the proxy before it."""

    server: LiveServer
    proxy: Proxy


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = tmp_path_factory.mktemp("hosted")
    env = composed(AUGVIZ_BASE_PATH=BASE_PATH)["services"]["augviz"]["environment"]
    with (
        live_server(folder, base_path=BASE_PATH, **env) as server,
        proxying(folder / "nginx", port_of(server), base_path=BASE_PATH) as proxy,
    ):
        yield Hosted(server, proxy)


def port_of(server: LiveServer) -> int:
    return int(server.url.split(":")[2].split("/")[0])


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = launch(playwright)
    yield launched
    launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    opened.set_default_timeout(60_000)
    opened.add_init_script(LISTEN)
    yield opened
    opened.close()


class Watched:
    """A page, with the sockets that it opened and what the browser has complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.heard: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._look(request.url))
        self.page.on("websocket", self._listen)

    def _look(self, url: str) -> None:
        if not url.startswith((f"https://{HOST}:", "data:", "blob:")):
            self.foreign.append(url)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.heard.append(socket.url))

    def violations(self) -> list[object]:
        """What the policy has stopped, foreign addresses, and errors, but for an address that Streamlit 1.67 tries out."""
        odd = [text for text in self.complaints if "status of 404" not in text]
        return [*self.page.evaluate("window.violations"), *odd, *self.foreign]


def sparse_tiff(path: Path, side: int) -> None:
    """A whole, uncompressed, tiled RGB TIFF, black, of which the disk keeps next to nothing."""
    across = -(-side // 256)
    count, tile = across**2, 3 * 256**2
    tables = 8 + 2 + 11 * 12 + 4
    bits, offsets, counts = tables, tables + 8, tables + 8 + 4 * count
    first = counts + 4 * count
    entries = [
        *((256, 4, 1, side), (257, 4, 1, side), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2), (277, 3, 1, 3)),
        *((284, 3, 1, 1), (322, 3, 1, 256), (323, 3, 1, 256), (324, 4, count, offsets), (325, 4, count, counts)),
    ]
    with open(path, "wb") as file:
        file.write(struct.pack("<2sHIH", b"II", 42, 8, len(entries)))
        for entry in entries:
            file.write(struct.pack("<HHII", *entry))
        file.write(struct.pack("<I4H", 0, 8, 8, 8, 0))
        file.write(struct.pack(f"<{count}I", *(first + at * tile for at in range(count))))
        file.write(struct.pack(f"<{count}I", *[tile] * count))
        file.truncate(first + count * tile)


def kept_bytes(pid: int, folder: Path) -> int:
    """What a process of the proxy has put on the disk; it unlinks such files while it writes them."""
    count = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # just closed
            count += path.stat().st_size if f"{folder}/kept" in os.readlink(path) else 0
    return count


def test_a_link_restores_its_state_with_a_picture_over_an_encrypted_feed(
    context: BrowserContext, hosted: Hosted
) -> None:
    watched = Watched(context)
    page = watched.page
    page.goto(f"{hosted.proxy.url}/?s={link.encode(SourceRef('sample', 'chelsea'), FLIP, 42)}")
    rest(page)
    alt = page.locator(RESULT).get_attribute("alt") or ""
    click(page, "explore-new_draws")
    rest(page)
    feed = f"wss://{HOST}:{hosted.proxy.port}/{BASE_PATH}/augviz/feed/"

    assert alt.startswith("chelsea.png after HorizontalFlip")
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    assert any(url.startswith(feed) for url in watched.heard)
    assert "s=" in page.url
    assert watched.violations() == []


def test_inspect_shows_its_tiles(context: BrowserContext, hosted: Hosted) -> None:
    watched = Watched(context)
    page = watched.page
    state = link.encode(SourceRef("sample", "chelsea"), FLIP, 42)
    with page.expect_response(lambda reply: "/augviz/tile/" in reply.url) as tile:
        page.goto(f"{hosted.proxy.url}/inspect?s={state}")
    page.wait_for_selector(STILL)
    page.locator("img.leaflet-tile-loaded").first.wait_for()

    assert (tile.value.status, tile.value.url.startswith(f"{hosted.proxy.url}/augviz/tile/")) == (200, True)
    assert watched.violations() == []


def test_the_cookies_are_for_encrypted_connections_and_hidden_from_scripts(
    context: BrowserContext, hosted: Hosted
) -> None:
    page = Watched(context).page
    page.goto(hosted.proxy.url)
    rest(page)
    [mine] = [one for one in context.cookies() if one["name"] == COOKIE]

    assert (mine["secure"], mine["httpOnly"], mine["sameSite"], mine["path"]) == (True, True, "Lax", f"/{BASE_PATH}")
    assert {one["name"]: one["secure"] for one in context.cookies()} == {COOKIE: True, "_streamlit_xsrf": True}
    assert mine["value"] not in page.evaluate("document.cookie")


def test_300_megabytes_pass_and_are_shown_without_the_memory_for_them(
    context: BrowserContext, hosted: Hosted, tmp_path: Path
) -> None:
    sparse_tiff(tmp_path / "big.tif", BIG_SIDE)
    server, master = psutil.Process(hosted.server.pid), psutil.Process(hosted.proxy.pid)
    page = Watched(context).page
    page.goto(hosted.proxy.url)
    rest(page)
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.get_by_role("button", name="Choose files").wait_for()

    def taken() -> tuple[int, int, int]:
        """Memory of the server and of the largest process of the proxy, and what the proxy has on the disk; in bytes."""
        proxy = max(one.memory_info().rss for one in master.children())
        return (
            server.memory_info().rss,
            proxy,
            sum(kept_bytes(one.pid, hosted.proxy.folder) for one in master.children()),
        )

    before, peaks = taken(), (0, 0, 0)

    def has_arrived() -> bool:
        nonlocal peaks
        peaks = tuple(map(max, peaks, taken()))  # type: ignore[assignment]
        return "big.tif" in (page.locator(".st-key-explore-image").text_content() or "")

    page.locator(".uploader input[type=file]").set_input_files(tmp_path / "big.tif")
    until(has_arrived, 120)
    rest(page, 120)
    stored = below(hosted.server.log.parent / "cache" / "uploads")

    assert max(path.stat().st_size for path in stored) >= BIG_BYTES
    assert (page.locator(RESULT).get_attribute("alt") or "").startswith("big.tif after")
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    assert peaks[0] - before[0] < 50_000_000
    assert peaks[1] - before[1] < 20_000_000
    assert peaks[2] == 0


@pytest.mark.parametrize("path", ["", "_stcore/upload_file/x/y", "augviz/feed/x", "augviz/uploads/x"])
def test_large_bodies_are_for_the_upload_route_only(hosted: Hosted, path: str) -> None:
    assert hosted.proxy.ask(f"/{BASE_PATH}/{path}", "PUT", body=bytes(1_100_000)).status == 413


def test_who_sends_a_large_file_in_vain_reads_the_app_s_sentence(hosted: Hosted) -> None:
    body = bytes(30_000_000)
    replies = [hosted.proxy.ask(f"/{BASE_PATH}/augviz/upload/nobody", "PUT", MINE, body) for _ in range(10)]

    assert [reply.status for reply in replies] == [403] * 10
    assert all(b"no right to send files" in reply.body for reply in replies)


def test_a_file_over_the_limit_is_refused_before_it_is_sent(hosted: Hosted) -> None:
    limit = int(composed()["services"]["augviz"]["environment"]["AUGVIZ_UPLOAD_BYTES"])
    reply = hosted.proxy.ask(
        f"/{BASE_PATH}/augviz/upload/nobody", "PUT", {"Content-Length": str(limit + 1), "Expect": "100-continue"}
    )

    assert reply.status == 413


@pytest.mark.parametrize("path", ["augviz/metrics", "augviz/metrics/", "augviz//metrics", "x/../augviz/%6detrics"])
@pytest.mark.parametrize("room", ["augviz", "_stcore"])
def test_metrics_are_not_for_everybody(hosted: Hosted, room: str, path: str) -> None:
    path = path.replace("augviz", room)
    reply = hosted.proxy.ask(f"/{BASE_PATH}/{path}", headers=MINE)

    assert (reply.status, reply.headers["server"], b"nginx" in reply.body) == (404, "nginx", True)


def test_plain_http_leads_to_https(hosted: Hosted) -> None:
    reply = hosted.proxy.ask(f"/{BASE_PATH}/inspect?s=abc", plain=True)
    safe = hosted.proxy.ask(f"/{BASE_PATH}/")

    assert (reply.status, reply.headers["location"]) == (308, f"https://{HOST}/{BASE_PATH}/inspect?s=abc")
    assert "set-cookie" not in reply.headers
    assert safe.headers["strict-transport-security"] == "max-age=31536000"


def test_beside_the_base_path_there_is_nothing(hosted: Hosted) -> None:
    replies = [hosted.proxy.ask(path) for path in ("/", "/team", "/team/augvizzy", "/augviz/upload/x", "/index.html")]
    bare = hosted.proxy.ask(f"/{BASE_PATH}")

    assert {reply.status for reply in replies} == {404}
    assert (bare.status, bare.headers["location"]) == (301, f"/{BASE_PATH}/")


def test_another_name_is_not_answered(hosted: Hosted) -> None:
    assert hosted.proxy.ask(f"/{BASE_PATH}/", host="evil.example").status == 421
    assert hosted.proxy.ask(f"/{BASE_PATH}/", host="127.0.0.1", plain=True).status == 421
    with pytest.raises(OSError, match=r"(?i)unrecognized.name"):
        hosted.proxy.ask(f"/{BASE_PATH}/", name="evil.example")


@pytest.mark.parametrize("room", ["augviz/feed/x", "_stcore/stream"])
@pytest.mark.parametrize(
    "origin", [f"https://{HOST}", "https://evil.example", f"https://{HOST}.evil.example:PORT", "null", "x y"]
)
def test_sockets_are_for_pages_of_this_origin(hosted: Hosted, room: str, origin: str) -> None:
    asked = {**UPGRADE, "Origin": origin.replace("PORT", str(hosted.proxy.port))}

    assert hosted.proxy.ask(f"/{BASE_PATH}/{room}", headers=asked).status == 403


def test_a_socket_of_this_origin_is_opened(hosted: Hosted) -> None:
    trusting = ssl.create_default_context(cafile=str(hosted.proxy.folder / "certificate.pem"))
    address = f"wss://{HOST}:{hosted.proxy.port}/{BASE_PATH}/augviz/feed/x"
    with (
        socket.create_connection(("127.0.0.1", hosted.proxy.port)) as raw,
        connect(
            address,
            sock=raw,
            ssl=trusting,
            origin=Origin(f"https://{HOST}:{hosted.proxy.port}"),
            additional_headers=MINE,
        ) as opened,
    ):
        assert opened.response is not None
        assert opened.response.status_code == 101


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X-Auth-User"])
def test_a_file_of_passwords_is_asked_for_as_the_document_says(tmp_path: Path, name: str) -> None:
    text = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"(?s)    (auth_basic .*?\$remote_user;)\n", text)
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "passwords").write_text(f"ann:{hashed}", encoding="utf-8")
    lines = lines.replace("/etc/nginx/passwords", str(tmp_path / "passwords"))
    changed = {'proxy_set_header ${AUGVIZ_TRUSTED_HEADER} "";': lines}
    named = {"AUGVIZ_TRUSTED_HEADER": name}
    env = composed(**named)["services"]["augviz"]["environment"]
    forged = {name: "ann"}
    ann = {"Authorization": f"Basic {base64.b64encode(b'ann:secret').decode()}"}
    with live_server(tmp_path, **env) as server:
        with proxying(tmp_path / "open", port_of(server), **named) as proxy:
            without = proxy.ask("/", headers=forged)
        with proxying(tmp_path / "closed", port_of(server), changed=changed, **named) as proxy:
            stranger, known = proxy.ask("/", headers=forged), proxy.ask("/", headers={**ann, **forged})

    assert (without.status, b"names nobody" in without.body) == (403, True)  # by the app: what was forged is dropped
    assert (stranger.status, known.status) == (401, 200)


@pytest.mark.parametrize("unfilled", ["${AUGVIZ_NOT_EXPORTED}", ""])
def test_without_the_name_of_the_trusted_header_nginx_does_not_start(tmp_path: Path, unfilled: str) -> None:
    changed = {"${AUGVIZ_TRUSTED_HEADER}": unfilled}
    with pytest.raises(RuntimeError, match=r"unknown|number of arguments"), proxying(tmp_path, 9, changed=changed):
        pass


def test_the_log_has_no_addresses(context: BrowserContext, hosted: Hosted) -> None:
    page = Watched(context).page
    page.goto(hosted.proxy.url)
    rest(page)
    hosted.proxy.ask(f"/{BASE_PATH}/?s=secretstate")
    log = (hosted.proxy.folder / "log").read_text()

    assert "GET 200" in log
    assert [word for word in ("secretstate", "/augviz", "upload") if word in log] == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
def test_the_server_behind_is_told_its_name_as_well(hosted: Hosted, host: str) -> None:
    port = port_of(hosted.server)
    address = f"ws://{host}:{port}/{BASE_PATH}/augviz/feed/x"
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        pytest.raises(InvalidStatus, match="403"),
        connect(address, sock=raw, origin=Origin(f"http://{host}:{port}"), additional_headers=MINE),
    ):
        pass
