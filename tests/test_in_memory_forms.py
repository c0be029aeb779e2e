"""Whatever the image has for bands and type, what is measured in memory is the library's work, or is refused in a sentence."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace

import numpy as np
import pytest
import pyvips
from skimage import data

from augviz import catalog, engine, in_memory
from augviz.equivalents import EQUIVALENTS, checked
from augviz.errors import ArgumentError, AugvizError
from augviz.fidelity import facts_of
from augviz.model import Pipeline, Step

DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
BANDS = (1, 2, 3, 4, 5)
FORMS = [(dtype, bands) for dtype in DTYPES for bands in BANDS]

ANOTHER_RANDOM_FIELD = ("GaussNoise", "ElasticTransform")
NEAR = 0.03
"""Mean difference from the library's result as a share of the range: OpenCV rounds and interpolates in its own ways."""

WAYS = [
    pytest.param(in_memory.WAY, id="opencv"),
    pytest.param(
        in_memory.WAY_ALBUMENTATIONS,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("albumentations") is None, reason="albumentations is not installed, nor needed"
        ),
    ),
]


def picture(dtype: str, bands: int) -> pyvips.Image:
    """A part of a photograph in that form, 96 x 80 pixels; floats lie within 0 and 1."""
    photograph = data.astronaut()[100:180, 150:246]
    array = np.concatenate([photograph, photograph[::-1]], axis=2)[:, :, :bands]
    scales = {"uint8": 1, "uint16": 257, "int16": 128}
    values = array.astype(dtype) * scales[dtype] if dtype in scales else array.astype(dtype) / 255
    return pyvips.Image.new_from_array(np.ascontiguousarray(values.astype(dtype)))


def block(array: np.ndarray) -> np.ndarray:
    return array[:, :, None] if array.ndim == 2 else array


def both(
    image: pyvips.Image, step: Step, way: str, seed: int = 1
) -> tuple[np.ndarray, np.ndarray | str] | tuple[None, None]:
    """What the library makes, None where it refuses; and what the way makes, or why it does not."""
    pipeline = Pipeline((step,))
    try:
        expected = engine.apply(image, pipeline, seed).array()
        firings = engine.draw(engine.header(image), pipeline, seed).firings
    except AugvizError:
        return None, None
    try:
        return block(expected), in_memory.worked(block(image.numpy()).copy(), in_memory.works_of(way)(firings))
    except ArgumentError as error:
        return block(expected), str(error)


def stepped(name: str, image: pyvips.Image) -> Step:
    return Step("0", name, catalog.initial_step(name, "0", facts_of(engine.header(image))).args, p=1.0)


def difference(actual: np.ndarray, expected: np.ndarray) -> float:
    most = {"uint8": 255, "uint16": 65535, "int16": 32767}.get(
        str(expected.dtype), float(np.abs(expected).max()) or 1.0
    )
    return float(np.abs(actual.astype(float) - expected).mean() / most)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EQUIVALENTS)
def test_every_form_of_image_gives_the_librarys_result_or_a_sentence(name: str, way: str) -> None:
    for dtype, bands in FORMS:
        image = picture(dtype, bands)
        expected, actual = both(image, stepped(name, image), way)
        if expected is None:
            continue
        if isinstance(actual, str):
            assert re.match(rf"(In memory|With albumentations) this is not possible: .*\b{name}\b.*\S", actual)
            continue
        assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype), (dtype, bands)
        if name not in ANOTHER_RANDOM_FIELD:
            assert difference(actual, expected) <= NEAR, (dtype, bands)


BRIGHTER = Step("0", "RandomBrightnessContrast", (("brightness_limit", (0.2, 0.2)), ("brightness_by_max", True)), 1.0)
BRIGHTER_BY_MEAN = replace(BRIGHTER, args=(("brightness_limit", (0.2, 0.2)), ("brightness_by_max", False)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [BRIGHTER, BRIGHTER_BY_MEAN])
def test_what_is_brighter_loses_its_alpha_as_in_the_library(step: Step, way: str) -> None:
    expected, actual = both(picture("uint8", 4), step, way)

    assert isinstance(actual, np.ndarray)
    assert expected is not None
    assert actual.shape == expected.shape == (80, 96, 3)
    assert difference(actual, expected) <= NEAR


@pytest.mark.parametrize("name", ["Sharpen", "Emboss"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_what_is_sharpened_comes_out_in_8_bit_as_in_the_library(name: str, dtype: str) -> None:
    expected, actual = both(picture(dtype, 3), Step("0", name, (), 1.0), in_memory.WAY)

    assert isinstance(actual, np.ndarray)
    assert expected is not None
    assert actual.dtype == expected.dtype == np.uint8
    assert difference(actual, expected) <= NEAR


def test_a_dropped_channel_makes_floats_of_16_bit_as_in_the_library() -> None:
    expected, actual = both(picture("uint16", 3), Step("0", "ChannelDropout", (), 1.0), in_memory.WAY)

    assert isinstance(actual, np.ndarray)
    assert actual.dtype == np.float32
    assert np.array_equal(actual, expected)


def test_three_means_make_three_bands_of_one_as_in_the_library() -> None:
    step = Step("0", "Normalize", (("mean", (0.1, 0.2, 0.3)), ("std", (0.5, 0.6, 0.7))), 1.0)
    expected, actual = both(picture("uint8", 1), step, in_memory.WAY)

    assert isinstance(actual, np.ndarray)
    assert actual.shape == (80, 96, 3)
    assert np.allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize(
    ("name", "dtype", "bands", "says"),
    [
        ("MedianBlur", "uint16", 3, "3 bands of uint16: the result would be 3 bands of float32, .* 3 bands of uint16"),
        ("HueSaturationValue", "uint8", 1, "1 band of uint8: the result would be 1 band of uint8, .* 3 bands of uint8"),
    ],
)
def test_another_form_than_the_librarys_is_no_equivalent(
    name: str, dtype: str, bands: int, says: str, way: str
) -> None:
    _, actual = both(picture(dtype, bands), Step("0", name, (), 1.0), way)

    assert isinstance(actual, str)
    assert re.fullmatch(rf"With .* possible: {name} \(step 1\): it has no equivalent for {says}\.", actual)


def test_another_size_than_the_librarys_is_no_equivalent() -> None:
    image = picture("uint8", 3)
    firing = engine.draw(engine.header(image), Pipeline((Step("0", "HorizontalFlip", (), 1.0),)), 0).firings[0]

    assert checked(image.numpy(), firing).shape == (80, 96, 3)
    with pytest.raises(ArgumentError, match="the result would be 96 × 80 × 3, where the library gives 80 × 96 × 3"):
        checked(image.numpy().transpose(1, 0, 2), firing)
