"""What a merge changed in, what has to be counted again out: lines, each from the first day that may come out otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analysis.settings import Settings
from analysis.signals.calendar import calendar
from analysis.signals.chats import moved
from analysis.store import read, since
from analysis.store.since import SINCE, WANTED
from analysis.store.touched import EVER, Touched

_WINDOW = timedelta(hours=25)
"""The longest sliding window, and an hour for a clock put back."""


@dataclass(frozen=True)
class Due:
    """What to make again.

    Args:
        whole: all of it, from scratch.
        wanted: WANTED, where not.
        chats: chats to make again whatever their last message.
        moved: chats of the people of these that were moved from another line: line, chat_id.
        asked: the chats of which ``moved`` tells.
        activity: line, since: from when on its events are to be looked at again.
        arrived: line, since: sends from when on are to be looked at again for when they arrived, and for nothing else.
        earliest: the earliest instant of which anything new was told; None where nothing was.
        asks: line to the earliest instant of which anything was told that explanations use, its own changes apart.
        spells: line to the instant from which on its health or status is told otherwise.
        changes: line to the earliest new report of its health or status.
    """

    whole: bool = False
    wanted: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WANTED))
    chats: list[str] = field(default_factory=list)
    moved: pl.DataFrame = field(default_factory=pl.DataFrame)
    asked: pl.DataFrame = field(default_factory=pl.DataFrame)
    activity: pl.DataFrame = field(default_factory=pl.DataFrame)
    arrived: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SINCE))
    earliest: datetime | None = None
    asks: dict[str, datetime] = field(default_factory=dict)
    spells: dict[str, datetime] = field(default_factory=dict)
    changes: dict[str, datetime] = field(default_factory=dict)


def due(con: Any, touched: Touched, spells: pl.DataFrame, *, as_of: datetime, settings: Settings) -> Due:
    """Return what has to be made again after a merge.

    A line is counted again from the day of its earliest new fact less the reply window: an earlier send may be answered now. Where the
    store's latest event is later than before, sends have become old enough to be judged: every line that sent within the reply window
    before the old one is counted from there. A line's days reach from its last one on without a hole.

    Args:
        con: a store open for writing, facts merged, marts as they were.
        touched: what is new.
        spells: SPELLS from the facts as they are now.
        as_of: the latest event now.
        settings: the reply window, active days and zone.
    """
    old = read.meta(con, read.AS_OF)
    if touched.whole or not old:
        return Due(whole=True)
    window = timedelta(hours=settings.reply_window_hours)
    facts = dict(touched.since)
    theirs = since.moved_since(con, touched.chats)
    now_moved = moved(theirs)
    told = theirs.join(now_moved.with_columns(now=pl.lit(value=True)), on=["line", "chat_id"], how="left")
    was, now = pl.col("opened_by") == "moved", pl.col("now").fill_null(value=False)
    turned = told.filter(pl.col("opened_by").is_in(["line", "moved"]), was != now)
    for line, at in turned.select("line", "first_at").iter_rows():
        facts[line] = min(at, facts.get(line, at))
    begins = {line: at if at == EVER else at - window for line, at in facts.items()}
    states = since.spell_changes(con, spells)
    for line, at in states.iter_rows():
        begins[line] = min(at, begins.get(line, at))
    before = datetime.fromisoformat(old)
    if as_of > before:
        for line in since.sending_lines(con, before - window):
            begins[line] = min(before - window, begins.get(line, before))
    last = since.last_messages(con)
    begins = {line: min(at, last.get(line, at)) for line, at in begins.items()}
    return Due(
        wanted=_wanted(begins, as_of, settings),
        chats=[*touched.chats, *turned["chat_id"]],
        moved=now_moved,
        asked=theirs.select("line", "chat_id"),
        activity=pl.DataFrame(list(touched.since.items()), schema=SINCE, orient="row"),
        arrived=pl.DataFrame(list(touched.arrived.items()), schema=SINCE, orient="row"),
        earliest=min([*facts.values(), *touched.changes.values(), *states["since"]], default=None),
        asks=touched.asked,
        spells=dict(states.iter_rows()),
        changes=dict(touched.changes),
    )


def _wanted(begins: dict[str, datetime], as_of: datetime, settings: Settings) -> pl.DataFrame:
    """Return WANTED: each line's instant put back to the begin of its day."""
    if not begins:
        return pl.DataFrame(schema=WANTED)
    known = [at for at in begins.values() if at > EVER]
    days = calendar(min(known, default=as_of), max(as_of, *known, as_of), zone=settings.timezone, grain="day")
    ever, when = pl.lit(EVER, dtype=WANTED["since"]), pl.col("since")
    rows = pl.DataFrame(sorted(begins.items()), schema={"line": pl.String, "at": WANTED["since"]}, orient="row")
    bucket = days.bucket(rows["at"]).clip(0)
    from_ever = rows["at"] <= EVER
    return (
        rows.with_columns(day=days.dates.gather(bucket), since=days.begins.gather(bucket))
        .with_columns(
            day=pl.when(~from_ever).then("day").otherwise(EVER.date()),
            since=pl.when(~from_ever).then("since").otherwise(ever),
        )
        .with_columns(
            whole_from=pl.when(~from_ever).then(when - _WINDOW).otherwise(ever),
            seen_from=pl.when(~from_ever).then(when - timedelta(days=settings.active_days + 1)).otherwise(ever),
        )
        .select(WANTED.names())
        .cast(dict(WANTED))  # type: ignore[arg-type]
    )
