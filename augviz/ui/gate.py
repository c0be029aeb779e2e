"""Who looks at the page, and whether they may: signed in where that is asked, with the cookie that keeps pictures to them."""

from __future__ import annotations

import streamlit as st

from augviz import visitors
from augviz.settings import get_settings

KEY = "gate.visitor"


def visitor() -> str:
    """Whose addresses the page shows; "" where no browser has asked, as when a page is tested alone."""
    if KEY not in st.session_state:
        st.session_state[KEY] = _asking()
    return str(st.session_state[KEY])


def _asking() -> str:
    """Who opened the session's connection. Looked up once for each whole run of the page, as it takes a while."""
    settings = get_settings()
    headers = st.context.headers
    token = visitors.token_of(st.context.cookies, headers)
    named = (headers.get(settings.trusted_header) or "").strip() if settings.trusted_header else ""
    return visitors.visitor_of(token, named, user() if settings.sign_in else "")


def user() -> str:
    """The user who has signed in here, "" for nobody."""
    return visitors.user_of(st.user.to_dict())


def icon(path: str) -> str | None:
    """The tab's icon; none before the sign-in, since Streamlit serves it as a file."""
    return None if get_settings().sign_in and not user() else path


def passes() -> bool:
    """Whether the pages may be shown; if not, the page says why, or how to sign in."""
    st.session_state[KEY] = _asking()
    if get_settings().sign_in and not user():
        st.title("augviz")
        st.write("This server is for users who have signed in.")
        st.button("Sign in", key="gate.sign_in", icon=":material/login:", type="primary", on_click=st.login)
        return False
    # A page that is tested alone has no request, thus no Host.
    if isinstance(st.context.headers.get("host"), str) and not visitor():
        st.error(visitors.NO_COOKIE, icon=":material/cookie:")
        return False
    return True


def sign_out_button() -> None:
    """For the side bar; nothing where nobody signs in here."""
    if get_settings().sign_in:
        st.button("Sign out", key="gate.sign_out", icon=":material/logout:", type="tertiary", on_click=st.logout)
