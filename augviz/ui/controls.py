"""What an open card shows: the widgets of a step or a group, what is wrong with it, and how values are taken."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from augviz import catalog, edits
from augviz.advice import Case
from augviz.model import Caveat, Draw, Group, ImageFacts, Item, Problem, Step, Value
from augviz.ui import advised, held, number_entry, refresh, state, widgets
from augviz.ui.fields import Field, Take, is_default
from augviz.ui.page import boundary, escaped
from augviz.ui.scene import announce
from augviz.ui.state import Scene
from augviz.value_text import number_text, value_text


@st.fragment(key=refresh.CONTROLS)
@boundary()
def show(item_id: str, facts: ImageFacts | None, draw: Draw | None) -> None:
    """What an open card shows below its head, from the newest state: it can run again without the page."""
    scene = Scene(state.get(), facts)
    item = _as_entered(edits.find(scene.state.pipeline, item_id), scene)
    with st.container(gap="xsmall"):
        spec = catalog.group(item.group) if isinstance(item, Group) else catalog.transform(item.transform)
        st.caption(f"{summary(item)}  \n{escaped(spec.help)}")
        if isinstance(item, Group):
            advised.lines(item_id, scene.state.pipeline, facts, draw)
            _group_controls(item)
            _caveats(catalog.group(item.group).caveats)
        else:
            _step_controls(item, scene, draw)


def _as_entered(item: Item, scene: Scene) -> Item:
    """The item, with the arguments that were entered last even if they were refused."""
    refused = scene.state.refused
    return refused.step if refused and refused.step.id == item.id else item


def summary(item: Item) -> str:
    """One line: what differs from the library's defaults, and the probability."""
    if isinstance(item, Group):
        group = catalog.group(item.group)
        parts = [f"{len(item.steps)} step{'' if len(item.steps) == 1 else 's'}"]
        parts += [f"n {item.n if item.n is not None else 1}"] if group.has_n else []
        parts += ["without replacement"] if item.replace is False else []
        default_p = group.default_p
    else:
        changed = catalog.changed_args(item)
        parts = [f"{name} {value_text(value)}" for name, value in changed.items()] or ["defaults"]
        default_p = catalog.transform(item.transform).default_p
    p = default_p if item.p is None else item.p
    return " · ".join([*parts, f"p {number_text(float(p))}"]).replace("_", "\\_")


def _step_controls(step: Step, scene: Scene, draw: Draw | None) -> None:
    refused = scene.state.refused
    seen = Case(scene.state.pipeline, scene.facts, draw).seen(step)
    if refused and refused.step.id == step.id:
        _refused(refused.problems, seen)
    else:
        advised.lines(step.id, scene.state.pipeline, scene.facts, draw)
    spec = catalog.transform(step.transform)
    values = catalog.resolved_args(step)
    for param in spec.params:
        value = values.get(param.name, param.initial)
        key = f"explore.step.{step.id}.{param.name}"
        widgets.show(Field(param, value, key, seen, _taker(step.id, param.name, seen)))
    p = spec.default_p if step.p is None else step.p
    number_entry.probability(f"explore.step.{step.id}.p", p, _probability_taker(step.id, seen))
    _caveats(spec.caveats)


def _group_controls(group: Group) -> None:
    spec = catalog.group(group.group)
    key = f"explore.step.{group.id}"
    if spec.has_n:
        held.put(f"{key}.n", group.n if group.n is not None else 1)
        take = held.heard(f"{key}.n", _set_n, group.id)
        st.number_input("n :gray[:small[steps]]", 1, 99, value=None, key=f"{key}.n", on_change=take)
        held.put(f"{key}.replace", group.replace is not False)
        st.toggle(
            "replace",
            key=f"{key}.replace",
            help="Whether the same step can be chosen more than once.",
            on_change=held.heard(f"{key}.replace", _set_replace, group.id),
        )
    p = spec.default_p if group.p is None else group.p
    number_entry.probability(f"{key}.p", p, _probability_taker(group.id))


