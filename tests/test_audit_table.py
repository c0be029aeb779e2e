"""The table of an audit's draws over HTTP: made in pieces by a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import http.client
import io
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from augviz import audit, audit_jobs, audit_records, audit_report, audit_table, jobs, metrics, result_routes, saved
from augviz.audit import Asked, Failure, Finding, Plan
from augviz.audit_jobs import AuditJob
from augviz.audit_totals import Totals
from augviz.errors import WorkerError, WorkerTimeout
from tests import auditing_folder
from tests.live import Reply, fetch, serving, until
from tests.test_audit_jobs import counted

FLIP = saved.load({"format": 1, "steps": [{"id": "f", "transform": "HorizontalFlip"}]})


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditJob]:
    """An audit of six images that has ended."""
    for folder in auditing_folder.allowed(tmp_path, monkeypatch):
        made = audit_jobs.start(audit.plan(folder, FLIP, draws=2), tmp_path / "findings.jsonl")
        assert made.wait(120) == "done"
        yield made


@pytest.fixture
def url(job: AuditJob) -> Iterator[str]:
    with serving(result_routes.routes("lab")) as address:
        yield f"{address}/lab/augviz/audit"


def failing(count: int, records: Path) -> Plan:
    """A plan with a file of findings, none of which has pixels."""
    images = tuple(Asked(f"{number:05}.png", 1, number) for number in range(count))
    plan = Plan("/data", images, count, FLIP, 3)
    with audit_records.opened(records, plan, lambda finding: None) as (_, write):
        for draw in (2, 0, 1):
            write(Finding(one.name, one.stamp, draw, 7, Failure(f"{one.name}: it is cut."), None) for one in images)
    return plan


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if audit_table.__name__ in child.cmdline():
                found.append(child)
    return found


async def gathered(plan: Plan, records: Path, at_most: int | None = None) -> list[bytes]:
    """The pieces of a table; after `at_most` the browser has gone."""
    found: list[bytes] = []
    async with contextlib.aclosing(audit_table.pieces(plan, records)) as pieces:
        async for piece in pieces:
            found.append(piece)
            if len(found) == at_most:
                break
    return found


def test_the_table_is_that_of_the_command_line(job: AuditJob, url: str) -> None:
    reply: Reply = fetch(f"{url}/{job.id}.csv")
    expected = io.StringIO()
    audit_report.write_csv(audit_records.findings_of(job.records, job.plan), expected)

    assert reply.status == 200
    assert reply.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.body.decode() == expected.getvalue()
    assert len(list(csv.DictReader(io.StringIO(reply.body.decode())))) == 12


def test_the_table_of_files_that_were_sent_has_their_titles(job: AuditJob) -> None:
    images = tuple(replace(one, title=f"=mine {number}.png") for number, one in enumerate(job.plan.images))
    [table] = asyncio.run(gathered(replace(job.plan, images=images), job.records))
    rows = list(csv.DictReader(io.StringIO(table.decode())))

    assert [row["image"] for row in rows[::2]] == [f"'=mine {number}.png" for number in range(6)]


def test_the_table_of_somebody_else_is_as_if_there_were_none(job: AuditJob, url: str) -> None:
    said = {"error": "This audit is not known any more; audit once more to have its table."}
    replies = [fetch(f"{url}/guessed.csv")]
    job.visitor = "somebody else"
    replies.append(fetch(f"{url}/{job.id}.csv"))

    assert [(one.status, json.loads(one.body)) for one in replies] == [(404, said)] * 2


def test_findings_that_have_gone_are_a_sentence_without_their_place(job: AuditJob, url: str) -> None:
    job.records.unlink()
    reply = fetch(f"{url}/{job.id}.csv")

    assert reply.status == 422
    assert json.loads(reply.body) == {"error": "The findings cannot be read: No such file or directory."}


def test_a_long_table_comes_in_pieces_that_are_made_when_they_are_asked_for(tmp_path: Path) -> None:
    plan = failing(2 * audit_table.ROWS, tmp_path / "f.jsonl")
    found = asyncio.run(gathered(plan, tmp_path / "f.jsonl"))
    rows = list(csv.DictReader(io.StringIO(b"".join(found).decode())))

    assert [piece.count(b"\n") for piece in found] == [audit_table.ROWS + 1, *[audit_table.ROWS] * 5]
    assert [(row["image"], row["draw"]) for row in rows] == [(t.image.name, str(t.draw)) for t in audit.tasks(plan)]


def test_a_plan_of_very_many_images_is_told_in_parts(tmp_path: Path) -> None:
    plan = failing(audit_table.IMAGES + 1, tmp_path / "f.jsonl")
    found = b"".join(asyncio.run(gathered(plan, tmp_path / "f.jsonl")))

    assert found.count(b"\n") == plan.total + 1


def test_the_process_ends_with_the_table_and_when_the_browser_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = failing(2 * audit_table.ROWS, tmp_path / "f.jsonl")
    for at_most in (None, 1):
        assert asyncio.run(gathered(plan, tmp_path / "f.jsonl", at_most))
        until(lambda: not children())


def test_a_table_that_breaks_off_is_no_whole_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser must not take a part for the whole; what went wrong is counted."""
    plan = failing(20_000, tmp_path / "f.jsonl")
    job = AuditJob(plan, tmp_path / "f.jsonl", "", lambda job: None)
    monkeypatch.setitem(audit_jobs._known, job.id, job)  # type: ignore[arg-type]
    metrics.start()
    with serving(result_routes.routes("")) as url, urllib.request.urlopen(f"{url}/augviz/audit/{job.id}.csv") as reply:
        reply.read(10)
        [child] = children()
        child.kill()
        with pytest.raises(http.client.IncompleteRead):
            reply.read()
        until(lambda: not jobs._places)
    found = counted()
    metrics.stop()

    assert found['augviz_jobs_total{function="audit_table",outcome="crashed"}'] == 1


