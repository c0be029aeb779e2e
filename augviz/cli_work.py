"""The work of a command: a request done by a worker, with progress and blame, and files named once they are whole."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from augviz.errors import ArgumentError, ImageError, StepError, WorkerCrashed, WorkerError, WorkerTimeout

OUTPUT_SUFFIXES = (".npy", ".tif", ".png")

BLAME_SECONDS = 60.0
"""How long the step that ended a worker is looked for; a step that takes all of it is found by that."""

Show = Callable[[float | None, str], None]
"""Shows how far a worker is: a fraction in [0, 1] or None where unknown, and the stage in words."""


def show_progress(fraction: float | None, text: str) -> None:
    """Write how far it is over the line of standard error, which is a terminal; `Show` tells what the two are."""
    share = "" if fraction is None else f"{fraction:.0%} "
    show_line(f"{share}{text or 'starting'}")


def show_line(text: str) -> None:
    """Write over the line of standard error, which is a terminal; what is too wide for it would stay there, so it is cut."""
    columns = os.get_terminal_size(sys.stderr.fileno()).columns or len(text) + 1
    sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
    sys.stderr.flush()


def erase_progress() -> None:
    """Leave the line of standard error empty, whatever was shown there."""
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()


def work(function: str, request: Mapping[str, Any], show: Show | None = show_progress) -> dict[str, Any]:
    """Have a fresh process do it. Raises AugvizError; where the process ends, the error names the step that ended it.

    Args:
        show: is told how far it is, where standard error is a terminal.
    """
    try:
        return _run(function, request, show)
    except (WorkerCrashed, WorkerTimeout) as failure:
        if "pipeline" in request:
            raise _blamed(request, failure, show) from failure
        raise


def _blamed(request: Mapping[str, Any], failure: WorkerCrashed | WorkerTimeout, show: Show | None) -> BaseException:
    """The error that names the step at fault, else the failure itself."""
    from augviz.child import verdict
    from augviz.settings import get_settings
    from augviz.units import seconds_text

    is_late = isinstance(failure, WorkerTimeout)
    again = {key: request[key] for key in ("path", "input", "pipeline", "seed")}
    try:
        _run("blame", {**again, "after": "time-out" if is_late else "crash"}, show, BLAME_SECONDS)
    except StepError as blamed:
        if is_late:  # the search has a limit of its own, which is nobody's business
            reason = f"it takes longer than the time limit of {seconds_text(get_settings().job_seconds)}."
            return StepError(blamed.transform, reason, step_id=blamed.step_id, position=blamed.position)
        return verdict(blamed, failure)
    except ImageError as error:
        return error
    except WorkerError:
        return failure
    return failure


def _run(
    function: str, request: Mapping[str, Any], show: Show | None, at_most_seconds: float = float("inf")
) -> dict[str, Any]:
    from augviz.child import CannotStart
    from augviz.jobs import start_job
    from augviz.settings import get_settings
    from augviz.units import bytes_text

    settings = get_settings()
    job = start_job(
        function,
        request,
        seconds=min(settings.job_seconds, at_most_seconds),
        memory_bytes=settings.job_memory_bytes,
        threads=os.cpu_count() or 1,
        nice=0,
    )
    is_shown = show is not None and sys.stderr.isatty()
    try:
        if show is not None and is_shown:
            while job.wait(0.1) == "running":
                show(*job.progress)
        return job.result().value
    except CannotStart as error:
        if not settings.job_memory_bytes:
            raise
        allowed = bytes_text(settings.job_memory_bytes)
        raise WorkerError(
            f"{function}: the process could not start within its limit of {allowed} of memory."
        ) from error
    except BaseException:
        job.cancel()
        raise
    finally:
        if is_shown:
            erase_progress()


@contextlib.contextmanager
def unfinished(
    out: Path, suffixes: tuple[str, ...] = OUTPUT_SUFFIXES, option: str = "-o", reads: Sequence[str] = ()
) -> Iterator[Path]:
    """A file to write to; it gets the name `out` of the option when the block ends well, else nothing of it is left.

    Args:
        suffixes: endings that the name may have, in small letters.
        reads: paths of what the command reads, which must not be lost.

    Raises:
        ArgumentError: nothing can be written by that name, or it is that of a file that is read.
        ImageError: writing failed.
    """
    if out.suffix.lower() not in suffixes:
        raise ArgumentError(f"{option}: the name must end in {', '.join(suffixes)}, got {out.name!r}.")
    if out.is_dir():
        raise ArgumentError(f"{option}: {out} is a folder.")
    if not out.parent.is_dir():
        raise ArgumentError(f"{option}: there is no folder {out.parent}.")
    if any(is_same(out, one) for one in reads):
        raise ArgumentError(f"{option}: {out} is read by this command, and would be lost; name another file.")
    try:
        # A folder, because a worker that crashes leaves its own unfinished file beside the one it was to write.
        with tempfile.TemporaryDirectory(prefix=".augviz-", dir=out.parent) as folder:
            path = Path(folder) / out.name
            yield path
            os.replace(path, out)
    except OSError as error:
        raise ImageError(f"{out}: the file cannot be written: {error.strerror}.") from error


def is_same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one file, or would."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
