"""The command line, as scripts use it: what is printed, what is written, and what happens when something is wrong."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from skimage import data, io

from augviz import engine, images, saved
from augviz.library import A
from augviz.model import QUALITIES

ROOT = Path(__file__).parent.parent

TUTORIAL: list[dict[str, Any]] = [
    {"transform": "RandomBrightnessContrast", "p": 1.0},
    {"transform": "Rotate", "p": 0.8},
    {"transform": "Normalize", "args": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
    {"transform": "ToTensor"},
]
BLUR: list[dict[str, Any]] = [
    {"transform": "Blur", "p": 1.0},
    {"transform": "Rotate", "args": {"limit": [20, 20]}, "p": 1.0},
]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rgb.png (300 x 200), grey.png and deep.tif (16 bit), of real photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    io.imsave(folder / "rgb.png", data.astronaut()[:200, 100:400], check_contrast=False)
    io.imsave(folder / "grey.png", data.camera()[:200, :300], check_contrast=False)
    io.imsave(folder / "deep.tif", data.camera()[:200, :300].astype(np.uint16) * 257, check_contrast=False)
    return folder


@pytest.fixture
def rgb(photographs: Path) -> str:
    return str(photographs / "rgb.png")


def augviz(*arguments: object, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one command from the checkout."""
    command = [sys.executable, "-m", "augviz", *map(str, arguments)]
    environment = {**os.environ, **environ}
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, env=environment, timeout=240)


def ok(*arguments: object, **more: str) -> str:
    """What a command prints that must succeed without a word on standard error."""
    result = augviz(*arguments, **more)

    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def failure(*arguments: object, **more: str) -> str:
    """The one line of a command that must fail with status 2 and print nothing else."""
    result = augviz(*arguments, **more)

    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


def pipeline(folder: Path, *steps: dict[str, Any], **more: Any) -> str:
    """A pipeline file."""
    path = folder / "pipeline.json"
    path.write_text(json.dumps({"format": 1, **more, "steps": steps}))
    return str(path)


def expected(image: str, path: str, seed: int) -> np.ndarray:
    """The engine's full-size result, made in this process."""
    found = saved.loads(Path(path).read_text())
    return engine.apply(images.open_image(image, found.input), found, seed).array()


# info


def test_info_prints_the_contracts_keys(rgb: str) -> None:
    info = json.loads(ok("info", rgb, "--json"))

    assert info == {
        "width": 300,
        "height": 200,
        "bands": 3,
        "format": "uchar",
        "interpretation": "srgb",
        "orientation": 1,
        "levels": 1,
        "pages": 1,
        "mpp_x": None,
        "mpp_y": None,
        "file_bytes": Path(rgb).stat().st_size,
        "uncompressed_bytes": 180000,
        "loader": "pngload",
    }


def test_info_is_readable_without_json(rgb: str) -> None:
    printed = ok("info", rgb)

    assert re.search(r"^width +300$", printed, re.MULTILINE)
    assert re.search(r"^mpp_x +unknown$", printed, re.MULTILINE)


# draw


def test_draw_has_one_entry_per_leaf_with_the_contracts_keys(rgb: str, tmp_path: Path) -> None:
    off = {"transform": "Blur", "enabled": False, "id": "off"}
    group = {"group": "OneOf", "id": "g", "steps": [{"transform": "Flip"}, {"transform": "Transpose"}], "p": 1.0}

    draw = json.loads(ok("draw", rgb, pipeline(tmp_path, off, group), "--json", "--seed", 3))

    assert list(draw) == ["seed", "steps"]
    assert draw["seed"] == 3
    assert [step["id"] for step in draw["steps"]] == ["off", "g.0", "g.1"]
    assert sum(step["applied"] for step in draw["steps"]) == 1
    for step in draw["steps"]:
        assert list(step) == ["id", "transform", "applied", "values", "width", "height", "bands", "format"]


