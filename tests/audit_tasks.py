"""The worker's audit, made to fail as a file beside the image says: `IMAGE.once` is gone after it, `IMAGE.always` is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from augviz import loading, tasks
from augviz.context import Context


def audit(args: Mapping[str, Any], context: Context) -> Any:
    for note in (Path(f"{args['path']}.once"), Path(f"{args['path']}.always")):
        if note.exists():
            how = note.read_text()
            if note.suffix == ".once":
                note.unlink()
            if how == "bug":
                raise ZeroDivisionError("a mistake of ours")
            if how == "memory":
                raise MemoryError
            if how == "away":
                loading.check_file(f"{args['path']}.none")
            if how == "slow":
                time.sleep(600)
            os.kill(os.getpid(), signal.SIGKILL)
    return tasks.TASKS["audit"](args, context)


TASKS = {"audit": audit}
