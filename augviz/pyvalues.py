"""Reads the values in Python text: literals, what amounts to one, and names for them. Nothing is run."""

from __future__ import annotations

import ast
import re
from typing import Any

from augviz import translate
from augviz.bindings import Names
from augviz.errors import PipelineError
from augviz.items import Interpolate

_MAX_INT = 2**53
_MAX_TIMES = 1000
"""How often a list may be repeated: `[0.5] * 3`."""

MAX_DEPTH = 60
"""Expressions within expressions, names followed included."""

MAX_PARTS = 50_000
"""Expressions that are read of one text, each time that a name leads to them counted."""

_ENUMS = re.compile(r"pyvips\.(?:enums\.)?(?:Extend|Kernel|CompassDirection|BandFormat)\.([A-Z0-9_]+)")
_PADS = {
    "CENTER": "centre",
    "TOP_LEFT": "north-west",
    "TOP_RIGHT": "north-east",
    "BOTTOM_LEFT": "south-west",
    "BOTTOM_RIGHT": "south-east",
}
"""PadIfNeeded.PositionType."""


class Unreadable(Exception):
    """A value cannot be told from the text; why, a clause such as "p is an argument of the function"."""


_KINDS: tuple[tuple[tuple[type[ast.AST], ...], str], ...] = (
    ((ast.IfExp, ast.BoolOp, ast.Compare), "depends on a condition"),
    ((ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp), "is a comprehension"),
    ((ast.Call,), "is a call that is not known"),
    ((ast.Lambda,), "is a function"),
    ((ast.Attribute,), "belongs to something that the text does not tell"),
    ((ast.Subscript,), "is taken out of something else"),
    ((ast.List, ast.Tuple), "is a list where a step should be"),
)


