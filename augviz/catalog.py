"""What albumentationsxl 0.1.2 offers: every public transform and composition, their bounds, and what to know of them.

Knows the library by its table only (`catalog_rows`, `checks`) and never imports it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from augviz import catalog_rows as rows
from augviz.checks import PAIR_KINDS, is_number, pair, pairs, white
from augviz.errors import PipelineError
from augviz.model import (
    REQUIRED,
    XY,
    Caveat,
    GroupSpec,
    ImageFacts,
    ParamKind,
    ParamSpec,
    Problem,
    Side,
    Step,
    TransformSpec,
    Value,
)

__all__ = [
    "CROPS",
    "EXTENDS",
    "FAMILIES",
    "GENERAL_CAVEATS",
    "GROUPS",
    "INTERPOLATORS",
    "KERNELS",
    "PAIR_KINDS",
    "RESIZES",
    "TRANSFORMS",
    "bounds",
    "changed_args",
    "group",
    "initial_step",
    "mended",
    "pair",
    "problems",
    "resolved_args",
    "transform",
    "white",
]

INTERPOLATORS = rows.INTERPOLATORS
KERNELS = rows.KERNELS
EXTENDS = rows.EXTENDS
EIGHT_BIT_ONLY = rows.EIGHT_BIT_ONLY
FILLS = {"Rotate": "value", "Affine": "cval", "ElasticTransform": "value"}
"""The argument by which a transform that fills what is outside the image is told with what."""
CROPS = frozenset({"RandomCrop", "CenterCrop", "Crop", "CropOrPad"})
"""Transforms that need no more of their input than they keep of it. CropOrPad alone may also add to it."""
RESIZES: tuple[str, ...] = tuple(row.name for row in rows.RESIZE)
"""Transforms that make the image larger or smaller by making values at positions between its pixels."""
WIDER_INTEGERS = ("ushort", "short", "uint", "int")
"""libvips' formats of whole numbers that are wider than 8 bit."""
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(row.family for row in rows.ROWS))
TRANSFORMS: dict[str, TransformSpec] = {row.name: row for row in rows.ROWS}
GROUPS: dict[str, GroupSpec] = {row.name: row for row in rows.GROUP_ROWS}
GENERAL_CAVEATS: tuple[Caveat, ...] = rows.GENERAL


FEW_NAMES = 8
"""No more names than this are listed in a sentence."""


