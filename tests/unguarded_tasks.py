"""The real worker functions without the guard that refuses draws which would end the process."""

from __future__ import annotations

import os

os.environ["AUGVIZ_GUARD"] = "0"

from augviz.tasks import TASKS

__all__ = ["TASKS"]
