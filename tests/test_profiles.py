"""Profiles as values, and the jobs that make them: whatever happens to a job is a result with a reason."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from augviz import profiles, saved
from augviz.errors import ArgumentError
from augviz.estimates import Estimate
from augviz.jobs import Job
from augviz.model import Pipeline, Step
from augviz.profiles import Failed, Profile, Repeats, StepTimes
from augviz.settings import get_settings

ANSWER: dict[str, Any] = {
    "way": "stream",
    "wall_seconds": [1.0, 2.0, 1.1],
    "cpu_seconds": [2.0, 2.1, 2.0],
    "megapixels": 16.0,
    "peak_bytes": 300,
    "baseline_bytes": 100,
    "environment": {"libvips": "8.18.7", "threads": 2},
}
STEP = {"id": "c", "transform": "RandomCrop", "position": 2, "applied": True, "seconds": -0.5, "spread": 0.1}
STEPS: dict[str, Any] = {
    "steps": [STEP],
    "reading_seconds": 1.0,
    "reading_spread": 0.2,
    "rounds": 3,
    "environment": {},
}


# Values


def test_a_profile_has_median_spread_speed_and_increase() -> None:
    profile = profiles.profile_from_json(ANSWER)

    assert profile.wall.median == 1.1
    assert profile.wall.spread == 1.0
    assert profile.megapixels_per_second == pytest.approx(16 / 1.1)
    assert profile.increase_bytes == 200
    assert profile.read_by == "libvips"


def test_what_the_system_does_not_tell_stays_unknown() -> None:
    assert profiles.profile_from_json({**ANSWER, "peak_bytes": None}).increase_bytes is None


@pytest.mark.parametrize(
    ("values", "unstable"),
    [((1.0,), False), ((1.0, 1.25), False), ((1.0, 1.2, 1.26), False), ((1.0, 1.3), True), ((1.0, 1.0, 3.0), True)],
)
def test_repeats_that_differ_by_more_than_a_quarter_of_their_median_are_unstable(
    values: tuple[float, ...], unstable: bool
) -> None:
    assert Repeats(values).is_unstable is unstable


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=9), st.floats(0.1, 10))
def test_being_unstable_does_not_depend_on_the_unit_or_the_order(values: list[float], factor: float) -> None:
    repeats = Repeats(tuple(values))
    near = abs(repeats.spread - profiles.UNSTABLE_SHARE * repeats.median) < 1e-9 * repeats.median

    assert min(values) <= repeats.median <= max(values)
    assert Repeats(tuple(reversed(values))).is_unstable is repeats.is_unstable
    assert near or Repeats(tuple(value * factor for value in values)).is_unstable is repeats.is_unstable


def test_a_step_may_take_less_than_nothing() -> None:
    times = profiles.steps_from_json(STEPS)

    assert times.steps[0].seconds == -0.5
    assert not times.steps[0].is_about_nothing
    assert times.total_seconds == 0.5


@pytest.mark.parametrize(
    "changed",
    [
        {"way": "teleport"},
        {"wall_seconds": []},
        {"wall_seconds": [1.0]},
        {"wall_seconds": [1.0, math.nan, 1.0]},
        {"peak_bytes": "many"},
        {"environment": None},
    ],
)
def test_an_answer_that_is_no_measurement_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        profiles.profile_from_json({**ANSWER, **changed})


def test_steps_that_are_no_measurement_are_refused() -> None:
    for broken in ({}, {**STEPS, "steps": [{}]}, {**STEPS, "rounds": None}):
        with pytest.raises(ArgumentError, match="no measurement"):
            profiles.steps_from_json(broken)


def test_environments_differ_by_what_only_one_of_them_tells_too() -> None:
    one = profiles.profile_from_json(ANSWER)
    elsewhere = profiles.profile_from_json({**ANSWER, "environment": {"libvips": "8.18.7", "threads": 4}})

    assert profiles.different(one, one) == ()
    assert profiles.different(one, elsewhere) == ("threads",)


def test_the_remaining_time_is_unknown_until_something_is_done() -> None:
    assert profiles.remaining_seconds(10, None) is None
    assert profiles.remaining_seconds(10, 0.0) is None
    assert profiles.remaining_seconds(10, 0.25) == pytest.approx(30)
    assert profiles.remaining_seconds(10, 1.0) == 0


# Jobs


@pytest.fixture
def image(tmp_path: Path) -> str:
    pyvips.Image.black(6000, 6000, bands=3).copy(interpretation="srgb").tiffsave(
        str(tmp_path / "black.tif"), tile=True, compression="deflate"
    )
    return str(tmp_path / "black.tif")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings that a test may change in the environment."""
    yield monkeypatch
    get_settings.cache_clear()


