"""Where working copies are, whose they are, and what room they take."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from augviz import copies, held_folder, working_copy
from augviz.cli import main
from augviz.context import Context
from augviz.errors import ImageError
from augviz.headers import describe
from augviz.model import Header, ImageFacts, InputChoice
from augviz.settings import Settings, get_settings
from augviz.sources import cache_bytes
from augviz.upload_session import Upload
from augviz.uploads import Uploads, get_uploads
from tests import samples

PLAIN = InputChoice()
GREY = Header(100, 50, 1, "uchar", "b-w")


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uploads: None) -> Settings:
    """A cache folder of its own; its uploads too."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    return get_settings()


def picture(path: Path, width: int = 90) -> Path:
    path.parent.mkdir(exist_ok=True)
    samples.rgb(width, 70).jpegsave(str(path))
    return path


def make(path: Path, kind: str = "lossless") -> Path:
    out = copies.place(path, kind)
    working_copy.make(path, kind, out, Context())
    return out


def files_of(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.cache_folder / "copies").glob("*"))


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


def sent(uploads: Uploads, token: str, path: Path) -> Upload:
    return asyncio.run(uploads.receive(token, path.name, None, chunks(path.read_bytes())))


def test_a_file_is_read_through_its_copy_once_there_is_one(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")

    assert copies.find(path) is None
    assert copies.path_for(path, PLAIN) == path

    made = make(path)

    assert copies.find(path) == copies.Copy(made, "lossless", made.stat().st_size)
    assert copies.path_for(path, PLAIN) == made
    assert copies.path_for(path, InputChoice(upright=True, bands=1)) == made


def test_a_copy_tells_its_original_and_whether_it_can_stand_for_its_exact_pixels(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    lossless, jpeg = make(path), make(path, "jpeg")

    assert [copies.original_of(file) for file in (path, lossless, jpeg)] == [path] * 3
    assert [copies.exact_path(file) for file in (path, lossless, jpeg)] == [path, lossless, path]


def test_a_tiff_beside_a_foreign_json_file_is_its_own_original(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    other = make(picture(tmp_path / "a.jpg"), "jpeg")
    for text in ("[]", "{}", '{"format": 1, "original": 5}', other.with_suffix(".json").read_text()):
        path.with_suffix(".json").write_text(text)

        assert copies.original_of(path) == copies.exact_path(path) == path


def test_a_page_or_level_is_always_read_from_the_original(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path)

    assert copies.path_for(path, InputChoice(page=0)) == path
    assert copies.path_for(path, InputChoice(level=1)) == path


def test_a_file_written_anew_drops_its_stale_copy(tmp_path: Path, settings: Settings) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path)
    picture(path, width=80)

    assert copies.path_for(path, PLAIN) == path
    assert files_of(settings) == []


def test_a_file_of_the_same_size_with_another_time_drops_its_copy(tmp_path: Path, settings: Settings) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))

    assert copies.find(path) is None
    assert files_of(settings) == []


def test_two_files_of_one_name_have_two_copies(tmp_path: Path) -> None:
    one = picture(tmp_path / "one" / "a.jpg")
    (tmp_path / "two").mkdir()
    two = Path(shutil.copy2(one, tmp_path / "two" / "a.jpg"))
    make(one)

    assert copies.find(two) is None

    make(two)

    assert copies.path_for(one, PLAIN) == copies.place(one, "lossless") != copies.place(two, "lossless")

    copies.delete(one)

    assert copies.find(one) is None
    assert copies.path_for(two, PLAIN) == copies.place(two, "lossless")


def test_a_copy_whose_note_names_another_file_is_not_taken(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    note = make(path).with_suffix(".json")
    note.write_text(json.dumps({**json.loads(note.read_text()), "original": "/another.jpg"}))

    assert copies.path_for(path, PLAIN) == path


def test_a_copy_without_its_note_is_not_taken(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path).with_suffix(".json").unlink()

    assert copies.path_for(path, PLAIN) == path


def test_deleting_a_copy_leaves_the_original_and_nothing_else(tmp_path: Path, settings: Settings) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path)
    make(path, "jpeg")
    copies.delete(path)

    assert copies.find(path) is None
    assert files_of(settings) == []
    assert path.exists()


def test_the_lossless_copy_is_taken_where_there_are_both(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path, "jpeg")

    assert copies.path_for(path, PLAIN) == copies.place(path, "jpeg")

    make(path)

    assert copies.path_for(path, PLAIN) == copies.place(path, "lossless")


def test_a_file_that_is_not_there_has_no_copy(tmp_path: Path) -> None:
    assert copies.path_for(tmp_path / "gone.jpg", PLAIN) == tmp_path / "gone.jpg"
    with pytest.raises(ImageError, match=r"^gone\.jpg: no working copy can be made: No such file or directory\.$"):
        copies.place(tmp_path / "gone.jpg", "lossless")


