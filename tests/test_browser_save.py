"""A story in a real browser: the shown draw is saved at full size and taken away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips
from playwright.sync_api import Browser, Download, Page, expect

from augviz import presets, saved
from tests import samples
from tests.browsing import click, rest
from tests.folders import below
from tests.live import ROOT, LiveServer, live_server, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("save"), base_path="lab") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    """A visitor who looks at the tab "Save"."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(server.url)
    rest(opened)
    opened.get_by_role("tab", name="Save").click()
    opened.locator(".st-key-explore-save-make").wait_for()
    yield opened
    context.close()


def downloaded(page: Page, link: str, path: Path) -> str:
    """Follow a link, which the browser opens beside the page; keep the file, and give its name."""
    found: list[Download] = []

    def listen(opened: Page) -> None:
        opened.on("download", lambda download: found.append(download))

    page.context.on("page", listen)
    listen(page)
    page.get_by_role("link", name=link).click()
    until(lambda: page.wait_for_timeout(50) or found)
    found[0].save_as(path)
    return found[0].suggested_filename


def stored(server: LiveServer) -> list[Path]:
    """The files that the server keeps for its visitors."""
    return below(server.log.parent / "cache" / "uploads")


def test_the_shown_draw_is_taken_away_at_full_size(page: Page, server: LiveServer, tmp_path: Path) -> None:
    click(page, "explore-new_draws")
    rest(page)
    click(page, "explore-save-make")
    page.get_by_role("link", name="astronaut_seed1.tif").wait_for()
    click(page, "explore-new_draws")  # the file stays that of the draw before
    rest(page)
    name = downloaded(page, "astronaut_seed1.tif", tmp_path / "here.tif")
    (tmp_path / "pipeline.json").write_text(saved.dumps(presets.FIRST.pipeline))
    command = ["apply", samples.path(), tmp_path / "pipeline.json", "--seed", "1", "-o", tmp_path / "there.tif"]
    subprocess.run([sys.executable, "-m", "augviz", *map(str, command)], cwd=ROOT, check=True, timeout=240)
    here, there = (pyvips.Image.new_from_file(str(tmp_path / f"{place}.tif")) for place in ("here", "there"))

    assert name == "astronaut_seed1.tif"
    assert (here.width, here.height, here.bands, here.format) == (there.width, there.height, there.bands, there.format)
    assert (here - there).abs().max() == 0
    expect(page.get_by_text("another recipe is shown now")).to_be_visible()

    page.get_by_role("button", name="Delete now").click()
    expect(page.get_by_role("link", name="astronaut_seed1.tif")).to_have_count(0)
    assert stored(server) == []


def test_the_contact_sheet_is_a_picture_of_its_draws(page: Page, tmp_path: Path) -> None:
    name = downloaded(page, "Download the contact sheet", tmp_path / "sheet.png")
    image: Any = pyvips.Image.new_from_file(str(tmp_path / "sheet.png"))

    assert name == "contact-sheet.png"
    assert image.width > 3 * 384
    assert image.bands == 3