def test_draw_seeds_each_top_level_item_as_documented(rgb: str, tmp_path: Path) -> None:
    angles = []
    transform = A.Rotate(p=1)
    transform.apply = lambda image, angle=0, **_: angles.append(angle) or image
    random.seed("-7:turn")
    transform(image=pyvips.Image.black(300, 200, bands=3))

    path = pipeline(tmp_path, {"transform": "Flip"}, {"id": "turn", "transform": "Rotate", "p": 1})
    draw = json.loads(ok("draw", rgb, path, "--json", "--seed", "-7"))

    assert draw["steps"][1]["values"]["angle"] == angles[0]


def test_draw_is_a_table_without_json(rgb: str, tmp_path: Path) -> None:
    printed = ok("draw", rgb, pipeline(tmp_path, *BLUR, {"transform": "Flip", "enabled": False}))

    assert printed.startswith("seed 0\n")
    assert re.search(r"2\. Rotate +applied +\d+ x \d+ x 3 uchar +angle 20\n", printed)
    assert re.search(r"3\. Flip +skipped", printed)


# apply


@pytest.mark.parametrize(("name", "seed"), [("rgb.png", 0), ("rgb.png", -5), ("grey.png", 1), ("deep.tif", 2)])
def test_apply_writes_exactly_the_librarys_array(photographs: Path, tmp_path: Path, name: str, seed: int) -> None:
    path, out = pipeline(tmp_path, {"transform": "Flip"}, *BLUR), tmp_path / "out.npy"

    ok("apply", photographs / name, path, "--seed", seed, "-o", out)

    made, wanted = np.load(out), expected(str(photographs / name), path, seed)
    assert (made.dtype, made.shape) == (wanted.dtype, wanted.shape)
    assert np.array_equal(made, wanted)


def test_apply_writes_a_tensor_as_bands_height_width(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *TUTORIAL), tmp_path / "out.npy"

    ok("apply", rgb, path, "-o", out)

    made = np.load(out)
    assert made.dtype == np.float32
    assert made.shape[0] == 3
    assert np.array_equal(made, expected(rgb, path, 0))


def test_apply_writes_a_tiled_tif_of_height_width_bands(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *TUTORIAL), tmp_path / "out.tif"

    ok("apply", rgb, path, "-o", out)

    image = pyvips.Image.new_from_file(str(out))
    assert image.get_typeof("tile-width") != 0
    assert image.format == "float"
    assert np.array_equal(image.numpy(), expected(rgb, path, 0).transpose(1, 2, 0))


def test_a_png_of_8_bit_values_holds_them_as_they_are(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *BLUR), tmp_path / "out.png"

    printed = ok("apply", rgb, path, "-o", out)

    assert printed == ""
    assert np.array_equal(io.imread(out), expected(rgb, path, 0))


