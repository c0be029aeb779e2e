"""Loading by a DataLoader, measured: real worker processes, with PyTorch and without, and their end in every way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from augviz import loader_figures, saved, throughput
from augviz.context import Context
from augviz.errors import ArgumentError, Cancelled, ImageError, StepError, WorkerCrashed
from augviz.jobs import Job
from augviz.loaded import Batch, Images
from augviz.loaders import PREFETCH, Loader
from augviz.model import InputChoice, Pipeline, Step
from augviz.profiles import Failed
from augviz.scaling import Loading, Throughput
from augviz.settings import get_settings
from augviz.sources import SourceRef
from tests.live import until
from tests.samples import rgb

WITH_AND_WITHOUT = pytest.mark.parametrize("by_torch", [False, pytest.param(True, marks=pytest.mark.torch)])
"""Every claim about loading is made twice; PyTorch is in the one environment and not in the other."""

FLIP = Pipeline((Step("f", "HorizontalFlip", (), 1.0), Step("t", "ToTensor", (), 1.0)))
CROP = Pipeline((Step("c", "RandomCrop", (("height", 32), ("width", 40)), 1.0),))
SIZES = Pipeline((Step("s", "RandomScale", (("scale_limit", (-0.5, 0.5)),), 1.0),))
FAILS = Pipeline((Step("g", "HEDShift", (), 1.0),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two images, one in a folder of its own, and what is none; the only folder that the settings allow."""
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    rgb(96, 80).write_to_file(str(tmp_path / "a.png"))
    (tmp_path / "cats").mkdir()
    rgb(64, 64, "chelsea.png").write_to_file(str(tmp_path / "cats" / "b.png"))
    (tmp_path / "notes.txt").write_text("no image")
    yield tmp_path
    get_settings.cache_clear()


def images(folder: Path, pipeline: Pipeline, *names: str, seed: int = 0) -> Images:
    return Images([str(folder / name) for name in names or ("a.png",)], saved.dump(pipeline), seed)


def taken(loaded: Images, batch: int, workers: int, count: int) -> list[Batch]:
    loader = Loader(loaded, batch, workers)
    try:
        return [loader.next() for _ in range(count)]
    finally:
        loader.end()


def started(folder: Path, pipeline: Pipeline = CROP, loading: Loading | None = None, *names: str) -> Job:
    paths = [str(folder / name) for name in names or ("a.png",)]
    request = {"paths": paths, "pipeline": saved.dump(pipeline), "seed": 0}
    return loader_figures.start(request, loading or Loading(2, 2, seconds=0.5))


def measured(job: Job) -> Throughput:
    found = loader_figures.outcome(job) if job.wait(240) != "running" else None
    assert isinstance(found, Throughput), found
    return found


def workers_of(job: Job) -> list[psutil.Process]:
    """Its worker processes, as soon as there are two."""
    found: list[psutil.Process] = []

    def are_there() -> bool:
        found[:] = [
            child for child in psutil.Process(job.pid).children(recursive=True) if "spawn_main" in " ".join(line(child))
        ]
        return len(found) == 2

    until(are_there)
    return found


def line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until_loading(job: Job) -> None:
    until(lambda: job.progress[1] == "loading")


def are_gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=30)[1]


# What is loaded


@WITH_AND_WITHOUT
@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_holds_what_the_pipeline_gives_as_a_tensor_would(folder: Path, workers: int, by_torch: bool) -> None:
    batches = taken(images(folder, FLIP, "a.png"), 3, workers, 2)

    expected = np.asarray(rgb(96, 80).fliphor().numpy()).transpose(2, 0, 1)
    for batch in batches:
        assert (batch.stacked, batch.count) == (True, 3)
        assert type(batch.arrays).__module__.startswith("torch") == by_torch
        np.testing.assert_array_equal(np.asarray(batch.arrays), np.stack([expected] * 3))


@WITH_AND_WITHOUT
def test_any_number_of_workers_loads_the_same_draws_and_each_image_has_its_own(folder: Path, by_torch: bool) -> None:
    alone, two, three = (
        [np.asarray(batch.arrays) for batch in taken(images(folder, CROP), 2, workers, 6)] for workers in (0, 2, 3)
    )

    np.testing.assert_array_equal(alone, two)
    np.testing.assert_array_equal(alone, three)
    assert len({batch.tobytes() for batch in alone}) == 6


@WITH_AND_WITHOUT
def test_results_of_several_sizes_come_as_a_list(folder: Path, by_torch: bool) -> None:
    for workers in (0, 1):
        batches = taken(images(folder, SIZES), 3, workers, 2)

        assert not any(batch.stacked for batch in batches)
        assert [len(batch.arrays) for batch in batches] == [3, 3]
        assert len({tuple(array.shape) for batch in batches for array in batch.arrays}) > 1


