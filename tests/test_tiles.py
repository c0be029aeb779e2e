"""Tiles: at full size they are the result's own pixels, elsewhere they are to scale, and each level has its own size."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from augviz import catalog, copies, engine, fidelity, images, inspecting, probing, saved, tiles, view
from augviz.context import Context
from augviz.errors import ArgumentError, StepError
from augviz.model import Pipeline, Step, Truth
from augviz.settings import get_settings
from augviz.tasks import TASKS
from tests import strategies
from tests.samples import rgb

WIDTH, HEIGHT = 600, 300
LAZY = [name for name, spec in catalog.TRANSFORMS.items() if spec.lazy and not spec.unusable]
AFFINE = {"transform": "Affine", "p": 1.0, "args": {"rotate": [17, 17], "scale": [1.3, 1.3]}}
BY_MEAN = {"transform": "RandomBrightnessContrast", "p": 1.0, "args": {"brightness_by_max": False}}
NORMALIZE = {"transform": "Normalize", "p": 1.0, "args": {"mean": [100, 110, 120], "std": [50, 60, 70]}}


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 x 300 pixels of a photograph: at full size three tiles by two, the last ones smaller."""
    path = tmp_path_factory.mktemp("photos") / "photo.tif"
    large().write_to_file(str(path), tile=True, tile_width=128, tile_height=128)
    return path


def large() -> pyvips.Image:
    return rgb(300, 150).resize(2).crop(0, 0, WIDTH, HEIGHT).copy_memory()


def loaded(*steps: dict[str, object]) -> Pipeline:
    return saved.load({"format": 1, "steps": list(steps)})


def assembled(image: pyvips.Image, drawn: engine.Drawn, level: int = 0) -> np.ndarray:
    """All tiles of a level, each made alone, in their places: (height, width, bands)."""
    found = tiles.sheet(fidelity.shrinker(image), drawn, drawn.firings, level, image)
    rows = [
        [
            band_last(tiles.tile(found, column, row).copy_memory())
            for column in range(math.ceil(found.image.width / 256))
        ]
        for row in range(math.ceil(found.image.height / 256))
    ]
    return np.vstack([np.hstack(row) for row in rows])


def band_last(image: pyvips.Image) -> np.ndarray:
    array: np.ndarray = image.numpy()
    return array[:, :, None] if array.ndim == 2 else array


def asked(path: Path, pipeline: Pipeline, seed: int, **args: object) -> dict[str, object]:
    return {"path": str(path), "input": {}, "pipeline": saved.dump(pipeline), "seed": seed, **args}


def ask(task: str, path: Path, pipeline: Pipeline, seed: int = 0, **args: object) -> tuple[dict, bytes]:
    """A worker function's answer."""
    answer = TASKS[task](asked(path, pipeline, seed, **args), Context())
    value, blob = answer if isinstance(answer, tuple) else (answer, b"")
    return json.loads(json.dumps(value, allow_nan=False)), blob


@pytest.mark.parametrize("name", LAZY)
def test_full_size_tiles_are_the_full_size_result_byte_for_byte(name: str) -> None:
    image = large()
    step = catalog.initial_step(name, "a", fidelity.facts_of(engine.header(image)))
    pipeline = Pipeline((Step("a", name, step.args, 1.0),))
    seed = next(seed for seed in range(9) if can_be_made(image, pipeline, seed))
    expected = band_last(engine.apply(image, pipeline, seed).image.copy_memory())
    found = assembled(image, engine.draw(engine.header(image), pipeline, seed))

    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")


