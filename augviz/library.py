"""The import boundary: the only module that imports albumentationsxl. Lets it import where PyTorch is not installed.

albumentationsxl 0.1.2 imports torch though only ToTensor uses it. Where torch is missing, a placeholder stands in during
that one import and is removed again from `sys.modules`. The placeholder's `from_numpy` returns its argument, so that
ToTensor then gives the array that the tensor would hold: (bands, height, width).
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pyvips

HAS_TORCH = importlib.util.find_spec("torch") is not None
"""Whether ToTensor gives real tensors."""


def _same(array: Any) -> Any:
    return array


def _import_library() -> types.ModuleType:
    if HAS_TORCH:
        import albumentationsxl

        return albumentationsxl
    placeholder = types.ModuleType("torch")
    placeholder.tensor = object  # type: ignore[attr-defined]  # the annotation of ToTensor.apply
    placeholder.from_numpy = _same  # type: ignore[attr-defined]
    sys.modules["torch"] = placeholder
    try:
        import albumentationsxl
    finally:
        del sys.modules["torch"]
    return albumentationsxl


A = _import_library()
"""The albumentationsxl package."""

LOCK = threading.RLock()
"""Held while anything is drawn: the library draws from the process-wide `random`, and `seeded_noise` patches pyvips."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what the library prints while it builds and draws (D46)."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def kept_random_state() -> Iterator[None]:
    """Put `random` back as it was; the caller holds `LOCK`."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def seeded_noise(on_noise: Callable[[dict[str, Any]], None] | None = None) -> Iterator[None]:
    """Make `pyvips.Image.gaussnoise` take its seed from `random`; the caller holds `LOCK`.

    libvips seeds its noise by itself, so GaussNoise and ElasticTransform ignore `random.seed` (D41). Only which noise is
    drawn changes, never how much.

    Args:
        on_noise: told {"width", "height", "mean", "sigma", "seed"} of each noise image that is built.
    """

    def gaussnoise(width: int, height: int, **options: Any) -> pyvips.Image:
        options.setdefault("seed", random.getrandbits(31))
        if on_noise is not None:
            on_noise({"width": width, "height": height, "mean": 128.0, "sigma": 30.0, **options})
        return pyvips.Operation.call("gaussnoise", width, height, **options)

    pyvips.Image.gaussnoise = staticmethod(gaussnoise)  # pyvips resolves unknown names in __getattr__, so this wins
    try:
        yield
    finally:
        del pyvips.Image.gaussnoise
