"""A Chromium for the browser tests: one on the PATH, else the distribution's when root, else Playwright's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DOWNLOAD_SECONDS = 180

FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
"""Nothing in the background, so that a test may assert that no other host was asked for anything."""


class NoBrowserError(RuntimeError):
    """There is no Chromium, and none could be installed."""


def on_path() -> str | None:
    """The system's Chromium."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def downloaded() -> str | None:
    """The Chromium that Playwright downloaded earlier."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def executable() -> str:
    """Path of a Chromium. Raises NoBrowserError where there is none: browser tests never pass by not running."""
    found = on_path() or downloaded()
    if found is None:
        raise NoBrowserError("No Chromium was found; `make browser` installs one.")
    return found


def _run(*command: str, seconds: int) -> bool:
    """Whether a command ended well within its time."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, check=True, timeout=seconds, stdin=subprocess.DEVNULL, env=environment)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return False
    return True


def install() -> str:
    """Find a Chromium, or get one. Raises NoBrowserError."""
    if (found := on_path() or downloaded()) is not None:
        return found
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and shutil.which("apt-get"):
        _run("apt-get", "update", "-qq", seconds=300)
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", seconds=900)
        if (found := on_path()) is not None:
            return found
    if _run(sys.executable, "-m", "playwright", "install", "chromium", seconds=DOWNLOAD_SECONDS):
        return executable()
    raise NoBrowserError(
        "The browser tests need a Chromium, and none could be had: not on the PATH, not from the distribution, "
        f"and not by Playwright's download within {DOWNLOAD_SECONDS} seconds."
    )


if __name__ == "__main__":
    try:
        print(f"Browser: {install()}")
    except NoBrowserError as error:
        sys.exit(str(error))
