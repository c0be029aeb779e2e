"""What to say about a text that was read: a sentence, its line, and whether something was lost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about what was read.

    Attributes:
        line: of the text, from 1; None where there are no lines to name.
        text: one sentence.
        lost: whether the pipeline does something else than the text says; False is for information only.
    """

    line: int | None
    text: str
    lost: bool = True

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


class Notes:
    """Collects notes; a line and a text are noted once."""

    def __init__(self) -> None:
        self._notes: dict[tuple[int | None, str], Note] = {}

    def add(self, line: int | None, text: str, lost: bool = True) -> None:
        # Texts quote what others wrote, which may hold line feeds and a terminal's control characters.
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
        self._notes.setdefault((line, text), Note(line, text, lost))

    def sorted(self) -> tuple[Note, ...]:
        return tuple(sorted(self._notes.values(), key=lambda note: note.line or 0))