def _unknown(kind: str, name: str, known: Iterable[str]) -> PipelineError:
    names = tuple(known)
    if name in TRANSFORMS or name in GROUPS:
        other = "group" if kind == "transform" else "transform"
        return PipelineError(f"{name} is a {other}, not a {kind}.")
    name = str(name)[:60]  # it may come from outside
    lowered = {n.lower(): n for n in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    if close:
        hint = f"did you mean {lowered[close[0]]}?"
    elif len(names) <= FEW_NAMES:
        hint = f"there are {', '.join(names)}."
    else:
        hint = f"there are {len(names)}, which the page Transforms and docs/what-works.md list."
    return PipelineError(f"There is no {kind} {name!r}; {hint}")


def transform(name: str) -> TransformSpec:
    """The row of the transform called `name`. Raises PipelineError, with a suggestion, if there is none."""
    if name not in TRANSFORMS:
        raise _unknown("transform", name, TRANSFORMS)
    return TRANSFORMS[name]


def group(name: str) -> GroupSpec:
    """The row of the composition called `name`. Raises PipelineError, with a suggestion, if there is none."""
    if name not in GROUPS:
        raise _unknown("group", name, GROUPS)
    return GROUPS[name]


def resolved_args(step: Step) -> dict[str, Any]:
    """The step's arguments over the library's defaults, in the library's order.

    REQUIRED parameters that were not given are absent; `always_apply` is there only if it was given.

    Raises:
        PipelineError: unknown transform or argument.
    """
    spec = transform(step.transform)
    given = dict(step.args)
    for name in given:
        if name != "always_apply":
            spec.param(name)
    full = {p.name: given.get(p.name, p.default) for p in spec.params}
    extra = {k: v for k, v in given.items() if k not in full}
    return {k: v for k, v in full.items() if v is not REQUIRED} | extra


def bounds(param: ParamSpec, facts: ImageFacts | None) -> tuple[float | int | None, float | int | None]:
    """Least and greatest value of `param` for an image: the row's, and not beyond the image's side if it bounds it.

    Sizes as a fraction (floats of kind SIZE) lie between 0 and 1, exclusive, whatever the bounds.
    """
    if param.bounded_by is None or facts is None:
        return param.min_value, param.max_value
    w, h = facts.header.width, facts.header.height
    side = {Side.WIDTH: w, Side.HEIGHT: h, Side.SHORTER: min(w, h), Side.LONGER: max(w, h)}[param.bounded_by]
    if param.max_value is not None:
        side = min(side, int(param.max_value))
    if param.kind is ParamKind.ODD_RANGE and side % 2 == 0:
        side -= 1
    return param.min_value, side


def _numbers(value: Any) -> list[Any]:
    if isinstance(value, XY):
        return [*_numbers(value.x), *_numbers(value.y)]
    if isinstance(value, tuple):
        return [n for v in value for n in _numbers(v)]
    return [value] if is_number(value) else []


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with every number in it changed."""
    if isinstance(value, XY):
        return XY(_mapped(value.x, change), _mapped(value.y, change))
    if isinstance(value, tuple):
        return tuple(_mapped(v, change) for v in value)
    return change(value) if is_number(value) else value


def _text(value: Any) -> str:
    numbers = _numbers(value)
    return " to ".join(f"{n:g}" for n in numbers) if len(numbers) == 2 else ", ".join(f"{n:g}" for n in numbers)


def _bounds_problem(param: ParamSpec, value: Any, facts: ImageFacts | None) -> Problem | None:
    """Why the numbers of `value` are out of bounds."""
    if param.kind is ParamKind.SIZE and isinstance(value, float):
        if 0 < value < 1:
            return None
        return Problem(
            f"{param.name} as a fraction must lie between 0 and 1, exclusive, got {value:g}.", ((param.name, 0.1),)
        )
    low, high = bounds(param, facts)
    full = pair(param, value) if param.kind in PAIR_KINDS else value
    full = value if full is None else full
    numbers = _numbers(full)
    if all((low is None or n >= low) and (high is None or n <= high) for n in numbers):
        return None

    def clamp(n: Any) -> Any:
        n = n if low is None else max(n, low)
        return n if high is None else min(n, high)

    if low is not None and high is not None:
        limit = f"lie within {low:g} and {high:g}" if low <= high else f"be at least {low:g}, more than the image has"
    else:
        limit = f"be at least {low:g}" if low is not None else f"be at most {high:g}"
    unit = f" {param.unit}" if param.unit else ""
    fix = ((param.name, _mapped(full, clamp)),) if low is None or high is None or low <= high else ()
    return Problem(f"{param.name} must {limit}{unit}, got {_text(full)}.", fix)


def _order_problem(param: ParamSpec, value: Any) -> Problem | None:
    """Why a range is no range: reversed ends, or even ends where only odd kernels are sound."""
    if param.kind not in (*PAIR_KINDS, ParamKind.XY_RANGE):
        return None
    for low, high in pairs(param, value):
        if low > high:
            fix = XY(*(_in_order(v) for v in (value.x, value.y))) if isinstance(value, XY) else (high, low)
            return Problem(f"{param.name} must run from low to high, got {low:g} to {high:g}.", ((param.name, fix),))
        if param.kind is ParamKind.ODD_RANGE and (low % 2 == 0 or high % 2 == 0):
            fixed = (low + 1 - low % 2, high - 1 + high % 2)
            fixed = (min(fixed), max(fixed))
            return Problem(f"{param.name} must have odd ends, got {low:g} to {high:g}.", ((param.name, fixed),))
    return None


def _in_order(value: Any) -> Any:
    return tuple(sorted(value)) if isinstance(value, tuple) else value


def _value_problem(param: ParamSpec, value: Any, facts: ImageFacts | None) -> Problem | None:
    if value is None:
        if param.optional:
            return None
        # A default that is None but not optional has a check that names the reason (PadIfNeeded's value, D4).
        return (
            None if param.default is None else Problem(f"{param.name} must be given.", ((param.name, param.initial),))
        )
    if param.choices:
        if value in param.choices:
            return None
        close = difflib.get_close_matches(str(value), param.choices, n=1) or param.choices[:1]
        return Problem(
            f"{param.name} must be one of {', '.join(param.choices)}, got {value}.", ((param.name, close[0]),)
        )
    return _bounds_problem(param, value, facts) or _order_problem(param, value)


def problems(step: Step, facts: ImageFacts | None = None) -> tuple[Problem, ...]:
    """What is wrong with a step's arguments: bounds of each first, and the rules across them if those hold.

    Args:
        step: its transform and arguments must be known.
        facts: the image that the step gets, at full size; without it nothing about its size or bands is checked.

    Returns:
        One problem per argument or rule; each message begins with the transform's name.
    """
    spec = transform(step.transform)
    if spec.unusable:
        return (Problem(f"{spec.name}: {spec.unusable}."),)
    args = resolved_args(step)
    found = [_value_problem(p, args.get(p.name), facts) for p in spec.params if p.name in args]
    missing = [p for p in spec.params if p.name not in args]
    found += [Problem(f"{p.name} must be given.", ((p.name, p.start),)) for p in missing]
    if not any(found):
        found = [check(args, facts) for check in spec.checks]
    return tuple(Problem(f"{spec.name}: {p.message}", p.fix) for p in found if p is not None)


def mended(step: Step, facts: ImageFacts | None = None) -> Step:
    """The step with the fixes of its problems applied, as far as there are any."""
    for _ in range(4):
        fixes = [fix for problem in problems(step, facts) for fix in problem.fix]
        if not fixes:
            break
        step = step.with_args(**dict(fixes))
    return step


def _statistics(tutorial: tuple[float, ...], bands: int, alpha: float) -> Value:
    """The tutorial's statistics for a number of bands: an alpha band is left alone, other counts take their average."""
    average = round(sum(tutorial) / len(tutorial), 3)
    if bands == 3:
        return tutorial
    if bands == 4:
        return (*tutorial, alpha)
    return (average,) if bands == 1 else (average,) * bands


def _resized(facts: ImageFacts) -> dict[str, Value]:
    """The image's shape with a longer side of at most 1024 px."""
    w, h = facts.header.width, facts.header.height
    factor = min(1.0, 1024 / max(w, h))
    return {"height": max(1, round(h * factor)), "width": max(1, round(w * factor))}


def _fitting(name: str, facts: ImageFacts) -> dict[str, Value]:
    """Arguments that the editor begins with because of the image: statistics, fills, sizes."""
    bands = facts.header.bands
    fill = white(facts)
    if name == "Normalize":
        return {"mean": _statistics(rows.TUTORIAL_MEAN, bands, 0.0), "std": _statistics(rows.TUTORIAL_STD, bands, 1.0)}
    if name == "PadIfNeeded":
        return {"value": fill}
    if name == "Resize":
        return _resized(facts)
    if name == "GaussNoise" and bands != 3:
        return {"per_channel": False}
    if name in FILLS and fill != 255:
        return {FILLS[name]: fill}
    return {}


def initial_step(name: str, id: str, facts: ImageFacts | None = None) -> Step:
    """What the editor adds for a transform: the arguments that are required, or whose default will not do.

    Args:
        name: of the transform; raises PipelineError if there is none.
        id: of the new step.
        facts: the image, for sizes within it, statistics by band, fills by format.
    """
    spec = transform(name)
    start: dict[str, Value] = {
        p.name: p.initial for p in spec.params if p.default is REQUIRED or p.initial != p.default
    }
    if facts is not None:
        start |= _fitting(name, facts)
    step = mended(Step(id, name, tuple(start.items())), facts)
    needed = {p.name for p in spec.params if p.default is REQUIRED}
    kept = {k: v for k, v in step.args if k in needed or not _same(v, spec.param(k).default)}
    return Step(id, name, tuple(kept.items()))


def _same(value: Any, default: Any) -> bool:
    """Whether `value` is the default, in value and type: 1.0 is not 1, since sizes tell pixels from fractions by it."""
    if type(value) is not type(default):
        return False
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value == default)


def changed_args(step: Step) -> Mapping[str, Value]:
    """The arguments that differ from the library's defaults."""
    spec = transform(step.transform)
    defaults = {p.name: p.default for p in spec.params}
    return {k: v for k, v in step.args if k not in defaults or not _same(v, defaults[k])}
