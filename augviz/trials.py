"""What one transform of the installed library does in one respect, found out by running it. The worker side of `survey`.

Runs the library's own objects, without the recorder and its guard: a crash is a result, which the asker sees by the end of
this process.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from augviz import catalog, engine
from augviz.context import Context
from augviz.errors import AugvizError
from augviz.firing import words
from augviz.library import A, quiet
from augviz.marker import TARGETS, distance, seeded
from augviz.model import ParamKind, Step, Value
from augviz.specimens import RANGES, SIDE, Outcome, array_of, image_of, made, moves, outcome, reason, run, same
from augviz.works import INPUTS, RGB8, Input

DRAWS = 8
DEFAULT_DRAWS = 40
"""Draws with the library's own defaults: AdvancedBlur ends the process at the thirtieth (D1)."""

FEW_VALUES = 4
"""A result with no more different values than this has lost its image, which has hundreds."""

AT_LIMITS = 0.8
"""A larger share of values at the lowest and the highest is a clipped image; the photograph has few of them."""

Result = dict[str, Any]


def pixels(args: dict[str, Any], context: Context) -> Result:
    """{transform, input} -> what several draws make of an image: errors, shape, values, alpha, and beside 8-bit RGB."""
    name, key = args["transform"], args["input"]
    try:
        built, image = made(name, key)
    except AugvizError as error:
        return {"draws": DRAWS, "raised": DRAWS, "error": reason(error)}
    each = [outcome(run, built, image, seed) for seed in range(DRAWS)]
    results = {seed: array for seed, (array, _) in enumerate(each) if array is not None}
    found: Result = {
        "draws": DRAWS,
        "raised": DRAWS - len(results),
        "error": next((text for _, text in each if text), ""),
    }
    if not results:
        return found
    before = array_of(image)
    found["made"] = _shape_of(run(built, image, min(results)))
    found["unchanged"] = sum(same((before, ""), (array, "")) for array in results.values())
    found["lost"] = sum(is_lost(array) for array in results.values())
    if key != RGB8 and name in _comparable():
        found |= _beside_8_bit(name, key, before, results)
    if key in ("alpha2", "alpha4") and found["made"] != "array":
        found["alpha"] = max(
            (_alpha(before, array, INPUTS[key], name) for array in results.values()), key=_ALPHAS.index
        )
    return found


def _shape_of(result: Any) -> str:
    """ "uchar x 3", or "array" where the result is no image any more."""
    return f"{result.format} x {result.bands}" if isinstance(result, pyvips.Image) else "array"


def is_lost(array: np.ndarray) -> bool:
    """Whether there are hardly any different values, or nearly all of them lie at the lowest or the highest."""
    if np.isnan(array).any() or len(np.unique(array)) <= FEW_VALUES:
        return True
    return float(((array == array.min()) | (array == array.max())).mean()) > AT_LIMITS


def _comparable() -> list[str]:
    """Transforms whose 8-bit result is 8-bit, so that results of other formats can be held against it."""
    return [name for name, spec in catalog.TRANSFORMS.items() if spec.family != "Format"]


def _relative(array: np.ndarray, kind: Input) -> np.ndarray:
    """Values as fractions of the range: the array's own if it holds whole numbers, else that of the input."""
    numpy_range = {"uint8": 255.0, "uint16": 65535.0, "int16": 32640.0}.get(array.dtype.name)
    floats = RANGES.get(kind.format, 1.0) if array.dtype.kind == "f" and np.nanmax(array) > 2 else 1.0
    return array.astype(float) / (numpy_range or floats)


def _beside_8_bit(name: str, key: str, before: np.ndarray, results: dict[int, np.ndarray]) -> Result:
    """Mean difference from the 8-bit result of the same draw, and how much stronger the effect is than there.

    "apart" is a fraction of the range. "effect" is None where there is none to be compared: another size or format.
    """
    kind = INPUTS[key]
    try:
        built, image = made(name, RGB8)
    except AugvizError:
        return {}
    image8 = array_of(image)
    apart, effects = [], []
    for seed, array in results.items():
        reference, _ = outcome(run, built, image, seed)
        if reference is None or reference.shape != array.shape:
            continue
        relative, relative8 = _relative(array, kind), _relative(reference, INPUTS[RGB8])
        apart.append(float(np.abs(relative - relative8).mean()))
        if array.shape == before.shape and array.dtype == before.dtype:
            effect8 = float(np.abs(relative8 - _relative(image8, INPUTS[RGB8])).mean())
            if effect8 > 0.004:
                effects.append(float(np.abs(relative - _relative(before, kind)).mean()) / effect8)
    return {
        "apart": round(float(np.median(apart)), 2) if apart else None,
        "effect": _two_digits(float(np.median(effects))) if effects else None,
    }


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}") if np.isfinite(value) else 1e9


_ALPHAS = ("kept", "filled", "changed", "dropped")


def _alpha(before: np.ndarray, after: np.ndarray, kind: Input, name: str) -> str:
    """What has become of the alpha band: one of `_ALPHAS`. Where pixels move it was the same everywhere."""
    if after.ndim != 3 or after.shape[2] < before.shape[2]:
        return "dropped"
    first, last = (_relative(array, kind)[:, :, -1] for array in (before, after))
    share = float((np.abs(last - (first if first.shape == last.shape else first[0, 0])) > 1.5 / 255).mean())
    return "kept" if share == 0 else "changed" if share > 0.5 and not moves(name) else "filled"


