"""Where a pixel comes from, checked against arithmetic of our own, and values against the images themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import engine, fidelity, probing, saved
from augviz.errors import ArgumentError
from augviz.model import Pipeline
from augviz.probing import Place
from tests import strategies
from tests.samples import rgb

WIDTH, HEIGHT = 300, 200
NORMALIZE = {"transform": "Normalize", "p": 1.0, "args": {"mean": [100, 110, 120], "std": [50, 60, 70]}}
FLIP = {"transform": "HorizontalFlip", "p": 1.0}
CROP = {"transform": "Crop", "p": 1.0, "args": {"x_min": 40, "y_min": 30, "x_max": 240, "y_max": 130}}


def loaded(*steps: dict[str, object]) -> Pipeline:
    return saved.load({"format": 1, "steps": list(steps)})


def drawn_for(*steps: dict[str, object], seed: int = 3) -> engine.Drawn:
    return engine.draw(engine.header(rgb(WIDTH, HEIGHT)), loaded(*steps), seed)


def source_of(x: int, y: int, *steps: dict[str, object]) -> Place | None:
    return probing.places(drawn_for(*steps), x, y)[0]


def near(place: Place | None, x: float, y: float, within: float = 0.05) -> bool:
    return place is not None and abs(place.x - x) <= within and abs(place.y - y) <= within


points = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))


@settings(max_examples=20, deadline=None)
@given(points)
def test_flips_mirror_the_place(point: tuple[int, int]) -> None:
    x, y = point

    assert source_of(x, y, FLIP) == Place(WIDTH - 1 - x, y)
    assert source_of(x, y, {"transform": "VerticalFlip", "p": 1.0}) == Place(x, HEIGHT - 1 - y)
    assert source_of(x, y, FLIP, NORMALIZE, FLIP) == Place(x, y)


@pytest.mark.parametrize("name", ["Transpose", "Flip"])
def test_turned_pixels_are_found_where_they_were(name: str) -> None:
    coordinates = pyvips.Image.xyz(WIDTH, HEIGHT).cast("ushort").bandjoin(0).cast("ushort").copy(interpretation="rgb16")
    for seed in range(3):
        drawn = engine.draw(engine.header(coordinates), loaded({"transform": name, "p": 1.0}), seed)
        result = engine.apply(coordinates, loaded({"transform": name, "p": 1.0}), seed).image

        assert probing.places(drawn, 7, 120)[0] == Place(*result(7, 120)[:2])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 199), st.integers(0, 99))
def test_a_crop_moves_the_place_by_its_corner(x: int, y: int) -> None:
    assert source_of(x, y, CROP) == Place(x + 40, y + 30)


@pytest.mark.parametrize("degrees", [-35, 20, 90])
def test_a_rotation_turns_the_place_around_the_middle(degrees: float) -> None:
    steps = ({"transform": "Rotate", "p": 1.0, "args": {"limit": [degrees, degrees], "value": [1, 2, 3]}},)
    result = drawn_for(*steps).draw.result
    turn = math.radians(degrees)
    for dx, dy in [(0, 0), (40, 0), (-30, 25)]:
        x, y = round((result.width - 1) / 2) + dx, round((result.height - 1) / 2) + dy
        across, down = x - (result.width - 1) / 2, y - (result.height - 1) / 2
        expected_x = (WIDTH - 1) / 2 + math.cos(turn) * across + math.sin(turn) * down
        expected_y = (HEIGHT - 1) / 2 - math.sin(turn) * across + math.cos(turn) * down

        assert near(source_of(x, y, *steps), expected_x, expected_y, within=1.1)  # the canvas has whole pixels


def test_what_a_rotation_fills_comes_from_nowhere() -> None:
    places = probing.places(
        drawn_for({"transform": "Rotate", "p": 1.0, "args": {"limit": [30, 30], "value": [9, 9, 9]}}, NORMALIZE), 0, 0
    )

    assert places[0] is None
    assert places[1] == places[2] == Place(0, 0)


@settings(max_examples=10, deadline=None)
@given(st.integers(30, 260), st.integers(30, 170))
def test_an_affine_map_s_inverse_gives_the_place(x: int, y: int) -> None:
    steps = ({"transform": "Affine", "p": 1.0, "args": {"rotate": [12, 12], "scale": [1.4, 1.4], "shear": [5, 5]}},)
    drawn = drawn_for(*steps)
    matrix = drawn.firings[0].params["matrix"].params
    expected = np.linalg.inv(matrix) @ [x, y, 1]
    place = probing.places(drawn, x, y)[0]

    assert near(place, expected[0], expected[1])


@pytest.mark.parametrize(("width", "height"), [(600, 400), (150, 100), (450, 100)])
def test_a_resize_scales_the_place(width: int, height: int) -> None:
    steps = ({"transform": "Resize", "args": {"width": width, "height": height}},)
    half = 0.5 * max(1.0, WIDTH / width, HEIGHT / height)  # enlarging moves by half an output pixel (D31)
    for x, y in [(width // 2, height // 2), (width // 4, height // 3)]:
        expected = ((x + 0.5) * WIDTH / width - 0.5, (y + 0.5) * HEIGHT / height - 0.5)

        assert near(source_of(x, y, *steps), *expected, within=half + 0.1)


@pytest.mark.parametrize(
    ("mode", "expected"), [("background", None), ("copy", Place(0, 0)), ("mirror", Place(39, 19)), ("white", None)]
)
def test_a_border_comes_from_outside_or_from_what_it_repeats(mode: str, expected: Place | None) -> None:
    pad = {"min_width": WIDTH + 100, "min_height": HEIGHT + 100, "border_mode": mode, "value": [5, 6, 7]}
    steps = ({"transform": "PadIfNeeded", "args": pad, "p": 1.0},)

    assert source_of(60, 70, *steps) == Place(10, 20)
    assert source_of(10, 30, *steps) == expected


def test_colours_that_add_bands_on_the_way_do_not_hide_the_place() -> None:
    grey = engine.header(rgb(WIDTH, HEIGHT).extract_band(0).copy(interpretation="b-w"))
    holes = {"transform": "CoarseDropout", "p": 1.0, "args": {"fill_value": [1, 2, 3]}}
    turn = {"transform": "Affine", "p": 1.0, "args": {"translate_px": [10, 10], "cval": [4, 5, 6]}}
    drawn = engine.draw(grey, loaded(holes, turn), 0)

    assert drawn.firings[-1].before.bands == 3
    assert near(probing.places(drawn, 100, 100)[0], 90, 90)


def test_alpha_does_not_hide_the_place() -> None:
    source = engine.header(rgb(WIDTH, HEIGHT).bandjoin(7))
    turn = {"transform": "Affine", "p": 1.0, "args": {"translate_px": [10, 10]}}

    assert source.bands == 4
    assert near(probing.places(engine.draw(source, loaded(turn), 0), 100, 100)[0], 90, 90)


@settings(max_examples=15, deadline=None)
@given(strategies.pipelines(lazy=True, width=200, height=170), st.integers(0, 99), st.data())
def test_probed_values_are_those_of_the_images_themselves(pipeline: Pipeline, seed: int, data: st.DataObject) -> None:
    image = rgb(200, 170)
    drawn = engine.draw(engine.header(image), pipeline, seed)
    result = drawn.draw.result
    x, y = data.draw(st.integers(0, result.width - 1)), data.draw(st.integers(0, result.height - 1))
    rows = probing.probe(fidelity.shrinker(image), drawn, x, y, image)
    expected = engine.apply(image, pipeline, seed).image.copy_memory()(x, y)

    assert len(rows) == len(drawn.firings) + 1
    assert (rows[-1]["x"], rows[-1]["y"]) == (x, y)
    assert rows[-1]["values"] == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)
    if rows[0]["values"] is not None:
        assert rows[0]["values"] == image(rows[0]["x"], rows[0]["y"])


def test_each_row_names_its_step_its_place_and_its_dtype() -> None:
    image = rgb(WIDTH, HEIGHT)
    rows = probing.probe(fidelity.shrinker(image), drawn_for(FLIP, CROP, NORMALIZE), 10, 20, image)
    before = image(249, 50)

    assert [(row["position"], row["transform"], row["dtype"], row["x"], row["y"]) for row in rows] == [
        (0, "Original", "uint8", 249, 50),
        (1, "HorizontalFlip", "uint8", 50, 50),
        (2, "Crop", "uint8", 10, 20),
        (3, "Normalize", "float32", 10, 20),
    ]
    assert rows[0]["values"] == rows[1]["values"] == rows[2]["values"] == before
    assert rows[3]["values"] == pytest.approx((np.array(before) - [100, 110, 120]) / [50, 60, 70], rel=1e-5)


def test_values_that_are_no_finite_numbers_are_words() -> None:
    image = pyvips.Image.black(4, 4) * float("nan")
    drawn = engine.draw(engine.header(image), loaded(), 0)
    rows = probing.probe(lambda width, height: image, drawn, 1, 1, image)

    assert rows[0]["values"] == ["nan"]


def test_a_window_s_figures_are_numpy_s() -> None:
    image = rgb(WIDTH, HEIGHT)
    drawn = drawn_for(FLIP, NORMALIZE)
    found = probing.window(fidelity.shrinker(image), drawn, (20, 30, 100, 50), image)
    after = engine.apply(image, loaded(FLIP, NORMALIZE), 3).image.numpy()[30:80, 20:120]
    before = image.numpy()[30:80, WIDTH - 120 : WIDTH - 20]

    for figures, values in ((found["before"], before), (found["after"], after)):
        assert (figures["width"], figures["height"]) == (100, 50)
        for band, figure in enumerate(figures["bands"]):
            one = values[:, :, band].astype(float)
            assert figure["low"] == one.min()
            assert figure["high"] == one.max()
            assert figure["mean"] == pytest.approx(one.mean())
            assert figure["deviation"] == pytest.approx(one.std())
    assert (found["before"]["x"], found["before"]["y"]) == (WIDTH - 120, 30)
    assert (found["truth"], found["reasons"]) == ("exact", [])


def test_a_window_that_is_worked_on_a_shrunk_original_says_so() -> None:
    image = rgb(WIDTH, HEIGHT).resize(8)
    drawn = engine.draw(engine.header(image), loaded({"transform": "Resize", "args": {"width": 90, "height": 60}}), 0)
    found = probing.window(fidelity.shrinker(image), drawn, (0, 0, 90, 60), image)

    assert found["truth"] == "to scale"
    assert found["reasons"] == [
        "Resize: shrinks by 27, so this is worked on a shrunk original instead of on all of it."
    ]


def test_the_part_of_the_original_behind_a_window_of_a_crop_is_that_window() -> None:
    image = rgb(WIDTH, HEIGHT)
    found = probing.window(fidelity.shrinker(image), drawn_for(CROP), (5, 6, 70, 40), image)

    assert [found["before"][name] for name in ("x", "y", "width", "height")] == [45, 36, 70, 40]
    assert found["before"]["bands"] == found["after"]["bands"]
    assert found["before"]["histogram"] == found["after"]["histogram"]


def test_a_window_of_fill_alone_has_no_original() -> None:
    turned = drawn_for({"transform": "Rotate", "p": 1.0, "args": {"limit": [45, 45], "value": [9, 8, 7]}})
    image = rgb(WIDTH, HEIGHT)
    found = probing.window(fidelity.shrinker(image), turned, (0, 0, 20, 20), image)

    assert found["before"] is None
    assert [band["mean"] for band in found["after"]["bands"]] == [9, 8, 7]


def test_points_and_windows_outside_and_too_large_windows_are_one_sentence() -> None:
    image = rgb(WIDTH, HEIGHT)
    base, drawn = fidelity.shrinker(image), drawn_for()
    for x, y in [(-1, 0), (WIDTH, 0), (0, HEIGHT)]:
        with pytest.raises(ArgumentError, match=r"The point .* must lie inside the result, 300 x 200 pixels\."):
            probing.probe(base, drawn, x, y, image)
    for rectangle in [(0, 0, WIDTH + 1, 1), (-1, 0, 5, 5), (0, 0, 0, 5), (290, 0, 20, 5)]:
        with pytest.raises(ArgumentError, match="must lie inside the result"):
            probing.window(base, drawn, rectangle, image)
    huge = engine.draw(engine.header(pyvips.Image.black(9000, 9000)), loaded(), 0)
    with pytest.raises(ArgumentError, match="zoom in"):
        probing.window(base, huge, (0, 0, 9000, 9000), image)
