"""The forms of an image that were compared as rows, for the page and for CSV."""

from __future__ import annotations

from collections.abc import Mapping

from augviz.profiles import Failed, Profile
from augviz.sources_compared import Row, Window
from augviz.ui.page import escaped
from augviz.units import bytes_text, seconds_text

NOT_MEASURED = "–"


def form_cells(row: Row) -> dict[str, str]:
    """One form as it is read on the page."""
    whole, window = row.whole, row.window
    reasons = list(dict.fromkeys(one.reason for one in (whole, window) if isinstance(one, Failed)))
    rate = row.bytes_per_second
    return {
        "Form": row.title,
        "File": NOT_MEASURED if row.file_bytes is None else bytes_text(row.file_bytes),
        "Whole": _seconds(whole.wall.median, whole.wall.spread) if isinstance(whole, Profile) else NOT_MEASURED,
        "MB/s": NOT_MEASURED if rate is None else f"{rate / 1e6:.3g}",
        "First window": (
            _seconds(window.seconds.median, window.seconds.spread) if isinstance(window, Window) else NOT_MEASURED
        ),
        "Memory, whole": _memory(whole.increase_bytes) if isinstance(whole, Profile) else NOT_MEASURED,
        "Memory, window": _memory(window.increase_bytes) if isinstance(window, Window) else NOT_MEASURED,
        "": escaped(" ".join(reasons)),
    }


def _seconds(median: float, spread: float) -> str:
    return f"{seconds_text(median)} (spread {seconds_text(spread)})"


def _memory(count: int | None) -> str:
    return "unknown" if count is None else bytes_text(count)


def csv_rows(rows: tuple[Row, ...]) -> list[Mapping[str, object]]:
    """The same figures in full; a figure that there is not is empty."""
    return [
        {
            "form": row.name,
            "file_bytes": row.file_bytes,
            "whole_seconds": row.whole.wall.median if isinstance(row.whole, Profile) else None,
            "whole_spread_seconds": row.whole.wall.spread if isinstance(row.whole, Profile) else None,
            "bytes_per_second": row.bytes_per_second,
            "whole_memory_bytes": row.whole.increase_bytes if isinstance(row.whole, Profile) else None,
            "window_seconds": row.window.seconds.median if isinstance(row.window, Window) else None,
            "window_spread_seconds": row.window.seconds.spread if isinstance(row.window, Window) else None,
            "window_memory_bytes": row.window.increase_bytes if isinstance(row.window, Window) else None,
            "reason": " ".join({one.reason: None for one in (row.whole, row.window) if isinstance(one, Failed)}),
            "command": row.command,
        }
        for row in rows
    ]
