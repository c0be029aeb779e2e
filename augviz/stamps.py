"""What synthetic images are put together from: tiles of small things that repeat without a seam, fields, tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyvips

COARSE = 8
"""Full-size pixels for each pixel of the fields of large structures."""

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


def ellipse(rng: np.random.Generator, long_px: float, short_px: float, softness: float = 1.5) -> Floats:
    """A filled ellipse at a random angle, 0 to 1; `softness` is the width of its edge in pixels."""
    angle = rng.uniform(0, np.pi)
    half = int(np.ceil(long_px / 2 + softness)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    lumpy = 1 + 0.08 * np.sin(3 * np.arctan2(across, along) + rng.uniform(0, 6.28))
    radius = np.hypot(along / (long_px / 2), across / (short_px / 2)) * lumpy
    return np.clip((1 - radius) * short_px / 2 / softness, 0, 1)


def scatter(side: int, spacing: float, stamps: Sequence[Floats], rng: np.random.Generator) -> pyvips.Image:
    """A tile of stamps on a jittered grid.

    Returns:
        a uchar image in memory, side x side. The first bands are the stamps' (values 0 to 1 as 0 to 255, where one was
        stamped last); the last band is a rank from 1 to 255 for each stamp, 0 where there is none: the stamps whose
        rank is below a density make up that density.
    """
    bands = stamps[0].shape[2] if stamps[0].ndim == 3 else 1
    tile: Bytes = np.zeros((side, side, bands + 1), np.uint8)
    cells = int(side / spacing)
    # The higher ranks first: what stands alone at a low density is then covered by nothing.
    ranks = np.sort(rng.integers(1, 256, cells * cells))[::-1]
    for rank, cell in zip(ranks, rng.permutation(cells * cells), strict=True):
        top, left = (np.array(divmod(int(cell), cells)) + rng.uniform(0.1, 0.9, 2)) * side / cells
        _stamp(tile, stamps[int(rng.integers(len(stamps)))], int(top), int(left), int(rank))
    return pyvips.Image.new_from_array(tile).copy(interpretation="multiband")


def _stamp(tile: Bytes, stamp: Floats, top: int, left: int, rank: int) -> None:
    """Puts a stamp at a place, around the tile's edges where it reaches over them."""
    side = len(tile)
    rows = (top + np.arange(stamp.shape[0]))[:, None] % side
    columns = (left + np.arange(stamp.shape[1]))[None, :] % side
    values = stamp if stamp.ndim == 3 else stamp[..., None]
    covered = values[..., 0] > 0.02
    patch = tile[rows, columns]
    patch[covered, :-1] = np.round(values[covered] * 255)
    patch[covered, -1] = rank
    tile[rows, columns] = patch


def grain(side: int, sigma: float, rng: np.random.Generator) -> pyvips.Image:
    """A tile of normal noise around 128, uchar, one band."""
    values = np.clip(np.round(rng.normal(128, sigma, (side, side))), 0, 255).astype(np.uint8)
    return pyvips.Image.new_from_array(values)


def filling(tile: pyvips.Image, side: int) -> pyvips.Image:
    """The tile repeated over a square of `side` pixels."""
    times = -(-side // tile.width)
    return tile.replicate(times, times).crop(0, 0, side, side)


def enlarged(fields: pyvips.Image, side: int) -> pyvips.Image:
    """Coarse fields at 8 times their size, smooth; cubic only for the first doubling, which halves the time."""
    return fields.resize(2, kernel="cubic").resize(COARSE / 2, kernel="linear").crop(0, 0, side, side)


def table(values: npt.NDArray[np.float64]) -> pyvips.Image:
    """A lookup table for `maplut`: one row, uchar, a band for each column of `values`."""
    rounded = np.clip(np.round(values), 0, 255).astype(np.uint8)
    return pyvips.Image.new_from_array(rounded.reshape(1, len(rounded), -1))


def ramp(points: Sequence[tuple[int, int]]) -> pyvips.Image:
    """A lookup table of 256 values that runs straight between (position, value) points."""
    return table(np.interp(np.arange(256), [point[0] for point in points], [point[1] for point in points]))
