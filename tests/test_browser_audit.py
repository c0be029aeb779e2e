"""The page Audit in a real browser: failures that one click makes again, an audit that goes on, figures to take away, uploads."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Download, Page, TimeoutError, expect

from augviz import audit, link, saved
from augviz.sources import SourceRef
from tests import samples
from tests.browsing import RESULT, STILL, click, rest
from tests.live import LiveServer, live_server, until
from tests.test_browser_security import LISTEN, Watched
from tests.test_cli import augviz

pytestmark = pytest.mark.browser

TIMEOUT_MS = 60_000
FAILURES = ".st-key-audit-failures .dvn-scroller"
CROPPED = {
    "format": 1,
    "steps": [
        {"id": "f", "transform": "HorizontalFlip", "p": 1.0},
        {"id": "c", "transform": "CenterCrop", "args": {"height": 128, "width": 128}, "p": 1.0},
    ],
}
"""Cannot be made of an image that is smaller than 128 pixels."""

TOO_SMALL = "step 2, CenterCrop: Requested crop size (128, 128) is larger than the image size (70, 90)"
BROKEN = "broken.jpg: the file is damaged, cut short or still being written: the mark of its end is missing."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs, one that is too small, and one that was cut off; and below `many` enough for an audit that takes long."""
    place = tmp_path_factory.mktemp("data").resolve()
    for name in ("few/cats", "few/dogs", "many"):
        (place / name).mkdir(parents=True)
    for number in range(6):
        samples.rgb(200 + number, 150).jpegsave(str(place / "few" / ("cats", "dogs")[number % 2] / f"{number}.jpg"))
    samples.rgb(90, 70).pngsave(str(place / "few/cats/small.png"))
    samples.rgb(300, 300).jpegsave(str(place / "few/dogs/broken.jpg"))
    (place / "few/dogs/broken.jpg").write_bytes((place / "few/dogs/broken.jpg").read_bytes()[:5000])
    for number in range(20):
        samples.rgb(480 + number, 400).jpegsave(str(place / "many" / f"{number}.jpg"))
    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("server"), AUGVIZ_FOLDERS=str(folder)) as running:
        yield running


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(LISTEN)
    opened = Watched(context)
    opened.page.set_default_timeout(TIMEOUT_MS)
    yield opened
    context.close()


def visit(page: Page, server: LiveServer, folder: Path) -> None:
    """Open the pipeline on Explore by a link, go to Audit, and enter the folder."""
    page.goto(f"{server.url}/?s={link.encode(SourceRef('sample', 'astronaut'), saved.load(CROPPED), 3)}")
    rest(page)
    to_audit(page)
    expect(page.get_by_text("HorizontalFlip → CenterCrop")).to_be_visible()
    field = page.locator(".st-key-audit-folder input")
    field.fill(str(folder))
    field.press("Enter")
    page.wait_for_selector(STILL)


def to_audit(page: Page) -> None:
    page.get_by_role("link", name="Audit").click()
    page.wait_for_url("**/audit")
    page.wait_for_selector(".st-key-audit-start button:enabled")
    page.wait_for_selector(STILL)


def audited(page: Page) -> None:
    click(page, "audit-start")
    page.wait_for_selector(".st-key-audit-csv a")
    page.wait_for_selector(STILL)


def open_failure(page: Page, row: int) -> None:
    """Click on the button of a row of the table of failures, which is drawn on a canvas."""
    table = page.locator(FAILURES).first
    table.click(position={"x": 36, "y": 35 * row + 52})
    page.wait_for_selector(".st-key-explore-seed input")


def choose_case(page: Page, kind: str) -> None:
    """Choose a draw of a kind. Scrolling to the list closes it; then it is opened again."""
    choice = page.get_by_role("option", name=re.compile(f"^{kind}")).first
    for _ in range(20):
        page.locator(".st-key-audit-case button").click()
        try:
            choice.click(timeout=2000)
        except TimeoutError:
            page.keyboard.press("Escape")
        else:
            page.wait_for_selector(STILL)
            return
    raise AssertionError("the list of draws never stayed open")


def seed(page: Page) -> int:
    return int(page.locator(".st-key-explore-seed input").input_value())


def complaints(watched: Watched) -> list[Any]:
    """Those of the browser, but that a picture that cannot be made was refused, as it should be."""
    return [said for said in watched.violations() if "status of 422" not in said]


