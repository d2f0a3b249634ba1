"""A card's chart, or the page's address, in; what only the browser can do with it: a picture as it is drawn, a copied link.

The pictures are made from what is on the screen: no library is needed, and fonts, theme and ground are those of the page.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from streamlit.components import v2

HERE = Path(__file__).parent


@cache
def _component() -> Any:
    return v2.component(
        "linehealth_browser",
        html='<div class="row"></div><p class="said" role="status"></p>',
        css=HERE.joinpath("browser.css").read_text(encoding="utf-8"),
        js=HERE.joinpath("browser.js").read_text(encoding="utf-8"),
    )


def copy_link(key: str) -> None:
    """Offer to copy the page's address, which holds all that is chosen on it."""
    _component()(key=key, data={"buttons": [["Copy link", "link"]]}, height="content")


def pictures(card: str, *, name: str, title: str, foot: str, key: str) -> None:
    """Offer a card's chart as PNG and SVG.

    Args:
        card: key of the container that the chart is in.
        name: of the file, without its ending.
        title: the finding, written over the picture.
        foot: the small print under it.
        key: of the element.
    """
    data = {"buttons": [["PNG", "png"], ["SVG", "svg"]], "card": card, "name": name, "title": title, "foot": foot}
    _component()(key=key, data=data, height="content")
