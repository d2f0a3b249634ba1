"""An HTML page in; its words, and its elements in order, out."""

import itertools
import re
from html.parser import HTMLParser


def plain(text: str) -> str:
    return (
        re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text))
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
    )


class Elements(HTMLParser):
    """Every element of a page with its attributes, in order."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def rows_of(self, label: str) -> int:
        """Return how many rows the table of a name has under its head."""
        start = next(i for i, (_, a) in enumerate(self.found) if a.get("aria-label") == label) + 1
        part = itertools.takewhile(lambda e: "lh-wrap" not in (e[1].get("class") or ""), self.found[start:])
        return sum(tag == "tr" for tag, _ in part) - 1
