"""How much of something before each moment, and whether a fall followed, in; the level above which falls are twice as frequent, or none, out.

A level is believed where two tests agree: lines that did not choose it show it too (each half of the lines is judged by the level that the
other half chose), and moving each line's falls along its own time does not (that keeps every line's volume and its rate of falls, and
breaks only what came before what).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TWICE = 2.0
"""A level matters where falls above it are at least so many times as frequent (issue Ahead: "the risk doubles above")."""
LEAST_FALLS = 10
"""Fewer falls in all: counts only."""
LEAST_ABOVE = 5
"""A level with fewer falls above it rests on chance."""
LEAST_DAYS = 10.0
"""Line-days on either side of a level."""
LEAST_UNITS = 8
"""With fewer lines than this, weeks of a line stand in for lines: drawn and halved alike."""
LEVELS = 60
"""At most so many levels are tried, at even steps of what occurs."""
DRAWS, SPLITS, MOVES = 400, 10, 800
"""Fleets drawn from the lines for an interval; ways to halve the lines; ways to move the falls."""
_ON_ONE_CORE, _UNITS = 200_000, 200
"""Products of numbers in a product of matrices that BLAS does not share out; and lines that are summed at once."""
SURE, CHANCE = 0.95, 0.0125
"""Of intervals; and what moved falls may do as well: a twentieth, shared by the four ways in which a level is looked for (thresholds.py)."""
SEED = 20260301
"""Draws are the same on every run, so that equal stores give equal answers."""


@dataclass(frozen=True)
class Sides:
    """Line-days and falls above a level, and at or below it."""

    days_above: float
    falls_above: int
    days_below: float
    falls_below: int

    @property
    def ratio(self) -> float | None:
        """How many times as frequent falls are above; None where there is none below, or no time on a side."""
        if not self.falls_below or not self.days_above or not self.days_below:
            return None
        return (self.falls_above / self.days_above) / (self.falls_below / self.days_below)


@dataclass(frozen=True)
class Level:
    """The level that divides best, with its interval, and how it stands both tests."""

    level: float
    low: float
    high: float
    sides: Sides
    held_out: float
    held_out_low: float
    held_out_high: float
    """How many times as frequent on lines that did not choose it, and the interval."""
    p_chance: float
    """Share of ways to move the falls in which a level divides as well."""
    gain: float
    """How much better two rates tell the falls than one: log likelihood."""

    @property
    def shows(self) -> bool:
        """Whether both tests agree."""
        return self.held_out_low > 1 and self.p_chance <= CHANCE


@dataclass(frozen=True)
class _Counts:
    """Ticks and falls above each level, by unit; and in all."""

    ticks: Array
    falls: Array
    all_ticks: Array
    all_falls: Array


def level_of(x: Array, fell: Array, line: Array, week: Array, *, tick_days: float) -> Level | None:
    """Return the level of x above which falls are most clearly at least TWICE as frequent; None where no level is.

    Args:
        x: how much there was before each tick, a whole number; ticks in order of line and time.
        fell: whether a fall came before the next tick.
        line: number of the line, from 0.
        week: number of the week.
        tick_days: days that a tick stands for.
    """
    levels = _levels(x)
    if not len(levels) or fell.sum() < LEAST_FALLS:
        return None
    unit = line if np.count_nonzero(np.bincount(line)) >= LEAST_UNITS else line * (week.max() + 1) + week
    unit = numbered(unit)
    place = np.searchsorted(levels, np.arange(x.max() + 1), side="left")[x]
    counts = _counted(place, fell, unit, len(levels))
    whole = np.ones((1, len(counts.all_ticks)))
    gain = _gain(counts, whole, tick_days)[0]
    best = int(gain.argmax())
    if not np.isfinite(gain[best]):
        return None
    rng = np.random.default_rng(SEED)
    sides = Sides(
        float(counts.ticks[:, best].sum() * tick_days),
        int(counts.falls[:, best].sum()),
        float((counts.all_ticks.sum() - counts.ticks[:, best].sum()) * tick_days),
        int(counts.all_falls.sum() - counts.falls[:, best].sum()),
    )
    low, high = _interval(counts, levels, tick_days, rng)
    held = _held_out(counts, tick_days, rng)
    p = _moved(place, fell, line, counts, gain[best], tick_days, rng)
    return Level(float(levels[best]), low, high, sides, *held, p, float(gain[best]))


def apart_from(above: Array, fell: Array, unit: Array, strata: Array) -> tuple[float, float]:
    """Return how many times as frequent falls are above among ticks alike in all else, and the lower end of its interval.

    Args:
        above: whether a tick is above the level.
        fell: whether a fall came before the next tick.
        unit: number of the line, from 0.
        strata: number of the ticks' kind, from 0: alike in the other behaviours.

    Returns:
        Rates compared within each kind and weighed together (Mantel and Haenszel's estimator for rates).
    """
    units, kinds = int(unit.max()) + 1, int(strata.max()) + 1
    place = unit * kinds + strata

    def by(weights: Array) -> Array:
        return np.bincount(place, weights=weights, minlength=units * kinds).reshape(units, kinds)

    parts = [by(w) for w in (above * fell, above * 1.0, (1 - above) * fell, (1 - above) * 1.0)]
    draws = np.random.default_rng(SEED).multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(float)
    hit, on, missed, off = (np.vstack((p.sum(axis=0), _product(draws, p))) for p in parts)
    whole = np.maximum(on + off, 1)
    ratio = ((hit * off / whole).sum(axis=1) + 0.5) / ((missed * on / whole).sum(axis=1) + 0.5)
    return float(ratio[0]), float(np.quantile(ratio[1:], (1 - SURE) / 2))


def numbered(kinds: Array) -> Array:
    """Return whole numbers numbered anew, in their order, without a hole."""
    return np.asarray((np.cumsum(np.bincount(kinds) > 0) - 1)[kinds])


def _product(weights: Array, counts: Array) -> Array:
    """Return the product of two matrices of whole numbers, a part at a time: BLAS shares larger ones out to all cores, at 20 times the cost."""
    rows = max(2, _ON_ONE_CORE // (_UNITS * counts.shape[1]))
    found = np.zeros((len(weights), counts.shape[1]))
    for i in range(0, len(weights), rows):
        for j in range(0, len(counts), _UNITS):
            found[i : i + rows] += weights[i : i + rows, j : j + _UNITS] @ counts[j : j + _UNITS]
    return found


def _levels(x: Array) -> Array:
    """Return the levels to try: what occurs, but for the largest."""
    seen = np.flatnonzero(np.bincount(x))[:-1]
    if len(seen) <= LEVELS:
        return seen
    return np.unique(np.quantile(seen, np.linspace(0, 1, LEVELS), method="nearest"))


def _counted(place: Array, fell: Array, unit: Array, levels: int) -> _Counts:
    units = int(unit.max()) + 1

    def above(weights: Array) -> Array:
        flat = np.bincount(unit * (levels + 1) + place, weights=weights, minlength=units * (levels + 1))
        return flat.reshape(units, levels + 1)[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]

    ticks, falls = above(np.ones(len(place))), above(fell.astype(float))
    return _Counts(
        ticks, falls, np.bincount(unit, minlength=units).astype(float), np.bincount(unit, weights=fell, minlength=units)
    )


def _gain(counts: _Counts, weights: Array, tick_days: float) -> Array:
    """Return by row of weights and level how much better two rates tell the falls than one (log likelihood); -inf where it may not divide."""
    above, falls = _product(weights, counts.ticks), _product(weights, counts.falls)
    whole, every = (weights @ counts.all_ticks)[:, None], (weights @ counts.all_falls)[:, None]
    return _gain_of(above, falls, whole, every, tick_days)


def _gain_of(above: Array, falls: Array, whole: Array, every: Array, tick_days: float) -> Array:
    below, rest = whole - above, every - falls
    least = LEAST_DAYS / tick_days
    fine = (falls >= LEAST_ABOVE) & (above >= least) & (below >= least) & (falls * below >= TWICE * rest * above)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = _part(falls, above) + _part(rest, below) - _part(every, whole)
    return np.where(fine, told, -np.inf)


def _part(falls: Array, ticks: Array) -> Array:
    return np.where(falls > 0, falls * np.log(np.where(falls > 0, falls, 1) / ticks), 0.0)


def _interval(counts: _Counts, levels: Array, tick_days: float, rng: Any) -> tuple[float, float]:
    """Return where the level lies in fleets drawn from these lines."""
    units = len(counts.all_ticks)
    gain = _gain(counts, rng.multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(float), tick_days)
    found = gain.argmax(axis=1)[np.isfinite(gain.max(axis=1))]
    if not len(found):
        return float(levels[0]), float(levels[-1])
    low, high = np.quantile(found, [(1 - SURE) / 2, (1 + SURE) / 2], method="nearest")
    # what lies between two levels that were tried divides alike: the neighbours belong to the interval
    return float(levels[max(0, low - 1)]), float(levels[min(len(levels) - 1, high + 1)])


def _held_out(counts: _Counts, tick_days: float, rng: Any) -> tuple[float, float, float]:
    """Return how many times as frequent falls are above the level that other lines chose, with its interval; 0 where none was chosen."""
    units = len(counts.all_ticks)
    sums = np.zeros((units, 4))
    for _ in range(SPLITS):
        half = np.zeros(units)
        half[rng.permutation(units)[: units // 2]] = 1
        for choosing in (half, 1 - half):
            gain = _half_gain(counts, choosing, tick_days)
            best = int(gain.argmax())
            if not np.isfinite(gain[best]):
                continue
            judged = choosing == 0
            above, falls = counts.ticks[:, best], counts.falls[:, best]
            told = np.column_stack((above, falls, counts.all_ticks - above, counts.all_falls - falls))
            sums[judged] += told[judged]
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=DRAWS) @ sums
    ratio = _ratio(np.vstack((sums.sum(axis=0), drawn)))
    low, high = np.quantile(ratio[1:], [(1 - SURE) / 2, (1 + SURE) / 2])
    return float(ratio[0]), float(low), float(high)


def _half_gain(counts: _Counts, choosing: Array, tick_days: float) -> Array:
    """Return the gain of each level on half of the lines: it has half of the falls, so a level needs fewer."""
    above, falls = choosing @ counts.ticks, choosing @ counts.falls
    whole, every = choosing @ counts.all_ticks, choosing @ counts.all_falls
    fine = (falls >= LEAST_ABOVE / 2) & (above > 0) & (above < whole)
    fine &= falls * (whole - above) > (every - falls) * above
    with np.errstate(divide="ignore", invalid="ignore"):
        told = _part(falls, above) + _part(every - falls, whole - above) - _part(every, whole)
    return np.where(fine, told, -np.inf)


def _ratio(sums: Array) -> Array:
    """Return ratios of rates; half a fall on each side keeps them finite. 0 where no level was chosen."""
    above, falls, below, rest = sums.T * 1.0
    half = SPLITS / 2  # each line is judged once a split
    with np.errstate(divide="ignore", invalid="ignore"):
        found = ((falls + half) / above) / ((rest + half) / below)
    return np.where((above > 0) & (below > 0), found, 0.0)


def _moved(place: Array, fell: Array, line: Array, counts: _Counts, gain: float, tick_days: float, rng: Any) -> float:
    """Return how often a level divides as well where every line's falls are moved along its own time."""
    first = np.r_[0, np.flatnonzero(np.diff(line)) + 1]
    length = np.diff(np.r_[first, len(line)])
    falls = np.flatnonzero(fell)
    of = np.searchsorted(first, falls, side="right") - 1
    by = (rng.random((MOVES, len(first))) * length).astype(int)
    moved = first[of] + (falls - first[of] + by[:, of]) % length[of]
    levels = counts.ticks.shape[1]
    rows = np.arange(MOVES)[:, None] * (levels + 1)
    seen = np.bincount((rows + place[moved]).ravel(), minlength=MOVES * (levels + 1)).reshape(MOVES, levels + 1)
    above = seen[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    found = _gain_of(counts.ticks.sum(axis=0), above, counts.all_ticks.sum(), np.array(len(falls)), tick_days)
    return float((1 + (found.max(axis=1) >= gain).sum()) / (1 + MOVES))
