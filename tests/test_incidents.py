"""What visitor and log read of a bug: one id, and nothing of names and values."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from augviz import incidents
from tests.live import ROOT

SECRET = "patient-4711.tif"


def bug() -> Exception:
    """An error whose messages, and those of its cause, quote a name."""
    try:
        try:
            {}[SECRET]
        except KeyError as error:
            raise ValueError(f"cannot look at {SECRET}") from error
    except ValueError as error:
        return error


def test_visitor_and_log_read_the_same_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "augviz"):
        said = incidents.record(bug(), "a test")
    [found] = re.findall(r"as incident ([0-9a-f]{8})\.$", said)

    assert caplog.records[0].getMessage() == f"incident {found}, a test"


def test_every_incident_has_its_own_id() -> None:
    assert len({incidents.record(bug(), "a test") for _ in range(20)}) == 20


def test_a_trace_names_classes_and_places_and_no_message() -> None:
    trace = incidents.trace(bug())

    assert SECRET not in trace
    assert re.search(
        r"ValueError < tests/test_incidents\.py:\d+ in bug\n  after KeyError < tests/test_incidents\.py:\d+ in bug",
        trace,
    )


def test_an_error_that_causes_itself_has_a_trace() -> None:
    error = bug()
    assert error.__cause__ is not None
    error.__cause__.__cause__ = error

    assert incidents.trace(error).count("ValueError") == 1


LOGS = """
import logging
from augviz import incidents
from tests.test_incidents import bug
incidents.keep_logs_discreet()
logging.getLogger("streamlit.error_util").error("Uncaught app execution", exc_info=bug())
try:
    raise bug()
except ValueError:
    logging.getLogger("asyncio").exception("a task failed")
"""


@pytest.mark.parametrize("flags", [[], ["-X", "dev"]])
def test_everybodys_logs_are_discreet_but_in_dev_mode(flags: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, *flags, "-c", LOGS], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert "Uncaught app execution" in run.stderr
    assert "a task failed" in run.stderr
    assert run.stderr.count("ValueError") >= 2
    assert (SECRET in run.stderr) is bool(flags)
