"""Pipelines from text: Python code with an `A.Compose([...])`, the saved form, and the library's `A.to_dict` as JSON.

Text is data: Python is taken apart (`pycode`) and never run. What cannot be read is reported with its line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from augviz import pycode, saved, serialized
from augviz.errors import PipelineError
from augviz.items import numbered
from augviz.model import Pipeline
from augviz.notes import Note, Notes

__all__ = ["MAX_CHARACTERS", "Found", "Note", "Read", "is_json", "read", "read_bytes"]

MAX_CHARACTERS = 1_000_000
"""Of a text; whole modules of repositories are far below."""


@dataclass(frozen=True, slots=True)
class Found:
    """A Compose in a text: its line, and what it is called there, "self.transforms"; "" where it has no name."""

    line: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What a text gave.

    Attributes:
        notes: what to know about the pipeline, by line.
        composes: every Compose of a Python text, in the order written; `read(text, number=2)` takes the second.
        number: which of them the pipeline is, from 1.
    """

    pipeline: Pipeline
    notes: tuple[Note, ...] = ()
    composes: tuple[Found, ...] = ()
    number: int = 1


def read(text: str, name: str = "", *, number: int | None = None) -> Read:
    """The pipeline that a text holds; whether it is JSON or Python is seen from its content.

    Items of Python and of `A.to_dict` get the ids s1, s2 ... in the order written; the saved form keeps its own.

    Args:
        name: what to call the text in an error, "train.py".
        number: which Compose of a Python text, from 1; None is the first of which anything can be read.

    Raises:
        PipelineError: nothing can be offered; one sentence.
    """
    try:
        if len(text) > MAX_CHARACTERS:
            raise PipelineError(f"The text has {len(text)} characters, more than {MAX_CHARACTERS}.")
        return _json(text) if is_json(text) or name.lower().endswith(".json") else _python(text, number)
    except RecursionError:
        raise PipelineError(f"{_prefix(name)}The pipeline is nested too deeply to be read.") from None
    except PipelineError as error:
        raise PipelineError(f"{_prefix(name)}{error}") from None


def read_bytes(data: bytes, name: str = "", *, number: int | None = None) -> Read:
    """`read` for the bytes of a file in UTF-8.

    Raises:
        PipelineError: they are no text, or nothing can be offered.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PipelineError(f"{_prefix(name)}The pipeline is not text in UTF-8.") from None
    return read(text, name, number=number)


def is_json(text: str) -> bool:
    """Whether `read` takes the text for JSON. A list is JSON only if it is not Python: `[A.Flip()]`."""
    start = text.lstrip()[:1]
    if start != "[":
        return start == "{"
    try:
        json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _prefix(name: str) -> str:
    return f"{name}: " if name else ""


def _json(text: str) -> Read:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if '"__class_fullname__"' in text:
            raise PipelineError(
                "The JSON is cut off or damaged; A.save of Rotate, Affine and ElasticTransform leaves it so (D38)."
            ) from None
        return Read(saved.loads(text))
    root = serialized.root(data)
    if root is None:
        return Read(saved.load(data))
    notes = Notes()
    return Read(_pipeline(serialized.steps(root, data.get("__version__"), notes), notes), notes.sorted())


def _python(text: str, number: int | None) -> Read:
    code = pycode.Code(text)
    if not code.composes:
        notes = Notes()
        return Read(_pipeline(code.without_compose(notes), notes), notes.sorted())
    found = tuple(Found(call.lineno, code.label(call)) for call in code.composes)
    if number is not None:
        if not 1 <= number <= len(found):
            raise PipelineError(f"There is no Compose number {number}, there are {len(found)}.")
        return _compose(code, found, number)
    failure: PipelineError | None = None
    for candidate in range(1, len(found) + 1):
        try:
            return _compose(code, found, candidate)
        except PipelineError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _compose(code: pycode.Code, found: tuple[Found, ...], number: int) -> Read:
    """The Compose of that number; the others are noted."""
    notes = Notes()
    pipeline = _pipeline(code.compose(code.composes[number - 1], notes), notes)
    for i, other in enumerate(found, start=1):
        if i != number:
            label = f", {other.label}," if other.label else ""
            notes.add(other.line, f"Another Compose{label} was left; it is number {i} of {len(found)}.", lost=False)
    return Read(pipeline, notes.sorted(), found, number)


def _pipeline(steps: list[dict[str, Any]], notes: Notes) -> Pipeline:
    """The items as a pipeline. Raises PipelineError if there are none because none could be read."""
    lost = [note for note in notes.sorted() if note.lost]
    if not steps and lost:
        raise PipelineError(f"No step can be read; {lost[0]}")
    return saved.load({"format": saved.FORMAT, "steps": numbered(steps)})
