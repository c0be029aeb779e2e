"""Measure's question about workers, in a page of its own: what is asked, measured by real processes, and answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz import run_words
from augviz.model import Pipeline, Step
from augviz.runs import Run
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import measure_kept, measure_loader, series_bar
from augviz.ui.loader_answer import Result
from augviz.ui.state import first
from tests.live import until
from tests.samples import rgb

CROP = Pipeline((Step("a1", "RandomCrop", (("height", 32), ("width", 32)), 1.0),))


def page() -> None:
    from augviz.ui import measure_loader, scene

    now, trouble = scene.current()
    if trouble is not None:
        raise trouble
    measure_loader.show(now, scene.shown(now))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two images of two sizes. Allowed is the folder above it, in which there is also a folder with what is no image."""
    allowed = tmp_path_factory.mktemp("allowed")
    found = allowed / "good"
    found.mkdir()
    rgb(96, 80).write_to_file(str(found / "a.png"))
    rgb(64, 64).write_to_file(str(found / "b.png"))
    (allowed / "bad").mkdir()
    (allowed / "bad" / "none.png").write_bytes(b"no image")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUGVIZ_FOLDERS", str(allowed))
        get_settings.cache_clear()
        yield found
    get_settings.cache_clear()


def visit(folder: Path, pipeline: Pipeline = CROP, **widgets: object) -> AppTest:
    app = AppTest.from_function(page, default_timeout=120)
    source = SourceRef("path", str(folder / "a.png"))
    app.session_state["explore"] = replace(first(), source=source, pipeline=pipeline)
    app.run()
    assert not app.exception
    for name, value in widgets.items():
        app.number_input(key=f"measure.workers.{name}").set_value(value)
    return app


def started(app: AppTest) -> AppTest:
    app.button(key="measure.workers.start").click().run()
    assert not app.exception
    return app


def ended(app: AppTest) -> AppTest:
    assert app.session_state[series_bar.BEGUN].series.wait(300)
    app.run()
    assert not app.exception
    return app


def result(app: AppTest) -> Result:
    found: Result = app.session_state[measure_loader.RESULT]
    return found


def kept(app: AppTest) -> tuple[Run, ...]:
    if measure_kept.RUNS not in app.session_state:
        return ()
    found: tuple[Run, ...] = app.session_state[measure_kept.RUNS]
    return found


def said(app: AppTest) -> str:
    return "\n".join([*(each.value for each in app.markdown), *(each.value for each in app.caption)])


@pytest.fixture(scope="module")
def measured(folder: Path) -> AppTest:
    """After two workers were measured, in batches of two."""
    return ended(started(visit(folder, most=2, batch=2, seconds=1)))


def test_one_thread_is_proposed_and_its_reason_stands_beside_it(folder: Path) -> None:
    threads = visit(folder).number_input(key="measure.workers.threads")

    assert threads.value == 1
    assert "workers share the cores already" in threads.help


def test_the_answer_has_a_sentence_a_chart_a_table_and_the_settings(measured: AppTest) -> None:
    found = result(measured)

    assert [point.workers for point in found.points] == [1, 2]
    assert "scaling at" in said(measured)
    assert "images per second" in measured.get("plotly_chart")[0].proto.alt.lower()
    assert list(measured.table[0].value["Workers"]) == ["1", "2"]
    assert "num_workers=" in measured.code[0].value
    assert 'os.environ["VIPS_CONCURRENCY"] = "1"' in measured.code[0].value
    assert "without PyTorch: worker processes of our own" in said(measured)


def test_memory_is_computed_beside_what_was_measured(measured: AppTest) -> None:
    found = result(measured)

    assert set(found.computed) == {(1, 1), (2, 1)}
    assert found.computed[2, 1].computed > found.computed[1, 1].computed
    assert all("%" in text for text in measured.table[0].value["Computed"])


def test_what_was_measured_is_a_run_of_the_session(measured: AppTest) -> None:
    found = kept(measured)[0]

    assert (found.question, found.image, found.file, found.files) == ("workers", "a.png", "the original file", 0)
    assert [each.workers for each in found.throughputs] == [1, 2]
    assert [each.title for each in found.outcomes] == ["Loading by 1 worker", "Loading by 2 workers"]
    assert "scaling at" in run_words.sentence(found)
    assert found.key == result(measured).subject.key


def test_another_number_of_threads_is_added_to_the_same_chart(measured: AppTest) -> None:
    measured.number_input(key="measure.workers.threads").set_value(2)
    measured.number_input(key="measure.workers.most").set_value(1)
    ended(started(measured))

    assert [(point.workers, point.threads) for point in result(measured).points] == [(1, 1), (2, 1), (1, 2)]
    assert "With 2 threads each: Measure more workers" in said(measured)
    assert [[(p.workers, p.threads) for p in run.throughputs] for run in kept(measured)] == [[(1, 1), (2, 1)], [(1, 2)]]


def test_images_of_a_folder_are_loaded_in_turn(folder: Path) -> None:
    app = visit(folder, Pipeline(()), most=1, batch=2, seconds=1)
    app.segmented_control(key="measure.workers.source").set_value(measure_loader.FOLDER).run()
    assert app.text_input(key="measure.workers.folder").value == str(folder)
    ended(started(app))

    (point,) = result(app).points
    assert point.listed == point.batches > 0
    assert point.megapixels_per_image == pytest.approx((96 * 80 + 64 * 64) / 2e6)
    assert "2 files of" in said(app)
    assert "collate_fn=list" in app.code[0].value
    (run,) = kept(app)
    assert (run.image, run.file, run.files) == ("good", "the images of a folder, in turn", 2)


def test_a_folder_that_is_not_allowed_is_refused(folder: Path, tmp_path: Path) -> None:
    app = visit(folder)
    app.segmented_control(key="measure.workers.source").set_value(measure_loader.FOLDER).run()
    app.text_input(key="measure.workers.folder").set_value(str(tmp_path)).run()
    started(app)

    assert "not below the folders" in app.error[0].value
    assert series_bar.BEGUN not in app.session_state


def test_what_runs_can_be_cancelled(folder: Path) -> None:
    app = started(visit(folder, most=2, seconds=60))
    series = app.session_state[series_bar.BEGUN].series
    until(lambda: series.progress.stage == "loading", 120)
    app.run()
    assert app.button(key="measure.workers.start").disabled
    app.button(key="measure.cancel").click().run()

    assert series.wait(60)
    app.run()
    assert not app.exception
    assert "Cancelled" in app.info[0].value
    assert not result(app).points
    assert not kept(app)


def test_what_could_not_be_measured_says_why(folder: Path) -> None:
    app = visit(folder, most=1, seconds=1)
    app.segmented_control(key="measure.workers.source").set_value(measure_loader.FOLDER).run()
    app.text_input(key="measure.workers.folder").set_value(str(folder.parent / "bad")).run()
    ended(started(app))

    assert "Loading by 1 worker could not be measured." in app.error[0].value
    assert "none.png" in app.error[0].value
    assert not kept(app)


def test_a_draw_that_cannot_be_made_is_not_measured(folder: Path) -> None:
    failing = Pipeline((Step("a1", "Crop", (("x_max", 5000), ("y_max", 5000)), 1.0),))
    app = visit(folder, failing)

    assert "Crop" in app.info[0].value
    assert not any(button.key == "measure.workers.start" for button in app.button)
