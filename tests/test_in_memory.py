"""The way without pyvips: the same draw on arrays gives the same image, or nearly, and says where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips
from skimage import data, io

from augviz import catalog, engine, environment, in_memory
from augviz.context import Context
from augviz.equivalents import EQUIVALENTS
from augviz.errors import ArgumentError
from augviz.fidelity import facts_of
from augviz.measure import Subject
from augviz.model import InputChoice, Pipeline, Step

EXACT = (
    "HorizontalFlip",
    "VerticalFlip",
    "Flip",
    "Transpose",
    "Crop",
    "CenterCrop",
    "RandomCrop",
    "CropOrPad",
    "PadIfNeeded",
    "MedianBlur",
    "CoarseDropout",
    "GridDropout",
    "ChannelDropout",
    "ToTensor",
    "NoOp",
)
WITHIN_LEVELS = {
    "RandomBrightnessContrast": 0.01,
    "RandomGamma": 0.6,
    "HEDShift": 0.6,
    "HueSaturationValue": 1.5,
    "Normalize": 0.01,
    "ToDtype": 0.0001,
    "Blur": 2.0,
    "MotionBlur": 2.0,
    "AdvancedBlur": 2.0,
    "Sharpen": 1.0,
    "Emboss": 1.0,
    "GaussianBlur": 4.0,
    "Affine": 1.0,
    "Rotate": 6.0,
    "Resize": 4.0,
    "LongestMaxSize": 4.0,
    "SmallestMaxSize": 4.0,
    "RandomScale": 8.0,
    "GaussNoise": 25.0,
    "ElasticTransform": 15.0,
}
"""Mean difference from the library's result in levels: OpenCV rounds, interpolates and draws noise in its own ways."""


@pytest.fixture(scope="module")
def photograph() -> pyvips.Image:
    return pyvips.Image.new_from_array(np.ascontiguousarray(data.astronaut())).copy(interpretation="srgb")


