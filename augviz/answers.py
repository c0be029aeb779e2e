"""Answers of the workers, shared: one computation for identical requests, a cache in front, the latest of a topic wins.

Thread safe, so that pages (threads) and routes (coroutines) use the same one.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from augviz import metrics
from augviz.child import Answer, unexplained, verdict
from augviz.errors import Cancelled, StepError, WorkerCrashed, WorkerError, WorkerTimeout
from augviz.workers import Pool

MAX_BYTES = 64 << 20
MAX_ERRORS = 1000
"""Refusals that are remembered: a draw that crashes the library must not cost a worker at each look."""

_BYTES_PER_CHARACTER = 8  # what a number in JSON text takes as an object of Python in a list, roughly


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the workers.

    Attributes:
        name: equal names have equal answers.
        function, args: worker function and its arguments.
        urgent: whether it goes ahead of the same visitor's others.
        patient: whether it gives way to everybody's that are not: the visitor has something to look at already.
        blames: whether the worker function "blame", given the same arguments, can name the step at fault after a crash.
    """

    name: Hashable
    function: str
    args: Mapping[str, Any] = field(compare=False, hash=False)
    lane: str = "render"
    blames: bool = False
    urgent: bool = field(default=False, compare=False)
    patient: bool = field(default=False, compare=False)


@dataclass(eq=False, slots=True)
class Waiter:
    """One who waits for an answer. The future raises Cancelled when a newer one of the same topic has come."""

    question: Question
    topic: tuple[str, str] | None
    future: Future[Answer] = field(default_factory=Future)

    def settle(self, outcome: Answer | BaseException) -> None:
        with contextlib.suppress(InvalidStateError):
            if isinstance(outcome, Answer):
                self.future.set_result(outcome)
            else:
                self.future.set_exception(outcome)


@dataclass(eq=False, slots=True)
class _Computation:
    question: Question
    future: Future[Answer]
    waiters: list[Waiter]
    visitor: str = ""


