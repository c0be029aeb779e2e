"""How Python calls and values are written as text: black's layout, and literals that evaluate to the same value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from augviz.model import XY, Value

LINE_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Brackets:
    """Something in brackets: a call, a list, a tuple or a dict. `items` are prefix ("p=", '"x": ', "") and content.

    Attributes:
        multiline: one item a line even where everything fits into one.
    """

    opening: str
    items: tuple[tuple[str, Node], ...]
    closing: str
    multiline: bool = False


Node = str | Brackets


def literal(value: Value) -> Node:
    """Python text of a value that evaluates to the same value."""
    if isinstance(value, XY):
        axes = (("x", value.x), ("y", value.y))
        return Brackets("{", tuple((f'"{name}": ', literal(v)) for name, v in axes if v is not None), "}")
    if isinstance(value, tuple):
        return Brackets("(", tuple(("", literal(v)) for v in value), ",)" if len(value) == 1 else ")")
    if isinstance(value, str):
        quoted = repr(value)
        return quoted if '"' in quoted else f'"{quoted[1:-1]}"'
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value!r}")'
    return repr(value)


def list_of(nodes: Iterable[Node]) -> Brackets:
    """A list with one item a line."""
    items = tuple(("", node) for node in nodes)
    return Brackets("[", items, "]", multiline=bool(items))


def statement(before: str, node: Node) -> str:
    """The lines of `before` (such as "x = ") and the node, each within `LINE_LENGTH` where brackets allow it."""
    return _lines(node, "", before, "") + "\n"


def _lines(node: Node, indent: str, before: str, after: str) -> str:
    if isinstance(node, str):
        return f"{indent}{before}{node}{after}"
    if not _is_multiline(node):
        line = f"{indent}{before}{_flat(node)}{after}"
        if len(line) <= LINE_LENGTH or not node.items:
            return line
    # black writes no comma after a bracket that is the only argument of a call
    is_only_argument = len(node.items) == 1 and node.opening[1:].endswith("(") and not isinstance(node.items[0][1], str)
    comma = "" if is_only_argument else ","
    body = (_lines(content, f"{indent}    ", prefix, comma) for prefix, content in node.items)
    return "\n".join([f"{indent}{before}{node.opening}", *body, f"{indent}{node.closing.lstrip(',')}{after}"])


def _is_multiline(node: Node) -> bool:
    return isinstance(node, Brackets) and (node.multiline or any(_is_multiline(content) for _, content in node.items))


def _flat(node: Node) -> str:
    if isinstance(node, str):
        return node
    return node.opening + ", ".join(prefix + _flat(content) for prefix, content in node.items) + node.closing
