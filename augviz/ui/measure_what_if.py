"""Measure, what if: the pipeline as it is against one with a step less or in another order, and the way to take that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from augviz import edits, profiles, what_ifs
from augviz.errors import AugvizError
from augviz.model import Pipeline
from augviz.profiles import Failed, Profile
from augviz.runs import Outcome, Run
from augviz.series import Figure
from augviz.ui import (
    compared_charts,
    desk,
    measure_asked,
    measure_kept,
    memory_charts,
    series_bar,
    state,
)
from augviz.ui.measure_frame import Question
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.units import bytes_text, seconds_text
from augviz.uploads import get_uploads
from augviz.what_ifs import Difference, WhatIf

ASKER = "what-if"
VARIANT = "measure.whatif.variant"
REPEATS = "measure.whatif.repeats"
RESULT = "measure.whatif.result"
TROUBLE = "measure.whatif.trouble"

_QUESTION = Question(RESULT, TROUBLE)
TAKEN = "measure.whatif.taken"

ORDER = ("before.1", "after.1", "after.2", "before.2")
"""Each is measured twice, the variant in between: what slows the machine for a while meets both alike."""

AS_IT_IS, VARIED = "As it is", "What if"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is being measured: `before` and `after` are what depends on the recipes, without their outcomes."""

    original: Pipeline
    what_if: WhatIf
    before: Run
    after: Run


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: for each side a profile, or why there is none."""

    original: Pipeline
    what_if: WhatIf
    key: str
    before: Profile | Failed
    after: Profile | Failed


def show(scene: Scene, shown: Shown) -> None:
    """The variants, the button, and the last result."""
    _QUESTION.show(
        "The pipeline as it is and one variant of it are streamed at full size, each twice in a fresh process and in "
        "turn. All other steps draw the same. The order decides the pixels, too: time and memory are compared, not "
        "results.",
        take_over,
        lambda is_running: _ask(scene, shown, is_running),
        lambda result: _result(result, scene, shown),
    )


def take_over() -> None:
    """Keep what our series has brought once it has ended, whatever was looked at or asked meanwhile."""
    begun = series_bar.ended(ASKER)
    if begun is None:
        return
    asked: Asked = begun.asked
    found = {name: measure_kept.readable(value) for name, value in begun.series.outcomes.items()}
    sides = {side: what_ifs.merged([found[f"{side}.1"], found[f"{side}.2"]]) for side in ("before", "after")}
    st.session_state[RESULT] = Result(asked.original, asked.what_if, asked.before.key, sides["before"], sides["after"])
    for run, side in ((asked.before, "before"), (asked.after, "after")):
        if isinstance(sides[side], Profile):
            outcome = Outcome("stream", AS_IT_IS if side == "before" else asked.what_if.label, sides[side])
            measure_kept.keep(replace(run, outcomes=(outcome,)))


# The question


def _ask(scene: Scene, shown: Shown, is_running: bool) -> None:
    if shown.draw is None or shown.failed is not None:
        st.info(escaped(str(shown.failed or "There is no draw that could be measured.")), icon=":material/info:")
        return
    found = {one.name: one for one in what_ifs.variants(scene.state.pipeline)}
    if not found:
        st.info("This pipeline has no step that could be left out or moved.", icon=":material/info:")
        return
    # What is entered stays enabled while something runs: Streamlit 1.67 drops it with the click that disables it.
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="measure.whatif.ask"):
        chosen = found[_chosen(found, scene, shown)]
        repeats = st.number_input(
            "Repeats",
            1,
            measure_asked.MAX_REPEATS,
            measure_asked.REPEATS,
            key=REPEATS,
            persist_state="session",
            help="Of each process, after a warm-up that is not counted; the median stands for all.",
            width=110,
        )
        asked, refused = _varied(scene, shown, chosen)
        # Not by a callback, whose arguments would be those of the run before a number was entered and the button clicked.
        if (
            st.button(
                "Measure both",
                key="measure.whatif.start",
                type="primary",
                icon=":material/timer:",
                disabled=is_running or asked is None,
            )
            and asked is not None
        ):
            _start(chosen, int(repeats), scene, shown, asked)
            st.rerun()
    if refused:
        st.warning(f"{escaped(chosen.label)}: {escaped(refused)}", icon=":material/block:")
    elif not is_running:
        about = measure_asked.quick_estimate(scene, shown.draw)
        weights = sum(figure.weight for figure in figures(shown, shown, int(repeats), about.seconds if about else 1.0))
        st.caption(f"About {seconds_text(weights)} (est.)")


def _chosen(found: dict[str, WhatIf], scene: Scene, shown: Shown) -> str:
    """The name of the variant that is chosen, the most telling one at first."""
    if st.session_state.get(VARIANT) not in found:
        st.session_state.pop(VARIANT, None)
    run = measure_kept.last("steps")
    times = run.step_times if run is not None and run.key == shown.key else None
    seconds = None if times is None else what_ifs.seconds_by_item(scene.state.pipeline, times)
    first = what_ifs.most_telling(tuple(found.values()), seconds)
    assert first is not None
    name: str = st.selectbox(
        "What if",
        list(found),
        index=list(found).index(first.name),
        format_func=lambda name: found[name].label,
        key=VARIANT,
        persist_state="session",
        width="stretch",
    )
    return name


def _varied(scene: Scene, shown: Shown, chosen: WhatIf) -> tuple[Shown | None, str]:
    """The variant as it would be shown; None and the reason where it cannot be drawn."""
    now, pipeline = scene.state, edits.complete(chosen.pipeline)
    try:
        recipe = desk.recipe(now.source, pipeline, shown.recipe.seed)
        return Shown(desk.key_of(now.source, pipeline, shown.recipe.seed), recipe, desk.draw_of(recipe)), ""
    except AugvizError as error:
        return None, str(error)


def figures(before: Shown, after: Shown, repeats: int, seconds: float) -> tuple[Figure, ...]:
    """Both, twice each. `seconds` is about what one run takes."""
    requests = {"before": measure_asked.request(before), "after": measure_asked.request(after)}
    weight = measure_asked.STARTING_SECONDS + (repeats + 1) * seconds
    return tuple(
        Figure(
            name,
            f"{AS_IT_IS if name.startswith('before') else VARIED}, {'once' if name.endswith('1') else 'again'}",
            partial(profiles.start, requests[name.split(".")[0]], "stream", repeats),
            weight=weight,
        )
        for name in ORDER
    )


def _start(chosen: WhatIf, repeats: int, scene: Scene, shown: Shown, varied: Shown) -> None:
    """Start the series for what was shown when the button was clicked, or remember why not for the run that follows."""
    st.session_state.pop(TROUBLE, None)
    st.session_state.pop(TAKEN, None)
    assert shown.draw is not None
    assert varied.draw is not None
    about = measure_asked.quick_estimate(scene, shown.draw)
    before = measure_asked.run_of(ASKER, scene, shown, shown.draw)
    after = measure_asked.run_of(ASKER, scene, varied, varied.draw)
    asked = Asked(scene.state.pipeline, chosen, before, after)
    measured = figures(shown, varied, repeats, about.seconds if about else 1.0)
    try:
        series_bar.start(ASKER, measured, asked, reads=measure_asked.reads_of(scene.state.source))
    except AugvizError as error:
        st.session_state[TROUBLE] = get_uploads().shown(str(error))


# The answer


def _result(result: Result, scene: Scene, shown: Shown) -> None:
    sides = ((AS_IT_IS, result.before), (result.what_if.label, result.after))
    for title, side in sides:
        if isinstance(side, Failed):
            st.warning(f"{escaped(title)}: {escaped(side.reason)}", icon=":material/error:")
    if isinstance(result.before, Profile) and isinstance(result.after, Profile):
        difference = Difference(result.before, result.after)
        st.header(escaped(what_ifs.sentence(result.what_if, difference)), anchor=False)
        _chart(result.what_if, difference)
        st.table(_rows(result.what_if, difference), hide_index=True, border="horizontal", alt="Both beside each other")
        for title, side in sides:
            if isinstance(side, Profile) and side.is_unstable:
                st.markdown(
                    f"Unstable: the repeats of “{escaped(title)}” differ by more than a quarter; measure again."
                )
    _take(result, scene, shown)


def _chart(what_if: WhatIf, difference: Difference) -> None:
    names = [AS_IT_IS, what_if.label]
    both = (difference.before, difference.after)
    panels = (
        compared_charts.of_repeats("Time", [one.wall for one in both]),
        compared_charts.of_bytes("Peak memory over the process", [one.increase_bytes for one in both]),
    )
    st.plotly_chart(
        compared_charts.chart(names, panels, [compared_charts.BAR, compared_charts.OTHER]),
        key="measure.whatif.chart",
        config=memory_charts.config("measure-what-if"),
        alt=compared_charts.text("Time and memory as it is and with the change", names, panels),
    )


def _rows(what_if: WhatIf, difference: Difference) -> list[dict[str, str]]:
    rows = []
    for title, one in ((AS_IT_IS, difference.before), (what_if.label, difference.after)):
        increase = one.increase_bytes
        rows.append(
            {
                "": escaped(title),
                "Time": seconds_text(one.wall.median),
                "Spread": f"{seconds_text(min(one.wall.values))} to {seconds_text(max(one.wall.values))}",
                "Repeats": str(len(one.wall.values)),
                "Processor": seconds_text(one.cpu.median),
                "Memory": "unknown" if increase is None else bytes_text(increase),
            }
        )
    return rows


def _take(result: Result, scene: Scene, shown: Shown) -> None:
    """The button that makes the variant the pipeline, as long as that is the one that was measured."""
    if st.session_state.get(TAKEN) == result.what_if.pipeline and scene.state.pipeline == result.what_if.pipeline:
        st.success("Taken; undo on Explore goes back.", icon=":material/check:")
        return
    if scene.state.pipeline != result.original:
        st.caption("Another pipeline is shown now.")
        return
    if not isinstance(result.after, Profile):
        return
    if result.key != shown.key:
        st.caption("Another image or seed is shown now.")
    st.button(
        "Take it without this step" if result.what_if.is_removal else "Take this order",
        key="measure.whatif.take",
        icon=":material/check:",
        on_click=state.later,
        args=(_taken, result),
    )


def _taken(result: Result) -> None:
    if state.get().pipeline == result.original:
        st.session_state[TAKEN] = result.what_if.pipeline
        state.edit(result.what_if.pipeline)
