"""Who has ended workers lately."""

from __future__ import annotations

from augviz.probation import ENDED, SECONDS, Probation


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_some_ended_workers_put_a_visitor_on_probation_for_a_while() -> None:
    clock = Clock()
    probation = Probation(clock)
    for _ in range(ENDED):
        assert not probation.holds("a")
        probation.note("a")

    assert probation.holds("a")
    assert not probation.holds("b")
    clock.seconds += SECONDS - 1
    assert probation.holds("a")
    clock.seconds += 2
    assert not probation.holds("a")


def test_one_now_and_then_does_not() -> None:
    clock = Clock()
    probation = Probation(clock)
    for _ in range(10):
        probation.note("a")
        clock.seconds += SECONDS + 1

        assert not probation.holds("a")


def test_one_more_while_on_probation_makes_it_longer() -> None:
    clock = Clock()
    probation = Probation(clock)
    for _ in range(ENDED):
        probation.note("a")
    clock.seconds += SECONDS - 1
    probation.note("a")
    clock.seconds += SECONDS - 1

    assert probation.holds("a")


def test_nobody_in_particular_is_never_on_probation() -> None:
    probation = Probation()
    for _ in range(10):
        probation.note("")

    assert not probation.holds("")
