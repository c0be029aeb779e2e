"""Processes that load batches beside this one: PyTorch's DataLoader, or, where there is no PyTorch, what does the same.

Both start fresh processes ("spawn"): libvips works in threads, which a forked process would not have. Every process ends with
the one that started it, even if that is killed: the system sees to it on Linux, the process itself looks elsewhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing import connection, reduction
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any

import numpy as np

from augviz.child import exit_words
from augviz.errors import WorkerCrashed
from augviz.family import SEGMENT
from augviz.library import HAS_TORCH
from augviz.loaded import Batch, Collate, Images, Trouble, set_worker_number

PREFETCH = 2
"""Batches that each worker is ahead, the DataLoader's own default."""

_LOOK_SECONDS = 0.2
_END_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


# Processes that end with their parent


class Processes(SpawnContext):
    """Starts fresh processes that end with this one. `started` are those, in their order.

    What they leave on the disk is in a folder of theirs, since one that is killed removes nothing: each worker of a DataLoader
    has a socket there.
    """

    def __init__(self) -> None:
        self.started: list[SpawnProcess] = []
        self._folder = tempfile.TemporaryDirectory(prefix="augviz-", ignore_cleanup_errors=True)

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        process = _Following(*args, **kwargs)
        process.folder = self._folder.name
        self.started.append(process)
        return process

    def end(self) -> None:
        """End them, now."""
        for process in self.started:
            with contextlib.suppress(ValueError, AttributeError, OSError):  # closed, or not started yet
                process.kill()

    def clean(self) -> None:
        """Remove what they have left, once they have ended."""
        for process in self.started:
            with contextlib.suppress(ValueError, AssertionError):  # closed, or not started yet
                process.join(_END_SECONDS)
        self._folder.cleanup()

    def ended(self) -> WorkerCrashed | None:
        """The error that tells how the first of them has ended, None if all are there."""
        for number, process in enumerate(self.started, start=1):
            status = process.exitcode
            if status is not None:
                hint = "; memory may have run out" if exit_words(status) in ("killed", "bus error") else ""
                said = f"worker {number} of {len(self.started)} ended while it loaded ({exit_words(status)}{hint})"
                return WorkerCrashed(f"The DataLoader's {said}.", exit_status=status)
        return None


class _Following(SpawnProcess):
    """Follows its parent from when it unpickles its own description on, which is before it imports anything large.

    Attributes:
        folder: for its temporary files.
    """

    folder: str

    def __reduce__(self) -> tuple[Any, ...]:
        return _followed, (os.getpid(), self.folder), vars(self)


def _followed(parent: int, folder: str) -> _Following:
    end_with(parent)
    tempfile.tempdir = folder
    return _Following.__new__(_Following)


def end_with(parent: int) -> None:
    """Have this process end when its parent does, whatever it is doing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # ends it even while it is held still
    threading.Thread(target=_look_after, args=(parent,), daemon=True, name="augviz-parent").start()


def _look_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


# Loaders


class Loader:
    """Batches in their order, from workers or from this process.

    Args:
        images: what is loaded.
        batch: images in a batch.
        workers: processes; 0 loads in this one.

    Attributes:
        processes: the workers.
        ahead: batches that they have been asked for and that nobody has taken.
        taken: batches.
    """

    def __init__(self, images: Images, batch: int, workers: int) -> None:
        self.processes = Processes()
        self.ahead, self.taken = PREFETCH * workers, 0
        self._made = RawArray("l", max(workers, 1))
        maker = _torch_batches if HAS_TORCH else _own_batches
        self._batches = maker(images, batch, workers, self.processes, self._made)

    @property
    def made(self) -> int:
        """How many batches have been made, taken or not."""
        return sum(self._made)

    def next(self) -> Batch:
        """Wait for the next batch.

        Raises:
            AugvizError: of the image, the step or the worker that failed.
        """
        try:
            batch = next(self._batches)
        except (RuntimeError, EOFError, OSError) as error:
            # A DataLoader tells by a RuntimeError that a worker has ended; a batch that was made takes its memory from the
            # worker that made it, through a socket, and fails in its own ways where that one is gone.
            end = time.monotonic() + 1.0
            while (ended := self.processes.ended()) is None and time.monotonic() < end:
                time.sleep(0.01)
            if ended is None:
                raise
            raise ended from error
        self.taken += 1
        if batch.trouble is not None:
            raise batch.trouble.raised()
        return batch

    def end(self) -> None:
        """End the workers, now. What they are doing is of no use any more."""
        self.processes.end()
        self.processes.clean()
        _kept.append(self._batches)


_kept: list[Any] = []
"""Loaders that have ended: a DataLoader's own end would wait for locks that a killed worker may have held."""


def _torch_batches(images: Images, batch: int, workers: int, processes: Processes, made: Any) -> Iterator[Batch]:
    from torch.utils.data import DataLoader  # noqa: TID251

    options: dict[str, Any] = {}
    if workers:
        options = {"prefetch_factor": PREFETCH, "multiprocessing_context": processes}
    loader: Any = DataLoader(
        images,  # type: ignore[arg-type,unused-ignore]
        batch_size=batch,
        num_workers=workers,
        collate_fn=Collate(made),
        worker_init_fn=set_worker_number,
        **options,
    )
    batches = iter(loader)
    # PyTorch's handler would raise for a worker that ends wherever this process happens to be; `next` finds out by itself.
    if workers and threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return batches


# Without PyTorch


def _own_batches(images: Images, batch: int, workers: int, processes: Processes, made: Any) -> Iterator[Batch]:
    if not workers:
        return _here(images, batch, Collate(made, np.stack))
    return _Own(images, batch, workers, processes, made)


