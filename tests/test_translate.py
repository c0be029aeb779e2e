"""Plain albumentations: what is taken, under which names, and what is said about the differences."""

from __future__ import annotations

import json
from typing import Any

import pytest

from augviz import catalog, parse, translate
from augviz.errors import PipelineError
from augviz.model import Group, Step

IMPORT = (
    "import albumentations as A\nimport albumentations.pytorch as AP\nimport cv2\n"
    "from albumentations.pytorch import ToTensorV2\n"
)


def read(items: str) -> parse.Read:
    return parse.read(f"{IMPORT}t = A.Compose([{items}])\n")


def taken(item: str) -> tuple[Step, list[str], list[str]]:
    """The one step, what was lost, and what was only said."""
    found = read(item)
    (step,) = found.pipeline.steps
    assert isinstance(step, Step)
    return step, [n.text for n in found.notes if n.lost], [n.text for n in found.notes if not n.lost]


def test_what_means_the_same_is_taken_without_a_word() -> None:
    found = read("""
        A.HorizontalFlip(p=0.3), A.VerticalFlip(), A.RandomBrightnessContrast(0.1, 0.2, p=1),
        A.OneOf([A.MotionBlur(blur_limit=5), A.MedianBlur(3)], p=0.4), A.RandomCrop(64, 32),
        A.Rotate.__class__ if False else A.NoOp(),
    """)

    assert [note.line for note in found.notes if note.lost] == [8]
    assert found.pipeline.steps == (
        Step("s1", "HorizontalFlip", (), 0.3),
        Step("s2", "VerticalFlip"),
        Step("s3", "RandomBrightnessContrast", (("brightness_limit", 0.1), ("contrast_limit", 0.2)), 1),
        Group(
            "s4",
            "OneOf",
            (Step("s5", "MotionBlur", (("blur_limit", 5),)), Step("s6", "MedianBlur", (("blur_limit", 3),))),
            0.4,
        ),
        Step("s7", "RandomCrop", (("height", 64), ("width", 32))),
    )


@pytest.mark.parametrize("written", ["ToTensorV2()", "A.pytorch.ToTensorV2()", "AP.ToTensorV2(p=1.0)"])
def test_to_tensor_is_taken_under_its_name_here(written: str) -> None:
    step, lost, said = taken(written)

    assert (step.transform, lost, said) == ("ToTensor", [], ["ToTensorV2 is ToTensor in albumentationsxl."])


@pytest.mark.parametrize("name", translate.NEAREST)
def test_what_is_not_here_is_reported_with_what_comes_nearest(name: str) -> None:
    found = read(f"A.NoOp(), A.{name}(p=0.5)")

    (note,) = found.notes
    assert (note.line, note.lost) == (5, True)
    assert note.text.startswith(f"{name} is not in albumentationsxl and was left out; the nearest ")
    assert [step.id for step in found.pipeline.steps] == ["s1"]


def test_the_table_names_what_there_is() -> None:
    known = {*catalog.TRANSFORMS, *catalog.GROUPS}

    assert {n for names in translate.NEAREST.values() for n in names} <= known
    assert set(translate.SAME.values()) <= known
    assert not {*translate.NEAREST, *translate.SAME} & known
    assert {*translate.POSITIONS} <= known | {*translate.SAME}
    assert {*translate._RENAMED, *translate._SPLIT} <= known


def test_new_names_of_arguments_here_are_known_to_the_catalogue() -> None:
    for name, renamed in translate._RENAMED.items():
        assert set(renamed.values()) <= {p.name for p in catalog.transform(name).params}
    for name, split in translate._SPLIT.items():
        assert {part for parts in split.values() for part in parts} <= {p.name for p in catalog.transform(name).params}


def test_a_transform_of_neither_is_reported() -> None:
    assert [n.text for n in read("A.NoOp(), A.MyOwn()").notes] == ["MyOwn is not in albumentationsxl and was left out."]


def test_names_of_albumentations_get_their_hint_in_code_of_albumentationsxl() -> None:
    found = parse.read("import albumentationsxl as A\nA.Compose([A.NoOp(), A.ColorJitter()])")

    assert "the nearest are RandomBrightnessContrast and HueSaturationValue" in found.notes[0].text


