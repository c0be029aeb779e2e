"""Whose request comes next: visitors take turns, so that nobody waits for all that another has asked. Knows no processes."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable

from augviz.child import Call
from augviz.errors import ServerBusy

PROMPT_IN_A_ROW = 8
"""After so many requests that are not patient the next is one that is, if one waits."""


class Turns:
    """The requests that wait, and how many of each visitor are being computed. Not safe between threads: who has it, locks.

    The next request is of the visitor for whom the fewest are being computed, and among such of the one who has waited
    longest since the server last worked for them; urgent ones go ahead of the same visitor's others. Patient ones give way to
    everybody's that are not, but have one turn in so many (`PROMPT_IN_A_ROW`), so that they do not wait for ever. Requests of
    nobody ("") take their turn as those of one visitor, without limits of their own.

    Args:
        max_waiting: requests that may wait in all.
        max_waiting_per_visitor: of one visitor; 0 is no limit of its own.
        max_computing_per_visitor: requests of one visitor that are computed at the same time; 0 is no limit.
    """

    def __init__(
        self, *, max_waiting: int, max_waiting_per_visitor: int = 0, max_computing_per_visitor: int = 0
    ) -> None:
        self._max_waiting = max_waiting
        self._max_of_one = max_waiting_per_visitor
        self._max_computing = max_computing_per_visitor
        self._ticks = itertools.count()
        self._waiting: dict[str, deque[Call]] = {}  # by visitor, none of them empty
        self._since: dict[str, int] = {}  # when who waits or is worked for came, or was last worked for
        self._computing: Counter[str] = Counter()
        self._prompt_in_a_row = 0

    def __len__(self) -> int:
        return sum(len(calls) for calls in self._waiting.values())

    def add(self, call: Call) -> tuple[Call, ServerBusy] | None:
        """Have a request wait. Returns the request that there is no room for any more, which can be this one, and why.

        Beyond a visitor's own limit it is the oldest of theirs that can wait longest. A full queue makes room for who has
        asked for little by refusing a request of who has asked for most.
        """
        refusal = self._refusal(call)
        if refusal is None or refusal[0] is not call:
            if refusal is not None:
                self.take(lambda other: other is refusal[0])
            self._insert(call)
        return refusal

    def next(self) -> Call | None:
        """Take the request whose turn it is, as one that is computed until it is `done`; None if nothing may be computed."""
        may = [visitor for visitor in self._waiting if self._may_compute(visitor)]
        if not may:
            return None
        prompt = [visitor for visitor in may if not self._waiting[visitor][0].patient]
        patient = [visitor for visitor in may if self._waiting[visitor][-1].patient]
        is_prompt = bool(prompt) and not (patient and self._prompt_in_a_row >= PROMPT_IN_A_ROW)
        visitor = min(prompt if is_prompt else patient, key=lambda one: (self._computing[one], self._since[one]))
        calls = self._waiting[visitor]
        call = calls.popleft() if is_prompt else _taken(calls)
        self._prompt_in_a_row = self._prompt_in_a_row + 1 if is_prompt else 0
        if not calls:
            del self._waiting[visitor]
        self._computing[visitor] += 1
        self._since[visitor] = next(self._ticks)
        return call

    def done(self, call: Call) -> None:
        """A request that `next` gave is not computed any more."""
        self._computing[call.visitor] -= 1
        self._since[call.visitor] = next(self._ticks)
        self._forget(call.visitor)

    def take(self, is_meant: Callable[[Call], bool]) -> list[Call]:
        """Take the meant requests out; returns them."""
        found: list[Call] = []
        for visitor, calls in list(self._waiting.items()):
            meant = [call for call in calls if is_meant(call)]
            if not meant:
                continue
            found += meant
            self._waiting[visitor] = deque(call for call in calls if call not in meant)
            if not self._waiting[visitor]:
                del self._waiting[visitor]
                self._forget(visitor)
        return found

    def ahead_of(self, visitor: str) -> int:
        """How many waiting requests would be computed before one more of a visitor, if turns were all that counts."""
        own = len(self._waiting.get(visitor, ()))
        return own + sum(min(len(calls), own + 1) for other, calls in self._waiting.items() if other != visitor)

    def _refusal(self, call: Call) -> tuple[Call, ServerBusy] | None:
        own = self._waiting.get(call.visitor, deque())
        if call.visitor and self._max_of_one and len(own) >= self._max_of_one:
            words = f"More than {self._max_of_one} of your requests are waiting, which is the limit for one visitor"
            return _oldest([*own, call]), ServerBusy(f"{words}; try again in a moment.", ahead=len(own))
        if len(self) < self._max_waiting:
            return None
        most = max(self._waiting, key=lambda visitor: len(self._waiting[visitor]), default=call.visitor)
        has_most = len(self._waiting.get(most, ())) > len(own) + 1
        refused = _oldest(list(self._waiting[most])) if has_most else call
        return refused, _busy(self.ahead_of(refused.visitor))

    def _insert(self, call: Call) -> None:
        calls = self._waiting.setdefault(call.visitor, deque())
        calls.insert(sum(_rank(other) <= _rank(call) for other in calls), call)
        if call.visitor not in self._since:
            self._since[call.visitor] = next(self._ticks)

    def _may_compute(self, visitor: str) -> bool:
        return not (visitor and self._max_computing and self._computing[visitor] >= self._max_computing)

    def _forget(self, visitor: str) -> None:
        if visitor not in self._waiting and not self._computing[visitor]:
            del self._computing[visitor]
            self._since.pop(visitor, None)


def _taken(calls: deque[Call]) -> Call:
    """Take the first that is patient."""
    call = next(call for call in calls if call.patient)
    calls.remove(call)
    return call


def _oldest(calls: list[Call]) -> Call:
    """The first to come of those that can wait longest."""
    return min(calls, key=lambda call: (-_rank(call), call.number))


def _rank(call: Call) -> int:
    """Urgent ones are first among one visitor's, patient ones last."""
    return 0 if call.urgent else 2 if call.patient else 1


def _busy(ahead: int) -> ServerBusy:
    before = "1 request is" if ahead == 1 else f"{ahead} requests are"
    return ServerBusy(f"The server is busy: {before} before yours.", ahead=ahead)
