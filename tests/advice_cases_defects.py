"""For each rule on arguments and on the library's defects, cases where it fires and cases where it just does not."""

from __future__ import annotations

from augviz.model import XY
from tests.advising import Example, example, group, step
from tests.strategies import facts

SMALL = facts(96, 64)
GREY = facts(96, 64, 1)
DEEP = facts(96, 64, 3, "ushort")
FLOAT = facts(96, 64, 3, "float")
TO_FLOAT = step("ToDtype", dtype="float", scale=True)

HALF_TURN = group("Sequential", step("HorizontalFlip", 1.0), step("VerticalFlip", 1.0), p=1.0)

FIRES: dict[str, tuple[Example, ...]] = {
    "argument-problem": (
        example("a kernel that can vanish (D1)", step("AdvancedBlur"), image=SMALL),
        example("a kernel that always does", step("AdvancedBlur", noise_limit=(0.0, 0.0)), image=SMALL),
        example("no fill (D4)", step("PadIfNeeded"), image=SMALL),
        example("holes of no size (D6)", step("GridDropout"), image=facts(100, 100)),
        example("as many gammas below 0 (D12)", step("RandomGamma", gamma_limit=80), image=SMALL),
        example("angles near 90 (D25)", step("Rotate", crop_border=True), image=SMALL),
        example("grey", step("RandomBrightnessContrast"), image=GREY),
        example(
            "larger than what arrives",
            step("Resize", height=30, width=30),
            step("CenterCrop", height=40, width=20),
            image=SMALL,
        ),
        example("larger than after any turn", step("Rotate"), step("CenterCrop", height=500, width=20), image=SMALL),
        example("two kinds of size (D54)", step("CoarseDropout", max_height=0.2), image=SMALL),
        example("too many holes (D2)", step("CoarseDropout", max_holes=4000), image=SMALL),
        example("after a turn only", step("Transpose"), step("CenterCrop", height=64, width=80), image=SMALL),
    ),
    "argument-limit": (
        example("a large kernel (D44)", step("Blur", blur_limit=(3, 51)), image=SMALL),
        example("brightness beyond white", step("RandomBrightnessContrast", brightness_limit=(0.0, 2.0)), image=SMALL),
        example(
            "an amplitude that libvips drops (D52)", step("GaussianBlur", sigma_limit=2, min_amplitude=3.0), image=SMALL
        ),
        example("many holes (D43)", step("CoarseDropout", max_holes=1000), image=SMALL),
        example("one unit size", step("GridDropout", unit_size_min=9), image=SMALL),
        example("one axis (D32)", step("Affine", shear=XY((1, 10), None)), image=SMALL),
        example("no height (D33)", step("Resize", height=0, width=10), image=SMALL),
        example("from high to low", step("RandomGamma", gamma_limit=(120, 80)), image=SMALL),
    ),
    "holes-add-up": (
        example("six times 500", *[step("CoarseDropout", 0.5, max_holes=500)] * 6),
        example(
            "SomeOf, six times", group("SomeOf", step("CoarseDropout", max_holes=450, min_holes=10), step("Flip"), n=6)
        ),
    ),
    "sequential-ignores-p": (
        example("a p that was given", group("Sequential", step("Flip"), p=0.3), image=SMALL),
        example("in a OneOrOther", group("OneOrOther", group("Sequential", step("Flip"), p=0.3), step("Blur"))),
    ),
    "some-of-repeats": (
        example("two flips", group("SomeOf", step("HorizontalFlip"), step("VerticalFlip"), n=2), image=SMALL),
        example("more than there are", group("SomeOf", step("HorizontalFlip"), step("VerticalFlip"), n=3), image=SMALL),
    ),
    "first-of-sequential-is-forced": (
        example(
            "in a OneOf",
            group("OneOf", group("Sequential", step("Flip", 0.2), step("Blur", 0.2)), step("NoOp")),
            image=SMALL,
        ),
    ),
    "random-rotate90-raises": (
        example("alone", step("RandomRotate90"), image=SMALL),
        example("with its p, in a group", group("SomeOf", step("RandomRotate90", 0.7), step("Flip"), n=1), image=SMALL),
    ),
    "crop-border-leaves-fill": (
        example("30 degrees", step("Rotate", limit=30, crop_border=True), image=SMALL),
        example("an unknown image", step("Rotate", limit=10, crop_border=True)),
    ),
    "elastic-moves-one-way": (
        example("defaults", step("ElasticTransform"), image=SMALL),
        example("upwards", step("ElasticTransform", alpha=-20.0, sigma=10.0), image=SMALL),
    ),
    "rotate-enlarges": (
        example("any angle", step("Rotate"), image=SMALL),
        example("a few degrees, with a fill", step("Rotate", 0.3, limit=(2, 5), value=7, mask_value=1), image=SMALL),
        example("16 bit", step("Rotate", value=65535, interpolation="bicubic"), image=DEEP),
    ),
    "rotate-clockwise": (example("one way", step("Rotate", limit=(10, 30)), image=SMALL),),
    "transpose-is-a-turn": (
        example("alone", step("Transpose"), image=SMALL),
        example("always", step("Transpose", 1.0), step("VerticalFlip", 1.0), image=SMALL),
        example("with a rare flip", step("HorizontalFlip", 0.2), step("Transpose"), image=SMALL),
        example("in a group", group("OneOf", step("Transpose", 0.5), step("Flip")), image=SMALL),
    ),
    "shear-of-both-axes": (
        example("a range", step("Affine", shear=(-10, 10)), image=SMALL),
        example("a number", step("Affine", shear=8), image=SMALL),
    ),
    "gaussian-blur-does-nothing": (
        example("small sigmas", step("GaussianBlur", sigma_limit=(0.1, 0.5)), image=SMALL),
        example("an amplitude of 1", step("GaussianBlur", sigma_limit=(1.0, 3.0), min_amplitude=1.0), image=SMALL),
    ),
    "advanced-blur-does-nothing": (
        example("as the editor begins", step("AdvancedBlur", noise_limit=(0.9, 1.0)), image=SMALL),
        example(
            "hardly wider",
            step("AdvancedBlur", noise_limit=(1.0, 1.0), sigmaX_limit=(0.5, 2.0), sigmaY_limit=(0.5, 3.0)),
        ),
    ),
    "motion-blur-does-nothing": (
        example("the default kernels", step("MotionBlur", allow_shifted=False), image=SMALL),
        example("3 px", step("MotionBlur", allow_shifted=False, blur_limit=(3, 3)), image=SMALL),
    ),
    "scale-is-ignored": (example("8 bit", step("ToDtype", dtype="float", scale=False), image=SMALL),),
    "gaussian-blur-cut-off": (
        example("the default amplitude", step("GaussianBlur", sigma_limit=(0.5, 3.0)), image=SMALL),
        example("a large sigma", step("GaussianBlur", sigma_limit=10, min_amplitude=0.15)),
    ),
    "gamma-is-inverted": (
        example("meant to brighten", step("RandomGamma", gamma_limit=(50, 80)), image=SMALL),
        example("a fixed one", step("RandomGamma", gamma_limit=(150, 150)), image=DEEP),
    ),
    "hue-is-clipped": (
        example("the default", step("HueSaturationValue"), image=SMALL),
        example("one unit", step("HueSaturationValue", hue_shift_limit=(0, 1))),
    ),
    "stains-of-colours-without": (example("the default", step("HEDShift"), image=SMALL),),
    "noise-is-doubled": (
        example("the default", step("GaussNoise"), image=SMALL),
        example("a mean only", step("GaussNoise", var_limit=(0.0, 0.0), mean=5.0), image=SMALL),
    ),
    "rounding-of-8-bit": (
        example("a blur", step("Blur"), step("MotionBlur"), image=SMALL),
        example("sharpening", step("Sharpen"), image=SMALL),
        example("before ToDtype", step("AdvancedBlur", noise_limit=(0.9, 1.0)), TO_FLOAT, image=SMALL),
    ),
    "prints": (example("each time", step("Emboss"), image=SMALL), example("once", step("ElasticTransform"))),
}

