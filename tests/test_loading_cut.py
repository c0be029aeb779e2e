"""Files that are not all there: an error when they are opened or when they are read, never a picture with holes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile

from augviz.endings import missing
from augviz.errors import ImageError
from augviz.images import base
from augviz.loading import load
from augviz.model import InputChoice
from augviz.tiff_check import check
from tests.kinds import KINDS, Kind

NOISE = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_no_file_that_is_cut_anywhere_gives_other_pixels(kind: Kind, tmp_path: Path) -> None:
    path = kind.make(tmp_path)
    whole, pixels = path.read_bytes(), load(path).numpy()
    cuts = [len(whole) * part // 24 for part in range(1, 24)] + [len(whole) - rest for rest in (1, 3, 13, 25)]

    opened = 0
    for number, cut in enumerate(cuts):
        short = tmp_path / f"{number}-{kind.name}"
        short.write_bytes(whole[:cut])
        try:
            found = load(short)
        except ImageError as error:
            assert f"{short.name}: " in str(error)  # noqa: PT017 - either outcome is right
            continue
        opened += 1
        assert np.array_equal(found.numpy(), pixels), cut

    assert opened <= 3  # the last bytes of a PNG, a GIF or a chain of directories: nothing of the pixels is missing


def test_whole_files_have_no_gap(tmp_path: Path) -> None:
    paths = [kind.make(tmp_path) for kind in KINDS.values()]

    assert [path.name for path in paths if check(path).gap or missing(path)] == []


@pytest.mark.parametrize(
    "name", ["pyramid.tif", "subifds.tif", "big-tiles.tif", "image.ome.tif", "slide.svs", "big-motorola.tif"]
)
def test_a_tiff_without_its_last_quarter_is_told_by_its_directories(name: str, tmp_path: Path) -> None:
    path = KINDS[name].make(tmp_path)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size * 3 // 4])

    gap = check(path).gap

    assert gap is not None
    assert gap.endswith(f"and the file at byte {size * 3 // 4}")


def tiff_of_noise(path: Path, **options: object) -> tuple[bytearray, tifffile.TiffPage]:
    """The bytes of a TIFF that tifffile writes, and its first page."""
    tifffile.imwrite(path, NOISE, photometric="rgb", **options)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
    assert isinstance(page, tifffile.TiffPage)
    return bytearray(path.read_bytes()), page


def put(content: bytearray, page: tifffile.TiffPage, tag: str, number: int, value: int) -> None:
    """Overwrites one value of a tag."""
    found = page.tags[tag]
    code = {3: "H", 4: "I", 16: "Q"}[int(found.dtype)]
    struct.pack_into("<" + code, content, found.valueoffset + number * struct.calcsize(code), value)


STORED = [
    {"tile": (32, 32)},
    {"tile": (32, 32), "compression": "zlib"},
    {"rowsperstrip": 8},
    {"rowsperstrip": 8, "compression": "zlib"},
]


@pytest.mark.parametrize(
    ("options", "number"),
    [*((options, 2) for options in STORED), (STORED[1], 0), (STORED[3], 0)],  # libtiff mends the first of plain ones
)
def test_a_tile_or_strip_that_is_too_short_is_an_error_and_not_black(
    options: dict[str, object], number: int, tmp_path: Path
) -> None:
    path = tmp_path / "short.tif"
    content, page = tiff_of_noise(path, **options)
    counts = "TileByteCounts" if page.is_tiled else "StripByteCounts"
    put(content, page, counts, number, page.databytecounts[number] // 2)
    path.write_bytes(content)

    image = load(path)
    with pytest.raises(pyvips.Error):
        image.copy_memory()
    with pytest.raises(ImageError, match=r"short\.tif: the file is damaged, cut short or not supported: \w"):
        base(path, InputChoice(), 20, 20)


@pytest.mark.parametrize("options", STORED, ids=["tiles", "deflated tiles", "strips", "deflated strips"])
@pytest.mark.parametrize("beyond", [0, 1, 4000])
def test_a_tile_or_strip_beyond_the_end_is_an_error_when_opening(
    options: dict[str, object], beyond: int, tmp_path: Path
) -> None:
    path = tmp_path / "beyond.tif"
    content, page = tiff_of_noise(path, **options)
    put(content, page, "TileOffsets" if page.is_tiled else "StripOffsets", 2, len(content) + beyond)
    path.write_bytes(content)

    with pytest.raises(ImageError, match=r"beyond\.tif: .* a (tile|strip) of the first directory ends at byte \d+ and"):
        load(path)


def test_tiles_that_were_left_out_on_purpose_are_black(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    content, page = tiff_of_noise(path, tile=(32, 32))
    put(content, page, "TileOffsets", 1, 0)
    put(content, page, "TileByteCounts", 1, 0)
    path.write_bytes(content)

    pixels = load(path).numpy()

    assert check(path).is_sparse
    assert not pixels[:32, 32:64].any()
    assert np.array_equal(pixels[32:], NOISE[32:])


def test_a_last_strip_whose_count_is_padded_is_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "padded.tif"
    content, page = tiff_of_noise(path, rowsperstrip=48)
    put(content, page, "StripByteCounts", 2, 48 * 128 * 3)
    path.write_bytes(content)

    assert check(path).gap is None


@pytest.mark.parametrize("options", STORED, ids=["tiles", "deflated tiles", "strips", "deflated strips"])
def test_a_private_tag_that_points_nowhere_is_no_harm(options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "private.tif"
    content, page = tiff_of_noise(path, **options, extratags=[(50000, "s", 0, "words of a program", True)])
    struct.pack_into("<I", content, page.tags[50000].offset + 8, 10**9)
    path.write_bytes(content)

    assert np.array_equal(load(path).numpy(), NOISE)


@pytest.mark.parametrize("options", STORED, ids=["tiles", "deflated tiles", "strips", "deflated strips"])
def test_a_text_without_its_last_byte_is_no_harm(options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "text.tif"
    content, page = tiff_of_noise(path, **options, description="written by a microscope", metadata=None)
    tag = page.tags["ImageDescription"]
    struct.pack_into("<I", content, tag.offset + 4, tag.count - 2)
    path.write_bytes(content)

    assert np.array_equal(load(path).numpy(), NOISE)


def test_directories_that_go_round_in_a_circle_are_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    content, page = tiff_of_noise(path, metadata=None)
    after = page.offset + 2 + 12 * struct.unpack_from("<H", content, page.offset)[0]
    struct.pack_into("<I", content, after, page.offset)
    path.write_bytes(content)

    assert check(path).gap is None
    assert np.array_equal(load(path).numpy(), NOISE)


@pytest.mark.parametrize("name", ["baseline.jpg", "progressive.jpg", "8-bit.png", "lossy.webp", "one.gif", "tiles.tif"])
def test_bytes_after_the_end_are_no_fault(name: str, tmp_path: Path) -> None:
    path = KINDS[name].make(tmp_path)
    pixels = load(path).numpy()
    path.write_bytes(path.read_bytes() + b"\0a film\0" * 20_000)

    assert np.array_equal(load(path).numpy(), pixels)


def _half_png() -> bytes:
    content: bytes = pyvips.Image.new_from_array(NOISE).pngsave_buffer()
    start = content.index(b"IDAT") + 4
    middle = start + (len(content) - start) // 2
    return content[:middle] + bytes(50) + content[middle + 50 :]


def _half_webp() -> bytes:
    content: bytes = pyvips.Image.new_from_array(NOISE).webpsave_buffer()
    half = content[: len(content) // 4 * 2]
    return half[:4] + struct.pack("<I", len(half) - 8) + half[8:16] + struct.pack("<I", len(half) - 20) + half[20:]


@pytest.mark.parametrize(("name", "make"), [("half.png", _half_png), ("half.webp", _half_webp)])
def test_pixels_that_are_missing_inside_are_an_error_and_not_grey(
    name: str, make: Callable[[], bytes], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(make())

    with pytest.raises(ImageError, match=rf"{name}: the file is damaged, cut short"):
        base(tmp_path / name, InputChoice(), 20, 20)


def _jpeg(**options: object) -> bytes:
    content: bytes = pyvips.Image.new_from_array(NOISE).jpegsave_buffer(**options)
    return content


def _taller() -> bytes:
    """Its header claims twice the rows that there are."""
    content = _jpeg()
    height = content.index(b"\xff\xc0") + 5
    return content[:height] + struct.pack(">H", 256) + content[height + 2 :]


@pytest.mark.parametrize(
    "make",
    [
        lambda: _jpeg()[: len(_jpeg()) // 2] + b"\xff\xd9",
        lambda: _jpeg(interlace=True)[: len(_jpeg(interlace=True)) // 2] + b"\xff\xd9",
        lambda: _jpeg()[: len(_jpeg()) // 3] + _jpeg()[len(_jpeg()) * 2 // 3 :],
        _taller,
    ],
    ids=["ends early", "progressive", "a gap", "too tall"],
)
def test_a_jpeg_whose_data_end_too_early_is_an_error_though_it_has_an_end(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "hole.jpg"
    path.write_bytes(make())

    with pytest.raises(ImageError, match=r"hole\.jpg: the file is damaged, cut short .*Corrupt JPEG data"):
        base(path, InputChoice(), 20, 20)


def test_bytes_between_the_parts_of_a_jpegs_header_are_no_harm(tmp_path: Path) -> None:
    path, content = tmp_path / "odd.jpg", _jpeg()
    path.write_bytes(content[:2] + b"\0\0\0" + content[2:])

    assert np.array_equal(load(path).numpy(), pyvips.Image.new_from_buffer(content, "").numpy())


def test_a_gif_without_its_last_byte_is_whole(tmp_path: Path) -> None:
    path = KINDS["frames.gif"].make(tmp_path)
    pixels = load(path).numpy()
    path.write_bytes(path.read_bytes()[:-1])

    assert np.array_equal(load(path).numpy(), pixels)


def test_a_million_tiles_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    count = 1024 * 1024
    table = 8 + 2 + 10 * 12 + 4
    data = table + 8 * count
    one = ((256, 16384), (257, 16384), (258, 8), (259, 8), (262, 1), (277, 1), (322, 16), (323, 16))
    entries = [(tag, 4, 1, value) for tag, value in one] + [(324, 4, count, table), (325, 4, count, table + 4 * count)]
    head = struct.pack("<2sHIH", b"II", 42, 8, 10) + b"".join(struct.pack("<HHII", *e) for e in entries) + bytes(4)
    offsets = np.full(count, data, "<u4")
    path.write_bytes(head + offsets.tobytes() + np.full(count, 9, "<u4").tobytes() + bytes(9))

    assert check(path).gap is None
    offsets[-1] += 1
    path.write_bytes(head + offsets.tobytes() + np.full(count, 9, "<u4").tobytes() + bytes(9))
    assert check(path).gap == f"a tile of the first directory ends at byte {data + 10} and the file at byte {data + 9}"


@pytest.mark.parametrize("big", [False, True])
def test_sizes_beyond_any_file_are_no_bug(big: bool, tmp_path: Path) -> None:
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, NOISE[..., 0], bigtiff=big)
    data = bytearray(path.read_bytes())
    entry, most = ("<HHQQ", 2**64 - 1) if big else ("<HHII", 2**32 - 1)
    for tag in (256, 257, 278):  # width, height, rows of a strip
        at = data.find(struct.pack("<H", tag), 8)
        data[at : at + struct.calcsize(entry)] = struct.pack(entry, tag, 16 if big else 4, 1, most)
    path.write_bytes(data)

    assert check(path) is not None
    with pytest.raises(ImageError):
        load(path)
