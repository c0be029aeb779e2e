"""What a worker function is given beside its arguments: a way to tell how far it is, and to hear that it should stop.

Imports no pyvips: an image that is watched is only asked to stop.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from augviz.errors import Cancelled

_PROGRESS_SECONDS = 0.1  # at most ten fractions a second; a new text is always told at once

Tell = Callable[[Mapping[str, Any]], None]


_kept: list[Any] = []


def on_eval(image: Any, callback: Callable[[Any, Any], None]) -> None:
    """Have `callback(image, progress)` called while a pyvips image is evaluated; it must hold nothing large.

    pyvips 2.2.3 can disconnect nothing, and drops what it called through together with its own object, while libvips'
    operation cache may keep the image and go on calling: into freed memory, which ends the process. So that is kept.
    """
    image.signal_connect("eval", callback)
    _kept.append(tuple(image._handles))


class Context:
    """One request as its worker function sees it.

    `Context()` alone works in scripts and tests: nobody listens and nobody cancels.

    Args:
        tell: sends one message to the server.
        wants_progress: whether somebody looks at fractions. Without it `watch` does not ask libvips for progress,
            whose callbacks take the interpreter's lock.

    Attributes:
        last_stage: the last text given to `progress`.
    """

    def __init__(self, tell: Tell | None = None, *, wants_progress: bool = False) -> None:
        self.last_stage = ""
        self._tell = tell or (lambda message: None)
        self._wants_progress = wants_progress
        self._told: tuple[float, bool] = (0.0, False)  # when, and whether with a fraction
        self._cancelled = threading.Event()
        self._lock = threading.Lock()  # cancel() arrives on another thread than watch()
        self._watched: list[Any] = []

    def progress(self, fraction: float | None, text: str = "") -> None:
        """Tell how far the work is: `fraction` in [0, 1] or None where unknown, `text` names the stage.

        The text survives a crash: the server quotes the last one.
        """
        now, has_fraction = time.monotonic(), fraction is not None
        told_at, told_fraction = self._told
        if text == self.last_stage and has_fraction == told_fraction and now - told_at < _PROGRESS_SECONDS:
            return
        self._told = (now, has_fraction)
        self.last_stage = text
        self._tell({"progress": [fraction, text]})

    def at_step(self, step_id: str, transform: str, position: int | None) -> None:
        """Tell that this step's pixels are made from here on, so that a crash or a time-out can be blamed on it."""
        self._tell({"step": {"step_id": step_id, "transform": transform, "position": position}})

    def cancelled(self) -> bool:
        """Whether the request has been given up."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise Cancelled if the request has been given up."""
        if self.cancelled():
            raise Cancelled("The request was given up.")

    def watch(self, image: Any, within: tuple[float, float] = (0.0, 1.0)) -> Any:
        """Have a pyvips image's evaluation killed when the request is given up, and told as progress if wanted.

        Only derived images may be watched, never one just opened from a file: libvips' operation cache could hand the
        killed image to the next opener. Returns the image itself. Raises Cancelled if it is too late already.

        Args:
            within: the fractions of the whole work between which this image's pixels lie; without a span nothing is told.
        """
        with self._lock:
            self.check()
            self._watched.append(image)
        if self._wants_progress and within[0] < within[1]:
            image.set_progress(True)
            on_eval(image, functools.partial(self._on_eval, within))
        return image

    def cancel(self) -> None:
        """Give the request up; called by the thread that reads the server's messages."""
        with self._lock:
            self._cancelled.set()
            for image in self._watched:
                image.set_kill(True)

    def close(self) -> None:
        """Forget the watched images; a kill that came too late must not meet the next evaluation of a cached image."""
        with self._lock:
            if self.cancelled():
                for image in self._watched:
                    image.set_kill(False)
            self._watched.clear()

    def _on_eval(self, within: tuple[float, float], image: Any, progress: Any) -> None:
        # No exception may leave a libvips callback (it would be swallowed): this only tells.
        self.progress(within[0] + (within[1] - within[0]) * progress.percent / 100, self.last_stage)
