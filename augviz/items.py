"""Steps and groups in the saved form, made from names and values that somebody wrote elsewhere.

What is not valid is left out with a note. The rules are those of `saved`, which is asked about each step and argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from augviz import catalog, saved, translate
from augviz.errors import PipelineError
from augviz.model import REQUIRED, ParamKind, TransformSpec
from augviz.notes import Notes

COMPOSES = ("Compose", "ReplayCompose")


@dataclass(frozen=True, slots=True)
class Interpolate:
    """A `pyvips.Interpolate`, by its name."""

    name: Any


def step_data(name: str, values: Mapping[str, Any], line: int | None, notes: Notes) -> dict[str, Any] | None:
    """A step in the saved form, without the arguments that are not valid; None if it cannot be without them."""
    spec = catalog.transform(name)
    if spec.unusable:
        notes.add(line, f"{name}: it cannot be used, {spec.unusable}.")
        return None
    args = {key: _argument_data(spec, key, value, line, notes) for key, value in values.items()}
    data: dict[str, Any] = {"transform": name}
    if "p" in args:
        data |= _valid({"transform": name, "args": _required(spec)}, "p", args.pop("p"), line, notes)
    kept = {}
    for key, value in args.items():
        refused = _refusal({"transform": name, "args": {**_required(spec), key: value}})
        if refused:
            notes.add(line, f"{refused.rstrip('.')}; the argument was left out.")
        else:
            kept[key] = value
    if kept:
        data["args"] = kept
    refused = _refusal(data)
    if refused:
        notes.add(line, f"{refused.rstrip('.')}; the step was left out.")
        return None
    return data


def _required(spec: TransformSpec) -> dict[str, Any]:
    """Valid values of what must be given, so that the others can be asked about one by one."""
    return {p.name: saved.value_data(p.start) for p in spec.params if p.default is REQUIRED}


def _refusal(item: dict[str, Any]) -> str:
    """Why the saved form does not take an item, "" if it does. The rule is `saved`'s."""
    try:
        saved.load({"format": saved.FORMAT, "steps": [item]})
    except PipelineError as error:
        return str(error).removeprefix("steps[0], ")
    return ""


def _valid(item: dict[str, Any], key: str, value: Any, line: int | None, notes: Notes) -> dict[str, Any]:
    """`{key: value}` if `item` can have it, else nothing and a note."""
    refused = _refusal({**item, key: _data(value)})
    if refused:
        notes.add(line, f"{refused.rstrip('.')}; the default is used.")
        return {}
    return {key: _data(value)}


def _argument_data(spec: TransformSpec, key: str, value: Any, line: int | None, notes: Notes) -> Any:
    kinds = {p.name: p.kind for p in spec.params}
    interpolates = kinds.get(key) is ParamKind.INTERPOLATE
    if isinstance(value, Interpolate):
        return value.name if interpolates else {"pyvips.Interpolate": value.name}  # refused, with its name shown
    if interpolates and isinstance(value, str) and line is not None:
        notes.add(line, f"{spec.name}: {key} is read as pyvips.Interpolate.new({value!r}), as the library asks.", False)
    if spec.name == "Normalize" and isinstance(value, tuple):
        notes.add(line, f"{spec.name}: {key} is read as a list, the library refuses a tuple (D15).", False)
    return _data(value)


def _data(value: Any) -> Any:
    """A value in JSON types."""
    if isinstance(value, list | tuple):
        return [_data(v) for v in value]
    if isinstance(value, dict):
        return {k: _data(v) for k, v in value.items()}
    return {"pyvips.Interpolate": value.name} if isinstance(value, Interpolate) else value


