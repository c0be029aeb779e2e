"""The scale rules: one firing of a full-size draw, applied to a view that is s times smaller.

Lengths in full-size pixels are divided by s; pixel centres map by x_view = (x_full + 0.5) / s - 0.5. Convolutions are in
`kernels`, geometry in `geometry`; colour, noise and dropout here. Their measured truth: `make fidelity`.
"""

from __future__ import annotations

import math

import numpy as np
import pyvips

from augviz import catalog, engine, geometry, kernels
from augviz.firing import Firing, by_mean, words
from augviz.grids import VIEW_TILE, Grid, Rule, Stage
from augviz.images import tile_cached


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


# --- Noise and elastic: the same statistics, not the same pixels. ---


SHRUNK_NOISE = 0.894
"""Shrinking white noise by s with lanczos3 leaves this much of sigma / s; the same from 1.3 to 16 (libvips 8.18)."""


def noise(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """sigma / s, as much as a shrink leaves of it; added twice, as the library does (D10).

    In 8 bit, full size cuts noise off at black and white and drops fractions, before anything is shrunk: dark pixels get
    lighter, and have less noise. The smaller noise of a view would not be cut off, so tables say what is left of it.
    """
    notes = stage.firing.noise
    left = SHRUNK_NOISE / stage.before.s if stage.is_final else 1 / stage.before.s
    is_8_bit = image.format == "uchar"
    planes = []
    for note in notes:
        sigma, mean = (1.0, 0.0) if is_8_bit else (note["sigma"] * left, note["mean"])
        options = {"sigma": sigma, "mean": mean, "seed": note["seed"]}
        planes.append(pyvips.Image.gaussnoise(image.width, image.height, **options))
    field = planes[0].bandjoin(planes[1:]) if len(planes) > 1 else planes[0]
    if not is_8_bit:
        return (image.cast("float") + field + field).cast(image.format)
    tables = np.stack([cut_noise(2 * note["sigma"], 2 * note["mean"]) for note in notes], axis=-1)
    means, deviations = (pyvips.Image.new_from_array(tables[which][None].astype(np.float32)) for which in (0, 1))
    return (image.maplut(means) + field * left * image.maplut(deviations)).rint().cast("uchar")


def cut_noise(sigma: float, mean: float) -> np.ndarray:
    """What normal noise makes of each 8-bit value, cut off at 0 and 255 and its fraction dropped.

    Args:
        sigma, mean: of the noise, in levels.

    Returns:
        (2, 256): means and standard deviations, in levels.
    """
    levels = np.arange(256)
    if sigma <= 0:
        return np.stack([np.clip(np.trunc(levels + mean), 0, 255), np.zeros(256)])
    steps = (np.arange(-255, 256) - mean) / (sigma * math.sqrt(2))
    below = np.array([0.5 * (1 + math.erf(step)) for step in steps])
    reached = 1 - below[levels[1:, None] - levels[None, :] + 255]  # (255, 256): chance of at least level 1 to 255
    first = reached.sum(axis=0)
    second = ((2 * levels[1:, None] - 1) * reached).sum(axis=0)
    return np.stack([first, np.sqrt(np.maximum(second - first**2, 0))])


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
    return tile_cached(image.mapim(places, interpolate=t.interpolation, background=t.value), VIEW_TILE)


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


COVERED_PIXELS = 4_000_000
"""Above this many view pixels, which only a later crop leaves anything of, coverage is made where it is asked for."""


def _share(holes: list[tuple[int, int, int, int]], grid: Grid) -> pyvips.Image:
    """`coverage` as an image; a large one is lazy, and where holes overlap it holds the last one's share."""
    if grid.width * grid.height <= COVERED_PIXELS:
        return pyvips.Image.new_from_array(coverage(holes, grid))
    share = pyvips.Image.black(grid.width, grid.height).cast("float")
    for x1, y1, x2, y2 in holes:
        left, across = _overlap(x1 / grid.sx, x2 / grid.sx, grid.width)
        top, down = _overlap(y1 / grid.sy, y2 / grid.sy, grid.height)
        row = pyvips.Image.new_from_array(across[None, :]).replicate(1, len(down))
        column = pyvips.Image.new_from_array(down[:, None]).replicate(len(across), 1)
        share = share.insert(row * column, left, top)
    return share


def _overlap(start: float, stop: float, count: int) -> tuple[int, np.ndarray]:
    """First pixel and covered share of each pixel of the interval [start, stop) in a row of `count` pixels."""
    first, last = max(0, math.floor(start)), min(count, math.ceil(stop))
    edges = np.arange(first, last + 1)
    shares = np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
    return first, np.clip(shares, 0, 1).astype(np.float32)


def dropout(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    fill = stage.transform.fill_value
    share = _share(stage.params["holes"], stage.before)
    # The fill is cast to the image's format, so it is clipped to what that can hold; a colour on one band makes bands.
    colour = (pyvips.Image.black(1, 1) + fill).cast(image.format)
    fills = colour.numpy().ravel().astype(float).tolist()
    bands = max(image.bands, len(fills))
    source = image.cast("float")
    if image.bands < bands:
        source = source.bandjoin([source] * (bands - image.bands))
    mixed = source * (1 - share) + share * fills
    return kernels.cast_like(mixed, image).cast(image.format).copy(interpretation=image.interpretation)


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("HorizontalFlip", "VerticalFlip", "Flip", "Transpose", "RandomRotate90", "NoOp", "ChannelDropout"), unchanged
    ),
    **dict.fromkeys(("HueSaturationValue", "RandomGamma", "Normalize", "ToDtype", "ToTensor"), unchanged),
    "HEDShift": stain,
    "RandomBrightnessContrast": brightness,
    "Blur": kernels.box_blur,
    "MotionBlur": kernels.kernel_blur,
    "AdvancedBlur": kernels.kernel_blur,
    "GaussianBlur": kernels.gaussian_blur,
    "MedianBlur": kernels.median_blur,
    "Sharpen": kernels.sharpen,
    "Emboss": kernels.sharpen,
    "GaussNoise": noise,
    "ElasticTransform": elastic,
    "CoarseDropout": dropout,
    "GridDropout": dropout,
    "Crop": geometry.crop,
    "CenterCrop": geometry.crop,
    "RandomCrop": geometry.crop,
    "CropOrPad": geometry.crop_or_pad,
    "PadIfNeeded": geometry.pad,
    "Resize": geometry.resize,
    "RandomScale": geometry.resize,
    "LongestMaxSize": geometry.resize,
    "SmallestMaxSize": geometry.resize,
    "Affine": geometry.affine,
    "Rotate": geometry.rotate,
}
"""How each transform is carried over to a smaller scale. A test finds every usable transform of the catalogue here."""


