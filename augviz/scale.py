"""The scale rules: one firing of a full-size draw, applied to a view that is s times smaller.

Lengths in full-size pixels are divided by s; pixel centres map by x_view = (x_full + 0.5) / s - 0.5. Rules and their
measured truth: docs/architecture.md and `make fidelity`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyvips

from augviz import engine
from augviz.engine import Firing
from augviz.images import tile_cached


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels of one stage of a view: `full_*` is its size in full-size pixels, `width` x `height` that in the view."""

    full_width: int
    full_height: int
    width: int
    height: int

    @property
    def sx(self) -> float:
        """Full-size pixels per view pixel, across."""
        return self.full_width / self.width

    @property
    def sy(self) -> float:
        """Full-size pixels per view pixel, down."""
        return self.full_height / self.height

    @property
    def s(self) -> float:
        """Full-size pixels per view pixel, the geometric mean of both axes."""
        return math.sqrt(self.sx * self.sy)

    @property
    def is_full(self) -> bool:
        return (self.full_width, self.full_height) == (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a rule works.

    Attributes:
        before, after: the grids around the firing.
        mean: tells the mean of what goes into the step at full size.
        is_final: whether these are the pixels that are shown, not some that are yet to be shrunk.
    """

    firing: Firing
    before: Grid
    after: Grid
    mean: Callable[[], float]
    is_final: bool

    @property
    def transform(self) -> Any:
        return self.firing.transform

    @property
    def params(self) -> dict[str, Any]:
        return self.firing.params


Rule = Callable[[pyvips.Image, Stage], pyvips.Image]


def unchanged(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """Point-wise transforms, flips and quarter turns: the library's own code on the smaller pixels."""
    return engine.replay(stage.firing, image)


def brightness(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """RandomBrightnessContrast; by mean, the mean is that of the whole image, estimated from a small view of it."""
    t = stage.transform
    if t.brightness_by_max or stage.params["beta"] == 0:
        return unchanged(image, stage)
    mean = stage.mean()
    alpha, beta = stage.params["alpha"], stage.params["beta"]
    if image.format == "uchar":
        table = (pyvips.Image.identity() * alpha + alpha * beta * mean).cast("uchar")
        return image.extract_band(0, n=3).maplut(table).copy(interpretation="srgb")
    shifted = image.cast("float") * alpha + beta * mean
    shifted = (shifted > 1.0).ifthenelse(1.0, shifted)
    return (shifted < 0.0).ifthenelse(0.0, shifted)


_RGB_FROM_HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Ruifrok and Johnston's stain vectors, as albumentationsxl 0.1.2 and scikit-image have them."""

_LOG_FLOOR = -math.log(1e-6)  # the library takes darker values for this dark
_STAIN_STEPS = 16_000.0  # steps of a unit of stain; 65535 of them hold more than any 8-bit colour has
_DARKEST = 1.2 * _LOG_FLOOR


def stain(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """HEDShift by tables for its logarithm and exponential: within one level of the library's, in a quarter of its time."""
    if image.format != "uchar" or image.bands != 3:
        return unchanged(image, stage)
    shift = np.array([stage.params[name] for name in ("h_shift", "e_shift", "d_shift")])
    levels = np.maximum(np.arange(256) / 255, 1e-6)
    to_stain = pyvips.Image.new_from_array((-np.log(levels) / _LOG_FLOOR).astype(np.float32)[None, :])
    unmix = np.linalg.inv(_RGB_FROM_HED).T * _STAIN_STEPS
    # The cast drops negative stains, as the library does (D16).
    stains = (image.maplut(to_stain).recomb(unmix.tolist()) + 0.5).cast("ushort")
    mix = -_LOG_FLOOR * _RGB_FROM_HED.T
    per_log = 65535 / _DARKEST
    index = stains.recomb((mix * per_log / _STAIN_STEPS).tolist()) + ((mix @ shift + _DARKEST) * per_log + 0.5).tolist()
    light = np.exp(np.arange(65536) / per_log - _DARKEST)
    to_level = pyvips.Image.new_from_array((np.clip(light, 0, 1) * 255).astype(np.uint8)[None, :])
    return index.cast("ushort").maplut(to_level).copy(interpretation=image.interpretation)


# --- Convolutions: the kernel that was really used, its taps splatted at offset / s, its sum kept. ---


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


def _cast_like(image: pyvips.Image, like: pyvips.Image) -> pyvips.Image:
    """`image` rounded to the format of `like`, as an integer convolution rounds."""
    return image if like.format in ("float", "double") else image.rint().cast(like.format)


def _blurred(image: pyvips.Image, taps: np.ndarray, stage: Stage) -> pyvips.Image:
    """One dense kernel; taken apart into a row and a column where it is a product of both."""
    image_float = image.cast("double" if image.format == "double" else "float")
    small = splat(taps, stage.before.sx, stage.before.sy)
    row, column = _factors(small)
    if row is not None and column is not None:
        return _cast_like(_convolve(_convolve(image_float, row), column), image)
    return _cast_like(_convolve(image_float, small), image)


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
    """The nearest odd window; below 3 there is nothing left of it."""
    size = 2 * round((stage.params["ksize"] / stage.before.s - 1) / 2) + 1
    return image if size < 3 else image.median(min(size, 2 * (min(image.width, image.height) // 2) - 1))


def sharpen(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """Sharpen and Emboss: always 8 bit, always truncating (D17)."""
    kernel = stage.params["sharpening_matrix" if stage.firing.name == "Sharpen" else "emboss_matrix"]
    taps = splat(kernel.numpy().reshape(3, 3), stage.before.sx, stage.before.sy)
    return (_convolve(image.cast("float") / 255, taps) * 255).cast("uchar")


# --- Noise and elastic: the same statistics, not the same pixels. ---


SHRUNK_NOISE = 0.894
"""Shrinking white noise by s with lanczos3 leaves this much of sigma / s; the same from 1.3 to 16 (libvips 8.18)."""


def noise(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """sigma / s, as much as a shrink leaves of it; added twice, as the library does (D10)."""
    planes = []
    left = SHRUNK_NOISE / stage.before.s if stage.is_final else 1 / stage.before.s
    for note in stage.firing.noise:
        options = {"sigma": note["sigma"] * left, "mean": note["mean"], "seed": note["seed"]}
        planes.append(pyvips.Image.gaussnoise(image.width, image.height, **options))
    field = planes[0].bandjoin(planes[1:]) if len(planes) > 1 else planes[0]
    return (image.cast("float") + field + field).cast(image.format)


def _energy(sigma: float) -> float:
    """Standard deviation that libvips' Gaussian of `sigma` leaves of white noise of 1."""
    if sigma < 0.2:
        return 1.0
    mask = pyvips.Image.gaussmat(sigma, 0.2, separable=True, precision="integer")
    taps = mask.numpy().ravel() / mask.get("scale")
    return float((taps**2).sum())


def elastic(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """A displacement field of the same roughness, strength and mean; the library's y field is in degrees (D27)."""
    t, s = stage.transform, stage.before.s
    sigma = t.sigma / s
    gain = t.alpha * _energy(t.sigma) / (_energy(sigma) * s)
    seeds = [note["seed"] for note in stage.firing.noise]
    z1, z2 = (pyvips.Image.gaussnoise(image.width, image.height, sigma=1.0, mean=0.0, seed=seed) for seed in seeds)
    dx = 2 * (-(z1 * z1 + z2 * z2) / 2).exp() - 1
    dy = 2 * (z1 / z2).atan()
    across, down = (field.gaussblur(sigma) if sigma >= 0.2 else field for field in (dx, dy))
    moved = (across * gain).bandjoin(down * gain - t.alpha / s)
    places = pyvips.Image.xyz(image.width, image.height) + moved
    return tile_cached(image.mapim(places, interpolate=t.interpolation, background=t.value))


# --- Dropout: each view pixel is blended by the area that the full-size holes cover of it. ---


def coverage(holes: list[tuple[int, int, int, int]], grid: Grid) -> np.ndarray:
    """Share of each view pixel that `holes` (x1, y1, x2, y2 in full-size pixels) cover: (height, width) float32, 0 to 1."""
    covered = np.zeros((grid.height, grid.width), np.float32)
    for x1, y1, x2, y2 in holes:
        left, across = _overlap(x1 / grid.sx, x2 / grid.sx, grid.width)
        top, down = _overlap(y1 / grid.sy, y2 / grid.sy, grid.height)
        part = covered[top : top + len(down), left : left + len(across)]
        hole = down[:, None] * across[None, :]
        part += hole - part * hole  # independent holes overlap by chance
    return covered


def _overlap(start: float, stop: float, count: int) -> tuple[int, np.ndarray]:
    """First pixel and covered share of each pixel of the interval [start, stop) in a row of `count` pixels."""
    first, last = max(0, math.floor(start)), min(count, math.ceil(stop))
    edges = np.arange(first, last + 1)
    shares = np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
    return first, np.clip(shares, 0, 1).astype(np.float32)


def dropout(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    fill = stage.transform.fill_value
    share = pyvips.Image.new_from_array(coverage(stage.params["holes"], stage.before))
    # The fill is cast to the image's format, so it is clipped to what that can hold; a colour on one band makes bands.
    colour = (pyvips.Image.black(1, 1) + fill).cast(image.format)
    fills = colour.numpy().ravel().astype(float).tolist()
    bands = max(image.bands, len(fills))
    source = image.cast("float")
    if image.bands < bands:
        source = source.bandjoin([source] * (bands - image.bands))
    mixed = source * (1 - share) + share * fills
    return _cast_like(mixed, image).cast(image.format).copy(interpretation=image.interpretation)


# --- Geometry: one affine map between the two grids. ---


def _mapped(
    image: pyvips.Image,
    linear: np.ndarray,
    shift: np.ndarray,
    stage: Stage,
    *,
    extend: str = "background",
    background: Any = 0,
    interpolate: Any = None,
) -> pyvips.Image:
    """full_out = linear @ full_in + shift, carried over to the view's grids.

    Away from full size the interpolation is bicubic: what the full-size one does to single pixels is below the view's
    resolution, and bilinear would blur the view.
    """
    si, so = (np.array([g.sx, g.sy]) for g in (stage.before, stage.after))
    inner = linear * si[None, :] / so[:, None]
    offset = (linear @ ((si - 1) / 2) + shift - (so - 1) / 2) / so
    if interpolate is None or stage.before.s >= 2:
        interpolate = pyvips.Interpolate.new("bicubic")
    moved = image.affine(
        inner.ravel().tolist(),
        odx=float(offset[0]),
        ody=float(offset[1]),
        oarea=[0, 0, stage.after.width, stage.after.height],
        extend=extend,
        background=background,
        interpolate=interpolate,
    )
    return tile_cached(moved)


def _cropped(image: pyvips.Image, x: float, y: float, stage: Stage, **fill: Any) -> pyvips.Image:
    """The rectangle whose top left full-size pixel is (x, y); negative where it pads."""
    return _mapped(image, np.eye(2), np.array([-x, -y], float), stage, **fill)


def crop(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    t = stage.transform
    x, y = (t.x_min, t.y_min) if stage.firing.name == "Crop" else engine.crop_origin(stage.firing)
    return _cropped(image, x, y, stage)


_GRAVITY = {"west": (0, 1), "north": (1, 0), "east": (2, 1), "south": (1, 2), "centre": (1, 1)}
_GRAVITY |= {"north-west": (0, 0), "north-east": (2, 0), "south-west": (0, 2), "south-east": (2, 2)}


def _gravity(direction: str, stage: Stage) -> tuple[int, int]:
    """Where libvips' gravity puts the input's top left pixel in the output."""
    across, down = _GRAVITY[direction]
    dx = stage.after.full_width - stage.before.full_width
    dy = stage.after.full_height - stage.before.full_height
    return (0, int(dx / 2), dx)[across], (0, int(dy / 2), dy)[down]


def crop_or_pad(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    x, y = _gravity(stage.transform.direction, stage)
    return _cropped(image, -x, -y, stage, background=[255, 255, 255])


def pad(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    t = stage.transform
    x, y = _gravity(t.position.value, stage)
    mode = _extend(t.border_mode)
    if mode not in ("copy", "repeat", "mirror"):
        return _cropped(image, -x, -y, stage, background=t.value, extend=mode)
    # An affine map extends by the few pixels that interpolation needs, so the border is made first.
    mx = math.ceil((stage.after.full_width - stage.before.full_width) / stage.before.sx) + 2
    my = math.ceil((stage.after.full_height - stage.before.full_height) / stage.before.sy) + 2
    wide = image.embed(mx, my, image.width + 2 * mx, image.height + 2 * my, extend=mode)
    b = stage.before
    grid = Grid(round(wide.width * b.sx), round(wide.height * b.sy), wide.width, wide.height)
    return _cropped(wide, mx * b.sx - x, my * b.sy - y, replace(stage, before=grid))


def _extend(mode: Any) -> str:
    names = ("black", "copy", "repeat", "mirror", "white", "background")
    return names[mode] if isinstance(mode, int) else str(mode)


def resize(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """Straight to the new grid: the full-size resampling kernel is finer than the view's pixels."""
    before, after = stage.before, stage.after
    if (image.width, image.height) != (after.width, after.height):
        image = image.resize(after.width / image.width, vscale=after.height / image.height, kernel="lanczos3")
    # libvips 8.18: enlarging with any kernel but nearest moves the picture by half an output pixel (D31).
    moves = stage.transform.interpolation != "nearest"
    dx = 0.5 / after.sx if moves and after.full_width > before.full_width else 0.0
    dy = 0.5 / after.sy if moves and after.full_height > before.full_height else 0.0
    if max(dx, dy) == 0:
        return image
    interpolate = pyvips.Interpolate.new("bicubic")
    area = [0, 0, after.width, after.height]
    moved = image.affine([1, 0, 0, 1], odx=dx, ody=dy, oarea=area, extend="copy", interpolate=interpolate)
    return tile_cached(moved)


def affine(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    t, matrix = stage.transform, stage.params["matrix"].params
    if np.allclose(matrix, np.eye(3), rtol=1e-5, atol=1e-8) and stage.before == stage.after:
        return image
    return _mapped(
        image,
        matrix[:2, :2],
        matrix[:2, 2],
        stage,
        extend=_extend(t.mode),
        background=t.cval,
        interpolate=t.interpolation,
    )


def rotate(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """libvips grows the canvas to hold the turned image; its place follows from a header-only run at full size."""
    t, params = stage.transform, stage.params
    angle = params["angle"]
    canvas = pyvips.Image.black(stage.before.full_width, stage.before.full_height).similarity(angle=angle)
    turn = math.radians(angle)
    linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = np.array([canvas.xoffset, canvas.yoffset], float)
    if t.crop_border:
        shift -= [params["x_min"], params["y_min"]]
    return _mapped(image, linear, shift, stage, background=t.value, interpolate=t.interpolation)


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("HorizontalFlip", "VerticalFlip", "Flip", "Transpose", "RandomRotate90", "NoOp", "ChannelDropout"), unchanged
    ),
    **dict.fromkeys(("HueSaturationValue", "RandomGamma", "Normalize", "ToDtype", "ToTensor"), unchanged),
    "HEDShift": stain,
    "RandomBrightnessContrast": brightness,
    "Blur": box_blur,
    "MotionBlur": kernel_blur,
    "AdvancedBlur": kernel_blur,
    "GaussianBlur": gaussian_blur,
    "MedianBlur": median_blur,
    "Sharpen": sharpen,
    "Emboss": sharpen,
    "GaussNoise": noise,
    "ElasticTransform": elastic,
    "CoarseDropout": dropout,
    "GridDropout": dropout,
    "Crop": crop,
    "CenterCrop": crop,
    "RandomCrop": crop,
    "CropOrPad": crop_or_pad,
    "PadIfNeeded": pad,
    "Resize": resize,
    "RandomScale": resize,
    "LongestMaxSize": resize,
    "SmallestMaxSize": resize,
    "Affine": affine,
    "Rotate": rotate,
}
"""How each transform is carried over to a smaller scale. A test finds every usable transform of the catalogue here."""


_EIGHT_BIT = {
    "RandomBrightnessContrast": "D13",
    "HueSaturationValue": "D14",
    "HEDShift": "D16",
    "Sharpen": "D17",
    "Emboss": "D17",
}


def saturates(firing: Firing) -> str:
    """The defect by which a step takes wider integers for 8 bit or for 0 to 1, "" if it does not.

    Nearly every pixel then ends at a limit, decided pixel by pixel at full size: no smaller view can show that to scale.
    """
    return _EIGHT_BIT.get(firing.name, "") if firing.before.format in ("ushort", "short", "uint", "int") else ""


TURNING = frozenset({"Rotate", "Affine", "ElasticTransform"})
"""Steps whose output rows come from many input rows: between them and a shrink belongs a tile cache."""


def magnification(firing: Firing) -> float:
    """How much larger one step makes things, the larger factor of both axes; crops and pads only move the frame."""
    if RULES.get(firing.name) is resize:
        before, after = firing.before, firing.after
        return max(after.width / before.width, after.height / before.height)
    if firing.name == "Affine":
        return float(np.linalg.norm(firing.params["matrix"].params[:2, :2], ord=2)) or 1.0
    return 1.0


EXACT_MEAN_PIXELS = 4_000_000
"""Up to this many pixels a step by mean reads its whole input, as the library does; above, a view estimates the mean."""


def estimates_mean(firing: Firing) -> bool:
    """Whether a view of this firing is made with an estimated mean."""
    return engine.by_mean(firing.transform) and firing.before.width * firing.before.height > EXACT_MEAN_PIXELS


def scaled(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """`image` after the firing at the view's scale. At full size on both sides it is the library's own code.

    Where full size is only what a view is worked at before it is shrunk, stains go by tables all the same.
    """
    is_library = stage.is_final or stage.firing.name != "HEDShift"
    if stage.before.is_full and stage.after.is_full and is_library and not estimates_mean(stage.firing):
        result = engine.replay(stage.firing, image)
        return tile_cached(result) if stage.firing.name in TURNING else result
    try:
        return RULES[stage.firing.name](image, stage)
    except pyvips.Error as error:
        raise stage.firing.error(engine.words(error)) from error
