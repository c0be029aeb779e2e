"""How true the views are: each against the shrunk full-size result of the same draw, in decibels."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from augviz import catalog, engine, view
from augviz.errors import AugvizError
from augviz.images import open_image
from augviz.model import QUALITIES, XY, Header, ImageFacts, ParamKind, ParamSpec, Pipeline, Step, Truth, Value

LIMIT_DB = 34.0
"""What a view must reach, fine and at s = 16, to be called "to scale"."""

LEAST_DB = {"fine": 36.0, "precise": 40.0}
MEDIAN_DB = {"fine": 42.0, "precise": 46.0}
"""What each deterministic transform, and half of them, reach at s = 16 in a view of `VIEW_SIDE` pixels."""

MOST_DEVIATION = 0.05
"""How far mean and standard deviation of a statistical view may be from those of the full-size result, as a share."""

VIEW_SIDE = 1024
"""Side in pixels of the views that are measured for: a view of a smaller image is worked no finer than one of this size."""

EXACT_DB = math.inf


@dataclass(frozen=True, slots=True)
class Row:
    """One pipeline at one scale. Decibels; None where the naive way raises or gives another size.

    Attributes:
        naive: the pipeline run unchanged on the shrunk image, as other tools do.
    """

    label: str
    s: float
    naive: float | None
    quick: float
    fine: float
    precise: float

    def of(self, quality: str) -> float:
        """The decibels of one quality."""
        return {"quick": self.quick, "fine": self.fine, "precise": self.precise}[quality]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near the statistics of a view at one scale are to those of the shrunk full-size result; see `deviation`."""

    label: str
    s: float
    fine: float
    precise: float


