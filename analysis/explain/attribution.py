"""Effects in, shares of each driver and of "unexplained" out, on a scale taken from quiet times (method sheet, 2.6 and 4b)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, log10

import numpy as np

from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.effects import Effects, effects_at
from analysis.explain.history import LineHistory, Troubles
from analysis.settings import Settings

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


@dataclass(frozen=True)
class Scale:
    """Units per driver and the pressures of quiet times, both as known at one time."""

    units: dict[str, float]
    quiet: list[float]

    def z(self, x: dict[str, float]) -> dict[str, float]:
        """Return effects in units; above 2 they grow with the logarithm only, so that no one driver drowns the rest."""
        scaled = {driver: x.get(driver, 0.0) / unit for driver, unit in self.units.items()}
        return {driver: v if v <= 2 else 2 + log(v / 2) for driver, v in scaled.items()}

    def tail(self, pressure: float) -> float:
        """Return the probability of at least this pressure in quiet times: those seen, and a fixed tail as prior."""
        prior = 10 ** (-CONSTANTS.tail_decades * pressure)
        above = sum(p >= pressure for p in self.quiet)
        return (above + CONSTANTS.quiet_prior * prior) / (len(self.quiet) + CONSTANTS.quiet_prior)

    def ordinary(self) -> float:
        """Return the pressure that quiet times stay below on 19 days in 20, drawn to the fixed tail."""
        prior = log10(20) / CONSTANTS.tail_decades
        if not self.quiet:
            return prior
        ordered = sorted(self.quiet)
        n, seen = len(ordered), ordered[int(0.95 * (len(ordered) - 1))]
        return (n * seen + CONSTANTS.quiet_prior * prior) / (n + CONSTANTS.quiet_prior)

    def explained(self, pressure: float) -> float:
        """Return how much of a change this pressure explains, 0 to 1."""
        decades = -log10(max(self.tail(pressure), 1e-9)) - 0.5
        return max(0.0, min(1.0 - CONSTANTS.unexplained_floor, decades)) if pressure > 0 else 0.0


class QuietTimes:
    """Effects every other day on lines that are far from any trouble; worked out when first asked for.

    Args:
        histories: all lines.
        troubles: their unhealthy times.
        fleet: pooled rates.
        settings: see Settings.
    """

    def __init__(
        self,
        histories: dict[str, LineHistory],
        troubles: Callable[[str], Troubles],
        fleet: Fleet,
        settings: Settings,
    ) -> None:
        self._histories, self._troubles, self._fleet, self._settings = histories, troubles, fleet, settings
        by_age = sorted(histories, key=lambda line: (histories[line].first_at, line))
        self._pool = by_age[: CONSTANTS.quiet_lines]
        self._points: dict[str, dict[int, dict[str, float] | None]] = {}

    def _point(self, line: str, day: int) -> dict[str, float] | None:
        """Return the effects of a line at the noon of a day, or None where it is not quiet, young or nearly silent."""
        known = self._points.setdefault(line, {})
        if day not in known:
            history, troubles, t = self._histories[line], self._troubles(line), day * DAY + DAY // 2
            known[day] = None
            low, high = np.searchsorted(history.send_at, (t - 7 * DAY, t), side="right")
            if troubles.quiet_at(t) and high - low >= self._settings.explain_thin_sends:
                usual = usual_of(history, troubles, self._fleet, t, self._settings)
                if usual.own:
                    known[day] = effects_at(history, troubles, usual, t, self._settings, flags=False).x
        return known[day]

    def scale(self, line: str, t: int) -> Scale:
        """Return the scale for one line at t, from quiet times at least 7 days before it.

        A unit is the fixed one drawn towards the 98 % point of the effect in quiet times, the more so the more quiet
        days were seen, and by a factor of 2.5 at most; a quiet day of the line's own weighs as three of the fleet's.
        """
        k = CONSTANTS
        last = int((t - k.quiet_days * DAY - DAY // 2) // DAY)
        points: list[dict[str, float]] = []
        for other in dict.fromkeys([line, *self._pool]):
            if other not in self._histories:
                continue
            first = max(self._histories[other].first_at // DAY + self._settings.young_line_days, last - 60)
            mine = [
                p
                for day in range(int(first), last + 1)
                if day % k.quiet_step_days == 0 and (p := self._point(other, day)) is not None
            ]
            points += mine * (k.own_weight if other == line else 1)
        weight = len(points) / (len(points) + k.unit_prior)
        units = {}
        for driver, fixed in UNITS.items():
            values = sorted(p.get(driver, 0.0) for p in points)
            seen = values[min(len(values) - 1, int(0.98 * len(values)))] if values else fixed
            seen = max(fixed / k.unit_reach, min(fixed * k.unit_reach, seen))
            units[driver] = fixed ** (1 - weight) * seen**weight
        scale = Scale(units, [])
        return Scale(units, [sum(scale.z(p).values()) for p in points])


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
