"""One worker process as the server sees it: start it, ask it one thing at a time, stop it, survive its end.

Each child is `python -m augviz.worker` with its own pipes. Not a multiprocessing or pebble pool: their spawned children
import the parent's `__main__` again, which under Streamlit is Streamlit itself or the page that happens to run, and the
lock of a shared channel can die with a killed worker. With a pipe for each child, whatever happens to one child is
invisible to the others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from augviz.errors import AugvizError, Cancelled, StepError, WorkerCrashed, WorkerError, WorkerTimeout
from augviz.frames import FrameError, error_from_json, read_frame, write_frame
from augviz.units import seconds_text

STARTUP_SECONDS = 120.0
"""Until a child has imported its functions, on a machine that is busy with everything else."""

GRACE_SECONDS = 5.0
"""A child that was told to stop and does not (it builds, or is stuck) is ended after this long."""

_ROOT = Path(__file__).resolve().parent.parent

_SIGNAL_WORDS = {
    "SIGFPE": "divided by zero",
    "SIGSEGV": "segmentation fault",
    "SIGBUS": "bus error",
    "SIGILL": "illegal instruction",
    "SIGABRT": "aborted",
    "SIGTRAP": "aborted",
    "SIGKILL": "killed",
    "SIGTERM": "killed",
}
_WINDOWS_WORDS = {
    0xC0000094: "divided by zero",
    0xC0000005: "segmentation fault",
    0xC00000FD: "stack overflow",
}


class WorkerBug(RuntimeError):
    """A worker function failed in a way that nobody foresaw; the message is its traceback. Not for users."""


class CannotStart(WorkerBug):
    """The functions cannot be imported, so that no request can be answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker function returned: a JSON object and a blob, which is empty where there is none."""

    value: dict[str, Any]
    blob: bytes = b""


@dataclass(eq=False, slots=True)
class Call:
    """One request on its way.

    Attributes:
        seconds: time limit, from the moment the child gets the request.
        urgent: whether it goes ahead of the same visitor's others.
        patient: whether it gives way to everybody's requests that are not.
        visitor: who it is for; "" is nobody in particular.
        asked_at: when it was made, by `time.monotonic`.
        progress: the last fraction in [0, 1] (None where unknown) and text that the function told.
        step: the step at which the function said it is.
        child: the process that has it, None while it waits.
        given_up: whether nobody waits any more.
        expired: whether the child was ended for taking too long.
    """

    number: int
    function: str
    args: Mapping[str, Any]
    seconds: float
    topic: tuple[str, str] | None = None
    wants_progress: bool = False
    urgent: bool = False
    patient: bool = False
    visitor: str = ""
    asked_at: float = field(default_factory=time.monotonic)
    future: Future[Answer] = field(default_factory=Future)
    progress: tuple[float | None, str] = (None, "")
    step: Mapping[str, Any] | None = None
    child: Child | None = None
    given_up: bool = False
    expired: bool = False

    def __post_init__(self) -> None:
        self.future.set_running_or_notify_cancel()  # only the pool ends it, so that nothing can go out of step

    def settle(self, outcome: Answer | BaseException) -> None:
        """Give the waiting one its answer, unless it has one already."""
        with contextlib.suppress(InvalidStateError):
            if isinstance(outcome, Answer):
                self.future.set_result(outcome)
            else:
                self.future.set_exception(outcome)

    def give_up(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Tell the waiting one that the request was given up, and the child to stop if one has it."""
        self.given_up = True  # before looking for the child: `Child.ask` sets itself first and then looks at this
        self.settle(Cancelled(f"{self.function}: the request was given up."))
        if self.child is not None:
            self.child.stop(self, grace_seconds)


def verdict(blamed: BaseException | None, error: WorkerCrashed | WorkerTimeout) -> BaseException:
    """What to tell after a crash or a time-out: the step at fault if it was found, else what happened.

    A crash is a step's only if that step has crashed again: the slowest step, which "blame" names else, has not.
    """
    if not isinstance(blamed, StepError):
        return error
    if isinstance(error, WorkerCrashed):
        return blamed if isinstance(blamed.__cause__, WorkerCrashed) else error
    blamed.__cause__ = error
    return blamed


