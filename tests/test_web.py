"""The routes of pictures and figures, asked over HTTP."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pyvips

from augviz.answers import Answers, Question
from augviz.errors import Cancelled, ServerBusy, WorkerCrashed
from augviz.jobs import NICE, start_job
from augviz.recipes import recipe_of, register
from augviz.settings import get_settings
from augviz.web import MAX_SIDE, MIN_SIDE, routes
from augviz.workers import Answer, Pool
from tests.live import Reply, asking, fetch, serving, until


@pytest.fixture
def pool() -> Iterator[Pool]:
    """One render worker, whose pictures are the functions that a pipeline's first step names."""
    made = Pool(render_workers=1, seconds=60, tasks="tests.worker_tasks")
    yield made
    made.close()


@pytest.fixture
def url(pool: Pool) -> Iterator[str]:
    answers = Answers(pool)
    with serving(routes(answers=lambda: answers)) as address:
        yield f"{address}/augviz"


@pytest.fixture(scope="module")
def real_url() -> Iterator[str]:
    """The routes over the real worker functions."""
    pool = Pool(render_workers=1, seconds=60)
    answers = Answers(pool)
    with serving(routes(answers=lambda: answers)) as address:
        yield f"{address}/augviz"
    pool.close()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 x 200 pixels of smooth colour."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    ramp = pyvips.Image.xyz(300, 200)
    bands = [ramp[0] * 0.8, ramp[1] * 1.2, (ramp[0] + ramp[1]) / 2]
    bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb").write_to_file(str(path))
    return path


def key_of(function: str, args: Any = None, *, path: str = "a.tif", seed: int = 0) -> str:
    """Key of a recipe whose picture is made by a function of `worker_tasks`."""
    steps = [{"id": "a1", "transform": function, "args": args or {}}]
    return register(recipe_of(path, {"format": 1, "steps": steps}, seed))


def key_of_photo(photo: Path, *steps: Any, seed: int = 0) -> str:
    return register(recipe_of(photo, {"format": 1, "steps": list(steps)}, seed))


def told(reply: Reply) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(reply.body)
    return value


def test_a_picture_is_a_jpeg_of_the_size_asked_for(real_url: str, photo: Path) -> None:
    key = key_of_photo(photo, {"transform": "HorizontalFlip", "p": 1.0})
    reply = fetch(f"{real_url}/picture/{key}/fine.jpg?side=150")

    assert reply.status == 200
    assert reply.headers["content-type"] == "image/jpeg"
    image = pyvips.Image.new_from_buffer(reply.body, "")
    assert (image.width, image.height) == (150, 100)
    assert image(5, 50)[0] > image(145, 50)[0]


def test_a_picture_and_a_thumbnail_show_the_bands_asked_for(real_url: str, tmp_path: Path) -> None:
    path = tmp_path / "five.tif"
    values = [pyvips.Image.black(40, 30) + value for value in (10, 60, 110, 160, 210)]
    values[0].bandjoin(values[1:]).cast("uchar").copy(interpretation="multiband").tiffsave(str(path))
    key = key_of_photo(path, {"transform": "NoOp"})

    for address in (f"picture/{key}/quick.jpg", f"thumb/{key}.jpg"):
        reply = fetch(f"{real_url}/{address}?side=64&bands=5,3,1")
        shown = pyvips.Image.new_from_buffer(reply.body, "")
        assert shown(5, 5) == pytest.approx([210, 110, 10], abs=4)
    assert fetch(f"{real_url}/picture/{key}/quick.jpg?bands=5,3").status == 422
    assert "bands must be three numbers" in told(fetch(f"{real_url}/thumb/{key}.jpg?bands=0,1,2"))["error"]


def test_a_picture_carries_its_key_and_what_it_is(real_url: str, photo: Path) -> None:
    key = key_of_photo(photo, {"transform": "HorizontalFlip", "p": 1.0})
    reply = fetch(f"{real_url}/picture/{key}/quick.jpg?side=150")

    meta = json.loads(reply.headers["x-augviz-meta"])
    assert reply.headers["x-augviz-key"] == key
    assert (meta["width"], meta["height"], meta["truth"]) == (150, 100, "to scale")
    assert reply.headers["cache-control"] == "private, max-age=3600, immutable"


def test_two_seeds_have_their_own_pictures(real_url: str, photo: Path) -> None:
    step = {"transform": "Rotate", "args": {"limit": 90}, "p": 1.0}
    first, second = (
        fetch(f"{real_url}/picture/{key_of_photo(photo, step, seed=seed)}/quick.jpg?side=150") for seed in (1, 2)
    )

    assert first.body != second.body


