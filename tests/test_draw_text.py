"""The text of one draw: what it says, and that it makes the engine's pixels in a fresh process, noise included."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from skimage import data, io

from augviz import draw_text, engine, headers, images, saved
from augviz.errors import ArgumentError, AugvizError
from augviz.model import Group, InputChoice, Pipeline, Step
from augviz.presets import PRESETS
from tests.strategies import pipelines

ROOT = Path(__file__).parent.parent

Case = tuple[Pipeline, int]


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """256 x 256 px of a real photograph, 3 bands of 8 bit."""
    path = tmp_path_factory.mktemp("photograph") / "astronaut.png"
    io.imsave(path, data.astronaut()[100:356, 100:356], check_contrast=False)
    return path


def loaded(*steps: dict[str, object], **more: object) -> Pipeline:
    return saved.load({"format": 1, "steps": list(steps), **more})


def text_of(path: Path, pipeline: Pipeline, seed: int) -> str:
    """The text with the drawn values beside the steps."""
    facts = headers.describe(path, pipeline.input)
    return draw_text.draw(pipeline, engine.draw(facts.header, pipeline, seed).draw, str(path), facts)


def expected(path: Path, pipeline: Pipeline, seed: int) -> np.ndarray | None:
    """The engine's full-size result, None where the library cannot make it."""
    try:
        text_of(path, pipeline, seed)
        return engine.apply(images.open_image(path, pipeline.input), pipeline, seed).array()
    except (AugvizError, pyvips.Error):
        return None


def differences(path: Path, cases: Sequence[Case], folder: Path, *, least: float = 1.0) -> list[str]:
    """What is unequal between executed texts and the engine, a sentence for each case that is.

    Args:
        least: the share of cases that must have been compared; where the library raises, there is nothing to compare.
    """
    wanted = {number: expected(path, *case) for number, case in enumerate(cases)}
    compared = [number for number, result in wanted.items() if result is not None]
    assert len(compared) >= least * len(cases)
    requests = [{"text": text_of(path, *cases[number]), "out": str(folder / str(number))} for number in compared]
    (folder / "requests.json").write_text(json.dumps(requests))
    command = [sys.executable, "-m", "tests.run_draws", str(folder / "requests.json")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr[-2000:]
    found = []
    for number in compared:
        words, array = folder / f"{number}.txt", wanted[number]
        made = None if words.exists() else np.load(folder / f"{number}.npy")
        assert array is not None
        if made is None or made.dtype != array.dtype or not _equal(made, array):
            what = words.read_text() if made is None else f"{made.dtype} {made.shape}"
            found.append(f"seed {cases[number][1]}: {what}: {saved.dumps(cases[number][0], None)}")
    return found


def _equal(made: np.ndarray, wanted: np.ndarray) -> bool:
    return np.array_equal(made, wanted, equal_nan=wanted.dtype.kind == "f")


NOISE = {"transform": "GaussNoise", "p": 1.0}
ELASTIC = {"transform": "ElasticTransform", "p": 1.0, "args": {"alpha": 20.0, "sigma": 6.0}}
FLIP = {"transform": "HorizontalFlip"}
TURN = {"transform": "Rotate", "p": 1.0, "args": {"limit": [-20, 20], "interpolation": "bicubic"}}
NORMAL = {"transform": "Normalize", "args": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}}

