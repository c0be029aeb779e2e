"""The table of albumentationsxl 0.1.2: one row per public transform and composition. Read it through `catalog`.

Signatures, ranges, units and times are measured on the installed version, as are the defects (D1 to D55). Times are CPU
milliseconds per input megapixel on one machine; cheap ones scatter by a factor of two.
"""

from __future__ import annotations

from typing import Any

from augviz import checks
from augviz.model import (
    REQUIRED,
    Caveat,
    GroupSpec,
    ParamKind,
    ParamSpec,
    Side,
    TransformSpec,
    Truth,
)

INTERPOLATORS = ("nearest", "bilinear", "bicubic", "lbb", "nohalo", "vsqbs")
KERNELS = ("nearest", "linear", "cubic", "mitchell", "lanczos2", "lanczos3", "mks2013", "mks2021")
EIGHT_BIT_ONLY = {
    "RandomBrightnessContrast": "D13",
    "HueSaturationValue": "D14",
    "HEDShift": "D16",
    "Sharpen": "D17",
    "Emboss": "D17",
}
"""Transforms that take wider whole numbers for 8 bit (or for 0 to 1), so that nearly every pixel ends at a limit, and the
defect. All but the first also make 8-bit images of float ones, black where these run from 0 to 1."""

EXTENDS = ("black", "copy", "repeat", "mirror", "white", "background")
DIRECTIONS = (
    "centre",
    "north",
    "east",
    "south",
    "west",
    "north-east",
    "south-east",
    "south-west",
    "north-west",
)
POSITIONS = ("centre", "north-west", "north-east", "south-west", "south-east")
MAX_SIDE = 65536
"""Largest side in pixels that the editor offers to make."""

TUTORIAL_MEAN = (0.485, 0.456, 0.406)
TUTORIAL_STD = (0.229, 0.224, 0.225)

IM = ("image", "mask")
IMK = ("image", "mask", "keypoints")

K = ParamKind


def _param(name: str, kind: ParamKind, default: Any, help: str, **more: Any) -> ParamSpec:
    return ParamSpec(name, kind, default, help, **more)


def _range(name: str, default: Any, low: float, high: float, unit: str, help: str, step: float = 0.01) -> ParamSpec:
    return _param(name, K.RANGE, default, help, min_value=low, max_value=high, step=step, unit=unit)


def _kernel_sizes(default: Any, high: int, bounded_by: Side | None = None) -> ParamSpec:
    text = "Side of the kernel, drawn from the odd numbers of this range."
    return _param(
        "blur_limit",
        K.ODD_RANGE,
        default,
        text,
        min_value=3,
        max_value=high,
        step=2,
        unit="px",
        scales=True,
        bounded_by=bounded_by,
    )


def _pixels(name: str, default: Any, help: str, side: Side | None, low: int = 1, **more: Any) -> ParamSpec:
    high = MAX_SIDE if side is None else None
    return _param(
        name,
        K.INT,
        default,
        help,
        min_value=low,
        max_value=high,
        step=1,
        unit="px",
        bounded_by=side,
        scales=True,
        **more,
    )


def _colour(name: str, default: Any, help: str, **more: Any) -> ParamSpec:
    return _param(name, K.COLOUR, default, help, unit="levels", **more)


def _choice(name: str, default: Any, choices: tuple[str, ...], help: str, **more: Any) -> ParamSpec:
    return _param(name, K.CHOICE, default, help, choices=choices, **more)


def _interpolate(name: str, default: str, help: str) -> ParamSpec:
    return _param(name, K.INTERPOLATE, default, help, choices=INTERPOLATORS)


_KERNEL = _choice("interpolation", "linear", KERNELS, "Resampling kernel; shrinking averages with all but nearest.")
_ROTATE_METHOD = _choice(
    "rotate_method", "largest_box", ("largest_box", "ellipse"), "How bounding boxes follow; not the image."
)

# Caveats that several rows share.
_ALPHA = Caveat(
    "D22", "An alpha band is processed as if it were a colour.", "Flatten the image or drop its alpha band first."
)
_REPLAY = Caveat("D35", "A.ReplayCompose fails: the drawn values hold an image that cannot be copied.")
_SAVE = Caveat(
    "D38", "A.save raises for its interpolation object and leaves a truncated file.", "Use A.to_dict in memory."
)
_FILL = Caveat(
    "D21", "The fill is 255 in every format: nearly black in 16 bit, far too bright in float.", "Give the fill."
)
_MASK = Caveat("D30", "A mask is resampled by nearest and shifted by up to one pixel against the image.")
_ENLARGE = Caveat("D31", "Enlarging shifts the image by half an output pixel; shrinking is exact.")
_SIZES = Caveat(
    "D33", "Sizes of zero and below are accepted and give one pixel or a wrong size.", "Keep sizes above zero."
)
_INTEGER = Caveat(
    "D49", "8-bit convolution is off by up to 2 levels on flat areas.", "Convert to float first where it matters."
)
_UNSEEDED = Caveat("D41", "Ignores random.seed: libvips seeds its own noise.", "augviz passes a seed from `random`.")
_HOLES = Caveat(
    "D43",
    "Time grows faster than the number of holes, and is spent when called.",
    f"Stay below {checks.MAX_HOLES} holes.",
)
_STACK = Caveat(
    "D2", "Thousands of holes end the process when the result is released.", f"Stay below {checks.MAX_HOLES} holes."
)
_TAG = Caveat("D53", "The colour space that the result claims can be wrong, so saved files look black or clipped.")
_DROPOUT_TARGETS = Caveat("D34", "Bounding boxes raise; a mask is untouched unless mask_fill_value is given.")
_PRINTS = Caveat("D46", "Prints to stdout.")


