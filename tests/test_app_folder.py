"""Looking around in the folders that the settings allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz.settings import get_settings
from augviz.sources import Entry
from augviz.ui import folder_tab
from tests.live import ROOT
from tests.samples import rgb

SHELL = ROOT / "augviz" / "ui" / "shell.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("AUGVIZ_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    (tmp_path / "slides").mkdir()
    for name in ("b.png", "a_1.png", "slides/deep.tif"):
        rgb(40, 30).write_to_file(str(tmp_path / name))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "huge.tif").touch()
    with open(tmp_path / "huge.tif", "wb") as file:
        file.truncate(folder_tab.THUMB_BYTES + 1)
    yield tmp_path
    get_settings.cache_clear()


def opened(path: str = "", words: str = "") -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    app.session_state["explore.image_tabs"] = "Folder"
    app.session_state[folder_tab.FOLDER] = path
    app.session_state[folder_tab.WORDS] = words
    app.run()
    return app.button(key="explore.change_image").click().run()


def listed(app: AppTest) -> list[str]:
    """Names of the entries, in their order."""
    keys = [button.key or "" for button in app.button]
    return [Path(k.split(".", 2)[2]).name for k in keys if k.startswith(("explore.file.", "explore.folder./"))]


def test_a_folder_shows_its_folders_and_images_with_sizes(folder: Path) -> None:
    app = opened(str(folder))
    pictures = [html.proto.body for html in app.get("html") if "small" in html.proto.body and "<img" in html.proto.body]

    assert listed(app) == ["slides", "a_1.png", "b.png", "huge.tif"]
    assert any(caption.value == "50 MB" for caption in app.caption)
    assert any("No preview of large files" in caption.value for caption in app.caption)
    assert any('alt="a_1.png, small"' in body for body in pictures)
    assert not any("huge.tif" in body for body in pictures)


def test_a_folder_is_gone_into_and_out_of(folder: Path) -> None:
    app = opened("")
    app.button(key=f"explore.folder.{folder}").click()
    app.button(key="explore.change_image").click().run()
    app.button(key=f"explore.folder.{folder / 'slides'}").click()
    app.button(key="explore.change_image").click().run()
    assert listed(app) == ["deep.tif"]

    app.button(key="explore.folder.up").click()
    app.button(key="explore.change_image").click().run()
    assert "slides" in listed(app)


def test_words_leave_what_has_them_in_its_name(folder: Path) -> None:
    assert listed(opened(str(folder), "A_")) == ["a_1.png"]
    assert listed(opened(str(folder), "nothing")) == []


def test_words_may_stand_in_any_order() -> None:
    entries = (Entry("Kidney 40x.svs", "/k", False), Entry("Liver 40x.svs", "/l", False))

    assert folder_tab.matching(entries, "40X kid") == entries[:1]
    assert folder_tab.matching(entries, "") == entries


def test_an_image_is_chosen(folder: Path) -> None:
    app = opened(str(folder))
    app.button(key=f"explore.file.{folder / 'b.png'}").click().run()

    assert app.session_state["explore"].source.name == str(folder / "b.png")


def test_a_large_folder_is_shown_page_by_page(folder: Path) -> None:
    for number in range(60):
        (folder / "slides" / f"{number:03}.png").write_bytes(b"x")

    assert len(listed(opened(str(folder / "slides")))) == folder_tab.PAGE_SIZE
