"""albumentations with the drawn values does the same work as the library, and says where it cannot."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from skimage import data, io

from augviz import catalog, engine, in_memory
from augviz.context import Context
from augviz.errors import ArgumentError
from augviz.fidelity import facts_of
from augviz.measure import Subject
from augviz.model import InputChoice, Pipeline, Step

installed = pytest.mark.skipif(
    importlib.util.find_spec("albumentations") is None, reason="albumentations is not installed, nor needed"
)

EXACT = ("HorizontalFlip", "VerticalFlip", "Flip", "Crop", "CenterCrop", "RandomCrop", "MedianBlur", "NoOp", "ToTensor")
WITHIN_LEVELS = {
    "RandomBrightnessContrast": 1.0,
    "RandomGamma": 1.0,
    "HueSaturationValue": 3.0,
    "Normalize": 0.01,
    "Blur": 2.0,
    "GaussianBlur": 4.0,
    "Affine": 1.0,
    "Rotate": 6.0,
    "Resize": 4.0,
    "LongestMaxSize": 4.0,
    "SmallestMaxSize": 4.0,
    "RandomScale": 8.0,
    "GaussNoise": 25.0,
}
"""Mean difference from the library's result in levels."""


@pytest.fixture(scope="module")
def photograph() -> pyvips.Image:
    return pyvips.Image.new_from_array(np.ascontiguousarray(data.astronaut())).copy(interpretation="srgb")


def both(image: pyvips.Image, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What albumentationsxl and what albumentations make of an image."""
    step = catalog.initial_step(name, "0", facts_of(engine.header(image)))
    pipeline = Pipeline((Step("0", name, step.args, p=1.0),))
    firings = engine.draw(engine.header(image), pipeline, seed).firings
    after = in_memory.worked(image.numpy().copy(), in_memory.works_of("albumentations")(firings))
    return engine.apply(image, pipeline, seed).array(), after


@installed
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_moves_pixels_gives_the_same_pixels(photograph: pyvips.Image, name: str, seed: int) -> None:
    expected, actual = both(photograph, name, seed)

    assert actual.dtype == expected.dtype
    assert np.array_equal(actual, expected)


@installed
@pytest.mark.parametrize("name", WITHIN_LEVELS)
def test_what_computes_pixels_gives_nearly_the_same(photograph: pyvips.Image, name: str) -> None:
    for seed in (0, 1, 2):
        expected, actual = both(photograph, name, seed)

        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        assert np.abs(actual.astype(float) - expected).mean() <= WITHIN_LEVELS[name]


@installed
def test_noise_is_as_strong_as_the_librarys(photograph: pyvips.Image) -> None:
    grey = (photograph * 0 + 128).cast("uchar").copy(interpretation="srgb")
    expected, actual = both(grey, "GaussNoise", 1)

    assert actual.std() == pytest.approx(expected.std(), rel=0.06)


@installed
def test_every_counterpart_is_compared_with_the_library() -> None:
    from augviz.counterparts import COUNTERPARTS

    assert set(EXACT) | set(WITHIN_LEVELS) == set(COUNTERPARTS)
    assert set(COUNTERPARTS) <= set(catalog.TRANSFORMS)


@installed
def test_steps_without_an_equivalent_are_named(photograph: pyvips.Image) -> None:
    steps = tuple(Step(name, name, (), 1.0) for name in ("HEDShift", "HorizontalFlip", "Transpose"))
    firings = engine.draw(engine.header(photograph), Pipeline(steps), 0).firings

    with pytest.raises(ArgumentError, match=r"^With albumentations .* HEDShift \(step 1\), Transpose \(step 3\)\.$"):
        in_memory.works_of("albumentations")(firings)


@installed
@pytest.mark.parametrize("name", ["RandomGamma", "GaussNoise", "HueSaturationValue"])
def test_values_that_mean_something_else_for_other_types_are_refused(photograph: pyvips.Image, name: str) -> None:
    deep = (photograph.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    firings = engine.draw(engine.header(photograph), Pipeline((Step("0", name, (), 1.0),)), 0).firings
    firings = tuple(replace(firing, before=engine.header(deep)) for firing in firings)

    with pytest.raises(
        ArgumentError, match=rf"^With albumentations this is not possible: {name}: .*8-bit images only\.$"
    ):
        in_memory.works_of("albumentations")(firings)


@installed
def test_what_albumentations_refuses_is_a_sentence(photograph: pyvips.Image) -> None:
    step = Step("0", "GaussNoise", (("var_limit", (60_000.0, 60_000.0)),), 1.0)
    firings = engine.draw(engine.header(photograph), Pipeline((step,)), 0).firings

    with pytest.raises(ArgumentError, match=r"^With albumentations this is not possible: GaussNoise: "):
        in_memory.works_of("albumentations")(firings)


@installed
def test_the_figures_are_those_of_the_other_ways(tmp_path: Path) -> None:
    io.imsave(tmp_path / "rgb.png", data.astronaut(), check_contrast=False)
    steps = (Step("f", "HorizontalFlip", (), 1.0), Step("b", "Blur", (), 1.0))
    subject = Subject(str(tmp_path / "rgb.png"), InputChoice(), Pipeline(steps), 0)

    found, other = (in_memory.measure_in_memory(subject, 2, Context(), way) for way in ("albumentations", "memory"))

    assert found["way"] == "albumentations"
    assert len(found["wall_seconds"]) == 2
    assert found.keys() == other.keys()


def test_where_it_is_not_installed_that_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "augviz.counterparts", raising=False)
    monkeypatch.delattr("augviz.counterparts", raising=False)
    monkeypatch.setitem(sys.modules, "albumentations", None)

    with pytest.raises(ArgumentError, match=r"^With albumentations this is not possible: it is not installed"):
        in_memory.works_of("albumentations")
