"""The figures of findings: megapixels, CPU seconds and bytes that a step works through for the image."""

from __future__ import annotations

from dataclasses import replace

from augviz.advice import arriving, flow
from augviz.advice.case import Case
from augviz.advice.ratios import FLOAT_RATIOS
from augviz.model import BYTES_PER_VALUE, Header, Step
from augviz.units import bytes_text, megapixels_text, seconds_text

EPOCH_IMAGES = 1000
"""Images of an epoch, where a finding tells what one costs."""

BATCH = 4
"""Images of a batch, where a finding tells what one holds."""


def before(case: Case, step: Step) -> Header:
    """Shape of the image as a step gets it: in the draw that is looked at, else the largest that arithmetic gives.

    Width and height are 0 where they are unknown: without an image, unless an earlier step makes one size of any.
    """
    if case.leaf(step) is not None:
        return case.before(step)
    if case.source().width:
        largest = arriving.header(case, step)
        return replace(case.before(step), width=largest.width, height=largest.height)
    width, height = flow.certain_input(case, step.id) or (0, 0)
    return replace(case.before(step), width=width, height=height)


def megapixels(case: Case, step: Step) -> float:
    """Megapixels that a step gets; 0 where they are unknown."""
    header = before(case, step)
    return header.width * header.height / 1e6


def size_of_input(case: Case, step: Step) -> str:
    """`1,074 MP` of what a step gets, `a megapixel` where the size is unknown."""
    header = before(case, step)
    return megapixels_text(header.width, header.height) if header.width else "a megapixel"


def cpu_seconds(case: Case, step: Step, factor: float = 1.0) -> float | None:
    """CPU seconds of one application of a step to this image, to a megapixel of unknown size; None where nobody knows.

    Args:
        factor: how much longer it takes than what was measured on uint8.
    """
    cost = case.cost(step.transform)
    return None if cost is None else cost * (megapixels(case, step) or 1.0) * factor / 1000


def float_ratio(case: Case, transform: str) -> float | None:
    """How many times as long a transform takes on float32 as on uint8: on this machine, else as measured on another."""
    on_bytes, on_floats = case.costs.get(transform), case.float_costs.get(transform)
    return on_floats / on_bytes if on_bytes and on_floats else FLOAT_RATIOS.get(transform)


def cpu_text(case: Case, step: Step) -> str:
    """`2.1 s of CPU time for 16.8 MP`, or what is known of it."""
    seconds = cpu_seconds(case, step)
    size = size_of_input(case, step)
    return f"unknown CPU time for {size}" if seconds is None else f"{seconds_text(seconds)} of CPU time for {size}"


def result_header(case: Case) -> Header | None:
    """Shape of the result in the draw that is looked at, of the image itself without one; None without an image."""
    if case.draw is not None:
        return case.draw.result
    return case.facts.header if case.facts is not None else None


def held_bytes(header: Header, format: str, images: int = 1) -> int:
    """Bytes of so many images of that shape in a libvips format."""
    return header.width * header.height * header.bands * BYTES_PER_VALUE[format] * images


def byte_texts(header: Header | None, images: int = 1) -> tuple[str, str]:
    """What uint8 and float32 hold of so many images of that shape; of a megapixel of 3 bands without one."""
    shape = header or Header(1000, 1000, 3, "uchar")
    return bytes_text(held_bytes(shape, "uchar", images)), bytes_text(held_bytes(shape, "float", images))
