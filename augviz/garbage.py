"""When the server looks for garbage: every few seconds, and not after every run of a page, as Streamlit does by itself.

A full collection looks at all objects of all sessions with the interpreter's lock held, before the browser can ask for the
picture; with twenty sessions that is ten times as long as the run itself. Streamlit's is switched off in
`.streamlit/config.toml` (`runner.postScriptGC`).
"""

from __future__ import annotations

import asyncio
import gc

SECONDS = 10.0
"""From one full collection to the next. What is no part of a cycle goes at once, and needs none."""


def freeze() -> None:
    """Have no collection ever look again at what is there now: imported modules are there for good."""
    gc.collect()
    gc.freeze()


async def keep_collected(seconds: float = SECONDS) -> None:
    """Collect until cancelled, each time that there has been any work since."""
    known = _young_collections()
    while True:
        await asyncio.sleep(seconds)
        if _young_collections() != known:
            gc.collect()
            known = _young_collections()


def _young_collections() -> int:
    return int(gc.get_stats()[0]["collections"])
