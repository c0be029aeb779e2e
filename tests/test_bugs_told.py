"""What a visitor and the log of a running server read of bugs in pages and routes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.guarded import ME, is_dressed, visit
from tests.live import LiveServer, fetch, live_server, until


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(
        tmp_path_factory.mktemp("failing"), script="tests/failing_app.py", STREAMLIT_SERVER_ENABLE_AGENT_API="true"
    ) as running:
        yield running


def test_a_bug_in_a_page_shows_an_id_that_the_log_has(failing: LiveServer) -> None:
    shown = json.dumps(visit(failing.url, **ME))
    [found] = re.findall(r"as incident ([0-9a-f]{8})\.", shown)
    until(lambda: f"incident {found}, a page" in failing.log.read_text())

    assert not any(word in shown for word in ("patient-47", "KeyError", "ValueError", "Traceback", ".py"))


@pytest.mark.parametrize(
    ("path", "accept"), [("/augviz/fail", "*/*"), ("/fail", "text/html"), ("/augviz/fail", "image/png")]
)
def test_a_bug_in_a_route_shows_an_id_in_a_response_with_every_header(
    failing: LiveServer, path: str, accept: str
) -> None:
    reply = fetch(failing.url + path, {**ME, "Accept": accept})

    assert reply.status == 500
    assert is_dressed(reply)
    assert b"patient" not in reply.body
    assert ("image" in accept) or re.search(rb"as incident [0-9a-f]{8}\.", reply.body)


def test_the_log_of_bugs_names_places_and_no_names(failing: LiveServer) -> None:
    visit(failing.url, **ME)
    fetch(f"{failing.url}/fail", ME)
    with (
        connect(f"{failing.url.replace('http', 'ws')}/augviz/socket", additional_headers=ME) as socket,
        pytest.raises(ConnectionClosed),
    ):
        socket.recv(10)
    until(lambda: "a request (websocket)" in failing.log.read_text())
    log = failing.log.read_text()

    assert re.search(r"KeyError < tests/failing_app\.py:\d+ in fail", log)
    assert "patient" not in log
