"""`python -m augviz audit`: what a pipeline does over a folder of images, as text or JSON. Workers make the pixels."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from augviz import audit
from augviz.audit import Plan, Tell
from augviz.audit_totals import Totals
from augviz.cli_work import is_same
from augviz.errors import ArgumentError
from augviz.model import Pipeline
from augviz.sources import IMAGE_SUFFIXES

FAILED = 1
"""Exit status where a draw failed."""

Integer = Callable[[str], int]
Unfinished = Callable[[Path, tuple[str, ...], str], AbstractContextManager[Path]]
"""Gives a file to write to, which gets its name when it is whole; the last is the option that named it."""


def add_options(command: Any, positive: Integer) -> None:
    """The options of the command, beside its folder, its pipeline and its seed."""
    command.add_argument("--draws", metavar="N", type=positive, default=1, help="draws of each image (default 1)")
    command.add_argument("--limit", metavar="M", type=positive, help="at most M images, evenly spread over their names")
    size = command.add_mutually_exclusive_group()
    shrunk = f"images with a longer side are shrunk to it (default {audit.MAX_SIDE})"
    size.add_argument("--max-side", metavar="PX", type=positive, default=audit.MAX_SIDE, help=shrunk)
    size.add_argument("--full-size", action="store_true", help="nothing is shrunk")
    command.add_argument("--records", metavar="FILE", help="file of findings, .jsonl; what it holds is not made again")
    command.add_argument("--csv", metavar="OUT", help="write a table with one line for each draw: .csv")
    where = "run on the cluster of this Dask scheduler; empty: on this machine, whatever the settings say"
    command.add_argument("--scheduler", metavar="ADDRESS", help=where)
    command.add_argument("--json", action="store_true", help="print JSON")


def printed(options: argparse.Namespace, pipeline: Pipeline, tell: Tell, unfinished: Unfinished) -> tuple[str, bool]:
    """Run the audit; what the command prints, and whether a draw failed.

    Args:
        tell: is told how far it is.

    Raises:
        AugvizError: nothing can be audited, or the machine or the cluster cannot go on.
        KeyboardInterrupt: it says what is kept.
    """
    from augviz import audit_report

    plan = audit.plan(
        options.folder,
        pipeline,
        draws=options.draws,
        limit=options.limit,
        seed=options.seed,
        max_side=None if options.full_size else options.max_side,
    )
    _check_outputs(options)
    totals = Totals()
    try:
        if options.records is not None:
            _run(plan, Path(options.records), options, totals, tell, unfinished)
        else:
            with tempfile.TemporaryDirectory(prefix="augviz-audit-") as folder:
                _run(plan, Path(folder) / "findings.jsonl", options, totals, tell, unfinished)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(options.records)) from None
    report = audit_report.document(plan, totals, options.pipeline)
    text = json.dumps(report, indent=2, allow_nan=False) if options.json else audit_report.text(report)
    return text, totals.failed > 0


def _check_outputs(options: argparse.Namespace) -> None:
    """Raises ArgumentError where writing would end something that the audit reads or writes as well."""
    pipeline = None if options.pipeline == "-" else options.pipeline
    for name, written in (("--records", options.records), ("--csv", options.csv)):
        if written and pipeline and is_same(written, pipeline):
            raise ArgumentError(f"{name}: {written} is the file of the pipeline; name another one.")
        if written and any(Path(one).suffix.lower() in IMAGE_SUFFIXES for one in (written, os.path.realpath(written))):
            raise ArgumentError(f"{name}: {written} has the name of an image; name another file.")
    if options.records and options.csv and is_same(options.records, options.csv):
        raise ArgumentError(f"--csv: {options.csv} is the file of --records, which would be lost; name another one.")


def _kept(records: str | None) -> str:
    """What an interruption leaves."""
    if records is None:
        return "the draws that were made are not kept, which takes --records FILE"
    return f"the draws that were made are kept in {records}, and the same command goes on from there"


def _run(
    plan: Plan, records: Path, options: argparse.Namespace, totals: Totals, tell: Tell, unfinished: Unfinished
) -> None:
    if options.csv is None:
        _make(plan, records, options.scheduler, totals, tell)
        return
    from augviz import audit_records, audit_report

    with unfinished(Path(options.csv), (".csv",), "--csv") as out:
        _make(plan, records, options.scheduler, totals, tell)
        with open(out, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            audit_report.write_csv(audit_records.findings_of(records, plan), file)


def _make(plan: Plan, records: Path, scheduler: str | None, totals: Totals, tell: Tell) -> None:
    """Make the findings, on the cluster if there is one."""
    from augviz import audit_run
    from augviz.settings import get_settings

    if not records.parent.is_dir():
        raise ArgumentError(f"--records: there is no folder {records.parent}.")
    if records.is_dir():
        raise ArgumentError(f"--records: {records} is a folder.")
    address = get_settings().scheduler if scheduler is None else scheduler
    if address:
        from augviz import audit_dask

        running = audit_dask.cluster(plan, address)
    else:
        running = audit_run.local(plan)
    with running as runner:
        audit_run.run(plan, runner, records, totals, tell=tell, stop=threading.Event())
