"""Who asks, and that an address answers to nobody else."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string, validate_xsrf_token

from augviz import recipes, result_routes, tile_routes, upload_routes, visitors, web
from augviz.answers import Answers
from augviz.guarding import Guard
from augviz.recipes import Recipe, Recipes, recipe_of, register
from augviz.settings import get_settings
from augviz.uploads import Uploads
from augviz.visitors import COOKIE, HEADER, new_token, token_of, user_of, visitor_of
from augviz.workers import Pool
from tests.live import fetch, serving

ME, YOU = new_token(), new_token()
ROTATE = {"id": "a1", "transform": "echo", "args": {}}
KINDS = (
    "picture/{}/quick.jpg",
    "report/{}.json",
    "thumb/{}.jpg",
    "sheet/{}.png",
    "tile/{}/0/0/0",
    "probe/{}.json?x=0&y=0",
)


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"other=1; {COOKIE}={token}"}


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    made = Uploads(tmp_path_factory.mktemp("kept") / "uploads", max_bytes=10**6, grace_seconds=100)
    yield made
    made.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gets a line for each picture that is really made."""
    return tmp_path_factory.mktemp("log") / "made"


@pytest.fixture(scope="module")
def url(uploads: Uploads) -> Iterator[str]:
    """Our routes in their guard; the pictures are functions of `worker_tasks`."""
    pool = Pool(render_workers=1, seconds=60, tasks="tests.worker_tasks")
    answers = Answers(pool)
    mine = [
        *web.routes("lab", lambda: answers),
        *tile_routes.routes("lab", lambda: answers),
        *result_routes.routes("lab", lambda: answers, lambda: uploads),
        *upload_routes.routes("lab", validate_xsrf_token, lambda: uploads),
    ]
    with serving(mine, [Middleware(Guard, base_path="lab")]) as address:
        yield f"{address}/lab/augviz"
    pool.close()


def recipe(log: Path | None = None) -> Recipe:
    step = {**ROTATE, "args": {"log": str(log)} if log else {}}
    return recipe_of("a.tif", {"format": 1, "steps": [step]})


def test_a_picture_answers_to_its_visitor(url: str) -> None:
    key = register(recipe(), visitor_of(ME))

    assert fetch(f"{url}/picture/{key}/quick.jpg", cookie(ME)).status == 200
    assert fetch(f"{url}/picture/{key}/quick.jpg", {HEADER: ME}).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_anothers_address_reads_what_an_unknown_one_answers(url: str, kind: str) -> None:
    key = register(recipe(), visitor_of(ME))
    theirs, unknown = (fetch(f"{url}/{kind.format(asked)}", cookie(YOU)) for asked in (key, "0" * 24))

    assert (theirs.status, theirs.body) == (unknown.status, unknown.body)
    assert theirs.status == 404
    assert b"reload the page" in theirs.body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "headers", [{}, {"Cookie": "other=1"}, cookie("short"), cookie("x" * 65), {HEADER: "a b" * 10}]
)
def test_without_a_cookie_an_address_answers_with_one_sentence(url: str, kind: str, headers: Mapping[str, str]) -> None:
    key = register(recipe())
    reply = fetch(f"{url}/{kind.format(key)}", headers)

    assert reply.status == 403
    assert json.loads(reply.body) == {"error": visitors.NO_COOKIE}


def test_a_key_with_any_character_changed_is_unknown(url: str) -> None:
    key = register(recipe(), visitor_of(ME))
    changed = [f"{key[:at]}{'1' if key[at] == '0' else '0'}{key[at + 1 :]}" for at in range(len(key))]

    assert {fetch(f"{url}/picture/{one}/quick.jpg", cookie(ME)).status for one in changed} == {404}
    for kind in (key[:-1], f"{key}0", key.upper() if key != key.upper() else key.lower(), ""):
        assert fetch(f"{url}/picture/{kind}/quick.jpg", cookie(ME)).status == 404


def test_visitors_with_their_own_addresses_share_one_rendering(url: str, log: Path) -> None:
    asked = recipe(log)
    mine, yours = (register(asked, visitor_of(token)) for token in (ME, YOU))
    first = fetch(f"{url}/picture/{mine}/quick.jpg", cookie(ME))
    second = fetch(f"{url}/picture/{yours}/quick.jpg", cookie(YOU))

    assert mine != yours
    assert (first.status, second.status, first.body) == (200, 200, second.body)
    assert log.read_text() == "quick\n"


