"""Whether the system has a libvips that augviz can work with, and how to get one. Knows no pyvips: `make` asks it first."""

from __future__ import annotations

import ctypes
import sys

OLDEST = (8, 14)
"""The oldest libvips that the tests have passed with: Debian 12's."""

INSTALL = "Debian 12: apt-get install libvips42, Debian 13: apt-get install libvips42t64, macOS: brew install vips"

_NAMES = {"darwin": "libvips.42.dylib", "win32": "libvips-42.dll"}
"""What pyvips opens where there is no wheel; on all other systems libvips.so.42."""


def name() -> str:
    """What it is called here."""
    return _NAMES.get(sys.platform, "libvips.so.42")


def version() -> tuple[int, int] | None:
    """Release of the system's libvips, None where there is none."""
    try:
        library = ctypes.CDLL(name())
    except OSError:
        return None
    return library.vips_version(0), library.vips_version(1)


def problem() -> str | None:
    """Why the system's libvips cannot be used, as a sentence; None where it can."""
    found = version()
    if found is None:
        return f"There is no libvips on this system, it must be {_text(OLDEST)} or newer ({INSTALL})."
    return too_old(found) if found < OLDEST else None


def too_old(found: tuple[int, int]) -> str:
    """The sentence for a release that is too old."""
    return f"The system's libvips is {_text(found)}, it must be {_text(OLDEST)} or newer ({INSTALL})."


def _text(release: tuple[int, int]) -> str:
    return ".".join(map(str, release))


if __name__ == "__main__":
    sys.exit(problem())
