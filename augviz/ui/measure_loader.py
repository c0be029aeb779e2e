"""Measure, workers: images per second of a DataLoader against its workers, where that stops to grow, and the settings to take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from augviz import copies, loader_figures, scaling, sources
from augviz.errors import AugvizError
from augviz.memory import Plan
from augviz.model import Draw, ImageFacts
from augviz.profiles import Failed, reason_text
from augviz.runs import Outcome, Run
from augviz.scaling import Loading, Throughput
from augviz.settings import get_settings
from augviz.ui import loader_answer, measure_asked, measure_kept, series_bar
from augviz.ui.loader_answer import Result, Subject
from augviz.ui.measure_frame import Question
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.units import seconds_text
from augviz.uploads import get_uploads

ASKER = "workers"
RESULT = "measure.workers.result"
TROUBLE = "measure.workers.trouble"

_QUESTION = Question(RESULT, TROUBLE)

REPEATS, FOLDER = "Repeats of the image", "Images of a folder"

WHY_ONE = (
    "libvips' threads in each worker, VIPS_CONCURRENCY. One is the place to begin: workers share the cores already, and each "
    "thread more takes memory. More can help where there are fewer workers than cores, since batches must fit in memory."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is being measured, and what is computed of its memory, by (workers, threads). `run` is without its outcomes."""

    subject: Subject
    plans: Mapping[tuple[int, int], Plan]
    run: Run


def show(scene: Scene, shown: Shown) -> None:
    """What is asked, the button, the bar while it runs, and the last answer."""
    _QUESTION.show(
        "A DataLoader loads as fast as it can, in a fresh process for each number of workers: open the file, the pipeline "
        "as it is exported with another draw for each image, ToTensor, a batch, and the way to the training's process. "
        "Workers are started by “spawn”, since libvips works in threads, which a forked process would not have.",
        take_over,
        lambda is_running: _ask(scene, shown, is_running),
        lambda result: loader_answer.show(result, shown),
    )


def take_over() -> None:
    """Keep what our series has brought once it has ended, beside earlier results of other threads for the same."""
    begun = series_bar.ended(ASKER)
    if begun is None:
        return
    asked: Asked = begun.asked
    figures = begun.series.figures
    outcomes = {name: _readable(value) for name, value in begun.series.outcomes.items()}
    points = {(p.workers, p.threads): p for p in outcomes.values() if isinstance(p, Throughput)}
    plans = dict(asked.plans)
    earlier: Result | None = st.session_state.get(RESULT)
    if earlier is not None and earlier.subject == asked.subject:
        points = {(p.workers, p.threads): p for p in earlier.points} | points
        plans = {**earlier.plans, **plans}
    reasons = tuple(
        (figure.title, found.reason)
        for figure in figures
        if isinstance(found := outcomes.get(figure.name), Failed) and not found.cancelled
    )
    is_cancelled = begun.series.is_cancelled
    st.session_state[RESULT] = Result(asked.subject, tuple(points.values()), plans, reasons, is_cancelled)
    named = (Outcome(one.name, one.title, outcomes[one.name]) for one in figures if one.name in outcomes)
    run = replace(asked.run, outcomes=tuple(named))
    if run.is_measured:
        measure_kept.keep(run)


def _readable(value: Throughput | Failed) -> Throughput | Failed:
    """A reason with the names that the visitor knows."""
    if not isinstance(value, Failed):
        return value
    return Failed(reason_text(get_uploads().shown(value.reason), "measure_throughput"), value.cancelled)


# The question


