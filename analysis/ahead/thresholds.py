"""What was known at past hours and the falls that followed in; above which level of a behaviour falls are twice as frequent, out.

Behaviours are those a sender chooses or causes: new conversations, sends, late follow-ups and failures a day. Volume alone is no cause, so
where a level shows only on days with few replies, it is said so. What goes together need not be cause and effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.features import DAY
from analysis.ahead.levels import LEAST_FALLS, TWICE, Level, apart_from, level_of, numbered
from analysis.ahead.model import TICK_HOURS, Array, came, labelled
from analysis.ahead.rows import Rows, by_lines, keys_of, times_of, up_to
from analysis.explain.constants import HOUR
from analysis.explain.words import count, plural
from analysis.signals.grid import Ints

BEHAVIOURS = {
    "openers": "new_conversations",
    "sends": "outbound",
    "follow_ups": "unanswered_turns",
    "failures": "failed",
}
"""What is counted over 24 h, by its column of SIGNALS_HOUR."""
WITHIN = (24, 72)
"""Hours after such a day in which a fall counts as after it; the shorter is tried first."""
COLUMNS = tuple(f"{behaviour}_{hours}" for behaviour in BEHAVIOURS for hours in WITHIN)
FEW_REPLIES = 1.0
"""``silent_today`` from here on: at most half of the messages received that are usual for so many sends."""
GROUP_LINES = 20
"""Lines of each third by volume, or all lines are one group: fewer can't show a level of their own."""
KINDS = 4
"""Days are alike in a behaviour where it is in the same of so many classes: even halves at or below its level, and above it."""
THIRDS = ("small", "middle", "large")

THRESHOLDS = pl.Schema(
    {
        "behaviour": pl.String,  # of BEHAVIOURS
        "line_group": pl.String,  # "all", or a third by sends a day: "small", "middle", "large"
        "group_low": pl.Float64,  # mean sends a day of its least and its busiest line
        "group_high": pl.Float64,
        "lines": pl.Int64,
        "answer": pl.String,  # "level" | "goes with" | "no level" | "not enough data"
        "goes_with": pl.String,  # the behaviour whose level tells the same falls better
        "days_with": pl.String,  # "all" | "few replies": on which days the level shows
        "within_hours": pl.Int64,
        "level": pl.Float64,  # above so many a day; null without a level
        "level_low": pl.Float64,
        "level_high": pl.Float64,
        "times": pl.Float64,  # as frequent above; null where none fell at or below
        "held_out": pl.Float64,  # the same on lines that did not choose the level
        "held_out_low": pl.Float64,
        "held_out_high": pl.Float64,
        "p_chance": pl.Float64,
        "line_days": pl.Float64,
        "falls": pl.Int64,
        "line_days_above": pl.Float64,
        "falls_above": pl.Int64,
        "line_days_few_replies": pl.Float64,  # of those above: on days with few replies
        "falls_few_replies": pl.Int64,
        "sentence": pl.String,
    }
)
"""One row a behaviour and group of lines, key (behaviour, line_group)."""

_NOUNS = {
    "openers": ("opening more than {} a day", "of new conversations a day", "new conversations"),
    "sends": ("more than {} sends a day", "of sends a day", "sends"),
    "follow_ups": ("more than {} late follow-ups a day", "of late follow-ups a day", "late follow-ups"),
    "failures": ("more than {} failed sends a day", "of failed sends a day", "failed sends"),
}


@dataclass(frozen=True)
class _Group:
    name: str
    low: float
    high: float
    lines: list[str]


def thresholds_of(
    past: pl.DataFrame, hours: pl.DataFrame, transitions: pl.DataFrame, *, until: datetime
) -> pl.DataFrame:
    """Return for each behaviour and group of lines the level above which falls are at least twice as frequent, or that none shows.

    Args:
        past: HOURLY every TICK_HOURS, all lines.
        hours: SIGNALS_HOUR of the same time.
        transitions: TRANSITIONS.
        until: UTC; nothing later is looked at.

    Returns:
        THRESHOLDS: all lines first, then the thirds; behaviours in the order of BEHAVIOURS.
    """
    ticks = _ticks(past, hours, transitions, until)
    rows = [row for group in _groups(ticks) for row in _rows(group, ticks.filter(pl.col("line").is_in(group.lines)))]
    return pl.DataFrame(rows, schema=THRESHOLDS, orient="row")