@pytest.mark.parametrize(
    ("item", "args"),
    [
        (
            "A.CoarseDropout(num_holes_range=(1, 8), hole_height_range=(4, 8), hole_width_range=[2, 3], fill=7)",
            {
                "min_holes": 1,
                "max_holes": 8,
                "min_height": 4,
                "max_height": 8,
                "min_width": 2,
                "max_width": 3,
                "fill_value": 7,
            },
        ),
        ("A.CoarseDropout(max_holes=2, max_height=4, max_width=5)", {"max_holes": 2, "max_height": 4, "max_width": 5}),
        (
            "A.GridDropout(random_offset=False, holes_number_xy=(3, 4), shift_xy=(1, 2), unit_size_range=None)",
            {"random_offset": False, "holes_number_x": 3, "holes_number_y": 4, "shift_x": 1, "shift_y": 2},
        ),
        (
            "A.Affine(scale=(0.9, 1.1), fill=3, fill_mask=0, border_mode=cv2.BORDER_CONSTANT, interpolation=cv2.INTER_CUBIC)",
            {"scale": (0.9, 1.1), "cval": 3, "cval_mask": 0, "mode": "background", "interpolation": "bicubic"},
        ),
        ("A.Affine(rotate=5, mode=cv2.BORDER_REFLECT_101)", {"rotate": 5, "mode": "mirror"}),
        ("A.Resize(8, 9, cv2.INTER_AREA)", {"height": 8, "width": 9, "interpolation": "linear"}),
        (
            "A.Resize(8, 9, interpolation=0, mask_interpolation=0)",
            {"height": 8, "width": 9, "interpolation": "nearest"},
        ),
        ("A.RandomScale(0.2, cv2.INTER_LANCZOS4)", {"scale_limit": 0.2, "interpolation": "lanczos3"}),
        ("A.Sharpen(alpha=(0.1, 0.2), method='kernel', kernel_size=5)", {"alpha": (0.1, 0.2)}),
        ("A.AdvancedBlur(sigma_x_limit=(1, 2))", {"sigmaX_limit": (1, 2)}),
        ("A.Normalize(mean=(0.5,), std=0.5, max_pixel_value=1)", {"mean": (0.5,), "std": 0.5}),
        (
            "A.PadIfNeeded(8, 9, position=A.PadIfNeeded.PositionType.TOP_LEFT, border_mode=0, value=[1, 2, 3])",
            {
                "min_height": 8,
                "min_width": 9,
                "position": "north-west",
                "border_mode": "background",
                "value": (1, 2, 3),
            },
        ),
        ("A.PadIfNeeded(8, 9, None, None, 'top_right', 1, fill=0)", None),
    ],
)
def test_other_names_of_arguments_are_taken_without_loss(item: str, args: dict[str, Any] | None) -> None:
    step, lost, _ = taken(item)

    assert lost == []
    assert args is None or dict(step.args) == args


def test_opencvs_constants_mean_nothing_in_code_of_albumentationsxl() -> None:
    found = parse.read("import albumentationsxl as A, cv2\nA.Compose([A.Resize(8, 8, cv2.INTER_CUBIC)])")

    assert [n.text for n in found.notes] == ["Resize: interpolation must be a text, got 2; the argument was left out."]


def test_places_that_differ_between_versions_are_not_guessed() -> None:
    _, lost, _ = taken("A.GaussNoise((5, 9))")

    assert "GaussNoise: (5, 9) is given by a place that cannot be told; it was left out." in lost


def test_json_of_albumentations_is_told_apart_and_translated() -> None:
    entry = {
        "__class_fullname__": "Compose",
        "p": 1.0,
        "transforms": [
            {"__class_fullname__": "Resize", "p": 1, "height": 8, "width": 9, "interpolation": 2},
            {"__class_fullname__": "albumentations.pytorch.transforms.ToTensorV2", "p": 1.0, "transpose_mask": False},
            {"__class_fullname__": "ColorJitter", "p": 0.5},
        ],
    }
    for version in ("2.0.8", "1.3.1"):
        found = parse.read(json.dumps({"__version__": version, "transform": entry}))

        assert found.pipeline.steps == (
            Step("s1", "Resize", (("height", 8), ("interpolation", "cubic"), ("width", 9))),
            Step("s2", "ToTensor"),
        )
        assert [n.text.split()[0] for n in found.notes if n.lost] == ["ColorJitter"]


@pytest.mark.parametrize("name", [n for n, s in catalog.TRANSFORMS.items() if not s.unusable])
@pytest.mark.parametrize("value", ["None", "'x'", "(1e300, 2)", "[]", "{'x': 1}", "(1, 'a')", "True", "-1"])
def test_any_value_of_any_argument_is_taken_or_reported(name: str, value: str) -> None:
    renamed = [*translate._RENAMED.get(name, {}), *translate._SPLIT.get(name, {})]
    new = ["blur_limit", "std_range", "mean_range", "max_pixel_value", "border_mode", "fill", "mask_interpolation"]
    ours = [p.name for p in catalog.transform(name).params]
    for argument in dict.fromkeys((*ours, *renamed, *new, "p")):
        try:
            found = read(f"A.{name}({argument}={value})")
        except PipelineError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert [step.id for step in found.pipeline.steps] == ["s1"]