class Answers:
    """Shares a pool's answers.

    Args:
        max_bytes: of answers that are kept, blobs exactly and values roughly; the least recently used go first.
    """

    def __init__(self, pool: Pool, max_bytes: int = MAX_BYTES) -> None:
        self._pool = pool
        self._max_bytes = max_bytes
        self._lock = threading.Lock()  # guards all below; never held while futures are settled
        self._kept: OrderedDict[Hashable, tuple[Answer, int]] = OrderedDict()  # with their sizes in bytes
        self._kept_bytes = 0
        self._refused: OrderedDict[Hashable, StepError] = OrderedDict()
        self._computations: dict[Hashable, _Computation] = {}
        self._topics: dict[tuple[str, str], Waiter] = {}

    def ask(self, question: Question, *, session: str = "", topic: str = "", visitor: str = "") -> Waiter:
        """Wait for an answer; with a session and a topic, in the place of whoever waited for the same topic.

        A computation counts as that of the visitor who asked for it first. Raises ServerBusy if the queue is full.
        """
        waiter = Waiter(question, (session, topic) if session and topic else None)
        started = None
        with self._lock:
            known = self._known(question.name)
            if known is None:
                started = self._join(waiter, visitor)
            older = self._topics.pop(waiter.topic, None) if waiter.topic is not None else None
            if known is None and waiter.topic is not None:
                self._topics[waiter.topic] = waiter
        metrics.count(
            "answers", source="kept" if known is not None else "computed" if started is not None else "shared"
        )
        if known is not None:
            waiter.settle(known)
        if started is not None:
            started.future.add_done_callback(partial(self._done, started))
        if older is not None:
            self.leave(older)
        return waiter

    def call(self, question: Question, *, visitor: str = "") -> Answer:
        """Ask and wait."""
        return self.ask(question, visitor=visitor).future.result()

    def leave(self, waiter: Waiter) -> None:
        """Wait no more. The computation is given up when nobody else waits for it."""
        abandoned = None
        with self._lock:
            self._forget_topic(waiter)
            computation = self._computations.get(waiter.question.name)
            if computation is not None and waiter in computation.waiters:
                computation.waiters.remove(waiter)
                if not computation.waiters:
                    del self._computations[waiter.question.name]
                    abandoned = computation
        waiter.settle(Cancelled("The request was given up because a newer one took its place, or its asker has gone."))
        if abandoned is not None:
            self._pool.cancel(abandoned.future)

    @property
    def kept_bytes(self) -> int:
        """What the cache holds."""
        return self._kept_bytes

    def _known(self, name: Hashable) -> Answer | StepError | None:
        if (kept := self._kept.get(name)) is not None:
            self._kept.move_to_end(name)
            return kept[0]
        return self._refused.get(name)

    def _join(self, waiter: Waiter, visitor: str) -> _Computation | None:
        """Join the computation of the same question; returns it if it had to be started."""
        question = waiter.question
        if (computation := self._computations.get(question.name)) is not None:
            computation.waiters.append(waiter)
            return None
        future = self._pool.submit(
            question.function,
            question.args,
            lane=question.lane,
            urgent=question.urgent,
            patient=question.patient,
            visitor=visitor,
        )
        computation = self._computations[question.name] = _Computation(question, future, [waiter], visitor)
        return computation

    def _done(self, computation: _Computation, future: Future[Answer]) -> None:
        error = future.exception()
        if error is None:
            self._finish(computation, future.result())
        elif computation.question.blames and isinstance(error, WorkerCrashed | WorkerTimeout):
            self._blame(computation, error)
        else:
            self._finish(computation, error)

    def _blame(self, computation: _Computation, error: WorkerCrashed | WorkerTimeout) -> None:
        """Ask a fresh process, which may die of it as well, at which step it happened."""
        if not computation.waiters:
            return
        after = "time-out" if isinstance(error, WorkerTimeout) else "crash"
        try:
            args = {**computation.question.args, "after": after}
            future = self._pool.submit_fresh("blame", args, visitor=computation.visitor)
        except WorkerError:  # no room for another process: the crash itself is the better news
            self._finish(computation, unexplained(error))
            return
        future.add_done_callback(lambda blamed: self._finish(computation, verdict(blamed.exception(), error)))

    def _finish(self, computation: _Computation, outcome: Answer | BaseException) -> None:
        name = computation.question.name
        with self._lock:
            if self._computations.get(name) is computation:
                del self._computations[name]
            if isinstance(outcome, Answer):
                self._keep(name, outcome)
            elif isinstance(outcome, StepError) and _will_crash_again(outcome):
                self._refused[name] = outcome
                if len(self._refused) > MAX_ERRORS:
                    self._refused.popitem(last=False)
            waiters = tuple(computation.waiters)
            for waiter in waiters:
                self._forget_topic(waiter)
        for waiter in waiters:
            waiter.settle(outcome)

    def _keep(self, name: Hashable, answer: Answer) -> None:
        size = _size(answer)
        if name in self._kept or size > self._max_bytes:
            return
        self._kept[name] = (answer, size)
        self._kept_bytes += size
        while self._kept_bytes > self._max_bytes:
            self._kept_bytes -= self._kept.popitem(last=False)[1][1]

    def _forget_topic(self, waiter: Waiter) -> None:
        if waiter.topic is not None and self._topics.get(waiter.topic) is waiter:
            del self._topics[waiter.topic]


def _size(answer: Answer) -> int:
    return len(answer.blob) + _BYTES_PER_CHARACTER * len(json.dumps(answer.value))


def _will_crash_again(error: StepError) -> bool:
    """Whether the same draw would cost the next worker too. A time limit may hold next time, or the system's memory."""
    crash = error.__cause__
    return isinstance(crash, WorkerCrashed) and crash.exit_status != -9  # SIGKILL, which Windows does not name