def test_the_thumbnail_is_the_source_whatever_the_pipeline(real_url: str, photo: Path) -> None:
    key = key_of_photo(photo, {"transform": "HorizontalFlip", "p": 1.0})
    reply = fetch(f"{real_url}/thumb/{key}.jpg?side=150")

    image = pyvips.Image.new_from_buffer(reply.body, "")
    assert (image.width, image.height) == (150, 100)
    assert image(5, 50)[0] < image(145, 50)[0]


def test_the_report_has_an_entry_for_every_step(real_url: str, photo: Path) -> None:
    key = key_of_photo(photo, {"transform": "HorizontalFlip", "p": 1.0}, {"transform": "Blur", "p": 1.0})
    reply = fetch(f"{real_url}/report/{key}.json")

    assert [step["transform"] for step in told(reply)["steps"]] == ["HorizontalFlip", "Blur"]


def test_a_busy_server_says_how_many_requests_are_before_and_when_to_ask_again(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks="tests.worker_tasks", max_queued=12)
    answers = Answers(pool)
    try:
        busy = pool.submit("listen", {"began": str(tmp_path / "began")})
        until((tmp_path / "began").exists)
        waiting = [pool.submit("echo", {}) for _ in range(12)]
        with serving(routes(answers=lambda: answers)) as address:
            refused = fetch(f"{address}/augviz/picture/{key_of('echo')}/quick.jpg")
            pool.cancel(busy)
            for future in waiting:
                future.result()
            reply = fetch(f"{address}/augviz/picture/{key_of('echo')}/quick.jpg")
    finally:
        pool.close()

    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert told(refused)["error"] == "The server is busy: 12 requests are before yours."
    assert reply.status == 200


def test_a_greedy_visitor_who_asks_by_http_does_not_delay_another(pool: Pool, tmp_path: Path) -> None:
    answers, log = Answers(pool), tmp_path / "log"
    busy = pool.submit("listen", {"began": str(tmp_path / "began")})
    until((tmp_path / "began").exists)

    def question(line: str) -> Question:
        return Question(line, "append", {"path": str(log), "line": line})

    greedy = [answers.ask(question(f"greedy {n}"), visitor="greedy") for n in range(200)]
    shared = answers.ask(question("greedy 199"), visitor="other")
    other = answers.ask(question("other"), visitor="other")
    pool.cancel(busy)
    for waiter in (*greedy, shared, other):
        waiter.future.result()

    lines = log.read_text().splitlines()
    assert lines.index("other") <= 1
    assert sorted(lines) == sorted({"other", *(f"greedy {n}" for n in range(200))})


def test_who_is_refused_for_anothers_request_is_told_so(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks="tests.worker_tasks", max_queued=3)
    answers = Answers(pool)
    try:
        busy = pool.submit("listen", {"began": str(tmp_path / "began")})
        until((tmp_path / "began").exists)
        greedy = [answers.ask(Question(n, "echo", {"n": n}), visitor="greedy") for n in range(3)]
        other = answers.ask(Question("other", "echo", {}), visitor="other")

        with pytest.raises(ServerBusy, match="The server is busy: 3 requests are before yours"):
            greedy[0].future.result(timeout=60)

        pool.cancel(busy)
        assert other.future.result().value["args"] == {}
        assert [waiter.future.result().value["args"]["n"] for waiter in greedy[1:]] == [1, 2]
    finally:
        pool.close()


def test_the_crash_of_a_real_transform_names_its_step_and_harms_nobody(photo: Path) -> None:
    pool = Pool(render_workers=2, seconds=60, tasks="tests.unguarded_tasks")
    answers = Answers(pool)
    killer = {"id": "k", "transform": "AdvancedBlur", "args": {"noise_limit": [0, 0]}, "p": 1.0}
    flip = {"transform": "HorizontalFlip", "p": 1.0}
    try:
        with serving(routes(answers=lambda: answers)) as address, ThreadPoolExecutor(8) as browsers:
            good = [key_of_photo(photo, flip, seed=seed) for seed in range(6)]
            keys = [*good[:3], key_of_photo(photo, flip, killer), *good[3:]]
            found = list(browsers.map(lambda key: fetch(f"{address}/augviz/picture/{key}/quick.jpg"), keys))
    finally:
        pool.close()

    assert [reply.status for reply in found] == [200, 200, 200, 422, 200, 200, 200]
    assert told(found[3]) == {
        "error": "step 2, AdvancedBlur: the library crashed (divided by zero) for this draw",
        "class": "StepError",
        "step_id": "k",
        "transform": "AdvancedBlur",
        "position": 2,
    }


