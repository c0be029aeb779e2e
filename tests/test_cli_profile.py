"""`profile` and `estimate` on the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from augviz.cli_profile import Outlook
from tests.live import until
from tests.test_cli import ROOT, failure, ok, photographs, pipeline, rgb  # noqa: F401  fixtures are found by name

STEPS = (
    {"id": "flip", "transform": "HorizontalFlip", "p": 1.0},
    {"id": "never", "transform": "Blur", "p": 0.0},
    {"id": "crop", "transform": "RandomCrop", "args": {"height": 64, "width": 64}, "p": 1.0},
)


@pytest.mark.parametrize("way", ["stream", "hold"])
def test_profile_prints_the_contracts_keys(rgb: str, tmp_path: Path, way: str) -> None:  # noqa: F811
    printed = ok("profile", rgb, pipeline(tmp_path, *STEPS), "--repeats", 2, "--way", way, "--seed", 3, "--json")
    found = json.loads(printed)

    assert list(found) == [
        "wall_seconds",
        "cpu_seconds",
        "megapixels",
        "peak_bytes",
        "baseline_bytes",
        "steps",
        "environment",
    ]
    assert (len(found["wall_seconds"]), len(found["cpu_seconds"])) == (2, 2)
    assert found["megapixels"] == 300 * 200 / 1e6
    assert [(step["id"], step["transform"]) for step in found["steps"]] == [
        ("flip", "HorizontalFlip"),
        ("never", "Blur"),
        ("crop", "RandomCrop"),
    ]
    assert set(found["steps"][0]) == {"id", "transform", "seconds"}
    assert found["steps"][1]["seconds"] == 0
    assert found["environment"]["albumentationsxl"]


def test_three_repeats_are_made_if_nothing_else_is_asked_for(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    found = json.loads(ok("profile", rgb, pipeline(tmp_path, STEPS[0]), "--json"))

    assert len(found["wall_seconds"]) == 3


def test_a_profile_is_readable_without_json(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    printed = ok("profile", rgb, pipeline(tmp_path, *STEPS), "--repeats", 1)

    assert re.search(r"^Streamed to a file +[\d.]+ m?s \(1 run\)$", printed, re.MULTILINE)
    assert re.search(r"^peak memory .* over the [\d.]+ MB of the process$", printed, re.MULTILINE)
    assert re.search(r"^ 1\. HorizontalFlip +-?[\d.]+ m?s", printed, re.MULTILINE)
    assert re.search(r"^ 2\. Blur +skipped$", printed, re.MULTILINE)
    assert "libvips threads" in printed


def test_estimate_prints_the_contracts_keys(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    found = json.loads(ok("estimate", rgb, pipeline(tmp_path, *STEPS), "--seed", 3, "--json"))

    assert list(found) == ["seconds", "seconds_low", "seconds_high", "stream_bytes", "hold_bytes"]
    assert 0 < found["seconds_low"] <= found["seconds"] <= found["seconds_high"]
    assert found["hold_bytes"] == found["stream_bytes"] + 64 * 64 * 3


def test_an_estimate_says_that_it_is_one(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    printed = ok("estimate", rgb, pipeline(tmp_path, *STEPS))

    assert re.search(r"^time +about .* \(.* to .*\)$", printed, re.MULTILINE)
    assert "not measured" in printed


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--repeats", "0"), "within 1 and 100, got 0"),
        (("--repeats", "101"), "within 1 and 100, got 101"),
        (("--repeats", "many"), "'many'"),
        (("--way", "teleport"), "'teleport'"),
        (("--seed", "x"), "'x'"),
    ],
)
def test_wrong_arguments_are_one_line(rgb: str, tmp_path: Path, more: tuple[str, str], words: str) -> None:  # noqa: F811
    assert words in failure("profile", rgb, pipeline(tmp_path, *STEPS), *more)


@pytest.mark.parametrize("command", ["profile", "estimate"])
def test_what_cannot_be_measured_is_named(photographs: Path, tmp_path: Path, command: str) -> None:  # noqa: F811
    grey, stain = photographs / "grey.png", pipeline(tmp_path, {"transform": "HEDShift", "p": 1.0})

    assert "step 1, HEDShift" in failure(command, grey, stain)
    assert "none.png" in failure(command, tmp_path / "none.png", stain)
    assert "the pipeline cannot be read" in failure(command, grey, tmp_path / "none.json")


# Progress


class Terminal:
    """A terminal that a command writes to; `written` is all of it so far."""

    def __init__(self) -> None:
        self.written = ""
        self._shown, self.device = pty.openpty()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        while True:
            try:
                self.written += os.read(self._shown, 1000).decode()
            except OSError:  # nobody has it open any more
                return

    def closed(self) -> str:
        """Everything that was written, now that nobody writes any more."""
        os.close(self.device)
        self._reading.join(30)
        os.close(self._shown)
        return self.written


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image whose measurement takes long enough to be looked at."""
    path = tmp_path_factory.mktemp("large") / "large.tif"
    pyvips.Image.gaussnoise(3000, 3000).cast("uchar").bandjoin([128, 128]).copy(interpretation="srgb").tiffsave(
        str(path), tile=True
    )
    return str(path)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "augviz", *map(str, arguments)]


