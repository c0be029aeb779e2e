"""Exported text runs, in fresh processes, and makes the pixels that the engine makes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from skimage import data, io

from augviz import catalog, engine, images, saved
from augviz.batches import enabled
from augviz.errors import AugvizError
from augviz.export import compose, dataset
from augviz.model import Group, ParamKind, Pipeline, Step
from augviz.presets import PRESETS, Preset
from tests.strategies import facts, pipelines

Form = Callable[[Pipeline], str]

ROOT = Path(__file__).parent.parent

USABLE = tuple(name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """256 x 256 px of a real photograph, 3 bands of 8 bit."""
    path = tmp_path_factory.mktemp("photograph") / "astronaut.png"
    io.imsave(path, data.astronaut()[100:356, 100:356], check_contrast=False)
    return path


def run(requests: list[dict[str, object]], folder: Path) -> None:
    """Run exported texts in one fresh process."""
    (folder / "requests.json").write_text(json.dumps(requests))
    command = [sys.executable, "-m", "tests.run_exports", str(folder / "requests.json")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)

    assert result.returncode == 0, result.stderr[-2000:]


def engine_result(path: Path, pipeline: Pipeline, seed: int) -> np.ndarray | str:
    """The engine's full-size result, or the words with which it fails."""
    try:
        return engine.apply(images.open_image(path), pipeline, seed).array()
    except AugvizError as error:
        return str(error)
    except pyvips.Error as error:
        return str(error)


def differences(
    path: Path, cases: Sequence[tuple[Pipeline, int]], folder: Path, *, form: Form = compose, least: float = 0.9
) -> list[str]:
    """What is unequal between the exported text and the engine, a sentence for each case that is.

    Where the engine refuses or the library raises, the text is not run: it would end the process or raise too. `least`
    is the share of cases that must have been compared.
    """
    expected = [engine_result(path, pipeline, seed) for pipeline, seed in cases]
    compared = [number for number, result in enumerate(expected) if not isinstance(result, str)]
    assert len(compared) >= least * len(cases), [result for result in expected if isinstance(result, str)]
    requests: list[dict[str, object]] = [
        {
            "text": form(pipeline),
            "ids": [item.id for item in enabled(pipeline.steps)],
            "seed": seed,
            "image": str(path),
            "out": str(folder / str(number)),
        }
        for number in compared
        for pipeline, seed in [cases[number]]
    ]
    run(requests, folder)
    found = []
    for number in compared:
        words, wanted = folder / f"{number}.txt", expected[number]
        made = None if words.exists() else np.load(folder / f"{number}.npy")
        if (
            made is None
            or made.dtype != wanted.dtype
            or not np.array_equal(made, wanted, equal_nan=wanted.dtype.kind == "f")
        ):
            what = words.read_text() if made is None else f"{made.dtype} {made.shape}"
            found.append(f"seed {cases[number][1]}: {what}: {saved.dumps(cases[number][0], None)}")
    return found


def of_every_transform(p: float | None, seeds: Sequence[int]) -> list[tuple[Pipeline, int]]:
    """Each transform alone, with what the editor begins with."""
    steps = [catalog.initial_step(name, "a", facts()) for name in USABLE]
    return [(Pipeline((Step("a", s.transform, s.args, p),)), seed) for s in steps for seed in seeds]


@pytest.mark.parametrize("p", [None, 1.0])
def test_every_transform_makes_the_engines_pixels(p: float | None, photograph: Path, tmp_path: Path) -> None:
    # RandomRotate90 raises in a quarter of the draws (D5); everything else is compared.
    assert differences(photograph, of_every_transform(p, (0, 1, 2)), tmp_path, least=0.97) == []


@pytest.mark.torch
def test_every_transform_in_a_dataset_makes_the_engines_pixels(photograph: Path, tmp_path: Path) -> None:
    assert differences(photograph, of_every_transform(1.0, (0,)), tmp_path, form=dataset, least=0.97) == []


def test_a_range_that_is_left_out_is_the_default_range(photograph: Path, tmp_path: Path) -> None:
    cases = []
    for name in USABLE:
        for param in catalog.TRANSFORMS[name].params:
            pair = catalog.pair(param, param.default)
            if param.kind in (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE) and pair is not None:
                step = catalog.initial_step(name, "a", facts()).with_args(**{param.name: pair})
                step = Step("a", name, step.args, p=1.0)
                assert f"{param.name}=" not in compose(Pipeline((step,)))
                cases.append((Pipeline((step,)), 5))

    assert len(cases) > 15
    assert differences(photograph, cases, tmp_path) == []


def test_presets_make_the_engines_pixels(photograph: Path, tmp_path: Path) -> None:
    cases = [(preset.pipeline, seed) for preset in PRESETS for seed in range(4)]

    assert differences(photograph, cases, tmp_path, least=1) == []


