"""The feed tells a visitor's picture what to show, and nobody else's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
from starlette.middleware import Middleware
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from augviz.guarding import Guard
from augviz.ui import feed
from augviz.visitors import HEADER, new_token, visitor_of
from tests.live import serving, until

SECONDS = 30


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(feed.routes("lab")) as url:
        yield url.replace("http", "ws") + "/lab/augviz/feed/"


def test_data_reaches_every_picture_of_its_session_and_no_other(address: str) -> None:
    with connect(address + "mine") as one, connect(address + "yours") as other:
        assert feed.publish("mine", {"key": "1"})
        assert feed.publish("yours", {"key": "2"})

        assert json.loads(one.recv(SECONDS)) == {"key": "1"}
        assert json.loads(other.recv(SECONDS)) == {"key": "2"}


def test_nobody_listens_to_a_session_whose_picture_has_gone(address: str) -> None:
    assert not feed.publish("gone", {})

    with connect(address + "gone"):
        assert feed.publish("gone", {})

    until(lambda: not feed.publish("gone", {}))


@pytest.mark.parametrize("message", ["text", b"bytes", "[]", "7", '{"seen": Infinity}'])
def test_what_a_browser_sends_is_ignored(address: str, message: str | bytes) -> None:
    with connect(address + "talks") as socket:
        socket.send(message)
        socket.send(message)
        feed.publish("talks", {"key": "3"})

        assert json.loads(socket.recv(SECONDS)) == {"key": "3"}
        assert feed.publish("talks", {"key": "4"})
        assert json.loads(socket.recv(SECONDS)) == {"key": "4"}


def test_what_a_browser_has_shown_is_known_while_its_picture_is_there(address: str) -> None:
    with connect(address + "shows") as socket:
        assert feed.seen("shows") is None
        for version in (3, 5, 4):
            socket.send(json.dumps({"seen": version}))
        socket.send(json.dumps({"seen": "nothing"}))
        until(lambda: feed.seen("shows") == 5)

        assert feed.seen("hides") is None

    until(lambda: feed.seen("shows") is None)


def test_a_session_has_a_bounded_number_of_pictures(address: str) -> None:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(connect(address + "many")) for _ in range(feed.MAX_LISTENERS + 1)]
        feed.publish("many", {"key": "5"})

        assert [json.loads(socket.recv(SECONDS)) for socket in sockets[1:]] == [{"key": "5"}] * feed.MAX_LISTENERS
        with pytest.raises(TimeoutError):
            sockets[0].recv(0.1)


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with serving(feed.routes("lab"), [Middleware(Guard, base_path="lab")]) as url:
        yield url.replace("http", "ws") + "/lab/augviz/feed/"


def test_who_knows_the_name_of_anothers_session_hears_nothing(guarded: str) -> None:
    me, you = new_token(), new_token()
    with (
        connect(guarded + "shared", additional_headers={HEADER: me}) as mine,
        connect(guarded + "shared", additional_headers={HEADER: you}) as yours,
    ):
        yours.send(json.dumps({"seen": 9}))
        until(lambda: feed.seen("shared", visitor_of(you)) == 9)
        feed.publish("shared", {"key": "6"}, visitor_of(me))

        assert json.loads(mine.recv(SECONDS)) == {"key": "6"}
        assert feed.seen("shared", visitor_of(me)) is None
        with pytest.raises(TimeoutError):
            yours.recv(0.1)


def test_a_page_of_another_site_gets_no_feed() -> None:
    own_only = Middleware(Guard, opens_for=lambda origin, host: origin == f"http://{host}")
    with serving(feed.routes(), [own_only]) as url:
        at = url.replace("http", "ws") + "/augviz/feed/mine"
        with pytest.raises(InvalidStatus, match="403"):
            connect(at, origin="http://elsewhere.example", additional_headers={HEADER: new_token()})
        with connect(at, origin=url, additional_headers={HEADER: new_token()}):
            pass
