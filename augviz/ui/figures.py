"""What Explore says of the full size before it is made, and the route that brings it anew once a few windows have been made.

No Streamlit here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from augviz import copies, profiles
from augviz.answers import Answers
from augviz.estimates import Estimate
from augviz.estimating import Estimating, Missing, Outcome, get_estimating
from augviz.recipes import Recipe
from augviz.units import bytes_text, seconds_text
from augviz.uploads import get_uploads
from augviz.web import KEEP, get_answers, guarded, json_text, recipe_of

_POLL_SECONDS = 0.05  # how often a browser is looked after while its estimate is made

MEMORY_HELP = (
    "What the process takes over its start. Hold: until numpy() or ToTensor has the whole result. "
    "Stream: while the result is written to a file. "
)


def time_text(estimate: Estimate) -> str:
    """`~6.1 s, 4.7 to 8 s (est.)`"""
    low, high = seconds_text(estimate.seconds_low), seconds_text(estimate.seconds_high)
    number, unit = low.split()
    return f"~{seconds_text(estimate.seconds)}, {number if high.endswith(f' {unit}') else low} to {high} (est.)"


def figures(
    estimate: Estimate, recipe: Recipe, unknown: tuple[str, ...] = (), windows: Outcome | None = None
) -> dict[str, str]:
    """What the strip says of time and memory, and where each figure is from.

    Args:
        estimate: from costs.
        recipe: of what is estimated.
        unknown: transforms whose cost nobody has measured.
        windows: what came of a few windows, None where they were not made yet.

    Returns:
        {"from": "costs" or "windows", "time", "time_help", "memory", "memory_help", and "trouble" where there should be windows
        and are none}.
    """
    if isinstance(windows, Estimate):
        return from_windows(windows)
    whose = "measured on this machine" if estimate.measured_costs else "of the catalogue"
    where = f"From costs {whose}, reading the file included, {_threads_text()}."
    if unknown:
        where += f" Nobody has measured {', '.join(unknown)}, so that its part is a guess."
    return {
        "from": "costs",
        "time": time_text(estimate),
        "time_help": where,
        "memory": _memory_text(estimate),
        "memory_help": f"{MEMORY_HELP}From the sizes of file and result.",
        **(missing(windows, recipe) if isinstance(windows, Missing) else {}),
    }


def from_windows(estimate: Estimate) -> dict[str, str]:
    """The same, where windows have been made."""
    count = f"{estimate.window_count} window{'' if estimate.window_count == 1 else 's'}"
    costs = "" if estimate.by_costs is None else f" Costs alone tell ~{seconds_text(estimate.by_costs)}."
    return {
        "from": "windows",
        "time": time_text(estimate),
        "time_help": f"From {count} of the full-size result, really made, {_threads_text()}.{costs}",
        "memory": _memory_text(estimate),
        "memory_help": f"{MEMORY_HELP}From a part of the full-size result, really made, where that is quick enough.",
    }


def missing(windows: Missing, recipe: Recipe) -> dict[str, str]:
    """Why the figures stay those from costs."""
    read = Path(recipe.path)
    reason = get_uploads().shown(windows.reason.replace(read.name, copies.original_of(read).name))
    return {"trouble": f"No windows could be made for a better one: {reason}"}


def _memory_text(estimate: Estimate) -> str:
    return f"hold ~{bytes_text(estimate.hold_bytes)} · stream ~{bytes_text(estimate.stream_bytes)} (est.)"


def _threads_text() -> str:
    return f"with {profiles.THREADS} thread{'' if profiles.THREADS == 1 else 's'} of libvips"


# The route


def routes(base_path: str = "", estimating: Callable[[], Estimating] = get_estimating) -> list[Route]:
    """The route, below Streamlit's `server.baseUrlPath` where that is set.

    `GET augviz/estimate/KEY.json?session=` answers `from_windows`, or `missing`, when it is known. A browser that goes away
    gives it up, and so does one that asks for another recipe.

    Args:
        estimating: what makes the estimates; by default the server's own.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""

    async def estimate(request: Request, _answers: Answers) -> Response:
        return await _estimate(request, estimating())

    return [Route(f"{base}/augviz/estimate/{{key}}.json", guarded(estimate, get_answers))]


async def _estimate(request: Request, estimating: Estimating) -> Response:
    key, recipe = recipe_of(request)
    asked = estimating.ask(key, recipe, request.query_params.get("session") or key)
    done = asyncio.wrap_future(asked.future)
    try:
        while not done.done():
            await asyncio.wait({done}, timeout=_POLL_SECONDS)
            if not done.done() and await request.is_disconnected():
                break
    finally:
        estimating.leave(asked)
    outcome = await done
    told = from_windows(outcome) if isinstance(outcome, Estimate) else missing(outcome, recipe)
    headers = {"Cache-Control": KEEP if isinstance(outcome, Estimate) else "no-store", "X-Augviz-Key": key}
    return Response(json_text(told), media_type="application/json", headers=headers)
