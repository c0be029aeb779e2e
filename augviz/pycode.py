"""Reads the expressions of Python text: composes, steps, groups and values. Literals only, nothing is run."""

from __future__ import annotations

import ast
import contextlib
import re
import textwrap
from collections.abc import Collection, Mapping
from typing import Any

from augviz import catalog, translate
from augviz.bindings import Names
from augviz.errors import PipelineError
from augviz.items import (
    COMPOSES,
    Interpolate,
    group_data,
    nested_compose,
    note_compose,
    step_data,
    translated,
    translated_group,
)
from augviz.model import TransformSpec
from augviz.notes import Notes
from augviz.translate import PLAIN, XL

_MAX_INT = 2**53
_MAX_TIMES = 1000
"""How often a list may be repeated: `[0.5] * 3`."""

_MAX_DEPTH = 60
"""Expressions within expressions, names followed included."""

MAX_WORDS = 100_000
"""Words and signs of a text. A syntax tree takes about a kilobyte of memory for each; long modules have a third."""

MAX_PARTS = 50_000
"""Expressions that are read of one text, each time that a name leads to them counted."""

_USUAL_NAMES = {"A": XL, "AX": XL, "alb": XL, "albu": XL, XL: XL, PLAIN: PLAIN}
"""What names mean in a fragment that lacks its imports."""

_COMPOSE_POSITIONS = ("transforms", "bbox_params", "keypoint_params", "additional_targets", "p", "is_check_shapes")
_GROUP_POSITIONS: dict[str, tuple[str, ...]] = {
    "OneOf": ("transforms", "p"),
    "SomeOf": ("transforms", "n", "replace", "p"),
    "OneOrOther": ("first", "second", "transforms", "p"),
    "Sequential": ("transforms", "p"),
}
_ENUMS = re.compile(r"pyvips\.(?:enums\.)?(?:Extend|Kernel|CompassDirection|BandFormat)\.([A-Z0-9_]+)")
_PADS = {
    "CENTER": "centre",
    "TOP_LEFT": "north-west",
    "TOP_RIGHT": "north-east",
    "BOTTOM_LEFT": "south-west",
    "BOTTOM_RIGHT": "south-east",
}
"""PadIfNeeded.PositionType."""


class _Unreadable(Exception):
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


