"""Which sizes and formats an image can have at each step, over every draw: arithmetic on the arguments, no draw needed.

A rule that asks this cannot flicker from one draw to the next. What is said here is never too narrow for the installed
library (a test draws pipelines and compares); it can be too wide, where arithmetic does not tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from augviz import catalog
from augviz.advice.case import Case, made_format, probability, weight
from augviz.advice.steps import limits
from augviz.model import Group, Header, Item, Pipeline, Step

Span = tuple[int, int]
"""The least and the greatest that a side can be, in pixels."""

NOMINAL_SIDES = (4096, 3001)
"""Sides in pixels of the squares that stand for an image of unknown size: what comes out alike for both is certain."""

_MOST_SHAPES = 64
_MOST_ROUNDS = 8
_LONGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class Shape:
    """What an image can be at some place: spans of its sides, and its libvips format."""

    width: Span
    height: Span
    format: str

    @property
    def is_exact(self) -> bool:
        """Whether both sides are one number."""
        return self.width[0] == self.width[1] and self.height[0] == self.height[1]

    @property
    def size(self) -> tuple[int, int]:
        """Least width and height, in pixels."""
        return self.width[0], self.height[0]


Shapes = frozenset[Shape]


@dataclass(frozen=True, slots=True)
class Flow:
    """What a pipeline can make of one image.

    Attributes:
        before: the shapes that each step and group can get, by id.
        result: the shapes that the result can have.
    """

    before: Mapping[str, Shapes]
    result: Shapes

    def formats(self, item_id: str) -> frozenset[str]:
        """The formats that an item can get; none where it is never reached."""
        return frozenset(shape.format for shape in self.reaching(item_id))

    def reaching(self, item_id: str) -> Shapes:
        """The shapes that an item can get; none where it is never reached."""
        return self.before.get(item_id, frozenset())


def of(case: Case) -> Flow:
    """The flow of a case; where the image's size is unknown, that of the first nominal square."""
    return through(case.pipeline, known_source(case))


def after(step: Step, shapes: Shapes) -> Shapes:
    """What a step makes of `shapes` when it is applied."""
    return frozenset(made for shape in shapes for made in _made(step, shape))


def known_source(case: Case) -> Header:
    """Shape of what the pipeline is fed, the first nominal square where its size is unknown."""
    source = case.source()
    return source if source.width else nominal(source, NOMINAL_SIDES[0])


def nominal(source: Header, side: int) -> Header:
    """A square of that side in place of an image of unknown size."""
    return replace(source, width=side, height=side)


def one_size(shapes: Shapes) -> tuple[int, int] | None:
    """(width, height) where all shapes have it; None where sizes differ or are not known exactly."""
    sizes = {shape.size for shape in shapes}
    return next(iter(sizes)) if len(sizes) == 1 and all(shape.is_exact for shape in shapes) else None


def certain_size(case: Case) -> tuple[int, int] | None:
    """(width, height) of every result; None where it differs between draws, or depends on an image that is unknown."""
    source = case.source()
    if source.width:
        return one_size(of(case).result)
    return _common(through(case.pipeline, nominal(source, side)).result for side in NOMINAL_SIDES)


def certain_input(case: Case, item_id: str) -> tuple[int, int] | None:
    """(width, height) of all that an item gets from an image of unknown size; None where it depends on the image."""
    sources = (nominal(case.source(), side) for side in NOMINAL_SIDES)
    return _common(through(case.pipeline, source).reaching(item_id) for source in sources)


def _common(alternatives: Iterable[Shapes]) -> tuple[int, int] | None:
    sizes = {one_size(shapes) for shapes in alternatives}
    return sizes.pop() if len(sizes) == 1 else None


@lru_cache(maxsize=256)
def through(pipeline: Pipeline, source: Header) -> Flow:
    """The flow of a pipeline for an image of that shape."""
    before: dict[str, Shapes] = {}
    start = frozenset({Shape((source.width,) * 2, (source.height,) * 2, source.format)})
    return Flow(before, _in_turn(pipeline.steps, start, before, False))


