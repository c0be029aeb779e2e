"""What the log says of what happened: events with ids and durations, and nothing of a visitor's."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augviz import events, incidents


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log as JSON."""
    log = logging.getLogger("augviz")
    before = log.handlers[:], log.level, log.propagate
    factory = logging.getLogRecordFactory()
    incidents.keep_logs_discreet()
    stream = io.StringIO()
    events.begin("json", stream)
    yield stream
    log.handlers[:], level, log.propagate = before
    log.setLevel(level)
    logging.setLogRecordFactory(factory)


def lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_time_and_fields(written: io.StringIO) -> None:
    events.tell("render_end", id=3, function="picture", visitor="0123456789abcdef", seconds=0.12345678, again=False)

    (line,) = lines(written)
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "level": "info",
        "event": "render_end",
        "id": 3,
        "function": "picture",
        "visitor": "01234567",
        "seconds": 0.1235,
        "again": False,
    }


@given(st.text() | st.floats())
def test_what_is_no_plain_word_is_not_written(value: str | float) -> None:
    found = events._plain("name", value)

    assert found == "?" or json.loads(json.dumps(found, allow_nan=False)) == found
    if isinstance(found, str) and found != "?":
        assert found.isascii()
        assert not set(found) & set(" /\\\"'\n")


def test_an_incident_has_its_id_and_places_and_no_message(written: io.StringIO) -> None:
    try:
        raise ValueError("secret.tif")
    except ValueError as error:
        said = incidents.record(error, "a test")

    (line,) = lines(written)
    assert (line["level"], line["event"], line["where"]) == ("error", "incident", "a test")
    assert str(line["id"]) in said
    assert "ValueError" in str(line["trace"])
    assert "secret" not in json.dumps(line)


def test_another_record_shows_its_template_and_no_arguments(written: io.StringIO) -> None:
    logging.getLogger("augviz").warning("%s could not be swept", "secret.tif")

    (line,) = lines(written)
    assert (line["event"], line["message"]) == ("log", "%s could not be swept")


def test_as_text_only_what_needs_looking_at_is_written(caplog: pytest.LogCaptureFixture) -> None:
    events.begin("text")
    events.tell("render_start", id=1)
    events.tell("refused", level=logging.WARNING, what="job", running=4, visitor="")

    assert [record.getMessage() for record in caplog.records] == ["refused what=job running=4"]
