"""The image that is looked at: its card, and what its header tells."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import streamlit as st

from augviz.errors import AugvizError
from augviz.model import DTYPES, Header, ImageFacts, InputChoice
from augviz.ui import copy_offer, desk, held, image_dialog, imagenette_tab, state
from augviz.ui.page import escaped
from augviz.ui.state import Scene
from augviz.units import bytes_text, megapixels_text, size_text

THUMB_PX = 52
BITS = {"uchar": "8 bit", "char": "8 bit", "ushort": "16 bit", "short": "16 bit", "uint": "32 bit", "int": "32 bit"}
_COLOURS = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGBA"}


def show(scene: Scene) -> None:
    """Thumbnail, name and one line of facts; the whole header behind a button; the dialog that changes the image."""
    with st.container(key="explore.image", horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.html(_thumb(scene), width=THUMB_PX + 6)
        with st.container(gap=None):
            st.markdown(f"**{escaped(shortened(scene.name))}**")
            st.caption(line(scene.facts) if scene.facts else "This image cannot be opened.")
        if scene.facts:
            _header(scene, scene.facts)
        if st.button("Change", key="explore.change_image", help="Choose another image"):
            image_dialog.open_dialog()
    if not scene.facts:
        st.button(
            "Back to the sample",
            key="explore.to_sample",
            icon=":material/undo:",
            on_click=state.later,
            args=(image_dialog.choose_sample,),
        )
    if scene.facts and scene.state.source.kind == "imagenette":
        with st.container(horizontal=True, gap="xsmall", key="explore.imagenette.card"):
            imagenette_tab.neighbours(scene.state.source, image_dialog.choose_button, "explore.imagenette.card")
    copy_offer.show(scene)


def _header(scene: Scene, facts: ImageFacts) -> None:
    popover = st.popover(
        "Header of the image",
        icon=":material/info:",
        type="tertiary",
        help="Header of the image",
        key="explore.header",
        on_change="rerun",
    )
    if popover.open:
        with popover:
            st.table(header_rows(facts), hide_index=True, hide_header=True, border="horizontal")
            for change in facts.changes:
                if not (scene.state.bands and change.startswith("The first 3 of")):
                    st.caption(change)
            _shown_bands(scene, facts)
            _input_choice(scene)


def _shown_bands(scene: Scene, facts: ImageFacts) -> None:
    """Which three of more bands are shown as red, green and blue."""
    count = facts.header.bands
    if count < 4 or facts.header.interpretation == "cmyk":
        return
    st.markdown("**Shown**", help="What the pictures show. The pipeline gets all bands, whatever is shown.")
    now = scene.state.bands or (1, 2, 3)
    with st.container(horizontal=True, gap="small"):
        for place, colour in enumerate(("Red", "Green", "Blue")):
            key = f"explore.shown.{colour.lower()}"
            held.put(key, now[place])
            st.number_input(f"{colour}: band", 1, count, key=key, on_change=held.heard(key, _show_bands), width=110)


def _show_bands() -> None:
    chosen = tuple(int(st.session_state[f"explore.shown.{colour}"]) for colour in ("red", "green", "blue"))
    state.change(bands=None if chosen == (1, 2, 3) else chosen)


def _input_choice(scene: Scene) -> None:
    """What the pipeline is fed if not exactly what the file holds; only what makes a difference for this file."""
    choice = scene.state.pipeline.input
    raw = desk.facts_of(scene.state.source, InputChoice())
    offered = {
        "upright": ("Turn upright as its EXIF orientation says", raw.orientation != 1, choice.upright),
        "as_8_bit": ("Convert to 8 bit", raw.header.format != "uchar", choice.as_8_bit),
        "bands": ("Keep only the first 3 bands", raw.header.bands > 3, choice.bands == 3),
    }
    if not any(applies for _, applies, _ in offered.values()) and raw.levels == 1 and raw.pages == 1:
        return
    st.markdown("**Fed to the pipeline**", help="Kept with the pipeline and written into the exported Dataset.")
    for name, (label, applies, value) in offered.items():
        if applies or value:
            key = f"explore.input.{name}"
            held.put(key, value)
            st.toggle(label, key=key, on_change=held.heard(key, _choose, name))
    if raw.levels > 1:
        held.put("explore.input.level", choice.level or 0)
        sizes = [size_text(*size) for size in raw.level_sizes]
        st.selectbox(
            "Level of the pyramid",
            range(raw.levels),
            format_func=lambda level: f"{level}: {sizes[level]}",
            key="explore.input.level",
            on_change=held.heard("explore.input.level", _choose, "level"),
        )
    if raw.pages > 1:
        held.put("explore.input.page", choice.page or 0)
        take = held.heard("explore.input.page", _choose, "page")
        st.number_input("Page", 0, raw.pages - 1, key="explore.input.page", on_change=take)


def _choose(name: str) -> None:
    """Take one part of the input's choice; what the library does anyway is no choice."""
    value = st.session_state[f"explore.input.{name}"]
    taken: Any = {"bands": 3 if value else None, "level": value or None, "page": value or None}.get(name, value)
    pipeline = state.get().pipeline
    state.edit(replace(pipeline, input=replace(pipeline.input, **{name: taken})))


