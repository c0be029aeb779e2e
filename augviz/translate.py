"""What plain albumentations (1.3 to 2.0) means in albumentationsxl: other names, other arguments, other meanings.

A small table kept by hand; other meanings are in `differences`. It knows nothing of Python text: a call comes in as its name
and its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from augviz import catalog
from augviz.differences import Args, Remark, adapt
from augviz.model import ParamKind

XL, PLAIN = "albumentationsxl", "albumentations"


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
    adapt(name, taken, remarks)
    for ignored in sorted(_WITHOUT_EFFECT & set(taken) - {p.name for p in catalog.transform(name).params}):
        del taken[ignored]
    if "mask_interpolation" in taken and name != "Affine":
        del taken["mask_interpolation"]
        remarks.append(Remark(f"{name}: mask_interpolation is set aside, it concerns masks only.", False))
    return Taken(name, taken, tuple(remarks))


def take_group(name: str, args: Mapping[str, Any]) -> Taken:
    """A group of plain albumentations, which has the same names here; its steps are no part of `args`."""
    taken = dict(args)
    remarks: list[Remark] = []
    adapt(name, taken, remarks)
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
