"""The saved form of a pipeline: JSON, version 1, described in `docs/pipeline-format.md`.

Loading checks keys, names and the JSON shape of every value, and not the catalogue's bounds: a saved pipeline may hold
any value that the library's constructors take. What the library then cannot survive is refused when it is drawn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from augviz import catalog
from augviz.checks import is_number
from augviz.errors import PipelineError
from augviz.model import (
    REQUIRED,
    XY,
    Group,
    InputChoice,
    Item,
    ParamKind,
    ParamSpec,
    Pipeline,
    Step,
    TransformSpec,
    Value,
)

FORMAT = 1
MAX_DEPTH = 20
"""Groups within groups."""

_MAX_INT = 2**53
"""Beyond this a JSON number is not exact everywhere."""

_TAKES_NONE = {("GaussianBlur", "sigma_limit"), ("GridDropout", "shift_x"), ("GridDropout", "shift_y")}
"""Arguments that the library takes None for, as 0, though that is no value that the editor offers."""

_EXTEND_ARGUMENTS = {("Affine", "mode"), ("PadIfNeeded", "border_mode")}
"""Arguments that the library takes as libvips' number as well; the position in `catalog.EXTENDS`."""

_STEP_KEYS = ("id", "transform", "args", "p", "enabled")
_GROUP_KEYS = ("id", "group", "steps", "p", "enabled")


class _ShapeError(Exception):
    """A value is not of the shape that was wanted; the text says which is."""


def loads(text: str) -> Pipeline:
    """The pipeline that a JSON text holds.

    Raises:
        PipelineError: the text is not JSON, or not a saved pipeline; the sentence names the item.
    """
    try:
        data = json.loads(text)
    except RecursionError:
        raise PipelineError("The pipeline is nested too deeply to be read.") from None
    except ValueError as error:
        raise PipelineError(f"The pipeline is not valid JSON: {error}.") from None
    return load(data)


def load(data: object) -> Pipeline:
    """The pipeline that parsed JSON holds.

    Raises:
        PipelineError: `data` is not a saved pipeline; the sentence names the item.
    """
    top = _mapping(data, "The pipeline", ("format", "input", "steps"))
    if "format" not in top:
        raise PipelineError(f'The pipeline has no "format"; it must be {FORMAT}.')
    if isinstance(top["format"], bool) or top["format"] != FORMAT:
        raise PipelineError(f'The pipeline\'s "format" must be {FORMAT}, got {_shown(top["format"])}.')
    steps = _items(top.get("steps"), "steps", "", 0)
    return Pipeline(steps, _input(top.get("input", {})))


def _shown(value: object) -> str:
    """`value` as JSON, shortened."""
    try:
        text = json.dumps(value, default=str)
    except (ValueError, RecursionError):
        return "something nested too deeply"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _mapping(data: object, where: str, keys: Iterable[str]) -> dict[str, Any]:
    """`data` as a dict with no other keys than `keys`."""
    if not isinstance(data, dict):
        raise PipelineError(f"{where} must be an object, got {_shown(data)}.")
    allowed = tuple(keys)
    unknown = [k for k in data if k not in allowed]
    if unknown:
        raise PipelineError(
            f"{where}: unknown key {', '.join(map(_shown, unknown[:5]))}; there are {', '.join(allowed)}."
        )
    return data


def _flag(data: dict[str, Any], key: str, where: str, default: Any) -> Any:
    value = data.get(key, default)
    if key in data and not isinstance(value, bool):
        raise PipelineError(f"{where}: {key} must be true or false, got {_shown(value)}.")
    return value


def _whole_number(data: dict[str, Any], key: str, where: str, least: int) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MAX_INT:
        raise PipelineError(f"{where}: {key} must be a whole number of at least {least}, got {_shown(value)}.")
    return value


def _input(data: object) -> InputChoice:
    found = _mapping(data, "input", ("page", "level", "upright", "bands", "as_8_bit"))
    return InputChoice(
        page=_whole_number(found, "page", "input", 0),
        level=_whole_number(found, "level", "input", 0),
        upright=_flag(found, "upright", "input", False),
        bands=_whole_number(found, "bands", "input", 1),
        as_8_bit=_flag(found, "as_8_bit", "input", False),
    )


def _items(data: object, where: str, parent: str, depth: int) -> tuple[Item, ...]:
    """The items of a pipeline (`parent` is "") or of the group with the id `parent`."""
    if not isinstance(data, list):
        raise PipelineError(f"{where} must be a list of steps, got {_shown(data)}.")
    if depth > MAX_DEPTH:
        raise PipelineError(f"{where}: groups must not be nested deeper than {MAX_DEPTH}.")
    return tuple(
        _item(entry, f"{where}[{i}]", f"{parent}.{i}" if depth else str(i), depth) for i, entry in enumerate(data)
    )


