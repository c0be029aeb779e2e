"""The catalogue against the installed library: names, defaults, and a walk through every transform and every bound."""

from __future__ import annotations

import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pyvips
import skimage

from augviz import catalog, engine
from augviz.errors import AugvizError, PipelineError, StepError
from augviz.library import A, quiet
from augviz.model import REQUIRED, XY, ImageFacts, ParamKind, ParamSpec, Pipeline, Step, TransformSpec, Value
from tests.strategies import facts

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
WIDTH, HEIGHT = 97, 83  # primes, so that every GridDropout leaves a remainder at the far edge (D6)
KINDS = ("rgb8", "gray8", "rgba8", "rgb16", "float")
USABLE = [name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable]

KNOWN: dict[tuple[str, str], tuple[str, str]] = {
    ("RandomBrightnessContrast", "gray8"): ("D13", "range object index out of range"),
    ("HueSaturationValue", "rgba8"): ("D14", "expects 1-channel or 3-channel images"),
    ("HEDShift", "gray8"): ("D16", "bands in must equal matrix width"),
    ("HEDShift", "rgba8"): ("D16", "bands in must equal matrix width"),
    ("CropOrPad", "rgba8"): ("D21", "vector must have 1 or 4 elements"),
    ("ChannelDropout", "gray8"): ("D20", "ChannelDropout is not defined"),
    ("ChannelDropout", "rgba8"): ("D20", "vector must have 1 or 4 elements|list assignment index out of range"),
    **{("RandomRotate90", kind): ("D5", "list index out of range") for kind in KINDS},
}
"""Transforms that raise for a kind of image with the arguments that the editor begins with: defect, and words."""

COMPANIONS: dict[tuple[str, str], tuple[dict[str, Value], ...]] = {
    ("GridDropout", "unit_size_min"): ({"unit_size_max": HEIGHT},),
    ("GridDropout", "unit_size_max"): ({"unit_size_min": HEIGHT}, {"unit_size_min": 2}),
    ("GridDropout", "shift_x"): ({"ratio": 1.0},),
    ("GridDropout", "shift_y"): ({"ratio": 1.0},),
    ("GridDropout", "random_offset"): ({"ratio": 1.0},),
    ("GridDropout", "holes_number_x"): ({"holes_number_y": 5},),
    ("GridDropout", "holes_number_y"): ({"holes_number_x": 5},),
    ("CoarseDropout", "min_holes"): ({"max_holes": 500},),
    ("CoarseDropout", "min_height"): ({"max_height": HEIGHT},),
    ("CoarseDropout", "min_width"): ({"max_width": WIDTH},),
    ("Crop", "x_min"): ({"x_max": WIDTH},),
    ("Crop", "y_min"): ({"y_max": HEIGHT},),
    ("PadIfNeeded", "pad_height_divisor"): ({"min_height": None},),
    ("PadIfNeeded", "pad_width_divisor"): ({"min_width": None},),
    ("Rotate", "crop_border"): ({"limit": 30},),
}
"""What has to be given beside an argument for it to count, or to be valid at its end."""

RAISING = {
    ("Crop", "x_min", WIDTH): "x_min < x_max",
    ("Crop", "y_min", HEIGHT): "x_min < x_max",
    ("GaussNoise", "per_channel", True): "not one band or 4 bands",  # on 4 bands, D10
    ("AdvancedBlur", "beta_limit", 0.1): "expected to include 1.0",  # as both ends
    ("AdvancedBlur", "beta_limit", 20.0): "expected to include 1.0",
    ("GridDropout", "unit_size_min", HEIGHT): "parameter height not set",  # no remainder, D6
    ("GridDropout", "unit_size_max", HEIGHT): "parameter height not set",
}
"""Ends of bounds that are only valid together with other arguments, or for other images; what the library says."""

TOO_MANY_HOLES = {("GridDropout", "unit_size_min", 2), ("GridDropout", "unit_size_max", 2)}
"""Ends of bounds that are refused for their number of holes in an image of this size; the library would try."""


