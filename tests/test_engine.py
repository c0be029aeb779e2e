"""The engine's draw and pixels are those of a plain loop over the library's objects, seeded in the same way."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import pyvips

from augviz import catalog, engine, presets, saved
from augviz.errors import StepError
from augviz.fidelity import facts_of
from augviz.library import A, kept_random_state, quiet, seeded_noise
from augviz.model import Group, Header, Pipeline, Step
from tests.samples import rgb

SEEDS = (0, 1, 2)
USABLE = [name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable]


def loaded(*steps: dict[str, object]) -> Pipeline:
    return saved.load({"format": 1, "steps": list(steps)})


def plain_loop(image: pyvips.Image, pipeline: Pipeline, seed: int) -> object:
    """What a user's script does: build each item, seed, call. Deliberately not the engine's code."""

    def build(item: Step | Group) -> object:
        if isinstance(item, Group):
            members = [build(member) for member in item.steps]
            more = {k: v for k, v in (("p", item.p), ("n", item.n), ("replace", item.replace)) if v is not None}
            return getattr(A, item.group)(transforms=members, **more)
        arguments = {k: engine.library_value(v, catalog.transform(item.transform).param(k).kind) for k, v in item.args}
        if item.p is not None:
            arguments["p"] = item.p
        return getattr(A, item.transform)(**arguments)

    with kept_random_state(), quiet(), seeded_noise():
        for item in pipeline.steps:
            random.seed(f"{seed}:{item.id}")
            image = build(item)(image=image)["image"]
    return image


def pixels(result: object) -> np.ndarray:
    return result.numpy() if isinstance(result, pyvips.Image) else np.asarray(result)


@pytest.mark.parametrize("name", USABLE)
def test_every_transform_equals_a_plain_loop(name: str) -> None:
    image = rgb(320, 256)
    step = catalog.initial_step(name, "a", facts_of(engine.header(image)))
    pipeline = Pipeline((Step("first", "NoOp"), step, replace(step, id="b", p=1.0)))
    outcomes = []
    for seed in SEEDS:
        try:
            expected = pixels(plain_loop(image, pipeline, seed))
        except Exception as error:
            with pytest.raises(StepError, match=name):
                engine.apply(image, pipeline, seed)
            outcomes.append(str(error))
            continue
        outcomes.append(np.array_equal(engine.apply(image, pipeline, seed).array(), expected))

    raises = {
        "RandomRotate90": "list index out of range",
        "ToTensor": "has no attribute 'width'",
    }  # D5; nothing after ToTensor
    assert all(outcome is True or raises.get(name, "?") in str(outcome) for outcome in outcomes), outcomes
    assert True in outcomes or name == "ToTensor"


FLIPS = [{"transform": "HorizontalFlip"}, {"transform": "VerticalFlip", "p": 0.9}]
COLOURS = [{"transform": "RandomGamma"}, {"transform": "GaussNoise"}, {"transform": "HueSaturationValue"}]
GROUPS = {
    "OneOf": {"group": "OneOf", "p": 0.9, "steps": COLOURS},
    "SomeOf with replacement": {"group": "SomeOf", "n": 3, "steps": COLOURS},
    "SomeOf without": {"group": "SomeOf", "n": 2, "replace": False, "steps": COLOURS},
    "OneOrOther": {"group": "OneOrOther", "steps": FLIPS},
    "Sequential": {"group": "Sequential", "steps": [*FLIPS, *COLOURS]},
    "nested": {
        "group": "OneOf",
        "p": 1.0,
        "steps": [
            {"group": "Sequential", "p": 0.5, "steps": [*COLOURS, {"group": "SomeOf", "n": 2, "steps": FLIPS}]},
            {"transform": "Rotate"},
        ],
    },
}


@pytest.mark.parametrize("kind", GROUPS)
def test_every_composition_equals_a_plain_loop(kind: str) -> None:
    image = rgb(96, 80)
    pipeline = loaded({"transform": "Rotate", "id": "turn"}, GROUPS[kind], {"transform": "RandomScale"})

    for seed in range(6):
        expected = pixels(plain_loop(image, pipeline, seed))
        assert np.array_equal(engine.apply(image, pipeline, seed).array(), expected)


@pytest.mark.parametrize("kind", GROUPS)
def test_one_stream_equals_the_librarys_compose(kind: str) -> None:
    image = rgb(96, 80)
    pipeline = loaded({"transform": "Rotate"}, GROUPS[kind], {"transform": "GaussNoise"})
    for seed in SEEDS:
        with kept_random_state(), quiet(), seeded_noise():
            members = [engine.build_step(s, 0) for s in (pipeline.steps[0], pipeline.steps[2])]
            group = loop_group(pipeline.steps[1])
            random.seed(seed)
            expected = A.Compose([members[0], group, members[1]])(image=image)["image"].numpy()

        assert np.array_equal(engine.apply(image, pipeline, seed, one_stream=True).array(), expected)


def loop_group(group: Group) -> object:
    members = [loop_group(s) if isinstance(s, Group) else engine.build_step(s, 0) for s in group.steps]
    more = {k: v for k, v in (("p", group.p), ("n", group.n), ("replace", group.replace)) if v is not None}
    return getattr(A, group.group)(transforms=members, **more)


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda p: p.name)
def test_the_draw_reads_no_pixels_and_equals_the_applied_one(preset: presets.Preset) -> None:
    image = rgb(512, 512)

    for seed in SEEDS:
        assert (
            engine.draw(engine.header(image), preset.pipeline, seed).draw
            == engine.apply(image, preset.pipeline, seed).draw
        )


def test_replaying_the_draw_gives_the_applied_pixels_noise_included() -> None:
    image = rgb(96, 80)
    pipeline = loaded(
        {"transform": "GaussNoise", "p": 1.0},
        {"transform": "ElasticTransform", "p": 1.0, "args": {"alpha": 30.0, "sigma": 8.0}},
        {"transform": "AdvancedBlur", "p": 1.0, "args": {"noise_limit": [0.9, 1.0]}},
        {"transform": "Rotate", "p": 1.0},
    )
    result = image
    for firing in engine.draw(engine.header(image), pipeline, 4).firings:
        result = engine.replay(firing, result)

    assert np.array_equal(result.numpy(), engine.apply(image, pipeline, 4).array())


def test_a_draw_of_a_huge_image_by_mean_is_only_noted() -> None:
    shape = engine.header(pyvips.Image.black(100_000, 100_000, bands=3))
    pipeline = loaded({"transform": "RandomBrightnessContrast", "p": 1.0, "args": {"brightness_by_max": False}})
    leaf = engine.draw(shape, pipeline, 1).draw.leaves[0]

    assert leaf.applied
    assert set(leaf.values) == {"alpha", "beta"}
    assert (leaf.after.width, leaf.after.bands, leaf.after.format) == (100_000, 3, "uchar")


def test_changing_one_step_leaves_the_draws_of_the_others() -> None:
    shape = engine.header(rgb(96, 80))
    turn = {"id": "t", "transform": "Rotate", "p": 1.0}
    alone = engine.draw(shape, loaded(turn), 3).draw.leaves[0]
    after_another = engine.draw(shape, loaded({"id": "n", "transform": "GaussNoise"}, turn), 3).draw.leaves[1]

    assert after_another.values == alone.values


def test_a_missing_id_is_the_index_with_disabled_items_counted() -> None:
    shape = engine.header(rgb(96, 80))
    skipped = {"transform": "NoOp", "enabled": False}
    turn = {"transform": "Rotate", "p": 1.0}
    implied = engine.draw(shape, loaded(skipped, turn), 0).draw.leaves[1]
    named = engine.draw(shape, loaded({**turn, "id": "1"}), 0).draw.leaves[0]

    assert implied.values == named.values
    assert [leaf.enabled for leaf in engine.draw(shape, loaded(skipped, turn), 0).draw.leaves] == [False, True]


def test_a_step_that_fires_twice_tells_both_draws() -> None:
    pipeline = loaded({"group": "SomeOf", "n": 3, "p": 1.0, "steps": [{"transform": "Rotate"}]})
    leaf = engine.draw(engine.header(rgb(96, 80)), pipeline, 0).draw.leaves[0]

    assert leaf.values["times"] == 3
    assert len({each["angle"] for each in leaf.values["each"]}) == 3


def test_the_random_state_of_the_process_is_kept() -> None:
    random.seed(5)
    before = random.getstate()
    engine.draw(engine.header(rgb(96, 80)), presets.FIRST.pipeline, 0)

    assert random.getstate() == before


def test_a_step_after_a_tensor_fails_in_the_librarys_words() -> None:
    pipeline = loaded({"transform": "ToTensor"}, {"transform": "HorizontalFlip", "p": 1.0})

    with pytest.raises(StepError, match=r"step 2, HorizontalFlip: .*'Tensor' object has no attribute 'width'"):
        engine.draw(engine.header(rgb(96, 80)), pipeline, 0)


def test_a_constructor_that_raises_names_its_step() -> None:
    with pytest.raises(StepError, match="step 1, MedianBlur: MedianBlur supports only odd blur limits"):
        engine.draw(engine.header(rgb(96, 80)), loaded({"transform": "MedianBlur", "args": {"blur_limit": [4, 6]}}), 0)


def test_a_group_that_raises_names_itself() -> None:
    pipeline = loaded({"group": "OneOf", "steps": [{"transform": "NoOp", "p": 0.0}]})

    with pytest.raises(StepError, match="OneOf: float division by zero"):
        engine.draw(engine.header(rgb(96, 80)), pipeline, 0)


def test_a_kernel_that_would_end_the_process_is_refused() -> None:
    pipeline = loaded({"transform": "AdvancedBlur", "p": 1.0, "args": {"noise_limit": [0, 0]}})

    with pytest.raises(StepError, match=r"step 1, AdvancedBlur: .*divide by it and end the process"):
        engine.draw(engine.header(rgb(96, 80)), pipeline, 0)


def test_holes_are_counted_over_all_steps() -> None:
    dropout = {"transform": "CoarseDropout", "p": 1.0, "args": {"max_holes": 1500}}

    engine.draw(engine.header(rgb(96, 80)), loaded(dropout), 0)
    with pytest.raises(StepError, match="step 2, CoarseDropout: this draw has 3000 holes"):
        engine.draw(engine.header(rgb(96, 80)), loaded(dropout, dropout), 0)


def test_a_hole_without_a_size_is_found_by_the_draw() -> None:
    with pytest.raises(StepError, match=r"step 1, GridDropout: .*parameter (width|height) not set"):
        engine.draw(engine.header(pyvips.Image.black(1000, 1000)), loaded({"transform": "GridDropout", "p": 1.0}), 0)


def test_a_disabled_member_is_not_built() -> None:
    members = [{"transform": "HorizontalFlip", "enabled": False}, {"transform": "VerticalFlip"}]
    pipeline = loaded({"group": "OneOf", "p": 1.0, "steps": members})
    applied = engine.apply(rgb(96, 80), pipeline, 0)

    assert [leaf.applied for leaf in applied.draw.leaves] == [False, True]
    assert np.array_equal(applied.array(), rgb(96, 80).numpy()[::-1])


def test_a_draw_of_noise_makes_no_noise() -> None:
    shape = Header(3000, 3000, 3, "uchar", "srgb")
    tracemalloc.start()
    try:
        leaf = engine.draw(shape, Pipeline((Step("n", "GaussNoise", p=1.0),)), 0).draw.leaves[0]
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [set(note) for note in leaf.values["noise"]] == [{"sigma", "mean", "seed"}] * len(leaf.values["noise"])
    assert peak_bytes < 3000 * 3000
