"""Garbage is collected every so often, and not after every run of a page."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from augviz import garbage
from tests.guarded import ME, visit
from tests.live import LiveServer, fetch, live_server


class Cycle:
    """What only a full collection finds."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def full_collections() -> Iterator[list[int]]:
    """How often all objects have been looked at."""
    found = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            found.append(1)

    gc.callbacks.append(note)
    gc.disable()  # the interpreter's own, which come when they like
    yield found
    gc.enable()
    gc.callbacks.remove(note)


def test_garbage_goes_within_the_time(full_collections: list[int]) -> None:
    async def work() -> None:
        keeping = asyncio.create_task(garbage.keep_collected(0.05))
        await asyncio.sleep(0)  # it has begun
        old = Cycle()
        gc.collect(0)  # as happens by itself when there has been some work
        gc.collect(1)  # it is among the old ones now
        left = weakref.ref(old)
        del old
        while left() is not None:
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(work(), 30))

    assert full_collections


def test_where_nothing_happens_nothing_is_looked_at(full_collections: list[int]) -> None:
    async def rest() -> None:
        keeping = asyncio.create_task(garbage.keep_collected(0.01))
        await asyncio.sleep(0.2)
        keeping.cancel()

    asyncio.run(rest())

    assert not full_collections


def test_runs_of_a_page_do_not_look_at_everything(tmp_path: Path) -> None:
    with live_server(tmp_path, AUGVIZ_METRICS="1", STREAMLIT_SERVER_ENABLE_AGENT_API="true") as server:
        visit(server.url, **ME)
        before = full_collections_of(server)
        for _ in range(10):
            visit(server.url, **ME)
        found = full_collections_of(server) - before

    assert found < 5  # the interpreter's own, and one of ours after ten seconds


def full_collections_of(server: LiveServer) -> int:
    told = fetch(f"{server.url}/augviz/metrics").body.decode()
    return int(float(re.findall(r'^python_gc_collections_total{generation="2"} (\S+)$', told, re.MULTILINE)[0]))
