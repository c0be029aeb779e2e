"""What findings are told together, and what the pipelines of their fixes are."""

from __future__ import annotations

import pytest

from augviz.advice import advise
from augviz.model import Item, Pipeline, Step
from tests.advice_cases import FLIP, PAD_0, STD_255, TENSOR, normalize, to_float
from tests.advising import again, drawn, group, hits, names, pipeline, step
from tests.strategies import facts

SQUARE = facts(512, 512)


def transforms(chosen: Pipeline) -> list[str]:
    return [leaf.transform for leaf in chosen.leaves()]


# A crash is told once

CRASHES: dict[str, tuple[str, tuple[Item, ...]]] = {
    "a step after ToTensor": ("to-tensor-not-last", (TENSOR, normalize())),
    "nothing to choose": ("nothing-to-choose", (group("OneOf", step("Flip", 0.0), step("Blur", 0.0), p=1.0),)),
    "too many to choose": ("too-many-to-choose", (group("SomeOf", step("Flip"), n=3, replace=False, p=1.0),)),
    "a crop that is too large": ("argument-problem", (step("CenterCrop", height=900, width=900),)),
    "no fill (D4)": ("argument-problem", (step("PadIfNeeded", min_height=600),)),
    "a quarter of the draws (D5)": ("random-rotate90-raises", (step("RandomRotate90", 1.0),) * 3),
    "a hole of no size (D6)": ("argument-problem", (step("GridDropout", 1.0, unit_size_min=8, unit_size_max=8),)),
    "two kinds of size (D54)": ("argument-problem", (step("CoarseDropout", 1.0, max_height=0.2),)),
    "a deviation of 0": ("argument-problem", (normalize(std=(0, *STD_255[1:])),)),
}


@pytest.mark.parametrize(("rule", "items"), CRASHES.values(), ids=CRASHES)
def test_a_crash_is_told_once_by_what_knows_its_reason(rule: str, items: tuple[Item, ...]) -> None:
    case = drawn(pipeline(FLIP, *items), SQUARE)
    told = [name for name, _step in names(advise(case))]

    assert case.failures
    assert rule in told
    assert "cannot-be-drawn" not in told


def test_a_crash_of_another_step_is_told_beside_an_error() -> None:
    case = drawn(pipeline(step("RandomRotate90", 0.0), FLIP), SQUARE)
    failed = drawn(pipeline(step("CenterCrop", height=900, width=900)), SQUARE).failures
    moved = type(case)(
        case.pipeline, SQUARE, case.draw, failures=tuple(type(f)(f.seed, "s2", f.reason) for f in failed)
    )

    assert ("cannot-be-drawn", "s2") in names(advise(moved))


# Sizes


def test_five_bands_are_padded_and_cropped_so_that_the_scale_stays() -> None:
    case = drawn(pipeline(step("RandomScale", 0.5, scale_limit=0.2), TENSOR), facts(512, 512, 5), targets={"mask"})
    [hit] = hits("output-size-varies", case)
    assert hit.fix is not None

    fixed = again(case, hit.fix.pipeline)

    assert hit.fix.label == "Pad and crop to 512 x 512"
    assert transforms(hit.fix.pipeline) == ["RandomScale", "PadIfNeeded", "CenterCrop", "ToTensor"]
    assert {(draw.result.width, draw.result.height, draw.result.bands) for draw in fixed.all_draws()} == {(512, 512, 5)}
    assert set(names(advise(fixed))) < set(names(advise(case)))


@pytest.mark.parametrize("bands", [3, 4])
def test_a_crop_off_the_stride_is_given_other_numbers(bands: int) -> None:
    case = drawn(pipeline(step("CenterCrop", height=256, width=250)), facts(512, 512, bands), stride=32)
    [hit] = hits("off-stride", case)
    assert hit.fix is not None

    assert hit.fix.pipeline.steps == (Step("s1", "CenterCrop", (("height", 256), ("width", 224))),)


# Order


def test_conversions_go_behind_the_crop_that_follows_and_before_normalize() -> None:
    crop = step("CenterCrop", height=64, width=64)
    case = drawn(pipeline(to_float(), step("Blur", 1.0), crop, normalize(), TENSOR), SQUARE)
    [hit] = hits("normalize-last", case)
    assert hit.fix is not None

    assert transforms(hit.fix.pipeline) == ["Blur", "CenterCrop", "ToDtype", "Normalize", "ToTensor"]


@pytest.mark.parametrize("last", [step("Rotate", 1.0, value=0), step("Affine", 1.0, cval=(-2, -2, 0))])
def test_normalize_is_not_moved_behind_a_fill_that_is_meant_for_what_it_makes(last: Step) -> None:
    [hit] = hits("normalize-last", drawn(pipeline(normalize(), last, TENSOR), SQUARE))

    assert hit.fix is None


def test_normalize_is_moved_before_a_pad_with_its_mean() -> None:
    [hit] = hits("normalize-last", drawn(pipeline(normalize(), step("Blur", 1.0), PAD_0, TENSOR), SQUARE))
    assert hit.fix is not None

    assert transforms(hit.fix.pipeline) == ["Blur", "Normalize", "PadIfNeeded", "ToTensor"]


# One for two, one for many


def test_two_gaussian_blurs_become_one_whose_sigmas_the_fix_tells() -> None:
    blurs = step("GaussianBlur", 1.0, sigma_limit=(3.0, 3.0)), step("GaussianBlur", 1.0, sigma_limit=(4.0, 4.0))
    [hit] = hits("two-blurs", drawn(pipeline(*blurs)))
    assert hit.fix is not None

    assert hit.fix.label == "One, sigma_limit 5 to 5"
    assert hit.fix.pipeline.steps[0].get("sigma_limit") == (5.0, 5.0)


def test_of_two_medians_the_first_stays() -> None:
    [hit] = hits("two-blurs", drawn(pipeline(step("MedianBlur"), step("MedianBlur"))))
    assert hit.fix is not None

    assert hit.fix.label == "Remove the second MedianBlur"
    assert [item.id for item in hit.fix.pipeline.steps] == ["s1"]


def test_saving_stops_once() -> None:
    moved = step("PadIfNeeded", position="north-west", value=255)
    found = hits("not-saved", drawn(pipeline(moved, step("Rotate"), step("Affine"), moved)))

    assert [hit.step for hit in found] == ["s1", "s2"]
