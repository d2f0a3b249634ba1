"""Asks of lines in, what all lines tell together out, by line and day or hour: rows that add up, so that one line's can be counted again alone.

What is said of one line rests on the others in three ways: pooled rates (``baseline.FleetSums``), how the others were answered
(``peers.Hours``), and receipts that were lost on all of them (``receipts``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from analysis.explain.asks import CARRIED
from analysis.explain.baseline import EDGES, FIXED, FleetSums
from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS
from analysis.explain.histories import gaps_of
from analysis.explain.history import next_gap, recent_of
from analysis.explain.numbers import as_enum, stretches
from analysis.explain.peers import NO_ASKS, Hours, Own, Peers, answerable, answered_soon
from analysis.explain.running import NEVER, Array, Span
from analysis.explain.troubles import Troubles
from analysis.schema import INSTANT
from analysis.settings import Settings

_MANY = pl.List(pl.Int64)
_HOURS = 1 << 32
"""More hours than there are since 1970: keys of line and hour in one number."""
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


def told_of(
    asks: pl.DataFrame,
    carried: pl.DataFrame,
    troubles: Mapping[str, Troubles],
    gaps: Mapping[str | None, list[Span]],
    settings: Settings,
) -> Told:
    """Return what some lines tell together; whether receipts were lost changes none of it.

    Args:
        asks: ASKS of these lines, in its order.
        carried: CARRIED of the same.
        troubles: unhealthy times of each line.
        gaps: times in which deliveries were probably lost, of each line and of all (None).
        settings: see Settings.
    """
    seen = _Seen(asks, carried, troubles, gaps, settings)
    first_day = pl.col("first_day").cast(pl.Int32).cast(pl.Date)
    lines = (
        carried.join(seen.days.group_by("line").agg(here=pl.col("day").min()), on="line", how="left")
        .select("line", first_at=pl.col("line_first").cast(INSTANT), first_day=pl.coalesce(first_day, "here"))
        .sort("line")
    )
    return Told(lines, seen.days, seen.services(), seen.hours())


def tells_to(
    told: list[Told], troubles: Mapping[str, Troubles], gaps: pl.DataFrame | None, settings: Settings
) -> Callable[[pl.DataFrame, pl.DataFrame], None]:
    """Return a function that adds what asks tell (ASKS, and CARRIED of their lines) to a list; other arguments as ``told_of``, gaps as GAPS."""
    lost = gaps_of(gaps)
    return lambda asks, carried: told.append(told_of(asks, carried, troubles, lost, settings))


def together(told: Sequence[Told]) -> Told:
    """Return what several parts tell, no line in two of them, as one."""
    none = [pl.DataFrame(schema=schema) for schema in (ASKED_LINES, ASKED_DAYS, ASKED_SERVICES, ASKED_HOURS)]
    return Told(*(pl.concat(parts) for parts in zip(none, *told, strict=True)))


class _Seen:
    """Asks of some lines as arrays, one line after the other, each in order of time: so its days are one after the other too."""

    def __init__(
        self,
        asks: pl.DataFrame,
        carried: pl.DataFrame,
        troubles: Mapping[str, Troubles],
        gaps: Mapping[str | None, list[Span]],
        settings: Settings,
    ) -> None:
        def times(column: str) -> Array:
            return asks[column].fill_null(NEVER).to_numpy()

        self._asks, self._times = asks, times
        self.first, self.last, self.reply_at = (times(c) for c in ("first", "last", "reply_at"))
        lines = stretches(asks["line"])
        self._line = asks["line"].rle_id().to_numpy().astype(np.int64)
        self._names = pl.Series(list(lines), dtype=pl.String)
        n = len(self.first)
        usual, deep, self.gap_at = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), np.full(n, NEVER)
        firsts = dict(carried.select("line", "line_first").iter_rows())
        chat, streak, followup = asks["chat_no"].to_numpy(), asks["streak"].to_numpy(), KINDS.index("followup")
        for line, of in lines.items():
            own, first, last = sorted(gaps.get(None, []) + gaps.get(line, [])), self.first[of], self.last[of]
            self.gap_at[of] = next_gap(last, own, settings.explain_reply_hours * HOUR)
            deep[of] = recent_of(chat[of], first, last, streak[of], own) >= CONSTANTS.deep_streak
            for a, b in troubles[line].usual_spans(firsts[line], float("inf"), float("inf")):
                usual[of] |= (first >= a) & (first < b)
        self._kind = asks["kind"].to_numpy()
        self._usual = usual & ~asks["opted_out"].to_numpy()
        self._tells = self._usual & ~asks["dead"].to_numpy() & ~(deep & (self._kind == followup)) & ~self._blind
        self._day = self.first // DAY
        begins = np.ones(n, dtype=bool)
        begins[1:] = (self._day[1:] != self._day[:-1]) | (self._line[1:] != self._line[:-1])
        self._cell, self._begin = np.cumsum(begins) - 1, np.flatnonzero(begins)
        self.days = self._by_day()

    @property
    def _blind(self) -> Array:
        return self.gap_at < NEVER

    @property
    def _replied(self) -> Array:
        return self.reply_at < NEVER

    def _by_day(self) -> pl.DataFrame:
        """Return ASKED_DAYS."""
        n, cells, kind = len(KINDS), len(self._begin), self._kind
        counts = np.zeros((cells, FIXED), dtype=np.int64)
        for mask, column in (
            (self._tells, kind),
            (self._tells & self._replied, n + kind),
            (self._usual, 2 * n),
            (self._usual & self._asks["dead"].to_numpy(), 2 * n + 1),
        ):
            column = column[mask] if isinstance(column, np.ndarray) else column
            counts += np.bincount(self._cell[mask] * FIXED + column, minlength=cells * FIXED).reshape(cells, FIXED)
        came = self._usual & self._replied
        edge = np.searchsorted(EDGES, self.reply_at[came] - self.last[came])
        inside, wide = edge < len(EDGES), len(EDGES)
        delays = np.bincount(self._cell[came][inside] * wide + edge[inside], minlength=cells * wide)
        created = self._asks["created"].to_numpy()
        last = np.full(cells, -1, dtype=np.int64)
        np.maximum.at(last, self._cell[created], self.first[created])
        return self._frame(
            self._begin,
            {
                "day": _dates(self._day[self._begin]),
                "asks": np.bincount(self._cell, minlength=cells),
                "created": np.bincount(self._cell[created], minlength=cells),
                "created_last": pl.Series(last).replace(-1, None).cast(INSTANT),
                "counts": _lists(counts),
                "delays": _lists(delays.reshape(cells, wide)),
            },
            ASKED_DAYS,
        )

    def services(self) -> pl.DataFrame:
        """Return ASKED_SERVICES."""
        names = self._asks["service"].unique().sort()
        wide = max(len(names), 1)
        key = self._cell * wide + self._asks["service"].cast(pl.Enum(names)).to_physical().to_numpy()
        receipt, dead = self._asks["receipt"].to_numpy(), self._asks["dead"].to_numpy()
        here = self._asks["receipts_here"].fill_null(value=True).to_numpy()
        silent = ~(receipt | dead | self._replied | self._blind) & here
        n = len(self._begin) * wide
        asks, receipts, silents = (
            np.bincount(key[self._usual & mask], minlength=n)
            for mask in (np.ones(len(key), dtype=bool), receipt, silent)
        )
        some = np.flatnonzero(asks)
        begin = self._begin[some // wide]
        return self._frame(
            begin,
            {
                "day": _dates(self._day[begin]),
                "service": names.gather(some % wide),
                "asks": asks[some],
                "receipts": receipts[some],
                "silent": silents[some],
            },
            ASKED_SERVICES,
        )

    def hours(self) -> pl.DataFrame:
        """Return ASKED_HOURS."""
        opted_out, failed_at, receipt_at = (
            self._asks["opted_out"].to_numpy(),
            *map(self._times, ("failed_at", "receipt_at")),
        )
        kept = answerable(self.last, opted_out, failed_at, receipt_at, self.gap_at)
        soon = answered_soon(self.last, self.reply_at)[kept]
        key, place = np.unique(self._line[kept] * _HOURS + self.last[kept] // HOUR, return_inverse=True)
        return self._frame(
            np.searchsorted(self._line, key // _HOURS),
            {
                "hour": pl.Series(key % _HOURS * HOUR).cast(INSTANT),
                "asks": np.bincount(place, minlength=len(key)),
                "answered": np.bincount(place, weights=soon, minlength=len(key)).astype(np.int64),
            },
            ASKED_HOURS,
        )

    def _frame(self, rows: Array, columns: Mapping[str, Any], schema: pl.Schema) -> pl.DataFrame:
        """Return columns as a frame of a schema, with the lines of some rows."""
        return pl.DataFrame({"line": self._names.gather(self._line[rows]), **columns}).cast(dict(schema))  # type: ignore[arg-type]


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
    lines = as_enum(hours["line"]).to_physical().to_numpy()
    sent = np.zeros((length, int(lines.max()) + 1 if len(lines) else 0), dtype=bool)
    sent[place, lines] = True
    return Hours(begin, asks, answered, np.packbits(sent, axis=1))


def own_in(hours: pl.DataFrame) -> dict[str, Own]:
    """Return the asks of each line, times cut to the hour: enough where whole hours are compared; from ASKED_HOURS, any order."""
    parts = hours.sort("line", "hour").partition_by("line", as_dict=True)
    found = {
        str(line): Own(*(part[c].to_physical().to_numpy() for c in ("hour", "asks", "answered")))
        for (line,), part in parts.items()
    }
    return defaultdict(lambda: NO_ASKS, found)


class Shared(NamedTuple):
    """What all lines tell together, ready to be asked."""

    sums: FleetSums
    """What pooled rates rest on."""
    peers: Peers
    """How lines were answered beside each other."""


def shared(sums: FleetSums, hours: pl.DataFrame) -> Shared:
    """Return what all lines tell together, from the sums of ``sums_of`` and ASKED_HOURS, any order."""
    return Shared(sums, Peers(own_in(hours), hours_in(hours)))


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


def _dates(days: Array) -> pl.Series:
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def _numbers(days: pl.Series) -> Array:
    return days.cast(pl.Int32).to_numpy().astype(int)


def _lists(numbers: Array) -> pl.Series:
    return pl.Series(np.ascontiguousarray(numbers, dtype=np.int64)).cast(_MANY)


def _matrix(lists: pl.Series, wide: int) -> Array:
    return lists.explode().to_numpy().reshape(-1, wide) if len(lists) and wide else np.zeros((len(lists), wide))
