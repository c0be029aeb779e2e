"""A server whose page and whose route have bugs; `live_server(script=...)` runs it with the app's own guard."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from augviz import incidents
from augviz.guarding import Guard, nameless
from augviz.ui import page


async def fail(_request: Request) -> Response:
    raise KeyError("patient-4711.tif")


async def fail_in_socket(socket: WebSocket) -> None:
    await socket.accept()
    raise KeyError("patient-4711.tif")


incidents.keep_logs_discreet()
nameless()
app = st.App(
    Path(__file__).with_name("failing_page.py"),
    routes=[Route("/augviz/fail", fail), Route("/fail", fail), WebSocketRoute("/augviz/socket", fail_in_socket)],
    middleware=[Middleware(Guard)],
    on_script_error=page.failed,
)
