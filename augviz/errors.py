"""The one family of errors that a user may read. Each message is one sentence that names the thing, the limit and the value."""

from __future__ import annotations


class AugvizError(Exception):
    """Root of everything that is the input's fault, or the machine's, and not a bug in augviz."""


class SettingsError(AugvizError, ValueError):
    """A setting has a name or a value that the table of settings does not allow."""


class ImageError(AugvizError, ValueError):
    """An image cannot be found, opened, read or written."""


class FileAway(ImageError):
    """A file is not there, or cannot be opened; it may be another time."""


class DownloadError(AugvizError, RuntimeError):
    """A data set cannot be downloaded, or what was downloaded is not as it must be."""


class PipelineError(AugvizError, ValueError):
    """A pipeline, as a whole or in one of its items, is not well formed."""


class ArgumentError(AugvizError, ValueError):
    """A request asks for something impossible: a window outside the result, a negative size."""


class StepError(AugvizError, RuntimeError):
    """One step of a pipeline cannot be built, drawn or applied.

    Attributes:
        step_id: id of the step.
        transform: name of its transform, which `str()` of the error also names.
        position: 1-based position among the pipeline's leaves, None where it is not known.
        reason: the library's own words, or augviz's reason for a refusal.
    """

    def __init__(self, transform: str, reason: str, *, step_id: str = "", position: int | None = None) -> None:
        self.step_id = step_id
        self.transform = transform
        self.position = position
        self.reason = " ".join(reason.split())
        where = f"step {position}, {transform}" if position is not None else transform
        super().__init__(f"{where}: {self.reason}")


class WorkerError(AugvizError, RuntimeError):
    """A worker process did not give an answer."""


class WorkerCrashed(WorkerError):
    """The worker process ended by itself; `exit_status` is negative for a signal (POSIX)."""

    def __init__(self, message: str, *, exit_status: int | None = None) -> None:
        self.exit_status = exit_status
        super().__init__(message)


class OutOfMemory(WorkerError):
    """The work takes more memory than the worker may have, or than there is."""


class WorkerTimeout(WorkerError):
    """The worker was ended because it took longer than its time limit."""


class Cancelled(WorkerError):
    """The request was given up because a newer one took its place, or its asker has gone."""


class ServerBusy(WorkerError):
    """There is no room for the request at present; `ahead` says how many requests would be before it."""

    def __init__(self, message: str, *, ahead: int = 0) -> None:
        self.ahead = ahead
        super().__init__(message)


def is_out_of_memory(text: str) -> bool:
    """Whether an error's words, libvips' or the system's, say that memory ran out."""
    return any(words in text.lower() for words in ("out of memory", "cannot allocate memory"))
