"""The findings of an audit as CSV, in pieces that a process of its own makes: no page waits for them. No pixels.

The server holds one piece at a time, and the next is made when the browser has taken it.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from augviz import audit_records, audit_report, jobs
from augviz.audit import Asked, Finding, Plan
from augviz.child import Call, Child, outcome_of
from augviz.context import Context
from augviz.errors import WorkerError, WorkerTimeout
from augviz.model import Pipeline
from augviz.settings import get_settings
from augviz.units import seconds_text

FUNCTION = "audit_table"
"""What metrics and log call it, as a job."""

ROWS, IMAGES = 500, 5000
"""Of one piece, and told at once: so few that the server's other threads are not held up by what is one object of JSON."""


# On the server


async def pieces(plan: Plan, records: Path, visitor: str = "") -> AsyncGenerator[bytes, None]:
    """The table of what the file of findings holds of a plan. It takes the place of a job for `job_seconds` at most.

    Raises:
        ImageError: the findings cannot be read.
        WorkerError: too many jobs are running, or the process cannot be started or has ended.
    """
    leave = jobs.take_place(visitor)
    job_id, began, outcome = secrets.token_urlsafe(12), time.monotonic(), "cancelled"
    jobs.note_start(job_id, FUNCTION, visitor)
    try:
        async with aclosing(_made(plan, records, leave)) as made:
            async for piece in made:
                yield piece
        outcome = "done"
    except Exception as error:
        outcome = outcome_of(error)
        raise
    finally:
        leave()
        jobs.note_end(job_id, FUNCTION, visitor, outcome, time.monotonic() - began)


async def _made(plan: Plan, records: Path, on_limit: Callable[[], None]) -> AsyncGenerator[bytes, None]:
    settings, numbers = get_settings(), itertools.count(1)
    try:
        child = Child(tasks=__name__, memory_bytes=settings.job_memory_bytes, nice=jobs.NICE)
    except OSError as error:
        raise WorkerError(f"The table: a process for it cannot be started: {error.strerror}.") from error
    end = time.monotonic() + settings.job_seconds

    def expire() -> None:  # also where a browser does not take what it has asked for
        child.end()
        on_limit()

    limit = threading.Timer(settings.job_seconds, expire)
    limit.daemon = True
    limit.start()

    async def asked(function: str, args: Mapping[str, Any]) -> bytes:
        if (left := end - time.monotonic()) <= 0:
            raise WorkerTimeout(f"The table took longer than its limit of {seconds_text(settings.job_seconds)}.")
        call = Call(next(numbers), function, args, left)
        return (await asyncio.to_thread(child.ask, call)).blob

    try:
        for start in range(0, len(plan.images), IMAGES):
            some = plan.images[start : start + IMAGES]
            await asked("images", {"images": [[one.name, one.file_bytes, one.modified_ns, one.title] for one in some]})
        args = {"records": str(records), "draws": plan.draws}
        while piece := await asked("rows", args):
            yield piece
    finally:
        limit.cancel()
        child.end()


# In the process


@dataclass(slots=True)
class _Table:
    images: list[Asked] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    findings: Iterator[Finding] | None = None


_table = _Table()  # a process makes one


def _images(args: dict[str, Any], context: Context) -> dict[str, Any]:
    _table.images += [Asked(*one) for one in args["images"]]
    return {}


def _rows(args: dict[str, Any], context: Context) -> tuple[dict[str, Any], bytes]:
    """The next rows, with the names of the columns before the first; no bytes at the end."""
    goes_on = _table.findings is not None
    if _table.findings is None:
        plan = Plan("", tuple(_table.images), len(_table.images), Pipeline(()), args["draws"])
        _table.titles = {one.name: one.title for one in plan.images if one.title}
        _table.findings = audit_records.findings_of(Path(args["records"]), plan)
    text = io.StringIO()
    audit_report.write_csv(itertools.islice(_table.findings, ROWS), text, _table.titles, goes_on=goes_on)
    return {}, text.getvalue().encode(errors="backslashreplace")


TASKS = {"images": _images, "rows": _rows}
