"""Rules about sizes: results that cannot be stacked or that a stride does not divide, and shrinking that comes late."""

from __future__ import annotations

from collections.abc import Iterator

from augviz import catalog, edits
from augviz.advice import flow
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, probability
from augviz.advice.changes import inserted_before, live_steps, new_step
from augviz.advice.flow import Shapes
from augviz.advice.sizing import VERBS, can_resize, sized, sizers
from augviz.checks import white
from augviz.model import Group, Item, Pipeline, Step
from augviz.units import seconds_text

ASSUMED_SIDE = 512
"""Side in pixels of the results that a fix makes where no image tells a size."""

_RESIZES = ("Resize", "LongestMaxSize", "SmallestMaxSize")


# Results of different sizes


def size_varies(case: Case) -> Iterator[Hit]:
    """Results of several sizes cannot be stacked, so a DataLoader raises at the first batch of more than one."""
    through = flow.of(case)
    if _is_varied(through.result):
        culprit = _culprit(case.pipeline, through)
        names = ", ".join(dict.fromkeys(sizers(culprit)))
        message = (
            f"{names} can give results of another size at each draw: they cannot be stacked to a batch, so a DataLoader "
            "with batch_size above 1 raises."
        )
        yield Hit(message, _sizes_evidence(case, through.result), culprit.id, _one_size(case, culprit))
        return
    yield from _large_crops(case, through)


def _is_varied(shapes: Shapes) -> bool:
    return len({(s.width, s.height) for s in shapes}) > 1 or not all(s.is_exact for s in shapes)


def _culprit(pipeline: Pipeline, through: flow.Flow) -> Item:
    """The last top-level item that makes several sizes of one; what follows it has not made them one again."""
    items = [item for item in pipeline.steps if item.enabled and any(True for _ in live_steps(item))]
    after = [through.reaching(item.id) for item in items[1:]] + [through.result]
    for item, shapes in zip(reversed(items), reversed(after), strict=True):
        if _is_varied(shapes) and not _is_varied(through.reaching(item.id)):
            return item
    return next(item for item in items if sizers(item))  # only where ids are not unique


def _sizes_evidence(case: Case, shapes: Shapes) -> str:
    """The sizes of the draws that were made, else the span that arithmetic gives."""
    drawn = list(dict.fromkeys((draw.result.width, draw.result.height) for draw in case.all_draws()))
    if len(drawn) > 1:
        widths, heights = zip(*drawn, strict=True)
        shown = ", ".join(f"{w} x {h}" for w, h in drawn[:3])
        return (
            f"{len(case.all_draws())} draws for this image gave {len(drawn)} sizes ({shown}{' ...' if len(drawn) > 3 else ''}): "
            f"widths from {min(widths)} to {max(widths)} px, heights from {min(heights)} to {max(heights)}."
        )
    low = min(s.width[0] for s in shapes), min(s.height[0] for s in shapes)
    high = max(s.width[1] for s in shapes), max(s.height[1] for s in shapes)
    source = case.source()
    if not source.width:
        side = flow.NOMINAL_SIDES[0]
        return f"An image of {side} x {side} px would give {low[0]} x {low[1]} up to {high[0]} x {high[1]} px."
    return (
        f"From {source.width} x {source.height} px it can be anything within {low[0]} x {low[1]} and "
        f"{high[0]} x {high[1]} px."
    )


def _large_crops(case: Case, through: flow.Flow) -> Iterator[Hit]:
    """A RandomCrop that is larger than the image gives what the image has, so images of other sizes give other sizes."""
    if not case.source().width:
        return
    for step in case.steps():
        if step.transform != "RandomCrop" or case.chance(step) <= 0:
            continue
        args = catalog.resolved_args(step)
        width, height = args["width"], args["height"]
        got = flow.one_size(through.reaching(step.id))
        if got is None or (got[0] >= width and got[1] >= height):
            continue
        message = (
            f"RandomCrop asks for {width} x {height} px and silently gives less where the image is smaller (D29): results for "
            "images of different sizes cannot be stacked to a batch."
        )
        evidence = f"It gets {got[0]} x {got[1]} px and gives {min(width, got[0])} x {min(height, got[1])}."
        pad = new_step(
            case.pipeline,
            "PadIfNeeded",
            min_height=height,
            min_width=width,
            value=white(case.seen(step)),
        )
        group = edits.parent(case.pipeline, step.id)
        in_turn = group is None or group.group == "Sequential"  # elsewhere it would be one more to choose from
        fix = Fix("Pad before it", inserted_before(case.pipeline, pad, step.id)) if in_turn else None
        yield Hit(message, evidence, step.id, fix)


# One size for all


