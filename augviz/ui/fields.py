"""A parameter in the editor: its value, what stands beside its widget, and who takes a new value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from augviz import catalog, checks
from augviz.model import REQUIRED, ImageFacts, ParamKind, ParamSpec, Value
from augviz.value_text import number_text, value_text

Take = Callable[[Value], None]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter in the editor.

    Attributes:
        value: what the widget shows.
        key: the widget's place in the session, `explore.step.<id>.<name>`.
        facts: the image, for bounds by its size and colours by its bands; None if unknown.
        take: is called with each new value.
    """

    spec: ParamSpec
    value: Value
    key: str
    facts: ImageFacts | None
    take: Take

    @property
    def bounds(self) -> tuple[float | int | None, float | int | None]:
        """Least and greatest value, by the image's full size where the parameter is bounded by it."""
        return catalog.bounds(self.spec, self.facts)

    @property
    def label(self) -> str:
        """The library's keyword with its unit; in the accent colour where it differs from the default."""
        name = self.spec.name.replace("_", "\\_")
        unit = f" :gray[:small[{self.spec.unit}]]" if self.spec.unit else ""
        return (f":primary[{name}]" if not is_default(self.spec, self.value) else name) + unit

    @property
    def help(self) -> str:
        """The parameter's line of help with the library's default and the bounds."""
        lines = [self.spec.help]
        lines.append("Required." if self.spec.default is REQUIRED else f"Default: {value_text(self.spec.default)}.")
        low, high = self.bounds
        if low is not None or high is not None:
            bounds = f"from {number_text(low)}" if low is not None else ""
            lines.append(
                (f"{bounds} up to {number_text(high)}" if high is not None else bounds).strip().capitalize() + "."
            )
        return "  \n".join(line for line in lines if line)

    @property
    def labelled(self) -> dict[str, Any]:
        """Label and help of a widget, as Streamlit takes them; an optional parameter's switch already shows them."""
        if self.spec.optional:
            return {"label": self.spec.name, "label_visibility": "collapsed"}
        return {"label": self.label, "help": self.help}


def is_default(spec: ParamSpec, value: Value) -> bool:
    """Whether `value` means the library's default: a range may stand there as one number; 1 px is not 1.0, everything."""
    if spec.kind in checks.PAIR_KINDS and value is not None and spec.default is not REQUIRED:
        return checks.pair(spec, value) == checks.pair(spec, spec.default) is not None
    return value == spec.default and (spec.kind is not ParamKind.SIZE or type(value) is type(spec.default))