def _in_turn(items: Iterable[Item], shapes: Shapes, before: dict[str, Shapes], forced: bool) -> Shapes:
    for number, item in enumerate(item for item in items if item.enabled):
        shapes = _few(_after(item, shapes, before, forced and number == 0))
    return shapes


def _after(item: Item, shapes: Shapes, before: dict[str, Shapes], forced: bool) -> Shapes:
    """What an item makes of `shapes`, those that it leaves as they are included where it may be skipped."""
    before[item.id] = before.get(item.id, frozenset()) | shapes
    if isinstance(item, Step):
        chance = 1.0 if forced else probability(item)
        if chance <= 0:
            return shapes
        made = frozenset(made_shape for shape in shapes for made_shape in _made(item, shape))
        return made if chance >= 1 else shapes | made
    members = [member for member in item.steps if member.enabled]
    if not members or item.group == "Sequential":
        return _in_turn(members, shapes, before, forced)
    if item.group == "OneOrOther":
        return _one_or_other(item, members, shapes, before)
    chance = 1.0 if forced else probability(item)
    if chance <= 0:
        return shapes
    made = _chosen(item, members, shapes, before)
    return made if chance >= 1 else shapes | made


def _one_or_other(group: Group, members: list[Item], shapes: Shapes, before: dict[str, Shapes]) -> Shapes:
    first = weight(group)
    used = [members[0]] if first > 0 else []
    used += [members[-1]] if first < 1 else []
    return frozenset().union(*(_after(member, shapes, before, True) for member in used))


def _chosen(group: Group, members: list[Item], shapes: Shapes, before: dict[str, Shapes]) -> Shapes:
    """What the members that OneOf or SomeOf chooses make of `shapes`."""
    count = 1 if group.group == "OneOf" else max(0, group.n or 0)
    possible = [member for member in members if weight(member) > 0] or members
    if group.replace is False and count >= len(members):  # each of them, in any order
        forth = shapes
        back = shapes
        for member, other in zip(members, reversed(members), strict=True):
            forth, back = _after(member, forth, before, True), _after(other, back, before, True)
        return forth | back
    for _ in range(min(count, _MOST_ROUNDS)):
        shapes = _few(frozenset().union(*(_after(member, shapes, before, True) for member in possible)))
    return shapes


def _few(shapes: Shapes) -> Shapes:
    """The shapes, or one for each format that holds them all where there are too many."""
    if len(shapes) <= _MOST_SHAPES:
        return shapes
    return frozenset(
        Shape(_hull(s.width for s in each), _hull(s.height for s in each), format)
        for format in {shape.format for shape in shapes}
        for each in [[shape for shape in shapes if shape.format == format]]
    )


def _hull(spans: Iterable[Span]) -> Span:
    lows, highs = zip(*spans, strict=True)
    return min(lows), max(highs)


# What each transform makes


def _made(step: Step, shape: Shape) -> tuple[Shape, ...]:
    """The shapes that a step can make of one, if it is applied."""
    format = made_format(step, shape.format)
    if step.transform in ("RandomBrightnessContrast", "ChannelDropout") and shape.format == "ushort":
        format = "float"  # D13, D20
    return tuple(Shape(width, height, format) for width, height in _sizes(step, shape))


def _sizes(step: Step, shape: Shape) -> tuple[tuple[Span, Span], ...]:
    name, width, height = step.transform, shape.width, shape.height
    args = catalog.resolved_args(step)
    if not catalog.transform(name).changes_size or (name == "Affine" and not args["fit_output"]):
        return ((width, height),)
    if name == "Transpose":
        return ((height, width),)
    if name == "RandomRotate90":
        return ((width, height), (height, width))
    if name in ("Resize", "CropOrPad", "CenterCrop"):
        return ((_exactly(args["width"]), _exactly(args["height"])),)
    if name == "Crop":
        return ((_between(args, "x"), _between(args, "y")),)
    if name == "RandomCrop":  # smaller than asked where the image is (D29)
        return ((_at_most(width, args["width"]), _at_most(height, args["height"])),)
    if name == "PadIfNeeded":
        return ((_padded(width, args, "width"), _padded(height, args, "height")),)
    if name in ("LongestMaxSize", "SmallestMaxSize"):
        given = args["max_size"]
        return tuple(_max_size(name, side, shape) for side in (given if isinstance(given, tuple) else (given,)))
    if name == "RandomScale":
        return (_scaled(step, shape),)
    if name == "Rotate":
        return (_rotated(step, shape),)
    return ((_any_up_to(2 * width[1] + 2 * height[1]),) * 2,)


