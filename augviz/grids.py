"""The pixels of a view's stages, and what a scale rule is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyvips

from augviz.firing import Firing

VIEW_TILE = 128
"""Side in pixels of the tiles that turned pixels of a view are cached in. Every step before it works in tiles of this size:
at 512 a chain of float steps takes 100 MB more."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels of one stage of a view: `full_*` is its size in full-size pixels, `width` x `height` that in the view."""

    full_width: int
    full_height: int
    width: int
    height: int

    @property
    def sx(self) -> float:
        """Full-size pixels per view pixel, across."""
        return self.full_width / self.width

    @property
    def sy(self) -> float:
        """Full-size pixels per view pixel, down."""
        return self.full_height / self.height

    @property
    def s(self) -> float:
        """Full-size pixels per view pixel, the geometric mean of both axes."""
        return math.sqrt(self.sx * self.sy)

    @property
    def is_full(self) -> bool:
        return (self.full_width, self.full_height) == (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a rule works.

    Attributes:
        before, after: the grids around the firing.
        mean: tells the mean of what goes into the step at full size.
        is_final: whether these are the pixels that are shown, not some that are yet to be shrunk.
    """

    firing: Firing
    before: Grid
    after: Grid
    mean: Callable[[], float]
    is_final: bool

    @property
    def transform(self) -> Any:
        return self.firing.transform

    @property
    def params(self) -> dict[str, Any]:
        return self.firing.params


Rule = Callable[[pyvips.Image, Stage], pyvips.Image]
