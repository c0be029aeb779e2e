"""Rules about what a pipeline costs: expensive steps in most images, and normalising where the GPU could."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from augviz import edits
from augviz.advice import amounts, flow
from augviz.advice.case import Case, Fix, Hit, Rule, Severity, probability, weight
from augviz.advice.changes import earlier, end_of_bytes, name_of, without
from augviz.model import Group, Item, Pipeline, Step
from augviz.units import bytes_text, megapixels_text, seconds_text

COSTLY_MS = 100.0
"""CPU milliseconds per megapixel from which a transform is called expensive: elastic, median and noise are."""

OFTEN = 0.5
"""The probability above which an expensive step is said to be applied too often."""

LEAST_SECONDS = 0.05
"""CPU seconds per image, on average, below which no step is called expensive: a GPU does not wait for them."""

RARE = 0.25
"""The probability that the fix gives it."""


def costly_often(case: Case) -> Iterator[Hit]:
    """An expensive step in more than every second image."""
    for step in case.steps():
        chance, cost = case.chance(step), case.cost(step.transform)
        if cost is None or cost < COSTLY_MS or chance <= OFTEN:
            continue
        seconds = amounts.cpu_seconds(case, step)
        assert seconds is not None
        most = _most_megapixels(case, step)
        if most and most * cost / 1000 * chance < LEAST_SECONDS:
            continue
        when = "every image" if chance >= 1 else f"{chance:.0%} of the images"
        message = (
            f"{step.transform} is expensive and applied to {when}: lower its p, so that a GPU has not to wait for it."
        )
        per_epoch = seconds * chance * amounts.EPOCH_IMAGES
        evidence = (
            f"{amounts.cpu_text(case, step)} ({cost:.3g} ms per megapixel): "
            f"{_long(per_epoch)} in an epoch of {amounts.EPOCH_IMAGES:,} images, "
            f"{_long(per_epoch * RARE / chance)} with p={RARE:g}."
        )
        if not most:
            evidence = (
                f"{seconds_text(seconds)} of CPU time for each megapixel: {_long(per_epoch)} for each megapixel in an epoch of "
                f"{amounts.EPOCH_IMAGES:,} images, {_long(per_epoch * RARE / chance)} with p={RARE:g}."
            )
        yield Hit(message, evidence, step.id, _rarer(case, step))


def _most_megapixels(case: Case, step: Step) -> float:
    """The most that a step gets in any draw, in megapixels, so that no draw silences the rule; 0 where it is unknown."""
    return amounts.megapixels(replace(case, draw=None, draws=()), step)


def _long(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h" if seconds >= 7200 else seconds_text(seconds)


def _rarer(case: Case, step: Step) -> Fix | None:
    """The step, or a group around it, with a p that makes it rare; None where no p of one of them does."""
    candidates: list[Item] = [step, *_around(case.pipeline, step)]
    for item in candidates:
        for p in (RARE, 1 - RARE, round(weight(item) * RARE / case.chance(step), 3)):
            changed: Item = replace(item, p=p)
            if isinstance(changed, Step):
                changed = changed.without_args("always_apply")
            fixed = edits.put(case.pipeline, changed)
            if replace(case, pipeline=fixed).chance(step) <= OFTEN:
                return Fix(f"Set {'its p' if item is step else f'the p of {name_of(item)}'} to {p:g}", fixed)
    return None


def _around(pipeline: Pipeline, step: Step) -> Iterator[Group]:
    """The groups around a step, from the innermost."""
    group = edits.parent(pipeline, step.id)
    while group is not None:
        yield group
        group = edits.parent(pipeline, group.id)


def normalize_on_gpu(case: Case) -> Iterator[Hit]:
    """A pipeline that ends in float32 hands four times the bytes of uint8 to the GPU, which could normalise them itself."""
    if "uchar" not in {case.source().format, *_formats(case)}:
        return
    end = end_of_bytes(case.pipeline)
    conversions = [
        item
        for item in case.pipeline.steps[end:]
        if isinstance(item, Step)
        and item.enabled
        and item.transform in ("Normalize", "ToDtype")
        and probability(item) > 0
    ]
    if any(earlier(case, item, "ToTensor") for item in conversions):
        return  # it raises, which is another rule's
    before = flow.through(replace(case.pipeline, steps=case.pipeline.steps[:end]), flow.known_source(case)).result
    result = flow.of(case).result
    if not conversions or any(s.format != "uchar" for s in before) or any(s.format == "uchar" for s in result):
        return
    pipeline = case.pipeline
    for item in conversions:
        pipeline = without(pipeline, item.id)
    names = " and ".join(dict.fromkeys(item.transform for item in reversed(conversions)))
    header = amounts.result_header(case)
    small, large = amounts.byte_texts(header)
    batch = amounts.byte_texts(header, amounts.BATCH)
    what = megapixels_text(header.width, header.height) if header else "each megapixel of RGB"
    shape = header.width * header.height * header.bands if header else 3_000_000
    message = (
        f"{names} can be left to the GPU: the tensor then stays uint8 until it is there, with a quarter of the bytes."
    )
    evidence = (
        f"{large} as float32 and {small} as uint8 for {what}; {batch[0]} instead of {batch[1]} for a batch of {amounts.BATCH}, "
        f"{bytes_text(3 * shape * amounts.BATCH)} less to hold and to send."
    )
    yield Hit(message, evidence, conversions[-1].id, Fix(f"Stay uint8: remove {names}", pipeline))


def _formats(case: Case) -> set[str]:
    return {shape.format for shapes in flow.of(case).before.values() for shape in shapes}


RULES: tuple[Rule, ...] = (
    Rule(
        "costly-often",
        Severity.WARNING,
        f"A transform of {COSTLY_MS:g} ms of CPU time per megapixel and more (ElasticTransform, MedianBlur, GaussNoise) is "
        f"applied to more than {OFTEN:.0%} of the images. Spared where the size that it gets is known and so small that it takes "
        f"less than {LEAST_SECONDS * 1000:g} ms per image on average.",
        costly_often,
    ),
    Rule(
        "normalize-on-gpu",
        Severity.NOTE,
        "The pipeline is uint8 until Normalize or ToDtype ends it in float32: the GPU can do the same to a quarter of the bytes.",
        normalize_on_gpu,
    ),
)
"""Rules of this module, the worst first."""