def test_a_png_of_16_bit_values_holds_them_divided_by_257(photographs: Path, tmp_path: Path) -> None:
    deep, out = photographs / "deep.tif", tmp_path / "out.png"

    printed = ok("apply", deep, pipeline(tmp_path, {"transform": "NoOp"}), "-o", out)

    assert printed == ""
    assert np.array_equal(io.imread(out), io.imread(deep) // 257)


def test_a_png_of_other_values_is_stretched_and_says_the_range(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *TUTORIAL), tmp_path / "out.png"

    printed = ok("apply", rgb, path, "-o", out)

    wanted = expected(rgb, path, 0)
    assert printed == f"minimum {float(wanted.min())!r}, maximum {float(wanted.max())!r}, shown as 0 and 255\n"
    assert (io.imread(out).min(), io.imread(out).max()) == (0, 255)


def test_a_window_is_that_part_of_the_full_size_result(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *BLUR), tmp_path / "out.npy"

    ok("apply", rgb, path, "--window", "40,30,50,20", "-o", out)

    assert np.array_equal(np.load(out), expected(rgb, path, 0)[30:50, 40:90])


def test_apply_shrinks_the_full_size_result_afterwards(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *BLUR), tmp_path / "out.npy"
    height, width = expected(rgb, path, 0).shape[:2]

    ok("apply", rgb, path, "--max-side", 100, "-o", out)

    assert np.load(out).shape == (round(height / 3), round(width / 3), 3)


def test_nothing_is_enlarged(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *BLUR), tmp_path / "out.npy"

    ok("apply", rgb, path, "--max-side", 5000, "-o", out)

    assert np.array_equal(np.load(out), expected(rgb, path, 0))


def test_the_input_choice_of_the_pipeline_is_obeyed(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, {"transform": "NoOp"}, input={"bands": 1}), tmp_path / "out.npy"

    ok("apply", rgb, path, "-o", out)

    assert np.array_equal(np.load(out), io.imread(rgb)[:, :, 0])


PEAK = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, "-m", "augviz", *sys.argv[1:]]).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_apply_needs_no_more_memory_for_a_taller_image(tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "HorizontalFlip", "p": 1}, *BLUR[:1])
    peaks = []
    for height in (1000, 20000):
        image = str(tmp_path / f"{height}.tif")
        pyvips.Image.black(1000, height, bands=3).tiffsave(image, tile=True)
        command = [sys.executable, "-c", PEAK, "apply", image, path, "-o", str(tmp_path / "out.npy")]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        status, kilobytes = result.stdout.split()
        assert status == "0"
        peaks.append(int(kilobytes))

    assert peaks[1] - peaks[0] < 15000  # the taller one takes 57,000 kilobytes more


def test_a_pipeline_comes_from_standard_input(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *BLUR), tmp_path / "out.npy"

    ok("apply", rgb, "-", "-o", out, stdin=Path(path).read_text())

    assert np.array_equal(np.load(out), expected(rgb, path, 0))


# preview


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_preview_has_the_size_of_the_shrunk_result_and_looks_like_it(rgb: str, tmp_path: Path, quality: str) -> None:
    path, out, truth = pipeline(tmp_path, *BLUR), tmp_path / "preview.npy", tmp_path / "truth.npy"

    ok("preview", rgb, path, "--max-side", 100, "--quality", quality, "-o", out)
    ok("apply", rgb, path, "--max-side", 100, "-o", truth)

    made, wanted = np.load(out), np.load(truth)
    assert made.shape == wanted.shape
    assert np.abs(made.astype(float) - wanted).mean() < 5


def test_a_preview_of_a_small_image_is_at_scale_1_and_exact(rgb: str, tmp_path: Path) -> None:
    path, out = pipeline(tmp_path, *BLUR), tmp_path / "preview.npy"

    ok("preview", rgb, path, "-o", out)

    assert np.array_equal(np.load(out), expected(rgb, path, 0))


# export


def test_export_prints_a_module_with_a_transform(tmp_path: Path) -> None:
    names: dict[str, Any] = {}

    exec(ok("export", pipeline(tmp_path, *TUTORIAL)), names)

    assert [type(step).__name__ for step in names["transform"]] == [step["transform"] for step in TUTORIAL]


def test_export_of_a_dataset_requires_the_bands_of_the_image(photographs: Path, tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "Flip"})

    assert "BANDS = (1,)" in ok("export", path, "--as", "dataset", "--image", photographs / "grey.png")
    assert "BANDS" not in ok("export", path, "--as", "dataset")


def test_export_of_a_draw_makes_the_applied_pixels(rgb: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, *TUTORIAL[:3], {"transform": "GaussNoise", "p": 1.0})
    script = ok("export", path, "--as", "draw", "--seed", "7", "--image", rgb)
    names: dict[str, Any] = {}
    try:
        exec(script, names)
        made = names["result"].numpy()
    finally:
        del pyvips.Image.gaussnoise  # the script is meant for a process of its own
    ok("apply", rgb, path, "--seed", "7", "-o", tmp_path / "applied.npy")

    assert np.array_equal(made, np.load(tmp_path / "applied.npy"))


