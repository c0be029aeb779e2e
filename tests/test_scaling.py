"""Where adding workers stops to help: the rule, its sentence, and what is computed beside it."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augviz import loader_figures, memory, scaling
from augviz.errors import ArgumentError, WorkerError
from augviz.model import Draw, Header, ImageFacts
from augviz.profiles import Failed
from augviz.scaling import NEAR_SHARE, WORTH_SHARE, Loading, Throughput


def point(workers: int, rate: float, threads: int = 1, **more: Any) -> Throughput:
    fields = {"by_torch": False, "megapixels_per_image": 2.0, "cpu_seconds_per_image": 0.1, "batches": 9, "listed": 0}
    given = {"rates": (rate,), "peak_bytes": None, "pss_bytes": None, **fields, **more}
    return Throughput(workers, 4, threads, **given)


def points(*rates: float) -> list[Throughput]:
    """One for 1, 2, 3 ... workers."""
    return [point(number, rate) for number, rate in enumerate(rates, start=1)]


RATES = st.lists(st.floats(0.01, 1e4), min_size=2, max_size=12)


# The rule


def test_it_stops_where_the_next_worker_adds_little() -> None:
    found = scaling.stops_scaling(points(100, 190, 196, 197))

    assert found == scaling.Scaling(2, False, "Stops scaling at 2 workers: a third one adds 3 %.")


def test_it_is_still_scaling_where_the_last_worker_added_much() -> None:
    found = scaling.stops_scaling(points(100, 200, 290))

    assert found is not None
    assert (found.workers, found.still_scaling) == (3, True)
    assert found.sentence == "Still scaling at 3 workers, the most that were measured: a third one adds 45 %."


@pytest.mark.parametrize(
    ("measured", "sentence"),
    [
        (points(100, 90), "Stops scaling at 1 worker: a second one loses 10 %."),
        (points(100, 100.2), "Stops scaling at 1 worker: a second one adds nothing."),
        (points(100, 112), "Stops scaling at 2 workers: a second one adds 12 % only."),
        ([point(1, 100), point(4, 390), point(8, 400)], "Stops scaling at 4 workers: going from 4 to 8 adds 3 %."),
        ([point(12, 100), point(13, 101)], "Stops scaling at 12 workers: worker 13 adds 1 %."),
        ([point(0, 500), point(1, 100), point(2, 101)], "Stops scaling at 1 worker: a second one adds 1 %."),
    ],
)
def test_the_sentence_says_what_the_next_one_does(measured: list[Throughput], sentence: str) -> None:
    found = scaling.stops_scaling(measured)

    assert found is not None
    assert found.sentence == sentence


def test_a_dip_on_the_way_up_is_not_where_it_stops() -> None:
    found = scaling.stops_scaling(points(100, 95, 290, 295))

    assert found is not None
    assert found.workers == 3


@given(RATES)
def test_the_number_found_was_measured_and_is_as_good_as_the_best_unless_none_before_the_last_is(
    rates: list[float],
) -> None:
    found = scaling.stops_scaling(points(*rates))

    assert found is not None
    assert 1 <= found.workers <= len(rates)
    if found.workers < len(rates):
        assert not found.still_scaling
        assert rates[found.workers - 1] >= NEAR_SHARE * max(rates)
        assert rates[found.workers] - rates[found.workers - 1] < WORTH_SHARE * rates[0]
    for number in range(1, found.workers):  # the smallest
        is_near = rates[number - 1] >= NEAR_SHARE * max(rates)
        assert not is_near or rates[number] - rates[number - 1] >= WORTH_SHARE * rates[0]


@given(RATES, st.integers(-20, 20), st.randoms())
def test_neither_the_unit_nor_the_order_of_measuring_matters(rates: list[float], power: int, chance: Any) -> None:
    first = scaling.stops_scaling(points(*rates))
    shuffled = points(*(rate * 2.0**power for rate in rates))
    chance.shuffle(shuffled)
    second = scaling.stops_scaling(shuffled)

    assert first is not None
    assert second is not None
    assert (second.workers, second.still_scaling) == (first.workers, first.still_scaling)


@given(st.integers(2, 12), st.floats(0.01, 1e4))
def test_what_scales_as_it_ideally_would_is_still_scaling(count: int, rate: float) -> None:
    found = scaling.stops_scaling(points(*(rate * number for number in range(1, count + 1))))

    assert found is not None
    assert (found.workers, found.still_scaling) == (count, True)


def test_one_measurement_tells_nothing() -> None:
    assert scaling.stops_scaling([]) is None
    assert scaling.stops_scaling([point(0, 10), point(1, 10)]) is None


def test_two_measurements_of_one_number_are_refused() -> None:
    with pytest.raises(ArgumentError, match="one measurement for each number"):
        scaling.stops_scaling([point(1, 1), point(1, 2)])


def test_the_fewest_threads_that_are_as_good_are_recommended() -> None:
    one, two = points(100, 190, 192), [point(1, 150, 2), point(2, 200, 2), point(3, 201, 2)]

    found = scaling.recommended([*one, *two])

    assert found is not None
    assert (found.workers, found.threads) == (2, 1)
    assert scaling.recommended([point(0, 5)]) is None
    assert scaling.recommended([point(2, 5)]) == point(2, 5)


@given(st.lists(st.tuples(st.integers(1, 3), RATES), max_size=3, unique_by=lambda each: each[0]))
def test_what_is_recommended_was_measured(each: list[tuple[int, list[float]]]) -> None:
    measured = [point(number, rate, threads) for threads, rates in each for number, rate in enumerate(rates, start=1)]

    found = scaling.recommended(measured)

    assert (found in measured) if measured else (found is None)


# What was measured


ANSWER = {
    "workers": 2,
    "batch": 4,
    "by_torch": True,
    "spans": [[8, 2.0], [8, 1.0], [16, 2.0]],
    "images": 32,
    "megapixels": 64.0,
    "batches": 8,
    "listed": 1,
    "cpu_seconds": 6.4,
    "peak_bytes": 10,
    "pss_bytes": None,
    "baseline_bytes": 5,
    "environment": {"threads": 3},
}


def test_the_answer_of_a_worker_is_read() -> None:
    found = scaling.throughput_from_json(ANSWER)

    assert found.rates == (4.0, 8.0, 8.0)
    assert (found.images_per_second, found.spread, found.is_unstable) == (8.0, 4.0, True)
    assert (found.megapixels_per_second, found.cpu_seconds_per_image) == (16.0, 0.2)
    assert (found.threads, found.peak_bytes, found.pss_bytes) == (3, 10, None)


@pytest.mark.parametrize(
    "change",
    [{"spans": []}, {"spans": [[1, 0]]}, {"images": 0}, {"environment": None}, {"workers": "x"}, {"spans": None}],
)
def test_what_is_no_measurement_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="no measurement"):
        scaling.throughput_from_json({**ANSWER, **change})


@pytest.mark.parametrize(
    "wrong",
    [{"workers": -1}, {"workers": 65}, {"batch": 0}, {"threads": 0}, {"seconds": 0.1}, {"seconds": float("nan")}],
)
def test_what_is_asked_lies_within_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"{next(iter(wrong))}: must lie within"):
        Loading(**{"workers": 1, **wrong})


# Memory


SHAPE = Header(4096, 4096, 3, "uchar", "srgb")
CROPPED = Header(512, 512, 3, "float", "srgb")
FACTS = ImageFacts("", "", SHAPE, 1, 1, ((4096, 4096),), 1, None, True, (256, 256), None, 0, "")


def test_the_plan_is_of_the_draws_result_and_the_way_it_is_loaded() -> None:
    plan = scaling.plan_of(FACTS, Draw(0, SHAPE, (), CROPPED, True), Loading(3, 8, threads=2))

    assert (plan.width, plan.height, plan.dtype, plan.batch) == (512, 512, "float32", 8)
    assert (plan.workers, plan.threads, plan.start, plan.prefetch) == (3, 2, "spawn", 2)
    compared = scaling.compared(plan, point(3, 1, peak_bytes=memory.host_bytes(plan) // 2))
    assert compared.error_percent == pytest.approx(100, abs=0.1)


def test_more_than_there_is_is_not_started() -> None:
    huge = memory.Plan(1_000_000, 1_000_000, workers=2)

    with pytest.raises(WorkerError, match=r"2 workers are computed to need .* are free: not started"):
        loader_figures.start({}, Loading(2), huge)


# What is measured


def test_each_number_of_workers_is_a_figure_of_its_own() -> None:
    figures = loader_figures.figures({}, [Loading(0), Loading(1), Loading(2, seconds=20)])

    assert [figure.name for figure in figures] == ["0", "1", "2"]
    assert [figure.title for figure in figures] == [
        "Loading without workers",
        "Loading by 1 worker",
        "Loading by 2 workers",
    ]
    assert figures[2].weight > figures[1].weight


@given(st.integers(1, scaling.MAX_WORKERS))
def test_the_numbers_rise_from_one_to_the_most(most: int) -> None:
    found = loader_figures.steps_to(most)

    assert found[0] == 1
    assert found[-1] == most
    assert list(found) == sorted(set(found))
    assert set(range(1, min(most, 8) + 1)) <= set(found)


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_the_settings_are_python(workers: int, listed: bool) -> None:
    text = loader_figures.loader_code(Loading(workers, 4, threads=2), listed)
    call = ast.parse(text).body[-1].value  # type: ignore[attr-defined]

    names = {keyword.arg for keyword in call.keywords}
    assert ("collate_fn" in names) == listed
    assert ("multiprocessing_context" in names) == (workers > 0)
    assert 'os.environ["VIPS_CONCURRENCY"] = "2"' in text


def test_a_failed_job_is_a_reason(tmp_path: Any) -> None:
    job = loader_figures.start(
        {"paths": [str(tmp_path / "none.png")], "pipeline": {"format": 1, "steps": []}, "seed": 0}, Loading(0)
    )
    job.wait(120)

    found = loader_figures.outcome(job)
    assert isinstance(found, Failed)
    assert "none.png" in found.reason
