"""Estimates: the arithmetic, and that windows are made of what really would be made. How exact: `make estimates`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from augviz import engine, estimates, windows
from augviz.context import Context
from augviz.errors import ArgumentError, Cancelled
from augviz.estimates import Estimate, Windows
from augviz.measure import Seconds, Subject
from augviz.model import Draw, Header, InputChoice, Pipeline, Step
from tests.test_measure import noise

SHAPE = Header(4096, 4096, 3, "uchar", "srgb")
BLUR = Step("b", "Blur", (), 1.0)
CROP = Step("c", "RandomCrop", (("height", 512), ("width", 1024)), 1.0)
FLIP = Step("f", "HorizontalFlip", (), 1.0)
FLOAT = Step("n", "Normalize", (("mean", (0.0,) * 3), ("std", (1.0,) * 3)), 1.0)


def draw(*steps: Step, shape: Header = SHAPE) -> Draw:
    return engine.draw(shape, Pipeline(steps), 0).draw


# Values


@pytest.mark.parametrize("broken", [{"seconds": 3.0}, {"seconds_low": float("nan")}, {"stream_bytes": -1}])
def test_an_estimate_lies_within_its_band(broken: dict[str, Any]) -> None:
    good = {"seconds": 1.0, "seconds_low": 0.5, "seconds_high": 2.0, "stream_bytes": 1, "hold_bytes": 2}

    assert Estimate(**good).error_share(0.5) == 1.0
    with pytest.raises(ArgumentError):
        Estimate(**{**good, **broken})


def test_an_answer_that_is_no_estimate_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no estimate"):
        estimates.estimate_from_json({"seconds": 1.0})


positive = st.floats(0.001, 1000)


@given(
    positive,
    positive,
    st.floats(0.1, 4),
    st.floats(0, 3),
    st.integers(1, 4),
    st.floats(0, 100),
    st.none() | positive,
    st.integers(4, 64),
)
def test_the_band_holds_the_estimate_and_what_the_clock_said(
    cpu: float,
    wall: float,
    parallel: float,
    spread: float,
    count: int,
    before: float,
    costs: float | None,
    threads: int,
) -> None:
    seconds, low, high = estimates.combined(Windows(cpu, wall, parallel, spread, count, before), costs, threads)

    assert 0 < low <= seconds <= high
    assert high >= wall
    assert seconds >= before


def test_windows_that_differ_widen_the_band() -> None:
    _, low, high = estimates.combined(Windows(8, 4, 2, 0.0), None, 2)
    _, lower, higher = estimates.combined(Windows(8, 4, 2, 1.0), None, 2)

    assert lower < low
    assert higher > high


def test_costs_count_where_there_was_time_for_few_windows_only() -> None:
    enough, _, _ = estimates.combined(Windows(8, 4, 2, 0.0, count=4), 2.0, 2)
    few, low, high = estimates.combined(Windows(8, 4, 2, 0.0, count=1), 2.0, 2)

    assert enough == 4
    assert few == 2
    assert low < 1 / estimates.BAND + 0.01
    assert high >= 4


# Costs


def test_before_a_crop_only_what_is_in_it_is_needed() -> None:
    assert estimates.needed(draw(FLIP, BLUR)) == (1.0, 1.0, 1.0)
    assert estimates.needed(draw(BLUR, CROP, FLIP)) == (1 / 32, 1 / 32, 1.0, 1.0)


def test_costs_are_multiplied_by_the_pixels_that_are_made() -> None:
    costs = {"Blur": 10.0, "HorizontalFlip": 2.0}
    megapixels = 4096 * 4096 / 1e6

    assert estimates.cpu_seconds(draw(BLUR, FLIP), costs, 0.0) == pytest.approx(megapixels * 12 / 1000)
    assert estimates.cpu_seconds(draw(BLUR, CROP), {**costs, "RandomCrop": 0.0}, 1.0) == pytest.approx(
        megapixels * 11 / 32 / 1000
    )


def test_measured_costs_take_the_place_of_the_catalogues() -> None:
    catalogued = estimates.cpu_seconds(draw(BLUR), None)

    assert estimates.cpu_seconds(draw(BLUR), {}) == catalogued
    assert estimates.cpu_seconds(draw(BLUR), {"Blur": 1000.0}) > catalogued


def test_a_skipped_step_costs_nothing() -> None:
    never = Step("never", "MedianBlur", (), 0.0)

    assert estimates.cpu_seconds(draw(FLIP, never), None) == estimates.cpu_seconds(draw(FLIP), None)


def test_only_the_holes_that_are_needed_take_memory() -> None:
    holes = Step("h", "CoarseDropout", (("max_holes", 64), ("min_holes", 64)), 1.0)

    assert estimates.holes_bytes(draw(FLIP, BLUR)) == 0
    assert estimates.holes_bytes(draw(holes)) == 64 * estimates.HOLE_BYTES
    assert estimates.holes_bytes(draw(holes, CROP)) == 2 * estimates.HOLE_BYTES


# Windows


def test_windows_without_their_edges_are_what_the_whole_costs() -> None:
    inside, edge = 0.01, 0.1  # seconds for each line, and for each window
    made = windows._told(
        [Seconds(512 * inside + edge, 512 * inside + edge)] * 3,
        [Seconds(256 * inside + edge, 256 * inside + edge)] * 3,
        4096 * 100,
        512 * 100,
        256 * 100,
    )

    assert made.cpu == pytest.approx(4096 * inside)
    assert made.spread == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiled.tif and whole.png, 2048 pixels square."""
    folder = tmp_path_factory.mktemp("images")
    noise(2048).tiffsave(str(folder / "tiled.tif"), tile=True, tile_width=256, tile_height=256, compression="jpeg")
    noise(2048).pngsave(str(folder / "whole.png"), compression=1)
    return folder


