"""Sums that are exact, bounded, and the same whatever the order. Arithmetic only.

Floating-point addition depends on its order; so numbers are added as whole multiples of 2^-1074, the smallest float,
and rounded once, when they are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

_UNIT = 1 << 1074

BINS_PER_OCTAVE = 8
"""A distribution's bins are 9 % wide: quantiles are right to half of that."""


def exact(value: float) -> int:
    """A finite number as a multiple of 2^-1074."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * (_UNIT // denominator)


def rounded(total: int, count: int = 1) -> float:
    """The float nearest to a sum of `exact` numbers, divided by `count`."""
    return float(Fraction(total, _UNIT * count))


@dataclass(slots=True)
class Spread:
    """A distribution of numbers: count, exact sum, lowest, highest, and bins on a logarithmic axis.

    Attributes:
        bins: count by bin: k is for 2^(k/8) to 2^((k+1)/8). Numbers below zero and zero are in the bin `None`.
    """

    count: int = 0
    total: int = 0
    low: float = math.inf
    high: float = -math.inf
    bins: dict[int | None, int] = field(default_factory=dict)

    def add(self, value: float) -> None:
        self.count += 1
        self.total += exact(value)
        self.low, self.high = min(self.low, value), max(self.high, value)
        key = math.floor(math.log2(value) * BINS_PER_OCTAVE) if value > 0 else None
        self.bins[key] = self.bins.get(key, 0) + 1

    @property
    def mean(self) -> float | None:
        return rounded(self.total, self.count) if self.count else None

    def quantile(self, share: float) -> float | None:
        """The number below which `share` of them lie, from the bins; None where there are none."""
        if not self.count:
            return None
        rank, passed = max(1, math.ceil(share * self.count)), 0
        for key in sorted(self.bins, key=_order):
            passed += self.bins[key]
            if passed >= rank:
                middle = 0.0 if key is None else 2 ** ((key + 0.5) / BINS_PER_OCTAVE)
                return min(max(middle, self.low), self.high)
        raise AssertionError("unreachable")

    def to_json(self) -> dict[str, Any]:
        """mean, median, p90, p99, least, most, count, and bins of [from, to, count]; None where there is no number."""
        known = self.count > 0
        return {
            "count": self.count,
            "mean": self.mean,
            "median": self.quantile(0.5),
            "p90": self.quantile(0.9),
            "p99": self.quantile(0.99),
            "least": self.low if known else None,
            "most": self.high if known else None,
            "bins": [[*_edges(key), self.bins[key]] for key in sorted(self.bins, key=_order)],
        }


def _order(key: int | None) -> float:
    return -math.inf if key is None else key


def _edges(key: int | None) -> tuple[float, float]:
    return (0.0, 0.0) if key is None else (2 ** (key / BINS_PER_OCTAVE), 2 ** ((key + 1) / BINS_PER_OCTAVE))


@dataclass(slots=True)
class _Channel:
    """Values of one band: how many they stand for, their sum in 2^-1074 and the sum of their squares in 2^-2148."""

    count: int = 0
    total: int = 0
    squares: int = 0
    low: float = math.inf
    high: float = -math.inf

    def to_json(self) -> tuple[float | None, float | None, float | None, float | None]:
        """Mean, standard deviation, lowest and highest; None where there is no value."""
        if not self.count:
            return None, None, None, None
        variance = Fraction(self.squares * self.count - self.total * self.total, (_UNIT * self.count) ** 2)
        return rounded(self.total, self.count), math.sqrt(max(0.0, float(variance))), self.low, self.high


@dataclass(slots=True)
class _Kind:
    """The images with the same number of bands and format; how many values were not finite, and how many were measured."""

    channels: list[_Channel]
    images: int = 0
    unreal: int = 0
    measured: int = 0


@dataclass(slots=True)
class Moments:
    """Values of images, band by band, for each number of bands and format that occurred.

    An image that was measured shrunk counts with the pixels that it has at full size: what was measured stands for them.
    """

    kinds: dict[tuple[int, str], _Kind] = field(default_factory=dict)

    def add(self, figures: Mapping[str, Any]) -> None:
        """Add an image.

        Args:
            figures: what `audit_values.figures` gives: {"bands", "format", "pixels", "measured", "counts", "shifts", "sums",
                "squares", "lows", "highs", "unreal"}, those in the plural lists by band.
        """
        key = figures["bands"], figures["format"]
        kind = self.kinds.setdefault(key, _Kind([_Channel() for _ in range(figures["bands"])]))
        kind.images += 1
        kind.unreal += figures["unreal"]
        kind.measured += figures["measured"]
        pixels, measured = figures["pixels"], figures["measured"]
        for band, channel in enumerate(kind.channels):
            count, shift = figures["counts"][band], exact(figures["shifts"][band])
            part, squares = exact(figures["sums"][band]), exact(figures["squares"][band]) * _UNIT
            total = part + count * shift
            squares += 2 * shift * part + count * shift * shift
            channel.count += count * pixels // measured
            channel.total += total * pixels // measured
            channel.squares += squares * pixels // measured
            low, high = figures["lows"][band], figures["highs"][band]
            channel.low = channel.low if low is None else min(channel.low, low)
            channel.high = channel.high if high is None else max(channel.high, high)

    def to_json(self) -> list[dict[str, Any]]:
        """One entry for each kind: images, what was measured of them, and by band the values that it stands for.

        The standard deviation is that of all pixels together, not the mean of the images' own.

        Returns:
            [{"bands", "format", "images", "counts", "mean", "std", "low", "high", "unreal", "measured"}]: `counts` values of
            each band at full size, `measured` pixels that were looked at, `unreal` values among them that are not finite.
        """
        return [self._json(key) for key in sorted(self.kinds)]

    def _json(self, key: tuple[int, str]) -> dict[str, Any]:
        kind = self.kinds[key]
        told = [channel.to_json() for channel in kind.channels]
        return {
            "bands": key[0],
            "format": key[1],
            "images": kind.images,
            "counts": [channel.count for channel in kind.channels],
            **{name: [one[number] for one in told] for number, name in enumerate(("mean", "std", "low", "high"))},
            "unreal": kind.unreal,
            "measured": kind.measured,
        }


@dataclass(slots=True)
class Few:
    """The smallest keys, each with how often it came and what came with it; `total` counts all.

    A key that was left out once can never come back among the smallest, so what is kept is counted in full.
    """

    limit: int
    total: int = 0
    kept: dict[Any, tuple[int, Any]] = field(default_factory=dict)

    def add(self, key: Any, value: Any) -> None:
        count, first = self.kept.get(key, (0, value))
        self.kept[key] = (count + 1, first)
        self.total += 1
        if len(self.kept) > 2 * self.limit:
            self.kept = dict(self.items())

    def items(self) -> list[tuple[Any, tuple[int, Any]]]:
        """(key, (count, value)) of those that are kept, in order."""
        return sorted(self.kept.items(), key=lambda item: item[0])[: self.limit]

    @property
    def others(self) -> int:
        """How many came with keys that are not kept."""
        return self.total - sum(count for _, (count, _) in self.items())


@dataclass(slots=True)
class Worst:
    """The places with the largest values; equal ones in the order of their places."""

    limit: int
    found: list[tuple[float, Any]] = field(default_factory=list)

    def add(self, value: float, place: Any) -> None:
        self.found.append((-value, place))
        if len(self.found) > 2 * self.limit:
            self.found = sorted(self.found)[: self.limit]

    def items(self) -> list[tuple[float, Any]]:
        """(value, place), the largest value first."""
        return [(-value, place) for value, place in sorted(self.found)[: self.limit]]
