"""A worker function for the tests of estimates in the background: it does what the pipeline of its request says."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from augviz.context import Context
from augviz.errors import ImageError

ANSWER = {
    "seconds": 2.0,
    "seconds_low": 1.0,
    "seconds_high": 4.0,
    "stream_bytes": 10,
    "hold_bytes": 20,
    "window_count": 4,
}


def estimate(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """Leaves a line in the file `path` when it begins and when it has ended."""
    what, seed = args["pipeline"]["what"], args["seed"]
    _write(args["path"], f"begin {seed}")
    if what == "sleep":
        time.sleep(60)
    elif what == "listen":
        while True:
            context.check()
            time.sleep(0.01)
    elif what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)
    elif what == "refuse":
        raise ImageError("The image is cut off.")
    elif what == "fail":
        raise LookupError("nobody foresaw this")
    time.sleep(0.2)
    _write(args["path"], f"end {seed}")
    return ANSWER


def _write(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(line + "\n")


TASKS = {"estimate": estimate}
