"""What a page shows in; the rows behind each card, as its download has them, out: times in UTC, one name for one thing.

The queries of `_counted_sql` give the same rows; a test compares them.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from analysis import pipeline
from analysis.pages import _fleet, _new, _transitions
from analysis.pages import _words as words
from analysis.pages._counted_sql import Raw, literal
from analysis.pages._frames import clipped, trailing
from analysis.pages._store import Here
from analysis.schema import INSTANT, Explanation

WEEK, MONTH = timedelta(days=7), timedelta(days=_fleet.DAYS)
EVER = datetime(1970, 1, 1)


def span(start: datetime | date, end: datetime | date) -> str:
    """Return a period as file names have it."""
    return f"{start:%Y-%m-%d}-to-{end:%Y-%m-%d}"


def named(page: str, card: str, *parts: str) -> str:
    """Return a file's name without its ending: page, card, then line and period where there are such."""
    return "-".join(["linehealth", page, card, *(p for p in parts if p)])


# ------------------------------------------------------------------ Fleet


def tiles(f: _fleet.Fleet, here: Here) -> pl.DataFrame:
    """Return the figures at the head of Fleet: tile, count, of, week_ago, falls_7d; key tile."""
    health, status = Counter(r.health for r in f.rows), Counter(r.status for r in f.rows)
    ends = Counter(e.new for e in f.falls if words.instant(e.at) >= here.as_of - WEEK)
    states = ("CRITICAL", "AT_RISK", "FLAGGED", "HEALTHY")
    rows: list[tuple[str, int, int, int | None, int | None]] = [
        (s, status[s] if s == "FLAGGED" else health[s], len(f.rows), f.week_ago.get(s, 0), ends[s]) for s in states
    ]
    answered = sum(r.numbers.get("replied") or 0 for r in f.rows)
    rows.append(("replies", answered, sum(r.numbers.get("mature") or 0 for r in f.rows), None, None))
    opened = sum(r.gate["new_today"] for r in f.rows if r.gate and r.gate["bound"] not in _fleet.NO_ROOM)
    left = sum(r.gate["new_recipients_left_today"] for r in f.rows if r.gate)
    rows.append(("head-room", opened, opened + left, None, None))
    schema = {"tile": pl.String, "count": pl.Int64, "of": pl.Int64, "week_ago": pl.Int64, "falls_7d": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def lines(rows: list[_fleet.Row], here: Here) -> pl.DataFrame:
    """Return lines as Fleet lists them, in that order: health, figures of 7 days, the last fall and its cause; key line."""
    since = dict(here.lines().select("line", "since").iter_rows())
    told = [
        (
            r.line, r.health, r.status, since.get(r.line), r.numbers.get("replied") or 0, r.numbers.get("mature") or 0,
            r.numbers.get("sends_a_day"), r.numbers.get("new_a_day"), words.instant(r.reason.at) if r.reason else None,
            r.reason.drivers[0].driver if r.reason else None, r.reason.headline if r.reason else None, r.gate.get("new_today"),
            r.gate.get("new_recipients_left_today"),
        )
        for r in rows
    ]  # fmt: skip
    schema = {
        "line": pl.String, "health": pl.String, "status": pl.String, "health_since_utc": INSTANT, "answered": pl.Int64, "counted": pl.Int64,
        "sends_a_day": pl.Float64, "new_a_day": pl.Float64, "last_fall_utc": INSTANT, "main_cause": pl.String, "headline": pl.String,
        "new_today": pl.Int64, "new_recipients_left_today": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(told, schema=schema, orient="row")


def ribbons(here: Here) -> pl.DataFrame:
    """Return the spells of health of all lines in 30 days: line, state, start_utc, end_utc; key (line, start_utc)."""
    held = clipped(here.read(pipeline.spells), here.lines(), since=here.as_of - MONTH, until=here.as_of)
    return held.rename({"start": "start_utc", "end": "end_utc"})


def causes(f: _fleet.Fleet) -> pl.DataFrame:
    """Return falls by main cause, most first: main_driver, falls."""
    counts = Counter(e.drivers[0].driver for e in f.falls)
    rows = sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    return pl.DataFrame(rows, schema={"main_driver": pl.String, "falls": pl.Int64}, orient="row")


# ------------------------------------------------------------------ Why


def of_change(e: Explanation) -> dict[str, Any]:
    """Return what names a change in a query."""
    return {"at": words.instant(e.at), "kind": e.kind}


def change(e: Explanation) -> pl.DataFrame:
    """Return a change as one row."""
    row = {
        "line": e.line, "changed_at_utc": words.instant(e.at), "kind": e.kind, "previous": e.previous, "new": e.new,
        "onset_utc": words.instant(e.onset) if e.onset else None, "lead_hours": e.lead_hours, "main_cause": e.drivers[0].driver,
        "confidence": e.confidence, "confidence_p": e.confidence_p, "headline": e.headline,
    }  # fmt: skip
    return pl.DataFrame([row], schema_overrides={"changed_at_utc": INSTANT, "onset_utc": INSTANT})


def evidence(e: Explanation) -> pl.DataFrame:
    """Return the causes of a change, largest share first; key driver."""
    rows = [
        (
            d.driver, d.share, d.share_low, d.share_high, d.basis, d.summary, d.evidence.get("observed"), d.evidence.get("usual"),
        )
        for d in e.drivers
    ]  # fmt: skip
    numbers = ("share", "share_low", "share_high")
    schema = {"driver": pl.String, **dict.fromkeys(numbers, pl.Float64), "basis": pl.String, "summary": pl.String}
    return pl.DataFrame(
        rows, schema={**schema, "observed": pl.Float64, "usual": pl.Float64}, orient="row", strict=False
    )


def lanes(hours: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """Return what the lanes draw, a row an hour, each the 24 h up to ``at_utc``; key at_utc.

    Args:
        hours: SIGNALS_HOUR of the line.
        start: first end of 24 h.
        end: last.
    """
    return (
        trailing(hours)
        .drop(CHATS, strict=False)  # there they are shares
        .filter(pl.col("at") >= start, pl.col("at") <= end)
        .join(hours.select(*CHATS, at=pl.col("hour") + pl.duration(hours=1)), on="at", how="left")
        .select(
            at_utc="at", health="health", outbound="outbound", counted="mature", answered="replied",
            new_conversations=pl.col("new").cast(pl.Int64), failed="failed", unanswered_turns=pl.col("unanswered").cast(pl.Int64),
            sends_after_opt_out=pl.col("opt_outs").cast(pl.Int64), recipients=pl.col("recipients").cast(pl.Int64),
            chats_active="chats_active", **{c: pl.col(c) for c in CHATS},
        )
    )  # fmt: skip


CHATS = ("chats_at_risk", "chats_critical", "chats_opted_out")


def part(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    """Return parts of an explanation as rows with these columns."""
    told = [tuple(row.get(name) for name in schema) for row in rows]
    return pl.DataFrame(told, schema=schema, orient="row", strict=False)


STEPS = {"action": pl.String, "expected_effect": pl.String, "driver": pl.String}
WHAT_IF = {
    "name": pl.String,
    "sends": pl.Int64,
    **dict.fromkeys(("pressure_before", "pressure_after", "pressure_after_low", "pressure_after_high"), pl.Float64),
}
TO_FIX = {
    "chat_id": pl.String, "reason": pl.String, "driver": pl.String, "sends": pl.Int64, "unanswered_turns": pl.Int64, "silent_hours": pl.Float64,
    "failed": pl.Int64, "sends_after_opt_out": pl.Int64, "chat_health": pl.String, "chat_health_since": pl.String, "last_reply_at": pl.String,
}  # fmt: skip


def days(signals: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """Return days with a counted send: day, sends, answered, counted, reply_rate, health; key day."""
    return (
        signals.filter(pl.col("day") >= start, pl.col("day") <= end, pl.col("mature") > 0)
        .sort("day")
        .select("day", "reply_rate", "health", sends="outbound", answered="replied", counted="mature")
    )


# ------------------------------------------------------------------ New conversations


def gaps(read: list[tuple[_new.Burst, list[float]]]) -> pl.DataFrame:
    """Return gaps between the openers of each burst, closest first; key (line, start_utc)."""
    rows = [
        (b.line, b.start, len(minutes), min(minutes), pl.Series(minutes).median()) for b, minutes in read if minutes
    ]
    schema = {
        "line": pl.String,
        "start_utc": INSTANT,
        "gaps": pl.Int64,
        "smallest_min": pl.Float64,
        "median_min": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("median_min", "line")


def burst_values(here: Here) -> dict[str, Any]:
    """Return what the query of bursts needs: from when hours are read, and what makes a line young."""
    since = _new.period(here, max(_new.PERIODS)).start
    first = here.status["first_at"]
    return {
        "since": since,
        "read_from": since - timedelta(days=30),
        "young": here.settings.young_line_days,
        "first_at": words.instant(first) if first else EVER,
    }


def gap_values(read: list[tuple[_new.Burst, list[float]]], here: Here) -> dict[str, Any]:
    """Return what call and query of gaps need: the bursts as rows, the first one alone, and how old a new chat may be."""
    rows = ", ".join(f"({literal(b.line)}, {literal(b.start)}, {literal(b.end)})" for b, _ in read)
    first = read[0][0]
    grace = int(here.settings.new_chat_grace_hours * 3_600_000)
    return {"bursts": Raw(rows), "grace_ms": grace, "line": first.line, "since": first.start, "until": first.end}


# ------------------------------------------------------------------ Transitions


def troubles(of: list[_transitions.Trouble]) -> pl.DataFrame:
    """Return spells of trouble: line, start_utc, end_utc, days, worst, main_cause, relapse; key (start_utc, line)."""
    rows = [(t.line, t.start, t.end, t.days, t.worst, t.cause, t.relapse) for t in of]
    schema = {
        "line": pl.String, "start_utc": INSTANT, "end_utc": INSTANT, "days": pl.Float64, "worst": pl.String, "main_cause": pl.String,
        "relapse": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def states(rows: list[tuple[str | None, float, int]]) -> pl.DataFrame:
    """Return time in each state: state, line_days, lines."""
    return pl.DataFrame(rows, schema={"state": pl.String, "line_days": pl.Float64, "lines": pl.Int64}, orient="row")


def log(rows: list[Explanation]) -> pl.DataFrame:
    """Return changes as the log has them, newest first; key (line, changed_at_utc, kind)."""
    told = [
        (
            e.line, words.instant(e.at), e.kind, e.previous, e.new, e.drivers[0].driver, e.drivers[0].share, e.confidence, e.confidence_p,
            words.instant(e.onset) if e.onset else None, e.lead_hours, e.headline,
        )
        for e in rows
    ]  # fmt: skip
    schema = {
        "line": pl.String, "changed_at_utc": INSTANT, "kind": pl.String, "previous": pl.String, "new": pl.String, "main_driver": pl.String,
        "share": pl.Float64, "confidence": pl.String, "confidence_p": pl.Float64, "onset_utc": INSTANT, "lead_hours": pl.Float64,
        "headline": pl.String,
    }  # fmt: skip
    return pl.DataFrame(told, schema=schema, orient="row")


def filters(show: list[str], cause: str, find: str) -> Raw:
    """Return the log's filters as conditions of its query."""
    told = ""
    if len(show) == 1:
        told += f"\n  and {'' if show[0] == _transitions.SHOWN[0] else 'not '}worsening"
    if cause:
        driver = next(d for d, word in words.DRIVER_WORDS.items() if word == cause)
        told += f"\n  and main_driver = {literal(driver)}"
    digits = "".join(c for c in find if c.isdigit())
    if digits:
        told += f"\n  and contains(line, {literal(digits)})"
    return Raw(told)
