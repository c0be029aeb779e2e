"""The page Transforms: the catalogue as a table, and everything that is known of the row that is chosen."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from augviz import catalog
from augviz.errors import AugvizError
from augviz.model import REQUIRED, Caveat, ImageFacts, ParamSpec, TransformSpec
from augviz.ui import desk, picker, state, widgets
from augviz.ui.page import escaped
from augviz.ui.state import Scene

EXPLORE = Path(__file__).resolve().parents[2] / "pages" / "explore.py"


def show() -> None:
    """Search, table, and the chosen transform below it."""
    st.title("Transforms")
    st.caption(f"What albumentationsxl offers: {len(catalog.TRANSFORMS)} transforms, {len(catalog.GROUPS)} groups.")
    with st.container(horizontal=True, vertical_alignment="center"):
        words = st.text_input(
            "Search",
            key="transforms.words",
            type="search",
            live="150ms",
            label_visibility="collapsed",
            placeholder="Search by name, by what it does, or by defect (D9)",
            persist_state="session",
        )
        family = st.pills(
            "Family", catalog.FAMILIES, key="transforms.family", label_visibility="collapsed", persist_state="session"
        )
    found = matching(words or "", family)
    chosen = st.dataframe(
        [row(spec) for spec in found],
        key="transforms.table",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "ms/MP": st.column_config.NumberColumn(format="%.4g", help="CPU milliseconds per input megapixel"),
            "Lazy": st.column_config.CheckboxColumn(help="Evaluates no pixels when it is called"),
            "Changes size": st.column_config.CheckboxColumn(),
            "What it does": st.column_config.TextColumn(width="large"),
        },
        alt="The transforms of the library with their family, targets, cost and caveats",
    )
    rows = chosen["selection"]["rows"]
    if rows and rows[0] < len(found):
        _details(found[rows[0]])
    elif not found:
        st.caption("Nothing fits. Try fewer words, or another family.")
    else:
        st.caption("Choose a row to see its parameters and what is to be known of it.")
    _groups()


def matching(words: str, family: str | None) -> list[TransformSpec]:
    """Rows with all of `words` in their name, help or caveats; of one family if it is given."""

    def fits(spec: TransformSpec) -> bool:
        text = " ".join([spec.name, spec.family, spec.help, *(f"{c.defect} {c.text}" for c in spec.caveats)]).lower()
        return family in (None, spec.family) and all(word in text for word in words.lower().split())

    return [spec for spec in catalog.TRANSFORMS.values() if fits(spec)]


def row(spec: TransformSpec) -> dict[str, object]:
    """One row of the table."""
    return {
        "Transform": spec.name,
        "Family": spec.family,
        "What it does": spec.help,
        "Targets": ", ".join(spec.targets),
        "Lazy": spec.lazy,
        "ms/MP": spec.cost_ms_per_megapixel,
        "Preview": spec.truth.value,
        "Changes size": spec.changes_size,
        "Caveats": "cannot be used" if spec.unusable else ", ".join(c.defect for c in spec.caveats if c.defect),
    }


def _details(spec: TransformSpec) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(spec.name, width="content")
        if not spec.unusable and st.button("Add to pipeline", key="transforms.add", icon=":material/add:"):
            picker.add(spec.name, Scene(state.get(), _facts()), None)
            st.switch_page(EXPLORE)
    st.markdown(spec.help)
    if spec.unusable:
        st.error(spec.unusable, icon=":material/block:")
    if spec.params:
        st.table([param_row(p) for p in spec.params], hide_index=True, border="horizontal")
    else:
        st.caption("It has no parameters but p.")
    st.caption(f"p is {spec.default_p:g} if it is not given.")
    caveats(spec.caveats)


def _facts() -> ImageFacts | None:
    """The facts of the image that Explore shows, for arguments that depend on it; None where it cannot be opened."""
    now = state.get()
    try:
        return desk.facts_of(now.source, now.pipeline.input)
    except AugvizError:
        return None


def param_row(param: ParamSpec) -> dict[str, str]:
    """One parameter: kind, default, what it may be, unit, help."""
    low, high = (widgets.number_text(v) if v is not None else "" for v in (param.min_value, param.max_value))
    bounds = f"{low or '…'} to {high or '…'}" if low or high else ""
    if param.bounded_by is not None:
        bounds = f"{low or '…'} to the image's {param.bounded_by.value}"
    default = "required" if param.default is REQUIRED else widgets.value_text(param.default)
    return {
        "Parameter": f"`{param.name}`",
        "Kind": param.kind.value + (", or none" if param.optional else ""),
        "Default": default,
        "Range": ", ".join(param.choices) or bounds or "any",
        "Unit": param.unit or "–",
        "What it does": escaped(param.help),
    }


def caveats(found: tuple[Caveat, ...]) -> None:
    """Each caveat with the number of its defect and its workaround."""
    for caveat in found:
        number = f":orange-badge[{caveat.defect}] " if caveat.defect else ""
        workaround = f"  \n:material/build: {escaped(caveat.workaround)}" if caveat.workaround else ""
        st.markdown(f"{number}{escaped(caveat.text)}{workaround}")


def _groups() -> None:
    st.subheader("Groups")
    for group in catalog.GROUPS.values():
        with st.expander(f"**{group.name}**: {group.help}"):
            caveats(group.caveats)
    st.subheader("The library as a whole")
    caveats(catalog.GENERAL_CAVEATS)
