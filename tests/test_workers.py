"""The worker processes: what one request does to itself, it does to no other."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pyvips

from augviz import probation
from augviz.child import exit_words
from augviz.context import Context
from augviz.errors import (
    AugvizError,
    Cancelled,
    ImageError,
    OutOfMemory,
    ServerBusy,
    StepError,
    WorkerCrashed,
    WorkerError,
    WorkerTimeout,
)
from augviz.jobs import NICE, Job, asked_by, find_job, start_job
from augviz.settings import get_settings
from augviz.workers import Pool, WorkerBug
from tests.live import until

TASKS = "tests.worker_tasks"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Two render workers that the tests of this module share: a test may kill them, that is their purpose."""
    made = Pool(render_workers=2, seconds=60, tasks=TASKS)
    yield made
    made.close()


@pytest.fixture
def single() -> Iterator[Pool]:
    """One render worker, so that the order of requests is known."""
    made = Pool(render_workers=1, seconds=60, tasks=TASKS)
    yield made
    made.close()


def began(path: Path) -> int:
    """Wait until a function has made its mark; returns its process id."""
    until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_an_answer_brings_back_the_arguments_and_a_blob(pool: Pool) -> None:
    answer = pool.call("echo", {"text": "é", "blob": [0, 10, 255]})

    assert answer.value["args"]["text"] == "é"
    assert answer.blob == b"\x00\x0a\xff"


def test_a_blob_of_many_megabytes_arrives_whole(pool: Pool) -> None:
    answer = pool.call("echo", {"blob": [7] * 3_000_000})

    assert answer.blob == b"\x07" * 3_000_000


def test_prints_of_python_and_c_do_not_disturb_the_answers(pool: Pool) -> None:
    answers = [pool.call("noisy_echo", {"n": n}).value["args"]["n"] for n in range(5)]

    assert answers == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [
        ("raise_signal", {"name": "SIGFPE"}, "divided by zero"),
        ("read_nowhere", {}, "segmentation fault"),
        ("raise_signal", {"name": "SIGKILL"}, "killed"),
    ],
)
def test_a_crash_fails_only_its_own_request(pool: Pool, tmp_path: Path, function: str, args: Any, words: str) -> None:
    other = pool.submit("sleep", {"seconds": 1, "began": str(tmp_path / "began")})
    pid = began(tmp_path / "began")
    crashing = pool.submit(function, args)
    waiting = [pool.submit("echo", {"n": n}) for n in range(4)]

    with pytest.raises(WorkerCrashed, match=words):
        crashing.result()
    assert other.result().value["pid"] == pid
    assert [future.result().value["args"]["n"] for future in waiting] == [0, 1, 2, 3]


def test_the_pool_has_as_many_workers_after_a_crash_as_before(pool: Pool) -> None:
    pool.call("echo", {})

    with pytest.raises(WorkerCrashed):
        pool.call("read_nowhere", {})

    until(lambda: len(pool.pids()["render"]) == 2)
    assert pool.call("echo", {"n": 1}).value["args"] == {"n": 1}


def test_a_crash_tells_the_exit_status_and_the_stage(pool: Pool) -> None:
    with pytest.raises(WorkerCrashed, match="during blurring") as caught:
        pool.call("raise_signal", {"name": "SIGFPE", "stage": "blurring"})

    assert caught.value.exit_status == -8


def test_a_crash_at_a_known_step_names_the_step(pool: Pool) -> None:
    step = {"step_id": "b", "transform": "AdvancedBlur", "position": 3}

    with pytest.raises(StepError, match="step 3, AdvancedBlur: the library crashed") as caught:
        pool.call("raise_signal", {"name": "SIGFPE", "step": step})

    assert isinstance(caught.value.__cause__, WorkerCrashed)
    assert (caught.value.step_id, caught.value.position) == ("b", 3)


def test_a_request_that_meets_the_crash_of_an_earlier_one_is_answered(single: Pool) -> None:
    pid = single.call("poison", {}).value["pid"]

    assert single.call("echo_unless_poisoned", {}).value["pid"] != pid


def test_a_request_that_crashes_a_fresh_worker_is_not_tried_again(single: Pool, tmp_path: Path) -> None:
    began = tmp_path / "began"

    with pytest.raises(WorkerCrashed):
        single.call("raise_signal", {"name": "SIGFPE", "log": str(began)})

    assert began.read_text().count("raise_signal") == 1


