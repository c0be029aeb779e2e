"""The page Measure without a browser: what is asked, what comes of it, what is kept, and what is compared."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from augviz import calibration, memory, run_documents, runs
from augviz.begun import begin
from augviz.jobs import Job
from augviz.model import Pipeline, Step
from augviz.profiles import Failed, Profile
from augviz.runs import Run
from augviz.series import Figure
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import (
    measure_charts,
    measure_kept,
    measure_tables,
    memory_page,
    memory_tables,
    series_bar,
    upload_tab,
)
from augviz.ui.state import Explore
from augviz.uploads import get_uploads
from tests.live import ROOT
from tests.measured import elsewhere, estimate, failed, profile, run, step, throughput, times
from tests.samples import rgb

SHELL = ROOT / "augviz" / "ui" / "shell.py"
PAGE, EXPLORE, MEMORY = "../../pages/measure.py", "../../pages/explore.py", "../../pages/memory.py"

FLIP = Pipeline((Step("f", "HorizontalFlip", p=1.0), Step("b", "GaussianBlur", p=1.0)))
WIDE_MEDIAN = Pipeline(
    (
        Step("t", "ToDtype", (("dtype", "float"), ("scale", False)), p=1.0),
        Step("m", "MedianBlur", (("blur_limit", (7, 7)),), p=1.0),
    )
)
BROKEN = Pipeline(
    (Step("f", "HorizontalFlip", p=1.0), Step("c", "Crop", (("x_max", 90_000), ("y_max", 90_000)), p=1.0))
)


def visit(pipeline: Pipeline = FLIP, seed: int = 0, **session: Any) -> AppTest:
    """A visitor who comes from Explore, where this is shown."""
    app = AppTest.from_file(str(SHELL), default_timeout=60).run()
    app.session_state["explore"] = Explore(SourceRef("sample", "ihc"), pipeline, seed=seed)
    for name, value in session.items():
        app.session_state[name.replace("__", ".")] = value
    return app.switch_page(PAGE).run()


def ask(app: AppTest, question: str, repeats: int = 1) -> AppTest:
    """Choose a question, press the button, and wait for the answer."""
    app.segmented_control(key="measure.question").set_value(question).run()
    app.number_input(key="measure.repeats").set_value(repeats).run()
    app.button(key="measure.start").click().run()
    assert not app.exception
    assert app.session_state[series_bar.BEGUN].series.wait(300)
    return app.run()


def kept(app: AppTest) -> Sequence[Run]:
    if measure_kept.RUNS not in app.session_state:
        return ()
    found: Sequence[Run] = app.session_state[measure_kept.RUNS]
    return found


def tables(app: AppTest, column: str) -> list[Any]:
    return [table.value for table in app.table if column in table.value.columns]


def texts(app: AppTest) -> str:
    return "\n".join(
        element.value for kind in (app.markdown, app.caption, app.info, app.warning, app.error) for element in kind
    )


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings that a test changes are read again, and once more after it."""
    yield monkeypatch
    monkeypatch.undo()
    get_settings.cache_clear()


# Before anything is measured


def test_a_cold_page_tells_what_will_be_measured_and_about_how_long_it_takes() -> None:
    app = AppTest.from_file(str(SHELL), default_timeout=60).run().switch_page(PAGE).run()

    assert not app.exception
    assert not app.button(key="measure.start").disabled
    assert "How long the whole takes" in texts(app)
    assert "One run is estimated to take" in texts(app)
    assert "ended after 60 min" in texts(app)
    assert "Runs of this session" not in [title.value for title in app.subheader]


def test_a_pipeline_that_cannot_be_drawn_cannot_be_measured_and_its_step_is_named() -> None:
    app = visit(BROKEN)

    assert app.button(key="measure.start").disabled
    assert "step 2, Crop" in app.error[0].value
    assert "Nothing can be measured until that is changed" in app.error[0].value


