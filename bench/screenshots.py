"""`make screenshots`: the README's pictures, taken from the real app at its first visit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests import chromium
from tests.live import ROOT, live_server

IMAGES = ROOT / "docs" / "images"
AT_REST = '.viewer[aria-busy="false"][data-quality="fine"]'
STILL = "[data-testid='stApp'][data-test-script-state='notRunning']"


def take(page: Page, name: str) -> None:
    """One picture of the window, when it is at rest."""
    page.wait_for_selector(STILL)
    page.wait_for_selector(AT_REST, timeout=60_000)
    page.wait_for_timeout(1500)  # Streamlit's fonts and tables fade in
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Take every picture that the README shows."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, live_server(Path(folder)) as server:
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=list(chromium.FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.url)
        take(page, "explore")
        page.locator(".st-key-explore-mode").get_by_text("Steps").click()
        page.wait_for_timeout(500)
        take(page, "steps")
        page.goto(f"{server.url}/memory")
        page.wait_for_selector(STILL)
        page.wait_for_timeout(3000)
        page.screenshot(path=IMAGES / "memory.png")
        browser.close()


if __name__ == "__main__":
    main()
