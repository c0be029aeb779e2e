"""What nginx answers itself, and what it passes on: the security headers, each of them once."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from augviz.guarding import HEADERS, OWN_POLICY, Guard
from tests.live import Reply, free_port, serving
from tests.proxying import HOST, MISSING, Proxy, proxying

pytest.importorskip("yaml")  # reads compose.yaml; Dask brings it
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"there is no {MISSING} on this machine")

OWN = {
    **{name.lower(): value for name, value in HEADERS.items()},
    "content-security-policy": OWN_POLICY,
    "strict-transport-security": "max-age=31536000",
}
PLAIN = {name: value for name, value in OWN.items() if name != "strict-transport-security"}
SOCKET = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example"}


async def _answer(request: Request) -> Response:
    return PlainTextResponse("passed on", int(request.path_params["status"]))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("headers")
    route = Route("/lab/{status}", _answer, methods=["GET", "PUT"])
    guard = Middleware(Guard, page="<script>1</script>", base_path="lab", hsts_seconds=31536000)
    with (
        serving([route], [guard]) as url,
        proxying(folder, int(url.rsplit(":", 1)[1]), base_path="lab") as running,
    ):
        yield running


def told(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name in OWN}


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        *(("/", "GET", 404), ("/lab", "GET", 301), ("/lab/augviz/metrics", "GET", 404), ("/lab/200", "PUT", 413)),
        *(("/lab/_stcore/metrics", "GET", 404), ("/lab/200", "TRACE", 405), ("/lab/?" + "a" * 9000, "GET", 414)),
    ],
)
def test_what_nginx_answers_itself_has_every_header(proxy: Proxy, path: str, method: str, status: int) -> None:
    reply = proxy.ask(path, method, body=bytes(1_100_000) if method == "PUT" else None)

    assert (reply.status, told(reply)) == (status, OWN)
    assert b"nginx" in reply.body


def test_a_refused_socket_has_every_header(proxy: Proxy) -> None:
    reply = proxy.ask("/lab/200", headers=SOCKET)

    assert (reply.status, told(reply)) == (403, OWN)


def test_a_redirect_from_plain_http_and_another_name_have_every_header_for_plain_http(proxy: Proxy) -> None:
    redirected, other = proxy.ask("/lab/", plain=True), proxy.ask("/lab/", host="evil.example", plain=True)

    assert (redirected.status, told(redirected)) == (308, PLAIN)
    assert (other.status, told(other)) == (421, PLAIN)
    assert told(proxy.ask("/lab/", host="evil.example")) == PLAIN


@pytest.mark.parametrize("status", [200, 304, 404, 500, 503])
def test_what_is_passed_on_has_the_servers_headers_once(proxy: Proxy, status: int) -> None:
    reply = proxy.ask(f"/lab/{status}")
    policy = told(reply).pop("content-security-policy")

    assert reply.status == status
    assert told(reply) == {**OWN, "content-security-policy": policy}
    assert policy.count("default-src") == 1
    assert "script-src" in policy  # the page's own, not nginx'


def test_a_request_that_the_server_cannot_read_has_every_header(proxy: Proxy) -> None:
    reply = proxy.ask("/lab/200", headers={"Connection": "x", "X-Odd": "a" * 7000 + "\x7f"})

    assert told(reply).keys() == OWN.keys()


def test_a_request_that_nginx_cannot_read_has_every_header(proxy: Proxy) -> None:
    trusting = ssl.create_default_context(cafile=str(proxy.folder / "certificate.pem"))
    with (
        socket.create_connection(("127.0.0.1", proxy.port)) as raw,
        trusting.wrap_socket(raw, server_hostname=HOST) as safe,
    ):
        safe.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: x\r\n\r\n".encode())
        answer = safe.recv(9000).decode().lower()

    assert answer.startswith("http/1.1 400")
    assert all(answer.count(f"\r\n{name}: {value.lower()}\r\n") == 1 for name, value in PLAIN.items())


def test_while_no_server_is_there_the_proxys_answer_has_every_header(tmp_path: Path) -> None:
    with proxying(tmp_path, free_port(), base_path="lab") as alone:
        reply = alone.ask("/lab/")

    assert (reply.status, told(reply)) == (502, OWN)


def test_without_a_time_for_https_nginx_does_not_start(tmp_path: Path) -> None:
    changed = {"${AUGVIZ_HSTS_SECONDS}": "${AUGVIZ_NOT_EXPORTED}"}
    with pytest.raises(RuntimeError, match="unknown"), proxying(tmp_path, 9, changed=changed):
        pass