def test_a_worker_that_died_while_idle_is_replaced_unnoticed(single: Pool) -> None:
    pid = single.call("echo", {}).value["pid"]
    process = psutil.Process(pid)
    process.kill()
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)

    assert single.call("echo", {}).value["pid"] != pid


def test_a_request_beyond_its_time_limit_is_ended_and_the_worker_replaced(single: Pool) -> None:
    pid = single.call("echo", {}).value["pid"]

    with pytest.raises(WorkerTimeout, match="limit of 200 ms"):
        single.call("sleep", {"seconds": 600}, seconds=0.2)

    assert single.call("echo", {}).value["pid"] != pid


def test_the_latest_request_of_a_topic_drops_the_ones_that_wait(single: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    single.submit("sleep", {"seconds": 0.3, "began": str(tmp_path / "began")})
    began(tmp_path / "began")
    futures = [
        single.submit("append", {"path": str(log), "line": str(n)}, session="s", topic="picture") for n in range(5)
    ]
    futures[-1].result()

    for future in futures[:-1]:
        with pytest.raises(Cancelled):
            future.result()
    assert log.read_text() == "4\n"


def test_requests_of_other_sessions_and_topics_are_not_dropped(single: Pool) -> None:
    names = [("s", "picture"), ("t", "picture"), ("s", "grid"), ("s", ""), ("", "")]
    futures = [single.submit("echo", {"n": n}, session=s, topic=t) for n, (s, t) in enumerate(names)]

    assert [future.result().value["args"]["n"] for future in futures] == [0, 1, 2, 3, 4]


def test_the_latest_request_stops_a_running_evaluation_and_keeps_its_worker(single: Pool, tmp_path: Path) -> None:
    old = single.submit("blur_forever", {"began": str(tmp_path / "began")}, session="s", topic="picture")
    pid = began(tmp_path / "began")
    new = single.submit("echo", {}, session="s", topic="picture")

    with pytest.raises(Cancelled):
        old.result()
    assert new.result().value["pid"] == pid


def test_a_killed_evaluation_does_not_fail_the_next_one(single: Pool, tmp_path: Path) -> None:
    for n in range(3):
        path = tmp_path / f"began{n}"
        future = single.submit("blur_forever", {"began": str(path)})
        began(path)
        single.cancel(future)

        assert single.call("average", {}).value["mean"] == 7


def test_a_cancel_that_comes_after_the_evaluation_does_not_fail_the_next_one() -> None:
    context = Context()
    image = context.watch(pyvips.Image.black(100, 100) + 7)
    image.avg()
    context.cancel()
    context.close()

    assert (pyvips.Image.black(100, 100) + 7).copy_memory().avg() == 7
    assert image.avg() == 7


def test_an_image_is_not_watched_for_a_request_that_was_given_up() -> None:
    context = Context()
    context.cancel()

    with pytest.raises(Cancelled):
        context.watch(pyvips.Image.black(100, 100))


def test_urgent_requests_go_ahead_of_those_that_wait_in_their_order(single: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    single.submit("sleep", {"seconds": 0.3, "began": str(tmp_path / "began")})
    began(tmp_path / "began")
    asked = [("fine 1", False), ("quick 1", True), ("fine 2", False), ("quick 2", True)]
    futures = [single.submit("append", {"path": str(log), "line": line}, urgent=urgent) for line, urgent in asked]
    for future in futures:
        future.result()

    assert log.read_text().splitlines() == ["quick 1", "quick 2", "fine 1", "fine 2"]


def test_a_cancelled_request_that_waits_is_never_computed(single: Pool, tmp_path: Path) -> None:
    single.submit("sleep", {"seconds": 0.3, "began": str(tmp_path / "began")})
    began(tmp_path / "began")
    future = single.submit("append", {"path": str(tmp_path / "log"), "line": "x"})
    single.cancel(future)
    single.call("echo", {})

    with pytest.raises(Cancelled):
        future.result()
    assert not (tmp_path / "log").exists()


def test_a_cancelled_request_that_does_not_listen_costs_its_worker(
    single: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = single.submit("sleep", {"seconds": 600, "began": str(tmp_path / "began")})
    pid = began(tmp_path / "began")
    single.cancel(future)

    assert single.call("echo", {}).value["pid"] != pid


def test_a_cancelled_awaiter_cancels_its_request(single: Pool, tmp_path: Path) -> None:
    async def give_up() -> None:
        task = asyncio.create_task(single.acall("listen", {"began": str(tmp_path / "began")}))
        await asyncio.to_thread(began, tmp_path / "began")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(give_up())

    assert single.call("echo", {}).value["pid"] == began(tmp_path / "began")


def test_the_desk_answers_while_every_render_worker_is_busy(single: Pool, tmp_path: Path) -> None:
    busy = single.submit("listen", {"began": str(tmp_path / "began")})
    began(tmp_path / "began")

    assert single.call("echo", {"n": 1}, lane="desk").value["args"] == {"n": 1}
    assert not busy.done()


def test_a_full_queue_refuses_and_says_how_many_are_before(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks=TASKS, max_queued=2)
    try:
        busy = pool.submit("listen", {"began": str(tmp_path / "began")})
        began(tmp_path / "began")
        waiting = [pool.submit("echo", {}) for _ in range(2)]

        with pytest.raises(ServerBusy, match=r"The server is busy: 2 requests are before yours\.") as caught:
            pool.submit("echo", {})

        pool.cancel(busy)
        assert caught.value.ahead == 2
        assert [future.result().value["args"] for future in waiting] == [{}, {}]
    finally:
        pool.close()


def test_a_greedy_visitor_delays_another_by_no_more_than_what_is_under_way(single: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    single.submit("sleep", {"seconds": 0.3, "began": str(tmp_path / "began")}, visitor="greedy")
    began(tmp_path / "began")
    greedy = [
        single.submit("append", {"path": str(log), "line": f"greedy {n}"}, visitor="greedy", urgent=n % 2 == 0)
        for n in range(200)
    ]
    single.submit("append", {"path": str(log), "line": "other"}, visitor="other").result()
    for future in greedy:
        future.result()

    lines = log.read_text().splitlines()
    assert lines[0] == "other"
    assert len(lines) == 201


def test_a_visitor_who_ends_worker_after_worker_soon_ends_none_of_the_others(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks=TASKS)
    try:
        for _ in range(probation.ENDED):
            with pytest.raises(WorkerCrashed):
                pool.call("raise_signal", {"name": "SIGSEGV"}, visitor="greedy")
        mine = pool.call("echo", {}, visitor="other").value["pid"]

        for _ in range(2):
            with pytest.raises(WorkerCrashed):
                pool.call("raise_signal", {"name": "SIGSEGV"}, visitor="greedy")
        apart = pool.call("echo", {}, visitor="greedy").value["pid"]

        assert pool.call("echo", {}, visitor="other").value["pid"] == mine
        assert (pool.pids()["render"], pool.pids()["apart"]) == ([mine], [apart])
    finally:
        pool.close()
    until(lambda: not psutil.pid_exists(apart))


def test_a_worker_that_rests_for_long_is_ended_and_started_again_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probation, "SECONDS", 0.5)
    monkeypatch.setattr(probation, "ENDED", 1)
    pool = Pool(render_workers=1, seconds=60, tasks=TASKS)
    try:
        with pytest.raises(WorkerCrashed):
            pool.call("raise_signal", {"name": "SIGSEGV"}, visitor="greedy")
        pool.call("echo", {}, visitor="greedy")
        until(lambda: pool.pids()["apart"] == [])
        with pytest.raises(WorkerCrashed):
            pool.call("raise_signal", {"name": "SIGSEGV"}, visitor="greedy")

        assert pool.call("echo", {}, visitor="greedy").value["pid"] not in pool.pids()["render"]
    finally:
        pool.close()


def test_a_visitor_at_their_limit_leaves_a_worker_to_the_others(tmp_path: Path) -> None:
    pool = Pool(render_workers=2, seconds=60, tasks=TASKS, max_renders_per_visitor=1)
    try:
        busy = pool.submit("listen", {"began": str(tmp_path / "began")}, visitor="a")
        began(tmp_path / "began")
        held = pool.submit("echo", {}, visitor="a")

        assert pool.call("echo", {"n": 1}, visitor="b").value["args"] == {"n": 1}
        assert not held.done()

        pool.cancel(busy)
        assert held.result().value["args"] == {}
    finally:
        pool.close()


def test_beyond_a_visitors_own_limit_their_oldest_that_is_not_urgent_is_refused(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks=TASKS, max_queued_per_visitor=2)
    try:
        busy = pool.submit("listen", {"began": str(tmp_path / "began")}, visitor="a")
        began(tmp_path / "began")
        urgent, old, new = (pool.submit("echo", {"n": n}, visitor="a", urgent=n == 0) for n in range(3))

        with pytest.raises(ServerBusy, match="More than 2 of your requests are waiting"):
            old.result()

        pool.cancel(busy)
        assert [future.result().value["args"]["n"] for future in (urgent, new)] == [0, 2]
    finally:
        pool.close()


@pytest.mark.parametrize(
    ("function", "args"), [("allocate", {"bytes": 4 << 30}), ("allocate_in_libvips", {"side": 60_000})]
)
def test_too_much_memory_is_a_sentence_and_the_worker_lives_on(function: str, args: Any) -> None:
    pool = Pool(render_workers=1, seconds=60, memory_bytes=2_000_000_000, tasks=TASKS)
    try:
        pid = pool.call("echo", {}).value["pid"]

        with pytest.raises(OutOfMemory, match=r"ran out of memory \(limit 2 GB\)"):
            pool.call(function, args)

        assert pool.call("echo", {}).value["pid"] == pid
    finally:
        pool.close()


def test_a_step_error_keeps_its_fields(pool: Pool) -> None:
    with pytest.raises(StepError, match="step 3, Rotate: limit is too large") as caught:
        pool.call("fail_step", {})

    error = caught.value
    assert (error.transform, error.reason, error.step_id, error.position) == ("Rotate", "limit is too large", "a1", 3)


def test_an_error_of_the_family_keeps_its_class(pool: Pool) -> None:
    with pytest.raises(ImageError, match=r"nowhere.png: there is no such file\."):
        pool.call("fail_image", {})


def test_a_bug_is_no_error_of_the_family_and_shows_its_traceback(pool: Pool) -> None:
    with pytest.raises(WorkerBug, match="KeyError: 'missing'") as caught:
        pool.call("fail_by_bug", {})

    assert not isinstance(caught.value, AugvizError)


def test_an_answer_that_is_not_json_is_a_bug(pool: Pool) -> None:
    with pytest.raises(WorkerBug, match="not JSON serializable"):
        pool.call("answer_nonsense", {})


def test_arguments_that_are_not_json_fail_their_request_only(single: Pool) -> None:
    with pytest.raises(TypeError):
        single.call("echo", {"value": object()})

    assert single.call("echo", {"n": 2}).value["args"] == {"n": 2}


def test_an_unknown_function_is_a_bug(pool: Pool) -> None:
    with pytest.raises(WorkerBug, match="no worker function 'nothing'"):
        pool.call("nothing", {})


def test_functions_that_cannot_be_imported_are_a_bug_each_time() -> None:
    pool = Pool(render_workers=1, seconds=60, tasks="tests.no_such_module")
    try:
        for _ in range(2):
            with pytest.raises(WorkerBug, match="No module named"):
                pool.call("echo", {})
    finally:
        pool.close()


def test_a_warm_pool_has_every_worker_and_knows_their_memory(single: Pool) -> None:
    single.warm()
    until(lambda: sum(len(pids) for pids in single.pids().values()) == 2)
    pids = [pid for lane in single.pids().values() for pid in lane]

    memory = single.memory()
    assert sorted(memory) == sorted(pids)
    assert all(value is not None and value > 1_000_000 for value in memory.values())


def test_a_closed_pool_has_no_process_left_and_gives_its_requests_up(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks=TASKS)
    future = pool.submit("sleep", {"seconds": 600, "began": str(tmp_path / "began")})
    pid = began(tmp_path / "began")
    pool.close()

    assert not psutil.pid_exists(pid)
    with pytest.raises(Cancelled):
        future.result()
    with pytest.raises(WorkerError, match="closed"):
        pool.submit("echo", {})


def test_the_children_of_a_killed_server_end() -> None:
    script = (
        "from augviz.workers import Pool\n"
        f"pool = Pool(render_workers=1, seconds=600, tasks={TASKS!r})\n"
        "print(pool.call('echo', {}).value['pid'], flush=True)\n"
        "pool.call('sleep', {'seconds': 600})\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        server.kill()

    until(lambda: not psutil.pid_exists(pid))


def test_exit_statuses_have_words() -> None:
    assert [exit_words(status) for status in (-8, -11, -9, 3, 0xC00000FD)] == [
        "divided by zero",
        "segmentation fault",
        "killed",
        "exit status 3",
        "stack overflow",
    ]


def job(function: str, args: Any, **options: Any) -> Job:
    return start_job(function, args, **{"seconds": 60, "memory_bytes": 0, "tasks": TASKS, **options})


def test_a_job_answers_and_its_process_ends() -> None:
    work = job("echo", {"n": 1})

    assert work.result().value["args"] == {"n": 1}
    assert work.state == "done"
    assert not psutil.pid_exists(work.pid)


def test_a_job_tells_its_progress(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).touch()
    work = job("tell_stages", {"folder": str(tmp_path)})

    until(lambda: work.progress == (0.25, "first"))
    assert work.state == "running"
    (tmp_path / "first").unlink()
    until(lambda: work.progress == (0.75, "second"))
    (tmp_path / "second").unlink()
    assert work.result().value == {"done": True}


def test_a_job_tells_the_progress_of_an_evaluation(tmp_path: Path) -> None:
    work = job("average", {})
    work.result()

    fraction, text = work.progress
    assert text == "averaging"
    assert fraction is not None
    assert 0 <= fraction <= 1


@pytest.mark.parametrize("function", ["sleep", "listen", "blur_forever"])
def test_a_cancelled_job_ends_its_process(tmp_path: Path, function: str) -> None:
    work = job(function, {"seconds": 600, "began": str(tmp_path / "began")})
    began(tmp_path / "began")
    work.cancel()

    assert work.state == "cancelled"
    until(lambda: not psutil.pid_exists(work.pid))
    with pytest.raises(Cancelled):
        work.result()


def test_a_job_cancelled_before_it_is_ready_ends_its_process() -> None:
    work = job("sleep", {"seconds": 600})
    work.cancel()

    until(lambda: not psutil.pid_exists(work.pid))
    assert work.state == "cancelled"


def test_a_job_beyond_its_time_limit_has_failed() -> None:
    work = job("sleep", {"seconds": 600}, seconds=0.2)

    with pytest.raises(WorkerTimeout):
        work.result()
    assert work.state == "failed"


def test_a_crashed_job_has_failed_with_words() -> None:
    work = job("raise_signal", {"name": "SIGSEGV"})

    with pytest.raises(WorkerCrashed, match="segmentation fault"):
        work.result()
    assert isinstance(work.error, WorkerCrashed)


def test_a_job_gives_way_to_previews() -> None:
    value = job("niceness", {}).result().value

    assert value == {"nice": os.nice(0) + NICE, "threads": "1"}


def test_a_visitors_own_jobs_have_a_limit_that_leaves_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGVIZ_JOBS", "3")
    monkeypatch.setenv("AUGVIZ_JOBS_PER_VISITOR", "2")
    get_settings.cache_clear()
    work = [job("sleep", {"seconds": 600}, visitor="a") for _ in range(2)]
    try:
        with pytest.raises(WorkerError, match="2 jobs of yours are running, which is the limit for one visitor"):
            job("echo", {}, visitor="a")
        with asked_by("a"), pytest.raises(WorkerError, match="2 jobs of yours"):
            job("echo", {})
        work.append(job("sleep", {"seconds": 600}, visitor="b"))
        with pytest.raises(WorkerError, match="3 jobs are running, 2 of yours, and 3 is the limit"):
            job("echo", {}, visitor="a")
        with pytest.raises(WorkerError, match="3 jobs are running, and 3 is the limit"):
            job("echo", {})
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
        for one in work:
            one.cancel()
            one.wait_gone(60)


def test_a_job_is_found_by_its_id() -> None:
    work = job("echo", {})
    work.result()

    assert find_job(work.id) is work
    assert find_job("nothing") is None
