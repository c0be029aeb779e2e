"""Reads the composes, steps and groups of Python text. Literals only, nothing is run."""

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
from augviz.items import COMPOSES, group_data, nested_compose, note_compose, step_data, translated, translated_group
from augviz.model import TransformSpec
from augviz.notes import Notes
from augviz.pyvalues import MAX_DEPTH, Unreadable, Values
from augviz.translate import PLAIN, XL

MAX_WORDS = 100_000
"""Words and signs of a text. A syntax tree takes about a kilobyte of memory for each; long modules have a third."""

_USUAL_NAMES = {"A": XL, "AX": XL, "alb": XL, "albu": XL, XL: XL, PLAIN: PLAIN}
"""What names mean in a fragment that lacks its imports."""

_COMPOSE_POSITIONS = ("transforms", "bbox_params", "keypoint_params", "additional_targets", "p", "is_check_shapes")
_GROUP_POSITIONS: dict[str, tuple[str, ...]] = {
    "OneOf": ("transforms", "p"),
    "SomeOf": ("transforms", "n", "replace", "p"),
    "OneOrOther": ("first", "second", "transforms", "p"),
    "Sequential": ("transforms", "p"),
}


class Code:
    """Reads the composes, steps and groups of one Python text."""

    def __init__(self, text: str) -> None:
        self._tree, text = _tree(text)
        self._names = Names(self._tree)
        self._values = Values(self._names, text)
        self._notes = Notes()
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
                self._values.count()
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
                return self._values.shown(target)
            case ast.AnnAssign(target=target):
                return self._values.shown(target)
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
        p = self._readable("Compose", {k: v for k, v in given.items() if k == "p"})
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
        p = self._readable("Compose", {k: v for k, v in given.items() if k == "p"}).get("p", 1.0)
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
        values = self._readable(name, given)
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
        values = self._readable(name, self._arguments(call, positions, name))
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
                    f"{name}: {self._values.shown(argument)} is given by a place that cannot be told; it was left out.",
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
                    f"{name}: **{self._values.shown(keyword.value)} cannot be read; the defaults are used in its place.",
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

    def _readable(self, name: str, given: Mapping[str, ast.expr]) -> dict[str, Any]:
        """The values of arguments, those that can be read."""
        values = {}
        for key, node in given.items():
            try:
                values[key] = self._values.read(node)
            except Unreadable as reason:
                self._notes.add(node.lineno, f"{name}: {key[:40]} cannot be read, {reason}; it was left out.")
        return values

    # What is left out

    def _may_go_on(self, node: ast.expr, depth: int) -> bool:
        self._values.count()
        if depth <= MAX_DEPTH:
            return True
        self._notes.add(node.lineno, f"{self._values.shown(node)} is nested too deeply; it was left out.")
        return False

    def _left_out(self, node: ast.expr) -> None:
        self._notes.add(node.lineno, f"{self._values.why(node)}; it was left out.")


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
