"""What plain albumentations (1.3 to 2.0) means in albumentationsxl: other names, other arguments, other meanings.

A small table kept by hand. It knows nothing of Python text: a call comes in as its name and its values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from augviz import catalog
from augviz.model import ParamKind

XL, PLAIN = "albumentationsxl", "albumentations"

Args = dict[str, Any]
"""Arguments by name; sequences are lists or tuples, constants of OpenCV their numbers."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence for the user; `lost` if what is taken does something else than what was written."""

    text: str
    lost: bool = True


@dataclass(frozen=True, slots=True)
class Taken:
    """A call of albumentations as one of albumentationsxl; `name` is "" where there is no such transform."""

    name: str
    args: Args
    remarks: tuple[Remark, ...] = ()


NEAREST: dict[str, tuple[str, ...]] = {
    "AdditiveNoise": ("GaussNoise",),
    "AtLeastOneBBoxRandomCrop": ("RandomCrop",),
    "BBoxSafeRandomCrop": ("RandomCrop",),
    "CLAHE": ("RandomBrightnessContrast",),
    "ColorJitter": ("RandomBrightnessContrast", "HueSaturationValue"),
    "CropNonEmptyMaskIfExists": ("RandomCrop",),
    "Cutout": ("CoarseDropout",),
    "D4": ("OneOf", "HorizontalFlip", "VerticalFlip", "Transpose"),
    "Defocus": ("GaussianBlur",),
    "Equalize": ("RandomBrightnessContrast",),
    "Erasing": ("CoarseDropout",),
    "FromFloat": ("ToDtype",),
    "GlassBlur": ("AdvancedBlur",),
    "GridDistortion": ("ElasticTransform",),
    "HEStain": ("HEDShift",),
    "ISONoise": ("GaussNoise",),
    "MultiplicativeNoise": ("GaussNoise",),
    "OpticalDistortion": ("ElasticTransform",),
    "Pad": ("PadIfNeeded",),
    "Perspective": ("Affine",),
    "PiecewiseAffine": ("ElasticTransform",),
    "PixelDropout": ("CoarseDropout",),
    "PlanckianJitter": ("HueSaturationValue",),
    "RGBShift": ("HueSaturationValue",),
    "RandomBrightness": ("RandomBrightnessContrast",),
    "RandomContrast": ("RandomBrightnessContrast",),
    "RandomCropFromBorders": ("RandomCrop",),
    "RandomResizedCrop": ("RandomCrop", "Resize"),
    "RandomSizedBBoxSafeCrop": ("RandomCrop", "Resize"),
    "RandomSizedCrop": ("RandomCrop", "Resize"),
    "RandomToneCurve": ("RandomGamma", "RandomBrightnessContrast"),
    "SafeRotate": ("Rotate",),
    "ShiftScaleRotate": ("Affine",),
    "ShotNoise": ("GaussNoise",),
    "SquareSymmetry": ("OneOf", "HorizontalFlip", "VerticalFlip", "Transpose"),
    "ThinPlateSpline": ("ElasticTransform",),
    "ToFloat": ("ToDtype",),
    "ToGray": ("HueSaturationValue",),
    "UnsharpMask": ("Sharpen",),
    "XYMasking": ("GridDropout",),
    "ZoomBlur": ("MotionBlur",),
}
"""What comes nearest to what albumentationsxl does not have."""

SAME = {"ToTensorV2": "ToTensor"}
"""Transforms that are the same under another name."""

POSITIONS: dict[str, tuple[str, ...]] = {
    "AdvancedBlur": ("blur_limit",),
    "Affine": ("scale", "translate_percent", "translate_px", "rotate", "shear", "interpolation", "mask_interpolation"),
    "Blur": ("blur_limit",),
    "CenterCrop": ("height", "width"),
    "ChannelDropout": ("channel_drop_range",),
    "Crop": ("x_min", "y_min", "x_max", "y_max"),
    "ElasticTransform": ("alpha", "sigma"),
    "Emboss": ("alpha", "strength"),
    "GaussianBlur": ("blur_limit", "sigma_limit"),
    "GridDropout": ("ratio",),
    "HueSaturationValue": ("hue_shift_limit", "sat_shift_limit", "val_shift_limit"),
    "LongestMaxSize": ("max_size",),
    "MedianBlur": ("blur_limit",),
    "MotionBlur": ("blur_limit", "allow_shifted"),
    "Normalize": ("mean", "std", "max_pixel_value"),
    "PadIfNeeded": (
        "min_height",
        "min_width",
        "pad_height_divisor",
        "pad_width_divisor",
        "position",
        "border_mode",
    ),
    "RandomBrightnessContrast": ("brightness_limit", "contrast_limit", "brightness_by_max"),
    "RandomCrop": ("height", "width"),
    "RandomGamma": ("gamma_limit",),
    "RandomScale": ("scale_limit", "interpolation"),
    "Resize": ("height", "width", "interpolation"),
    "Rotate": ("limit", "interpolation", "border_mode"),
    "Sharpen": ("alpha", "lightness"),
    "SmallestMaxSize": ("max_size",),
    "ToTensorV2": ("transpose_mask",),
}
"""The first arguments in order, as far as albumentations 1.3 to 2.0 agree on them."""

