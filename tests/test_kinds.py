"""Every kind of image file: what its header tells, its pixels, and the tutorial's pipeline on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile

from augviz import presets, saved
from augviz.context import Context
from augviz.errors import ImageError, StepError
from augviz.headers import describe
from augviz.images import open_image
from augviz.loading import PRESENT
from augviz.model import InputChoice
from augviz.tasks import TASKS
from tests.kinds import KINDS, REFUSED, Kind, Refused
from tests.pictures import smooth

FIRST = saved.dump(presets.FIRST.pipeline)
SIDE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of each kind."""
    made = tmp_path_factory.mktemp("kinds")
    for kind in KINDS.values():
        kind.make(made)
    return made


def ask(task: str, path: Path, **args: object) -> Any:
    given = {"path": str(path), "input": {}, "pipeline": FIRST, "seed": 0, "side": SIDE, "quality": "fine"}
    return TASKS[task]({**given, "upto": None, **args}, Context())


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_header_tells_what_the_file_holds(kind: Kind, folder: Path) -> None:
    facts = describe(folder / kind.name)

    header = facts.header
    assert (facts.loader, header.bands, header.format) == (kind.loader, kind.bands, kind.format)
    assert (header.width, header.height, facts.levels, facts.pages) == (*kind.size, kind.levels, kind.pages)
    assert (facts.orientation, facts.mpp_x) == (kind.orientation, kind.mpp)
    assert ask("describe", folder / kind.name)["facts"]["header"]["bands"] == kind.bands


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_pixels_are_those_of_new_from_file(kind: Kind, folder: Path) -> None:
    reference = pyvips.Image.new_from_file(str(folder / kind.name))

    image = open_image(folder / kind.name)

    assert image.interpretation == reference.interpretation
    assert np.array_equal(image.numpy(), reference.numpy())


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_the_tutorials_pipeline_has_a_preview_or_the_transform_that_breaks_is_named(
    kind: Kind, folder: Path, tmp_path: Path
) -> None:
    path, out = folder / kind.name, tmp_path / "preview.npy"
    if kind.refused_by is not None:
        for task in ("picture", "preview_file"):
            with pytest.raises(StepError, match=rf"^step \d, {kind.refused_by}: [^\n]+$"):
                ask(task, path, out=str(out))
        return

    meta, blob = ask("picture", path)
    ask("preview_file", path, out=str(out))

    shown = pyvips.Image.new_from_buffer(blob, "")
    assert (shown.width, shown.height) == (meta["width"], meta["height"])
    assert max(shown.width, shown.height) <= SIDE
    assert shown.deviate() > 1  # a picture, not one colour
    assert np.isfinite(np.load(out)).all()


@pytest.mark.parametrize("name", [kind.name for kind in KINDS.values() if kind.pages == 3 and "frames" in kind.name])
def test_a_frame_is_chosen_by_its_number(name: str, folder: Path) -> None:
    reference = pyvips.Image.new_from_file(str(folder / name), page=2)

    image = open_image(folder / name, InputChoice(page=2))

    assert np.array_equal(image.numpy(), reference.numpy())
    assert not np.array_equal(image.numpy(), open_image(folder / name).numpy())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pyramid.tif", {"page": 1}),
        ("big-tiles.tif", {"page": 1}),
        ("subifds.tif", {"subifd": 0}),
        ("image.ome.tif", {"subifd": 0}),
        ("slide.svs", {"page": 2}),
    ],
)
def test_a_level_is_chosen_by_its_number(name: str, options: dict[str, int], folder: Path) -> None:
    reference = pyvips.Image.new_from_file(str(folder / name), **options)

    image = open_image(folder / name, InputChoice(level=1))

    assert np.array_equal(image.numpy(), reference.numpy())


@pytest.mark.parametrize("refused", REFUSED, ids=[refused.name for refused in REFUSED])
def test_a_kind_that_is_not_opened_is_told_why_and_what_to_do(refused: Refused, tmp_path: Path) -> None:
    if refused.loader in PRESENT:
        pytest.skip(f"this build of libvips opens {refused.loader}")
    path = tmp_path / refused.name
    refused.write(path)

    with pytest.raises(ImageError) as caught:
        open_image(path)

    assert str(caught.value).startswith(f"{refused.name}: ")
    assert refused.words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_page_that_is_not_read_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "mixed.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(smooth(96, 64), photometric="rgb")
        writer.write(smooth(48, 32, 1, "float64")[..., 0])

    assert describe(path).pages == 2
    assert np.array_equal(open_image(path).numpy(), smooth(96, 64))
    with pytest.raises(ImageError, match="more than 32 bits"):
        open_image(path, InputChoice(page=1))


def test_levels_are_not_looked_for_among_thousands_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(smooth(64, 64, 1)[..., 0], tile=(16, 16))
        writer.write(smooth(32, 32, 1)[..., 0], tile=(16, 16))
        for _ in range(1000):
            writer.write(np.zeros((1, 1), np.uint8), metadata=None)

    facts = describe(path)

    assert (facts.levels, facts.pages) == (1, 1002)


def test_a_name_is_told_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.jpg"
    path.write_bytes(b"nothing")

    with pytest.raises(ImageError, match=r"^two\?lines\.jpg: [^\n]+$"):
        open_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    with pytest.raises(ImageError, match=r"pipe\.jpg: this is not a regular file"):
        open_image(tmp_path / "pipe.jpg")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").symlink_to(tmp_path / "two.jpg")
    (tmp_path / "two.jpg").symlink_to(tmp_path / "one.jpg")

    with pytest.raises(ImageError, match=r"one\.jpg: the file cannot be opened: "):
        open_image(tmp_path / "one.jpg")
