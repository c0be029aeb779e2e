"""Downloads that go on where they broke off, and archives that are not trusted; against a real server on this machine."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from augviz import downloads
from augviz.context import Context
from augviz.downloads import BadArchive, Limits, exclusive
from augviz.errors import Cancelled, DownloadError
from tests.mirror import Mirror, directory, member, serving, special, tgz, tree

CONTENT = random.Random(7).randbytes(1_000_000)
LIMITS = Limits(max_entries=50, max_bytes=200_000)


def fetch(mirror: Mirror, path: Path, context: Context | None = None, max_bytes: int = 2_000_000) -> None:
    with exclusive(path) as file:
        downloads.download(mirror.url, file, context or Context(), max_bytes=max_bytes, timeout_seconds=5)


def unpack(content: bytes, folder: Path, limits: Limits = LIMITS) -> None:
    downloads.unpack(io.BytesIO(content), "some.tgz", folder, limits, Context())


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "some.part"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder to unpack into; what comes out of it lands in `tmp_path`."""
    folder = tmp_path / "outer" / "inside"
    folder.mkdir(parents=True)
    return folder


# Downloading


def test_a_file_arrives_as_it_is(part: Path) -> None:
    with serving(Mirror(CONTENT)) as mirror:
        fetch(mirror, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked == [""]


def test_progress_tells_bytes_and_a_fraction(part: Path) -> None:
    told: list[tuple[float, str]] = []
    context = Context(lambda message: told.append(message["progress"]), wants_progress=True)
    with serving(Mirror(CONTENT)) as mirror:
        fetch(mirror, part, context)

    assert told[-1] == [1.0, "downloading, 1 MB of 1 MB"]
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)


