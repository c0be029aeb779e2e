"""What the names in a Python text stand for: an import, or an expression that they are bound to. Nothing is run.

A name counts only where it is certain: bound once, or bound again in straight lines; and never changed in place.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
_TELLING = (
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.arg,
    ast.ExceptHandler,
    ast.MatchAs,
    ast.MatchStar,
    ast.MatchMapping,
    ast.Name,
    ast.Global,
    ast.Nonlocal,
    ast.AugAssign,
    ast.Attribute,
    ast.Subscript,
    ast.Call,
)
"""Nodes that can bind or change a name."""

_LOOPS = (ast.For, ast.AsyncFor, ast.While)

_CHANGES = frozenset(
    ("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "setdefault", "popitem")
)
"""Methods that change a list or a dict in place."""

_MAX_BINDINGS = 100
_MAX_ALIASES = 10
_MAX_CLIMBS = 1_000_000
"""Steps up the tree in all; hostile texts could ask for far more."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name stands for where it is used: one of the three, or nothing where the text does not bind it.

    Attributes:
        value: the expression that it is bound to.
        path: dotted path of what was imported, "albumentationsxl.Rotate".
        reason: why it cannot be told, a clause that begins with the name.
    """

    value: ast.expr | None = None
    path: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Binding:
    node: ast.AST
    value: ast.expr | None = None
    path: str = ""
    what: str = "bound to something that is not written out"

    @property
    def end(self) -> tuple[int, int]:
        return _end(self.node)


def _start(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _end(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)


class Names:
    """The names of one module. Built once, then asked by `look_up` and `path`."""

    def __init__(self, tree: ast.Module) -> None:
        self._scope: dict[ast.AST, ast.AST] = {}
        self._place: dict[ast.AST, tuple[ast.AST, str]] = {}
        self._bindings: dict[tuple[ast.AST, str], list[_Binding]] = defaultdict(list)
        self._changed: dict[tuple[ast.AST, str], int] = {}
        self._simple: set[ast.AST] = set()
        self._climbs = 0
        changes: list[ast.Name] = []
        self._walk(tree, changes)
        for name in changes:
            scope = self._owner(name)
            if scope is not None:
                self._changed.setdefault((scope, name.id), name.lineno)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What `node` stands in, None for the module."""
        return self._place[node][0] if node in self._place else None

    def look_up(self, name: ast.Name) -> Bound:
        """What `name` stands for at its place."""
        scope = self._owner(name)
        if scope is None:
            return Bound()
        found = self._bindings[scope, name.id]
        if len(found) > _MAX_BINDINGS:
            return Bound(reason=f"{name.id} is bound more than once")
        if all(b.path for b in found):
            known = [b.path for b in found if b.path.split(".")[0] == "albumentationsxl"]
            return Bound(path=known[0] if known else found[0].path)
        if (scope, name.id) in self._changed:
            return Bound(reason=f"{name.id} is changed in line {self._changed[scope, name.id]}")
        binding = self._certain(name, found, scope is self._scope[name])
        if isinstance(binding, str):
            return Bound(reason=f"{name.id} is {binding}")
        if binding.value is None and not binding.path:
            return Bound(reason=f"{name.id} is {binding.what}")
        return Bound(binding.value, binding.path)

    def path(self, node: ast.expr) -> str:
        """The dotted path that a name or an attribute stands for, "" where it is none.

        Names that the text does not bind are left as they are: "A.Rotate" of a fragment without its imports.
        """
        parts: list[str] = []
        for _ in range(_MAX_ALIASES):
            while isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            if not isinstance(node, ast.Name) or len(parts) > _MAX_ALIASES:
                return ""
            bound = self.look_up(node)
            if bound.reason:
                return ""
            if bound.value is None:
                return ".".join([bound.path or node.id, *reversed(parts)])
            node = bound.value
        return ""

    def _owner(self, name: ast.Name) -> ast.AST | None:
        """The scope whose binding `name` means, None where there is none."""
        scope: ast.AST | None = self._scope[name]
        own = scope
        while scope is not None:
            # A class is seen from its own lines, not from the functions in it.
            visible = scope is own or not isinstance(scope, ast.ClassDef)
            if visible and (scope, name.id) in self._bindings:
                return scope
            scope = self._scope.get(scope)
        return None

    def _certain(self, name: ast.Name, found: list[_Binding], same_scope: bool) -> _Binding | str:
        """The binding that counts, or why none does."""
        before = [b for b in found if b.end <= _start(name)] if same_scope else found
        if len(found) == 1:
            return before[0] if before else "bound further down only"
        if same_scope and before:
            last = max(before, key=lambda b: b.end)
            later = [b for b in found if b.end > _start(name)]
            if self._is_certain(name, last, later):
                return last
        return "bound more than once"

    def _is_certain(self, name: ast.Name, last: _Binding, later: list[_Binding]) -> bool:
        """Whether every way to `name` has passed `last`, and none of `later` through a loop."""
        block = self._place[last.node]
        node: ast.AST = name
        while node in self._place and self._climbs < _MAX_CLIMBS:
            self._climbs += 1
            if isinstance(node, _LOOPS) and any(b.end <= _end(node) for b in later):
                return False
            if self._place[node] == block:
                return True
            node = self._place[node][0]
        return False

    # Collecting

    def _walk(self, tree: ast.Module, changes: list[ast.Name]) -> None:
        stack: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
        while stack:
            node, scope = stack.pop()
            if node is not tree:
                self._scope[node] = scope
            if isinstance(node, _TELLING):
                self._collect(node, scope, changes)
            inside = node if isinstance(node, _SCOPES) else scope
            for field, child in _children(node):
                self._place[child] = node, field
                stack.append((child, inside))

    def _collect(self, node: ast.AST, scope: ast.AST, changes: list[ast.Name]) -> None:
        match node:
            case ast.Import():
                for alias in node.names:
                    root = alias.name if alias.asname else alias.name.split(".")[0]
                    self._bind(scope, alias.asname or root, _Binding(node, path=root))
            case ast.ImportFrom():
                for alias in node.names:
                    path = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                    self._bind(scope, alias.asname or alias.name, _Binding(node, path=path))
            case ast.Assign():
                for target in node.targets:
                    self._assign(node, target, node.value, scope)
            case ast.AnnAssign(value=ast.expr() as value):
                self._assign(node, node.target, value, scope)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._bind(scope, node.name, _Binding(node, what="a function or a class"))
            case ast.arg():
                self._bind(scope, node.arg, _Binding(node, what="an argument of the function"))
            case ast.ExceptHandler(name=str() as caught):
                self._bind(scope, caught, _Binding(node))
            case ast.MatchAs(name=str() as matched) | ast.MatchStar(name=str() as matched):
                self._bind(scope, matched, _Binding(node))
            case ast.MatchMapping(rest=str() as rest):
                self._bind(scope, rest, _Binding(node))
            case ast.Name(ctx=ast.Store() | ast.Del()) if node not in self._simple:
                self._bind(scope, node.id, _Binding(node))
            case ast.Global() | ast.Nonlocal():
                for name in node.names:
                    stand_in = ast.copy_location(ast.Name(name, ast.Store()), node)
                    self._scope[stand_in] = self._scope.get(scope, scope)
                    changes.append(stand_in)
            case ast.AugAssign(target=ast.Name() as name):
                changes.append(name)
            case (
                ast.Attribute(value=ast.Name() as name, ctx=ast.Store() | ast.Del())
                | ast.Subscript(value=ast.Name() as name, ctx=ast.Store() | ast.Del())
            ):
                changes.append(name)
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=method)) if method in _CHANGES:
                changes.append(name)

    def _assign(self, node: ast.stmt, target: ast.expr, value: ast.expr, scope: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self._simple.add(target)
            self._bind(scope, target.id, _Binding(node, value))
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            parts = (*target.elts, *value.elts)
            if len(target.elts) == len(value.elts) and not any(isinstance(p, ast.Starred) for p in parts):
                for one, its in zip(target.elts, value.elts, strict=True):
                    if isinstance(one, ast.Name):
                        self._assign(node, one, its, scope)

    def _bind(self, scope: ast.AST, name: str, binding: _Binding) -> None:
        self._bindings[scope, name].append(binding)


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The parts of `node` with the field that each stands in; what all trees share (`Load()`) left out."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context | ast.operator | ast.unaryop):
                yield field, child
