"""Audits of the app as jobs: what is counted and logged of them, and who finds them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from augviz import audit, audit_jobs, events, metrics, saved
from augviz.audit import Plan
from augviz.audit_jobs import AuditJob
from augviz.settings import get_settings
from tests import auditing_folder
from tests.live import until
from tests.test_metrics import SAMPLE

FLIP = saved.load({"format": 1, "steps": [{"id": "f", "transform": "HorizontalFlip"}]})


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """Six images, one of which is cut, in a folder whose name nobody else knows."""
    for folder in auditing_folder.allowed(tmp_path, monkeypatch):
        yield audit.plan(folder, FLIP)


@pytest.fixture
def counting() -> Iterator[None]:
    metrics.start()
    yield
    metrics.stop()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the log says, as JSON."""
    logger, stream = logging.getLogger("augviz"), io.StringIO()
    before = logger.handlers[:], logger.level, logger.propagate
    events.begin("json", stream)
    yield stream
    logger.handlers[:], logger.level, logger.propagate = before


def counted() -> dict[str, float]:
    """Every sample, by name and labels."""
    from prometheus_client.exposition import generate_latest  # not where only what needs PyTorch is tested

    found = SAMPLE.findall(generate_latest(metrics._registry).decode())
    return {name + (f"{{{labels}}}" if labels else ""): float(value) for name, labels, value in found}


def told(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def ended(job: AuditJob, state: str) -> None:
    assert job.wait(120) == state
    assert not job._thread.is_alive()


def test_an_audit_is_counted_as_a_job_and_its_draws_are_apart_from_the_visitors(
    plan: Plan, tmp_path: Path, counting: None
) -> None:
    ended(audit_jobs.start(plan, tmp_path / "f.jsonl", visitor="somebody"), "done")
    found = counted()

    assert found['augviz_jobs_total{function="audit",outcome="done"}'] == 1
    assert found['augviz_job_seconds_count{function="audit"}'] == 1
    assert found['augviz_job_seconds_sum{function="audit"}'] > 0
    assert found['augviz_queue_seconds_count{lane="audit"}'] == plan.total
    assert not any('lane="render"' in name for name in found)


def test_audits_are_counted_by_how_they_end(
    plan: Plan, tmp_path: Path, counting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = audit.plan(plan.folder, FLIP, draws=1000)
    job = audit_jobs.start(long, tmp_path / "f.jsonl")
    until(lambda: job.progress[0] > 0)
    job.cancel()
    ended(job, "cancelled")
    (tmp_path / "other.jsonl").write_text("not of this audit\n")
    ended(audit_jobs.start(plan, tmp_path / "other.jsonl"), "failed")
    monkeypatch.setenv("AUGVIZ_AUDIT_SECONDS", "1")
    get_settings.cache_clear()
    ended(audit_jobs.start(long, tmp_path / "g.jsonl"), "failed")
    found = counted()

    counts = {
        word: found[f'augviz_jobs_total{{function="audit",outcome="{word}"}}'] for word in ("cancelled", "failed")
    }
    assert counts == {"cancelled": 1, "failed": 1}
    assert found['augviz_jobs_total{function="audit",outcome="timed_out"}'] == 1
    assert found['augviz_job_seconds_count{function="audit"}'] == 3


def test_the_log_tells_when_an_audit_began_and_ended_and_nothing_of_its_draws(
    plan: Plan, tmp_path: Path, log: io.StringIO
) -> None:
    job = audit_jobs.start(plan, tmp_path / "f.jsonl", visitor="0123456789abcdef")
    ended(job, "done")
    lines = [line for line in told(log) if line["event"].startswith(("job", "render"))]

    assert [(line["event"], line["level"]) for line in lines] == [("job_start", "info"), ("job_end", "info")]
    assert {(line["id"], line["function"], line["visitor"]) for line in lines} == {(job.id[:8], "audit", "01234567")}
    assert lines[1]["outcome"] == "done"
    assert lines[1]["seconds"] > 0
    assert plan.folder not in log.getvalue()
    assert not any(image.name in log.getvalue() for image in plan.images)


def test_an_audit_is_found_by_its_id_and_its_visitor_only(plan: Plan, tmp_path: Path) -> None:
    job = audit_jobs.start(plan, tmp_path / "f.jsonl", visitor="somebody")
    ended(job, "done")

    assert audit_jobs.find(job.id, "somebody") is job
    assert audit_jobs.find(job.id, "somebody else") is None
    assert audit_jobs.find("guessed", "somebody") is None
