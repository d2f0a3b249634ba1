"""Two periods of lines and kinds of sends in; the cells of the page's two tables, as HTML, out."""

from __future__ import annotations

from urllib.parse import urlencode

import polars as pl

from analysis.pages import _html as html
from analysis.pages import _replies as parts
from analysis.pages import _words as words

WHY_PATH = "why"
LINK = "color:var(--lh-accent);white-space:nowrap"
LINES = [
    ("Line", False),
    ("Replies", True),
    ("Replies before", True),
    ("Change, points", True),
    ("Sends a day", True),
    ("Sends before", True),
    ("Times", True),
    ("Health now", True),
    ("Last change", True),
]
"""Heads of the table of lines: word, right-aligned."""
KINDS = [
    ("Kind of send", False),
    ("Now", False),
    ("Before", False),
    ("Change, points", True),
    ("Sends now", True),
    ("Sends before", True),
]
"""Heads of the table of kinds of sends."""
BAR = 1.6
"""Width of a bar in pixels for each percent."""


def lines(c: pl.DataFrame, ways: dict[str, dict[str, str]]) -> list[list[str]]:
    """Return a row a line of `_replies.compared`, in its order: replies and volume now and before, health, and the way to Why.

    Args:
        c: what `compared` returned.
        ways: for each line the query of its address on Why.
    """
    rows = []
    for r in c.iter_rows(named=True):
        flagged = r["status"] == "FLAGGED" and r["health"] not in ("AT_RISK", "CRITICAL")
        moved = html.text(parts.points(r["points"]))
        link = f"{WHY_PATH}?{urlencode(ways[r['line']])}"
        word = "Why" if "at" in ways[r["line"]] else "Look"
        rows.append(
            [
                f"<b>{html.text(words.line_name(r['line']))}</b>",
                _rate(r, "now"),
                _rate(r, "before"),
                f"<b>{moved}</b>" if r["fell"] or r["rose"] else moved,
                _volume(r, "now"),
                _volume(r, "before"),
                html.text(parts.times(r["times"])),
                html.badge("FLAGGED" if flagged else r["health"]),
                f'<a href="{html.text(link)}" style="{LINK}" aria-label="{word}: {html.text(words.line_name(r["line"]))}">{word} →</a>',
            ]
        )
    return rows


def _volume(r: dict, side: str) -> str:
    a_day, sends = r[f"a_day_{side}"], r[f"outbound_{side}"]
    return f"{words.count(a_day)}<small>{sends:,} in {words.plural(r[f'known_{side}'], 'day')}</small>"


def _rate(r: dict, side: str) -> str:
    shown, small = parts.rate_cell(r[f"replied_{side}"], r[f"mature_{side}"])
    return f"{html.text(shown)}<small>{html.text(small)}</small>"


def mix(m: parts.Mix) -> list[list[str]]:
    """Return a row a kind of send: its share now and before as bars, the difference in points, and the counts."""
    n, of = m.answered
    small = {
        "new": _answered(n, of),
        "late": "follow-ups into silence",
        "rest": "in chats that answer, or a first or second try",
    }
    rows = []
    for r in m.kinds.iter_rows(named=True):
        now, before = (parts.share(r[side], r[f"{side}_of"]) for side in ("now", "before"))
        moved = now - before if now is not None and before is not None else None
        rows.append(
            [
                f"<b>{html.text(parts.KINDS[r['kind']])}</b><small>{html.text(small[r['kind']])}</small>",
                _bar(now, "var(--lh-accent)"),
                _bar(before, "var(--lh-r3)"),
                html.text(parts.points(moved)),
                f"{r['now']:,} of {r['now_of']:,}",
                f"{r['before']:,} of {r['before_of']:,}",
            ]
        )
    return rows


def _answered(n: int, of: int) -> str:
    if not of:
        return "none old enough to have been answered"
    if of < parts.THIN_SENDS:
        return f"{n:,} of {of:,} answered"
    return f"{words.percent(n / of)} answered ({n:,} of {of:,})"


def _bar(share: float | None, colour: str) -> str:
    """Return a share as a bar with its number beside it; too few sends give none."""
    if share is None:
        return "too few for a share"
    return (
        '<div style="display:flex;align-items:center;gap:8px">'
        f'<i style="flex:none;height:10px;border-radius:2px;background:{colour};width:{max(2, round(100 * BAR * share))}px"></i>'
        f"<span>{html.text(words.percent(share))}</span></div>"
    )


def opted_out_words(m: parts.Mix) -> str:
    """Return how many sends went to people who had opted out; empty where none did in either period."""
    before, now = m.opted_out
    if not before and not now:
        return ""
    told = words.plural(now, "send") if now else "no send"
    return f"Among them, {told} went to people who had opted out, {before:,} in the period before."