def test_export_of_a_draw_tells_what_draw_tells(rgb: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, *BLUR)
    drawn = json.loads(ok("draw", rgb, path, "--seed", "3", "--json"))["steps"][1]["values"]["angle"]

    assert f"    # Rotate: angle {drawn:.4g}\n" in ok("export", path, "--as", "draw", "--seed", "3", "--image", rgb)


def test_export_of_a_draw_needs_an_image_and_a_draw_that_can_be_made(rgb: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "CenterCrop", "args": {"height": 900, "width": 900}, "p": 1.0})

    assert "--image must be given" in failure("export", path, "--as", "draw")
    assert "step 1, CenterCrop" in failure("export", path, "--as", "draw", "--image", rgb)
    assert "nothing.png" in failure("export", path, "--as", "draw", "--image", "nothing.png")


def test_export_imports_neither_pyvips_nor_the_library(tmp_path: Path) -> None:
    code = (
        "import sys; from augviz.cli import main; status = main(sys.argv[1:]); "
        "print(status, sorted({'pyvips', 'albumentationsxl', 'cv2', 'torch', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "export", pipeline(tmp_path, *TUTORIAL)]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert result.stderr == "0 []\n"


# Errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ('{"format": 1, "stepps": []}', '"stepps"'),
        ('{"format": 1, "steps": [{"transform": "Blur", "arg": {}}]}', '"arg"'),
        ('{"format": 1, "steps": [{"transform": "Blur", "args": {"limit": 3}}]}', "Blur"),
        ('{"format": 1, "steps": [{"transform": "Blurr"}]}', "Blur"),
        ('{"format": 2, "steps": []}', '"format"'),
        ("[" * 100000, "nested too deeply"),
    ],
)
def test_a_wrong_pipeline_is_one_line_that_names_the_fault(text: str, words: str) -> None:
    assert words in failure("export", "-", stdin=text)


def test_a_pipeline_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b"\xff\xfe\x00")

    assert "nothing.json" in failure("export", tmp_path / "nothing.json")
    assert "UTF-8" in failure("export", tmp_path / "p.json")


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("not an image")

    assert "nothing.png" in failure("info", tmp_path / "nothing.png")
    assert "text.png" in failure("info", text)
    assert "nothing.png" in failure("draw", "nothing.png", pipeline(tmp_path, *BLUR))


def test_an_image_that_is_cut_short_is_named(rgb: str, tmp_path: Path) -> None:
    short = tmp_path / "short.png"
    short.write_bytes(Path(rgb).read_bytes()[:20000])

    words = failure("apply", short, pipeline(tmp_path, {"transform": "NoOp"}), "-o", tmp_path / "out.npy")

    assert "short.png" in words
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize("window", ["290,0,300,10", "0,0,1,5000"])
def test_a_window_partly_outside_the_result_is_an_error(rgb: str, tmp_path: Path, window: str) -> None:
    path = pipeline(tmp_path, {"transform": "NoOp"})

    assert "300 x 200" in failure("apply", rgb, path, "--window", window, "-o", tmp_path / "out.npy")


def test_a_step_that_cannot_be_built_is_named(rgb: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "NoOp"}, {"transform": "MedianBlur", "args": {"blur_limit": [4, 4]}})

    assert "step 2, MedianBlur: " in failure("draw", rgb, path)


def test_a_step_that_raises_is_named(photographs: Path, tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "NoOp"}, {"transform": "HEDShift", "p": 1})

    for command in ("apply", "preview"):
        words = failure(command, photographs / "grey.png", path, "-o", tmp_path / "out.npy")
        assert "step 2, HEDShift: " in words
    assert not (tmp_path / "out.npy").exists()


KILLER = {"transform": "AdvancedBlur", "args": {"noise_limit": [0, 0]}, "p": 1}


def test_a_draw_that_the_library_would_not_survive_is_refused(rgb: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, *BLUR, KILLER)

    for command in (("draw",), ("apply", "-o", tmp_path / "out.npy"), ("preview", "-o", tmp_path / "out.npy")):
        words = failure(command[0], rgb, path, *command[1:])
        assert "step 3, AdvancedBlur: " in words
        assert "(D1)" in words


