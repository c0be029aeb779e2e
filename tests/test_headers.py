"""Describing: what the header tells of files of many kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import pyvips
import tifffile

from augviz.facts import facts_from_json, facts_json, info_json
from augviz.headers import describe
from augviz.model import InputChoice
from tests.pictures import KINDS, make, smooth, vips


@pytest.mark.parametrize("kind", KINDS)
def test_facts_are_those_of_the_opened_image_and_survive_json(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    image = pyvips.Image.new_from_file(str(path))

    facts = describe(path)

    assert (facts.header.width, facts.header.height, facts.header.bands) == (image.width, image.height, image.bands)
    assert (facts.header.format, facts.header.interpretation) == (image.format, image.interpretation)
    assert facts.loader == image.get("vips-loader")
    assert facts.file_bytes == path.stat().st_size
    assert facts.uncompressed_bytes == image.numpy().nbytes
    assert facts.name == path.name
    assert facts_from_json(json.loads(json.dumps(facts_json(facts)))) == facts


def test_info_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    values = info_json(describe(make("jpeg", tmp_path)))

    keys = "width height bands format interpretation orientation levels pages mpp_x mpp_y file_bytes uncompressed_bytes"
    assert set(values) == {*keys.split(), "loader"}
    assert values["uncompressed_bytes"] == 96 * 64 * 3


@pytest.mark.parametrize(
    ("kind", "levels", "pages", "tile"),
    [
        ("tiff pyramid of pages", ((601, 403), (300, 201), (150, 100), (75, 50)), 1, (128, 128)),
        ("tiff pyramid of subifds", ((600, 400), (300, 200), (150, 100), (75, 50)), 1, (128, 128)),
        ("tiff in tiles", ((300, 200),), 1, (128, 128)),
        ("tiff of 3 pages", ((96, 64),), 3, None),
        ("gif of 3 frames", ((96, 64),), 3, None),
        ("jpeg", ((96, 64),), 1, None),
    ],
)
def test_levels_are_told_from_pages(
    kind: str, levels: tuple[tuple[int, int], ...], pages: int, tile: tuple[int, int] | None, tmp_path: Path
) -> None:
    facts = describe(make(kind, tmp_path))

    assert (facts.level_sizes, facts.levels) == (levels, len(levels))
    assert (facts.pages, facts.tile) == (pages, tile)


def test_a_slide_with_a_thumbnail_and_a_label_has_its_levels_by_four(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    shapes = [((1024, 2048), True), ((170, 341), False), ((256, 512), True), ((64, 128), True), ((90, 80), False)]
    with tifffile.TiffWriter(path) as writer:
        for (height, width), tiled in shapes:
            options = {"tile": (128, 128)} if tiled else {}
            writer.write(smooth(width, height), photometric="rgb", **options)

    facts = describe(path)

    assert facts.level_sizes == ((2048, 1024), (512, 256), (128, 64))
    assert facts.pages == 3


def test_large_files_are_readable_by_regions_only_if_tiled(tmp_path: Path) -> None:
    blank = pyvips.Image.black(8000, 7000)
    blank.tiffsave(str(tmp_path / "tiles.tif"), tile=True, compression="deflate")
    blank.tiffsave(str(tmp_path / "strips.tif"), compression="deflate")
    blank.tiffsave(str(tmp_path / "one-tile.tif"), tile=True, tile_width=8192, tile_height=8192, compression="deflate")

    found = {name: describe(tmp_path / f"{name}.tif").region_readable for name in ("tiles", "strips", "one-tile")}

    assert found == {"tiles": True, "strips": False, "one-tile": False}


def described_as(description: str, folder: Path) -> Path:
    path = folder / "described.tif"
    tifffile.imwrite(path, smooth(96, 64), description=description.encode(), metadata=None)
    return path


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Aperio Image Library v12|AppMag = 20|MPP = 0.4990|Left = 1", (0.499, 0.499)),
        ('<OME><Image><Pixels PhysicalSizeX="0.25" PhysicalSizeY="0.5" SizeX="96"/></Image></OME>', (0.25, 0.5)),
        (
            '<OME><Pixels PhysicalSizeX="500" PhysicalSizeXUnit="nm" PhysicalSizeY="0.001" PhysicalSizeYUnit="mm"/></OME>',
            (0.5, 1.0),
        ),
        ("MPP = nothing", (None, None)),
        ('<OME><Pixels PhysicalSizeX="1" PhysicalSizeXUnit="pixel"/></OME>', (None, None)),
        ("a holiday in 2004", (None, None)),
    ],
)
def test_microns_per_pixel_are_read_from_the_description(
    description: str, expected: tuple[float | None, float | None], tmp_path: Path
) -> None:
    facts = describe(described_as(description, tmp_path))

    assert (facts.mpp_x, facts.mpp_y) == expected


@pytest.mark.parametrize(("pixels_per_mm", "expected"), [(2000.0, 0.5), (1.0, None), (11.8, None), (39.0, None)])
def test_a_resolution_counts_only_if_finer_than_25_microns(
    pixels_per_mm: float, expected: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "resolved.tif"
    vips().tiffsave(str(path), xres=pixels_per_mm, yres=pixels_per_mm)

    facts = describe(path)

    assert facts.mpp_x == (pytest.approx(expected) if expected else None)


def test_a_chosen_level_is_described_with_its_own_size_and_scale(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    vips(600, 400).tiffsave(str(path), tile=True, pyramid=True, xres=4000, yres=4000)

    facts = describe(path, InputChoice(level=1))

    assert (facts.header.width, facts.levels, facts.mpp_x) == (300, 3, pytest.approx(0.5))


def test_an_upright_choice_is_described_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.tif"
    marked = vips(600, 400).copy()
    marked.set_type(pyvips.GValue.gint_type, "orientation", 6)
    marked.tiffsave(str(path), tile=True, pyramid=True, tile_width=128, tile_height=64, xres=4000, yres=2000)

    stored, upright = describe(path), describe(path, InputChoice(upright=True))

    assert (stored.orientation, stored.header.width, stored.level_sizes[1]) == (6, 600, (300, 200))
    assert any("orientation 6" in sentence for sentence in stored.changes)
    assert (upright.orientation, upright.header.width, upright.level_sizes[1]) == (1, 400, (200, 300))
    assert (upright.tile, upright.mpp_x, upright.mpp_y) == ((64, 128), pytest.approx(0.5), pytest.approx(0.25))
    assert upright.changes == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("jpeg", None),
        ("jpeg grey", None),
        ("png palette", None),
        ("jpeg cmyk", "CMYK is converted"),
        ("png 16 bit", "divided by 257"),
        ("png alpha", "laid over white"),
        ("tiff float", "mapped linearly"),
        ("tiff of 5 bands", "first 3 of 5 bands"),
        ("tiff of 3 pages", "first of 3 pages"),
    ],
)
def test_changes_say_what_showing_takes(kind: str, words: str | None, tmp_path: Path) -> None:
    changes = describe(make(kind, tmp_path)).changes

    if words is None:
        assert changes == ()
    else:
        assert any(words in sentence for sentence in changes)
        assert all(sentence.endswith(".") for sentence in changes)


def test_describing_reads_no_pixels(tmp_path: Path) -> None:
    path = make("png", tmp_path)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(9) + content[middle + 9 :])

    assert describe(path).header.width == 96
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_file(str(path), fail_on="truncated").avg()
