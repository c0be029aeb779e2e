"""The offer of a working copy on Explore, without a browser: real files, and the real job."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from streamlit.testing.v1 import AppTest

from augviz import copies, jobs, sources, working_copy
from augviz.context import Context
from augviz.model import InputChoice
from augviz.settings import get_settings
from augviz.ui import copy_offer, upload_tab
from augviz.ui.state import first
from augviz.uploads import get_uploads
from tests.live import ROOT, until

SHELL = ROOT / "augviz" / "ui" / "shell.py"
SIDE = 7200
"""More than the 50 megapixels up to which every file counts as readable by regions."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large grey JPEG."""
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    pyvips.Image.xyz(256, 256).extract_band(0).cast("uchar").copy(interpretation="b-w").replicate(29, 29).crop(
        0, 0, SIDE, SIDE
    ).jpegsave(str(path))
    return path


@pytest.fixture
def path(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The large image in a folder that the settings allow, with a cache folder of its own."""
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    get_settings.cache_clear()
    yield Path(shutil.copy(large, tmp_path / "large.jpg"))
    get_settings.cache_clear()


def visit(path: Path, choice: InputChoice | None = None, upload: str = "") -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    now = first()
    source = sources.SourceRef("upload", upload) if upload else sources.SourceRef("path", str(path))
    pipeline = replace(now.pipeline, input=choice or InputChoice())
    app.session_state["explore"] = replace(now, source=source, pipeline=pipeline)
    if upload:
        app.session_state[upload_tab.TOKEN] = upload.split("/")[0]
    app.session_state[copy_offer.OFFER] = True
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button if str(button.key).startswith("explore.copy.")}


def job_of(app: AppTest) -> jobs.Job:
    job = jobs.find_job(app.session_state[copy_offer.JOB][0])
    assert job is not None
    return job


def shown_key(app: AppTest) -> str:
    return next(caption.value for caption in app.caption if caption.value.startswith("Recipe ")).split()[1]


def test_a_large_jpeg_is_offered_a_copy_with_what_it_costs_and_the_command(path: Path) -> None:
    app = visit(path)

    assert (
        "The first window or picture at full size decodes the whole file: "
        "about 300 ms to 1 s, and memory of 51.8 MB." in said(app)
    )
    assert "It takes at most 69.2 MB; " in said(app)
    assert [code.value for code in app.code if code.value.startswith("vips ")] == [
        "vips tiffsave 'large.jpg[fail_on=truncated]' large-copy.tif --tile --tile-width 256 --tile-height 256 "
        "--pyramid --bigtiff --compression deflate --predictor horizontal"
    ]

    app.radio(key="explore.copy.kind").set_value("jpeg").run()

    assert "It takes about 20.8 MB; " in said(app)
    assert any("--compression jpeg --Q 90" in code.value for code in app.code)


def test_the_copy_is_made_read_at_once_and_deleted_on_demand(path: Path) -> None:
    app = visit(path)
    before = shown_key(app)
    app.button(key="explore.copy.start").click().run()

    assert not app.exception
    assert "explore.copy.start" not in keys(app)

    until(lambda: job_of(app).state != "running")
    app.run()
    copy = copies.find(path)

    assert not app.exception
    assert copy is not None
    assert "Read through a lossless working copy (" in said(app)
    assert f"{SIDE} × {SIDE} · grey 8 bit · " in said(app)
    assert shown_key(app) != before
    assert keys(app) == {"explore.copy.delete"}

    app.button(key="explore.copy.delete").click().run()

    assert copies.find(path) is None
    assert shown_key(app) == before
    assert "decodes the whole file" in said(app)


def test_a_jpeg_copy_says_that_its_pixels_differ(path: Path) -> None:
    app = visit(path)
    app.radio(key="explore.copy.kind").set_value("jpeg").run()
    app.button(key="explore.copy.start").click().run()
    until(lambda: job_of(app).state != "running")
    app.run()

    assert "Read through a JPEG working copy (" in said(app)
    assert "its pixels differ slightly from the original's." in said(app)


def test_a_cancelled_copy_leaves_nothing_and_can_be_made_again(path: Path) -> None:
    app = visit(path)
    app.button(key="explore.copy.start").click().run()
    app.button(key="explore.copy.cancel").click().run()

    assert [info.value for info in app.info] == ["large.jpg: cancelled, nothing was kept."]
    assert copies.find(path) is None

    app.button(key="explore.copy.close").click().run()

    assert "decodes the whole file" in said(app)
    assert copy_offer.JOB not in app.session_state


def test_a_copy_is_given_up_with_its_visitor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit(path)
    app.button(key="explore.copy.start").click().run()
    job = job_of(app)
    assert job.state == "running"

    uploads = get_uploads()
    token = app.session_state[upload_tab.TOKEN]
    uploads.release(token)
    monkeypatch.setattr(uploads, "grace_seconds", -1.0)
    uploads.sweep()

    assert job.wait(10) == "cancelled"
    assert copies.find(path) is None


def test_a_file_that_breaks_while_it_is_copied_gets_one_sentence(path: Path) -> None:
    app = visit(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    app.button(key="explore.copy.start").click().run()
    until(lambda: job_of(app).state != "running")
    app.run()

    assert not app.exception
    assert any(error.value.startswith("large.jpg: ") for error in app.error)
    assert copies.find(path) is None


def test_no_room_is_told_before_anything_is_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit(path)
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1 MB")
    get_settings.cache_clear()
    app.button(key="explore.copy.start").click().run()

    assert any("but of the cache's quota of 1 MB" in error.value for error in app.error)
    assert copy_offer.JOB not in app.session_state


async def arriving(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_no_room_for_the_copy_of_an_upload_is_told_by_the_name_that_it_was_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads, data = get_uploads(), path.read_bytes()
    token = uploads.open_session()
    sent = asyncio.run(uploads.receive(token, "mine.jpg", len(data), arriving(data)))
    app = visit(path, upload=f"{token}/{sent.id}")
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1 MB")
    get_settings.cache_clear()
    app.button(key="explore.copy.start").click().run()
    told = [error.value for error in app.error if "but of the cache's quota of 1 MB" in error.value]

    assert [text.split(":")[0] for text in told] == ["mine.jpg"]
    uploads.remove(token, sent.id)


def test_a_damaged_copy_is_called_by_the_name_of_its_original(path: Path) -> None:
    copy = copies.place(path, "lossless")
    working_copy.make(path, "lossless", copy, Context())
    copy.write_bytes(b"II*\0" + b"\0" * 100)
    app = visit(path)

    assert any("large.jpg: the file begins like TIFF but is damaged" in text.value for text in app.markdown)


def test_nothing_is_offered_where_a_page_is_chosen_or_the_file_is_small(path: Path) -> None:
    small = path.with_name("small.jpg")
    pyvips.Image.black(64, 64).jpegsave(str(small))

    assert "explore.copy.start" in keys(visit(path))
    assert keys(visit(path, InputChoice(page=0))) == set()
    assert keys(visit(small)) == set()