COLOUR = (
    TransformSpec(
        "RandomBrightnessContrast",
        "Colour",
        "Multiply by a contrast factor and add a brightness.",
        params=(
            _range("brightness_limit", 0.2, -1.0, 1.0, "fraction", "Added brightness, as a fraction of the maximum."),
            _range("contrast_limit", 0.2, -1.0, 1.0, "factor", "Added to the contrast factor 1."),
            _param(
                "brightness_by_max",
                K.BOOL,
                True,
                "Measure brightness against the format's maximum, not the image's mean.",
            ),
        ),
        caveats=(
            Caveat(
                "D13",
                "Grey images raise, an alpha band is dropped, 16 bit becomes float of only 0 and 1.",
                "Convert to 8-bit RGB first.",
            ),
            Caveat(
                "",
                "brightness_by_max=False reads the whole image once when called, so it is not lazy then.",
                "Leave it True for large images.",
            ),
        ),
        checks=(checks.at_least_three_bands, checks.no_sign),
        cost_ms_per_megapixel=6.5,
    ),
    TransformSpec(
        "HueSaturationValue",
        "Colour",
        "Shift hue, saturation and value in HSV.",
        params=(
            _range("hue_shift_limit", 20, -255, 255, "levels", "Shift of the hue; 255 is the full circle.", 1),
            _range("sat_shift_limit", 30, -255, 255, "levels", "Shift of the saturation.", 1),
            _range("val_shift_limit", 20, -255, 255, "levels", "Shift of the value.", 1),
        ),
        caveats=(
            Caveat(
                "D14",
                "Hue is clipped instead of wrapping; 16 bit and float turn nearly black; 4 bands raise; grey gives 3 "
                "bands; any shift but three zeros costs the rounding of 8-bit HSV, up to 6 levels.",
                "Convert to 8-bit RGB first.",
            ),
        ),
        checks=(checks.one_or_three_bands,),
        cost_ms_per_megapixel=16,
    ),
    TransformSpec(
        "RandomGamma",
        "Colour",
        "Raise values to a power.",
        params=(
            _range(
                "gamma_limit",
                (80, 120),
                1,
                1000,
                "percent",
                "Gamma in percent, 100 is unchanged; below 100 darkens (D11).",
                1,
            ),
            _param("eps", K.FLOAT, None, "Ignored by the library.", optional=True),
        ),
        caveats=(
            Caveat("D11", "The exponent is inverted: v ** (100 / gamma).", "Give 10000 / gamma."),
            Caveat(
                "D12",
                "A gamma of zero or below, or above 100000, silently becomes v ** 2.4; a single number g "
                "means -g to g.",
                "Give a pair of positive numbers.",
            ),
            _ALPHA,
        ),
        cost_ms_per_megapixel=4,
    ),
    TransformSpec(
        "HEDShift",
        "Colour",
        "Shift haematoxylin, eosin and DAB stains.",
        params=(
            _range("h_shift_limit", 0.03, -1.0, 1.0, "stain units", "Added to haematoxylin.", 0.005),
            _range("e_shift_limit", 0.03, -1.0, 1.0, "stain units", "Added to eosin.", 0.005),
            _range("d_shift_limit", 0.03, -1.0, 1.0, "stain units", "Added to DAB.", 0.005),
        ),
        caveats=(
            Caveat(
                "D16",
                "Even a shift of zero changes colours that no stain gives, by 23 levels on a photograph; "
                "white is tinted; "
                "float turns black, 16 bit wrong; other than 3 bands raises.",
                "Use it on 8-bit H&E images only.",
            ),
            _TAG,
        ),
        checks=(checks.three_bands,),
        cost_ms_per_megapixel=65,
    ),
)