def test_the_command_line_never_reads_a_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = picture(tmp_path / "a.jpg")
    make(path)

    assert main(["info", "--json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["loader"] == "jpegload"


def test_the_copy_of_an_upload_lies_beside_it_and_goes_with_it(tmp_path: Path, settings: Settings) -> None:
    uploads = get_uploads()
    token = uploads.open_session()
    one, two = (sent(uploads, token, picture(tmp_path / name)) for name in ("a.jpg", "b.jpg"))
    made, kept = make(one.path), make(two.path)
    unfinished = made.with_name(f".{made.stem}.0123.tif")
    unfinished.touch()

    assert made.parent == one.path.parent
    assert copies.path_for(one.path, PLAIN) == made
    assert files_of(settings) == []

    uploads.remove(token, one.id)

    assert sorted(path.name for path in made.parent.iterdir()) == sorted(
        [two.id, kept.name, kept.with_suffix(".json").name]
    )
    assert copies.path_for(two.path, PLAIN) == kept


def test_uploads_and_their_copies_count_in_the_quota(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = get_uploads()
    upload = sent(uploads, uploads.open_session(), picture(tmp_path / "a.jpg"))
    assert cache_bytes() >= upload.file_bytes
    assert make(upload.path).is_file()
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", str(cache_bytes()))
    get_settings.cache_clear()

    for path in (upload.path, tmp_path / "a.jpg"):
        with pytest.raises(ImageError, match="quota"):
            copies.check_room(path, Header(10, 10, 3, "uchar"), "lossless")


def test_a_copy_beyond_the_quota_is_refused_with_the_sizes(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    vast = Header(10**6, 10**6, 5, "float")

    with pytest.raises(
        ImageError, match=r"^a\.jpg: a working copy takes up to 26\.7 TB, but of the cache's quota of 20 GB"
    ):
        copies.check_room(path, vast, "lossless")


def test_a_full_disk_is_told_where_the_quota_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1000 TB")
    get_settings.cache_clear()
    path = picture(tmp_path / "a.jpg")

    with pytest.raises(ImageError, match=r"takes up to 26\.7 TB, but [\d.]+ [GMTk]?B are free on the disk\.$"):
        copies.check_room(path, Header(10**6, 10**6, 5, "float"), "lossless")


def test_copies_of_files_that_are_gone_make_room(tmp_path: Path, settings: Settings) -> None:
    gone, kept = picture(tmp_path / "gone.jpg"), picture(tmp_path / "kept.jpg")
    make(gone)
    make(kept)
    gone.unlink()
    copies.sweep()

    assert files_of(settings) == sorted(
        [copies.place(kept, "lossless").name, copies.place(kept, "lossless").with_suffix(".json").name]
    )


def test_files_that_were_never_finished_go_when_no_job_can_still_write_them(tmp_path: Path, settings: Settings) -> None:
    folder = settings.cache_folder / "copies"
    folder.mkdir(parents=True)
    for name in (".left.0.tif", "old.json", "new.json"):
        (folder / name).touch()
    os.utime(folder / "old.json", (1, 1))
    with held_folder.new_file(folder / ".new.0.tif"):
        os.utime(folder / ".new.0.tif", (1, 1))
        copies.sweep()

    assert files_of(settings) == [".new.0.tif", "new.json"]


def test_a_lossless_copy_takes_no_more_than_is_told(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", width=400)

    assert make(path).stat().st_size <= copies.estimated_bytes(describe(path).header, "lossless")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (GREY, ("lossless", "jpeg")),
        (Header(9, 9, 3, "uchar", "srgb"), ("lossless", "jpeg")),
        (Header(9, 9, 2, "uchar", "b-w"), ("lossless",)),
        (Header(9, 9, 4, "uchar", "srgb"), ("lossless",)),
        (Header(9, 9, 4, "uchar", "cmyk"), ("lossless",)),
        (Header(9, 9, 3, "uchar", "lab"), ("lossless",)),
        (Header(9, 9, 3, "ushort", "rgb16"), ("lossless",)),
        (Header(9, 9, 1, "float", "b-w"), ("lossless",)),
    ],
)
def test_jpeg_is_for_8_bit_images_of_one_band_or_rgb(header: Header, expected: tuple[str, ...]) -> None:
    assert copies.kinds_for(header) == expected


def facts(**changed: object) -> ImageFacts:
    given = {"region_readable": False, "pages": 1, **changed}
    return ImageFacts(
        name="a.jpg", path="a.jpg", header=GREY, orientation=1, levels=1, level_sizes=((100, 50),), tile=None,
        mpp_x=None, mpp_y=None, file_bytes=1, loader="jpegload", **given,
    )  # type: ignore[arg-type]  # fmt: skip


def test_a_copy_is_offered_where_it_helps_and_can_stand_for_the_file() -> None:
    assert copies.is_offered(facts(), PLAIN)
    assert copies.is_offered(facts(), InputChoice(upright=True, as_8_bit=True, bands=3))
    assert not copies.is_offered(facts(region_readable=True), PLAIN)
    assert not copies.is_offered(facts(pages=2), PLAIN)
    assert not copies.is_offered(facts(), InputChoice(page=0))
    assert not copies.is_offered(facts(), InputChoice(level=1))


def test_the_command_line_quotes_what_a_shell_would_take_apart() -> None:
    assert copies.command_line("my $scan.jpg", "jpeg", "uchar", "jpegload") == (
        "vips tiffsave 'my $scan.jpg[fail_on=truncated]' 'my $scan-copy.tif' "
        "--tile --tile-width 256 --tile-height 256 --pyramid --bigtiff --compression jpeg --Q 90"
    )
