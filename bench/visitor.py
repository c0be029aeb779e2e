"""A visitor of Explore without a browser: a real session of the app over its WebSockets, asking for pictures as the page does.

Browsers run on the visitors' machines, so what they take of the processor does not belong into a figure of the server.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

WAIT_SECONDS = 60
COMPONENT = "augviz_viewer"
_BEFORE_ANOTHER = ForwardMsg.FINISHED_EARLY_FOR_RERUN


@dataclass(slots=True)
class Visitor:
    """One session of the app; made by `visit`.

    Attributes:
        url: the server's.
        page: Streamlit's connection.
        feed: the connection that tells the viewer what to show; None until the first run has ended.
        cookies: what the server gave with its first answer, as a header.
        data: what the viewer was told last.
        widgets: (id, fragment id) of each widget that has a key, by the end of its id.
    """

    url: str
    page: ClientConnection
    feed: ClientConnection | None = None
    cookies: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    widgets: dict[str, tuple[str, str]] = field(default_factory=dict)
    query: str = ""

    def run(self, widget: str = "", **value: Any) -> None:
        """Ask for a run of the page, of the widget's fragment where one has changed. Does not wait."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        if widget:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, message.rerun_script.fragment_id = self.widgets[widget]
            for name, one in value.items():
                if isinstance(one, list):
                    getattr(state, name).data.extend(one)
                else:
                    setattr(state, name, one)
        self.page.send(message.SerializeToString())

    def until_run(self) -> None:
        """Take in what the page sends until a run has ended, and say that it is shown."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            message = ForwardMsg.FromString(self.page.recv(end - time.monotonic()))
            if message.WhichOneof("type") == "delta":
                self._take(message.delta)
            elif message.WhichOneof("type") == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif message.WhichOneof("type") == "script_finished" and message.script_finished != _BEFORE_ANOTHER:
                break
        if self.feed is None:
            address = f"{self.url.replace('http', 'ws', 1)}/augviz/feed/{self.data['session']}"
            self.feed = connect(address, additional_headers={"Cookie": self.cookies}, ping_interval=None)
        self.feed.send(json.dumps({"seen": self.data["version"]}))

    def told(self) -> dict[str, Any]:
        """Wait until the feed tells of another picture."""
        assert self.feed is not None
        while (data := json.loads(self.feed.recv(WAIT_SECONDS)))["key"] == self.data["key"]:
            pass
        self.data = data
        return data

    def picture(self, quality: str, side: int, until: float = math.inf) -> bool:
        """Ask for the picture and wait for it; whether it has come. At `until`, a monotonic time, it is given up."""
        asked = urlencode({"side": side, "session": self.data["session"], "topic": "main"})
        address, host = f"/augviz/picture/{self.data['key']}/{quality}.jpg?{asked}", urlsplit(self.url)
        seconds = min(WAIT_SECONDS, until - time.monotonic())
        if seconds <= 0:
            return False
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=seconds)
        try:
            connection.request("GET", address, headers={"Cookie": self.cookies})
            answer = connection.getresponse()
            return answer.status == 200 and bool(answer.read())
        except TimeoutError:
            return False
        finally:
            connection.close()

    def _take(self, delta: Delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        element = getattr(delta.new_element, delta.new_element.WhichOneof("type") or "empty")
        identity = str(getattr(element, "id", ""))
        if identity.startswith("$$"):
            self.widgets[identity.rsplit("-", 1)[1]] = (identity, delta.fragment_id)
        if getattr(element, "component_name", "").endswith(COMPONENT):
            self.data = json.loads(element.json)


@contextlib.contextmanager
def visit(url: str, query: str = "") -> Iterator[Visitor]:
    """Open the page at an address of Explore, and wait for its first run."""
    cookies = _cookies(url)
    with connect(
        f"{url.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=[Subprotocol("streamlit")],
        additional_headers={"Cookie": cookies},
        max_size=None,
        ping_interval=None,  # nobody reads between two runs
    ) as page:
        visitor = Visitor(url, page, cookies=cookies, query=query)
        visitor.run()
        visitor.until_run()
        try:
            yield visitor
        finally:
            if visitor.feed is not None:
                visitor.feed.close()


def _cookies(url: str) -> str:
    """The cookies that a browser has after it has loaded the page."""
    jar = CookieJar()
    with build_opener(HTTPCookieProcessor(jar)).open(url, timeout=WAIT_SECONDS) as answer:
        answer.read()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