@cache
def image(kind: str) -> pyvips.Image:
    """A crop of a photograph, as each kind of image."""
    rgb = pyvips.Image.new_from_file(str(ASTRONAUT)).extract_band(0, n=3).crop(170, 60, WIDTH, HEIGHT)
    made = {
        "rgb8": lambda: rgb,
        "gray8": lambda: rgb.colourspace("b-w"),
        "rgba8": lambda: rgb.bandjoin(rgb[0]).copy(interpretation="srgb"),
        "rgb16": lambda: rgb.colourspace("rgb16"),
        "float": lambda: (rgb / 255).cast("float").copy(interpretation="srgb"),
    }
    return made[kind]().copy_memory()


def facts_of(kind: str) -> ImageFacts:
    found = image(kind)
    return facts(found.width, found.height, found.bands, found.format)


def run(step: Step, kind: str, seed: int) -> Any:
    """What the library makes of the image, with the pixels of at least its centre forced."""
    target = image(kind)
    with quiet(), warnings.catch_warnings():
        # Overflow in an extreme kernel (AdvancedBlur), hue shifts on grey images (D14).
        warnings.simplefilter("ignore")
        random.seed(seed)
        result = engine.build_step(Step(step.id, step.transform, step.args, p=1.0), 1)(image=target)["image"]
        if isinstance(result, pyvips.Image):
            _force(result)
    return result


