"""One widget for each kind of parameter, in one table. A widget shows the model's value and offers a new one back.

The model is the truth: before a widget is made, its place in the session is set from the model, and its callback reads
that place and hands a value to `Field.take`. Nothing else is kept in a widget.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from augviz import catalog, checks
from augviz.model import REQUIRED, XY, ImageFacts, ParamKind, ParamSpec, Value
from augviz.ui import held

Take = Callable[[Value], None]

NUMBER_WIDTH_PX = 116
"""Room for a number of six digits and the two buttons of a stepper."""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter in the editor.

    Attributes:
        value: what the widget shows.
        key: the widget's place in the session, `explore.step.<id>.<name>`.
        facts: the image, for bounds by its size and colours by its bands; None if unknown.
        take: is called with each new value.
    """

    spec: ParamSpec
    value: Value
    key: str
    facts: ImageFacts | None
    take: Take

    @property
    def bounds(self) -> tuple[float | int | None, float | int | None]:
        """Least and greatest value, by the image's full size where the parameter is bounded by it."""
        return catalog.bounds(self.spec, self.facts)

    @property
    def label(self) -> str:
        """The library's keyword with its unit; in the accent colour where it differs from the default."""
        name = self.spec.name.replace("_", "\\_")
        unit = f" :gray[:small[{self.spec.unit}]]" if self.spec.unit else ""
        return (f":primary[{name}]" if not is_default(self.spec, self.value) else name) + unit

    @property
    def help(self) -> str:
        """The parameter's line of help with the library's default and the bounds."""
        lines = [self.spec.help]
        lines.append("Required." if self.spec.default is REQUIRED else f"Default: {value_text(self.spec.default)}.")
        low, high = self.bounds
        if low is not None or high is not None:
            bounds = f"from {number_text(low)}" if low is not None else ""
            lines.append(
                (f"{bounds} up to {number_text(high)}" if high is not None else bounds).strip().capitalize() + "."
            )
        return "  \n".join(line for line in lines if line)


def number_text(value: Any) -> str:
    """A number as people write it: no trailing zeros, a true minus sign."""
    return (f"{value:.6g}" if isinstance(value, float) else str(value)).replace("-", "−")


def value_text(value: Any) -> str:
    """An argument in a few characters: `±90`, `0.8 … 1.2`, `bilinear`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, XY):
        return f"x {value_text(value.x)}, y {value_text(value.y)}"
    if isinstance(value, tuple | list):
        if len(value) == 2 and all(map(checks.is_number, value)):
            low, high = value
            if low == high:
                return number_text(low)
            return f"±{number_text(high)}" if low == -high else f"{number_text(low)} … {number_text(high)}"
        return ", ".join(value_text(v) for v in value)
    return str(value)


def is_default(spec: ParamSpec, value: Value) -> bool:
    """Whether `value` means the library's default: a range may stand there as one number; 1 px is not 1.0, everything."""
    if spec.kind in checks.PAIR_KINDS and value is not None and spec.default is not REQUIRED:
        return checks.pair(spec, value) == checks.pair(spec, spec.default) is not None
    return value == spec.default and (spec.kind is not ParamKind.SIZE or type(value) is type(spec.default))


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


def _label(field: Field) -> dict[str, Any]:
    """Label and help of a widget; an optional parameter's switch already shows them."""
    if field.spec.optional:
        return {"label": field.spec.name, "label_visibility": "collapsed"}
    return {"label": field.label, "help": field.help}


def _toggle(field: Field) -> None:
    held.put(field.key, bool(field.value))
    take = held.heard(field.key, lambda: field.take(bool(st.session_state[field.key])))
    st.toggle(key=field.key, on_change=take, **_label(field))


def _choice(field: Field) -> None:
    choices = list(field.spec.choices)
    if isinstance(field.value, str) and field.value not in choices:
        choices.append(field.value)
    held.put(field.key, field.value)
    st.selectbox(
        options=choices,
        key=field.key,
        on_change=held.heard(field.key, lambda: field.take(st.session_state[field.key])),
        **_label(field),
    )


def _is_int(spec: ParamSpec) -> bool:
    return spec.kind in (ParamKind.INT, ParamKind.INT_RANGE, ParamKind.ODD_RANGE, ParamKind.INTS)


def _clean(value: float | int, whole: bool) -> float | int:
    """A number without the dust of binary steps: 0.30000000000000004 is 0.3."""
    return round(value) if whole else float(f"{value:.10g}")


def _bounds(field: Field, *values: float | int) -> tuple[float | int | None, float | int | None]:
    """Bounds of the widget, widened to hold `values`: a saved pipeline may have any."""
    low, high = field.bounds
    return (None if low is None else min(low, *values)), (None if high is None else max(high, *values))


def _step(field: Field, whole: bool) -> float | int:
    step = field.spec.step
    if whole:
        return int(step) if step and step >= 1 else 1
    return float(step) if step else 0.05