def test_each_question_is_offered_and_says_what_it_asks() -> None:
    app = visit()

    for question in runs.QUESTIONS:
        app.segmented_control(key="measure.question").set_value(question).run()
        assert not app.exception
        assert not app.error


def test_the_seed_changes_the_draw_that_is_measured() -> None:
    app = visit()
    app.number_input(key="measure.seed").set_value(9).run()

    assert app.session_state["explore"].seed == 9


# Answers


def test_the_whole_is_measured_streamed_and_held_with_the_estimate_beside_it() -> None:
    app = ask(visit(), "whole", 2)
    [found] = kept(app)

    assert not app.exception
    assert [each.name for each in found.outcomes] == ["estimate", "stream", "hold"]
    assert [len(p.wall.values) for way in ("stream", "hold") if (p := found.profile(way))] == [2, 2]
    assert app.header[0].value.startswith("Streaming takes ")
    assert [metric.label for metric in app.metric][:2] == ["Wall time, streamed", "Processor time"]
    assert len(app.get("plotly_chart")) == 1
    [table] = tables(app, "Processor")
    assert list(table[""]) == ["Estimate", "Streamed to a file", "Held as an array"]
    assert (found.image, found.file, found.steps) == (
        "ihc.png",
        "the original file",
        ("HorizontalFlip", "GaussianBlur"),
    )

    key, measured = app.session_state[memory_page.MEASURED]
    stream, hold = found.profile("stream"), found.profile("hold")
    assert stream is not None
    assert hold is not None
    assert (key, measured) == (found.key, memory.Measured(stream.increase_bytes, hold.increase_bytes))


def test_steps_are_measured_and_told_with_the_image_after_them() -> None:
    app = ask(visit(), "steps")
    [table] = tables(app, "Share")

    assert not app.exception
    assert list(table["Step"]) == ["Reading", "1 HorizontalFlip", "2 GaussianBlur", "All"]
    assert table["Image after it"].iloc[0] == "512 × 512 × 3"
    assert "of the time" in app.header[0].value
    assert len(app.get("plotly_chart")) == 1


def test_a_way_that_is_not_possible_has_its_reason_and_the_others_stand() -> None:
    app = ask(visit(WIDE_MEDIAN), "ways")
    [found] = kept(app)

    assert isinstance(found.value("stream"), Profile)
    assert isinstance(found.value("memory"), Failed)
    assert any(
        "MedianBlur: OpenCV's has kernels above 5 on 8-bit images only." in warning.value for warning in app.warning
    )
    [table] = tables(app, "Processor")
    assert list(table["Time"])[3] == "–"


def test_a_figure_that_takes_longer_than_its_limit_has_that_as_its_reason(limits: pytest.MonkeyPatch) -> None:
    app = visit(Pipeline((Step("e", "ElasticTransform", p=1.0),)))
    limits.setenv("AUGVIZ_JOB_SECONDS", "1")
    get_settings.cache_clear()
    ask(app, "steps", 20)

    assert not app.exception
    assert kept(app) == ()
    assert any(w.value.startswith("Each step: ") and "its limit of 1 s" in w.value for w in app.warning)


def test_what_needs_more_memory_than_a_job_is_allowed_is_not_begun(limits: pytest.MonkeyPatch) -> None:
    app = visit()
    limits.setenv("AUGVIZ_JOB_MEMORY_BYTES", "700 kB")
    get_settings.cache_clear()
    ask(app, "whole")

    assert any("It holds 786 kB at once, and a job is allowed 700 kB" in warning.value for warning in app.warning)


def test_a_cancelled_series_says_so_and_keeps_no_run() -> None:
    app = visit()
    app.number_input(key="measure.repeats").set_value(20).run()
    app.button(key="measure.start").click().run()
    assert app.button(key="measure.start").disabled
    app.button(key="measure.cancel").click().run()

    assert not app.exception
    assert kept(app) == ()
    assert "It was cancelled" in texts(app)
    assert not app.button(key="measure.start").disabled


