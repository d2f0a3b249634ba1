"""When events arrived in, silences too deep for the rhythm out: where deliveries were probably lost, "no replies" means "no data".

Method (METHOD.md, "Gaps in the deliveries"). Time is cut into slots of five minutes. From its own past a line (and the whole fleet) has
a chance of an empty slot for each hour of the week. The surprise of a silence is the sum of -ln(that chance) over its slots. How often
a silence of such surprise comes by itself is read from the tail of the same line's own silences; it is a gap where that is less than
``gap_false_alarms`` times a year and it outlasts the vendor's retries.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis.schema import ACTIVITY, GAPS, INSTANT
from analysis.settings import Settings

SLOT_MINUTES = 5
_SLOTS_AN_HOUR = 60 // SLOT_MINUTES
_WEEK = 168
_HOUR_MS = 3_600_000
_YEAR_MS = 365.25 * 24 * _HOUR_MS
_TRIM, _TRIM_BIAS = 0.98, 0.866
"""The top 2 % of silences (outages among them) are left out of the tail; the mean of an exponential cut there is .866 of the whole."""
_HOURLY_WEIGHT = 24.0
"""Slots that the rate of the same hour on all days weighs in the rate of one hour of the week."""
FLEET = ""
"""The whole fleet, where a line's name would stand, inside this module."""


