"""Uploads: received whole or not at all, kept with their session, removed with it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augviz.arrivals import UploadError, display_name
from augviz.errors import ImageError
from augviz.quotas import Quotas
from augviz.sources import SourceRef, resolve
from augviz.upload_session import MAX_FILES, Upload
from augviz.uploads import Uploads, get_uploads
from tests.clocks import Clock
from tests.folders import below

GRACE = 100.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uploads(tmp_path: Path, clock: Clock) -> Iterator[Uploads]:
    made = Uploads(tmp_path / "uploads", max_bytes=1000, grace_seconds=GRACE, clock=clock)
    yield made
    made.close()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def send(uploads: Uploads, token: str, *parts: bytes, name: str = "a.tif", length: int | None = None) -> Upload:
    return asyncio.run(uploads.receive(token, name, length, chunks(*parts), spare=0))


@pytest.fixture
def limited(tmp_path: Path, clock: Clock) -> Iterator[Uploads]:
    """A session may keep 100 bytes; the cache, which has 50 bytes of something else, may hold 250."""
    (tmp_path / "synthetic").mkdir()
    (tmp_path / "synthetic" / "tissue.tif").write_bytes(b"x" * 50)
    quotas = Quotas(session_bytes=100, cache_bytes=250, folder=tmp_path)
    made = Uploads(tmp_path / "uploads", max_bytes=1000, grace_seconds=GRACE, quotas=quotas, clock=clock)
    yield made
    made.close()


def test_a_file_arrives_whole_under_a_name_of_our_own(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()
    upload = send(uploads, token, b"one", b"two", name="../../etc/passwd", length=6)

    assert upload.path.read_bytes() == b"onetwo"
    assert upload.name == "passwd"
    assert "passwd" not in str(upload.path)
    assert upload.path.is_relative_to(tmp_path / "uploads")
    assert uploads.files(token) == (upload,)
    assert uploads.find(token, upload.id) == upload
    assert uploads.shown(f"{upload.id}: the file is damaged.") == "passwd: the file is damaged."


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("C:\\slides\\a b.svs", "a b.svs"),
        ("/etc/passwd", "passwd"),
        ("line\nbreak\0.tif", "line break .tif"),
        ("..", ".."),
        ("", "upload"),
        ("x" * 300 + ".tif", "x" * 116 + ".tif"),
    ],
)
def test_a_name_is_one_short_line(given: str, shown: str) -> None:
    assert display_name(given) == shown


@pytest.mark.parametrize(
    ("parts", "length", "status", "words"),
    [
        ((b"x" * 600, b"x" * 600), None, 413, "larger than the limit of 1 kB"),
        ((b"x",), 5000, 413, "larger than the limit of 1 kB"),
        ((b"abc",), 10, 400, "broke after 3 B of 10 B"),
        ((b"abcdef",), 3, 400, "more bytes came than were announced"),
        ((), None, 400, "the file is empty"),
    ],
)
def test_what_is_not_whole_leaves_nothing_behind(
    uploads: Uploads, tmp_path: Path, parts: tuple[bytes, ...], length: int | None, status: int, words: str
) -> None:
    token = uploads.open_session()
    with pytest.raises(UploadError, match=words) as raised:
        send(uploads, token, *parts, length=length)

    assert raised.value.status == status
    assert below(tmp_path) == []
    assert uploads.files(token) == ()


def test_a_connection_that_breaks_leaves_nothing_behind(uploads: Uploads, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 500
        raise ConnectionResetError(104, "Connection reset by peer")

    token = uploads.open_session()
    with pytest.raises(UploadError, match=r"a\.tif: it cannot be stored"):
        asyncio.run(uploads.receive(token, "a.tif", None, breaking(), spare=0))

    assert below(tmp_path) == []
    assert send(uploads, token, b"again").file_bytes == 5


def test_a_full_disk_is_said_before_anything_is_sent(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()
    more_than_there_is = shutil.disk_usage(tmp_path).free + 10**12
    with pytest.raises(UploadError, match="are free for uploads") as raised:
        asyncio.run(uploads.receive(token, "a.tif", 10, chunks(b"x" * 10), spare=more_than_there_is))

    assert raised.value.status == 507
    assert below(tmp_path) == []


def test_a_session_sees_its_own_files_only(uploads: Uploads) -> None:
    mine, yours = uploads.open_session(), uploads.open_session()
    upload = send(uploads, mine, b"x")

    assert uploads.files(yours) == ()
    with pytest.raises(ImageError, match="not there any more"):
        uploads.find(yours, upload.id)
    uploads.remove(yours, upload.id)
    assert upload.path.exists()


def test_nobody_sends_into_a_session_that_is_not_there(uploads: Uploads) -> None:
    with pytest.raises(UploadError, match="reload the page") as raised:
        send(uploads, "guessed", b"x")

    assert raised.value.status == 403


def test_a_session_keeps_a_bounded_number_of_files(uploads: Uploads) -> None:
    token = uploads.open_session()
    for _ in range(MAX_FILES):
        send(uploads, token, b"x")
    with pytest.raises(UploadError, match="which is the limit"):
        send(uploads, token, b"x")

    uploads.remove(token, uploads.files(token)[0].id)
    assert send(uploads, token, b"x").file_bytes == 1


def test_deleted_now_means_now(uploads: Uploads) -> None:
    token = uploads.open_session()
    upload = send(uploads, token, b"x")
    uploads.remove(token, upload.id)
    uploads.remove(token, upload.id)

    assert not upload.path.exists()
    with pytest.raises(ImageError):
        uploads.find(token, upload.id)


def test_work_for_a_visitor_stops_with_the_upload_it_reads_or_with_the_visitor(uploads: Uploads, clock: Clock) -> None:
    token, stopped = uploads.open_session(), []
    upload = send(uploads, token, b"x")
    uploads.begin_work(token, lambda: stopped.append("reads the upload"), upload.id)
    uploads.begin_work(token, lambda: stopped.append("reads another file"))
    uploads.begin_work(token, ended := lambda: stopped.append("has ended"))
    uploads.end_work(token, ended)

    uploads.remove(token, upload.id)
    assert stopped == ["reads the upload"]
    uploads.begin_work(token, lambda: stopped.append("came too late"), upload.id)
    assert stopped == ["reads the upload", "came too late"]

    clock.now = GRACE + 1
    uploads.sweep()
    assert stopped[2:] == ["reads another file"]


def test_files_outlive_a_dropped_connection_by_the_grace_time(uploads: Uploads, clock: Clock) -> None:
    token = uploads.open_session()
    uploads.hold(token)
    upload = send(uploads, token, b"x")
    clock.now = 10 * GRACE
    uploads.sweep()
    assert upload.path.exists()  # the visitor is there, however long

    uploads.release(token)
    clock.now += GRACE
    uploads.sweep()
    assert upload.path.exists()

    uploads.hold(token)  # and is back again
    clock.now += 10 * GRACE
    uploads.sweep()
    assert upload.path.exists()

    uploads.release(token)
    clock.now += GRACE - 1
    uploads.touch_path(upload.path)  # a picture was asked for
    clock.now += GRACE - 1
    uploads.sweep()
    assert upload.path.exists()

    clock.now += 2
    uploads.sweep()
    assert not upload.path.parent.exists()
    assert not uploads.is_known(token)


def test_a_session_that_ends_while_it_sends_keeps_nothing(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.open_session()

    async def ending() -> AsyncIterator[bytes]:
        yield b"x"
        uploads.close()
        yield b"y"

    with pytest.raises(UploadError):
        asyncio.run(uploads.receive(token, "a.tif", None, ending(), spare=0))

    assert below(tmp_path) == []


def test_another_server_starts_with_nothing_of_one_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from augviz.uploads import Uploads\n"
        "async def parts():\n    yield b'x'\n"
        "uploads = Uploads(Path(sys.argv[1]), max_bytes=10, grace_seconds=100)\n"
        "asyncio.run(uploads.receive(uploads.open_session(), 'a', None, parts(), spare=0))\n"
        "print('there', flush=True)\n"
        "time.sleep(60)\n"
    )
    other = Uploads(tmp_path, max_bytes=10, grace_seconds=GRACE)
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"

        other.sweep_root()
        assert len(below(tmp_path)) == 1  # it runs: nothing of it is touched

        process.kill()
        process.wait()
        other.sweep_root()
        assert list(tmp_path.iterdir()) == []


def test_a_reference_leads_to_the_file_and_never_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uploads: Uploads
) -> None:
    monkeypatch.setattr("augviz.sources.get_uploads", lambda: uploads)
    token = uploads.open_session()
    upload = send(uploads, token, b"x")

    assert resolve(SourceRef("upload", f"{token}/{upload.id}")) == upload.path
    for name in (f"{token}/../{upload.id}", f"{token}/x", upload.id, f"/{upload.id}", "x/y"):
        with pytest.raises(ImageError, match="not there any more"):
            resolve(SourceRef("upload", name))


def test_the_servers_own_limits_are_those_of_the_settings() -> None:
    get_uploads.cache_clear()

    assert get_uploads().max_bytes == 4 * 10**9
    assert get_uploads().grace_seconds == 900


def test_a_session_may_send_as_much_as_it_may_keep_and_no_more(limited: Uploads, tmp_path: Path) -> None:
    token = limited.open_session()
    first = send(limited, token, b"x" * 60, length=60)

    for length in (41, None):  # announced, and found out while it comes
        with pytest.raises(UploadError, match="of the 100 B that one session may keep, 60 B are used") as caught:
            send(limited, token, b"x" * 20, b"x" * 21, length=length)
        assert caught.value.status == 413
    send(limited, token, b"x" * 40, length=40)
    limited.remove(token, first.id)
    send(limited, token, b"x" * 60)

    assert sum(path.stat().st_size for path in below(tmp_path / "uploads")) == 100


def test_what_is_on_its_way_is_set_aside(limited: Uploads) -> None:
    token = limited.open_session()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        with pytest.raises(UploadError, match="one session may keep"):
            await limited.receive(token, "b.tif", 40, chunks(b"x" * 40), spare=0)
        yield b"x" * 69

    upload = asyncio.run(limited.receive(token, "a.tif", 70, slow(), spare=0))

    assert limited.files(token) == (upload,)


def test_results_and_copies_count_as_what_a_session_keeps(limited: Uploads) -> None:
    token = limited.open_session()
    upload = send(limited, token, b"x" * 20)
    upload.path.with_name(f"{upload.id}.copy.tif").write_bytes(b"x" * 10)
    file_id, path = limited.place(token, "result.tif", 50)

    with pytest.raises(UploadError, match="100 B that one session may keep, 80 B are used"):
        send(limited, token, b"x" * 21)
    with pytest.raises(UploadError, match="may keep, 80 B are used"):
        limited.place(token, "another.tif", 21)
    path.write_bytes(b"x" * 30)  # it took less than it could
    limited.adopt(token, file_id)
    send(limited, token, b"x" * 21)


def test_all_sessions_together_keep_to_the_quota_of_the_cache(limited: Uploads) -> None:
    for _ in range(2):
        send(limited, limited.open_session(), b"x" * 90)

    with pytest.raises(UploadError, match="of the server's quota of 250 B, 230 B are used") as caught:
        send(limited, limited.open_session(), b"x" * 21, length=21)
    assert caught.value.status == 507
    send(limited, limited.open_session(), b"x" * 20)


def test_who_announces_much_and_sends_nothing_leaves_room_to_others(tmp_path: Path, clock: Clock) -> None:
    quotas = Quotas(cache_bytes=1000, folder=tmp_path)
    uploads = Uploads(tmp_path / "uploads", max_bytes=1000, grace_seconds=GRACE, quotas=quotas, clock=clock)
    mine, yours = [uploads.open_session("me") for _ in range(3)], uploads.open_session("you")

    async def others() -> AsyncIterator[bytes]:
        await uploads.receive(yours, "b.tif", 300, chunks(b"x" * 300), spare=0)
        yield b"x"

    async def announced(token: str, within: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        with contextlib.suppress(UploadError):  # it never comes
            await uploads.receive(token, "a.tif", 490, within, spare=0)
        yield b"x"

    with pytest.raises(UploadError, match="the connection broke"):
        asyncio.run(uploads.receive(mine[0], "a.tif", 940, announced(mine[1], announced(mine[2], others())), spare=0))

    assert [one.file_bytes for one in uploads.files(yours)] == [300]
    uploads.close()


def test_a_file_for_which_there_is_room_arrives_though_not_all_of_it_was_set_aside(
    tmp_path: Path, clock: Clock
) -> None:
    quotas = Quotas(cache_bytes=1000, folder=tmp_path)
    uploads = Uploads(tmp_path / "uploads", max_bytes=1000, grace_seconds=GRACE, quotas=quotas, clock=clock)

    assert send(uploads, uploads.open_session("me"), b"x" * 950, length=950).file_bytes == 950
    with pytest.raises(UploadError, match="quota of 1 kB, 950 B are used"):
        send(uploads, uploads.open_session("me"), b"x" * 51, length=51)
    uploads.close()


@given(st.integers(0, 2000), st.lists(st.integers(0, 2000), max_size=5), st.integers(0, 1000))
def test_one_visitor_never_has_more_than_half_of_the_free_room_set_aside(
    kept: int, lengths: list[int], others: int
) -> None:
    quotas, pending = Quotas(cache_bytes=1000), 0
    for length in lengths:
        more = quotas.ahead(length, pending, kept + others + pending)
        pending += more

        assert 0 <= more <= length
        assert pending <= max(0, 1000 - kept - others) / 2
