"""Draw, and apply at full size: the library's own objects, run step by step with a stream for each top-level item.

Nothing here copies the library's logic. Each enabled item is built and called; a recorder around every leaf's
`apply_with_params` notes what fired, with which drawn parameters, and the shape of the image before and after.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyvips

from augviz import catalog
from augviz.errors import AugvizError, StepError
from augviz.library import LOCK, A, kept_random_state, quiet, seeded_noise
from augviz.model import XY, Draw, DrawnLeaf, Group, Header, Item, ParamKind, Pipeline, Step, Value
from augviz.settings import get_settings

HOLE_LIMIT = 2500
"""Holes that one draw may chain. libvips releases them recursively: 2500 never crashed, 3000 sometimes did (D2)."""

_NOT_DRAWN = frozenset({"cols", "rows", "interpolation", "fill_value", "mask_fill_value"})


def guarded() -> bool:
    """Whether draws that would end the process are refused."""
    return bool(get_settings().guard)


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


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw together with the firings that replay it."""

    draw: Draw
    firings: tuple[Firing, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A full-size result.

    Attributes:
        image: the result before ToTensor's transposition, lazy.
        tensor: whether the pipeline made a tensor of it, (bands, height, width).
    """

    image: pyvips.Image
    tensor: bool
    draw: Draw

    def array(self) -> np.ndarray:
        """The pixels as the pipeline returns them: (H, W) for one band, else (H, W, bands); a tensor's (bands, H, W)."""
        array: np.ndarray = self.image.numpy()
        if not self.tensor:
            return array
        return (array[:, :, None] if array.ndim == 2 else array).transpose(2, 0, 1)


@dataclass(slots=True)
class _Run:
    """What the recorders of one run share."""

    evaluates: bool
    firings: list[Firing] = field(default_factory=list)
    noise: list[dict[str, Any]] = field(default_factory=list)
    holes: int = 0


def header(image: pyvips.Image) -> Header:
    """Shape of `image`."""
    return Header(image.width, image.height, image.bands, image.format, image.interpretation)


def stand_in(shape: Header) -> pyvips.Image:
    """A black image of that shape, which costs nothing however large it is."""
    image = pyvips.Image.black(shape.width, shape.height, bands=shape.bands)
    return image.cast(shape.format).copy(interpretation=shape.interpretation)


def library_value(value: Value, kind: ParamKind) -> Any:
    """An argument as the library's constructor takes it: lists for colours and statistics (D15), tuples elsewhere."""
    if isinstance(value, XY):
        axes = {"x": value.x, "y": value.y}
        return {axis: library_value(v, kind) for axis, v in axes.items() if v is not None}
    if isinstance(value, tuple):
        items = (library_value(v, kind) for v in value)
        return list(items) if kind in (ParamKind.COLOUR, ParamKind.NUMBERS, ParamKind.INTS) else tuple(items)
    if kind is ParamKind.INTERPOLATE and isinstance(value, str):
        return pyvips.Interpolate.new(value)
    return value


def build_step(step: Step, position: int) -> Any:
    """The library's object for `step`. Raises StepError with the library's words."""
    spec = catalog.transform(step.transform)
    try:
        arguments = {}
        for name, value in step.args:
            kind = ParamKind.BOOL if name == "always_apply" else spec.param(name).kind
            arguments[name] = library_value(value, kind)
        if step.p is not None:
            arguments["p"] = step.p
        return getattr(A, step.transform)(**arguments)
    except AugvizError:
        raise
    except Exception as error:
        raise StepError(step.transform, words(error), step_id=step.id, position=position) from error


def words(error: BaseException) -> str:
    """What an exception of the library says, with its class where the message alone says too little."""
    text = " ".join(str(error).split())
    if isinstance(error, pyvips.Error):
        text = " ".join(str(error.detail or error.message).split()) or text
    return text if len(text) > 20 else f"{type(error).__name__}: {text}".rstrip(": ")


class _Recorder:
    """Notes every firing of one leaf and translates what it raises."""

    def __init__(self, run: _Run, step: Step, position: int, transform: Any) -> None:
        self.run = run
        self.step = step
        self.position = position
        self.transform = transform
        self.original = transform.apply_with_params
        transform.apply_with_params = self.apply_with_params
        for name in ("get_params", "get_params_dependent_on_targets"):
            setattr(transform, name, self._translated(getattr(transform, name)))

    def _error(self, reason: str) -> StepError:
        return StepError(self.step.transform, reason, step_id=self.step.id, position=self.position)

    def _translated(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            try:
                return method(*args)
            except Exception as error:
                raise self._error(words(error)) from error

        return call

    def apply_with_params(self, params: dict[str, Any], **targets: Any) -> dict[str, Any]:
        image = targets["image"]
        if guarded() and isinstance(image, pyvips.Image):
            self._refuse_killers(params, image)
        try:
            result = self._apply(params, targets)
        except AugvizError:
            raise
        except Exception as error:
            raise self._error(words(error)) from error
        after = result["image"]
        firing = Firing(
            self.position,
            self.step,
            self.transform,
            params,
            tuple(self.run.noise),
            header(image),
            header(after.image if isinstance(after, Tensor) else after),
        )
        self.run.noise.clear()
        self.run.firings.append(firing)
        return result

    def _apply(self, params: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        transform = self.transform
        if isinstance(transform, A.ToTensor):
            transform.update_params(params, **targets)  # raises the library's error where the image is a tensor already
            return {"image": Tensor(targets["image"])}
        if not self.run.evaluates and "holes" in params:
            return self._one_hole(params, targets)
        if not self.run.evaluates and by_mean(transform):
            # The library averages its whole input while it builds; by maximum the shape comes out the same, unread.
            transform.brightness_by_max = True
            try:
                return dict(self.original(params, **targets))
            finally:
                transform.brightness_by_max = False
        return dict(self.original(params, **targets))

    def _one_hole(self, params: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        """Building a chain of holes takes time that grows with their square (D43); its shape shows after one."""
        holes = params["holes"]
        empty = [(x1, y1, x2, y2) for x1, y1, x2, y2 in holes if x1 == x2 or y1 == y2]  # these raise (D6)
        params["holes"] = (empty or holes)[:1]
        try:
            return dict(self.original(params, **targets))
        finally:
            params["holes"] = holes

    def _refuse_killers(self, params: Mapping[str, Any], image: pyvips.Image) -> None:
        if self.step.transform == "AdvancedBlur" and image.format not in ("float", "double"):
            kernel = params["kernel"]
            if kernel.get("scale") == 0:
                raise self._error(
                    "the drawn kernel sums to zero, and libvips would divide by it and end the process (D1); "
                    "keep the upper noise_limit at 1.0 or below."
                )
        self.run.holes += len(params.get("holes", ()))
        if self.run.holes > HOLE_LIMIT:
            raise self._error(
                f"this draw has {self.run.holes} holes, and releasing more than {HOLE_LIMIT} of them can end the process "
                "(D2); use fewer or larger holes."
            )


def by_mean(transform: Any) -> bool:
    """Whether a library object reads its whole input when it is called."""
    return isinstance(transform, A.RandomBrightnessContrast) and not transform.brightness_by_max


def _build(items: tuple[Item, ...], run: _Run, numbers: Iterator[int], enabled: bool = True) -> list[tuple[Item, Any]]:
    """The enabled items with the library's objects, leaves under a recorder; groups left without members are dropped.

    Args:
        numbers: gives each leaf its position, disabled ones included.
    """
    built: list[tuple[Item, Any]] = []
    for item in items:
        if isinstance(item, Group):
            members = [transform for _, transform in _build(item.steps, run, numbers, enabled and item.enabled)]
            if members:
                built.append((item, _build_group(item, members)))
            continue
        position = next(numbers)
        if enabled and item.enabled:
            transform = build_step(item, position)
            _Recorder(run, item, position, transform)
            built.append((item, transform))
    return built


def _build_group(group: Group, members: list[Any]) -> Any:
    arguments: dict[str, Any] = {"transforms": members}
    if group.p is not None:
        arguments["p"] = group.p
    if group.n is not None:
        arguments["n"] = group.n
    if group.replace is not None:
        arguments["replace"] = group.replace
    try:
        return getattr(A, group.group)(**arguments)
    except Exception as error:
        raise StepError(group.group, words(error), step_id=group.id) from error


def _run(image: pyvips.Image, pipeline: Pipeline, seed: int, run: _Run, *, one_stream: bool) -> Any:
    """Call the library's objects in order and return what the last one gave, a pyvips image or a `Tensor`."""
    with LOCK, kept_random_state(), quiet(), seeded_noise(run.noise.append):
        items = _build(pipeline.steps, run, itertools.count(1))
        if one_stream:
            random.seed(seed)
            return A.Compose([built for _, built in items])(image=image)["image"]
        for item, built in items:
            random.seed(f"{seed}:{item.id}")
            try:
                image = built(image=image)["image"]
            except AugvizError:
                raise
            except Exception as error:  # a group's own failure; leaves translate theirs
                name = item.group if isinstance(item, Group) else item.transform
                raise StepError(name, words(error), step_id=item.id) from error
        return image


def _draw_of(source: Header, pipeline: Pipeline, seed: int, firings: list[Firing], tensor: bool) -> Draw:
    by_position: dict[int, list[Firing]] = {}
    for firing in firings:
        by_position.setdefault(firing.position, []).append(firing)
    leaves = []
    current = source
    for position, (leaf, enabled) in enumerate(_leaves(pipeline.steps), start=1):
        fired = by_position.get(position, [])
        before, current = (fired[-1].before, fired[-1].after) if fired else (current, current)
        each = [drawn_values(firing) for firing in fired]
        values = {} if not each else each[0] if len(each) == 1 else {"times": len(each), "each": each}
        leaves.append(DrawnLeaf(leaf.id, leaf.transform, position, bool(fired), enabled, values, before, current))
    result = firings[-1].after if firings else source
    return Draw(seed, source, tuple(leaves), result, tensor)


def _leaves(items: tuple[Item, ...], enabled: bool = True) -> Iterator[tuple[Step, bool]]:
    """Every leaf in the order written, with whether it and all groups around it are enabled."""
    for item in items:
        if isinstance(item, Group):
            yield from _leaves(item.steps, enabled and item.enabled)
        else:
            yield item, enabled and item.enabled


def drawn_values(firing: Firing) -> dict[str, Any]:
    """What a step drew, in JSON types."""
    values = {name: _plain(value) for name, value in firing.params.items() if name not in _NOT_DRAWN}
    if firing.noise:
        values.pop("gauss", None)
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


def draw(source: Header, pipeline: Pipeline, seed: int, *, one_stream: bool = False) -> Drawn:
    """Draw `pipeline` for an image of the shape `source`, reading no pixels: milliseconds whatever the size.

    Args:
        one_stream: seed once with `seed` and run the library's `A.Compose`, instead of a stream for each item.

    Raises:
        StepError: a step cannot be built or drawn, or the library would not survive this draw.
    """
    run = _Run(evaluates=False)
    result = _run(stand_in(source), pipeline, seed, run, one_stream=one_stream)
    tensor = isinstance(result, Tensor)
    return Drawn(_draw_of(source, pipeline, seed, run.firings, tensor), tuple(run.firings))


def apply(image: pyvips.Image, pipeline: Pipeline, seed: int, *, one_stream: bool = False) -> Applied:
    """The full-size result, lazy, by the library's objects on `image` itself. Arguments and errors as for `draw`."""
    run = _Run(evaluates=True)
    result = _run(image, pipeline, seed, run, one_stream=one_stream)
    tensor = isinstance(result, Tensor)
    drawn = _draw_of(header(image), pipeline, seed, run.firings, tensor)
    return Applied(result.image if isinstance(result, Tensor) else result, tensor, drawn)


def replay(firing: Firing, image: pyvips.Image) -> pyvips.Image:
    """Apply one firing to `image`, of the full size, with its recorded parameters and noise."""
    if isinstance(firing.transform, A.ToTensor):
        return image
    seeds = iter(firing.noise)

    def same_noise(width: int, height: int, **options: Any) -> pyvips.Image:
        return pyvips.Operation.call("gaussnoise", width, height, **{**options, "seed": next(seeds)["seed"]})

    with LOCK, quiet():
        pyvips.Image.gaussnoise = staticmethod(same_noise)
        try:
            params = {k: v for k, v in firing.params.items() if k not in ("cols", "rows")}
            return firing.transform._get_target_function("image")(
                image, **params, cols=firing.before.width, rows=firing.before.height
            )
        except Exception as error:
            raise firing.error(words(error)) from error
        finally:
            del pyvips.Image.gaussnoise
