"""Contact sheets: the pictures on them are the picture task's own pixels, in a grid, with readable labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import contact_sheet, engine, presets, saved
from augviz.context import Context
from augviz.errors import ArgumentError, Cancelled, ImageError
from augviz.shown import encode_jpeg
from augviz.tasks import TASKS
from tests import samples

TURN = {"transform": "Rotate", "p": 0.7}
NORMAL = {"transform": "Normalize", "args": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}}
TOO_LARGE = {"transform": "CenterCrop", "p": 0.5, "args": {"height": 900, "width": 900}}


def pipeline(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"format": 1, "steps": list(steps)}


def made(**args: Any) -> tuple[dict[str, Any], pyvips.Image]:
    """What the task tells, as it comes out of a pipe, and the picture."""
    meta, blob = TASKS["contact_sheet"]({"path": samples.path(), "input": {}, **args}, Context())
    image = pyvips.Image.pngload_buffer(blob)
    assert (image.width, image.height, image.bands, image.format) == (meta["width"], meta["height"], 3, "uchar")
    return json.loads(json.dumps(meta, allow_nan=False)), image.copy_memory()


def part(image: pyvips.Image, cell: dict[str, Any]) -> pyvips.Image:
    return image.crop(cell["x"], cell["y"], cell["width"], cell["height"])


def assert_pictures(meta: dict[str, Any], image: pyvips.Image, bands: int = 3, **args: Any) -> None:
    """Each draw's part of the sheet makes the very JPEG that the picture task answers with."""
    for cell in meta["cells"][1:]:
        request = {"path": samples.path(), "input": {}, "quality": "fine", **args, "seed": cell["seed"]}
        _, blob = TASKS["picture"](request, Context())
        seen = part(image, cell)
        kept = seen if bands == 3 else seen.extract_band(0)
        assert encode_jpeg(kept.copy(interpretation="srgb" if bands == 3 else "b-w")) == blob
        assert bands == 3 or np.ptp(seen.numpy(), axis=2).max() == 0


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system on which Pango finds no font to write with."""
    monkeypatch.setattr(contact_sheet, "_has_fonts", lambda: False)


@pytest.mark.parametrize(("count", "columns"), [(1, 2), (4, 3), (16, 5)])
def test_every_picture_is_the_picture_tasks_in_its_place(count: int, columns: int) -> None:
    steps = pipeline(TURN, {"transform": "GaussNoise"})
    meta, image = made(pipeline=steps, seed=5, count=count, side=128)

    assert meta["columns"] == columns
    assert [cell["seed"] for cell in meta["cells"]] == [None, *range(5, 5 + count)]
    assert [cell["error"] for cell in meta["cells"]] == [None] * (count + 1)
    assert_pictures(meta, image, pipeline=steps, side=128)
    places = [(cell["x"], cell["y"]) for cell in meta["cells"]]
    assert len({x for x, _ in places}) == min(columns, count + 1)
    assert all(x % (128 + contact_sheet.MARGIN) == contact_sheet.MARGIN for x, _ in places)
    assert places == sorted(places, key=lambda place: (place[1], place[0]))


def test_the_first_picture_is_the_original() -> None:
    meta, image = made(pipeline=pipeline({"transform": "HorizontalFlip", "p": 1.0}), seeds=[3], side=512)
    first, flipped = (part(image, cell).numpy() for cell in meta["cells"])

    assert np.array_equal(first, samples.rgb(512, 512).numpy())
    assert np.array_equal(flipped, first[:, ::-1])


def test_chosen_seeds_are_shown_in_their_order() -> None:
    meta, image = made(pipeline=pipeline(TURN), seeds=[9, -4, 9], side=96)

    assert [cell["seed"] for cell in meta["cells"]] == [None, 9, -4, 9]
    assert_pictures(meta, image, pipeline=pipeline(TURN), side=96)


def test_a_single_band_is_shown_in_grey() -> None:
    path = samples.path("camera.png")
    meta, image = made(path=path, pipeline=pipeline(TURN), seed=0, count=4, side=128)

    assert_pictures(meta, image, bands=1, path=path, pipeline=pipeline(TURN), side=128)


def test_float_results_are_mapped_as_the_picture_is() -> None:
    steps = pipeline(TURN, NORMAL, {"transform": "ToTensor"})
    meta, image = made(pipeline=steps, seed=0, count=2, side=128)

    assert_pictures(meta, image, pipeline=steps, side=128)


def test_the_input_choice_is_followed() -> None:
    args = {"pipeline": {**pipeline(TURN), "input": {"bands": 1}}, "side": 128}
    meta, image = made(**args, seed=0, count=1)

    assert_pictures(meta, image, bands=1, **args)


def test_a_draw_that_fails_has_its_sentence_in_the_pictures_place() -> None:
    steps = pipeline(TURN, TOO_LARGE)
    meta, image = made(pipeline=steps, seed=0, count=6, side=128)
    failed = [cell for cell in meta["cells"] if cell["error"]]
    shown = [cell for cell in meta["cells"] if not cell["error"]]

    assert len(failed) >= 1
    assert len(shown) >= 2
    assert all("step 2, CenterCrop: " in cell["error"] for cell in failed)
    assert all((cell["width"], cell["height"]) == (0, 0) for cell in failed)
    assert_pictures({"cells": shown}, image, pipeline=steps, side=128)
    place = image.crop(failed[0]["x"], failed[0]["y"], 128, 40).numpy()
    assert 0.02 < (place < 128).mean() < 0.4  # writing, not a picture and not nothing


def test_pixels_that_cannot_be_made_are_a_sentence_too(tmp_path: Path) -> None:
    tall = tmp_path / "tall.png"
    pyvips.Image.black(3, 200, bands=3).copy(interpretation="srgb").write_to_file(str(tall))
    wide = {"transform": "MedianBlur", "p": 1.0, "args": {"blur_limit": [9, 9]}}
    meta, _ = made(path=str(tall), pipeline=pipeline(wide), seed=0, count=1, side=384)

    assert "step 1, MedianBlur" in meta["cells"][1]["error"]
    assert meta["cells"][0]["error"] is None


def test_a_sheet_on_which_every_draw_fails_is_still_a_sheet() -> None:
    meta, _ = made(pipeline=pipeline({**TOO_LARGE, "p": 1.0}), seed=0, count=16, side=96)

    assert sum(cell["error"] is not None for cell in meta["cells"]) == 16


def test_a_file_that_cannot_be_read_is_an_error_and_no_sheet(tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(samples.path()).read_bytes()[:300_000])

    with pytest.raises(ImageError, match=r"cut\.png"):
        made(path=str(cut), pipeline=pipeline(TURN), seed=0, count=1)


def test_labels_tell_what_was_drawn_and_skipped() -> None:
    form = saved.load(pipeline({**TURN, "p": 1.0}, {"transform": "Blur", "p": 0.0}, {**NORMAL, "enabled": False}))
    draw = engine.draw(engine.header(samples.rgb()), form, 3).draw
    angle = draw.leaves[0].values["angle"]

    assert contact_sheet.label(draw) == (f"1 Rotate: angle {angle:.4g}", "skipped: 2 Blur")


def test_the_label_of_a_long_pipeline_says_how_much_it_leaves_out() -> None:
    form = saved.load(pipeline(*[{"transform": "VerticalFlip", "p": 1.0}] * 40))
    lines = contact_sheet.label(engine.draw(engine.header(samples.rgb()), form, 0).draw)

    assert len(lines) < 20
    assert lines[-1] == "and 26 more steps"


def test_the_summary_names_the_enabled_items_with_groups_around_theirs() -> None:
    group = {"group": "OneOf", "steps": [{"transform": "Blur"}, {"transform": "Flip", "enabled": False}]}
    form = saved.load(pipeline(TURN, {**NORMAL, "enabled": False}, group, {"transform": "ToTensor"}))

    assert contact_sheet.summary(form) == "Rotate → OneOf(Blur) → ToTensor"
    assert contact_sheet.summary(saved.load(pipeline())) == "no steps"


def test_the_header_is_written_from_the_name_alone(tmp_path: Path) -> None:
    copy = tmp_path / "a folder nobody should read" / "astronaut.png"
    copy.parent.mkdir()
    copy.write_bytes(Path(samples.path()).read_bytes())
    sheets = [made(path=path, pipeline=pipeline(), seed=0, count=1)[1] for path in (str(copy), samples.path())]
    other = made(pipeline=pipeline(), seed=0, count=1, name="another <b>name</b> & more")[1]

    assert np.array_equal(sheets[0].numpy(), sheets[1].numpy())
    assert not np.array_equal(sheets[0].crop(0, 0, 800, 40).numpy(), other.crop(0, 0, 800, 40).numpy())


@pytest.mark.parametrize("name", ["", " ", "<b>", "a & b", "new\nline", "\ud800", "日本.tif", "x" * 2000, "\0"])
def test_any_name_can_be_written(name: str) -> None:
    assert contact_sheet._text([name], 300, bold=True).width <= 300
    assert contact_sheet._text([name, "second line"], 300).height > 15


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.parametrize("name", ["", " ", "<b>", "日本 → ok", "x" * 2000])
def test_any_name_can_be_written_without_fonts(name: str) -> None:
    image = contact_sheet._text([name, "a second line of many words that has to be wrapped somewhere"], 200)

    assert image.width <= 200
    assert image.height >= 3 * 12


def test_text_is_wrapped_to_its_cell_and_has_ink_of_every_letter() -> None:
    long = contact_sheet._text(["one two three four five six seven eight nine ten " * 4], 128)

    assert long.width <= 128
    assert long.height > 100
    assert contact_sheet._text(["W"], 128).width > contact_sheet._text(["i"], 128).width


@pytest.mark.usefixtures("no_fonts")
def test_a_system_without_fonts_gets_the_same_pictures() -> None:
    meta, image = made(pipeline=pipeline(TURN), seed=0, count=2, side=128)

    assert_pictures(meta, image, pipeline=pipeline(TURN), side=128)
    below = meta["cells"][0]["y"] + meta["cells"][0]["height"]
    assert (image.crop(16, below, 128, 30).numpy() < 128).any()


@pytest.mark.parametrize("args", [{"count": 0}, {"count": 17}, {"seeds": []}, {"seeds": list(range(17))}])
def test_no_draw_and_more_than_16_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=r"shows 1 to 16 draws, got (0|17)"):
        made(pipeline=pipeline(), **args)


@pytest.mark.parametrize("side", [0, 63, 769])
def test_pictures_of_another_size_are_refused(side: int) -> None:
    with pytest.raises(ArgumentError, match=f"64 to 768 pixels wide or high, got {side}"):
        made(pipeline=pipeline(), side=side)


def test_a_sheet_that_nobody_waits_for_is_given_up() -> None:
    context = Context()
    context.cancel()

    with pytest.raises(Cancelled):
        TASKS["contact_sheet"]({"path": samples.path(), "pipeline": pipeline(TURN), "seed": 0}, context)


def test_a_preset_is_told_with_all_its_steps() -> None:
    meta, image = made(pipeline=saved.dump(presets.FIRST.pipeline), seed=2, count=1)

    assert max(meta["cells"][1]["width"], meta["cells"][1]["height"]) == contact_sheet.SIDE
    assert image.height > meta["cells"][1]["y"] + meta["cells"][1]["height"] + 60
