"""Line histories in, what all lines tell together out, by line and day or hour: rows that add up, so that one line's can be counted again alone.

What is said of one line rests on the others in three ways: pooled rates (``baseline.FleetSums``), how the others were answered
(``peers.Hours``), and receipts that were lost on all of them (``receipts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from analysis.explain.asks import CARRIED
from analysis.explain.baseline import EDGES, FIXED, Fleet, FleetSums
from analysis.explain.constants import DAY, HOUR
from analysis.explain.history import LineHistory
from analysis.explain.peers import Hours, asks_told
from analysis.explain.running import Array
from analysis.explain.troubles import Troubles
from analysis.schema import INSTANT
from analysis.settings import Settings

_MANY = pl.List(pl.Int64)
ASKED_LINES = pl.Schema({"line": pl.String, "first_at": INSTANT, "first_day": pl.Date})
"""Of each line with a message the first one, and the day of its first ask (null where none); key line."""
ASKED_DAYS = pl.Schema(
    [
        ("line", pl.String),
        ("day", pl.Date),  # UTC, of the ask's first send
        ("asks", pl.Int64),
        ("created", pl.Int64),  # of these, those that tell of their chat's creation
        ("created_last", INSTANT),
        ("counts", _MANY),  # a row of FleetSums.counts, but for services
        ("delays", _MANY),  # a row of FleetSums.delays
    ]
)
"""What pooled rates rest on, key (line, day); days without an ask have no row."""
ASKED_SERVICES = pl.Schema(
    {
        "line": pl.String,
        "day": pl.Date,
        "service": pl.String,
        "asks": pl.Int64,
        "receipts": pl.Int64,  # of these, those with one
        "silent": pl.Int64,  # and those without a receipt, a failure or a reply
    }
)
"""The same by service, key (line, day, service); only where there are asks."""
ASKED_HOURS = pl.Schema({"line": pl.String, "hour": INSTANT, "asks": pl.Int64, "answered": pl.Int64})
"""Asks that can be answered by the hour of their last send (UTC), and those answered soon; key (line, hour)."""


class Told(NamedTuple):
    """What some lines tell together."""

    lines: pl.DataFrame
    """ASKED_LINES."""
    days: pl.DataFrame
    """ASKED_DAYS."""
    services: pl.DataFrame
    """ASKED_SERVICES."""
    hours: pl.DataFrame
    """ASKED_HOURS."""


def told_of(histories: Mapping[str, LineHistory], troubles: Mapping[str, Troubles], settings: Settings) -> Told:
    """Return what some lines tell together; each history is looked at once."""
    lines, days, services, hours = (
        [pl.DataFrame(schema=schema)] for schema in (ASKED_LINES, ASKED_DAYS, ASKED_SERVICES, ASKED_HOURS)
    )
    for line, history in histories.items():
        lines.append(first_of_line(history))
        of_days, of_services = days_of_line(history, troubles[line], settings)
        days.append(of_days)
        services.append(of_services)
        hours.append(hours_of_line(history))
    return Told(*(pl.concat(parts) for parts in (lines, days, services, hours)))


def days_of_line(history: LineHistory, troubles: Troubles, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the ASKED_DAYS and ASKED_SERVICES of one line."""
    if not len(history.first):
        return pl.DataFrame(schema=ASKED_DAYS), pl.DataFrame(schema=ASKED_SERVICES)
    sums = Fleet({history.line: history}, {history.line: troubles}, settings).sums()
    day = history.first // DAY - sums.first
    asks = np.bincount(day, minlength=len(sums.counts))
    created = np.bincount(day[history.created], minlength=len(sums.counts))
    last = np.full(len(sums.counts), -1, dtype=np.int64)
    np.maximum.at(last, day[history.created], history.first[history.created])
    some = np.flatnonzero(asks)
    days = {
        "day": _dates(some + sums.first),
        "asks": asks[some],
        "created": created[some],
        "created_last": pl.Series(last[some]).replace(-1, None).cast(INSTANT),
        "counts": _lists(sums.counts[some, :FIXED]),
        "delays": _lists(sums.delays[some]),
    }
    by_service = sums.counts[:, FIXED:].reshape(len(sums.counts), 3, -1).astype(np.int64)
    rows, place = np.nonzero(by_service[:, 0])
    services = {
        "day": _dates(rows + sums.first),
        "service": pl.Series(sums.services, dtype=pl.String).gather(place),
        **{name: by_service[rows, i, place] for i, name in enumerate(("asks", "receipts", "silent"))},
    }
    return _of_line(history.line, days, ASKED_DAYS), _of_line(history.line, services, ASKED_SERVICES)


