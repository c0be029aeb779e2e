"""One part of Measure alone, as AppTest runs it; which one is in the session under `part`."""

from __future__ import annotations

import importlib

import streamlit as st

from augviz.ui import scene

seen, trouble = scene.current()
if trouble is not None:
    st.error(str(trouble))
else:
    importlib.import_module(f"augviz.ui.{st.session_state['part']}").show(seen, scene.shown(seen))
