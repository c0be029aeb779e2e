"""The server: `streamlit run app.py` finds `app` here. Streamlit serves the pages, our own routes the pictures."""

from __future__ import annotations

import gc
from pathlib import Path

import plotly.graph_objects  # noqa: F401 - paid for at the start, not by the first visitor
import streamlit as st
from streamlit.web.server.starlette.starlette_app_utils import validate_xsrf_token

import augviz.ui.explore
import augviz.ui.inspect_page
import augviz.ui.memory_page
import augviz.ui.transforms  # noqa: F401
from augviz import result_routes, tile_routes, upload_routes
from augviz.ui import feed
from augviz.web import lifespan, routes

BASE_PATH = str(st.get_option("server.baseUrlPath") or "")


def _is_genuine(header: str | None, cookie: str | None) -> bool:
    return not st.get_option("server.enableXsrfProtection") or validate_xsrf_token(header, cookie)


app = st.App(
    Path(__file__).resolve().parent / "augviz" / "ui" / "shell.py",
    routes=[
        *routes(BASE_PATH),
        *feed.routes(BASE_PATH),
        *upload_routes.routes(BASE_PATH, _is_genuine),
        *result_routes.routes(BASE_PATH),
        *tile_routes.routes(BASE_PATH),
    ],
    lifespan=lifespan,
)

# Streamlit 1.67 collects garbage after every run of a page, before the browser can ask for the picture: 50 ms and more
# over all that was ever imported. What is there now is there for good, and need not be looked at again.
gc.collect()
gc.freeze()
