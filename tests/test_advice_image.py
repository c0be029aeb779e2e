"""Advice on the image that is fed: what is said of formats, bands and files is so with the installed library."""

from __future__ import annotations

import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import catalog, copies, engine, images
from augviz.advice import access, advise, arriving, image
from augviz.advice.case import Case
from augviz.library import quiet
from augviz.model import Pipeline, Step
from tests import pictures
from tests.advice_cases_image import FIRES, LARGE_JPEG
from tests.advising import drawn, group, hits, pipeline, step
from tests.strategies import facts


def applied(chosen: Pipeline, source: pyvips.Image, seed: int = 0) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, about hues of grey images
        return engine.apply(source, chosen, seed).array()


def labels(case: Case) -> list[str]:
    return [finding.hit.fix.label for finding in advise(case) if finding.hit.fix is not None]


# Formats


def test_16_bit_is_told_and_mended_as_the_cards_do() -> None:
    case = drawn(pipeline(step("RandomBrightnessContrast", 1.0)), facts(96, 64, 3, "ushort"))
    [hit] = hits("wide-integers", case)

    assert hit.message.startswith("RandomBrightnessContrast takes uint16 for 8 bit")
    assert "65,535" in hit.evidence
    assert "Convert to 8 bit" in labels(case)


@pytest.mark.parametrize("name", sorted(catalog.EIGHT_BIT_ONLY))
def test_16_bit_is_destroyed_before_the_fix_and_not_after(name: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    pictures.vips(96, 64, 3, "uint16").copy(interpretation="rgb16").tiffsave(str(path))
    case = drawn(pipeline(step(name, 1.0)), facts(96, 64, 3, "ushort"))
    [hit] = hits("wide-integers", case)
    assert hit.fix is not None

    before = applied(case.pipeline, images.open_image(path))
    after = applied(hit.fix.pipeline, images.open_image(path, hit.fix.pipeline.input))

    share = float(np.mean((before <= before.min()) | (before >= before.max())))
    assert share > 0.8 or "colours come out wrong" in hit.message
    assert after.dtype == np.uint8
    assert len(np.unique(after)) > 50


@pytest.mark.parametrize("name", ["HueSaturationValue", "HEDShift", "Sharpen", "Emboss"])
def test_a_step_that_blackens_floats_works_before_what_makes_them(name: str) -> None:
    to_float = step("ToDtype", dtype="float", scale=True)
    case = drawn(pipeline(to_float, step(name, 1.0)), facts(96, 64))
    [hit] = hits("float-values", case)
    assert hit.fix is not None
    assert hit.fix.label == "Move before ToDtype"

    assert applied(case.pipeline, pictures.vips()).max() <= 1
    assert float(applied(hit.fix.pipeline, pictures.vips()).std()) > 0.1


def test_the_noise_of_the_fix_can_be_seen_again() -> None:
    to_float = step("ToDtype", dtype="float", scale=True)
    case = drawn(pipeline(to_float, step("GaussNoise", 1.0)), facts(96, 64))
    [hit] = hits("noise-in-other-units", case)
    assert hit.fix is not None

    flat = pyvips.Image.new_from_array(np.full((64, 96, 3), 128, np.uint8))

    assert applied(case.pipeline, flat).std() > 5
    assert 0.01 < applied(hit.fix.pipeline, flat).std() < 0.1


# Fills


def test_a_fill_is_set_to_white_of_the_format() -> None:
    case = drawn(pipeline(step("Rotate", 1.0, limit=(30, 30))), facts(96, 64, 3, "ushort"))
    [hit] = hits("fill-of-255", case)
    assert hit.fix is not None

    deep = pictures.vips(96, 64, 3, "uint16")

    assert hit.fix.label == "Set value"
    assert applied(case.pipeline, deep)[0, 0].tolist() == [255] * 3
    assert applied(hit.fix.pipeline, deep)[0, 0].tolist() == [65535] * 3


LEVELS = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def normalized(*before: Step) -> list[Step]:
    mean, std = LEVELS
    return [*before, step("Normalize", mean=mean, std=std)]


def test_a_fill_after_normalize_is_told_by_what_white_is_there_and_moved_before_it() -> None:
    case = drawn(pipeline(*normalized(), step("Affine", 1.0, rotate=(30, 30))), facts(96, 64))
    [hit] = hits("fill-of-255", case)
    assert hit.fix is not None

    white = pyvips.Image.new_from_array(np.full((64, 96, 3), 255, np.uint8))
    result = applied(hit.fix.pipeline, white)

    assert hit.evidence == "White is 2.249, 2.429, 2.64 after Normalize, and the fill is 255."
    assert hit.fix.label == "Move before Normalize"
    assert result.min(axis=(0, 1)) == pytest.approx(result.max(axis=(0, 1)))


def test_a_fill_after_normalize_in_a_group_is_white_in_each_band() -> None:
    turn = group("OneOf", step("Rotate", limit=(30, 30)), p=1.0)
    case = drawn(pipeline(*normalized(), turn), facts(96, 64))
    [hit] = hits("fill-of-255", case)
    assert hit.fix is not None

    white = pyvips.Image.new_from_array(np.full((64, 96, 3), 255, np.uint8))
    result = applied(hit.fix.pipeline, white)

    assert hit.fix.label == "Set value"
    assert applied(case.pipeline, white).max() == 255
    assert result.min(axis=(0, 1)) == pytest.approx(result.max(axis=(0, 1)), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(*[st.integers(8, 60)] * 4)
def test_pad_then_crop_places_an_image_as_crop_or_pad_does(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    chosen = pipeline(step("CropOrPad", height=to_height, width=to_width))
    found = hits("fill-of-255", drawn(chosen, facts(width, height, 3, "ushort")))
    source = pictures.vips(width, height, 3, "uint16")

    assert bool(found) == (to_width > width or to_height > height)
    for hit in found:
        assert hit.fix is not None
        old, new = applied(chosen, source), applied(hit.fix.pipeline, source)
        assert new.shape == old.shape == (to_height, to_width, 3)
        outside = (old == 255).all(-1) & (new == 65535).all(-1)
        assert np.array_equal(old[~outside], new[~outside])
        assert outside.any()


# Bands


@pytest.mark.parametrize(("name", "bands", "made"), [("RandomBrightnessContrast", 4, 3), ("HueSaturationValue", 1, 3)])
def test_bands_change_as_is_told(name: str, bands: int, made: int) -> None:
    case = drawn(pipeline(step(name, 1.0)), facts(96, 64, bands))
    [hit] = hits("bands-change", case)

    result = applied(case.pipeline, pictures.vips(96, 64, bands))

    assert result.shape[2] == made
    assert str(made) in hit.message


def test_dropping_an_alpha_band_is_said_as_the_cards_do() -> None:
    case = drawn(pipeline(step("RandomBrightnessContrast", 1.0)), facts(96, 64, 4))
    [hit] = hits("bands-change", case)

    assert hit.message == "RandomBrightnessContrast keeps 3 of 4 bands (D13)."


@pytest.mark.parametrize("name", sorted(image.ALPHA_TOO))
def test_what_is_said_to_work_on_alpha_does(name: str) -> None:
    arguments: dict[str, Any] = {
        "Normalize": {"mean": 0.5, "std": 0.5},
        "GaussNoise": {"per_channel": False},
        "AdvancedBlur": {"noise_limit": (0.9, 1.0), "sigmaX_limit": (1.0, 2.0), "sigmaY_limit": (1.0, 2.0)},
        "GaussianBlur": {"sigma_limit": (2.0, 3.0)},
        "CoarseDropout": {"max_height": 30, "max_width": 30},
        "GridDropout": {"holes_number_x": 7, "holes_number_y": 5},
    }.get(name, {})
    source = pictures.vips(96, 64, 4)

    result = applied(Pipeline((Step("a", name, tuple(arguments.items()), 1.0),)), source)

    assert not np.array_equal(result[..., 3], source.numpy()[..., 3])


def test_one_finding_lists_all_that_works_on_alpha() -> None:
    case = drawn(pipeline(step("Blur"), step("Flip"), step("Sharpen"), step("Blur")), facts(96, 64, 4))
    [hit] = hits("alpha-as-colour", case)
    assert hit.fix is not None

    assert "Blur, Sharpen (D22)" in hit.message
    assert hit.fix.pipeline.input.bands == 3


ALPHA_OF_128: dict[str, tuple[float, float]] = {
    "Blur": (128, 129),
    "GaussianBlur": (126, 130),
    "MotionBlur": (128, 129),
    "AdvancedBlur": (126, 129),
    "Sharpen": (96, 128),
    "RandomGamma": (108, 144),
    "CoarseDropout": (0, 128),
}


@pytest.mark.parametrize("name", ALPHA_OF_128)
def test_what_an_alpha_of_128_becomes_is_told_of_the_steps_that_are_there(name: str) -> None:
    arguments = {"GaussianBlur": {"sigma_limit": (1.0, 3.0)}, "AdvancedBlur": {"noise_limit": (0.9, 1.1)}}.get(name, {})
    case = drawn(pipeline(step(name, 1.0, **arguments)), facts(96, 64, 4))
    [hit] = hits("alpha-as-colour", case)
    flat = pyvips.Image.new_from_array(np.full((64, 96, 4), 128, np.uint8))
    low, high = ALPHA_OF_128[name]
    told = "0 in a hole" if name == "CoarseDropout" else f"{low} to {high}"

    assert hit.evidence == f"It is band 4 of 4; an alpha of 128 all over becomes {told} by {name}."
    for seed in range(5):
        made = applied(case.pipeline, flat, seed)[..., 3]
        assert low - 1 <= made.min() <= made.max() <= high + 1


# Files


def test_a_slow_file_is_told_with_the_command_that_makes_a_copy_of_it() -> None:
    case = Case(pipeline(step("Flip")), LARGE_JPEG)
    [hit] = hits("slow-file", case)
    command = copies.command_line("scan.jpg", "lossless", "uchar", "jpegload")

    assert f"`{command}`" in hit.message
    assert "a temporary file of 805 MB" in hit.evidence
    assert hit.fix is None


@pytest.fixture(scope="module")
def strips(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A TIFF in strips that is larger than what libvips keeps of a file that it reads once."""
    path = str(tmp_path_factory.mktemp("strips") / "strips.tif")
    pyvips.Image.gaussnoise(3000, 2000, mean=128, sigma=30).cast("uchar").bandjoin([0, 0]).tiffsave(path)
    return path


def reads_in_order(path: str, chosen: Step) -> bool:
    """Whether a step's result can be read from a file that is opened for one pass."""
    source = pyvips.Image.new_from_file(path, access="sequential")
    random.seed(0)
    try:
        with quiet():
            engine.build_step(replace(chosen, p=1.0), 1)(image=source)["image"].write_to_memory()
    except pyvips.Error as error:
        return "out of order" not in str(error)
    return True


@pytest.mark.parametrize(
    "chosen",
    [
        step("VerticalFlip"),
        step("Transpose"),
        step("HorizontalFlip"),
        step("Affine", rotate=(20, 20)),
        step("Affine", rotate=(1, 1)),
        step("Affine", shear=(0, 0)),
        step("Rotate", limit=(30, 30)),
        step("Rotate", limit=(1, 1)),
        step("RandomBrightnessContrast"),
        step("RandomBrightnessContrast", brightness_by_max=False),
        step("PadIfNeeded", value=0, min_width=3500, border_mode="mirror"),
        step("PadIfNeeded", value=0, min_height=3500, border_mode="mirror"),
        step("PadIfNeeded", value=0, min_height=3500, border_mode="repeat"),
        step("PadIfNeeded", value=0, min_width=3500),
        step("CropOrPad", height=2500, width=3500),
        step("Resize", height=500, width=500),
        step("RandomCrop", height=500, width=500),
        step("Blur"),
        step("CoarseDropout"),
        step("GaussianBlur", sigma_limit=(20, 20)),
    ],
    ids=lambda s: f"{s.transform} {dict(s.args)}",
)
def test_what_is_said_to_need_random_access_does(chosen: Step, strips: str) -> None:
    shape = replace(LARGE_JPEG.header, width=3000, height=2000)
    asked = access.OUT_OF_ORDER.get(chosen.transform)
    case = Case(Pipeline((replace(chosen, id="a"),)), replace(LARGE_JPEG, header=shape))

    said = asked is not None and asked(case, case.pipeline.steps[0])

    assert said == (not reads_in_order(strips, chosen))


# All of them


@pytest.mark.parametrize(
    ("rule", "row"),
    [pytest.param(rule, row, id=f"{rule}: {row.about}") for rule, each in FIRES.items() for row in each],
)
def test_what_a_fix_gives_works_with_the_installed_library(rule: str, row: Any) -> None:
    case = row.make()
    for hit in hits(rule, case):
        if hit.fix is None or case.facts is None:
            continue
        shape = case.facts.header
        dtype = {"uchar": "uint8", "ushort": "uint16", "float": "float32"}[shape.format]
        source = pictures.vips(shape.width, shape.height, shape.bands, dtype)
        wide = "rgb16" if dtype == "uint16" else "scrgb" if dtype == "float32" else "srgb"
        source = images.choose(source.copy(interpretation=wide if shape.bands > 2 else "b-w"), hit.fix.pipeline.input)

        for seed in range(3):
            assert np.isfinite(applied(hit.fix.pipeline, source, seed).astype(float)).all()


def test_a_long_pipeline_of_uncertain_steps_has_few_numbers_of_bands() -> None:
    """They once doubled at every step."""
    steps = [Step(f"s{number}", "RandomBrightnessContrast", p=0.5) for number in range(200)]
    case = Case(Pipeline((*steps, Step("last", "Normalize"))), facts(bands=4))

    assert arriving.bands(case, Step("last", "Normalize")) == (4, 3)


def test_what_cannot_follow_seven_bands_of_16_bit_is_an_error() -> None:
    """RandomBrightnessContrast keeps bands beyond the third but in 8 bit, so that Normalize gets them all."""
    normalize = Step("n", "Normalize", (("mean", (0.5,) * 3), ("std", (0.2,) * 3)))
    case = Case(Pipeline((Step("b", "RandomBrightnessContrast", p=1.0), normalize)), facts(96, 64, 7, "ushort"))

    assert "mean must have 1 or 7 numbers" in " ".join(finding.hit.message for finding in advise(case))
