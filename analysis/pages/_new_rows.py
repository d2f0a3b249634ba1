"""Bursts and hours in; the frames of the charts, the cells of the tables and the rows to download out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import log

import polars as pl

from analysis.charts.new import BURST_GAPS, BURSTS, CALENDAR, MARKED_DAYS, NO_DATA
from analysis.pages import _html as html
from analysis.pages import _new as new
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._frames import ms
from analysis.pages._new import Burst
from analysis.pages._store import Here, address

TOO_EARLY = "too early to say"
LABELS = 5
"""Marks that may carry words: the largest that a fall followed."""
CHART_WIDTH, CHART_HEIGHT, LETTER, LETTER_HIGH, MARK = 700, 280, 7.0, 16, 12
"""Pixels of the bursts' chart, a letter and a mark, by which words that would touch a mark are left out."""
DAY_MS = 86_400_000.0
EPOCH = datetime(1970, 1, 1)
STEPS = ((1, 2, 3, 5), (1, 5, 10, 20), (1, 10, 25, 50), (1, 25, 50, 100), (1, 50, 100, 250))
"""Least openers an hour of each class above none; the first whose last class is not far below the fullest hour is taken."""
FAR = 2.5
SHORT = {"none": "No fall", "AT_RISK": "At risk", "CRITICAL": "Critical"}
HEADS = [
    ("Line", False),
    ("Length", True),
    ("Opened in 24 h", True),
    ("Usual day", True),
    ("Times usual", True),
    ("Median gap", True),
    ("Answered", True),
    ("Within 72 h of its start", False),
    ("", False),
]


def short_names(lines: list[str]) -> dict[str, str]:
    """Return lines as charts name them: the last four digits, the whole number where two lines share them."""
    ends = Counter(line[-4:] for line in lines)
    return {line: words.ending(line) if ends[line[-4:]] == 1 else words.line_name(line) for line in lines}


# ------------------------------------------------------------------ bursts


def burst_marks(found: list[Burst], names: dict[str, str], window: tuple[float, float], here: Here) -> pl.DataFrame:
    """Return BURSTS of the bursts that have a usual; words beside the largest that a fall followed, where there is room."""
    rows = [
        (
            ms(b.start, here.zone),
            float(b.times or 0),
            float(b.peak),
            SHORT.get(b.outcome, "Other"),
            f"{names[b.line]}: {b.peak:,} opened",
            f"{words.line_name(b.line)}, {words.moment(b.start, here.zone)}: {b.peak:,} opened in a day, usually "
            f"{new.usual_words(b)} ({new.times_words(b)}). {new.followed_words(b)}.",
        )
        for b in found
        if b.usual
    ]
    largest = sorted((r for r in rows if r[3] in ("At risk", "Critical")), key=lambda r: -r[2])[:LABELS]
    sides = _roomy(largest, rows, window)
    told = [(*r[:4], r[4] if r in sides else "", sides.get(r, False), r[5]) for r in rows]
    return pl.DataFrame(told, schema=BURSTS, orient="row")


def _roomy(largest: list[tuple], rows: list[tuple], window: tuple[float, float]) -> dict[tuple, bool]:
    """Return the rows whose words fit in the picture and touch neither a mark nor words placed before: whether left of the mark."""
    if not rows:
        return {}
    low, high = min(r[1] for r in rows), max(r[1] for r in rows)
    place = [
        (
            CHART_WIDTH * (r[0] - window[0]) / (window[1] - window[0]),
            CHART_HEIGHT * log(high / r[1]) / (log(high / low) or 1.0),
        )
        for r in rows
    ]
    sides: dict[tuple, bool] = {}
    boxes: list[tuple[float, float, float]] = []
    for r in largest:
        x, y = place[rows.index(r)]
        wide = MARK + LETTER * len(r[4])
        others = [(px - MARK, px + MARK, py) for row, (px, py) in zip(rows, place, strict=True) if row is not r]
        for left in (False, True):
            box = (x - wide, x - MARK, y) if left else (x + MARK, x + wide, y)
            touching = any(box[0] < b[1] and b[0] < box[1] and abs(y - b[2]) < LETTER_HIGH for b in [*others, *boxes])
            if not touching and box[0] > 0 and box[1] < CHART_WIDTH:
                sides[r] = left
                boxes.append(box)
                break
    return sides


