"""Where images come from: samples, synthetic images, and only what is below the allowed folders."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from augviz.errors import ImageError
from augviz.headers import describe
from augviz.results import written_whole
from augviz.settings import Settings, load
from augviz.sources import (
    SYNTHETIC_KINDS,
    SYNTHETIC_SIDES,
    SourceRef,
    cache_bytes,
    check_room,
    estimated_bytes,
    list_folder,
    resolve,
    samples,
    synthetic_image,
    synthetic_images,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One allowed folder, `allowed`, with a file, a folder and links; `outside.png` lies beside it."""
    allowed = tmp_path / "allowed"
    (allowed / "slides").mkdir(parents=True)
    (allowed / "b.png").write_bytes(b"b")
    (allowed / "A.TIF").write_bytes(b"aa")
    (allowed / "notes.txt").write_bytes(b"no image")
    (allowed / ".hidden.png").write_bytes(b"hidden")
    (allowed / "slides" / "deep.svs").write_bytes(b"deep")
    (tmp_path / "outside.png").write_bytes(b"outside")
    (tmp_path / "allowed-too").mkdir()
    (tmp_path / "allowed-too" / "near.png").write_bytes(b"near")
    (allowed / "way-out.png").symlink_to(tmp_path / "outside.png")
    (allowed / "way-out").symlink_to(tmp_path)
    (allowed / "inside.png").symlink_to(allowed / "b.png")
    (allowed / "loop.png").symlink_to(allowed / "loop.png")
    environ = {"AUGVIZ_FOLDERS": str(allowed), "AUGVIZ_CACHE_FOLDER": str(tmp_path / "cache")}
    return load(environ, start=tmp_path)


def test_the_samples_of_the_contract_exist_and_open() -> None:
    names = [sample.name for sample in samples()]

    assert names[0] == "astronaut"
    assert {"ihc", "retina", "coffee", "chelsea", "rocket", "hubble_deep_field"} < set(names)
    for sample in samples():
        facts = describe(sample.path)
        assert facts.header.width >= 300, sample.name
        assert ("one band" in sample.title) == (facts.header.bands == 1), sample.name


def test_neither_scikit_image_nor_pyvips_is_imported() -> None:
    script = (
        "import sys; from augviz import sources; sources.samples(); sources.synthetic_images(); sources.list_folder()\n"
        "print([name for name in ('skimage', 'pyvips', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("ref", [SourceRef("sample", "ihc"), SourceRef("path", "b.png")])
def test_a_reference_survives_json(ref: SourceRef) -> None:
    assert SourceRef.from_json(json.loads(json.dumps(ref.to_json()))) == ref


@pytest.mark.parametrize(
    "values", [{}, {"kind": "path"}, {"kind": "url", "name": "x"}, {"kind": "path", "name": 3}, []]
)
def test_anything_else_is_no_reference(values: object) -> None:
    with pytest.raises(ImageError, match="An image is named by"):
        SourceRef.from_json(values)  # type: ignore[arg-type]


def test_a_sample_is_found_by_name_only() -> None:
    assert resolve(SourceRef("sample", "coffee")).name == "coffee.png"
    for name in ("../coffee", "coffee.png", "nothing"):
        with pytest.raises(ImageError, match="There is no sample"):
            resolve(SourceRef("sample", name))


@pytest.mark.parametrize("name", ["b.png", "slides/deep.svs", "slides/../b.png", "inside.png"])
def test_files_below_an_allowed_folder_resolve(name: str, settings: Settings) -> None:
    path = resolve(SourceRef("path", name), settings)

    assert path.is_absolute()
    assert path.is_relative_to(settings.folders[0])
    assert resolve(SourceRef("path", str(settings.folders[0] / name)), settings) == path


@pytest.mark.parametrize(
    "name",
    [
        "../outside.png",
        "slides/../../outside.png",
        "/etc/hostname",
        "way-out.png",
        "way-out/outside.png",
        "../allowed-too/near.png",
        "../does-not-exist.png",
        "~/outside.png/../../../../etc/hostname",
    ],
)
def test_nothing_outside_resolves_whatever_the_path_says(name: str, settings: Settings) -> None:
    with pytest.raises(ImageError, match="not below the folders that the settings allow"):
        resolve(SourceRef("path", name), settings)


@pytest.mark.parametrize(("name", "words"), [("slides", "no such file"), ("none.png", "no such file")])
def test_what_is_no_file_does_not_resolve(name: str, words: str, settings: Settings) -> None:
    with pytest.raises(ImageError, match=words):
        resolve(SourceRef("path", name), settings)


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000, "loop.png"])
def test_an_impossible_path_is_an_error_and_no_crash(name: str, settings: Settings) -> None:
    with pytest.raises(ImageError):
        resolve(SourceRef("path", name), settings)


