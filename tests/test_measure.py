"""Measuring at full size: what is counted, what is told meanwhile, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import engine, environment, measure, measuring, resident, saved
from augviz.context import Context
from augviz.errors import ArgumentError, Cancelled, ImageError, StepError
from augviz.jobs import start_job
from augviz.measure import Subject
from augviz.model import Group, InputChoice, Pipeline, Step

FLOAT = Pipeline(
    (Step("n", "Normalize", (("mean", (0.0,) * 3), ("std", (1.0,) * 3)), 1.0), Step("t", "ToTensor", (), 1.0))
)
SIDE = 4096


def noise(side: int, bands: int = 3) -> pyvips.Image:
    one = pyvips.Image.gaussnoise(side, side, mean=128, sigma=40, seed=1).cast("uchar")
    image = one.bandjoin([one.rot90(), one.rot180()]) if bands == 3 else one
    return image.copy(interpretation="srgb" if bands == 3 else "b-w")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rgb.png (256 pixels square), grey.png, and large.tif, tiled, 4096 pixels square."""
    folder = tmp_path_factory.mktemp("images")
    noise(256).pngsave(str(folder / "rgb.png"))
    noise(256, 1).pngsave(str(folder / "grey.png"))
    noise(SIDE).tiffsave(str(folder / "large.tif"), tile=True, tile_width=256, tile_height=256, compression="jpeg")
    return folder


def subject(folder: Path, *steps: Step, name: str = "rgb.png", seed: int = 0) -> Subject:
    return Subject(str(folder / name), InputChoice(), Pipeline(steps), seed)


def request(path: Path, pipeline: Pipeline, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "input": {}, "pipeline": saved.dump(pipeline), "seed": 0, **more}


BLUR = Step("b", "Blur", (), 1.0)
FLIP = Step("f", "HorizontalFlip", (), 1.0)


# The whole


@pytest.mark.parametrize("way", measure.WAYS)
def test_there_is_one_figure_for_each_repeat_and_none_for_the_warm_up(folder: Path, way: str) -> None:
    found = measure.measure(subject(folder, BLUR, FLIP), way, 4, Context())

    assert (len(found["wall_seconds"]), len(found["cpu_seconds"])) == (4, 4)
    assert found["way"] == way
    assert found["megapixels"] == 256 * 256 / 1e6
    assert found["peak_bytes"] > 0
    assert found["baseline_bytes"] > 0


def test_a_peak_is_never_below_its_baseline() -> None:
    baseline = resident.resident_bytes()
    assert baseline is not None

    assert resident.peak_from(2 * baseline) == 2 * baseline
    assert resident.peak_from(1) == resident.peak_bytes()
    assert resident.peak_from(None) == resident.peak_bytes()


def in_a_fresh_process(path: Path, way: str) -> Mapping[str, Any]:
    job = start_job("measure", request(path, FLOAT, way=way, repeats=1), seconds=120, memory_bytes=0, threads=2)
    return job.result().value


def test_holding_takes_the_memory_of_the_result_and_streaming_a_fraction(folder: Path) -> None:
    held, streamed = (in_a_fresh_process(folder / "large.tif", way) for way in ("hold", "stream"))

    result = SIDE * SIDE * 3 * 4
    assert held["peak_bytes"] - held["baseline_bytes"] >= result
    assert streamed["peak_bytes"] - streamed["baseline_bytes"] < result / 2
    assert held["environment"]["memory"] == resident.RESET


def test_the_environment_is_named(folder: Path) -> None:
    found = measure.measure(subject(folder, FLIP), "stream", 1, Context())["environment"]

    libraries = {"augviz", "albumentationsxl", "libvips", "pyvips", "numpy", "opencv", "python"}
    assert libraries | {"processor", "cores", "threads", "memory_bytes", "system", "memory"} == set(found)
    assert all(isinstance(found[name], str) and found[name][0].isdigit() for name in libraries)


@pytest.mark.parametrize("way", ["", "memory", "Stream", None])
def test_an_unknown_way_is_refused(folder: Path, way: Any) -> None:
    with pytest.raises(ArgumentError, match="way: must be one of stream, hold"):
        measure.measure(subject(folder), way, 1, Context())


@pytest.mark.parametrize("repeats", [0, -1, 101, True, 2.0])
def test_repeats_lie_within_1_and_100(folder: Path, repeats: Any) -> None:
    with pytest.raises(ArgumentError, match="within 1 and 100"):
        measure.measure(subject(folder), "stream", repeats, Context())
    with pytest.raises(ArgumentError, match="within 1 and 100"):
        measure.measure_steps(subject(folder), repeats, Context())


def test_libvips_has_its_cache_again_afterwards(folder: Path) -> None:
    before = pyvips.cache_get_max()

    measure.measure(subject(folder, BLUR), "stream", 1, Context())
    measure.measure_steps(subject(folder, BLUR), 1, Context())

    assert pyvips.cache_get_max() == before > 0


def test_a_step_that_fails_is_named(folder: Path) -> None:
    failing = Pipeline((FLIP, Step("s", "HEDShift", (), 1.0)))

    for ask, more in ((measuring.measure, {"way": "stream", "repeats": 1}), (measuring.measure_steps, {"rounds": 1})):
        with pytest.raises(StepError, match="step 2, HEDShift"):
            ask(request(folder / "grey.png", failing, **more), Context())


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"no image")

    with pytest.raises(ImageError, match=r"no\.png"):
        measuring.measure(request(tmp_path / "no.png", FLOAT, way="stream", repeats=1), Context())


