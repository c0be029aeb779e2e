"""An audit on a Dask cluster of separate processes gives what it gives on this machine, also when a worker is killed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from augviz import audit, audit_dask, audit_report, audit_run, saved
from augviz.audit import Plan
from augviz.audit_totals import Totals
from augviz.errors import SettingsError, WorkerError
from augviz.workers import Pool
from tests import auditing_folder
from tests.test_cli import augviz, failure

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two workers, each a process of its own."""
    options = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "processes": True,
        "dashboard_address": None,
        "host": "127.0.0.1",
    }
    with distributed.LocalCluster(**options, silence_logs=50) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = auditing_folder.make(tmp_path_factory.mktemp("data"), good=20)
    return audit.plan(folder, saved.load(auditing_folder.PIPELINE), draws=3)


def report(plan: Plan, totals: Totals) -> dict[str, Any]:
    """All that does not depend on the machine."""
    return {key: value for key, value in audit_report.document(plan, totals).items() if key != "cost"}


@pytest.fixture(scope="module")
def local(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    totals = Totals()
    with audit_run.local(plan) as runner:
        path = tmp_path_factory.mktemp("local") / "findings.jsonl"
        audit_run.run(plan, runner, path, totals, tell=lambda done, total: None, stop=threading.Event())
    return report(plan, totals)


def test_the_cluster_finds_what_this_machine_finds(
    address: str, plan: Plan, local: dict[str, Any], tmp_path: Path
) -> None:
    totals = Totals()
    with audit_dask.cluster(plan, address) as runner:
        whole = audit_run.run(
            plan, runner, tmp_path / "f.jsonl", totals, tell=lambda done, total: None, stop=threading.Event()
        )

    assert whole
    assert report(plan, totals) == local
    assert local["draws"]["failed"] == 6


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(
    address: str, plan: Plan, local: dict[str, Any], tmp_path: Path
) -> None:
    totals, killed = Totals(), list[int]()
    with distributed.Client(address, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())

    def tell(done: int, total: int) -> None:
        if 0 < done < total and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    with audit_dask.cluster(plan, address) as runner:
        whole = audit_run.run(plan, runner, tmp_path / "f.jsonl", totals, tell=tell, stop=threading.Event())

    assert whole
    assert killed
    assert report(plan, totals) == local


def test_an_audit_that_was_begun_here_goes_on_in_the_cluster(
    address: str, plan: Plan, local: dict[str, Any], tmp_path: Path
) -> None:
    records, first, stop = tmp_path / "f.jsonl", Totals(), threading.Event()
    with audit_run.local(plan) as runner:
        audit_run.run(plan, runner, records, first, tell=lambda done, _: stop.set() if done > 9 else None, stop=stop)
    second, told = Totals(), list[int]()
    with audit_dask.cluster(plan, address) as runner:
        audit_run.run(plan, runner, records, second, tell=lambda done, _: told.append(done), stop=threading.Event())

    assert told[0] == first.done < plan.total
    assert report(plan, second) == local


def test_a_worker_has_one_pool_of_a_kind_and_ends_the_others_when_nobody_uses_them() -> None:
    started = threading.Barrier(8)

    def used(_: int) -> Pool:
        started.wait(60)
        with audit_dask.pool_of(1, 0) as pool:
            return pool

    with ThreadPoolExecutor(8) as threads:
        pools = set(threads.map(used, range(8)))
    [shrunk] = pools
    with audit_dask.pool_of(1, 0), audit_dask.pool_of(1, 10**10) as full:
        shrunk.submit("sleep", {}).exception(60)
        assert shrunk.pids()["render"] != []
    with audit_dask.pool_of(1, 10**10) as again:
        assert again is full
    with pytest.raises(WorkerError, match="have been closed"):
        shrunk.submit("sleep", {})

    assert shrunk.pids()["render"] == []
    with audit_dask.pool_of(1, 0) as fresh:
        assert fresh is not shrunk


def test_an_address_where_no_scheduler_is_is_a_sentence(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_dask, "CONNECT_SECONDS", 1)

    with pytest.raises(WorkerError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):  # noqa: SIM117
        with audit_dask.cluster(plan, "tcp://127.0.0.1:9"):
            pass


def test_what_is_no_address_is_a_sentence_at_once(plan: Plan) -> None:
    said = r"scheduler: an address as tcp://10\.0\.0\.1:8786 is needed, got 'bogus://x:1'\."
    with pytest.raises(SettingsError, match=said), audit_dask.cluster(plan, "bogus://x:1"):
        pass


@pytest.mark.parametrize("scheme", ["tls", "wss"])
def test_an_address_that_needs_certificates_which_are_not_there_is_a_sentence_at_once(plan: Plan, scheme: str) -> None:
    said = rf"{scheme}://127\.0\.0\.1:9: Dask has no certificates for it here"
    with pytest.raises(WorkerError, match=said), audit_dask.cluster(plan, f"{scheme}://127.0.0.1:9"):
        pass


def test_a_worker_that_does_not_see_the_folder_ends_the_audit_with_a_sentence(
    address: str, plan: Plan, tmp_path: Path
) -> None:
    elsewhere, totals = dataclasses.replace(plan, folder=str(tmp_path / "unmounted")), Totals()
    said = r"unmounted: the folder is not there for a worker; every worker must see it under this path\."
    with pytest.raises(WorkerError, match=said), audit_dask.cluster(elsewhere, address) as runner:
        audit_run.run(
            elsewhere, runner, tmp_path / "f.jsonl", totals, tell=lambda done, total: None, stop=threading.Event()
        )

    assert totals.failed == 0


def test_the_command_line_runs_on_the_cluster_of_the_address(
    address: str, plan: Plan, local: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(auditing_folder.PIPELINE))
    by_option = augviz("audit", plan.folder, path, "--draws", 3, "--json", "--scheduler", address)
    by_setting = augviz("audit", plan.folder, path, "--draws", 3, "--json", AUGVIZ_SCHEDULER=address)

    for result in (by_option, by_setting):
        found = json.loads(result.stdout.replace(str(path), "PIPELINE"))
        found.pop("cost")

        assert (result.returncode, result.stderr) == (1, "")
        assert found == local


def test_a_cluster_that_is_not_there_is_one_line(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(auditing_folder.PIPELINE))

    assert "no Dask scheduler answers there" in failure("audit", plan.folder, path, "--scheduler", "tcp://127.0.0.1:9")
