"""Figures of delivery and audience in; the cells of that page's tables, as HTML, out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import polars as pl

from analysis.pages import _codes as codes
from analysis.pages import _delivery as parts
from analysis.pages import _html as html
from analysis.pages import _replies as two
from analysis.pages import _words as words
from analysis.pages._links import chat_link
from analysis.pages._store import Here
from analysis.schema import OPENED_BY

OPENED = [
    ("Who wrote first", False),
    ("Chats begun", True),
    ("Before", True),
    ("Answered", True),
    ("Before", True),
    ("Change, points", True),
    ("Share of sends", True),
]
SERVICE = [
    ("Line", False),
    ("iMessage", True),
    ("Before", True),
    ("Change, points", True),
    ("", False),
]
CODES = [
    ("Code", False),
    ("What it means, what to do", False),
    ("Failed", True),
    ("Before", True),
    ("Delivered after all", True),
    ("Most on", False),
]
STREAK = [("Chat", False), ("Line", False), ("In a row", True), ("Last heard", True), ("Chat health", False)]


def opened(frame: pl.DataFrame) -> list[list[str]]:
    """Return a row for each of who opened the chats: chats begun, replies and sends in both periods."""
    rows = []
    whole = int(frame["sends_now"].sum())
    for r in frame.sort(pl.col("opened_by").replace_strict({k: i for i, k in enumerate(OPENED_BY)})).iter_rows(named=True):  # fmt: skip
        m = parts.moved(r, "replied", "mature")
        now, before = (two.rate_cell(*side) for side in (m.now, m.before))
        begun = r["opened_by"] != "before"
        rows.append(
            [
                f"<b>{html.text(parts.WHO[r['opened_by']])}</b>",
                f"{r['chats_now']:,}" if begun else words.DASH,
                f"{r['chats_before']:,}" if begun else words.DASH,
                _two(*now),
                _two(*before),
                html.text(two.points(m.points)),
                _two(words.percent(two.share(r["sends_now"], whole)), f"{r['sends_now']:,} of {whole:,}"),
            ]
        )
    return rows


def streak_chats(chats: pl.DataFrame, here: Here) -> list[list[str]]:
    """Return a row a chat of CHAT_STATE: its name with the way to it, its line, turns in a row, when the person last wrote, health."""
    return [
        [
            chat_link(r["line"], r["chat_id"]),
            html.text(words.ending(r["line"])),
            f"<b>{r['unanswered']:,}</b>",
            html.text(words.day(r["last_received_at"], here.zone) if r["last_received_at"] else "never wrote"),
            html.badge(r["health"]) if r["health"] else words.DASH,
        ]
        for r in chats.iter_rows(named=True)
    ]


def service_lines(lines: list[tuple[str, parts.Moved]], ways: dict[str, dict[str, str]]) -> list[list[str]]:
    """Return a row a line: its share of iMessage now and before, and the way to Why."""
    rows = []
    for line, m in lines:
        now, before = (two.rate_cell(*side) for side in (m.now, m.before))
        points = html.text(two.points(m.points))
        rows.append(
            [
                f"<b>{html.text(words.line_name(line))}</b>",
                _two(*now),
                _two(*before),
                f"<b>{points}</b>" if m.by(two.MIXED) else points,
                f'<a href="why?{html.text(urlencode(ways[line]))}">{"Why" if "at" in ways[line] else "Look"} →</a>',
            ]
        )
    return rows


def failure_codes(frame: pl.DataFrame, sends: dict[str, int]) -> list[list[str]]:
    """Return a row a code: what it means and what to do, failed in both periods (of all sends), delivered after all, the lines with most."""
    rows = []
    for r in frame.iter_rows(named=True):
        told, do = codes.meaning(r["failure_code"])
        rows.append(
            [
                f"<code>{html.text(r['failure_code'])}</code>",
                _two(told, do),
                _failed(r["failed_now"], sends["now"]),
                _failed(r["failed_before"], sends["before"]),
                f"{r['failed_then_delivered_now']:,}",
                _worst(r),
            ]
        )
    return rows


def _failed(n: int, of: int) -> str:
    rate = two.share(n, of)
    return _two(f"{n:,}", f"{words.percent(rate)} of {of:,}" if rate is not None else f"of {of:,}")


def _worst(r: dict[str, Any]) -> str:
    pairs = zip(r["lines"] or [], r["counts"] or [], strict=True)
    told = [f"<span style='white-space:nowrap'>{html.text(words.ending(line))} ({n:,})</span>" for line, n in pairs]
    return "<br>".join(told) or words.DASH


def _two(shown: str, small: str) -> str:
    return f"{html.text(shown)}<small>{html.text(small)}</small>"


def key(order: list[str]) -> str:
    """Return the names of a stack's parts, each with its blue, by rank."""
    return " &nbsp; ".join(f'<i class="lh-sw lh-k{i}"></i>{html.text(part)}' for i, part in enumerate(order, 1))