def test_a_table_counts_as_a_job_while_it_is_made_and_no_longer_than_a_job_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = failing(2 * audit_table.ROWS, tmp_path / "f.jsonl")
    settings = SimpleNamespace(job_seconds=60.0, job_memory_bytes=0, jobs=1, jobs_per_visitor=1)
    for module in (audit_table, jobs):
        monkeypatch.setattr(module, "get_settings", lambda: settings)

    async def taken() -> None:
        async with contextlib.aclosing(audit_table.pieces(plan, tmp_path / "f.jsonl", "somebody")) as pieces:
            await anext(pieces)
            with pytest.raises(WorkerError, match=r"and 1 is the limit; wait"):
                jobs.take_place("somebody")
        jobs.take_place("somebody")()
        settings.job_seconds = 2.0
        async with contextlib.aclosing(audit_table.pieces(plan, tmp_path / "f.jsonl", "somebody")) as pieces:
            await anext(pieces)  # and takes no more
            await asyncio.to_thread(until, lambda: not children())
            await asyncio.to_thread(until, lambda: not jobs._places)
            jobs.take_place("somebody")()
            with pytest.raises(WorkerTimeout, match="The table took longer than its limit of 2"):
                await anext(pieces)

    asyncio.run(taken())


def test_the_sums_stay_as_small_as_a_report_shows_them(tmp_path: Path) -> None:
    """A report of a thousand failures that are listed, each with a command and an address, is a file of a few MB."""
    steps = [{"id": str(number), "transform": "HorizontalFlip"} for number in range(60)]
    plan, totals = Plan(str(tmp_path), (), 1, saved.load({"format": 1, "steps": steps})), Totals()
    for number in range(5000):
        totals.add(Finding(f"{'x' * 100}{number}.png", "", 0, number, Failure("It is cut."), None))

    assert len(json.dumps(audit_report.document(plan, totals), indent=2)) < 2_000_000
