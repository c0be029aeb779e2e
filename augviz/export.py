"""A pipeline as Python text: the `A.Compose` expression with its imports, and a PyTorch data set around it.

Text only: nothing is imported or run, and nothing in the text names augviz's modules.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from augviz import batches, catalog, dataset_text
from augviz.checks import PAIR_KINDS
from augviz.model import XY, Group, ImageFacts, InputChoice, Item, ParamKind, ParamSpec, Pipeline, Step, Value
from augviz.pytext import Brackets, Node, list_of, literal, statement

REQUIREMENTS = """\
# Made with augviz. What it needs:
#     pip install "albumentationsxl==0.1.2" "pyvips<3" pyvips-binary numpy scikit-image
#     pip install torch opencv-python-headless typing_extensions
# (albumentationsxl 0.1.2 imports the packages of the second line without declaring them)
"""

_LISTS = frozenset({ParamKind.NUMBERS, ParamKind.COLOUR, ParamKind.INTS})
"""Kinds whose sequences must be lists; Normalize refuses tuples (D15)."""

_ANY_NUMBER = frozenset({ParamKind.FLOAT, ParamKind.RANGE, ParamKind.XY_RANGE, ParamKind.COLOUR, ParamKind.NUMBERS})
"""Kinds for which 1 and 1.0 mean the same; for the others the type decides (CoarseDropout: pixels or a fraction)."""


def compose(pipeline: Pipeline, remarks: Sequence[str] = ()) -> str:
    """A module whose `transform` is the pipeline.

    It imports nothing but what it uses, writes only the arguments that differ from the library's defaults, and leaves
    out what is switched off. The lines are as black writes them.

    Args:
        remarks: paragraphs to say of the pipeline, as comments above it.

    Raises:
        PipelineError: a transform, group or argument is not in the catalogue.
    """
    parts = [REQUIREMENTS]
    if not pipeline.input.is_plain:
        parts.append(f"# Made for images opened with: {input_text(pipeline.input)}.\n")
    parts.append("\n" + "".join(f"{line}\n" for line in imports(pipeline)))
    parts.append("\n" + comments(remarks) + expression(pipeline))
    return "".join(parts)


def comments(remarks: Sequence[str]) -> str:
    """Comment lines of at most 88 characters, one item of a list for each remark; nothing for none.

    Whatever white space a remark has, none of it ends its comment.
    """
    if not remarks:
        return ""
    lines = ["# Advice:"]
    for remark in remarks:
        lines += textwrap.wrap(
            " ".join(remark.split()), 88, initial_indent="# - ", subsequent_indent="#   ", break_on_hyphens=False
        )
    return "".join(f"{line}\n" for line in lines)


def imports(pipeline: Pipeline) -> list[str]:
    """The import statements that `expression` needs, sorted."""
    statements = ["import albumentationsxl as A"]
    if "pyvips." in expression(pipeline):
        statements.append("import pyvips")
    return statements


def expression(pipeline: Pipeline) -> str:
    """The statement `transform = A.Compose([...])`, with a newline at its end."""
    steps = list_of(item_node(item) for item in batches.enabled(pipeline.steps))
    node = Brackets("A.Compose(", (("", steps),), ")")
    return statement("transform = ", node)


def input_text(choice: InputChoice) -> str:
    """What an input choice asks for, in words: "page 2, first 3 bands"."""
    words = []
    if choice.page is not None:
        words.append(f"page {choice.page}")
    if choice.level is not None:
        words.append(f"pyramid level {choice.level}")
    if choice.upright:
        words.append("turned upright")
    if choice.as_8_bit:
        words.append("mapped to 8 bit")
    if choice.bands is not None:
        words.append("first band" if choice.bands == 1 else f"first {choice.bands} bands")
    return ", ".join(words) or "nothing changed"


def dataset(pipeline: Pipeline, facts: ImageFacts | None = None, remarks: Sequence[str] = ()) -> str:
    """A module that draws batches: `transform`, a Dataset, a DataLoader; `python module.py FOLDER` runs it.

    Args:
        facts: the image that the pipeline was made with; its bands are then required of every image.
        remarks: paragraphs to say of the pipeline, as comments above it.

    Raises:
        PipelineError: a transform, group or argument is not in the catalogue.
    """
    transform = comments(remarks) + expression(pipeline)
    return dataset_text.module(
        pipeline, facts, requirements=REQUIREMENTS, imports=imports(pipeline), transform=transform
    )


def item_node(item: Item) -> Node:
    """The expression that builds a step or a group. Raises PipelineError as `compose` does."""
    return _group(item) if isinstance(item, Group) else _step(item)


def _step(step: Step) -> Node:
    spec = catalog.transform(step.transform)
    given = dict(step.args)
    always_apply = given.pop("always_apply", None)
    for name in given:
        spec.param(name)
    arguments: list[tuple[str, Node]] = [
        (f"{param.name}=", _argument(param, given[param.name]))
        for param in spec.params
        if param.name in given and not _is_default(param, given[param.name])
    ]
    if always_apply is not None and always_apply != (step.transform == "ToTensor"):
        arguments.append(("always_apply=", literal(always_apply)))
    if step.p is not None and step.p != spec.default_p:
        arguments.append(("p=", literal(step.p)))
    return Brackets(f"A.{step.transform}(", tuple(arguments), ")")


def _group(group: Group) -> Node:
    spec = catalog.group(group.group)
    members: list[tuple[str, Node]]
    if group.group == "OneOrOther":
        names = ("first=", "second=")
        if len(group.steps) == len(names):
            members = [(name, item_node(member)) for name, member in zip(names, group.steps, strict=True)]
        else:
            # With one of the two switched off the library's class takes a list, and always applies its only member.
            members = [("transforms=", list_of(item_node(member) for member in group.steps))]
    else:
        members = [("", list_of(item_node(member) for member in group.steps))]
    if group.n is not None:
        members.append(("n=", literal(group.n)))
    if group.replace is not None and not group.replace:
        members.append(("replace=", literal(group.replace)))
    if group.p is not None and group.p != spec.default_p:
        members.append(("p=", literal(group.p)))
    return Brackets(f"A.{group.group}(", tuple(members), ")")


def _is_default(param: ParamSpec, value: Value) -> bool:
    """Whether the library does the same without the argument; 90 and (-90, 90) are the same range of an angle."""
    any_number = param.kind in _ANY_NUMBER
    if param.kind in PAIR_KINDS:
        ranges = catalog.pair(param, param.default), catalog.pair(param, value)
        if None not in ranges:
            return _same(*ranges, any_number=any_number)
    return _same(param.default, value, any_number=any_number)


def _same(default: Any, value: Any, *, any_number: bool) -> bool:
    """Equality that keeps True apart from 1, and, unless `any_number`, 1 apart from 1.0."""
    if isinstance(default, tuple) and isinstance(value, tuple):
        return len(default) == len(value) and all(
            _same(d, v, any_number=any_number) for d, v in zip(default, value, strict=True)
        )
    if isinstance(default, XY) and isinstance(value, XY):
        return _same((default.x, default.y), (value.x, value.y), any_number=any_number)
    numbers = (int, float) if any_number else ()
    if type(default) in numbers and type(value) in numbers:
        return bool(default == value)
    return type(default) is type(value) and bool(default == value)


def _argument(param: ParamSpec, value: Value) -> Node:
    if param.kind is ParamKind.INTERPOLATE and isinstance(value, str):
        return f"pyvips.Interpolate.new({literal(value)})"
    if param.kind in _LISTS and isinstance(value, tuple):
        return Brackets("[", tuple(("", literal(v)) for v in value), "]")
    return literal(value)
