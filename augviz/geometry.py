"""Geometry at a scale: one affine map between two grids, and resizes straight to the new one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyvips

from augviz.firing import crop_origin
from augviz.grids import VIEW_TILE, Grid, Stage
from augviz.images import tile_cached


def _mapped(
    image: pyvips.Image,
    linear: np.ndarray,
    shift: np.ndarray,
    stage: Stage,
    *,
    extend: str = "background",
    background: Any = 0,
    interpolate: Any = None,
) -> pyvips.Image:
    """full_out = linear @ full_in + shift, carried over to the view's grids.

    Away from full size the interpolation is bicubic: what the full-size one does to single pixels is below the view's
    resolution, and bilinear would blur the view.
    """
    si, so = (np.array([g.sx, g.sy]) for g in (stage.before, stage.after))
    inner = linear * si[None, :] / so[:, None]
    offset = (linear @ ((si - 1) / 2) + shift - (so - 1) / 2) / so
    if interpolate is None or stage.before.s >= 2:
        interpolate = pyvips.Interpolate.new("bicubic")
    moved = image.affine(
        inner.ravel().tolist(),
        odx=float(offset[0]),
        ody=float(offset[1]),
        oarea=[0, 0, stage.after.width, stage.after.height],
        extend=extend,
        background=background,
        interpolate=interpolate,
    )
    return tile_cached(moved, VIEW_TILE)


def _cropped(image: pyvips.Image, x: float, y: float, stage: Stage, **fill: Any) -> pyvips.Image:
    """The rectangle whose top left full-size pixel is (x, y); negative where it pads."""
    return _mapped(image, np.eye(2), np.array([-x, -y], float), stage, **fill)


def crop(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    t = stage.transform
    x, y = (t.x_min, t.y_min) if stage.firing.name == "Crop" else crop_origin(stage.firing)
    return _cropped(image, x, y, stage)


_GRAVITY = {"west": (0, 1), "north": (1, 0), "east": (2, 1), "south": (1, 2), "centre": (1, 1)}
_GRAVITY |= {"north-west": (0, 0), "north-east": (2, 0), "south-west": (0, 2), "south-east": (2, 2)}


def _gravity(direction: str, stage: Stage) -> tuple[int, int]:
    """Where libvips' gravity puts the input's top left pixel in the output."""
    across, down = _GRAVITY[direction]
    dx = stage.after.full_width - stage.before.full_width
    dy = stage.after.full_height - stage.before.full_height
    return (0, int(dx / 2), dx)[across], (0, int(dy / 2), dy)[down]


def crop_or_pad(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    x, y = _gravity(stage.transform.direction, stage)
    return _cropped(image, -x, -y, stage, background=[255, 255, 255])


def pad(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    t = stage.transform
    x, y = _gravity(t.position.value, stage)
    mode = _extend(t.border_mode)
    if mode not in ("copy", "repeat", "mirror"):
        return _cropped(image, -x, -y, stage, background=t.value, extend=mode)
    # An affine map extends by the few pixels that interpolation needs, so the border is made first.
    mx = math.ceil((stage.after.full_width - stage.before.full_width) / stage.before.sx) + 2
    my = math.ceil((stage.after.full_height - stage.before.full_height) / stage.before.sy) + 2
    wide = image.embed(mx, my, image.width + 2 * mx, image.height + 2 * my, extend=mode)
    b = stage.before
    grid = Grid(round(wide.width * b.sx), round(wide.height * b.sy), wide.width, wide.height)
    return _cropped(wide, mx * b.sx - x, my * b.sy - y, replace(stage, before=grid))


def _extend(mode: Any) -> str:
    names = ("black", "copy", "repeat", "mirror", "white", "background")
    return names[mode] if isinstance(mode, int) else str(mode)


def resize(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """Straight to the new grid: the full-size resampling kernel is finer than the view's pixels."""
    before, after = stage.before, stage.after
    if (image.width, image.height) != (after.width, after.height):
        image = image.resize(after.width / image.width, vscale=after.height / image.height, kernel="lanczos3")
    # libvips 8.18: enlarging with any kernel but nearest moves the picture by half an output pixel (D31).
    moves = stage.transform.interpolation != "nearest"
    dx = 0.5 / after.sx if moves and after.full_width > before.full_width else 0.0
    dy = 0.5 / after.sy if moves and after.full_height > before.full_height else 0.0
    if max(dx, dy) == 0:
        return image
    interpolate = pyvips.Interpolate.new("bicubic")
    area = [0, 0, after.width, after.height]
    moved = image.affine([1, 0, 0, 1], odx=dx, ody=dy, oarea=area, extend="copy", interpolate=interpolate)
    return tile_cached(moved, VIEW_TILE)


def affine(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    t, matrix = stage.transform, stage.params["matrix"].params
    if np.allclose(matrix, np.eye(3), rtol=1e-5, atol=1e-8) and stage.before == stage.after:
        return image
    return _mapped(
        image,
        matrix[:2, :2],
        matrix[:2, 2],
        stage,
        extend=_extend(t.mode),
        background=t.cval,
        interpolate=t.interpolation,
    )


def rotate(image: pyvips.Image, stage: Stage) -> pyvips.Image:
    """libvips grows the canvas to hold the turned image; its place follows from a header-only run at full size."""
    t, params = stage.transform, stage.params
    angle = params["angle"]
    canvas = pyvips.Image.black(stage.before.full_width, stage.before.full_height).similarity(angle=angle)
    turn = math.radians(angle)
    linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = np.array([canvas.xoffset, canvas.yoffset], float)
    if t.crop_border:
        shift -= [params["x_min"], params["y_min"]]
    return _mapped(image, linear, shift, stage, background=t.value, interpolate=t.interpolation)
