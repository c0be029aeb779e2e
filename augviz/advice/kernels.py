"""What is left of the kernels that blurs draw: how often one tap, how often none, and how wide a Gaussian acts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from augviz.advice.steps import limits
from augviz.model import Step

__all__ = ["effective_sigma", "motion_still_share", "single_tap_share", "still_below", "zero_sum_share"]

KERNELS_LOOKED_AT = 1000
MOTION_STILL = {3: 0.57, 5: 0.24, 7: 0.13, 9: 0.09, 11: 0.06, 13: 0.04}
"""Share of MotionBlur's kernels with one tap, by side, with allow_shifted=False; below 0.04 above (D50)."""


# AdvancedBlur's kernels


def _farthest(step: Step) -> Iterator[float]:
    """exp(-0.5 d ** beta) of the tap next to the centre that weighs most, for kernels drawn as the library draws them."""
    ranges = {n: limits(step, n) for n in ("sigmaX_limit", "sigmaY_limit", "rotate_limit", "beta_limit")}
    if any(r is None for r in ranges.values()):
        return
    (sx, sy, turn, beta) = (r for r in ranges.values() if r is not None)
    rng = random.Random(0)
    for _ in range(KERNELS_LOOKED_AT):
        a, b = (max(1e-6, rng.uniform(*s)) for s in (sx, sy))
        angle = math.radians(rng.uniform(*turn))
        power = rng.uniform(beta[0], 1) if rng.random() < 0.5 else rng.uniform(1, beta[1])
        cos, sin = math.cos(angle), math.sin(angle)
        squares = [((cos * x + sin * y) / a) ** 2 + ((cos * y - sin * x) / b) ** 2 for x, y in _NEIGHBOURS]
        yield math.exp(-0.5 * min(700.0, min(squares)) ** power) if min(squares) < 700 else 0.0


_NEIGHBOURS = ((1, 0), (0, 1), (1, 1), (1, -1))


def single_tap_share(step: Step) -> float:
    """Share of AdvancedBlur's draws whose kernel is 1 at the centre and 0 around it: rounded to 1/255 they change nothing."""
    noise = limits(step, "noise_limit") or (1.0, 1.0)
    factor = sum(noise) / 2
    return sum(255 * factor * tap < 1 for tap in _farthest(step)) / KERNELS_LOOKED_AT


def zero_sum_share(step: Step) -> float:
    """Share of AdvancedBlur's draws whose only tap overflows to 0, so that libvips divides by 0 (D1)."""
    low, high = limits(step, "noise_limit") or (1.0, 1.0)
    if high == low:
        return single_tap_share(step) if high * 255 % 256 < 1 else 0.0
    # A centre below 1/255 is stored as 0, as is one of 256/255 up to 257/255, of 512/255 up to 513/255, and so on.
    zeros = sum(max(0.0, min(high, (k + 1) / 255) - max(low, k / 255)) for k in range(0, int(255 * high) + 2, 256))
    return single_tap_share(step) * zeros / (high - low)


# GaussianBlur, MotionBlur


def still_below(min_amplitude: float) -> float:
    """The sigma in px below which GaussianBlur's kernel is cut to one tap and changes nothing."""
    if min_amplitude >= 1:
        return math.inf
    return 1 / math.sqrt(2 * math.log(1 / min_amplitude))


def effective_sigma(sigma: float, min_amplitude: float) -> float:
    """The sigma in px that GaussianBlur acts with: of libvips' kernel, cut off and rounded to whole numbers (D19)."""
    taps: list[int] = []
    while sigma > 0 and len(taps) < 5000:
        value = math.exp(-(len(taps) ** 2) / (2 * sigma * sigma))
        if value < min_amplitude:
            break
        taps.append(round(20 * value))
    total = 2 * sum(taps) - taps[0] if taps else 0
    return math.sqrt(2 * sum(tap * x * x for x, tap in enumerate(taps)) / total) if total else 0.0


def motion_still_share(low: int, high: int) -> float:
    """Share of MotionBlur's draws that change nothing with allow_shifted=False, for kernels of odd sides in px."""
    sides = range(low, high + 1, 2)
    return sum(MOTION_STILL.get(side, 0.03) for side in sides) / len(sides)