BLUR = (
    TransformSpec(
        "Blur",
        "Blur and sharpen",
        "Average over a square kernel.",
        params=(_kernel_sizes(7, 31),),
        caveats=(
            Caveat("D44", "Above 31 px it is forty times slower.", "Keep blur_limit at 31 or below."),
            _INTEGER,
            _ALPHA,
        ),
        cost_ms_per_megapixel=4.5,
    ),
    TransformSpec(
        "GaussianBlur",
        "Blur and sharpen",
        "Blur by a Gaussian.",
        params=(
            _param(
                "sigma_limit",
                K.RANGE,
                0,
                "Standard deviation of the Gaussian.",
                start=(0.5, 3.0),
                min_value=0.0,
                max_value=100.0,
                step=0.1,
                unit="px",
                scales=True,
            ),
            _param(
                "min_amplitude",
                K.FLOAT,
                0.2,
                "Where the kernel is cut off; smaller is wider and more exact.",
                min_value=0.01,
                max_value=1.0,
                step=0.01,
                unit="fraction",
            ),
        ),
        caveats=(
            Caveat(
                "D19",
                "Does nothing by default (sigma 0); the kernel is cut off, so sigma 2 acts as 1.6; "
                "min_amplitude 1 does "
                "nothing.",
                "Give sigma_limit; min_amplitude 0.01 for the true sigma.",
            ),
            Caveat(
                "D52",
                "A min_amplitude out of (0, 1] is silently replaced by libvips' default.",
                "Keep it within 0.01 and 1.",
            ),
            _INTEGER,
        ),
        cost_ms_per_megapixel=6,
    ),
    TransformSpec(
        "MedianBlur",
        "Blur and sharpen",
        "Median over a square window.",
        params=(_kernel_sizes(7, 63, Side.SHORTER),),
        caveats=(
            Caveat("", "A window larger than the image raises.", "Keep blur_limit below the image's shorter side."),
        ),
        cost_ms_per_megapixel=170,
    ),
    TransformSpec(
        "MotionBlur",
        "Blur and sharpen",
        "Average along a random line.",
        params=(
            _kernel_sizes(7, 99),
            _param("allow_shifted", K.BOOL, True, "Let the line lie off the kernel's centre."),
        ),
        caveats=(
            Caveat(
                "D50",
                "allow_shifted=False changes nothing in 14 to 59 % of draws; True also shifts the image; an even upper "
                "limit raises.",
                "Prefer kernels of 7 px and above.",
            ),
            _INTEGER,
            _REPLAY,
        ),
        cost_ms_per_megapixel=3,
    ),
    TransformSpec(
        "AdvancedBlur",
        "Blur and sharpen",
        "Blur by a random generalised Gaussian with noise.",
        params=(
            _kernel_sizes((3, 7), 31),
            _param(
                "sigmaX_limit",
                K.RANGE,
                (0.2, 1.0),
                "Standard deviation along the kernel's first axis.",
                min_value=0.1,
                max_value=50.0,
                step=0.1,
                unit="px",
                scales=True,
            ),
            _param(
                "sigmaY_limit",
                K.RANGE,
                (0.2, 1.0),
                "Standard deviation along the kernel's second axis.",
                min_value=0.1,
                max_value=50.0,
                step=0.1,
                unit="px",
                scales=True,
            ),
            _range("rotate_limit", 90, -360, 360, "degrees", "Rotation of the kernel.", 1),
            _range(
                "beta_limit",
                (0.5, 8.0),
                0.1,
                20.0,
                "",
                "Shape: below 1 heavier, above 1 lighter tails; 1 must lie inside.",
                0.1,
            ),
            _param(
                "noise_limit",
                K.RANGE,
                (0.9, 1.1),
                "Factor on each value of the kernel.",
                start=(0.9, 1.0),
                min_value=0.1,
                max_value=1.0,
                step=0.01,
                unit="factor",
            ),
        ),
        caveats=(
            Caveat(
                "D1",
                "With its defaults it divides by zero in 0.6 % of draws, which ends the process; float "
                "images become NaN.",
                "Keep noise_limit at 1.0 or below.",
            ),
            Caveat(
                "D9",
                "The kernel is rounded to 1/255: a third of the draws change nothing, and a noise above 1 corrupts it.",
                "Keep noise_limit at 1.0 or below.",
            ),
            _INTEGER,
            _ALPHA,
            _REPLAY,
        ),
        checks=(checks.beta_around_one,),
        cost_ms_per_megapixel=4,
    ),
    TransformSpec(
        "Sharpen",
        "Blur and sharpen",
        "Blend with a sharpened version.",
        params=(
            _range("alpha", (0.2, 0.5), 0.0, 1.0, "fraction", "Share of the sharpened version.", 0.05),
            _range("lightness", (0.5, 1.0), 0.0, 5.0, "factor", "Lightness of the sharpened version.", 0.05),
        ),
        caveats=(
            Caveat(
                "D17",
                "Works on 8 bit only: 16 bit becomes white, float black; values are truncated, half a level too dark.",
                "Convert to 8 bit first.",
            ),
            _ALPHA,
            _REPLAY,
            _TAG,
        ),
        cost_ms_per_megapixel=12,
    ),
    TransformSpec(
        "Emboss",
        "Blur and sharpen",
        "Blend with an embossed version.",
        params=(
            _range("alpha", (0.2, 0.5), 0.0, 1.0, "fraction", "Share of the embossed version.", 0.05),
            _range("strength", (0.2, 0.7), 0.0, 5.0, "factor", "Strength of the embossing.", 0.05),
        ),
        caveats=(
            Caveat(
                "D17",
                "Works on 8 bit only: 16 bit becomes white, float black; values are truncated, half a level too dark.",
                "Convert to 8 bit first.",
            ),
            _PRINTS,
            _ALPHA,
            _REPLAY,
            _TAG,
        ),
        cost_ms_per_megapixel=11,
    ),
)

