"""`python -m augviz`: the same core without a browser. `docs/command-line.md` is its contract.

All pixels are made in child processes, so that a crash of the library is one line and status 2, like every other error.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augviz import cli_audit, cli_ending, cli_memory
from augviz.cli_ending import show
from augviz.cli_options import Command, parser
from augviz.cli_work import erase_progress, show_line, show_progress, unfinished, work
from augviz.errors import ArgumentError, AugvizError, PipelineError

if TYPE_CHECKING:
    from augviz.model import Pipeline

FOUND = 1
"""Exit status of `advise` where it finds an error."""

DRAW_KEYS = ("id", "transform", "applied", "values", "width", "height", "bands", "format")
"""What `draw --json` prints of each step."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, what the command gives, or `cli_ending`'s after a line on standard error."""
    signal.signal(signal.SIGTERM, _leave)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name of a file may have what the terminal's encoding has not
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:  # it was closed: what is said there is said to nobody
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process
    # What happened is told in one line on standard error, which the log of a server would come before.
    logging.getLogger("augviz").addHandler(logging.NullHandler())
    logging.getLogger("augviz").propagate = False
    try:
        cli_ending.let_interruptions_be_raised()
        options = _options(arguments)
        command: Command = options.command
        status = command(options) or 0
        cli_ending.flush()
    except AugvizError as error:
        return cli_ending.fail(str(error))
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        return cli_ending.interrupted(str(interrupt))
    except Exception as error:  # noqa: BLE001 - scripts are promised one line, never a traceback
        last = (str(error).strip().splitlines() or [""])[-1]
        return cli_ending.fail(f"this is a bug in augviz: {type(error).__name__}: {last}")
    return status


def _options(arguments: list[str] | None) -> argparse.Namespace:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return parser(COMMANDS).parse_args(arguments)
    except SystemExit:  # after the help, of which argparse would not say that it cannot be written
        show(printed.getvalue(), end="")
        raise


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)  # an exception, so that unfinished files are removed


# Commands


def _info(options: argparse.Namespace) -> None:
    info = work("describe", {"path": options.image, "input": {}})["info"]
    show(json.dumps(info, indent=2) if options.json else _info_text(info))


def _draw(options: argparse.Namespace) -> None:
    request = _request(options)
    found = work("draw", request)["draw"]
    steps = [{key: step[key] for key in DRAW_KEYS} for step in found["steps"]]
    draw = {"seed": found["seed"], "steps": steps}
    show(json.dumps(draw, indent=2, allow_nan=False) if options.json else _draw_text(draw))


def _preview(options: argparse.Namespace) -> None:
    _write("preview_file", options, {"side": options.max_side, "quality": options.quality})


def _apply(options: argparse.Namespace) -> None:
    window = list(options.window) if options.window else None
    _write("apply_file", options, {"window": window, "side": options.max_side})


def _export(options: argparse.Namespace) -> None:
    from augviz import export, saved
    from augviz.advice import Case, advise
    from augviz.advice.text import remarks

    pipeline = _read_pipeline(options.pipeline)
    if options.form == "draw":
        show(_draw_script(pipeline, options), end="")
        return
    facts = None
    if options.image is not None:
        from augviz.facts import facts_from_json

        answer = work("describe", {"path": options.image, "input": saved.dump(pipeline).get("input", {})})
        facts = facts_from_json(answer["facts"])
    case = Case(pipeline, facts)
    said = remarks(case, advise(case))
    text = export.compose(pipeline, said) if options.form == "compose" else export.dataset(pipeline, facts, said)
    show(text, end="")


def _draw_script(pipeline: Pipeline, options: argparse.Namespace) -> str:
    from augviz import draw_text, saved
    from augviz.facts import draw_from_json

    if options.image is None:
        raise ArgumentError("--as draw: --image must be given, since a draw belongs to an image.")
    form = saved.dump(pipeline)
    request = {"path": options.image, "input": form.get("input", {}), "pipeline": form, "seed": options.seed}
    return draw_text.draw(pipeline, draw_from_json(work("draw", request)["draw"]), options.image)


def _advise(options: argparse.Namespace) -> int:
    from augviz import cli_advise

    pipeline = _read_pipeline(options.pipeline)
    said = {"stride": options.stride, "validation": options.validation, "targets": options.targets}
    case = cli_advise.case_of(pipeline, options.image, options.seed, work, **said)
    text, has_error = cli_advise.printed(case, options.json)
    show(text)
    return FOUND if has_error else 0


