"""The server: `streamlit run app.py` finds `app` here. Streamlit serves the pages, our own routes the pictures."""

from __future__ import annotations

import gc
from pathlib import Path

import plotly.graph_objects  # noqa: F401 - paid for at the start, not by the first visitor
import streamlit as st

import augviz.ui.explore
import augviz.ui.transforms  # noqa: F401
from augviz.ui import feed
from augviz.web import lifespan, routes

BASE_PATH = str(st.get_option("server.baseUrlPath") or "")

app = st.App(
    Path(__file__).resolve().parent / "augviz" / "ui" / "shell.py",
    routes=[*routes(BASE_PATH), *feed.routes(BASE_PATH)],
    lifespan=lifespan,
)

# Streamlit 1.67 collects garbage after every run of a page, before the browser can ask for the picture: 50 ms and more
# over all that was ever imported. What is there now is there for good, and need not be looked at again.
gc.collect()
gc.freeze()