NOISE = (
    TransformSpec(
        "GaussNoise",
        "Noise",
        "Add Gaussian noise.",
        params=(
            _range(
                "var_limit",
                (10.0, 50.0),
                0.0,
                10000.0,
                "levels squared",
                "Variance of the noise (it is added twice, D10).",
                1,
            ),
            _param(
                "mean",
                K.FLOAT,
                0,
                "Mean of the noise (added twice, D10).",
                min_value=-255,
                max_value=255,
                step=1,
                unit="levels",
            ),
            _param("per_channel", K.BOOL, True, "Different noise in each band."),
        ),
        caveats=(
            Caveat(
                "D10",
                "The noise is added twice: deviation and mean are doubled. It is in 8-bit levels, so it "
                "drowns float images "
                "and is invisible in 16 bit; per_channel turns grey into 3 bands and raises for 4.",
                "Give a quarter of the variance; per_channel=False for grey and alpha.",
            ),
            _UNSEEDED,
            Caveat("D45", "Takes 127 ms per megapixel: it evaluates the noise twice."),
            _REPLAY,
        ),
        checks=(checks.noise_bands,),
        truth=Truth.STATISTICAL,
        cost_ms_per_megapixel=127,
    ),
)

_AFFINE = TransformSpec(
    "Affine",
    "Geometry",
    "Scale, move, rotate and shear.",
    params=(
        _param(
            "scale",
            K.XY_RANGE,
            None,
            "Factor of the size, for both axes or each.",
            optional=True,
            min_value=0.1,
            max_value=10.0,
            step=0.05,
            unit="factor",
        ),
        _param(
            "translate_percent",
            K.XY_RANGE,
            None,
            "Shift as a fraction of the side.",
            optional=True,
            min_value=-1.0,
            max_value=1.0,
            step=0.01,
            unit="fraction",
        ),
        _param(
            "translate_px",
            K.XY_RANGE,
            None,
            "Shift in whole pixels.",
            optional=True,
            min_value=-MAX_SIDE,
            max_value=MAX_SIDE,
            step=1,
            unit="px",
            scales=True,
        ),
        _param(
            "rotate",
            K.RANGE,
            None,
            "Rotation, positive is counter-clockwise.",
            optional=True,
            min_value=-360,
            max_value=360,
            step=1,
            unit="degrees",
        ),
        _param(
            "shear",
            K.XY_RANGE,
            None,
            "Shear; a single number shears both axes.",
            optional=True,
            min_value=-80,
            max_value=80,
            step=1,
            unit="degrees",
        ),
        _interpolate("interpolation", "bilinear", "How the image is resampled."),
        _interpolate("mask_interpolation", "nearest", "How a mask is resampled."),
        _colour("cval", 255, "Fill outside the image."),
        _colour("cval_mask", 0, "Fill outside a mask."),
        _choice("mode", "background", EXTENDS, "What lies outside the image; the fill is used by `background`."),
        _param("fit_output", K.BOOL, False, "Grow or shrink the canvas to what is left of the image."),
        _param("keep_ratio", K.BOOL, False, "Use the same scale for both axes."),
        _ROTATE_METHOD,
    ),
    targets=IMK,
    caveats=(
        Caveat(
            "D32",
            "A dict with one axis moves or shears the other by 1; both translations together raise.",
            "Give both axes.",
        ),
        _FILL,
        _MASK,
        _SAVE,
        Caveat(
            "",
            "With none of the first five given it scales by 0.9 to 1.1, moves by 10 %, rotates by 15 and "
            "shears by 10 degrees.",
        ),
    ),
    checks=(checks.one_translation, checks.both_axes, checks.equal_scales, checks.lengths("cval", "cval_mask")),
    cost_ms_per_megapixel=12,
    changes_size=True,
)

_ROTATE = TransformSpec(
    "Rotate",
    "Geometry",
    "Rotate by a random angle; the canvas grows.",
    params=(
        _range("limit", 90, -360, 360, "degrees", "Angle, positive is clockwise.", 1),
        _interpolate("interpolation", "bilinear", "How the image is resampled."),
        _colour("value", 255, "Fill of the corners."),
        _colour("mask_value", 0, "Fill of a mask's corners."),
        _ROTATE_METHOD,
        _param("crop_border", K.BOOL, False, "Crop to a rectangle inside the rotated image."),
    ),
    targets=IM,
    caveats=(
        Caveat(
            "D23",
            "Turns clockwise for positive angles, the other way than Affine and than its own boxes and keypoints.",
        ),
        Caveat(
            "D24",
            "The canvas grows to hold the rotated image; boxes and keypoints are computed on the old one.",
            "Crop or resize afterwards.",
        ),
        Caveat(
            "D25",
            "crop_border crops at the wrong place: fill is left in the crop, near 90 degrees it can raise.",
            "Use CenterCrop afterwards.",
        ),
        _FILL,
        _MASK,
        _SAVE,
    ),
    checks=(checks.lengths("value", "mask_value"), checks.border_crop_fits),
    cost_ms_per_megapixel=15,
    changes_size=True,
)

