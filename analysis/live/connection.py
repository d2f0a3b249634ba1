"""Environment and settings in, one connection out: whose key, which address, how fast, how patient."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import httpx

from analysis.errors import UsageError
from analysis.settings import Settings

KEY, URL, RATE = "LINQ_API_V3_API_KEY", "LINQ_API_V3_BASE_URL", "LINEHEALTH_PULL_RATE"
"""Environment variables: the vendor's own names for its key and address, ours for the pace."""
DEFAULT_URL = "https://api.linqapp.com/api/partner"
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Connection:
    """How to reach the API. The key is in no text of this object."""

    key: str = field(repr=False)
    url: str = DEFAULT_URL
    rate: float = 2.0
    """Calls a second, at most."""
    tries: int = 8
    backoff_s: float = 0.5
    """First pause after a failure; it doubles up to ``longest_s``, each with jitter. Source: the vendor's SDK begins so."""
    longest_s: float = 60.0
    patience_s: float = 900.0
    """Asked by the API to wait longer than this, a call gives up."""
    page: int = 100
    """Rows a page; the vendor's most (api.md, section 4)."""
    at_once: int = 4
    """Calls under way at once; the pace holds over all of them."""
    transport: Any = field(default=None, repr=False)
    """An httpx transport in place of the network, for tests."""


def connection(settings: Settings) -> Connection:
    """Return the connection that environment and settings name.

    Raises:
        UsageError: no key, or a key, address or pace that cannot be one; no value of the key is ever shown.
    """
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise UsageError("the key of the API is missing", where=f"${KEY}", fix="set it to a token of your account")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            "the key holds blanks or letters that no token has", where=f"${KEY}", fix="copy the token once more"
        )
    url = os.environ.get(URL, "").strip().rstrip("/") or DEFAULT_URL
    return Connection(
        key,
        checked(url),
        _rate(settings),
        settings.pull_tries,
        patience_s=settings.pull_wait_minutes * 60,
    )


def checked(url: str) -> str:
    """Return an address that a key may be sent to: https, or this machine itself; raises UsageError for any other."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    plain_here = parsed.scheme == "http" and parsed.host in _HERE
    if not parsed.host or (parsed.scheme != "https" and not plain_here) or parsed.userinfo:
        raise UsageError(
            "not an address that a key may be sent to", where=f"${URL}", fix=f"write it like {DEFAULT_URL}, or unset it"
        )
    return url


def _rate(settings: Settings) -> float:
    text = os.environ.get(RATE, "").strip()
    if not text:
        return settings.pull_rate
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 50:
        raise UsageError(
            "not a number of calls a second from 0.01 to 50", where=f"${RATE}", fix="set it to 2, or unset it"
        )
    return rate
