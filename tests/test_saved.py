"""The saved form: what is read, what is refused and in which words, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import catalog, saved
from augviz.errors import PipelineError
from augviz.model import XY, Group, InputChoice, Pipeline, Step
from augviz.presets import PRESETS, Preset
from tests.strategies import pipelines

DOCUMENT = Path(__file__).parent.parent / "docs" / "pipeline-format.md"


def one(item: dict[str, Any]) -> dict[str, Any]:
    return {"format": 1, "steps": [item]}


def args_of(transform: str, **args: Any) -> dict[str, Any]:
    """The arguments as they are after loading."""
    loaded = saved.load(one({"transform": transform, "args": args})).steps[0]
    assert isinstance(loaded, Step)
    return dict(loaded.args)


# Reading


def test_an_item_may_leave_out_everything_but_its_transform() -> None:
    assert saved.load(one({"transform": "Rotate"})) == Pipeline((Step("0", "Rotate"),))


def test_a_full_item_is_read_as_written() -> None:
    item = {"id": "a1", "transform": "Rotate", "args": {"limit": [-20, 20]}, "p": 0.8, "enabled": False}

    assert saved.load(one(item)).steps == (Step("a1", "Rotate", (("limit", (-20, 20)),), 0.8, False),)


def test_a_missing_id_is_the_index_with_disabled_items_counted() -> None:
    items = [{"transform": "NoOp", "enabled": False}, {"id": "x", "transform": "NoOp"}, {"transform": "NoOp"}]

    assert [i.id for i in saved.load({"format": 1, "steps": items}).steps] == ["0", "x", "2"]


def test_a_missing_id_in_a_group_begins_with_the_groups_id() -> None:
    inner = {"group": "Sequential", "steps": [{"transform": "NoOp"}, {"transform": "Blur", "id": "own"}]}
    item = {"id": "g", "group": "OneOf", "steps": [{"transform": "NoOp"}, inner]}

    assert [leaf.id for leaf in saved.load(one(item)).leaves()] == ["g.0", "g.1.0", "own"]


def test_some_of_keeps_n_and_replace() -> None:
    item = {"group": "SomeOf", "n": 2, "replace": True, "p": 0.5, "steps": [{"transform": "NoOp"}]}

    assert saved.load(one(item)).steps == (Group("0", "SomeOf", (Step("0.0", "NoOp"),), 0.5, 2, True),)


def test_input_is_read_as_written() -> None:
    data = {"format": 1, "input": {"page": 1, "level": 2, "upright": True, "bands": 3, "as_8_bit": True}, "steps": []}

    assert saved.load(data).input == InputChoice(1, 2, True, 3, True)


def test_axes_become_xy() -> None:
    assert args_of("Affine", scale={"x": [0.5, 1], "y": 2}, shear={"y": [1, 2]}) == {
        "scale": XY((0.5, 1), 2),
        "shear": XY(None, (1, 2)),
    }


@pytest.mark.parametrize(
    ("transform", "args"),
    [
        ("Blur", {"blur_limit": 7}),
        ("AdvancedBlur", {"noise_limit": (0.9, 1.1)}),
        ("RandomGamma", {"gamma_limit": (0, 0)}),
        ("RandomGamma", {"eps": None}),
        ("Resize", {"height": 0, "width": -1}),
        ("CoarseDropout", {"max_holes": 6000, "max_height": 0.5, "max_width": 8}),
        ("ToTensor", {"always_apply": False}),
        ("GaussianBlur", {"sigma_limit": None}),
        ("LongestMaxSize", {"max_size": (100, 200)}),
        ("CropOrPad", {"height": 1, "width": 1, "direction": "center"}),
        ("Rotate", {"limit": (30, 30), "value": (1, 2, 3), "interpolation": "nohalo"}),
    ],
)
def test_any_constructor_value_is_kept_whatever_the_bounds(transform: str, args: dict[str, Any]) -> None:
    data = {k: saved.value_data(v) for k, v in args.items()}

    assert args_of(transform, **data) == args


def test_sizes_keep_their_type_since_it_tells_pixels_from_fractions() -> None:
    args = args_of("CoarseDropout", max_height=1, max_width=1.0)

    assert [type(args["max_height"]), type(args["max_width"])] == [int, float]


def test_a_whole_float_is_an_int_where_the_library_takes_only_ints() -> None:
    value = args_of("Blur", blur_limit=[3.0, 7.0])["blur_limit"]

    assert [type(v) for v in value] == [int, int]


def test_libvips_number_of_an_extend_mode_is_its_name() -> None:
    assert args_of("PadIfNeeded", border_mode=3) == {"border_mode": "mirror"}


# Refusing


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "The pipeline must be an object, got []"),
        ({"steps": []}, 'no "format"; it must be 1'),
        ({"format": 2, "steps": []}, '"format" must be 1, got 2'),
        ({"format": True, "steps": []}, '"format" must be 1, got true'),
        ({"format": 1}, "steps must be a list"),
        ({"format": 1, "steps": [], "seed": 3}, 'unknown key "seed"; there are format, input, steps'),
        ({"format": 1, "steps": [], "input": {"band": 3}}, 'input: unknown key "band"'),
        ({"format": 1, "steps": [], "input": {"bands": 0}}, "input: bands must be a whole number of at least 1, got 0"),
        ({"format": 1, "steps": [], "input": {"upright": 1}}, "input: upright must be true or false, got 1"),
        ({"format": 1, "steps": [3]}, "steps[0] must be an object, got 3"),
        (one({}), 'steps[0] must have either "transform" or "group"'),
        (one({"transform": "NoOp", "group": "OneOf"}), 'either "transform" or "group"'),
        (one({"transform": "Rotat"}), "steps[0]: There is no transform 'Rotat'; did you mean Rotate?"),
        (one({"transform": 3}), "steps[0]: transform must be a name, got 3"),
        (one({"group": "TwoOf"}), "There is no group 'TwoOf'"),
        (one({"transform": "Lambda"}), "steps[0], Lambda: it cannot be used"),
        (one({"transform": "Rotate", "prob": 1}), 'steps[0], Rotate: unknown key "prob"'),
        (one({"transform": "Rotate", "id": ""}), "Rotate: id must be a printable text"),
        (one({"transform": "Rotate", "id": 4}), "Rotate: id must be a printable text"),
        (one({"transform": "Rotate", "id": "\ud800"}), "Rotate: id must be a printable text"),
        (one({"transform": "Rotate", "p": True}), "Rotate: p must be a number, got true"),
        (one({"transform": "Rotate", "p": None}), "Rotate: p must be a number, got null"),
        (one({"transform": "Rotate", "enabled": 1}), "Rotate: enabled must be true or false, got 1"),
        (one({"transform": "Rotate", "args": []}), "Rotate: args must be an object"),
        (one({"transform": "Rotate", "args": {"limt": 1}}), 'Rotate: there is no argument "limt"; it has limit'),
        (one({"transform": "Rotate", "args": {"limit": True}}), "Rotate: limit must be a number or a pair"),
        (one({"transform": "Rotate", "args": {"limit": [1]}}), "Rotate: limit must be a number or a pair"),
        (one({"transform": "Rotate", "args": {"limit": [1, "2"]}}), "Rotate: limit must be a number, got [1,"),
        (one({"transform": "Rotate", "args": {"limit": None}}), "Rotate: limit must not be null"),
        (one({"transform": "Rotate", "args": {"limit": float("nan")}}), "Rotate: limit must be a finite number"),
        (one({"transform": "Rotate", "args": {"limit": 10**400}}), "Rotate: limit must be a number of at most"),
        (one({"transform": "Rotate", "args": {"value": []}}), "Rotate: value must be a number, or a list"),
        (one({"transform": "Rotate", "args": {"interpolation": "linear"}}), "must be one of nearest, bilinear"),
        (one({"transform": "Rotate", "args": {"crop_border": 0}}), "crop_border must be true or false, got 0"),
        (one({"transform": "Rotate", "args": {"always_apply": 0}}), "always_apply must be true or false, got 0"),
        (one({"transform": "Blur", "args": {"blur_limit": 7.5}}), "Blur: blur_limit must be a whole number, got 7.5"),
        (one({"transform": "Affine", "args": {"scale": {}}}), 'scale must be a number, a pair, or {"x"'),
        (one({"transform": "Affine", "args": {"scale": {"z": 1}}}), 'scale must be a number, a pair, or {"x"'),
        (one({"transform": "Affine", "args": {"translate_px": 1.5}}), "translate_px must be a whole number"),
        (one({"transform": "PadIfNeeded", "args": {"border_mode": 6}}), "border_mode must be one of black"),
        (one({"transform": "Normalize", "args": {"mean": 1}}), "steps[0], Normalize: std must be given"),
        (one({"group": "OneOf", "steps": []}), "steps[0], OneOf: it must have at least 1 step, got 0"),
        (one({"group": "OneOf", "n": 1, "steps": []}), 'OneOf: unknown key "n"'),
        (
            one({"group": "SomeOf", "steps": [{"transform": "NoOp"}]}),
            "SomeOf: n, how many steps to apply, must be given",
        ),
        (one({"group": "OneOrOther", "steps": [{"transform": "NoOp"}] * 3}), "must have exactly 2 steps, got 3"),
        (
            one({"group": "OneOf", "steps": [{"transform": "NoOp"}, {"transform": "Blr"}]}),
            "steps[0].steps[1]: There is no transform 'Blr'",
        ),
    ],
)
def test_what_is_not_the_saved_form_is_refused_by_name(data: object, words: str) -> None:
    with pytest.raises(PipelineError) as caught:
        saved.load(data)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"format": 1' + "0" * 5000 + "}", "\ufeff{}"])
def test_what_is_not_json_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PipelineError, match="pipeline") as caught:
        saved.loads(text)

    assert "\n" not in str(caught.value)


def test_groups_may_be_nested_to_the_limit_and_no_deeper() -> None:
    def nested(levels: int) -> dict[str, Any]:
        item: dict[str, Any] = {"transform": "NoOp"}
        for _ in range(levels):
            item = {"group": "Sequential", "steps": [item]}
        return one(item)

    assert len(list(saved.load(nested(saved.MAX_DEPTH)).leaves())) == 1
    with pytest.raises(PipelineError, match="nested deeper than 20"):
        saved.load(nested(saved.MAX_DEPTH + 1))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["format", "steps", "transform", "group", "args", "p", "id", "n"]), inner)
), max_leaves=12))  # fmt: skip
def test_nothing_but_a_pipeline_error_comes_of_any_json(data: object) -> None:
    message = ""
    try:
        saved.load(data)
    except PipelineError as error:
        message = str(error)

    assert len(message.splitlines()) <= 1


# Writing


@given(pipelines(1, 5))
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read_back_the_same(pipeline: Pipeline) -> None:
    assert saved.loads(saved.dumps(pipeline)) == pipeline


@given(pipelines(1, 5))
@settings(max_examples=50, deadline=None)
def test_the_canonical_text_is_a_saved_form_of_its_own(pipeline: Pipeline) -> None:
    text = saved.canonical(pipeline)

    assert saved.canonical(saved.loads(text)) == text


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
def test_presets_are_read_back_the_same(preset: Preset) -> None:
    assert saved.loads(saved.dumps(preset.pipeline)) == preset.pipeline


def test_what_is_at_its_default_is_left_out() -> None:
    assert saved.dump(Pipeline((Step("0", "Rotate"),))) == {"format": 1, "steps": [{"transform": "Rotate"}]}


def test_arguments_that_were_given_are_kept_though_they_are_the_defaults() -> None:
    step = Step("0", "Rotate", (("limit", 90),), 0.5)

    assert saved.dump(Pipeline((step,)))["steps"] == [{"transform": "Rotate", "args": {"limit": 90}, "p": 0.5}]


def test_the_canonical_text_is_the_same_with_defaults_given_or_not() -> None:
    plain = Pipeline((Step("a", "Rotate"), Group("g", "SomeOf", (Step("b", "NoOp"),), n=1)))
    spelled = Pipeline(
        (Step("a", "Rotate", (("limit", 90),), 0.5), Group("g", "SomeOf", (Step("b", "NoOp"),), 1.0, 1, True))
    )

    assert saved.canonical(spelled) == saved.canonical(plain)


@pytest.mark.parametrize(
    "other",
    [
        Step("b", "Rotate"),
        Step("a", "Rotate", (), 0.6),
        Step("a", "Rotate", (("limit", 91),)),
        Step("a", "Rotate", (), None, False),
        Step("a", "Affine"),
    ],
)
def test_the_canonical_text_differs_where_the_pipeline_does(other: Step) -> None:
    assert saved.canonical(Pipeline((other,))) != saved.canonical(Pipeline((Step("a", "Rotate"),)))


def test_zero_and_an_empty_input_are_not_lost() -> None:
    pipeline = Pipeline((Step("0", "Rotate", (("limit", 0),), 0.0),), InputChoice(page=0, level=0))

    assert saved.load(saved.dump(pipeline)) == pipeline


# The document


def test_the_examples_of_the_document_are_saved_pipelines() -> None:
    blocks = [block.split("```")[0] for block in DOCUMENT.read_text().split("```json")[1:]]

    assert len(blocks) >= 2
    for block in blocks:
        assert saved.load(json.loads(block)).steps


def test_the_document_names_every_group_and_interpolator() -> None:
    text = DOCUMENT.read_text()

    assert [n for n in (*catalog.GROUPS, *catalog.INTERPOLATORS) if f"`{n}`" not in text] == []
