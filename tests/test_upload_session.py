"""A session: its books, what is left to be done by who keeps it, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from augviz.arrivals import UploadError
from augviz.upload_session import MAX_FILES, MAX_MADE, Session, Upload
from tests.clocks import Clock

GRACE = 100.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(tmp_path: Path, clock: Clock) -> Session:
    return Session(tmp_path / "session", "me", clock)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def received(session: Session, upload_id: str, *parts: bytes) -> Upload:
    session.expect(upload_id, 0)
    return asyncio.run(session.receive(upload_id, "a.tif", None, chunks(*parts), max_bytes=1000, spare=0))


def made(session: Session, number: int) -> tuple[Upload, list[Path]]:
    file_id, path = session.place(f"{number}.tif", 10)
    path.write_bytes(b"x" * number)
    return session.adopt(file_id, f"number {number}")


def test_what_is_expected_counts_until_it_is_there(session: Session) -> None:
    session.expect("one", 5)
    session.expect("one", 3)
    assert session.kept_bytes() == 8

    asyncio.run(session.receive("one", "a.tif", None, chunks(b"xx", b"y"), max_bytes=1000, spare=0))

    assert session.kept_bytes() == 3
    assert [(one.id, one.file_bytes, one.path.read_bytes()) for one in session.files()] == [("one", 3, b"xxy")]


def test_what_has_come_of_a_file_is_not_waited_for_any_more(session: Session) -> None:
    heard: list[int] = []

    async def large() -> AsyncIterator[bytes]:
        for _ in range(2):
            heard.append(session.pending_bytes())
            yield bytes(2 << 20)

    session.expect("one", 5 << 20)
    asyncio.run(session.receive("one", "a.tif", None, large(), max_bytes=5 << 20, spare=0))

    assert heard == [5 << 20, 3 << 20]
    assert session.pending_bytes() == 0


def test_files_on_their_way_count_among_those_that_it_may_keep(session: Session) -> None:
    for number in range(MAX_FILES - 1):
        session.expect(str(number), 1)
    session.check_count()
    received(session, "one", b"x")

    with pytest.raises(UploadError, match="which is the limit"):
        session.check_count()


def test_what_is_struck_out_is_named_with_what_reads_it(session: Session) -> None:
    upload, stopped = received(session, "one", b"x"), []
    session.begin_work(lambda: stopped.append("reads it"), "one")
    session.begin_work(lambda: stopped.append("reads another file"))
    file_id, path = session.place("b.tif", 10)

    found, folder, stops = session.forget("one")
    for stop in stops:
        stop()

    assert (found, folder, stopped) == (upload, None, ["reads it"])
    assert session.forget(file_id) == (None, path.parent, [])
    assert session.forget("one") == (None, None, [])
    assert session.files() == ()
    assert upload.path.exists()  # until who has struck it out deletes it


def test_an_upload_takes_its_working_copies_along_and_no_others(session: Session) -> None:
    one, two = received(session, "one", b"x"), received(session, "two", b"x")
    for name in ("one.lossless.tif", "one.lossless.json", ".one.lossless.tif.0123", "two.lossless.tif"):
        (session.folder / name).touch()

    one.delete()

    assert sorted(path.name for path in session.folder.iterdir()) == [two.path.name, "two.lossless.tif"]


def test_the_oldest_file_that_was_made_goes_for_a_newer_one(session: Session) -> None:
    found = [made(session, number) for number in range(1, MAX_MADE + 2)]

    assert [old for _, old in found] == [[]] * MAX_MADE + [[found[0][0].path.parent]]
    assert session.made() == tuple(one for one, _ in found[1:])
    assert session.find_made(found[0][0].id) is None
    assert session.find_made(found[1][0].id) == found[1][0]


def test_it_ends_once_nobody_holds_it_and_nothing_arrives(session: Session, clock: Clock) -> None:
    session.hold(1)
    clock.now = 2 * GRACE
    assert not session.end(GRACE)

    session.hold(-1)
    session.hold(-1)  # once more than it was held
    session.expect("one", 0)
    clock.now = 4 * GRACE
    assert not session.end(GRACE)

    received(session, "one", b"x")
    assert not session.end(GRACE)  # seen just now

    clock.now += GRACE + 1
    session.touch()
    assert not session.end(GRACE)

    clock.now += GRACE + 1
    assert session.end(GRACE)


def test_what_comes_after_its_end_is_stopped_or_refused(session: Session) -> None:
    stopped: list[str] = []
    file_id, path = session.place("b.tif", 10)
    path.touch()
    session.stop_with(file_id, lambda: stopped.append("making a file"))
    session.begin_work(lambda: stopped.append("work"))
    session.begin_work(ended := lambda: stopped.append("work that has ended"))
    session.end_work(ended)
    assert session.end()
    assert stopped == []

    session.stop_all()
    assert stopped == ["making a file", "work"]
    session.begin_work(lambda: stopped.append("work begun too late"))
    session.stop_with(file_id, lambda: stopped.append("a job begun too late"))

    assert stopped[2:] == ["work begun too late", "a job begun too late"]
    with pytest.raises(UploadError, match="This session has ended"):
        session.adopt(file_id, "")
    with pytest.raises(UploadError, match="This session has ended"):
        received(session, "one", b"x")
    assert [path.name for path in session.folder.glob("*one*")] == []


def test_work_is_stopped_once_whoever_comes_first(session: Session) -> None:
    stopped: list[int] = []

    def begin(number: int) -> None:
        if number == 100:
            session.end()
            session.stop_all()
        session.begin_work(lambda: stopped.append(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(begin, range(200)))

    assert sorted(stopped) == list(range(200))
