"""Imagenette: names, listings and the download, with archives of the same layout from a server on this machine."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from augviz import imagenette, jobs
from augviz.context import Context
from augviz.errors import Cancelled, DownloadError, ImageError, SettingsError
from augviz.headers import describe
from augviz.imagenette import LABELS, VARIANTS, Photo, Variant, photo
from augviz.settings import Settings, load
from augviz.sources import SourceRef, resolve
from tests.mirror import Mirror, imagenette_members, member, serving, special, tgz, tree

CHURCH = LABELS[4]
GOOD = tgz(imagenette_members())
SMALL = replace(VARIANTS[0], archive_bytes=300_000)
"""The default variant as if what is published were about as small as the archive above."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"AUGVIZ_DATA_FOLDER": str(tmp_path / "data")}, start=tmp_path)


@pytest.fixture
def data(settings: Settings) -> Path:
    """A data folder with a class of 900 images, 320 px, and some that are no images of the data set."""
    folder = settings.data_folder / "imagenette2-320" / "val" / CHURCH.wnid
    folder.mkdir(parents=True)
    for number in range(900):
        (folder / f"n03028079_{number}.JPEG").write_bytes(b"jpeg")
    for odd in (".hidden.JPEG", "notes.txt", "n1.jpeg", "a b.JPEG"):
        (folder / odd).write_bytes(b"odd")
    return settings.data_folder


def get(mirror: Mirror, folder: Path, variant: Variant = SMALL, md5: str = "", context: Context | None = None) -> Path:
    return imagenette.download(variant, folder, mirror.url, md5 or mirror.md5, context or Context())


# Names


def test_the_classes_are_the_tutorials_in_its_order() -> None:
    assert [label.wnid for label in LABELS] == [
        *("n01440764", "n02102040", "n02979186", "n03000684", "n03028079"),
        *("n03394916", "n03417042", "n03425413", "n03445777", "n03888257"),
    ]
    assert [label.slug for label in LABELS] == [
        *("tench", "english-springer", "cassette-player", "chain-saw", "church"),
        *("french-horn", "garbage-truck", "gas-pump", "golf-ball", "parachute"),
    ]


def test_an_image_has_a_name_and_a_title() -> None:
    found = photo("320/val/english-springer/n02102040_123.JPEG")

    assert found == Photo(VARIANTS[0], "val", LABELS[1], "n02102040_123.JPEG")
    assert found.name == "320/val/english-springer/n02102040_123.JPEG"
    assert found.title == "English springer n02102040_123"


@pytest.mark.parametrize(
    "name",
    [
        "320/val/church",
        "320/val/church/",
        "320/val/church/../church/n1.JPEG",
        "320/val/church/..",
        "320/val/church/..JPEG",
        "320/val/church/n1.JPEG\n",
        "320/val/church/a\\b.JPEG",
        "320/val/church/n1.JPEG\0",
        "320/test/church/n1.JPEG",
        "320/val/n03028079/n1.JPEG",
        "321/val/church/n1.JPEG",
        "/320/val/church/n1.JPEG",
        "320/val/church/" + "n" * 5000 + ".JPEG",
    ],
)
def test_what_is_no_name_of_an_image_resolves_to_nothing(name: str, settings: Settings, data: Path) -> None:
    with pytest.raises(ImageError, match="An image of Imagenette is named by"):
        resolve(SourceRef("imagenette", name), settings)


def test_a_reference_resolves_below_the_data_folder_and_survives_json(settings: Settings, data: Path) -> None:
    ref = SourceRef("imagenette", "320/val/church/n03028079_12.JPEG")

    assert resolve(ref, settings) == data / "imagenette2-320" / "val" / CHURCH.wnid / "n03028079_12.JPEG"
    assert SourceRef.from_json(json.loads(json.dumps(ref.to_json()))) == ref


@pytest.mark.parametrize("name", ["320/val/church/n03028079_900.JPEG", "full/val/church/n03028079_12.JPEG"])
def test_an_image_that_is_missing_is_one_sentence(name: str, settings: Settings, data: Path) -> None:
    with pytest.raises(ImageError, match=r"^n03028079_\d+\.JPEG: there is no such image in imagenette2(-320)?/val\.$"):
        resolve(SourceRef("imagenette", name), settings)


def test_a_link_that_leads_out_of_the_data_set_does_not_resolve(settings: Settings, data: Path) -> None:
    folder = data / "imagenette2-320" / "val" / CHURCH.wnid
    (data / "secret.JPEG").write_bytes(b"secret")
    (folder / "link.JPEG").symlink_to(data / "secret.JPEG")
    (folder / "loop.JPEG").symlink_to(folder / "loop.JPEG")

    for file in ("link.JPEG", "loop.JPEG"):
        with pytest.raises(ImageError, match="there is no such image"):
            resolve(SourceRef("imagenette", f"320/val/church/{file}"), settings)


