"""Working copies on real files: the pixels and the header of the original, at the levels of a pyramid, or nothing at all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import copies, jobs, working_copy
from augviz.context import Context
from augviz.errors import Cancelled, ImageError
from augviz.headers import describe
from augviz.images import base, open_image
from augviz.model import InputChoice
from augviz.settings import Settings, get_settings
from tests import samples
from tests.live import until

Write = Callable[[Path], None]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cache folder of its own."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def noise(bands: int, dtype: str, width: int = 601, height: int = 403) -> pyvips.Image:
    """Pixels that no lossy writer keeps."""
    random = np.random.default_rng(7)
    shape = (height, width, bands) if bands > 1 else (height, width)
    if dtype == "float32":
        return pyvips.Image.new_from_array(random.normal(0, 1e3, shape).astype(dtype))
    return pyvips.Image.new_from_array(random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True))


def saved(name: str, image: pyvips.Image, **options: Any) -> tuple[str, Write]:
    return name, lambda path: image.write_to_file(str(path), **options)


def rotated() -> pyvips.Image:
    image = samples.rgb(200, 120).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    return image


FILES: dict[str, tuple[str, Write]] = {
    "RGB JPEG": saved("a.jpg", samples.rgb(301, 203), Q=90),
    "progressive JPEG": saved("a.jpg", samples.rgb(301, 203), Q=90, interlace=True),
    "grey JPEG": saved("a.jpg", samples.rgb(301, 203).colourspace("b-w"), Q=90),
    "CMYK JPEG": saved("a.jpg", samples.rgb(301, 203).icc_transform("cmyk", input_profile="srgb"), Q=90),
    "turned JPEG": ("a.jpg", lambda path: rotated().jpegsave(str(path), Q=90)),
    "turned TIFF": ("a.tif", lambda path: rotated().tiffsave(str(path))),
    "JPEG with a profile": saved("a.jpg", samples.rgb(301, 203), Q=90, profile="p3"),
    "RGB PNG": saved("a.png", noise(3, "uint8")),
    "RGBA PNG": saved("a.png", noise(4, "uint8").copy(interpretation="srgb")),
    "grey PNG": saved("a.png", noise(1, "uint8")),
    "grey and alpha PNG": saved("a.png", noise(2, "uint8").copy(interpretation="b-w")),
    "16 bit RGB PNG": saved("a.png", noise(3, "uint16").copy(interpretation="rgb16")),
    "16 bit grey PNG": saved("a.png", noise(1, "uint16").copy(interpretation="grey16")),
    "16 bit strip TIFF of 4 bands": saved("a.tif", noise(4, "uint16")),
    "strip TIFF of 5 bands": saved("a.tif", noise(5, "uint8")),
    "16 bit strip TIFF of 5 bands": saved("a.tif", noise(5, "uint16")),
    "float strip TIFF": saved("a.tif", noise(1, "float32")),
    "float strip TIFF of 3 bands": saved("a.tif", noise(3, "float32")),
    "float strip TIFF of 5 bands": saved("a.tif", noise(5, "float32")),
    "signed strip TIFF": saved("a.tif", noise(1, "int16")),
    "32 bit strip TIFF": saved("a.tif", noise(1, "uint32")),
    "CMYK strip TIFF": saved("a.tif", noise(4, "uint8").copy(interpretation="cmyk")),
    "WebP": saved("a.webp", samples.rgb(301, 203), lossless=True),
}


def original(folder: Path, kind: str = "RGB JPEG") -> Path:
    name, write = FILES[kind]
    path = folder / name
    write(path)
    return path


def make(path: Path, kind: str = "lossless", context: Context | None = None) -> Path:
    out = copies.place(path, kind)
    working_copy.make(path, kind, out, context or Context())
    return out


def left_in(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.cache_folder / "copies").glob("*"))


def cut(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("kind", FILES)
def test_a_lossless_copy_has_the_pixels_and_the_header_of_the_original(kind: str, tmp_path: Path) -> None:
    path = original(tmp_path, kind)
    copy = make(path)
    was, now = open_image(path), open_image(copy)

    assert np.array_equal(now.numpy(), was.numpy())
    assert describe(copy).header == describe(path).header
    assert describe(copy).orientation == describe(path).orientation
    assert [image.get_typeof("icc-profile-data") for image in (was, now)].count(0) in (0, 2)


def test_a_profile_is_kept_byte_for_byte(tmp_path: Path) -> None:
    path = original(tmp_path, "JPEG with a profile")

    assert open_image(make(path)).get("icc-profile-data") == open_image(path).get("icc-profile-data")


@pytest.mark.parametrize("kind", ["turned JPEG", "turned TIFF"])
def test_a_turned_image_is_turned_upright_from_its_copy_as_from_itself(kind: str, tmp_path: Path) -> None:
    path = original(tmp_path, kind)
    upright = InputChoice(upright=True)
    was, now = open_image(path, upright), open_image(make(path), upright)

    assert (now.width, now.height) == (120, 200)
    assert np.array_equal(now.numpy(), was.numpy())


def test_a_copy_is_read_by_regions_and_its_levels_are_the_original_shrunk(tmp_path: Path) -> None:
    path = original(tmp_path)
    samples.rgb(512, 512).resize(4).jpegsave(str(path), Q=90)
    copy = make(path)
    facts = describe(copy)
    was, now = (base(file, width=512, height=512).numpy().astype(float) for file in (path, copy))

    assert facts.tile == (256, 256)
    assert facts.level_sizes == ((2048, 2048), (1024, 1024), (512, 512), (256, 256))
    assert facts.pages == 1
    assert np.abs(was - now).mean() < 1


@pytest.mark.parametrize("kind", ["RGB JPEG", "grey JPEG", "RGB PNG"])
def test_a_jpeg_copy_has_the_header_and_nearly_the_pixels_of_the_original(kind: str, tmp_path: Path) -> None:
    path = original(tmp_path, kind)
    if kind == "RGB PNG":
        samples.rgb(301, 203).pngsave(str(path))
    copy = make(path, "jpeg")
    difference = np.abs(open_image(copy).numpy().astype(int) - open_image(path).numpy().astype(int))

    assert describe(copy).header == describe(path).header
    assert 0 < difference.mean() < 4


@pytest.mark.parametrize("kind", ["16 bit RGB PNG", "RGBA PNG", "CMYK JPEG", "float strip TIFF"])
def test_a_jpeg_copy_of_what_jpeg_cannot_hold_is_refused(kind: str, tmp_path: Path, settings: Settings) -> None:
    path = original(tmp_path, kind)

    with pytest.raises(ImageError, match=r"^a\.\w+: the kind of its working copy must be lossless, got jpeg\.$"):
        make(path, "jpeg")
    assert left_in(settings) == []


@pytest.mark.parametrize("kind", ["RGB JPEG", "progressive JPEG", "RGB PNG", "strip TIFF of 5 bands", "WebP"])
def test_a_truncated_original_gets_one_sentence_and_no_copy(kind: str, tmp_path: Path, settings: Settings) -> None:
    path = cut(original(tmp_path, kind))

    with pytest.raises(ImageError, match=rf"^{path.name}: "):
        make(path)
    assert left_in(settings) == []
    assert copies.find(path) is None


@pytest.mark.usefixtures("every_progress_is_told")
def test_a_request_that_is_given_up_while_pixels_are_written_leaves_nothing(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.png"
    noise(3, "uint8", 2000, 2000).pngsave(str(path), compression=1)
    told: list[Any] = []

    def tell(message: Any) -> None:
        told.append(message)
        if message.get("progress", [0])[0]:
            context.cancel()

    context = Context(tell, wants_progress=True)

    with pytest.raises(Cancelled):
        make(path, context=context)
    assert told
    assert left_in(settings) == []


def test_an_original_that_changes_meanwhile_gets_no_copy(tmp_path: Path, settings: Settings) -> None:
    path = original(tmp_path)

    class Rewriting(Context):
        def progress(self, fraction: float | None, text: str = "") -> None:
            original(tmp_path, "RGB PNG").rename(path)

    with pytest.raises(ImageError, match=r"^a\.jpg: the file was changed while its working copy was made\.$"):
        make(path, context=Rewriting())
    assert left_in(settings) == []


def test_a_copy_without_room_in_the_quota_is_not_begun(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "100 kB")
    get_settings.cache_clear()

    with pytest.raises(
        ImageError, match=r"a\.jpg: a working copy takes up to \d+ kB, but of the cache's quota of 100 kB"
    ):
        make(original(tmp_path))
    assert left_in(settings) == []


@pytest.mark.parametrize("kind", ["RGB JPEG", "float strip TIFF", "grey PNG"])
def test_the_command_line_writes_the_same_file(kind: str, tmp_path: Path) -> None:
    path = original(tmp_path, kind)
    header = describe(path).header
    for made in copies.kinds_for(header):
        words = shlex.split(copies.command_line(path.name, made, header.format, describe(path).loader))
        options = dict(re.findall(r"--(\S+)(?: ([^-\s]\S*))?", " ".join(words[4:])))
        given = {name.replace("-", "_"): int(v) if v.isdigit() else v or True for name, v in options.items()}
        fail_on = words[2].removeprefix(f"{path.name}[fail_on=").removesuffix("]")
        pyvips.Image.new_from_file(str(path), fail_on=fail_on).tiffsave(str(tmp_path / "own.tif"), **given)

        assert (tmp_path / "own.tif").read_bytes() == make(path, made).read_bytes()


def run(path: Path, **options: Any) -> jobs.Job:
    args = {"path": str(path), "kind": "lossless", "out": str(copies.place(path, "lossless"))}
    return jobs.start_job("make_working_copy", args, seconds=60, **{"memory_bytes": 0, "threads": 2, **options})


def test_a_job_makes_a_copy_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path = original(tmp_path)
    job = run(path)
    job.result()

    assert job.progress[1] == working_copy.WRITING
    assert copies.path_for(path, InputChoice()) == copies.place(path, "lossless")


def test_a_job_that_is_cancelled_leaves_nothing(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.png"
    samples.rgb(500, 500).replicate(16, 16).pngsave(str(path), compression=1)
    job = run(path, threads=1)
    while not job.progress[0] and job.state == "running":
        job.wait(0.02)
    job.cancel()

    assert job.wait(10) == "cancelled"
    until(lambda: not left_in(settings))


def test_the_job_of_a_truncated_original_fails_with_its_sentence(tmp_path: Path, settings: Settings) -> None:
    job = run(cut(original(tmp_path)))

    with pytest.raises(ImageError, match=r"^a\.jpg: .*(cut short|damaged)"):
        job.result()
    assert left_in(settings) == []
