"""Forms of one image compared: real files, real processes, the room that they take, and nothing left of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from augviz import form_figures, forms, sources_compared
from augviz.errors import ImageError
from augviz.forms import FORMS
from augviz.headers import describe
from augviz.model import Header, InputChoice, Pipeline, Step
from augviz.profiles import Failed, Profile, Repeats
from augviz.series import Series
from augviz.settings import get_settings
from augviz.sources_compared import Row, Subject, Window, Written
from augviz.uploads import Uploads
from tests import samples
from tests.kinds import KINDS
from tests.live import until

NAMES = tuple(form.name for form in FORMS)
FLIP = Pipeline((Step("f", "HorizontalFlip", (), 1.0),))


class Visitor:
    """A session among uploads with a clock that only moves when it is told to."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, 0.0
        self.uploads = Uploads(root, max_bytes=10**9, grace_seconds=10.0, clock=lambda: self.now)
        self.token = self.uploads.open_session()
        self.uploads.hold(self.token)

    def start(self, subject: Subject, only: str = "") -> tuple[Series, Path]:
        """The series, or those of its figures whose names begin so, and the folder of its forms."""
        file_id, path = self.uploads.place(self.token, "forms.tif")
        figures = form_figures.figures(subject, path.parent, self.uploads)
        series = Series([figure for figure in figures if figure.name.startswith(only)])
        self.uploads.begin_work(self.token, series.cancel)
        form_figures.remove_afterwards(series, self.uploads, self.token, file_id)
        return series, path.parent

    def leave(self) -> None:
        self.uploads.release(self.token)
        self.now += 60
        self.uploads.sweep()


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    found = Visitor(tmp_path / "uploads")
    yield found
    found.uploads.close()


def subject_of(path: Path, pipeline: Pipeline = FLIP, repeats: int = 1, name: str = "") -> Subject:
    choice = pipeline.input
    facts = describe(path, InputChoice(choice.page, choice.level))
    kind = sources_compared.kind_of(facts.loader, facts.tile is not None)
    return Subject(str(path), name or path.name, kind, facts.loader, facts.header, pipeline, 0, 0.1, repeats)


def photo(folder: Path) -> Path:
    path = folder / "photo.jpg"
    samples.rgb(500, 500).resize(1.2).jpegsave(str(path), Q=90)
    return path


def test_every_form_is_measured_whole_and_by_a_window_and_removed_afterwards(tmp_path: Path, visitor: Visitor) -> None:
    path = photo(tmp_path)
    subject = subject_of(path, repeats=2)
    series, folder = visitor.start(subject)
    most = 0
    while not series.wait(0.01):
        most = max(most, len([file for file in folder.glob("*") if not file.name.startswith(".")]))
    found = {row.name: row for row in sources_compared.rows(subject, series.outcomes, path.stat().st_size)}

    assert tuple(found) == ("own", *NAMES)
    for row in found.values():
        assert isinstance(row.whole, Profile)
        assert isinstance(row.window, Window)
        assert (len(row.whole.wall.values), len(row.window.seconds.values)) == (2, 2)
        assert row.window.place == (44, 44, 512, 512)
        assert row.file_bytes
        assert row.bytes_per_second == pytest.approx(600 * 600 * 3 / row.whole.wall.median)
    assert found["png"].file_bytes != found["pyramid"].file_bytes
    assert found["own"].command == ""
    assert found["pyramid"].command.startswith("vips tiffsave 'photo.jpg[fail_on=truncated]' photo-pyramid.tif --tile")
    assert most == 1
    until(lambda: not folder.exists())


def test_what_a_form_cannot_hold_is_a_row_with_the_reason_and_not_measured(tmp_path: Path, visitor: Visitor) -> None:
    subject = subject_of(KINDS["7-bands-16.tif"].make(tmp_path))
    names = [figure.name for figure in form_figures.figures(subject, tmp_path, visitor.uploads)]
    found = {row.name: row for row in sources_compared.rows(subject, {}, 1)}

    assert [name for name in names if "write" in name] == ["strips.write", "pyramid.write"]
    assert found["jpeg"].whole == Failed(forms.reason_against(FORMS[0], subject.stored))
    assert found["png"].window == Failed(forms.reason_against(FORMS[1], subject.stored))
    assert found["png"].command == ""
    assert found["strips"].command != ""


