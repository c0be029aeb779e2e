"""Advice on masks, boxes and keypoints: the table of troubles is what the installed library does, and its fixes mend it."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import catalog, engine
from augviz.advice import Severity, advise
from augviz.advice.case import Case
from augviz.advice.troubles import TROUBLES
from augviz.library import A, quiet
from augviz.model import Group, Item, Pipeline, Step
from tests.advice_cases_targets import BOXES, MASK, MASKS, POINTS
from tests.advising import drawn, hits, pipeline, step
from tests.strategies import facts

WIDTH, HEIGHT = 300, 200
PLACES = ((210, 100), (150, 60), (100, 130))
"""Where a mark is put, near enough to the centre to stay in the image."""

CHOSEN: dict[str, dict[str, Any]] = {
    "Affine": {"rotate": (20, 30), "scale": (0.9, 0.9), "cval": 60},
    "Rotate": {"limit": (20, 30), "value": 60},
    "CenterCrop": {"height": 180, "width": 280},
    "RandomCrop": {"height": 180, "width": 280},
    "Crop": {"x_min": 5, "y_min": 5, "x_max": 280, "y_max": 190},
    "CropOrPad": {"height": 250, "width": 350},
    "PadIfNeeded": {"min_height": 300, "min_width": 400, "value": 60, "mask_value": 0},
    "Resize": {"height": 400, "width": 600},
    "LongestMaxSize": {"max_size": 450},
    "SmallestMaxSize": {"max_size": 300},
    "RandomScale": {"scale_limit": (0.5, 0.5)},
    "ElasticTransform": {"alpha": 5.0, "sigma": 10.0, "value": 60},
    "GridDropout": {"holes_number_x": 7, "holes_number_y": 7, "fill_value": 60},
    "CoarseDropout": {"fill_value": 60},
}
"""Arguments under which a mark can be found again."""


def marked(x: int, y: int) -> pyvips.Image:
    """A grey image with a red disk."""
    pixels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels[(columns - x) ** 2 + (rows - y) ** 2 <= 25] = (220, 20, 20)
    return pyvips.Image.new_from_array(pixels)


def middle(chosen: np.ndarray) -> tuple[float, float] | None:
    rows, columns = np.where(chosen)
    return (float(columns.mean()), float(rows.mean())) if len(rows) else None


def distance(built: Any, target: str, seed: int) -> float:
    """How far a target ends up from the mark in the image, in px of the result. Raises what the library raises."""
    found = [0.0]
    for x, y in PLACES:
        image = marked(x, y)
        given: Any = {
            "mask": (image[0] > 150).ifthenelse(255, 0).cast("uchar"),
            "bboxes": [((x - 5) / WIDTH, (y - 5) / HEIGHT, (x + 6) / WIDTH, (y + 6) / HEIGHT)],
            "keypoints": [(x, y, 0.0, 1.0)],
        }[target]
        random.seed(seed)
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = built(image=image, **{target: given})
        pixels = result["image"].numpy().astype(int)
        mark = middle(pixels[..., 0] - pixels[..., 1] > 70)
        if mark is None:
            continue
        height, width = pixels.shape[:2]
        if target == "mask":
            place = middle(result["mask"].numpy() > 100) or (math.inf, math.inf)
        elif target == "bboxes":
            left, top, right, bottom = result["bboxes"][0][:4]
            place = ((left + right) / 2 * width - 0.5, (top + bottom) / 2 * height - 0.5)
        else:
            place = result["keypoints"][0][:2]
        found.append(math.dist(mark, place))
    return max(found)


def worst(chosen: Item, target: str, seeds: int = 4) -> float:
    """The greatest distance over some draws; infinite where the library raises for the target alone."""
    distances = []
    for seed in range(seeds):
        built = _built(chosen)
        try:
            distances.append(distance(built, target, seed))
        except (AttributeError, NotImplementedError, TypeError, pyvips.Error):
            return math.inf
        except IndexError:
            continue  # RandomRotate90 raises for some draws whatever the target
    return max(distances)


def _built(chosen: Item) -> Any:
    with quiet():
        if isinstance(chosen, Group):
            return getattr(A, chosen.group)([_built(member) for member in chosen.steps], p=chosen.p)
        return engine.build_step(Step("a", chosen.transform, chosen.args, 1.0), 1)


GEOMETRIC = [
    spec.name
    for spec in catalog.TRANSFORMS.values()
    if not spec.unusable
    and spec.family in ("Geometry", "Crop and pad", "Resize", "Dropout")
    and spec.name != "ChannelDropout"
]


def told(chosen: Step, target: str) -> Severity | None:
    """The worst that the table says of a step and a target."""
    case = Case(Pipeline((chosen,)), facts(WIDTH, HEIGHT))
    met = [
        t.severity
        for t in TROUBLES
        if chosen.transform in t.transforms and t.target == target and t.meets(case, chosen)
    ]
    return min(met, key=list(Severity).index, default=None)


@pytest.mark.parametrize("target", ["mask", "bboxes", "keypoints"])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_what_is_told_of_a_transform_and_a_target_is_what_the_library_does(name: str, target: str) -> None:
    chosen = Step("a", name, tuple(CHOSEN.get(name, {}).items()), 1.0)
    severity = told(chosen, target)
    measured = worst(chosen, target)
    keeps_places = (name, target) == ("CoarseDropout", "keypoints")  # only their order goes

    assert (measured == math.inf) == (severity is Severity.ERROR)
    if severity is not Severity.ERROR and not keeps_places:
        assert (measured > 2.5) == (severity is Severity.WARNING), measured


def test_a_pad_raises_for_a_mask_without_a_mask_value() -> None:
    bare = Step("a", "PadIfNeeded", (("min_height", 300), ("min_width", 400), ("value", 60)), 1.0)
    [hit] = hits("targets-raise", drawn(Pipeline((bare,)), facts(WIDTH, HEIGHT), targets=MASK))
    assert hit.fix is not None

    assert worst(bare, "mask") == math.inf
    assert worst(hit.fix.pipeline.steps[0], "mask") < 0.1


def test_a_crop_that_is_too_large_misplaces_keypoints_until_it_fits() -> None:
    chosen = Step("a", "RandomCrop", (("height", 250), ("width", 250)), 1.0)
    [hit] = hits("targets-elsewhere", drawn(Pipeline((chosen,)), facts(WIDTH, HEIGHT), targets=POINTS))
    assert hit.fix is not None

    assert worst(chosen, "keypoints") > 10
    assert worst(hit.fix.pipeline.steps[0], "keypoints") < 0.1


@pytest.mark.parametrize("target", ["bboxes", "keypoints"])
@pytest.mark.parametrize(
    "chosen",
    [
        step("Rotate", 1.0, limit=(25, 25), value=60),
        step("Rotate", 1.0, limit=(-80, -10), value=60),
        step("Transpose", 1.0),
        step("CropOrPad", 1.0, height=250, width=350),
    ],
    ids=lambda s: f"{s.transform} {dict(s.args)}",
)
def test_a_fix_takes_targets_where_the_image_goes(chosen: Step, target: str) -> None:
    case = drawn(pipeline(chosen), facts(WIDTH, HEIGHT), targets=frozenset({target}))
    [hit] = [*hits("targets-elsewhere", case), *hits("targets-raise", case)]
    assert hit.fix is not None

    assert worst(case.pipeline.steps[0], target) > 10
    assert worst(hit.fix.pipeline.steps[0], target) < 1.2


@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (97, 64), (64, 97), (50, 50)])
def test_affine_turns_by_90_degrees_as_transpose_does(width: int, height: int) -> None:
    noise = pyvips.Image.new_from_array(np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8))
    case = drawn(pipeline(step("Transpose", 1.0)), facts(width, height), targets=POINTS)
    [hit] = hits("targets-elsewhere", case)
    assert hit.fix is not None

    old, new = (engine.apply(noise, p, 0).array() for p in (case.pipeline, hit.fix.pipeline))

    height, width, _ = old.shape
    assert new.shape == pytest.approx(old.shape, abs=1)
    assert (
        min(
            float(np.abs(new[y : y + height, x : x + width].astype(int) - old).mean())
            for y in range(new.shape[0] - height + 1)
            for x in range(new.shape[1] - width + 1)
        )
        < 1
    )


def test_coarse_dropout_merges_keypoints_that_are_equal() -> None:
    points = [(10.0, 20.0, 0.0, 1.0)] * 3
    random.seed(0)
    kept = A.CoarseDropout(p=1)(image=marked(50, 50), keypoints=points)["keypoints"]

    assert len(kept) < 3


def test_motion_blur_moves_the_image_off_its_boxes_and_not_after_the_fix() -> None:
    case = drawn(pipeline(step("MotionBlur", 1.0, blur_limit=(15, 15))), facts(WIDTH, HEIGHT), targets=BOXES)
    [hit] = hits("targets-slightly-off", case)
    assert hit.fix is not None

    def moved(chosen: Pipeline) -> float:
        built = _built(chosen.steps[0])
        found = []
        for seed in range(12):
            random.seed(seed)
            pixels = built(image=marked(150, 100))["image"].numpy()[..., 0].astype(float) - 60
            rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
            found.append(
                math.dist(((pixels * columns).sum() / pixels.sum(), (pixels * rows).sum() / pixels.sum()), (150, 100))
            )
        return float(np.mean(found))

    assert moved(case.pipeline) > 1.5
    assert moved(hit.fix.pipeline) < 1


# What is said when


@pytest.mark.parametrize(("targets", "word"), [(BOXES, "bbox_params"), (POINTS, "keypoint_params"), (MASKS, "masks")])
def test_compose_is_told_to_raise_for_what_it_raises_for(targets: frozenset[str], word: str) -> None:
    [hit] = hits("compose-raises-for-targets", drawn(pipeline(step("HorizontalFlip")), facts(), targets=targets))
    more: Any = {
        "bbox_params": ({"bbox_params": A.BboxParams("pascal_voc")}, {"bboxes": [(3, 4, 9, 10, "a")]}),
        "keypoint_params": ({"keypoint_params": A.KeypointParams("xy")}, {"keypoints": [(3, 4)]}),
        "masks": ({}, {"masks": [marked(9, 9)[0]]}),
    }[word]

    assert word in hit.message
    with pytest.raises(AttributeError):
        A.Compose([A.HorizontalFlip(p=1)], **more[0])(image=marked(50, 50), **more[1])


def test_one_note_tells_of_all_steps_where_nobody_has_said_which_targets_there_are() -> None:
    steps = (step("Rotate"), step("Transpose"), step("ElasticTransform"), step("PadIfNeeded", value=0))
    [hit] = hits("targets-unknown", drawn(pipeline(*steps), facts(96, 64)))

    assert "masks by ElasticTransform, PadIfNeeded" in hit.message
    assert "boxes by Rotate, Transpose, ElasticTransform" in hit.message
    assert hit.step is None


def test_naming_targets_gives_a_finding_for_each_step_and_target_in_place_of_the_note() -> None:
    case = drawn(pipeline(step("Rotate"), step("Transpose")), facts(96, 64), targets=BOXES | POINTS)
    found = [finding for finding in advise(case) if finding.rule.startswith("targets")]

    assert [(f.rule, f.hit.step) for f in found] == [("targets-elsewhere", f"s{n}") for n in (1, 1, 2, 2)]