def test_an_answer_is_shown_only_for_what_was_measured() -> None:
    app = visit(measure__last={"whole": run("whole", key="another")}, measure__runs=(run("whole", key="another"),))

    assert not app.header
    assert "What was measured last was of another image, pipeline or seed" in texts(app)
    assert len(tables(app, "Answer")) == 1


def test_what_is_entered_stays_enabled_while_something_is_measured() -> None:
    app = visit()
    app.number_input(key="measure.repeats").set_value(7)
    app.button(key="measure.start").click().run()

    assert app.button(key="measure.start").disabled
    assert not app.number_input(key="measure.repeats").disabled
    assert not app.toggle(key="measure.hold").disabled

    app.button(key="measure.cancel").click().run()

    assert app.number_input(key="measure.repeats").value == 7


def test_costs_can_be_measured_here_and_nothing_else_meanwhile(tmp_path: Path, limits: pytest.MonkeyPatch) -> None:
    limits.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path))
    get_settings.cache_clear()
    app = visit()

    assert any("Costs are the catalogue's" in caption.value for caption in app.caption)

    app.button(key="transforms.calibration.start").click().run()
    job = calibration.running()
    assert job is not None
    assert app.button(key="measure.start").disabled

    app.button(key="transforms.calibration.cancel").click().run()
    job.wait(30)
    app.run()

    assert not app.button(key="measure.start").disabled


def test_a_bug_while_measuring_is_told_once_and_the_page_goes_on() -> None:
    def broken() -> Job:
        raise ValueError("nobody foresaw this")

    figures = [Figure("stream", "Streamed to a file", broken)]
    app = visit()
    begun = begin("whole", figures, run("whole"), "", get_uploads().open_session(), "", False)
    assert begun.series.wait(30)
    app.session_state[series_bar.BEGUN] = begun
    app.run()

    assert app.exception

    app.run()

    assert not app.exception
    assert not app.button(key="measure.start").disabled


def test_deleting_the_upload_that_is_read_ends_its_series() -> None:
    uploads = get_uploads()
    token = uploads.open_session()
    data = rgb(64, 48).pngsave_buffer()
    sent = asyncio.run(uploads.receive(token, "mine.png", len(data), arriving(data)))
    app = visit(measure__repeats=20)
    app.session_state[upload_tab.TOKEN] = token
    app.session_state["explore"] = Explore(SourceRef("upload", f"{token}/{sent.id}"), FLIP)
    app.run()
    app.button(key="measure.start").click().run()
    series = app.session_state[series_bar.BEGUN].series
    uploads.remove(token, sent.id)

    assert series.wait(30)
    assert series.is_cancelled


async def arriving(data: bytes) -> AsyncIterator[bytes]:
    yield data


# What is kept


def test_two_runs_are_compared() -> None:
    app = visit(measure__runs=(run("whole"), run("steps"), run("whole", profile("stream", 2.2))))
    [table] = tables(app, "Ratio")

    assert list(table.columns) == ["", "Run 1", "Run 3", "Ratio"]
    assert table["Ratio"].iloc[0] == "× 2"

    app.selectbox(key="measure.compare.one").set_value(2).run()
    assert tables(app, "Ratio") == []
    assert "no figure in common" in texts(app)

    app.selectbox(key="measure.compare.other").set_value(2).run()
    assert "Choose two different runs." in texts(app)


def test_runs_of_different_environments_are_not_compared_and_what_differs_is_said() -> None:
    app = visit(measure__runs=(run("whole"), elsewhere(run("whole"), libvips="8.19.0")))

    assert tables(app, "Ratio") == []
    assert "different environments (libvips); measure both again" in texts(app)
    assert tables(app, "Environment")[0]["Environment"].iloc[0].startswith("albumentationsxl 0.1.2, libvips 8.19.0")


