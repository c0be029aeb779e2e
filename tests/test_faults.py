"""What befalls the machine befalls one request: killed processes, full disks, removed folders, jumping clocks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import pyvips

from augviz import copies, form_files, forms, full_size, held_folder, imagenette, jobs, results, sources, synthetic
from augviz.arrivals import UploadError
from augviz.context import Context
from augviz.errors import AugvizError, DownloadError, ImageError, WorkerCrashed
from augviz.facts import draw_from_json
from augviz.full_size import TIFF, Making
from augviz.model import InputChoice
from augviz.recipes import Recipe, recipe_of, register
from augviz.settings import get_settings
from augviz.uploads import Uploads
from augviz.workers import Pool
from tests.folders import below
from tests.live import until
from tests.mirror import Mirror, imagenette_members, serving, tgz

DAY = 86_400
LIMIT_BYTES = 300_000
"""Of a file, where the disk is full by a limit."""

DISK_BYTES = 8_000_000
FLIP = {"id": "f", "transform": "HorizontalFlip", "p": 1.0}
KILLED_AT_START = (
    "The process that should compute this was ended while it started (killed), which is no fault of your image or pipeline; "
    "try again."
)
SIDE = 4096


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own; it does not exist yet."""
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    get_settings.cache_clear()
    yield tmp_path / "cache"
    get_settings.cache_clear()


@pytest.fixture
def uploads(cache: Path) -> Iterator[Uploads]:
    made = Uploads(cache / "uploads", max_bytes=10**9, grace_seconds=100)
    yield made
    made.close()


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(render_workers=1, seconds=60)
    yield made
    made.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose result takes a while to be written."""
    path = tmp_path_factory.mktemp("large") / "large.tif"
    synthetic.make("tissue", SIDE, path)
    return path


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A JPEG of noise, so that whatever it is written as takes more than `LIMIT_BYTES`."""
    path = tmp_path / "noisy.jpg"
    noise = pyvips.Image.gaussnoise(1200, 1200, mean=128, sigma=50).cast("uchar")
    noise.bandjoin([noise.rot90(), noise.rot180()]).copy(interpretation="srgb").jpegsave(str(path), Q=98)
    return path


@contextlib.contextmanager
def no_larger_files(size: int = LIMIT_BYTES) -> Iterator[None]:
    """The system lets this process, and those that it starts, write no larger file: as a quota does, and without rights."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only who may mount can have a disk of a few megabytes")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def unfinished(folder: Path) -> list[Path]:
    return [path for path in below(folder) if path.name.startswith(".") and path.stat().st_size > 100_000]


def told(error: BaseException | None) -> str:
    """What the visitor reads; it must be a sentence of one line."""
    assert isinstance(error, AugvizError), repr(error)
    assert "\n" not in str(error)
    assert "Traceback" not in str(error)
    assert str(error).endswith(".")
    return str(error)


def raised(act: Callable[[], object]) -> str:
    """The sentence that something fails with."""
    with pytest.raises(AugvizError) as caught:
        act()
    return told(caught.value)


async def parts(*content: bytes) -> AsyncIterator[bytes]:
    for part in content:
        yield part


def send(uploads: Uploads, token: str, content: bytes) -> Any:
    """Send a file of unknown size in pieces of a megabyte."""
    pieces = [content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000)]
    return asyncio.run(uploads.receive(token, "sent.tif", None, parts(*pieces), spare=0))


def making(pool: Pool, uploads: Uploads, token: str, path: Path) -> Making:
    """The full-size result of an image begins to be made."""
    asked: Recipe = recipe_of(path, {"format": 1, "steps": [FLIP]}, 1)
    draw = draw_from_json(pool.call("draw", asked.args()).value["draw"])
    return full_size.start(asked, register(asked), draw, TIFF, path.name, token, uploads)


def copying(path: Path) -> jobs.Job:
    """A working copy begins to be made."""
    args = {"path": str(path), "kind": "lossless", "out": str(copies.place(path, "lossless"))}
    return jobs.start_job("make_working_copy", args, seconds=120, memory_bytes=0)


def killed(pid: int) -> None:
    """End a process as the system does that has no memory left, and wait until it has gone."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


# Processes that are killed


