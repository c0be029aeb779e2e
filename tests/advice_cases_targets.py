"""For each rule on masks, boxes and keypoints, cases where it fires and cases where it just does not."""

from __future__ import annotations

from tests.advising import Example, example, step
from tests.strategies import facts

SMALL = facts(96, 64)
MASK = frozenset({"mask"})
MASKS = frozenset({"masks"})
BOXES = frozenset({"bboxes"})
POINTS = frozenset({"keypoints"})

FIRES: dict[str, tuple[Example, ...]] = {
    "compose-raises-for-targets": (
        example("boxes", step("Flip"), targets=BOXES),
        example("keypoints", step("Flip"), targets=POINTS),
        example("masks", step("Flip"), targets=MASKS),
    ),
    "targets-raise": (
        example("a pad", step("PadIfNeeded", value=0), image=SMALL, targets=MASK),
        example("holes", step("CoarseDropout"), image=SMALL, targets=BOXES),
        example("a grid", step("GridDropout"), image=facts(102, 102), targets=POINTS),
        example("elastic", step("ElasticTransform"), image=SMALL, targets=POINTS),
        example("a crop", step("CropOrPad", height=80, width=80), image=SMALL, targets=BOXES),
    ),
    "targets-elsewhere": (
        example("boxes turn the other way", step("Rotate"), image=SMALL, targets=BOXES),
        example("keypoints are transposed", step("Transpose", 0.3), image=SMALL, targets=POINTS),
        example("a mask of another field", step("ElasticTransform"), image=SMALL, targets=MASKS),
        example("a crop that is too large", step("RandomCrop", height=80, width=40), image=SMALL, targets=POINTS),
        example("order is lost", step("CoarseDropout"), image=SMALL, targets=POINTS),
        example("quarter turns", step("RandomRotate90"), image=SMALL, targets=BOXES),
    ),
    "targets-slightly-off": (
        example("a turned mask", step("Affine", rotate=30), image=SMALL, targets=MASK),
        example("a turned mask, by Rotate", step("Rotate"), image=SMALL, targets=MASK),
        example("a resized mask", step("Resize", height=32, width=48), image=SMALL, targets=MASK),
        example("enlarged", step("LongestMaxSize", max_size=200), image=SMALL, targets=POINTS),
        example("blurred off the centre", step("MotionBlur"), image=SMALL, targets=BOXES),
    ),
    "targets-unknown": (
        example("a turn", step("Flip"), step("Rotate"), image=SMALL),
        example("a pad", step("PadIfNeeded", value=0)),
    ),
}

SPARES: dict[str, tuple[Example, ...]] = {
    "compose-raises-for-targets": (
        example("a mask", step("Flip"), targets=MASK),
        example("nobody has said", step("Flip")),
        example("nothing runs", targets=BOXES),
    ),
    "targets-raise": (
        example("a mask's fill is given", step("PadIfNeeded", value=0, mask_value=0), image=SMALL, targets=MASK),
        example("keypoints pass", step("CoarseDropout"), image=SMALL, targets=POINTS),
        example("nobody has said", step("PadIfNeeded", value=0), image=SMALL),
    ),
    "targets-elsewhere": (
        example("by Affine", step("Affine", rotate=(-30, 30), fit_output=True), image=SMALL, targets=BOXES | POINTS),
        example("no turn", step("Rotate", limit=(0, 0)), image=SMALL, targets=BOXES),
        example("a mask turns along", step("Rotate"), step("Transpose"), image=SMALL, targets=MASK),
        example("a crop that fits", step("RandomCrop", height=64, width=40), image=SMALL, targets=POINTS),
        example("flips", step("Flip"), step("HorizontalFlip"), image=SMALL, targets=BOXES | POINTS | MASK),
    ),
    "targets-slightly-off": (
        example("whole pixels", step("Affine", translate_px=(0, 5)), image=SMALL, targets=MASK),
        example("a bilinear mask", step("Affine", mask_interpolation="bilinear"), image=SMALL, targets=MASK),
        example("boxes of an image that shrinks", step("Resize", height=32, width=48), image=SMALL, targets=BOXES),
        example("the same size", step("Resize", height=64, width=96), image=SMALL, targets=MASK),
        example("on the centre", step("MotionBlur", allow_shifted=False), image=SMALL, targets=MASK),
    ),
    "targets-unknown": (
        example("what follows", step("Flip"), step("Affine"), step("CenterCrop", height=32, width=32), image=SMALL),
        example("somebody has said", step("Rotate"), image=SMALL, targets=MASK),
    ),
}
