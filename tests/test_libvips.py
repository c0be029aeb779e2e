"""What differs between releases of libvips, proved on the one that is here; `make system` proves it on the system's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import libvips, system_libvips, tiff_check
from tests.kinds import KINDS
from tests.pictures import smooth

TIFFS = [kind for kind in KINDS.values() if kind.loader == "tiffload"]
ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("kind", TIFFS, ids=[kind.name for kind in TIFFS])
def test_the_tile_size_is_what_libvips_notes(kind: Any, tmp_path: Path) -> None:
    path = kind.make(tmp_path)
    image = pyvips.Image.new_from_file(str(path))
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    subifds = image.get("n-subifds") if image.get_typeof("n-subifds") else 0

    for options in [{"page": page} for page in range(pages)] + [{"subifd": number} for number in range(subifds)]:
        noted = pyvips.Image.new_from_file(str(path), **options)
        has_tiles = noted.get_typeof("tile-width") != 0
        expected = (noted.get("tile-width"), noted.get("tile-height")) if has_tiles else None
        assert tiff_check.tile_size(path, options.get("page", 0), options.get("subifd")) == expected


@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]))
@settings(max_examples=60, deadline=None)
def test_no_content_of_a_file_makes_its_tile_size_fail(
    content: bytes, start: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tif"
    path.write_bytes(start + content)

    tile = tiff_check.tile_size(path, 1, 0)

    assert tile is None or min(tile) > 0


@pytest.mark.parametrize(("width", "height"), [(1, 1), (700, 900)])
def test_raw_pixels_come_in_order_and_whole(width: int, height: int) -> None:
    pixels = smooth(width, height)
    taken = bytearray()

    def write(piece: Any) -> int:
        taken.extend(piece)
        return len(piece)

    libvips.feed_raw(pyvips.Image.new_from_array(pixels), write)

    assert np.array_equal(np.frombuffer(bytes(taken), np.uint8).reshape(pixels.shape), pixels)


def test_savers_write_no_metadata(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(smooth(40, 30)).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)

    for name in ("a.jpg", "a.png"):
        image.write_to_file(str(tmp_path / name), **libvips.NO_METADATA)
        assert pyvips.Image.new_from_file(str(tmp_path / name)).get_typeof("orientation") == 0


def test_a_libvips_that_is_missing_or_too_old_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(system_libvips._NAMES, sys.platform, "no-such-library.so")
    missing = system_libvips.problem()

    assert missing is not None
    assert missing.startswith(
        "There is no libvips on this system, it must be 8.14 or newer (Debian 12: apt-get install "
    )
    assert system_libvips.too_old((8, 12)).startswith(
        "The system's libvips is 8.12, it must be 8.14 or newer (Debian 12"
    )


def test_make_asks_for_the_systems_libvips_without_any_environment() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import augviz.system_libvips, sys; sys.exit('pyvips' in sys.modules)"],
        cwd=ROOT,
        env={**os.environ, "PYTHONNOUSERSITE": "1"},
        timeout=60,
    )

    assert done.returncode == 0


def test_the_readme_names_the_oldest_libvips_and_its_packages() -> None:
    text = (ROOT / "README.md").read_text()
    oldest = ".".join(map(str, system_libvips.OLDEST))

    assert f"{oldest} or newer" in text
    for package in re.findall(r"(?:apt-get|brew) install (\w+)", system_libvips.INSTALL):
        assert package in text
