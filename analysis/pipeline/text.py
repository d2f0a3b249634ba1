"""Frames and explanations in, text out: JSON records, CSV that is safe in a spreadsheet, and plain sentences."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl

from analysis.pipeline.moments import iso
from analysis.schema import Driver, Explanation


def records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON has them: times ISO 8601 in UTC with milliseconds and Z, days as dates."""
    return [
        {k: iso(v) if isinstance(v, datetime) else v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]


FORMULA, NUMBER = r"^[=+\-@\t\r\n＝＋－＠]", r"^[+-]\d+(\.\d+)?$"
"""How a cell begins that a spreadsheet may run (OWASP, CSV injection), and what it only reads as a number: a line's own +14155550142."""


def safe_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose texts a spreadsheet shows and does not run: an apostrophe stands before what would begin a formula.

    Plain numbers stay as they are, so that lines (E.164) can be read back and joined by other programs.
    """
    texts = [c for c, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(
        pl.when(pl.col(c).str.contains(FORMULA) & ~pl.col(c).str.contains(NUMBER))
        .then("'" + pl.col(c))
        .otherwise(pl.col(c))
        .alias(c)
        for c in texts
    )


def as_csv(frame: pl.DataFrame) -> str:
    """Return a frame as CSV with times as ISO 8601 in UTC, ms, Z; safe to open in a spreadsheet (``safe_cells``)."""
    return safe_cells(frame).write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")


def as_text(e: Explanation) -> str:
    """Return an explanation as plain text, as the command line and "copy as text" show it."""
    began = f"began {e.onset} ({e.lead_hours:g} h before)" if e.onset and e.lead_hours is not None else "no onset found"
    parts = [
        f"{e.line}  {e.at}  {e.previous or 'unknown'} -> {e.new}",
        e.headline,
        f"  {began}; confidence {e.confidence} ({e.confidence_p:.0%})",
    ]
    parts += [
        f"  {d.share:4.0%}{_range(d)}  {d.driver}: {d.summary}{f' ({d.basis})' if d.basis else ''}" for d in e.drivers
    ]
    parts += [f"  {of['text']}" for of in (e.audience, e.peers) if of and of.get("text")]
    parts += [f"  {e.episode['story']}"] if e.episode else []
    parts += [f"  to do: {a['action']}\n         {a['expected_effect']}" for a in e.actions]
    parts += [f"  what if: {w['text']}" for w in e.what_if]
    parts += [f"  chat {c['chat_id']}: {chat_words(c)}" for c in e.chats_to_fix[:5]]
    if e.agreement is not None:
        verdicts = (
            "; ".join(f"{row['vendor_driver']} {row['verdict']}" for row in e.agreement["rows"]) or "names nothing"
        )
        parts.append(f"  the vendor's audit of {e.agreement['at']}: main driver {e.agreement['main']}; {verdicts}")
    parts += [f"  note: {n}" for n in e.notes]
    return "\n".join(parts)


def _range(d: Driver) -> str:
    return (
        f" ({100 * d.share_low:.0f}-{100 * d.share_high:.0f})"
        if d.share_low is not None and d.share_high is not None
        else ""
    )


def chat_words(chat: dict[str, float | int | str | None]) -> str:
    """Return what a chat to fix did, in figures."""
    told = [str(chat["reason"])]
    if int(chat.get("sends") or 0) > int(chat.get("unanswered_turns") or 0):
        told.append(f"{chat['sends']} sends in 7 days")
    for key, word in (
        ("unanswered_turns", "unanswered in a row"),
        ("failed", "failed"),
        ("sends_after_opt_out", "sent after the opt-out"),
    ):
        if chat.get(key):
            told.append(f"{chat[key]} {word}")
    silent = chat.get("silent_hours")
    if silent is None:
        told.append("never wrote")
    elif float(silent) >= 1:
        told.append(
            f"silent for {float(silent) / 24:.1f} days" if float(silent) >= 48 else f"silent for {float(silent):.0f} h"
        )
    if chat.get("chat_health"):
        told.append(
            f"{str(chat['chat_health']).replace('_', ' ').lower()} since {str(chat.get('chat_health_since') or 'an unknown time')[:10]}"
        )
    return ", ".join(told)