_ELASTIC = TransformSpec(
    "ElasticTransform",
    "Geometry",
    "Displace pixels by a smooth random field.",
    params=(
        _param(
            "alpha",
            K.FLOAT,
            1.0,
            "Strength of the displacement.",
            min_value=-100.0,
            max_value=100.0,
            step=0.5,
            unit="factor",
        ),
        _param(
            "sigma",
            K.FLOAT,
            50.0,
            "Smoothness of the field; the time grows with it.",
            min_value=1.0,
            max_value=100.0,
            step=1,
            unit="px",
            scales=True,
        ),
        _interpolate("interpolation", "bilinear", "How the image is resampled."),
        _colour("value", None, "Fill outside the image; white if not given.", optional=True),
        _colour("mask_value", None, "Fill outside a mask; black if not given.", optional=True),
        _param("same_dxdy", K.BOOL, False, "Ignored by the library."),
    ),
    targets=("image",),
    caveats=(
        Caveat("D27", "Moves almost only up and down, and everything by about alpha pixels downwards."),
        Caveat("D28", "Image and mask are displaced differently; boxes and keypoints raise.", "Use it without masks."),
        Caveat("D36", "A replay draws new noise."),
        _UNSEEDED,
        Caveat(
            "D45",
            "Takes 1.3 CPU seconds per megapixel at the default sigma.",
            "Use a smaller sigma or a low probability.",
        ),
        _PRINTS,
        _FILL,
        _SAVE,
    ),
    checks=(checks.elastic_fill, checks.lengths("value", "mask_value")),
    truth=Truth.STATISTICAL,
    cost_ms_per_megapixel=1280,
)

GEOMETRY = (
    TransformSpec(
        "HorizontalFlip",
        "Geometry",
        "Mirror left and right.",
        targets=IMK,
        truth=Truth.EXACT,
        cost_ms_per_megapixel=3.6,
    ),
    TransformSpec(
        "VerticalFlip",
        "Geometry",
        "Mirror top and bottom.",
        targets=IMK,
        truth=Truth.EXACT,
        cost_ms_per_megapixel=2.4,
    ),
    TransformSpec(
        "Flip",
        "Geometry",
        "Mirror left and right, top and bottom, or both.",
        targets=IMK,
        truth=Truth.EXACT,
        cost_ms_per_megapixel=4.5,
    ),
    TransformSpec(
        "Transpose",
        "Geometry",
        "Rotate by 90 degrees counter-clockwise (see its caveat).",
        targets=IM,
        truth=Truth.EXACT,
        caveats=(Caveat("D26", "Rotates by 90 degrees instead of transposing; its boxes and keypoints do transpose."),),
        cost_ms_per_megapixel=4,
        changes_size=True,
    ),
    TransformSpec(
        "RandomRotate90",
        "Geometry",
        "Rotate by a multiple of 90 degrees.",
        targets=IM,
        truth=Truth.EXACT,
        caveats=(
            Caveat(
                "D5",
                "Raises an IndexError in a quarter of its draws, never leaves the image as it is, and "
                "its boxes turn another "
                "way.",
                "Use OneOf with Transpose, HorizontalFlip and VerticalFlip.",
            ),
        ),
        cost_ms_per_megapixel=3.5,
        changes_size=True,
    ),
    _ROTATE,
    _AFFINE,
    _ELASTIC,
)


def _size(low: int, bounded: bool, start: int | None = 512) -> tuple[ParamSpec, ParamSpec]:
    height = Side.HEIGHT if bounded else None
    width = Side.WIDTH if bounded else None
    return (
        _pixels("height", REQUIRED, "Height of the result.", height, low, start=start),
        _pixels("width", REQUIRED, "Width of the result.", width, low, start=start),
    )


