"""Exact previews: the worker against arithmetic by hand, the job that leaves no file, and the sentences."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import engine, exact, exact_preview, exact_routes, images, saved, sources, synthetic, view
from augviz.child import Answer
from augviz.context import Context
from augviz.errors import Cancelled, ImageError, WorkerError
from augviz.exact_preview import Comparing, Comparison
from augviz.facts import draw_from_json
from augviz.fidelity import psnr
from augviz.jobs import CANCEL_SECONDS
from augviz.model import Draw, Header, Truth
from augviz.recipes import Recipe, recipe_of
from augviz.tasks import TASKS
from augviz.uploads import Uploads
from tests import samples
from tests.folders import below
from tests.live import fetch, serving, until

LIGHT = {"id": "b", "transform": "RandomBrightnessContrast", "p": 1.0}
TURN = {"id": "r", "transform": "Rotate", "p": 1.0, "args": {"limit": [20, 40]}}
SMALLER = {"id": "s", "transform": "Resize", "args": {"height": 900, "width": 900}}
NOISE = {"id": "n", "transform": "GaussNoise", "p": 1.0}
NORMALIZE = {"id": "z", "transform": "Normalize", "args": {"mean": [0.5] * 3, "std": [0.2] * 3}}
BLUR = {"id": "m", "transform": "MedianBlur", "p": 1.0, "args": {"blur_limit": [21, 21]}}


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A synthetic image of 4096 pixels a side."""
    path = tmp_path_factory.mktemp("slide") / "slide.tif"
    synthetic.make(next(iter(sources.SYNTHETIC_KINDS)), 4096, str(path))
    return str(path)


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    made = Uploads(tmp_path / "uploads", max_bytes=10**9, grace_seconds=60)
    yield made
    made.close()


def compared(path: str, out: Path, *steps: dict[str, Any], **asked: Any) -> tuple[dict[str, Any], bytes]:
    args = {"path": path, "original": path, "input": {}, "seed": 3, "side": 256, "quality": "fine", "bands": None}
    pipeline = {"format": 1, "steps": list(steps)}
    return exact.compare({**args, "pipeline": pipeline, "out": str(out / "full.tif"), **asked}, Context())


def found_in(path: str, out: Path, *steps: dict[str, Any], **asked: Any) -> Comparison:
    return exact_preview.comparison_of(Answer(*compared(path, out, *steps, **asked)), "key", 3, "fine")


def by_hand(path: str, steps: tuple[dict[str, Any], ...], side: int, quality: str) -> float:
    """The decibels from pixels in memory, without a file and without the worker's own figures."""
    image = images.open_image(path)
    pipeline = saved.load({"format": 1, "steps": list(steps)})
    drawn = engine.draw(engine.header(image), pipeline, 3)
    full = engine.apply(image, pipeline, 3).image.copy_memory()
    s = view.fitted_scale(drawn, side)
    seen = view.whole(lambda w, h: images.base(path, width=w, height=h), drawn, s, quality).image.numpy()
    small = full.resize(seen.shape[1] / full.width, vscale=seen.shape[0] / full.height, kernel="lanczos3").numpy()
    error = ((seen.astype(float) - small.astype(float)) ** 2).mean()
    if error == 0:
        return math.inf
    peak = 255.0 if small.dtype == np.uint8 else float(small.max()) - float(small.min())
    return 10 * math.log10(peak**2 / error)


@pytest.mark.parametrize("quality", exact_preview.QUALITIES)
@pytest.mark.parametrize("steps", [(LIGHT, TURN), (TURN, NORMALIZE), (TURN, SMALLER)])
def test_the_decibels_of_a_synthetic_image_are_those_computed_by_hand(
    slide: str, tmp_path: Path, steps: tuple[dict[str, Any], ...], quality: str
) -> None:
    told, _ = compared(slide, tmp_path, *steps, quality=quality)

    # Turned pixels that go through tiles are rounded the other way here and there.
    assert (math.inf if told["identical"] else told["decibels"]) == pytest.approx(
        by_hand(slide, steps, 256, quality), abs=0.05
    )
    assert list(tmp_path.iterdir()) == []


