"""The presets work, and on an ordinary photograph none of them meets a defect that its caveat does not announce."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips
import skimage

from augviz import catalog, engine
from augviz.model import Pipeline, Step
from augviz.presets import FIRST, PRESETS, Preset
from tests.strategies import facts

PHOTOGRAPH = pyvips.Image.new_from_file(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))

NAMED = pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)


@NAMED
@pytest.mark.parametrize("seed", range(6))
def test_a_preset_draws_and_applies_without_raising(preset: Preset, seed: int) -> None:
    pixels = engine.apply(PHOTOGRAPH, preset.pipeline, seed).array()

    assert pixels.size > 0
    assert float(np.std(pixels)) > 0


@NAMED
def test_a_preset_has_no_invalid_arguments(preset: Preset) -> None:
    found = [p for leaf in preset.pipeline.leaves() for p in catalog.problems(leaf, facts(512, 512))]

    assert found == []


@NAMED
def test_only_the_tutorials_preset_leaves_8_bit_rgb(preset: Preset) -> None:
    result = engine.apply(PHOTOGRAPH, preset.pipeline, 0).draw.result

    assert (result.bands, result.format) == (3, "float" if preset is FIRST else "uchar")


@NAMED
def test_a_preset_has_a_line_of_rationale_and_ids_of_its_own(preset: Preset) -> None:
    ids = [leaf.id for leaf in preset.pipeline.leaves()]

    assert 20 < len(preset.rationale) <= 120
    assert len(ids) == len(set(ids))


def test_the_first_pipeline_is_the_tutorials() -> None:
    assert FIRST.pipeline == Pipeline(
        (
            Step("brightness", "RandomBrightnessContrast", (), 1.0),
            Step("rotate", "Rotate", (), 0.8),
            Step("normalize", "Normalize", (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225)))),
            Step("tensor", "ToTensor"),
        )
    )


def test_geometry_only_keeps_values_and_colour_only_keeps_places() -> None:
    families = {p.name: {catalog.transform(s.transform).family for s in p.pipeline.leaves()} for p in PRESETS}

    assert families["Geometry only"] == {"Geometry"}
    assert families["Colour only"] <= {"Colour", "Blur and sharpen"}
