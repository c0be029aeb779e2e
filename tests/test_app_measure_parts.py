"""Sources and What if of Measure, each alone: the question, the refusals, the answer, and the order that is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from streamlit.testing.v1 import AppTest

from augviz import sources, sources_compared, what_ifs
from augviz.model import Header, InputChoice, Pipeline, Step
from augviz.profiles import Failed, Profile, Repeats
from augviz.runs import Run
from augviz.settings import get_settings
from augviz.sources_compared import Row, Subject, Window
from augviz.ui import gate, measure_kept, measure_sources, measure_what_if, series_bar, upload_tab
from augviz.ui.state import Explore, first
from augviz.uploads import get_uploads
from tests import samples
from tests.folders import below
from tests.live import until

SCRIPT = Path(__file__).with_name("measure_part.py")

NORMALIZE = Step("n", "Normalize", (("mean", (0.5,) * 3), ("std", (0.5,) * 3)), 1.0)
BLUR = Step("b", "Blur", (), 1.0)
FLIP = Step("f", "HorizontalFlip", (), 1.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uploads: None) -> Path:
    """Images and files of visitors are in a folder of the test."""
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    monkeypatch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path / "cache"))
    return tmp_path


def visit(part: str, pipeline: Pipeline, path: Path | None = None) -> AppTest:
    if path is None:
        path = Path(get_settings().folders[0]) / "photo.png"
        samples.rgb(96, 64).pngsave(str(path))
    app = AppTest.from_file(str(SCRIPT), default_timeout=120)
    app.session_state["part"] = part
    app.session_state["explore"] = replace(first(), source=sources.SourceRef("path", str(path)), pipeline=pipeline)
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def click(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def said(app: AppTest) -> str:
    elements = (*app.markdown, *app.caption, *app.header, *app.info, *app.warning, *app.error)
    return "\n".join(element.value for element in elements).replace("\\", "")


def of_one_visitor(count: int) -> list[AppTest]:
    """Pages that the same visitor has opened."""
    apps = [visit("measure_what_if", Pipeline((BLUR, FLIP))) for _ in range(count)]
    for app in apps:
        app.session_state[gate.KEY] = "the same visitor"
    return apps


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def state(app: AppTest) -> Explore:
    found: Explore = app.session_state["explore"]
    return found


def files(folder: Path) -> list[Path]:
    return below(folder / "cache" / "uploads")


def profile(*wall: float) -> Profile:
    return Profile("stream", Repeats(wall), Repeats(wall), 1.0, 1_300_000, 1_000_000, (("libvips", "8.17"),))


# Sources


def test_what_a_comparison_takes_is_told_before_the_start(folder: Path) -> None:
    app = visit("measure_sources", Pipeline((FLIP,)))

    assert "so only time and memory are compared" in said(app)
    assert "(est.) and up to" in said(app)
    assert not app.button(key="measure.sources.start").disabled


def test_forms_that_cannot_hold_the_image_are_named_with_the_reason(folder: Path) -> None:
    path = folder / "five.tif"
    pyvips.Image.new_from_array(np.zeros((40, 50, 5), np.uint16)).tiffsave(str(path))
    app = visit("measure_sources", Pipeline((FLIP,)), path)

    assert "JPEG is left out: JPEG holds values of 8 bit without a sign; this image has ushort of 16 bit." in said(app)
    assert "PNG is left out: PNG holds 1 to 4 bands" in said(app)


def test_a_comparison_beyond_the_quota_cannot_be_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit("measure_sources", Pipeline((FLIP,)))
    monkeypatch.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1 kB")
    get_settings.cache_clear()
    run(app)

    assert app.button(key="measure.sources.start").disabled
    assert "files of at most 1 kB are written here" in said(app)


def test_a_comparison_shows_how_far_it_is_and_leaves_nothing_when_it_is_cancelled(folder: Path) -> None:
    app = visit("measure_sources", Pipeline((FLIP,)))
    click(app, "measure.sources.start")
    begun = app.session_state[series_bar.BEGUN]

    assert app.button(key="measure.sources.start").disabled
    assert begun.asked.subject.name == "photo.png"

    click(app, "measure.cancel")
    assert begun.series.wait(30)
    run(app)

    assert "Cancelled; the files are removed" in said(app)
    assert series_bar.BEGUN not in app.session_state
    assert "measure.cancel" not in keys(app)
    assert not app.button(key="measure.sources.start").disabled
    until(lambda: not files(folder))


def test_a_comparison_is_given_up_with_its_visitor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit("measure_sources", Pipeline((FLIP,)))
    click(app, "measure.sources.start")
    series = app.session_state[series_bar.BEGUN].series
    uploads = get_uploads()
    uploads.release(app.session_state[upload_tab.TOKEN])
    monkeypatch.setattr(uploads, "grace_seconds", -1.0)
    uploads.sweep()

    assert series.wait(30)
    assert series.is_cancelled
    assert not files(folder)


def test_a_pipeline_that_cannot_be_drawn_cannot_be_compared() -> None:
    app = visit("measure_sources", Pipeline((Step("c", "CenterCrop", (("height", 9000), ("width", 9000)), 1.0),)))

    assert "measure.sources.start" not in keys(app)
    assert "CenterCrop" in said(app)


def compared(key: str = "") -> measure_sources.Result:
    """A comparison that was made."""
    subject = Subject(
        "/x/a.jpg", "a.jpg", "JPEG", "jpegload", Header(9000, 9000, 3, "uchar", "srgb"), Pipeline(), 0, 1.0, 2
    )
    window = Window(Repeats((1.9, 2.0)), (0, 0, 512, 512), 2_000_000, 1_000_000)
    quick = Window(Repeats((0.006,)), (0, 0, 512, 512), 2_000_000, 1_000_000)
    lost = Failed("PNG was not written.")
    made = (
        Row("own", "This JPEG", 10**7, 243_000_000, profile(3.0, 3.2), window, ""),
        Row("png", "PNG", None, 243_000_000, lost, lost, "vips pngsave a.jpg a-png.png"),
        Row(
            "pyramid",
            "Tiled pyramid",
            10**8,
            243_000_000,
            profile(2.0, 2.2),
            quick,
            "vips tiffsave a.jpg a-pyramid.tif",
        ),
    )
    return measure_sources.Result(key, subject, made)


def test_the_answer_is_a_sentence_a_chart_a_table_and_the_commands() -> None:
    app = visit("measure_sources", Pipeline((FLIP,)))
    app.session_state[measure_sources.RESULT] = compared()
    run(app)

    assert "Reading this JPEG costs 1.95 s before the first window is there; a tiled pyramid gives it in" in said(app)
    assert [code.value for code in app.code] == ["vips tiffsave a.jpg a-pyramid.tif", "vips pngsave a.jpg a-png.png"]
    table = app.table[0].value
    assert list(table["Form"]) == ["This JPEG", "PNG", "Tiled pyramid"]
    assert list(table["Whole"]) == ["3.1 s (spread 200 ms)", "–", "2.1 s (spread 200 ms)"]
    assert list(table["MB/s"]) == ["78.4", "–", "116"]
    assert list(table[""]) == ["", "PNG was not written.", ""]
    assert "Another image, pipeline or seed is shown now." in said(app)
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("download_button")) == 1


def test_what_a_series_has_brought_is_kept_also_for_the_table_of_runs(folder: Path) -> None:
    app = visit("measure_sources", Pipeline((FLIP,)))
    click(app, "measure.sources.start")
    begun = app.session_state[series_bar.BEGUN]
    until(lambda: "own.whole" in begun.series.outcomes, 120)
    begun.series.cancel()
    assert begun.series.wait(30)
    run(app)

    result = app.session_state[measure_sources.RESULT]
    [kept] = app.session_state[measure_kept.RUNS]
    assert isinstance(kept, Run)
    assert (kept.question, kept.image, kept.file) == ("sources", "photo.png", "the original file")
    assert kept.profile("stream") == result.rows[0].whole
    assert series_bar.BEGUN not in app.session_state


# What if


def options(app: AppTest) -> list[str]:
    return list(app.selectbox(key=measure_what_if.VARIANT).options)


def test_the_most_telling_variant_is_chosen_at_first() -> None:
    app = visit("measure_what_if", Pipeline((NORMALIZE, BLUR)))

    assert app.selectbox(key=measure_what_if.VARIANT).value == "n last"
    assert options(app) == ["Normalize (step 1) last", "Without Normalize (step 1)", "Without Blur (step 2)"]


def test_a_variant_that_cannot_be_drawn_says_why_and_cannot_be_measured() -> None:
    resize = Step("r", "Resize", (("height", 300), ("width", 300)), 1.0)
    crop = Step("c", "CenterCrop", (("height", 200), ("width", 200)), 1.0)
    app = visit("measure_what_if", Pipeline((resize, crop)))

    assert app.selectbox(key=measure_what_if.VARIANT).value == "without r"
    assert app.button(key="measure.whatif.start").disabled
    assert "Without Resize (step 1): step 1, CenterCrop: " in said(app)

    app.selectbox(key=measure_what_if.VARIANT).set_value("without c").run()

    assert not app.button(key="measure.whatif.start").disabled


def test_a_choice_that_the_pipeline_no_longer_has_gives_way() -> None:
    app = visit("measure_what_if", Pipeline((BLUR, FLIP)))
    app.selectbox(key=measure_what_if.VARIANT).set_value("without f").run()
    app.session_state["explore"] = replace(state(app), pipeline=Pipeline((BLUR,)))
    run(app)

    assert app.selectbox(key=measure_what_if.VARIANT).value == "without b"


def test_a_pipeline_without_steps_has_nothing_to_ask() -> None:
    app = visit("measure_what_if", Pipeline())

    assert "no step that could be left out or moved" in said(app)


def test_both_are_measured_in_turn_and_the_order_is_taken_and_undone() -> None:
    original = Pipeline((NORMALIZE, BLUR, FLIP))
    app = visit("measure_what_if", original)
    app.number_input(key=measure_what_if.REPEATS).set_value(1).run()
    click(app, "measure.whatif.start")
    series = app.session_state[series_bar.BEGUN].series

    assert [figure.name for figure in series.figures] == ["before.1", "after.1", "after.2", "before.2"]
    assert series.wait(180)
    run(app)

    result = app.session_state[measure_what_if.RESULT]
    assert len(result.before.wall.values) == len(result.after.wall.values) == 2
    assert next(header.value for header in app.header).startswith("Normalize (step 1) last: ")
    assert list(app.table[0].value["Repeats"]) == ["2", "2"]
    runs = app.session_state[measure_kept.RUNS]
    assert [one.steps for one in runs] == [
        ("Normalize", "Blur", "HorizontalFlip"),
        ("Blur", "HorizontalFlip", "Normalize"),
    ]

    click(app, "measure.whatif.take")

    assert state(app).pipeline == Pipeline((BLUR, FLIP, NORMALIZE))
    assert state(app).past[-1] == original
    assert "measure.whatif.take" not in keys(app)


def answered(original: Pipeline, before: Profile | Failed, after: Profile | Failed) -> measure_what_if.Result:
    return measure_what_if.Result(original, what_ifs.variants(original)[0], "", before, after)


def show_answer(original: Pipeline, before: Profile | Failed, after: Profile | Failed) -> AppTest:
    app = visit("measure_what_if", original)
    app.session_state[measure_what_if.RESULT] = answered(original, before, after)
    return run(app)


def test_a_difference_within_the_spread_is_said_to_be_none() -> None:
    app = show_answer(Pipeline((NORMALIZE, BLUR)), profile(1.0, 1.4), profile(1.1, 1.2))

    assert "Normalize (step 1) last: no difference beyond the spread" in said(app)
    assert "Unstable: the repeats of “As it is”" in said(app)
    assert app.button(key="measure.whatif.take").label == "Take this order"


def test_a_side_that_failed_is_a_sentence_and_a_variant_that_was_measured_can_be_taken_all_the_same() -> None:
    app = show_answer(Pipeline((BLUR,)), Failed("It takes too long."), profile(1.0))

    assert "As it is: It takes too long." in said(app)
    assert not app.table
    assert app.button(key="measure.whatif.take").label == "Take it without this step"


def test_a_variant_that_failed_is_not_offered() -> None:
    app = show_answer(Pipeline((BLUR,)), profile(1.0), Failed("It takes too long."))

    assert "Without Blur (step 1): It takes too long." in said(app)
    assert "measure.whatif.take" not in keys(app)


@pytest.mark.parametrize(("part", "name"), [("measure_sources", "sources"), ("measure_what_if", "whatif")])
def test_a_number_entered_with_the_click_is_what_is_measured_and_stays(part: str, name: str) -> None:
    app = visit(part, Pipeline((BLUR, FLIP)))
    app.number_input(key=f"measure.{name}.repeats").set_value(6)
    click(app, f"measure.{name}.start")
    begun = app.session_state[series_bar.BEGUN]
    click(app, "measure.cancel")

    measured = begun.asked.subject.repeats if name == "sources" else begun.series.figures[0].start.args[2]
    assert measured == 6
    assert app.number_input(key=f"measure.{name}.repeats").value == 6


@pytest.mark.parametrize(("part", "name"), [("measure_sources", "sources"), ("measure_what_if", "whatif")])
def test_numbers_can_be_entered_while_something_is_measured(part: str, name: str) -> None:
    app = visit(part, Pipeline((BLUR, FLIP)))
    click(app, f"measure.{name}.start")

    assert app.button(key=f"measure.{name}.start").disabled
    assert not app.number_input(key=f"measure.{name}.repeats").disabled

    click(app, "measure.cancel")


def test_an_answer_to_another_pipeline_cannot_be_taken() -> None:
    app = show_answer(Pipeline((NORMALIZE, BLUR)), profile(1.0), profile(2.0))
    app.session_state["explore"] = replace(state(app), pipeline=Pipeline((FLIP, BLUR)))
    run(app)

    assert "Another pipeline is shown now." in said(app)
    assert "measure.whatif.take" not in keys(app)


def test_two_visitors_who_measure_at_once_are_told() -> None:
    one, other = (visit("measure_what_if", Pipeline((BLUR, FLIP))) for _ in range(2))
    click(one, "measure.whatif.start")

    assert series_bar.BESIDE not in said(one)

    click(other, "measure.whatif.start")

    assert series_bar.BESIDE in said(other)

    click(other, "measure.cancel")
    click(one, "measure.cancel")


def test_what_a_visitor_began_before_the_page_was_loaded_anew_is_shown_and_can_be_cancelled() -> None:
    one, anew = of_one_visitor(2)
    click(one, "measure.whatif.start")
    run(anew)
    series = one.session_state[series_bar.BEGUN].series

    assert anew.button(key="measure.whatif.start").disabled
    assert series_bar.BESIDE not in said(anew)

    click(anew, "measure.cancel")

    assert series.is_cancelled
    assert not series.is_running


def test_what_a_visitor_began_before_the_page_was_loaded_anew_goes_on_and_brings_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, anew = of_one_visitor(2)
    other = visit("measure_what_if", Pipeline((BLUR, FLIP)))
    other.session_state[gate.KEY] = "somebody else"
    one.number_input(key=measure_what_if.REPEATS).set_value(1).run()
    click(one, "measure.whatif.start")
    series = one.session_state[series_bar.BEGUN].series
    run(anew)
    uploads = get_uploads()
    uploads.release(one.session_state[upload_tab.TOKEN])
    monkeypatch.setattr(uploads, "grace_seconds", -1.0)
    uploads.sweep()
    assert series.wait(240)
    run(anew)
    run(other)

    assert not uploads.is_known(one.session_state[upload_tab.TOKEN])

    result = anew.session_state[measure_what_if.RESULT]
    assert isinstance(result.before, Profile)
    assert len(anew.session_state[measure_kept.RUNS]) == 2
    assert "measure.whatif.take" in keys(anew)
    assert measure_what_if.RESULT not in other.session_state

    run(anew)

    assert len(anew.session_state[measure_kept.RUNS]) == 2


def test_a_comparison_of_nothing_says_so() -> None:
    app = visit("measure_sources", Pipeline((BLUR,)))
    result = compared()
    rows = tuple(replace(row, whole=Failed("It ran out of memory.")) for row in result.rows)
    app.session_state[measure_sources.RESULT] = replace(result, rows=rows)
    run(app)

    assert "Nothing could be compared; the reasons stand in the table." in said(app)


def test_a_series_of_somebody_else_is_shown_and_blocks() -> None:
    app = visit("measure_what_if", Pipeline((BLUR, FLIP)))
    click(app, "measure.whatif.start")
    app.session_state["part"] = "measure_sources"
    run(app)

    assert app.button(key="measure.sources.start").disabled
    assert "measure.cancel" in keys(app)

    click(app, "measure.cancel")
    app.session_state["part"] = "measure_what_if"
    until(lambda: not app.session_state[series_bar.BEGUN].series.is_running)
    run(app)

    assert "As it is: It was cancelled." in said(app)


def test_a_choice_of_input_is_part_of_what_is_compared(folder: Path) -> None:
    path = folder / "pages.tif"
    page = samples.rgb(96, 64)
    pyvips.Image.arrayjoin([page, page.invert()], across=1).tiffsave(str(path), page_height=64)
    app = visit("measure_sources", Pipeline((FLIP,), InputChoice(page=1)), path)
    click(app, "measure.sources.start")
    subject = app.session_state[series_bar.BEGUN].asked.subject
    click(app, "measure.cancel")

    assert subject.pipeline.input == InputChoice(page=1)
    assert sources_compared.needed_bytes(subject) > 0
