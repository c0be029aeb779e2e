"""No label claims more than what is measured: fine views at s = 16 against the shrunk full-size result."""

from __future__ import annotations

import statistics
from functools import cache

import numpy as np
import pytest
import pyvips

from augviz import catalog, engine, fidelity, scale, view
from augviz.model import QUALITIES, Pipeline, Step, Truth
from bench.fidelity import photographs

SIDE = 2048
SCALE = 16.0
SEED = 3
"""One for which RandomRotate90 does not raise, as it does for a quarter of the draws (D5)."""


@cache
def photograph() -> pyvips.Image:
    return fidelity.mosaic(photographs(), SIDE)


def measured(pipeline: Pipeline, label: str, *qualities: str) -> fidelity.Row:
    return fidelity.measure(photograph(), pipeline, SEED, (SCALE,), label, qualities)[0]


def alone(step: Step) -> Pipeline:
    return Pipeline((Step(step.id, step.transform, step.args, 1.0),))


@cache
def decibels() -> dict[str, dict[str, float]]:
    """What each deterministic transform reaches, by quality and label."""
    rows = [measured(alone(step), label, *fidelity.LEAST_DB) for label, step in PIXELS]
    return {quality: {row.label: row.of(quality) for row in rows} for quality in fidelity.LEAST_DB}


CASES = [
    (label, step)
    for label, step in fidelity.cases(
        engine.header(pyvips.Image.black(SIDE, SIDE, bands=3).copy(interpretation="srgb"))
    )
]
PIXELS = [(label, step) for label, step in CASES if step.transform in fidelity.deterministic()]
STATISTICS = [(label, step) for label, step in CASES if step.transform in fidelity.statistical() and step.args]


def test_the_cases_hold_every_deterministic_transform() -> None:
    assert {step.transform for _, step in PIXELS} == set(fidelity.deterministic())


@pytest.mark.parametrize("quality", list(fidelity.LEAST_DB))
def test_every_deterministic_transform_is_as_near_as_its_quality_promises(quality: str) -> None:
    found = decibels()[quality]

    assert {label: db for label, db in found.items() if db < fidelity.LEAST_DB[quality]} == {}
    assert statistics.median(found.values()) >= fidelity.MEDIAN_DB[quality]


def test_what_is_promised_of_fine_views_is_more_than_their_label_claims() -> None:
    assert fidelity.LEAST_DB["fine"] >= fidelity.LIMIT_DB
    assert fidelity.LEAST_DB["precise"] > fidelity.LEAST_DB["fine"]


def test_fifty_generated_pipelines_are_to_scale_with_a_median_of_40_db() -> None:
    cases = fidelity.generated(50, engine.header(photograph()), SEED)
    found = {label: measured(pipeline, label, "fine").fine for label, pipeline in cases}

    assert {label: db for label, db in found.items() if db < fidelity.LIMIT_DB} == {}
    assert statistics.median(found.values()) >= 40


@pytest.mark.parametrize(("label", "step"), STATISTICS, ids=[label for label, _ in STATISTICS])
def test_a_statistical_transform_keeps_the_statistics_of_photographs(label: str, step: Step) -> None:
    [found] = fidelity.likeness(photograph(), alone(step), SEED, (SCALE,), label)

    assert found.fine <= fidelity.MOST_DEVIATION
    assert found.precise <= fidelity.MOST_DEVIATION


@pytest.mark.parametrize(("sigma", "mean"), [(60.0, 0.0), (8.0, -3.0), (0.0, 2.0)])
def test_what_is_cut_off_noise_is_what_casting_leaves_of_it(sigma: float, mean: float) -> None:
    table = scale.cut_noise(sigma, mean)
    noise = np.random.default_rng(1).normal(mean, sigma, 200_000)
    cast = {level: np.clip(level + noise, 0, 255).astype(np.uint8) for level in (0, 20, 128, 250, 255)}

    assert table[0, list(cast)] == pytest.approx([values.mean() for values in cast.values()], abs=0.3)
    assert table[1, list(cast)] == pytest.approx([values.std() for values in cast.values()], abs=0.3)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("s", [4.0, 16.0])
def test_noise_keeps_its_statistics(s: float, quality: str) -> None:
    flat = (pyvips.Image.black(1024, 1024, bands=3) + 128).cast("uchar").copy(interpretation="srgb")
    pipeline = Pipeline((Step("n", "GaussNoise", (("var_limit", (200.0, 200.0)),), 1.0),))
    full = engine.apply(flat, pipeline, SEED).image.cast("uchar").copy_memory()
    seen = view.whole(fidelity.shrinker(flat), engine.draw(engine.header(flat), pipeline, SEED), s, quality).image
    expected = fidelity.statistics(view.shrunk(full, seen.width, seen.height))
    actual = fidelity.statistics(seen.copy_memory())

    # Casting noise to 8 bit truncates it, and shrinking 8 bit rounds it up again by half a level.
    assert np.allclose(actual[:, 0], expected[:, 0], atol=0.6)
    assert np.allclose(actual[:, 1], expected[:, 1], rtol=0.05)


def test_elastic_moves_the_view_by_as_much_as_the_image() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    ramp = pyvips.Image.new_from_array(np.dstack([x, y, x]).astype(np.float32))  # each pixel holds its own place
    args = (("alpha", 4.0), ("sigma", 10.0), ("value", (0.0, 0.0, 0.0)))
    pipeline = Pipeline((Step("e", "ElasticTransform", args, 1.0),))
    full = _moved(engine.apply(ramp, pipeline, SEED).image, ramp)
    drawn = engine.draw(engine.header(ramp), pipeline, SEED)
    small = _moved(view.whole(fidelity.shrinker(ramp), drawn, 4.0, "quick").image, fidelity.shrinker(ramp)(512, 512))

    # The y field's own spread leaves the mean of 1536 pixels square uncertain by 104 / 1536 of alpha.
    assert small[:, 1].mean() == pytest.approx(full[:, 1].mean(), abs=0.2 * 4.0)
    assert small[:, 1].std() == pytest.approx(full[:, 1].std(), rel=0.05)
    assert small[:, 0].std() == pytest.approx(full[:, 0].std(), rel=0.05)


def _moved(image: pyvips.Image, still: pyvips.Image) -> np.ndarray:
    """How far the pixels of the middle came from, in full-size pixels: (pixels, bands)."""
    margin, side = image.width // 8, image.width - image.width // 4
    moved = image.crop(margin, margin, side, side).numpy() - still.crop(margin, margin, side, side).numpy()
    return moved.reshape(-1, moved.shape[-1])


def test_statistical_transforms_are_the_only_ones_left_out() -> None:
    left_out = {n for n, spec in catalog.TRANSFORMS.items() if not spec.unusable} - set(fidelity.deterministic())

    assert {catalog.TRANSFORMS[name].truth for name in left_out} == {Truth.STATISTICAL}
    assert left_out == set(fidelity.statistical())
