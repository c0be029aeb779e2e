"""Plans, findings and reports of audits; runs by real worker processes."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from augviz import audit, audit_again, audit_records, audit_report, audit_run, link, saved
from augviz.audit import Asked, Failure, Finding, Plan
from augviz.audit_totals import KEPT_FAILURES, KEPT_SHAPES, KEPT_WORST, Totals
from augviz.errors import ArgumentError, ImageError
from augviz.model import Pipeline
from augviz.settings import load
from tests import auditing_folder

PIPELINE: Pipeline = saved.load(auditing_folder.PIPELINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return auditing_folder.make(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return audit.plan(folder, PIPELINE, draws=2, seed=5)


def made(plan: Plan, records: Path, totals: Totals, stop_after: int | None = None) -> tuple[bool, int]:
    """Run a plan; whether all is done, and how many draws were made now."""
    stop, told = threading.Event(), list[int]()

    def tell(done: int, total: int) -> None:
        told.append(done)
        if stop_after is not None and done >= stop_after:
            stop.set()

    with audit_run.local(plan) as runner:
        whole = audit_run.run(plan, runner, records, totals, tell=tell, stop=stop)
    return whole, told[-1] - told[0]


@pytest.fixture(scope="module")
def done(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Totals, Path]:
    """A whole run, and its file."""
    totals, records = Totals(), tmp_path_factory.mktemp("records") / "findings.jsonl"

    assert made(plan, records, totals) == (True, plan.total)
    return totals, records


def without_cost(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "cost"}


def findings(done: tuple[Totals, Path], plan: Plan) -> list[Finding]:
    return list(audit_records.findings_of(done[1], plan))


# What is audited


def test_images_are_found_in_folders_below_sorted_and_nothing_else(folder: Path) -> None:
    names = [image.name for image in audit.images_of(folder)]

    assert names == [
        "a/000.jpg",
        "a/002.jpg",
        "a/004.jpg",
        "b/001.jpg",
        "b/003.jpg",
        "b/005.jpg",
        "b/cut.jpg",
        "b/grey.png",
    ]


def test_a_link_to_itself_fails_alone(folder: Path, tmp_path: Path) -> None:
    place = auditing_folder.make(tmp_path / "data", good=2)
    (place / "a" / "self.png").symlink_to("self.png")
    (place / "a" / "there.png").symlink_to("back.png")
    (place / "a" / "back.png").symlink_to("there.png")
    plan, totals = audit.plan(place, saved.load({"format": 1, "steps": []})), Totals()

    assert made(plan, tmp_path / "findings.jsonl", totals) == (True, 7)
    assert totals.failed_images == {"a/back.png", "a/self.png", "a/there.png", "b/cut.jpg"}
    said = {found.failure.message for _, (_, found) in totals.failures.items() if found.image == "a/self.png"}
    assert said == {"self.png: the file cannot be opened: Too many levels of symbolic links."}


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of six images with one below it that the system does not list, as to who may not."""
    place, scandir = auditing_folder.make(tmp_path / "data", good=4), os.scandir
    (place / "a" / "lost+found").mkdir()

    def refused(path: Any) -> Any:
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    return place


def test_a_folder_that_cannot_be_read_fails_and_the_rest_is_audited(unreadable: Path, tmp_path: Path) -> None:
    plan, totals = audit.plan(unreadable, saved.load({"format": 1, "steps": []})), Totals()
    assert made(plan, tmp_path / "findings.jsonl", totals) == (True, 7)
    report = audit_report.document(plan, totals)
    [failed] = [one for one in report["failures"] if one["image"] != "b/cut.jpg"]

    assert report["images"] == {"found": 7, "asked": 7, "seen": 7, "measured": 5, "failed": 2}
    assert failed["image"] == "a/lost+found/"
    assert failed["error"] == "a/lost+found/: the folder cannot be read: Permission denied."
    assert (failed["command"], failed["address"]) == (None, None)
    assert failed["error"] in audit_report.text(report)


