"""Stories in a real browser, one for each kind of image: open, first picture, export, run the export on that same file."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from augviz import engine, images, link, presets
from augviz.batches import enabled
from augviz.link import Link
from augviz.loading import PRESENT
from augviz.model import InputChoice
from augviz.sources import SourceRef
from tests.browsing import LOOK, RESULT, click, pixels, rest, shown_keys
from tests.kinds import KINDS, REFUSED, Kind, Refused
from tests.live import ROOT, LiveServer, live_server

pytestmark = pytest.mark.browser

UPLOADED = ("cmyk.jpg", "16-bit.png", "frames.gif", "7-bands-16.tif", "image.ome.tif")
"""Kinds that are sent from the browser; the others are opened from a folder of the server."""

MAX_FIXES = 3
"""Clicks on "fix" after which a picture must be there."""

TIMEOUT_MS = 60_000

STEPS = {step.transform: step.id for step in presets.FIRST.pipeline.leaves()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server allows, with one file of each kind."""
    made = tmp_path_factory.mktemp("kinds")
    for kind in KINDS.values():
        kind.make(made)
    for refused in REFUSED:
        refused.write(made / refused.name)
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("server"), AUGVIZ_FOLDERS=str(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One window for all stories; each begins with a visit of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    context.close()


@dataclass(frozen=True, slots=True)
class Exported:
    """A fresh process that runs an exported text, started early: it imports the library while the browser works."""

    process: subprocess.Popen[str]
    out: Path

    def run(self, **request: object) -> np.ndarray:
        """What the text makes."""
        _, errors = self.process.communicate(json.dumps([{**request, "out": str(self.out)}]), timeout=120)
        words = self.out.with_suffix(".txt")

        assert self.process.returncode == 0, errors[-2000:]
        assert not words.exists(), words.read_text()
        made: np.ndarray = np.load(self.out.with_suffix(".npy"))
        return made


@contextlib.contextmanager
def exporting(module: str, out: Path, cwd: Path = ROOT) -> Iterator[Exported]:
    """A process of `tests.run_exports` or `tests.run_draws` that waits for its request; ended at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", module, "/dev/stdin"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Exported(process, out)
        finally:
            process.kill()


def arrive(page: Page, address: str) -> None:
    """Open an address and wait for its picture. Nothing was clicked before, so that the first moment of rest counts."""
    page.goto(address)
    page.wait_for_function(
        f"""() => {{ const seen = ({LOOK})();
        return seen !== null && seen.idle && new Set(Object.values(seen.keys)).size === 1; }}"""
    )


def visit(page: Page, server: LiveServer, name: str) -> None:
    """Open a link to an image in the folder."""
    arrive(page, f"{server.url}/?s={link.encode(SourceRef('path', name), presets.FIRST.pipeline, 0)}")


def upload(page: Page, server: LiveServer, path: Path) -> None:
    """Send a file from the browser."""
    arrive(page, server.url)
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Upload").click()
    page.locator(".uploader input[type=file]").set_input_files(path)
    expect(page.locator(".st-key-explore-image")).to_contain_text(path.name, timeout=TIMEOUT_MS)
    rest(page)


def state_of(page: Page) -> Link:
    """What the page's address holds."""
    return link.decode(parse_qs(urlsplit(page.url).query)["s"][0])


def fixes(card: Page | Locator) -> Locator:
    return card.locator("[class*='st-key-explore-step-'][class*='-fix-'] button:visible")


def fix(page: Page) -> str:
    """Read the sentence about the step that broke, take its fix, and return the step's transform."""
    failure = page.locator(".viewer .failure")
    transform = failure.locator("strong").inner_text().removesuffix(" failed")
    card = page.locator(f".st-key-explore-card-{STEPS[transform]}")
    sentence = failure.locator("p:not(.aside)").inner_text()
    before = shown_keys(page)["picture"]

    expect(card.get_by_text(sentence)).to_have_count(1)
    expect(page.get_by_role("tabpanel").get_by_text(sentence)).not_to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)

    fixes(card).first.click()
    expect(page.locator(".viewer")).not_to_have_attribute("data-shown-key", before or "", timeout=TIMEOUT_MS)
    rest(page)
    return transform


def see_a_picture(page: Page, name: str) -> None:
    image = page.locator(RESULT)

    assert page.locator(".viewer .failure").count() == 0
    assert image.evaluate("i => i.naturalWidth") > 0
    assert (image.get_attribute("alt") or "").startswith(f"{name} after ")
    assert len(set(pixels(page))) > 8


