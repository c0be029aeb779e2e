"""Audits that run while their visitor looks at other things: started, asked how far they are, cancelled. No pixels.

At most one runs on this machine at a time, at low priority: it takes every worker that it may.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from weakref import WeakValueDictionary

from augviz import audit_dask, audit_kept, audit_records, audit_report, audit_run, jobs
from augviz.audit import Plan
from augviz.audit_totals import Totals
from augviz.child import outcome_of
from augviz.errors import AugvizError, WorkerError, WorkerTimeout
from augviz.settings import get_settings
from augviz.units import seconds_text

State = Literal["running", "done", "failed", "cancelled"]

FUNCTION = "audit"
"""What metrics and log call these jobs."""

KEPT_SECONDS = 900.0
"""How long after its end an audit is shown to its visitor when they load the page anew."""

PUBLISH_SECONDS = 1.0
"""A report of what there is so far is made no more often, and takes at most a tenth of the time."""


class AuditJob:
    """One audit on a thread of its own. Made by `start`.

    Attributes:
        id: unguessable; `find` finds it by it.
        plan: what is audited.
        records: its file of findings.
        visitor: who it is for; "" is nobody in particular.
        session: the one whose end ends it, where there is one.
    """

    def __init__(
        self, plan: Plan, records: Path, address: str, on_end: Callable[[AuditJob], None], visitor: str = ""
    ) -> None:
        self.id = secrets.token_urlsafe(12)
        self.plan = plan
        self.records = records
        self.visitor = visitor
        self.session = ""
        self._address = address
        self._on_end = on_end
        self._stop = threading.Event()
        self._is_late = False
        self._known = 0
        self._progress = (0, plan.total)
        self._report = audit_report.document(plan, Totals())
        self._next_report = 0.0
        self._outcome: BaseException | bool | None = None
        self._began = self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True, name="augviz-audit")

    def begin(self) -> None:
        """Start the thread."""
        jobs.note_start(self.id, FUNCTION, self.visitor)
        self._thread.start()

    @property
    def state(self) -> State:
        if self._thread.is_alive() or self._outcome is None:
            return "running"
        if isinstance(self._outcome, BaseException):
            return "failed"
        return "done" if self._outcome else "cancelled"

    @property
    def error(self) -> BaseException | None:
        """What ended it, None while it runs and where nothing was wrong."""
        return self._outcome if isinstance(self._outcome, BaseException) else None

    @property
    def progress(self) -> tuple[int, int]:
        """Draws that are done, and of how many."""
        return self._progress

    @property
    def known(self) -> int:
        """Draws that were done before it began."""
        return self._known

    @property
    def seconds_left(self) -> float | None:
        """What the rest takes if it goes on as it went, None where that is not known yet."""
        done, total = self._progress
        new = done - self._known
        return None if new < 1 else (time.monotonic() - self._started) / new * (total - done)

    @property
    def report(self) -> dict[str, Any]:
        """The report of what there is, a moment old while it runs; whole after the end."""
        return self._report

    def cancel(self) -> None:
        """Have it stop soon; what was found is kept."""
        self._stop.set()

    def wait(self, seconds: float) -> State:
        """Wait until it has ended, at most `seconds`; returns the state."""
        self._thread.join(seconds)
        return self.state

    def _expire(self) -> None:
        self._is_late = True
        self._stop.set()

    def _run(self) -> None:
        totals, seconds = Totals(), get_settings().audit_seconds
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()

        def tell(done: int, total: int) -> None:
            if self._progress == (0, total):
                self._known, self._started = done, time.monotonic()
            self._progress = (done, total)
            self._publish(totals)

        running = (
            audit_dask.cluster(self.plan, self._address)
            if self._address
            else audit_run.local(self.plan, nice=jobs.NICE)
        )
        try:
            with running as runner:
                outcome: BaseException | bool = audit_run.run(
                    self.plan, runner, self.records, totals, tell=tell, stop=self._stop
                )
        except Exception as error:  # noqa: BLE001 - told to who asks; this thread ends
            outcome = error
        timer.cancel()
        if self._is_late and outcome is False:
            limit = f"its limit of {seconds_text(seconds)}"
            outcome = WorkerTimeout(f"The audit took longer than {limit}; what was found is kept, and it can go on.")
        self._report = audit_report.document(self.plan, totals)
        self._outcome = outcome
        word = outcome_of(self.error) if outcome else "cancelled"
        jobs.note_end(self.id, FUNCTION, self.visitor, word, time.monotonic() - self._began)
        self._on_end(self)

    def _publish(self, totals: Totals) -> None:
        """Make the report anew, on the thread that changes the sums."""
        now = time.monotonic()
        if now >= self._next_report:
            self._report = audit_report.document(self.plan, totals)
            after = time.monotonic()
            self._next_report = after + max(PUBLISH_SECONDS, 10 * (after - now))


_running: list[AuditJob] = []
_ended: dict[str, tuple[AuditJob, float]] = {}
"""The last that has ended of each visitor, and when."""
_known: WeakValueDictionary[str, AuditJob] = WeakValueDictionary()
"""Those that a visitor can still be shown, by id."""
_lock = threading.Lock()


def start(
    plan: Plan,
    records: Path,
    address: str = "",
    on_end: Callable[[AuditJob], None] | None = None,
    visitor: str = "",
) -> AuditJob:
    """Start an audit here, or on the cluster with this address.

    Args:
        on_end: called on the audit's thread when it has ended.
        visitor: who it is for; it counts as one of their jobs.

    Raises:
        ImageError: the cache folder has no room for what it would find.
        WorkerError: another one is running here, or writes to the same file, or there are too many jobs.
    """

    def ended(job: AuditJob) -> None:
        with _lock:
            _running.remove(job)
            now = time.monotonic()
            for whose in [one for one, (_, when) in _ended.items() if now - when > KEPT_SECONDS]:
                del _ended[whose]
            if visitor:
                _ended[visitor] = (job, now)
        leave()
        if on_end is not None:
            on_end(job)

    audit_kept.check_room(plan, records)
    with _lock:
        if any(job.records == records for job in _running):
            raise WorkerError("This audit is running already.")
        if not address and any(not job._address for job in _running):
            raise WorkerError("Another audit is running on this machine; wait until it has ended.")
        job = AuditJob(plan, records, address, ended, visitor)
        leave = jobs.take_place(visitor, is_here=not address)
        _running.append(job)
        _known[job.id] = job
    job.begin()
    return job


def find(job_id: str, visitor: str) -> AuditJob | None:
    """The audit with this id; None if there is none, none of its pages is open any more, or it is somebody else's."""
    with _lock:
        job = _known.get(job_id)
    return job if job is not None and job.visitor == visitor else None


def newest_of(visitor: str) -> AuditJob | None:
    """The audit of a visitor that runs, else the last that ended within `KEPT_SECONDS`, for a page that is loaded anew.

    None where there is neither, and for nobody in particular.
    """
    with _lock:
        running = next((job for job in _running if visitor and job.visitor == visitor), None)
        ended, when = _ended.get(visitor, (None, 0.0))
    return running or (ended if time.monotonic() - when <= KEPT_SECONDS else None)


def forget(records: Path) -> None:
    """Remove the findings of an audit that does not run. Raises AugvizError while it does, here or in another process."""
    with _lock:
        if any(job.records == records for job in _running):
            raise AugvizError("This audit is running; cancel it first.")
        audit_records.remove(records)
