"""Runs in words: the sentence that answers the question, and the remarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augviz import run_words
from tests.measured import MB, estimate, failed, profile, run, step, throughput, times


def test_the_slowest_step_is_named_with_its_share_and_the_memory_beside_it() -> None:
    assert run_words.sentence(run("steps")) == (
        "HEDShift takes 71 % of the time; streaming needs about 50 MB where holding needs 200 MB (estimated)."
    )


def test_measured_memory_is_not_called_an_estimate() -> None:
    assert run_words.sentence(run("whole")) == (
        "Streaming takes 1.1 s, 10.9 MP/s; streaming needs 48 MB where holding needs 1.2 GB."
    )


def test_the_fastest_way_is_named_with_how_many_times_as_fast_it_is() -> None:
    assert run_words.sentence(run("ways")) == (
        "Holding is fastest, 1.22 times as fast as streaming; "
        "streaming needs 48 MB where holding needs 1.2 GB, and numpy and OpenCV need 48 MB."
    )


def test_ways_that_hardly_differ_are_called_alike() -> None:
    found = run("ways", profile("stream", 1.0), profile("hold", 1.04, increase=None))

    assert run_words.sentence(found) == "Streaming and holding take about the same time, 1 s; streaming needs 48 MB."


def test_a_step_within_the_differences_of_the_rounds_is_not_accused() -> None:
    found = run("steps", times(step(1, "Rotate", 0.3, spread=0.5), reading=0.1))

    assert run_words.sentence(found) == ("Rotate takes most, 75 % of the time, no more than the rounds differ by.")


def test_reading_can_be_what_takes_most() -> None:
    assert run_words.sentence(run("steps", times(step(1, "NoOp", 0.0)))) == "Reading the file takes 100 % of the time."
    assert run_words.sentence(run("steps", times(step(1, "NoOp", 0.0), reading=0.0))) == (
        "No step takes any time that could be measured."
    )


def test_workers_are_answered_by_where_they_stop_to_help() -> None:
    assert run_words.sentence(run("workers")) == "Stops scaling at 2 workers: a third one adds 3 %."


def test_too_few_numbers_of_workers_are_answered_by_the_fastest() -> None:
    alone = run("workers", throughput(2, 12.34), failed("3", "It crashed."))
    none = run("workers", throughput(0, 50.0), throughput(1, 20.0, threads=2))

    assert run_words.sentence(alone) == "2 workers, 1 thread: 12.3 images per second."
    assert run_words.sentence(none) == "Without workers, 1 thread: 50 images per second."


def test_nothing_measured_says_so_and_why() -> None:
    found = run("whole", failed("stream", "It was cancelled.", cancelled=True))

    assert run_words.sentence(found) == "Nothing was measured."
    assert run_words.failure_text(found) == ("Streamed to a file: It was cancelled.",)


def test_a_step_that_saves_is_remarked() -> None:
    found = run("steps", times(step(1, "RandomCrop", -0.5), step(2, "Rotate", 0.2), reading=1.0))

    assert "RandomCrop saves 500 ms: what it drops need not be made." in run_words.remarks(found)


def test_unstable_repeats_are_told_by_figure() -> None:
    [told] = [text for text in run_words.remarks(run("whole", profile("stream", 1.0, 1.0, 1.5))) if "Unstable" in text]
    noisy = run("steps", times(step(1, "Rotate", 0.3, spread=0.5)))

    assert told.startswith("Unstable: the repeats of “Streamed to a file” differ by 50 % of their median.")
    assert any("rounds differ" in text for text in run_words.remarks(noisy))
    assert not any("Unstable" in text for text in run_words.remarks(run("whole")))


def test_the_estimates_error_stands_beside_what_was_measured() -> None:
    [told] = run_words.remarks(run("whole", estimate(0.55, stream=60 * MB), profile("stream", 1.1)))

    assert told == (
        "The estimate of 550 ms for streaming was 50 % too low, and its band of 423 ms to 715 ms does not hold the measured "
        "1.1 s; that of 60 MB of memory was 25 % too high."
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.004, "right within 1 %"), (-0.3, "30 % too low"), (0.5, "50 % too high"), (1.5, "2.5 times what was measured")],
)
def test_an_error_is_said_in_words(share: float, text: str) -> None:
    assert run_words.error_text(share) == text


@given(st.floats(-0.999, 1e6))
def test_an_error_never_changes_its_side(share: float) -> None:
    text = run_words.error_text(share)

    assert "too low" not in text or share < 0
    assert "too high" not in text or share > 0
    assert "times what" not in text or share >= 1


@given(st.floats(0.001, 1))
def test_a_share_is_never_told_as_nothing(share: float) -> None:
    assert not run_words.share_text(share).startswith("0")