def _middle(result: Any) -> Any:
    """A small part of an image; anything else as it is."""
    if not isinstance(result, pyvips.Image):
        return result
    return result.crop(result.width // 2, result.height // 2, 16, 16)


def defaults(args: dict[str, Any], context: Context) -> Result:
    """{transform} -> how often it raises or changes no pixel of 8-bit RGB with the library's own defaults, always applied."""
    name = args["transform"]
    image = image_of(INPUTS[RGB8], SIDE, SIDE - 100)
    try:
        built = engine.build_step(Step("0", name, p=1.0), 1)
    except AugvizError as error:
        return {"draws": DEFAULT_DRAWS, "raised": DEFAULT_DRAWS, "error": reason(error)}

    def middle(seed: int) -> Any:
        return _middle(run(built, image, seed))

    def is_unchanged(seed: int, found: Outcome) -> bool:
        """Of the whole image, which is made only where its middle, the cheaper part, does not tell already."""
        return same(before, found) and same((array_of(image), ""), outcome(run, built, image, seed))

    before = (array_of(_middle(image)), "")
    each = [outcome(middle, seed) for seed in range(DEFAULT_DRAWS)]
    raised = [text for array, text in each if array is None]
    told = {"draws": DEFAULT_DRAWS, "raised": len(raised), "error": (raised or [""])[0]}
    if len(raised) == len(each):
        return told
    unchanged = sum(is_unchanged(seed, found) for seed, found in enumerate(each))
    return {**told, "made": "uchar x 3", "unchanged": unchanged}


def seeds(args: dict[str, Any], context: Context) -> Result:
    """{transform} -> whether `random.seed` decides the result, alone and with augviz's seeded noise; whether draws differ."""
    built, image = made(args["transform"], RGB8)

    def twice(seed: int, noise: bool) -> bool:
        return same(outcome(run, built, image, seed, noise=noise), outcome(run, built, image, seed, noise=noise))

    first = outcome(run, built, image, 0)
    return {
        "plain": all(twice(seed, False) for seed in range(DRAWS)),
        "augviz": all(twice(seed, True) for seed in range(DRAWS)),
        "differ": not all(same(first, outcome(run, built, image, seed)) for seed in range(1, DRAWS)),
    }


def replays(args: dict[str, Any], context: Context) -> Result:
    """{transform} -> how many draws A.ReplayCompose makes again, what it raises, and whether its record is JSON."""
    built, image = made(args["transform"], RGB8)
    equal, is_json, error = 0, True, ""
    for seed in range(DRAWS):
        try:
            with seeded(seed, noise=False):
                first = A.ReplayCompose([built])(image=image)
                again = A.ReplayCompose.replay(first["replay"], image=image)
            equal += same((array_of(first["image"]), ""), (array_of(again["image"]), ""))
            is_json = is_json and _is_json(first["replay"])
        except Exception as raised:  # noqa: BLE001 - what the library raises is what is asked for
            error = error or words(raised)
    return {"draws": DRAWS, "equal": equal, "error": error, "json": is_json and not error}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def saves(args: dict[str, Any], context: Context) -> Result:
    """{transform} -> whether A.save and A.load, and A.to_dict and A.from_dict, give a transform that does the same.

    Its choices are not the defaults, so that one that is not saved shows.
    """
    name = args["transform"]
    built, image = made(name, RGB8, **_choices(name))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "saved.json")
        return {
            "file": _kept(built, image, lambda: _saved_and_loaded(built, path)),
            "memory": _kept(built, image, lambda: A.from_dict(A.to_dict(built))),
        }


def _saved_and_loaded(built: Any, path: str) -> Any:
    A.save(built, path)
    return A.load(path)


def _kept(built: Any, image: pyvips.Image, again: Callable[[], Any]) -> str:
    """ "equal", "differs", or the sentence of what is raised."""
    try:
        with quiet():
            loaded = again()
    except Exception as error:  # noqa: BLE001 - what the library raises is what is asked for
        return words(error)
    equal = all(same(outcome(run, built, image, s), outcome(run, loaded, image, s)) for s in range(DRAWS))
    return "equal" if equal else "differs"


def _choices(name: str) -> dict[str, Value]:
    if name not in catalog.TRANSFORMS:
        return {}
    params = [p for p in catalog.transform(name).params if p.kind is ParamKind.CHOICE]
    return {p.name: next(choice for choice in p.choices if choice != p.initial) for p in params}


_kept_handles: list[Any] = []


def laziness(args: dict[str, Any], context: Context) -> Result:
    """{transform} -> how many evaluations of the image a call begins; 0 is lazy."""
    built, image = made(args["transform"], RGB8)
    watched, begun = image.copy(), itertools.count()
    watched.set_progress(True)
    watched.signal_connect("preeval", lambda _image, _progress: next(begun))
    _kept_handles.append((watched, tuple(watched._handles)))  # see context.on_eval: libvips may go on calling
    for seed in range(DRAWS):
        with contextlib.suppress(Exception):  # a draw may raise; what it evaluated before counts
            run(built, watched, seed)
    return {"evaluations": next(begun)}


def targets(args: dict[str, Any], context: Context) -> Result:
    """{transform} -> for each target how far at most it is from the image, in px, or what is raised."""
    return {target: distance(args["transform"], target) for target in TARGETS}


def versions(args: dict[str, Any], context: Context) -> Result:
    """{} -> what is installed."""
    return {
        "albumentationsxl": importlib.metadata.version("albumentationsxl"),
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
        "pyvips": importlib.metadata.version("pyvips"),
    }


TASKS = {
    "pixels": pixels,
    "defaults": defaults,
    "seeds": seeds,
    "replays": replays,
    "saves": saves,
    "laziness": laziness,
    "targets": targets,
    "versions": versions,
}
"""Worker functions by the name that `survey` calls them."""
