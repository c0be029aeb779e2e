"""The child process: `python -m augviz.worker` answers requests from its standard input until that closes.

Nothing heavy is imported before standard output has been put away: albumentationsxl 0.1.2 prints (Emboss,
ElasticTransform), and a print between two frames would be read as a frame.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from augviz.context import Context
from augviz.errors import AugvizError, Cancelled, OutOfMemory, is_out_of_memory
from augviz.frames import FrameError, error_to_json, read_frame, write_frame
from augviz.units import bytes_text

Task = Callable[[dict[str, Any], Context], "dict[str, Any] | tuple[dict[str, Any], bytes]"]


class _Line:
    """The way back to the server; frames are written whole, whichever thread writes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def tell(self, header: Mapping[str, Any], blob: bytes = b"") -> None:
        with self._lock:
            write_frame(self._stream, header, blob)


class _Inbox:
    """Requests in the order they came, and the contexts that a cancel message must reach."""

    def __init__(self, line: _Line) -> None:
        self.requests: queue.SimpleQueue[tuple[dict[str, Any], Context]] = queue.SimpleQueue()
        self._line = line
        self._contexts: dict[int, Context] = {}

    def read(self, stream: BinaryIO) -> None:
        """Read until the server closes the stream or dies; then end this process, whatever it is doing."""
        with contextlib.suppress(FrameError, OSError):
            while (frame := read_frame(stream)) is not None:
                self._take(frame[0])
        os._exit(0)

    def _take(self, header: dict[str, Any]) -> None:
        if "cancel" in header:
            if (context := self._contexts.get(header["cancel"])) is not None:
                context.cancel()
            return
        number = header["id"]
        context = Context(lambda message: self._line.tell({"id": number, **message}), wants_progress=header["progress"])
        self._contexts[number] = context
        self.requests.put((header, context))

    def finish(self, number: int) -> None:
        if (context := self._contexts.pop(number, None)) is not None:
            context.close()


def main(arguments: list[str] | None = None) -> None:
    """Put standard output away, set the limits, import the functions, and answer."""
    options = _options(arguments)
    line = _Line(_take_stdout())
    _limit(options.memory_bytes, options.nice)
    inbox = _Inbox(line)
    threading.Thread(target=inbox.read, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        tasks: Mapping[str, Task] = importlib.import_module(options.tasks).TASKS
    except BaseException:  # noqa: BLE001 - told, and the end of this process
        line.tell({"bug": traceback.format_exc()})
        os._exit(1)  # an ordinary exit would wait for the thread that reads standard input
    line.tell({"ready": os.getpid()})
    while True:
        header, context = inbox.requests.get()
        answer, blob = _answer(tasks, header, context, options.memory_bytes)
        inbox.finish(header["id"])
        _send(line, header["id"], answer, blob)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="augviz.worker")
    parser.add_argument("--tasks", default="augviz.tasks", help="module that holds TASKS")
    parser.add_argument("--memory-bytes", type=int, default=0, help="limit of the address space, 0 is none")
    parser.add_argument("--nice", type=int, default=0, help="how much the process gives way to others")
    return parser.parse_args(arguments)


def _take_stdout() -> BinaryIO:
    """Keep standard output for frames, and let everything that prints write to standard error."""
    sys.stdout.flush()
    frames = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(frames, "wb")


def _limit(memory_bytes: int, nice: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the server's business
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    if nice:
        os.nice(nice)


def _answer(
    tasks: Mapping[str, Task], header: Mapping[str, Any], context: Context, memory_bytes: int
) -> tuple[dict[str, Any], bytes]:
    """Run one request. The one place that catches everything: whatever happened becomes an answer."""
    try:
        context.check()
        function = tasks.get(header["function"])
        if function is None:
            raise LookupError(f"there is no worker function {header['function']!r}")
        found = function(header["args"], context)
        value, blob = found if isinstance(found, tuple) else (found, b"")
        return {"value": value}, blob
    except Exception as error:  # noqa: BLE001 - the process boundary
        return _describe(error, context, memory_bytes), b""


def _describe(error: Exception, context: Context, memory_bytes: int) -> dict[str, Any]:
    if context.cancelled():  # a killed evaluation raises all sorts of errors
        return {"error": error_to_json(Cancelled("The request was given up."))}
    if isinstance(error, AugvizError):
        return {"error": error_to_json(error)}
    if _is_out_of_memory(error):
        where = f" during {context.last_stage}" if context.last_stage else ""
        limit = f" (limit {bytes_text(memory_bytes)})" if memory_bytes else ""
        return {"error": error_to_json(OutOfMemory(f"The worker ran out of memory{limit}{where}."))}
    return {"bug": "".join(traceback.format_exception(error))}


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    of_libvips = type(error).__module__.startswith("pyvips")
    return of_libvips and is_out_of_memory(str(error))


def _send(line: _Line, number: int, answer: dict[str, Any], blob: bytes) -> None:
    try:
        line.tell({"id": number, **answer}, blob)
    except (TypeError, ValueError):  # the function's value is not JSON; nothing has been written yet
        line.tell({"id": number, "bug": traceback.format_exc()})


if __name__ == "__main__":
    main()