def test_a_folder_that_cannot_be_read_is_told_whatever_the_limit(unreadable: Path, tmp_path: Path) -> None:
    few = audit.plan(unreadable, PIPELINE, limit=1)

    assert [one.name for one in few.images] == ["a/000.jpg", "a/lost+found/"]

    with pytest.raises(ImageError, match=r"lost\+found: the folder cannot be read: Permission denied\."):
        audit.plan(unreadable / "a" / "lost+found", PIPELINE)


def test_a_limit_takes_images_from_everywhere(folder: Path) -> None:
    few = audit.plan(folder, PIPELINE, limit=4)

    assert [image.name for image in few.images] == ["a/000.jpg", "a/004.jpg", "b/003.jpg", "b/cut.jpg"]
    assert (few.found, few.total) == (8, 4)
    assert len(audit.plan(folder, PIPELINE, limit=99).images) == 8


def test_what_cannot_be_audited_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no image in this folder"):
        audit.plan(tmp_path, PIPELINE)
    with pytest.raises(ImageError, match="no such folder"):
        audit.plan(folder / "none", PIPELINE)
    with pytest.raises(ArgumentError, match="1 to 1000 draws"):
        audit.plan(folder, PIPELINE, draws=0)


def test_a_seed_depends_on_image_and_draw_and_never_changes() -> None:
    assert audit.seed_of(0, "a/1.jpg", 0) == 1656977691
    seeds = {audit.seed_of(seed, name, draw) for seed in (0, 1) for name in ("a", "b") for draw in range(50)}

    assert len(seeds) == 200
    assert max(seeds) <= link.MAX_SEED


# Runs


def test_failures_are_told_by_image_and_step_and_end_nothing(done: tuple[Totals, Path], plan: Plan) -> None:
    report = audit_report.document(plan, done[0], "p.json")

    assert report["images"] == {"found": 8, "asked": 8, "seen": 8, "measured": 6, "failed": 2}
    assert report["share_seen"] == 6 / 8
    assert report["draws"] == {"asked": 16, "done": 16, "failed": 4, "at_full_size": 12}
    assert {one["image"] for one in report["failures"]} == auditing_folder.FAILING
    assert report["failed_at"] == [
        {"position": None, "step": None, "transform": None, "draws": 2},
        {"position": 2, "step": "stain", "transform": "HEDShift", "draws": 2},
    ]
    [first, *_] = [one for one in report["failures"] if one["image"] == "b/grey.png"]
    assert (first["step"], first["transform"], first["position"]) == ("stain", "HEDShift", 2)
    assert f"b/grey.png p.json --seed {first['seed']} -o" in first["command"]


def test_results_are_summed(done: tuple[Totals, Path], plan: Plan) -> None:
    report = audit_report.document(plan, done[0])

    assert report["batchable"] is True
    assert report["shapes"] == [{"shape": [48, 48, 3], "dtype": "uint8", "draws": 12}]
    assert [one["images"] for one in report["before"]] == [6]
    assert report["after"][0]["counts"] == [12 * 48 * 48] * 3
    assert [step["transform"] for step in report["steps"]] == ["HorizontalFlip", "HEDShift", "RandomCrop"]
    assert report["steps"][1]["applied"] == 12
    assert report["steps"][2]["background"]["judged"] == 12
    assert report["cost"]["seconds"]["count"] == 12
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_order_of_findings_does_not_show(done: tuple[Totals, Path], plan: Plan) -> None:
    expected = audit_report.document(plan, done[0])
    for seed in range(5):
        mixed, totals = findings(done, plan), Totals()
        random.Random(seed).shuffle(mixed)
        for finding in mixed:
            totals.add(finding)

        assert audit_report.document(plan, totals) == expected