def _item(data: object, where: str, implied_id: str, depth: int) -> Item:
    if not isinstance(data, dict):
        raise PipelineError(f"{where} must be an object, got {_shown(data)}.")
    if ("transform" in data) == ("group" in data):
        raise PipelineError(f'{where} must have either "transform" or "group".')
    kind = "transform" if "transform" in data else "group"
    if not isinstance(data[kind], str):
        raise PipelineError(f"{where}: {kind} must be a name, got {_shown(data[kind])}.")
    try:
        found = catalog.transform(data[kind]) if kind == "transform" else catalog.group(data[kind])
    except PipelineError as error:
        raise PipelineError(f"{where}: {error}") from None
    where = f"{where}, {found.name}"
    id = data.get("id", implied_id)
    # A lone surrogate is a str that cannot be encoded, and so cannot seed `random`.
    if not isinstance(id, str) or not id or not id.isprintable():
        raise PipelineError(f"{where}: id must be a printable text that is not empty, got {_shown(id)}.")
    if isinstance(found, TransformSpec):
        return _step(_mapping(data, where, _STEP_KEYS), found, where, id)
    keys = (*_GROUP_KEYS, "n", "replace") if found.has_n else _GROUP_KEYS
    return _group(_mapping(data, where, keys), where, id, depth)


def _probability(data: dict[str, Any], where: str) -> float | None:
    if "p" not in data:
        return None
    try:
        probability: float = _number(data["p"])
        return probability
    except _ShapeError as error:
        raise PipelineError(f"{where}: p must be {error}, got {_shown(data['p'])}.") from None


def _step(data: dict[str, Any], spec: TransformSpec, where: str, id: str) -> Step:
    if spec.unusable:
        raise PipelineError(f"{where}: it cannot be used, {spec.unusable}.")
    given = data.get("args", {})
    if not isinstance(given, dict):
        raise PipelineError(f"{where}: args must be an object, got {_shown(given)}.")
    args = tuple((name, _argument(spec, name, value, where)) for name, value in given.items())
    missing = [p.name for p in spec.params if p.default is REQUIRED and p.name not in given]
    if missing:
        raise PipelineError(f"{where}: {' and '.join(missing)} must be given.")
    return Step(id, spec.name, args, _probability(data, where), _flag(data, "enabled", where, True))


def _group(data: dict[str, Any], where: str, id: str, depth: int) -> Group:
    spec = catalog.group(data["group"])
    inside = f"{where.rsplit(', ', 1)[0]}.steps"
    steps = _items(data.get("steps", []), inside, id, depth + 1)
    if spec.max_steps is not None and len(steps) != spec.max_steps:
        raise PipelineError(f"{where}: it must have exactly {spec.max_steps} steps, got {len(steps)}.")
    if len(steps) < spec.min_steps:
        raise PipelineError(f"{where}: it must have at least {spec.min_steps} step, got {len(steps)}.")
    if spec.has_n and data.get("n") is None:
        raise PipelineError(f"{where}: n, how many steps to apply, must be given.")
    return Group(
        id,
        spec.name,
        steps,
        _probability(data, where),
        _whole_number(data, "n", where, 0),
        _flag(data, "replace", where, None),
        _flag(data, "enabled", where, True),
    )


# Values


def _argument(spec: TransformSpec, name: str, value: object, where: str) -> Value:
    if name == "always_apply":
        if not isinstance(value, bool):
            raise PipelineError(f"{where}: always_apply must be true or false, got {_shown(value)}.")
        return value
    known = {p.name: p for p in spec.params}
    if name not in known:
        names = ", ".join((*known, "always_apply"))
        raise PipelineError(f"{where}: there is no argument {_shown(name)}; it has {names}.")
    param = known[name]
    if value is None:
        if param.optional or param.default is None or (spec.name, name) in _TAKES_NONE:
            return None
        raise PipelineError(f"{where}: {name} must not be null.")
    try:
        if (spec.name, name) in _EXTEND_ARGUMENTS and is_number(value):
            return _extend(value)
        return _READERS[param.kind](value, param)
    except _ShapeError as error:
        raise PipelineError(f"{where}: {name} must be {error}, got {_shown(value)}.") from None


def _number(value: object) -> Any:
    """A finite number as it is: an int stays an int."""
    if not is_number(value):
        raise _ShapeError("a number")
    assert isinstance(value, int | float)
    if isinstance(value, int) and abs(value) > _MAX_INT:
        raise _ShapeError(f"a number of at most {_MAX_INT}")
    if not math.isfinite(value):
        raise _ShapeError("a finite number")
    return value


def _int(value: object) -> int:
    """A whole number; 3.0, as some JSON writers have it, is 3, since the library does not take floats there."""
    number = _number(value)
    if number != int(number):
        raise _ShapeError("a whole number")
    return int(number)


def _string(value: object, _param: ParamSpec) -> Value:
    if not isinstance(value, str):
        raise _ShapeError("a text")
    return value


def _extend(value: object) -> str:
    """The name of libvips' number of an extend mode."""
    number = _int(value)
    if not 0 <= number < len(catalog.EXTENDS):
        raise _ShapeError(f"one of {', '.join(catalog.EXTENDS)}")
    return catalog.EXTENDS[number]


def _interpolator(value: object, param: ParamSpec) -> Value:
    if value not in param.choices:
        raise _ShapeError(f"one of {', '.join(param.choices)}")
    assert isinstance(value, str)
    return value