CV2: dict[str, int] = {
    "INTER_NEAREST": 0,
    "INTER_LINEAR": 1,
    "INTER_CUBIC": 2,
    "INTER_AREA": 3,
    "INTER_LANCZOS4": 4,
    "BORDER_CONSTANT": 0,
    "BORDER_REPLICATE": 1,
    "BORDER_REFLECT": 2,
    "BORDER_WRAP": 3,
    "BORDER_REFLECT_101": 4,
    "BORDER_REFLECT101": 4,
    "BORDER_DEFAULT": 4,
}
"""OpenCV's constants that albumentations takes."""

_INTERPOLATIONS = {
    ParamKind.INTERPOLATE: ("nearest", "bilinear", "bicubic"),
    ParamKind.CHOICE: ("nearest", "linear", "cubic", "linear", "lanczos3"),
}
"""By OpenCV's number; libvips' kernels average when they shrink, as INTER_AREA does."""

_BORDERS = ("background", "copy", "mirror", "repeat", "mirror")
"""By OpenCV's number; BORDER_REFLECT_101 is one pixel off libvips' mirror."""

_RENAMED: dict[str, dict[str, str]] = {
    "AdvancedBlur": {"sigma_x_limit": "sigmaX_limit", "sigma_y_limit": "sigmaY_limit"},
    "Affine": {"fill": "cval", "fill_mask": "cval_mask", "border_mode": "mode"},
    "ChannelDropout": {"fill": "fill_value"},
    "CoarseDropout": {"fill": "fill_value", "fill_mask": "mask_fill_value"},
    "ElasticTransform": {"fill": "value", "fill_mask": "mask_value"},
    "GridDropout": {"fill": "fill_value", "fill_mask": "mask_fill_value"},
    "PadIfNeeded": {"fill": "value", "fill_mask": "mask_value"},
    "Rotate": {"fill": "value", "fill_mask": "mask_value"},
}

_SPLIT: dict[str, dict[str, tuple[str, str]]] = {
    "CoarseDropout": {
        "num_holes_range": ("min_holes", "max_holes"),
        "hole_height_range": ("min_height", "max_height"),
        "hole_width_range": ("min_width", "max_width"),
    },
    "GridDropout": {
        "unit_size_range": ("unit_size_min", "unit_size_max"),
        "holes_number_xy": ("holes_number_x", "holes_number_y"),
        "shift_xy": ("shift_x", "shift_y"),
    },
}
"""Pairs that are two arguments here."""

_WITHOUT_EFFECT = frozenset({"approximate", "keypoint_remapping_method", "noise_scale_factor"})
_POSITION_NAMES = {
    "center": "centre",
    "top_left": "north-west",
    "top_right": "north-east",
    "bottom_left": "south-west",
    "bottom_right": "south-east",
}

_MEANINGS: dict[str, str] = {
    "ElasticTransform": "here it moves almost only up and down, and everything by about alpha pixels downwards (D27)",
    "HueSaturationValue": "here 255 is the full circle of the hue, not 180, and the hue is clipped (D14)",
    "RandomGamma": "here the exponent is inverted, v ** (100 / gamma) (D11); give 10000 / gamma for the same",
    "RandomRotate90": "here it raises in a quarter of its draws and turns another way (D5)",
    "Rotate": "here the canvas grows to hold the whole image, positive angles turn clockwise (D23, D24)",
    "Transpose": "here it rotates by 90 degrees counter-clockwise (D26)",
}
"""What the same name and arguments do differently, whatever was given."""


def nearest(name: str) -> str:
    """What comes nearest to a transform that albumentationsxl does not have, as a clause; "" where nothing does."""
    names = (SAME[name],) if name in SAME else NEAREST.get(name, ())
    if not names:
        return ""
    together = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"the nearest {'is' if len(names) == 1 else 'are'} {together}"


