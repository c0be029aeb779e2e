"""Specimens: a photograph in every kind of image, every transform and composition as a library object, and how it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pyvips

from augviz import catalog, engine, sources
from augviz.errors import StepError
from augviz.fidelity import facts_of
from augviz.firing import header, words
from augviz.library import A, quiet
from augviz.marker import MOVING, seeded
from augviz.model import Step, Value
from augviz.works import INPUTS, Input

WIDTH, HEIGHT = 120, 90
SIDE = 1200
"""Of the image on which the library's own defaults are tried, some of which are sizes of 1024 px; mostly its middle is enough."""

FITTING: dict[str, dict[str, Value]] = {
    "RandomCrop": {"height": 60, "width": 80},
    "CenterCrop": {"height": 60, "width": 80},
    "Crop": {"x_min": 20, "y_min": 15, "x_max": 100, "y_max": 75},
    "CropOrPad": {"height": 100, "width": 80},
    "PadIfNeeded": {"min_height": 120, "min_width": 150},
    "Resize": {"height": 60, "width": 90},
    "LongestMaxSize": {"max_size": 100},
    "SmallestMaxSize": {"max_size": 70},
    "GridDropout": {"holes_number_x": 7, "holes_number_y": 4},
}
"""Sizes that do something to so small an image, where the editor would begin with the image's own."""

RANGES = {"uchar": 255.0, "ushort": 65535.0, "short": 32640.0}
"""What the images of whole numbers are scaled to; floats run from 0 to 1."""

ALPHA = 0.5
"""The whole alpha band, as a fraction of the format's range."""


@lru_cache(maxsize=32)
def image_of(kind: Input, width: int = WIDTH, height: int = HEIGHT, *, textured_alpha: bool = False) -> pyvips.Image:
    """A part of a photograph with that many bands, in that format.

    Args:
        textured_alpha: whether the alpha band is a picture, too, else it is the same everywhere.
    """
    path = next(sample.path for sample in sources.samples() if sample.name == "astronaut")
    photograph = pyvips.Image.new_from_file(str(path)).crop(150, 60, 240, 240)
    rgb = photograph.replicate(-(-width // 240), -(-height // 240)).crop(0, 0, width, height)
    colours = rgb if kind.bands >= 3 else rgb.colourspace("b-w")
    alpha = rgb[1].invert() if textured_alpha else 255 * ALPHA
    more = [alpha if number == 0 else rgb[number].invert() for number in range(kind.bands - colours.bands)]
    scaled = (colours.bandjoin(more) if more else colours) * (RANGES.get(kind.format, 1.0) / 255)
    return scaled.cast(kind.format).copy(interpretation=kind.interpretation).copy_memory()


def moves(name: str) -> bool:
    """Whether a transform is of a family that moves pixels."""
    return name in catalog.TRANSFORMS and catalog.transform(name).family in MOVING


def step_for(name: str, image: pyvips.Image, **args: Value) -> Step:
    """The step that the editor begins with for an image of that shape, always applied."""
    step = catalog.initial_step(name, "0", facts_of(header(image))).with_args(**FITTING.get(name, {}), **args)
    return Step(step.id, name, step.args, p=1.0)


def made(name: str, key: str, **args: Value) -> tuple[Any, pyvips.Image]:
    """A new object, since A.ReplayCompose changes those that it is given, and the image."""
    image = image_of(INPUTS[key], textured_alpha=not moves(name))
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in catalog.GROUPS or name == "Compose":
            return _group(name), image
        return engine.build_step(step_for(name, image, **args), 1), image


def _group(name: str) -> Any:
    """A composition of two transforms that draw."""
    members = [A.RandomBrightnessContrast(p=1.0), A.RandomCrop(height=60, width=80, p=1.0)]
    if name == "Compose":
        return A.Compose(members, p=1.0)
    more = {"n": 2, "replace": False} if name == "SomeOf" else {}
    return getattr(A, name)(transforms=members, p=1.0, **more)


def array_of(result: Any) -> np.ndarray:
    """(H, W, bands) of an image, whatever a tensor has."""
    array: np.ndarray = result.numpy() if isinstance(result, pyvips.Image) else np.asarray(result)
    return array[:, :, None] if array.ndim == 2 else array


def run(built: Any, image: pyvips.Image, seed: int, *, noise: bool = True) -> Any:
    """The library's result, seeded; lazy. Arguments as for `seeded`."""
    with seeded(seed, noise=noise):
        return built(image=image)["image"]


Outcome = tuple[np.ndarray | None, str]
"""Pixels, or None and the sentence of what was raised."""


def outcome(action: Callable[..., Any], *args: Any, **more: Any) -> Outcome:
    """What an action gives."""
    try:
        return array_of(action(*args, **more)), ""
    except Exception as error:  # noqa: BLE001 - what the library raises is what is asked for
        return None, reason(error)


def reason(error: Exception) -> str:
    """What the library says."""
    return error.reason if isinstance(error, StepError) else words(error)


def same(one: Outcome, other: Outcome) -> bool:
    """Whether both are the same pixels of the same type, or both were raised."""
    if one[0] is None or other[0] is None:
        return one[0] is other[0]
    return one[0].dtype == other[0].dtype and np.array_equal(one[0], other[0], equal_nan=one[0].dtype.kind == "f")
