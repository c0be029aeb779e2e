"""The costs of this machine: measured by making pixels, kept with what they depend on, and believed only while that holds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pyvips

from augviz import calibration, catalog, costs, jobs
from augviz.calibration import Cost
from augviz.context import Context
from augviz.errors import Cancelled
from augviz.settings import get_settings

SMALL = ((float("inf"), 64),)
FLIP = Cost(cpu_ms=2.5, cpu_low_ms=2.0, cpu_high_ms=4.0, wall_ms=1.5, repeats=7)
SLOW_FLIP = Cost(cpu_ms=5.0, cpu_low_ms=4.0, cpu_high_ms=6.0, wall_ms=3.0, repeats=7)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Costs are kept in a folder of the test."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def save() -> None:
    made = {"HorizontalFlip": {"uchar": FLIP, "float": SLOW_FLIP}, "HEDShift": {"float": SLOW_FLIP}}
    calibration.save(calibration.place(), "8.18.7", "2026-11-25", made)


def edit(**changes: Any) -> None:
    """Change the stored file by hand."""
    values = json.loads(calibration.place().read_text())
    calibration.place().write_text(json.dumps(values | changes))


def test_nothing_is_stored_at_first() -> None:
    assert calibration.load() is None
    assert calibration.stored() == {}


def test_stored_costs_come_back_with_their_spread() -> None:
    save()
    found = calibration.load()

    assert found is not None
    assert found.cost("HorizontalFlip") == FLIP
    assert found.cost("HorizontalFlip", "float") == SLOW_FLIP
    assert found.cost("HEDShift") is None
    assert "on 2026-11-25" in found.about()
    assert "libvips 8.18.7" in found.about()
    assert calibration.stored() == {"uchar": {"HorizontalFlip": 2.5}, "float": {"HorizontalFlip": 5.0, "HEDShift": 5.0}}


def test_no_other_file_is_left_beside_the_stored_one(cache: Path) -> None:
    save()

    assert [path.name for path in cache.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": {**calibration.identity()["versions"], "augviz": "0.0.9"}},
        {"versions": {**calibration.identity()["versions"], "albumentationsxl": "0.1.3"}},
        {"versions": {**calibration.identity()["versions"], "pyvips-binary": "8.19.0"}},
        {"cpu_count": 4096},
        {"machine": "another"},
        {"format": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_costs_of_another_version_or_machine_are_not_believed(changes: Mapping[str, Any]) -> None:
    save()
    edit(**changes)

    assert calibration.load() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"costs": None},
        {"costs": {"HorizontalFlip": {"uchar": {"cpu_ms": 1.0}}}},
        {"costs": {"HorizontalFlip": {"uchar": [1, 2, 3]}}},
        {"costs": {"HorizontalFlip": 3}},
    ],
)
def test_an_edited_file_is_measured_anew(changes: Mapping[str, Any]) -> None:
    save()
    edit(**changes)

    assert calibration.load() is None


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "3", True, None])
def test_a_cost_that_is_no_number_of_milliseconds_is_not_believed(value: object) -> None:
    save()
    values = json.loads(calibration.place().read_text())
    values["costs"]["HorizontalFlip"]["uchar"]["cpu_ms"] = value
    calibration.place().write_text(json.dumps(values))

    assert calibration.load() is None


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_file_that_was_cut_is_measured_anew(kept: int) -> None:
    save()
    text = calibration.place().read_bytes()
    calibration.place().write_bytes(text[:kept])

    assert calibration.load() is None


def test_a_transform_that_is_not_known_is_left_out() -> None:
    calibration.save(calibration.place(), "8.18.7", "2026-11-25", {"Gone": {"uchar": FLIP}})

    assert calibration.stored() == {"uchar": {}, "float": {}}


def test_every_repeat_is_counted_and_the_median_lies_within_the_spread() -> None:
    found = costs.measure(Context(), names=("HorizontalFlip", "GaussNoise"), sides=SMALL)

    assert set(found) == {"HorizontalFlip", "GaussNoise"}
    for formats in found.values():
        assert tuple(formats) == calibration.FORMATS
        for cost in formats.values():
            assert costs.LEAST_REPEATS <= cost.repeats <= costs.REPEATS
            assert 0 < cost.cpu_low_ms <= cost.cpu_ms <= cost.cpu_high_ms
            assert cost.wall_ms > 0


def test_a_machine_that_is_too_busy_gives_one_repeat_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "SECONDS", 0.0)
    found = costs.measure(Context(), names=("HorizontalFlip", "Blur"), sides=SMALL)

    assert [cost.repeats for formats in found.values() for cost in formats.values()] == [1] * 4


def test_a_transform_that_raises_in_some_draws_is_measured_in_the_others() -> None:
    found = costs.measure(Context(), names=("RandomRotate90",), sides=SMALL)["RandomRotate90"]["uchar"]

    assert 1 <= found.repeats <= costs.REPEATS


def test_every_usable_transform_can_be_measured() -> None:
    usable = {name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable}
    found = costs.measure(Context(), sides=SMALL)

    assert set(found) == usable
    assert all("uchar" in formats for formats in found.values())


def test_what_cannot_be_used_is_not_measured() -> None:
    assert costs.measure(Context(), names=("Lambda",), sides=SMALL) == {}


def test_progress_grows_to_the_end() -> None:
    told: list[Any] = []
    costs.measure(Context(told.append, wants_progress=True), names=("HorizontalFlip", "Blur"), sides=SMALL)
    fractions = [message["progress"][0] for message in told if message["progress"][0] is not None]

    assert fractions == sorted(fractions)
    assert all(0 <= fraction < 1 for fraction in fractions)
    assert "measuring Blur" in {message["progress"][1] for message in told}


def test_a_measurement_that_is_given_up_ends_and_leaves_the_cache_as_it_was() -> None:
    context, kept = Context(), pyvips.cache_get_max()
    context.cancel()

    with pytest.raises(Cancelled):
        costs.measure(context, names=("HorizontalFlip",), sides=SMALL)
    assert pyvips.cache_get_max() == kept


def test_a_job_keeps_what_it_measured() -> None:
    args = {"out": str(calibration.place()), "names": ["HorizontalFlip"]}
    job = jobs.start_job(calibration.FUNCTION, args, seconds=120, memory_bytes=0, threads=calibration.THREADS)

    assert job.result().value == {"measured": 1}
    assert set(calibration.stored()["uchar"]) == {"HorizontalFlip"}


def test_only_one_measurement_runs_and_a_cancelled_one_keeps_what_was_stored() -> None:
    save()
    job = calibration.start("me")

    assert job.visitor == "me"
    assert calibration.start("you") is job
    assert calibration.running() is job

    job.cancel()

    assert job.wait(10) == "cancelled"
    assert calibration.running() is None
    assert calibration.stored() == {"uchar": {"HorizontalFlip": 2.5}, "float": {"HorizontalFlip": 5.0, "HEDShift": 5.0}}
