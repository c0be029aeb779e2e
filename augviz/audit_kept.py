"""Where the app keeps the findings of audits, so that an audit can go on, and for how long."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from augviz import audit_records, held_folder, quotas
from augviz.audit import Plan
from augviz.errors import ImageError
from augviz.settings import Settings, get_settings
from augviz.units import bytes_text

DAY_SECONDS = 86_400
SWEEP_SECONDS = 3600.0

FINDING_BYTES = 2000
"""A line of the file: 1.7 kB for the four steps of the tutorial, 2.2 kB for ten steps."""


def place(plan: Plan, settings: Settings | None = None) -> Path:
    """The file for the findings of a plan, in the cache folder. Raises ImageError where the folder cannot be made."""
    folder = _folder(settings)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ImageError(f"The folder for findings cannot be made on this server: {error.strerror}.") from error
    return folder / f"{audit_records.key_of(plan)}.jsonl"


def check_room(plan: Plan, records: Path, settings: Settings | None = None) -> None:
    """Raises ImageError where the cache folder has no room for what is still to be found."""
    settings = settings or get_settings()
    needed = plan.total * FINDING_BYTES - quotas.file_bytes(records)
    used = quotas.bytes_below(settings.cache_folder) if needed > 0 else 0
    if used + needed > settings.cache_quota_bytes:
        raise ImageError(
            f"The findings of this audit take about {bytes_text(needed)}, but of the server's quota of "
            f"{bytes_text(settings.cache_quota_bytes)}, {bytes_text(used)} are used."
        )


def sweep(settings: Settings | None = None) -> None:
    """Remove the findings that no audit has used for `audit_days`; never those of one that runs, here or elsewhere."""
    held_folder.sweep_unused(_folder(settings), (settings or get_settings()).audit_days * DAY_SECONDS)


async def keep_swept() -> None:
    """Sweep now and every hour, until cancelled."""
    while True:
        await asyncio.to_thread(held_folder.swept, "findings of audits", sweep)
        await asyncio.sleep(SWEEP_SECONDS)


def _folder(settings: Settings | None) -> Path:
    return (settings or get_settings()).cache_folder / "audits"
