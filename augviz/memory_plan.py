"""What is to be loaded, and how: an image's size, a DataLoader's numbers. Values only; `memory.py` is the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from augviz.errors import ArgumentError

BYTES: Mapping[str, int] = {
    "uint8": 1,
    "int8": 1,
    "uint16": 2,
    "int16": 2,
    "float16": 2,
    "bfloat16": 2,
    "uint32": 4,
    "int32": 4,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}
"""Bytes of one value in each dtype, by the names of numpy and PyTorch."""

DEVICE_DTYPES = ("float32", "float16", "bfloat16", "uint8")
"""What a tensor on the device may be made of."""

STARTS = ("fork", "spawn")
"""How a DataLoader's workers may be started."""

MAX_SIDE = 10_000_000
MAX_BANDS = 10_000
MAX_COUNT = 1_000_000
"""Highest batch size, number of workers and prefetch factor."""

DISC_BYTES = 100 * 2**20
"""From here on libvips decodes an image into a temporary file (its default, VIPS_DISC_THRESHOLD)."""

TILE_SIDE = 256
"""Side of a TIFF's tiles, where it is not known."""


def image_bytes(width: int, height: int, bands: int, dtype: str) -> int:
    """Bytes of the pixels of an image, in a plain array."""
    if dtype not in BYTES:
        raise ArgumentError(f"dtype: must be one of {', '.join(BYTES)}, got {dtype!r}.")
    return width * height * bands * BYTES[dtype]


@dataclass(frozen=True, slots=True)
class Source:
    """The image file that a pipeline reads.

    Attributes:
        width, height: pixels.
        pixel_bytes: bytes of one pixel, all bands.
        region_readable: whether parts can be decoded by themselves (a tiled TIFF); else the whole file is decoded.
        tile_height: lines of one row of tiles.
    """

    width: int
    height: int
    pixel_bytes: int = 3
    region_readable: bool = True
    tile_height: int = TILE_SIDE

    def __post_init__(self) -> None:
        _check("source width", self.width, 1, MAX_SIDE)
        _check("source height", self.height, 1, MAX_SIDE)
        _check("source bytes per pixel", self.pixel_bytes, 1, MAX_BANDS * 16)
        _check("source tile height", self.tile_height, 1, MAX_SIDE)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all pixels."""
        return self.width * self.height * self.pixel_bytes

    @property
    def is_decoded_to_disc(self) -> bool:
        """Whether libvips decodes the whole file into a temporary one, since it is too large to be decoded in memory."""
        return not self.region_readable and self.decoded_bytes > DISC_BYTES


@dataclass(frozen=True, slots=True)
class Plan:
    """How images are loaded for training, and in what shape.

    Attributes:
        width, height, bands, dtype: what the pipeline gives, and ToTensor takes over.
        batch: images in a batch, all of this size.
        workers: processes of the DataLoader; 0 loads in the process itself.
        prefetch: the DataLoader's prefetch_factor, batches each worker is ahead; without workers it has no effect.
        pinned: whether the DataLoader copies batches into page-locked memory.
        persistent: whether workers stay between epochs.
        device_dtype: of the tensor that the model gets.
        normalise_on_device: keep the batch on the device as it came, and convert tile by tile to `device_dtype`.
        device_tile: side of those tiles in pixels.
        start: how workers are started; "fork" shares what the process has imported, "spawn" imports it again in each.
        threads: of libvips in each process that loads, VIPS_CONCURRENCY.
        source: the file; None is a tiled TIFF of the result's size and bands in 8 bit.
    """

    width: int
    height: int
    bands: int = 3
    dtype: str = "float32"
    batch: int = 1
    workers: int = 0
    prefetch: int = 2
    pinned: bool = False
    persistent: bool = False
    device_dtype: str = "float32"
    normalise_on_device: bool = False
    device_tile: int = 1024
    start: str = "fork"
    threads: int = 2
    source: Source | None = None

    def __post_init__(self) -> None:
        _check("width", self.width, 1, MAX_SIDE)
        _check("height", self.height, 1, MAX_SIDE)
        _check("bands", self.bands, 1, MAX_BANDS)
        _check("batch", self.batch, 1, MAX_COUNT)
        _check("workers", self.workers, 0, MAX_COUNT)
        _check("prefetch", self.prefetch, 1, MAX_COUNT)
        _check("device tile", self.device_tile, 1, MAX_SIDE)
        _check("threads", self.threads, 1, MAX_COUNT)
        if self.dtype not in BYTES:
            raise ArgumentError(f"dtype: must be one of {', '.join(BYTES)}, got {self.dtype!r}.")
        if self.start not in STARTS:
            raise ArgumentError(f"start: must be one of {', '.join(STARTS)}, got {self.start!r}.")
        if self.device_dtype not in DEVICE_DTYPES:
            raise ArgumentError(f"device dtype: must be one of {', '.join(DEVICE_DTYPES)}, got {self.device_dtype!r}.")

    @property
    def image_bytes(self) -> int:
        """Bytes of one result."""
        return image_bytes(self.width, self.height, self.bands, self.dtype)

    @property
    def batch_bytes(self) -> int:
        """Bytes of one batch of results."""
        return self.batch * self.image_bytes

    @property
    def file(self) -> Source:
        """The source, or what stands for it."""
        return self.source or Source(self.width, self.height, self.bands)


def _check(name: str, value: int, min_value: int, max_value: int) -> None:
    if not min_value <= value <= max_value:
        got = value if abs(value) < 10**15 else "a number of more than 15 digits"
        raise ArgumentError(f"{name}: must lie within {min_value} and {max_value}, got {got}.")
