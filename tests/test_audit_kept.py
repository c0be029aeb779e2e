"""Findings that are kept: what goes on with them, what is made again, and when they are removed."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from augviz import audit, audit_jobs, audit_kept, audit_records, audit_run, held_folder, saved
from augviz.audit import Plan
from augviz.audit_run import Runner
from augviz.audit_totals import Totals
from augviz.errors import ImageError, WorkerError
from augviz.settings import Settings, get_settings
from augviz.workers import Pool
from tests import samples
from tests.live import live_server, until

DAY = 86_400
LIMIT_SECONDS = 5.0


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Three photographs and a flip."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        samples.rgb(40, 30).pngsave(str(folder / name))
    return audit.plan(folder, saved.load({"format": 1, "steps": [{"id": "f", "transform": "HorizontalFlip"}]}))


@pytest.fixture
def runner() -> Iterator[Runner]:
    """One fresh worker that fails where it is told to, one draw after the other."""
    pool = Pool(render_workers=1, seconds=LIMIT_SECONDS, tasks="tests.audit_tasks", threads=1)
    with ThreadPoolExecutor(1) as threads:
        yield Runner(threads, lambda job, todo: audit_run.findings(pool, job, todo, LIMIT_SECONDS), 1, 1)
    pool.close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    monkeypatch.setenv("AUGVIZ_AUDIT_DAYS", "7")
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def fail(plan: Plan, image: str, how: str, when: str = "once") -> None:
    Path(plan.folder, f"{image}.{when}").write_text(how)


def run(plan: Plan, runner: Runner, records: Path) -> tuple[dict[str, str], int]:
    """The sentences of what failed, by image, and how many draws were known before."""
    totals, told = Totals(), list[int]()
    audit_run.run(plan, runner, records, totals, tell=lambda done, total: told.append(done), stop=threading.Event())
    found = {finding.image: finding.failure.message for _, (_, finding) in totals.failures.items() if finding.failure}
    assert totals.done == plan.total
    return found, told[0]


def age(path: Path, days: float) -> None:
    when = time.time() - days * DAY
    os.utime(path, (when, when))


# What goes on


def test_a_bug_of_augviz_is_told_and_its_draw_made_again(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    fail(plan, "b.png", "bug")

    assert run(plan, runner, records) == ({"b.png": "This is a bug in augviz: ZeroDivisionError: a mistake of ours"}, 0)
    assert run(plan, runner, records) == ({}, 2)
    assert [found.failure for found in audit_records.findings_of(records, plan)] == [None] * 3
    assert run(plan, runner, records) == ({}, 3)


def test_a_draw_that_took_too_long_is_made_again(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    fail(plan, "b.png", "slow")
    failed, known = run(plan, runner, records)

    assert list(failed) == ["b.png"]
    assert "took longer than its limit of 5" in failed["b.png"]
    assert known == 0
    assert run(plan, runner, records) == ({}, 2)


def test_an_image_that_takes_more_memory_than_there_is_fails_alone_and_is_made_again(
    plan: Plan, runner: Runner, tmp_path: Path
) -> None:
    records = tmp_path / "findings.jsonl"
    fail(plan, "b.png", "memory")
    failed, _ = run(plan, runner, records)

    assert list(failed) == ["b.png"]
    assert failed["b.png"].startswith("The worker ran out of memory")
    assert run(plan, runner, records) == ({}, 2)


def test_a_crash_that_does_not_come_again_is_no_failure(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    fail(plan, "a.png", "crash")

    assert run(plan, runner, tmp_path / "findings.jsonl") == ({}, 0)


def test_a_crash_that_comes_again_stays(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    fail(plan, "a.png", "crash", "always")
    failed, _ = run(plan, runner, records)

    assert list(failed) == ["a.png"]
    assert "crashed" in failed["a.png"]
    assert run(plan, runner, records) == (failed, 3)


def test_a_file_that_was_away_is_drawn_when_it_is_back_as_it_was(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    records, file = tmp_path / "findings.jsonl", Path(plan.folder, "b.png")
    file.rename(tmp_path / "away.png")
    assert run(plan, runner, records) == ({"b.png": "b.png: there is no such file."}, 0)
    (tmp_path / "away.png").rename(file)

    assert run(plan, runner, records) == ({}, 2)


def test_a_file_that_was_away_for_the_worker_only_is_drawn_by_the_next_run(
    plan: Plan, runner: Runner, tmp_path: Path
) -> None:
    records = tmp_path / "findings.jsonl"
    fail(plan, "b.png", "away")

    assert list(run(plan, runner, records)[0]) == ["b.png"]
    assert run(plan, runner, records) == ({}, 2)


def test_a_link_that_leads_nowhere_stays_a_failure(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    Path(plan.folder, "d.png").symlink_to(tmp_path / "nowhere.png")
    plan = audit.plan(plan.folder, plan.pipeline)
    failed, _ = run(plan, runner, records)

    assert failed == {"d.png": "d.png: there is no such file."}
    assert run(plan, runner, records) == (failed, 4)


def test_a_pipe_with_the_name_of_an_image_is_not_waited_for(plan: Plan, runner: Runner, tmp_path: Path) -> None:
    os.mkfifo(Path(plan.folder, "d.png"))
    plan = audit.plan(plan.folder, plan.pipeline)

    assert run(plan, runner, tmp_path / "findings.jsonl")[0] == {"d.png": "d.png: this is not a regular file."}


def test_a_folder_that_is_away_ends_the_audit_which_goes_on_when_it_is_back(
    plan: Plan, runner: Runner, tmp_path: Path
) -> None:
    records, folder = tmp_path / "findings.jsonl", Path(plan.folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(WorkerError, match=rf"{folder}: the folder is not there for a worker; every worker must see it"):
        run(plan, runner, records)
    (tmp_path / "away").rename(folder)

    assert run(plan, runner, records) == ({}, 0)


def test_two_audits_do_not_write_to_one_file(plan: Plan, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    said = pytest.raises(ImageError, match=r"^Another audit is writing to this file of findings; wait")
    with audit_records.opened(records, plan, lambda finding: None), said:  # noqa: SIM117
        with audit_records.opened(records, plan, lambda finding: None):
            pass


def test_a_cache_folder_that_cannot_be_made_is_not_named_to_visitors(plan: Plan, settings: Settings) -> None:
    settings.cache_folder.write_text("a file")

    with pytest.raises(ImageError, match=r"^The folder for findings cannot be made on this server: Not a directory\.$"):
        audit_kept.place(plan)


def test_a_disk_that_takes_no_findings_is_not_named_to_visitors(plan: Plan, tmp_path: Path) -> None:
    said = r"^The file of findings cannot be read or written: No such file or directory\.$"
    opened = audit_records.opened(tmp_path / "none" / "f.jsonl", plan, lambda finding: None)

    with pytest.raises(ImageError, match=said), opened:
        pass


def test_the_folder_of_files_that_were_sent_is_not_named_where_it_is_away(
    plan: Plan, runner: Runner, tmp_path: Path
) -> None:
    sent = dataclasses.replace(plan, images=tuple(dataclasses.replace(one, title="mine.png") for one in plan.images))
    Path(plan.folder).rename(tmp_path / "away")

    with pytest.raises(WorkerError, match=r"^The files that were sent are not there any more; send them again\.$"):
        run(sent, runner, tmp_path / "findings.jsonl")


def test_findings_that_somebody_has_removed_are_a_sentence(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^The findings cannot be read: No such file or directory\.$"):
        list(audit_records.findings_of(tmp_path / "none.jsonl", plan))


def test_an_audit_for_whose_findings_there_is_no_room_is_refused(
    plan: Plan, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = audit_kept.place(plan)
    (settings.cache_folder / "copy.tif").write_bytes(bytes(50_000))
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "60 kB")
    get_settings.cache_clear()
    audit_kept.check_room(plan, records)
    larger = dataclasses.replace(plan, draws=10)
    said = r"take about 60 kB, but of the server's quota of 60 kB, 50 kB are used\."
    with pytest.raises(ImageError, match=said):
        audit_kept.check_room(larger, records)
    with pytest.raises(ImageError, match=said):
        audit_jobs.start(larger, records)
    (settings.cache_folder / "copy.tif").unlink()
    records.write_bytes(bytes(55_000))

    audit_kept.check_room(larger, records)  # what is there already needs no room, but that it has


# When they are removed


def test_from_scratch_leaves_the_findings_that_another_process_writes(plan: Plan, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    audit_jobs.forget(records)
    with audit_records.opened(records, plan, lambda finding: None):
        with pytest.raises(ImageError, match=r"^Another audit is writing to this file of findings; wait"):
            audit_jobs.forget(records)
        assert records.exists()
    audit_jobs.forget(records)

    assert not records.exists()


def test_findings_that_nobody_has_used_for_days_are_removed(plan: Plan, settings: Settings) -> None:
    old, new = audit_kept.place(plan), audit_kept.place(plan).with_name("new.jsonl")
    for path, days in ((old, 7.1), (new, 6.9)):
        path.write_text("findings")
        age(path, days)
    audit_kept.sweep()

    assert not old.exists()
    assert new.exists()


def test_the_findings_of_an_audit_that_runs_are_not_removed_whatever_their_age(plan: Plan, settings: Settings) -> None:
    records = audit_kept.place(plan)
    with audit_records.opened(records, plan, lambda finding: None):
        age(records, 100)
        audit_kept.sweep()
        assert records.exists()
    audit_kept.sweep()

    assert not records.exists()


def test_going_on_with_an_audit_is_use_of_its_findings(plan: Plan, settings: Settings) -> None:
    records = audit_kept.place(plan)
    for _ in range(2):  # made, and found
        with audit_records.opened(records, plan, lambda finding: None):
            pass
        age(records, 100)
    with audit_records.opened(records, plan, lambda finding: None):
        pass
    audit_kept.sweep()

    assert records.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no file that is open is removed there")
def test_a_file_that_is_removed_before_it_is_held_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    path, calls, lock = tmp_path / "findings.jsonl", list[int](), fcntl.flock

    def removed_first(file: IO[bytes], how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            path.unlink()  # as a sweep of another server does
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with held_folder.held_file(path) as file:
        file.write(b"x")

    assert path.read_bytes() == b"x"


def test_a_sweep_that_fails_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise PermissionError("not yours")

    held_folder.swept("findings of audits", fail)

    assert "findings of audits could not be swept" in caplog.text
    assert "not yours" in caplog.text


def test_a_server_removes_them_when_it_starts(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "audits"
    folder.mkdir(parents=True)
    for name, days in (("old.jsonl", 31), ("new.jsonl", 29)):
        (folder / name).write_text("findings")
        age(folder / name, days)
    with live_server(tmp_path):
        until(lambda: not (folder / "old.jsonl").exists())

    assert (folder / "new.jsonl").exists()
