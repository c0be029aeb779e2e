"""Files to keep, over HTTP and by real workers: full-size results, contact sheets."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import pyvips
import tifffile

from augviz import copies, engine, full_size, jobs, result_routes, saved, working_copy
from augviz.answers import Answers
from augviz.arrivals import UploadError
from augviz.context import Context
from augviz.errors import Cancelled, ImageError, StepError
from augviz.facts import draw_from_json
from augviz.full_size import NPY, PNG, TIFF, Form, Making
from augviz.images import open_image
from augviz.model import Draw, Header, InputChoice
from augviz.recipes import Recipe, recipe_of, register
from augviz.settings import get_settings
from augviz.upload_session import MAX_MADE
from augviz.uploads import Uploads
from augviz.workers import Pool
from tests.clocks import Clock
from tests.live import Reply, asking, fetch, serving, until
from tests.samples import rgb

ROTATE = {"id": "r", "transform": "Rotate", "args": {"limit": [20, 40]}, "p": 1.0}
BRIGHTER = {"id": "b", "transform": "RandomBrightnessContrast", "p": 1.0}
MEAN_STD = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
NORMALIZE = {"id": "n", "transform": "Normalize", "args": MEAN_STD}
TENSOR = {"id": "t", "transform": "ToTensor"}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(render_workers=1, seconds=60)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uploads(tmp_path: Path, clock: Clock) -> Iterator[Uploads]:
    made = Uploads(tmp_path / "uploads", max_bytes=10**9, grace_seconds=100, clock=clock)
    yield made
    made.close()


@pytest.fixture
def url(pool: Pool, uploads: Uploads) -> Iterator[str]:
    answers = Answers(pool)
    with serving(result_routes.routes("lab", lambda: answers, lambda: uploads)) as address:
        yield f"{address}/lab/augviz"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """300 x 200 pixels of a photograph."""
    path = tmp_path / "photo.png"
    rgb(300, 200).write_to_file(str(path))
    return path


@pytest.fixture
def copied(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working copy of the photograph whose pixels differ slightly."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    get_settings.cache_clear()
    path = copies.place(photo, "jpeg")
    working_copy.make(photo, "jpeg", path, Context())
    yield path
    get_settings.cache_clear()


def recipe(path: Path, *steps: dict[str, Any], seed: int = 7) -> Recipe:
    return recipe_of(path, {"format": 1, "steps": list(steps)}, seed)


def drawn(pool: Pool, made: Recipe) -> Draw:
    return draw_from_json(pool.call("draw", made.args()).value["draw"])


def start(pool: Pool, uploads: Uploads, token: str, asked: Recipe, form: Form, name: str = "photo.png") -> Making:
    return full_size.start(asked, register(asked), drawn(pool, asked), form, name, token, uploads)


def applied(asked: Recipe) -> pyvips.Image:
    """The result in this process, by the core alone."""
    image = open_image(asked.path, InputChoice())
    return engine.apply(image, saved.loads(asked.pipeline), asked.seed).image


def ask(url: str, **headers: str) -> Reply:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as response:
        return Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())


def remains(folder: Path) -> list[Path]:
    """What is on the disk for visitors: files, and folders in their sessions' folders."""
    found = [path for path in (folder / "uploads").rglob("*") if path.name != ".lock"]
    return [path for path in found if path.is_file() or len(path.relative_to(folder / "uploads").parts) > 2]


# Full-size results


def test_a_tiff_holds_the_results_exact_values(url: str, pool: Pool, uploads: Uploads, photo: Path) -> None:
    token, asked = uploads.open_session(), recipe(photo, BRIGHTER, ROTATE, NORMALIZE)
    made = start(pool, uploads, token, asked, TIFF).ended.result(60)
    reply = fetch(f"{url}/file/{token}/{made.id}")

    assert reply.status == 200
    assert reply.headers["content-disposition"] == 'attachment; filename="photo_seed7.tif"'
    assert reply.headers["content-encoding"] == "identity"
    with tifffile.TiffFile(io.BytesIO(reply.body)) as tiff:
        assert tiff.pages[0].is_tiled
        assert np.array_equal(tiff.asarray(), applied(asked).numpy())
    assert len(reply.body) == made.file_bytes <= full_size.file_bytes(drawn(pool, asked).result, TIFF)


