"""Numbers to be entered exactly: one, the two ends of a range, a probability; with sliders where there are bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from augviz.model import ParamKind, ParamSpec
from augviz.ui import held
from augviz.ui.fields import Field, Take

NUMBER_WIDTH_PX = 116
"""Room for a number of six digits and the two buttons of a stepper."""


def is_whole(spec: ParamSpec) -> bool:
    return spec.kind in (ParamKind.INT, ParamKind.INT_RANGE, ParamKind.ODD_RANGE, ParamKind.INTS)


def cleaned(value: float | int, whole: bool) -> float | int:
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
    whole = options.pop("whole", is_whole(field.spec))
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


def range_entry(
    field: Field, key: str, pair: tuple[Any, Any], take: Callable[[tuple[Any, Any]], None], **label: Any
) -> None:
    """A range slider where the parameter has bounds, and the two ends as exact numbers."""
    whole = is_whole(field.spec)
    cast = int if whole else float
    low, high = (cast(v) for v in pair)
    odd = field.spec.kind is ParamKind.ODD_RANGE

    def offer(new_low: float | int | None, new_high: float | int | None, *, moved_low: bool) -> None:
        if new_low is None or new_high is None:
            return
        ends = [cleaned(v, whole) for v in (new_low, new_high)]
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


def probability(key: str, value: float, take: Take, name: str = "p") -> None:
    """How often a step is applied: a slider, and the exact number beside it."""

    def offer(new: float | None) -> None:
        if new is not None:
            take(cleaned(new, whole=False))

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
