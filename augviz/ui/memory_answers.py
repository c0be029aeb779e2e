"""What Memory says of a plan: the sentence on top and the answers below the bar. Arithmetic and words only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from augviz import memory
from augviz.machine import GPUS, MACHINES, Machine
from augviz.memory import Plan, Unit
from augviz.ui.memory_inputs import HERE, NONE, NOW, OWN, TILED, Inputs
from augviz.units import counted

DECIMAL = {"kB": 10**3, "MB": 10**6, "GB": 10**9}

HOW = (
    "The sum of the bar's parts at the worst moment, over what the process takes after its imports; what each part leaves out "
    "stands in its tooltip and in the table. Python, PyTorch and the model come on top."
)
HOW_SIZES = (
    "One image is side × side × bands × bytes of a value. All that the host holds is the sum of the bar's parts for images of "
    "that size, everything else as entered; the model is left out."
)
HOW_GRID = (
    "Each cell is the sum of the parts on the host with that batch size and that many workers, everything else as entered. "
    "The GPU holds one batch, whatever the workers; the model is left out."
)
"""How the figures of the sentence and of the charts come about."""

GPU_MEMORY = {preset.id: preset for preset in GPUS}
HOST_MEMORY = {preset.id: preset for preset in MACHINES}


@dataclass(frozen=True, slots=True)
class Case:
    """A plan and what it has to fit into.

    Attributes:
        plan: how images are loaded.
        host: bytes of the machine's memory, None is unknown.
        device: bytes of the GPU's memory, None where there is no GPU.
        unit: in which everything is written.
    """

    plan: Plan
    host: int | None
    device: int | None
    unit: Unit

    @property
    def parts(self) -> tuple[memory.Part, ...]:
        """The pieces of the bar; without a GPU those of the host alone."""
        found = (part for part in memory.parts(self.plan) if part.where == "host" or self.device is not None)
        return tuple(
            replace(part, formula=self.rewritten(part.formula), leaves_out=self.rewritten(part.leaves_out))
            for part in found
        )

    def rewritten(self, text: str) -> str:
        """A text of ours with decimal amounts, such as "4 MB"; in a binary unit they stand as exact bytes."""
        if self.unit is memory.GB:
            return text
        return re.sub(r"([\d.]+) (kB|MB|GB)\b", lambda m: f"{round(float(m[1]) * DECIMAL[m[2]]):,} B", text)

    def verdict(self, plan: Plan | None = None) -> memory.Verdict:
        """Whether this plan, or another in its place, fits."""
        return memory.verdict(plan or self.plan, self.host, self.device)

    def fits(self, plan: Plan) -> bool:
        return self.verdict(plan).fits


def case_of(entered: Inputs, here: Machine, base: Plan | None) -> Case:
    """The plan and its limits. `base` is the image's or the pipeline's plan, None takes the numbers entered.

    Raises ArgumentError where they make no plan.
    """
    base = base or Plan(entered.width, entered.height, entered.bands, entered.dtype)
    is_tiled = entered.tensor == TILED and entered.gpu != NONE
    plan = replace(
        base,
        dtype="uint8" if is_tiled else base.dtype,
        batch=entered.batch,
        workers=entered.workers,
        prefetch=entered.prefetch,
        pinned=entered.pinned,
        persistent=entered.persistent,
        start=entered.start,
        threads=entered.threads,
        device_dtype=entered.tiles if entered.tensor == TILED else entered.tensor,
        normalise_on_device=is_tiled,
        device_tile=entered.tile,
    )
    return Case(plan, host_limit(entered, here), device_limit(entered), memory.UNITS[entered.unit])


def host_limit(entered: Inputs, here: Machine) -> int | None:
    """Bytes of the chosen machine's memory; None where this machine's is unknown."""
    if entered.machine == OWN:
        return entered.machine_bytes
    if entered.machine in (HERE, NOW):
        return here.total_bytes if entered.machine == HERE else here.available_bytes
    return HOST_MEMORY[entered.machine].memory_bytes


def device_limit(entered: Inputs) -> int | None:
    """Bytes of the chosen GPU's memory; None without a GPU."""
    if entered.gpu == NONE:
        return None
    return entered.gpu_bytes if entered.gpu == OWN else GPU_MEMORY[entered.gpu].memory_bytes


# The sentence


