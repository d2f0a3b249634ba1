"""Figures in, small pieces of HTML out: badges, tiles, rows, the share bar and tables. Every value is escaped here."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from analysis.charts.theme import CHAT_WORDS, STATUS_WORDS
from analysis.pages._words import DRIVER_WORDS, THIN, plain_state
from analysis.schema import Driver

UNITS = re.compile(r"(\d (?:%|h|min|s|days?)(?!\w))")
"""A number's last digit and its unit."""


def text(words: str) -> str:
    """Return words as they may stand in HTML."""
    return escape(words)


def whole(words: str) -> str:
    """Return words as HTML in which a number and its unit stay on one line."""
    return UNITS.sub(r'<span class="lh-whole">\1</span>', escape(words))


def narrow(html: str) -> str:
    """Return HTML that is shown on narrow screens only: words that a chart has no room for there."""
    return f'<span class="lh-narrow">{html}</span>'


def h1(text: str, aside: str = "") -> str:
    """Return the page's one heading, with small print at the right."""
    side = f'<p class="lh-small">{escape(aside)}</p>' if aside else ""
    return f'<div class="lh-top"><h1 class="lh-h1">{whole(text)}</h1>{side}</div>'


def h2(text: str, sub: str = "") -> str:
    """Return a card's title; ``sub`` is HTML of our own making."""
    return f'<h2 class="lh-h2">{escape(text)}</h2>' + (f'<p class="lh-sub">{sub}</p>' if sub else "")


def badge(state: str | None) -> str:
    """Return a health, status or chat-health badge: shape and word; colour repeats them."""
    known = state in CHAT_WORDS or state in STATUS_WORDS
    kind = str(state).lower().replace("_", "-") if known else "unknown"
    if state == "OPTED_OUT":
        return f'<span class="lh-badge lh-opted-out">⊘ {CHAT_WORDS[state]}</span>'
    mark = "unknown" if kind == "active" else kind
    word = escape(CHAT_WORDS.get(state or "", plain_state(state)))
    return f'<span class="lh-badge lh-{kind}"><i class="lh-m-{mark}"></i>{word}</span>'


def mark(state: str) -> str:
    """Return a health's shape alone, for captions that name it."""
    return f'<i class="lh-mark lh-m-{state.lower().replace("_", "-")}"></i>'


def tiles(rows: list[tuple[str, str, str]]) -> str:
    """Return tiles of (head as HTML, figure, small print)."""
    cells = "".join(
        f'<div class="lh-tile">{head}<div class="lh-figure">{escape(figure)}</div><p class="lh-small">{escape(small)}</p></div>'
        for head, figure, small in rows
    )
    return f'<div class="lh-tiles">{cells}</div>'


def eyebrow(text: str) -> str:
    """Return a small heading over a figure."""
    return f'<p class="lh-eye">{escape(text)}</p>'


def need_row(
    *,
    state: str | None,
    since: str,
    line: str,
    sends: str,
    reason: str,
    step: str,
    spark: str,
    rate: str,
    counts: str,
    ribbon: str,
) -> str:
    """Return one row of the lines that need somebody."""
    return (
        '<div class="lh-need">'
        f'<div>{badge(state)}<p class="lh-small">{escape(since)}</p></div>'
        f'<div><b>{escape(line)}</b><p class="lh-small">{escape(sends)}</p></div>'
        f'<div class="lh-reason"><b>{whole(reason)}</b><p class="lh-small">{whole(step)}</p></div>'
        f'<div class="lh-pic"><img src="{spark}" width="110" height="26" alt="Replies over 30 days"></div>'
        f'<div class="lh-num"><b>{escape(rate)}</b><p class="lh-small">{escape(counts)}</p></div>'
        f'<div class="lh-pic"><img src="{ribbon}" width="180" height="16" alt="Health over 30 days"></div></div>'
    )


def rank_class(drivers: list[Driver], driver: str) -> str:
    """Return the class that paints a cause by its rank; unexplained is hatched wherever it stands."""
    if driver == "unexplained":
        return "lh-hatch"
    ranked = [d.driver for d in drivers if d.driver != "unexplained"]
    return f"lh-k{min(ranked.index(driver) + 1, 4)}" if driver in ranked else ""


def shown(drivers: list[Driver]) -> list[Driver]:
    """Return the causes worth ink: a share that rounds to one percent or more; unexplained always, and last."""
    named = [d for d in drivers if d.driver != "unexplained" and d.share >= 0.005]
    return [*named, *[d for d in drivers if d.driver == "unexplained"]]


