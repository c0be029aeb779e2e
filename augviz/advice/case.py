"""What advice is made of: the case that rules look at, and what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache

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
        also: ids of other steps that raise for this reason.
    """

    message: str
    evidence: str
    step: str | None = None
    fix: Fix | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit with the rule's name and severity."""

    rule: str
    severity: Severity
    hit: Hit


@dataclass(frozen=True, slots=True)
class Failure:
    """A draw that a step has made impossible.

    Attributes:
        step: id of the step, or of the group, that raised.
        reason: the library's words, or why the draw was refused.
    """

    seed: int
    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline, and as much as is known of what it is used on.

    Attributes:
        pipeline: as the user made it, steps that are off and groups that lack steps included.
        facts: the header of the image as the pipeline is fed it; None without an image: 8-bit RGB is then assumed.
        draw: the draw that is looked at; None without an image, or where a step cannot be drawn.
        draws: more draws for the same image, for what differs from one to the next.
        costs: measured CPU milliseconds per megapixel by transform, on this machine; the catalogue's where missing.
        float_costs: the same on float32; measured ratios stand in for what is missing.
        failures: draws for the same image that could not be made.
        stride: what the sides of every result have to be multiples of, in pixels; None where nothing is asked for.
        validation: whether the pipeline is used for validation, where every run should give the same.
        targets: what is augmented with each image, out of mask, masks, bboxes and keypoints; empty where nobody has said.
    """

    pipeline: Pipeline
    facts: ImageFacts | None = None
    draw: Draw | None = None
    draws: tuple[Draw, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)
    float_costs: Mapping[str, float] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    stride: int | None = None
    validation: bool = False
    targets: frozenset[str] = frozenset()

    def steps(self) -> Iterator[Step]:
        """Every step that can run, in the order written: it and the groups around it are on."""
        for item, _chance in self.chances():
            if isinstance(item, Step):
                yield item

    def chances(self) -> Iterator[tuple[Item, float]]:
        """Every group and step that is on, in the order written, with the probability that it is applied.

        A member's includes that it is chosen. It is exact but for SomeOf without replacement and with unequal weights.
        """
        return zip(_live(self.pipeline.steps), _chances_of(self.pipeline), strict=True)

    def chance(self, item: Item) -> float:
        """The probability that an item is applied, the groups around it included; 0 where it is off."""
        return next((chance for other, chance in self.chances() if other.id == item.id), 0.0)

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

    def cost(self, transform: str) -> float | None:
        """CPU milliseconds per megapixel of a transform: measured on this machine, else the catalogue's; None unknown."""
        return self.costs.get(transform, catalog.transform(transform).cost_ms_per_megapixel)

    def seen(self, step: Step) -> ImageFacts | None:
        """The facts of the image as a step gets it, for the catalogue's checks; None without an image."""
        return None if self.facts is None else replace(self.facts, header=self.before(step))


def probability(item: Item) -> float:
    """The probability of a step or group by itself: the one given, else the library's default for its class.

    1 for a step with always_apply, which ToTensor has unless it is told otherwise.
    """
    if isinstance(item, Step) and item.get("always_apply", item.transform == "ToTensor"):
        return 1.0
    return weight(item)


def weight(item: Item) -> float:
    """The p of an item, between 0 and 1: OneOf and SomeOf choose in proportion to it."""
    if item.p is not None:
        return min(1.0, max(0.0, item.p))
    spec = catalog.group(item.group) if isinstance(item, Group) else catalog.transform(item.transform)
    return spec.default_p


def _live(items: tuple[Item, ...]) -> Iterator[Item]:
    """The items that are on, as are the groups around them, parents first."""
    for item in items:
        if item.enabled:
            yield item
            yield from _live(item.steps if isinstance(item, Group) else ())


@lru_cache(maxsize=64)
def _chances_of(pipeline: Pipeline) -> tuple[float, ...]:
    """The chances of `_live`, which every rule asks for. No items: pipelines are equal whose arguments are 1 and 1.0."""
    return tuple(chance for _item, chance in _chances(pipeline.steps, 1.0, False))


def _chances(items: tuple[Item, ...], outer: float, forced: bool) -> Iterator[tuple[Item, float]]:
    """Of items that are called one after the other. Where `forced`, the first is applied for certain (D51)."""
    for number, item in enumerate(item for item in items if item.enabled):
        yield from _chance_of(item, outer, forced and number == 0)


def _chance_of(item: Item, outer: float, forced: bool) -> Iterator[tuple[Item, float]]:
    """Of one item that is reached with the probability `outer`, and of its members."""
    ignores_p = isinstance(item, Group) and item.group in ("Sequential", "OneOrOther")  # D51
    chance = outer if forced or ignores_p else outer * probability(item)
    yield item, chance
    if not isinstance(item, Group):
        return
    if item.group == "Sequential":
        yield from _chances(item.steps, chance, forced)
        return
    members = [member for member in item.steps if member.enabled]
    for member, share in zip(members, _shares(item, members), strict=True):
        yield from _chance_of(member, chance * share, True)


def _shares(group: Group, members: list[Item]) -> list[float]:
    """The probability that each member is chosen at least once, if the group is applied."""
    if group.group == "OneOrOther":
        first = weight(group)
        between = [0.0] * (len(members) - 2)  # one member is called either way, and of more the first and the last
        return [first, *between, 1 - first] if len(members) > 1 else [1.0] * len(members)
    total = sum(map(weight, members))
    shares = [weight(member) / total if total else 0.0 for member in members]
    if group.group == "OneOf":
        return shares
    count = 1 if group.n is None else max(0, group.n)
    if group.replace is False:
        return [1.0 if count >= len(members) else min(1.0, count * share) for share in shares]
    return [1 - (1 - share) ** count for share in shares]


def made_format(step: Step, before: str) -> str:
    """libvips format of what a step makes of an image of format `before`, if it is applied."""
    if step.transform == "ToDtype":
        wanted = catalog.resolved_args(step).get("dtype")
        return str(wanted) if before in ("uchar", "float", "double") else before  # 16 bit is left unchanged (D18)
    if step.transform == "Normalize" and before == "double":
        return "double"
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
