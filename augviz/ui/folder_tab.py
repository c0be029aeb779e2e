"""The server's own folders: an image by its path, or by looking around below the folders that the settings allow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import streamlit as st

from augviz import sources
from augviz.settings import get_settings
from augviz.sources import Entry, SourceRef
from augviz.ui.page import escaped
from augviz.units import bytes_text

FOLDER = "explore.folder"
WORDS = "explore.folder.words"
PAGE_SIZE = 24

THUMB_BYTES = 50_000_000
"""Larger files are listed without a picture: one that is no pyramid is decoded as a whole for it."""

Thumb = Callable[[SourceRef, str, int, int], str]


class ChooseButton(Protocol):
    """`image_dialog.choose_button`, which this module cannot import."""

    def __call__(self, label: str, source: SourceRef, key: str, **options: Any) -> None: ...


def show(choose_button: ChooseButton, thumb: Thumb) -> None:
    """A path to type, and a folder to look around in."""
    text = st.text_input(
        "Path of an image",
        key="explore.path",
        placeholder="An image below the folders that are allowed",
        help="Allowed are: " + ", ".join(str(folder) for folder in get_settings().folders),
    )
    if text:
        choose_button(f"Open {Path(text).name}", SourceRef("path", text.strip()), "explore.open_path")
    here = str(st.session_state.get(FOLDER, ""))
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        st.button(
            "",
            icon=":material/arrow_upward:",
            key="explore.folder.up",
            help="The folder above",
            disabled=not here,
            on_click=_go_up,
            args=(here,),
        )
        st.caption(here or "Allowed folders", width="stretch")
        words = st.text_input(
            "Filter",
            key=WORDS,
            type="search",
            live="150ms",
            placeholder="Filter by name",
            label_visibility="collapsed",
            width=200,
        )
    entries = matching(sources.list_folder(here), words or "")
    if not entries:
        st.caption("Nothing here has such a name." if words else "No folders and no images here.")
    count = -(-len(entries) // PAGE_SIZE)
    number = min(count, st.pagination(count, key=f"explore.folder.page.{here}")) if count > 1 else 1
    with st.container(height=360, border=False), st.grid(4, gap="small"):
        for entry in entries[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]:
            with st.container(border=True, gap="xsmall"):
                _entry(entry, choose_button, thumb)


def matching(entries: tuple[Entry, ...], words: str) -> tuple[Entry, ...]:
    """The entries whose names hold all of `words`, whatever their case."""
    return tuple(entry for entry in entries if all(word in entry.name.casefold() for word in words.casefold().split()))


def _entry(entry: Entry, choose_button: ChooseButton, thumb: Thumb) -> None:
    if entry.is_folder:
        st.button(
            escaped(entry.name),
            icon=":material/folder:",
            key=f"explore.folder.{entry.path}",
            type="tertiary",
            on_click=_go,
            args=(entry.path,),
        )
        return
    source = SourceRef("path", entry.path)
    if entry.file_bytes <= THUMB_BYTES:
        st.html(thumb(source, f"{entry.name}, small", 150, 90))
    else:
        st.caption(":material/image: No preview of large files")
    choose_button(escaped(entry.name), source, f"explore.file.{entry.path}", type="tertiary")
    st.caption(bytes_text(entry.file_bytes))


def _go(path: str) -> None:
    st.session_state[FOLDER] = path
    st.session_state[WORDS] = ""


def _go_up(path: str) -> None:
    """To the folder above, or to the list of allowed folders."""
    roots = [str(folder) for folder in get_settings().folders]
    _go("" if path in roots else str(Path(path).parent))
