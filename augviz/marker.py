"""Whether what is given beside an image follows it: a mark in the image, and where masks, keypoints and boxes say it is."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from augviz import catalog, engine
from augviz.fidelity import facts_of
from augviz.firing import header, words
from augviz.library import LOCK, A, kept_random_state, quiet, seeded_noise
from augviz.model import Step, Value

TARGETS = ("mask", "keypoints", "bboxes", "bboxes alone")
"""As they are asked of A.Compose; the last is boxes given to the transform itself, without A.Compose."""

DRAWS = 24
WIDTH, HEIGHT = 120, 90
CENTRE = (72, 36)
RADIUS = 5

MOVING = ("Geometry", "Crop and pad", "Resize")
"""Families that move pixels; the others leave a target where it is."""

ARGS: dict[str, dict[str, Value]] = {
    "RandomCrop": {"height": 70, "width": 100},
    "CenterCrop": {"height": 70, "width": 100},
    "Crop": {"x_min": 20, "y_min": 15, "x_max": 110, "y_max": 75},
    "CropOrPad": {"height": 100, "width": 110},
    "PadIfNeeded": {"min_height": 120, "min_width": 150, "value": 40, "mask_value": 0},
    "Resize": {"height": 60, "width": 90},
    "LongestMaxSize": {"max_size": 100},
    "SmallestMaxSize": {"max_size": 70},
    "GridDropout": {"holes_number_x": 7, "holes_number_y": 4},
    "ElasticTransform": {"sigma": 8.0, "value": 40},
}
"""Arguments that move the mark well within the image."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the mark is, in px; `x` and `y` are the middle of pixels."""

    x: float
    y: float
    width: int
    height: int

    def off(self, x: float, y: float) -> float:
        return float(np.hypot(self.x - x, self.y - y))


def marked() -> pyvips.Image:
    """A grey image with a red disc."""
    pixels = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    pixels[_disc()] = (250, 20, 20)
    return pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")


def _disc() -> np.ndarray:
    rows, columns = np.indices((HEIGHT, WIDTH))
    disc: np.ndarray = (columns - CENTRE[0]) ** 2 + (rows - CENTRE[1]) ** 2 <= RADIUS**2
    return disc


def distance(name: str, target: str) -> dict[str, Any]:
    """{"draws", "off_px"}: in how many draws the target could be compared, and how far off it was at most.

    {"draws": 0, "error"} where it is raised for, always.
    """
    image = marked()
    step = catalog.initial_step(name, "0", facts_of(header(image))).with_args(**ARGS.get(name, {}))
    found: list[float] = []
    error = ""
    for seed in range(DRAWS):
        try:
            with seeded(seed):
                off = _off(engine.build_step(Step("0", name, step.args, p=1.0), 1), name, image, target)
        except Exception as raised:  # noqa: BLE001 - what the library raises is what is asked for
            error = error or words(raised)
        else:
            found += [off] if off is not None else []
    if not found:
        return {"draws": 0, "error": error or "the mark is never whole in the result"}
    return {"draws": len(found), "off_px": round(max(found), 1)}


@contextmanager
def seeded(seed: int, *, noise: bool = True) -> Iterator[None]:
    """The library under `random.seed(seed)`, silent; with its noise seeded as well, as augviz does, or with its own."""
    with LOCK, kept_random_state(), quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        random.seed(seed)
        with seeded_noise() if noise else nullcontext():
            yield


def _off(built: Any, name: str, image: pyvips.Image, target: str) -> float | None:
    """How far the target is from the mark after one draw; None where the mark is not whole in the result."""
    x, y = CENTRE
    if target == "mask":
        mask = pyvips.Image.new_from_array(_disc().astype(np.uint8) * 255)
        result = A.Compose([built])(image=image, mask=mask)
    elif target == "keypoints":
        result = A.Compose([built])(image=image, keypoints=[(x, y, 0.0, 1.0)])
    elif target == "bboxes":
        box = (x - RADIUS, y - RADIUS, x + RADIUS + 1, y + RADIUS + 1, "mark")
        composed = A.Compose([built], bbox_params=A.BboxParams("pascal_voc"))
        result = composed(image=image, bboxes=[box])
    else:
        low, high = (x - RADIUS) / WIDTH, (x + RADIUS + 1) / WIDTH
        top, bottom = (y - RADIUS) / HEIGHT, (y + RADIUS + 1) / HEIGHT
        result = built(image=image, bboxes=[(low, top, high, bottom)])
    shown = result["image"].numpy() if isinstance(result["image"], pyvips.Image) else result["image"]
    if name in catalog.TRANSFORMS and catalog.transform(name).family in MOVING:
        place = _place(shown[..., 0].astype(float) - shown[..., 1])
    else:
        place = _Place(x, y, WIDTH, HEIGHT)
    if place is None:
        return None
    return _of_target(result, target, place)


def _of_target(result: dict[str, Any], target: str, place: _Place) -> float | None:
    if target == "mask":
        found = result["mask"]
        pixels = found.numpy() if isinstance(found, pyvips.Image) else np.asarray(found)
        where = _place(pixels if pixels.ndim == 2 else pixels[..., 0])
        if (pixels.shape[1], pixels.shape[0]) != (place.width, place.height) or where is None:
            return float(max(WIDTH, HEIGHT))
        return place.off(where.x, where.y)
    if target == "keypoints":
        return place.off(*result["keypoints"][0][:2])
    left, top, right, bottom = result["bboxes"][0][:4]
    return place.off((left + right) / 2 * place.width - 0.5, (top + bottom) / 2 * place.height - 0.5)


def _place(signal: np.ndarray) -> _Place | None:
    """The middle of what is bright; None where it is cut by an edge, or is not there."""
    weight = np.clip(signal.astype(float), 0, None)
    bright = weight > 100
    if not bright.any() or bright[0].any() or bright[-1].any() or bright[:, 0].any() or bright[:, -1].any():
        return None
    weight[~bright] = 0
    height, width = weight.shape
    x = float((weight.sum(0) * np.arange(width)).sum() / weight.sum())
    y = float((weight.sum(1) * np.arange(height)).sum() / weight.sum())
    return _Place(x, y, width, height)
