"""The tab Imagenette without a browser: with the data set, without it, and while it is downloaded."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz import imagenette, jobs
from augviz.imagenette import LABELS, SPLITS, VARIANTS
from augviz.settings import get_settings
from augviz.sources import SourceRef, samples
from augviz.ui import imagenette_tab, state
from augviz.ui.state import Explore
from tests.live import ROOT
from tests.mirror import Mirror, imagenette_members, jpegs, serving, tgz

SHELL = ROOT / "augviz" / "ui" / "shell.py"
CHOOSE = "explore.imagenette.choose."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder, which is not made yet."""
    monkeypatch.setenv("AUGVIZ_DATA_FOLDER", str(tmp_path / "data"))
    get_settings.cache_clear()
    yield tmp_path / "data"
    get_settings.cache_clear()


@pytest.fixture
def data(folder: Path) -> Path:
    """The data set in 320 px: one image in every class, 60 churches to train with."""
    picture = jpegs()[0]
    for split in SPLITS:
        for label in LABELS:
            here = folder / "imagenette2-320" / split / label.wnid
            here.mkdir(parents=True)
            for number in range(60 if (split, label.title) == ("train", "church") else 1):
                (here / f"{label.wnid}_{number}.JPEG").write_bytes(picture)
    return folder


@pytest.fixture
def mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """The address of the settings, for an empty data folder."""
    with serving(Mirror(tgz(imagenette_members()))) as running:
        monkeypatch.setenv("AUGVIZ_IMAGENETTE_ADDRESS", running.url)
        monkeypatch.setenv("AUGVIZ_IMAGENETTE_MD5", running.md5)
        get_settings.cache_clear()
        yield running


def tab(looks_at: str = "") -> AppTest:
    """A visitor at the tab, who looks at a sample or an image of this name.

    Without the dialog: AppTest runs whole pages, which closes one.
    """

    def page() -> None:
        from augviz.ui import image_dialog, imagenette_tab, state

        state.get()
        imagenette_tab.show(image_dialog.choose_button, image_dialog.thumb)

    app = AppTest.from_function(page, default_timeout=60)
    if looks_at:
        app.session_state["explore"] = replace(state.first(), source=SourceRef("imagenette", looks_at))
    app.run()
    assert not app.exception
    return app


def source(app: AppTest) -> SourceRef:
    found: Explore = app.session_state["explore"]
    return found.source


def offered(app: AppTest) -> list[str]:
    """Names of the images that can be chosen."""
    return [button.key.removeprefix(CHOOSE) for button in app.button if (button.key or "").startswith(CHOOSE)]


def texts(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.caption, app.markdown, app.info, app.error) for element in kind)


def job(folder: Path) -> jobs.Job:
    found = jobs.find_job(imagenette_tab._downloads[str(folder)][0])
    assert found is not None
    return found


# With the data set


def test_the_first_class_is_shown_and_every_class_has_its_name_and_count(data: Path) -> None:
    app = tab()

    assert offered(app) == ["320/train/tench/n01440764_0.JPEG"]
    assert app.pills(key="explore.imagenette.class").options[:2] == ["tench :gray[1]", "English springer :gray[1]"]
    assert "church :gray[60]" in app.pills(key="explore.imagenette.class").options


def test_a_class_is_shown_page_by_page(data: Path) -> None:
    app = tab()
    app.pills(key="explore.imagenette.class").set_value("church").run()

    assert offered(app) == [f"320/train/church/n03028079_{number}.JPEG" for number in range(24)]

    app.pagination(key="explore.imagenette.page.320.train.church").set_value(3).run()

    assert offered(app) == [f"320/train/church/n03028079_{number}.JPEG" for number in range(48, 60)]


def test_the_other_split_is_shown(data: Path) -> None:
    app = tab()
    app.segmented_control(key="explore.imagenette.split").set_value("val").run()

    assert offered(app) == ["320/val/tench/n01440764_0.JPEG"]


def test_an_image_that_is_chosen_in_the_dialog_is_looked_at(data: Path) -> None:
    app = AppTest.from_file(str(SHELL), default_timeout=60).run()
    app.session_state["explore.image_tabs"] = "Imagenette"
    app.button(key="explore.change_image").click().run()
    app.button(key=f"{CHOOSE}320/train/tench/n01440764_0.JPEG").click().run()

    assert not app.exception
    assert source(app) == SourceRef("imagenette", "320/train/tench/n01440764_0.JPEG")
    assert any("64 × 64 · RGB 8 bit" in caption.value for caption in app.caption)


def test_a_random_image_is_one_of_the_split(data: Path) -> None:
    app = tab()
    app.segmented_control(key="explore.imagenette.split").set_value("val").run()
    app.button(key="explore.imagenette.random").click().run()

    assert source(app).kind == "imagenette"
    assert source(app).name.startswith("320/val/")


def test_the_tab_opens_at_the_image_that_is_looked_at_and_leads_to_its_neighbours(data: Path) -> None:
    app = tab("320/train/church/n03028079_48.JPEG")

    assert offered(app)[0] == "320/train/church/n03028079_48.JPEG"

    app.button(key="explore.imagenette.here.next").click().run()
    app.button(key="explore.imagenette.here.next").click().run()
    app.button(key="explore.imagenette.here.previous").click().run()

    assert source(app) == SourceRef("imagenette", "320/train/church/n03028079_49.JPEG")


