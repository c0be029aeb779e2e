"""The pipeline as cards: switch, order, open and change steps and groups. Every change goes through `state.edit`."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from augviz import catalog, edits, presets
from augviz.model import Draw, Group, ImageFacts, Item, Pipeline, Step
from augviz.ui import advised, controls, held, import_dialog, picker, state
from augviz.ui.state import Scene

MAX_DEPTH = 2
"""Levels of groups that the editor shows as cards in cards; deeper ones are kept, and shown as one line."""

UP, DOWN, COPY, RESET, OUT, DELETE = (
    ":material/arrow_upward: Move up",
    ":material/arrow_downward: Move down",
    ":material/content_copy: Duplicate",
    ":material/restart_alt: Reset to defaults",
    ":material/logout: Move out of the group",
    ":material/delete: Delete",
)
INTO = ":material/login: Move into "


def show(scene: Scene, draw: Draw | None) -> None:
    """The head of the pipeline, its cards in a frame that scrolls, and the button that adds."""
    _head(scene)
    with st.container(key="explore.editor", height=420, border=False, gap="xsmall", autoscroll=False):
        if not scene.state.pipeline.steps:
            st.caption("No steps: the result is the image itself. Add a step, or choose a preset.")
        found = advised.by_item(scene.state.pipeline, scene.facts, draw)
        for item in scene.state.pipeline.steps:
            _card(item, scene, draw, found, depth=0)
        picker.button(scene, None)


def _head(scene: Scene) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.markdown("**Pipeline**", width="content")
        st.space("stretch")
        _presets()
        if st.button(
            "Import",
            key="explore.import",
            icon=":material/input:",
            help="Import a pipeline from Python code or JSON",
            type="tertiary",
        ):
            import_dialog.open_dialog()
        st.button(
            "Undo",
            key="explore.undo",
            icon=":material/undo:",
            help="Undo (Ctrl+Z)",
            type="tertiary",
            disabled=not (scene.state.past or scene.state.refused),
            on_click=state.later,
            args=(state.undo,),
            shortcut="Ctrl+Z",
        )
        st.button(
            "Redo",
            key="explore.redo",
            icon=":material/redo:",
            help="Redo (Ctrl+Y)",
            type="tertiary",
            disabled=not scene.state.future,
            on_click=state.later,
            args=(state.redo,),
            shortcut="Ctrl+Y",
        )


def _presets() -> None:
    popover = st.popover(
        "Presets", type="tertiary", icon=":material/auto_awesome_motion:", key="explore.presets", on_change="rerun"
    )
    if not popover.open:
        return
    with popover:
        for preset in presets.PRESETS:
            key = f"explore.preset.{preset.name}"
            st.button(preset.name, key=key, on_click=state.later, args=(take_preset, preset.pipeline), width="stretch")
            st.caption(preset.rationale)


def take_preset(pipeline: Pipeline) -> None:
    """Replace the steps by a preset's; what the pipeline is fed stays. The list closes, so that the picture can be seen."""
    st.session_state["explore.presets"] = False
    state.edit(replace(pipeline, input=state.get().pipeline.input), opened=None)


# One card


def _card(item: Item, scene: Scene, draw: Draw | None, found: advised.ByItem, depth: int) -> None:
    with st.container(border=True, gap=None, key=f"explore.card.{item.id}"):
        _card_head(item, scene, depth)
        if scene.state.opened == item.id:
            controls.show(item.id, scene.facts, draw)
        else:
            st.caption(controls.summary(item))
            advised.worst(found.get(item.id, ()))
        if isinstance(item, Group):
            _members(item, scene, draw, found, depth)


def _card_head(item: Item, scene: Scene, depth: int) -> None:
    name = item.group if isinstance(item, Group) else item.transform
    key = f"explore.step.{item.id}"
    opened = scene.state.opened == item.id
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        held.put(f"{key}.enabled", item.enabled)
        st.toggle(
            f"{name} is on",
            key=f"{key}.enabled",
            label_visibility="collapsed",
            on_change=held.heard(f"{key}.enabled", _switch, item.id),
        )
        st.button(
            f"**{name}**" if item.enabled else f":gray[{name}]",
            key=f"{key}.open",
            type="tertiary",
            icon=":material/expand_more:" if opened else ":material/chevron_right:",
            on_click=_open,
            args=(item.id,),
            width="stretch",
        )
        st.menu_button(
            f"Change {name}",
            _actions(item, scene.state.pipeline, depth),
            key=f"{key}.menu",
            icon=":material/more_vert:",
            type="tertiary",
            on_click=_chosen,
            args=(item.id, scene.facts),
        )


def _actions(item: Item, pipeline: Pipeline, depth: int) -> list[str]:
    level = edits.siblings(pipeline, item.id)
    places = [other.id for other in level]
    actions = [UP] if places[0] != item.id else []
    actions += [DOWN] if places[-1] != item.id else []
    actions += [COPY, RESET]
    room = depth + 1 < MAX_DEPTH or (isinstance(item, Step) and depth < MAX_DEPTH)
    if room:
        actions += [
            f"{INTO}{other.group} ({place + 1})"
            for place, other in enumerate(level)
            if isinstance(other, Group) and other.id != item.id
        ]
    if edits.parent(pipeline, item.id) is not None:
        actions.append(OUT)
    return [*actions, DELETE]


def _chosen(item_id: str, facts: ImageFacts | None) -> None:
    state.later(_act, item_id, st.session_state[f"explore.step.{item_id}.menu"], facts)


def _act(item_id: str, action: str | None, facts: ImageFacts | None) -> None:
    """Do what was chosen in the menu of an item."""
    pipeline = state.get().pipeline
    if all(item.id != item_id for item in edits.items(pipeline)):
        return  # it went with an earlier click
    if action == UP:
        state.edit(edits.move(pipeline, item_id, -1))
    elif action == DOWN:
        state.edit(edits.move(pipeline, item_id, 1))
    elif action == COPY:
        state.edit(edits.duplicate(pipeline, item_id, state.taken_number()))
    elif action == RESET:
        # Closed, since the browser keeps in a widget what was entered beyond its bounds, and sends none of it.
        state.edit(edits.reset(pipeline, item_id, facts), opened=None)
    elif action == OUT:
        state.edit(edits.move_out(pipeline, item_id))
    elif action == DELETE:
        state.edit(edits.remove(pipeline, item_id))
    elif action and action.startswith(INTO):
        place = int(action.rsplit("(", 1)[1].rstrip(")")) - 1
        state.edit(edits.move_into(pipeline, item_id, edits.siblings(pipeline, item_id)[place].id))


def _switch(item_id: str) -> None:
    item = edits.find(state.get().pipeline, item_id)
    on = bool(st.session_state[f"explore.step.{item_id}.enabled"])
    state.edit(edits.put(state.get().pipeline, replace(item, enabled=on)))


def _open(item_id: str) -> None:
    """Open an item's controls, or close them; one is open at a time."""
    state.change(opened=None if state.get().opened == item_id else item_id)


def _members(group: Group, scene: Scene, draw: Draw | None, found: advised.ByItem, depth: int) -> None:
    """The cards of a group's members; below the last level that the editor shows, their names in one line."""
    if depth >= MAX_DEPTH:
        st.caption(", ".join(m.group if isinstance(m, Group) else m.transform for m in group.steps) or "No steps")
        return
    for member in group.steps:
        _card(member, scene, draw, found, depth + 1)
    most = catalog.group(group.group).max_steps
    if most is None or len(group.steps) < most:
        picker.button(scene, group.id, with_groups=depth + 1 < MAX_DEPTH)
