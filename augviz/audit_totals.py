"""An audit's findings summed, in any order. No pixels.

They are summed as they come, so that memory grows with the images' names only; sums are exact, so that the order does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from augviz.audit import Failure, Finding
from augviz.audit_sums import Few, Moments, Spread, Worst

CLIPPING_SHARE = 0.01
"""A step that drives more than this share of the values to a limit of the format counts as clipping."""

EMPTY_SHARE = 0.98
"""A crop is near-empty from this share of background on.

A pixel is background if it is nearly white or nearly black: all of its bands (the first three; alpha does not count) at
least 86 % of the format's highest value, or at most 4 % of it. Only 8 and 16 bit are judged: elsewhere white is unknown.
"""

KEPT_FAILURES = 1000
KEPT_SHAPES = 100
KEPT_WORST = 10
"""How many are listed; all are counted."""


@dataclass(slots=True)
class StepTotals:
    """What one step did, summed.

    Attributes:
        values: lowest and highest value after it.
        clipped: share of the values that it drove to a limit of the format, in each draw in which it can clip.
        clipping: draws in which that is more than `CLIPPING_SHARE`.
        background: share of background of each crop that could be judged.
        near_empty: crops that have at least `EMPTY_SHARE` of it.
    """

    id: str
    transform: str
    applied: int = 0
    values: Spread = field(default_factory=Spread)
    clipped: Spread = field(default_factory=Spread)
    clipping: int = 0
    background: Spread = field(default_factory=Spread)
    near_empty: int = 0
    seconds: Spread = field(default_factory=Spread)


@dataclass(slots=True)
class Totals:
    """The findings summed. `add` in any order gives equal totals.

    Attributes:
        images: those of which the first draw was made or tried.
        measured: names of the images of which a draw was made; their values are in `before`.
        exact: draws at full size in all their stages.
        failed_images: by name.
        failed_at: how many draws failed by position, id and transform of the step; 0 and "" are files, 0 alone groups.
        before, after, into_normalize: values of the images as the pipeline is fed them (once each, whatever the number
            of draws), of the results, and of what the first Normalize is given, by bands and format.
        shapes: shape and dtype of results, the first `KEPT_SHAPES` of them in order.
    """

    done: int = 0
    images: int = 0
    measured: set[str] = field(default_factory=set)
    exact: int = 0
    failed: int = 0
    failed_images: set[str] = field(default_factory=set)
    failed_at: dict[tuple[int, str, str], int] = field(default_factory=dict)
    failures: Few = field(default_factory=lambda: Few(KEPT_FAILURES))
    shapes: Few = field(default_factory=lambda: Few(KEPT_SHAPES))
    before: Moments = field(default_factory=Moments)
    into_normalize: Moments = field(default_factory=Moments)
    after: Moments = field(default_factory=Moments)
    steps: dict[int, StepTotals] = field(default_factory=dict)
    seconds: Spread = field(default_factory=Spread)
    read_seconds: Spread = field(default_factory=Spread)
    peak_bytes: Spread = field(default_factory=Spread)
    unreal: int = 0
    slowest: Worst = field(default_factory=lambda: Worst(KEPT_WORST))
    largest: Worst = field(default_factory=lambda: Worst(KEPT_WORST))
    most_clipped: Worst = field(default_factory=lambda: Worst(KEPT_WORST))
    emptiest: Worst = field(default_factory=lambda: Worst(KEPT_WORST))

    def add(self, finding: Finding) -> None:
        self.done += 1
        self.images += finding.draw == 0
        if finding.failure is not None:
            self._add_failure(finding, finding.failure)
            return
        seen = finding.seen
        assert seen is not None
        self.exact += seen["exact"]
        shape = (seen["dtype"], tuple(seen["shape"]))
        self.shapes.add(shape, None)
        if finding.image not in self.measured:  # it is the same for all draws
            self.measured.add(finding.image)
            self.before.add(seen["before"])
        self.after.add(seen["after"])
        if seen["into_normalize"] is not None:
            self.into_normalize.add(seen["into_normalize"])
        self.unreal += seen["after"]["unreal"] > 0
        for step in seen["steps"]:
            self._add_step(finding, step)
        self.seconds.add(seen["seconds"])
        self.read_seconds.add(seen["read_seconds"])
        self.slowest.add(seen["seconds"], _place(finding))
        if seen["peak_bytes"] is not None:
            self.peak_bytes.add(seen["peak_bytes"])
            self.largest.add(seen["peak_bytes"], _place(finding))

    def _step(self, position: int, step_id: str, transform: str) -> StepTotals:
        return self.steps.setdefault(position, StepTotals(step_id, transform))

    def _add_failure(self, finding: Finding, failure: Failure) -> None:
        self.failed += 1
        self.failed_images.add(finding.image)
        self.failures.add((finding.image, finding.draw), finding)
        where = (failure.position or 0, failure.step, failure.transform)
        self.failed_at[where] = self.failed_at.get(where, 0) + 1

    def _add_step(self, finding: Finding, step: Mapping[str, Any]) -> None:
        total = self._step(step["position"], step["id"], step["transform"])
        total.applied += 1
        total.seconds.add(step["seconds"])
        for value in (step["low"], step["high"]):
            if value is not None:
                total.values.add(value)
        where = (*_place(finding), step["position"])
        if (clipped := step["clipped"]) is not None:
            total.clipped.add(clipped)
            total.clipping += clipped > CLIPPING_SHARE
            if clipped > CLIPPING_SHARE:
                self.most_clipped.add(clipped, where)
        if (background := step["background"]) is not None:
            total.background.add(background)
            total.near_empty += background >= EMPTY_SHARE
            if background >= EMPTY_SHARE:
                self.emptiest.add(background, where)


def _place(finding: Finding) -> tuple[str, int, int]:
    return finding.image, finding.draw, finding.seed