def _force(result: pyvips.Image) -> None:
    width, height = min(result.width, 512), min(result.height, 512)
    result.crop((result.width - width) // 2, (result.height - height) // 2, width, height).numpy()


def failures(step: Step, kind: str, seeds: range = range(2)) -> list[str]:
    """The messages of the seeds that raise."""
    found = []
    for seed in seeds:
        try:
            run(step, kind, seed)
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


# Names and defaults


def public_transforms() -> dict[str, type]:
    base = A.BasicTransform
    classes = {n: c for n, c in vars(A).items() if inspect.isclass(c) and issubclass(c, base)}
    return {n: c for n, c in classes.items() if c not in (base, A.DualTransform, A.ImageOnlyTransform)}


def test_every_public_transform_is_listed() -> None:
    assert set(catalog.TRANSFORMS) == set(public_transforms())


def test_every_composition_that_nests_is_listed() -> None:
    bases = {"BaseCompose", "Compose", "ReplayCompose"}
    installed = {n for n, c in vars(A).items() if inspect.isclass(c) and issubclass(c, A.BaseCompose)}

    assert set(catalog.GROUPS) == installed - bases


def signature(name: str) -> dict[str, inspect.Parameter]:
    found = inspect.signature(getattr(A, name).__init__).parameters
    return {n: p for n, p in found.items() if n != "self" and p.kind is not p.VAR_KEYWORD}


@pytest.mark.parametrize("name", USABLE)
def test_parameters_are_the_installed_ones_in_their_order(name: str) -> None:
    installed = [n for n in signature(name) if n not in ("always_apply", "p")]

    assert [p.name for p in catalog.transform(name).params] == installed


def library_default(found: inspect.Parameter) -> Any:
    value = found.default
    if value is inspect.Parameter.empty:
        return REQUIRED
    if isinstance(value, pyvips.Interpolate):
        return interpolator_name(value)
    return getattr(value, "value", value)  # PadIfNeeded.position is an Enum


def interpolator_name(found: pyvips.Interpolate) -> str:
    """The name by which libvips made an interpolator, told by what it does: pyvips does not keep it."""
    dot = pyvips.Image.black(9, 9).draw_rect(255, 4, 4, 1, 1, fill=True)

    def moved(interpolate: pyvips.Interpolate) -> bytes:
        return bytes(dot.affine([1.3, 0.2, -0.1, 1.2], interpolate=interpolate).write_to_memory())

    return next(n for n in catalog.INTERPOLATORS if moved(pyvips.Interpolate.new(n)) == moved(found))


@pytest.mark.parametrize("name", USABLE)
def test_defaults_are_the_installed_ones(name: str) -> None:
    installed = signature(name)

    assert {p.name: p.default for p in catalog.transform(name).params} == {
        p.name: library_default(installed[p.name]) for p in catalog.transform(name).params
    }


@pytest.mark.parametrize("name", list(catalog.TRANSFORMS))
def test_default_probability_is_the_installed_one(name: str) -> None:
    assert catalog.transform(name).default_p == signature(name)["p"].default


@pytest.mark.parametrize("name", list(catalog.GROUPS))
def test_default_probability_of_a_group_is_the_installed_one(name: str) -> None:
    installed = inspect.signature(getattr(A, name).__init__).parameters

    assert catalog.group(name).default_p == installed["p"].default
    assert catalog.group(name).has_n == ("n" in installed)


@pytest.mark.parametrize("name", list(catalog.TRANSFORMS))
def test_caveats_name_measured_defects(name: str) -> None:
    defects = [c.defect for c in catalog.transform(name).caveats if c.defect]

    assert all(re.fullmatch(r"D([1-9]|[1-4]\d|5[0-5])", d) for d in defects)
    assert len(defects) == len(set(defects))


# The walk


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", USABLE)
def test_the_first_arguments_work_or_a_caveat_says_otherwise(name: str, kind: str) -> None:
    step = catalog.initial_step(name, "a", facts_of(kind))
    if (name, kind) not in KNOWN:
        assert failures(step, kind, range(5)) == []
        assert catalog.problems(step, facts_of(kind)) == ()
        return
    defect, words = KNOWN[name, kind]

    assert defect in {c.defect for c in catalog.transform(name).caveats}
    assert any(re.search(words, message) for message in failures(step, kind, range(12)))


@pytest.mark.parametrize(("name", "kind"), [key for key in KNOWN if key[0] != "RandomRotate90"])
def test_what_always_raises_is_a_problem_of_the_step(name: str, kind: str) -> None:
    found = catalog.problems(catalog.initial_step(name, "a", facts_of(kind)), facts_of(kind))

    assert str(image(kind).bands) in found[0].message


@pytest.mark.parametrize("format", ["uchar", "char", "ushort", "short", "uint", "int", "float", "double"])
def test_what_raises_for_a_format_or_a_number_of_bands_is_a_problem_of_the_step(format: str) -> None:
    unforeseen = []
    for name in USABLE:
        for bands in (1, 2, 3, 4, 7):
            seen = facts(bands=bands, format=format)
            step = replace(catalog.initial_step(name, "a", seen), p=1.0)
            for seed in range(3):
                try:
                    engine.draw(seen.header, Pipeline((step,)), seed)
                except StepError as error:
                    if not catalog.problems(step, seen) and name != "RandomRotate90":  # raises whatever it gets (D5)
                        unforeseen.append(f"{name}, {bands} bands: {error}")

    assert unforeseen == []


def ends(spec: TransformSpec, param: ParamSpec, kind: str) -> Iterator[Value]:
    """Values of `param` at its ends: every choice, both bools, both bounds alone and together."""
    if param.choices:
        yield from param.choices
        return
    if param.kind is ParamKind.BOOL:
        yield from (False, True)
        return
    low, high = catalog.bounds(param, facts_of(kind))
    if param.kind in (ParamKind.COLOUR, ParamKind.NUMBERS):
        bands = image(kind).bands
        top = catalog.white(facts_of(kind)) if high is None else high
        bottom = 0 if low is None else low
        yield from (bottom, top, (bottom,) * bands, (top,) * bands)
        return
    bottom_top = [v for v in (low, high) if v is not None]
    if param.kind in catalog.PAIR_KINDS:
        yield from ((v, v) for v in bottom_top)
        yield tuple(bottom_top)
    elif param.kind is ParamKind.XY_RANGE:
        yield from ((v, v) for v in bottom_top)
        yield from (XY((a, a), (b, b)) for a, b in product(bottom_top, bottom_top))
    else:
        yield from bottom_top
    if param.kind is ParamKind.SIZE:
        yield from (0.05, 0.95)


def fitting(step: Step, name: str, value: Value, kind: str) -> Iterator[Step]:
    """The step with `value`, and with each set of companions that it may need."""
    sizes: dict[str, Value] = {}
    if step.transform == "CoarseDropout" and isinstance(value, float) and name.endswith(("height", "width")):
        sizes = {"max_height": 0.96, "max_width": 0.96}
    for companions in (*COMPANIONS.get((step.transform, name), ()), {}):
        yield step.with_args(**{**companions, **sizes, name: value})


WALK = [
    (name, param.name, kind)
    for name in USABLE
    for param in catalog.transform(name).params
    for kind in KINDS
    if (name, kind) not in KNOWN
]


@pytest.mark.parametrize(("name", "param", "kind"), WALK)
def test_every_bound_works(name: str, param: str, kind: str) -> None:
    spec = catalog.transform(name)
    first = catalog.initial_step(name, "a", facts_of(kind))
    for value in ends(spec, spec.param(param), kind):
        tried = list(fitting(first, param, value, kind))
        valid = [step for step in tried if not catalog.problems(step, facts_of(kind))]
        if valid:
            assert failures(valid[0], kind) == [], f"{param}={value}"
            continue
        end = (name, param, value[0] if isinstance(value, tuple) else value)
        if end in TOO_MANY_HOLES:
            continue

        assert any(re.search(RAISING[end], message) for message in failures(tried[0], kind)), f"{param}={value}"


def test_random_rotate90_works_in_most_draws_only() -> None:
    step = Step("a", "RandomRotate90")
    raised = [m for seed in range(40) for m in _raised(step, seed)]

    assert 0 < len(raised) < 30
    assert all("list index out of range" in m for m in raised)


def _raised(step: Step, seed: int) -> list[str]:
    try:
        run(step, "rgb8", seed)
    except IndexError as error:
        return [str(error)]
    return []


def test_lambda_cannot_be_constructed() -> None:
    with pytest.raises(AttributeError, match="noop"):
        A.Lambda()
    assert "D3" in catalog.transform("Lambda").unusable


# Lookup and arguments


def test_an_unknown_transform_is_refused_with_a_suggestion() -> None:
    with pytest.raises(PipelineError, match="did you mean GaussianBlur"):
        catalog.transform("GausianBlur")


def test_an_unknown_group_is_refused_with_a_suggestion() -> None:
    with pytest.raises(PipelineError, match="did you mean OneOf"):
        catalog.group("oneof")


@pytest.mark.parametrize(
    ("find", "name", "sentence"),
    [
        (catalog.transform, "Qqqq", "There is no transform 'Qqqq'; there are {count}, which the page Transforms and "),
        (catalog.transform, "OneOf", "OneOf is a group, not a transform."),
        (catalog.group, "Qqqq", "There is no group 'Qqqq'; there are OneOf, SomeOf, "),
        (catalog.group, "Rotate", "Rotate is a transform, not a group."),
    ],
)
def test_a_name_like_none_is_refused_by_a_short_sentence(
    find: Callable[[str], object], name: str, sentence: str
) -> None:
    with pytest.raises(PipelineError) as error:
        find(name)

    assert str(error.value).startswith(sentence.format(count=len(catalog.TRANSFORMS)))
    assert len(str(error.value)) < 120


def test_resolved_arguments_are_in_the_librarys_order_without_missing_ones() -> None:
    resolved = catalog.resolved_args(Step("a", "Resize", (("width", 7), ("always_apply", True))))

    assert list(resolved.items()) == [("width", 7), ("interpolation", "linear"), ("always_apply", True)]


def test_resolved_arguments_refuse_an_unknown_name() -> None:
    with pytest.raises(AugvizError, match="'limt'"):
        catalog.resolved_args(Step("a", "Rotate", (("limt", 7),)))


def param_of(path: str) -> ParamSpec:
    name, param = path.split(".")
    return catalog.transform(name).param(param)


@pytest.mark.parametrize(
    ("path", "value", "attribute"),
    [
        ("Rotate.limit", 30, "limit"),
        ("Blur.blur_limit", 9, "blur_limit"),
        ("Blur.blur_limit", 1, "blur_limit"),
        ("GaussianBlur.sigma_limit", 2.5, "sigma_limit"),
        ("GaussNoise.var_limit", 7, "var_limit"),
        ("Sharpen.alpha", 0.4, "alpha"),
        ("RandomGamma.gamma_limit", 80, "gamma_limit"),
        ("Affine.rotate", 12, "rotate"),
        ("HueSaturationValue.hue_shift_limit", (3, 4), "hue_shift_limit"),
    ],
)
def test_a_single_number_is_the_range_that_the_library_makes_of_it(path: str, value: Value, attribute: str) -> None:
    built = engine.build_step(Step("a", path.split(".")[0], ((path.split(".")[1], value),)), 1)

    assert catalog.pair(param_of(path), value) == getattr(built, attribute)


# First arguments


def test_an_empty_step_is_added_where_the_defaults_work() -> None:
    assert catalog.initial_step("Rotate", "a", facts()).args == ()


def test_a_crop_begins_with_at_most_512_pixels() -> None:
    assert catalog.initial_step("RandomCrop", "a", facts(4000, 3000)).args == (("height", 512), ("width", 512))
    assert catalog.initial_step("RandomCrop", "a", facts(200, 3000)).args == (("height", 512), ("width", 200))


def test_normalize_begins_with_the_tutorials_statistics_for_three_bands() -> None:
    step = catalog.initial_step("Normalize", "a", facts())

    assert step.args == (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225)))


