"""The worker side's front door: JSON in, JSON and at most one blob out, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import pyvips

from augviz import engine, images, presets, saved
from augviz.context import Context
from augviz.errors import ArgumentError, ImageError, StepError
from augviz.tasks import TASKS
from tests import samples

FIRST = saved.dump(presets.FIRST.pipeline)
FLIP = {"format": 1, "steps": [{"transform": "HorizontalFlip", "p": 1.0}]}


def ask(task: str, **args: object) -> dict:
    """The JSON value of an answer, as it comes out of a pipe."""
    answer = TASKS[task]({"path": samples.path(), "input": {}, "seed": 0, **args}, Context())
    value = answer[0] if isinstance(answer, tuple) else answer
    return json.loads(json.dumps(value, allow_nan=False))


def blob(task: str, **args: object) -> bytes:
    answer = TASKS[task]({"path": samples.path(), "input": {}, "seed": 0, **args}, Context())
    assert isinstance(answer, tuple)
    return answer[1]


def test_a_draw_tells_every_leaf_with_its_sizes_at_full_size() -> None:
    drawn = ask("draw", pipeline=FIRST)["draw"]

    assert [step["transform"] for step in drawn["steps"]] == [
        "RandomBrightnessContrast",
        "Rotate",
        "Normalize",
        "ToTensor",
    ]
    assert drawn["result"]["format"] == "float"
    assert drawn["tensor"] is True
    assert drawn["steps"][0]["before"] == {"width": 512, "height": 512, "bands": 3, "format": "uchar"}


def test_a_picture_is_a_jpeg_that_fits_its_side_and_tells_how_true_it_is() -> None:
    meta = ask("picture", pipeline=FIRST, side=256, quality="quick", upto=None)
    image = pyvips.Image.new_from_buffer(blob("picture", pipeline=FIRST, side=256, quality="quick", upto=None), "")

    assert max(image.width, image.height) <= 256
    assert (meta["width"], meta["height"]) == (image.width, image.height)
    assert meta["truth"] == "to scale"
    assert meta["high"] > 255  # Normalize on 0 to 255 data, visible at a glance
    assert meta["tensor"] is True


def test_the_range_that_a_picture_tells_has_no_ringing_of_its_own_shrink() -> None:
    to_float = {"transform": "ToDtype", "args": {"dtype": "float", "scale": True}}
    meta = ask("picture", pipeline={"format": 1, "steps": [to_float]}, side=100, quality="fine", upto=None)

    assert 0.0 <= meta["low"] < 0.1
    assert 0.9 < meta["high"] <= 1.0


@pytest.mark.parametrize("unreal", [float("nan"), float("inf")])
def test_values_that_are_no_finite_numbers_are_told(unreal: float, tmp_path: Path) -> None:
    values = np.ones((40, 50, 3), np.float32)
    pipeline = {"format": 1, "steps": []}
    for name, told in (("whole.tif", False), ("holes.tif", True)):
        if told:
            values[10, 10, 1] = unreal
        pyvips.Image.new_from_array(values, interpretation="multiband").tiffsave(str(tmp_path / name))
        meta = ask("picture", path=str(tmp_path / name), pipeline=pipeline, side=100, quality="fine", upto=None)

        assert meta["unreal"] is told


def test_quick_and_fine_pictures_of_many_bands_are_mapped_alike(tmp_path: Path) -> None:
    path = tmp_path / "four.tif"
    image = samples.rgb(300, 200)
    image.bandjoin(255).copy(interpretation="multiband").tiffsave(str(path))
    args = {"mean": [100, 100, 100, 0], "std": [100, 100, 100, 0.001]}  # the fourth band is not shown
    normal = {"format": 1, "steps": [{"transform": "Normalize", "args": args}]}
    metas = [ask("picture", path=str(path), pipeline=normal, side=100, quality=q) for q in ("quick", "fine")]

    assert metas[0]["mapping"] == metas[1]["mapping"] == "linear from the lowest to the highest value"
    assert -1.1 < metas[0]["low"] < metas[0]["high"] < 1.7
    assert -1.1 < metas[1]["low"] < metas[1]["high"] < 1.7


def test_the_picture_after_no_step_is_the_source() -> None:
    seen = pyvips.Image.new_from_buffer(blob("picture", pipeline=FLIP, side=512, quality="quick", upto=0), "")
    flipped = pyvips.Image.new_from_buffer(blob("picture", pipeline=FLIP, side=512, quality="quick", upto=1), "")
    source = samples.rgb(512, 512).numpy().astype(int)

    assert np.abs(seen.numpy().astype(int) - source).mean() < 4
    assert np.abs(flipped.numpy().astype(int) - source[:, ::-1]).mean() < 4


def test_a_report_times_every_firing_and_counts_every_pixel() -> None:
    found = ask("report", pipeline=FIRST)
    shown = [sum(counts) for counts in found["histogram"]["before"]["counts"]]

    assert found["steps"][0]["transform"] == "RandomBrightnessContrast"
    assert all(step["seconds"] > 0 for step in found["steps"])
    assert shown == [512 * 512] * 3
    assert found["clipped"]["after"] is None  # float has no end to clip at


def test_a_report_tells_the_share_of_clipped_values() -> None:
    bright = {
        "transform": "RandomBrightnessContrast",
        "p": 1.0,
        "args": {"brightness_limit": [0.9, 0.9], "contrast_limit": 0},
    }
    clipped = ask("report", pipeline={"format": 1, "steps": [bright]})["clipped"]

    assert clipped["after"]["high"] > 0.5 > clipped["before"]["high"]


def test_a_preview_file_has_the_applied_files_size_and_kind(tmp_path: Path) -> None:
    ask("preview_file", pipeline=FIRST, side=100, quality="fine", out=str(tmp_path / "a.npy"))
    ask("apply_file", pipeline=FIRST, side=100, window=None, out=str(tmp_path / "b.npy"))
    preview, applied = np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy")

    assert preview.shape == applied.shape
    assert preview.dtype == applied.dtype == np.float32
    assert ((preview - applied) ** 2).mean() < np.ptp(applied) ** 2 / 10**3.4  # 34 dB


def test_an_applied_window_is_that_part_of_the_whole_result(tmp_path: Path) -> None:
    ask("apply_file", pipeline=FIRST, side=None, window=[100, 50, 60, 40], out=str(tmp_path / "part.npy"))
    image = pyvips.Image.new_from_file(samples.path())
    whole = engine.apply(image, presets.FIRST.pipeline, 0).array()

    assert np.array_equal(np.load(tmp_path / "part.npy"), whole[:, 50:90, 100:160])


@pytest.mark.parametrize("window", [[-1, 0, 5, 5], [0, 0, 0, 5], [0, 0, 10_000, 5]])
def test_a_window_partly_outside_is_refused(window: list[int], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="must lie inside the result, 512 x 512 pixels"):
        ask("apply_file", pipeline=FLIP, side=None, window=window, out=str(tmp_path / "x.npy"))
    assert not (tmp_path / "x.npy").exists()


def test_pixels_that_cannot_be_made_are_blamed_on_their_step(tmp_path: Path) -> None:
    tall = tmp_path / "tall.png"
    pyvips.Image.black(3, 200, bands=3).copy(interpretation="srgb").write_to_file(str(tall))
    wide = {"transform": "MedianBlur", "p": 1.0, "args": {"blur_limit": [9, 9]}}
    flip = {"transform": "HorizontalFlip", "p": 1.0}

    with pytest.raises(StepError, match="step 2, MedianBlur"):
        ask("picture", path=str(tall), pipeline={"format": 1, "steps": [flip, wide]}, side=512, quality="fine")


def test_a_file_cut_short_is_blamed_on_the_file(tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(samples.path()).read_bytes()[:300_000])

    with pytest.raises(ImageError, match="cut"):
        ask("picture", path=str(cut), pipeline=FLIP, side=256, quality="quick")


@pytest.mark.parametrize("function", ["original", "report", "picture"])
def test_a_cut_file_too_large_to_be_held_is_blamed_on_the_file(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(samples.path()).read_bytes()[:300_000])
    monkeypatch.setattr(images, "HELD_BYTES", 0)

    with pytest.raises(ImageError, match=r"cut\.png: the file is damaged, cut short"):
        ask(function, path=str(cut), pipeline=FLIP, side=256, quality="quick")


def test_blame_names_the_slowest_step() -> None:
    slow = {"transform": "ElasticTransform", "p": 1.0, "args": {"sigma": 400.0}}  # thousands of times a flip's cost
    steps = [{"transform": "HorizontalFlip", "p": 1.0}, slow, {"transform": "VerticalFlip", "p": 1.0}]

    with pytest.raises(StepError, match="step 2, ElasticTransform: it takes longer than the time limit"):
        ask("blame", pipeline={"format": 1, "steps": steps}, after="time-out")


def test_the_pipelines_own_input_is_what_it_is_fed() -> None:
    pipeline = {**FLIP, "input": {"bands": 1}}

    assert ask("draw", pipeline=pipeline)["draw"]["result"]["bands"] == 1