def test_an_image_is_in_the_numbers_by_any_draw_that_was_made(done: tuple[Totals, Path], plan: Plan) -> None:
    expected = audit_report.document(plan, done[0])
    failure = Failure("It took too long.", is_passing=True)
    for lost in (0, 1):
        totals = Totals()
        for finding in findings(done, plan):
            totals.add(replace(finding, failure=failure, seen=None) if finding.draw == lost else finding)
        report = audit_report.document(plan, totals)

        assert report["before"] == expected["before"]
        assert (report["share_seen"], report["images"]["measured"], report["images"]["failed"]) == (6 / 8, 6, 8)


def test_a_run_that_was_stopped_goes_on_where_it_was(done: tuple[Totals, Path], plan: Plan, tmp_path: Path) -> None:
    records, first, second = tmp_path / "findings.jsonl", Totals(), Totals()
    whole, before = made(plan, records, first, stop_after=3)
    part = audit_report.document(plan, first)

    assert not whole
    assert 3 <= before < plan.total
    assert part["draws"]["done"] == before
    assert f"not finished: {before} of 16 draws" in audit_report.text(part)

    assert made(plan, records, second) == (True, plan.total - before)
    assert without_cost(audit_report.document(plan, second)) == without_cost(audit_report.document(plan, done[0]))


def test_a_last_line_that_was_cut_off_is_made_again(done: tuple[Totals, Path], plan: Plan, tmp_path: Path) -> None:
    whole = done[1].read_bytes()
    for end in (len(whole) - 1, len(whole) - 200, whole.rindex(b"\n", 0, -1) + 1 + 40):
        records, totals = tmp_path / f"{end}.jsonl", Totals()
        records.write_bytes(whole[:end])
        with audit_records.opened(records, plan, totals.add) as (known, write):
            missing = [one for one in findings(done, plan) if (one.image, one.draw) not in known]
            write(missing)

        assert len(missing) == plan.total - totals.done >= 1
        assert records.read_bytes().count(b"\n") == plan.total + 1
        assert len(list(audit_records.findings_of(records, plan))) == plan.total


def test_a_first_line_that_was_cut_off_begins_the_file_anew(plan: Plan, tmp_path: Path) -> None:
    records = tmp_path / "findings.jsonl"
    records.write_text(f'{{"augviz-audit":{audit_records.VERSION},"fol')
    with audit_records.opened(records, plan, Totals().add) as (known, _):
        pass

    assert known == set()
    assert json.loads(records.read_text())["augviz-audit"] == audit_records.VERSION


def test_the_findings_of_another_audit_are_never_taken(done: tuple[Totals, Path], plan: Plan, folder: Path) -> None:
    others = [
        audit.plan(folder, PIPELINE, draws=2, seed=6),
        audit.plan(folder, saved.load({"format": 1, "steps": []}), draws=2, seed=5),
        audit.plan(folder, PIPELINE, draws=2, seed=5, max_side=None),
        audit.plan(folder / "a", PIPELINE, draws=2, seed=5),
    ]
    before = done[1].read_bytes()
    for other in others:
        with (
            pytest.raises(ImageError, match="something else than this audit"),
            audit_records.opened(done[1], other, Totals().add),
        ):
            pass

    assert done[1].read_bytes() == before
    assert len({audit_records.key_of(one) for one in [plan, *others]}) == 5


def test_a_file_that_has_changed_is_looked_at_again(done: tuple[Totals, Path], tmp_path: Path) -> None:
    folder = auditing_folder.make(tmp_path / "data", good=2)
    plan, records = audit.plan(folder, PIPELINE), tmp_path / "findings.jsonl"
    made(plan, records, Totals())
    (folder / "b/cut.jpg").write_bytes((folder / "a/000.jpg").read_bytes())
    again, totals = audit.plan(folder, PIPELINE), Totals()

    assert made(again, records, totals) == (True, 1)
    assert totals.failed_images == {"b/grey.png"}
    assert len(list(audit_records.findings_of(records, again))) == 4


