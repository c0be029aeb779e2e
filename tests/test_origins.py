"""Which sites' pages may open a WebSocket, and that nobody is asked about it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from augviz.guarding import FOREIGN
from augviz.origins import Origins, named
from tests.guarded import ME
from tests.live import LiveServer, fetch, live_server

ROOMS = ("/_stcore/stream", "/augviz/feed/x")


@pytest.mark.parametrize(
    "host", ["lab-pc:8501", "10.1.2.3:8501", "augviz.example.org", "[fe80::1]:8501", "localhost:1"]
)
def test_a_page_of_the_host_itself_may(host: str) -> None:
    assert Origins().allow(f"http://{host}", host)
    assert Origins().allow(f"https://{host}", host.upper())


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "", "x y", "http://[", "http://", "//", "lab-pc:8501", "file://"),
        *("http://lab-pc", "http://lab-pc:8502", "http://lab-pc:8501.evil.example", "http://lab-pc:8501@evil.example"),
        *("http://localhost:8501", "http://127.0.0.1:8501", "http://[::1]"),
    ],
)
@pytest.mark.parametrize("names", [frozenset[str](), frozenset({"augviz.example.org", "localhost"})])
def test_a_page_of_another_host_may_not(origin: str, names: frozenset[str]) -> None:
    assert not Origins(names).allow(origin, "lab-pc:8501")


def test_pages_of_configured_hosts_may() -> None:
    origins = Origins(named(["https://Portal.example:444", " augviz.example.org", "http://[", "", "localhost"]))

    assert origins.names == {"portal.example", "augviz.example.org", "localhost"}
    assert origins.allow("https://portal.example", "10.0.0.1:8501")
    assert origins.allow("https://augviz.example.org:8443", None)
    assert not origins.allow("https://portal.example.evil", "10.0.0.1:8501")


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8501", "http://[::1]:8501"])
def test_a_page_of_this_machine_may_where_this_machine_is_asked(origin: str) -> None:
    assert all(Origins().allow(origin, host) for host in ("localhost:8501", "127.0.0.1", "[::1]:8501"))
    assert not Origins().allow(origin, "augviz.example.org")
    assert not Origins().allow(origin, None)


def test_programs_may_and_every_page_where_the_owner_says_so() -> None:
    assert Origins().allow(None, "lab-pc:8501")
    assert Origins(any_origin=True).allow("http://evil.example", "lab-pc:8501")


@given(st.text(), st.text())
def test_whatever_is_sent_is_answered(origin: str, host: str) -> None:
    assert Origins(named([origin])).allow(origin, host) in (True, False)


# The running server


@dataclass(slots=True)
class Elsewhere:
    """What stands for all other hosts: a proxy that hears who asks for one, and never answers."""

    url: str
    heard: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as opened:
        found = Elsewhere(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = opened.enter_context(listening.accept()[0])
                    found.heard.append(connection.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield found
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@dataclass(frozen=True, slots=True)
class Watched:
    server: LiveServer
    beyond: Elsewhere


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with elsewhere() as beyond:
        env = {name: beyond.url for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
        env |= {"NO_PROXY": "127.0.0.1", "STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS": "https://portal.example"}
        with live_server(tmp_path_factory.mktemp("origins"), **env) as server:
            yield Watched(server, beyond)


def opens(server: LiveServer, room: str, origin: str | None, host: str = "") -> bool:
    """Whether the server opens a WebSocket for a page of `origin` that knows it as `host`."""
    at = server.url.removeprefix("http://")
    name, port = at.split(":")
    with socket.create_connection((name, int(port))) as raw:
        try:
            with connect(
                f"ws://{host or at}{room}", sock=raw, origin=Origin(origin) if origin else None, additional_headers=ME
            ):
                return True
        except InvalidStatus as error:
            if error.response.status_code != 403 or FOREIGN.encode() not in (error.response.body or b""):
                raise
            return False


@pytest.mark.parametrize("room", ROOMS)
def test_foreign_pages_are_refused_and_nobody_is_asked_about_them(watched: Watched, room: str) -> None:
    for origin in ("http://evil.example", "https://8.8.8.8", "null", "http://["):
        assert not opens(watched.server, room, origin)
        assert not opens(watched.server, room, origin, "lab-pc:8501")

    assert watched.beyond.heard == []
    assert "incident" not in watched.server.log.read_text()


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "host", ["", "lab-pc:8501", "192.168.7.7:8501", "localhost:8501", "augviz.example.org", "[fe80::1]:9"]
)
def test_whatever_the_server_is_called_its_own_pages_get_their_connections(
    watched: Watched, room: str, host: str
) -> None:
    at = host or watched.server.url.removeprefix("http://")

    assert opens(watched.server, room, f"http://{at}", host)
    assert opens(watched.server, room, f"https://{at}", host)  # behind a proxy that speaks TLS
    assert opens(watched.server, room, None, host)
    assert opens(watched.server, room, "https://portal.example", host)
    assert watched.beyond.heard == []


def test_plain_requests_of_foreign_pages_ask_nobody_either(watched: Watched) -> None:
    foreign = {**ME, "Origin": "http://evil.example"}
    paths = ("/", "/_stcore/health", "/_stcore/host-config", "/_stcore/upload_file/x/y", "/augviz/picture/x/quick.jpg")
    replies = [
        fetch(watched.server.url + path, foreign, method) for path in paths for method in ("GET", "OPTIONS", "PUT")
    ]

    assert all(reply.headers.get("access-control-allow-origin") not in ("*", foreign["Origin"]) for reply in replies)
    assert watched.beyond.heard == []


def test_a_server_that_is_told_no_address_starts_without_asking_for_one(tmp_path: Path) -> None:
    with elsewhere() as beyond:
        asked = {"HTTP_PROXY": beyond.url, "HTTPS_PROXY": beyond.url, "http_proxy": beyond.url, "NO_PROXY": "127.0.0.1"}
        with live_server(tmp_path, STREAMLIT_SERVER_ADDRESS="", STREAMLIT_BROWSER_SERVER_ADDRESS="", **asked) as server:
            assert opens(server, ROOMS[0], server.url)
            assert not opens(server, ROOMS[0], "http://evil.example")

    assert beyond.heard == []
