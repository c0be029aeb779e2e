"""Stories in a real browser: what a visitor sees and does on Explore."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from augviz import presets, sources
from tests.browsing import FIND, RESULT, STILL, act, click, pixels, rest, shown_keys
from tests.live import ROOT, LiveServer, live_server
from tests.samples import rgb

pytestmark = pytest.mark.browser

WATCH = f"""() => {{{FIND}
  window.seen = {{ empty: 0, outside: 0, mixed: 0, frames: 0 }};
  const look = () => {{
    const images = [...viewer.querySelectorAll('img')], frame = viewer.querySelector('.frame').getBoundingClientRect();
    window.seen.frames += 1;
    if (!images.length || images.some(i => !i.naturalWidth)) window.seen.empty += 1;
    const inside = frame.top >= 0 && frame.left >= 0 && frame.bottom <= innerHeight && frame.right <= innerWidth;
    if (!inside) window.seen.outside += 1;
    if (viewer.dataset.shownKey !== viewer.querySelector('.strip').dataset.key) window.seen.mixed += 1;
    requestAnimationFrame(look);
  }};
  look();
}}"""
"""Looks at every frame that the browser draws: is there a picture, is it inside the window, is the strip below its own?"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server allows."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("explore"), AUGVIZ_FOLDERS=str(folder)) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Page]:
    """A visitor at rest on Explore, in a window of 1280 x 800."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(server.url)
    rest(opened)
    yield opened
    context.close()


def test_a_visitor_sees_a_picture_at_once(page: Page) -> None:
    image = page.locator(RESULT)
    values = pixels(page)

    assert image.evaluate("i => i.naturalWidth") >= 512
    assert len(set(values)) > 50
    assert len(set(shown_keys(page).values())) == 1
    assert (image.get_attribute("alt") or "").startswith("astronaut.png after RandomBrightnessContrast")


def test_image_pipeline_and_result_fit_a_window_of_1280_by_800(page: Page) -> None:
    for selector in (".st-key-explore-image", ".st-key-explore-editor", ".viewer .frame", ".viewer .strip"):
        box = page.locator(selector).bounding_box()

        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= 1280
        assert box["y"] + box["height"] <= 800


def test_the_arrow_keys_move_a_slider_and_the_picture_follows(page: Page) -> None:
    before, key = pixels(page), shown_keys(page)["picture"]
    click(page, "explore-step-rotate-open")
    slider = page.locator(".st-key-explore-step-rotate-limit input[type=range]").first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer")).not_to_have_attribute("data-shown-key", key or "")
    rest(page)

    assert pixels(page) != before
    assert len(set(shown_keys(page).values())) == 1


def test_without_its_feed_the_picture_follows_with_the_page(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.route_web_socket("**/augviz/feed/**", lambda socket: socket.close())
    opened.goto(server.url)
    rest(opened)
    before = shown_keys(opened)["picture"]
    click(opened, "explore-new_draws")
    expect(opened.locator(".viewer")).not_to_have_attribute("data-shown-key", before or "")
    rest(opened)
    keys = shown_keys(opened)
    context.close()

    assert set(keys.values()) == {keys["picture"]} != {before}


def test_the_arrow_keys_draw_the_curtain(page: Page) -> None:
    page.locator(".st-key-explore-mode").get_by_text("Curtain", exact=True).click()
    handle = page.get_by_role("slider", name="Curtain between original and result")
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")

    expect(handle).to_have_attribute("aria-valuenow", "46")

    page.keyboard.press("Home")

    expect(handle).to_have_attribute("aria-valuenow", "0")


def test_a_shortcut_draws_the_curtain_and_takes_it_away(page: Page) -> None:
    page.keyboard.press("Alt+KeyC")

    expect(page.locator(".viewer .handle")).to_have_count(1)

    rest(page)
    page.keyboard.press("Alt+KeyC")

    expect(page.locator(".viewer figure.after")).to_have_count(1)
    expect(page.locator(".viewer .handle")).to_have_count(0)


@pytest.mark.parametrize("mode", ["Curtain", "Draws", "Steps"])
def test_the_toolbar_fits_a_window_of_1280_pixels_and_moves_nothing(page: Page, mode: str) -> None:
    top = page.locator(".viewer .frame").evaluate("e => e.getBoundingClientRect().top")
    page.locator(".st-key-explore-mode").get_by_text(mode, exact=True).click()
    page.locator(f".viewer {'.handle' if mode == 'Curtain' else '.tile'}").first.wait_for()
    rest(page)
    toolbar = page.locator(".st-key-explore-toolbar")

    assert toolbar.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    assert toolbar.evaluate("e => getComputedStyle(e).overflowY") == "visible"
    assert page.locator(".viewer .frame").evaluate("e => e.getBoundingClientRect().top") == top


def test_beside_an_image_that_is_damaged_stands_no_picture_of_another(page: Page, folder: Path) -> None:
    whole: bytes = rgb(512, 512).pngsave_buffer()
    middle = len(whole) // 2
    (folder / "damaged.png").write_bytes(whole[:middle] + bytes(99) + whole[middle + 99 :])
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Folder").click()
    page.locator(".st-key-explore-path input").fill(str(folder / "damaged.png"))
    page.locator(".st-key-explore-path input").press("Enter")
    click(page, "explore-open_path")
    expect(page.locator(".viewer .failure")).to_contain_text("damaged.png")
    rest(page)

    expect(page.locator(".viewer figure.before img")).to_have_count(0)
    expect(page.locator(".viewer figure.before figcaption")).to_have_text("Original")


def test_after_a_synthetic_image_is_cancelled_another_can_be_made(page: Page) -> None:
    click(page, "explore-change_image")
    page.get_by_role("tab", name="Synthetic").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make").nth(2).click()
    click(page, "explore-job-cancel")

    expect(dialog).to_contain_text("cancelled, nothing was kept")
    expect(dialog.get_by_role("button", name="Make").first).to_be_enabled()


def test_a_transform_is_added_from_its_page(page: Page) -> None:
    page.get_by_role("link", name="Transforms").click()
    page.locator(".st-key-transforms-words input").fill("divides by zero")
    table = page.get_by_test_id("stDataFrame")
    table.wait_for()
    page.wait_for_function(  # one row is left, below the head
        "() => (document.querySelector('[data-testid=stDataFrame]')?.getBoundingClientRect().height ?? 999) < 120"
    )
    box = table.locator("canvas").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 45)
    click(page, "transforms-add")
    rest(page)

    expect(page.locator(".st-key-explore-step-s1-open")).to_contain_text("AdvancedBlur")


def test_a_draw_that_is_clicked_becomes_the_selected_one(page: Page) -> None:
    page.locator(".st-key-explore-mode").get_by_text("Draws", exact=True).click()
    page.locator(".viewer .tile").nth(3).wait_for()
    rest(page)
    page.locator(".viewer .tile").nth(2).click()
    expect(page.locator(".viewer .tile").nth(2)).to_have_attribute("aria-pressed", "true")
    rest(page)
    page.locator(".st-key-explore-mode").get_by_text("Compare", exact=True).click()
    page.locator(RESULT).wait_for()
    rest(page)

    expect(page.locator(".st-key-explore-seed input")).to_have_value("2")
    assert len(set(shown_keys(page).values())) == 1


def test_every_step_has_its_picture_size_and_time(page: Page) -> None:
    page.locator(".st-key-explore-mode").get_by_text("Steps", exact=True).click()
    tiles = page.locator(".viewer .tile")
    expect(tiles).to_have_count(5)
    rest(page)

    expect(tiles.nth(3)).to_contain_text("3 Normalize")
    expect(tiles.nth(3)).to_contain_text("float32")
    expect(tiles.nth(3)).to_contain_text("ms")
    assert tiles.nth(3).locator("img").evaluate("i => i.naturalWidth") > 100


def test_values_that_leave_the_range_of_a_screen_are_seen_at_a_glance(page: Page) -> None:
    strip = page.locator(".viewer .strip")

    expect(strip).to_contain_text("−2.12 … 1136")
    expect(strip).to_contain_text("Values leave what a screen can show")


def test_a_failing_step_says_so_in_the_pictures_place_beside_the_last_good_picture(page: Page) -> None:
    click(page, "explore-change_image")
    click(page, "explore-sample-coins")
    failure = page.locator(".viewer .failure")
    failure.wait_for()
    rest(page)

    expect(failure.get_by_role("alert")).to_contain_text("RandomBrightnessContrast")
    expect(failure.locator("img")).to_have_attribute("alt", "coins.png, original")
    assert len(set(shown_keys(page).values())) == 1

    page.locator(".st-key-explore-step-brightness-enabled label").first.click()
    expect(failure).to_have_count(0)
    rest(page)

    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0


def test_a_step_is_found_by_words_and_added(page: Page) -> None:
    key = shown_keys(page)["picture"]
    click(page, "explore-add")
    page.locator(".st-key-explore-picker-words input").fill("gamma")
    click(page, "explore-picker-add-RandomGamma")
    number = page.locator('[class*="-gamma_limit-low"] input').first
    number.wait_for()
    rest(page)

    assert shown_keys(page)["picture"] != key
    assert page.locator(RESULT).evaluate("i => i.naturalWidth") > 0


def test_steps_are_reordered_duplicated_and_deleted_by_their_menu(page: Page) -> None:
    def order() -> list[str]:
        return page.locator('[class*="st-key-explore-step-"][class*="-open"]').all_inner_texts()

    act(page, "rotate", "Move up")
    page.wait_for_selector(STILL)
    rest(page)
    first = [text.split("\n")[-1] for text in order()]

    assert first[0].endswith("Rotate")

    act(page, "rotate", "Delete")
    expect(page.locator(".st-key-explore-step-rotate-open")).to_have_count(0)
    rest(page)

    assert len(set(shown_keys(page).values())) == 1


def test_two_visitors_with_different_seeds_see_their_own_draws(browser: Browser, server: LiveServer) -> None:
    contexts = [browser.new_context(viewport={"width": 1280, "height": 800}) for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for opened, seed in zip(pages, ("3", "11"), strict=True):
        opened.set_default_timeout(60_000)
        opened.goto(server.url)
        opened.locator(".st-key-explore-seed input").fill(seed)
        opened.locator(".st-key-explore-seed input").press("Enter")
    for opened, seed in zip(pages, ("3", "11"), strict=True):
        expect(opened.locator(".st-key-explore-drawn table")).to_have_attribute(
            "aria-label", f"What each step drew with seed {seed}", timeout=60_000
        )
        rest(opened)
    seen = [pixels(opened) for opened in pages]
    keys = [shown_keys(opened) for opened in pages]
    for context in contexts:
        context.close()

    assert seen[0] != seen[1]
    assert all(len(set(found.values())) == 1 for found in keys)
    assert keys[0]["picture"] != keys[1]["picture"]


def test_no_other_host_is_asked_for_anything(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened, foreign = context.new_page(), []

    def note(request: Any) -> None:
        if not request.url.startswith((server.url, server.url.replace("http", "ws"), "data:", "blob:")):
            foreign.append(request.url)

    context.on("request", note)
    opened.set_default_timeout(60_000)
    opened.goto(server.url)
    rest(opened)
    opened.get_by_role("tab", name="Values and histogram").click()
    opened.locator(".js-plotly-plot").first.wait_for()
    opened.get_by_role("link", name="Transforms").click()
    opened.get_by_role("heading", name="Transforms").wait_for()
    opened.wait_for_selector(STILL)
    context.close()

    assert foreign == []


def test_a_deep_link_first_after_a_start_shows_the_page_and_the_navigation(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with live_server(tmp_path_factory.mktemp("cold")) as cold:
        context = browser.new_context()
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        opened.goto(f"{cold.url}/transforms")
        opened.get_by_role("heading", name="Transforms").wait_for()
        links = opened.get_by_test_id("stSidebarNav").get_by_role("link").all_inner_texts()
        context.close()

    assert [link.split("\n")[-1] for link in links] == [
        "Explore",
        "Inspect",
        "Measure",
        "Audit",
        "Memory",
        "Transforms",
    ]


def test_below_a_base_path_pictures_and_feed_are_found(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with live_server(tmp_path_factory.mktemp("base"), base_path="lab/augviz") as based:
        context = browser.new_context()
        opened, feeds = context.new_page(), []
        opened.on("websocket", lambda socket: feeds.append(socket.url))
        opened.set_default_timeout(60_000)
        opened.goto(based.url)
        rest(opened)
        width = opened.locator(RESULT).evaluate("i => i.naturalWidth")
        context.close()

    assert width > 0
    assert any("/lab/augviz/augviz/feed/" in url for url in feeds)


def test_the_exported_code_makes_the_draw_that_was_looked_at(page: Page, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Code").click()
    with page.expect_download() as started:
        click(page, "explore-download")
    started.value.save_as(tmp_path / "transform.py")
    sample = sources.resolve(sources.SourceRef("sample", "astronaut"))
    ids = [item.id for item in presets.FIRST.pipeline.steps]
    text = (tmp_path / "transform.py").read_text()
    request = {"text": text, "ids": ids, "seed": 0, "image": str(sample), "out": str(tmp_path / "result")}
    (tmp_path / "requests.json").write_text(json.dumps([request]))
    command = [sys.executable, "-m", "tests.run_exports", str(tmp_path / "requests.json")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    made = np.load(tmp_path / "result.npy")

    # What is on the screen: "result tensor (3, 586, 586) float32", "values -2.12 ... 1136".
    strip = page.locator(".viewer .strip")
    expect(strip).to_contain_text(f"tensor ({made.shape[0]}, {made.shape[1]}, {made.shape[2]}) {made.dtype}")
    expect(strip).to_contain_text(f"{made.min():.2f} … {made.max():.0f}".replace("-", "−"))


def test_a_copied_link_opens_what_was_on_the_screen(browser: Browser, page: Page, server: LiveServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".st-key-explore-step-brightness-enabled label").first.click()
    click(page, "explore-new_draws")
    keys = rest(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    other = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = other.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(copied)
    theirs, shown = rest(opened), opened.locator(RESULT).get_attribute("alt")
    opened.reload()
    again = rest(opened)
    other.close()

    assert copied.startswith(f"{server.url}/?s=")
    assert theirs == again
    assert theirs != keys  # addresses are bound to their visitor
    assert shown == page.locator(RESULT).get_attribute("alt")  # the same image, steps and drawn angle


def test_back_shows_what_was_there_before(page: Page) -> None:
    click(page, "explore-new_draws")
    first = rest(page)
    click(page, "explore-new_draws")
    rest(page)
    page.wait_for_timeout(2000)  # a sooner one could be the browser's own echo
    page.go_back()
    seed = page.locator(".st-key-explore-seed input")
    expect(seed).to_have_value("1")

    assert rest(page) == first


def test_back_to_the_plain_address_shows_what_was_there_at_first_and_another_page_changes_nothing(page: Page) -> None:
    at_first = rest(page)
    click(page, "explore-new_draws")
    changed = rest(page)
    page.get_by_role("link", name="Transforms").click()
    expect(page.get_by_role("heading", name="Transforms")).to_be_visible()
    page.get_by_role("link", name="Explore").click()
    expect(page.locator(".st-key-explore-seed input")).to_have_value("1")
    assert rest(page) == changed

    page.reload()
    assert rest(page) == changed
    page.goto(page.url.split("?")[0] + "?")
    assert rest(page) == at_first
    click(page, "explore-new_draws")
    page.wait_for_url("**?s=*")
    page.wait_for_timeout(2000)  # a sooner one could be the browser's own echo
    page.go_back()
    expect(page.locator(".st-key-explore-seed input")).to_have_value("0")
    assert rest(page) == at_first


def test_fifty_quick_edits_never_mix_two_recipes_nor_empty_the_frame(page: Page) -> None:
    page.evaluate(WATCH)
    click(page, "explore-step-rotate-open")
    slider = page.locator(".st-key-explore-step-rotate-limit input[type=range]").first
    slider.wait_for()
    rests = []
    for _round in range(5):
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(40)
        click(page, "explore-new_draws")
        click(page, "explore-undo")
        page.locator(".st-key-explore-step-brightness-enabled label").first.click()
        act(page, "brightness", "Move down", "Move up")  # the last has no way down
        click(page, "explore-undo")
        rests.append(rest(page))
        slider = page.locator(".st-key-explore-step-rotate-limit input[type=range]").first
    seen = page.evaluate("() => window.seen")

    assert len({keys["picture"] for keys in rests}) == 5  # each round ends at a recipe of its own
    assert seen["frames"] > 50
    assert seen["empty"] == 0
    assert seen["outside"] == 0
    assert seen["mixed"] == 0


def test_a_narrow_window_shows_the_cards_below_the_picture(page: Page) -> None:
    page.set_viewport_size({"width": 700, "height": 900})
    rest(page)
    card = page.locator(".st-key-explore-step-rotate-open").bounding_box()
    picture = page.locator(RESULT).bounding_box()

    assert card is not None
    assert picture is not None
    assert card["y"] > picture["y"] + picture["height"]
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollWidth <= main.clientWidth")
