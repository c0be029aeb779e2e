"""The frozen values that every part of augviz exchanges. No Streamlit, no pyvips, no albumentationsxl here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from augviz.errors import PipelineError


@dataclass(frozen=True, slots=True)
class XY:
    """A value for each axis, as Affine takes it: `{"x": ..., "y": ...}`. None is an axis that was not given."""

    x: Value = None
    y: Value = None


Value = None | bool | int | float | str | tuple["Value", ...] | XY
"""What an argument can hold: JSON's values with tuples for lists, and `XY` for `{"x", "y"}`. Hashable."""


class _Required:
    """Marks a parameter that the library gives no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


class ParamKind(Enum):
    """What a parameter is; decides its widget, its Hypothesis strategy, its validation and its Python text."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    CHOICE = "choice"  # one of `choices`, a string
    INTERPOLATE = "interpolate"  # a pyvips.Interpolate, held by its name
    RANGE = "range"  # pair of floats, low and high
    INT_RANGE = "int range"  # pair of ints
    ODD_RANGE = "odd range"  # pair of odd ints: kernel sizes
    COLOUR = "colour"  # a number, or one number for each band
    NUMBERS = "numbers"  # a number, or one number for each band, without a meaning as a colour (mean, std)
    SIZE = "size"  # an int in pixels, or a float as a fraction of the side
    XY_RANGE = "xy range"  # number, pair, or XY of pairs
    INTS = "ints"  # an int, or a tuple of ints to choose from


class Side(Enum):
    """Which side of the full-size image bounds a parameter."""

    WIDTH = "width"
    HEIGHT = "height"
    SHORTER = "shorter"
    LONGER = "longer"


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One constructor parameter of a transform.

    Attributes:
        name: the library's keyword.
        kind: see `ParamKind`.
        default: the library's default in augviz's value types, or `REQUIRED`.
        start: what the editor begins with; differs from `default` only where the default does not work.
        min_value, max_value: bounds within which the installed library works, in `unit`; None is unbounded. They steer
            widgets and generated tests; saved pipelines may hold values outside them.
        step: increment of the widget, in `unit`.
        choices: the allowed strings of CHOICE and INTERPOLATE.
        unit: px, fraction, degrees, levels, factor, probability, stain units ... "" where there is none.
        help: one sentence.
        optional: whether None is a value.
        bounded_by: the side of the full-size image that replaces `max_value`.
        scales: whether the value is a length in full-size pixels.
    """

    name: str
    kind: ParamKind
    default: Any
    help: str
    start: Value = None
    min_value: float | int | None = None
    max_value: float | int | None = None
    step: float | int | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    optional: bool = False
    bounded_by: Side | None = None
    scales: bool = False

    @property
    def initial(self) -> Value:
        """The value the editor begins with: `start` if it is set, else the library's default."""
        if self.start is not None or self.default is REQUIRED:
            return self.start
        value: Value = self.default
        return value


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something of the installed library that a user must know.

    Attributes:
        defect: number in the catalogue of defects, "D9"; "" for a plain remark.
        text: one sentence in words.
        workaround: one sentence, "" where there is none.
    """

    defect: str
    text: str
    workaround: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """An invalid combination of arguments: why, and the arguments that would mend it (only those to change)."""

    message: str
    fix: tuple[tuple[str, Value], ...] = ()


class Truth(Enum):
    """How true a view is. Ordered by `rank`: a pipeline's view is as true as its least true applied step."""

    EXACT = "exact"
    TO_SCALE = "to scale"
    STATISTICAL = "statistical"
    NOT_TO_SCALE = "not to scale"

    @property
    def rank(self) -> int:
        return list(Truth).index(self)


Check = Callable[[Mapping[str, Any], "ImageFacts | None"], "Problem | None"]
"""A cross-field rule: full arguments (defaults filled in) and the image's facts if known -> a problem or None."""


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """One public transform of albumentationsxl.

    Attributes:
        family: one of `catalog.FAMILIES`.
        help: one line on what it does.
        default_p: the library's default probability.
        targets: the targets that really work through `A.Compose`, out of image, mask, bboxes, keypoints.
        truth: what a preview below scale 1 can at best be.
        cost_ms_per_megapixel: CPU milliseconds per input megapixel, as measured in the facts; None is unknown.
        lazy: whether the library evaluates no pixels when called.
        changes_size: whether the result's size can differ from the input's.
        unusable: why it cannot be used at all, "" if it can.
    """

    name: str
    family: str
    help: str
    params: tuple[ParamSpec, ...] = ()
    default_p: float = 0.5
    targets: tuple[str, ...] = ("image",)
    caveats: tuple[Caveat, ...] = ()
    checks: tuple[Check, ...] = ()
    truth: Truth = Truth.TO_SCALE
    cost_ms_per_megapixel: float | None = None
    lazy: bool = True
    changes_size: bool = False
    unusable: str = ""

    def param(self, name: str) -> ParamSpec:
        """The parameter called `name`. Raises PipelineError if the transform has none."""
        for spec in self.params:
            if spec.name == name:
                return spec
        known = ", ".join(p.name for p in self.params) or "none"
        raise PipelineError(f"{self.name}: there is no argument {name!r}; it has {known}.")


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One composition that can stand inside a pipeline: OneOf, SomeOf, OneOrOther, Sequential."""

    name: str
    help: str
    default_p: float
    min_steps: int = 1
    max_steps: int | None = None
    has_n: bool = False
    caveats: tuple[Caveat, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A transform with its arguments and its probability.

    Attributes:
        id: names the step's random stream at the top level; see `docs/pipeline-format.md`.
        args: only what was given, sorted by name; everything else is at the library's default.
        p: None is the library's default for the class.
    """

    id: str
    transform: str
    args: tuple[tuple[str, Value], ...] = ()
    p: float | None = None
    enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", tuple(sorted(self.args)))

    def get(self, name: str, default: Any = None) -> Any:
        """The argument that was given, else `default`."""
        return dict(self.args).get(name, default)

    def with_args(self, **changes: Value) -> Step:
        """The same step with some arguments replaced or added."""
        return replace(self, args=tuple({**dict(self.args), **changes}.items()))

    def without_args(self, *names: str) -> Step:
        """The same step with some arguments back at the library's default."""
        return replace(self, args=tuple((k, v) for k, v in self.args if k not in names))


