"""Decisions as kept at the newest event in, what they are at a later time by the clock out, without working anything out again.

Nothing is known of what was sent since. On the same day what was left is left; on a new day what counts by day begins again; when the
newest event is too old, or the clock can't be right, nothing new may be opened.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from analysis.explain.words import count, percent, plural
from analysis.settings import Settings

AHEAD_HOURS = 1.0
"""Events later than the clock by more than this: the clock is wrong, and the age of the data not known."""


def is_stale(newest: datetime | None, at: datetime, settings: Settings) -> bool:
    """Say whether the newest event is too old to decide by, or later than the clock."""
    if newest is None:
        return True
    age = at - newest
    return age > timedelta(hours=settings.gate_stale_hours) or age < -timedelta(hours=AHEAD_HOURS)


def at_clock(
    rows: list[dict[str, Any]], *, newest: datetime | None, at: datetime, settings: Settings
) -> list[dict[str, Any]]:
    """Return decisions at a later time.

    Args:
        rows: of GATE, as kept at the newest event.
        newest: the newest event.
        at: UTC; the clock.
        settings: ``gate_*``, and the zone in which a day begins.

    Returns:
        The rows at that time: never more than the day's limits leave.
    """
    stale = is_stale(newest, at, settings)
    new_day = newest is not None and _day(newest, settings) != _day(at, settings)
    same_hour = newest is not None and newest.replace(minute=0, second=0, microsecond=0) == at.replace(
        minute=0, second=0, microsecond=0
    )
    found = []
    for kept in rows:
        row = {**kept, "at": at}
        if new_day:
            row = _next_day(row, settings)
        if not same_hour:
            row["new_left_this_hour"] = min(row["new_recipients_left_today"], settings.gate_new_per_hour)
        if stale:
            row = _too_old(row, newest, at, settings)
        found.append(row)
    return found


def _day(at: datetime, settings: Settings) -> Any:
    return at.replace(tzinfo=UTC).astimezone(settings.zone).date()


def _next_day(row: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return a row on a day of which nothing is known yet: what was used is left again, within the risk."""
    new, sends = row["new_recipients_left_today"], row["sends_left_today"]
    fresh = {**row, "new_today": 0, "sends_today": 0}
    if row["decision"] == "pause":
        return fresh
    by_health = row["health"] != "HEALTHY" or (row["bound"] == "risk" and row["decision"] == "slow" and not new)
    if row["bound"] in ("own", "published", "young") and not by_health:
        # with nothing left the day's own limit is not known any more: what any line may open is
        new = new + row["new_today"] if new else min(row["new_today"], settings.gate_new_per_day, settings.gate_start)
        if row["p_worse_24h"] is not None:
            new = min(new, _within(row["risk_by_new"], settings.gate_risk))
    usual = round(settings.gate_slow_share * (row["usual_sends"] or 0))
    sends = sends + row["sends_today"] if sends else min(row["sends_today"], usual)
    fresh |= {"new_recipients_left_today": min(new, sends), "sends_left_today": sends}
    if by_health:
        return fresh
    decision = "send" if fresh["new_recipients_left_today"] and sends else "slow"
    left = f"{plural(fresh['new_recipients_left_today'], 'new recipient')} and {plural(sends, 'send')}"
    return {
        **fresh,
        "decision": decision,
        "why": f"A new day since the newest event: {left} left, if none was sent yet today.",
    }


@lru_cache(maxsize=10_000)
def _within(risk_by_new: str, risk: float) -> int:
    """Return the most new recipients with which the chance stays within a risk; who asks again does not have it read again."""
    return max((n for n, p in enumerate(json.loads(risk_by_new)) if p <= risk), default=0)


def _too_old(row: dict[str, Any], newest: datetime | None, at: datetime, settings: Settings) -> dict[str, Any]:
    """Return a row that opens nothing: at most as at risk."""
    nothing = {**row, "new_recipients_left_today": 0, "new_left_this_hour": 0}
    if row["decision"] == "pause":
        return nothing
    half = max(0, round(settings.gate_slow_share * (row["usual_sends"] or 0)) - row["sends_today"])
    if newest is None:
        told = "There is no event"
    elif newest > at:
        told = "The newest event is later than this machine's clock"
    else:
        told = f"The newest event is {plural(round((at - newest).total_seconds() / 3600), 'hour')} old"
    why = f"{told}: what was sent since is not known. Open nothing new until newer data is loaded"
    share = f"; {percent(settings.gate_slow_share)} of its usual day at most, {count(half)} sends, to those who answer."
    return {
        **nothing,
        "decision": "slow",
        "bound": "stale",
        "sends_left_today": min(row["sends_left_today"], half),
        "why": why + share,
    }
