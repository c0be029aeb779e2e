"""`ImageFacts` as JSON values and back. No pyvips: the server reads what a worker has described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from augviz.model import Header, ImageFacts


def facts_json(facts: ImageFacts) -> dict[str, Any]:
    """Every field of `facts` in JSON types (tuples become lists)."""
    values = asdict(facts)
    values["level_sizes"] = [list(size) for size in facts.level_sizes]
    values["tile"] = list(facts.tile) if facts.tile else None
    values["changes"] = list(facts.changes)
    return values


def facts_from_json(values: Mapping[str, Any]) -> ImageFacts:
    """The inverse of `facts_json`."""
    tile = values["tile"]
    changed = {
        "header": Header(**values["header"]),
        "level_sizes": tuple((width, height) for width, height in values["level_sizes"]),
        "tile": (tile[0], tile[1]) if tile else None,
        "changes": tuple(values["changes"]),
    }
    return ImageFacts(**{**values, **changed})


def info_json(facts: ImageFacts) -> dict[str, Any]:
    """What `python -m augviz info --json` prints."""
    header = facts.header
    return {
        "width": header.width,
        "height": header.height,
        "bands": header.bands,
        "format": header.format,
        "interpretation": header.interpretation,
        "orientation": facts.orientation,
        "levels": facts.levels,
        "pages": facts.pages,
        "mpp_x": facts.mpp_x,
        "mpp_y": facts.mpp_y,
        "file_bytes": facts.file_bytes,
        "uncompressed_bytes": facts.uncompressed_bytes,
        "loader": facts.loader,
    }