def take(name: str, args: Mapping[str, Any]) -> Taken:
    """A call of plain albumentations as one of albumentationsxl, with what is different.

    Arguments that the table does not know are passed on as they are. `p` and `always_apply` mean the same.
    """
    if name in SAME:
        return Taken(SAME[name], dict(args), (Remark(f"{name} is {SAME[name]} in albumentationsxl.", False),))
    if name not in catalog.TRANSFORMS:
        close = nearest(name)
        return Taken("", {}, (Remark(f"{name} is not in albumentationsxl and was left out{close and f'; {close}'}."),))
    remarks: list[Remark] = []
    taken = _renamed(name, dict(args))
    _constants(name, taken, remarks)
    if name in _CHANGES:
        _CHANGES[name](taken, remarks)
    if name in _MEANINGS:
        remarks.append(Remark(f"{name}: {_MEANINGS[name]}."))
    for ignored in sorted(_WITHOUT_EFFECT & set(taken) - {p.name for p in catalog.transform(name).params}):
        del taken[ignored]
    if "mask_interpolation" in taken and name != "Affine":
        del taken["mask_interpolation"]
        remarks.append(Remark(f"{name}: mask_interpolation is set aside, it concerns masks only.", False))
    return Taken(name, taken, tuple(remarks))


def take_group(name: str, args: Mapping[str, Any]) -> Taken:
    """A group of plain albumentations, which has the same names here; its steps are no part of `args`."""
    taken, remarks = dict(args), []
    if name == "SomeOf":
        taken.setdefault("n", 1)
        if "replace" not in taken:
            remarks.append(Remark("SomeOf: replace is on by default here, and off in albumentations from 1.4 on."))
    p = taken.get("p", 0.5)
    if name == "Sequential" and not (_is_number(p) and p >= 1):
        remarks.append(Remark("Sequential: its p is ignored here (D51), and counts in albumentations from 1.4 on."))
    return Taken(name, taken, tuple(remarks))


def _renamed(name: str, args: Args) -> Args:
    taken: Args = {}
    for given, value in args.items():
        parts = _SPLIT.get(name, {}).get(given)
        if parts and isinstance(value, list | tuple) and len(value) == 2:
            taken |= dict(zip(parts, value, strict=True))
        elif parts is None or value is not None:
            taken[_RENAMED.get(name, {}).get(given, given)] = value
    return taken


def _constants(name: str, args: Args, remarks: list[Remark]) -> None:
    """Put names for OpenCV's numbers."""
    for param in catalog.transform(name).params:
        value = args.get(param.name)
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if param.name in ("mode", "border_mode"):
            names: tuple[str, ...] = _BORDERS
        elif param.name in ("interpolation", "mask_interpolation"):
            names = _INTERPOLATIONS[param.kind]
        else:
            continue
        if 0 <= value < len(names):
            args[param.name] = names[value]
        else:
            del args[param.name]
            remarks.append(Remark(f"{name}: there is no {param.name} like OpenCV's {value}; the default is used."))


# What single transforms do differently, depending on what was given


def _normalize(args: Args, remarks: list[Remark]) -> None:
    args.setdefault("mean", [0.485, 0.456, 0.406])
    args.setdefault("std", [0.229, 0.224, 0.225])
    if args.pop("normalization", "standard") != "standard":
        remarks.append(Remark("Normalize: there is no normalization here, mean and std are used."))
    if args.pop("max_pixel_value", 255.0) != 1:
        remarks.append(
            Remark(
                "Normalize: albumentations divides by max_pixel_value first, here mean and std are in the image's own "
                'units (D15); put ToDtype("float", True) before it for the same.'
            )
        )


def _fill(name: str, transform: str) -> Callable[[Args, list[Remark]], None]:
    def change(args: Args, remarks: list[Remark]) -> None:
        if args.get(name) is None:
            args.pop(name, None)
            remarks.append(Remark(f"{transform}: what is outside the image is filled with 255 here; give {name}=0."))

    return change


def _rotate(args: Args, remarks: list[Remark]) -> None:
    if args.pop("border_mode", 0) != 0:
        remarks.append(Remark("Rotate: there is no border_mode here, the corners get one value."))
    _fill("value", "Rotate")(args, remarks)


def _affine(args: Args, remarks: list[Remark]) -> None:
    if args.pop("balanced_scale", False):
        remarks.append(Remark("Affine: there is no balanced_scale here."))
    if args.get("mode", "background") == "background":
        _fill("cval", "Affine")(args, remarks)
    if not {"scale", "translate_percent", "translate_px", "rotate", "shear"} & set(args):
        remarks.append(Remark("Affine: with nothing given it scales, moves, rotates and shears here."))


def _elastic(args: Args, remarks: list[Remark]) -> None:
    if args.pop("alpha_affine", None):
        remarks.append(Remark("ElasticTransform: there is no alpha_affine here; Affine does it."))
    if args.pop("border_mode", 0) != 0:
        remarks.append(Remark("ElasticTransform: there is no border_mode here, the border gets one value."))
    if args.get("noise_distribution") == "gaussian":
        del args["noise_distribution"]
    _fill("value", "ElasticTransform")(args, remarks)