CROP = (
    TransformSpec(
        "RandomCrop",
        "Crop and pad",
        "Cut out a random rectangle.",
        params=_size(1, True),
        default_p=1.0,
        targets=IMK,
        caveats=(
            Caveat("D29", "A crop larger than the image silently gives a smaller one.", "Keep it within the image."),
        ),
        cost_ms_per_megapixel=0.1,
        changes_size=True,
    ),
    TransformSpec(
        "CenterCrop",
        "Crop and pad",
        "Cut out the centre.",
        params=_size(1, True),
        default_p=1.0,
        targets=IMK,
        caveats=(Caveat("", "A crop larger than the image raises."),),
        cost_ms_per_megapixel=0.1,
        changes_size=True,
    ),
    TransformSpec(
        "Crop",
        "Crop and pad",
        "Cut out a given rectangle.",
        params=(
            _pixels("x_min", 0, "Left edge.", Side.WIDTH, 0),
            _pixels("y_min", 0, "Top edge.", Side.HEIGHT, 0),
            _pixels("x_max", 1024, "Right edge, exclusive.", Side.WIDTH),
            _pixels("y_max", 1024, "Bottom edge, exclusive.", Side.HEIGHT),
        ),
        default_p=1.0,
        targets=IMK,
        caveats=(Caveat("", "A rectangle that is empty or reaches outside the image raises."),),
        checks=(checks.crop_order,),
        cost_ms_per_megapixel=0.1,
        changes_size=True,
    ),
    TransformSpec(
        "CropOrPad",
        "Crop and pad",
        "Crop or pad to a given size.",
        params=(
            *_size(1, False),
            _choice("direction", "centre", DIRECTIONS, "Where the image stays when cropped or padded."),
        ),
        default_p=1.0,
        targets=IM,
        caveats=(
            Caveat(
                "D21",
                "The fill is always 255: nearly black in 16 bit, far too bright in float; 4 bands raise.",
                "Use PadIfNeeded with a value, and CenterCrop.",
            ),
        ),
        checks=(checks.only_three_or_one_fill,),
        cost_ms_per_megapixel=2.6,
        changes_size=True,
    ),
    TransformSpec(
        "PadIfNeeded",
        "Crop and pad",
        "Pad to a least size, or to a multiple.",
        params=(
            _pixels("min_height", 1024, "Least height of the result.", None, optional=True),
            _pixels("min_width", 1024, "Least width of the result.", None, optional=True),
            _pixels("pad_height_divisor", None, "The height becomes a multiple of this.", None, optional=True),
            _pixels("pad_width_divisor", None, "The width becomes a multiple of this.", None, optional=True),
            _choice("position", "centre", POSITIONS, "Where the image lies in the result."),
            _choice("border_mode", "background", EXTENDS, "What the border shows; the fill is used by `background`."),
            _colour("value", None, "Fill of the border; must be given.", start=255),
            _colour("mask_value", None, "Fill of a mask's border; must be given with masks.", optional=True),
        ),
        default_p=1.0,
        targets=IMK,
        caveats=(
            Caveat(
                "D4",
                "Raises without a value, even if nothing has to be padded; with masks also without a mask_value.",
                "Give value and mask_value.",
            ),
            Caveat("D39", "A.to_dict forgets position."),
            _FILL,
        ),
        checks=(checks.one_way_to_pad, checks.fill_given, checks.lengths("value", "mask_value")),
        cost_ms_per_megapixel=3.0,
        changes_size=True,
    ),
)


def _max_size(name: str, which: str, cost: float) -> TransformSpec:
    return TransformSpec(
        name,
        "Resize",
        f"Resize so that the {which} side has a given length.",
        params=(
            _param(
                "max_size",
                K.INTS,
                1024,
                f"Length of the {which} side, or several to draw from.",
                min_value=1,
                max_value=MAX_SIDE,
                step=1,
                unit="px",
                scales=True,
            ),
            _KERNEL,
        ),
        default_p=1.0,
        targets=IMK,
        caveats=(_ENLARGE, _MASK, _SIZES),
        cost_ms_per_megapixel=cost,
        changes_size=True,
    )


RESIZE = (
    TransformSpec(
        "Resize",
        "Resize",
        "Resize to a given size.",
        params=(*_size(1, False), _KERNEL),
        default_p=1.0,
        targets=IMK,
        caveats=(_ENLARGE, _MASK, _SIZES),
        cost_ms_per_megapixel=1.4,
        changes_size=True,
    ),
    _max_size("LongestMaxSize", "longer", 1.4),
    _max_size("SmallestMaxSize", "shorter", 1.5),
    TransformSpec(
        "RandomScale",
        "Resize",
        "Resize by a random factor.",
        params=(
            _range(
                "scale_limit", 0.1, -0.9, 3.0, "factor", "Added to the factor 1: -0.1 to 0.1 is 0.9 to 1.1 times.", 0.05
            ),
            _KERNEL,
        ),
        targets=IMK,
        caveats=(_ENLARGE, _MASK, _SIZES),
        cost_ms_per_megapixel=15,
        changes_size=True,
    ),
)


def _hole(name: str, default: Any, help: str, side: Side, optional: bool = False) -> ParamSpec:
    return _param(
        name,
        K.SIZE,
        default,
        help,
        min_value=1,
        step=1,
        unit="px or fraction",
        bounded_by=side,
        scales=True,
        optional=optional,
    )


def _count(name: str, default: Any, help: str, high: int, optional: bool = True, low: int = 1) -> ParamSpec:
    return _param(name, K.INT, default, help, min_value=low, max_value=high, step=1, unit="", optional=optional)


