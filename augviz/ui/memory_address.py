"""What is entered on Memory, as plain parameters of the address: read from a link or by Back, written after a change."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import streamlit as st

from augviz.errors import ArgumentError
from augviz.ui import address, memory_inputs
from augviz.ui.memory_inputs import ROWS, TYPED, Inputs, Value
from augviz.ui.page import escaped

KEY = "memory.address"
MAX_SHOWN = 20
"""Characters of a value that cannot be restored, as they are repeated in its sentence."""


@dataclass(frozen=True, slots=True)
class _Address:
    """What this session knows of the page's address.

    Attributes:
        text: the parameters that were written or read last.
        written_at: when, by the monotonic clock; 0 where they were read.
        ours: everything that was written, the newest last.
        trouble: what could not be restored, in a sentence, as long as `entered` stands.
        elsewhere: whether another page was looked at since.
    """

    text: str = ""
    written_at: float = 0.0
    ours: tuple[str, ...] = ()
    trouble: str = ""
    entered: Inputs | None = None
    elsewhere: bool = False


def decode(parameters: Mapping[str, str]) -> tuple[Inputs, str]:
    """What parameters ask for, and a sentence on those that cannot be restored, "" if all can be.

    Parameters that are missing or cannot be restored are at their defaults. Unknown ones are somebody else's.
    """
    wanted: dict[str, Value] = {}
    refused = []
    for name, row in ROWS.items():
        if row.parameter not in parameters:
            continue
        text = parameters[row.parameter]
        try:
            wanted[name] = row.parse(text)
        except ArgumentError as error:
            plain = " ".join(text.split())
            shown = plain if len(plain) <= MAX_SHOWN else plain[:MAX_SHOWN] + "…"
            refused.append(f"{error}, not “{shown}”")
    trouble = f"Not restored from the address, the defaults stand: {'; '.join(refused)}." if refused else ""
    return Inputs(**wanted), trouble  # type: ignore[arg-type]


def encode(entered: Inputs) -> dict[str, str]:
    """Every field as a parameter, so that a link means the same when defaults change."""
    return {row.parameter: row.text(getattr(entered, name)) for name, row in ROWS.items()}


def leave() -> None:
    """Another page is looked at: its address says nothing of what is entered here."""
    st.session_state[KEY] = replace(_known(), elsewhere=True)


def read() -> None:
    """Take what the address asks for, if it is not what was written or read last.

    A plain address is what a visitor came to, or the way back from another page, which changes nothing.
    """
    if address.PARAMETER in st.query_params:
        address.read()  # the image and the pipeline that a link of this page was made with
        address.leave()
    given = {row.parameter: st.query_params[row.parameter] for row in ROWS.values() if row.parameter in st.query_params}
    text, known = urlencode(given), _known()
    if known.elsewhere:
        known = st.session_state[KEY] = replace(known, elsewhere=False)
        if not text:
            return
    is_repeated = text in ("", *known.ours) and time.monotonic() - known.written_at < address.SETTLE_SECONDS
    if text == known.text or is_repeated:
        return
    entered, trouble = decode(given)
    st.session_state[memory_inputs.KEY] = entered
    st.session_state[KEY] = replace(known, text=text, written_at=0.0, trouble=trouble, entered=entered)


def write() -> None:
    """Put what is entered into the address; with the state of Explore where the figures come from there.

    A visitor who has changed nothing keeps the plain address, and one whose link was refused in part keeps it as it is.
    """
    entered, known = memory_inputs.get(), _known()
    if entered.source != TYPED:
        address.write()
    if known.trouble and known.entered == entered:
        return
    wanted = encode(entered)
    text = urlencode(wanted)
    given = {name: st.query_params[name] for name in wanted if name in st.query_params}
    if given == wanted or (not given and entered == Inputs()):
        return
    st.query_params.update(wanted)
    ours = (*known.ours, text)[-address.MAX_REMEMBERED :]
    st.session_state[KEY] = replace(known, text=text, written_at=time.monotonic(), ours=ours)


def show_trouble() -> None:
    """Say what a link could not restore, until something is changed."""
    known = _known()
    if known.trouble and known.entered == memory_inputs.get():
        st.warning(escaped(known.trouble), icon=":material/link_off:")
    if address.PARAMETER in st.query_params:
        address.show_trouble()


def _known() -> _Address:
    known: _Address = st.session_state.get(KEY, _Address())
    return known
