"""Frames of the pipeline in, frames of the charts out: windows, trailing sums, usual ranges and clipped spells, nothing drawn.

The rules that live here: a lane shows the 24 h (or 7 days) up to the end of each hour, and a line's usual is the 10th to the
90th percentile of its own healthy hours in the 28 days before.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from analysis.pages._words import wall

USUAL_DAYS = 28
LEAST_USUAL_HOURS = 72
LOW, HIGH = 0.1, 0.9


def ms(at: datetime, zone: ZoneInfo) -> float:
    """Return an instant as ms of the wall clock of a zone, which is what charts draw."""
    local = wall(at, zone)
    return (local.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() * 1000


def ms_of_day(day: date) -> float:
    """Return the begin of a day of the zone as charts draw it, which is by the wall clock."""
    return (datetime(day.year, day.month, day.day) - datetime(1970, 1, 1)).total_seconds() * 1000


def wall_ms(column: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Return the same for a column of UTC instants."""
    local = column.dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone)).dt.replace_time_zone(None)
    return local.dt.epoch("ms").cast(pl.Float64)


def clipped(
    spells: pl.DataFrame, first_at: pl.DataFrame, *, since: datetime, until: datetime, kind: str = "health"
) -> pl.DataFrame:
    """Return spells of one kind inside [since, until]: line, state, start, end; key (line, start).

    Args:
        spells: SPELLS.
        first_at: line and first_at, when a line was first seen: an open start begins there.
        since: start of the window.
        until: end of the window; an open end is cut there.
        kind: "health" or "status".
    """
    return (
        spells.filter(pl.col("kind") == kind)
        .join(first_at.select("line", "first_at"), on="line", how="left")
        .select(
            "line",
            "state",
            start=pl.max_horizontal(pl.coalesce("start_at", "first_at", pl.lit(since)), pl.lit(since)),
            end=pl.min_horizontal(pl.coalesce("end_at", pl.lit(until)), pl.lit(until)),
        )
        .filter(pl.col("start") < pl.col("end"))
        .sort("line", "start")
    )


def trailing(hours: pl.DataFrame) -> pl.DataFrame:
    """Return SIGNALS_HOUR of one line as what each lane draws, at the end of each hour, key at.

    Counts are sums over the 24 h up to ``at``; rates are the ratio of two such sums and null where nothing was counted.
    ``recipients`` is the largest number in any 24 h that ended with a send of that hour, null in hours without a send.
    """
    hours = hours.sort("hour")
    sums = ("outbound", "mature", "replied", "new_conversations", "failed", "unanswered_turns", "sends_after_opt_out")
    active = pl.col("chats_active")
    return (
        hours.with_columns(pl.col(name).rolling_sum_by("hour", window_size="24h").alias(name) for name in sums)
        .select(
            at=pl.col("hour") + pl.duration(hours=1),
            health="health",
            outbound="outbound",
            mature="mature",
            replied="replied",
            failed="failed",
            replies=_ratio("replied", "mature"),
            sends=pl.col("outbound").cast(pl.Float64),
            answered=pl.col("replied").cast(pl.Float64),
            new=pl.col("new_conversations").cast(pl.Float64),
            failures=_ratio("failed", "outbound"),
            unanswered=pl.col("unanswered_turns").cast(pl.Float64),
            opt_outs=pl.col("sends_after_opt_out").cast(pl.Float64),
            recipients=pl.when(pl.col("peak_recipients_24h") > 0).then(pl.col("peak_recipients_24h").cast(pl.Float64)),
            chats_active="chats_active",
            chats_bad=pl.when(active > 0).then((pl.col("chats_at_risk") + pl.col("chats_critical")) / active),
            chats_critical=pl.when(active > 0).then(pl.col("chats_critical") / active),
            chats_any=pl.when(active > 0).then(
                (pl.col("chats_at_risk") + pl.col("chats_critical") + pl.col("chats_opted_out")) / active
            ),
        )
        .sort("at")
    )


def _ratio(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def healthy_before(frame: pl.DataFrame, at: str, before: datetime) -> pl.DataFrame:
    """Return rows of the 28 days before a moment in which the line was healthy, or its health not yet known."""
    return frame.filter(
        pl.col(at) <= before,
        pl.col(at) > before - timedelta(days=USUAL_DAYS),
        (pl.col("health") == "HEALTHY") | pl.col("health").is_null(),
    )


def usual_range(rows: pl.DataFrame, name: str) -> tuple[float, float] | None:
    """Return the 10th and 90th percentile of a column, or None where too few hours are known to call anything usual."""
    values = rows[name].drop_nulls()
    if len(values) < LEAST_USUAL_HOURS:
        return None
    low, high = values.quantile(LOW, "linear"), values.quantile(HIGH, "linear")
    return (float(low), float(high)) if low is not None and high is not None else None


def last_days(days: pl.DataFrame, n: int, as_of: datetime, zone: ZoneInfo) -> pl.DataFrame:
    """Return day rows of the last n days up to as_of, that day included."""
    today = wall(as_of, zone).date()
    return days.filter(pl.col("day") > today - timedelta(days=n), pl.col("day") <= today)


def fleet_numbers(days: pl.DataFrame, as_of: datetime, zone: ZoneInfo) -> pl.DataFrame:
    """Return per line what the fleet's rows show: replies of 7 days with counts, a day's sends and openers, 30 days of rates.

    ``rates`` holds one rate a day, oldest first, null on days without a counted send; ``low`` and ``high`` are the usual of
    healthy days with at least five counted sends. Key line.
    """
    week, month = last_days(days, 7, as_of, zone), last_days(days, 30, as_of, zone)
    usual = (
        days.filter(pl.col("mature") >= 5, (pl.col("health") == "HEALTHY") | pl.col("health").is_null())
        .group_by("line")
        .agg(
            low=pl.col("reply_rate").quantile(LOW, "linear"),
            high=pl.col("reply_rate").quantile(HIGH, "linear"),
            known=pl.len(),
        )
        .with_columns(pl.when(pl.col("known") >= 7).then(pl.col(c)).alias(c) for c in ("low", "high"))
    )
    return (
        week.group_by("line")
        .agg(
            mature=pl.col("mature").sum(),
            replied=pl.col("replied").sum(),
            sends_a_day=pl.col("outbound").mean(),
            new_a_day=pl.col("new_conversations").mean(),
        )
        .join(
            month.sort("line", "day").group_by("line", maintain_order=True).agg(rates=pl.col("reply_rate")),
            on="line",
            how="full",
            coalesce=True,
        )
        .join(usual.select("line", "low", "high"), on="line", how="left")
        .sort("line")
    )
