"""The past that taught in, how right forecasts would have been on it out: each week forecast from what came before it only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.model import FEATURES, HORIZONS, TICK_HOURS, Array, Taught
from analysis.ahead.rows import times_of
from analysis.explain.constants import HOUR
from analysis.schema import INSTANT
from analysis.signals.grid import Bools, Ints

FIRST_DAYS, STEP_DAYS = 21, 7
"""The first forecast is made after three weeks; then the model learns again every week."""
MOST_WEEKS = 8
"""Weeks looked back on: each costs a fit."""
LEAST_WORSE = 10
"""Fewer worsenings in the weeks forecast say nothing about how right it is."""
BINS = 10
FALSE_A_MONTH = 1.0
"""Alarms without a worsening in the 72 h after them, a line and month, that a person bears (issue Ahead)."""
JUST_ENDED = 0.9
"""``spell_lately`` of the first day after a spell of trouble."""
_SAME = 1e-9
"""Two signals miss alike where they do but for a part so small."""
LEAD_HOURS, ALARM_HOURS = 6, 72
"""A warning counts this many hours ahead at least, and at most."""

TRIED = pl.Schema(
    {
        "line": pl.String,
        "at": INSTANT,
        "worse_at": INSTANT,
        "p_24": pl.Float64,
        "base_24": pl.Float64,
        "came_24": pl.Float64,
        "p_72": pl.Float64,
        "base_72": pl.Float64,
        "came_72": pl.Float64,
        "yesterday": pl.Float64,
        "single": pl.Float64,
    }
)
"""Forecasts of the past, key (line, at): the chance told, the rate of the weeks before, and what came."""


@dataclass(frozen=True)
class Alarm:
    """The chance within 24 h from which to warn: few false alarms on the past, and what it would have warned of."""

    from_p: float
    false_a_month: float
    warned: int
    worsenings: int
    lead_hours: float | None
    """Median time from the first warning to the worsening."""


def tried(
    ticks: pl.DataFrame, *, at: datetime, weeks: int = MOST_WEEKS, priors: dict[int, dict[str, float]] | None = None
) -> pl.DataFrame:
    """Forecast every tick of the last weeks from what was known a week before at most.

    Args:
        ticks: of ``labelled``, every TICK_HOURS.
        at: UTC; horizons that end later are left out.
        weeks: how many.
        priors: see ``learned``.

    Returns:
        TRIED, in order of line and time; empty where there are less than three weeks.
    """
    if ticks.is_empty():
        return pl.DataFrame(schema=TRIED)
    taught, lately = Taught.of(ticks), (ticks["spell_lately"] > JUST_ENDED).to_numpy()
    ticks = ticks.select("line", "at", "worse_at")
    state = taught.rows[:, 1 + FEATURES.index("at_risk")] + 2 * lately
    ends, came = taught.until(at, hours=max(HORIZONS)), {hours: taught.came(hours) for hours in HORIZONS}
    first: Any = ticks["at"].min()
    begin = first + timedelta(days=FIRST_DAYS)
    marks = [at - timedelta(days=STEP_DAYS * (w + 1)) for w in range(weeks)]
    weeks_of = {mark: _week(taught, mark) & ends for mark in sorted(marks) if mark >= begin}
    looked = {mark: of for mark, of in weeks_of.items() if of.any()}
    singles = _singles(taught, [taught.until(mark, hours=HORIZONS[0]) for mark in looked], came[HORIZONS[0]])
    parts = []
    for (mark, of), single in zip(looked.items(), singles, strict=True):
        x = np.asfortranarray(taught.rows[of, 1:])
        columns: dict[str, Any] = {}
        for hours in HORIZONS:
            model = taught.learned(mark, hours, priors[hours] if priors else None)
            past = taught.until(mark, hours=hours)
            rate = _base(came[hours], past)
            columns |= {f"p_{hours}": model.chance(x), f"base_{hours}": np.full(len(x), rate)}
            columns[f"came_{hours}"] = came[hours][of].astype(float)
            if hours == HORIZONS[0]:
                columns["yesterday"] = _as_yesterday(state[of], state[past], came[hours][past], rate)
                columns["single"] = single.told(x)
        parts.append(ticks.filter(pl.Series(of)).with_columns(pl.Series(n, v) for n, v in columns.items()))
    if not parts:
        return pl.DataFrame(schema=TRIED)
    return pl.concat(parts).select(TRIED.names()).cast(dict(TRIED)).sort("line", "at")  # type: ignore[arg-type]


def _as_yesterday(now: Array, before: Array, came: Bools, rate: float) -> Array:
    """Return how often it came where a line stood alike: by whether a spell just ended, and whether health is at risk."""
    found = np.zeros(len(now))
    for state in np.unique(now):
        alike = before == state
        found[now == state] = _rate(np.count_nonzero(came & alike), np.count_nonzero(alike), rate)
    return found


@dataclass(frozen=True)
class _Single:
    """One feature's tenths of some past: where they end, how often it came in each, and by how much that misses."""

    feature: int
    edges: Array
    rates: Array
    missed: float

    @classmethod
    def of(cls, feature: int, order: Ints, values: Array, past: Bools, came: Bools, rate: float) -> _Single:
        """Return it, given the ticks in order of the feature's values and these."""
        place, hits = np.flatnonzero(past[order]), np.flatnonzero((past & came)[order])
        at = (len(place) - 1) * np.linspace(0, 1, 11)[1:-1]
        low = np.floor(at).astype(int)
        below, above = values[place[low]], values[place[np.minimum(low + 1, len(place) - 1)]]
        part, step = at - low, above - below
        edges = np.unique(np.where(part < 0.5, below + step * part, above - step * (1 - part)))  # as numpy's quantile
        ends = np.searchsorted(values, edges, side="right")
        many, hit = (np.diff(np.searchsorted(p, ends), prepend=0, append=len(p)) for p in (place, hits))
        rates = _rate(hit, many, rate)
        return cls(feature, edges, rates, float(((many - hit) * rates**2 + hit * (1 - rates) ** 2).sum()))

    @classmethod
    def without_past(cls, rate: float) -> _Single:
        """Return one that tells the same of every tick."""
        return cls(0, np.array([]), np.array([rate]), 0.0)

    def told(self, x: Array) -> Array:
        """Return how often it came in the same tenth, for rows of FEATURES."""
        return self._told(x[:, self.feature])

    def _told(self, values: Array) -> Array:
        return np.asarray(self.rates[np.searchsorted(self.edges, values)])

    def missed_by_tick(self, taught: Taught, past: Bools, came: Bools) -> float:
        """Return by how much it misses summed over the ticks of the past: to the last digits."""
        return float(((self._told(taught.rows[past, 1 + self.feature]) - came[past]) ** 2).sum())