def test_images_of_other_sizes_are_compared_with_a_word_about_it() -> None:
    small = ((0, run().source.__class__(100, 100, 3, "uchar")),)
    app = visit(measure__runs=(run("whole"), run("whole", shapes=small)))

    assert "The images differ (4000 × 3000 and 100 × 100)" in texts(app)


def test_two_runs_of_workers_are_compared_in_images_per_second() -> None:
    app = visit(
        measure__runs=(
            run("workers"),
            run("workers", throughput(2, 95.0, peak_bytes=None), image="slides", files=7),
        )
    )
    [table] = tables(app, "Ratio")

    assert table.values.tolist() == [
        ["2 workers, 1 thread, speed", "190 images/s", "95 images/s", "× 0.5"],
        ["2 workers, 1 thread, speed", "380 MP/s", "190 MP/s", "× 0.5"],
        ["2 workers, 1 thread, memory", "300 MB", "unknown", "–"],
    ]
    assert "The images differ: compare their speed in MP/s." in texts(app)
    [rows] = tables(app, "Answer")
    assert list(rows["Image"]) == ["slides, 7 images", "slide.tif, 4000\u00a0×\u00a03000"]
    assert list(rows["Measured"]) == ["Workers", "Workers"]


def test_a_new_run_is_compared_with_the_last_of_its_question() -> None:
    app = visit(measure__runs=(run("whole"), run("steps"), run("ways")))
    assert (app.selectbox(key="measure.compare.one").value, app.selectbox(key="measure.compare.other").value) == (2, 3)

    app.session_state[measure_kept.RUNS] = (*kept(app), run("whole"))
    app.run()
    assert (app.selectbox(key="measure.compare.one").value, app.selectbox(key="measure.compare.other").value) == (1, 4)


def test_runs_survive_other_pages_and_so_does_what_was_entered() -> None:
    app = visit(measure__runs=(run("whole"),))
    app.number_input(key="measure.repeats").set_value(7).run()
    app.switch_page(EXPLORE).run()
    app.switch_page(PAGE).run()

    assert app.number_input(key="measure.repeats").value == 7
    assert len(tables(app, "Answer")) == 1


# Charts and tables


def test_every_figure_of_a_chart_stands_in_its_table_too() -> None:
    found = run("steps", estimate(), times(step(1, "RandomCrop", -0.5, spread=0.1), step(2, "HEDShift", 1.0)))
    assert found.step_times is not None
    figure = measure_charts.steps(found, found.step_times)
    rows = measure_tables.step_rows(found, found.step_times)

    assert list(figure.data[0].y) == ["Reading", "1 RandomCrop", "2 HEDShift"]
    assert list(figure.data[0].customdata) == ["200 ms · 17 %", "saves 500 ms", "1 s · 83 %"]
    assert [(row["Time"], row["Share"]) for row in rows] == [
        ("200 ms", "17 %"),
        ("−500 ms", "saves"),
        ("1 s", "83 %"),
        ("700 ms", "100 %"),
    ]


def test_the_chart_of_ways_marks_the_estimate_and_what_could_not_be_measured() -> None:
    found = run("ways", estimate(), profile(), failed("hold", "No room."))
    figure = measure_charts.ways(found)

    assert list(figure.data[0].y) == ["Streamed to a file", "Held as an array"]
    assert list(figure.data[0].customdata) == ["1.1 s", "not measured"]
    assert [trace.name for trace in figure.data if trace.type == "scatter" and trace.mode == "markers"] == [
        "Estimate",
        "Estimate",
    ]
    assert "Held as an array not measured" in measure_charts.ways_text(found)


def test_what_can_be_downloaded_is_what_was_measured() -> None:
    found = [run("whole"), run("ways")]
    rows = list(csv.DictReader(io.StringIO(memory_tables.csv_text(run_documents.runs_csv_rows(found)))))

    assert len(json.loads(run_documents.runs_json(found))["runs"]) == 2
    assert len(rows) == 7
