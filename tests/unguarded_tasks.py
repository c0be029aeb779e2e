"""The real worker functions without the guard that refuses draws which would end the process."""

from __future__ import annotations

import os

from augviz.settings import get_settings
from augviz.tasks import TASKS

__all__ = ["TASKS"]

get_settings()  # read before the switch is there, which is no setting
os.environ["AUGVIZ_GUARD"] = "off"
