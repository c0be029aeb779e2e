"""The installed library still has the defects that the catalogue warns of. A failure here says that a release fixed one:
then the caveat, its workaround and the check go."""

from __future__ import annotations

import importlib.metadata
import random
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import catalog, works_text
from augviz.library import A, quiet

ROOT = Path(__file__).parent.parent


def flat(value: Any, width: int = 64, height: int = 64, dtype: Any = np.uint8, bands: int = 3) -> pyvips.Image:
    """An image of one colour."""
    return pyvips.Image.new_from_array(np.full((height, width, bands), value, dtype))


def run(transform: Any, image: pyvips.Image, seed: int = 0, **targets: Any) -> Any:
    """The whole result of a transform, seeded."""
    random.seed(seed)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hue shifts on grey images warn each time
        return transform(image=image, **targets)


def pixel(transform: Any, image: pyvips.Image, seed: int = 0) -> list[float]:
    """The result's middle pixel."""
    result = run(transform, image, seed)["image"]
    return [round(float(v), 2) for v in result.numpy()[result.height // 2, result.width // 2].ravel()]


def raised(action: Callable[[], Any]) -> str:
    """The class and message of what `action` raises; "" if it does not."""
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def ended(code: str) -> subprocess.CompletedProcess[str]:
    """How a fresh Python ends that runs `code`."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=120, capture_output=True, check=False, text=True
    )


def cpu_seconds(transform: Any, image: pyvips.Image) -> float:
    """CPU time of all threads for making a result's pixels; the least of three, since other processes can only add."""
    times = []
    for seed in range(3):
        began = time.process_time()
        run(transform, image, seed)["image"].copy_memory()
        times.append(time.process_time() - began)
    return min(times)


@pytest.fixture
def no_cache() -> Iterator[None]:
    """libvips remembers no results."""
    kept = pyvips.cache_get_max()
    pyvips.cache_set_max(0)
    yield
    pyvips.cache_set_max(kept)


def test_d1_advanced_blur_divides_by_zero_and_ends_the_process() -> None:
    code = (
        "import random, numpy, pyvips; from augviz.library import A\n"
        "image = pyvips.Image.new_from_array(numpy.full((64, 64, 3), 100, 'uint8'))\n"
        "random.seed(29)\n"
        "A.AdvancedBlur(p=1)(image=image)['image'].numpy()\n"
    )

    assert ended(code).returncode == -8


@pytest.mark.parametrize(("holes", "status"), [(10, 0), (300, -11)])
def test_d2_releasing_many_holes_overflows_the_stack(holes: int, status: int) -> None:
    # A stack of 256 kB has room for a thirtieth of the holes that end a process with the usual 8 MB.
    code = (
        "import random, threading, pyvips; from augviz.library import A\n"
        "pyvips.cache_set_max(0)\n"
        f"step = A.CoarseDropout(max_holes={holes}, p=1)\n"
        "def work():\n"
        "    result = step(image=pyvips.Image.black(64, 64, bands=3))['image']\n"
        "    print('built', flush=True)\n"
        "    del result\n"
        "threading.stack_size(256 * 1024)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
    )
    process = ended(code)

    assert (process.stdout.strip(), process.returncode) == ("built", status)


def test_d3_lambda_cannot_be_constructed() -> None:
    assert "noop" in raised(A.Lambda)


def test_d4_pad_if_needed_raises_without_a_value() -> None:
    assert raised(lambda: A.PadIfNeeded(min_height=8, min_width=8)(image=flat(1)))
    assert A.PadIfNeeded(value=0)(image=flat(1))["image"].width == 1024


def test_d5_random_rotate90_raises_for_factor_3() -> None:
    assert "IndexError" in raised(lambda: A.RandomRotate90().apply(flat(1), factor=3))


def test_d6_grid_dropout_raises_where_the_width_is_a_multiple_of_its_unit() -> None:
    assert "not set" in raised(lambda: run(A.GridDropout(p=1), pyvips.Image.black(1000, 1000)))
    assert run(A.GridDropout(p=1), pyvips.Image.black(1024, 1024))["image"].width == 1024


def test_d7_compose_with_boxes_or_keypoints_raises() -> None:
    flip = A.HorizontalFlip(p=1)

    assert "AttributeError" in raised(
        lambda: A.Compose([flip], bbox_params=A.BboxParams("pascal_voc"))(image=flat(1), bboxes=[(3, 4, 9, 10, "a")])
    )
    assert "AttributeError" in raised(
        lambda: A.Compose([flip], keypoint_params=A.KeypointParams("xy"))(image=flat(1), keypoints=[(3, 4)])
    )


def test_d8_masks_raise_through_compose() -> None:
    assert "AttributeError" in raised(lambda: A.Compose([A.HorizontalFlip(p=1)])(image=flat(1), masks=[flat(0)[0]]))


def test_d9_advanced_blur_corrupts_its_kernel() -> None:
    blur = A.AdvancedBlur(sigmaX_limit=(0.8, 1.0), sigmaY_limit=(0.8, 1.0), p=1)
    random.seed(1)
    random.random()
    kernel = blur.get_params()["kernel"].numpy()

    assert kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] < kernel.max()


def test_d10_gauss_noise_is_added_twice() -> None:
    noisy = run(A.GaussNoise(var_limit=(100, 100), p=1), flat(128, 400, 400))["image"].numpy()

    assert float(noisy.std()) == pytest.approx(20, abs=1)
    assert run(A.GaussNoise(var_limit=(0, 0), mean=20, p=1), flat(100))["image"].avg() == pytest.approx(140)
    assert run(A.GaussNoise(p=1), flat(128, bands=1))["image"].bands == 3
    assert run(A.GaussNoise(per_channel=False, p=1), flat(128, bands=1))["image"].bands == 1


def test_d11_random_gamma_is_inverted() -> None:
    assert pixel(A.RandomGamma((200, 200), p=1), flat(128)) == [180, 180, 180]


def test_d12_a_gamma_out_of_range_is_silently_another() -> None:
    assert pixel(A.RandomGamma((0, 0), p=1), flat(128)) == [48, 48, 48]
    assert A.RandomGamma(80).gamma_limit == (-80, 80)


def test_d13_random_brightness_contrast_needs_8_bit_rgb() -> None:
    step = A.RandomBrightnessContrast((0.1, 0.1), (0, 0), p=1)

    assert "IndexError" in raised(lambda: run(step, flat(9, bands=1)))
    assert run(step, flat(9, bands=4))["image"].bands == 3
    assert pixel(step, flat(20000, dtype=np.uint16)) == [1, 1, 1]


def test_d14_hue_is_clipped_and_float_turns_black_and_hsv_is_rounded() -> None:
    colours = pyvips.Image.new_from_array(
        np.indices((64, 64, 64), np.uint8).reshape(3, 512, 512).transpose(1, 2, 0) * 4
    )

    def change(shift: float) -> int:
        result = run(A.HueSaturationValue((shift, shift), (0, 0), (0, 0), p=1), colours)["image"]
        return int(np.abs(result.numpy().astype(int) - colours.numpy()).max())

    assert change(0) == 0
    assert change(0.5) == 6  # no whole level: the way to HSV and back alone
    assert pixel(A.HueSaturationValue((-20, -20), (0, 0), (0, 0), p=1), flat((255, 0, 0))) == [255, 0, 0]
    assert max(pixel(A.HueSaturationValue((0, 0), (0, 0), (20, 20), p=1), flat(0.5, dtype=np.float32))) < 2
    assert "TypeError" in raised(lambda: run(A.HueSaturationValue(p=1), flat(9, bands=4)))


def test_d15_normalize_has_no_max_pixel_value() -> None:
    step = A.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

    assert pixel(step, flat(255))[0] == pytest.approx(1111.42, abs=0.1)
    assert raised(lambda: run(A.Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), flat(1)))


