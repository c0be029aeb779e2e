"""Advice on arguments and defects: what is said, its figures and its fixes hold for the installed library."""

from __future__ import annotations

import math
import random
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from augviz import catalog, engine
from augviz.advice import RULES, defects, kernels
from augviz.advice.case import Case, Severity
from augviz.advice.defects_geometry import as_affine, quarter_turns
from augviz.advice.defects_groups import repeat_share
from augviz.advice.defects_values import HED_ROWS
from augviz.advice.kernels import effective_sigma, motion_still_share, still_below
from augviz.advice.rotations import canvas, fill_share
from augviz.checks import rotated_crop
from augviz.errors import AugvizError
from augviz.library import A
from augviz.model import ParamKind, Pipeline, Step
from tests import pictures, samples
from tests.advice_cases_defects import FIRES
from tests.advising import drawn, group, hits, pipeline, step
from tests.strategies import facts

LEFT_OUT = {
    "D40": "saving as YAML, and the version that the library reports: not of a pipeline",
    "D42": "threads that share `random`: of the program around a pipeline",
    "D45": "costly-often tells of ElasticTransform and GaussNoise, with this machine's times",
    "D47": "what has to be installed",
    "D48": "names that the library does not have",
    "D53": "the colour space that a file claims: wide-integers and float-values tell of the steps that make it wrong",
}
"""Defects that no rule tells of by number, and why."""

OF_THE_LIBRARY = 55


def applied(chosen: Pipeline, source: pyvips.Image, seed: int = 0) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, about what it draws
        return engine.apply(source, chosen, seed).array()


def one(chosen: Step, image: Any = None, **more: Any) -> tuple[Case, Any]:
    """The case of one step, and the one hit of a rule on it."""
    case = drawn(pipeline(chosen), image or facts(96, 64), **more)
    return case, case.pipeline.steps[0]


def fixed(rule: str, case: Case) -> Pipeline:
    """What the only hit of a rule gives."""
    [hit] = hits(rule, case)
    assert hit.fix is not None
    return hit.fix.pipeline


# No number is forgotten


def test_every_defect_is_told_by_a_rule_or_left_out_for_a_reason() -> None:
    told = {f"D{n}" for rule in RULES for n in re.findall(r"\bD(\d+)", rule.about)}
    every = {f"D{n}" for n in range(1, OF_THE_LIBRARY + 1)}

    assert every - told - LEFT_OUT.keys() == set()
    assert told & LEFT_OUT.keys() == set()
    assert told <= every
    assert all(len(reason) > 10 for reason in LEFT_OUT.values())


def test_a_number_in_a_message_stands_in_brackets_at_the_end_of_a_sentence() -> None:
    for rule, rows in FIRES.items():
        for row in rows:
            for hit in hits(rule, row.make()):
                text = f"{hit.message} {hit.evidence}"
                assert re.sub(r"\((D\d+(, )?)+\)", "", text).find(" D1") == -1, text


def test_every_rule_on_a_defect_names_it_where_it_fires() -> None:
    for rule in defects.RULES:
        if rule.name in ("argument-problem", "argument-limit"):
            continue
        for row in FIRES[rule.name]:
            for hit in hits(rule.name, row.make()):
                assert re.search(r"\(D\d+", hit.message), hit.message


# Arguments: what raises is an error, what runs is a warning


def outside(spec: Any, param: Any, image: Any) -> list[Any]:
    """Values just beyond the bounds of a parameter, as the library takes them."""
    low, high = catalog.bounds(param, image)
    ends = ([low - 1, low / 2 if low else -0.5] if low is not None else []) + (
        [high * 2 + 1, high + 1] if high is not None else []
    )
    whole = (ParamKind.INT, ParamKind.INT_RANGE, ParamKind.ODD_RANGE, ParamKind.INTS, ParamKind.SIZE)
    ends = [
        int(end) if param.kind in whole or (param.unit == "px" and param.kind is ParamKind.XY_RANGE) else end
        for end in ends
    ]
    ranges = (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE)
    return [(end, end) if param.kind in ranges else end for end in ends if abs(end) < 60000]


