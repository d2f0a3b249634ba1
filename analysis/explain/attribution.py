"""Effects in, shares of each driver and of "unexplained" out, on a scale taken from quiet times (method sheet, 2.6 and 4b)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import hypot

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.found import Effects
from analysis.explain.quiet import SCALED, WIDTH, QuietTimes, vector
from analysis.explain.running import Array
from analysis.explain.weights import learned

UNITS = {
    "engagement": CONSTANTS.unit_engagement,
    "deliverability": CONSTANTS.unit_deliverability,
    "new_conversations": CONSTANTS.unit_new,
    "recipient_spread": CONSTANTS.unit_spread,
    "send_pace": CONSTANTS.unit_pace,
    "opt_outs": CONSTANTS.unit_opt_outs,
    "repeated_content": CONSTANTS.unit_repeated,
}
"""Fixed units of the drivers that have an effect of their own size; what quiet times show is added to them."""
_FIXED = np.array([UNITS[driver] for driver in SCALED])
_NONE = np.zeros(0)


def bounded(z: Array) -> Array:
    """Return effects in units; above ``bounded_from`` they grow with the logarithm only, so that no one driver drowns the rest."""
    top = CONSTANTS.bounded_from
    return np.where(z <= top, z, top + np.log(np.maximum(z, top) / top))


def pressures(found: Array, units: Array, weights: Array) -> Array:
    """Return the pressure of each driver, in multiples of what counts as ordinary.

    Args:
        found: rows of ``quiet.vector``: effects, then amounts.
        units: one per driver.
        weights: one per driver.
    """
    k, n = CONSTANTS, len(SCALED)
    x, amount = found[..., :n], found[..., n:]
    much = ((np.maximum(amount, 0.0) + k.amount_floor) / (1 + k.amount_floor)) ** k.amount_power
    return np.asarray(weights * bounded(x / units) * much / k.ordinary)


@dataclass(frozen=True)
class Scale:
    """Units and weights per driver, and the pressures of quiet times with what each counts, all as known at one time."""

    units: Array = field(default_factory=_FIXED.copy)
    weights: Array = field(default_factory=lambda: np.ones(len(SCALED)))
    quiet: Array = field(default_factory=_NONE.copy)
    counts: Array = field(default_factory=_NONE.copy)

    def weighs_as(self, other: Scale) -> bool:
        """Say whether shares by both are the same; how often quiet times had as much pressure (``tail``) may still be another."""
        same = np.array_equal(self.units, other.units) and np.array_equal(self.weights, other.weights)
        return same and self.ordinary() == other.ordinary()

    def z(self, effects: Effects) -> dict[str, float]:
        """Return the pressure of each driver: effect in units, times how much of it there was, times its weight."""
        return dict(zip(SCALED, (float(v) for v in pressures(vector(effects), self.units, self.weights)), strict=True))

    def tail(self, pressure: float) -> float:
        """Return the share of quiet times with at least this pressure; one imagined quiet time has it."""
        return float((self.counts[self.quiet >= pressure].sum() + 1) / (self.counts.sum() + 1))

    def ordinary(self) -> float:
        """Return the pressure that competes as "unexplained": 1, and more where the line's own quiet times show much (90 % point)."""
        return self._ordinary

    @cached_property
    def _ordinary(self) -> float:
        k, own = CONSTANTS, self.quiet[self.counts > 1]
        if not len(own):
            return 1.0
        seen = float(np.quantile(own, k.ordinary_quantile))
        return float(1.0 + k.ordinary_seen * len(own) / (len(own) + k.ordinary_prior) * seen)


def _quantile(values: Array, counts: Array, share: float) -> float:
    """Return the smallest value up to which at least this share of the counts (whole numbers) lies."""
    order = values.argsort()
    reached = counts[order].cumsum().searchsorted(share * counts.sum())
    return float(values[order[min(int(reached), len(values) - 1)]])


