"""The text of a training module around a transform: Dataset, collate, seeding of workers, DataLoader."""

from __future__ import annotations

from augviz import batches, catalog
from augviz.model import Group, ImageFacts, InputChoice, Item, Pipeline

_UNSEEDED_NOISE = "D41"
"""The defect of the transforms that no seed reaches."""

_MODULE = '''\
{requirements}"""Draw training batches with the transform below: python THIS_FILE FOLDER.

FOLDER holds one folder of images for each class.
"""

import itertools
import random
import sys
from pathlib import Path

{imports}

SUFFIXES = {{
    *(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".heic", ".avif", ".jp2", ".jxl"),
    *(".svs", ".ndpi", ".mrxs", ".scn"),
}}
{constants}
{transform}

{functions}


class FolderDataset(Dataset):
    """The images below `folder`; a label is the index of the class folder's name in `classes`."""

    def __init__(self, folder):
        folder = Path(folder)
        self.classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        self.images = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in sorted((folder / name).iterdir())
            if path.suffix.lower() in SUFFIXES
        ]
        if not self.images:
            raise ValueError(f"{{folder}}: there are no images in folders of classes")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        path, label = self.images[index]
        image = transform(image=open_image(path))["image"]
        return {result}, label


def seed_worker(worker_id):
    """Give each worker random numbers of its own; albumentationsxl draws from Python's `random`."""
    random.seed(torch.initial_seed() % 2**32){noise_remark}


def make_loader(folder, batch_size=4, workers=2, seed=0):
    """A DataLoader over the images of `folder` in random order."""
    return DataLoader(
        FolderDataset(folder),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,{collate_argument}
        worker_init_fn=seed_worker,
        generator=torch.Generator().manual_seed(seed),
        # libvips works in threads, which a forked process would not have
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {{sys.argv[0]}} FOLDER")
    for images, labels in itertools.islice(make_loader(sys.argv[1]), 2):
        print([tuple(image.shape) for image in images], labels.tolist())
'''

OPEN_LEVEL = '''\
def open_level(path, level, **options):
    """Open one level of a pyramid; 0 is full size."""
    image = pyvips.Image.new_from_file(str(path), **options)
    if image.get("vips-loader").startswith("openslide"):
        return pyvips.Image.new_from_file(str(path), level=level, **options)
    if image.get_typeof("n-subifds"):
        return pyvips.Image.new_from_file(str(path), subifd=level - 1, **options)
    found = image
    for page in range(1, image.get("n-pages") if image.get_typeof("n-pages") else 1):
        smaller = pyvips.Image.new_from_file(str(path), page=page)
        is_tiled = smaller.get_typeof("tile-width") == image.get_typeof("tile-width")
        if is_tiled and smaller.width < found.width:  # a thumbnail among the pages is not tiled
            found = smaller
            level -= 1
        if level == 0:
            return found
    raise ValueError(f"{path}: the pyramid has too few levels")'''

_TO_TENSOR = '''\
def to_tensor(image):
    """A tensor of (bands, height, width) with the image's own type."""
    array = image.numpy().reshape(image.height, image.width, image.bands)
    return torch.from_numpy(array.transpose(2, 0, 1))'''

_COLLATE = '''\
def collate(batch):
    """Keep the images in a list, since they can differ in size or type."""
    images, labels = zip(*batch, strict=True)
    return list(images), torch.tensor(labels)'''


def module(
    pipeline: Pipeline, facts: ImageFacts | None, *, requirements: str, imports: list[str], transform: str
) -> str:
    """The whole module. `transform` is the statement that sets it, `imports` are those that it needs."""
    stacks = batches.stack(pipeline, facts)
    bands = _bands(pipeline, facts)
    needed = {*imports, "import pyvips", "import torch"}
    functions = [_open_image(pipeline.input, bool(bands))]
    if pipeline.input.level:
        functions.insert(0, OPEN_LEVEL)
    result = "image"
    if not _ends_in_tensor(pipeline):
        functions.append(_TO_TENSOR)
        result = "to_tensor(image)"
        if "ToTensor" in _transforms(pipeline.steps):  # inside a group: whether it is applied is drawn
            result = f"image if torch.is_tensor(image) else {result}"
    if not stacks:
        functions.append(_COLLATE)
    return _MODULE.format(
        requirements=requirements,
        imports="\n".join([*sorted(needed), "from torch.utils.data import DataLoader, Dataset"]),
        constants=_bands_constant(bands),
        transform=transform,
        functions="\n\n\n".join(functions),
        result=result,
        noise_remark=_noise_remark(pipeline),
        collate_argument="" if stacks else "\n        collate_fn=collate,",
    )