# Progress


def told(ask: Any) -> list[Any]:
    messages: list[Any] = []
    ask(Context(lambda message: messages.append(message), wants_progress=True))
    return [message["progress"] for message in messages if "progress" in message]


def test_progress_rises_over_all_repeats_and_says_which_it_is(folder: Path) -> None:
    large = subject(folder, BLUR, name="large.tif")

    messages = told(lambda context: measure.measure(large, "stream", 2, context))

    fractions = [fraction for fraction, _ in messages if fraction is not None]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= 0.5 <= fractions[-1] <= 1
    assert {text for _, text in messages} == {"warming up", "run 1 of 2", "run 2 of 2"}


def test_progress_of_the_steps_names_the_step(folder: Path) -> None:
    messages = told(lambda context: measure.measure_steps(subject(folder, BLUR, FLIP), 2, context))

    texts = [text for _, text in messages]
    assert "round 1 of 2, reading alone" in texts
    assert "round 2 of 2, up to HorizontalFlip" in texts
    fractions = [fraction for fraction, _ in messages if fraction is not None]
    assert fractions == sorted(fractions)


def test_what_was_given_up_is_not_measured(folder: Path) -> None:
    context = Context()
    context.cancel()

    with pytest.raises(Cancelled):
        measure.measure(subject(folder, BLUR), "stream", 1, context)
    with pytest.raises(Cancelled):
        measure.measure_steps(subject(folder, BLUR), 1, context)


# Steps


def test_every_step_has_an_entry_in_the_order_written(folder: Path) -> None:
    off = Step("off", "Blur", (), 1.0, enabled=False)
    never = Step("never", "MedianBlur", (), 0.0)

    found = measure.measure_steps(subject(folder, FLIP, off, never, BLUR), 3, Context())

    assert [(step["id"], step["position"], step["applied"]) for step in found["steps"]] == [
        ("f", 1, True),
        ("off", 2, False),
        ("never", 3, False),
        ("b", 4, True),
    ]
    assert [step["seconds"] for step in found["steps"]][1:3] == [0.0, 0.0]
    assert found["rounds"] == 3
    assert found["reading_seconds"] > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_steps_are_those_of_the_draw(folder: Path, seed: int) -> None:
    some = [Step(str(number), "VerticalFlip", (), 0.5) for number in range(4)]
    measured = measure.measure_steps(subject(folder, *some, seed=seed), 1, Context())
    drawn = engine.draw(engine.header(subject(folder).open()), Pipeline(tuple(some)), seed).draw

    assert [step["applied"] for step in measured["steps"]] == [leaf.applied for leaf in drawn.leaves]


def test_to_tensor_makes_no_pixels_of_its_own(folder: Path) -> None:
    found = measure.measure_steps(Subject(str(folder / "rgb.png"), InputChoice(), FLOAT, 0), 3, Context())

    assert (found["steps"][-1]["transform"], found["steps"][-1]["seconds"]) == ("ToTensor", 0.0)


def test_a_step_that_fires_several_times_has_one_entry(folder: Path) -> None:
    three = Group("g", "SomeOf", (BLUR, FLIP), 1.0, n=3, replace=True)
    whole = Subject(str(folder / "rgb.png"), InputChoice(), Pipeline((three,)), 0)

    found = measure.measure_steps(whole, 1, Context())
    drawn = engine.draw(engine.header(whole.open()), whole.pipeline, 0).draw

    assert [(step["id"], step["applied"]) for step in found["steps"]] == [
        (leaf.id, leaf.applied) for leaf in drawn.leaves
    ]


# This process


def test_peaks_come_from_where_linux_tells_them(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t  2000 kB\nVmRSS:\t  1000 kB\nThreads:\t4\n")
    (tmp_path / "clear_refs").write_text("")

    assert resident.resident_bytes(tmp_path) == 1000 * 1024
    assert resident.peak_bytes(tmp_path) == 2000 * 1024
    assert resident.reset_peak(tmp_path) == resident.RESET
    assert (tmp_path / "clear_refs").read_text() == "5"


def test_where_a_peak_cannot_be_reset_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmHWM:\t  2000 kB\nVmRSS:\t  1000 kB\n")
    (tmp_path / "clear_refs").mkdir()

    assert resident.reset_peak(tmp_path) == resident.SINCE_START


def test_where_there_is_no_proc_something_else_is_used_and_named(tmp_path: Path) -> None:
    assert resident.reset_peak(tmp_path / "none") == resident.BY_RUSAGE
    assert resident.peak_bytes(tmp_path / "none") == resident.resident_bytes(tmp_path / "none")
    assert resident.peak_bytes(tmp_path / "none") > 10**6


def test_a_reset_peak_forgets_what_was_freed() -> None:
    held = np.ones(100_000_000, np.uint8)
    before = resident.peak_bytes()
    del held

    assert resident.reset_peak() == resident.RESET
    assert resident.peak_bytes() <= before - 90_000_000


def test_the_processor_is_named_as_far_as_the_system_tells(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some Processor 9\n")

    assert environment.processor(tmp_path / "cpuinfo") == "Some Processor 9"
    assert environment.processor(tmp_path / "none") != ""