class Scales:
    """The scale of any line at any time, from quiet times and worsenings before it.

    Args:
        quiet: quiet times of the fleet.
        worsenings: (when, vector of effects) of every worsening of the fleet that can be measured; only those before a time count for it.
        weights: what ``weights_on`` gives for every day that is asked for, where that is known already; no worsenings then.
    """

    def __init__(
        self,
        quiet: QuietTimes | None,
        worsenings: Iterable[tuple[int, Array]],
        weights: Mapping[int, Array] | None = None,
    ) -> None:
        self._quiet = quiet
        told = sorted((at, tuple(x)) for at, x in worsenings)
        self._times = np.array([at for at, _ in told], dtype=np.int64)
        self._worse = np.array([x for _, x in told]).reshape(-1, WIDTH)
        self._weights: dict[int, Array] = dict(weights or {})

    def at(self, line: str, t: int) -> Scale:
        """Return the scale for one line at t.

        A unit is the fixed one plus what the effect reaches in quiet times (95 % point), the more so the more of them
        were seen; a quiet day of the line's own weighs as ``own_weight`` of the fleet's.
        Weights are learned from the worsenings before that day, where these teach any.
        """
        if self._quiet is None:
            return Scale()
        found, counts = self._quiet.before(line, t)
        units, weights = units_of(found, counts), self._learned(t)
        return Scale(units, weights, pressures(found, units, weights).sum(axis=-1), counts)

    def pool(self) -> list[str]:
        """Return the lines that quiet times of the fleet are taken from."""
        return [] if self._quiet is None else self._quiet.pool()

    def reach(self, line: str, t: int) -> Array:
        """Return what each effect reaches in the quiet times that count for a line at t (added to its unit in part)."""
        if self._quiet is None:
            return np.zeros(len(SCALED))
        return reach_of(*self._quiet.before(line, t))

    def weights_on(self, day: int) -> Array:
        """Return the weights of a day (days since 1970), of any line."""
        return self._learned(day * DAY)

    def _learned(self, t: int) -> Array:
        day = t // DAY
        if day not in self._weights and self._quiet is not None:
            worse = self._worse[self._times < day * DAY]
            found, counts = self._quiet.before("", day * DAY)
            units, even = units_of(found, counts), np.ones(len(SCALED))
            log = (np.log1p(pressures(of, units, even)) for of in (worse, found))
            self._weights[day] = learned(*log)
        return self._weights[day]


def reach_of(found: Array, counts: Array) -> Array:
    """Return what each effect reaches in quiet times (rows of ``vector``, and how much each counts), less where few were seen."""
    k, n = CONSTANTS, float(counts.sum())
    if not n:
        return np.zeros(len(SCALED))
    seen = [_quantile(found[:, i], counts, k.unit_quantile) for i in range(len(SCALED))]
    return np.array(seen) * n / (n + k.unit_prior)


def units_of(found: Array, counts: Array) -> Array:
    """Return the unit of every driver from quiet times: the fixed one and part of what its effect reaches in them."""
    return np.asarray(_FIXED + CONSTANTS.unit_seen * reach_of(found, counts))


def shares_of(effects: Effects, scale: Scale) -> dict[str, float]:
    """Return the share of every driver that has one, and of unexplained; they sum to 1 up to float error.

    Pressures compete by their powers, and so does the ordinary pressure, for "unexplained". A carrier's flag takes 0.8 of
    everything, the rest keep their proportions in what is left.
    """
    return _shared(scale.z(effects), scale.ordinary(), flagged=effects.x.get("flagged", 0.0) > 0)


def intervals_of(effects: Effects, scale: Scale) -> dict[str, tuple[float, float]]:
    """Return per driver its share with its effect lower and higher by what chance alone makes of it (80 %).

    The other drivers stay as they are. A flag has no size, and no interval.
    """
    found, ordinary, flagged = {}, scale.ordinary(), effects.x.get("flagged", 0.0) > 0
    z, ends = _pressures_by_chance(effects, scale)
    for driver, both in ends.items():
        low, high = (_shared(z | {driver: end}, ordinary, flagged=flagged).get(driver, 0.0) for end in both)
        found[driver] = (low, high)
    return found


