"""The Python text of pipelines: what is written, what is left out, and how it looks."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from augviz import catalog
from augviz.errors import PipelineError
from augviz.export import compose, dataset, expression, imports
from augviz.model import XY, Group, Header, ImageFacts, InputChoice, Item, Pipeline, Step, Value
from augviz.presets import PRESETS, Preset

Form = Callable[[Pipeline], str]

GOLDEN = Path(__file__).parent / "golden"


def step(name: str, p: float | None = None, **args: Value) -> Step:
    return Step(name, name, tuple(args.items()), p)


def lines(*items: Item) -> list[str]:
    """The lines of the transform between the brackets of `A.Compose`, without their common indentation."""
    text = expression(Pipeline(items)).splitlines()
    assert text[:2] == ["transform = A.Compose(", "    ["]
    assert text[-2:] == ["    ]", ")"]
    return [line[8:] for line in text[2:-2]]


def slug(preset: Preset) -> str:
    return "".join(c if c.isalnum() else "_" for c in preset.name.lower())


@pytest.mark.parametrize("preset", PRESETS, ids=slug)
@pytest.mark.parametrize("form", [compose, dataset])
def test_presets_are_written_as_their_golden_files(preset: Preset, form: Form) -> None:
    """After a wanted change: `python -m tests.golden_files` writes the files anew."""
    golden = GOLDEN / f"{slug(preset)}_{form.__name__}.txt"

    assert form(preset.pipeline) == golden.read_text()


def test_every_golden_file_belongs_to_a_preset() -> None:
    names = {f"{slug(preset)}_{form}.txt" for preset in PRESETS for form in ("compose", "dataset")}

    assert {path.name for path in GOLDEN.glob("*")} == names


@pytest.mark.parametrize("form", [compose, dataset])
def test_remarks_are_comments_above_the_pipeline_whatever_is_in_them(form: Callable[..., str]) -> None:
    pipeline = Pipeline((step("NoOp"),))
    said = form(pipeline, remarks=["warning: Rotate grows.\r\nimport os", "note: " + "word " * 40])

    assert ast.dump(ast.parse(said)) == ast.dump(ast.parse(form(pipeline)))
    above = said[: said.index("transform = ")].splitlines()
    assert "# Advice:" in above
    assert "# - warning: Rotate grows. import os" in above
    assert max(len(line) for line in above if line.startswith("#   word")) <= 88


def test_arguments_at_their_defaults_are_left_out() -> None:
    assert lines(step("Rotate", 0.5, limit=90, value=255, interpolation="bilinear", crop_border=False)) == [
        "A.Rotate(),"
    ]


def test_a_range_that_is_the_default_number_is_left_out() -> None:
    assert lines(step("Rotate", limit=(-90, 90)), step("Blur", blur_limit=(3, 7))) == ["A.Rotate(),", "A.Blur(),"]


def test_pixels_are_kept_apart_from_fractions() -> None:
    assert lines(step("CoarseDropout", max_height=8, max_width=8)) == ["A.CoarseDropout(),"]
    assert lines(step("CoarseDropout", max_height=8.0)) == ["A.CoarseDropout(max_height=8.0),"]


def test_true_is_kept_apart_from_1() -> None:
    assert lines(step("MotionBlur", allow_shifted=True)) == ["A.MotionBlur(),"]
    assert lines(step("GaussNoise", mean=True)) == ["A.GaussNoise(mean=True),"]


def test_what_the_library_has_no_sound_default_for_is_written() -> None:
    assert lines(catalog.initial_step("PadIfNeeded", "a")) == ["A.PadIfNeeded(value=255),"]
    assert "noise_limit=" in lines(catalog.initial_step("AdvancedBlur", "a"))[0]


def test_interpolation_objects_are_expressions_with_their_import() -> None:
    pipeline = Pipeline((step("Rotate", interpolation="bicubic"),))

    assert 'interpolation=pyvips.Interpolate.new("bicubic")' in expression(pipeline)
    assert imports(pipeline) == ["import albumentationsxl as A", "import pyvips"]


def test_kernels_of_resizes_are_names_and_import_nothing() -> None:
    pipeline = Pipeline((step("Resize", height=8, width=9, interpolation="cubic"),))

    assert lines(*pipeline.steps) == ['A.Resize(height=8, width=9, interpolation="cubic"),']
    assert imports(pipeline) == ["import albumentationsxl as A"]


def test_statistics_and_colours_are_lists() -> None:
    written = lines(step("Normalize", mean=(0.5, 0.25), std=0.1), step("Rotate", value=(1, 2, 3)))

    assert written == ["A.Normalize(mean=[0.5, 0.25], std=0.1),", "A.Rotate(value=[1, 2, 3]),"]


def test_axes_are_dicts() -> None:
    written = lines(step("Affine", scale=XY((0.5, 1.5), (0.75, 1.0))))

    assert written == ['A.Affine(scale={"x": (0.5, 1.5), "y": (0.75, 1.0)}),']


def test_floats_are_written_so_that_they_round_trip() -> None:
    assert lines(step("HEDShift", h_shift_limit=0.1 + 0.2)) == ["A.HEDShift(h_shift_limit=0.30000000000000004),"]


def test_p_is_written_where_it_differs_from_the_class_default() -> None:
    assert lines(step("NoOp", 0.5), step("Blur", 1), step("ToTensor", 1.0)) == [
        "A.NoOp(),",
        "A.Blur(p=1),",
        "A.ToTensor(),",
    ]


def test_always_apply_is_written_where_it_differs() -> None:
    written = lines(
        step("Blur", always_apply=False), step("Blur", always_apply=True), step("ToTensor", always_apply=False)
    )

    assert written == ["A.Blur(),", "A.Blur(always_apply=True),", "A.ToTensor(always_apply=False),"]


def test_groups_are_nested_with_their_arguments() -> None:
    inner = Group("i", "SomeOf", (step("Flip"), step("Blur")), p=0.5, n=2, replace=False)

    assert lines(Group("o", "OneOf", (inner, step("NoOp")), p=0.9)) == [
        "A.OneOf(",
        "    [",
        "        A.SomeOf(",
        "            [",
        "                A.Flip(),",
        "                A.Blur(),",
        "            ],",
        "            n=2,",
        "            replace=False,",
        "            p=0.5,",
        "        ),",
        "        A.NoOp(),",
        "    ],",
        "    p=0.9,",
        "),",
    ]


def test_one_or_other_names_both() -> None:
    assert lines(Group("o", "OneOrOther", (step("Flip"), step("Blur")))) == [
        "A.OneOrOther(first=A.Flip(), second=A.Blur()),"
    ]


def test_one_or_other_with_one_left_is_a_list() -> None:
    off = Step("b", "Blur", enabled=False)

    assert lines(Group("o", "OneOrOther", (step("Flip"), off), p=0.2)) == [
        "A.OneOrOther(",
        "    transforms=[",
        "        A.Flip(),",
        "    ],",
        "    p=0.2,",
        "),",
    ]


def test_what_is_switched_off_is_left_out() -> None:
    off = Step("b", "Blur", enabled=False)
    group = Group("g", "OneOf", (step("Flip"),), enabled=False)

    assert lines(step("NoOp"), off, group, Group("h", "OneOf", (off,))) == ["A.NoOp(),"]


def test_an_empty_pipeline_is_an_empty_compose() -> None:
    assert expression(Pipeline((Step("b", "Blur", enabled=False),))) == "transform = A.Compose([])\n"


def test_an_unknown_argument_is_an_error_that_names_it() -> None:
    with pytest.raises(PipelineError, match="'blurr'"):
        compose(Pipeline((step("Blur", blurr=3),)))


def test_an_input_choice_is_a_remark_of_compose() -> None:
    text = compose(Pipeline((step("NoOp"),), InputChoice(page=2, bands=3, upright=True)))

    assert "# Made for images opened with: page 2, turned upright, first 3 bands.\n" in text


def test_an_input_choice_is_code_of_the_dataset() -> None:
    text = dataset(Pipeline((step("NoOp"),), InputChoice(page=2, bands=3, upright=True, as_8_bit=True)))

    assert (
        "    image = pyvips.Image.new_from_file(str(path), page=2)\n"
        "    image = image.autorot()\n"
        '    image = image.colourspace("srgb" if image.bands >= 3 else "b-w")\n'
        "    image = image[:3]\n"
        "    if image.bands not in BANDS:\n"
    ) in text
    assert "BANDS = (3,)" in text


def test_a_pyramid_level_is_searched_for_by_the_dataset() -> None:
    text = dataset(Pipeline((step("NoOp"),), InputChoice(level=2)))

    assert "    image = open_level(path, 2)\n" in text
    assert "def open_level(path, level, **options):" in text


def test_the_dataset_requires_the_bands_of_the_image_it_was_made_with() -> None:
    header = Header(64, 48, 4, "uchar", "srgb")
    facts = ImageFacts("a.png", "a.png", header, 1, 1, ((64, 48),), 1, None, False, None, None, 1000, "pngload")

    assert "BANDS = (4,)" in dataset(Pipeline((step("NoOp"),)), facts)
    assert "BANDS = (3,)" in dataset(Pipeline((step("HEDShift"),)), facts)
    assert "BANDS" not in dataset(Pipeline((step("NoOp"),)))


def test_the_dataset_makes_tensors_where_the_pipeline_does_not() -> None:
    grouped = Group("g", "OneOf", (step("ToTensor"), step("NoOp")))

    assert "return image, label" in dataset(Pipeline((step("ToTensor"),)))
    assert "return to_tensor(image), label" in dataset(Pipeline((step("NoOp"),)))
    assert "return image if torch.is_tensor(image) else to_tensor(image), label" in dataset(Pipeline((grouped,)))


def test_the_dataset_keeps_images_of_different_sizes_in_a_list() -> None:
    assert "collate_fn=collate" in dataset(Pipeline((step("Rotate"),)))
    assert "collate" not in dataset(Pipeline((step("Resize", height=8, width=8),)))


def test_the_dataset_says_which_noise_no_seed_reaches() -> None:
    both = dataset(Pipeline((step("GaussNoise"), step("ElasticTransform"))))

    assert "libvips seeds the noise of ElasticTransform and GaussNoise itself" in both
    assert "libvips seeds" not in dataset(Pipeline((step("NoOp"),)))


ODD_PIPELINES = {
    "every transform": Pipeline(
        tuple(catalog.initial_step(name, name) for name, spec in catalog.TRANSFORMS.items() if not spec.unusable)
    ),
    "nothing": Pipeline(),
    "long lists": Pipeline((step("Rotate", value=tuple(range(100, 140))), step("Normalize", mean=0, std=(1.0,)))),
    "deep groups": Pipeline(
        (
            Group(
                "a",
                "Sequential",
                (Group("b", "OneOrOther", (step("Blur"), Group("c", "OneOf", (step("Affine", rotate=(-5.5, 5.5)),)))),),
            ),
        ),
        InputChoice(level=1, page=0),
    ),
    **{preset.name: preset.pipeline for preset in PRESETS},
}


@pytest.mark.parametrize("pipeline", ODD_PIPELINES.values(), ids=ODD_PIPELINES.keys())
def test_the_text_is_laid_out_as_black_does(pipeline: Pipeline, tmp_path: Path) -> None:
    for form in (compose, dataset):
        (tmp_path / f"{form.__name__}.py").write_text(form(pipeline))
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff", str(tmp_path)]

    result = subprocess.run(ruff, capture_output=True, text=True, timeout=60)

    assert result.stdout == ""


@pytest.mark.parametrize("pipeline", ODD_PIPELINES.values(), ids=ODD_PIPELINES.keys())
def test_the_text_imports_only_what_it_uses(pipeline: Pipeline, tmp_path: Path) -> None:
    for form in (compose, dataset):
        (tmp_path / f"{form.__name__}.py").write_text(form(pipeline))
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E,I,B", "--line-length"]

    result = subprocess.run([*ruff, "100", str(tmp_path)], capture_output=True, text=True, timeout=60)

    assert result.stdout == "All checks passed!\n"


@pytest.mark.parametrize("form", [compose, dataset])
def test_nothing_in_the_code_names_augviz(form: Form) -> None:
    code = ast.unparse(ast.parse(form(PRESETS[0].pipeline)))

    assert "augviz" not in code