BLURS = [{"transform": "GaussianBlur", "args": {"sigma_limit": [8.0, 8.0]}, "p": 1.0}] * 3


def test_on_a_terminal_one_line_tells_what_time_has_gone_and_is_left(
    large: str, tmp_path: Path, terminal: Terminal
) -> None:
    result = subprocess.run(
        command("profile", large, pipeline(tmp_path, *BLURS), "--repeats", 2),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal.device,
        timeout=240,
    )
    written = terminal.closed()

    assert result.returncode == 0
    assert re.search(r"part 1 of 2: run 2 of 2, \d+%, \d+ s so far, about \d+ s left in this part", written)
    assert re.search(r"part 2 of 2: round 1 of 2, .*, \d+%, \d+ s so far", written)
    assert written.endswith("\r\x1b[K")
    assert "\n" not in written
    assert b"part" not in result.stdout


def test_json_for_a_program_is_alone_also_where_errors_go_to_a_terminal(
    rgb: str,  # noqa: F811
    tmp_path: Path,
    terminal: Terminal,
) -> None:
    result = subprocess.run(
        command("profile", rgb, pipeline(tmp_path, STEPS[0]), "--repeats", 1, "--json"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal.device,
        timeout=240,
    )

    assert json.loads(result.stdout)["wall_seconds"]
    assert terminal.closed() == ""


def test_a_line_is_no_wider_than_the_terminal(rgb: str, tmp_path: Path, terminal: Terminal) -> None:  # noqa: F811
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal.device, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
    subprocess.run(
        command("profile", rgb, pipeline(tmp_path, STEPS[0]), "--repeats", 1),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal.device,
        timeout=240,
    )
    lines = terminal.closed().split("\r\x1b[K")

    assert max(map(len, lines)) == 19


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; where nobody waits for orphans its name may still be in the table."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("stage", ["starting", "run 1 of"])
def test_an_interrupted_profile_is_one_sentence_and_leaves_no_process(
    large: str, tmp_path: Path, terminal: Terminal, stage: str
) -> None:
    process = subprocess.Popen(
        command("profile", large, pipeline(tmp_path, *BLURS), "--repeats", 100),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal.device,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    )
    until(lambda: stage in terminal.written)
    children = psutil.Process(process.pid).children(recursive=True)

    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the children get it too
    printed, _ = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGINT
    assert children
    until(lambda: all(map(has_ended, children)), seconds=10)
    assert printed == b""
    assert terminal.closed().rsplit("\x1b[K", 1)[1].replace("\r\n", "\n") == (
        "augviz: it was interrupted; what was under way has ended.\n"
    )


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_counts_from_the_first_fraction_and_runs_down_between_two() -> None:
    clock = Clock()
    outlook = Outlook(parts=2, clock=clock)

    outlook.begin_part()
    assert outlook.text(None, "") == "part 1 of 2: starting, 0 s so far"
    clock.now += 7
    assert outlook.text(0.0, "run 1 of 2") == "part 1 of 2: run 1 of 2, 0%, 7 s so far"
    clock.now += 10
    assert outlook.text(0.25, "run 1 of 2") == (
        "part 1 of 2: run 1 of 2, 25%, 17 s so far, about 30 s left in this part"
    )
    clock.now += 4
    assert outlook.text(0.25, "run 1 of 2").endswith("21 s so far, about 26 s left in this part")
    clock.now += 200
    assert outlook.text(0.25, "run 1 of 2").endswith("3 min 41 s so far, about 0 s left in this part")
    outlook.begin_part()
    assert outlook.text(None, "warming up") == "part 2 of 2: warming up, 3 min 41 s so far"


@given(st.lists(st.tuples(st.none() | st.floats(0, 1), st.floats(0, 1e5)), max_size=20))
def test_no_line_tells_of_less_than_no_time(told: list[tuple[float | None, float]]) -> None:
    clock = Clock()
    outlook = Outlook(parts=1, clock=clock)
    outlook.begin_part()

    for fraction, seconds in told:
        clock.now += seconds
        line = outlook.text(fraction, "run")
        assert "-" not in line
        assert "\n" not in line