def _bool(value: object, _param: ParamSpec) -> Value:
    if not isinstance(value, bool):
        raise _ShapeError("true or false")
    return value


def _either(value: object, read: Callable[[object], Any], count: int | None, shape: str) -> Value:
    """One number, or a list of `count` numbers (None: one or more)."""
    if not isinstance(value, list):
        return read(value) if is_number(value) else _refuse(shape)
    if len(value) != count if count else not value:
        _refuse(shape)
    return tuple(read(v) for v in value)


def _refuse(shape: str) -> Any:
    raise _ShapeError(shape)


def _axes(value: object, param: ParamSpec) -> Value:
    # Affine draws pixels by randint, which takes whole numbers only.
    read: Callable[[object], Any] = _int if param.unit == "px" else _number
    shape = 'a number, a pair, or {"x": ..., "y": ...} of such'
    if not isinstance(value, dict):
        return _either(value, read, 2, shape)
    if not value or set(value) - {"x", "y"}:
        raise _ShapeError(shape)
    return XY(**{axis: _either(part, read, 2, shape) for axis, part in value.items()})


_READERS: dict[ParamKind, Callable[[object, ParamSpec], Value]] = {
    ParamKind.BOOL: _bool,
    ParamKind.INT: lambda value, _: _int(value),
    ParamKind.FLOAT: lambda value, _: _number(value),
    ParamKind.SIZE: lambda value, _: _number(value),
    ParamKind.CHOICE: _string,
    ParamKind.INTERPOLATE: _interpolator,
    ParamKind.RANGE: lambda value, _: _either(value, _number, 2, "a number or a pair of numbers"),
    ParamKind.INT_RANGE: lambda value, _: _either(value, _int, 2, "a whole number or a pair of whole numbers"),
    ParamKind.ODD_RANGE: lambda value, _: _either(value, _int, 2, "a whole number or a pair of whole numbers"),
    ParamKind.COLOUR: lambda value, _: _either(value, _number, None, "a number, or a list of one per band"),
    ParamKind.NUMBERS: lambda value, _: _either(value, _number, None, "a number, or a list of one per band"),
    ParamKind.XY_RANGE: _axes,
    ParamKind.INTS: lambda value, _: _either(value, _int, None, "a whole number or a list of whole numbers"),
}


# Writing


def dump(pipeline: Pipeline) -> dict[str, Any]:
    """The saved form as JSON data, without what may be left out. `load(dump(p)) == p`."""
    choice = {k: v for k, v in _input_data(pipeline.input).items() if v is not None and v is not False}
    data: dict[str, Any] = {"format": FORMAT}
    if choice:
        data["input"] = choice
    data["steps"] = [_item_data(item, str(i)) for i, item in enumerate(pipeline.steps)]
    return data


def dumps(pipeline: Pipeline, indent: int | None = 2) -> str:
    """The saved form as text, indented by `indent` spaces, or on one line for None."""
    return json.dumps(dump(pipeline), indent=indent, ensure_ascii=False, allow_nan=False)


def canonical(pipeline: Pipeline) -> str:
    """One text for all pipelines that mean the same, for keys: defaults left out, every id written, keys sorted."""
    data = dump(pipeline)
    data["steps"] = [_item_data(item, None, plain=True) for item in pipeline.steps]
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _input_data(choice: InputChoice) -> dict[str, Any]:
    return {
        "page": choice.page,
        "level": choice.level,
        "upright": choice.upright,
        "bands": choice.bands,
        "as_8_bit": choice.as_8_bit,
    }


def value_data(value: Value) -> Any:
    """A value in JSON types: lists for tuples, {"x", "y"} for XY, without an axis that was not given."""
    if isinstance(value, tuple):
        return [value_data(v) for v in value]
    if isinstance(value, XY):
        return {axis: value_data(v) for axis, v in (("x", value.x), ("y", value.y)) if v is not None}
    return value


def _item_data(item: Item, implied_id: str | None, plain: bool = False) -> dict[str, Any]:
    """One item; `plain` also leaves out arguments and p that were given at the library's defaults."""
    data: dict[str, Any] = {} if item.id == implied_id else {"id": item.id}
    if isinstance(item, Group):
        default_p = catalog.group(item.group).default_p
        data["group"] = item.group
        optional = {"n": item.n, "replace": None if plain and item.replace is True else item.replace}
        data |= {k: v for k, v in optional.items() if v is not None}
    else:
        default_p = catalog.transform(item.transform).default_p
        data["transform"] = item.transform
        args = catalog.changed_args(item) if plain else dict(item.args)
        if args:
            data["args"] = {k: value_data(v) for k, v in args.items()}
    if item.p is not None and not (plain and item.p == default_p):
        data["p"] = item.p
    if not item.enabled:
        data["enabled"] = False
    if isinstance(item, Group):
        ids = (None if plain else f"{item.id}.{i}" for i in range(len(item.steps)))
        data["steps"] = [_item_data(child, id, plain) for child, id in zip(item.steps, ids, strict=True)]
    return data
