"""For each rule of advice, cases where it fires and cases where it just does not."""

from __future__ import annotations

from augviz.advice import Case, Failure
from augviz.catalog_rows import TUTORIAL_MEAN, TUTORIAL_STD
from augviz.model import XY, Group, Pipeline, Step, Value
from tests.advising import Example, example, group, pipeline, step
from tests.strategies import facts

SQUARE = facts(512, 512)
WIDE = facts(600, 400)
LARGE = facts(4096, 4096)
DEEP = facts(512, 512, 3, "ushort")
ALPHA = facts(600, 400, 4)
FLOAT = facts(512, 512, 3, "float")

MEAN_255 = tuple(round(255 * n, 3) for n in TUTORIAL_MEAN)
STD_255 = tuple(round(255 * n, 3) for n in TUTORIAL_STD)


def normalize(mean: Value = TUTORIAL_MEAN, std: Value = TUTORIAL_STD, p: float | None = None) -> Step:
    return step("Normalize", p, mean=mean, std=std)


def to_float() -> Step:
    return step("ToDtype", dtype="float", scale=True)


def to_bytes(scale: bool = True) -> Step:
    return step("ToDtype", dtype="uchar", scale=scale)


TENSOR = step("ToTensor")
ROTATE = step("Rotate", 0.8)
FLIP = step("HorizontalFlip")
CROP = step("CenterCrop", height=64, width=64)
PAD_0 = step("PadIfNeeded", 1.0, min_height=600, min_width=600, value=0)
DOWN = step("Resize", height=128, width=128)
UP = step("Resize", height=512, width=512)


def _incomplete(*members: Step, name: str = "OneOf", n: int | None = None) -> Example:
    return Example(name, lambda: Case(pipeline(Group("", name, members, n=n), FLIP)))


def _failed(step_id: str) -> Example:
    failures = (Failure(3, step_id, "IndexError: range object index out of range"),)
    return Example("a draw failed", lambda: Case(Pipeline((Step("a", "RandomRotate90"),)), failures=failures))


