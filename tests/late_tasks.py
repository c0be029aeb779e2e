"""Worker functions that take longer to import than anybody waits."""

import time

time.sleep(600)

TASKS: dict[str, object] = {}
