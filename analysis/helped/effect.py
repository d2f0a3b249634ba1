"""A grid and one action in; for each measure its change beyond what would have come without the action, with an interval, out.

An action is taken when things are worst, and the worst week is followed by a better one anyhow. So a change is compared with that of weeks
that began equally far from their usual: the change expected without an action is a line in that distance, fitted to the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from analysis.helped.grid import GOOD, MEASURES, RATES, WEEK, WHOLE, Array, Episodes, Grid

LEAST_SIBLINGS = 5
"""Fewer other lines, or equally bad spells, are no comparison."""
LEAST_WEEKS = 3
"""Fewer earlier weeks of its own are no expectation."""
LEAST_SLOPE = 8
"""From fewer weeks no pull back to the usual is fitted: then all of the distance is taken to come back by itself."""
VOLUME = 3.0
"""A line with more than so many times the sends, or less than this part of them, is not compared."""
NEAR = 0.5
"""A spell is equally bad where its distance from usual differs by at most this part of the action's own, or by chance."""
LEAST_RATE = 30
"""Sends (or chats) before and after without which a rate is not compared (design sheet, section 6)."""
LEAST_COUNT = 10
"""Follow-ups or openers in the days before without which their number is not compared."""
LEAST_DAYS = 2
"""Whole days after the action before anything is said."""
LEVEL = 0.98
"""Of each interval: five measures together then miss at most one time in ten."""
DRAWS = 2000


@dataclass(frozen=True)
class Moment:
    """An action as the grid sees it: line (its place), first whole hour after it, and whole days that can be looked at."""

    line: int
    hour: int
    days: int


@dataclass(frozen=True)
class Effect:
    """One measure around one action; counts are of the same weekdays before and after, ``effect`` beyond the comparison's change."""

    measure: str
    top_before: float
    bottom_before: float
    top_after: float
    bottom_after: float
    effect: float | None
    """Points (share) of a rate, or a ratio minus 1; None: not compared."""
    low: float | None
    high: float | None
    against: str
    """"lines", "weeks" (its own), "spells" (equally bad, no action), "usual" (none was as bad: only what goes beyond usual counts), or why not."""
    compared: int
    """How many lines, weeks or spells."""

    @property
    def better(self) -> bool:
        """The interval lies on the good side."""
        return self.effect is not None and _oriented(self)[0] > 0

    @property
    def worse(self) -> bool:
        """The interval lies on the bad side; less than a full return to the usual is no harm."""
        return self.effect is not None and self.against != "usual" and _oriented(self)[1] < 0

    @property
    def most(self) -> float:
        """The largest gain that the interval allows; beside a full return to the usual none can be ruled out."""
        return _oriented(self)[1] if self.effect is not None and self.against != "usual" else float("inf")


def _oriented(e: Effect) -> tuple[float, float]:
    sign = GOOD[MEASURES.index(e.measure)]
    low, high = sign * float(e.low or 0.0), sign * float(e.high or 0.0)
    return min(low, high), max(low, high)


def effects_of(grid: Grid, moment: Moment, busy: Array, *, measures: tuple[str, ...] = MEASURES) -> list[Effect]:
    """Return the effect of one action on each measure.

    Args:
        grid: the fleet.
        moment: the action; it must be ``inside`` the grid.
        busy: (line, hour) where an action was taken; weeks that hold one are no comparison.
        measures: which of MEASURES; the others are left out.
    """
    own = grid.episodes([moment.line], [moment.hour], moment.days)
    trouble = grid.sick(moment.line, moment.hour - 24 * WEEK, moment.hour + 1) > 0
    rng = np.random.default_rng(crc32(f"{grid.names[moment.line]}|{moment.hour}".encode()))
    found = []
    acted = np.concatenate([np.zeros((len(busy), 1)), np.cumsum(busy, axis=1)], axis=1)
    weeks = _Weeks(grid, moment, acted, own)
    for m, measure in enumerate(MEASURES):
        if measure in measures and grid.measured[m]:
            found.append(_effect(weeks, own, m, trouble, rng))
    return found


