"""The image that is looked at: its card, and what its header tells."""

from __future__ import annotations

from html import escape

import streamlit as st

from augviz.errors import AugvizError
from augviz.model import DTYPES, Header, ImageFacts
from augviz.ui import desk, image_dialog
from augviz.ui.state import Scene
from augviz.units import bytes_text, megapixels_text, size_text

THUMB_PX = 52
BITS = {"uchar": "8 bit", "char": "8 bit", "ushort": "16 bit", "short": "16 bit", "uint": "32 bit", "int": "32 bit"}
_COLOURS = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGBA"}


def show(scene: Scene) -> None:
    """Thumbnail, name and one line of facts; the whole header behind a button; the dialog that changes the image."""
    with st.container(key="explore.image", horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.html(_thumb(scene), width=THUMB_PX)
        with st.container(gap=None):
            st.markdown(f"**{scene.name}**")
            st.caption(line(scene.facts) if scene.facts else "This image cannot be opened.")
        if scene.facts:
            _header(scene.facts)
        if st.button("Change", key="explore.change_image", help="Choose another image"):
            image_dialog.open_dialog()


def _header(facts: ImageFacts) -> None:
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
                st.caption(change)


def _thumb(scene: Scene) -> str:
    try:
        address = desk.thumb_address(scene.state.source, scene.state.pipeline.input)
    except AugvizError:
        return ""
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
        "Per pixel": resolution,
        "Orientation": str(facts.orientation),
        "File": f"{bytes_text(facts.file_bytes)}, {facts.loader}",
        "Uncompressed": bytes_text(facts.uncompressed_bytes),
        "Windows": "read without decoding the whole file" if facts.region_readable else "need the whole file decoded",
    }
    return [{"What": name, "Value": value} for name, value in rows.items()]