# Listings


def test_a_large_class_is_listed_by_number_and_only_with_its_images(settings: Settings, data: Path) -> None:
    found = imagenette.photos(VARIANTS[0], "val", CHURCH, settings)

    assert [one.file for one in found] == [f"n03028079_{number}.JPEG" for number in range(900)]


def test_names_with_other_numbers_in_them_are_ordered_too(settings: Settings, data: Path) -> None:
    folder = data / "imagenette2-320" / "val" / CHURCH.wnid
    (folder / "ILSVRC2012_val_00000293.JPEG").write_bytes(b"jpeg")

    assert imagenette.photos(VARIANTS[0], "val", CHURCH, settings)[0].file == "ILSVRC2012_val_00000293.JPEG"


def test_what_is_not_there_lists_nothing(settings: Settings, data: Path) -> None:
    assert imagenette.photos(VARIANTS[0], "train", CHURCH, settings) == ()
    assert imagenette.photos(VARIANTS[2], "val", CHURCH, settings) == ()


def test_variants_are_present_once_they_have_a_class(settings: Settings, data: Path) -> None:
    (data / "imagenette2-160").mkdir()
    (data / "imagenette2" / "train" / CHURCH.wnid).mkdir(parents=True)

    assert [variant.name for variant in imagenette.present(settings)] == ["320", "full"]


def test_neighbours_end_with_the_class(settings: Settings, data: Path) -> None:
    first, last = (SourceRef("imagenette", f"320/val/church/n03028079_{number}.JPEG") for number in (0, 899))
    second = imagenette.neighbour(first, 1, settings)

    assert second == SourceRef("imagenette", "320/val/church/n03028079_1.JPEG")
    assert second is not None
    assert imagenette.neighbour(second, -1, settings) == first
    assert imagenette.neighbour(first, -1, settings) is None
    assert imagenette.neighbour(last, 1, settings) is None


def test_an_image_that_has_gone_has_no_neighbours(settings: Settings, data: Path) -> None:
    with pytest.raises(ImageError, match="there is no such image"):
        imagenette.neighbour(SourceRef("imagenette", "320/val/church/n03028079_900.JPEG"), 1, settings)


def test_a_random_image_is_any_of_them() -> None:
    few = [Photo(VARIANTS[0], "val", LABELS[0], "a.JPEG")]
    many = [Photo(VARIANTS[0], "val", LABELS[1], f"{number}.JPEG") for number in range(9)]
    rng = random.Random(1)
    drawn = Counter(imagenette.random_photo([few, many, []], rng) for _ in range(2000))

    assert set(drawn) == {*few, *many}
    assert 150 < drawn[few[0]] < 250
    assert imagenette.random_photo([[], []]) is None


# Addresses


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz", "fast-ai-imageclas/imagenette2-160.tgz"),
        ("http://mirror:8000/imagenette2.tgz?key=1", "mirror:8000/imagenette2-160.tgz?key=1"),
        ("http://mirror/imagenette2-160.tgz", "mirror/imagenette2-160.tgz"),
        ("http://mirror/sets/mine.tgz", "mirror/sets/imagenette2-160.tgz"),
    ],
)
def test_the_other_addresses_follow_from_the_setting(address: str, expected: str, settings: Settings) -> None:
    settings = replace(settings, imagenette_address=address)

    assert imagenette.address_of(VARIANTS[1], settings).endswith(expected)
    assert address in {imagenette.address_of(variant, settings) for variant in VARIANTS}


def test_the_checksum_of_the_setting_is_for_the_variant_of_its_address(settings: Settings) -> None:
    mine = "0123456789abcdef" * 2
    settings = replace(settings, imagenette_address="http://mirror/imagenette2-160.tgz", imagenette_md5=mine)

    assert [imagenette.md5_of(variant, settings) for variant in VARIANTS] == [VARIANTS[0].md5, mine, VARIANTS[2].md5]


def test_the_setting_of_the_checksum_is_checked() -> None:
    assert load({"AUGVIZ_IMAGENETTE_MD5": "AB" * 16}).imagenette_md5 == "ab" * 16
    assert load({"AUGVIZ_IMAGENETTE_MD5": ""}).imagenette_md5 == ""
    with pytest.raises(SettingsError, match="AUGVIZ_IMAGENETTE_MD5: 32 hexadecimal digits are needed"):
        load({"AUGVIZ_IMAGENETTE_MD5": "ab" * 20})


def test_without_the_setting_the_checksums_are_the_published_ones(settings: Settings) -> None:
    assert [imagenette.md5_of(variant, settings) for variant in VARIANTS] == [
        "3df6f0d01a2c9592104656642f5e78a3",
        "e793b78cc4c9e9a4ccc0c1155377a412",
        "fe2fc210e6bb7c5664d602c3cd71e612",
    ]