def _here(images: Images, batch: int, collate: Collate) -> Iterator[Batch]:
    first = 0
    while True:
        yield collate([images[index] for index in range(first, first + batch)])
        first += batch


class _Own:
    """What a DataLoader does: each worker is asked for `PREFETCH` batches ahead, and they are taken in turn.

    Each has a channel of its own, so that one that dies locks none. A batch goes in shared memory without a name, whose
    descriptor is sent.
    """

    def __init__(self, images: Images, batch: int, workers: int, processes: Processes, made: Any) -> None:
        self._channels: list[Any] = []
        self._asked = self._taken = 0
        self._processes = processes
        for number in range(workers):
            here, there = processes.Pipe(duplex=True)
            processes.Process(
                target=_work, args=(there, images, batch, Collate(made, _SharedStack()), number), daemon=True
            ).start()
            there.close()
            self._channels.append(here)
        for _ in range(PREFETCH * workers):
            self._ask()

    def __iter__(self) -> _Own:
        return self

    def __next__(self) -> Batch:
        number = self._taken % len(self._channels)
        channel = self._channels[number]
        connection.wait([channel, self._processes.started[number].sentinel])
        try:
            found = json.loads(channel.recv_bytes())
            batch = _received(channel, found)
            self._taken += 1
            self._ask()
        except (EOFError, OSError) as error:
            raise RuntimeError("a worker has ended") from error
        return batch

    def _ask(self) -> None:
        with contextlib.suppress(OSError):  # it has ended, which is found out when its turn comes
            self._channels[self._asked % len(self._channels)].send_bytes(str(self._asked).encode())
        self._asked += 1


class _Shared:
    """Shared memory without a name, which is there as long as a process has it open."""

    def __init__(self, size: int, descriptor: int | None = None) -> None:
        self.size = size
        if descriptor is None:
            descriptor = os.memfd_create(SEGMENT) if hasattr(os, "memfd_create") else _file()
            os.ftruncate(descriptor, max(size, 1))
        self.descriptor = descriptor
        self.map = mmap.mmap(descriptor, max(size, 1))

    def array(self, shape: Sequence[int], dtype: str, offset: int = 0) -> np.ndarray:
        return np.ndarray(tuple(shape), np.dtype(dtype), buffer=self.map, offset=offset)


def _file() -> int:
    """A file without a name, for systems that have no memory for it (macOS)."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor


class _SharedStack:
    """Stacks arrays straight into shared memory, as PyTorch's collate function does in a worker."""

    def __call__(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        first = arrays[0]
        shared = _Shared(first.nbytes * len(arrays))
        stacked = shared.array((len(arrays), *first.shape), first.dtype.str)
        np.stack(arrays, out=stacked)
        _stacks[id(stacked)] = shared
        return stacked


_stacks: dict[int, _Shared] = {}
"""In a worker: the shared memory of the stack that is to be sent, by the array's id."""


def _work(channel: Any, images: Images, batch: int, collate: Collate, number: int) -> None:
    """A worker: makes the batches that it is asked for, until nobody asks any more."""
    set_worker_number(number)
    with contextlib.suppress(EOFError, OSError):
        while True:
            first = int(channel.recv_bytes()) * batch
            try:
                made = collate([images[index] for index in range(first, first + batch)])
            except Exception:  # noqa: BLE001 - a bug, told to the one who waits
                channel.send_bytes(json.dumps({"bug": traceback.format_exc()}).encode())
                continue
            _send(channel, made)
            del made  # else it would be held while the next one is made


def _send(channel: Any, batch: Batch) -> None:
    arrays = (batch.arrays,) if batch.stacked else batch.arrays
    told = {
        "shapes": [array.shape for array in arrays],
        "dtypes": [array.dtype.str for array in arrays],
        "count": batch.count,
        "megapixels": batch.megapixels,
        "stacked": batch.stacked,
        "trouble": dict(batch.trouble.error) if batch.trouble else None,
    }
    channel.send_bytes(json.dumps(told).encode())
    if batch.trouble:
        return
    shared = _stacks.pop(id(batch.arrays)) if batch.stacked else _listed(arrays)
    reduction.send_handle(channel, shared.descriptor, os.getppid())
    os.close(shared.descriptor)


def _listed(arrays: Sequence[np.ndarray]) -> _Shared:
    """Arrays of several shapes, one after the other in shared memory."""
    shared, offset = _Shared(sum(array.nbytes for array in arrays)), 0
    for array in arrays:
        shared.array(array.shape, array.dtype.str, offset)[...] = array
        offset += array.nbytes
    return shared


def _received(channel: Any, told: dict[str, Any]) -> Batch:
    """The batch that was sent, in the memory that it was made in."""
    if "bug" in told:
        raise AssertionError(told["bug"])
    if told["trouble"]:
        return Batch((), told["count"], 0.0, False, Trouble(told["trouble"]))
    sizes = [
        int(np.prod(shape)) * np.dtype(dtype).itemsize
        for shape, dtype in zip(told["shapes"], told["dtypes"], strict=True)
    ]
    descriptor = reduction.recv_handle(channel)
    shared = _Shared(sum(sizes), descriptor)
    os.close(descriptor)  # the map has one of its own
    arrays, offset = [], 0
    for shape, dtype, size in zip(told["shapes"], told["dtypes"], sizes, strict=True):
        arrays.append(shared.array(shape, dtype, offset))
        offset += size
    return Batch(arrays[0] if told["stacked"] else arrays, told["count"], told["megapixels"], told["stacked"])