def activity_of(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the slots of time in which an event of a line is known: sends, replies, and the receipts of sends.

    Args:
        messages: MESSAGES, any order.

    Returns:
        ACTIVITY, in order of line and slot.
    """
    told = pl.concat(
        messages.select("line", pl.col(column).alias("at"), pl.lit(int(column == "at")).alias("message")).drop_nulls()
        for column in ("at", "delivered_at", "read_at")
    )
    slot = (pl.col("at").dt.epoch("ms") // (SLOT_MINUTES * 60_000)).alias("slot")
    return (
        told.group_by("line", slot)
        .agg(
            pl.col("at").min().alias("first_at"),
            pl.col("at").max().alias("last_at"),
            pl.col("message").sum().alias("events"),
        )
        .sort("line", "slot")
        .cast(dict(ACTIVITY))  # type: ignore[arg-type]
        .select(ACTIVITY.names())
    )


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
    fleet = activity.group_by("slot").agg(
        pl.lit(FLEET).alias("line"), pl.col("first_at").min(), pl.col("last_at").max(), pl.col("events").sum()
    )
    whole = _deep(fleet.select(activity.columns), pl.DataFrame(schema=GAPS), as_of, settings, longest=None)
    if activity["line"].n_unique() > 1:
        own = _deep(activity, whole, as_of, settings, longest=timedelta(days=settings.gap_longest_days))
    else:  # one line is its own fleet
        own = whole.clear()
    whole = whole.with_columns(pl.lit(None, dtype=pl.String).alias("line"))
    return pl.concat([whole, own]).sort("line", "start_at", nulls_last=False)


def _deep(
    activity: pl.DataFrame, apart: pl.DataFrame, as_of: datetime, settings: Settings, *, longest: timedelta | None
) -> pl.DataFrame:
    """Return the silences of each line that its own rhythm does not give, time in ``apart`` (gaps of the fleet) left out."""
    known = pl.col("last_at").max() - pl.col("first_at").min()
    activity = activity.filter(known.over("line") >= timedelta(days=settings.gap_least_days))
    if activity.is_empty():
        return pl.DataFrame(schema=GAPS)
    found = _silences(activity, as_of, settings)
    rhythm = _rhythm(activity)
    found = found.with_columns(open=pl.col("end_at").is_null(), end_at=pl.col("end_at").fill_null(as_of))
    found = _between(found, rhythm, "start_at", "end_at")
    for gap in apart.iter_rows(named=True):
        inside = found.select(
            "line",
            pl.max_horizontal("start_at", pl.lit(gap["start_at"])).alias("start_at"),
            pl.min_horizontal("end_at", pl.lit(gap["end_at"] or as_of)).alias("end_at"),
        ).with_columns(end_at=pl.max_horizontal("start_at", "end_at"))
        cut = _between(inside, rhythm, "start_at", "end_at")
        found = found.with_columns(
            surprise=pl.col("surprise") - cut["surprise"], expected=pl.col("expected") - cut["expected"]
        )
    found = _chances(found.join(_unevenness(activity), on="line", maintain_order="left"), activity)
    length = pl.col("end_at") - pl.col("start_at")
    deep = found.filter(
        length > timedelta(minutes=settings.gap_minutes),
        length <= longest if longest is not None else pl.lit(True),
        pl.col("by_chance_a_year") <= settings.gap_false_alarms,
    )
    return deep.with_columns(
        end_at=pl.when(~pl.col("open")).then("end_at"), expected=pl.col("expected").clip(0).round(1)
    ).select(pl.col(c).cast(t) for c, t in GAPS.items())


def _silences(activity: pl.DataFrame, as_of: datetime, settings: Settings) -> pl.DataFrame:
    """Return the times between two events of a line that outlast the vendor's retries: line, start_at, end_at (null: not over)."""
    ordered = activity.sort("line", "slot").select(
        "line", start_at="last_at", end_at=pl.col("first_at").shift(-1).over("line")
    )
    length = pl.col("end_at").fill_null(as_of) - pl.col("start_at")
    return ordered.filter(length > timedelta(minutes=settings.gap_minutes))


def _rhythm(activity: pl.DataFrame) -> pl.DataFrame:
    """Return, for each line and hour of the week: surprise and events of one silent hour, and their sums over the week before it."""
    hour = pl.col("slot") // _SLOTS_AN_HOUR
    spans = activity.group_by("line").agg(first=hour.min(), hours=hour.max() - hour.min() + 1)
    seen = activity.group_by("line", cell=(hour % _WEEK)).agg(active=pl.len(), events=pl.col("events").sum())
    cells = (
        spans.join(pl.DataFrame({"cell": pl.int_range(_WEEK, eager=True)}), how="cross")
        .join(seen, on=["line", "cell"], how="left")
        .with_columns(pl.col("active", "events").fill_null(0))
        .with_columns(
            had=pl.col("hours") // _WEEK
            + ((pl.col("cell") - pl.col("first")) % _WEEK < pl.col("hours") % _WEEK).cast(pl.Int64),
            of_day=pl.col("cell") % 24,
        )
        .with_columns(slots=pl.col("had") * _SLOTS_AN_HOUR)
    )
    hourly = (pl.col("active").sum().over("line", "of_day") + 0.5) / (pl.col("slots").sum().over("line", "of_day") + 1)
    chance = (pl.col("active") + _HOURLY_WEIGHT * hourly) / (pl.col("slots") + _HOURLY_WEIGHT)
    cells = cells.sort("line", "cell").select(
        "line",
        "cell",
        surprise_hour=-_SLOTS_AN_HOUR * (1 - chance.clip(upper_bound=1 - 1e-6)).log(),
        events_hour=pl.col("events") / pl.col("had").clip(lower_bound=1),
    )
    return cells.with_columns(
        (pl.col(f"{c}_hour").cum_sum().over("line") - pl.col(f"{c}_hour")).alias(f"{c}_before")
        for c in ("surprise", "events")
    ).with_columns(pl.col(f"{c}_hour").sum().over("line").alias(f"{c}_week") for c in ("surprise", "events"))


def _unevenness(activity: pl.DataFrame) -> pl.DataFrame:
    """Return, for each line, how much its days differ beyond chance: the variance of (slots of a day / usual for its weekday)."""
    day = pl.col("slot") // (24 * _SLOTS_AN_HOUR)
    ends = activity.group_by("line").agg(first=day.min(), last=day.max())
    days = (
        ends.select("line", day=pl.int_ranges(pl.col("first") + 1, "last"))
        .explode("day", empty_as_null=False, keep_nulls=False)
        .join(activity.group_by("line", day=day).agg(slots=pl.len()), on=["line", "day"], how="left")
        .with_columns(pl.col("slots").fill_null(0), weekday=pl.col("day") % 7)
        .with_columns(usual=pl.col("slots").mean().over("line", "weekday"), weeks=pl.len().over("line", "weekday"))
        .filter(pl.col("usual") > 0, pl.col("weeks") > 1)
    )
    told = days.group_by("line").agg(
        uneven=((pl.col("slots") / pl.col("usual") - 1) ** 2 * pl.col("weeks") / (pl.col("weeks") - 1)).mean()
        - (1 / pl.col("usual")).mean()
    )
    return (
        ends.select("line").join(told, on="line", how="left").with_columns(pl.col("uneven").fill_null(1.0).clip(0.01))
    )


def _between(found: pl.DataFrame, rhythm: pl.DataFrame, start: str, end: str) -> pl.DataFrame:
    """Return ``found`` with the surprise and the expected events between two instants of each row, rows in their order."""
    sums = []
    for at in (start, end):
        ms = pl.col(at).dt.epoch("ms")
        placed = found.select(
            "line", week=ms // (_HOUR_MS * _WEEK), cell=ms // _HOUR_MS % _WEEK, part=ms % _HOUR_MS / _HOUR_MS
        )
        told = placed.join(rhythm, on=["line", "cell"], how="left", maintain_order="left")
        sums.append(
            told.select(
                (pl.col("week") * pl.col(f"{c}_week") + pl.col(f"{c}_before") + pl.col("part") * pl.col(f"{c}_hour")).alias(c)
                for c in ("surprise", "events")
            )
        )  # fmt: skip
    return found.with_columns(
        surprise=sums[1]["surprise"] - sums[0]["surprise"], expected=sums[1]["events"] - sums[0]["events"]
    )


def _chances(found: pl.DataFrame, activity: pl.DataFrame) -> pl.DataFrame:
    """Return ``found`` with how often a year such a silence comes by itself on this line, and how long the line is known."""
    lives = activity.group_by("line").agg(
        known=pl.col("last_at").max() - pl.col("first_at").min(), slots_seen=pl.len().cast(pl.Float64)
    )
    tails = found.group_by("line").agg(
        silences=pl.len().cast(pl.Float64),
        middle=pl.col("surprise").median(),
        top=pl.col("surprise").quantile(_TRIM, "lower"),
    )
    # a day's factor that varies (gamma) makes long silences likelier than independent slots would: a negative binomial's zero
    found = found.with_columns(surprise=(1 + pl.col("uneven") * pl.col("surprise")).log() / pl.col("uneven"))
    told = found.join(lives, on="line", maintain_order="left").join(tails, on="line", maintain_order="left")
    excess = pl.when(pl.col("surprise").is_between("middle", "top")).then(pl.col("surprise") - pl.col("middle"))
    spread = (excess.mean().over("line") / _TRIM_BIAS).clip(lower_bound=1.0)
    years = pl.col("known").dt.total_milliseconds() / _YEAR_MS
    few = pl.col("silences") < 20  # too few silences for a tail of its own: every slot is taken as independent
    return told.with_columns(
        by_chance_a_year=pl.when(few)
        .then(pl.col("slots_seen") / years * (-pl.col("surprise")).exp())
        .otherwise(pl.col("silences") / years * 0.5 * (-(pl.col("surprise") - pl.col("middle")) / spread).exp())
    )


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
        hours: SIGNALS_HOUR; the order is kept.
        gaps: GAPS.
        within: the reply window.

    Returns:
        SIGNALS_HOUR and ``blind`` (1 or 0).
    """
    if gaps.is_empty():
        return hours.with_columns(blind=pl.lit(0, dtype=pl.Int64))
    told = blind(hours.rename({"hour": "at"}), gaps, within=within + timedelta(hours=1)).rename({"at": "hour"})
    counts = [c for c in ("mature", "replied", "new_mature", "new_replied") if c in hours.columns]
    return told.with_columns(
        pl.when("blind").then(pl.lit(0, dtype=pl.Int64)).otherwise(pl.col(c)).alias(c) for c in counts
    ).with_columns(pl.col("blind").cast(pl.Int64))