def _target(case: Case) -> tuple[int, int]:
    """(width, height) that results should have: the image's before sizes part, a multiple of the stride.

    Where only turns or a few sizes are drawn, what all of them have, so that nothing has to be filled.
    """
    source = case.source()
    width, height = (source.width, source.height) if source.width else (ASSUMED_SIDE, ASSUMED_SIDE)
    through = flow.of(case)
    for item in case.pipeline.steps if source.width else ():
        before = through.reaching(item.id)
        if _is_varied(before):
            break
        width, height = flow.one_size(before) or (width, height)
    if source.width and all(shape.is_exact for shape in through.result):
        width = min(shape.width[0] for shape in through.result)
        height = min(shape.height[0] for shape in through.result)
    if case.stride is not None:
        width, height = (max(case.stride, side // case.stride * case.stride) for side in (width, height))
    return width, height


def _one_size(case: Case, culprit: Item) -> Fix | None:
    """CropOrPad before the conversions that end the pipeline; padding and cropping where that does not work (D21)."""
    width, height = _target(case)
    fixed = sized(case, width, height)
    if fixed is None:
        return None
    pipeline, name = fixed
    verb = VERBS.get(name, name)
    return Fix(f"{verb} to {width} x {height}", pipeline)


# Stride


def off_stride(case: Case) -> Iterator[Hit]:
    """Sides that are no multiple of what the network asks for."""
    if not case.stride or case.stride <= 1:
        return
    size = flow.certain_size(case)
    if size is None or not any(side % case.stride for side in size):
        return
    width, height = (max(case.stride, side // case.stride * case.stride) for side in size)
    sizing = [step for step in case.steps() if can_resize(step) and case.chance(step) > 0]
    message = f"Results are no multiple of the stride of {case.stride} px in {_sides_off(size, case.stride)}."
    evidence = (
        f"They have {size[0]} x {size[1]} px, {size[0] % case.stride} and {size[1] % case.stride} px more than a multiple; "
        f"{width} x {height} is the next below."
    )
    fixed = sized(case, width, height)
    fix = None if fixed is None else Fix(f"Make it {width} x {height}", fixed[0])
    yield Hit(message, evidence, sizing[-1].id if sizing else None, fix)


def _sides_off(size: tuple[int, int], stride: int) -> str:
    off = [name for name, side in zip(("width", "height"), size, strict=True) if side % stride]
    return " and ".join(off)


# Late shrinking


def shrink_late(case: Case) -> Iterator[Hit]:
    """Steps before a resize work every pixel of the large image; libvips computes only what a crop keeps, so crops are free."""
    top = [item for item in case.pipeline.steps if item.enabled]
    through = flow.of(case)
    if not case.source().width:
        return
    for number, item in enumerate(top):
        if not isinstance(item, Step) or probability(item) < 1 or item.transform not in (*_RESIZES, *catalog.CROPS):
            continue
        before = flow.one_size(through.reaching(item.id))
        after = flow.one_size(through.reaching(top[number + 1].id) if number + 1 < len(top) else through.result)
        is_resize = item.transform in _RESIZES
        movable = _movable(case, top[:number], is_resize)
        if before is None or after is None or not movable or after[0] * after[1] * 2 > before[0] * before[1]:
            continue
        yield _late_hit(case, item, movable, before, after, is_resize)
        return


def _movable(case: Case, items: list[Item], is_resize: bool) -> list[Step]:
    """The top-level steps right before a resize or crop that would work fewer pixels behind it."""
    found: list[Step] = []
    for item in reversed(items):
        if isinstance(item, Group) or can_resize(item) or item.transform in ("ToTensor", "NoOp"):
            break
        if is_resize or _reads_all(item):
            found.append(item)
    return [step for step in reversed(found) if case.chance(step) > 0]


def _reads_all(step: Step) -> bool:
    """Whether a step reads its whole input when it is called, whatever is asked of the result."""
    return step.transform == "RandomBrightnessContrast" and step.get("brightness_by_max") is False


def _late_hit(
    case: Case, item: Step, movable: list[Step], before: tuple[int, int], after: tuple[int, int], is_resize: bool
) -> Hit:
    megapixels = [width * height / 1e6 for width, height in (before, after)]
    names = ", ".join(dict.fromkeys(step.transform for step in movable))
    costs = sum((case.cost(step.transform) or 0.0) * case.chance(step) for step in movable)
    late, early = (seconds_text(costs * mp / 1000) for mp in megapixels)
    why = "works on every pixel of the large image" if is_resize else "reads the whole image for its mean"
    what = "shrinks" if is_resize else "cuts"
    message = f"{item.transform} {what} the image only after {names}, which {why}: {what[:-1]} first."
    evidence = (
        f"{megapixels[0]:.3g} MP are worked where {megapixels[1]:.3g} MP would do: {late} of CPU time per image "
        f"instead of {early}, on average."
    )
    if is_resize and any(param.scales for step in movable for param in catalog.transform(step.transform).params):
        evidence += " Lengths in pixels then act on the small image: make kernels smaller to match."
    fixed = edits.move_before(case.pipeline, item.id, movable[0].id)
    return Hit(message, evidence, item.id, Fix(f"Put {item.transform} first", fixed))


RULES: tuple[Rule, ...] = (
    Rule(
        "output-size-varies",
        Severity.WARNING,
        "Results differ in size from draw to draw (Rotate grows the canvas, RandomScale, turns of an image that is not square "
        "...) and nothing later fixes the size; or a RandomCrop is larger than the image. Without an image a square one is "
        "assumed. A warning and no error: a DataLoader raises for batches of more than one, and very large images come one "
        "by one.",
        size_varies,
    ),
    Rule(
        "off-stride",
        Severity.WARNING,
        "The size of the results is certain and no multiple of the stride that was asked for (`--stride`).",
        off_stride,
    ),
    Rule(
        "shrink-late",
        Severity.WARNING,
        "A certain resize to half the pixels or less follows steps that work on every pixel before it; or a crop follows a "
        "RandomBrightnessContrast that reads the whole image for its mean. Other steps before a crop are spared: libvips "
        "computes only the pixels that are kept (HEDShift on 4096 x 4096 px before a crop to 512 x 512 took 39 ms, behind it "
        "38 ms, without it 1.7 s).",
        shrink_late,
    ),
)
"""Rules of this module, the worst first."""
