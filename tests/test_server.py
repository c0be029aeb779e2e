"""The server process: it serves every page and never holds what could crash it or make it large."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live import ROOT, LiveServer, fetch, live_server

FOREIGN = {"pyvips", "albumentationsxl", "cv2", "torch"}
"""What only worker processes import."""

ENTRANCES = ("app", "augviz.cli", "augviz.__main__", "augviz.ui.shell")
MINE = {"X-Augviz-Visitor": "0" * 32}
"""Who visits: addresses on a page answer to their visitor only."""

ADDRESS = re.compile(r"/[\w/]*augviz/(?:picture|thumb|report)/[^\"'\\ &]+")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("server"), STREAMLIT_SERVER_ENABLE_AGENT_API="true") as running:
        yield running


def visit(server: LiveServer, page: str = "", **more: Any) -> dict[str, Any]:
    """Run a page as a visitor without a browser; gives Streamlit's description of what is on it."""
    body = json.dumps({"page": page, **more} if page else more).encode()
    request = urllib.request.Request(
        f"{server.url}/_stcore/agent/interact", data=body, headers={"Content-Type": "application/json", **MINE}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.loads(response.read())
    return found


def libraries(pid: int) -> set[str]:
    """Which of the foreign packages have a library in the memory of a process."""
    paths = {line.split(maxsplit=5)[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "/" in line}
    named = {"pyvips": "vips", "cv2": "cv2", "torch": "torch"}
    return {name for name, part in named.items() if any(part in Path(path).name for path in paths)}


def workers_of(server: LiveServer) -> list[psutil.Process]:
    """The living worker processes."""
    children = psutil.Process(server.pid).children(recursive=True)
    return [child for child in children if "augviz.worker" in child.cmdline()]


def imports(path: Path) -> set[str]:
    """Names of the modules that a file imports, in functions too, except for type checking."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(path.read_text(encoding="utf-8")))
    return found


def file_of(module: str) -> Path | None:
    """The file of one of our own modules, None for anything else."""
    base = ROOT.joinpath(*module.split("."))
    if module != "app" and module.split(".")[0] not in ("augviz", "pages"):
        return None
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def server_side() -> dict[str, Path]:
    """Every module of ours that the server can come to import, by name."""
    found: dict[str, Path] = {}
    waiting = [*ENTRANCES, *(f"pages.{path.stem}" for path in ROOT.glob("pages/*.py"))]
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if path is not None and module not in found:
            found[module] = path
            waiting += imports(path)
    return found


def test_every_page_is_served_with_its_pictures(server: LiveServer) -> None:
    for page in visit(server)["pages"]:
        shown = visit(server, page["url_path"])
        addresses = set(ADDRESS.findall(json.dumps(shown)))

        assert (shown["status"], shown["page"]["title"]) == ("ready", page["title"])
        assert {fetch(server.url + address, MINE).status for address in addresses} <= {200}


def test_the_first_page_shows_a_picture(server: LiveServer) -> None:
    addresses = ADDRESS.findall(json.dumps(visit(server)))

    assert addresses
    assert fetch(server.url + addresses[0], MINE).headers["content-type"] == "image/jpeg"


def test_the_server_holds_no_image_library_after_every_page(server: LiveServer) -> None:
    for page in visit(server)["pages"]:
        for address in ADDRESS.findall(json.dumps(visit(server, page["url_path"]))):
            fetch(server.url + address, MINE)

    assert libraries(server.pid) == set()
    assert all(libraries(worker.pid) >= {"pyvips"} for worker in workers_of(server))
    assert workers_of(server)


def test_visits_leave_no_traceback_in_the_log(server: LiveServer) -> None:
    for page in visit(server)["pages"]:
        visit(server, page["url_path"])

    assert "Traceback" not in server.log.read_text(errors="replace")


def test_the_module_graph_of_the_server_has_no_foreign_import() -> None:
    found = {
        module: sorted(FOREIGN & {name.split(".")[0] for name in imports(path)})
        for module, path in server_side().items()
    }

    assert {module: names for module, names in found.items() if names} == {}
    assert {"augviz.web", "augviz.workers", "augviz.ui.shell"} <= set(found)


def test_a_fresh_interpreter_with_every_server_module_has_nothing_foreign() -> None:
    modules = sorted(module for module in server_side() if module.startswith("augviz") and ".ui" not in module)
    modules.remove("augviz.__main__")
    script = f"import importlib, sys\nfor m in {modules}: importlib.import_module(m)\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )

    assert FOREIGN & {name.split(".")[0] for name in run.stdout.split()} == set()
    assert "streamlit" not in run.stdout.split()


def test_the_workers_end_with_their_server(tmp_path: Path) -> None:
    with live_server(tmp_path, base_path="demo", STREAMLIT_SERVER_ENABLE_AGENT_API="true") as server:
        below = fetch(server.url + "/augviz/thumb/unknown.jpg", MINE)
        end = time.monotonic() + 60
        while not (workers := workers_of(server)):
            assert time.monotonic() < end
            time.sleep(0.05)
        server.process.kill()

    _gone, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    assert b"reload the page" in below.body
