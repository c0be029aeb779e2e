"""Notes every firing while the library draws, translates what it raises, and refuses what would end the process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyvips

from augviz import guards
from augviz.errors import AugvizError, StepError
from augviz.firing import Firing, Tensor, by_mean, header, words
from augviz.library import A
from augviz.model import Step
from augviz.settings import get_settings

FIRING_LIMIT = 1000
"""Steps that one draw may apply. libvips runs and releases a chain recursively: 2000 blurs end the process."""

TOO_LONG = (
    f"this draw applies more than {FIRING_LIMIT} steps, and so long a chain can end the process; use fewer steps."
)


def guarded() -> bool:
    """Whether draws that would end the process are refused."""
    return bool(get_settings().guard)


AtStep = Callable[[str, str, int | None], None]
"""Told the id, the name and the position of each step before it is drawn, as `Context.at_step` is."""


def untold(step_id: str, transform: str, position: int | None) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Run:
    """What the recorders of one run share."""

    evaluates: bool
    at_step: AtStep = untold
    firings: list[Firing] = field(default_factory=list)
    noise: list[dict[str, Any]] = field(default_factory=list)
    holes: int = 0


class Recorder:
    """Notes every firing of one leaf and translates what it raises."""

    def __init__(self, run: Run, step: Step, position: int, transform: Any) -> None:
        self.run = run
        self.step = step
        self.position = position
        self.transform = transform
        self.original = transform.apply_with_params
        transform.apply_with_params = self.apply_with_params
        for name in ("get_params", "get_params_dependent_on_targets"):
            setattr(transform, name, self._translated(getattr(transform, name)))
        if guarded() and (reason := guards.argument_reason(step)):
            raise self._error(reason)

    def _error(self, reason: str) -> StepError:
        return StepError(self.step.transform, reason, step_id=self.step.id, position=self.position)

    def _translated(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.run.at_step(self.step.id, self.step.transform, self.position)
            self._refuse_size(*args)
            try:
                return method(*args)
            except Exception as error:
                raise self._error(words(error)) from error

        return call

    def _refuse_size(self, targets: Mapping[str, Any] | None = None) -> None:
        image = (targets or {}).get("image")
        if guarded() and isinstance(image, pyvips.Image):
            reason = guards.size_reason(self.step, image.width, image.height)
            if reason:
                raise self._error(reason)

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
        if len(self.run.firings) >= FIRING_LIMIT:
            raise self._error(TOO_LONG)
        if self.step.transform == "AdvancedBlur" and image.format not in ("float", "double"):
            kernel = params["kernel"]
            if kernel.get("scale") == 0:
                raise self._error(
                    "the drawn kernel sums to zero, and libvips would divide by it and end the process (D1); "
                    "keep the upper noise_limit at 1.0 or below."
                )
        self.run.holes += len(params.get("holes", ()))
        if self.run.holes > guards.HOLE_LIMIT:
            raise self._error(guards.holes_reason(self.run.holes))
        for name, value in params.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise self._error(f"it drew {name} {value}, which is no finite number; use smaller limits.")
