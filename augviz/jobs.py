"""Long work: one fresh child process each, with progress, limits, and a cancel that really ends it.

A job runs at low priority with few libvips threads, so that previews stay quick beside it.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextvars import ContextVar
from typing import Any, Literal

from augviz import events, metrics
from augviz.child import Answer, Call, Child, outcome_of
from augviz.errors import Cancelled, WorkerError
from augviz.settings import get_settings

State = Literal["running", "done", "failed", "cancelled"]

NICE = 15
"""How much jobs give way: also to what makes previews, which gives way to the server."""

CANCEL_SECONDS = 1.0
"""A cancelled job that has not stopped by itself is killed after this long."""

MAX_KEPT = 100
"""Finished jobs that can still be asked for their result; the oldest go first."""


class Job:
    """One piece of long work. Made by `start_job`.

    Attributes:
        id: unguessable; `find_job` finds the job by it.
        function: name of the worker function.
        visitor: who it is for; "" is nobody in particular.
    """

    def __init__(self, child: Child, call: Call) -> None:
        self.id = secrets.token_urlsafe(12)
        self.function = call.function
        self.visitor = call.visitor
        self._child = child
        self._call = call
        self._thread = threading.Thread(target=self._follow, daemon=True, name="augviz-job")
        self._thread.start()

    @property
    def future(self) -> Future[Answer]:
        """The answer to come; raises as `Child.ask` does."""
        return self._call.future

    @property
    def pid(self) -> int:
        """Process id of the child, for the tests and for people with a process list."""
        return self._child.pid

    @property
    def progress(self) -> tuple[float | None, str]:
        """How far it is: a fraction in [0, 1] or None where unknown, and the stage in words."""
        return self._call.progress

    @property
    def state(self) -> State:
        """`cancelled` is said as soon as it was asked for; the process then ends within `CANCEL_SECONDS`."""
        future = self._call.future
        if not future.done():
            return "running"
        error = future.exception()
        if error is None:
            return "done"
        return "cancelled" if isinstance(error, Cancelled) else "failed"

    @property
    def error(self) -> BaseException | None:
        """What went wrong, None while it runs and when it is done."""
        return self._call.future.exception() if self._call.future.done() else None

    def result(self) -> Answer:
        """Wait for the answer. Raises as `Child.ask` does."""
        return self._call.future.result()

    def wait(self, seconds: float) -> State:
        """Wait until it has ended, at most `seconds`; returns the state."""
        wait([self._call.future], timeout=seconds)
        return self.state

    def wait_gone(self, seconds: float) -> bool:
        """Wait until its process is gone, at most `seconds`, and say whether it is; a cancelled one takes a moment."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Have it stop; its process is gone within `CANCEL_SECONDS`."""
        self._call.give_up(CANCEL_SECONDS)
        if self._call.child is None:  # it is still importing
            self._child.end()

    def _follow(self) -> None:
        try:
            outcome: Answer | BaseException = self._child.ask(self._call)
        except Exception as error:  # noqa: BLE001 - raised where the result is asked
            outcome = error
        self._child.end()
        self._note(outcome)
        self._call.settle(outcome)

    def _note(self, outcome: Answer | BaseException) -> None:
        word = outcome_of(outcome if isinstance(outcome, BaseException) else None)
        if word == "crashed" and self._call.given_up:  # it was ended while it imported
            word = "cancelled"
        seconds = time.monotonic() - self._call.asked_at
        note_end(self.id, self.function, self.visitor, word, seconds)


def note_start(job_id: str, function: str, visitor: str, **more: Any) -> None:
    """Log that long work has begun, a job's or other that takes the place of one."""
    events.tell("job_start", id=job_id[:8], function=function, visitor=visitor, **more)


