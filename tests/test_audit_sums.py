"""Sums: the order in which things come does not show."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz.audit_sums import Few, Moments, Spread, Worst, exact, rounded

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
ANY = st.one_of(NUMBERS, st.integers(-(2**70), 2**70))


def mixed(values: list) -> list:
    """`values` in another order."""
    return random.Random(len(values)).sample(values, len(values))


@settings(deadline=None)
@given(st.lists(ANY, max_size=30))
def test_exact_sums_are_those_that_math_fsum_gives(values: list[float]) -> None:
    assert rounded(sum(map(exact, values))) == math.fsum(values)


@settings(deadline=None)
@given(st.lists(ANY, min_size=1, max_size=40))
def test_a_distribution_is_the_same_in_any_order(values: list[float]) -> None:
    one, other = Spread(), Spread()
    for value in values:
        one.add(value)
    for value in mixed(values):
        other.add(value)

    assert one == other
    assert one.to_json() == other.to_json()


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=60), st.sampled_from([0.01, 0.5, 0.9, 1.0]))
def test_a_quantile_is_right_to_half_a_bin(values: list[float], share: float) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    true = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]

    assert spread.quantile(share) == pytest.approx(true, rel=0.05)
    assert spread.mean == pytest.approx(statistics.fmean(values), rel=1e-12)


def test_zero_and_less_have_a_place_in_a_distribution() -> None:
    spread = Spread()
    for value in (0, -3, 5):
        spread.add(value)

    assert (spread.low, spread.high, spread.mean) == (-3, 5, pytest.approx(2 / 3))
    assert spread.quantile(1.0) == pytest.approx(5, rel=0.05)


def figures(array: np.ndarray, pixels: int | None = None, shift: float = 0.0) -> dict:
    """What a worker tells of an image, by numpy; of one that stands for so many pixels."""
    values = array.reshape(-1, array.shape[-1]).astype(float)
    return {
        "bands": values.shape[1],
        "format": "float",
        "pixels": pixels or len(values),
        "measured": len(values),
        "counts": [len(values)] * values.shape[1],
        "shifts": [shift] * values.shape[1],
        "sums": (values - shift).sum(axis=0).tolist(),
        "squares": ((values - shift) ** 2).sum(axis=0).tolist(),
        "lows": values.min(axis=0).tolist(),
        "highs": values.max(axis=0).tolist(),
        "unreal": 0,
    }


@settings(deadline=None)
@given(st.integers(1, 12))
def test_means_and_deviations_are_those_of_all_pixels_together(images: int) -> None:
    rng = np.random.default_rng(images)
    arrays = [rng.normal(100, 30, (rng.integers(1, 9), 7, 2)) for _ in range(images)]
    one, other = Moments(), Moments()
    for array in arrays:
        one.add(figures(array))
    for array in mixed(arrays):
        other.add(figures(array))
    pixels = np.concatenate([array.reshape(-1, 2) for array in arrays])
    [found] = one.to_json()

    assert other.to_json() == [found]
    assert (found["images"], found["counts"]) == (images, [len(pixels)] * 2)
    assert found["mean"] == pytest.approx(pixels.mean(axis=0).tolist())
    assert found["std"] == pytest.approx(pixels.std(axis=0).tolist(), rel=1e-6)
    assert (found["low"], found["high"]) == (pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist())


def test_a_small_deviation_beside_a_large_mean_is_not_lost() -> None:
    moments = Moments()
    numbers = [2**30, 2**30 + 1]
    for number in numbers:
        moments.add({**figures(np.array([[number]])), "sums": [number], "squares": [number**2]})

    assert moments.to_json()[0]["std"] == [statistics.pstdev(numbers)] == [0.5]


def test_values_that_are_told_as_differences_are_those_values() -> None:
    values = np.random.default_rng(1).normal(1e7, 0.01, (50, 40, 1))
    moments = Moments()
    for shift, part in zip((1e7, 1e7 + 0.3), np.split(values, 2), strict=True):
        moments.add(figures(part, shift=shift))
    [found] = moments.to_json()

    assert found["mean"] == [pytest.approx(values.mean(), rel=1e-14)]
    assert found["std"] == [pytest.approx(values.std(), rel=1e-6)]


def test_an_image_that_was_shrunk_counts_with_the_pixels_that_it_stands_for() -> None:
    rng = np.random.default_rng(2)
    coarse, small = rng.normal(200, 9, (8, 8, 1)), rng.normal(50, 5, (30, 20, 1))
    fine = coarse.repeat(37, axis=0).repeat(37, axis=1)
    moments = Moments()
    moments.add(figures(coarse, pixels=fine.size))
    moments.add(figures(small))
    [found] = moments.to_json()
    pixels = np.concatenate([fine.ravel(), small.ravel()])

    assert found["counts"] == [pixels.size]
    assert found["measured"] == 64 + 600
    assert found["mean"] == [pytest.approx(pixels.mean(), rel=1e-12)]
    assert found["std"] == [pytest.approx(pixels.std(), rel=1e-12)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), max_size=300).flatmap(st.permutations))
def test_the_first_few_are_counted_in_full_in_any_order(keys: list[int]) -> None:
    few = Few(5)
    for key in keys:
        few.add(key, None)
    first = sorted(set(keys))[:5]

    assert [(key, count) for key, (count, _) in few.items()] == [(key, keys.count(key)) for key in first]
    assert few.others == sum(key not in first for key in keys)
    assert len(few.kept) <= 10


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 500)), unique=True, max_size=80))
def test_the_worst_are_the_same_in_any_order(places: list[tuple[int, int]]) -> None:
    one, other = Worst(3), Worst(3)
    for value, place in places:
        one.add(value, place)
    for value, place in mixed(places):
        other.add(value, place)

    assert one.items() == other.items() == sorted(places, key=lambda pair: (-pair[0], pair[1]))[:3]
