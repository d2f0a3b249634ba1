"""A store in; how fresh, how late and how complete its data is, by line, out."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from analysis.pipeline.moments import When, moment
from analysis.pipeline.opened import Where, reading, settings_in
from analysis.schema import BLINDED, FRESHNESS
from analysis.store import quality, read


def freshness(store: Where = None) -> pl.DataFrame:
    """Return when each line was last heard of, worst first: FRESHNESS.

    A silence is a ``gap`` where its line's (or the fleet's) rhythm does not give it (``gaps``), ``unused`` where it is longer than
    ``gap_longest_days``, ``never`` where no message of the line is loaded. Raises StoreError where there is no store.

    Example:
        >>> lh.freshness()["line"].len() == lh.lines().height
        True
    """
    with reading(store) as con:
        heard, open_, chosen, as_of = (
            quality.last_heard(con),
            read.gaps(con).filter(pl.col("end_at").is_null()),
            settings_in(con),
            read.newest(con),
        )
    fleet_gap = bool(open_["line"].is_null().any())
    silent = (pl.lit(as_of) - pl.col("last_event")).dt.total_milliseconds() / 3_600_000
    return (
        heard.join(open_.drop_nulls("line").select("line", gap=pl.lit(value=True)), on="line", how="left")
        .with_columns(silent_hours=silent)
        .with_columns(
            silence=pl.when(pl.col("last_event").is_null())
            .then(pl.lit("never"))
            .when(pl.col("silent_hours") > 24.0 * chosen.gap_longest_days)
            .then(pl.lit("unused"))
            .when(pl.col("gap").fill_null(fleet_gap))
            .then(pl.lit("gap"))
        )
        .sort(
            pl.col("silence").eq_missing("gap"), "silent_hours", "line", descending=[True, True, False], nulls_last=True
        )
        .select(FRESHNESS.names())
        .cast(dict(FRESHNESS))  # type: ignore[arg-type]
    )


def delays(store: Where = None) -> pl.DataFrame:
    """Return how many sends of each line have a receipt, and how late receipts were: DELAYS. Raises StoreError where there is no store.

    Example:
        >>> lh.delays().columns
        ['line', 'sends', 'failed', 'received', 'received_1h', 'received_24h']
    """
    with reading(store) as con:
        return quality.delays(con)


def blinded(store: Where = None, *, line: str | None = None, since: When = None, until: When = None) -> pl.DataFrame:
    """Return, for lines with a gap in a period, how many of its sends an answer may be lost of: BLINDED.

    Counted by whole hours: those within the reply window before a gap, and in it. The signals count such sends as any other; a send
    without a seen answer there is not a send without an answer.

    Args:
        store: the store's file.
        line: of this line only.
        since: first instant of the period; default the first in the data.
        until: end of the period, not included; default the last in the data.

    Raises:
        StoreError: no store there.

    Example:
        >>> lh.blinded().columns
        ['line', 'gaps', 'silent_hours', 'mature', 'replied']
    """
    start, end = moment(since), moment(until)
    with reading(store) as con:
        chosen, as_of = settings_in(con), read.newest(con)
        gaps = read.gaps(con, line=line, since=start, until=end)
        if gaps.is_empty() or as_of is None:
            return pl.DataFrame(schema=BLINDED)
        reach = timedelta(hours=chosen.reply_window_hours)
        first = min(gaps["start_at"]) - reach - timedelta(hours=1)  # the hour in which the reach begins counts whole
        begin = max(start, first) if start else first
        counts = ("mature", "replied")
        hours = read.signals(con, "hour", line=line, since=begin, until=end, columns=counts, in_order=False)
    gaps = gaps.with_columns(
        start_at=pl.max_horizontal("start_at", pl.lit(start)) if start else pl.col("start_at"),
        reach=pl.col("start_at") - reach,
        end_at=pl.min_horizontal(pl.col("end_at").fill_null(as_of), pl.lit(min(end or as_of, as_of))),
    )
    touched = [
        ((pl.col("line") == g["line"]) if g["line"] else pl.lit(value=True))
        & (pl.col("hour") + timedelta(hours=1) > g["reach"])
        & (pl.col("hour") < g["end_at"])
        for g in gaps.iter_rows(named=True)
    ]
    counted = hours.filter(pl.any_horizontal(touched)).group_by("line").agg(pl.col("mature", "replied").sum())
    rows = []
    for line in counted["line"]:
        own = gaps.filter(pl.col("line").is_null() | (pl.col("line") == line)).sort("start_at")
        rows.append((line, own.height, _hours(own)))
    told = pl.DataFrame(rows, schema={"line": pl.String, "gaps": pl.Int64, "silent_hours": pl.Float64}, orient="row")
    return told.join(counted, on="line").sort("line").select(BLINDED.names()).cast(dict(BLINDED))  # type: ignore[arg-type]


def _hours(gaps: pl.DataFrame) -> float:
    """Return the length of the union of gaps in order of their start."""
    whole, reached = timedelta(), gaps["start_at"].min()
    for start, end in gaps.select("start_at", "end_at").iter_rows():
        whole += max(timedelta(), end - max(start, reached))
        reached = max(reached, end)
    return whole / timedelta(hours=1)