def _pressures_by_chance(effects: Effects, scale: Scale) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Return the pressure of each driver, and of those with a spread with its effect lower and higher by what chance alone makes of it."""
    reach, x = CONSTANTS.interval_reach, effects.x
    spread = {driver: of for driver, of in effects.spread.items() if x.get(driver, 0.0) > 0}
    rows = np.repeat(
        vector(effects)[None], 3, axis=0
    )  # as it is, all lower, all higher: drivers do not touch each other
    for driver, of in spread.items():
        rows[1:, SCALED.index(driver)] = max(0.0, x[driver] - reach * of), x[driver] + reach * of
    z, low, high = (dict(zip(SCALED, row, strict=True)) for row in pressures(rows, scale.units, scale.weights).tolist())
    return z, {driver: (low[driver], high[driver]) for driver in spread}


def pressure_range(effects: Effects, scale: Scale) -> tuple[float, float, float]:
    """Return the sum of all pressures, and its 80 % range: each effect lower and higher by what chance makes of it."""
    z, ends = _pressures_by_chance(effects, scale)
    below, above = 0.0, 0.0
    for driver, (low, high) in ends.items():
        below, above = hypot(below, z[driver] - low), hypot(above, high - z[driver])
    total = sum(z.values())
    return total, max(0.0, total - below), total + above


def _shared(z: dict[str, float], ordinary: float, *, flagged: bool, part: float = 1.0) -> dict[str, float]:
    k = CONSTANTS
    powers = {driver: value**k.sharpness for driver, value in z.items() if value > 0}
    total = sum(powers.values()) + ordinary**k.sharpness
    shares = {driver: part * p / total for driver, p in powers.items()}
    shares["unexplained"] = 1.0 - sum(shares.values())
    if shares["unexplained"] < k.unexplained_floor and powers:
        kept = (1 - k.unexplained_floor) / (1 - shares["unexplained"])
        shares = {driver: share * kept for driver, share in shares.items() if driver != "unexplained"}
        shares["unexplained"] = 1.0 - sum(shares.values())
    if flagged:
        shares = {driver: share * (1 - k.flag_share) for driver, share in shares.items()}
        shares["flagged"] = k.flag_share
    return shares


def eased_shares(then: Effects, now: Effects, scale: Scale, *, flag_lifted: bool) -> dict[str, float]:
    """Return the shares of a recovery: what pressed on the line at its worst and presses less now."""
    before, after = scale.z(then), scale.z(now)
    eased = {driver: max(0.0, before[driver] - after[driver]) for driver in before}
    pressure = sum(before.values())
    part = sum(eased.values()) / pressure if pressure else 0.0
    return _shared(eased, scale.ordinary(), flagged=flag_lifted, part=min(1.0, CONSTANTS.eased_enough * part))


def rounded(shares: dict[str, float]) -> list[tuple[str, float]]:
    """Return shares to 4 decimals, largest first, ``unexplained`` always among them, summing to 1 exactly.

    Drivers under ``share_least`` are left out; what that and the rounding leave goes to the largest; equal shares are in order of name, drivers before unexplained.
    """
    kept = {d: round(s, 4) for d, s in shares.items() if s >= CONSTANTS.share_least or d == "unexplained"}
    order = sorted(kept, key=lambda d: (-kept[d], d == "unexplained", d))
    rest = sum(round(kept[d] * 10_000) for d in order[1:])
    kept[order[0]] = (10_000 - rest) / 10_000
    return [(d, kept[d]) for d in order]


def confidence_of(shares: list[tuple[str, float]], asks: int) -> float:
    """Return the stated probability that the first driver is the main cause: its share, shrunk where data is thin.

    Shares are fitted as probabilities (METHOD.md); a carrier's flag is a report of the vendor itself.
    """
    k, (first, share) = CONSTANTS, shares[0]
    if first == "flagged":
        return k.confidence_flag
    weight = asks / (asks + k.confidence_prior)
    most = k.confidence_unexplained if first == "unexplained" else k.confidence_most
    return round(min(most, weight * share + (1 - weight) * k.confidence_no_data), 3)
