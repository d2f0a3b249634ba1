"""A store in, the path from line to day to chat to message out, and what became of the sends: marts, one line's day, or one chat."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from analysis.errors import UsageError
from analysis.pipeline.moments import When, moment, now
from analysis.pipeline.opened import Where, reading, settings_in
from analysis.signals.calendar import calendar
from analysis.signals.turns import late_turns
from analysis.signals.volume import in_order, talks
from analysis.store import read, read_detail


def deliveries(
    store: Where = None, *, line: str | None = None, since: date | None = None, until: date | None = None
) -> pl.DataFrame:
    """Return what became of the sends on days in [since, until): DELIVERY_DAY, key (line, day, opened_by, service, failure_code).

    Example:
        >>> sends = lh.deliveries(line="+13125550103")
        >>> sends["failed"].sum() <= sends["sends"].sum()
        True
    """
    with reading(store) as con:
        return read_detail.deliveries(con, line=line, since=since, until=until)


def chat_states(
    store: Where = None,
    *,
    line: str | None = None,
    chat_id: str | None = None,
    active: bool = False,
    least_unanswered: int | None = None,
    most: int | None = None,
    as_of: When = None,
) -> pl.DataFrame:
    """Return how chats stand at the end of the data: CHAT_STATE, key (line, chat_id).

    Args:
        store: path of the store.
        line: of this line only.
        chat_id: this chat only.
        active: only chats with a message in the last ``active_days`` days (a setting) up to as_of.
        least_unanswered: only chats with at least so many unanswered turns in a row.
        most: at most so many, those with the longest streaks first.
        as_of: the latest event time, where it is known already; finding it looks at every message.

    Example:
        >>> silent = lh.chat_states(line="+13125550103", least_unanswered=3)
        >>> silent["unanswered"].min()
        3
    """
    with reading(store) as con:
        return read_detail.chat_states(
            con,
            line=line,
            chat_id=chat_id,
            active_since=_active_since(con, as_of) if active else None,
            least_unanswered=least_unanswered,
            most=most,
        )


def streaks(store: Where = None, *, as_of: When = None) -> pl.DataFrame:
    """Return how many active chats have how many unanswered turns in a row: line, unanswered, chats; key (line, unanswered).

    as_of: the latest event time, where it is known already; finding it looks at every message.

    Example:
        >>> lh.streaks().columns
        ['line', 'unanswered', 'chats']
    """
    with reading(store) as con:
        return read_detail.streaks(con, active_since=_active_since(con, as_of))


def opened(store: Where = None, *, since: date, until: date) -> pl.DataFrame:
    """Return how many chats were first seen on days in [since, until), by line and who opened them: line, opened_by, chats."""
    with reading(store) as con:
        zone = settings_in(con).timezone
        return read_detail.opened(con, since=_begin(since, zone), until=_begin(until, zone))


def openers_within(store: Where = None, *, spans: Iterable[tuple[str, datetime, datetime]]) -> pl.DataFrame:
    """Return when conversations were opened in many spans at once: line, start, at; in order of these.

    spans: line, start and end (UTC, not included) of each. ``openers`` tells more of a single span.
    """
    with reading(store) as con:
        return read_detail.openers_within(con, spans)


def chats_on(store: Where = None, *, line: str, day: date) -> pl.DataFrame:
    """Return the chats of a line with a message on a day of the store's zone, most sends first; key chat_id.

    ``sends``, ``received``, ``failed``, ``first_at``, ``last_at`` and ``is_new`` are of that day; ``opened_by``, ``unanswered`` and
    ``health`` are how the chat stands now.

    Example:
        >>> from datetime import date
        >>> opened = lh.chats_on(line="+13125550103", day=date(2026, 10, 13))
        >>> opened["is_new"].sum() > 50  # the burst that made the line AT_RISK
        True
    """
    with reading(store) as con:
        zone = settings_in(con).timezone
        begin, end = _begin(day, zone), _begin(day + timedelta(days=1), zone)
        return read_detail.chats_between(con, line=line, since=begin, until=end)


def chat_messages(store: Where = None, *, line: str, chat_id: str) -> pl.DataFrame:
    """Return the messages of one chat (metadata only), oldest first: MESSAGES with ``unanswered``, turns in a row up to and with each.

    Example:
        >>> chat = lh.chat_states(line="+13125550103", least_unanswered=3, most=1)["chat_id"].item()
        >>> lh.chat_messages(line="+13125550103", chat_id=chat)["unanswered"].max() >= 3
        True
    """
    if not chat_id:
        raise UsageError("chat_messages needs a chat", where="chat_messages")
    with reading(store) as con:
        told = read.messages(con, line=line, chat_id=chat_id)
        gap = timedelta(minutes=settings_in(con).turn_gap_minutes)
    counted = late_turns(in_order(told, talks(told)), gap=gap, late=1)
    return told.with_columns(counted["unanswered"])


def chat_health(store: Where = None, *, chat_id: str | None = None) -> pl.DataFrame:
    """Return chat health as it became known: CHAT_HEALTH, key (chat_id, at).

    Example:
        >>> known = lh.chat_health()
        >>> sorted(set(known["health"]))
        ['AT_RISK', 'CRITICAL', 'HEALTHY', 'OPTED_OUT']
    """
    with reading(store) as con:
        return read.chat_health(con, chat_id=chat_id)


def _active_since(con: Any, as_of: When) -> datetime:
    return (moment(as_of) or read.newest(con) or now()) - timedelta(days=settings_in(con).active_days)


def _begin(day: date, zone: str) -> datetime:
    """Return the instant at which a day of a zone begins, as `calendar` cuts it."""
    noon = datetime(day.year, day.month, day.day, 12)
    days = calendar(noon, noon, zone=zone, grain="day")
    return days.begins.filter(days.dates == day).item()