def _bands(pipeline: Pipeline, facts: ImageFacts | None) -> tuple[int, ...]:
    """The numbers of bands that an image may have; empty if any will do."""
    if facts is not None:
        bands = batches.source_bands(pipeline, facts)
        accepted = batches.accepted_bands(pipeline, "uchar" if pipeline.input.as_8_bit else facts.header.format)
        return (bands,) if bands in accepted or bands > batches.MAX_PROBED_BANDS else accepted
    if pipeline.input.bands is not None:
        return (pipeline.input.bands,)
    accepted = batches.accepted_bands(pipeline)
    return () if len(accepted) == batches.MAX_PROBED_BANDS else accepted


def _bands_constant(bands: tuple[int, ...]) -> str:
    if not bands:
        return ""
    numbers = f"({bands[0]},)" if len(bands) == 1 else str(bands)
    return f"BANDS = {numbers}  # how many bands an image may have\n"


def opening(choice: InputChoice, path: str, text: str) -> list[str]:
    """The statements that set `image` to what a pipeline takes of a file: page, level, orientation, 8 bit, bands.

    Args:
        path: the expression of the file's path; a level also needs `OPEN_LEVEL`.
        text: the expression of the path as text.
    """
    page = f", page={choice.page}" if choice.page is not None else ""
    if choice.level:
        lines = [f"image = open_level({path}, {choice.level}{page})"]
    else:
        lines = [f"image = pyvips.Image.new_from_file({text}{page})"]
    if choice.upright:
        lines.append("image = image.autorot()")
    if choice.as_8_bit:
        lines.append('image = image.colourspace("srgb" if image.bands >= 3 else "b-w")')
    if choice.bands is not None:
        lines.append(f"image = image[:{choice.bands}]")
    return lines


def _open_image(choice: InputChoice, checked: bool) -> str:
    """The function that opens a file as the pipeline takes it."""
    lines = ["def open_image(path):", '    """Open an image file; pixels are read when they are needed."""']
    lines += [f"    {line}" for line in opening(choice, "path", "str(path)")]
    if checked:
        lines += [
            "    if image.bands not in BANDS:",
            '        bands = " or ".join(map(str, BANDS))',
            '        raise ValueError(f"{path}: the image must have {bands} bands, got {image.bands}")',
        ]
    return "\n".join([*lines, "    return image"])


def _ends_in_tensor(pipeline: Pipeline) -> bool:
    return any(
        not isinstance(item, Group) and item.transform == "ToTensor" and item.get("always_apply", True)
        for item in batches.enabled(pipeline.steps)
    )


def _transforms(items: tuple[Item, ...]) -> set[str]:
    """Names of the transforms that take part."""
    names: set[str] = set()
    for item in batches.enabled(items):
        names |= _transforms(item.steps) if isinstance(item, Group) else {item.transform}
    return names


def unseeded(pipeline: Pipeline) -> list[str]:
    """Names of the transforms taking part whose noise libvips seeds by itself, sorted."""
    return sorted(
        name
        for name in _transforms(pipeline.steps)
        if any(caveat.defect == _UNSEEDED_NOISE for caveat in catalog.TRANSFORMS[name].caveats)
    )


def _noise_remark(pipeline: Pipeline) -> str:
    names = unseeded(pipeline)
    if not names:
        return ""
    return f"\n    # libvips seeds the noise of {' and '.join(names)} itself: it differs from run to run"