KINDS = {
    "noise": loaded(NOISE, ELASTIC, NOISE),
    "named and implied ids": loaded({**TURN, "id": 'it\'s "a" \\ {x}'}, NOISE, {**FLIP, "id": "1"}),
    "equal ids": loaded({**NOISE, "id": "a"}, {**NOISE, "id": "a"}),
    "disabled items": loaded({**NOISE, "enabled": False}, TURN, {**FLIP, "enabled": False}, ELASTIC),
    "nested groups": loaded(
        {
            "group": "SomeOf",
            "n": 3,
            "p": 1.0,
            "steps": [NOISE, {"group": "OneOf", "p": 1.0, "steps": [TURN, ELASTIC]}, {**FLIP, "enabled": False}],
        },
        {"group": "OneOf", "steps": [{**FLIP, "enabled": False}]},
        {"group": "OneOrOther", "steps": [NOISE, {**TURN, "enabled": False}]},
        {"group": "Sequential", "steps": [FLIP, NOISE]},
    ),
    "a tensor": loaded(NOISE, NORMAL, {"transform": "ToTensor"}),
    "nothing": Pipeline(),
    "an input choice": loaded(ELASTIC, TURN, input={"bands": 1, "upright": True, "as_8_bit": True}),
}


def test_every_kind_of_pipeline_makes_the_engines_pixels(photograph: Path, tmp_path: Path) -> None:
    cases = [(pipeline, seed) for pipeline in KINDS.values() for seed in (0, -3)]
    cases += [(preset.pipeline, 11) for preset in PRESETS]

    assert differences(photograph, cases, tmp_path) == []


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example is a process with many pipelines; the message names the one
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.tuples(pipelines(), st.integers(-(10**6), 10**12)), min_size=25, max_size=25))
def test_generated_pipelines_make_the_engines_pixels(
    photograph: Path, tmp_path_factory: pytest.TempPathFactory, cases: list[Case]
) -> None:
    assert differences(photograph, cases, tmp_path_factory.mktemp("run"), least=0.9) == []


def test_a_level_of_a_pyramid_makes_the_engines_pixels(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    scan = pyvips.Image.new_from_array(data.astronaut())
    scan.tiffsave(str(path), tile=True, tile_width=64, tile_height=64, pyramid=True)
    pipeline = replace(loaded(NOISE, TURN), input=InputChoice(level=1))

    assert "256 x 256 pixels" in text_of(path, pipeline, 1)
    assert differences(path, [(pipeline, 1)], tmp_path) == []


def test_the_seed_alone_gives_the_same_code_without_what_was_drawn(photograph: Path) -> None:
    for pipeline in KINDS.values():
        full, short = text_of(photograph, pipeline, 3), draw_text.draw(pipeline, 3, str(photograph))

        assert ast.dump(ast.parse(full)) == ast.dump(ast.parse(short))


def test_what_was_drawn_stands_above_each_step(photograph: Path) -> None:
    pipeline = loaded(
        {**TURN, "args": {"limit": [20, 20]}},
        {**NOISE, "enabled": False},
        {"group": "Sequential", "steps": [{**FLIP, "p": 0.0}, NOISE]},
    )
    text = text_of(photograph, pipeline, 0)

    assert '    # Rotate: angle 20\n    ("0", A.Rotate(' in text
    assert "    # Sequential\n    #   HorizontalFlip: skipped\n    #   GaussNoise: noise sigma " in text
    assert text.count("GaussNoise: noise") == 1


def test_noise_is_wrapped_only_where_there_is_noise(photograph: Path) -> None:
    assert "gaussnoise" not in text_of(photograph, loaded(TURN, {**NOISE, "enabled": False}), 0)
    assert "pyvips.Image.gaussnoise = staticmethod(seeded_noise)" in text_of(photograph, loaded(ELASTIC), 0)


def test_nothing_but_the_library_pyvips_and_random_is_imported(photograph: Path) -> None:
    for pipeline in KINDS.values():
        tree = ast.parse(text_of(photograph, pipeline, 0))
        imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]

        library = ["import albumentationsxl as A"] if pipeline.steps else []
        assert [ast.unparse(node) for node in imported] == ["import random", *library, "import pyvips"]


@pytest.mark.parametrize("name", ['a"b.tif', "it's.tif", "new\nline.tif", "back\\slash.tif", '"""\'', "日本.tif"])
def test_a_name_is_only_ever_text(name: str) -> None:
    tree = ast.parse(draw_text.draw(loaded(TURN), 0, name))
    [opening] = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value == name]

    assert opening.value == name