@pytest.mark.parametrize("phase", ["importing", "idle", "computing"])
def test_a_killed_render_worker_costs_its_own_request_and_no_other(tmp_path: Path, phase: str) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks="tests.worker_tasks")
    try:
        hit: Future[Any] | None = None
        if phase == "importing":
            hit = pool.submit("echo", {})
            until(lambda: pool.pids()["render"])
        elif phase == "idle":
            pool.call("echo", {})
        else:
            hit = pool.submit("sleep", {"seconds": 600, "began": str(tmp_path / "began")})
            until(lambda: (tmp_path / "began").exists())
        [pid] = pool.pids()["render"]
        killed(pid)

        expected = KILLED_AT_START if phase == "importing" else "sleep: the worker crashed (killed)."
        assert hit is None or told(hit.exception(60)) == expected
        answer = pool.call("echo", {"n": 1}).value
        assert answer["args"] == {"n": 1}
        assert answer["pid"] != pid
    finally:
        pool.close()


@pytest.mark.parametrize("phase", ["importing", "writing"])
def test_a_killed_job_leaves_no_result_and_the_next_one_is_whole(
    pool: Pool, uploads: Uploads, cache: Path, large: Path, phase: str
) -> None:
    token = uploads.open_session()
    made = making(pool, uploads, token, large)
    if phase == "writing":
        until(lambda: unfinished(cache))
    killed(made.job.pid)

    assert isinstance(made.ended.exception(60), WorkerCrashed)
    assert told(made.ended.exception()).startswith(
        KILLED_AT_START if phase == "importing" else "apply_file: the worker crashed (killed)"
    )
    assert uploads.made(token) == ()
    assert below(cache) == []

    again = making(pool, uploads, token, large).ended.result(120)
    image = pyvips.Image.new_from_file(str(again.path))
    assert (image.width, image.height) == (SIDE, SIDE)
    assert (image - pyvips.Image.new_from_file(str(large)).fliphor()).abs().max() == 0


def test_a_worker_that_does_not_start_in_time_says_whose_fault_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("augviz.child.STARTUP_SECONDS", 0.001)
    pool = Pool(render_workers=1, seconds=60, tasks="tests.late_tasks")
    try:
        sentence = raised(lambda: pool.call("echo", {}))
    finally:
        pool.close()

    assert sentence == (
        "The process that should compute this did not start within 1.0 ms, which is no fault of your image or pipeline; "
        "try again."
    )


def test_a_killed_job_leaves_no_working_copy_and_what_it_had_written_is_cleared_up(cache: Path, large: Path) -> None:
    job = copying(large)
    until(lambda: unfinished(cache))
    killed(job.pid)

    assert "crashed (killed)" in told(job.future.exception(60))
    assert copies.find(large) is None
    assert len(below(cache)) == 1

    copies.sweep()
    assert below(cache) == []
    assert copying(large).wait(120) == "done"
    found = copies.find(large)
    assert found is not None
    assert (pyvips.Image.new_from_file(str(found.path)) - pyvips.Image.new_from_file(str(large))).abs().max() == 0


