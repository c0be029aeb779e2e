"""What holds for a whole folder of images: whether a pipeline's results stack, and how many bands it accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

from augviz import catalog
from augviz.model import Group, Header, ImageFacts, Item, Pipeline, Step

Side = tuple[float, float]
"""The shortest and the longest that one side of the image can be, in pixels."""

ANY_SIDE: Side = (1, inf)

MAX_PROBED_BANDS = 4
"""Images of 1 to so many bands are asked about; what files of photographs and scans hold."""

_PROBED_SIDE = 1 << 16
"""Side in pixels of the images that are asked about: large enough for every crop."""

_CONVERT = frozenset({"Normalize", "ToDtype"})
"""What changes the format of an 8-bit image."""

_KEEP_ONLY_RGB = frozenset(
    {
        "ChannelDropout",
        "CoarseDropout",
        "Emboss",
        "GaussNoise",
        "GridDropout",
        "HEDShift",
        "HueSaturationValue",
        "RandomBrightnessContrast",
        "Sharpen",
    }
)
"""What keeps bands and format of 8-bit images with 3 bands only (D10, D13, D14, D16, D17, D20, D34)."""


def enabled(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items that take part: without disabled ones, and without groups in which nothing is left."""
    kept: list[Item] = []
    for item in items:
        if not item.enabled:
            continue
        if isinstance(item, Group):
            steps = enabled(item.steps)
            if steps:
                kept.append(Group(item.id, item.group, steps, item.p, item.n, item.replace))
        else:
            kept.append(item)
    return tuple(kept)


def stack(pipeline: Pipeline, facts: ImageFacts | None = None) -> bool:
    """Whether the results for images of different sizes have one shape and one dtype, as stacking them needs.

    Without `facts` the images are taken for 8 bit with 3 bands. False where it is not certain.
    """
    width = height = ANY_SIDE
    rgb = facts is None or _is_rgb(pipeline, facts)
    for step, certain in _flow(enabled(pipeline.steps)):
        if not certain and (step.transform in _CONVERT or (step.transform in _KEEP_ONLY_RGB and not rgb)):
            return False
        rgb = rgb and step.transform not in _CONVERT
        after = _after(step, width, height)
        if not certain:
            after = _either(width, after[0]), _either(height, after[1])
        width, height = after
    return width[0] == width[1] and height[0] == height[1]


def _is_rgb(pipeline: Pipeline, facts: ImageFacts) -> bool:
    return source_bands(pipeline, facts) == 3 and (pipeline.input.as_8_bit or facts.header.format == "uchar")


def source_bands(pipeline: Pipeline, facts: ImageFacts) -> int:
    """Bands of what the pipeline is fed."""
    bands = facts.header.bands
    return bands if pipeline.input.bands is None else min(bands, pipeline.input.bands)


def accepted_bands(pipeline: Pipeline, format: str = "uchar") -> tuple[int, ...]:
    """Out of 1 to `MAX_PROBED_BANDS`, the numbers of bands for which no step is known to fail.

    All of them where a step has a problem whatever the bands: then they are not to blame.

    Args:
        format: of the image, as libvips calls it.
    """
    probed = tuple(range(1, MAX_PROBED_BANDS + 1))
    return tuple(bands for bands in probed if _accepts(pipeline, bands, format)) or probed


def _accepts(pipeline: Pipeline, bands: int, format: str) -> bool:
    possible = {bands}
    for step, certain in _flow(enabled(pipeline.steps)):
        if any(catalog.problems(step, _facts(b, format)) for b in possible):
            return False
        after = {_bands_after(step, b) for b in possible}
        possible = after if certain else possible | after
        if step.transform in _CONVERT:
            format = "float"
    return True


def _bands_after(step: Step, bands: int) -> int:
    if step.transform == "RandomBrightnessContrast":
        return min(bands, 3)  # it drops an alpha band (D13)
    if bands == 1:
        noise = step.transform == "GaussNoise" and step.get("per_channel", True)  # D10
        lists = (v for v in (step.get("mean"), step.get("std")) if isinstance(v, tuple))
        if noise or step.transform == "HueSaturationValue":  # D14
            return 3
        return max((len(v) for v in lists), default=1) if step.transform == "Normalize" else 1
    return bands


def _facts(bands: int, format: str) -> ImageFacts:
    """An image that only its bands and format can make unfit."""
    header = Header(_PROBED_SIDE, _PROBED_SIDE, bands, format, "srgb" if bands >= 3 else "b-w")
    return ImageFacts("", "", header, 1, 1, ((_PROBED_SIDE, _PROBED_SIDE),), 1, None, False, None, None, 0, "")


def _flow(items: tuple[Item, ...], certain: bool = True) -> Iterator[tuple[Step, bool]]:
    """The steps in an order that covers every draw, each with whether it is applied in every draw."""
    for item in items:
        if isinstance(item, Step):
            p = catalog.TRANSFORMS[item.transform].default_p if item.p is None else item.p
            always = item.get("always_apply", item.transform == "ToTensor")
            yield item, certain and bool(p >= 1 or always)
        elif item.group == "Sequential":
            yield from _flow(item.steps, certain)  # the library ignores its p (D51)
        else:
            # Drawn in any order and several times; more rounds would not reach another size.
            for _ in range(min(item.n or 1, 2 * len(item.steps))):
                yield from _flow(item.steps, False)


def _either(a: Side, b: Side) -> Side:
    return min(a[0], b[0]), max(a[1], b[1])


def _after(step: Step, width: Side, height: Side) -> tuple[Side, Side]:
    """The sides after `step` was applied; `ANY_SIDE` where arithmetic does not tell."""
    args = catalog.resolved_args(step)
    name = step.transform
    if name in ("Resize", "CropOrPad", "CenterCrop"):
        return _exactly(args["width"]), _exactly(args["height"])
    if name == "Crop":
        return _between(args["x_min"], args["x_max"]), _between(args["y_min"], args["y_max"])
    if name == "RandomCrop":  # smaller than asked where the image is (D29)
        return _at_most(width, args["width"]), _at_most(height, args["height"])
    if name == "PadIfNeeded":
        return _padded(width, args, "width"), _padded(height, args, "height")
    if name in ("LongestMaxSize", "SmallestMaxSize"):
        side = _resized(name, args["max_size"])
        return side, side
    if name in ("Transpose", "RandomRotate90"):
        return _either(width, height), _either(width, height)
    if not catalog.TRANSFORMS[name].changes_size or (name == "Affine" and not args["fit_output"]):
        return width, height
    return ANY_SIDE, ANY_SIDE


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _exactly(value: Any) -> Side:
    return (value, value) if _is_int(value) and value > 0 else ANY_SIDE


def _between(low: Any, high: Any) -> Side:
    return _exactly(high - low) if _is_int(low) and _is_int(high) else ANY_SIDE


def _at_most(side: Side, limit: Any) -> Side:
    return (min(side[0], limit), min(side[1], limit)) if _is_int(limit) else ANY_SIDE


def _padded(side: Side, args: Mapping[str, Any], axis: str) -> Side:
    least = args[f"min_{axis}"]
    return (max(side[0], least), max(side[1], least)) if _is_int(least) else ANY_SIDE


def _resized(name: str, max_size: Any) -> Side:
    sizes = max_size if isinstance(max_size, tuple) else (max_size,)
    if not sizes or not all(_is_int(s) for s in sizes):
        return ANY_SIDE
    return (1, max(sizes)) if name == "LongestMaxSize" else (min(sizes), inf)
