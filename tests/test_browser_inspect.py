"""Stories in a real browser: what a visitor sees and does on Inspect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import pyvips
from playwright.sync_api import Browser, Locator, Page, expect

from augviz import engine, link, saved
from augviz.sources import SourceRef
from tests import shared_tiles
from tests.browsing import STILL
from tests.live import LiveServer, live_server
from tests.samples import rgb

pytestmark = pytest.mark.browser

TIMEOUT_MS = 60_000
READY = '.inspector[aria-busy="false"]'
FLAT_SIDE = 100_000

FLIP = {"id": "f", "transform": "HorizontalFlip", "p": 1.0}
TURN = {"id": "r", "transform": "Rotate", "p": 1.0, "args": {"limit": [-40, 40], "value": [255, 255, 255]}}
LIGHT = {"id": "b", "transform": "RandomBrightnessContrast", "p": 1.0}
BROKEN = {"id": "x", "transform": "Crop", "p": 1.0, "args": {"x_max": 90_000, "y_max": 90_000}}

SHOWN = """([x, y, name]) => {
  const stage = document.querySelectorAll('*');
  const host = [...stage].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
  const map = host.shadowRoot.querySelector('.map.' + name), box = map.getBoundingClientRect();
  const at = [box.left + x, box.top + y];
  for (const tile of [...map.querySelectorAll('img.leaflet-tile-loaded')].reverse()) {
    const own = tile.getBoundingClientRect();
    if (at[0] < own.left || at[0] >= own.right || at[1] < own.top || at[1] >= own.bottom) continue;
    const canvas = document.createElement('canvas');
    canvas.width = tile.naturalWidth; canvas.height = tile.naturalHeight;
    const context = canvas.getContext('2d');
    context.drawImage(tile, 0, 0);
    const column = Math.floor((at[0] - own.left) / own.width * canvas.width);
    const row = Math.floor((at[1] - own.top) / own.height * canvas.height);
    return [...context.getImageData(column, row, 1, 1).data].slice(0, 3);
  }
  return null;
}"""
"""The colour of the tile that lies at a point of a map; null where there is none."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of odd sides in full colour, a flat one of 100,000 pixels a side with three details, and one pixel."""
    made = tmp_path_factory.mktemp("images")
    photo().write_to_file(str(made / "photo.tif"), tile=True)
    rgb(1, 1).write_to_file(str(made / "one.tif"))
    shared_tiles.flat(made / "flat.tif", FLAT_SIDE, {(0, 0): detail(), (195, 195): detail(), (390, 12): detail()})
    assert (made / "flat.tif").stat().st_size < 200e6
    return made


def photo() -> pyvips.Image:
    return rgb(420, 330).resize(4.1, kernel="cubic").crop(0, 0, 1701, 1335).copy(xres=2000, yres=2000).copy_memory()


def detail() -> np.ndarray:
    """Bright red with thin lines, unlike all around it."""
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[:, :, 0] = 220
    pixels[::32] = 255
    return pixels


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("server"), AUGVIZ_FOLDERS=str(folder)) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    context.close()


def visit(page: Page, server: LiveServer, name: str, *steps: dict[str, Any], seed: int = 0) -> None:
    """Open an image and its steps on Explore by a link, and go to Inspect."""
    pipeline = saved.load({"format": 1, "steps": list(steps)})
    page.goto(f"{server.url}/?s={link.encode(SourceRef('path', name), pipeline, seed)}")
    page.wait_for_selector(".viewer")
    page.get_by_role("link", name="Inspect").click()
    page.wait_for_selector(".inspector")
    settled(page)


def settled(page: Page) -> None:
    """Wait until all tiles of what is asked for are there."""
    page.wait_for_selector(STILL)
    page.wait_for_function(
        """() => {
          const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.inspector'));
          const seen = host && host.shadowRoot.querySelector('.inspector');
          return seen && seen.getAttribute('aria-busy') === 'false' && seen.dataset.shownKey === seen.dataset.key;
        }"""
    )


def viewer(page: Page) -> Locator:
    return page.locator(".inspector")


def look(page: Page, mode: str) -> None:
    viewer(page).get_by_role("button", name=mode, exact=True).click()
    settled(page)


def go(page: Page, x: int, y: int) -> None:
    form = viewer(page).locator(".goto")
    form.locator("[name=x]").fill(str(x))
    form.locator("[name=y]").fill(str(y))
    form.get_by_role("button", name="Go").click()
    settled(page)


