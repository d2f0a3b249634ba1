"""What Ahead, Data, Delivery and the chats show in; the rows behind each of their cards, as its download has them, out.

As in `_figures`: times in UTC, one name for one thing, and the queries of `_counted_sql` give the same rows; a test compares them.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.pages import _ahead, _chat
from analysis.pages import _delivery as delivery
from analysis.pages._counted_sql import Raw, literal
from analysis.pages._replies import Window

RATE = {"mature": "counted", "replied": "answered"}


# ------------------------------------------------------------------ Ahead


def gate(gate: pl.DataFrame, show: list[str], find: str) -> pl.DataFrame:
    """Return GATE as the table is filtered, without the curve of risk; key line.

    Args:
        gate: GATE.
        show: decisions, all where empty.
        find: digits of a line.
    """
    kept = gate.filter(pl.col("decision").is_in(show)) if show else gate
    return (
        kept.filter(pl.col("line").str.contains(_ahead.digits(find), literal=True))
        .drop("risk_by_new")
        .rename({"at": "as_of_utc"})
    )


def gate_filters(show: list[str], find: str) -> Raw:
    """Return the same filters as conditions of its query."""
    told = f"\n  and decision in ({', '.join(literal(d) for d in show)})" if show else ""
    found = _ahead.digits(find)
    return Raw(told + (f"\n  and contains(line, {literal(found)})" if found else ""))


def forecast(forecast: pl.DataFrame) -> pl.DataFrame:
    """Return FORECAST; key line."""
    return forecast.rename({"at": "as_of_utc"})


def plan(rows: pl.DataFrame) -> pl.DataFrame:
    """Return PLAN; key (day_ahead, line)."""
    return rows.rename({"day": "day_ahead", "most": "most_new", "p_worse_24h": "p_worse_24h_with"})


def replay(rows: pl.DataFrame) -> pl.DataFrame:
    """Return REPLAY; key (line, hour_utc)."""
    return rows.rename({"hour": "hour_utc", "p_before": "p_as_it_was", "p_after": "p_with_rule"})


def record(rests: dict[str, Any]) -> pl.DataFrame:
    """Return what past forecasts told and what came, in tenths of equal size: horizon_hours, told, came, forecasts."""
    horizons = (rests.get("record") or {}).get("horizons", {})
    rows = [(int(h), b["told"], b["came"], b["n"]) for h, of in horizons.items() for b in of["reliability"]]
    schema = {"horizon_hours": pl.Int64, "told": pl.Float64, "came": pl.Float64, "forecasts": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def alerts(record: dict[str, Any]) -> pl.DataFrame:
    """Return how right alerts would have been by level; key alert_level."""
    names = {
        "level": "alert_level", "in_force": "in_force", "alerts": "alerts", "right": "alerts_right", "false": "alerts_false",
        "false_a_month": "false_a_line_month", "worsenings": "falls_tried", "told": "falls_told", "lead_hours": "told_hours_ahead",
    }  # fmt: skip
    rows = [{new: row[old] for old, new in names.items()} for row in record["levels"]]
    counts = dict.fromkeys(("alerts", "alerts_right", "alerts_false", "falls_tried", "falls_told"), pl.Int64())
    types = {"in_force": pl.Boolean(), **counts}
    return pl.DataFrame(rows, schema={name: types.get(name, pl.Float64()) for name in names.values()})


# ------------------------------------------------------------------ Data

SOURCE = {"path": "file", "kind": "file_kind", "first_at": "first_event_utc", "last_at": "last_event_utc"}


def gaps(gaps: pl.DataFrame) -> pl.DataFrame:
    """Return GAPS; key (line, start_utc)."""
    return gaps.select("line", "expected", "by_chance_a_year", start_utc="start_at", end_utc="end_at")


def fresh(fresh: pl.DataFrame) -> pl.DataFrame:
    """Return FRESHNESS; key line."""
    return fresh.rename(
        {
            "last_message": "last_message_utc",
            "last_event": "last_event_utc",
            "last_change": "last_report_utc",
            "silent_hours": "line_silent_hours",
        }
    )


def refused(rows: pl.DataFrame) -> pl.DataFrame:
    """Return refused rows; key (file, position) but for rows refused twice."""
    return rows.rename({"source": "file", "kind": "row_kind", "reason": "refused_because", "loaded_at": "loaded_utc"})


def late(files: pl.DataFrame, counts: tuple[str, ...]) -> pl.DataFrame:
    """Return files with counts and how late their events came; key file."""
    return files.select("path", "kind", *counts, "first_at", "last_at", "timed", "late_1h", "late_24h").rename(SOURCE)


def receipts(delays: pl.DataFrame) -> pl.DataFrame:
    """Return DELAYS; key line."""
    return delays.rename({"received": "with_receipt", "received_1h": "delivered_1h_late", "received_24h": "delivered_24h_late"})  # fmt: skip


def sources(files: pl.DataFrame) -> pl.DataFrame:
    """Return files loaded; key file."""
    return files.rename({**SOURCE, "loaded_at": "loaded_utc"})


# ------------------------------------------------------------------ Delivery and audience


def of_sides(told: pl.DataFrame, w: Window, *key: str) -> pl.DataFrame:
    """Return DELIVERY_DAY summed over both periods; key ``key``."""
    return counted_sides(delivery.sides(told, w, *key))


def counted_sides(frame: pl.DataFrame) -> pl.DataFrame:
    """Return counts of two periods under the names that files have."""
    return frame.rename({f"{a}_{side}": f"{b}_{side}" for a, b in RATE.items() for side in ("now", "before")})


def chats(states: pl.DataFrame) -> pl.DataFrame:
    """Return CHAT_STATE; key (line, chat_id)."""
    return states.rename(
        {
            **RATE,
            "first_at": "first_message_utc",
            "last_sent_at": "last_sent_utc",
            "last_received_at": "last_received_utc",
            "health": "chat_health",
            "health_at": "chat_health_since_utc",
        }
    )


# ------------------------------------------------------------------ Chats


def events(messages: pl.DataFrame) -> pl.DataFrame:
    """Return what the timeline draws, of the chat's last messages: message_id, event, event_utc, failure_code, in order of time."""
    last = messages.tail(_chat.MOST_DRAWN)
    sent = pl.col("direction") == "outbound"
    code = pl.col("failure_code")
    parts = [
        last.select("message_id", pl.when(sent).then(pl.lit("Sent")).otherwise(pl.lit("Received")).alias("event"), event_utc="at"),
        *(
            last.filter(sent, pl.col(column).is_not_null()).select("message_id", pl.lit(word).alias("event"), event_utc=column)
            for column, word in (("delivered_at", "Delivered"), ("read_at", "Read"))
        ),
        last.filter(sent, pl.col("failed_at").is_not_null()).select("message_id", pl.lit("Failed").alias("event"), code, event_utc="failed_at"),
    ]  # fmt: skip
    told = pl.concat(parts, how="diagonal").sort("event_utc", maintain_order=True)
    return told.select("message_id", "event", "event_utc", "failure_code")


def messages(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the messages of a chat, newest first; key message_id."""
    times = {f"{name}_utc": f"{name}_at" for name in ("delivered", "read", "failed")}
    return messages.reverse().select(
        "message_id", "line", "chat_id", "direction", _chat.outcome().alias("outcome"), "failure_code", "service", "unanswered",
        sent_utc="at", **times,
    )  # fmt: skip


def chat_health(reports: pl.DataFrame) -> pl.DataFrame:
    """Return the health of a chat as it became known; key (chat_id, known_utc)."""
    return reports.rename({"at": "known_utc", "health": "chat_health"})


def day(chats: pl.DataFrame) -> pl.DataFrame:
    """Return the chats of a line's day; key chat_id."""
    return chats.rename({"first_at": "first_that_day_utc", "last_at": "last_that_day_utc", "health": "chat_health"})
