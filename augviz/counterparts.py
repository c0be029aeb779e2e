"""Each drawn step as a transform of albumentations, the library for arrays, with the drawn values as its only possible ones.

albumentations is not needed to run this project; where it is not installed, this module cannot be imported. The same work with
the same values, but not always the same pixels: it rounds and interpolates by OpenCV. A step that it does otherwise is not in
the table; one that it does otherwise on some images only is refused as `equivalents.checked` says.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from augviz import equivalents
from augviz.errors import ArgumentError
from augviz.firing import Firing, crop_origin

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it would ask another host for a newer version
import albumentations as A  # noqa: N812

Array = Any
"""A numpy array of an image, (height, width, bands), one band included."""

Counterpart = Callable[[Firing], "tuple[Any, ...]"]
"""Transforms of albumentations that do together, one after the other, what a step drew."""


def _flip(firing: Firing) -> tuple[Any, ...]:
    both = {0: (A.VerticalFlip(p=1.0),), 1: (A.HorizontalFlip(p=1.0),)}
    return both.get(firing.params["d"], (A.HorizontalFlip(p=1.0), A.VerticalFlip(p=1.0)))


def _crop(firing: Firing) -> tuple[Any, ...]:
    x, y = (firing.transform.x_min, firing.transform.y_min) if firing.name == "Crop" else crop_origin(firing)
    return (A.Crop(x_min=x, y_min=y, x_max=x + firing.after.width, y_max=y + firing.after.height, p=1.0),)


def _resize(firing: Firing) -> tuple[Any, ...]:
    kind = equivalents.INTERPOLATIONS[str(firing.transform.interpolation)]
    size = {"height": firing.after.height, "width": firing.after.width}
    return (A.Resize(**size, interpolation=kind, area_for_downscale="image", p=1.0),)


def _affine(firing: Firing) -> tuple[Any, ...]:
    is_turn = firing.name == "Rotate"
    border = equivalents.BORDERS["background" if is_turn else str(firing.transform.mode)]
    value = firing.transform.value if is_turn else firing.transform.cval
    fill = equivalents.colour(value, firing.before.bands)[: firing.before.bands]
    warp = A.Affine(interpolation=equivalents.interpolation(firing), border_mode=border, fill=fill, p=1.0)
    drawn = {
        "matrix": np.vstack([equivalents.matrix_of(firing), (0.0, 0.0, 1.0)]),
        "output_shape": (firing.after.height, firing.after.width),
    }
    warp.get_params_dependent_on_data = lambda params, data: drawn  # its ranges cannot say every matrix
    return (warp,)


def _needs_8_bit(firing: Firing) -> None:
    if firing.before.format != "uchar":
        raise ArgumentError(f"{firing.name}: it is done with albumentations on 8-bit images only.")


def _brightness(firing: Firing) -> tuple[Any, ...]:
    _needs_8_bit(firing)
    alpha, beta, by_max = firing.params["alpha"], firing.params["beta"], firing.transform.brightness_by_max
    limits = {"brightness_limit": (beta, beta), "contrast_limit": (alpha - 1, alpha - 1)}
    return (A.RandomBrightnessContrast(**limits, brightness_by_max=by_max, p=1.0), _first_bands)


def _gamma(firing: Firing) -> tuple[Any, ...]:
    _needs_8_bit(firing)
    percent = 100 / firing.params["gamma"]  # libvips raises to the power of 1 / gamma, albumentations of gamma
    return (A.RandomGamma(gamma_limit=(percent, percent), p=1.0),)


def _hsv(firing: Firing) -> tuple[Any, ...]:
    _needs_8_bit(firing)
    of_256, saturation, value = (int(firing.params[name]) for name in ("hue_shift", "sat_shift", "val_shift"))
    hue = of_256 * 180 / 256  # of a circle in 180 parts
    limits = {
        "hue_shift_limit": (hue, hue),
        "sat_shift_limit": (saturation, saturation),
        "val_shift_limit": (value, value),
    }
    return (A.HueSaturationValue(**limits, p=1.0),)


def _noise(firing: Firing) -> tuple[Any, ...]:
    _needs_8_bit(firing)
    sigma, mean = firing.noise[0].get("sigma", 1.0), firing.noise[0].get("mean", 0.0)
    std, shift = 2 * sigma / 255, 2 * mean / 255  # the library adds its noise twice (D9)
    return (A.GaussNoise(std_range=(std, std), mean_range=(shift, shift), per_channel=len(firing.noise) > 1, p=1.0),)


def _blur(firing: Firing) -> tuple[Any, ...]:
    return (A.Blur(blur_limit=(firing.params["ksize"],) * 2, p=1.0),)


def _gaussian(firing: Firing) -> tuple[Any, ...]:
    sigma = firing.params["sigma"]
    return (A.GaussianBlur(blur_limit=0, sigma_limit=(sigma, sigma), p=1.0),)


def _median(firing: Firing) -> tuple[Any, ...]:
    return (A.MedianBlur(blur_limit=(firing.params["ksize"],) * 2, p=1.0),)


def _normalize(firing: Firing) -> tuple[Any, ...]:
    mean, std = tuple(firing.transform.mean), tuple(firing.transform.std)
    return (A.Normalize(mean=mean, std=std, max_pixel_value=1.0, p=1.0),)


def _first_bands(image: Array) -> dict[str, Array]:
    """The library drops what follows the third band when it changes the brightness of 8 bit."""
    return {"image": np.ascontiguousarray(image[..., :3])}


def _tensor(image: Array) -> dict[str, Array]:
    """ToTensorV2 without PyTorch: the same array, seen as (bands, height, width)."""
    return {"image": image.transpose(2, 0, 1)}


COUNTERPARTS: dict[str, Counterpart] = {
    "HorizontalFlip": lambda firing: (A.HorizontalFlip(p=1.0),),
    "VerticalFlip": lambda firing: (A.VerticalFlip(p=1.0),),
    "Flip": _flip,
    "Crop": _crop,
    "CenterCrop": _crop,
    "RandomCrop": _crop,
    "Resize": _resize,
    "RandomScale": _resize,
    "LongestMaxSize": _resize,
    "SmallestMaxSize": _resize,
    "Rotate": _affine,
    "Affine": _affine,
    "RandomBrightnessContrast": _brightness,
    "RandomGamma": _gamma,
    "HueSaturationValue": _hsv,
    "GaussNoise": _noise,
    "Blur": _blur,
    "GaussianBlur": _gaussian,
    "MedianBlur": _median,
    "Normalize": _normalize,
    "ToTensor": lambda firing: (_tensor,),
    "NoOp": lambda firing: (A.NoOp(p=1.0),),
}
"""What does the same work as each transform with the values that were drawn."""


def check_possible(firings: tuple[Firing, ...]) -> None:
    """Raises ArgumentError where albumentations has no transform that does what was drawn, naming all such steps."""
    names = [f"{firing.name} (step {firing.position})" for firing in firings if firing.name not in COUNTERPARTS]
    if names:
        raise ArgumentError(
            f"With albumentations this is not possible: it has no equivalent with the same values of {', '.join(names)}."
        )


def works(firings: tuple[Firing, ...]) -> tuple[tuple[str, Callable[[Array], Array]], ...]:
    """What each step does to an array, by its name.

    Raises ArgumentError as `check_possible`, and where albumentations does not take a value or such images.
    """
    check_possible(firings)
    found: list[tuple[str, Callable[[Array], Array]]] = []
    for firing in firings:
        try:
            made = COUNTERPARTS[firing.name](firing)
        except (ValueError, TypeError, KeyError) as error:
            raise _refused(firing.name, error) from error
        found.append((firing.name, functools.partial(_applied, made, firing)))
    return tuple(found)


def _applied(transforms: tuple[Any, ...], firing: Firing, array: Array) -> Array:
    try:
        for transform in transforms:
            array = transform(image=array)["image"]
        return equivalents.checked(array, firing)
    except (ValueError, TypeError, KeyError, equivalents.OpenCVError) as error:
        raise _refused(firing.name, error) from error


def _refused(name: str, error: Exception) -> ArgumentError:
    if isinstance(error, ArgumentError):
        return ArgumentError(f"With albumentations this is not possible: {error}")
    said = f"it does not know {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
    return ArgumentError(f"With albumentations this is not possible: {name}: {said}")
