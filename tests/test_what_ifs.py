"""Variants of a pipeline: what they keep, what they change, which one comes first, and what two measurements say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from augviz import edits, engine, what_ifs
from augviz.errors import StepError
from augviz.model import Group, Header, Item, Pipeline, Step
from augviz.profiles import Failed, Profile, Repeats, StepTime, StepTimes
from augviz.what_ifs import Difference, WhatIf, variants
from tests.strategies import pipelines

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def step(id: str, transform: str = "HorizontalFlip", **args: object) -> Step:
    return Step(id, transform, tuple(args.items()), 1.0)  # type: ignore[arg-type]


NORMALIZE = Step("n", "Normalize", (("mean", (0.5,) * 3), ("std", (0.5,) * 3)), 1.0)
TENSOR = step("t", "ToTensor")
A, B, C = step("a", "Blur"), step("b"), step("c", "Rotate")


def of(*items: Item) -> Pipeline:
    return Pipeline(items)


def named(pipeline: Pipeline) -> dict[str, list[str]]:
    return {one.name: [item.id for item in one.pipeline.steps] for one in variants(pipeline)}


# Every variant


@MANY
@given(pipelines(min_steps=1, max_steps=6))
def test_variants_keep_the_items_that_they_do_not_remove_as_they_are(pipeline: Pipeline) -> None:
    by_id = {item.id: item for item in pipeline.steps}
    for one in variants(pipeline):
        kept = one.pipeline.steps

        assert all(by_id[item.id] == item for item in kept)
        assert one.pipeline.input == pipeline.input
        if one.is_removal:
            assert [item for item in pipeline.steps if item.id != one.item_id] == list(kept)
        else:
            assert Counter(item.id for item in kept) == Counter(list(by_id))


@MANY
@given(pipelines(min_steps=1, max_steps=6))
def test_no_two_variants_apply_the_same_and_none_what_is_applied_now(pipeline: Pipeline) -> None:
    found = variants(pipeline)
    told = [what_ifs.applied(one.pipeline) for one in found]

    assert len(set(told)) == len(told)
    assert what_ifs.applied(pipeline) not in told
    assert len({one.name for one in found}) == len({one.label for one in found}) == len(found)


@MANY
@given(pipelines(min_steps=1, max_steps=6))
def test_there_is_one_removal_for_each_item_that_takes_part(pipeline: Pipeline) -> None:
    removals = [one.item_id for one in variants(pipeline) if one.is_removal]

    assert removals == [item.id for item in what_ifs.applied(pipeline)]


@MANY
@given(pipelines(min_steps=2, max_steps=6))
def test_neighbours_that_take_part_are_exchanged_unless_a_tensor_would_not_be_last(pipeline: Pipeline) -> None:
    items = what_ifs.applied(pipeline)
    orders = {tuple(item.id for item in what_ifs.applied(one.pipeline)) for one in variants(pipeline)}
    for place in range(len(items) - 1):
        order = [*items[:place], items[place + 1], items[place], *items[place + 2 :]]
        possible = all(not _has_tensor(item) for item in order[:-1])

        assert (tuple(item.id for item in order) in orders) == possible


def _has_tensor(item: Item) -> bool:
    return any(leaf.transform == "ToTensor" and leaf.enabled for leaf in Pipeline((item,)).leaves())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pipelines(min_steps=2, max_steps=4, enabled_only=True), st.integers(0, 1000))
def test_other_steps_draw_the_same_where_they_get_an_image_of_the_same_shape(pipeline: Pipeline, seed: int) -> None:
    shape = Header(256, 256, 3, "uchar", "srgb")
    try:
        now = {leaf.id: leaf for leaf in engine.draw(shape, pipeline, seed).draw.leaves}
    except StepError:
        return
    for one in variants(pipeline):
        try:
            drawn = engine.draw(shape, one.pipeline, seed).draw
        except StepError:  # another size or format than before: the page tells its sentence
            continue
        for leaf in drawn.leaves:
            assert leaf.applied == now[leaf.id].applied
            if leaf.before == now[leaf.id].before:
                assert leaf.values == now[leaf.id].values


# The variants there are


def test_conversions_to_float_come_first_then_removals_then_moves() -> None:
    assert named(of(NORMALIZE, A, B)) == {
        "n last": ["a", "b", "n"],
        "without n": ["a", "b"],
        "without a": ["n", "b"],
        "without b": ["n", "a"],
        "a before n": ["a", "n", "b"],
        "b before a": ["n", "b", "a"],
    }


def test_normalize_last_is_before_the_tensor_and_the_tensor_is_never_moved_from_its_end() -> None:
    assert named(of(NORMALIZE, A, TENSOR)) == {
        "n last": ["a", "n", "t"],
        "without n": ["a", "t"],
        "without a": ["n", "t"],
        "without t": ["n", "a"],
    }


def test_normalize_at_the_end_is_tried_first() -> None:
    assert named(of(A, B, NORMALIZE))["n first"] == ["n", "a", "b"]


@pytest.mark.parametrize(("dtype", "converts"), [("float", True), ("uchar", False)])
def test_a_conversion_of_type_counts_where_it_makes_floats(dtype: str, converts: bool) -> None:
    assert ("d first" in named(of(A, B, step("d", "ToDtype", dtype=dtype, scale=True)))) == converts


def test_groups_are_moved_and_removed_whole() -> None:
    group = Group("g", "OneOf", (A, C), 1.0)
    found = {one.name: one for one in variants(of(B, group))}

    assert set(found) == {"without b", "without g", "g before b"}
    assert found["g before b"].pipeline == of(group, B)
    assert found["without g"].label == "Without OneOf of Blur, Rotate (step 2)"


def test_what_is_switched_off_is_passed_over_and_stays() -> None:
    off = replace(A, enabled=False)

    assert named(of(off, B)) == {"without b": ["a"]}
    assert named(of(C, off, B)) == {
        "without c": ["a", "b"],
        "without b": ["c", "a"],
        "b before c": ["b", "c", "a"],
    }


def test_a_group_that_lacks_steps_is_not_missed() -> None:
    empty = Group("g", "OneOf", ())

    assert named(of(empty, A)) == {"without a": ["g"]}


def test_one_step_can_only_be_left_out_and_none_cannot() -> None:
    assert named(of(A)) == {"without a": []}
    assert variants(of()) == ()


def test_variants_with_arguments_that_cannot_work_are_left_out() -> None:
    broken = step("x", "Lambda")

    assert named(of(A, broken)) == {"without x": ["a"]}


def test_labels_say_what_is_otherwise() -> None:
    assert [one.label for one in variants(of(NORMALIZE, A))] == [
        "Normalize (step 1) last",
        "Without Normalize (step 1)",
        "Without Blur (step 2)",
    ]
    assert [one.label for one in variants(of(A, B)) if not one.is_removal] == [
        "HorizontalFlip (step 2) before Blur (step 1)"
    ]


def test_a_variant_is_an_edit_that_can_be_made_again() -> None:
    [moved] = [one for one in variants(of(A, B)) if not one.is_removal]

    assert edits.move(moved.pipeline, "b", 1) == of(A, B)


# The first choice


def times(**seconds: float) -> StepTimes:
    steps = tuple(StepTime(id, "Blur", number, True, one, 0.0) for number, (id, one) in enumerate(seconds.items(), 1))
    return StepTimes(steps, 1.0, 0.0, 3, ())


def first(pipeline: Pipeline, seconds: dict[str, float] | None = None) -> str:
    found = what_ifs.most_telling(variants(pipeline), seconds)
    assert found is not None
    return found.name


def test_normalize_last_is_most_telling_then_the_slowest_step_then_the_first_variant() -> None:
    assert first(of(NORMALIZE, A, B), {"a": 9.0}) == "n last"
    assert first(of(A, B, C), {"a": 1.0, "b": 3.0, "c": 2.0}) == "without b"
    assert first(of(A, B, C)) == "without a"
    assert what_ifs.most_telling(()) is None


def test_a_group_takes_what_its_steps_take() -> None:
    group = Group("g", "Sequential", (A, C), 1.0)

    assert what_ifs.seconds_by_item(of(B, group), times(b=2.0, a=1.0, c=1.5)) == {"b": 2.0, "g": 2.5}


# What came of it


def profile(*wall: float, increase: int | None = 100) -> Profile:
    peak = None if increase is None else 1000 + increase
    return Profile("stream", Repeats(wall), Repeats(wall), 1.0, peak, 1000, (("libvips", "8.17"),))


VARIANT = WhatIf("n last", "Normalize (step 1) last", "n", False, of(A, NORMALIZE))


def test_a_difference_is_of_medians_with_the_farther_spread() -> None:
    found = Difference(profile(2.0, 2.1, 2.2), profile(1.0, 1.0, 1.3, increase=70))

    assert found.seconds == pytest.approx(-1.1)
    assert found.share == pytest.approx(-1.1 / 2.1)
    assert found.spread == pytest.approx(0.3)
    assert found.bytes == -30
    assert not found.is_about_nothing
    assert (
        what_ifs.sentence(VARIANT, found)
        == "Normalize (step 1) last: 1.1 s less (−52 %), 1 s where it is 2.1 s now (spread 300 ms)."
    )


def test_a_difference_within_the_spread_is_called_none() -> None:
    found = Difference(profile(2.0, 2.4), profile(1.9, 2.0))

    assert found.is_about_nothing
    assert "no difference beyond the spread" in what_ifs.sentence(VARIANT, found)


def test_a_variant_that_takes_more_says_so() -> None:
    found = Difference(profile(2.0, 2.0), profile(3.0, 3.0, increase=None))

    assert "1 s more (+50 %)" in what_ifs.sentence(VARIANT, found)
    assert found.bytes is None


def test_processes_of_the_same_thing_are_put_together_with_the_most_memory() -> None:
    found = what_ifs.merged([profile(1.0, 2.0), profile(4.0, increase=300)])

    assert isinstance(found, Profile)
    assert found.wall == Repeats((1.0, 2.0, 4.0))
    assert found.increase_bytes == 300


def test_a_process_that_failed_is_told_instead() -> None:
    assert what_ifs.merged([profile(1.0), Failed("no room")]) == Failed("no room")