def group_data(
    name: str, steps: list[dict[str, Any]], values: Mapping[str, Any], line: int | None, notes: Notes
) -> dict[str, Any] | None:
    """A group in the saved form; None if it cannot be one."""
    spec = catalog.group(name)
    if not steps:
        notes.add(line, f"{name}: none of its steps could be read; the group was left out.")
        return None
    probe = {"group": name, "steps": [{"transform": "NoOp"}] * spec.min_steps, **({"n": 1} if spec.has_n else {})}
    data: dict[str, Any] = {"group": name}
    for key, value in values.items():
        data |= _valid(probe, key, value, line, notes)
    data["steps"] = steps
    if spec.has_n and "n" not in data:
        notes.add(line, f"{name}: n, how many steps to apply, could not be read; the group was left out.")
        return None
    return _one_or_other(data, line, notes) if name == "OneOrOther" else data


def _one_or_other(data: dict[str, Any], line: int | None, notes: Notes) -> dict[str, Any]:
    """The library takes the first and the last of whatever number of steps, and forces them."""
    steps = data["steps"]
    if len(steps) == 1:
        notes.add(line, "OneOrOther: it has one step only, which is always applied; it is read as OneOf.", False)
        return {"group": "OneOf", "p": 1.0, "steps": steps}
    if len(steps) > 2:
        notes.add(line, "OneOrOther: the library uses the first and the last of its steps only.", False)
        return {**data, "steps": [steps[0], steps[-1]]}
    return data


def translated(
    name: str, values: Mapping[str, Any], line: int | None, notes: Notes
) -> tuple[str, dict[str, Any]] | None:
    """A transform of plain albumentations as one of albumentationsxl, None where there is none."""
    taken = translate.take(name, values)
    for remark in taken.remarks:
        notes.add(line, remark.text, remark.lost)
    if not taken.name:
        return None
    kinds = {p.name: p.kind for p in catalog.transform(taken.name).params}
    args = {key: list(value) if isinstance(value, tuple) else value for key, value in taken.args.items()}
    return taken.name, {
        key: Interpolate(value) if kinds.get(key) is ParamKind.INTERPOLATE and isinstance(value, str) else value
        for key, value in args.items()
    }


def translated_group(name: str, values: Mapping[str, Any], line: int | None, notes: Notes) -> dict[str, Any]:
    """The arguments of a group of plain albumentations as those of albumentationsxl."""
    taken = translate.take_group(name, values)
    for remark in taken.remarks:
        notes.add(line, remark.text, remark.lost)
    return taken.args


def note_compose(given: Mapping[str, Any], line: int | None, notes: Notes) -> None:
    """Say what of a Compose's own arguments has no place in a pipeline."""
    for key in ("bbox_params", "keypoint_params", "additional_targets"):
        if given.get(key):
            notes.add(line, f"{key} is set aside: a pipeline here is for images.", False)
    p = given.get("p", 1.0)
    if not isinstance(p, int | float) or p < 1:
        notes.add(line, f"Compose: p={str(p)[:20]} has no place here; its steps always run, each with its own p.")


def nested_compose(
    steps: list[dict[str, Any]], p: Any, chosen: bool, line: int | None, notes: Notes
) -> dict[str, Any] | None:
    """A Compose inside of another as a Sequential.

    Args:
        chosen: whether a OneOf, SomeOf or OneOrOther is around it; that forces a Sequential's first step (D51), and
            takes p for a weight.
    """
    text = "Compose inside of Compose is read as Sequential"
    if chosen and steps and _probability(steps[0]) < 1:
        notes.add(line, f"{text}, whose first step is forced where a group chooses it (D51).")
    elif not chosen and not (isinstance(p, int | float) and p >= 1):
        notes.add(line, f"{text}, which always runs; p={str(p)[:20]} has no place here.")
    else:
        notes.add(line, f"{text}.", False)
    return group_data("Sequential", steps, {"p": p}, line, notes)


def _probability(item: Mapping[str, Any]) -> float:
    spec = catalog.group(item["group"]) if "group" in item else catalog.transform(item["transform"])
    p: float = item.get("p", spec.default_p)
    return p


def numbered(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items with the ids s1, s2 ..., groups before their members."""
    count = 0

    def walk(level: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        nonlocal count
        numbered = []
        for item in level:
            count += 1
            numbered.append({**item, "id": f"s{count}"})
            if "steps" in item:
                numbered[-1]["steps"] = walk(item["steps"])
        return numbered

    return walk(steps)
