"""Messages, chats, chat health and the health timeline in; all signals on one complete line x day (or hour) calendar out."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis.schema import SIGNALS_DAY, SIGNALS_HOUR
from analysis.settings import Settings
from analysis.signals import chat_health as chat_state
from analysis.signals.calendar import Calendar, Grain, spine
from analysis.signals.new_conversations import openers
from analysis.signals.peaks import highest, sliding
from analysis.signals.reply_rate import fates, rate
from analysis.signals.turns import late_turns

_HOUR, _DAY, _MINUTE = timedelta(hours=1), timedelta(hours=24), timedelta(seconds=60)
_COUNTS = (
    "outbound", "inbound", "failed", "mature", "replied", "new_conversations", "new_mature", "new_replied", "recipients", "peak_recipients_1h",
    "peak_recipients_24h", "peak_new_1h", "peak_new_24h", "peak_sends_60s", "unanswered_turns", "sends_after_opt_out",
)  # fmt: skip
_STATES = ("chats_active", "chats_at_risk", "chats_critical", "chats_opted_out")


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
        SIGNALS_DAY, key (line, day), or SIGNALS_HOUR, key (line, hour): each bucket between a line's first and last message.
    """
    schema = SIGNALS_DAY if grain == "day" else SIGNALS_HOUR
    if messages.is_empty():
        return pl.DataFrame(schema=schema)
    calendar = Calendar(grain, settings.timezone)
    health = chat_state.worst_at_an_instant(chat_health)
    judged = _judged(messages, chats, health, as_of=as_of, settings=settings).with_columns(
        bucket=calendar.bucket(pl.col("at"))
    )
    days = spine(judged)
    counted = _counts(judged)
    for name, part in _peaks(judged).items():
        counted = counted.join(part, on=["line", "bucket"], how="left").with_columns(pl.col(name).fill_null(0))
    table = days.join(counted, on=["line", "bucket"], how="left").with_columns(pl.col(c).fill_null(0) for c in _COUNTS)
    table = _with_activity(table, judged, health, calendar, settings)
    table = table.with_columns(
        _end=calendar.end(), reply_rate=rate("replied", "mature"), new_reply_rate=rate("new_replied", "new_mature")
    )
    table = _with_history(table, judged, settings)
    for kind in ("health", "status"):
        table = _with_state(table, spells, kind)
    return calendar.key(table).select(schema.names()).cast(schema).sort("line", grain)


def _judged(
    messages: pl.DataFrame, chats: pl.DataFrame, health: pl.DataFrame, *, as_of: datetime, settings: Settings
) -> pl.DataFrame:
    """Return messages in order with what each one is: mature, replied, opener, late turn, after an opt-out."""
    columns = ["message_id", "line", "chat_id", "direction", "at", "failed"]
    ordered = messages.select(columns).sort(
        "chat_id", "at", "direction", "message_id", descending=[False, False, True, False]
    )
    window = timedelta(hours=settings.reply_window_hours)
    judged = fates(ordered, window=window, as_of=as_of)
    judged = openers(judged, chats, grace=timedelta(hours=settings.new_chat_grace_hours))
    judged = late_turns(judged, gap=timedelta(minutes=settings.turn_gap_minutes), late=settings.late_turn)
    return chat_state.after_opt_out(judged, health)


def _counts(judged: pl.DataFrame) -> pl.DataFrame:
    outbound = pl.col("direction") == "outbound"
    return judged.group_by("line", "bucket").agg(
        outbound=outbound.sum(),
        inbound=(~outbound).sum(),
        failed=pl.col("failed").sum(),
        mature=pl.col("mature").sum(),
        replied=pl.col("replied").sum(),
        new_conversations=pl.col("opener").sum(),
        new_mature=(pl.col("opener") & pl.col("mature")).sum(),
        new_replied=(pl.col("opener") & pl.col("replied")).sum(),
        recipients=pl.col("chat_id").filter(outbound).n_unique(),
        unanswered_turns=pl.col("late_turn").sum(),
        sends_after_opt_out=pl.col("after_opt_out").sum(),
    )


def _peaks(judged: pl.DataFrame) -> dict[str, pl.DataFrame]:
    sends = judged.filter(pl.col("direction") == "outbound").select("line", "chat_id", "at", "bucket", "opener")
    opening = sends.filter("opener")
    return {
        "peak_recipients_1h": highest(sends, sliding(sends, window=_HOUR, by="chat_id"), "peak_recipients_1h"),
        "peak_recipients_24h": highest(sends, sliding(sends, window=_DAY, by="chat_id"), "peak_recipients_24h"),
        "peak_new_1h": highest(opening, sliding(opening, window=_HOUR, by=None), "peak_new_1h"),
        "peak_new_24h": highest(opening, sliding(opening, window=_DAY, by=None), "peak_new_24h"),
        "peak_sends_60s": highest(sends, sliding(sends, window=_MINUTE, by=None), "peak_sends_60s"),
    }


def _with_activity(
    table: pl.DataFrame, judged: pl.DataFrame, health: pl.DataFrame, calendar: Calendar, settings: Settings
) -> pl.DataFrame:
    active = chat_state.activity(judged, health, calendar=calendar, days=settings.active_days)
    return (
        table.sort("bucket")
        .join_asof(active.sort("bucket"), on="bucket", by="line", strategy="backward", check_sortedness=False)
        .with_columns(pl.col(c).fill_null(0) for c in _STATES)
    )


def _with_history(table: pl.DataFrame, judged: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    days = Calendar("day", settings.timezone)
    first = judged.group_by("line").agg(_first=days.bucket(pl.col("at").min()))
    return (
        table.join(first, on="line", how="left")
        .with_columns(history_days=days.bucket(pl.col("_end")) - pl.col("_first"))
        .drop("_first")
    )


def _with_state(table: pl.DataFrame, spells: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Add the state whose spell covers the last instant of each bucket; null while unknown."""
    states = spells.filter(pl.col("kind") == kind)
    if states.is_empty():
        return table.with_columns(pl.lit(None, dtype=pl.String).alias(kind))
    begins = (
        states.with_columns(_from=pl.col("start_at").fill_null(datetime(1, 1, 1)))
        .sort("_from", "end_at")
        .select("line", "_from", "end_at", pl.col("state").alias(kind))
    )
    found = table.sort("_end").join_asof(
        begins, left_on="_end", right_on="_from", by="line", strategy="backward", check_sortedness=False
    )
    covered = pl.col("end_at").is_null() | (pl.col("_end") < pl.col("end_at"))
    return found.with_columns(pl.when(covered).then(kind).alias(kind)).drop("end_at", "_from", strict=False)
