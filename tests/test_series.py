"""Several measurements one after the other: order, progress, failures, and a cancel that ends everything."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from augviz.errors import ArgumentError, WorkerError
from augviz.jobs import Job, start_job
from augviz.profiles import Failed
from augviz.series import Figure, Series

TASKS = "tests.worker_tasks"


def figure(name: str, function: str, started: list[Job] | None = None, **args: Any) -> Figure:
    """One of the tests' own worker functions."""

    def start() -> Job:
        job = start_job(function, args, seconds=60, memory_bytes=0, tasks=TASKS)
        if started is not None:
            started.append(job)
        return job

    return Figure(name, f"The {name}", start, lambda job: Failed(str(job.error)) if job.error else job.result().value)


def ended(series: Series) -> Series:
    assert series.wait(90)
    return series


def test_figures_are_measured_in_their_order_and_never_two_at_once(tmp_path: Path) -> None:
    log, jobs = tmp_path / "log", list[Job]()
    figures = [figure(name, "append", jobs, path=str(log), line=name) for name in ("one", "two", "three")]
    figures.insert(1, figure("pid", "sleep", jobs, began=str(tmp_path / "began"), seconds=0.3))

    series = ended(Series(figures))

    assert log.read_text().split() == ["one", "two", "three"]
    assert list(series.outcomes) == ["one", "pid", "two", "three"]
    assert not any(psutil.pid_exists(job.pid) for job in jobs)


def test_a_figure_that_fails_is_a_reason_and_the_next_is_measured() -> None:
    series = ended(Series([figure("a", "read_nowhere"), figure("b", "echo", word="here")]))

    assert isinstance(series.outcomes["a"], Failed)
    assert "crashed" in series.outcomes["a"].reason
    assert series.outcomes["b"]["args"]["word"] == "here"
    assert not series.is_cancelled


def test_a_process_that_cannot_be_started_is_a_reason() -> None:
    def refuse() -> Job:
        raise WorkerError("4 jobs are running, which is the limit.")

    series = ended(Series([Figure("a", "The a", refuse), figure("b", "echo")]))

    assert series.outcomes["a"] == Failed("4 jobs are running, which is the limit.")
    assert "args" in series.outcomes["b"]


def test_cancelling_ends_what_runs_within_a_second_and_begins_nothing_more(tmp_path: Path) -> None:
    mark, jobs = tmp_path / "began", list[Job]()
    series = Series(
        [figure("a", "echo", jobs), figure("b", "sleep", jobs, began=str(mark), seconds=60), figure("c", "echo", jobs)]
    )
    until(mark.exists)
    assert series.is_running

    series.cancel()
    gone = series.wait(30)

    assert gone
    assert "args" in series.outcomes["a"]
    assert series.outcomes["c"] == Failed("It was cancelled.", cancelled=True)
    assert len(jobs) == 2
    assert not psutil.pid_exists(jobs[1].pid)


def test_progress_counts_the_figures_that_are_done_by_their_weight(tmp_path: Path) -> None:
    mark = tmp_path / "began"
    light = figure("a", "echo")
    heavy = figure("b", "listen", began=str(mark))
    series = Series([light, Figure("b", "The b", heavy.start, heavy.outcome, weight=3.0)])
    until(mark.exists)

    progress = series.progress
    series.cancel()
    ended(series)

    assert (progress.number, progress.count, progress.title) == (2, 2, "The b")
    assert progress.fraction == pytest.approx(0.25)
    assert progress.remaining == pytest.approx(progress.elapsed * 3, rel=0.01)
    assert series.progress.fraction == 1.0


def test_the_end_is_told_once_with_everything_there() -> None:
    told: list[Any] = []
    done = threading.Event()

    def on_end(series: Series) -> None:
        told.append(series.outcomes)
        done.set()

    Series([figure("a", "echo")], on_end)

    assert done.wait(60)
    assert [list(outcomes) for outcomes in told] == [["a"]]


def test_what_is_no_error_of_ours_is_raised_where_the_outcomes_are_asked_for() -> None:
    def broken() -> Job:
        raise KeyError("a bug")

    series = ended(Series([Figure("a", "The a", broken)]))

    with pytest.raises(KeyError, match="a bug"):
        _ = series.outcomes


def test_a_series_needs_figures_with_names_of_their_own() -> None:
    for figures in ([], [figure("a", "echo"), figure("a", "echo")]):
        with pytest.raises(ArgumentError):
            Series(figures)


def until(claim: Any) -> None:
    end = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.02)
