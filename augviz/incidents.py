"""What went wrong in augviz itself: the visitor reads one sentence with an id, the log the id, the error's class and its place.

Messages of errors can quote file names, arguments and pixels, so that none of them is written, nor any line of source.
`python -X dev` writes whole tracebacks.
"""

from __future__ import annotations

import logging
import secrets
import sys
import traceback
from pathlib import Path

_FRAMES = 12
_log = logging.getLogger("augviz")


def record(error: BaseException, where: str) -> str:
    """Write an error to the log; returns the sentence for the visitor.

    Args:
        where: what was going on, in words that hold nothing of the visitor's.
    """
    incident = secrets.token_hex(4)
    told = {"augviz_event": "incident", "augviz_fields": {"id": incident, "where": where}}
    _log.error("incident %s, %s", incident, where, exc_info=error, extra=told)
    return f"Something went wrong in augviz itself; its log says what, as incident {incident}."


def trace(error: BaseException) -> str:
    """The classes of an error and of what led to it, and the innermost places in the code: no message, no value."""
    lines: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        places = [_place(frame) for frame in traceback.extract_tb(cause.__traceback__)[-_FRAMES:]]
        lines.append(" < ".join([type(cause).__name__, *reversed(places)]))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "Traceback, innermost first: " + "\n  after ".join(lines)


def keep_logs_discreet() -> None:
    """From now on, whoever logs an error in this process logs its trace instead of its traceback."""
    if sys.flags.dev_mode:
        return
    make = logging.getLogRecordFactory()

    def discreet(*args: object, **more: object) -> logging.LogRecord:
        made = make(*args, **more)
        if made.exc_info:
            error = made.exc_info[1]
            made.exc_text = trace(error) if error is not None else None
            made.exc_info = None
        return made

    logging.setLogRecordFactory(discreet)


def _place(frame: traceback.FrameSummary) -> str:
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} in {frame.name}"
