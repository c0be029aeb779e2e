"""How a command ends: with what it prints, with one line on standard error, or interrupted, whatever the streams are."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from augviz.errors import AugvizError

FAILED = 2
"""Exit status for anything wrong with the image, the pipeline, the arguments or the output."""

INTERRUPTED = 128 + signal.SIGINT
"""Exit status after Ctrl-C."""


def show(text: str, end: str = "\n") -> None:
    """Print what a command found, at once. Raises AugvizError where that cannot be, except to a reader who has seen enough."""
    if sys.stdout is None:
        raise AugvizError("standard output cannot be written: it is closed.")
    try:
        print(text, end=end)
    except OSError as error:
        _give_up(error)
    flush()


def flush() -> None:
    """Have what was printed written now, and not at exit, where nobody could say that it failed. Raises as `show`."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _give_up(error)


def _give_up(error: OSError) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would be flushed at exit
    if not isinstance(error, BrokenPipeError):
        raise AugvizError(f"standard output cannot be written: {error.strerror}.") from error


def fail(message: str) -> int:
    """Say in one line what is wrong. Returns the exit status."""
    _tell(message)
    return FAILED


def interrupted(words: str = "") -> int:
    """Say that it was interrupted, and what has become of the work, in `words`. Returns the exit status."""
    _tell(f"it was interrupted; {words or 'what was under way has ended'}.")
    return INTERRUPTED


def _tell(message: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # the status tells it, too
            print(f"augviz: {' '.join(message.split())}", file=sys.stderr, flush=True)


def let_interruptions_end_it() -> None:
    """Ctrl-C ends the process at once: for as long as nothing is under way, and modules are loaded that an error would be in."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else they are ignored, or someone else's
        signal.signal(signal.SIGINT, _end)


def let_interruptions_be_raised() -> None:
    """Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: object) -> None:
    os._exit(interrupted())
