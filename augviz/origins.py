"""Whose pages may open a WebSocket here. Browsers let any site's page open one anywhere, and say in `Origin` whose it is.

Nothing is looked up: Streamlit 1.67, asked about an origin that it does not know, asks another host for this one's address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
"""What a browser calls the machine that it runs on."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The pages that may, beside those of the host that is asked.

    Attributes:
        names: host names, in small letters, as `named` reads them.
        any_origin: every page may, as where `server.enableCORS` is off.
    """

    names: frozenset[str] = frozenset()
    any_origin: bool = False

    def allow(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with these headers may open a WebSocket.

        Args:
            origin: None is a program: browsers always send one.
            host: as the request has it, with the port if it names one.
        """
        if origin is None or self.any_origin:
            return True
        place, name = _place(origin), _name(origin)
        if not name:  # "null", and what is no address
            return False
        if place == (host or "").lower() or name in self.names - LOOPBACK:
            return True
        return name in LOOPBACK and _name(f"//{host}") in LOOPBACK  # a proxy or a tunnel on the visitor's own machine


def named(addresses: Iterable[str]) -> frozenset[str]:
    """The host names of some addresses, with or without "https://" and a port; what is none is left out."""
    names = {_name(one.strip() if "//" in one else f"//{one.strip()}") for one in addresses}
    return frozenset(names - {""})


def _place(address: str) -> str:
    """Host and port."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def _name(address: str) -> str:
    """The host without its port."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
