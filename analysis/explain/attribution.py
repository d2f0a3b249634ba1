"""Effects in, shares of each driver and of "unexplained" out, on a scale taken from quiet times (method sheet, 2.6 and 4b)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log10

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.effects import Effects
from analysis.explain.history import Array
from analysis.explain.quiet import SCALED, QuietTimes, vector
from analysis.explain.weights import fitted

UNITS = {
    "engagement": CONSTANTS.unit_engagement,
    "deliverability": CONSTANTS.unit_deliverability,
    "new_conversations": CONSTANTS.unit_new,
    "recipient_spread": CONSTANTS.unit_volume,
    "send_pace": CONSTANTS.unit_volume,
    "opt_outs": CONSTANTS.unit_opt_outs,
    "repeated_content": CONSTANTS.unit_repeated,
}
"""Fixed units of the drivers that have an effect of their own size; a prior that fades with quiet time seen."""
_FIXED = np.array([UNITS[driver] for driver in SCALED])
_NONE = np.zeros(0)


def bounded(x: Array, units: Array) -> Array:
    """Return effects in units; above 2 they grow with the logarithm only, so that no one driver drowns the rest."""
    z = x / units
    return np.where(z <= 2, z, 2 + np.log(np.maximum(z, 2) / 2))


@dataclass(frozen=True)
class Scale:
    """Units and weights per driver, and the pressures of quiet times with what each counts, all as known at one time."""

    units: Array = field(default_factory=_FIXED.copy)
    weights: Array = field(default_factory=lambda: np.ones(len(SCALED)))
    quiet: Array = field(default_factory=_NONE.copy)
    counts: Array = field(default_factory=_NONE.copy)

    def z(self, x: dict[str, float]) -> dict[str, float]:
        """Return the pressure of each driver: its effect in units, times its weight."""
        return dict(zip(SCALED, (float(v) for v in self.weights * bounded(vector(x), self.units)), strict=True))

    def tail(self, pressure: float) -> float:
        """Return the probability of at least this pressure in quiet times: those seen, and a fixed tail as prior."""
        k = CONSTANTS
        prior = 10 ** (-k.tail_decades * pressure)
        above = float(self.counts[self.quiet >= pressure].sum())
        return float((above + k.quiet_prior * prior) / (self.counts.sum() + k.quiet_prior))

    def ordinary(self) -> float:
        """Return the pressure that quiet times stay below on 19 days in 20, drawn to the fixed tail."""
        prior, n = log10(20) / CONSTANTS.tail_decades, float(self.counts.sum())
        if not n:
            return prior
        return (n * _quantile(self.quiet, self.counts, 0.95) + CONSTANTS.quiet_prior * prior) / (
            n + CONSTANTS.quiet_prior
        )

    def explained(self, pressure: float) -> float:
        """Return how much of a change this pressure explains, 0 to 1."""
        decades = -log10(max(self.tail(pressure), 1e-9)) - CONSTANTS.explained_from
        return max(0.0, min(1.0 - CONSTANTS.unexplained_floor, decades)) if pressure > 0 else 0.0


def _quantile(values: Array, counts: Array, share: float) -> float:
    """Return the smallest value up to which at least this share of the counts lies."""
    order = np.argsort(values, kind="stable")
    reached = np.searchsorted(np.cumsum(counts[order]), share * counts.sum())
    return float(values[order][min(int(reached), len(values) - 1)])


class Scales:
    """The scale of any line at any time, from quiet times and worsenings before it.

    Args:
        quiet: quiet times of the fleet.
        worsenings: (when, effects) of every worsening of the fleet that can be measured; only those before a time count for it.
    """

    def __init__(self, quiet: QuietTimes, worsenings: Iterable[tuple[int, dict[str, float]]]) -> None:
        self._quiet = quiet
        told = sorted(((at, tuple(vector(x))) for at, x in worsenings), key=lambda item: item)
        self._times = np.array([at for at, _ in told], dtype=np.int64)
        self._worse = np.array([x for _, x in told]).reshape(-1, len(SCALED))
        self._weights: dict[int, Array] = {}

    def at(self, line: str, t: int) -> Scale:
        """Return the scale for one line at t.

        A unit is the fixed one drawn towards the 98 % point of the effect in quiet times, the more so the more quiet
        days were seen, and by a factor of 2.5 at most; a quiet day of the line's own weighs as ``own_weight`` of the fleet's.
        Weights are learned from the worsenings before that day, each drawn to 1.
        """
        effects, counts = self._quiet.before(line, t)
        units, weights = units_of(effects, counts), self._learned(t)
        return Scale(units, weights, (bounded(effects, units) * weights).sum(axis=1), counts)

    def _learned(self, t: int) -> Array:
        day = t // DAY
        if day not in self._weights:
            worse = self._worse[self._times < day * DAY]
            effects, counts = self._quiet.before("", day * DAY)
            units = units_of(effects, counts)
            self._weights[day] = fitted(bounded(worse, units), bounded(effects, units))
        return self._weights[day]


def units_of(effects: Array, counts: Array) -> Array:
    """Return the unit of every driver from effects of quiet times (one a row) and how much each row counts."""
    k, n = CONSTANTS, float(counts.sum())
    if not n:
        return _FIXED.copy()
    weight = n / (n + k.unit_prior)
    seen = np.array([_quantile(effects[:, i], counts, k.unit_quantile) for i in range(len(SCALED))])
    seen = np.clip(seen, _FIXED / k.unit_reach, _FIXED * k.unit_reach)
    return np.asarray(_FIXED ** (1 - weight) * seen**weight)


def shares_of(effects: Effects, scale: Scale) -> dict[str, float]:
    """Return the share of every driver that has one, and of unexplained; they sum to 1 up to float error.

    The total pressure says how much is explained (rare in quiet times: much); that part is shared by pressure to the
    power 1.7. A carrier's flag takes 0.8 of everything, the rest keep their proportions in what is left.
    """
    z = scale.z(effects.x)
    return _shared(z, scale.explained(sum(z.values())), flagged=effects.x.get("flagged", 0.0) > 0)


def _shared(z: dict[str, float], explained: float, *, flagged: bool) -> dict[str, float]:
    powers = {driver: value**CONSTANTS.sharpness for driver, value in z.items() if value > 0}
    total = sum(powers.values())
    shares = {driver: explained * p / total for driver, p in powers.items()} if total else {}
    shares["unexplained"] = 1.0 - sum(shares.values())
    if flagged:
        shares = {driver: share * (1 - CONSTANTS.flag_share) for driver, share in shares.items()}
        shares["flagged"] = CONSTANTS.flag_share
    return shares


def eased_shares(then: Effects, now: Effects, scale: Scale, *, flag_lifted: bool) -> dict[str, float]:
    """Return the shares of a recovery: what pressed on the line at its worst and presses less now."""
    before, after = scale.z(then.x), scale.z(now.x)
    eased = {driver: max(0.0, before[driver] - after[driver]) for driver in before}
    pressure = sum(before.values())
    part = sum(eased.values()) / pressure if pressure else 0.0
    return _shared(eased, scale.explained(pressure) * min(1.0, part), flagged=flag_lifted)


def rounded(shares: dict[str, float]) -> list[tuple[str, float]]:
    """Return shares to 4 decimals, largest first, ``unexplained`` always among them, summing to 1 exactly.

    The rounding remainder goes to the largest; equal shares are in order of name, drivers before unexplained.
    """
    kept = {d: round(s, 4) for d, s in shares.items() if round(s, 4) > 0 or d == "unexplained"}
    order = sorted(kept, key=lambda d: (-kept[d], d == "unexplained", d))
    rest = sum(round(kept[d] * 10_000) for d in order[1:])
    kept[order[0]] = (10_000 - rest) / 10_000
    return [(d, kept[d]) for d in order]


def confidence_of(shares: list[tuple[str, float]], asks: int) -> float:
    """Return the stated probability that the first driver is the main cause: its share, shrunk where data is thin."""
    weight = asks / (asks + CONSTANTS.confidence_prior)
    if shares[0][0] == "flagged":
        weight = 1.0
    most = CONSTANTS.confidence_unexplained if shares[0][0] == "unexplained" else CONSTANTS.confidence_most
    return round(min(most, weight * shares[0][1] + (1 - weight) * CONSTANTS.confidence_no_data), 3)
