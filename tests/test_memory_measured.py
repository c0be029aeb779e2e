"""What `augviz.memory` computes, held against a real DataLoader in a fresh process; `make memory` does it at full width."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from augviz import memory
from augviz.memory import Plan
from bench.memory import is_within, run, source, why_not

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(sys.platform != "linux", reason="proportional set sizes are Linux' own"),
    pytest.mark.timeout(600),
]


@pytest.mark.parametrize(
    "plan",
    [
        Plan(2048, 2048, dtype="float32", batch=4),
        Plan(4096, 4096, dtype="uint8", batch=1, workers=1),
        Plan(2048, 2048, dtype="float32", batch=2, workers=2),
        Plan(2048, 2048, dtype="float32", batch=2, workers=2, prefetch=3),
        Plan(2048, 2048, dtype="float32", batch=1, workers=2, start="spawn"),
    ],
    ids=lambda plan: f"{plan.start}-{plan.workers}-workers-batch-{plan.batch}-prefetch-{plan.prefetch}-{plan.dtype}",
)
def test_a_loader_takes_what_is_computed(plan: Plan, tmp_path: Path) -> None:
    if reason := why_not(plan):
        pytest.skip(reason)

    measured = run(plan, source(tmp_path, plan.width)).total

    assert is_within(memory.host_bytes(plan), measured), (memory.host_bytes(plan), measured)
