"""Rules about doing it again: steps that ignore seeds, and what the library can neither replay nor save."""

from __future__ import annotations

from collections.abc import Iterator

from augviz import catalog
from augviz.advice.case import Case, Hit, Rule, Severity
from augviz.advice.changes import name_of
from augviz.advice.steps import percent
from augviz.model import Caveat, Group, Item

UNSEEDED = ("D41",)
NOT_REPLAYED = ("D35", "D36", "D37")
NOT_SAVED = ("D38", "D39")
"""The defects by which the catalogue's rows tell of each."""


def _caveat(item: Item, defects: tuple[str, ...]) -> Caveat | None:
    spec = catalog.group(item.group) if isinstance(item, Group) else catalog.transform(item.transform)
    return next((caveat for caveat in spec.caveats if caveat.defect in defects), None)


def _with(case: Case, defects: tuple[str, ...]) -> Iterator[tuple[Item, Caveat, float]]:
    """Every item that can be applied and has one of the defects, with its caveat and its chance."""
    for item, chance in case.chances():
        caveat = _caveat(item, defects)
        if caveat is not None and chance > 0:
            yield item, caveat, chance


def ignores_seeds(case: Case) -> Iterator[Hit]:
    """libvips seeds its noise by itself (D41)."""
    for item, _, chance in _with(case, UNSEEDED):
        message = (
            f"{name_of(item)} ignores every seed: libvips seeds its own noise, so a training run cannot be repeated exactly "
            "(D41). augviz passes a seed where it draws, and the script of a draw does."
        )
        yield Hit(message, f"{percent(chance)} of the images differ between two runs of the same seed.", item.id)


def not_replayed(case: Case) -> Iterator[Hit]:
    """A.ReplayCompose raises, or draws anew."""
    for item, caveat, chance in _with(case, NOT_REPLAYED):
        what = "a replay draws new noise, and gives another image" if caveat.defect == "D36" else "it raises"
        message = (
            f"A.ReplayCompose cannot replay {name_of(item)}: {what} ({caveat.defect}). The script of a draw, which augviz "
            "exports, repeats it."
        )
        yield Hit(message, f"{percent(chance)} of the images meet it.", item.id)


def not_saved(case: Case) -> Iterator[Hit]:
    """A.save forgets an argument, or raises and leaves a truncated file: told of the first step at which it does."""
    items = [item.id for item, _ in case.chances()]
    for item, caveat, _chance in _with(case, NOT_SAVED):
        if caveat.defect == "D39" and (isinstance(item, Group) or item.get("position", "centre") == "centre"):
            continue
        number = items.index(item.id) + 1
        if caveat.defect == "D39":
            message = f"{name_of(item)} forgets its position when the library saves it (D39)."
            yield Hit(message, f"Item {number} of {len(items)} comes back at the centre.", item.id)
            continue
        message = (
            f"A.save raises at {name_of(item)}, whose interpolation it cannot write, and leaves a truncated file (D38): keep "
            "the pipeline as code or in augviz' own form."
        )
        evidence = f"Saving this pipeline stops at item {number} of {len(items)}; nothing behind it is written."
        yield Hit(message, evidence, item.id)
        return


RULES: tuple[Rule, ...] = (
    Rule(
        "ignores-seeds",
        Severity.NOTE,
        "GaussNoise or ElasticTransform can be applied: libvips seeds their noise itself (D41). Nothing mends it but doing "
        "without.",
        ignores_seeds,
    ),
    Rule(
        "not-replayed",
        Severity.NOTE,
        "A.ReplayCompose raises for a step or group, or gives another image (D35, D36, D37).",
        not_replayed,
    ),
    Rule(
        "not-saved",
        Severity.NOTE,
        "A.save raises for a step, or forgets one of its arguments (D38, D39).",
        not_saved,
    ),
)
"""Rules of this module, the worst first."""