class Code:
    """Reads the expressions of one Python text."""

    def __init__(self, text: str) -> None:
        self._tree, text = _tree(text)
        self._names = Names(self._tree)
        self._lines = re.split(r"\r\n|\r|\n", text)  # as Python counts lines, which str.splitlines does not
        self._notes = Notes()
        self._parts = 0
        self.composes = self._outermost(self._calls(COMPOSES))

    # Finding

    def _calls(self, classes: Collection[str]) -> list[ast.Call]:
        return [n for n in ast.walk(self._tree) if isinstance(n, ast.Call) and self._class(n)[1] in classes]

    def without_compose(self, notes: Notes) -> list[dict[str, Any]]:
        """What can be offered of a text that has no Compose: its first list of transforms, or all of them."""
        self._notes = notes
        outer = self._outermost(self._calls((*catalog.TRANSFORMS, *catalog.GROUPS)))
        if not outer:
            raise PipelineError(f"There is no Compose of {XL} in the text, and none of its transforms.")
        around = self._names.parent(outer[0])
        if isinstance(around, ast.List | ast.Tuple) and len({self._names.parent(call) for call in outer}) == 1:
            self._notes.add(around.lineno, "There is no Compose; a list of transforms was read.", False)
            return self._sequence(around, 0, False)
        if len(outer) > 1:
            self._notes.add(
                outer[0].lineno, "There is no Compose; all transforms of the text were read in their order."
            )
        return [item for call in outer for item in self._sequence(call, 0, False)]

    def _outermost(self, calls: list[ast.Call]) -> list[ast.Call]:
        """The calls that are in none of the others, not by name either."""
        inner: set[ast.AST] = set()
        for call in calls:
            stack: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
            seen: set[ast.AST] = set()
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                self._count()
                stack.extend(ast.iter_child_nodes(node))
                value = self._names.look_up(node).value if isinstance(node, ast.Name) else None
                if value is not None:
                    stack.append(value)
            inner |= seen - {call}
        return sorted((c for c in calls if c not in inner), key=lambda c: (c.lineno, c.col_offset))

    def label(self, call: ast.Call) -> str:
        """What the value of a call is bound to, "self.transforms"; the function that returns it, "train()"."""
        node: ast.AST | None = call
        while node is not None and not isinstance(node, ast.stmt):
            node = self._names.parent(node)
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target, *_]):
                return self._shown(target)
            case ast.AnnAssign(target=target):
                return self._shown(target)
            case ast.Return():
                function: ast.AST | None = node
                while function is not None and not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    function = self._names.parent(function)
                return f"{function.name}()" if function is not None else ""
        return ""

    def _class(self, call: ast.Call) -> tuple[str, str]:
        """The library and the name of the class that is called, two "" where it is neither library's."""
        parts = self._names.path(call.func).split(".")
        library = _USUAL_NAMES.get(parts[0], "")
        if len(parts) > 1:
            return (library, parts[-1]) if library else ("", "")
        bare = parts[0] in (*COMPOSES, *catalog.TRANSFORMS, *catalog.GROUPS)
        return (XL, parts[0]) if bare else ("", "")

    # Items

    def compose(self, call: ast.Call, notes: Notes) -> list[dict[str, Any]]:
        """The items of one of `composes` in the saved form, as far as they can be read."""
        self._notes = notes
        given = self._arguments(call, _COMPOSE_POSITIONS, "Compose")
        steps = given.pop("transforms", None)
        p = self._values("Compose", {k: v for k, v in given.items() if k == "p"})
        set_aside = {k: True for k, v in given.items() if not (isinstance(v, ast.Constant) and v.value is None)}
        note_compose({**set_aside, "p": p.get("p", 1.0)}, call.lineno, self._notes)
        if steps is None:
            self._notes.add(call.lineno, "Compose: it was given no transforms.")
            return []
        return self._sequence(steps, 0, False)

    def _sequence(self, node: ast.expr, depth: int, chosen: bool) -> list[dict[str, Any]]:
        """The items of a list, a sum of lists, or a name for one; a single item is a list of one."""
        if not self._may_go_on(node, depth):
            return []
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                items = []
                for element in elements:
                    inner = element.value if isinstance(element, ast.Starred) else element
                    if isinstance(element, ast.Starred) and self._list(inner) is None:
                        self._left_out(element)
                    elif isinstance(element, ast.Starred):
                        items += self._sequence(inner, depth + 1, chosen)
                    else:
                        items += self._item(inner, depth + 1, chosen)
                return items
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return self._sequence(left, depth + 1, chosen) + self._sequence(right, depth + 1, chosen)
            case ast.Name() if (value := self._names.look_up(node).value) is not None:
                return self._sequence(value, depth + 1, chosen)
        return self._item(node, depth + 1, chosen)

    def _list(self, node: ast.expr) -> ast.expr | None:
        """The list that is written at `node`, or that its name is bound to."""
        value = self._names.look_up(node).value if isinstance(node, ast.Name) else node
        return value if isinstance(value, ast.List | ast.Tuple) else None

    def _item(self, node: ast.expr, depth: int, chosen: bool) -> list[dict[str, Any]]:
        """One step or group, none where it cannot be read."""
        if not self._may_go_on(node, depth):
            return []
        value = self._names.look_up(node).value if isinstance(node, ast.Name) else None
        if isinstance(value, ast.Name | ast.Call):
            return self._item(value, depth + 1, chosen)
        if not isinstance(node, ast.Call):
            self._left_out(node)
            return []
        library, name = self._class(node)
        item: dict[str, Any] | None = None
        if name in COMPOSES:
            item = self._compose_inside(node, depth, chosen)
        elif name in catalog.GROUPS:
            item = self._group(node, name, library, depth, chosen)
        elif library:
            item = self._step(node, name, library)
        else:
            self._left_out(node)
        return [] if item is None else [item]

    def _compose_inside(self, call: ast.Call, depth: int, chosen: bool) -> dict[str, Any] | None:
        given = self._arguments(call, _COMPOSE_POSITIONS, "Compose")
        steps = self._sequence(given["transforms"], depth + 1, chosen) if "transforms" in given else []
        p = self._values("Compose", {k: v for k, v in given.items() if k == "p"}).get("p", 1.0)
        return nested_compose(steps, p, chosen, call.lineno, self._notes)

    def _group(self, call: ast.Call, name: str, library: str, depth: int, chosen: bool) -> dict[str, Any] | None:
        given = self._arguments(call, _GROUP_POSITIONS[name], name)
        chosen = chosen or name != "Sequential"
        steps: list[dict[str, Any]] = []
        if "transforms" in given:
            steps = self._sequence(given.pop("transforms"), depth + 1, chosen)
        members = [given.pop(key) for key in ("first", "second") if key in given]
        if not steps:
            steps = [item for member in members for item in self._item(member, depth + 1, chosen)]
        if members and len(steps) < 2:
            self._notes.add(call.lineno, "OneOrOther: one of its two steps could not be read; the group was left out.")
            return None
        values = self._values(name, given)
        if library == PLAIN:
            values = translated_group(name, values, call.lineno, self._notes)
        return group_data(name, steps, values, call.lineno, self._notes)

    def _step(self, call: ast.Call, name: str, library: str) -> dict[str, Any] | None:
        spec = catalog.TRANSFORMS.get(name)
        if spec is not None and spec.unusable:
            return step_data(name, {}, call.lineno, self._notes)
        plain = library == PLAIN or spec is None
        if plain and spec is None and name not in translate.SAME:
            translated(name, {}, call.lineno, self._notes)
            return None
        positions = translate.POSITIONS.get(name, ()) if plain or spec is None else positional(spec)
        values = self._values(name, self._arguments(call, positions, name))
        if plain:
            taken = translated(name, values, call.lineno, self._notes)
            if taken is None:
                return None
            name, values = taken
        return step_data(name, values, call.lineno, self._notes)

    def _arguments(self, call: ast.Call, positions: tuple[str, ...], name: str) -> dict[str, ast.expr]:
        """What is given to a call, by name."""
        given: dict[str, ast.expr] = {}
        for i, argument in enumerate(call.args):
            if isinstance(argument, ast.Starred) or i >= len(positions):
                self._notes.add(
                    argument.lineno,
                    f"{name}: {self._shown(argument)} is given by a place that cannot be told; it was left out.",
                )
                break
            given[positions[i]] = argument
        for keyword in call.keywords:
            self._keyword(keyword, given, name)
        return given

    def _keyword(self, keyword: ast.keyword, given: dict[str, ast.expr], name: str) -> None:
        if keyword.arg is not None:
            entries: list[tuple[Any, ast.expr]] = [(keyword.arg, keyword.value)]
        else:
            value = keyword.value
            if isinstance(value, ast.Name):
                value = self._names.look_up(value).value or value
            if not isinstance(value, ast.Dict):
                self._notes.add(
                    keyword.value.lineno,
                    f"{name}: **{self._shown(keyword.value)} cannot be read; the defaults are used in its place.",
                )
                return
            entries = [
                (key.value if isinstance(key, ast.Constant) else None, part)
                for key, part in zip(value.keys, value.values, strict=True)
            ]
        for key, part in entries:
            if not isinstance(key, str):
                self._notes.add(part.lineno, f"{name}: an argument has no name that can be read; it was left out.")
            elif key in given:
                self._notes.add(part.lineno, f"{name}: {key[:40]} is given twice; the first is used.")
            else:
                given[key] = part

    def _values(self, name: str, given: Mapping[str, ast.expr]) -> dict[str, Any]:
        """The values of arguments, those that can be read."""
        values = {}
        for key, node in given.items():
            try:
                values[key] = self._value(node, 0)
            except _Unreadable as reason:
                self._notes.add(node.lineno, f"{name}: {key[:40]} cannot be read, {reason}; it was left out.")
        return values

    # Values

    def _value(self, node: ast.expr, depth: int) -> Any:
        """A literal, or what amounts to one. Raises _Unreadable."""
        self._count()
        if depth > _MAX_DEPTH:
            raise _Unreadable("it is nested too deeply")
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
                    raise _Unreadable(bound.reason)
                if bound.path:
                    raise _Unreadable(f"{name} is imported")
                raise _Unreadable(f"{name} is not in the text")
            case ast.Call(args=[argument], keywords=[]):
                path = self._names.path(node.func)
                if path == "float":
                    return self._special(node, self._value(argument, depth + 1))
                if path in ("pyvips.Interpolate.new", "Interpolate.new", "pyvips.vinterpolate.Interpolate.new"):
                    return Interpolate(self._value(argument, depth + 1))
            case ast.Attribute():
                return self._attribute(node)
        raise _Unreadable(self._why(node))

    def _constant(self, node: ast.expr, value: object) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MAX_INT:
            raise _Unreadable(f"a whole number is beyond {_MAX_INT}")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise _Unreadable(self._why(node))

    def _repeated(self, node: ast.expr, left: Any, right: Any) -> Any:
        """A list or a tuple times a whole number, in either order: `[0.5] * 3`."""
        sequence, times = (left, right) if isinstance(left, list | tuple) else (right, left)
        if not isinstance(times, int) or isinstance(times, bool) or not 0 <= times <= _MAX_TIMES:
            raise _Unreadable(f"{self._shown(node)} repeats a list, but not 0 to {_MAX_TIMES} times")
        self._count(max(1, times * _size(sequence)))
        return sequence * times

    def _number(self, node: ast.expr, value: Any) -> int | float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        raise _Unreadable(f"{self._shown(node)} is no number")

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
                    raise _Unreadable(self._why(node))
        except ArithmeticError:
            raise _Unreadable(f"{self._shown(node)} is no number") from None
        self._constant(node, result)
        return result

    def _dict(self, node: ast.expr, keys: list[ast.expr | None], parts: list[ast.expr], depth: int) -> dict[str, Any]:
        values = {}
        for key, part in zip(keys, parts, strict=True):
            name = None if key is None else self._value(key, depth + 1)
            if not isinstance(name, str):
                raise _Unreadable(f"{self._shown(node)} has keys that are not texts")
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
        raise _Unreadable(f"{self._shown(node)} is no number")

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
        raise _Unreadable(self._why(node))

    # Limits and words

    def _count(self, parts: int = 1) -> None:
        self._parts += parts
        if self._parts > MAX_PARTS:
            raise PipelineError(f"The pipeline has more than {MAX_PARTS} parts.")

    def _may_go_on(self, node: ast.expr, depth: int) -> bool:
        self._count()
        if depth <= _MAX_DEPTH:
            return True
        self._notes.add(node.lineno, f"{self._shown(node)} is nested too deeply; it was left out.")
        return False

    def _left_out(self, node: ast.expr) -> None:
        self._notes.add(node.lineno, f"{self._why(node)}; it was left out.")

    def _why(self, node: ast.expr) -> str:
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
        return f"{self._shown(node)} {kind}"

    def _shown(self, node: ast.expr) -> str:
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