def both(image: pyvips.Image, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What the library and what OpenCV make of an image."""
    step = catalog.initial_step(name, "0", facts_of(engine.header(image)))
    pipeline = Pipeline((Step("0", name, step.args, p=1.0),))
    firings = engine.draw(engine.header(image), pipeline, seed).firings
    before = image.numpy()
    after = in_memory.worked(
        before.copy() if before.ndim == 3 else before[:, :, None].copy(), in_memory.by_opencv(firings)
    )
    return engine.apply(image, pipeline, seed).array(), after


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_moves_pixels_gives_the_same_pixels(photograph: pyvips.Image, name: str, seed: int) -> None:
    expected, actual = both(photograph, name, seed)

    assert actual.dtype == expected.dtype
    assert np.array_equal(actual, expected)


@pytest.mark.parametrize("name", WITHIN_LEVELS)
def test_what_computes_pixels_gives_nearly_the_same(photograph: pyvips.Image, name: str) -> None:
    for seed in (0, 1, 2):
        expected, actual = both(photograph, name, seed)

        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        assert np.abs(actual.astype(float) - expected).mean() <= WITHIN_LEVELS[name]


def test_quarter_turns_are_the_librarys(photograph: pyvips.Image) -> None:
    expected, actual = both(photograph, "RandomRotate90", 0)  # of the seeds, one whose draw the library survives (D5)

    assert np.array_equal(actual, expected)


def test_every_equivalent_is_compared_with_the_library() -> None:
    assert set(EXACT) | set(WITHIN_LEVELS) | {"RandomRotate90"} == set(EQUIVALENTS)
    assert set(EQUIVALENTS) <= set(catalog.TRANSFORMS)


@pytest.mark.parametrize("name", ["HorizontalFlip", "Blur", "Rotate", "RandomGamma", "ToTensor"])
def test_images_of_one_band_keep_it(photograph: pyvips.Image, name: str) -> None:
    grey = photograph.colourspace("b-w")

    expected, actual = both(grey, name, 1)

    assert actual.squeeze().shape == expected.squeeze().shape


def test_brightness_by_mean_takes_the_mean_of_what_it_is_given(photograph: pyvips.Image) -> None:
    step = Step("0", "RandomBrightnessContrast", (("brightness_by_max", False), ("brightness_limit", (0.3, 0.3))), 1.0)
    firings = engine.draw(engine.header(photograph), Pipeline((step,)), 0).firings

    actual = in_memory.worked(photograph.numpy().copy(), in_memory.by_opencv(firings))

    assert np.abs(actual.astype(float) - engine.apply(photograph, Pipeline((step,)), 0).array()).max() <= 1


def test_the_source_is_not_changed(photograph: pyvips.Image) -> None:
    array = photograph.numpy().copy()
    for name in EQUIVALENTS:
        if name not in ("RandomRotate90", "NoOp", "ToTensor"):
            step = catalog.initial_step(name, "0", facts_of(engine.header(photograph)))
            firings = engine.draw(engine.header(photograph), Pipeline((step,)), 0).firings
            in_memory.worked(array, in_memory.by_opencv(firings))

    assert np.array_equal(array, data.astronaut())


def test_steps_without_an_equivalent_are_named(photograph: pyvips.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Blur", "HEDShift"):
        monkeypatch.delitem(EQUIVALENTS, name)
    steps = tuple(Step(name, name, (), 1.0) for name in ("Blur", "HorizontalFlip", "HEDShift"))
    firings = engine.draw(engine.header(photograph), Pipeline(steps), 0).firings

    with pytest.raises(ArgumentError, match=r"no equivalent of Blur \(step 1\), HEDShift \(step 3\)\."):
        in_memory.check_possible(firings)


def test_what_opencv_cannot_do_is_a_sentence(photograph: pyvips.Image) -> None:
    median = Step("0", "MedianBlur", (("blur_limit", (7, 7)),), 1.0)
    firings = engine.draw(engine.header(photograph), Pipeline((median,)), 0).firings

    with pytest.raises(ArgumentError, match=r"^In memory this is not possible: MedianBlur: .*\.$"):
        in_memory.worked(photograph.numpy().astype(np.float32), in_memory.by_opencv(firings))


# Files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photograph as 8-bit RGB, grey, with alpha, and 16 bit."""
    folder = tmp_path_factory.mktemp("files")
    rgb = data.astronaut()
    io.imsave(folder / "rgb.png", rgb, check_contrast=False)
    io.imsave(folder / "grey.png", rgb[:, :, 0], check_contrast=False)
    io.imsave(folder / "alpha.png", np.dstack([rgb, rgb[:, :, :1]]), check_contrast=False)
    io.imsave(folder / "deep.tif", rgb.astype(np.uint16) * 257, check_contrast=False)
    return folder


@pytest.mark.parametrize("name", ["rgb.png", "grey.png", "alpha.png", "deep.tif"])
def test_opencv_reads_what_the_pipeline_is_fed(files: Path, name: str) -> None:
    subject = Subject(str(files / name), InputChoice(), Pipeline(), 0)
    array, read_by = in_memory.read(subject, engine.header(subject.open()))

    assert read_by == in_memory.OPENCV
    assert np.array_equal(array.squeeze(), subject.open().numpy())


def test_libvips_reads_what_opencv_would_read_otherwise(files: Path) -> None:
    subject = Subject(str(files / "rgb.png"), InputChoice(bands=1), Pipeline(), 0)
    array, read_by = in_memory.read(subject, engine.header(subject.open()))

    assert read_by == in_memory.LIBVIPS
    assert array.shape == (512, 512, 1)


def test_the_figures_are_those_of_the_other_ways(files: Path) -> None:
    steps = (Step("f", "HorizontalFlip", (), 1.0), Step("b", "Blur", (), 1.0))
    found = in_memory.measure_in_memory(
        Subject(str(files / "rgb.png"), InputChoice(), Pipeline(steps), 0), 3, Context()
    )

    assert (len(found["wall_seconds"]), len(found["cpu_seconds"])) == (3, 3)
    assert (found["way"], found["read_by"]) == ("memory", in_memory.OPENCV)
    assert found["megapixels"] == 512 * 512 / 1e6
    assert set(found["environment"]) == {*environment.environment(), "memory"}


def test_progress_names_run_and_step(files: Path) -> None:
    texts: list[str] = []
    context = Context(lambda message: texts.append(message["progress"][1]), wants_progress=True)
    steps = (Step("f", "HorizontalFlip", (), 1.0),)

    in_memory.measure_in_memory(Subject(str(files / "rgb.png"), InputChoice(), Pipeline(steps), 0), 1, context)

    assert texts[0] == "warming up, reading"
    assert texts[-1] == "run 1 of 1, HorizontalFlip"