def test_thousands_of_holes_fail_no_other_picture(photo: Path) -> None:
    # The crash comes when the holes are released, mostly (not always) with the picture itself, else later.
    pool = Pool(render_workers=2, seconds=240, tasks="tests.unguarded_tasks")
    sizes = {f"{end}_{name}": 4 for end in ("min", "max") for name in ("height", "width")}
    holes = {"transform": "CoarseDropout", "args": {"min_holes": 4000, "max_holes": 4000, **sizes}, "p": 1.0}
    more = {"side": 150, "quality": "quick", "upto": None}

    def ask(step: dict[str, Any], seed: int) -> Future[Answer]:
        recipe = recipe_of(photo, {"format": 1, "steps": [step]}, seed)
        return pool.submit("picture", {**recipe.args(), **more})

    try:
        killer = ask(holes, 0)
        meanwhile = [ask({"transform": "Rotate", "p": 1.0}, seed).exception() for seed in range(10)]
        killed = killer.exception()
        later = [ask({"transform": "Rotate", "p": 1.0}, seed).exception() for seed in range(10, 40)]
    finally:
        pool.close()

    assert killed is None or isinstance(killed, WorkerCrashed)
    assert [*meanwhile, *later] == [None] * 40


def test_an_unknown_key_is_not_found_with_a_sentence(url: str) -> None:
    reply = fetch(f"{url}/picture/{'0' * 24}/quick.jpg")

    assert reply.status == 404
    assert told(reply)["error"] == "This picture is not known any more; reload the page to make it anew."


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("quick.jpg?side=big", "side must be a whole number, got 'big'."),
        ("quick.jpg?upto=-1", "upto must be at least 0, got -1."),
        ("best.jpg", "quality must be one of quick, fine, precise, got 'best'."),
    ],
)
def test_an_impossible_wish_is_refused_with_a_sentence(url: str, address: str, sentence: str) -> None:
    reply = fetch(f"{url}/picture/{key_of('echo')}/{address}")

    assert (reply.status, told(reply)["error"]) == (422, sentence)


@pytest.mark.parametrize(("asked", "given"), [(1, MIN_SIDE), (700, 700), (10**9, MAX_SIDE)])
def test_the_side_is_brought_inside_its_limits(url: str, asked: int, given: int) -> None:
    reply = fetch(f"{url}/picture/{key_of('echo')}/fine.jpg?side={asked}&upto=2")

    meta = json.loads(reply.headers["x-augviz-meta"])
    assert meta["asked"] == {"side": given, "quality": "fine", "upto": 2, "seed": 0}


def test_a_step_error_tells_its_step(url: str) -> None:
    reply = fetch(f"{url}/picture/{key_of('fail_step')}/quick.jpg")

    assert reply.status == 422
    assert reply.headers["cache-control"] == "no-store"
    assert told(reply) == {
        "error": "step 3, Rotate: limit is too large",
        "class": "StepError",
        "step_id": "a1",
        "transform": "Rotate",
        "position": 3,
    }


def test_a_bug_tells_browsers_nothing_about_itself(url: str) -> None:
    reply = fetch(f"{url}/picture/{key_of('fail_by_bug')}/quick.jpg")

    assert (reply.status, list(told(reply))) == (500, ["error"])
    assert b"KeyError" not in reply.body


def test_numbers_that_are_not_finite_become_null(url: str) -> None:
    reply = fetch(f"{url}/picture/{key_of('not_finite')}/quick.jpg")

    meta = json.loads(reply.headers["x-augviz-meta"])
    assert (meta["low"], meta["high"], meta["name"]) == (None, [None, 1.5], "é")