@pytest.mark.parametrize(
    ("transform", "args"),
    [
        ("Blur", {"blur_limit": [100001, 100001]}),
        ("MotionBlur", {"blur_limit": 20001}),
        ("AdvancedBlur", {"blur_limit": [3, 20001]}),
        ("MedianBlur", {"blur_limit": [20001, 20001]}),
        ("CoarseDropout", {"max_holes": 10**9}),
        ("CoarseDropout", {"max_holes": 3000, "min_holes": 2900}),
        ("GridDropout", {"unit_size_min": 2, "unit_size_max": 2}),
        ("GridDropout", {"holes_number_x": 100, "holes_number_y": 60}),
        ("Rotate", {"limit": [-1e308, 1e308]}),
    ],
)
@pytest.mark.parametrize("command", [("draw",), ("preview", "--max-side", "20", "-o", "out.png")])
def test_what_the_library_would_not_survive_is_refused_at_once_and_at_every_scale(
    rgb: str, tmp_path: Path, transform: str, args: dict[str, Any], command: tuple[str, ...]
) -> None:
    path = pipeline(tmp_path, {"transform": "NoOp"}, {"transform": transform, "args": args, "p": 1})
    name, *options = command

    words = failure(name, rgb, path, *(tmp_path / o if o == "out.png" else o for o in options), AUGVIZ_JOB_SECONDS="20")

    assert f"step 2, {transform}: " in words
    assert "time limit" not in words


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([{"group": "SomeOf", "n": 10**9, "steps": [{"transform": "HorizontalFlip"}]}], "SomeOf"),
        ([{"group": "SomeOf", "n": 900, "steps": [{"transform": "NoOp"}]}] * 2, "NoOp"),
        ([{"transform": "NoOp", "p": 1}] * 1001, "step 1001, NoOp"),
    ],
)
def test_a_chain_that_the_library_would_not_survive_is_refused(
    rgb: str, tmp_path: Path, steps: list[dict[str, Any]], name: str
) -> None:
    words = failure("draw", rgb, pipeline(tmp_path, *steps))

    assert f"{name}: " in words
    assert "1000 steps" in words


def test_a_setting_that_is_wrong_is_one_line(rgb: str) -> None:
    assert "AUGVIZ_WORKERS" in failure("info", rgb, AUGVIZ_WORKERS="many")


def test_warnings_of_libvips_are_not_printed(rgb: str, tmp_path: Path) -> None:
    # A gamma below 0 is rejected by libvips with a warning (D12, D52), grey to HSV with another (D14).
    path = pipeline(tmp_path, {"transform": "RandomGamma", "args": {"gamma_limit": [-50, -40]}, "p": 1})

    assert ok("apply", rgb, path, "-o", tmp_path / "out.npy") == ""


def test_what_the_library_prints_is_not_printed(rgb: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "Emboss", "p": 1}, {"transform": "ElasticTransform"})  # D46

    assert ok("apply", rgb, path, "-o", tmp_path / "out.npy") == ""


# Output


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m augviz export {pipeline(tmp_path, *TUTORIAL)} --as dataset | true"

    result = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert result.stderr == ""


# Python code as a pipeline, and import

CODE = """\
import albumentationsxl as A
import pyvips

LIMIT = (20, 20)
train = A.Compose([A.Blur(p=1.0), A.Rotate(LIMIT, pyvips.Interpolate.new("bilinear"), p=1.0)], bbox_params={"a": "\\d"})
"""
PARTLY = "import albumentationsxl as A\nt = A.Compose([\n    A.Flip(),\n    make(),\n    A.Blur(blur_limit=size),\n])\n"


def code(folder: Path, text: str = CODE) -> str:
    path = folder / "train.py"
    path.write_text(text)
    return str(path)


