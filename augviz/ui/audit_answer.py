"""What an audit has found, on the screen: sentences, tables, charts, downloads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from augviz import audit_report, catalog
from augviz.audit_jobs import AuditJob
from augviz.ui import audit_charts, desk, memory_charts
from augviz.ui.page import escaped
from augviz.units import bytes_text, counted, seconds_text

MAX_CASES = 100
MANY_ROWS = 8
"""Tables with fewer are shown whole."""

AGAIN = "audit.again"
"""The click on a failure's button, in the session."""

OPEN = "Open"

Again = Callable[[str, int], None]
"""Has Explore show a draw: the title of its image, and its seed."""


def show(report: Mapping[str, Any], again: Again | None = None) -> None:
    """All of a report, also of a part of the audit.

    Args:
        again: what the button beside a failure does; None offers none, as while rows still come between the others.
    """
    _sentences(report)
    _failures(report, again)
    _values(report)
    _kinds(report)
    _steps(report)
    _costs(report)


def _sentences(report: Mapping[str, Any]) -> None:
    images, draws, cost = report["images"], report["draws"], report["cost"]
    with st.container(horizontal=True):
        st.metric(
            "Images seen",
            f"{images['seen']} of {images['found']}",
            f"{images['measured']} in the numbers",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Draws that failed",
            f"{draws['failed']} of {draws['done']}",
            counted(images["failed"], "image"),
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
        were = "1 draw was shrunk: its" if shrunk == 1 else f"{shrunk} draws were shrunk: their"
        st.caption(f"{were} standard deviations may be lower than at full size.")


def _shapes(report: Mapping[str, Any]) -> str:
    shapes = report["shapes"]
    if not shapes:
        return "no result yet"
    first = f"{' × '.join(map(str, shapes[0]['shape']))} {shapes[0]['dtype']}"
    more = "100 or more" if report["shapes_not_listed"] else str(len(shapes))
    return first if len(shapes) == 1 else f"{more} different ones"


def _failures(report: Mapping[str, Any], again: Again | None) -> None:
    failures, draws = report["failures"], report["draws"]
    if not draws["failed"]:
        return
    st.error(
        escaped(f"{draws['failed']} of {counted(draws['done'], 'draw')} failed: {_places(report)}."),
        icon=":material/error:",
    )
    rows = [{"image": one["image"], "draw": one["draw"], "seed": one["seed"], "what": one["error"]} for one in failures]
    columns: dict[str, Any] = {"what": st.column_config.TextColumn(width=470)}
    if again is not None:
        rows = [{"open": OPEN, **row} for row in rows]
        columns["open"] = st.column_config.ButtonColumn(
            "",
            type="secondary",
            pinned=True,
            help="Shows this draw in Explore: its image, the pipeline, its seed.",
            on_click=_chosen,
            args=(again, failures),
            key=AGAIN,
        )
    if any(one["command"] for one in failures):
        rows = [{**row, "command": one["command"]} for row, one in zip(rows, failures, strict=True)]
        columns["command"] = st.column_config.TextColumn(
            width=180,
            help="Makes this draw again on a terminal; PIPELINE is the pipeline's file, which Explore has under Code.",
        )
    _table(
        "failures",
        rows,
        height="content" if len(rows) < MANY_ROWS else 300,
        column_config=columns,
        alt="The draws that failed, with their image, seed and error",
    )
    if report["failures_not_listed"]:
        st.caption(f"And {report['failures_not_listed']} more, which the table as CSV has.")


def _places(report: Mapping[str, Any]) -> str:
    """How many draws failed where, most first."""
    places = sorted(report["failed_at"], key=lambda one: -int(one["draws"]))
    return ", ".join(f"{one['draws']} at {audit_report.step_name(one)}" for one in places)


def _chosen(again: Again, failures: Sequence[Mapping[str, Any]]) -> None:
    """The button of a row was clicked."""
    one = failures[st.session_state[AGAIN]["row"]]
    again(one["image"], one["seed"])


def _values(report: Mapping[str, Any]) -> None:
    rows = []
    for key, name in (("before", "before"), ("into_normalize", "into Normalize"), ("after", "after")):
        for one in report[key]:
            for band in range(one["bands"]):
                figures = {figure: one[figure][band] for figure in ("mean", "std", "low", "high")}
                rows.append(
                    {"where": name, "format": one["format"], "images": one["images"], "band": band + 1, **figures}
                )
    if not rows:
        return
    which = "what goes into Normalize" if report["into_normalize"] else "what comes after"
    images = report["images"]
    share = f"{images['measured']} of {counted(images['found'], 'image')}"
    st.markdown(f"**Values**, from {share}: mean and deviation of {which} are the numbers for Normalize")
    if lines := normalize_lines(report):
        st.code("\n".join(lines), language="python")
    _table("values", rows, height="content", alt="Mean, deviation and range of each band")
    if report["unreal"]:
        hold = "1 result holds" if report["unreal"] == 1 else f"{report['unreal']} results hold"
        st.warning(f"{hold} values that are no finite numbers.", icon=":material/warning:")


def _table(name: str, rows: list[dict[str, Any]], **how: Any) -> None:
    """Streamlit 1.67 gives a table's key to its element only where rows can be selected; a container has its own."""
    with st.container(key=f"audit.{name}"):
        st.dataframe(rows, key=f"audit.{name}.table", hide_index=True, **how)


def normalize_lines(report: Mapping[str, Any]) -> list[str]:
    """Normalize with the numbers found, for each kind of image that it would be given; what has no deviation has none."""
    found = []
    kinds = report["into_normalize"] or report["after"]
    least, _ = catalog.bounds(catalog.transform("Normalize").param("std"), None)
    for one in kinds:
        if all(std is not None and least is not None and std >= least for std in one["std"]):
            mean, std = ([round(value, 4) for value in one[key]] for key in ("mean", "std"))
            note = f"  # {counted(one['images'], 'draw')} of {one['bands']} x {one['format']}" if len(kinds) > 1 else ""
            found.append(f"A.Normalize(mean={mean}, std={std}){note}")
    return found


def _kinds(report: Mapping[str, Any]) -> None:
    """The shapes and dtypes of results that cannot be stacked."""
    if report["batchable"] is not False:
        return
    st.markdown("**Results** differ, and cannot be stacked to a batch")
    rows = [
        {"shape": " × ".join(map(str, one["shape"])), "dtype": one["dtype"], "draws": one["draws"]}
        for one in report["shapes"]
    ]
    _table(
        "shapes",
        rows,
        height="content" if len(rows) < MANY_ROWS else 300,
        alt="The shapes of results and how many draws have them",
    )
    if report["shapes_not_listed"]:
        st.caption(f"And {counted(report['shapes_not_listed'], 'draw')} of other shapes.")


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
                "clipping draws": None if clipped is None else step["clipping_draws"],
                "near-empty crops": None if crops is None else step["near_empty_crops"],
            }
        )
    if not rows:
        return
    st.markdown("**Steps**")
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="percent") for name in ("clipped", "clipped at most")
    }
    columns["clipping draws"] = st.column_config.NumberColumn(help="Draws of which more than 1 % is clipped.")
    _table(
        "steps",
        rows,
        height="content",
        column_config=columns,
        placeholder="–",
        alt="Each step's range of values, clipping and near-empty crops",
    )


