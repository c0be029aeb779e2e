"""What a worker measures of one draw, against numpy and the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import audit_values, auditing, catalog, engine, images, saved
from augviz.audit_sums import Moments
from augviz.context import Context
from augviz.errors import ImageError, StepError
from tests import pictures, samples


def seen(path: Path | str, *steps: dict[str, Any], seed: int = 0, max_side: int | None = 1024) -> dict[str, Any]:
    form = {"format": 1, "steps": list(steps)}
    return auditing.audit({"path": str(path), "pipeline": form, "seed": seed, "max_side": max_side}, Context())["seen"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    samples.rgb(200, 160).pngsave(str(path))
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 3])
def test_the_values_of_an_image_are_those_that_numpy_finds(dtype: str, bands: int) -> None:
    image = pictures.vips(90, 70, bands, dtype)
    array = image.numpy().reshape(-1, bands).astype(float)
    found = audit_values.figures(image)

    assert found["counts"] == [len(array)] * bands
    assert found["sums"] == pytest.approx(array.sum(axis=0).tolist(), rel=1e-9)
    assert found["squares"] == pytest.approx((array**2).sum(axis=0).tolist(), rel=1e-9)
    assert (found["lows"], found["highs"]) == (array.min(axis=0).tolist(), array.max(axis=0).tolist())
    assert found["unreal"] == 0
    assert (found["pixels"], found["measured"], found["shifts"]) == (90 * 70, 90 * 70, [0] * bands)


@pytest.mark.parametrize("is_real", [True, False], ids=["all finite", "with a nan"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_a_small_deviation_beside_a_large_mean_is_right(dtype: str, is_real: bool) -> None:
    array = np.random.default_rng(5).normal(1e5, 0.1 if dtype != "int32" else 3, (300, 200, 2)).astype(dtype)
    if not is_real and dtype != "int32":
        array[7, 9] = np.nan
    moments = Moments()
    moments.add(audit_values.figures(pyvips.Image.new_from_array(array)))
    [found] = moments.to_json()

    assert found["mean"] == pytest.approx(np.nanmean(array.astype(float), axis=(0, 1)).tolist(), rel=1e-12)
    assert found["std"] == pytest.approx(np.nanstd(array.astype(float), axis=(0, 1)).tolist(), rel=1e-9)


def test_values_that_are_no_numbers_are_counted_and_left_out() -> None:
    array = pictures.smooth(40, 30, 2, "float32").astype(np.float32)
    array[3, 4, 0], array[5, 6, 0], array[:, :, 1] = np.nan, np.inf, -np.inf
    finite = array[..., 0][np.isfinite(array[..., 0])].astype(float)
    found = audit_values.figures(pyvips.Image.new_from_array(array))

    assert found["unreal"] == 2 + 1200
    assert found["counts"] == [1198, 0]
    assert found["sums"] == [pytest.approx(finite.sum(), rel=1e-6), 0]
    assert (found["lows"], found["highs"]) == ([finite.min(), None], [finite.max(), None])


def test_a_draw_is_the_one_that_the_command_line_makes(photo: Path) -> None:
    steps = (
        {"transform": "RandomBrightnessContrast", "p": 1.0},
        {"transform": "Rotate", "p": 1.0},
        {"transform": "Normalize", "args": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}},
        {"transform": "ToTensor"},
    )
    found = seen(photo, *steps, seed=7)
    pipeline = saved.load({"format": 1, "steps": list(steps)})
    array = engine.apply(images.open_image(photo), pipeline, 7).array()

    assert found["exact"]
    assert (tuple(found["shape"]), found["dtype"]) == (array.shape, str(array.dtype))
    assert found["after"]["sums"] == pytest.approx(array.sum(axis=(1, 2), dtype=float).tolist(), rel=1e-6)
    assert found["steps"][-1]["high"] == pytest.approx(float(array.max()))
    assert found["into_normalize"]["format"] == "uchar"
    assert found["before"] == audit_values.figures(samples.rgb(200, 160))


def test_clipping_is_what_a_step_adds_to_what_was_there(tmp_path: Path) -> None:
    array = np.full((10, 10, 3), 200, np.uint8)
    array[:3] = 255
    pyvips.Image.new_from_array(array).pngsave(str(tmp_path / "a.png"))
    brighter = {"transform": "RandomBrightnessContrast", "p": 1.0}
    brighter["args"] = {"brightness_limit": [0.6, 0.6], "contrast_limit": [0, 0], "brightness_by_max": True}
    [step] = seen(tmp_path / "a.png", brighter)["steps"]

    assert step["clipped"] == pytest.approx(0.7)


def test_fills_and_formats_without_limits_are_not_called_clipping(photo: Path) -> None:
    turned = {"transform": "Rotate", "args": {"limit": [40, 40]}, "p": 1.0}
    normal = {"transform": "Normalize", "args": {"mean": [0.4], "std": [0.2]}}
    steps = seen(photo, turned, normal)["steps"]

    assert [step["clipped"] for step in steps] == [None, None]


def test_the_families_that_can_clip_are_those_of_the_catalogue() -> None:
    assert {spec.family for spec in catalog.TRANSFORMS.values()} >= auditing.CAN_CLIP


def slide(folder: Path, side: int = 2400) -> Path:
    """White but for a dark square in the upper left quarter."""
    image = pyvips.Image.black(side, side, bands=3).linear([1, 1, 1], [240, 238, 242], uchar=True)
    image = image.draw_rect([150, 60, 140], 0, 0, side // 2, side // 2, fill=True).copy(interpretation="srgb")
    path = folder / "slide.tif"
    image.tiffsave(str(path), tile=True, pyramid=True)
    return path


def test_a_crop_of_background_is_found_at_full_size_though_the_image_is_shrunk(tmp_path: Path) -> None:
    path = slide(tmp_path)
    corner = {"x_min": 2000, "y_min": 2000, "x_max": 2100, "y_max": 2100}
    inside = {"x_min": 100, "y_min": 100, "x_max": 200, "y_max": 200}
    edge = {"x_min": 1150, "y_min": 0, "x_max": 1250, "y_max": 100}
    shares = []
    for args in (corner, inside, edge):
        found = seen(path, {"transform": "Crop", "args": args, "p": 1.0}, max_side=256)
        shares.append(found["steps"][0]["background"])

        assert found["after"]["counts"] == [100 * 100] * 3
        assert found["shape"] == [100, 100, 3]
        assert not found["exact"]
    assert shares == [1.0, 0.0, pytest.approx(0.5)]


NORMALIZE = {"transform": "Normalize", "args": {"mean": [0.4, 0.5, 0.6], "std": [50, 60, 70]}}
CROP = {"id": "crop", "transform": "RandomCrop", "args": {"height": 64, "width": 64}, "p": 1.0}
BRIGHTER = {
    "id": "bright",
    "transform": "RandomBrightnessContrast",
    "args": {"brightness_limit": [0.3, 0.3], "contrast_limit": [0.1, 0.1]},
    "p": 1.0,
}


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large image whose deviation is lost where it is shrunk."""
    values = np.random.default_rng(3).integers(0, 256, (2000, 3000, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    pyvips.Image.new_from_array(values).copy(interpretation="srgb").pngsave(str(path), compression=1)
    return path


def moments(figures: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation by band."""
    summed = Moments()
    summed.add(figures)
    [found] = summed.to_json()
    return found["mean"], found["std"]


def of_numpy(path: Path, *steps: dict[str, Any], seed: int) -> tuple[np.ndarray, tuple[list[float], list[float]]]:
    """What the library makes of it at full size, and its mean and deviation."""
    array = engine.apply(images.open_image(path), saved.load({"format": 1, "steps": list(steps)}), seed).array()
    pixels = array.reshape(-1, array.shape[-1]).astype(float)
    return array, (pixels.mean(axis=0).tolist(), pixels.std(axis=0).tolist())


def test_what_goes_into_normalize_after_a_crop_of_a_large_image_is_at_full_size(noise: Path) -> None:
    before = (CROP, {"transform": "HorizontalFlip", "p": 1.0}, BRIGHTER)
    found = seen(noise, *before, NORMALIZE, seed=11)
    array, (mean, std) = of_numpy(noise, *before, seed=11)
    crop, _ = of_numpy(noise, *before[:2], seed=11)

    assert moments(found["into_normalize"]) == (pytest.approx(mean), pytest.approx(std))
    assert found["into_normalize"]["counts"] == [64 * 64] * 3
    assert moments(found["after"])[1] == pytest.approx(
        [s / k for s, k in zip(std, (50, 60, 70), strict=True)], rel=1e-4
    )
    assert [(step["low"], step["high"]) for step in found["steps"][:3]] == [
        (crop.min(), crop.max()),
        (crop.min(), crop.max()),
        (array.min(), array.max()),
    ]
    at_limits = [np.mean(one == 0) + np.mean(one == 255) for one in (crop, array)]
    assert found["steps"][2]["clipped"] == pytest.approx(at_limits[1] - at_limits[0], abs=0.005)


def test_what_goes_into_normalize_is_not_shrunk_for_what_comes_after_it(tmp_path: Path) -> None:
    values = np.random.default_rng(4).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    path = tmp_path / "noise.png"
    pyvips.Image.new_from_array(values).copy(interpretation="srgb").pngsave(str(path))
    flip = {"transform": "HorizontalFlip", "p": 1.0}
    padded = {"transform": "PadIfNeeded", "args": {"min_height": 400, "min_width": 400, "value": [0, 0, 0]}, "p": 1.0}
    found = seen(path, flip, NORMALIZE, padded, max_side=128)

    assert not found["exact"]
    assert found["into_normalize"]["counts"] == [90 * 120] * 3
    assert moments(found["into_normalize"])[1] == pytest.approx(values.reshape(-1, 3).std(axis=0).tolist())


def test_a_crop_that_does_not_fit_is_shrunk_no_more_than_it_has_to_be(noise: Path) -> None:
    crop = {"transform": "CenterCrop", "args": {"height": 600, "width": 600}, "p": 1.0}
    found = seen(noise, crop, NORMALIZE, max_side=300)

    assert found["into_normalize"]["counts"] == [300 * 300] * 3
    assert found["into_normalize"]["pixels"] == 600 * 600
    assert found["after"]["counts"] == [300 * 300] * 3


def test_what_does_not_fit_before_and_between_crops_is_shrunk(noise: Path) -> None:
    flip = {"transform": "HorizontalFlip", "p": 1.0}
    crop = {"transform": "CenterCrop", "args": {"height": 64, "width": 64}, "p": 1.0}
    padded = {"transform": "PadIfNeeded", "args": {"min_height": 2000, "min_width": 2000, "value": [0, 0, 0]}, "p": 1.0}
    steps = seen(noise, flip, crop, padded, crop, max_side=300)["steps"]
    shrunk = [step["high"] < 220 for step in steps]

    assert shrunk == [True, False, True, False]


def test_background_is_not_judged_where_white_is_unknown() -> None:
    assert audit_values.background_share(pictures.vips(dtype="float32")) is None
    assert audit_values.background_share(pyvips.Image.black(9, 9, bands=4)) == 1.0
    assert audit_values.background_share((pyvips.Image.black(9, 9) + 60000).cast("ushort")) == 1.0


def test_no_stage_is_longer_than_asked_for_where_images_are_shrunk(tmp_path: Path) -> None:
    found = seen(slide(tmp_path), {"transform": "RandomScale", "args": {"scale_limit": [1, 1]}, "p": 1.0}, max_side=300)

    assert found["before"]["counts"] == [300 * 300] * 3
    assert found["after"]["counts"] == [300 * 300] * 3
    assert found["shape"] == [4800, 4800, 3]
    assert (found["before"]["pixels"], found["after"]["pixels"]) == (2400 * 2400, 4800 * 4800)


def test_stages_that_are_too_large_for_memory_give_the_same_figures(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (
        {"transform": "Rotate", "p": 1.0},
        {"transform": "Blur", "p": 1.0},
        {"transform": "HorizontalFlip", "p": 1},
    )
    held = seen(photo, *steps, seed=3, max_side=None)
    monkeypatch.setattr(auditing, "HELD_BYTES", 1000)
    lazy = seen(photo, *steps, seed=3, max_side=None)

    assert lazy["after"] == held["after"]
    assert [step["high"] for step in lazy["steps"]] == [step["high"] for step in held["steps"]]


def test_a_cut_file_is_the_file_s_fault_and_a_step_that_fails_is_named(photo: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.jpg"
    samples.rgb(400, 400).jpegsave(str(cut))
    cut.write_bytes(cut.read_bytes()[:6000])
    grey = tmp_path / "grey.png"
    samples.rgb().extract_band(0).pngsave(str(grey))

    with pytest.raises(ImageError, match=r"cut\.jpg"):
        seen(cut, {"transform": "Blur"})
    with pytest.raises(StepError, match="step 1, HEDShift"):
        seen(grey, {"transform": "HEDShift", "p": 1.0})
