"""The heat map of Memory: which batch sizes and numbers of workers fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import plotly.graph_objects as go

from augviz import memory
from augviz.ui import memory_ticks
from augviz.ui.memory_answers import Case
from augviz.units import counted

FITS, GPU_ONLY, NEITHER = 0, 1, 2
CELL_COLOURS = ("#1971c2", "#868e96", "#d9580d")
"""Fits; the GPU is too small; the memory is too small."""

WORKERS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)
BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def rows(case: Case) -> list[dict[str, object]]:
    """Bytes on the host and the device for each batch and number of workers, and whether they fit."""
    found_rows: list[dict[str, object]] = []
    for batch in sorted({*BATCHES, case.plan.batch}):
        for workers in sorted({*WORKERS, case.plan.workers}):
            found = case.verdict(replace(case.plan, batch=batch, workers=workers))
            row: dict[str, object] = {"Batch": batch, "Workers": workers, "Host bytes": found.host_bytes}
            if case.device is not None:
                row["GPU bytes"] = found.device_bytes
            found_rows.append({**row, "Fits": _words(_state(case, found), case)})
    return found_rows


def chart(case: Case) -> go.Figure:
    """A heat map of batch by workers: how much memory, and whether it fits. The plan as it is has a frame."""
    unit = case.unit
    batches, workers = sorted({*BATCHES, case.plan.batch}), sorted({*WORKERS, case.plan.workers})
    states, texts, hovers = [], [], []
    for batch in batches:
        found = [case.verdict(replace(case.plan, batch=batch, workers=count)) for count in workers]
        states.append([_state(case, each) for each in found])
        texts.append([memory_ticks.short(each.host_bytes, unit) for each in found])
        hovers.append([_cell(case, batch, count, each) for count, each in zip(workers, found, strict=True)])
    figure = go.Figure(
        go.Heatmap(
            x=[str(count) for count in workers],
            y=[str(batch) for batch in batches],
            z=states,
            zmin=0,
            zmax=2,
            colorscale=_steps(CELL_COLOURS),
            showscale=False,
            text=texts,
            texttemplate="%{text}",
            textfont={"color": "#ffffff", "size": 11},
            hovertext=hovers,
            hoverinfo="text",
            xgap=2,
            ygap=2,
        )
    )
    column, row = workers.index(case.plan.workers), batches.index(case.plan.batch)
    for colour, width in (("#000000", 5), ("#ffffff", 2)):  # seen on every colour, in both themes
        frame = {"color": colour, "width": width}
        figure.add_shape(type="rect", x0=column - 0.5, x1=column + 0.5, y0=row - 0.5, y1=row + 0.5, line=frame)
    figure.update_layout(
        height=110 + 26 * len(batches),
        margin={"l": 8, "r": 8, "t": 10, "b": 8},
        xaxis={"type": "category", "title": "workers", "showgrid": False},
        yaxis={"type": "category", "title": "batch size", "showgrid": False},
    )
    return figure


def text(case: Case) -> str:
    """The heat map for those who cannot see it."""
    cells = rows(case)
    fitting = sum(row["Fits"] == _words(FITS, case) for row in cells)
    return f"Memory by batch size and workers: {fitting} of {len(cells)} combinations fit"


def _state(case: Case, found: memory.Verdict) -> int:
    return NEITHER if found.host_missing else GPU_ONLY if found.device_missing else FITS


def _words(state: int, case: Case) -> str:
    fits = "fits" if case.host is not None else "memory unknown"
    return (fits, "too much for the GPU", "too much memory")[state]


def _cell(case: Case, batch: int, workers: int, found: memory.Verdict) -> str:
    amount = case.unit.text
    of = "" if case.host is None else f" of {amount(case.host)}"
    lines = [f"<b>Batch of {batch}, {counted(workers, 'worker')}</b>", f"memory: {amount(found.host_bytes)}{of}"]
    if case.device is not None:
        lines.append(f"GPU: {amount(found.device_bytes)} of {amount(case.device)}")
    return "<br>".join([*lines, _words(_state(case, found), case)])


def _steps(colours: Iterable[str]) -> list[tuple[float, str]]:
    """A colour scale of plain steps, without anything in between."""
    colours = tuple(colours)
    edges = [k / len(colours) for k in range(len(colours) + 1)]
    return [(edge, colour) for k, colour in enumerate(colours) for edge in edges[k : k + 2]]