def test_the_lines_that_save_the_result_work(photograph: Path, tmp_path: Path) -> None:
    text = text_of(photograph, loaded(TURN), 5)
    [saving] = [line[2:] for line in text.splitlines() if line.startswith("# result.write_to_file")]
    result = engine.apply(images.open_image(photograph), loaded(TURN), 5)
    exec(saving.replace('"draw_5.tif"', repr(str(tmp_path / "draw_5.tif"))), {"result": result.image})

    assert np.array_equal(pyvips.Image.new_from_file(str(tmp_path / "draw_5.tif")).numpy(), result.array())


def test_long_values_stay_within_the_line(photograph: Path) -> None:
    holes = {"transform": "CoarseDropout", "p": 1.0, "args": {"max_holes": 40}}
    deep: dict[str, object] = {"group": "SomeOf", "n": 5, "p": 1.0, "steps": [{**TURN}]}
    for _ in range(6):
        deep = {"group": "Sequential", "steps": [deep]}
    remarks = [line for line in text_of(photograph, loaded(holes, deep), 0).splitlines() if line.startswith("    #")]

    assert max(map(len, remarks)) <= 100
    assert any(line.endswith(" ...") for line in remarks)


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_is_laid_out_as_black_does_and_has_nothing_unused(kind: str, tmp_path: Path) -> None:
    for choice in (InputChoice(), InputChoice(level=1, bands=3)):
        (tmp_path / f"{choice.level}.py").write_text(draw_text.draw(replace(KINDS[kind], input=choice), 0, "slide.tif"))
    ruff = [sys.executable, "-m", "ruff"]
    layout = subprocess.run(
        [*ruff, "format", "--isolated", "--line-length", "100", "--diff", str(tmp_path)], capture_output=True, text=True
    )
    faults = subprocess.run(
        [*ruff, "check", "--isolated", "--select", "F,E,I,B", "--line-length", "100", str(tmp_path)],
        capture_output=True,
        text=True,
    )

    assert layout.stdout == ""
    assert faults.stdout == "All checks passed!\n"


def test_a_draw_of_another_pipeline_is_refused(photograph: Path) -> None:
    other = engine.draw(headers.describe(photograph).header, loaded(FLIP), 0).draw

    with pytest.raises(ArgumentError, match="The draw is not one of this pipeline"):
        draw_text.draw(loaded(TURN), other, "a.tif")


def test_a_group_around_a_disabled_group_keeps_its_remarks_in_step(photograph: Path) -> None:
    inner = Group("0.0", "OneOf", (Step("0.0.0", "Blur", p=1.0),), enabled=False)
    pipeline = Pipeline((Group("0", "Sequential", (inner, Step("0.1", "VerticalFlip", p=1.0))), Step("1", "Flip")))
    text = text_of(photograph, pipeline, 0)

    assert "Blur" not in text
    assert "    # Sequential\n    #   VerticalFlip: nothing to draw\n" in text


def test_the_server_side_writes_it_without_pixels() -> None:
    code = (
        "import sys; from augviz import draw_text, presets; "
        "draw_text.draw(presets.FIRST.pipeline, 0, 'a.tif'); "
        "print(sorted({'pyvips', 'albumentationsxl', 'cv2', 'torch', 'numpy'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.torch
def test_a_saved_script_runs_by_itself_and_gives_a_tensor(photograph: Path, tmp_path: Path) -> None:
    import torch

    script = tmp_path / "draw.py"
    text = text_of(photograph, KINDS["a tensor"], 4)
    saving = next(line[2:] for line in text.splitlines() if line.startswith("# torch.save"))
    script.write_text(f"{text}\nimport torch\n{saving}\n")
    ran = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=240)

    assert ran.returncode == 0, ran.stderr[-2000:]
    result = torch.load(tmp_path / "draw_4.pt")
    wanted = engine.apply(images.open_image(photograph), KINDS["a tensor"], 4).array()
    assert np.array_equal(result.numpy(), wanted)