def note_end(job_id: str, function: str, visitor: str, outcome: str, seconds: float) -> None:
    """Count and log that it has ended, and how: a word of `child.outcome_of`."""
    metrics.count("jobs", function=function, outcome=outcome)
    metrics.observe("job_seconds", seconds, function=function)
    level = logging.WARNING if outcome in ("crashed", "timed_out", "bug") else logging.INFO
    names = {"id": job_id[:8], "function": function, "visitor": visitor}
    events.tell("job_end", level=level, **names, outcome=outcome, seconds=seconds)


_jobs: OrderedDict[str, Job] = OrderedDict()
_places: dict[object, tuple[str, bool]] = {}
"""The visitors of long work that is no job, but takes the place of one, and whether it is done on this machine."""
_lock = threading.Lock()
_asking: ContextVar[str] = ContextVar("augviz_jobs_asking", default="")


@contextlib.contextmanager
def asked_by(visitor: str) -> Iterator[None]:
    """Jobs that are started in the block are for this visitor, where they do not say for whom."""
    mark = _asking.set(visitor)
    try:
        yield
    finally:
        _asking.reset(mark)


def start_job(
    function: str,
    args: Mapping[str, Any],
    *,
    seconds: float,
    memory_bytes: int,
    threads: int = 1,
    nice: int = NICE,
    tasks: str = "augviz.tasks",
    visitor: str = "",
) -> Job:
    """Run a worker function in a fresh process.

    Args:
        seconds: time limit.
        memory_bytes: limit of the process's address space, 0 is none.
        threads: libvips' threads.
        visitor: who it is for, whose own limit counts; "" is who `asked_by` says, else nobody in particular.

    Raises:
        WorkerError: too many jobs are running, or the system has no room for another process.
    """
    visitor = visitor or _asking.get()
    with _lock:
        _check_room(visitor)
        try:
            child = Child(tasks=tasks, memory_bytes=memory_bytes, nice=nice, threads=threads)
        except OSError as error:
            raise WorkerError(f"{function}: a process for it cannot be started: {error.strerror}.") from error
        job = Job(child, Call(1, function, args, seconds, wants_progress=True, visitor=visitor))
        note_start(job.id, function, visitor, pid=child.pid)
        _jobs[job.id] = job
        for old in [old for old in _jobs.values() if old.state != "running"][:-MAX_KEPT]:
            del _jobs[old.id]
    return job


def take_place(visitor: str, is_here: bool = True) -> Callable[[], None]:
    """Count long work that is done otherwise as a job of this visitor, until what is returned is called.

    Args:
        is_here: whether it is done on this machine, whose own limit counts then, too.

    Raises:
        WorkerError: too many jobs are running.
    """
    with _lock:
        _check_room(visitor, is_here)
        place = object()
        _places[place] = (visitor, is_here)

    def leave() -> None:
        with _lock:
            _places.pop(place, None)

    return leave


def _check_room(visitor: str, is_here: bool = True) -> None:
    """Raises WorkerError where another job would be one too many. Called with the lock held."""
    settings = get_settings()
    running = [job.visitor for job in _jobs.values() if job.state == "running"]
    running += [whose for whose, here in _places.values() if here]
    elsewhere = [whose for whose, here in _places.values() if not here]
    own = [*running, *elsewhere].count(visitor) if visitor else 0
    if is_here and len(running) >= settings.jobs:
        whose = f", {own} of yours" if visitor else ""
        said = f"{len(running)} jobs are running{whose}, and {settings.jobs} is the limit"
    elif visitor and settings.jobs_per_visitor and own >= settings.jobs_per_visitor:
        said = f"{own} jobs of yours are running, which is the limit for one visitor"
    else:
        return
    metrics.count("refusals", what="job")
    events.tell("refused", level=logging.WARNING, what="job", visitor=visitor, running=len(running), own=own)
    raise WorkerError(f"{said}; wait for one of them or cancel it.")


def find_job(job_id: str) -> Job | None:
    """The job with this id, None if there is none or it has been forgotten."""
    with _lock:
        return _jobs.get(job_id)