def zoom_text(page: Page) -> str:
    return viewer(page).locator(".zoom").inner_text()


def center(page: Page) -> list[int]:
    return [int(part) for part in (viewer(page).get_attribute("data-center") or "").split(",")]


def pointed(page: Page, dx: float = 0, dy: float = 0, name: str = "main") -> tuple[int, int, list[int] | None]:
    """The position that is told, and the colour that is shown, at so many pixels of the screen from a map's middle."""
    box = viewer(page).locator(f".map.{name}").bounding_box()
    assert box
    x, y = round(box["width"] / 2 + dx), round(box["height"] / 2 + dy)
    page.mouse.move(round(box["x"]) + x, round(box["y"]) + y)
    told = viewer(page).locator(".position").inner_text().replace("x ", "").replace("y ", "").split(", ")
    shown = colour(page, round(box["x"]) + x - box["x"] + 0.01, round(box["y"]) + y - box["y"] + 0.01, name)
    return int(told[0]), int(told[1]), shown


def probed(page: Page, name: str = "main") -> list[int]:
    """The pixel whose values a click on the middle pixel of the screen of a map asks for."""
    box = viewer(page).locator(f".map.{name}").bounding_box()
    assert box
    with page.expect_request("**/probe/*.json*", timeout=20_000) as asked:
        page.mouse.click(box["x"] + box["width"] // 2, box["y"] + box["height"] // 2)
    query = parse_qs(urlsplit(asked.value.url).query)
    return [int(query["x"][0]), int(query["y"][0])]


def resized(page: Page, width: int, height: int) -> None:
    """Have another viewport, and wait until the viewer has been laid out in it."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("([width, height]) => innerWidth === width && innerHeight === height", arg=[width, height])
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    settled(page)


def colour(page: Page, x: float, y: float, name: str = "main") -> list[int] | None:
    found: list[int] | None = page.evaluate(SHOWN, [x, y, name])
    return found


def whole(map: Locator) -> bool:
    """Whether it begins at a pixel of the screen: else the browser would blur what it shows 1:1."""
    box = map.bounding_box()
    return bool(box and box["x"] == int(box["x"]) and box["y"] == int(box["y"]))


def middle(page: Page, name: str = "main") -> tuple[float, float]:
    box = viewer(page).locator(f".map.{name}").bounding_box()
    assert box
    return box["width"] / 2, box["height"] / 2


def test_the_whole_result_is_shown_at_first_and_its_tiles_are_pictures(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP)
    tiles = viewer(page).locator(".main img.leaflet-tile-loaded")
    x, y = middle(page)

    assert zoom_text(page) == "25 %"
    assert viewer(page).get_attribute("data-truth") == "to scale"
    assert tiles.count() >= 2
    assert tiles.evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    whole = photo().fliphor().resize(0.25)
    for dx, dy in [(0, 0), (100, 60), (-150, -80)]:
        seen = colour(page, x + dx, y + dy)
        around = whole.crop(int(whole.width / 2) + dx - 2, int(whole.height / 2) + dy - 2, 5, 5).numpy()
        assert seen is not None
        low, high = around.min(axis=(0, 1)).astype(int) - 25, around.max(axis=(0, 1)).astype(int) + 25
        assert all(low <= seen)
        assert all(seen <= high)


def test_at_100_percent_and_beyond_pixels_are_those_of_the_result(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP, LIGHT)
    result = engine.apply(photo(), saved.load({"format": 1, "steps": [FLIP, LIGHT]}), 0).image
    go(page, 1300, 900)
    assert zoom_text(page) == "100 %"
    expect(viewer(page).locator(".truth")).to_contain_text("Exact")

    for zoom, percent in [(1, "100 %"), (8, "800 %")]:
        while zoom_text(page) != percent:
            viewer(page).get_by_role("button", name="Zoom in").click()
        settled(page)
        for dx, dy in [(0, 0), (180, 79), (-225, -117)]:
            x, y, shown = pointed(page, dx, dy)
            assert abs(x - (1300 + dx / zoom)) <= 1.5
            assert abs(y - (900 + dy / zoom)) <= 1.5
            assert shown == result(x, y)
    rendering = (
        viewer(page).locator(".main img.leaflet-tile").first.evaluate("tile => getComputedStyle(tile).imageRendering")
    )
    assert rendering == "pixelated"


def test_nothing_moves_by_a_pixel_between_two_levels(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif")
    for level in (-2, -1):
        page.evaluate("() => window.scrollTo(0, 0)")
        boxes = (
            viewer(page)
            .locator(".main img.leaflet-tile-loaded")
            .evaluate_all(
                "all => all.map(one => one.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
            )
        )
        left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
        assert abs((right - left) - 1701 * 2.0**level) <= 0.5 or right - left > 1100  # or its end is out of sight
        assert abs((bottom - top) - 1335 * 2.0**level) <= 0.5 or bottom - top > 500
        viewer(page).get_by_role("button", name="Zoom in").click()
        settled(page)


def test_original_and_result_are_looked_at_in_four_ways(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP)
    go(page, 1000, 700)
    source, result = photo(), photo().fliphor()
    x, y, shown = pointed(page)
    assert shown == result(x, y)

    look(page, "Original")
    assert pointed(page) == (x, y, source(x, y))
    page.keyboard.press("o")
    settled(page)
    assert pointed(page) == (x, y, result(x, y))

    look(page, "Curtain")
    assert viewer(page).locator(".leaflet-pane").evaluate_all("all => all.filter(one => one.style.clip).length") == 1
    slider = viewer(page).get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "52"

    look(page, "Side by side")
    for name, image in (("main", result), ("twin", source)):
        x, y, shown = pointed(page, 30, 40, name)
        assert (x - 1030, y - 740) == pytest.approx((0, 0), abs=1)
        assert shown == image(x, y)
    assert [whole(viewer(page).locator(name)) for name in (".main", ".twin")] == [True, True]
    box = viewer(page).locator(".twin").bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 170, steps=4)
    page.mouse.up()
    settled(page)
    at_x, at_y = center(page)
    assert abs(at_x - 1060) <= 1
    assert abs(at_y - 730) <= 1
    x, y, shown = pointed(page)
    assert shown == result(x, y)


def test_the_original_of_a_crop_lies_behind_the_result(page: Page, server: LiveServer) -> None:
    crop = {"transform": "Crop", "p": 1.0, "args": {"x_min": 601, "y_min": 303, "x_max": 1501, "y_max": 1103}}
    visit(page, server, "photo.tif", crop)
    go(page, 300, 200)
    x, y, shown = pointed(page)
    assert shown == photo()(601 + x, 303 + y)
    look(page, "Original")

    x, y, shown = pointed(page, 9, 7)
    assert shown == photo()(601 + x, 303 + y)


@pytest.mark.parametrize(("width", "height"), [(700, 550), (3402, 2670)])
def test_the_original_of_a_resize_is_shown_as_large(page: Page, server: LiveServer, width: int, height: int) -> None:
    visit(page, server, "photo.tif", {"transform": "Resize", "p": 1.0, "args": {"width": width, "height": height}})
    go(page, width // 2, height // 2)
    look(page, "Original")
    for dx, dy in [(0, 0), (150, 90), (-200, -120)]:
        x, y, shown = pointed(page, dx, dy)
        at_x, at_y = int((x + 0.5) * 1701 / width), int((y + 0.5) * 1335 / height)
        around = photo().crop(at_x - 3, at_y - 3, 7, 7).numpy().astype(int)
        assert shown is not None
        assert all(around.min(axis=(0, 1)) - 8 <= shown)
        assert all(shown <= around.max(axis=(0, 1)) + 8)


def test_a_place_is_kept_when_the_draw_changes_and_after_another_page(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", TURN)
    go(page, 812, 644)
    look(page, "Curtain")
    key, where = viewer(page).get_attribute("data-shown-key"), center(page)
    page.get_by_role("button", name="New draw").click()
    page.wait_for_function(
        """key => { const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot
          && e.shadowRoot.querySelector('.inspector'));
          const now = host.shadowRoot.querySelector('.inspector').dataset.shownKey; return now && now !== key; }""",
        arg=key,
    )
    assert (center(page), zoom_text(page)) == (where, "100 %")

    for _ in range(3):
        page.get_by_role("link", name="Explore").click()
        page.wait_for_selector(".viewer")
        page.get_by_role("link", name="Inspect").click()
        page.wait_for_selector(".inspector")
        settled(page)
        assert center(page) == pytest.approx(where, abs=1)  # whole pixels of the screen
        assert zoom_text(page) == "100 %"
    assert viewer(page).get_attribute("data-mode") == "Curtain"


def test_a_reload_keeps_image_steps_and_draw(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", TURN)
    page.wait_for_url("**/inspect?s=*")
    before, recipe = page.url, page.locator(".st-key-inspect-key")
    old = recipe.inner_text()
    page.get_by_role("button", name="New draw").click()
    seed = page.locator(".st-key-inspect-seed input")
    expect(seed).to_have_value("1")
    page.wait_for_url(lambda address: address != before)
    expect(recipe).not_to_have_text(old)
    key = recipe.inner_text()

    page.reload()
    expect(seed).to_have_value("1")
    settled(page)

    expect(recipe).to_have_text(key)
    expect(page.locator(".st-key-inspect-toolbar")).to_contain_text("photo.tif after Rotate")


def test_a_click_tells_the_values_before_and_after_each_step(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP, LIGHT)
    go(page, 500, 400)
    x, y = middle(page)
    viewer(page).locator(".main").click(position={"x": x + 30.5, "y": y + 12.5})
    rows = viewer(page).locator(".probe tbody tr")
    expect(rows).to_have_count(3)
    heading = viewer(page).locator(".probe thead th").first.inner_text()
    at_x, at_y = (int(part) for part in heading.removeprefix("Result pixel ").split(","))
    before = photo()(1700 - at_x, at_y)
    after = engine.apply(photo(), saved.load({"format": 1, "steps": [FLIP, LIGHT]}), 0).image(at_x, at_y)
    cells = [[cell.inner_text() for cell in row.locator("td").all()] for row in rows.all()]

    assert abs(at_x - 530) <= 1
    assert abs(at_y - 412) <= 1
    assert cells == [
        ["Original", f"{1700 - at_x}, {at_y}", text_of(before), "uint8"],
        ["1 HorizontalFlip", f"{at_x}, {at_y}", text_of(before), "uint8"],
        ["2 RandomBrightnessContrast", f"{at_x}, {at_y}", text_of(after), "uint8"],
    ]


def text_of(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def test_a_window_is_measured_at_full_size(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP)
    go(page, 850, 700)
    viewer(page).get_by_role("button", name="Measure the window").click()
    figures = page.locator(".st-key-inspect-window")
    expect(figures).to_contain_text("Result, uint8")
    expect(figures).to_contain_text("Original, uint8")
    expect(figures.locator("[data-testid='stDataFrame']")).to_have_count(2)
    text = figures.inner_text()

    assert "pixels from" in text
    assert figures.is_visible()

    viewer(page).get_by_role("button", name="Fit").click()
    settled(page)
    page.get_by_role("button", name="New draw").click()
    expect(figures).to_have_count(0)  # they were those of another draw


def test_keys_zoom_and_choose_and_do_not_reach_the_page_around(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP)
    viewer(page).locator(".main").focus()
    page.keyboard.press("1")
    settled(page)
    assert zoom_text(page) == "100 %"
    before = center(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert center(page)[0] > before[0]
    page.keyboard.press("+")
    settled(page)
    assert zoom_text(page) == "200 %"
    page.keyboard.press("c")
    settled(page)
    assert viewer(page).get_attribute("data-mode") == "Curtain"
    page.keyboard.press("s")
    settled(page)
    assert viewer(page).get_attribute("data-mode") == "Side by side"
    page.keyboard.press("0")
    settled(page)
    assert zoom_text(page) == "25 %"
    assert page.get_by_role("dialog").count() == 0


def test_it_fills_the_screen_has_a_scale_and_an_overview_that_leads_there(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP)
    expect(viewer(page).get_by_role("button", name="Full screen")).to_be_visible()
    expect(viewer(page).locator(".scale")).to_contain_text("µm")
    viewer(page).get_by_role("button", name="1:1").click()
    settled(page)
    overview = viewer(page).locator(".overview img")
    box = overview.bounding_box()
    assert box
    overview.click(position={"x": box["width"] * 0.25, "y": box["height"] * 0.75})
    settled(page)
    x, y = center(page)

    assert abs(x - 1701 * 0.25) < 30
    assert abs(y - 1335 * 0.75) < 30
    viewer(page).get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => document.fullscreenElement !== null")


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1281, 900), (1280, 901), (1281, 901)])
def test_a_place_that_is_gone_to_is_in_the_middle_at_each_zoom(
    page: Page, server: LiveServer, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    visit(page, server, "photo.tif")
    for x, y in [(700, 500), (701, 500), (699, 499), (702, 503), (0, 0), (1700, 1334), (300, 1000)]:
        go(page, x, y)
        assert (zoom_text(page), center(page), probed(page)) == ("100 %", [x, y], [x, y])
    for percent in ("200 %", "400 %", "3200 %"):
        while zoom_text(page) != percent:
            viewer(page).get_by_role("button", name="Zoom in").click()
        for x, y in [(1700, 1334), (701, 500), (700, 500), (0, 0)]:
            go(page, x, y)
            assert (center(page), probed(page)) == ([x, y], [x, y])


def test_the_middle_stays_when_the_viewer_s_size_changes(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif")
    go(page, 700, 500)
    for width, height in [(1280, 901), (1281, 900), (1283, 902), (1340, 801), (1280, 800)]:
        resized(page, width, height)
        assert (center(page), probed(page)) == ([700, 500], [700, 500])
    look(page, "Side by side")
    for name in ("main", "twin"):
        assert probed(page, name) == [700, 500]


@pytest.mark.parametrize("height", [900, 901])
def test_an_image_of_one_pixel_is_in_the_middle_however_it_is_looked_at(
    page: Page, server: LiveServer, height: int
) -> None:
    page.set_viewport_size({"width": 1280, "height": height})
    visit(page, server, "one.tif")
    assert (center(page), probed(page)) == ([0, 0], [0, 0])
    viewer(page).get_by_role("button", name="Zoom out").click()
    settled(page)
    assert center(page) == [0, 0]
    go(page, 0, 0)
    assert (zoom_text(page), center(page), probed(page)) == ("100 %", [0, 0], [0, 0])


def test_a_place_outside_is_refused_where_it_was_typed(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif")
    form = viewer(page).locator(".goto")
    form.locator("[name=x]").fill("1701")
    form.locator("[name=y]").fill("3")
    form.get_by_role("button", name="Go").click()

    assert form.locator("[name=x]").get_attribute("aria-invalid") == "true"
    assert form.locator("[name=x]").get_attribute("title") == "From 0 to 1700"
    assert zoom_text(page) == "25 %"


def test_a_broken_step_s_sentence_stands_in_the_place_of_the_tiles(page: Page, server: LiveServer) -> None:
    visit(page, server, "photo.tif", FLIP, BROKEN)

    expect(viewer(page).locator(".words")).to_contain_text("Crop")
    assert viewer(page).get_attribute("aria-busy") == "false"
    assert viewer(page).locator(".bar").is_hidden()


def test_100000_pixels_a_side_are_looked_at_like_any_other_image(page: Page, server: LiveServer) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit(page, server, "flat.tif", FLIP, {"transform": "GaussianBlur", "p": 1.0, "args": {"sigma_limit": [1, 1]}})
    assert zoom_text(page).startswith("0.")
    assert center(page) == pytest.approx([FLAT_SIDE // 2] * 2, abs=256)  # a pixel of the screen

    column = FLAT_SIDE - 1 - (195 * 256 + 128)
    go(page, column, 195 * 256 + 144)  # between two lines
    x, y = middle(page)
    red = colour(page, x, y)
    assert red is not None
    assert red[0] > 180
    assert red[1] < 100
    assert colour(page, x + 300, y) == [200, 210, 220]

    viewer(page).locator(".main").click(position={"x": x + 0.5, "y": y + 0.5})
    expect(viewer(page).locator(".probe tbody tr")).to_have_count(3)
    heading = viewer(page).locator(".probe thead th").first.inner_text()
    at_x, at_y = (int(part) for part in heading.removeprefix("Result pixel ").split(","))
    assert viewer(page).locator(".probe tbody td").nth(1).inner_text() == f"{FLAT_SIDE - 1 - at_x}, {at_y}"
    tiles = [url for url in asked if "/augviz/tile/" in url]
    assert 0 < len(tiles) < 150  # there are 152,881 at full size alone


def test_no_other_host_is_asked_for_anything(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    foreign: list[str] = []

    def note(request: Any) -> None:
        if not request.url.startswith((server.url, server.url.replace("http", "ws"), "data:", "blob:")):
            foreign.append(request.url)

    context.on("request", note)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    visit(page, server, "photo.tif", FLIP)
    look(page, "Side by side")
    context.close()

    assert foreign == []
