"""Downloads over HTTP that go on where they broke off, and archives that need not be trusted. Knows no data set."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit

from augviz.context import Context
from augviz.errors import DownloadError
from augviz.units import bytes_text

SCHEMES = ("http", "https")
TIMEOUT_SECONDS = 30.0
"""How long a server may be silent."""

ATTEMPTS = 3
"""A connection that breaks off is made again so often in one download, as long as each brings something."""

MAX_DEPTH = 8
"""Folders within folders in an archive."""

_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may become.

    Attributes:
        max_entries: files and folders.
        max_bytes: all that its compression holds, the archive's own tables included.
    """

    max_entries: int
    max_bytes: int


class BadArchive(DownloadError):
    """What was downloaded must not, or cannot, be unpacked: to download it again would bring the same."""


class _BrokenOff(Exception):
    """The server stopped in the middle; what has come is kept."""


@contextmanager
def exclusive(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`, made where it is missing, to append to and to read; no other process has it meanwhile.

    Nothing is buffered, so what was written stays there whatever happens next. It is removed if it is empty in the end.
    Where the platform has no `flock` (Windows), a second process is not kept away.

    Raises:
        DownloadError: another process has it, or it cannot be written.
    """
    try:
        file = open(path, "a+b", buffering=0)  # noqa: SIM115 - closed below; only opening it may be translated
    except OSError as error:
        raise DownloadError(f"{path.name}: it cannot be written: {error.strerror or error}.") from error
    with file:
        _lock(file, path)
        try:
            yield file
        finally:
            if not os.fstat(file.fileno()).st_size:
                with contextlib.suppress(PermissionError):  # Windows removes no open file: there an empty one stays
                    path.unlink(missing_ok=True)


def _lock(file: IO[bytes], path: Path) -> None:
    """Ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:  # locked, or removed between opening and locking
        same = False
    if not same:
        raise DownloadError(f"{path.name}: another download of it is running.")


def download(
    address: str,
    file: BinaryIO,
    context: Context,
    *,
    max_bytes: int,
    check_room: Callable[[int | None, int], None] = lambda total, here: None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Append to `file` what it does not have yet of the file at `address`.

    A server that cannot send a part sends everything, and the file is begun anew.

    Args:
        file: as `exclusive` gives it; what is in it is taken for the beginning.
        max_bytes: the whole file may be so large.
        check_room: called with the size of the whole file in bytes (None where the server does not tell) and what is
            here of it, before anything is written; raises where the disk has no room.
        timeout_seconds: how long the server may be silent.

    Raises:
        DownloadError: the address, the server or the disk fails. What has come stays in `file`.
        Cancelled: the same, when the request has been given up.
    """
    for left in reversed(range(ATTEMPTS)):
        before = file.seek(0, os.SEEK_END)
        try:
            return _append(address, file, context, max_bytes, check_room, timeout_seconds)
        except _BrokenOff as broken:
            if not left or file.seek(0, os.SEEK_END) <= before:
                raise DownloadError(f"{broken} Download it again to go on from there.") from broken
        except OSError as error:
            raise DownloadError(f"{_name(address)}: it cannot be written: {error.strerror or error}.") from error


def _append(
    address: str,
    file: BinaryIO,
    context: Context,
    max_bytes: int,
    check_room: Callable[[int | None, int], None],
    timeout_seconds: float,
) -> None:
    """One connection's worth of `download`. Raises _BrokenOff where it ends early, OSError from the disk."""
    name, here = _name(address), file.seek(0, os.SEEK_END)
    response = _open(address, here, timeout_seconds)
    if response is None:  # there is no such part: all of it is here, or what is here is no beginning of it
        response = _open(address, 0, timeout_seconds)
        if _length(response) == here:
            response.close()
            return
    with response:
        begins, total = _place(response, here, name)
        if begins == 0:
            file.truncate(0)
        if (total or 0) > max_bytes:
            raise DownloadError(
                f"{name}: the server says {bytes_text(total or 0)}, at most {bytes_text(max_bytes)} are taken."
            )
        check_room(total, begins)
        received = begins
        while block := _read(response, name, received, total):
            context.check()
            received += len(block)
            if received > max_bytes:
                raise DownloadError(f"{name}: the server sends more than the {bytes_text(max_bytes)} that are taken.")
            _write(file, block)
            _tell(context, received, total)
    if total is not None and received < total:
        raise _broken(name, received, total)


def _open(address: str, start: int, timeout_seconds: float) -> Any:
    """The server's answer to a request for all from byte `start` on; None if it says that there is no such part."""
    if urlsplit(address).scheme.lower() not in SCHEMES:
        raise DownloadError(f"{address}: only addresses that begin with http:// or https:// are downloaded.")
    headers = {"User-Agent": "augviz"} | ({"Range": f"bytes={start}-"} if start else {})
    name = _name(address)
    try:
        return _opener().open(urllib.request.Request(address, headers=headers), timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise DownloadError(f"{name}: the server answers {error.code}: {_words(error.reason)}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        host = urlsplit(address).netloc.rpartition("@")[2]
        raise DownloadError(f"{name}: {host} cannot be reached: {_words(getattr(error, 'reason', error))}.") from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to another scheme, except to https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in (before, "https"):
            raise DownloadError(f"{_name(req.full_url)}: the server redirects from {before} to {after or 'nowhere'}.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Opens http and https and nothing else: `urllib.request.build_opener` would add files, FTP and data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _place(response: Any, here: int, name: str) -> tuple[int, int | None]:
    """At which byte the answer begins, `here` or 0, and the size of the whole file, None if the server does not tell."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if match is None or int(match.group(1)) != here:
            raise DownloadError(f"{name}: the server sends another part of the file than it was asked for.")
        return here, None if match.group(2) == "*" else int(match.group(2))
    if response.status != HTTPStatus.OK:
        raise DownloadError(f"{name}: the server answers {response.status}.")
    return 0, _length(response)


def _length(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _read(response: Any, name: str, received: int, total: int | None) -> bytes:
    try:
        block: bytes = response.read1(_BLOCK_BYTES)  # what is there: a full block can be long in coming
    except (OSError, http.client.HTTPException) as error:
        raise _broken(name, received, total) from error
    return block


def _broken(name: str, received: int, total: int | None) -> _BrokenOff:
    of = f" of {bytes_text(total)}" if total is not None else ""
    return _BrokenOff(f"{name}: the connection broke off after {bytes_text(received)}{of}.")


def _write(file: BinaryIO, block: bytes) -> None:
    """All of it: an unbuffered file may take less than it is given."""
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def _tell(context: Context, received: int, total: int | None) -> None:
    of = f" of {bytes_text(total)}" if total is not None else ""
    context.progress(received / total if total else None, f"downloading, {bytes_text(received)}{of}")


def _name(address: str) -> str:
    """What to call the file at an address: nothing of it that could be secret."""
    return urlsplit(address).path.rpartition("/")[2] or urlsplit(address).netloc.rpartition("@")[2]


def _words(reason: object) -> str:
    """Somebody else's words, in one line and without a full stop."""
    return " ".join(str(reason).split()).removesuffix(".")


def checksum(file: BinaryIO, context: Context) -> str:
    """MD5 of a whole file, as hexadecimal digits. It tells what is damaged; it is no proof against malice."""
    digest, size = hashlib.md5(usedforsecurity=False), file.seek(0, os.SEEK_END)
    file.seek(0)
    while block := file.read(4 * _BLOCK_BYTES):
        context.check()
        digest.update(block)
        context.progress(file.tell() / size, "verifying")
    return digest.hexdigest()


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """An empty folder at `path` that is gone after the block; what an earlier process left there goes first."""
    shutil.rmtree(path, ignore_errors=True)
    try:
        path.mkdir()
        yield path
    except OSError as error:
        raise DownloadError(f"{path.parent.name}: the folder cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(path, ignore_errors=True)


def unpack(file: BinaryIO, name: str, folder: Path, limits: Limits, context: Context) -> None:
    """Write the files of a .tar.gz archive below `folder`, which must be there and empty.

    Owners, modes and times of the archive are not taken over.

    Args:
        file: the archive.
        name: what to call it in an error.

    Raises:
        BadArchive: it is damaged or beyond the limits, or holds a link, a device, or a name that is absolute, leads out
            with ".." or comes twice. What had been written by then stays.
        DownloadError: it cannot be written.
        Cancelled: the request has been given up.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    entries: set[Path] = set()
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            plain = _Bounded(packed, limits.max_bytes, name)
            with tarfile.open(fileobj=plain, mode="r|") as tar:  # type: ignore[call-overload]  # only its `read` is used
                for member in tar:
                    context.check()
                    path = folder / _safe_parts(member, name)
                    entries.update(parent for parent in (path, *path.parents) if parent.is_relative_to(folder))
                    if len(entries) > limits.max_entries:
                        raise BadArchive(f"{name}: it holds more than {limits.max_entries} files and folders.")
                    plain.check(member.size)
                    _unpack_member(tar, member, path)
                    context.progress(min(1.0, file.tell() / max(1, size)), "unpacking")
            while plain.read(_BLOCK_BYTES):  # the end of the compressed data proves that nothing was cut off
                context.check()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, RecursionError) as error:
        raise BadArchive(f"{name}: the archive is damaged: {_words(error)}.") from error
    except OSError as error:
        raise DownloadError(f"{name}: it cannot be unpacked: {error.strerror or error}.") from error


def _safe_parts(member: tarfile.TarInfo, name: str) -> Path:
    """The member's path, relative and without "..". Raises BadArchive for everything else that a tar can hold."""
    text = member.name
    parts = [part for part in text.split("/") if part not in ("", ".")]
    is_plain = not text.startswith("/") and not re.search(r"[\\:\x00-\x1f]", text) and ".." not in parts
    if not is_plain or len(parts) > MAX_DEPTH:
        raise BadArchive(f"{name}: it holds the name {text[:80]!r}, which is not taken; nothing of it is kept.")
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise BadArchive(f"{name}: {text[:80]!r} in it is no file or folder but a link, a device or the like.")
    return Path(*parts)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    try:
        out = open(path, "xb")  # noqa: SIM115 - closed below; only opening it may be translated
    except (FileExistsError, NotADirectoryError) as error:
        raise tarfile.TarError(f"{member.name[:80]!r} comes twice") from error
    with source, out:
        shutil.copyfileobj(source, out, _BLOCK_BYTES)


class _Bounded:
    """A stream that is read up to a limit."""

    def __init__(self, stream: gzip.GzipFile, max_bytes: int, name: str) -> None:
        self._stream = stream
        self._left = max_bytes
        self._refusal = f"{name}: it unpacks to more than {bytes_text(max_bytes)}."

    def check(self, size: int) -> None:
        """Raises BadArchive if `size` bytes more are too many; before the first of them is written."""
        if not 0 <= size <= self._left:
            raise BadArchive(self._refusal)

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        self.check(0)
        return block
