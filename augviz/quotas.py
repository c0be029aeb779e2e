"""What files of visitors take, against what a session and the whole cache folder may hold. Sizes only; opens no file."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from augviz.arrivals import UploadError
from augviz.units import bytes_text

AHEAD_SHARE = 0.5
"""Of the room that is free, what one visitor may have set aside for bytes that have not come yet: who announces much and sends
little leaves the rest to others."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What may be kept.

    Attributes:
        session_bytes: by one session; 0 is no limit.
        cache_bytes: by the cache folder; None is no limit.
        folder: the cache folder.
    """

    session_bytes: int = 0
    cache_bytes: int | None = None
    folder: Path | None = None

    def elsewhere(self, but: Path | None) -> int:
        """Bytes in the cache folder outside one folder of it."""
        return bytes_below(self.folder, but) if self.folder is not None and self.cache_bytes is not None else 0

    def ahead(self, length: int, pending: int, everything: int) -> int:
        """How much of a file is set aside before it comes; the rest is as it comes.

        Args:
            length: bytes that were announced.
            pending: what is set aside for the same visitor and has not come yet.
            everything: what the cache folder holds, with what is set aside.
        """
        if self.cache_bytes is None:
            return length
        free = self.cache_bytes - everything + pending
        return max(0, min(length, int(AHEAD_SHARE * free) - pending))

    def check(self, name: str, needed: int, own: int, everything: int) -> None:
        """Raises UploadError where there is no room for more.

        Args:
            name: of the file, for the sentence.
            needed: its bytes.
            own: what the session keeps.
            everything: what the cache folder holds.
        """
        takes = f"{name}: it takes up to {bytes_text(needed)}, but of the"
        if self.session_bytes and own + needed > self.session_bytes:
            limit = f"{bytes_text(self.session_bytes)} that one session may keep"
            raise UploadError(f"{takes} {limit}, {bytes_text(own)} are used; delete a file first.", 413)
        if self.cache_bytes is not None and everything + needed > self.cache_bytes:
            limit = f"server's quota of {bytes_text(self.cache_bytes)}"
            raise UploadError(f"{takes} {limit}, {bytes_text(everything)} are used.", 507)


def bytes_below(folder: Path, but: Path | None = None) -> int:
    """What the files below a folder take together, without those below `but`."""
    count = 0
    for place, folders, names in os.walk(folder):  # passes over what goes away meanwhile
        folders[:] = [name for name in folders if but is None or Path(place, name) != but]
        count += sum(file_bytes(Path(place, name)) for name in names)
    return count


def file_bytes(path: Path) -> int:
    """Size of a file; 0 for anything else, and for one that was there a moment ago: a job may just have renamed it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
