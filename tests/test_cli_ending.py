"""How a command ends when it is interrupted, or when nobody can have what it prints: one line and a status, always."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import samples

ROOT = Path(__file__).parent.parent
INTERRUPTED = "augviz: it was interrupted; what was under way has ended.\n"
NO_SPACE = "augviz: standard output cannot be written: No space left on device.\n"
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With images/a.tif, float.tif (of decimal numbers) and pipeline.json."""
    made = tmp_path_factory.mktemp("ending")
    (made / "images").mkdir()
    samples.rgb(90, 70).write_to_file(str(made / "images" / "a.tif"))
    samples.rgb(90, 70).cast("float").write_to_file(str(made / "float.tif"))
    steps = [{"transform": "HorizontalFlip", "p": 1.0}]
    (made / "pipeline.json").write_text(json.dumps({"format": 1, "steps": steps}))
    (made / "noted.py").write_text(
        "import albumentationsxl as A\nflow = A.Compose([A.HorizontalFlip(p=1), A.Nothing()])\n"
    )
    return made


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "augviz", *map(str, arguments)]


COMMANDS = {
    "info": "images/a.tif",
    "info of json": "images/a.tif --json",
    "preview": "float.tif pipeline.json -o {out}/preview.png",
    "apply": "float.tif pipeline.json -o {out}/apply.png",
    "draw": "images/a.tif pipeline.json",
    "export": "pipeline.json",
    "export of a draw": "pipeline.json --as draw --image images/a.tif",
    "advise": "pipeline.json",
    "audit": "images pipeline.json --draws 1",
    "profile": "images/a.tif pipeline.json --repeats 1",
    "estimate": "images/a.tif pipeline.json --json",
    "memory": "--image images/a.tif --pipeline pipeline.json",
    "import": "noted.py -o {out}/imported.json",
    "--help": "",
}


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("name", "is_buffered"),
    [*((name, True) for name in COMMANDS), ("info", False), ("export", False), ("advise", False), ("--help", False)],
)
def test_output_that_cannot_be_written_is_one_sentence(
    folder: Path, tmp_path: Path, name: str, is_buffered: bool
) -> None:
    arguments = [name.split()[0], *COMMANDS[name].format(out=tmp_path).split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "" if is_buffered else "1"}
    with FULL.open("w") as full:
        ended = subprocess.run(
            command(*arguments),
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=240,
        )

    assert (ended.returncode, ended.stderr) == (2, NO_SPACE)


@pytest.mark.parametrize(
    ("closed", "arguments", "told"),
    [
        ("stdout", "info images/a.tif", "augviz: standard output cannot be written: it is closed.\n"),
        (
            "stdout",
            "profile images/a.tif pipeline.json --repeats 1 --json",
            "augviz: standard output cannot be written: it is closed.\n",
        ),
        ("stderr", "info nowhere.tif", ""),
    ],
)
def test_a_stream_that_is_closed_is_no_bug(folder: Path, closed: str, arguments: str, told: str) -> None:
    redirected = f'exec "$@" {dict(stdout=1, stderr=2)[closed]}>&-'
    ended = subprocess.run(
        ["sh", "-c", redirected, "sh", *command(*arguments.split())],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=240,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", told)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_the_status_is_right_also_where_the_line_cannot_be_told(folder: Path) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(command("info", folder / "nowhere.tif"), cwd=ROOT, stderr=full, timeout=240)

    assert ended.returncode == 2


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        command("info", folder / "images" / "a.tif"), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, timeout=240
    )
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("module", ["argparse", "augviz.model", "augviz.audit", "augviz.cli"])
def test_an_interruption_while_modules_are_loaded_is_the_same_sentence(folder: Path, module: str) -> None:
    """The interpreter tells each module that it has loaded. The pipeline is waited for, so the command does not end."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *command("export", "-")[1:]],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    )
    assert process.stderr
    lines = iter(process.stderr.readline, "")
    assert any(line.split("|")[-1].strip() == module for line in lines)

    process.send_signal(signal.SIGINT)
    told = [line for line in lines if not line.startswith("import time:")]
    assert process.stdin
    assert process.stdout
    process.stdin.close()

    assert (process.wait(timeout=60), told, process.stdout.read()) == (128 + signal.SIGINT, [INTERRUPTED], "")
    process.stdout.close()
    process.stderr.close()


def test_an_interruption_that_is_ignored_stays_ignored(folder: Path) -> None:
    process = subprocess.Popen(
        command("export", "-"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate((folder / "pipeline.json").read_text(), timeout=60)

    assert process.returncode == 0
    assert "HorizontalFlip" in printed