def downloaded(page: Page, form: str, path: Path) -> str:
    """The text of the tab "Code" in a form, as a file that was downloaded."""
    page.get_by_role("tab", name="Code").click()
    if form != "Pipeline":
        page.locator(".st-key-explore-code").get_by_text(form, exact=True).click()
        expect(
            page.locator(".st-key-explore-code [aria-checked=true], .st-key-explore-code [kind$=Active]")
        ).to_have_text(form)
        rest(page)
    with page.expect_download() as started:
        click(page, "explore-download")
    started.value.save_as(path)
    return path.read_text()


def promised(page: Page) -> tuple[tuple[int, ...], str]:
    """Shape and dtype that the strip tells of the result."""
    strip = page.locator(".viewer .strip").inner_text()
    found = re.search(r"tensor \(([\d, ]+)\) (\w+)", strip)
    assert found, strip
    return tuple(map(int, found.group(1).split(","))), found.group(2)


def expect_this_draw_to_run(page: Page, path: Path, tmp_path: Path) -> None:
    """Take the shown draw away as a script, run it beside the image, and compare it with the engine."""
    with exporting("tests.run_draws", tmp_path / "draw", cwd=path.parent) as exported:
        text = downloaded(page, "This draw", tmp_path / "draw.py")
        made = exported.run(text=text)
    now = state_of(page)

    assert (made.shape, str(made.dtype)) == promised(page)
    assert np.array_equal(
        made, engine.apply(images.open_image(path, now.pipeline.input), now.pipeline, now.seed).array()
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_file_is_opened_seen_and_its_export_runs_on_it(
    kind: Kind, page: Page, server: LiveServer, folder: Path, tmp_path: Path
) -> None:
    path, broken = folder / kind.name, []
    with exporting("tests.run_exports", tmp_path / "result") as exported:
        if kind.name in UPLOADED:
            upload(page, server, path)
        else:
            visit(page, server, kind.name)
        while page.locator(".viewer .failure").count() and len(broken) < MAX_FIXES:
            broken.append(fix(page))
        see_a_picture(page, kind.name)
        now = state_of(page)

        assert broken[:1] == ([kind.refused_by] if kind.refused_by else [])

        if not now.pipeline.input.is_plain:  # a fix: what is fed is then part of the script of the draw
            expect_this_draw_to_run(page, path, tmp_path)
            return
        text = downloaded(page, "Pipeline", tmp_path / "transform.py")
        ids = [item.id for item in enabled(now.pipeline.steps)]
        made = exported.run(text=text, ids=ids, seed=now.seed, image=str(path))
    expected = engine.apply(images.open_image(path), now.pipeline, now.seed).array()

    assert (made.shape, str(made.dtype)) == promised(page)
    assert made.dtype == expected.dtype
    assert np.array_equal(made, expected)


def choose_input(page: Page, name: str, number: int) -> None:
    """Choose a page or a level in what the card's header tells."""
    before = shown_keys(page)["picture"]
    click(page, "explore-header")
    if name == "page":
        field = page.locator(".st-key-explore-input-page input")
        field.fill(str(number))
        field.press("Enter")
    else:
        page.locator(".st-key-explore-input-level [role=combobox], .st-key-explore-input-level input").first.click()
        page.get_by_role("option", name=re.compile(f"^{number}:")).click()
    expect(page.locator(".viewer")).not_to_have_attribute("data-shown-key", before or "", timeout=TIMEOUT_MS)
    page.keyboard.press("Escape")
    rest(page)


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("pages.tif", InputChoice(page=2)),
        ("frames.gif", InputChoice(page=1)),
        ("pyramid.tif", InputChoice(level=1)),
        ("subifds.tif", InputChoice(level=2)),
    ],
)
def test_a_page_or_level_is_chosen_and_the_export_opens_it(
    name: str, choice: InputChoice, page: Page, server: LiveServer, folder: Path, tmp_path: Path
) -> None:
    visit(page, server, name)
    first = pixels(page)
    part = "page" if choice.page else "level"
    choose_input(page, part, choice.page or choice.level or 0)
    see_a_picture(page, name)

    assert state_of(page).pipeline.input == choice
    assert part == "level" or pixels(page) != first
    expect_this_draw_to_run(page, folder / name, tmp_path)