def test_a_npy_is_the_array_that_training_gets(url: str, pool: Pool, uploads: Uploads, photo: Path) -> None:
    token = uploads.open_session()
    for steps in ([ROTATE], [ROTATE, NORMALIZE, TENSOR]):
        asked = recipe(photo, *steps)
        made = start(pool, uploads, token, asked, NPY).ended.result(60)
        array = np.load(io.BytesIO(fetch(f"{url}/file/{token}/{made.id}").body))
        expected = applied(asked).numpy()

        assert np.array_equal(array, expected.transpose(2, 0, 1) if TENSOR in steps else expected)
        assert made.file_bytes <= full_size.file_bytes(drawn(pool, asked).result, NPY)


def test_a_png_that_was_stretched_tells_its_range(pool: Pool, uploads: Uploads, photo: Path) -> None:
    token, asked = uploads.open_session(), recipe(photo, NORMALIZE)
    made = start(pool, uploads, token, asked, PNG).ended.result(60)
    values = applied(asked)

    assert made.note.startswith(f"seed 7, recipe {register(asked)}, values from −")
    assert f"to {values.max():.6g} as 0 to 255" in made.note
    assert pyvips.Image.new_from_file(str(made.path)).max() == 255

    plain = start(pool, uploads, token, recipe(photo, ROTATE), PNG).ended.result(60)
    assert plain.note == f"seed 7, recipe {register(recipe(photo, ROTATE))}"


def test_a_result_is_made_from_the_original_and_not_from_a_copy_that_differs(
    pool: Pool, uploads: Uploads, photo: Path, copied: Path
) -> None:
    token, asked = uploads.open_session(), recipe(copied, ROTATE)
    array = np.load(start(pool, uploads, token, asked, NPY).ended.result(60).path)

    assert np.array_equal(array, applied(recipe(photo, ROTATE)).numpy())
    assert not np.array_equal(array, applied(asked).numpy())


def test_only_what_a_png_can_hold_is_offered_as_one() -> None:
    assert PNG in full_size.forms(Header(10, 10, 4, "float"))
    assert PNG not in full_size.forms(Header(10, 10, 5, "uchar"))
    assert PNG not in full_size.forms(Header(10, 10, 1, "complex"))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ihc.png", "ihc_seed7.tif"),
        ("St. Bernard n02", "St. Bernard n02_seed7.tif"),
        ("a/b.ome.tif", "b.ome_seed7.tif"),
    ],
)
def test_a_file_is_named_after_its_image_and_seed(image: str, expected: str) -> None:
    assert full_size.file_name(image, 7, TIFF) == expected


def test_a_name_of_any_script_reaches_the_browser(url: str, pool: Pool, uploads: Uploads, photo: Path) -> None:
    token = uploads.open_session()
    made = start(pool, uploads, token, recipe(photo), NPY, name='größe "1".tif').ended.result(60)
    reply = fetch(f"{url}/file/{token}/{made.id}")

    expected = "attachment; filename*=utf-8''gr%C3%B6%C3%9Fe%20%221%22_seed7.npy"
    assert reply.headers["content-disposition"] == expected


def test_a_part_of_a_file_can_be_asked_for(url: str, pool: Pool, uploads: Uploads, photo: Path) -> None:
    token = uploads.open_session()
    made = start(pool, uploads, token, recipe(photo), NPY).ended.result(60)
    reply = ask(f"{url}/file/{token}/{made.id}", Range="bytes=100-199")

    assert reply.status == 206
    assert reply.body == made.path.read_bytes()[100:200]
    assert reply.headers["content-range"] == f"bytes 100-199/{made.file_bytes}"


def test_a_file_is_its_visitors_alone_and_gone_once_deleted(
    url: str, pool: Pool, uploads: Uploads, photo: Path, tmp_path: Path
) -> None:
    mine, yours = uploads.open_session(), uploads.open_session()
    made = start(pool, uploads, mine, recipe(photo), NPY).ended.result(60)

    for token in (yours, "guessed"):
        reply = fetch(f"{url}/file/{token}/{made.id}")
        assert reply.status == 404
        assert json.loads(reply.body) == {"error": "This file is not there any more; make it again."}
    assert fetch(f"{url}/file/{mine}/{made.id}").status == 200

    uploads.remove(mine, made.id)
    assert fetch(f"{url}/file/{mine}/{made.id}").status == 404
    assert remains(tmp_path) == []


