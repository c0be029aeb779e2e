"""The command line's options: those that are documented are there, and a wrong one is one line."""

from __future__ import annotations

import re

import pytest

from augviz.cli import COMMANDS
from tests.test_cli import ROOT, failure, ok


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "COMMAND"),
        (("show",), "show"),
        (("info",), "IMAGE"),
        (("info", "a.png", "b.png"), "b.png"),
        (("info", "a.png", "--jso"), "--jso"),
        (("apply", "a.png", "p.json"), "-o"),
        (("apply", "a.png", "p.json", "-o", "x.npy", "--window", "1,2,3,4", "--max-side", "9"), "--max-side"),
        (("apply", "a.png", "p.json", "-o", "x.npy", "--window", "1,2,3"), "'1,2,3'"),
        (("apply", "a.png", "p.json", "-o", "x.npy", "--window", "1,2,3,x"), "'x'"),
        (("apply", "a.png", "p.json", "-o", "x.npy", "--window", "1,2,0,4"), "got 0,4"),
        (("apply", "a.png", "p.json", "-o", "x.npy", "--window=-1,2,3,4"), "got -1,2"),
        (("apply", "a.png", "p.json", "-o", "x.npy", "--max-side", "0"), "at least 1, got 0"),
        (("preview", "a.png", "p.json", "-o", "x.npy", "--quality", "best"), "best"),
        (("draw", "a.png", "p.json", "--seed", "1.5"), "'1.5'"),
        (("export", "p.json", "--as", "yaml"), "yaml"),
    ],
)
def test_a_wrong_argument_is_one_line_that_shows_it(arguments: tuple[str, ...], words: str) -> None:
    assert words in failure(*arguments)


def test_help_names_every_command() -> None:
    printed = ok("--help")

    for command in COMMANDS:
        assert re.search(rf"^ +{command} ", printed, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documented_options_are_those_that_there_are(command: str) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    documented = re.search(rf"^    {command} .*$", page, re.MULTILINE)
    usage = ok(command, "--help").split("\n\n")[0]
    option = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")

    assert documented is not None
    assert set(option.findall(documented[0])) == set(option.findall(usage)) - {"-m", "-h"}
