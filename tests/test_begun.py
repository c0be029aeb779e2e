"""What visitors have begun: found by their other sessions, ended with the last of these, and kept for a while."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from augviz import begun
from augviz.begun import Begun
from augviz.jobs import start_job
from augviz.series import Figure
from augviz.uploads import get_uploads
from tests.live import until


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uploads: None) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))


def task(function: str, **args: Any) -> Figure:
    return Figure(
        "a", "A", lambda: start_job(function, args, seconds=60, memory_bytes=0, tasks="tests.worker_tasks"), Any
    )


def begin(visitor: str, figure: Figure, token: str, *, is_tied: bool = False) -> Begun:
    return begun.begin("whole", [figure], "what was asked", visitor, token, "", is_tied)


def long(tmp_path: Path) -> Figure:
    return task("sleep", began=str(tmp_path / "began"), seconds=60)


def leave(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session ends; those that are held stay."""
    uploads = get_uploads()
    uploads.release(token)
    monkeypatch.setattr(uploads, "grace_seconds", -1.0)
    uploads.sweep()


def held() -> str:
    token = get_uploads().open_session()
    get_uploads().hold(token)
    return token


def test_the_last_that_a_visitor_has_begun_is_found_also_after_its_end() -> None:
    first = begin("v", task("echo", word="one"), held())
    assert first.series.wait(60)
    second = begin("v", task("echo", word="two"), held())
    begin("somebody else", task("echo", word="three"), held())

    assert begun.newest("v") is second
    assert second.number > first.number
    assert begun.newest("nobody") is None
    assert second.series.wait(60)
    assert begun.newest("v") is second


def test_what_is_nobodys_in_particular_is_found_by_nobody() -> None:
    mine = begin("", task("echo", word="one"), held())

    assert begun.newest("") is None
    assert mine.series.wait(60)


def test_it_goes_on_as_long_as_one_of_those_who_wait_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = held(), held()
    mine = begin("v", long(tmp_path), one)
    mine.watch(other)
    until((tmp_path / "began").exists)
    leave(one, monkeypatch)

    assert not get_uploads().is_known(one)
    assert mine.series.is_running
    assert not mine.series.is_cancelled

    leave(other, monkeypatch)

    assert mine.series.wait(30)
    assert mine.series.is_cancelled


def test_another_that_is_measured_at_the_same_time_is_seen(tmp_path: Path) -> None:
    mine = begin("v", long(tmp_path), held())

    assert not begun.is_beside(mine)
    assert begun.is_beside(None)

    mine.series.cancel()
    assert mine.series.wait(30)

    assert not begun.is_beside(None)


def test_what_came_of_it_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    old = begin("v", task("echo", word="one"), held())
    assert old.series.wait(60)
    until(lambda: old.ended_at is not None)
    monkeypatch.setattr(begun, "KEPT_SECONDS", 0.0)
    begin("somebody else", task("echo", word="two"), held())

    assert begun.newest("v") is None
