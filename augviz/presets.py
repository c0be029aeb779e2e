"""The pipelines to begin with: the tutorial's, and one for each common kind of image."""

from __future__ import annotations

from dataclasses import dataclass

from augviz.catalog_rows import TUTORIAL_MEAN, TUTORIAL_STD
from augviz.model import XY, Group, Item, Pipeline, Step, Value


@dataclass(frozen=True, slots=True)
class Preset:
    """A named pipeline with one line on why it is as it is."""

    name: str
    rationale: str
    pipeline: Pipeline


def _step(id: str, transform: str, p: float | None = None, **args: Value) -> Step:
    return Step(id, transform, tuple(args.items()), p)


def _preset(name: str, rationale: str, *steps: Item) -> Preset:
    return Preset(name, rationale, Pipeline(steps))


FIRST = _preset(
    "Tutorial",
    "The library's tutorial as it stands: brightness, rotation, then normalised to a tensor (on 0 to 255, see D15).",
    _step("brightness", "RandomBrightnessContrast", 1.0),
    _step("rotate", "Rotate", 0.8),
    _step("normalize", "Normalize", mean=TUTORIAL_MEAN, std=TUTORIAL_STD),
    _step("tensor", "ToTensor"),
)
"""What the app starts with."""

_STAINED = _preset(
    "H&E slides",
    "Tissue has no up or down and its stain varies by laboratory: any orientation, shifted stains, some focus blur.",
    _step("hflip", "HorizontalFlip"),
    _step("vflip", "VerticalFlip"),
    _step("transpose", "Transpose"),
    _step("stain", "HEDShift", h_shift_limit=0.02, e_shift_limit=0.02, d_shift_limit=0.02),
    _step("brightness", "RandomBrightnessContrast", brightness_limit=0.1, contrast_limit=0.15),
    _step("focus", "GaussianBlur", 0.3, sigma_limit=(0.5, 2.0), min_amplitude=0.05),
)

_AERIAL = _preset(
    "Aerial photographs",
    "Seen from above any heading is possible; height, haze and hour vary: small scales and turns, light and colour.",
    _step("flip", "Flip"),
    _step(
        "affine",
        "Affine",
        0.7,
        scale=(0.9, 1.1),
        keep_ratio=True,
        rotate=(-45, 45),
        translate_percent=XY((-0.05, 0.05), (-0.05, 0.05)),
        mode="mirror",
    ),
    _step("light", "RandomBrightnessContrast", 0.7, brightness_limit=0.15, contrast_limit=0.2),
    _step("season", "HueSaturationValue", hue_shift_limit=6, sat_shift_limit=20, val_shift_limit=10),
    Group(
        "haze",
        "OneOf",
        (
            _step("haze.focus", "GaussianBlur", sigma_limit=(0.5, 1.5), min_amplitude=0.05),
            _step("haze.motion", "MotionBlur", blur_limit=7),
        ),
        p=0.3,
    ),
)

_GEOMETRY = _preset(
    "Geometry only",
    "Moves pixels and keeps their values, so statistics and colours stay as they are.",
    _step("hflip", "HorizontalFlip"),
    _step("vflip", "VerticalFlip"),
    _step("transpose", "Transpose"),
    _step("affine", "Affine", 0.8, scale=(0.8, 1.2), keep_ratio=True, rotate=(-20, 20), mode="mirror"),
)

_COLOUR = _preset(
    "Colour only",
    "Changes values and keeps every pixel's place, so masks and boxes stay valid.",
    _step("light", "RandomBrightnessContrast", 0.8),
    _step("gamma", "RandomGamma", gamma_limit=(70, 140)),
    _step("hue", "HueSaturationValue", hue_shift_limit=10, sat_shift_limit=25, val_shift_limit=15),
    _step("sharpen", "Sharpen", 0.3, alpha=(0.1, 0.3)),
)

PRESETS: tuple[Preset, ...] = (FIRST, _STAINED, _AERIAL, _GEOMETRY, _COLOUR)
