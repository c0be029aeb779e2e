"""The system's libvips in place of the wheel's: what only it opens, and the core on the oldest release that is supported."""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from augviz import engine, libvips, loading, presets, results, saved, shown, working_copy
from augviz.context import Context
from augviz.dataset_text import OPEN_LEVEL
from augviz.errors import AugvizError, Cancelled, ImageError, StepError
from augviz.headers import describe
from augviz.images import open_image
from augviz.library import A
from augviz.model import InputChoice
from augviz.tasks import TASKS
from tests import kinds
from tests.pictures import Array, smooth

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parent.parent
SIZE = (1024, 640)
FIRST = presets.FIRST.pipeline

FAITHFUL = saved.loads(
    '{"format": 1, "steps": [{"transform": "RandomBrightnessContrast", "p": 1.0}, {"transform": "Rotate", "p": 1.0}, '
    '{"transform": "HorizontalFlip", "p": 1.0}, {"transform": "GaussianBlur", "args": {"sigma_limit": 3}, "p": 1.0}]}'
)


def _vips(**options: Any) -> Callable[[Path], None]:
    """Written by libvips, from an image that is marked as sRGB."""

    def write(path: Path) -> None:
        image = pyvips.Image.new_from_array(smooth(*SIZE)).copy(interpretation="srgb")
        image.write_to_file(str(path), **options)

    return write


def _hamamatsu(path: Path) -> None:
    """A slide that no loader but OpenSlide's reads: a text file that names JPEGs beside it."""

    def jpeg(name: str, width: int, height: int) -> str:
        image = pyvips.Image.new_from_array(smooth(width, height)).copy(interpretation="srgb")
        image.jpegsave(str(path.parent / name), Q=95, restart_interval=4, subsample_mode="off")
        return name

    width, height = SIZE
    fields = {
        "NoLayers": 1,
        "NoJpegColumns": 1,
        "NoJpegRows": 1,
        "ImageFile": jpeg("slide-image.jpg", width, height),
        "MapFile": jpeg("slide-map.jpg", width // 8, height // 8),
        "MacroImage": jpeg("slide-macro.jpg", 64, 48),
        "PhysicalWidth": width * 500,  # nanometres
        "PhysicalHeight": height * 500,
        "SourceLens": 20,
    }
    lines = [f"{name}={value}" for name, value in fields.items()]
    path.write_text("\n".join(["[Virtual Microscope Specimen]", *lines, ""]))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file and what must be told of it; `within` is how far the pixels may be from those that were written."""

    name: str
    write: Callable[[Path], None]
    loader: str
    kind: str
    bands: int = 3
    size: tuple[int, int] = SIZE
    levels: int = 1
    mpp: float | None = None
    within: int = 0


_APERIO = (kinds.LARGE_WIDTH, kinds.LARGE_HEIGHT)
KINDS = (
    Kind("photo.jp2", _vips(lossless=True, tile_width=128, tile_height=128), "jp2kload", "JPEG 2000", levels=4),
    Kind("photo.jxl", _vips(lossless=True), "jxlload", "JPEG XL"),
    Kind("photo.bmp", lambda path: Image.fromarray(smooth(*SIZE)).save(path), "magickload", "BMP"),
    Kind("slide.vms", _hamamatsu, "openslideload", loading.SLIDES, bands=4, levels=7, mpp=0.5, within=6),
    # OpenSlide knows Aperio's slides by what is in them: under this name nothing else is asked.
    Kind("slide.ndpi", kinds._svs, "openslideload", loading.SLIDES, bands=4, size=_APERIO, levels=2, mpp=0.499),
    Kind("slide.svs", kinds._svs, "tiffload", "TIFF", size=_APERIO, levels=2, mpp=0.499),
    Kind("pyramid.tif", _vips(tile=True, tile_width=128, tile_height=128, pyramid=True), "tiffload", "TIFF", levels=4),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of each kind."""
    made = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        kind.write(made / kind.name)
    return made


@pytest.fixture(params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    if found.kind not in loading.PRESENT:
        pytest.skip(f"the system's libvips has no loader for {found.kind}")
    return found


def ask(task: str, path: Path, **args: object) -> Any:
    given = {"path": str(path), "input": {}, "pipeline": saved.dump(FIRST), "seed": 0, "side": 64, "quality": "fine"}
    return TASKS[task]({**given, "upto": None, **args}, Context())


def augviz(*arguments: object) -> str:
    """What a command prints that must succeed without a word on standard error."""
    command = [sys.executable, "-m", "augviz", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)

    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_these_tests_run_with_the_systems_libvips() -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("pyvips-binary")


# What is opened


def test_a_header_tells_what_the_file_holds(kind: Kind, folder: Path) -> None:
    facts = describe(folder / kind.name)

    assert (facts.loader, facts.header.bands, facts.header.format) == (kind.loader, kind.bands, "uchar")
    assert (facts.header.width, facts.header.height, facts.levels) == (*kind.size, kind.levels)
    assert facts.mpp_x == (pytest.approx(kind.mpp) if kind.mpp else None)
    assert json.loads(augviz("info", folder / kind.name, "--json"))["levels"] == kind.levels


def test_pixels_are_those_that_were_written_with_alpha_beside_them(kind: Kind, folder: Path) -> None:
    pixels = open_image(folder / kind.name).numpy().astype(int)

    assert np.abs(pixels[..., :3] - smooth(*kind.size).astype(int)).max() <= kind.within
    if kind.bands == 4:
        assert (pixels[..., 3] == 255).all()


def test_a_level_is_opened_by_its_number(kind: Kind, folder: Path) -> None:
    if kind.levels == 1:
        with pytest.raises(ImageError, match="there is no level 1; the file has 1 level"):
            open_image(folder / kind.name, InputChoice(level=1))
        return

    facts = describe(folder / kind.name, InputChoice(level=1))
    image = open_image(folder / kind.name, InputChoice(level=1))

    assert image.width in (kind.size[0] // 2, kind.size[0] // 4)
    assert (image.width, image.height) == facts.level_sizes[0]
    if kind.loader == "openslideload":
        reference = pyvips.Image.new_from_file(str(folder / kind.name), level=1)
        assert np.array_equal(image.numpy(), reference.numpy())


def test_an_image_has_a_picture_and_the_original_a_thumbnail(kind: Kind, folder: Path) -> None:
    for task in ("picture", "original"):
        meta, blob = ask(task, folder / kind.name)

        seen = pyvips.Image.new_from_buffer(blob, "")
        assert max(seen.width, seen.height) <= 64
        assert seen.deviate() > 1  # a picture, not one colour
    assert meta


def test_apply_gives_what_the_library_gives_by_itself(kind: Kind, folder: Path, tmp_path: Path) -> None:
    pipeline, out = tmp_path / "pipeline.json", tmp_path / "out.npy"
    pipeline.write_text(saved.dumps(FAITHFUL))

    augviz("apply", folder / kind.name, pipeline, "--seed", 7, "-o", out)

    made = np.load(out)
    result = open_image(folder / kind.name)
    for step in FAITHFUL.steps:
        transform = getattr(A, step.transform)(**dict(step.args), p=1.0)
        random.seed(f"7:{step.id}")
        result = transform(image=result)["image"]
    assert made.shape == (result.height, result.width, result.bands)
    assert np.array_equal(made, result.numpy())


def test_a_preview_and_the_full_size_show_the_same_draw_of_the_tutorials_pipeline(
    kind: Kind, folder: Path, tmp_path: Path
) -> None:
    pipeline, out = tmp_path / "pipeline.json", tmp_path / "preview.png"
    pipeline.write_text(saved.dumps(FIRST))

    augviz("preview", folder / kind.name, pipeline, "--seed", 3, "--max-side", 128, "-o", out)
    whole = engine.apply(open_image(folder / kind.name), FIRST, 3)

    preview = pyvips.Image.new_from_file(str(out))
    assert preview.deviate() > 1
    assert preview.width / preview.height == pytest.approx(whole.image.width / whole.image.height, abs=0.02)


@pytest.mark.parametrize("name", ["photo.jp2", "photo.jxl", "photo.bmp"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.999])
def test_a_file_that_is_cut_is_an_error_and_never_other_pixels(
    name: str, part: float, folder: Path, tmp_path: Path
) -> None:
    whole = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * part)])

    with pytest.raises(ImageError, match=rf"^{name}: [^\n]+\.$"):
        ask("picture", path)


