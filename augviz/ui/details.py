"""Below the picture: what was drawn, what the values became, the code, and files. Each part only works when it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from augviz import catalog, checks, draw_text, edits, export, saved
from augviz.errors import ArgumentError, AugvizError
from augviz.model import DTYPES, Draw, DrawnLeaf, Header
from augviz.ui import advised, desk, save_tab, viewer
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.units import seconds_text
from augviz.value_text import number_text, value_text

BAND_COLOURS = ("#e5484d", "#30a46c", "#0090ff")
"""Red, green and blue that can be told apart on light and dark."""

COMPOSE, DATASET, DRAW, JSON = "Pipeline", "Dataset module", "This draw", "JSON"
"""The forms in which the pipeline, or the shown draw of it, is taken away."""


def show(scene: Scene, shown: Shown) -> None:
    """The tabs; the body of a closed one is not run."""
    drawn, advice, values, code, save = st.tabs(
        ["Drawn values", "Advice", "Values and histogram", "Code", "Save"], key="explore.details", on_change="rerun"
    )
    if drawn.open:
        with drawn:
            _drawn_values(scene, shown)
    if advice.open:
        with advice:
            advised.show(scene, shown)
    if values.open:
        with values:
            _values(shown)
    if code.open:
        with code:
            _code(scene, shown)
    if save.open:
        with save:
            save_tab.show(scene, shown)
    with st.container(key="explore.key"):
        st.caption(f"Recipe {shown.key}")


# Drawn values


def _drawn_values(scene: Scene, shown: Shown) -> None:
    draw = shown.draw
    if shown.failed is not None:
        said = viewer.reason_of(scene, shown) or str(shown.failed)
        st.markdown(f":red[:material/error:] {escaped('S' + said[1:] if said.startswith('step ') else said)}")
    if draw is not None and draw.leaves:
        with st.container(key="explore.drawn"):
            st.html(drawn_table(draw, scene))
    elif shown.failed is None:
        st.caption("No steps: nothing is drawn, the result is the image itself.")


def drawn_table(draw: Draw, scene: Scene) -> str:
    """The table as one element: as a Streamlit table every cell would be rendered as Markdown at every change."""
    rows = [drawn_row(leaf, scene) for leaf in draw.leaves]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    lines = []
    for leaf, row in zip(draw.leaves, rows, strict=True):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row.values())
        lines.append(f"<tr>{cells}</tr>" if leaf.applied else f'<tr class="idle">{cells}</tr>')
    body = "".join(lines)
    label = f"What each step drew with seed {draw.seed}"
    return f'<table aria-label="{label}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def drawn_row(leaf: DrawnLeaf, scene: Scene) -> dict[str, str]:
    """One row of the table of drawn values: what happened, the value, and the range that it was drawn from."""
    happened = "applied" if leaf.applied else "skipped" if leaf.enabled else "off"
    return {
        "Step": f"{leaf.position} {leaf.transform}",
        "": happened,
        "Drawn": drawn_text(leaf.values) if leaf.applied else "–",
        "From": _ranges(leaf, scene),
        "Size": size_change(leaf.before, leaf.after) if leaf.applied else "–",
    }


def drawn_text(values: Mapping[str, Any]) -> str:
    """The drawn values in a line; long lists by their length and beginning."""
    if set(values) == {"times", "each"}:
        return f"{values['times']} times: " + "; ".join(drawn_text(each) for each in values["each"])
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items()) or "nothing to draw"


def _value(value: Any) -> str:
    if isinstance(value, list) and len(value) > 4:
        return f"{len(value)} values: {_value(value[:2])} …"
    if isinstance(value, list):
        return "(" + ", ".join(_value(v) for v in value) + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return value_text(value)


def _ranges(leaf: DrawnLeaf, scene: Scene) -> str:
    """The step's ranges: the arguments that hold more than one possible value."""
    step = edits.find(scene.state.pipeline, leaf.id)
    spec, args = catalog.transform(leaf.transform), catalog.resolved_args(step)  # type: ignore[arg-type]
    parts = []
    for param in spec.params:
        found = checks.pairs(param, args.get(param.name)) if param.kind.value.endswith("range") else ()
        if found:
            text = ", ".join(value_text(pair) for pair in found)
            parts.append(f"{param.name} {text} {param.unit}".strip())
    return ", ".join(parts) or "–"


def size_change(before: Header, after: Header) -> str:
    """`512 × 512 → 586 × 586`, and the format if it changes as well."""
    old, new = viewer.shape_text(before), viewer.shape_text(after)
    return old if old == new else f"{old} → {new}"


# Values and histogram


