"""A driver and what is known of a line in, the counts that speak for it out, in words; None where the counts do not show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.explain.words import count, percent, plural

Row = dict[str, Any]


def fact_of(driver: str, row: Row) -> dict[str, Any] | None:
    """Return summary and evidence of a driver at one time, from the counts of HOURLY."""
    return _FACTS[driver](row)


def _engagement(row: Row) -> dict[str, Any] | None:
    late, usual_late = row["late_3d"] / 3, row["usual_late"]
    came, usual = row["received_24h"], row["received_usual"]
    evidence = {"received": round(came), "usual": round(usual, 1), "sends": round(row["sends_24h"])}
    if usual >= 3 and came < 0.8 * usual:
        return {
            "summary": f"{plural(round(came), 'reply', 'replies')} to {plural(round(row['sends_24h']), 'send')} in 24 h, usually {count(usual)}",
            "evidence": evidence,
        }
    if late >= usual_late + 2:
        told = f"{count(late)} third or later unanswered turns a day, usually {count(usual_late)}"
        return {"summary": told, "evidence": {"observed": round(late, 2), "usual": round(usual_late, 2)}}
    if row["ill_chats_rise"] > 0.3 and row["active"]:
        told = f"{count(row['ill'])} of {plural(round(row['active']), 'active chat')} at risk or critical"
        return {"summary": told, "evidence": {"observed": row["ill"], "observed_of": row["active"]}}
    return None


def _deliverability(row: Row) -> dict[str, Any] | None:
    failed, sends = round(row["failed_24h"]), round(row["sends_24h"])
    if failed < 2 or not sends or failed / sends <= row["usual_failed"]:
        return None
    told = f"{count(failed)} of {plural(sends, 'send')} failed in 24 h"
    if sends >= 30:
        told += f", usually {percent(row['usual_failed'])}"
    return {
        "summary": told,
        "evidence": {"observed": failed, "observed_of": sends, "usual": round(row["usual_failed"], 4)},
    }


def _against_usual(seen: str, usual: str, one: str, many: str) -> Callable[[Row], dict[str, Any] | None]:
    def told(row: Row) -> dict[str, Any] | None:
        if row[seen] <= 1.2 * row[usual]:
            return None
        text = f"{plural(round(row[seen]), one, many)} in 24 h, usually {count(row[usual])}"
        return {"summary": text, "evidence": {"observed": row[seen], "usual": round(row[usual], 2)}}

    return told


def _opt_outs(row: Row) -> dict[str, Any] | None:
    n = round(row["after_opt_out_3d"])
    return {"summary": f"{plural(n, 'send')} after an opt-out in 3 days", "evidence": {"observed": n}} if n else None


def _flagged(row: Row) -> dict[str, Any] | None:
    return {"summary": "The carrier flags the line", "evidence": {}} if row["flagged"] else None


def _record(row: Row) -> dict[str, Any] | None:
    n = round(2 ** row["spells"] - 1)
    return (
        {"summary": f"Its own record: {plural(n, 'spell')} of trouble before", "evidence": {"spells": n}} if n else None
    )


_FACTS: dict[str, Callable[[Row], dict[str, Any] | None]] = {
    "engagement": _engagement,
    "deliverability": _deliverability,
    "new_conversations": _against_usual("new_24h", "usual_new", "new conversation", "new conversations"),
    "recipient_spread": _against_usual("sends_24h", "usual_sends", "send", "sends"),
    "send_pace": _against_usual("sends_24h", "usual_sends", "send", "sends"),
    "opt_outs": _opt_outs,
    "flagged": _flagged,
    "unexplained": _record,
}
