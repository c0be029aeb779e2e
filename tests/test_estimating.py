"""Estimates in the background: one process at a time for all visitors, the latest wins, and no end goes without a word."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from augviz import recipes, saved
from augviz.child import WorkerBug
from augviz.errors import Cancelled, ServerBusy
from augviz.estimates import Estimate
from augviz.estimating import MAX_WAITING, NICE, Asked, Estimating, Missing
from augviz.model import Pipeline, Step
from augviz.recipes import Recipe
from augviz.ui import figures
from tests.live import asking, fetch, serving, until
from tests.test_measure import noise

ESTIMATE = Estimate(2.0, 1.0, 4.0, 10, 20, window_count=4)

Ask = Callable[..., Asked]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def estimating() -> Estimating:
    """With the worker function of `estimate_tasks`."""
    return Estimating(seconds=30, tasks="tests.estimate_tasks")


@pytest.fixture
def ask(estimating: Estimating, log: Path) -> Iterator[Ask]:
    """Ask for what the worker does as `what` says; the seed stands for the recipe. What is left is given up."""
    every: list[Asked] = []

    def ask(session: str, seed: int, what: str = "answer") -> Asked:
        every.append(estimating.ask(f"key{seed}", recipe(log, what, seed), session))
        return every[-1]

    yield ask
    for asked in every:
        estimating.leave(asked)


def recipe(log: Path, what: str, seed: int) -> Recipe:
    return Recipe(str(log), "", json.dumps({"what": what}), seed)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_real_image_is_estimated_as_the_command_line_does(tmp_path: Path) -> None:
    noise(512).tiffsave(str(tmp_path / "a.tif"), tile=True, tile_width=256, tile_height=256)
    real, asked = (
        Estimating(),
        recipes.recipe_of(tmp_path / "a.tif", saved.dump(Pipeline((Step("b", "Blur", (), 1.0),)))),
    )

    found = real.ask("key", asked, "me").future.result(60)

    assert isinstance(found, Estimate)
    assert found.window_count >= 1
    assert real.known("key") == found


def test_what_came_of_a_recipe_is_known_at_once(ask: Ask, estimating: Estimating, log: Path) -> None:
    first = ask("me", 1).future.result(60)
    again = ask("me", 1)

    assert first == ESTIMATE
    assert again.future.done()
    assert again.future.result() == estimating.known("key1") == first
    assert lines(log) == ["begin 1", "end 1"]


def test_one_process_works_for_all_visitors(ask: Ask, log: Path) -> None:
    asked = [ask(f"visitor {seed}", seed) for seed in (1, 2, 3)]

    assert [one.future.result(60) for one in asked] == [ESTIMATE] * 3
    assert lines(log) == ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]


def test_it_gives_way_to_everything_else(ask: Ask, estimating: Estimating, log: Path) -> None:
    ask("me", 1, "listen")
    until(lambda: lines(log))

    assert estimating.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, estimating.pid) == NICE


def test_a_newer_one_of_a_visitor_ends_the_older_one(ask: Ask, estimating: Estimating, log: Path) -> None:
    older = ask("me", 1, "listen")
    until(lambda: lines(log))
    pid = estimating.pid
    newer = ask("me", 2)

    assert newer.future.result(60) == ESTIMATE
    with pytest.raises(Cancelled):
        older.future.result(0)
    assert pid is not None
    assert is_gone(pid)
    assert lines(log) == ["begin 1", "begin 2", "end 2"]
    assert estimating.known("key1") is None


def test_of_those_that_wait_only_the_latest_of_a_visitor_is_made(ask: Ask, estimating: Estimating, log: Path) -> None:
    blocking = ask("other", 1, "listen")
    until(lambda: lines(log))
    asked = [ask("me", seed) for seed in (2, 3, 4)]
    estimating.leave(blocking)

    assert asked[-1].future.result(60) == ESTIMATE
    assert lines(log) == ["begin 1", "begin 4", "end 4"]


def test_what_nobody_waits_for_is_given_up_and_not_remembered(ask: Ask, estimating: Estimating, log: Path) -> None:
    asked = ask("me", 1, "sleep")
    until(lambda: lines(log))
    pid = estimating.pid
    estimating.leave(asked)

    assert pid is not None
    until(lambda: is_gone(pid))
    assert estimating.known("key1") is None
    assert ask("me", 2).future.result(60) == ESTIMATE


def test_two_who_ask_the_same_share_it(ask: Ask, estimating: Estimating, log: Path) -> None:
    blocking = ask("other", 1, "listen")
    until(lambda: lines(log))
    one, two = ask("one", 2), ask("two", 2)
    estimating.leave(blocking)
    until(lambda: "begin 2" in lines(log))
    estimating.leave(one)

    assert two.future.result(60) == ESTIMATE
    assert lines(log).count("begin 2") == 1


@pytest.mark.parametrize(("what", "says"), [("die", "crashed"), ("refuse", "The image is cut off.")])
def test_where_there_is_none_the_reason_is_remembered(ask: Ask, estimating: Estimating, what: str, says: str) -> None:
    found = ask("me", 1, what).future.result(60)

    assert isinstance(found, Missing)
    assert says in found.reason
    assert estimating.known("key1") == found


def test_one_that_takes_too_long_is_ended_and_not_tried_again(log: Path) -> None:
    short = Estimating(seconds=0.5, tasks="tests.estimate_tasks")
    found = short.ask("key", recipe(log, "sleep", 1), "me").future.result(60)
    again = short.ask("key", recipe(log, "sleep", 1), "me").future.result(0)

    assert isinstance(found, Missing)
    assert "longer than its limit of 500 ms" in found.reason
    assert again == found


def test_a_bug_is_raised_and_the_next_one_is_made_all_the_same(ask: Ask, estimating: Estimating) -> None:
    with pytest.raises(WorkerBug):
        ask("me", 1, "fail").future.result(60)

    assert ask("me", 2).future.result(60) == ESTIMATE
    assert estimating.known("key1") is None


def test_no_more_wait_than_a_server_has_time_for(ask: Ask, log: Path) -> None:
    ask("me", 1, "listen")
    until(lambda: lines(log))
    for number in range(MAX_WAITING):
        ask(f"visitor {number}", 2 + number)

    with pytest.raises(ServerBusy, match=f"The server is busy: {MAX_WAITING + 1} estimates are before yours."):
        ask("one more", 1000)


# The route


def test_the_route_answers_the_figures(estimating: Estimating, log: Path) -> None:
    key = recipes.register(recipe(log, "answer", 7))
    with serving(figures.routes("lab", lambda: estimating)) as url:
        reply = fetch(f"{url}/lab/augviz/estimate/{key}.json?session=me")

    told = json.loads(reply.body)
    assert reply.status == 200
    assert (told["from"], told["time"]) == ("windows", "~2 s, 1 to 4 s (est.)")
    assert told["time_help"].startswith("From 4 windows of the full-size result")
    assert "immutable" in reply.headers["cache-control"]


def test_the_route_says_why_there_are_none(estimating: Estimating, log: Path) -> None:
    key = recipes.register(recipe(log, "refuse", 7))
    with serving(figures.routes(estimating=lambda: estimating)) as url:
        reply = fetch(f"{url}/augviz/estimate/{key}.json?session=me")
        unknown = fetch(f"{url}/augviz/estimate/nothing.json?session=me")

    assert json.loads(reply.body) == {"trouble": "No windows could be made for a better one: The image is cut off."}
    assert reply.headers["cache-control"] == "no-store"
    assert unknown.status == 404


def test_the_route_says_when_it_is_worth_asking_again_where_too_many_wait(
    ask: Ask, estimating: Estimating, log: Path
) -> None:
    ask("me", 1, "listen")
    until(lambda: lines(log))
    for number in range(MAX_WAITING):
        ask(f"visitor {number}", 2 + number)
    key = recipes.register(recipe(log, "answer", 1000))
    with serving(figures.routes(estimating=lambda: estimating)) as url:
        reply = fetch(f"{url}/augviz/estimate/{key}.json?session=one-more")

    assert reply.status == 503
    assert json.loads(reply.body) == {
        "error": f"The server is busy: {MAX_WAITING + 1} estimates are before yours.",
        "class": "ServerBusy",
    }
    assert reply.headers["retry-after"] == "7"


def test_a_browser_that_goes_away_gives_it_up(estimating: Estimating, log: Path) -> None:
    key = recipes.register(recipe(log, "listen", 7))
    with serving(figures.routes(estimating=lambda: estimating)) as url:
        with asking(f"{url}/augviz/estimate/{key}.json?session=me"):
            until(lambda: lines(log))
            pid = estimating.pid
        assert pid is not None
        until(lambda: is_gone(pid))


# Texts


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (4.7, 8.0, "4.7 to 8 s"),
        (0.7, 1.5, "700 ms to 1.5 s"),
        (90.0, 180.0, "90 s to 3 min"),
        (0.002, 0.2, "2.0 to 200 ms"),
    ],
)
def test_a_band_has_its_unit_once_where_both_ends_have_the_same(low: float, high: float, text: str) -> None:
    assert f", {text} (est.)" in figures.time_text(Estimate(low, low, high, 1, 2))


def test_the_help_says_where_a_figure_is_from(log: Path) -> None:
    asked = recipe(log, "answer", 1)
    costs = Estimate(2.0, 1.0, 4.0, 10, 20, by_costs=2.0, measured_costs=True)

    told = figures.figures(costs, asked, ("Lambda",), Missing("It is cut off."))

    assert told["from"] == "costs"
    assert "From costs measured on this machine" in told["time_help"]
    assert "Lambda" in told["time_help"]
    assert told["trouble"] == "No windows could be made for a better one: It is cut off."
    assert "trouble" not in figures.figures(costs, asked)
    assert figures.figures(costs, asked, (), ESTIMATE) == figures.from_windows(ESTIMATE)
