"""Each transform by numpy and OpenCV on an array: what a user does without pyvips.

The same work with the same drawn values, but not the same pixels: OpenCV rounds, interpolates and blurs in its own ways. What
has no equivalent is not in the table; what has none for some images only is refused by `checked`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from skimage.color import hed_from_rgb, rgb_from_hed

from augviz.errors import ArgumentError
from augviz.firing import Firing, crop_origin
from augviz.model import DTYPES, Header

Array = Any
"""A numpy array of an image, (height, width, bands), one band included."""

Equivalent = Callable[[Array, Firing], Array]

OpenCVError = cv2.error

LONGEST_SIDE = 32766
"""OpenCV's warps hold coordinates in 16 bits."""

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "bilinear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos3": cv2.INTER_LANCZOS4,
}
BORDERS = {
    "background": cv2.BORDER_CONSTANT,
    "black": cv2.BORDER_CONSTANT,
    "white": cv2.BORDER_CONSTANT,
    "copy": cv2.BORDER_REPLICATE,
    "mirror": cv2.BORDER_REFLECT,
    "repeat": cv2.BORDER_WRAP,
}


def checked(array: Array, firing: Firing) -> Array:
    """`array`, with its one band, as what stands for a step. Raises ArgumentError where the library's result has another form.

    Args:
        array: (height, width, bands), or (height, width) of one band, as OpenCV leaves it; a tensor's (bands, height, width).
    """
    if array.ndim == 2:
        array = array[:, :, None]
    after = firing.after
    wanted: tuple[int, ...] = (after.height, after.width, after.bands)
    if firing.name == "ToTensor":
        wanted = (after.bands, after.height, after.width)
    dtype = np.dtype(DTYPES[after.format])
    if array.shape == wanted and array.dtype == dtype:
        return array
    before = _form(firing.before.bands, DTYPES[firing.before.format])
    found, library = _form(array.shape[-1], str(array.dtype)), _form(after.bands, str(dtype))
    if found == library:
        found, library = (" × ".join(map(str, shape)) for shape in (array.shape, wanted))
    raise ArgumentError(
        f"{firing.name} (step {firing.position}): it has no equivalent for {before}: the result would be {found}, where "
        f"the library gives {library}."
    )


def _form(bands: int, dtype: str) -> str:
    return f"{bands} {'band' if bands == 1 else 'bands'} of {dtype}"


# Geometry


def _hflip(array: Array, firing: Firing) -> Array:
    return cv2.flip(array, 1)


def _vflip(array: Array, firing: Firing) -> Array:
    return cv2.flip(array, 0)


def _flip(array: Array, firing: Firing) -> Array:
    return cv2.flip(array, firing.params["d"])


def _transpose(array: Array, firing: Firing) -> Array:
    return cv2.rotate(array, cv2.ROTATE_90_COUNTERCLOCKWISE)  # what the library calls so


def _quarter_turns(array: Array, firing: Firing) -> Array:
    turns = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return cv2.rotate(array, turns[firing.params["factor"]])


def _crop(array: Array, firing: Firing) -> Array:
    x, y = (firing.transform.x_min, firing.transform.y_min) if firing.name == "Crop" else crop_origin(firing)
    part = array[y : y + firing.after.height, x : x + firing.after.width]
    return part.copy()  # or the whole image stays in memory for the sake of a part


def _placed(array: Array, left: int, top: int, shape: Header, border: int, value: Any) -> Array:
    """`array` in an image of the size of `shape`, at (left, top); what is outside is cropped off."""
    array = array[max(0, -top) :, max(0, -left) :]
    left, top = max(0, left), max(0, top)
    array = array[: shape.height - top, : shape.width - left]
    height, width = array.shape[:2]
    bottom, right = shape.height - height - top, shape.width - width - left
    return cv2.copyMakeBorder(array, top, bottom, left, right, border, value=colour(value, shape.bands))


def _gravity(array: Array, firing: Firing) -> Array:
    direction = getattr(firing.transform, "direction", None) or firing.transform.position.value
    border = BORDERS[str(getattr(firing.transform, "border_mode", "background"))]
    value = getattr(firing.transform, "value", 255)
    before, after = firing.before, firing.after
    across, down = after.width - before.width, after.height - before.height
    left = 0 if "west" in direction else across if "east" in direction else int(across / 2)
    top = 0 if "north" in direction else down if "south" in direction else int(down / 2)
    return _placed(array, left, top, after, border, value)


def _resize(array: Array, firing: Firing) -> Array:
    after, before = firing.after, firing.before
    kind = INTERPOLATIONS[str(firing.transform.interpolation)]
    shrinks = after.width * after.height < before.width * before.height
    return cv2.resize(array, (after.width, after.height), interpolation=cv2.INTER_AREA if shrinks and kind else kind)


def _rotate(array: Array, firing: Firing) -> Array:
    return _warped(array, matrix_of(firing), firing, cv2.BORDER_CONSTANT, firing.transform.value)


def _affine(array: Array, firing: Firing) -> Array:
    border = BORDERS[str(firing.transform.mode)]
    return _warped(array, matrix_of(firing), firing, border, firing.transform.cval)


