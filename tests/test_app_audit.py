"""The page Audit: from the folder to the draw that failed, in Explore."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from augviz import audit_jobs, audit_records, saved
from augviz.audit_jobs import AuditJob
from augviz.errors import AugvizError, WorkerError
from augviz.settings import get_settings
from augviz.ui import audit_chosen, audit_page, state, upload_tab
from augviz.uploads import get_uploads
from tests import auditing_folder, samples
from tests.live import ROOT

SHELL = ROOT / "augviz" / "ui" / "shell.py"
PAGE = "pages/audit.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from auditing_folder.allowed(tmp_path, monkeypatch)


def opened(folder: Path, **pipeline: Any) -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    app.run()
    app.session_state[state.KEY] = state.Explore(state.first().source, saved.load(pipeline or auditing_folder.PIPELINE))
    app.switch_page(str(ROOT / PAGE)).run()
    return app.text_input(key="audit.folder").set_value(str(folder)).run()


def job_of(app: AppTest) -> AuditJob:
    job: AuditJob = app.session_state[audit_page.JOB][0]
    return job


def audited(app: AppTest) -> AppTest:
    app.button(key="audit.start").click().run()

    assert job_of(app).wait(120) == "done"
    return app.run()


def tables(app: AppTest) -> list[list[str]]:
    return [list(frame.value.columns) for frame in app.dataframe]


def test_the_page_is_there_before_anything_was_audited(folder: Path) -> None:
    app = opened(folder)

    assert not app.exception
    assert any("Nothing has been audited yet" in info.value for info in app.info)
    assert any("HorizontalFlip → HEDShift → RandomCrop" in caption.value for caption in app.caption)


def test_an_audit_tells_what_failed_and_what_the_values_are(folder: Path) -> None:
    app = audited(opened(folder))
    metrics = {metric.label: metric.value for metric in app.metric}

    assert not app.exception
    assert metrics["Images seen"] == "6 of 6"
    assert next(metric.delta for metric in app.metric if metric.label == "Images seen") == "4 in the numbers"
    assert any(text.value.startswith("**Values**, from 4 of 6 images: mean") for text in app.markdown)
    assert metrics["Draws that failed"] == "2 of 6"
    assert metrics["One shape and dtype"] == "yes"
    assert any("step 2, HEDShift" in error.value for error in app.error)
    assert [columns[:2] for columns in tables(app)] == [["open", "image"], ["where", "format"], ["step", "applied"]]
    [normalize] = [code.value for code in app.code]
    [after] = job_of(app).report["after"]
    assert normalize == f"A.Normalize(mean={rounded(after['mean'])}, std={rounded(after['std'])})"


def rounded(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


def test_results_that_cannot_be_stacked_are_listed(folder: Path) -> None:
    app = audited(opened(folder, format=1, steps=[{"id": "f", "transform": "HorizontalFlip"}]))
    [frame] = [frame.value for frame in app.dataframe if list(frame.value.columns) == ["shape", "dtype", "draws"]]

    assert {metric.label: metric.value for metric in app.metric}["One shape and dtype"] == "no"
    assert sorted(frame["shape"]) == ["70 × 90 × 3", "70 × 91 × 3", "70 × 92 × 3", "70 × 93 × 3", "80 × 96"]
    assert set(frame["draws"]) == {1}
    [lines] = [code.value for code in app.code]
    assert [line.split("#")[1].strip() for line in lines.splitlines()] == [
        "1 draw of 1 x uchar",
        "4 draws of 3 x uchar",
    ]


def test_a_failed_draw_is_opened_in_explore_with_its_seed(folder: Path) -> None:
    app = audited(opened(folder))
    app.selectbox(key="audit.case").set_value("failed: b/grey.png, draw 0").run()
    app.button(key="audit.open").click().run()
    now = app.session_state[state.KEY]
    [failed] = [one for one in job_of(app).report["failures"] if one["image"] == "b/grey.png"]

    assert not app.exception
    assert (now.source.kind, now.source.name) == ("path", str(folder / "b/grey.png"))
    assert now.shown_seed == failed["seed"]


def test_a_second_audit_takes_what_is_known_and_from_scratch_does_not(folder: Path) -> None:
    app = audited(opened(folder))
    records = job_of(app).records
    first = records.read_bytes()
    audited(app)

    assert records.read_bytes() == first
    app.button(key="audit.anew").click().run()
    assert job_of(app).wait(120) == "done"
    assert records.read_bytes() != first


def test_where_another_visitor_has_had_the_draws_forgotten_there_is_no_table_of_them(folder: Path) -> None:
    app = audited(opened(folder))
    table = next(one.proto for one in app.get("link_button") if one.proto.label == "CSV")
    assert not table.disabled
    assert table.url == f"/augviz/audit/{job_of(app).id}.csv"

    job_of(app).records.unlink()
    app.run()

    table = next(one.proto for one in app.get("link_button") if one.proto.label == "CSV")
    assert table.disabled
    assert "audit once more" in table.help


def test_a_folder_that_is_not_allowed_or_empty_is_a_sentence(folder: Path) -> None:
    app = opened(Path("/etc"))
    assert any("not below those that the settings allow" in error.value for error in app.error)
    assert app.button(key="audit.start").disabled

    (folder / "empty").mkdir()
    app = opened(folder / "empty")
    app.button(key="audit.start").click().run()
    assert any("no image in this folder" in error.value for error in app.error)


def test_what_others_have_is_not_audited(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    uploads = folder.parent / "cache" / "uploads" / "somebody"
    uploads.mkdir(parents=True)
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    for path in (uploads / "theirs.png", outside):
        samples.rgb(20, 20).pngsave(str(path))
    (folder / "a" / "link.png").symlink_to(outside)
    (folder / "a" / "near.png").symlink_to(folder / "b/grey.png")
    above = audit_chosen.Chosen("path", audit_chosen.allowed_folder(str(folder.parent)))
    names = [image.name for image in above.plan(saved.load(auditing_folder.PIPELINE), None, 1, 0, 1024).images]

    assert "data/a/near.png" in names
    assert [name for name in names if "theirs" in name or "link" in name] == []
    with pytest.raises(AugvizError, match="not below those that the settings allow"):
        audit_chosen.allowed_folder(str(uploads))
    assert audit_chosen.allowed_folder("data") == folder


def test_an_image_of_imagenette_is_opened_by_its_name(folder: Path) -> None:
    chosen = audit_chosen.Chosen("imagenette", get_settings().data_folder / "imagenette2-320" / "val")

    assert chosen.source("n03028079/n03028079_1.JPEG").name == "320/val/church/n03028079_1.JPEG"


def sent(app: AppTest, folder: Path, *paths: str, names: Sequence[str] = ()) -> str:
    """Send files as the visitor of this page; returns the session that they belong to."""
    token = get_uploads().open_session()
    for number, path in enumerate(paths):
        data = (folder / path).read_bytes()

        async def parts(data: bytes = data) -> AsyncIterator[bytes]:
            yield data

        name = names[number] if names else Path(path).name
        asyncio.run(get_uploads().receive(token, name, len(data), parts()))
    app.session_state[upload_tab.TOKEN] = token
    app.run()
    return token


def test_uploads_of_whatever_names_have_each_a_title_of_its_own(folder: Path) -> None:
    app = opened(folder)
    names = ("a.png", "a.png", "a.png (2)", "a.png", "a.png (2)", "b.png")
    token = sent(app, folder, *["b/grey.png"] * len(names), names=names)
    app = audited(app.segmented_control(key="audit.kind").set_value(audit_chosen.UPLOADS).run())
    job = job_of(app)
    titles = [image.title for image in job.plan.images]
    cases = [case for case in app.selectbox(key="audit.case").options if case.startswith("failed")]
    get_uploads().release(token)

    assert titles == ["a.png", "a.png (2)", "a.png (2) (2)", "a.png (3)", "a.png (2) (3)", "b.png"]
    assert len(audit_page._names(job.plan.images)) == len(cases) == len(names)


def test_a_visitor_does_not_read_where_the_server_keeps_findings(folder: Path) -> None:
    app = audited(opened(folder))
    job = job_of(app)
    with audit_records.opened(job.records, job.plan, lambda finding: None):
        app.button(key="audit.anew").click().run()
        errors = [error.value for error in app.error]
        app.button(key="audit.start").click().run()
        assert job_of(app).wait(60) == "failed"
        errors += [error.value for error in app.run().error]

    assert not app.exception
    assert "Another audit is writing to this file of findings; wait until it has ended." in errors
    assert [error for error in errors if "cache" in error or "jsonl" in error] == []


def test_a_link_to_itself_is_a_failure_like_any_other(folder: Path) -> None:
    (folder / "a" / "self.png").symlink_to("self.png")
    app = audited(opened(folder))

    assert not app.exception
    assert "a/self.png" in {one["image"] for one in job_of(app).report["failures"]}


def test_a_folder_that_cannot_be_read_is_told_and_has_no_draw_to_look_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refused(path: Any = ".") -> Any:
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    (folder / "lost+found").mkdir()
    monkeypatch.setattr(os, "scandir", refused)
    app = audited(opened(folder))
    [failures] = [frame.value for frame in app.dataframe if "what" in frame.value.columns]

    assert not app.exception
    assert "lost+found/: the folder cannot be read: Permission denied." in set(failures["what"])
    assert not any("lost+found" in case for case in app.selectbox(key="audit.case").options)
    audited(app)
    assert not app.exception


def test_uploads_are_audited_under_the_names_that_they_were_given(folder: Path) -> None:
    app = opened(folder)
    token = sent(app, folder, "a/000.jpg", "b/grey.png", "b/grey.png")
    app = audited(app.segmented_control(key="audit.kind").set_value(audit_chosen.UPLOADS).run())
    report = job_of(app).report

    assert not app.exception
    assert [one["image"] for one in report["failures"]] in (["grey.png", "grey.png (2)"], ["grey.png (2)", "grey.png"])
    assert {one["command"] for one in report["failures"]} == {None}
    assert not any(upload.id in str(report["failures"]) for upload in get_uploads().files(token))
    assert report["folder"] is None
    assert str(folder.parent) not in str(report)
    app.button(key="audit.open").click().run()
    assert app.session_state[state.KEY].source.kind == "upload"
    get_uploads().release(token)


def test_an_audit_is_cancelled_and_goes_on_from_there(folder: Path) -> None:
    for number in range(200):
        samples.rgb(300 + number, 200).jpegsave(str(folder / "a" / f"more{number}.jpg"))
    app = opened(folder)
    app.number_input(key="audit.limit").set_value(0)
    app.number_input(key="audit.draws").set_value(20)
    app.button(key="audit.start").click().run()
    while job_of(app).progress[0] == 0:
        job_of(app).wait(0.05)
    app.run()
    app.button(key="audit.cancel").click().run()
    assert job_of(app).wait(60) == "cancelled"
    app.run()

    assert any("goes on from there" in warning.value for warning in app.warning)
    done = job_of(app).progress[0]
    assert 0 < done < 204 * 20
    assert job_of(app).report["draws"]["done"] == done


def test_only_one_audit_runs_on_this_machine(folder: Path, tmp_path: Path) -> None:
    for number in range(50):
        samples.rgb(300 + number, 200).jpegsave(str(folder / "a" / f"more{number}.jpg"))
    plan = audit_chosen.Chosen("path", folder).plan(saved.load(auditing_folder.PIPELINE), None, 50, 0, 1024)
    ended = threading.Event()
    job = audit_jobs.start(plan, tmp_path / "one.jsonl", on_end=lambda job: ended.set())
    with pytest.raises(WorkerError, match="Another audit is running"):
        audit_jobs.start(plan, tmp_path / "two.jsonl")
    with pytest.raises(WorkerError, match="running already"):
        audit_jobs.start(plan, tmp_path / "one.jsonl")
    with pytest.raises(AugvizError, match="cancel it first"):
        audit_jobs.forget(tmp_path / "one.jsonl")
    job.cancel()

    assert ended.wait(60)
    assert job.wait(10) == "cancelled"


def test_the_last_audit_of_a_visitor_is_found_for_a_while_after_its_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = audit_chosen.Chosen("path", folder).plan(saved.load(auditing_folder.PIPELINE), None, 1, 0, 1024)
    job = audit_jobs.start(plan, tmp_path / "one.jsonl", visitor="somebody")

    assert audit_jobs.newest_of("somebody") is job
    assert job.wait(120) == "done"
    assert audit_jobs.newest_of("somebody") is job
    assert audit_jobs.newest_of("somebody else") is None
    assert audit_jobs.newest_of("") is None

    monkeypatch.setattr(audit_jobs, "KEPT_SECONDS", -1.0)

    assert audit_jobs.newest_of("somebody") is None