DROPOUT = (
    TransformSpec(
        "CoarseDropout",
        "Dropout",
        "Fill random rectangles.",
        params=(
            _count("max_holes", 8, "Most holes.", checks.MAX_HOLES, False),
            _hole("max_height", 8, "Greatest height of a hole.", Side.HEIGHT),
            _hole("max_width", 8, "Greatest width of a hole.", Side.WIDTH),
            _count("min_holes", None, "Fewest holes; as max_holes if not given.", checks.MAX_HOLES),
            _hole("min_height", None, "Least height of a hole; as max_height if not given.", Side.HEIGHT, True),
            _hole("min_width", None, "Least width of a hole; as max_width if not given.", Side.WIDTH, True),
            _colour("fill_value", 0, "Fill of the holes."),
            _colour(
                "mask_fill_value", None, "Fill of the holes in a mask, which is untouched if not given.", optional=True
            ),
        ),
        targets=IMK,
        caveats=(
            Caveat(
                "D54",
                "All four sizes must be pixels, or all fractions; a fraction below one pixel and a hole "
                "larger than the image "
                "raise.",
                "Give all sizes in the same kind.",
            ),
            _HOLES,
            _STACK,
            _DROPOUT_TARGETS,
            _ALPHA,
        ),
        checks=(
            checks.sizes_of_one_type,
            checks.at_least("min_holes", "max_holes"),
            checks.at_least("min_height", "max_height"),
            checks.at_least("min_width", "max_width"),
            checks.hole_of_a_pixel,
            checks.lengths("fill_value", "mask_fill_value"),
        ),
        cost_ms_per_megapixel=3,
    ),
    TransformSpec(
        "GridDropout",
        "Dropout",
        "Fill the cells of a regular grid.",
        params=(
            _param(
                "ratio",
                K.FLOAT,
                0.5,
                "Side of a hole as a fraction of its cell.",
                min_value=0.01,
                max_value=1.0,
                step=0.05,
                unit="fraction",
            ),
            _pixels(
                "unit_size_min", None, "Least side of a cell; needs unit_size_max.", Side.SHORTER, 2, optional=True
            ),
            _pixels(
                "unit_size_max",
                None,
                "Greatest side of a cell (one more is drawn, D6).",
                Side.SHORTER,
                2,
                optional=True,
            ),
            _count("holes_number_x", None, "Cells across; a tenth of the width each if not given.", 20, low=2),
            _count("holes_number_y", None, "Cells down; square cells if not given.", 20, low=2),
            _pixels("shift_x", 0, "Shift of the grid to the right.", Side.WIDTH, 0),
            _pixels("shift_y", 0, "Shift of the grid downwards.", Side.HEIGHT, 0),
            _param("random_offset", K.BOOL, False, "Draw the shift at random."),
            _colour("fill_value", 0, "Fill of the holes."),
            _colour(
                "mask_fill_value", None, "Fill of the holes in a mask, which is untouched if not given.", optional=True
            ),
        ),
        targets=IM,
        caveats=(
            Caveat(
                "D6",
                "Raises whenever a hole at the far edge has no size: for most image sizes with the "
                "defaults, nearly always "
                "with random_offset.",
                "Choose holes_number_x and holes_number_y that leave a remainder.",
            ),
            _HOLES,
            _STACK,
            _DROPOUT_TARGETS,
            _ALPHA,
        ),
        checks=(checks.both_units, checks.grid_fits, checks.lengths("fill_value", "mask_fill_value")),
        cost_ms_per_megapixel=8,
    ),
    TransformSpec(
        "ChannelDropout",
        "Dropout",
        "Fill random bands.",
        params=(
            _param(
                "channel_drop_range",
                K.INT_RANGE,
                (1, 1),
                "How many bands to fill.",
                min_value=1,
                max_value=2,
                step=1,
                unit="bands",
            ),
            _param("fill_value", K.FLOAT, 0, "Fill of the bands.", min_value=0, max_value=65535, step=1, unit="levels"),
        ),
        caveats=(
            Caveat("D20", "Grey images and images with alpha raise; 16 bit becomes float.", "Use it on RGB images."),
        ),
        checks=(checks.band_left, checks.three_bands),
        truth=Truth.EXACT,
        cost_ms_per_megapixel=10,
    ),
)

