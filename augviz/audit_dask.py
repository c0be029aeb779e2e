"""Runs an audit's draws in a Dask cluster that others started. `dask.distributed` is optional (requirements-dask.txt).

Each Dask worker has worker processes of ours below it, so that a crash of the library is one draw's, as on one machine,
and Dask never sees it. Where a Dask worker itself ends, Dask has its calls made by another.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from augviz import audit_run
from augviz.audit import Finding, Plan, Task
from augviz.audit_run import Runner
from augviz.errors import WorkerError
from augviz.settings import get_settings
from augviz.workers import Pool

CONNECT_SECONDS = 10

PER_CALL = 8
"""Tasks of one call: so few that an ended worker costs little, so many that Dask's own time does not count."""


@functools.lru_cache(maxsize=1)
def _pool(processes: int, memory_bytes: int) -> Pool:
    """The worker processes of this Dask worker; they end with it."""
    return Pool(render_workers=processes, seconds=get_settings().view_seconds, memory_bytes=memory_bytes, threads=1)


def make(job: Mapping[str, Any], todo: list[Task]) -> list[Finding]:
    """The findings of some tasks; runs in a Dask worker, under its machine's settings."""
    from distributed import get_worker

    settings = get_settings()
    is_full = job["max_side"] is None
    pool = _pool(get_worker().state.nthreads, settings.job_memory_bytes if is_full else settings.worker_memory_bytes)
    return audit_run.findings(pool, job, todo, settings.job_seconds if is_full else settings.view_seconds)


@contextmanager
def cluster(plan: Plan, address: str) -> Iterator[Runner]:
    """The cluster whose scheduler has this address.

    Its workers must import the same version of augviz, and see the plan's folder under the same path.

    Raises:
        WorkerError: `dask.distributed` is not installed, or no scheduler answers at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise WorkerError(
            "A Dask cluster needs dask.distributed, which is not installed: pip install -r requirements-dask.txt"
        ) from error
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