def _values(shown: Shown) -> None:
    draw = shown.draw
    if draw is None or shown.failed is not None:
        st.caption("No values: a step cannot be drawn for this image.")
        return
    try:
        with st.spinner("Making each step's result"):
            report = desk.report_of(shown.recipe)
    except AugvizError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.markdown(f":small[{clipped_text(report, draw)}]")
    before, after = st.columns(2)
    with before:
        chart("Before", report["histogram"]["before"], draw.source.format, "explore.histogram.Before")
    with after:
        chart("After", report["histogram"]["after"], draw.result.format, "explore.histogram.After")
    rows = [step_row(step) for step in report["steps"]]
    if rows:
        st.table(rows, hide_index=True, border="horizontal", alt="Time and values of each step at preview scale")
    total = seconds_text(report["total_seconds"])
    st.caption(f"Measured at preview scale (1/{number_text(float(report['scale']))}): {total} for all steps.")


def clipped_text(report: Mapping[str, Any], draw: Draw) -> str:
    """Range of the result's values, and the share of them at the ends of its format."""
    after = report["histogram"]["after"]
    if after["low"] is None:
        return "The result has no finite values."
    steps = report["steps"]
    low, high = (steps[-1]["low"], steps[-1]["high"]) if steps else (None, None)
    sentence = ""
    if low is not None and high is not None:
        sentence = f"The result holds values from **{_value(low)}** to **{_value(high)}**. "
        if low < 0 or high > 255:
            sentence += ":orange[They leave the range from 0 to 255 that 8 bit can show.] "
    clipped = report["clipped"]["after"]
    if clipped is None:
        dtype = DTYPES.get(draw.result.format, draw.result.format)
        return f"{sentence}Nothing is clipped in {dtype}."
    return f"{sentence}Clipped: {clipped['low']:.1%} of the values are at the lowest, {clipped['high']:.1%} at the highest."


def step_row(step: Mapping[str, Any]) -> dict[str, str]:
    """One row of the table of steps."""
    header = Header(step["width"], step["height"], step["bands"], step["format"])
    known = step["low"] is not None
    return {
        "Step": f"{step['position']} {step['transform']}",
        "Time": seconds_text(step["seconds"]),
        "Result at full size": viewer.shape_text(header),
        "Values": f"{_value(step['low'])} … {_value(step['high'])}" if known else "unknown",
    }


def chart(title: str, histogram: Mapping[str, Any], pixel_format: str, key: str) -> None:
    """A histogram of `report.histogram`, a line for each band.

    Args:
        pixel_format: libvips' name of the values' format.
        key: of the chart.
    """
    counts = histogram["counts"]
    if not counts:
        st.caption(f"{title}: no finite values.")
        return
    low, high = histogram["low"], histogram["high"]
    width = (high - low) / len(counts[0]) or 1
    positions = [low + (i + 0.5) * width for i in range(len(counts[0]))]
    figure = go.Figure()
    for band, values in enumerate(counts):
        colour = BAND_COLOURS[band] if len(counts) in (3, 4) and band < 3 else None
        figure.add_scatter(
            x=positions, y=values, mode="lines", name=f"band {band + 1}", line={"width": 1.5, "color": colour}
        )
    figure.update_layout(
        title={"text": f"{title}, {DTYPES.get(pixel_format, pixel_format)}", "font": {"size": 14}},
        height=190,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        showlegend=len(counts) > 1,
        legend={"orientation": "h", "y": 1.15, "x": 1, "xanchor": "right"},
        xaxis_title="value",
        yaxis_title="pixels",
    )
    text = f"Histogram {title.lower()}: {len(counts)} bands, values from {_value(low)} to {_value(high)}"
    st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=text)


# Code


def _code(scene: Scene, shown: Shown) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        forms = [COMPOSE, DATASET, DRAW, JSON]
        kind = st.segmented_control(
            "Code", forms, key="explore.code", default=COMPOSE, required=True, label_visibility="collapsed"
        )
        try:
            file_name, text = code_of(kind or COMPOSE, scene, shown)
        except AugvizError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.download_button(
            "Download",
            text,
            file_name=file_name,
            mime="application/json" if kind == JSON else "text/x-python",
            key="explore.download",
            icon=":material/download:",
            on_click="ignore",
        )
    st.code(text, language="json" if kind == JSON else "python", line_numbers=True, wrap_lines=False)


def code_of(kind: str, scene: Scene, shown: Shown) -> tuple[str, str]:
    """Name and text of the file that a form is taken away as. Raises AugvizError where there is no such text."""
    pipeline = edits.complete(scene.state.pipeline)
    if kind == COMPOSE:
        return "transform.py", export.compose(pipeline, advised.remarks_on(scene, shown))
    if kind == DATASET:
        return "dataset.py", export.dataset(pipeline, scene.facts, advised.remarks_on(scene, shown))
    if kind == JSON:
        return "pipeline.json", saved.dumps(pipeline) + "\n"
    if shown.failed is not None or shown.draw is None:
        raise shown.failed or ArgumentError("There is no draw of this pipeline for this image.")
    drawn = saved.loads(shown.recipe.pipeline)
    return f"draw_{shown.draw.seed}.py", draw_text.draw(drawn, shown.draw, scene.name, scene.facts)
