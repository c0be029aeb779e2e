"""How the tests look at the running server as a whole: all that it serves, a visit without a browser, the headers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from augviz.guarding import HEADERS
from augviz.visitors import HEADER
from tests.live import ROOT, Reply

ME, YOU = {HEADER: "m" * 32}, {HEADER: "y" * 32}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}

LIST_ROUTES = """
import json, app
def walk(routes, prefix=""):
    for route in routes:
        yield prefix + route.path, sorted(getattr(route, "methods", None) or []), type(route).__name__
        yield from walk(getattr(route, "routes", None) or [], prefix + route.path)
print("ROUTES" + json.dumps(list(walk(app.app._build_starlette_app().routes))))
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A route of the server.

    Attributes:
        address: its path, with something in the place of its parameters.
        methods: empty for WebSockets and mounted apps.
        kind: name of Starlette's class.
    """

    address: str
    methods: tuple[str, ...]
    kind: str


@lru_cache(maxsize=1)
def served() -> tuple[Served, ...]:
    """All that the app serves, ours and Streamlit's, from the app itself."""
    run = subprocess.run(
        [sys.executable, "-c", LIST_ROUTES], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    listed = json.loads(run.stdout.rsplit("ROUTES", 1)[1])
    numbered = re.compile(r"\{\w+:int\}")
    return tuple(
        Served(re.sub(r"\{[^}]*\}", "x", numbered.sub("0", path)), tuple(methods), kind)
        for path, methods, kind in listed
    )


def is_dressed(reply: Reply) -> bool:
    """Whether a response has every header, once, and does not name the server's program."""
    wanted = {name.lower(): value for name, value in HEADERS.items()}
    policy = reply.headers.get("content-security-policy", "")
    has_all = all(reply.headers.get(name) == value for name, value in wanted.items())
    return (
        has_all
        and "default-src 'none'" in policy
        and "frame-ancestors 'none'" in policy
        and "server" not in reply.headers
    )


def visit(url: str, **headers: str) -> dict[str, Any]:
    """Run the first page without a browser."""
    request = urllib.request.Request(
        f"{url}/_stcore/agent/interact", b"{}", {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.loads(response.read())
    return found


def picture_of(url: str, **headers: str) -> str:
    """The address of a picture on the first page of a visitor."""
    return url + re.findall(r"/[\w/]*augviz/(?:picture|thumb)/[^\"'\\ &]+", json.dumps(visit(url, **headers)))[0]
