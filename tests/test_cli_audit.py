"""`audit` on the command line: what it prints, its exit status, and going on after it was ended."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import pyvips

from tests import auditing_folder, samples
from tests.live import until
from tests.test_cli import KILLER, ROOT, augviz, failure, ok

KEYS = [
    *("format", "folder", "seed", "max_side", "images", "draws", "share_seen", "failures", "failures_not_listed"),
    *("failed_at", "batchable", "shapes", "shapes_not_listed", "before", "into_normalize", "after", "unreal", "steps"),
    *("most_clipped", "emptiest_crops", "cost"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return auditing_folder.make(tmp_path_factory.mktemp("data"), good=4)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(auditing_folder.PIPELINE))
    return path


def audited(status: int, *arguments: object, **environ: str) -> str:
    """What an audit prints that ends with this status, without a word on standard error."""
    result = augviz("audit", *arguments, **environ)

    assert (result.returncode, result.stderr) == (status, "")
    return result.stdout


def test_an_image_that_fails_makes_the_status_1_and_is_named(folder: Path, pipeline: Path, tmp_path: Path) -> None:
    table, records = tmp_path / "table.csv", tmp_path / "findings.jsonl"
    more = ("--draws", 2, "--csv", table, "--records", records)
    report = json.loads(audited(1, folder, pipeline, "--json", *more))

    assert list(report) == KEYS
    assert {one["image"] for one in report["failures"]} == auditing_folder.FAILING
    assert report["draws"]["done"] == 12
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["draw"] for row in rows] == ["0", "1"] * 6
    assert {row["image"] for row in rows if row["error"]} == auditing_folder.FAILING
    assert records.read_text().count("\n") == 13


def test_a_failure_is_made_again_by_its_command(folder: Path, pipeline: Path) -> None:
    report = json.loads(audited(1, folder, pipeline, "--json"))
    [failed] = [one for one in report["failures"] if one["transform"] == "HEDShift"]
    command = failed["command"].replace("python -m", f"{sys.executable} -m", 1)
    again = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert again.returncode == 2
    assert again.stderr == f"augviz: {failed['error']}\n"


def test_where_nothing_fails_the_status_is_0(folder: Path, pipeline: Path) -> None:
    text = ok("audit", folder / "a", pipeline, "--limit", 1)

    assert text.startswith("1 of 2 images, 1 in the numbers (50% of all), 1 draw, 1 at full size\nno draw failed\n")


def test_a_crash_of_the_library_costs_one_draw_its_result(tmp_path: Path) -> None:
    for number in range(3):
        samples.rgb(60 + number, 50).pngsave(str(tmp_path / f"{number}.png"))
    path = tmp_path / "pipeline.json"
    choice = {"group": "OneOf", "steps": [{"transform": "HorizontalFlip", "p": 1}, {**KILLER, "p": 1}], "p": 1}
    path.write_text(json.dumps({"format": 1, "steps": [choice]}))
    report = json.loads(audited(1, tmp_path, path, "--draws", 3, "--json", AUGVIZ_GUARD="0"))
    errors = {one["error"] for one in report["failures"]}

    assert errors == {"step 2, AdvancedBlur: the library crashed (divided by zero) for this draw"}
    assert 0 < report["draws"]["failed"] < report["draws"]["done"] == 9


def test_full_size_is_at_full_size(tmp_path: Path, pipeline: Path) -> None:
    samples.rgb(400, 300).resize(4).jpegsave(str(tmp_path / "large.jpg"))
    shrunk = json.loads(ok("audit", tmp_path, pipeline, "--max-side", 200, "--json"))
    full = json.loads(ok("audit", tmp_path, pipeline, "--full-size", "--json"))

    assert (shrunk["draws"]["at_full_size"], full["draws"]["at_full_size"]) == (0, 1)
    assert (shrunk["max_side"], full["max_side"]) == (200, None)
    assert [one["before"][0]["measured"] for one in (shrunk, full)] == [200 * 150, 1600 * 1200]
    assert shrunk["before"][0]["counts"] == full["before"][0]["counts"] == [1600 * 1200] * 3


def test_images_count_with_their_true_size_however_they_are_shrunk(tmp_path: Path, pipeline: Path) -> None:
    for name, side, value in (("large", 1600, 200), ("small", 100, 50)):
        (pyvips.Image.black(side, side, bands=3) + value).cast("uchar").pngsave(str(tmp_path / f"{name}.png"))
    [found] = json.loads(ok("audit", tmp_path, pipeline, "--max-side", 200, "--json"))["before"]
    share = 1600**2 / (1600**2 + 100**2)

    assert found["mean"] == [pytest.approx(50 + 150 * share)] * 3
    assert found["std"] == [pytest.approx(150 * (share * (1 - share)) ** 0.5)] * 3


def test_an_audit_that_was_killed_goes_on_with_its_records(tmp_path: Path, pipeline: Path) -> None:
    folder, records = tmp_path / "images", tmp_path / "findings.jsonl"
    folder.mkdir()
    for number in range(60):
        samples.rgb(200 + number, 150).jpegsave(str(folder / f"{number}.jpg"))
    arguments = ["audit", str(folder), str(pipeline), "--draws", "5", "--records", str(records), "--json"]
    process = subprocess.Popen([sys.executable, "-m", "augviz", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not records.exists() or records.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = records.read_bytes().count(b"\n") - 1
    with_records = json.loads(ok(*arguments))
    again = json.loads(ok(*arguments[:5], "--json"))

    assert 9 <= kept < 300
    assert {**with_records, "cost": 0} == {**again, "cost": 0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{folder}/none", "{pipeline}"), "there is no such folder"),
        (("", "{pipeline}"), "argument FOLDER: must be a path, got nothing"),
        (("{folder}", ""), "argument PIPELINE: must be a path, got nothing"),
        (("{folder}", "{pipeline}", "--records", "{pipeline}"), "is the file of the pipeline; name another one"),
        (("{folder}", "{pipeline}", "--records", "{folder}/a/../empty.png"), "has the name of an image; name another"),
        (("{empty}", "{pipeline}"), "there is no image in this folder"),
        (("{folder}", "{folder}/none.json"), "the pipeline cannot be read"),
        (("{folder}", "{folder}/notes.txt"), "not valid JSON"),
        (("{folder}", "{pipeline}", "--draws", "0"), "at least 1, got 0"),
        (("{folder}", "{pipeline}", "--draws", "1001"), "1 to 1000 draws"),
        (("{folder}", "{pipeline}", "--limit", "x"), "'x'"),
        (("{folder}", "{pipeline}", "--max-side", "9"), "at least 16 pixels"),
        (("{folder}", "{pipeline}", "--max-side", "99", "--full-size"), "not allowed with"),
        (("{folder}", "{pipeline}", "--csv", "{empty}/table.txt"), ".csv"),
        (("{folder}", "{pipeline}", "--csv", "{empty}/none/table.csv"), "--csv: there is no folder"),
        (("{folder}", "{pipeline}", "--records", "{empty}"), "is a folder"),
        (
            ("{folder}", "{pipeline}", "--records", "/dev/full"),
            "Findings can only be kept in a regular file",
        ),
        (("{folder}", "{pipeline}", "--scheduler", "bogus://x"), "tcp://10.0.0.1:8786 is needed, got 'bogus://x'"),
        (("{folder}", "{pipeline}", "--scheduler", "bogus://x:80"), "is needed, got 'bogus://x:80'"),
        (("{folder}", "{pipeline}", "--scheduler", "tcp://x:65536"), "is needed, got 'tcp://x:65536'"),
        (("{folder}", "{pipeline}", "--scheduler", " "), "is needed, got ' '"),
        (("{folder}", "{pipeline}", "--records", "{empty}/none/f.jsonl"), "no folder"),
        (("{folder}", "{pipeline}", "--records", "{folder}/notes.txt"), "something else than this audit"),
    ],
)
def test_what_cannot_be_audited_is_one_line(
    folder: Path, pipeline: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    places: dict[str, Any] = {"folder": folder, "pipeline": pipeline, "empty": tmp_path / "empty"}

    assert words in failure("audit", *(one.format(**places) for one in arguments))


def test_findings_and_table_are_not_written_to_one_file(folder: Path, pipeline: Path, tmp_path: Path) -> None:
    records = tmp_path / "x.csv"
    audited(1, folder, pipeline, "--records", records)
    before = records.read_bytes()
    (tmp_path / "y.csv").symlink_to(records)
    (tmp_path / "z.csv").hardlink_to(records)
    (tmp_path / "sub").mkdir()
    for name in ("x.csv", "sub/../x.csv", "y.csv", "z.csv"):
        said = failure("audit", folder, pipeline, "--records", records, "--csv", tmp_path / name)

        assert (
            said == f"augviz: --csv: {tmp_path / name} is the file of --records, which would be lost; name another one."
        )
        assert records.read_bytes() == before
    new = (tmp_path / "new.csv", tmp_path / "sub/../new.csv")
    assert "would be lost" in failure("audit", folder, pipeline, "--records", new[0], "--csv", new[1])
    assert not new[0].exists()


def test_a_table_is_not_written_over_the_pipeline(folder: Path, pipeline: Path) -> None:
    named = pipeline.rename(pipeline.with_suffix(".csv"))
    before = named.read_bytes()

    assert "is the file of the pipeline" in failure("audit", folder, named, "--csv", named)
    assert named.read_bytes() == before


def test_a_folder_that_cannot_be_read_makes_the_status_1_and_is_named(tmp_path: Path, pipeline: Path) -> None:
    (tmp_path / "data" / "lost+found").mkdir(parents=True)
    samples.rgb(90, 70).pngsave(str(tmp_path / "data" / "good.png"))
    refusing = """
