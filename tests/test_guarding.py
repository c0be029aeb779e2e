"""What surrounds every answer of the running server: security headers, tokens against forgery, the visitor's cookie."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from augviz import visitors
from augviz.guarding import FOREIGN, NO_METRICS, Guard, policy_text
from augviz.visitors import COOKIE
from tests.guarded import ME, UNSAFE, YOU, is_dressed, picture_of, served, visit
from tests.live import LiveServer, Reply, fetch, live_server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("guarded"), STREAMLIT_SERVER_ENABLE_AGENT_API="true") as running:
        yield running


def test_every_route_answers_every_method_with_every_header(server: LiveServer) -> None:
    asked = [
        (one.address or "/", method)
        for one in served()
        for method in one.methods or ("GET",)
        if "Socket" not in one.kind
    ]
    asked += [
        (path, "GET")
        for path in ("/", "/inspect", "/nothing.png", "/augviz/nothing", "/..%2f", "//x", "/static/js/x.js")
    ]
    asked += [(path, method) for path in ("/", "/augviz/nothing", "/augviz/picture/x/quick.jpg") for method in UNSAFE]
    naked = {(path, method) for path, method in asked if not is_dressed(fetch(server.url + path, ME, method))}

    assert len(asked) > 50
    assert naked == set()


def test_pages_files_and_refusals_have_every_header(server: LiveServer) -> None:
    page = fetch(server.url)
    scripts = re.findall(r'"\./(static/[^"]+)"', page.body.decode())
    replies = [page, fetch(picture_of(server.url, **ME), ME), fetch(picture_of(server.url, **ME), YOU)]
    replies += [fetch(f"{server.url}/{script}") for script in scripts]

    assert [reply.status for reply in replies[:3]] == [200, 200, 404]
    assert len(scripts) > 10
    assert all(is_dressed(reply) for reply in replies)
    assert replies[1].headers["cache-control"] == "private, max-age=3600, immutable"


def test_what_changes_something_is_refused_without_the_pages_token(server: LiveServer) -> None:
    changing = [one for one in served() if UNSAFE & set(one.methods) and "agent" not in one.address]
    replies = [
        fetch(server.url + one.address, {**ME, **more}, method)
        for one in changing
        for method in UNSAFE & set(one.methods)
        for more in ({}, {"Cookie": "_streamlit_xsrf=2|aa|bb|1"}, {"X-Xsrftoken": "2|aa|bb|1"})
    ]

    assert any("/augviz/upload/" in one.address for one in changing)
    assert {reply.status for reply in replies} == {403}


def test_no_other_sites_page_opens_a_socket(server: LiveServer) -> None:
    sockets = [one.address for one in served() if "Socket" in one.kind]
    own = server.url.replace("http", "ws")
    for path in sockets:
        with pytest.raises(InvalidStatus, match="403") as refused:
            connect(own + path, origin="http://elsewhere.example", additional_headers=ME)
        assert is_dressed(replied(refused.value))
        assert FOREIGN.encode() in replied(refused.value).body
        with connect(own + path, origin=server.url, additional_headers=ME):
            pass

    assert len(sockets) >= 2
    for path, who in (("/augviz/feed/x", {}), ("/augviz/nothing", ME), ("/nothing", ME)):  # no cookie; no such sockets
        with pytest.raises(InvalidStatus, match="403") as refused:
            connect(own + path, origin=server.url, additional_headers=who)
        assert is_dressed(replied(refused.value))
    assert "handshake" not in server.log.read_text()


def replied(error: InvalidStatus) -> Reply:
    """What a server answered that did not open a WebSocket."""
    answer = error.response
    return Reply(
        answer.status_code, {name.lower(): text for name, text in answer.headers.raw_items()}, answer.body or b""
    )


@pytest.mark.parametrize("can_say_why", [True, False])
def test_a_socket_that_fails_before_it_is_open_is_refused_with_the_incidents_sentence(can_say_why: bool) -> None:
    sent: list[Any] = []

    async def failing(_scope: object, _receive: object, _send: object) -> None:
        raise KeyError("a name")

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    extensions = {"websocket.http.response": {}} if can_say_why else {}
    scope = {"type": "websocket", "path": "/x", "headers": [], "extensions": extensions}
    asyncio.run(Guard(failing)(scope, receive, send))

    if can_say_why:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 500)
        assert b"a name" not in sent[1]["body"]
    else:
        assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize(
    "path", ["/augviz/nosuch", "/augviz/tile/a/1/-1/0", f"/augviz/tile/a/{'9' * 4999}/0/0", "/augviz/"]
)
def test_unknown_addresses_of_ours_are_not_found(server: LiveServer, path: str) -> None:
    replies = [fetch(server.url + path, ME, method) for method in ("GET", "HEAD", "POST")]

    assert {reply.status for reply in replies[:2]} == {404}
    assert replies[2].status in (404, 405)
    assert all(is_dressed(reply) for reply in replies)
    assert "incident" not in server.log.read_text()


def test_known_addresses_of_ours_say_which_methods_they_take(server: LiveServer) -> None:
    get, head = (fetch(f"{server.url}/augviz/upload/token", ME, method) for method in ("GET", "HEAD"))

    assert (get.status, get.headers["allow"], json.loads(get.body)) == (
        405,
        "PUT",
        {"error": "This address takes PUT only."},
    )
    assert (head.status, is_dressed(head)) == (405, True)


@pytest.mark.parametrize("room", ["augviz", "_stcore"])
@pytest.mark.parametrize("who", [{}, ME, {"Accept": "text/html"}], ids=["nobody", "a visitor", "a browser"])
def test_metrics_are_not_there_unless_they_are_on(server: LiveServer, room: str, who: dict[str, str]) -> None:
    paths = (f"/{room}/metrics", f"/{room}/metrics/", f"/{room}/metrics?families=session_events_total")
    replies = [fetch(server.url + path, who, method) for path in paths for method in ("GET", "OPTIONS", "HEAD")]

    assert {reply.status for reply in replies} == {404}
    assert NO_METRICS in replies[0].body.decode()


@pytest.mark.parametrize("path", ["/augviz/metrics", "/_stcore/metrics"])
def test_where_a_proxy_names_users_metrics_that_are_off_are_not_there_for_nobody_either(path: str) -> None:
    with serving([], [Middleware(Guard, base_path="lab", trusted_header="x-user")]) as url:
        replies = [fetch(f"{url}/lab{path}"), fetch(f"{url}/lab{path}", {"X-User": "ann"}), fetch(f"{url}/lab/")]

    assert [reply.status for reply in replies] == [404, 404, 403]


def test_a_page_of_one_visitor_shows_addresses_that_refuse_another(server: LiveServer) -> None:
    address = picture_of(server.url, **ME)

    assert fetch(address, ME).status == 200
    assert (fetch(address, YOU).status, fetch(address).status) == (404, 403)


def test_without_a_cookie_the_page_says_so_and_shows_nothing(server: LiveServer) -> None:
    shown = json.dumps(visit(server.url))

    assert visitors.NO_COOKIE in shown
    assert "/augviz/" not in shown


# The cookie


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page, a text and a file in a guard, below a base path."""
    file = tmp_path_factory.mktemp("small") / "page.html"
    file.write_text("<p>A page</p>")

    async def page(_request: Request) -> Response:
        return HTMLResponse("<p>A page</p>")

    async def text(_request: Request) -> Response:
        return PlainTextResponse("A text", headers={"Server": "small", "X-Frame-Options": "ALLOWALL"})

    async def kept(request: Request) -> Response:
        etag = FileResponse(file, stat_result=file.stat()).headers["etag"]
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return FileResponse(file)

    routes = [Route("/lab/page", page), Route("/lab/text", text), Route("/lab/kept", kept)]
    with serving(routes, [Middleware(Guard, base_path="lab", hsts_seconds=60)]) as url:
        yield f"{url}/lab"