# Downloading


def test_a_download_is_what_the_tutorial_makes_and_nothing_else(settings: Settings) -> None:
    with serving(Mirror(GOOD)) as mirror:
        folder = get(mirror, settings.data_folder)
    found = imagenette.photos(VARIANTS[0], "train", CHURCH, settings)

    assert folder == settings.data_folder / "imagenette2-320"
    assert tree(settings.data_folder)[0] == "imagenette2-320"
    assert [path.name for path in settings.data_folder.iterdir()] == ["imagenette2-320"]
    assert [one.file for one in found] == ["n03028079_1.JPEG", "n03028079_10.JPEG"]
    assert imagenette.present(settings) == (VARIANTS[0],)
    assert describe(resolve(SourceRef("imagenette", found[0].name), settings)).header.width > 10


def test_a_download_that_broke_off_is_gone_on_with(settings: Settings) -> None:
    with serving(Mirror(GOOD, break_after=1000)) as mirror:
        with pytest.raises(DownloadError, match="broke off after 3 kB"):
            get(mirror, settings.data_folder)

        assert tree(settings.data_folder) == ["imagenette2-320.tgz.part"]
        assert imagenette.begun_bytes(SMALL, settings) == 3000
        assert imagenette.needed_bytes(SMALL, settings) == 597_000

        mirror.break_after = None
        get(mirror, settings.data_folder)

    assert mirror.asked[-1] == "bytes=3000-"
    assert mirror.sent[-1] == len(GOOD) - 3000
    assert [path.name for path in settings.data_folder.iterdir()] == ["imagenette2-320"]


def test_a_wrong_checksum_leaves_nothing(settings: Settings) -> None:
    with (
        serving(Mirror(GOOD)) as mirror,
        pytest.raises(DownloadError, match=f"its checksum is {mirror.md5} and not {SMALL.md5}"),
    ):
        get(mirror, settings.data_folder, md5=SMALL.md5)

    assert tree(settings.data_folder) == []


def test_a_part_of_something_else_is_found_out_by_the_checksum(settings: Settings) -> None:
    settings.data_folder.mkdir()
    (settings.data_folder / "imagenette2-320.tgz.part").write_bytes(b"something else")
    with serving(Mirror(GOOD)) as mirror:
        with pytest.raises(DownloadError, match="its checksum is"):
            get(mirror, settings.data_folder)

        assert tree(settings.data_folder) == []

        get(mirror, settings.data_folder)

    assert imagenette.present(settings) == (VARIANTS[0],)


