"""The import boundary, with and without PyTorch."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import pyvips

from augviz import engine, library, saved
from tests.samples import rgb

TENSOR = {"format": 1, "steps": [{"transform": "ToTensor"}]}


def gray() -> pyvips.Image:
    return rgb()[0].copy(interpretation="b-w")


def formats() -> list[pyvips.Image]:
    return [rgb(), gray(), rgb().bandjoin(255), rgb().cast("ushort"), (rgb() / 255).cast("float"), rgb().cast("double")]


def test_importing_the_library_leaves_no_placeholder_behind() -> None:
    code = "import sys; from augviz import library; print('torch' in sys.modules, library.HAS_TORCH)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert found.stdout.split() in (["False", "False"], ["True", "True"])


def test_a_tensor_is_the_array_with_the_bands_first() -> None:
    for image in formats():
        array = image.numpy() if image.bands > 1 else image.numpy()[:, :, None]

        assert np.array_equal(engine.apply(image, saved.load(TENSOR), 0).array(), array.transpose(2, 0, 1))


@pytest.mark.torch
def test_a_real_tensor_holds_the_values_and_the_dtype_that_are_shown() -> None:
    for image in formats():
        tensor = library.A.ToTensor()(image=image)["image"]
        shown = engine.apply(image, saved.load(TENSOR), 0).array()

        assert library.HAS_TORCH
        assert type(tensor).__module__ == "torch"
        assert tuple(tensor.shape) == shown.shape
        assert tensor.numpy().dtype == shown.dtype
        assert np.array_equal(tensor.numpy(), shown)


def test_noise_is_seeded_from_random_and_only_within_the_block() -> None:
    def noise() -> np.ndarray:
        random.seed(4)
        return library.A.GaussNoise(p=1.0)(image=rgb())["image"].numpy()

    with library.seeded_noise():
        first, second = noise(), noise()

    assert np.array_equal(first, second)
    assert not np.array_equal(noise(), noise())  # the library's own way (D41)


def test_what_the_library_prints_is_swallowed(capfd: pytest.CaptureFixture[str]) -> None:
    with library.quiet():
        library.A.Emboss(p=1.0)(image=rgb())["image"].avg()

    assert capfd.readouterr().out == ""
