"""Small files of every kind that is opened, each with what its header must tell; the tests make them themselves."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
import tifffile
from PIL import Image

from augviz import loading
from tests.pictures import Array, smooth

Write = Callable[[Path], None]
"""Makes a file at a path."""

WIDTH, HEIGHT = 96, 64
LARGE_WIDTH, LARGE_HEIGHT = 600, 400


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the file that `make` writes; its ending is the kind's.
        write: makes the file at a path.
        size: width and height in pixels.
        bands, format: as libvips names them.
        levels, pages: of the pyramid; pages that are no levels.
        orientation: EXIF orientation.
        mpp: microns per pixel in x, None where the file has none.
        loader: libvips' name of it.
        refused_by: name of the transform of the tutorial's pipeline that the library breaks on, None where it works.
    """

    name: str
    write: Callable[[Path], None]
    loader: str
    bands: int = 3
    format: str = "uchar"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    levels: int = 1
    pages: int = 1
    orientation: int = 1
    mpp: float | None = None
    refused_by: str | None = None

    def make(self, folder: Path) -> Path:
        """Writes the file and returns its path."""
        path = folder / self.name
        self.write(path)
        return path


def _vips(bands: int = 3, dtype: str = "uint8", size: tuple[int, int] = (WIDTH, HEIGHT), **options: object) -> Write:
    """Written by libvips."""

    def write(path: Path) -> None:
        pyvips.Image.new_from_array(smooth(*size, bands, dtype)).write_to_file(str(path), **options)

    return write


def _pillow(mode: str = "RGB", **options: object) -> Write:
    """Written by Pillow."""
    return lambda path: Image.fromarray(smooth(WIDTH, HEIGHT)).convert(mode).save(path, **options)


def _frames(path: Path) -> None:
    frames = [Image.fromarray(np.roll(smooth(WIDTH, HEIGHT), 9 * i, axis=1)) for i in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _grey_16(path: Path) -> None:
    Image.fromarray(smooth(WIDTH, HEIGHT, 1, "uint16")[..., 0]).save(path)


def _turned(orientation: int) -> Write:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _pillow(exif=exif, quality=90)


def _tifffile(
    bands: int = 3, dtype: str = "uint8", size: tuple[int, int] = (WIDTH, HEIGHT), **options: object
) -> Write:
    """Written by tifffile; `separate` puts the bands one after the other."""
    separate = options.get("planarconfig") == "separate"

    def write(path: Path) -> None:
        pixels: Array = smooth(*size, bands, dtype)
        pixels = np.moveaxis(pixels, -1, 0) if separate else pixels[..., 0] if bands == 1 else pixels
        tifffile.imwrite(path, np.ascontiguousarray(pixels), **{"photometric": "minisblack", **options})

    return write


def _complex(path: Path) -> None:
    tifffile.imwrite(path, smooth(WIDTH, HEIGHT, 1, "float32")[..., 0].astype("complex64"))


def _ome(path: Path) -> None:
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25}
    pixels = smooth(LARGE_WIDTH, LARGE_HEIGHT)
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"photometric": "rgb", "tile": (128, 128)}
        writer.write(pixels, subifds=2, metadata=metadata, **options)
        writer.write(pixels[::2, ::2], subfiletype=1, **options)
        writer.write(pixels[::4, ::4], subfiletype=1, **options)


def _svs(path: Path) -> None:
    pixels = smooth(LARGE_WIDTH, LARGE_HEIGHT)
    description = "Aperio Image Library v12.0.15\r\n600x400 [0,0 600x400] (128x128)|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(path) as writer:
        options = {"photometric": "rgb", "metadata": None}
        writer.write(pixels, tile=(128, 128), description=description, **options)
        writer.write(pixels[::3, ::3], description="Aperio Image Library v12.0.15", **options)
        writer.write(pixels[::4, ::4], tile=(128, 128), **options)
        writer.write(pixels[:40, :50], subfiletype=1, description="label 50x40", **options)


