"""One transform on the page Transforms: an example on the present image, and all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from augviz import calibration, works
from augviz.errors import AugvizError
from augviz.model import REQUIRED, Caveat, ImageFacts, ParamKind, ParamSpec, Side, TransformSpec
from augviz.ui import desk, example, picker, state
from augviz.ui.page import escaped
from augviz.ui.state import Scene
from augviz.units import megapixels_text, seconds_text
from augviz.value_text import number_text, value_text
from augviz.works import Survey

EXPLORE = Path(__file__).resolve().parents[2] / "pages" / "explore.py"


def show(spec: TransformSpec, close: Callable[[], None]) -> None:
    """The transform in full; `close` goes back to the table."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("All transforms", key="transform.back", icon=":material/arrow_back:", on_click=close)
        st.subheader(spec.name, width="content")
        st.markdown(f":gray-badge[{spec.family}] :gray-badge[preview {spec.truth.value}]", width="content")
        st.space("stretch")
        if not spec.unusable and st.button(
            "Add to pipeline", key="transforms.add", icon=":material/add:", type="primary"
        ):
            picker.add(spec.name, Scene(state.get(), _facts()), None)
            st.query_params.clear()
            st.switch_page(EXPLORE)
    st.markdown(f"{escaped(spec.help)} p is {spec.default_p:g} if it is not given.")
    if spec.unusable:
        st.error(escaped(f"{spec.name} cannot be used: {spec.unusable}."), icon=":material/block:")
    else:
        facts = example.show(spec)
        if facts is not None:
            st.caption(cost_text(spec, facts))
    known, outcomes = st.columns([3, 2], gap="large")
    with known:
        st.markdown("**Parameters**")
        if spec.params:
            st.table([param_row(p) for p in spec.params], hide_index=True, border="horizontal")
        else:
            st.caption("It has no parameters but p.")
        st.markdown("**What to know of it**")
        caveats(spec.caveats)
        if not spec.caveats:
            st.caption("No defect is known.")
    with outcomes:
        _outcomes(spec)


def _facts() -> ImageFacts | None:
    """The facts of the image that Explore shows, for arguments that depend on it; None where it cannot be opened."""
    now = state.get()
    try:
        return desk.facts_of(now.source, now.pipeline.input)
    except AugvizError:
        return None


def cost_text(spec: TransformSpec, facts: ImageFacts) -> str:
    """What the transform costs on an image, in a sentence, and whose figures say so."""
    header = facts.header
    megapixels = header.width * header.height / 1e6
    costs = calibration.load()
    is_float = header.format in ("float", "double")
    measured = costs and costs.cost(spec.name, "float" if is_float else "uchar")
    size = f"{escaped(facts.name)} ({megapixels_text(header.width, header.height)})"
    if measured:
        spread = f"{_ms(measured.cpu_low_ms)} to {_ms(measured.cpu_high_ms)} in {measured.repeats} draws"
        spread = spread if measured.repeats > 1 else "one draw"
        seconds = seconds_text(measured.cpu_ms * megapixels / 1000)
        return (
            f"Estimate for {size}: {seconds} of CPU time, by {_ms(measured.cpu_ms)} ms per megapixel "
            f"({spread}), measured on this machine."
        )
    if spec.cost_ms_per_megapixel is None:
        return f"What it costs on {size} is not known."
    seconds = seconds_text(spec.cost_ms_per_megapixel * megapixels / 1000)
    figure = f"{_ms(spec.cost_ms_per_megapixel)} ms per megapixel"
    return f"Estimate for {size}: {seconds} of CPU time, by the catalogue's {figure}, measured on another machine."


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def param_row(param: ParamSpec) -> dict[str, str]:
    """One parameter: default, what it may be, unit, help."""
    default = "required" if param.default is REQUIRED else value_text(param.default)
    return {
        "Parameter": f"`{param.name}`",
        "Default": default,
        "Range": _range_text(param) + (", or none" if param.optional else ""),
        "Unit": param.unit or "–",
        "What it does": _told(param.help),
    }


def _range_text(param: ParamSpec) -> str:
    """The values that a parameter may have."""
    if param.choices:
        return ", ".join(param.choices)
    low, high = (number_text(v) if v is not None else "" for v in (param.min_value, param.max_value))
    if param.bounded_by is not None:
        side = {Side.SHORTER: "shorter side", Side.LONGER: "longer side"}.get(param.bounded_by, param.bounded_by.value)
        most = f"{high} or the image's {side}" if high else f"the image's {side}"
        return f"{low or '…'} to {most}"
    if low or high:
        return f"{low or '…'} to {high or '…'}"
    return {ParamKind.BOOL: "yes, no", ParamKind.COLOUR: "a number, or one a band"}.get(param.kind, "any")


