"""Messages, chats, chat health and the health timeline in; all signals on one complete line x day (or hour) calendar out."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from analysis.schema import SIGNALS_DAY, SIGNALS_HOUR
from analysis.settings import Settings
from analysis.signals import chat_health as chat_state
from analysis.signals.calendar import Calendar, Grain
from analysis.signals.grid import Grid, Ints
from analysis.signals.judged import Judged, judge
from analysis.signals.reply_rate import rate
from analysis.signals.volume import volume


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
    """Return the same for messages that are judged already: one judging serves several tables. A line counted from later on has rows from then on."""
    schema = SIGNALS_DAY if grain == "day" else SIGNALS_HOUR
    if of.messages.is_empty():
        return pl.DataFrame(schema=schema)
    buckets = of.calendar(settings.timezone, grain)
    line_no = of.messages["line_no"].to_numpy()
    bucket = buckets.bucket_of(of.messages["at"].to_physical().to_numpy())
    grid = Grid.of(line_no, bucket, None if of.born is None else buckets.bucket(of.since()).to_numpy())
    held = grid.holds(line_no, bucket)
    own, cells = of.messages, grid.cell(line_no, bucket)
    if not held.all():
        own, cells = own.filter(held), cells[held]
    columns = _counts(own, cells, grid)
    for counts in of.sliding:
        columns |= counts.highest(grid, buckets)
    columns |= chat_state.activity(
        of.messages["talk"].to_numpy(), line_no, bucket, of.reports, grid, buckets, days=settings.active_days
    )
    table = _with_names_and_days(columns, of, grid, buckets)
    for kind in ("health", "status"):
        table = _with_state(table, spells, kind)
    return table.select(schema.names()).cast(schema)


def _counts(messages: pl.DataFrame, cells: Ints, grid: Grid) -> dict[str, Ints]:
    """Return what is counted of messages one by one, for every cell of the grid. Definitions: contract.md, section 3."""
    outbound, failed, mature, replied, opener, late, after = (
        messages[name].to_numpy()
        for name in ("outbound", "failed", "mature", "replied", "opener", "late_turn", "after_opt_out")
    )
    return {
        **volume(outbound, failed, messages["talk"].to_numpy(), cells, grid),
        "mature": grid.count(cells, mature),
        "replied": grid.count(cells, replied),
        "new_conversations": grid.count(cells, opener),
        "new_mature": grid.count(cells, opener & mature),
        "new_replied": grid.count(cells, opener & replied),
        "unanswered_turns": grid.count(cells, late),
        "sends_after_opt_out": grid.count(cells, after),
    }


def _with_names_and_days(columns: dict[str, Ints], of: Judged, grid: Grid, buckets: Calendar) -> pl.DataFrame:
    """Put lines and times in the place of numbers, in order of line and bucket; add rates, and the days since the line's first one."""
    lines = of.talks.select("line_no", "line").unique("line_no").sort("line_no")["line"]
    dates = buckets.table()["date"].to_physical().to_numpy()
    held, bucket = grid.lines(), grid.buckets()
    first = buckets.bucket(of.first_at()).to_numpy()
    return pl.DataFrame(columns).with_columns(
        lines.gather(held).alias("line"),
        *(buckets.table()[name].gather(bucket) for name in (buckets.grain, "last")),
        history_days=pl.Series(dates[bucket] - dates[first][held]),
        reply_rate=rate("replied", "mature"),
        new_reply_rate=rate("new_replied", "new_mature"),
    )


def _with_state(table: pl.DataFrame, spells: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Add the state whose spell covers the last instant of each bucket (the next one's begin less 1 ms); null while unknown."""
    states = spells.filter(pl.col("kind") == kind).select(
        "line", "end_at", pl.col("start_at").fill_null(datetime(1, 1, 1)).alias("_from"), pl.col("state").alias(kind)
    )
    # in order of line and time as it is: no sort by time over all lines
    found = table.join_asof(
        states.sort("line", "_from"),
        left_on="last",
        right_on="_from",
        by="line",
        strategy="backward",
        check_sortedness=False,
    )
    covered = pl.col("end_at").is_null() | (pl.col("last") < pl.col("end_at"))
    return found.with_columns(pl.when(covered).then(kind).alias(kind)).drop("end_at", "_from")