@pytest.mark.parametrize("name", ["boxed.jp2", "open.jp2", "bare.j2k"])
def test_a_jpeg_2000_that_is_cut_is_refused_before_it_is_decoded(name: str, folder: Path, tmp_path: Path) -> None:
    boxed = (folder / "photo.jp2").read_bytes()
    at = boxed.index(b"jp2c")
    content = {
        "boxed.jp2": boxed,
        "open.jp2": boxed[: at - 4] + bytes(4) + boxed[at:],  # a length of 0: to the end of the file
        "bare.j2k": boxed[at + 4 :],
    }[name]
    path = tmp_path / name

    path.write_bytes(content + b"more")
    assert np.array_equal(open_image(path).numpy(), smooth(*SIZE))
    for missing in (1, 200, 5000, len(content) // 2):
        path.write_bytes(content[:-missing])
        with pytest.raises(ImageError, match=rf"^{name}: the file is damaged, cut short or still being written: "):
            open_image(path)


def test_a_slide_that_names_files_of_another_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "slide.vms"
    text = (folder / "slide.vms").read_text()
    path.write_text(text.replace("slide-", f"../{os.path.relpath(folder, tmp_path.parent)}/slide-"))

    with pytest.raises(ImageError, match=r"^slide\.vms: the slide names files that are not in its own folder\.$"):
        open_image(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("drawing.mvg", b"push graphic-context\nviewbox 0 0 9 9\npop graphic-context\n"),
        ("drawing.bmp", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        ("script.bmp", b'<?xml version="1.0"?><image><read filename="/etc/hostname"/></image>'),
        ("photo.psd", b"8BPS" + bytes(500)),
        ("pixels.ppm", b"P6\n2 2\n255\n" + bytes(12)),
        ("matrix.txt", b"2 2\n1 2\n3 4\n"),
        ("document.pdf", b"%PDF-1.4\n" + bytes(500)),
    ],
)
def test_of_imagemagicks_readers_none_but_that_of_bmp_is_reached(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(ImageError, match=r"not opened|this is not an image of a kind that is opened"):
        open_image(path)


def test_the_code_of_a_dataset_opens_levels_of_a_slide(folder: Path) -> None:
    names: dict[str, Any] = {"pyvips": pyvips}
    exec(OPEN_LEVEL, names)  # the code that is exported

    for name in ("slide.vms", "photo.jp2"):
        image = names["open_level"](folder / name, 1)
        assert np.array_equal(image.numpy(), open_image(folder / name, InputChoice(level=1)).numpy())


# The core on an old libvips


def test_a_file_that_was_rewritten_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(path)
    before = open_image(path).avg()
    Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(path)
    os.utime(path, ns=(0, 10**18))

    assert (before, open_image(path).avg()) == (0, 200)


@pytest.mark.parametrize("options", [(), (("page", 2),), (("subifd", 1),)])
def test_the_tile_size_of_each_directory_is_known(options: tuple[tuple[str, int], ...], tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    has_subifds = any(name == "subifd" for name, _ in options)
    _vips(tile=True, tile_width=128, tile_height=64, pyramid=True, subifd=has_subifds)(path)

    image = loading.load(path, options)

    assert (image.get("tile-width"), image.get("tile-height")) == (128, 64)


def test_pictures_for_the_screen_carry_no_metadata() -> None:
    image = pyvips.Image.new_from_array(smooth(*SIZE)).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)

    for data in (shown.encode_jpeg(image), shown.encode_png(image)):
        assert b"Exif" not in data
        assert pyvips.Image.new_from_buffer(data, "").width == SIZE[0]


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_result_is_written_as_numpy_reads_it(tensor: bool, dtype: str, tmp_path: Path) -> None:
    pixels: Array = smooth(1500, 1100, 3, dtype)

    results.write_result(pyvips.Image.new_from_array(pixels), tmp_path / "a.npy", tensor)

    made = np.load(tmp_path / "a.npy")
    assert np.array_equal(made, np.moveaxis(pixels, -1, 0) if tensor else pixels)


def test_what_takes_raw_pixels_can_end_the_evaluation() -> None:
    taken: list[int] = []

    def write(piece: Any) -> int:
        taken.append(len(piece))
        return -1

    with pytest.raises(pyvips.Error):
        libvips.feed_raw(pyvips.Image.black(4000, 4000, bands=3), write)
    assert len(taken) == 1


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_result_is_written_as_an_image(suffix: str, tmp_path: Path) -> None:
    results.write_result(pyvips.Image.new_from_array(smooth(*SIZE)), tmp_path / f"a{suffix}")

    assert np.array_equal(open_image(tmp_path / f"a{suffix}").numpy(), smooth(*SIZE))


@pytest.mark.usefixtures("every_progress_is_told")
def test_a_working_copy_of_a_file_that_is_given_up_or_cut_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path, compress_level=1)

    def tell(message: Any) -> None:
        if message.get("progress", [0])[0]:
            context.cancel()

    context = Context(tell, wants_progress=True)
    out = tmp_path / "copies" / "a.tif"
    with pytest.raises(Cancelled):
        working_copy.make(path, "lossless", out, context)
    assert list(out.parent.iterdir()) == []

    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3] + whole[-12:])  # with its end, so that only the pixels tell
    with pytest.raises(AugvizError, match=r"^a\.png: [^\n]+\.$"):
        working_copy.make(path, "lossless", out, Context())
    assert list(out.parent.iterdir()) == []


def test_a_working_copy_has_the_pixels_of_its_original(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "copies" / "a.tif"

    working_copy.make(folder / "photo.jp2", "lossless", out, Context())

    assert np.array_equal(open_image(out).numpy(), smooth(*SIZE))
    assert describe(out).tile == (256, 256)


def test_a_kernel_that_this_libvips_has_not_got_is_named_in_one_sentence(folder: Path) -> None:
    if pyvips.at_least_libvips(8, 18):
        pytest.skip("this release has every kernel")
    text = '{"format": 1, "steps": [{"transform": "Resize", "args": {"height": 50, "width": 60, "interpolation": "mks2013"}}]}'

    with pytest.raises(StepError, match=r"^step 1, Resize: [^\n]*'mks2013'"):
        engine.apply(open_image(folder / "photo.jxl"), saved.loads(text), 0)
