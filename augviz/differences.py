"""What single transforms and groups of plain albumentations do differently in albumentationsxl under the same name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Args = dict[str, Any]
"""Arguments by name; sequences are lists or tuples, constants of OpenCV their numbers."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence for the user; `lost` if what is taken does something else than what was written."""

    text: str
    lost: bool = True


_MEANINGS: dict[str, str] = {
    "ElasticTransform": "here it moves almost only up and down, and everything by about alpha pixels downwards (D27)",
    "HueSaturationValue": "here 255 is the full circle of the hue, not 180, and the hue is clipped (D14)",
    "RandomGamma": "here the exponent is inverted, v ** (100 / gamma) (D11); give 10000 / gamma for the same",
    "RandomRotate90": "here it raises in a quarter of its draws and turns another way (D5)",
    "Rotate": "here the canvas grows to hold the whole image, positive angles turn clockwise (D23, D24)",
    "Transpose": "here it rotates by 90 degrees counter-clockwise (D26)",
}
"""What the same name and arguments do differently, whatever was given."""

_POSITION_NAMES = {
    "center": "centre",
    "top_left": "north-west",
    "top_right": "north-east",
    "bottom_left": "south-west",
    "bottom_right": "south-east",
}


def adapt(name: str, args: Args, remarks: list[Remark]) -> None:
    """Change the arguments of a call to those that do the same here, and remark what they do differently all the same.

    Args:
        name: of a transform or a group that both libraries have.
        args: those of albumentations under their names here; changed in place.
        remarks: are added to.
    """
    if name in _CHANGES:
        _CHANGES[name](args, remarks)
    if name in _MEANINGS:
        remarks.append(Remark(f"{name}: {_MEANINGS[name]}."))


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


def _some_of(args: Args, remarks: list[Remark]) -> None:
    args.setdefault("n", 1)
    if "replace" not in args:
        remarks.append(Remark("SomeOf: replace is on by default here, and off in albumentations from 1.4 on."))


def _sequential(args: Args, remarks: list[Remark]) -> None:
    p = args.get("p", 0.5)
    if not (_is_number(p) and p >= 1):
        remarks.append(Remark("Sequential: its p is ignored here (D51), and counts in albumentations from 1.4 on."))


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
    "Sequential": _sequential,
    "Sharpen": _sharpen,
    "SomeOf": _some_of,
}
