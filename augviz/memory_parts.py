"""What a plan has in memory at its worst moment, part by part, each with its formula. Arithmetic; `memory.py` is the way in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from augviz.memory_plan import BYTES, Plan

Where = Literal["host", "device"]


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of the bar.

    Attributes:
        name: stable key; parts on the device begin with "device".
        title: what to call it on the screen.
        bytes: how much; 0 where the plan has none of it.
        formula: how the figure comes about, with the numbers filled in.
        leaves_out: what the figure does not hold.
    """

    name: str
    title: str
    where: Where
    bytes: int
    formula: str
    leaves_out: str


LOADING_BYTES = 10_000_000
"""What a process that loads has beside pixels, once. This and the next four: fitted to what `make memory` measures."""

THREAD_BYTES = 1_200_000
"""What each thread of libvips has beside pixels."""

THREAD_PIXELS = 200_000
"""Pixels of the result that each thread of libvips has in work."""

FORKED_BYTES = 14_000_000
"""What a forked worker has of its own: pages that it shares with nobody as soon as it writes to them."""

SPAWNED_BYTES = 180_000_000
"""What a spawned worker has of its own: it imports PyTorch and albumentationsxl again."""

CACHE_BYTES = 100 * 2**20
"""What libvips' cache of operations keeps of earlier images (its default, vips_cache_set_max_mem)."""

WRITTEN_LINES = 256
"""Lines that libvips holds while it streams into a file: two buffers of 128."""


def parts(plan: Plan) -> tuple[Part, ...]:
    """Everything that is in memory at the worst moment, host first; the same names in the same order for every plan."""
    return (*_host(plan), *_device(plan))


def host_bytes(plan: Plan) -> int:
    """Bytes on the host at the worst moment, over the process after its imports; workers summed."""
    return sum(part.bytes for part in parts(plan) if part.where == "host")


def device_bytes(plan: Plan) -> int:
    """Bytes on the device for one batch as a model gets it."""
    return sum(part.bytes for part in parts(plan) if part.where == "device")


def _host(plan: Plan) -> tuple[Part, ...]:
    return (_source(plan), _streaming(plan), *_batches(plan), _processes(plan))


def _source(plan: Plan) -> Part:
    file, makers = plan.file, max(plan.workers, 1)
    count, lines = file.decoded_bytes, min(2 * file.tile_height, file.height)
    rows = f"{_size(file.width, lines)} × {file.pixel_bytes} B a pixel"
    left_out = "The file itself in the system's cache."
    if file.region_readable:
        each, how = file.width * lines * file.pixel_bytes, f"{rows}: two rows of tiles"
    elif file.is_decoded_to_disc:
        each, how = file.width * lines * file.pixel_bytes, f"{rows}, of an image decoded whole into a temporary file"
        left_out = (
            f"That file, {count:,} B in each process: on disc, or in memory where the temporary folder is in memory."
        )
    else:
        kept = CACHE_BYTES // count
        each, how = (1 + kept) * count, f"(1 image decoded whole + {kept} earlier ones in libvips' cache) × {count:,} B"
    return Part("source", "Source buffers", "host", makers * each, f"{_loading(plan)}{how}", left_out)


def _streaming(plan: Plan) -> Part:
    pixel = plan.bands * BYTES[plan.dtype]
    thread = THREAD_BYTES + THREAD_PIXELS * pixel
    return Part(
        "streaming",
        "libvips streaming",
        "host",
        max(plan.workers, 1) * (LOADING_BYTES + plan.threads * thread),
        f"{_loading(plan)}({LOADING_BYTES:,} B + {plan.threads} threads × ({THREAD_BYTES:,} B + "
        f"{THREAD_PIXELS:,} px × {pixel} B)), fitted to measurements",
        "Steps that hold more than a few lines: hundreds of dropout holes, ElasticTransform.",
    )