HOSTILE = {
    "absolute path": member("/tmp/augviz-was-here.JPEG"),
    "dots": member("imagenette2-320/../../augviz-was-here.JPEG"),
    "symlink": special("imagenette2-320/link.JPEG", tarfile.SYMTYPE, "/etc/hostname"),
    "hard link": special("imagenette2-320/hard.JPEG", tarfile.LNKTYPE, "/etc/hostname"),
    "device": special("imagenette2-320/device.JPEG", tarfile.CHRTYPE),
    "too many bytes": member("imagenette2-320/bomb.JPEG", bytes(700_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_leaves_nothing(name: str, settings: Settings) -> None:
    content = tgz([*imagenette_members(), HOSTILE[name]])
    refusal = "which is not taken|no file or folder but a link, a device|unpacks to more than"
    with serving(Mirror(content)) as mirror, pytest.raises(DownloadError, match=refusal):
        get(mirror, settings.data_folder)

    assert tree(settings.data_folder) == []
    assert tree(settings.data_folder.parent) == ["data"]
    assert not Path("/tmp/augviz-was-here.JPEG").exists()


def test_a_truncated_archive_leaves_nothing(settings: Settings) -> None:
    with serving(Mirror(GOOD[:-2000])) as mirror, pytest.raises(DownloadError, match="the archive is damaged"):
        get(mirror, settings.data_folder)

    assert tree(settings.data_folder) == []


def test_an_archive_of_something_else_leaves_nothing(settings: Settings) -> None:
    members = [(info, content) for info, content in imagenette_members() if LABELS[9].wnid not in info.name]
    with (
        serving(Mirror(tgz(members))) as mirror,
        pytest.raises(DownloadError, match="holds no images imagenette2-320/train/n03888257"),
    ):
        get(mirror, settings.data_folder)

    assert tree(settings.data_folder) == []


@pytest.mark.parametrize("stage", ["downloading", "verifying", "unpacking"])
def test_a_download_that_is_given_up_leaves_only_what_has_come(stage: str, settings: Settings) -> None:
    def tell(message: dict[str, list[str]]) -> None:
        if message["progress"][1].startswith(stage):
            context.cancel()

    context = Context(tell)  # type: ignore[arg-type]
    with serving(Mirror(GOOD)) as mirror:
        with pytest.raises(Cancelled):
            get(mirror, settings.data_folder, context=context)

        assert tree(settings.data_folder) == ["imagenette2-320.tgz.part"]

        get(mirror, settings.data_folder)

    assert [path.name for path in settings.data_folder.iterdir()] == ["imagenette2-320"]


def test_a_full_disk_is_told_before_anything_is_written(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=len(GOOD)))
    with serving(Mirror(GOOD)) as mirror, pytest.raises(DownloadError, match="kB are free on the disk"):
        get(mirror, settings.data_folder)

    assert tree(settings.data_folder) == []

    with pytest.raises(DownloadError, match="it takes about 684 MB until it is unpacked"):
        imagenette.check_room(VARIANTS[0], settings)


def test_an_archive_that_the_tutorial_has_left_is_used_and_kept(settings: Settings) -> None:
    settings.data_folder.mkdir()
    (settings.data_folder / "imagenette2-320.tgz").write_bytes(GOOD)
    with serving(Mirror(GOOD)) as mirror:
        get(mirror, settings.data_folder)

    assert mirror.asked == []
    assert sorted(path.name for path in settings.data_folder.iterdir()) == ["imagenette2-320", "imagenette2-320.tgz"]


def test_a_damaged_archive_of_somebody_else_is_left_alone(settings: Settings) -> None:
    settings.data_folder.mkdir()
    (settings.data_folder / "imagenette2-320.tgz").write_bytes(b"half of it")
    with serving(Mirror(GOOD)) as mirror:
        get(mirror, settings.data_folder)

    assert (settings.data_folder / "imagenette2-320.tgz").read_bytes() == b"half of it"
    assert imagenette.present(settings) == (VARIANTS[0],)


def test_a_folder_that_is_there_is_not_written_over(settings: Settings, data: Path) -> None:
    before = tree(data)
    with serving(Mirror(GOOD)) as mirror, pytest.raises(DownloadError, match="is there already"):
        get(mirror, data)

    assert tree(data) == before
    assert mirror.asked == []


def test_what_a_killed_download_has_unpacked_does_not_disturb_the_next(settings: Settings) -> None:
    left = settings.data_folder / ".imagenette2-320.unpacking" / "imagenette2-320" / "train"
    left.mkdir(parents=True)
    (left / "half.JPEG").write_bytes(b"half")

    assert imagenette.present(settings) == ()

    with serving(Mirror(GOOD)) as mirror:
        get(mirror, settings.data_folder)

    assert [path.name for path in settings.data_folder.iterdir()] == ["imagenette2-320"]
    assert not list(settings.data_folder.rglob("half.JPEG"))


# As a job


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving(Mirror(GOOD)) as running:
        yield running


def start(mirror: Mirror, settings: Settings) -> jobs.Job:
    args = {"variant": "320", "folder": str(settings.data_folder), "address": mirror.url, "md5": mirror.md5}
    return jobs.start_job("download_imagenette", args, seconds=120, memory_bytes=0)


def test_the_job_downloads_in_a_process_of_its_own(mirror: Mirror, settings: Settings) -> None:
    job = start(mirror, settings)

    assert job.result().value == {"folder": str(settings.data_folder / "imagenette2-320")}
    assert len(imagenette.photos(VARIANTS[0], "val", CHURCH, settings)) == 2
    assert job.progress[1] == "unpacking"


def test_the_job_tells_what_went_wrong_in_one_sentence(mirror: Mirror, settings: Settings) -> None:
    mirror.status = 404

    with pytest.raises(DownloadError, match=r"^imagenette2-320\.tgz: the server answers 404: Not Found\.$"):
        start(mirror, settings).result()

    assert tree(settings.data_folder) == []


def test_a_job_that_is_cancelled_keeps_what_has_come_and_the_next_goes_on(mirror: Mirror, settings: Settings) -> None:
    mirror.hold = threading.Event()
    job = start(mirror, settings)
    half = len(GOOD) // 2
    while job.state == "running" and imagenette.begun_bytes(VARIANTS[0], settings) < half:
        job.wait(0.01)
    job.cancel()
    job.wait(10)

    assert job.state == "cancelled"
    assert tree(settings.data_folder) == ["imagenette2-320.tgz.part"]

    job._thread.join(10)  # the process has ended: what it had locked is free
    mirror.hold.set()
    start(mirror, settings).result()

    assert mirror.asked == ["", f"bytes={half}-"]
    assert [path.name for path in settings.data_folder.iterdir()] == ["imagenette2-320"]


def test_neither_pyvips_nor_numpy_is_imported() -> None:
    script = (
        "import sys; from augviz import imagenette; imagenette.present()\n"
        "print([name for name in ('streamlit', 'pyvips', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