SPARES: dict[str, tuple[Example, ...]] = {
    "argument-problem": (
        example("a kernel that stays", step("AdvancedBlur", noise_limit=(0.9, 1.0)), image=SMALL),
        example("a fill", step("PadIfNeeded", value=0), image=SMALL),
        example("holes with a remainder", step("GridDropout"), image=facts(102, 102)),
        example("small angles", step("Rotate", limit=20, crop_border=True), image=SMALL),
        example("as large as what arrives", step("CenterCrop", height=64, width=96), image=SMALL),
        example("after a pad", step("PadIfNeeded", value=0), step("CenterCrop", height=900, width=900), image=SMALL),
        example("a large kernel is only slow", step("Blur", blur_limit=(3, 51)), image=SMALL),
        example("wide enough in some draws", step("Rotate", 1.0), step("CenterCrop", height=90, width=90), image=SMALL),
    ),
    "argument-limit": (
        example("the largest quick kernel", step("Blur", blur_limit=(3, 31)), image=SMALL),
        example("white", step("RandomBrightnessContrast", brightness_limit=(0.0, 1.0)), image=SMALL),
        example("what raises is an error", step("CenterCrop", height=99, width=20), image=SMALL),
        example("500 holes", step("CoarseDropout", max_holes=500), image=SMALL),
    ),
    "holes-add-up": (
        example("five times 500", *[step("CoarseDropout", 0.5, max_holes=500)] * 5),
        example(
            "SomeOf without replacement",
            group("SomeOf", step("CoarseDropout", max_holes=450), step("Flip"), n=2, replace=False),
        ),
    ),
    "sequential-ignores-p": (
        example("not given", group("Sequential", step("Flip"))),
        example("always", group("Sequential", step("Flip"), p=1.0)),
        example("a weight", group("OneOf", group("Sequential", step("Flip"), p=0.3), step("Blur"))),
    ),
    "some-of-repeats": (
        example("without replacement", group("SomeOf", step("Flip"), step("Blur"), n=2, replace=False)),
        example("one", group("SomeOf", step("Flip"), step("Blur"), n=1)),
    ),
    "first-of-sequential-is-forced": (
        example("a first one that always runs", group("OneOf", HALF_TURN, step("NoOp"))),
        example("not chosen by anything", group("Sequential", step("Flip", 0.2), step("Blur", 0.2))),
    ),
    "random-rotate90-raises": (example("Transpose", step("Transpose"), image=SMALL),),
    "crop-border-leaves-fill": (
        example("no crop", step("Rotate", limit=30), image=SMALL),
        example("no turn", step("Rotate", limit=(0, 0), crop_border=True), image=SMALL),
    ),
    "elastic-moves-one-way": (example("no strength", step("ElasticTransform", alpha=0.0), image=SMALL),),
    "rotate-enlarges": (
        example("a right angle", step("Rotate", limit=(90, 90)), image=SMALL),
        example("hardly", step("Rotate", limit=(0, 0.2)), image=SMALL),
        example("cropped", step("Rotate", limit=20, crop_border=True), image=SMALL),
    ),
    "rotate-clockwise": (
        example("both ways", step("Rotate", limit=30)),
        example("given", step("Rotate", limit=(-9, 9))),
    ),
    "transpose-is-a-turn": (
        example("with a flip in half of the draws", step("VerticalFlip"), step("Transpose"), image=SMALL),
        example("a flip behind it", group("Sequential", step("Transpose", 1.0), step("VerticalFlip", 1.0), p=1.0)),
        example("a quarter turn", group("OneOf", step("Transpose", 1.0), HALF_TURN)),
    ),
    "shear-of-both-axes": (
        example("one axis", step("Affine", shear=XY((-9, 9), (0, 0)))),
        example("none", step("Affine", shear=0)),
        example("not given", step("Affine")),
    ),
    "gaussian-blur-does-nothing": (
        example("just above", step("GaussianBlur", sigma_limit=(0.1, 0.6))),
        example("0 is told elsewhere", step("GaussianBlur")),
    ),
    "advanced-blur-does-nothing": (
        example(
            "sigmas of 1",
            step("AdvancedBlur", noise_limit=(0.9, 1.0), sigmaX_limit=(1.0, 1.0), sigmaY_limit=(1.0, 2.0)),
        ),
    ),
    "motion-blur-does-nothing": (
        example("7 px", step("MotionBlur", allow_shifted=False, blur_limit=(7, 7))),
        example("shifted", step("MotionBlur", blur_limit=(3, 3))),
    ),
    "scale-is-ignored": (
        example("scaled", TO_FLOAT, image=SMALL),
        example("float already", step("ToDtype", dtype="double", scale=False), image=FLOAT),
    ),
    "gaussian-blur-cut-off": (
        example("a small amplitude", step("GaussianBlur", sigma_limit=(0.5, 2.0), min_amplitude=0.05)),
        example("exact", step("GaussianBlur", sigma_limit=10, min_amplitude=0.01)),
    ),
    "gamma-is-inverted": (
        example("the default", step("RandomGamma")),
        example("about the same when inverted", step("RandomGamma", gamma_limit=(70, 140))),
    ),
    "hue-is-clipped": (
        example("no shift", step("HueSaturationValue", hue_shift_limit=(0, 0))),
        example("less than a unit", step("HueSaturationValue", hue_shift_limit=(-0.9, 0.9))),
        example("float is another matter", step("HueSaturationValue"), image=FLOAT),
    ),
    "stains-of-colours-without": (
        example("float is another matter", step("HEDShift"), image=FLOAT),
        example("grey is another matter", step("HEDShift"), image=GREY),
    ),
    "noise-is-doubled": (
        example("none", step("GaussNoise", var_limit=(0.0, 0.0))),
        example("float is another matter", step("GaussNoise"), image=FLOAT),
    ),
    "rounding-of-8-bit": (
        example("float", TO_FLOAT, step("Blur"), image=SMALL),
        example("no kernel", step("MedianBlur"), step("RandomGamma"), image=SMALL),
        example("a blur that does nothing", step("GaussianBlur"), image=SMALL),
    ),
    "prints": (example("Sharpen", step("Sharpen"), image=SMALL),),
}