def test_an_upload_is_not_served_back(url: str, uploads: Uploads) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"<script>"

    token = uploads.open_session()
    sent = asyncio.run(uploads.receive(token, "a.html", None, parts(), spare=0))

    assert fetch(f"{url}/file/{token}/{sent.id}").status == 404
    assert uploads.made(token) == ()


def test_people_read_a_sentence_and_not_json(url: str) -> None:
    request = urllib.request.Request(f"{url}/file/x/y", headers={"Accept": "text/html,image/webp,*/*;q=0.8"})
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=60)

    assert raised.value.code == 404
    assert raised.value.headers["content-type"].startswith("text/plain")
    assert raised.value.read() == b"This file is not there any more; make it again."


def test_a_session_keeps_its_newest_files(pool: Pool, uploads: Uploads, photo: Path) -> None:
    token, draw = uploads.open_session(), drawn(pool, recipe(photo))
    made = []
    for seed in range(MAX_MADE + 1):
        asked = recipe(photo, seed=seed)
        made.append(full_size.start(asked, register(asked), draw, NPY, "a.png", token, uploads).ended.result(60))

    assert uploads.made(token) == tuple(made[1:])
    assert [one.path.exists() for one in made] == [False] + [True] * MAX_MADE


def test_files_go_with_their_session(uploads: Uploads, pool: Pool, photo: Path, tmp_path: Path, clock: Clock) -> None:
    token = uploads.open_session()
    start(pool, uploads, token, recipe(photo), NPY).ended.result(60)
    clock.now = 101
    uploads.sweep()

    assert uploads.made(token) == ()
    assert remains(tmp_path) == []


