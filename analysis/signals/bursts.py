"""Hours of every line in, bursts of new conversations out: hours in which the openers of 24 h are far above the line's usual day.

A burst is a run of hours in which a line's openers of the last 24 h are at least LEAST_OPENERS and at least TIMES its usual day.
The usual day is the line's mean over its healthy hours of the USUAL_DAYS days before those 24 h, times 24.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

LEAST_OPENERS = 10
"""Fewer openers in 24 h than this are no burst, whatever is usual."""
TIMES = 3.0
"""A burst is at least this many times the line's usual day."""
LEAST_HEALTHY_DAYS = 7
"""Fewer healthy days (of hours) than this before a moment make no usual."""
LEAST_USUAL = 0.5
"""Openers a day: a line that opened fewer has no usual to be measured against."""
USUAL_DAYS = 28
"""Days before the 24 h of which the healthy hours are the usual."""
DAY = timedelta(hours=24)


def with_usual(hours: pl.DataFrame, lines: pl.DataFrame, *, young: int, first_at: datetime) -> pl.DataFrame:
    """Return hours with the openers of 24 h (``day_sum``), the usual day before them, and the least that is a burst; key (line, hour).

    Args:
        hours: SIGNALS_HOUR, or of its columns key, health, history_days and new_conversations.
        lines: line and first_at.
        young: days of history below which a line's chats may only look new.
        first_at: first event of the store: a line seen first much later than this is new itself, and so are its chats.
    """
    calm = (pl.col("history_days") >= young) & ((pl.col("health") == "HEALTHY") | pl.col("health").is_null())
    late = pl.col("first_at") >= first_at + timedelta(days=young)
    span = f"{USUAL_DAYS}d"
    sums = (
        hours.sort("line", "hour")
        .join(lines.select("line", "first_at"), on="line", how="left", maintain_order="left")
        .with_columns(
            place=pl.col("line").rle_id(),  # lines by number: groups of numbers are sooner found than of texts
            calm=calm.cast(pl.Int64),
            counts=(pl.col("history_days") >= young) | late.fill_null(value=False),
        )
        .with_columns(calm_openers=pl.col("calm") * pl.col("new_conversations"))
        .with_columns(
            pl.col("new_conversations").rolling_sum_by("hour", window_size="24h").over("place").alias("day_sum"),
            pl.col("calm").rolling_sum_by("hour", window_size=span).over("place").alias("calm_hours"),
            pl.col("calm_openers").rolling_sum_by("hour", window_size=span).over("place").alias("calm_sum"),
        )
    )
    # a line has a row for every hour, so what was a day before stands a day's rows above
    rows = DAY // timedelta(hours=1)
    same = (pl.col("place").shift(rows) == pl.col("place")) & (pl.col("hour").shift(rows) == pl.col("hour") - DAY)
    mean = 24 * pl.col("opened_before") / pl.col("calm_before")
    known = (pl.col("calm_before") >= LEAST_HEALTHY_DAYS * 24) & (mean >= LEAST_USUAL)
    return (
        sums.with_columns(
            pl.when(same).then(pl.col(now).shift(rows)).alias(before)
            for now, before in (("calm_hours", "calm_before"), ("calm_sum", "opened_before"))
        )
        .with_columns(usual=pl.when(known).then(mean))
        .with_columns(least=pl.max_horizontal(pl.lit(float(LEAST_OPENERS)), TIMES * pl.col("usual").fill_null(0.0)))
        .with_columns(above=(pl.col("day_sum") >= pl.col("least")) & pl.col("counts"))
        .drop("place")
    )


def runs(marked: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the hours of each run above: a run ends when the line was not above for 24 h, so that no two share an opener."""
    above = marked.filter("above")
    fresh = ((pl.col("hour") - pl.col("hour").shift() > DAY) | (pl.col("line") != pl.col("line").shift())).fill_null(
        value=True
    )
    numbered = above.with_columns(run=fresh.cast(pl.Int64).cum_sum())
    return numbered.partition_by("run", maintain_order=True) if numbered.height else []


def stretch(openers: list[int], pace: float) -> tuple[int, int]:
    """Return first and one past last place of the stretch with the most openers beyond a pace an hour, the earliest of equals."""
    best, found, total, begin = float("-inf"), (0, len(openers)), 0.0, 0
    for i, n in enumerate(openers):
        if total <= 0:
            total, begin = 0.0, i
        total += n - pace
        if total > best:
            best, found = total, (begin, i + 1)
    return found
