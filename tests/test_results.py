"""Writing results: what each ending holds, and that nothing half-written stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile

from augviz.errors import ArgumentError, ImageError
from augviz.model import DTYPES
from augviz.results import write_result
from tests.live import ROOT
from tests.pictures import smooth, vips

NUMBERS = [dtype for dtype in DTYPES.values() if not dtype.startswith("complex")]


def expected(array: np.ndarray, tensor: bool) -> np.ndarray:
    if tensor:
        return np.moveaxis(array, 2, 0)
    return array[..., 0] if array.shape[2] == 1 else array


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("bands", [1, 3, 5])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_npy_holds_the_array(dtype: str, bands: int, tensor: bool, tmp_path: Path) -> None:
    array = smooth(57, 41, bands, dtype)

    mapping = write_result(pyvips.Image.new_from_array(array), tmp_path / "out.npy", tensor)

    written = np.load(tmp_path / "out.npy")
    assert (written.dtype, written.shape) == (np.dtype(dtype), expected(array, tensor).shape)
    assert np.array_equal(written, expected(array, tensor))
    assert mapping == {}


def test_npy_without_tensor_is_what_numpy_gives(tmp_path: Path) -> None:
    image = vips(64, 48, 3).rotate(30).linear(1.5, -2)

    write_result(image, tmp_path / "out.npy")

    assert np.array_equal(np.load(tmp_path / "out.npy"), image.numpy())


def test_a_large_tensor_is_taken_apart_in_blocks(tmp_path: Path) -> None:
    image = pyvips.Image.xyz(1900, 1300).cast("float")

    write_result(image, tmp_path / "out.npy", True)

    assert np.array_equal(np.load(tmp_path / "out.npy"), np.moveaxis(image.numpy(), 2, 0))


@pytest.mark.parametrize("dtype", NUMBERS)
def test_tif_holds_the_array_in_tiles(dtype: str, tmp_path: Path) -> None:
    array = smooth(300, 280, 3, dtype)

    write_result(pyvips.Image.new_from_array(array), tmp_path / "out.tif", True)

    image = pyvips.Image.new_from_file(str(tmp_path / "out.tif"))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].is_tiled
    assert np.allclose(image.numpy(), array, rtol=1e-6)
    assert image.numpy().dtype == (np.float32 if dtype == "float64" else np.dtype(dtype))


@pytest.mark.parametrize(
    ("dtype", "low_high", "atol"), [("uint8", (0, 255), 0), ("uint16", (0, 65535), 0.5), ("float32", None, 0.51)]
)
def test_png_is_8_bit_by_a_mapping_that_is_returned(
    dtype: str, low_high: tuple[int, int] | None, atol: float, tmp_path: Path
) -> None:
    array = smooth(96, 64, 3, dtype)
    low, high = low_high or (float(array.min()), float(array.max()))

    mapping = write_result(pyvips.Image.new_from_array(array), tmp_path / "out.png")

    written = pyvips.Image.new_from_file(str(tmp_path / "out.png")).numpy()
    assert (mapping["low"], mapping["high"]) == (low, high)
    assert np.abs(written - (array.astype(float) - low) / (high - low) * 255).max() <= atol


@pytest.mark.parametrize(
    ("name", "bands", "error", "words"),
    [
        ("out.jpg", 3, ArgumentError, r"one of \.npy, \.tif, \.png"),
        ("out", 3, ArgumentError, "one of"),
        ("out.png", 5, ArgumentError, "1 to 4 bands"),
        ("missing/out.npy", 3, ImageError, "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_refused(
    name: str, bands: int, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        write_result(vips(9, 9, bands), tmp_path / name)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["npy", "tif", "png"])
def test_an_exception_of_progress_ends_the_work_and_leaves_the_old_file(ending: str, tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    seen: list[float] = []

    def stop(fraction: float) -> None:
        seen.append(fraction)
        if fraction > 0.2:
            raise EnoughError

    path = tmp_path / f"out.{ending}"
    path.write_bytes(b"old")
    image = pyvips.Image.xyz(2000, 2000).cast("float").linear(1.1, 3)

    with pytest.raises(EnoughError):
        write_result(image, path, progress=stop)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert seen[-1] < 1
    write_result(image, path)  # the same image can be written afterwards


def test_an_image_that_libvips_keeps_calls_nobody_who_has_gone(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nimport pyvips\nfrom augviz.results import write_result\n"
        "def stop(fraction):\n    if fraction > 0.2: raise RuntimeError\n"
        "def once(path):\n"
        "    image = pyvips.Image.xyz(2000, 2000).cast('float').linear(1.1, 3)  # libvips knows it from the round before\n"
        "    try: write_result(image, path, progress=stop)\n"
        "    except RuntimeError: pass\n"
        "for number in range(40): once(Path(sys.argv[1]) / f'{number}.tif')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, timeout=200)

    assert ended.returncode == 0, ended.stderr[-2000:]


def test_progress_ends_at_one(tmp_path: Path) -> None:
    seen: list[float] = []

    write_result(vips(600, 600), tmp_path / "out.npy", progress=seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_an_error_of_the_pipeline_stays_one_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "cut.png"
    pyvips.Image.new_from_array(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)).pngsave(
        str(source)
    )
    source.write_bytes(source.read_bytes()[:50_000])
    image = pyvips.Image.new_from_file(str(source), fail_on="truncated")

    with pytest.raises(pyvips.Error, match="libpng"):
        write_result(image, tmp_path / "out.npy")

    assert list(tmp_path.iterdir()) == [source]
