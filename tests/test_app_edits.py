"""Edits of a pipeline as functions: what moves, what keeps its id, what is left out; and in which order they happen."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.scriptrunner_utils import script_requests

from augviz import edits
from augviz.errors import PipelineError
from augviz.model import Group, Pipeline, Step
from augviz.ui import state

A, B, C = Step("s1", "Blur"), Step("s2", "Rotate"), Step("s3", "NoOp")
GROUP = Group("s4", "OneOf", (B, C))
FLAT = Pipeline((A, B, C))
NESTED = Pipeline((A, GROUP))


def ids(pipeline: Pipeline) -> list[str]:
    return [item.id for item in edits.items(pipeline)]


def test_an_item_moves_on_its_level_and_stops_at_the_ends() -> None:
    assert ids(edits.move(FLAT, "s1", 1)) == ["s2", "s1", "s3"]
    assert ids(edits.move(FLAT, "s1", -1)) == ["s1", "s2", "s3"]
    assert ids(edits.move(NESTED, "s3", -1)) == ["s1", "s4", "s3", "s2"]


@pytest.mark.parametrize(
    ("present", "added", "result"),
    [
        ("Rotate", "Blur", "Rotate Blur"),
        ("Rotate Normalize ToTensor", "Blur", "Rotate Blur Normalize ToTensor"),
        ("Rotate ToDtype Normalize ToTensor", "Blur", "Rotate Blur ToDtype Normalize ToTensor"),
        ("Rotate ToDtype", "Blur", "Rotate Blur ToDtype"),
        ("Normalize Rotate ToTensor", "Blur", "Normalize Rotate Blur ToTensor"),
        ("Rotate ToTensor", "Normalize", "Rotate Normalize ToTensor"),
        ("Rotate ToDtype ToTensor", "Normalize", "Rotate ToDtype Normalize ToTensor"),
        ("Rotate Normalize ToTensor", "ToDtype", "Rotate ToDtype Normalize ToTensor"),
        ("Rotate Normalize", "ToTensor", "Rotate Normalize ToTensor"),
        ("", "Normalize", "Normalize"),
    ],
)
def test_a_step_is_added_before_what_makes_the_tensor_and_that_in_its_order(
    present: str, added: str, result: str
) -> None:
    pipeline = Pipeline(tuple(Step(name, name) for name in present.split()))

    assert ids(edits.add(pipeline, Step(added, added))) == result.split()


def test_a_group_is_added_before_what_makes_the_tensor_and_a_member_at_the_end_of_its_group() -> None:
    pipeline = Pipeline((GROUP, Step("n", "Normalize")))

    assert ids(edits.add(pipeline, Group("g", "OneOf"))) == ["s4", "s2", "s3", "g", "n"]
    assert ids(edits.add(pipeline, A, "s4")) == ["s4", "s2", "s3", "s1", "n"]


def test_a_step_moves_into_a_group_and_out_again() -> None:
    inside = edits.move_into(NESTED, "s1", "s4")

    assert ids(inside) == ["s4", "s2", "s3", "s1"]
    assert ids(edits.move_out(inside, "s1")) == ["s4", "s2", "s3", "s1"]
    assert edits.parent(edits.move_out(inside, "s1"), "s1") is None


def test_a_copy_of_a_group_has_ids_of_its_own_all_through() -> None:
    copied = edits.duplicate(NESTED, "s4")

    assert ids(copied) == ["s1", "s4", "s2", "s3", "s5", "s6", "s7"]


def test_a_removed_item_takes_its_members_along() -> None:
    assert ids(edits.remove(NESTED, "s4")) == ["s1"]


def test_a_new_id_is_above_all_that_are_there() -> None:
    assert edits.free_id(Pipeline((Step("s9", "NoOp"), Step("rotate", "Rotate")))) == "s10"


def test_reset_keeps_the_id_the_switch_and_the_members() -> None:
    step = Step("s1", "Rotate", (("limit", (-5, 5)),), 0.1, enabled=False)

    assert edits.reset(Pipeline((step,)), "s1").steps == (Step("s1", "Rotate", enabled=False),)
    assert edits.reset(Pipeline((Group("s4", "OneOf", (B,), p=0.1),)), "s4").steps == (Group("s4", "OneOf", (B,)),)


def test_groups_that_lack_steps_are_left_out_at_every_level() -> None:
    pair = Group("s5", "OneOrOther", (A,))

    assert edits.complete(Pipeline((A, Group("s4", "Sequential", (pair, B))))) == Pipeline(
        (A, Group("s4", "Sequential", (B,)))
    )
    assert edits.complete(Pipeline((Group("s4", "OneOf", (pair,)),))) == Pipeline()


def test_the_items_before_a_leaf_are_whole_top_level_items() -> None:
    assert ids(edits.before_leaf(NESTED, 1)) == []
    assert ids(edits.before_leaf(NESTED, 3)) == ["s1"]
    assert ids(edits.before_leaf(FLAT, 3)) == ["s1", "s2"]


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(PipelineError, match="no step 'x'"):
        edits.remove(FLAT, "x")


def test_clicks_that_streamlit_turns_round_happen_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def clicked(*names: str) -> WidgetStates:
        return WidgetStates(widgets=[WidgetState(id=name, trigger_value=True) for name in names])

    session: dict[str, Any] = {}
    done: list[str] = []
    monkeypatch.setattr(st, "session_state", session)
    together = clicked("first")
    for name in ("second", "third"):  # each comes while the one before it still waits for the page
        merged = script_requests._coalesce_widget_states(together, clicked(name))
        assert merged is not None
        together = merged
    for widget in together.widgets:
        state.later(done.append, widget.id)
    state.settle()
    state.settle()

    assert done == ["first", "second", "third"]