@pytest.mark.parametrize("bands", [1, 2, 4, 5])
def test_normalize_begins_with_a_number_for_each_band(bands: int) -> None:
    assert len(catalog.initial_step("Normalize", "a", facts(bands=bands)).get("mean")) == bands


@pytest.mark.parametrize(("format", "fill"), [("uchar", 255), ("ushort", 65535), ("float", 1.0)])
def test_a_pad_begins_with_white_in_the_images_own_units(format: str, fill: float) -> None:
    assert catalog.initial_step("PadIfNeeded", "a", facts(format=format)).get("value") == fill


@pytest.mark.parametrize("size", [(300, 200), (640, 480), (1000, 1000), (1920, 1080), (4000, 3000), (512, 512), (7, 5)])
def test_a_grid_begins_with_numbers_that_work_for_the_size(size: tuple[int, int]) -> None:
    step = catalog.initial_step("GridDropout", "a", facts(*size))
    random.seed(0)
    result = engine.build_step(Step("a", "GridDropout", step.args, p=1.0), 1)(image=pyvips.Image.black(*size))

    assert (result["image"].width, result["image"].height) == size


# Problems


@pytest.mark.parametrize(
    ("name", "args", "message", "fix"),
    [
        (
            "Rotate",
            {"limit": 400},
            "limit must lie within -360 and 360 degrees, got -400 to 400",
            {"limit": (-360, 360)},
        ),
        ("Rotate", {"limit": (5, -5)}, "from low to high, got 5 to -5", {"limit": (-5, 5)}),
        ("Blur", {"blur_limit": (3, 8)}, "odd ends, got 3 to 8", {"blur_limit": (3, 7)}),
        (
            "AdvancedBlur",
            {"noise_limit": (0.9, 1.1)},
            "noise_limit must lie within 0.1 and 1",
            {"noise_limit": (0.9, 1.0)},
        ),
        (
            "AdvancedBlur",
            {"noise_limit": (0.9, 1.0), "beta_limit": (1.5, 3.0)},
            "1 strictly",
            {"beta_limit": (0.5, 3.0)},
        ),
        ("RandomGamma", {"gamma_limit": 80}, "within 1 and 1000 percent, got -80 to 80", {"gamma_limit": (1, 80)}),
        ("PadIfNeeded", {}, "value must be given", {"value": 255}),
        ("PadIfNeeded", {"value": 0, "pad_width_divisor": 8}, "exactly one of min_width", {"min_width": None}),
        ("Crop", {"x_min": 9, "x_max": 9, "y_max": 9}, "x_min must be below x_max, got 9 and 9", {"x_min": 8}),
        ("CenterCrop", {"height": 300, "width": 9}, "height must lie within 1 and 256 px, got 300", {"height": 256}),
        ("CenterCrop", {"height": 30}, "width must be given", {"width": 512}),
        ("Affine", {"translate_px": 3, "translate_percent": 0.1}, "only one of", {"translate_percent": None}),
        ("Affine", {"shear": XY((1, 2), None)}, "shear needs both x and y", {"shear": XY((1, 2), 0)}),
        ("Affine", {"keep_ratio": True, "scale": XY(1, 2)}, "same range of scale", {"scale": XY(1, 1)}),
        ("Affine", {"interpolation": "linear"}, "must be one of nearest, bilinear", {"interpolation": "bilinear"}),
        ("Affine", {"cval": (1, 2)}, "cval must have 1 or 3 numbers", {"cval": (1, 2, 2)}),
        ("Normalize", {"mean": (0.5,) * 4, "std": 1}, "mean must have 1 or 3 numbers", {"mean": (0.5,) * 3}),
        ("Normalize", {"mean": 0, "std": 0}, "std must be at least 0.001", {"std": 0.001}),
        ("CoarseDropout", {"max_height": 0.2}, "all pixels (ints) or all fractions (floats)", {"max_width": 0.05}),
        ("CoarseDropout", {"min_holes": 9}, "min_holes must not be above max_holes", {"min_holes": 8}),
        ("CoarseDropout", {"max_height": 0.001, "max_width": 0.5}, "at least one pixel", {"max_height": 0.004}),
        ("GridDropout", {"random_offset": True}, "random_offset can put a hole of no size", {"random_offset": False}),
        ("GridDropout", {"unit_size_min": 4}, "must both be given", {"unit_size_max": 4}),
    ],
)
def test_an_invalid_combination_is_named_and_mended(
    name: str, args: dict[str, Value], message: str, fix: dict[str, Value]
) -> None:
    step = Step("a", name, tuple(args.items()))
    found = catalog.problems(step, facts())

    assert message in found[0].message
    assert fix.items() <= dict(found[0].fix).items()
    assert catalog.problems(catalog.mended(step, facts()), facts()) == ()