class Values:
    """Reads the values of one Python text, and tells in words why it cannot.

    Args:
        names: what the names of the text stand for.
        text: the text itself, which reasons quote.
    """

    def __init__(self, names: Names, text: str) -> None:
        self._names = names
        self._lines = re.split(r"\r\n|\r|\n", text)  # as Python counts lines, which str.splitlines does not
        self._parts = 0

    def read(self, node: ast.expr) -> Any:
        """The value of an expression: plain values, lists, tuples and dicts of them, or an `Interpolate`.

        Raises:
            Unreadable: it cannot be told from the text.
            PipelineError: the text has more than `MAX_PARTS` with it.
        """
        return self._value(node, 0)

    def _value(self, node: ast.expr, depth: int) -> Any:
        """A literal, or what amounts to one. Raises Unreadable."""
        self.count()
        if depth > MAX_DEPTH:
            raise Unreadable("it is nested too deeply")
        match node:
            case ast.Constant(value=value):
                return self._constant(node, value)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                number = self._number(operand, self._value(operand, depth + 1))
                return -number if isinstance(sign, ast.USub) else number
            case ast.BinOp(left=left, op=operator, right=right):
                values = self._value(left, depth + 1), self._value(right, depth + 1)
                if isinstance(operator, ast.Mult) and any(isinstance(value, list | tuple) for value in values):
                    return self._repeated(node, *values)
                numbers = self._number(left, values[0]), self._number(right, values[1])
                return self._arithmetic(node, numbers[0], operator, numbers[1])
            case ast.List(elts=elements):
                return [self._value(element, depth + 1) for element in elements]
            case ast.Tuple(elts=elements):
                return tuple(self._value(element, depth + 1) for element in elements)
            case ast.Dict(keys=keys, values=parts):
                return self._dict(node, keys, parts, depth)
            case ast.Name(id=name):
                bound = self._names.look_up(node)
                if bound.value is not None:
                    return self._value(bound.value, depth + 1)
                if bound.reason:
                    raise Unreadable(bound.reason)
                if bound.path:
                    raise Unreadable(f"{name} is imported")
                raise Unreadable(f"{name} is not in the text")
            case ast.Call(args=[argument], keywords=[]):
                path = self._names.path(node.func)
                if path == "float":
                    return self._special(node, self._value(argument, depth + 1))
                if path in ("pyvips.Interpolate.new", "Interpolate.new", "pyvips.vinterpolate.Interpolate.new"):
                    return Interpolate(self._value(argument, depth + 1))
            case ast.Attribute():
                return self._attribute(node)
        raise Unreadable(self.why(node))

    def _constant(self, node: ast.expr, value: object) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MAX_INT:
            raise Unreadable(f"a whole number is beyond {_MAX_INT}")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise Unreadable(self.why(node))

    def _repeated(self, node: ast.expr, left: Any, right: Any) -> Any:
        """A list or a tuple times a whole number, in either order: `[0.5] * 3`."""
        sequence, times = (left, right) if isinstance(left, list | tuple) else (right, left)
        if not isinstance(times, int) or isinstance(times, bool) or not 0 <= times <= _MAX_TIMES:
            raise Unreadable(f"{self.shown(node)} repeats a list, but not 0 to {_MAX_TIMES} times")
        self.count(max(1, times * _size(sequence)))
        return sequence * times

    def _number(self, node: ast.expr, value: Any) -> int | float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        raise Unreadable(f"{self.shown(node)} is no number")

    def _arithmetic(self, node: ast.expr, left: int | float, operator: ast.operator, right: int | float) -> int | float:
        """The four operations; no powers or shifts, which can take for ever."""
        try:
            match operator:
                case ast.Add():
                    result = left + right
                case ast.Sub():
                    result = left - right
                case ast.Mult():
                    result = left * right
                case ast.Div():
                    result = left / right
                case ast.FloorDiv():
                    result = left // right
                case _:
                    raise Unreadable(self.why(node))
        except ArithmeticError:
            raise Unreadable(f"{self.shown(node)} is no number") from None
        self._constant(node, result)
        return result

    def _dict(self, node: ast.expr, keys: list[ast.expr | None], parts: list[ast.expr], depth: int) -> dict[str, Any]:
        values = {}
        for key, part in zip(keys, parts, strict=True):
            name = None if key is None else self._value(key, depth + 1)
            if not isinstance(name, str):
                raise Unreadable(f"{self.shown(node)} has keys that are not texts")
            values[name] = self._value(part, depth + 1)
        return values

    def _special(self, node: ast.expr, value: object) -> float:
        """What `float(value)` gives for a number, or for a text as "inf"."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, str) and len(value) <= 30:
            try:
                return float(value)
            except ValueError:
                pass
        raise Unreadable(f"{self.shown(node)} is no number")

    def _attribute(self, node: ast.Attribute) -> Any:
        """A constant of pyvips, OpenCV or PadIfNeeded."""
        path = self._names.path(node)
        enum = _ENUMS.fullmatch(path)
        if enum:
            return enum[1].lower().replace("_", "-")
        parts = path.split(".")
        if parts[0] == "cv2" and len(parts) == 2 and parts[1] in translate.CV2:
            return translate.CV2[parts[1]]
        if parts[-2:-1] == ["PositionType"] and parts[-1] in _PADS:
            return _PADS[parts[-1]]
        raise Unreadable(self.why(node))

    # Limits and words

    def count(self, parts: int = 1) -> None:
        """Count expressions that are read. Raises PipelineError where there are more than `MAX_PARTS`."""
        self._parts += parts
        if self._parts > MAX_PARTS:
            raise PipelineError(f"The pipeline has more than {MAX_PARTS} parts.")

    def why(self, node: ast.expr) -> str:
        """Why an expression cannot be read, a clause."""
        inner = node.value if isinstance(node, ast.Starred) else node
        if isinstance(inner, ast.Name):
            bound = self._names.look_up(inner)
            if bound.reason:
                return bound.reason
            if bound.path:
                return f"{inner.id} is imported"
            if bound.value is None:
                return f"{inner.id} is not in the text"
            inner = bound.value
        kind = next((words for types, words in _KINDS if isinstance(inner, types)), "is not known here")
        return f"{self.shown(node)} {kind}"

    def shown(self, node: ast.expr) -> str:
        """The text of an expression, shortened."""
        if not 1 <= node.lineno <= len(self._lines):
            return "an expression"
        line = self._lines[node.lineno - 1].encode()
        end = node.end_col_offset if node.end_lineno == node.lineno else None
        text = line[node.col_offset : end].decode(errors="replace").strip()
        return text if len(text) <= 40 and end is not None else f"{text[:37]}..."


def _size(value: Any) -> int:
    """Plain values in a value, those of its lists and dicts included."""
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_size, value)) + 1 if isinstance(value, list | tuple) else 1