def _singles(taught: Taught, pasts: list[Bools], came: Bools) -> list[_Single]:
    """Return of each past the feature that told most of it; features one after the other, for each is sorted whole."""
    rates, found = [_base(came, past) for past in pasts], [list[_Single]() for _ in pasts]
    for i in range(len(FEATURES)):
        values = np.ascontiguousarray(taught.rows[:, 1 + i])
        order = np.argsort(values)
        values = values[order]
        for past, rate, of in zip(pasts, rates, found, strict=True):
            if past.any():
                of.append(_Single.of(i, order, values, past, came, rate))
    return [
        _best(of, taught, past, came) if of else _Single.without_past(rate)
        for past, rate, of in zip(pasts, rates, found, strict=True)
    ]


def _best(found: list[_Single], taught: Taught, past: Bools, came: Bools) -> _Single:
    """Return what told most of the past."""
    least = min(single.missed for single in found)
    near = [single for single in found if single.missed <= least * (1 + _SAME)]
    # as good but for the last digits: these are told by the sum over the ticks
    return near[0] if len(near) == 1 else min(near, key=lambda single: single.missed_by_tick(taught, past, came))


def _week(taught: Taught, mark: datetime) -> Bools:
    """Say of which ticks the forecast is made in the week from a time on."""
    return ~taught.until(mark, hours=0) & taught.until(mark + timedelta(days=STEP_DAYS), hours=0)


def _base(came: Bools, past: Bools) -> float:
    """Return how often it came in the past; 0 without one."""
    return float(came[past].mean()) if past.any() else 0.0


def _rate(came: Any, of: Any, rate: float) -> Any:
    """Return how often it came, drawn to the rate of all as if four more had come at it; arrays give arrays."""
    return (came + 4 * rate) / (of + 4)


def record_of(told: pl.DataFrame) -> dict[str, Any] | None:
    """Return how right the forecasts were: {"worsenings", "ticks", "horizons": {"24": …, "72": …}, "alarm": …}; None with too few.

    Args:
        told: TRIED.
    """
    worse = told.filter(pl.col("came_24") > 0).select("line", "worse_at").n_unique() if told.height else 0
    if worse < LEAST_WORSE:
        return None
    horizons = {str(hours): _horizon(told, hours) for hours in HORIZONS}
    alarm = alarm_of(told)
    return {
        "worsenings": worse,
        "ticks": told.height,
        "since": told["at"].min(),
        "until": told["at"].max(),
        "horizons": horizons,
        "alarm": alarm.__dict__ if alarm else None,
    }