BEYOND = [
    pytest.param(spec.name, param.name, value, id=f"{spec.name} {param.name} {value}")
    for spec in catalog.TRANSFORMS.values()
    if not spec.unusable
    for param in spec.params
    for value in outside(spec, param, facts(96, 64))
]
DESTROYS = {("AdvancedBlur", "noise_limit"), ("RandomGamma", "gamma_limit")}
"""What raises nothing and is an error all the same: it ends the process, or makes another image."""


@pytest.mark.parametrize(("name", "argument", "value"), BEYOND)
def test_an_argument_out_of_bounds_is_an_error_where_the_library_raises_only(
    name: str, argument: str, value: Any
) -> None:
    start = replace(catalog.initial_step(name, "a", facts(96, 64)), p=1.0)
    chosen = start.with_args(**{argument: value})
    case = Case(Pipeline((chosen,)), facts(96, 64))
    found = {rule: hits(rule, case) for rule in ("argument-problem", "argument-limit", "output-size-varies")}
    if (name, argument) in DESTROYS:
        return  # other tests show it

    raised = 0
    for seed in range(1 if catalog.transform(name).family == "Dropout" else 4):
        try:
            applied(case.pipeline, samples.rgb(96, 64), seed)
        except AugvizError:
            raised += 1

    assert bool(found["argument-problem"]) == (raised > 0)
    assert any(found.values()) or not catalog.problems(chosen, facts(96, 64))


def test_a_problem_is_told_in_the_words_of_the_catalogue_and_mended_by_it() -> None:
    case, chosen = one(step("CenterCrop", height=1500, width=20))
    [hit] = hits("argument-problem", case)

    assert hit.message == "CenterCrop: height must lie within 1 and 64 px, got 1500."
    assert hit.fix is not None
    assert hit.fix.label == "Fix"
    assert hit.fix.pipeline.steps == (catalog.mended(chosen, facts(96, 64)),)


def test_what_no_argument_mends_is_switched_off() -> None:
    case, _ = one(step("RandomBrightnessContrast"), facts(96, 64, 1))
    [hit] = hits("argument-problem", case)

    assert hit.message == "RandomBrightnessContrast: needs at least 3 bands in an 8-bit image, the image has 1."
    assert hit.fix is not None
    assert hit.fix.label == "Switch off"
    assert not hit.fix.pipeline.steps[0].enabled


def test_a_gamma_of_0_and_below_is_mended_to_one_that_is_not_black() -> None:
    case, _ = one(step("RandomGamma", 1.0, gamma_limit=80))

    results = [applied(fixed("argument-problem", case), samples.rgb(), seed).mean() for seed in range(8)]

    assert results == pytest.approx([samples.rgb().avg()] * 8, rel=0.4)


def test_a_step_is_judged_by_what_it_gets_in_any_draw_and_not_by_the_one_that_is_shown() -> None:
    chosen = pipeline(step("Transpose"), step("CenterCrop", height=64, width=80))
    for seed in range(4):
        case = Case(chosen, facts(96, 64), None)
        [hit] = hits("argument-problem", case)
        assert "width must lie within 1 and 64 px" in hit.message, seed


# AdvancedBlur


@settings(max_examples=5, deadline=None)
@given(st.floats(0.3, 2.0), st.floats(0.3, 2.0))
def test_kernels_of_one_tap_are_as_frequent_as_is_told(high_x: float, high_y: float) -> None:
    chosen = step("AdvancedBlur", noise_limit=(0.9, 1.0), sigmaX_limit=(0.2, high_x), sigmaY_limit=(0.2, high_y))
    built = engine.build_step(chosen, 1)
    random.seed(1)
    single = sum(int((built.get_params()["kernel"].numpy() > 0).sum()) == 1 for _ in range(400)) / 400

    assert kernels.single_tap_share(chosen) == pytest.approx(single, abs=0.1)


@pytest.mark.parametrize("noise", [(0.9, 1.1), (1.0, 1.02), (0.9, 1.0)])
def test_divisions_by_zero_are_as_frequent_as_is_told(noise: tuple[float, float]) -> None:
    chosen = step("AdvancedBlur", noise_limit=noise)
    built = engine.build_step(chosen, 1)
    random.seed(3)
    count = 1500
    zeros = sum(built.get_params()["kernel"].get("scale") == 0 for _ in range(count)) / count

    told = kernels.zero_sum_share(chosen)

    assert told == pytest.approx(zeros, abs=4 * math.sqrt(max(told, 1e-4) / count) + 0.004)
    assert (told == 0) == (noise[1] <= 1)


