"""How the browser tests look at Explore and use it, by keys and labels."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, TimeoutError

STILL = "[data-testid='stApp'][data-test-script-state='notRunning']"
RESULT = ".viewer figure.after img"

FIND = """
  const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot && e.shadowRoot.querySelector('.viewer'));
  const viewer = host && host.shadowRoot.querySelector('.viewer');
"""

LOOK = f"""() => {{{FIND}
  const app = document.querySelector("[data-testid='stApp']"), text = document.querySelector('.st-key-explore-key');
  if (!app || !viewer || !text) return null;
  const idle = app.dataset.testScriptState === 'notRunning' && viewer.getAttribute('aria-busy') === 'false'
    && ['fine', 'error'].includes(viewer.dataset.quality);
  const keys = {{ asked: viewer.dataset.key, picture: viewer.dataset.shownKey,
    strip: viewer.querySelector('.strip').dataset.key, text: text.innerText.trim().split(/\\s+/).pop() }};
  return {{ idle, keys }};
}}"""
"""Whether the page has nothing to do, and the key that each part of it carries, all at one moment."""

QUIET_SECONDS = 0.5
"""A page that has had nothing to do for this long has heard of what was clicked before."""

PIXELS = """image => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 32;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0, 32, 32);
  return [...context.getImageData(0, 0, 32, 32).data];
}"""


def rest(page: Page, seconds: float = 60) -> dict[str, str | None]:
    """Wait until the page has nothing to do and all its parts carry one key; returns the parts' keys."""
    end = time.monotonic() + seconds
    since, before = time.monotonic(), None
    while True:
        seen, now = page.evaluate(LOOK), time.monotonic()
        if seen is None or not seen["idle"] or len(set(seen["keys"].values())) != 1 or seen != before:
            since, before = now, seen
        if now - since >= QUIET_SECONDS:
            keys: dict[str, str | None] = seen["keys"]
            return keys
        assert now < end, f"the page has not come to rest with one key: {seen}"
        page.wait_for_timeout(50)


def shown_keys(page: Page) -> dict[str, str | None]:
    """The key that each part of the page carries."""
    keys: dict[str, str | None] = page.evaluate(LOOK)["keys"]
    return keys


def click(page: Page, key: str) -> None:
    page.locator(f".st-key-{key} button:visible").first.click()


def pixels(page: Page, selector: str = RESULT) -> list[int]:
    found: list[int] = page.locator(selector).first.evaluate(PIXELS)
    return found


def act(page: Page, step: str, *actions: str) -> None:
    """Choose an action in a step's menu, the first that is there.

    A run of the page that is still under way closes the menu; then it is opened again.
    """
    item = page.get_by_role("menuitem", name=re.compile("|".join(actions))).first
    for _ in range(20):
        click(page, f"explore-step-{step}-menu")
        try:
            item.click(timeout=3000)
        except TimeoutError:
            page.keyboard.press("Escape")
        else:
            return
    raise AssertionError(f"the menu of {step} never stayed open")
