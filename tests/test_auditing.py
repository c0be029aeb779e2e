"""What a worker measures of one draw, against numpy and the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import auditing, catalog, engine, images, saved
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
    found = auditing.figures(image)

    assert found["counts"] == [len(array)] * bands
    assert found["sums"] == pytest.approx(array.sum(axis=0).tolist(), rel=1e-9)
    assert found["squares"] == pytest.approx((array**2).sum(axis=0).tolist(), rel=1e-9)
    assert (found["lows"], found["highs"]) == (array.min(axis=0).tolist(), array.max(axis=0).tolist())
    assert found["unreal"] == 0


def test_values_that_are_no_numbers_are_counted_and_left_out() -> None:
    array = pictures.smooth(40, 30, 2, "float32").astype(np.float32)
    array[3, 4, 0], array[5, 6, 0], array[:, :, 1] = np.nan, np.inf, -np.inf
    finite = array[..., 0][np.isfinite(array[..., 0])].astype(float)
    found = auditing.figures(pyvips.Image.new_from_array(array))

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
    assert found["before"] == auditing.figures(samples.rgb(200, 160))


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


def test_the_crops_are_those_of_the_catalogue() -> None:
    assert {name for name in catalog.TRANSFORMS if "Crop" in name} == auditing.CROPS
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


def test_background_is_not_judged_where_white_is_unknown() -> None:
    assert auditing.background_share(pictures.vips(dtype="float32")) is None
    assert auditing.background_share(pyvips.Image.black(9, 9, bands=4)) == 1.0
    assert auditing.background_share((pyvips.Image.black(9, 9) + 60000).cast("ushort")) == 1.0


def test_no_stage_is_longer_than_asked_for_where_images_are_shrunk(tmp_path: Path) -> None:
    found = seen(slide(tmp_path), {"transform": "RandomScale", "args": {"scale_limit": [1, 1]}, "p": 1.0}, max_side=300)

    assert found["before"]["counts"] == [300 * 300] * 3
    assert found["after"]["counts"] == [300 * 300] * 3
    assert found["shape"] == [4800, 4800, 3]


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