FIRES: dict[str, tuple[Example, ...]] = {
    "cannot-be-drawn": (_failed("a"),),
    "nothing-to-choose": (
        example("OneOf", group("OneOf", step("Flip", 0.0), step("Blur", 0.0))),
        example("SomeOf", group("SomeOf", step("Flip", 0.0), n=1)),
    ),
    "too-many-to-choose": (
        example("two of one", group("SomeOf", step("Flip"), n=2, replace=False)),
        example("two of one with p", group("SomeOf", step("Flip"), step("Blur", 0.0), n=2, replace=False)),
    ),
    "group-incomplete": (_incomplete(), _incomplete(FLIP, name="OneOrOther"), _incomplete(name="SomeOf", n=1)),
    "never-applied": (
        example("p of a step", step("Blur", 0.0), FLIP),
        example("p of a group", group("OneOf", FLIP, p=0.0)),
        example("a weight of 0", group("OneOf", FLIP, step("Blur", 0.0))),
        example("the other side", group("OneOrOther", FLIP, step("Blur"), p=1.0)),
    ),
    "float-cut-to-8-bit": (
        example("after Normalize", to_float(), normalize(), to_bytes(), image=SQUARE),
        example("without scaling", to_float(), step("Blur"), to_bytes(scale=False)),
    ),
    "normalize-unit-statistics": (
        example("the tutorial's", ROTATE, normalize(), TENSOR),
        example("one number", normalize(0.5, 0.5), image=SQUARE),
        example("as plain albumentations scales to 0 to 1", normalize(0.0, 1.0)),
        example("16 bit", normalize(), image=DEEP),
        example("in a group", group("OneOf", normalize(), p=1.0), image=SQUARE),
        example("ToDtype in half of the draws", step("ToDtype", 0.5, dtype="float", scale=True), normalize()),
    ),
    "normalize-level-statistics": (
        example("as published for 0 to 255", to_float(), normalize(MEAN_255, STD_255)),
        example("scaled twice", to_float(), normalize(0.0, 255.0), image=SQUARE),
    ),
    "normalize-twice": (example("twice", to_float(), normalize(), FLIP, normalize()),),
    "to-tensor-not-last": (
        example("a flip after it", TENSOR, FLIP),
        example("twice", FLIP, TENSOR, TENSOR),
        example("in a group", group("OneOf", TENSOR, FLIP, p=0.5), step("Blur")),
        example("in any order", group("SomeOf", FLIP, TENSOR, n=2, replace=False)),
    ),
    "normalize-last": (
        example("Normalize", normalize(), step("Blur", 1.0), TENSOR, image=LARGE),
        example("both", to_float(), normalize(), step("GaussianBlur", sigma_limit=(1, 2)), FLIP, TENSOR),
        example("a fill from 0 to 1", to_float(), step("Rotate", 1.0, value=1.0), normalize(), image=SQUARE),
        example("in a group", group("OneOf", to_float(), p=1.0), step("Blur")),
        example("a turn filled with the mean", normalize(), step("Rotate", 1.0, value=0), TENSOR, image=SQUARE),
        example("a blur before the mean", normalize(), step("Blur", 1.0), PAD_0, TENSOR, image=SQUARE),
    ),
    "to-tensor-missing": (
        example("none", FLIP, image=SQUARE),
        example("in half of the draws", FLIP, step("ToTensor", 0.5, always_apply=False)),
    ),
    "output-size-varies": (
        example("the tutorial's", ROTATE, normalize(), TENSOR),
        example("Rotate", ROTATE, image=WIDE),
        example("RandomScale", step("RandomScale"), image=SQUARE),
        example("a quarter turn of a wide image", step("Transpose"), image=WIDE),
        example(
            "a crop that may not fit", step("RandomScale", 1.0), step("RandomCrop", height=512, width=512), image=SQUARE
        ),
        example("a crop larger than the image", step("RandomCrop", height=512, width=512), image=WIDE),
        example("fixed in half of the draws", ROTATE, step("Resize", 0.5, height=64, width=64), image=SQUARE),
        example(
            "two sizes", group("OneOf", step("Resize", height=64, width=64), step("Resize", height=32, width=32), p=1.0)
        ),
        example("four bands", ROTATE, image=ALPHA),
        example("five bands", step("RandomScale", 0.5, scale_limit=0.2), TENSOR, image=facts(512, 512, 5)),
        example("five bands, in float", to_float(), ROTATE, image=facts(512, 512, 5)),
        example("float", to_float(), ROTATE, TENSOR, image=SQUARE),
        example("with a stride", ROTATE, image=WIDE, stride=32),
        example("fit_output", step("Affine", rotate=(-20, 20), fit_output=True), image=SQUARE),
        example("several longest sides", step("LongestMaxSize", max_size=(128, 256)), image=WIDE),
    ),
    "off-stride": (
        example("the image's own", FLIP, image=facts(500, 400), stride=32),
        example("a crop", step("CenterCrop", height=100, width=96), TENSOR, image=WIDE, stride=32),
        example("a crop of four bands", step("CenterCrop", height=256, width=250), image=ALPHA, stride=32),
        example("a crop at random", step("RandomCrop", height=250, width=250), image=WIDE, stride=32),
        example("a fixed window", step("Crop", x_min=10, y_min=20, x_max=110, y_max=90), image=WIDE, stride=32),
        example("five bands", FLIP, image=facts(500, 400, 5), stride=32),
        example("without an image", step("Resize", height=100, width=64), FLIP, stride=32),
    ),
    "shrink-late": (
        example("Resize", step("Blur", 1.0), step("Resize", height=512, width=512), image=LARGE),
        example("LongestMaxSize", FLIP, step("LongestMaxSize", max_size=1024), TENSOR, image=LARGE),
        example(
            "by the mean",
            step("RandomBrightnessContrast", brightness_by_max=False),
            step("RandomCrop", height=256, width=256),
            image=SQUARE,
        ),
    ),
    "affine-and-rotate": (
        example("the tutorial's", step("Affine"), step("Rotate")),
        example("one range", step("Rotate", limit=20), step("Affine", scale=(0.9, 1.1)), image=SQUARE),
        example("both in a Sequential", group("Sequential", step("Affine"), step("Rotate"))),
    ),
    "quarter-turns-and-rotate": (example("by up to 90", step("RandomRotate90"), step("Rotate")),),
    "redundant-flips": (
        example("horizontal", step("Flip"), FLIP),
        example("vertical", step("VerticalFlip"), step("Flip"), image=WIDE),
        example("twice", FLIP, step("Blur"), FLIP),
    ),
    "two-resizes": (
        example("of a kind", step("Resize", height=64, width=64), FLIP, step("Resize", height=32, width=32)),
        example(
            "before the last", step("LongestMaxSize", max_size=64), step("Resize", height=32, width=32), image=WIDE
        ),
        example("at random", step("RandomScale"), step("Resize", height=64, width=64)),
        example(
            "enlarged twice", step("Resize", height=700, width=700), step("Resize", height=900, width=900), image=WIDE
        ),
    ),
    "two-blurs": (
        example("Gaussian", *[step("GaussianBlur", sigma_limit=(1.0, 3.0))] * 2, image=SQUARE),
        example("median", step("MedianBlur"), FLIP, step("MedianBlur")),
    ),
    "costly-often": (
        example("elastic", step("ElasticTransform", 1.0), image=LARGE),
        example("median", step("MedianBlur", 0.6)),
        example("noise", step("GaussNoise", always_apply=True), image=LARGE),
        example("in a group", group("OneOf", step("MedianBlur"), p=1.0), image=LARGE),
        example("a large crop", step("CenterCrop", height=2048, width=2048), step("MedianBlur", 1.0), image=LARGE),
        example("the other side", group("OneOrOther", FLIP, step("MedianBlur"), p=0.1)),
        example("in a Sequential", group("Sequential", step("MedianBlur", 1.0), p=0.0)),
    ),
    "normalize-on-gpu": (
        example("Normalize", FLIP, normalize(), TENSOR, image=LARGE),
        example("both", to_float(), normalize(), TENSOR),
        example("ToDtype", to_float(), image=SQUARE),
    ),
    "does-nothing": (
        example("GaussianBlur as it comes", step("GaussianBlur"), image=SQUARE),
        example("no brightness", step("RandomBrightnessContrast", brightness_limit=0, contrast_limit=(0, 0))),
        example("no angle", step("Rotate", limit=0)),
        example("no hue", step("HueSaturationValue", hue_shift_limit=0, sat_shift_limit=0, val_shift_limit=(0, 0))),
        example("no move", step("Affine", scale=1.0, rotate=0)),
        example("float already", to_float(), to_float()),
    ),
    "random-in-validation": (
        example("a chance", FLIP, TENSOR, validation=True),
        example("a range", step("Rotate", 1.0, limit=(-1, 1)), image=SQUARE, validation=True),
        example("a crop", step("RandomCrop", height=64, width=64), TENSOR, image=WIDE, validation=True),
        example("a crop larger than the image", step("RandomCrop", height=512, width=64), image=WIDE, validation=True),
        example("a choice", group("OneOf", step("Flip", 1.0), step("Transpose", 1.0), p=1.0), validation=True),
    ),
    "ignores-seeds": (
        example("noise", step("GaussNoise"), image=SQUARE),
        example("elastic", group("OneOf", step("ElasticTransform"), FLIP)),
    ),
    "not-replayed": (
        example("kernels", step("Sharpen")),
        example("noise", step("ElasticTransform")),
        example("SomeOf", group("SomeOf", FLIP, n=1)),
    ),
    "not-saved": (
        example("interpolation", ROTATE),
        example("position", step("PadIfNeeded", position="north-west", value=255)),
    ),
}

