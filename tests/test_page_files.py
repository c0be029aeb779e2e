"""Files that pages hold in the server's memory: whose they are, how many and how large."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from augviz import page_files
from augviz.guarding import Guard
from augviz.page_files import SERVER_FILES, VISITOR_FILES, PageFiles
from augviz.ui.page_store import PageStore
from augviz.visitors import HEADER, new_token
from tests.guarded import is_dressed
from tests.live import LiveServer, Reply, live_server, serving, until

MAX_BYTES = 100


class Kept(PageStore):
    """Streamlit's own memory of files, with sessions that are named after their visitors: "TOKEN.1"."""

    def __init__(self) -> None:
        self.memory = MemoryUploadedFileManager("")
        self.ended: set[str] = set()

    def token_of(self, session: str) -> str:
        return "" if session in self.ended else session.split(".")[0]

    def _files(self) -> MemoryUploadedFileManager:
        return self.memory

    def ids(self, token: str) -> set[str]:
        return {
            name for session, held in self.memory.file_storage.items() if session.startswith(token) for name in held
        }

    def count(self) -> int:
        return sum(map(len, self.memory.file_storage.values()))


@dataclass(frozen=True, slots=True)
class Small:
    """The middleware alone, before a route that keeps as Streamlit's does."""

    url: str
    kept: Kept

    def send(self, token: str, name: str, body: bytes = b"text", session: str = "1", method: str = "PUT") -> Reply:
        return ask(f"{self.url}/lab/_stcore/upload_file/{token}.{session}/{name}", method, {HEADER: token}, body)


@contextlib.contextmanager
def small(**given: float) -> Iterator[Small]:
    kept = Kept()

    async def keep(request: Request) -> Response:
        session, name = request.path_params["session"], request.path_params["name"]
        if request.method == "DELETE":
            kept.memory.remove_file(session, name)
            return Response(status_code=204)
        kept.memory.add_file(session, UploadedFileRec(name, name, "text/plain", await request.body()))
        if name.startswith("last"):
            kept.ended.add(session)
        return Response(status_code=204)

    route = Route("/lab/_stcore/upload_file/{session}/{name}", keep, methods=["PUT", "DELETE", "OPTIONS"])
    files = Middleware(PageFiles, store=kept, max_bytes=MAX_BYTES, base_path="lab", **given)
    with serving([route], [Middleware(Guard, base_path="lab"), files]) as url:
        yield Small(url, kept)


def ask(url: str, method: str, headers: dict[str, str], body: bytes | None = None) -> Reply:
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.netloc, timeout=60)
    try:
        connection.request(method, at.path, body, headers)
        response = connection.getresponse()
        return Reply(response.status, {name.lower(): text for name, text in response.getheaders()}, response.read())
    finally:
        connection.close()


def test_a_file_arrives_as_it_was_sent() -> None:
    me = new_token()
    with small() as served:
        replies = [served.send(me, "a", bytes(MAX_BYTES)), served.send(me, "b", b"")]
        [first, second] = served.kept.memory.get_files(f"{me}.1", ["a", "b"])

    assert [reply.status for reply in replies] == [204, 204]
    assert (first.data, second.data) == (bytes(MAX_BYTES), b"")


def test_of_more_files_of_a_visitor_the_oldest_go() -> None:
    me, you = new_token(), new_token()
    with small() as served:
        served.send(you, "yours")
        for number in range(VISITOR_FILES + 2):
            assert served.send(me, f"f{number}", session=str(number % 2)).status == 204
        held = served.kept.ids(me)

        assert held == {f"f{number}" for number in range(2, VISITOR_FILES + 2)}
        assert served.kept.ids(you) == {"yours"}


def test_files_that_are_deleted_or_whose_session_has_ended_count_no_more() -> None:
    me = new_token()
    with small() as served:
        for number in range(VISITOR_FILES - 1):
            served.send(me, f"f{number}", session="gone" if number else "1")
        served.send(me, "f0", method="DELETE")
        served.kept.memory.remove_session_files(f"{me}.gone")
        for number in range(VISITOR_FILES):
            served.send(me, f"g{number}")

        assert served.kept.ids(me) == {f"g{number}" for number in range(VISITOR_FILES)}