def test_groups_with_members_switched_off_make_the_engines_pixels(photograph: Path, tmp_path: Path) -> None:
    on, off = Step("a", "Blur", p=0.4), Step("b", "VerticalFlip", p=0.9, enabled=False)
    more = Step("c", "RandomGamma", p=0.6)
    groups = [
        Group("g", "OneOrOther", (on, off), p=0.3),
        Group("g", "OneOrOther", (off, on), p=0.3),
        Group("g", "OneOf", (on, off, more), p=0.7),
        Group("g", "SomeOf", (on, off, more), p=0.7, n=2),
        Group("g", "SomeOf", (on, off, more), n=2, replace=False),
        Group("g", "Sequential", (on, off, more)),
        Group("g", "OneOf", (off,)),
    ]
    cases = [(Pipeline((group, Step("z", "Flip"))), seed) for group in groups for seed in range(4)]

    assert differences(photograph, cases, tmp_path, least=1) == []


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example is a process with many pipelines; the message names the one
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.tuples(pipelines(), st.integers(0, 10**6)), min_size=25, max_size=25))
def test_generated_pipelines_make_the_engines_pixels(
    photograph: Path, tmp_path_factory: pytest.TempPathFactory, cases: list[tuple[Pipeline, int]]
) -> None:
    assert differences(photograph, cases, tmp_path_factory.mktemp("run")) == []


# With PyTorch: the training module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight real photographs of different sizes in two classes."""
    root = tmp_path_factory.mktemp("classes")
    pictures = {"cats": (data.chelsea(),), "people": (data.astronaut(), data.coffee(), data.chelsea()[:200])}
    for name, images_of_class in pictures.items():
        (root / name).mkdir()
        for number, pixels in enumerate((*images_of_class, *images_of_class[:1], *images_of_class[:1])):
            io.imsave(
                root / name / f"{number}.png", pixels[: 250 - 20 * number, : 300 - 10 * number], check_contrast=False
            )
    return root


def batches_of(text: str, folder: Path, tmp_path: Path) -> str:
    """What the exported module prints when it is run on a folder of images."""
    module = tmp_path / "train.py"
    module.write_text(text)
    result = subprocess.run([sys.executable, str(module), str(folder)], capture_output=True, text=True, timeout=240)

    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def shapes(printed: str) -> list[tuple[int, ...]]:
    """The shapes of all images of all batches."""
    found: list[tuple[int, ...]] = []
    for line in printed.splitlines():
        if line.startswith("[("):
            found += eval(line[: line.index("]") + 1])
    return found


RESIZED = Step("r", "Resize", (("height", 64), ("width", 48)))


@pytest.mark.torch
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_dataset_of_a_preset_draws_two_batches(preset: Preset, folder: Path, tmp_path: Path) -> None:
    printed = batches_of(dataset(preset.pipeline), folder, tmp_path)

    assert [shape[0] for shape in shapes(printed)] == [3] * 8


@pytest.mark.torch
def test_the_dataset_stacks_results_of_one_size(folder: Path, tmp_path: Path) -> None:
    printed = batches_of(dataset(Pipeline((Step("a", "Rotate"), RESIZED))), folder, tmp_path)

    assert shapes(printed) == [(3, 64, 48)] * 8


@pytest.mark.torch
def test_the_dataset_takes_the_bands_of_the_input_choice(folder: Path, tmp_path: Path) -> None:
    pipeline = saved.loads('{"format": 1, "input": {"bands": 1, "upright": true}, "steps": [{"transform": "Flip"}]}')

    printed = batches_of(dataset(pipeline), folder, tmp_path)

    assert {shape[0] for shape in shapes(printed)} == {1}


@pytest.mark.torch
def test_the_dataset_refuses_images_with_other_bands_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey" / "class"
    grey.mkdir(parents=True)
    io.imsave(grey / "a.png", data.camera()[:64, :64], check_contrast=False)
    module = tmp_path / "train.py"
    module.write_text(dataset(Pipeline((Step("a", "HEDShift"),))))

    result = subprocess.run(
        [sys.executable, str(module), str(grey.parent)], capture_output=True, text=True, timeout=240
    )

    assert "a.png: the image must have 3 bands, got 1" in result.stderr


@pytest.mark.torch
def test_workers_draw_differently_and_runs_draw_the_same(folder: Path, tmp_path: Path) -> None:
    pipeline = Pipeline((Step("a", "RandomScale", (("scale_limit", (-0.5, 0.5)),), p=1.0),))

    first = batches_of(dataset(pipeline), folder, tmp_path)
    second = batches_of(dataset(pipeline), folder, tmp_path)

    assert first == second
    assert len(set(shapes(first))) > 4
