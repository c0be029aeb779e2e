"""Makes synthetic large images: tiled pyramidal JPEG TIFFs with structure at every scale."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyvips

from augviz.aerial import aerial
from augviz.errors import ImageError
from augviz.libvips import save_pyramid
from augviz.results import Progress, following, written_whole
from augviz.settings import Settings
from augviz.sources import check_room, synthetic_image
from augviz.tissue import MICRONS_PER_PIXEL, tissue

_MAKERS: dict[str, Callable[..., pyvips.Image]] = {"tissue": tissue, "aerial": aerial}

_PIXELS_PER_MM = {"tissue": 1000 / MICRONS_PER_PIXEL}
"""Resolution written into the file, for the kinds that have one."""

_BIG_TIFF_SIDE = 50_000
"""Files of larger sides can pass the 4 GiB of a TIFF."""


def make(
    kind: str,
    side: int,
    out_path: str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    seed: int = 1,
    settings: Settings | None = None,
) -> None:
    """Writes a synthetic image: tiles of 256 pixels, JPEG at quality 85, levels down to one tile.

    The pixels depend on kind, side and seed only. They are computed from top to bottom while they are written, in less
    than 500 MB. The file appears when it is complete; missing folders are made.

    Args:
        kind: one of `sources.SYNTHETIC_KINDS`.
        side: width and height in pixels, within `sources.SIDE_LIMITS`.
        out_path: where to write, usually `sources.synthetic_image(kind, side).path`.
        progress: called with the fraction done; what it raises ends the work and leaves no file.
        seed: another seed is another image of the kind.
        settings: whose quota counts; None is the process's.

    Raises:
        ImageError: unknown kind, impossible side, no room in the quota or on the disk, or the file cannot be written.
    """
    synthetic_image(kind, side, settings)
    check_room(kind, side, settings)
    path = Path(out_path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{path.name}: its folder cannot be made: {error.strerror}.") from error
    image = _MAKERS[kind](side, seed)
    if kind in _PIXELS_PER_MM:
        image = image.copy(xres=_PIXELS_PER_MM[kind], yres=_PIXELS_PER_MM[kind])
    with written_whole(path) as part, following(image, progress):
        save_pyramid(
            image,
            part,
            tile=True,
            tile_width=256,
            tile_height=256,
            compression="jpeg",
            Q=85,
            bigtiff=side > _BIG_TIFF_SIDE,
        )