def _batches(plan: Plan) -> tuple[Part, ...]:
    """Results, batches and copies of them at the worst moment: the queue is full and every worker ends a batch.

    The loop holds the batch before. The DataLoader has asked each worker for `prefetch` batches: one of them is being made,
    twice in memory while torch.stack copies its results, and the others wait. Page-locked memory is taken in powers of two
    and never given back (PyTorch's caching host allocator), so that there is one copy for every batch asked for and held.
    """
    batch, workers = plan.batch_bytes, plan.workers
    makers, waiting = max(workers, 1), workers * (plan.prefetch - 1)
    held = 0 if plan.pinned else 1
    copies = max(workers * plan.prefetch, 1) + 1 if plan.pinned else 0
    copy = 1 << (batch - 1).bit_length()
    one = f"batch of {plan.batch} × {_image(plan)}"
    where = " in shared memory" if workers else ""
    return (
        Part(
            "result",
            "Results",
            "host",
            makers * batch,
            f"{_loading(plan)}{one}, as ToTensor gives them",
            "Masks and boxes. Without workers, results under 33,554,432 B can take many times as much over hundreds of "
            "images, since glibc keeps what they leave between them; MALLOC_MMAP_THRESHOLD_=1000000 in the environment "
            "prevents that.",
        ),
        Part(
            "batch",
            "Batches",
            "host",
            (makers + held) * batch,
            f"({makers} being stacked{where} + {held} that the loop holds) × {one}",
            "Labels; copies that the loop makes. A training that waits for its workers has no more than this.",
        ),
        Part(
            "queue",
            "Queue",
            "host",
            0 if plan.pinned else waiting * batch,
            f"{workers} workers × (prefetch {plan.prefetch} − 1 being made) × {one}"
            if not plan.pinned
            else "0: what waits is in pinned memory",
            "Nothing: it is full where training is slower than loading, and empty where training waits.",
        ),
        Part(
            "pinned",
            "Pinned copies",
            "host",
            copies * copy,
            f"({max(workers * plan.prefetch, 1)} asked for + 1 that the loop holds) × {copy:,} B, the next power of two of a "
            f"{one}"
            if plan.pinned
            else "0: not pinned",
            "Computed from how PyTorch allocates page-locked memory; never measured, since that needs a GPU.",
        ),
    )


def _processes(plan: Plan) -> Part:
    each = SPAWNED_BYTES if plan.start == "spawn" else FORKED_BYTES
    stay = ", which stay between epochs" if plan.persistent else ""
    return Part(
        "workers",
        "Worker processes",
        "host",
        plan.workers * each,
        f"{plan.workers} workers{stay} × {each:,} B, measured for PyTorch with albumentationsxl",
        "What else the script imports or loads before the workers start.",
    )


def _device(plan: Plan) -> tuple[Part, ...]:
    size, tiled = BYTES[plan.device_dtype], plan.normalise_on_device
    converts = plan.dtype != plan.device_dtype and not tiled
    values = plan.batch * plan.width * plan.height * plan.bands
    wide, high = min(plan.device_tile, plan.width), min(plan.device_tile, plan.height)
    left_out = "The model, its activations, gradients and optimiser; what PyTorch's allocator rounds up; the GPU's own context."
    return (
        Part(
            "device_batch",
            "Device copy",
            "device",
            plan.batch_bytes,
            f"batch of {plan.batch} × {_image(plan)}, as it comes from the host",
            left_out,
        ),
        Part(
            "device_converted",
            f"As {plan.device_dtype}",
            "device",
            values * size if converts else 0,
            f"{values:,} values × {size} B, made on the device while the copy is there"
            if converts
            else f"0: {'converted tile by tile' if tiled else 'the copy is of that type'}",
            left_out,
        ),
        Part(
            "device_tile",
            "Tile being normalised",
            "device",
            plan.batch * wide * high * plan.bands * size if tiled else 0,
            f"batch of {plan.batch} × {_size(wide, high)} × {plan.bands} bands × {size} B ({plan.device_dtype})"
            if tiled
            else "0: not normalised on the device",
            left_out,
        ),
    )


def _size(width: int, height: int) -> str:
    return f"{width:,} × {height:,} px"


def _loading(plan: Plan) -> str:
    return f"{plan.workers} workers × " if plan.workers else ""


def _image(plan: Plan) -> str:
    return f"{_size(plan.width, plan.height)} × {plan.bands} bands × {BYTES[plan.dtype]} B ({plan.dtype})"


def stream_bytes(plan: Plan) -> int:
    """Bytes of one image streamed through the pipeline into a file: as much as a few hundred of its lines."""
    written = plan.width * min(plan.height, WRITTEN_LINES) * plan.bands * BYTES[plan.dtype]
    return _passing_bytes(plan) + written


def hold_bytes(plan: Plan) -> int:
    """Bytes of one image whose result is held in memory, as ToTensor does."""
    return _passing_bytes(plan) + plan.image_bytes


def _passing_bytes(plan: Plan) -> int:
    """While one image passes, with all that is decoded of it: the most, since of a temporary file only what is read counts."""
    one, file = replace(plan, workers=0), plan.file
    return (_source(one).bytes if file.region_readable else file.decoded_bytes) + _streaming(one).bytes
