"""The page Audit with a Dask cluster in the settings, and within the limits of jobs."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from augviz import audit_dask, audit_jobs, jobs, saved
from augviz.errors import WorkerError
from augviz.settings import get_settings
from augviz.ui import audit_chosen, upload_tab
from augviz.uploads import get_uploads
from tests import auditing_folder
from tests.live import free_port, until
from tests.test_app_audit import audited, job_of, opened

Address = str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from auditing_folder.allowed(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    """A scheduler with two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options, host="127.0.0.1", silence_logs=50) as cluster:
        yield cluster.scheduler_address


def set_to(monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"AUGVIZ_{name.upper()}", str(value))
    get_settings.cache_clear()


def sent(app: AppTest, path: Path) -> str:
    """Send a file as the visitor of this page; returns the session that it belongs to."""
    token, data = get_uploads().open_session(), path.read_bytes()

    async def parts() -> AsyncIterator[bytes]:
        yield data

    asyncio.run(get_uploads().receive(token, path.name, len(data), parts()))
    app.session_state[upload_tab.TOKEN] = token
    app.run()
    return token


def figures(app: AppTest) -> dict[str, Any]:
    """What the page shows that does not depend on the machine."""
    metrics = {metric.label: (metric.value, metric.delta) for metric in app.metric[:3]}
    tables = [frame.value.to_csv() for frame in app.dataframe]
    return {"metrics": metrics, "tables": tables, "normalize": [code.value for code in app.code]}


def test_the_page_shows_the_same_by_a_cluster_as_by_this_machine(
    folder: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = figures(audited(opened(folder)))
    set_to(monkeypatch, scheduler=address)
    app = opened(folder)
    app.button(key="audit.anew").click().run()
    assert job_of(app).wait(120) == "done"
    there = figures(app.run())

    assert not app.exception
    assert here["metrics"]["Draws that failed"] == ("2 of 6", "2 images")
    assert there == here


def test_a_file_whose_name_is_not_utf_8_is_told_like_any_other(folder: Path) -> None:
    shutil.copy(folder / "b/grey.png", folder / os.fsdecode(b"bad\xff.png"))
    app = audited(opened(folder))
    tables = "".join(frame.value.to_csv() for frame in app.dataframe)

    assert not app.exception
    assert "bad\\udcff.png" in tables
    assert "not UTF-8 cannot be opened; rename it" in tables


def test_an_address_where_nobody_listens_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_dask, "CONNECT_SECONDS", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    set_to(monkeypatch, scheduler=address)
    app = opened(folder)
    app.button(key="audit.start").click().run()
    assert job_of(app).wait(60) == "failed"
    app.run()
    [error] = [error.value for error in app.error]

    assert not app.exception
    assert error.startswith(f"{address}: no Dask scheduler answers there: ")
    assert "\n" not in error
    assert not app.button(key="audit.start").disabled


def test_uploads_are_audited_here_whatever_the_scheduler(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to(monkeypatch, scheduler=f"tcp://127.0.0.1:{free_port()}")
    app = opened(folder)
    token = sent(app, folder / "a/000.jpg")
    report = job_of(audited(app.segmented_control(key="audit.kind").set_value(audit_chosen.UPLOADS).run())).report
    get_uploads().release(token)

    assert not app.exception
    assert (report["draws"]["done"], report["draws"]["failed"]) == (1, 0)


def test_an_audit_that_takes_longer_than_its_limit_stops_and_goes_on_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(monkeypatch, audit_seconds=1)
    app = opened(folder)
    app.number_input(key="audit.draws").set_value(1000)
    app.button(key="audit.start").click().run()
    job = job_of(app)
    assert job.wait(120) == "failed"
    app.run()
    told = [error.value for error in app.error]

    assert not app.exception
    assert told[0] == "The audit took longer than its limit of 1 s; what was found is kept, and it can go on."
    assert job.progress[0] < 6000
    app.button(key="audit.start").click().run()
    assert job_of(app) is not job
    job_of(app).cancel()
    assert job_of(app).wait(60) in ("cancelled", "failed")
    assert job_of(app).known >= job.progress[0]


def test_an_audit_on_a_cluster_counts_for_its_visitor_and_not_for_this_machine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(monkeypatch, jobs=1, jobs_per_visitor=1)
    plan = audit_chosen.Chosen("path", folder).plan(saved.load(auditing_folder.PIPELINE), None, 1, 0, 1024)
    leave = jobs.take_place("somebody", is_here=False)
    said = "1 jobs of yours are running, which is the limit for one visitor"
    with pytest.raises(WorkerError, match=said):
        audit_jobs.start(plan, tmp_path / "f.jsonl", f"tcp://127.0.0.1:{free_port()}", visitor="somebody")
    jobs.take_place("another")()
    leave()
    jobs.take_place("somebody")()


def test_an_audit_takes_a_place_among_the_jobs_of_its_visitor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to(monkeypatch, jobs_per_visitor=1)
    leave = jobs.take_place("somebody")
    with pytest.raises(WorkerError, match="1 jobs of yours are running, which is the limit for one visitor; wait"):
        jobs.take_place("somebody")
    jobs.take_place("another")()
    leave()
    leave()  # once more changes nothing
    jobs.take_place("somebody")()


def test_a_job_is_refused_while_the_visitor_s_audit_runs_and_an_audit_while_there_are_too_many(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(monkeypatch, jobs=1)
    app = opened(folder)
    app.number_input(key="audit.draws").set_value(500)
    app.button(key="audit.start").click().run()
    job = job_of(app)
    until(lambda: job.progress[0] > 0)
    with pytest.raises(WorkerError, match="1 jobs are running, 0 of yours, and 1 is the limit; wait for one"):
        jobs.start_job("sleep", {}, seconds=60, memory_bytes=0, tasks="tests.worker_tasks", visitor="another")
    job.cancel()
    assert job.wait(60) == "cancelled"

    leave = jobs.take_place("another")  # and now the other way round
    app.run()
    app.button(key="audit.start").click().run()
    assert [error.value for error in app.error] == [
        "1 jobs are running, and 1 is the limit; wait for one of them or cancel it."
    ]
    leave()
    app.button(key="audit.start").click().run()
    job_of(app).cancel()

    assert not app.error
    assert job_of(app).wait(60) == "cancelled"


def test_an_audit_on_a_cluster_takes_no_place_here(
    folder: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(monkeypatch, scheduler=address, jobs=1)
    leave = jobs.take_place("another")
    app = audited(opened(folder))
    leave()

    assert [error.value.split(":")[0] for error in app.error] == ["2 of 6 draws failed"]
