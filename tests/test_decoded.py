"""What of a file that is decoded whole counts as memory: all of a small one, what is read of a large one. Arithmetic only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import decoded, engine, estimates
from augviz.memory_plan import DISC_BYTES
from augviz.model import Draw, Header, ImageFacts, Pipeline, Step

LARGE = Header(16_000, 12_000, 3, "uchar", "srgb")
SMALL = Header(5_000, 4_000, 3, "uchar", "srgb")
LINE = 16_000 * 3

FLIP = Step("f", "HorizontalFlip", (), 1.0)
TURN = Step("t", "Transpose", (), 1.0)
BRIGHTER = Step("b", "RandomBrightnessContrast", (("brightness_by_max", False),), 1.0)
HALF = Step("r", "Resize", (("height", 6_000), ("width", 8_000)), 1.0)


def crop(width: int, height: int) -> Step:
    return Step("c", "CenterCrop", (("height", height), ("width", width)), 1.0)


def draw(*steps: Step, shape: Header = LARGE) -> Draw:
    return engine.draw(shape, Pipeline(steps), 0).draw


def facts(shape: Header, tile: tuple[int, int] | None = None, loader: str = "pngload") -> ImageFacts:
    size = ((shape.width, shape.height),)
    return ImageFacts("a", "a", shape, 1, 1, size, 1, tile, tile is not None, None, None, 1000, loader, ())


def test_a_small_file_counts_whole_whatever_is_read_of_it() -> None:
    assert decoded.resident_bytes(draw(crop(512, 512), shape=SMALL)) == 5_000 * 4_000 * 3
    assert decoded.decoding_bytes(SMALL, SMALL, "pngload") == 0


def test_of_a_large_file_the_lines_that_are_read_count_whole() -> None:
    assert decoded.resident_bytes(draw(FLIP)) == 12_000 * LINE
    assert decoded.resident_bytes(draw(FLIP, crop(512, 512))) == 512 * LINE
    assert decoded.resident_bytes(draw(crop(512, 6_000))) == 6_000 * LINE


def test_it_is_decoded_into_a_file_above_the_threshold_only() -> None:
    assert not decoded.is_in_a_file(Header(1024, DISC_BYTES // 1024, 1, "uchar", "b-w"))
    assert decoded.is_in_a_file(Header(1024, DISC_BYTES // 1024 + 1, 1, "uchar", "b-w"))


def test_a_part_is_followed_back_through_the_steps_before_it() -> None:
    assert decoded.needed(draw(TURN, crop(300, 700))) == (700, 300)
    assert decoded.needed(draw(HALF, crop(300, 700))) == (600, 1400)
    assert decoded.needed(draw(crop(300, 700), HALF)) == (300, 700)


@pytest.mark.parametrize("name", ["Rotate", "Affine"])
def test_a_turned_part_needs_the_box_around_it(name: str) -> None:
    limits = (("scale", (1.0, 1.0)), ("rotate", (90.0, 90.0)), ("shear", (0.0, 0.0))) if name == "Affine" else ()
    step = Step("a", name, limits or (("limit", (90.0, 90.0)),), 1.0)
    width, height = decoded.needed(draw(step, crop(300, 700)))

    assert (width, height) == (pytest.approx(700, abs=1), pytest.approx(300, abs=1))


def test_a_step_that_needs_the_mean_reads_all_that_it_is_given() -> None:
    before, after = draw(BRIGHTER, crop(512, 512)), draw(crop(512, 512), BRIGHTER)

    assert decoded.resident_bytes(before, frozenset({1})) == 12_000 * LINE
    assert decoded.resident_bytes(after, frozenset({2})) == 512 * LINE


def test_streaming_a_part_of_a_large_file_takes_a_tenth_of_the_whole() -> None:
    part, whole = (estimates.by_costs(draw(*steps), facts(LARGE)) for steps in ((crop(512, 512),), ()))

    assert part.stream_bytes < 100e6  # 64 MB by measurement
    assert part.hold_bytes < 100e6
    assert 580e6 < whole.stream_bytes < 650e6  # 619 MB by measurement


def test_what_decoding_holds_and_what_waits_to_be_written_count_unless_the_steps_take_more() -> None:
    file, least = facts(LARGE), decoded.decoding_bytes(LARGE, LARGE, "pngload")
    read = decoded.resident_bytes(draw())

    assert estimates.decoded_bytes(draw(), file, 0) == read + least
    assert estimates.decoded_bytes(draw(), file, 2 * least) == read + 2 * least
    assert decoded.decoding_bytes(LARGE, LARGE, "jpegload") > decoded.decoding_bytes(LARGE, LARGE, "tiffload") > least
    assert decoded.decoding_bytes(LARGE, replace(LARGE, format="float"), "pngload") == least + 3 * 256 * LINE


sides = st.integers(64, 40_000)
moving = st.sampled_from(("HorizontalFlip", "Transpose", "Rotate", "Affine", "Blur", "CenterCrop", "Resize", "NoOp"))


@settings(deadline=None)
@given(st.lists(moving, max_size=4), sides, sides)
def test_never_more_than_the_whole_is_read(names: list[str], width: int, height: int) -> None:
    sizes = {"CenterCrop": (("height", 64), ("width", 64)), "Resize": (("height", 64), ("width", 64))}
    steps = [Step(str(i), name, sizes.get(name, ()), 1.0) for i, name in enumerate(names)]
    shape = replace(LARGE, width=width, height=height)
    drawn = draw(*steps, shape=shape)
    part = decoded.needed(drawn)

    assert 0 < part[0] <= width
    assert 0 < part[1] <= height
    assert 0 < decoded.resident_bytes(drawn) <= width * height * 3
    if "CenterCrop" not in names:
        assert decoded.resident_bytes(drawn) == width * height * 3
