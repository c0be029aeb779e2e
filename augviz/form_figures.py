"""What is measured to compare the forms of an image: each is written, read whole by the pipeline, and by a window.

A form is written when its turn comes, and the one before it is removed then: the disk holds one at a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from augviz import forms, profiles, recipes, saved, sources_compared
from augviz.errors import ArgumentError, ImageError
from augviz.forms import FORMS, Form
from augviz.jobs import NICE, Job, start_job
from augviz.model import Pipeline
from augviz.profiles import THREADS, Failed, Repeats
from augviz.series import Figure, Series
from augviz.settings import get_settings
from augviz.sources_compared import OWN, STARTING_SECONDS, WINDOW_PX, Subject, Window, Written
from augviz.uploads import Uploads


def figures(subject: Subject, folder: Path, uploads: Uploads) -> tuple[Figure, ...]:
    """The file as it is, then each form: written, the whole pipeline from it, and its first window.

    Args:
        folder: an empty one for the forms.
    """
    runs, size = subject.repeats + 1, forms.relative_size(subject.stored)
    decoding = runs * FORMS[0].read_seconds * size
    found = list(_measured(subject, OWN, f"This {subject.kind}", Path(subject.path), subject.pipeline, decoding))
    pipeline = replace(subject.pipeline, input=subject.form_choice)
    for form in subject.forms:
        path = folder / f"{form.title.replace(' ', '-').lower()}{form.suffix}"
        found.append(_writing(subject, form, path, uploads))
        decoding = 0.0 if form.name == "pyramid" else runs * form.read_seconds * size
        found += _measured(subject, form.name, form.title, path, pipeline, decoding)
    return tuple(found)


def remove_afterwards(series: Series, uploads: Uploads, token: str, file_id: str) -> threading.Thread:
    """Remove the folder of the forms once the series has ended, whoever looks at it."""

    def follow() -> None:
        while not series.wait(60.0):
            pass
        uploads.remove(token, file_id)

    thread = threading.Thread(target=follow, daemon=True, name="augviz-forms")
    thread.start()
    return thread


def _writing(subject: Subject, form: Form, path: Path, uploads: Uploads) -> Figure:
    def start() -> Job:
        if not path.parent.is_dir():
            raise ImageError(f"{form.title}: the folder for it is not there any more.")
        for other in path.parent.glob("*"):  # the form that was measured before
            with contextlib.suppress(OSError):
                other.unlink()
        sources_compared.check(subject, uploads)
        asked = recipes.recipe_of(subject.path, saved.dump(subject.pipeline)).args()
        return _job("write_form", {**asked, "form": form.name, "out": str(path)})

    weight = form.write_seconds * forms.relative_size(subject.stored) + STARTING_SECONDS
    return Figure(f"{form.name}.write", f"{form.title}: written", start, written, weight)


def _measured(
    subject: Subject, name: str, title: str, path: Path, pipeline: Pipeline, decoding: float
) -> Iterator[Figure]:
    """The whole pipeline from one file, and its first window, which takes about `decoding` seconds with its repeats."""

    def request(of: Pipeline) -> dict[str, Any]:
        if name != OWN and not path.exists():
            raise ImageError(f"{title} was not written.")
        return recipes.recipe_of(path, saved.dump(of), subject.seed).args()

    def whole() -> Job:
        return profiles.start(request(pipeline), "stream", subject.repeats)

    def window() -> Job:
        asked = {**request(replace(pipeline, steps=())), "side": WINDOW_PX, "repeats": subject.repeats}
        return _job("measure_window", asked)

    seconds = (subject.repeats + 1) * subject.seconds
    yield Figure(f"{name}.whole", f"{title}: whole", whole, weight=seconds + STARTING_SECONDS)
    yield Figure(f"{name}.window", f"{title}: first window", window, first_window, decoding + STARTING_SECONDS)


def _job(function: str, args: Mapping[str, Any]) -> Job:
    settings = get_settings()
    return start_job(
        function,
        args,
        seconds=settings.job_seconds,
        memory_bytes=settings.job_memory_bytes,
        threads=THREADS,
        nice=NICE,
    )


def written(job: Job) -> Written | Failed:
    """What came of a job that wrote a form."""
    if job.error is not None:
        return _failed(job)
    value = job.result().value
    return Written(int(value["file_bytes"]), tuple((str(name), number) for name, number in value["options"]))


def first_window(job: Job) -> Window | Failed:
    """What came of a job that measured the first window. Raises ArgumentError where its answer is not one."""
    if job.error is not None:
        return _failed(job)
    value = job.result().value
    try:
        x, y, width, height = (int(one) for one in value["window"])
        seconds = Repeats(tuple(float(one) for one in value["wall_seconds"]))
        return Window(seconds, (x, y, width, height), value["peak_bytes"], value["baseline_bytes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError(f"window: this is no measurement ({type(error).__name__}: {error}).") from error


def _failed(job: Job) -> Failed:
    outcome = profiles.outcome(job)
    assert isinstance(outcome, Failed)
    return outcome