class _Weeks:
    """What an action's week may be compared with: weeks without an action, each read once."""

    def __init__(self, grid: Grid, moment: Moment, acted: Array, own: Episodes) -> None:
        self.grid, self.moment, self.acted, self.sends = grid, moment, acted, float(own.sends[0])
        whole = grid.names[moment.line] == WHOLE
        lines = [moment.line] if whole else list(range(len(grid.names) - 1))
        earlier = np.arange(moment.hour - 24 * WEEK, 24 * WEEK - 1, -24 * WEEK)
        now = self._read([i for i in lines if i != moment.line], [moment.hour])
        past = self._read(lines, earlier)
        self.siblings = now.take(self._healthy(now))
        self.past = past.take(self._healthy(past))
        self.own_past = self.past.take(self.past.line == moment.line)
        self._spells: Episodes | None = None

    def spells(self) -> Episodes:
        """Return the weeks of lines in trouble: days on which a line was not healthy, or had not been within a week."""
        if self._spells is None:
            g, mine = self.grid, self.moment
            days = np.arange(mine.hour % 24, g.hours, 24)
            every = self._read(range(len(g.names) - 1), days, volume=2 * VOLUME)
            sick = g.sick(every.line, every.hour - 24 * WEEK, every.hour + 1) > 0
            now_like = (g.sick(every.line, every.hour, every.hour + 1) > 0) == (
                g.sick(mine.line, mine.hour, mine.hour + 1) > 0
            )
            other = (every.line != mine.line) | (np.abs(every.hour - mine.hour) >= 24 * WEEK)
            self._spells = every.take(sick & now_like & other)
        return self._spells

    def _read(self, lines: list[int] | range, hours: Array, volume: float = VOLUME) -> Episodes:
        line, hour = (
            v.ravel() for v in np.meshgrid(np.array(list(lines), dtype=np.int64), np.asarray(hours, dtype=np.int64))
        )
        days = self.moment.days
        kept = self.grid.inside(line, hour, days)
        line, hour = line[kept], hour[kept]
        free = self.acted[line, hour + 24 * days] - self.acted[line, hour - 24 * WEEK] == 0
        read = self.grid.episodes(line[free], hour[free], days)
        return read.take((read.sends <= volume * self.sends) & (read.sends * volume >= self.sends) & (read.sends > 0))

    def _healthy(self, of: Episodes) -> Array:
        return self.grid.sick(of.line, of.hour - 24 * WEEK, of.hour + 24 * self.moment.days) == 0


def _effect(weeks: _Weeks, own: Episodes, m: int, trouble: bool, rng: np.random.Generator) -> Effect:
    tops = [float(side[0, m].sum()) for side in (own.top_before, own.bottom_before, own.top_after, own.bottom_after)]
    if MEASURES[m] == "chats":  # hourly snapshots: shown as the mean number of chats
        tops = [value / (24 * weeks.moment.days) for value in tops]
    silent = Effect(MEASURES[m], tops[0], tops[1], tops[2], tops[3], None, None, None, "too few", 0)
    if not _enough(m, tops):
        return silent
    if trouble and np.isnan(own.usual[0, m]):
        return replace(silent, against="no usual")
    gap, chance = float(own.gap()[0, m]), float(own.variance()[0, m])
    expected = _expected(weeks, m, gap, chance, trouble, rng)
    if expected is None:
        return replace(silent, against="nothing as bad" if trouble else "nothing to compare")
    value = float(own.change()[0, m]) - expected.change
    noise = (
        _days_again(own, m, rng) * np.sqrt(chance)
        + expected.means
        + np.sqrt(expected.spread) * rng.standard_normal(DRAWS)
    )
    found = np.array([value, *np.quantile(value + noise, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])])
    effect, low, high = (float(v) for v in (found if m < RATES else np.expm1(found)))
    return replace(silent, effect=effect, low=low, high=high, against=expected.against, compared=expected.compared)


@dataclass(frozen=True)
class _Expected:
    """The change that comes without an action: itself, how it varies with the weeks compared, and how weeks vary around it."""

    change: float
    means: Array
    spread: float
    against: str
    compared: int


