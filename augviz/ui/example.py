"""The example of a transform: the present image before and after it, in two draws, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import streamlit as st

from augviz import catalog
from augviz.errors import AugvizError, StepError
from augviz.model import Draw, ImageFacts, InputChoice, Pipeline, Step, TransformSpec
from augviz.sources import SourceRef
from augviz.ui import desk, details, state, viewer
from augviz.ui.page import escaped
from augviz.value_text import value_text

SEED = "transform.seed"
ON_SAMPLE = "transform.on_sample"
"""The transform that is shown on the sample, since it breaks on the visitor's image."""

DRAWS = 2
SIDE_PX = 512
HEIGHT = "clamp(220px, 31vh, 420px)"


@dataclass(frozen=True, slots=True)
class Example:
    """One draw of the step alone: its picture's address and values, or the sentence of what failed."""

    seed: int
    draw: Draw | None
    address: str = ""
    error: str = ""


def show(spec: TransformSpec) -> ImageFacts | None:
    """The pictures with what was drawn; returns the facts of the image that they show, None if it cannot be opened."""
    now = state.get()
    source, choice = now.source, now.pipeline.input
    on_sample = st.session_state.get(ON_SAMPLE) == spec.name
    if on_sample:
        source, choice = SourceRef("sample", state.FIRST_SAMPLE), InputChoice()
    try:
        facts = desk.facts_of(source, choice)
    except AugvizError as error:
        st.warning(escaped(str(error)), icon=":material/image_not_supported:")
        _sample_button(spec)
        return None
    step = catalog.initial_step(spec.name, "s1", facts)
    pipeline = Pipeline((Step(step.id, step.transform, step.args, p=1.0),), choice)
    seed = int(st.session_state.get(SEED, 1))
    examples = [_example(source, pipeline, each) for each in range(seed, seed + DRAWS)]
    failed = [example for example in examples if example.error]
    if len(failed) == len(examples):
        _broken(spec, step, facts, failed[0].error, on_sample=on_sample)
        return facts
    st.html(
        _figures(
            spec, facts.name, desk.thumb_address(source, choice, SIDE_PX), viewer.shape_text(facts.header), examples
        )
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        arguments = ", ".join(f"{name}={value_text(value)}" for name, value in step.args)
        where = f"On the sample {escaped(facts.name)}" if on_sample else f"On {escaped(facts.name)}"
        st.caption(f"{where}, with {escaped(arguments) or 'its defaults'}, always applied.", width="stretch")
        if on_sample:
            st.button(
                "Back to my image", key="transform.own", icon=":material/undo:", type="tertiary", on_click=_own_image
            )
        st.button(
            "Other draws",
            key="transform.draws",
            icon=":material/casino:",
            on_click=_other_draws,
            disabled=not _is_random(examples),
            help="Two other seeds" if _is_random(examples) else "Nothing is drawn: all results are equal",
        )
    return facts


def _example(source: SourceRef, pipeline: Pipeline, seed: int) -> Example:
    try:
        draw = desk.draw_of(desk.recipe(source, pipeline, seed))
    except StepError as error:
        return Example(seed, None, error=error.reason)
    except AugvizError as error:
        return Example(seed, None, error=str(error))
    return Example(seed, draw, desk.picture_address(source, pipeline, seed, SIDE_PX))


def _is_random(examples: list[Example]) -> bool:
    """Whether the draws that are shown have drawn something."""
    return any(example.error or (example.draw and example.draw.leaves[0].values) for example in examples)


def _broken(spec: TransformSpec, step: Step, facts: ImageFacts, error: str, *, on_sample: bool) -> None:
    """Why the step cannot be shown on this image: the catalogue's reason where it knows one, else the library's words."""
    found = catalog.problems(step, facts)
    reason = found[0].message if found else f"{spec.name}: {error}"
    st.warning(f"No example on {escaped(facts.name)}. {escaped(reason)}", icon=":material/block:")
    if not on_sample:
        _sample_button(spec)


def _sample_button(spec: TransformSpec) -> None:
    st.button(
        "Show it on the sample", key="transform.sample", icon=":material/image:", on_click=_on_sample, args=(spec.name,)
    )


def _on_sample(name: str) -> None:
    st.session_state[ON_SAMPLE] = name


def _own_image() -> None:
    st.session_state.pop(ON_SAMPLE, None)


def _other_draws() -> None:
    st.session_state[SEED] = int(st.session_state.get(SEED, 1)) + DRAWS


def _figures(spec: TransformSpec, name: str, original: str, shape: str, examples: list[Example]) -> str:
    """Original and draws beside each other, each in a frame of one height, so that nothing jumps when they arrive."""
    figures = [_figure(f"{name}, original", original, "Original", shape)]
    for example in examples:
        title = f"Seed {example.seed}"
        if example.draw is None:
            style = f"{_FRAME};display:flex;align-items:center;padding:0 12px"
            box = f'<div role="note" style="{style}">{escape(example.error)}</div>'
            figures.append(f'<figure style="margin:0;min-width:0">{box}{_caption(title, "raises")}</figure>')
            continue
        leaf = example.draw.leaves[0]
        told = details.drawn_text(leaf.values)
        result = viewer.result_text(example.draw)
        alt = viewer.alt_text(name, example.draw)
        figures.append(_figure(alt, example.address, title, f"{told} · {result}"))
    grid = f"display:grid;grid-template-columns:repeat({len(figures)},minmax(0,1fr));gap:12px"
    return f'<div class="augviz-example" style="{grid}">{"".join(figures)}</div>'


_FRAME = f"height:{HEIGHT};background:rgba(128,128,128,0.08);border-radius:6px;overflow:hidden"


def _figure(alt: str, address: str, title: str, text: str) -> str:
    image = (
        f'<img alt="{escape(alt)}" src="{escape(address)}" '
        'style="width:100%;height:100%;object-fit:contain;display:block">'
    )
    return f'<figure style="margin:0;min-width:0"><div style="{_FRAME}">{image}</div>{_caption(title, text)}</figure>'


def _caption(title: str, text: str) -> str:
    style = "font-size:0.85em;opacity:0.75;margin-top:4px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
    return f'<figcaption style="{style}" title="{escape(text)}"><b>{escape(title)}</b> {escape(text)}</figcaption>'
