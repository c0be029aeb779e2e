"""Plain albumentations: what the same name does differently here is said, and made the same where that can be."""

from __future__ import annotations

import pytest

from augviz import catalog, differences
from augviz.model import Group, Step
from tests.test_translate import read, taken


def test_the_tables_name_what_there_is() -> None:
    known = {*catalog.TRANSFORMS, *catalog.GROUPS}

    assert {*differences._CHANGES, *differences._MEANINGS} <= known


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("A.Normalize()", 'put ToDtype("float", True) before it'),
        ("A.Normalize(mean=[0.5], std=[0.5], max_pixel_value=255.0)", "divides by max_pixel_value first"),
        ("A.Normalize(max_pixel_value=1, normalization='image')", "there is no normalization"),
        ("A.Rotate(fill=0)", "the canvas grows"),
        ("A.Rotate()", "filled with 255"),
        ("A.Rotate(border_mode=cv2.BORDER_REFLECT)", "no border_mode"),
        ("A.Rotate(interpolation=cv2.INTER_LANCZOS4)", "no interpolation like OpenCV's 4"),
        ("A.Affine(scale=1.1)", "filled with 255"),
        ("A.Affine(cval=0)", "with nothing given"),
        ("A.Affine(rotate=4, cval=0, balanced_scale=True)", "no balanced_scale"),
        ("A.RandomGamma()", "inverted"),
        ("A.HueSaturationValue(10)", "255 is the full circle"),
        ("A.RandomRotate90()", "raises in a quarter"),
        ("A.Transpose()", "counter-clockwise"),
        ("A.GaussNoise(var_limit=(5, 9))", "added twice"),
        ("A.GaussNoise()", "10 to 50 by default"),
        ("A.GaussNoise(std_range=(0.1, 0.2), mean_range=(0, 0.1))", "no range of means"),
        ("A.GaussianBlur()", "sigma_limit 0.8 to 1.4"),
        ("A.GaussianBlur(blur_limit=(3, 7), sigma_limit=(1, 2))", "sigma_limit alone decides"),
        ("A.GaussianBlur(blur_limit=0)", "does nothing"),
        ("A.CoarseDropout()", "8 holes of 8 by 8"),
        ("A.GridDropout()", "random_offset is off"),
        ("A.ElasticTransform(alpha=1, alpha_affine=30, value=0)", "no alpha_affine"),
        ("A.PadIfNeeded(8, 8)", "mirrors the image"),
        ("A.RandomCrop(8, 8, pad_if_needed=True)", "PadIfNeeded before it"),
        ("A.Sharpen(method='gaussian')", "no method"),
        ("A.RandomBrightnessContrast(0.1, ensure_safe_range=True)", 'no argument "ensure_safe_range"'),
    ],
)
def test_what_the_same_name_does_differently_is_said(item: str, words: str) -> None:
    _, lost, _ = taken(item)

    assert any(words in text for text in lost), lost


def test_statistics_that_are_defaults_there_are_given_here() -> None:
    step, _, _ = taken("A.Normalize()")

    assert dict(step.args) == {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def test_a_deviation_becomes_a_variance() -> None:
    step, _, said = taken("A.GaussNoise(std_range=(0.1, 0.2), mean_range=(0, 0))")

    assert dict(step.args) == {"mean": 0, "var_limit": (650.25, 2601.0)}
    assert said == ["GaussNoise: std_range is read as var_limit, (255 std)² for 8 bit."]


def test_some_of_chooses_without_replacement_there() -> None:
    found = read("A.SomeOf([A.NoOp(), A.Flip()])")

    assert found.pipeline.steps[0] == Group("s1", "SomeOf", (Step("s2", "NoOp"), Step("s3", "Flip")), n=1)
    assert [n.text for n in found.notes if n.lost] == [
        "SomeOf: replace is on by default here, and off in albumentations from 1.4 on."
    ]
    assert read("A.SomeOf([A.NoOp()], n=1, replace=True)").notes == ()


def test_the_probability_of_a_sequential_counts_there() -> None:
    assert "(D51)" in read("A.Sequential([A.NoOp()], p=0.3)").notes[0].text
    assert read("A.Sequential([A.NoOp()], p=1)").notes == ()
