"""The dialog that adds a step: every transform and group, by family or by words, each shown on the present image."""

from __future__ import annotations

from html import escape

import streamlit as st

from augviz import catalog, edits
from augviz.errors import AugvizError
from augviz.model import GroupSpec, Pipeline, Step, TransformSpec
from augviz.sources import SourceRef
from augviz.ui import desk, state
from augviz.ui.state import Scene

THUMB_SIDE_PX = 96
THUMB_SEED = 1
GROUPS = "Groups"


def button(scene: Scene, group_id: str | None, *, with_groups: bool = True) -> None:
    """The button that opens the dialog; at the end of a group it adds to the group.

    Args:
        with_groups: whether groups are offered too; not where the editor could not fill them.
    """
    key = "explore.add" if group_id is None else f"explore.add.{group_id}"
    if st.button(
        "Add step",
        key=key,
        icon=":material/add:",
        width="stretch" if group_id is None else "content",
        type="secondary" if group_id is None else "tertiary",
    ):
        _dialog(scene, group_id, with_groups)


@st.dialog("Add a step", width="large", icon=":material/add:")
def _dialog(scene: Scene, group_id: str | None, with_groups: bool) -> None:
    words = st.text_input(
        "Search",
        key="explore.picker.words",
        type="search",
        live="150ms",
        label_visibility="collapsed",
        placeholder="Search by name or by what it does",
    )
    families = [*catalog.FAMILIES, GROUPS] if with_groups else list(catalog.FAMILIES)
    family = st.pills("Family", families, key="explore.picker.family", label_visibility="collapsed", wrap=True)
    found = matching(words or "", family)
    if not with_groups:
        found = [spec for spec in found if isinstance(spec, TransformSpec)]
    if not found:
        st.caption("Nothing fits. Try fewer words, or another family.")
    with st.container(height=480, border=False):
        for row in found:
            if _row(row, scene, group_id):
                st.rerun()


def matching(words: str, family: str | None) -> list[TransformSpec | GroupSpec]:
    """Rows of the catalogue with all of `words` in their name, family or help; of one family if it is given."""

    def fits(spec: TransformSpec | GroupSpec) -> bool:
        kind = spec.family if isinstance(spec, TransformSpec) else GROUPS
        text = f"{spec.name} {kind} {spec.help}".lower()
        return family in (None, kind) and all(word in text for word in words.lower().split())

    rows: list[TransformSpec | GroupSpec] = [*catalog.TRANSFORMS.values(), *catalog.GROUPS.values()]
    return [spec for spec in rows if fits(spec)]


def _row(spec: TransformSpec | GroupSpec, scene: Scene, group_id: str | None) -> bool:
    unusable = spec.unusable if isinstance(spec, TransformSpec) else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False, border=False):
        if unusable:
            st.markdown(":gray[:material/block:]", width=2 * THUMB_SIDE_PX + 8, text_alignment="center")
        elif isinstance(spec, TransformSpec):
            st.html(_pictures(spec, scene), width=2 * THUMB_SIDE_PX + 8)
        else:
            st.markdown(":material/account_tree:", width=2 * THUMB_SIDE_PX + 8, text_alignment="center")
        with st.container(gap=None):
            st.markdown(f"**{spec.name}** {_badges(spec)}")
            st.caption(unusable or spec.help)
        return st.button(
            "Add",
            key=f"explore.picker.add.{spec.name}",
            icon=":material/add:",
            disabled=bool(unusable),
            on_click=state.later,
            args=(add, spec.name, scene, group_id),
        )


def _badges(spec: TransformSpec | GroupSpec) -> str:
    badges = [f":gray-badge[{spec.family if isinstance(spec, TransformSpec) else GROUPS}]"]
    if isinstance(spec, TransformSpec) and spec.unusable:
        badges.append(":red-badge[cannot be used]")
    elif count := sum(bool(caveat.defect) for caveat in spec.caveats):
        badges.append(f":orange-badge[{count} caveat{'' if count == 1 else 's'}]")
    return " ".join(badges)


def _pictures(spec: TransformSpec, scene: Scene) -> str:
    """The image before and after the transform alone, small; loaded only when they are scrolled into sight."""
    source, choice = scene.state.source, scene.state.pipeline.input
    step = catalog.initial_step(spec.name, "s1", scene.facts)
    pipelines = (Pipeline((), choice), Pipeline((Step(step.id, step.transform, step.args, p=1.0),), choice))
    texts = (scene.name, f"{scene.name} after {spec.name}")
    return "".join(_image(source, pipeline, text) for pipeline, text in zip(pipelines, texts, strict=True))


def _image(source: SourceRef, pipeline: Pipeline, text: str) -> str:
    try:
        address = desk.picture_address(source, pipeline, THUMB_SEED, side=THUMB_SIDE_PX)
    except AugvizError:
        return "<span></span>"
    size = f"width:{THUMB_SIDE_PX}px;height:64px;object-fit:contain;margin-right:4px"
    return f'<img loading="lazy" alt="{escape(text)}" src="{escape(address)}" style="{size}">'


def add(name: str, scene: Scene, group_id: str | None) -> None:
    """Add a transform or a group to the pipeline, where such a step belongs, or at the end of a group, and open it."""
    pipeline = state.get().pipeline
    if name in catalog.GROUPS:
        group = edits.new_group(pipeline, name, state.taken_number())
        state.edit(edits.add(pipeline, group, group_id), opened=group.id)
        return
    step = edits.new_step(pipeline, name, scene.facts, state.taken_number())
    state.edit(edits.add(pipeline, step, group_id), opened=step.id)
