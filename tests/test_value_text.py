"""Arguments are written for people in a few characters."""

from __future__ import annotations

import pytest

from augviz.model import XY, Value
from augviz.value_text import number_text, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "none"),
        (0, "0"),
        (-3, "−3"),
        (0.30000000000000004, "0.3"),
        ("bilinear", "bilinear"),
        ((-90, 90), "±90"),
        ((0.8, 1.2), "0.8 … 1.2"),
        ((-10, 20), "−10 … 20"),
        ((5, 5), "5"),
        ((1, 2, 3), "1, 2, 3"),
        (("a", "b"), "a, b"),
        (XY((0.5, 1.5), None), "x 0.5 … 1.5, y none"),
    ],
)
def test_an_argument_is_written_as_people_write_it(value: Value, text: str) -> None:
    assert value_text(value) == text


def test_a_number_has_a_true_minus_sign_and_no_trailing_zeros() -> None:
    assert [number_text(number) for number in (-0.5, 1.0, 1e-7, -12, 123456789)] == [
        "−0.5",
        "1",
        "1e−07",
        "−12",
        "123456789",
    ]
