"""Synthetic images: the file's layout, that they are the same every time, and structure at every scale."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import pyvips

from augviz.errors import ImageError
from augviz.headers import describe
from augviz.settings import Settings, load
from augviz.sources import SYNTHETIC_KINDS, estimated_bytes
from augviz.synthetic import make


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"AUGVIZ_CACHE_FOLDER": str(tmp_path / "cache")}, start=tmp_path)


@pytest.fixture(scope="module", params=SYNTHETIC_KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A kind, and its file of 1024 pixels."""
    folder = tmp_path_factory.mktemp("synthetic")
    path = folder / "new" / f"{request.param}.tif"
    make(request.param, 1024, path, settings=load({"AUGVIZ_CACHE_FOLDER": str(folder / "cache")}, start=folder))
    return request.param, path


def test_the_file_is_a_tiled_pyramid(made: tuple[str, Path]) -> None:
    kind, path = made

    facts = describe(path)

    assert (facts.header.width, facts.header.height, facts.header.bands, facts.header.format) == (
        1024,
        1024,
        3,
        "uchar",
    )
    assert facts.header.interpretation == "srgb"
    assert facts.level_sizes == ((1024, 1024), (512, 512), (256, 256))
    assert (facts.tile, facts.pages, facts.region_readable) == ((256, 256), 1, True)
    assert facts.mpp_x == (pytest.approx(0.5) if kind == "tissue" else None)


def test_the_pixels_are_the_same_every_time(made: tuple[str, Path], tmp_path: Path, settings: Settings) -> None:
    kind, path = made
    again = tmp_path / "again.tif"

    make(kind, 1024, again, settings=settings)

    first, second = (pyvips.Image.new_from_file(str(one)).numpy() for one in (path, again))
    assert np.array_equal(first, second)


def test_another_seed_is_another_image(made: tuple[str, Path], tmp_path: Path, settings: Settings) -> None:
    kind, path = made
    other = tmp_path / "other.tif"

    make(kind, 1024, other, seed=2, settings=settings)

    first, second = (pyvips.Image.new_from_file(str(one)).numpy().astype(int) for one in (path, other))
    assert np.abs(first - second).mean() > 5


def test_there_is_structure_at_every_scale(made: tuple[str, Path]) -> None:
    image = pyvips.Image.new_from_file(str(made[1]))[1].numpy().astype(float)

    for block in (1, 4, 16, 64):
        side = 1024 // block
        means = image.reshape(side, block, side, block).mean(axis=(1, 3))
        differences = np.abs(np.diff(means, axis=0)).mean()
        assert differences > 2, block


@pytest.mark.parametrize(("kind", "side"), [("tissue", 64), ("aerial", 1000)])
def test_any_side_can_be_made(kind: str, side: int, tmp_path: Path, settings: Settings) -> None:
    make(kind, side, tmp_path / "any.tif", settings=settings)

    facts = describe(tmp_path / "any.tif")
    assert (facts.header.width, facts.header.height) == (side, side)


def test_the_size_to_expect_is_about_the_size_made(made: tuple[str, Path]) -> None:
    kind, path = made

    assert path.stat().st_size == pytest.approx(estimated_bytes(kind, 1024), rel=0.5)


def test_giving_up_leaves_no_file(tmp_path: Path, settings: Settings) -> None:
    class GivenUpError(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0.1:
            raise GivenUpError

    with pytest.raises(GivenUpError):
        make("tissue", 1024, tmp_path / "out" / "tissue.tif", stop, settings=settings)

    assert list((tmp_path / "out").iterdir()) == []


def test_progress_rises_to_one(tmp_path: Path, settings: Settings) -> None:
    seen: list[float] = []

    make("aerial", 512, tmp_path / "aerial.tif", seen.append, settings=settings)

    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize(("kind", "side"), [("ocean", 1024), ("tissue", 10), ("tissue", 10**6)])
def test_what_cannot_be_made_is_refused(kind: str, side: int, tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(ImageError, match="synthetic image"):
        make(kind, side, tmp_path / "x.tif", settings=settings)


def test_the_quota_is_kept(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(ImageError, match="quota"):
        make("tissue", 1024, tmp_path / "x.tif", settings=dataclasses.replace(settings, cache_quota_bytes=1000))

    assert not (tmp_path / "x.tif").exists()
