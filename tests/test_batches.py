"""What holds for all images of a folder: whether results stack, and how many bands are accepted."""

from __future__ import annotations

import pytest

from augviz.batches import accepted_bands, enabled, stack
from augviz.model import Group, Header, ImageFacts, Item, Pipeline, Step, Value


def step(name: str, p: float | None = None, **args: Value) -> Step:
    return Step(name, name, tuple(args.items()), p)


def facts(bands: int, format: str = "uchar") -> ImageFacts:
    header = Header(640, 480, bands, format, "srgb")
    return ImageFacts("a.png", "a.png", header, 1, 1, ((640, 480),), 1, None, False, None, None, 1000, "pngload")


RESIZE = step("Resize", height=64, width=48)
STATISTICS: dict[str, Value] = {"mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}


@pytest.mark.parametrize(
    "steps",
    [
        (RESIZE,),
        (step("CropOrPad", height=64, width=48), step("HorizontalFlip")),
        (step("LongestMaxSize", max_size=64), step("PadIfNeeded", min_height=64, min_width=64, value=0)),
        (step("SmallestMaxSize", max_size=64), step("RandomCrop", height=64, width=64)),
        (step("Resize", height=64, width=64), step("RandomRotate90")),
        (step("Rotate"), RESIZE, step("Normalize", **STATISTICS), step("ToTensor")),
        (Group("s", "Sequential", (RESIZE,), p=0.1),),
        (RESIZE, Group("o", "OneOf", (step("Blur"), step("MedianBlur")))),
        (RESIZE, step("Affine", rotate=(-5, 5))),
    ],
)
def test_results_of_one_size_stack(steps: tuple[Item, ...]) -> None:
    assert stack(Pipeline(steps))


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (step("HorizontalFlip"),),
        (step("RandomCrop", height=64, width=48),),
        (RESIZE, step("Rotate")),
        (RESIZE, step("RandomScale")),
        (RESIZE, step("Transpose")),
        (RESIZE, step("Affine", fit_output=True)),
        (step("Resize", 0.5, height=64, width=48),),
        (Group("o", "OneOf", (RESIZE,), p=1.0),),
        (step("LongestMaxSize", max_size=64),),
        (RESIZE, step("Normalize", 0.5, **STATISTICS)),
        (step("Resize", height=64, width=48), step("PadIfNeeded", 0.5, min_height=99, min_width=99, value=0)),
    ],
)
def test_results_that_can_differ_do_not_stack(steps: tuple[Item, ...]) -> None:
    assert not stack(Pipeline(steps))


def test_a_disabled_resize_makes_no_size() -> None:
    assert not stack(Pipeline((Step("a", "Resize", RESIZE.args, enabled=False),)))


def test_what_changes_the_bands_of_some_images_only_does_not_stack_them() -> None:
    pipeline = Pipeline((RESIZE, step("GaussNoise", 0.5)))

    assert stack(pipeline, facts(3))
    assert not stack(pipeline, facts(1))


def test_what_changes_the_format_of_16_bit_images_sometimes_does_not_stack_them() -> None:
    pipeline = Pipeline((RESIZE, step("Sharpen", 0.5)))

    assert stack(pipeline, facts(3))
    assert not stack(pipeline, facts(3, "ushort"))


@pytest.mark.parametrize(
    ("steps", "bands"),
    [
        ((step("HorizontalFlip"),), (1, 2, 3, 4)),
        ((step("HEDShift"),), (3,)),
        ((step("RandomBrightnessContrast"),), (3, 4)),
        ((step("RandomBrightnessContrast", 1.0), step("HEDShift")), (3, 4)),
        ((step("RandomBrightnessContrast", 0.5), step("HEDShift")), (3,)),
        ((step("HueSaturationValue", 1.0), step("HEDShift")), (1, 3)),
        ((Group("o", "OneOf", (step("Blur"), step("HEDShift"))),), (3,)),
    ],
)
def test_bands_that_a_step_fails_on_are_not_accepted(steps: tuple[Item, ...], bands: tuple[int, ...]) -> None:
    assert accepted_bands(Pipeline(steps)) == bands


def test_all_bands_are_accepted_where_they_are_not_to_blame() -> None:
    assert accepted_bands(Pipeline((step("MedianBlur", blur_limit=(4, 4)),))) == (1, 2, 3, 4)


def test_only_what_is_switched_on_takes_part() -> None:
    off = Step("b", "Blur", enabled=False)
    items = (step("Flip"), off, Group("g", "OneOf", (off,)), Group("h", "OneOf", (off, step("NoOp"))))

    assert enabled(items) == (step("Flip"), Group("h", "OneOf", (step("NoOp"),)))