def shortened(name: str, most: int = 26) -> str:
    """A name in one line: a long one loses its middle, so that its ending stays."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"


def _thumb(scene: Scene) -> str:
    try:
        address = desk.thumb_address(scene.state.source, scene.state.pipeline.input, bands=scene.state.bands)
    except AugvizError:
        return "<span></span>"
    style = f"width:{THUMB_PX}px;height:{THUMB_PX}px;object-fit:cover;border-radius:4px;display:block"
    return f'<img alt="{escape(scene.name)}, small" src="{escape(address)}" style="{style}">'


def kind_text(header: Header) -> str:
    """Bands and format in people's words: `RGB 8 bit`, `5 bands float32`."""
    if header.interpretation == "cmyk":
        colours = "CMYK"
    elif header.interpretation == "multiband" and header.bands > 1:
        colours = f"{header.bands} bands"
    else:
        colours = _COLOURS.get(header.bands, f"{header.bands} bands")
    return f"{colours} {BITS.get(header.format, DTYPES.get(header.format, header.format))}"


def line(facts: ImageFacts) -> str:
    """`512 × 512 · RGB 8 bit · 0.8 MB`"""
    header = facts.header
    return f"{size_text(header.width, header.height)} · {kind_text(header)} · {bytes_text(facts.file_bytes)}"


def header_rows(facts: ImageFacts) -> list[dict[str, str]]:
    """Everything the header tells, as rows of name and value."""
    header = facts.header
    levels = ", ".join(size_text(*size) for size in facts.level_sizes) if facts.levels > 1 else "no pyramid"
    resolution = f"{facts.mpp_x:.4g} × {facts.mpp_y:.4g} µm" if facts.mpp_x and facts.mpp_y else "unknown"
    rows = {
        "Size": f"{size_text(header.width, header.height)} px",
        "Megapixels": megapixels_text(header.width, header.height),
        "Bands": str(header.bands),
        "Format": f"{header.format} ({DTYPES.get(header.format, header.format)})",
        "Interpretation": header.interpretation,
        "Tiles": f"{size_text(*facts.tile)} px" if facts.tile else "none",
        "Levels": f"{facts.levels}: {levels}" if facts.levels > 1 else levels,
        "Pages": str(facts.pages),
        "Microns per pixel": resolution,
        "Orientation": str(facts.orientation),
        "File": f"{bytes_text(facts.file_bytes)}, {facts.loader}",
        "Uncompressed": bytes_text(facts.uncompressed_bytes),
        "A window of it": "is read by itself" if facts.region_readable else "needs the whole file decoded",
    }
    return [{"What": name, "Value": value} for name, value in rows.items()]
