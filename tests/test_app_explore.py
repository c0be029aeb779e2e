"""The page Explore without a browser: what is asserted is the state, the texts and the key; pixels are the routes' business."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from streamlit.testing.v1 import AppTest

from augviz import edits, presets, recipes, saved, sources
from augviz.model import Group, InputChoice, Pipeline, Step
from augviz.settings import get_settings
from augviz.ui import feed
from augviz.ui.page import escaped
from augviz.ui.state import Explore, first
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"


@pytest.fixture
def app() -> AppTest:
    """A visitor who has just come to Explore."""
    return AppTest.from_file(str(SHELL), default_timeout=60).run()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the settings allow."""
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def state(app: AppTest) -> Explore:
    found: Explore = app.session_state["explore"]
    return found


def names(app: AppTest) -> list[str]:
    return [item.group if isinstance(item, Group) else item.transform for item in state(app).pipeline.steps]


def step(app: AppTest, step_id: str) -> Step:
    found = edits.find(state(app).pipeline, step_id)
    assert isinstance(found, Step)
    return found


def viewer_data(app: AppTest) -> dict[str, Any]:
    """What the component that shows the picture was given."""
    found: list[dict[str, Any]] = [json.loads(component.proto.json) for component in app.get("bidi_component")]
    return next(data for data in found if "draws" in data)


def shown_key(app: AppTest) -> str:
    return next(caption.value for caption in app.caption if caption.value.startswith("Recipe ")).split()[1]


def expected_key(app: AppTest) -> str:
    now = state(app)
    path = sources.resolve(now.source)
    return recipes.register(recipes.recipe_of(path, saved.dump(edits.complete(now.pipeline)), now.shown_seed))


def test_the_first_visit_shows_the_tutorials_pipeline_on_a_sample(app: AppTest) -> None:
    assert not app.exception
    assert state(app).pipeline == presets.FIRST.pipeline
    assert state(app).source == sources.SourceRef("sample", "astronaut")
    assert any("512 × 512 · RGB 8 bit" in caption.value for caption in app.caption)


def test_picture_and_texts_carry_the_key_of_one_recipe(app: AppTest) -> None:
    assert shown_key(app) == viewer_data(app)["key"] == expected_key(app)


def test_a_changed_argument_changes_the_step_and_the_key(app: AppTest) -> None:
    before = shown_key(app)
    app.button(key="explore.step.rotate.open").click().run()
    app.slider(key="explore.step.rotate.limit").set_value((-20.0, 30.0)).run()

    assert step(app, "rotate").get("limit") == (-20, 30)
    assert shown_key(app) == viewer_data(app)["key"] == expected_key(app) != before


def test_exact_numbers_beside_a_range_slider_set_its_ends(app: AppTest) -> None:
    app.button(key="explore.step.rotate.open").click().run()
    app.number_input(key="explore.step.rotate.limit.low").set_value(-12.5).run()

    assert step(app, "rotate").get("limit") == (-12.5, 90)
    assert app.slider(key="explore.step.rotate.limit").value == (-12.5, 90.0)


def test_an_argument_at_the_librarys_default_is_not_kept(app: AppTest) -> None:
    app.button(key="explore.step.rotate.open").click().run()
    app.slider(key="explore.step.rotate.limit").set_value((-20.0, 30.0)).run()
    app.slider(key="explore.step.rotate.limit").set_value((-90.0, 90.0)).run()

    assert step(app, "rotate").args == ()


def test_a_second_argument_of_the_open_step_changes_picture_and_texts_together(app: AppTest) -> None:
    app.button(key="explore.step.brightness.open").click().run()
    app.slider(key="explore.step.brightness.brightness_limit").set_value((0.1, 0.3)).run()
    app.slider(key="explore.step.brightness.contrast_limit").set_value((0.0, 0.1)).run()

    assert dict(step(app, "brightness").args) == {"brightness_limit": (0.1, 0.3), "contrast_limit": (0.0, 0.1)}
    assert shown_key(app) == viewer_data(app)["key"] == expected_key(app)