def _pad(args: Args, remarks: list[Remark]) -> None:
    position = args.get("position")
    if isinstance(position, str):
        args["position"] = _POSITION_NAMES.get(position, position)
    if "border_mode" not in args:
        remarks.append(
            Remark("PadIfNeeded: its border is filled here; albumentations before 2.0 mirrors the image by default.")
        )
    if args.get("value") is None:
        args["value"] = 0
        remarks.append(Remark("PadIfNeeded: value=0 was added, because it has to be given here (D4).", False))


def _coarse_dropout(args: Args, remarks: list[Remark]) -> None:
    if not {"max_holes", "max_height", "max_width"} <= set(args):
        remarks.append(
            Remark("CoarseDropout: 8 holes of 8 by 8 px are the defaults here, and before albumentations 1.4 only.")
        )


def _grid_dropout(args: Args, remarks: list[Remark]) -> None:
    if "random_offset" not in args:
        remarks.append(Remark("GridDropout: random_offset is off by default here, and before albumentations 1.4 only."))


def _gauss_noise(args: Args, remarks: list[Remark]) -> None:
    spread = _numbers(args.pop("std_range", None))
    if spread:
        args["var_limit"] = [round(255 * s * 255 * s, 6) for s in spread]
        remarks.append(Remark("GaussNoise: std_range is read as var_limit, (255 std)² for 8 bit.", False))
    mean = _numbers(args.pop("mean_range", None))
    if mean:
        args["mean"] = 255 * mean[0]
        if mean[0] != mean[-1]:
            remarks.append(Remark("GaussNoise: there is no range of means here; its lower end is taken."))
    if "var_limit" not in args:
        remarks.append(Remark("GaussNoise: var_limit is 10 to 50 by default here, and before albumentations 1.4 only."))
    remarks.append(Remark("GaussNoise: here the noise is added twice (D10); give a quarter of the variance."))


def _numbers(value: object) -> list[float]:
    """The two ends of a range of numbers, none where it is no such range."""
    ends = value if isinstance(value, list | tuple) else ()
    numbers = [v for v in ends if _is_number(v)]
    return numbers if len(numbers) == len(ends) == 2 else []


def _is_number(value: object) -> bool:
    """Whether `value` is a number that arithmetic can take."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**53


def _gaussian_blur(args: Args, remarks: list[Remark]) -> None:
    """OpenCV takes sigma 0.3 ((k - 1) / 2 - 1) + 0.8 for a kernel of k pixels."""
    sizes = args.pop("blur_limit", None)
    sigma = args.get("sigma_limit")
    if sigma not in (None, 0, 0.0, [0, 0], (0, 0)):
        if sizes:
            remarks.append(Remark("GaussianBlur: there is no blur_limit here, sigma_limit alone decides."))
        return
    args.pop("sigma_limit", None)
    if _is_number(sizes):
        sizes = [min(3, sizes), max(3, sizes)]
    ends = _numbers(sizes) or ([3.0, 7.0] if sizes is None else [])
    if not ends or min(ends) < 3:
        remarks.append(Remark("GaussianBlur: there is no blur_limit here; without sigma_limit it does nothing (D19)."))
        return
    args["sigma_limit"] = [round(0.3 * ((k - 1) / 2 - 1) + 0.8, 3) for k in ends]
    low, high = args["sigma_limit"]
    remarks.append(
        Remark(f"GaussianBlur: kernels of {ends[0]:g} to {ends[1]:g} px are read as sigma_limit {low:g} to {high:g}.")
    )


def _sharpen(args: Args, remarks: list[Remark]) -> None:
    if args.pop("method", "kernel") != "kernel":
        remarks.append(Remark("Sharpen: there is no method here, a kernel of 3 px is used."))
    for name in ("kernel_size", "sigma"):
        args.pop(name, None)


def _crop(args: Args, remarks: list[Remark]) -> None:
    names = ("pad_mode", "pad_cval", "pad_cval_mask", "pad_position", "border_mode", "fill", "fill_mask")
    for name in names:
        args.pop(name, None)
    if args.pop("pad_if_needed", False):
        remarks.append(Remark("A crop has no pad_if_needed here; put PadIfNeeded before it."))


_CHANGES: dict[str, Callable[[Args, list[Remark]], None]] = {
    "Affine": _affine,
    "CenterCrop": _crop,
    "CoarseDropout": _coarse_dropout,
    "Crop": _crop,
    "ElasticTransform": _elastic,
    "GaussNoise": _gauss_noise,
    "GaussianBlur": _gaussian_blur,
    "GridDropout": _grid_dropout,
    "Normalize": _normalize,
    "PadIfNeeded": _pad,
    "RandomCrop": _crop,
    "Rotate": _rotate,
    "Sharpen": _sharpen,
}