@pytest.mark.parametrize("name", LAZY)
@pytest.mark.parametrize("is_first", [True, False], ids=["then enlarged", "enlarged before"])
def test_windows_are_exact_where_values_fall_between_two(name: str, *, is_first: bool) -> None:
    """Enlarging by 128/75 hits many positions that can be rounded either way."""
    image = large()
    step = catalog.initial_step(name, "a", fidelity.facts_of(engine.header(image)))
    larger = Step("b", "LongestMaxSize", (("max_size", 1024),), 1.0)
    steps = (replace(step, p=1.0), larger) if is_first else (larger, replace(step, p=1.0))
    seed = next(seed for seed in range(9) if can_be_made(image, Pipeline(steps), seed))
    expected = band_last(engine.apply(image, Pipeline(steps), seed).image.copy_memory())
    drawn = engine.draw(engine.header(image), Pipeline(steps), seed)
    sheet = tiles.sheet(fidelity.shrinker(image), drawn, drawn.firings, 0, image)
    x, y = min(291, sheet.image.width // 2), min(133, sheet.image.height // 2)
    window = band_last(sheet.image.crop(x, y, sheet.image.width - x, min(200, sheet.image.height - y)).copy_memory())

    assert sheet.truth is Truth.EXACT
    assert np.array_equal(window, expected[y : y + window.shape[0], x:], equal_nan=window.dtype.kind == "f")


@pytest.mark.parametrize("mode", ["copy", "repeat", "mirror", "background"])
def test_windows_with_every_kind_of_border_are_exact(mode: str) -> None:
    image = large()
    pad = {"min_width": 1100, "min_height": 900, "border_mode": mode, "value": [1, 2, 3]}
    pipeline = loaded(
        {"transform": "LongestMaxSize", "args": {"max_size": 1024}, "p": 1.0},
        {"transform": "PadIfNeeded", "args": pad, "p": 1.0},
    )
    expected = engine.apply(image, pipeline, 0).image.numpy()
    drawn = engine.draw(engine.header(image), pipeline, 0)
    sheet = tiles.sheet(fidelity.shrinker(image), drawn, drawn.firings, 0, image)

    assert np.array_equal(sheet.image.crop(301, 77, 600, 700).numpy(), expected[77:777, 301:901])


RESIZED = {"transform": "Resize", "p": 1.0, "args": {"width": 975, "height": 780, "interpolation": "nearest"}}
LARGER = {"transform": "Affine", "p": 1.0, "args": {"scale": [1.7, 1.7]}}
SMALLER = {"transform": "Affine", "p": 1.0, "args": {"scale": [0.7, 0.7], "mode": "mirror"}}
REPEATED = {"transform": "Affine", "p": 1.0, "args": {"translate_px": {"x": [33, 33], "y": [21, 21]}, "mode": "repeat"}}
LINEAR = {"transform": "Resize", "p": 1.0, "args": {"width": 1248, "height": 702}}
CROPPED = {"transform": "CropOrPad", "p": 1.0, "args": {"width": 1100, "height": 800}}

BETWEEN = {
    "resized, nearest": (RESIZED,),
    "resized, linear": (LINEAR,),
    "enlarged by an affine map": (LARGER,),
    "made smaller in a mirrored border": (SMALLER,),
    "moved in a repeated border, then resized": (REPEATED, LINEAR),
    "made smaller, resized, then cut": (SMALLER, RESIZED, CROPPED),
    "turned, then resized": (AFFINE, LINEAR),
}
"""Steps that hit many positions that can be rounded either way, on 650 x 520 pixels."""


def stored(form: str, folder: Path) -> tuple[Path, dict[str, object]]:
    """A photograph in a kind of file, and the choice with which pipelines are fed it."""
    image, path = rgb(325, 260).resize(2), folder / f"photo.{'jpg' if form == 'upright' else 'png'}"
    if form == "upright":
        turned = image.rot90().copy()
        turned.set_type(pyvips.GValue.gint_type, "orientation", 8)
        turned.jpegsave(str(path))
        return path, {"upright": True}
    if form == "png":
        image.pngsave(str(path))
        return path, {}
    path = path.with_suffix(".tif")
    if form == "level":
        image.resize(2).tiffsave(str(path), tile=True, pyramid=True, subifd=True)
        return path, {"level": 1}
    image.tiffsave(str(path), tile=form == "tiles")
    return path, {}


@pytest.mark.parametrize("steps", BETWEEN.values(), ids=BETWEEN)
@pytest.mark.parametrize("form", ["tiles", "strips", "png", "upright", "level"])
def test_tiles_are_exact_however_the_file_is_stored(form: str, steps: tuple[dict, ...], tmp_path: Path) -> None:
    path, choice = stored(form, tmp_path)
    check_tiles(path, choice, loaded(*steps), path)
    out = tmp_path / "window.npy"
    TASKS["apply_file"](
        asked(path, loaded(*steps), 5, input=choice, window=[301, 77, 300, 280], out=str(out)), Context()
    )
    fed = saved.load({"format": 1, "input": choice, "steps": []}).input
    whole = band_last(engine.apply(images.open_image(path, fed), loaded(*steps), 5).image)

    assert np.array_equal(np.load(out), whole[77:357, 301:601])


@pytest.mark.parametrize("steps", BETWEEN.values(), ids=BETWEEN)
def test_tiles_of_a_working_copy_are_those_of_its_original(
    steps: tuple[dict, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    get_settings.cache_clear()
    path, _ = stored("png", tmp_path)
    copy = copies.place(path, "lossless")
    TASKS["make_working_copy"]({"path": str(path), "kind": "lossless", "out": str(copy)}, Context())

    assert copies.original_of(copy) == path
    check_tiles(copy, {}, loaded(*steps), path)

    TASKS["apply_file"](asked(copy, loaded(*steps), 5, out=str(tmp_path / "whole.npy")), Context())

    expected = band_last(engine.apply(pyvips.Image.new_from_file(str(path)), loaded(*steps), 5).image)
    assert np.array_equal(np.load(tmp_path / "whole.npy"), expected)


def check_tiles(path: Path, choice: dict[str, object], pipeline: Pipeline, original: Path) -> None:
    """All tiles that the worker makes of a file are, together, what the library makes of the original."""
    fed = saved.load({"format": 1, "input": choice, "steps": []}).input
    expected = band_last(engine.apply(images.open_image(original, fed), pipeline, 5).image)
    height, width, _ = expected.shape
    rows = []
    for row in range(math.ceil(height / 256)):
        made = [
            ask("tile", path, pipeline, 5, input=choice, level=0, column=column, row=row)
            for column in range(math.ceil(width / 256))
        ]
        assert {meta["truth"] for meta, _ in made} == {"exact"}
        rows.append(np.hstack([pyvips.Image.new_from_buffer(blob, "").numpy() for _, blob in made]))

    assert np.array_equal(np.vstack(rows), expected)


@settings(max_examples=25, deadline=None)
@given(strategies.pipelines(lazy=True, width=320, height=270), st.integers(0, 1000), st.data())
def test_any_window_of_a_tiled_file_is_exact(
    tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline, seed: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("tiled") / "tiled.tif"
    rgb(320, 270).tiffsave(str(path), tile=True)
    check_window(pyvips.Image.new_from_file(str(path)), pipeline, seed, data)


def can_be_made(image: pyvips.Image, pipeline: Pipeline, seed: int) -> bool:
    """Some draws of the library fail."""
    try:
        engine.apply(image, pipeline, seed).image.copy_memory()
    except StepError:
        return False
    return True


@settings(max_examples=25, deadline=None)
@given(strategies.pipelines(lazy=True, width=320, height=270), st.integers(0, 1000), st.data())
def test_any_window_of_a_generated_pipeline_is_exact(pipeline: Pipeline, seed: int, data: st.DataObject) -> None:
    check_window(rgb(320, 270), pipeline, seed, data)


def check_window(image: pyvips.Image, pipeline: Pipeline, seed: int, data: st.DataObject) -> None:
    """Some window is that of the whole, made at once."""
    drawn = engine.draw(engine.header(image), pipeline, seed)
    expected = band_last(engine.apply(image, pipeline, seed).image.copy_memory())
    sheet = tiles.sheet(fidelity.shrinker(image), drawn, drawn.firings, 0, image)
    assume(sheet.truth is Truth.EXACT)  # a resize can shrink so much that it says that it is not
    width = data.draw(st.integers(1, min(200, sheet.image.width)))
    height = data.draw(st.integers(1, min(200, sheet.image.height)))
    x = data.draw(st.integers(0, sheet.image.width - width))
    y = data.draw(st.integers(0, sheet.image.height - height))
    window = band_last(sheet.image.crop(x, y, width, height).copy_memory())

    assert np.array_equal(window, expected[y : y + height, x : x + width], equal_nan=window.dtype.kind == "f")


def test_the_worker_s_full_size_tiles_are_png_with_the_result_s_own_pixels(photo: Path) -> None:
    pipeline = loaded(AFFINE, {"transform": "GaussianBlur", "p": 1.0})
    expected = engine.apply(pyvips.Image.new_from_file(str(photo)), pipeline, 5).image.numpy()
    for column, row, width, height in [(0, 0, 256, 256), (2, 1, WIDTH - 512, HEIGHT - 256)]:
        meta, blob = ask("tile", photo, pipeline, 5, level=0, column=column, row=row)
        left, top = column * 256, row * 256

        assert (meta["width"], meta["height"], meta["truth"]) == (width, height, "exact")
        assert blob.startswith(b"\x89PNG")
        assert np.array_equal(
            pyvips.Image.new_from_buffer(blob, "").numpy(), expected[top : top + height, left : left + width]
        )


def test_smaller_levels_are_jpeg_and_look_like_the_result_shrunk(photo: Path) -> None:
    pipeline = loaded({"transform": "HorizontalFlip", "p": 1.0}, NORMALIZE)
    meta, blob = ask("tile", photo, pipeline, level=2, column=0, row=0)
    seen = pyvips.Image.new_from_buffer(blob, "").numpy().astype(float)
    flipped = pyvips.Image.new_from_file(str(photo)).fliphor().resize(0.25).numpy().astype(float)
    shown = (flipped - [100, 110, 120]) / [50, 60, 70]
    shown = (shown - meta["low"]) / (meta["high"] - meta["low"]) * 255

    assert blob.startswith(b"\xff\xd8")
    assert (meta["truth"], seen.shape) == ("to scale", (75, 150, 3))
    assert np.abs(seen - shown).mean() < 4


def test_all_tiles_of_a_float_result_are_shown_with_one_range(photo: Path) -> None:
    pipeline = loaded(NORMALIZE)
    ranges = set()
    for level, column, row in [(0, 0, 0), (0, 2, 1), (1, 0, 0), (2, 0, 0)]:
        meta, _ = ask("tile", photo, pipeline, level=level, column=column, row=row)
        ranges.add((meta["low"], meta["high"]))

    assert len(ranges) == 1


@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_the_last_level_is_the_first_that_fits_a_tile(width: int, height: int) -> None:
    sizes = tiles.level_sizes(width, height)

    assert sizes[0] == (width, height)
    assert len(sizes) == tiles.levels_for(width, height) + 1
    assert max(sizes[-1]) <= 256
    assert all(max(width, height) > 256 * 2**level for level in range(len(sizes) - 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(200, 1100), st.integers(200, 1100))
def test_a_sheet_has_the_size_that_is_told_for_its_level(width: int, height: int) -> None:
    drawn = engine.draw(engine.header(pyvips.Image.black(width, height, bands=3)), loaded(), 0)
    black = pyvips.Image.black(width, height, bands=3)
    for level, size in enumerate(tiles.level_sizes(width, height)):
        image = tiles.sheet(fidelity.shrinker(black), drawn, (), level, black).image

        assert (image.width, image.height) == size


def test_levels_and_tiles_that_are_not_there_are_one_sentence(photo: Path) -> None:
    for level, column, row in [(3, 0, 0), (-1, 0, 0), (0, 3, 0), (0, 0, 2), (0, -1, 0)]:
        with pytest.raises(ArgumentError, match=r"must lie within") as caught:
            ask("tile", photo, loaded(), level=level, column=column, row=row)
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)


def test_a_lazy_image_is_let_go_after_some_tiles(photo: Path) -> None:
    pipeline = loaded({"transform": "Rotate", "p": 1.0})
    for number in range(70):
        ask("tile", photo, pipeline, level=0, column=number % 2, row=0)

    assert len(inspecting._SHEETS) <= inspecting._KEPT
    assert all(next(asked) <= inspecting._TILES_OF_ONE for _, asked in list(inspecting._SHEETS.values()))


def test_a_tile_of_a_huge_image_asks_for_no_more_than_its_own_pixels() -> None:
    black = pyvips.Image.black(100_000, 100_000, bands=3).copy(interpretation="srgb")
    drawn = engine.draw(engine.header(black), loaded(AFFINE, {"transform": "GaussianBlur", "p": 1.0}), 0)
    sheet = tiles.sheet(lambda width, height: black, drawn, drawn.firings, 0, black)

    assert tiles.tile(sheet, 390, 390).numpy().shape == (160, 160, 3)  # made in full it would take 30 GB


def told(photo: Path, *steps: dict[str, object]) -> dict:
    return ask("inspect", photo, loaded(*steps))[0]


def test_what_is_not_lazy_or_slow_is_said_before_it_is_paid_for(photo: Path) -> None:
    assert told(photo)["notes"] == []
    assert told(photo, BY_MEAN)["notes"] == [
        "RandomBrightnessContrast is not lazy: it averages all of its input, 600 x 300 pixels; once for all tiles."
    ]
    assert told(photo, {"transform": "ToTensor"})["notes"] == [
        "ToTensor is not lazy: it would hold the whole result, 540 kB; tiles show what goes into it."
    ]
    assert told(photo, {"transform": "ElasticTransform", "p": 1.0})["notes"][0].startswith("ElasticTransform is slow: ")
    assert told(photo)["mapping"] == ""
    assert told(photo, NORMALIZE)["mapping"].startswith("float32 values are shown from the lowest")


def test_brightness_by_mean_of_a_large_image_is_never_called_exact() -> None:
    grey = pyvips.Image.black(2500, 2000, bands=3).copy(interpretation="srgb")
    drawn = engine.draw(engine.header(grey), loaded(BY_MEAN), 0)
    sheet = tiles.sheet(lambda width, height: view.shrunk(grey, width, height), drawn, drawn.firings, 0, grey)

    assert sheet.truth.value == "to scale"
    assert "estimated" in sheet.reasons[0]
    assert "estimate of their mean" in tiles.said_before(drawn)[0]


def test_a_step_that_shrinks_a_lot_is_worked_on_less_and_says_so() -> None:
    image = pyvips.Image.black(40_000, 40_000, bands=3).copy(interpretation="srgb")
    source = engine.header(image)
    asked: list[int] = []

    def base(width: int, height: int) -> pyvips.Image:
        asked.append(width)
        return pyvips.Image.black(width, height, bands=3).copy(interpretation="srgb")

    for side, expected in [(8000, Truth.EXACT), (400, Truth.TO_SCALE)]:
        drawn = engine.draw(source, loaded({"transform": "Resize", "args": {"width": side, "height": side}}), 0)
        sheet = tiles.sheet(base, drawn, drawn.firings, 0, image)
        assert sheet.truth is expected

    assert sheet.reasons == ("Resize: shrinks by 100, so this is worked on a shrunk original instead of on all of it.",)
    assert asked[0] == 40_000
    assert asked[1] < 1000


def test_a_result_too_wide_to_be_made_in_strips_is_not_called_exact() -> None:
    source = pyvips.Image.new_from_memory(bytes(60_000 * 500 * 3), 60_000, 500, 3, "uchar").copy(interpretation="srgb")
    larger = loaded({"transform": "RandomScale", "p": 1.0, "args": {"scale_limit": [0.4, 0.4]}})
    drawn = engine.draw(engine.header(source), larger, 0)
    truth, reasons = tiles.truth_at(drawn, drawn.firings, 0, source)

    assert truth is Truth.TO_SCALE
    assert "rounded the other way" in reasons[0]


def test_noise_below_full_size_is_called_statistical(photo: Path) -> None:
    found = told(photo, {"transform": "GaussNoise", "p": 1.0})

    assert found["full"] == {"truth": "exact", "reasons": []}
    assert found["reduced"]["truth"] == "statistical"
    assert found["reduced"]["reasons"][0].startswith("GaussNoise: ")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], 0.5),
        ([{"transform": "Rotate", "p": 1.0}], 0.5),
        ([{"transform": "Affine", "p": 1.0, "args": {"rotate": [30, 30], "scale": [2.0, 2.0]}}], 0.25),
        ([{"transform": "Affine", "p": 1.0, "args": {"shear": [20, 20]}}], None),
        ([{"transform": "Resize", "args": {"width": 300, "height": 150}}], 1.0),
        ([{"transform": "Resize", "args": {"width": 300, "height": 300}}], None),
        ([{"transform": "CenterCrop", "args": {"width": 30, "height": 30}}], 0.5),
    ],
)
def test_microns_per_pixel_follow_the_steps_that_enlarge(
    steps: list[dict[str, object]], expected: float | None
) -> None:
    drawn = engine.draw(engine.header(large()), loaded(*steps), 0)

    assert tiles.microns_per_pixel(drawn, 0.5) == (None if expected is None else pytest.approx(expected, rel=1e-3))
    assert tiles.microns_per_pixel(drawn, None) is None


def test_the_original_is_laid_where_the_result_s_middle_comes_from() -> None:
    source = engine.header(large())

    def shift(*steps: dict[str, object]) -> tuple[int, int]:
        return probing.shift(engine.draw(source, loaded(*steps), 3))

    crop = {"transform": "Crop", "p": 1.0, "args": {"x_min": 40, "y_min": 30, "x_max": 240, "y_max": 130}}
    assert shift() == (0, 0)
    assert shift({"transform": "HorizontalFlip", "p": 1.0}) == (0, 0)
    assert shift(crop) == (-40, -30)
    pad = {"transform": "PadIfNeeded", "args": {"min_width": 700, "min_height": 401, "value": [9, 9, 9]}}
    assert shift(pad) == (50, 50)
    assert shift(NORMALIZE) == (0, 0)
    assert shift({"transform": "Resize", "args": {"width": 300, "height": 60}}) == (0, 0)
    assert shift(crop, {"transform": "Resize", "args": {"width": 100, "height": 50}}) == (-20, -15)
    assert shift({"transform": "Resize", "args": {"width": 20, "height": 10}}) == (0, 0)  # too much to ask