def _refused(problems: tuple[Problem, ...], facts: ImageFacts | None) -> None:
    """Why the entered arguments were not taken, and the two ways on."""
    for problem in problems:
        st.markdown(
            f":red[:material/block: :small[{escaped(problem.message)} The picture shows the last values that work.]]"
        )
    with st.container(horizontal=True, gap="small"):
        if any(problem.fix for problem in problems):
            st.button("Fix", key="explore.refused.fix", icon=":material/build:", on_click=_fix_refused, args=(facts,))
        st.button("Keep the last values", key="explore.refused.drop", on_click=_drop_refused)


def _drop_refused() -> None:
    """Forget the refused arguments."""
    state.change(refused=None)
    refresh.whole_page()


def _fix_refused(facts: ImageFacts | None) -> None:
    """Take the refused arguments with the catalogue's fixes."""
    refused = state.get().refused
    if refused is not None:
        _offer(catalog.mended(refused.step, facts), facts)


def _caveats(caveats: tuple[Caveat, ...]) -> None:
    """All of them in one element: each element costs the browser a few milliseconds at every change."""
    lines = []
    for caveat in caveats:
        number = f":gray-badge[{caveat.defect}] " if caveat.defect else ""
        lines.append(f"{number}{escaped(caveat.text)} {escaped(caveat.workaround)}")
    if lines:
        st.caption("\n\n".join(lines))


# Taking values


def _current(step_id: str) -> Step:
    """The step as last entered, refused or not."""
    now = state.get()
    if now.refused and now.refused.step.id == step_id:
        return now.refused.step
    step = edits.find(now.pipeline, step_id)
    assert isinstance(step, Step)
    return step


def _offer(step: Step, facts: ImageFacts | None) -> None:
    """Give a step's new arguments to the model, which takes them only if nothing is wrong with them."""
    before = state.get()
    state.take_step(step, catalog.problems(step, facts), edits.put(before.pipeline, step))
    announce()
    if _stays_in_card(before, state.get(), step):
        refresh.picture_and_controls()
    refresh.whole_page()


def _stays_in_card(before: state.Explore, after: state.Explore, step: Step) -> bool:
    """Whether a step's new arguments leave the rest of the page as it is: the other cards, undo and redo."""
    spec = catalog.transform(step.transform)
    if spec.changes_size or spec.family == "Format":  # the steps behind it get another image
        return False
    if before.refused or after.refused or edits.find(before.pipeline, step.id) == step:
        return False
    same_p = edits.find(before.pipeline, step.id).p == step.p
    return same_p and bool(before.past) and not before.future


def _taker(step_id: str, name: str, facts: ImageFacts | None) -> Take:
    def take(value: Value) -> None:
        step = _current(step_id)
        param = catalog.transform(step.transform).param(name)
        plain = is_default(param, value)
        _offer(step.without_args(name) if plain else step.with_args(**{name: value}), facts)

    return take


def _probability_taker(item_id: str, facts: ImageFacts | None = None) -> Take:
    def take(value: Value) -> None:
        now = state.get()
        item = now.refused.step if now.refused and now.refused.step.id == item_id else edits.find(now.pipeline, item_id)
        assert isinstance(value, int | float)
        changed = replace(item, p=float(value))
        if isinstance(changed, Step):
            _offer(changed, facts)
        else:
            state.edit(edits.put(now.pipeline, changed))
            refresh.whole_page()

    return take


def _set_n(group_id: str) -> None:
    group = edits.find(state.get().pipeline, group_id)
    n = st.session_state[f"explore.step.{group_id}.n"]
    if isinstance(group, Group) and n is not None:
        state.edit(edits.put(state.get().pipeline, replace(group, n=int(n))))
        refresh.whole_page()


def _set_replace(group_id: str) -> None:
    group = edits.find(state.get().pipeline, group_id)
    chosen = None if st.session_state[f"explore.step.{group_id}.replace"] else False
    if isinstance(group, Group):
        state.edit(edits.put(state.get().pipeline, replace(group, replace=chosen)))
        refresh.whole_page()