def test_a_pipeline_may_be_python_code(rgb: str, tmp_path: Path) -> None:
    numbered = [{**step, "id": f"s{i}"} for i, step in enumerate(BLUR, start=1)]
    path, out = pipeline(tmp_path, *numbered), tmp_path / "out.npy"

    for arguments, more in (((code(tmp_path),), {}), (("-",), {"stdin": CODE})):
        assert ok("apply", rgb, *arguments, "--seed", 4, "-o", out, **more) == ""
        assert np.array_equal(np.load(out), expected(rgb, path, 4))


def test_code_that_cannot_be_read_whole_is_refused_with_its_line(rgb: str, tmp_path: Path) -> None:
    path = code(tmp_path, PARTLY)

    for command in (("draw", rgb, path), ("export", path), ("apply", rgb, path, "-o", tmp_path / "out.npy")):
        words = failure(*command)
        assert "train.py: line 4: make() is a call that is not known; it was left out" in words
        assert "import shows the rest" in words
    assert not (tmp_path / "out.npy").exists()


def test_import_writes_what_can_be_read_and_prints_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "out.json").write_text("old")

    printed = ok("import", code(tmp_path, PARTLY), "-o", folder / "out.json")

    assert printed.splitlines() == [
        "line 4: make() is a call that is not known; it was left out.",
        "line 5: Blur: blur_limit cannot be read, size is not in the text; it was left out.",
    ]
    assert [entry.name for entry in folder.iterdir()] == ["out.json"]
    assert json.loads((folder / "out.json").read_text()) == {
        "format": 1,
        "steps": [{"id": "s1", "transform": "Flip"}, {"id": "s2", "transform": "Blur"}],
    }


def test_import_takes_the_compose_of_a_number(tmp_path: Path) -> None:
    path, out = code(tmp_path, CODE + "valid = A.Compose([A.NoOp()])\n"), tmp_path / "out.json"

    printed = ok("import", path, "--number", 2, "-o", out)

    assert printed == "line 5: Another Compose, train, was left; it is number 1 of 2.\n"
    assert json.loads(out.read_text())["steps"] == [{"id": "s1", "transform": "NoOp"}]
    assert "there are 2" in failure("import", path, "--number", 3, "-o", out)


def test_import_reads_the_librarys_json_and_the_saved_form(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    A.save(A.Compose([A.Flip(p=0.3)]), str(tmp_path / "library.json"))

    assert ok("import", tmp_path / "library.json", "-o", out) == ""
    assert json.loads(out.read_text())["steps"] == [{"id": "s1", "transform": "Flip", "p": 0.3}]
    assert ok("import", "-", "-o", out, stdin=Path(pipeline(tmp_path, *BLUR)).read_text()) == ""
    assert json.loads(out.read_text())["steps"] == BLUR


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "train.py: There is no Compose"),
        ("A.Compose([A.Flip(])", "train.py: The text is not valid Python in line 1"),
        ("A.Compose([make()])", "train.py: No step can be read; line 1: make()"),
        ("(" * 100_000, "not valid Python"),
    ],
)
def test_import_of_nothing_is_one_line_and_leaves_the_old_file(tmp_path: Path, text: str, words: str) -> None:
    out = tmp_path / "out.json"
    out.write_text("old")

    assert words in failure("import", code(tmp_path, text), "-o", out)
    assert out.read_text() == "old"


def test_import_writes_json_files_only(tmp_path: Path) -> None:
    assert "must end in .json" in failure("import", code(tmp_path), "-o", tmp_path / "out.py")


def test_code_in_a_file_of_another_name_is_no_pipeline(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(CODE)

    assert "not valid JSON" in failure("export", tmp_path / "p.json")


def test_import_loads_neither_pyvips_nor_the_library(tmp_path: Path) -> None:
    text = (
        "import sys; from augviz.cli import main; status = main(sys.argv[1:]); "
        "print(status, sorted({'pyvips', 'albumentationsxl', 'cv2', 'torch', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", text, "import", code(tmp_path), "-o", str(tmp_path / "out.json")]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert result.stderr == "0 []\n"