def matrix_of(firing: Firing) -> Array:
    """What a drawn Rotate or Affine does with places, (2, 3), from the source to the result, by the centres of pixels."""
    if firing.name == "Affine":
        return firing.params["matrix"].params[:2]
    before, after = firing.before, firing.after
    middle = (before.width / 2 - 0.5, before.height / 2 - 0.5)
    matrix: Array = cv2.getRotationMatrix2D(middle, -firing.params["angle"], 1.0)
    matrix[:, 2] += (after.width - before.width) / 2, (after.height - before.height) / 2
    return matrix


def _warped(array: Array, matrix: Array, firing: Firing, border: int, value: Any) -> Array:
    if max(*array.shape[:2], firing.after.width, firing.after.height) > LONGEST_SIDE:
        raise ArgumentError(f"{firing.name}: OpenCV's warps take sides of at most {LONGEST_SIDE} pixels.")
    size, kind = (firing.after.width, firing.after.height), interpolation(firing)
    return cv2.warpAffine(array, matrix, size, flags=kind, borderMode=border, borderValue=colour(value, array.shape[2]))


def interpolation(firing: Firing) -> int:
    """OpenCV's number for how a drawn step interpolates, or for what comes nearest."""
    name = firing.step.get("interpolation", "bilinear")
    return INTERPOLATIONS.get(name, cv2.INTER_CUBIC)


def _elastic(array: Array, firing: Firing) -> Array:
    if max(array.shape[:2]) > LONGEST_SIDE:
        raise ArgumentError(f"{firing.name}: OpenCV's warps take sides of at most {LONGEST_SIDE} pixels.")
    height, width = array.shape[:2]
    random = np.random.default_rng(firing.noise[0]["seed"] if firing.noise else 0)
    maps = []
    for grid in (np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]):
        noise = random.random((height, width), dtype=np.float32) * 2 - 1
        shift = cv2.GaussianBlur(noise, (0, 0), firing.transform.sigma, dst=noise)
        shift *= firing.transform.alpha
        shift += grid
        maps.append(shift)
    value = colour(firing.transform.value, array.shape[2])
    return cv2.remap(array, maps[0], maps[1], interpolation(firing), borderMode=cv2.BORDER_CONSTANT, borderValue=value)


def colour(value: Any, bands: int) -> tuple[float, ...]:
    """A fill as OpenCV takes it: four numbers, whatever the image has."""
    if value is None:
        return (0.0,) * 4
    each = tuple(float(one) for one in value) if isinstance(value, list | tuple) else (float(value),) * bands
    return (each + each[-1:] * 4)[:4]


# Colours


def _table(array: Array, values: Array, firing: Firing) -> Array:
    """Each 8-bit value replaced by the table's, clipped."""
    if array.dtype != np.uint8:
        raise ArgumentError(f"{firing.name}: it is done in memory on 8-bit images only.")
    return cv2.LUT(array, np.clip(values, 0, 255).astype(np.uint8))


def _brightness(array: Array, firing: Firing) -> Array:
    alpha, beta = firing.params["alpha"], firing.params["beta"]
    by_max = firing.transform.brightness_by_max
    if array.dtype == np.uint8:
        offset = beta * 255 if by_max else alpha * beta * float(array.mean())
        table = np.arange(256) * alpha + offset
        return _table(
            np.ascontiguousarray(array[..., :3]), table, firing
        )  # the library drops what follows the third band
    result = array.astype(np.float32) * np.float32(alpha)
    most = 1.0 if array.dtype.kind == "f" else 65535  # which the library clips to 0 and 1 all the same
    result += np.float32(beta * most if by_max else beta * float(result.mean()))
    return np.clip(result, 0.0, 1.0, out=result)


def _gamma(array: Array, firing: Firing) -> Array:
    return _table(array, 255 * (np.arange(256) / 255) ** (1 / firing.params["gamma"]), firing)


def _hsv(array: Array, firing: Firing) -> Array:
    if array.dtype != np.uint8 or array.shape[2] != 3:
        raise ArgumentError(f"{firing.name}: it is done in memory on 8-bit RGB only.")
    planes = cv2.split(cv2.cvtColor(array, cv2.COLOR_RGB2HSV_FULL))
    shifts = [int(firing.params[name]) for name in ("hue_shift", "sat_shift", "val_shift")]
    moved = [_table(plane, np.arange(256) + shift, firing) for plane, shift in zip(planes, shifts, strict=True)]
    return cv2.cvtColor(cv2.merge(moved), cv2.COLOR_HSV2RGB_FULL)


def _hed(array: Array, firing: Firing) -> Array:
    if array.shape[2] != 3:
        raise ArgumentError(f"{firing.name}: it is done in memory on RGB only.")
    stains = array.astype(np.float32)
    stains /= 255
    np.maximum(stains, 1e-6, out=stains)
    np.log(stains, out=stains)
    stains /= np.float32(np.log(1e-6))
    stains = cv2.transform(stains, hed_from_rgb.T.astype(np.float32))
    np.maximum(stains, 0, out=stains)
    stains += np.array([firing.params[name] for name in ("h_shift", "e_shift", "d_shift")], np.float32)
    stains *= np.float32(np.log(1e-6))
    colours = cv2.transform(stains, rgb_from_hed.T.astype(np.float32))
    np.exp(colours, out=colours)
    np.clip(colours, 0, 1, out=colours)
    colours *= 255
    return colours.astype(np.uint8)