def number(field: Field, key: str, value: float | int, on_change: Callable[[], None], **options: Any) -> None:
    """A number with its exact entry, of the parameter's type, bounds and step; a cleared one comes back as it was."""
    whole = options.pop("whole", _is_int(field.spec))
    cast = int if whole else float
    low, high = _bounds(field, value)
    held.put(key, cast(value))
    st.number_input(
        min_value=None if low is None else cast(low),
        max_value=None if high is None else cast(high),
        value=None,  # of a cleared entry; Streamlit would take the least value
        step=_step(field, whole),
        format="%d" if whole else "%.6g",
        key=key,
        on_change=held.heard(key, on_change),
        **options,
    )


def _single(field: Field) -> None:
    whole = field.spec.kind is ParamKind.INT
    value = field.value if checks.is_number(field.value) else field.spec.min_value or 0
    number(
        field,
        field.key,
        value,  # type: ignore[arg-type]  # checked in the line above
        lambda: _offer(field, st.session_state[field.key], whole),
        **_label(field),
    )


def _offer(field: Field, value: float | int | None, whole: bool) -> None:
    """Take a number unless the entry was cleared."""
    if value is not None:
        field.take(_clean(value, whole))


def _range(field: Field) -> None:
    low, high = (0 if end is None else end for end in field.bounds)
    pair = checks.pair(field.spec, field.value) or (low, high)
    range_entry(field, field.key, pair, field.take, **_label(field))


def range_entry(
    field: Field, key: str, pair: tuple[Any, Any], take: Callable[[tuple[Any, Any]], None], **label: Any
) -> None:
    """A range slider where the parameter has bounds, and the two ends as exact numbers."""
    whole = _is_int(field.spec)
    cast = int if whole else float
    low, high = (cast(v) for v in pair)
    odd = field.spec.kind is ParamKind.ODD_RANGE

    def offer(new_low: float | int | None, new_high: float | int | None, *, moved_low: bool) -> None:
        if new_low is None or new_high is None:
            return
        ends = [_clean(v, whole) for v in (new_low, new_high)]
        if odd:
            ends = [_odd(v) for v in ends]
        if ends[0] > ends[1]:  # the end that was moved pushes the other one along
            ends = [ends[0]] * 2 if moved_low else [ends[1]] * 2
        take((ends[0], ends[1]))

    floor, ceiling = _bounds(field, low, high)
    if floor is not None and ceiling is not None and floor < ceiling and not odd:
        held.put(key, (low, high))
        st.slider(
            min_value=cast(floor),
            max_value=cast(ceiling),
            step=_step(field, whole),
            format="%d" if whole else "%.4g",
            key=key,
            on_change=held.heard(key, lambda: offer(*st.session_state[key], moved_low=True)),
            **label,
        )
        label = {}
    shown = {"label_visibility": "collapsed"}
    if label and label.get("label_visibility") != "collapsed":
        st.markdown(f":small[{label['label']}]", help=label.get("help"))
    low_key, high_key = f"{key}.low", f"{key}.high"
    with st.container(horizontal=True, gap="small", wrap=False):
        for end_key, end, name, is_low in ((low_key, low, "lowest", True), (high_key, high, "highest", False)):
            number(
                field,
                end_key,
                end,
                lambda is_low=is_low: offer(st.session_state[low_key], st.session_state[high_key], moved_low=is_low),  # type: ignore[misc]
                label=f"{field.spec.name}, {name}",
                **shown,
            )


def _odd(value: float | int) -> int:
    """The odd number at or above `value`; 0 stays, where it means "worked out from the other argument"."""
    whole = int(value)
    return whole if whole == 0 or whole % 2 else whole + 1


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
            field.take(_clean(min(1.0, float(value) / side), whole=False))  # type: ignore[arg-type]

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
            **_label(field),
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

    if "label_visibility" not in _label(field):
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
        cleaned = tuple(_clean(v, whole) for v in values)
        field.take(cleaned if isinstance(field.value, tuple) else cleaned[0])


def _xy_range(field: Field) -> None:
    """A range for both axes together, or one for each."""
    both = not isinstance(field.value, XY)
    pairs = checks.pairs(field.spec, field.value) or ((0, 0),)
    x, y = (pairs[0], pairs[-1])
    same_key = f"{field.key}.same"
    held.put(same_key, both)
    if "label_visibility" not in _label(field):
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
        **_label(field),
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


def probability(key: str, value: float, take: Take, name: str = "p") -> None:
    """How often a step is applied: a slider, and the exact number beside it."""

    def offer(new: float | None) -> None:
        if new is not None:
            take(_clean(new, whole=False))

    exact = f"{key}.exact"
    held.put(key, float(value))
    held.put(exact, float(value))
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", wrap=False):
        st.slider(
            f"{name} :gray[:small[probability]]",
            0.0,
            1.0,
            step=0.05,
            key=key,
            on_change=held.heard(key, lambda: offer(st.session_state[key])),
        )
        st.number_input(
            f"{name}, exactly",
            0.0,
            1.0,
            value=None,
            step=0.05,
            key=exact,
            label_visibility="collapsed",
            format="%.4g",
            width=NUMBER_WIDTH_PX,
            on_change=held.heard(exact, lambda: offer(st.session_state[exact])),
        )
