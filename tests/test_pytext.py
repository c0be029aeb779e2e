"""Python text of values: it evaluates to the same value and is laid out as black does."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from augviz.model import XY, Value
from augviz.pytext import LINE_LENGTH, Brackets, list_of, literal, statement

NUMBERS = st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(), lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12
)


def evaluated(value: Value) -> object:
    return eval(statement("", literal(value)).strip(), {}, {})


@given(VALUES)
def test_a_literal_evaluates_to_the_same_value(value: Value) -> None:
    result = evaluated(value)

    assert result == value
    assert repr(result) == repr(value)


def test_not_a_number_is_written_so_that_it_evaluates() -> None:
    result = evaluated(math.nan)

    assert isinstance(result, float)
    assert math.isnan(result)


def test_axes_become_a_dict_without_the_missing_one() -> None:
    assert evaluated(XY((1, 2), None)) == {"x": (1, 2)}


def test_strings_have_double_quotes_unless_they_hold_one() -> None:
    assert statement("x = ", literal("bilinear")) == 'x = "bilinear"\n'
    assert statement("x = ", literal('say "so"')) == "x = 'say \"so\"'\n"


def test_a_call_that_fits_stays_on_one_line() -> None:
    call = Brackets("f(", (("a=", "1"), ("b=", literal((1, 2)))), ")")

    assert statement("x = ", call) == "x = f(a=1, b=(1, 2))\n"


def test_a_call_that_does_not_fit_has_one_argument_a_line() -> None:
    call = Brackets("f(", tuple((f"argument_{i}=", "1000000") for i in range(8)), ")")

    lines = statement("x = ", call).splitlines()

    assert lines[:2] == ["x = f(", "    argument_0=1000000,"]
    assert lines[-2:] == ["    argument_7=1000000,", ")"]
    assert max(map(len, lines)) <= LINE_LENGTH


def test_a_list_has_one_item_a_line_even_if_it_is_short() -> None:
    assert statement("x = ", list_of(["f()", "g()"])) == "x = [\n    f(),\n    g(),\n]\n"


def test_an_empty_list_stays_on_one_line() -> None:
    assert statement("x = ", Brackets("f(", (("", list_of([])),), ")")) == "x = f([])\n"