def headline(case: Case) -> str:
    """The answer in one sentence, with the least change that makes the plan fit where it does not."""
    found, text = case.verdict(), case.unit.text
    if found.fits:
        on_gpu = "" if case.device is None else f", and {text(found.device_bytes)} of {text(case.device)} on the GPU"
        if case.host is None:
            return f"Needs {text(found.host_bytes)} of memory{on_gpu}. How much there is, is unknown: enter it."
        return f"Fits: {text(found.host_bytes)} of {text(case.host)}{on_gpu}."
    amounts, missing = [], []
    if case.host is not None and found.host_missing:
        amounts.append(f"{text(found.host_bytes)} of {text(case.host)}")
        missing.append(f"{text(found.host_missing)} more" + (" memory" if found.device_missing else ""))
    if case.device is not None and found.device_missing:
        amounts.append(f"{text(found.device_bytes)} of {text(case.device)} on the GPU")
        missing.append(f"{text(found.device_missing)} more on the GPU")
    return f"Does not fit: {', and '.join(amounts)}. You need {' and '.join(missing)}; {remedy(case)}."


def remedy(case: Case) -> str:
    """The least change that makes a plan fit, in a few words: of one input, or else of two."""
    for words, changed in _ways(case):
        if case.fits(changed):
            return f"with {words} it fits"
    return "nothing but a smaller image or more memory makes it fit"


def _ways(case: Case) -> Iterator[tuple[str, Plan]]:
    """Plans that need less, the least changed first, with what is changed."""
    plan = case.plan
    small = [("uint8", replace(plan, dtype="uint8"))] if memory.BYTES[plan.dtype] > 1 else []
    if case.device is not None and not plan.normalise_on_device:
        small.append(("uint8 that is normalised on the GPU", normalised_there(plan)))
    yield from small
    if plan.pinned:
        yield "pinned memory off", replace(plan, pinned=False)
    for words, changed in [("", plan), *small]:
        start = f"{words} and " if words else ""
        workers = memory.most_workers(changed, case.host, case.device)
        if workers is not None and workers < plan.workers:
            yield start + counted(workers, "worker"), replace(changed, workers=workers)
        batch = memory.largest_batch(changed, case.host, case.device)
        if batch is not None and batch < plan.batch:
            yield f"{start}a batch of {batch}", replace(changed, batch=batch)
    for words, changed in [("", plan), *small]:
        yield f"{words + ', ' if words else ''}a batch of 1 and no workers", replace(changed, batch=1, workers=0)


def normalised_there(plan: Plan) -> Plan:
    """The same plan with the batch kept in 8 bit and normalised on the GPU, tile by tile."""
    tiles = "float16" if plan.device_dtype == TILED else plan.device_dtype
    return replace(plan, dtype="uint8", normalise_on_device=True, device_dtype=tiles)


# The answers


@dataclass(frozen=True, slots=True)
class Answer:
    """One figure of the grid below the bar: what it is, how it comes about and what it leaves out, and what comes with it."""

    label: str
    value: str
    help: str
    note: str = ""


def answers(case: Case) -> tuple[Answer, ...]:
    """What people come for: the largest square, the most workers, the largest batch, and what can be saved."""
    return (*_most(case), *_saved(case))


def _most(case: Case) -> tuple[Answer, ...]:
    plan, limits = case.plan, (case.host, case.device)
    how = "Everything else stays as entered; found by halving, with the sum of the bar's parts."
    side = memory.largest_square(plan, *limits)
    workers = memory.most_workers(plan, *limits)
    batch = memory.largest_batch(plan, *limits)
    none = "Not one fits."
    return (
        Answer(
            "Largest square",
            "none" if side is None else "any" if side >= memory.MAX_SIDE else f"{side:,} px",
            f"The longest side of a square image, source and result, for which both memories suffice. {how}",
        ),
        Answer(
            "Most workers",
            "none fits" if workers is None else "any" if workers >= memory.MAX_COUNT else f"{workers:,}",
            f"0 loads in the process itself. {how} {none if workers is None else ''}".strip(),
        ),
        Answer(
            "Largest batch",
            "none fits" if batch is None else "any" if batch >= memory.MAX_COUNT else f"{batch:,}",
            f"{how} {none if batch is None else ''}".strip(),
        ),
    )


def _saved(case: Case) -> tuple[Answer, ...]:
    labels = {
        "uint8": "uint8 instead of float32",
        "normalise": "Normalising on the GPU",
        "stream": "Streaming one image",
    }
    found = []
    for saving in memory.savings(case.plan):
        if saving.name == "normalise" and case.device is None:
            continue
        host = case.unit.text(saving.host_bytes)
        device = saving.device_bytes if case.device is not None else 0
        note = f"{case.unit.text(abs(device))} {'less' if device > 0 else 'more'} on the GPU" if device else ""
        how = (
            "For one image: its pixels, which are never all in memory when the result is written as it is made."
            if saving.name == "stream"
            else "The same plan both ways, everything else as entered; the difference of the two sums."
        )
        told = f"{saving.title}: {host} less memory{', ' + note if note else ''}. {how}"
        found.append(Answer(f"{labels[saving.name]} saves", host, told, note))
    return tuple(found)