def test_more_draws_are_added_to_those_that_there_are(done: tuple[Totals, Path], folder: Path, tmp_path: Path) -> None:
    records, totals = tmp_path / "findings.jsonl", Totals()
    records.write_bytes(done[1].read_bytes())

    assert made(audit.plan(folder, PIPELINE, draws=3, seed=5), records, totals) == (True, 8)


def test_a_run_leaves_no_process_behind(plan: Plan, tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    made(plan, tmp_path / "findings.jsonl", Totals(), stop_after=1)
    left = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
    psutil.wait_procs(left, timeout=10)

    assert [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


# Reports


def test_the_table_has_a_line_for_each_draw_in_the_plan_s_order(done: tuple[Totals, Path], plan: Plan) -> None:
    file = io.StringIO()
    audit_report.write_csv(findings(done, plan), file)
    lines = file.getvalue().splitlines()

    assert lines[0] == ",".join(audit_report.COLUMNS)
    assert [line.split(",")[:2] for line in lines[1:]] == [[t.image.name, str(t.draw)] for t in audit.tasks(plan)]
    assert sum("HEDShift" in line for line in lines) == 2


def test_a_name_that_looks_like_a_formula_is_none_in_the_table(done: tuple[Totals, Path], plan: Plan) -> None:
    [finding, *_] = findings(done, plan)
    made = Finding("=cmd.png", "", 0, 1, None, finding.seen)
    failed = Finding("+1.png", "", 0, 1, Failure("+1.png: it is cut.", step="@a", transform="Blur"), None)
    sent = Finding("x.png", "", 0, 1, Failure("x.png: it is cut."), None)
    file = io.StringIO()
    audit_report.write_csv([made, failed, sent], file, {"x.png": "=1+1.png"})
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))

    assert [row["image"] for row in rows] == ["'=cmd.png", "'+1.png", "'=1+1.png"]
    assert [row["error"] for row in rows] == ["", "'+1.png: it is cut.", "'=1+1.png: it is cut."]
    assert rows[1]["step"] == "'@a"


EVERY_BYTE = os.fsdecode(bytes(set(range(1, 256)) - {ord("/")})) + ".png"
NAMES = (
    *("a b.png", "it's \\ $x.png", "line\nand \x1b[31mred.png", "caf\u00e9 \u202e.png", "no text \udcff\udc801.png"),
    *("100%d\n'$(x)'`y`\".png", "-n\n.png", "\n\n\t.png", EVERY_BYTE),
)


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("name", NAMES)
def test_the_printed_command_names_the_file_whatever_it_is_called(plan: Plan, name: str, shell: str) -> None:
    totals = Totals()
    totals.add(Finding(name, "", 0, 7, Failure(f"{name}: it is cut."), None))
    report = audit_report.document(plan, totals, name)
    [command] = [line for line in audit_report.text(report).splitlines() if "-m augviz" in line]
    run = [shell, "-c", f"python() {{ printf '%s\\0' \"$@\"; }}; {command}"]
    words = subprocess.run(run, capture_output=True, check=True).stdout.split(b"\0")

    assert command.strip() == report["failures"][0]["command"]
    assert command.isprintable()
    assert words[3:5] == [os.fsencode(f"{plan.folder}/{name}"), os.fsencode(name)]


def test_a_pipeline_whose_name_no_line_can_hold_is_a_placeholder(plan: Plan) -> None:
    assert " PIPELINE --seed 7 " in audit_again.command_of(plan, "x.png", "p.json\n", 7)


def test_the_command_is_at_the_size_of_the_audit(plan: Plan) -> None:
    sizes = {1024: "preview", 300: "preview", None: "apply"}
    commands = [audit_again.command_of(replace(plan, max_side=side), "x.png", "-", 7) for side in sizes]
    end = f"{plan.folder}/x.png PIPELINE --seed 7"

    assert commands == [
        f"python -m augviz preview {end} -o again.png",
        f"python -m augviz preview {end} --max-side 300 -o again.png",
        f"python -m augviz apply {end} -o again.png",
    ]


