"""The page Measure: a question about Explore's pipeline at full size, the button that has it measured, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import streamlit as st

from augviz import calibration, profiles, runs
from augviz.ui import (
    address,
    calibrate,
    measure_answer,
    measure_asked,
    measure_kept,
    measure_loader,
    measure_runs,
    measure_sources,
    measure_what_if,
    page,
    scene,
    series_bar,
    subject_bar,
)
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.units import seconds_text

OTHERS: Mapping[str, ModuleType] = {"what-if": measure_what_if, "workers": measure_loader, "sources": measure_sources}
"""The questions that have a module of their own: `show` shows it, `take_over` keeps what its series has brought."""

ASKS = {
    "whole": "How long the whole takes at full size, and how much memory: streamed to a file, and held as an array.",
    "steps": "Which step costs what: the pipeline is cut off after each step and streamed, in rounds over all of them.",
    "ways": (
        "The same draw in several ways: streamed to a file, held as an array as `.numpy()` or ToTensor do, and worked in "
        "memory by numpy and OpenCV, and by albumentations where it is installed."
    ),
}
"""What is measured for each question, in a sentence."""


def show() -> None:
    """The whole page."""
    with page.boundary():
        address.read("measure")
    # Asked once: a series that ends while the page runs still has its bar, which has the page run again with the answer.
    was_running = series_bar.running() is not None
    _take_over()
    now, trouble = scene.current()
    address.show_trouble()
    if trouble is not None:
        with page.boundary():
            raise trouble
    else:
        _measure(now, was_running)
    measure_runs.show()
    address.write()


@page.boundary()
def _take_over() -> None:
    """Keep what has been measured, whatever question or page was looked at meanwhile."""
    measure_kept.take_over()
    for module in OTHERS.values():
        module.take_over()


@page.boundary()
def _measure(now: Scene, was_running: bool) -> None:
    shown = scene.shown(now)
    subject_bar.show(now, "measure")
    question = _question()
    if question in OTHERS:
        OTHERS[question].show(now, shown)
        return
    with page.boundary():
        _ask(question, now, shown, was_running)
    if was_running:
        series_bar.show()
    run = measure_kept.last(question)
    if run is not None and run.key == shown.key:
        measure_answer.show(run)
    elif not was_running:
        _empty(question, now, shown, run is not None)
    if not was_running:
        with page.boundary():
            calibrate.show(calibration.load())


def _question() -> str:
    names = [name for name in runs.QUESTIONS if name in ASKS or name in OTHERS]
    found: str = st.segmented_control(
        "Question",
        names,
        default="whole",
        format_func=runs.QUESTIONS.__getitem__,
        key="measure.question",
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    return found


def _ask(question: str, now: Scene, shown: Shown, was_running: bool) -> None:
    """How often, and the button."""
    # The number stays enabled while something runs: Streamlit 1.67 drops what was entered with the click that disables it.
    is_busy = was_running or calibrate.is_running()
    can_be_drawn = shown.failed is None and shown.draw is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="measure.ask"):
        st.caption("Rounds" if question == "steps" else "Repeats", width="content")
        repeats = st.number_input(
            "Repeats",
            1,
            measure_asked.MAX_REPEATS,
            measure_asked.REPEATS,
            key="measure.repeats",
            persist_state="session",
            help="After a warm-up that is not counted; the median stands for all.",
            label_visibility="collapsed",
            width=110,
        )
        hold = question != "whole" or st.toggle(
            "Also held as an array", True, key="measure.hold", persist_state="session"
        )
        if not can_be_drawn:
            st.button("Measure", key="measure.start", type="primary", icon=":material/timer:", disabled=True)
            return
        asked = measure_asked.figures(question, now, shown, int(repeats), hold)
        if st.button("Measure", key="measure.start", type="primary", icon=":material/timer:", disabled=is_busy):
            measure_asked.begin(question, now, shown, asked)
            st.rerun()
        if not was_running:
            st.caption(f"About {seconds_text(measure_asked.seconds_about(asked))} (est.)", width="content")


def _empty(question: str, now: Scene, shown: Shown, is_known: bool) -> None:
    """What will be measured, or why it cannot be."""
    if shown.failed is not None or shown.draw is None:
        st.error(
            f"{escaped(profiles.closed(str(shown.failed or 'There is no result.')))} "
            "Nothing can be measured until that is changed.",
            icon=":material/error:",
        )
        return
    with st.container(border=True, gap="xsmall", key="measure.empty"):
        st.markdown(f"{ASKS[question]}")
        about = measure_asked.quick_estimate(now, shown.draw)
        if about is not None:
            low, high = seconds_text(about.seconds_low), seconds_text(about.seconds_high)
            st.markdown(f"One run is estimated to take {seconds_text(about.seconds)} ({low} to {high}).")
        st.caption(f"{measure_asked.limits_text()} What is read is {measure_asked.file_text(shown)}.")
        if is_known:
            st.caption("What was measured last was of another image, pipeline or seed; it stands in the table below.")