def _any_up_to(side: int) -> Span:
    return 1, min(_LONGEST, max(1, side))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _exactly(value: Any) -> Span:
    side = _whole(value)
    return (1, _LONGEST) if side is None else (side, side)


def _between(args: Mapping[str, Any], axis: str) -> Span:
    low, high = args[f"{axis}_min"], args[f"{axis}_max"]
    return _exactly(high - low) if isinstance(low, int) and isinstance(high, int) else (1, _LONGEST)


def _at_most(side: Span, asked: Any) -> Span:
    limit = _whole(asked)
    return (1, side[1]) if limit is None else (min(side[0], limit), min(side[1], limit))


def _padded(side: Span, args: Mapping[str, Any], axis: str) -> Span:
    least, divisor = _whole(args[f"min_{axis}"]), _whole(args[f"pad_{axis}_divisor"])
    if least is not None:
        return max(side[0], least), max(side[1], least)
    if divisor is not None:
        return math.ceil(side[0] / divisor) * divisor, math.ceil(side[1] / divisor) * divisor
    return side[0], _LONGEST


def _max_size(name: str, asked: Any, shape: Shape) -> tuple[Span, Span]:
    side = _whole(asked)
    if side is None:
        return (1, _LONGEST), (1, _LONGEST)
    if not shape.is_exact:
        return ((1, side),) * 2 if name == "LongestMaxSize" else ((side, _LONGEST),) * 2
    width, height = shape.size
    factor = side / (max(width, height) if name == "LongestMaxSize" else min(width, height))
    return _near(width * factor), _near(height * factor)


def _near(value: float) -> Span:
    side = max(1, round(value))
    return side, side


def _scaled(step: Step, shape: Shape) -> tuple[Span, Span]:
    limit = limits(step, "scale_limit")
    if limit is None:
        return ((1, _LONGEST),) * 2
    factors = [max(0.0, 1 + value) for value in limit]
    if factors[0] == factors[1] and shape.is_exact:
        return _near(shape.width[0] * factors[0]), _near(shape.height[0] * factors[0])

    def span(side: Span) -> Span:
        ends = [end * factor for end in side for factor in factors]
        return max(1, math.floor(min(ends))), max(1, math.ceil(max(ends)))

    return span(shape.width), span(shape.height)


def _rotated(step: Step, shape: Shape) -> tuple[Span, Span]:
    """The canvas that holds the rotated image (D24)."""
    limit = limits(step, "limit")
    if limit is None or step.get("crop_border"):
        return (_any_up_to(shape.width[1] + shape.height[1]),) * 2
    low, high = limit
    if low == high and low % 180 == 0:
        return shape.width, shape.height
    if low == high and low % 180 == 90:
        return shape.height, shape.width
    count = max(1, min(720, math.ceil(high - low)))
    angles = [math.radians(low + (high - low) * i / count) for i in range(count + 1)]
    angles += [math.radians(a) for a in range(-360, 361, 45) if low < a < high]

    def span(along: Span, across: Span) -> Span:
        ends = [abs(math.cos(a)) * s + abs(math.sin(a)) * t for a in angles for s, t in zip(along, across, strict=True)]
        # Peaks lie between the angles looked at, and never above the diagonal.
        peak = math.hypot(along[1], across[1]) if high - low > 1 else max(ends)
        return max(1, math.floor(min(ends))), math.ceil(min(max(max(ends) * 1.001, max(ends) + 1), peak + 1))

    if low == high and shape.is_exact:
        cos, sin = abs(math.cos(angles[0])), abs(math.sin(angles[0]))
        width, height = shape.size
        return _near(width * cos + height * sin), _near(width * sin + height * cos)
    return span(shape.width, shape.height), span(shape.height, shape.width)
