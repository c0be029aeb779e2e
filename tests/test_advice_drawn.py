"""What advice claims of steps without drawing is so: those that change nothing, and those that draw nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import catalog, engine
from augviz.advice import Case
from augviz.advice.idle import IDLE, does_nothing
from augviz.advice.validation import draws_something
from augviz.errors import StepError
from augviz.model import Header, Pipeline, Step, Value
from tests import samples, strategies
from tests.advising import pipeline, step

ITEMS: dict[str, tuple[dict[str, Value], dict[str, Value]]] = {
    "RandomBrightnessContrast": ({"brightness_limit": 0, "contrast_limit": 0}, {"brightness_limit": 0}),
    "HueSaturationValue": (
        {"hue_shift_limit": 0, "sat_shift_limit": 0, "val_shift_limit": 0},
        {"hue_shift_limit": 0, "sat_shift_limit": 0},
    ),
    "RandomGamma": ({"gamma_limit": (100, 100)}, {"gamma_limit": (90, 110)}),
    "GaussianBlur": ({}, {"sigma_limit": (0, 3)}),
    "Sharpen": ({"alpha": 0.0}, {"alpha": (0.0, 0.5)}),
    "Emboss": ({"alpha": 0.0}, {"alpha": (0.0, 0.5)}),
    "GaussNoise": ({"var_limit": 0}, {"var_limit": 0, "mean": 3}),
    "Rotate": ({"limit": 0}, {"limit": (0, 20)}),
    "RandomScale": ({"scale_limit": 0}, {"scale_limit": (0, 0.1)}),
    "ElasticTransform": ({"alpha": 0.0}, {"alpha": 30.0, "sigma": 4.0}),
    "Affine": ({"scale": 1.0, "rotate": 0}, {"scale": 1.0, "rotate": (-20, 20)}),
}
"""For each transform that can do nothing: arguments with which it does not, and with which it just does something."""


def _change(changed: Step) -> float:
    """The greatest change of a pixel that a step makes in a few draws; infinite where it changes the size."""
    image = samples.rgb()
    before = image.numpy().astype(float)
    greatest = 0.0
    for seed in range(4):
        after = engine.apply(image, Pipeline((changed,)), seed).array().astype(float)
        greatest = max(greatest, float(np.abs(after - before).max()) if after.shape == before.shape else float("inf"))
    return greatest


def test_every_transform_that_can_do_nothing_is_tried() -> None:
    assert ITEMS.keys() == IDLE.keys()


@pytest.mark.parametrize("transform", ITEMS)
def test_what_is_said_to_do_nothing_changes_no_pixel_and_the_next_thing_does(transform: str) -> None:
    idle, busy = (step(transform, 1.0, **args) for args in ITEMS[transform])

    assert len(tuple(does_nothing(Case(pipeline(idle))))) == 1
    assert _change(idle) == 0
    assert tuple(does_nothing(Case(pipeline(busy)))) == ()
    assert _change(busy) > 0


SHAPE = Header(256, 256, 3, "uchar", "srgb")


def _values(chosen: Step) -> list[object]:
    """What a step draws with different seeds."""
    found = []
    for seed in range(6):
        try:
            found.append(repr(sorted(engine.draw(SHAPE, Pipeline((chosen,)), seed).draw.leaves[0].values.items())))
        except StepError:
            continue
    return found


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(strategies.names(lazy=True)).flatmap(lambda name: strategies.steps(name, lazy=True)))
def test_a_step_that_is_said_to_draw_nothing_draws_the_same_every_time(chosen: Step) -> None:
    always = Step(chosen.id, chosen.transform, chosen.args, 1.0)
    if not draws_something(always):
        assert len(set(_values(always))) <= 1


@pytest.mark.parametrize("name", strategies.names(lazy=True))
def test_what_the_library_draws_by_default_is_known(name: str) -> None:
    chosen = Step("a", name, catalog.initial_step(name, "a", strategies.facts()).args, 1.0)

    assert draws_something(chosen) == (len(set(_values(chosen))) > 1)