def request(path: str, *steps: Step) -> dict[str, Any]:
    return {"path": path, "input": {}, "pipeline": saved.dump(Pipeline(steps)), "seed": 0}


SLOW = Step("e", "ElasticTransform", (), 1.0)
CROP = Step("c", "Crop", (("x_max", 512), ("y_max", 512)), 1.0)
FLOAT = Step("n", "Normalize", (("mean", (0.0,) * 3), ("std", (1.0,) * 3)), 1.0)


def ended(job: Job) -> Profile | StepTimes | Failed:
    job.wait(120)
    found = profiles.outcome(job)

    assert found is not None
    return found


def until_it_works(job: Job) -> None:
    """Wait until the child has begun with the pixels."""
    end = time.monotonic() + 100
    while "warming up" not in job.progress[1]:
        assert job.state == "running", job.error
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("way", profiles.TITLES)
def test_each_way_gives_a_profile(image: str, way: str) -> None:
    found = ended(profiles.start(request(image, CROP, FLOAT), way, 2))

    assert isinstance(found, Profile)
    assert (found.way, len(found.wall.values)) == (way, 2)
    assert dict(found.environment)["threads"] == profiles.THREADS


def test_the_steps_are_a_job_too(image: str) -> None:
    found = ended(profiles.start_steps(request(image, CROP, FLOAT), 2))

    assert isinstance(found, StepTimes)
    assert [step.transform for step in found.steps] == ["Crop", "Normalize"]


def test_an_unknown_way_starts_no_job() -> None:
    with pytest.raises(ArgumentError, match="way: must be one of"):
        profiles.start({}, "teleport", 1)


def test_a_running_job_has_no_outcome_yet_and_a_killed_one_a_reason(image: str) -> None:
    job = profiles.start(request(image, SLOW), "stream", 1)
    until_it_works(job)

    assert profiles.outcome(job) is None
    os.kill(job.pid, signal.SIGKILL)
    found = ended(job)

    assert isinstance(found, Failed)
    assert not found.cancelled
    assert "killed" in found.reason
    assert found.reason.endswith(".")


def test_a_cancelled_job_leaves_no_process(image: str) -> None:
    job = profiles.start(request(image, SLOW), "stream", 3)
    until_it_works(job)

    job.cancel()
    found = profiles.outcome(job)
    _, alive = psutil.wait_procs([psutil.Process(job.pid)] if psutil.pid_exists(job.pid) else [], timeout=30)

    assert found == Failed("It was cancelled.", cancelled=True)
    assert alive == []


def test_a_job_that_takes_too_long_is_a_failure_with_the_limit(image: str, limits: pytest.MonkeyPatch) -> None:
    limits.setenv("AUGVIZ_JOB_SECONDS", "1")
    get_settings.cache_clear()

    found = ended(profiles.start(request(image, SLOW), "stream", 1))

    assert isinstance(found, Failed)
    assert "longer than its limit of 1 s" in found.reason


