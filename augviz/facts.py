"""`ImageFacts` as JSON values and back, and draws from theirs. No pyvips: the server reads what a worker has described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from augviz.model import Draw, DrawnLeaf, Header, ImageFacts


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


def draw_from_json(data: Mapping[str, Any]) -> Draw:
    """The draw that a worker has described."""
    source = _header(data["source"])
    leaves = tuple(
        DrawnLeaf(
            step["id"],
            step["transform"],
            step["position"],
            step["applied"],
            step["enabled"],
            step["values"],
            _header(step["before"]),
            _header(step["after"]),
        )
        for step in data["steps"]
    )
    return Draw(data["seed"], source, leaves, _header(data["result"]), data["tensor"])


def _header(data: Mapping[str, Any]) -> Header:
    return Header(data["width"], data["height"], data["bands"], data["format"])


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
