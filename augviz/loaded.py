"""What a worker of a DataLoader does: open an image, apply the pipeline as it is exported, make an array, stack a batch.

With PyTorch the results are tensors, stacked by its own collate function; without it they are numpy's arrays. A failure is
data: an exception that crosses from one process to another loses what it knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from augviz import export, saved
from augviz.errors import AugvizError, ImageError, OutOfMemory, StepError
from augviz.firing import words
from augviz.frames import error_from_json, error_to_json
from augviz.images import open_image
from augviz.library import HAS_TORCH, A
from augviz.loading import display_name, read_problem
from augviz.model import Pipeline

VIPS_CACHE = (1000, 100 * 2**20)
"""libvips' cache of operations as it is by default: operations, bytes."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no image: an error of the family as JSON."""

    error: Mapping[str, Any]

    def raised(self) -> AugvizError:
        """The error, to be raised."""
        return error_from_json(self.error)


@dataclass(frozen=True, slots=True)
class Item:
    """One result.

    Attributes:
        array: (bands, height, width), a tensor where there is PyTorch.
        megapixels: of what the pipeline was fed.
    """

    array: Any
    megapixels: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What the loop gets.

    Attributes:
        arrays: one for all images, stacked, or one for each where they differ.
        count: of images.
        megapixels: of what the pipeline was fed, of all images.
        stacked: whether `arrays` is one.
        trouble: why there is none.
    """

    arrays: Any
    count: int
    megapixels: float
    stacked: bool
    trouble: Trouble | None = None

    def touch(self) -> None:
        """Read every value once, as a copy to a device does: until then its pages may not be there."""
        for array in (self.arrays,) if self.stacked else self.arrays:
            np.asarray(array).max()


class Images:
    """Repeats of images without an end, each with a draw of its own. What PyTorch calls a data set.

    The draw of an image depends on the seed and its number only, so that any number of workers does the same work.

    Args:
        paths: the files, taken in turn.
        pipeline: in the saved form, with its `input`.
        seed: of the first image.
    """

    def __init__(self, paths: Sequence[str], pipeline: Mapping[str, Any], seed: int) -> None:
        self._paths, self._saved, self._seed = tuple(paths), dict(pipeline), seed
        self._made: tuple[Pipeline, Callable[..., Any]] | None = None

    def __len__(self) -> int:
        return 10**12

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": None}  # the library's objects are made where they are used

    def __getitem__(self, index: int) -> Item | Trouble:
        path = self._paths[index % len(self._paths)]
        try:
            return self._item(path, index)
        except AugvizError as error:
            return Trouble(error_to_json(error))
        except pyvips.Error as error:
            problem = read_problem(error, path) or self._failure(path, index, words(error))
            return Trouble(error_to_json(problem))
        except MemoryError:
            return Trouble(error_to_json(OutOfMemory(f"A worker ran out of memory at image {index + 1}.")))

    def _item(self, path: str, index: int) -> Item:
        pipeline, transform = self._made or self._make()
        image = open_image(path, pipeline.input)
        megapixels = image.width * image.height / 1e6
        random.seed(f"{self._seed}:{index}")
        try:
            return Item(_array(transform(image=image)["image"]), megapixels)
        except (AugvizError, pyvips.Error, MemoryError):
            raise
        except Exception as error:  # whatever the library raises ends a training too
            raise self._failure(path, index, words(error)) from error

    def _failure(self, path: str, index: int, said: str) -> ImageError:
        return ImageError(
            f"{display_name(path)}: the pipeline failed on image {index + 1}, as it would in training: {said}"
        )

    def _make(self) -> tuple[Pipeline, Callable[..., Any]]:
        pipeline = saved.load(self._saved)
        # One file over and over would be found decoded in libvips' cache, which no training finds.
        operations, size = VIPS_CACHE if len(set(self._paths)) > 1 else (0, 0)
        pyvips.cache_set_max(operations)
        pyvips.cache_set_max_mem(size)
        self._made = pipeline, transform_of(pipeline)
        return self._made


def transform_of(pipeline: Pipeline) -> Callable[..., Any]:
    """The library's `A.Compose`, by running the very statement that is exported.

    Raises:
        StepError: the library refuses an argument.
    """
    names: dict[str, Any] = {"A": A, "pyvips": pyvips}
    try:
        exec(export.expression(pipeline), names)  # our own text, of values that the catalogue has checked
    except AugvizError:
        raise
    except Exception as error:
        raise StepError("A.Compose", words(error)) from error
    made: Callable[..., Any] = names["transform"]
    return made


def _array(found: Any) -> Any:
    """A result as (bands, height, width)."""
    if isinstance(found, pyvips.Image):
        array = found.numpy().reshape(found.height, found.width, found.bands).transpose(2, 0, 1)
    elif HAS_TORCH:
        return found
    else:
        array = np.asarray(found)
    if not HAS_TORCH:
        return array
    import torch  # noqa: TID251 - as the exported code does

    return torch.from_numpy(array)


class Collate:
    """Makes a batch of items, stacked where they are of one shape and type, and counts the batches of each worker.

    Args:
        made: a number for each worker, which it alone writes; shared with the process that waits for the batches.
        stack: makes one array of several of one shape; PyTorch's own where it is None.
    """

    def __init__(self, made: Any, stack: Callable[[Sequence[Any]], Any] | None = None) -> None:
        self.made, self._stack = made, stack

    def __call__(self, items: Sequence[Item | Trouble]) -> Batch:
        try:
            batch = self._batch(items)
        except MemoryError:
            batch = Batch((), 0, 0.0, False, Trouble(error_to_json(OutOfMemory("A worker ran out of memory."))))
        self.made[_worker_number()] += 1
        return batch

    def _batch(self, items: Sequence[Item | Trouble]) -> Batch:
        good = [item for item in items if isinstance(item, Item)]
        if len(good) < len(items):
            trouble = next(item for item in items if isinstance(item, Trouble))
            return Batch((), len(items), 0.0, False, trouble)
        arrays = [item.array for item in good]
        stacked = len({(tuple(array.shape), str(array.dtype)) for array in arrays}) == 1
        made = (self._stack or _default_collate)(arrays) if stacked else arrays
        return Batch(made, len(good), sum(item.megapixels for item in good), stacked)


def _default_collate(arrays: Sequence[Any]) -> Any:
    from torch.utils.data import default_collate  # noqa: TID251

    return default_collate(list(arrays))


_number = 0


def set_worker_number(number: int) -> None:
    """Tell this process which worker it is; also what a DataLoader calls in each of its workers."""
    global _number
    _number = number


def _worker_number() -> int:
    return _number
