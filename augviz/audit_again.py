"""How a draw of an audit is made again: its command, its address in the app, and what people call its image. No pixels."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augviz import audit, link
from augviz.audit import Failure, Finding, Plan
from augviz.errors import AugvizError
from augviz.settings import Settings, get_settings
from augviz.sources import SourceRef

UNNAMED = "PIPELINE"
"""What commands call a pipeline that has no file."""


@dataclass(frozen=True, slots=True)
class Names:
    """How images and draws are named for people.

    Attributes:
        pipeline_file: what commands call the pipeline.
        titles: of images that are not called by their names.
    """

    plan: Plan
    pipeline_file: str
    settings: Settings
    titles: Mapping[str, str]

    def place(self, value: float, place: tuple[Any, ...]) -> dict[str, Any]:
        """One of the worst cases."""
        image, draw, seed, *position = place
        found = {"value": value, "image": self.titles.get(image, image), "draw": draw, "seed": seed}
        return found | ({"position": position[0]} if position else {}) | self.again(image, seed)

    def failure(self, finding: Finding) -> dict[str, Any]:
        """A draw that failed."""
        failed, title = finding.failure or Failure(""), self.titles.get(finding.image)
        return {
            "image": title or finding.image,
            "draw": finding.draw,
            "seed": finding.seed,
            "error": message(finding, title),
            "step": failed.step or None,
            "transform": failed.transform or None,
            "position": failed.position,
            **self.again(finding.image, finding.seed),
        }

    def again(self, image: str, seed: int) -> dict[str, Any]:
        """How to make a draw again: `command`, and the `address` in the app; both None for uploads and folders."""
        if image in self.titles or image.endswith("/"):
            return {"command": None, "address": None}
        command = command_of(self.plan, image, self.pipeline_file, seed)
        return {"command": command, "address": address(self.plan, image, seed, self.settings)}


def message(finding: Finding, title: str | None) -> str:
    """Why a draw failed, about the title of its image where it has one."""
    told = "" if finding.failure is None else finding.failure.message
    return told.replace(Path(finding.image).name, title) if title else told


def command_of(plan: Plan, image: str, pipeline_file: str, seed: int) -> str:
    """The line for a POSIX shell that makes a draw again, at the audit's size; it holds nothing that a terminal obeys.

    A pipeline that was read from standard input, "-", has no file that could be named, and a name that ends in a new line
    cannot be written in one.
    """
    pipeline_file = UNNAMED if pipeline_file == "-" or pipeline_file.endswith("\n") else pipeline_file
    words = ["python", "-m", "augviz", "apply" if plan.max_side is None else "preview"]
    words += [str(Path(plan.folder, image)), pipeline_file, "--seed", str(seed)]
    if plan.max_side not in (None, audit.MAX_SIDE):
        words += ["--max-side", str(plan.max_side)]
    return " ".join(quoted(word) for word in [*words, "-o", "again.png"])


def quoted(word: str) -> str:
    """A word for a POSIX shell; with the bytes in octal of what cannot be printed, as of a name that is no text.

    Not by $'...', which is in POSIX since 2024 only. What `printf` gives must not end in a new line, which would be dropped.
    """
    if word.isprintable():
        return shlex.quote(word)
    return f"\"$(printf '{''.join(map(_escaped, word))}')\""


def _escaped(letter: str) -> str:
    if letter.isprintable() and letter not in "\\'%-":  # a first "-" would begin an option
        return letter
    return "".join(f"\\{byte:03o}" for byte in letter.encode(errors="surrogateescape"))


def address(plan: Plan, image: str, seed: int, settings: Settings | None = None) -> str | None:
    """Where Explore shows this draw, below the app's own address; None where the folder is not one that the app opens."""
    settings = settings or get_settings()
    path = Path(plan.folder, image)
    if not any(path.is_relative_to(folder) for folder in settings.folders):
        return None
    try:
        return "/?s=" + link.encode(SourceRef("path", str(path)), plan.pipeline, seed, settings)
    except (AugvizError, UnicodeEncodeError):  # a name that is no text cannot be in an address
        return None