def _tree(text: str) -> tuple[ast.Module, str]:
    """The syntax tree of a module, or of a fragment that is indented; and the text without that indentation."""
    words = sum(1 for _ in re.finditer(r"\w+|[^\w\s]", text))
    if words > MAX_WORDS:
        raise PipelineError(f"The Python text has {words} words and signs, more than {MAX_WORDS}.")
    try:
        for fragment in (textwrap.dedent(text), re.sub(r"\A((?:\s*\n)?)[ \t]+", r"\1", text)):
            with contextlib.suppress(IndentationError):
                return ast.parse(fragment), fragment
        return ast.parse(text), text
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise PipelineError(f"The text is not valid Python{where}: {error.msg}.") from None
    except (RecursionError, MemoryError):
        raise PipelineError("The Python text is nested too deeply to be read.") from None
    except (ValueError, SystemError) as error:  # null bytes, lone surrogates; 3.11: a parser left half-way
        raise PipelineError(f"The text is not valid Python: {str(error)[:80]}.") from None


def positional(spec: TransformSpec) -> tuple[str, ...]:
    """The constructor's arguments of a transform of albumentationsxl, in the order in which it takes them."""
    names = [p.name for p in spec.params]
    if spec.name == "ElasticTransform":  # the only one with an argument behind always_apply
        return (*names[:-1], "always_apply", names[-1], "p")
    return (*names, "always_apply", "p")
