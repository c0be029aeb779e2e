"""The tables of Memory as rows, for the page and for CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from augviz import memory
from augviz.memory import Unit
from augviz.ui.memory_answers import Case
from augviz.ui.page import escaped
from augviz.units import size_text

NO_BREAK = "\u00a0"

WHERE = {"host": "memory", "device": "GPU"}


def part_rows(case: Case) -> list[dict[str, object]]:
    """One row for each part, then the totals and the limits."""
    rows = [_amount(case, part.title, part.where, part.bytes, part.formula, part.leaves_out) for part in case.parts]
    found = case.verdict()
    for where, total, limit in (("host", found.host_bytes, case.host), ("device", found.device_bytes, case.device)):
        if where == "host" or limit is not None:
            rows.append(_amount(case, "Total", where, total, "the sum of its parts"))
            rows.append(_amount(case, "Limit", where, limit, "chosen on the left"))
    return rows


def _amount(case: Case, title: str, where: str, count: int | None, how: str, leaves_out: str = "") -> dict[str, object]:
    return {
        "Part": title,
        "Where": WHERE[where],
        case.unit.name: None if count is None else case.unit.number(count),
        "Bytes": count,
        "Formula": how,
        "Leaves out": leaves_out,
    }


def part_table(case: Case) -> list[dict[str, str]]:
    """The same rows as they are read on the page, without the parts that the plan has none of."""
    table = []
    for row in part_rows(case):
        count = row["Bytes"]
        if count == 0:
            continue
        size = "unknown" if count is None else case.unit.text(count).replace(" ", NO_BREAK)  # type: ignore[arg-type]
        exact = "" if count is None else f"{count:,}"
        words = {name: escaped(str(row[name])) for name in ("Formula", "Leaves out")}
        table.append({"Part": str(row["Part"]), "Where": str(row["Where"]), "Size": size, "Bytes": exact, **words})
    return table


def chain_rows(rows: Sequence[memory.Row], unit: Unit) -> list[dict[str, str]]:
    """The image after each step of a pipeline."""
    return [
        {
            "Step": f"{number} {row.title}" if number else row.title,
            "": "" if not number else "applied" if row.applied else "skipped",
            "Size": size_text(row.width, row.height),
            "Bands": str(row.bands),
            "dtype": row.dtype,
            "Memory": unit.text(row.bytes),
            "Bytes": f"{row.bytes:,}",
        }
        for number, row in enumerate(rows)
    ]


def measured_rows(found: Iterable[memory.Comparison], unit: Unit) -> list[dict[str, object]]:
    """Computed and measured figures of one image beside each other."""
    return [
        {
            "Of one image": each.title,
            "Computed": unit.text(each.computed),
            "Measured": "not measured" if each.measured is None else unit.text(each.measured),
            "Error": "–" if each.error_percent is None else f"{each.error_percent:+.1f} %".replace("-", "−"),
        }
        for each in found
    ]


def tutorial_rows(unit: Unit) -> list[dict[str, str]]:
    """The tutorial's table, to one decimal. In its own unit, figures that it has otherwise stand beside ours."""
    rows = []
    for cells in memory.table():
        row = {"Image size": f"{cells[0].side} × {cells[0].side} × {memory.TUTORIAL_BANDS}"}
        for cell in cells:
            theirs = f" ({cell.tutorial_gb:g})" if cell.differs and unit is memory.GB else ""
            row[cell.dtype] = f"{unit.number(cell.bytes):.1f}{theirs}"
        rows.append(row)
    return rows


def tutorial_note(unit: Unit) -> str:
    """What is to be known of the table in this unit."""
    if unit is memory.GB:
        return f"{memory.TUTORIAL_NOTE} They stand in brackets."
    return "Computed from the bytes. The tutorial's own figures are decimal: switch the unit to see where they differ."


def csv_text(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as CSV, with a line of names; a missing value is an empty cell."""
    rows = list(rows)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return out.getvalue()
