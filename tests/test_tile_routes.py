"""The routes of Inspect, asked over HTTP, with real workers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz.answers import Answers
from augviz.recipes import recipe_of, register
from augviz.tile_routes import LEAFLET_FILES, leaflet_folder, routes
from augviz.workers import Pool
from tests.live import Reply, asking, fetch, serving, until
from tests.samples import rgb

FLIP = {"transform": "HorizontalFlip", "p": 1.0}
FOREVER = {"transform": "MedianBlur", "p": 1.0, "args": {"blur_limit": [99, 99]}}


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    pool = Pool(render_workers=1, seconds=60)
    yield Answers(pool)
    pool.close()


@pytest.fixture(scope="module")
def url(answers: Answers) -> Iterator[str]:
    with serving(routes(answers=lambda: answers)) as address:
        yield f"{address}/augviz"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 x 200 pixels: at full size two tiles, the right one 44 pixels wide."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    rgb(300, 200).write_to_file(str(path))
    return path


def key_of(photo: Path, *steps: Any, seed: int = 0) -> str:
    identified = [{"id": f"s{number}", **step} for number, step in enumerate(steps)]
    return register(recipe_of(photo, {"format": 1, "steps": identified}, seed))


def told(reply: Reply) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(reply.body)
    return value


def test_a_full_size_tile_is_a_png_of_the_result_that_browsers_may_keep(url: str, photo: Path) -> None:
    key = key_of(photo, FLIP)
    reply = fetch(f"{url}/tile/{key}/0/1/0")
    seen = pyvips.Image.new_from_buffer(reply.body, "").numpy()

    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert reply.headers["cache-control"] == "private, max-age=3600, immutable"
    assert reply.headers["x-augviz-key"] == key
    assert told_meta(reply)["truth"] == "exact"
    assert np.array_equal(seen, rgb(300, 200).fliphor().numpy()[:, 256:])


def told_meta(reply: Reply) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads(reply.headers["x-augviz-meta"])
    return meta


def test_a_smaller_level_is_a_jpeg(url: str, photo: Path) -> None:
    reply = fetch(f"{url}/tile/{key_of(photo, FLIP)}/1/0/0")
    image = pyvips.Image.new_from_buffer(reply.body, "")

    assert (reply.status, reply.headers["content-type"]) == (200, "image/jpeg")
    assert (image.width, image.height) == (150, 100)


def test_the_bands_that_are_asked_for_are_shown(url: str, photo: Path) -> None:
    reply = fetch(f"{url}/tile/{key_of(photo)}/0/0/0?bands=3,2,1")
    seen = pyvips.Image.new_from_buffer(reply.body, "").numpy()

    assert np.array_equal(seen, rgb(300, 200).numpy()[:, :256, ::-1])


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("tile/{key}/2/0/0", 422, "level must lie within 0 and 1, got 2."),
        ("tile/{key}/0/2/0", 422, "The tile 2,0 must lie within 0,0 and 1,0 at level 0."),
        ("tile/{key}/0/0/0?bands=1,2", 422, "bands must be three numbers"),
        (f"tile/{{key}}/0/0/0?bands={'9' * 4999},1,2", 422, "bands must be three numbers"),
        ("tile/{key}/0/999999999/0", 422, "The tile 999999999,0 must lie within"),
        ("tile/nothing/0/0/0", 404, "not known any more"),
        ("probe/nothing.json?x=1&y=1", 404, "not known any more"),
        ("probe/{key}.json?x=1", 422, "x and y must be given."),
        ("probe/{key}.json?x=1&y=a", 422, "y must be a whole number"),
        (f"probe/{{key}}.json?x={'9' * 4999}&y=1", 422, "x must be a whole number"),
        (f"probe/{{key}}.json?x={'9' * 18}&y=1", 422, "must lie inside the result"),
        ("probe/{key}.json?x=300&y=0", 422, "The point 300,0 must lie inside the result, 300 x 200 pixels."),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(url: str, photo: Path, address: str, status: int, words: str) -> None:
    reply = fetch(f"{url}/{address.format(key=key_of(photo))}")

    assert reply.status == status
    assert words in told(reply)["error"]
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "numbers",
    [
        "a/0/0",
        "-1/0/0",
        "0/0",
        "0/1.5/0",
        f"{'9' * 4999}/0/0",
        f"0/{'9' * 4301}/0",
        f"0/0/{'1' * 10}",
        "%C2%B2/0/0",
        "%D9%A3/0/0",
    ],
)
def test_addresses_that_name_no_tile_are_not_found(url: str, photo: Path, numbers: str) -> None:
    assert fetch(f"{url}/tile/{key_of(photo)}/{numbers}").status == 404


def test_a_step_that_fails_is_named(url: str, photo: Path) -> None:
    reply = fetch(f"{url}/tile/{key_of(photo, {'transform': 'Crop', 'p': 1.0, 'args': {'x_max': 9000}})}/0/0/0")

    assert reply.status == 422
    assert (told(reply)["transform"], told(reply)["position"]) == ("Crop", 1)


def test_a_pixel_s_values_come_as_json(url: str, photo: Path) -> None:
    reply = fetch(f"{url}/probe/{key_of(photo, FLIP)}.json?x=10&y=20")
    original, flipped = told(reply)["steps"]

    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert (original["x"], original["y"], flipped["x"], flipped["y"]) == (289, 20, 10, 20)
    assert original["values"] == flipped["values"] == rgb(300, 200)(289, 20)


@pytest.mark.parametrize("name", LEAFLET_FILES)
def test_the_viewer_library_is_served_from_its_package(url: str, name: str) -> None:
    reply = fetch(f"{url}/leaflet/{name}")

    assert reply.status == 200
    assert reply.headers["content-type"].startswith(LEAFLET_FILES[name])
    assert reply.body == (leaflet_folder() / name).read_bytes()
    assert reply.headers["cache-control"].startswith("private, max-age")


@pytest.mark.parametrize(
    "name",
    [
        "leaflet-src.js",
        "images/layers.png",
        "../__init__.py",
        "..%2f__init__.py",
        "%2e%2e/__init__.py",
        "",
        "leaflet.js%00",
    ],
)
def test_nothing_else_of_its_folder_is_served(url: str, name: str) -> None:
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=60)  # which leaves dots in the address alone
    connection.request("GET", f"/{path}/leaflet/{name}")

    assert connection.getresponse().status == 404
    connection.close()


def test_a_tile_whose_browser_has_gone_is_given_up(url: str, answers: Answers, photo: Path) -> None:
    key = key_of(photo, *[FOREVER] * 3)
    addresses = [f"{url}/tile/{key}/0/{column}/0" for column in (0, 1)]
    with asking(addresses[0]), asking(addresses[1]):
        until(lambda: len(answers._computations) == 2)
    until(lambda: not answers._computations)

    assert fetch(f"{url}/tile/{key_of(photo)}/0/0/0").status == 200
    assert not [name for name in answers._kept if isinstance(name, tuple) and key in name]
