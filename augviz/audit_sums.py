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
    """Values of one band: exact sums of them and of their squares."""

    total: int = 0
    squares: int = 0
    low: float = math.inf
    high: float = -math.inf


@dataclass(slots=True)
class Moments:
    """Values of images, band by band, for each number of bands and format that occurred.

    Attributes:
        kinds: (bands, format) -> images, pixels with values in every band, pixels without, channels.
    """

    kinds: dict[tuple[int, str], tuple[list[int], list[_Channel]]] = field(default_factory=dict)

    def add(self, figures: Mapping[str, Any]) -> None:
        """Add an image: {"bands", "format", "counts", "sums", "squares", "lows", "highs", "unreal"}, lists by band."""
        numbers, channels = self._kind((figures["bands"], figures["format"]))
        numbers[0] += 1
        numbers[1] += figures["unreal"]
        for band, channel in enumerate(channels):
            numbers[2 + band] += figures["counts"][band]
            channel.total += exact(figures["sums"][band])
            channel.squares += exact(figures["squares"][band])
            low, high = figures["lows"][band], figures["highs"][band]
            channel.low = channel.low if low is None else min(channel.low, low)
            channel.high = channel.high if high is None else max(channel.high, high)

    def _kind(self, kind: tuple[int, str]) -> tuple[list[int], list[_Channel]]:
        if kind not in self.kinds:
            self.kinds[kind] = ([0] * (2 + kind[0]), [_Channel() for _ in range(kind[0])])
        return self.kinds[kind]

    def to_json(self) -> list[dict[str, Any]]:
        """One entry for each kind: images, values of each band ("counts"), mean, std, low, high by band, unreal values.

        The standard deviation is that of all pixels together, not the mean of the images' own.
        """
        return [self._json(kind) for kind in sorted(self.kinds)]

    def _json(self, kind: tuple[int, str]) -> dict[str, Any]:
        numbers, channels = self.kinds[kind]
        counts = numbers[2:]
        pairs = [(channel, count) for channel, count in zip(channels, counts, strict=True)]
        return {
            "bands": kind[0],
            "format": kind[1],
            "images": numbers[0],
            "counts": counts,
            "mean": [rounded(channel.total, count) if count else None for channel, count in pairs],
            "std": [_deviation(channel, count) for channel, count in pairs],
            "low": [channel.low if count else None for channel, count in pairs],
            "high": [channel.high if count else None for channel, count in pairs],
            "unreal": numbers[1],
        }


def _deviation(channel: _Channel, count: int) -> float | None:
    if not count:
        return None
    mean = Fraction(channel.total, _UNIT * count)
    variance = Fraction(channel.squares, _UNIT * count) - mean * mean
    return math.sqrt(max(0.0, float(variance)))


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
