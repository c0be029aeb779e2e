"""Where the app keeps the findings of audits, so that an audit can go on, and for how long."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from augviz import audit_records, held_folder
from augviz.audit import Plan
from augviz.errors import ImageError
from augviz.settings import Settings, get_settings

DAY_SECONDS = 86_400
SWEEP_SECONDS = 3600.0


def place(plan: Plan, settings: Settings | None = None) -> Path:
    """The file for the findings of a plan, in the cache folder. Raises ImageError where the folder cannot be made."""
    folder = _folder(settings)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be made: {error.strerror}.") from error
    return folder / f"{audit_records.key_of(plan)}.jsonl"


def sweep(settings: Settings | None = None) -> None:
    """Remove the findings that no audit has used for `audit_days`; never those of one that runs, here or elsewhere."""
    held_folder.sweep_unused(_folder(settings), (settings or get_settings()).audit_days * DAY_SECONDS)


async def keep_swept() -> None:
    """Sweep now and every hour, until cancelled."""
    while True:
        await asyncio.to_thread(sweep)
        await asyncio.sleep(SWEEP_SECONDS)


def _folder(settings: Settings | None) -> Path:
    return (settings or get_settings()).cache_folder / "audits"