def test_switching_a_step_off_keeps_its_values(app: AppTest) -> None:
    app.button(key="explore.step.rotate.open").click().run()
    app.slider(key="explore.step.rotate.limit").set_value((-20.0, 30.0)).run()
    app.toggle(key="explore.step.rotate.enabled").set_value(False).run()

    assert step(app, "rotate") == Step("rotate", "Rotate", (("limit", (-20, 30)),), 0.8, enabled=False)


def test_undo_and_redo_go_through_every_edit(app: AppTest) -> None:
    app.toggle(key="explore.step.rotate.enabled").set_value(False).run()
    app.toggle(key="explore.step.tensor.enabled").set_value(False).run()
    app.button(key="explore.undo").click().run()
    app.button(key="explore.undo").click().run()

    assert state(app).pipeline == presets.FIRST.pipeline
    assert app.button(key="explore.undo").disabled

    app.button(key="explore.redo").click().run()

    assert [item.enabled for item in state(app).pipeline.steps] == [True, False, True, True]


def test_a_preset_replaces_the_steps_and_can_be_undone(app: AppTest) -> None:
    app.session_state["explore.presets"] = True
    app.run()
    app.button(key="explore.preset.Geometry only").click().run()
    chosen = next(preset for preset in presets.PRESETS if preset.name == "Geometry only")

    assert state(app).pipeline == chosen.pipeline
    assert shown_key(app) == expected_key(app)

    app.button(key="explore.undo").click().run()

    assert state(app).pipeline == presets.FIRST.pipeline


def test_an_added_step_is_open_and_stands_before_normalize_and_the_tensor(app: AppTest) -> None:
    app.button(key="explore.add").click().run()
    app.button(key="explore.picker.add.GaussianBlur").click().run()

    assert names(app) == ["RandomBrightnessContrast", "Rotate", "GaussianBlur", "Normalize", "ToTensor"]
    assert state(app).opened == state(app).pipeline.steps[2].id


def test_the_search_for_a_step_finds_it_by_what_it_does(app: AppTest) -> None:
    app.session_state["explore.picker.words"] = "add noise"
    app.button(key="explore.add").click().run()
    offered = [
        button.key.rsplit(".", 1)[1] for button in app.button if (button.key or "").startswith("explore.picker.add.")
    ]

    assert offered == ["GaussNoise"]


def test_a_group_without_steps_is_left_out_until_it_has_one(app: AppTest) -> None:
    app.button(key="explore.add").click().run()
    app.button(key="explore.picker.add.OneOf").click().run()
    group = next(item for item in state(app).pipeline.steps if isinstance(item, Group))

    assert not app.exception
    assert any("until then it is left out" in text.value for text in app.markdown) or state(app).opened == group.id

    app.button(key=f"explore.add.{group.id}").click().run()
    app.button(key="explore.picker.add.MedianBlur").click().run()

    assert [m.transform for m in edits.find(state(app).pipeline, group.id).steps] == ["MedianBlur"]  # type: ignore[union-attr]
    assert not app.exception


def test_an_impossible_combination_is_stopped_with_its_reason_and_a_fix(app: AppTest) -> None:
    app.session_state["explore"] = _with(
        app, Step("c", "Crop", (("x_max", 200), ("x_min", 100), ("y_max", 99), ("y_min", 0)))
    )
    app.run()
    before = shown_key(app)
    app.button(key="explore.step.c.open").click().run()
    app.number_input(key="explore.step.c.x_min").set_value(300).run()

    assert step(app, "c").get("x_min") == 100
    assert shown_key(app) == before
    assert any("The picture shows the last values that work" in text.value for text in app.markdown)
    assert app.number_input(key="explore.step.c.x_min").value == 300

    app.button(key="explore.refused.fix").click().run()

    assert state(app).refused is None
    assert step(app, "c").get("x_min") < step(app, "c").get("x_max")