def test_the_default_noise_is_told_with_how_often_it_ends_the_process() -> None:
    case, _ = one(step("AdvancedBlur", 1.0))
    [hit] = hits("argument-problem", case)

    assert "noise_limit must lie within 0.1 and 1" in hit.message
    [share] = re.findall(r"(0\.\d+) % of the draws divide by zero", hit.evidence)
    assert float(share) == pytest.approx(0.61, abs=0.1)
    assert "about 6 of 1,000 images" in hit.evidence


def test_advanced_blur_changes_every_image_when_its_sigmas_are_raised() -> None:
    case, _ = one(step("AdvancedBlur", 1.0, noise_limit=(0.9, 1.0)))
    source = samples.rgb()

    still = sum(np.array_equal(applied(case.pipeline, source, seed), source.numpy()) for seed in range(30))
    after = sum(
        np.array_equal(applied(fixed("advanced-blur-does-nothing", case), source, s), source.numpy()) for s in range(30)
    )

    assert still > 3
    assert after == 0


# GaussianBlur, MotionBlur


def measured_sigma(sigma: float, amplitude: float) -> float:
    dot = np.zeros((161, 161), np.float32)
    dot[80, 80] = 1e6
    blurred = (
        A.GaussianBlur((sigma, sigma), amplitude, p=1)(image=pyvips.Image.new_from_array(dot))["image"].numpy().sum(0)
    )
    x = np.arange(161) - 80
    return float(np.sqrt((blurred * x * x).sum() / blurred.sum()))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.2, 12.0), st.floats(0.01, 1.0))
def test_a_gaussian_acts_with_the_sigma_that_is_told(sigma: float, amplitude: float) -> None:
    boundary = [math.exp(-x * x / (2 * sigma * sigma)) for x in range(40)]
    assume(all(abs(value - amplitude) > 1e-6 and abs(20 * value % 1 - 0.5) > 1e-6 for value in boundary))

    assert effective_sigma(sigma, amplitude) == pytest.approx(measured_sigma(sigma, amplitude), abs=0.01)


@pytest.mark.parametrize("amplitude", [0.05, 0.2, 0.5])
def test_below_the_sigma_that_is_told_a_gaussian_changes_nothing(amplitude: float) -> None:
    edge = still_below(amplitude)

    assert measured_sigma(edge * 0.99, amplitude) == 0
    assert measured_sigma(edge * 1.01, amplitude) > 0


def test_a_gaussian_that_does_nothing_does_something_after_the_fix() -> None:
    case, _ = one(step("GaussianBlur", 1.0, sigma_limit=(0.1, 0.5)))
    source = samples.rgb()

    changed = [
        not np.array_equal(applied(fixed("gaussian-blur-does-nothing", case), source, s), source.numpy())
        for s in range(6)
    ]

    assert np.array_equal(applied(case.pipeline, source), source.numpy())
    assert all(changed)


@pytest.mark.parametrize(("low", "high"), [(3, 3), (3, 7), (7, 7), (5, 13), (15, 21)])
def test_motion_blur_changes_nothing_as_often_as_is_told(low: int, high: int) -> None:
    built = engine.build_step(step("MotionBlur", blur_limit=(low, high), allow_shifted=False), 1)
    random.seed(5)
    still = sum(int((built.get_params()["kernel"].numpy() > 0).sum()) == 1 for _ in range(800)) / 800

    assert motion_still_share(low, high) == pytest.approx(still, abs=0.06)


@pytest.mark.parametrize(
    ("name", "arguments", "least", "most"),
    [
        ("Blur", {"blur_limit": (7, 7)}, 201, 201),
        ("MotionBlur", {"blur_limit": (7, 7)}, 199, 202),
        ("GaussianBlur", {"sigma_limit": (2, 2), "min_amplitude": 0.01}, 202, 202),
        ("AdvancedBlur", {"noise_limit": (0.9, 1.0)}, 194, 203),
    ],
)
def test_flat_areas_change_as_is_told(name: str, arguments: dict[str, Any], least: int, most: int) -> None:
    flat = pyvips.Image.new_from_array(np.full((32, 32, 3), 200, np.uint8))
    chosen = Pipeline((Step("a", name, tuple(arguments.items()), 1.0),))
    found = {int(applied(chosen, flat, seed)[16, 16, 0]) for seed in range(60)}

    assert found - {200}
    assert least <= min(found)
    assert max(found) <= most


