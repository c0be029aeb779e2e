"""In which pieces libvips makes the whole of an image: asked of libvips itself, and without reading a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips

from augviz import engine, pieces, saved
from augviz.engine import Drawn
from augviz.model import Header
from tests.samples import rgb

LARGER = {"transform": "LongestMaxSize", "args": {"max_size": 700}, "p": 1.0}
BY_MEAN = {"transform": "RandomBrightnessContrast", "args": {"brightness_by_max": False}, "p": 1.0}
BLUR = {"transform": "GaussianBlur", "p": 1.0}
TURN = {"transform": "Transpose", "p": 1.0}
FLIP = {"transform": "HorizontalFlip", "p": 1.0}


def drawn(image: pyvips.Image, *steps: dict) -> Drawn:
    return engine.draw(engine.header(image), saved.load({"format": 1, "steps": list(steps)}), 3)


def test_strips_and_squares_are_told_apart_by_operations_and_by_files(tmp_path: Path) -> None:
    image = rgb(400, 300)
    image.tiffsave(str(tmp_path / "tiles.tif"), tile=True)
    image.tiffsave(str(tmp_path / "strips.tif"))
    tiled, strips = (pyvips.Image.new_from_file(str(tmp_path / f"{name}.tif")) for name in ("tiles", "strips"))

    assert pieces.of(strips) == (400, 16)
    assert pieces.of(strips.resize(1.5)) == (600, 16)
    assert pieces.of(strips.gaussblur(2)) == pieces.of(tiled) == pieces.of(tiled.resize(1.5)) == (128, 128)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), None),
        ((FLIP, BLUR), None),
        ((LARGER,), (700, 16)),
        ((LARGER, TURN), (128, 128)),
        (({**LARGER, "args": {"max_size": 400}},), None),
        (({"transform": "Rotate", "p": 1.0},), (128, 128)),
    ],
)
def test_pieces_matter_where_a_step_makes_values_between_pixels(
    steps: tuple[dict, ...], expected: tuple[int, int] | None
) -> None:
    image = rgb(400, 300)

    assert pieces.of_whole(image, drawn(image, *steps).firings) == expected


def test_no_pixel_is_read_to_find_out(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    pyvips.Image.new_from_array(noise).copy(interpretation="srgb").pngsave(str(path))
    path.write_bytes(path.read_bytes()[:9000])
    cut = pyvips.Image.new_from_file(str(path), fail_on="truncated")

    assert pieces.of_whole(cut, drawn(rgb(400, 300), BY_MEAN, LARGER, BY_MEAN).firings) == (700, 16)
    with pytest.raises(pyvips.Error):
        cut.avg()


def test_strips_of_a_wide_result_take_too_much_and_squares_never_do() -> None:
    wide = Header(60_000, 500, 3, "float")

    assert not pieces.fit((60_000, 16), wide)
    assert pieces.fit((128, 128), wide)
    assert pieces.fit((6000, 16), Header(6000, 500, 3, "uchar"))


@pytest.mark.parametrize("piece", [(400, 16), (128, 128)])
def test_an_image_made_in_pieces_has_the_same_pixels(piece: tuple[int, int]) -> None:
    image = rgb(400, 300)

    assert np.array_equal(pieces.made_in(image, piece).crop(33, 41, 301, 222).numpy(), image.numpy()[41:263, 33:334])
