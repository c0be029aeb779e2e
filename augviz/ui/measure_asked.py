"""What Measure is asked: the figures of each question, about how long they take, and starting them for a visitor."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from augviz import copies, estimates, profiles, runs
from augviz.errors import AugvizError
from augviz.estimates import Estimate
from augviz.jobs import Job
from augviz.model import Draw, Header
from augviz.profiles import TITLES
from augviz.runs import Run
from augviz.series import Figure
from augviz.settings import get_settings
from augviz.sources import SourceRef
from augviz.ui import desk, series_bar
from augviz.ui.state import Scene, Shown
from augviz.units import bytes_text, seconds_text

REPEATS, MAX_REPEATS = 3, 20

STARTING_SECONDS = 1.5
"""Until a process has imported what it needs."""

ESTIMATING_SECONDS = 4.0
WHOLE_WARM_UP_SECONDS = 5.0
"""Up to so long the warm-up is a whole run, else a strip (`measure.WARM_UP_SECONDS`)."""


def request(shown: Shown) -> dict[str, Any]:
    """The worker's arguments. A copy whose pixels differ from the original's is not what is measured."""
    return {**shown.recipe.args(), "path": str(copies.exact_path(Path(shown.recipe.path)))}


def file_text(shown: Shown) -> str:
    """Which file is read, in words."""
    path = Path(request(shown)["path"])
    return "the original file" if copies.original_of(path) == path else "its lossless working copy"


def quick_estimate(scene: Scene, draw: Draw) -> Estimate | None:
    """What arithmetic tells beforehand; None where the image's facts are not known."""
    if scene.facts is None:
        return None
    return estimates.by_costs(draw, scene.facts, desk.measured_costs(), profiles.THREADS)


def figures(question: str, scene: Scene, shown: Shown, repeats: int, hold: bool = True) -> tuple[Figure, ...]:
    """What is measured to answer a question, the estimate first. Their weights are about their seconds.

    Args:
        question: "whole", "steps" or "ways".
        hold: whether the whole is also held as an array.
    """
    asked = request(shown)
    about = quick_estimate(scene, shown.draw) if shown.draw else None
    once = about.seconds if about else 1.0
    found = [_figure(runs.ESTIMATE, "Estimate", partial(profiles.start_estimate, asked), ESTIMATING_SECONDS)]
    if question == "steps":
        count = sum(leaf.applied for leaf in shown.draw.leaves) if shown.draw else 0
        prefixes = once * (count + 2) / 2
        return (
            *found,
            _figure(runs.STEPS, "Each step", partial(profiles.start_steps, asked, repeats), repeats * prefixes),
        )
    ways = ways_here() if question == "ways" else ("stream", "hold") if hold else ("stream",)
    warm_up = once if once <= WHOLE_WARM_UP_SECONDS else 0.0
    for way in ways:
        start = partial(_start, asked, way, repeats, needed_bytes(way, shown.draw))
        found.append(_figure(way, TITLES[way], start, warm_up + repeats * once))
    return tuple(found)


def ways_here() -> tuple[str, ...]:
    """All ways, albumentations only where it is installed."""
    return tuple(way for way in TITLES if way != "albumentations" or importlib.util.find_spec(way) is not None)


def _figure(name: str, title: str, start: Callable[[], Job], seconds: float) -> Figure:
    return Figure(name, title, start, weight=STARTING_SECONDS + seconds)


def _start(asked: dict[str, Any], way: str, repeats: int, needed: int) -> Job:
    profiles.check_room(needed)
    return profiles.start(asked, way, repeats)


def needed_bytes(way: str, draw: Draw | None) -> int:
    """What a way holds in memory at least: the result, or before and after of one step; 0 where it streams."""
    if draw is None or way == "stream":
        return 0
    if way == "hold":
        return estimates.image_bytes(draw.result)
    around = ((leaf.before, leaf.after) for leaf in draw.leaves if leaf.applied)
    return max((_bytes(before) + _bytes(after) for before, after in around), default=_bytes(draw.source))


def _bytes(shape: Header) -> int:
    return estimates.image_bytes(shape)


def seconds_about(asked: tuple[Figure, ...]) -> float:
    """About how long the figures take together."""
    return sum(figure.weight for figure in asked)


def limits_text() -> str:
    """How figures are measured and what ends them, from the settings."""
    settings = get_settings()
    memory = f" or at {bytes_text(settings.job_memory_bytes)} of memory" if settings.job_memory_bytes else ""
    threads = f"{profiles.THREADS} thread{'' if profiles.THREADS == 1 else 's'}"
    return (
        f"A fresh process of low priority with {threads} for each figure, ended after "
        f"{seconds_text(settings.job_seconds)}{memory}."
    )


def begin(question: str, scene: Scene, shown: Shown, asked: tuple[Figure, ...]) -> None:
    """Measure the figures for this visitor, and remember what they are of.

    Raises AugvizError where something is being measured already, or there is nothing that can be.
    """
    if shown.draw is None or shown.failed is not None:
        raise shown.failed or AugvizError("There is no pipeline that can be measured.")
    source = scene.state.source
    run = run_of(question, scene, shown, shown.draw)
    series_bar.start(question, asked, run, reads=reads_of(source))


def reads_of(source: SourceRef) -> str:
    """The id of the upload that is read, "" for what is none."""
    return source.name.rsplit("/", 1)[-1] if source.kind == "upload" else ""


def run_of(question: str, scene: Scene, shown: Shown, draw: Draw) -> Run:
    """What is measured, without its outcomes."""
    return Run(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        question=question,
        image=scene.name,
        file=file_text(shown),
        steps=tuple(leaf.transform for leaf in draw.leaves if leaf.enabled),
        pipeline=json.dumps(json.loads(shown.recipe.pipeline)),
        seed=shown.recipe.seed,
        key=shown.key,
        shapes=runs.shapes_of(draw),
    )
