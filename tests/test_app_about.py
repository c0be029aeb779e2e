"""The panel "About this server", and what visitors see who may not see the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from augviz.settings import get_settings
from augviz.ui import about

SHELL = str(Path(__file__).parent.parent / "augviz" / "ui" / "shell.py")


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def opened() -> AppTest:
    app = AppTest.from_file(SHELL, default_timeout=60).run()
    return app.button(key="about.open").click().run()


def text_of(app: AppTest) -> str:
    """All words of the page."""
    return "\n".join([*(one.value for one in app.markdown), *(one.value for one in app.caption)])


def test_the_panel_tells_versions_and_where_data_goes(monkeypatch: pytest.MonkeyPatch, fresh_settings: None) -> None:
    monkeypatch.setenv("AUGVIZ_UPLOAD_GRACE_SECONDS", "40 min")
    monkeypatch.setenv("AUGVIZ_AUDIT_DAYS", "1")
    app = opened()
    text = text_of(app)

    assert not app.exception
    assert all(sentence in text for sentence in about.data_sentences(get_settings()))
    assert "40 min" in text
    assert "with the names of its files, are kept on this server, so that it can go on, for 1 day after" in text
    assert all(f"{name} {number}" in text for name, number in about.versions().items())
    assert {"augviz", "albumentationsxl", "pyvips", "streamlit", "Python"} <= set(about.versions())


def test_the_limits_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch, fresh_settings: None) -> None:
    for name, value in {"UPLOAD_BYTES": "123 MB", "PIXEL_LIMIT": "77 MP", "WORKERS": "3", "VIEW_SECONDS": "11"}.items():
        monkeypatch.setenv(f"AUGVIZ_{name}", value)
    limits = about.limits(get_settings())
    [table] = opened().table

    assert list(table.value.iloc[:, 0]) == list(limits.values())
    assert limits["Upload"].startswith("123 MB a file")
    assert limits["Image"] == "77 megapixels"
    assert limits["View"].startswith("11 s")
    assert limits["Render processes"].startswith("3, ")


def test_what_is_limited_for_a_visitor_is_told_and_what_is_not_is_left_out(
    monkeypatch: pytest.MonkeyPatch, fresh_settings: None
) -> None:
    names = ("MAX_SESSIONS", "QUEUE", "QUEUE_PER_VISITOR", "RENDERS_PER_VISITOR", "UPLOAD_IDLE_SECONDS", "AUDIT_DAYS")
    names += ("AUDIT_SECONDS",)
    told = ("Browser windows", "Pictures and figures that wait", "Upload that stops", "Findings of audits are kept")
    for name, value in zip(names, ("7", "55", "44", "2", "33 s", "9", "5 min"), strict=True):
        monkeypatch.setenv(f"AUGVIZ_{name}", value)
    limited = about.limits(get_settings())
    get_settings.cache_clear()
    for name in ("MAX_SESSIONS", "QUEUE_PER_VISITOR", "RENDERS_PER_VISITOR"):
        monkeypatch.setenv(f"AUGVIZ_{name}", "0")
    unlimited = about.limits(get_settings())

    assert [limited[name] for name in told] == [
        "7 at once; one more waits for a place",
        "55, 44 a visitor",
        "ended when less than 300 kB comes in 33 s",
        "9 days after they were used last",
    ]
    assert limited["Audit"] == "stopped after 5 min; it can go on later"
    assert limited["Render processes"].endswith(", 2 a visitor at once")
    assert [unlimited[name] for name in told[:2]] == ["no limit", "55"]
    assert "a visitor" not in unlimited["Render processes"]


def test_with_a_sign_in_the_pages_wait_for_it(monkeypatch: pytest.MonkeyPatch, fresh_settings: None) -> None:
    monkeypatch.setenv("AUGVIZ_SIGN_IN", "1")
    app = AppTest.from_file(SHELL, default_timeout=60).run()

    assert [button.label for button in app.button] == ["Sign in"]
    assert not app.get("bidi_component")


def test_who_has_signed_in_sees_the_pages_and_can_sign_out(
    monkeypatch: pytest.MonkeyPatch, fresh_settings: None
) -> None:
    monkeypatch.setenv("AUGVIZ_SIGN_IN", "1")
    app = AppTest.from_file(SHELL, default_timeout=60)
    app.user["is_logged_in"] = True  # type: ignore[index]
    app.user["sub"] = "7"  # type: ignore[index]
    app.run()

    assert not app.exception
    assert app.button(key="gate.sign_out").label == "Sign out"
    assert app.get("bidi_component")