def taken(page: Page, name: str) -> Path:
    with page.expect_download() as download:
        click(page, f"audit-{name}")

    assert download.value.suggested_filename == f"audit.{name}"
    return Path(download.value.path())


def table_of(page: Page) -> Path:
    """Follow the link of the table, which the browser opens beside the page."""
    found: list[Download] = []

    def listen(opened: Page) -> None:
        opened.on("download", lambda download: found.append(download))

    page.context.on("page", listen)
    listen(page)
    page.locator(".st-key-audit-csv a").click()
    until(lambda: page.wait_for_timeout(50) or found)
    assert found[0].suggested_filename == "audit.csv"
    return Path(found[0].path())


def test_failures_are_told_by_image_and_step_and_one_click_makes_each_again(
    watched: Watched, server: LiveServer, folder: Path
) -> None:
    page = watched.page
    visit(page, server, folder / "few")
    audited(page)
    main = page.locator("[data-testid=stMain]")
    expect(main).to_contain_text("8 of 8")
    expect(main).to_contain_text("2 of 8 draws failed: 1 at the file, 1 at step 2, CenterCrop.")
    expect(main).to_contain_text("128 × 128 × 3 uint8")
    table = page.locator(".st-key-audit-failures canvas").first
    expect(table).to_contain_text(TOO_SMALL)
    expect(table).to_contain_text(BROKEN)
    expect(page.locator(".st-key-audit-chart-seconds .main-svg").first).to_be_visible()
    report = json.loads(taken(page, "json").read_text())

    open_failure(page, 0)
    expect(page.locator(".viewer")).to_contain_text(TOO_SMALL, ignore_case=True)
    assert seed(page) == audit.seed_of(0, "cats/small.png", 0) == report["failures"][0]["seed"]
    expect(page.locator(".st-key-explore-image")).to_contain_text("small.png")

    to_audit(page)
    page.wait_for_selector(FAILURES)
    page.wait_for_selector(STILL)
    open_failure(page, 1)
    expect(page.locator("[data-testid=stMain]")).to_contain_text(BROKEN)
    assert seed(page) == audit.seed_of(0, "dogs/broken.jpg", 0)

    to_audit(page)
    expect(page.locator(".st-key-audit-chart-seconds .main-svg").first).to_be_visible()
    page.wait_for_selector(STILL)
    choose_case(page, "slow")
    click(page, "audit-open")
    page.wait_for_selector(".st-key-explore-seed input")
    rest(page)
    slowest = report["cost"]["slowest"][0]
    assert seed(page) == slowest["seed"]
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0
    expect(page.locator(".st-key-explore-image")).to_contain_text(Path(slowest["image"]).name)
    assert complaints(watched) == []


def test_what_is_taken_away_is_what_the_command_line_finds(
    watched: Watched, server: LiveServer, folder: Path, tmp_path: Path
) -> None:
    page = watched.page
    visit(page, server, folder / "few")
    page.locator(".st-key-audit-draws input").fill("2")
    page.keyboard.press("Tab")
    page.wait_for_selector(STILL)
    audited(page)
    expect(page.locator("[data-testid=stMain]")).to_contain_text("16 draws", use_inner_text=False)
    report, table = json.loads(taken(page, "json").read_text()), table_of(page)
    normalize = page.locator("[data-testid=stCode]").inner_text()

    (tmp_path / "p.json").write_text(json.dumps(CROPPED))
    told = augviz(
        "audit",
        folder / "few",
        tmp_path / "p.json",
        "--draws",
        2,
        "--json",
        "--csv",
        tmp_path / "a.csv",
        AUGVIZ_FOLDERS=str(folder),
    )
    expected = json.loads(told.stdout.replace(str(tmp_path / "p.json"), "PIPELINE"))
    assert told.returncode == 1
    assert {**report, "cost": None} == {**expected, "cost": None}
    assert report["cost"]["seconds"]["count"] == 12
    assert rows(table) == rows(tmp_path / "a.csv")
    assert len(rows(table)) == report["draws"]["done"] == 16
    [after] = report["after"]
    mean, std = ([round(value, 4) for value in after[key]] for key in ("mean", "std"))
    assert "".join(normalize.split()) == f"A.Normalize(mean={mean},std={std})".replace(" ", "")
    assert complaints(watched) == []