@dataclass(frozen=True, slots=True)
class Group:
    """A composition inside a pipeline. `n` and `replace` are SomeOf's; None elsewhere, and where not given."""

    id: str
    group: str
    steps: tuple[Item, ...] = ()
    p: float | None = None
    n: int | None = None
    replace: bool | None = None
    enabled: bool = True


Item = Step | Group


@dataclass(frozen=True, slots=True)
class InputChoice:
    """What a pipeline is fed if not exactly what `pyvips.Image.new_from_file(path)` gives.

    Attributes:
        page: page of a multi-page file; None is the library's first.
        level: pyramid level, 0 is full size; None is full size.
        upright: turn the image as its EXIF orientation says.
        bands: keep only the first `bands` bands.
        as_8_bit: map 16 bit and float values to 8 bit by libvips' colourspace conversion.
    """

    page: int | None = None
    level: int | None = None
    upright: bool = False
    bands: int | None = None
    as_8_bit: bool = False

    @property
    def is_plain(self) -> bool:
        return self == InputChoice()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps and groups in order, as `A.Compose` takes them."""

    steps: tuple[Item, ...] = ()
    input: InputChoice = field(default_factory=InputChoice)

    def leaves(self) -> Iterator[Step]:
        """Every step, in the order written, those inside groups and disabled ones included."""

        def walk(items: tuple[Item, ...]) -> Iterator[Step]:
            for item in items:
                if isinstance(item, Group):
                    yield from walk(item.steps)
                else:
                    yield item

        return walk(self.steps)


@dataclass(frozen=True, slots=True)
class Header:
    """Shape of an image: width and height in pixels, bands, libvips format ("uchar", "float" ...)."""

    width: int
    height: int
    bands: int
    format: str
    interpretation: str = "multiband"


QUALITIES = ("quick", "fine", "precise")
"""Of views, from the quickest to the truest; see `view.supersampling`."""

MAX_DRAWS = 16
"""Draws that are shown beside each other, in the grid and on a contact sheet."""

BYTES_PER_VALUE = {
    "uchar": 1,
    "char": 1,
    "ushort": 2,
    "short": 2,
    "uint": 4,
    "int": 4,
    "float": 4,
    "double": 8,
    "complex": 8,
    "dpcomplex": 16,
}
"""Bytes of one value in each libvips format."""

DTYPES = {
    "uchar": "uint8",
    "char": "int8",
    "ushort": "uint16",
    "short": "int16",
    "uint": "uint32",
    "int": "int32",
    "float": "float32",
    "double": "float64",
    "complex": "complex64",
    "dpcomplex": "complex128",
}
"""numpy's name of each libvips format."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file tells, without reading pixels.

    Attributes:
        name: what to call the image on the screen; never a path.
        path: the file on this machine.
        orientation: EXIF orientation, 1 to 8; 1 where the file has none.
        levels: pyramid levels, full size included; 1 where there is no pyramid.
        level_sizes: (width, height) of each level, full size first.
        pages: pages of the file that are not pyramid levels.
        tile: (width, height) of the file's tiles in pixels, None where it has none.
        region_readable: whether a small window can be read without decoding the whole file.
        mpp_x, mpp_y: microns per pixel, None where unknown.
        loader: libvips' loader, "tiffload".
        changes: what has to be changed to show the image on a screen, one sentence each.
    """

    name: str
    path: str
    header: Header
    orientation: int
    levels: int
    level_sizes: tuple[tuple[int, int], ...]
    pages: int
    tile: tuple[int, int] | None
    region_readable: bool
    mpp_x: float | None
    mpp_y: float | None
    file_bytes: int
    loader: str
    changes: tuple[str, ...] = ()

    @property
    def uncompressed_bytes(self) -> int:
        h = self.header
        return h.width * h.height * h.bands * BYTES_PER_VALUE[h.format]


@dataclass(frozen=True, slots=True)
class DrawnLeaf:
    """What one step of a pipeline drew.

    Attributes:
        position: 1-based position among the pipeline's leaves.
        values: drawn values in JSON types; empty where the step was skipped. A step that fired more than once (SomeOf
            with replacement) has {"times": n, "each": [values, ...]}.
        before, after: shape of the image around it (around its last firing), at full size.
    """

    id: str
    transform: str
    position: int
    applied: bool
    enabled: bool
    values: Mapping[str, Any]
    before: Header
    after: Header


@dataclass(frozen=True, slots=True)
class Draw:
    """One random sampling of a pipeline for an image of one size.

    Attributes:
        source: what the pipeline was fed.
        leaves: one entry for each step of the pipeline, in the order written.
        result: shape of the full-size result.
        tensor: whether the result is a tensor, (bands, height, width).
    """

    seed: int
    source: Header
    leaves: tuple[DrawnLeaf, ...]
    result: Header
    tensor: bool
