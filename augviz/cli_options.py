"""The options of `python -m augviz`: which commands there are, what each is given, and what is wrong with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from augviz import cli_audit, cli_memory
from augviz.cli_work import OUTPUT_SUFFIXES
from augviz.errors import ArgumentError
from augviz.model import QUALITIES

DEFAULT_MAX_SIDE = 1024

TARGETS = ("mask", "masks", "bboxes", "keypoints")

Command = Callable[[argparse.Namespace], "int | None"]
"""Runs a command; what it gives is the exit status, None for 0."""


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and leave."""

    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message} (see {self.prog} --help)")


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser of all commands. What it parses has `command`, the one that runs it; it raises ArgumentError.

    Args:
        commands: what runs each command, by its name.
    """
    about = "Explore image augmentations on very large images."
    root = _Parser(prog="python -m augviz", description=about, allow_abbrev=False)
    names = root.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, text: str, *positionals: str) -> Any:
        command = names.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(command=commands[name])
        for positional in positionals:
            command.add_argument(positional.lower(), metavar=positional, type=_path, help=_POSITIONALS[positional])
        return command

    info = add("info", "what the header of an image tells", "IMAGE")
    info.add_argument("--json", action="store_true", help="print JSON")

    preview = add("preview", "the whole result, computed at the size it is shown in", "IMAGE", "PIPELINE")
    _add_seed(preview)
    preview.add_argument("--max-side", metavar="PX", type=_positive, default=DEFAULT_MAX_SIDE, help=_MAX_SIDE)
    preview.add_argument(
        "--quality", choices=QUALITIES, default="fine", help="fine (default) is supersampled, precise twice as much"
    )
    _add_output(preview)

    apply = add("apply", "the result at full size, through the library", "IMAGE", "PIPELINE")
    _add_seed(apply)
    part = apply.add_mutually_exclusive_group()
    part.add_argument("--window", metavar="X,Y,W,H", type=_window, help="only this part, in full-size result pixels")
    part.add_argument("--max-side", metavar="PX", type=_positive, help="shrink the result afterwards: " + _MAX_SIDE)
    _add_output(apply)

    draw = add("draw", "what each step drew", "IMAGE", "PIPELINE")
    _add_seed(draw)
    draw.add_argument("--json", action="store_true", help="print JSON")

    export = add("export", "the pipeline as Python text", "PIPELINE")
    export.add_argument(
        "--as", dest="form", choices=("compose", "dataset", "draw"), default="compose", help="what to write"
    )
    _add_seed(export)
    export.add_argument(
        "--image", metavar="IMAGE", help="an image as the pipeline will get them; draw: the image drawn for"
    )

    advise = add("advise", "what is wrong or wasteful, with evidence and a fix", "PIPELINE")
    advise.add_argument("--image", metavar="IMAGE", help="an image as the pipeline will get them")
    _add_seed(advise)
    advise.add_argument("--stride", metavar="PX", type=_positive, help="what the sides of results must be multiples of")
    advise.add_argument("--validation", action="store_true", help="the pipeline is used for validation")
    targets = f"what is augmented with each image, out of {', '.join(TARGETS)}"
    advise.add_argument("--targets", metavar="TARGET,...", type=_targets, default=frozenset(), help=targets)
    advise.add_argument("--json", action="store_true", help="print JSON")

    audited = add("audit", "what the pipeline does over a folder of images", "FOLDER", "PIPELINE")
    _add_seed(audited)
    cli_audit.add_options(audited, _positive)

    profile = add("profile", "time and memory at full size, measured", "IMAGE", "PIPELINE")
    _add_seed(profile)
    profile.add_argument("--repeats", metavar="K", type=_integer, default=3, help="timed runs, 1 to 100 (default 3)")
    ways = "stream (default) drops the pixels as they are made, hold keeps them in one array"
    profile.add_argument("--way", choices=("stream", "hold"), default="stream", help=ways)
    profile.add_argument("--json", action="store_true", help="print JSON")

    estimate = add("estimate", "time and memory at full size, estimated within seconds", "IMAGE", "PIPELINE")
    _add_seed(estimate)
    estimate.add_argument("--json", action="store_true", help="print JSON")

    cli_memory.add_options(add("memory", "what loading images for training takes in memory, computed"), _integer)

    taken = add("import", "a pipeline from Python code or the library's JSON, as a file", "FILE")
    taken.add_argument("--number", metavar="N", type=_positive, help="which Compose of the file, from 1")
    taken.add_argument("-o", dest="out", metavar="PIPELINE", required=True, help="file to write: .json")
    return root


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


def _path(text: str) -> str:
    """A path; an empty one, as of a variable of a script that is not set, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got nothing")
    return text


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
