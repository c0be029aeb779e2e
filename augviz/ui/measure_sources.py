"""Measure, sources: the same pipeline from JPEG, PNG, strip TIFF and a tiled pyramid, and why a file is slow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from augviz import edits, form_figures, forms, sources, sources_compared
from augviz.errors import AugvizError
from augviz.model import InputChoice
from augviz.profiles import Failed, Profile, reason_text
from augviz.runs import Outcome, Run
from augviz.sources_compared import OWN, WINDOW_PX, Row, Subject, Window
from augviz.ui import (
    compared_charts,
    desk,
    measure_asked,
    measure_kept,
    measure_sources_tables,
    memory_charts,
    memory_tables,
    series_bar,
    upload_tab,
)
from augviz.ui.measure_frame import Question
from augviz.ui.page import escaped
from augviz.ui.state import Scene, Shown
from augviz.uploads import get_uploads

ASKER = "sources"
REPEATS = "measure.sources.repeats"
RESULT = "measure.sources.result"
TROUBLE = "measure.sources.trouble"

_QUESTION = Question(RESULT, TROUBLE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is being compared. `run` is what depends on the recipe, without its outcomes; `own_bytes` of the file as it is."""

    subject: Subject
    run: Run
    own_bytes: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What was compared, for the recipe with this key, and what came of it."""

    key: str
    subject: Subject
    rows: tuple[Row, ...]
    is_cancelled: bool = False


def show(scene: Scene, shown: Shown) -> None:
    """What is compared and what it takes, the button, and the last result."""
    _QUESTION.show(
        "The image is written as JPEG, PNG, strip TIFF and tiled pyramid, one after the other, in a folder of this "
        "session that is removed afterwards. The same draw is streamed from each, and one window of "
        f"{WINDOW_PX} × {WINDOW_PX} pixels at the centre is read from each, the file opened anew every time. JPEG's "
        "pixels differ, so only time and memory are compared.",
        take_over,
        lambda is_running: _ask(scene, shown, is_running),
        lambda result: _result(result, shown),
    )


def take_over() -> None:
    """Keep what our series has brought once it has ended, whatever was looked at or asked meanwhile."""
    begun = series_bar.ended(ASKER)
    if begun is None:
        return
    asked: Asked = begun.asked
    found = {name: _readable(value) for name, value in begun.series.outcomes.items()}
    rows = sources_compared.rows(asked.subject, found, asked.own_bytes)
    st.session_state[RESULT] = Result(asked.run.key, asked.subject, rows, begun.series.is_cancelled)
    for row in rows:
        if isinstance(row.whole, Profile):
            name = asked.run.image if row.name == OWN else f"{asked.run.image} as {row.title}"
            file = "the original file" if row.name == OWN else row.title
            whole = Outcome("stream", row.title, row.whole)
            measure_kept.keep(replace(asked.run, image=name, file=file, outcomes=(whole,)))


def _readable(value: Any) -> Any:
    """A reason with the names that the visitor knows."""
    if not isinstance(value, Failed):
        return value
    return Failed(reason_text(get_uploads().shown(value.reason), "write_form"), value.cancelled)


# The question


def _ask(scene: Scene, shown: Shown, is_running: bool) -> None:
    if shown.draw is None or shown.failed is not None or scene.facts is None:
        st.info(escaped(str(shown.failed or "There is no draw that could be measured.")), icon=":material/info:")
        return
    # The number stays enabled while something runs: Streamlit 1.67 drops what was entered with the click that disables it.
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="measure.sources.ask"):
        st.caption("Repeats", width="content")
        repeats = st.number_input(
            "Repeats",
            1,
            measure_asked.MAX_REPEATS,
            measure_asked.REPEATS,
            key=REPEATS,
            persist_state="session",
            help="After a warm-up that is not counted; the median stands for all.",
            label_visibility="collapsed",
            width=110,
        )
        subject = subject_of(scene, shown, int(repeats))
        refused = _refusal(subject)
        # Not by a callback, whose arguments would be those of the run before a number was entered and the button clicked.
        if st.button(
            "Compare",
            key="measure.sources.start",
            type="primary",
            icon=":material/timer:",
            disabled=is_running or bool(refused),
        ):
            _start(subject, scene, shown)
            st.rerun()
        if not refused and not is_running:
            size = sources_compared.size_text(subject)
            st.caption(escaped(f"{size[0].upper()}{size[1:]}"), width="content")
    if refused:
        st.warning(escaped(refused), icon=":material/block:")
    for form in forms.FORMS:
        if reason := forms.reason_against(form, subject.stored):
            st.caption(f"{form.title} is left out: {escaped(reason)}")


def _refusal(subject: Subject) -> str:
    """Why nothing is begun, "" where it can be."""
    try:
        sources_compared.check(subject, get_uploads())
    except AugvizError as error:
        return get_uploads().shown(str(error))
    return ""


def subject_of(scene: Scene, shown: Shown, repeats: int) -> Subject:
    """What is compared: the original, whether or not there is a working copy of it."""
    state = scene.state
    choice = state.pipeline.input
    stored = desk.facts_of(state.source, InputChoice(choice.page, choice.level))
    assert shown.draw is not None
    about = measure_asked.quick_estimate(scene, shown.draw)
    return Subject(
        path=str(sources.resolve(state.source)),
        name=scene.name,
        kind=sources_compared.kind_of(stored.loader, stored.tile is not None),
        loader=stored.loader,
        stored=stored.header,
        pipeline=edits.complete(state.pipeline),
        seed=shown.recipe.seed,
        seconds=about.seconds if about else 1.0,
        repeats=repeats,
    )


def _start(subject: Subject, scene: Scene, shown: Shown) -> None:
    """Start the series for what was shown when the button was clicked, or remember why not for the run that follows."""
    st.session_state.pop(TROUBLE, None)
    uploads, token = get_uploads(), upload_tab.token()
    assert shown.draw is not None
    try:
        sources_compared.check(subject, uploads)
        file_id, path = uploads.place(token, "forms.tif", sources_compared.needed_bytes(subject))
        try:
            run = measure_asked.run_of(ASKER, scene, shown, shown.draw)
            series = series_bar.start(
                ASKER,
                form_figures.figures(subject, path.parent, uploads),
                Asked(subject, run, _file_bytes(subject.path)),
                reads=measure_asked.reads_of(scene.state.source),
                is_tied=True,
            )
        except AugvizError:
            uploads.remove(token, file_id)
            raise
    except AugvizError as error:
        st.session_state[TROUBLE] = uploads.shown(str(error))
        return
    form_figures.remove_afterwards(series, uploads, token, file_id)


def _file_bytes(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None


# The answer


def _result(result: Result, shown: Shown) -> None:
    if result.is_cancelled:
        st.info("Cancelled; the files are removed, and what was measured before is shown.", icon=":material/cancel:")
    elif not any(isinstance(row.whole, Profile) for row in result.rows):
        st.warning("Nothing could be compared; the reasons stand in the table.", icon=":material/error:")
    for number, sentence in enumerate(sources_compared.sentences(result.rows)):
        if number == 0:
            st.header(escaped(sentence), anchor=False)
        else:
            st.markdown(escaped(sentence))
    if result.key != shown.key:
        st.caption("Another image, pipeline or seed is shown now.")
    rows = result.rows
    names = [row.title for row in rows]
    panels = (
        compared_charts.of_repeats(
            "Whole pipeline", [row.whole.wall if isinstance(row.whole, Profile) else None for row in rows]
        ),
        compared_charts.of_repeats(
            "First window", [row.window.seconds if isinstance(row.window, Window) else None for row in rows]
        ),
    )
    colours = [compared_charts.OTHER if row.name == OWN else compared_charts.BAR for row in rows]
    st.plotly_chart(
        compared_charts.chart(names, panels, colours),
        key="measure.sources.chart",
        config=memory_charts.config("measure-sources"),
        alt=compared_charts.text("Time of the whole pipeline and of the first window by form", names, panels),
    )
    st.table(
        [measure_sources_tables.form_cells(row) for row in rows],
        hide_index=True,
        border="horizontal",
        alt="Time, size and memory of each form",
    )
    st.caption(
        "MB/s: bytes of the image's pixels in memory, by the time of the whole pipeline. Memory: peak of the process over "
        "what it has before it opens the file; what libvips decodes into a temporary file counts as far as it is in memory. "
        f"Medians of {result.subject.repeats}, with the spread (greatest less least). Files lie in the system's cache."
    )
    _commands(result)
    st.download_button(
        "CSV",
        memory_tables.csv_text(measure_sources_tables.csv_rows(rows)),
        file_name="measure-sources.csv",
        mime="text/csv",
        key="measure.sources.csv",
        icon=":material/download:",
    )


def _commands(result: Result) -> None:
    """The pyramid's first, which is what mostly helps."""
    st.markdown("**Convert once**, with libvips' own command line tool")
    for row in sorted((row for row in result.rows if row.command), key=lambda row: row.name != "pyramid"):
        form = forms.form_named(row.name)
        st.caption(f"{row.title} ({form.about})")
        st.code(row.command, language="bash", wrap_lines=True)
