"""The series that visitors have begun on this server: who asked for what, which of their sessions wait, and what came of it.

A page that is loaded anew is another session. It finds what its visitor has begun here, so that a series neither ends with
the session that began it nor is its outcome lost.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from augviz.series import Figure, Series
from augviz.uploads import get_uploads

KEPT_SECONDS = 900.0
"""How long the outcome of a series is kept for other sessions of its visitor after its end."""

_numbers = itertools.count(1)
_lock = threading.Lock()
_all: list[Begun] = []


@dataclass(eq=False, slots=True)
class Begun:
    """A series and what it answers.

    Attributes:
        asker: which part of the page has asked.
        asked: what it has asked, with which it makes an answer of the outcomes.
        visitor: who, "" is nobody in particular, whose series no other session finds.
        is_tied: whether it uses files of the session that began it, and ends with that.
        number: from 1, in the order of their beginnings.
        ended_at: by `time.monotonic`, None while it runs.
    """

    asker: str
    asked: Any
    visitor: str
    is_tied: bool
    series: Series = field(init=False)
    number: int = field(default_factory=_numbers.__next__)
    ended_at: float | None = None
    _stops: dict[str, Any] = field(default_factory=dict)

    def watch(self, token: str, reads: str = "") -> None:
        """Have it go on as long as this session of the uploads is there; it ends when the last of those has gone.

        Args:
            reads: id of the session's upload that it reads; deleting that counts as its end.
        """
        with _lock:
            if token in self._stops:
                return
            stop = self._stops[token] = partial(self._left_by, token)
        get_uploads().begin_work(token, stop, reads)
        if not self.series.is_running:  # it has ended before its work was begun
            get_uploads().end_work(token, stop)

    def _left_by(self, token: str) -> None:
        with _lock:
            self._stops.pop(token, None)
            is_left = not self._stops
        if is_left:
            self.series.cancel()

    def _end(self, _series: Series) -> None:
        self.ended_at = time.monotonic()
        with _lock:
            stops = dict(self._stops)
        for token, stop in stops.items():
            get_uploads().end_work(token, stop)


def begin(
    asker: str, figures: Sequence[Figure], asked: Any, visitor: str, token: str, reads: str, is_tied: bool
) -> Begun:
    """Measure these for a visitor.

    Args:
        token: the visitor's session among the uploads.
        reads: id of that session's upload that it reads, "" for none; deleting it ends the series.
        is_tied: whether it uses other files of that session.

    Raises:
        ArgumentError: there is nothing to measure.
    """
    begun = Begun(asker, asked, visitor, is_tied or bool(reads))
    begun.series = Series(figures, begun._end, visitor)
    now = time.monotonic()
    with _lock:
        _all[:] = [one for one in _all if one.ended_at is None or now - one.ended_at < KEPT_SECONDS]
        _all.append(begun)
    begun.watch(token, reads)
    return begun


def newest(visitor: str) -> Begun | None:
    """What a visitor has begun last, running or ended; None for nobody in particular, and where there is none."""
    with _lock:
        return next((one for one in reversed(_all) if visitor and one.visitor == visitor), None)


def is_beside(mine: Begun | None) -> bool:
    """Whether a series that is not `mine` runs on this server, too."""
    with _lock:
        return any(one is not mine and one.series.is_running for one in _all)
