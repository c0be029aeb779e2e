"""Addresses below ours where there is nothing: said in a sentence, never Streamlit's page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from augviz import nowhere
from tests.live import fetch, serving

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")


async def _page(_request: Request) -> Response:
    return PlainTextResponse("The page")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    ours = [Route("/lab/augviz/file/{id}", _page, methods=["PUT"]), Route("/lab/augviz/picture", _page)]
    with serving([*ours, *nowhere.routes("lab", ours), Mount("/lab", routes=[Route("/{path:path}", _page)])]) as served:
        yield f"{served}/lab"


@pytest.mark.parametrize("path", ["/augviz/", "/augviz/nothing", "/augviz/file", "/augviz/file/a/b", "/augviz/%2f"])
@pytest.mark.parametrize("method", METHODS)
def test_where_there_is_no_route_there_is_nothing(url: str, path: str, method: str) -> None:
    reply = fetch(url + path, method=method)

    assert reply.status == 404
    assert method == "HEAD" or nowhere.NO_ADDRESS.encode() in reply.body
    assert (reply.headers["cache-control"], "allow" in reply.headers) == ("no-store", False)


def test_a_route_says_which_methods_it_takes(url: str) -> None:
    wrong = {method: fetch(f"{url}/augviz/file/a", method=method) for method in METHODS if method != "PUT"}
    picture = fetch(f"{url}/augviz/picture", {"Accept": "text/html"}, "POST")

    assert {(reply.status, reply.headers["allow"]) for reply in wrong.values()} == {(405, "PUT")}
    assert (picture.status, picture.headers["allow"], picture.body) == (
        405,
        "GET, HEAD",
        b"This address takes GET and HEAD only.",
    )


def test_what_is_there_is_served(url: str) -> None:
    assert fetch(f"{url}/augviz/file/a", method="PUT").body == b"The page"
    assert fetch(f"{url}/augviz/picture").body == b"The page"
    assert fetch(f"{url}/augvizzy/").body == b"The page"
