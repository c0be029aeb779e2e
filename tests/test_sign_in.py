"""Servers for signed-in users only: by a header of their proxy, and by Streamlit's sign-in."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from augviz.guarding import NO_USER, NOT_SIGNED_IN, Guard
from augviz.visitors import COOKIE
from tests.guarded import ME, is_dressed, picture_of, served, visit
from tests.live import LiveServer, fetch, live_server, serving


def test_behind_a_proxy_who_is_not_named_is_refused_everything(tmp_path: Path) -> None:
    named = {"X-Forwarded-User": "ann", **ME}
    with live_server(
        tmp_path,
        AUGVIZ_TRUSTED_HEADER="X-Forwarded-User",
        AUGVIZ_METRICS="1",  # where they are off, they are not there for anybody
        STREAMLIT_SERVER_ENABLE_AGENT_API="true",
    ) as server:
        asked = [
            one.address or "/" for one in served() if "Socket" not in one.kind and one.address != "/_stcore/health"
        ]
        replies = {path: fetch(server.url + path, ME) for path in [*asked, "/", "/inspect", "/static/js/x.js"]}
        empty = fetch(server.url, {"X-Forwarded-User": " "})
        for path in [one.address for one in served() if "Socket" in one.kind]:
            with pytest.raises(InvalidStatus, match="403"):
                connect(server.url.replace("http", "ws") + path, origin=server.url, additional_headers=ME)
        address = picture_of(server.url, **named)
        page, mine = fetch(server.url, named), fetch(address, named)
        other_user = fetch(address, {**named, "X-Forwarded-User": "bob"})
        log = server.log.read_text()

    assert {
        path for path, reply in replies.items() if (reply.status, json.loads(reply.body)) != (403, {"error": NO_USER})
    } == set()
    assert all(is_dressed(reply) for reply in replies.values())
    assert empty.status == 403
    assert (page.status, mine.status, other_user.status) == (200, 200, 404)
    assert "ann" not in log


def test_a_user_who_is_named_twice_is_nobody() -> None:
    """The browser's own header, which the proxy has not dropped, and the proxy's."""

    async def page(_request: Request) -> Response:
        return PlainTextResponse("A page")

    with serving([Route("/", page)], [Middleware(Guard, trusted_header="x-user")]) as url:
        host, port = url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.putrequest("GET", "/")
        connection.putheader("X-User", "root")
        connection.putheader("X-User", "ann")
        connection.endheaders()
        answer = connection.getresponse()
        refused = answer.status, json.loads(answer.read())
        connection.close()

        assert refused == (403, {"error": NO_USER})
        assert fetch(url, {"X-User": "ann"}).status == 200


COOKIE_SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def signing_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that asks visitors to sign in. Authlib only has to be there until somebody does."""
    home = tmp_path_factory.mktemp("home")
    (home / ".streamlit").mkdir()
    (home / ".streamlit" / "secrets.toml").write_text(
        f'[auth]\nredirect_uri = "http://127.0.0.1:1/oauth2callback"\ncookie_secret = "{COOKIE_SECRET}"\nclient_id = "augviz"\n'
        'client_secret = "x"\nserver_metadata_url = "http://127.0.0.1:1/.well-known/openid-configuration"\n'
    )
    (home / "libraries" / "authlib").mkdir(parents=True)
    (home / "libraries" / "authlib" / "__init__.py").touch()
    settings = {"HOME": str(home), "PYTHONPATH": str(home / "libraries"), "AUGVIZ_SIGN_IN": "1", "AUGVIZ_METRICS": "1"}
    with live_server(home, STREAMLIT_SERVER_ENABLE_AGENT_API="true", **settings) as running:
        yield running


def signed_cookie(secret: str = COOKIE_SECRET, **claims: object) -> dict[str, str]:
    """Cookies of a visitor whom Streamlit has signed in, made by its own function."""
    told = {"origin": "http://127.0.0.1:1", "is_logged_in": True, "provider": "default", **claims}
    value = create_signed_value(secret, "_streamlit_user", json.dumps(told)).decode()
    return {"Cookie": f"{COOKIE}={'m' * 32}; _streamlit_user={value}"}


def test_who_has_not_signed_in_sees_the_sign_in_and_no_address(signing_in: LiveServer) -> None:
    shown = json.dumps(visit(signing_in.url, **ME))

    assert "Sign in" in shown
    assert "/augviz/" not in shown
    assert "Explore" not in shown


@pytest.mark.parametrize(
    "cookies",
    [
        ME,
        signed_cookie("another secret of somebody", sub="7"),
        signed_cookie(is_logged_in=False, sub="7"),
        signed_cookie(),
        {"Cookie": f"{COOKIE}={'m' * 32}; _streamlit_user=x"},
    ],
)
def test_who_has_not_signed_in_is_refused_our_routes(signing_in: LiveServer, cookies: dict[str, str]) -> None:
    private = ("/augviz/", "/media/", "/_stcore/metrics")
    paths = [one.address for one in served() if one.address.startswith(private) and "Socket" not in one.kind]
    replies = [fetch(signing_in.url + path, cookies) for path in paths]

    assert len(paths) > 10
    assert {(reply.status, json.loads(reply.body)["error"]) for reply in replies} == {(403, NOT_SIGNED_IN)}
    with pytest.raises(InvalidStatus, match="403"):
        connect(
            f"{signing_in.url.replace('http', 'ws')}/augviz/feed/x", origin=signing_in.url, additional_headers=cookies
        )


def test_who_has_signed_in_reaches_our_routes(signing_in: LiveServer) -> None:
    reply = fetch(f"{signing_in.url}/augviz/picture/x/quick.jpg", signed_cookie(sub="7"))

    assert reply.status == 404
    assert fetch(f"{signing_in.url}/augviz/leaflet/leaflet.js", signed_cookie(sub="7")).status == 200