def saturates(firing: Firing) -> str:
    """The defect by which a step takes wider integers for 8 bit or for 0 to 1, "" if it does not.

    Nearly every pixel then ends at a limit, decided pixel by pixel at full size: no smaller view can show that to scale.
    """
    return catalog.EIGHT_BIT_ONLY.get(firing.name, "") if firing.before.format in catalog.WIDER_INTEGERS else ""


TURNING = frozenset({"Rotate", "Affine", "ElasticTransform"})
"""Steps whose output rows come from many input rows: between them and a shrink belongs a tile cache."""


def magnification(firing: Firing) -> float:
    """How much larger one step makes things, the larger factor of both axes; crops and pads only move the frame."""
    if RULES.get(firing.name) is geometry.resize:
        before, after = firing.before, firing.after
        return max(after.width / before.width, after.height / before.height)
    if firing.name == "Affine":
        return float(np.linalg.norm(firing.params["matrix"].params[:2, :2], ord=2)) or 1.0
    return 1.0


EXACT_MEAN_PIXELS = 4_000_000
"""Up to this many pixels a step by mean reads its whole input, as the library does; above, a view estimates the mean."""


def estimates_mean(firing: Firing) -> bool:
    """Whether a view of this firing is made with an estimated mean."""
    return by_mean(firing.transform) and firing.before.width * firing.before.height > EXACT_MEAN_PIXELS


def scaled(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """`image` after the firing at the view's scale. At full size on both sides it is the library's own code.

    Where full size is only what a view is worked at before it is shrunk, stains go by tables all the same.
    """
    is_library = stage.is_final or stage.firing.name != "HEDShift"
    if stage.before.is_full and stage.after.is_full and is_library and not estimates_mean(stage.firing):
        result = engine.replay(stage.firing, image)
        return tile_cached(result, VIEW_TILE) if stage.firing.name in TURNING else result
    try:
        return RULES[stage.firing.name](image, stage)
    except pyvips.Error as error:
        raise stage.firing.error(words(error)) from error
