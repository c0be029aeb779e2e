"""The state of Explore as a piece of an address, and back. What comes from an address is checked like any saved form."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from augviz import edits, saved
from augviz.errors import AugvizError
from augviz.model import Pipeline
from augviz.settings import Settings, get_settings
from augviz.sources import SourceRef

VERSION = 1
MAX_TEXT = 32_000
"""Characters of an address that are read; servers and proxies take about as much. A pipeline of 100 steps has 2,000."""

MAX_BYTES = 1_000_000
"""What they may be once they are inflated."""

MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Link:
    """What an address asks for.

    Attributes:
        source: the image; None where it has no name that others can open.
    """

    source: SourceRef | None
    pipeline: Pipeline
    seed: int


class LinkError(AugvizError, ValueError):
    """An address holds no state that can be read."""


def encode(source: SourceRef, pipeline: Pipeline, seed: int, settings: Settings | None = None) -> str:
    """The state as text for an address: letters, digits, "-" and "_". An upload is left out: it is nobody else's."""
    data = {"v": VERSION, "seed": seed, "pipeline": json.loads(saved.dumps(pipeline))}
    if (named := _shareable(source, settings)) is not None:
        data["source"] = named.to_json()
    text = json.dumps(data, separators=(",", ":"), sort_keys=True, allow_nan=False, ensure_ascii=False)
    packed = zlib.compress(text.encode(), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> Link:
    """What a text of `encode` asks for. Whether the image is there is not looked at.

    Raises:
        LinkError: it is too long, damaged, of another version, or not a state.
    """
    if len(text) > MAX_TEXT:
        raise LinkError(f"The address is too long: its state has {len(text)} characters, the limit is {MAX_TEXT}.")
    try:
        data = json.loads(_inflated(text))
    except (ValueError, RecursionError) as error:
        raise LinkError("The address is damaged: its state cannot be read.") from error
    if not isinstance(data, dict) or data.get("v") != VERSION or isinstance(data.get("v"), bool):
        raise LinkError("The address is of another version of augviz, or damaged.")
    if unknown := set(data) - {"v", "seed", "pipeline", "source"}:
        raise LinkError(f"The address asks for something unknown: {', '.join(sorted(map(str, unknown)))}.")
    seed = data.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise LinkError(f"The address has no valid seed: it must lie within 0 and {MAX_SEED}.")
    try:
        source = SourceRef.from_json(data["source"]) if "source" in data else None
        pipeline = saved.load(data.get("pipeline"))
        edits.check_count(pipeline)
    except AugvizError as error:
        raise LinkError(f"The address has no valid state: {error}") from error
    if source is not None and source.kind == "upload":
        raise LinkError("The address names an upload, which only its visitor can open.")
    return Link(source, pipeline, seed)


def _shareable(source: SourceRef, settings: Settings | None) -> SourceRef | None:
    """How others name the image: a file by its place below the allowed folder, an upload not at all."""
    if source.kind == "upload":
        return None
    if source.kind == "path":
        for folder in (settings or get_settings()).folders:
            if Path(source.name).is_relative_to(folder):
                return replace(source, name=Path(source.name).relative_to(folder).as_posix())
    return source


def _inflated(text: str) -> bytes:
    """Raises ValueError for anything that is not a whole deflated text of at most `MAX_BYTES`."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        inflating = zlib.decompressobj()
        data = inflating.decompress(packed, MAX_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError("not deflated") from error
    if not inflating.eof or inflating.unused_data:
        raise ValueError("not whole, or too large")
    return data
