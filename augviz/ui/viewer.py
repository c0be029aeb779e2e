"""The picture of Explore: a component that asks for its pictures itself, and the figures in the strip below it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from augviz import catalog, edits, estimates
from augviz.advice import Case
from augviz.errors import StepError
from augviz.estimates import Estimate
from augviz.estimating import Outcome, get_estimating
from augviz.model import DTYPES, Draw, DrawnLeaf, Header, Pipeline, Step
from augviz.ui import desk, figures, image_dialog, refresh
from augviz.ui.state import Scene, Shown
from augviz.units import bytes_text, size_text
from augviz.value_text import number_text

KEY = "explore.viewer"
SIDES = {"quick": 512, "fine": 1024}

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "augviz_viewer",
    html=(_HERE / "viewer.html").read_text(encoding="utf-8"),
    css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
    js=(_HERE / "viewer.js").read_text(encoding="utf-8"),
)


def show(
    scene: Scene,
    shown: Shown,
    *,
    on_pick: Callable[[], None],
    on_open: Callable[[], None],
    on_mode: Callable[[], None],
    on_measure: Callable[[], None],
) -> None:
    """Mount the picture of the selected draw.

    Args:
        on_pick: a picture of the grid of draws was clicked.
        on_open: a step's picture was clicked.
        on_mode: the shortcut of the curtain was pressed.
        on_measure: the way to the page that measures was taken.
    """
    _component(
        key=KEY,
        data=data_of(scene, shown),
        on_picked_change=on_pick,
        on_opened_change=on_open,
        on_mode_change=on_mode,
        on_left_change=_left,
        on_measure_change=on_measure,
    )


def _left() -> None:
    """The image, whose pixels cannot be read, was left for the sample."""
    if st.session_state[KEY].get("left"):
        image_dialog.choose_sample()
        refresh.whole_page()


def data_of(scene: Scene, shown: Shown) -> dict[str, Any]:
    """All that the component needs to ask for its pictures and to describe them."""
    state, name = scene.state, scene.name
    pipeline = edits.complete(state.pipeline)
    count = state.draws if state.mode == "Draws" else 1
    seeds = [state.seed + k for k in range(count)] if state.mode == "Draws" else [state.shown_seed]
    draw = shown.draw
    whole = draw if shown.failed is None else None
    data: dict[str, Any] = {
        "key": shown.key,
        "version": state.version,
        "before_key": desk.key_of(state.source, Pipeline((), pipeline.input), 0),
        "base": desk.base_address(),
        "session": desk.session_id(),
        "mode": state.mode,
        "bands": ",".join(map(str, state.bands or ())),
        "name": name,
        "alt": alt_text(name, whole),
        "before_alt": f"{name}, original",
        "draws": [{"seed": seed, "key": desk.key_of(state.source, pipeline, seed)} for seed in seeds],
        "picked": state.picked if state.mode == "Draws" else 0,
        "steps": steps_of(name, shown),
        "costs": costs_of(scene, shown, whole) if whole else {},
        "measure": desk.page_address("measure"),
    }
    if shown.good_key and draw is not None:
        done = [leaf.position for leaf in draw.leaves]
        data["reason"] = reason_of(scene, shown)
        data["good"] = {"key": shown.good_key, "upto": None, "title": f"After step {done[-1]}" if done else "Original"}
    return data


def reason_of(scene: Scene, shown: Shown) -> str:
    """Why the step that failed cannot work, in the catalogue's words; "" where it does not know."""
    pipeline = scene.state.pipeline
    if not isinstance(shown.failed, StepError) or not shown.failed.step_id:
        return ""
    step = edits.find(pipeline, shown.failed.step_id)
    if not isinstance(step, Step):
        return ""
    found = catalog.problems(step, Case(pipeline, scene.facts, shown.draw).seen(step))
    return found[0].message if found else ""


def alt_text(name: str, draw: Draw | None) -> str:
    """What was done to the image: `ihc.png after RandomBrightnessContrast, Rotate 23°`."""
    if draw is None:
        return f"{name}, result"
    done = [_done(leaf) for leaf in draw.leaves if leaf.applied]
    return f"{name} after {', '.join(done)}" if done else f"{name}, unchanged"


def _done(leaf: DrawnLeaf) -> str:
    angle = leaf.values.get("angle")
    if not isinstance(angle, int | float):
        return leaf.transform
    return f"{leaf.transform} {number_text(round(float(angle), 1))}°"


def steps_of(name: str, shown: Shown) -> list[dict[str, Any]]:
    """The image after each step that is switched on, the original first, a step that cannot be drawn last."""
    draw, failed = shown.draw, shown.failed
    tiles: list[dict[str, Any]] = []
    if draw is not None:
        key = shown.good_key or shown.key
        tiles.append({"position": 0, "id": "", "title": "Original", "shape": shape_text(draw.source), "skipped": False})
        tiles[0] |= {"alt": f"{name}, original", "key": key, "upto": 0}
        tiles += [
            {
                "position": leaf.position,
                "id": leaf.id,
                "title": f"{leaf.position} {leaf.transform}",
                "shape": shape_text(leaf.after),
                "skipped": not leaf.applied,
                "alt": f"{name} after step {leaf.position}, {_done(leaf)}",
                "key": key,
                "upto": leaf.position,
            }
            for leaf in draw.leaves
            if leaf.enabled
        ]
    if failed is not None or not tiles:
        step = failed if isinstance(failed, StepError) else None
        title = f"{step.position} {step.transform}" if step else "Result"
        tiles.append(
            {"position": -1, "id": step.step_id if step else "", "title": title, "shape": "", "skipped": False}
        )
        tiles[-1] |= {"alt": f"{name}, {title}", "key": shown.key, "upto": None}
    else:
        tiles[-1]["upto"] = None
    return tiles


def shape_text(header: Header) -> str:
    """`512 × 384 × 3 uint8`"""
    return f"{size_text(header.width, header.height)} × {header.bands} {DTYPES.get(header.format, header.format)}"


def costs_of(scene: Scene, shown: Shown, draw: Draw) -> dict[str, str]:
    """The strip's figures that follow from the draw: full-size time and memory (estimates), size of the result.

    From a few windows where those have been made, else from costs.
    """
    hold = estimates.image_bytes(draw.result)
    return {
        **figures.figures(
            estimate_of(scene, draw), shown.recipe, estimates.unknown(draw, desk.measured_costs()), windows_of(shown)
        ),
        "result": f"{result_text(draw)} · {bytes_text(hold)}",
    }


def estimate_of(scene: Scene, draw: Draw) -> Estimate:
    """What the draw takes at full size, by costs alone."""
    assert scene.facts is not None
    return desk.estimate_of(scene.state.source, draw, scene.facts, scene.state.pipeline.input)


def windows_of(shown: Shown) -> Outcome | None:
    """What came of a few windows of what is shown; None where they have not been made."""
    return get_estimating().known(shown.key)


def result_text(draw: Draw) -> str:
    """Shape and dtype of the full-size result; a tensor's is (bands, height, width)."""
    h = draw.result
    dtype = DTYPES.get(h.format, h.format)
    return f"tensor ({h.bands}, {h.height}, {h.width}) {dtype}" if draw.tensor else shape_text(h)
