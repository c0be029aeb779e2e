"""`make works`: run every transform of the installed library in every way, and write down what works.

The library runs in child processes (`trials`), one question at a time, so that an end of the process is an answer too.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from augviz import catalog, works, works_text
from augviz.child import Call, Child
from augviz.errors import WorkerCrashed
from augviz.model import REQUIRED

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "what-works.md"
SECONDS = 120.0
GROUPS = (*catalog.GROUPS, "Compose")


class Asker:
    """Asks a child process, and starts another where one has ended."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._numbers = itertools.count(1)

    def ask(self, function: str, **args: Any) -> dict[str, Any]:
        """What the trial gives; {"crash": how} where it ended the process."""
        if self._child is None:
            self._child = Child(tasks="augviz.trials")
        try:
            return self._child.ask(Call(next(self._numbers), function, args, SECONDS)).value
        except WorkerCrashed as error:
            self.close()
            return {"crash": _ended(error.exit_status)}

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
            self._child = None


def _ended(status: int | None) -> str:
    with contextlib.suppress(ValueError):
        if status is not None and status < 0:
            return signal.Signals(-status).name
    return f"exit status {status}"


def names() -> Iterator[str]:
    """Every transform that can be constructed, and every composition."""
    yield from (name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable)
    yield from GROUPS


def survey_of(name: str, asker: Asker) -> dict[str, Any]:
    """All trials of one transform or composition."""
    found: dict[str, Any] = {}
    if name in catalog.TRANSFORMS:
        found["pixels"] = {key: _outcome(asker.ask("pixels", transform=name, input=key)) for key in works.INPUTS}
        if all(param.default is not REQUIRED for param in catalog.transform(name).params):
            found["defaults"] = _outcome(asker.ask("defaults", transform=name))
        found["targets"] = asker.ask("targets", transform=name)
    for trial in ("laziness", "seeds", "replays", "saves"):
        found[trial] = asker.ask(trial, transform=name)
    return found


def _outcome(found: dict[str, Any]) -> dict[str, Any]:
    """Draws that ended the process have no number."""
    return {"draws": 0, "raised": 0, **found} if "crash" in found else found


def run(wanted: Iterable[str], tell: Any = None) -> dict[str, Any]:
    """The survey of `wanted`, in JSON types."""
    asker = Asker()
    surveys = {}
    try:
        versions = asker.ask("versions")
        for name in wanted:
            if tell:
                tell(name)
            surveys[name] = survey_of(name, asker)
    finally:
        asker.close()
    return {"format": works.FORMAT, "versions": versions, "surveys": surveys}


def text_of(found: Mapping[str, Any]) -> str:
    """As it is stored: one line for each trial, so that a difference is easily read."""

    def lines(value: Any, depth: int) -> str:
        inner = isinstance(value, dict) and any(isinstance(item, dict) for item in value.values())
        if not inner:
            return json.dumps(value, ensure_ascii=False)
        parts = [f"{' ' * (depth + 1)}{json.dumps(key)}: {lines(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * depth + "}"

    return lines(found, 0) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Run the survey, and write it and the document."""
    parser = argparse.ArgumentParser(prog="augviz.survey", description=__doc__)
    parser.add_argument("--document-only", action="store_true", help="write the document from the stored survey")
    options = parser.parse_args(arguments)
    if not options.document_only:
        found = run(names(), lambda name: print(name, file=sys.stderr, flush=True))
        works.STORED.write_text(text_of(found), encoding="utf-8")
    DOCUMENT.write_text(
        works_text.render(works.from_json(json.loads(works.STORED.read_text("utf-8")))), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