def test_one_band_needs_one_number() -> None:
    step = Step("a", "Normalize", (("mean", (0.5, 0.4, 0.3)), ("std", 1)))
    (problem,) = catalog.problems(step, facts(bands=1))

    assert problem.message == "Normalize: mean must have 1 number (the image has 1 band), got 3."
    assert problem.fix == (("mean", (0.5,)),)


def test_rotate_with_crop_border_is_stopped_where_the_library_raises() -> None:
    step = Step("a", "Rotate", (("crop_border", True),))

    assert "crop_border raises at" in catalog.problems(step, facts(301, 199))[0].message
    assert catalog.problems(step, facts(200, 200)) == ()
    assert catalog.problems(step.with_args(limit=45), facts(301, 199)) == ()


def test_rotate_with_crop_border_works_where_it_is_not_stopped() -> None:
    black = pyvips.Image.black(301, 199, bands=3)
    for degrees in range(-90, 91):
        step = Step("a", "Rotate", (("crop_border", True), ("limit", (degrees, degrees))), p=1.0)
        if not catalog.problems(step, facts(301, 199)):
            assert engine.build_step(step, 1)(image=black)["image"].width > 0


def test_the_crops_are_those_of_the_table() -> None:
    assert {name for name in catalog.TRANSFORMS if "Crop" in name} == catalog.CROPS
