"""A server of one file on this machine that can fail as servers do, and archives laid out as Imagenette's."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyvips

from augviz.imagenette import LABELS, SPLITS
from augviz.sources import samples


@dataclass
class Mirror:
    """What is served, how, and what was asked.

    Attributes:
        content: the file.
        break_after: each answer ends after so many bytes of it; None sends all.
        ranges: whether parts can be asked for.
        tells_length: whether the size is told.
        redirect: where to send whoever asks, "" is nowhere.
        status: the status of every answer, 200 is an ordinary one.
        hold: while it is not set, an answer stops after half of the content.
        url: of the file.
        asked: the Range header of each request, "" where there was none.
        sent: bytes of content in each answer.
    """

    content: bytes
    break_after: int | None = None
    ranges: bool = True
    tells_length: bool = True
    redirect: str = ""
    status: int = 200
    hold: threading.Event | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content).hexdigest()


@contextmanager
def serving(mirror: Mirror, name: str = "imagenette2-320.tgz") -> Iterator[Mirror]:
    """Serve until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(mirror))
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}/sets/{name}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        if mirror.hold:
            mirror.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            mirror.asked.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and mirror.ranges else 0
            if mirror.redirect:
                self._head(302, {"Location": mirror.redirect})
            elif mirror.status != 200:
                self._head(mirror.status, {})
            elif start and start >= len(mirror.content):
                self._head(416, {"Content-Range": f"bytes */{len(mirror.content)}"})
            else:
                self._send(start)

        def _send(self, start: int) -> None:
            body = mirror.content[start:]
            headers = {"Content-Length": str(len(body))} if mirror.tells_length else {}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(mirror.content) - 1}/{len(mirror.content)}"
            self._head(206 if start else 200, headers)
            if mirror.hold and not mirror.hold.is_set():
                half = len(body) // 2
                self._write(body[:half])
                mirror.hold.wait(60)
                body = body[half:]
            self._write(body if mirror.break_after is None else body[: mirror.break_after])

        def _write(self, body: bytes) -> None:
            mirror.sent.append(len(body))
            try:
                self.wfile.write(body)
                self.wfile.flush()
            except OSError:  # whoever asked has gone
                self.close_connection = True

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def jpegs() -> list[bytes]:
    """The samples as small JPEG files."""
    return [pyvips.Image.thumbnail(str(sample.path), 64).jpegsave_buffer(Q=80) for sample in samples()]


def imagenette_members(folder: str = "imagenette2-320", each: int = 2) -> list[tuple[tarfile.TarInfo, bytes]]:
    """What an archive of the data set holds: `each` images of every class in both splits, and a table beside them."""
    pictures = jpegs()
    found = [directory(folder), member(f"{folder}/noisy_imagenette.csv", b"path,noisy_labels_0\n")]
    for split in SPLITS:
        for position, label in enumerate(LABELS):
            found.append(directory(f"{folder}/{split}/{label.wnid}"))
            for number in range(each):
                name = f"{folder}/{split}/{label.wnid}/{label.wnid}_{number * 9 + 1}.JPEG"
                found.append(member(name, pictures[(position + number) % len(pictures)]))
    return found


def member(name: str, content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def directory(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(name, tarfile.DIRTYPE)


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A folder, a link or a device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tgz(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An archive, the same bytes each time."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tree(folder: Path) -> list[str]:
    """Everything below a folder, by relative path."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
