"""Hypothesis strategies for steps and pipelines: valid arguments, made from the catalogue's own bounds.

Everything is made for an 8-bit image of a given size and number of bands. Ranges are narrower than the catalogue where
its ends would make large images or slow kernels: these pipelines are drawn and applied by the hundred.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from augviz import catalog
from augviz.model import (
    XY,
    Group,
    Header,
    ImageFacts,
    Item,
    ParamKind,
    ParamSpec,
    Pipeline,
    Step,
    TransformSpec,
    Truth,
    Value,
)

NARROWED: dict[tuple[str, str], tuple[float, float]] = {
    ("Affine", "scale"): (0.5, 2.0),
    ("Affine", "translate_px"): (-100, 100),
    ("Affine", "shear"): (-45, 45),
    ("RandomScale", "scale_limit"): (-0.5, 1.0),
    ("GaussianBlur", "sigma_limit"): (0.0, 8.0),
    ("ElasticTransform", "sigma"): (1.0, 10.0),
    ("ElasticTransform", "alpha"): (-20.0, 20.0),
    ("Blur", "blur_limit"): (3, 15),
    ("MedianBlur", "blur_limit"): (3, 9),
    ("MotionBlur", "blur_limit"): (3, 31),
    ("AdvancedBlur", "blur_limit"): (3, 15),
    ("CoarseDropout", "max_holes"): (1, 30),
    ("CoarseDropout", "min_holes"): (1, 30),
    ("Resize", "height"): (8, 400),
    ("Resize", "width"): (8, 400),
    ("CropOrPad", "height"): (8, 400),
    ("CropOrPad", "width"): (8, 400),
    ("RandomCrop", "height"): (8, 256),
    ("RandomCrop", "width"): (8, 256),
    ("CenterCrop", "height"): (8, 256),
    ("CenterCrop", "width"): (8, 256),
    ("LongestMaxSize", "max_size"): (8, 400),
    ("SmallestMaxSize", "max_size"): (8, 400),
    ("PadIfNeeded", "min_height"): (8, 400),
    ("PadIfNeeded", "min_width"): (8, 400),
    ("PadIfNeeded", "pad_height_divisor"): (1, 100),
    ("PadIfNeeded", "pad_width_divisor"): (1, 100),
}

UNRELIABLE = frozenset({"RandomRotate90", "Lambda"})
"""Transforms that raise with valid arguments: in a quarter of the draws (D5), or always (D3)."""

NEEDS_THE_SIZE = frozenset({"CenterCrop", "Crop", "GridDropout", "CoarseDropout", "MedianBlur"})
"""Transforms whose arguments are valid only for the size that they were made for."""


def facts(width: int = 256, height: int = 256, bands: int = 3, format: str = "uchar") -> ImageFacts:
    """What the catalogue has to know of an image; there is no file."""
    interpretation = "srgb" if bands >= 3 else "b-w"
    shape = Header(width, height, bands, format, interpretation)
    return ImageFacts("sample", "", shape, 1, 1, ((width, height),), 1, None, True, None, None, 0, "pngload")


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of at most three decimals, so that texts stay readable."""
    return st.integers(round(low * 1000), round(high * 1000)).map(lambda n: n / 1000)


def _limits(spec: TransformSpec, param: ParamSpec, image: ImageFacts) -> tuple[Any, Any]:
    low, high = catalog.bounds(param, image)
    low, high = (0 if low is None else low), (255 if high is None else high)
    if (spec.name, param.name) in NARROWED:
        narrow = NARROWED[spec.name, param.name]
        low, high = max(low, narrow[0]), min(high, narrow[1])
    return low, high


