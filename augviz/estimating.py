"""Estimates from a few full-size windows, made in the background: one at a time for all visitors, and the latest wins.

Each is the worker function of `python -m augviz estimate`, in a fresh process that gives way to everything else, within limits
of time and memory. What came of it is remembered by the recipe's key, also that nothing did. No Streamlit, no pixels.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from augviz import events, metrics, profiles
from augviz.child import Call, Child
from augviz.errors import AugvizError, Cancelled, ServerBusy, WorkerError
from augviz.estimates import Estimate, estimate_from_json
from augviz.jobs import Job
from augviz.once import Once
from augviz.recipes import Recipe
from augviz.settings import get_settings

FUNCTION = "estimate"
NICE = 19
"""Any preview and any job goes before: beside one, of a busy core it gets a thirtieth."""

SECONDS = 60.0
"""Time limit, by the clock: a few seconds are enough unless a step is very slow or the machine busy; then costs have to do."""

MAX_WAITING = 64
"""Visitors who may wait for theirs; one more is told that the server is busy."""

MAX_KEPT = 5000
"""Outcomes that are remembered; the least recently used go first."""


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no estimate from windows, and why, in a sentence."""

    reason: str


Outcome = Estimate | Missing


@dataclass(eq=False, slots=True)
class Asked:
    """One who waits for an outcome. The future raises Cancelled where a newer one of the same session has come."""

    key: str
    recipe: Recipe
    session: str
    future: Future[Outcome] = field(default_factory=Future)

    def __post_init__(self) -> None:
        self.future.set_running_or_notify_cancel()  # only `settle` ends it

    def settle(self, outcome: Outcome | BaseException) -> None:
        with contextlib.suppress(InvalidStateError):
            if isinstance(outcome, BaseException):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)


class Estimating:
    """The queue of estimates, the one that is being made, and the outcomes that are remembered. Safe between threads.

    Args:
        seconds: time limit of one.
        tasks: module that holds the worker functions.
    """

    def __init__(self, *, seconds: float = SECONDS, tasks: str = "augviz.tasks") -> None:
        self._seconds = seconds
        self._tasks = tasks
        self._lock = threading.Lock()  # guards all below; never held while a process is waited for
        self._arrived = threading.Condition(self._lock)
        self._kept: OrderedDict[str, Outcome] = OrderedDict()
        self._waiting: OrderedDict[str, Asked] = OrderedDict()  # by session, the first to come first
        self._served: list[Asked] = []  # who waits for the one that is being made
        self._job: Job | None = None
        self._thread: threading.Thread | None = None

    def known(self, key: str) -> Outcome | None:
        """What came of a recipe; None where it was not asked for yet."""
        with self._lock:
            return self._known(key)

    def ask(self, key: str, recipe: Recipe, session: str) -> Asked:
        """Wait for the estimate of a recipe, in the place of whatever the session has waited for.

        Raises ServerBusy where too many wait.
        """
        asked = Asked(key, recipe, session)
        with self._lock:
            known = self._known(key)
            older = [other for other in self._served if other.session == session]
            if (waiting := self._waiting.pop(session, None)) is not None:
                older.append(waiting)
            if known is None:
                if self._served and self._served[0].key == key:
                    self._served.append(asked)
                elif len(self._waiting) >= MAX_WAITING:
                    raise _busy(bool(self._served) + len(self._waiting))
                else:
                    self._waiting[session] = asked
                    self._start_thread()
                    self._arrived.notify()
        for other in older:
            self.leave(other)
        if known is not None:
            asked.settle(known)
        return asked

    def leave(self, asked: Asked) -> None:
        """Wait no more. What is being made is given up when nobody else waits for it."""
        job = None
        with self._lock:
            if self._waiting.get(asked.session) is asked:
                del self._waiting[asked.session]
            if asked in self._served:
                self._served.remove(asked)
                job = None if self._served else self._job
        asked.settle(Cancelled("The estimate was given up because a newer one took its place, or its asker has gone."))
        if job is not None:
            job.cancel()

    @property
    def pid(self) -> int | None:
        """Process id of what makes an estimate now, for the tests and for people with a process list."""
        job = self._job
        return job.pid if job is not None else None

    def _known(self, key: str) -> Outcome | None:
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return kept

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True, name="augviz-estimating")
            self._thread.start()

    def _serve(self) -> None:
        """The one thread that starts processes: the next begins when the last one's is gone."""
        while True:
            with self._lock:
                while not self._waiting:
                    self._arrived.wait()
                _, asked = self._waiting.popitem(last=False)
                same = [other for other in self._waiting.values() if other.key == asked.key]
                for other in same:
                    del self._waiting[other.session]
                self._served = [asked, *same]
            outcome = self._outcome(asked.recipe)
            with self._lock:
                served, self._served, self._job = self._served, [], None
                if isinstance(outcome, Estimate | Missing):
                    self._keep(asked.key, outcome)
            for waiter in served:
                waiter.settle(outcome)

    def _outcome(self, recipe: Recipe) -> Outcome | BaseException:
        """Have a process make it, and wait until that is gone."""
        try:
            job = self._start(recipe)
        except OSError as error:  # another time there may be room
            return WorkerError(f"{FUNCTION}: a process for it cannot be started: {error.strerror}.")
        with self._lock:
            self._job = job
            is_wanted = bool(self._served)
        if not is_wanted:
            job.cancel()
        try:
            return estimate_from_json(job.result().value)
        except Cancelled as error:
            return error
        except AugvizError as error:
            return Missing(str(error))
        except Exception as error:  # noqa: BLE001 - a bug, which is raised where the future is asked
            return error
        finally:
            job.wait_gone(self._seconds)

    def _start(self, recipe: Recipe) -> Job:
        """A job beside those that people start, which have limits of their own. Raises OSError."""
        child = Child(
            tasks=self._tasks,
            memory_bytes=get_settings().worker_memory_bytes,
            nice=NICE,
            threads=profiles.THREADS,
        )
        return Job(child, Call(1, FUNCTION, recipe.args(), self._seconds))

    def _keep(self, key: str, outcome: Outcome) -> None:
        self._kept[key] = outcome
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)


def _busy(ahead: int) -> ServerBusy:
    metrics.count("refusals", what="request")
    events.tell("refused", level=logging.WARNING, what="request", function=FUNCTION, ahead=ahead)
    return ServerBusy(f"The server is busy: {ahead} estimates are before yours.", ahead=ahead)


@Once
def get_estimating() -> Estimating:
    """The one that the whole server shares."""
    return Estimating()
