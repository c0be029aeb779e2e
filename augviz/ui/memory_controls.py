"""The widgets of Memory, and the words that go with the choices made in them."""

from __future__ import annotations

import streamlit as st

from augviz.machine import Machine, Preset
from augviz.memory import Plan, Unit
from augviz.ui import memory_answers, memory_inputs, state
from augviz.ui.memory_answers import GPU_MEMORY, HOST_MEMORY, Case
from augviz.ui.memory_inputs import HERE, IMAGE, NONE, NOW, OWN, PIPELINE, TILED, TYPED, Inputs, put, take
from augviz.ui.page import escaped

SOURCES = {
    TYPED: "Numbers that I enter",
    IMAGE: "The loaded image",
    PIPELINE: "The result of my pipeline",
}


def show(case: Case, here: Machine, base: Plan | None, title: str) -> None:
    """All inputs. `base` is what is loaded from Explore, and `title` its name: its numbers are shown, and cannot be entered."""
    entered = memory_inputs.get()
    with st.container(gap="xsmall"):
        _choice("source", SOURCES)
        if title:
            st.caption(escaped(title))
        _pair("width", "height", base)
        left, right = st.columns(2, gap="xsmall")
        with left:
            _number("bands", base)
        with right:
            _dtype(case, base)
        _dtype_note(case, base)
    with st.container(gap="xsmall"):
        st.markdown("**DataLoader**")
        _pair("batch", "workers", None)
        left, right = st.columns(2, gap="xsmall")
        with left:
            _number("prefetch", None)
        with right:
            _switch("pinned")
            _switch("persistent")
        left, right = st.columns(2, gap="xsmall")
        with left:
            _choice("start", {})
        with right:
            _number("threads", None)
    with st.container(gap="xsmall"):
        st.markdown("**Machine**")
        _machine(entered, here, case.unit)
        _gpu(entered, case.unit)
        _tensor(entered)


def _pair(left_name: str, right_name: str, base: Plan | None) -> None:
    left, right = st.columns(2, gap="xsmall")
    with left:
        _number(left_name, base)
    with right:
        _number(right_name, base)


def _number(name: str, base: Plan | None) -> None:
    row = put(name, None if base is None else getattr(base, name))
    st.number_input(
        row.label,
        row.low,
        row.high,
        step=row.step,
        key=row.key,
        help=row.help,
        on_change=take,
        args=(name,),
        disabled=base is not None,
    )


def _choice(name: str, names: dict[str, str], *, disabled: bool = False) -> None:
    row = put(name)
    st.selectbox(
        row.label,
        row.choices,
        format_func=lambda choice: names.get(choice, choice),
        key=row.key,
        help=row.help,
        on_change=take,
        args=(name,),
        disabled=disabled,
    )


def _switch(name: str) -> None:
    row = put(name)
    st.toggle(row.label, key=row.key, help=row.help, on_change=take, args=(name,))


def _dtype(case: Case, base: Plan | None) -> None:
    is_fixed = base is not None or case.plan.normalise_on_device
    row = put("dtype", case.plan.dtype if is_fixed else None)
    choices = row.choices if case.plan.dtype in row.choices else (*row.choices, case.plan.dtype)
    st.selectbox(row.label, choices, key=row.key, help=row.help, on_change=take, args=("dtype",), disabled=is_fixed)


def _dtype_note(case: Case, base: Plan | None) -> None:
    dtype = base.dtype if base else memory_inputs.get().dtype
    if case.plan.dtype != dtype:
        st.caption(f"Loaded as {case.plan.dtype}: the pipeline leaves out Normalize, which the GPU does.")


def _machine(entered: Inputs, here: Machine, unit: Unit) -> None:
    total = "unknown" if here.total_bytes is None else unit.text(here.total_bytes)
    now = "unknown" if here.available_bytes is None else unit.text(here.available_bytes)
    names = {HERE: f"This machine, {total}", NOW: f"This machine now, {now} free", OWN: "Another size"}
    row = put("machine")
    st.selectbox(
        row.label,
        row.choices,
        format_func=lambda choice: names.get(choice) or preset_text(HOST_MEMORY[choice], unit),
        key=row.key,
        help=f"{row.help} Presets: {HOST_MEMORY['laptop-16'].source}.",
        on_change=choose,
        args=("machine", "machine_bytes", memory_answers.host_limit(entered, here)),
    )
    if entered.machine == OWN:
        _memory("machine_bytes", unit)
    elif entered.machine in (HERE, NOW):
        st.caption(here.sentence(unit.text))


def _gpu(entered: Inputs, unit: Unit) -> None:
    names = {OWN: "Another GPU", NONE: "No GPU"}
    row = put("gpu")
    sources = "As its data sheet states it; a gigabyte there is taken as 10^9 bytes, the smaller reading."
    st.selectbox(
        row.label,
        row.choices,
        format_func=lambda choice: names.get(choice) or preset_text(GPU_MEMORY[choice], unit),
        key=row.key,
        help=f"{row.help} {GPU_MEMORY[entered.gpu].source}. {sources}" if entered.gpu in GPU_MEMORY else row.help,
        on_change=choose,
        args=("gpu", "gpu_bytes", memory_answers.device_limit(entered)),
    )
    if entered.gpu == OWN:
        _memory("gpu_bytes", unit)


def _tensor(entered: Inputs) -> None:
    is_idle = entered.gpu == NONE
    _choice("tensor", {TILED: "uint8, normalised tile by tile"}, disabled=is_idle)
    if entered.tensor == TILED and not is_idle:
        left, right = st.columns(2, gap="xsmall")
        with left:
            _choice("tiles", {})
        with right:
            _number("tile", None)


def _memory(name: str, unit: Unit) -> None:
    """A size of memory, entered in the unit of the page."""
    row = put(name, round(unit.number(getattr(memory_inputs.get(), name)), 6))
    st.number_input(
        f"{row.label}, {unit.name}",
        0.1,
        memory_inputs.MAX_MEMORY / unit.size,
        step=1.0,
        format="%.1f",
        key=row.key,
        help=row.help,
        on_change=memory_inputs.take_memory,
        args=(name,),
    )


def choose(name: str, size_name: str, before: int | None) -> None:
    """Take another machine or GPU; a size of one's own begins with what there was before."""
    take(name)
    if getattr(memory_inputs.get(), name) == OWN and before is not None:
        memory_inputs.change(**{size_name: before})


def preset_text(preset: Preset, unit: Unit) -> str:
    """`NVIDIA T4, 16.0 GB`."""
    return f"{preset.name}, {unit.text(preset.memory_bytes)}"


def copied() -> str:
    """What the button that copies the link says."""
    from_upload = memory_inputs.get().source != TYPED and state.get().source.kind == "upload"
    return "Copied, without the image: an upload stays with its visitor" if from_upload else "Link copied"


def legend(case: Case) -> str:
    """What the colours of the heat map mean, and its unit."""
    colours = ":blue[blue] fits, :orange[orange] needs too much memory"
    gpu = "" if case.device is None else ", :gray[grey] is too much for the GPU only"
    known = f"{colours}{gpu}" if case.host is not None else "how much memory there is, is unknown"
    return f"Memory in {case.unit.name}: {known}. The frame is what is entered."