def put(url: str, token: str, whose: str) -> tuple[int, dict[str, object]]:
    xsrf = generate_xsrf_token_string()
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=60)
    headers = {"Cookie": f"{COOKIE}={whose}; _streamlit_xsrf={xsrf}", "X-Xsrftoken": xsrf}
    connection.request("PUT", f"/{path}/upload/{token}?name=a.tif", b"pixels", headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def test_a_file_is_sent_to_ones_own_session_only(url: str, uploads: Uploads) -> None:
    session = uploads.open_session(visitor_of(ME))

    assert (
        put(url, session, YOU)
        == put(url, "unknown", YOU)
        == (403, {"error": "This session has ended; reload the page."})
    )
    assert uploads.files(session) == ()
    assert put(url, session, ME)[0] == 200


def test_a_file_that_was_made_is_fetched_by_its_visitor_only(url: str, uploads: Uploads) -> None:
    session = uploads.open_session(visitor_of(ME))
    file_id, path = uploads.place(session, "result.npy")
    path.write_bytes(b"values")
    uploads.adopt(session, file_id)
    address = f"{url}/file/{session}/{file_id}"
    theirs, unknown = fetch(address, cookie(YOU)), fetch(f"{url}/file/{session}x/{file_id}", cookie(YOU))

    assert (theirs.status, theirs.body) == (unknown.status, unknown.body)
    assert theirs.status == 404
    assert fetch(address, cookie(ME)).body == b"values"


# Names


def test_a_visitor_is_named_by_browser_and_user() -> None:
    names = {
        visitor_of(ME),
        visitor_of(YOU),
        visitor_of(ME, "ann"),
        visitor_of(ME, "", "ann"),
        visitor_of(ME, "ann", "ann"),
    }

    assert len(names) == 5
    assert visitor_of("", "ann") == ""
    assert not any(ME in name or "ann" in name for name in names)


@given(st.text(max_size=80))
def test_only_a_token_of_the_right_shape_counts(text: str) -> None:
    is_token = 22 <= len(text) <= 64 and all(c.isascii() and (c.isalnum() or c in "-_") for c in text)

    assert token_of({COOKIE: text}, {}) == (text if is_token else "")
    assert token_of({COOKIE: text}, {HEADER: ME}) == (text if is_token else ME)


def test_servers_with_one_secret_give_a_recipe_one_key() -> None:
    one, other, third = Recipes(secret=b"s" * 32), Recipes(secret=b"s" * 32), Recipes(secret=b"t" * 32)
    asked = recipe()

    assert one.register(asked, "me") == other.register(asked, "me")
    assert one.register(asked, "me") not in (one.register(asked, "you"), third.register(asked, "me"))


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"is_logged_in": True, "sub": "7", "email": "a@example.org"}, "7"),
        ({"is_logged_in": True, "email": "a@example.org"}, "a@example.org"),
        ({"is_logged_in": False, "sub": "7"}, ""),
        ({"is_logged_in": "yes", "sub": "7"}, ""),
        ({"sub": "7"}, ""),
        ({}, ""),
    ],
)
def test_a_user_is_who_the_provider_says_has_signed_in(claims: dict[str, object], user: str) -> None:
    assert user_of(claims) == user


def test_visitors_who_come_first_and_together_are_signed_by_one_secret_and_find_their_pictures() -> None:
    """With a secret or a table of keys for each of them, all but one would be refused their own pictures."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(20):
            for made_once in (visitors.secret, recipes._server_table, visitors.visitor_of, get_settings):
                made_once.cache_clear()
            with ThreadPoolExecutor(8) as threads:
                together = Barrier(8)

                def come(seed: int, together: Barrier = together) -> tuple[str, str]:
                    together.wait()
                    visitor = visitors.visitor_of("m" * 32)
                    return visitor, recipes.register(Recipe("a.tif", "", "{}", seed), visitor)

                found = list(threads.map(come, range(8)))

            assert len({visitor for visitor, _ in found}) == 1, number
            assert [recipes.lookup(key, visitor) is not None for visitor, key in found] == [True] * 8
    finally:
        sys.setswitchinterval(interval)
        get_settings.cache_clear()