def test_the_decibels_of_a_photograph_are_those_computed_by_hand(tmp_path: Path) -> None:
    told, _ = compared(samples.path(), tmp_path, BLUR, TURN, side=64, quality="quick")

    assert told["decibels"] == pytest.approx(by_hand(samples.path(), (BLUR, TURN), 64, "quick"), abs=0.01)


def test_at_full_size_the_preview_is_the_exact_result(tmp_path: Path) -> None:
    found = found_in(samples.path(), tmp_path, LIGHT, side=1024)

    assert found.identical
    assert exact_preview.verdict(found) == "The preview is the exact result: every pixel is the same."
    assert exact_preview.decibels_text(found) == "identical"
    assert exact_preview.difference_text(found) == "Difference: none at all"


def test_the_pictures_are_of_one_size_and_the_difference_is_theirs(slide: str, tmp_path: Path) -> None:
    found = found_in(slide, tmp_path, BLUR, side=200)
    seen = {name: pyvips.Image.new_from_buffer(data, "") for name, data in found.pictures.items()}

    assert list(seen) == ["exact", "preview", "difference"]
    assert {(image.width, image.height) for image in seen.values()} == {(found.width, found.height)} == {(200, 200)}
    assert (seen["exact"].bands, seen["difference"].bands) == (3, 1)
    assert psnr(seen["preview"], seen["exact"]) > 35  # both are JPEGs here
    assert seen["difference"].max() <= min(255, found.largest * found.amplification + 8)


def test_differences_are_amplified_so_that_they_are_seen() -> None:
    one = (pyvips.Image.black(100, 100, bands=3) + 100).cast("uchar")
    other = one.draw_rect([103, 100, 99], 0, 0, 50, 50, fill=True)
    apart, amplified, largest = exact.difference(one, other)

    assert (amplified, largest) == (exact.MOST_AMPLIFIED, 3)
    assert apart(10, 10) == [192]
    assert apart(90, 90) == [0]

    one, other = other, (pyvips.Image.black(100, 100, bands=3) + 255).cast("uchar")

    assert exact.difference(one, other)[1] == 1


def test_noise_is_compared_by_its_statistics(slide: str, tmp_path: Path) -> None:
    found = found_in(slide, tmp_path, NOISE)

    assert found.truth is Truth.STATISTICAL
    assert "differ by design" in exact_preview.verdict(found)
    assert len(found.bands) == 3
    assert max(band.off_by() or 0 for band in found.bands) < 0.05
    assert "agree within" in exact_preview.statistics_text(found)


@pytest.mark.parametrize(
    ("decibels", "words"),
    [(50.0, "nobody sees"), (42.0, "hardly seen"), (36.0, "fine edges only"), (20.0, "at edges and in fine texture")],
)
def test_the_sentence_says_what_the_figure_means(tmp_path: Path, decibels: float, words: str) -> None:
    found = replace(found_in(samples.path(), tmp_path, LIGHT, side=64), identical=False, decibels=decibels)

    assert f"is {decibels:.1f} dB from the exact result: " in exact_preview.verdict(found)
    assert words in exact_preview.verdict(found)


# The job


def asked_for(path: str, *steps: dict[str, Any]) -> tuple[Recipe, Draw]:
    recipe = recipe_of(Path(path), {"format": 1, "steps": list(steps)}, 3)
    told = TASKS["draw"](recipe.args(), Context())
    assert isinstance(told, dict)
    return recipe, draw_from_json(told["draw"])


def begun(uploads: Uploads, path: str, *steps: dict[str, Any]) -> tuple[str, Comparing]:
    recipe, draw = asked_for(path, *steps)
    token = uploads.open_session("me")
    return token, exact_preview.start(recipe, "key", draw, token, visitor="me", uploads=uploads)


