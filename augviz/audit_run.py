"""Runs an audit: hands its draws to processes, here or in a Dask cluster, and takes their findings as they come. No pixels.

A draw is one request to a worker process (`workers.Pool`), here as in the cluster: a crash costs that draw its result and
nothing else, and is told with the step at fault. So both ways give the same findings.
"""

from __future__ import annotations

import itertools
import logging
import os
import stat
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augviz import audit_records
from augviz.audit import Asked, Failure, Finding, Plan, Task, Tell, failure_of, job_json, seed_of, tasks
from augviz.audit_totals import Totals
from augviz.child import CannotStart, WorkerBug, outcome_of
from augviz.errors import AugvizError, ImageError, OutOfMemory, StepError, WorkerCrashed, WorkerError, WorkerTimeout
from augviz.settings import Settings, get_settings
from augviz.workers import Pool

OF_THE_DRAW = (StepError, ImageError, WorkerCrashed, WorkerTimeout, OutOfMemory)
"""Errors that say something of an image or the pipeline. Others are the machine's, and end the audit, which can go on later."""


LANE = "audit"
"""What metrics call the lane of an audit's draws, for which no visitor waits."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Where draws are made.

    Attributes:
        executor: runs `make` of this module, in a thread or in a process of a cluster.
        make: gives the findings of some tasks.
        ahead: how many calls are asked for at once.
        per_call: tasks in one call.
    """

    executor: Executor
    make: Callable[[Mapping[str, Any], list[Task]], list[Finding]]
    ahead: int
    per_call: int


def findings(pool: Pool, job: Mapping[str, Any], todo: Iterable[Task], seconds: float) -> list[Finding]:
    """Make some draws by the processes of a pool.

    Raises:
        WorkerError: the machine cannot do it, whatever the image.
        Cancelled: the pool was closed.
    """
    return [_finding(pool, job, task, seconds) for task in todo]


def _finding(pool: Pool, job: Mapping[str, Any], task: Task, seconds: float) -> Finding:
    image, folder = task.image, job["folder"]
    seed = seed_of(job["seed"], image.name, task.draw)
    args = {
        "path": str(Path(folder, image.name)),
        "pipeline": job["pipeline"],
        "seed": seed,
        "max_side": job["max_side"],
    }
    failure, seen = Failure(image.trouble) if image.trouble else None, None
    try:
        seen = None if failure else _seen(pool, args, seconds)
    except OF_THE_DRAW as error:
        failure = failure_of(error)
        if _is_away(args["path"]):
            _check_folder(folder, image)
            failure = replace(failure, is_passing=image.was_there)
    except CannotStart as error:
        raise WorkerError(f"The worker processes cannot be started: {_last_line(error)}") from error
    except WorkerBug as error:
        failure = Failure(f"This is a bug in augviz: {_last_line(error)}", is_passing=True)
    return Finding(image.name, image.stamp, task.draw, seed, failure, seen)


def _is_away(path: str) -> bool:
    """Whether a file cannot be read where the draws are made; a share that is away for a moment is no fault of an image."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            with open(path, "rb") as file:
                file.read(1)
    except OSError:
        return True
    except ValueError:  # no file can have such a name
        return False
    return False


def _check_folder(folder: str, image: Asked) -> None:
    if Path(folder).is_dir():
        return
    if image.title:  # the folder is the server's own
        raise WorkerError("The files that were sent are not there any more; send them again.")
    raise WorkerError(f"{folder}: the folder is not there for a worker; every worker must see it under this path.")


def _seen(pool: Pool, args: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    """What a worker finds of a draw. A crash is the draw's only if it comes again: the system ends processes, too."""
    try:
        found: Mapping[str, Any] = pool.call("audit", args, seconds=seconds).value["seen"]
    except AugvizError as error:
        if outcome_of(error) != "crashed":
            raise
        found = pool.call("audit", args, seconds=seconds).value["seen"]
    return found


@contextmanager
def local(plan: Plan, settings: Settings | None = None, nice: int = 0) -> Iterator[Runner]:
    """Worker processes on this machine, as many as the settings say, with one libvips thread each."""
    settings = settings or get_settings()
    seconds = seconds_of(plan, settings)
    pool = Pool(
        render_workers=settings.workers,
        seconds=seconds,
        memory_bytes=memory_of(plan, settings),
        threads=1,
        nice=nice,
        lane=LANE,
        log_level=logging.DEBUG,
    )
    threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="augviz-audit")
    try:
        yield Runner(threads, lambda job, todo: findings(pool, job, todo, seconds), 2 * settings.workers, 1)
    finally:
        pool.close()
        threads.shutdown(cancel_futures=True)


def seconds_of(plan: Plan, settings: Settings) -> float:
    """How long one draw may take."""
    return settings.job_seconds if plan.max_side is None else settings.view_seconds


def memory_of(plan: Plan, settings: Settings) -> int:
    """Address space of a process that draws."""
    return settings.job_memory_bytes if plan.max_side is None else settings.worker_memory_bytes


def run(plan: Plan, runner: Runner, records: Path, totals: Totals, *, tell: Tell, stop: threading.Event) -> bool:
    """Make the draws that the file of records has not got, and sum all of them.

    Args:
        records: written as findings come; what it holds of this audit is not made again.
        totals: are added to as it goes, on this thread, so that others may read what there is so far.
        tell: is told how far it is after each call.
        stop: ends the run when it is set; what was found is kept.

    Returns:
        Whether everything is done.

    Raises:
        AugvizError: the machine or the cluster cannot go on, or the file is another audit's; what was found is kept.
    """
    with audit_records.opened(records, plan, totals.add) as (known, write):
        tell(totals.done, plan.total)
        todo = (task for task in tasks(plan) if (task.image.name, task.draw) not in known)
        with closing(_made(plan, runner, todo, stop)) as calls:
            for found in calls:
                write(found)
                for finding in found:
                    totals.add(finding)
                tell(totals.done, plan.total)
    return totals.done == plan.total


def _made(
    plan: Plan, runner: Runner, todo: Iterator[Task], stop: threading.Event
) -> Generator[list[Finding], None, None]:
    """The findings of each call, in the order in which they end."""
    job, running = job_json(plan), set[Future[list[Finding]]]()
    try:
        while not stop.is_set():
            while len(running) < runner.ahead and (some := list(itertools.islice(todo, runner.per_call))):
                running.add(runner.executor.submit(runner.make, job, some))
            if not running:
                return
            done, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                yield _result(future)
    finally:
        for future in running:
            future.cancel()


def _result(future: Future[list[Finding]]) -> list[Finding]:
    try:
        return future.result()
    except AugvizError:
        raise
    except Exception as error:  # of the cluster, whose errors are of its own classes
        raise WorkerError(f"The draws could not be made: {type(error).__name__}: {_last_line(error)}") from error


def _last_line(error: BaseException) -> str:
    """The end of a traceback, or the error's own words."""
    return (str(error).strip().splitlines() or ["no reason is told"])[-1]