def test_kernel_sizes_stay_odd(app: AppTest) -> None:
    app.session_state["explore"] = _with(app, Step("b", "Blur"))
    app.run()
    app.button(key="explore.step.b.open").click().run()
    app.number_input(key="explore.step.b.blur_limit.high").set_value(10).run()

    assert step(app, "b").get("blur_limit")[1] == 11


def test_a_value_that_the_browser_only_repeats_is_no_change(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = state(app).version
    app.number_input(key="explore.seed").set_value(7).run()
    app.button(key="explore.new_draws").click().run()
    assert state(app).seed == 8

    # The browser has not shown the 8 yet, and sends its 7 again with another click.
    monkeypatch.setattr(feed, "seen", lambda session, visitor: shown)
    app.number_input(key="explore.seed").set_value(7).run()
    assert state(app).seed == 8

    # Now it has, and the visitor enters a 7.
    monkeypatch.setattr(feed, "seen", lambda session, visitor: state(app).version)
    app.number_input(key="explore.seed").set_value(7).run()
    assert state(app).seed == 7


def test_edits_survive_another_image_and_another_page(app: AppTest) -> None:
    app.button(key="explore.step.rotate.open").click().run()
    app.slider(key="explore.step.rotate.limit").set_value((-20.0, 30.0)).run()
    app.button(key="explore.change_image").click().run()
    app.button(key="explore.sample.ihc").click().run()
    app.switch_page("../../pages/transforms.py").run()

    assert not app.exception

    app.switch_page("../../pages/explore.py").run()

    assert step(app, "rotate").get("limit") == (-20, 30)
    assert state(app).source == sources.SourceRef("sample", "ihc")
    assert app.slider(key="explore.step.rotate.limit").value == (-20.0, 30.0)
    assert shown_key(app) == viewer_data(app)["key"] == expected_key(app)


def with_state(**fields: Any) -> AppTest:
    """A visitor of Explore whose state has these fields."""
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    app.session_state["explore"] = replace(first(), **fields)
    return app.run()


def warnings_of(app: AppTest) -> str:
    """What the cards warn of."""
    marks = (":material/warning:", ":material/error:")
    return " ".join(markdown.value for markdown in app.markdown if any(mark in markdown.value for mark in marks))


def test_a_step_that_destroys_16_bit_says_so_on_its_card_and_is_mended(folder: Path) -> None:
    path = folder / "deep.tif"
    pyvips.Image.xyz(40, 30)[0].linear(1000, 0).bandjoin([0, 0]).cast("ushort").copy(interpretation="rgb16").tiffsave(
        str(path)
    )
    app = with_state(source=sources.SourceRef("path", str(path)))
    assert "RandomBrightnessContrast takes uint16 for 8 bit" in warnings_of(app)

    fix = next(button for button in app.button if button.label == "Convert to 8 bit")
    fix.click().run()

    assert state(app).pipeline.input.as_8_bit
    assert "for 8 bit" not in warnings_of(app)


def test_a_step_behind_normalize_that_cuts_its_values_off_is_moved_before_it() -> None:
    normalize = Step("n", "Normalize", (("mean", (0.5, 0.5, 0.5)), ("std", (0.2, 0.2, 0.2))))
    steps = (normalize, Step("b", "RandomBrightnessContrast", p=1.0), Step("h", "HEDShift", p=1.0))
    app = with_state(pipeline=Pipeline(steps))
    assert "RandomBrightnessContrast cuts what Normalize has made off at 0 and 1" in warnings_of(app)
    assert "HEDShift makes an 8-bit image of float values" in warnings_of(app)

    for _ in range(2):
        next(button for button in app.button if button.label == "Move before Normalize").click().run()

    assert names(app) == ["RandomBrightnessContrast", "HEDShift", "Normalize"]
    assert "cuts what Normalize" not in warnings_of(app)
    assert "8-bit image of float values" not in warnings_of(app)


def test_a_fill_that_is_wrong_for_16_bit_is_said_and_mended(folder: Path) -> None:
    path = folder / "deep.tif"
    pyvips.Image.black(40, 30, bands=3).cast("ushort").copy(interpretation="rgb16").tiffsave(str(path))
    app = with_state(source=sources.SourceRef("path", str(path)), pipeline=Pipeline((Step("r", "Rotate", p=1.0),)))
    assert "Rotate fills with 255 whatever the format, nearly black in 16 bit" in warnings_of(app)

    next(button for button in app.button if button.label == "Set value").click().run()

    assert step(app, "r").get("value") == 65535
    assert "fills with 255" not in warnings_of(app)


def test_a_band_of_alpha_that_a_step_leaves_behind_is_said(folder: Path) -> None:
    path = folder / "alpha.png"
    pyvips.Image.black(40, 30, bands=4).copy(interpretation="srgb").pngsave(str(path))
    steps = (Step("b", "RandomBrightnessContrast", p=1.0),)
    app = with_state(source=sources.SourceRef("path", str(path)), pipeline=Pipeline(steps))

    assert "RandomBrightnessContrast keeps 3 of 4 bands (D13)" in warnings_of(app)


def test_a_click_for_a_step_that_has_gone_does_nothing(app: AppTest) -> None:
    toggle = app.toggle(key="explore.step.rotate.enabled")
    pipeline = edits.remove(state(app).pipeline, "rotate")
    app.session_state["explore"] = replace(state(app), pipeline=pipeline)
    toggle.set_value(False).run()

    assert not app.exception
    assert state(app).pipeline == pipeline


def test_an_id_is_never_given_again() -> None:
    app = with_state(pipeline=Pipeline())
    for number in (1, 2):
        app.button(key="explore.add").click().run()
        app.button(key="explore.picker.add.NoOp").click().run()
        assert [item.id for item in state(app).pipeline.steps] == [f"s{number}"]
        app.session_state["explore"] = replace(
            state(app), past=(*state(app).past, state(app).pipeline), pipeline=Pipeline()
        )
        app.run()


def test_a_group_that_the_editor_could_not_fill_is_not_offered() -> None:
    inner = Group("s2", "OneOf", (Step("s3", "NoOp"),))
    app = with_state(pipeline=Pipeline((Group("s1", "Sequential", (inner,)),)))
    app.button(key="explore.add.s2").click().run()
    offered = {(button.key or "").rsplit(".", 1)[1] for button in app.button if "picker.add" in (button.key or "")}

    assert "Rotate" in offered
    assert "OneOf" not in offered


def test_normalize_on_whole_numbers_is_said_on_its_card_and_mended(app: AppTest) -> None:
    finding = "Normalize gets values from 0 to 255, but its mean and std are meant for 0 to 1"

    assert any(escaped(finding) in text.value for text in app.markdown)

    fix = next(button for button in app.button if button.label == "Add ToDtype")
    fix.click().run()

    assert names(app) == ["RandomBrightnessContrast", "Rotate", "ToDtype", "Normalize", "ToTensor"]
    assert not any(escaped(finding) in text.value for text in app.markdown)


def test_new_draws_take_the_next_seed(app: AppTest) -> None:
    before = shown_key(app)
    app.button(key="explore.new_draws").click().run()

    assert state(app).seed == 1
    assert viewer_data(app)["draws"][0]["seed"] == 1
    assert shown_key(app) == expected_key(app) != before


def test_a_grid_of_draws_has_one_key_for_each_seed(app: AppTest) -> None:
    app.segmented_control(key="explore.mode").set_value("Draws").run()
    app.number_input(key="explore.draws").set_value(9).run()
    draws = viewer_data(app)["draws"]

    assert [draw["seed"] for draw in draws] == list(range(9))
    assert len({draw["key"] for draw in draws}) == 9


def test_the_alternative_text_says_what_was_done(app: AppTest) -> None:
    text = viewer_data(app)["alt"]

    assert text.startswith("astronaut.png after RandomBrightnessContrast, Rotate ")
    assert text.endswith("°, Normalize, ToTensor")


def test_the_code_is_that_of_the_pipeline(app: AppTest) -> None:
    app.session_state["explore.details"] = "Code"
    app.run()

    assert "A.Rotate(p=0.8)" in app.code[0].value
    compile(app.code[0].value, "transform.py", "exec")


def test_a_step_that_cannot_be_drawn_leaves_the_page_usable(app: AppTest) -> None:
    app.session_state["explore"] = _with(app, Step("c", "CenterCrop", (("height", 9000), ("width", 9000))))
    app.run()

    assert not app.exception
    assert viewer_data(app)["costs"] == {}
    assert any("CenterCrop" in text.value for text in app.markdown)


def test_two_visitors_have_their_own_draws() -> None:
    one = AppTest.from_file(str(SHELL), default_timeout=60).run()
    two = AppTest.from_file(str(SHELL), default_timeout=60).run()
    one.number_input(key="explore.seed").set_value(5).run()
    two.number_input(key="explore.seed").set_value(8).run()

    assert viewer_data(one)["draws"][0]["seed"] == 5
    assert viewer_data(two)["draws"][0]["seed"] == 8
    assert viewer_data(one)["session"] != viewer_data(two)["session"]


def test_what_the_pipeline_is_fed_is_an_explicit_choice(app: AppTest, folder: Path) -> None:
    array = np.full((40, 60, 4), 30_000, np.uint16)
    pyvips.Image.new_from_array(array, interpretation="rgb16").write_to_file(str(folder / "deep_*name*.png"))
    source = sources.SourceRef("path", str(folder / "deep_*name*.png"))
    app.session_state["explore"] = replace(state(app), source=source)
    app.session_state["explore.header"] = True
    app.run()

    assert any("60 × 40 · RGBA 16 bit" in caption.value for caption in app.caption)

    app.toggle(key="explore.input.as_8_bit").set_value(True).run()
    app.toggle(key="explore.input.bands").set_value(True).run()

    assert state(app).pipeline.input == InputChoice(bands=3, as_8_bit=True)
    assert any("60 × 40 · RGB 8 bit" in caption.value for caption in app.caption)
    assert shown_key(app) == viewer_data(app)["key"] == expected_key(app)

    app.button(key="explore.undo").click().run()

    assert state(app).pipeline.input == InputChoice(as_8_bit=True)


def test_an_image_that_is_not_there_any_more_gets_one_sentence(app: AppTest, folder: Path) -> None:
    app.session_state["explore"] = replace(state(app), source=sources.SourceRef("path", str(folder / "gone.png")))
    app.run()

    assert not app.exception
    assert [error.value for error in app.error] == ["gone.png: there is no such file."]
    assert names(app) == ["RandomBrightnessContrast", "Rotate", "Normalize", "ToTensor"]


def test_an_image_that_cannot_be_opened_is_not_taken(app: AppTest, folder: Path) -> None:
    (folder / "text.png").write_text("no image")
    app.session_state["explore.image_tabs"] = "Folder"
    app.session_state["explore.folder"] = str(folder)
    app.button(key="explore.change_image").click().run()
    app.button(key=f"explore.file.{folder / 'text.png'}").click().run()

    assert state(app).source == sources.SourceRef("sample", "astronaut")
    assert not app.exception


def test_another_image_is_fed_plainly_where_it_lacks_the_chosen_page(app: AppTest) -> None:
    now = state(app)
    app.session_state["explore"] = replace(now, pipeline=replace(now.pipeline, input=InputChoice(page=3)))
    app.run()
    app.button(key="explore.change_image").click().run()
    app.button(key="explore.sample.coffee").click().run()

    assert [error.value for error in app.error] == []
    assert state(app).source.name == "coffee"
    assert state(app).pipeline == now.pipeline


def test_an_error_of_before_is_not_an_error_of_the_next_image(app: AppTest) -> None:
    app.session_state["explore.image_trouble"] = "gone.png: there is no such file."
    app.button(key="explore.change_image").click().run()
    app.button(key="explore.sample.ihc").click().run()

    assert state(app).source.name == "ihc"
    assert "explore.image_trouble" not in app.session_state


def test_three_of_more_bands_are_chosen_for_show_and_change_no_recipe(folder: Path) -> None:
    path = folder / "five.tif"
    bands = pyvips.Image.black(40, 30, bands=5).copy(interpretation="multiband")
    bands.tiffsave(str(path))
    app = with_state(source=sources.SourceRef("path", str(path)), pipeline=Pipeline())
    key = shown_key(app)
    app.session_state["explore.header"] = True
    app.run()
    app.number_input(key="explore.shown.red").set_value(5).run()

    assert state(app).bands == (5, 2, 3)
    assert viewer_data(app)["bands"] == "5,2,3"
    assert shown_key(app) == key


def test_another_image_is_fed_as_chosen_where_it_can_be(app: AppTest) -> None:
    now = state(app)
    chosen = InputChoice(bands=1)
    app.session_state["explore"] = replace(now, pipeline=replace(now.pipeline, input=chosen))
    app.run()
    app.button(key="explore.change_image").click().run()
    app.button(key="explore.sample.coffee").click().run()

    assert state(app).source.name == "coffee"
    assert state(app).pipeline.input == chosen


def _with(app: AppTest, *steps: Step) -> Explore:
    """The visitor's state with another pipeline."""
    return replace(state(app), pipeline=Pipeline(steps))


def test_a_step_that_no_argument_mends_says_why_and_can_be_switched_off(app: AppTest) -> None:
    app.session_state["explore"] = replace(state(app), source=sources.SourceRef("sample", "coins"), version=9)
    app.run()
    reason = "RandomBrightnessContrast: needs at least 3 bands in an 8-bit image, the image has 1."

    assert viewer_data(app)["reason"] == reason
    assert any(escaped(reason) in text.value for text in app.markdown)

    next(button for button in app.button if button.label == "Switch off").click().run()

    assert not step(app, "brightness").enabled
    assert "reason" not in viewer_data(app)


def test_a_group_is_added_before_what_ends_the_pipeline(app: AppTest) -> None:
    app.button(key="explore.add").click().run()
    app.button(key="explore.picker.add.OneOf").click().run()

    assert names(app)[-3:] == ["OneOf", "Normalize", "ToTensor"]


def test_a_cleared_number_changes_nothing(app: AppTest) -> None:
    app.button(key="explore.step.rotate.open").click().run()
    app.number_input(key="explore.step.rotate.limit.low").set_value(None).run()
    app.number_input(key="explore.seed").set_value(None).run()

    assert not app.exception
    assert step(app, "rotate").args == ()
    assert app.number_input(key="explore.step.rotate.limit.low").value == -90
    assert app.number_input(key="explore.seed").value == 0


def test_a_crop_that_has_become_too_large_is_mended_for_the_image_that_it_gets(app: AppTest) -> None:
    now = state(app)
    crop = Step("crop", "CenterCrop", (("height", 1500), ("width", 1000)))
    pipeline = Pipeline((Step("small", "Resize", (("height", 80), ("width", 60))), crop))
    app.session_state["explore"] = replace(now, pipeline=pipeline, version=now.version + 1)
    app.run()

    assert viewer_data(app)["reason"] == "CenterCrop: height must lie within 1 and 80 px, got 1500."

    next(button for button in app.button if button.label == "Fix").click().run()

    assert dict(step(app, "crop").args) == {"height": 80, "width": 60}
    assert "reason" not in viewer_data(app)


def test_every_fragment_shows_an_error_as_its_sentence() -> None:
    """Streamlit runs a fragment again without the page, and so without the page's boundary."""
    folder = ROOT / "augviz" / "ui"
    sources = {path.name: path.read_text() for path in folder.glob("*.py")}
    bare = [
        name for name, text in sources.items() if re.search(r"@st\.fragment[^\n]*\n(?!@(page\.)?boundary\(\))", text)
    ]

    assert bare == []
    assert sum(text.count("@st.fragment") for text in sources.values()) >= 5