def test_d16_hed_shift_by_nothing_changes_colours() -> None:
    still = A.HEDShift((0, 0), (0, 0), (0, 0), p=1)

    assert pixel(still, flat((0, 255, 0))) == [0, 0, 0]
    assert max(pixel(still, flat((0.86, 0.59, 0.75), dtype=np.float32))) < 2


@pytest.mark.parametrize("name", ["Sharpen", "Emboss"])
def test_d17_sharpen_and_emboss_are_for_8_bit_only(name: str) -> None:
    step = getattr(A, name)(p=1)

    assert pixel(step, flat(20000, dtype=np.uint16)) == [255, 255, 255]
    assert pixel(step, flat(0.4, dtype=np.float32)) == [0, 0, 0]


def test_d18_to_dtype_ignores_scale_and_16_bit() -> None:
    assert pixel(A.ToDtype("float", False), flat(200))[0] == 0.78
    assert run(A.ToDtype("float", True), flat(40000, dtype=np.uint16))["image"].format == "ushort"


def test_d19_gaussian_blur_does_nothing_by_default() -> None:
    image = pyvips.Image.gaussnoise(64, 64, mean=128, sigma=30).cast("uchar")

    assert np.array_equal(run(A.GaussianBlur(p=1), image)["image"].numpy(), image.numpy())


