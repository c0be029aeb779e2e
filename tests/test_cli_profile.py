"""`profile` and `estimate` on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("command", ["profile", "estimate"])
def test_the_documented_options_are_those_that_there_are(command: str) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    documented = re.search(rf"^    {command} .*$", page, re.MULTILINE)
    usage = ok(command, "--help").split("\n\n")[0]
    option = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")

    assert documented is not None
    assert set(option.findall(documented[0])) == set(option.findall(usage)) - {"-m", "-h"}
    assert re.search(rf"^ +{command} ", ok("--help"), re.MULTILINE)
