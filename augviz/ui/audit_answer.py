"""What an audit has found, on the screen: sentences, tables, charts, downloads."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from augviz import audit_records, audit_report
from augviz.audit import Plan
from augviz.ui import memory_charts
from augviz.ui.page import escaped
from augviz.units import bytes_text, seconds_text

MAX_CASES = 100
FAILED_COLOUR, COLOUR = "#e03131", "#0b84a5"


def show(report: Mapping[str, Any]) -> None:
    """All of a report, also of a part of the audit."""
    _sentences(report)
    _failures(report)
    _values(report)
    _steps(report)
    _costs(report)


def _sentences(report: Mapping[str, Any]) -> None:
    images, draws, cost = report["images"], report["draws"], report["cost"]
    with st.container(horizontal=True):
        st.metric(
            "Images seen",
            f"{images['seen']} of {images['found']}",
            f"{report['share_seen']:.0%} of the data",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Draws that failed",
            f"{draws['failed']} of {draws['done']}",
            f"{images['failed']} images",
            delta_color="off",
            delta_arrow="off",
        )
        verdict = {True: "yes", False: "no", None: "unknown"}[report["batchable"]]
        st.metric("One shape and dtype", verdict, _shapes(report), delta_color="off", delta_arrow="off")
        if cost["seconds"]["count"]:
            st.metric(
                "Time of a draw",
                seconds_text(cost["seconds"]["median"]),
                f"99 % below {seconds_text(cost['seconds']['p99'])}",
                delta_color="off",
                delta_arrow="off",
            )
        if cost["peak_bytes"]["count"]:
            st.metric(
                "Memory of a draw",
                bytes_text(cost["peak_bytes"]["median"]),
                f"most {bytes_text(cost['peak_bytes']['most'])}",
                delta_color="off",
                delta_arrow="off",
            )
    shrunk = draws["done"] - draws["failed"] - draws["at_full_size"]
    if shrunk:
        st.caption(f"{shrunk} draws were shrunk: their standard deviations are lower than at full size.")


def _shapes(report: Mapping[str, Any]) -> str:
    shapes = report["shapes"]
    if not shapes:
        return "no result yet"
    first = f"{' × '.join(map(str, shapes[0]['shape']))} {shapes[0]['dtype']}"
    more = "100 or more" if report["shapes_not_listed"] else str(len(shapes))
    return first if len(shapes) == 1 else f"{more} different ones"


def _failures(report: Mapping[str, Any]) -> None:
    if not report["draws"]["failed"]:
        return
    for one in report["failed_at"]:
        st.error(f"{one['draws']} draws failed at {escaped(audit_report.step_name(one))}.", icon=":material/error:")
    rows = [
        {
            "image": one["image"],
            "draw": one["draw"],
            "seed": one["seed"],
            "what": one["error"],
            "command": one["command"],
        }
        for one in report["failures"]
    ]
    st.dataframe(rows, key="audit.failures", hide_index=True, height=min(300, 38 + 35 * len(rows)))
    if report["failures_not_listed"]:
        st.caption(f"And {report['failures_not_listed']} more, which the table as CSV has.")


def _values(report: Mapping[str, Any]) -> None:
    rows = []
    for key, name in (("before", "before"), ("into_normalize", "into Normalize"), ("after", "after")):
        for one in report[key]:
            for band in range(one["bands"]):
                figures = {figure: one[figure][band] for figure in ("mean", "std", "low", "high")}
                rows.append(
                    {"where": name, "format": one["format"], "images": one["images"], "band": band + 1, **figures}
                )
    if rows:
        which = "what goes into Normalize" if report["into_normalize"] else "what comes after"
        share = f"{report['share_seen']:.0%} of the data"
        st.markdown(f"**Values**, from {share}: mean and deviation of {which} are the numbers for Normalize")
        st.dataframe(rows, key="audit.values", hide_index=True)


def _steps(report: Mapping[str, Any]) -> None:
    rows = []
    for step in report["steps"]:
        clipped, crops = step["clipped"], step["background"]
        rows.append(
            {
                "step": f"{step['position']}. {step['transform']}",
                "applied": step["applied"],
                "lowest": step["low"],
                "highest": step["high"],
                "clipped": None if clipped is None else clipped["mean"],
                "clipped at most": None if clipped is None else clipped["most"],
                "near-empty crops": None if crops is None else step["near_empty_crops"],
            }
        )
    if not rows:
        return
    st.markdown("**Steps**")
    shares = {name: st.column_config.NumberColumn(format="percent") for name in ("clipped", "clipped at most")}
    st.dataframe(rows, key="audit.steps", hide_index=True, column_config=shares)


def _costs(report: Mapping[str, Any]) -> None:
    cost = report["cost"]
    with st.container(horizontal=True):
        for key, title, unit, factor in (
            ("seconds", "Time of a draw", "ms", 1000),
            ("peak_bytes", "Memory of a draw", "MB", 1e-6),
        ):
            if cost[key]["count"]:
                text = f"{title}: {cost[key]['count']} draws"
                figure = _histogram(cost[key]["bins"], title, unit, factor)
                st.plotly_chart(figure, key=f"audit.chart.{key}", config=memory_charts.config(f"audit-{key}"), alt=text)


def _histogram(bins: list[list[float]], title: str, unit: str, factor: float) -> go.Figure:
    """Counts of draws on a logarithmic axis."""
    known = [(low * factor, high * factor, count) for low, high, count in bins if high > 0]
    figure = go.Figure(
        go.Bar(
            x=[(low * high) ** 0.5 for low, high, _ in known],
            width=[high - low for low, high, _ in known],
            y=[count for _, _, count in known],
            marker={"color": COLOUR},
            hovertemplate=f"about %{{x:.3g}} {unit}: %{{y}} draws<extra></extra>",
        )
    )
    figure.update_layout(title=title, height=260, margin={"l": 40, "r": 10, "t": 40, "b": 40}, yaxis_title="draws")
    figure.update_xaxes(type="log", title=unit)
    return figure


def cases(report: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """What to look at in Explore: a label, and the image and the seed of its draw."""
    found: dict[str, tuple[str, int]] = {}
    for one in report["failures"][:MAX_CASES]:
        found[f"failed: {one['image']}, draw {one['draw']}"] = (one["image"], one["seed"])
    lists = (
        ("clipped", report["most_clipped"], lambda value: f"{value:.0%}"),
        ("background", report["emptiest_crops"], lambda value: f"{value:.1%}"),
        ("slow", report["cost"]["slowest"], seconds_text),
        ("large", report["cost"]["largest"], bytes_text),
    )
    for name, listed, text in lists:
        for one in listed:
            found[f"{name} {text(one['value'])}: {one['image']}, draw {one['draw']}"] = (one["image"], one["seed"])
    return found


def downloads(plan: Plan, report: Mapping[str, Any], records: Path) -> None:
    """The report and the table of all draws as files."""
    with st.container(horizontal=True):
        st.download_button(
            "JSON",
            lambda: json.dumps(report, indent=2, allow_nan=False),
            "audit.json",
            "application/json",
            key="audit.json",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "CSV",
            lambda: _csv(plan, records),
            "audit.csv",
            "text/csv",
            key="audit.csv",
            on_click="ignore",
            icon=":material/download:",
        )


def _csv(plan: Plan, records: Path) -> bytes:
    file = io.StringIO()
    audit_report.write_csv(
        audit_records.findings_of(records, plan), file, {one.name: one.title for one in plan.images if one.title}
    )
    return file.getvalue().encode(errors="backslashreplace")