def share_bar(drivers: list[Driver]) -> str:
    """Return the bar of causes and its key; shares as whole percents that add up to 100."""
    rows = shown(drivers)
    whole = _percents([d.share for d in rows])
    parts, keys = [], []
    for d, n in zip(rows, whole, strict=True):
        word, kind = DRIVER_WORDS[d.driver], rank_class(drivers, d.driver)
        label = f"{word} {n}{THIN}%"
        inside = label if n * 1.1 > len(label) else f"{n}{THIN}%" if n >= 5 else ""
        if inside:
            inside = f"<span>{inside}</span>"
        slim = "" if inside else " lh-slim"
        if n or d.driver == "unexplained":
            parts.append(
                f'<div class="{kind}{slim}" style="flex:{max(d.share, 0.002):.4f} 1 0" title="{escape(label)}">{inside}</div>'
            )
        keys.append(
            f'<span><i class="lh-sw {kind}"></i><b>{escape(label)}</b>{_reach(d)} · {escape(d.summary.rstrip("."))}</span>'
        )
    return f'{eyebrow("What caused the change")}<div class="lh-bar" role="img" aria-label="Shares of the causes">{"".join(parts)}</div><div class="lh-key">{"".join(keys)}</div>'


def _reach(d: Driver) -> str:
    """Return what chance alone makes of a share, where that shows in whole percents."""
    if d.share_low is None or d.share_high is None:
        return ""
    low, high = (round(100 * s) for s in (d.share_low, d.share_high))
    return f" ({low}–{high})" if high - low >= 2 else ""


def _percents(shares: list[float]) -> list[int]:
    """Return whole percents by largest remainder, so that what is shown adds up."""
    total = sum(shares) or 1.0
    exact = [100 * s / total for s in shares]
    floor = [int(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda i: (floor[i] - exact[i], i))
    for i in order[: 100 - sum(floor)]:
        floor[i] += 1
    return floor


def table(heads: list[tuple[str, bool]], rows: list[list[str]], *, least: int = 0) -> str:
    """Return a table of HTML cells; heads are (word, right-aligned). Scrolls inside where it is too wide, by keyboard too."""
    kinds = [' class="lh-num"' if right else "" for _, right in heads]
    head = "".join(f'<th scope="col"{k}>{escape(word)}</th>' for (word, _), k in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{cell}</td>" for cell, k in zip(row, kinds, strict=True)) + "</tr>" for row in rows
    )
    style = f' style="min-width:{least}px"' if least else ""
    name = escape("Table: " + ", ".join(word for word, _ in heads if word))
    return f'<div class="lh-wrap" tabindex="0" role="group" aria-label="{name}"><table class="lh-table"{style}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


DONE = {True: "✓ Done", False: "Not yet", None: "Too early to say"}


def steps(actions: list[dict[str, Any]], since: dict[str, tuple[bool | None, str]] | None = None) -> str:
    """Return what to do as a numbered list, each with its expected effect and, where known, what was done since."""
    rows = []
    for i, a in enumerate(actions, 1):
        action = str(a.get("action", ""))
        done = ""
        if since and action in since:
            tick, figures = since[action]
            done = f'<p class="lh-small"><b class="lh-done">{DONE[tick]}:</b> {escape(figures)}</p>'
        effect = escape(str(a.get("expected_effect", "")))
        rows.append(f'<span>{i}</span><div><b>{whole(action)}</b><p class="lh-small">{effect}</p>{done}</div>')
    return f'<div class="lh-steps">{"".join(rows)}</div>'


def inset(title: str, words: str) -> str:
    """Return a quiet box within a card: a question and its answer."""
    return f'<div class="lh-inset"><b>{escape(title)}</b><br>{escape(words)}</div>'


def way(number: str, title: str, words: str) -> str:
    """Return the head of one way to start."""
    return f'<p class="lh-h2" style="color:var(--lh-accent)">{number}</p>{h2(title, escape(words))}'


def ghost() -> str:
    """Return pale ribbons that show what a loaded fleet looks like."""
    rows = "".join(f'<i style="height:12px"></i><i style="height:{h}px"></i>' for h in (5, 12, 5, 8))
    return f'<div class="lh-ghost" aria-hidden="true">{rows}</div>'
