"""Rules on what goes with an image: masks, bounding boxes and keypoints that a step moves otherwise than the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from augviz.advice import arriving
from augviz.advice.case import Case, Hit, Rule, Severity
from augviz.advice.steps import images
from augviz.advice.troubles import TROUBLES, Trouble
from augviz.model import Step

__all__ = ["RULES"]

WORDS = {"mask": "masks", "masks": "masks", "bboxes": "boxes", "keypoints": "keypoints"}
"""What each target of the library is called in a sentence."""


def _met(case: Case, *severities: Severity) -> Iterator[tuple[Step, Trouble]]:
    for step in case.steps():
        if case.chance(step) <= 0 or "" in arriving.troubled(case, step):
            continue
        for trouble in TROUBLES:
            if step.transform in trouble.transforms and trouble.severity in severities and trouble.meets(case, step):
                yield step, trouble


def _named(severity: Severity) -> Callable[[Case], Iterator[Hit]]:
    """The troubles of one severity with the targets that the case names."""

    def find(case: Case) -> Iterator[Hit]:
        named = case.targets | ({"mask"} if "masks" in case.targets else set())
        for step, trouble in _met(case, severity):
            if trouble.target in named:
                evidence = f"{trouble.measured} Here {images(case, step)}."
                yield Hit(f"{step.transform} {trouble.text}.", evidence, step.id, trouble.fix(case, step))

    return find


def _untold(case: Case) -> Iterator[Hit]:
    """One note for the whole pipeline where nobody has said which targets there are."""
    if case.targets:
        return
    by_target: dict[str, dict[str, None]] = {}
    measured: dict[str, str] = {}
    for step, trouble in _met(case, Severity.ERROR, Severity.WARNING):
        by_target.setdefault(WORDS[trouble.target], {})[step.transform] = None
        measured.setdefault(step.transform, f"{step.transform} {trouble.text}. {trouble.measured}")
    if by_target:
        lists = "; ".join(f"{words} by {', '.join(names)}" for words, names in by_target.items())
        message = f"If anything goes with the images, it does not follow them everywhere: {lists}."
        yield Hit(message, " ".join(measured.values()))


_COMPOSE: Mapping[str, tuple[str, str]] = {
    "bboxes": (
        "A.Compose with bbox_params always raises on pyvips images: call the transforms one by one with bboxes from 0 to 1, or "
        "keep boxes as corners in keypoints (D7)",
        "AttributeError with an empty message, for all 4 formats of boxes, also without a box.",
    ),
    "keypoints": (
        "A.Compose with keypoint_params always raises on pyvips images: leave it out and pass (x, y, angle, scale) (D7)",
        "AttributeError with an empty message, for keypoints of 2 numbers as of 4.",
    ),
    "masks": (
        "A.Compose always raises for masks: pass one pyvips image as mask, with a band for each (D8)",
        "With 1 mask and more: AttributeError for pyvips images, TypeError for arrays.",
    ),
}


def _compose(case: Case) -> Iterator[Hit]:
    for target, (message, evidence) in _COMPOSE.items():
        if target in case.targets and any(True for _ in case.steps()):
            yield Hit(f"{message}.", evidence)


RULES: tuple[Rule, ...] = (
    Rule(
        "compose-raises-for-targets",
        Severity.ERROR,
        "Boxes, keypoints or masks are augmented, which A.Compose cannot do with pyvips images (D7, D8).",
        _compose,
    ),
    Rule(
        "targets-raise",
        Severity.ERROR,
        "A step raises for a target that is augmented with the image (D4, D28, D34).",
        _named(Severity.ERROR),
    ),
    Rule(
        "targets-elsewhere",
        Severity.WARNING,
        "A step puts a target elsewhere than the image (D5, D23, D24, D26, D28, D29, D34).",
        _named(Severity.WARNING),
    ),
    Rule(
        "targets-slightly-off",
        Severity.NOTE,
        "A step puts a target a pixel or two off the image (D30, D31, D50).",
        _named(Severity.NOTE),
    ),
    Rule(
        "targets-unknown",
        Severity.NOTE,
        "Nobody has said which targets there are: one note on what does not follow the image (D4, D5, D23, D24, D26, D28, D34).",
        _untold,
    ),
)
"""The worst first."""