# Colours and noise


@pytest.mark.parametrize("shift", [0.01, 0.02, 0.05])
def test_white_goes_as_far_as_is_told(shift: float) -> None:
    case, _ = one(step("HEDShift", 1.0, h_shift_limit=shift, e_shift_limit=shift / 2, d_shift_limit=(-shift, 0.0)))
    [hit] = hits("stains-of-colours-without", case)
    told = [int(n) for n in re.findall(r"white goes as far as (\d+), (\d+), (\d+)", hit.evidence)[0]]
    white = pyvips.Image.new_from_array(np.full((8, 8, 3), 255, np.uint8))
    limits = dict(zip(HED_ROWS, (shift, shift / 2, 0.0), strict=True))
    result = A.HEDShift(p=1, **{name: (limit, limit) for name, limit in limits.items()})(image=white)["image"]

    assert told == pytest.approx(result.numpy()[0, 0].tolist(), abs=1)


@pytest.mark.parametrize("gamma", [(50, 80), (150, 150), (200, 400)])
def test_a_grey_becomes_what_is_told_of_a_gamma(gamma: tuple[int, int]) -> None:
    case, _ = one(step("RandomGamma", gamma_limit=gamma))
    [hit] = hits("gamma-is-inverted", case)
    grey = pyvips.Image.new_from_array(np.full((8, 8, 3), 128, np.uint8))

    for end in gamma:
        made = A.RandomGamma((end, end), p=1)(image=grey)["image"].avg()
        numbers = [float(n) for n in re.findall(r"[\d.]+", hit.evidence.split("becomes")[1].split(";")[0])]
        assert min(abs(made - n) for n in numbers) <= 1


def test_noise_has_the_deviation_that_is_told() -> None:
    case, _ = one(step("GaussNoise", 1.0, var_limit=(100.0, 100.0), mean=10.0))
    [hit] = hits("noise-is-doubled", case)
    flat = pyvips.Image.new_from_array(np.full((200, 200, 3), 100, np.uint8))
    noisy = applied(case.pipeline, flat).astype(float)

    assert (
        "Its deviation is 20 levels, where 10 was asked for, and the mean moves by 20 in place of 10." in hit.evidence
    )
    assert noisy.std() == pytest.approx(20, abs=0.5)
    assert noisy.mean() == pytest.approx(120, abs=0.5)


def test_hues_near_red_are_stopped_as_is_told() -> None:
    case, _ = one(step("HueSaturationValue", hue_shift_limit=(0, 51)))
    [hit] = hits("hue-is-clipped", case)

    assert "51 units is 72 degrees" in hit.evidence
    assert "20 %" in hit.evidence
    red = pyvips.Image.new_from_array(np.full((8, 8, 3), (255, 0, 30), np.uint8))
    shifted = A.HueSaturationValue((51, 51), (0, 0), (0, 0), p=1)(image=red)["image"].numpy()[0, 0]
    assert shifted.tolist() == pytest.approx([255, 0, 0], abs=7)


# Geometry


def test_quarter_turns_are_the_four_headings_alike() -> None:
    case, chosen = one(step("RandomRotate90", 1.0))
    replaced = Pipeline((quarter_turns(case, chosen),))
    source = pictures.vips(40, 24)
    array = source.numpy()
    counts = [0, 0, 0, 0]
    for seed in range(80):
        result = applied(replaced, source, seed)
        counts[[np.array_equal(result, np.rot90(array, k)) for k in range(4)].index(True)] += 1

    assert fixed("random-rotate90-raises", case) == replaced
    assert min(counts) > 8


def test_quarter_turns_keep_the_share_of_images() -> None:
    case, chosen = one(step("RandomRotate90", 0.3))
    replaced = quarter_turns(case, chosen)

    assert replaced.p == 0.3
    assert case.chance(chosen) == replace(case, pipeline=Pipeline((replaced,))).chance(replaced)