SPARES: dict[str, tuple[Example, ...]] = {
    "cannot-be-drawn": (_failed("another step"), example("drawn", FLIP, image=SQUARE)),
    "nothing-to-choose": (
        example("one weight", group("OneOf", step("Flip", 0.0), step("Blur", 0.1))),
        example("OneOrOther", group("OneOrOther", step("Flip", 0.0), step("Blur", 0.0))),
        example("only what is on", group("OneOf", Step("", "Flip", p=0.0, enabled=False), step("Blur"))),
    ),
    "too-many-to-choose": (
        example("as many", group("SomeOf", step("Flip"), step("Blur"), n=2, replace=False)),
        example("again and again", group("SomeOf", step("Flip"), n=5)),
    ),
    "group-incomplete": (
        _incomplete(FLIP),
        _incomplete(FLIP, ROTATE, name="OneOrOther"),
        Example("off", lambda: Case(pipeline(Group("", "OneOf", enabled=False)))),
    ),
    "never-applied": (
        example("hardly ever", step("Blur", 0.001)),
        example("ToTensor", step("ToTensor", 0.0)),
        example("always_apply", step("Blur", 0.0, always_apply=True)),
        example("Sequential ignores its p", group("Sequential", FLIP, p=0.0)),
        example("OneOrOther ignores theirs", group("OneOrOther", step("Flip", 0.0), step("Blur", 0.0))),
        example("off", Step("", "Blur", p=0.0, enabled=False), FLIP),
    ),
    "float-cut-to-8-bit": (
        example("there and back", to_float(), step("Blur"), to_bytes(), image=SQUARE),
        example("8 bit already", FLIP, to_bytes()),
        example("statistics of 0 and 1", to_float(), normalize(0.0, 1.0), to_bytes()),
    ),
    "normalize-unit-statistics": (
        example("after ToDtype", to_float(), normalize(), TENSOR, image=SQUARE),
        example("of 0 to 255", normalize(MEAN_255, STD_255), image=SQUARE),
        example("to 0 to 1", normalize(0.0, 255.0)),
        example("float", normalize(), image=FLOAT),
        example("off", Step("", "Normalize", (("mean", 0.5), ("std", 0.5)), enabled=False), FLIP),
    ),
    "normalize-level-statistics": (
        example("without ToDtype", normalize(MEAN_255, STD_255)),
        example("of 0 to 1", to_float(), normalize()),
        example("whatever a float image holds", normalize(MEAN_255, STD_255), image=FLOAT),
    ),
    "normalize-twice": (
        example("once", to_float(), normalize()),
        example("one of two", to_float(), group("OneOf", normalize(), normalize(0.5, 0.5), p=1.0)),
    ),
    "to-tensor-not-last": (
        example("last", FLIP, normalize(), TENSOR),
        example("what follows is off", TENSOR, Step("", "Blur", enabled=False)),
        example("what follows is never applied", TENSOR, step("Blur", 0.0)),
        example("the other member", group("OneOf", TENSOR, FLIP, p=1.0)),
    ),
    "normalize-last": (
        example("last", step("Blur"), to_float(), normalize(), TENSOR, image=LARGE),
        example("a crop costs nothing", normalize(), step("RandomCrop", height=64, width=64), image=SQUARE),
        example("a float part that is meant", to_float(), step("Blur"), to_bytes(), image=SQUARE),
        example("a float image", to_float(), step("Blur"), image=FLOAT),
        example("not in one draw", group("OneOf", normalize(), step("Blur"))),
        example("filled with the mean", normalize(), PAD_0, TENSOR, image=SQUARE),
    ),
    "to-tensor-missing": (
        example("there", FLIP, TENSOR),
        example("p=0 converts too", FLIP, step("ToTensor", 0.0)),
        example("nothing at all"),
    ),
    "output-size-varies": (
        example("fixed afterwards", ROTATE, step("CropOrPad", height=64, width=64), image=WIDE),
        example("resized in a group", ROTATE, group("OneOf", *[step("Resize", height=64, width=64)] * 2, p=1.0)),
        example("cropped to what always fits", ROTATE, step("RandomCrop", height=400, width=400), image=SQUARE),
        example("a quarter turn of a square", step("Transpose"), step("RandomRotate90"), image=SQUARE),
        example("a fixed half turn", step("Rotate", 0.5, limit=(180, 180)), image=WIDE),
        example("never", step("Rotate", 0.0), image=WIDE),
        example("Affine keeps the canvas", step("Affine"), image=WIDE),
        example("a crop that fits exactly", step("RandomCrop", height=400, width=600), image=WIDE),
        example("padded to a multiple", step("PadIfNeeded", min_height=64, min_width=64, value=0), image=WIDE),
        example(
            "both sides alike",
            group("OneOrOther", step("Resize", height=64, width=64), step("CropOrPad", height=64, width=64)),
        ),
    ),
    "off-stride": (
        example("a multiple", FLIP, image=SQUARE, stride=32),
        example("not asked for", FLIP, image=facts(500, 400)),
        example("size unknown", FLIP, stride=32),
        example("size varies", ROTATE, image=SQUARE, stride=32),
    ),
    "shrink-late": (
        example("first", step("Resize", height=512, width=512), step("Blur"), image=LARGE),
        example("hardly smaller", step("Blur"), step("Resize", height=3000, width=3000), image=LARGE),
        example(
            "a crop computes only its own pixels", step("Blur"), step("RandomCrop", height=64, width=64), image=LARGE
        ),
        example("by chance", step("Blur"), step("Resize", 0.5, height=64, width=64), image=LARGE),
        example("after a turn", ROTATE, step("Resize", height=64, width=64), image=LARGE),
    ),
    "affine-and-rotate": (
        example("one of them", group("OneOf", step("Affine"), step("Rotate"))),
        example("Affine alone", step("Affine"), FLIP),
        example("Rotate off", step("Affine"), Step("", "Rotate", enabled=False)),
    ),
    "quarter-turns-and-rotate": (
        example("only tilts", step("RandomRotate90"), step("Rotate", limit=44)),
        example("one of them", group("OneOf", step("RandomRotate90"), step("Rotate"))),
    ),
    "redundant-flips": (
        example("each axis", FLIP, step("VerticalFlip")),
        example("one of them", group("OneOf", step("Flip"), FLIP)),
        example(
            "a transposition", step("Flip"), group("Sequential", step("Transpose", 1.0), step("VerticalFlip", 1.0))
        ),
    ),
    "two-resizes": (
        example(
            "a crop between",
            step("Resize", height=64, width=64),
            step("RandomCrop", height=32, width=32),
            step("Resize", height=48, width=48),
        ),
        example("one of them", group("OneOf", step("Resize", height=64, width=64), step("RandomScale"))),
        example("down and up", DOWN, UP),
        example("down and up in a Sequential", group("Sequential", DOWN, UP, p=1.0), TENSOR, image=LARGE),
        example("down and up at times", group("OneOf", group("Sequential", DOWN, UP), step("NoOp", 1.0)), image=SQUARE),
        example("down at random", step("RandomScale", 0.5, scale_limit=(-0.8, -0.5)), UP, image=SQUARE),
        example("the first makes it square", UP, step("LongestMaxSize", max_size=256), image=facts(1200, 900)),
        example("scaled afterwards", step("Resize", height=64, width=64), step("RandomScale")),
    ),
    "two-blurs": (
        example("of two kinds", step("Blur"), step("MotionBlur")),
        example("one of them", group("OneOf", step("Blur"), step("Blur"))),
    ),
    "costly-often": (
        example("every second image", step("ElasticTransform", 0.5), image=LARGE),
        example("cheap", step("Blur", 1.0), image=LARGE),
        example("one of two", group("OneOf", step("MedianBlur"), FLIP, p=1.0)),
        example("a small crop", CROP, step("MedianBlur", 1.0, blur_limit=5), TENSOR, image=LARGE),
        example("a small crop of any image", CROP, step("MedianBlur", 1.0, blur_limit=5), TENSOR),
        example("a small image", step("MedianBlur", 1.0), image=SQUARE),
        example(
            "no draw succeeds", CROP, step("MedianBlur", 1.0), step("CenterCrop", height=99, width=99), image=LARGE
        ),
        example("cheap on this machine", step("MedianBlur", 1.0), costs={"MedianBlur": 20.0}),
    ),
    "normalize-on-gpu": (
        example("stays uint8", FLIP, TENSOR, image=SQUARE),
        example("float from the start", normalize(), TENSOR, image=FLOAT),
        example("float before the end", to_float(), step("Blur"), normalize(), TENSOR),
        example("it raises", TENSOR, normalize(MEAN_255, STD_255), image=SQUARE),
        example("back to uint8", to_float(), to_bytes(), TENSOR),
    ),
    "does-nothing": (
        example("NoOp is meant", step("NoOp")),
        example("a fixed angle", step("Rotate", limit=(20, 20))),
        example("Affine as it comes", step("Affine")),
        example("one of two ranges", step("RandomBrightnessContrast", brightness_limit=0)),
        example("one of three ranges", step("HueSaturationValue", hue_shift_limit=0, sat_shift_limit=0)),
        example("to float", to_float()),
        example("one axis", step("Affine", scale=XY(1.0, (0.9, 1.1)))),
    ),
    "random-in-validation": (
        example("not said to be for validation", FLIP, ROTATE),
        example(
            "nothing random", step("Resize", height=64, width=64), to_float(), normalize(), TENSOR, validation=True
        ),
        example("a fixed angle", step("Rotate", 1.0, limit=(20, 20)), validation=True),
        example("one member", group("OneOf", step("Transpose"), p=1.0), image=SQUARE, validation=True),
        example("never applied", step("Flip", 0.0), validation=True),
    ),
    "ignores-seeds": (example("none", step("Blur")), example("never", step("GaussNoise", 0.0))),
    "not-replayed": (example("flips", FLIP, step("Blur")), example("OneOf", group("OneOf", FLIP))),
    "not-saved": (
        example("flips", FLIP, step("Blur")),
        example("in the centre", step("PadIfNeeded", value=255)),
        example("never", step("Rotate", 0.0)),
    ),
}