# What goes wrong


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose result takes a while to write, in a small file."""
    path = tmp_path_factory.mktemp("huge") / "huge.tif"
    pyvips.Image.black(12_000, 12_000).copy(interpretation="b-w").tiffsave(str(path), tile=True, compression="deflate")
    return path


SLOW = {"id": "s", "transform": "Rotate", "args": {"limit": [30, 30]}, "p": 1.0}


def test_a_cancelled_job_leaves_nothing(pool: Pool, uploads: Uploads, huge: Path, tmp_path: Path) -> None:
    token = uploads.open_session()
    making = start(pool, uploads, token, recipe(huge, SLOW), TIFF, "huge.tif")
    until(lambda: making.job.progress[1] == "writing" and remains(tmp_path))
    making.job.cancel()
    with pytest.raises(Cancelled):
        making.ended.result(60)

    until(lambda: uploads.sweep() or not remains(tmp_path))
    assert uploads.made(token) == ()


def test_a_job_ends_with_its_visitor(pool: Pool, uploads: Uploads, huge: Path, tmp_path: Path, clock: Clock) -> None:
    making = start(pool, uploads, uploads.open_session(), recipe(huge, SLOW), TIFF, "huge.tif")
    until(lambda: making.job.progress[1] == "writing")
    clock.now = 101
    uploads.sweep()

    assert making.job.state == "cancelled"
    with pytest.raises(Cancelled):
        making.ended.result(60)
    until(lambda: uploads.sweep() or not remains(tmp_path))


def test_a_step_that_fails_is_named_and_leaves_nothing(
    pool: Pool, uploads: Uploads, photo: Path, tmp_path: Path
) -> None:
    token, draw = uploads.open_session(), drawn(pool, recipe(photo))
    asked = recipe(photo, {"id": "c", "transform": "CenterCrop", "args": {"width": 9000, "height": 9000}})
    making = full_size.start(asked, register(asked), draw, TIFF, "photo.png", token, uploads)
    wait([making.ended], 60)

    assert isinstance(making.ended.exception(), StepError)
    assert "CenterCrop" in making.trouble(making.ended.exception() or Exception())
    assert remains(tmp_path) == []


def test_a_result_without_room_is_refused_before_a_job_starts(
    uploads: Uploads, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, token = recipe(photo), uploads.open_session()
    large = Header(20_000, 20_000, 3, "uchar")
    draw = Draw(7, large, (), large, False)
    try:
        for quota, words in (
            ("1 GB", r"up to 1\.2 GB, but .* at most 1 GB"),
            ("9999 TB", "are free for it on the disk"),
        ):
            monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", quota)
            monkeypatch.setattr(uploads, "free_bytes", lambda: 10**9)
            get_settings.cache_clear()
            with pytest.raises(ImageError, match=r"a_seed7\.npy: it takes .*" + words):
                full_size.start(asked, "key", draw, NPY, "a.png", token, uploads)
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()

    assert remains(tmp_path) == []


def test_no_job_is_started_for_a_session_that_has_ended(uploads: Uploads, photo: Path) -> None:
    before = len(jobs._jobs)
    shape = Header(300, 200, 3, "uchar")
    with pytest.raises(UploadError, match="reload the page"):
        full_size.start(recipe(photo), "key", Draw(7, shape, (), shape, False), NPY, "a.png", "guessed", uploads)

    assert len(jobs._jobs) == before


# Contact sheets


def test_a_contact_sheet_shows_the_draws_from_the_shown_one_on(url: str, pool: Pool, photo: Path) -> None:
    asked = recipe(photo, ROTATE)
    reply = fetch(f"{url}/sheet/{register(asked)}.png?count=3")
    expected = pool.call("contact_sheet", {**asked.args(), "count": 3, "name": "photo.png"})

    assert reply.status == 200
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-disposition"] == 'attachment; filename="contact-sheet.png"'
    assert reply.body == expected.blob
    assert [cell["seed"] for cell in expected.value["cells"]] == [None, 7, 8, 9]


def test_a_contact_sheet_names_an_upload_as_its_visitor_does(pool: Pool, uploads: Uploads, photo: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield photo.read_bytes()

    sent = asyncio.run(uploads.receive(uploads.open_session(), "my slide.png", None, parts(), spare=0))
    asked = recipe_of(sent.path)
    answers = Answers(pool)
    with serving(result_routes.routes("", lambda: answers, lambda: uploads)) as address:
        reply = fetch(f"{address}/augviz/sheet/{register(asked)}.png?count=1")
    expected = pool.call("contact_sheet", {**asked.args(), "count": 1, "name": "my slide.png"})

    assert reply.body == expected.blob


def test_a_contact_sheet_names_the_original_of_a_copy(url: str, pool: Pool, copied: Path) -> None:
    asked = recipe_of(copied)
    reply = fetch(f"{url}/sheet/{register(asked)}.png?count=1")

    assert reply.body == pool.call("contact_sheet", {**asked.args(), "count": 1, "name": "photo.png"}).blob


@pytest.mark.parametrize("count", ["0", "17", "-1", "many", "٣"])
def test_an_impossible_number_of_draws_is_refused(url: str, photo: Path, count: str) -> None:
    reply = fetch(f"{url}/sheet/{register(recipe(photo))}.png?count={quote(count)}")

    assert reply.status == 422
    assert json.loads(reply.body) == {"error": f"count must be a whole number from 1 to 16, got {count!r}."}


def test_an_unknown_recipe_is_not_found_with_a_sentence(url: str) -> None:
    reply = fetch(f"{url}/sheet/{'0' * 24}.png")

    assert reply.status == 404
    assert "reload the page" in json.loads(reply.body)["error"]


def test_an_image_that_is_gone_is_told(url: str, tmp_path: Path) -> None:
    reply = fetch(f"{url}/sheet/{register(recipe_of(tmp_path / 'gone.png'))}.png")

    assert reply.status == 422
    assert "gone.png" in json.loads(reply.body)["error"]


def test_a_browser_that_goes_away_gives_its_sheet_up(pool: Pool, uploads: Uploads, huge: Path) -> None:
    answers = Answers(pool)
    address = f"/augviz/sheet/{register(recipe(huge, SLOW))}.png?count=16"
    with serving(result_routes.routes("", lambda: answers, lambda: uploads)) as url:
        with asking(url + address):
            until(lambda: answers._computations)
        until(lambda: not answers._computations)

    assert answers.kept_bytes == 0