def test_a_page_is_in_the_command_and_read_from_the_form_as_it_was(tmp_path: Path, visitor: Visitor) -> None:
    path = KINDS["pages.tif"].make(tmp_path)
    subject = subject_of(path, replace(FLIP, input=InputChoice(page=2, bands=1)))
    series, _ = visitor.start(subject, "strips")
    assert series.wait(120)
    found = {row.name: row for row in sources_compared.rows(subject, series.outcomes, 1)}

    assert isinstance(found["strips"].whole, Profile)
    assert isinstance(found["strips"].window, Window)
    assert "'pages.tif[fail_on=error,page=2]'" in found["strips"].command
    assert subject.form_choice == InputChoice(bands=1)


def test_a_cancelled_comparison_leaves_no_file(tmp_path: Path, visitor: Visitor) -> None:
    series, folder = visitor.start(subject_of(photo(tmp_path)), "png")
    until(lambda: list(folder.glob("*")))
    series.cancel()
    assert series.wait(30)

    until(lambda: not folder.exists())
    assert not list(visitor.root.rglob("*.jpg"))


def test_a_comparison_ends_with_its_visitor_and_leaves_no_file(tmp_path: Path, visitor: Visitor) -> None:
    series, folder = visitor.start(subject_of(photo(tmp_path)), "png")
    until(lambda: list(folder.glob("*")))
    visitor.leave()
    assert series.wait(30)
    visitor.uploads.sweep()  # what the process that was ending has put there meanwhile

    assert series.is_cancelled
    assert not list(visitor.root.rglob("*.png"))


def test_what_a_killed_server_has_left_is_swept_by_the_next_one(tmp_path: Path) -> None:
    first = Uploads(tmp_path, max_bytes=1, grace_seconds=10.0)
    _, path = first.place(first.open_session(), "forms.tif")
    path.with_name("png.png").write_bytes(b"pixels")
    first._own.let_go()  # as the system does with a process that ends

    Uploads(tmp_path, max_bytes=1, grace_seconds=10.0).sweep_root()

    assert not path.parent.exists()


def test_a_form_that_could_not_be_written_is_told_for_all_its_figures(tmp_path: Path, visitor: Visitor) -> None:
    path = tmp_path / "cut.tif"
    samples.rgb(500, 500).tiffsave(str(path))
    subject = subject_of(path)
    path.write_bytes(path.read_bytes()[: 500 * 500])
    series, _ = visitor.start(subject, "strips")
    assert series.wait(120)
    found = {row.name: row for row in sources_compared.rows(subject, series.outcomes, 1)}

    for what in (found["strips"].whole, found["strips"].window):
        assert isinstance(what, Failed)
        assert what.reason.startswith("cut.tif: ")
    assert sources_compared.sentences(tuple(found.values())) == ()


# Before the start

LARGE = Subject("/x/a.jpg", "a.jpg", "JPEG", "jpegload", Header(20_000, 10_000, 3, "uchar", "srgb"), FLIP, 0, 10.0, 3)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_one_form_at_a_time_and_what_is_decoded_beside_it_need_room() -> None:
    pixels = 20_000 * 10_000 * 3

    assert 2.3 * pixels < sources_compared.needed_bytes(LARGE) < 2.5 * pixels
    small = replace(LARGE, stored=Header(1000, 1000, 3, "uchar", "srgb"))
    assert sources_compared.needed_bytes(small) < 1.6 * 3_000_000


def test_a_comparison_without_room_on_the_disk_is_refused(visitor: Visitor, settings: pytest.MonkeyPatch) -> None:
    settings.setattr(Uploads, "free_bytes", lambda self: 10**9)

    with pytest.raises(
        ImageError, match=r"^a\.jpg: a form of it takes up to 1\.\d+ GB of the disk, where 1 GB are free\.$"
    ):
        sources_compared.check(LARGE, visitor.uploads)


