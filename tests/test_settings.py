"""The table of settings: where values come from, what they may be, and its documentation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from augviz.errors import SettingsError
from augviz.settings import TABLE, get_settings, load, render_docs

ROOT = Path(__file__).parent.parent


def test_without_anything_every_setting_has_its_default(tmp_path: Path) -> None:
    settings = load({"XDG_CACHE_HOME": str(tmp_path / "caches")}, start=tmp_path)

    assert settings.folders == (tmp_path.resolve(),)
    assert settings.cache_folder == tmp_path / "caches" / "augviz"
    assert settings.cache_quota_bytes == 20 * 10**9
    assert 1 <= settings.workers <= 8
    assert settings.pixel_limit == 10**11
    assert (settings.view_seconds, settings.job_seconds) == (30.0, 3600.0)
    assert settings.worker_memory_bytes == 4 * 10**9
    assert settings.data_folder == tmp_path.resolve() / "data"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4GB", 4 * 10**9), ("500 MB", 5 * 10**8), ("2 GiB", 2**31), ("1.5 kB", 1500), ("7", 7), ("1e9", 10**9), ("0", 0)],
)
def test_sizes_may_be_written_with_a_unit(text: str, expected: int) -> None:
    settings = load({"AUGVIZ_UPLOAD_BYTES": text})

    assert settings.upload_bytes == expected


@pytest.mark.parametrize(("text", "expected"), [("30", 30.0), ("1.5 s", 1.5), ("5 min", 300.0), ("2h", 7200.0)])
def test_times_may_be_written_with_a_unit(text: str, expected: float) -> None:
    settings = load({"AUGVIZ_JOB_SECONDS": text})

    assert settings.job_seconds == expected


def test_the_environment_wins_over_the_file_in_the_start_folder(tmp_path: Path) -> None:
    (tmp_path / "augviz.toml").write_text('workers = 3\nview_seconds = 12.5\nupload_bytes = "1 MB"\n')

    settings = load({"AUGVIZ_WORKERS": "5"}, start=tmp_path)

    assert (settings.workers, settings.view_seconds, settings.upload_bytes) == (5, 12.5, 10**6)


def test_the_file_can_be_named_by_the_environment_and_its_folders_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "conf" / "slides").mkdir(parents=True)
    (tmp_path / "conf" / "mine.toml").write_text('folders = ["slides"]\n')

    settings = load({"AUGVIZ_CONFIG": "conf/mine.toml"}, start=tmp_path)

    assert settings.folders == ((tmp_path / "conf" / "slides").resolve(),)


def test_several_folders_are_separated_as_in_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    settings = load({"AUGVIZ_FOLDERS": os.pathsep.join(["a", str(tmp_path / "b")])}, start=tmp_path)

    assert settings.folders == ((tmp_path / "a").resolve(), (tmp_path / "b").resolve())


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AUGVIZ_WORKRES", "2", "no setting AUGVIZ_WORKRES"),
        ("AUGVIZ_WORKERS", "0", "at least 1"),
        ("AUGVIZ_WORKERS", "two", "AUGVIZ_WORKERS: count"),
        ("AUGVIZ_WORKERS", "1.5", "AUGVIZ_WORKERS: count"),
        ("AUGVIZ_UPLOAD_BYTES", "4 elephants", "'4 elephants'"),
        ("AUGVIZ_UPLOAD_BYTES", "-1", "AUGVIZ_UPLOAD_BYTES: bytes"),
        ("AUGVIZ_JOB_SECONDS", "", "AUGVIZ_JOB_SECONDS: seconds"),
        ("AUGVIZ_FOLDERS", "/no/such/folder", "there is no folder /no/such/folder"),
        ("AUGVIZ_FOLDERS", "", "at least one folder"),
        ("AUGVIZ_IMAGENETTE_ADDRESS", "ftp://x", "http"),
        ("AUGVIZ_SCHEDULER", "here", "tcp://10.0.0.1:8786"),
        ("AUGVIZ_CONFIG", "missing.toml", "no such settings file"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_it(variable: str, value: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load({variable: value}, start=tmp_path)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["wrokers = 2", "workers = true", "workers = [", "folders = [1]"])
def test_a_bad_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "augviz.toml").write_text(text)

    with pytest.raises(SettingsError, match=r"augviz\.toml"):
        load({}, start=tmp_path)


def test_the_settings_of_the_process_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    get_settings.cache_clear()
    first = get_settings()
    monkeypatch.setenv("AUGVIZ_WORKERS", "7")

    assert get_settings() is first

    get_settings.cache_clear()
    assert get_settings().workers == 7
    get_settings.cache_clear()


def test_the_documentation_is_what_the_table_says() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    assert written == render_docs()


def test_every_row_has_a_sentence_of_help() -> None:
    assert [row.name for row in TABLE if not row.help.endswith(".") or "|" in row.help] == []
