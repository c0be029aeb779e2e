"""The forms of an image that are compared: what they hold, their pixels, their commands, and how soon they give a window."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from augviz import copies, first_window, form_files, forms, measuring, saved
from augviz.context import Context
from augviz.errors import ArgumentError, Cancelled, ImageError
from augviz.forms import FORMS, Form
from augviz.headers import describe
from augviz.images import open_image
from augviz.model import Header, InputChoice, Pipeline
from tests import samples
from tests.kinds import KINDS

PLAIN = InputChoice()
WHOLE = ("8-bit.png", "grey.jpg", "baseline.jpg", "deflated.tif", "tiles.tif", "pyramid.tif", "lossless.webp")
"""Files that every form can hold."""


def out_of(folder: Path, form: Form) -> Path:
    return folder / f"out-{form.name}{form.suffix}"


def write(path: Path, form: Form, choice: InputChoice = PLAIN, context: Context | None = None) -> dict[str, Any]:
    return form_files.write(path, choice, form, out_of(path.parent, form), context or Context())


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", WHOLE)
def test_a_form_has_the_shape_of_the_original_and_its_pixels_unless_it_is_lossy(
    kind: str, form: Form, tmp_path: Path
) -> None:
    path = KINDS[kind].make(tmp_path)
    told = write(path, form)
    was, now = open_image(path), open_image(out_of(tmp_path, form))

    assert (now.width, now.height, now.bands, now.format) == (was.width, was.height, was.bands, was.format)
    assert told["file_bytes"] == out_of(tmp_path, form).stat().st_size
    assert told["options"] == []
    difference = np.abs(now.numpy().astype(int) - was.numpy().astype(int))
    assert difference.mean() < 4 if form.name == "jpeg" else difference.max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_written_or_refused_with_a_reason(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind].make(tmp_path)
    stored = describe(path).header
    for form in FORMS:
        reason = forms.reason_against(form, stored)
        if reason:
            with pytest.raises(ImageError) as raised:
                write(path, form)
            assert str(raised.value) == reason
            assert not out_of(tmp_path, form).exists()
        else:
            write(path, form)
            found = describe(out_of(tmp_path, form)).header
            assert (found.bands, found.format) == (stored.bands, stored.format)
    assert not [left for left in tmp_path.iterdir() if left.name.startswith(".")]


def test_strips_are_strips_and_the_pyramid_has_tiles_and_levels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    samples.rgb(512, 512).resize(2).pngsave(str(path))
    strips, pyramid = (form for form in FORMS if form.suffix == ".tif")
    write(path, strips)
    write(path, pyramid)

    assert describe(out_of(tmp_path, strips)).tile is None
    facts = describe(out_of(tmp_path, pyramid))
    assert facts.tile == (256, 256)
    assert facts.level_sizes == ((1024, 1024), (512, 512), (256, 256))


@pytest.mark.parametrize(
    ("form", "header", "words"),
    [
        (
            "jpeg",
            Header(9, 9, 3, "ushort", "rgb16"),
            "JPEG holds values of 8 bit without a sign; this image has ushort",
        ),
        ("jpeg", Header(9, 9, 4, "uchar", "srgb"), r"1 grey band or 3 bands as RGB; this image has 4 bands \(srgb\)"),
        ("jpeg", Header(65_501, 9, 3, "uchar", "srgb"), "at most 65,500 pixels a side; this image has 65501 x 9"),
        ("png", Header(9, 9, 5, "uchar", "multiband"), "PNG holds 1 to 4 bands"),
        ("png", Header(9, 9, 1, "float", "b-w"), "PNG holds values of 8 or 16 bit without a sign"),
        ("png", Header(9, 9, 4, "uchar", "cmyk"), r"this image has 4 bands \(cmyk\)"),
    ],
)
def test_what_a_form_cannot_hold_is_a_sentence(form: str, header: Header, words: str) -> None:
    assert re.search(words, forms.reason_against(forms.form_named(form), header))


def test_the_longest_side_that_jpeg_is_written_with_is_libjpegs(tmp_path: Path) -> None:
    image = pyvips.Image.black(forms.MAX_JPEG_SIDE + 1, 2)

    image.crop(0, 0, forms.MAX_JPEG_SIDE, 2).jpegsave(str(tmp_path / "a.jpg"))
    with pytest.raises(pyvips.Error, match="65500"):
        image.jpegsave(str(tmp_path / "b.jpg"))


def test_a_page_is_chosen_when_the_form_is_written_and_what_else_is_chosen_is_not(tmp_path: Path) -> None:
    path = KINDS["pages.tif"].make(tmp_path)
    strips = forms.form_named("strips")
    told = write(path, strips, InputChoice(page=1, upright=True, bands=1))

    written, page = open_image(out_of(tmp_path, strips)), open_image(path, InputChoice(page=1))
    assert np.array_equal(written.numpy(), page.numpy())
    assert told["options"] == [["page", 1]]
    assert "pages.tif[fail_on=error,page=1]" in forms.command_line(
        "pages.tif", strips, "uchar", "tiffload", [("page", 1)]
    )


def test_a_level_is_chosen_when_the_form_is_written(tmp_path: Path) -> None:
    path = KINDS["subifds.tif"].make(tmp_path)
    png = forms.form_named("png")
    told = write(path, png, InputChoice(level=2))

    assert np.array_equal(open_image(out_of(tmp_path, png)).numpy(), open_image(path, InputChoice(level=2)).numpy())
    assert told["options"] == [["subifd", 1]]


def given_by(words: list[str]) -> dict[str, Any]:
    """The options of a command as pyvips takes them."""
    options = dict(re.findall(r"--(\S+)(?: ([^-\s]\S*))?", " ".join(words)))
    return {name.replace("-", "_"): int(v) if v.isdigit() else v or True for name, v in options.items()}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", ["baseline.jpg", "uint16.tif", "float32.tif", "pages.tif"])
def test_the_command_line_writes_the_same_file(kind: str, form: Form, tmp_path: Path) -> None:
    path = KINDS[kind].make(tmp_path)
    facts = describe(path)
    if forms.reason_against(form, facts.header):
        return
    choice = InputChoice(page=1) if facts.pages > 1 else PLAIN
    told = write(path, form, choice)
    words = shlex.split(forms.command_line(path.name, form, facts.header.format, facts.loader, told["options"]))
    loaded = words[2].removeprefix(f"{path.name}[").removesuffix("]")
    options = dict(option.split("=") for option in loaded.split(","))
    if "page" in options:
        options["page"] = int(options["page"])
    own = tmp_path / words[3]
    pyvips.Operation.call(words[1], pyvips.Image.new_from_file(str(path), **options), str(own), **given_by(words[4:]))

    assert words[:2] == ["vips", form.saver]
    assert own.name == f"{path.stem}-{form.name}{form.suffix}"
    assert own.read_bytes() == out_of(tmp_path, form).read_bytes()


@pytest.mark.parametrize("name", ["a b.jpg", "it's.jpg", "$(rm).jpg", "a[1].jpg", "-Q.jpg", "ä;.jpg"])
def test_a_name_is_one_word_of_the_command_and_no_option(name: str) -> None:
    for form in FORMS:
        words = shlex.split(forms.command_line(name, form, "uchar", "jpegload"))

        assert words[2].removeprefix("./") == f"{name}[fail_on=truncated]"
        assert not words[2].startswith("-")
        assert not words[3].startswith("-")


def test_the_pyramids_command_is_that_of_a_working_copy() -> None:
    ours = shlex.split(forms.command_line("a.jpg", forms.form_named("pyramid"), "uchar", "jpegload"))
    theirs = shlex.split(copies.command_line("a.jpg", "lossless", "uchar", "jpegload"))

    assert ours[:3] + ours[4:] == theirs[:3] + theirs[4:]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_no_file_is_larger_than_was_expected(form: Form, tmp_path: Path) -> None:
    random = np.random.default_rng(3).integers(0, 256, (1500, 1500, 3), np.uint8)
    path = tmp_path / "noise.tif"
    image = pyvips.Image.new_from_array(random)
    image.tiffsave(str(path))

    assert write(path, form)["file_bytes"] <= forms.file_bytes(form, describe(path).header)


@pytest.mark.usefixtures("every_progress_is_told")
def test_a_request_that_is_given_up_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    samples.rgb(500, 500).replicate(4, 4).pngsave(str(path), compression=1)

    def tell(message: Any) -> None:
        if message.get("progress", [0])[0]:
            context.cancel()

    context = Context(tell, wants_progress=True)

    with pytest.raises(Cancelled):
        write(path, forms.form_named("png"), context=context)
    assert [left.name for left in tmp_path.iterdir()] == ["a.png"]


def test_an_original_that_is_cut_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    samples.rgb(500, 500).tiffsave(str(path))
    path.write_bytes(path.read_bytes()[: 500 * 500])

    with pytest.raises(ImageError, match=r"^a\.tif: "):
        write(path, forms.form_named("strips"))
    assert [left.name for left in tmp_path.iterdir()] == ["a.tif"]


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(ArgumentError, match="form: must be one of jpeg, png, strips, pyramid, got 'gif'"):
        forms.form_named("gif")


# The first window


def request(path: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "input": {}, "pipeline": saved.dump(Pipeline()), "seed": 0, **more}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_first_window_is_timed_as_often_as_asked(form: Form, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    samples.rgb(500, 500).replicate(2, 2).pngsave(str(path))
    write(path, form)
    found = measuring.measure_window(request(out_of(tmp_path, form), side=512, repeats=3), Context())

    assert len(found["wall_seconds"]) == 3
    assert min(found["wall_seconds"]) > 0
    assert found["window"] == [244, 244, 512, 512]
    assert min(found["peak_bytes"], found["baseline_bytes"]) > 0


def test_the_file_is_read_anew_for_each_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    samples.rgb(300, 200).pngsave(str(path))
    opened: list[Any] = []
    monkeypatch.setattr(first_window, "open_image", lambda *args: opened.append(args) or open_image(*args))

    found = first_window.measure(path, PLAIN, 512, 2, Context())

    assert len(opened) == 3  # with the warm-up
    assert found["window"] == [0, 0, 300, 200]


def test_the_window_of_a_pyramid_is_read_without_the_beginning_of_the_file_and_that_of_strips_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.png"
    samples.rgb(500, 500).replicate(3, 3).pngsave(str(path), compression=1)
    for name in ("strips", "pyramid"):
        out = out_of(tmp_path, forms.form_named(name))
        write(path, forms.form_named(name))
        with out.open("r+b") as file:
            file.seek(1000)  # behind the header: the first strip, or the first tile
            file.write(b"\xff" * 2000)

    measured = first_window.measure(out_of(tmp_path, forms.form_named("pyramid")), PLAIN, 512, 1, Context())
    with pytest.raises((ImageError, pyvips.Error)):
        first_window.measure(out_of(tmp_path, forms.form_named("strips")), PLAIN, 512, 1, Context())
    assert measured["window"] == [494, 494, 512, 512]


@pytest.mark.parametrize(("side", "repeats"), [(0, 1), (512, 0), (512, 101)])
def test_windows_and_repeats_are_at_least_one(side: int, repeats: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    samples.rgb(300, 200).pngsave(str(path))

    with pytest.raises(ArgumentError):
        first_window.measure(path, PLAIN, side, repeats, Context())


def test_a_window_that_is_given_up_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    samples.rgb(300, 200).pngsave(str(path))
    context = Context()
    context.cancel()

    with pytest.raises(Cancelled):
        first_window.measure(path, PLAIN, 512, 1, context)