def test_a_page_brings_the_cookie_once(small: str) -> None:
    first = fetch(f"{small}/page").headers["set-cookie"]
    match = re.fullmatch(rf"{COOKIE}=([\w-]{{32}}); Path=/lab; HttpOnly; SameSite=Lax; Secure", first)

    assert match is not None
    assert "set-cookie" not in fetch(f"{small}/page", {"Cookie": f"{COOKIE}={match[1]}"}).headers
    assert "set-cookie" in fetch(f"{small}/page", {"Cookie": f"{COOKIE}=forged"}).headers
    assert fetch(f"{small}/page").headers["set-cookie"] != first


def test_a_page_out_of_the_browsers_cache_brings_the_cookie_too(small: str) -> None:
    etag = fetch(f"{small}/kept").headers["etag"]
    reply = fetch(f"{small}/kept", {"If-None-Match": etag, "Accept": "text/html,*/*"})

    assert reply.status == 304
    assert reply.headers["set-cookie"].startswith(COOKIE)
    assert reply.headers["cache-control"] == "private, no-cache"


def test_what_is_no_page_brings_no_cookie(small: str) -> None:
    assert "set-cookie" not in fetch(f"{small}/text", {"Accept": "*/*"}).headers


def test_the_guards_headers_take_the_place_of_others(small: str) -> None:
    reply = fetch(f"{small}/text")

    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["strict-transport-security"] == "max-age=60"
    assert reply.headers.get("server") != "small"


def test_the_cookie_is_for_https_only_where_the_page_is() -> None:
    async def page(_request: Request) -> Response:
        return HTMLResponse("A page")

    with serving([Route("/", page)], [Middleware(Guard)]) as url:
        plain, proxied = fetch(url), fetch(url, {"X-Forwarded-Proto": "https"})

    assert "Secure" not in plain.headers["set-cookie"]
    assert proxied.headers["set-cookie"].endswith("; Secure")
    assert "strict-transport-security" not in plain.headers


def test_cookies_of_streamlit_are_for_https_only_too_where_the_page_is(server: LiveServer) -> None:
    plain = fetch(f"{server.url}/_stcore/health").headers["set-cookie"]
    proxied = fetch(f"{server.url}/_stcore/health", {"X-Forwarded-Proto": "https"}).headers["set-cookie"]

    assert plain.startswith("_streamlit_xsrf=")
    assert "Secure" not in plain
    assert proxied.startswith("_streamlit_xsrf=")
    assert proxied.endswith("; Secure")


def test_a_cookie_that_is_for_https_only_stays_as_it_is() -> None:
    async def page(_request: Request) -> Response:
        return PlainTextResponse("A text", headers={"Set-Cookie": "secure=secure; Path=/; secure"})

    with serving([Route("/", page)], [Middleware(Guard, hsts_seconds=60)]) as url:
        assert fetch(url).headers["set-cookie"] == "secure=secure; Path=/; secure"


def test_the_policy_allows_the_pages_own_inline_scripts_and_no_others() -> None:
    plain, one = policy_text("<script src='x'></script>"), policy_text("<p></p><script>one</script>")
    [scripts] = re.findall("script-src ([^;]*)", plain)

    assert plain == policy_text("")
    assert scripts == "'self' blob: 'wasm-unsafe-eval'"
    # printf one | openssl dgst -sha256 -binary | base64
    assert f"{scripts} 'sha256-dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0=';" in one
