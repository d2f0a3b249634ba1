"""Lines far from any trouble in, the effects of such quiet times out: what is ordinary, for every driver and for all together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.change import Change
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.effects import effects_at
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.troubles import Troubles
from analysis.settings import Settings

SCALED = (
    "engagement",
    "deliverability",
    "new_conversations",
    "recipient_spread",
    "send_pace",
    "opt_outs",
    "repeated_content",
)
"""The drivers that have an effect of their own size, in the order of every vector of effects; a flag has none."""


WIDTH = 2 * len(SCALED)

Points = tuple[Array, Array]
"""Quiet days of a line (since 1970, in order), and its effects at the noon of each, a row a day."""


NO_POINTS: Points = (np.array([], dtype=int), np.zeros((0, WIDTH)))
"""Of a line without any."""
_DIGITS = 3
"""To which effects at quiet times are told: one message among many then mostly leaves them as they are."""


@dataclass(frozen=True)
class KeptQuiet:
    """Quiet times as an earlier refresh measured them.

    Args:
        points: of each line that has some.
        begins: line to the time (ms) from which on anything of it may be other than it was; lines that are not among them are as they were.
        changes: those that they were measured for.
        pool: of ``pool_of`` then.
        same: whether pooled rates at a time (ms) are what they were.
    """

    points: dict[str, Points] = field(default_factory=dict)
    begins: Mapping[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    pool: list[str] = field(default_factory=list)
    same: Callable[[int], bool] = lambda t: True


def vector(effects: Effects) -> Array:
    """Return the effects of SCALED, in its order, then their amounts."""
    return np.array([of.get(driver, 0.0) for of in (effects.x, effects.amount) for driver in SCALED])


def effects_of(found: Array, t: int) -> Effects:
    """Return effects of which ``vector`` makes these numbers; no flag."""
    n, values = len(SCALED), [float(v) for v in found]
    return Effects(t, dict(zip(SCALED, values[:n], strict=True)), amount=dict(zip(SCALED, values[n:], strict=True)))


def pool_of(firsts: Mapping[str, int]) -> list[str]:
    """Return the lines that quiet times of the fleet are taken from: those known longest, by their first message (ms)."""
    return sorted(firsts, key=lambda line: (firsts[line], line))[: CONSTANTS.quiet_lines]


def last_day(t: int) -> int:
    """Return the last day whose noon is ``quiet_days`` before t."""
    return int((t - CONSTANTS.quiet_days * DAY - DAY // 2) // DAY)


class _Days:
    """Days of which quiet times are asked for, to weigh some changes: of each line's own, and of the pool's lines for all of them."""

    def __init__(self, changes: Iterable[Change], pool: list[str]) -> None:
        self.lines: dict[str, list[int]] = defaultdict(list)
        for change in changes:
            self.lines[change.line].append(change.at)
        self._pool = frozenset(pool)
        # weights are learned of each day's begin
        every = {(last_day(t // DAY * DAY), last_day(t)) for times in self.lines.values() for t in times}
        self._of_all = _days_before(every)

    def of(self, line: str) -> set[int]:
        """Return the days that are asked for of a line."""
        if line in self._pool:
            return self._of_all
        return _days_before({(last_day(t), last_day(t)) for t in self.lines.get(line, ())})


def _days_before(lasts: set[tuple[int, int]]) -> set[int]:
    return {day for low, high in lasts for day in range(low - CONSTANTS.quiet_back_days, high + 1)}


def measured_on(
    days: Iterable[int], history: LineHistory, troubles: Troubles, fleet: Fleet, settings: Settings
) -> dict[int, Array]:
    """Return the effects on a line at the noons of days (since 1970), of those that are quiet times of it; arguments as of ``usual_of``."""
    found = {}
    for day in days:
        t = day * DAY + DAY // 2
        low, high = np.searchsorted(history.send_at, (t - 7 * DAY, t), side="right")
        if high - low < settings.explain_thin_sends or not troubles.quiet_at(t):
            continue
        usual = usual_of(history, troubles, fleet, t, settings)
        if usual.own:
            effects = effects_at(history, troubles, usual, t, settings, flags=False)
            found[day] = np.round(vector(effects), _DIGITS)
    return found


class QuietTimes:
    """Effects every other day on lines that are far from any trouble, of the time before changes; measured when first asked for, but for what is kept.

    Args:
        firsts: when each line's first message was (ms), of all lines.
        changes: those that are to be weighed; days that are far from all of them are never asked for.
        troubles: unhealthy times of a line.
        fleet: pooled rates.
        settings: see Settings.
        kept: of an earlier refresh.
        pool: lines that the fleet's quiet times are taken from; by ``pool_of`` where None.
    """

    def __init__(
        self,
        firsts: Mapping[str, int],
        changes: Iterable[Change],
        troubles: Callable[[str], Troubles],
        fleet: Fleet,
        settings: Settings,
        *,
        kept: KeptQuiet | None = None,
        pool: list[str] | None = None,
    ) -> None:
        self._firsts, self._troubles, self._fleet, self._settings = firsts, troubles, fleet, settings
        self._kept, self._pool = kept or KeptQuiet(), pool_of(firsts) if pool is None else pool
        changes = list(changes)
        self._days = _Days(changes, self._pool)
        self._were = _Days(self._kept.changes, self._kept.pool)
        self._histories: Mapping[str, LineHistory] = {}
        self._points: dict[str, Points] = {}
        self._taken: dict[str, dict[int, Array]] = {}
        self._shared: tuple[Array, Array, Array] | None = None

    def pool(self) -> list[str]:
        """Return the lines that the fleet's are taken from, in their order."""
        return self._pool

    def to_measure(self) -> dict[str, list[int]]:
        """Return the lines of which something is to be measured yet, and the days, in order."""
        days = {line: self._standing(line)[1] for line in self._lines() if line not in self._points}
        return {line: of for line, of in days.items() if of}

    def take(self, line: str, effects: dict[int, Array]) -> None:
        """Take in what ``measured_on`` gave of a line's days that were to be measured."""
        self._taken[line] = effects

    def lacking(self) -> dict[str, int]:
        """Return the lines of which something is to be measured, and the earliest time of that (ms): ``rest_on`` must know them."""
        return {line: days[0] * DAY + DAY // 2 for line, days in self.to_measure().items()}

    def rest_on(self, histories: Mapping[str, LineHistory]) -> None:
        """Measure by these, what is lacking."""
        self._histories = histories

    def all(self) -> dict[str, Points]:
        """Return all that may be asked for: of the lines that all others are compared with and of those with a change; in order of line."""
        return {line: self.of_line(line) for line in self._lines()}

    def _lines(self) -> list[str]:
        return [line for line in sorted({*self._pool, *self._days.lines}) if line in self._firsts]

    def of_line(self, line: str) -> Points:
        """Return the quiet days of a line, and its effects at the noon of each; none while young or nearly silent."""
        if line not in self._points:
            found, lacking = self._standing(line)
            if line in self._taken:
                found |= self._taken.pop(line)
            elif lacking:
                history, troubles = self._histories[line], self._troubles(line)
                found |= measured_on(lacking, history, troubles, self._fleet, self._settings)
            days = sorted(found)
            effects_of_all = np.array([found[day] for day in days]).reshape(-1, WIDTH)
            self._points[line] = np.array(days, dtype=int), effects_of_all
        return self._points[line]

    def _standing(self, line: str) -> tuple[dict[int, Array], list[int]]:
        """Return the kept effects of a line by day as far as they stand, and the days that are to be measured, in order.

        Effects use nothing later than their noon. Whether a noon is quiet is told by the week after it as well.
        """
        step, wanted, were = CONSTANTS.quiet_step_days, self._days.of(line), self._were.of(line)
        first = int(self._firsts[line] // DAY) + self._settings.young_line_days
        first += first % step
        begin = self._kept.begins.get(line, np.inf)
        health_until = begin - (CONSTANTS.quiet_days + 1) * DAY
        days, effects = self._kept.points.get(line, NO_POINTS)
        kept, quiet_at = dict(zip(days.tolist(), effects, strict=True)), self._troubles(line).quiet_at
        known, lacking = {}, []
        for day in sorted(wanted):
            if day < first or (day - first) % step:
                continue
            noon = day * DAY + DAY // 2
            as_it_was = noon < begin and self._kept.same(noon)
            settled = as_it_was and noon < health_until and day in were
            if day in kept and as_it_was and (settled or quiet_at(noon)):
                known[day] = kept[day]
            elif not settled and quiet_at(noon):
                lacking.append(day)
        return known, lacking

    def _of_pool(self) -> tuple[Array, Array, Array]:
        """Return owner (place in the pool), day and effects of all quiet times of the pool."""
        if self._shared is None:
            parts = [self.of_line(line) for line in self._pool]
            owner = np.repeat(np.arange(len(parts)), [len(days) for days, _ in parts])
            days = np.concatenate([days for days, _ in parts]) if parts else np.array([], dtype=int)
            found = np.concatenate([x for _, x in parts]) if parts else np.zeros((0, WIDTH))
            self._shared = owner, days, found
        return self._shared

    def before(self, line: str, t: int) -> tuple[Array, Array]:
        """Return quiet times of 60 days up to 7 days before t, of the fleet and of this line: effects, and how much each counts.

        A quiet day of the line's own counts as ``own_weight`` of the fleet's.
        """
        k, last = CONSTANTS, last_day(t)
        owner, days, found = self._of_pool()
        inside = (days <= last) & (days >= last - k.quiet_back_days)
        weights = np.ones(len(days))
        if line in self._pool:
            weights[owner == self._pool.index(line)] = k.own_weight
            return found[inside], weights[inside]
        if line not in self._firsts:
            return found[inside], weights[inside]
        own_days, own = self.of_line(line)
        mine = (own_days <= last) & (own_days >= last - k.quiet_back_days)
        return (
            np.concatenate((found[inside], own[mine])),
            np.concatenate((weights[inside], np.full(int(mine.sum()), float(k.own_weight)))),
        )


class KnownQuietTimes(QuietTimes):
    """The same where they are known already, from another process: nothing is worked out.

    Args:
        pool: days and effects (of ``QuietTimes.of_line``) of the lines that quiet times of the fleet are taken from, in their order.
        own: those of all other lines that are asked for.
    """

    def __init__(self, pool: Mapping[str, tuple[Array, Array]], own: Mapping[str, tuple[Array, Array]]) -> None:
        self._pool, self._points, self._shared = list(pool), {**own, **pool}, None
        self._firsts = cast(Any, self._points)
