"""Runs as values: what they hold, shares of steps, and which two may be compared."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augviz import runs
from augviz.errors import ArgumentError
from augviz.profiles import StepTimes
from tests.measured import MB, elsewhere, estimate, failed, profile, run, step, throughput, times

SECONDS = st.floats(-100, 100)


def test_a_run_finds_its_outcomes_by_name() -> None:
    found = run("ways")

    assert found.profile("hold") is not None
    assert found.estimate is not None
    assert (found.step_times, found.value("nothing")) == (None, None)
    assert found.source.width == 4000
    assert found.shape_after(9) is None


def test_the_seconds_of_streaming_are_the_profiles_or_the_sum_of_the_steps() -> None:
    assert run("whole").streaming_seconds == 1.1
    assert run("steps").streaming_seconds == pytest.approx(1.0)
    assert run("whole", estimate()).streaming_seconds is None


def test_an_estimate_and_failures_alone_are_no_measurement() -> None:
    alone = run("whole", estimate(), failed("stream", "The library crashed."))

    assert not alone.is_measured
    assert [each.name for each in alone.failures] == ["stream"]
    assert alone.environment == ()
    assert run("whole", failed("hold", "No room."), profile()).is_measured


def test_an_unknown_question_and_shapes_without_the_source_are_refused() -> None:
    with pytest.raises(ArgumentError, match="question must be one of"):
        run("why")
    with pytest.raises(ArgumentError, match="position 0"):
        run("whole", shapes=())


# Shares


@given(st.lists(st.tuples(SECONDS, st.booleans()), max_size=8), SECONDS)
def test_shares_are_of_what_takes_time_and_make_one(steps: list[tuple[float, bool]], reading: float) -> None:
    made = [step(n, "Blur", seconds, applied=applied) for n, (seconds, applied) in enumerate(steps, start=1)]
    found = runs.shares(StepTimes(tuple(made), reading, 0.0, 1, ()))

    assert all(0 < share <= 1 for share in found.values())
    assert not found or math.isclose(sum(found.values()), 1)
    assert set(found) == {each.position for each in made if each.applied and each.seconds > 0} | (
        {0} if reading > 0 else set()
    )


def test_a_step_that_saves_has_no_share_and_makes_nobody_take_more_than_all() -> None:
    found = runs.shares(times(step(1, "RandomCrop", -1.9), step(2, "Rotate", 1.0), reading=1.0))

    assert found == {0: 0.5, 2: 0.5}


def test_the_slowest_is_a_step_or_reading_or_nothing() -> None:
    assert runs.slowest(times()) == (step(2, "HEDShift", 0.71), pytest.approx(0.71))
    assert runs.slowest(times(step(1, "Rotate", 0.1), reading=0.9)) == (None, pytest.approx(0.9))
    assert runs.slowest(times(step(1, "NoOp", 0.0), reading=0.0)) is None


# Two runs


def test_figures_that_both_runs_have_are_compared() -> None:
    one, other = run("whole", profile("stream", 1.0)), run("ways", profile("stream", 2.0), profile("hold", 1.0))
    found = {each.title: each for each in runs.compare(one, other)}

    assert list(found) == [f"Streamed to a file, {what}" for what in ("time", "processor", "speed", "memory")]
    assert found["Streamed to a file, time"].ratio == 2.0
    assert found["Streamed to a file, speed"].ratio == 0.5
    assert found["Streamed to a file, memory"].ratio == 1.0


def test_steps_are_compared_by_their_id() -> None:
    one = run("steps", times(step(1, "Rotate", 1.0), step(2, "Blur", 2.0)))
    other = run("steps", times(step(1, "Rotate", 4.0), step(2, "NoOp", 2.0)))

    assert [(each.title, each.ratio) for each in runs.compare(one, other)] == [
        ("All steps", pytest.approx(6.2 / 3.2)),
        ("Reading", 1.0),
        ("Rotate (s1)", 4.0),
    ]


def test_what_is_unknown_or_saves_has_no_ratio() -> None:
    one, other = run("whole", profile(increase=None)), run("whole", profile())
    [memory] = [each for each in runs.compare(one, other) if each.unit == "B"]
    saved = run("steps", times(step(1, "Crop", -1.0)))
    [crop] = [each for each in runs.compare(saved, saved) if each.title == "Crop (s1)"]

    assert (memory.one, memory.other, memory.ratio) == (None, 48_000_000, None)
    assert crop.ratio is None


def test_runs_of_different_environments_are_not_compared_and_what_differs_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"different environments \(libvips, threads\); measure both again"):
        runs.compare(run(), elsewhere(run(), threads=8, libvips="8.19.0"))


def test_how_the_peak_was_found_is_compared_only_where_both_tell_it() -> None:
    told, otherwise = elsewhere(run(), memory="VmHWM"), elsewhere(run(), memory="ru_maxrss")

    assert runs.different(run(), told) == ()
    assert runs.different(told, otherwise) == ("memory",)


def test_runs_without_a_common_figure_cannot_be_compared() -> None:
    with pytest.raises(ArgumentError, match="no figure in common"):
        runs.compare(run("whole"), run("steps"))


def test_runs_of_workers_are_compared_by_the_number_of_workers_and_threads() -> None:
    one = run("workers", throughput(0, 50.0), throughput(1, 100.0), throughput(2, 180.0, 190.0, 200.0))
    other = run("workers", throughput(2, 380.0, peak_bytes=None), throughput(3, 400.0))

    assert [(each.title, each.unit, each.one, each.other, each.ratio) for each in runs.compare(one, other)] == [
        ("2 workers, 1 thread, speed", "images/s", 190.0, 380.0, 2.0),
        ("2 workers, 1 thread, speed", "MP/s", 380.0, 760.0, 2.0),
        ("2 workers, 1 thread, memory", "B", 300 * MB, None, None),
    ]
    assert ("Without workers, 1 thread, speed", "images/s") in runs.measures(one)


def test_workers_of_other_threads_have_no_figure_in_common_and_are_no_other_environment() -> None:
    one, other = run("workers", throughput(2, 1.0)), run("workers", throughput(2, 2.0, threads=4))

    with pytest.raises(ArgumentError, match="no figure in common"):
        runs.compare(one, elsewhere(other, threads=4))
    with pytest.raises(ArgumentError, match=r"different environments \(libvips\)"):
        runs.compare(one, elsewhere(other, threads=4, libvips="8.19.0"))
    assert ("2 workers, 4 threads, speed", "images/s") in runs.measures(other)


def test_workers_are_measured_as_soon_as_one_figure_is_and_have_no_seconds_of_streaming() -> None:
    found = run("workers", failed("1", "It crashed."), throughput(2, 3.0))

    assert found.is_measured
    assert [each.workers for each in found.throughputs] == [2]
    assert found.streaming_seconds is None
    assert not run("workers", failed("1", "It was cancelled.", cancelled=True)).is_measured


QUESTIONS = st.sampled_from(["whole", "steps", "ways", "workers"])


@given(QUESTIONS, QUESTIONS)
def test_a_comparison_turned_around_has_the_inverse_ratios(one: str, other: str) -> None:
    first, second = run(one), run(other)
    if not runs.measures(first).keys() & runs.measures(second).keys():
        return
    there = {(each.title, each.unit): each.ratio for each in runs.compare(first, second)}
    back = {(each.title, each.unit): each.ratio for each in runs.compare(second, first)}

    assert there.keys() == back.keys()
    assert all(math.isclose(ratio * (back[title] or 0), 1) for title, ratio in there.items() if ratio)
