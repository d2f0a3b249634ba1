"""Explanations in, cards for a notebook out: the Why page's words in HTML without a script, in the notebook's own light or dark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsIndex, overload
from zoneinfo import ZoneInfo

import polars as pl

from analysis.charts.theme import look, tokens
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.schema import INSTANT, Explanation

MOST = 5
"""Cards that a list shows, the newest; its frame has every change."""
STEPS = 3
CHANGES = pl.Schema(
    {
        "at": INSTANT,
        "line": pl.String,
        "previous": pl.String,
        "new": pl.String,
        "main_driver": pl.String,
        "share": pl.Float64,
        "confidence_p": pl.Float64,
        "lead_hours": pl.Float64,
        "headline": pl.String,
    }
)
"""A row a change, key (line, at, previous), in the order of the list."""
# Jupyter, VS Code and marimo say their theme on an element around the output; elsewhere the system's choice counts
OWN = """
.lh-card{color-scheme:light dark;background:var(--lh-surface);color:var(--lh-ink);border:1px solid var(--lh-hair);border-radius:6px;
padding:16px 18px;margin:6px 0 12px;max-width:860px;font:15px/1.5 "Source Sans","Source Sans 3","Segoe UI",Roboto,Helvetica,Arial,sans-serif;
font-variant-numeric:tabular-nums lining-nums;text-align:left;box-sizing:border-box}
[data-jp-theme-light="true"] .lh-card,.vscode-light .lh-card,.light .lh-card{color-scheme:light}
[data-jp-theme-light="false"] .lh-card,.vscode-dark .lh-card,.dark .lh-card{color-scheme:dark}
.lh-card p{margin:0}.lh-card .lh-h2{margin:8px 0 2px}.lh-card .lh-eye{margin-top:12px}.lh-card .lh-steps{margin-top:4px}
.lh-card ul{margin:8px 0 0;padding-left:18px}
"""


def _style() -> str:
    return f"<style>{tokens('.lh-card')}\n{look()}{OWN}</style>"


def _moment(text: str) -> str:
    return words.moment(words.instant(text), ZoneInfo("UTC"), year=True)


def card(e: Explanation) -> str:
    """Return one change as HTML: what happened, when it began, causes with shares, and what to do first. Every value is escaped."""
    began = f"Began {_moment(e.onset)}, {words.lasting(e.lead_hours or 0)} before." if e.onset else ""
    sure = f"{words.percent(e.confidence_p)} sure of the main cause ({e.confidence} confidence)."
    parts = [
        f"{html.badge(e.previous)} → {html.badge(e.new)} "
        f'<b>{html.text(words.line_name(e.line))}</b> <span class="lh-small">{html.text(_moment(e.at))}</span>',
        html.h2(e.headline),
        f'<p class="lh-small">{html.whole(f"{began} {sure}".strip())}</p>',
        html.share_bar(e.drivers) if e.drivers else "",
    ]
    if e.actions:
        parts += [html.eyebrow("What to do first"), html.steps(e.actions[:STEPS])]
    if e.notes:
        notes = "".join(f"<li>{html.text(note)}</li>" for note in e.notes)
        parts.append(f'<ul class="lh-small">{notes}</ul>')
    return f'<article class="lh-card">{"".join(parts)}</article>'


class Explained(Explanation, frozen=True):
    """An explanation that a notebook shows as a card."""

    def _repr_html_(self) -> str:
        return _style() + card(self)

    def __repr__(self) -> str:
        return f"<{self.line} {self.at} {self.previous or '?'} -> {self.new}: {self.headline}>"


class Explanations(list[Explained]):
    """Changes with their reasons, oldest first: a list that a notebook shows as cards, newest first."""

    @classmethod
    def of(cls, found: Iterable[Explanation]) -> Explanations:
        """Return explanations as such a list."""
        return cls(Explained(**{f: getattr(e, f) for f in e.__struct_fields__}) for e in found)

    @property
    def worse(self) -> Explanations:
        """Only changes for the worse."""
        return Explanations(e for e in self if words.worsened(e))

    @property
    def frame(self) -> pl.DataFrame:
        """A row a change: CHANGES."""
        rows = [
            (
                words.instant(e.at), e.line, e.previous, e.new, e.drivers[0].driver if e.drivers else None,
                e.drivers[0].share if e.drivers else None, e.confidence_p, e.lead_hours, e.headline,
            )
            for e in self
        ]  # fmt: skip
        return pl.DataFrame(rows, schema=CHANGES, orient="row")

    @overload
    def __getitem__(self, key: SupportsIndex) -> Explained: ...
    @overload
    def __getitem__(self, key: slice) -> Explanations: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Explained | Explanations:
        return Explanations(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def _repr_html_(self) -> str:
        cards = [card(e) for e in self[-MOST:][::-1]]
        left = len(self) - len(cards)
        if not cards:
            cards = ['<article class="lh-card"><p>No change of health or status in this period.</p></article>']
        elif left:
            more = f"{words.plural(left, 'earlier change')}: .frame has them all, a row each."
            cards.append(f'<article class="lh-card"><p class="lh-small">{more}</p></article>')
        return _style() + "".join(cards)
