"""The process that `make memory` watches: a DataLoader over one tiled TIFF, and a loop that brings about its worst moment.

That is when the queue is full and all workers are at the end of a batch at once. So the loop takes as many batches as there
are workers, then waits until the queue is full; and the workers wait for each other before they stack their results.

Run as `python -m bench.loading SPECIFICATION`. It says "ready" after its imports, waits for a line, loads, and says "done".
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import albumentationsxl as A  # noqa: N812, TID251 - the name that its users give it
import pyvips
import torch  # noqa: TID251
from torch.utils.data import DataLoader, Dataset, default_collate  # noqa: TID251

FLIPS = (A.HorizontalFlip(p=1.0), A.VerticalFlip(p=1.0))
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PIPELINES = {
    "uint8": A.Compose([*FLIPS, A.ToTensor()]),
    "float32": A.Compose([*FLIPS, A.ToDtype("float", True), A.Normalize(mean=MEAN, std=STD), A.ToTensor()]),
}
"""What gives results of each dtype."""


class Images(Dataset):
    """The same file under `count` names, so that libvips takes it for as many, after the pipeline for `dtype`."""

    def __init__(self, path: str, folder: str, dtype: str, count: int) -> None:
        self.folder, self.ending, self.dtype, self.count = folder, Path(path).suffix, dtype, count
        for index in range(count):
            os.symlink(path, f"{folder}/{index}{self.ending}")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index >= self.count:
            raise IndexError(index)
        image = pyvips.Image.new_from_file(f"{self.folder}/{index}{self.ending}")
        return PIPELINES[self.dtype](image=image)["image"], index


class Together:
    """The library's collate function, in all workers at once, counting the batches that are made."""

    def __init__(self, made: Any, all_here: Any) -> None:
        self.made, self.all_here = made, all_here

    def __call__(self, items: list[Any]) -> Any:
        if self.all_here is not None:
            self.all_here.wait()
        batch = default_collate(items)
        time.sleep(0.05)  # the results are there with the batch, for a moment that a look from outside must not miss
        with self.made.get_lock():
            self.made.value += 1
        return batch


def load(spec: dict[str, Any]) -> None:
    """Take every batch and read it once, as a training that at times is slower than its loading."""
    workers, batches = spec["workers"], spec["batches"]
    context = multiprocessing.get_context(spec["start"])
    made = context.Value("i", 0)
    all_here = context.Barrier(workers) if workers and not spec["by_chance"] else None
    more: dict[str, Any] = {}
    if workers:
        more = {"prefetch_factor": spec["prefetch"], "multiprocessing_context": context}
    with tempfile.TemporaryDirectory() as folder:
        dataset = Images(spec["path"], folder, spec["dtype"], batches * spec["batch"])
        loader = DataLoader(dataset, spec["batch"], num_workers=workers, collate_fn=Together(made, all_here), **more)
        for taken, (images, _) in enumerate(loader, start=1):
            images.max()  # touches every page, as a copy to a device does
            full = min(taken + workers * spec["prefetch"], batches)
            while taken % max(workers, 1) == 0 and made.value < full:
                time.sleep(0.01)
            time.sleep(0.1)


def main() -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    load(json.loads(sys.argv[1]))
    print("done", flush=True)


if __name__ == "__main__":
    main()