def test_d20_channel_dropout_is_for_rgb_only() -> None:
    assert raised(lambda: run(A.ChannelDropout(p=1), flat(1, bands=4)))
    assert raised(lambda: run(A.ChannelDropout(p=1), flat(1, bands=1)))
    assert run(A.ChannelDropout(p=1), flat(9, dtype=np.uint16))["image"].format == "float"


def test_d21_the_fill_is_255_in_every_format() -> None:
    rotated = run(A.Rotate((30, 30), p=1), flat(9, dtype=np.uint16))["image"].numpy()

    assert rotated[0, 0].tolist() == [255, 255, 255]
    assert "vector" in raised(lambda: run(A.CropOrPad(99, 99), flat(1, bands=4)))


def test_d22_alpha_is_processed_as_a_colour() -> None:
    image = flat((60, 60, 60, 128), bands=4)

    assert [int(pixel(step, image, 3)[3]) for step in (A.Sharpen(p=1), A.RandomGamma(p=1))] == [113, 129]


def marked() -> pyvips.Image:
    """A grey image with a red mark 100 px right of its centre."""
    pixels = np.full((199, 301, 3), 60, np.uint8)
    pixels[94:105, 245:256] = (200, 20, 20)
    return pyvips.Image.new_from_array(pixels)


def mark_height(image: pyvips.Image) -> float:
    """Where the mark is, in px above the middle."""
    pixels = image.numpy()
    rows, _ = np.where(pixels[..., 0].astype(int) - pixels[..., 1] > 90)
    return float((image.height - 1) / 2 - rows.mean())


def test_d23_rotate_turns_the_other_way_than_affine() -> None:
    assert mark_height(run(A.Rotate((30, 30), p=1), marked())["image"]) < -40
    assert mark_height(run(A.Affine(rotate=30, cval=0, p=1), marked())["image"]) > 40


def test_d24_rotate_grows_the_canvas() -> None:
    result = run(A.Rotate((30, 30), p=1), marked())["image"]

    assert (result.width, result.height) == (360, 323)


def test_d25_crop_border_leaves_fill_and_can_raise() -> None:
    cropped = run(A.Rotate((30, 30), value=[255, 0, 255], crop_border=True, p=1), flat(60, 301, 199))["image"]

    assert float((abs(cropped.numpy().astype(int) - 60).max(-1) > 150).mean()) > 0.05
    assert raised(lambda: run(A.Rotate((90, 90), crop_border=True, p=1), flat(60, 301, 199)))