def _costs(report: Mapping[str, Any]) -> None:
    cost = report["cost"]
    with st.container(horizontal=True):
        for key, title, say in (
            ("seconds", "Time of a draw", seconds_text),
            ("peak_bytes", "Memory of a draw", bytes_text),
        ):
            one = cost[key]
            if one["count"]:
                text = f"{title}: {counted(one['count'], 'draw')}, median {say(one['median'])}, most {say(one['most'])}"
                figure = audit_charts.histogram(one, title, say)
                st.plotly_chart(figure, key=f"audit.chart.{key}", config=memory_charts.config(f"audit-{key}"), alt=text)


def cases(report: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """What to look at in Explore: a label, and the image and the seed of its draw."""
    found: dict[str, tuple[str, int]] = {}
    for one in [one for one in report["failures"] if not one["image"].endswith("/")][:MAX_CASES]:
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


def downloads(job: AuditJob) -> None:
    """The report and the table of all draws as files; another visitor of the same audit may have begun it from scratch."""
    report, is_there = job.report, job.records.exists()
    with st.container(horizontal=True, width="content", gap="small"):
        st.download_button(
            "JSON",
            lambda: json.dumps(report, indent=2, allow_nan=False),
            "audit.json",
            "application/json",
            key="audit.json",
            on_click="ignore",
            icon=":material/download:",
        )
        st.link_button(
            "CSV",
            f"{desk.base_address()}audit/{job.id}.csv",
            key="audit.csv",
            icon=":material/download:",
            disabled=not is_there,
            help=None
            if is_there
            else "Its draws have been forgotten on this server; audit once more to have the table.",
        )
