"""One call of one leaf that really happened: what it was given, what it drew, and the shapes around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from augviz.errors import StepError
from augviz.library import A
from augviz.model import Header, Step

_NOT_DRAWN = frozenset({"cols", "rows", "interpolation", "fill_value", "mask_fill_value"})


class Tensor:
    """Stands for what ToTensor returns. Like the real thing it has no width, so a later step fails in the library's words."""

    def __init__(self, image: pyvips.Image) -> None:
        self.image = image


@dataclass(frozen=True, slots=True)
class Firing:
    """One call of a leaf that really happened, with all that is needed to do it again on other pixels.

    Attributes:
        position: 1-based position of the leaf in the pipeline.
        transform: the library's object.
        params: what `apply_with_params` was called with, completed by the library.
        noise: {"sigma", "mean", "seed" ...} of each noise image the library built for it.
        before, after: shape of the full-size image around it.
    """

    position: int
    step: Step
    transform: Any
    params: dict[str, Any]
    noise: tuple[dict[str, Any], ...]
    before: Header
    after: Header

    @property
    def name(self) -> str:
        return self.step.transform

    def error(self, reason: object) -> StepError:
        """The error that names this step."""
        return StepError(self.name, str(reason), step_id=self.step.id, position=self.position)


def header(image: pyvips.Image) -> Header:
    """Shape of `image`."""
    return Header(image.width, image.height, image.bands, image.format, image.interpretation)


def stand_in(shape: Header) -> pyvips.Image:
    """A black image of that shape, which costs nothing however large it is."""
    image = pyvips.Image.black(shape.width, shape.height, bands=shape.bands)
    return image.cast(shape.format).copy(interpretation=shape.interpretation)


def words(error: BaseException) -> str:
    """What an exception of the library says, with its class where the message alone says too little."""
    text = " ".join(str(error).split())
    if isinstance(error, pyvips.Error):
        text = " ".join(str(error.detail or error.message).split()) or text
    return text if len(text) > 20 else f"{type(error).__name__}: {text}".rstrip(": ")


def by_mean(transform: Any) -> bool:
    """Whether a library object reads its whole input when it is called."""
    return isinstance(transform, A.RandomBrightnessContrast) and not transform.brightness_by_max


def drawn_values(firing: Firing) -> dict[str, Any]:
    """What a step drew, in JSON types."""
    left_out = _NOT_DRAWN | {"gauss"} if firing.noise else _NOT_DRAWN  # a whole image of noise, told by its seed
    values = {name: _plain(value) for name, value in firing.params.items() if name not in left_out}
    if firing.noise:
        values["noise"] = [{k: n[k] for k in ("sigma", "mean", "seed")} for n in firing.noise]
    if firing.name == "RandomCrop":
        x, y = crop_origin(firing)
        values |= {"x": x, "y": y}
    return values


def crop_origin(firing: Firing) -> tuple[int, int]:
    """Left and top of a RandomCrop or CenterCrop in full-size pixels, as the library computes them."""
    t, before = firing.transform, firing.before
    if firing.name == "CenterCrop":
        return (before.width - t.width) // 2, (before.height - t.height) // 2
    x = int((before.width - t.width + 1) * firing.params["w_start"])
    y = int((before.height - t.height + 1) * firing.params["h_start"])
    return max(0, x), max(0, y)


def _plain(value: Any) -> Any:
    if isinstance(value, pyvips.Image):
        scale = value.get("scale") if value.get_typeof("scale") else 1.0
        return {"kernel": value.numpy().tolist(), "scale": scale}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "params") and isinstance(value.params, np.ndarray):  # a matrix of skimage.transform
        return value.params.tolist()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value
