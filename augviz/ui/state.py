"""What a visitor of Explore has made: one frozen value in the session, replaced as a whole by every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from augviz import edits, presets, sources
from augviz.errors import AugvizError
from augviz.model import Draw, ImageFacts, Pipeline, Problem, Step
from augviz.recipes import Recipe

KEY = "explore"
WAITING = "explore.waiting"
MODES = ("Compare", "Curtain", "Draws", "Steps")
MAX_UNDO = 200
FIRST_SAMPLE = "astronaut"


@dataclass(frozen=True, slots=True)
class Refused:
    """Arguments that were entered but cannot work; the pipeline keeps the step's last valid ones.

    Attributes:
        step: the step as it would have become.
        problems: why it cannot.
    """

    step: Step
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Explore:
    """The page's whole state.

    Attributes:
        source: the image that is looked at.
        seed: seed of the first draw.
        draws: pictures in the grid of draws, 1 to `model.MAX_DRAWS`.
        bands: those that are shown as red, green and blue, from 1; None are the first. They change no pixel of the result.
        picked: which of them is selected, 0 is the first; the pictures of the other modes are its.
        opened: id of the step or group whose controls are shown, None if all are closed.
        past, future: pipelines to go back and forth to, the nearest last.
        version: counts the changes; of two states the later one has the higher.
    """

    source: sources.SourceRef
    pipeline: Pipeline
    seed: int = 0
    mode: str = MODES[0]
    draws: int = 4
    bands: tuple[int, int, int] | None = None
    picked: int = 0
    opened: str | None = None
    past: tuple[Pipeline, ...] = ()
    future: tuple[Pipeline, ...] = ()
    refused: Refused | None = None
    version: int = 0

    @property
    def shown_seed(self) -> int:
        """Seed of the selected draw."""
        return self.seed + self.picked


def first() -> Explore:
    """What a visitor finds: the tutorial's pipeline on a sample."""
    return Explore(sources.SourceRef("sample", FIRST_SAMPLE), presets.FIRST.pipeline)


def taken_number() -> int:
    """The highest number that an id has had in this session, as far back as undo goes."""
    now = get()
    return edits.highest_number(now.pipeline, *now.past, *now.future)


def get() -> Explore:
    """The session's state, made at the first visit."""
    if KEY not in st.session_state:
        st.session_state[KEY] = first()
    state: Explore = st.session_state[KEY]
    return state


def change(**fields: Any) -> None:
    """Replace some fields of the state, in one assignment."""
    now = get()
    st.session_state[KEY] = replace(now, version=now.version + 1, **fields)


def later(action: Callable[..., None], *args: Any) -> None:
    """What a button's callback does: put the action off until all that was clicked before the page ran again is known.

    Streamlit 1.67 runs the callbacks of clicks that came in quick succession with the newest first, so that an undo
    would undo what stood before the edit that it followed.
    """
    st.session_state[WAITING] = (*st.session_state.get(WAITING, ()), (action, args))


def settle() -> None:
    """Do what was put off, in the order of the clicks."""
    for action, args in reversed(st.session_state.pop(WAITING, ())):
        action(*args)


def edit(pipeline: Pipeline, **fields: Any) -> None:
    """Take a new pipeline; the old one can be gone back to. The same pipeline again changes nothing but `fields`."""
    state = get()
    past, future = state.past, state.future
    if pipeline != state.pipeline:
        past, future = (*state.past, state.pipeline)[-MAX_UNDO:], ()
    change(**{"pipeline": pipeline, "past": past, "future": future, "refused": None, **fields})


def undo() -> None:
    """Go back to the pipeline before the last edit; a refused entry is only forgotten."""
    state = get()
    if state.refused:
        change(refused=None)
    elif state.past:
        change(pipeline=state.past[-1], past=state.past[:-1], future=(*state.future, state.pipeline))


def redo() -> None:
    """Go forth to the pipeline that was undone last."""
    state = get()
    if state.future:
        change(pipeline=state.future[-1], future=state.future[:-1], past=(*state.past, state.pipeline), refused=None)


def take_step(step: Step, problems: Sequence[Problem], pipeline: Pipeline) -> None:
    """Take a step's new arguments if nothing is wrong with them, else remember them beside the reason.

    Args:
        step: the step as entered.
        problems: what the catalogue finds wrong with it.
        pipeline: the pipeline with the step in it.
    """
    if problems:
        change(refused=Refused(step, tuple(problems)))
    else:
        edit(pipeline)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the picture and the figures below it show.

    Attributes:
        key: of the recipe, `recipe`.
        draw: its draw; where a step cannot be drawn, that of the steps before it; None if not even that can be had.
        good_key: where a step cannot be drawn, the key of the recipe of the steps before it; "" otherwise.
        failed: the error that names the step, where one cannot be drawn.
    """

    key: str
    recipe: Recipe
    draw: Draw | None
    good_key: str = ""
    failed: AugvizError | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What one run of the page works with: the state and the facts of its image, None where it cannot be opened."""

    state: Explore
    facts: ImageFacts | None

    @property
    def name(self) -> str:
        """What to call the image."""
        return self.facts.name if self.facts else self.state.source.name.rsplit("/", 1)[-1]