def test_all_visitors_together_have_a_limit_which_is_said() -> None:
    with small() as served:
        for number in range(SERVER_FILES):
            assert served.send(new_token(), f"f{number}").status == 204
        full = served.send(new_token(), "more")
        served.kept.memory.remove_session_files(next(iter(served.kept.memory.file_storage)))

        assert (full.status, b"as many files as it can" in full.body) == (503, True)
        assert served.send(new_token(), "more").status == 204
        assert served.kept.count() == SERVER_FILES


def test_a_full_server_still_takes_a_visitors_new_file_for_their_old_one() -> None:
    me = new_token()
    with small() as served:
        for number in range(VISITOR_FILES):
            served.send(me, f"f{number}")
        for number in range(SERVER_FILES - VISITOR_FILES):
            served.send(new_token(), f"g{number}")

        assert served.send(me, "new").status == 204
        assert served.kept.count() == SERVER_FILES


def test_a_file_over_the_limit_is_refused() -> None:
    me = new_token()
    with small() as served:
        reply = served.send(me, "a", bytes(MAX_BYTES + 1))

        assert (reply.status, b"larger than the limit of 100 B" in reply.body) == (413, True)
        assert served.kept.count() == 0


def test_a_file_without_its_size_is_not_read() -> None:
    me = new_token()
    with small() as served:
        at = urlsplit(served.url)
        with socket.create_connection((at.hostname or "", at.port or 0)) as raw:
            path = f"/lab/_stcore/upload_file/{me}.1/a"
            raw.sendall(
                f"PUT {path} HTTP/1.1\r\nHost: x\r\n{HEADER}: {me}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            answer = raw.recv(4000)

    assert answer.startswith(b"HTTP/1.1 411")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_who_knows_the_name_of_anothers_session_neither_sends_nor_deletes(method: str) -> None:
    me, you = new_token(), new_token()
    with small() as served:
        served.send(me, "mine")
        address = f"{served.url}/lab/_stcore/upload_file/{me}.1/mine"
        replies = [ask(address, method, headers, b"x") for headers in ({HEADER: you}, {})]

        assert [reply.status for reply in replies] == [403, 403]
        assert [one.data for one in served.kept.memory.get_files(f"{me}.1", ["mine"])] == [b"text"]


def trickled(url: str, token: str, name: str) -> socket.socket:
    """A file of which only a part is sent."""
    at = urlsplit(url)
    raw = socket.create_connection((at.hostname or "", at.port or 0), timeout=60)
    head = f"PUT /lab/_stcore/upload_file/{token}.1/{name} HTTP/1.1\r\nHost: x\r\n{HEADER}: {token}\r\nContent-Length: 9\r\n"
    raw.sendall(f"{head}\r\npart".encode())
    return raw


def test_files_that_do_not_arrive_are_given_up() -> None:
    me = new_token()
    with small(body_seconds=0.5) as served, trickled(served.url, me, "a") as raw:
        answer = raw.recv(4000)

        assert answer.startswith(b"HTTP/1.1 408")
        assert served.kept.count() == 0


def test_a_visitor_sends_only_so_many_at_once_and_those_that_break_off_leave_room() -> None:
    me = new_token()
    with small() as served:
        with contextlib.ExitStack() as opened:
            for number in range(VISITOR_FILES):
                opened.enter_context(trickled(served.url, me, f"f{number}"))
            until(lambda: served.send(me, "more").status == 429)

            assert served.send(new_token(), "yours").status == 204
        until(lambda: served.send(me, "more").status == 204)

        assert served.kept.ids(me) == {"more"}


def test_a_file_whose_session_ended_meanwhile_does_not_stay() -> None:
    me = new_token()
    with small() as served:
        served.send(me, "last")

        assert served.kept.memory.file_storage == {}


def test_everything_else_passes() -> None:
    me = new_token()
    with small() as served:
        reply = ask(f"{served.url}/lab/_stcore/upload_file/x/y", "OPTIONS", {HEADER: me})

    assert reply.status == 204


def test_what_comes_after_a_replayed_body_is_heard() -> None:
    later = deque([{"type": "http.disconnect"}])

    async def receive() -> dict[str, str]:
        return later.popleft()

    replaying = page_files._replayed(b"x", receive)
    heard = [asyncio.run(replaying()) for _ in range(2)]

    assert [one["type"] for one in heard] == ["http.request", "http.disconnect"]


# The running server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("page_files"), AUGVIZ_LOG_FORMAT="json") as running:
        yield running


@dataclass(frozen=True, slots=True)
class Page:
    """A visitor's page without a browser, whose first run has ended."""

    server: LiveServer
    session: str
    headers: dict[str, str]

    def send(self, name: str, data: bytes, method: str = "PUT", **more: str) -> Reply:
        head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.py"\r\nContent-Type: text/plain\r\n\r\n'
        headers = {**self.headers, "Content-Type": "multipart/form-data; boundary=x", **more}
        address = f"{self.server.url}/_stcore/upload_file/{self.session}/{name}"
        return ask(address, method, headers, head + data + b"\r\n--x--\r\n")


@contextlib.contextmanager
def page_of(server: LiveServer) -> Iterator[Page]:
    xsrf = generate_xsrf_token_string()
    cookies = {"Cookie": f"augviz_visitor={new_token()}; _streamlit_xsrf={xsrf}"}
    at = f"{server.url.replace('http', 'ws')}/_stcore/stream"
    with connect(at, additional_headers=cookies, subprotocols=[Subprotocol("streamlit")], max_size=None) as opened:
        yield Page(server, _session(opened), {**cookies, "X-Xsrftoken": xsrf})


def _run_of(query: str) -> bytes:
    asked = BackMsg()
    asked.rerun_script.query_string = query
    return asked.SerializeToString()


def _session(opened: ClientConnection) -> str:
    session = ""
    opened.send(_run_of(""))
    while True:
        told = ForwardMsg()
        told.ParseFromString(opened.recv(60))  # type: ignore[arg-type]
        if told.WhichOneof("type") == "new_session":
            session = str(told.new_session.initialize.session_id)
        if session and told.WhichOneof("type") == "script_finished":
            return session


def test_a_page_sends_a_file_of_nearly_a_megabyte_and_deletes_it(server: LiveServer) -> None:
    with page_of(server) as page:
        assert page.send("a", bytes(1_040_000)).status == 204
        assert page.send("a", b"", "DELETE").status == 204


def test_a_hundred_megabytes_of_files_do_not_stay_in_memory(server: LiveServer) -> None:
    process = psutil.Process(server.pid)
    with page_of(server) as page:
        page.send("first", bytes(1_000_000))
        before = process.memory_info().rss
        statuses = {page.send(f"f{number}", bytes([number]) * 1_000_000).status for number in range(100)}
        grown = process.memory_info().rss - before

    assert statuses == {204}
    assert grown < 30_000_000


def test_a_message_that_no_page_sends_ends_its_connection(server: LiveServer) -> None:
    at, cookies = f"{server.url.replace('http', 'ws')}/_stcore/stream", {"Cookie": f"augviz_visitor={new_token()}"}
    with connect(at, additional_headers=cookies, subprotocols=[Subprotocol("streamlit")], max_size=None) as opened:
        _session(opened)
        with pytest.raises(ConnectionClosed):
            _sent(opened, _run_of("a" * 21_000_000))


def _sent(opened: ClientConnection, data: bytes) -> None:
    """Send a message and read on for as long as there are answers."""
    opened.send(data)
    with contextlib.suppress(TimeoutError):
        while True:
            opened.recv(5)


def test_larger_files_are_refused_in_a_sentence_and_logged(server: LiveServer) -> None:
    with page_of(server) as page:
        reply = page.send("large", bytes(1_100_000))

    assert (reply.status, b"larger than the limit" in reply.body, is_dressed(reply)) == (413, True, True)
    assert '"what": "page_file"' in server.log.read_text()


def test_another_visitors_session_and_an_unknown_one_are_refused_alike(server: LiveServer) -> None:
    with page_of(server) as mine, page_of(server) as yours:
        replies = [
            Page(server, session, yours.headers).send("a", b"x") for session in (mine.session, "nothing", yours.session)
        ]
        forged = yours.send("a", b"x", **{"X-Xsrftoken": "2|aa|bb|1"})

    assert [reply.status for reply in replies] == [403, 403, 204]
    assert replies[0].body == replies[1].body
    assert forged.status == 403
