"""The page Memory without a browser: what is entered, what is answered, in which unit, and what an address restores."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from augviz import link, machine, memory
from augviz.errors import ArgumentError
from augviz.machine import Machine
from augviz.model import Pipeline, Step
from augviz.sources import SourceRef
from augviz.ui import (
    address,
    desk,
    memory_address,
    memory_answers,
    memory_charts,
    memory_grid,
    memory_page,
    memory_tables,
    memory_ticks,
)
from augviz.ui.memory_inputs import ROWS, Inputs, Row, Value
from augviz.ui.state import Explore
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"
PAGE, EXPLORE = "../../pages/memory.py", "../../pages/explore.py"
GB = 10**9
OTHER_UNIT = {"GB": r"\b[KMGT]iB\b", "GiB": r"\b[kMGT]B\b"}


def visit(**parameters: object) -> AppTest:
    """A visitor who comes to the page by an address."""
    app = AppTest.from_file(str(SHELL), default_timeout=60).run().switch_page(PAGE)
    for name, value in parameters.items():
        app.query_params[name] = str(value)
    return app.run()


def entered(app: AppTest) -> Inputs:
    found: Inputs = app.session_state["memory"]
    return found


def headline(app: AppTest) -> str:
    assert not app.exception
    text: str = app.header[0].value
    return text.split(": ", 1)[1]


def shown_parameters(app: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}


def elements(block: Any) -> Iterator[Any]:
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from elements(child)
        else:
            yield child


def everything(app: AppTest) -> dict[str, str]:
    """All that the page holds, charts with their hover texts included, by place and kind; without the switch of units."""
    found = {}
    for number, element in enumerate(elements(app.main)):
        if getattr(element, "key", None) != "memory.unit":
            found[f"{number} {element.type}"] = str(element.proto)
    return found


def answer(app: AppTest) -> list[str]:
    """What changes with the inputs: the sentence, the answers, the tables, the charts."""
    kinds = ("heading", "metric", "table", "plotly_chart", "arrow_table")
    return [text for name, text in everything(app).items() if any(kind in name for kind in kinds)]


# Inputs


CHANGES: dict[str, tuple[dict[str, object], Value]] = {
    "source": ({}, "image"),
    "width": ({}, 4096),
    "height": ({}, 4096),
    "bands": ({}, 1),
    "dtype": ({}, "uint8"),
    "batch": ({}, 3),
    "workers": ({}, 2),
    "prefetch": ({}, 5),
    "pinned": ({}, True),
    "persistent": ({}, True),
    "start": ({}, "spawn"),
    "threads": ({}, 16),
    "gpu": ({}, "a100-80"),
    "gpu_bytes": ({"gpu": "own"}, 5 * GB),
    "tensor": ({}, "float16"),
    "tiles": ({"tensor": "uint8"}, "float32"),
    "tile": ({"tensor": "uint8"}, 512),
    "machine": ({}, "server-1024"),
    "machine_bytes": ({"machine": "own"}, 5 * GB),
    "unit": ({}, "GiB"),
    "lines": ({}, "all"),
}
"""For each input what the address asks for before, and another value."""


def test_every_input_is_tried() -> None:
    assert set(CHANGES) == set(ROWS)


@pytest.mark.parametrize("name", CHANGES)
def test_every_input_changes_the_answer_and_the_address(name: str) -> None:
    before, value = CHANGES[name]
    app = visit(**before)
    old = answer(app)
    widget = app.get_by_key(f"memory.{name}")
    widget.set_value(value / GB if name.endswith("_bytes") else value).run()  # type: ignore[operator]

    assert getattr(entered(app), name) == value
    assert answer(app) != old
    assert shown_parameters(app)[ROWS[name].parameter] == ROWS[name].text(value)
    assert not app.exception


@pytest.mark.parametrize(
    ("name", "value"), [("width", True), ("width", 1.5), ("width", "3"), ("width", 0), ("pinned", 1), ("dtype", 3)]
)
def test_a_value_that_no_widget_offers_is_refused(name: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=ROWS[name].parameter):
        ROWS[name].check(value)


def test_a_size_of_one_s_own_begins_with_what_there_was_and_keeps_its_bytes_in_another_unit() -> None:
    app = visit(machine="laptop-16")
    app.selectbox(key="memory.machine").set_value("own").run()
    app.segmented_control(key="memory.unit").set_value("GiB").run()

    assert entered(app).machine_bytes == 16 * GB
    assert app.number_input(key="memory.machine_bytes").value == pytest.approx(16 * GB / 2**30, abs=1e-5)

    app.number_input(key="memory.machine_bytes").set_value(32.0).run()
    assert entered(app).machine_bytes == 32 * 2**30


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    app = visit(gpu="none", w=512, h=512)

    assert "GPU" not in headline(app)
    assert [metric.label for metric in app.metric if "GPU" in metric.label] == []
    assert app.selectbox(key="memory.tensor").disabled


def test_a_tensor_that_is_normalised_by_tiles_is_loaded_as_uint8() -> None:
    app = visit(tensor="uint8", dtype="float32")

    assert app.selectbox(key="memory.dtype").value == "uint8"
    assert any(caption.value.startswith("Loaded as uint8") for caption in app.caption)
    app.selectbox(key="memory.tensor").set_value("float32").run()
    assert app.selectbox(key="memory.dtype").value == "float32"


# Units


@pytest.mark.parametrize("unit", memory.UNITS)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"machine": "own", "gpu": "own", "lines": "all"},
        {"source": "pipeline", "tensor": "uint8", "pinned": 1},
        {"gpu": "none", "w": 100, "h": 100, "workers": 0},
        {"w": 10_000_000, "h": 10_000_000},
    ],
)
def test_units_are_never_mixed_on_the_page(unit: str, more: dict[str, object]) -> None:
    app = visit(unit=unit, **more)
    texts = everything(app)

    assert any(re.search(rf"\b{unit}\b", text) for text in texts.values())
    assert {name: found for name, text in texts.items() if (found := re.findall(OTHER_UNIT[unit], text))} == {}


@pytest.mark.parametrize("unit", memory.UNITS.values(), ids=lambda unit: unit.name)
@given(count=st.integers(10**5, 10**18))  # a chart holds more than the least that libvips takes
def test_ticks_are_round_and_cover_what_is_shown(unit: memory.Unit, count: int) -> None:
    linear, log = memory_ticks.linear(count, unit), memory_ticks.log(count, 100 * count, unit)

    assert 2 <= len(linear["tickvals"]) <= 9
    assert linear["tickvals"][-1] <= count * 1.001
    assert sum(count <= tick <= 100 * count for tick in log["tickvals"]) >= 1
    assert not re.search(OTHER_UNIT[unit.name], " ".join([*linear["ticktext"], *log["ticktext"]]))


def test_no_two_parts_have_the_same_colour() -> None:
    names = {part.name for part in memory.parts(memory.Plan(512, 512))}

    assert names >= memory_charts.PART_COLOURS.keys() - {"source"}
    assert len(set(memory_charts.PART_COLOURS.values())) == len(memory_charts.PART_COLOURS)


@pytest.mark.parametrize("unit", memory.UNITS.values(), ids=lambda unit: unit.name)
@given(count=st.integers(10**5, 10**38))
def test_ticks_and_cells_of_large_amounts_stay_short(unit: memory.Unit, count: int) -> None:
    texts = [*memory_ticks.linear(count, unit)["ticktext"], *memory_ticks.log(count, count, unit)["ticktext"]]

    for text in [*texts, memory_ticks.short(count, unit)]:
        assert len(text) <= 20, text
        assert "e+" not in text


# The tutorial's table


def tutorial(app: AppTest) -> list[list[str]]:
    rows: list[list[str]] = app.table[len(app.table) - 1].value.values.tolist()
    return rows


def test_the_tutorial_s_table_is_computed_and_says_where_it_differs() -> None:
    app = visit()
    rows = tutorial(app)
    cells = [cell for row in rows for cell in row[1:]]

    assert [row[0] for row in rows] == [f"{side} × {side} × 3" for side in (8192, 16384, 32768, 65536)]
    assert rows[2][1:] == ["3.2", "6.4", "12.9 (12.8)", "25.8 (25.6)"]
    assert rows[3][1:] == ["12.9 (12.8)", "25.8 (25.6)", "51.5 (51.2)", "103.1 (102.4)"]
    assert sum("(" not in cell for cell in cells) == 10
    assert any("ten of the sixteen" in caption.value for caption in app.caption)


def test_the_tutorial_s_table_in_binary_units_stands_alone() -> None:
    app = visit(unit="GiB")

    assert tutorial(app)[3][1:] == ["12.0", "24.0", "48.0", "96.0"]
    assert any("switch the unit" in caption.value for caption in app.caption)


# The sentence


def case(entered: Inputs = Inputs(), here: Machine = Machine(64 * GB, None, 50 * GB)) -> memory_answers.Case:  # noqa: B008
    return memory_answers.case_of(entered, here, None)


def test_the_missing_amount_is_the_answer() -> None:
    app = visit(machine="own", ram=8 * GB)
    missing = case(Inputs(machine="own", machine_bytes=8 * GB)).verdict().host_missing

    assert missing > 0
    assert headline(app).startswith("Does not fit: ")
    assert f"of 8.0 GB. You need {memory.GB.text(missing)} more; " in headline(app)


def test_a_change_that_makes_it_fit_is_named() -> None:
    big = Inputs(machine="own", machine_bytes=24 * GB)

    assert memory_answers.headline(case(big)).endswith("; with uint8 it fits.")
    assert case(Inputs(machine="own", machine_bytes=24 * GB, dtype="uint8")).verdict().fits


def test_what_page_locked_memory_takes_can_be_left_out() -> None:
    unpinned = case(Inputs(dtype="uint8", machine="own", machine_bytes=12 * GB))
    pinned = case(Inputs(dtype="uint8", machine="own", machine_bytes=12 * GB, pinned=True, gpu="none"))

    assert unpinned.verdict().fits
    assert memory_answers.headline(pinned).endswith("; with pinned memory off it fits.")


def test_a_gpu_that_is_too_small_is_named() -> None:
    found = case(Inputs(gpu="own", gpu_bytes=10**9, machine="server-1024"))

    assert memory_answers.headline(found).startswith(
        "Does not fit: 3.2 GB of 1.0 GB on the GPU. You need 2.2 GB more on"
    )


def test_an_image_that_never_fits_is_told_so() -> None:
    found = case(Inputs(width=1_000_000, height=1_000_000, machine="laptop-8"))

    assert memory_answers.headline(found).endswith("nothing but a smaller image or more memory makes it fit.")


def test_a_machine_that_is_unknown_is_not_judged() -> None:
    text = memory_answers.headline(case(here=Machine()))

    assert text.startswith("Needs ")
    assert text.endswith("How much there is, is unknown: enter it.")


def values(row: Row) -> st.SearchStrategy[Any]:
    if isinstance(row.default, bool):
        return st.booleans()
    return st.sampled_from(row.choices) if row.choices else st.integers(row.low, row.high)


INPUTS = st.builds(Inputs, **{name: values(row) for name, row in ROWS.items()})


@given(INPUTS)
def test_what_the_sentence_names_as_a_way_out_is_one(inputs: Inputs) -> None:
    found = case(inputs)
    text = memory_answers.headline(found)
    ways = [words for words, plan in memory_answers._ways(found) if found.fits(plan)]

    assert text.startswith("Fits: ") == found.verdict().fits
    if not found.verdict().fits:
        assert ("nothing but" in text) == (not ways)
        assert not ways or text.endswith(f"; with {ways[0]} it fits.")


# Charts and numbers


@pytest.mark.parametrize("of_all", [False, True])
def test_the_chart_of_sizes_shows_the_bytes(of_all: bool) -> None:
    figure = memory_charts.size(case(), of_all)
    [line] = [trace for trace in figure.data if trace.name == "float64"]
    at = list(line.x).index(8192)
    plan = memory.Plan(8192, 8192, dtype="float64", workers=4)
    bytes_there = memory.host_bytes(plan) if of_all else 8192 * 8192 * 3 * 8

    assert line.y[at] == bytes_there
    assert line.customdata[at] == memory.GB.text(bytes_there)
    assert [trace.x[0] for trace in figure.data if trace.name == "as entered"] == [16384]


def test_the_limits_stand_where_they_are_on_a_logarithmic_axis() -> None:
    figure = memory_charts.size(case(), False)

    assert [shape.y0 for shape in figure.layout.shapes] == [64 * GB, 16 * GB]
    assert [note.y for note in figure.layout.annotations] == [math.log10(64 * GB), math.log10(16 * GB)]


def test_the_heat_map_says_of_every_cell_whether_it_fits() -> None:
    found = case(Inputs(gpu="own", gpu_bytes=20 * GB, machine="server-512"))
    heat = memory_grid.chart(found).data[0]
    table = {(row["Batch"], row["Workers"]): row["Fits"] for row in memory_grid.rows(found)}
    words = ("fits", "too much for the GPU", "too much memory")

    seen = {
        (int(batch), int(workers)): words[heat.z[row][column]]
        for row, batch in enumerate(heat.y)
        for column, workers in enumerate(heat.x)
    }
    assert seen == table
    assert table[1, 0] == "fits"
    assert table[12, 0] == "too much for the GPU"
    assert table[32, 24] == "too much memory"


def test_the_heat_map_holds_what_is_entered() -> None:
    heat = memory_grid.chart(case(Inputs(batch=77, workers=13))).data[0]

    assert "77" in heat.y
    assert "13" in heat.x


@pytest.mark.parametrize("unit", memory.UNITS)
def test_the_csv_holds_every_part_in_the_chosen_unit(unit: str) -> None:
    found = case(Inputs(unit=unit))
    rows = list(csv.DictReader(io.StringIO(memory_tables.csv_text(memory_tables.part_rows(found)))))
    parts = [row for row in rows if row["Part"] not in ("Total", "Limit")]

    assert list(rows[0]) == ["Part", "Where", unit, "Bytes", "Formula", "Leaves out"]
    assert sum(int(row["Bytes"]) for row in parts if row["Where"] == "memory") == found.verdict().host_bytes
    assert all(float(row[unit]) == int(row["Bytes"]) / memory.UNITS[unit].size for row in rows)
    assert [row["Bytes"] for row in rows if row["Part"] == "Limit"] == [str(64 * GB), str(16 * GB)]


def test_an_unknown_limit_is_an_empty_cell_and_not_zero() -> None:
    rows = list(csv.DictReader(io.StringIO(memory_tables.csv_text(memory_tables.part_rows(case(here=Machine()))))))

    assert [row["Bytes"] for row in rows if row["Part"] == "Limit"] == ["", str(16 * GB)]


def test_every_part_says_how_it_comes_about_and_what_it_leaves_out() -> None:
    app = visit()
    hovers = [trace["hovertemplate"] for trace in json.loads(app.get("plotly_chart")[0].proto.spec)["data"]]

    assert hovers
    assert all("Leaves out:" in hover for hover in hovers)
    assert all(metric.help for metric in app.metric)


def test_what_a_change_costs_on_the_gpu_stands_beside_what_it_saves_of_memory() -> None:
    found = case()
    answers = {answer.label: answer for answer in memory_answers.answers(found)}
    savings = {saving.name: saving for saving in memory.savings(found.plan)}
    tiled = savings["normalise"]

    assert answers["Normalising on the GPU saves"].value == memory.GB.text(tiled.host_bytes)
    assert answers["Normalising on the GPU saves"].note == f"{memory.GB.text(tiled.device_bytes)} less on the GPU"
    assert savings["uint8"].device_bytes < 0
    assert answers["uint8 instead of float32 saves"].note.endswith(" more on the GPU")


def test_charts_have_texts_for_those_who_cannot_see_them() -> None:
    alts = [chart.proto.alt for chart in visit(machine="own", ram=8 * GB).get("plotly_chart")]

    assert len(alts) == 3
    assert "8.0 GB" in alts[1]
    assert re.search(r"\d+ of \d+ combinations fit", alts[2])


# Image and pipeline


SMALL = Pipeline((Step("s1", "Resize", (("height", 100), ("width", 300)), p=1.0),))
NO_FILE = SourceRef("path", "gone.png")
TOO_LARGE = Pipeline((Step("s1", "CenterCrop", (("height", 9000), ("width", 9000)), p=1.0),))


def from_explore(source: str, state: Explore, **parameters: object) -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    app.session_state["explore"] = state
    app.run().switch_page(PAGE)
    for name, value in {"source": source, **parameters}.items():
        app.query_params[name] = str(value)
    return app.run()


def test_the_loaded_image_gives_the_numbers() -> None:
    app = from_explore("image", Explore(SourceRef("sample", "ihc"), SMALL))
    width = app.number_input(key="memory.width")

    assert (width.value, width.disabled) == (512, True)
    assert app.selectbox(key="memory.dtype").value == "uint8"
    assert app.caption[0].value.startswith("ihc")


def test_the_pipeline_s_result_is_told_step_by_step() -> None:
    app = from_explore("pipeline", Explore(SourceRef("sample", "ihc"), SMALL, seed=5))
    steps = app.table[0].value.values.tolist()

    assert app.number_input(key="memory.width").value == 300
    assert [row[:5] for row in steps] == [
        ["Source", "", "512 × 512", "3", "uint8"],
        ["1 Resize", "applied", "300 × 100", "3", "uint8"],
    ]
    assert steps[1][-1] == f"{300 * 100 * 3:,}"


@pytest.mark.parametrize("state", [Explore(NO_FILE, SMALL), Explore(SourceRef("sample", "ihc"), TOO_LARGE)])
def test_what_cannot_be_loaded_is_one_sentence_and_the_numbers_stand(state: Explore) -> None:
    app = from_explore("pipeline", state, w=2000, h=1000)
    [warning] = app.warning

    assert "The numbers that were entered last stand." in warning.value
    assert str(ROOT) not in warning.value
    assert (app.number_input(key="memory.width").value, app.number_input(key="memory.width").disabled) == (2000, False)
    assert headline(app)


def test_the_numbers_entered_come_back_after_a_look_at_the_image() -> None:
    app = visit(w=2000)
    app.selectbox(key="memory.source").set_value("image").run()
    assert app.number_input(key="memory.width").value == 512

    app.selectbox(key="memory.source").set_value("typed").run()
    assert app.number_input(key="memory.width").value == 2000


def test_a_measured_profile_stands_beside_what_is_computed() -> None:
    app = from_explore("pipeline", Explore(SourceRef("sample", "ihc"), SMALL))
    assert [table for table in app.table if "Measured" in table.value.columns] == []

    key = desk.key_of(SourceRef("sample", "ihc"), SMALL, 0)
    app.session_state[memory_page.MEASURED] = (key, memory.Measured(10**7, 2 * 10**7))
    app.run()
    [table] = [table for table in app.table if "Measured" in table.value.columns]

    assert list(table.value["Measured"]) == ["10 MB", "20 MB"]
    assert all(re.fullmatch(r"[+−]\d+\.\d %", error) for error in table.value["Error"])


# The address


@given(INPUTS)
def test_an_address_restores_everything(inputs: Inputs) -> None:
    assert memory_address.decode(memory_address.encode(inputs)) == (inputs, "")


def test_a_link_opens_what_was_entered() -> None:
    app = visit(w=2000, batch=4, unit="GiB")
    app.number_input(key="memory.bands").set_value(4).run()
    again = visit(**shown_parameters(app))

    assert entered(again) == entered(app)
    assert entered(again) == Inputs(width=2000, batch=4, unit="GiB", bands=4)
    assert not again.warning


def test_a_visitor_who_changes_nothing_keeps_the_plain_address() -> None:
    assert shown_parameters(visit()) == {}


HOSTILE = [
    ("w", "-5"),
    ("w", "1e99"),
    ("w", "9" * 5000),
    ("h", "10000001"),
    ("bands", "³"),
    ("dtype", "complex128"),
    ("dtype", "<script>alert(1)</script>"),
    ("batch", "0"),
    ("workers", "NaN"),
    ("pinned", "yes"),
    ("gpu", "[a](http://example.org)"),
    ("machine", "../../etc/passwd"),
    ("ram", ""),
    ("unit", "TB"),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_what_an_address_cannot_mean_is_one_sentence_and_the_default(name: str, value: str) -> None:
    app = visit(**{name: value, "prefetch": 3})
    [warning] = app.warning

    assert warning.value.startswith("Not restored from the address, the defaults stand: ")
    assert len(warning.value) < 600
    assert entered(app) == Inputs(prefetch=3)
    assert not app.exception


def test_the_sentence_goes_with_the_next_change() -> None:
    app = visit(w="x")
    app.number_input(key="memory.batch").set_value(2).run()

    assert not app.warning
    assert shown_parameters(app)["w"] == str(ROWS["width"].default)


@given(st.dictionaries(st.sampled_from([row.parameter for row in ROWS.values()]), st.text()))
def test_no_address_is_an_error(parameters: dict[str, str]) -> None:
    inputs, trouble = memory_address.decode(parameters)

    assert memory_address.decode(memory_address.encode(inputs)) == (inputs, "")
    assert "\n" not in trouble


def test_back_goes_to_what_was_entered_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SETTLE_SECONDS", 0)
    app = visit()
    app.number_input(key="memory.batch").set_value(2).run()
    before = shown_parameters(app)
    app.number_input(key="memory.batch").set_value(3).run()
    for name, value in before.items():
        app.query_params[name] = value
    app.run()

    assert entered(app).batch == 2
    assert app.number_input(key="memory.batch").value == 2


def test_an_address_that_the_browser_repeats_undoes_nothing() -> None:
    app = visit()
    app.number_input(key="memory.batch").set_value(2).run()
    before = shown_parameters(app)
    app.number_input(key="memory.batch").set_value(3).run()
    for name, value in before.items():
        app.query_params[name] = value  # sent before the browser had shown the second
    app.run()

    assert entered(app).batch == 3


def test_moving_between_the_pages_keeps_what_both_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SETTLE_SECONDS", 0)
    app = AppTest.from_file(str(SHELL), default_timeout=60).run()
    app.button(key="explore.new_draws").click().run()
    app.switch_page(PAGE).run()
    app.number_input(key="memory.batch").set_value(5).run()
    app.query_params.clear()  # as a browser does that follows the navigation
    app.switch_page(EXPLORE).run()
    assert app.session_state["explore"].seed == 1

    app.query_params.clear()
    app.switch_page(PAGE).run()
    assert entered(app).batch == 5
    assert app.number_input(key="memory.batch").value == 5
    assert shown_parameters(app)["batch"] == "5"


def test_a_link_brings_the_image_and_the_pipeline_that_its_figures_are_of() -> None:
    app = from_explore("pipeline", Explore(SourceRef("sample", "ihc"), SMALL, seed=3, version=1))
    again = visit(**shown_parameters(app))

    assert again.session_state["explore"].pipeline == SMALL
    assert again.session_state["explore"].source == SourceRef("sample", "ihc")
    assert again.number_input(key="memory.width").value == 300


def test_what_a_link_to_this_page_brought_stays_on_the_way_to_explore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SETTLE_SECONDS", 0)
    text = link.encode(SourceRef("sample", "ihc"), SMALL, 3)
    app = visit(source="pipeline", **{address.PARAMETER: text})
    app.number_input(key="memory.batch").set_value(2).run()
    app.query_params.clear()
    app.switch_page(EXPLORE).run()

    assert (app.session_state["explore"].pipeline, app.session_state["explore"].seed) == (SMALL, 3)


@pytest.mark.parametrize("text", [link.encode(SourceRef("sample", "ihc"), SMALL, 1), "nonsense!"])
def test_explore_s_state_in_the_address_leaves_this_page_as_it_is(text: str) -> None:
    app = visit(w=2000, **{address.PARAMETER: text})

    assert entered(app) == Inputs(width=2000)
    assert not app.exception


def test_every_preset_can_be_chosen() -> None:
    ids = {*ROWS["machine"].choices, *ROWS["gpu"].choices}

    assert ids >= {preset.id for preset in (*machine.MACHINES, *machine.GPUS)}
