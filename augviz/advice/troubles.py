"""The table of what transforms do to masks, boxes and keypoints that they do not do to the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from augviz import catalog
from augviz.advice import arriving
from augviz.advice.case import Case, Fix, Severity, probability
from augviz.advice.defects_geometry import as_affine
from augviz.advice.fills import padded, white_in
from augviz.advice.steps import given, in_place, limits, switched_off
from augviz.model import Step

__all__ = ["TROUBLES", "Trouble"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a transform does to a target.

    Attributes:
        target: mask (and masks), bboxes or keypoints.
        severity: an error where it raises, a warning where the target ends up elsewhere than the image, a note where it
            is off by a pixel or two.
        text: what happens, in words, after the transform's name; the defect's number in brackets.
        measured: what was measured on the installed library.
        meets: whether a step has it, by its arguments and the image.
        fix: None where there is none.
    """

    transforms: tuple[str, ...]
    target: str
    severity: Severity
    text: str
    measured: str
    meets: Callable[[Case, Step], bool] = lambda _case, _step: True
    fix: Callable[[Case, Step], Fix | None] = lambda _case, _step: None


# When


def _turns(case: Case, step: Step) -> bool:
    return (limits(step, "limit") or (1, 1)) != (0, 0)


def _moves(case: Case, step: Step) -> bool:
    """Whether an Affine does more than move by whole pixels."""
    args = catalog.resolved_args(step)
    return args["translate_px"] is None or any(args[n] is not None for n in ("scale", "rotate", "shear"))


def _is_bilinear(step: Step) -> bool:
    return step.get("mask_interpolation") not in (None, "nearest")


def _asked(step: Step) -> tuple[float, float]:
    """The sides in pixels that a Resize asks for; of the other resizes the greatest, twice."""
    args = catalog.resolved_args(step)
    if step.transform == "Resize":
        return args["width"], args["height"]
    most = args["max_size"]
    return (max(most),) * 2 if isinstance(most, tuple) else (most, most)


def _enlarges(case: Case, step: Step) -> bool:
    """Whether a resize can make a side longer."""
    if step.transform == "RandomScale":
        return (limits(step, "scale_limit") or (0, 0))[1] > 0
    width, height = _asked(step)
    for shape in arriving.shapes(case, step):
        low_width, low_height = shape.width[0], shape.height[0]
        if step.transform == "Resize" and (width > low_width or height > low_height):
            return True
        side = max(low_width, low_height) if step.transform == "LongestMaxSize" else min(low_width, low_height)
        if step.transform != "Resize" and width > side:
            return True
    return not arriving.shapes(case, step)


def _resizes(case: Case, step: Step) -> bool:
    """Whether a resize is one."""
    if step.transform == "RandomScale":
        return limits(step, "scale_limit") != (0, 0)
    if step.transform != "Resize":
        return True
    return any(shape.size != _asked(step) for shape in arriving.shapes(case, step)) or not arriving.shapes(case, step)


def _is_too_large(case: Case, step: Step) -> bool:
    args = catalog.resolved_args(step)
    return any(args["width"] > s.width[0] or args["height"] > s.height[0] for s in arriving.shapes(case, step))


# What mends it


def _by_affine(case: Case, step: Step) -> Fix | None:
    affine = as_affine(case, step, fit_output=True)
    return None if affine is None else in_place(case, "Rotate by Affine", affine)


def _quarter_by_affine(case: Case, step: Step) -> Fix:
    """Transpose turns the image by 90 degrees, and so does this, with all that goes with it; some sizes grow by a pixel."""
    args = (("fit_output", True), ("rotate", (90, 90)))
    return in_place(case, "Turn by Affine", replace(step, transform="Affine", args=args, p=probability(step)))


def _crop_by_steps(case: Case, step: Step) -> Fix | None:
    return padded(case, step, white_in(arriving.header(case, step).format))


def _mask_value(case: Case, step: Step) -> Fix:
    return given(case, "Set mask_value", step, mask_value=0)


def _fits_the_image(case: Case, step: Step) -> Fix:
    args, least = catalog.resolved_args(step), arriving.shapes(case, step)
    sides = {
        "width": min(args["width"], *(shape.width[0] for shape in least)),
        "height": min(args["height"], *(shape.height[0] for shape in least)),
    }
    return given(case, "Crop within the image", step, **sides)


def _centred(case: Case, step: Step) -> Fix:
    """Lines on the centre of kernels that are large enough to have some (D50)."""
    high = int((limits(step, "blur_limit") or (7, 7))[1])
    return given(case, "Set allow_shifted", step, allow_shifted=False, blur_limit=(7, max(7, high)))


_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR

TROUBLES: tuple[Trouble, ...] = (
    # what raises
    Trouble(
        ("PadIfNeeded",),
        "mask",
        _ERROR,
        "raises for a mask unless mask_value is given (D4)",
        "The library's default, None, reaches libvips.",
        lambda _, step: step.get("mask_value") is None and step.get("value") is not None,
        _mask_value,
    ),
    *(
        Trouble(
            ("ElasticTransform",),
            target,
            _ERROR,
            f"raises for {words} (D28)",
            f"{error} at each call.",
            fix=switched_off,
        )
        for target, words, error in (
            ("bboxes", "boxes", "AttributeError"),
            ("keypoints", "keypoints", "NotImplementedError"),
        )
    ),
    Trouble(
        ("CoarseDropout", "GridDropout"),
        "bboxes",
        _ERROR,
        "raises for boxes (D34)",
        "NotImplementedError at each call.",
        fix=switched_off,
    ),
    Trouble(
        ("GridDropout",),
        "keypoints",
        _ERROR,
        "raises for keypoints (D34)",
        "NotImplementedError at each call.",
        fix=switched_off,
    ),
    *(
        Trouble(
            ("CropOrPad",),
            target,
            _ERROR,
            f"raises for {words}; PadIfNeeded and CenterCrop do not",
            "NotImplementedError at each call.",
            fix=_crop_by_steps,
        )
        for target, words in (("bboxes", "boxes"), ("keypoints", "keypoints"))
    ),
    # what goes elsewhere
    Trouble(
        ("ElasticTransform",),
        "mask",
        _WARNING,
        "displaces a mask by another field than the image (D28)",
        "With alpha 30 and sigma 20 image and mask disagreed on 43 % of the pixels, two equal masks on 26.5 %.",
        fix=switched_off,
    ),
    Trouble(
        ("Rotate",),
        "bboxes",
        _WARNING,
        "turns boxes the other way than the image, on a canvas that does not grow (D23, D24)",
        "On 300 x 200 px they were off by up to 175 px, by Affine with fit_output by less than 1.",
        _turns,
        _by_affine,
    ),
    Trouble(
        ("Rotate",),
        "keypoints",
        _WARNING,
        "turns keypoints the other way than the image, on a canvas that does not grow (D23, D24)",
        "On 300 x 200 px they were off by up to 206 px, by Affine with fit_output by less than 1.",
        _turns,
        _by_affine,
    ),
    Trouble(
        ("Transpose",),
        "bboxes",
        _WARNING,
        "turns the image but transposes boxes (D26)",
        "On 300 x 200 px off by up to 120 px; by Affine's rotate of 90, which can add a row, by less than 1.",
        fix=_quarter_by_affine,
    ),
    Trouble(
        ("Transpose",),
        "keypoints",
        _WARNING,
        "turns the image but transposes keypoints (D26)",
        "On 300 x 200 px off by up to 121 px; by Affine's rotate of 90, which can add a row, by less than 1.",
        fix=_quarter_by_affine,
    ),
    *(
        Trouble(
            ("RandomRotate90",),
            target,
            _WARNING,
            f"turns {words} otherwise than the image (D5)",
            f"On 300 x 200 px they were off by up to {worst} px.",
        )
        for target, words, worst in (("bboxes", "boxes", 125), ("keypoints", "keypoints", 165))
    ),
    *(
        Trouble(
            ("RandomCrop",),
            target,
            _WARNING,
            f"moves {words} wrongly where it asks for more than the image has (D29)",
            f"On 300 x 200 px, cropped to 250 x 250, they were off by up to {worst} px.",
            _is_too_large,
            _fits_the_image,
        )
        for target, words, worst in (("bboxes", "boxes", 27), ("keypoints", "keypoints", 47))
    ),
    Trouble(
        ("CoarseDropout",),
        "keypoints",
        _WARNING,
        "loses the order of keypoints and merges those that are equal, so that labels in a list of their own no longer fit (D34)",
        "They pass through a set.",
    ),
    # what is slightly off
    Trouble(
        ("Affine",),
        "mask",
        _NOTE,
        "resamples a mask by nearest, off by up to a pixel against the image (D30)",
        "0.7 px at 30 degrees, 1 px at twice the size; bilinear is exact, but blends labels.",
        lambda case, step: _moves(case, step) and not _is_bilinear(step),
    ),
    Trouble(
        ("Rotate",),
        "mask",
        _NOTE,
        "resamples a mask by nearest, off by up to a pixel against the image (D30)",
        "0.7 px at 30 degrees; its interpolation cannot be chosen.",
        _turns,
    ),
    Trouble(
        catalog.RESIZES,
        "mask",
        _NOTE,
        "resamples a mask by nearest, off by up to a pixel against the image (D30)",
        "Up to 0.7 px.",
        _resizes,
    ),
    Trouble(
        catalog.RESIZES,
        "bboxes",
        _NOTE,
        "shifts an image that it enlarges by half a pixel, and not the boxes (D31)",
        "Up to 1 px in the result.",
        _enlarges,
    ),
    Trouble(
        catalog.RESIZES,
        "keypoints",
        _NOTE,
        "shifts an image that it enlarges by half a pixel, and not the keypoints (D31)",
        "Up to 1.8 px in the result.",
        _enlarges,
    ),
    *(
        Trouble(
            ("MotionBlur",),
            target,
            _NOTE,
            f"moves the image by up to half its kernel and {words} not at all (D50)",
            "Its line lay off the centre by more than half a pixel in 82 % of the draws; allow_shifted=False keeps it there.",
            lambda _, step: step.get("allow_shifted", True) is not False,
            _centred,
        )
        for target, words in (("mask", "masks"), ("bboxes", "boxes"), ("keypoints", "keypoints"))
    ),
)
"""What each transform does to each target where that is not what it does to the image."""
