"""Servers on this machine for the tests that need a real one: the whole app, or a handful of routes."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: status, headers by small name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A running app.

    Attributes:
        url: "http://127.0.0.1:1234", without a slash at the end; with the base path where one is set.
        pid: process id of the server.
        log: its output.
    """

    url: str
    pid: int
    process: subprocess.Popen[bytes]
    log: Path


def fetch(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Reply:
    """Ask for something; an error status is a reply as well."""
    request = urllib.request.Request(url, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Reply(response.status, _small(response.headers), response.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, _small(error.headers), error.read())


@contextlib.contextmanager
def live_server(tmp_path: Path, *, base_path: str = "", script: str = "app.py", **env: str) -> Iterator[LiveServer]:
    """The app as people start it, on a free port of this machine, with its own caches; ended at the end of the block.

    Args:
        tmp_path: gets the log and the caches.
        base_path: Streamlit's `server.baseUrlPath`.
        script: what is served, relative to the project.
        env: environment variables, such as `AUGVIZ_FOLDERS`, over those set here.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}" + (f"/{base_path}" if base_path else "")
    log_path = tmp_path / "server.log"
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", script],
            cwd=ROOT,
            env={**os.environ, **_environment(tmp_path, port, base_path), **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_healthy(process, url, log_path)
            yield LiveServer(url, process.pid, process, log_path)
        finally:
            _end(process)


@contextlib.contextmanager
def serving(routes: Sequence[BaseRoute], middleware: Sequence[Middleware] = ()) -> Iterator[str]:
    """Serve routes alone, or with some middleware, from a thread of this process; gives the address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)  # from here on a request waits until the server is there
        config = uvicorn.Config(
            Starlette(routes=list(routes), middleware=list(middleware)), log_level="error", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def asking(url: str) -> Iterator[http.client.HTTPConnection]:
    """Send a GET and do not wait; leaving the block closes the connection, as a browser does that has moved on."""
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", f"/{path}")
    try:
        yield connection
    finally:
        connection.close()


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that another process or thread does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(tmp_path: Path, port: int, base_path: str) -> dict[str, str]:
    return {
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_HEADLESS": "true",
        "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
        "STREAMLIT_SERVER_BASE_URL_PATH": base_path,
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
        "AUGVIZ_CACHE_FOLDER": str(tmp_path / "cache"),
    }


def _wait_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if fetch(f"{url}/_stcore/health").status == 200:
                return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"The server has not started:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _small(headers: object) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}  # type: ignore[attr-defined]
