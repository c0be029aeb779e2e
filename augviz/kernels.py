"""Convolutions at a scale: the kernel that was really used, its taps splatted at offset / s, its sum kept."""

from __future__ import annotations

import math

import numpy as np
import pyvips

from augviz.grids import Stage


def splat(taps: np.ndarray, sx: float, sy: float) -> np.ndarray:
    """A kernel for pixels `sx` x `sy` times as large: each tap spread linearly over its neighbours at offset / s.

    Args:
        taps: (rows, columns) float weights, origin at (columns // 2, rows // 2) as libvips has it.

    Returns:
        Odd-sided (rows, columns) float64 weights with the same sum.
    """
    rows, columns = taps.shape
    y = (np.arange(rows) - rows // 2) / sy
    x = (np.arange(columns) - columns // 2) / sx
    ry, rx = math.ceil(np.abs(y).max()), math.ceil(np.abs(x).max())
    across = np.clip(1 - np.abs(x[:, None] - np.arange(-rx, rx + 1)[None, :]), 0, None)
    down = np.clip(1 - np.abs(y[:, None] - np.arange(-ry, ry + 1)[None, :]), 0, None)
    return np.asarray(down.T @ taps @ across)


def _convolve(image: pyvips.Image, taps: np.ndarray) -> pyvips.Image:
    return image.conv(pyvips.Image.new_from_list(taps.tolist()), precision="float")


def cast_like(image: pyvips.Image, like: pyvips.Image) -> pyvips.Image:
    """`image` rounded to the format of `like`, as an integer convolution rounds."""
    return image if like.format in ("float", "double") else image.rint().cast(like.format)


def _blurred(image: pyvips.Image, taps: np.ndarray, stage: Stage) -> pyvips.Image:
    """One dense kernel; taken apart into a row and a column where it is a product of both."""
    image_float = image.cast("double" if image.format == "double" else "float")
    small = splat(taps, stage.before.sx, stage.before.sy)
    row, column = _factors(small)
    if row is not None and column is not None:
        return cast_like(_convolve(_convolve(image_float, row), column), image)
    return cast_like(_convolve(image_float, small), image)


def _factors(taps: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(1, n) and (m, 1) kernels whose product is `taps`, or None and None."""
    if min(taps.shape) < 2:
        return None, None
    u, values, v = np.linalg.svd(taps)
    if values[1] > 1e-9 * values[0]:
        return None, None
    return v[:1] * math.copysign(math.sqrt(values[0]), v[0].sum()), u[:, :1] * math.copysign(
        math.sqrt(values[0]), u[:, 0].sum()
    )


def box_blur(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    k = stage.params["ksize"]
    return _blurred(image, np.full((k, k), 1.0 / (k * k)), stage)


def kernel_blur(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """MotionBlur and AdvancedBlur."""
    kernel = stage.params["kernel"]
    if kernel.get("scale") == 0:  # drawn where `guard` is 0: at full size libvips divides by it
        raise stage.firing.error(
            "the drawn kernel sums to zero, and dividing by it ends the process at full size (D1)."
        )
    return _blurred(image, kernel.numpy().reshape(kernel.height, kernel.width) / kernel.get("scale"), stage)


def gaussian_blur(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """The kernel as libvips truncates and rounds it, which is far from a Gaussian at min_amplitude 0.2 (D19)."""
    sigma = stage.params["sigma"]
    if sigma < 0.2:  # libvips copies
        return image
    amplitude = stage.transform.min_amplitude
    if not 0 < amplitude <= 1:  # libvips drops the value and takes its default (D52)
        amplitude = 0.2
    mask = pyvips.Image.gaussmat(sigma, amplitude, separable=True, precision="integer")
    taps = mask.numpy().reshape(1, mask.width) / mask.get("scale")
    return _blurred(image, taps.T @ taps, stage)


def median_blur(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """Between two odd windows, what lies between them: medians have whole windows only."""
    size = stage.params["ksize"] / stage.before.s
    smaller = max(1, 2 * math.floor((size - 1) / 2) + 1)
    share = max(0.0, (size - smaller) / 2)
    inner = _median(image, smaller)
    if share == 0:
        return inner
    return cast_like(inner * (1 - share) + _median(image, smaller + 2) * share, image)


def _median(image: pyvips.Image, size: int) -> pyvips.Image:
    """The median of windows of an odd size that fit the image."""
    size = min(size, 2 * (min(image.width, image.height) // 2) - 1)
    return image if size < 3 else image.median(size)


def sharpen(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """Sharpen and Emboss: always 8 bit, always truncating (D17)."""
    kernel = stage.params["sharpening_matrix" if stage.firing.name == "Sharpen" else "emboss_matrix"]
    taps = splat(kernel.numpy().reshape(3, 3), stage.before.sx, stage.before.sy)
    return (_convolve(image.cast("float") / 255, taps) * 255).cast("uchar")
