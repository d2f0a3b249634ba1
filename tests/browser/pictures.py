"""The demo fleet in, the pictures of README and docs out: ``python -m tests.browser.pictures`` writes ``docs/pictures`` anew.

Small on purpose (a test holds them under 300 kB together): WebP, as wide as a README shows them on a sharp screen.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image

from analysis import pipeline
from analysis.pages._card import Explanations
from analysis.report.render import fonts
from analysis.simulate import write_demo
from tests.browser.driving import app, browser, settle, window
from tests.browser.screenshots import addresses

OUT = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SHOTS = (
    # name, page, theme, height in CSS pixels
    ("why-light", "why-new_conversations", "light", 1034),
    ("why-dark", "why-new_conversations", "dark", 1034),
    ("fleet", "fleet", "light", 772),
    ("ahead", "ahead", "light", 800),
)
WIDTH, WIDEST, QUALITY = 1280, 1360, 62


def kept(png: bytes, name: str) -> None:
    """Write one picture."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)), Image.Resampling.LANCZOS)
    picture.save(OUT / f"{name}.webp", quality=QUALITY, method=6)


def main() -> None:
    """Make the fleet, load it, take the pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "demo.duckdb"
        write_demo(Path(folder) / "fleet")
        pipeline.load(Path(folder) / "fleet", store=store)
        pages = addresses(store)
        with app(store) as base, browser() as chrome:
            for name, page_name, scheme, height in SHOTS:
                address, charts = pages[page_name]
                context = chrome.new_context(
                    viewport={"width": WIDTH, "height": height}, color_scheme=scheme, device_scale_factor=1.5
                )
                page = context.new_page()
                page.goto(f"{base}/{address}")
                settle(page, charts=charts)
                page.wait_for_timeout(700)
                kept(page.screenshot(), name)
                context.close()
            with window(chrome, width=900) as (page, _):  # with the app's fonts
                cards = Explanations.of(pipeline.explanations(store)).worse[-1:]
                page.set_content(
                    f"<style>{fonts()}</style><body style='margin:12px;background:#fff'>{cards._repr_html_()}</body>"
                )
                page.evaluate("document.fonts.ready")
                kept(page.locator(".lh-card").screenshot(), "card")


if __name__ == "__main__":
    main()