def png(width: int, height: int, bits: int, colour: int, pixels: bytes, interlace: int = 0) -> bytes:
    """A PNG from its fields; `pixels` are the filtered rows, not yet compressed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(pixels, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _png_of_bits(bits: int) -> Write:
    """Grey, with less than a byte for each pixel."""
    row = b"\0" + bytes(range(7, 7 + WIDTH * bits // 8))

    def write(path: Path) -> None:
        path.write_bytes(png(WIDTH, HEIGHT, bits, 0, row * HEIGHT))

    return write


_TILES = {"tile": True, "tile_width": 128, "tile_height": 128}
_LARGE = (LARGE_WIDTH, LARGE_HEIGHT)


def _table() -> tuple[Kind, ...]:
    jpeg, png_, tiff = "jpegload", "pngload", "tiffload"
    brightness = "RandomBrightnessContrast"  # albumentationsxl 0.1.2 breaks on grey and on formats with a sign
    return (
        Kind("baseline.jpg", _vips(Q=90), jpeg),
        Kind("progressive.jpg", _vips(interlace=True), jpeg),
        Kind("grey.jpg", _vips(1), jpeg, bands=1, refused_by=brightness),
        Kind("cmyk.jpg", _pillow("CMYK", quality=90), jpeg, bands=4),
        *(Kind(f"turned-{n}.jpg", _turned(n), jpeg, orientation=n) for n in range(1, 9)),
        *(Kind(f"{bits}-bit.png", _png_of_bits(bits), png_, bands=1, refused_by=brightness) for bits in (1, 2, 4)),
        Kind("8-bit.png", _vips(), png_),
        Kind("16-bit.png", _vips(3, "uint16"), png_, format="ushort"),
        Kind("grey-16-bit.png", _grey_16, png_, bands=1, format="ushort"),
        Kind("palette.png", _pillow("P"), png_),
        Kind("alpha.png", _vips(4), png_, bands=4),
        Kind("grey-alpha.png", _vips(2), png_, bands=2, refused_by=brightness),
        Kind("interlaced.png", _vips(interlace=True), png_),
        Kind("lossy.webp", _vips(), "webpload"),
        Kind("lossless.webp", _vips(lossless=True), "webpload"),
        Kind("alpha.webp", _vips(4), "webpload", bands=4),
        Kind("frames.webp", _frames, "webpload", pages=3),
        Kind("one.gif", _vips(), "gifload"),
        Kind("frames.gif", _frames, "gifload", bands=4, pages=3),
        Kind("pages.tif", _frames, tiff, pages=3),
        *(Kind(f"{bits}-bit.tif", _vips(1, bitdepth=bits), tiff, bands=1, refused_by=brightness) for bits in (1, 2, 4)),
        Kind("8-bit.tif", _vips(), tiff),
        Kind("int8.tif", _tifffile(1, "int8"), tiff, bands=1, format="char", refused_by=brightness),
        Kind("uint16.tif", _vips(3, "uint16"), tiff, format="ushort"),
        Kind("int16.tif", _vips(1, "int16"), tiff, bands=1, format="short", refused_by=brightness),
        Kind("uint32.tif", _vips(1, "uint32"), tiff, bands=1, format="uint"),
        Kind("int32.tif", _vips(3, "int32"), tiff, format="int", refused_by=brightness),
        Kind("float16.tif", _tifffile(1, "float16"), tiff, bands=1, format="float"),
        Kind("float32.tif", _vips(3, "float32"), tiff, format="float"),
        Kind("deflated.tif", _vips(compression="deflate", predictor="horizontal"), tiff),
        Kind("lzw.tif", _vips(compression="lzw"), tiff),
        Kind("jpeg.tif", _vips(compression="jpeg", **_TILES), tiff),
        Kind("webp.tif", _vips(compression="webp", **_TILES), tiff),
        Kind("cmyk.tif", _pillow("CMYK"), tiff, bands=4),
        Kind("palette.tif", _pillow("P"), tiff),
        Kind("motorola.tif", _tifffile(byteorder=">", photometric="rgb"), tiff),
        Kind("motorola-16.tif", _tifffile(1, "uint16", byteorder=">"), tiff, bands=1, format="ushort"),
        Kind("strips.tif", _tifffile(photometric="rgb", rowsperstrip=8), tiff),
        Kind("tiles.tif", _vips(3, size=_LARGE, **_TILES), tiff, size=_LARGE),
        Kind("pyramid.tif", _vips(3, size=_LARGE, pyramid=True, **_TILES), tiff, size=_LARGE, levels=4),
        Kind("subifds.tif", _vips(3, size=_LARGE, pyramid=True, subifd=True, **_TILES), tiff, size=_LARGE, levels=4),
        Kind("big.tif", _vips(bigtiff=True), tiff),
        Kind("big-tiles.tif", _vips(3, size=_LARGE, bigtiff=True, pyramid=True, **_TILES), tiff, size=_LARGE, levels=4),
        Kind("big-motorola.tif", _tifffile(bigtiff=True, byteorder=">", photometric="rgb"), tiff),
        Kind("separate.tif", _tifffile(photometric="rgb", planarconfig="separate"), tiff),
        Kind("separate-7.tif", _tifffile(7, planarconfig="separate", metadata=None), tiff, bands=7),
        Kind("image.ome.tif", _ome, tiff, size=_LARGE, levels=3, mpp=0.25),
        Kind("slide.svs", _svs, tiff, size=_LARGE, levels=2, pages=3, mpp=0.499),
        Kind("5-bands.tif", _vips(5), tiff, bands=5),
        Kind("7-bands-16.tif", _vips(7, "uint16"), tiff, bands=7, format="ushort", refused_by="Normalize"),
        Kind("8-bit.avif", _vips(compression="av1"), "heifload"),
    )


def _mirax(path: Path) -> None:
    """The overview in JPEG, which is all that a .mrxs file holds."""
    pyvips.Image.new_from_array(smooth(WIDTH, HEIGHT)).jpegsave(str(path))


def _beginning(content: bytes) -> Write:
    """A file with these first bytes and nothing that a loader could read."""

    def write(path: Path) -> None:
        path.write_bytes(content + bytes(500))

    return write


@dataclass(frozen=True, slots=True)
class Refused:
    """A kind of file that is not opened: the words of its sentence, and the loader that would make it one that is."""

    name: str
    write: Callable[[Path], None]
    words: str
    loader: str = ""


_MISSING = "has no {} loader; take the system's libvips in place of the pyvips-binary wheel, see the README"
_SLIDES = _MISSING.format("Openslide")

REFUSED: tuple[Refused, ...] = (
    Refused("double.tif", _tifffile(1, "float64"), "libvips does not read TIFF samples of more than 32 bits"),
    Refused("complex.tif", _complex, "libvips does not read TIFF samples of more than 32 bits"),
    Refused("lab.tif", _pillow("LAB"), "libvips does not read TIFF in 8-bit CIELAB"),
    Refused(
        "planes.tif",
        _tifffile(photometric="rgb", planarconfig="separate", tile=(32, 32)),
        "TIFF that keeps each band in tiles of its own",
    ),
    Refused("photo.bmp", _pillow(), _MISSING.format("Magick"), "BMP"),
    Refused("photo.psd", _beginning(b"8BPS"), "convert it elsewhere"),
    Refused("photo.jp2", _beginning(b"\0\0\0\x0cjP  \r\n\x87\n"), _MISSING.format("Jp2k"), "JPEG 2000"),
    Refused("photo.j2k", _beginning(b"\xff\x4f\xff\x51"), _MISSING.format("Jp2k"), "JPEG 2000"),
    Refused("photo.jxl", _beginning(b"\xff\x0a"), _MISSING.format("Jxl"), "JPEG XL"),
    Refused("slide.mrxs", _mirax, _SLIDES, loading.SLIDES),
    Refused("slide.vms", _beginning(b"[Virtual Microscope Specimen]\n"), _SLIDES, loading.SLIDES),
    Refused("slide.czi", _beginning(b"ZISRAWFILE"), _SLIDES, loading.SLIDES),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _table()}
"""By name of the file."""