def test_a_listing_has_folders_first_then_images_and_nothing_that_leads_out(settings: Settings) -> None:
    entries = list_folder(str(settings.folders[0]), settings)

    assert [(entry.name, entry.is_folder) for entry in entries] == [
        ("slides", True),
        ("A.TIF", False),
        ("b.png", False),
        ("inside.png", False),
    ]
    assert [entry.file_bytes for entry in entries] == [0, 2, 1, 1]
    assert resolve(SourceRef("path", entries[1].path), settings).name == "A.TIF"


def test_the_listing_of_nothing_is_the_allowed_folders(settings: Settings) -> None:
    assert [entry.path for entry in list_folder("", settings)] == [str(settings.folders[0])]


@pytest.mark.parametrize("path", ["..", "/", "way-out", "b.png"])
def test_only_folders_inside_can_be_listed(path: str, settings: Settings) -> None:
    with pytest.raises(ImageError, match=r"not below|no such folder"):
        list_folder(path, settings)


def test_synthetic_images_are_offered_in_three_sizes_with_the_size_to_expect(settings: Settings) -> None:
    images = synthetic_images(settings)

    assert [(i.kind, i.side) for i in images] == [(kind, side) for kind in SYNTHETIC_KINDS for side in SYNTHETIC_SIDES]
    assert [i.made for i in images] == [False] * 6
    assert all(i.file_bytes == estimated_bytes(i.kind, i.side) > 0 for i in images)
    assert all(i.path.is_relative_to(settings.cache_folder) for i in images)


def test_a_synthetic_image_resolves_once_it_is_made(settings: Settings) -> None:
    image = synthetic_image("tissue", 4096, settings)
    with pytest.raises(ImageError, match="tissue-4096: this synthetic image has not been made yet"):
        resolve(SourceRef("synthetic", image.name), settings)

    image.path.parent.mkdir(parents=True)
    image.path.write_bytes(b"1234")

    assert resolve(SourceRef("synthetic", image.name), settings) == image.path
    assert synthetic_image("tissue", 4096, settings).file_bytes == 4
    assert cache_bytes(settings) == 4


@pytest.mark.parametrize(
    "name", ["tissue", "tissue-63", "tissue-999999", "ocean-4096", "../tissue-4096", "tissue-4096-v1"]
)
def test_other_synthetic_images_are_refused(name: str, settings: Settings) -> None:
    with pytest.raises(ImageError, match=r"synthetic image"):
        resolve(SourceRef("synthetic", name), settings)


def test_a_file_that_goes_away_while_the_cache_is_counted_takes_nothing(settings: Settings) -> None:
    (settings.cache_folder / "synthetic").mkdir(parents=True)
    (settings.cache_folder / "synthetic" / "there").write_bytes(b"x" * 11)
    (settings.cache_folder / "gone").symlink_to(settings.cache_folder / "nowhere")

    assert cache_bytes(settings) == 11


def test_what_an_ended_job_left_behind_is_removed_and_what_is_being_written_is_not(settings: Settings) -> None:
    image = synthetic_image("tissue", 4096, settings)
    image.path.parent.mkdir(parents=True)
    with written_whole(image.path) as part:
        old = part.with_name(part.name.replace("tissue", "aerial"))
        for path in (old, part, image.path):
            path.write_bytes(b"x" * 10)
        for path in (old, image.path):
            os.utime(path, (0, 0))
        check_room("tissue", 1024, settings)
        left = sorted(image.path.parent.iterdir())

    assert left == sorted([part, image.path])


def test_the_quota_counts_what_is_in_the_cache(settings: Settings) -> None:
    needed = estimated_bytes("tissue", 1024)
    small = dataclasses.replace(settings, cache_quota_bytes=needed + 10)
    check_room("tissue", 1024, small)
    settings.cache_folder.mkdir()
    (settings.cache_folder / "other").write_bytes(b"x" * 11)

    with pytest.raises(ImageError, match="quota"):
        check_room("tissue", 1024, small)


def test_what_others_have_sent_is_never_below_an_allowed_folder(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for place in ("uploads/a/b", "copies", "synthetic"):
        (cache / place).mkdir(parents=True)
        (cache / place / "slide.tif").write_bytes(b"x")
    settings = load({"AUGVIZ_FOLDERS": str(tmp_path), "AUGVIZ_CACHE_FOLDER": str(cache)})

    assert [entry.name for entry in list_folder(str(cache), settings)] == ["synthetic"]
    for place in ("uploads/a/b", "copies"):
        with pytest.raises(ImageError, match="not below the folders"):
            resolve(SourceRef("path", str(cache / place / "slide.tif")), settings)
        with pytest.raises(ImageError, match="not below the folders"):
            list_folder(str(cache / place), settings)
    assert resolve(SourceRef("path", "cache/synthetic/slide.tif"), settings).name == "slide.tif"