def rows(path: Path) -> list[dict[str, Any]]:
    """A table without what differs from run to run."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            {key: value for key, value in row.items() if key not in ("seconds", "peak_bytes")}
            for row in csv.DictReader(file)
        ]


def test_an_audit_that_was_cancelled_goes_on_from_what_is_known(
    watched: Watched, server: LiveServer, folder: Path
) -> None:
    page = watched.page
    visit(page, server, folder / "many")
    page.locator(".st-key-audit-draws input").fill("500")
    page.keyboard.press("Tab")
    page.wait_for_selector(STILL)
    click(page, "audit-start")
    progress = page.locator(".st-key-audit-progress")
    expect(progress).to_contain_text(re.compile(r"[1-9]\d* of 10000 draws"))
    assert page.locator(".st-key-audit-start button:visible").first.is_disabled()
    click(page, "audit-cancel")
    expect(progress).to_have_count(0)
    expect(page.get_by_text("The audit was cancelled.")).to_be_visible()
    page.wait_for_selector(STILL)
    done = json.loads(taken(page, "json").read_text())["draws"]["done"]
    assert 0 < done < 10_000
    assert len(rows(table_of(page))) == done

    click(page, "audit-start")
    expect(progress).to_contain_text(f"{done} of them known from before")
    expect(progress).to_contain_text("to go")
    assert int((progress.inner_text()).split(" of ")[0]) >= done
    click(page, "audit-cancel")
    expect(progress).to_have_count(0)
    page.wait_for_selector(STILL)

    assert json.loads(taken(page, "json").read_text())["draws"]["done"] > done
    assert complaints(watched) == []


def test_a_page_that_is_loaded_anew_finds_its_audit_again(watched: Watched, server: LiveServer, folder: Path) -> None:
    page = watched.page
    visit(page, server, folder / "many")
    page.locator(".st-key-audit-draws input").fill("400")
    page.keyboard.press("Tab")
    page.wait_for_selector(STILL)
    click(page, "audit-start")
    progress = page.locator(".st-key-audit-progress")
    expect(progress).to_contain_text("of 8000 draws")
    page.reload()
    expect(progress).to_contain_text(re.compile(r"[1-9]\d* of 8000 draws"), timeout=TIMEOUT_MS)
    click(page, "audit-cancel")

    expect(page.get_by_text("The audit was cancelled.")).to_be_visible()
    expect(page.get_by_text("400 draws of each image, seed 0")).to_be_visible()

    page.reload()

    expect(page.get_by_text("The audit was cancelled.")).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.get_by_text("400 draws of each image, seed 0")).to_be_visible()
    page.wait_for_selector(STILL)
    assert json.loads(taken(page, "json").read_text())["draws"]["done"] > 0
    assert complaints(watched) == []


def test_uploads_are_audited_and_a_failed_one_is_opened(watched: Watched, server: LiveServer, folder: Path) -> None:
    page = watched.page
    page.goto(f"{server.url}/?s={link.encode(SourceRef('sample', 'astronaut'), saved.load(CROPPED), 3)}")
    rest(page)
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.get_by_role("button", name="Choose files").wait_for()
    files = [folder / "few" / name for name in ("cats/0.jpg", "cats/2.jpg", "cats/small.png")]
    page.locator(".uploader input[type=file]").set_input_files(files)
    page.get_by_role("button", name="Delete now").nth(2).wait_for()
    page.keyboard.press("Escape")
    rest(page)
    to_audit(page)
    page.locator(".st-key-audit-kind").get_by_text("Uploads", exact=True).click()
    expect(page.get_by_text("3 files that you have sent.")).to_be_visible()
    page.wait_for_selector(STILL)
    audited(page)
    expect(page.locator("[data-testid=stMain]")).to_contain_text("1 of 3 draws failed: 1 at step 2, CenterCrop.")
    report = json.loads(taken(page, "json").read_text())
    [failed] = report["failures"]
    assert failed["image"] == "small.png"

    open_failure(page, 0)
    expect(page.locator(".viewer")).to_contain_text(TOO_SMALL, ignore_case=True)
    expect(page.locator(".st-key-explore-image")).to_contain_text("small.png")
    assert seed(page) == failed["seed"]
    assert complaints(watched) == []