def _expected(
    weeks: _Weeks, m: int, gap: float, chance: float, trouble: bool, rng: np.random.Generator
) -> _Expected | None:
    past = _counted(weeks.past, m)
    if trouble:
        against, pool = "spells", _counted(_alike(weeks.spells(), m, gap, chance), m)
        slope = _slope(pool, m)
    else:
        against, pool = "lines", _counted(weeks.siblings, m)
        slope = _slope(_joined(past, pool), m)
        if len(pool) < LEAST_SIBLINGS:
            against, pool = "weeks", _counted(weeks.own_past, m)
    if len(pool) >= (LEAST_WEEKS if against == "weeks" else LEAST_SIBLINGS):
        rest = pool.change()[:, m] - slope * pool.gap()[:, m]
        means = rng.choice(rest, (DRAWS, len(rest))).mean(axis=1) - rest.mean()
        means *= np.sqrt(len(rest) / (len(rest) - 1))
        change, number = slope * gap + float(rest.mean()), len(pool)
    elif trouble and len(past) >= LEAST_SIBLINGS:
        # nobody was as bad and left alone: all of a bad distance may come back by itself
        against, pool, means, number = "usual", past, np.zeros(DRAWS), len(past)
        change = -gap if GOOD[m] * gap < 0 else 0.0
        rest = past.change()[:, m] + past.gap()[:, m]
    else:
        return None
    return _Expected(change, means, _spread(rest, pool.variance()[:, m]), against, number)


def _enough(m: int, tops: list[float]) -> bool:
    top_before, bottom_before, _, bottom_after = tops
    return min(bottom_before, bottom_after) >= LEAST_RATE if m < RATES else top_before >= LEAST_COUNT


def _counted(of: Episodes, m: int) -> Episodes:
    """Return the weeks in which a measure could be counted before and after."""
    if m < RATES:
        least = LEAST_RATE * (24 * of.top_before.shape[2] if MEASURES[m] == "chats" else 1)
        kept = (of.bottom_before[:, m].sum(axis=1) >= least) & (of.bottom_after[:, m].sum(axis=1) >= least)
    else:
        kept = of.top_before[:, m].sum(axis=1) >= LEAST_COUNT
    return of.take(kept & np.isfinite(of.change()[:, m]))


def _joined(a: Episodes, b: Episodes) -> Episodes:
    return Episodes(*(np.concatenate([getattr(a, name), getattr(b, name)]) for name in Episodes.__dataclass_fields__))


def _alike(of: Episodes, m: int, gap: float, chance: float) -> Episodes:
    """Return weeks that began as far from their usual, at most one in any seven days of a line, the nearest first."""
    known = of.take(np.isfinite(of.usual[:, m]) & np.isfinite(of.change()[:, m]))
    off = np.abs(known.gap()[:, m] - gap)
    near = np.flatnonzero(off <= max(NEAR * abs(gap), np.sqrt(chance)))
    kept: list[int] = []
    for i in near[np.argsort(off[near], kind="stable")]:
        mine = [j for j in kept if known.line[j] == known.line[i]]
        if all(abs(known.hour[j] - known.hour[i]) >= 24 * WEEK for j in mine):
            kept.append(int(i))
    return known.take(np.array(kept, dtype=np.int64))


def _slope(of: Episodes, m: int) -> float:
    """Return which part of a distance from usual is left behind after a week, as weeks without an action show it: from -1 to 0."""
    if len(of) < LEAST_SLOPE:
        return -1.0
    gap, change = of.gap()[:, m], of.change()[:, m]
    _, week = np.unique(of.hour, return_inverse=True)
    sizes = np.bincount(week)
    gap, change = (v - (np.bincount(week, weights=v) / sizes)[week] for v in (gap, change))
    square = float((gap**2).sum())
    return float(np.clip((gap * change).sum() / square, -1, 0)) if square > 0 else -1.0


def _spread(rest: Array, chance: Array) -> float:
    """Return the variance with which weeks without an action differ beyond counting chance."""
    return max(0.0, float(rest.var(ddof=1)) - float(chance.mean())) if len(rest) > 1 else 0.0


def _days_again(own: Episodes, m: int, rng: np.random.Generator) -> Array:
    """Return the change of days drawn again, whole days before and after, in units of its own standard deviation."""
    days = own.top_before.shape[2]
    pick = rng.integers(0, days, (2, DRAWS, days))
    sides = [
        (top[0, m][at].sum(axis=1), bottom[0, m][at].sum(axis=1))
        for at, top, bottom in zip(
            pick, (own.top_before, own.top_after), (own.bottom_before, own.bottom_after), strict=True
        )
    ]
    if m < RATES:
        levels = [top / np.maximum(bottom, 1) for top, bottom in sides]
        drawn = levels[1] - levels[0]
    else:
        drawn = np.log((sides[1][0] + 0.5) / (sides[0][0] + 0.5))
    drawn = drawn - drawn.mean()
    sd = drawn.std()
    return drawn / sd if sd > 1e-9 else rng.standard_normal(DRAWS)