@WITH_AND_WITHOUT
def test_files_are_taken_in_turn_as_they_are_opened(folder: Path, by_torch: bool) -> None:
    grey = Pipeline((), InputChoice(bands=1))

    (batch,) = taken(images(folder, grey, "a.png", "cats/b.png"), 3, 1, 1)

    assert [tuple(array.shape) for array in batch.arrays] == [(1, 80, 96), (1, 64, 64), (1, 80, 96)]
    assert batch.megapixels == pytest.approx((2 * 96 * 80 + 64 * 64) / 1e6)


@pytest.mark.parametrize("workers", [0, 1])
@WITH_AND_WITHOUT
def test_a_failure_names_the_file_and_the_library_s_words(folder: Path, workers: int, by_torch: bool) -> None:
    (folder / "none.png").write_bytes(b"no image")

    with pytest.raises(ImageError, match=r"none\.png"):
        taken(images(folder, CROP, "none.png"), 1, workers, 1)
    with pytest.raises(ImageError, match=r"a\.png: the pipeline failed on image 1, as it would in training: "):
        taken(images(folder, Pipeline(FAILS.steps, InputChoice(bands=1))), 1, workers, 1)


def test_an_argument_that_the_library_refuses_is_a_steps_error(folder: Path) -> None:
    refused = Pipeline((Step("n", "Normalize", (("mean", (0.0,)), ("std", (0.0,))), 1.0),))

    with pytest.raises((StepError, ImageError)):
        taken(images(folder, refused), 1, 0, 1)


def test_python_s_random_numbers_are_the_images_own(folder: Path) -> None:
    random.seed(1)
    first = taken(images(folder, CROP), 1, 0, 1)[0].arrays
    random.seed(2)

    np.testing.assert_array_equal(np.asarray(first), np.asarray(taken(images(folder, CROP), 1, 0, 1)[0].arrays))


# Measuring


@WITH_AND_WITHOUT
def test_what_is_measured_is_what_came_in_the_spans(folder: Path, by_torch: bool) -> None:
    found = throughput.measure(images(folder, CROP), 2, 0, 0.2, Context())

    assert found["by_torch"] == by_torch
    assert found["images"] == 2 * found["batches"] == sum(count for count, _ in found["spans"])
    assert throughput.MIN_SPANS <= len(found["spans"]) <= throughput.SPANS
    assert found["megapixels"] == pytest.approx(found["images"] * 96 * 80 / 1e6)
    assert found["listed"] == 0
    assert found["cpu_seconds"] > 0


@WITH_AND_WITHOUT
def test_two_workers_are_measured_in_a_fresh_process(folder: Path, by_torch: bool) -> None:
    found = measured(started(folder, CROP, Loading(2, 2, threads=3, seconds=0.5)))

    assert (found.workers, found.batch, found.threads, found.by_torch) == (2, 2, 3, by_torch)
    assert found.images_per_second > 0
    assert found.batches % 2 == 0
    if Path("/proc/self/smaps_rollup").exists():
        assert found.peak_bytes is not None
        assert found.pss_bytes is not None
        assert found.peak_bytes > 50_000_000  # two processes, which have imported the library
        assert found.peak_bytes + 30_000_000 > found.pss_bytes > 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="proportional set sizes are Linux' own")
def test_batches_that_wait_in_the_queue_are_counted_whole(folder: Path) -> None:
    side = 2000
    large = Pipeline((Step("r", "Resize", (("height", side), ("width", side)), 1.0),))
    small = measured(started(folder, CROP, Loading(1, 2, seconds=0.5)))
    found = measured(started(folder, large, Loading(1, 2, seconds=0.5)))

    batch = 2 * side * side * 3
    assert found.peak_bytes is not None
    assert small.peak_bytes is not None
    # Those in the queue, which nobody has touched, and most of the one in the loop: the small ones take something, too.
    assert found.peak_bytes - small.peak_bytes > PREFETCH * batch


@pytest.mark.skipif(not Path("/proc").exists(), reason="the environment of a process is read from /proc")
@WITH_AND_WITHOUT
def test_workers_have_the_threads_that_were_asked_for(folder: Path, by_torch: bool) -> None:
    job = started(folder, CROP, Loading(2, 2, threads=3, seconds=30))
    environments = [worker.environ() for worker in workers_of(job)]
    job.cancel()

    assert [environment["VIPS_CONCURRENCY"] for environment in environments] == ["3", "3"]


@pytest.mark.parametrize(("workers", "batch", "seconds"), [(-1, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0)])
def test_what_cannot_be_is_refused(folder: Path, workers: int, batch: int, seconds: float) -> None:
    with pytest.raises(ArgumentError, match="cannot be measured"):
        throughput.measure(images(folder, CROP), batch, workers, seconds, Context())


