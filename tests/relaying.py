"""Between a browser and a server: connections that can go to another server, answers held back, uploads that do not arrive."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

PIECE_BYTES = 65_536


@dataclass(slots=True)
class Relay:
    """Passes connections on, byte by byte. Made by `relaying`.

    Attributes:
        target: port of this machine to which new connections go.
        swallows: whether of an upload that begins only the first piece goes on, while its browser can send it all.
        answers: while it is not set, nothing comes back from the server.
        asked: the first piece of each request on a new connection.
    """

    target: int
    swallows: bool = False
    answers: threading.Event = field(default_factory=threading.Event)
    asked: list[bytes] = field(default_factory=list)
    _listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        """Pass connections on until `close`."""
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:  # the server has gone
                    near.close()
                    continue
                self._open += [near, far]
                for one, other, is_sending in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=(one, other, is_sending), daemon=True).start()

    def close(self) -> None:
        self.answers.set()
        for one in (self._listening, *self._open):
            _shut(one)

    def _pass(self, one: socket.socket, other: socket.socket, is_sending: bool) -> None:
        is_swallowed, is_first = False, True
        with contextlib.suppress(OSError):  # either end has gone
            while piece := one.recv(PIECE_BYTES):
                if is_sending and is_first:
                    self.asked.append(piece)
                is_first = False
                if not is_sending:
                    self.answers.wait()
                if not is_swallowed:
                    other.sendall(piece)
                is_swallowed |= is_sending and self.swallows and piece.startswith(b"PUT ")
        _shut(one)
        _shut(other)


@contextlib.contextmanager
def relaying(port: int) -> Iterator[Relay]:
    """A relay to a port of this machine."""
    relay = Relay(port)
    relay.answers.set()
    thread = threading.Thread(target=relay.serve, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join()


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
