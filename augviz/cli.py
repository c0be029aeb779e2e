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
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from augviz import cli_audit, cli_memory
from augviz.errors import (
    ArgumentError,
    AugvizError,
    ImageError,
    PipelineError,
    StepError,
    WorkerCrashed,
    WorkerError,
    WorkerTimeout,
)
from augviz.model import QUALITIES

if TYPE_CHECKING:
    from augviz.model import Pipeline

FAILED = 2
"""Exit status for anything wrong with the image, the pipeline or the arguments."""

OUTPUT_SUFFIXES = (".npy", ".tif", ".png")

DEFAULT_MAX_SIDE = 1024

BLAME_SECONDS = 60.0
"""How long the step that ended a worker is looked for; a step that takes all of it is found by that."""

TARGETS = ("mask", "masks", "bboxes", "keypoints")

FOUND = 1
"""Exit status of `advise` where it finds an error."""

Command = Callable[[argparse.Namespace], "int | None"]
"""Runs a command; what it gives is the exit status, None for 0."""

Show = Callable[[float | None, str], None]
"""Shows how far a worker is: a fraction in [0, 1] or None where unknown, and the stage in words."""

DRAW_KEYS = ("id", "transform", "applied", "values", "width", "height", "bands", "format")
"""What `draw --json` prints of each step."""


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and leave."""

    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message} (see {self.prog} --help)")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, or what the command gives, or `FAILED` after one line on standard error."""
    signal.signal(signal.SIGTERM, _leave)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name of a file may have what the terminal's encoding has not
        sys.stdout.reconfigure(errors="backslashreplace")
    # What happened is told in one line on standard error, which the log of a server would come before.
    logging.getLogger("augviz").addHandler(logging.NullHandler())
    logging.getLogger("augviz").propagate = False
    status = 0
    try:
        options = _parser().parse_args(arguments)
        command: Command = options.command
        status = command(options) or 0
        sys.stdout.flush()
    except AugvizError as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        print(f"augviz: it was interrupted; {str(interrupt) or 'what was under way has ended'}.", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader has seen enough; what is left must not be flushed at exit
        _drop_output()
    except Exception as error:  # noqa: BLE001 - scripts are promised one line, never a traceback
        last = (str(error).strip().splitlines() or [""])[-1]
        return _fail(f"this is a bug in augviz: {type(error).__name__}: {last}")
    return status


def _print(text: str, status: int) -> int:
    """Print what a command found; its status is what was found, also where the reader has seen enough."""
    try:
        print(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    return status


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> int:
    print(f"augviz: {' '.join(message.split())}", file=sys.stderr)
    return FAILED


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)  # an exception, so that unfinished files are removed


def _parser() -> argparse.ArgumentParser:
    about = "Explore image augmentations on very large images."
    parser = _Parser(prog="python -m augviz", description=about, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, run: Command, text: str, *positionals: str) -> Any:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(command=run)
        for positional in positionals:
            command.add_argument(positional.lower(), metavar=positional, help=_POSITIONALS[positional])
        return command

    info = add("info", _info, "what the header of an image tells", "IMAGE")
    info.add_argument("--json", action="store_true", help="print JSON")

    preview = add("preview", _preview, "the whole result, computed at the size it is shown in", "IMAGE", "PIPELINE")
    _add_seed(preview)
    preview.add_argument("--max-side", metavar="PX", type=_positive, default=DEFAULT_MAX_SIDE, help=_MAX_SIDE)
    preview.add_argument(
        "--quality", choices=QUALITIES, default="fine", help="fine (default) is supersampled, precise twice as much"
    )
    _add_output(preview)

    apply = add("apply", _apply, "the result at full size, through the library", "IMAGE", "PIPELINE")
    _add_seed(apply)
    part = apply.add_mutually_exclusive_group()
    part.add_argument("--window", metavar="X,Y,W,H", type=_window, help="only this part, in full-size result pixels")
    part.add_argument("--max-side", metavar="PX", type=_positive, help="shrink the result afterwards: " + _MAX_SIDE)
    _add_output(apply)

    draw = add("draw", _draw, "what each step drew", "IMAGE", "PIPELINE")
    _add_seed(draw)
    draw.add_argument("--json", action="store_true", help="print JSON")

    export = add("export", _export, "the pipeline as Python text", "PIPELINE")
    export.add_argument(
        "--as", dest="form", choices=("compose", "dataset", "draw"), default="compose", help="what to write"
    )
    _add_seed(export)
    export.add_argument(
        "--image", metavar="IMAGE", help="an image as the pipeline will get them; draw: the image drawn for"
    )

    advise = add("advise", _advise, "what is wrong or wasteful, with evidence and a fix", "PIPELINE")
    advise.add_argument("--image", metavar="IMAGE", help="an image as the pipeline will get them")
    _add_seed(advise)
    advise.add_argument("--stride", metavar="PX", type=_positive, help="what the sides of results must be multiples of")
    advise.add_argument("--validation", action="store_true", help="the pipeline is used for validation")
    targets = f"what is augmented with each image, out of {', '.join(TARGETS)}"
    advise.add_argument("--targets", metavar="TARGET,...", type=_targets, default=frozenset(), help=targets)
    advise.add_argument("--json", action="store_true", help="print JSON")

    audited = add("audit", _audit, "what the pipeline does over a folder of images", "FOLDER", "PIPELINE")
    _add_seed(audited)
    cli_audit.add_options(audited, _positive)

    profile = add("profile", _profile, "time and memory at full size, measured", "IMAGE", "PIPELINE")
    _add_seed(profile)
    profile.add_argument("--repeats", metavar="K", type=_integer, default=3, help="timed runs, 1 to 100 (default 3)")
    ways = "stream (default) drops the pixels as they are made, hold keeps them in one array"
    profile.add_argument("--way", choices=("stream", "hold"), default="stream", help=ways)
    profile.add_argument("--json", action="store_true", help="print JSON")

    estimate = add("estimate", _estimate, "time and memory at full size, estimated within seconds", "IMAGE", "PIPELINE")
    _add_seed(estimate)
    estimate.add_argument("--json", action="store_true", help="print JSON")

    cli_memory.add_options(
        add("memory", _memory, "what loading images for training takes in memory, computed"), _integer
    )

    taken = add("import", _import, "a pipeline from Python code or the library's JSON, as a file", "FILE")
    taken.add_argument("--number", metavar="N", type=_positive, help="which Compose of the file, from 1")
    taken.add_argument("-o", dest="out", metavar="PIPELINE", required=True, help="file to write: .json")
    return parser


_POSITIONALS = {
    "IMAGE": "an image file",
    "FOLDER": "a folder with images, and with folders of images",
    "PIPELINE": "a saved pipeline (JSON) or Python code (.py), - is standard input",
    "FILE": "Python code, or JSON of augviz or A.to_dict, - is standard input",
}
_MAX_SIDE = f"the source's longer side would get PX pixels (preview: {DEFAULT_MAX_SIDE}); never enlarged"


def _add_seed(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", metavar="N", type=_integer, default=0, help="which draw (default 0)")


def _add_output(command: argparse.ArgumentParser) -> None:
    names = ", ".join(OUTPUT_SUFFIXES)
    command.add_argument("-o", dest="out", metavar="OUT", required=True, help=f"file to write: {names}")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        shown = text if len(text) <= 40 else f"{text[:40]}..."  # Python reads no more than 4300 digits
        raise argparse.ArgumentTypeError(f"must be a whole number, got {shown!r}") from None


def _positive(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _window(text: str) -> tuple[int, int, int, int]:
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError(f"must be X,Y,W,H, got {text!r}")
    x, y, width, height = map(_integer, parts)
    if x < 0 or y < 0:
        raise argparse.ArgumentTypeError(f"X and Y must be at least 0, got {x},{y}")
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f"W and H must be at least 1, got {width},{height}")
    return x, y, width, height


def _targets(text: str) -> frozenset[str]:
    unknown = [name for name in text.split(",") if name not in TARGETS]
    if unknown:
        raise argparse.ArgumentTypeError(f"must be out of {', '.join(TARGETS)}, got {unknown[0]!r}")
    return frozenset(text.split(","))


# Commands


def _info(options: argparse.Namespace) -> None:
    info = _work("describe", {"path": options.image, "input": {}})["info"]
    print(json.dumps(info, indent=2) if options.json else _info_text(info))


def _draw(options: argparse.Namespace) -> None:
    request = _request(options)
    found = _work("draw", request)["draw"]
    steps = [{key: step[key] for key in DRAW_KEYS} for step in found["steps"]]
    draw = {"seed": found["seed"], "steps": steps}
    print(json.dumps(draw, indent=2, allow_nan=False) if options.json else _draw_text(draw))


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
        sys.stdout.write(_draw_script(pipeline, options))
        return
    facts = None
    if options.image is not None:
        from augviz.facts import facts_from_json

        answer = _work("describe", {"path": options.image, "input": saved.dump(pipeline).get("input", {})})
        facts = facts_from_json(answer["facts"])
    case = Case(pipeline, facts)
    said = remarks(case, advise(case))
    text = export.compose(pipeline, said) if options.form == "compose" else export.dataset(pipeline, facts, said)
    sys.stdout.write(text)


def _draw_script(pipeline: Pipeline, options: argparse.Namespace) -> str:
    from augviz import draw_text, saved
    from augviz.facts import draw_from_json

    if options.image is None:
        raise ArgumentError("--as draw: --image must be given, since a draw belongs to an image.")
    form = saved.dump(pipeline)
    request = {"path": options.image, "input": form.get("input", {}), "pipeline": form, "seed": options.seed}
    return draw_text.draw(pipeline, draw_from_json(_work("draw", request)["draw"]), options.image)


def _advise(options: argparse.Namespace) -> int:
    from augviz import cli_advise

    pipeline = _read_pipeline(options.pipeline)
    said = {"stride": options.stride, "validation": options.validation, "targets": options.targets}
    case = cli_advise.case_of(pipeline, options.image, options.seed, _work, **said)
    text, has_error = cli_advise.printed(case, options.json)
    return _print(text, FOUND if has_error else 0)


def _audit(options: argparse.Namespace) -> int:
    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            _show_progress(done / total, f"{done} of {total} draws")

    try:
        text, has_failed = cli_audit.printed(options, _read_pipeline(options.pipeline), tell, _unfinished)
    finally:
        if sys.stderr.isatty():
            _erase_progress()
    return _print(text, cli_audit.FAILED if has_failed else 0)


def _profile(options: argparse.Namespace) -> None:
    from augviz import cli_profile

    cli_profile.check_repeats(options.repeats)
    is_shown = not options.json or sys.stdout.isatty()
    outlook = cli_profile.Outlook(parts=2)

    def work(function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        outlook.begin_part()
        return _work(function, request, (lambda *told: _show_line(outlook.text(*told))) if is_shown else None)

    print(cli_profile.profile(_request(options), options.repeats, options.way, work, options.json))


def _estimate(options: argparse.Namespace) -> None:
    from augviz import cli_profile

    print(cli_profile.estimate(_request(options), _work, options.json))


def _memory(options: argparse.Namespace) -> None:
    print(cli_memory.printed(options, _read_pipeline, _work))


def _import(options: argparse.Namespace) -> None:
    from augviz import parse, saved

    found = parse.read(_read_text(options.file), _name(options.file), number=options.number)
    with _unfinished(Path(options.out), (".json",)) as path:
        path.write_text(saved.dumps(found.pipeline) + "\n", encoding="utf-8")
    for note in found.notes:
        print(note)


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


# Work


def _show_progress(fraction: float | None, text: str) -> None:
    share = "" if fraction is None else f"{fraction:.0%} "
    _show_line(f"{share}{text or 'starting'}")


def _show_line(text: str) -> None:
    """Write over the line of standard error, which is a terminal; what is too wide for it would stay there, so it is cut."""
    columns = os.get_terminal_size(sys.stderr.fileno()).columns or len(text) + 1
    sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
    sys.stderr.flush()


def _erase_progress() -> None:
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()


def _work(function: str, request: Mapping[str, Any], show: Show | None = _show_progress) -> dict[str, Any]:
    """Have a fresh process do it. Raises AugvizError; where the process ends, the error names the step that ended it.

    Args:
        show: is told how far it is, where standard error is a terminal.
    """
    try:
        return _run(function, request, show)
    except (WorkerCrashed, WorkerTimeout) as failure:
        if "pipeline" in request:
            raise _blamed(request, failure, show) from failure
        raise


def _blamed(request: Mapping[str, Any], failure: WorkerCrashed | WorkerTimeout, show: Show | None) -> BaseException:
    """The error that names the step at fault, else the failure itself."""
    from augviz.child import verdict
    from augviz.settings import get_settings
    from augviz.units import seconds_text

    is_late = isinstance(failure, WorkerTimeout)
    again = {key: request[key] for key in ("path", "input", "pipeline", "seed")}
    try:
        _run("blame", {**again, "after": "time-out" if is_late else "crash"}, show, BLAME_SECONDS)
    except StepError as blamed:
        if is_late:  # the search has a limit of its own, which is nobody's business
            reason = f"it takes longer than the time limit of {seconds_text(get_settings().job_seconds)}."
            return StepError(blamed.transform, reason, step_id=blamed.step_id, position=blamed.position)
        return verdict(blamed, failure)
    except ImageError as error:
        return error
    except WorkerError:
        return failure
    return failure


def _run(
    function: str, request: Mapping[str, Any], show: Show | None, at_most_seconds: float = float("inf")
) -> dict[str, Any]:
    from augviz.child import CannotStart
    from augviz.jobs import start_job
    from augviz.settings import get_settings
    from augviz.units import bytes_text

    settings = get_settings()
    job = start_job(
        function,
        request,
        seconds=min(settings.job_seconds, at_most_seconds),
        memory_bytes=settings.job_memory_bytes,
        threads=os.cpu_count() or 1,
        nice=0,
    )
    is_shown = show is not None and sys.stderr.isatty()
    try:
        if show is not None and is_shown:
            while job.wait(0.1) == "running":
                show(*job.progress)
        return job.result().value
    except CannotStart as error:
        if not settings.job_memory_bytes:
            raise
        allowed = bytes_text(settings.job_memory_bytes)
        raise WorkerError(
            f"{function}: the process could not start within its limit of {allowed} of memory."
        ) from error
    except BaseException:
        job.cancel()
        raise
    finally:
        if is_shown:
            _erase_progress()


# Output


def _write(function: str, options: argparse.Namespace, more: Mapping[str, Any]) -> None:
    """Have a worker write `options.out`, and print the range of values where a .png had to stretch it."""
    request = _request(options)
    with _unfinished(Path(options.out)) as path:
        value = _work(function, {**request, **more, "out": os.fspath(path)})
    if value.get("mapping", "").startswith("linear"):
        print(f"minimum {value['low']!r}, maximum {value['high']!r}, shown as 0 and 255")


@contextlib.contextmanager
def _unfinished(out: Path, suffixes: tuple[str, ...] = OUTPUT_SUFFIXES, option: str = "-o") -> Iterator[Path]:
    """A file to write to; it gets the name `out` of the option when the block ends well, else nothing of it is left."""
    if out.suffix.lower() not in suffixes:
        raise ArgumentError(f"{option}: the name must end in {', '.join(suffixes)}, got {out.name!r}.")
    if out.is_dir():
        raise ArgumentError(f"{option}: {out} is a folder.")
    if not out.parent.is_dir():
        raise ArgumentError(f"{option}: there is no folder {out.parent}.")
    try:
        # A folder, because a worker that crashes leaves its own unfinished file beside the one it was to write.
        with tempfile.TemporaryDirectory(prefix=".augviz-", dir=out.parent) as folder:
            path = Path(folder) / out.name
            yield path
            os.replace(path, out)
    except OSError as error:
        raise ImageError(f"{out}: the file cannot be written: {error.strerror}.") from error


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
