"""The work of a command: who is blamed where it fails, what a terminal shows, and which files there are afterwards."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import pyvips
from skimage import io

from augviz import cli_work, results
from tests.test_cli import BLUR, KILLER, ROOT, failure, ok, photographs, pipeline, rgb  # noqa: F401  fixtures are found by name


def test_the_file_that_was_there_is_replaced_and_nothing_is_left_beside_it(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    path, folder = pipeline(tmp_path, *BLUR), tmp_path / "results"
    folder.mkdir()
    (folder / "out.png").write_text("old")

    ok("apply", rgb, path, "-o", folder / "out.png")

    assert [entry.name for entry in folder.iterdir()] == ["out.png"]
    assert io.imread(folder / "out.png").ndim == 3


@pytest.mark.parametrize("out", ["out.jpg", "out", "missing/out.npy", "folder.npy"])
def test_an_output_that_cannot_be_written_is_named(rgb: str, tmp_path: Path, out: str) -> None:  # noqa: F811
    (tmp_path / "folder.npy").mkdir()

    words = failure("apply", rgb, pipeline(tmp_path, *BLUR), "-o", tmp_path / out)

    assert words.startswith("augviz: -o: ")
    assert out.split("/")[0] in words


UNGUARDED = """
import functools, sys
from augviz import cli, jobs
jobs.start_job = functools.partial(jobs.start_job, tasks="tests.unguarded_tasks")
sys.exit(cli.main())
"""


@pytest.mark.parametrize("spelling", ["the same", "by a link", "roundabout"])
def test_what_is_read_is_never_written_over(rgb: str, tmp_path: Path, spelling: str) -> None:  # noqa: F811
    image = tmp_path / "mine.png"
    image.write_bytes(Path(rgb).read_bytes())
    path = pipeline(tmp_path, {"transform": "HorizontalFlip", "p": 1})
    out = {
        "the same": image,
        "by a link": tmp_path / "link.png",
        "roundabout": tmp_path / ".." / tmp_path.name / "mine.png",
    }
    if spelling == "by a link":
        out[spelling].symlink_to(image)
    before = image.read_bytes()

    for command in ("apply", "preview"):
        said = failure(command, str(image), path, "-o", out[spelling])

        assert said.endswith("is read by this command, and would be lost; name another file.")
    assert "would be lost" in failure("import", path, "-o", path)
    assert image.read_bytes() == before


def test_a_crash_of_the_library_is_reported_as_one(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    path, folder = pipeline(tmp_path, *BLUR, KILLER), tmp_path / "results"
    folder.mkdir()
    (folder / "out.npy").write_text("old")
    command = [sys.executable, "-c", UNGUARDED, "apply", rgb, path, "-o", str(folder / "out.npy")]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    words = "augviz: step 3, AdvancedBlur: the library crashed (divided by zero) for this draw\n"
    assert (result.returncode, result.stderr) == (2, words)
    assert [entry.name for entry in folder.iterdir()] == ["out.npy"]
    assert (folder / "out.npy").read_text() == "old"


def test_a_step_that_takes_too_long_is_named(tmp_path: Path) -> None:
    pyvips.Image.black(6000, 6000, bands=3).pngsave(str(tmp_path / "large.png"))
    path = pipeline(tmp_path, {"transform": "NoOp"}, {"transform": "ElasticTransform", "p": 1})

    words = failure("apply", tmp_path / "large.png", path, "-o", tmp_path / "out.npy", AUGVIZ_JOB_SECONDS="5")

    assert "step 2, ElasticTransform: " in words
    assert "limit" in words


def test_a_process_that_cannot_start_within_its_memory_says_so(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    path = pipeline(tmp_path, {"transform": "NoOp"})

    words = failure("profile", rgb, path, AUGVIZ_JOB_MEMORY_BYTES="300 MB")

    assert words == "augviz: measure: the process could not start within its limit of 300 MB of memory."


def test_a_draw_that_takes_too_long_names_its_step(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    blur = {"transform": "Blur", "args": {"blur_limit": [10001, 10001]}, "p": 1}
    path = pipeline(tmp_path, {"group": "Sequential", "steps": [{"transform": "NoOp"}, blur]})

    words = failure("draw", rgb, path, AUGVIZ_JOB_SECONDS="3", AUGVIZ_GUARD="0")

    assert "step 2, Blur: it takes longer than the time limit of 3 s" in words


def test_a_worker_that_is_killed_is_no_step_that_takes_too_long(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    holes = {"transform": "CoarseDropout", "args": {"max_holes": 10**9}, "p": 1}
    code = (
        "import sys\nfrom augviz import cli, cli_work\ncli_work.BLAME_SECONDS = 2\nsys.exit(cli.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "draw", rgb, pipeline(tmp_path, holes)]
    environment = {**os.environ, "AUGVIZ_GUARD": "0"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    end, busy = time.monotonic() + 120, []
    while not busy:  # until the worker draws: it has imported its libraries and takes a second of the processor
        assert time.monotonic() < end
        children = psutil.Process(process.pid).children(recursive=True)
        busy = [child for child in children if sum(child.cpu_times()[:2]) > 6]
        time.sleep(0.05)
    busy[0].kill()
    _, words = process.communicate(timeout=120)

    assert process.returncode == 2
    assert words == "augviz: draw: the worker crashed (killed).\n"


def test_progress_is_shown_on_a_terminal_and_erased(rgb: str, tmp_path: Path) -> None:  # noqa: F811
    shown, terminal = pty.openpty()
    command = [sys.executable, "-m", "augviz", "apply", rgb, pipeline(tmp_path, *BLUR), "-o", str(tmp_path / "out.png")]

    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=terminal, timeout=120)
    os.close(terminal)
    written = os.read(shown, 100000).decode()
    os.close(shown)

    assert result.returncode == 0
    assert "starting" in written
    assert written.endswith("\r\x1b[K")
    assert "\n" not in written


def test_a_terminated_command_leaves_nothing_behind(tmp_path: Path) -> None:
    pyvips.Image.black(6000, 6000, bands=3).pngsave(str(tmp_path / "large.png"))
    path, folder = pipeline(tmp_path, {"transform": "ElasticTransform", "p": 1}), tmp_path / "results"
    folder.mkdir()
    command = [
        sys.executable,
        "-m",
        "augviz",
        "apply",
        str(tmp_path / "large.png"),
        path,
        "-o",
        str(folder / "out.npy"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not any(folder.iterdir()):
        assert time.monotonic() < end, "nothing was begun"
        time.sleep(0.02)

    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert words == ""
    assert list(folder.iterdir()) == []


def test_the_endings_of_outputs_are_those_that_can_be_written() -> None:
    assert cli_work.OUTPUT_SUFFIXES == results.SUFFIXES
