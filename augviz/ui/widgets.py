"""One widget for each kind of parameter, in one table. A widget shows the model's value and offers a new one back.

The model is the truth: before a widget is made, its place in the session is set from the model, and its callback reads
that place and hands a value to `Field.take`. Nothing else is kept in a widget.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from augviz import checks
from augviz.model import XY, ParamKind, Value
from augviz.ui import held
from augviz.ui.fields import Field
from augviz.ui.number_entry import NUMBER_WIDTH_PX, cleaned, number, range_entry


def show(field: Field) -> None:
    """Make the widget of a parameter; a parameter that may be None gets a switch in front."""
    if not field.spec.optional:
        TABLE[field.spec.kind](field)
        return
    key = f"{field.key}.given"
    held.put(key, field.value is not None)
    st.checkbox(
        f"{field.label} :gray[:small[{'' if field.value is not None else 'none'}]]",
        key=key,
        help=field.help,
        on_change=held.heard(key, lambda: field.take(_some_value(field) if st.session_state[key] else None)),
    )
    if field.value is not None:
        TABLE[field.spec.kind](field)


def _some_value(field: Field) -> Value:
    """What an optional parameter begins with when it is switched on."""
    spec = field.spec
    if spec.initial is not None:
        return spec.initial
    if spec.kind in (ParamKind.CHOICE, ParamKind.INTERPOLATE):
        return spec.choices[0]
    low, high = field.bounds
    low = 0 if low is None else low
    if spec.kind in (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE, ParamKind.XY_RANGE):
        return (low, low if high is None else high)
    return {ParamKind.BOOL: False, ParamKind.FLOAT: float(low)}.get(spec.kind, low)


def _toggle(field: Field) -> None:
    held.put(field.key, bool(field.value))
    take = held.heard(field.key, lambda: field.take(bool(st.session_state[field.key])))
    st.toggle(key=field.key, on_change=take, **field.labelled)


def _choice(field: Field) -> None:
    choices = list(field.spec.choices)
    if isinstance(field.value, str) and field.value not in choices:
        choices.append(field.value)
    held.put(field.key, field.value)
    st.selectbox(
        options=choices,
        key=field.key,
        on_change=held.heard(field.key, lambda: field.take(st.session_state[field.key])),
        **field.labelled,
    )


def _single(field: Field) -> None:
    whole = field.spec.kind is ParamKind.INT
    value = field.value if checks.is_number(field.value) else field.spec.min_value or 0
    number(
        field,
        field.key,
        value,  # type: ignore[arg-type]  # checked in the line above
        lambda: _offer(field, st.session_state[field.key], whole),
        **field.labelled,
    )


def _offer(field: Field, value: float | int | None, whole: bool) -> None:
    """Take a number unless the entry was cleared."""
    if value is not None:
        field.take(cleaned(value, whole))


def _range(field: Field) -> None:
    low, high = (0 if end is None else end for end in field.bounds)
    pair = checks.pair(field.spec, field.value) or (low, high)
    range_entry(field, field.key, pair, field.take, **field.labelled)


def _size(field: Field) -> None:
    fraction = isinstance(field.value, float)
    unit_key = f"{field.key}.unit"
    held.put(unit_key, "fraction" if fraction else "px")
    side = field.bounds[1] or 1000
    value = field.value if checks.is_number(field.value) else 1

    def switch() -> None:
        if st.session_state[unit_key] == "px" and fraction:
            field.take(max(1, round(float(value) * side)))  # type: ignore[arg-type]
        elif st.session_state[unit_key] == "fraction" and not fraction:
            field.take(cleaned(min(1.0, float(value) / side), whole=False))  # type: ignore[arg-type]

    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", wrap=False):
        limits = replace(
            field.spec,
            min_value=0.0 if fraction else (1 if (field.spec.min_value or 0) > 0 else 0),
            max_value=1.0 if fraction else None,
            step=0.01 if fraction else 1,
            bounded_by=None if fraction else field.spec.bounded_by,
        )
        number(
            replace(field, spec=limits),
            field.key,
            value,  # type: ignore[arg-type]
            lambda: _offer(field, st.session_state[field.key], not fraction),
            whole=not fraction,
            **field.labelled,
        )
        st.segmented_control(
            f"Unit of {field.spec.name}",
            ["fraction", "px"],
            key=unit_key,
            required=True,
            label_visibility="collapsed",
            on_change=held.heard(unit_key, switch),
        )


def _per_band(field: Field) -> None:
    """One number for all bands, or one for each; three 8-bit bands also as a colour."""
    is_colour = field.spec.kind is ParamKind.COLOUR
    values = _numbers(field.value)
    whole = is_colour and not any(isinstance(v, float) for v in values)
    if is_colour and field.facts is not None:
        whole = field.facts.header.format not in ("float", "double")
    bands = field.facts.header.bands if field.facts else 3
    each_key = f"{field.key}.each"
    held.put(each_key, isinstance(field.value, tuple))

    def switch() -> None:
        if st.session_state[each_key]:
            field.take(values if len(values) > 1 else values * bands)
        else:
            field.take(values[0])

    if "label_visibility" not in field.labelled:
        st.markdown(f":small[{field.label}]", help=field.help)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.toggle("Each band", key=each_key, on_change=held.heard(each_key, switch))
        if is_colour and whole and len(values) == 3 and all(0 <= v <= 255 for v in values):
            hex_key = f"{field.key}.hex"
            held.put(hex_key, "#" + "".join(f"{int(v):02x}" for v in values))
            st.color_picker(
                f"{field.spec.name} as a colour",
                key=hex_key,
                label_visibility="collapsed",
                on_change=held.heard(hex_key, lambda: field.take(tuple(bytes.fromhex(st.session_state[hex_key][1:])))),
            )
    keys = [f"{field.key}.{band}" if isinstance(field.value, tuple) else field.key for band in range(len(values))]
    with st.container(horizontal=True, gap="small"):
        for band, (key, value) in enumerate(zip(keys, values, strict=True)):
            number(
                field,
                key,
                value,
                lambda: _offer_bands(field, [st.session_state[k] for k in keys], whole),
                whole=whole,
                label=f"{field.spec.name}, band {band + 1}",
                label_visibility="collapsed",
                width=NUMBER_WIDTH_PX,
            )


def _numbers(value: Value) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value if checks.is_number(value) else 0,)


def _offer_bands(field: Field, values: list[Any], whole: bool) -> None:
    if all(v is not None for v in values):
        each = tuple(cleaned(v, whole) for v in values)
        field.take(each if isinstance(field.value, tuple) else each[0])


def _xy_range(field: Field) -> None:
    """A range for both axes together, or one for each."""
    both = not isinstance(field.value, XY)
    pairs = checks.pairs(field.spec, field.value) or ((0, 0),)
    x, y = (pairs[0], pairs[-1])
    same_key = f"{field.key}.same"
    held.put(same_key, both)
    if "label_visibility" not in field.labelled:
        st.markdown(f":small[{field.label}]", help=field.help)
    st.toggle(
        "Same for both axes",
        key=same_key,
        on_change=held.heard(same_key, lambda: field.take(x if st.session_state[same_key] else XY(x, y))),
    )
    if both:
        range_entry(field, field.key, x, field.take, label=field.spec.name, label_visibility="collapsed")
        return
    range_entry(field, f"{field.key}.x", x, lambda new: field.take(XY(new, y)), label=":small[x]")
    range_entry(field, f"{field.key}.y", y, lambda new: field.take(XY(x, new)), label=":small[y]")


def _ints(field: Field) -> None:
    """One whole number, or several to choose from, typed with commas."""
    values = _numbers(field.value)
    held.put(field.key, ", ".join(str(v) for v in values))

    def read() -> None:
        found = [int(text) for text in re.findall(r"-?\d+", st.session_state[field.key] or "")]
        if found:
            field.take(tuple(found) if len(found) > 1 else found[0])

    st.text_input(
        key=field.key,
        validate=(r"\s*-?\d+(\s*,\s*-?\d+)*\s*", "Whole numbers, with commas between them"),
        on_change=held.heard(field.key, read),
        **field.labelled,
    )


TABLE: dict[ParamKind, Callable[[Field], None]] = {
    ParamKind.BOOL: _toggle,
    ParamKind.INT: _single,
    ParamKind.FLOAT: _single,
    ParamKind.CHOICE: _choice,
    ParamKind.INTERPOLATE: _choice,
    ParamKind.RANGE: _range,
    ParamKind.INT_RANGE: _range,
    ParamKind.ODD_RANGE: _range,
    ParamKind.COLOUR: _per_band,
    ParamKind.NUMBERS: _per_band,
    ParamKind.SIZE: _size,
    ParamKind.XY_RANGE: _xy_range,
    ParamKind.INTS: _ints,
}
"""The widget of each kind of parameter; a test holds it against `ParamKind`."""
