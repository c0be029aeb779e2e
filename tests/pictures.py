"""Real image files of many kinds, small, for tests of opening and describing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyvips
from PIL import Image

Array = npt.NDArray[np.generic]


def smooth(width: int, height: int, bands: int = 3, dtype: str = "uint8") -> Array:
    """Waves without sharp edges, so that shrinking in different ways agrees; (height, width, bands)."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [0.5 + 0.45 * np.sin(x / 17 + b) * np.cos(y / (13 + 3 * b)) for b in range(bands)]
    values = np.stack(waves, axis=-1)
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def vips(width: int = 96, height: int = 64, bands: int = 3, dtype: str = "uint8") -> pyvips.Image:
    return pyvips.Image.new_from_array(smooth(width, height, bands, dtype))


def make(kind: str, folder: Path) -> Path:
    """Writes the file of a row of `KINDS` and returns its path."""
    path = folder / f"{kind.replace(' ', '-')}.{KINDS[kind][0]}"
    if kind == "png palette":
        Image.fromarray(smooth(96, 64)).convert("P").save(path)
    elif kind == "png 1 bit":
        Image.fromarray(smooth(96, 64, 1)[..., 0]).convert("1").save(path)
    elif kind == "jpeg cmyk":
        Image.fromarray(smooth(96, 64)).convert("CMYK").save(path, quality=90)
    elif kind == "gif of 3 frames":
        frames = [Image.fromarray(np.roll(smooth(96, 64), 9 * i, axis=1)) for i in range(3)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    elif kind == "tiff of 3 pages":
        pages = [Image.fromarray(np.roll(smooth(96, 64), 9 * i, axis=1)) for i in range(3)]
        pages[0].save(path, save_all=True, append_images=pages[1:])
    else:
        _, options, (width, height, bands, dtype) = KINDS[kind]
        vips(width, height, bands, dtype).write_to_file(str(path), **options)
    return path


_TILES = {"tile": True, "tile_width": 128, "tile_height": 128}
_SMALL = (96, 64, 3, "uint8")
KINDS: dict[str, tuple[str, dict[str, object], tuple[int, int, int, str]]] = {
    "jpeg": ("jpg", {"Q": 90}, _SMALL),
    "jpeg progressive": ("jpg", {"interlace": True}, _SMALL),
    "jpeg grey": ("jpg", {}, (96, 64, 1, "uint8")),
    "jpeg cmyk": ("jpg", {}, _SMALL),
    "png": ("png", {}, _SMALL),
    "png 1 bit": ("png", {}, _SMALL),
    "png 16 bit": ("png", {}, (96, 64, 3, "uint16")),
    "png grey and alpha": ("png", {}, (96, 64, 2, "uint8")),
    "png alpha": ("png", {}, (96, 64, 4, "uint8")),
    "png palette": ("png", {}, _SMALL),
    "webp": ("webp", {}, _SMALL),
    "gif of 3 frames": ("gif", {}, _SMALL),
    "tiff in strips": ("tif", {}, _SMALL),
    "tiff in tiles": ("tif", _TILES, (300, 200, 3, "uint8")),
    "tiff pyramid of pages": ("tif", {**_TILES, "pyramid": True}, (601, 403, 3, "uint8")),
    "tiff pyramid of subifds": ("tif", {**_TILES, "pyramid": True, "subifd": True}, (600, 400, 3, "uint8")),
    "tiff of 3 pages": ("tif", {}, _SMALL),
    "tiff 16 bit": ("tif", {}, (96, 64, 1, "uint16")),
    "tiff float": ("tif", {}, (96, 64, 3, "float32")),
    "tiff of 5 bands": ("tif", {}, (96, 64, 5, "uint8")),
    "tiff int16": ("tif", {}, (96, 64, 1, "int16")),
}
"""Each kind: ending, options of libvips' writer, (width, height, bands, dtype)."""
