"""The route that takes files, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string, validate_xsrf_token

from augviz import upload_routes
from augviz.uploads import Uploads
from tests.folders import below
from tests.live import serving, until


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    made = Uploads(tmp_path / "uploads", max_bytes=50_000_000, grace_seconds=100)
    yield made
    made.close()


@pytest.fixture
def host(uploads: Uploads) -> Iterator[str]:
    with serving(upload_routes.routes("lab", validate_xsrf_token, lambda: uploads)) as url:
        yield url.removeprefix("http://")


def put(host: str, token: str, body: bytes, name: str = "a.tif", **headers: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("PUT", f"/lab/augviz/upload/{token}?name={quote(name)}", body, headers or genuine())
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def genuine() -> dict[str, str]:
    """Headers of a page of ours: the token twice, once in the cookie that another site cannot read."""
    token = generate_xsrf_token_string()
    return {"Cookie": f"_streamlit_xsrf={token}", "X-Xsrftoken": token}


def test_a_file_is_sent_and_found(host: str, uploads: Uploads) -> None:
    token = uploads.open_session()
    status, told = put(host, token, b"pixels" * 1_000_000, name="größe/ünïcode.tif")
    [upload] = uploads.files(token)

    assert status == 200
    assert told == {"id": upload.id, "name": "ünïcode.tif", "file_bytes": 6_000_000}
    assert upload.path.read_bytes() == b"pixels" * 1_000_000


def test_another_sites_page_cannot_send(host: str, uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()
    forged = {**genuine(), "X-Xsrftoken": generate_xsrf_token_string()}
    for headers in ({"Accept": "*/*"}, {"Cookie": genuine()["Cookie"]}, forged):
        status, told = put(host, token, b"x", **headers)

        assert status == 403
        assert told == {"error": "This page has no right to send files; reload it."}
    assert below(tmp_path) == []


def test_a_guessed_session_is_refused(host: str) -> None:
    status, told = put(host, "guessed", b"x")

    assert (status, told) == (403, {"error": "This session has ended; reload the page."})


def test_a_file_over_the_limit_is_refused_before_it_is_sent(host: str, uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.putrequest("PUT", f"/lab/augviz/upload/{token}?name=big.tif")
    for name, value in {**genuine(), "Content-Length": str(60_000_000)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()  # though not a byte of the file has been sent

    assert answer.status == 413
    assert json.loads(answer.read()) == {"error": "big.tif: the file is larger than the limit of 50 MB."}
    assert below(tmp_path) == []


@pytest.mark.parametrize("sent", [0, 5_000_000])
def test_a_file_of_which_nothing_comes_any_more_is_given_up(uploads: Uploads, tmp_path: Path, sent: int) -> None:
    token = uploads.open_session()
    patience = {"idle_seconds": 0.5, "least_bytes": 6_000_000}
    with serving(upload_routes.routes("lab", validate_xsrf_token, lambda: uploads, **patience)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.putrequest("PUT", f"/lab/augviz/upload/{token}?name={quote('my slide.tif')}")
        for name, value in {**genuine(), "Content-Length": "20000000"}.items():
            connection.putheader(name, value)
        connection.endheaders(b"x" * sent)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()

    came = "only 5 MB of it came in" if sent else "nothing of it came for"
    assert answer.status == 408
    assert told == {"error": f"my slide.tif: {came} 500 ms, so it was ended; nothing was kept."}
    assert below(tmp_path) == []
    assert uploads.files(token) == ()


def test_a_file_that_comes_slowly_is_waited_for(uploads: Uploads) -> None:
    token = uploads.open_session()

    def slowly() -> Iterator[bytes]:
        for _ in range(6):
            time.sleep(0.2)
            yield b"x"

    patience = {"idle_seconds": 1, "least_bytes": 2}
    with serving(upload_routes.routes("lab", validate_xsrf_token, lambda: uploads, **patience)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        headers = {**genuine(), "Content-Length": "6"}
        connection.request("PUT", f"/lab/augviz/upload/{token}?name=a.tif", slowly(), headers)
        answer = connection.getresponse()
        connection.close()

    assert answer.status == 200


def test_a_file_that_trickles_is_given_up_and_the_room_for_it_is_free_again(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()
    patience = {"idle_seconds": 1, "least_bytes": 1000}
    with serving(upload_routes.routes("lab", validate_xsrf_token, lambda: uploads, **patience)) as url:
        name, port = url.removeprefix("http://").split(":")
        with socket.create_connection((name, int(port)), timeout=60) as raw:
            head = [f"PUT /lab/augviz/upload/{token}?name=a.tif HTTP/1.1", "Host: x", "Content-Length: 20000000"]
            head += [f"{header}: {value}" for header, value in genuine().items()]
            raw.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
            raw.settimeout(0.1)
            answer = b""
            while not answer:  # a byte now and then, each well within the time
                with contextlib.suppress(TimeoutError):
                    raw.sendall(b"x")
                    answer = raw.recv(4000)
        until(lambda: not below(tmp_path))

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"a.tif: only" in answer
    assert uploads.files(token) == ()


def test_a_broken_connection_leaves_nothing_behind(host: str, uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()
    name, port = host.split(":")
    with socket.create_connection((name, int(port)), timeout=60) as raw:
        head = [f"PUT /lab/augviz/upload/{token}?name=a.tif HTTP/1.1", f"Host: {host}", "Content-Length: 20000000"]
        head += [f"{key}: {value}" for key, value in genuine().items()]
        raw.sendall("\r\n".join([*head, "", ""]).encode() + b"x" * 5_000_000)
        until(lambda: any(path.stat().st_size > 1_000_000 for path in below(tmp_path)))
    until(lambda: below(tmp_path) == [])

    assert uploads.files(token) == ()
    assert put(host, token, b"again")[0] == 200