def _told(text: str) -> str:
    """A sentence of the catalogue as Markdown; what stands between backticks is code."""
    parts = text.split("`")
    return "".join(f"`{part}`" if number % 2 else escaped(part) for number, part in enumerate(parts))


def caveats(found: tuple[Caveat, ...]) -> None:
    """Each caveat with the number of its defect and its workaround."""
    for caveat in found:
        number = f":orange-badge[{caveat.defect}] " if caveat.defect else ""
        workaround = f"  \n:material/build: {_told(caveat.workaround)}" if caveat.workaround else ""
        st.markdown(f"{number}{_told(caveat.text)}{workaround}")


# What the survey found


def _outcomes(spec: TransformSpec) -> None:
    found = works.stored()
    survey = found.surveys.get(spec.name)
    st.markdown("**What works**")
    if survey is None:
        st.caption("Nothing was tried.")
        return
    st.table(outcome_rows(survey), hide_index=True, border="horizontal")
    st.markdown("  \n".join((*default_lines(survey), *target_lines(survey), *again_lines(survey))))
    st.caption(
        f"Found by running albumentationsxl {found.albumentationsxl} with libvips {found.libvips}, with the arguments that "
        "the editor begins with."
    )


def outcome_rows(survey: Survey) -> list[dict[str, str]]:
    """One row for each outcome, the kinds of images that have it together."""
    by_outcome: dict[tuple[str, str], list[str]] = {}
    for kind, outcome in survey.inputs.items():
        word, sentence = outcome.word(), outcome.sentence()
        by_outcome.setdefault((word, "" if sentence == "Works." else sentence), []).append(works.INPUTS[kind].title)
    return [
        {"Image": "; ".join(kinds), "Outcome": word, "In words": escaped(sentence)}
        for (word, sentence), kinds in by_outcome.items()
    ]


def default_lines(survey: Survey) -> list[str]:
    """What goes wrong with the library's own defaults, where the editor has to begin with others."""
    if survey.defaults is None or survey.defaults.is_as_meant or survey.name == "NoOp":
        return []
    return [f":red[:material/close:] With the library's own defaults: {escaped(survey.defaults.sentence())}"]


def target_lines(survey: Survey) -> list[str]:
    """What becomes of masks, keypoints and boxes, one line each."""
    titles = {
        "mask": "A mask through A.Compose",
        "keypoints": "Keypoints through A.Compose, as (x, y, angle, scale),",
        "bboxes": "Boxes through A.Compose",
        "bboxes alone": "Boxes given to the transform itself",
    }
    icons = {True: ":green[:material/check:]", False: ":red[:material/close:]"}
    return [
        f"{icons[follows.works]} {escaped(titles[target])} {_plural(target, escaped(follows.sentence()))}"
        for target, follows in (survey.targets or {}).items()
    ]


def _plural(target: str, sentence: str) -> str:
    """ "follows" is of a mask, "follow" of the others."""
    if target == "mask":
        return sentence
    for one, many in (("follows", "follow"), ("raises:", "raise:"), ("is wrong", "are wrong")):
        if sentence.startswith(one):
            return many + sentence[len(one) :]
    return sentence


def again_lines(survey: Survey | None) -> list[str]:
    """Whether the same can be had again: by a seed, a replay, a file."""
    if survey is None or survey.again is None:
        return []
    again = survey.again
    yes, no = ":green[:material/check:]", ":red[:material/close:]"
    lines = []
    if not again.differ:
        lines.append(f"{yes} Nothing is drawn: all results are equal.")
    elif again.seeded:
        lines.append(f"{yes} The same seed gives the same result.")
    else:
        lines.append(f"{no} `random.seed` does not decide the result; augviz seeds its noise.")
    if again.replayed == again.replay_draws:
        lines.append(
            f"{yes} A.ReplayCompose makes it again" + ("." if again.replay_json else "; its record is no JSON.")
        )
    else:
        why = f": {escaped(again.replay_error.rstrip('.'))}." if again.replay_error else " gives another result."
        lines.append(f"{no} A.ReplayCompose{' raises' if again.replay_error else ''}{why}")
    if again.file == "equal":
        lines.append(f"{yes} A.save and A.load keep it.")
    elif again.file == "differs":
        lines.append(f"{no} A.save and A.load give another transform.")
    else:
        memory = "; A.to\\_dict in memory works." if again.memory == "equal" else "."
        lines.append(f"{no} A.save and A.load raise: {escaped(again.file.rstrip('.'))}{memory}")
    if survey.is_lazy is not None:
        lines.append(f"{yes} A call evaluates no pixels." if survey.is_lazy else f"{no} A call evaluates all pixels.")
    return lines
