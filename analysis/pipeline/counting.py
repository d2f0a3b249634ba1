"""An open store and what is due in, the marts that count messages filled out: a group of lines at a time, all of it or what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analysis.pipeline.due import Due
from analysis.pipeline.shards import AT_ONCE, Group, group_of, grouped, shards, side_by_side, whole_lines
from analysis.pipeline.steps import Progress, Step
from analysis.settings import Settings
from analysis.signals import delivery, panel
from analysis.signals.calendar import Calendar, calendar
from analysis.signals.chats import chat_state, moved
from analysis.signals.gaps import SLOT_MINUTES, activity_of
from analysis.signals.judged import judge
from analysis.signals.totals import failure_hours, opening_sends
from analysis.store import marts, read, read_counted, since

_MOST = 500_000
"""Messages of a group: about 0.3 GB while they are judged and counted (measured, analysis/bench); larger ones are not sooner done."""
_FIRSTS_OF = 4_000_000
"""Messages of the lines whose chats' first ones are looked for together: a new query costs more than it saves below."""
_MARTS = ("signal_day", "signal_hour", "chat_state", "delivery_day", "opener", "failure_hour")
Tables = dict[str, pl.DataFrame]


def count_again(con: Any, due: Due, spells: pl.DataFrame, *, as_of: Any, settings: Settings, tell: Progress) -> None:
    """Fill the marts that count messages, so that they are what a count of everything would give.

    Args:
        con: a store open for writing.
        due: of ``due.due``.
        spells: SPELLS.
        as_of: the latest event.
        settings: see Settings.
        tell: is told how far it is.
    """

    def counted(group: Group, moved_here: pl.DataFrame) -> Tables:
        messages, chats, health, born = group
        judged = judge(messages, chats, health, as_of=as_of, settings=settings, also=delivery.ALSO, born=born)
        states = chat_state(judged, chats, settings=settings, moved_here=moved_here)
        return {
            "signal_day": panel.counted(judged, spells, settings=settings, grain="day"),
            "signal_hour": panel.counted(judged, spells, settings=settings, grain="hour"),
            "chat_state": states,
            "delivery_day": delivery.delivery_day(judged, states, settings=settings),
            "opener": opening_sends(judged),
            "failure_hour": failure_hours(messages),
        }

    def told(share: float) -> None:
        tell(Step("signals", done=share))

    if due.whole:
        _all(con, counted, told)
    elif due.wanted.height:
        _new(con, due, counted, told)
    if due.arrived.height:
        _arrived(con, due.arrived, as_of, settings)
    if not due.whole:
        since.refill_activity(con, due.activity, minutes=SLOT_MINUTES)
    since.last_events(con)


def _all(con: Any, counted: Callable[[Group, pl.DataFrame], Tables], told: Callable[[float], None]) -> None:
    sizes = read_counted.line_sizes(con)
    firsts = read_counted.shared_firsts(con, shards(sizes, most=_FIRSTS_OF))
    read_counted.keep_moved(con, map(moved, firsts))
    groups = whole_lines(con, sizes, told, most=_MOST, columns=read_counted.COUNTED)
    with_moved = ((group, read_counted.moved_on(con, group.messages["line"].unique().to_list())) for group in groups)
    for name in _MARTS:
        marts.clear(con, name)
    since.clear_activity(con)
    # a group's rows go into the store at once: to hold those of all took 200 MB a million messages, as they keep alive what they were cut from
    for tables, activity in side_by_side(
        with_moved,
        lambda given: (counted(*given), activity_of(given[0].messages)),
        size=lambda given: given[0].size,
        most=AT_ONCE * _MOST,
    ):
        for name, frame in tables.items():
            marts.add(con, name, frame)
        since.add_activity(con, activity)
    read_counted.forget_moved(con)
    since.line_totals(con, wanted_only=False)


def _new(con: Any, due: Due, counted: Callable[[Group, pl.DataFrame], Tables], told: Callable[[float], None]) -> None:
    groups = grouped(since.want(con, due.wanted, due.chats), most=_MOST)
    since.line_totals(con, wanted_only=True)
    born = _born(con, due)
    others = since.moved_as_kept(con).join(due.asked, on=["line", "chat_id"], how="anti")
    moved_here = pl.concat([due.moved, others])
    chats, chat_health = since.chats(con), since.chat_health(con)

    def read_groups() -> Iterator[Group]:
        for number, lines in enumerate(groups, start=1):
            yield group_of(since.messages(con, lines), chats, chat_health, born)
            told(number / len(groups))

    since.clear_since(con)
    for tables in side_by_side(
        read_groups(), lambda group: counted(group, moved_here), size=lambda group: group.size, most=AT_ONCE * _MOST
    ):
        for name, frame in tables.items():
            since.add_since(con, name, frame)
    since.done(con)


def _born(con: Any, due: Due) -> pl.DataFrame:
    """Return of each wanted line: first_at, its first message, and since, from when on its rows are wanted."""
    return read.line_firsts(con).join(due.wanted.select("line", "since"), on="line")


def _arrived(con: Any, since_when: pl.DataFrame, as_of: datetime, settings: Settings) -> None:
    """Find again how many sends arrived, on each line from the day on on which it sent one of which a receipt came later."""
    days = calendar(since_when["since"].min(), as_of, zone=settings.timezone, grain="day")  # type: ignore[arg-type]
    bucket = days.bucket(since_when["since"])
    first = since_when.select(
        "line", "since", first_day=days.dates.gather(bucket), first_date=pl.col("since").dt.date()
    )
    from_when = first.with_columns(
        since=pl.min_horizontal(days.begins.gather(bucket), pl.col("since").dt.truncate("1d"))
    )
    names = first["line"].to_list()
    local, by_day = [], []
    for lines in grouped(dict.fromkeys(names, 0) | read.message_counts(con, names), most=_MOST):
        here = from_when.filter(pl.col("line").is_in(lines))
        sends = since.sends(con, here.select("line", "since")).join(first.drop("since"), on="line")
        local.append(_on_time(sends, days))
        by_day.append(_late(sends))
    since.tell_arrived(con, pl.concat(local), pl.concat(by_day))


def _on_time(sends: pl.DataFrame, days: Calendar) -> pl.DataFrame:
    """Return how many sends arrived by day of the store's zone, as ``since.tell_arrived`` takes them."""
    return (
        sends.with_columns(day=days.dates.gather(days.bucket(sends["at"])))
        .filter(~pl.col("told_failed"), pl.col("day") >= pl.col("first_day"))
        .group_by("line", "day", "opened_by", "service")
        .agg(delivered=pl.col("received").sum())
    )


def _late(sends: pl.DataFrame) -> pl.DataFrame:
    """Return how many sends arrived by UTC day, and how late, as ``since.tell_arrived`` takes them."""
    late = pl.col("delivered_at") - pl.col("at")
    return (
        sends.group_by("line", "first_date", day=pl.col("at").dt.date())
        .agg(
            pl.col("received").sum(),
            received_1h=(late > timedelta(hours=1)).sum(),
            received_24h=(late > timedelta(hours=24)).sum(),
        )
        .filter(pl.col("day") >= pl.col("first_date"))
    )