def files(uploads: Uploads) -> list[Path]:
    return below(uploads._own.root)


def writing(uploads: Uploads, comparing: Comparing) -> None:
    """Wait until a part of the file is there."""
    until(lambda: comparing.ended.done() or any(path.stat().st_size for path in files(uploads)))
    assert not comparing.ended.done()


def test_a_job_finds_what_the_worker_finds_and_leaves_no_file(uploads: Uploads, slide: str) -> None:
    _, comparing = begun(uploads, slide, LIGHT)
    found = comparing.ended.result(60)

    assert found.decibels is not None
    assert files(uploads) == []
    assert exact_preview.find(found.id, "me") is found
    assert exact_preview.find(found.id, "you") is None


def test_a_cancelled_job_ends_at_once_and_leaves_no_file(uploads: Uploads, slide: str) -> None:
    _, comparing = begun(uploads, slide, BLUR, BLUR)
    writing(uploads, comparing)
    comparing.job.cancel()

    with pytest.raises(Cancelled):
        comparing.ended.result(CANCEL_SECONDS)
    until(lambda: not _is_there(comparing.job.pid))
    uploads.sweep()
    assert files(uploads) == []


def test_a_killed_process_leaves_no_file_that_is_taken_for_whole(uploads: Uploads, slide: str) -> None:
    _, comparing = begun(uploads, slide, BLUR, BLUR)
    writing(uploads, comparing)
    names = {path.name for path in files(uploads)}
    os.kill(comparing.job.pid, signal.SIGKILL)

    with pytest.raises(WorkerError, match="killed"):
        comparing.ended.result(60)
    assert all(name.startswith(".") for name in names)  # what is being written never has the file's own name
    assert files(uploads) == []


def test_with_the_visitor_goes_the_job_and_its_file(uploads: Uploads, slide: str) -> None:
    _, comparing = begun(uploads, slide, BLUR, BLUR)
    writing(uploads, comparing)
    uploads.close()

    with pytest.raises(Cancelled):
        comparing.ended.result(60)
    until(lambda: not _is_there(comparing.job.pid))
    assert files(uploads) == []


def test_a_result_that_is_too_large_is_refused(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, draw = asked_for(samples.path(), LIGHT)
    huge = replace(draw, result=Header(10**6, 10**6, 3, "float", "multiband"))

    with pytest.raises(ImageError, match="The full-size result: it takes up to"):
        exact_preview.start(recipe, "key", huge, uploads.open_session(), uploads=uploads)
    assert files(uploads) == []


def test_a_file_that_is_damaged_is_named(uploads: Uploads, tmp_path: Path) -> None:
    path = tmp_path / "cut.tif"
    samples.rgb(512, 512).tiffsave(str(path), tile=True, compression="deflate")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + bytes(len(whole) - 5000) + whole[-4000:])
    _, comparing = begun(uploads, str(path), LIGHT)
    error = comparing.ended.exception(60)

    assert isinstance(error, ImageError)
    assert "cut.tif" in comparing.trouble(error)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# The route


def test_a_picture_is_served_as_long_as_a_page_holds_it(tmp_path: Path) -> None:
    found = found_in(samples.path(), tmp_path, LIGHT, side=64)
    with serving(exact_routes.routes("lab")) as url:
        address = f"{url}/lab/augviz/exact/{found.id}"
        reply = fetch(f"{address}/preview.jpg")
        unknown = [fetch(f"{address}/other.jpg"), fetch(f"{url}/lab/augviz/exact/{'x' * 24}/preview.jpg")]
        expected = found.pictures["preview"]
        del found
        gone = fetch(f"{address}/preview.jpg")

    assert (reply.status, reply.body) == (200, expected)
    assert "no-store" in reply.headers["cache-control"]
    assert [other.status for other in (*unknown, gone)] == [404, 404, 404]
