"""A store in, pictures of every page out, to be looked at: ``python -m tests.browser.screenshots OUT_DIR [STORE]``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from analysis import pipeline
from analysis.pages import _words as words
from tests.browser.driving import app, browser, settle, window

SIZES = ((1440, 900), (390, 844))


def addresses(store: Path) -> dict[str, tuple[str, int]]:
    """Return the pages to take, each with the least number of charts it draws: Why once for every main cause."""
    pages: dict[str, tuple[str, int]] = {
        "fleet": ("", 2),
        "replies": ("replies", 2),
        "new": ("new", 1),
        "ahead": ("ahead", 1),
        "delivery": ("delivery", 2),
        "helped": ("helped", 0),
        "transitions": ("transitions", 1),
        "data": ("data", 0),
    }
    last_day = (pipeline.status(store)["as_of"] or "")[:10]
    pages["new-day"] = (f"new?days=14&day={last_day}", 1)
    worst = pipeline.chat_states(store, least_unanswered=3, most=1)
    for line, chat in worst.select("line", "chat_id").iter_rows():
        pages["chat"] = (f"chat?line={words.line_key(line)}&chat={chat}", 1)
        pages["chat-day"] = (f"chats?line={words.line_key(line)}&day={last_day}", 0)
    found = pipeline.explanations(store)
    for e in found:
        own = [other for other in found if other.line == e.line]
        kind = e.drivers[0].driver if words.worsened(e) else "recovery"
        address = f"why?line={words.line_key(e.line)}&at={words.change_key(e, own)}"
        pages.setdefault(f"why-{kind}", (address, 2))
    return pages


def take(out: Path, store: Path, only: str) -> None:
    """Take every page in both themes and sizes."""
    out.mkdir(parents=True, exist_ok=True)
    with app(store) as base, browser() as chrome:
        for name, (address, charts) in addresses(store).items():
            for scheme in ("light", "dark"):
                for width, height in SIZES:
                    if only not in f"{name}-{scheme}-{width}":
                        continue
                    with window(chrome, width=width, height=height, scheme=scheme) as (page, _):
                        page.goto(f"{base}/{address}")
                        settle(page, charts=charts)
                        # a page taller than the window scrolls inside: make the window as tall as the page
                        tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                        page.set_viewport_size({"width": width, "height": min(tall + 60, 6000)})
                        page.wait_for_timeout(700)
                        page.screenshot(path=out / f"{name}-{scheme}-{width}.png")
    with tempfile.TemporaryDirectory() as folder, app(Path(folder) / "none.duckdb") as base, browser() as chrome:
        for scheme in ("light", "dark"):
            if only in f"empty-{scheme}":
                with window(chrome, scheme=scheme) as (page, _):
                    page.goto(base)
                    settle(page)
                    page.screenshot(path=out / f"empty-{scheme}-1440.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("store", type=Path, nargs="?", default=None)
    parser.add_argument("--only", default="", help="only pictures whose name holds this")
    options = parser.parse_args()
    take(options.out, (options.store or pipeline.default_store()).resolve(), options.only)
