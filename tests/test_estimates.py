"""Estimates: the arithmetic, and that windows are made of what really would be made. How exact: `make estimates`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import calibration, catalog, engine, estimates, saved, windows
from augviz.advice.ratios import FLOAT_RATIOS
from augviz.calibration import Cost
from augviz.context import Context
from augviz.environment import threads
from augviz.errors import ArgumentError, Cancelled, StepError
from augviz.estimates import Estimate, Windows
from augviz.headers import describe
from augviz.jobs import start_job
from augviz.measure import Seconds, Subject
from augviz.model import Draw, Header, ImageFacts, InputChoice, Pipeline, Step
from augviz.settings import get_settings
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
    good: dict[str, Any] = {"seconds": 1.0, "seconds_low": 0.5, "seconds_high": 2.0, "stream_bytes": 1, "hold_bytes": 2}

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
    costs = {"Blur": 10.0, "HorizontalFlip": 2.0, "RandomCrop": 0.0}
    megapixels = 4096 * 4096 / 1e6

    assert estimates.cpu_seconds(draw(BLUR, FLIP), {"uchar": costs}) == pytest.approx(megapixels * 12 / 1000)
    assert estimates.cpu_seconds(draw(BLUR, CROP), {"uchar": costs}, 1.0) == pytest.approx(
        1.0 + megapixels * 10 / 32 / 1000
    )


def test_measured_costs_take_the_place_of_the_catalogues() -> None:
    catalogued = estimates.cpu_seconds(draw(BLUR), None)

    assert estimates.cpu_seconds(draw(BLUR), {}) == catalogued
    assert estimates.cpu_seconds(draw(BLUR), {"uchar": {"Blur": 1000.0}}) > catalogued


def cost_of(step: Step, shape: Header, costs: Any) -> float:
    """Of the last step, fed an image of that format by the step itself."""
    return estimates.step_cost(draw(step, shape=shape).leaves[-1], costs)


def rgb(pixel_format: str, bands: int = 3) -> Header:
    return Header(4096, 4096, bands, pixel_format, "multiband")


def test_a_step_costs_what_was_measured_on_the_format_that_it_gets() -> None:
    costs = {"uchar": {"Blur": 2.0}, "float": {"Blur": 30.0}}

    assert cost_of(BLUR, rgb("uchar"), costs) == pytest.approx(2.0)
    assert cost_of(BLUR, rgb("float"), costs) == pytest.approx(30.0)
    assert cost_of(BLUR, rgb("ushort"), costs) == pytest.approx(30.0)


def test_where_floats_were_not_measured_they_take_as_many_times_longer_as_on_another_machine() -> None:
    flip = catalog.transform("HorizontalFlip").cost_ms_per_megapixel or 0.0

    assert cost_of(BLUR, rgb("float"), {"uchar": {"Blur": 2.0}, "float": {}}) == pytest.approx(2 * FLOAT_RATIOS["Blur"])
    assert cost_of(BLUR, rgb("float"), {}) == pytest.approx(estimates.FLOAT_COSTS["Blur"])
    assert cost_of(FLIP, rgb("float"), {}) == pytest.approx(flip * FLOAT_RATIOS["HorizontalFlip"])


def test_a_table_is_as_quick_on_16_bit_as_on_8() -> None:
    gamma = Step("g", "RandomGamma", (), 1.0)

    assert (
        cost_of(gamma, rgb("ushort"), None) == cost_of(gamma, rgb("uchar"), None) < cost_of(gamma, rgb("float"), None)
    )


def test_fewer_bands_cost_less_and_more_bands_more() -> None:
    one, three, six = (cost_of(BLUR, rgb("uchar", bands), None) for bands in (1, 3, 6))

    assert 0 < one < three < six


# Costs alone


TILED = ImageFacts(
    "a.tif", "a.tif", SHAPE, 1, 1, ((4096, 4096),), 1, (256, 256), True, None, None, 1000, "tiffload", ()
)
WHOLE = replace(TILED, name="a.png", path="a.png", tile=None, region_readable=False, loader="pngload")


@pytest.fixture
def measured_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file of costs of this machine, made by hand: Blur on both formats, HorizontalFlip on 8 bit only."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    get_settings.cache_clear()

    def cost(milliseconds: float) -> Cost:
        return Cost(milliseconds, milliseconds, milliseconds, milliseconds, 7)

    made = {"Blur": {"uchar": cost(1000), "float": cost(3000)}, "HorizontalFlip": {"uchar": cost(100)}}
    made["Normalize"] = {"uchar": cost(200)}
    calibration.save(calibration.place(), "8.18.7", "2026-11-25", made)
    yield
    get_settings.cache_clear()


def test_costs_of_this_machine_decide_where_they_are_stored(measured_here: None) -> None:
    megapixels = 4096 * 4096 / 1e6
    costs = calibration.stored()
    reading = estimates.READING_COST * megapixels / 1000

    on_bytes = estimates.by_costs(draw(BLUR, FLIP), TILED, costs, threads=2)
    on_floats = estimates.by_costs(draw(FLOAT, BLUR, FLIP), TILED, costs, threads=2)
    none = estimates.by_costs(draw(BLUR, FLIP), TILED, {}, threads=2)

    starting = estimates.STARTING_SECONDS
    assert on_bytes.seconds == pytest.approx(starting + (reading + megapixels * 1.1) / 2)
    flipped = 0.1 * FLOAT_RATIOS["HorizontalFlip"]
    assert on_floats.seconds == pytest.approx(starting + (reading + megapixels * (0.2 + 3 + flipped)) / 2)
    assert (on_bytes.measured_costs, none.measured_costs) == (True, False)
    assert none.seconds < on_bytes.seconds


def test_an_estimate_is_from_the_catalogue_as_soon_as_one_step_was_not_measured(measured_here: None) -> None:
    costs = calibration.stored()
    median = Step("m", "MedianBlur", (), 1.0)

    partly = estimates.by_costs(draw(BLUR, median), TILED, costs)
    never = estimates.by_costs(draw(BLUR, replace(median, p=0.0)), TILED, costs)

    assert (partly.measured_costs, never.measured_costs) == (False, True)
    assert partly.seconds_high / partly.seconds > never.seconds_high / never.seconds


def test_the_worker_composes_the_costs_as_the_server_does(folder: Path, measured_here: None) -> None:
    path = folder / "tiled.tif"
    subject = Subject(str(path), InputChoice(), Pipeline((BLUR, FLIP)), 0)

    made = windows.estimate(subject, Context())
    facts = describe(str(path), InputChoice())
    told = estimates.by_costs(draw(BLUR, FLIP, shape=facts.header), facts, calibration.stored(), threads())

    assert made["by_costs"] == told.seconds
    assert made["measured_costs"] is told.measured_costs is True


def test_a_step_whose_cost_nobody_knows_is_named() -> None:
    drawn = draw(BLUR, FLIP)
    odd = replace(drawn, leaves=(replace(drawn.leaves[0], transform="Lambda"), drawn.leaves[1]))

    assert estimates.unknown(drawn) == ()
    assert estimates.unknown(odd) == ("Lambda",)
    assert estimates.unknown(odd, {"uchar": {"Lambda": 3.0}}) == ()


def test_a_file_that_is_decoded_whole_is_read_by_one_thread_before_all() -> None:
    crop = draw(CROP)
    whole, tiled = estimates.by_costs(crop, WHOLE), estimates.by_costs(crop, TILED)

    assert whole.seconds - tiled.seconds > 0.9 * estimates.reading_seconds(crop, WHOLE)
    assert estimates.by_costs(crop, WHOLE, threads=8).seconds > estimates.reading_seconds(crop, WHOLE)
    assert whole.stream_bytes > tiled.stream_bytes


def test_of_a_tiled_file_the_tiles_of_a_crop_are_read() -> None:
    assert estimates.read(draw(FLIP), TILED) == (4096, 4096)
    width, height = estimates.read(draw(CROP), TILED)

    assert 512 * 1024 < width * height < 4096 * 4096 / 8
    assert estimates.read(draw(CROP), WHOLE) == (4096, 4096)


anything = st.sampled_from(
    (
        "Blur",
        "GaussianBlur",
        "HorizontalFlip",
        "VerticalFlip",
        "MedianBlur",
        "Rotate",
        "RandomBrightnessContrast",
        "NoOp",
    )
)
pipelines = st.lists(anything, max_size=4).map(
    lambda names: tuple(Step(str(number), name, (), 1.0) for number, name in enumerate(names))
)
costs_made = st.fixed_dictionaries(
    {
        "uchar": st.dictionaries(anything, st.floats(0, 1e4)),
        "float": st.dictionaries(anything, st.floats(0, 1e4)),
    }
)
shapes = st.builds(
    Header,
    st.integers(64, 60_000),
    st.integers(64, 60_000),
    st.sampled_from((1, 3)),
    st.sampled_from(("uchar", "ushort")),
    st.just("multiband"),
)
files = st.sampled_from((TILED, WHOLE))


@settings(deadline=None)
@given(pipelines, shapes, files, costs_made, st.integers(1, 64))
def test_seconds_by_costs_lie_within_their_band(
    steps: tuple[Step, ...], shape: Header, file: ImageFacts, costs: Any, threads: int
) -> None:
    found = by_costs_or_none(steps, shape, file, costs, threads)

    if found is not None:
        assert 0 <= found.seconds_low <= found.seconds <= found.seconds_high
        assert found.hold_bytes > found.stream_bytes > 0
        assert found.window_count == 0


@settings(deadline=None)
@given(pipelines, anything, shapes, costs_made)
def test_a_step_more_never_costs_less(steps: tuple[Step, ...], name: str, shape: Header, costs: Any) -> None:
    fewer = by_costs_or_none(steps, shape, TILED, costs)
    more = by_costs_or_none((*steps, Step("more", name, (), 1.0)), shape, TILED, costs)

    if fewer is not None and more is not None:
        assert more.seconds >= fewer.seconds


@settings(deadline=None)
@given(pipelines, shapes, costs_made)
def test_a_crop_first_costs_less(steps: tuple[Step, ...], shape: Header, costs: Any) -> None:
    crop = Step("crop", "CenterCrop", (("height", 32), ("width", 32)), 1.0)
    cropping = {form: {**each, "CenterCrop": 0.1} for form, each in costs.items()}
    whole = by_costs_or_none(steps, shape, TILED, cropping)
    part = by_costs_or_none((crop, *steps), shape, TILED, cropping)

    if whole is not None and part is not None and shape.width * shape.height > 10**6:
        assert part.seconds < whole.seconds


def by_costs_or_none(
    steps: tuple[Step, ...], shape: Header, file: ImageFacts, costs: Any, threads: int = 2
) -> Estimate | None:
    """None where the library cannot draw those steps for such an image."""
    try:
        drawn = draw(*steps, shape=shape)
    except StepError:
        return None
    return estimates.by_costs(drawn, replace(file, header=shape), costs, threads)


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
    """In a fresh process: one that has freed memory before would read into that."""
    request = {"path": str(folder / "whole.png"), "input": {}, "pipeline": saved.dump(Pipeline((FLIP,))), "seed": 0}
    found = start_job("estimate", request, seconds=120, memory_bytes=0, threads=2).result().value

    assert found["stream_bytes"] >= 2048 * 2048 * 3


@pytest.fixture(scope="module")
def huge(folder: Path) -> Path:
    """A black PNG of 110 MB of pixels, which libvips decodes into a temporary file."""
    pyvips.Image.black(11_000, 10_000, bands=1).pngsave(str(folder / "huge.png"), compression=1)
    return folder / "huge.png"


def test_of_a_huge_file_that_is_decoded_whole_what_is_read_counts(huge: Path) -> None:
    """In a fresh process, as it is asked for."""
    request = {"path": str(huge), "input": {}, "pipeline": saved.dump(Pipeline((CROP,))), "seed": 0}
    found = start_job("estimate", request, seconds=120, memory_bytes=0, threads=2).result().value

    assert found["hold_bytes"] < 60e6


def test_a_mean_is_of_all_of_a_huge_file(folder: Path) -> None:
    pyvips.Image.black(9_000, 4_000, bands=3).copy(interpretation="srgb").pngsave(
        str(folder / "rgb.png"), compression=1
    )
    by_mean = Step("m", "RandomBrightnessContrast", (("brightness_by_max", False),), 1.0)

    assert estimated(folder / "rgb.png", by_mean, CROP)["stream_bytes"] >= 9_000 * 4_000 * 3


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
