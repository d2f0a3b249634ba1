"""Messages, chats, chat health and the health timeline in; all signals on one complete line x day (or hour) calendar out."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis.schema import SIGNALS_DAY, SIGNALS_HOUR
from analysis.settings import Settings
from analysis.signals import chat_health as chat_state
from analysis.signals.calendar import Calendar, Grain, spine
from analysis.signals.judged import Judged, judge
from analysis.signals.peaks import highest, on_one_axis
from analysis.signals.reply_rate import rate
from analysis.signals.volume import volume

_KEY = ["line_no", "bucket"]
_COUNTED = [
    "talk", "line_no", "at", "outbound", "failed", "mature", "replied", "opener", "late_turn", "after_opt_out",
]  # fmt: skip
_HOUR, _DAY, _MINUTE = timedelta(hours=1), timedelta(hours=24), timedelta(seconds=60)


def signals(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    spells: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    grain: Grain = "day",
) -> pl.DataFrame:
    """Return every signal of METHOD.md per line and day, or hour.

    Args:
        messages: MESSAGES, any order.
        chats: CHATS, key chat_id.
        chat_health: CHAT_HEALTH, any order; two reports of one instant count as the more severe.
        spells: SPELLS.
        as_of: the latest event time of the store; nothing after it is assumed.
        settings: windows and limits.
        grain: day or hour.

    Returns:
        SIGNALS_DAY, key (line, day), or SIGNALS_HOUR, key (line, hour): each bucket between a line's first and last message; lines
        without a message have no row.
    """
    return counted(
        judge(messages, chats, chat_health, as_of=as_of, settings=settings), spells, settings=settings, grain=grain
    )


def counted(of: Judged, spells: pl.DataFrame, *, settings: Settings, grain: Grain = "day") -> pl.DataFrame:
    """Return the same for messages that are judged already: one judging serves several tables."""
    schema = SIGNALS_DAY if grain == "day" else SIGNALS_HOUR
    if of.messages.is_empty():
        return pl.DataFrame(schema=schema)
    buckets = of.calendar(settings.timezone, grain)
    judged = of.messages.select(_COUNTED).with_columns(bucket=buckets.bucket(of.messages["at"]))
    table = spine(judged)
    for part in (_counts(judged), *_peaks(judged)):
        table = table.join(part, on=_KEY, how="left")
    table = table.with_columns(pl.exclude(*_KEY).fill_null(0)).with_columns(
        reply_rate=rate("replied", "mature"), new_reply_rate=rate("new_replied", "new_mature")
    )
    table = _with_activity(table, judged, of.reports, buckets, settings)
    table = _with_names_and_days(table, of.talks, buckets)
    for kind in ("health", "status"):
        table = _with_state(table, spells, kind)
    return table.select(schema.names()).cast(schema).sort("line", grain)


def _counts(judged: pl.DataFrame) -> pl.DataFrame:
    opener = pl.col("opener")
    return judged.group_by(_KEY).agg(
        **volume(),
        mature=pl.col("mature").sum(),
        replied=pl.col("replied").sum(),
        new_conversations=opener.sum(),
        new_mature=(opener & pl.col("mature")).sum(),
        new_replied=(opener & pl.col("replied")).sum(),
        unanswered_turns=pl.col("late_turn").sum(),
        sends_after_opt_out=pl.col("after_opt_out").sum(),
    )


def _peaks(judged: pl.DataFrame) -> list[pl.DataFrame]:
    sends = on_one_axis(judged.filter("outbound"))
    opening = sends.filter("opener")
    return [
        highest(sends, window=_HOUR, distinct=True, name="peak_recipients_1h"),
        highest(sends, window=_DAY, distinct=True, name="peak_recipients_24h"),
        highest(opening, window=_HOUR, distinct=False, name="peak_new_1h"),
        highest(opening, window=_DAY, distinct=False, name="peak_new_24h"),
        highest(sends, window=_MINUTE, distinct=False, name="peak_sends_60s"),
    ]


def _with_activity(
    table: pl.DataFrame, judged: pl.DataFrame, reports: pl.DataFrame, buckets: Calendar, settings: Settings
) -> pl.DataFrame:
    active = chat_state.activity(judged, reports, calendar=buckets, days=settings.active_days)
    return table.sort("bucket").join_asof(
        active.sort("bucket"), on="bucket", by="line_no", strategy="backward", check_sortedness=False
    )


def _with_names_and_days(table: pl.DataFrame, talks: pl.DataFrame, buckets: Calendar) -> pl.DataFrame:
    """Put lines and times in the place of numbers, and count the days since the line's first one."""
    lines = talks.select("line_no", "line").unique()
    named = table.join(lines, on="line_no").join(buckets.table(), on="bucket")
    first = named.group_by("line_no").agg(_first=pl.col("date").min())
    return named.join(first, on="line_no").with_columns(
        history_days=(pl.col("date") - pl.col("_first")).dt.total_days()
    )


def _with_state(table: pl.DataFrame, spells: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Add the state whose spell covers the last instant of each bucket (the next one's begin less 1 ms); null while unknown."""
    states = spells.filter(pl.col("kind") == kind).select(
        "line", "end_at", pl.col("start_at").fill_null(datetime(1, 1, 1)).alias("_from"), pl.col("state").alias(kind)
    )
    found = table.sort("last").join_asof(
        states.sort("_from"), left_on="last", right_on="_from", by="line", strategy="backward", check_sortedness=False
    )
    covered = pl.col("end_at").is_null() | (pl.col("last") < pl.col("end_at"))
    return found.with_columns(pl.when(covered).then(kind).alias(kind)).drop("end_at", "_from")