def test_one_of_a_thing_is_told_as_one(done: tuple[Totals, Path], plan: Plan) -> None:
    totals, few = Totals(), replace(plan, images=plan.images[:1], found=2, draws=2)
    [finding, *_] = findings(done, plan)
    assert finding.seen is not None
    steps = [{**step, "clipped": 0.5, "background": 0.0} for step in finding.seen["steps"]]
    totals.add(replace(finding, seen={**finding.seen, "steps": steps}))
    totals.add(Finding(finding.image, "", 1, 7, Failure("It failed.", "b", "Blur", 1), None))
    text = audit_report.text(audit_report.document(few, totals))

    assert "1 of 2 images, 1 in the numbers (50% of all), 2 draws, 1 at full size\n" in text
    assert "1 draw of 1 image failed:\n" in text
    assert "applied 1 time, " in text
    assert "1 draw over 1 %)" in text
    assert "0 of 1 crop near-empty" in text


def test_a_failure_of_a_file_that_was_sent_has_no_command(plan: Plan) -> None:
    totals, sent = Totals(), replace(plan, images=(Asked("0f.png", 1, 1, "mine.png"),))
    totals.add(Finding("0f.png", "", 0, 7, Failure("0f.png: it is cut."), None))
    report = audit_report.document(sent, totals)

    assert "mine.png, draw 0: mine.png: it is cut." in audit_report.text(report)
    assert report["folder"] is None
    assert plan.folder not in json.dumps(report)


def test_the_address_of_a_draw_opens_it_in_explore(done: tuple[Totals, Path], plan: Plan) -> None:
    settings = load({"AUGVIZ_FOLDERS": str(Path(plan.folder).parent)})
    [failure, *_] = audit_report.document(plan, done[0], settings=settings)["failures"]
    found = link.decode(failure["address"].removeprefix("/?s="))

    assert (found.seed, found.pipeline) == (failure["seed"], plan.pipeline)
    assert found.source is not None
    assert found.source.name == f"{Path(plan.folder).name}/{failure['image']}"


def test_a_folder_that_the_app_may_not_open_has_no_addresses(done: tuple[Totals, Path], plan: Plan) -> None:
    assert audit_report.document(plan, done[0])["failures"][0]["address"] is None


def test_the_text_says_what_failed_and_whether_results_stack(done: tuple[Totals, Path], plan: Plan) -> None:
    text = audit_report.text(audit_report.document(plan, done[0]))

    assert "4 draws of 2 images failed:" in text
    assert "all results have one shape and can be batched: 48 x 48 x 3 uint8 (12)" in text
    assert re.search(r"^ 2\. HEDShift +applied 12 times", text, re.MULTILINE)
    assert re.search(r"^time per draw: median", text, re.MULTILINE)


def test_the_sums_stay_small_whatever_the_number_of_draws(done: tuple[Totals, Path], plan: Plan) -> None:
    [ok, *_] = findings(done, plan)
    [bad, *_] = [one for one in findings(done, plan) if one.failure]
    totals = Totals()

    def many() -> Iterator[Finding]:
        for number in range(5000):
            shape = {**(ok.seen or {}), "shape": [number, 1]}
            yield Finding(f"{number % 50}", "", number, number, None, shape)
            yield Finding("bad.png", "", number, number, bad.failure, None)

    for finding in many():
        totals.add(finding)

    assert len(totals.failures.kept) <= 2 * KEPT_FAILURES
    assert len(totals.shapes.kept) <= 2 * KEPT_SHAPES
    assert totals.failures.others == 5000 - KEPT_FAILURES
    assert len(totals.slowest.found) <= 2 * KEPT_WORST
