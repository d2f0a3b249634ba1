"""A store in, the app in a real Chromium out: start Streamlit, open pages, and keep what the browser asked for and complained of."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EVERY = bool(os.environ.get("LINEHEALTH_EVERY"))
"""Whether every page is looked at in every width and theme ($LINEHEALTH_EVERY=1): a sweep of some minutes; else a part of them is."""
PROBES = ("/_stcore/health", "/_stcore/host-config")
"""Streamlit asks for these under a deep link's own path first and gets 404: its habit, not a fault of a page."""


def chromium() -> str | None:
    """Return a Chromium on this machine, or None."""
    return next((p for name in ("chromium", "google-chrome", "chrome") if (p := shutil.which(name))), None)


@contextlib.contextmanager
def app(store: Path) -> Iterator[str]:
    """Run the app on a store; yield its address."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    call = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    env = {**os.environ, "LINEHEALTH_STORE": str(store)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(call, cwd=ROOT, env=env, stdout=quiet, stderr=quiet)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as r:
                if r.read() == b"ok":
                    break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


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
