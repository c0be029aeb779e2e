"""Runs as JSON and CSV: everything that was measured is in them, and what is missing is empty."""

from __future__ import annotations

import csv
import io
import json

from augviz import run_documents
from augviz.ui.memory_tables import csv_text
from tests.measured import elsewhere, failed, profile, run, throughput


def test_json_holds_image_pipeline_seed_every_repeat_and_the_environment() -> None:
    [found] = json.loads(run_documents.runs_json([run("ways")]))["runs"]
    stream = next(figure for figure in found["figures"] if figure["name"] == "stream")

    assert found["image"] == {
        "name": "slide.tif",
        "read": "the original file",
        "width": 4000,
        "height": 3000,
        "bands": 3,
        "dtype": "uint8",
    }
    assert (found["pipeline"]["steps"], found["seed"]) == ([{"transform": "Rotate"}], 7)
    assert (stream["kind"], stream["wall_seconds"], stream["peak_bytes"]) == ("profile", [1.0, 1.1, 1.2], 148_000_000)
    assert found["environment"] == {"libvips": "8.18.7", "albumentationsxl": "0.1.2", "threads": 2}


def test_json_holds_each_steps_time_and_the_image_after_it() -> None:
    [found] = json.loads(run_documents.runs_json([run("steps")]))["runs"]
    steps = next(figure for figure in found["figures"] if figure["kind"] == "steps")["steps"]

    assert [one["transform"] for one in steps] == ["Rotate", "HEDShift", "Normalize"]
    assert (steps[1]["seconds"], steps[1]["dtype"], steps[1]["bytes"]) == (0.71, "uint8", 36_000_000)
    assert (steps[2]["applied"], steps[2]["dtype"], steps[2]["bytes"]) == (False, "float32", 144_000_000)


def test_json_holds_the_reason_of_what_failed() -> None:
    [found] = json.loads(run_documents.runs_json([run("whole", profile(), failed("hold", "No room."))]))["runs"]

    assert found["figures"][1] == {
        "name": "hold",
        "title": "Held as an array",
        "kind": "failed",
        "reason": "No room.",
        "cancelled": False,
    }


def test_json_holds_every_rate_and_all_memory_of_workers() -> None:
    [found] = json.loads(run_documents.runs_json([run("workers", throughput(2, 1.0, 3.0))]))["runs"]

    assert found["figures"] == [
        {
            "name": "2",
            "title": "Loading by 2",
            "kind": "throughput",
            "workers": 2,
            "batch": 4,
            "threads": 1,
            "by_torch": False,
            "rates": [1.0, 3.0],
            "unstable": True,
            "megapixels_per_image": 2.0,
            "cpu_seconds_per_image": 0.1,
            "batches": 9,
            "listed": 1,
            "peak_bytes": 300_000_000,
            "pss_bytes": 200_000_000,
        }
    ]
    assert found["environment"]["libvips"] == "8.18.7"


def test_the_images_of_a_folder_have_their_number_and_not_the_size_of_the_one_that_was_shown() -> None:
    found = run("workers", image="slides", file="the images of a folder, in turn", files=7)
    [document] = json.loads(run_documents.runs_json([found]))["runs"]

    assert document["image"] == {"name": "slides", "read": "the images of a folder, in turn", "files": 7}
    assert {(row["image"], row["width"], row["bands"]) for row in run_documents.runs_csv_rows([found])} == {
        ("slides", None, None)
    }


def test_csv_has_images_per_second_for_each_number_of_workers() -> None:
    rows = run_documents.runs_csv_rows([run("workers"), run("whole", profile())])

    names = ("workers", "threads", "batch", "images_per_second", "memory_bytes", "repeats")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (1, 1, 4, 100.0, 300_000_000, 1),
        (2, 1, 4, 190.0, 300_000_000, 3),
        (3, 1, 4, 196.0, 300_000_000, 1),
        (None, None, None, None, 48_000_000, 3),
    ]
    assert all(row["seconds_low"] is row["seconds"] is row["seconds_high"] is None for row in rows[:3])


def test_csv_has_a_row_for_each_figure_and_each_step_that_was_applied() -> None:
    text = csv_text(run_documents.runs_csv_rows([run("whole"), run("steps")]))
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [(row["question"], row["figure"], row["step"]) for row in rows] == [
        ("whole", "Estimate", ""),
        ("whole", "Streamed to a file", ""),
        ("whole", "Held as an array", ""),
        ("steps", "Estimate", ""),
        ("steps", "Each step", "0 reading"),
        ("steps", "Each step", "1 Rotate"),
        ("steps", "Each step", "2 HEDShift"),
    ]
    assert (rows[1]["seconds"], rows[1]["seconds_high"], rows[1]["memory_bytes"]) == ("1.1", "1.2", "48000000")
    assert rows[6]["seconds"] == "0.71"
    assert all(row["env_libvips"] == "8.18.7" for row in rows)


def test_csv_has_the_columns_of_all_environments() -> None:
    rows = run_documents.runs_csv_rows([run("whole", profile()), elsewhere(run("whole", profile()), memory="VmHWM")])

    assert [row["env_memory"] for row in rows] == [None, "VmHWM"]
    assert len({tuple(row) for row in rows}) == 1


def test_csv_has_the_reason_of_what_failed_and_leaves_its_numbers_empty() -> None:
    [row] = run_documents.runs_csv_rows([run("whole", failed("stream", "The library crashed."))])

    assert (row["reason"], row["seconds"], row["memory_bytes"]) == ("The library crashed.", None, None)