def _ticks(past: pl.DataFrame, hours: pl.DataFrame, transitions: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Return healthy ticks whose next tick came by ``until``, each with whether a fall came before the next, and what was done.

    ``openers_24``: the most in any 24 h that ended at most 24 h before the tick, or after it while the line was healthy still (some vendors
    answer a burst within the hour); so for each behaviour and hours.
    """
    ticks = labelled(past.select("line", "hour", "health", "known_days", "sends_24h", "silent_today"), transitions)
    ticks = ticks.filter(pl.col("health") == "HEALTHY", pl.col("at") <= until - timedelta(hours=TICK_HOURS))
    ticks = ticks.select("line", "hour", "at", "sends_24h", "silent_today", fell=pl.Series(came(ticks, TICK_HOURS) > 0))
    none = ticks.clear().with_columns(pl.lit(0, dtype=pl.Int64).alias(name) for name in COLUMNS)
    if ticks.is_empty():
        return none
    of_lines = ticks.partition_by("line", as_dict=True)
    found = [none]
    for some in by_lines(hours):
        known = up_to(some, until - timedelta(milliseconds=1))
        if known.is_empty():
            continue
        rows = Rows.of(known, until - timedelta(hours=1))
        if own := [of_lines[line,] for line in rows.lines.names if (line,) in of_lines]:
            found.append(_with_most(pl.concat(own), rows))
    return pl.concat(found)


def _with_most(ticks: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Return ticks of the lines of some rows with COLUMNS, those without them left out.

    Args:
        ticks: in order of line and time.
        rows: hourly signals of these lines.
    """
    at = rows.every(TICK_HOURS)
    till = keys_of(rows.lines.numbers(ticks), times_of(ticks, "hour") + TICK_HOURS * HOUR)
    there = keys_of(rows.number[at], rows.hour[at])
    place = np.minimum(np.searchsorted(there, till), len(there) - 1)
    done = ticks.with_columns(pl.Series(name, values[place]) for name, values in _most_in_a_day(rows, at).items())
    return done.filter(pl.Series(there[place] == till), *(pl.col(name) >= 0 for name in COLUMNS))


def _most_in_a_day(rows: Rows, at: Ints) -> dict[str, Ints]:
    """Return by COLUMNS, for rows TICK_HOURS apart (each line's last may be nearer), the most in any 24 h of so many hours and TICK_HOURS more; -1 where never healthy."""
    healthy, every = rows.is_state("health", "HEALTHY", unknown=False), np.arange(len(rows.hour))
    first = np.searchsorted(rows.number[at], rows.number[at])
    found = {}
    for behaviour, column in BEHAVIOURS.items():
        day = np.where(healthy, rows.summed(rows.count(column), DAY, every), -1)
        steps = rows.largest(day, TICK_HOURS, at)
        most, back = steps, 0
        for hours in WITHIN:
            while back < hours // TICK_HOURS:
                back += 1
                most = np.maximum(most, steps[np.maximum(np.arange(len(at)) - back, first)])
            found[f"{behaviour}_{hours}"] = most
    return found


def _groups(ticks: pl.DataFrame) -> list[_Group]:
    """Return all lines, and thirds by volume where each has enough lines."""
    volume = ticks.group_by("line").agg(pl.col("sends_24h").mean()).sort("sends_24h", "line")
    if volume.is_empty():
        return [_Group("all", 0.0, 0.0, [])]
    parts = {"all": volume}
    if volume.height >= GROUP_LINES * len(THIRDS):
        cuts = [round(volume.height * i / len(THIRDS)) for i in range(len(THIRDS) + 1)]
        parts |= {name: volume[a:b] for name, a, b in zip(THIRDS, cuts, cuts[1:], strict=False)}
    return [
        _Group(name, float(part["sends_24h"][0]), float(part["sends_24h"][-1]), part["line"].to_list())
        for name, part in parts.items()
    ]


@dataclass(frozen=True)
class _Found:
    """A level that shows, and the ticks on which it does."""

    level: Level
    days_with: str
    within: int
    ticks: pl.DataFrame

    def column(self, behaviour: str) -> str:
        return f"{behaviour}_{self.within}"


def _rows(group: _Group, ticks: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return a row a behaviour. Behaviours come together on busy days: one counts where it shows among days alike in the stronger ones."""
    found = {behaviour: f for behaviour in BEHAVIOURS if (f := _first(behaviour, ticks)) is not None}
    beside: dict[str, str] = {}
    stronger: list[str] = []
    for behaviour in sorted(found, key=lambda b: -found[b].level.gain):
        if stronger and not _by_itself(behaviour, found, stronger):
            beside[behaviour] = stronger[0]
        else:
            stronger.append(behaviour)
    return [_row(behaviour, group, ticks, found.get(behaviour), beside.get(behaviour)) for behaviour in BEHAVIOURS]


def _first(behaviour: str, ticks: pl.DataFrame) -> _Found | None:
    """Return the first level that shows: on all days before days with few replies, within a day before within three."""
    for condition, hours in ((c, h) for c in ("all", "few replies") for h in WITHIN):
        some = ticks if condition == "all" else ticks.filter(pl.col("silent_today") >= FEW_REPLIES)
        level = _level(some, f"{behaviour}_{hours}", TICK_HOURS / 24)
        if level is not None and level.shows:
            return _Found(level, condition, hours, some)
    return None


def _by_itself(behaviour: str, found: dict[str, _Found], stronger: list[str]) -> bool:
    """Say whether falls are twice as frequent above its level among ticks that are alike in the stronger behaviours."""
    mine = found[behaviour]
    strata = np.zeros(mine.ticks.height, dtype=np.int64)
    for other in stronger:
        x = mine.ticks[found[other].column(other)].to_numpy()
        strata = strata * (KINDS + 1) + np.searchsorted(_edges(x, found[other].level.level), x, side="left")
    strata = numbered(strata)
    above = (mine.ticks[mine.column(behaviour)].to_numpy() > mine.level.level).astype(float)
    unit = mine.ticks["line"].rle_id().to_numpy().astype(np.int64)
    ratio, low = apart_from(above, mine.ticks["fell"].to_numpy().astype(float), unit, strata)
    return ratio >= TWICE and low > 1


def _edges(x: Array, level: float) -> Array:
    """Return where to cut a behaviour into KINDS: at its level, and evenly on both sides of it."""
    cuts = [level]
    for side in (x[x <= level], x[x > level]):
        if len(side):
            cuts.extend(np.quantile(side, [i / (KINDS // 2) for i in range(1, KINDS // 2)]).tolist())
    return np.unique(cuts)


def _row(
    behaviour: str, group: _Group, ticks: pl.DataFrame, found: _Found | None, beside: str | None
) -> tuple[Any, ...]:
    tick_days, falls = TICK_HOURS / 24, int(ticks["fell"].sum())
    answer = "not enough data" if falls < LEAST_FALLS else "no level"
    of_days = found.ticks if found else ticks
    line_days, falls = of_days.height * tick_days, int(of_days["fell"].sum())
    head = (behaviour, group.name, group.low, group.high, len(group.lines))
    if found is None:
        told = _none(behaviour, answer, falls, line_days)
        return *head, answer, None, "all", WITHIN[0], *(None,) * 8, line_days, falls, *(None,) * 4, told
    level, sides = found.level, found.level.sides
    few = of_days.filter(pl.col(found.column(behaviour)) > level.level, pl.col("silent_today") >= FEW_REPLIES)
    told = _level_words(behaviour, level, found.days_with, found.within)
    if beside:
        told = f"{told} But not more often than {_NOUNS[beside][2]} of the same days tell: by itself it does not show."
    else:
        told += _few_words(found.days_with, few, tick_days)
    return (
        *head,
        "goes with" if beside else "level",
        beside,
        found.days_with,
        found.within,
        level.level,
        level.low,
        level.high,
        sides.ratio,
        level.held_out,
        level.held_out_low,
        level.held_out_high,
        level.p_chance,
        line_days,
        falls,
        sides.days_above,
        sides.falls_above,
        few.height * tick_days,
        int(few["fell"].sum()),
        told,
    )


def _level(ticks: pl.DataFrame, name: str, tick_days: float) -> Level | None:
    if ticks.is_empty():
        return None
    line = ticks["line"].rle_id().to_numpy()
    week = ticks.select((pl.col("at") - pl.col("at").min()).dt.total_days() // 7).to_series().to_numpy()
    return level_of(
        ticks[name].to_numpy(),
        ticks["fell"].to_numpy().astype(np.float64),
        line.astype(np.int64),
        week,
        tick_days=tick_days,
    )


def _level_words(behaviour: str, found: Level, days_with: str, within: int) -> str:
    """Return "Within 24 h of opening more than 38 a day (24 to 61) lines fall 3.1 times as often: 21 falls in 310 line-days, else 60 in 2,700"."""
    sides = found.sides
    what = _NOUNS[behaviour][0].format(f"{count(found.level)} ({count(found.low)} to {count(found.high)})")
    when = "On days with few replies, within" if days_with == "few replies" else "Within"
    times = f"{_times(sides.ratio)} as often" if sides.ratio else "and only then"
    return (
        f"{when} {within} h of {what} lines fall {times}: {plural(sides.falls_above, 'fall')} in {count(sides.days_above)} line-days, "
        f"else {count(sides.falls_below)} in {count(sides.days_below)}. On lines that did not choose this level {_times(found.held_out)} "
        f"({count(round(found.held_out_low, 1))} to {count(round(found.held_out_high, 1))})."
    )


def _times(ratio: float) -> str:
    return f"{count(round(ratio, 1))} times"


def _few_words(days_with: str, few: pl.DataFrame, tick_days: float) -> str:
    """Return how much of what is above the level goes with few replies: many sends alone are no cause."""
    if days_with != "all":
        return ""
    return f" With few replies: {count(int(few['fell'].sum()))} of these falls, {count(few.height * tick_days)} of these line-days."


def _none(behaviour: str, answer: str, falls: int, line_days: float) -> str:
    noun = _NOUNS[behaviour][1]
    told = f"{plural(falls, 'fall')} in {plural(round(line_days), 'line-day')}"
    if answer == "not enough data":
        return f"Not enough data for a level {noun}: {told}; it takes {LEAST_FALLS}."
    return f"No level {noun} shows above which lines fall twice as often: {told}."