def base_rate(
    marked: pl.DataFrame, falls: pl.DataFrame, found: list[Burst], since: datetime, as_of: datetime
) -> tuple[int, int]:
    """Return hours outside bursts that a fall of the line followed within FOLLOW_HOURS, and all such hours.

    Counted are hours of the period in which the line's health was known and not critical already, old enough to tell.

    Args:
        marked: line, hour, health.
        falls: line and at of each worsening of health.
        found: the bursts; hours from a burst's start to its end are left out.
        since: start of the period.
        as_of: latest event.
    """
    span = timedelta(hours=new.FOLLOW_HOURS)
    held = pl.DataFrame(
        [(b.line, b.start, b.end) for b in found],
        schema={"line": pl.String, "start": pl.Datetime("ms"), "end": pl.Datetime("ms")},
        orient="row",
    )
    hours = marked.filter(
        pl.col("hour") >= since, pl.col("hour") <= as_of - span, pl.col("health").is_in(["HEALTHY", "AT_RISK"])
    ).select("line", "hour")
    rest = (
        hours.sort("hour")
        .join_asof(
            held.sort("start"), left_on="hour", right_on="start", by="line", strategy="backward", check_sortedness=False
        )
        .filter(pl.col("end").is_null() | (pl.col("hour") >= pl.col("end")))
    )
    nearest = falls.select("line", pl.col("at").cast(pl.Datetime("ms"))).sort("at")
    seen = rest.join_asof(
        nearest,
        left_on="hour",
        right_on="at",
        by="line",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    hit = seen.filter(pl.col("at") - pl.col("hour") <= span).height
    return hit, seen.height


def cells(b: Burst, gap: float | None, here: Here) -> list[str]:
    """Return a burst's cells under HEADS."""
    link = address(line=words.line_key(b.line), at=b.key)
    query = "&amp;".join(f"{k}={html.text(v)}" for k, v in link.items())
    start = html.text(words.moment(b.start, here.zone))
    if b.fall:
        cause = words.DRIVER_WORDS[b.fall.drivers[0].driver]
        what = f"{html.badge(b.outcome)} <small>after {words.lasting(new.since_start(b))}; main cause: {html.text(cause.lower())}</small>"
    else:
        what = html.text(new.followed_words(b))
    why = f'<a href="why?{query}" target="_self" aria-label="Why {html.text(words.line_name(b.line))} fell">Why →</a>'
    return [
        f"<b>{html.text(words.line_name(b.line))}</b><small>{start}</small>",
        words.lasting(b.hours),
        f"{b.peak:,}",
        new.usual_words(b),
        new.times_words(b),
        new.gap_words(gap),
        answered(b.replied, b.mature),
        what,
        why if b.fall else "",
    ]


def answered(replied: int, mature: int) -> str:
    """Return counts, with the rate where there are enough of them."""
    if not mature:
        return TOO_EARLY
    counts = f"{replied:,} of {mature:,}"
    return f"{words.percent(replied / mature)} ({counts})" if mature >= new.LEAST_SENDS else counts


def burst_csv(found: list[Burst]) -> pl.DataFrame:
    """Return bursts as rows to download; instants are UTC."""
    return pl.DataFrame(
        [
            (b.line, b.start, b.end, b.peak, b.usual, b.times, b.opened, b.mature, b.replied, new.OUTCOMES[b.outcome], b.fall_at,
             b.fall.drivers[0].driver if b.fall else None)
            for b in found
        ],
        schema={
            "line": pl.String,
            "start_utc": pl.Datetime("ms"),
            "end_utc": pl.Datetime("ms"),
            "opened_fullest_24h": pl.Int64,
            "usual_day": pl.Float64,
            "times_usual": pl.Float64,
            "opened_start_to_end": pl.Int64,
            "old_enough": pl.Int64,
            "answered": pl.Int64,
            "followed_by": pl.String,
            "fall_at_utc": pl.Datetime("ms"),
            "main_cause": pl.String,
        },
        orient="row",
    )  # fmt: skip


# ------------------------------------------------------------------ gaps


def gap_marks(rows: list[tuple[Burst, list[float]]], names: dict[str, str], here: Here) -> pl.DataFrame:
    """Return BURST_GAPS, closest median first; bursts with a single opener have no gap and are left out."""
    told = []
    for b, minutes in rows:
        if not minutes:
            continue
        label = f"{names[b.line]}, {words.day(b.start, here.zone)}"
        small, middle = min(minutes), float(pl.Series(minutes).median() or 0)  # type: ignore[arg-type]
        tip = f"{words.line_name(b.line)}, {words.moment(b.start, here.zone)}: smallest gap {new.gap_words(small)}, median {new.gap_words(middle)}, {words.plural(len(minutes), 'gap')}"
        told.append((label, small, middle, tip))
    return pl.DataFrame(sorted(told, key=lambda r: (r[2], r[0])), schema=BURST_GAPS, orient="row")


def gaps_title(rows: list[tuple[Burst, list[float]]]) -> str:
    """Return the finding: the gap under which half of all gaps lie."""
    pooled = [m for _, minutes in rows for m in minutes]
    if not pooled:
        return "Gaps between openers"
    half = float(pl.Series(pooled).median() or 0)  # type: ignore[arg-type]
    return f"Inside a burst, half of the openers came within {new.gap_words(half)} of the one before"


# ------------------------------------------------------------------ calendar


@dataclass(frozen=True)
class Month:
    """The calendar's cells, its classes, its marked days and its finding."""

    cells: pl.DataFrame
    days: pl.DataFrame
    no_data: pl.DataFrame
    levels: list[str]
    title: str


def by_clock(hours: pl.DataFrame, p: new.Period, here: Here) -> pl.DataFrame:
    """Return openers by line, day and hour of the zone's clock, hours without any left out: line, day, clock, opened, mature, replied."""
    local = pl.col("hour").dt.replace_time_zone("UTC").dt.convert_time_zone(str(here.zone)).dt.replace_time_zone(None)
    return (
        hours.filter(pl.col("hour") >= p.start, pl.col("new_conversations") > 0)
        .group_by("line", day=local.dt.date(), clock=local.dt.hour().cast(pl.Int64))
        .agg(
            opened=pl.col("new_conversations").sum(),
            mature=pl.col("new_mature").sum(),
            replied=pl.col("new_replied").sum(),
        )
        .sort("line", "day", "clock")
    )


def month(clock: pl.DataFrame, p: new.Period, found: list[Burst], chosen: date | None, here: Here) -> Month:
    """Return the calendar of a period; a chosen day and days in which a burst began are outlined."""
    whole = pl.DataFrame({"day": [p.first.date() + timedelta(days=d) for d in range(p.days)]}).join(
        pl.DataFrame({"clock": list(range(24))}, schema={"clock": pl.Int64}), how="cross"
    )
    fleet = clock.group_by("day", "clock").agg(pl.col("opened").sum())
    told = (
        whole.join(fleet, on=["day", "clock"], how="left")
        .with_columns(pl.col("opened").fill_null(0))
        .sort("day", "clock")
    )
    now = words.wall(here.as_of, here.zone)
    told = told.filter((pl.col("day") < now.date()) | (pl.col("clock") <= now.hour))
    most = int(told["opened"].max() or 0)  # type: ignore[arg-type]
    steps = next((s for s in STEPS if most <= FAR * s[-1]), STEPS[-1])
    levels = ["none", *(_class(a, b) for a, b in zip(steps, (*steps[1:], None), strict=True))]
    level = pl.lit(levels[0])
    for least, name in zip(steps, levels[1:], strict=True):
        level = pl.when(pl.col("opened") >= least).then(pl.lit(name)).otherwise(level)
    t0 = pl.col("day").cast(pl.Datetime("ms")).dt.epoch("ms").cast(pl.Float64)
    lost = quality.hours_without(here, p.start, here.as_of).rename({"tip": "lost"})
    told = told.with_columns(t=t0 + pl.col("clock") * 3_600_000.0).join(lost, on="t", how="left", maintain_order="left")
    unknown = told.filter(pl.col("lost").is_not_null())
    hour = pl.col("clock").cast(pl.Float64)
    begun = {words.wall(b.start, here.zone).date() for b in found}
    marked = sorted(begun | ({chosen} if chosen else set()))
    days = [(at, at + DAY_MS, d == chosen) for d in marked for at in [(d - date(1970, 1, 1)).days * DAY_MS]]
    return Month(
        told.select(
            day=pl.col("day").cast(pl.String),
            t0=t0,
            t1=t0 + DAY_MS,
            hour=hour,
            hour_end=hour + 1,
            level=level,
            tip=pl.format("{}, {}:00: {} opened{}", pl.col("day").dt.strftime("%a %-d %b"), pl.col("clock").cast(pl.String).str.zfill(2), "opened", pl.format(". {}", "lost").fill_null("")),
        ).select(CALENDAR.names()),
        pl.DataFrame(days, schema=MARKED_DAYS, orient="row"),
        unknown.select(t0=t0, t1=t0 + DAY_MS, hour=hour, hour_end=hour + 1).select(NO_DATA.names()),
        levels,
        _fullest(told, most),
    )  # fmt: skip


def _class(least: int, following: int | None) -> str:
    if following is None:
        return f"{least:,}+"
    return f"{least:,}" if following == least + 1 else f"{least:,}–{following - 1:,}"


def _fullest(told: pl.DataFrame, most: int) -> str:
    if not most:
        return "No conversation was opened in these days"
    top = told.filter(pl.col("opened") == most).row(0, named=True)
    return f"When conversations were opened: the fullest hour was {top['day'].day} {top['day']:%b}, {top['clock']:02d}:00, with {most:,}"


def named(lines: pl.DataFrame) -> pl.DataFrame:
    """Return line and name of each line."""
    own = lines["line"].to_list()
    return pl.DataFrame(
        {"line": own, "name": [words.line_name(line) for line in own]}, schema={"line": pl.String, "name": pl.String}
    )


def day_rows(clock: pl.DataFrame, day: date, names: pl.DataFrame) -> pl.DataFrame:
    """Return a day's openers by hour and line as the table shows them, in the order of the clock, most first; ``line`` stays beside.

    Args:
        clock: what ``by_clock`` returned.
        day: the day to list.
        names: line and name.
    """
    return (
        clock.filter(pl.col("day") == day, pl.col("opened") > 0)
        .join(names, on="line", how="left")
        .sort("clock", "opened", "line", descending=[False, True, False])
        .select(
            "line",
            Hour=pl.format("{}:00", pl.col("clock").cast(pl.String).str.zfill(2)),
            Line="name",
            Opened="opened",
            Answered=pl.when(pl.col("mature") > 0)
            .then(pl.format("{} of {}", "replied", "mature"))
            .otherwise(pl.lit(TOO_EARLY)),
        )
    )


def day_title(rows: pl.DataFrame, day: date) -> str:
    """Return the finding over a day's list."""
    name = f"{day:%a} {day.day} {day:%b}"
    if not rows.height:
        return f"{name}: no conversation was opened"
    by_hour = rows.group_by("Hour").agg(pl.col("Opened").sum()).sort("Opened", "Hour", descending=[True, False])
    n, lines = int(rows["Opened"].sum()), rows["Line"].n_unique()
    return f"{name}: {words.plural(n, 'conversation')} opened on {words.plural(lines, 'line')}, most at {by_hour['Hour'][0]} ({by_hour['Opened'][0]:,})"
