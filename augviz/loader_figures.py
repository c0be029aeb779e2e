"""What is measured of a DataLoader: which files it loads, the process that measures, and its settings as Python text.

`figures` are what a `series.Series` measures, one for each number of workers; their outcomes are `scaling.Throughput`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from augviz import machine, memory, sources
from augviz.errors import AugvizError, Cancelled, ImageError, WorkerError
from augviz.jobs import NICE, Job, start_job
from augviz.memory import GB, Plan
from augviz.profiles import Failed
from augviz.scaling import PREFETCH, START, Loading, Throughput, throughput_from_json
from augviz.series import Figure
from augviz.settings import Settings, get_settings
from augviz.sources import SourceRef

MAX_FILES = 2000
"""Files of a folder that are loaded in turn."""

STARTING_SECONDS = 8.0
"""Until workers have imported what they need, and memory has been looked at."""


# What is loaded


def files_of(source: SourceRef | None, folder: str = "", settings: Settings | None = None) -> tuple[str, ...]:
    """The files that are loaded in turn: one image, or those in a folder and in the folders in it.

    Args:
        source: the image, for repeats of it.
        folder: below the folders that the settings allow; counts where it is given.

    Raises:
        ImageError: it is not there or not allowed, or the folder holds no image.
    """
    if not folder:
        if source is None:
            raise ImageError("There is no image to load.")
        return (str(sources.resolve(source, settings)),)
    entries = sources.list_folder(folder, settings)
    for inside in [entry for entry in entries if entry.is_folder]:
        entries += sources.list_folder(inside.path, settings)
    refs = [SourceRef("path", entry.path) for entry in entries if not entry.is_folder][:MAX_FILES]
    if not refs:
        raise ImageError(f"{folder}: there are no images in this folder or in the folders in it.")
    return tuple(str(sources.resolve(ref, settings)) for ref in refs)


# Measuring


def start(request: Mapping[str, Any], loading: Loading, plan: Plan | None = None) -> Job:
    """Have a fresh process measure, at low priority and within the settings' limits of time and memory.

    Args:
        request: {paths, pipeline, seed}.
        plan: what it is computed to need; more than this machine has free is refused.

    Raises:
        WorkerError: too many jobs are running, or there is not enough memory.
    """
    needed, free = memory.host_bytes(plan) if plan else 0, machine.detect().available_bytes
    if free is not None and needed > free:
        raise WorkerError(
            f"{loading.workers} workers are computed to need {GB.text(needed)}, and {GB.text(free)} are free: not started."
        )
    settings = get_settings()
    args = {**request, "workers": loading.workers, "batch": loading.batch, "seconds": loading.seconds}
    return start_job(
        "measure_throughput",
        args,
        seconds=settings.job_seconds,
        memory_bytes=settings.job_memory_bytes,
        threads=loading.threads,
        nice=NICE,
    )


def outcome(job: Job) -> Throughput | Failed | None:
    """What came of a job of `start`; None while it runs."""
    if job.state == "running":
        return None
    error = job.error
    if error is None:
        return throughput_from_json(job.result().value)
    if isinstance(error, Cancelled):
        return Failed("It was cancelled.", cancelled=True)
    if isinstance(error, AugvizError):
        return Failed(str(error))
    raise error


def figures(
    request: Mapping[str, Any], loadings: Sequence[Loading], plan: Callable[[Loading], Plan | None] = lambda _: None
) -> tuple[Figure, ...]:
    """What a series measures: one figure for each way of loading, called by its number of workers."""
    return tuple(
        Figure(
            f"{one.workers}",
            "Loading without workers"
            if one.workers == 0
            else f"Loading by {one.workers} worker{'s' * (one.workers > 1)}",
            functools.partial(start, request, one, plan(one)),
            outcome,
            STARTING_SECONDS + one.seconds,
        )
        for one in loadings
    )


def steps_to(most: int) -> tuple[int, ...]:
    """The numbers of workers to measure up to `most`: each up to 8, then every second, every fourth; `most` itself too."""
    found, number = [], 1
    while number < most:
        found.append(number)
        number += 1 if number < 8 else 2 if number < 16 else 4
    return (*found, most)


# Code


def loader_code(loading: Loading, listed: bool) -> str:
    """The settings as Python text, for the data set that is exported.

    Args:
        listed: whether results differ in shape, so that batches are lists.
    """
    collate = (
        "\n    collate_fn=list,  # results differ in size or type, so that they cannot be stacked" if listed else ""
    )
    several = (
        f'\n    multiprocessing_context="{START}",  # libvips works in threads, which a forked process would not have'
        f"\n    prefetch_factor={PREFETCH},\n    persistent_workers=True,"
        if loading.workers
        else ""
    )
    return f"""\
import os

os.environ["VIPS_CONCURRENCY"] = "{loading.threads}"  # before pyvips is imported; workers inherit it

loader = DataLoader(
    dataset,
    batch_size={loading.batch},
    shuffle=True,
    num_workers={loading.workers},{collate}
    worker_init_fn=seed_worker,{several}
)
"""