def estimated(path: Path, *steps: Step, **more: Any) -> dict[str, Any]:
    return windows.estimate(Subject(str(path), InputChoice(**more), Pipeline(steps), 0), Context())


@pytest.mark.parametrize("name", ["tiled.tif", "whole.png"])
def test_an_estimate_has_a_band_and_both_memories(folder: Path, name: str) -> None:
    found = estimates.estimate_from_json(estimated(folder / name, BLUR, FLOAT))

    assert 0 < found.seconds_low <= found.seconds <= found.seconds_high
    assert found.hold_bytes == found.stream_bytes + 2048 * 2048 * 3 * 4
    assert not found.measured_costs


def test_a_file_that_is_decoded_whole_counts_whole(folder: Path) -> None:
    decoded = 2048 * 2048 * 3

    assert estimated(folder / "whole.png", FLIP)["stream_bytes"] >= decoded


def test_a_file_that_is_turned_upright_is_estimated_too(tmp_path: Path) -> None:
    image = noise(512).crop(0, 0, 512, 300)
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.jpegsave(str(tmp_path / "turned.jpg"))

    assert estimated(tmp_path / "turned.jpg", FLIP, upright=True)["hold_bytes"] >= 512 * 300 * 3


def test_a_step_that_reads_its_whole_input_does_so_for_nobody_but_itself(folder: Path) -> None:
    by_mean = Step("m", "RandomBrightnessContrast", (("brightness_by_max", False),), 1.0)
    source = engine.header(pyvips.Image.new_from_file(str(folder / "tiled.tif")))
    transform = engine.draw(source, Pipeline((by_mean,)), 0).firings[0].transform

    found = estimated(folder / "tiled.tif", by_mean)

    assert found["seconds"] > 0
    assert transform.brightness_by_max is False


def test_an_estimate_that_was_given_up_is_none(folder: Path) -> None:
    context = Context()
    context.cancel()

    with pytest.raises(Cancelled):
        windows.estimate(Subject(str(folder / "tiled.tif"), InputChoice(), Pipeline((BLUR,)), 0), context)


@pytest.mark.parametrize("side", [1, 3, 300])
def test_small_images_are_made_whole(tmp_path: Path, side: int) -> None:
    noise(side).pngsave(str(tmp_path / "small.png"))

    assert estimated(tmp_path / "small.png", FLIP)["seconds"] > 0