def test_a_job_that_runs_out_of_memory_is_a_failure_that_says_so(image: str, limits: pytest.MonkeyPatch) -> None:
    limits.setenv("AUGVIZ_JOB_MEMORY_BYTES", "1200 MB")
    get_settings.cache_clear()
    double = Step("d", "ToDtype", (("dtype", "double"), ("scale", True)), 1.0)

    found = ended(profiles.start(request(image, double), "hold", 1))

    assert isinstance(found, Failed)
    assert "memory" in found.reason


def test_a_process_that_cannot_start_in_its_memory_is_a_failure_with_the_limit(
    image: str, limits: pytest.MonkeyPatch
) -> None:
    limits.setenv("AUGVIZ_JOB_MEMORY_BYTES", "150 MB")
    get_settings.cache_clear()

    found = ended(profiles.start(request(image, FLOAT), "stream", 1))

    assert isinstance(found, Failed)
    assert found.reason.endswith("A job is allowed 150 MB of memory.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "measure: took longer than its limit of 3 s during run 1 of 3.",
            "It took longer than its limit of 3 s during run 1 of 3.",
        ),
        ("step 4, ToTensor: took longer than its limit of 3 s", "step 4, ToTensor: took longer than its limit of 3 s."),
        ("measure: the worker crashed (killed).", "The worker crashed (killed)."),
    ],
)
def test_a_reason_is_a_sentence_without_the_name_of_a_function(text: str, reason: str) -> None:
    assert profiles.reason_text(text, "measure") == reason


def test_memory_that_ran_out_is_told_with_what_is_allowed(limits: pytest.MonkeyPatch) -> None:
    limits.setenv("AUGVIZ_JOB_MEMORY_BYTES", "600 MB")
    get_settings.cache_clear()

    assert profiles.reason_text("The pixels could not be made: out of memory", "measure") == (
        "The pixels could not be made: out of memory. A job is allowed 600 MB of memory."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1073.7, "1074"),
        (999.6, "1000"),
        (99.96, "100"),
        (20.77, "20.8"),
        (0.377, "0.377"),
        (1e-6, "0.000001"),
        (0.00001234, "0.0000123"),
        (1.5, "1.5"),
        (0.0, "0"),
    ],
)
def test_megapixels_are_never_written_as_a_power_of_ten(value: float, text: str) -> None:
    assert profiles.megapixels_text(value) == text


def test_a_step_that_fails_is_a_failure_that_names_it(image: str) -> None:
    too_large = Step("c", "CenterCrop", (("height", 9000), ("width", 9000)), 1.0)

    found = ended(profiles.start(request(image, too_large), "stream", 1))

    assert isinstance(found, Failed)
    assert "step 1, CenterCrop" in found.reason


def test_an_estimate_is_a_job_too(image: str) -> None:
    job = profiles.start_estimate(request(image, CROP, FLOAT))
    job.wait(120)

    assert isinstance(profiles.outcome(job), Estimate)


def test_what_a_job_or_the_machine_has_no_room_for_is_refused(limits: pytest.MonkeyPatch) -> None:
    profiles.check_room(0)
    with pytest.raises(ArgumentError, match=r"holds 1000000 TB at once, and this machine has .* of memory available"):
        profiles.check_room(10**18)

    limits.setenv("AUGVIZ_JOB_MEMORY_BYTES", "1 MB")
    get_settings.cache_clear()
    with pytest.raises(ArgumentError, match=r"holds 2 MB at once, and a job is allowed 1 MB\."):
        profiles.check_room(2_000_000)


def test_steps_are_unstable_where_rounds_differ_by_more_than_a_quarter_of_the_whole() -> None:
    calm = profiles.steps_from_json({**STEPS, "steps": [{**STEP, "seconds": 1.0, "spread": 0.5}]})
    noisy = profiles.steps_from_json({**STEPS, "steps": [{**STEP, "seconds": 1.0, "spread": 0.6}]})

    assert not calm.is_unstable
    assert noisy.is_unstable
