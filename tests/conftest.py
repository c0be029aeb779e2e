"""What several test files share: a browser for each, the main module and a cache for all, and progress that is always told."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from augviz import context
from augviz.settings import get_settings
from augviz.uploads import get_uploads
from tests import chromium

MAIN = sys.modules["__main__"]

expect.set_options(timeout=30_000)  # of a slow or busy machine, too: what is waited for ends the wait


@pytest.fixture(scope="session", autouse=True)
def a_cache_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the app of whoever runs the tests has in its cache is neither read nor changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUGVIZ_CACHE_FOLDER", str(tmp_path_factory.mktemp("cache")))
        get_settings.cache_clear()
        yield


@pytest.fixture(autouse=True)
def the_main_module_stays() -> Iterator[None]:
    """AppTest leaves the page that it has run as the main module, which processes that are spawned later would run again."""
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture
def own_uploads() -> Iterator[None]:
    """Settings and uploads are made anew for the test; those of tests before it are closed first, not only forgotten."""
    _forget_uploads()
    yield
    _forget_uploads()


def _forget_uploads() -> None:
    get_uploads().close()
    get_uploads.cache_clear()
    get_settings.cache_clear()


@pytest.fixture
def every_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within the tenth of a second in which a fast machine may be done."""
    monkeypatch.setattr(context, "_PROGRESS_SECONDS", 0.0)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=chromium.executable(), args=list(chromium.FLAGS))
    yield launched
    launched.close()
