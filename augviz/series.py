"""Several measurements one after the other, each in a fresh process: how far they are, and what came of each.

Two that ran at once would measure each other. A series goes on whatever page is shown, and ends with its visitor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from augviz import profiles
from augviz.errors import ArgumentError, AugvizError
from augviz.jobs import Job, asked_by
from augviz.profiles import Failed

WAIT_SECONDS = 60.0
"""How long one wait for a process takes; there is another after it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing to measure.

    Attributes:
        name: tells it from the others of its series.
        title: what it is, on a screen.
        start: starts the process that measures it; may raise AugvizError.
        outcome: what came of the process that has ended: a value, or `Failed`.
        weight: how long it takes, as compared to the others, for the time that remains.
    """

    name: str
    title: str
    start: Callable[[], Job] = field(repr=False)
    outcome: Callable[[Job], Any] = field(default=profiles.outcome, repr=False)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a series is.

    Attributes:
        number: of the figure that is measured, from 1.
        count: of all figures.
        title: of that figure.
        stage: what its process is doing, in words; "" if that is not known.
        fraction: of all the work, in [0, 1].
        elapsed: seconds since the start.
        remaining: seconds to come, None as long as that cannot be told.
    """

    number: int
    count: int
    title: str
    stage: str
    fraction: float
    elapsed: float
    remaining: float | None


class Series:
    """Figures that are measured one after the other, from when it is made. A figure that fails does not stop the others.

    Attributes:
        figures: in their order.
        visitor: whose they are, "" for nobody's.
    """

    def __init__(
        self, figures: Sequence[Figure], on_end: Callable[[Series], None] = lambda _series: None, visitor: str = ""
    ) -> None:
        """Start measuring.

        Args:
            on_end: called once, when everything has ended, in a thread of its own.
            visitor: whose jobs they are.

        Raises:
            ArgumentError: there is none, or two have the same name.
        """
        self.figures = tuple(figures)
        names = [figure.name for figure in self.figures]
        if not names or len(set(names)) != len(names):
            raise ArgumentError("A series needs figures, each with a name of its own.")
        self._on_end = on_end
        self.visitor = visitor
        self._lock = threading.Lock()
        self._outcomes: dict[str, Any] = {}
        self._bug: Exception | None = None
        self._job: Job | None = None
        self._number = 0
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._began = time.monotonic()
        threading.Thread(target=self._run, daemon=True, name="augviz-series").start()

    @property
    def outcomes(self) -> Mapping[str, Any]:
        """What came of the figures that are done, by name: a value or `Failed`. Raises what was no error of ours."""
        with self._lock:
            if self._bug is not None:
                raise self._bug
            return dict(self._outcomes)

    @property
    def is_running(self) -> bool:
        return not self._ended.is_set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wanted it to end."""
        return self._cancelled.is_set()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        with self._lock:
            number, job = self._number, self._job
        figure = self.figures[min(number, len(self.figures) - 1)]
        fraction, stage = (None, "") if job is None else job.progress
        weights = [one.weight for one in self.figures]
        done = (sum(weights[:number]) + (fraction or 0.0) * (weights[number] if number < len(weights) else 0.0)) / sum(
            weights
        )
        elapsed = time.monotonic() - self._began
        remaining = profiles.remaining_seconds(elapsed, done)
        return Progress(
            min(number + 1, len(weights)), len(weights), figure.title, stage, min(done, 1.0), elapsed, remaining
        )

    def cancel(self) -> None:
        """End what runs, within a second, and begin nothing more."""
        with self._lock:
            self._cancelled.set()
            job = self._job
        if job is not None:
            job.cancel()

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most `seconds`; whether it has."""
        return self._ended.wait(seconds)

    def _run(self) -> None:
        try:
            for number, figure in enumerate(self.figures):
                outcome = self._measured(number, figure)
                with self._lock:
                    self._outcomes[figure.name] = outcome
        except Exception as error:  # noqa: BLE001 - raised where the outcomes are asked for
            with self._lock:
                self._bug = error
        finally:
            with self._lock:
                self._number, self._job = len(self.figures), None
            self._ended.set()
            self._on_end(self)

    def _measured(self, number: int, figure: Figure) -> Any:
        with self._lock:
            self._number, self._job = number, None
            if self._cancelled.is_set():
                return Failed("It was cancelled.", cancelled=True)
        try:
            with asked_by(self.visitor):
                job = figure.start()
        except AugvizError as error:
            return Failed(str(error))
        with self._lock:
            self._job = job
            cancelled = self._cancelled.is_set()
        if cancelled:
            job.cancel()
        while not job.wait_gone(WAIT_SECONDS):  # the next process would be measured beside this one
            pass
        return figure.outcome(job)
