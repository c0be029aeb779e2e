"""Images for a screen: the mapping is the stated one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips

from augviz.shown import encode_jpeg, encode_png, for_show, value_range
from tests.pictures import KINDS, make, smooth, vips


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_becomes_8_bit_of_one_or_three_bands(kind: str, tmp_path: Path) -> None:
    image = pyvips.Image.new_from_file(str(make(kind, tmp_path)))

    shown, mapping = for_show(image)

    assert shown.format == "uchar"
    assert (shown.bands, shown.interpretation) in ((1, "b-w"), (3, "srgb"))
    assert (shown.width, shown.height) == (image.width, image.height)
    assert set(mapping) == {"mapping", "low", "high"}
    assert 30 < shown.avg() < 250


def test_8_bit_pixels_stay_as_they_are() -> None:
    shown, mapping = for_show(vips())

    assert np.array_equal(shown.numpy(), smooth(96, 64))
    assert mapping == {"mapping": "as it is", "low": 0, "high": 255}


def test_16_bit_values_are_divided_by_257_and_rounded() -> None:
    image = vips(96, 64, 3, "uint16")

    shown, mapping = for_show(image)

    assert np.array_equal(shown.numpy(), np.round(image.numpy() / 257))
    assert (mapping["low"], mapping["high"]) == (0, 65535)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "int8"])
def test_other_formats_are_mapped_from_lowest_to_highest(dtype: str) -> None:
    values = (np.linspace(-100, 120, 96 * 64).reshape(64, 96)).astype(dtype)

    shown, mapping = for_show(pyvips.Image.new_from_array(values))

    assert (mapping["low"], mapping["high"]) == (-100, 120)
    assert np.abs(shown.numpy() - (values.astype(float) + 100) / 220 * 255).max() <= 0.51


def test_a_given_range_is_used_for_any_format() -> None:
    shown, mapping = for_show(pyvips.Image.new_from_array(np.array([[0, 50, 100, 200]], np.uint8)), low_high=(50, 100))

    assert shown.numpy().tolist() == [[0, 0, 255, 255]]
    assert (mapping["low"], mapping["high"]) == (50, 100)


def test_infinities_and_what_is_no_number_do_not_spoil_the_range() -> None:
    values = np.array([[np.nan, -1.0, 2.0, np.inf, -np.inf, 0.5]], np.float32)

    assert value_range(pyvips.Image.new_from_array(values)) == (-1.0, 2.0)


def test_a_constant_image_is_black() -> None:
    shown, mapping = for_show(pyvips.Image.new_from_array(np.full((4, 4), 3.5, np.float32)))

    assert (shown.max(), mapping["low"], mapping["high"]) == (0, 3.5, 3.5)


def test_alpha_is_laid_over_white() -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = (0, 128, 255)

    shown, _ = for_show(pyvips.Image.new_from_array(pixels).copy(interpretation="srgb"))

    assert shown.numpy()[0, :, 0].tolist() == [255, 127, 0]


def test_of_more_bands_the_first_three_are_shown() -> None:
    shown, _ = for_show(vips(96, 64, 5).copy(interpretation="multiband"))

    assert np.array_equal(shown.numpy(), smooth(96, 64, 5)[..., :3])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_three_chosen_bands_are_shown_as_red_green_and_blue(dtype: type) -> None:
    values = np.random.default_rng(1).integers(0, 256, (6, 8, 5)).astype(dtype) * (257 if dtype is np.uint16 else 1)
    low_high = (0.0, 255.0) if dtype is np.float32 else None
    image = pyvips.Image.new_from_array(values, interpretation="multiband")
    shown, _ = for_show(image, low_high=low_high, bands=(4, 2, 0))
    whole, _ = for_show(image, low_high=low_high, bands=(4, 2, 5))  # there is no sixth

    expected = values[:, :, [4, 2, 0]] / (257 if dtype is np.uint16 else 1)
    assert np.array_equal(shown.numpy(), expected.astype(np.uint8))
    assert np.array_equal(whole.numpy(), for_show(image, low_high=low_high)[0].numpy())


def test_infrared_stored_as_alpha_can_be_shown() -> None:
    values = np.random.default_rng(2).integers(0, 256, (6, 8, 4)).astype(np.uint8)
    image = pyvips.Image.new_from_array(values, interpretation="srgb")

    assert np.array_equal(for_show(image, bands=(3, 0, 1))[0].numpy(), values[:, :, [3, 0, 1]])


def test_an_embedded_profile_is_converted() -> None:
    image = vips().copy(interpretation="srgb")
    other = image.icc_transform("p3", input_profile="srgb")

    shown, _ = for_show(other)

    assert np.abs(other.numpy().astype(int) - smooth(96, 64)).max() > 8
    assert np.abs(shown.numpy().astype(int) - smooth(96, 64)).max() <= 8


def test_a_profile_for_another_number_of_bands_is_left_alone() -> None:
    image = vips().copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")[0]

    shown, _ = for_show(image)

    assert np.array_equal(shown.numpy(), image.numpy())


def test_png_is_exact_and_jpeg_is_close() -> None:
    image, _ = for_show(vips())

    png = pyvips.Image.new_from_buffer(encode_png(image), "")
    jpeg = pyvips.Image.new_from_buffer(encode_jpeg(image), "")

    assert np.array_equal(png.numpy(), image.numpy())
    assert np.abs(jpeg.numpy().astype(int) - image.numpy()).mean() < 3
