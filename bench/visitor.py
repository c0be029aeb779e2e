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

# Not public, in Streamlit 1.67: what a component's script calls a trigger of its own.
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

WAIT_SECONDS = 60
QUIET_SECONDS = 0.3
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
        widgets: (id, fragment id) of each widget with a key that is on the page, by the end of its id.
        fresh: those of them that the latest run has brought so far.
        query: of the address, after the "?".
        parts: what each other component of ours was told last, by its name.
        links: addresses of the links that look like buttons, by their words, since they were last cleared.
        said: errors, warnings and notes that the page has shown, since they were last cleared.
        failed: what Streamlit has shown of exceptions that nobody caught.
        script: Streamlit's name of the page.
        values: what widgets have been set to, by their ids.
    """

    url: str
    page: ClientConnection
    feed: ClientConnection | None = None
    cookies: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    widgets: dict[str, tuple[str, str]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    query: str = ""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    script: str = ""
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, widget: str = "", **value: Any) -> None:
        """Ask for a run of the page, of the widget's fragment where one has changed. Does not wait."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.script
        if widget:
            if widget not in self.widgets:  # a run that followed another one is still on its way
                self.until_run()
            identity, message.rerun_script.fragment_id = self.widgets[widget]
            self.values[identity] = value
        for identity, told in self.values.items():  # as a browser does, which sends them all
            state = message.rerun_script.widget_states.widgets.add()
            state.id = identity
            for name, one in told.items():
                if isinstance(one, list):
                    getattr(state, name).data.extend(one)
                else:
                    setattr(state, name, one)
        self.values = {one: told for one, told in self.values.items() if not any("trigger" in name for name in told)}
        self.page.send(message.SerializeToString())

    def act(self, widget: str, **value: Any) -> None:
        """Use a widget, and wait for the runs that follow."""
        self.catch_up()
        self.run(widget, **value)
        self.until_quiet()

    def tell(self, component: str, event: str, value: Any) -> None:
        """Have a component of ours tell the page something once, and wait for the run that follows."""
        identity, fragment = self.widgets[component]
        self.widgets[event] = (_make_trigger_id(identity, "events"), fragment)
        self.act(event, json_trigger_value=json.dumps([{"event": event, "value": value}]))

    def go(self, page: str = "") -> None:
        """Go to a page by its address; "" is Explore. The query stays."""
        message = BackMsg()
        message.rerun_script.query_string, message.rerun_script.page_name = self.query, page
        self.catch_up()
        self.values.clear()  # a browser forgets what is not on the page that it shows
        self.page.send(message.SerializeToString())
        self.until_quiet()

    def until_run(self) -> None:
        """Take in what the page sends until a run has ended, and say that it is shown."""
        end = time.monotonic() + WAIT_SECONDS
        while not self._hear(end - time.monotonic()):
            pass
        if not self.data:
            return
        if self.feed is None:
            address = f"{self.url.replace('http', 'ws', 1)}/augviz/feed/{self.data['session']}"
            self.feed = connect(address, additional_headers={"Cookie": self.cookies}, ping_interval=None).__enter__()
        self.feed.send(json.dumps({"seen": self.data["version"]}))

    def until_quiet(self) -> None:
        """The same, with all runs that follow from it."""
        self.until_run()
        with contextlib.suppress(TimeoutError):
            while True:
                self._hear(QUIET_SECONDS)

    def catch_up(self) -> None:
        """Take in what has come since the last run, on both connections."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._hear(0)
        with contextlib.suppress(TimeoutError):
            while self.feed is not None:
                self.feed.recv(0)

    def _hear(self, seconds: float) -> bool:
        """Take in one message of the page; whether it tells that a run has ended. Raises TimeoutError."""
        message = ForwardMsg.FromString(self.page.recv(max(0.0, seconds)))
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.fresh.clear()
        elif kind == "delta":
            self._take(message.delta)
        elif kind == "navigation":
            self.script = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif (
            kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
        ):  # of the whole page
            self.widgets = {name: self.widgets[name] for name in self.fresh}
        return kind == "script_finished" and message.script_finished != _BEFORE_ANOTHER

    def told(self) -> dict[str, Any]:
        """Wait until the feed tells of another picture."""
        assert self.feed is not None
        while (data := json.loads(self.feed.recv(WAIT_SECONDS)))["key"] == self.data["key"]:
            pass
        self.data = data
        return data

    def picture(self, quality: str, side: int, until: float = math.inf) -> bool:
        """Ask for the picture and wait for it; whether it has come. At `until`, a monotonic time, it is given up."""
        answer = self.answer(quality, side, until)
        return answer is not None and answer[0] == 200 and bool(answer[1])

    def answer(self, quality: str, side: int, until: float = math.inf) -> tuple[int, bytes] | None:
        """The answer to a request for the picture, status and body; None where it has not come by `until`."""
        asked = urlencode({"side": side, "session": self.data["session"], "topic": "main"})
        seconds = min(WAIT_SECONDS, until - time.monotonic())
        if seconds <= 0:
            return None
        try:
            return self.ask("GET", f"/augviz/picture/{self.data['key']}/{quality}.jpg?{asked}", seconds=seconds)
        except TimeoutError:
            return None

    def ask(
        self, method: str, address: str, body: bytes | None = None, seconds: float = WAIT_SECONDS
    ) -> tuple[int, bytes]:
        """Send a request as this visitor, with the right to send files; status and body. Raises OSError."""
        host, token = urlsplit(self.url), generate_xsrf_token_string()
        headers = {"Cookie": f"{self.cookies}; _streamlit_xsrf={token}", "X-Xsrftoken": token}
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=seconds)
        try:
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _take(self, delta: Delta) -> None:
        if delta.WhichOneof("type") == "add_block":
            self._name(delta.add_block.tab_container.id, delta.fragment_id)
            self._name(delta.add_block.popover.id, delta.fragment_id)
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type") or "empty"
        element = getattr(delta.new_element, kind)
        self._name(str(getattr(element, "id", "")), delta.fragment_id)
        name = str(getattr(element, "component_name", ""))
        if name.endswith(COMPONENT):
            self.data = json.loads(element.json)
        elif name:
            self.parts[name.rsplit(".", 1)[-1]] = json.loads(element.json or "{}")
            self._keep(name.rsplit(".", 1)[-1], element.id, delta.fragment_id)
        elif kind == "link_button":
            self.links[element.label] = element.url
        elif kind == "alert":
            self.said.append(element.body)
        elif kind == "exception":
            self.failed.append(f"{element.type}: {element.message}")

    def _name(self, identity: str, fragment: str) -> None:
        if identity.startswith("$$"):
            self._keep(identity.split("-", 2)[-1], identity, fragment)

    def _keep(self, name: str, identity: str, fragment: str) -> None:
        self.widgets[name] = (identity, fragment)
        self.fresh.add(name)


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