def _noise(array: Array, firing: Firing) -> Array:
    random = np.random.default_rng(firing.noise[0]["seed"])
    sigma, mean = firing.noise[0].get("sigma", 1.0), firing.noise[0].get("mean", 0.0)
    shape = array.shape if len(firing.noise) > 1 else (*array.shape[:2], 1)
    noise = random.standard_normal(shape, dtype=np.float32)
    noise *= np.float32(2 * sigma)  # the library adds its noise twice (D9)
    noise += np.float32(2 * mean)
    return _as(array + noise, array.dtype)


def _as(values: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max, out=values).astype(dtype)


# Neighbourhoods


def _blur(array: Array, firing: Firing) -> Array:
    return cv2.blur(array, (firing.params["ksize"],) * 2)


def _gaussian(array: Array, firing: Firing) -> Array:
    sigma = firing.params["sigma"]
    return cv2.GaussianBlur(array, (0, 0), sigma) if sigma > 0 else array.copy()


def _median(array: Array, firing: Firing) -> Array:
    ksize = firing.params["ksize"]
    if ksize > 5 and array.dtype != np.uint8:
        raise ArgumentError("MedianBlur: OpenCV's has kernels above 5 on 8-bit images only.")
    return cv2.medianBlur(array, ksize)


def _convolved(array: Array, firing: Firing) -> Array:
    names = ("kernel", "sharpening_matrix", "emboss_matrix")
    kernel = next(firing.params[name] for name in names if name in firing.params)
    scale = kernel.get("scale") if kernel.get_typeof("scale") else 1.0
    taps, to = kernel.numpy().astype(np.float32) / scale, np.dtype(DTYPES[firing.after.format])
    if array.dtype == to:
        return cv2.filter2D(array, -1, taps)
    return _as(
        cv2.filter2D(array.astype(np.float32), -1, taps), to
    )  # Sharpen and Emboss give 8 bit of whatever it was (D17)


# Holes, types


def _holes(array: Array, firing: Firing) -> Array:
    result = array.copy()
    for x1, y1, x2, y2 in firing.params["holes"]:
        result[y1:y2, x1:x2] = firing.params.get("fill_value", 0)
    return result


def _channels(array: Array, firing: Firing) -> Array:
    result = array.astype(DTYPES[firing.after.format])
    result[..., list(firing.params["channels_to_drop"])] = firing.transform.fill_value
    return result


def _normalize(array: Array, firing: Firing) -> Array:
    to = np.dtype(DTYPES[firing.after.format])
    mean, std = np.broadcast_arrays(*(np.asarray(each, to) for each in (firing.transform.mean, firing.transform.std)))
    result = np.subtract(array, mean, dtype=to)  # of one band with three means, the library makes three
    result /= std
    return result


def _dtype(array: Array, firing: Firing) -> Array:
    to = np.dtype(DTYPES[firing.after.format])
    if array.dtype == to:
        return array
    if to == np.uint8:
        return _as(array * 255 if firing.transform.scale else array.copy(), to)
    result = array.astype(to)
    return result / 255 if array.dtype == np.uint8 else result


def _same(array: Array, firing: Firing) -> Array:
    return array


def _tensor(array: Array, firing: Firing) -> Array:
    return array.transpose(2, 0, 1)


EQUIVALENTS: dict[str, Equivalent] = {
    "HorizontalFlip": _hflip,
    "VerticalFlip": _vflip,
    "Flip": _flip,
    "Transpose": _transpose,
    "RandomRotate90": _quarter_turns,
    "Crop": _crop,
    "CenterCrop": _crop,
    "RandomCrop": _crop,
    "CropOrPad": _gravity,
    "PadIfNeeded": _gravity,
    "Resize": _resize,
    "RandomScale": _resize,
    "LongestMaxSize": _resize,
    "SmallestMaxSize": _resize,
    "Rotate": _rotate,
    "Affine": _affine,
    "ElasticTransform": _elastic,
    "RandomBrightnessContrast": _brightness,
    "RandomGamma": _gamma,
    "HueSaturationValue": _hsv,
    "HEDShift": _hed,
    "GaussNoise": _noise,
    "Blur": _blur,
    "GaussianBlur": _gaussian,
    "MedianBlur": _median,
    "MotionBlur": _convolved,
    "AdvancedBlur": _convolved,
    "Sharpen": _convolved,
    "Emboss": _convolved,
    "CoarseDropout": _holes,
    "GridDropout": _holes,
    "ChannelDropout": _channels,
    "Normalize": _normalize,
    "ToDtype": _dtype,
    "ToTensor": _tensor,
    "NoOp": _same,
}
"""What does the same work as each transform, given the array and what was drawn."""
