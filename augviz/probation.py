"""Whose requests have ended workers lately: they are computed apart from the others' for a while. Knows no processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

ENDED = 2
"""So many workers ended by a visitor's requests within `SECONDS` put the visitor on probation."""

SECONDS = 60.0
"""From the last of them until the visitor's requests are computed with the others' again."""


class Probation:
    """Visitors and when their requests ended workers, by crashes and time-outs. Safe between threads.

    Args:
        now: a clock in seconds that does not jump.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ended: dict[str, list[float]] = {}

    def note(self, visitor: str) -> None:
        """A request of this visitor has ended a worker. Nobody in particular ("") is never on probation."""
        if visitor:
            with self._lock:
                self._ended = {one: times for one in self._ended if (times := self._lately(one))}
                self._ended[visitor] = [*self._lately(visitor), self._now()][-ENDED:]

    def holds(self, visitor: str) -> bool:
        """Whether a visitor's requests are computed apart."""
        with self._lock:
            return len(self._lately(visitor)) >= ENDED

    def _lately(self, visitor: str) -> list[float]:
        """The times that count: those before the last one do as long as it does."""
        times = self._ended.get(visitor, [])
        return times if times and times[-1] > self._now() - SECONDS else []
