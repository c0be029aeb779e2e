"""One draw as Python text: plain library code that makes the shown result again, at full size and bit for bit.

Text only: nothing is imported or run, and nothing in the text names augviz's modules. The seeding is that of
`docs/pipeline-format.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from augviz import batches, dataset_text, export
from augviz.errors import ArgumentError
from augviz.model import Draw, DrawnLeaf, Group, Header, ImageFacts, Item, Pipeline
from augviz.pytext import LINE_LENGTH, Brackets, list_of, literal, statement

_NOISE = '''\
def seeded_noise(width, height, **options):
    """libvips seeds its noise itself; with a seed from `random` it belongs to the draw."""
    seed = random.getrandbits(31)
    return pyvips.Operation.call("gaussnoise", width, height, seed=seed, **options)
'''

_TAKE_NOISE = "pyvips.Image.gaussnoise = staticmethod(seeded_noise)\n"

_LOOP = """\
for id, item in steps:
    random.seed(f"{seed}:{id}")  # each item draws from a stream of its own
    image = item(image=image)["image"]
result = image
"""

_SHOWN_ITEMS = 4
"""Longer lists of drawn values are told by their length."""


def draw(pipeline: Pipeline, draw_or_seed: Draw | int, image_name: str, facts: ImageFacts | None = None) -> str:
    """A script whose `result` is what the draw makes of the image at full size, noise included.

    Args:
        pipeline: what was drawn. Disabled items are left out; the others keep their ids, and with them their streams.
        draw_or_seed: the draw, whose values then stand beside the steps, or only its seed.
        image_name: the image file as the script opens it.
        facts: the image, whose shape is then told: the same draw of another size may differ.

    Raises:
        ArgumentError: the draw is not one of this pipeline.
        PipelineError: a transform, group or argument is not in the catalogue.
    """
    drawn = draw_or_seed if isinstance(draw_or_seed, Draw) else None
    seed = drawn.seed if drawn is not None else draw_or_seed
    library = "import albumentationsxl as A\n" if batches.enabled(pipeline.steps) else ""
    parts = [f"{export.REQUIREMENTS}\nimport random\n\n{library}import pyvips\n"]
    noisy = bool(dataset_text.unseeded(pipeline))
    if pipeline.input.level:
        parts.append(f"\n\n{dataset_text.OPEN_LEVEL}\n")
    if noisy:
        parts.append(f"\n\n{_NOISE}")
    name = literal(image_name)
    shape = drawn.source if drawn is not None else facts.header if facts is not None else None
    opening = [*([f"# Drawn for {_shape(shape)}."] if shape is not None else []), f"seed = {seed}"]
    opening += dataset_text.opening(pipeline.input, str(name), str(name))
    parts.append(("\n\n" if len(parts) > 1 else "\n") + "".join(f"{line}\n" for line in opening))
    parts.append("\n" + _steps(pipeline, drawn))
    parts.append("\n" + (_TAKE_NOISE if noisy else "") + _LOOP + _ending(pipeline, drawn, f"draw_{seed}"))
    return "".join(parts)


def leaf_text(leaf: DrawnLeaf, *, max_length: int | None = None) -> str:
    """`Rotate: angle 23.4`, or `Rotate: skipped`; cut where it is longer than `max_length` characters."""
    told = values_text(leaf.values) if leaf.applied else "skipped" if leaf.enabled else "off"
    text = f"{leaf.transform}: {told}"
    return text if max_length is None or len(text) <= max_length else text[: max_length - 4].rstrip(" ,;") + " ..."


def values_text(values: Mapping[str, Any]) -> str:
    """Drawn values in a line, numbers with four significant digits and long lists by their length."""
    if set(values) == {"times", "each"}:
        return f"{values['times']} times: " + "; ".join(values_text(each) for each in values["each"])
    told = (_noise(value) if name == "noise" else f"{name} {_value(value)}" for name, value in values.items())
    return ", ".join(told) or "nothing to draw"


def _noise(images: list[dict[str, Any]]) -> str:
    """The noise images of a step: what they have in common, then their seeds."""
    kinds = sorted({(image["sigma"], image["mean"]) for image in images})
    words = " and ".join(f"sigma {_value(sigma)} mean {_value(mean)}" for sigma, mean in kinds)
    return f"noise {words} seed {', '.join(str(image['seed']) for image in images)}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], list | tuple):
            return f"({len(value)} x {len(value[0])} values)"
        if len(value) > _SHOWN_ITEMS:
            return f"({len(value)} values)"
        return "(" + ", ".join(_value(v) for v in value) + ")"
    if isinstance(value, Mapping) and set(value) == {"kernel", "scale"}:
        return f"{_value(value['kernel'])[:-1]}, scale {_value(value['scale'])})"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_value(v)}" for name, v in value.items()) + ")"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


def _steps(pipeline: Pipeline, drawn: Draw | None) -> str:
    """The statement that sets `steps`, with what each has drawn above it."""
    items = batches.enabled(pipeline.steps)
    pairs = (Brackets("(", (("", literal(item.id)), ("", export.item_node(item))), ")") for item in items)
    lines = statement("steps = ", list_of(pairs)).splitlines(keepends=True)
    if drawn is None:
        return "".join(lines)
    remarks = iter(_remarks(pipeline, drawn))
    written = []
    for line in lines:
        if line.startswith("    ("):  # a pair begins; all that is inside of one stands further to the right
            written += [f"    # {remark}\n" for remark in next(remarks)]
        written.append(line)
    return "".join(written)


def _remarks(pipeline: Pipeline, drawn: Draw) -> list[list[str]]:
    """For each top-level item that is written, lines that tell what it drew."""
    steps = tuple(pipeline.leaves())
    if [(step.id, step.transform) for step in steps] != [(leaf.id, leaf.transform) for leaf in drawn.leaves]:
        raise ArgumentError("The draw is not one of this pipeline: their steps differ.")
    leaves = iter(drawn.leaves)
    told = [(_told(item, leaves), item.enabled) for item in pipeline.steps]
    return [lines for lines, enabled in told if enabled and lines]


def _told(item: Item, leaves: Iterator[DrawnLeaf], indent: str = "") -> list[str]:
    """Lines about the enabled leaves of `item`, taken from `leaves` with the disabled ones; none if nothing is left."""
    if isinstance(item, Group):
        lines = [line for member in item.steps for line in _told(member, leaves, indent + "  ")]
        return [f"{indent}{item.group}", *lines] if lines else []
    leaf = next(leaves)
    room = max(40, LINE_LENGTH - len(f"    # {indent}"))
    return [indent + leaf_text(leaf, max_length=room)] if leaf.enabled else []


def _ending(pipeline: Pipeline, drawn: Draw | None, name: str) -> str:
    """Remarks on what `result` is and how it is saved."""
    if drawn is not None:
        tensor, shape = drawn.tensor, f"{_shape(drawn.result)}: "
    else:
        last = batches.enabled(pipeline.steps)[-1:]
        tensor, shape = any(not isinstance(item, Group) and item.transform == "ToTensor" for item in last), ""
    if tensor:
        return f"# {shape}a tensor of (bands, height, width)\n# torch.save(result, {literal(f'{name}.pt')})\n"
    saving = f"result.write_to_file({literal(f'{name}.tif')}, tile=True, bigtiff=True)"
    return f"# {shape}an image whose pixels are made when they are asked for\n# {saving}\n# result.numpy()\n"


def _shape(header: Header) -> str:
    return f"{header.width} x {header.height} pixels, {header.bands} band{'s' * (header.bands != 1)}, {header.format}"