def test_16_bit_is_made_8_bit_by_one_click_and_16_again_by_another(
    page: Page, server: LiveServer, folder: Path, tmp_path: Path
) -> None:
    visit(page, server, "uint16.tif")
    before, card = shown_keys(page)["picture"], page.locator(".st-key-explore-image")
    fixes(page.locator(".st-key-explore-card-brightness")).first.click()
    expect(card).to_contain_text("RGB 8 bit")
    rest(page)
    see_a_picture(page, "uint16.tif")
    expect_this_draw_to_run(page, folder / "uint16.tif", tmp_path)
    click(page, "explore-undo")
    expect(card).to_contain_text("RGB 16 bit")

    assert rest(page)["picture"] == before


def test_a_fix_is_undone_and_done_again(page: Page, server: LiveServer) -> None:
    visit(page, server, "grey.jpg")
    before = shown_keys(page)["picture"]
    fix(page)
    fixed = shown_keys(page)["picture"]
    click(page, "explore-undo")
    page.locator(".viewer .failure").wait_for()

    assert rest(page)["picture"] == before

    click(page, "explore-redo")
    expect(page.locator(".viewer .failure")).to_have_count(0)

    assert rest(page)["picture"] == fixed
    see_a_picture(page, "grey.jpg")


def expect_one_sentence(alerts: Locator, name: str, words: str) -> None:
    expect(alerts).to_have_count(1, timeout=TIMEOUT_MS)
    text = alerts.inner_text()

    assert f"{name}: " in text
    assert words.replace("`", "") in text


@pytest.mark.parametrize("refused", REFUSED, ids=[refused.name for refused in REFUSED])
def test_a_kind_that_is_not_opened_is_told_in_one_sentence_beside_a_picture(
    refused: Refused, page: Page, server: LiveServer
) -> None:
    if refused.loader in PRESENT:
        pytest.skip(f"this build of libvips opens {refused.loader}")
    visit(page, server, refused.name)

    expect_one_sentence(page.get_by_test_id("stAlert"), refused.name, refused.words)
    see_a_picture(page, "astronaut.png")


@pytest.mark.parametrize("name", ["double.tif", "planes.tif"])
def test_what_cannot_be_opened_leaves_the_image_that_is_looked_at(
    name: str, page: Page, server: LiveServer, folder: Path
) -> None:
    words = next(refused.words for refused in REFUSED if refused.name == name)
    visit(page, server, "baseline.jpg")
    before = shown_keys(page)
    click(page, "explore-change_image")
    dialog = page.get_by_role("dialog")
    if name == "double.tif":
        dialog.get_by_role("tab", name="Upload").click()
        page.locator(".uploader input[type=file]").set_input_files(folder / name)
    else:
        dialog.get_by_role("tab", name="Folder").click()
        page.locator(".st-key-explore-path input").fill(str(folder / name))
        page.locator(".st-key-explore-path input").press("Enter")
        click(page, "explore-open_path")

    expect_one_sentence(dialog.get_by_test_id("stAlert"), name, words)

    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)

    assert rest(page) == before
    see_a_picture(page, "baseline.jpg")


def test_one_click_goes_back_from_an_image_whose_pixels_cannot_be_read(
    page: Page, server: LiveServer, folder: Path
) -> None:
    whole = (folder / "8-bit.png").read_bytes()
    middle = len(whole) // 2
    (folder / "damaged.png").write_bytes(whole[:middle] + bytes(99) + whole[middle + 99 :])
    visit(page, server, "damaged.png")
    failure = page.locator(".viewer .failure")

    expect(failure.locator("p")).to_have_count(1)
    expect(failure.locator("p")).to_contain_text("damaged.png: the file is damaged, cut short or not supported")

    failure.get_by_role("button", name="Back to the sample").click()
    expect(page.locator(".st-key-explore-image")).to_contain_text("astronaut.png", timeout=TIMEOUT_MS)
    rest(page)
    see_a_picture(page, "astronaut.png")


def test_one_click_goes_back_from_an_image_that_has_gone(page: Page, server: LiveServer, folder: Path) -> None:
    (folder / "gone.png").write_bytes((folder / "8-bit.png").read_bytes())
    visit(page, server, "gone.png")
    (folder / "gone.png").unlink()
    click(page, "explore-new_draws")
    expect_one_sentence(page.get_by_test_id("stAlert"), "gone.png", "there is no such file")
    click(page, "explore-to_sample")
    expect(page.locator(".st-key-explore-image")).to_contain_text("astronaut.png", timeout=TIMEOUT_MS)
    rest(page)

    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    see_a_picture(page, "astronaut.png")
