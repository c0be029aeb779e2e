"""What is said of the presets and of the tutorial, by hand; and the tutorial mended makes batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips

from augviz import engine, export, parse, sources
from augviz.advice import (
    Case,
    Finding,
    Severity,
    advise,
    chance,
    costs,
    idle,
    order,
    redundant,
    repeat,
    shapes,
    validation,
    values,
)
from augviz.model import Pipeline
from augviz.presets import FIRST, PRESETS
from tests.advising import again, drawn, names, pipeline, step
from tests.strategies import facts

ROOT = Path(__file__).parent.parent

_MODULES = (chance, costs, idle, order, redundant, repeat, shapes, validation, values)
OF_THE_PIPELINE = {rule.name for module in _MODULES for rule in module.RULES}
"""The rules that this file is about; those about the image's file, the library's defects and targets have their own."""

TENSOR_NOTE = ("to-tensor-missing", None)
TURNED = ("output-size-varies", "transpose")

ALWAYS = {
    "Tutorial": [
        ("output-size-varies", "rotate"),
        ("normalize-unit-statistics", "normalize"),
        ("not-saved", "rotate"),
        ("normalize-on-gpu", "normalize"),
    ],
    "H&E slides": [TENSOR_NOTE],
    "Aerial photographs": [TENSOR_NOTE, ("not-saved", "affine"), ("not-replayed", "haze.motion")],
    "Geometry only": [TENSOR_NOTE, ("not-saved", "affine")],
    "Colour only": [TENSOR_NOTE, ("not-replayed", "sharpen")],
}
"""What holds for any 8-bit RGB image, and why it is right:

- Rotate grows the canvas by its angle, and Normalize's statistics are of 0 to 1 on 0 to 255: the two that are wrong. The
  tutorial's own advice, to normalise on the GPU, is a note.
- No preset but the tutorial's ends in a tensor: the exported Dataset makes one, so that is a note.
- A.save raises for the interpolation of Rotate and Affine; ReplayCompose for the kernels of MotionBlur and Sharpen.
- Transpose turns by 90 degrees: only an image that is not square changes its size by that.
"""


def _found(case: Case) -> list[Finding]:
    return [finding for finding in advise(case) if finding.rule in OF_THE_PIPELINE]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
@pytest.mark.parametrize("image", [None, facts(512, 512), facts(600, 400)], ids=["no image", "square", "wide"])
def test_a_preset_raises_what_is_right_and_nothing_else(preset: object, image: object) -> None:
    expected = list(ALWAYS[preset.name])
    if image is not None and image.header.width != image.header.height and "transpose" in str(preset.pipeline):
        expected.insert(0, TURNED)

    assert names(_found(drawn(preset.pipeline, image))) == expected


TUTORIAL_CODE = """\
import albumentationsxl as A
transforms = A.Compose(
    [
        A.RandomBrightnessContrast(p=1.0),
        A.Rotate(p=0.8),
        A.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        A.ToTensor(),
    ]
)
"""


def test_the_tutorials_code_raises_the_same_as_its_preset() -> None:
    found = _found(Case(parse.read(TUTORIAL_CODE, "train.py").pipeline))

    assert [finding.rule for finding in found] == [rule for rule, _step in ALWAYS["Tutorial"]]


def test_what_the_tutorial_warns_of_is_found() -> None:
    normalize = step("Normalize", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    early = pipeline(step("ToDtype", dtype="float", scale=True), normalize, step("Blur", 1.0), step("ToTensor"))
    mixed = pipeline(step("Affine"), step("Rotate"), step("ElasticTransform", 1.0), step("ToTensor"))

    assert names(advise(Case(early)))[0] == ("normalize-last", "s1")
    assert {"affine-and-rotate", "costly-often"} <= {rule for rule, _step in names(advise(Case(mixed)))}


def test_the_cost_of_an_early_normalize_is_told_for_the_image() -> None:
    normalize = step("Normalize", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    case = drawn(
        pipeline(normalize, step("MedianBlur", 1.0), step("ToTensor")), facts(4096, 4096), costs={"MedianBlur": 100.0}
    )
    [found] = [finding.hit for finding in advise(case) if finding.rule == "normalize-last"]

    assert found.evidence == (
        "MedianBlur takes 1.2 times as long on float32 as on uint8 (measured): 2.01 s instead of 1.68 s of CPU time for "
        "16.8 MP. 16.8 MP take 201 MB instead of 50.3 MB."
    )
    assert found.fix is not None
    assert [leaf.transform for leaf in found.fix.pipeline.leaves()] == ["MedianBlur", "Normalize", "ToTensor"]


# The tutorial, mended


def _mended_tutorial(image: object = None) -> Pipeline:
    """The tutorial's pipeline with the fixes of its warnings taken."""
    case = drawn(FIRST.pipeline, image)
    while fixes := [f.hit.fix for f in advise(case) if f.severity is not Severity.NOTE and f.hit.fix is not None]:
        case = again(case, fixes[0].pipeline)
    return case.pipeline


def _photographs() -> list[Path]:
    return [sample.path for sample in sources.samples() if sample.name in ("astronaut", "coffee", "chelsea", "rocket")]


@pytest.mark.parametrize("image", [None, facts(512, 512), facts(600, 400)], ids=["no image", "square", "wide"])
def test_the_mended_tutorial_stacks_images_of_different_sizes(image: object) -> None:
    mended = _mended_tutorial(image)
    images = [pyvips.Image.new_from_file(str(path)) for path in _photographs()]
    arrays = [engine.apply(image, mended, seed).array() for seed, image in enumerate(images)]
    batch = np.stack(arrays)

    assert len({(image.width, image.height) for image in images}) == 4
    assert batch.shape[:2] == (4, 3)
    assert batch.dtype == np.float32
    assert -2.2 < batch.min() < 0 < batch.max() < 2.7
    assert [leaf.transform for leaf in mended.leaves()][-1] == "ToTensor"


@pytest.mark.torch
def test_a_data_loader_collates_the_mended_tutorial_and_not_the_tutorial(tmp_path: Path) -> None:
    script = """
import random, sys
import pyvips, torch
{code}
class Images(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        random.seed(index)
        return transform(image=pyvips.Image.new_from_file(sys.argv[1 + index]))["image"]
[batch] = torch.utils.data.DataLoader(Images(), batch_size=4)
print(tuple(batch.shape), batch.dtype)
"""
    results = []
    for number, chosen in enumerate((FIRST.pipeline, _mended_tutorial())):
        path = tmp_path / f"{number}.py"
        path.write_text(script.format(code=export.compose(chosen)))
        command = [sys.executable, str(path), *map(str, _photographs())]
        results.append(subprocess.run(command, capture_output=True, text=True, timeout=240))

    assert "stack expects each tensor to be equal size" in results[0].stderr
    assert results[1].stdout == "(4, 3, 512, 512) torch.float32\n", results[1].stderr