def test_what_was_given_up_is_not_measured(folder: Path) -> None:
    context = Context()
    context.cancel()

    with pytest.raises(Cancelled):
        throughput.measure(images(folder, CROP), 1, 0, 1.0, context)


# The end of workers


@WITH_AND_WITHOUT
def test_a_worker_that_dies_is_a_reason(folder: Path, by_torch: bool) -> None:
    job = started(folder, CROP, Loading(2, 2, seconds=60))
    workers = workers_of(job)
    until_loading(job)
    workers[1].kill()
    job.wait(120)

    found = loader_figures.outcome(job)
    assert isinstance(job.error, WorkerCrashed)
    assert isinstance(found, Failed)
    assert "worker 2 of 2 ended while it loaded (killed; memory may have run out)" in found.reason
    assert are_gone(workers)


@WITH_AND_WITHOUT
@pytest.mark.parametrize("when", [workers_of, until_loading], ids=["starting", "loading"])
def test_cancelling_ends_the_workers_too(folder: Path, when: Callable[[Job], Any], by_torch: bool) -> None:
    job = started(folder, CROP, Loading(2, 2, seconds=60))
    when(job)
    workers = workers_of(job)
    job.cancel()

    assert loader_figures.outcome(job) == Failed("It was cancelled.", cancelled=True)
    assert job.wait_gone(30)
    assert are_gone(workers)


@WITH_AND_WITHOUT
@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_workers_leave_no_temporary_files(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    killed: bool,
    by_torch: bool,
) -> None:
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    loader = Loader(images(folder, CROP), 2, 2)
    loader.next()
    left = [path.name for path in place.glob("augviz-*/*")]
    if killed:
        loader.processes.started[0].kill()
    loader.end()

    assert [name[:5] for name in left] == ["pymp-"] * len(left)
    assert bool(left) == by_torch  # where it has sockets, they are seen while they are there
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be held still here")
@WITH_AND_WITHOUT
def test_a_worker_that_dies_with_batches_that_nobody_has_taken_is_named(folder: Path, by_torch: bool) -> None:
    loader = Loader(images(folder, CROP), 2, 1)
    try:
        until(lambda: loader.made == loader.ahead)
        (worker,) = (child for child in psutil.Process().children() if "spawn_main" in " ".join(line(child)))
        worker.kill()
        until(lambda: worker.status() == psutil.STATUS_ZOMBIE)

        with pytest.raises(WorkerCrashed, match="worker 1 of 1 ended while it loaded"):
            [loader.next() for _ in range(loader.ahead + 1)]
    finally:
        loader.end()


@WITH_AND_WITHOUT
@pytest.mark.parametrize("when", [workers_of, until_loading], ids=["starting", "loading"])
def test_workers_end_with_their_parent_even_where_they_are_held_still(
    folder: Path, when: Callable[[Job], Any], by_torch: bool
) -> None:
    job = started(folder, CROP, Loading(2, 2, seconds=60))
    when(job)
    workers = workers_of(job)
    if when is until_loading and os.uname().sysname == "Linux":
        workers[0].suspend()
    os.kill(job.pid, signal.SIGKILL)

    assert are_gone(workers)
    assert isinstance(job.error, WorkerCrashed) or job.wait(30) == "failed"


def test_a_process_looks_after_its_parent_where_the_system_does_not() -> None:
    child = "import os, sys, time; sys.platform = 'other'; from augviz import loaders; loaders.end_with(os.getppid())"
    command = [sys.executable, "-c", f"{child}; time.sleep(600)"]
    parent = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        orphan = psutil.Process(int(process.stdout.readline()))
        process.kill()

    assert are_gone([orphan])


# Which files


def test_a_folder_gives_its_images_and_those_of_the_folders_in_it(folder: Path) -> None:
    found = loader_figures.files_of(None, str(folder))

    assert found == (str(folder / "a.png"), str(folder / "cats" / "b.png"))
    assert measured(started(folder, CROP, Loading(1, 2, seconds=0.5), "a.png", "cats/b.png")).megapixels_per_image == (
        pytest.approx((96 * 80 + 64 * 64) / 2e6)
    )


def test_only_what_the_settings_allow_is_loaded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    rgb().write_to_file(str(outside / "c.png"))
    (folder / "link").symlink_to(outside)

    with pytest.raises(ImageError, match="not below the folders"):
        loader_figures.files_of(None, str(outside))
    assert len(loader_figures.files_of(None, str(folder))) == 2
    with pytest.raises(ImageError, match="no images in this folder"):
        loader_figures.files_of(None, str(_made(folder / "empty")))


def test_one_image_is_repeated(folder: Path) -> None:
    assert loader_figures.files_of(SourceRef("path", "a.png")) == (str(folder / "a.png"),)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