FORMAT = (
    TransformSpec(
        "Normalize",
        "Format",
        "Subtract a mean and divide by a deviation; gives float.",
        params=(
            _param(
                "mean",
                K.NUMBERS,
                REQUIRED,
                "Subtracted, in the image's own units.",
                start=TUTORIAL_MEAN,
                step=0.001,
                unit="levels",
            ),
            _param(
                "std",
                K.NUMBERS,
                REQUIRED,
                "Divided by, in the image's own units.",
                start=TUTORIAL_STD,
                min_value=0.001,
                step=0.001,
                unit="levels",
            ),
        ),
        default_p=1.0,
        caveats=(
            Caveat(
                "D15",
                "There is no max_pixel_value: statistics of 0 to 1 on 8-bit data give -2 to 1136. mean "
                "and std must be lists.",
                'Use ToDtype("float", True) first, or multiply mean and std by 255.',
            ),
            _TAG,
        ),
        checks=(checks.lengths("mean", "std"),),
        cost_ms_per_megapixel=10,
    ),
    TransformSpec(
        "ToDtype",
        "Format",
        "Convert between 8 bit and float.",
        params=(
            _choice("dtype", REQUIRED, ("uchar", "float", "double"), "Format of the result.", start="float"),
            _param("scale", K.BOOL, REQUIRED, "Map 0 to 255 onto 0 to 1 and back.", start=True),
        ),
        default_p=1.0,
        caveats=(
            Caveat(
                "D18",
                "16 bit is returned unchanged; scale=False is ignored from 8 bit to float; float to 8 bit truncates.",
                "Convert 16 bit before the pipeline.",
            ),
            _TAG,
        ),
        cost_ms_per_megapixel=7,
    ),
    TransformSpec(
        "ToTensor",
        "Format",
        "Make a PyTorch tensor, (bands, height, width).",
        params=(_param("transpose_mask", K.BOOL, False, "Transpose a mask of several bands as well."),),
        default_p=1.0,
        targets=IM,
        caveats=(
            Caveat("D55", "Nothing can follow it: the result is no image any more.", "Put it last."),
            Caveat("", "Holds the whole result in memory; the tensor is not contiguous."),
            Caveat("", "p=0 still converts, because always_apply is True by default."),
        ),
        truth=Truth.EXACT,
        cost_ms_per_megapixel=2,
        lazy=False,
    ),
    TransformSpec(
        "NoOp",
        "Format",
        "Leave everything as it is.",
        targets=IMK,
        truth=Truth.EXACT,
        cost_ms_per_megapixel=2.2,
    ),
    TransformSpec(
        "Lambda",
        "Format",
        "Call functions of your own.",
        default_p=1.0,
        targets=(),
        caveats=(Caveat("D3", "Cannot be constructed: the library asks for a function that it does not have."),),
        truth=Truth.NOT_TO_SCALE,
        unusable="its constructor raises an AttributeError in the installed version (D3)",
    ),
)

ROWS: tuple[TransformSpec, ...] = (*COLOUR, *BLUR, *NOISE, *GEOMETRY, *CROP, *RESIZE, *DROPOUT, *FORMAT)

_NESTED = Caveat("D51", "Forces only the first child of a Sequential inside it; later children keep their own p.")

GROUP_ROWS: tuple[GroupSpec, ...] = (
    GroupSpec(
        "OneOf",
        "Apply one of its steps, chosen in proportion to their p.",
        0.5,
        caveats=(_NESTED, Caveat("D51", "Raises if the p of all its steps is 0.", "Give one of them a p above 0.")),
    ),
    GroupSpec(
        "SomeOf",
        "Apply n of its steps, chosen in proportion to their p.",
        1.0,
        has_n=True,
        caveats=(
            _NESTED,
            Caveat(
                "D51",
                "replace=True, the default, can choose the same step twice; two flips then undo each "
                "other. n above the number "
                "of steps raises without replace.",
                "Set replace to False.",
            ),
            Caveat("D37", "A.ReplayCompose cannot replay it."),
        ),
    ),
    GroupSpec(
        "OneOrOther",
        "Apply the first step with probability p, else the second.",
        0.5,
        min_steps=2,
        max_steps=2,
        caveats=(_NESTED, Caveat("D51", "p is the probability of the first; one of the two is always applied.")),
    ),
    GroupSpec(
        "Sequential",
        "Apply its steps in order, as one.",
        0.5,
        caveats=(Caveat("D51", "Ignores its p: its steps always run, each with its own p."),),
    ),
)

GENERAL: tuple[Caveat, ...] = (
    Caveat(
        "D7",
        "A.Compose with bbox_params or keypoint_params always raises on pyvips images; keypoints pass without "
        "keypoint_params as (x, y, angle, scale).",
    ),
    Caveat(
        "D8",
        "`masks` never work through A.Compose; a pyvips image as `mask` does.",
        "Use mask, or call the transforms directly.",
    ),
    Caveat(
        "D40",
        'A.save with data_format="yaml" raises a NameError without PyYAML; A.__version__ is "1.3.1", the version that '
        "the library was made from.",
        "Save as JSON; importlib.metadata tells the version.",
    ),
    Caveat("D42", "Draws from the process-wide `random`: threads disturb each other.", "Seed and call under a lock."),
    Caveat("D47", "cv2, torch and typing_extensions are needed to import it, and not declared.", "Install them."),
    Caveat("D48", "Its README lists ColorJitter and FromFloat, which do not exist."),
    Caveat(
        "D52",
        "Arguments out of libvips' range do not raise: the default is used.",
        "Keep to the ranges of the catalogue.",
    ),
    Caveat("D55", "numpy images are not accepted; pyvips images cannot be pickled or copied."),
)