def test_the_same_picture_is_computed_once(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    key = key_of("sleep", {"seconds": 0.2, "log": str(log)})
    with ThreadPoolExecutor(6) as browsers:
        found = list(browsers.map(fetch, [f"{url}/picture/{key}/quick.jpg"] * 6))
    found.append(fetch(f"{url}/picture/{key}/quick.jpg"))

    assert {reply.status for reply in found} == {200}
    assert log.read_text() == "quick\n"


def test_another_quality_is_another_picture(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    key = key_of("echo", {"log": str(log)})
    for quality in ("quick", "fine", "quick"):
        fetch(f"{url}/picture/{key}/{quality}.jpg")

    assert log.read_text() == "quick\nfine\n"


def test_a_browser_that_goes_away_frees_its_worker(url: str, pool: Pool, tmp_path: Path) -> None:
    began = tmp_path / "began"
    with asking(f"{url}/picture/{key_of('blur_forever', {'began': str(began)})}/quick.jpg"):
        until(lambda: began.exists() and began.read_text())

    assert str(pool.call("echo", {}).value["pid"]) == began.read_text()


def test_a_browser_that_goes_away_leaves_the_others_their_picture(url: str, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).touch()
    log = tmp_path / "log"
    address = f"{url}/picture/{key_of('tell_stages', {'folder': str(tmp_path), 'log': str(log)})}/quick.jpg"
    with ThreadPoolExecutor(1) as browser:
        staying = browser.submit(fetch, address)
        until(log.exists)
        with asking(address):
            time.sleep(0.3)
        (tmp_path / "first").unlink()
        (tmp_path / "second").unlink()
        reply = staying.result()

    assert reply.status == 200
    assert log.read_text() == "quick\n"


def test_quick_pictures_go_ahead_of_fine_ones_that_wait(url: str, pool: Pool, tmp_path: Path) -> None:
    began, log, waiting = tmp_path / "began", tmp_path / "log", pool._lanes["render"]
    topic = "session=s&topic=picture"
    with ThreadPoolExecutor(3) as browsers:
        browsers.submit(fetch, f"{url}/picture/{key_of('listen', {'began': str(began)})}/fine.jpg?{topic}")
        until(began.exists)
        for number, quality in enumerate(("fine", "quick"), start=1):
            key = key_of("echo", {"log": str(log)}, seed=number)
            browsers.submit(fetch, f"{url}/picture/{key}/{quality}.jpg")
            until(lambda count=number: len(waiting.turns) == count)  # type: ignore[misc]
        fetch(f"{url}/picture/{key_of('echo')}/fine.jpg?{topic}")  # in the place of the one that is being made

    assert log.read_text().splitlines() == ["quick", "fine"]


def test_a_newer_request_of_the_topic_replaces_the_older(url: str, tmp_path: Path) -> None:
    began = tmp_path / "began"
    query = "session=s&topic=picture"
    with ThreadPoolExecutor(1) as browser:
        old = browser.submit(fetch, f"{url}/picture/{key_of('listen', {'began': str(began)})}/quick.jpg?{query}")
        until(began.exists)
        new = fetch(f"{url}/picture/{key_of('echo')}/quick.jpg?{query}")

    assert (old.result().status, new.status) == (409, 200)


def test_a_newer_request_that_is_known_already_replaces_the_older_too(url: str, tmp_path: Path) -> None:
    began = tmp_path / "began"
    known = f"{url}/picture/{key_of('echo')}/quick.jpg?session=s&topic=picture"
    fetch(known)
    with ThreadPoolExecutor(1) as browser:
        listening = key_of("listen", {"began": str(began)})
        old = browser.submit(fetch, f"{url}/picture/{listening}/quick.jpg?session=s&topic=picture")
        until(began.exists)
        new = fetch(known)

    assert (old.result().status, new.status) == (409, 200)


def test_a_session_never_replaces_the_request_of_another(url: str, tmp_path: Path) -> None:
    (tmp_path / "first").touch()
    slow = key_of("tell_stages", {"folder": str(tmp_path), "log": str(tmp_path / "log")})
    with ThreadPoolExecutor(2) as browsers:
        mine = browsers.submit(fetch, f"{url}/picture/{slow}/quick.jpg?session=s&topic=picture")
        until((tmp_path / "log").exists)
        yours = browsers.submit(fetch, f"{url}/picture/{key_of('echo')}/quick.jpg?session=t&topic=picture")
        (tmp_path / "first").unlink()

    assert (mine.result().status, yours.result().status) == (200, 200)


def test_a_draw_that_crashes_costs_a_worker_once(url: str, pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    key = key_of("read_nowhere", {"log": str(log)})
    found = [fetch(f"{url}/picture/{key}/quick.jpg") for _ in range(3)]

    assert {reply.status for reply in found} == {422}
    assert told(found[2])["error"] == "step 1, read_nowhere: the library crashed (segmentation fault) for this draw"
    assert log.read_text() == "quick\n"


def test_a_crash_that_does_not_come_again_is_blamed_on_no_step(url: str, tmp_path: Path) -> None:
    key = key_of("crash_once", {"crashed": str(tmp_path / "crashed")})
    reply = fetch(f"{url}/picture/{key}/quick.jpg")

    assert told(reply) == {
        "error": "picture: the worker crashed (segmentation fault).",
        "class": "WorkerCrashed",
    }


def test_who_finds_the_step_that_crashed_gives_way_as_a_job_does(url: str, tmp_path: Path) -> None:
    reply = fetch(f"{url}/picture/{key_of('crash_nicely', {'log': str(tmp_path / 'log')})}/quick.jpg")

    assert told(reply)["error"].startswith("step 1, crash_nicely: the library crashed")
    assert (tmp_path / "log").read_text().split() == ["quick", "0", str(NICE)]


@pytest.mark.parametrize(("setting", "value"), [("AUGVIZ_JOBS", "1"), ("AUGVIZ_JOBS_PER_VISITOR", "1")])
def test_where_no_job_may_be_started_a_crash_is_told_without_its_step(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    get_settings.cache_clear()
    answers = Answers(pool)
    limits: Any = {"seconds": 60, "memory_bytes": 0, "tasks": "tests.worker_tasks"}
    job = start_job("sleep", {"seconds": 600}, visitor="me", **limits)
    question = crashing("first")
    try:
        mine = answers.ask(question, visitor="me").future.exception(60)
        job.cancel()
        assert job.wait_gone(60)
        again = answers.ask(question, visitor="me").future.exception(60)
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
        job.cancel()

    assert isinstance(mine, WorkerCrashed)
    assert str(mine) == (
        "picture: the worker crashed (segmentation fault); too much is running to find out at which step, "
        "so try again in a moment."
    )
    assert str(again) == "step 1, read_nowhere: the library crashed (segmentation fault) for this draw"


def test_one_visitors_jobs_keep_nobody_else_from_learning_which_step_crashed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGVIZ_JOBS_PER_VISITOR", "1")
    get_settings.cache_clear()
    limits: Any = {"seconds": 60, "memory_bytes": 0, "tasks": "tests.worker_tasks"}
    job = start_job("sleep", {"seconds": 600}, visitor="me", **limits)
    try:
        error = Answers(pool).ask(crashing("second"), visitor="you").future.exception(60)
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
        job.cancel()

    assert str(error) == "step 1, read_nowhere: the library crashed (segmentation fault) for this draw"


def crashing(name: str) -> Question:
    """The question for a picture that ends its process."""
    steps = [{"id": "a1", "transform": "read_nowhere", "args": {}}]
    args = {"pipeline": {"steps": steps}, "side": 64, "quality": "quick", "upto": None, "seed": 0}
    return Question(name, "picture", args, blames=True)


def test_a_time_out_names_the_step_that_took_the_time(tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=1, tasks="tests.worker_tasks")
    answers = Answers(pool)
    try:
        with serving(routes(answers=lambda: answers)) as address:
            reply = fetch(f"{address}/augviz/picture/{key_of('sleep', {'seconds': 600})}/quick.jpg")
    finally:
        pool.close()

    assert told(reply)["error"] == "step 1, sleep: took longer than its limit of 1 s"


def test_the_routes_stand_below_the_base_path(pool: Pool) -> None:
    answers = Answers(pool)
    with serving(routes("/demo/", lambda: answers)) as address:
        found = fetch(f"{address}/demo/augviz/picture/{key_of('echo')}/quick.jpg")

    assert found.status == 200


def test_the_cache_keeps_to_its_limit_and_forgets_the_oldest(pool: Pool, tmp_path: Path) -> None:
    answers = Answers(pool, max_bytes=1_000_000)
    log = tmp_path / "log"

    def ask(name: str) -> None:
        """Something small, then something of nearly half the cache."""
        answers.call(Question(name, "append", {"path": str(log), "line": name}))
        answers.call(Question(f"{name} large", "allocate_answer", {"bytes": 450_000}))

    for name in ("one", "two", "three", "three", "one"):
        ask(name)

    assert answers.kept_bytes <= 1_000_000
    assert log.read_text() == "one\ntwo\nthree\none\n"


def test_the_cache_counts_the_values_of_reports_too(pool: Pool) -> None:
    answers = Answers(pool)
    answers.call(Question("counts", "echo", {"counts": list(range(10_000))}))

    assert answers.kept_bytes > 300_000


def test_who_leaves_reads_that_the_request_was_given_up(pool: Pool) -> None:
    answers = Answers(pool)
    waiter = answers.ask(Question("endless", "listen", {}))
    answers.leave(waiter)

    with pytest.raises(Cancelled):
        waiter.future.result()
    assert answers.call(Question("echo", "echo", {"n": 1})).value["args"] == {"n": 1}


def test_an_image_element_shows_a_frame_where_there_is_no_picture(real_url: str, tmp_path: Path) -> None:
    key = register(recipe_of(tmp_path / "gone.png"))
    request = urllib.request.Request(f"{real_url}/thumb/{key}.jpg", headers={"Accept": "image/webp,*/*;q=0.8"})
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=60)

    assert raised.value.code == 422
    assert raised.value.headers["content-type"].startswith("image/svg+xml")
    assert raised.value.read().startswith(b"<svg")