def test_a_class_ends_at_its_first_and_last_image(data: Path) -> None:
    first, last = tab("320/train/church/n03028079_0.JPEG"), tab("320/train/church/n03028079_59.JPEG")

    assert [app.button(key="explore.imagenette.here.previous").disabled for app in (first, last)] == [True, False]
    assert [app.button(key="explore.imagenette.here.next").disabled for app in (first, last)] == [False, True]


def test_an_image_that_has_gone_is_no_place_to_begin_at(data: Path) -> None:
    app = tab("320/train/church/n03028079_99.JPEG")

    assert offered(app) == ["320/train/tench/n01440764_0.JPEG"]


def test_of_several_sizes_one_is_chosen(data: Path) -> None:
    shutil.copytree(data / "imagenette2-320", data / "imagenette2-160")
    app = tab()
    app.segmented_control(key="explore.imagenette.size").set_value("160").run()

    assert offered(app) == ["160/train/tench/n01440764_0.JPEG"]


def test_an_image_that_is_no_image_is_not_taken(data: Path) -> None:
    (data / "imagenette2-320/train/n01440764/n01440764_0.JPEG").write_bytes(b"no image")
    app = tab()
    app.button(key=f"{CHOOSE}320/train/tench/n01440764_0.JPEG").click().run()

    assert source(app) == SourceRef("sample", samples()[0].name)
    assert any("n01440764_0.JPEG" in error.value for error in app.error)


# Without


def test_without_the_data_set_sizes_and_free_disk_are_told_and_nothing_is_asked(mirror: Mirror, folder: Path) -> None:
    app = tab()

    assert offered(app) == []
    assert "About 342 MB from 127.0.0.1" in texts(app)
    assert "free on the disk" in texts(app)
    assert app.button(key="explore.imagenette.download").label == "Download about 342 MB"
    assert mirror.asked == []
    assert not folder.exists()


def test_another_size_is_another_amount(folder: Path) -> None:
    app = tab()
    app.segmented_control(key="explore.imagenette.download.size").set_value("full").run()

    assert app.button(key="explore.imagenette.download").label == "Download about 1.56 GB"


def test_the_button_downloads_and_the_images_are_shown(mirror: Mirror, folder: Path) -> None:
    app = tab()
    app.button(key="explore.imagenette.download").click().run()
    job(folder).result()
    app.run()

    assert not app.exception
    assert offered(app) == ["320/train/tench/n01440764_1.JPEG", "320/train/tench/n01440764_10.JPEG"]
    assert [path.name for path in folder.iterdir()] == ["imagenette2-320"]


def test_a_download_that_is_cancelled_can_be_gone_on_with(mirror: Mirror, folder: Path) -> None:
    mirror.hold = threading.Event()
    app = tab()
    app.button(key="explore.imagenette.download").click().run()
    half = len(mirror.content) // 2
    while job(folder).state == "running" and imagenette.begun_bytes(VARIANTS[0]) < half:
        job(folder).wait(0.01)
    app.button(key="explore.imagenette.cancel").click().run()

    assert not app.exception
    assert "cancelled; what has come is kept" in texts(app)
    assert "the download goes on from there" in texts(app)

    job(folder)._thread.join(10)
    mirror.hold.set()
    app.button(key="explore.imagenette.download").click().run()
    job(folder).result()

    assert mirror.asked == ["", f"bytes={half}-"]
    assert imagenette.present() == (VARIANTS[0],)


def test_a_download_that_fails_says_why_and_can_be_tried_again(mirror: Mirror, folder: Path) -> None:
    mirror.status = 404
    app = tab()
    app.button(key="explore.imagenette.download").click().run()
    job(folder).wait(60)
    app.run()

    assert [error.value for error in app.error] == ["imagenette2-320.tgz: the server answers 404: Not Found."]
    assert not app.button(key="explore.imagenette.download").disabled


def test_two_visitors_share_one_download(mirror: Mirror, folder: Path) -> None:
    mirror.hold = threading.Event()
    one, two = tab(), tab()
    one.button(key="explore.imagenette.download").click().run()
    first = job(folder)
    two.button(key="explore.imagenette.download").click().run()

    assert job(folder) is first
    assert two.button(key="explore.imagenette.cancel")

    mirror.hold.set()
    first.result()


def test_a_full_disk_is_told_before_a_job_is_started(
    mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    app = tab()
    app.button(key="explore.imagenette.download").click().run()

    assert [error.value for error in app.error] == [
        "imagenette2-320: it takes about 684 MB until it is unpacked, but 1 MB are free on the disk."
    ]
    assert str(folder) not in imagenette_tab._downloads


def test_the_sizes_that_are_missing_are_offered_beside_those_that_are_here(data: Path) -> None:
    app = tab()

    assert list(app.segmented_control(key="explore.imagenette.download.size").options) == ["160 px", "Full size"]
