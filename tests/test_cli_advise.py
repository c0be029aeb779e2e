"""`advise` as scripts use it: what is printed, and what the exit status tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from augviz import calibration, saved
from augviz.advice import RULES
from tests.samples import path as sample
from tests.test_cli import CODE, TUTORIAL, augviz, failure, ok, pipeline

TENSOR_FIRST: list[dict[str, Any]] = [{"transform": "ToTensor"}, {"transform": "Blur"}]
QUIET: list[dict[str, Any]] = [{"transform": "HorizontalFlip", "p": 1.0}, {"transform": "ToTensor"}]


def advice(*arguments: object, status: int = 0) -> list[dict[str, Any]]:
    """The list that `advise --json` prints."""
    result = augviz("advise", *arguments, "--json")

    assert (result.returncode, result.stderr) == (status, "")
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_json_is_a_list_of_findings_with_the_contracts_keys(tmp_path: Path) -> None:
    found = advice(pipeline(tmp_path, *TUTORIAL))
    rules = {rule.name: rule.severity.value for rule in RULES}

    assert [entry["rule"] for entry in found][:2] == ["output-size-varies", "normalize-unit-statistics"]
    for entry in found:
        assert list(entry) == ["rule", "severity", "step", "message", "evidence", "fix"]
        assert entry["severity"] == rules[entry["rule"]]
        assert entry["step"] in ("0", "1", "2", "3", None)
        if entry["fix"] is not None:
            assert list(entry["fix"]) == ["label", "pipeline"]
            assert saved.dump(saved.load(entry["fix"]["pipeline"])) == entry["fix"]["pipeline"]


def test_a_fix_can_be_fed_back_and_mends_its_finding(tmp_path: Path) -> None:
    found = advice(pipeline(tmp_path, *TUTORIAL))
    (tmp_path / "mended.json").write_text(json.dumps(found[0]["fix"]["pipeline"]))

    mended = advice(tmp_path / "mended.json")

    assert found[0]["rule"] not in {entry["rule"] for entry in mended}
    assert {entry["rule"] for entry in mended} < {entry["rule"] for entry in found}


def test_the_figures_are_those_of_the_image(tmp_path: Path) -> None:
    coffee = sample("coffee.png")
    found = {e["rule"]: e for e in advice(pipeline(tmp_path, *TUTORIAL), "--image", coffee, "--seed", 3)}
    again = {e["rule"]: e for e in advice(pipeline(tmp_path, *TUTORIAL), "--image", coffee, "--seed", 4)}

    assert found["output-size-varies"]["evidence"].startswith("8 draws for this image gave ")
    assert found["output-size-varies"]["fix"]["label"] == "Crop or pad to 600 x 400"
    assert found["output-size-varies"]["evidence"] != again["output-size-varies"]["evidence"]
    assert found.keys() == again.keys()


def test_an_error_is_told_by_the_exit_status_and_everything_is_printed_all_the_same(tmp_path: Path) -> None:
    path = pipeline(tmp_path, *TENSOR_FIRST)
    found = advice(path, status=1)
    text = augviz("advise", path)

    assert (found[0]["rule"], found[0]["severity"], found[0]["step"]) == ("to-tensor-not-last", "error", "0")
    assert (text.returncode, text.stderr) == (1, "")
    assert all(entry["message"] in text.stdout for entry in found)


def test_a_step_that_cannot_be_drawn_is_an_error_with_the_others_beside_it(tmp_path: Path) -> None:
    path = pipeline(
        tmp_path, {"transform": "Rotate", "id": "turn"}, {"transform": "RandomRotate90", "id": "quarter", "p": 1.0}
    )
    found = advice(path, "--image", sample(), status=1)
    failed = next(entry for entry in found if entry["rule"] == "random-rotate90-raises")

    assert failed["step"] == "quarter"
    assert "cannot-be-drawn" not in {entry["rule"] for entry in found}
    assert {"output-size-varies", "quarter-turns-and-rotate"} <= {entry["rule"] for entry in found}


def test_where_no_draw_can_be_made_the_rest_is_still_said(tmp_path: Path) -> None:
    crop = {"transform": "CenterCrop", "args": {"height": 9000, "width": 9000}}
    found = advice(pipeline(tmp_path, {"transform": "Rotate"}, crop), "--image", sample(), status=1)

    assert {"argument-problem", "not-saved"} <= {entry["rule"] for entry in found}


def test_text_has_a_paragraph_for_each_finding(tmp_path: Path) -> None:
    path = pipeline(tmp_path, *TUTORIAL)
    paragraphs = ok("advise", path).rstrip("\n").split("\n\n")
    found = advice(path)

    assert len(paragraphs) == len(found)
    assert paragraphs[0].startswith("warning: step 2 Rotate (output-size-varies)\n    Rotate can give ")
    assert paragraphs[0].endswith("\n    Fix: Crop or pad to 512 x 512.")


def test_nothing_to_advise_is_said_in_words_and_as_an_empty_list(tmp_path: Path) -> None:
    path = pipeline(tmp_path, *QUIET)

    assert ok("advise", path) == "Nothing to advise.\n"
    assert advice(path) == []


def test_stride_and_validation_are_asked_for(tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "HorizontalFlip"}, {"transform": "ToTensor"})
    plain = advice(path, "--image", sample("coffee.png"))
    asked = advice(path, "--image", sample("coffee.png"), "--stride", 32, "--validation")
    added = [entry for entry in asked if entry not in plain]

    assert [entry["rule"] for entry in added] == ["off-stride", "random-in-validation"]
    assert added[0]["fix"]["label"] == "Make it 576 x 384"


def test_targets_are_told(tmp_path: Path) -> None:
    path = pipeline(tmp_path, {"transform": "HorizontalFlip", "p": 1.0}, {"transform": "ToTensor"})
    found = advice(path, "--targets", "mask,bboxes", status=1)

    assert "compose-raises-for-targets" in {entry["rule"] for entry in found}


def test_the_costs_of_this_machine_are_used_where_they_were_measured(tmp_path: Path) -> None:
    costs = {"MedianBlur": {f: calibration.Cost(ms, ms, ms, ms, 3) for f, ms in (("uchar", 1000.0), ("float", 3000.0))}}
    calibration.save(tmp_path / "calibration.json", "8.18.7", "2026-01-01", costs)
    early = [{"transform": "ToDtype", "args": {"dtype": "float", "scale": True}}, {"transform": "MedianBlur", "p": 1.0}]
    result = augviz("advise", pipeline(tmp_path, *early), "--json", AUGVIZ_CACHE_FOLDER=str(tmp_path))
    found = {entry["rule"]: entry["evidence"] for entry in json.loads(result.stdout)}

    assert "3 times as long on float32 as on uint8 (measured): 3 s instead of 1 s" in found["normalize-last"]
    assert found["costly-often"].startswith("1 s of CPU time for each megapixel: ")


def test_python_code_will_do() -> None:
    result = augviz("advise", "-", "--json", stdin=CODE)

    assert result.returncode == 0
    assert "to-tensor-missing" in {entry["rule"] for entry in json.loads(result.stdout)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("advise", "no.json"), "no.json: the pipeline cannot be read"),
        (("advise", "{path}", "--image", "no.png"), "no.png"),
        (("advise", "{path}", "--stride", "0"), "must be at least 1"),
        (("advise", "{path}", "--targets", "mask,boxes"), "must be out of mask, masks, bboxes, keypoints, got 'boxes'"),
        (("advise",), "PIPELINE"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    path = pipeline(tmp_path, *QUIET)

    assert words in failure(*[argument.format(path=path) for argument in arguments])
