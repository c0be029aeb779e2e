"""What surrounds everything that the server answers: security headers, the visitor's cookie, and who may ask at all.

Pure ASGI, so that it costs a picture some microseconds. Starlette only: no Streamlit; how a user has signed in, the caller says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from augviz import events, incidents, metrics, page_files, visitors
from augviz.web import NO_PICTURE

SignedIn = Callable[[Mapping[str, str]], str]
"""The user that a request's cookies prove to have signed in; "" for nobody."""

OpensFor = Callable[[str | None, str | None], bool]
"""Whether a page may open a WebSocket here: takes the request's Origin and Host. Must not wait for anything."""

PAGE_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    # Streamlit 1.67 imports the scripts of components from blob: addresses, and its protobuf.js compiles some WebAssembly. Its
    # one inline script is added by its hash.
    "script-src": "'self' blob: 'wasm-unsafe-eval'",
    # Streamlit's and Plotly's style sheets are made by their scripts.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "media-src": "'self'",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "frame-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
"""The pages' Content-Security-Policy: no other host for anything, and nobody may frame us."""

OWN_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""That of pictures, figures and files: they are no pages."""

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every response, beside the policy."""

NO_USER = "This server is used through its proxy, which names who has signed in; this request names nobody."
NOT_OPENED = "This connection is not opened; reload the page."
NOT_SIGNED_IN = "This address is for users who have signed in; open the page and sign in."
FOREIGN = "Connections are opened for pages of this server only; this request is of another site's page, or names another host."
NO_METRICS = "This server's metrics are off; its owner can turn them on with AUGVIZ_METRICS=1."

_HEALTH = "/_stcore/health"
_METRICS = "/_stcore/metrics"
"""Streamlit's own: sizes of caches and sessions, which it walks through to answer."""

_VISITORS = ("/augviz/", page_files.ADDRESS)
"""Where it counts whose request it is."""

_FILES = (*_VISITORS, "/media/", _METRICS)


def policy_text(page: str) -> str:
    """The pages' policy, which lets the inline scripts of `page` (HTML) run and no others."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    policy = {**PAGE_POLICY, "script-src": " ".join([PAGE_POLICY["script-src"], *hashes])}
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


class Guard:
    """The middleware.

    Args:
        page: the HTML that Streamlit serves for every page.
        base_path: Streamlit's `server.baseUrlPath`.
        trusted_header: the header, in small letters, that names the user; "" asks for none.
        signed_in: says who has signed in; None asks nobody to.
        hsts_seconds: of Strict-Transport-Security; 0 sends none.
        opens_for: says which pages may open a WebSocket; None lets all. Asked before anything else looks at the request.
        open_path: our metrics, below the base path, which need neither user nor cookie; "" is where metrics are off, and then
            Streamlit's are not there either.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        page: str = "",
        base_path: str = "",
        trusted_header: str = "",
        signed_in: SignedIn | None = None,
        opens_for: OpensFor | None = None,
        hsts_seconds: float = 0,
        open_path: str = "",
    ) -> None:
        self._app = app
        self._base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
        self._header = trusted_header.encode()
        self._open_paths = {_HEALTH, open_path}
        self._has_metrics = bool(open_path)
        self._signed_in = signed_in
        self._opens_for = opens_for
        self._secure = hsts_seconds > 0
        hsts = {"Strict-Transport-Security": f"max-age={int(hsts_seconds)}"} if self._secure else {}
        everywhere = _encoded({**HEADERS, **hsts})
        self._names = {name for name, _ in everywhere} | {b"content-security-policy", b"server"}
        self._page_headers = [*everywhere, *_encoded({"Content-Security-Policy": policy_text(page)})]
        self._own_headers = [*everywhere, *_encoded({"Content-Security-Policy": OWN_POLICY})]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = _below(scope, self._base)
        is_ours = path.startswith("/augviz/")
        connection = HTTPConnection(scope)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "websocket.close" and not started and _can_say_why(scope):
                await _refuse(connection, sending, 403, NOT_OPENED)  # Starlette's own would be naked
                return
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                self._dress(message, connection, is_ours)
            started = True
            await send(message)

        refused = self._refusal(path, connection)
        if refused is not None:
            await _refuse(connection, sending, *refused)
            return
        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - nobody further out would keep it from visitor and log
            said = incidents.record(error, f"a request ({scope['type']})")
            if not started:
                await _refuse(connection, sending, 500, said)

    def _refusal(self, path: str, connection: HTTPConnection) -> tuple[int, str] | None:
        """Status and sentence for who may not ask. Notes who asks, where that counts."""
        named_user = signed_in = ""
        if connection.scope["type"] == "websocket" and not self._opens(connection):
            return 403, FOREIGN
        if path in self._open_paths:
            return None
        if path.startswith((metrics.ADDRESS, _METRICS)) and not self._has_metrics:
            return 404, NO_METRICS
        if self._header:
            named = [value for name, value in connection.scope["headers"] if name == self._header]
            if len(named) != 1 or not named[0].strip():  # two: a browser's own, which the proxy has not dropped
                return 403, NO_USER
            named_user = named[0].decode("latin-1").strip()
        if not path.startswith(_FILES):
            return None
        if self._signed_in is not None:
            signed_in = self._signed_in(connection.cookies)
            if not signed_in:
                return 403, NOT_SIGNED_IN
        if path.startswith(_VISITORS):
            token = visitors.token_of(connection.cookies, connection.headers)
            visitor = visitors.visitor_of(token, named_user, signed_in)
            if not visitor:
                return 403, visitors.NO_COOKIE
            visitors.admit(connection.scope, visitor)
        return None

    def _opens(self, connection: HTTPConnection) -> bool:
        asked = connection.headers
        if self._opens_for is None or self._opens_for(asked.get("origin"), asked.get("host")):
            return True
        events.tell("socket_refused", level=logging.WARNING)
        return False

    def _dress(self, message: Message, connection: HTTPConnection, is_ours: bool) -> None:
        """Put our headers in the place of those of the same names; a page brings the visitor's cookie.

        Where browsers ask by HTTPS, all cookies are for HTTPS only: Streamlit 1.67 looks at its own settings for TLS, not at
        what a proxy says.
        """
        secure = self._secure or connection.scope.get("scheme") == "https"
        secure = secure or connection.headers.get("x-forwarded-proto", "").lower().startswith("https")
        kept = [pair for pair in message["headers"] if pair[0].lower() not in self._names]
        if secure:
            kept = [_for_https_only(*pair) for pair in kept]
        added = self._own_headers if is_ours else self._page_headers
        message["headers"] = [*kept, *added]
        if not is_ours and _is_page(connection, kept) and not visitors.token_of(connection.cookies, {}):
            cookie = f"{visitors.COOKIE}={visitors.new_token()}; Path={self._base or '/'}; HttpOnly; SameSite=Lax"
            private = [pair for pair in message["headers"] if pair[0].lower() != b"cache-control"]
            private += [
                (b"cache-control", b"private, no-cache"),
                (b"set-cookie", (cookie + "; Secure" * secure).encode()),
            ]
            message["headers"] = private


