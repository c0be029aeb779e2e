"""The server: `streamlit run app.py` finds `app` here. Streamlit serves the pages, our own routes the pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects  # noqa: F401 - paid for at the start, not by the first visitor
import streamlit as st
from starlette.middleware import Middleware
from streamlit import file_util, net_util
from streamlit.web.server.starlette.starlette_app_utils import validate_xsrf_token

# Not public, in Streamlit 1.67: a test asks the running server whether they still do what they are for.
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks, is_host_allowed

import augviz.ui.explore
import augviz.ui.inspect_page
import augviz.ui.memory_page
import augviz.ui.transforms  # noqa: F401
from augviz import (
    events,
    exact_routes,
    garbage,
    incidents,
    metrics,
    nowhere,
    result_routes,
    tile_routes,
    upload_routes,
    visitors,
)
from augviz.errors import SettingsError
from augviz.guarding import Guard, keep_refusals_quiet, nameless, signed_claims
from augviz.origins import Origins, named
from augviz.page_files import PageFiles
from augviz.settings import get_settings
from augviz.ui import feed, figures, page
from augviz.ui.page_store import PageStore
from augviz.web import lifespan, routes

SETTINGS = get_settings()
BASE_PATH = str(st.get_option("server.baseUrlPath") or "")
ORIGINS = Origins(
    named([*st.get_option("server.corsAllowedOrigins"), str(st.get_option("browser.serverAddress") or "")]),
    any_origin=not st.get_option("server.enableCORS"),
)


def _is_genuine(header: str | None, cookie: str | None) -> bool:
    return not st.get_option("server.enableXsrfProtection") or validate_xsrf_token(header, cookie)


def _opens_for(origin: str | None, host: str | None) -> bool:
    return is_host_allowed(host) and ORIGINS.allow(origin, host)


def _signed_in(cookies: Mapping[str, str]) -> str:
    return visitors.user_of(signed_claims(_get_signed_cookie_with_chunks(dict(cookies), USER_COOKIE_NAME)))


if SETTINGS.sign_in and importlib.util.find_spec("authlib") is None:
    raise SettingsError(
        "sign_in: Authlib is needed to sign visitors in; install it with pip install 'streamlit[auth]'."
    )

if SETTINGS.metrics:
    metrics.start()
incidents.keep_logs_discreet()
events.begin(SETTINGS.log_format)
nameless()
keep_refusals_quiet()
# Streamlit 1.67 asks another host for this machine's outer address where it knows no better which origins are its own.
net_util.get_external_ip = lambda: None
guard = Middleware(
    Guard,
    page=(Path(file_util.get_static_dir()) / "index.html").read_text(encoding="utf-8"),
    base_path=BASE_PATH,
    trusted_header=SETTINGS.trusted_header,
    signed_in=_signed_in if SETTINGS.sign_in else None,
    opens_for=_opens_for,
    hsts_seconds=SETTINGS.hsts_seconds,
    open_path=metrics.ADDRESS if SETTINGS.metrics else "",
)

page_files = Middleware(
    PageFiles,
    base_path=BASE_PATH,
    store=PageStore(),
    max_bytes=st.get_option("server.maxUploadSize") * 2**20,
)
ours = [
    *routes(BASE_PATH),
    *feed.routes(BASE_PATH),
    *figures.routes(BASE_PATH),
    *upload_routes.routes(BASE_PATH, _is_genuine),
    *result_routes.routes(BASE_PATH),
    *exact_routes.routes(BASE_PATH),
    *tile_routes.routes(BASE_PATH),
    *metrics.routes(BASE_PATH),
]

app = st.App(
    Path(__file__).resolve().parent / "augviz" / "ui" / "shell.py",
    routes=[*ours, *nowhere.routes(BASE_PATH, ours)],
    lifespan=lifespan,
    middleware=[guard, page_files],
    on_script_error=page.failed,
)

garbage.freeze()
