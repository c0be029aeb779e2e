"""The pool of worker processes, from the server's side. Names worker functions by string; imports no pixels.

Two lanes: "render" makes pixels, "desk" answers what needs headers only (describe, draw), so that a page never waits
behind a picture. A third one, "apart", makes the pixels of visitors whose requests have ended workers lately
(`probation.py`), so that it costs the others nothing to have those replaced again and again. In each of them visitors
take turns (`turns.py`). The latest wins: a request is dropped from the queue when a newer one with the same session
and topic comes, and one that is being computed is told to stop; only a time limit ends a process, whose caches and
imports would go with it. A crash costs the one request its answer and the pool one process, which is replaced.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from augviz import events, metrics, probation
from augviz.child import Answer, Call, Child, WorkerBug, outcome_of
from augviz.errors import StepError, WorkerCrashed, WorkerError
from augviz.jobs import start_job
from augviz.turns import Turns

__all__ = ["MAX_QUEUED", "Answer", "Pool", "WorkerBug", "get_pool"]

NICE = 5
"""How much the server's processes that make pixels give way to the server itself, which nobody's page can do without."""

NICER_APART = 5
"""How much more the process gives way that computes for those whose requests have ended workers lately."""

MAX_QUEUED = 256
"""Requests that may wait in a lane where nobody says so. Beyond it one is refused: it would be answered when nobody looks."""


@dataclass(eq=False, slots=True)
class _Slot:
    """The place of one worker: its thread here, its present process, and what that is doing."""

    thread: threading.Thread | None = None
    child: Child | None = None
    call: Call | None = None


@dataclass(eq=False, slots=True)
class _Lane:
    name: str
    slots: list[_Slot]
    arrived: threading.Condition
    threads: int
    nice: int
    turns: Turns
    log_level: int = logging.INFO  # of a request that went as it should
    rest_seconds: float | None = None  # an idle worker is ended after that


class Pool:
    """Worker processes that answer requests, each started when its lane gets its first.

    Args:
        render_workers: processes that make pixels; the desk has one more.
        seconds: time limit of a request that names none.
        memory_bytes: limit of each process's address space, 0 is none.
        tasks: module that holds the functions.
        threads: libvips' threads in each process.
        nice: how much the processes that make pixels give way to others; the desk's does not.
        max_queued: requests that may wait in a lane.
        max_queued_per_visitor: of one visitor; 0 is no limit of its own.
        max_renders_per_visitor: requests of one visitor that are computed at the same time; 0 is no limit.
        lane: what metrics call the lane that makes pixels, where it is not that of the pages.
        log_level: of its requests that went as they should.
    """

    def __init__(
        self,
        *,
        render_workers: int,
        seconds: float,
        memory_bytes: int = 0,
        tasks: str = "augviz.tasks",
        threads: int = 2,
        nice: int = 0,
        max_queued: int = MAX_QUEUED,
        max_queued_per_visitor: int = 0,
        max_renders_per_visitor: int = 0,
        lane: str = "render",
        log_level: int = logging.INFO,
    ) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._tasks = tasks
        self._lock = threading.Lock()  # guards queues, slots and `_closed`; never held while a process is waited for
        self._numbers = itertools.count(1)
        self._closed = False
        # Who is refused for another's request is told from a thread: the other one may hold a lock that they need.
        self._telling = ThreadPoolExecutor(1, "augviz-refusals")

        def made(name: str, processes: int, threads: int, nice: int, log_level: int = logging.INFO) -> _Lane:
            turns = Turns(
                max_waiting=max_queued,
                max_waiting_per_visitor=max_queued_per_visitor,
                max_computing_per_visitor=max_renders_per_visitor,
            )
            slots = [_Slot() for _ in range(processes)]
            return _Lane(name, slots, threading.Condition(self._lock), threads, nice, turns, log_level)

        self._lanes = {"render": made(lane, render_workers, threads, nice, log_level), "desk": made("desk", 1, 1, 0)}
        self._lanes["apart"] = made("apart", 1, threads, nice + NICER_APART)
        self._lanes["apart"].rest_seconds = probation.SECONDS
        self._probation = probation.Probation()
        atexit.register(self.close)

    def submit(
        self,
        function: str,
        args: Mapping[str, Any],
        *,
        lane: str = "render",
        session: str = "",
        topic: str = "",
        seconds: float | None = None,
        urgent: bool = False,
        patient: bool = False,
        visitor: str = "",
    ) -> Future[Answer]:
        """Put a request in the queue, `urgent` ones ahead of the same visitor's others, `patient` ones after everybody's.

        With a session and a topic it takes the place of an older one with the same.

        Raises ServerBusy if the queue is full, WorkerError if the pool is closed. The future raises what `Child.ask` does,
        and ServerBusy where it had to make room; only `cancel` cancels it.
        """
        limit = self._seconds if seconds is None else seconds
        named = (session, topic) if session and topic else None
        call = Call(next(self._numbers), function, args, limit, named, urgent=urgent, patient=patient, visitor=visitor)
        with self._lock:
            if self._closed:
                raise WorkerError("The workers have been closed.")
            place = self._lanes["apart" if lane == "render" and self._probation.holds(visitor) else lane]
            older = self._take(lambda other: call.topic is not None and other.topic == call.topic)
            refusal = place.turns.add(call)
            place.arrived.notify()
            self._start_threads(place)
        for old in older:
            old.give_up()
        if refusal is not None:
            refused, error = refusal
            metrics.count("refusals", what="request")
            events.tell("refused", level=logging.WARNING, what="request", visitor=refused.visitor, ahead=error.ahead)
            if refused is call:
                raise error
            self._telling.submit(refused.settle, error)
        return call.future

    def call(self, function: str, args: Mapping[str, Any], **options: Any) -> Answer:
        """Submit and wait for the answer; options as in `submit`."""
        return self.submit(function, args, **options).result()

    async def acall(self, function: str, args: Mapping[str, Any], **options: Any) -> Answer:
        """Submit and await the answer; a cancelled waiter cancels the request."""
        future = self.submit(function, args, **options)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self.cancel(future)
            raise

    def submit_fresh(self, function: str, args: Mapping[str, Any], *, visitor: str = "") -> Future[Answer]:
        """Have a process of its own answer, one that may well die of it: a job of the visitor, which gives way as jobs do.

        Raises WorkerError if there is no room.
        """
        job = start_job(
            function, args, seconds=self._seconds, memory_bytes=self._memory_bytes, tasks=self._tasks, visitor=visitor
        )
        return job.future

    def cancel(self, future: Future[Answer]) -> None:
        """Give a request up: take it from the queue, or tell its worker to stop. The future raises Cancelled."""
        with self._lock:
            found = self._take(lambda call: call.future is future)
        for call in found:
            call.give_up()

    def warm(self) -> None:
        """Start every process now, so that no first request waits for imports. Returns at once."""
        with self._lock:
            for name in ("render", "desk"):
                self._start_threads(self._lanes[name])

    def pids(self) -> dict[str, list[int]]:
        """Process ids of the living workers by lane."""
        with self._lock:
            return {name: [child.pid for child in _children(lane)] for name, lane in self._lanes.items()}

    def memory(self) -> dict[int, int | None]:
        """Resident bytes of each living worker by process id; None where the system does not tell."""
        with self._lock:
            children = [child for lane in self._lanes.values() for child in _children(lane)]
        return {child.pid: child.resident_bytes() for child in children}

    def close(self) -> None:
        """End every process; requests that wait are given up."""
        with self._lock:
            self._closed = True
            calls = self._take(lambda call: True)
            children = [child for lane in self._lanes.values() for child in _children(lane)]
            threads = [s.thread for lane in self._lanes.values() for s in lane.slots if s.thread is not None]
            for lane in self._lanes.values():
                lane.arrived.notify_all()
        for call in calls:
            call.give_up()
        for child in children:
            child.end()
        for thread in threads:
            thread.join(timeout=5)
        self._telling.shutdown()
        atexit.unregister(self.close)

    def _start_threads(self, lane: _Lane) -> None:
        for slot in lane.slots:
            if slot.thread is None:
                slot.thread = threading.Thread(target=self._serve, args=(lane, slot), daemon=True, name="augviz-worker")
                slot.thread.start()

    def _serve(self, lane: _Lane, slot: _Slot) -> None:
        """The thread of one worker: take a request, have it answered, replace the process if it ended."""
        self._start_child(lane, slot)
        while (call := self._next(lane, slot)) is not None:
            began = time.monotonic()
            whose = {"function": call.function, "visitor": call.visitor}
            events.tell("render_start", level=lane.log_level, id=call.number, **whose)
            try:
                outcome: Answer | Exception = self._answer(lane, slot, call)
            except Exception as error:  # noqa: BLE001 - raised where the future is asked; this thread goes on
                outcome = error
            with self._lock:
                slot.call = None
                lane.turns.done(call)
                lane.arrived.notify()  # a visitor who was at their limit is below it
            if _note(lane, slot, call, began, outcome) in ("crashed", "timed_out"):
                self._probation.note(call.visitor)
            call.settle(outcome)
            if slot.child is not None and not slot.child.is_alive:
                self._start_child(lane, slot)
        if slot.child is not None:
            slot.child.end()

    def _answer(self, lane: _Lane, slot: _Slot, call: Call) -> Answer:
        """Ask the worker, and after a crash that can be the late work of an earlier request a fresh one."""
        try:
            return self._ask(lane, slot, call)
        except (WorkerCrashed, StepError) as error:
            if not _is_doubtful(error, slot.child):
                raise
        return self._ask(lane, slot, call)

    def _ask(self, lane: _Lane, slot: _Slot, call: Call) -> Answer:
        if slot.child is None or not slot.child.is_alive:
            self._start_child(lane, slot)
        child = slot.child
        if child is None:
            raise WorkerError("A worker process cannot be started: the system has no room for another one.")
        try:
            child.wait_ready()
        except WorkerBug:
            slot.child = None  # it cannot be started as things are: the next request tries again, nobody before
            raise
        return child.ask(call)

    def _start_child(self, lane: _Lane, slot: _Slot) -> None:
        old = slot.child
        if old is not None:
            old.end()
            metrics.count("worker_restarts", lane=lane.name)
        try:
            child = Child(tasks=self._tasks, memory_bytes=self._memory_bytes, nice=lane.nice, threads=lane.threads)
        except OSError:
            slot.child = None
            return
        with self._lock:
            slot.child = child
            closed = self._closed
        events.tell("worker_start", lane=lane.name, pid=child.pid, again=old is not None)
        if closed:
            child.end()

    def _next(self, lane: _Lane, slot: _Slot) -> Call | None:
        while True:
            with self._lock:
                if self._closed:
                    return None
                if (call := lane.turns.next()) is not None:
                    slot.call = call
                    return call
                idle = None if lane.arrived.wait(lane.rest_seconds) else slot.child
                if idle is not None:
                    slot.child = None  # the next request starts another one
            if idle is not None:
                idle.end()

    def _take(self, is_meant: Callable[[Call], bool]) -> list[Call]:
        """Take the meant requests out of the queues; returns them, and those of them that are being computed."""
        found: list[Call] = []
        for lane in self._lanes.values():
            found += lane.turns.take(is_meant)
            found += [slot.call for slot in lane.slots if slot.call is not None and is_meant(slot.call)]
        return found


def _note(lane: _Lane, slot: _Slot, call: Call, began: float, outcome: Answer | Exception) -> str:
    """Count and log a request that a worker has had; returns how it ended, in a word."""
    queued, seconds = began - call.asked_at, time.monotonic() - began
    word = outcome_of(outcome if isinstance(outcome, Exception) else None)
    metrics.count("renders", function=call.function, outcome=word)
    metrics.observe("render_seconds", seconds, function=call.function)
    metrics.observe("queue_seconds", queued, lane=lane.name)
    events.tell(
        "render_end",
        level=logging.WARNING if word in ("crashed", "timed_out", "bug") else lane.log_level,
        id=call.number,
        function=call.function,
        outcome=word,
        visitor=call.visitor,
        patient=call.patient,
        queue_seconds=queued,
        seconds=seconds,
        pid=slot.child.pid if slot.child is not None else None,
    )
    return word


def _is_doubtful(error: WorkerCrashed | StepError, child: Child | None) -> bool:
    """Whether the crash can have been left behind by an earlier request of the same process.

    albumentationsxl 0.1.2: releasing thousands of dropout holes overflows the stack (D2), and libvips' cache releases
    them during whatever comes later.
    """
    crashed = isinstance(error, WorkerCrashed) or isinstance(error.__cause__, WorkerCrashed)
    return crashed and child is not None and child.answered > 1


def _children(lane: _Lane) -> list[Child]:
    return [slot.child for slot in lane.slots if slot.child is not None and slot.child.is_alive]


_pool: Pool | None = None
_pool_lock = threading.Lock()


def get_pool() -> Pool:
    """The server's one pool, made from the settings when it is first asked for."""
    from augviz.settings import get_settings

    global _pool
    with _pool_lock:
        if _pool is None:
            settings = get_settings()
            _pool = Pool(
                render_workers=settings.workers,
                seconds=settings.view_seconds,
                memory_bytes=settings.worker_memory_bytes,
                nice=NICE,
                max_queued=settings.queue,
                max_queued_per_visitor=settings.queue_per_visitor,
                max_renders_per_visitor=settings.renders_per_visitor,
            )
        return _pool