def signed_claims(payload: bytes | None) -> Mapping[str, Any]:
    """What a provider said of a user, out of a cookie whose signature was right; nothing where there is no such cookie."""
    try:
        claims = json.loads(payload or b"{}")
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def nameless() -> None:
    """Have uvicorn not name itself in every response. Its option for that cannot be reached under `streamlit run` (1.67)."""

    def set_headers(state: ServerState, headers: list[tuple[bytes, bytes]]) -> None:
        state.__dict__["default_headers"] = [pair for pair in headers if pair[0] != b"server"]

    ServerState.default_headers = property(  # type: ignore[assignment]
        lambda state: state.__dict__.get("default_headers", []), set_headers
    )


def keep_refusals_quiet() -> None:
    """Have uvicorn (0.54) not log an error for every WebSocket that is answered instead of opened."""

    def is_news(record: logging.LogRecord) -> bool:
        return record.msg != "ASGI callable returned without completing handshake."

    logging.getLogger("uvicorn.error").addFilter(is_news)


def _below(scope: Scope, base: str) -> str:
    """The path below the server's root and the base path."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "")
    if root and path.startswith(f"{root}/"):
        path = path[len(root) :]
    return path[len(base) :] if path.startswith(f"{base}/") else path


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _for_https_only(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A header; a cookie with the attribute that it may lack."""
    if name.lower() != b"set-cookie" or b"secure" in (part.strip().lower() for part in value.split(b";")[1:]):
        return name, value
    return name, value + b"; Secure"


def _is_page(connection: HTTPConnection, headers: list[tuple[bytes, bytes]]) -> bool:
    """Also for a page that the browser has in its cache: "not modified" has no type."""
    if connection.scope["type"] != "http":
        return False
    return "text/html" in connection.headers.get("accept", "") or any(
        name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers
    )


def _can_say_why(scope: Scope) -> bool:
    """Whether a WebSocket that is not opened can be answered like any request; browsers show nothing of it either way."""
    return scope["type"] == "websocket" and "websocket.http.response" in (scope.get("extensions") or {})


async def _refuse(connection: HTTPConnection, send: Send, status: int, sentence: str) -> None:
    """The sentence: as text for people, as JSON for programs; for an image element a crossed-out frame."""
    of_socket = "websocket." if connection.scope["type"] == "websocket" else ""
    if of_socket and not _can_say_why(connection.scope):
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    accepted = connection.headers.get("accept", "")
    kind, body = "application/json", json.dumps({"error": sentence})
    if "text/html" in accepted:
        kind, body = "text/plain; charset=utf-8", sentence
    elif "image/" in accepted:
        kind, body = "image/svg+xml", NO_PICTURE
    told = {
        "Content-Type": kind,
        "Content-Length": str(len(body.encode())),
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    await send({"type": f"{of_socket}http.response.start", "status": status, "headers": _encoded(told)})
    await send({"type": f"{of_socket}http.response.body", "body": body.encode()})