def _horizon(told: pl.DataFrame, hours: int) -> dict[str, Any]:
    p, y, base = (told[f"{c}_{hours}"].to_numpy() for c in ("p", "came", "base"))
    peers = {name: told[name].to_numpy() for name in ("yesterday", "single")} if hours == HORIZONS[0] else {}
    return {
        "base_rate": float(y.mean()),
        "skill": skill(p, y, base),
        "skill_of_peers": {name: skill(q, y, base) for name, q in peers.items()},
        "ahead_of_peers": {name: 1 - float(((p - y) ** 2).mean() / ((q - y) ** 2).mean()) for name, q in peers.items()},
        "calibration_error": calibration_error(p, y),
        "reliability": reliability(p, y),
        "precision_recall_area": precision_recall_area(p, y),
    }


def skill(p: Array, y: Array, base: Array) -> float:
    """Return the Brier skill: 1 − error of p over error of the base rate known then."""
    return 1 - float(((p - y) ** 2).mean() / max(((base - y) ** 2).mean(), 1e-12))


def reliability(p: Array, y: Array) -> list[dict[str, float]]:
    """Return bins of equal size by p: mean chance told, share that came, and how many forecasts."""
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return [{"told": float(p[part].mean()), "came": float(y[part].mean()), "n": len(part)} for part in parts]


def calibration_error(p: Array, y: Array) -> float:
    """Return the expected calibration error over bins of equal size."""
    bins = reliability(p, y)
    return sum(b["n"] * abs(b["told"] - b["came"]) for b in bins) / max(1, sum(int(b["n"]) for b in bins))


def precision_recall_area(p: Array, y: Array) -> float:
    """Return the mean precision over all that came, most likely first."""
    hit = y[np.argsort(-p, kind="stable")]
    if not hit.sum():
        return 0.0
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit > 0].mean())


def alarm_of(told: pl.DataFrame, *, most: float = FALSE_A_MONTH) -> Alarm | None:
    """Return the alarm that warns of most worsenings with at most so many false alarms a line and month.

    Alarms of a line less than a day apart are one, for 72 h: one that stands for longer begins again. An alarm is false where no worsening
    follows within 72 h of its begin; a worsening is warned of where an alarm stood from 6 to 72 h before it.
    """
    if told.is_empty():
        return None
    months = told.height * TICK_HOURS / 24 / 30
    hours = (pl.col("worse_at") - pl.col("at")).dt.total_seconds() / 3600
    p, lead = told["p_24"].to_numpy(), told.select(hours.fill_null(np.inf)).to_series().to_numpy()
    line, at = told["line"].rle_id().to_numpy(), times_of(told, "at")
    soon = lead <= ALARM_HOURS
    event = told.select(pl.struct("line", "worse_at").rle_id()).to_series().to_numpy()
    whole = len(np.unique(event[soon]))
    due = np.flatnonzero(soon & (lead >= LEAD_HOURS))
    best: Alarm | None = None
    for from_p in np.unique(np.quantile(p, np.linspace(0.6, 0.999, 60))):
        on = np.flatnonzero(p >= from_p)
        false = int(np.count_nonzero(~soon[on[_begins(line[on], at[on])]])) / months
        if false > most:
            continue
        warning = due[p[due] >= from_p]
        first = warning[
            np.flatnonzero(np.diff(event[warning], prepend=-1))
        ]  # of a worsening's ticks the first leads by most
        if best is None or len(first) > best.warned:
            median = float(np.median(lead[first])) if len(first) else None
            best = Alarm(float(from_p), false, len(first), whole, median)
    return best


def _begins(line: Ints, at: Ints) -> Ints:
    """Return the ticks at which alarms begin, of those at which one stands: in order of line and time."""
    if not len(line):
        return line
    new = np.ones(len(line), dtype=bool)
    new[1:] = (line[1:] != line[:-1]) | (at[1:] - at[:-1] > 24 * HOUR)
    run = np.cumsum(new)
    part = (at - at[new][run - 1]) // (ALARM_HOURS * HOUR)
    new[1:] |= part[1:] != part[:-1]
    return np.flatnonzero(new)
