"""What a process has one of is made once, also for threads that are the first and come together."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from augviz import estimating, recipes, uploads, visitors, web
from augviz.once import Once

THREADS = 8


@pytest.fixture
def often_switched() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def found_together(get: Once[object]) -> set[int]:
    """Which objects threads get that ask at the same moment."""
    together = Barrier(THREADS)

    def ask(_number: int) -> object:
        together.wait()
        return get()

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(ask, range(THREADS)))
    return {id(one) for one in found}


def test_threads_that_come_together_get_the_same() -> None:
    made = []

    @Once
    def slowly() -> object:
        made.append(object())
        time.sleep(0.02)  # the others are here by now
        return made[-1]

    assert len(found_together(slowly)) == 1
    assert len(made) == 1
    assert slowly() is made[0]


def test_it_is_made_anew_when_it_is_cleared_or_could_not_be_made() -> None:
    tries: list[int] = []

    @Once
    def at_the_second_try() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            raise OSError("not yet")
        return len(tries)

    with pytest.raises(OSError, match="not yet"):
        at_the_second_try()
    kept = at_the_second_try(), at_the_second_try()
    at_the_second_try.cache_clear()

    assert kept == (2, 2)
    assert at_the_second_try() == 3


@pytest.mark.parametrize(
    "get",
    [visitors.secret, recipes._server_table, web.get_answers, estimating.get_estimating, uploads.get_uploads],
    ids=["the secret", "the table of recipes", "the answers", "the estimates", "the uploads"],
)
def test_first_visitors_share_it(get: Once[object], often_switched: None) -> None:
    try:
        for number in range(50):
            get.cache_clear()

            assert len(found_together(get)) == 1, number
    finally:
        get.cache_clear()