def _audit(options: argparse.Namespace) -> int:
    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            show_progress(done / total, f"{done} of {total} draws")

    try:
        text, has_failed = cli_audit.printed(options, _read_pipeline(options.pipeline), tell, unfinished)
    finally:
        if sys.stderr.isatty():
            erase_progress()
    show(text)
    return cli_audit.FAILED if has_failed else 0


def _profile(options: argparse.Namespace) -> None:
    from augviz import cli_profile

    cli_profile.check_repeats(options.repeats)
    is_shown = not options.json or (sys.stdout is not None and sys.stdout.isatty())
    outlook = cli_profile.Outlook(parts=2)

    def measured(function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        outlook.begin_part()
        return work(function, request, (lambda *told: show_line(outlook.text(*told))) if is_shown else None)

    show(cli_profile.profile(_request(options), options.repeats, options.way, measured, options.json))


def _estimate(options: argparse.Namespace) -> None:
    from augviz import cli_profile

    show(cli_profile.estimate(_request(options), work, options.json))


def _memory(options: argparse.Namespace) -> None:
    show(cli_memory.printed(options, _read_pipeline, work))


def _import(options: argparse.Namespace) -> None:
    from augviz import parse, saved

    found = parse.read(_read_text(options.file), _name(options.file), number=options.number)
    with unfinished(Path(options.out), (".json",), reads=(options.file,)) as path:
        path.write_text(saved.dumps(found.pipeline) + "\n", encoding="utf-8")
    for note in found.notes:
        show(str(note))


COMMANDS: dict[str, Command] = {
    "info": _info,
    "preview": _preview,
    "apply": _apply,
    "draw": _draw,
    "export": _export,
    "advise": _advise,
    "audit": _audit,
    "profile": _profile,
    "estimate": _estimate,
    "memory": _memory,
    "import": _import,
}
"""What runs each command, by its name."""


# Input


def _read_pipeline(path: str) -> Pipeline:
    """The pipeline of a file, or of standard input for "-": Python code from a .py file or "-", else JSON."""
    from augviz import parse, saved

    text = _read_text(path)
    if path != "-" and Path(path).suffix != ".py" and not parse.is_json(text):
        return saved.loads(text)
    found = parse.read(text, _name(path))
    lost = next((note for note in found.notes if note.lost), None)
    if lost is not None:
        raise PipelineError(f"{_name(path)}: {str(lost).rstrip('.')} (python -m augviz import shows the rest).")
    return found.pipeline


def _read_text(path: str) -> str:
    # Python warns of odd literals in a text that it parses, and only a text that is run would have to hear of it.
    warnings.simplefilter("ignore", SyntaxWarning)
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise PipelineError(f"{_name(path)}: the pipeline cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PipelineError(f"{_name(path)}: the pipeline is not text in UTF-8.") from error


def _name(path: str) -> str:
    return "standard input" if path == "-" else path


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """What a worker needs to know of the image, the pipeline and the draw."""
    from augviz import saved

    form = saved.dump(_read_pipeline(options.pipeline))
    return {"path": options.image, "input": form.get("input", {}), "pipeline": form, "seed": options.seed}


# Output


def _write(function: str, options: argparse.Namespace, more: Mapping[str, Any]) -> None:
    """Have a worker write `options.out`, and print the range of values where a .png had to stretch it."""
    request = _request(options)
    with unfinished(Path(options.out), reads=(options.image, options.pipeline)) as path:
        value = work(function, {**request, **more, "out": os.fspath(path)})
    if value.get("mapping", "").startswith("linear"):
        show(f"minimum {value['low']!r}, maximum {value['high']!r}, shown as 0 and 255")


def _info_text(info: Mapping[str, Any]) -> str:
    width = max(map(len, info))
    return "\n".join(f"{name:{width}}  {'unknown' if value is None else value}" for name, value in info.items())


def _draw_text(draw: Mapping[str, Any]) -> str:
    lines = [f"seed {draw['seed']}"]
    for number, step in enumerate(draw["steps"], start=1):
        size = f"{step['width']} x {step['height']} x {step['bands']} {step['format']}"
        values = ", ".join(f"{name} {_short(value)}" for name, value in step["values"].items())
        state = "applied" if step["applied"] else "skipped"
        lines.append(f"{number:2}. {step['transform']:24} {state}  {size:28}  {values}".rstrip())
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