def _pairs(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(numbers, numbers).map(lambda p: (min(p), max(p)))


def _numbers(spec: TransformSpec, param: ParamSpec, image: ImageFacts) -> st.SearchStrategy[Any]:
    """One number within the bounds, whole where the library needs it."""
    low, high = _limits(spec, param, image)
    if param.kind is ParamKind.ODD_RANGE:
        return st.integers(low // 2, (high - 1) // 2).map(lambda n: 2 * n + 1)
    whole = (ParamKind.INT, ParamKind.INT_RANGE, ParamKind.INTS, ParamKind.SIZE, ParamKind.COLOUR)
    if param.kind in whole or (param.kind is ParamKind.XY_RANGE and param.unit == "px"):
        return st.integers(int(low), int(high))
    return _floats(low, high)


def _per_band(param: ParamSpec, bands: int) -> st.SearchStrategy[Any]:
    one = st.integers(0, 255) if param.kind is ParamKind.COLOUR else _floats(0.05, 1.0)
    return one | st.tuples(*[one] * bands)


def values(spec: TransformSpec, param: ParamSpec, image: ImageFacts) -> st.SearchStrategy[Any]:
    """Values of one parameter within its bounds."""
    if param.name == "eps":
        return st.none()
    if param.choices:
        return st.sampled_from(param.choices)
    if param.kind is ParamKind.BOOL:
        return st.booleans()
    if param.kind in (ParamKind.COLOUR, ParamKind.NUMBERS):
        return _per_band(param, image.header.bands)
    one = _numbers(spec, param, image)
    if param.kind in (ParamKind.RANGE, ParamKind.INT_RANGE, ParamKind.ODD_RANGE):
        return _pairs(one)
    if param.kind is ParamKind.XY_RANGE:
        return one | _pairs(one) | st.builds(XY, _pairs(one), _pairs(one))
    if param.kind is ParamKind.INTS:
        return one | st.lists(one, min_size=1, max_size=3).map(tuple)
    return one


_PROBABILITIES = st.sampled_from([None, None, 1.0, 0.7, 0.3])


@st.composite
def steps(draw: st.DrawFn, name: str, *, id: str = "a", image: ImageFacts | None = None, lazy: bool = False) -> Step:
    """A step of the transform `name` with valid arguments for `image` (256 x 256 RGB if None)."""
    image = image or facts()
    spec = catalog.transform(name)
    step = catalog.initial_step(name, id, image)
    chosen = draw(st.sets(st.sampled_from(spec.params), max_size=4)) if spec.params else set()
    given: dict[str, Value] = {}
    for param in spec.params:  # not the set's own order, which differs between runs
        if param in chosen and not (lazy and param.name == "brightness_by_max"):
            given[param.name] = draw(values(spec, param, image))
    step = catalog.mended(step.with_args(**given), image)
    if catalog.problems(step, image):
        step = catalog.initial_step(name, id, image)
    return Step(id, name, step.args, draw(_PROBABILITIES))


def names(*, deterministic: bool = False, lazy: bool = False, bands: int = 3) -> tuple[str, ...]:
    """The transforms that can be applied to any 8-bit image of that many bands without raising."""
    image = facts(bands=bands)
    usable = (n for n in catalog.TRANSFORMS if n not in UNRELIABLE)
    fitting = (n for n in usable if not catalog.problems(catalog.initial_step(n, "a", image), image))
    return tuple(
        n
        for n in fitting
        if not (deterministic and catalog.transform(n).truth is Truth.STATISTICAL)
        and not (lazy and not catalog.transform(n).lazy)
    )


def _without_crop(step: Step) -> Step:
    """crop_border is checked for one size only (D25)."""
    return step.without_args("crop_border") if step.transform == "Rotate" else step


@st.composite
def groups(draw: st.DrawFn, members: tuple[str, ...], *, id: str, image: ImageFacts, lazy: bool, depth: int) -> Group:
    """A group of steps that keep the image's size, with at most `depth` levels of groups inside."""
    spec = draw(st.sampled_from(tuple(catalog.GROUPS.values())))
    count = 2 if spec.max_steps == 2 else draw(st.integers(1, 3))
    inside: list[Item] = []
    for i in range(count):
        if depth and draw(st.integers(0, 4)) == 0:
            inside.append(draw(groups(members, id=f"{id}.{i}", image=image, lazy=lazy, depth=depth - 1)))
        else:
            name = draw(st.sampled_from(members))
            inside.append(draw(steps(name, id=f"{id}.{i}", image=image, lazy=lazy)))
    replace = draw(st.sampled_from([None, True, False])) if spec.has_n else None
    n = draw(st.integers(1, count)) if spec.has_n else None
    return Group(id, spec.name, tuple(inside), draw(_PROBABILITIES), n, replace)


@st.composite
def pipelines(
    draw: st.DrawFn,
    min_steps: int = 1,
    max_steps: int = 5,
    *,
    deterministic: bool = False,
    lazy: bool = False,
    groups_too: bool = True,
    enabled_only: bool = False,
    width: int = 256,
    height: int = 256,
    bands: int = 3,
) -> Pipeline:
    """Pipelines that draw and apply without raising on an 8-bit image of the given shape.

    Formats change only at the end (ToDtype, Normalize, ToTensor, in that order), sizes at most twice.

    Args:
        deterministic: leave out the transforms that are statistical (GaussNoise, ElasticTransform).
        lazy: leave out what evaluates pixels when called.
        groups_too: also compositions, nested at most twice.
        enabled_only: no disabled items.
    """
    image = facts(width, height, bands)
    usable = names(deterministic=deterministic, lazy=lazy, bands=bands)
    last = [n for n in ("ToDtype", "Normalize", "ToTensor") if n in usable]
    free = tuple(n for n in usable if n not in last)
    count = draw(st.integers(min_steps, max_steps))
    ending = draw(st.sets(st.sampled_from(last), max_size=count)) if last and draw(st.booleans()) else set()
    items: list[Item] = []
    resized = 0
    for i in range(count - len(ending)):
        id = draw(st.sampled_from([str(i), f"s{i}"]))
        kept = tuple(n for n in free if not catalog.transform(n).changes_size)
        anywhere = tuple(n for n in free if n not in NEEDS_THE_SIZE)
        pool = free if not resized else anywhere
        pool = pool if resized < 2 else tuple(n for n in kept if n in anywhere)
        if groups_too and draw(st.integers(0, 3)) == 0:
            members = tuple(n for n in kept if n in pool)
            items.append(draw(groups(members, id=id, image=image, lazy=lazy, depth=1)))
            continue
        step = draw(steps(draw(st.sampled_from(pool)), id=id, image=image, lazy=lazy))
        items.append(_without_crop(step) if resized else step)
        resized += catalog.transform(step.transform).changes_size
    for name in last:
        if name in ending:
            items.append(draw(steps(name, id=f"e{len(items)}", image=image, lazy=lazy)))
    if not enabled_only and draw(st.integers(0, 4)) == 0:
        off = draw(st.integers(0, len(items) - 1))
        items[off] = _disabled(items[off])
    return Pipeline(tuple(items))


def _disabled(item: Item) -> Item:
    if isinstance(item, Step):
        return Step(item.id, item.transform, item.args, item.p, enabled=False)
    return Group(item.id, item.group, item.steps, item.p, item.n, item.replace, enabled=False)
