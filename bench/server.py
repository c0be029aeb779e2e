"""The app with a given image and pipeline at the first visit; everything else is as `app.py` has it."""

from __future__ import annotations

import gc
from pathlib import Path

import plotly.graph_objects  # noqa: F401
import streamlit as st

import augviz.ui.explore
import augviz.ui.transforms  # noqa: F401
from augviz.ui import feed
from augviz.web import lifespan, routes

app = st.App(Path(__file__).with_name("visit.py"), routes=[*routes(), *feed.routes()], lifespan=lifespan)
gc.collect()
gc.freeze()
