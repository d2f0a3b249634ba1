"""Who opens the app in; whether they may see pages out: the user's own login (OpenID Connect), where one is set up.

Off unless ``.streamlit/secrets.toml`` has a part [auth] (deploy/examples/secrets.toml). Streamlit talks to the provider and keeps a signed
cookie; nothing of it is stored here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from analysis.pages import _html as html
from analysis.pages._frame import begin


def is_set_up() -> bool:
    """Return whether a login is asked for."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


def may_enter(who: Mapping[str, Any], allowed: list[str]) -> bool:
    """Return whether this person may see pages.

    Args:
        who: claims of the login: ``is_logged_in``, ``email``, ``email_verified``.
        allowed: addresses, or whole domains like "@example.com"; empty: everybody whom the provider lets in.
    """
    if not who.get("is_logged_in"):
        return False
    if not allowed:
        return True
    email = str(who.get("email") or "").strip().lower()
    if "@" not in email or who.get("email_verified") is False:
        return False
    return any(
        email == word or (word.startswith("@") and email.endswith(word))
        for word in (a.strip().lower() for a in allowed)
    )


def admitted() -> bool:
    """Return whether pages may be drawn; else what to do is drawn instead, and nothing of the store."""
    if not is_set_up():
        return True
    who = dict(st.user.to_dict())
    if may_enter(who, [str(word) for word in st.secrets.get("linehealth", {}).get("allowed", [])]):
        return True
    begin()
    if who.get("is_logged_in"):
        st.html(
            html.h1("You are logged in, but not among those who may see this.", "Ask who runs this app to add you.")
        )
        st.button("Log out", on_click=st.logout)
    else:
        st.html(html.h1("Log in to see the lines.", "This app asks your own provider who you are."))
        st.button("Log in", type="primary", on_click=st.login)
    return False


def way_out() -> None:
    """Draw a button to log out below a page, where a login is set up."""
    if is_set_up():
        st.button("Log out", type="tertiary", icon=":material/logout:", on_click=st.logout)
