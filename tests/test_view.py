"""Views: their size, their scale, and that nothing large is worked for a small picture."""

from __future__ import annotations

import numpy as np
import pytest
import pyvips

from augviz import engine, fidelity, saved, view
from augviz.model import BYTES_PER_VALUE, QUALITIES, Pipeline, Truth
from tests.samples import rgb

CROP = {"transform": "CenterCrop", "args": {"height": 64, "width": 64}}
TURN = {"transform": "Rotate", "p": 1.0}
SHRINK = {"transform": "Resize", "args": {"height": 64, "width": 64}}
BY_MEAN = {"transform": "RandomBrightnessContrast", "p": 1.0, "args": {"brightness_by_max": False}}


def loaded(*steps: dict[str, object]) -> Pipeline:
    return saved.load({"format": 1, "steps": list(steps)})


def drawn_for(image: pyvips.Image, *steps: dict[str, object]) -> engine.Drawn:
    return engine.draw(engine.header(image), loaded(*steps), 1)


@pytest.mark.parametrize("quality", QUALITIES)
def test_at_scale_1_a_view_is_the_full_size_result_byte_for_byte(quality: str) -> None:
    image = rgb(300, 200)
    steps = ({"transform": "GaussNoise", "p": 1.0}, TURN, {"transform": "Sharpen", "p": 1.0})
    seen = view.whole(fidelity.shrinker(image), drawn_for(image, *steps), 1.0, quality)

    assert seen.truth is Truth.EXACT
    assert np.array_equal(seen.image.numpy(), engine.apply(image, loaded(*steps), 1).array())


def headed(side: int, *steps: dict[str, object], pixel_format: str = "uchar") -> engine.Drawn:
    """The draw of a large image of which there is only a header."""
    return drawn_for(pyvips.Image.black(side, side, bands=3).cast(pixel_format).copy(interpretation="srgb"), *steps)


@pytest.mark.parametrize(
    "steps", [(), (TURN,), ({"transform": "Sharpen", "p": 1.0}, {"transform": "HEDShift", "p": 1.0})]
)
def test_a_precise_view_of_a_large_image_is_worked_four_times_as_fine(steps: tuple[dict[str, object], ...]) -> None:
    drawn = headed(16384, *steps)

    assert view.supersampling(drawn, drawn.firings, 16.0, "quick") == 1
    assert 1.75 <= view.supersampling(drawn, drawn.firings, 16.0, "fine") < 4
    assert view.supersampling(drawn, drawn.firings, 16.0, "precise") >= 4


def test_a_small_view_is_worked_finer_than_it_must_be() -> None:
    drawn = headed(16384, TURN)

    assert view.supersampling(drawn, drawn.firings, 128.0, "precise") > 16
    assert 4 <= view.supersampling(drawn, drawn.firings, 128.0, "precise", 1024) <= 8


@pytest.mark.parametrize("pixel_format", ["uchar", "float", "double"])
@pytest.mark.parametrize("s", [4.0, 8.0, 16.0])
def test_a_precise_view_holds_no_more_than_its_bound(s: float, pixel_format: str) -> None:
    drawn = headed(16384, pixel_format=pixel_format)
    finer = view.supersampling(drawn, drawn.firings, s, "precise")
    held_bytes = (16384 / s * finer) ** 2 * 3 * BYTES_PER_VALUE[pixel_format]

    assert finer >= 1
    assert finer == 1 or held_bytes <= view.PRECISE_HELD_BYTES * 1.001


def test_a_precise_view_of_steps_that_take_too_long_is_worked_less_fine() -> None:
    elastic = {"transform": "ElasticTransform", "p": 1.0}
    drawn = headed(16384, elastic, elastic)

    assert 1 < view.supersampling(drawn, drawn.firings, 16.0, "precise") < 4


@pytest.mark.parametrize("s", [1.0, 1.3, 2.0, 3.7, 16.0, 1000.0])
def test_a_view_has_the_result_s_size_over_s_rounded_and_never_below_1(s: float) -> None:
    image = rgb(300, 200)
    drawn = drawn_for(image, TURN)
    seen = view.whole(fidelity.shrinker(image), drawn, s, "fine")
    full = drawn.draw.result

    assert (seen.image.width, seen.image.height) == (max(1, round(full.width / s)), max(1, round(full.height / s)))


