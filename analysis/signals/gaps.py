"""When events arrived in, silences too deep for the rhythm out: where deliveries were probably lost, "no replies" means "no data".

Method (METHOD.md, "Gaps in the deliveries"). Time is cut into slots of five minutes. From the weeks before, a line (and the whole fleet) has a
chance of an empty slot for each hour of the week. The surprise of a silence is the sum of -ln(that chance) over its slots. How often a silence
of such surprise comes by itself is read from the tail of the same line's own silences (``rhythm``); it is a gap where that is less than
``gap_false_alarms`` times a year and it outlasts the vendor's retries.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from analysis.schema import ACTIVITY, GAPS, INSTANT
from analysis.settings import Settings
from analysis.signals.grid import Ints
from analysis.signals.rhythm import SLOT_MINUTES, Activity, Rhythms

FLEET = ""
"""The whole fleet, where a line's name would stand, inside this module."""
_HOUR_MS = 3_600_000
_SLOT_MS = SLOT_MINUTES * 60_000
_LATEST = 2**62
"""Later than every instant, in ms."""
_LINES = 256
"""Lines that are looked at together: a year of each is 1.5 MB of counts by hour of the week."""


def activity_of(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the slots of time in which an event of a line is known: sends, replies, and the receipts of sends.

    Args:
        messages: MESSAGES, any order.

    Returns:
        ACTIVITY, in order of line and slot.
    """
    if messages.is_empty():
        return pl.DataFrame(schema=ACTIVITY)
    lines = messages["line"].unique().sort()
    line_no = messages.select(line_no=pl.col("line").cast(pl.Enum(lines)).to_physical().cast(pl.Int64))
    told = pl.concat(
        line_no.hstack([messages[column].dt.epoch("ms").alias("at")]).drop_nulls("at")
        for column in ("at", "delivered_at", "read_at")  # messages first
    )
    at = told["at"].to_numpy()
    slot = at // _SLOT_MS
    zero = int(slot.min())
    length = int(slot.max()) - zero + 1
    names, places = _close(told["line_no"].to_numpy() * length + slot - zero, len(lines) * length)
    events = np.bincount(places[: messages.height], minlength=len(names))
    first, last = np.full(len(names), _LATEST), np.full(len(names), -_LATEST)
    np.minimum.at(first, places, at)
    np.maximum.at(last, places, at)
    used = np.flatnonzero(last >= first)
    line, slot = np.divmod(names[used], length)
    found = {
        "line": lines.gather(line), "slot": slot + zero, "first_at": first[used], "last_at": last[used], "events": events[used],
    }  # fmt: skip
    return pl.DataFrame(found).cast(dict(ACTIVITY))  # type: ignore[arg-type]


def _close(places: Ints, size: int) -> tuple[Ints, Ints]:
    """Return names of places (0 up to ``size``), ascending, and which of them each one has: all, or those in use where these are few."""
    if size <= len(places):
        return np.arange(size), places
    return np.unique(places, return_inverse=True)


def gaps(activity: pl.DataFrame, *, as_of: datetime, settings: Settings) -> pl.DataFrame:
    """Return the silences in which deliveries were probably lost.

    A silence of the whole fleet is one gap without a line; a line's own silence counts by what lies outside of those. A line silent for
    longer than ``gap_longest_days`` is not in use. Nothing is said of a line (or fleet) known for less than ``gap_least_days``.

    Args:
        activity: ACTIVITY, any order: slots of five minutes with an event.
        as_of: latest event time in the store; a line's silence up to it has no end yet.
        settings: gap_minutes, gap_false_alarms, gap_least_days, gap_longest_days.

    Returns:
        GAPS, key (line, start_at), the fleet (null line) first.
    """
    if activity.is_empty():
        return pl.DataFrame(schema=GAPS)
    activity = _in_order(activity)
    whole = _deep(_fleet(activity), pl.DataFrame(schema=GAPS), as_of, settings, longest=None)
    if activity["line"].n_unique() > 1:
        own = _deep(activity, whole, as_of, settings, longest=timedelta(days=settings.gap_longest_days))
    else:  # one line is its own fleet
        own = whole.clear()
    whole = whole.with_columns(pl.lit(None, dtype=pl.String).alias("line"))
    return pl.concat([whole, own]).sort("line", "start_at", nulls_last=False)


def _deep(
    activity: pl.DataFrame, apart: pl.DataFrame, as_of: datetime, settings: Settings, *, longest: timedelta | None
) -> pl.DataFrame:
    """Return the silences of each line that its own rhythm does not give, time in ``apart`` (gaps of the fleet) left out.

    ``activity``: in order of line and slot.
    """
    runs = activity["line"].rle().struct.unnest().with_columns(end=pl.col("len").cum_sum() - 1)
    begin = activity["first_at"].gather(runs["end"] + 1 - runs["len"])
    lines = runs["value"].filter(
        activity["last_at"].gather(runs["end"]) - begin >= timedelta(days=settings.gap_least_days)
    )
    if len(lines) < runs.height:
        activity = activity.filter(pl.col("line").is_in(lines.implode()))
    latest = _ms(pl.Series([as_of], dtype=INSTANT)).item()
    fleet = [
        (start, latest if end is None else end)
        for start, end in apart.select(pl.col("start_at", "end_at").dt.epoch("ms")).iter_rows()
    ]
    found = [pl.DataFrame(schema=GAPS)]
    for number in range(0, len(lines), _LINES):
        here = lines[number : number + _LINES]
        some = activity.filter(pl.col("line").is_in(here.implode())) if len(lines) > _LINES else activity
        numbers = some["line"].rle_id().to_numpy().astype(int)
        told = Activity(numbers, some["slot"].to_numpy(), _ms(some["first_at"]).to_numpy(), _ms(some["last_at"]).to_numpy(), some["events"].to_numpy())  # fmt: skip
        silences = Rhythms(told).silences(latest, settings.gap_minutes, fleet, often=settings.gap_false_alarms)
        most = float("inf") if longest is None else longest.total_seconds() * 1000
        frame = pl.DataFrame(
            {
                "line": here.gather(silences.line),
                "start_at": silences.start,
                "end_at": silences.end,
                "open": silences.open,
                "expected": silences.expected,
                "by_chance_a_year": silences.by_chance_a_year,
            }
        )
        deep = frame.filter(
            pl.col("end_at") - pl.col("start_at") <= most, pl.col("by_chance_a_year") <= settings.gap_false_alarms
        )
        found.append(
            deep.with_columns(
                end_at=pl.when(~pl.col("open")).then("end_at"), expected=pl.col("expected").clip(0).round(1)
            ).select(pl.col(c).cast(t) for c, t in GAPS.items())
        )
    return pl.concat(found)


def _fleet(activity: pl.DataFrame) -> pl.DataFrame:
    """Return the slots in which any line has an event, as one line's."""
    slot, first_at, last_at = (
        activity["slot"].to_numpy(),
        _ms(activity["first_at"]).to_numpy(),
        _ms(activity["last_at"]).to_numpy(),
    )
    begin = int(slot.min())
    place, wide = slot - begin, int(slot.max()) - begin + 1
    first, last = np.full(wide, np.iinfo(np.int64).max), np.zeros(wide, dtype=np.int64)
    np.minimum.at(first, place, first_at)
    np.maximum.at(last, place, last_at)
    events = np.bincount(place, activity["events"].to_numpy(), wide)
    some = np.flatnonzero(np.bincount(place, minlength=wide))
    found = {"line": pl.repeat(FLEET, len(some), eager=True), "slot": some + begin, "first_at": first[some], "last_at": last[some], "events": events[some]}  # fmt: skip
    return pl.DataFrame(found).select(ACTIVITY.names()).cast(dict(ACTIVITY))  # type: ignore[arg-type]


def _in_order(activity: pl.DataFrame) -> pl.DataFrame:
    """Return ACTIVITY in order of line and slot; a store gives it so, and to sort it again would take longer than all that follows."""
    number, slot = activity["line"].rle_id(), activity["slot"]
    whole = number.max() is None or number.max() + 1 == activity["line"].n_unique()  # type: ignore[operator]
    rises = ((number != number.shift()) | (slot > slot.shift())).fill_null(value=True).all()
    return activity if whole and rises else activity.sort("line", "slot")


def _ms(times: pl.Series) -> pl.Series:
    return times.dt.epoch("ms")


def blind(messages: pl.DataFrame, gaps: pl.DataFrame, *, within: timedelta) -> pl.DataFrame:
    """Return messages with ``blind``: an answer to them may lie in a gap, so silence after them is no data, not "no reply".

    A send at t is blind where a gap of its line, or of the whole fleet, has an instant in (t, t + within]. Who counts replies leaves
    blind sends without a seen reply out of the count.

    Args:
        messages: at least line and at (MESSAGES), any order; the order is kept.
        gaps: GAPS.
        within: the reply window.
    """
    never = datetime(9999, 1, 1)
    told = gaps.select("line", "start_at", gap_end=pl.col("end_at").fill_null(never).cast(INSTANT)).sort("gap_end")
    rows = messages.with_row_index("_row").sort("at")
    for name, some, by in (
        ("_own", told.filter(pl.col("line").is_not_null()), "line"),
        ("_all", told.filter(pl.col("line").is_null()).drop("line"), None),
    ):
        rows = rows.join_asof(
            some.rename({"start_at": name}), left_on="at", right_on="gap_end", by=by, strategy="forward", allow_exact_matches=False,
            check_sortedness=False,
        ).drop("gap_end", strict=False)  # fmt: skip
    reach = pl.col("at") + within
    return (
        rows.with_columns(blind=((pl.col("_own") <= reach) | (pl.col("_all") <= reach)).fill_null(False))
        .sort("_row")
        .drop("_row", "_own", "_all")
    )


def seen(hours: pl.DataFrame, gaps: pl.DataFrame, *, within: timedelta) -> pl.DataFrame:
    """Return hourly signals in which silence after a gap is no data: for what judges replies, never for what is shown as counted.

    An hour from which an answer may lie in a gap (``blind``, by whole hours) counts no send as mature or replied, and says so.

    Args:
        hours: SIGNALS_HOUR, or some of its columns; the order is kept.
        gaps: GAPS.
        within: the reply window.

    Returns:
        The same, counts in the type that they come in, and ``blind`` (1 or 0).
    """
    blank = hours.with_columns(blind=pl.lit(0, dtype=pl.Int8))
    rows = _in_reach(hours["hour"], gaps, within)
    if not len(rows):
        return blank
    told = blind(hours[rows].rename({"hour": "at"}), gaps, within=within + timedelta(hours=1))
    counts = [c for c in ("mature", "replied", "new_mature", "new_replied") if c in hours.columns]
    told = told.select(
        *(pl.when("blind").then(pl.lit(0, dtype=hours.schema[c])).otherwise(pl.col(c)).alias(c) for c in counts),
        pl.col("blind").cast(pl.Int8),
    )
    return blank.with_columns(blank[name].scatter(rows, told[name]) for name in told.columns)


def _in_reach(hours: pl.Series, gaps: pl.DataFrame, within: timedelta) -> Ints:
    """Return the rows of hours from which a gap may be in reach, of any line: most are from none."""
    if gaps.is_empty() or not len(hours):
        return np.array([], dtype=np.int64)
    number = _ms(hours).to_numpy() // _HOUR_MS
    first, last = int(number.min()), int(number.max())
    near = np.zeros(last - first + 1, dtype=bool)
    reaches = gaps.select((pl.col("start_at") - within).dt.epoch("ms"), pl.col("end_at").dt.epoch("ms"))
    for start, end in reaches.iter_rows():
        stop = None if end is None else max(0, end // _HOUR_MS - first + 1)
        near[max(0, start // _HOUR_MS - 1 - first) : stop] = True
    return np.flatnonzero(near[number - first])