def hours_of_line(history: LineHistory) -> pl.DataFrame:
    """Return the ASKED_HOURS of one line."""
    times, soon = asks_told(history)
    hour, place = np.unique(times // HOUR, return_inverse=True)
    hours = {
        "hour": pl.Series(hour * HOUR).cast(INSTANT),
        "asks": np.bincount(place, minlength=len(hour)),
        "answered": np.bincount(place, weights=soon, minlength=len(hour)).astype(np.int64),
    }
    return _of_line(history.line, hours, ASKED_HOURS)


def first_of_line(history: LineHistory) -> pl.DataFrame:
    """Return the ASKED_LINES of one line."""
    day = history.first_day if len(history.first) else None
    return pl.DataFrame(
        {
            "line": [history.line],
            "first_at": pl.Series([history.first_at], dtype=pl.Int64).cast(INSTANT),
            "first_day": pl.Series([day], dtype=pl.Int32).cast(pl.Date),
        }
    )


def sums_of(days: pl.DataFrame, by_service: pl.DataFrame) -> FleetSums:
    """Return the sums of all lines by day, from their ASKED_DAYS and ASKED_SERVICES."""
    services = by_service["service"].unique().sort()
    number, of_service = _numbers(days["day"]), _numbers(by_service["day"])
    first, last = (int(number.min()), int(number.max())) if len(number) else (0, 0)
    counts, delays = np.zeros((last - first + 1, FIXED + 3 * len(services))), np.zeros((last - first + 1, len(EDGES)))
    np.add.at(counts[:, :FIXED], number - first, _matrix(days["counts"], FIXED))
    np.add.at(delays, number - first, _matrix(days["delays"], len(EDGES)))
    place = by_service["service"].cast(pl.Enum(services)).to_physical().to_numpy()
    for block, name in enumerate(("asks", "receipts", "silent")):
        column = FIXED + block * len(services) + place
        np.add.at(counts, (of_service - first, column), by_service[name].to_numpy())
    return FleetSums(first, services.to_list(), counts, delays)


def hours_in(hours: pl.DataFrame) -> Hours:
    """Return the counts of all lines by hour, from their ASKED_HOURS."""
    number = hours["hour"].cast(pl.Int64).to_numpy() // HOUR
    begin = int(number.min()) if len(number) else 0
    place = number - begin + 1
    length = int(place.max()) + 1 if len(place) else 2
    asks, answered = (
        np.bincount(place, weights=hours[column].to_numpy(), minlength=length) for column in ("asks", "answered")
    )
    lines = hours["line"].cast(pl.Enum(hours["line"].unique().sort())).to_physical().to_numpy()
    sent = np.zeros((length, int(lines.max()) + 1 if len(lines) else 0), dtype=bool)
    sent[place, lines] = True
    return Hours(begin, asks, answered, np.packbits(sent, axis=1))


def firsts_in(lines: pl.DataFrame) -> dict[str, int]:
    """Return when each line's first message was (ms), in order of line, from ASKED_LINES."""
    return dict(lines.sort("line").select("line", pl.col("first_at").cast(pl.Int64)).iter_rows())


def carried_of(lines: pl.DataFrame, days: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """Return what the chats with anything since some day do not tell of what was before it: CARRIED.

    Args:
        lines: ASKED_LINES as kept.
        days: ASKED_DAYS as kept; of each line, those before ``since`` hold.
        since: line, since (ms, the begin of a UTC day).
    """
    before = (
        days.join(since, on="line")
        .filter(pl.col("day").cast(pl.Int32).cast(pl.Int64) * DAY < pl.col("since"))
        .group_by("line")
        .agg(pl.col("created").sum(), pl.col("created_last").max().cast(pl.Int64))
    )
    first_day = pl.col("first_day").cast(pl.Int32).cast(pl.Int64)
    return (
        since.join(lines, on="line", how="inner")
        .join(before, on="line", how="left")
        .select(
            "line",
            "since",
            pl.col("first_at").cast(pl.Int64).alias("line_first"),
            pl.when(first_day * DAY < pl.col("since")).then(first_day).alias("first_day"),
            pl.col("created").fill_null(0),
            "created_last",
        )
        .cast(dict(CARRIED))  # type: ignore[arg-type]
        .select(CARRIED.names())
    )


def _of_line(line: str, columns: Mapping[str, Any], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(columns).select(pl.lit(line).alias("line"), pl.all()).cast(dict(schema))  # type: ignore[arg-type]


def _dates(days: Array) -> pl.Series:
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def _numbers(days: pl.Series) -> Array:
    return days.cast(pl.Int32).to_numpy().astype(int)


def _lists(numbers: Array) -> pl.Series:
    return pl.Series(np.ascontiguousarray(numbers, dtype=np.int64)).cast(_MANY)


def _matrix(lists: pl.Series, wide: int) -> Array:
    return lists.explode().to_numpy().reshape(-1, wide) if len(lists) and wide else np.zeros((len(lists), wide))
