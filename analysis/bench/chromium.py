"""A store and a page in, what a person waits for in a real Chromium out: to the heading, to the charts, and after a click."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.bench.visit import ROOT
from analysis.errors import LineHealthError

if TYPE_CHECKING:
    from playwright.sync_api import Page

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WAIT_MS = 120_000
STILL_MS = 400
"""A page is done when its script is idle and every chart is drawn for so long; the time counted ends where this began."""
WATCH = """
const t = window.__bench = {h1: null, idle: null, clicked: null, ran: false};
const state = () => document.querySelector('[data-testid="stApp"]')?.getAttribute('data-test-script-state');
const look = () => {
  const now = performance.now();
  if (t.h1 === null && document.querySelector('.lh-h1')) t.h1 = now;
  if (t.clicked !== null && state() === 'running') t.ran = true;
  const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')];
  const drawn = document.querySelector('.lh-h1') && charts.every(c => c.querySelector('svg.marks'));
  if (state() === 'notRunning' && drawn) t.idle ??= now; else t.idle = null;
};
new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-test-script-state']});
const click = () => { t.clicked = performance.now(); t.ran = false; t.idle = null; };
for (const kind of ['pointerup', 'change']) window.addEventListener(kind, click, true);
setInterval(look, 20);
"""


def binary() -> str | None:
    """Return a Chromium on this machine, or None."""
    return next((p for name in ("chromium", "google-chrome", "chrome") if (p := shutil.which(name))), None)


def browsed(store: Path, page: str, *, runs: int) -> tuple[dict[str, list[float]], list[str]]:
    """Return seconds by what was waited for, and the faults the page showed.

    The first visit is that of a server that just started (its imports and reads included), later ones in fresh windows are not.

    Raises:
        LineHealthError: the app did not start, or a page did not become idle in two minutes.
    """
    from playwright.sync_api import Error, sync_playwright

    told: dict[str, list[float]] = {}
    faults: list[str] = []
    try:
        with sync_playwright() as p:
            chrome = p.chromium.launch(executable_path=binary(), args=ARGUMENTS)
            for run in range(runs):
                with server(store) as address:
                    for which in ("first visit of a server", "another visit"):
                        context = chrome.new_context(viewport={"width": 1440, "height": 1300})
                        context.add_init_script(WATCH)
                        window = context.new_page()
                        window.goto(f"{address}/{'' if page == 'fleet' else page}")  # the first page lives at the root
                        _still(window, "t.idle !== null")
                        heading, charts = window.evaluate("[window.__bench.h1, window.__bench.idle]")
                        told.setdefault(f"{which}, to the heading", []).append(heading / 1000)
                        told.setdefault(f"{which}, to all charts", []).append(charts / 1000)
                        if window.get_by_test_id("stException").count():
                            faults.append(f"{page} in Chromium: the page shows an exception")
                        if run == 0 and which == "another visit":
                            for what, act in _CLICKS.get(page, []):
                                told[f"click to idle: {what}"] = [_clicked(window, act)]
                        context.close()
            chrome.close()
    except Error as e:
        raise LineHealthError(
            f"the page {page} did not become idle in Chromium ({str(e).splitlines()[0]})", fix="try --no-browser"
        ) from None
    return told, faults


def _still(window: Page, told: str, *, after: str = "true") -> Any:
    """Wait until the page has been done for a moment, and return what an expression over the watch's ``t`` gives then."""
    done = f"{after} && t.idle !== null && performance.now() - t.idle > {STILL_MS}"
    seen = window.wait_for_function(
        f"(() => {{ const t = window.__bench; return {done} ? {{told: {told}}} : null; }})()", timeout=WAIT_MS
    )
    return seen.json_value()["told"]


def _clicked(window: Page, act: Callable[[Page], None]) -> float:
    """Return the seconds from the end of a click until the page is idle again with all charts."""
    act(window)
    took: float = _still(window, "t.idle - t.clicked", after="t.clicked !== null && t.ran")
    return took / 1000


def _drag(window: Page) -> None:
    box: Any = window.locator(".st-key-card_lanes svg.marks").first.bounding_box()
    y = box["y"] + 110
    window.mouse.move(box["x"] + 0.5 * box["width"], y)
    window.mouse.down()
    window.mouse.move(box["x"] + 0.7 * box["width"], y, steps=12)
    window.mouse.up()


def _press(selector: str) -> Callable[[Page], None]:
    return lambda window: window.locator(selector).first.click()


_SEGMENT = ".st-key-{} button:not([aria-checked=true]):not([aria-pressed=true])"
_CLICKS: dict[str, list[tuple[str, Callable[[Page], None]]]] = {
    "fleet": [("filter by health", _press(_SEGMENT.format("health")))],
    "why": [
        ("period dragged", _drag),
        ("what-if opened", _press(".st-key-what_if label")),
        ("next change", _press(".st-key-earlier button:enabled, .st-key-later button:enabled")),
    ],
    "replies": [("period", _press(_SEGMENT.format("period")))],
    "new": [
        ("day on the calendar", lambda window: window.locator(".st-key-card_calendar .mark-rect path").nth(60).click(force=True)),
        ("period", _press(_SEGMENT.format("pick_days"))),
    ],
    "transitions": [("period", _press(_SEGMENT.format("period")))],
}  # fmt: skip


def free_port() -> int:
    """Return a port of this machine that nothing listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def server(store: Path, *, port: int | None = None) -> Iterator[str]:
    """Run the app on a store, on a port that is free now unless one is named; yield its address."""
    port = port or free_port()
    call = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    env = {**os.environ, "LINEHEALTH_STORE": str(store.resolve())}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(call, cwd=ROOT, env=env, stdout=quiet, stderr=quiet)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as r:
                if r.read() == b"ok":
                    break
            time.sleep(0.1)
        else:
            raise LineHealthError("the app did not start within a minute", fix="try `linehealth app` to see why")
        yield address
    finally:
        process.terminate()
        process.wait(10)
