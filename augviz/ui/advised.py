"""The advice on what Explore shows: findings beside their step, the list of all, and the fixes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import streamlit as st

from augviz import edits
from augviz.advice import Case, Failure, Finding, Severity, advise
from augviz.advice.text import places, remarks
from augviz.errors import AugvizError, StepError
from augviz.model import Draw, ImageFacts, Pipeline
from augviz.ui import desk, refresh, state
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown

DRAWS = 8
"""Draws that the list looks at, the shown one included."""

TARGETS = ("mask", "bboxes", "keypoints")
STRIDE, VALIDATION, WITH = "explore.advice.stride", "explore.advice.validation", "explore.advice.targets"
"""Widgets of the list: what the network asks of sizes, what the pipeline is for, what goes with the image."""

_MARKS = {
    Severity.ERROR: ("red", ":material/error:"),
    Severity.WARNING: ("orange", ":material/warning:"),
    Severity.NOTE: ("gray", ":material/info:"),
}


def case_of(
    pipeline: Pipeline,
    facts: ImageFacts | None,
    draw: Draw | None,
    draws: tuple[Draw, ...] = (),
    failures: tuple[Failure, ...] = (),
) -> Case:
    """What the rules look at: the pipeline as it stands, with what the visitor has said of its use."""
    stride, costs = st.session_state.get(STRIDE), desk.measured_costs()
    return Case(
        pipeline,
        facts,
        draw,
        draws,
        costs=costs.get("uchar", {}),
        float_costs=costs.get("float", {}),
        failures=failures,
        stride=int(stride) if stride else None,
        validation=bool(st.session_state.get(VALIDATION)),
        targets=frozenset(st.session_state.get(WITH) or ()),
    )


ByItem = Mapping[str, tuple[Finding, ...]]
"""The findings about each step and group, by its id."""


def by_item(pipeline: Pipeline, facts: ImageFacts | None, draw: Draw | None) -> ByItem:
    """What is found about each step and group of a pipeline."""
    found: dict[str, tuple[Finding, ...]] = {}
    for finding in advise(case_of(pipeline, facts, draw)):
        if finding.hit.step is not None:
            found[finding.hit.step] = (*found.get(finding.hit.step, ()), finding)
    return found


def worst(found: tuple[Finding, ...]) -> None:
    """The findings that a closed card shows: notes wait until it is opened."""
    for finding in found:
        if finding.severity is not Severity.NOTE:
            line(finding)


def lines(item_id: str, pipeline: Pipeline, facts: ImageFacts | None, draw: Draw | None) -> None:
    """All findings about one step or group, on its open card."""
    for finding in by_item(pipeline, facts, draw).get(item_id, ()):
        line(finding)


def remarks_on(scene: Scene, shown: Shown) -> tuple[str, ...]:
    """The findings as paragraphs, for the comments of an exported module."""
    case = case_of(edits.complete(scene.state.pipeline), scene.facts, shown.draw)
    return remarks(case, advise(case))


def line(finding: Finding) -> None:
    """A finding on its step's card, its evidence behind a question mark, and its fix."""
    colour, icon = _MARKS[finding.severity]
    st.markdown(f":{colour}[{icon} :small[{escaped(finding.hit.message)}]]", help=escaped(finding.hit.evidence) or None)
    _fix(finding, f"explore.step.{finding.hit.step}.fix.{_number(finding)}")


def show(scene: Scene, shown: Shown) -> None:
    """The list of all findings, the worst first, with what shows each and its fix."""
    case = case_of(scene.state.pipeline, scene.facts, shown.draw, _others(shown), _failures(shown))
    found, names = advise(case), places(case.pipeline)
    if found:
        st.caption(f"{tally(found)}. Each fix can be undone.")
    else:
        st.caption("Nothing to advise: no rule finds anything in this pipeline for this image.")
    for number, finding in enumerate(found):
        _entry(finding, names.get(finding.hit.step or "", "The pipeline"), number)
    _use()


def tally(found: Iterable[Finding]) -> str:
    """How many of each severity: `1 error, 2 warnings`."""
    severities = [finding.severity for finding in found]
    counts = [(severity.value, severities.count(severity)) for severity in Severity]
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts if count)


def _entry(finding: Finding, where: str, number: int) -> None:
    colour, icon = _MARKS[finding.severity]
    with st.container(horizontal=True, vertical_alignment="center", key=f"explore.advice.{number}"):
        where = escaped(where[:1].upper() + where[1:])
        st.markdown(
            f":{colour}[{icon} **{where}**] {escaped(finding.hit.message)}  \n:gray[:small[{escaped(finding.hit.evidence)}]]",
            width="stretch",
        )
        _fix(finding, f"explore.advice.fix.{_number(finding)}")


def _fix(finding: Finding, key: str) -> None:
    fix = finding.hit.fix
    if fix is not None:
        st.button(fix.label, key=key, icon=":material/build:", type="secondary", on_click=_take, args=(fix.pipeline,))


def _number(finding: Finding) -> int:
    """The same for the same finding from run to run, and another for every other."""
    fix = finding.hit.fix
    return zlib.crc32(f"{finding.rule} {finding.hit.step} {finding.hit.message} {fix.label if fix else ''}".encode())


def _take(pipeline: Pipeline) -> None:
    """Take the pipeline in which a finding is mended."""
    state.edit(pipeline)
    refresh.whole_page()


def _use() -> None:
    """What the advice cannot see in the pipeline."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="explore.advice.use"):
        st.number_input(
            "Stride",
            1,
            4096,
            value=None,
            step=1,
            key=STRIDE,
            placeholder="none",
            persist_state="session",
            width=120,
            help="What the network asks width and height to be a multiple of, in pixels.",
        )
        st.pills("Targets beside the image", TARGETS, key=WITH, selection_mode="multi", persist_state="session")
        st.toggle(
            "For validation", key=VALIDATION, help="Then nothing in it should be random.", persist_state="session"
        )


def _failures(shown: Shown) -> tuple[Failure, ...]:
    """The step that this draw stops at."""
    failed = shown.failed
    return (Failure(shown.recipe.seed, failed.step_id, failed.reason),) if isinstance(failed, StepError) else ()


def _others(shown: Shown) -> tuple[Draw, ...]:
    """More draws of the same recipe; none where the image or a step does not let them be made."""
    if shown.draw is None or shown.failed is not None:
        return ()
    try:
        return desk.draws_of(shown.recipe, tuple(shown.recipe.seed + offset for offset in range(1, DRAWS)))
    except AugvizError:
        return ()
