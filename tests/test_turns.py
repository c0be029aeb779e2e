"""Turns: no visitor waits for all that another has asked, and no queue grows without end."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from augviz.child import Call
from augviz.turns import PROMPT_IN_A_ROW, Turns

VISITORS = st.sampled_from("abcd")


def call(number: int, visitor: str, *, urgent: bool = False, patient: bool = False) -> Call:
    return Call(number, "echo", {}, 60, urgent=urgent, patient=patient, visitor=visitor)


def calls(visitors: list[str]) -> list[Call]:
    return [call(number, visitor) for number, visitor in enumerate(visitors)]


def drained(turns: Turns) -> list[Call]:
    """Compute everything that waits, one after the other."""
    found = []
    while (one := turns.next()) is not None:
        turns.done(one)
        found.append(one)
    return found


@given(st.lists(VISITORS, max_size=40))
def test_every_request_comes_once_and_a_visitors_own_in_their_order(visitors: list[str]) -> None:
    turns = Turns(max_waiting=100)
    asked = calls(visitors)
    for one in asked:
        turns.add(one)

    found = drained(turns)
    assert sorted(one.number for one in found) == list(range(len(asked)))
    for visitor in "abcd":
        own = [one.number for one in found if one.visitor == visitor]
        assert own == sorted(own)
    assert len(turns) == 0


@given(st.lists(VISITORS, max_size=40))
def test_between_two_turns_of_a_visitor_nobody_else_has_two(visitors: list[str]) -> None:
    turns = Turns(max_waiting=100)
    for one in calls(visitors):
        turns.add(one)

    order = [one.visitor for one in drained(turns)]
    for visitor in set(order):
        at = [place for place, name in enumerate(order) if name == visitor]
        for start, end in zip([-1, *at], at, strict=False):
            assert all(number == 1 for number in Counter(order[start + 1 : end]).values())


@given(st.integers(1, 200), st.integers(0, 3), st.booleans())
def test_who_comes_late_with_one_request_is_next(many: int, served: int, urgent: bool) -> None:
    turns = Turns(max_waiting=1000)
    for number in range(many + served + 1):
        turns.add(call(number, "greedy", urgent=urgent))
    for _ in range(served):
        turns.done(turns.next() or call(0, ""))
    under_way = turns.next()
    assert under_way is not None
    turns.add(call(1000, "other"))
    turns.done(under_way)

    following = turns.next()
    assert following is not None
    assert following.visitor == "other"


@given(st.lists(st.tuples(VISITORS, st.booleans()), max_size=60))
def test_patient_requests_give_way_to_everybody_s_others_but_for_one_turn_in_so_many(
    asked: list[tuple[str, bool]],
) -> None:
    turns = Turns(max_waiting=100)
    for number, (visitor, patient) in enumerate(asked):
        turns.add(call(number, visitor, urgent=number % 2 == 0 and not patient, patient=patient))

    order = [one.patient for one in drained(turns)]
    prompt_left, patient_left, row = len(order) - sum(order), sum(order), 0
    for is_patient in order:
        assert is_patient == (not prompt_left or (patient_left > 0 and row >= PROMPT_IN_A_ROW))
        row = 0 if is_patient else row + 1
        prompt_left, patient_left = prompt_left - (not is_patient), patient_left - is_patient


def test_a_stream_of_newcomers_does_not_starve_who_waits() -> None:
    turns = Turns(max_waiting=100)
    turns.add(call(0, "patient"))
    turns.add(call(1, "patient"))
    seen = []
    for number in range(2, 10):
        turns.add(call(number, f"new {number}"))
        one = turns.next()
        assert one is not None
        turns.done(one)
        seen.append(one.visitor)

    assert seen.count("patient") == 2


@given(st.lists(st.tuples(VISITORS, st.booleans()), max_size=60), st.integers(1, 8), st.integers(0, 4))
def test_no_limit_is_passed_and_what_is_refused_does_not_wait(
    asked: list[tuple[str, bool]], most: int, own: int
) -> None:
    turns = Turns(max_waiting=most, max_waiting_per_visitor=own)
    refused = []
    for number, (visitor, urgent) in enumerate(asked):
        if (found := turns.add(call(number, visitor, urgent=urgent))) is not None:
            refused.append(found[0].number)
        assert len(turns) <= most

    waiting = drained(turns)
    assert sorted([*refused, *(one.number for one in waiting)]) == list(range(len(asked)))
    if own:
        assert all(number <= own for number in Counter(one.visitor for one in waiting).values())


def test_a_full_queue_of_one_visitor_makes_room_for_another() -> None:
    turns = Turns(max_waiting=3)
    for number in range(3):
        turns.add(call(number, "greedy", urgent=number == 0))
    refusal = turns.add(call(3, "other"))

    assert refusal is not None
    refused, error = refusal
    assert (refused.visitor, refused.number) == ("greedy", 1)
    assert error.ahead == 3


def test_the_position_counts_whose_turn_comes_before() -> None:
    turns = Turns(max_waiting=12)
    for number, visitor in enumerate("aaaabbbbcccc"):
        turns.add(call(number, visitor))
    refusal = turns.add(call(12, "a"))

    assert turns.ahead_of("new") == 3
    assert refusal is not None
    assert str(refusal[1]) == "The server is busy: 12 requests are before yours."


def test_nobody_in_particular_has_no_limits_of_their_own() -> None:
    turns = Turns(max_waiting=10, max_waiting_per_visitor=1, max_computing_per_visitor=1)

    assert [turns.add(call(number, "")) for number in range(3)] == [None, None, None]
    assert None not in [turns.next() for _ in range(3)]
