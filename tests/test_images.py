"""Opening: the faithful image, what can be chosen instead, bases, and what is refused."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from augviz.errors import ArgumentError, ImageError
from augviz.images import base, clear_caches, level, open_image, tile_cached
from augviz.loading import load, read_problem, reading
from augviz.model import InputChoice
from tests.pictures import KINDS, make, smooth, vips


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and which holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_choice_gives_what_new_from_file_gives(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    reference = pyvips.Image.new_from_file(str(path))

    image = open_image(path)

    assert (image.bands, image.format, image.interpretation) == (
        reference.bands,
        reference.format,
        reference.interpretation,
    )
    assert np.array_equal(image.numpy(), reference.numpy())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_stays_as_stored_unless_upright_is_chosen(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth(96, 64)).save(path, exif=exif, quality=95)
    reference = pyvips.Image.new_from_file(str(path))

    assert np.array_equal(open_image(path).numpy(), reference.numpy())
    for access in ("random", "sequential"):
        upright = open_image(path, InputChoice(upright=True), access=access)
        assert np.array_equal(upright.numpy(), reference.autorot().numpy())


def test_pages_are_chosen_by_number(tmp_path: Path) -> None:
    path = make("tiff of 3 pages", tmp_path)

    page = open_image(path, InputChoice(page=2))

    assert np.array_equal(page.numpy(), np.roll(smooth(96, 64), 18, axis=1))


@pytest.mark.parametrize("kind", ["tiff pyramid of pages", "tiff pyramid of subifds"])
def test_levels_are_chosen_by_number(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)

    image = open_image(path, InputChoice(level=1))

    assert (image.width, image.height) == (300, 200 if "subifds" in kind else 201)


def test_sixteen_bits_become_eight_by_choice(tmp_path: Path) -> None:
    path = make("png 16 bit", tmp_path)

    image = open_image(path, InputChoice(as_8_bit=True))

    assert image.format == "uchar"
    assert np.abs(image.numpy().astype(int) - smooth(96, 64).astype(int)).max() <= 1


def test_the_first_bands_are_kept_by_choice(tmp_path: Path) -> None:
    path = make("tiff of 5 bands", tmp_path)

    image = open_image(path, InputChoice(bands=3))

    assert np.array_equal(image.numpy(), smooth(96, 64, 5)[..., :3])


@pytest.mark.parametrize(
    ("kind", "choice", "words"),
    [
        ("tiff of 3 pages", InputChoice(page=3), "there is no page 3; the file has 3 pages"),
        ("jpeg", InputChoice(page=1), "the file has 1 page,"),
        ("jpeg", InputChoice(level=1), "there is no level 1; the file has 1 level,"),
        ("jpeg", InputChoice(bands=4), "within 1 and 3, got 4"),
        ("jpeg", InputChoice(level=-1), "there is no level -1"),
    ],
)
def test_a_choice_that_the_file_cannot_fulfil_is_refused(
    kind: str, choice: InputChoice, words: str, tmp_path: Path
) -> None:
    path = make(kind, tmp_path)

    with pytest.raises(ImageError, match=words):
        open_image(path, choice)


def test_a_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "same.png"
    vips(96, 64).write_to_file(str(path))
    before = open_image(path).width
    vips(40, 64).write_to_file(str(path))

    assert (before, open_image(path).width) == (96, 40)


def hostile_files(folder: Path) -> dict[str, str]:
    """Writes files that must not open; their names, and words of the sentence about each."""
    (folder / "folder.png").mkdir()
    make("jpeg", folder)
    make("tiff in strips", folder)
    whole_tiff = (folder / "tiff-in-strips.tif").read_bytes()
    texts = {
        "empty.jpg": (b"", "empty"),
        "text.jpg": (b"not an image at all\n", "not an image"),
        "drawing.svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
        "table.csv": (b"1,2,3\n4,5,6\n", "not an image"),
        "matrix.mat": (b"2 2\n1 2\n3 4\n", "not an image"),
        "page.pdf": (b"%PDF-1.4\n", "PDF files are not opened"),
        "cut.tif": (whole_tiff[: len(whole_tiff) // 2], "begins like TIFF but is damaged or cut short"),
        "liar.png": (png_claiming(20_000, 20_000), "pixels for each byte"),
        "huge.png": (png_claiming(2_000_000, 10), "more than 1000000 pixels"),
    }
    for name, (content, _) in texts.items():
        (folder / name).write_bytes(content)
    vips().write_to_file(str(folder / "kept.v"))
    found = {name: words for name, (_, words) in texts.items()}
    return {**found, "kept.v": "libvips files are not opened", "folder.png": "folder", "missing.png": "no such file"}


def test_what_is_not_an_offered_image_is_refused_in_one_sentence_without_its_folder(tmp_path: Path) -> None:
    for name, words in hostile_files(tmp_path).items():
        with pytest.raises(ImageError, match=words) as caught:
            open_image(tmp_path / name)

        assert str(caught.value).startswith(f"{name}: "), name
        assert str(tmp_path) not in str(caught.value), name
        assert "\n" not in str(caught.value), name


def test_more_pixels_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from augviz.settings import get_settings

    path = make("jpeg", tmp_path)
    monkeypatch.setenv("AUGVIZ_PIXEL_LIMIT", "6000")
    get_settings.cache_clear()
    try:
        with pytest.raises(ImageError, match="96 x 64 pixels, more than the limit"):
            open_image(path)
    finally:
        monkeypatch.delenv("AUGVIZ_PIXEL_LIMIT")
        get_settings.cache_clear()


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_file_that_is_cut_short_is_an_error_when_it_is_opened(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(ImageError, match=f"{path.name}: the file is damaged, cut short"):
        open_image(path)


def test_a_file_that_is_damaged_inside_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    path = make("png", tmp_path)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(9) + content[middle + 9 :])

    with pytest.raises(ImageError, match=r"png\.png: the file is damaged, cut short"):
        base(path, InputChoice(), 20, 20)
    with pytest.raises(pyvips.Error) as caught:
        open_image(path).avg()
    assert isinstance(read_problem(caught.value, path), ImageError)


def test_an_error_of_another_operation_is_not_taken_for_the_file() -> None:
    with pytest.raises(pyvips.Error) as caught:
        pyvips.Image.black(10, 10).crop(5, 5, 10, 10)

    assert read_problem(caught.value, "picture.png") is None


def test_a_lack_of_memory_says_nothing_of_the_file(tmp_path: Path) -> None:
    error = pyvips.Error("unable to call pngload", "pngload: out of memory --- size == 3MB")

    with pytest.raises(MemoryError, match="3MB"):
        read_problem(error, "picture.png")
    with pytest.raises(MemoryError), reading(tmp_path / "picture.png"):
        raise error


def test_warnings_of_libvips_never_reach_stderr(tmp_path: Path) -> None:
    path = tmp_path / "damaged.png"
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    pyvips.Image.new_from_array(noise).pngsave(str(path))
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(3) + content[middle + 3 :])
    script = (
        "import logging; logging.basicConfig(level=logging.WARNING)\n"
        f"import pyvips, augviz.loading; pyvips.Image.new_from_file({str(path)!r}).avg()"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VIPS_")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environ)

    assert done.stderr == ""


def lanczos(image: pyvips.Image, width: int, height: int) -> np.ndarray:
    return image.resize(width / image.width, vscale=height / image.height, kernel="lanczos3").numpy().astype(float)


def psnr(one: np.ndarray, other: np.ndarray, peak: float = 255) -> float:
    return float(20 * np.log10(peak / max(1e-9, np.sqrt(np.mean((one - other) ** 2)))))


@pytest.mark.parametrize(
    ("name", "options", "at_least"),
    [
        ("strip.tif", {}, 200),
        ("flat.png", {}, 200),
        ("pages.tif", {"tile": True, "pyramid": True}, 40),
        ("subifds.tif", {"tile": True, "pyramid": True, "subifd": True}, 40),
        ("photo.jpg", {"Q": 95}, 40),
    ],
)
def test_a_base_is_the_shrunk_full_size(name: str, options: dict[str, object], at_least: int, tmp_path: Path) -> None:
    path = tmp_path / name
    pyvips.Image.new_from_array(smooth(1001, 703)).write_to_file(str(path), **options)
    full = pyvips.Image.new_from_file(str(path))

    image = base(path, InputChoice(), 83, 58)

    assert (image.width, image.height, image.bands, image.format) == (83, 58, 3, "uchar")
    assert psnr(image.numpy().astype(float), lanczos(full, 83, 58)) >= at_least


@pytest.mark.parametrize("kind", ["tiff float", "png 16 bit", "tiff of 5 bands", "jpeg cmyk", "png grey and alpha"])
def test_a_base_keeps_bands_format_and_colour(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    full = pyvips.Image.new_from_file(str(path))

    image = base(path, InputChoice(), 31, 29)

    assert (image.bands, image.format, image.interpretation) == (full.bands, full.format, full.interpretation)
    assert np.allclose(image.numpy(), lanczos(full, 31, 29), atol=1e-4)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_base_of_an_upright_image_is_turned(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "turned.tif"
    marked = pyvips.Image.new_from_array(smooth(600, 400)).copy()
    marked.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    marked.tiffsave(str(path), tile=True, pyramid=True)
    choice = InputChoice(upright=True)
    upright = open_image(path, choice)

    image = base(path, choice, upright.width // 6, upright.height // 6)

    assert psnr(image.numpy().astype(float), lanczos(upright, image.width, image.height)) > 38


def test_the_base_at_full_size_is_the_faithful_image(tmp_path: Path) -> None:
    path = make("png 16 bit", tmp_path)

    image = base(path, InputChoice(), 96, 64)

    assert np.array_equal(image.numpy(), smooth(96, 64, 3, "uint16"))


def test_the_same_base_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    path = make("png", tmp_path)
    first = base(path, InputChoice(), 20, 20)

    assert base(path, InputChoice(), 20, 20) is first

    vips(96, 64, 1).write_to_file(str(path))
    os.utime(path, (1, 1))
    assert base(path, InputChoice(), 20, 20).bands == 1
    clear_caches()
    assert base(path, InputChoice(), 20, 20) is not first


@pytest.mark.parametrize("size", [(97, 10), (0, 10), (10, 65)])
def test_a_base_is_never_larger_than_the_image(size: tuple[int, int], tmp_path: Path) -> None:
    path = make("png", tmp_path)

    with pytest.raises(ArgumentError, match="within 1 x 1 and 96 x 64"):
        base(path, InputChoice(), *size)


def test_level_counts_from_the_chosen_level(tmp_path: Path) -> None:
    path = make("tiff pyramid of subifds", tmp_path)

    image = level(path, 1, InputChoice(level=1))

    assert (image.width, image.height) == (150, 100)
    with pytest.raises(ImageError, match="there is no level 3"):
        level(path, 3, InputChoice(level=1))


def test_a_tile_cache_changes_no_pixel() -> None:
    image = vips(700, 600).rotate(20)

    assert np.array_equal(tile_cached(image).numpy(), image.numpy())


def test_loading_twice_gives_independent_sequential_images(tmp_path: Path) -> None:
    path = make("png", tmp_path)

    means = [load(path, access="sequential").avg() for _ in range(2)]

    assert means[0] == means[1]