@settings(max_examples=30, deadline=None)
@given(st.integers(40, 120), st.integers(40, 120), st.integers(-180, 180))
def test_affine_turns_an_image_as_rotate_does(width: int, height: int, angle: int) -> None:
    case, chosen = one(step("Rotate", 1.0, limit=(angle, angle), value=(9, 8, 7)), facts(width, height))
    affine = as_affine(case, chosen, fit_output=True)
    assert affine is not None
    source = pictures.vips(width, height)
    old, new = applied(case.pipeline, source), applied(Pipeline((affine,)), source)

    assert old.shape == pytest.approx(new.shape, abs=1)
    middle = [tuple(slice(side // 2 - 12, side // 2 + 12) for side in array.shape[:2]) for array in (old, new)]
    assert np.abs(old[middle[0]].astype(int) - new[middle[1]]).mean() < 14


def test_rotate_by_affine_keeps_the_size_and_the_fill() -> None:
    case, _ = one(step("Rotate", 1.0, limit=(20, 40), value=(1, 2, 3)))
    results = [applied(fixed("rotate-enlarges", case), pictures.vips(), seed) for seed in range(3)]

    assert {result.shape for result in results} == {(64, 96, 3)}
    assert all(result[0, 0].tolist() == [1, 2, 3] for result in results)


@pytest.mark.parametrize(("width", "height"), [(301, 199), (120, 180), (100, 100)])
@pytest.mark.parametrize("angle", [-60, -30, -5, 5, 15, 30, 45])
def test_a_crop_holds_as_much_fill_as_is_told(width: int, height: int, angle: int) -> None:
    source = pyvips.Image.new_from_array(np.full((height, width, 3), 60, np.uint8))
    result = A.Rotate((angle, angle), value=[255, 0, 255], crop_border=True, p=1)(image=source)["image"].numpy()
    measured = float((abs(result.astype(int) - 60).max(-1) > 100).mean())

    assert fill_share(width, height, angle) == pytest.approx(measured, abs=0.02)


@pytest.mark.parametrize("angle", [-45, 10, 90])
def test_the_canvas_is_as_large_as_is_told(angle: int) -> None:
    result = A.Rotate((angle, angle), p=1)(image=pyvips.Image.black(301, 199))["image"]

    assert canvas(301, 199, angle) == pytest.approx((result.width, result.height), abs=1)
    assert rotated_crop(301, 199, 0) == (301, 199)


def test_without_crop_border_an_image_is_whole() -> None:
    case, _ = one(step("Rotate", 1.0, limit=(30, 30), crop_border=True))

    height, width, _ = applied(fixed("crop-border-leaves-fill", case), pictures.vips()).shape

    assert (width, height) == pytest.approx(canvas(96, 64, 30), abs=1)


def test_transpose_with_a_flip_is_a_transposition() -> None:
    case, _ = one(step("Transpose", 1.0))
    source = pictures.vips()

    result = applied(fixed("transpose-is-a-turn", case), source)

    assert np.array_equal(result, source.numpy().swapaxes(0, 1))


def test_transpose_keeps_its_share_of_images_with_a_flip() -> None:
    case, _ = one(step("Transpose", 0.3))
    replaced = fixed("transpose-is-a-turn", case)
    turned = sum(applied(replaced, pictures.vips(), seed).shape == (96, 64, 3) for seed in range(100))

    assert 15 < turned < 45


def test_a_shear_of_x_leaves_columns_upright() -> None:
    case, _ = one(step("Affine", 1.0, shear=(20, 20), cval=0))
    line = np.zeros((64, 96, 3), np.uint8)
    line[30:34] = 255
    both, along = (
        applied(p, pyvips.Image.new_from_array(line)) for p in (case.pipeline, fixed("shear-of-both-axes", case))
    )

    assert np.ptp(np.argmax(both[:, 20:76, 0], axis=0)) > 10
    assert np.ptp(np.argmax(along[:, 20:76, 0], axis=0)) <= 1


@pytest.mark.parametrize("alpha", [10.0, -10.0])
def test_elastic_moves_up_or_down_as_is_told(alpha: float) -> None:
    case, _ = one(step("ElasticTransform", 1.0, alpha=alpha, sigma=10.0), facts(200, 200))
    [hit] = hits("elastic-moves-one-way", case)
    ramp = pyvips.Image.xyz(200, 200)[1].cast("float").bandjoin([0, 0])
    moved = applied(Pipeline((case.pipeline.steps[0].with_args(value=0),)), ramp)[80:120, 80:120, 0].mean() - 99.5

    assert f"about 10 px {'down' if alpha > 0 else 'up'}" in hit.evidence
    assert math.copysign(1, -moved) == math.copysign(1, alpha)


# Groups


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4), st.integers(1, 5))
def test_repetitions_are_as_frequent_as_is_told(weights: list[float], n: int) -> None:
    rng = np.random.default_rng(0)
    shares = np.array(weights) / sum(weights)
    drawn_members = rng.choice(len(weights), size=(4000, n), p=shares)
    repeated = float(np.mean([len(set(row)) < n for row in drawn_members.tolist()]))

    assert repeat_share(tuple(weights), n) == pytest.approx(repeated, abs=0.04)


def fires(chosen: Pipeline, source: pyvips.Image, name: str, count: int = 120) -> float:
    """Share of draws in which a transform is applied."""
    draws = [engine.draw(engine.header(source), chosen, seed).draw for seed in range(count)]
    return sum(any(leaf.applied for leaf in draw.leaves if leaf.transform == name) for draw in draws) / count


def test_a_sequential_in_a_one_of_obeys_its_p() -> None:
    case = drawn(pipeline(group("Sequential", step("HorizontalFlip", 1.0), step("Blur", 0.5), p=0.3)), facts(96, 64))
    replaced = fixed("sequential-ignores-p", case)

    assert fires(case.pipeline, pictures.vips(), "HorizontalFlip") == 1
    assert fires(replaced, pictures.vips(), "HorizontalFlip") == pytest.approx(0.3, abs=0.13)
    assert fires(replaced, pictures.vips(), "Blur") == pytest.approx(0.15, abs=0.1)


def test_the_first_of_a_chosen_sequential_obeys_its_p_behind_a_no_op() -> None:
    inner = group("Sequential", step("HorizontalFlip", 0.3), step("Blur", 0.5), p=1.0)
    case = drawn(pipeline(group("OneOf", inner, p=1.0)), facts(96, 64))

    assert fires(case.pipeline, pictures.vips(), "HorizontalFlip") == 1
    assert fires(fixed("first-of-sequential-is-forced", case), pictures.vips(), "HorizontalFlip") == pytest.approx(
        0.3, abs=0.13
    )


def test_holes_of_several_steps_are_fewer_than_what_ends_the_process() -> None:
    case = drawn(pipeline(*[step("CoarseDropout", 1.0, max_holes=500, max_height=2, max_width=2)] * 6), facts(96, 64))
    replaced = fixed("holes-add-up", case)

    assert case.failures
    assert sum(leaf.get("max_holes") for leaf in replaced.leaves()) <= 2500
    assert drawn(replaced, facts(96, 64)).failures == ()


def test_emboss_prints_each_time_and_elastic_when_it_is_built(capfd: pytest.CaptureFixture[str]) -> None:
    A.ElasticTransform(p=1)
    built = capfd.readouterr().out
    A.Emboss(p=1)(image=pictures.vips())
    called = capfd.readouterr().out

    assert built
    assert called


# All of them


@pytest.mark.parametrize(
    ("rule", "row"),
    [pytest.param(rule, row, id=f"{rule}: {row.about}") for rule, each in FIRES.items() for row in each],
)
def test_what_a_fix_gives_works_with_the_installed_library(rule: str, row: Any) -> None:
    case = row.make()
    for hit in hits(rule, case):
        if hit.fix is None or case.facts is None or len(hits(rule, replace(case, pipeline=hit.fix.pipeline))):
            continue
        shape = case.facts.header
        dtype = {"uchar": "uint8", "ushort": "uint16", "float": "float32"}[shape.format]
        source = pictures.vips(shape.width, shape.height, shape.bands, dtype)

        for seed in range(4):
            assert np.isfinite(applied(hit.fix.pipeline, source, seed).astype(float)).all()


def test_no_rule_on_a_defect_is_an_error_but_what_raises_or_kills() -> None:
    errors = {rule.name for rule in defects.RULES if rule.severity is Severity.ERROR}

    assert errors == {"argument-problem", "holes-add-up", "random-rotate90-raises"}
