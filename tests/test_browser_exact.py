"""Stories in a real browser: the precise picture on request, and the exact preview beside its preview."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from augviz import link, saved
from augviz.model import Pipeline
from augviz.sources import SourceRef
from tests.browsing import RESULT, click, pixels, rest
from tests.folders import below
from tests.live import LiveServer, live_server, until
from tests.samples import rgb

pytestmark = pytest.mark.browser

TIMEOUT_MS = 120_000
SIDE = 4096


def steps(*transforms: dict[str, object]) -> Pipeline:
    return saved.load({"format": 1, "steps": list(transforms)})


QUICK = steps({"id": "m", "transform": "Blur", "p": 1.0, "args": {"blur_limit": [9, 9]}})
SLOW = steps(
    *({"id": f"m{n}", "transform": "MedianBlur", "p": 1.0, "args": {"blur_limit": [21, 21]}} for n in range(4))
)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of 4096 pixels a side."""
    path = tmp_path_factory.mktemp("images") / "photo.tif"
    rgb(512, 512).resize(SIDE / 512, kernel="cubic").tiffsave(str(path), tile=True)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, photo: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("exact"), base_path="lab", AUGVIZ_FOLDERS=str(photo.parent)) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    context.close()


def address(server: LiveServer, photo: Path, pipeline: Pipeline, path: str) -> str:
    return f"{server.url}/{path}?s={link.encode(SourceRef('path', str(photo)), pipeline, 3)}"


def stored(server: LiveServer) -> list[Path]:
    """The files that the server keeps for its visitors."""
    return below(server.log.parent / "cache" / "uploads")


def test_the_exact_result_stands_beside_its_preview(page: Page, server: LiveServer, photo: Path) -> None:
    page.goto(address(server, photo, QUICK, "inspect"))
    section = page.locator(".st-key-inspect-exact")
    click(page, "inspect-exact-make")
    pictures = section.locator("img")
    expect(pictures).to_have_count(3, timeout=TIMEOUT_MS)
    page.wait_for_function(
        "[...document.querySelectorAll('.st-key-inspect-exact img')].every(image => image.naturalWidth === 1024)"
    )

    expect(section.get_by_test_id("stMetricValue")).to_contain_text("dB")
    expect(section).to_contain_text("dB from the exact result")
    expect(section).to_contain_text("times amplified")
    exact, preview, _ = (pixels(page, f".st-key-inspect-exact figure:nth-of-type({n}) img") for n in (1, 2, 3))
    assert max(abs(one - other) for one, other in zip(exact, preview, strict=True)) <= 8
    assert stored(server) == []


def test_an_exact_result_that_takes_too_long_is_cancelled(page: Page, server: LiveServer, photo: Path) -> None:
    page.goto(address(server, photo, SLOW, "inspect"))
    section = page.locator(".st-key-inspect-exact")
    click(page, "inspect-exact-make")
    expect(section).to_contain_text("Making the full-size result", timeout=TIMEOUT_MS)
    click(page, "inspect-exact-cancel")

    expect(section).to_contain_text("cancelled, nothing was kept")
    expect(section.get_by_role("button", name="Make the exact result")).to_be_enabled()
    until(lambda: stored(server) == [])


def test_a_precise_picture_comes_on_request_and_goes_with_a_change(page: Page, server: LiveServer, photo: Path) -> None:
    page.goto(address(server, photo, QUICK, ""))
    rest(page)
    button = page.locator(".viewer .precise")
    expect(button).to_have_text("Precise")
    before = page.locator(RESULT).get_attribute("src")
    page.keyboard.press("Alt+KeyP")
    expect(page.locator(".viewer")).to_have_attribute("data-quality", "precise", timeout=TIMEOUT_MS)

    expect(page.locator(".viewer figure.after figcaption")).to_contain_text("precise")
    expect(page.locator(".viewer .strip")).to_contain_text("precise")
    expect(button).to_be_hidden()
    assert page.locator(RESULT).get_attribute("src") != before

    click(page, "explore-new_draws")
    expect(page.locator(".viewer")).to_have_attribute("data-quality", "fine", timeout=TIMEOUT_MS)
    rest(page)

    expect(button).to_have_text("Precise")
    expect(page.locator(".viewer figure.after figcaption")).not_to_contain_text("precise")