def mosaic(paths: list[Path], side: int) -> pyvips.Image:
    """A square of real photographs at their own sharpness, 512 pixels each, mirrored in turn: uchar RGB in memory."""
    tiles = []
    for path in paths:
        image = open_image(str(path)).extract_band(0, n=3)
        tiles += [image.crop(x, y, 512, 512) for y in _starts(image.height) for x in _starts(image.width)]
    across = side // 512
    placed = []
    for number in range(across * across):
        tile = tiles[(number * 7 + number // across) % len(tiles)]
        placed.append(tile.fliphor() if number % 2 else tile)
    return pyvips.Image.arrayjoin(placed, across=across).copy(interpretation="srgb").copy_memory()


def _starts(side: int) -> range:
    return range(0, side - 511, 512)


def psnr(image: pyvips.Image, reference: pyvips.Image) -> float:
    """Peak signal-to-noise ratio in dB. The peak is 255 for 8 bit and the reference's own range for everything else."""
    error = float(((image.cast("double") - reference.cast("double")) ** 2).avg())
    if error == 0:
        return EXACT_DB
    peak = 255.0 if reference.format == "uchar" else reference.max() - reference.min()
    return 10 * math.log10(peak**2 / error) if peak > 0 else -math.inf


def shrinker(image: pyvips.Image) -> view.Base:
    """A base for an image in memory."""

    def base(width: int, height: int) -> pyvips.Image:
        return view.shrunk(image, width, height).copy_memory()

    return base


def measure(
    image: pyvips.Image,
    pipeline: Pipeline,
    seed: int,
    scales: tuple[float, ...],
    label: str,
    qualities: tuple[str, ...] = QUALITIES,
) -> list[Row]:
    """One row for each scale. Raises StepError where the full-size result itself fails.

    Args:
        qualities: those that are measured; the decibels of others are not a number.
    """
    drawn = engine.draw(engine.header(image), pipeline, seed)
    full = engine.apply(image, pipeline, seed).image.copy_memory()
    rows = []
    for s in scales:
        shown = {quality: shown_at(image, drawn, s, quality) for quality in qualities}
        reference = view.shrunk(full, *_size(next(iter(shown.values()))))
        decibels = {quality: psnr(seen, reference) for quality, seen in shown.items()}
        naive = _naive(image, pipeline, seed, s, reference) if qualities == QUALITIES else None
        rows.append(Row(label, s, naive, *(decibels.get(quality, math.nan) for quality in QUALITIES)))
    return rows


def shown_at(image: pyvips.Image, drawn: engine.Drawn, s: float, quality: str) -> pyvips.Image:
    """A view in memory, worked as fine as one of `VIEW_SIDE` pixels would be."""
    finer = view.supersampling(drawn, drawn.firings, s, quality, VIEW_SIDE)
    return view.whole(shrinker(image), drawn, s, quality, finer=finer).image.copy_memory()


def likeness(
    image: pyvips.Image, pipeline: Pipeline, seed: int, scales: tuple[float, ...], label: str
) -> list[Likeness]:
    """How like the statistics are where the pixels cannot be. Raises StepError where the full-size result itself fails."""
    drawn = engine.draw(engine.header(image), pipeline, seed)
    full = engine.apply(image, pipeline, seed).image.copy_memory()
    found = []
    for s in scales:
        fine, precise = (shown_at(image, drawn, s, quality) for quality in ("fine", "precise"))
        reference = view.shrunk(full, *_size(fine))
        found.append(Likeness(label, s, deviation(fine, reference), deviation(precise, reference)))
    return found


def deviation(image: pyvips.Image, reference: pyvips.Image) -> float:
    """The largest difference of a band's mean or standard deviation, as a share of the reference's; 0 where all agree."""
    found, expected = statistics(image), statistics(reference)
    shares = np.abs(found - expected) / np.where(expected == 0, 1.0, np.abs(expected))
    return float(shares.max())


def _size(image: pyvips.Image) -> tuple[int, int]:
    return image.width, image.height


def _naive(image: pyvips.Image, pipeline: Pipeline, seed: int, s: float, reference: pyvips.Image) -> float | None:
    """The whole pipeline on the thumbnail, unscaled."""
    small = view.shrunk(image, round(image.width / s), round(image.height / s)).copy_memory()
    try:
        result = engine.apply(small, pipeline, seed).image.copy_memory()
    except (AugvizError, pyvips.Error):
        return None
    if (result.width, result.height, result.bands) != (reference.width, reference.height, reference.bands):
        return None
    return psnr(result, reference)


def deterministic() -> tuple[str, ...]:
    """The transforms that work and whose views are pixels, not statistics."""
    pixels = (Truth.EXACT, Truth.TO_SCALE)
    return tuple(n for n, spec in catalog.TRANSFORMS.items() if not spec.unusable and spec.truth in pixels)


def statistical() -> tuple[str, ...]:
    """The transforms whose views have the same statistics, and other pixels."""
    return tuple(n for n, spec in catalog.TRANSFORMS.items() if not spec.unusable and spec.truth is Truth.STATISTICAL)


def cases(shape: Header) -> Iterator[tuple[str, Step]]:
    """Every usable transform at the editor's arguments for an image of that shape, and telling variants of some."""
    facts = facts_of(shape)
    for name, spec in catalog.TRANSFORMS.items():
        if not spec.unusable:
            yield name, catalog.initial_step(name, "0", facts)
    for name, args in _variants(shape):
        step = Step("0", name, tuple(args.items()))
        text = ", ".join(f"{k}={_text(v)}" for k, v in args.items())
        yield f"{name}({text})", step


def _text(value: Value) -> str:
    return f"{{x: {value.x}, y: {value.y}}}" if isinstance(value, XY) else str(value)


def _variants(shape: Header) -> list[tuple[str, dict[str, Value]]]:
    w, h = shape.width, shape.height
    return [
        ("RandomBrightnessContrast", {"brightness_by_max": False}),
        ("GaussianBlur", {"sigma_limit": (2.0, 2.0)}),
        ("GaussianBlur", {"sigma_limit": (10.0, 10.0)}),
        ("GaussianBlur", {"sigma_limit": (40.0, 40.0)}),
        ("Blur", {"blur_limit": (31, 31)}),
        ("MedianBlur", {"blur_limit": (21, 21)}),
        ("MotionBlur", {"blur_limit": (41, 41)}),
        (
            "AdvancedBlur",
            {"blur_limit": (31, 31), "sigmaX_limit": (8, 8), "sigmaY_limit": (4, 4), "noise_limit": (0.9, 1.0)},
        ),
        ("GaussNoise", {"var_limit": (1000.0, 1000.0)}),
        ("ElasticTransform", {"alpha": 20.0, "sigma": 20.0}),
        ("CoarseDropout", {"max_height": h // 14, "max_width": w // 14, "fill_value": (255, 0, 0)}),
        ("CoarseDropout", {"max_holes": 64}),
        ("RandomCrop", {"height": h // 2 + 1, "width": w // 3 + 1}),
        ("CropOrPad", {"height": h + 901, "width": w + 301, "direction": "north-west"}),
        ("PadIfNeeded", {"min_height": h + 801, "min_width": w + 401, "value": 0}),
        ("PadIfNeeded", {"min_height": h + 801, "min_width": w + 401, "value": 0, "border_mode": "mirror"}),
        ("Resize", {"height": h // 4, "width": 3 * w // 4}),
        ("RandomScale", {"scale_limit": (0.7, 0.7)}),
        ("LongestMaxSize", {"max_size": 3 * max(w, h) // 4, "interpolation": "nearest"}),
        ("Affine", {"translate_px": XY((200, 200), (-77, -77))}),
        ("Affine", {"rotate": (20, 20), "fit_output": True, "cval": 0}),
        ("Affine", {"scale": (2.2, 2.2)}),
        ("Affine", {"scale": (0.4, 0.4), "interpolation": "nearest"}),
        ("Rotate", {"limit": (20, 20)}),
        ("Rotate", {"limit": (20, 20), "crop_border": True}),
        ("Rotate", {"limit": (70, 70), "interpolation": "nearest"}),
    ]


def facts_of(shape: Header) -> ImageFacts:
    """Facts of an image in memory, for the catalogue's rules."""
    sizes = ((shape.width, shape.height),)
    return ImageFacts("in memory", "", shape, 1, 1, sizes, 1, None, True, None, None, 0, "")


def generated(count: int, shape: Header, draw_seed: int) -> Iterator[tuple[str, Pipeline]]:
    """Pipelines of 3 to 5 deterministic steps with arguments from the catalogue's bounds, which the library can draw."""
    rng = random.Random(0)
    names = [n for n in deterministic() if n not in ("ToTensor", "NoOp")]
    made = 0
    while made < count:
        chosen = rng.sample(names, rng.randint(3, 5))
        steps = []
        for number, name in enumerate(chosen):
            step = _varied(catalog.initial_step(name, str(number), facts_of(shape)), rng)
            steps.append(step)
        pipeline = Pipeline(tuple(steps))
        try:
            result = engine.draw(shape, pipeline, draw_seed).draw.result
        except AugvizError:
            continue
        if min(result.width, result.height) >= 256 and max(result.width, result.height) <= 3 * max(
            shape.width, shape.height
        ):
            made += 1
            yield " > ".join(chosen), pipeline


def _varied(step: Step, rng: random.Random) -> Step:
    """The step applied always, with some of its numbers moved; unchanged where the move breaks a rule."""
    spec = catalog.transform(step.transform)
    step = Step(step.id, step.transform, step.args, 1.0)
    for param in spec.params:
        value = _moved(param, catalog.resolved_args(step).get(param.name), rng)
        if value is None:
            continue
        changed = step.with_args(**{param.name: value})
        if not catalog.problems(changed):
            step = changed
    return step


def _moved(param: ParamSpec, value: Value, rng: random.Random) -> Value:
    if rng.random() < 0.5:
        return None
    if param.kind is ParamKind.RANGE and isinstance(value, tuple):
        low, high = (float(v) for v in value if isinstance(v, int | float))
        centre, span = rng.uniform(low, high), (high - low) * rng.uniform(0, 1.0)
        return (round(centre - span / 2, 3), round(centre + span / 2, 3))
    if param.kind is ParamKind.ODD_RANGE:
        size = rng.choice((3, 5, 7, 9, 15, 21))
        return (size, size)
    if param.kind in (ParamKind.CHOICE, ParamKind.INTERPOLATE) and param.name != "dtype":
        return rng.choice(param.choices)
    return None


def statistics(image: pyvips.Image) -> np.ndarray:
    """Mean and standard deviation of each band, (bands, 2): what statistical views must agree in."""
    table = image.stats().numpy()
    return np.asarray(table.reshape(table.shape[0], -1)[1:, 4:6])
