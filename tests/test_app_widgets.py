"""The editor's widgets for every transform of the catalogue and every kind of parameter, without a browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from augviz import catalog, edits
from augviz.model import XY, Group, ParamKind, Step
from augviz.ui import widgets
from tests.editing import argument, opened

USABLE = [name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable]


def test_every_kind_of_parameter_has_a_widget() -> None:
    assert set(widgets.TABLE) == set(ParamKind)


@pytest.mark.parametrize("image", ["astronaut", "coins"])
@pytest.mark.parametrize("name", USABLE)
def test_every_transform_can_be_opened(name: str, image: str) -> None:
    app = opened(catalog.initial_step(name, "s1"), image=image)

    assert not app.exception
    assert app.slider(key="explore.step.s1.p").value == catalog.transform(name).default_p


@pytest.mark.parametrize("name", list(catalog.GROUPS))
def test_every_group_can_be_opened_with_groups_inside(name: str) -> None:
    inner = Group("s2", "OneOf", (Step("s3", "Blur"), Step("s4", "HorizontalFlip")))
    app = opened(Group("s1", name, (inner, Step("s5", "Transpose")), n=1 if catalog.group(name).has_n else None))

    assert not app.exception
    assert app.toggle(key="explore.step.s3.enabled").value
    assert app.slider(key="explore.step.s1.p").value == catalog.group(name).default_p


def test_a_size_switches_between_pixels_and_a_fraction_of_the_side() -> None:
    app = opened(Step("s1", "CoarseDropout", (("max_height", 128), ("max_width", 64))))
    app.segmented_control(key="explore.step.s1.max_height.unit").set_value("fraction").run()

    assert app.session_state["explore"].refused.step.get("max_height") == 0.25

    app.segmented_control(key="explore.step.s1.max_width.unit").set_value("fraction").run()

    assert (argument(app, "max_height"), argument(app, "max_width")) == (0.25, 0.125)


def test_a_colour_is_given_for_each_band_of_the_image() -> None:
    app = opened(Step("s1", "Rotate"))
    app.toggle(key="explore.step.s1.value.each").set_value(True).run()

    assert argument(app, "value") == (255, 255, 255)

    app.color_picker(key="explore.step.s1.value.hex").set_value("#ff8000").run()

    assert argument(app, "value") == (255, 128, 0)


def test_a_pair_of_axes_is_given_together_or_apart() -> None:
    app = opened(Step("s1", "Affine", (("scale", (0.5, 1.5)),)))
    app.toggle(key="explore.step.s1.scale.same").set_value(False).run()

    assert argument(app, "scale") == XY((0.5, 1.5), (0.5, 1.5))

    app.number_input(key="explore.step.s1.scale.y.high").set_value(2.0).run()

    assert argument(app, "scale") == XY((0.5, 1.5), (0.5, 2.0))


def test_none_is_a_choice_of_an_optional_parameter() -> None:
    app = opened(Step("s1", "PadIfNeeded", (("value", 0),)))
    app.checkbox(key="explore.step.s1.min_height.given").set_value(False).run()
    now = app.session_state["explore"]
    entered = now.refused.step if now.refused else edits.find(now.pipeline, "s1")

    assert entered.get("min_height", "absent") is None


def test_bounds_follow_the_full_size_of_the_image() -> None:
    app = opened(Step("s1", "RandomCrop", (("height", 100), ("width", 100))), image="coins")

    assert app.number_input(key="explore.step.s1.height").max == 303
    assert app.number_input(key="explore.step.s1.width").max == 384


def test_a_step_shows_what_differs_from_the_defaults() -> None:
    app = opened(replace(Step("s1", "Rotate", (("limit", (-20, 20)),)), p=0.3))

    assert any(caption.value.startswith("limit ±20 · p 0.3") for caption in app.caption)
