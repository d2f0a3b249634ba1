"""A store in, the app in a real Chromium out: start Streamlit, open pages, and keep what the browser asked for and complained of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from analysis.bench.chromium import ARGUMENTS
from analysis.bench.chromium import binary as chromium
from analysis.bench.chromium import server as app

__all__ = ["NEEDS_CHROMIUM", "Seen", "app", "browser", "chromium", "own_errors", "settle", "window"]

PROBES = ("/_stcore/health", "/_stcore/host-config")
"""Streamlit asks for these under a deep link's own path first and gets 404: its habit, not a fault of a page."""


NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install one to see the app tested in it"),
]
"""Marks of a module whose tests drive the app in a browser."""


@dataclass
class Seen:
    """What the browser asked for outside, and what it complained of."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def browser() -> Iterator:
    """Yield a Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chrome = p.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield chrome
        finally:
            chrome.close()


@contextlib.contextmanager
def window(chrome, *, width: int = 1440, height: int = 900, scheme: str = "light", zone: str = "America/New_York"):
    """Yield a fresh page and what it sees; a zone far from UTC shows charts that follow the browser's clock."""
    context = chrome.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, timezone_id=zone)
    page, seen = context.new_page(), Seen()
    page.on("request", lambda r: None if _inside(r.url) else seen.outside.append(r.url))
    page.on(
        "console", lambda m: seen.errors.append(f"{m.text} {m.location.get('url', '')}") if m.type == "error" else None
    )
    page.on("pageerror", lambda e: seen.errors.append(str(e)))
    try:
        yield page, seen
    finally:
        context.close()


def _inside(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def settle(page, *, charts: int = 0) -> None:
    """Wait until the script is idle and that many charts are drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=30_000)
    page.wait_for_selector(".lh-h1, .lh-h2", timeout=30_000)
    if charts:
        page.wait_for_function(
            f"document.querySelectorAll('[data-testid=\"stVegaLiteChart\"] svg.marks').length >= {charts}",
            timeout=30_000,
        )
    page.wait_for_timeout(300)


def own_errors(seen: Seen) -> list[str]:
    """Return complaints that are not Streamlit's two probes under a deep link."""
    return [e for e in seen.errors if not ("404" in e and any(p in e for p in PROBES))]