def _ask(scene: Scene, shown: Shown, is_running: bool) -> None:
    if shown.draw is None or shown.failed is not None or scene.facts is None:
        st.info(escaped(str(shown.failed or "There is no draw that could be measured.")), icon=":material/info:")
        return
    # The numbers stay enabled while something runs: Streamlit 1.67 drops what was entered with the click that disables them.
    cores = os.cpu_count() or 1
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="measure.workers.ask"):
        most = _number("Up to workers", "most", 1, scaling.MAX_WORKERS, min(cores, scaling.MAX_WORKERS))
        batch = _number("Batch size", "batch", 1, scaling.MAX_BATCH, 4)
        threads = _number("Threads each", "threads", 1, scaling.MAX_THREADS, 1, WHY_ONE)
        seconds = _number(
            "Seconds each",
            "seconds",
            1,
            120,
            int(scaling.SECONDS),
            "Of loading, for each number of workers.",
        )
        none = st.toggle(
            "Also without workers",
            key="measure.workers.none",
            persist_state="session",
            help="num_workers=0: the training's own process loads, and waits for every image.",
        )
    folder = _folder(scene)
    numbers = (*((0,) if none else ()), *loader_figures.steps_to(most))
    loadings = tuple(Loading(number, batch, threads, float(seconds)) for number in numbers)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # Not by a callback, whose arguments would be those of the run before a number was entered and the button clicked.
        if st.button(
            "Measure",
            key="measure.workers.start",
            type="primary",
            icon=":material/timer:",
            disabled=is_running or folder is None,
        ):
            _start(scene, shown, loadings, folder or "")
            st.rerun()
        if not is_running:
            about = sum(loader_figures.STARTING_SECONDS + one.seconds for one in loadings)
            st.caption(f"About {seconds_text(about)}", width="content")


def _number(label: str, name: str, low: int, high: int, value: int, help_text: str = "") -> int:
    found = st.number_input(
        label,
        low,
        high,
        value,
        key=f"measure.workers.{name}",
        persist_state="session",
        help=help_text or None,
        width=140,
    )
    return int(found)


def _folder(scene: Scene) -> str | None:
    """The folder whose images are loaded, "" for repeats of the image, None as long as none is entered."""
    choice = st.segmented_control(
        "What is loaded",
        (REPEATS, FOLDER),
        default=REPEATS,
        key="measure.workers.source",
        required=True,
        label_visibility="collapsed",
    )
    if choice == REPEATS:
        st.caption(
            "The file lies in the system's cache, so that reading it is quick; libvips' own cache is off, since every image "
            "of a training is another one."
        )
        return ""
    source = scene.state.source
    here = str(sources.resolve(source).parent) if source.kind == "path" else ""
    text = st.text_input(
        "Folder",
        here,
        key="measure.workers.folder",
        help="Its images and those of the folders in it, in turn. Allowed are folders below: "
        + ", ".join(str(folder) for folder in get_settings().folders),
    )
    return text.strip() or None


def plans_of(
    facts: ImageFacts, draw: Draw, loadings: tuple[Loading, ...], is_copied: bool
) -> dict[tuple[int, int], Plan]:
    """What is computed for each, by (workers, threads). A working copy is not what is loaded: the original is."""
    original = replace(facts, region_readable=False) if is_copied else facts
    return {(one.workers, one.threads): scaling.plan_of(original, draw, one) for one in loadings}


def _start(scene: Scene, shown: Shown, loadings: tuple[Loading, ...], folder: str) -> None:
    """Start the series, or remember why not for the run that follows."""
    st.session_state.pop(TROUBLE, None)
    state = scene.state
    assert shown.draw is not None
    assert scene.facts is not None
    try:
        paths = loader_figures.files_of(state.source, folder)
        original = sources.resolve(state.source)
        is_copied = copies.path_for(original, state.pipeline.input) != original
        plans = plans_of(scene.facts, shown.draw, loadings, is_copied)
        args = shown.recipe.args()
        request = {"paths": list(paths), "pipeline": args["pipeline"], "seed": args["seed"]}
        figures = loader_figures.figures(request, loadings, lambda one: plans[one.workers, one.threads])
        subject = Subject(shown.key, loadings[0].batch, folder, len(paths))
        run = measure_asked.run_of(ASKER, scene, shown, shown.draw)
        reads = "" if folder else measure_asked.reads_of(state.source)
        series_bar.start(ASKER, figures, Asked(subject, plans, _of_files(run, subject)), reads=reads)
    except AugvizError as error:
        st.session_state[TROUBLE] = get_uploads().shown(str(error))


def _of_files(run: Run, subject: Subject) -> Run:
    """The run of what is loaded, which is never a working copy. A folder goes by its name, not by where it is."""
    if not subject.folder:
        return replace(run, file="the original file")
    name = Path(os.path.normpath(subject.folder)).name
    image = "folder" if name in ("", "..") else name
    return replace(run, image=image, file="the images of a folder, in turn", files=subject.files)
