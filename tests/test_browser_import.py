"""A story in a real browser: a pipeline imported from files, more of them than the server keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from augviz.page_files import VISITOR_FILES
from tests.browsing import click, rest
from tests.live import LiveServer, live_server

pytestmark = pytest.mark.browser

CODE = "import albumentationsxl as A\n\ntransform = A.Compose([{}])\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("import")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(server.url)
    rest(opened)
    yield opened
    context.close()


def choose(page: Page, steps: int, padding: int = 0) -> None:
    text = CODE.format(", ".join(["A.HorizontalFlip(p=1.0)"] * steps)) + f"# {'a' * padding}"
    file = FilePayload(name=f"{steps}.py", mimeType="text/x-python", buffer=text.encode())
    page.locator("[data-testid='stFileUploader'] input[type=file]").set_input_files(file)


def test_file_after_file_is_imported(page: Page) -> None:
    for steps in range(1, VISITOR_FILES + 3):
        click(page, "explore-import")
        choose(page, steps)
        expect(page.get_by_role("dialog").get_by_text(f"{steps} step{'s' * (steps > 1)}", exact=True)).to_be_visible()
        click(page, "explore-import-take")
        expect(page.get_by_role("dialog")).to_be_hidden()
        rest(page)


def test_a_file_of_a_million_characters_is_read_and_a_larger_one_refused(page: Page) -> None:
    click(page, "explore-import")
    choose(page, 1, 999_000)
    expect(page.get_by_role("dialog").get_by_text("1 step", exact=True)).to_be_visible()
    choose(page, 2, 1_100_000)
    expect(page.get_by_role("dialog").get_by_text("File must be 1.0MB or smaller")).to_be_visible()