def test_a_killed_download_goes_on_where_it_was(tmp_path: Path) -> None:
    content, hold = tgz(imagenette_members()), threading.Event()
    part = tmp_path / "data" / "imagenette2-320.tgz.part"
    with serving(Mirror(content, hold=hold)) as mirror:
        args = {"variant": "320", "folder": str(part.parent), "address": mirror.url, "md5": mirror.md5}
        job = jobs.start_job("download_imagenette", args, seconds=120, memory_bytes=0)
        until(lambda: part.exists() and part.stat().st_size >= len(content) // 2)
        killed(job.pid)

        assert "crashed (killed)" in told(job.future.exception(60))
        assert not (part.parent / "imagenette2-320").exists()

        hold.set()
        assert jobs.start_job("download_imagenette", args, seconds=120, memory_bytes=0).wait(120) == "done"
        assert mirror.asked[-1] == f"bytes={len(content) // 2}-"
        assert (part.parent / "imagenette2-320" / "train").is_dir()
        assert not part.exists()


def test_a_view_of_a_draw_that_ends_the_process_at_full_size_is_a_sentence(large: Path) -> None:
    killer = {"id": "k", "transform": "AdvancedBlur", "args": {"noise_limit": [0, 0]}, "p": 1.0}
    asked = recipe_of(large, {"format": 1, "steps": [killer]}, 1)
    pool = Pool(render_workers=1, seconds=60, tasks="tests.unguarded_tasks")
    try:
        sentence = raised(lambda: pool.call("picture", {**asked.args(), "side": 256, "quality": "quick", "upto": None}))
    finally:
        pool.close()

    assert sentence.startswith("step 1, AdvancedBlur: the drawn kernel sums to zero")


# Full disks


def test_a_disk_that_gets_full_while_a_file_is_sent_keeps_nothing_of_it(uploads: Uploads, cache: Path) -> None:
    token = uploads.open_session()
    with no_larger_files():
        sentence = raised(lambda: send(uploads, token, b"x" * 2_000_000))

    assert sentence == "sent.tif: it cannot be stored: File too large."
    assert below(cache) == []
    assert send(uploads, token, b"x" * 2_000_000).file_bytes == 2_000_000


def test_a_really_full_disk_keeps_nothing_of_what_is_sent_and_has_room_again_later(disk: Path) -> None:
    uploads = Uploads(disk / "uploads", max_bytes=10**9, grace_seconds=100)
    try:
        token = uploads.open_session()
        kept = send(uploads, token, b"x" * 3_000_000)

        assert "cannot be stored: No space left on device" in raised(lambda: send(uploads, token, b"x" * 9_000_000))
        assert below(disk) == [kept.path]
        uploads.remove(token, kept.id)
        assert send(uploads, token, b"x" * 6_000_000).file_bytes == 6_000_000
    finally:
        uploads.close()


@pytest.mark.parametrize("suffix", results.SUFFIXES)
def test_a_result_that_the_disk_does_not_take_is_a_sentence_and_no_file(
    noisy: Path, tmp_path: Path, suffix: str
) -> None:
    image, out = pyvips.Image.new_from_file(str(noisy)), tmp_path / "out" / f"result{suffix}"
    out.parent.mkdir()
    with no_larger_files():
        sentence = raised(lambda: results.write_result(image, out))

    assert sentence == f"result{suffix}: it cannot be written: file too large."
    assert below(out.parent) == []
    results.write_result(image, out)
    assert below(out.parent) == [out]


@pytest.mark.parametrize("form", forms.FORMS, ids=lambda form: form.title)
def test_a_form_that_the_disk_does_not_take_is_not_blamed_on_the_original(
    noisy: Path, tmp_path: Path, form: forms.Form
) -> None:
    out = tmp_path / "out" / "form.file"
    out.parent.mkdir()
    with no_larger_files():
        sentence = raised(lambda: form_files.write(noisy, InputChoice(), form, out, Context()))

    assert sentence.startswith("form.file: it cannot be written: ")
    assert below(out.parent) == []


def test_jobs_on_a_full_disk_end_with_a_sentence_and_leave_nothing(
    pool: Pool, uploads: Uploads, cache: Path, noisy: Path
) -> None:
    token = uploads.open_session()
    with no_larger_files():  # the processes of the jobs are under the limit, too
        result, copy = making(pool, uploads, token, noisy), copying(noisy)
        sentences = [told(result.ended.exception(60)), told(copy.future.exception(60))]

    assert [sentence.split(": ", 1)[1] for sentence in sentences] == ["it cannot be written: file too large."] * 2
    assert below(cache) == []
    assert copies.find(noisy) is None
    assert making(pool, uploads, token, noisy).ended.result(60).path.exists()
    assert copying(noisy).wait(60) == "done"


def test_a_job_on_a_really_full_disk_is_refused_with_what_is_free(
    pool: Pool, disk: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(disk))
    get_settings.cache_clear()
    uploads = Uploads(disk / "uploads", max_bytes=10**9, grace_seconds=100)
    try:
        token = uploads.open_session()

        assert "are free for it on the disk" in raised(lambda: making(pool, uploads, token, large))
        assert "are free on the disk" in told(copying(large).future.exception(60))
        assert below(disk) == []
    finally:
        uploads.close()
        get_settings.cache_clear()


def test_a_download_that_the_disk_does_not_take_keeps_what_has_come_and_goes_on(tmp_path: Path) -> None:
    small = replace(imagenette.VARIANTS[0], archive_bytes=300_000)
    folder = tmp_path / "data"
    archive = tgz(imagenette_members())
    with serving(Mirror(archive)) as mirror:
        with (
            no_larger_files(len(archive) // 2),
            pytest.raises(DownloadError, match="cannot be written: File too large") as caught,
        ):
            imagenette.download(small, folder, mirror.url, mirror.md5, Context())

        assert told(caught.value)
        assert [path.name for path in below(folder)] == ["imagenette2-320.tgz.part"]
        assert imagenette.present(get_settings()) == ()

        assert imagenette.download(small, folder, mirror.url, mirror.md5, Context()).is_dir()
        assert not (folder / "imagenette2-320.tgz.part").exists()


def test_an_archive_that_the_disk_does_not_take_unpacked_stays_to_go_on_from(disk: Path) -> None:
    archive = tgz(imagenette_members(each=78))
    as_large = replace(imagenette.VARIANTS[0], archive_bytes=DISK_BYTES // 2 - 100_000)
    with serving(Mirror(archive, tells_length=False)) as mirror, pytest.raises(DownloadError) as caught:
        imagenette.download(as_large, disk, mirror.url, mirror.md5, Context())

    assert told(caught.value) == "imagenette2-320.tgz: it cannot be unpacked: No space left on device."
    assert [(path.name, path.stat().st_size) for path in below(disk)] == [("imagenette2-320.tgz.part", len(archive))]


# Folders that are removed


def test_files_can_be_sent_and_made_again_after_the_cache_folder_was_removed(
    pool: Pool, uploads: Uploads, cache: Path, noisy: Path
) -> None:
    token = uploads.open_session()
    lost = send(uploads, token, b"x" * 1000)
    shutil.rmtree(cache)

    assert not lost.path.exists()
    uploads.sweep()
    assert send(uploads, token, b"x" * 1000).path.exists()
    shutil.rmtree(cache)
    assert making(pool, uploads, token, noisy).ended.result(60).path.exists()
    shutil.rmtree(cache)
    assert copying(noisy).wait(60) == "done"
    uploads.remove(token, lost.id)
    assert uploads.open_session()


def test_a_folder_that_was_made_again_is_held_again(uploads: Uploads, cache: Path) -> None:
    token = uploads.open_session()
    shutil.rmtree(cache)
    kept = send(uploads, token, b"x" * 1000)
    for folder in (cache / "uploads").iterdir():
        os.utime(folder, (time.time() - DAY, time.time() - DAY))
    held_folder.sweep(cache / "uploads")  # as another server does

    assert kept.path.exists()


def test_a_result_whose_folder_is_removed_while_it_is_written_ends_with_a_sentence(
    pool: Pool, uploads: Uploads, cache: Path, large: Path
) -> None:
    token = uploads.open_session()
    made = making(pool, uploads, token, large)
    until(lambda: unfinished(cache))
    shutil.rmtree(cache)

    assert told(made.ended.exception(60))
    assert uploads.made(token) == ()
    assert making(pool, uploads, token, large).ended.result(60).path.exists()


def test_a_server_that_cannot_store_anything_says_so(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("no folder")
    uploads = Uploads(tmp_path / "uploads", max_bytes=1000, grace_seconds=100)

    with pytest.raises(UploadError, match="No file can be stored on this server"):
        uploads.open_session()


# Clocks that jump


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_files_of_a_living_session_outlive_a_jump_of_the_wall_clock(uploads: Uploads, cache: Path, jump: int) -> None:
    token = uploads.open_session()
    uploads.hold(token)
    kept = send(uploads, token, b"x")
    for path in (*cache.rglob("*"), cache):
        os.utime(path, (time.time() - jump, time.time() - jump))
    uploads.sweep()
    held_folder.sweep(cache / "uploads")

    assert kept.path.exists()
    assert uploads.find(token, kept.id) == kept


def test_an_unfinished_file_is_cleared_up_when_its_writer_has_ended_and_not_by_its_age(cache: Path) -> None:
    out = cache / "synthetic" / "tissue-4096.tif"
    out.parent.mkdir(parents=True)
    with results.written_whole(out) as part:
        part.write_bytes(b"x")
        os.utime(part, (time.time() - DAY, time.time() - DAY))
        sources.check_room("tissue", 64)
        assert part.exists()

    assert below(cache) == [out]
    left = part.with_name(".left.tif")
    left.write_bytes(b"new, and of a process that has gone")
    sources.check_room("tissue", 64)
    assert below(cache) == [out]


def test_a_working_copy_that_is_being_written_outlives_a_jump_of_the_clock(cache: Path, large: Path) -> None:
    job = copying(large)
    until(lambda: unfinished(cache))
    for part in unfinished(cache):
        os.utime(part, (time.time() - DAY, time.time() - DAY))
    copies.sweep()

    assert job.wait(120) == "done"
    assert copies.find(large) is not None


def test_ages_are_told_by_the_wall_clock_only_where_no_lock_tells_more() -> None:
    root = Path(held_folder.__file__).parent
    found = {path.name: path.read_text(encoding="utf-8").count("time.time()") for path in root.rglob("*.py")}

    assert {name: count for name, count in found.items() if count} == {"held_folder.py": 3, "copies.py": 1}


def test_an_error_of_the_library_that_no_disk_has_raised_stays_what_it_is(tmp_path: Path) -> None:
    error = pyvips.Error("unable to call conv", None)

    assert results.write_problem(error, tmp_path / "a.tif") is None
    with pytest.raises(ImageError, match="there is no folder"):
        results.write_result(pyvips.Image.black(8, 8), tmp_path / "nowhere" / "a.tif")