def test_a_view_keeps_the_bands_and_the_format_of_the_result() -> None:
    image = rgb(300, 200)
    steps = ({"transform": "Normalize", "args": {"mean": [1, 2, 3], "std": [1, 1, 1]}}, {"transform": "ToTensor"})
    seen = view.whole(fidelity.shrinker(image), drawn_for(image, *steps), 4.0, "quick")

    assert (seen.image.bands, seen.image.format) == (3, "float")


def test_a_crop_is_shown_at_its_own_scale() -> None:
    drawn = drawn_for(rgb(300, 200), TURN, CROP)

    assert view.fitted_scale(drawn, 64) == 1.0
    assert view.fitted_scale(drawn, 32) == 2.0
    assert view.default_scale(drawn.draw.source, 100) == 3.0


def test_before_a_resize_no_more_is_worked_than_the_view_will_show() -> None:
    drawn = drawn_for(pyvips.Image.black(16384, 16384, bands=3).copy(interpretation="srgb"), TURN, SHRINK)
    stages = view.grids(drawn, drawn.firings, 1.0)

    assert stages[-1].width == 64
    assert stages[0].width < 100


def test_a_crop_out_of_a_huge_image_asks_only_for_its_own_pixels() -> None:
    asked: list[tuple[int, int]] = []
    huge = pyvips.Image.black(60_000, 60_000, bands=3).copy(interpretation="srgb")

    def base(width: int, height: int) -> pyvips.Image:
        asked.append((width, height))
        return huge

    seen = view.whole(base, drawn_for(huge, TURN, CROP), 1.0, "fine")

    assert asked == [(60_000, 60_000)]
    assert seen.image.numpy().shape == (64, 64, 3)  # made in full it would take 10.8 GB and minutes


def test_noise_and_elastic_are_labelled_statistical_and_say_which_step() -> None:
    image = rgb(300, 200)
    seen = view.whole(fidelity.shrinker(image), drawn_for(image, {"transform": "GaussNoise", "p": 1.0}), 4.0, "quick")

    assert seen.truth is Truth.STATISTICAL
    assert seen.reasons == ("GaussNoise: same statistics as at full size, not the same pixels.",)


@pytest.mark.parametrize("name", ["RandomBrightnessContrast", "Sharpen", "Emboss", "HEDShift"])
def test_what_saturates_16_bit_is_not_called_to_scale(name: str) -> None:
    image = (rgb(300, 200).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    drawn = drawn_for(image, {"transform": name, "p": 1.0})
    truth, reasons = view.truth_of(drawn, drawn.firings, 16.0)

    assert truth is Truth.NOT_TO_SCALE
    assert reasons[0].startswith(f"{name}: takes ushort values for 8 bit")
    assert view.truth_of(drawn, drawn.firings, 1.0)[0] is Truth.EXACT


def test_a_large_image_by_mean_is_worked_from_an_estimate_and_says_so() -> None:
    image = pyvips.Image.black(4096, 4096, bands=3).copy(interpretation="srgb") + 100
    image = image.cast("uchar").copy(interpretation="srgb")
    drawn = drawn_for(image, BY_MEAN, CROP)
    seen = view.whole(fidelity.shrinker(image), drawn, 1.0, "fine")
    expected = engine.apply(image, loaded(BY_MEAN, CROP), 1).array()

    assert seen.truth is Truth.TO_SCALE
    assert "estimated" in seen.reasons[0]
    assert np.abs(seen.image.numpy().astype(int) - expected.astype(int)).max() <= 1


def test_the_picture_after_a_step_is_a_view_of_the_steps_up_to_it() -> None:
    image = rgb(300, 200)
    steps = ({"transform": "HorizontalFlip", "p": 1.0}, CROP)
    drawn = drawn_for(image, *steps)
    seen = view.whole(fidelity.shrinker(image), drawn, 1.0, "quick", drawn.firings[:1])

    assert np.array_equal(seen.image.numpy(), image.numpy()[:, ::-1])