import os, sys
from augviz import cli
scandir = os.scandir
def refused(path):
    if str(path).endswith("lost+found"):
        raise PermissionError(13, "Permission denied", str(path))
    return scandir(path)
os.scandir = refused
sys.exit(cli.main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", refusing, "audit", str(tmp_path / "data"), str(pipeline)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stderr) == (1, "")
    assert "1 draw of 1 image failed:" in done.stdout
    assert "lost+found/, draw 0: lost+found/: the folder cannot be read: Permission denied." in done.stdout


def test_a_link_to_itself_is_a_failure_like_any_other(tmp_path: Path, pipeline: Path) -> None:
    (tmp_path / "data").mkdir()
    samples.rgb(90, 70).pngsave(str(tmp_path / "data" / "good.png"))
    (tmp_path / "data" / "self.png").symlink_to("self.png")

    assert "self.png, draw 0: self.png: the file cannot be opened" in audited(1, tmp_path / "data", pipeline)


def test_a_reader_that_has_seen_enough_does_not_change_the_status(folder: Path, pipeline: Path) -> None:
    command = [sys.executable, "-m", "augviz", "audit", str(folder), str(pipeline), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    assert (process.wait(120), process.stderr.read()) == (1, b"")
    process.stderr.close()


def test_a_file_whose_name_is_not_utf_8_fails_in_one_sentence(tmp_path: Path, pipeline: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    samples.rgb(60, 50).pngsave(str(tmp_path / "good.png"))
    name = os.fsdecode(b"bad\xff.png")
    shutil.copy(tmp_path / "good.png", folder / name)
    said = "bad?.png: a file whose name or folder is not UTF-8 cannot be opened; rename it."
    report = json.loads(audited(1, folder, pipeline, "--json"))

    assert [one["error"] for one in report["failures"]] == [said]
    assert f"bad?.png, draw 0: {said}" in audited(1, folder, pipeline)
    assert failure("preview", folder / name, pipeline, "-o", tmp_path / "out.png") == f"augviz: {said}"


def test_a_name_that_the_terminal_cannot_show_is_printed_in_ascii(tmp_path: Path, pipeline: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "\N{OWL}.png").write_text("no image")

    assert "\\U0001f989.png" in audited(1, folder, pipeline, PYTHONIOENCODING="ascii")


@pytest.mark.parametrize("is_kept", [False, True])
def test_an_interruption_says_what_is_kept(tmp_path: Path, pipeline: Path, is_kept: bool) -> None:
    folder, records = tmp_path / "images", tmp_path / "findings.jsonl"
    folder.mkdir()
    samples.rgb(400, 300).jpegsave(str(folder / "a.jpg"))
    arguments = ["audit", str(folder), str(pipeline), "--draws", "1000", "--csv", str(tmp_path / "table.csv")]
    arguments += ["--records", str(records)] if is_kept else []
    process = subprocess.Popen(
        [sys.executable, "-m", "augviz", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    until(lambda: psutil.Process(process.pid).children())
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    words = (
        f"are kept in {records}, and the same command goes on from there" if is_kept else "are not kept, which takes"
    )

    assert process.returncode == 128 + signal.SIGINT
    assert words in told
    assert told.count("\n") == 1


def test_the_documented_options_are_those_that_there_are() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    documented = re.search(r"^    audit .*$", page, re.MULTILINE)
    usage = ok("audit", "--help").split("\n\n")[0]
    option = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")

    assert documented is not None
    assert set(option.findall(documented[0])) == set(option.findall(usage)) - {"-m", "-h"}
    assert re.search(r"^ +audit ", ok("--help"), re.MULTILINE)


def test_the_documented_keys_are_those_that_are_printed() -> None:
    page = (ROOT / "docs" / "audit.md").read_text()

    assert re.findall(r"^\| `(\w+)`[^|]*\|", page.split("## JSON")[1].split("##")[0], re.MULTILINE) == KEYS