def unexplained(error: WorkerCrashed | WorkerTimeout) -> WorkerCrashed | WorkerTimeout:
    """What to tell where nobody could be asked which step it was."""
    text = f"{str(error).removesuffix('.')}; too much is running to find out at which step, so try again in a moment."
    if isinstance(error, WorkerTimeout):
        return WorkerTimeout(text)
    return WorkerCrashed(text, exit_status=error.exit_status)


def outcome_of(error: BaseException | None) -> str:
    """How a request ended, in one word: "done", "crashed", "timed_out", "cancelled", "failed" by a sentence, or "bug"."""
    if error is None:
        return "done"
    end = error.__cause__ if isinstance(error, StepError) and isinstance(error.__cause__, WorkerError) else error
    for cls, word in ((WorkerCrashed, "crashed"), (WorkerTimeout, "timed_out"), (Cancelled, "cancelled")):
        if isinstance(end, cls):
            return word
    return "failed" if isinstance(end, AugvizError) else "bug"


class Child:
    """A worker process. One thread asks; `stop` and `end` may be called by any.

    Args:
        tasks: module that holds the functions.
        memory_bytes: limit of its address space, 0 is none.
        nice: how much it gives way to other processes.
        threads: libvips' threads.

    Attributes:
        pid: its process id.
        answered: how many requests it has had, the ones that failed included.
    """

    def __init__(self, *, tasks: str, memory_bytes: int = 0, nice: int = 0, threads: int = 2) -> None:
        self._lock = threading.Lock()  # guards writing, and which call is the current one
        self._call: Call | None = None
        self._is_ready = False
        self.answered = 0
        self._process = subprocess.Popen(
            _command(tasks, memory_bytes, nice),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # libvips warns about every odd file; with PYTHONDEVMODE=1 a developer sees it all.
            stderr=None if sys.flags.dev_mode else subprocess.DEVNULL,
            env=_environment(threads),
            creationflags=_priority_class(nice),
        )
        self.pid = self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until the functions are imported. Raises WorkerBug with the traceback if they cannot be."""
        if self._is_ready:
            return
        start = Call(0, "start", {}, STARTUP_SECONDS)
        with _after(start.seconds, self._expire, start):
            self._call = start
            frame = self._read()
        self._call = None
        if frame is None:
            raise self._ended_at_start(start)
        if "bug" in frame[0]:
            self.end()
            raise CannotStart(str(frame[0]["bug"]))
        self._is_ready = True

    def ask(self, call: Call) -> Answer:
        """Send the request and wait for its answer.

        Raises:
            AugvizError: of the class that the function raised.
            WorkerBug: the function raised anything else.
            WorkerCrashed, WorkerTimeout: the process ended, or was ended by the time limit; as a StepError (from the
                former) where the function had said at which step it is.
        """
        self.wait_ready()
        call.child = self
        header = {"id": call.number, "function": call.function, "args": call.args, "progress": call.wants_progress}
        call.step, call.progress = None, (None, "")
        try:
            with self._lock:
                if call.given_up:
                    raise Cancelled(f"{call.function}: the request was given up.")
                self._call = call
                self._write(header)
            with _after(call.seconds, self._expire, call):
                return self._listen(call)
        finally:
            self.answered += 1
            with self._lock:
                self._call = None

    def stop(self, call: Call, grace_seconds: float) -> None:
        """Tell the function to stop if it is this call's; end the process if it does not listen."""
        with self._lock:
            if self._call is not call:
                return
            self._write({"cancel": call.number})
        timer = threading.Timer(grace_seconds, self._expire, (call,))
        timer.daemon = True
        timer.start()

    def end(self) -> None:
        """End the process, now."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def resident_bytes(self) -> int | None:
        """Resident memory of the process, None where the system does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _write(self, header: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has just ended: whoever listens finds out
            write_frame(self._process.stdin, header)  # type: ignore[arg-type]

    def _read(self) -> tuple[dict[str, Any], bytes] | None:
        assert self._process.stdout is not None
        try:
            return read_frame(self._process.stdout)  # type: ignore[arg-type]
        except (FrameError, OSError, ValueError):  # cut off, nonsense, or closed by `end`: of no use any more
            self._process.kill()
            return None

    def _listen(self, call: Call) -> Answer:
        while (frame := self._read()) is not None:
            header, blob = frame
            if header.get("id") != call.number:
                continue
            if "progress" in header:
                fraction, text = header["progress"]
                call.progress = (fraction, text)
            elif "step" in header:
                call.step = header["step"]
            elif "error" in header:
                raise error_from_json(header["error"])
            elif "bug" in header:
                raise WorkerBug(str(header["bug"]))
            else:
                return Answer(header["value"], blob)
        raise self._ended(call)

    def _expire(self, call: Call) -> None:
        with self._lock:  # an answer that came just in time must not cost the next request its process
            if self._call is call:
                call.expired = True
                self._process.kill()

    def _ended_at_start(self, start: Call) -> WorkerError:
        """Before it had its request: whatever that was, it is not to blame."""
        status = self._process.wait()
        words = f"was ended while it started ({exit_words(status)})"
        if start.expired:
            words = f"did not start within {seconds_text(start.seconds)}"
        told = f"The process that should compute this {words}, which is no fault of your image or pipeline; try again."
        return WorkerTimeout(told) if start.expired else WorkerCrashed(told, exit_status=status)

    def _ended(self, call: Call) -> WorkerError | StepError:
        status = self._process.wait()
        if call.given_up:
            return Cancelled(f"{call.function}: the request was given up.")
        during = f" during {call.progress[1]}" if call.progress[1] else ""
        end: WorkerError
        if call.expired:
            reason = f"took longer than its limit of {seconds_text(call.seconds)}"
            end = WorkerTimeout(f"{call.function}: {reason}{during}.")
        else:
            reason = f"the library crashed ({exit_words(status)}) for this draw"
            end = WorkerCrashed(
                f"{call.function}: the worker crashed ({exit_words(status)}){during}.", exit_status=status
            )
        if call.step is None:
            return end
        error = StepError(call.step["transform"], reason, step_id=call.step["step_id"], position=call.step["position"])
        error.__cause__ = end
        return error


def exit_words(status: int) -> str:
    """What the exit status of a process means: "divided by zero", "killed", "exit status 3"."""
    if status < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-status).name
            return _SIGNAL_WORDS.get(name, name)
    return _WINDOWS_WORDS.get(status, f"exit status {status}")


def _priority_class(nice: int) -> int:
    """Windows' nearest; 0 elsewhere, where the process makes itself nice."""
    name = "IDLE_PRIORITY_CLASS" if nice >= 10 else "BELOW_NORMAL_PRIORITY_CLASS"
    return int(getattr(subprocess, name, 0)) if nice else 0


def _command(tasks: str, memory_bytes: int, nice: int) -> list[str]:
    # -P: the folder the server was started in holds the user's images, and must not provide modules.
    limits = ["--memory-bytes", str(memory_bytes), "--nice", str(nice)]
    return [sys.executable, "-P", "-m", "augviz.worker", "--tasks", tasks, *limits]


def _environment(threads: int) -> dict[str, str]:
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(_ROOT), *([known] if known else [])]),
        "VIPS_CONCURRENCY": str(threads),
        # numpy's threads would only fight with libvips', and each takes address space, which is limited.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # glibc gives each thread an arena of its own and keeps what was freed in it: two are enough and stay small.
        "MALLOC_ARENA_MAX": "2",
    }


@contextlib.contextmanager
def _after(seconds: float, act: Callable[[Call], None], call: Call) -> Any:
    """Do something unless the block is done within `seconds`."""
    timer = threading.Timer(seconds, act, (call,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