def test_d26_transpose_is_a_rotation() -> None:
    image = pyvips.Image.new_from_array([[0, 1, 2], [3, 4, 5]]).cast("uchar")

    assert A.Transpose(p=1)(image=image)["image"].numpy().tolist() == [[2, 5], [1, 4], [0, 3]]


def test_d27_elastic_transform_moves_up_and_down_only() -> None:
    first, second = (pyvips.Image.gaussnoise(512, 512, sigma=1, mean=0) for _ in "ab")

    assert (2 * (first / second).atan() - 1).deviate() > 50  # degrees, where radians would give about 1


def test_d28_elastic_transform_displaces_equal_masks_differently() -> None:
    mask = pyvips.Image.new_from_array((np.indices((100, 100))[0] // 10 % 2 * 255).astype(np.uint8))
    with quiet():
        step = A.ElasticTransform(alpha=30, sigma=10, p=1)
    one, other = run(step, flat(1, 100, 100), masks=[mask, mask])["masks"]

    assert not np.array_equal(one.numpy(), other.numpy())


def test_d29_random_crop_is_silently_smaller() -> None:
    result = run(A.RandomCrop(height=300, width=100), flat(0, 301, 199))["image"]

    assert (result.width, result.height) == (100, 199)


def test_d30_a_nearest_mask_is_shifted_against_the_image() -> None:
    row, column = np.indices((60, 60))
    blob = (((row - 30) ** 2 + (column - 30) ** 2) < 144).astype(np.uint8) * 255
    image = pyvips.Image.new_from_array(blob)
    result = run(A.Affine(scale=2.0, cval=0, p=1), image, mask=image)

    def middle(found: pyvips.Image) -> float:
        pixels = found.numpy().astype(float)
        return float((pixels.sum(0) * np.arange(60)).sum() / pixels.sum())

    assert middle(result["mask"]) - middle(result["image"]) > 0.4


def test_d31_enlarging_shifts_by_half_a_pixel() -> None:
    row, column = np.indices((80, 80))
    blob = np.exp(-((row - 40) ** 2 + (column - 40) ** 2) / 50).astype(np.float32)
    result = run(A.RandomScale((1.0, 1.0), p=1), pyvips.Image.new_from_array(blob))["image"].numpy()
    middle = float((result.sum(0) * np.arange(160)).sum() / result.sum())

    assert middle - (40.5 * 2 - 0.5) == pytest.approx(0.5, abs=0.05)


def test_d32_affine_moves_the_axis_that_was_not_given() -> None:
    assert A.Affine(translate_px={"x": 10}).translate_px == {"x": (10, 10), "y": (1.0, 1.0)}


def test_d33_sizes_below_one_are_accepted() -> None:
    assert run(A.LongestMaxSize(0), flat(0))["image"].width == 1


def test_d34_dropout_of_boxes_raises() -> None:
    assert "NotImplementedError" in raised(lambda: run(A.CoarseDropout(p=1), flat(0), bboxes=[(0.1, 0.1, 0.2, 0.2)]))


@pytest.mark.parametrize("name", ["AdvancedBlur", "Emboss", "GaussNoise", "MotionBlur", "Sharpen"])
def test_d35_replay_cannot_copy_drawn_images(name: str) -> None:
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about GaussNoise, whose noise depends on the image's size
        message = raised(lambda: A.ReplayCompose([getattr(A, name)(p=1)])(image=flat(1)))

    assert "cannot pickle" in message
    assert "D35" in {c.defect for c in catalog.transform(name).caveats}


def test_d36_a_replay_of_elastic_transform_draws_new_noise() -> None:
    row, column = np.indices((64, 64))
    image = pyvips.Image.new_from_array((row * 4 ^ column * 3).astype(np.uint8)).bandjoin([0, 0])
    with quiet():
        composed = A.ReplayCompose([A.ElasticTransform(alpha=30, sigma=5, p=1)])
        first = composed(image=image)
        again = A.ReplayCompose.replay(first["replay"], image=image)

    assert not np.array_equal(first["image"].numpy(), again["image"].numpy())


def test_d37_a_nested_some_of_cannot_be_replayed() -> None:
    result = A.ReplayCompose([A.SomeOf([A.HorizontalFlip(p=1)], n=1)])(image=flat(1))

    assert "n" in raised(lambda: A.ReplayCompose.replay(result["replay"], image=flat(1)))


def test_d38_saving_an_interpolator_raises(tmp_path: Path) -> None:
    assert "not JSON serializable" in raised(lambda: A.save(A.Rotate(), str(tmp_path / "rotate.json")))


def test_d39_pad_if_needed_forgets_its_position() -> None:
    kept = A.from_dict(A.to_dict(A.PadIfNeeded(position="north-west", value=0)))

    assert kept.position.value == "centre"


def test_d40_saving_yaml_without_pyyaml_is_a_name_error_and_the_version_is_another(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from augviz.library import A\n"
        f"A.save(A.NoOp(), {str(tmp_path / 'saved.yaml')!r}, data_format='yaml')\n"
    )

    assert "NameError" in ended(code).stderr
    assert A.__version__ != importlib.metadata.version("albumentationsxl")


@pytest.mark.parametrize("name", ["GaussNoise", "ElasticTransform"])
def test_d41_noise_ignores_the_seed(name: str) -> None:
    with quiet():
        arguments = {"alpha": 30, "sigma": 5} if name == "ElasticTransform" else {}
        step = getattr(A, name)(p=1, **arguments)
    row, _ = np.indices((64, 64))
    image = pyvips.Image.new_from_array((row * 4).astype(np.uint8)).bandjoin([0, 0])
    one, other = (run(step, image, 7)["image"].numpy() for _ in range(2))

    assert not np.array_equal(one, other)


def test_d42_another_thread_s_draw_changes_the_next_one_of_this() -> None:
    step = A.RandomCrop(height=8, width=8, p=1)

    def drawn(*, disturbed: bool) -> dict[str, Any]:
        random.seed(5)
        if disturbed:
            other = threading.Thread(target=step.get_params)
            other.start()
            other.join()
        return dict(step.get_params())

    assert drawn(disturbed=False) == drawn(disturbed=False)
    assert drawn(disturbed=True) != drawn(disturbed=False)


def test_d43_many_holes_take_more_than_their_number_and_before_a_pixel_is_made() -> None:
    # CPU time, not time by the clock; in a process of its own, since what it holds takes time, too.
    code = (
        "import time, pyvips; from augviz.library import A\n"
        "pyvips.cache_set_max(0)\n"
        "image = pyvips.Image.black(256, 256, bands=3)\n"
        "def spent(holes):\n"
        "    step, times = A.CoarseDropout(max_holes=holes, p=1), []\n"
        "    for number in range(2):\n"
        "        began = time.process_time(); step(image=image); times.append(time.process_time() - began)\n"
        "    return min(times)\n"
        "print(spent(640) / spent(80))\n"
    )

    assert float(ended(code).stdout) > 8 * 1.5


def test_d44_blur_above_31_px_is_many_times_slower(no_cache: None) -> None:
    image = flat(100, 256, 256).copy_memory()

    assert cpu_seconds(A.Blur((33, 33), p=1), image) > 5 * cpu_seconds(A.Blur((31, 31), p=1), image)


def test_d45_elastic_transform_and_gauss_noise_are_the_costliest(no_cache: None) -> None:
    image = flat(100, 256, 256).copy_memory()
    with quiet():
        elastic = A.ElasticTransform(p=1)
    affine = cpu_seconds(A.Affine(rotate=(10, 10), p=1), image)

    assert cpu_seconds(elastic, image) > 20 * affine
    assert cpu_seconds(A.GaussNoise(p=1), image) > 3 * affine


def test_d46_emboss_prints(capfd: pytest.CaptureFixture[str]) -> None:
    A.Emboss(p=1)(image=flat(1))

    assert capfd.readouterr().out


@pytest.mark.parametrize("name", ["cv2", "torch", "typing_extensions"])
def test_d47_the_library_imports_what_it_does_not_declare(name: str) -> None:
    code = (
        "import sys, types\n"
        "torch = types.ModuleType('torch'); torch.tensor = object; sys.modules['torch'] = torch\n"
        f"sys.modules[{name!r}] = None\n"
        "import albumentationsxl\n"
    )
    declared = " ".join(importlib.metadata.requires("albumentationsxl") or ())

    assert f"import of {name} halted" in ended(code).stderr
    assert {"cv2": "opencv", "typing_extensions": "typing"}.get(name, name) not in declared


@pytest.mark.parametrize("name", ["ColorJitter", "FromFloat"])
def test_d48_the_readme_lists_what_does_not_exist(name: str) -> None:
    assert name in (importlib.metadata.distribution("albumentationsxl").read_text("METADATA") or "")
    assert not hasattr(A, name)


def test_d49_8_bit_convolution_changes_flat_areas() -> None:
    assert pixel(A.Blur((7, 7), p=1), flat(200)) == [201, 201, 201]


def test_d50_motion_blur_refuses_an_even_upper_limit_only() -> None:
    assert "must be odd" in raised(lambda: A.MotionBlur((3, 6)))
    assert A.MotionBlur((4, 7)).blur_limit == (4, 7)


def test_d51_sequential_ignores_its_p_and_one_of_needs_one() -> None:
    inside = A.RandomGamma((200, 200), p=1)

    assert pixel(A.Sequential([inside], p=0), flat(128)) == [180, 180, 180]
    assert "ZeroDivisionError" in raised(lambda: A.OneOf([A.NoOp(p=0)]))


def test_d52_an_amplitude_out_of_range_is_silently_the_default() -> None:
    dot = np.zeros((41, 41), np.float32)
    dot[20, 20] = 1000
    image = pyvips.Image.new_from_array(dot)
    given, default = (run(A.GaussianBlur((2, 2), m, p=1), image)["image"].numpy() for m in (5.0, 0.2))

    assert np.array_equal(given, default)


def test_d53_sharpened_16_bit_keeps_a_16_bit_colour_space() -> None:
    image = flat(20000, dtype=np.uint16).copy(interpretation="rgb16")
    result = run(A.Sharpen(p=1), image)["image"]

    assert (result.format, result.interpretation) == ("uchar", "rgb16")


def test_d54_coarse_dropout_needs_sizes_of_one_kind() -> None:
    assert "should all either be ints or floats" in raised(lambda: run(A.CoarseDropout(max_height=0.2, p=1), flat(1)))
    assert raised(lambda: run(A.CoarseDropout(max_height=65, p=1), flat(1)))


def test_d55_arrays_and_tensors_are_no_images() -> None:
    assert "AttributeError" in raised(lambda: A.HorizontalFlip(p=1)(image=np.zeros((4, 4, 3), np.uint8)))


def with_a_test() -> set[str]:
    """The numbers of the defects that have a test here."""
    return {f"D{number}" for number in re.findall(r"^def test_d(\d+)_", Path(__file__).read_text(), re.MULTILINE)}


def test_every_defect_that_the_catalogue_names_has_a_test_here() -> None:
    rows = (*catalog.TRANSFORMS.values(), *catalog.GROUPS.values())
    named = {c.defect for row in rows for c in row.caveats} | {c.defect for c in catalog.GENERAL_CAVEATS}

    assert named - {""} <= with_a_test()


def test_every_defect_that_the_code_or_a_document_names_has_a_test_here() -> None:
    files = [*(ROOT / "augviz").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    named = {number for file in files for number in re.findall(r"\bD\d{1,2}\b", file.read_text(encoding="utf-8"))}

    assert named - with_a_test() == set()


def test_the_catalogue_names_every_defect_that_is_tested() -> None:
    assert with_a_test() == set(works_text.defects())
