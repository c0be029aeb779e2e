"""The page Transforms: the catalogue as a table to be searched. A row opens its transform, which the address then names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from augviz import calibration, catalog, works
from augviz.calibration import Calibration
from augviz.errors import PipelineError
from augviz.model import TransformSpec
from augviz.ui import calibrate, transform_page
from augviz.ui.page import escaped
from augviz.ui.transform_page import caveats

PARAMETER = "transform"
"""Names the opened transform in the address."""

TABLE = "transforms.table"

LEGEND = (
    "✓ as on 8-bit RGB · → gives another format or number of bands · = unchanged · ✗ raises, or is wrong · "
    "! alpha is processed as a colour, or filled"
)

KINDS = {"16 bit": "rgb16", "Gray": "gray8", "Alpha": "alpha4", "Float": "float"}
"""Columns of the table, by the kind of image that the survey gave."""


def show() -> None:
    """The transform that the address names, or search and table."""
    name = st.query_params.get(PARAMETER, "")
    if name in catalog.TRANSFORMS:
        transform_page.show(catalog.TRANSFORMS[name], close)
        return
    st.title("Transforms")
    if name in catalog.GROUPS:
        st.info(f"{name} is a group; what is known of it is opened below the table.", icon=":material/account_tree:")
    elif name:
        _unknown(name)
    _catalogue(calibration.load())
    _groups(name)


def open_transform(name: str) -> None:
    """Show one transform, and let the address name it."""
    st.query_params[PARAMETER] = name


def close() -> None:
    """Show the table again."""
    st.query_params.pop(PARAMETER, None)


def _unknown(name: str) -> None:
    try:
        catalog.transform(name)
    except PipelineError as error:
        st.error(escaped(str(error)), icon=":material/error:")


def _catalogue(costs: Calibration | None) -> None:
    st.caption(
        f"What albumentationsxl {works.stored().albumentationsxl} offers: {len(catalog.TRANSFORMS)} transforms, "
        f"{len(catalog.GROUPS)} groups. Choose a row to see all that is known of it."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        words = st.text_input(
            "Search",
            key="transforms.words",
            type="search",
            live="150ms",
            label_visibility="collapsed",
            placeholder="Search everything: a name, a parameter, an outcome, a defect (D9)",
            persist_state="session",
        )
        family = st.pills(
            "Family", catalog.FAMILIES, key="transforms.family", label_visibility="collapsed", persist_state="session"
        )
    found = matching(words or "", family)
    if not found:
        st.caption("Nothing fits. Try fewer words, or another family.")
        return
    rows = [row(spec, costs) for spec in found]
    st.dataframe(
        rows,
        key=TABLE,
        hide_index=True,
        on_select=_opener([spec.name for spec in found]),
        selection_mode=["single-row", "single-cell"],  # a click anywhere in a row opens it
        height="content" if len(rows) < 12 else 420,
        row_height=30,
        column_config=_columns(costs),
        alt="The transforms of the library with family, targets, cost, truth of previews, and what works on which image",
    )
    st.caption(LEGEND)
    calibrate.show(costs)


def cost_column(costs: Calibration | None) -> str:
    """The name of the column of costs says whose they are."""
    return "ms/MP here" if costs else "ms/MP"


def _columns(costs: Calibration | None) -> dict[str, Any]:
    column = st.column_config
    whose = costs.about() if costs else "The catalogue's figures, of another machine; they can be measured on this one."
    widths = {"16 bit": 79, "Gray": 76, "Alpha": 80, "Float": 74}
    kinds = {name: column.TextColumn(width=widths[name], help=_kind_help(name), pinned=False) for name in KINDS}
    return {
        "Transform": column.TextColumn(width=158, pinned=True),
        "Family": column.TextColumn(width=106),
        "Targets": column.TextColumn(
            width=110,
            help="What follows the image, or rightly stays, through A.Compose; bounding boxes never do (D7)",
        ),
        "Lazy": column.TextColumn(width=42, help="Whether a call evaluates no pixels"),
        cost_column(costs): column.NumberColumn(
            width=72 if costs else 56, format="%.3g", help=f"CPU milliseconds per input megapixel, 8-bit RGB. {whose}"
        ),
        "Preview": column.TextColumn(width=78, help="What a preview smaller than the result can at best be"),
        **kinds,
        "Caveats": column.TextColumn(width=90, help="Numbers of the library's defects; a row tells them in words"),
        "What it does": column.TextColumn(width=300),
    }


def _kind_help(name: str) -> str:
    kinds = {
        "16 bit": "What it does to 16-bit RGB (uint16)",
        "Gray": "What it does to one band, 8 bit",
        "Alpha": "What it does to 8-bit RGB with an alpha band",
        "Float": "What it does to float32 RGB from 0 to 1",
    }
    return f"{kinds[name]}, with the arguments that the editor begins with. {LEGEND}"


def _opener(names: list[str]) -> Callable[[], None]:
    """What a click on a row does; the rows are those that were shown."""

    def opened() -> None:
        selection = st.session_state[TABLE]["selection"]
        rows = [*selection["rows"], *(row for row, _column in selection["cells"])]
        if rows and rows[0] < len(names):
            open_transform(names[rows[0]])

    return opened


def matching(words: str, family: str | None) -> list[TransformSpec]:
    """Rows with all of `words` anywhere in what is known of them; of one family if it is given."""
    wanted = words.lower().split()
    specs = (spec for spec in catalog.TRANSFORMS.values() if family in (None, spec.family))
    return [spec for spec in specs if all(word in _text(spec) for word in wanted)]


def _text(spec: TransformSpec) -> str:
    """All that is known of a transform, in small letters."""
    cells = (str(cell) for cell in row(spec).values())
    params = (f"{p.name} {p.unit} {p.help} {' '.join(p.choices)}" for p in spec.params)
    told = (f"{c.defect} {c.text} {c.workaround}" for c in spec.caveats)
    survey = works.stored().surveys.get(spec.name)
    found = (f"{works.INPUTS[kind].title} {o.sentence()}" for kind, o in survey.inputs.items()) if survey else ()
    return " ".join([*cells, *params, *told, *found]).lower()


def row(spec: TransformSpec, costs: Calibration | None = None) -> dict[str, object]:
    """One row of the table."""
    survey = works.stored().surveys.get(spec.name)
    measured = costs.cost(spec.name) if costs else None
    return {
        "Transform": spec.name,
        "Family": spec.family,
        "Targets": ", ".join(targets(spec)),
        "Lazy": "–" if survey is None else "yes" if survey.is_lazy else "no",
        cost_column(costs): measured.cpu_ms if measured else None if costs else spec.cost_ms_per_megapixel,
        "Preview": spec.truth.value,
        **{name: survey.inputs[kind].word() if survey else "–" for name, kind in KINDS.items()},
        "Caveats": "cannot be used"
        if spec.unusable
        else ", ".join(dict.fromkeys(c.defect for c in spec.caveats if c.defect)),
        "What it does": spec.help,
    }


def targets(spec: TransformSpec) -> tuple[str, ...]:
    """What works beside the image through A.Compose, by the survey."""
    survey = works.stored().surveys.get(spec.name)
    followed = (survey.targets or {}) if survey else {}
    return tuple(name for name in ("mask", "keypoints", "bboxes") if name in followed and followed[name].works)


def _groups(opened: str) -> None:
    st.subheader("Groups")
    for group in catalog.GROUPS.values():
        with st.expander(f"**{group.name}**: {group.help}", expanded=group.name == opened):
            st.markdown("  \n".join(transform_page.again_lines(works.stored().surveys.get(group.name))))
            caveats(group.caveats)
    st.subheader("The library as a whole")
    caveats(catalog.GENERAL_CAVEATS)