def test_a_comparison_beyond_the_quota_is_refused(visitor: Visitor, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("AUGVIZ_CACHE_QUOTA_BYTES", "1 MB")

    with pytest.raises(ImageError, match="but files of at most 1 MB are written here"):
        sources_compared.check(LARGE, visitor.uploads)


def test_a_comparison_that_would_be_ended_is_refused(visitor: Visitor, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("AUGVIZ_JOB_SECONDS", "30 s")

    with pytest.raises(ImageError, match="takes about 40 s, and a job is ended after 30 s; take fewer repeats"):
        sources_compared.check(LARGE, visitor.uploads)


def test_more_repeats_are_expected_to_take_longer() -> None:
    assert sources_compared.expected_seconds(replace(LARGE, repeats=6)) > sources_compared.expected_seconds(LARGE) > 50


def test_a_room_that_is_gone_when_a_form_is_written_is_its_reason(
    tmp_path: Path, visitor: Visitor, settings: pytest.MonkeyPatch
) -> None:
    settings.setattr(Uploads, "free_bytes", lambda self: 1000)
    series, _ = visitor.start(subject_of(photo(tmp_path)), "png")
    assert series.wait(120)

    assert "where 1 kB are free" in series.outcomes["png.write"].reason
    assert series.outcomes["png.whole"] == Failed("PNG was not written.")


# In words


def row(name: str, title: str, whole: tuple[float, ...], window: float | None) -> Row:
    profile = Profile("stream", Repeats(whole), Repeats(whole), 1.0, None, None, ())
    read = Failed("no") if window is None else Window(Repeats((window,)), (0, 0, 512, 512), None, None)
    return Row(name, title, 10, 10, profile, read, "")


def test_a_file_that_is_slow_by_windows_is_told_what_a_pyramid_gives() -> None:
    found = (row("own", "This JPEG", (3.0, 3.1), 1.9), row("pyramid", "Tiled pyramid", (2.0, 2.1), 0.006))

    assert sources_compared.sentences(found) == (
        "Reading this JPEG costs 1.9 s before the first window is there; a tiled pyramid gives it in 6.0 ms: convert it once "
        "with the command below.",
        "The whole pipeline is quickest from the tiled pyramid (2.05 s) and slowest from this JPEG (3.05 s).",
    )


def test_a_file_that_is_quick_needs_no_conversion() -> None:
    found = (row("own", "This tiled TIFF", (2.0, 3.0), 0.007), row("pyramid", "Tiled pyramid", (2.1, 2.2), 0.006))

    assert sources_compared.sentences(found) == (
        "The first window of this tiled TIFF is there after 7.0 ms, of a tiled pyramid after 6.0 ms: no need to convert.",
        "The whole pipeline takes about 2.15 s from every form: repeats differ as much.",
    )


def test_what_was_not_measured_is_not_talked_about() -> None:
    assert sources_compared.sentences((row("own", "This PNG", (1.0,), None), row("pyramid", "P", (1.0,), 0.1)))[0][
        :9
    ] == ("The whole")


@pytest.mark.parametrize(
    ("loader", "is_tiled", "kind"),
    [
        ("jpegload", False, "JPEG"),
        ("tiffload", False, "strip TIFF"),
        ("tiffload", True, "tiled TIFF"),
        ("new", False, "file"),
    ],
)
def test_a_file_is_called_by_its_kind(loader: str, is_tiled: bool, kind: str) -> None:
    assert sources_compared.kind_of(loader, is_tiled) == kind


def test_what_was_not_measured_has_no_figures() -> None:
    stored = Header(10, 10, 3, "uchar", "srgb")
    found = sources_compared.rows(replace(LARGE, stored=stored), {"png.write": Written(5)}, None)

    assert [(one.name, one.file_bytes) for one in found] == [
        ("own", None),
        ("jpeg", None),
        ("png", 5),
        ("strips", None),
        ("pyramid", None),
    ]
    assert all(isinstance(one.whole, Failed) and one.bytes_per_second is None for one in found)
