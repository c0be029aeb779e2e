"""What `A.to_dict` and `A.save` give of a pipeline: every argument of every transform, as JSON data."""

from __future__ import annotations

import re
from typing import Any

from augviz import catalog, saved, translate
from augviz.checks import PAIR_KINDS
from augviz.items import COMPOSES, group_data, nested_compose, note_compose, step_data, translated, translated_group
from augviz.model import Step
from augviz.notes import Notes

_INTERPOLATE_OBJECT = re.compile(r"<pyvips\.\S*Interpolate\b.*>")


def root(data: object) -> dict[str, Any] | None:
    """The outermost entry of what `A.to_dict` gave; None if the data is something else."""
    found = data.get("transform", data) if isinstance(data, dict) else None
    return found if isinstance(found, dict) and "__class_fullname__" in found else None


def steps(root: dict[str, Any], version: object, notes: Notes) -> list[dict[str, Any]]:
    """The items in the saved form, as far as they can be read.

    Args:
        version: what the file gives as the version of the library.
    """
    reader = _Reader(notes, _is_plain(version, root))
    if _last(root["__class_fullname__"]) not in COMPOSES:
        return reader.items([root], 0)
    note_compose(root, None, notes)
    return reader.items(root.get("transforms"), 0)


def _is_plain(version: object, root: dict[str, Any]) -> bool:
    """Whether albumentations wrote it: albumentationsxl says that it is version 1.3.1, and knows its own arguments."""
    if isinstance(version, str) and version != "1.3.1":
        return True
    stack: list[Any] = [root]
    while stack:
        entry = stack.pop()
        if not isinstance(entry, dict):
            continue
        stack += entry["transforms"] if isinstance(entry.get("transforms"), list) else []
        full = str(entry.get("__class_fullname__"))
        spec = catalog.TRANSFORMS.get(full.split(".")[-1])
        known = {p.name for p in spec.params} if spec else set()
        if full.startswith(f"{translate.PLAIN}.") or (
            spec is None and full.split(".")[-1] in (translate.NEAREST | translate.SAME)
        ):
            return True
        if spec and (set(entry) - known - {"__class_fullname__", "always_apply", "p"} or _is_cv2(entry)):
            return True
    return False


def _is_cv2(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("interpolation"), int) or isinstance(entry.get("border_mode"), int)


class _Reader:
    """Reads the entries of one file."""

    def __init__(self, notes: Notes, plain: bool) -> None:
        self._notes = notes
        self._plain = plain

    def items(self, entries: object, depth: int, chosen: bool = False) -> list[dict[str, Any]]:
        if not isinstance(entries, list):
            self._notes.add(None, "transforms is no list; it was left out.")
            return []
        if depth > saved.MAX_DEPTH:
            self._notes.add(None, f"Groups are nested deeper than {saved.MAX_DEPTH}; what is deeper was left out.")
            return []
        items = [self._item(entry, depth, chosen) for entry in entries]
        return [item for item in items if item is not None]

    def _item(self, entry: object, depth: int, chosen: bool) -> dict[str, Any] | None:
        if not isinstance(entry, dict) or not isinstance(entry.get("__class_fullname__"), str):
            self._notes.add(None, "An entry has no __class_fullname__; it was left out.")
            return None
        name = _last(entry["__class_fullname__"])
        values = {k: v for k, v in entry.items() if not k.startswith("__") and k != "transforms"}
        if name in COMPOSES:
            steps = self.items(entry.get("transforms"), depth + 1, chosen)
            return nested_compose(steps, entry.get("p", 1.0), chosen, None, self._notes)
        if name in catalog.GROUPS:
            steps = self.items(entry.get("transforms"), depth + 1, chosen or name != "Sequential")
            if self._plain:
                values = translated_group(name, values, None, self._notes)
            return group_data(name, steps, values, None, self._notes)
        return self._step(name, values)

    def _step(self, name: str, values: dict[str, Any]) -> dict[str, Any] | None:
        for key, value in list(values.items()):
            if isinstance(value, str) and _INTERPOLATE_OBJECT.fullmatch(value):
                del values[key]
                self._notes.add(None, f"{name}: the file does not tell which {key} (D38); the default is taken.")
        if self._plain or name not in catalog.TRANSFORMS:
            taken = translated(name, values, None, self._notes)
            if taken is None:
                return None
            name, values = taken
        elif name == "PadIfNeeded" and "position" not in values:
            self._notes.add(None, "PadIfNeeded: the file does not tell its position (D39); the centre is taken.", False)
        data = step_data(name, values, None, self._notes)
        return data and _without_defaults(data)


def _last(full_name: object) -> str:
    return str(full_name).rsplit(".", 1)[-1]


def _without_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """A step without what the library does anyway: files of `A.to_dict` hold every argument."""
    step = saved.load({"format": saved.FORMAT, "steps": [data]}).steps[0]
    assert isinstance(step, Step)
    spec = catalog.transform(step.transform)
    args = dict(catalog.changed_args(step))
    if args.get("always_apply") == (step.transform == "ToTensor"):
        del args["always_apply"]
    for param in spec.params:
        if param.kind in PAIR_KINDS and param.name in args:
            ends, usual = catalog.pair(param, args[param.name]), catalog.pair(param, param.default)
            # RandomScale gives -0.09999999999999998 for -0.1
            args[param.name] = rounded = tuple(round(e, 12) for e in ends) if ends else args[param.name]
            if usual and rounded == usual:
                del args[param.name]
    kept: dict[str, Any] = {"transform": step.transform}
    if args:
        kept["args"] = {key: saved.value_data(value) for key, value in args.items()}
    return kept if step.p in (None, spec.default_p) else {**kept, "p": step.p}
