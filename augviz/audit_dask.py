"""Runs an audit's draws in a Dask cluster that others started. `dask.distributed` is optional (requirements-dask.txt).

Each Dask worker has worker processes of ours below it, so that a crash of the library is one draw's, as on one machine,
and Dask never sees it. Where a Dask worker itself ends, Dask has its calls made by another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from augviz import audit_run
from augviz.audit import Finding, Plan, Task
from augviz.audit_run import Runner
from augviz.errors import WorkerError
from augviz.settings import checked_scheduler, get_settings
from augviz.workers import Pool

CONNECT_SECONDS = 10

PER_CALL = 8
"""Tasks of one call: so few that an ended worker costs little, so many that Dask's own time does not count."""


@dataclass(slots=True)
class _Held:
    """A pool of this Dask worker, and how many of its calls use it."""

    pool: Pool
    users: int = 0


_held: dict[tuple[int, int], _Held] = {}
_lock = threading.Lock()


@contextmanager
def pool_of(processes: int, memory_bytes: int) -> Iterator[Pool]:
    """The worker processes of this Dask worker, kept for its next calls; they end with it, or when others are needed."""
    key = processes, memory_bytes
    with _lock:
        idle = [_held.pop(other) for other, held in list(_held.items()) if other != key and not held.users]
        if key not in _held:
            seconds = get_settings().view_seconds
            _held[key] = _Held(Pool(render_workers=processes, seconds=seconds, memory_bytes=memory_bytes, threads=1))
        held = _held[key]
        held.users += 1
    try:
        for other in idle:
            other.pool.close()
        yield held.pool
    finally:
        with _lock:
            held.users -= 1


def make(job: Mapping[str, Any], todo: list[Task]) -> list[Finding]:
    """The findings of some tasks; runs in a Dask worker, under its machine's settings."""
    from distributed import get_worker

    settings = get_settings()
    is_full = job["max_side"] is None
    memory_bytes = settings.job_memory_bytes if is_full else settings.worker_memory_bytes
    with pool_of(get_worker().state.nthreads, memory_bytes) as pool:
        return audit_run.findings(pool, job, todo, settings.job_seconds if is_full else settings.view_seconds)


@contextmanager
def cluster(plan: Plan, address: str) -> Iterator[Runner]:
    """The cluster whose scheduler has this address.

    Its workers must import the same version of augviz, and see the plan's folder under the same path.

    Raises:
        SettingsError: this is no address of a scheduler.
        WorkerError: `dask.distributed` is not installed, has no certificates for the address, or no scheduler answers there.
    """
    checked_scheduler(address, "scheduler")  # Dask would try for long, and print what went wrong itself
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise WorkerError(
            "A Dask cluster needs dask.distributed, which is not installed: pip install -r requirements-dask.txt"
        ) from error
    if address.startswith(("tls:", "wss:")) and not Security().get_connection_args("client").get("ssl_context"):
        raise WorkerError(
            f"{address}: Dask has no certificates for it here; its settings distributed.comm.tls name them."
        )
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="augviz-audit")
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise WorkerError(f"{address}: no Dask scheduler answers there: {' '.join(str(error).split())}.") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise WorkerError(f"{address}: the cluster has no worker.")
        executor = client.get_executor(pure=False)
        try:
            yield Runner(executor, make, 2 * threads, PER_CALL)
        finally:
            executor.shutdown(wait=False)
