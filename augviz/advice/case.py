"""What advice is made of: the case that rules look at, and what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from augviz import catalog
from augviz.model import Draw, DrawnLeaf, Group, Header, ImageFacts, Item, Pipeline, Step

MADE_FORMATS = {
    "Normalize": "float",
    "HueSaturationValue": "uchar",
    "HEDShift": "uchar",
    "Sharpen": "uchar",
    "Emboss": "uchar",
}
"""Formats that transforms make whatever they get. ToDtype's is its argument."""


class Severity(Enum):
    """How bad it is: ends the run or silently destroys data; is wrong or wasteful; is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Fix:
    """The pipeline in which a finding is mended, and what the button that takes it says, in a few words."""

    label: str
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a rule fires.

    Attributes:
        message: what is wrong and why, one or two sentences that name the step.
        evidence: what shows it for this pipeline and this image, with numbers computed or measured.
        step: id of the step or group, None for the pipeline as a whole.
        fix: None where nothing that augviz could do mends it.
    """

    message: str
    evidence: str
    step: str | None = None
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit with the rule's name and severity."""

    rule: str
    severity: Severity
    hit: Hit


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline, and as much as is known of what it is used on.

    Attributes:
        pipeline: as the user made it, steps that are off and groups that lack steps included.
        facts: the header of the image as the pipeline is fed it; None without an image: 8-bit RGB is then assumed.
        draw: the draw that is looked at; None without an image, or where a step cannot be drawn.
        draws: more draws for the same image, for what differs from one to the next.
        costs: measured CPU milliseconds per megapixel by transform, on this machine; the catalogue's where missing.
    """

    pipeline: Pipeline
    facts: ImageFacts | None = None
    draw: Draw | None = None
    draws: tuple[Draw, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)

    def steps(self) -> Iterator[Step]:
        """Every step that can run, in the order written: it and the groups around it are on."""
        for item, _chance in self.chances():
            if isinstance(item, Step):
                yield item

    def chances(self) -> Iterator[tuple[Item, float]]:
        """Every group and step that is on, with the probability that it is applied (a member: if chosen at all)."""

        def walk(items: tuple[Item, ...], outer: float) -> Iterator[tuple[Item, float]]:
            for item in items:
                if not item.enabled:
                    continue
                chance = outer * probability(item)
                yield item, chance
                if isinstance(item, Group):
                    yield from walk(item.steps, chance)

        return walk(self.pipeline.steps, 1.0)

    def chance(self, item: Item) -> float:
        """The probability that an item is applied, the groups around it included; 0 where it is off."""
        return next((chance for other, chance in self.chances() if other.id == item.id), 0.0)

    def is_random(self, step: Step) -> bool:
        """Whether a step is applied in some draws and not in others."""
        return 0 < self.chance(step) < 1

    def leaf(self, step: Step) -> DrawnLeaf | None:
        """What a step drew in the draw that is looked at."""
        return next((leaf for leaf in self.draw.leaves if leaf.id == step.id), None) if self.draw else None

    def all_draws(self) -> tuple[Draw, ...]:
        """The draw that is looked at, and the others."""
        return (() if self.draw is None else (self.draw,)) + self.draws

    def before(self, step: Step) -> Header:
        """Shape of the image as a step gets it.

        A draw can end before a step that cannot be drawn: what it has made then goes on, with the formats that are made
        in between. Without an image width and height are 0: unknown.
        """
        leaf = self.leaf(step)
        if leaf is not None:
            return leaf.before
        header = self.draw.result if self.draw is not None else self.source()
        for other in self.steps():
            if other.id == step.id:
                break
            if self.leaf(other) is None:
                header = replace(header, format=made_format(other, header.format))
        return header

    def source(self) -> Header:
        """Shape of what the pipeline is fed; without an image 0 x 0 pixels of 8-bit RGB."""
        if self.draw is not None:
            return self.draw.source
        return self.facts.header if self.facts is not None else Header(0, 0, 3, "uchar", "srgb")

    def megapixels_before(self, step: Step) -> float:
        """Megapixels that a step gets; 0 without an image."""
        header = self.before(step)
        return header.width * header.height / 1e6

    def cost(self, transform: str) -> float | None:
        """CPU milliseconds per megapixel of a transform: measured on this machine, else the catalogue's; None unknown."""
        return self.costs.get(transform, catalog.transform(transform).cost_ms_per_megapixel)

    def seen(self, step: Step) -> ImageFacts | None:
        """The facts of the image as a step gets it, for the catalogue's checks; None without an image."""
        return None if self.facts is None else replace(self.facts, header=self.before(step))


def probability(item: Item) -> float:
    """The probability of a step or group by itself: the one given, else the library's default for its class."""
    if item.p is not None:
        return item.p
    spec = catalog.group(item.group) if isinstance(item, Group) else catalog.transform(item.transform)
    return spec.default_p


def made_format(step: Step, before: str) -> str:
    """libvips format of what a step makes of an image of format `before`, if it is applied."""
    if step.transform == "ToDtype":
        wanted = catalog.resolved_args(step).get("dtype")
        return str(wanted) if before in ("uchar", "float", "double") else before  # 16 bit is left unchanged (D18)
    return MADE_FORMATS.get(step.transform, before)


Find = Callable[[Case], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table of rules.

    Attributes:
        name: in kebab case, what `advise` prints and tests name.
        about: one sentence for the document that lists the rules: when it fires, and why that matters.
        find: yields a hit for each place where it fires.
    """

    name: str
    severity: Severity
    about: str
    find: Find
