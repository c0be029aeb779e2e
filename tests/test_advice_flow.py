"""What is said of sizes, formats and chances before anything is drawn holds for what the library draws."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import engine
from augviz.advice import Case, flow
from augviz.advice.flow import Shape
from augviz.errors import StepError
from augviz.model import Header, Item, Pipeline
from tests import strategies
from tests.advising import group, pipeline, step

WIDE = Header(320, 256, 3, "uchar", "srgb")
SLACK_PX = 1
"""The library rounds a rotated canvas in its own way."""


def _holds(shape: Shape, seen: Header) -> bool:
    sides = ((shape.width, seen.width), (shape.height, seen.height))
    return shape.format == seen.format and all(s[0] - SLACK_PX <= side <= s[1] + SLACK_PX for s, side in sides)


@settings(max_examples=120, deadline=None)
@given(strategies.pipelines(max_steps=5, width=320, height=256, lazy=True), st.integers(0, 1000))
def test_no_draw_has_a_size_or_format_that_the_flow_leaves_out(chosen: Pipeline, seed: int) -> None:
    try:
        drawn = engine.draw(WIDE, chosen, seed).draw
    except StepError:
        return
    through = flow.through(chosen, WIDE)

    assert any(_holds(shape, drawn.result) for shape in through.result)
    for leaf in drawn.leaves:
        if leaf.applied:
            assert any(_holds(shape, leaf.before) for shape in through.before[leaf.id]), leaf


SIZING: list[tuple[str, Item]] = [
    ("rotated by a fixed angle", step("Rotate", 1.0, limit=(30, 30))),
    ("rotated by up to 90", step("Rotate", 1.0)),
    ("rotated by up to 10", step("Rotate", 1.0, limit=10)),
    ("rotated within a quarter", step("Rotate", 1.0, limit=(40, 50))),
    ("rotated and cropped", step("Rotate", 1.0, limit=20, crop_border=True)),
    ("scaled", step("RandomScale", 1.0, scale_limit=(-0.5, 0.5))),
    ("scaled by a fixed factor", step("RandomScale", 1.0, scale_limit=(0.37, 0.37))),
    (
        "padded to a multiple",
        step("PadIfNeeded", min_height=None, min_width=None, pad_height_divisor=100, pad_width_divisor=64, value=0),
    ),
    ("by its longer side", step("LongestMaxSize", max_size=(100, 201))),
    ("by its shorter side", step("SmallestMaxSize", max_size=77)),
    ("cropped beyond the image", step("RandomCrop", height=500, width=100)),
    ("fit_output", step("Affine", 1.0, rotate=(-45, 45), scale=(0.5, 2.0), fit_output=True)),
    ("quarter turns", step("Transpose")),
]


@pytest.mark.parametrize(("about", "item"), SIZING, ids=[about for about, _item in SIZING])
def test_every_kind_of_sizing_is_within_its_span(about: str, item: Item) -> None:
    chosen = pipeline(item)
    through = flow.through(chosen, WIDE)

    for seed in range(40):
        result = engine.draw(WIDE, chosen, seed).draw.result
        assert any(_holds(shape, result) for shape in through.result), (seed, result)


def test_spans_are_no_wider_than_what_is_drawn_for_turns_and_scales() -> None:
    for item in (step("Rotate", 1.0), step("RandomScale", 1.0)):
        chosen = pipeline(item)
        [shape] = flow.through(chosen, WIDE).result
        widths = [engine.draw(WIDE, chosen, seed).draw.result.width for seed in range(200)]

        assert min(widths) - shape.width[0] <= 4
        assert shape.width[1] - max(widths) <= 4


def test_groups_whose_members_agree_have_one_size() -> None:
    resize, crop = step("Resize", height=64, width=48), step("CropOrPad", height=64, width=48)
    for agreed in (
        group("OneOf", resize, crop, p=1.0),
        group("OneOrOther", resize, crop),
        group("Sequential", step("Rotate"), resize, p=0.0),
        group("SomeOf", resize, crop, n=3),
        group("SomeOf", step("HorizontalFlip"), resize, n=2, replace=False),
    ):
        assert flow.one_size(flow.through(pipeline(agreed), WIDE).result) == (48, 64)


def test_groups_that_may_be_skipped_have_several() -> None:
    resize = step("Resize", height=64, width=48)
    for skipped in (
        group("OneOf", resize),
        group("SomeOf", step("HorizontalFlip"), resize, n=2),
        step("Resize", 0.5, height=64, width=48),
    ):
        assert flow.one_size(flow.through(pipeline(skipped), WIDE).result) is None


def test_without_an_image_only_what_does_not_depend_on_it_is_certain() -> None:
    assert flow.certain_size(Case(pipeline(step("Resize", height=64, width=48)))) == (48, 64)
    assert flow.certain_size(Case(pipeline(step("HorizontalFlip")))) is None


def test_many_sizes_are_held_by_one_span() -> None:
    sizes = group("OneOf", *[step("Resize", height=10 + i, width=20 + i) for i in range(100)], p=1.0)

    [shape] = flow.through(pipeline(sizes), WIDE).result

    assert (shape.width, shape.height) == ((20, 119), (10, 109))


CHANCES: list[tuple[Item, list[float]]] = [
    (group("OneOf", step("HorizontalFlip", 0.2), step("VerticalFlip", 0.6), p=0.5), [0.125, 0.375]),
    (group("SomeOf", step("HorizontalFlip", 0.5), step("VerticalFlip", 0.5), n=2), [0.75, 0.75]),
    (group("SomeOf", step("HorizontalFlip"), step("VerticalFlip"), step("NoOp"), n=2, replace=False), [2 / 3] * 3),
    (group("SomeOf", step("HorizontalFlip"), step("VerticalFlip"), n=2, replace=False, p=0.5), [0.5, 0.5]),
    (group("OneOrOther", step("HorizontalFlip", 0.0), step("VerticalFlip"), p=0.3), [0.3, 0.7]),
    (group("Sequential", step("HorizontalFlip", 0.3), step("VerticalFlip", 0.6), p=0.0), [0.3, 0.6]),
    (group("OneOf", group("Sequential", step("HorizontalFlip", 0.3), step("VerticalFlip", 0.6)), p=0.8), [0.8, 0.48]),
    (group("OneOf", group("OneOrOther", step("HorizontalFlip"), step("VerticalFlip"), p=0.3), p=0.5), [0.15, 0.35]),
    (step("HorizontalFlip", 0.0, always_apply=True), [1.0]),
    (step("ToTensor", 0.0), [1.0]),
    (step("HorizontalFlip", 1.7), [1.0]),
]


@pytest.mark.parametrize(("item", "expected"), CHANCES)
def test_chances_are_those_of_the_library(item: Item, expected: list[float]) -> None:
    chosen = pipeline(item)
    case = Case(chosen)
    draws = [engine.draw(WIDE, chosen, seed).draw for seed in range(600)]
    for number, (leaf, chance) in enumerate(zip(chosen.leaves(), expected, strict=True)):
        share = sum(draw.leaves[number].applied for draw in draws) / len(draws)

        assert case.chance(leaf) == pytest.approx(chance)
        assert share == pytest.approx(chance, abs=0.07)


def test_steps_keep_the_type_of_their_arguments_where_pipelines_are_equal() -> None:
    pixels, fractions = (Case(pipeline(step("CoarseDropout", max_height=size, max_width=size))) for size in (1, 1.0))

    assert pixels.pipeline == fractions.pipeline
    assert [type(leaf.get("max_height")) for case in (pixels, fractions) for leaf in case.steps()] == [int, float]
