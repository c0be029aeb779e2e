"""Draw, and apply at full size: the library's own objects, run step by step with a stream for each top-level item.

Nothing here copies the library's logic. Each enabled item is built and called; a recorder around every leaf's
`apply_with_params` notes what fired, with which drawn parameters, and the shape of the image before and after.
"""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from augviz import catalog
from augviz.errors import AugvizError, StepError
from augviz.firing import Firing, Tensor, drawn_values, header, stand_in, words
from augviz.library import LOCK, A, kept_random_state, quiet, seeded_noise
from augviz.model import XY, Draw, DrawnLeaf, Group, Header, Item, ParamKind, Pipeline, Step, Value
from augviz.recorder import FIRING_LIMIT, TOO_LONG, AtStep, Recorder, Run, guarded, untold

__all__ = ["Applied", "Drawn", "apply", "build_step", "draw", "header", "library_value", "replay"]


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


def _build(items: tuple[Item, ...], run: Run, numbers: Iterator[int], enabled: bool = True) -> list[tuple[Item, Any]]:
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
            Recorder(run, item, position, transform)
            built.append((item, transform))
    return built


def _build_group(group: Group, members: list[Any]) -> Any:
    if guarded() and group.n is not None and group.n > FIRING_LIMIT and group.replace is not False:
        reason = f"n is {group.n}, and a chain of more than {FIRING_LIMIT} steps can end the process; use a smaller n."
        raise StepError(group.group, reason, step_id=group.id)
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


def _call(image: Any, item: Item, built: Any, seed: int) -> Any:
    """What an item's object makes of `image` under its own stream."""
    random.seed(f"{seed}:{item.id}")
    try:
        return built(image=image)["image"]
    except AugvizError:
        raise
    except Exception as error:  # a group's own failure; leaves translate theirs
        name = item.group if isinstance(item, Group) else item.transform
        raise StepError(name, words(error), step_id=item.id) from error


def _run(image: pyvips.Image, pipeline: Pipeline, seed: int, run: Run, *, one_stream: bool) -> Any:
    """Call the library's objects in order and return what the last one gave, a pyvips image or a `Tensor`."""
    with LOCK, kept_random_state(), quiet(), seeded_noise(run.noise.append):
        items = _build(pipeline.steps, run, itertools.count(1))
        if one_stream:
            random.seed(seed)
            return A.Compose([built for _, built in items])(image=image)["image"]
        for item, built in items:
            image = _call(image, item, built, seed)
        return image


@dataclass(frozen=True, slots=True)
class _Part:
    """What one top-level item drew."""

    firings: tuple[Firing, ...]
    tensor: bool
    holes: int


_PARTS: OrderedDict[tuple[object, ...], _Part] = OrderedDict()
_PARTS_KEPT = 512


def _part(shape: Header, tensor: bool, item: Item, first: int, holes: int, seed: int, at_step: AtStep) -> _Part:
    """The draw of one item. It depends on nothing else, so an unchanged item of a changed pipeline is not drawn again.

    Args:
        shape, tensor: what the item gets.
        first: position of its first leaf.
        holes: those that the steps before it have chained already.
    """
    key = (shape, tensor, repr(item), first, holes, seed, guarded())  # repr: as an argument, 1 is not 1.0
    with LOCK, kept_random_state(), quiet():
        if key not in _PARTS:
            run = Run(evaluates=False, at_step=at_step, holes=holes)
            result: Any = Tensor(stand_in(shape)) if tensor else stand_in(shape)
            with seeded_noise(run.noise.append):
                for one, built in _build((item,), run, itertools.count(first)):
                    result = _call(result, one, built, seed)
            _PARTS[key] = _Part(tuple(run.firings), isinstance(result, Tensor), run.holes)
            while len(_PARTS) > _PARTS_KEPT:
                _PARTS.popitem(last=False)
        _PARTS.move_to_end(key)
        return _PARTS[key]


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


def draw(source: Header, pipeline: Pipeline, seed: int, *, one_stream: bool = False, at_step: AtStep = untold) -> Drawn:
    """Draw `pipeline` for an image of the shape `source`, reading no pixels: milliseconds whatever the size.

    Args:
        one_stream: seed once with `seed` and run the library's `A.Compose`, instead of a stream for each item.
        at_step: told each step before it is drawn.

    Raises:
        StepError: a step cannot be built or drawn, or the library would not survive this draw.
    """
    if one_stream:
        run = Run(evaluates=False)
        result = _run(stand_in(source), pipeline, seed, run, one_stream=True)
        return Drawn(_draw_of(source, pipeline, seed, run.firings, isinstance(result, Tensor)), tuple(run.firings))
    firings: list[Firing] = []
    shape, part, first = source, _Part((), False, 0), 1
    for item in pipeline.steps:
        if item.enabled:
            part = _part(shape, part.tensor, item, first, part.holes, seed, at_step)
            firings += part.firings
            if guarded() and len(firings) > FIRING_LIMIT:
                raise firings[FIRING_LIMIT].error(TOO_LONG)
            shape = firings[-1].after if firings else source
        first += sum(1 for _ in _leaves((item,)))
    return Drawn(_draw_of(source, pipeline, seed, firings, part.tensor), tuple(firings))


def apply(image: pyvips.Image, pipeline: Pipeline, seed: int, *, one_stream: bool = False) -> Applied:
    """The full-size result, lazy, by the library's objects on `image` itself. Arguments and errors as for `draw`."""
    run = Run(evaluates=True)
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
