"""Numbers are entered exactly: ranges by their ends, probabilities by slider and number."""

from __future__ import annotations

from augviz import edits
from augviz.model import Step
from tests.editing import argument, opened


def test_values_outside_the_bounds_are_shown_as_they_are() -> None:
    app = opened(Step("s1", "Rotate", (("limit", (-720, 400)),)))

    assert not app.exception
    assert app.number_input(key="explore.step.s1.limit.low").value == -720


def test_the_end_of_a_range_that_is_moved_pushes_the_other_along() -> None:
    app = opened(Step("s1", "Rotate", (("limit", (-10, 10)),)))
    app.number_input(key="explore.step.s1.limit.low").set_value(30.0).run()

    assert argument(app, "limit") == (30, 30)


def test_numbers_are_kept_without_the_dust_of_binary_steps() -> None:
    app = opened(Step("s1", "RandomBrightnessContrast"))
    app.slider(key="explore.step.s1.brightness_limit").set_value((0.1, 0.1 + 0.2)).run()

    assert argument(app, "brightness_limit") == (0.1, 0.3)


def test_the_probability_is_set_by_its_exact_number() -> None:
    app = opened(Step("s1", "Rotate"))
    app.number_input(key="explore.step.s1.p.exact").set_value(0.123).run()

    assert edits.find(app.session_state["explore"].pipeline, "s1").p == 0.123
    assert app.slider(key="explore.step.s1.p").value == 0.123