def test_a_connection_that_breaks_off_is_gone_on_with_and_only_the_rest_is_sent(part: Path) -> None:
    with serving(Mirror(CONTENT, break_after=600_000)) as mirror:
        fetch(mirror, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked == ["", "bytes=600000-"]
    assert mirror.sent == [600_000, 400_000]


def test_a_server_that_always_breaks_off_is_given_up_and_a_later_download_goes_on(part: Path) -> None:
    with serving(Mirror(CONTENT, break_after=100_000)) as mirror:
        with pytest.raises(DownloadError, match="broke off after 300 kB of 1 MB"):
            fetch(mirror, part)

        assert part.read_bytes() == CONTENT[:300_000]

        mirror.break_after = None
        fetch(mirror, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked[-1] == "bytes=300000-"
    assert mirror.sent[-1] == 700_000


def test_a_server_that_sends_nothing_is_not_asked_again(part: Path) -> None:
    with serving(Mirror(CONTENT, break_after=0)) as mirror, pytest.raises(DownloadError, match="broke off after 0 B"):
        fetch(mirror, part)

    assert mirror.asked == [""]
    assert tree(part.parent) == []


def test_a_server_that_knows_no_parts_sends_everything_anew(part: Path) -> None:
    part.write_bytes(b"not the beginning of it")
    with serving(Mirror(CONTENT, ranges=False)) as mirror:
        fetch(mirror, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked == ["bytes=23-"]


def test_what_is_whole_already_is_not_sent_again(part: Path) -> None:
    part.write_bytes(CONTENT)
    with serving(Mirror(CONTENT)) as mirror:
        fetch(mirror, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked[0] == "bytes=1000000-"


def test_a_part_that_is_longer_than_the_file_is_begun_anew(part: Path) -> None:
    part.write_bytes(CONTENT + b"more")
    with serving(Mirror(CONTENT)) as mirror:
        fetch(mirror, part)

    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_file_that_is_too_large_is_refused(tells_length: bool, part: Path) -> None:
    with (
        serving(Mirror(CONTENT, tells_length=tells_length)) as mirror,
        pytest.raises(DownloadError, match=r"at most 500 kB|more than the 500 kB"),
    ):
        fetch(mirror, part, max_bytes=500_000)

    assert not part.exists() or part.stat().st_size <= 500_000


def test_the_disk_is_asked_before_anything_is_written(part: Path) -> None:
    def full(total: int | None, here: int) -> None:
        raise DownloadError(f"{total} and {here}")

    with (
        serving(Mirror(CONTENT)) as mirror,
        exclusive(part) as file,
        pytest.raises(DownloadError, match="1000000 and 0"),
    ):
        downloads.download(mirror.url, file, Context(), max_bytes=2_000_000, check_room=full)

    assert tree(part.parent) == []


def test_a_download_that_is_given_up_keeps_what_has_come(part: Path) -> None:
    hold = threading.Event()

    def tell(message: object) -> None:
        if part.stat().st_size >= 500_000:
            context.cancel()
            hold.set()

    context = Context(tell)
    with serving(Mirror(CONTENT, hold=hold)) as mirror:
        with pytest.raises(Cancelled):
            fetch(mirror, part, context)

        assert part.read_bytes() == CONTENT[:500_000]

        fetch(mirror, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked[-1] == "bytes=500000-"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_the_server_refuses_is_one_sentence_and_leaves_nothing(status: int, part: Path) -> None:
    with (
        serving(Mirror(b"", status=status)) as mirror,
        pytest.raises(DownloadError, match=f"^imagenette2-320.tgz: the server answers {status}"),
    ):
        fetch(mirror, part)

    assert tree(part.parent) == []


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_a_redirect_to_another_scheme_is_refused(target: str, part: Path) -> None:
    with serving(Mirror(b"", redirect=target)) as mirror, pytest.raises(DownloadError, match=r"(?i)redirect"):
        fetch(mirror, part)

    assert tree(part.parent) == []


def test_a_redirect_is_followed_with_the_part_that_is_wanted(part: Path) -> None:
    part.write_bytes(CONTENT[:10])
    with serving(Mirror(CONTENT)) as mirror, serving(Mirror(b"", redirect=mirror.url)) as first:
        fetch(first, part)

    assert part.read_bytes() == CONTENT
    assert mirror.asked == ["bytes=10-"]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/x", "/etc/hostname"])
def test_only_http_and_https_are_downloaded(address: str, part: Path) -> None:
    with exclusive(part) as file, pytest.raises(DownloadError, match="only addresses that begin with"):
        downloads.download(address, file, Context(), max_bytes=10)

    assert tree(part.parent) == []


def test_a_server_that_is_not_there_is_one_sentence(part: Path) -> None:
    with serving(Mirror(b"")) as mirror:
        pass
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:\d+ cannot be reached: .*[^.]\.$"):
        fetch(mirror, part)


def test_a_silent_server_is_given_up(part: Path) -> None:
    with (
        serving(Mirror(CONTENT, hold=threading.Event())) as mirror,
        exclusive(part) as file,
        pytest.raises(DownloadError, match="broke off"),
    ):
        downloads.download(mirror.url, file, Context(), max_bytes=2_000_000, timeout_seconds=0.1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_file_is_downloaded_once_at_a_time(part: Path) -> None:
    with (
        exclusive(part),
        pytest.raises(DownloadError, match=r"some\.part: another download of it is running"),
        exclusive(part),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="it cannot be written"), exclusive(tmp_path / "none" / "x.part"):
        pass


def test_the_checksum_is_that_of_the_whole_file(part: Path) -> None:
    part.write_bytes(CONTENT)
    with exclusive(part) as file:
        file.seek(500)
        assert downloads.checksum(file, Context()) == Mirror(CONTENT).md5


# Unpacking


def test_files_and_folders_are_unpacked(inside: Path) -> None:
    unpack(tgz([directory("a"), member("a/b/c.txt", b"deep"), member("./d.txt", b"flat")]), inside)

    assert tree(inside) == ["a", "a/b", "a/b/c.txt", "d.txt"]
    assert (inside / "a/b/c.txt").read_bytes() == b"deep"


@pytest.mark.parametrize(
    "name",
    [
        "/absolute.txt",
        "//absolute.txt",
        "../up.txt",
        "a/../../up.txt",
        "a/..",
        "C:/up.txt",
        "..\\up.txt",
        "a\nb",
        "a/" * 20 + "x",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, inside: Path) -> None:
    with pytest.raises(BadArchive, match="which is not taken"):
        unpack(tgz([member(name)]), inside)

    assert tree(inside.parent.parent) == ["outer", "outer/inside"]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/hostname"),
        (tarfile.SYMTYPE, ".."),
        (tarfile.LNKTYPE, "../../secret.txt"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_are_refused(kind: bytes, target: str, inside: Path) -> None:
    with pytest.raises(BadArchive, match="no file or folder but a link, a device"):
        unpack(tgz([special("thing", kind, target), member("thing/x.txt")]), inside)

    assert tree(inside) == []


def test_a_bomb_is_refused_before_its_file_is_written(inside: Path) -> None:
    with pytest.raises(BadArchive, match="unpacks to more than 200 kB"):
        unpack(tgz([member("bomb", bytes(5_000_000))]), inside)

    assert tree(inside) == []


def test_many_files_that_are_too_large_together_are_refused(inside: Path) -> None:
    with pytest.raises(BadArchive, match="unpacks to more than 200 kB"):
        unpack(tgz([member(f"{number}.txt", bytes(30_000)) for number in range(9)]), inside)


def test_an_archive_of_nothing_but_tables_is_bounded_as_well(inside: Path) -> None:
    with pytest.raises(BadArchive, match="unpacks to more than 200 kB"):
        unpack(gzip.compress(tarfile.TarInfo("x").tobuf() + bytes(1024) + bytes(3_000_000)), inside)


@pytest.mark.parametrize("name", ["{}.txt", "f{}/x/y.txt"])
def test_too_many_files_or_folders_are_refused(name: str, inside: Path) -> None:
    with pytest.raises(BadArchive, match="more than 50 files and folders"):
        unpack(tgz([member(name.format(number)) for number in range(60)]), inside)

    assert len(tree(inside)) <= 50


def test_a_sparse_file_is_refused(inside: Path) -> None:
    info = tarfile.TarInfo("sparse")
    info.type = tarfile.GNUTYPE_SPARSE

    with pytest.raises(BadArchive):
        unpack(tgz([(info, b"")]), inside)

    assert tree(inside) == []


def test_a_name_that_comes_twice_is_refused(inside: Path) -> None:
    with pytest.raises(BadArchive, match="comes twice"):
        unpack(tgz([member("a", b"first"), member("a", b"second")]), inside)


def test_a_file_that_becomes_a_folder_is_refused(inside: Path) -> None:
    with pytest.raises(DownloadError):
        unpack(tgz([member("a", b"first"), member("a/b", b"second")]), inside)

    assert tree(inside) == ["a"]


_GOOD = tgz([member(f"{number}.txt", random.Random(number).randbytes(3000)) for number in range(20)])


@pytest.mark.parametrize(
    "damage",
    [
        lambda good: good[: len(good) // 2],
        lambda good: good[:-4],
        lambda good: good[:5000] + b"\0" * 100 + good[5100:],
        lambda good: b"not an archive",
        lambda good: b"",
        lambda good: gzip.compress(b"no tar in it" * 100),
    ],
    ids=["half", "end cut off", "zeros inside", "text", "empty", "no tar"],
)
def test_a_damaged_archive_is_one_sentence(damage: Callable[[bytes], bytes], inside: Path) -> None:
    with pytest.raises(BadArchive, match=r"^some\.tgz: the archive is damaged: .*[^.]\.$"):
        unpack(damage(_GOOD), inside)


def test_unpacking_can_be_given_up(inside: Path) -> None:
    context = Context(lambda message: context.cancel())

    with pytest.raises(Cancelled):
        downloads.unpack(io.BytesIO(_GOOD), "some.tgz", inside, LIMITS, context)

    assert len(tree(inside)) < 20


def test_a_temporary_folder_is_empty_at_first_and_gone_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "work" / "left").mkdir(parents=True)

    with downloads.temporary_folder(tmp_path / "work") as work:
        assert tree(work) == []
        (work / "new").mkdir()

    assert tree(tmp_path) == []
