"""Each scale rule on numbers that can be checked by hand; their truth on photographs is in test_fidelity.py."""

from __future__ import annotations

import numpy as np
import pytest
import pyvips

from augviz import catalog, engine, kernels, saved, scale
from augviz.grids import Grid, Stage


def test_every_usable_transform_has_a_rule() -> None:
    assert {name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable} == set(scale.RULES)


def test_a_splatted_kernel_keeps_its_sum_and_its_centre() -> None:
    taps = np.random.default_rng(0).random((31, 31))
    small = kernels.splat(taps, 8.0, 5.0)
    y, x = np.mgrid[0 : small.shape[0], 0 : small.shape[1]]
    full_y, full_x = np.mgrid[-15:16, -15:16]

    assert small.sum() == pytest.approx(taps.sum())
    assert ((x - small.shape[1] // 2) * small).sum() == pytest.approx((full_x * taps).sum() / 8.0)
    assert ((y - small.shape[0] // 2) * small).sum() == pytest.approx((full_y * taps).sum() / 5.0)


def test_an_even_kernel_keeps_its_half_pixel_shift() -> None:
    small = kernels.splat(np.full((1, 4), 0.25), 2.0, 2.0)
    x = np.arange(small.shape[1]) - small.shape[1] // 2

    assert (x * small).sum() == pytest.approx(-0.25)  # taps at -2, -1, 0, 1: half a full-size pixel to the left


def test_a_hole_covers_the_share_of_each_view_pixel_that_it_covers_at_full_size() -> None:
    covered = scale.coverage([(2, 0, 10, 8)], Grid(16, 8, 4, 2))

    assert covered.tolist() == [[0.5, 1.0, 0.5, 0.0], [0.5, 1.0, 0.5, 0.0]]


def test_a_hole_smaller_than_a_view_pixel_is_not_lost() -> None:
    covered = scale.coverage([(5, 5, 7, 7)], Grid(64, 64, 4, 4))

    assert covered[0, 0] == pytest.approx(4 / 256)
    assert covered.sum() == pytest.approx(4 / 256)


def test_the_coverage_of_a_large_view_is_lazy_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    holes = [(10, 20, 35, 61), (50, 3, 63, 9)]
    grid = Grid(64, 64, 19, 13)
    monkeypatch.setattr(scale, "COVERED_PIXELS", 10)
    lazy = scale._share(holes, grid)

    assert np.allclose(lazy.numpy(), scale.coverage(holes, grid))


def test_two_holes_at_the_same_place_cover_it_once() -> None:
    covered = scale.coverage([(0, 0, 16, 16), (0, 0, 16, 16)], Grid(64, 64, 4, 4))

    assert covered[0, 0] == 1.0
    assert covered.sum() == 1.0


def test_stains_by_tables_are_within_one_level_of_the_library() -> None:
    y, x = np.mgrid[0:256, 0:256]
    image = pyvips.Image.new_from_array(np.dstack([x, y, (x * 7 + y * 13) % 256]).astype(np.uint8)).copy(
        interpretation="srgb"
    )
    pipeline = saved.loads('{"format": 1, "steps": [{"transform": "HEDShift", "p": 1.0}]}')
    for seed in range(5):
        [firing] = engine.draw(engine.header(image), pipeline, seed).firings
        grid = Grid(2560, 2560, 256, 256)
        shown = scale.stain(image, Stage(firing, grid, grid, lambda: 0.0, is_final=True)).numpy().astype(int)
        expected = engine.apply(image, pipeline, seed).array().astype(int)

        assert np.abs(shown - expected).max() <= 1
        assert np.abs(shown - expected).mean() < 0.05


def test_a_grid_tells_full_size_pixels_per_view_pixel() -> None:
    grid = Grid(1000, 500, 100, 25)

    assert (grid.sx, grid.sy) == (10.0, 20.0)
    assert not grid.is_full
