"""What happened on the server, as lines of the log: an event's name with ids, counts and durations.

Nothing of a visitor is in them, no file name and no argument: a value is a number, or a word of a few plain characters.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import IO

FORMATS = ("text", "json")
"""What the setting `log_format` may be."""

_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_VISITOR_CHARACTERS = 8  # of the digest: enough to tell visitors of a day apart
_log = logging.getLogger("augviz")

Value = str | int | float | bool | None


def tell(event: str, *, level: int = logging.INFO, **fields: Value) -> None:
    """Write an event to the log.

    Args:
        event: its name, such as "render_end".
        level: what only the curious want is INFO; a request that came to nothing by the server's doing, WARNING.
        fields: what belongs to it; `visitor` is shortened, and what is neither number nor plain word becomes "?".
    """
    if not _log.isEnabledFor(level):
        return
    kept = {name: _plain(name, value) for name, value in fields.items() if value not in (None, "")}
    words = "".join(f" {name}={value}" for name, value in kept.items())
    _log.log(level, "%s%s", event, words, extra={"augviz_event": event, "augviz_fields": kept})


def begin(form: str, stream: IO[str] | None = None) -> None:
    """From now on the log is written as the setting `log_format` says.

    Args:
        form: "text" leaves it to Python's logging, which writes warnings and what is worse; "json" writes everything, one
            object a line.
        stream: where JSON goes; None is the standard error stream.
    """
    if form != "json":
        return
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json())
    _log.handlers[:] = [handler]
    _log.setLevel(logging.INFO)
    _log.propagate = False


class _Json(logging.Formatter):
    """A record as one line of JSON. Of a record that is no event, the template is the message: arguments can be anything."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Value] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": getattr(record, "augviz_event", "log"),
            **getattr(record, "augviz_fields", {"message": str(record.msg)}),
        }
        if record.exc_text or record.exc_info:
            line["trace"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(line, allow_nan=False)


def _plain(name: str, value: Value) -> Value:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 4) if abs(value) < 1e15 else "?"  # not for what is no number either
    text = str(value)[:_VISITOR_CHARACTERS] if name == "visitor" else str(value)
    return text if _WORD.fullmatch(text) else "?"
