"""Who a request comes from. A visitor is one browser, told by a random cookie, and one user where users sign in.

Addresses of pictures and files are bound to their visitor. Nothing of the cookie or the user is kept or written: what goes
around is a signed digest of both. Starlette only: no Streamlit.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import HTTPConnection

from augviz.once import Once
from augviz.settings import get_settings

COOKIE = "augviz_visitor"
HEADER = "x-augviz-visitor"
"""What a program sends that keeps no cookies: a random token of its own. No other site's page can send it unasked."""

NO_COOKIE = "Pictures and files are kept to their visitor by a cookie, which this browser did not send; allow cookies and reload."

_SCOPE = "augviz.visitor"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,64}")


def new_token() -> str:
    """What a browser's cookie holds: 192 random bits."""
    return secrets.token_urlsafe(24)


def token_of(cookies: Mapping[str, Any], headers: Mapping[str, Any]) -> str:
    """The token that a request carries in its cookie, else in its header; "" where it has none, or one that is not of ours."""
    for value in (cookies.get(COOKIE), headers.get(HEADER)):
        if isinstance(value, str) and _TOKEN.fullmatch(value):
            return value
    return ""


@lru_cache(maxsize=4096)
def visitor_of(token: str, named_user: str = "", signed_in: str = "") -> str:
    """The visitor's name, equal on all servers with the same secret; "" without a token.

    Args:
        named_user: the user that the proxy names, where one does.
        signed_in: the user who has signed in here, where one has to.
    """
    return signed("visitor", token, named_user, signed_in) if token else ""


def user_of(claims: Mapping[str, Any]) -> str:
    """The name of a signed-in user from what the provider says of them; "" for who is not signed in."""
    if claims.get("is_logged_in") is not True:
        return ""
    return next((str(claims[name]) for name in ("sub", "email") if claims.get(name)), "")


def signed(*parts: object) -> str:
    """A digest of some values that nobody can work out who has not got the server's secret; 32 hexadecimal digits."""
    return hmac.new(secret(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()[:32]


@Once
def secret() -> bytes:
    """What this server signs with: the setting, else random bytes."""
    return get_settings().secret.encode() or secrets.token_bytes(32)


def admit(scope: Any, visitor: str) -> None:
    """Note in an ASGI scope who asks, for the routes."""
    scope[_SCOPE] = visitor


def asking(connection: HTTPConnection) -> str:
    """Who asks; "" where nobody has noted it, as when the routes are served alone."""
    return str(connection.scope.get(_SCOPE, ""))
