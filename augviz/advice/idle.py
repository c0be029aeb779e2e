"""The rule about steps that leave every pixel as it is, and what tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from augviz import catalog, edits
from augviz.advice import amounts, flow
from augviz.advice.case import Case, Fix, Hit, Rule, Severity
from augviz.advice.changes import without
from augviz.advice.steps import axes, limits
from augviz.model import ParamKind, Step

_RANGES = (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE)


def _is_zero(*names: str) -> Callable[[Step, dict[str, Any]], bool]:
    return lambda step, _args: all(limits(step, name) == (0, 0) for name in names)


def _affine_is_still(step: Step, args: dict[str, Any]) -> bool:
    still = {"scale": 1, "translate_percent": 0, "translate_px": 0, "rotate": 0, "shear": 0}
    if all(args[name] is None for name in still):
        return False
    return all(
        axis is None or axis == (value, value)
        for name, value in still.items()
        if args[name] is not None
        for axis in axes(step, name)
    )


IDLE: dict[str, Callable[[Step, dict[str, Any]], bool]] = {
    "RandomBrightnessContrast": _is_zero("brightness_limit", "contrast_limit"),
    "HueSaturationValue": _is_zero("hue_shift_limit", "sat_shift_limit", "val_shift_limit"),
    "RandomGamma": lambda step, _args: limits(step, "gamma_limit") == (100, 100),
    "GaussianBlur": _is_zero("sigma_limit"),
    "Sharpen": _is_zero("alpha"),
    "Emboss": _is_zero("alpha"),
    "GaussNoise": lambda step, args: limits(step, "var_limit") == (0, 0) and args["mean"] == 0,
    "Rotate": _is_zero("limit"),
    "RandomScale": _is_zero("scale_limit"),
    "ElasticTransform": lambda _step, args: args["alpha"] == 0,
    "Affine": _affine_is_still,
}
"""Whether a step leaves every pixel as it is, by transform: its ranges hold nothing but what changes nothing."""


def does_nothing(case: Case) -> Iterator[Hit]:
    """A step whose ranges hold only the value that changes nothing, or a ToDtype to the format that is there already."""
    through = flow.of(case)
    for step in case.steps():
        args = catalog.resolved_args(step)
        if case.chance(step) <= 0:
            continue
        if step.transform == "ToDtype" and through.formats(step.id) == {args.get("dtype")}:
            message = f"ToDtype changes nothing: the image is {args['dtype']} already."
        elif step.transform in IDLE and IDLE[step.transform](step, args):
            names = [p.name for p in catalog.transform(step.transform).params if p.name in _telling(step)]
            message = f"{step.transform} changes nothing with {_values(args, names)}."
            message += " That is the library's default (D19)." if step.transform == "GaussianBlur" else ""
        else:
            continue
        evidence = f"It takes {amounts.cpu_text(case, step)} for no change."
        yield Hit(message, evidence, step.id, _something(case, step))


def _telling(step: Step) -> tuple[str, ...]:
    """The arguments that show that a step does nothing."""
    told = {
        "RandomBrightnessContrast": ("brightness_limit", "contrast_limit"),
        "HueSaturationValue": ("hue_shift_limit", "sat_shift_limit", "val_shift_limit"),
        "GaussNoise": ("var_limit", "mean"),
        "Affine": ("scale", "translate_percent", "translate_px", "rotate", "shear"),
        "ElasticTransform": ("alpha",),
    }
    ranges = (p.name for p in catalog.transform(step.transform).params if p.kind in _RANGES and p.name != "lightness")
    return told.get(step.transform) or tuple(name for name in ranges if name != "strength")


def _values(args: dict[str, Any], names: list[str]) -> str:
    shown = [(name, args[name]) for name in names if args[name] is not None]
    return " and ".join(f"{name}={value}" if not hasattr(value, "x") else name for name, value in shown)


def _something(case: Case, step: Step) -> Fix:
    """GaussianBlur with the sigmas that the editor begins with; anything else goes."""
    if step.transform == "GaussianBlur":
        start = catalog.transform("GaussianBlur").param("sigma_limit").start
        return Fix("Give it sigmas", edits.put(case.pipeline, step.with_args(sigma_limit=start)))
    return Fix(f"Remove {step.transform}", without(case.pipeline, step.id))


RULES: tuple[Rule, ...] = (
    Rule(
        "does-nothing",
        Severity.WARNING,
        "A step's ranges hold only the value that changes nothing (GaussianBlur's default is one, D19), or a ToDtype makes the "
        "format that is there. NoOp and fixed values that do something are spared.",
        does_nothing,
    ),
)
"""Rules of this module, the worst first."""
